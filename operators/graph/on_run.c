/* SPDX-License-Identifier: Apache-2.0
 *
 * What triggered statements do. Rows of windows are never changed: an update is a copy that enters
 * and the original that leaves. Rows of tables are changed in place.
 */
#include "operators/graph/limit.h"
#include "operators/graph/nwin.h"
#include "operators/graph/on.h"
#include "operators/graph/var.h"
#include "operators/sig/cause.h"
#include "operators/table/table.h"

#include <assert.h>

static struct ectx row_ctx(const struct on_inst *in, struct evt **row)
{
    return inst_ctx(&in->in, row);
}

struct finding {
    struct on_inst *in;
    struct evt *trigger;
};

static void find_one(void *arg, struct evt *e)
{
    struct finding *f = arg;
    struct evt *row[ON_STREAMS] = {e, f->trigger, e};
    struct ectx c = row_ctx(f->in, row);
    if (ex_true(f->in->p->where, &c) && !c.failed) {
        evts_add(&f->in->found, e);
    }
}

/* The row under the key that the where names. c: of the trigger alone. */
static void find_by_key(struct on_inst *in, struct trows *t, struct ectx *c)
{
    const struct on_plan *p = in->p;
    struct dat key[TABLE_KEYS_MAX];
    bool null = false;
    for (uint32_t i = 0; i < p->table->n_keys; i++) {
        key[i] = ex_eval(p->key[i], c);
        null |= dat_is_null(key[i]);
    }
    struct evt *hit = table_find(t, key, p->table->n_keys);
    if (hit != NULL && p->key_alone && !null && !c->failed) {
        evts_add(&in->found, hit);
    } else if (hit != NULL) {
        struct finding f = {in, c->row[ON_TRIGGER]};
        find_one(&f, hit);
    }
}

static void find(struct on_inst *in, struct ectx *c)
{
    const struct on_plan *p = in->p;
    struct finding f = {in, c->row[ON_TRIGGER]};
    evts_clear(&in->found);
    if (p->win != NULL) {
        nwin_each(p->win, in->in.props, find_one, &f);
        return;
    }
    struct trows *t = table_of(p->table, in->in.props);
    if (t != NULL && p->key != NULL) {
        find_by_key(in, t, c);
    } else if (t != NULL) {
        table_each(t, find_one, &f);
    }
}

void on_find(struct on_inst *in, struct evt *trigger)
{
    struct evt *row[ON_STREAMS] = {NULL, trigger, NULL};
    struct ectx c = row_ctx(in, row);
    find(in, &c);
}

static struct evt *copy_of(struct eng *e, const struct evt *row)
{
    struct evt *copy = evt_new(e->heap, row->type);
    for (uint32_t i = 0; i < row->type->n_cols; i++) {
        evt_set(copy, i, row->p[i]);
    }
    copy->ref = row->ref;
    return copy;
}

/* The row as it was: its columns that are read, if one of them is after it has been assigned. */
static struct evt *initial(const struct assigns *s, struct evt *row)
{
    if (s->initial == NULL) {
        return row;
    }
    for (uint32_t i = 0; i < s->n_was; i++) { /* the pool keeps what is dropped meanwhile */
        s->initial->p[s->was[i]] = row->p[s->was[i]];
    }
    return s->initial;
}

static inline struct dat fit(struct eng *e, const struct assign *a, const struct etype *type,
                             struct dat v)
{
    if (LIKELY(v.kind == a->kind || a->as_is)) {
        return v;
    }
    return dat_to_column(e->heap, v, type->cols[a->col].ty);
}

/* c: of the row and its trigger. */
static struct evt *assign_row(const struct assigns *sets, struct table *table, struct evt *row,
                              struct ectx *c)
{
    struct eng *e = c->inst->eng;
    table_touch(row);
    c->row[ON_INITIAL] = initial(sets, row);
    for (uint32_t i = 0; i < sets->n; i++) {
        const struct assign *a = &sets->a[i];
        struct dat v = fit(e, a, row->type, ex_eval(a->value, c));
        if (UNLIKELY(c->failed)) {
            table_changed(table, row, i);
            return NULL;
        }
        dat_drop(e->heap, row->p[a->col]);
        evt_set(row, a->col, v);
    }
    table_changed(table, row, sets->n);
    return row;
}

