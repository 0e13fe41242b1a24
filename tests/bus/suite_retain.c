/* SPDX-License-Identifier: Apache-2.0
 *
 * What goes away and what must not: trim, retention by bytes and by time, compaction.
 */
#include "tests/bus/suite.h"

#include <stdio.h>

static void write_bulk(struct suite_client *c, struct bus_tp tp, int n, size_t bytes)
{
    struct bus_writer *w = suite_open(c, "bulk");
    const int per_commit = n > 200 ? 100 : 10;
    for (int i = 0; i < n; i++) {
        struct bus_put put = {.to = tp, .value = suite_bytes(c, bytes, (uint64_t)i + 1)};
        suite_put_it(c, w, &put);
        if ((i + 1) % per_commit == 0 || i + 1 == n) {
            (void)suite_commit(c, w);
        }
    }
    (void)suite_commit(c, w);
    bus_writer_close(w);
}

TEST(retain_trim_moves_the_start_and_nothing_else)
{
    struct suite s;
    suite_begin(&s, NULL);
    struct suite_client *a = suite_client(&s, "a");
    struct bus_tp tp = suite_topic(a, "t", 2, BUS_DELETE), other = suite_part(tp, 1);
    write_bulk(a, tp, 20, 10);
    write_bulk(a, other, 20, 10);
    struct suite_log *all = suite_read(a, tp, BUS_FROM_START, 20);
    static const size_t places[] = {0, 1, 7, 7, 3, 19};
    size_t first = 0;
    for (size_t i = 0; i < ARRAY_LEN(places); i++) {
        suite_trim(a, tp, all->recs[places[i]].offset);
        first = MAX(first, places[i]); /* never back */
        struct suite_log *log = suite_read(a, tp, BUS_FROM_START, 20 - first);
        CHECK_EQ(all->recs[first].offset, log->recs[0].offset);
        CHECK_EQ(first > 0 ? all->recs[first].offset : suite_bounds(a, tp).start,
                 suite_bounds(a, tp).start);
    }
    (void)suite_read(a, other, BUS_FROM_START, 20);
    suite_end(&s);
}

TEST(retain_trim_everything_then_write_on)
{
    struct suite s;
    suite_begin(&s, NULL);
    struct suite_client *a = suite_client(&s, "a");
    struct bus_tp tp = suite_topic(a, "t", 1, BUS_COMPACT_DELETE);
    suite_write(a, tp, "k", "1");
    int64_t end = suite_read(a, tp, BUS_FROM_START, 1)->end;
    suite_trim(a, tp, end);
    struct suite_bounds b = suite_bounds(a, tp);
    CHECK_EQ(end, b.start);
    CHECK(b.end >= end);
    (void)suite_read(a, tp, BUS_FROM_START, 0);
    suite_write(a, tp, "k", "2");
    struct suite_log *log = suite_read(a, tp, BUS_FROM_START, 1);
    CHECK_STR("2", suite_values(a, log));
    CHECK(log->recs[0].offset >= end);
    suite_end(&s);
}

TEST(retain_trim_refuses_what_it_must)
{
    struct suite s;
    suite_begin(&s, NULL);
    struct suite_client *a = suite_client(&s, "a");
    struct bus_tp tp = suite_topic(a, "t", 1, BUS_DELETE);
    struct bus_tp compact = suite_topic(a, "c", 1, BUS_COMPACT);
    suite_write(a, tp, "k", "v");
    suite_write(a, compact, "k", "v");
    int64_t end = suite_read(a, tp, BUS_FROM_START, 1)->end;
    int64_t compact_at = suite_read(a, compact, BUS_FROM_START, 1)->recs[0].offset;
    struct err err;
    uint64_t tag = suite_tag(a);
    CHECK_EQ(ERR_RANGE, suite_refusal(a, bus_trim(a->c, tp, end + 1000000, tag, &err), tag));
    tag = suite_tag(a);
    CHECK_EQ(ERR_UNSUPPORTED,
             suite_refusal(a, bus_trim(a->c, compact, compact_at + 1, tag, &err), tag));
    (void)suite_read(a, tp, BUS_FROM_START, 1);
    (void)suite_read(a, compact, BUS_FROM_START, 1);
    suite_end(&s);
}

