/* SPDX-License-Identifier: Apache-2.0
 *
 * Transactions: atomic over partitions, invisible before and unless committed, their ends, spans,
 * and the one further transaction while a commit is under way.
 */
#include "tests/bus/suite.h"

#include <stdio.h>

static void put_all(struct suite_client *c, struct bus_writer *w, struct bus_tp tp, uint32_t parts,
                    const char *value)
{
    for (uint32_t p = 0; p < parts; p++) {
        suite_put(c, w, suite_part(tp, p), "k", value);
    }
}

static void check_all(struct suite_client *c, struct bus_tp tp, uint32_t parts, size_t n,
                      const char *values)
{
    for (uint32_t p = 0; p < parts; p++) {
        CHECK_STR(values, suite_values(c, suite_read(c, suite_part(tp, p), BUS_FROM_START, n)));
    }
}

TEST(txn_commit_makes_all_partitions_readable)
{
    struct suite s;
    suite_begin(&s, NULL);
    struct suite_client *a = suite_client(&s, "a"), *b = suite_client(&s, "b");
    struct bus_tp t = suite_topic(a, "t", 3, BUS_DELETE), u = suite_topic(a, "u", 2, BUS_DELETE);
    struct bus_writer *w = suite_open(a, "slot");
    put_all(a, w, t, 3, "1");
    put_all(a, w, u, 2, "1");
    (void)suite_commit(a, w);
    put_all(a, w, t, 3, "2");
    (void)suite_commit(a, w);
    check_all(b, suite_same(b, a, t), 3, 2, "1,2");
    check_all(b, suite_same(b, a, u), 2, 1, "1");
    suite_end(&s);
}

TEST(txn_nothing_is_readable_before_the_commit)
{
    struct suite s;
    suite_begin(&s, NULL);
    struct suite_client *a = suite_client(&s, "a"), *b = suite_client(&s, "b");
    struct bus_tp tp = suite_topic(a, "t", 2, BUS_DELETE), tb = suite_same(b, a, tp);
    struct bus_writer *w = suite_open(a, "slot");
    struct bus_reader *r = bus_reader_new(b->c);
    struct err err;
    uint64_t tag = suite_tag(b);
    CHECK_OK(bus_assign(r, tb, BUS_FROM_START, tag, &err), err);
    put_all(a, w, tp, 2, "x");
    for (int i = 0; i < 20; i++) { /* both go on for a while */
        (void)suite_pump(a, suite_hooks.quiet_ns / 40);
        (void)suite_pump(b, suite_hooks.quiet_ns / 40);
    }
    CHECK(suite_next(b, SUITE_BIT(BUS_EV_RECORDS), tag, 0) == NULL);
    (void)suite_commit(a, w);
    CHECK_SLICE("x", suite_await(b, BUS_EV_RECORDS, tag)->ev.records[0].value);
    suite_end(&s);
}

TEST(txn_aborted_by_its_writer_is_never_readable)
{
    struct suite s;
    suite_begin(&s, NULL);
    struct suite_client *a = suite_client(&s, "a");
    struct bus_tp tp = suite_topic(a, "t", 3, BUS_DELETE);
    struct bus_writer *w = suite_open(a, "slot");
    struct err err;
    put_all(a, w, tp, 3, "before");
    (void)suite_commit(a, w);
    put_all(a, w, tp, 3, "never");
    uint64_t tag = suite_tag(a);
    CHECK_OK(bus_abort(w, tag, &err), err);
    struct suite_ev *e = suite_await(a, BUS_EV_ABORTED, tag);
    CHECK(e->ev.writer == w && e->ev.err != NULL && !e->ev.reopen);
    put_all(a, w, tp, 3, "after");
    (void)suite_commit(a, w);
    check_all(a, tp, 3, 2, "before,after");
    suite_end(&s);
}

