/* SPDX-License-Identifier: Apache-2.0
 *
 * Fencing: a slot has one holder; who lost it can make nothing readable and learns it.
 */
#include "tests/bus/suite.h"

/* The former holder tries to write on: his put and commit are refused or end FENCED, once. */
static void write_in_vain(struct suite_client *c, struct bus_writer *w, struct bus_tp tp)
{
    struct bus_put put = {.to = tp, .key = SLICE("k"), .value = SLICE("zombie")};
    struct err err;
    int rc = bus_put(w, &put, &err);
    CHECK(rc == 0 || rc == -ERR_CLOSED);
    rc = bus_commit(w, suite_tag(c), &err);
    CHECK(rc == 0 || rc == -ERR_CLOSED);
    struct suite_ev *e = suite_await(c, BUS_EV_FENCED, SUITE_ANY_TAG);
    CHECK(e->ev.reopen && e->ev.writer == w);
    CHECK_EQ(-ERR_CLOSED, bus_put(w, &put, &err));
    CHECK_EQ(-ERR_CLOSED, bus_commit(w, suite_tag(c), &err));
    CHECK_EQ(-ERR_CLOSED, bus_abort(w, suite_tag(c), &err));
    suite_quiet(c, ~0u, SUITE_ANY_TAG);
    bus_writer_close(w);
}

TEST(fence_opening_a_slot_ends_its_former_holder)
{
    struct suite s;
    suite_begin(&s, NULL);
    struct suite_client *a = suite_client(&s, "a"), *b = suite_client(&s, "b");
    struct bus_tp tp = suite_topic(a, "t", 1, BUS_DELETE), tb = suite_same(b, a, tp);
    struct bus_writer *wa = suite_open(a, "slot");
    suite_put(a, wa, tp, "k", "a1");
    (void)suite_commit(a, wa);
    struct bus_writer *wb = suite_open(b, "slot");
    /* All he committed is readable when OPENED has come. */
    int64_t end = suite_bounds(b, tb).end;
    CHECK(suite_read(b, tb, BUS_FROM_START, 1)->recs[0].offset < end);
    write_in_vain(a, wa, tp);
    suite_put(b, wb, tb, "k", "b1");
    (void)suite_commit(b, wb);
    CHECK_STR("a1,b1", suite_values(b, suite_read(b, tb, BUS_FROM_START, 2)));
    suite_end(&s);
}

TEST(fence_ends_an_open_transaction)
{
    struct suite s;
    suite_begin(&s, NULL);
    struct suite_client *a = suite_client(&s, "a"), *b = suite_client(&s, "b");
    struct bus_tp tp = suite_topic(a, "t", 1, BUS_DELETE), tb = suite_same(b, a, tp);
    struct bus_writer *wa = suite_open(a, "slot");
    suite_put(a, wa, tp, "k", "never");
    (void)suite_pump(a, 20 * CLOCK_NS_PER_MS);
    struct bus_writer *wb = suite_open(b, "slot");
    suite_put(b, wb, tb, "k", "b1");
    (void)suite_commit(b, wb);
    CHECK_STR("b1", suite_values(b, suite_read(b, tb, BUS_FROM_START, 1)));
    write_in_vain(a, wa, tp);
    suite_put(b, wb, tb, "k", "b2");
    (void)suite_commit(b, wb);
    CHECK_STR("b1,b2", suite_values(b, suite_read(b, tb, BUS_FROM_START, 2)));
    suite_end(&s);
}

TEST(fence_without_a_new_holder)
{
    struct suite s;
    suite_begin(&s, NULL);
    struct suite_client *a = suite_client(&s, "a"), *b = suite_client(&s, "b");
    struct bus_tp tp = suite_topic(a, "t", 1, BUS_DELETE), tb = suite_same(b, a, tp);
    suite_fence(b, "slot"); /* nobody holds it */
    struct bus_writer *wa = suite_open(a, "slot");
    suite_put(a, wa, tp, "k", "a1");
    (void)suite_commit(a, wa);
    suite_put(a, wa, tp, "k", "never");
    suite_fence(b, "slot");
    int64_t end = suite_bounds(b, tb).end; /* decided: final for this slot */
    CHECK(suite_read(b, tb, BUS_FROM_START, 1)->recs[0].offset < end);
    write_in_vain(a, wa, tp);
    struct bus_writer *wb = suite_open(b, "slot");
    suite_put(b, wb, tb, "k", "b1");
    (void)suite_commit(b, wb);
    CHECK_STR("a1,b1", suite_values(b, suite_read(b, tb, BUS_FROM_START, 2)));
    suite_end(&s);
}

TEST(fence_epochs_only_grow)
{
    struct suite s;
    suite_begin(&s, NULL);
    struct suite_client *a = suite_client(&s, "a");
    struct bus_tp tp = suite_topic(a, "t", 1, BUS_DELETE);
    int64_t last = -1;
    for (int i = 0; i < 5; i++) {
        struct err err;
        struct bus_writer *w = NULL;
        uint64_t tag = suite_tag(a);
        CHECK_OK(bus_open(a->c, SLICE("slot"), tag, &w, &err), err);
        int64_t epoch = suite_await(a, BUS_EV_OPENED, tag)->ev.offset;
        CHECK(epoch > last);
        last = epoch;
        suite_put(a, w, tp, "k", "v");
        (void)suite_commit(a, w);
        bus_writer_close(w);
        if (i == 2) {
            suite_fence(a, "slot");
        }
    }
    suite_end(&s);
}

