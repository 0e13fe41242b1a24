/* SPDX-License-Identifier: Apache-2.0
 *
 * Tasks that ride (operators/shard/slot_ride.c): whatever they rode past, whoever it concerned
 * meanwhile, and wherever they were cut, killed and begun again, each has in the end the state, the
 * clock and the place of a task that was given its records one by one, without a slot, and nothing
 * comes out once too often. One graph is concerned now and then and has timers; one not before most
 * is over, it sleeps until then; one never is.
 */
#include "core/base/mem.h"
#include "core/bus/bus_sim.h"
#include "core/event/batch_dec.h"
#include "core/event/frame.h"
#include "operators/shard/layout.h"
#include "operators/shard/slot_impl.h"
#include "tests/test.h"
#include "tests/unit/operators/shard/slot_abandon.h"
#include "tests/unit/operators/shard/small_world.h"

#include <stdio.h>

enum { RAW_PARTS = 1, RECORDS = 500, PER_RECORD = 8, RARE_FROM = 400, LATE_NS = 40000000 };
enum { OFTEN, RARELY, NEVER, GRAPHS };

#define GRAPH(name)                                                                                \
    "apiVersion: kaiju/v1\nkind: RuleGraph\nname: " name                                           \
    "\nlevels:\n- name: metrics\n  bound: 0s\n  epl: |\n"                                          \
    "    insert into Total select count(*) as n, sum(value) as v from Metric(name = '" name        \
    "', value > 1)#time(2 sec);\n"                                                                 \
    "    insert into Pair select b.value as v from pattern [every a=Metric(name = '" name "')\n"   \
    "    -> b=Metric(name = '" name "', value > a.value)];\n"

static const char *const documents[GRAPHS] = {GRAPH("often"), GRAPH("rarely"), GRAPH("never")};

struct world {
    struct small_world small;
    struct bus_client *worker;
    struct arena *arena;
    struct layout *graphs[GRAPHS];
    struct slot *slot;
    uint64_t seed, ridden, put[GRAPHS]; /* put: by tasks beside it, without a slot */
    int64_t ts, snapshot_ns;
    uint32_t sent;
    uint64_t aboard;           /* times that a task rode on between two events of the bus */
    struct slot_counts counts; /* of slots that ended */
};

static uint32_t draw(struct world *w, uint32_t below)
{
    w->seed = w->seed * 6364136223846793005ULL + 1442695040888963407ULL;
    return (uint32_t)((w->seed >> 33) % below);
}

/* ---- events ---- */

/* Most concern nobody; some are late. */
static struct slice name_of(struct world *w)
{
    uint32_t n = draw(w, 60);
    return n == 0                           ? SLICE("often")
           : n == 1 && w->sent >= RARE_FROM ? SLICE("rarely")
                                            : SLICE("other");
}

static void send(struct world *w)
{
    for (uint32_t i = 0; i < PER_RECORD; i++) {
        w->ts += draw(w, 20000000);
        struct slice name = name_of(w);
        double value = draw(w, 9);
        int64_t late = draw(w, 50) == 0 ? (int64_t)draw(w, LATE_NS) : 0;
        small_metric(&w->small, w->ts - late, name, value);
    }
    small_put(&w->small, SLICE("metrics"), w->sent++ % RAW_PARTS, NULL);
}

/* ---- the slot ---- */

static const struct task_plan *plan(const struct world *w, uint32_t graph, uint32_t part)
{
    return w->graphs[graph]->groups[0].tasks[part].plan;
}

static struct slot_one *one(const struct world *w, uint32_t graph, uint32_t part)
{
    struct slot_one *o = slot_one_of(w->slot, plan(w, graph, part)->lineage);
    CHECK(o != NULL && o->state != SLOT_LOST);
    return o;
}

static void begin(struct world *w)
{
    const struct slot_conf conf = {
        .name = SLICE("worker.0"), .commit_ns = 5 * CLOCK_NS_PER_MS, .snapshot_ns = w->snapshot_ns};
    struct slot_task tasks[GRAPHS * RAW_PARTS];
    struct err err;
    for (uint32_t i = 0; i < GRAPHS * RAW_PARTS; i++) {
        tasks[i] = w->graphs[i / RAW_PARTS]->groups[0].tasks[i % RAW_PARTS];
        tasks[i].from_start = true;
    }
    w->worker = bus_client_new(w->small.bus, "worker");
    CHECK_OK(slot_new(w->worker, &conf, tasks, GRAPHS * RAW_PARTS, &w->slot, &err), err);
}

