/* SPDX-License-Identifier: Apache-2.0
 *
 * #linest(x, y): the straight line through the points, and #correl(x, y): how well it fits.
 */
#include "operators/window/win_figures.h"

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

/* n times the squares of x, of y, and of both. */
static double spread(int64_t n, double sum, double sum2)
{
    return (double)n * sum2 - sum * sum;
}

static void line_of(const struct win_sums *s, struct dat *ret)
{
    double n = (double)s->n, xs = spread(s->n, s->x, s->xx);
    double slope = s->n < 2 || xs == 0 ? NAN : (n * s->xy - s->x * s->y) / xs;
    double mx = win_mean(s->n, s->x), my = win_mean(s->n, s->y);
    double vx = win_variance(s->n, s->x, s->xx), vy = win_variance(s->n, s->y, s->yy);
    const struct dat own[ARRAY_LEN(line_columns)] = {
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
    memcpy(ret, own, sizeof own);
}

static void correl_of(const struct win_sums *s, struct dat *ret)
{
    double xs = spread(s->n, s->x, s->xx), ys = spread(s->n, s->y, s->yy);
    bool none = s->n < 2 || xs <= 0 || ys <= 0;
    *ret = dat_double(none ? NAN : ((double)s->n * s->xy - s->x * s->y) / sqrt(xs * ys));
}

static const struct win_figures line = {line_columns, ARRAY_LEN(line_columns), 2, line_of};
static const struct win_figures correl = {correl_columns, ARRAY_LEN(correl_columns), 2, correl_of};

const struct view_def view_def_linest = {
    .name = "linest",
    .parameters = "x, y [, value, ...]",
    WIN_FIGURES(&line),
};

const struct view_def view_def_correl = {
    .name = "correl",
    .parameters = "x, y [, value, ...]",
    WIN_FIGURES(&correl),
};