TEST(txn_abort_of_nothing_ends_as_well)
{
    struct suite s;
    suite_begin(&s, NULL);
    struct suite_client *a = suite_client(&s, "a");
    struct bus_tp tp = suite_topic(a, "t", 1, BUS_DELETE);
    struct bus_writer *w = suite_open(a, "slot");
    struct err err;
    for (int i = 0; i < 2; i++) {
        uint64_t tag = suite_tag(a);
        CHECK_OK(bus_abort(w, tag, &err), err);
        (void)suite_await(a, BUS_EV_ABORTED, tag);
    }
    suite_put(a, w, tp, "k", "v");
    (void)suite_commit(a, w);
    CHECK_STR("v", suite_values(a, suite_read(a, tp, BUS_FROM_START, 1)));
    suite_end(&s);
}

TEST(txn_commit_of_nothing_ends_without_spans)
{
    struct suite s;
    suite_begin(&s, NULL);
    struct suite_client *a = suite_client(&s, "a");
    struct bus_tp tp = suite_topic(a, "t", 1, BUS_DELETE);
    struct bus_writer *w = suite_open(a, "slot");
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(0, suite_commit(a, w)->ev.count);
    }
    suite_put(a, w, tp, "k", "v");
    CHECK_EQ(1, suite_commit(a, w)->ev.count);
    suite_end(&s);
}

TEST(txn_spans_say_where_the_records_are)
{
    struct suite s;
    suite_begin(&s, NULL);
    struct suite_client *a = suite_client(&s, "a");
    struct bus_tp t = suite_topic(a, "t", 3, BUS_DELETE), u = suite_topic(a, "u", 1, BUS_DELETE);
    struct bus_writer *w = suite_open(a, "slot");
    size_t before[4] = {0};
    for (uint32_t round = 1; round <= 3; round++) {
        /* round records to t/0, one to t/2, two to u/0, none to t/1 */
        for (uint32_t i = 0; i < round; i++) {
            suite_put(a, w, t, "k", "t0");
        }
        suite_put(a, w, suite_part(t, 2), "k", "t2");
        suite_put(a, w, u, "k", "u0");
        suite_put(a, w, u, "k", "u0");
        struct suite_ev *e = suite_commit(a, w);
        CHECK_EQ(3, e->ev.count);
        const struct {
            struct bus_tp tp;
            uint32_t count;
        } want[] = {{t, round}, {suite_part(t, 2), 1}, {u, 2}};
        for (size_t i = 0; i < ARRAY_LEN(want); i++) {
            const struct bus_span *span = NULL;
            for (uint32_t j = 0; j < e->ev.count; j++) {
                const struct bus_span *it = &e->ev.spans[j];
                if (it->tp.topic == want[i].tp.topic && it->tp.part == want[i].tp.part) {
                    CHECK(span == NULL);
                    span = it;
                }
            }
            CHECK(span != NULL);
            CHECK_EQ(want[i].count, span->count);
            before[i] += want[i].count;
            struct suite_log *log = suite_read(a, want[i].tp, BUS_FROM_START, before[i]);
            CHECK_EQ(log->recs[before[i] - want[i].count].offset, span->offset);
        }
    }
    suite_end(&s);
}

TEST(txn_over_64_partitions)
{
    struct suite s;
    suite_begin(&s, NULL);
    struct suite_client *a = suite_client(&s, "a");
    struct bus_tp tp = suite_topic(a, "t", 64, BUS_DELETE);
    struct bus_writer *w = suite_open(a, "slot");
    put_all(a, w, tp, 64, "a");
    put_all(a, w, tp, 64, "b");
    CHECK_EQ(64, suite_commit(a, w)->ev.count);
    check_all(a, tp, 64, 2, "a,b");
    suite_end(&s);
}

