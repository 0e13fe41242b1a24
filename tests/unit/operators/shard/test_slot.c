/* SPDX-License-Identifier: Apache-2.0
 *
 * operators/shard/slot.h over the simulated bus: events are written while a slot works, is killed
 * and is begun again, and commits end in every way there is. What was put out, read as anybody
 * reads, must have each input's effect once; and a slot that is begun again has the state that the
 * one before had.
 */
#include "tests/test.h"
#include "tests/unit/operators/shard/slot_abandon.h"
#include "tests/unit/operators/shard/slot_world.h"

#include "core/codec/endian.h"

TEST(a_slot_works_in_a_calm_world)
{
    run(1, bus_sim_calm(), 0);
}

TEST(a_slot_without_transactions_writes_the_same)
{
    run_as(1, bus_sim_calm(), 0, PLAIN);
}

TEST(each_input_has_its_effect_once_however_commits_end)
{
    for (uint64_t seed = 100; seed < 100 + TEST_SEEDS(40); seed++) {
        run(seed, bus_sim_cruel(), seed % 2 == 0 ? 0 : 20);
    }
    CHECK(fenced > TEST_SEEDS(5) && counts.aborts > TEST_SEEDS(50));
    CHECK(counts.unknowns > TEST_SEEDS(50) && counts.replayed > TEST_SEEDS(100));
    CHECK(counts.snapshots > TEST_SEEDS(100) && counts.restored_bytes > TEST_SEEDS(10000));
}

/* A record of the task's journal that somebody else wrote, the next one. */
static void write_next_record(struct world *w)
{
    struct journal_record r = {
        .lineage = plan(false)->lineage, .seq = task_seq(slot_task(w->slot, 0)) + 1, .epoch = 7};
    uint8_t key[8];
    struct buf b;
    struct err err;
    uint64_t sum;
    endian_put_be64(key, r.lineage);
    buf_init(&b, JOURNAL_BYTES_MAX);
    CHECK_OK(journal_write(&r, &b, &sum, &err), err);
    struct bus_put put = {
        .to = {bus_topic(w->sender, SLICE("journal")), (uint32_t)(r.lineage % JOURNAL_PARTS)},
        .key = slice_of((const char *)key, sizeof key),
        .value = buf_slice(&b)};
    CHECK_OK(bus_put(w->out, &put, &err), err);
    buf_done(&b);
}

/* The end of a commit is not known; meanwhile another was given the task and has gone on with it.
 */
TEST(who_finds_the_record_of_another_in_place_of_his_own_gives_up)
{
    struct world *w = make_world(1, bus_sim_calm());
    begin(w);
    while (!w->sender_open || slot_state(w->slot) != SLOT_LIVE) {
        pass(w, 10000000);
    }
    send_some(w);
    pass(w, 1000000000);
    bus_sim_inject(w->bus, SLICE("worker.0"), BUS_SIM_UNKNOWN_LOST);
    write_next_record(w);
    send_some(w);
    for (int i = 0; i < 1000 && slot_state(w->slot) != SLOT_LOST; i++) {
        struct bus_ev ev[16];
        (void)bus_sim_step(w->bus, 1000000);
        (void)bus_poll(w->sender, ev, 16);
        for (int n = bus_poll(w->worker, ev, 16), k = 0; k < n; k++) {
            slot_on_event(w->slot, &ev[k]);
        }
        (void)slot_step(w->slot);
    }
    CHECK(slot_is_fenced(w->slot));
    CHECK_HAS("another", slot_why(w->slot));
    slot_free(w->slot);
    bus_client_free(w->worker);
    unmake_world(w);
}

TEST(each_input_has_its_effect_once_though_workers_die)
{
    for (uint64_t seed = 1; seed <= TEST_SEEDS(10); seed++) {
        run(seed, seed % 2 == 0 ? bus_sim_calm() : bus_sim_rough(), 20);
    }
}

/* What the slot has committed hides behind the other's open transactions when it is looked for. */
TEST(each_input_has_its_effect_once_beside_a_slot_that_commits_late)
{
    for (uint64_t seed = 300; seed < 300 + TEST_SEEDS(10); seed++) {
        run_as(seed, bus_sim_cruel(), seed % 2 == 0 ? 0 : 20, WITH_NEIGHBOUR);
    }
}

TEST(changed_rules_go_on_with_what_is_the_same)
{
    counts = (struct slot_counts){0};
    for (uint64_t seed = 200; seed < 200 + TEST_SEEDS(16); seed++) {
        struct bus_sim_faults faults = seed % 3 == 0   ? bus_sim_calm()
                                       : seed % 3 == 1 ? bus_sim_rough()
                                                       : bus_sim_cruel();
        struct world *w = make_world(seed, faults);
        w->change_in = 30;
        run_in(w, seed % 4 == 0 ? 0 : 25);
    }
    CHECK(counts.succeeded.kept > TEST_SEEDS(60) && counts.succeeded.begun > TEST_SEEDS(20));
}

