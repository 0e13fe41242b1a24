/* SPDX-License-Identifier: Apache-2.0
 *
 * Binding: from a syntax tree and a scope to a typed expression. A scope says which streams can be
 * named, the one around it (of a subquery), the parameters of lambdas, and whether aggregations are
 * allowed and where they are collected. Errors carry the span of what is wrong and a hint.
 */
#ifndef OPERATORS_PLAN_BIND_H
#define OPERATORS_PLAN_BIND_H

#include "core/base/vec.h"
#include "operators/plan/catalog.h"

struct agg_def;
struct bind;

struct bind_stream {
    struct slice alias; /* may be empty */
    const struct etype *type;
    uint16_t num;              /* place in the row */
    bool windowed;             /* has a data window */
    bool no_prev;              /* but one that prev cannot look into */
    bool named_only;           /* seen only by its alias (initial.x) */
    const struct table *table; /* rows of that table: aggregation columns give their values */
};

struct bind_param { /* of a lambda, or of a declared expression */
    struct slice name;
    struct ty ty;
    uint16_t slot;              /* lambda */
    const struct ast_expr *arg; /* declared expression: what it stands for, in `arg_scope` */
    struct scope *arg_scope;
    struct bind_param *next;
};

struct agg_call { /* one aggregation of a statement; equal ones are shared */
    const struct agg_def *def;
    struct span span;
    struct slice text; /* canonical, for finding equal ones */
    struct ty ty;
    struct ex **args; /* bound in the scope of rows; for sorted, maxby: the criteria */
    bool *desc;       /* of criteria */
    struct ex *filter;
    bool distinct, star, has_group_by, may_filter; /* may_filter: a column's, with place for one */
    int stream;                                    /* of first(*), window(s.*): which stream; -1 */
    const struct etype *event;                     /* of that stream */
    struct ex **group_by;                          /* local group_by:(...); NULL: the statement's */
    uint32_t n_args, n_group_by;
    const void *priv; /* left by the def's bind */
    int table_slot;   /* into table: the column that holds it; -1 */
};

struct agg_set {
    VEC(struct agg_call *) calls; /* in the arena: agg_set_add */
    bool windowed;   /* all streams have data windows: first, window, ... may be used */
    bool into_table; /* the calls are of an `into table`: their states are the table's */
};

struct subq_plan; /* made by scope->subquery */

struct scope {
    struct scope *outer; /* of a subquery */
    struct bind_stream *streams;
    uint32_t n_streams;
    bool first_wins; /* a name that several streams have is the first one's */
    struct bind_param *params;
    struct agg_set *aggs; /* NULL: aggregations are refused, with `no_aggs` as the reason */
    const char *no_aggs;
    bool in_agg, allow_prev;     /* in_agg: inside an aggregation's argument */
    struct subq_plan *subq;      /* whose clauses these are; NULL: the statement's */
    const struct etype *context; /* properties of the context, or NULL */
    const struct etype *pseudo;  /* columns of #expr windows */
    struct ex **group;           /* bound group-by expressions, for grouping() */
    uint32_t n_group;
    const struct slice *group_text;
    /* Takes part before anything else: 1 = bound, 0 = not its business, < 0 = error. */
    int (*hook)(struct bind *b, const struct ast_expr *chain, struct ex **ret, void *arg,
                struct err *reterr);
    /* Makes a plan of a subquery; NULL: subqueries are refused. `scope` is where it stands. */
    int (*subquery)(struct bind *b, struct scope *scope, const struct ast_expr *e, struct ex **ret,
                    void *arg, struct err *reterr);
    void *hook_arg, *subquery_arg;
};

