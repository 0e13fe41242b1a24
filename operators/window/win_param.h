/* SPDX-License-Identifier: Apache-2.0
 *
 * Reading parameters of views. Keys, timestamps and values see the one stream; sizes and periods
 * see no stream and are evaluated once, when the view is made.
 */
#ifndef OPERATORS_WINDOW_WIN_PARAM_H
#define OPERATORS_WINDOW_WIN_PARAM_H

#include "operators/window/win.h"

/* Usage error if the number of parameters is out of bounds. */
int win_count(const struct view_def *d, const struct ast_view *v, uint32_t min, uint32_t max,
              struct err *reterr);
/* "#length wants: size". Returns < 0. */
int win_usage(const struct view_def *d, struct span span, struct err *reterr);
/* An int, at least 1 if it is known. must_be_const: of #rank. */
int win_size(struct bind *b, const struct view_def *d, const struct ast_expr *e, bool must_be_const,
             struct ex **ret, struct err *reterr);
int win_period(struct bind *b, const struct view_def *d, const struct ast_expr *e, struct ex **ret,
               struct err *reterr);
/* A whole constant, for reference points. */
int win_reference(struct bind *b, const struct view_def *d, const struct ast_expr *e, int64_t *ret,
                  struct err *reterr);
/* A string with FORCE_UPDATE, START_EAGER. */
int win_flags(struct bind *b, const struct view_def *d, const struct ast_expr *e, bool *ret_force,
              bool *ret_eager, struct err *reterr);
/* Any value of the event; refuses constants. */
int win_value(struct bind *b, const struct view_def *d, const struct ast_expr *e,
              const struct etype *in, struct ex **ret, struct err *reterr);
/* A number of the event. integer: whole. */
int win_number(struct bind *b, const struct view_def *d, const struct ast_expr *e,
               const struct etype *in, bool integer, struct ex **ret, struct err *reterr);
/* n values into an array of the arena. */
int win_values(struct bind *b, const struct view_def *d, struct ast_expr *const *e, uint32_t n,
               const struct etype *in, struct ex ***ret, struct err *reterr);
/* Sort criteria: values, each with desc or not. */
int win_criteria(struct bind *b, const struct view_def *d, struct ast_expr *const *e, uint32_t n,
                 const struct etype *in, struct ex ***ret, bool **ret_desc, struct err *reterr);
/* A condition that sees the stream, `pseudo` columns and aggregations over the window. */
int win_cond(struct bind *b, const struct view_def *d, const struct ast_expr *e,
             const struct etype *in, const struct etype *pseudo, struct agg_set *aggs,
             struct ex **ret, struct err *reterr);
/* Many views have one parameter or none: their steps and `bind` functions. */
struct win_one {
    struct view_step step;
    struct ex *e; /* NULL: none */
};
int win_bind_none(struct bind *b, const struct ast_view *v, const struct etype *in,
                  struct view_step *step, const struct etype **ret_out, struct err *reterr);
int win_bind_size(struct bind *b, const struct ast_view *v, const struct etype *in,
                  struct view_step *step, const struct etype **ret_out, struct err *reterr);
int win_bind_period(struct bind *b, const struct ast_view *v, const struct etype *in,
                    struct view_step *step, const struct etype **ret_out, struct err *reterr);
static inline const struct ex *win_one_of(const struct view_step *step)
{
    return ((const struct win_one *)(const void *)step)->e;
}
struct win_keys { /* of views by key */
    struct view_step step;
    struct ex **keys;
    uint32_t n_keys;
};
int win_bind_keys(struct bind *b, const struct ast_view *v, const struct etype *in,
                  struct view_step *step, const struct etype **ret_out, struct err *reterr);
size_t win_size_of(struct view_env *env, const struct ex *size); /* at least 1 */

/* A scope of the stream, or of none (in NULL), inside the caller's. */
struct scope win_scope(const struct bind *b, const struct etype *in, struct bind_stream *stream);

#endif
