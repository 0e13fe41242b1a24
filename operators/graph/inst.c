/* SPDX-License-Identifier: Apache-2.0
 *
 * Instances of statements, and what expressions ask of them: aggregation values, previous events,
 * subqueries, tables, variables, context properties.
 */
#include "core/base/mem.h"
#include "operators/graph/aggr.h"
#include "operators/graph/ctx.h"
#include "operators/graph/prev.h"
#include "operators/graph/state_parts.h"
#include "operators/graph/subq.h"
#include "operators/graph/var.h"
#include "operators/table/table.h"

#include <assert.h>

/* ---- instances by the properties of their partition ---- */

static void index_in(struct stmt *st, struct inst *in)
{
    if (!hidx_is_made(&st->by_props)) {
        hidx_init(&st->by_props, sizeof(struct hidx_cell));
    }
    ((struct hidx_cell *)hidx_add(&st->by_props, hidx_pointer(in->props)))->what = in;
}

static void index_out(struct stmt *st, const struct inst *in)
{
    HIDX_EACH (&st->by_props, hidx_pointer(in->props), struct hidx_cell, c) {
        if (c->what == in) {
            hidx_remove(&st->by_props, c);
            return;
        }
    }
    assert(false && "it was added");
}

struct inst *inst_of(const struct stmt *st, const struct evt *props)
{
    uint64_t hash = hidx_pointer(props);
    if (props == NULL) {
        return st->insts.len > 0 && st->insts.ptr[0]->props == NULL ? st->insts.ptr[0] : NULL;
    }
    HIDX_EACH (&st->by_props, hash, struct hidx_cell, c) {
        if (c->hash == hash && ((const struct inst *)c->what)->props == props) {
            return c->what;
        }
    }
    return NULL;
}

void inst_init(struct inst *in, struct stmt *st, struct evt *props)
{
    in->st = st;
    in->eng = st->eng;
    in->props = props != NULL ? evt_keep(props) : NULL;
    in->ctx = (struct ectx){.heap = st->eng->heap, .inst = in, .ops = &eng_ectx_ops};
    in->at = st->insts.len;
    in->partition = props != NULL ? ctx_number(props) : -1;
    in->cut = st->cut;
    *VEC_PUSH(&st->insts) = in;
    if (props != NULL) {
        index_in(st, in);
        lim_add(&in->eng->lim, LIM_STATE, LIM_COST_INST);
    }
    subq_open_all(in);
}

void inst_done(struct inst *in)
{
    struct stmt *st = in->st;
    subq_close_all(in);
    if (in->props != NULL) {
        lim_sub(&in->eng->lim, LIM_STATE, LIM_COST_INST);
        index_out(st, in);
        evt_drop(in->eng->heap, in->props);
    }
    assert(st->insts.ptr[in->at] == in);
    inst_touch(*VEC_LAST(&st->insts)); /* its place is another now */
    st->insts.ptr[in->at] = *VEC_LAST(&st->insts);
    st->insts.ptr[in->at]->at = in->at;
    st->insts.len--;
    for (size_t i = 0; i < in->eng->dirty.len; i++) {
        if (in->eng->dirty.ptr[i] == in) {
            (void)VEC_REMOVE(&in->eng->dirty, i);
            break;
        }
    }
}

struct pat_env inst_pat_env(const struct inst *in)
{
    return (struct pat_env){.heap = in->eng->heap,
                            .timers = in->eng->timers,
                            .route = in->eng->route,
                            .now = &in->eng->now,
                            .ops = &eng_ectx_ops,
                            .inst = in->ctx.inst,
                            .lim = &in->eng->lim,
                            .causes = in->eng->conf.causes,
                            .rank = in->st->rank};
}

void inst_end(struct inst *in)
{
    if (in->stopped) {
        return;
    }
    inst_touch(in);
    if (in->st->ops->end != NULL) {
        in->st->ops->end(in);
    }
    in->stopped = true;
    *VEC_PUSH(&in->eng->dying) = in;
}

static struct dat value_agg(struct ectx *c, const struct ex *e)
{
    if (e->op == EX_AGG_METHOD) {
        return agg_method_value(e, c);
    }
    for (uint16_t l = e->level; l > 0; l--) {
        c = c->outer;
    }
    return c->group != NULL ? aggr_value(c->group, e->slot, c) : DAT_NONE;
}

/* The row of a key of one column, as most are. */
static struct dat table_row(struct ectx *c, const struct ex *e)
{
    struct trows *t = table_of(e->table, c->inst->props);
    if (t == NULL) {
        return DAT_NONE;
    }
    struct dat key = ex_eval(e->args[0], c);
    struct evt *row = table_find(t, &key, 1);
    if (c->causes != NULL && row != NULL) {
        table_causes(row, c->causes);
    }
    return dat_evt(row);
}

static struct dat value_table(struct ectx *c, const struct ex *e)
{
    struct vheap *h = c->heap;
    if (LIKELY(e->op == EX_TABLE_ROW && e->n_args == 1)) {
        return table_row(c, e);
    }
    if (e->op == EX_TABLE_COL) {
        struct dat row = ex_eval(e->args[0], c);
        return row.kind == DAT_EVENT ? table_col(row.ev, e->slot, c) : DAT_NONE;
    }
    struct trows *t = table_of(e->table, c->inst->props);
    if (t == NULL) {
        return DAT_NONE;
    }
    if (e->op == EX_TABLE_KEYS) {
        return table_keys(t, h);
    }
    struct dat key[TABLE_KEYS_MAX];
    for (uint32_t i = 0; i < e->n_args; i++) {
        key[i] = ex_eval(e->args[i], c);
    }
    struct evt *row = table_find(t, key, e->n_args);
    if (c->causes != NULL && row != NULL) {
        table_causes(row, c->causes);
    }
    return dat_evt(row);
}

static struct dat value_context(struct ectx *c, const struct ex *e)
{
    const struct evt *p = c->inst != NULL ? c->inst->props : NULL;
    return p != NULL ? p->p[e->slot] : DAT_NONE;
}

const struct ectx_ops eng_ectx_ops = {
    .agg = value_agg,
    .prev = prev_value,
    .subq = subq_value,
    .table = value_table,
    .var = var_value,
    .context = value_context,
};
