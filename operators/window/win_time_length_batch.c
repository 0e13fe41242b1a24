/* SPDX-License-Identifier: Apache-2.0
 *
 * #time_length_batch(T, n): puts out what has gathered when there are n events, or when T has
 * passed since the first one or since the last time something was put out. When a batch and the one
 * before it are empty the timer rests until the next event, unless FORCE_UPDATE or START_EAGER is
 * given: then empty batches are put out, too.
 */
#include "core/base/mem.h"
#include "operators/window/win_param.h"
#include "operators/window/win_state.h"

struct tl_step {
    struct view_step step;
    struct ex *period, *size;
    bool force, eager;
};

struct time_length {
    struct win_batch b;
    const struct tl_step *s;
    struct win_span span;
    size_t size;
    struct tmr tmr;
};

static void arm(struct time_length *w)
{
    struct view_env *env = w->b.w.v.env;
    tmr_set(env->timers, &w->tmr, win_span_add(w->span, env->ctx->now, 1));
}

static void fire(struct tmr *t, int64_t now)
{
    struct time_length *w = CONTAINER_OF(t, struct time_length, tmr);
    bool always = w->s->force || w->s->eager;
    w->b.w.v.env->ctx->now = now;
    if (w->b.ring.live > 0 || w->b.w.nw.len > 0 || always) {
        arm(w);
    }
    (void)win_batch_flush(&w->b, always);
}

static void update(struct view *v, struct evt **nw, size_t n_nw, struct evt **old, size_t n_old)
{
    struct time_length *w = (struct time_length *)(void *)v;
    win_batch_forget(&w->b, old, n_old);
    for (size_t i = 0; i < n_nw; i++) {
        win_batch_push(&w->b, nw[i], 0);
    }
    if (w->b.ring.live >= w->size) {
        arm(w);
        (void)win_batch_flush(&w->b, false);
    } else if (n_nw > 0 && !tmr_is_set(&w->tmr)) {
        arm(w);
    }
}

static void free_it(struct view *v)
{
    struct time_length *w = (struct time_length *)(void *)v;
    tmr_cancel(v->env->timers, &w->tmr);
    win_batch_done(&w->b);
    mem_free(w);
}

/* Period; size; batch; timer. */
static void save(struct view *v, struct save *s)
{
    struct time_length *w = (struct time_length *)(void *)v;
    win_span_save(w->span, s);
    win_size_save(w->size, s);
    win_batch_save(&w->b, s);
    tmr_save(s, &w->tmr);
}

static void load(struct view *v, struct load *l)
{
    struct time_length *w = (struct time_length *)(void *)v;
    w->span = win_span_load(l);
    w->size = win_size_load(l);
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
    struct time_length *w = MEM_NEW(struct time_length);
    win_init(&w->b.w, &ops, step, env);
    win_timer_init(&w->tmr, env, fire);
    w->s = (const struct tl_step *)(const void *)step;
    w->span = win_span_of(env, w->s->period);
    w->size = win_size_of(env, w->s->size);
    if (w->s->eager) {
        arm(w);
    }
    return &w->b.w.v;
}

static int bind_it(struct bind *b, const struct ast_view *v, const struct etype *in,
                   struct view_step *step, const struct etype **ret_out, struct err *reterr)
{
    (void)in;
    (void)ret_out;
    struct tl_step *s = (struct tl_step *)(void *)step;
    int rc = win_count(step->def, v, 2, 3, reterr);
    rc = rc == 0 ? win_period(b, step->def, v->args[0], &s->period, reterr) : rc;
    rc = rc == 0 ? win_size(b, step->def, v->args[1], false, &s->size, reterr) : rc;
    if (rc == 0 && v->n_args == 3) {
        rc = win_flags(b, step->def, v->args[2], &s->force, &s->eager, reterr);
    }
    return rc;
}

const struct view_def view_def_time_length_batch = {
    .name = "time_length_batch",
    .parameters = "period, size [, 'FORCE_UPDATE, START_EAGER']",
    .step_bytes = sizeof(struct tl_step),
    .data_window = true,
    .queue = true,
    .batch = true,
    .packs = true,
    .prev = true,
    .bind = bind_it,
    .make = make,
};
