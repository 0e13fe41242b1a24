/* SPDX-License-Identifier: Apache-2.0
 *
 * `into table T select sum(x) as s ... group by k`: the aggregation states live in T's rows. The
 * group-by expressions are T's primary key, each selected aggregation belongs to the column of its
 * name.
 */
#include "operators/graph/sel.h"
#include "operators/table/table.h"

#include <assert.h>

struct into_plan {
    struct table *t;
    uint16_t *col; /* of T, per aggregation call */
};

struct table *into_target(const struct into_plan *p)
{
    return p->t;
}

static int find_column(struct bind *b, const struct sel_plan *p, struct into_plan *to, uint32_t at,
                       struct span span, struct err *reterr)
{
    struct slice name = p->out->cols[at].name;
    int col = ety_col(to->t->type, name);
    if (col < 0) {
        return bind_err(reterr, span, "table '" SLICE_FMT "' has no column '" SLICE_FMT "'",
                        SLICE_ARG(to->t->name), SLICE_ARG(name));
    }
    const struct ex *x = p->cols[at];
    if (x->op != EX_AGG) {
        return to->t->type->cols[col].agg || !to->t->type->cols[col].key
                   ? bind_err(reterr, x->span, "column '" SLICE_FMT "' wants its aggregation alone",
                              SLICE_ARG(name))
                   : 0;
    }
    const struct ecol *c = &to->t->type->cols[col];
    if (!c->agg) {
        return bind_err(reterr, x->span, "column '" SLICE_FMT "' of the table is no aggregation",
                        SLICE_ARG(name));
    }
    to->col[x->slot] = (uint16_t)col;
    return agg_column_fits(b, c->call, p->aggs.calls.ptr[x->slot], reterr);
}

/* Equal calls are one; where several columns take what they give, each has its own. */
static void part_calls(struct bind *b, struct sel_plan *p)
{
    bool any = false;
    for (uint32_t i = 0; i < p->n_cols; i++) {
        bool taken = false;
        for (uint32_t k = 0; p->cols[i]->op == EX_AGG && k < i; k++) {
            taken |= p->cols[k]->op == EX_AGG && p->cols[k]->slot == p->cols[i]->slot;
        }
        if (taken) {
            struct agg_call *own = ARENA_NEW(b->a, struct agg_call);
            *own = *p->aggs.calls.ptr[p->cols[i]->slot];
            agg_set_add(b->a, &p->aggs, own);
            p->cols[i]->slot = (uint16_t)(p->aggs.calls.len - 1);
            any = true;
        }
    }
    if (any) {
        agg_layout(b->a, &p->aggs, &p->layout);
    }
}

int into_bind(struct stmt *st, struct bind *b, const struct ast_select *s, struct sel_plan *p,
              struct err *reterr)
{
    struct cat_entry *e = cat_type(b->cat, s->into_table);
    if (e == NULL || e->kind != CAT_TABLE) {
        return bind_err(reterr, s->span, "there is no table '" SLICE_FMT "'",
                        SLICE_ARG(s->into_table));
    }
    *VEC_PUSH(&b->used) = e;
    struct into_plan *to = ARENA_NEW(b->a, struct into_plan);
    to->t = e->what;
    part_calls(b, p);
    to->col = arena_array(b->a, p->aggs.calls.len + 1, sizeof *to->col);
    for (size_t i = 0; i < p->aggs.calls.len; i++) {
        to->col[i] = UINT16_MAX;
    }
    if (p->aggs.calls.len == 0) {
        return bind_err(reterr, s->span, "into table wants aggregations to put into it");
    }
    if (to->t->n_keys != p->n_group) {
        return bind_err(reterr, s->span,
                        "table '" SLICE_FMT "' has %u key columns: group by as many",
                        SLICE_ARG(s->into_table), to->t->n_keys);
    }
    for (uint32_t i = 0; i < p->n_group; i++) {
        struct ty want = to->t->type->cols[to->t->key[i]].ty;
        if (!ty_widens(p->group[i]->ty, want)) {
            return bind_err(reterr, p->group[i]->span,
                            "key column '" SLICE_FMT "' is a %s, not a %s",
                            SLICE_ARG(to->t->type->cols[to->t->key[i]].name), ty_name(want.kind),
                            ty_name(p->group[i]->ty.kind));
        }
    }
    int rc = 0;
    for (uint32_t i = 0; rc == 0 && i < p->n_cols; i++) {
        rc = find_column(b, p, to, i, s->span, reterr);
    }
    p->into = to;
    (void)st;
    return rc;
}

