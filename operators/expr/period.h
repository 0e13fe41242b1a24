/* SPDX-License-Identifier: Apache-2.0
 *
 * Periods of time (EX_PERIOD): months are calendar, the rest milliseconds. Also comparisons shared
 * with subqueries.
 */
#ifndef OPERATORS_EXPR_PERIOD_H
#define OPERATORS_EXPR_PERIOD_H

#include "operators/expr/ectx.h"

/* false if a part is null. */
bool ex_period(const struct ex *e, struct ectx *c, int64_t *ret_months, double *ret_ms);
/* `from` plus the period (sign -1: minus); INT64_MIN if a part is null. */
int64_t ex_after(const struct ex *e, struct ectx *c, int64_t from, int sign);
/* x op y with null and type rules of operators; cmp is OP_EQ ... OP_GE. */
struct dat ex_compare(enum ast_op cmp, struct dat x, struct dat y, bool strict_kinds);

#endif