TEST(retain_a_reader_overtaken_by_trim_is_told)
{
    struct suite s;
    suite_begin(&s, NULL);
    struct suite_client *a = suite_client(&s, "a");
    struct bus_tp tp = suite_topic(a, "t", 1, BUS_DELETE);
    write_bulk(a, tp, 20, 10);
    struct suite_log *all = suite_read(a, tp, BUS_FROM_START, 20);
    struct bus_reader *r = bus_reader_new(a->c);
    uint64_t tag = suite_tag(a);
    struct err err;
    CHECK_OK(bus_assign(r, tp, all->recs[0].offset, tag, &err), err);
    CHECK_OK(bus_pause(r, tp, true, &err), err);
    suite_trim(a, tp, all->recs[15].offset);
    CHECK_OK(bus_seek(r, tp, all->recs[2].offset, &err), err); /* nothing fetched before counts */
    CHECK_OK(bus_pause(r, tp, false, &err), err);
    struct suite_ev *e = suite_await(a, BUS_EV_ERROR, tag);
    CHECK_EQ(ERR_GONE, e->err.code);
    CHECK_EQ(all->recs[15].offset, e->ev.offset);
    bus_reader_free(r);
    suite_end(&s);
}

/* Between two looks at what the bus does by itself. */
static void look_later(struct suite_client *c, int64_t within_ns)
{
    suite_sleep(c, MIN(within_ns / 100, 200 * CLOCK_NS_PER_MS));
}

/* Waits until the start has moved past `offset`. */
static void await_start(struct suite_client *c, struct bus_tp tp, int64_t offset)
{
    int64_t until = suite_now(c) + suite_hooks.retention_ns;
    while (suite_bounds(c, tp).start <= offset) {
        CHECK(suite_now(c) < until);
        suite_maintain(c);
        look_later(c, suite_hooks.retention_ns);
    }
}

TEST(retain_by_bytes_drops_the_oldest)
{
    if (suite_hooks.retention_ns == 0) {
        test_skip("retention takes too long here");
    }
    struct suite s;
    suite_begin(&s, NULL);
    struct suite_client *a = suite_client(&s, "a");
    enum { LIMIT = 128 * 1024, RECORD = 4096 };
    const int64_t slack = suite_hooks.retention_slack_bytes / RECORD;
    const int n = (int)(150 + 2 * slack);
    struct bus_tp tp = suite_topic_with(a, "t", 2, BUS_DELETE, -1, LIMIT), all = suite_part(tp, 1);
    write_bulk(a, tp, n, RECORD);
    write_bulk(a, all, LIMIT / RECORD / 2, RECORD);
    struct suite_log *log = suite_read_all(a, tp, BUS_FROM_START);
    int64_t until = suite_now(a) + suite_hooks.retention_ns;
    while ((int64_t)log->count > LIMIT / RECORD + slack + 1) {
        CHECK(suite_now(a) < until);
        suite_maintain(a);
        look_later(a, suite_hooks.retention_ns);
        log = suite_read_all(a, tp, BUS_FROM_START);
    }
    CHECK(log->count >= LIMIT / RECORD - 2);
    CHECK(slice_eq(suite_bytes(a, RECORD, (uint64_t)n), log->recs[log->count - 1].value));
    for (size_t i = 1; i <= log->count; i++) { /* the rest is the end of what was there */
        CHECK(
            slice_eq(suite_bytes(a, RECORD, (uint64_t)n + 1 - i), log->recs[log->count - i].value));
    }
    (void)suite_read(a, all, BUS_FROM_START, LIMIT / RECORD / 2); /* below its limit: untouched */
    suite_end(&s);
}

TEST(retain_by_time_drops_the_old)
{
    if (suite_hooks.retention_ns == 0) {
        test_skip("retention takes too long here");
    }
    struct suite s;
    suite_begin(&s, NULL);
    struct suite_client *a = suite_client(&s, "a");
    struct bus_tp tp = suite_topic_with(a, "t", 1, BUS_DELETE, 1000, -1);
    struct bus_tp forever = suite_topic_with(a, "u", 1, BUS_DELETE, -1, -1);
    suite_write(a, tp, "k", "old");
    suite_write(a, forever, "k", "old");
    int64_t old = suite_bounds(a, tp).start;
    suite_sleep(a, 1500 * CLOCK_NS_PER_MS);
    suite_write(a, tp, "k", "new");
    await_start(a, tp, old);
    struct suite_log *log = suite_read_all(a, tp, BUS_FROM_START);
    for (size_t i = 0; i < log->count; i++) {
        CHECK_SLICE("new", log->recs[i].value);
    }
    CHECK_STR("old", suite_values(a, suite_read(a, forever, BUS_FROM_START, 1)));
    suite_end(&s);
}