const struct table *into_rows_of(const struct sel_plan *p)
{
    return p->into->t;
}

static struct evt *row_of(struct sel_inst *in, struct trows *rows, struct evt **row)
{
    const struct sel_plan *p = in->p;
    struct dat key[TABLE_KEYS_MAX];
    struct ectx c = inst_ctx(&in->in, row);
    for (uint32_t i = 0; i < p->n_group; i++) {
        key[i] = dat_to_column(in->in.eng->heap, ex_eval(p->group[i], &c),
                               p->into->t->type->cols[p->into->t->key[i]].ty);
    }
    struct evt *found = table_find(rows, key, p->n_group);
    return found != NULL ? found : table_add(rows, key, p->n_group);
}

static void apply(struct sel_inst *in, struct evt *to, struct evt **row, bool enter)
{
    const struct sel_plan *p = in->p;
    struct ectx c = inst_ctx(&in->in, row);
    c.leaving = !enter;
    table_touch(to);
    if (enter) {
        table_number(p->into->t, row, p->n_streams);
    }
    if (in->in.st->causes) {
        table_cause(to, &c, p->n_streams, p->windowed && p->streams[0].mr == NULL, enter);
    }
    for (uint32_t i = 0; i < p->aggs.calls.len; i++) {
        if (p->into->col[i] == UINT16_MAX) {
            continue;
        }
        void *state = table_state(p->into->t, to, p->into->col[i]);
        const struct agg_call *column = p->into->t->type->cols[p->into->col[i]].call;
        if (enter) {
            agg_column_enter(column, state, p->aggs.calls.ptr[i], &c);
        } else {
            agg_column_leave(column, state, p->aggs.calls.ptr[i], &c);
        }
    }
}

/* The listener's row: values as the table has them now. */
static struct evt *shown(struct sel_inst *in, struct evt *to, struct evt **row)
{
    const struct sel_plan *p = in->p;
    struct evt *e = evt_new(in->in.eng->heap, p->out);
    struct ectx c = inst_ctx(&in->in, row);
    for (uint32_t i = 0; i < p->n_cols; i++) {
        const struct ex *x = p->cols[i];
        evt_set(e, i, x->op == EX_AGG ? table_col(to, p->into->col[x->slot], &c) : ex_eval(x, &c));
    }
    if (in->in.st->causes) {
        struct cause_list all;
        cause_list_init(&all, CAUSE_KEPT);
        table_causes(to, &all);
        cause_give(c.heap, e, &all);
    }
    return e;
}

void into_rows(struct sel_inst *in, struct evt **nw, size_t n_nw, struct evt **old, size_t n_old)
{
    const struct sel_plan *p = in->p;
    struct trows *rows = table_of(p->into->t, in->in.props);
    size_t w = p->n_streams;
    if (rows == NULL) {
        return;
    }
    struct evts touched = {NULL, 0, 0}, reps = {NULL, 0, 0};
    for (size_t i = 0; i < n_nw + n_old; i++) {
        struct evt **row = i < n_nw ? nw + i * w : old + (i - n_nw) * w;
        struct evt *to = row_of(in, rows, row);
        apply(in, to, row, i < n_nw);
        bool seen = false;
        for (size_t k = 0; !seen && k < touched.len; k++) {
            seen = touched.ptr[k] == to;
        }
        if (!seen) {
            evts_add(&touched, to);
            evts_add(&reps, row[0]);
        }
    }
    VEC_CLEAR(&in->nw.v);
    VEC_CLEAR(&in->old.v);
    for (size_t k = 0; !in->quiet && in->in.st->listened && k < touched.len; k++) {
        orows_add(&in->nw, (struct orow){.e = shown(in, touched.ptr[k], &reps.ptr[k])});
    }
    if (in->nw.v.len > 0) {
        sel_emit(in, &in->nw, &in->old);
    }
    evts_done(&touched);
    evts_done(&reps);
}
