/* SPDX-License-Identifier: Apache-2.0
 *
 * #size: how many events there are. A row only when that number changes.
 */
#include "core/base/mem.h"
#include "operators/window/win_derived.h"

struct size {
    struct win_derived d;
    int64_t n;
};

static struct evt *row_of(struct size *w)
{
    struct dat n = dat_long(w->n);
    return win_derived_row(&w->d, &n, 1);
}

static void update(struct view *v, struct evt **nw, size_t n_nw, struct evt **old, size_t n_old)
{
    struct size *w = (struct size *)(void *)v;
    w->n += (int64_t)n_nw - (int64_t)n_old;
    win_derived_seen(&w->d, nw, n_nw, old, n_old);
    if (n_nw != n_old) {
        win_derived_put(&w->d, row_of(w));
    }
}

static void each(struct view *v, void (*fn)(void *arg, struct evt *e), void *arg)
{
    fn(arg, row_of((struct size *)(void *)v));
}

static void free_it(struct view *v)
{
    win_derived_done((struct win_derived *)(void *)v);
    mem_free(v);
}

/* What derived views have; number of events. */
static void save(struct view *v, struct save *s)
{
    const struct size *w = (const struct size *)(const void *)v;
    win_derived_save(&w->d, s);
    save_i(s, w->n);
}

static void load(struct view *v, struct load *l)
{
    struct size *w = (struct size *)(void *)v;
    win_derived_load(&w->d, l);
    w->n = load_i(l);
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
    struct size *w = MEM_NEW(struct size);
    win_derived_init(&w->d, &ops, step, env);
    win_derived_first(&w->d, row_of(w));
    return &w->d.w.v;
}

static int bind_it(struct bind *b, const struct ast_view *v, const struct etype *in,
                   struct view_step *step, const struct etype **ret_out, struct err *reterr)
{
    const struct ecol own = {.name = SLICE("size"), .ty = TY(LONG)};
    return win_derived_bind(b, v, in, (struct win_derived_step *)(void *)step, &own, 1, 0, ret_out,
                            reterr);
}

const struct view_def view_def_size = {
    .name = "size",
    .parameters = "[value, ...]",
    .step_bytes = sizeof(struct win_derived_step),
    .bind = bind_it,
    .make = make,
};
