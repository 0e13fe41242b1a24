/* SPDX-License-Identifier: Apache-2.0
 *
 * What only the simulated bus can do: the controls of bus_sim.h, and the behaviour of a broker that
 * they bring out (an open transaction holds the stable end, time-outs, zombies, late commits).
 */
#include "core/bus/bus_sim.h"
#include "tests/bus/suite.h"

static void begin(struct suite *s, const struct bus_sim_faults *faults)
{
    suite_begin(s, NULL);
    bus_sim_set(s->bus, faults);
}

static size_t readable(struct suite_client *c, struct bus_tp tp)
{
    return suite_read_all(c, tp, BUS_FROM_START)->count;
}

TEST(sim_time_stands_still_until_somebody_waits)
{
    struct suite s;
    struct bus_sim_faults calm = bus_sim_calm();
    begin(&s, &calm);
    struct suite_client *a = suite_client(&s, "a");
    int64_t now = bus_sim_now(s.bus);
    struct bus_ev ev;
    CHECK_EQ(now, suite_now(a));
    for (int i = 0; i < 100; i++) {
        CHECK_EQ(0, bus_poll(a->c, &ev, 1));
    }
    CHECK_EQ(now, bus_sim_now(s.bus));
    CHECK(!bus_sim_step(s.bus, 500));
    CHECK_EQ(now + 500, bus_sim_now(s.bus));
    bus_sim_advance(s.bus, 3600 * CLOCK_NS_PER_S);
    CHECK_EQ(now + 500 + 3600 * CLOCK_NS_PER_S, suite_now(a));
    int64_t wall = clock_wall(bus_clock(a->c));
    bus_at(a->c, suite_now(a) + 70, 5);
    CHECK(bus_sim_step(s.bus, CLOCK_NS_PER_S));
    CHECK(bus_sim_ready(a->c));
    CHECK_EQ(wall + 70, clock_wall(bus_clock(a->c)));
    CHECK_EQ(1, bus_poll(a->c, &ev, 1));
    suite_end(&s);
}

TEST(sim_an_open_transaction_holds_the_stable_end)
{
    struct suite s;
    struct bus_sim_faults calm = bus_sim_calm();
    begin(&s, &calm);
    struct suite_client *a = suite_client(&s, "a"), *b = suite_client(&s, "b");
    struct bus_tp tp = suite_topic(a, "t", 1, BUS_DELETE), tb = suite_same(b, a, tp);
    struct bus_writer *slow = suite_open(a, "slow"), *fast = suite_open(b, "fast");
    struct bus_writer *plain = suite_open(b, "");
    suite_put(a, slow, tp, "k", "slow");
    suite_put(b, fast, tb, "k", "fast");
    (void)suite_commit(b, fast);
    (void)suite_deliver(b, plain, tb, "k", "plain");
    CHECK_EQ(0, readable(b, tb)); /* durable, but behind what is not decided */
    CHECK_EQ(suite_bounds(b, tb).start, suite_bounds(b, tb).end);
    (void)suite_commit(a, slow);
    CHECK_STR("slow,fast,plain", suite_values(b, suite_read(b, tb, BUS_FROM_START, 3)));
    suite_end(&s);
}

TEST(sim_every_marker_takes_an_offset)
{
    struct suite s;
    struct bus_sim_faults calm = bus_sim_calm();
    begin(&s, &calm);
    struct suite_client *a = suite_client(&s, "a");
    struct bus_tp tp = suite_topic(a, "t", 1, BUS_DELETE);
    for (int i = 0; i < 5; i++) {
        suite_write(a, tp, "k", "v");
    }
    struct suite_log *log = suite_read(a, tp, BUS_FROM_START, 5);
    for (size_t i = 0; i < 5; i++) {
        CHECK_EQ(2 * (int64_t)i, log->recs[i].offset);
    }
    CHECK_EQ(10, log->end);
    suite_end(&s);
}

TEST(sim_a_transaction_left_open_times_out)
{
    struct suite s;
    struct bus_sim_faults calm = bus_sim_calm();
    begin(&s, &calm);
    struct suite_client *a = suite_client(&s, "a"), *b = suite_client(&s, "b");
    struct bus_tp tp = suite_topic(a, "t", 1, BUS_DELETE), tb = suite_same(b, a, tp);
    struct bus_writer *w = suite_open(a, "slot");
    suite_put(a, w, tp, "k", "never");
    suite_write(b, tb, "k", "v");
    CHECK_EQ(0, readable(b, tb));
    bus_sim_advance(s.bus, calm.txn_timeout_ns + CLOCK_NS_PER_S);
    CHECK_EQ(1, readable(b, tb));
    suite_put(a, w, tp, "k", "never either");
    struct suite_ev *e = suite_await(a, BUS_EV_ABORTED, suite_commit_start(a, w));
    CHECK(e->ev.reopen);
    CHECK_EQ(1, readable(b, tb));
    suite_end(&s);
}

