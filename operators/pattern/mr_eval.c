/* SPDX-License-Identifier: Apache-2.0
 *
 * Partial matches: their rows, whether a row meets a definition, and the row of measures of a
 * complete one. Rows of group variables are lists shared by partials that begin alike; a partial is
 * one block of memory of the heap's.
 */
#include "core/base/mem.h"
#include "operators/expr/period.h"
#include "operators/pattern/mr_impl.h"
#include "operators/sig/cause.h"
#include "operators/sig/vheap_room.h"

#include <assert.h>

static struct ectx context(struct mr *m)
{
    return (struct ectx){.heap = m->env->heap,
                         .now = *m->env->now,
                         .row = m->row,
                         .inst = m->env->inst,
                         .ops = &m->ops,
                         .group = m};
}

size_t mr_partial_bytes(const struct mr_plan *p)
{
    return sizeof(struct mr_partial) + p->n_vars * sizeof(union mr_slot) +
           p->n_counts * sizeof(uint32_t);
}

void mr_partial_costs(struct mr *m, struct mr_partial *p, uint64_t more)
{
    p->cost += more;
    lim_add(m->env->lim, LIM_STATE, more);
}

static uint64_t cell_cost(const struct evt *ev)
{
    return LIM_COST_PLACE + lim_cost(ev);
}

struct mr_cell *mr_cell_new(struct mr *m, struct mr_cell *prev, struct evt *ev)
{
    struct mr_cell *c = vheap_take(m->env->heap, sizeof *c);
    *c = (struct mr_cell){
        .prev = prev, .ev = evt_keep(ev), .refs = 1, .len = prev != NULL ? prev->len + 1 : 1};
    lim_add(m->env->lim, LIM_STATE, cell_cost(ev));
    return c;
}

struct mr_partial *mr_partial_new(struct mr *m, struct mr_part *part)
{
    size_t size = mr_partial_bytes(m->plan);
    struct mr_partial *p = memset(vheap_take(m->env->heap, size), 0, size);
    p->part = part;
    p->count = (uint32_t *)(void *)&p->slot[m->plan->n_vars];
    m->n_partials++;
    lim_add(m->env->lim, LIM_PARTIALS, 1);
    mr_partial_costs(m, p, LIM_COST_PARTIAL);
    return p;
}

struct mr_partial *mr_partial_copy(struct mr *m, const struct mr_partial *from)
{
    const struct mr_plan *plan = m->plan;
    struct mr_partial *p = mr_partial_new(m, from->part);
    p->begin = from->begin;
    p->begin_ms = from->begin_ms;
    for (uint16_t i = 0; i < plan->n_vars; i++) {
        p->slot[i] = from->slot[i];
        if (plan->vars[i].group && p->slot[i].rows != NULL) {
            p->slot[i].rows->refs++;
        } else if (!plan->vars[i].group && p->slot[i].ev != NULL) {
            (void)evt_keep(p->slot[i].ev);
        }
    }
    memcpy(p->count, from->count, plan->n_counts * sizeof(uint32_t));
    mr_partial_costs(m, p, from->cost - LIM_COST_PARTIAL);
    return p;
}

static void cell_free(struct vheap *h, struct mr_cell *c)
{
    evt_drop(h, c->ev);
    vheap_give(h, c, sizeof *c);
}

void mr_cells_free(struct mr *m, struct mr_cell *c)
{
    while (c != NULL && --c->refs == 0) {
        struct mr_cell *prev = c->prev;
        lim_sub(m->env->lim, LIM_STATE, cell_cost(c->ev));
        if (UNLIKELY(c->pins > 0)) {
            if (prev != NULL) {
                prev->pins++;
            }
        } else {
            cell_free(m->env->heap, c);
        }
        c = prev;
    }
}

void mr_cells_unpin(struct vheap *h, struct mr_cell *c)
{
    while (c != NULL && --c->pins == 0 && c->refs == 0) {
        struct mr_cell *prev = c->prev;
        cell_free(h, c);
        c = prev;
    }
}

void mr_partial_free(struct mr *m, struct mr_partial *p)
{
    const struct mr_plan *plan = m->plan;
    for (uint16_t i = 0; i < plan->n_vars; i++) {
        if (plan->vars[i].group) {
            mr_cells_free(m, p->slot[i].rows);
        } else if (p->slot[i].ev != NULL) {
            evt_drop(m->env->heap, p->slot[i].ev);
        }
    }
    m->n_partials--;
    lim_sub(m->env->lim, LIM_PARTIALS, 1);
    lim_sub(m->env->lim, LIM_STATE, p->cost);
    vheap_give(m->env->heap, p, mr_partial_bytes(plan));
}

void mr_partial_take(struct mr *m, struct mr_partial *p, uint16_t var, struct evt *ev)
{
    union mr_slot *s = &p->slot[var];
    if (m->plan->vars[var].group) {
        s->rows = mr_cell_new(m, s->rows, ev);
        return;
    }
    assert(s->ev == NULL);
    s->ev = evt_keep(ev);
    mr_partial_costs(m, p, lim_cost(ev));
}

