/* SPDX-License-Identifier: Apache-2.0
 *
 * Select statements of the syntax tree: streams, joins, groups, output.
 */
#ifndef OPERATORS_EPL_AST_SELECT_H
#define OPERATORS_EPL_AST_SELECT_H

#include "operators/epl/ast_expr.h"

struct ast_pat;
struct ast_matchrec;

struct ast_view { /* #time(10 sec), .win:length(2) */
    struct span span;
    struct slice space; /* win, std, ext, stat of the older form; empty */
    struct slice name;
    struct ast_expr **args;
    uint32_t n_args;
};

struct ast_item { /* one column of a select list */
    struct span span;
    bool star;               /* `*`, and with `stream` set `s.*` */
    struct slice stream, as; /* as: empty if none */
    struct ast_expr *e;      /* NULL for a star */
    bool is_event;           /* `expr @eventbean` */
};

/* [select a, * from spans as s where c] behind a stream; the plain form [spans] has no select. */
struct ast_contained {
    struct span span;
    struct ast_item *items;
    uint32_t n_items;
    struct ast_expr *path; /* what is iterated */
    struct slice as, type; /* type of @type(X) */
    struct ast_expr *where;
};

struct ast_stream {
    struct span span;
    struct slice type; /* event type, window or table; empty for a pattern */
    struct ast_pat *pattern;
    struct ast_annot *pat_annots; /* @SuppressOverlappingMatches [...] */
    uint32_t n_pat_annots;
    struct ast_expr **filters; /* comma separated */
    uint32_t n_filters;
    struct ast_contained *contained;
    uint32_t n_contained;
    struct ast_view *views;
    uint32_t n_views;
    struct slice as;
    bool unidirectional, retain_union, retain_intersection;
};

enum ast_join { JOIN_COMMA, JOIN_INNER, JOIN_LEFT, JOIN_RIGHT, JOIN_FULL };

struct ast_on { /* how stream i + 1 joins those before it */
    enum ast_join kind;
    struct ast_expr *cond; /* the `on`; NULL if none */
};

enum ast_out_kind { OUT_NONE, OUT_ALL, OUT_FIRST, OUT_LAST, OUT_SNAPSHOT };
enum ast_out_when {
    OUT_EVERY_NONE,
    OUT_EVERY_EVENTS,
    OUT_EVERY_TIME,
    OUT_WHEN,
    OUT_AT,
    OUT_TERMINATED
};

struct ast_output {
    struct span span;
    enum ast_out_kind kind;
    enum ast_out_when when;
    struct ast_expr *every; /* number of events, or the period */
    struct ast_expr *cond;  /* output when cond */
    struct ast_named *sets; /* then set ... */
    uint32_t n_sets;
    struct ast_expr **at; /* crontab parts */
    uint32_t n_at;
    struct ast_expr *after; /* a period, or a number of events if after_events */
    bool after_events;
    bool and_terminated;        /* `and when terminated` */
    struct ast_expr *term_cond; /* [and] when terminated and cond */
    struct ast_named *term_sets;
    uint32_t n_term_sets;
};

struct ast_order {
    struct ast_expr *e;
    bool desc;
};

enum ast_group_kind { GROUP_EXPR, GROUP_ROLLUP, GROUP_CUBE, GROUP_SETS, GROUP_COMBINED };

struct ast_group { /* GROUP_EXPR: e; COMBINED: (a, b) and (); the others: kids */
    enum ast_group_kind kind;
    struct span span;
    struct ast_expr *e;
    struct ast_group *kids;
    uint32_t n_kids;
};

enum ast_streams { STREAM_DEFAULT, STREAM_ISTREAM, STREAM_RSTREAM, STREAM_IRSTREAM };

struct ast_insert { /* insert [irstream] into X(a, b) */
    struct span span;
    enum ast_streams streams;
    struct slice into;
    struct slice *cols;
    uint32_t n_cols;
    struct ast_expr *precedence; /* event-precedence(e) */
};

struct ast_select {
    struct span span;
    struct ast_insert *insert; /* or NULL */
    struct slice into_table;   /* into table T select ... */
    enum ast_streams streams;
    bool distinct;
    bool and_delete; /* on-select: `select and delete` */
    struct ast_item *items;
    uint32_t n_items;
    struct ast_stream *from;
    uint32_t n_from;
    struct ast_on *joins; /* n_from - 1 of them */
    struct ast_matchrec *matchrec;
    struct ast_expr *where;
    struct ast_group *group;
    uint32_t n_group;
    struct ast_expr *having;
    struct ast_output *output;
    struct ast_order *order;
    uint32_t n_order;
    struct ast_expr *limit, *offset;
    struct ast_expr **values; /* on-demand `insert into W values (..), (..)`: row after row */
    uint32_t n_values, n_value_rows;
};

#endif