struct evt *on_assign(struct inst *in, const struct assigns *sets, struct table *table,
                      struct evt *row, struct evt *trigger)
{
    if (table != NULL && sets->in_place && !sets->whole) {
        struct evt *r[ON_STREAMS] = {row, trigger, NULL};
        struct ectx c = inst_ctx(in, r);
        return assign_row(sets, table, row, &c);
    }
    struct eng *e = in->eng;
    struct evt *to = table != NULL ? row : copy_of(e, row), *was = row;
    if (table != NULL) {
        was = copy_of(e, row);
        was->p[table->block] = DAT_NONE;
    }
    struct evt *r[ON_STREAMS] = {to, trigger, was};
    struct ectx c = inst_ctx(in, r);
    for (uint32_t i = 0; i < sets->n; i++) {
        uint16_t col = sets->a[i].col;
        struct dat v = fit(e, &sets->a[i], row->type, ex_eval(sets->a[i].value, &c));
        if (c.failed) {
            return NULL;
        }
        if (table != NULL) {
            if (!table_set(table_of(table, in->props), to, col, v)) {
                e->query_taken = true;
                return NULL;
            }
        } else {
            dat_drop(e->heap, to->p[col]);
            evt_set(to, col, v);
        }
    }
    return to;
}

/* What a listener sees of a row that a trigger met or made: with both as its causes. */
static struct evt *told(struct on_inst *in, struct evt *row, const struct evt *trigger)
{
    struct eng *e = in->in.eng;
    if (row == trigger) {
        return row;
    }
    bool made = row->ref.hi >> 63 != 0 && row->ref.lo > in->before;
    struct cause_list all;
    cause_list_init(&all, CAUSE_MAX);
    cause_add_event(&all, trigger);
    if (!made) {
        cause_add_event(&all, row);
    }
    if (cause_has_ref(row) || row->causes != NULL) {
        row = copy_of(e, row);
        row->ref = (struct eref){0, 0};
    }
    cause_give(e->heap, row, &all);
    return row;
}

static void report(struct on_inst *in, const struct evt *trigger)
{
    bool causes = in->in.st->causes && in->in.st->listened;
    for (size_t i = 0; causes && i < in->nw.len; i++) {
        in->nw.ptr[i] = told(in, in->nw.ptr[i], trigger);
    }
    for (size_t i = 0; causes && i < in->old.len; i++) {
        in->old.ptr[i] = told(in, in->old.ptr[i], trigger);
    }
    stmt_out(in->in.st, in->nw.ptr, in->nw.len, in->old.ptr, in->old.len);
    evts_clear(&in->nw);
    evts_clear(&in->old);
}

/* A row of a table as it is now, for listeners: later changes do not show in it. */
static struct evt *shown(struct on_inst *in, struct evt *row)
{
    if (in->p->table == NULL || !in->in.st->listened) {
        return row;
    }
    struct evt *r[ON_STREAMS] = {row};
    struct ectx c = row_ctx(in, r);
    return table_shown(row, &c);
}

static void drop_rows(struct on_inst *in, struct evt **rows, size_t n)
{
    if (in->p->win != NULL) {
        nwin_change(in->p->win, in->in.props, NULL, 0, rows, n);
        return;
    }
    struct trows *t = table_of(in->p->table, in->in.props);
    for (size_t i = 0; t != NULL && i < n; i++) {
        table_delete(t, rows[i]);
    }
}

void on_delete(struct on_inst *in, struct evt *trigger)
{
    on_find(in, trigger);
    for (size_t i = 0; i < in->found.len; i++) {
        evts_add(&in->nw, shown(in, in->found.ptr[i]));
    }
    if (in->found.len > 0) {
        drop_rows(in, in->found.ptr, in->found.len);
    }
    report(in, trigger);
}

void on_update(struct on_inst *in, struct evt *trigger)
{
    const struct on_plan *p = in->p;
    on_find(in, trigger);
    for (size_t i = 0; i < in->found.len; i++) {
        struct evt *was = shown(in, in->found.ptr[i]);
        struct evt *now = on_assign(&in->in, &p->sets, p->table, in->found.ptr[i], trigger);
        if (now != NULL) {
            evts_add(&in->nw, shown(in, now));
            evts_add(&in->old, was);
        }
    }
    if (p->win != NULL && in->nw.len > 0) {
        nwin_change(p->win, in->in.props, in->nw.ptr, in->nw.len, in->old.ptr, in->old.len);
    }
    report(in, trigger);
}

