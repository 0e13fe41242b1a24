/* SPDX-License-Identifier: Apache-2.0
 *
 * The replay floor of a task: of each input, and of its journal, the oldest offset that whoever
 * begins with its last snapshot reads again (slot_floor.c). Retention must not come there first.
 */
#ifndef OPERATORS_SHARD_SLOT_FLOOR_H
#define OPERATORS_SHARD_SLOT_FLOOR_H

#include <stdbool.h>
#include <stdint.h>

struct slot;
struct slot_one;

struct slot_floor {           /* of the input whose floor is nearest to what was removed */
    char of[96];              /* topic/partition; empty: not known yet */
    int64_t offset, low, end; /* the floor; what is there reaches from low to end */
    bool near;                /* less than a fifth of that lies before the floor */
    uint64_t nears;           /* times that an input was so near */
};

struct slot_floor slot_floor(const struct slot *s, uint32_t i);

/* The task begins: what it begins with is what it needs. A snapshot is cut; it is there. */
void slot_floor_begins(struct slot_one *o);
void slot_floor_cut(struct slot_one *o);
void slot_floor_saved(struct slot_one *o);
/* A record of its journal is written. */
void slot_floor_written(struct slot_one *o, int64_t offset);
/* The bounds of a partition of the journal were told. */
void slot_floor_journal(struct slot *s, uint32_t part, int64_t low, int64_t end);
struct slot_scan;
/* The bounds of the partition were told: who is near is saved at once, if that helps. */
void slot_floor_told(struct slot *s, struct slot_scan *c, int64_t low);

#endif
