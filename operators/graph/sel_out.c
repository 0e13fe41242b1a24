/* SPDX-License-Identifier: Apache-2.0
 *
 * Output rate limits: what of the rows goes on, and when. The condition (a period, a number of
 * events, an expression, a crontab, the end of the partition) is apart from the kind (all, last,
 * first, snapshot). A period begins with the first batch that reaches this stage and keeps its
 * grid.
 */
#include "operators/graph/sel.h"

#include "core/base/mem.h"
#include "operators/expr/cron.h"
#include "operators/graph/keys_user.h"
#include "operators/graph/var.h"

#include <assert.h>

enum { COUNT_INSERT, COUNT_REMOVE, COUNT_INSERT_TOTAL, COUNT_REMOVE_TOTAL, LAST_TIME, N_PSEUDO };

struct first { /* the row that passes for its group */
    struct group *g;
    struct evt **row;
};

struct out {
    struct sel_inst *in;
    struct tmr timer;
    int64_t anchor; /* of the grid */
    bool started, first_done, after_done, due;
    int64_t events_nw, events_old; /* since the last output */
    int64_t total_nw, total_old, last_time;
    int64_t after_count, after_until;
    struct orows nw, old; /* kept rows */
    VEC(struct first) firsts;
    struct dat pseudo[N_PSEUDO];
};

static const char *const pseudo_names[] = {"count_insert", "count_remove", "count_insert_total",
                                           "count_remove_total", "last_output_timestamp"};

static int bind_condition(struct bind *b, const struct ast_output *o, struct out_plan *out,
                          struct err *reterr)
{
    struct ecol cols[N_PSEUDO];
    for (int i = 0; i < N_PSEUDO; i++) {
        cols[i] = (struct ecol){.name = slice_str(pseudo_names[i]),
                                .ty = i == LAST_TIME ? TY(LONG) : TY(INT)};
    }
    struct scope s = {.pseudo = ety_new(b->a, ETYPE_ANON, SLICE_NONE, cols, N_PSEUDO, NULL, 0),
                      .context = b->scope->context,
                      .no_aggs = "in an output clause"};
    struct scope *save = b->scope;
    b->scope = &s;
    int rc = 0;
    if (o->cond != NULL) {
        rc = bind_cond(b, o->cond, "output when", &out->cond, reterr);
    }
    if (rc == 0 && o->term_cond != NULL) {
        rc = bind_cond(b, o->term_cond, "when terminated", &out->term_cond, reterr);
    }
    if (rc == 0 && o->n_sets > 0) {
        rc = set_bind(b, o->sets, o->n_sets, &out->sets, reterr);
    }
    if (rc == 0 && o->n_term_sets > 0) {
        rc = set_bind(b, o->term_sets, o->n_term_sets, &out->term_sets, reterr);
    }
    b->scope = save;
    return rc;
}

int out_bind(struct bind *b, const struct ast_output *o, struct sel_plan *p, struct err *reterr)
{
    struct out_plan *out = &p->output;
    if (o == NULL) {
        return 0;
    }
    *out = (struct out_plan){.kind = o->kind,
                             .when = o->when,
                             .after_events = o->after_events,
                             .aligned = keys_user(p->st->ast).len > 0,
                             .terminated = o->and_terminated || o->when == OUT_TERMINATED};
    int rc = 0;
    if (o->when == OUT_EVERY_TIME) {
        rc = bind_period(b, o->every, &out->every, reterr);
    } else if (o->when == OUT_EVERY_EVENTS) {
        rc = bind_expr(b, o->every, &out->every, reterr);
        if (rc == 0 && !ty_is_number(out->every->ty)) {
            rc = bind_err(reterr, o->span, "output every wants a number of events");
        }
    } else if (o->when == OUT_AT) {
        out->cron = ARENA_NEW(b->a, struct ex_cron);
        rc = ex_cron_bind(b, o->at, o->n_at, o->span, out->cron, reterr);
    }
    if (rc == 0 && o->after != NULL) {
        rc = o->after_events ? bind_expr(b, o->after, &out->after, reterr)
                             : bind_period(b, o->after, &out->after, reterr);
    }
    if (rc == 0 && out->terminated && p->st->context == NULL) {
        rc = bind_err(reterr, o->span, "'when terminated' wants a context");
    }
    if (rc == 0 && o->when == OUT_EVERY_EVENTS && out->every->op == EX_CONST &&
        dat_to_long(out->every->k) <= 0) {
        rc = bind_err(reterr, o->span, "output every wants a positive number of events");
    }
    return rc == 0 ? bind_condition(b, o, out, reterr) : rc;
}

