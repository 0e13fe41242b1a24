/* SPDX-License-Identifier: Apache-2.0
 *
 * #length(n): the last n events. What enters and the oldest it drives out leave together.
 */
#include "core/base/mem.h"
#include "operators/window/win_param.h"
#include "operators/window/win_state.h"

struct length {
    struct win_held h;
    size_t size;
};

static void update(struct view *v, struct evt **nw, size_t n_nw, struct evt **old, size_t n_old)
{
    struct length *w = (struct length *)(void *)v;
    struct win *win = &w->h.w;
    win->old.len = 0;
    if (n_old > 0) {
        win_held_forget(&w->h, old, n_old);
    }
    for (size_t i = 0; i < n_nw; i++) {
        win_held_push(&w->h, nw[i], 0);
    }
    while (win_held_len(&w->h) > w->size) {
        win_held_expire(&w->h);
    }
    win_emit(win, nw, n_nw, win->old.ptr, win->old.len);
}

/* Size; ring. */
static void save(struct view *v, struct save *s)
{
    const struct length *w = (const struct length *)(const void *)v;
    win_size_save(w->size, s);
    win_held_save(v, s);
}

static void load(struct view *v, struct load *l)
{
    struct length *w = (struct length *)(void *)v;
    w->size = win_size_load(l);
    win_held_load(v, l);
}

static bool same(const struct view *a, const struct view *b,
                 bool (*ex_same)(const struct ex *a, const struct ex *b))
{
    (void)ex_same;
    return ((const struct length *)(const void *)a)->size ==
           ((const struct length *)(const void *)b)->size;
}

static const struct view_ops ops = {
    .same = same,
    .update = update,
    .each = win_held_each,
    .prev = win_held_prev,
    .count = win_held_count,
    .at = win_held_at,
    .free = win_held_free,
    .save = save,
    .load = load,
};

static struct view *make(const struct view_step *step, struct view_env *env)
{
    struct length *w = MEM_NEW(struct length);
    win_init(&w->h.w, &ops, step, env);
    win_held_init(&w->h, false);
    w->size = win_size_of(env, win_one_of(step));
    return &w->h.w.v;
}

const struct view_def view_def_length = {
    .name = "length",
    .parameters = "size",
    .step_bytes = sizeof(struct win_one),
    .data_window = true,
    .queue = true,
    .packs = true,
    .prev = true,
    .bind = win_bind_size,
    .make = make,
};
