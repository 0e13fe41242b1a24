/* SPDX-License-Identifier: Apache-2.0
 *
 * Between the files of the binder only.
 */
#ifndef OPERATORS_PLAN_BIND_IMPL_H
#define OPERATORS_PLAN_BIND_IMPL_H

#include "operators/plan/bind.h"

struct slice bind_type_text(struct bind *b, struct ty t);
struct ex *bind_number_as(struct bind *b, struct ex *e, struct ty to);
int bind_args(struct bind *b, struct ast_expr *const *args, uint32_t n, struct ex *to, uint32_t at,
              struct err *reterr);
/* bind_cond.c */
int bind_logic(struct bind *b, const struct ast_expr *e, struct ex **ret, struct err *reterr);
int bind_not(struct bind *b, const struct ast_expr *e, struct ex **ret, struct err *reterr);
int bind_compare(struct bind *b, struct span span, enum ast_op op, struct ex *l, struct ex *r,
                 struct ex **ret, struct err *reterr);
int bind_between(struct bind *b, const struct ast_expr *e, struct ex **ret, struct err *reterr);
int bind_in(struct bind *b, const struct ast_expr *e, struct ex **ret, struct err *reterr);
int bind_like(struct bind *b, const struct ast_expr *e, struct ex **ret, struct err *reterr);
int bind_is_null(struct bind *b, const struct ast_expr *e, struct ex **ret, struct err *reterr);
int bind_case(struct bind *b, const struct ast_expr *e, struct ex **ret, struct err *reterr);
int bind_cast(struct bind *b, const struct ast_expr *e, struct ex **ret, struct err *reterr);
int bind_instanceof(struct bind *b, const struct ast_expr *e, struct ex **ret, struct err *reterr);
int bind_quant(struct bind *b, const struct ast_expr *e, struct ex **ret, struct err *reterr);
int bind_subquery(struct bind *b, const struct ast_expr *e, struct ex **ret, struct err *reterr);
/* bind_chain.c, bind_builtin.c */
int bind_chain(struct bind *b, const struct ast_expr *e, struct ex **ret, struct err *reterr);
/* prev, prior, coalesce, min, max, ...: 1, 0 or < 0. */
int bind_builtin(struct bind *b, const struct ast_expr *chain, const struct ast_seg *seg,
                 struct ex **ret, struct err *reterr);
int bind_member(struct bind *b, struct ex *of, const struct ast_seg *seg, struct ex **ret,
                struct err *reterr);
/* A property of one of the scope's own streams: 1, 0, < 0 (in two streams). */
int bind_property(struct bind *b, const struct ast_seg *seg, struct ex **ret, struct err *reterr);

#endif
