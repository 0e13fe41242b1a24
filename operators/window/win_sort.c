/* SPDX-License-Identifier: Apache-2.0
 *
 * #sort(n, x [desc], ...): the first n events in that order. Each event enters; the one that is
 * then beyond the n leaves with it, which may be itself.
 */
#include "core/base/mem.h"
#include "operators/window/win_param.h"
#include "operators/window/win_sorted.h"
#include "operators/window/win_state.h"

struct sort_step {
    struct view_step step;
    struct ex *size;
    struct win_criteria by;
};

struct sort {
    struct win w;
    const struct win_criteria *by;
    size_t size;
    struct win_sorted sorted;
};

static void update(struct view *v, struct evt **nw, size_t n_nw, struct evt **old, size_t n_old)
{
    struct sort *w = (struct sort *)(void *)v;
    w->w.old.len = 0;
    for (size_t i = 0; i < n_old; i++) {
        size_t at = win_sorted_find(&w->sorted, w->by, v->env, old[i]);
        if (at < w->sorted.len) {
            win_list_add(&w->w.old, win_sorted_take(&w->sorted, w->by, v->env, at));
        }
    }
    for (size_t i = 0; i < n_nw; i++) {
        (void)win_sorted_add(&w->sorted, w->by, v->env, nw[i]);
        if (w->sorted.len > w->size) {
            win_list_add(&w->w.old, win_sorted_take(&w->sorted, w->by, v->env, w->size));
        }
    }
    win_emit(&w->w, nw, n_nw, w->w.old.ptr, w->w.old.len);
}

static void each(struct view *v, void (*fn)(void *arg, struct evt *e), void *arg)
{
    const struct sort *w = (const struct sort *)(const void *)v;
    for (size_t i = 0; i < w->sorted.len; i++) {
        fn(arg, w->sorted.all[i]->e);
    }
}

static size_t count(struct view *v, const struct evt *of)
{
    (void)of;
    return ((const struct sort *)(const void *)v)->sorted.len;
}

static struct evt *at(struct view *v, const struct evt *of, size_t n)
{
    const struct sort *w = (const struct sort *)(const void *)v;
    (void)of;
    return n < w->sorted.len ? w->sorted.all[n]->e : NULL;
}

static struct evt *prev(struct view *v, const struct evt *of, int64_t n)
{
    return n >= 0 ? at(v, of, (size_t)n) : NULL;
}

static void free_it(struct view *v)
{
    struct sort *w = (struct sort *)(void *)v;
    win_sorted_done(&w->sorted, w->by, v->env->heap);
    win_done(&w->w);
    mem_free(w);
}

static bool idle(struct view *v)
{
    return ((const struct sort *)(const void *)v)->sorted.len == 0;
}

static void renew(struct view *v)
{
    struct sort *w = (struct sort *)(void *)v;
    w->size = win_size_of(v->env, ((const struct sort_step *)(const void *)v->step)->size);
}

/* Size; number of entries, each. */
static void save(struct view *v, struct save *s)
{
    const struct sort *w = (const struct sort *)(const void *)v;
    win_size_save(w->size, s);
    save_u(s, w->sorted.len);
    for (size_t i = 0; i < w->sorted.len; i++) {
        win_entry_save(w->sorted.all[i], w->by, s);
    }
}

static void load(struct view *v, struct load *l)
{
    struct sort *w = (struct sort *)(void *)v;
    w->size = win_size_load(l);
    size_t n = load_count(l, 2);
    if (n > w->size) {
        load_fail(l, "%zu events in a window for %zu", n, w->size);
    }
    for (size_t i = 0; i < n && load_ok(l); i++) {
        (void)win_entry_load(&w->sorted, w->by, l, v->step->in);
    }
}

static const struct view_ops ops = {
    .update = update,
    .each = each,
    .prev = prev,
    .count = count,
    .at = at,
    .free = free_it,
    .idle = idle,
    .renew = renew,
    .save = save,
    .load = load,
};

static struct view *make(const struct view_step *step, struct view_env *env)
{
    const struct sort_step *s = (const struct sort_step *)(const void *)step;
    struct sort *w = MEM_NEW(struct sort);
    win_init(&w->w, &ops, step, env);
    w->by = &s->by;
    w->size = win_size_of(env, s->size);
    return &w->w.v;
}

static int bind_it(struct bind *b, const struct ast_view *v, const struct etype *in,
                   struct view_step *step, const struct etype **ret_out, struct err *reterr)
{
    (void)ret_out;
    struct sort_step *s = (struct sort_step *)(void *)step;
    int rc = win_count(step->def, v, 2, WIN_KEYS_MAX + 1, reterr);
    rc = rc == 0 ? win_size(b, step->def, v->args[0], false, &s->size, reterr) : rc;
    if (rc != 0) {
        return rc;
    }
    s->by.n = v->n_args - 1;
    return win_criteria(b, step->def, v->args + 1, s->by.n, in, &s->by.by, &s->by.desc, reterr);
}

const struct view_def view_def_sort = {
    .name = "sort",
    .parameters = "size, value [desc], ...",
    .step_bytes = sizeof(struct sort_step),
    .data_window = true,
    .prev = true,
    .bind = bind_it,
    .make = make,
};
