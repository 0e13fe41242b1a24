/* SPDX-License-Identifier: Apache-2.0
 *
 * Enumeration methods as the engine has them, but with their lambdas run by tree_eval.
 */
#include "expr_tree.h"

#define ex_eval tree_eval
#define fn_enum tree_enum
#include "operators/expr/fn_enum.c"
