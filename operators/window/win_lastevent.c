/* SPDX-License-Identifier: Apache-2.0
 *
 * #lastevent: the last event only; the one before it leaves as it comes.
 */
#include "core/base/mem.h"
#include "operators/window/win_param.h"
#include "operators/window/win_state.h"

struct lastevent {
    struct win w;
    struct evt *last;
};

static void update(struct view *v, struct evt **nw, size_t n_nw, struct evt **old, size_t n_old)
{
    struct lastevent *w = (struct lastevent *)(void *)v;
    w->w.old.len = 0;
    bool gone = false;
    for (size_t i = 0; i < n_old; i++) {
        gone |= w->last != NULL && old[i] == w->last;
    }
    if (w->last != NULL && (gone || n_nw > 0)) {
        win_list_add(&w->w.old, w->last);
        evt_drop(v->env->heap, w->last);
        w->last = NULL;
    }
    for (size_t i = 0; i + 1 < n_nw; i++) {
        win_list_add(&w->w.old, nw[i]);
    }
    if (n_nw > 0) {
        w->last = evt_keep(nw[n_nw - 1]);
    }
    win_emit(&w->w, nw, n_nw, w->w.old.ptr, w->w.old.len);
}

static void each(struct view *v, void (*fn)(void *arg, struct evt *e), void *arg)
{
    struct lastevent *w = (struct lastevent *)(void *)v;
    if (w->last != NULL) {
        fn(arg, w->last);
    }
}

static void free_it(struct view *v)
{
    struct lastevent *w = (struct lastevent *)(void *)v;
    if (w->last != NULL) {
        evt_drop(v->env->heap, w->last);
    }
    win_done(&w->w);
    mem_free(w);
}

/* The event, or none. */
static void save(struct view *v, struct save *s)
{
    const struct lastevent *w = (const struct lastevent *)(const void *)v;
    save_evt(s, w->last);
}

static void load(struct view *v, struct load *l)
{
    struct lastevent *w = (struct lastevent *)(void *)v;
    struct evt *e = load_evt(l);
    if (e != NULL && ety_is(e->type, v->step->in)) {
        w->last = evt_keep(e);
    } else if (e != NULL) {
        load_fail(l, "an event of another type");
    }
}

static const struct view_ops ops = {
    .update = update,
    .each = each,
    .free = free_it,
    .save = save,
    .load = load,
};

static struct view *make(const struct view_step *step, struct view_env *env)
{
    struct lastevent *w = MEM_NEW(struct lastevent);
    win_init(&w->w, &ops, step, env);
    return &w->w.v;
}

const struct view_def view_def_lastevent = {
    .name = "lastevent",
    .parameters = "",
    .step_bytes = sizeof(struct view_step),
    .data_window = true,
    .queue = true,
    .bind = win_bind_none,
    .make = make,
};
