/* SPDX-License-Identifier: Apache-2.0
 *
 * Between the files of the evaluator, and periods for whoever needs calendar time.
 */
#ifndef OPERATORS_EXPR_EVAL_IMPL_H
#define OPERATORS_EXPR_EVAL_IMPL_H

#include "operators/expr/ectx.h"
#include "operators/expr/period.h"

/* fn_*.c */
struct dat fn_call(const struct ex *e, struct ectx *c);
struct dat fn_method(const struct ex *e, struct ectx *c);
struct dat fn_enum(const struct ex *e, struct ectx *c);
struct dat fn_like(const struct ex *e, struct ectx *c);
struct dat fn_regexp(const struct ex *e, struct ectx *c);
struct dat fn_cast(const struct ex *e, struct ectx *c);
struct dat fn_instanceof(const struct ex *e, struct ectx *c);
struct dat fn_typeof(const struct ex *e, struct ectx *c);
/* eval_arith.c */
struct dat eval_conv(const struct ex *e, struct ectx *c);
struct dat eval_neg(const struct ex *e, struct ectx *c);
struct dat eval_add(const struct ex *e, struct ectx *c);
struct dat eval_sub(const struct ex *e, struct ectx *c);
struct dat eval_mul(const struct ex *e, struct ectx *c);
struct dat eval_div(const struct ex *e, struct ectx *c);
struct dat eval_mod(const struct ex *e, struct ectx *c);
struct dat eval_bits(const struct ex *e, struct ectx *c);
struct dat eval_concat(const struct ex *e, struct ectx *c);
/* eval_cond.c */
struct dat eval_cmp_i(const struct ex *e, struct ectx *c);
struct dat eval_cmp_d(const struct ex *e, struct ectx *c);
struct dat eval_cmp_s(const struct ex *e, struct ectx *c);
struct dat eval_cmp_any(const struct ex *e, struct ectx *c);
struct dat eval_is(const struct ex *e, struct ectx *c);
struct dat eval_and(const struct ex *e, struct ectx *c);
struct dat eval_or(const struct ex *e, struct ectx *c);
struct dat eval_not(const struct ex *e, struct ectx *c);
struct dat eval_between(const struct ex *e, struct ectx *c);
struct dat eval_in(const struct ex *e, struct ectx *c);
struct dat eval_bucket(const struct ex *e, struct ectx *c); /* bucket.c */
struct dat eval_quant(const struct ex *e, struct ectx *c);

#endif