/* How many inputs are taken a while after they came, while other partitions are at their ends. */
static uint64_t taken_after(int64_t align_ns, int64_t first_ns, int64_t then_ns, uint64_t *then)
{
    struct world *w = make_world(400, bus_sim_calm());
    w->align_ns = align_ns;
    begin(w);
    while (!w->sender_open || slot_state(w->slot) != SLOT_LIVE) {
        pass(w, 1000000);
    }
    send_some(w);
    pass(w, first_ns);
    uint64_t first = task_counts(slot_task(w->slot, 0)).events;
    pass(w, then_ns);
    *then = task_counts(slot_task(w->slot, 0)).events;
    slot_free(w->slot);
    bus_client_free(w->worker);
    unmake_world(w);
    return first;
}

TEST(an_input_at_its_end_holds_up_the_others_as_long_as_the_task_says)
{
    const int64_t s = 1000000000;
    uint64_t then = 0;
    CHECK(taken_after(0, 2 * s, s, &then) > 0);
    CHECK_EQ(0, taken_after(5 * s, 3 * s, 3 * s, &then));
    CHECK(then > 0);
    CHECK(taken_after(1, 2 * s, s, &then) > 0);
}

TEST(what_is_deleted_leaves_nothing)
{
    for (uint64_t seed = 300; seed < 300 + TEST_SEEDS(8); seed++) {
        struct world *w = make_world(seed, seed % 2 == 0 ? bus_sim_calm() : bus_sim_rough());
        begin(w);
        while (!w->sender_open) {
            pass(w, 10000000);
        }
        while (w->sent < EVENTS / 2) {
            send_some(w);
            pass(w, (int64_t)draw(w, 30000000));
        }
        pass(w, 3000000000);
        CHECK(state_left(w) > 3);
        remove_task(w, SLOT_LEAVE_DELETED, seed % 4 < 2 ? 0 : 10);
        CHECK_EQ(0, state_left(w));
        begin(w); /* the same rules anew: they know nothing of before */
        while (slot_state(w->slot) != SLOT_LIVE) {
            pass(w, 1000000);
        }
        CHECK(task_seq(slot_task(w->slot, 0)) > 10);
        CHECK(task_counts(slot_task(w->slot, 0)).taken < EVENTS / 2);
        slot_free(w->slot);
        bus_client_free(w->worker);
        unmake_world(w);
    }
}

TEST(a_task_that_comes_and_goes_disturbs_nobody_and_misses_nothing)
{
    run_as(7, bus_sim_calm(), 0, WITH_GUEST);
    for (uint64_t seed = 300; seed < 300 + TEST_SEEDS(20); seed++) {
        run_as(seed, seed % 2 == 0 ? bus_sim_rough() : bus_sim_cruel(), seed % 4 == 0 ? 40 : 0,
               WITH_GUEST);
    }
    CHECK(turns > TEST_SEEDS(80));
}

/* Begins again, until it is live or lost: whether it is live. */
static bool try_again(struct world *w, bool moved)
{
    struct slot_task task = task_of(plan(false));
    task.moved = moved;
    slot_remove(w->slot, task.plan->lineage, SLOT_LEAVE);
    while (slot_tasks(w->slot) > 0) {
        pass(w, 1000000);
    }
    slot_add(w->slot, &task);
    while (slot_task_state(w->slot, 0) != SLOT_LIVE && slot_task_state(w->slot, 0) != SLOT_LOST) {
        pass(w, 1000000);
    }
    return slot_task_state(w->slot, 0) == SLOT_LIVE;
}

/* A task moves from one slot to another, both of which live: the new one is not told before the old
 * one has let it go, or was killed and fenced. True: by the old one's last record. */
static bool hand_over(uint64_t seed, bool by_stop, bool kills)
{
    struct world *w = make_world(seed, seed % 2 == 0 ? bus_sim_calm() : bus_sim_rough());
    struct err err;
    begin(w);
    while (!w->sender_open) {
        pass(w, 10000000);
    }
    send_until(w, EVENTS / 2);
    w->old_client = w->worker;
    w->old = w->slot;
    w->moved = true;
    begin(w);
    pass(w, 1000000000);
    CHECK(slot_task_is_unreleased(w->slot, 0));
    if (by_stop) {
        slot_drain(w->old);
    } else {
        slot_remove(w->old, plan(false)->lineage, SLOT_LEAVE_SAVED);
    }
    if (kills) {
        pass(w, (int64_t)draw(w, 100000000));
        bus_sim_crash(w->old_client);
        slot_abandon(w->old);
        CHECK_OK(bus_fence(w->sender, SLICE("worker.0"), 3, &err), err);
    } else {
        while (by_stop ? !slot_is_drained(w->old) : slot_tasks(w->old) > 0) {
            pass(w, 1000000);
        }
        slot_free(w->old);
        bus_client_free(w->old_client);
    }
    w->old = NULL;
    pass(w, 1000000000);
    bool released = try_again(w, true);
    CHECK(released || (kills && slot_task_is_unreleased(w->slot, 0)));
    CHECK(released || try_again(w, false));
    w->moved = false;
    send_until(w, EVENTS);
    finish(w, (int)seed);
    return released;
}