/* ---- rows kept over a step ---- */

static void hold(struct orows *to, const struct orow *r)
{
    struct orow copy = {.e = evt_keep(r->e), .key = r->key};
    if (copy.key != NULL) {
        obj_keep(&copy.key->o);
    }
    orows_add(to, copy);
}

static void let_go(struct vheap *h, struct orows *rows)
{
    VEC_EACH (&rows->v, r) {
        evt_drop(h, r->e);
        if (r->key != NULL) {
            obj_drop(h, &r->key->o);
        }
    }
    VEC_CLEAR(&rows->v);
}

/* The row kept of a group: the last known, or the value at the interval's begin. */
static void group_hold(struct vheap *h, struct evt **e, struct vlist **key, const struct orow *r)
{
    struct evt *was = *e;
    struct vlist *was_key = *key;
    *e = r != NULL ? evt_keep(r->e) : NULL;
    *key = r != NULL ? r->key : NULL;
    if (*key != NULL) {
        obj_keep(&(*key)->o);
    }
    if (was != NULL) {
        evt_drop(h, was);
    }
    if (was_key != NULL) {
        obj_drop(h, &was_key->o);
    }
}

static bool per_group(const struct sel_plan *p)
{
    return p->cls == ROWS_GROUP || p->cls == ROWS_EVENT_GROUP || p->cls == ROWS_ROLLUP;
}

struct out *out_new(struct sel_inst *in)
{
    struct out *o = MEM_NEW(struct out);
    o->in = in;
    return o;
}

void out_free(struct out *o)
{
    if (o == NULL) {
        return;
    }
    struct eng *e = o->in->in.eng;
    tmr_cancel(e->timers, &o->timer);
    let_go(e->heap, &o->nw);
    let_go(e->heap, &o->old);
    VEC_DONE(&o->nw.v);
    VEC_DONE(&o->old.v);
    VEC_DONE(&o->firsts);
    mem_free(o);
}

/* ---- what goes out when the condition holds ---- */

static void put_group(struct sel_inst *in, struct group *g, struct orows *to)
{
    struct orow r;
    struct evt **row = g->row;
    if (row != NULL && sel_row(in, row, g, false, &r)) {
        orows_add(to, r);
    }
}

static void groups_out(struct out *o, bool all)
{
    struct sel_inst *in = o->in;
    bool by_event = in->p->cls == ROWS_EVENT_GROUP;
    for (struct group *g = aggr_first(in->aggr); g != NULL; g = g->next) {
        if (!g->seen && !all) {
            continue;
        }
        if (by_event && all) {
            if (!g->seen) {
                put_group(in, g, &in->nw);
            }
        } else if (by_event) {
            if (g->out.nw != NULL) {
                orows_add(&in->nw, (struct orow){.e = g->out.nw, .key = g->out.nw_key});
            }
            if (g->out.old != NULL) {
                orows_add(&in->old, (struct orow){.e = g->out.old, .key = g->out.old_key});
            }
        } else {
            put_group(in, g, &in->nw);
            if (g->out.old != NULL) {
                orows_add(&in->old, (struct orow){.e = g->out.old, .key = g->out.old_key});
            }
        }
        g->seen = false;
    }
}

/* At the begin of the next interval every group's value is its previous one. */
static void remember_groups(struct out *o)
{
    struct sel_inst *in = o->in;
    const struct sel_plan *p = in->p;
    bool all = p->output.kind == OUT_ALL;
    for (struct group *g = aggr_first(in->aggr); g != NULL; g = g->next) {
        struct orow r;
        bool some = all && p->needs_old && p->cls != ROWS_EVENT_GROUP && g->row != NULL &&
                    sel_row(in, g->row, g, true, &r);
        group_hold(in->in.eng->heap, &g->out.old, &g->out.old_key, some ? &r : NULL);
        if (p->cls == ROWS_EVENT_GROUP && !all) {
            group_hold(in->in.eng->heap, &g->out.nw, &g->out.nw_key, NULL);
        }
    }
}

