/* SPDX-License-Identifier: Apache-2.0
 *
 * The live events of a group that leave in the order they entered, each by its own reference: what
 * cause_live (cause.h) does for any events, at a fraction of its memory and without looking at an
 * event again. For windows that are a queue (#length, #time and their batches) over events of a
 * stream, which all have references.
 *
 * Most groups have a few events, and there are many such groups: each change of one is a walk
 * through memory that is not in the cache. So a few references are kept in few bytes, 8 each: what
 * they differ in from a base (of references: topic and partition, or lineage, are the same; offsets
 * or output numbers are near). They stand in order of age from `v` on, so a small group touches the
 * front of it only. `order` has their places by hash: a row is made by reading that from the
 * front. A piece of the hash, 15 bits, is kept to find the place of another one; where two have the
 * same piece (`alike`) it is done slowly, by the whole hash. What does not fit, by number or by
 * what it is, goes to a struct cause_many, until nothing is left there.
 *
 * Saved are the references alone. A struct of this kind lies inside of its group.
 */
#ifndef OPERATORS_SIG_CAUSE_REFS_H
#define OPERATORS_SIG_CAUSE_REFS_H

#include "operators/sig/cause_many.h"

enum {
    CAUSE_FEW = 24,
    CAUSE_FEW_PAD = 34,     /* two vectors of bytes, and one more byte at each end */
    CAUSE_REFS_OFTEN = 240, /* bytes that a row of ten touches, from the first on */
};

struct cause_refs {          /* zeroed is empty */
    struct cause_many *many; /* if it has any, all are there; NULL until there were */
    struct eref base;
    uint8_t order[CAUSE_FEW_PAD]; /* from [1] on: places in v, by hash */
    int16_t piece[CAUSE_FEW + 1]; /* of the hash, largest first: of v[i]; 0 where there is none */
    uint8_t len;
    bool alike;
    uint64_t v[CAUSE_FEW]; /* low half of hi; lo from base on, 32 bits */
};

void cause_refs_done(struct cause_refs *c);
void cause_refs_enter(struct cause_refs *c, struct eref r);
void cause_refs_leave(struct cause_refs *c, struct eref r); /* ignored if it is not there */
/* The sample, as cause_live_list. */
void cause_refs_list(struct cause_refs *c, const struct cause_list *own, struct cause_list *to);
/* Likewise, as the causes of a row that has none yet: made in one go. */
void cause_refs_give(struct cause_refs *c, struct vheap *h, struct evt *row);
uint32_t cause_refs_len(const struct cause_refs *c);
/* It is about to be used, and has been fetched into the cache itself. */
static inline void cause_refs_soon(const struct cause_refs *c)
{
    if (c->many != NULL) {
        cause_many_soon(c->many);
    }
}
void cause_refs_save(struct save *s, const struct cause_refs *c);
void cause_refs_load(struct load *l, struct cause_refs *c); /* into an empty one */

#endif