TEST(retain_keeps_what_is_young)
{
    struct suite s;
    suite_begin(&s, NULL);
    struct suite_client *a = suite_client(&s, "a");
    struct bus_tp tp = suite_topic_with(a, "t", 1, BUS_DELETE, 3600 * 1000, 1 << 30);
    write_bulk(a, tp, 50, 1000);
    suite_maintain(a);
    suite_sleep(a, suite_hooks.quiet_ns);
    suite_maintain(a);
    (void)suite_read(a, tp, BUS_FROM_START, 50);
    suite_end(&s);
}

enum { KEYS = 10, ROUNDS = 5 };

/* All that is written. Each round is read before the next: later it might be compacted already. */
static struct suite_log *write_rounds(struct suite_client *c, struct bus_tp tp)
{
    struct bus_writer *w = suite_open(c, "rounds");
    struct suite_log *all = ARENA_NEW(c->mem, struct suite_log);
    all->recs = arena_array(c->mem, (size_t)KEYS * ROUNDS, sizeof *all->recs);
    int64_t next = BUS_FROM_START;
    for (int round = 0; round < ROUNDS; round++) {
        for (int k = 0; k < KEYS; k++) {
            char key[8], value[16];
            snprintf(key, sizeof key, "key%d", k);
            snprintf(value, sizeof value, "%d.%d", k, round);
            suite_put(c, w, tp, key, k == 4 && round == ROUNDS - 1 ? NULL : value);
        }
        (void)suite_commit(c, w);
        const struct suite_log *log = suite_read(c, tp, next, KEYS);
        memcpy(all->recs + all->count, log->recs, KEYS * sizeof *log->recs);
        all->count += KEYS;
        next = log->recs[KEYS - 1].offset + 1;
    }
    bus_writer_close(w);
    return all;
}

/* Records whose key begins with "key". */
static size_t count_keys(const struct suite_log *log)
{
    size_t n = 0;
    for (size_t i = 0; i < log->count; i++) {
        n += slice_starts(log->recs[i].key, SLICE("key"));
    }
    return n;
}

static void check_compacted(const struct suite_log *before, const struct suite_log *after)
{
    int seen[KEYS] = {0};
    size_t at = 0;
    for (size_t i = 0; i < after->count; i++) {
        const struct suite_rec *r = &after->recs[i];
        if (!slice_starts(r->key, SLICE("key"))) {
            continue;
        }
        while (at < before->count && before->recs[at].offset < r->offset) {
            at++;
        }
        CHECK(at < before->count); /* the offsets are those they had */
        CHECK_EQ(before->recs[at].offset, r->offset);
        CHECK(slice_eq(before->recs[at].key, r->key));
        CHECK(slice_eq(before->recs[at].value, r->value));
        CHECK_EQ(before->recs[at].time_ms, r->time_ms);
        seen[r->key.ptr[3] - '0']++;
    }
    for (int k = 0; k < KEYS; k++) {
        CHECK(seen[k] == 1 || (k == 4 && seen[k] == 0));
    }
}

static void compaction(enum bus_cleanup cleanup)
{
    if (suite_hooks.compaction_ns == 0) {
        test_skip("compaction takes too long here");
    }
    struct suite s;
    suite_begin(&s, NULL);
    struct suite_client *a = suite_client(&s, "a");
    struct bus_tp tp = suite_topic(a, "t", 1, cleanup);
    struct suite_log *before = write_rounds(a, tp), *after = before;
    int64_t until = suite_now(a) + suite_hooks.compaction_ns;
    while (count_keys(after) > KEYS) {
        CHECK(suite_now(a) < until);
        suite_write(a, tp, "filler", "so that a newer segment begins");
        suite_maintain(a);
        look_later(a, suite_hooks.compaction_ns);
        after = suite_read_all(a, tp, BUS_FROM_START);
    }
    check_compacted(before, after);
    /* A position whose record was compacted away is one all the same. */
    CHECK(suite_bounds(a, tp).start <= before->recs[1].offset);
    CHECK_EQ(after->recs[0].offset, suite_read_all(a, tp, before->recs[1].offset)->recs[0].offset);
    suite_write(a, tp, "key4", "again");
    int64_t last = after->recs[after->count - 1].offset;
    for (until = suite_now(a) + suite_hooks.patience_ns;;) {
        struct suite_log *end = suite_read_all(a, tp, last + 1);
        if (end->count > 0 && slice_eq(end->recs[end->count - 1].value, SLICE("again"))) {
            break;
        }
        CHECK(suite_now(a) < until);
    }
    suite_end(&s);
}

TEST(retain_compaction_keeps_the_last_of_each_key)
{
    compaction(BUS_COMPACT);
}

TEST(retain_compaction_with_deletion_keeps_the_last_too)
{
    compaction(BUS_COMPACT_DELETE);
}