/* What had no row in the interval shows the value as it is now. */
static void total_out(struct out *o)
{
    struct sel_inst *in = o->in;
    struct orow r;
    struct evt *row[64] = {NULL};
    bool last = in->p->output.kind == OUT_LAST;
    bool some = sel_row(in, row, aggr_total(in->aggr), false, &r);
    if ((last || o->nw.v.len == 0) && some) {
        orows_add(&in->nw, r);
    }
    for (size_t i = 0; !last && i < o->nw.v.len; i++) {
        orows_add(&in->nw, o->nw.v.ptr[i]);
    }
    for (size_t i = 0; i < o->old.v.len && (!last || i == 0); i++) {
        orows_add(&in->old, o->old.v.ptr[i]); /* last: the value at the interval's begin */
    }
    if (in->p->needs_old && o->old.v.len == 0 && some) {
        orows_add(&in->old, r);
    }
}

static void kept_out(struct out *o)
{
    VEC_EACH (&o->nw.v, k) {
        orows_add(&o->in->nw, *k);
    }
    VEC_EACH (&o->old.v, k) {
        orows_add(&o->in->old, *k);
    }
}

static void condition_met(struct out *o)
{
    struct sel_inst *in = o->in;
    const struct sel_plan *p = in->p;
    enum ast_out_kind kind = p->output.kind;
    VEC_CLEAR(&in->nw.v);
    VEC_CLEAR(&in->old.v);
    if (kind == OUT_SNAPSHOT) {
        sel_snapshot(in, &in->nw);
    } else if (kind == OUT_FIRST) {
        o->first_done = false;
    } else if (p->cls == ROWS_TOTAL) {
        total_out(o);
    } else if (per_group(p) && (kind == OUT_LAST || kind == OUT_ALL)) {
        if (p->cls == ROWS_EVENT_GROUP && kind == OUT_ALL) {
            kept_out(o);
        }
        groups_out(o, kind == OUT_ALL);
    } else {
        kept_out(o);
    }
    if (per_group(p) && (kind == OUT_LAST || kind == OUT_ALL)) {
        remember_groups(o);
    }
    if (o->after_done || p->output.after == NULL) {
        sel_emit(in, &in->nw, &in->old);
    }
    let_go(in->in.eng->heap, &o->nw);
    let_go(in->in.eng->heap, &o->old);
    o->events_nw = o->events_old = 0;
    o->last_time = in->in.eng->now;
}

/* ---- conditions ---- */

static void set_pseudo(struct out *o)
{
    o->pseudo[COUNT_INSERT] = dat_int((int32_t)o->events_nw);
    o->pseudo[COUNT_REMOVE] = dat_int((int32_t)o->events_old);
    o->pseudo[COUNT_INSERT_TOTAL] = dat_int((int32_t)o->total_nw);
    o->pseudo[COUNT_REMOVE_TOTAL] = dat_int((int32_t)o->total_old);
    o->pseudo[LAST_TIME] = dat_long(o->last_time);
}

static bool holds(struct out *o, const struct ex *cond)
{
    set_pseudo(o);
    struct ectx c = inst_ctx(&o->in->in, NULL);
    c.pseudo = o->pseudo;
    return dat_true(ex_eval(cond, &c));
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
    o->timer.rank = in->in.st->rank | 0xffff;
    o->timer.inst = &in->in;
    tmr_set(in->in.eng->timers, &o->timer, due);
}

static void fire(struct tmr *t, int64_t now)
{
    struct out *o = CONTAINER_OF(t, struct out, timer);
    if (o->in->p->output.kind == OUT_FIRST && !per_group(o->in->p)) {
        o->first_done = false;
    } else if (o->in->p->output.kind != OUT_FIRST) {
        condition_met(o);
    }
    arm(o, now);
}

