/* SPDX-License-Identifier: Apache-2.0
 *
 * #uni(x): statistics of one number. Null does not count; a row for each change nevertheless.
 */
#include "core/base/mem.h"
#include "operators/window/win_derived.h"
#include "operators/window/win_state.h"

static const struct ecol columns[] = {
    {.name = SLICE("datapoints"), .ty = TY(LONG)}, {.name = SLICE("total"), .ty = TY(DOUBLE)},
    {.name = SLICE("stddev"), .ty = TY(DOUBLE)},   {.name = SLICE("stddevpa"), .ty = TY(DOUBLE)},
    {.name = SLICE("variance"), .ty = TY(DOUBLE)}, {.name = SLICE("average"), .ty = TY(DOUBLE)},
};

struct uni {
    struct win_derived d;
    struct win_sums sums;
};

static struct evt *row_of(struct uni *w)
{
    const struct win_sums *s = &w->sums;
    double variance = win_variance(s->n, s->x, s->xx);
    const struct dat own[] = {
        dat_long(s->n),
        dat_double(s->x),
        dat_double(sqrt(variance)),
        dat_double(sqrt(win_variance_all(s->n, s->x, s->xx))),
        dat_double(variance),
        dat_double(win_mean(s->n, s->x)),
    };
    return win_derived_row(&w->d, own, ARRAY_LEN(own));
}

static void update(struct view *v, struct evt **nw, size_t n_nw, struct evt **old, size_t n_old)
{
    struct uni *w = (struct uni *)(void *)v;
    double x;
    for (size_t i = 0; i < n_nw; i++) {
        if (win_derived_numbers(&w->d, nw[i], &x)) {
            win_sums_add(&w->sums, x, 0, 1);
        }
    }
    for (size_t i = 0; i < n_old; i++) {
        if (win_derived_numbers(&w->d, old[i], &x)) {
            win_sums_add(&w->sums, x, 0, -1);
        }
    }
    win_derived_seen(&w->d, nw, n_nw, old, n_old);
    win_derived_put(&w->d, row_of(w));
}

static void each(struct view *v, void (*fn)(void *arg, struct evt *e), void *arg)
{
    fn(arg, row_of((struct uni *)(void *)v));
}

static void free_it(struct view *v)
{
    win_derived_done((struct win_derived *)(void *)v);
    mem_free(v);
}

/* What derived views have; sums. */
static void save(struct view *v, struct save *s)
{
    const struct uni *w = (const struct uni *)(const void *)v;
    win_derived_save(&w->d, s);
    win_sums_save(&w->sums, s);
}

static void load(struct view *v, struct load *l)
{
    struct uni *w = (struct uni *)(void *)v;
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
    struct uni *w = MEM_NEW(struct uni);
    win_derived_init(&w->d, &ops, step, env);
    win_derived_first(&w->d, row_of(w));
    return &w->d.w.v;
}

static int bind_it(struct bind *b, const struct ast_view *v, const struct etype *in,
                   struct view_step *step, const struct etype **ret_out, struct err *reterr)
{
    return win_derived_bind(b, v, in, (struct win_derived_step *)(void *)step, columns,
                            ARRAY_LEN(columns), 1, ret_out, reterr);
}

const struct view_def view_def_uni = {
    .name = "uni",
    .parameters = "number [, value, ...]",
    .step_bytes = sizeof(struct win_derived_step),
    .bind = bind_it,
    .make = make,
};
