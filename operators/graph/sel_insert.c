/* SPDX-License-Identifier: Apache-2.0
 *
 * Insert into: from result rows to events of another type, by the names of columns. A type that
 * nobody has declared is made of the columns of the select.
 */
#include "operators/graph/nwin.h"
#include "operators/graph/sel.h"
#include "operators/sig/cause.h"
#include "operators/table/table.h"

#include <assert.h>

enum { NO_COL = UINT16_MAX };

struct ins_plan {
    const struct etype *from, *to;
    struct cat_entry *entry;
    bool as_is;       /* the row itself goes on: into a variant stream */
    bool same;        /* and is an event that was there before: it keeps its reference */
    uint16_t *source; /* per column of `to` */
};

const struct etype *ins_type(const struct ins_plan *p)
{
    return p->to;
}

int ins_source(const struct ins_plan *p, uint32_t col)
{
    assert(col < p->to->n_cols);
    return p->as_is || p->source[col] == NO_COL ? -1 : p->source[col];
}

static struct slice column_name(const struct ast_insert *i, const struct etype *from, uint32_t at)
{
    return i->n_cols > 0 ? i->cols[at] : from->cols[at].name;
}

static int make_type(struct stmt *st, const struct ast_insert *i, struct ins_plan *p,
                     struct err *reterr)
{
    struct ecol *cols = arena_array(st->eng->arena, p->from->n_cols + 1, sizeof *cols);
    uint32_t n = 0;
    for (uint32_t k = 0; k < p->from->n_cols; k++) {
        if (p->from->cols[k].name.len > 0) {
            cols[n] = p->from->cols[k];
            cols[n].agg = false;
            cols[n].key = false;
            cols[n].name = column_name(i, p->from, k);
            n++;
        }
    }
    struct etype *t = ety_new(st->eng->arena, &st->types, ETYPE_PLAIN, i->into, cols, n, NULL, 0);
    if (t == NULL) {
        return bind_err(reterr, i->span, "a column stands twice: name them apart with 'as'");
    }
    t->auto_made = true;
    t->start_col = p->from->start_col;
    t->end_col = p->from->end_col;
    struct cat_entry *e = eng_add(st, CAT_TYPE, i->into, reterr);
    if (e == NULL) {
        return -(int)reterr->code;
    }
    eng_declare(st->eng, t);
    e->type = t;
    p->entry = e;
    p->to = t;
    return 0;
}

/* Columns of named windows take their own type only: nothing is widened on the way in. */
static bool is_exact(const struct ins_plan *p, struct ty have, struct ty want)
{
    if (p->entry->kind != CAT_WINDOW) {
        return true;
    }
    bool numbers = ty_is_number(have) && ty_is_number(want);
    bool made = have.kind == TY_EVENT && want.kind == TY_MAP;
    return numbers ? have.kind == want.kind : !made;
}

/* Numbers widen, lists of them do not. */
static bool same_list(struct ty have, struct ty want)
{
    bool lists = have.kind == TY_LIST && want.kind == TY_LIST;
    return !lists || have.elem == NULL || want.elem == NULL || !ty_is_number(*want.elem) ||
           have.elem->kind == want.elem->kind;
}

/* of_select: not of a merge; its `*` must fit a table. */
static int check_column(const struct ast_insert *i, const struct ins_plan *p, uint32_t at,
                        bool wild, bool of_select, struct err *reterr)
{
    struct slice name = column_name(i, p->from, at);
    int to = ety_col(p->to, name);
    if (to < 0) {
        bool passes = wild && !(p->entry->kind == CAT_TABLE && of_select);
        return passes ? 0
                      : bind_err(reterr, i->span, "'" SLICE_FMT "' has no column '" SLICE_FMT "'",
                                 SLICE_ARG(i->into), SLICE_ARG(name));
    }
    struct ty have = p->from->cols[at].ty, want = p->to->cols[to].ty;
    if (p->to->cols[to].agg) {
        return wild ? 0
                    : bind_err(reterr, i->span,
                               "column '" SLICE_FMT "' is an aggregation: use into table",
                               SLICE_ARG(name));
    }
    bool fits = ty_widens(have, want) && (wild || is_exact(p, have, want)) && same_list(have, want);
    if (!fits && !(wild && have.kind == TY_OBJECT)) {
        return bind_err(
            reterr, i->span, "column '" SLICE_FMT "' of '" SLICE_FMT "' is a %s, not a %s",
            SLICE_ARG(name), SLICE_ARG(i->into), ty_name(want.kind), ty_name(have.kind));
    }
    p->source[to] = (uint16_t)at;
    return 0;
}

