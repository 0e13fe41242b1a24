/* SPDX-License-Identifier: Apache-2.0
 *
 * Tasks that begin beside others. Their rules are deployed with their first input: with rests in
 * the middle (slot_amid.h), one task after the other, however many there are, so that who has begun
 * goes on meanwhile. A state of many rules is made by a thread beside.
 */
#include "core/base/mem.h"
#include "core/bus/bus_sim.h"
#include "operators/shard/slot.h"
#include "tests/test.h"
#include "tests/unit/operators/shard/small_world.h"

#include <stdio.h>

enum { GRAPHS = 40, RULES = 30, RECORDS = 20, STEPS = 200000, MANY = 400 };

struct world {
    struct small_world small;
    struct bus_client *worker;
    struct arena *arena;
    struct layout *neighbour, *graphs[GRAPHS];
    struct slot *slot;
    int64_t ts, snapshot_ns;
    bool beside;       /* a thread has had a task */
    uint64_t between;  /* events of the neighbour while rules of others were being deployed */
    uint32_t together; /* at most, tasks whose rules were */
};

/* The first event concerns it: it does not sleep. */
static struct layout *lay_out(struct world *w, const char *name, uint32_t rules)
{
    struct buf text;
    buf_init(&text, 1 << 20);
    (void)buf_addf(&text,
                   "apiVersion: kaiju/v1\nkind: RuleGraph\nname: %s\nlevels:\n- name: metrics\n"
                   "  bound: 0s\n  partitions: 1\n  epl: |\n"
                   "    insert into Seen select value from Metric;\n",
                   name);
    for (uint32_t i = 1; i < rules; i++) {
        (void)buf_addf(&text, "    insert into Out%u select value from Metric(name = 'm%u');\n", i,
                       i);
    }
    struct layout *l = small_lay_out(w->arena, buf_slice(&text), 1);
    buf_done(&text);
    return l;
}

static struct slot_task task_of(const struct layout *l)
{
    struct slot_task t = l->groups[0].tasks[0];
    t.from_start = true;
    return t;
}

static void make(struct world *w)
{
    char name[32];
    const struct bus_conf conf = small_sim(7);
    small_open(&w->small, &conf, 1, NULL, 0);
    w->arena = arena_new(NULL, "test", 256 << 20);
    w->ts = INT64_C(1700000000000000000);
    w->neighbour = lay_out(w, "neighbour", 1);
    for (uint32_t i = 0; i < GRAPHS; i++) {
        (void)snprintf(name, sizeof name, "graph%u", i);
        w->graphs[i] = lay_out(w, name, RULES);
    }
}

static void send(struct world *w)
{
    w->ts += CLOCK_NS_PER_MS;
    small_metric(&w->small, w->ts, SLICE("other"), 1);
    small_put(&w->small, SLICE("metrics"), 0, NULL);
}

static void begin(struct world *w, uint32_t graphs)
{
    const struct slot_conf conf = {.name = SLICE("worker.0"),
                                   .commit_ns = 5 * CLOCK_NS_PER_MS,
                                   .snapshot_ns = w->snapshot_ns,
                                   .beside_bytes = 2 << 20,
                                   .rests = true};
    struct slot_task tasks[GRAPHS + 1];
    struct err err;
    for (uint32_t i = 0; i < graphs; i++) {
        tasks[i] = task_of(w->graphs[i]);
    }
    tasks[graphs] = task_of(w->neighbour);
    w->worker = bus_client_new(w->small.bus, "worker");
    CHECK_OK(slot_new(w->worker, &conf, tasks, graphs + 1, &w->slot, &err), err);
}

static void end(struct world *w)
{
    slot_free(w->slot);
    bus_client_free(w->worker);
}

static void unmake(struct world *w)
{
    arena_free(w->arena);
    small_close(&w->small);
}

static struct task *task_at(const struct world *w, const struct layout *l)
{
    return slot_task(w->slot, slot_find(w->slot, l->groups[0].tasks[0].plan->lineage));
}

static uint64_t taken(const struct world *w, const struct layout *l)
{
    struct task *t = task_at(w, l);
    return t != NULL ? task_counts(t).taken : 0;
}

static uint32_t coming(const struct world *w, enum task_rules rules)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < slot_tasks(w->slot); i++) {
        struct task *t = slot_task(w->slot, i);
        n += t != NULL && task_rules(t) == rules;
    }
    return n;
}

/* True: it has done all that it can without waiting. */
static bool step(struct world *w)
{
    uint64_t had = taken(w, w->neighbour);
    bool were = coming(w, TASK_RULES_COMING) > 0;
    bool more = slot_step(w->slot);
    w->together = MAX(w->together, coming(w, TASK_RULES_COMING));
    w->between += were && coming(w, TASK_RULES_COMING) > 0 ? taken(w, w->neighbour) - had : 0;
    CHECK(slot_state(w->slot) != SLOT_LOST);
    return !more;
}