struct bind {
    struct arena *a;
    struct etypes *types; /* takes those that binding makes; may be NULL */
    struct catalog *cat;
    struct scope *scope;
    const struct ast_decl *decls; /* of the statement */
    uint32_t n_decls;
    uint16_t lambda_next;         /* free slot */
    uint16_t depth, lambda_depth; /* of declared expressions, of lambdas within one another */
    uint32_t n_nodes;             /* made so far: declared expressions may multiply */
    const struct dat *params;     /* of an on-demand query */
    uint32_t n_params;
    struct vheap *heap;                                  /* for constants; they are kept for good */
    VEC(struct cat_entry *) used;                        /* declarations needed, for undeploy */
    bool uses_context, uses_prev, uses_prior, subq_list; /* subq_list: all rows are asked for */
    /* An aggregation call (operators/agg, which stands right of this layer): 1 = bound into
     * scope->aggs, 0 = no aggregation has that name, < 0 = error. */
    int (*agg)(struct bind *b, const struct ast_seg *seg, struct span span, struct ex **ret,
               struct err *reterr);
    /* A method that only aggregations have, on EX_AGG or EX_TABLE_COL: 1, 0, < 0. May be NULL. */
    int (*agg_method)(struct bind *b, struct ex *recv, const struct ast_seg *seg, struct ex **ret,
                      struct err *reterr);
    /* What events of a pattern's filter must fulfil to belong to a partition: bound with the event
     * as stream 0, NULL for nothing. `part` may be NULL. */
    int (*part)(struct bind *b, const struct etype *type, struct span span, struct ex **ret,
                struct err *reterr);
    void *part_arg;
};

int bind_expr(struct bind *b, const struct ast_expr *e, struct ex **ret,
              struct err *reterr) NODISCARD;
/* ... and a bool, or an error that names `what` ("where", "filter"). */
int bind_cond(struct bind *b, const struct ast_expr *e, const char *what, struct ex **ret,
              struct err *reterr) NODISCARD;
/* Conversion to a type by widening (numbers, null); an error otherwise. */
int bind_convert(struct bind *b, struct ex *e, struct ty to, const char *what, struct ex **ret,
                 struct err *reterr) NODISCARD;
/* A period or a number of seconds as milliseconds (EX_PERIOD, long). */
int bind_period(struct bind *b, const struct ast_expr *e, struct ex **ret,
                struct err *reterr) NODISCARD;
/* An integer constant, for sizes. */
int bind_const_int(struct bind *b, const struct ast_expr *e, const char *what, int64_t *ret,
                   struct err *reterr) NODISCARD;
/* A list of conditions joined by and; NULL for none. */
int bind_all(struct bind *b, struct ast_expr *const *e, uint32_t n, const char *what,
             struct ex **ret, struct err *reterr) NODISCARD;
/* The filters of a stream (stream 0 of the scope): as bind_all, and strict about numbers: what a
 * column is compared with must not be of a wider type than the column; bounds of ranges may. */
int bind_filters(struct bind *b, struct ast_expr *const *e, uint32_t n, struct ex **ret,
                 struct err *reterr) NODISCARD;

/* For the binders of functions and methods (bind_call.c, bind_method.c). */
struct ex *ex_new(struct bind *b, enum ex_op op, struct ty ty, struct span span, uint32_t n_args);
struct ex *ex_const(struct bind *b, struct dat v, struct ty ty, struct span span);
struct ex *ex_null(struct bind *b, struct span span);
bool ex_is_const(const struct ex *e);
int bind_err(struct err *reterr, struct span span, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* `name(args)` that is neither property nor declared expression nor aggregation; name may have dots
 * (java.lang.Math.sqrt). 1 = bound, 0 = no such function, < 0 = error. */
int bind_function(struct bind *b, struct slice name, const struct ast_seg *seg, struct span span,
                  struct ex **ret, struct err *reterr);
/* A method (or getter) called on a value. Likewise 1, 0, < 0. */
int bind_method(struct bind *b, struct ex *recv, const struct ast_seg *seg, struct ex **ret,
                struct err *reterr);
/* Integer.MAX_VALUE and the like: 1 or 0. */
int bind_constant(struct bind *b, struct slice name, struct span span, struct ex **ret);
#endif
