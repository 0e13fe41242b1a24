/* SPDX-License-Identifier: Apache-2.0
 *
 * The expressions of a select, for those who ask whether it can do with less than whole events
 * (sel_cols.c, sel_flat.c).
 */
#include "operators/graph/sel.h"

static void each(struct ex *const *e, uint32_t n, sel_ex_fn *fn, void *arg)
{
    for (uint32_t i = 0; i < n; i++) {
        fn(arg, e[i]);
    }
}

void sel_each_ex(const struct sel_plan *p, sel_ex_fn *fn, void *arg)
{
    each(p->cols, p->n_cols, fn, arg);
    each(p->group, p->n_group, fn, arg);
    fn(arg, p->where);
    fn(arg, p->having);
    for (uint32_t i = 0; i < p->n_order; i++) {
        fn(arg, p->order[i].e);
    }
    for (size_t i = 0; i < p->aggs.calls.len; i++) {
        const struct agg_call *c = p->aggs.calls.ptr[i];
        each(c->args, c->n_args, fn, arg);
        each(c->group_by, c->n_group_by, fn, arg);
        fn(arg, c->filter);
    }
}

bool sel_aggs_take_events(const struct sel_plan *p)
{
    bool take = false;
    for (size_t i = 0; i < p->aggs.calls.len; i++) {
        const struct agg_call *c = p->aggs.calls.ptr[i];
        take |= c->def->takes_event || c->stream >= 0;
    }
    return take;
}

bool sel_looks_beyond(const struct ex *e)
{
    switch (e->op) {
    case EX_STREAM:
    case EX_TAG_AT:
    case EX_AGG_METHOD:
    case EX_TABLE_ROW:
    case EX_TABLE_COL:
    case EX_TABLE_KEYS:
    case EX_MR_GROUP:
    case EX_WINDOW_PROP: return true;
    default: return e->op >= EX_PREV && e->op <= EX_SUBQ_LIST;
    }
}
