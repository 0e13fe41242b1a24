/* SPDX-License-Identifier: Apache-2.0
 *
 * Batches that wait unprocessed until the output condition holds. A row is made when it is put out,
 * unless a kind of output says otherwise; so whatever may have changed by then (the clock, a
 * variable, a table, a subquery, what prev counts from) must be asked then. Where nothing of the
 * kind is asked, rows are made as batches come (sel_out_keep.c), which gives the same and holds
 * less.
 */
#include "operators/graph/sel_out.h"
#include "operators/sig/fn.h"

#include <assert.h>

enum { STREAMS = 64 };

/* ---- who waits ---- */

/* Whether its value may change between the arrival of an event and the output. */
static bool may_change(const struct ex *e)
{
    if (e == NULL) {
        return false;
    }
    switch (e->op) {
    case EX_NOW:
    case EX_VAR:
    case EX_TABLE_ROW:
    case EX_TABLE_KEYS:
    case EX_PREV:
    case EX_PREV_TAIL:
    case EX_PREV_COUNT:
    case EX_PREV_WINDOW:
    case EX_SUBQ:
    case EX_SUBQ_ROW:
    case EX_SUBQ_EXISTS:
    case EX_SUBQ_IN:
    case EX_SUBQ_QUANT:
    case EX_SUBQ_LIST: return true;
    default: break;
    }
    bool any = e->op == EX_CALL && (e->fn->flags & FN_CLOCK) != 0;
    for (uint32_t i = 0; !any && i < e->n_args; i++) {
        any = may_change(e->args[i]);
    }
    return any;
}

static bool any_changes(struct ex *const *e, size_t n)
{
    bool any = false;
    for (size_t i = 0; !any && i < n; i++) {
        any = may_change(e[i]);
    }
    return any;
}

static bool asks(const struct sel_plan *p)
{
    bool any = any_changes(p->cols, p->n_cols) || any_changes(p->group, p->n_group) ||
               may_change(p->having);
    for (uint32_t i = 0; !any && i < p->n_order; i++) {
        any = may_change(p->order[i].e);
    }
    for (size_t i = 0; !any && i < p->aggs.calls.len; i++) {
        const struct agg_call *c = p->aggs.calls.ptr[i];
        any = any_changes(c->args, c->n_args) || may_change(c->filter);
    }
    return any;
}

void out_set_waits(struct sel_plan *p)
{
    struct out_plan *o = &p->output;
    bool bare = o->kind == OUT_NONE && o->when != OUT_EVERY_NONE;
    bool plain = p->cls == ROWS_PLAIN && (o->kind == OUT_ALL || o->kind == OUT_LAST);
    bool sorted = p->cls == ROWS_EVENT_TOTAL && o->kind == OUT_ALL && p->n_order > 0;
    o->waits = (bare || plain || sorted) && asks(p);
}

/* ---- what waits ---- */

static uint64_t cost_of(const struct evt *e)
{
    return LIM_COST_PLACE + (e != NULL ? lim_cost(e) : 0);
}

static void add_rows(struct out *o, struct evt **rows, size_t n)
{
    for (size_t i = 0; i < n * o->in->p->n_streams; i++) {
        *VEC_PUSH(&o->wait.raw) = rows[i] != NULL ? evt_keep(rows[i]) : NULL;
        lim_add(&o->in->in.eng->lim, LIM_STATE, cost_of(rows[i]));
    }
}

void out_wait_add(struct out *o, const struct out_rows *b)
{
    *VEC_PUSH(&o->wait.sizes) = (struct out_size){b->n_nw, b->n_old};
    add_rows(o, b->nw, b->n_nw);
    add_rows(o, b->old, b->n_old);
}

void out_wait_clear(struct out *o)
{
    VEC_EACH (&o->wait.raw, e) {
        lim_sub(&o->in->in.eng->lim, LIM_STATE, cost_of(*e));
    }
    if (UNLIKELY(o->late != NULL)) {
        out_late_give_waiting(o);
    }
    VEC_EACH (&o->wait.raw, e) {
        if (*e != NULL) {
            evt_drop(o->in->in.eng->heap, *e);
        }
    }
    VEC_CLEAR(&o->wait.raw);
    VEC_CLEAR(&o->wait.sizes);
}

static bool take(struct out *o, const struct out_rows *b, bool pass)
{
    if ((pass || o->in->p->cls != ROWS_PLAIN) && !out_refuses(o)) {
        out_wait_add(o, b);
    }
    return true;
}

/* ---- the last row ---- */

/* The last of the rows that fulfils having; NULL if none does. */
static struct evt **last_row(struct sel_inst *in, struct evt **rows, size_t n)
{
    const struct sel_plan *p = in->p;
    for (size_t i = n; i-- > 0;) {
        struct ectx c = inst_ctx(&in->in, rows + i * p->n_streams);
        if (p->having == NULL || ex_true(p->having, &c)) {
            return rows + i * p->n_streams;
        }
    }
    return NULL;
}

static bool take_last(struct out *o, const struct out_rows *b, bool pass)
{
    struct sel_inst *in = o->in;
    uint32_t w = in->p->n_streams;
    struct evt **nw = last_row(in, b->nw, b->n_nw), **old = last_row(in, b->old, b->n_old);
    struct evt *row[2 * STREAMS];
    struct out_size was = o->wait.sizes.len > 0 ? o->wait.sizes.ptr[0] : (struct out_size){0, 0};
    struct out_rows now = {row, row + w, nw != NULL || was.n_nw > 0, old != NULL || was.n_old > 0};
    (void)pass;
    assert(w <= STREAMS);
    nw = nw != NULL ? nw : o->wait.raw.ptr;
    old = old != NULL || was.n_old == 0 ? old : o->wait.raw.ptr + was.n_nw * w;
    for (uint32_t i = 0; i < w; i++) {
        row[i] = now.n_nw > 0 && nw[i] != NULL ? evt_keep(nw[i]) : NULL;
        row[w + i] = now.n_old > 0 && old[i] != NULL ? evt_keep(old[i]) : NULL;
    }
    out_wait_clear(o);
    if (now.n_nw + now.n_old > 0) {
        out_wait_add(o, &now);
    }
    for (uint32_t i = 0; i < 2 * w; i++) {
        if (row[i] != NULL) {
            evt_drop(in->in.eng->heap, row[i]);
        }
    }
    return true;
}

/* ---- output ---- */

static void give(struct out *o)
{
    size_t at = 0, w = o->in->p->n_streams;
    for (size_t i = 0; i < o->wait.sizes.len; i++) {
        struct out_size s = o->wait.sizes.ptr[i];
        struct out_rows b = {o->wait.raw.ptr + at, o->wait.raw.ptr + at + s.n_nw * w, s.n_nw,
                             s.n_old};
        out_compute(o, &b);
        out_keep_rows(o);
        at += (s.n_nw + s.n_old) * w;
    }
    out_wait_clear(o);
    VEC_CLEAR(&o->in->nw.v);
    VEC_CLEAR(&o->in->old.v);
    out_give_rows(o);
}

const struct out_way *out_way_wait(const struct sel_plan *p)
{
    static const struct out_way all = {take, give}, last = {take_last, give};
    return p->output.kind == OUT_LAST ? &last : &all;
}
