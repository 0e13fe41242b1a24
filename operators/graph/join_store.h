/* SPDX-License-Identifier: Apache-2.0
 *
 * What one stream of a join holds: events in order of arrival, and, where two streams are compared
 * by equality, those of one key behind one another under the hash of the key. An event that takes
 * the place of the only one of its key (#unique by what is joined by) costs one look-up.
 */
#ifndef OPERATORS_GRAPH_JOIN_STORE_H
#define OPERATORS_GRAPH_JOIN_STORE_H

#include "operators/graph/join_bind.h"

struct join_item {
    struct evt *e;
    struct join_item *next, *prev;   /* in order of arrival */
    struct join_item *knext, *kprev; /* of its key likewise; the first's kprev is the last */
    uint64_t hash;                   /* of the key */
};

struct join_slot {
    uint64_t hash;
    struct join_item *first; /* of a key; without keys, of a chain by identity; NULL: free */
};

struct join_store {
    const struct inst *in;
    struct evt **row; /* scratch: a row of the join */
    const struct join_stream *p;
    uint32_t num;
    bool keyed;
    struct join_item *first, *last;
    struct join_item *spare; /* through next */
    struct join_slot *slots;
    size_t n_slots, used, count; /* used: slots */
};

struct join_vals { /* the key of an event */
    struct dat v[JOIN_KEYS_MAX];
    uint64_t hash;
    bool null; /* one of them is */
};

void join_store_init(struct join_store *s, const struct inst *in, struct evt **row,
                     const struct join_stream *p, uint32_t num, bool keyed);
void join_store_done(struct join_store *s);
void join_store_vals(const struct join_store *s, struct evt *e, struct join_vals *ret);
/* `v` is e's key; not looked at without keys. */
void join_store_add(struct join_store *s, struct evt *e, const struct join_vals *v);
void join_store_remove(struct join_store *s, struct evt *e); /* fine if it is not there */
/* `e` instead of `old`, as if it came and then `old` left; false, and nothing done, if their keys
 * differ or others have it, too. */
bool join_store_swap(struct join_store *s, struct evt *e, const struct join_vals *v,
                     struct evt *old);
/* The oldest of a key; its fellows through knext. */
struct join_item *join_store_find(const struct join_store *s, const struct join_vals *v);

/* One side of a key for an event of its stream, as both sides are compared. */
struct dat join_side(const struct join_key *k, const struct ex *side, struct ectx *c);

#endif
