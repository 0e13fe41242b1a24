/* SPDX-License-Identifier: Apache-2.0
 *
 * Time: positions by record time, and the client's timers.
 */
#include "tests/bus/suite.h"

#include <stdio.h>

static void check_first(struct suite_client *c, struct bus_tp tp, const struct suite_log *log,
                        int64_t time_ms)
{
    size_t first = 0;
    while (log->recs[first].time_ms < time_ms) {
        first++;
    }
    int64_t at = suite_by_time(c, tp, time_ms);
    CHECK(at <= log->recs[first].offset);
    CHECK(first == 0 || at > log->recs[first - 1].offset);
}

TEST(time_finds_the_first_record_not_older)
{
    struct suite s;
    suite_begin(&s, NULL);
    struct suite_client *a = suite_client(&s, "a");
    struct bus_tp tp = suite_topic(a, "t", 1, BUS_DELETE);
    struct bus_writer *w = suite_open(a, "slot");
    enum { N = 5 };
    for (int i = 0; i < N; i++) {
        suite_put(a, w, tp, "k", "v");
        suite_put(a, w, tp, "k", "v");
        (void)suite_commit(a, w);
        suite_sleep(a, 50 * CLOCK_NS_PER_MS);
    }
    struct suite_log *log = suite_read(a, tp, BUS_FROM_START, 2 * N);
    for (size_t i = 0; i < log->count; i++) {
        check_first(a, tp, log, log->recs[i].time_ms);
        check_first(a, tp, log, log->recs[i].time_ms - 10); /* mostly between the commits */
    }
    CHECK(suite_by_time(a, tp, 0) <= log->recs[0].offset);
    CHECK(suite_by_time(a, tp, -INT64_C(1000000000000)) <= log->recs[0].offset);
    suite_end(&s);
}

TEST(time_after_the_last_record_is_the_stable_end)
{
    struct suite s;
    suite_begin(&s, NULL);
    struct suite_client *a = suite_client(&s, "a");
    struct bus_tp tp = suite_topic(a, "t", 1, BUS_DELETE);
    int64_t later_ms = clock_wall(bus_clock(a->c)) / CLOCK_NS_PER_MS + 3600 * 1000;
    CHECK_EQ(suite_bounds(a, tp).end, suite_by_time(a, tp, later_ms));
    suite_write(a, tp, "k", "v");
    struct suite_log *log = suite_read(a, tp, BUS_FROM_START, 1);
    int64_t at = suite_by_time(a, tp, later_ms);
    CHECK(at > log->recs[0].offset);
    CHECK_EQ(suite_bounds(a, tp).end, at);
    (void)suite_read(a, tp, at, 0);
    suite_end(&s);
}

TEST(time_by_time_never_points_before_the_start)
{
    struct suite s;
    suite_begin(&s, NULL);
    struct suite_client *a = suite_client(&s, "a");
    struct bus_tp tp = suite_topic(a, "t", 1, BUS_DELETE);
    for (int i = 0; i < 4; i++) {
        suite_write(a, tp, "k", "v");
    }
    struct suite_log *log = suite_read(a, tp, BUS_FROM_START, 4);
    suite_trim(a, tp, log->recs[2].offset);
    int64_t at = suite_by_time(a, tp, 0);
    CHECK(at >= log->recs[2].offset);
    (void)suite_read(a, tp, at, 2);
    suite_end(&s);
}

/* Reading from where by_time points gives these records first; offsets may have gaps. */
static void check_from(struct suite_client *c, struct bus_tp tp, int64_t time_ms, size_t n,
                       int64_t first)
{
    struct suite_log *log = suite_read(c, tp, suite_by_time(c, tp, time_ms), n);
    CHECK_EQ(first, log->recs[0].offset);
}

