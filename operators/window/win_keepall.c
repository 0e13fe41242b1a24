/* SPDX-License-Identifier: Apache-2.0
 *
 * #keepall: every event, until something deletes it.
 */
#include "core/base/mem.h"
#include "operators/window/win_param.h"
#include "operators/window/win_state.h"

static void update(struct view *v, struct evt **nw, size_t n_nw, struct evt **old, size_t n_old)
{
    struct win_held *w = (struct win_held *)(void *)v;
    w->w.old.len = 0;
    if (n_old > 0) {
        win_held_forget(w, old, n_old);
    }
    for (size_t i = 0; i < n_nw; i++) {
        win_held_push(w, nw[i], 0);
    }
    win_emit(&w->w, nw, n_nw, w->w.old.ptr, w->w.old.len);
}

static bool same(const struct view *a, const struct view *b,
                 bool (*ex_same)(const struct ex *a, const struct ex *b))
{
    (void)a;
    (void)b;
    (void)ex_same;
    return true;
}

static const struct view_ops ops = {
    .same = same,
    .update = update,
    .each = win_held_each,
    .prev = win_held_prev,
    .count = win_held_count,
    .at = win_held_at,
    .free = win_held_free,
    .save = win_held_save,
    .load = win_held_load,
};

static struct view *make(const struct view_step *step, struct view_env *env)
{
    struct win_held *w = MEM_NEW(struct win_held);
    win_init(&w->w, &ops, step, env);
    win_held_init(w, false);
    return &w->w.v;
}

const struct view_def view_def_keepall = {
    .name = "keepall",
    .parameters = "",
    .step_bytes = sizeof(struct view_step),
    .data_window = true,
    .queue = true,
    .packs = true,
    .prev = true,
    .bind = win_bind_none,
    .make = make,
};