/* ---- merge ---- */

struct merging { /* changes of a window, applied together at the end */
    struct evts nw, old;
};

static void insert_row(struct on_inst *in, const struct on_action *a, struct ectx *c,
                       struct merging *m)
{
    const struct on_plan *p = in->p;
    struct eng *e = in->in.eng;
    struct evt *made = evt_new(e->heap, a->rows.out);
    for (uint32_t i = 0; i < a->rows.n_cols; i++) {
        evt_set(made, i, ex_eval(a->rows.cols[i], c));
    }
    if (c->failed) {
        return;
    }
    if (in->in.st->causes) {
        struct cause_list all;
        cause_list_init(&all, CAUSE_MAX);
        cause_add_event(&all, c->row[ON_TRIGGER]);
        cause_add_event(&all, c->row[ON_TARGET]);
        cause_give(e->heap, made, &all);
    }
    bool mine = ins_type(a->ins) == p->type;
    if (!mine) {
        ins_route(a->ins, &in->in, made);
        return;
    }
    struct evt *ev = ins_make(a->ins, e, made);
    if (p->win != NULL) {
        evts_add(&m->nw, ev);
        evts_add(&in->nw, ev);
        return;
    }
    struct trows *t = table_of(p->table, in->in.props);
    if (t != NULL && eng_limit_row(&in->in, t, p->table, ev) && table_insert(t, ev)) {
        evts_add(&in->nw, shown(in, ev));
    }
}

/* `seen`: the row as earlier actions of the branch have left it, which is what conditions ask; it
 * is still the first that a window loses. */
static void update_row(struct on_inst *in, const struct on_action *a, struct evt *target,
                       struct ectx *c, struct merging *m)
{
    const struct on_plan *p = in->p;
    bool in_place = p->table != NULL && a->sets.in_place && !a->sets.whole;
    struct evt *was = shown(in, target);
    struct evt *now = in_place ? assign_row(&a->sets, p->table, target, c)
                               : on_assign(&in->in, &a->sets, p->table, target, c->row[ON_TRIGGER]);
    if (now == NULL) {
        return;
    }
    evts_add(&in->nw, shown(in, now));
    evts_add(&in->old, was);
    if (p->win != NULL) {
        evts_add(&m->nw, now);
        evts_add(&m->old, target);
        c->row[ON_TARGET] = now;
    }
}

/* Conditions ask the row as earlier actions of the branch have left it, which is in the context; it
 * is still `target` that a window loses. */
static void act(struct on_inst *in, const struct on_action *a, struct evt *target, struct ectx *c,
                struct merging *m)
{
    c->row[ON_INITIAL] = c->row[ON_TARGET];
    c->failed = false;
    if (!ex_true(a->where, c)) {
        return;
    }
    c->failed = false;
    if (a->kind == ACT_INSERT) {
        insert_row(in, a, c, m);
    } else if (a->kind == ACT_UPDATE) {
        update_row(in, a, target, c, m);
    } else {
        evts_add(&in->old, shown(in, target));
        if (in->p->win != NULL) {
            evts_add(&m->old, target);
        } else {
            drop_rows(in, &target, 1);
        }
    }
}

static void merge_one(struct on_inst *in, struct evt *target, struct ectx *c, struct merging *m)
{
    const struct on_plan *p = in->p;
    c->row[ON_TARGET] = c->row[ON_INITIAL] = target;
    for (uint32_t i = 0; i < p->n_matched; i++) {
        const struct on_matched *w = &p->matched[i];
        if (w->negated != (target == NULL) || !ex_true(w->cond, c)) {
            continue;
        }
        for (uint32_t k = 0; k < w->n_actions; k++) {
            act(in, &w->actions[k], target, c, m);
        }
        return;
    }
}

