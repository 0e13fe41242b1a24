/* SPDX-License-Identifier: Apache-2.0
 *
 * #firsttime(T): what comes in the first T after the statement began. Nothing leaves by itself, and
 * so no timer is needed: the clock is looked at when an event comes.
 */
#include "core/base/mem.h"
#include "operators/window/win_late.h"
#include "operators/window/win_param.h"
#include "operators/window/win_state.h"

struct firsttime {
    struct win_held h;
    int64_t end;
};

static void update(struct view *v, struct evt **nw, size_t n_nw, struct evt **old, size_t n_old)
{
    struct firsttime *w = (struct firsttime *)(void *)v;
    w->h.w.old.len = 0;
    if (n_old > 0) {
        win_held_forget(&w->h, old, n_old);
    }
    n_nw = v->env->ctx->now < w->end ? n_nw : 0;
    for (size_t i = 0; i < n_nw; i++) {
        win_ring_push(&w->h.ring, nw[i], 0);
    }
    win_emit(&w->h.w, nw, n_nw, w->h.w.old.ptr, w->h.w.old.len);
}

/* End; ring. */
static void save(struct view *v, struct save *s)
{
    struct firsttime *w = (struct firsttime *)(void *)v;
    save_i(s, w->end);
    win_late_save(&w->h.ring, v->env->heap, s);
}

static void load(struct view *v, struct load *l)
{
    struct firsttime *w = (struct firsttime *)(void *)v;
    w->end = load_i(l);
    win_ring_load(&w->h.ring, l, v->step->in);
}

static const struct view_ops ops = {
    .update = update,
    .each = win_held_each,
    .free = win_held_free,
    .save = save,
    .load = load,
};

static struct view *make(const struct view_step *step, struct view_env *env)
{
    struct firsttime *w = MEM_NEW(struct firsttime);
    win_init(&w->h.w, &ops, step, env);
    w->h.w.counts = w->h.w.v.holds; /* it gathers none */
    w->end = win_span_add(win_span_of(env, win_one_of(step)), env->ctx->now, 1);
    return &w->h.w.v;
}

const struct view_def view_def_firsttime = {
    .name = "firsttime",
    .parameters = "period",
    .step_bytes = sizeof(struct win_one),
    .data_window = true,
    .batch = true, /* beside other windows it counts as one */
    .refuses = true,
    .bind = win_bind_period,
    .make = make,
};
