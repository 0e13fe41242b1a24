/* SPDX-License-Identifier: Apache-2.0
 *
 * #time_batch(T): gathers events and puts them out at the points of a grid: ref + k * T, where ref
 * is given, or the time of the first event. When a batch and the one before it are empty the timer
 * rests until the next event; the grid stays. START_EAGER takes the statement's own begin as ref
 * and never rests; FORCE_UPDATE never rests once begun. Both put out empty batches, too.
 */
#include "core/base/mem.h"
#include "operators/window/win_param.h"
#include "operators/window/win_state.h"

#include <assert.h>

struct batch_step {
    struct view_step step;
    struct ex *period;
    bool has_ref, force, eager;
    int64_t ref;
};

struct time_batch {
    struct win_batch b;
    const struct batch_step *s;
    struct win_span span;
    bool begun;
    int64_t ref;
    struct tmr tmr;
};

static void arm(struct time_batch *w, int64_t now)
{
    if (!w->begun) {
        w->begun = true;
        w->ref = w->s->has_ref && !w->s->eager ? w->s->ref : now;
    }
    int64_t last = win_span_floor(w->span, w->ref, now);
    int64_t next = win_span_floor(w->span, w->ref, win_span_add(w->span, last, 1));
    if (next <= now) { /* months: the day was held within a short one */
        next = win_span_add(w->span, next, 1);
    }
    tmr_set(w->b.w.v.env->timers, &w->tmr, next);
}

static void fire(struct tmr *t, int64_t now)
{
    struct time_batch *w = CONTAINER_OF(t, struct time_batch, tmr);
    bool always = w->s->force || w->s->eager;
    w->b.w.v.env->ctx->now = now;
    if (w->b.ring.live > 0 || always) {
        arm(w, now);
    }
    (void)win_batch_flush(&w->b, always);
}

static void update(struct view *v, struct evt **nw, size_t n_nw, struct evt **old, size_t n_old)
{
    struct time_batch *w = (struct time_batch *)(void *)v;
    win_batch_forget(&w->b, old, n_old);
    for (size_t i = 0; i < n_nw; i++) {
        win_batch_push(&w->b, nw[i], 0);
    }
    if (n_nw > 0 && !tmr_is_set(&w->tmr)) {
        arm(w, v->env->ctx->now);
    }
}

static void free_it(struct view *v)
{
    struct time_batch *w = (struct time_batch *)(void *)v;
    tmr_cancel(v->env->timers, &w->tmr);
    win_batch_done(&w->b);
    mem_free(w);
}

/* Period; whether the grid is set, its reference; batch; timer. */
static void save(struct view *v, struct save *s)
{
    struct time_batch *w = (struct time_batch *)(void *)v;
    win_span_save(w->span, s);
    save_bool(s, w->begun);
    save_i(s, w->ref);
    win_batch_save(&w->b, s);
    tmr_save(s, &w->tmr);
}

static void load(struct view *v, struct load *l)
{
    struct time_batch *w = (struct time_batch *)(void *)v;
    w->span = win_span_load(l);
    w->begun = load_bool(l);
    w->ref = load_i(l);
    win_batch_load(&w->b, l);
    tmr_load(l, v->env->timers, &w->tmr);
}

static const struct view_ops ops = {
    .update = update,
    .each = win_batch_each,
    .prev = win_batch_prev,
    .count = win_batch_count,
    .at = win_batch_at,
    .free = free_it,
    .save = save,
    .load = load,
};

static struct view *make(const struct view_step *step, struct view_env *env)
{
    struct time_batch *w = MEM_NEW(struct time_batch);
    win_init(&w->b.w, &ops, step, env);
    win_timer_init(&w->tmr, env, fire);
    w->s = (const struct batch_step *)(const void *)step;
    w->span = win_span_of(env, w->s->period);
    if (w->s->eager) {
        arm(w, env->ctx->now);
    }
    return &w->b.w.v;
}

static int bind_it(struct bind *b, const struct ast_view *v, const struct etype *in,
                   struct view_step *step, const struct etype **ret_out, struct err *reterr)
{
    (void)in;
    (void)ret_out;
    struct batch_step *s = (struct batch_step *)(void *)step;
    int rc = win_count(step->def, v, 1, 3, reterr);
    rc = rc == 0 ? win_period(b, step->def, v->args[0], &s->period, reterr) : rc;
    uint32_t i = 1;
    if (rc == 0 && i < v->n_args && v->args[i]->kind != AST_STRING) {
        rc = win_reference(b, step->def, v->args[i++], &s->ref, reterr);
        s->has_ref = true;
    }
    if (rc == 0 && i < v->n_args) {
        rc = win_flags(b, step->def, v->args[i++], &s->force, &s->eager, reterr);
    }
    return rc == 0 && i < v->n_args ? win_usage(step->def, v->args[i]->span, reterr) : rc;
}

const struct view_def view_def_time_batch = {
    .name = "time_batch",
    .parameters = "period [, reference ms] [, 'FORCE_UPDATE, START_EAGER']",
    .step_bytes = sizeof(struct batch_step),
    .data_window = true,
    .queue = true,
    .batch = true,
    .packs = true,
    .prev = true,
    .bind = bind_it,
    .make = make,
};
