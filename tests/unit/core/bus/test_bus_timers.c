/* SPDX-License-Identifier: Apache-2.0 */
#include "core/bus/bus_timers.h"

#include "tests/test.h"

TEST(bus_timers_fire_by_time_then_by_order_of_setting)
{
    struct bus_timers t = {0};
    uint64_t tag = 0;
    for (uint64_t i = 0; i < 100; i++) {
        bus_timers_set(&t, (int64_t)((i * 37) % 10), i);
    }
    CHECK_EQ(0, bus_timers_next(&t));
    int64_t last_at = -1;
    uint64_t last_tag = 0;
    for (int n = 0; n < 100; n++) {
        int64_t at = bus_timers_next(&t);
        CHECK(bus_timers_take(&t, at, &tag));
        CHECK_EQ(at, (int64_t)((tag * 37) % 10));
        CHECK(at > last_at || (at == last_at && tag > last_tag));
        last_at = at;
        last_tag = tag;
    }
    CHECK(!bus_timers_take(&t, INT64_MAX - 1, &tag));
    bus_timers_done(&t);
}

TEST(bus_timers_cancel_all_of_a_tag)
{
    struct bus_timers t = {0};
    uint64_t tag = 0;
    for (uint64_t i = 0; i < 60; i++) {
        bus_timers_set(&t, (int64_t)((i * 31) % 17), i % 3);
    }
    bus_timers_cancel(&t, 1);
    int left = 0;
    while (bus_timers_take(&t, 100, &tag)) {
        CHECK(tag != 1);
        left++;
    }
    CHECK_EQ(40, left);
    bus_timers_done(&t);
}
