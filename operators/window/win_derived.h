/* SPDX-License-Identifier: Apache-2.0
 *
 * What derived views have in common: they keep numbers, not events, and put out one row per change
 * of their input: the row as it is now as new, the row as it was as old. Parameters beyond the
 * numbers are further columns: their values of the last event that came.
 */
#ifndef OPERATORS_WINDOW_WIN_DERIVED_H
#define OPERATORS_WINDOW_WIN_DERIVED_H

#include "operators/sig/cause.h"
#include "operators/window/win.h"

struct win_derived_step {
    struct view_step step;
    struct ex **args; /* the numbers, then the further columns */
    uint32_t n_numbers, n_args;
};

struct win_derived { /* first member of each */
    struct win w;
    const struct win_derived_step *s;
    struct dat *extra;       /* kept: values of the further columns */
    struct evt *was;         /* kept: the row put out last */
    struct cause_live *live; /* what is counted, if causes are wanted; or, where nothing leaves, */
    struct cause_ever *ever; /* what ever was */
};

/* own: columns of the view itself. `*` among the further columns stands for all of them. */
int win_derived_bind(struct bind *b, const struct ast_view *v, const struct etype *in,
                     struct win_derived_step *s, const struct ecol *own, uint32_t n_own,
                     uint32_t n_numbers, const struct etype **ret_out, struct err *reterr);
void win_derived_init(struct win_derived *d, const struct view_ops *ops,
                      const struct view_step *step, struct view_env *env);
void win_derived_done(struct win_derived *d);
/* The further columns and the row put out last. */
void win_derived_save(const struct win_derived *d, struct save *s);
void win_derived_load(struct win_derived *d, struct load *l);
/* The numbers of an event as doubles; false if one is null. */
bool win_derived_numbers(struct win_derived *d, struct evt *e, double *ret);
/* Takes the further columns of the last event that came, and all of them as causes. */
void win_derived_seen(struct win_derived *d, struct evt **nw, size_t n_nw, struct evt **old,
                      size_t n_old);
/* A row with these columns of the view's own and the further ones. */
struct evt *win_derived_row(struct win_derived *d, const struct dat *own, uint32_t n_own);
/* Puts out the row as it is now, and the one before. The very first `before` is of no events:
 * whoever has one calls this with it at begin. */
void win_derived_put(struct win_derived *d, struct evt *row);
void win_derived_first(struct win_derived *d, struct evt *row);

#endif
