/* SPDX-License-Identifier: Apache-2.0
 *
 * The plan of a select: what binding leaves for its instances (sel.h).
 */
#ifndef OPERATORS_GRAPH_SEL_PLAN_H
#define OPERATORS_GRAPH_SEL_PLAN_H

#include "operators/graph/aggr.h"
#include "operators/graph/contained.h"
#include "operators/graph/stmt.h"

struct nwin;
struct table;
struct mr;
struct mr_plan;
struct mr;
struct ex_cron;
struct join_plan;
struct join;

enum src_kind { SRC_FILTER, SRC_PATTERN, SRC_WINDOW, SRC_TABLE };

struct sel_stream {
    enum src_kind kind;
    struct slice alias; /* its name, or its type's if it has none */
    bool unnamed;
    const struct etype *in;   /* of the source */
    const struct etype *type; /* of the events in rows */
    struct route_filter filter;
    struct pat_plan pat;
    const struct sel_flat *flat; /* what stands for its matches; NULL: they themselves */
    struct nwin *win;
    struct table *table;
    struct ex *win_filter; /* W(cond): stream 0 is the row */
    struct contained *contained;
    struct view_plan views;
    const struct view_pack *pack; /* what its window keeps of events; NULL: all of them */
    struct mr_plan *mr;
    bool unidirectional;
    uint32_t prior; /* events to remember for prior(n) */
};

enum row_class {
    ROWS_PLAIN,       /* a row per event */
    ROWS_TOTAL,       /* only aggregations, no group by: one row */
    ROWS_EVENT_TOTAL, /* aggregations and properties, no group by */
    ROWS_GROUP,       /* a row per group */
    ROWS_EVENT_GROUP, /* a row per event with its group's values */
    ROWS_ROLLUP,
};

/* A column of result rows that is had without a program: one of a stream, or an aggregation. */
struct sel_way {
    enum sel_way_kind { WAY_PROGRAM, WAY_COLUMN, WAY_AGG } kind;
    uint16_t stream, slot;
    const struct etype *of;
};

struct sel_order {
    struct ex *e;
    bool desc;
};

struct sel_flat;
struct ins_plan; /* sel_insert.c */

struct out_plan {
    enum ast_out_kind kind;
    enum ast_out_when when;
    struct ex *every; /* period, or a number of events */
    struct ex *cond;
    struct ex *after;
    bool after_events;
    bool terminated; /* [and] when terminated */
    bool aligned;    /* @Partition, @Grid: ticks stand on a grid that begins at 0 */
    bool panes;      /* @Panes: sums begin anew with each tick */
    bool waits;      /* rows are made when they are put out (sel_out_wait.c) */
    struct ex *term_cond;
    struct set_plan *sets, *term_sets;
    struct ex_cron *cron;
};

struct sel_plan {
    struct stmt *st;
    struct sel_stream *streams;
    uint32_t n_streams;
    struct join_plan *join; /* with two streams and more */
    struct ex *where, *having;
    bool where_taken; /* of match_recognize: it is a condition of the events that come in */
    bool where_first; /* prior counts what it lets pass: a stream alone, and none in the where */
    enum row_class cls;
    struct ex **group;
    struct slice *group_text;
    uint32_t n_group;
    uint32_t *levels; /* of rollup: bit i set = group expression i is rolled up */
    uint32_t n_levels;
    bool any_row; /* what a row of a group shows is the same whichever of its rows it is made of */
    struct agg_set aggs;
    struct agg_layout layout;
    const struct etype *out; /* of result rows */
    bool pass;               /* select *: the event itself is the row */
    struct ex **cols;
    const struct sel_way *ways; /* of cols; NULL: all by program */
    uint32_t n_cols;
    int wild; /* stream whose columns come first in `out` (select *, x as y); -1 */
    bool distinct;
    struct sel_order *order;
    uint32_t n_order;
    struct ex *limit, *offset;
    enum ast_streams streams_out;
    struct ins_plan *insert;
    struct into_plan *into; /* into table */
    struct out_plan output;
    bool needs_old; /* rows of the remove stream are wanted */
    bool windowed;  /* something leaves */
    bool triggered; /* an on-select: stream 1 is the trigger */
};

/* When the class of rows is known. */
void sel_own_keys(struct sel_plan *p);
void out_set_waits(struct sel_plan *p);

/* Each expression that rows are made of: columns, keys, conditions, order, aggregations. NULL for
 * one that is not there. */
typedef void sel_ex_fn(void *arg, struct ex *e);
void sel_each_ex(const struct sel_plan *p, sel_ex_fn *fn, void *arg);
bool sel_aggs_take_events(
    const struct sel_plan *p); /* whole ones, or those of one of its streams */
/* Columns of the row at hand are not enough: it looks at whole events, other rows, tables. */
bool sel_looks_beyond(const struct ex *e);

#endif