/* What was trimmed may lie about for a while; it must not hide what follows. */
TEST(time_by_time_finds_what_lies_behind_trimmed_records)
{
    struct suite s;
    suite_begin(&s, NULL);
    struct suite_client *a = suite_client(&s, "a");
    struct bus_tp tp = suite_topic(a, "t", 1, BUS_DELETE);
    for (int i = 0; i < 3; i++) {
        suite_write(a, tp, "k", "v");
        suite_sleep(a, suite_hooks.roll_ns);
    }
    const struct suite_rec *recs = suite_read(a, tp, BUS_FROM_START, 3)->recs;
    suite_trim(a, tp, recs[1].offset);
    check_from(a, tp, 0, 2, recs[1].offset);
    check_from(a, tp, recs[0].time_ms, 2, recs[1].offset);
    check_from(a, tp, recs[1].time_ms, 2, recs[1].offset);
    check_from(a, tp, recs[1].time_ms + suite_hooks.roll_ns / (2 * CLOCK_NS_PER_MS), 1,
               recs[2].offset);
    int64_t later_ms = recs[2].time_ms + 3600 * 1000;
    CHECK_EQ(suite_bounds(a, tp).end, suite_by_time(a, tp, later_ms));
    suite_trim(a, tp, recs[2].offset + 1);
    (void)suite_read(a, tp, suite_by_time(a, tp, 0), 0);
    suite_end(&s);
}

TEST(time_timers_fire_in_order_and_not_early)
{
    struct suite s;
    suite_begin(&s, NULL);
    struct suite_client *a = suite_client(&s, "a");
    static const int64_t ms[] = {80, 20, 50, 20, 110, 0, 50, 5};
    static const uint64_t order[] = {5, 7, 1, 3, 2, 6, 0, 4};
    int64_t start = suite_now(a);
    for (uint64_t i = 0; i < ARRAY_LEN(ms); i++) {
        bus_at(a->c, start + ms[i] * CLOCK_NS_PER_MS, i);
    }
    for (size_t i = 0; i < ARRAY_LEN(order); i++) {
        struct suite_ev *e = suite_await(a, BUS_EV_TIMER, SUITE_ANY_TAG);
        CHECK_EQ(order[i], e->ev.tag);
        CHECK(suite_now(a) >= start + ms[e->ev.tag] * CLOCK_NS_PER_MS);
    }
    suite_quiet(a, ~0u, SUITE_ANY_TAG);
    suite_end(&s);
}

TEST(time_past_timers_fire_at_the_next_poll)
{
    struct suite s;
    suite_begin(&s, NULL);
    struct suite_client *a = suite_client(&s, "a");
    bus_at(a->c, suite_now(a) - CLOCK_NS_PER_S, 7);
    bus_at(a->c, INT64_MIN + 1, 8);
    struct bus_ev evs[4];
    CHECK_EQ(2, bus_poll(a->c, evs, 4));
    CHECK_EQ(8, evs[0].tag);
    CHECK_EQ(7, evs[1].tag);
    CHECK_EQ(0, bus_poll(a->c, evs, 4));
    suite_end(&s);
}

TEST(time_cancelled_timers_do_not_fire)
{
    struct suite s;
    suite_begin(&s, NULL);
    struct suite_client *a = suite_client(&s, "a");
    int64_t now = suite_now(a);
    for (int i = 0; i < 6; i++) {
        bus_at(a->c, now + (10 + i) * CLOCK_NS_PER_MS, i % 2 == 0 ? 100 : 101);
    }
    bus_at_cancel(a->c, 100);
    bus_at_cancel(a->c, 12345);
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(101, suite_await(a, BUS_EV_TIMER, SUITE_ANY_TAG)->ev.tag);
    }
    suite_quiet(a, ~0u, SUITE_ANY_TAG);
    suite_end(&s);
}

TEST(time_timers_belong_to_their_client)
{
    struct suite s;
    suite_begin(&s, NULL);
    struct suite_client *a = suite_client(&s, "a"), *b = suite_client(&s, "b");
    bus_at(a->c, suite_now(a) + 30 * CLOCK_NS_PER_MS, 1);
    bus_at(b->c, suite_now(b) + 10 * CLOCK_NS_PER_MS, 2);
    CHECK_EQ(1, suite_await(a, BUS_EV_TIMER, SUITE_ANY_TAG)->ev.tag);
    CHECK_EQ(2, suite_await(b, BUS_EV_TIMER, SUITE_ANY_TAG)->ev.tag);
    CHECK_EQ(0, a->inbox.len + b->inbox.len);
    suite_end(&s);
}
