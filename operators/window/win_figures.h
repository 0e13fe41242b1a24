/* SPDX-License-Identifier: Apache-2.0
 *
 * Views that show figures of sums: #uni, #weighted_avg, #linest, #correl. What a view of this kind
 * is by itself stands in one row: its columns, how many numbers it reads of an event, and what
 * follows from their sums. To add one: a file with such a row and a view_def of WIN_FIGURES.
 */
#ifndef OPERATORS_WINDOW_WIN_FIGURES_H
#define OPERATORS_WINDOW_WIN_FIGURES_H

#include "operators/window/win_derived.h"
#include "operators/window/win_stat.h"

enum { WIN_FIGURES_MAX = 24 };

struct win_figures { /* hangs on the view_def */
    const struct ecol *columns;
    uint32_t n_columns, n_numbers;                         /* numbers: one (x) or two (x and y) */
    void (*of)(const struct win_sums *s, struct dat *ret); /* a value for each column */
};

/* The members of view_def that are alike. */
#define WIN_FIGURES(figures_)                                                                      \
    .figures = (figures_), .step_bytes = sizeof(struct win_derived_step),                          \
    .bind = win_figures_bind, .make = win_figures_make

int win_figures_bind(struct bind *b, const struct ast_view *v, const struct etype *in,
                     struct view_step *step, const struct etype **ret_out, struct err *reterr);
struct view *win_figures_make(const struct view_step *step, struct view_env *env);

#endif
