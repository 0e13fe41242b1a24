/* SPDX-License-Identifier: Apache-2.0
 *
 * While the facts of one statement are gathered (keys_impl.h): what streams of a row are, which
 * context it is in. keys_expr.c makes expressions, keys_sel.c, keys_stmt.c and keys_ctx.c walk the
 * bound statement.
 */
#ifndef OPERATORS_GRAPH_KEYS_BUILD_H
#define OPERATORS_GRAPH_KEYS_BUILD_H

#include "operators/graph/keys_impl.h"

struct keys_base { /* what a stream of a row is */
    int src;       /* -1: nothing that could be part of a key */
    const int *tag_src;
    uint32_t n_tags;               /* a pattern's match: sources of its tags */
    const struct view_plan *views; /* a derived view: only its group columns count */
};
struct keys_scope {
    const struct keys_scope *outer;
    const struct keys_base *bases;
    uint32_t n;
    bool one; /* the first base stands for whatever stream is named */
};
struct keys_build {
    struct keys_facts *f;
    struct keys_stmt *s;
    bool inner;         /* inside of a partition by key: state of its own is local */
    int initiator;      /* source of an initiated context; -1 */
    uint16_t tags;      /* of the context's properties: where the initiator's begin */
    const int *tag_src; /* likewise */
    uint32_t n_tags;
    int keyed_src;                    /* a source that is keyed by the context; -1 */
    const struct ctx_level *keyed;    /* NULL: no keyed context */
    uint16_t ctx_expr[KEYS_COLS_MAX]; /* keys of keyed_src */
    bool ends;                        /* partitions of its context end by a timer */
    bool timed;                       /* it has timers itself */
    bool number_ok;                   /* context.id is the same everywhere */
};

/* keys_expr.c */
struct keys_place *keys_place(struct keys_facts *f, const struct etype *t, bool events);
int keys_intern(struct keys_facts *f, struct keys_place *p, struct slice text,
                const struct ex *e); /* -1 */
/* The column of a type as an expression; -1 if it cannot be part of a key. */
int keys_column(struct keys_facts *f, struct keys_place *p, const struct etype *t, uint32_t col);
bool keys_side(struct keys_build *b, const struct keys_scope *sc, const struct ex *e,
               struct keys_side *ret);
/* Equalities among the conditions joined by and. */
void keys_ties(struct keys_build *b, const struct keys_scope *sc, const struct ex *cond);
void keys_tie(struct keys_build *b, const struct keys_scope *sc, const struct ex *x,
              const struct ex *y, bool as_double);
/* Subqueries, tables, prev and what else an expression looks at. */
void keys_visit(struct keys_build *b, const struct keys_scope *sc, const struct sel_plan *p,
                const struct ex *e);
uint32_t keys_add_src(struct keys_build *b, const struct etype *t, bool events, enum keys_node tie,
                      const char *what);
/* A node; `own`: its state is the statement's, and local inside of a partition by key. */
void keys_need(struct keys_build *b, enum keys_node node, const char *what, bool own);
void keys_need_keys(struct keys_build *b, const struct keys_scope *sc, enum keys_node node,
                    const char *what, struct ex *const *keys, uint32_t n, uint32_t skip, bool own);

/* keys_sel.c */
void keys_select(struct keys_build *b, const struct sel_plan *p);
void keys_pattern(struct keys_build *b, const struct pat_plan *p, bool held, int *tag_src);
void keys_views(struct keys_build *b, const struct keys_scope *sc, const struct view_plan *v);
void keys_clauses(struct keys_build *b, const struct keys_scope *sc, const struct sel_plan *p,
                  bool own);
void keys_subquery(struct keys_build *b, const struct keys_scope *sc, const struct sel_plan *q);
/* One stream: its sources; ret_base holds for the rest of the statement. */
void keys_stream(struct keys_build *b, const struct sel_stream *s, const struct keys_scope *outer,
                 enum keys_node tie, struct keys_base *ret_base);
void keys_insert(struct keys_build *b, const struct keys_scope *sc, const struct sel_plan *p,
                 const struct ins_plan *ins);
/* keys_stmt.c */
void keys_on(struct keys_build *b);
void keys_window(struct keys_build *b);
void keys_update(struct keys_build *b);
/* Why a sum cannot be made in parts and added up where a pane of time ends; empty: there is none;
 * NULL: it can. */
const char *keys_why_whole(const struct stmt *st);
/* keys_ctx.c */
void keys_context(struct keys_build *b); /* create context */
void keys_enter(struct keys_build *b);   /* a statement of a context, before its sources */
void keys_keyed(struct keys_build *b, uint32_t src);  /* a source of events */
void keys_shared(struct keys_build *b, uint32_t src); /* a source that is a window or table */
void keys_gives(struct keys_build *b, struct keys_flow f);

#endif
