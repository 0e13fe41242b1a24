/* SPDX-License-Identifier: Apache-2.0
 *
 * The route index: all filters of all statements, by event type. An event is first matched against
 * everything (route_match), then the engine hands it to the leaves that took it; leaves that are
 * added meanwhile do not see it, leaves removed meanwhile are skipped. Equality with something that
 * is known when the leaf is added (a constant, a tag's property) is looked up by hash, so ten
 * thousand waiting patterns cost what matches.
 *
 * A filter is bound in a scope of two streams: 0 = the event, 1 = the match so far of a pattern
 * (an event whose columns are the tags), or nothing.
 */
#ifndef OPERATORS_ROUTE_ROUTE_H
#define OPERATORS_ROUTE_ROUTE_H

#include "core/base/vec.h"
#include "operators/expr/ectx.h"

struct arena;

enum { ROUTE_KEYS_MAX = 4 };

struct route_filter { /* of the plan; shared by all leaves made of it */
    const struct etype *type;
    const struct ex *cond; /* all of it; NULL takes every event of the type */
    /* Set by route_filter_init: columns that must equal what is known when a leaf is added. */
    uint32_t n_keys;
    uint16_t key_slot[ROUTE_KEYS_MAX];
    const struct ex *key[ROUTE_KEYS_MAX];
    uint8_t null_ok; /* bit i: key i was compared by `is`, null equals null */
    uint8_t made;    /* bit i: key i may be made by asking: else the match or the plan has it */
    const struct ex *rest; /* what else must hold; NULL: nothing */
    /* Without keys: a numeric column that lies between what is known then. */
    bool ranged, between; /* between: the bounds may stand in either order */
    uint16_t range_slot;
    const struct ex *low, *high; /* NULL: no bound on that side; rest asks for them again */
    bool shared;                 /* rest depends on the event alone: */
    bool known;                  /* a leaf of it was added (want.h) */
    uint64_t hash;               /* filters that ask the same have the same hash of it */
};

struct route;

struct route_leaf {
    const struct route_filter *filter;
    struct evt *bound; /* whoever adds the leaf keeps it; NULL if none */
    void (*on)(void *arg, struct evt *e);
    void *arg;
    struct inst *inst; /* statement instance, for the engine */
    const struct ectx_ops *ops;
    uint64_t rank; /* order of delivery */
    uint64_t seq;  /* of adding */
    int consume;   /* level of @consume; 0: none */
    bool dead;
    uint8_t first;                          /* with keys: by what the first counts, */
    uint32_t of;                            /* and which table of its type it is in */
    bool keyed;                             /* it is in that table */
    struct route_leaf *next, *prev, **home; /* in its list; with keys, of those of one hash */
    uint64_t hash;
    struct dat key[ROUTE_KEYS_MAX]; /* kept if made */
    double low, high, top;          /* of filter->ranged; top: the greatest high below it */
    struct route_leaf *kid[2];
    struct route_test *test; /* what its filter asks; NULL: nothing, or it shares with nobody */
    struct route_leaf *asks_next, *asks_prev; /* others that ask it */
};

struct route_hit {
    struct route_leaf *leaf;
    uint64_t rank;
};

struct route_hits {
    VEC(struct route_hit) v;
};

/* unshared: each leaf evaluates its own condition, for tests. */
struct route *route_new(struct vheap *heap, const int64_t *now, bool unshared);
void route_free(struct route *r);
void route_filter_init(struct arena *a, struct route_filter *f);
/* Whether the event alone decides; and whether two expressions that do are the same question. */
bool route_is_of_event(const struct ex *e);
bool route_asks_same(const struct ex *a, const struct ex *b);
uint64_t route_ex_hash(const struct ex *e); /* equal if that says so */
struct route_leaf *route_add(struct route *r, const struct route_filter *f, struct evt *bound,
                             void (*on)(void *arg, struct evt *e), void *arg, struct inst *inst,
                             const struct ectx_ops *ops, uint64_t rank);
/* ... with the number it had: the counter stays as it is (route_set_seq). */
struct route_leaf *route_add_at(struct route *r, const struct route_filter *f, struct evt *bound,
                                void (*on)(void *arg, struct evt *e), void *arg, struct inst *inst,
                                const struct ectx_ops *ops, uint64_t rank, uint64_t seq);
void route_remove(struct route *r, struct route_leaf *l); /* freed by the next route_sweep */
/* Leaves that take the event, by (rank, seq). A condition that fails to evaluate does not take it.
 */
void route_match(struct route *r, struct evt *e, struct route_hits *hits);
/* ... as an event of a variant stream `as`. */
void route_match_as(struct route *r, const struct etype *as, struct evt *e,
                    struct route_hits *hits);
void route_sweep(struct route *r);
uint64_t route_seq(const struct route *r); /* of the newest leaf */
/* Loaded state: leaves have the numbers they had, and so have those to come. false: there is a leaf
 * with a higher number (route_add_at, route_renumber), which cannot be. */
void route_renumber(struct route *r, struct route_leaf *l, uint64_t seq);
bool route_set_seq(struct route *r, uint64_t newest);
size_t route_count(const struct route *r);
uint64_t route_evals(const struct route *r); /* conditions that were evaluated so far */

#endif
