/* SPDX-License-Identifier: Apache-2.0
 *
 * #length_batch(n): gathers n events, puts them out together and the n before them as old.
 */
#include "core/base/mem.h"
#include "operators/window/win_param.h"
#include "operators/window/win_state.h"

struct length_batch {
    struct win_batch b;
    size_t size;
};

static void update(struct view *v, struct evt **nw, size_t n_nw, struct evt **old, size_t n_old)
{
    struct length_batch *w = (struct length_batch *)(void *)v;
    win_batch_forget(&w->b, old, n_old);
    for (size_t i = 0; i < n_nw; i++) {
        win_batch_push(&w->b, nw[i], 0);
    }
    if (w->b.ring.live >= w->size) {
        (void)win_batch_flush(&w->b, false);
    }
}

static void free_it(struct view *v)
{
    win_batch_done((struct win_batch *)(void *)v);
    mem_free(v);
}

/* Size; batch. */
static void save(struct view *v, struct save *s)
{
    struct length_batch *w = (struct length_batch *)(void *)v;
    win_size_save(w->size, s);
    win_batch_save(&w->b, s);
}

static void load(struct view *v, struct load *l)
{
    struct length_batch *w = (struct length_batch *)(void *)v;
    w->size = win_size_load(l);
    win_batch_load(&w->b, l);
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
    struct length_batch *w = MEM_NEW(struct length_batch);
    win_init(&w->b.w, &ops, step, env);
    w->size = win_size_of(env, win_one_of(step));
    return &w->b.w.v;
}

const struct view_def view_def_length_batch = {
    .name = "length_batch",
    .parameters = "size",
    .step_bytes = sizeof(struct win_one),
    .data_window = true,
    .queue = true,
    .batch = true,
    .packs = true,
    .prev = true,
    .bind = win_bind_size,
    .make = make,
};
