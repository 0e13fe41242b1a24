/* SPDX-License-Identifier: Apache-2.0
 *
 * The plan of a join: which streams are compared with which, by what.
 */
#ifndef OPERATORS_GRAPH_JOIN_BIND_H
#define OPERATORS_GRAPH_JOIN_BIND_H

#include "operators/graph/sel.h"

enum { JOIN_KEYS_MAX = 8 };

struct join_key { /* mine = theirs */
    const struct ex *mine, *theirs;
    uint64_t needs; /* streams that `theirs` speaks of */
    bool floats;    /* a whole number against a fraction: both as doubles */
};

struct join_stream {
    struct join_key *keys; /* equalities of this stream with others */
    uint32_t n_keys;
    uint32_t parent;      /* outer joins: the stream its `on` compares it with */
    struct ex *on;        /* NULL: none */
    bool optional;        /* padded with null when the parent's row has no partner */
    bool parent_optional; /* the other way round */
};

/* One of the streams that are found when an event of another comes: from `from`, which is found
 * before it. */
struct join_step {
    uint8_t num, from;
    uint8_t on;    /* the stream whose `on` connects the two */
    uint8_t end;   /* where the steps that begin at `num` end */
    bool optional; /* null if there is none for which all it requires is there */
};

struct join_plan {
    struct join_stream *s;
    bool outer;               /* some join is an outer join */
    struct join_step **steps; /* outer: per stream that changes, in order, one for each other */
    uint64_t uni;             /* unidirectional streams */
    bool tested; /* rows are made of what the where lets pass: what is beyond the keys is */
    const struct ex *rest; /* or NULL */
};

int join_bind(struct bind *b, const struct ast_select *s, struct sel_plan *p, struct err *reterr);

#endif
