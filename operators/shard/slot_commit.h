/* SPDX-License-Identifier: Apache-2.0
 *
 * Transactions of a slot: when tasks are cut, and what becomes of it (slot_commit.c).
 */
#ifndef OPERATORS_SHARD_SLOT_COMMIT_H
#define OPERATORS_SHARD_SLOT_COMMIT_H

#include "core/bus/bus.h"

struct slot;
struct slot_one;

void slot_commit_step(struct slot *s);
bool slot_releases(const struct slot *s, const struct slot_one *o); /* all else is done */
int64_t slot_interval(const struct slot *s);                        /* from one cut to the next */
void slot_commit_event(struct slot *s, const struct bus_ev *ev);
void slot_put_event(struct slot *s, const struct bus_ev *ev);
int64_t slot_cut_due(const struct slot *s, const struct slot_one *o); /* INT64_MAX: no need */
void slot_commit_looked(struct slot *s); /* the journals were read after UNKNOWN */

#endif
