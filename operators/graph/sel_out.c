/* SPDX-License-Identifier: Apache-2.0
 *
 * Output rate limits: when what has been kept goes on. The condition (a period, a number of events,
 * an expression, a crontab, the end of the partition) is apart from the kind (sel_out.h: what is
 * kept). A period begins with the first batch that reaches this stage and keeps its grid; what
 * comes before `after` has passed does not begin it.
 */
#include "operators/graph/sel_out.h"
#include "operators/graph/sel_flat.h"

#include "core/base/mem.h"
#include "operators/expr/cron.h"
#include "operators/graph/var.h"

#include <assert.h>

bool out_per_group(const struct sel_plan *p)
{
    return p->cls == ROWS_GROUP || p->cls == ROWS_EVENT_GROUP || p->cls == ROWS_ROLLUP;
}

static const struct out_way *way_of(const struct sel_plan *p)
{
    return p->output.kind == OUT_FIRST ? out_way_first(p) : out_way_keep(p);
}

/* ---- rows kept over a step ---- */

static uint64_t cost_of(const struct orow *r)
{
    return LIM_COST_PLACE + lim_cost(r->e);
}

bool out_refuses(const struct out *o)
{
    struct inst *in = &o->in->in;
    return lim_refuses(&in->eng->lim, LIM_STATE, LIM_COST_PLACE + LIM_COST_EVENT, in);
}

void out_hold(struct vheap *h, struct orows *to, const struct orow *r)
{
    struct orow copy = {.e = evt_keep(r->e), .key = r->key};
    if (copy.key != NULL) {
        obj_keep(&copy.key->o);
    }
    orows_add(to, copy);
    lim_add(vheap_lim(h), LIM_STATE, cost_of(r));
}

void out_let_go(struct out *o, struct orows *rows)
{
    struct vheap *h = o->in->in.eng->heap;
    VEC_EACH (&rows->v, r) {
        lim_sub(vheap_lim(h), LIM_STATE, cost_of(r));
    }
    if (UNLIKELY(o->late != NULL)) {
        out_late_give(o, rows);
    }
    VEC_EACH (&rows->v, r) {
        evt_drop(h, r->e);
        if (r->key != NULL) {
            obj_drop(h, &r->key->o);
        }
    }
    VEC_CLEAR(&rows->v);
}

static void fire(struct tmr *t, int64_t now);

struct out *out_new(struct sel_inst *in)
{
    struct out *o = MEM_NEW(struct out);
    o->in = in;
    o->timer = (struct tmr){.rank = in->in.st->rank | 0xffff, .fire = fire, .inst = &in->in};
    return o;
}

void out_free(struct out *o)
{
    if (o == NULL) {
        return;
    }
    struct eng *e = o->in->in.eng;
    tmr_cancel(e->timers, &o->timer);
    out_late_rest(o);
    out_let_go(o, &o->nw);
    out_let_go(o, &o->old);
    out_wait_clear(o);
    VEC_DONE(&o->wait.raw);
    VEC_DONE(&o->wait.sizes);
    VEC_DONE(&o->nw.v);
    VEC_DONE(&o->old.v);
    VEC_DONE(&o->firsts);
    VEC_DONE(&o->first_nrs);
    mem_free(o);
}

/* Whether the rows of a batch are found for the sake of counting only. */
static bool unseen(const struct out *o)
{
    const struct sel_plan *p = o->in->p;
    switch (p->output.kind) {
    case OUT_SNAPSHOT: return true;
    case OUT_FIRST: return o->first_done;
    case OUT_LAST: return p->cls == ROWS_TOTAL && !p->needs_old;
    default: return false;
    }
}

void out_compute(struct out *o, const struct out_rows *b)
{
    VEC_CLEAR(&o->in->nw.v);
    VEC_CLEAR(&o->in->old.v);
    o->in->bare = unseen(o);
    sel_rows(o->in, b->nw, b->n_nw, b->old, b->n_old);
    o->in->bare = false;
}

static void apply_row(struct group *g, struct ectx *c, bool enter)
{
    c->group = g;
    if (enter) {
        aggr_enter(g, c);
    } else {
        aggr_leave(g, c);
    }
}

void out_each_row(struct out *o, const struct out_rows *b, out_row_fn *fn, bool apply)
{
    struct sel_inst *in = o->in;
    const struct sel_plan *p = in->p;
    size_t w = p->n_streams;
    const struct sel_flat *flat = sel_flat_keyed(p);
    for (size_t i = 0; i < b->n_nw + b->n_old; i++) {
        bool enter = i < b->n_nw;
        struct evt **row = enter ? b->nw + i * w : b->old + (i - b->n_nw) * w;
        struct ectx c = inst_ctx(&in->in, row);
        c.leaving = !enter;
        if (flat != NULL && !enter) {
            sel_flat_soon(in, row, b->n_nw + b->n_old - i);
        }
        for (uint32_t l = 0; l < MAX(p->n_levels, 1u); l++) {
            struct group *g = flat != NULL
                                  ? sel_flat_group(in, flat, &c)
                                  : aggr_group(in->aggr, &c, l, p->n_levels > 0 ? p->levels[l] : 0);
            if (fn != NULL) {
                fn(o, g, row, enter);
            }
            if (apply) {
                apply_row(g, &c, enter);
            }
        }
        if (apply) {
            aggr_local(in->aggr, &c, enter);
        }
    }
}