TEST(sim_a_crash_leaves_the_transaction_to_its_time_out)
{
    struct suite s;
    struct bus_sim_faults calm = bus_sim_calm();
    begin(&s, &calm);
    struct suite_client *a = suite_client(&s, "a"), *b = suite_client(&s, "b");
    struct bus_tp tp = suite_topic(a, "t", 1, BUS_DELETE), tb = suite_same(b, a, tp);
    struct bus_writer *w = suite_open(a, "slot");
    suite_put(a, w, tp, "k", "never");
    bus_sim_crash(a->c);
    a->c = NULL;
    suite_write(b, tb, "k", "v");
    CHECK_EQ(0, readable(b, tb));
    suite_fence(b, "slot"); /* or to whoever ends it */
    CHECK_EQ(1, readable(b, tb));
    suite_end(&s);
}

static const struct {
    enum bus_sim_fate fate;
    enum bus_ev_kind end;
    bool reopen;
    size_t readable; /* after the slot was opened once more */
} fates[] = {
    {BUS_SIM_COMMIT, BUS_EV_COMMITTED, false, 1},
    {BUS_SIM_ABORT, BUS_EV_ABORTED, false, 0},
    {BUS_SIM_ABORT_REOPEN, BUS_EV_ABORTED, true, 0},
    {BUS_SIM_UNKNOWN_DONE, BUS_EV_UNKNOWN, true, 1},
    {BUS_SIM_UNKNOWN_LOST, BUS_EV_UNKNOWN, true, 0},
    {BUS_SIM_UNKNOWN_LATE, BUS_EV_UNKNOWN, true, 0},
    {BUS_SIM_FENCE, BUS_EV_FENCED, true, 0},
    {BUS_SIM_FULL, BUS_EV_FULL, false, 0},
};

TEST(sim_every_fate_can_be_arranged)
{
    for (size_t i = 0; i < ARRAY_LEN(fates); i++) {
        for (int lazy = 0; lazy < 2; lazy++) {
            struct suite s;
            struct bus_sim_faults calm = bus_sim_calm();
            calm.lazy = lazy;
            begin(&s, &calm);
            struct suite_client *a = suite_client(&s, "a");
            struct bus_tp tp = suite_topic(a, "t", 2, BUS_DELETE);
            struct bus_writer *w = suite_open(a, "slot");
            bus_sim_inject(s.bus, SLICE("slot"), fates[i].fate);
            suite_put(a, w, tp, "k", "v");
            suite_put(a, w, suite_part(tp, 1), "k", "v");
            struct suite_ev *e = suite_await(a, fates[i].end, suite_commit_start(a, w));
            CHECK_EQ(fates[i].reopen, e->ev.reopen);
            bus_writer_close(w);
            w = suite_open(a, "slot");
            CHECK_EQ(fates[i].readable, readable(a, tp));
            CHECK_EQ(fates[i].readable, readable(a, suite_part(tp, 1)));
            suite_put(a, w, tp, "k", "v"); /* and it counts for one commit only */
            (void)suite_commit(a, w);
            suite_end(&s);
        }
    }
}

TEST(sim_an_unknown_commit_may_be_decided_late)
{
    struct suite s;
    struct bus_sim_faults calm = bus_sim_calm();
    begin(&s, &calm);
    struct suite_client *a = suite_client(&s, "a");
    struct bus_tp tp = suite_topic(a, "t", 1, BUS_DELETE);
    struct bus_writer *w = suite_open(a, "slot");
    bus_sim_inject(s.bus, SLICE("slot"), BUS_SIM_UNKNOWN_LATE);
    suite_put(a, w, tp, "k", "v");
    (void)suite_await(a, BUS_EV_UNKNOWN, suite_commit_start(a, w));
    CHECK_EQ(0, readable(a, tp));
    bus_sim_advance(s.bus, 2 * calm.late.max_ns);
    CHECK_EQ(1, readable(a, tp)); /* who looks without opening the slot sees it come */
    suite_end(&s);
}

