/* SPDX-License-Identifier: Apache-2.0
 *
 * Plain writers: each put ends by itself with its token; order holds per partition; beside slots.
 */
#include "tests/bus/suite.h"

#include <stdio.h>

TEST(plain_every_put_ends_with_its_token)
{
    struct suite s;
    suite_begin(&s, NULL);
    struct suite_client *a = suite_client(&s, "a");
    struct bus_tp tp = suite_topic(a, "t", 3, BUS_DELETE);
    struct bus_writer *w = suite_open(a, "");
    enum { N = 300 };
    int64_t offsets[N];
    for (uint64_t i = 0; i < N; i++) {
        char value[16];
        snprintf(value, sizeof value, "%d", (int)i);
        struct bus_put put = {.to = suite_part(tp, (uint32_t)i % 3),
                              .key = SLICE("k"),
                              .value = slice_str(value),
                              .token = 1000 + i};
        suite_put_it(a, w, &put);
    }
    for (uint64_t i = 0; i < N; i++) {
        struct suite_ev *e = suite_await(a, BUS_EV_DELIVERED, 1000 + i);
        CHECK(e->ev.writer == w && e->ev.err == NULL);
        CHECK(e->ev.tp.topic == tp.topic && e->ev.tp.part == (uint32_t)i % 3);
        offsets[i] = e->ev.offset;
    }
    CHECK(suite_next(a, SUITE_BIT(BUS_EV_DELIVERED), SUITE_ANY_TAG, 0) == NULL);
    for (uint32_t p = 0; p < 3; p++) {
        struct suite_log *log = suite_read(a, suite_part(tp, p), BUS_FROM_START, N / 3);
        for (size_t i = 0; i < log->count; i++) {
            int64_t n = -1;
            CHECK(slice_to_i64(log->recs[i].value, &n));
            CHECK_EQ((int64_t)(3 * i + p), n);
            CHECK_EQ(offsets[n], log->recs[i].offset);
        }
    }
    suite_end(&s);
}

TEST(plain_has_no_transactions)
{
    struct suite s;
    suite_begin(&s, NULL);
    struct suite_client *a = suite_client(&s, "a");
    struct bus_writer *w = suite_open(a, "");
    struct err err;
    CHECK_EQ(-ERR_USAGE, bus_commit(w, 1, &err));
    CHECK_EQ(-ERR_USAGE, bus_abort(w, 1, &err));
    suite_end(&s);
}

TEST(plain_writers_do_not_fence_each_other)
{
    struct suite s;
    suite_begin(&s, NULL);
    struct suite_client *a = suite_client(&s, "a"), *b = suite_client(&s, "b");
    struct bus_tp tp = suite_topic(a, "t", 1, BUS_DELETE), tb = suite_same(b, a, tp);
    struct bus_writer *w1 = suite_open(a, ""), *w2 = suite_open(a, ""), *w3 = suite_open(b, "");
    (void)suite_deliver(a, w1, tp, "k", "1");
    (void)suite_deliver(a, w2, tp, "k", "2");
    (void)suite_deliver(b, w3, tb, "k", "3");
    (void)suite_deliver(a, w1, tp, "k", "4");
    CHECK_STR("1,2,3,4", suite_values(b, suite_read(b, tb, BUS_FROM_START, 4)));
    suite_end(&s);
}

