/* SPDX-License-Identifier: Apache-2.0
 *
 * Limits: quota and FULL with recovery, backpressure, counters.
 */
#include "tests/bus/suite.h"

enum { MIB = 1024 * 1024 };

/* Commits records of a quarter MiB until FULL; how many were committed. */
static size_t fill(struct suite_client *c, struct bus_writer **w, struct bus_tp tp,
                   const char *slot)
{
    struct slice value = suite_bytes(c, MIB / 4, 9);
    for (size_t n = 0; n < 200; n++) {
        struct bus_put put = {.to = tp, .value = value};
        suite_put_it(c, *w, &put);
        uint64_t tag = suite_commit_start(c, *w);
        struct suite_ev *e = suite_next(c, SUITE_BIT(BUS_EV_COMMITTED) | SUITE_BIT(BUS_EV_FULL),
                                        tag, suite_hooks.patience_ns);
        CHECK(e != NULL);
        if (e->ev.kind == BUS_EV_FULL) {
            CHECK_EQ(ERR_FULL, e->err.code);
            if (e->ev.reopen) {
                bus_writer_close(*w);
                *w = suite_open(c, slot);
            }
            return n;
        }
    }
    test_fail(__FILE__, __LINE__, "%s: the quota does not hold", suite_hooks.name);
}

static void need_quota(void)
{
    if (!suite_hooks.quota) {
        test_skip("this bus has no quota");
    }
}

TEST(limits_full_is_clean_and_trimming_helps)
{
    need_quota();
    struct suite_opts opts = {.quota_bytes = 8 * MIB};
    struct suite s;
    suite_begin(&s, &opts);
    struct suite_client *a = suite_client(&s, "a");
    struct bus_tp tp = suite_topic(a, "t", 2, BUS_DELETE);
    struct bus_writer *w = suite_open(a, "slot");
    size_t n = fill(a, &w, tp, "slot");
    CHECK(n >= 8 && n <= 40);
    struct suite_log *log = suite_read(a, tp, BUS_FROM_START, n); /* nothing of the refused one */
    struct bus_stats stats = bus_stats(s.bus);
    CHECK(stats.fulls >= 1 && stats.quota_bytes > 0 && stats.used_bytes > 0);
    suite_trim(a, tp, log->recs[n / 2].offset);
    suite_maintain(a);
    size_t more = fill(a, &w, tp, "slot");
    CHECK(more >= n / 4);
    (void)suite_read(a, tp, BUS_FROM_START, n - n / 2 + more);
    suite_end(&s);
}

TEST(limits_full_discards_the_next_transaction_too)
{
    need_quota();
    struct suite_opts opts = {.quota_bytes = 8 * MIB};
    struct suite s;
    suite_begin(&s, &opts);
    struct suite_client *a = suite_client(&s, "a");
    struct bus_tp tp = suite_topic(a, "t", 2, BUS_DELETE);
    struct bus_writer *w = suite_open(a, "slot");
    size_t n = fill(a, &w, tp, "slot");
    struct bus_put big = {.to = tp, .value = suite_bytes(a, MIB / 2, 3)};
    suite_put_it(a, w, &big);
    uint64_t tag = suite_commit_start(a, w);
    suite_put(a, w, suite_part(tp, 1), "k", "never");
    struct suite_ev *e = suite_await(a, BUS_EV_FULL, tag);
    suite_trim(a, tp, suite_read(a, tp, BUS_FROM_START, n)->recs[n - 1].offset);
    suite_maintain(a);
    if (e->ev.reopen) {
        bus_writer_close(w);
        w = suite_open(a, "slot");
    }
    suite_put(a, w, suite_part(tp, 1), "k", "v");
    (void)suite_commit(a, w);
    CHECK_STR("v", suite_values(a, suite_read(a, suite_part(tp, 1), BUS_FROM_START, 1)));
    (void)suite_read(a, tp, BUS_FROM_START, 1);
    suite_end(&s);
}

