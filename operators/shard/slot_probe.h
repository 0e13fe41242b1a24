/* SPDX-License-Identifier: Apache-2.0
 *
 * What a slot tells its tasks about the events of a record (slot_probe.c), so that they pass over
 * those that do not concern them.
 */
#ifndef OPERATORS_SHARD_SLOT_PROBE_H
#define OPERATORS_SHARD_SLOT_PROBE_H

#include "operators/shard/merge.h"
#include "operators/shard/probe.h"

struct slot;
struct slot_one;
struct slot_scan;

void slot_party(struct slot *s, struct slot_one *o); /* it may want more than it did */
void slot_party_leave(struct slot *s, struct slot_one *o);
void slot_hints_begin(struct slot_scan *c); /* those that read it may have changed */
void slot_hint_used(struct slot_scan *c, uint64_t wanted, uint64_t all);
/* Of a record of events that no task wrote; NULL: nothing is known. Good until the next. */
const struct merge_hint *slot_hint(struct slot *s, struct slot_scan *c, struct arena *a,
                                   const struct rec *events, uint32_t n);
void slot_give_hint(const struct slot *s, const struct slot_one *o, const struct merge_hint *h,
                    struct merge_piece *to);

#endif