TEST(who_takes_over_from_a_slot_that_lives_waits_for_its_release)
{
    uint32_t n[2] = {0, 0};
    for (uint64_t seed = 500; seed < 500 + TEST_SEEDS(6); seed++) {
        CHECK(hand_over(seed, seed % 4 < 2, false));
    }
    for (uint64_t seed = 600; seed < 600 + TEST_SEEDS(30); seed++) {
        n[hand_over(seed, seed % 4 < 2, true)]++;
    }
    CHECK(n[false] >= TEST_SEEDS(3) && n[true] >= TEST_SEEDS(3)); /* killed before it, and behind */
}

/* Rules that somebody still runs are not ended by who comes after them, though they were changed.
 */
TEST(who_takes_over_changed_rules_waits_for_the_release_first)
{
    struct world *w = make_world(1, bus_sim_calm());
    begin(w);
    while (!w->sender_open) {
        pass(w, 10000000);
    }
    send_until(w, EVENTS / 10);
    w->old_client = w->worker;
    w->old = w->slot;
    w->moved = true;
    begin(w);
    pass(w, 1000000000);
    struct slot_task task = task_of(plan(true));
    task.moved = task.asks = true;
    slot_remove(w->slot, task.plan->lineage, SLOT_LEAVE);
    while (slot_tasks(w->slot) > 0) {
        pass(w, 1000000);
    }
    slot_add(w->slot, &task);
    pass(w, 1000000000);
    CHECK(slot_task_is_unreleased(w->slot, 0));
    CHECK_EQ(0, slot_task_awaits(w->slot, 0));
    task.ends = true; /* nor is a graph that is deleted ended beside him */
    slot_remove(w->slot, task.plan->lineage, SLOT_LEAVE);
    while (slot_tasks(w->slot) > 0) {
        pass(w, 1000000);
    }
    slot_add(w->slot, &task);
    while (slot_task_state(w->slot, 0) != SLOT_LOST) {
        pass(w, 1000000);
        CHECK(slot_task_state(w->slot, 0) != SLOT_LIVE);
    }
    CHECK(slot_task_is_unreleased(w->slot, 0));
    CHECK(!slot_task_is_gone(w->slot, 0));
    slot_free(w->old);
    bus_client_free(w->old_client);
    slot_free(w->slot);
    bus_client_free(w->worker);
    unmake_world(w);
}

/* Rules are changed and their task moves at once: the last record of those before is the word of
 * their slot, too, so nobody has to be fenced. */
TEST(changed_rules_that_move_go_on_behind_the_last_record)
{
    for (uint64_t seed = 700; seed < 700 + TEST_SEEDS(6); seed++) {
        struct world *w = make_world(seed, seed % 2 == 0 ? bus_sim_calm() : bus_sim_rough());
        begin(w);
        while (!w->sender_open) {
            pass(w, 10000000);
        }
        send_until(w, EVENTS / 2);
        w->old_client = w->worker;
        w->old = w->slot;
        w->moved = w->changed = true;
        begin(w);
        slot_remove(w->old, plan(false)->lineage, SLOT_LEAVE_FINAL);
        while (slot_tasks(w->old) > 0) {
            pass(w, 1000000);
        }
        struct slot_task task = task_of(plan(true));
        task.moved = task.asks = true;
        slot_remove(w->slot, task.plan->lineage, SLOT_LEAVE);
        while (slot_tasks(w->slot) > 0) {
            pass(w, 1000000);
        }
        slot_add(w->slot, &task);
        while (slot_task_state(w->slot, 0) < SLOT_LIVE) {
            pass(w, 1000000);
        }
        CHECK_EQ(SLOT_LIVE, slot_task_state(w->slot, 0));
        CHECK_EQ(0, task_counts(slot_task(w->slot, 0)).gaps);
        slot_free(w->old);
        bus_client_free(w->old_client);
        w->old = NULL;
        w->moved = false;
        send_until(w, EVENTS);
        finish(w, (int)seed);
    }
}
