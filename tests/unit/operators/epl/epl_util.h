/* SPDX-License-Identifier: Apache-2.0
 *
 * Parse or fail the test, with an arena that lives as long as the test program.
 */
#ifndef TESTS_UNIT_OPERATORS_EPL_UTIL_H
#define TESTS_UNIT_OPERATORS_EPL_UTIL_H

#include "operators/epl/epl.h"
#include "tests/test.h"

/* A fresh arena; the one of the call before is freed. */
struct arena *util_arena(void);
struct ast_expr *util_expr(const char *text);
struct ast_stmt *util_stmt(const char *text);  /* the only statement of a module */
struct ast_stmt *util_query(const char *text); /* on demand */
/* Expects a refusal; the error stays valid until the next call. */
const struct err *util_refused(const char *text);
const struct err *util_refused_query(const char *text);
/* The print of the module, query or expression: valid until the next call. */
const char *util_print_stmt(const struct ast_stmt *s);
const char *util_print_expr(const struct ast_expr *e);
const char *util_column(const char *text);

#endif
