/* SPDX-License-Identifier: Apache-2.0
 *
 * Instances of statements, and what expressions ask of them: aggregation values, previous events,
 * subqueries, tables, variables, context properties.
 */
#include "operators/graph/aggr.h"
#include "operators/graph/prev.h"
#include "operators/graph/subq.h"
#include "operators/graph/var.h"
#include "operators/table/table.h"

#include <assert.h>

void inst_init(struct inst *in, struct stmt *st, struct evt *props)
{
    in->st = st;
    in->eng = st->eng;
    in->props = props != NULL ? evt_keep(props) : NULL;
    in->ctx = (struct ectx){.heap = st->eng->heap, .inst = in, .ops = &eng_ectx_ops};
    *VEC_PUSH(&st->insts) = in;
    subq_open_all(in);
}

void inst_done(struct inst *in)
{
    subq_close_all(in);
    if (in->props != NULL) {
        evt_drop(in->eng->heap, in->props);
    }
    for (size_t i = 0; i < in->st->insts.len; i++) {
        if (in->st->insts.ptr[i] == in) {
            (void)VEC_REMOVE(&in->st->insts, i);
            break;
        }
    }
    for (size_t i = 0; i < in->eng->dirty.len; i++) {
        if (in->eng->dirty.ptr[i] == in) {
            (void)VEC_REMOVE(&in->eng->dirty, i);
            break;
        }
    }
}

struct ectx inst_ctx(const struct inst *in, struct evt **row)
{
    struct ectx c = in->ctx;
    c.row = row;
    c.now = in->eng->now;
    return c;
}

struct pat_env inst_pat_env(const struct inst *in)
{
    return (struct pat_env){.heap = in->eng->heap,
                            .timers = in->eng->timers,
                            .route = in->eng->route,
                            .now = &in->eng->now,
                            .ops = &eng_ectx_ops,
                            .inst = in->ctx.inst,
                            .rank = in->st->rank};
}

struct inst *inst_of(const struct stmt *st, const struct evt *props)
{
    VEC_EACH (&st->insts, in) {
        if ((*in)->props == props) {
            return *in;
        }
    }
    return NULL;
}

void inst_end(struct inst *in)
{
    if (in->stopped) {
        return;
    }
    if (in->st->ops->end != NULL) {
        in->st->ops->end(in);
    }
    in->stopped = true;
    *VEC_PUSH(&in->eng->dying) = in;
}

static struct val value_agg(struct ectx *c, const struct ex *e)
{
    if (e->op == EX_AGG_METHOD) {
        return agg_method_value(e, c);
    }
    for (uint16_t l = e->level; l > 0; l--) {
        c = c->outer;
    }
    return c->group != NULL ? aggr_value(c->group, e->slot, c) : VAL_NONE;
}

static struct val value_table(struct ectx *c, const struct ex *e)
{
    struct vheap *h = c->heap;
    if (e->op == EX_TABLE_COL) {
        struct val row = ex_eval(e->args[0], c);
        return row.kind == VAL_EVENT ? table_col(row.ev, e->slot, c) : VAL_NONE;
    }
    struct trows *t = table_of(e->table, c->inst->props);
    if (t == NULL) {
        return VAL_NONE;
    }
    if (e->op == EX_TABLE_KEYS) {
        return table_keys(t, h);
    }
    struct val key[TABLE_KEYS_MAX];
    for (uint32_t i = 0; i < e->n_args; i++) {
        key[i] = ex_eval(e->args[i], c);
    }
    return val_evt(table_find(t, key, e->n_args));
}

static struct val value_context(struct ectx *c, const struct ex *e)
{
    const struct evt *p = c->inst != NULL ? c->inst->props : NULL;
    return p != NULL ? p->p[e->slot] : VAL_NONE;
}

const struct ectx_ops eng_ectx_ops = {
    .agg = value_agg,
    .prev = prev_value,
    .subq = subq_value,
    .table = value_table,
    .var = var_value,
    .context = value_context,
};
