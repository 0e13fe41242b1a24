/* SPDX-License-Identifier: Apache-2.0
 *
 * What one stream of a join holds: events in order of arrival. Where two streams are compared by
 * equality, the events of one key stand together under the hash of the key, and their order among
 * all is a number that is looked at when all are asked for; most keys have one event, which stands
 * in the table itself.
 */
#ifndef OPERATORS_GRAPH_JOIN_STORE_H
#define OPERATORS_GRAPH_JOIN_STORE_H

#include "core/base/hidx.h"
#include "operators/graph/join_bind.h"

struct join_held { /* an event, and when it came */
    struct evt *e;
    uint64_t order;
};

struct join_item {
    struct join_held h;
    struct join_item *next; /* of its key, of all without keys, of the spare ones */
    struct join_item *prev; /* without keys */
};

struct join_slot { /* of a key: a cell */
    uint64_t hash;
    struct join_held h;     /* the oldest */
    struct join_item *more; /* the newest of the others, whose next is the oldest of them; NULL */
};

struct join_store {
    const struct inst *in;
    struct evt **row; /* scratch: a row of the join */
    const struct join_stream *p;
    uint32_t num;
    bool keyed;
    struct hidx slots; /* with keys: struct join_slot; else items by identity: */
    struct join_item *first, *last;
    struct join_item *spare;
    size_t count;
    uint64_t order;
    uint64_t *serial; /* numbers of events are from there; NULL: they get none here */
    uint64_t newest;  /* the number of what came last */
    bool mixed;       /* they did not come in the order of their numbers; empty: never */
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
/* The place of a key, or NULL. */
const struct join_slot *join_store_find(const struct join_store *s, const struct join_vals *v);
/* Of one that is empty: what the event that came last had. */
void join_store_from(struct join_store *s, uint64_t newest, bool mixed);
/* All events as they came, `count` of them; the list is the caller's, by mem_free. */
struct evt **join_store_all(const struct join_store *s);

static inline const struct join_slot *join_store_place(const struct join_store *s, uint64_t hash)
{
    struct hidx_spot at = hidx_walk(&s->slots, hash);
    return at.cells != NULL ? (const struct join_slot *)(void *)at.cells + at.i : NULL;
}
/* Fetches the place of a hash; then the event that stands there. */
static inline void join_store_soon(const struct join_store *s, uint64_t hash)
{
    __builtin_prefetch(join_store_place(s, hash));
}
static inline void join_store_near(const struct join_store *s, uint64_t hash)
{
    const struct join_slot *at = join_store_place(s, hash);
    if (at != NULL && at->h.e != NULL) {
        __builtin_prefetch(at->h.e->p);
    }
}

/* One side of a key for an event of its stream, as both sides are compared. */
struct dat join_side(const struct join_key *k, const struct ex *side, struct ectx *c);

#endif