static int map_columns(struct stmt *st, const struct ast_insert *i, const struct sel_plan *s,
                       struct ins_plan *p, struct err *reterr)
{
    p->source = arena_array(st->dep->arena, p->to->n_cols + 1, sizeof *p->source);
    for (uint32_t k = 0; k < p->to->n_cols; k++) {
        p->source[k] = NO_COL;
    }
    uint32_t wild = s->pass ? p->from->n_cols : s->wild >= 0 ? s->streams[s->wild].type->n_cols : 0;
    for (uint32_t k = 0; k < p->from->n_cols; k++) {
        if (p->from->cols[k].name.len == 0) {
            continue;
        }
        int rc = check_column(i, p, k, k < wild, st->ast->kind != STMT_ON_MERGE, reterr);
        if (rc != 0) {
            return rc;
        }
    }
    return 0;
}

int ins_bind(struct stmt *st, struct bind *b, const struct ast_insert *i, const struct sel_plan *s,
             struct ins_plan **ret, struct err *reterr)
{
    struct ins_plan *p = ARENA_NEW(b->a, struct ins_plan);
    p->from = s->out;
    p->entry = cat_type(b->cat, i->into);
    if (i->n_cols > 0 && i->n_cols != s->out->n_cols) {
        return bind_err(reterr, i->span, "%u columns are named, %u are selected", i->n_cols,
                        s->out->n_cols);
    }
    int rc = 0;
    if (p->entry == NULL) {
        rc = make_type(st, i, p, reterr);
    } else {
        p->to = p->entry->type;
        *VEC_PUSH(&b->used) = p->entry;
    }
    if (rc == 0 && p->to->kind == ETYPE_VARIANT) {
        if (!p->to->open && !ety_is(s->out, p->to)) {
            return bind_err(reterr, i->span, "'" SLICE_FMT "' does not take events of this type",
                            SLICE_ARG(i->into));
        }
        p->as_is = true;
        p->same = s->pass && s->n_streams == 1 && s->streams[0].kind != SRC_PATTERN &&
                  s->streams[0].contained == NULL && s->streams[0].mr == NULL &&
                  s->aggs.calls.len == 0;
    } else if (rc == 0) {
        rc = map_columns(st, i, s, p, reterr);
    }
    if (rc == 0) {
        *ret = p;
    }
    return rc;
}

static struct dat structure_to_map(struct vheap *h, const struct evt *e)
{
    struct vmap *m = vmap_new(h, e->type->n_cols);
    for (uint32_t i = 0; i < e->type->n_cols; i++) {
        vmap_set(m, i, dat_str(vstr_new(h, e->type->cols[i].name)), e->p[i]);
    }
    return dat_map(m);
}

static struct dat map_values(struct vheap *h, struct dat v, enum dat_kind kind)
{
    struct vmap *m = vmap_new(h, v.m->len);
    for (uint32_t i = 0; i < v.m->len; i++) {
        vmap_set(m, i, v.m->v[i].key, dat_as(h, v.m->v[i].value, kind));
    }
    return dat_map(m);
}

/* A structure made by `new {}` as an event of the declared type. */
static struct dat structure_as(struct vheap *h, const struct evt *e, const struct etype *to)
{
    struct evt *made = evt_new(h, to);
    for (uint32_t i = 0; i < to->n_cols; i++) {
        int at = ety_col(e->type, to->cols[i].name);
        if (at >= 0) {
            evt_set(made, i, dat_to_column(h, e->p[at], to->cols[i].ty));
        }
    }
    return dat_evt(made);
}