static void end(struct world *w)
{
    struct slot_counts c = slot_counts(w->slot);
    w->counts.commits += c.commits;
    w->counts.snapshots += c.snapshots;
    w->counts.restored_bytes += c.restored_bytes;
    w->counts.replayed += c.replayed;
    for (uint32_t i = 0; i < GRAPHS * RAW_PARTS; i++) {
        w->ridden += one(w, i / RAW_PARTS, i % RAW_PARTS)->ridden;
    }
    bus_sim_crash(w->worker);
    slot_abandon(w->slot);
}

static void pass(struct world *w, int64_t ns)
{
    struct bus_ev ev[16];
    int64_t until = bus_sim_now(w->small.bus) + ns;
    while (bus_sim_now(w->small.bus) < until) {
        (void)bus_sim_step(w->small.bus, until - bus_sim_now(w->small.bus));
        for (int n = bus_poll(w->worker, ev, 16), i = 0; i < n; i++) {
            slot_on_event(w->slot, &ev[i]);
            VEC_EACH (&w->slot->tasks, o) {
                w->aboard += (*o)->riding != NULL;
            }
        }
        for (int i = 0; i < 50 && slot_step(w->slot); i++) {
        }
        CHECK(slot_state(w->slot) != SLOT_LOST);
    }
}

static void make(struct world *w)
{
    const struct bus_conf conf = small_sim(w->seed);
    w->ts = INT64_C(1700000000000000000);
    w->arena = arena_new(NULL, "test", 256 << 20);
    for (int i = 0; i < GRAPHS; i++) {
        w->graphs[i] = small_lay_out(w->arena, slice_str(documents[i]), RAW_PARTS);
        CHECK_EQ(RAW_PARTS, w->graphs[i]->groups[0].parts);
    }
    small_open(&w->small, &conf, RAW_PARTS, NULL, 0);
}

static void unmake(struct world *w)
{
    small_close(&w->small);
    arena_free(w->arena);
}

/* ---- what should have come of it ---- */

typedef void on_record(void *arg, const struct bus_record *r);

static void read_all(struct world *w, struct slice topic, uint32_t part, on_record *f, void *arg)
{
    struct bus_client *c = bus_client_new(w->small.bus, "judge");
    struct bus_reader *r = bus_reader_new(c);
    struct bus_ev ev[16];
    struct err err;
    struct bus_tp tp = {bus_topic(c, topic), part};
    CHECK_OK(bus_assign(r, tp, BUS_FROM_START, 1, &err), err);
    for (bool over = false; !over;) {
        bus_wait(c, CLOCK_NS_PER_S);
        for (int n = bus_poll(c, ev, 16), i = 0; i < n; i++) {
            over |= ev[i].kind == BUS_EV_END;
            for (uint32_t k = 0; ev[i].kind == BUS_EV_RECORDS && k < ev[i].count; k++) {
                f(arg, &ev[i].records[k]);
            }
        }
    }
    bus_reader_free(r);
    bus_client_free(c);
}

struct alone { /* a task, given one record after another */
    struct task *task;
    struct arena *arena;
    struct batch_dec *dec;
};

static struct rec_batch decoded(const struct alone *a, const struct bus_record *r)
{
    struct rec_batch b = {0};
    struct err err;
    if (r->value.len > 0) {
        struct slice body = slice_sub(r->value, FRAME_SINGLE_BYTES, r->value.len);
        CHECK_OK(batch_dec_read(a->dec, a->arena, arena_copy(a->arena, body), &b, &err), err);
    }
    return b;
}

static void give(void *arg, const struct bus_record *r)
{
    struct alone *a = arg;
    struct rec_batch b = decoded(a, r);
    merge_push(
        task_merge(a->task), 0,
        &(struct merge_piece){
            .offset = r->offset, .events = b.events, .n = b.events_len, .mark = MERGE_NO_MARK});
    while (task_work(a->task, PER_RECORD) > 0) {
    }
}

static bool same(struct hash128 a, struct hash128 b)
{
    return memcmp(&a, &b, sizeof a) == 0;
}

static void check_task(struct world *w, uint32_t graph, uint32_t part)
{
    static const struct merge_conf nobody = {NULL, NULL};
    struct intern *keys = intern_new(10000, 1000000);
    struct alone a = {.task = task_new(plan(w, graph, part), keys, &nobody),
                      .arena = arena_new(NULL, "alone", 64 << 20),
                      .dec = batch_dec_new(BATCH_LIMITS, keys)};
    read_all(w, SLICE("metrics"), part, give, &a);
    struct task *t = one(w, graph, part)->task;
    CHECK_EQ(RECORDS / RAW_PARTS * PER_RECORD, task_counts(a.task).events);
    CHECK(task_counts(a.task).late > 10);
    if (w->counts.commits == 0) { /* it is the first slot, and has counted them all */
        CHECK_EQ(task_counts(a.task).events, task_counts(t).events);
        CHECK_EQ(task_counts(a.task).late, task_counts(t).late);
    }
    CHECK_EQ(merge_clock(task_merge(a.task)), merge_clock(task_merge(t)));
    CHECK_EQ(merge_largest(task_merge(a.task), 0), merge_largest(task_merge(t), 0));
    CHECK_EQ(merge_pos(task_merge(a.task), 0).offset, merge_pos(task_merge(t), 0).offset);
    CHECK_EQ(graph == NEVER, task_is_asleep(t));
    CHECK(same(task_state_hash(a.task), task_state_hash(t)));
    w->put[graph] += task_counts(a.task).put;
    task_free(a.task);
    batch_dec_free(a.dec);
    arena_free(a.arena);
    intern_free(keys);
}

