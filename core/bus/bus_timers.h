/* SPDX-License-Identifier: Apache-2.0
 *
 * The timers of one bus client: a binary heap ordered by (time, order of setting), so that timers
 * due together fire in the order they were set, in every implementation alike. One thread.
 */
#ifndef CORE_BUS_BUS_TIMERS_H
#define CORE_BUS_BUS_TIMERS_H

#include "core/base/vec.h"

#include <stdbool.h>
#include <stdint.h>

struct bus_timer {
    int64_t at_ns;
    uint64_t order, tag;
};

struct bus_timers {
    VEC(struct bus_timer) heap;
    uint64_t next_order;
};

void bus_timers_done(struct bus_timers *t);
void bus_timers_set(struct bus_timers *t, int64_t at_ns, uint64_t tag);
void bus_timers_cancel(struct bus_timers *t, uint64_t tag); /* all with this tag */
/* The time of the first, or INT64_MAX. */
int64_t bus_timers_next(const struct bus_timers *t);
/* Takes the first if it is due. */
bool bus_timers_take(struct bus_timers *t, int64_t now_ns, uint64_t *ret_tag);

#endif
