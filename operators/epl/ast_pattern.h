/* SPDX-License-Identifier: Apache-2.0
 *
 * Patterns and match_recognize of the syntax tree.
 */
#ifndef OPERATORS_EPL_AST_PATTERN_H
#define OPERATORS_EPL_AST_PATTERN_H

#include "operators/epl/ast_select.h"

enum ast_pat_kind {
    PAT_FILTER, /* stream, tag, consume */
    PAT_EVERY,
    PAT_EVERY_DISTINCT,
    PAT_NOT,
    PAT_FOLLOWED,
    PAT_AND,
    PAT_OR,
    PAT_UNTIL,    /* kids[0] collected, kids[1] (may be missing) ends it; low, high */
    PAT_GUARD,    /* kids[0] where name:name(args); `while (e)`: name "while" */
    PAT_OBSERVER, /* ns:name(args) */
};

struct ast_pat {
    enum ast_pat_kind kind;
    struct span span;
    struct ast_stream *stream;
    struct slice tag;
    bool consume;
    struct ast_expr *consume_level;
    struct ast_pat **kids;
    uint32_t n_kids;
    struct slice ns, name;  /* timer, within */
    struct ast_expr **args; /* guard, observer, every-distinct; AST_NAMED_ARG possible */
    uint32_t n_args;
    struct ast_expr *low, *high; /* [low:high]; [n] has low == high */
    struct ast_expr **max;       /* PAT_FOLLOWED: -[n]> before kid i + 1, NULL for plain */
    bool paren;
};

enum ast_mr_kind { MR_VAR, MR_CONCAT, MR_ALT, MR_GROUP, MR_PERMUTE };

struct ast_mr {
    enum ast_mr_kind kind;
    struct span span;
    struct slice var;
    struct ast_mr **kids;
    uint32_t n_kids;
    uint32_t low, high; /* 1,1 plain; high UINT32_MAX: no bound */
    bool reluctant;
    bool braces; /* written {n,m}, not as a mark */
};

enum ast_skip { SKIP_PAST_LAST, SKIP_TO_NEXT, SKIP_TO_CURRENT };

struct ast_matchrec {
    struct span span;
    struct ast_expr **partition;
    uint32_t n_partition;
    struct ast_named *measures; /* name = the column */
    uint32_t n_measures;
    bool all_matches;
    enum ast_skip skip;
    struct ast_mr *pattern;
    struct ast_expr *interval;
    bool or_terminated;
    struct ast_named *define; /* name = the variable */
    uint32_t n_define;
};

#endif
