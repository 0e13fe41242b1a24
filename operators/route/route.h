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

struct route_filter { /* of the plan; shared by all leaves made of it */
    const struct etype *type;
    const struct ex *cond; /* all of it; NULL takes every event of the type */
    const struct ex *key;  /* set by route_filter_init: column key_slot must equal this ... */
    uint16_t key_slot;
    const struct ex *rest; /* ... and this must hold */
};

struct route;

struct route_leaf {
    const struct route_filter *filter;
    struct evt *bound; /* kept; NULL if none */
    void (*on)(void *arg, struct evt *e);
    void *arg;
    void *inst;         /* statement instance, for the engine */
    const struct ectx_ops *ops;
    uint64_t rank;      /* order of delivery */
    int consume;        /* level of @consume; 0: none */
    struct val key;     /* kept */
    bool dead;
    uint32_t pos;       /* in its list */
    uint64_t seq;       /* of adding */
};

struct route_hit {
    struct route_leaf *leaf;
    uint64_t rank;
};

struct route_hits {
    VEC(struct route_hit) v;
};

struct route *route_new(struct vheap *heap, const int64_t *now);
void route_free(struct route *r);
void route_filter_init(struct arena *a, struct route_filter *f);
struct route_leaf *route_add(struct route *r, const struct route_filter *f, struct evt *bound,
                             void (*on)(void *arg, struct evt *e), void *arg, void *inst,
                             const struct ectx_ops *ops, uint64_t rank);
void route_remove(struct route *r, struct route_leaf *l); /* freed by the next route_sweep */
/* Leaves that take the event, by (rank, seq). */
void route_match(struct route *r, struct evt *e, struct route_hits *hits);
void route_sweep(struct route *r);
size_t route_count(const struct route *r);

#endif
