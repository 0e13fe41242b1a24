/* SPDX-License-Identifier: Apache-2.0
 *
 * What a careless or hostile caller does: names of full length, nonsense in specs, records that
 * weigh nothing, things freed while their events are still being handled, old events after a new
 * start, positions taken up while others write.
 */
#include "tests/bus/suite.h"

#include <stdio.h>

static struct slice full_name(struct suite_client *c, char fill)
{
    char text[BUS_NAME_MAX];
    memset(text, fill, sizeof text);
    return arena_copy(c->mem, slice_of(text, sizeof text));
}

TEST(hostile_names_may_be_as_long_as_allowed)
{
    struct suite s;
    suite_begin(&s, NULL);
    struct suite_client *a = suite_client(&s, "a");
    char text[BUS_NAME_MAX + 1] = {0};
    struct err err;
    /* Two that differ in their last byte only. */
    memset(text, 's', BUS_NAME_MAX);
    struct bus_tp tp = suite_topic(a, text, 1, BUS_DELETE);
    struct bus_writer *one = suite_open(a, text);
    text[BUS_NAME_MAX - 1] = 't';
    struct bus_writer *two = suite_open(a, text);
    suite_put(a, one, tp, "k", "one");
    (void)suite_commit(a, one);
    suite_put(a, two, tp, "k", "two");
    (void)suite_commit(a, two);
    CHECK_STR("one,two", suite_values(a, suite_read(a, tp, BUS_FROM_START, 2)));
    suite_fence(a, text);
    uint64_t tag = suite_tag(a);
    CHECK_OK(bus_elect(a->c, full_name(a, 'e'), tag, &err), err);
    CHECK(suite_await(a, BUS_EV_LEADER, tag)->ev.tag == tag);
    bus_resign(a->c, full_name(a, 'e'));
    suite_end(&s);
}

TEST(hostile_specs_without_sense_are_refused)
{
    struct suite s;
    suite_begin(&s, NULL);
    struct suite_client *a = suite_client(&s, "a");
    const struct bus_topic_spec bad[] = {
        {SLICE("t"), 1, (enum bus_cleanup)0, -1, -1}, {SLICE("t"), 1, (enum bus_cleanup)4, -1, -1},
        {SLICE("t"), 0, BUS_DELETE, -1, -1},          {SLICE("t"), 65537, BUS_DELETE, -1, -1},
        {SLICE("t"), 1, BUS_DELETE, -2, -1},          {SLICE("t"), 1, BUS_DELETE, -1, -2},
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct err err;
        const struct bus_topic_spec both[] = {{SLICE("good"), 1, BUS_DELETE, -1, -1}, bad[i]};
        CHECK_EQ(-ERR_RANGE, bus_ensure(a->c, both, 2, suite_tag(a), &err));
    }
    struct err err;
    uint64_t tag = suite_tag(a);
    CHECK_OK(bus_list(a->c, tag, &err), err);
    CHECK_EQ(0, suite_await(a, BUS_EV_DONE, tag)->ev.count); /* nothing was started */
    suite_end(&s);
}

/* What points nowhere has no bytes, but must not be endless. */
TEST(hostile_records_of_no_bytes_are_held_back_too)
{
    struct suite_opts opts = {.writer_queue_bytes = 64 * 1024};
    for (int plain = 0; plain < 2; plain++) {
        struct suite s;
        suite_begin(&s, &opts);
        struct suite_client *a = suite_client(&s, "a");
        struct bus_tp tp = suite_topic(a, plain != 0 ? "plain" : "slot", 1, BUS_DELETE);
        struct bus_writer *w = suite_open(a, plain != 0 ? "" : "slot");
        struct bus_put put = {.to = tp};
        struct err err;
        uint32_t n = 0;
        int rc = 0;
        while (rc == 0 && n < 1000000) {
            rc = bus_put(w, &put, &err);
            n += rc == 0;
        }
        CHECK_EQ(-ERR_AGAIN, rc);
        if (plain != 0) {
            for (uint32_t i = 0; i < n; i++) {
                (void)suite_await(a, BUS_EV_DELIVERED, 0);
            }
        } else {
            CHECK_EQ(n, suite_commit(a, w)->ev.spans[0].count);
        }
        struct suite_log *log = suite_read(a, tp, BUS_FROM_START, n);
        CHECK(log->recs[n - 1].key.ptr == NULL && log->recs[n - 1].value.ptr == NULL);
        CHECK_OK(bus_put(w, &put, &err), err); /* and goes on */
        suite_end(&s);
    }
}

