/* SPDX-License-Identifier: Apache-2.0
 *
 * The live events of a group that has had more than a few (cause_refs.h), by their references.
 *
 * A ring of references; beside it those with the smallest hashes (`low`): every live one whose
 * upper half of the hash is below `bound` is there. It is kept up while rows are being made, and
 * made anew out of the ring when it has run dry or when the last row was long ago. Rows are made of
 * what lies in the struct itself: the ring is written at one end and read at the other, and nobody
 * waits for either. What follows from the ring is not saved.
 */
#ifndef OPERATORS_SIG_CAUSE_MANY_H
#define OPERATORS_SIG_CAUSE_MANY_H

#include "operators/sig/cause.h"

enum { CAUSE_LOW = 14 };

struct cause_many { /* zeroed is empty */
    struct eref *v; /* ring; 0: a gap */
    uint32_t cap;   /* of it */
    uint32_t from;  /* slot of the oldest */
    uint32_t len;   /* slots in use; those at both ends are live */
    uint32_t live;  /* without gaps */
    uint32_t idle;  /* changes since the last row */
    uint32_t bound; /* of hashes left out, the smallest */
    uint8_t n_low;
    bool low_on;
    bool all;                       /* nothing has been left out: there is no bound */
    bool twice;                     /* one is perhaps there twice */
    uint32_t first_hash, last_hash; /* of those at the ends, upper halves; of what is not empty */
    uint32_t hash[CAUSE_LOW];       /* likewise, ascending by the whole hash */
    struct eref first, last;        /* those at the ends */
    struct eref low[CAUSE_LOW];
};

void cause_many_done(struct cause_many *c);
void cause_many_enter(struct cause_many *c, struct eref r);
void cause_many_leave(struct cause_many *c, struct eref r); /* ignored if it is not there */
/* The sample, as cause_live_list. */
void cause_many_list(struct cause_many *c, const struct cause_list *own, struct cause_list *to);
/* Likewise, as the causes of a row that has none yet: made in one go. */
void cause_many_give(struct cause_many *c, struct vheap *h, struct evt *row);
/* It is about to be used: both ends of the ring are fetched into the cache. */
static inline void cause_many_soon(const struct cause_many *c)
{
    uint32_t last = c->from + c->len, oldest = c->from + 1; /* the next there will be */
    if (c->cap > 0) {
        __builtin_prefetch(&c->v[oldest < c->cap ? oldest : 0]);
        __builtin_prefetch(&c->v[last < c->cap ? last : last - c->cap]);
    }
}
/* The i-th, the oldest first; false: it has left. i < len. */
bool cause_many_at(const struct cause_many *c, uint32_t i, struct eref *ret);

#endif