TEST(plain_beside_slots_in_one_partition)
{
    struct suite s;
    suite_begin(&s, NULL);
    struct suite_client *a = suite_client(&s, "a");
    struct bus_tp tp = suite_topic(a, "t", 1, BUS_DELETE);
    struct bus_writer *plain = suite_open(a, ""), *w = suite_open(a, "slot");
    struct err err;
    (void)suite_deliver(a, plain, tp, "k", "p1");
    suite_put(a, w, tp, "k", "never");
    int64_t p2 = suite_deliver(a, plain, tp, "k", "p2"); /* an open transaction holds nobody up */
    uint64_t tag = suite_tag(a);
    CHECK_OK(bus_abort(w, tag, &err), err);
    (void)suite_await(a, BUS_EV_ABORTED, tag);
    suite_put(a, w, tp, "k", "s1");
    (void)suite_commit(a, w);
    (void)suite_deliver(a, plain, tp, "k", "p3");
    struct suite_log *log = suite_read(a, tp, BUS_FROM_START, 4);
    CHECK_STR("p1,p2,s1,p3", suite_values(a, log));
    CHECK_EQ(p2, log->recs[1].offset);
    suite_end(&s);
}

TEST(plain_to_what_does_not_exist_is_refused)
{
    struct suite s;
    suite_begin(&s, NULL);
    struct suite_client *a = suite_client(&s, "a");
    struct bus_tp tp = suite_topic(a, "t", 1, BUS_DELETE);
    struct bus_writer *w = suite_open(a, "");
    struct bus_put put = {.to = suite_part(tp, 9), .value = SLICE("v"), .token = 77};
    struct err err;
    int rc = bus_put(w, &put, &err);
    if (rc == 0) {
        struct suite_ev *e = suite_await(a, BUS_EV_REFUSED, 77);
        CHECK(e->ev.err != NULL && e->err.code == ERR_NOT_FOUND);
    } else {
        CHECK_EQ(-ERR_NOT_FOUND, rc);
    }
    CHECK(suite_deliver(a, w, tp, "k", "v") >= 0); /* the writer goes on */
    suite_end(&s);
}

TEST(plain_may_not_be_used_before_opened)
{
    struct suite s;
    suite_begin(&s, NULL);
    struct suite_client *a = suite_client(&s, "a");
    struct bus_tp tp = suite_topic(a, "t", 1, BUS_DELETE);
    static const char *const slots[] = {"", "slot"};
    for (size_t i = 0; i < ARRAY_LEN(slots); i++) {
        struct bus_writer *w = NULL;
        struct err err;
        uint64_t tag = suite_tag(a);
        struct bus_put put = {.to = tp, .value = SLICE("too early")};
        CHECK_OK(bus_open(a->c, slice_str(slots[i]), tag, &w, &err), err);
        CHECK_EQ(-ERR_CLOSED, bus_put(w, &put, &err));
        (void)suite_await(a, BUS_EV_OPENED, tag);
        bus_writer_close(w);
    }
    struct bus_writer *w = NULL;
    struct err err;
    CHECK_OK(bus_open(a->c, SLICE("slot"), suite_tag(a), &w, &err), err);
    bus_writer_close(w); /* before it is open: no event comes */
    suite_quiet(a, ~0u, SUITE_ANY_TAG);
    suite_end(&s);
}

TEST(plain_closing_with_puts_in_flight_tells_nothing)
{
    struct suite s;
    suite_begin(&s, NULL);
    struct suite_client *a = suite_client(&s, "a");
    struct bus_tp tp = suite_topic(a, "t", 1, BUS_DELETE);
    struct bus_writer *w = suite_open(a, "");
    enum { N = 20 };
    for (int i = 0; i < N; i++) {
        char value[16];
        snprintf(value, sizeof value, "%d", i);
        struct bus_put put = {.to = tp, .value = slice_str(value), .token = 500};
        suite_put_it(a, w, &put);
    }
    while (suite_next(a, ~0u, SUITE_ANY_TAG, -1) != NULL) {
    }
    bus_writer_close(w);
    suite_quiet(a, ~0u, SUITE_ANY_TAG);
    struct suite_log *log = suite_read_all(a, tp, BUS_FROM_START);
    for (size_t i = 0; i < log->count; i++) { /* what arrived is a beginning, in order */
        int64_t n = -1;
        CHECK(slice_to_i64(log->recs[i].value, &n));
        CHECK_EQ((int64_t)i, n);
    }
    suite_end(&s);
}
