/* SPDX-License-Identifier: Apache-2.0
 *
 * #time_accum(T): events gather until none has come for T, then all leave together: sessions. The
 * timer is not moved with every event; when it fires too early it is set to what the newest event
 * says.
 */
#include "core/base/mem.h"
#include "operators/window/win_late.h"
#include "operators/window/win_param.h"
#include "operators/window/win_state.h"

#include <assert.h>

struct accum {
    struct win_held h;
    struct win_span span;
    struct tmr tmr;
};

static void arm(struct accum *w)
{
    const struct win_slot *last = win_ring_last(&w->h.ring);
    if (last != NULL && !tmr_is_set(&w->tmr)) {
        tmr_set(w->h.w.v.env->timers, &w->tmr, win_span_add(w->span, last->at, 1));
    }
}

static void fire(struct tmr *t, int64_t now)
{
    struct accum *w = CONTAINER_OF(t, struct accum, tmr);
    const struct win_slot *last = win_ring_last(&w->h.ring);
    assert(!tmr_is_set(t));
    w->h.w.v.env->ctx->now = now;
    w->h.w.old.len = 0;
    if (last == NULL) {
        return;
    }
    int64_t due = win_span_add(w->span, last->at, 1);
    if (due > t->due) { /* also when that has come already: in its turn */
        tmr_defer(w->h.w.v.env->timers, t, due, now);
        return;
    }
    while (w->h.ring.live > 0) {
        win_held_expire(&w->h);
    }
    win_emit(&w->h.w, NULL, 0, w->h.w.old.ptr, w->h.w.old.len);
}

static void update(struct view *v, struct evt **nw, size_t n_nw, struct evt **old, size_t n_old)
{
    struct accum *w = (struct accum *)(void *)v;
    int64_t now = v->env->ctx->now;
    w->h.w.old.len = 0;
    if (n_old > 0) {
        win_held_forget(&w->h, old, n_old);
        tmr_cancel(v->env->timers, &w->tmr); /* the newest may have gone: then it ends earlier */
    }
    for (size_t i = 0; i < n_nw; i++) {
        win_ring_push(&w->h.ring, nw[i], now);
    }
    arm(w);
    win_emit(&w->h.w, nw, n_nw, w->h.w.old.ptr, w->h.w.old.len);
}

static void free_it(struct view *v)
{
    tmr_cancel(v->env->timers, &((struct accum *)(void *)v)->tmr);
    win_held_free(v);
}

static bool idle(struct view *v)
{
    return ((struct accum *)(void *)v)->h.ring.live == 0;
}

static void renew(struct view *v)
{
    struct accum *w = (struct accum *)(void *)v;
    win_timer_renew(&w->tmr, v->env);
    win_ring_renew(&w->h.ring, v->env->heap);
    w->span = win_span_of(v->env, win_one_of(v->step));
}

/* Period; ring, with the times of arrival; timer. */
static void save(struct view *v, struct save *s)
{
    struct accum *w = (struct accum *)(void *)v;
    win_span_save(w->span, s);
    win_late_save(&w->h.ring, v->env->heap, s);
    tmr_save(s, &w->tmr);
}

static void load(struct view *v, struct load *l)
{
    struct accum *w = (struct accum *)(void *)v;
    w->span = win_span_load(l);
    win_ring_load(&w->h.ring, l, v->step->in);
    tmr_load(l, v->env->timers, &w->tmr);
}

static const struct view_ops ops = {
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
    struct accum *w = MEM_NEW(struct accum);
    win_init(&w->h.w, &ops, step, env);
    win_timer_init(&w->tmr, env, fire);
    w->span = win_span_of(env, win_one_of(step));
    return &w->h.w.v;
}

const struct view_def view_def_time_accum = {
    .name = "time_accum",
    .parameters = "period",
    .step_bytes = sizeof(struct win_one),
    .data_window = true,
    .queue = true,
    .prev = true,
    .bind = win_bind_period,
    .make = make,
};
