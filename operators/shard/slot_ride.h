/* SPDX-License-Identifier: Apache-2.0
 *
 * Inputs of tasks that ride: they are not looked at while nothing of what a scan reads concerns
 * them (slot_ride.c).
 */
#ifndef OPERATORS_SHARD_SLOT_RIDE_H
#define OPERATORS_SHARD_SLOT_RIDE_H

#include <stdint.h>

struct merge_hint;
struct merge_piece;
struct slot;
struct slot_input;
struct slot_one;
struct slot_scan;

/* A record of which so much is known is taken by all riders whom it does not concern,
 * once those whom it does have left and it was handed out (slot_ride_on); false: nobody rides now.
 */
bool slot_ride_may(struct slot_scan *c, const struct merge_hint *h, uint32_t n);
void slot_ride_wanted(const struct slot *s, struct slot_scan *c);
void slot_ride_on(struct slot_scan *c, const struct merge_piece *p);
void slot_ride_join(struct slot_scan *c, struct slot_input *in, uint32_t sub, uint64_t from);
void slot_ride_end(struct slot_scan *c);
/* The task's state is as if it had never ridden: before it is looked at, or anything else of it. */
void slot_ride_off(struct slot_one *o);

#endif