TEST(sim_a_commit_can_be_held)
{
    struct suite s;
    struct bus_sim_faults calm = bus_sim_calm();
    begin(&s, &calm);
    struct suite_client *a = suite_client(&s, "a");
    struct bus_tp tp = suite_topic(a, "t", 1, BUS_DELETE);
    struct bus_writer *w = suite_open(a, "slot");
    for (int fence = 0; fence < 2; fence++) {
        bus_sim_inject(s.bus, SLICE("slot"), BUS_SIM_HOLD);
        suite_put(a, w, tp, "k", "v");
        uint64_t tag = suite_commit_start(a, w);
        suite_quiet(a, ~0u, tag);
        if (fence != 0) {
            bus_sim_fence(s.bus, SLICE("slot"));
        }
        bus_sim_release(s.bus, SLICE("slot"));
        (void)suite_await(a, fence != 0 ? BUS_EV_FENCED : BUS_EV_COMMITTED, tag);
        CHECK_EQ(1, readable(a, tp));
    }
    suite_end(&s);
}

/* Whoever is in the middle of his work goes on as if nothing were, and leaves nothing behind. */
TEST(sim_a_process_dies_between_two_calls)
{
    for (uint32_t calls = 1; calls <= 3; calls++) {
        struct suite s;
        struct bus_sim_faults calm = bus_sim_calm();
        struct err err;
        begin(&s, &calm);
        struct suite_client *b = suite_client(&s, "b");
        struct bus_tp tb = suite_topic(b, "t", 1, BUS_DELETE);
        struct bus_client *c = bus_client_new(s.bus, "dies");
        struct bus_writer *w = NULL;
        struct bus_ev ev;
        const struct bus_put put = {.to = {bus_topic(c, bus_topic_name(b->c, tb.topic)), 0},
                                    .value = SLICE("v")};
        CHECK_OK(bus_open(c, SLICE("slot"), 1, &w, &err), err);
        bus_wait(c, CLOCK_NS_PER_S);
        CHECK_EQ(1, bus_poll(c, &ev, 1));
        bus_sim_die(c, calls);
        CHECK_OK(bus_put(w, &put, &err), err);
        CHECK_OK(bus_put(w, &put, &err), err);
        CHECK(bus_sim_is_dead(c) == (calls <= 2));
        CHECK_OK(bus_commit(w, 2, &err), err);
        CHECK(bus_sim_is_dead(c));
        bus_wait(c, CLOCK_NS_PER_S);
        CHECK_EQ(0, bus_poll(c, &ev, 1));
        bus_sim_crash(c);
        bus_sim_advance(s.bus, 30 * CLOCK_NS_PER_S); /* what is open times out */
        CHECK_EQ(0, readable(b, tb));
        suite_end(&s);
    }
}

TEST(sim_clocks_of_machines_differ)
{
    struct suite s;
    struct bus_sim_faults calm = bus_sim_calm();
    begin(&s, &calm);
    struct suite_client *a = suite_client(&s, "a"), *b = suite_client(&s, "b");
    struct bus_ev ev;
    bus_sim_ahead(a->c, 5000, -9000);
    CHECK_EQ(suite_now(b) + 5000, suite_now(a));
    CHECK_EQ(clock_wall(bus_clock(b->c)) - 9000, clock_wall(bus_clock(a->c)));
    int64_t now = bus_sim_now(s.bus);
    bus_at(a->c, suite_now(a) + 300, 1);
    bus_at(b->c, suite_now(b) + 200, 2);
    CHECK(bus_sim_step(s.bus, CLOCK_NS_PER_S));
    CHECK_EQ(now + 200, bus_sim_now(s.bus));
    CHECK_EQ(1, bus_poll(b->c, &ev, 1));
    CHECK(bus_sim_step(s.bus, CLOCK_NS_PER_S));
    CHECK_EQ(now + 300, bus_sim_now(s.bus));
    CHECK_EQ(1, bus_poll(a->c, &ev, 1));
    bus_at(a->c, suite_now(a) + 300, 1);
    bus_sim_ahead(a->c, 5300, 0); /* it was asleep */
    CHECK_EQ(1, bus_poll(a->c, &ev, 1));
    suite_end(&s);
}

