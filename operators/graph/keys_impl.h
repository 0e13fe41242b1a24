/* SPDX-License-Identifier: Apache-2.0
 *
 * Between the files of keys only: what of statements matters for keys.
 *
 * A place is a type of events or rows; expressions over it that may be part of a key are numbered.
 * A statement has sources (each reads a place), ties (equalities between expressions of two
 * sources), needs (nodes and their own keys) and flows (which columns it gives to which place).
 * keys_build.h has how they are gathered, keys_solve.c finds the columns of a key.
 */
#ifndef OPERATORS_GRAPH_KEYS_IMPL_H
#define OPERATORS_GRAPH_KEYS_IMPL_H

#include "operators/graph/ctx_plan.h"
#include "operators/graph/keys.h"
#include "operators/graph/on.h"
#include "operators/graph/sel.h"

enum { KEYS_PLACES_MAX = 1 << 24 };
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
    uint32_t no;                               /* in keys_facts.places */
    struct keys_stmt *reader, *maker, *masker; /* one that does, while units are found */
    /* of the unit being solved: */
    bool near;
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
    struct slice user;      /* of @Partition; empty: none */
    uint32_t unit;          /* the least number of a statement of it */
    struct keys_stmt *next; /* of the same unit, by number */
    bool selects;
    const char *whole; /* of those: keys_why_whole */
};

struct keys_facts {
    struct eng *eng;
    struct arena *a;
    VEC(struct keys_place *) places;
    struct map by_type;              /* the place of a type, by its address */
    VEC(struct keys_place *) joined; /* of types with several supertypes that are read */
    VEC(struct keys_stmt *) stmts;
    VEC(struct keys_stmt *) on;    /* those being solved, */
    VEC(struct keys_place *) near; /* and their places, by number */
    VEC(uint32_t) up;              /* scratch */
    bool full;
};

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
/* The statements taken, together. */
void keys_solve(struct keys_facts *f, struct keys_answer *ret);
/* With the choices that are made: an expression of p that carries the key, or KEYS_ANY. */
int keys_carrier(struct keys_facts *f, const struct keys_place *p);
/* With the choices of `a`, whatever is not local (but for ticks of the output); empty: nothing. */
struct slice keys_not_local(struct keys_facts *f, const struct keys_answer *a);
/* keys_units.c */
void keys_units(struct keys_facts *f);
void keys_take_unit(struct keys_facts *f, struct keys_stmt *first);
void keys_take_one(struct keys_facts *f, struct keys_stmt *s);
struct keys_place *keys_place_of(const struct keys_facts *f, const struct etype *t); /* or NULL */
/* The place of t's i-th supertype, where both are places of events; or NULL. */
struct keys_place *keys_super(const struct keys_facts *f, const struct keys_place *t, uint32_t i);
/* keys.c */
void keys_gather(struct keys_facts *f, struct stmt *st);
void keys_facts_done(struct keys_facts *f);

#endif