TEST(fence_slots_are_independent)
{
    struct suite s;
    suite_begin(&s, NULL);
    struct suite_client *a = suite_client(&s, "a"), *b = suite_client(&s, "b");
    struct bus_tp tp = suite_topic(a, "t", 1, BUS_DELETE);
    struct bus_writer *w1 = suite_open(a, "slot.1"), *w2 = suite_open(a, "slot.2");
    struct bus_writer *plain = suite_open(a, "");
    suite_put(a, w1, tp, "k", "1");
    suite_put(a, w2, tp, "k", "2");
    (void)suite_open(b, "slot.1");
    (void)suite_commit(a, w2);
    (void)suite_deliver(a, plain, tp, "k", "3");
    CHECK_STR("2,3", suite_values(a, suite_read(a, tp, BUS_FROM_START, 2)));
    write_in_vain(a, w1, tp);
    suite_end(&s);
}

TEST(fence_by_the_same_client_too)
{
    struct suite s;
    suite_begin(&s, NULL);
    struct suite_client *a = suite_client(&s, "a");
    struct bus_tp tp = suite_topic(a, "t", 1, BUS_DELETE);
    struct bus_writer *w1 = suite_open(a, "slot");
    suite_put(a, w1, tp, "k", "never");
    struct bus_writer *w2 = suite_open(a, "slot");
    suite_put(a, w2, tp, "k", "v");
    (void)suite_commit(a, w2);
    write_in_vain(a, w1, tp);
    CHECK_STR("v", suite_values(a, suite_read(a, tp, BUS_FROM_START, 1)));
    suite_end(&s);
}

TEST(fence_a_commit_under_way_is_in_or_out)
{
    struct suite s;
    suite_begin(&s, NULL);
    struct suite_client *a = suite_client(&s, "a"), *b = suite_client(&s, "b");
    struct bus_tp tp = suite_topic(a, "t", 2, BUS_DELETE), tb = suite_same(b, a, tp);
    uint32_t ends = SUITE_BIT(BUS_EV_COMMITTED) | SUITE_BIT(BUS_EV_FENCED) |
                    SUITE_BIT(BUS_EV_UNKNOWN) | SUITE_BIT(BUS_EV_ABORTED);
    size_t in = 0;
    for (uint32_t round = 0; round < 10; round++) {
        struct bus_writer *wa = suite_open(a, "slot"), *wb = NULL;
        struct err err;
        suite_put(a, wa, tp, "k", "v");
        suite_put(a, wa, suite_part(tp, 1), "k", "v");
        uint64_t commit = suite_commit_start(a, wa), open = suite_tag(b);
        CHECK_OK(bus_open(b->c, SLICE("slot"), open, &wb, &err), err);
        (void)suite_await(b, BUS_EV_OPENED, open);
        struct suite_bounds b0 = suite_bounds(b, tb), b1 = suite_bounds(b, suite_part(tb, 1));
        struct suite_ev *e = suite_next(a, ends, commit, suite_hooks.patience_ns);
        CHECK(e != NULL);
        bus_writer_close(wa);
        /* A fence post in both, then exactly what the open found lies before it. */
        suite_put(b, wb, tb, "k", "post");
        suite_put(b, wb, suite_part(tb, 1), "k", "post");
        struct suite_ev *post = suite_commit(b, wb);
        bus_writer_close(wb);
        struct bus_reader *r = bus_reader_new(b->c);
        uint64_t tag = suite_tag(b);
        CHECK_OK(bus_assign(r, tb, BUS_FROM_START, tag, &err), err);
        size_t n0 = 0;
        int64_t last_v = -1, post_at = post->ev.spans[0].offset;
        for (int64_t at = -1; at < post_at;) {
            struct suite_ev *got = suite_await(b, BUS_EV_RECORDS, tag);
            for (uint32_t i = 0; i < got->ev.count; i++) {
                at = got->ev.records[i].offset;
                if (slice_eq(got->ev.records[i].value, SLICE("v"))) {
                    n0++;
                    last_v = at;
                }
            }
        }
        bus_reader_free(r);
        CHECK(last_v < b0.end);
        CHECK(n0 == in || n0 == in + 1);
        if (e->ev.kind == BUS_EV_COMMITTED) {
            CHECK_EQ(in + 1, n0);
        } else if (e->ev.kind != BUS_EV_UNKNOWN) {
            CHECK_EQ(in, n0);
        }
        in = n0;
        struct suite_log *other = suite_read(b, suite_part(tb, 1), BUS_FROM_START, in + round + 1);
        for (size_t i = 0; i < other->count; i++) {
            if (slice_eq(other->recs[i].value, SLICE("v"))) {
                CHECK(other->recs[i].offset < b1.end);
            }
        }
    }
    suite_end(&s);
}