TEST(limits_full_refuses_plain_puts)
{
    need_quota();
    struct suite_opts opts = {.quota_bytes = 8 * MIB};
    struct suite s;
    suite_begin(&s, &opts);
    struct suite_client *a = suite_client(&s, "a");
    struct bus_tp tp = suite_topic(a, "t", 1, BUS_DELETE);
    struct bus_writer *w = suite_open(a, "");
    struct slice value = suite_bytes(a, MIB / 4, 9);
    size_t n = 0;
    for (;; n++) {
        struct bus_put put = {.to = tp, .value = value, .token = suite_tag(a)};
        suite_put_it(a, w, &put);
        struct suite_ev *e = suite_next(a, SUITE_BIT(BUS_EV_DELIVERED) | SUITE_BIT(BUS_EV_REFUSED),
                                        put.token, suite_hooks.patience_ns);
        CHECK(e != NULL && n < 200);
        if (e->ev.kind == BUS_EV_REFUSED) {
            CHECK_EQ(ERR_FULL, e->err.code);
            break;
        }
    }
    struct suite_log *log = suite_read(a, tp, BUS_FROM_START, n);
    suite_trim(a, tp, log->recs[n - 1].offset);
    suite_maintain(a);
    CHECK(suite_deliver(a, w, tp, "k", "v") > log->recs[n - 1].offset);
    suite_end(&s);
}

TEST(limits_a_plain_writer_is_held_back_and_goes_on)
{
    struct suite_opts opts = {.writer_queue_bytes = MIB};
    struct suite s;
    suite_begin(&s, &opts);
    struct suite_client *a = suite_client(&s, "a");
    struct bus_tp tp = suite_topic(a, "t", 1, BUS_DELETE);
    struct bus_writer *w = suite_open(a, "");
    struct slice value = suite_bytes(a, 64 * 1024, 5);
    enum { N = 100 };
    uint32_t held = 0;
    for (uint64_t i = 0; i < N; i++) {
        struct bus_put put = {.to = tp, .value = value, .token = i};
        struct err err;
        int rc;
        while ((rc = bus_put(w, &put, &err)) == -ERR_AGAIN) {
            CHECK(i > 0); /* an empty queue takes any record */
            held++;
            (void)suite_pump(a, CLOCK_NS_PER_S); /* wakes for what makes room */
            CHECK(held < 100000);
        }
        CHECK_OK(rc, err);
    }
    CHECK(held > 0); /* what is not polled has not ended: sixteen fill the queue */
    for (uint64_t i = 0; i < N; i++) {
        (void)suite_await(a, BUS_EV_DELIVERED, i);
    }
    (void)suite_read(a, tp, BUS_FROM_START, N);
    suite_end(&s);
}

TEST(limits_a_slot_is_held_back_and_goes_on_after_commit)
{
    struct suite_opts opts = {.writer_queue_bytes = MIB};
    struct suite s;
    suite_begin(&s, &opts);
    struct suite_client *a = suite_client(&s, "a");
    struct bus_tp tp = suite_topic(a, "t", 1, BUS_DELETE);
    struct bus_writer *w = suite_open(a, "slot");
    struct slice value = suite_bytes(a, 100 * 1000, 5);
    struct err err;
    enum { N = 60 };
    uint32_t commits = 0;
    for (int i = 0; i < N;) {
        struct bus_put put = {.to = tp, .value = value};
        int rc = bus_put(w, &put, &err);
        if (rc == -ERR_AGAIN) {
            (void)suite_commit(a, w);
            commits++;
        } else {
            CHECK_OK(rc, err);
            i++;
        }
        CHECK(commits <= N);
    }
    (void)suite_commit(a, w);
    CHECK(commits >= 5);
    (void)suite_read(a, tp, BUS_FROM_START, N);
    suite_end(&s);
}

TEST(limits_counters_count)
{
    struct suite s;
    suite_begin(&s, NULL);
    struct suite_client *a = suite_client(&s, "a");
    struct bus_tp tp = suite_topic(a, "t", 1, BUS_DELETE);
    struct bus_stats before = bus_stats(s.bus);
    struct bus_writer *w = suite_open(a, "slot");
    for (int i = 0; i < 10; i++) {
        suite_put(a, w, tp, "key", "value");
    }
    (void)suite_commit(a, w);
    (void)suite_read(a, tp, BUS_FROM_START, 10);
    struct bus_stats after = bus_stats(s.bus);
    CHECK_EQ(before.puts + 10, after.puts);
    CHECK_EQ(before.put_bytes + 80, after.put_bytes);
    CHECK_EQ(before.commits + 1, after.commits);
    CHECK_EQ(before.reads + 10, after.reads);
    CHECK_EQ(before.read_bytes + 80, after.read_bytes);
    suite_end(&s);
}
