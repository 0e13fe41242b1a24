/* SPDX-License-Identifier: Apache-2.0 */
#include "core/base/clock.h"
#include "loadgen/pace.h"
#include "tests/test.h"

#define MS CLOCK_NS_PER_MS

TEST(pace_gives_each_tick_its_time)
{
    struct pace p;
    pace_init(&p, 1000 * MS, 10 * MS);
    CHECK_EQ(0, pace_due(&p, 1000 * MS, 0));
    CHECK_EQ(0, pace_due(&p, 1009 * MS, 0));
    CHECK_EQ(1 * MS, pace_wait_ns(&p, 1009 * MS));
    CHECK_EQ(1, pace_due(&p, 1010 * MS, 0));
    CHECK_EQ(0, pace_due(&p, 1010 * MS, 0));
    CHECK_EQ(3, pace_due(&p, 1040 * MS, 0));
    CHECK_EQ(0, p.behind_ns);
}

TEST(pace_never_makes_good_for_more_than_50_ms)
{
    struct pace p;
    pace_init(&p, 0, 10 * MS);
    CHECK_EQ(5, pace_due(&p, 50 * MS, 0));
    CHECK_EQ(5, pace_due(&p, 1050 * MS, 0)); /* held up for a second */
    CHECK_EQ(950 * MS, p.behind_ns);
    CHECK_EQ(0, pace_due(&p, 1050 * MS, 0));
    CHECK_EQ(10 * MS, pace_wait_ns(&p, 1050 * MS));
    CHECK_EQ(1, pace_due(&p, 1060 * MS, 0));
}

TEST(pace_stands_still_while_nothing_is_taken)
{
    struct pace p;
    pace_init(&p, 0, 10 * MS);
    for (int64_t now = 0; now < 500 * MS; now += 10 * MS) {
        CHECK_EQ(0, pace_due(&p, now, 1));
    }
    CHECK_EQ(490 * MS, p.behind_ns);
    CHECK_EQ(1, pace_due(&p, 500 * MS, 0));
}

TEST(pace_keeps_its_rate_whatever_the_wake_ups)
{
    struct pace p;
    int64_t now = 0, ticks = 0;
    pace_init(&p, 0, 10 * MS);
    for (int i = 0; i < 10000; i++) {
        now += (i * 7919 % 30) * MS + 1234567;
        ticks += pace_due(&p, now, 0);
    }
    CHECK_EQ(now / (10 * MS), ticks);
}
