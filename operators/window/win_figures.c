/* SPDX-License-Identifier: Apache-2.0
 *
 * See win_figures.h. Events of which a number is null do not count; there is a row for each change
 * nevertheless.
 */
#include "operators/window/win_figures.h"

#include "core/base/mem.h"
#include "operators/window/win_state.h"

#include <assert.h>

struct figures {
    struct win_derived d;
    struct win_sums sums;
};

static struct evt *row_of(struct figures *w)
{
    const struct win_figures *f = w->d.s->step.def->figures;
    struct dat own[WIN_FIGURES_MAX];
    assert(f->n_columns <= WIN_FIGURES_MAX);
    f->of(&w->sums, own);
    return win_derived_row(&w->d, own, f->n_columns);
}

static void count(struct figures *w, struct evt *e, int sign)
{
    double xy[2] = {0, 0};
    if (win_derived_numbers(&w->d, e, xy)) {
        win_sums_add(&w->sums, xy[0], xy[1], sign);
    }
}

static void update(struct view *v, struct evt **nw, size_t n_nw, struct evt **old, size_t n_old)
{
    struct figures *w = (struct figures *)(void *)v;
    for (size_t i = 0; i < n_nw; i++) {
        count(w, nw[i], 1);
    }
    for (size_t i = 0; i < n_old; i++) {
        count(w, old[i], -1);
    }
    win_derived_seen(&w->d, nw, n_nw, old, n_old);
    win_derived_put(&w->d, row_of(w));
}

static void each(struct view *v, void (*fn)(void *arg, struct evt *e), void *arg)
{
    fn(arg, row_of((struct figures *)(void *)v));
}

static void free_it(struct view *v)
{
    win_derived_done((struct win_derived *)(void *)v);
    mem_free(v);
}

/* What derived views have; sums. */
static void save(struct view *v, struct save *s)
{
    const struct figures *w = (const struct figures *)(const void *)v;
    win_derived_save(&w->d, s);
    win_sums_save(&w->sums, s);
}

static void load(struct view *v, struct load *l)
{
    struct figures *w = (struct figures *)(void *)v;
    win_derived_load(&w->d, l);
    win_sums_load(&w->sums, l);
}

static const struct view_ops ops = {
    .update = update,
    .each = each,
    .free = free_it,
    .save = save,
    .load = load,
};

struct view *win_figures_make(const struct view_step *step, struct view_env *env)
{
    struct figures *w = MEM_NEW(struct figures);
    win_derived_init(&w->d, &ops, step, env);
    win_derived_first(&w->d, row_of(w));
    return &w->d.w.v;
}

int win_figures_bind(struct bind *b, const struct ast_view *v, const struct etype *in,
                     struct view_step *step, const struct etype **ret_out, struct err *reterr)
{
    const struct win_figures *f = step->def->figures;
    assert(f->n_numbers == 1 || f->n_numbers == 2);
    return win_derived_bind(b, v, in, (struct win_derived_step *)(void *)step, f->columns,
                            f->n_columns, f->n_numbers, ret_out, reterr);
}
