/* SPDX-License-Identifier: Apache-2.0
 *
 * Between the files of this folder: operations on values that the interpreter (vm.c) does not do by
 * itself. None of them evaluates anything but fn_enum (lambdas).
 */
#ifndef OPERATORS_EXPR_EVAL_IMPL_H
#define OPERATORS_EXPR_EVAL_IMPL_H

#include "operators/expr/ectx.h"
#include "operators/expr/period.h"
#include "operators/expr/vm.h"

enum { CONCAT_MAX = 16, TEXT_MAX = 16 << 20 }; /* texts at a time; bytes of one */

/* What is done by APPLY; NULL: nothing of that name. */
extern ex_apply *const eval_applies[EX_OP_COUNT];

/* eval_arith.c: null if an operand is. */
struct dat eval_convert(enum ty_kind to, struct dat v, struct ectx *c);
struct dat eval_neg(enum ty_kind t, struct dat v, struct ectx *c);
struct dat eval_arith(enum ex_op op, enum ty_kind t, struct dat a, struct dat b, struct ectx *c);
struct dat eval_concat(const struct dat *v, uint32_t n, struct ectx *c);
struct dat eval_extreme(struct dat a, struct dat b, int sign);
/* eval_cond.c; flags: VM_FLAG_NOT and so on. */
struct dat eval_between(struct dat x, struct dat lo, struct dat hi, unsigned flags);
struct dat eval_in_const(struct dat x, const struct dat *k, uint32_t n, unsigned flags);
int eval_among(struct dat x, struct dat v, bool spread); /* 1 found, 0 not, -1 met a null */
/* A list or map whose elements `in` and `any` look at. */
static inline bool ex_has_elements(const struct ex *e)
{
    return e->ty.kind == TY_LIST || e->ty.kind == TY_MAP;
}
struct dat eval_in(const struct ex *e, struct ectx *c, const struct dat *v);
struct dat eval_quant(const struct ex *e, struct ectx *c, const struct dat *v);
struct dat eval_bucket(const struct ex *e, struct ectx *c, const struct dat *v); /* bucket.c */
/* eval.c */
struct dat eval_property(struct dat of, struct slice name);
/* period.c */
bool eval_period(const struct ex *e, const struct dat *v, int64_t *ret_months, double *ret_ms);
/* fn_*.c */
struct dat fn_enum(const struct ex *e, struct ectx *c, struct dat list);
struct dat fn_like(const struct ex *e, struct ectx *c, const struct dat *v);
struct dat fn_regexp(const struct ex *e, struct ectx *c, const struct dat *v);
struct dat fn_cast(const struct ex *e, struct ectx *c, const struct dat *v);
struct dat fn_instanceof(const struct ex *e, struct ectx *c, const struct dat *v);
struct dat fn_typeof(const struct ex *e, struct ectx *c, const struct dat *v);

#endif
