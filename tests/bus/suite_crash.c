/* SPDX-License-Identifier: Apache-2.0
 *
 * Crash and reopen: what was acknowledged is there, what was not committed never appears.
 */
#include "tests/bus/suite.h"

TEST(crash_keeps_what_was_acknowledged)
{
    struct suite s;
    suite_begin(&s, NULL);
    struct suite_client *a = suite_client(&s, "a");
    struct bus_tp tp = suite_topic_with(a, "t", 2, BUS_DELETE, 3600 * 1000, -1);
    struct bus_writer *w = suite_open(a, "slot"), *plain = suite_open(a, "");
    suite_put(a, w, tp, "k", "1");
    suite_put(a, w, suite_part(tp, 1), "k", "1");
    int64_t at = suite_commit(a, w)->ev.spans[0].offset;
    (void)suite_deliver(a, plain, tp, "k", "2");
    suite_put(a, w, tp, "k", "never");
    (void)suite_pump(a, 20 * CLOCK_NS_PER_MS);
    suite_crash(&s);

    struct suite_client *b = suite_client(&s, "b");
    struct bus_tp tb = suite_topic(b, "t", 2, BUS_DELETE); /* exists: as it was */
    w = suite_open(b, "slot");                             /* decides what the dead one left open */
    struct suite_log *log = suite_read(b, tb, BUS_FROM_START, 2);
    CHECK_STR("1,2", suite_values(b, log));
    CHECK_EQ(at, log->recs[0].offset);
    suite_put(b, w, tb, "k", "3");
    (void)suite_commit(b, w);
    log = suite_read(b, tb, BUS_FROM_START, 3);
    CHECK_STR("1,2,3", suite_values(b, log));
    CHECK_STR("1", suite_values(b, suite_read(b, suite_part(tb, 1), BUS_FROM_START, 1)));
    suite_end(&s);
}

TEST(crash_during_a_commit_is_all_or_nothing)
{
    struct suite s;
    suite_begin(&s, NULL);
    struct suite_client *c = suite_client(&s, "0");
    struct bus_tp tp = suite_topic(c, "t", 4, BUS_DELETE);
    size_t in = 0;
    for (int round = 0; round < 5; round++) {
        struct bus_writer *w = suite_open(c, "slot");
        for (uint32_t p = 0; p < 4; p++) {
            suite_put(c, w, suite_part(tp, p), "k", "v");
        }
        (void)suite_commit_start(c, w);
        if (round % 2 == 0) {
            (void)suite_pump(c, CLOCK_NS_PER_MS);
        }
        suite_crash(&s);
        c = suite_client(&s, "again");
        tp = suite_topic(c, "t", 4, BUS_DELETE);
        bus_writer_close(suite_open(c, "slot"));
        size_t n = suite_read_all(c, tp, BUS_FROM_START)->count;
        CHECK(n == in || n == in + 1);
        for (uint32_t p = 1; p < 4; p++) {
            CHECK_EQ(n, suite_read_all(c, suite_part(tp, p), BUS_FROM_START)->count);
        }
        in = n;
    }
    suite_end(&s);
}

TEST(crash_keeps_trims_and_epochs)
{
    struct suite s;
    suite_begin(&s, NULL);
    struct suite_client *a = suite_client(&s, "a");
    struct bus_tp tp = suite_topic(a, "t", 1, BUS_DELETE);
    suite_write(a, tp, "k", "1");
    suite_write(a, tp, "k", "2");
    struct suite_log *log = suite_read(a, tp, BUS_FROM_START, 2);
    suite_trim(a, tp, log->recs[1].offset);
    struct bus_writer *w = NULL;
    struct err err;
    CHECK_OK(bus_open(a->c, SLICE("slot"), 991, &w, &err), err);
    int64_t epoch = suite_await(a, BUS_EV_OPENED, 991)->ev.offset;
    suite_crash(&s);

    struct suite_client *b = suite_client(&s, "b");
    struct bus_tp tb = suite_topic(b, "t", 1, BUS_DELETE);
    CHECK_EQ(log->recs[1].offset, suite_bounds(b, tb).start);
    CHECK_STR("2", suite_values(b, suite_read(b, tb, BUS_FROM_START, 1)));
    CHECK_OK(bus_open(b->c, SLICE("slot"), 992, &w, &err), err);
    CHECK(suite_await(b, BUS_EV_OPENED, 992)->ev.offset > epoch);
    suite_write(b, tb, "k", "3");
    CHECK(suite_read(b, tb, BUS_FROM_START, 2)->recs[1].offset > log->recs[1].offset);
    suite_end(&s);
}

TEST(crash_again_and_again)
{
    struct suite s;
    suite_begin(&s, NULL);
    struct suite_client *c = suite_client(&s, "c");
    struct bus_tp tp = suite_topic(c, "t", 1, BUS_DELETE);
    for (size_t i = 1; i <= 5; i++) {
        suite_write(c, tp, "k", "v");
        suite_crash(&s);
        c = suite_client(&s, "c");
        tp = suite_topic(c, "t", 1, BUS_DELETE);
        (void)suite_read(c, tp, BUS_FROM_START, i);
    }
    suite_end(&s);
}
