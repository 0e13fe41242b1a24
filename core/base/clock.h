/* SPDX-License-Identifier: Apache-2.0
 *
 * The only place that asks the operating system for the time. Roles hand a `struct clock` down;
 * the bus hands it to everything below (its simulator moves a manual one), and nothing under
 * operators/ sees one at all.
 */
#ifndef CORE_BASE_CLOCK_H
#define CORE_BASE_CLOCK_H

#include <stdint.h>

#define CLOCK_NS_PER_S  INT64_C(1000000000)
#define CLOCK_NS_PER_MS INT64_C(1000000)

struct clock {
    int64_t (*mono_ns)(void *arg); /* never goes back; no relation to the calendar */
    int64_t (*wall_ns)(void *arg); /* since 1970-01-01 UTC; may jump */
    void *arg;
};

struct clock clock_system(void);
/* A clock that stands still until it is told: for tests and simulation. */
struct clock_manual {
    int64_t mono_ns, wall_ns;
};
struct clock clock_manual(struct clock_manual *m);
void clock_advance(struct clock_manual *m, int64_t ns);

static inline int64_t clock_mono(const struct clock *c)
{
    return c->mono_ns(c->arg);
}
static inline int64_t clock_wall(const struct clock *c)
{
    return c->wall_ns(c->arg);
}
/* CPU time of this process (all threads, user + system): for benchmarks and /metrics. */
int64_t clock_cpu_ns(void);
/* To measure how long something takes; nothing is decided by it. */
int64_t clock_meter_ns(void);
void clock_sleep_ns(int64_t ns);

/* "2026-01-31T12:00:00.123Z", 25 bytes with the NUL; and RFC 3339 back to ns. */
enum { CLOCK_TEXT_BYTES = 32 };
const char *clock_text(int64_t wall_ns, char out[CLOCK_TEXT_BYTES]);

#endif
