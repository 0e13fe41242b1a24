/* SPDX-License-Identifier: Apache-2.0
 *
 * Between the files of keys only: what of statements matters for keys.
 *
 * A place is a type of events or rows; expressions over it that may be part of a key are numbered.
 * A statement has sources (each reads a place), ties (equalities between expressions of two
 * sources), needs (nodes and their own keys) and flows (which columns it gives to which place).
 * keys_expr.c makes expressions, keys_sel.c, keys_stmt.c and keys_ctx.c the facts of statements,
 * keys_solve.c finds the columns of a key.
 */
#ifndef OPERATORS_GRAPH_KEYS_IMPL_H
#define OPERATORS_GRAPH_KEYS_IMPL_H

#include "operators/graph/ctx_plan.h"
#include "operators/graph/keys.h"
#include "operators/graph/on.h"
#include "operators/graph/sel.h"

enum { KEYS_WORDS = 4, KEYS_EXPRS_MAX = KEYS_WORDS * 64, KEYS_COLS_MAX = 16, KEYS_TAGS_MAX = 256 };

enum keys_node {
#define KEYS(name, locality, why, doc) KEYS_##name,
#include "operators/graph/keys.def"
#undef KEYS
    KEYS_NODE_COUNT
};
enum keys_locality { KEYS_ALWAYS, KEYS_SUBSET, KEYS_TIED, KEYS_NEVER };

struct keys_row {
    const char *name, *why, *doc;
    enum keys_locality locality;
};
extern const struct keys_row keys_rows[KEYS_NODE_COUNT];

struct keys_set {
    uint64_t w[KEYS_WORDS];
};

struct keys_expr {
    struct slice text; /* canonical: equal texts are equal values */
    const struct ex *e;
};

struct keys_place {
    const struct etype *type;
    bool events; /* may be sent; else rows of a window or table */
    VEC(struct keys_expr) exprs;
    /* of the unit being solved: */
    bool read, derived;
    int chosen; /* expression; or: */
    struct keys_set carried;
};
enum { KEYS_TOP = -1, KEYS_ANY = -2 };

struct keys_side {
    uint16_t src, expr;
};
struct keys_tie {
    struct keys_side a, b;
    bool as_double;
};
struct keys_src {
    struct keys_place *place;
    enum keys_node tie; /* what it is when it is not tied */
    struct slice what;
    bool optional; /* may be missing in a row */
    bool lone;     /* needs no tie */
};
struct keys_need {
    enum keys_node node;
    struct slice what;
    struct keys_side *keys;
    uint32_t n;
};
struct keys_flow {
    struct keys_place *to;
    int same; /* source whose columns have the same names there; -1 */
    struct {
        uint16_t to, src, expr;
    } * cols;
    uint32_t n;
};
struct keys_mask { /* a column that is overwritten */
    const struct etype *type;
    uint16_t col;
};

struct keys_stmt {
    struct stmt *st;
    VEC(struct keys_src) srcs;
    VEC(struct keys_tie) ties;
    VEC(struct keys_need) needs;
    VEC(struct keys_flow) flows;
    VEC(struct keys_mask) masks;
    struct slice user; /* of @Partition; empty: none */
    uint32_t unit;
    bool split, active;
};

struct keys_facts {
    struct eng *eng;
    struct arena *a;
    VEC(struct keys_place *) places;
    VEC(struct keys_stmt *) stmts;
    bool full;
};

/* ---- while the facts of one statement are gathered ---- */

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
bool keys_may_split(const struct stmt *st);
/* keys_ctx.c */
void keys_context(struct keys_build *b); /* create context */
void keys_enter(struct keys_build *b);   /* a statement of a context, before its sources */
void keys_keyed(struct keys_build *b, uint32_t src);  /* a source of events */
void keys_shared(struct keys_build *b, uint32_t src); /* a source that is a window or table */
void keys_gives(struct keys_build *b, struct keys_flow f);
/* keys_solve.c */
struct keys_answer {
    enum key_choice choice;
    uint32_t n_cols;
    int cols[KEYS_COLS_MAX][64]; /* per column and input: expression, or KEYS_ANY */
    bool as_double[KEYS_COLS_MAX];
    struct keys_place *inputs[64];
    uint32_t n_inputs;
    struct slice why;
};
/* The active statements together. */
void keys_solve(struct keys_facts *f, struct keys_answer *ret);
/* With the choices that are made: an expression of p that carries the key, or KEYS_ANY. */
int keys_carrier(struct keys_facts *f, const struct keys_place *p);
/* With the choices of `a`, whatever is not local (but for ticks of the output); empty: nothing. */
struct slice keys_not_local(struct keys_facts *f, const struct keys_answer *a);
/* keys.c */
void keys_gather(struct keys_facts *f, struct stmt *st);
void keys_facts_done(struct keys_facts *f);

#endif