struct outputs {
    struct alone of; /* without a task */
    uint64_t n;
};

static void count(void *arg, const struct bus_record *r)
{
    struct outputs *o = arg;
    o->n += decoded(&o->of, r).events_len;
}

static void check_outputs(struct world *w)
{
    struct intern *keys = intern_new(10000, 1000000);
    struct outputs o = {.of = {.arena = arena_new(NULL, "outputs", 64 << 20),
                               .dec = batch_dec_new(BATCH_LIMITS, keys)}};
    for (uint32_t i = 0; i < RAW_PARTS; i++) {
        read_all(w, SLICE("events"), i, count, &o);
    }
    CHECK(w->put[OFTEN] > 50 && w->put[RARELY] > 5 && w->put[NEVER] == 0);
    CHECK_EQ(w->put[OFTEN] + w->put[RARELY], o.n);
    batch_dec_free(o.of.dec);
    arena_free(o.of.arena);
    intern_free(keys);
}

/* ---- a run ---- */

static void check(struct world *w)
{
    pass(w, 20 * CLOCK_NS_PER_S); /* all that is there is taken, and committed */
    for (uint32_t i = 0; i < GRAPHS * RAW_PARTS; i++) {
        check_task(w, i / RAW_PARTS, i % RAW_PARTS);
    }
    check_outputs(w);
}

/* Some at a time, so that events of the bus have a few records each. */
static void send_and_pass(struct world *w, uint32_t kill_in)
{
    begin(w);
    while (w->sent < RECORDS) {
        for (uint32_t n = draw(w, 30); n > 0 && w->sent < RECORDS; n--) {
            send(w);
        }
        pass(w, (int64_t)draw(w, 400) * CLOCK_NS_PER_MS);
        if (kill_in > 0 && draw(w, kill_in) == 0) {
            end(w);
            begin(w);
        }
    }
}

TEST(tasks_that_ride_are_where_they_had_come_one_by_one)
{
    struct world w = {.seed = 1};
    make(&w);
    while (w.sent < RECORDS) {
        send(&w);
    }
    begin(&w);
    check(&w);
    end(&w);
    CHECK(w.ridden > RECORDS * PER_RECORD); /* of GRAPHS times as many */
    CHECK(w.aboard > 0);
    unmake(&w);
}

TEST(a_task_that_rides_begins_to_be_concerned)
{
    struct world w = {.seed = 2};
    make(&w);
    begin(&w);
    while (w.sent < RECORDS) {
        send(&w);
        if (w.sent == RARE_FROM) {
            pass(&w, 5 * CLOCK_NS_PER_S);
            CHECK(task_is_asleep(one(&w, RARELY, 0)->task));
            CHECK(one(&w, RARELY, 0)->ridden > RARE_FROM / 2);
            CHECK(!task_is_asleep(one(&w, OFTEN, 0)->task));
        }
    }
    check(&w);
    end(&w);
    unmake(&w);
}

TEST(whoever_is_cut_between_rides_and_dies_goes_on_from_there)
{
    for (uint64_t seed = 1; seed <= 6; seed++) {
        struct world w = {.seed = seed};
        make(&w);
        send_and_pass(&w, 4);
        check(&w);
        end(&w);
        CHECK(w.ridden > RECORDS && w.counts.replayed > 10 && w.counts.commits > 10);
        unmake(&w);
    }
}

TEST(whoever_rode_is_what_its_snapshot_says)
{
    for (uint64_t seed = 1; seed <= 6; seed++) {
        struct world w = {.seed = seed, .snapshot_ns = 500 * CLOCK_NS_PER_MS};
        make(&w);
        send_and_pass(&w, 4);
        check(&w);
        end(&w);
        begin(&w); /* with the state that was saved last */
        memset(w.put, 0, sizeof w.put);
        check(&w);
        end(&w);
        CHECK(w.ridden > RECORDS && w.counts.snapshots > 10 && w.counts.restored_bytes > 0);
        unmake(&w);
    }
}
