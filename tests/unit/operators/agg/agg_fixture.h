/* SPDX-License-Identifier: Apache-2.0
 *
 * One aggregation without a statement: a call bound over a stream, or two that are joined, and
 * worlds in which rows enter and leave it. A world has a heap and a clock of its own; what the call
 * says is written down as text. Worlds of one call that are given the same play the same.
 */
#ifndef TESTS_UNIT_OPERATORS_AGG_AGG_FIXTURE_H
#define TESTS_UNIT_OPERATORS_AGG_AGG_FIXTURE_H

#include "operators/agg/agg.h"
#include "tests/unit/operators/state_fixture.h"

struct agg_case {
    const char *name;   /* agg.def's */
    const char *call;   /* over a (and b): id int, k string, x double, n int, l long, f float,
                         * big biginteger, dec bigdecimal, ts long */
    const char *column; /* of a table, that the call feeds; NULL: the call alone */
    bool unbound;       /* nothing ever leaves */
    bool joined;        /* rows of a and b; else of a alone */
};

struct agg_plan {
    const struct agg_case *c;
    struct arena *a;
    struct catalog cat;
    struct vheap *h; /* constants */
    const struct etype *type;
    struct agg_set set;       /* the call, or the column */
    struct agg_layout layout; /* of it */
    const struct agg_call *call;
    struct state_fixture state;
};
void agg_plan_init(struct agg_plan *p, const struct agg_case *c);
void agg_plan_done(struct agg_plan *p);

enum { AGG_ROWS_MAX = 256 };

struct agg_world {
    struct agg_plan *p;
    struct vheap *h;
    struct ectx ctx;
    struct evt *row[2];
    struct evt *in[AGG_ROWS_MAX][2]; /* rows that are in, the oldest first; kept */
    size_t n_in;
    void *block;
    struct buf out;
};
void agg_world_init(struct agg_world *w, struct agg_plan *p);
void agg_world_done(struct agg_world *w); /* checks that nothing is left */
/* Something happens, and the call says its value. */
void agg_world_enter(struct agg_world *w, int id, uint64_t seed);
void agg_world_leave(struct agg_world *w, size_t which);
void agg_world_save(struct agg_world *w); /* to p->state.bytes */
bool agg_world_load(struct agg_world *w, struct slice bytes, struct err *reterr);

#endif