static void pass(struct world *w, int64_t ns)
{
    struct bus_ev ev[16];
    int64_t until = bus_sim_now(w->small.bus) + ns;
    while (bus_sim_now(w->small.bus) < until) {
        (void)bus_sim_step(w->small.bus, until - bus_sim_now(w->small.bus));
        for (int n = bus_poll(w->worker, ev, 16), i = 0; i < n; i++) {
            slot_on_event(w->slot, &ev[i]);
            w->beside |= slot_tasks(w->slot) > 0 && slot_task(w->slot, 0) == NULL;
            w->beside |= slot_tasks(w->slot) > 1 && slot_task(w->slot, 1) == NULL;
            w->together = MAX(w->together, coming(w, TASK_RULES_COMING));
        }
        for (int i = 0; i < 10 && !step(w); i++) {
        }
    }
}

static bool have_all(const struct world *w, uint64_t n)
{
    bool all = taken(w, w->neighbour) >= n;
    for (uint32_t i = 0; i < GRAPHS; i++) {
        all &= taken(w, w->graphs[i]) >= n;
    }
    return all;
}

TEST(tasks_begin_one_after_the_other_and_neighbours_go_on)
{
    struct world w = {.ts = 0};
    make(&w);
    begin(&w, GRAPHS);
    while (slot_state(w.slot) != SLOT_LIVE) {
        pass(&w, CLOCK_NS_PER_MS);
    }
    for (uint32_t i = 0; i < RECORDS; i++) {
        send(&w);
        pass(&w, CLOCK_NS_PER_MS / 10);
    }
    for (int i = 0; i < STEPS && !have_all(&w, RECORDS); i++) {
        pass(&w, CLOCK_NS_PER_MS);
    }
    CHECK(have_all(&w, RECORDS));
    CHECK_EQ(1, w.together);
    CHECK(w.between > RECORDS / 2);
    CHECK_EQ(GRAPHS + 1, coming(&w, TASK_RULES_THERE));
    end(&w);
    unmake(&w);
}

TEST(so_they_do_when_journals_are_played_again)
{
    struct world w = {.ts = 0};
    make(&w);
    begin(&w, GRAPHS);
    for (uint32_t i = 0; i < RECORDS; i++) {
        send(&w);
    }
    while (!have_all(&w, RECORDS)) {
        pass(&w, CLOCK_NS_PER_MS);
    }
    pass(&w, 50 * CLOCK_NS_PER_MS);
    CHECK(slot_counts(w.slot).commits > 0);
    end(&w);
    w.together = 0;
    begin(&w, GRAPHS);
    for (uint32_t i = 0; i < RECORDS; i++) {
        send(&w);
        pass(&w, CLOCK_NS_PER_MS / 10);
    }
    for (int i = 0; i < STEPS && !have_all(&w, 2 * RECORDS); i++) {
        pass(&w, CLOCK_NS_PER_MS);
    }
    CHECK(slot_counts(w.slot).replayed > 0);
    CHECK_EQ(1, w.together);
    CHECK_EQ(GRAPHS + 1, coming(&w, TASK_RULES_THERE));
    end(&w);
    unmake(&w);
}

TEST(a_slot_may_end_while_rules_are_deployed)
{
    struct world w = {.ts = 0};
    make(&w);
    begin(&w, GRAPHS);
    send(&w);
    for (int i = 0; i < STEPS && coming(&w, TASK_RULES_COMING) == 0; i++) {
        pass(&w, CLOCK_NS_PER_MS / 100);
    }
    CHECK_EQ(1, coming(&w, TASK_RULES_COMING));
    end(&w);
    begin(&w, GRAPHS); /* and whoever comes then does it */
    while (!have_all(&w, 1)) {
        pass(&w, CLOCK_NS_PER_MS);
    }
    end(&w);
    unmake(&w);
}

TEST(rules_whose_state_is_small_are_made_beside_when_they_are_many)
{
    struct world w = {.snapshot_ns = 3600 * CLOCK_NS_PER_S};
    make(&w);
    w.graphs[0] = lay_out(&w, "many", MANY);
    const struct slot_task many = task_of(w.graphs[0]);
    begin(&w, 1);
    send(&w);
    while (taken(&w, w.graphs[0]) < 1) {
        pass(&w, CLOCK_NS_PER_MS);
    }
    slot_remove(w.slot, many.plan->lineage, SLOT_LEAVE_SAVED);
    while (slot_tasks(w.slot) > 1) {
        pass(&w, CLOCK_NS_PER_MS);
    }
    CHECK(!w.beside);
    slot_add(w.slot, &many);
    do { /* as soon as it is there, its journal is read */
        pass(&w, CLOCK_NS_PER_MS);
    } while (slot_state(w.slot) != SLOT_LIVE);
    CHECK(w.beside);
    CHECK(slot_counts(w.slot).restored_bytes > 0 && slot_counts(w.slot).restored_bytes < 1 << 20);
    end(&w);
    unmake(&w);
}
