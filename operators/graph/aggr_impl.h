/* SPDX-License-Identifier: Apache-2.0
 *
 * The inside of an aggregator, for aggr.c (groups, rows) and aggr_state.c (saving and loading).
 */
#ifndef OPERATORS_GRAPH_AGGR_IMPL_H
#define OPERATORS_GRAPH_AGGR_IMPL_H

#include "core/base/hidx.h"
#include "core/base/mem.h"
#include "core/base/vec.h"
#include "operators/graph/aggr.h"
#include "operators/sig/save_late.h"

struct entry {
    struct group *g;        /* NULL: nobody has this id */
    const struct obj *key0; /* its first key, if that is an object */
};

struct aggregator {
    const struct agg_layout *layout;
    struct ex **keys;
    uint32_t n_keys, width;
    struct vheap *heap;
    struct lim *lim;              /* NULL: groups are not counted */
    bool causes, windowed, queue; /* groups know their causes; rows leave; in order */
    struct hidx index;            /* ids */
    size_t count;
    size_t touched_bytes;    /* by events, of each group */
    VEC(struct entry) by_id; /* from id 1 on */
    VEC(uint32_t) free_ids;
    uint64_t next_nr;
    struct group *first, *last, *total;
    struct group *recent;     /* found by its one key, at level 0; or NULL */
    VEC(struct group *) left; /* those that begin anew with the next row */
    bool forgets, keeps;
    struct aggregator **local; /* per call with a group_by of its own; NULL for the others */

    /* It is being saved in slices: groups up to late_nr, from late_at on; and, of those, the ones
     * that have changed meanwhile, which are written already (late_done, by id). */
    struct save_late *late; /* NULL: it is not */
    struct group *late_at;
    uint64_t late_nr;
    VEC(uint64_t) late_done; /* bits */
};

_Static_assert(offsetof(struct group, hash) == MEM_LINE, "what is touched begins a line");
_Static_assert(offsetof(struct group, key) % 16 == 0, "blocks are aligned to 16");

static inline void *aggr_block(struct group *g)
{
    return &g->key[g->of->n_keys];
}

struct group *aggr_add(struct aggregator *a, const struct dat *key, uint64_t hash, uint32_t level);
uint64_t aggr_hash(const struct dat *key, uint32_t n, uint32_t level);

/* aggr_state.c: of what is being saved in slices. */
void aggr_save_first(struct aggregator *a, struct group *g); /* before it changes */
void aggr_save_rest(struct aggregator *a);
/* A group is about to be changed, or to go. */
static inline void aggr_change(const struct aggregator *a, struct group *g)
{
    if (UNLIKELY(a->late != NULL)) {
        aggr_save_first((struct aggregator *)(uintptr_t)a, g);
    }
}

#endif