static void start(struct out *o)
{
    const struct out_plan *p = &o->in->p->output;
    o->started = true;
    int64_t now = o->in->in.eng->now;
    o->anchor = p->aligned ? 0 : now;
    o->timer.fire = fire;
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
            run_sets(o, p->sets);
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

/* ---- first ---- */

static bool group_passes(struct out *o, struct group *g, int64_t events)
{
    const struct out_plan *p = &o->in->p->output;
    int64_t now = o->in->in.eng->now;
    struct ectx c = inst_ctx(&o->in->in, NULL);
    if (p->when == OUT_EVERY_EVENTS) {
        g->first_count += events;
        if (g->has_first && g->first_count < dat_to_long(ex_eval(p->every, &c))) {
            return false;
        }
        g->first_count = 0;
    } else if (p->when == OUT_EVERY_TIME) {
        if (g->has_first && now < ex_after(p->every, &c, g->first_at, 1)) {
            return false;
        }
        g->first_at = now;
    } else if (g->has_first) {
        return false;
    }
    g->has_first = true;
    return true;
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

typedef void each_row_fn(struct out *o, struct group *g, struct evt **row, bool enter);

/* Every row of a batch with its group, at every level; `fn` before it is applied, if it is. */
static void each_row(struct out *o, struct evt **nw, size_t n_nw, struct evt **old, size_t n_old,
                     each_row_fn *fn, bool apply)
{
    struct sel_inst *in = o->in;
    const struct sel_plan *p = in->p;
    size_t w = p->n_streams;
    for (size_t i = 0; i < n_nw + n_old; i++) {
        bool enter = i < n_nw;
        struct evt **row = enter ? nw + i * w : old + (i - n_nw) * w;
        struct ectx c = inst_ctx(&in->in, row);
        c.leaving = !enter;
        for (uint32_t l = 0; l < MAX(p->n_levels, 1u); l++) {
            struct group *g = aggr_group(in->aggr, &c, l, p->n_levels > 0 ? p->levels[l] : 0);
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

/* A row passes for its group, once in a batch; its previous value is the one of this moment. */
static void first_row(struct out *o, struct group *g, struct evt **row, bool enter)
{
    struct sel_inst *in = o->in;
    struct orow r;
    (void)enter;
    if (in->p->having != NULL && !sel_row(in, row, g, false, &r)) {
        return;
    }
    if (!group_passes(o, g, 1) || g->touched) {
        return;
    }
    g->touched = true;
    *VEC_PUSH(&o->firsts) = (struct first){g, row};
    if (in->p->needs_old && in->p->cls != ROWS_EVENT_GROUP && sel_row(in, row, g, true, &r)) {
        orows_add(&in->old, r);
    }
}

/* The first of each group and interval passes, with the values after the batch. With having, the
 * first that has it after the batch. */
static void first_of_groups(struct out *o, struct evt **nw, size_t n_nw, struct evt **old,
                            size_t n_old)
{
    struct sel_inst *in = o->in;
    VEC_CLEAR(&in->nw.v);
    VEC_CLEAR(&in->old.v);
    VEC_CLEAR(&o->firsts);
    bool having = in->p->having != NULL;
    each_row(o, nw, n_nw, old, n_old, having ? NULL : first_row, true);
    if (having) {
        each_row(o, nw, n_nw, old, n_old, first_row, false);
    }
    VEC_EACH (&o->firsts, f) {
        struct orow r;
        f->g->touched = false;
        if (sel_row(in, f->row, f->g, false, &r)) {
            orows_add(&in->nw, r);
        }
    }
    if (in->nw.v.len + in->old.v.len > 0) {
        sel_emit(in, &in->nw, &in->old);
    }
}

/* The first batch that has rows passes; the interval begins with it. */
static bool first_of_all(struct out *o)
{
    struct sel_inst *in = o->in;
    bool some = in->p->streams_out != STREAM_RSTREAM && in->nw.v.len > 0;
    if (!o->first_done && !some && in->old.v.len == 0) {
        return false;
    }
    if (!o->first_done) {
        o->first_done = true;
        sel_emit(in, &in->nw, &in->old);
    }
    return true;
}

/* ---- a batch arrives ---- */

/* Marks a group, keeps its row, and before it changes its previous value. */
static void mark_group(struct out *o, struct group *g, struct evt **row, bool enter)
{
    struct sel_inst *in = o->in;
    const struct sel_plan *p = in->p;
    struct orow r;
    if (enter || p->cls != ROWS_EVENT_GROUP || g->row == NULL) {
        aggr_keep_row(g, row);
    }
    bool first = p->having != NULL || !g->seen;
    if (first && g->out.old == NULL && p->needs_old && p->cls != ROWS_EVENT_GROUP &&
        sel_row(in, row, g, true, &r)) {
        group_hold(in->in.eng->heap, &g->out.old, &g->out.old_key, &r);
    }
    g->seen = true;
}

/* last: the last row of each group is kept. */
static void keep_last(struct out *o, struct group *g, struct evt **row, bool enter)
{
    struct vheap *h = o->in->in.eng->heap;
    struct orow r;
    if (!sel_row(o->in, row, g, !enter, &r)) {
        return;
    }
    if (enter) {
        group_hold(h, &g->out.nw, &g->out.nw_key, &r);
    } else if (o->in->p->needs_old) {
        group_hold(h, &g->out.old, &g->out.old_key, &r);
    }
}

/* all: rows of all events, and one more of each group that something left. */
static void keep_all(struct out *o, struct group *g, struct evt **row, bool enter)
{
    struct orow r;
    if (enter || o->in->p->needs_old) {
        if (sel_row(o->in, row, g, !enter, &r)) {
            hold(enter ? &o->nw : &o->old, &r);
        }
    }
    if (!enter && !g->touched) {
        g->touched = true;
        if (sel_row(o->in, g->row, g, false, &r)) {
            hold(&o->nw, &r);
        }
    }
}

static void untouch(struct out *o, struct group *g, struct evt **row, bool enter)
{
    (void)o, (void)row, (void)enter;
    g->touched = false;
}

static void keep(struct out *o)
{
    struct sel_inst *in = o->in;
    struct vheap *h = in->in.eng->heap;
    bool last = in->p->output.kind == OUT_LAST && in->p->cls != ROWS_TOTAL;
    if (last && in->nw.v.len > 0) {
        let_go(h, &o->nw);
        hold(&o->nw, VEC_LAST(&in->nw.v));
    }
    if (last && in->old.v.len > 0) {
        let_go(h, &o->old);
        hold(&o->old, VEC_LAST(&in->old.v));
    }
    if (!last) {
        VEC_EACH (&in->nw.v, r) {
            hold(&o->nw, r);
        }
        VEC_EACH (&in->old.v, r) {
            hold(&o->old, r);
        }
    }
}

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

/* false: `first` still waits for a row. */
static bool update_state(struct out *o, struct evt **nw, size_t n_nw, struct evt **old,
                         size_t n_old)
{
    struct sel_inst *in = o->in;
    const struct sel_plan *p = in->p;
    enum ast_out_kind kind = p->output.kind;
    bool groups = per_group(p) && (kind == OUT_LAST || kind == OUT_ALL || kind == OUT_SNAPSHOT);
    if (groups) {
        each_row(o, nw, n_nw, old, n_old, mark_group, kind != OUT_SNAPSHOT);
    }
    if (groups && kind != OUT_SNAPSHOT) {
        if (p->cls == ROWS_EVENT_GROUP) {
            each_row(o, nw, n_nw, old, n_old, kind == OUT_ALL ? keep_all : keep_last, false);
            each_row(o, nw, n_nw, old, n_old, untouch, false);
        }
        return true;
    }
    VEC_CLEAR(&in->nw.v);
    VEC_CLEAR(&in->old.v);
    sel_rows(in, nw, n_nw, old, n_old);
    if (kind == OUT_FIRST) {
        return first_of_all(o);
    }
    if (!groups && kind != OUT_SNAPSHOT) {
        keep(o);
    }
    return true;
}

void out_batch(struct sel_inst *in, struct evt **nw, size_t n_nw, struct evt **old, size_t n_old)
{
    struct out *o = in->out;
    const struct out_plan *p = &in->p->output;
    bool pass = after_passed(o, n_nw + n_old);
    if (!o->started && pass && p->kind != OUT_FIRST) {
        start(o);
    }
    if (!pass) {
        VEC_CLEAR(&in->nw.v);
        VEC_CLEAR(&in->old.v);
        sel_rows(in, nw, n_nw, old, n_old);
        return;
    }
    if (p->when == OUT_EVERY_NONE && p->kind == OUT_NONE) { /* only `after` */
        VEC_CLEAR(&in->nw.v);
        VEC_CLEAR(&in->old.v);
        sel_rows(in, nw, n_nw, old, n_old);
        sel_emit(in, &in->nw, &in->old);
        return;
    }
    if (p->kind == OUT_FIRST && per_group(in->p)) {
        first_of_groups(o, nw, n_nw, old, n_old);
        return;
    }
    if (!update_state(o, nw, n_nw, old, n_old)) {
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

/* A variable has changed: `output when` looks again. */
void out_look(struct sel_inst *in)
{
    if (in->out != NULL && in->p->output.when == OUT_WHEN && in->out->started && look(in->out)) {
        condition_met(in->out);
    }
}

void out_open(struct out *o)
{
    const struct sel_plan *q = o->in->p;
    if (q->n_streams == 1 && q->streams[0].kind == SRC_TABLE) {
        start(o); /* a table sends nothing: the period begins with the statement */
    }
    const struct out_plan *p = &o->in->p->output;
    if (p->after != NULL && !p->after_events) {
        struct ectx c = inst_ctx(&o->in->in, NULL);
        o->after_until = ex_after(p->after, &c, o->in->in.eng->now, 1);
    }
}
