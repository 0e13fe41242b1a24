/* SPDX-License-Identifier: Apache-2.0
 *
 * Between the binders of functions, methods and enumeration methods.
 */
#ifndef OPERATORS_PLAN_BIND_FN_H
#define OPERATORS_PLAN_BIND_FN_H

#include "operators/plan/bind_impl.h"
#include "operators/sig/fn.h"

/* Letter of a value of that type as a receiver (fn.h). */
char bind_fn_letter(struct ty t);
/* A call of the first row of that name (and receiver letter; 0: any) whose signature takes the
 * arguments: x has them from args[at] on. 1, 0 if the name is unknown, < 0 if nothing fits. */
int bind_fn_pick(struct bind *b, enum fn_kind kind, struct slice name, char recv, struct ex *x,
                 uint32_t at, struct err *reterr);
/* 1, 0, < 0. */
int bind_enum(struct bind *b, struct ex *recv, const struct ast_seg *seg, struct ex **ret,
              struct err *reterr);

#endif
