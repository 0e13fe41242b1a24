/* SPDX-License-Identifier: Apache-2.0
 *
 * #expr(condition): holds all events as long as the condition is true; when it is not, the oldest
 * leave one by one until it is. The condition is looked at when events come, and at the next step
 * of the clock after a variable in it has changed.
 */
#include "core/base/mem.h"
#include "operators/window/win_cond.h"
#include "operators/window/win_late.h"
#include "operators/window/win_param.h"
#include "operators/window/win_state.h"

struct expr {
    struct win_held h;
    struct win_cond_run cond;
    struct tmr tmr;
};

static void expire(struct expr *w)
{
    size_t expired = 0;
    const struct win_slot *first;
    while ((first = win_ring_first(&w->h.ring)) != NULL &&
           !win_cond_true(&w->cond, first->e, w->h.ring.live, expired, *first,
                          *win_ring_last(&w->h.ring))) {
        win_cond_leave(&w->cond, first->e);
        win_held_expire(&w->h);
        expired++;
    }
}

static void update(struct view *v, struct evt **nw, size_t n_nw, struct evt **old, size_t n_old)
{
    struct expr *w = (struct expr *)(void *)v;
    w->h.w.old.len = 0;
    win_held_forget(&w->h, old, n_old);
    for (size_t i = 0; i < w->h.w.old.len; i++) {
        win_cond_leave(&w->cond, w->h.w.old.ptr[i]);
    }
    for (size_t i = 0; i < n_nw; i++) {
        win_ring_push(&w->h.ring, nw[i], v->env->ctx->now);
        win_cond_enter(&w->cond, nw[i]);
    }
    expire(w);
    win_emit(&w->h.w, nw, n_nw, w->h.w.old.ptr, w->h.w.old.len);
}

static void fire(struct tmr *t, int64_t now)
{
    struct expr *w = CONTAINER_OF(t, struct expr, tmr);
    struct view *v = &w->h.w.v;
    v->env->ctx->now = now;
    w->h.w.old.len = 0;
    expire(w);
    if (w->h.w.old.len > 0) {
        win_emit(&w->h.w, NULL, 0, w->h.w.old.ptr, w->h.w.old.len);
    } else {
        v->sink(v->sink_arg, NULL, 0, NULL, 0); /* totals come again */
    }
}

static void poke(struct view *v, const struct var *changed)
{
    struct expr *w = (struct expr *)(void *)v;
    if (win_cond_asks(w->cond.s, changed) && !tmr_is_set(&w->tmr)) {
        tmr_set(v->env->timers, &w->tmr, v->env->ctx->now);
    }
}

static void free_it(struct view *v)
{
    struct expr *w = (struct expr *)(void *)v;
    tmr_cancel(v->env->timers, &w->tmr);
    win_cond_done(&w->cond);
    win_held_free(v);
}

static bool idle(struct view *v)
{
    return ((const struct expr *)(const void *)v)->h.ring.live == 0;
}

static void renew(struct view *v)
{
    struct expr *w = (struct expr *)(void *)v;
    win_timer_renew(&w->tmr, v->env);
    win_ring_renew(&w->h.ring, v->env->heap);
    win_cond_clear(&w->cond);
}

/* Ring, with the times of arrival; aggregations; timer. */
static void save(struct view *v, struct save *s)
{
    struct expr *w = (struct expr *)(void *)v;
    win_late_save(&w->h.ring, v->env->heap, s);
    win_cond_save(&w->cond, s);
    tmr_save(s, &w->tmr);
}

static void load(struct view *v, struct load *l)
{
    struct expr *w = (struct expr *)(void *)v;
    win_ring_load(&w->h.ring, l, v->step->in);
    win_cond_load(&w->cond, l);
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
    .poke = poke,
    .save = save,
    .load = load,
};

static struct view *make(const struct view_step *step, struct view_env *env)
{
    struct expr *w = MEM_NEW(struct expr);
    win_init(&w->h.w, &ops, step, env);
    win_timer_init(&w->tmr, env, fire);
    win_cond_init(&w->cond, step, env);
    return &w->h.w.v;
}

static int bind_it(struct bind *b, const struct ast_view *v, const struct etype *in,
                   struct view_step *step, const struct etype **ret_out, struct err *reterr)
{
    (void)ret_out;
    int rc = win_count(step->def, v, 1, 1, reterr);
    return rc == 0 ? win_cond_bind(b, v, in, (struct win_cond_step *)(void *)step, reterr) : rc;
}

const struct view_def view_def_expr = {
    .name = "expr",
    .parameters = "condition",
    .step_bytes = sizeof(struct win_cond_step),
    .data_window = true,
    .prev = true,
    .bind = bind_it,
    .make = make,
};
