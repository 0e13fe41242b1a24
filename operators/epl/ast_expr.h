/* SPDX-License-Identifier: Apache-2.0
 *
 * Expressions of the syntax tree: one struct with a kind (ast.def says what each kind has), because
 * printing and walking them is uniform.
 */
#ifndef OPERATORS_EPL_AST_EXPR_H
#define OPERATORS_EPL_AST_EXPR_H

#include "core/base/slice.h"

struct ast_select;
struct ast_pat;

struct span {
    uint32_t off, len, line, col; /* bytes into the text; line and col from 1 */
};

enum ast_kind {
#define AST(name, doc) AST_##name,
#include "operators/epl/ast.def"
#undef AST
    AST_KIND_COUNT
};

enum ast_op { /* of AST_BINARY and AST_QUANT */
              OP_NONE,
              OP_OR,
              OP_AND,
              OP_EQ,
              OP_NE,
              OP_IS,
              OP_IS_NOT,
              OP_LT,
              OP_LE,
              OP_GT,
              OP_GE,
              OP_BIT_OR,
              OP_BIT_AND,
              OP_BIT_XOR,
              OP_CONCAT,
              OP_ADD,
              OP_SUB,
              OP_MUL,
              OP_DIV,
              OP_MOD,
};

/* One step of a chain: `name`, `name(args)`, `name[index]`, `name('key')` (a call to the parser),
 * each with `?` behind it or not. Of `sum(distinct x, filter: y)`: distinct, and an argument named
 * "filter". */
struct ast_seg {
    struct span span;
    struct slice name;
    bool is_call, has_index, optional, distinct, star; /* star: count(*), window(*), s.* */
    struct ast_expr **args;                            /* of the call, or the indexes */
    uint32_t n_args;
};

struct ast_named { /* new {name = e}, for measures, view parameters by name, assignments */
    struct span span;
    struct slice name;       /* may be empty */
    struct ast_expr *target; /* of assignments: a chain such as a.b or w[1] */
    struct ast_expr *e;
};

struct ast_expr {
    enum ast_kind kind;
    struct span span;
    struct slice text; /* string, parameter type, type of cast, argument name of AST_NAMED_ARG */
    int64_t i;         /* AST_INT, AST_LONG, AST_BOOL */
    double d;          /* AST_DOUBLE, AST_FLOAT */
    enum ast_op op;
    bool negated;             /* not in, not like, not between, is not null */
    bool low_open, high_open; /* in (a:b] */
    uint8_t quant;            /* AST_QUANT: 0 any/some, 1 all */
    struct ast_expr **args;   /* operands, left to right; see ast.def for each kind */
    uint32_t n_args;
    struct ast_seg *segs; /* AST_CHAIN; args[0], if any, is the head the chain hangs on */
    uint32_t n_segs;
    struct ast_named *named; /* AST_NEW */
    uint32_t n_named;
    struct slice *names; /* AST_LAMBDA parameters; AST_INSTANCEOF types */
    uint32_t n_names;
    struct ast_select *select; /* AST_SUBQUERY, AST_EXISTS, AST_IN_QUERY, AST_QUANT with a query */
    bool paren;                /* stood in parentheses: printing and case need it */
};

/* @name('x'), @Priority(1), @Hint('a', 'b'), @DiscardPartialsOnMatch: values are constants. */
struct ast_annot {
    struct span span;
    struct slice name;
    struct ast_named *values; /* name empty for @A(v) */
    uint32_t n_values;
};

const char *ast_op_text(enum ast_op op);

#endif
