/* SPDX-License-Identifier: Apache-2.0
 *
 * Event types: columns with types, and supertypes. Instances are arrays of values in the order of
 * the columns (val.h). An event of a type is also one of each supertype: `super_slot` says where
 * the supertype's columns lie in it. Types live in an arena of the catalog and never change once
 * they are complete.
 */
#ifndef OPERATORS_SIG_ETYPE_H
#define OPERATORS_SIG_ETYPE_H

#include "operators/sig/ty.h"

struct agg_call;
struct etype;

/* The types that a statement's binding has made, in order: saved state names a type by statement
 * and place, anonymous ones too. */
struct etypes {
    uint32_t owner; /* the statement's number once it runs; 0: it does not, or no longer */
    uint32_t n;
    struct etype *first, *last;
};

enum etype_kind {
    ETYPE_PLAIN,   /* create schema, or made by insert into */
    ETYPE_ANON,    /* columns of a select, `new {}`, pattern matches: not to be found by name */
    ETYPE_VARIANT, /* takes several types */
    ETYPE_WINDOW,  /* rows of a named window */
    ETYPE_TABLE,   /* rows of a table */
    ETYPE_WRAP,    /* `select *, x as y`: columns of the event, then the new ones */
};

struct ecol {
    struct slice name;
    struct ty ty;
    bool key; /* primary key of a table */
    bool agg; /* of a table: an aggregation, whose value is asked for (EX_TABLE_COL) */
    const struct agg_call *call; /* agg: as declared */
};

struct etype_super {
    const struct etype *type;
    const uint16_t *slot; /* slot[i]: where column i of that type lies */
};

struct etype {
    struct slice name;
    uint32_t id; /* dense, in order of declaration */
    enum etype_kind kind;
    uint32_t n_cols;
    struct ecol *cols;
    uint32_t n_objs;      /* columns that may hold more than a number, ascending: */
    const uint16_t *objs; /* these */
    uint32_t n_supers;    /* all of them, transitively */
    struct etype_super *supers;
    int start_col, end_col; /* of starttimestamp, endtimestamp; -1 */
    bool open;              /* variant of *: any property may be asked for with ? */
    bool auto_made;         /* by an insert into, not declared */
    const struct etype **variants;
    uint32_t n_variants;
    const struct etypes *made_by; /* or NULL */
    uint32_t made_at;             /* its place there, from 1 */
    struct etype *made_next;
};

int ety_col(const struct etype *t, struct slice name); /* -1 */
/* The nameless column of a table's rows: where the table keeps them, no value. */
static inline bool ety_is_place(const struct etype *t, uint32_t col)
{
    return t->kind == ETYPE_TABLE && t->cols[col].name.len == 0;
}
/* Whether an event of type t is one of type `of`. */
bool ety_is(const struct etype *t, const struct etype *of);
/* Slots of `of`'s columns in t, or NULL if t is not one of it, or is `of` itself. */
const uint16_t *ety_view(const struct etype *t, const struct etype *of);
/* A type of these columns; supers may be NULL; names are copied. Fails on columns twice. `made_by`
 * lives as long as the arena; NULL: events of the type are never saved. */
struct etype *ety_new(struct arena *a, struct etypes *made_by, enum etype_kind kind,
                      struct slice name, const struct ecol *cols, uint32_t n_cols,
                      const struct etype *const *supers, uint32_t n_supers);
const struct etype *ety_at(const struct etypes *t, uint32_t place); /* NULL if there is none */

#endif