TEST(txn_the_next_one_is_taken_while_a_commit_is_under_way)
{
    struct suite s;
    suite_begin(&s, NULL);
    struct suite_client *a = suite_client(&s, "a");
    struct bus_tp tp = suite_topic(a, "t", 2, BUS_DELETE);
    struct bus_writer *w = suite_open(a, "slot");
    struct err err;
    char want[256] = "0";
    put_all(a, w, tp, 2, "0");
    for (int i = 1; i <= 20; i++) {
        char value[8];
        snprintf(value, sizeof value, "%d", i);
        snprintf(want + strlen(want), sizeof want - strlen(want), ",%d", i);
        uint64_t tag = suite_commit_start(a, w);
        put_all(a, w, tp, 2, value);
        /* Not ended before its event was polled, however long one waits. (While putting one may
         * have had to poll: then it may be over.) */
        if (a->inbox.len == 0) {
            bus_wait(a->c, suite_hooks.quiet_ns);
            CHECK_EQ(-ERR_AGAIN, bus_commit(w, suite_tag(a), &err));
        }
        CHECK(suite_await(a, BUS_EV_COMMITTED, tag)->ev.count == 2);
    }
    (void)suite_commit(a, w);
    check_all(a, tp, 2, 21, want);
    suite_end(&s);
}

TEST(txn_committed_counts_for_its_own_transaction_only)
{
    struct suite s;
    suite_begin(&s, NULL);
    struct suite_client *a = suite_client(&s, "a");
    struct bus_tp tp = suite_topic(a, "t", 2, BUS_DELETE);
    struct bus_writer *w = suite_open(a, "slot");
    put_all(a, w, tp, 2, "1");
    uint64_t tag = suite_commit_start(a, w);
    put_all(a, w, tp, 2, "never");
    (void)suite_await(a, BUS_EV_COMMITTED, tag);
    put_all(a, w, tp, 2, "never either"); /* the same transaction still */
    bus_writer_close(w);
    w = suite_open(a, "slot");
    put_all(a, w, tp, 2, "2");
    (void)suite_commit(a, w);
    check_all(a, tp, 2, 2, "1,2");
    suite_end(&s);
}

TEST(txn_several_slots_of_one_client_side_by_side)
{
    struct suite s;
    suite_begin(&s, NULL);
    struct suite_client *a = suite_client(&s, "a");
    enum { SLOTS = 4, ROUNDS = 5 };
    struct bus_tp tp = suite_topic(a, "t", SLOTS, BUS_DELETE);
    struct bus_writer *w[SLOTS];
    uint64_t tags[SLOTS];
    char slot[8], value[8];
    for (uint32_t i = 0; i < SLOTS; i++) {
        snprintf(slot, sizeof slot, "slot.%u", i);
        w[i] = suite_open(a, slot);
    }
    for (int round = 0; round < ROUNDS; round++) {
        for (uint32_t i = 0; i < SLOTS; i++) {
            snprintf(value, sizeof value, "%d", round);
            suite_put(a, w[i], suite_part(tp, i), "own", value);
            suite_put(a, w[i], suite_part(tp, (i + 1) % SLOTS), "next", value);
            tags[i] = suite_commit_start(a, w[i]);
        }
        for (uint32_t i = 0; i < SLOTS; i++) {
            struct suite_ev *e = suite_await(a, BUS_EV_COMMITTED, tags[i]);
            CHECK(e->ev.writer == w[i] && e->ev.count == 2);
        }
    }
    for (uint32_t i = 0; i < SLOTS; i++) {
        struct suite_log *log = suite_read(a, suite_part(tp, i), BUS_FROM_START, 2 * ROUNDS);
        int64_t next[2] = {0, 0};
        for (size_t j = 0; j < log->count; j++) {
            int64_t n = -1;
            CHECK(slice_to_i64(log->recs[j].value, &n));
            CHECK_EQ(next[log->recs[j].key.len == 3]++, n);
        }
    }
    suite_end(&s);
}

TEST(txn_abort_during_a_commit_discards_only_what_came_after)
{
    struct suite s;
    suite_begin(&s, NULL);
    struct suite_client *a = suite_client(&s, "a");
    struct bus_tp tp = suite_topic(a, "t", 2, BUS_DELETE);
    struct bus_writer *w = suite_open(a, "slot");
    struct err err;
    put_all(a, w, tp, 2, "first");
    uint64_t commit = suite_commit_start(a, w), abort = suite_tag(a);
    put_all(a, w, tp, 2, "never");
    CHECK_OK(bus_abort(w, abort, &err), err);
    struct bus_put put = {.to = tp, .value = SLICE("too early")};
    CHECK_EQ(-ERR_AGAIN, bus_put(w, &put, &err));
    CHECK_EQ(-ERR_AGAIN, bus_commit(w, suite_tag(a), &err));
    (void)suite_await(a, BUS_EV_COMMITTED, commit);
    (void)suite_await(a, BUS_EV_ABORTED, abort);
    put_all(a, w, tp, 2, "last");
    (void)suite_commit(a, w);
    check_all(a, tp, 2, 2, "first,last");
    suite_end(&s);
}

