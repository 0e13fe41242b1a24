/* SPDX-License-Identifier: Apache-2.0
 *
 * The syntax tree of EPL: what the parser saw, nothing it concluded. Names are as written (back
 * ticks and escapes resolved), nothing is looked up, every node carries the span of its text.
 * All of it lives in the arena given to epl_parse and dies with it; lists are arrays with a count
 * beside them. Binding (operators/plan) reads this and writes its own structures.
 *
 * Expressions are one struct with a kind (ast.def) because printing and walking them is uniform;
 * statements have a struct each, for each is read in one place.
 */
#ifndef OPERATORS_EPL_AST_H
#define OPERATORS_EPL_AST_H

#include "operators/epl/ast_context.h"
#include "operators/epl/ast_expr.h"
#include "operators/epl/ast_pattern.h"
#include "operators/epl/ast_select.h"
#include "operators/epl/ast_stmt.h"

#endif
