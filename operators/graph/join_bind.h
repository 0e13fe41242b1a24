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

struct join_plan {
    struct join_stream *s;
    bool outer;   /* some join is an outer join */
    uint64_t uni; /* unidirectional streams */
    bool tested;  /* rows are made of what the where lets pass: what is beyond the keys is */
    const struct ex *rest; /* or NULL */
};

int join_bind(struct bind *b, const struct ast_select *s, struct sel_plan *p, struct err *reterr);

#endif
