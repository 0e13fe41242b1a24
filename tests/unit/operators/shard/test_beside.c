/* SPDX-License-Identifier: Apache-2.0
 *
 * A task with a large state begins in a slot that serves another one: its state is made by a thread
 * beside (slot_begin.c), so the slot itself is never busy with it for long, and the other task goes
 * on meanwhile. On the embedded bus; what takes how long is told by the CPU time of threads.
 */
#include "core/base/mem.h"
#include "operators/shard/slot.h"
#include "tests/test.h"
#include "tests/unit/operators/shard/small_world.h"

#include <stdio.h>
#include <time.h>

enum { RECORDS = 200, PER_RECORD = 200, EVENTS = RECORDS * PER_RECORD };

#define GRAPH(name, rules)                                                                         \
    "apiVersion: kaiju/v1\nkind: RuleGraph\nname: " name "\nlevels:\n"                             \
    "  - name: metrics\n    bound: 0s\n    partitions: 1\n    epl: |\n" rules

static const char large[] = GRAPH(
    "large", "      create window Held#keepall (name string, value double);\n"
             "      insert into Held select name, value from Metric;\n"
             "      on Metric(value < 0) as m insert into Out select h.name from Held as h;\n");
static const char small[] = GRAPH("small", "      insert into Seen select count(*) as n from "
                                           "Metric;\n");

struct world {
    struct small_world world;
    struct bus_client *worker;
    struct arena *arena;
    struct layout *large, *small;
    struct slot *slot;
    uint32_t sent;
};

static struct layout *lay_out(struct arena *a, const char *text)
{
    struct layout *l = small_lay_out(a, slice_str(text), 1);
    CHECK_EQ(1, l->groups[0].parts);
    return l;
}

static const struct slot_task *task_of(const struct layout *l)
{
    static struct slot_task t;
    t = l->groups[0].tasks[0];
    t.from_start = true;
    return &t;
}

static uint64_t lineage_of(const struct layout *l)
{
    return l->groups[0].tasks[0].plan->lineage;
}

static void open_world(struct world *w)
{
    static char dir[256];
    struct err err;
    (void)snprintf(dir, sizeof dir, "%s/bus", test_tmpdir());
    const struct bus_conf conf = {
        .kind = BUS_LOCAL, .prefix = "kaiju.", .local = {.dir = dir, .map_bytes = 1 << 30}};
    small_open(&w->world, &conf, 1, NULL, 0);
    w->arena = arena_new(NULL, "test", 64 << 20);
    w->large = lay_out(w->arena, large);
    w->small = lay_out(w->arena, small);
    w->worker = bus_client_new(w->world.bus, "worker");
    const struct slot_conf slot = {.name = SLICE("worker.0"),
                                   .commit_ns = 10 * CLOCK_NS_PER_MS,
                                   .snapshot_ns = 3600 * CLOCK_NS_PER_S,
                                   .beside_bytes = 1 << 20};
    CHECK_OK(slot_new(w->worker, &slot, NULL, 0, &w->slot, &err), err);
    slot_add(w->slot, task_of(w->small));
    slot_add(w->slot, task_of(w->large));
}

static void close_world(struct world *w)
{
    slot_free(w->slot);
    bus_client_free(w->worker);
    small_close(&w->world);
    arena_free(w->arena);
}

static void send(struct world *w)
{
    char text[100];
    for (uint32_t i = 0; i < PER_RECORD; i++, w->sent++) {
        (void)snprintf(text, sizeof text, "%080u", w->sent);
        small_metric(&w->world, INT64_C(1700000000000000000) + w->sent * INT64_C(1000),
                     slice_str(text), w->sent);
    }
    small_put(&w->world, SLICE("metrics"), 0, NULL);
}

static int64_t thread_ns(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return t.tv_sec * CLOCK_NS_PER_S + t.tv_nsec;
}

/* What the longest call of the slot took. */
static int64_t pass(struct world *w)
{
    struct bus_ev ev[16];
    int64_t worst = 0, at = thread_ns(), now;
    bool more = slot_step(w->slot);
    now = thread_ns();
    worst = MAX(worst, now - at);
    bus_wait(w->worker, more ? 0 : 2 * CLOCK_NS_PER_MS);
    for (int n = bus_poll(w->worker, ev, 16), i = 0; i < n; i++) {
        at = thread_ns();
        slot_on_event(w->slot, &ev[i]);
        worst = MAX(worst, thread_ns() - at);
    }
    CHECK(slot_state(w->slot) != SLOT_LOST);
    return worst;
}

/* NULL: it is made beside. */
static struct task *task_there(struct world *w, const struct layout *l)
{
    return slot_task(w->slot, slot_find(w->slot, lineage_of(l)));
}

static uint64_t taken(struct world *w, const struct layout *l)
{
    struct task *t = task_there(w, l);
    return t != NULL ? task_counts(t).events : 0;
}

TEST(a_large_state_is_made_beside_and_the_neighbour_goes_on)
{
    struct world w = {.sent = 0};
    open_world(&w);
    for (int i = 0; i < RECORDS; i++) {
        send(&w);
    }
    while (taken(&w, w.large) < EVENTS || taken(&w, w.small) < EVENTS) {
        (void)pass(&w);
    }
    slot_remove(w.slot, lineage_of(w.large), SLOT_LEAVE_SAVED);
    while (slot_tasks(w.slot) > 1) {
        (void)pass(&w);
    }
    int64_t worst = 0, cpu = clock_cpu_ns();
    bool beside = false;
    uint64_t commits = 0;
    slot_add(w.slot, task_of(w.large));
    while (slot_state(w.slot) != SLOT_LIVE || slot_counts(w.slot).commits <= commits ||
           taken(&w, w.small) < EVENTS + PER_RECORD) {
        int64_t took = pass(&w);
        bool is = task_there(&w, w.large) == NULL;
        if (is && !beside) { /* from here on there is something to commit */
            commits = slot_counts(w.slot).commits;
            send(&w);
        }
        beside |= is;
        worst = MAX(worst, took);
    }
    cpu = clock_cpu_ns() - cpu;
    CHECK(beside);
    CHECK(slot_counts(w.slot).restored_bytes > 2 << 20);
    CHECK_EQ(EVENTS + PER_RECORD, taken(&w, w.small));
    if (worst > cpu / 3) {
        test_fail(__FILE__, __LINE__, "%lld us of %lld in one call", (long long)worst / 1000,
                  (long long)cpu / 1000);
    }
    while (taken(&w, w.large) < PER_RECORD) { /* since it began */
        (void)pass(&w);
    }
    close_world(&w);
}

TEST(a_slot_that_ends_waits_for_what_is_made_beside)
{
    struct world w = {.sent = 0};
    open_world(&w);
    for (int i = 0; i < RECORDS / 2; i++) {
        send(&w);
    }
    while (taken(&w, w.large) < EVENTS / 2) {
        (void)pass(&w);
    }
    slot_remove(w.slot, lineage_of(w.large), SLOT_LEAVE_SAVED);
    while (slot_tasks(w.slot) > 1) {
        (void)pass(&w);
    }
    slot_add(w.slot, task_of(w.large));
    while (task_there(&w, w.large) != NULL) {
        (void)pass(&w);
    }
    slot_remove(w.slot, lineage_of(w.large), SLOT_LEAVE);
    CHECK_STR("", slot_task_why(w.slot, slot_find(w.slot, lineage_of(w.large))));
    CHECK_EQ(0, slot_lag(w.slot, slot_find(w.slot, lineage_of(w.large))).records);
    close_world(&w);
}
