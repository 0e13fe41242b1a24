/* SPDX-License-Identifier: Apache-2.0
 *
 * The front door of the language: text to syntax tree and back, and errors shown the way people
 * read them. Nothing is looked up here; binding and planning are in operators/plan.
 */
#ifndef OPERATORS_EPL_EPL_H
#define OPERATORS_EPL_EPL_H

#include "core/base/arena.h"
#include "core/base/buf.h"
#include "core/base/err.h"
#include "operators/epl/ast.h"

/* A module: statements with ';' between them. `text` must outlive the arena's contents. Limits of
 * text, tokens and depth are errors with a span. */
int epl_parse(struct arena *a, struct slice text, struct ast_module **ret_module,
              struct err *reterr) NODISCARD;
/* The same with pauses, a statement or some hundred words after the other (lex.h); NULL: none. */
struct epl_pause;
int epl_parse_pausing(struct arena *a, struct slice text, const struct epl_pause *pause,
                      struct ast_module **ret_module, struct err *reterr) NODISCARD;
/* What @Name says, the first one if there are several; empty: it has no name. */
struct slice epl_name(const struct ast_stmt *s);
/* Statements of one module have names of their own: the second `a` becomes `a-1`, the third `a-2`;
 * a number that somebody has already is passed over. */
void epl_tell_apart(struct arena *a, struct ast_module *m);
/* One on-demand query or statement. */
int epl_parse_query(struct arena *a, struct slice text, struct ast_stmt **ret_stmt,
                    struct err *reterr) NODISCARD;
/* One expression alone. */
int epl_parse_expr(struct arena *a, struct slice text, struct ast_expr **ret_expr,
                   struct err *reterr) NODISCARD;

/* EPL again: parse(print(parse(x))) equals parse(x). */
void epl_print_module(const struct ast_module *m, struct buf *out);
void epl_print_stmt(const struct ast_stmt *s, struct buf *out);
/* The way columns without a name are called: no blanks around operators, strings in double
 * quotes, -x as -1*x. */
void epl_print_column(const struct ast_expr *e, struct buf *out);
void epl_print_expr(const struct ast_expr *e, struct buf *out);

/* file:line:col: message, the line, and carets below the span. */
void epl_diag_text(const struct err *e, struct slice file, struct slice text, struct buf *out);
void epl_diag_json(const struct err *e, struct slice file, struct buf *out);

#endif
