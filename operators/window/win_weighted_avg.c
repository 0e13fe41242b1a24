/* SPDX-License-Identifier: Apache-2.0
 *
 * #weighted_avg(x, weight): the average of x, each counted as often as its weight says. Events of
 * which either is null do not count.
 */
#include "core/base/mem.h"
#include "operators/window/win_derived.h"
#include "operators/window/win_state.h"

static const struct ecol columns[] = {{.name = SLICE("average"), .ty = TY(DOUBLE)}};

struct weighted {
    struct win_derived d;
    struct win_sums sums; /* x: weight; y: the number; xy: what is divided */
};

static struct evt *row_of(struct weighted *w)
{
    struct dat own = dat_double(w->sums.x == 0 ? NAN : w->sums.xy / w->sums.x);
    return win_derived_row(&w->d, &own, 1);
}

static void update(struct view *v, struct evt **nw, size_t n_nw, struct evt **old, size_t n_old)
{
    struct weighted *w = (struct weighted *)(void *)v;
    double x[2];
    for (size_t i = 0; i < n_nw; i++) {
        if (win_derived_numbers(&w->d, nw[i], x)) {
            win_sums_add(&w->sums, x[1], x[0], 1);
        }
    }
    for (size_t i = 0; i < n_old; i++) {
        if (win_derived_numbers(&w->d, old[i], x)) {
            win_sums_add(&w->sums, x[1], x[0], -1);
        }
    }
    win_derived_seen(&w->d, nw, n_nw, old, n_old);
    win_derived_put(&w->d, row_of(w));
}

static void each(struct view *v, void (*fn)(void *arg, struct evt *e), void *arg)
{
    fn(arg, row_of((struct weighted *)(void *)v));
}

static void free_it(struct view *v)
{
    win_derived_done((struct win_derived *)(void *)v);
    mem_free(v);
}

/* What derived views have; sums. */
static void save(struct view *v, struct save *s)
{
    const struct weighted *w = (const struct weighted *)(const void *)v;
    win_derived_save(&w->d, s);
    win_sums_save(&w->sums, s);
}

static void load(struct view *v, struct load *l)
{
    struct weighted *w = (struct weighted *)(void *)v;
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

static struct view *make(const struct view_step *step, struct view_env *env)
{
    struct weighted *w = MEM_NEW(struct weighted);
    win_derived_init(&w->d, &ops, step, env);
    win_derived_first(&w->d, row_of(w));
    return &w->d.w.v;
}

static int bind_it(struct bind *b, const struct ast_view *v, const struct etype *in,
                   struct view_step *step, const struct etype **ret_out, struct err *reterr)
{
    return win_derived_bind(b, v, in, (struct win_derived_step *)(void *)step, columns,
                            ARRAY_LEN(columns), 2, ret_out, reterr);
}

const struct view_def view_def_weighted_avg = {
    .name = "weighted_avg",
    .parameters = "number, weight [, value, ...]",
    .step_bytes = sizeof(struct win_derived_step),
    .bind = bind_it,
    .make = make,
};
