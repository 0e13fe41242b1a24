/* SPDX-License-Identifier: Apache-2.0
 *
 * #uni(x): statistics of one number.
 */
#include "operators/window/win_figures.h"

static const struct ecol columns[] = {
    {.name = SLICE("datapoints"), .ty = TY(LONG)}, {.name = SLICE("total"), .ty = TY(DOUBLE)},
    {.name = SLICE("stddev"), .ty = TY(DOUBLE)},   {.name = SLICE("stddevpa"), .ty = TY(DOUBLE)},
    {.name = SLICE("variance"), .ty = TY(DOUBLE)}, {.name = SLICE("average"), .ty = TY(DOUBLE)},
};

static void figures_of(const struct win_sums *s, struct dat *ret)
{
    double variance = win_variance(s->n, s->x, s->xx);
    const struct dat own[ARRAY_LEN(columns)] = {
        dat_long(s->n),
        dat_double(s->x),
        dat_double(sqrt(variance)),
        dat_double(sqrt(win_variance_all(s->n, s->x, s->xx))),
        dat_double(variance),
        dat_double(win_mean(s->n, s->x)),
    };
    memcpy(ret, own, sizeof own);
}

static const struct win_figures figures = {columns, ARRAY_LEN(columns), 1, figures_of};

const struct view_def view_def_uni = {
    .name = "uni",
    .parameters = "number [, value, ...]",
    WIN_FIGURES(&figures),
};