TEST(sim_a_zombie_wakes_up_fenced)
{
    struct suite s;
    struct bus_sim_faults calm = bus_sim_calm();
    begin(&s, &calm);
    struct suite_client *a = suite_client(&s, "a"), *b = suite_client(&s, "b");
    struct bus_tp tp = suite_topic(a, "t", 1, BUS_DELETE), tb = suite_same(b, a, tp);
    struct bus_writer *w = suite_open(a, "slot");
    suite_put(a, w, tp, "k", "zombie");
    bus_sim_pause(a->c, true);
    struct bus_writer *heir = suite_open(b, "slot");
    suite_put(b, heir, tb, "k", "heir");
    (void)suite_commit(b, heir);
    struct bus_ev ev;
    bus_at(a->c, suite_now(a), 1);
    CHECK(!bus_sim_ready(a->c));
    bus_sim_pause(a->c, false);
    CHECK(bus_sim_ready(a->c));
    CHECK_EQ(1, bus_poll(a->c, &ev, 1));
    (void)suite_await(a, BUS_EV_FENCED, suite_commit_start(a, w));
    CHECK_STR("heir", suite_values(b, suite_read(b, tb, BUS_FROM_START, 1)));
    suite_end(&s);
}

static struct suite_ev *hear(struct suite_client *c, uint64_t tag, bool leading)
{
    struct suite_ev *e = suite_await(c, BUS_EV_LEADER, tag);
    CHECK_EQ(leading, e->ev.leading);
    return e;
}

TEST(sim_leaders_are_deposed_and_sessions_run_out)
{
    struct suite s;
    struct bus_sim_faults calm = bus_sim_calm();
    begin(&s, &calm);
    struct suite_client *a = suite_client(&s, "a"), *b = suite_client(&s, "b");
    struct err err;
    CHECK_OK(bus_elect(a->c, SLICE("leader"), 71, &err), err);
    int64_t first = hear(a, 71, true)->ev.offset;
    CHECK_OK(bus_elect(b->c, SLICE("leader"), 72, &err), err);
    (void)hear(b, 72, false);
    bus_sim_depose(s.bus, SLICE("leader"));
    int64_t second = hear(b, 72, true)->ev.offset;
    CHECK(second > first);
    (void)hear(a, 71, false);
    bus_sim_pause(b->c, true); /* for less than a session: nothing happens */
    bus_sim_advance(s.bus, calm.session_ns / 2);
    bus_sim_pause(b->c, false);
    suite_quiet(b, SUITE_BIT(BUS_EV_LEADER), SUITE_ANY_TAG);
    bus_sim_pause(b->c, true);
    int64_t third = hear(a, 71, true)->ev.offset;
    CHECK(third > second);
    bus_sim_pause(b->c, false);
    (void)hear(b, 72, false);
    int64_t before = bus_sim_now(s.bus);
    bus_sim_crash(a->c);
    a->c = NULL;
    CHECK(hear(b, 72, true)->ev.offset > third);
    CHECK(bus_sim_now(s.bus) >= before + calm.session_ns);
    suite_end(&s);
}

TEST(sim_without_a_leader_nothing_moves)
{
    struct suite s;
    struct bus_sim_faults calm = bus_sim_calm();
    begin(&s, &calm);
    struct suite_client *a = suite_client(&s, "a");
    struct bus_tp tp = suite_topic(a, "t", 2, BUS_DELETE);
    struct bus_writer *w = suite_open(a, "slot"), *plain = suite_open(a, "");
    int64_t until = bus_sim_now(s.bus) + 30 * CLOCK_NS_PER_S;
    bus_sim_outage(s.bus, SLICE("t"), 1, 30 * CLOCK_NS_PER_S);
    (void)suite_deliver(a, plain, tp, "k", "v"); /* the other partition has one */
    CHECK(bus_sim_now(s.bus) < until);
    (void)suite_deliver(a, plain, suite_part(tp, 1), "k", "v");
    CHECK(bus_sim_now(s.bus) >= until);
    until = bus_sim_now(s.bus) + 5 * CLOCK_NS_PER_S;
    suite_put(a, w, suite_part(tp, 1), "k", "v");
    bus_sim_outage(s.bus, SLICE("t"), 1, 5 * CLOCK_NS_PER_S);
    (void)suite_commit(a, w);
    CHECK(bus_sim_now(s.bus) >= until);
    suite_end(&s);
}

TEST(sim_tombstones_go_after_their_time)
{
    struct suite s;
    struct bus_sim_faults calm = bus_sim_calm();
    begin(&s, &calm);
    struct suite_client *a = suite_client(&s, "a");
    struct bus_tp tp = suite_topic(a, "t", 1, BUS_COMPACT);
    suite_write(a, tp, "k", "v");
    suite_write(a, tp, "k", NULL);
    suite_write(a, tp, "l", "v");
    bus_sim_maintain(s.bus);
    CHECK_STR("-,v", suite_values(a, suite_read_all(a, tp, BUS_FROM_START)));
    bus_sim_advance(s.bus, calm.tombstone_ns + CLOCK_NS_PER_S);
    bus_sim_maintain(s.bus);
    CHECK_STR("v", suite_values(a, suite_read_all(a, tp, BUS_FROM_START)));
    suite_end(&s);
}

