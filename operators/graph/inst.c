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

enum { BY_PROPS_MIN = 16 };

/* ---- instances by the properties of their partition ---- */

static size_t home_of(const struct stmt *st, const struct evt *props)
{
    uint64_t h = (uint64_t)(uintptr_t)props * 0x9e3779b97f4a7c15ULL;
    return (size_t)(h >> 32) & (st->n_by_props - 1);
}

static void put(struct stmt *st, struct inst *in)
{
    size_t i = home_of(st, in->props);
    while (st->by_props[i] != NULL) {
        i = (i + 1) & (st->n_by_props - 1);
    }
    st->by_props[i] = in;
}

static void index_in(struct stmt *st, struct inst *in)
{
    if (2 * (st->in_by_props + 1) > st->n_by_props) {
        struct inst **old = st->by_props;
        size_t n = st->n_by_props;
        st->n_by_props = MAX((size_t)BY_PROPS_MIN, n * 2);
        st->by_props = mem_calloc(st->n_by_props, sizeof(struct inst *));
        for (size_t i = 0; i < n; i++) {
            if (old[i] != NULL) {
                put(st, old[i]);
            }
        }
        mem_free(old);
    }
    put(st, in);
    st->in_by_props++;
}

/* Removes and closes the gap, so that searches end at the first free place. */
static void index_out(struct stmt *st, const struct inst *in)
{
    size_t mask = st->n_by_props - 1;
    size_t gap = home_of(st, in->props);
    while (st->by_props[gap] != in) {
        assert(st->by_props[gap] != NULL);
        gap = (gap + 1) & mask;
    }
    for (size_t i = (gap + 1) & mask; st->by_props[i] != NULL; i = (i + 1) & mask) {
        size_t home = home_of(st, st->by_props[i]->props);
        if (((i - home) & mask) >= ((i - gap) & mask)) {
            st->by_props[gap] = st->by_props[i];
            gap = i;
        }
    }
    st->by_props[gap] = NULL;
    st->in_by_props--;
}

struct inst *inst_of(const struct stmt *st, const struct evt *props)
{
    if (props == NULL || st->n_by_props == 0) {
        return props == NULL && st->insts.len > 0 && st->insts.ptr[0]->props == NULL
                   ? st->insts.ptr[0]
                   : NULL;
    }
    size_t i = home_of(st, props);
    while (st->by_props[i] != NULL && st->by_props[i]->props != props) {
        i = (i + 1) & (st->n_by_props - 1);
    }
    return st->by_props[i];
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
    }
    subq_open_all(in);
}

void inst_done(struct inst *in)
{
    struct stmt *st = in->st;
    subq_close_all(in);
    if (in->props != NULL) {
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