struct dat dat_to_column(struct vheap *h, struct dat v, struct ty to)
{
    static const uint8_t kinds[] = {
        [TY_BYTE] = DAT_BYTE,     [TY_SHORT] = DAT_SHORT,   [TY_INT] = DAT_INT,
        [TY_LONG] = DAT_LONG,     [TY_FLOAT] = DAT_FLOAT,   [TY_DOUBLE] = DAT_DOUBLE,
        [TY_BIGINT] = DAT_BIGINT, [TY_BIGDEC] = DAT_BIGDEC,
    };
    if (ty_is_number(to) && dat_is_number(v)) {
        return dat_as(h, v, kinds[to.kind]);
    }
    if (to.kind == TY_MAP && v.kind == DAT_EVENT) {
        v = structure_to_map(h, v.ev);
    }
    if (to.kind == TY_MAP && v.kind == DAT_MAP && to.elem != NULL && ty_is_number(*to.elem)) {
        return map_values(h, v, kinds[to.elem->kind]);
    }
    if (to.kind == TY_EVENT && v.kind == DAT_EVENT && v.ev->type->kind == ETYPE_ANON &&
        v.ev->type != to.ev) {
        return structure_as(h, v.ev, to.ev);
    }
    return v;
}

/* A new event of a stream: its reference, and what caused it. */
static void name(struct eng *e, struct evt *made, struct evt *row)
{
    eng_number(e, made);
    if (!e->conf.causes) {
        return;
    }
    made->causes = cause_list_of(e->heap, row);
    if (made->causes != NULL) {
        obj_keep(&made->causes->o);
    }
    if (e->conf.on_derived != NULL) {
        e->conf.on_derived(e->conf.arg, made);
    }
}

struct evt *ins_make(const struct ins_plan *p, struct eng *e, struct evt *row)
{
    if (p->same && cause_has_ref(row)) {
        return row;
    }
    struct evt *made = evt_new(e->heap, p->as_is ? row->type : p->to);
    for (uint32_t i = 0; p->as_is && i < row->type->n_cols; i++) {
        evt_set(made, i, row->p[i]);
    }
    for (uint32_t i = 0; !p->as_is && i < p->to->n_cols; i++) {
        if (p->source[i] != NO_COL) {
            struct dat v = evt_get(row, p->from, p->source[i]);
            evt_set(made, i, dat_to_column(e->heap, v, p->to->cols[i].ty));
        }
    }
    if (row->extra != NULL) {
        made->extra = row->extra;
        obj_keep(&row->extra->o);
    }
    name(e, made, row);
    return made;
}

/* What a listener sees of a row that goes into a stream: an event of the stream's type. */
struct evt *ins_shown(const struct ins_plan *p, struct eng *e, struct evt *row)
{
    if (p->to->kind == ETYPE_TABLE || row->type == p->to) {
        return row;
    }
    struct evt *made = evt_new(e->heap, p->to);
    for (uint32_t i = 0; i < p->to->n_cols; i++) {
        int at = p->as_is                 ? ety_col(row->type, p->to->cols[i].name)
                 : p->source[i] != NO_COL ? (int)p->source[i]
                                          : -1;
        if (at >= 0) {
            struct dat v = p->as_is ? row->p[at] : evt_get(row, p->from, (uint16_t)at);
            evt_set(made, i, dat_to_column(e->heap, v, p->to->cols[i].ty));
        }
    }
    made->ref = row->ref;
    made->causes = row->causes;
    if (made->causes != NULL) {
        obj_keep(&made->causes->o);
    }
    return made;
}

void ins_route(const struct ins_plan *p, struct inst *in, struct evt *row)
{
    struct queued q = {.e = ins_make(p, in->eng, row), .from = in, .as = p->as_is ? p->to : NULL};
    q.win = p->entry->kind == CAT_WINDOW ? p->entry->what : NULL;
    q.table = p->entry->kind == CAT_TABLE ? p->entry->what : NULL;
    eng_enqueue(in->eng, q, q.win != NULL || q.table != NULL);
}