static void need_fate(struct suite *s, const char *slot, enum suite_fate fate)
{
    if (suite_hooks.fate == NULL || !suite_hooks.fate(s, slot, fate)) {
        suite_end(s);
        test_skip("this bus cannot be made to end a commit so");
    }
}

static struct bus_writer *go_on(struct suite_client *c, struct bus_writer *w, const char *slot,
                                bool reopen)
{
    struct err err;
    if (reopen) {
        struct bus_put put = {.to = {bus_topic(c->c, SLICE("t")), 0}, .value = SLICE("late")};
        CHECK_EQ(-ERR_CLOSED, bus_put(w, &put, &err));
        CHECK_EQ(-ERR_CLOSED, bus_commit(w, suite_tag(c), &err));
        bus_writer_close(w);
        w = suite_open(c, slot);
    }
    return w;
}

TEST(txn_aborted_commit_discards_the_next_one_too)
{
    struct suite s;
    suite_begin(&s, NULL);
    struct suite_client *a = suite_client(&s, "a");
    struct bus_tp tp = suite_topic(a, "t", 2, BUS_DELETE);
    struct bus_writer *w = suite_open(a, "slot");
    put_all(a, w, tp, 2, "1");
    (void)suite_commit(a, w);
    need_fate(&s, "slot", SUITE_ABORT);
    put_all(a, w, tp, 2, "2");
    uint64_t tag = suite_commit_start(a, w);
    put_all(a, w, tp, 2, "3");
    struct suite_ev *e = suite_await(a, BUS_EV_ABORTED, tag);
    CHECK(e->ev.err != NULL && e->ev.writer == w);
    w = go_on(a, w, "slot", e->ev.reopen);
    put_all(a, w, tp, 2, "2"); /* sent again, in order */
    (void)suite_commit(a, w);
    put_all(a, w, tp, 2, "3");
    (void)suite_commit(a, w);
    check_all(a, tp, 2, 3, "1,2,3");
    suite_end(&s);
}

static void unknown(enum suite_fate fate, const char *values)
{
    struct suite s;
    suite_begin(&s, NULL);
    struct suite_client *a = suite_client(&s, "a");
    struct bus_tp tp = suite_topic(a, "t", 2, BUS_DELETE);
    struct bus_writer *w = suite_open(a, "slot");
    need_fate(&s, "slot", fate);
    put_all(a, w, tp, 2, "1");
    uint64_t tag = suite_commit_start(a, w);
    put_all(a, w, tp, 2, "2");
    struct suite_ev *e = suite_await(a, BUS_EV_UNKNOWN, tag);
    CHECK(e->ev.reopen && e->ev.err != NULL);
    w = go_on(a, w, "slot", true);
    /* Decided now: what the open found is final. */
    size_t n = fate == SUITE_UNKNOWN_DONE ? 1 : 0;
    for (uint32_t p = 0; p < 2; p++) {
        int64_t end = suite_bounds(a, suite_part(tp, p)).end;
        struct suite_log *log = suite_read(a, suite_part(tp, p), BUS_FROM_START, n);
        CHECK(n == 0 || log->recs[0].offset < end);
    }
    put_all(a, w, tp, 2, "3");
    (void)suite_commit(a, w);
    check_all(a, tp, 2, n + 1, values);
    suite_end(&s);
}

TEST(txn_unknown_commit_that_was_committed)
{
    unknown(SUITE_UNKNOWN_DONE, "1,3");
}

TEST(txn_unknown_commit_that_was_not)
{
    unknown(SUITE_UNKNOWN_UNDONE, "3");
}

