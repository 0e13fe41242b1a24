/* SPDX-License-Identifier: Apache-2.0
 *
 * The plain way to run a bound expression: by walking its tree, a function per operation. Tests
 * hold the programs of operators/expr against it, and the benchmark measures what they save.
 */
#ifndef TESTS_UNIT_OPERATORS_EXPR_EXPR_TREE_H
#define TESTS_UNIT_OPERATORS_EXPR_EXPR_TREE_H

#include "operators/expr/ectx.h"

struct dat tree_eval(const struct ex *e, struct ectx *c);
/* An enumeration method of this list, lambdas by tree_eval (tree_enum.c). */
struct dat tree_enum(const struct ex *e, struct ectx *c, struct dat list);

#endif
