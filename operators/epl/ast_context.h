/* SPDX-License-Identifier: Apache-2.0
 *
 * Contexts, and declared expressions, of the syntax tree.
 */
#ifndef OPERATORS_EPL_AST_CONTEXT_H
#define OPERATORS_EPL_AST_CONTEXT_H

#include "operators/epl/ast_pattern.h"

enum ast_ctx_kind {
    CTX_KEYED,
    CTX_HASH,
    CTX_CATEGORY,
    CTX_START_END,
    CTX_INIT_TERM,
    CTX_NESTED,
};

enum ast_point_kind {
    POINT_NONE,
    POINT_NOW,
    POINT_AFTER,
    POINT_CRON,
    POINT_PATTERN,
    POINT_FILTER,
    POINT_NOW_AND
};

struct ast_point { /* where a partition begins or ends */
    enum ast_point_kind kind;
    struct span span;
    struct ast_expr *after;
    struct ast_expr **at;
    uint32_t n_at;
    struct ast_pat *pattern;
    bool inclusive;
    struct ast_stream *stream;
    struct slice as;
};

struct ast_ctx_stream { /* partition by a and b from T(filter) as x; hash func(a) from T */
    struct ast_expr **keys;
    uint32_t n_keys;
    struct ast_stream stream;
};

struct ast_category {
    struct slice label;
    struct ast_expr *cond;
};

struct ast_context {
    struct slice name;
    enum ast_ctx_kind kind;
    struct ast_ctx_stream *streams;
    uint32_t n_streams;
    struct ast_category *categories;
    uint32_t n_categories;
    struct ast_expr **distinct; /* initiated by distinct(a, b) */
    uint32_t n_distinct;
    struct ast_point *start; /* keyed contexts may have several initiators */
    uint32_t n_start;
    struct ast_point end;
    struct ast_expr *granularity;
    bool preallocate;
    struct ast_context *nested; /* each with its own name */
    uint32_t n_nested;
};

struct ast_decl { /* expression n { x => body }, expression n alias for { body } */
    struct span span;
    struct slice name;
    bool alias;
    struct slice *params;
    uint32_t n_params;
    struct ast_expr *body;
};

#endif
