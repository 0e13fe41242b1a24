/* SPDX-License-Identifier: Apache-2.0
 *
 * #firstlength(n) and #firstevent: the first events; later ones are not taken, unless something
 * deletes one of the first.
 */
#include "core/base/mem.h"
#include "operators/window/win_late.h"
#include "operators/window/win_param.h"
#include "operators/window/win_state.h"

struct first {
    struct win_held h;
    size_t size;
};

static void update(struct view *v, struct evt **nw, size_t n_nw, struct evt **old, size_t n_old)
{
    struct first *w = (struct first *)(void *)v;
    size_t n = 0;
    w->h.w.old.len = 0;
    if (n_old > 0) {
        win_held_forget(&w->h, old, n_old);
    }
    while (n < n_nw && w->h.ring.live < w->size) {
        win_ring_push(&w->h.ring, nw[n++], 0);
    }
    win_emit(&w->h.w, nw, n, w->h.w.old.ptr, w->h.w.old.len);
}

/* Size; ring. */
static void save(struct view *v, struct save *s)
{
    struct first *w = (struct first *)(void *)v;
    win_size_save(w->size, s);
    win_late_save(&w->h.ring, v->env->heap, s);
}

static void load(struct view *v, struct load *l)
{
    struct first *w = (struct first *)(void *)v;
    w->size = win_size_load(l);
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
    struct first *w = MEM_NEW(struct first);
    win_init(&w->h.w, &ops, step, env);
    w->size = win_one_of(step) != NULL ? win_size_of(env, win_one_of(step)) : 1;
    return &w->h.w.v;
}

const struct view_def view_def_firstlength = {
    .name = "firstlength",
    .parameters = "size",
    .step_bytes = sizeof(struct win_one),
    .data_window = true,
    .refuses = true,
    .bind = win_bind_size,
    .make = make,
};

const struct view_def view_def_firstevent = {
    .name = "firstevent",
    .parameters = "",
    .step_bytes = sizeof(struct win_one),
    .data_window = true,
    .refuses = true,
    .bind = win_bind_none,
    .make = make,
};