void on_merge(struct on_inst *in, struct evt *trigger)
{
    struct merging m = {{NULL, 0, 0}, {NULL, 0, 0}};
    struct evt *row[ON_STREAMS] = {NULL, trigger, NULL};
    struct ectx c = row_ctx(in, row);
    bool always_new = in->in.st->ast->merge_insert_only;
    evts_clear(&in->found);
    if (!always_new) {
        find(in, &c);
    }
    for (size_t i = 0; i < in->found.len; i++) {
        merge_one(in, in->found.ptr[i], &c, &m);
    }
    if (in->found.len == 0) {
        merge_one(in, NULL, &c, &m);
    }
    if (m.nw.len + m.old.len > 0) {
        nwin_change(in->p->win, in->in.props, m.nw.ptr, m.nw.len, m.old.ptr, m.old.len);
    }
    report(in, trigger);
    evts_done(&m.nw);
    evts_done(&m.old);
}

/* ---- set, split, select ---- */

void on_set(struct on_inst *in, struct evt *trigger)
{
    const struct on_plan *p = in->p;
    struct evt *row[ON_STREAMS] = {NULL, trigger, NULL};
    struct ectx c = row_ctx(in, row);
    set_run(p->vars, &c);
    struct evt *out = evt_new(in->in.eng->heap, p->vars_type);
    for (uint32_t i = 0; i < p->vars->n; i++) {
        struct ex v = {.op = EX_VAR, .var = p->vars->vars[i]};
        evt_set(out, i, var_value(&c, &v));
    }
    evts_add(&in->nw, out);
    report(in, trigger);
}

static bool branch(struct on_inst *in, const struct on_branch *b, struct evt *e)
{
    struct evt *row[1] = {e};
    struct ectx c = row_ctx(in, row);
    if (!ex_true(b->where, &c)) {
        return false;
    }
    struct evt *made = e;
    if (!b->rows.pass) {
        made = evt_new(in->in.eng->heap, b->rows.out);
        uint32_t at = 0;
        if (b->rows.wild >= 0) {
            for (; at < b->type->n_cols; at++) {
                evt_set(made, at, evt_get(e, b->type, (uint16_t)at));
            }
        }
        for (uint32_t i = 0; i < b->rows.n_cols; i++) {
            evt_set(made, at + i, ex_eval(b->rows.cols[i], &c));
        }
        if (in->in.st->causes) {
            struct cause_list all;
            cause_list_init(&all, CAUSE_MAX);
            cause_add_event(&all, e);
            cause_give(in->in.eng->heap, made, &all);
        }
    }
    ins_route(b->ins, &in->in, made);
    return true;
}

void on_split(struct on_inst *in, struct evt *trigger)
{
    const struct on_plan *p = in->p;
    bool any = false;
    for (uint32_t i = 0; i < p->n_branches; i++) {
        const struct on_branch *b = &p->branches[i];
        bool took = false;
        if (b->contained != NULL) {
            evts_clear(&in->tmp);
            (void)contained_expand(b->contained, &in->in, trigger, &in->tmp);
            for (size_t k = 0; k < in->tmp.len; k++) {
                took |= branch(in, b, in->tmp.ptr[k]);
            }
        } else {
            took = branch(in, b, trigger);
        }
        any |= took;
        if (took && !in->in.st->ast->split_all) {
            break;
        }
    }
    if (!any) {
        evts_add(&in->nw, trigger);
        report(in, trigger);
    }
}

void on_select(struct on_inst *in, struct evt *trigger)
{
    struct sel_inst *s = in->sel;
    on_find(in, trigger);
    evts_clear(&in->tmp);
    for (size_t i = 0; i < in->found.len; i++) {
        evts_add(&in->tmp, in->found.ptr[i]);
        evts_add(&in->tmp, trigger);
    }
    assert(s->aggr == NULL);
    s->aggr = sel_aggr(s);
    VEC_CLEAR(&s->nw.v);
    VEC_CLEAR(&s->old.v);
    if (in->found.len > 0) {
        sel_rows(s, in->tmp.ptr, in->found.len, NULL, 0);
    } else if (s->p->cls == ROWS_TOTAL) {
        struct evt *none[2] = {NULL, trigger};
        struct orow r;
        if (sel_row(s, none, aggr_total(s->aggr), false, &r)) {
            orows_add(&s->nw, r);
        }
    }
    if (s->nw.v.len > 0) {
        sel_emit(s, &s->nw, &s->old);
    }
    aggr_free(s->aggr); /* nothing stays from one trigger to the next */
    s->aggr = NULL;
    if (in->in.st->ast->select->and_delete && in->found.len > 0) {
        drop_rows(in, in->found.ptr, in->found.len);
    }
}