TEST(hostile_records_of_no_bytes_get_old_too)
{
    if (suite_hooks.retention_ns == 0) {
        test_skip("retention takes too long here");
    }
    struct suite s;
    suite_begin(&s, NULL);
    struct suite_client *a = suite_client(&s, "a");
    struct bus_tp tp = suite_topic_with(a, "t", 1, BUS_DELETE, 1000, -1);
    struct bus_writer *w = suite_open(a, "");
    int64_t old = suite_deliver(a, w, tp, NULL, NULL);
    int64_t until = suite_now(a) + suite_hooks.retention_ns + suite_hooks.patience_ns;
    while (suite_bounds(a, tp).start <= old) {
        CHECK(suite_now(a) < until);
        suite_maintain(a);
        suite_sleep(a, MIN(suite_hooks.retention_ns / 100, 200 * CLOCK_NS_PER_MS));
    }
    suite_end(&s);
}

/* Polls until this comes, and leaves it as it was given. */
static struct bus_ev raw_event(struct suite_client *c, enum bus_ev_kind kind, uint64_t tag)
{
    int64_t until = suite_now(c) + suite_hooks.patience_ns;
    struct bus_ev ev;
    for (;;) {
        if (bus_poll(c->c, &ev, 1) == 0) {
            CHECK(suite_now(c) < until);
            bus_wait(c->c, until - suite_now(c));
        } else if (ev.tag == tag && ev.kind == kind) {
            return ev;
        }
    }
}

TEST(hostile_an_event_outlives_its_reader)
{
    struct suite s;
    suite_begin(&s, NULL);
    struct suite_client *a = suite_client(&s, "a");
    struct bus_tp tp = suite_topic(a, "t", 1, BUS_DELETE);
    suite_write(a, tp, "key", "value");
    for (int unassign = 0; unassign < 2; unassign++) {
        struct bus_reader *r = bus_reader_new(a->c);
        uint64_t tag = suite_tag(a), none = suite_tag(a);
        struct err err;
        CHECK_OK(bus_assign(r, tp, BUS_FROM_START, tag, &err), err);
        struct bus_ev ev = raw_event(a, BUS_EV_RECORDS, tag);
        if (unassign != 0) {
            bus_unassign(r, tp);
        }
        bus_reader_free(r);
        CHECK_SLICE("value", ev.records[0].value);
        r = bus_reader_new(a->c);
        CHECK_OK(bus_assign(r, tp, INT64_MAX / 2, none, &err), err);
        ev = raw_event(a, BUS_EV_ERROR, none);
        if (unassign != 0) {
            bus_unassign(r, tp);
        }
        bus_reader_free(r);
        CHECK_EQ(ERR_RANGE, ev.err->code);
        CHECK(strlen(ev.err->msg) > 0);
    }
    suite_end(&s);
}

TEST(hostile_an_event_outlives_its_writer)
{
    struct suite s;
    suite_begin(&s, NULL);
    struct suite_client *a = suite_client(&s, "a");
    struct bus_tp tp = suite_topic(a, "t", 1, BUS_DELETE);
    struct bus_writer *w = suite_open(a, "slot");
    suite_put(a, w, tp, "k", "v");
    uint64_t tag = suite_commit_start(a, w);
    struct bus_ev ev = raw_event(a, BUS_EV_COMMITTED, tag);
    bus_writer_close(w);
    CHECK_EQ(1, ev.spans[0].count);
    w = suite_open(a, "slot");
    suite_put(a, w, tp, "k", "v");
    struct err err;
    tag = suite_tag(a);
    CHECK_OK(bus_abort(w, tag, &err), err);
    ev = raw_event(a, BUS_EV_ABORTED, tag);
    bus_writer_close(w);
    CHECK_EQ(ERR_ABORTED, ev.err->code);
    suite_end(&s);
}

