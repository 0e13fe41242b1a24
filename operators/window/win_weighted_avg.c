/* SPDX-License-Identifier: Apache-2.0
 *
 * #weighted_avg(x, weight): the average of x, each counted as often as its weight says.
 */
#include "operators/window/win_figures.h"

static const struct ecol columns[] = {{.name = SLICE("average"), .ty = TY(DOUBLE)}};

/* y: the weight. */
static void figures_of(const struct win_sums *s, struct dat *ret)
{
    *ret = dat_double(s->y == 0 ? NAN : s->xy / s->y);
}

static const struct win_figures figures = {columns, ARRAY_LEN(columns), 2, figures_of};

const struct view_def view_def_weighted_avg = {
    .name = "weighted_avg",
    .parameters = "number, weight [, value, ...]",
    WIN_FIGURES(&figures),
};
