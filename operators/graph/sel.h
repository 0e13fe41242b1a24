/* SPDX-License-Identifier: Apache-2.0
 *
 * A select statement: its plan and its instances. Rows flow
 *
 *   streams (filter, contained events, views) -> join -> where -> aggregation and columns
 * (sel_rows)
 *   -> output rate (sel_out) -> order, distinct, limit -> insert into and listeners (sel_emit)
 *
 * A row is an array of events, one per stream; lists of rows are flat arrays.
 */
#ifndef OPERATORS_GRAPH_SEL_H
#define OPERATORS_GRAPH_SEL_H

#include "operators/graph/sel_plan.h"

struct orow { /* a result row */
    struct evt *e;
    struct vlist *key; /* for order by */
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
    struct evts nw, old; /* for the join, until flush */
    struct evts past;    /* for prior */
    struct evts fill;    /* what a named window held when the statement began */
    int64_t live;        /* events in the window */
    /* Nothing stands between it and a where; aggregations keep each of its events, none leaves. */
    bool asks_first, grows;
    struct evts tmp; /* of contained events */
};

struct touch { /* a group that a batch of rows changes, and the first of those rows */
    struct group *g;
    struct evt **row;
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
    VEC(struct touch) touched; /* scratch of sel_rows, as is group_of: by row */
    struct group **group_of;
    size_t group_room;
    bool quiet;    /* state is filled, nothing is put out */
    bool bare;     /* rows are made that nobody will see: without causes */
    bool whole;    /* this batch is one event of groups: neither ordered nor limited */
    bool straight; /* sel_is_straight */
};

/* What an event may add to what is counted: a group; a row of a table and one of the window. */
static inline size_t sel_units(const struct sel_src *s)
{
    return s->in->p->into != NULL && s->view != NULL ? 2 : 1;
}
/* sel_admit.c: of nw those that may come in although it is full. */
size_t sel_admit(struct sel_src *s, struct evt **nw, size_t n, struct evts *to);

/* Binding a query (also on-select, subqueries and on-demand queries use it): `from` has been bound
 * into p->streams; the rest of the clauses follow. */
int sel_bind_streams(struct stmt *st, struct bind *b, const struct ast_select *s,
                     struct sel_plan *p, struct err *reterr);
void sel_set_priors(struct sel_plan *p);                  /* per stream, how far back prior looks */
void sel_set_columns(struct bind *b, struct sel_plan *p); /* sel_cols.c: ways, stream->pack */
int sel_bind_clauses(struct stmt *st, struct bind *b, const struct ast_select *s,
                     struct scope *scope, struct sel_plan *p, struct err *reterr);
int sel_bind_items(struct stmt *st, struct bind *b, const struct ast_item *items, uint32_t n,
                   struct sel_plan *p, struct err *reterr);
/* sel_class.c */
int sel_bind_group(struct bind *b, const struct ast_select *s, struct sel_plan *p,
                   struct err *reterr);
enum row_class sel_classify(const struct sel_plan *p);
bool sel_having_fits(const struct sel_plan *p);
bool sel_fixed_in_group(const struct sel_plan *p, const struct ex *e);
void sel_roll(struct bind *b, struct sel_plan *p);
struct scope sel_scope(struct stmt *st, struct bind *b, struct sel_plan *p);

struct inst *sel_start(struct stmt *st, struct evt *props);
struct aggregator *sel_aggr(const struct sel_inst *in); /* its groups, empty */
void sel_forget_groups(struct sel_inst *in);            /* they begin anew */
void sel_flush(struct inst *in);
void sel_end(struct inst *in);
void sel_stop(struct inst *in);
void sel_look(struct inst *in, bool at_clock);
/* A batch of rows through where, aggregation, output. Rows are flat arrays. */
void sel_process(struct sel_inst *in, struct evt **nw, size_t n_nw, struct evt **old, size_t n_old);

/* sel_rows.c: rows of the batch into in->nw, in->old. */
void sel_rows(struct sel_inst *in, struct evt **nw, size_t n_nw, struct evt **old, size_t n_old);
void sel_rows_done(struct sel_inst *in); /* groups and scratch of it */
/* The row of a class that has one at any time (total, a group), or of a row. false: having. */
bool sel_row(struct sel_inst *in, struct evt **row, struct group *g, bool leaving,
             struct orow *ret);
/* sel_cause.c: gives the row its causes; extra: what its expressions have looked at. */
struct evt *sel_causes(struct sel_inst *in, struct evt **row, struct group *g,
                       const struct cause_list *extra, struct evt *e);
/* Evaluates filters and where of the row once more, to see what they look up. */
void sel_look_again(struct sel_inst *in, struct ectx *c);
void sel_sample(struct cause_list *to, const struct evts *rows); /* rows that were looked up */
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
/* Variables have changed (eng.vars_changed); the clock step after that. */
void out_look(struct sel_inst *in, bool at_clock);
void out_open(struct out *o); /* the statement begins */

/* sel_emit.c: order, distinct, limit; then insert into and the listener. */
void sel_emit(struct sel_inst *in, struct orows *nw, struct orows *old);

/* sel_insert.c */
int ins_bind(struct stmt *st, struct bind *b, const struct ast_insert *i, const struct sel_plan *p,
             struct ins_plan **ret, struct err *reterr);
struct evt *ins_make(const struct ins_plan *p, struct eng *e, struct evt *row);
void ins_route(const struct ins_plan *p, struct inst *in, struct evt *row);
struct evt *ins_shown(const struct ins_plan *p, struct eng *e, struct evt *row);
const struct etype *ins_type(const struct ins_plan *p);
/* Result column that column `col` of ins_type comes from; -1: none, or the row goes on as is. */
int ins_source(const struct ins_plan *p, uint32_t col);
/* A value as a column of that type holds it: widened, a structure as a map or an event. */
struct dat dat_to_column(struct vheap *h, struct dat v, struct ty to);

/* turn.c: in which order of an event the statement comes: 0, 1, 2. */
uint64_t stmt_class(const struct stmt *st, const struct sel_stream *s, uint32_t n, bool sorted);

#endif
