/* SPDX-License-Identifier: Apache-2.0 */
#include "core/bus/bus_wake.h"

#include "core/base/clock.h"
#include "tests/test.h"

#include <poll.h>
#include <pthread.h>

static int readable(const struct bus_wake *w)
{
    struct pollfd p = {.fd = w->epoll_fd, .events = POLLIN};
    return poll(&p, 1, 0);
}

TEST(bus_wake_is_readable_from_signal_to_clear)
{
    struct bus_wake w;
    bus_wake_init(&w);
    CHECK_EQ(0, readable(&w));
    bus_wake_signal(&w);
    bus_wake_signal(&w);
    CHECK_EQ(1, readable(&w));
    bus_wake_clear(&w);
    CHECK_EQ(0, readable(&w));
    bus_wake_done(&w);
}

TEST(bus_wake_alarm_goes_off)
{
    struct bus_wake w;
    struct clock clock = clock_system();
    bus_wake_init(&w);
    int64_t at = clock_mono(&clock) + 20 * CLOCK_NS_PER_MS;
    bus_wake_arm(&w, at);
    CHECK_EQ(0, readable(&w));
    bus_wake_sleep(&w, 2 * CLOCK_NS_PER_S);
    CHECK_EQ(1, readable(&w));
    CHECK(clock_mono(&clock) >= at);
    bus_wake_arm(&w, INT64_MAX);
    CHECK_EQ(0, readable(&w));
    bus_wake_done(&w);
}

enum { SIGNALS = 20000 };
static _Atomic int posted;

static void *signal_many(void *arg)
{
    for (int i = 0; i < SIGNALS; i++) {
        atomic_fetch_add(&posted, 1);
        bus_wake_signal(arg);
    }
    return NULL;
}

TEST(bus_wake_loses_no_signal_of_another_thread)
{
    struct bus_wake w;
    pthread_t t;
    bus_wake_init(&w);
    atomic_store(&posted, 0);
    CHECK_EQ(0, pthread_create(&t, NULL, signal_many, &w));
    int seen = 0;
    while (seen < SIGNALS) {
        bus_wake_sleep(&w, 5 * CLOCK_NS_PER_S);
        CHECK_EQ(1, readable(&w));
        bus_wake_clear(&w);
        seen = atomic_load(&posted);
    }
    pthread_join(t, NULL);
    bus_wake_clear(&w);
    CHECK_EQ(0, readable(&w));
    bus_wake_done(&w);
}