TEST(txn_closing_a_writer_gives_up_what_is_open)
{
    struct suite s;
    suite_begin(&s, NULL);
    struct suite_client *a = suite_client(&s, "a");
    struct bus_tp tp = suite_topic(a, "t", 2, BUS_DELETE);
    struct bus_writer *w = suite_open(a, "slot");
    put_all(a, w, tp, 2, "never");
    bus_writer_close(w);
    struct suite_client *b = suite_client(&s, "b");
    struct bus_tp tb = suite_same(b, a, tp);
    w = suite_open(b, "other");
    put_all(b, w, tb, 2, "never either");
    suite_client_free(b);
    suite_write(a, tp, "k", "v");
    suite_write(a, suite_part(tp, 1), "k", "v");
    check_all(a, tp, 2, 1, "v");
    CHECK_EQ(0, a->inbox.len);
    suite_end(&s);
}

TEST(txn_stable_end_stops_at_an_open_transaction)
{
    struct suite s;
    suite_begin(&s, NULL);
    struct suite_client *a = suite_client(&s, "a"), *b = suite_client(&s, "b");
    struct bus_tp tp = suite_topic(a, "t", 1, BUS_DELETE), tb = suite_same(b, a, tp);
    struct bus_writer *slow = suite_open(a, "slow"), *fast = suite_open(b, "fast");
    suite_put(a, slow, tp, "k", "slow");
    (void)suite_pump(a, 20 * CLOCK_NS_PER_MS);
    suite_put(b, fast, tb, "k", "fast");
    struct suite_ev *e = suite_commit(b, fast);
    int64_t fast_at = e->ev.spans[0].offset;
    /* Whether slow's record lies before fast's is the bus's affair; if END passes it, nothing may
     * appear before that later. */
    uint64_t tag = suite_tag(b);
    struct bus_reader *r = bus_reader_new(b->c);
    struct err err;
    CHECK_OK(bus_assign(r, tb, BUS_FROM_START, tag, &err), err);
    int64_t end = suite_await(b, BUS_EV_END, tag)->ev.offset;
    CHECK(end <= suite_bounds(b, tb).end);
    int64_t slow_at = suite_commit(a, slow)->ev.spans[0].offset;
    CHECK(slow_at >= end);
    struct suite_log *log = suite_read(b, tb, BUS_FROM_START, 2);
    CHECK_STR(slow_at < fast_at ? "slow,fast" : "fast,slow", suite_values(b, log));
    suite_end(&s);
}

/* What is committed lies behind the stable end while another's transaction, begun before it, is
 * open. */
TEST(txn_settled_waits_for_what_is_open)
{
    struct suite s;
    struct err err;
    suite_begin(&s, NULL);
    struct suite_client *a = suite_client(&s, "a"), *b = suite_client(&s, "b");
    struct bus_tp tp = suite_topic(a, "t", 1, BUS_DELETE), tb = suite_same(b, a, tp);
    struct bus_writer *first = suite_open(b, "first"), *second = suite_open(a, "second");
    suite_put(b, first, tb, "k", "early");
    for (int i = 0; i < 20; i++) { /* it is written, where that is done before the commit */
        (void)suite_pump(b, suite_hooks.quiet_ns / 40);
    }
    suite_put(a, second, tp, "k", "late");
    (void)suite_commit(a, second);
    uint64_t tag = suite_tag(a);
    CHECK_OK(bus_settled(a->c, tp, tag, &err), err);
    for (int i = 0; i < 20; i++) {
        (void)suite_pump(a, suite_hooks.quiet_ns / 40);
        (void)suite_pump(b, suite_hooks.quiet_ns / 40);
    }
    uint64_t committing = suite_commit_start(b, first);
    int64_t end = suite_await(a, BUS_EV_DONE, tag)->ev.end;
    (void)suite_await(b, BUS_EV_COMMITTED, committing);
    struct suite_log *log = suite_read(a, tp, BUS_FROM_START, 2);
    bool seen = false;
    for (size_t i = 0; i < log->count; i++) {
        seen |= slice_eq(log->recs[i].value, SLICE("late")) && log->recs[i].offset < end;
    }
    CHECK(seen);
    suite_end(&s);
}
