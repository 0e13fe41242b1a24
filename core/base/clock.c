/* SPDX-License-Identifier: Apache-2.0
 *
 * See clock.h. Any thread.
 */
#include "core/base/clock.h"

#include <assert.h>
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <time.h>

static int64_t read_clock(clockid_t id)
{
    struct timespec t;
    int rc = clock_gettime(id, &t);
    assert(rc == 0);
    (void)rc;
    return (int64_t)t.tv_sec * CLOCK_NS_PER_S + t.tv_nsec;
}

static int64_t system_mono(void *arg)
{
    (void)arg;
    return read_clock(CLOCK_MONOTONIC);
}

static int64_t system_wall(void *arg)
{
    (void)arg;
    return read_clock(CLOCK_REALTIME);
}

struct clock clock_system(void)
{
    return (struct clock){system_mono, system_wall, NULL};
}

static int64_t manual_mono(void *arg)
{
    return ((const struct clock_manual *)arg)->mono_ns;
}

static int64_t manual_wall(void *arg)
{
    return ((const struct clock_manual *)arg)->wall_ns;
}

struct clock clock_manual(struct clock_manual *m)
{
    assert(m != NULL);
    return (struct clock){manual_mono, manual_wall, m};
}

void clock_advance(struct clock_manual *m, int64_t ns)
{
    assert(ns >= 0);
    m->mono_ns += ns;
    m->wall_ns += ns;
}

int64_t clock_cpu_ns(void)
{
    return read_clock(CLOCK_PROCESS_CPUTIME_ID);
}

int64_t clock_meter_ns(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

void clock_sleep_ns(int64_t ns)
{
    struct timespec t = {ns / CLOCK_NS_PER_S, ns % CLOCK_NS_PER_S};
    while (ns > 0 && nanosleep(&t, &t) != 0 && errno == EINTR) {
    }
}

const char *clock_text(int64_t wall_ns, char out[CLOCK_TEXT_BYTES])
{
    int64_t s = wall_ns / CLOCK_NS_PER_S, ms = wall_ns / CLOCK_NS_PER_MS % 1000;
    if (ms < 0) {
        ms += 1000;
        s -= 1;
    } else if (wall_ns < 0 && wall_ns % CLOCK_NS_PER_S != 0 && ms == 0) {
        s -= 1;
    }
    struct tm tm;
    time_t t = (time_t)s;
    size_t n =
        gmtime_r(&t, &tm) != NULL ? strftime(out, CLOCK_TEXT_BYTES, "%Y-%m-%dT%H:%M:%S", &tm) : 0;
    if (n == 0) {
        out[0] = '\0';
    } else {
        snprintf(out + n, CLOCK_TEXT_BYTES - n, ".%03dZ", (int)ms);
    }
    return out;
}
