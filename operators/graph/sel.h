/* SPDX-License-Identifier: Apache-2.0
 *
 * A select statement: its plan and its instances. Rows flow
 *
 *   streams (filter, contained events, views) -> join -> where -> aggregation and columns (sel_rows)
 *   -> output rate (sel_out) -> order, distinct, limit -> insert into and listeners (sel_emit)
 *
 * A row is an array of events, one per stream; lists of rows are flat arrays.
 */
#ifndef OPERATORS_GRAPH_SEL_H
#define OPERATORS_GRAPH_SEL_H

#include "operators/graph/aggr.h"
#include "operators/graph/contained.h"
#include "operators/graph/eng_impl.h"

struct nwin;
struct table;
struct mr_plan;
struct mr;
struct ex_cron;
struct join_plan;
struct join;

enum src_kind { SRC_FILTER, SRC_PATTERN, SRC_WINDOW, SRC_TABLE };

struct sel_stream {
    enum src_kind kind;
    struct slice alias;
    const struct etype *in;   /* of the source */
    const struct etype *type; /* of the events in rows */
    struct route_filter filter;
    struct pat_plan pat;
    struct nwin *win;
    struct table *table;
    struct ex *win_filter; /* W(cond): stream 0 is the row */
    struct contained *contained;
    struct view_plan views;
    struct mr_plan *mr;
    bool unidirectional;
    uint32_t prior; /* events to remember for prior(n) */
};

enum row_class {
    ROWS_PLAIN,        /* a row per event */
    ROWS_TOTAL,        /* only aggregations, no group by: one row */
    ROWS_EVENT_TOTAL,  /* aggregations and properties, no group by */
    ROWS_GROUP,        /* a row per group */
    ROWS_EVENT_GROUP,  /* a row per event with its group's values */
    ROWS_ROLLUP,
};

struct sel_order {
    struct ex *e;
    bool desc;
};

struct ins_plan; /* sel_insert.c */

struct out_plan {
    enum ast_out_kind kind;
    enum ast_out_when when;
    struct ex *every; /* period, or a number of events */
    struct ex *cond;
    struct ex *after;
    bool after_events;
    bool terminated; /* [and] when terminated */
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
    enum row_class cls;
    struct ex **group;
    struct slice *group_text;
    uint32_t n_group;
    uint32_t *levels; /* of rollup: bit i set = group expression i is rolled up */
    uint32_t n_levels;
    struct agg_set aggs;
    struct agg_layout layout;
    const struct etype *out; /* of result rows */
    bool pass;               /* select *: the event itself is the row */
    struct ex **cols;
    uint32_t n_cols;
    int wild;                /* stream whose columns come first in `out` (select *, x as y); -1 */
    bool distinct;
    struct sel_order *order;
    uint32_t n_order;
    struct ex *limit, *offset;
    enum ast_streams streams_out;
    struct ins_plan *insert;
    struct into_plan *into; /* into table */
    struct out_plan output;
    bool needs_old;          /* rows of the remove stream are wanted */
    bool windowed;           /* something leaves */
    bool triggered;          /* an on-select: stream 1 is the trigger */
};

struct orow { /* a result row */
    struct evt *e;
    struct vlist *key; /* for order by */
    struct evt **row;  /* what it was made of, for causes: in the heap's pool */
};

struct orows {
    VEC(struct orow) v;
};

struct sel_src { /* of an instance: one stream */
    struct sel_inst *in;
    uint32_t num;
    struct route_leaf *leaf;
    struct pat *pat;
    struct pat_env pat_env;
    struct view *view;
    struct view_env env;
    struct mr *mr;
    struct evts nw, old;     /* for the join, until flush */
    struct evts past;        /* for prior */
    struct evts fill;        /* what a named window held when the statement began */
    int64_t live;            /* events in the window */
    struct evts tmp;         /* of contained events */
};

struct sel_inst {
    struct inst in;
    const struct sel_plan *p;
    struct sel_src *src;
    struct evt **row; /* scratch row of n_streams */
    struct ectx view_ctx;
    struct join *join;
    struct aggregator *aggr;
    struct out *out;
    struct orows nw, old; /* of the batch under way */
    struct evts rows_nw, rows_old;
    bool quiet; /* state is filled, nothing is put out */
};

/* Binding a query (also on-select, subqueries and on-demand queries use it): `from` has been bound
 * into p->streams; the rest of the clauses follow. */
int sel_bind_streams(struct stmt *st, struct bind *b, const struct ast_select *s, struct sel_plan *p,
                     struct err *reterr);
int sel_bind_clauses(struct stmt *st, struct bind *b, const struct ast_select *s,
                     struct scope *scope, struct sel_plan *p, struct err *reterr);
int sel_bind_items(struct stmt *st, struct bind *b, const struct ast_item *items, uint32_t n,
                   struct sel_plan *p, struct err *reterr);
struct scope sel_scope(struct stmt *st, struct bind *b, struct sel_plan *p);

struct inst *sel_start(struct stmt *st, struct evt *props);
void sel_flush(struct inst *in);
void sel_end(struct inst *in);
void sel_stop(struct inst *in);
void sel_look(struct inst *in);
/* A batch of rows through where, aggregation, output. Rows are flat arrays. */
void sel_process(struct sel_inst *in, struct evt **nw, size_t n_nw, struct evt **old, size_t n_old);

/* sel_rows.c: rows of the batch into in->nw, in->old. */
void sel_rows(struct sel_inst *in, struct evt **nw, size_t n_nw, struct evt **old, size_t n_old);
/* The row of a class that has one at any time (total, a group), or of a row. false: having. */
bool sel_row(struct sel_inst *in, struct evt **row, struct group *g, bool leaving, struct orow *ret);
/* Rows as they are now, for snapshots: appended to `to`. */
void sel_snapshot(struct sel_inst *in, struct orows *to);
void orows_add(struct orows *to, struct orow r);

/* sel_out.c */
struct out;
int out_bind(struct bind *b, const struct ast_output *o, struct sel_plan *p, struct err *reterr);
struct out *out_new(struct sel_inst *in);
void out_free(struct out *o);
void out_batch(struct sel_inst *in, struct evt **nw, size_t n_nw, struct evt **old, size_t n_old);
void out_terminated(struct sel_inst *in);
void out_look(struct sel_inst *in); /* a variable changed, or the clock */
void out_open(struct out *o);       /* the statement begins */

/* sel_emit.c: order, distinct, limit; then insert into and the listener. */
void sel_emit(struct sel_inst *in, struct orows *nw, struct orows *old);

/* sel_insert.c */
int ins_bind(struct stmt *st, struct bind *b, const struct ast_insert *i, const struct sel_plan *p,
             struct ins_plan **ret, struct err *reterr);
struct evt *ins_make(const struct ins_plan *p, struct eng *e, struct evt *row);
void ins_route(const struct ins_plan *p, struct inst *in, struct evt *row);
const struct etype *ins_type(const struct ins_plan *p);
/* A value as a column of that type holds it: widened, a structure as a map or an event. */
struct val val_to_column(struct vheap *h, struct val v, struct ty to);

/* Streams of subqueries share these. */
void sel_open_source(struct inst *in, const struct sel_stream *s, struct route_leaf **ret_leaf,
                     void (*on)(void *arg, struct evt *e), void *arg, uint64_t rank);

#endif
