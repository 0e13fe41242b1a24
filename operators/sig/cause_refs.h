/* SPDX-License-Identifier: Apache-2.0
 *
 * The live events of a group that leave in the order they entered, each by its own reference: what
 * cause_live (cause.h) does for any events, at a fraction of its memory and without looking at an
 * event again. For windows that are a queue (#length, #time and their batches) over events of a
 * stream, which all have references.
 *
 * A ring of references; beside it the places of those with the smallest hashes (`low`): every live
 * one whose upper half of the hash is below `bound` is there. It is kept up while rows are being
 * made, and made anew out of the ring when it has run dry or when the last row was long ago. It
 * follows from the ring, so it is not saved. A struct of this kind lies inside of its group.
 */
#ifndef OPERATORS_SIG_CAUSE_REFS_H
#define OPERATORS_SIG_CAUSE_REFS_H

#include "operators/sig/cause.h"

enum { CAUSE_LOW = 14 };

struct cause_refs { /* zeroed is empty */
    struct eref *v; /* ring; 0: a gap */
    uint32_t cap;   /* of it */
    uint32_t from;  /* slot of the oldest */
    uint32_t len;   /* slots in use; those at both ends are live */
    uint32_t live;  /* without gaps */
    uint32_t idle;  /* changes since the last row */
    uint32_t bound; /* of hashes left out, the smallest */
    uint8_t n_low;
    bool low_on;
    bool all;                 /* nothing has been left out: there is no bound */
    uint32_t hash[CAUSE_LOW]; /* upper halves, ascending by the whole hash */
    uint32_t slot[CAUSE_LOW];
};

void cause_refs_done(struct cause_refs *c);
void cause_refs_enter(struct cause_refs *c, struct eref r);
void cause_refs_leave(struct cause_refs *c, struct eref r); /* ignored if it is not there */
/* The sample, as cause_live_list. */
void cause_refs_list(struct cause_refs *c, const struct cause_list *own, struct cause_list *to);
/* It is about to be used: what lies outside of the struct is fetched into the cache. */
static inline void cause_refs_soon(const struct cause_refs *c)
{
    enum { LINE = 64 / sizeof(struct eref), LINES = 8 };
    for (uint32_t i = 0; i < c->cap && i < LINE * LINES; i += LINE) {
        __builtin_prefetch(&c->v[i]);
    }
}
void cause_refs_save(struct save *s, const struct cause_refs *c);
void cause_refs_load(struct load *l, struct cause_refs *c); /* into an empty one */

#endif
