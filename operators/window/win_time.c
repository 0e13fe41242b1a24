/* SPDX-License-Identifier: Apache-2.0
 *
 * #time(T): the events of the last T. An event that came at t leaves when the clock is t + T or
 * past it; all that are due leave together. The timer stands at the oldest event's end, or earlier
 * if that event was deleted meanwhile: then it finds nothing to do and is set again.
 */
#include "core/base/mem.h"
#include "operators/window/win_param.h"
#include "operators/window/win_state.h"

#include <assert.h>

struct time_win {
    struct win_held h;
    struct win_span span;
    struct tmr tmr;
};

static void arm(struct time_win *w)
{
    int64_t at;
    if (!tmr_is_set(&w->tmr) && win_held_first(&w->h, &at)) {
        tmr_set(w->h.w.v.env->timers, &w->tmr, win_span_add(w->span, at, 1));
    }
}

static void fire(struct tmr *t, int64_t now)
{
    struct time_win *w = CONTAINER_OF(t, struct time_win, tmr);
    int64_t at;
    assert(!tmr_is_set(t));
    w->h.w.v.env->ctx->now = now;
    w->h.w.old.len = 0;
    while (win_held_first(&w->h, &at) && win_span_add(w->span, at, 1) <= now) {
        win_held_expire(&w->h);
    }
    arm(w);
    win_emit(&w->h.w, NULL, 0, w->h.w.old.ptr, w->h.w.old.len);
}

static void update(struct view *v, struct evt **nw, size_t n_nw, struct evt **old, size_t n_old)
{
    struct time_win *w = (struct time_win *)(void *)v;
    int64_t now = v->env->ctx->now;
    w->h.w.old.len = 0;
    if (n_old > 0) {
        win_held_forget(&w->h, old, n_old);
    }
    for (size_t i = 0; i < n_nw; i++) {
        win_held_push(&w->h, nw[i], now);
    }
    arm(w);
    win_emit(&w->h.w, nw, n_nw, w->h.w.old.ptr, w->h.w.old.len);
}

static void free_it(struct view *v)
{
    tmr_cancel(v->env->timers, &((struct time_win *)(void *)v)->tmr);
    win_held_free(v);
}

static bool idle(struct view *v)
{
    return win_held_len(&((struct time_win *)(void *)v)->h) == 0;
}

static void renew(struct view *v)
{
    struct time_win *w = (struct time_win *)(void *)v;
    win_timer_renew(&w->tmr, v->env);
    win_held_renew(&w->h);
    w->span = win_span_of(v->env, win_one_of(v->step));
}

/* Period; ring, with the times of arrival; timer. */
static void save(struct view *v, struct save *s)
{
    struct time_win *w = (struct time_win *)(void *)v;
    win_span_save(w->span, s);
    win_held_save(&w->h.w.v, s);
    tmr_save(s, &w->tmr);
}

static void load(struct view *v, struct load *l)
{
    struct time_win *w = (struct time_win *)(void *)v;
    w->span = win_span_load(l);
    win_held_load(v, l);
    tmr_load(l, v->env->timers, &w->tmr);
}

static bool same(const struct view *a, const struct view *b,
                 bool (*ex_same)(const struct ex *a, const struct ex *b))
{
    (void)ex_same;
    return win_span_same(((const struct time_win *)(const void *)a)->span,
                         ((const struct time_win *)(const void *)b)->span);
}

static const struct view_ops ops = {
    .same = same,
    .update = update,
    .each = win_held_each,
    .prev = win_held_prev,
    .count = win_held_count,
    .at = win_held_at,
    .free = free_it,
    .idle = idle,
    .renew = renew,
    .save = save,
    .load = load,
};

static struct view *make(const struct view_step *step, struct view_env *env)
{
    struct time_win *w = MEM_NEW(struct time_win);
    win_init(&w->h.w, &ops, step, env);
    win_timer_init(&w->tmr, env, fire);
    win_held_init(&w->h, true);
    w->span = win_span_of(env, win_one_of(step));
    return &w->h.w.v;
}

const struct view_def view_def_time = {
    .name = "time",
    .parameters = "period",
    .step_bytes = sizeof(struct win_one),
    .data_window = true,
    .queue = true,
    .packs = true,
    .prev = true,
    .bind = win_bind_period,
    .make = make,
};