TEST(hostile_no_leadership_of_before_a_resignation)
{
    struct suite s;
    suite_begin(&s, NULL);
    struct suite_client *a = suite_client(&s, "a");
    uint64_t old = suite_tag(a), now = suite_tag(a);
    struct err err;
    CHECK_OK(bus_elect(a->c, SLICE("leader"), old, &err), err);
    /* He leads, but has not heard of it. */
    suite_pass(&s, suite_hooks.elected_ns);
    bus_resign(a->c, SLICE("leader"));
    CHECK_OK(bus_elect(a->c, SLICE("leader"), now, &err), err);
    int64_t until = suite_now(a) + 2 * suite_hooks.takeover_ns;
    bool leading = false;
    while (!leading) {
        struct suite_ev *e =
            suite_next(a, SUITE_BIT(BUS_EV_LEADER), SUITE_ANY_TAG, until - suite_now(a));
        CHECK(e != NULL);
        CHECK_EQ(now, e->ev.tag);
        leading = e->ev.leading;
    }
    suite_end(&s);
}

enum { WIDE = 120, POLL = 128 };

static uint32_t records_of(struct suite_client *c, uint64_t tag)
{
    struct bus_ev evs[POLL];
    uint32_t got = 0;
    int n = bus_poll(c->c, evs, POLL);
    for (int i = 0; i < n; i++) {
        got += evs[i].kind == BUS_EV_RECORDS && evs[i].tag == tag ? evs[i].count : 0;
    }
    return got;
}

/* A reader takes up many partitions while a commit into them is under way: however the two meet,
 * the wake-up fd tells of the records. */
TEST(hostile_no_wake_up_is_lost_between_assign_and_commit)
{
    struct suite s;
    suite_begin(&s, NULL);
    struct suite_client *a = suite_client(&s, "a"), *b = suite_client(&s, "b");
    struct bus_tp tp = suite_topic(a, "t", WIDE, BUS_DELETE), tb = suite_same(b, a, tp);
    struct bus_writer *w = suite_open(a, "slot");
    for (uint32_t round = 0; round < 3 * suite_hooks.scale; round++) {
        struct bus_reader *r = bus_reader_new(b->c);
        uint64_t tag = suite_tag(b);
        struct err err;
        for (uint32_t p = 0; p < WIDE; p++) {
            CHECK_OK(bus_assign(r, suite_part(tb, p), BUS_FROM_START, tag, &err), err);
        }
        suite_put(a, w, suite_part(tp, WIDE - 1), "k", "v");
        uint64_t commit = suite_commit_start(a, w);
        suite_pass(&s, (int64_t)(round * 37 % 2000) * 1000); /* so that it ends at any moment */
        int64_t until = suite_now(b) + suite_hooks.patience_ns;
        for (uint32_t got = 0; got <= round;) {
            CHECK(suite_now(b) < until);
            bus_wait(b->c, until - suite_now(b));
            got += records_of(b, tag);
        }
        (void)suite_await(a, BUS_EV_COMMITTED, commit);
        bus_reader_free(r);
    }
    suite_end(&s);
}

/* Compaction of what was there ends, however fast others append. */
TEST(hostile_maintain_ends_while_others_write)
{
    struct suite s;
    suite_begin(&s, NULL);
    struct suite_client *a = suite_client(&s, "a"), *b = suite_client(&s, "b");
    struct bus_tp tp = suite_topic(a, "t", 1, BUS_COMPACT), tb = suite_same(b, a, tp);
    struct bus_writer *w = suite_open(b, "slot");
    struct err err;
    for (uint32_t i = 0; i < 300 * suite_hooks.scale; i++) { /* enough for several rounds of work */
        char key[16];
        snprintf(key, sizeof key, "%u", i);
        suite_put(b, w, tb, key, "some value of a usual length, which makes work");
        if (i % 1000 == 999) {
            (void)suite_commit(b, w);
        }
    }
    (void)suite_commit(b, w);
    uint64_t tag = suite_tag(a);
    CHECK_OK(bus_maintain(a->c, tag, &err), err);
    int64_t until = suite_now(a) + suite_hooks.patience_ns;
    while (suite_next(a, SUITE_BIT(BUS_EV_DONE), tag, 0) == NULL) {
        CHECK(suite_now(a) < until);
        for (int i = 0; i < 3; i++) {
            suite_put(b, w, tb, "k", "v");
            (void)suite_commit(b, w);
        }
    }
    suite_end(&s);
}
