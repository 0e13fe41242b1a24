/* SPDX-License-Identifier: Apache-2.0
 *
 * When the next tick of the world is due: an open loop, whose schedule does not wait for anybody. A
 * process that was held up does not make good for all of it at once: it makes up for at most 50 ms,
 * and the rest is told as being behind.
 */
#ifndef LOADGEN_PACE_H
#define LOADGEN_PACE_H

#include <stdint.h>

#define PACE_BURST_NS (50 * INT64_C(1000000))

struct pace {
    int64_t start_ns, tick_ns;
    int64_t made;      /* ticks */
    int64_t behind_ns; /* of the schedule, given up */
};

void pace_init(struct pace *p, int64_t now_ns, int64_t tick_ns);
/* How many ticks are due at now; they count as made. `held`: nothing can be taken now. */
int64_t pace_due(struct pace *p, int64_t now_ns, int held);
/* From now to the next. */
int64_t pace_wait_ns(const struct pace *p, int64_t now_ns);

#endif
