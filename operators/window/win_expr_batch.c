/* SPDX-License-Identifier: Apache-2.0
 *
 * #expr_batch(condition[, with]): gathers events until the condition is true, and puts them out
 * with the event that made it true or (with = false) without it: then that event begins the next
 * batch. The condition counts that event in either case.
 */
#include "core/base/mem.h"
#include "operators/window/win_cond.h"
#include "operators/window/win_param.h"
#include "operators/window/win_state.h"

struct expr_batch {
    struct win_batch b;
    struct win_cond_run cond;
    struct tmr tmr;
};

static bool is_full(struct expr_batch *w)
{
    const struct win_slot *last = win_ring_last(&w->b.ring);
    struct win_slot none = {0};
    return last == NULL ? win_cond_true(&w->cond, NULL, 0, 0, none, none)
                        : win_cond_true(&w->cond, last->e, w->b.ring.live, 0,
                                        *win_ring_first(&w->b.ring), *last);
}

static void flush(struct expr_batch *w)
{
    win_cond_clear(&w->cond);
    (void)win_batch_flush(&w->b, false);
}

static void add(struct expr_batch *w, struct evt *e)
{
    win_batch_push(&w->b, e, w->b.w.v.env->ctx->now);
    win_cond_enter(&w->cond, e);
}

static void update(struct view *v, struct evt **nw, size_t n_nw, struct evt **old, size_t n_old)
{
    struct expr_batch *w = (struct expr_batch *)(void *)v;
    for (size_t i = 0; i < n_old; i++) {
        if (win_ring_remove(&w->b.ring, old[i])) {
            win_hold(v, NULL, 0, &old[i], 1);
            win_cond_leave(&w->cond, old[i]);
            evt_drop(v->env->heap, old[i]);
        }
    }
    for (size_t i = 0; i < n_nw; i++) {
        add(w, nw[i]);
        if (!is_full(w)) {
            continue;
        }
        if (w->cond.s->with_trigger) {
            flush(w);
        } else if (w->b.ring.live > 1) {
            (void)win_ring_remove(&w->b.ring, nw[i]);
            win_hold(v, NULL, 0, &nw[i], 1);
            flush(w);
            add(w, nw[i]);
            evt_drop(v->env->heap, nw[i]);
        }
    }
}

static void fire(struct tmr *t, int64_t now)
{
    struct expr_batch *w = CONTAINER_OF(t, struct expr_batch, tmr);
    w->b.w.v.env->ctx->now = now;
    if (is_full(w)) {
        flush(w);
    }
}

static void poke(struct view *v, const struct var *changed)
{
    struct expr_batch *w = (struct expr_batch *)(void *)v;
    if (win_cond_asks(w->cond.s, changed) && !tmr_is_set(&w->tmr)) {
        tmr_set(v->env->timers, &w->tmr, v->env->ctx->now);
    }
}

static void free_it(struct view *v)
{
    struct expr_batch *w = (struct expr_batch *)(void *)v;
    tmr_cancel(v->env->timers, &w->tmr);
    win_cond_done(&w->cond);
    win_batch_done(&w->b);
    mem_free(w);
}

/* Batch, with the times of arrival; aggregations; timer. */
static void save(struct view *v, struct save *s)
{
    struct expr_batch *w = (struct expr_batch *)(void *)v;
    win_batch_save(&w->b, s);
    win_cond_save(&w->cond, s);
    tmr_save(s, &w->tmr);
}

static void load(struct view *v, struct load *l)
{
    struct expr_batch *w = (struct expr_batch *)(void *)v;
    win_batch_load(&w->b, l);
    win_cond_load(&w->cond, l);
    tmr_load(l, v->env->timers, &w->tmr);
}

static const struct view_ops ops = {
    .update = update,
    .each = win_batch_each,
    .prev = win_batch_prev,
    .count = win_batch_count,
    .at = win_batch_at,
    .free = free_it,
    .poke = poke,
    .save = save,
    .load = load,
};

static struct view *make(const struct view_step *step, struct view_env *env)
{
    struct expr_batch *w = MEM_NEW(struct expr_batch);
    win_init(&w->b.w, &ops, step, env);
    win_timer_init(&w->tmr, env, fire);
    win_cond_init(&w->cond, step, env);
    return &w->b.w.v;
}

static int bind_it(struct bind *b, const struct ast_view *v, const struct etype *in,
                   struct view_step *step, const struct etype **ret_out, struct err *reterr)
{
    (void)ret_out;
    struct win_cond_step *s = (struct win_cond_step *)(void *)step;
    int rc = win_count(step->def, v, 1, 2, reterr);
    s->with_trigger = true;
    if (rc == 0 && v->n_args == 2) {
        if (v->args[1]->kind != AST_BOOL) {
            return win_usage(step->def, v->args[1]->span, reterr);
        }
        s->with_trigger = v->args[1]->i != 0;
    }
    return rc == 0 ? win_cond_bind(b, v, in, s, reterr) : rc;
}

const struct view_def view_def_expr_batch = {
    .name = "expr_batch",
    .parameters = "condition [, true or false: with the event that made it true]",
    .step_bytes = sizeof(struct win_cond_step),
    .data_window = true,
    .batch = true,
    .prev = true,
    .bind = bind_it,
    .make = make,
};
