/* SPDX-License-Identifier: Apache-2.0
 *
 * #linest(x, y): the straight line through the points, and #correl(x, y): how well it fits. Points
 * of which a number is null do not count.
 */
#include "core/base/mem.h"
#include "operators/window/win_derived.h"
#include "operators/window/win_state.h"

#define NUMBER(text)                                                                               \
    {                                                                                              \
        .name = SLICE(text), .ty = TY(DOUBLE)                                                      \
    }
#define WHOLE(text)                                                                                \
    {                                                                                              \
        .name = SLICE(text), .ty = TY(LONG)                                                        \
    }

static const struct ecol line_columns[] = {
    NUMBER("slope"),
    NUMBER("YIntercept"),
    NUMBER("XAverage"),
    NUMBER("XStandardDeviationPop"),
    NUMBER("XStandardDeviationSample"),
    NUMBER("XSum"),
    NUMBER("XVariance"),
    NUMBER("YAverage"),
    NUMBER("YStandardDeviationPop"),
    NUMBER("YStandardDeviationSample"),
    NUMBER("YSum"),
    NUMBER("YVariance"),
    WHOLE("dataPoints"),
    WHOLE("n"),
    NUMBER("sumX"),
    NUMBER("sumXSq"),
    NUMBER("sumXY"),
    NUMBER("sumY"),
    NUMBER("sumYSq"),
};

static const struct ecol correl_columns[] = {NUMBER("correlation")};

struct points {
    struct win_derived d;
    struct win_sums sums;
};

/* n times the squares of x, of y, and of both. */
static double spread(int64_t n, double sum, double sum2)
{
    return (double)n * sum2 - sum * sum;
}

static struct evt *line_row(struct points *w)
{
    const struct win_sums *s = &w->sums;
    double n = (double)s->n, xs = spread(s->n, s->x, s->xx);
    double slope = s->n < 2 || xs == 0 ? NAN : (n * s->xy - s->x * s->y) / xs;
    double mx = win_mean(s->n, s->x), my = win_mean(s->n, s->y);
    double vx = win_variance(s->n, s->x, s->xx), vy = win_variance(s->n, s->y, s->yy);
    const struct dat own[] = {
        dat_double(slope),
        dat_double(my - slope * mx),
        dat_double(mx),
        dat_double(sqrt(win_variance_all(s->n, s->x, s->xx))),
        dat_double(sqrt(vx)),
        dat_double(s->x),
        dat_double(vx),
        dat_double(my),
        dat_double(sqrt(win_variance_all(s->n, s->y, s->yy))),
        dat_double(sqrt(vy)),
        dat_double(s->y),
        dat_double(vy),
        dat_long(s->n),
        dat_long(s->n),
        dat_double(s->x),
        dat_double(s->xx),
        dat_double(s->xy),
        dat_double(s->y),
        dat_double(s->yy),
    };
    return win_derived_row(&w->d, own, ARRAY_LEN(own));
}

static struct evt *correl_row(struct points *w)
{
    const struct win_sums *s = &w->sums;
    double xs = spread(s->n, s->x, s->xx), ys = spread(s->n, s->y, s->yy);
    bool none = s->n < 2 || xs <= 0 || ys <= 0;
    double c = none ? NAN : ((double)s->n * s->xy - s->x * s->y) / sqrt(xs * ys);
    struct dat own = dat_double(c);
    return win_derived_row(&w->d, &own, 1);
}

static struct evt *row_of(struct points *w)
{
    return w->d.s->step.def == &view_def_correl ? correl_row(w) : line_row(w);
}

static void update(struct view *v, struct evt **nw, size_t n_nw, struct evt **old, size_t n_old)
{
    struct points *w = (struct points *)(void *)v;
    double xy[2];
    for (size_t i = 0; i < n_nw; i++) {
        if (win_derived_numbers(&w->d, nw[i], xy)) {
            win_sums_add(&w->sums, xy[0], xy[1], 1);
        }
    }
    for (size_t i = 0; i < n_old; i++) {
        if (win_derived_numbers(&w->d, old[i], xy)) {
            win_sums_add(&w->sums, xy[0], xy[1], -1);
        }
    }
    win_derived_seen(&w->d, nw, n_nw, old, n_old);
    win_derived_put(&w->d, row_of(w));
}

static void each(struct view *v, void (*fn)(void *arg, struct evt *e), void *arg)
{
    fn(arg, row_of((struct points *)(void *)v));
}

static void free_it(struct view *v)
{
    win_derived_done((struct win_derived *)(void *)v);
    mem_free(v);
}

/* What derived views have; sums. */
static void save(struct view *v, struct save *s)
{
    const struct points *w = (const struct points *)(const void *)v;
    win_derived_save(&w->d, s);
    win_sums_save(&w->sums, s);
}

static void load(struct view *v, struct load *l)
{
    struct points *w = (struct points *)(void *)v;
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
    struct points *w = MEM_NEW(struct points);
    win_derived_init(&w->d, &ops, step, env);
    win_derived_first(&w->d, row_of(w));
    return &w->d.w.v;
}

static int bind_line(struct bind *b, const struct ast_view *v, const struct etype *in,
                     struct view_step *step, const struct etype **ret_out, struct err *reterr)
{
    return win_derived_bind(b, v, in, (struct win_derived_step *)(void *)step, line_columns,
                            ARRAY_LEN(line_columns), 2, ret_out, reterr);
}

static int bind_correl(struct bind *b, const struct ast_view *v, const struct etype *in,
                       struct view_step *step, const struct etype **ret_out, struct err *reterr)
{
    return win_derived_bind(b, v, in, (struct win_derived_step *)(void *)step, correl_columns,
                            ARRAY_LEN(correl_columns), 2, ret_out, reterr);
}

const struct view_def view_def_linest = {
    .name = "linest",
    .parameters = "x, y [, value, ...]",
    .step_bytes = sizeof(struct win_derived_step),
    .bind = bind_line,
    .make = make,
};

const struct view_def view_def_correl = {
    .name = "correl",
    .parameters = "x, y [, value, ...]",
    .step_bytes = sizeof(struct win_derived_step),
    .bind = bind_correl,
    .make = make,
};