static void condition_met(struct out *o)
{
    struct sel_inst *in = o->in;
    VEC_CLEAR(&in->nw.v);
    VEC_CLEAR(&in->old.v);
    way_of(in->p)->give(o);
    if (o->after_done || in->p->output.after == NULL) {
        sel_emit(in, &in->nw, &in->old);
    }
    in->whole = false;
    out_let_go(o, &o->nw);
    out_let_go(o, &o->old);
    o->events_nw = o->events_old = 0;
    o->last_time = in->in.eng->now;
}

/* ---- conditions ---- */

static void set_pseudo(struct out *o)
{
    o->pseudo[OUT_COUNT_INSERT] = dat_int((int32_t)o->events_nw);
    o->pseudo[OUT_COUNT_REMOVE] = dat_int((int32_t)o->events_old);
    o->pseudo[OUT_COUNT_INSERT_TOTAL] = dat_int((int32_t)o->total_nw);
    o->pseudo[OUT_COUNT_REMOVE_TOTAL] = dat_int((int32_t)o->total_old);
    o->pseudo[OUT_LAST_TIME] = dat_long(o->last_time);
}

static bool holds(struct out *o, const struct ex *cond)
{
    set_pseudo(o);
    struct ectx c = inst_ctx(&o->in->in, NULL);
    c.pseudo = o->pseudo;
    return ex_true(cond, &c);
}

static void run_sets(struct out *o, const struct set_plan *sets)
{
    if (sets != NULL) {
        struct ectx c = inst_ctx(&o->in->in, NULL);
        c.pseudo = o->pseudo;
        set_run(sets, &c);
    }
}

static void arm(struct out *o, int64_t now)
{
    struct sel_inst *in = o->in;
    const struct out_plan *p = &in->p->output;
    int64_t due;
    if (p->when == OUT_AT) {
        struct ectx c = inst_ctx(&in->in, NULL);
        struct tmr_cron cron;
        due = ex_cron_eval(p->cron, &c, &cron, NULL) == 0 ? tmr_cron_next(&cron, now) : INT64_MAX;
    } else {
        struct ectx c = inst_ctx(&in->in, NULL);
        int64_t months = 0;
        double ms = 0;
        (void)ex_period(p->every, &c, &months, &ms);
        int64_t step = (int64_t)ms;
        if (months != 0) {
            due = o->anchor;
            for (int64_t k = 1; due <= now; k++) {
                due = tmr_add_months(o->anchor, k * months) + k * step;
            }
        } else {
            step = MAX(step, 1);
            due = o->anchor + ((now - o->anchor) / step + 1) * step;
        }
    }
    tmr_set(in->in.eng->timers, &o->timer, due);
}

static void fire(struct tmr *t, int64_t now)
{
    struct out *o = CONTAINER_OF(t, struct out, timer);
    if (o->in->p->output.kind == OUT_FIRST && !out_per_group(o->in->p)) {
        o->first_done = false;
    } else if (o->in->p->output.kind != OUT_FIRST) {
        condition_met(o);
    }
    if (o->in->p->output.panes) {
        sel_forget_groups(o->in);
    }
    arm(o, now);
}

static void start(struct out *o)
{
    const struct out_plan *p = &o->in->p->output;
    o->started = true;
    int64_t now = o->in->in.eng->now;
    o->anchor = p->aligned ? 0 : now;
    if (p->when == OUT_EVERY_TIME || p->when == OUT_AT) {
        arm(o, now);
    }
}

/* The condition looks at what has come; true: it holds now. */
static bool look(struct out *o)
{
    const struct out_plan *p = &o->in->p->output;
    if (p->when == OUT_WHEN) {
        if (holds(o, p->cond)) {
            o->own_from = o->in->in.eng->vars_changed.len;
            run_sets(o, p->sets);
            o->own_to = o->in->in.eng->vars_changed.len;
            return true;
        }
        return false;
    }
    if (p->when == OUT_EVERY_EVENTS) {
        struct ectx c = inst_ctx(&o->in->in, NULL);
        int64_t n = dat_to_long(ex_eval(p->every, &c));
        return o->events_nw >= n || o->events_old >= n;
    }
    return false;
}

/* ---- a batch arrives ---- */