TEST(sim_refused_puts_are_absent_unless_unknown)
{
    struct suite s;
    struct bus_sim_faults f = bus_sim_calm();
    begin(&s, &f);
    struct suite_client *a = suite_client(&s, "a");
    struct bus_tp tp = suite_topic(a, "t", 1, BUS_DELETE);
    struct bus_writer *w = suite_open(a, "");
    struct bus_put put = {.to = tp, .value = SLICE("v"), .token = 81};
    f.refused = 1;
    bus_sim_set(s.bus, &f);
    suite_put_it(a, w, &put);
    CHECK_EQ(ERR_UNAVAILABLE, suite_await(a, BUS_EV_REFUSED, 81)->err.code);
    f.refused = 0;
    f.refused_done = 1;
    bus_sim_set(s.bus, &f);
    CHECK_EQ(0, readable(a, tp));
    put.token = 82;
    suite_put_it(a, w, &put);
    CHECK_EQ(ERR_UNKNOWN, suite_await(a, BUS_EV_REFUSED, 82)->err.code);
    CHECK_EQ(1, readable(a, tp));
    f.refused_done = 0;
    f.failed = 1;
    bus_sim_set(s.bus, &f);
    struct err err;
    uint64_t tag = suite_tag(a);
    CHECK_EQ(ERR_UNAVAILABLE, suite_refusal(a, bus_bounds(a->c, tp, tag, &err), tag));
    CHECK_EQ(2, bus_stats(s.bus).refused);
    suite_end(&s);
}

TEST(sim_partitions_may_disagree_about_the_time)
{
    struct suite s;
    struct bus_sim_faults f = bus_sim_calm();
    f.skew_ms = 5000;
    begin(&s, &f);
    struct suite_client *a = suite_client(&s, "a");
    struct bus_tp tp = suite_topic(a, "t", 8, BUS_DELETE);
    struct bus_writer *w = suite_open(a, "slot");
    int64_t now_ms = clock_wall(bus_clock(a->c)) / CLOCK_NS_PER_MS;
    int64_t least = INT64_MAX, most = 0;
    for (uint32_t p = 0; p < 8; p++) {
        suite_put(a, w, suite_part(tp, p), "k", "v");
    }
    (void)suite_commit(a, w);
    for (uint32_t p = 0; p < 8; p++) {
        int64_t t = suite_read(a, suite_part(tp, p), BUS_FROM_START, 1)->recs[0].time_ms;
        least = MIN(least, t);
        most = MAX(most, t);
    }
    CHECK(least >= now_ms && most <= now_ms + 6000 && most > least);
    suite_end(&s);
}

TEST(sim_a_bus_may_end_at_any_moment)
{
    /* Freed with everything under way: nothing leaks and nothing runs. */
    for (int64_t ms = 0; ms < 60; ms++) {
        struct suite s;
        struct bus_sim_faults rough = bus_sim_rough();
        begin(&s, &rough);
        struct suite_client *a = suite_client(&s, "a"), *b = suite_client(&s, "b");
        struct bus_tp tp = suite_topic(a, "t", 2, BUS_DELETE), tb = suite_same(b, a, tp);
        struct bus_writer *w = suite_open(a, "slot"), *plain = suite_open(a, ""), *thief;
        struct bus_reader *r = bus_reader_new(b->c);
        struct err err;
        CHECK_OK(bus_assign(r, tb, BUS_FROM_START, 1, &err), err);
        suite_put(a, w, tp, "k", "v");
        suite_put(a, w, suite_part(tp, 1), "k", "v");
        struct bus_put put = {.to = tp, .value = SLICE("v")};
        CHECK_OK(bus_put(plain, &put, &err), err);
        bus_sim_inject(s.bus, SLICE("slot"), ms % 2 == 0 ? BUS_SIM_UNKNOWN_LATE : BUS_SIM_COMMIT);
        (void)suite_commit_start(a, w);
        CHECK_OK(bus_elect(b->c, SLICE("leader"), 2, &err), err);
        if (ms % 3 == 0) {
            CHECK_OK(bus_open(b->c, SLICE("slot"), 3, &thief, &err), err);
        }
        bus_sim_advance(s.bus, ms * CLOCK_NS_PER_MS);
        if (ms % 4 == 0) {
            bus_sim_crash(a->c);
            a->c = NULL;
            bus_sim_advance(s.bus, ms * CLOCK_NS_PER_MS);
        }
        suite_end(&s);
    }
}