bool mr_partial_has(const struct mr *m, const struct mr_partial *p, const struct evt *ev)
{
    for (uint16_t i = 0; i < m->plan->n_vars; i++) {
        if (!m->plan->vars[i].group) {
            if (p->slot[i].ev == ev) {
                return true;
            }
            continue;
        }
        for (const struct mr_cell *c = p->slot[i].rows; c != NULL; c = c->prev) {
            if (c->ev == ev) {
                return true;
            }
        }
    }
    return false;
}

/* Rows of a group variable, oldest first; null if it took none. */
static struct dat rows_of(struct mr *m, const struct mr_cell *c)
{
    if (c == NULL) {
        return DAT_NONE;
    }
    struct vlist *l = vlist_new(m->env->heap, c->len);
    for (uint32_t i = c->len; c != NULL; c = c->prev) {
        vlist_set(l, --i, dat_evt(c->ev));
    }
    return dat_list(l);
}

bool mr_defined(struct mr *m, const struct mr_partial *p, struct mr_part *part, uint16_t var,
                struct evt *ev)
{
    const struct mr_plan *plan = m->plan;
    const struct mr_var *v = &plan->vars[var];
    if (v->define == NULL) {
        return true;
    }
    for (uint16_t i = 0; i < plan->n_vars; i++) {
        m->row[i] = p == NULL || plan->vars[i].group ? NULL : p->slot[i].ev;
    }
    m->row[var] = ev;
    m->row[plan->n_vars] = NULL;
    if (v->lists != NULL) {
        struct evt *lists = evt_new(m->env->heap, v->lists);
        for (uint32_t i = 0; i < v->lists->n_cols && p != NULL; i++) {
            evt_set(lists, i, rows_of(m, p->slot[v->list_var[i]].rows));
        }
        m->row[plan->n_vars] = lists;
    }
    for (uint32_t i = 1; i <= plan->prev_max; i++) {
        m->row[plan->n_vars + i] = i < part->n_prev ? part->prev[i] : NULL;
    }
    struct ectx c = context(m);
    return ex_true(v->define, &c) && !c.failed;
}

struct dat mr_partition_key(struct mr *m, uint32_t i, struct evt *ev)
{
    struct ectx c = context(m);
    m->row[0] = ev;
    return ex_eval(m->plan->partition[i], &c);
}

/* ---- measures ---- */

static struct dat run_agg(struct ectx *c, const struct ex *e)
{
    struct mr *m = c->group;
    if (e->op == EX_AGG_METHOD) {
        return agg_method_value(e, c);
    }
    return agg_block_value(&m->plan->layout, m->block, e->slot, c);
}

static void aggregate(struct mr *m, const struct mr_partial *p)
{
    const struct mr_plan *plan = m->plan;
    struct evt *row[1];
    struct ectx c = context(m);
    c.row = row;
    m->block = m->block != NULL ? m->block : agg_block_new(&plan->layout);
    for (size_t i = 0; i < plan->aggs.calls.len; i++) {
        struct dat rows = rows_of(m, p->slot[plan->agg_var.ptr[i]].rows);
        void *state = agg_block_state(&plan->layout, m->block, (uint32_t)i);
        for (uint32_t k = 0; rows.kind == DAT_LIST && k < rows.l->len; k++) {
            row[0] = rows.l->v[k].ev;
            agg_call_enter(plan->aggs.calls.ptr[i], state, &c);
        }
    }
}

struct evt *mr_measure(struct mr *m, const struct mr_partial *p)
{
    const struct mr_plan *plan = m->plan;
    struct evt *match = evt_new(m->env->heap, plan->match);
    for (uint16_t i = 0; i < plan->n_vars; i++) {
        evt_set(match, i,
                plan->vars[i].group ? rows_of(m, p->slot[i].rows) : dat_evt(p->slot[i].ev));
    }
    if (plan->aggs.calls.len > 0) {
        aggregate(m, p);
    }
    struct ectx c = context(m);
    m->row[0] = match;
    struct evt *out = evt_new(m->env->heap, plan->out);
    for (uint32_t i = 0; i < plan->n_measures; i++) {
        evt_set(out, i, ex_eval(plan->measures[i], &c));
    }
    if (plan->aggs.calls.len > 0) { /* what it keeps is no state of the statement */
        agg_block_clear(&plan->layout, m->block, m->env->heap);
    }
    if (m->env->causes) {
        struct cause_list all;
        cause_list_init(&all, CAUSE_MAX);
        cause_add_event(&all, match);
        cause_give(m->env->heap, out, &all);
    }
    return c.failed ? NULL : out;
}

void mr_eval_init(struct mr *m)
{
    const struct mr_plan *p = m->plan;
    m->ops = *m->env->ops;
    m->ops.agg = run_agg;
    m->row = mem_calloc(p->n_vars + p->prev_max + 2, sizeof *m->row);
    if (p->interval != NULL) {
        struct ectx c = context(m);
        int64_t after = ex_after(p->interval, &c, 0, 1);
        m->interval_ms = after == INT64_MIN ? 0 : after;
    }
}