/* `events` of them come: rows where there is no condition, else events that enter. */
static bool after_passed(struct out *o, size_t events)
{
    const struct out_plan *p = &o->in->p->output;
    if (p->after == NULL || o->after_done) {
        return true;
    }
    struct ectx c = inst_ctx(&o->in->in, NULL);
    if (p->after_events) {
        int64_t n = dat_to_long(ex_eval(p->after, &c));
        o->after_count += (int64_t)events;
        o->after_done = o->after_count > n;
        return o->after_done;
    }
    o->after_done = o->in->in.eng->now >= o->after_until;
    return o->after_done;
}

void out_batch(struct sel_inst *in, struct evt **nw, size_t n_nw, struct evt **old, size_t n_old)
{
    struct out *o = in->out;
    const struct out_plan *p = &in->p->output;
    struct out_rows b = {nw, old, n_nw, n_old};
    if (p->when == OUT_EVERY_NONE && p->kind == OUT_NONE) { /* only `after` */
        out_compute(o, &b);
        if (after_passed(o, in->nw.v.len)) {
            sel_emit(in, &in->nw, &in->old);
        }
        return;
    }
    bool pass = after_passed(o, n_nw);
    if (!o->started && pass && p->kind != OUT_FIRST) {
        start(o);
    }
    if (!way_of(in->p)->take(o, &b, pass) || !pass) {
        return;
    }
    if (!o->started) {
        start(o);
    }
    o->events_nw += (int64_t)n_nw;
    o->events_old += (int64_t)n_old;
    o->total_nw += (int64_t)n_nw;
    o->total_old += (int64_t)n_old;
    if (look(o)) {
        condition_met(o);
    }
}

/* ---- one event, where nothing leaves ---- */

bool out_is_lone(const struct sel_plan *p)
{
    const struct out_plan *o = &p->output;
    bool asked = o->when == OUT_WHEN || o->when == OUT_EVERY_EVENTS; /* at each event */
    bool kind = o->kind == OUT_SNAPSHOT
                    ? out_per_group(p)
                    : p->cls == ROWS_GROUP && (o->kind == OUT_LAST || o->kind == OUT_ALL);
    return !asked && kind && p->n_levels == 0 && o->after == NULL && !o->waits && !p->needs_old &&
           !p->windowed;
}

void out_lone(struct sel_inst *in, struct ectx *c)
{
    struct out *o = in->out;
    if (UNLIKELY(!o->started)) {
        start(o);
    }
    struct group *g = aggr_of_row(in->aggr, c);
    if (UNLIKELY(g->row == NULL || !in->p->any_row)) {
        aggr_keep_row(g, c->row);
    }
    g->seen = true;
    c->group = g;
    aggr_enter(g, c);
    o->events_nw++;
    o->total_nw++;
}

void out_terminated(struct sel_inst *in)
{
    const struct out_plan *p = &in->p->output;
    if (!p->terminated || in->out == NULL) {
        return;
    }
    struct out *o = in->out;
    if (p->term_cond == NULL || holds(o, p->term_cond)) {
        condition_met(o);
        set_pseudo(o);
        run_sets(o, p->term_sets);
    }
}

static bool speaks_of(const struct ex *e, const struct var *v)
{
    bool found = e->op == EX_VAR && e->var == v;
    for (uint32_t i = 0; !found && i < e->n_args; i++) {
        found = speaks_of(e->args[i], v);
    }
    return found;
}

/* Variables have changed: where the condition holds by that, its assignments are made, and the
 * output comes with the next clock step; until then further changes are not looked at. */
void out_look(struct sel_inst *in, bool at_clock)
{
    struct out *o = in->out;
    if (o == NULL || in->p->output.when != OUT_WHEN || !o->started) {
        return;
    }
    if (at_clock) {
        if (o->looks) {
            o->looks = false;
            condition_met(o);
        }
        return;
    }
    bool asked = false;
    for (size_t i = 0; i < in->in.eng->vars_changed.len; i++) {
        bool own = i >= o->own_from && i < o->own_to;
        asked |= !own && speaks_of(in->p->output.cond, in->in.eng->vars_changed.ptr[i]);
    }
    o->own_from = o->own_to = 0;
    if (asked && !o->looks && holds(o, in->p->output.cond)) {
        o->looks = true;
        run_sets(o, in->p->output.sets);
    }
}

void out_open(struct out *o)
{
    const struct sel_plan *q = o->in->p;
    if (o->in->in.eng->loading) {
        return;
    }
    o->last_time = o->in->in.eng->now;
    if (q->n_streams == 1 && q->streams[0].kind == SRC_TABLE) {
        start(o); /* a table sends nothing: the period begins with the statement */
    }
    const struct out_plan *p = &o->in->p->output;
    if (p->after != NULL && !p->after_events) {
        struct ectx c = inst_ctx(&o->in->in, NULL);
        o->after_until = ex_after(p->after, &c, o->in->in.eng->now, 1);
    }
}
