/* SPDX-License-Identifier: Apache-2.0
 *
 * The store over the simulated bus: what it calls durable is in the log, exactly one replica
 * writes, and every end that a commit may have leads to one truth.
 */
#include "coordinator/store.h"

#include "core/base/map.h"
#include "core/base/mem.h"
#include "core/bus/bus_conf.h"
#include "core/bus/bus_sim.h"
#include "core/bus/bus_topics.h"
#include "tests/test.h"

#include <stdio.h>
#include <stdlib.h>

enum { REPLICAS_MAX = 2, TAG_ENSURE = 7, KEYS_MAX = 10000, LOG_MAX = 10000 };

struct replica {
    struct bus_client *client;
    struct store *store;
    struct map known; /* key -> text */
    uint64_t records;
};

struct world {
    struct bus *bus;
    struct bus_sim_faults faults;
    struct replica r[REPLICAS_MAX];
    struct err err;
};

/* ---- a replica ---- */

static void forget(struct replica *r, struct slice key)
{
    mem_free(map_remove(&r->known, key));
}

static void on_record(void *arg, enum store_topic topic, struct slice key, struct slice value)
{
    struct replica *r = arg;
    if (topic != STORE_GRAPHS) {
        return;
    }
    r->records++;
    forget(r, key);
    if (value.ptr != NULL) {
        void **slot = map_put(&r->known, key);
        CHECK(slot != NULL);
        *slot = mem_dup(value.ptr, value.len);
    }
}

static const char *known(const struct replica *r, const char *key)
{
    const char *text = map_get(&r->known, slice_str(key));
    return text != NULL ? text : "";
}

static bool holds(void *arg, enum store_topic topic, struct slice key, struct slice value)
{
    (void)topic;
    const struct replica *r = arg;
    const char *is = map_get(&r->known, key);
    return value.ptr == NULL ? is == NULL : is != NULL && slice_eq(value, slice_str(is));
}

static void replica_start(struct world *w, unsigned i)
{
    struct replica *r = &w->r[i];
    r->client = bus_client_new(w->bus, i == 0 ? "a" : "b");
    map_init(&r->known, KEYS_MAX);
    r->store = store_new(
        &(struct store_conf){.bus = r->client, .on_record = on_record, .holds = holds, .arg = r});
    store_start(r->store);
}

static void replica_stop(struct world *w, unsigned i)
{
    struct replica *r = &w->r[i];
    if (r->store == NULL) {
        return;
    }
    store_free(r->store);
    bus_client_free(r->client);
    MAP_EACH (&r->known, e) {
        mem_free(e->value);
    }
    map_done(&r->known);
    *r = (struct replica){.client = NULL};
}

/* ---- the world ---- */

static void step(struct world *w, int64_t ns)
{
    struct bus_ev ev;
    int64_t until = bus_sim_now(w->bus) + ns;
    while (bus_sim_now(w->bus) < until) {
        bool any = false;
        for (unsigned i = 0; i < REPLICAS_MAX; i++) {
            while (w->r[i].store != NULL && bus_poll(w->r[i].client, &ev, 1) > 0) {
                store_on_event(w->r[i].store, &ev);
                any = true;
            }
        }
        if (!any && !bus_sim_step(w->bus, MIN(until - bus_sim_now(w->bus), CLOCK_NS_PER_MS))) {
            bus_sim_advance(w->bus, CLOCK_NS_PER_MS);
        }
    }
}

static bool step_until_writable(struct world *w, unsigned i)
{
    for (int n = 0; n < 3000 && !store_writable(w->r[i].store); n++) {
        step(w, 10 * CLOCK_NS_PER_MS);
    }
    return store_writable(w->r[i].store);
}

static void world_init(struct world *w, uint64_t seed, struct bus_sim_faults faults)
{
    *w = (struct world){.faults = bus_sim_calm()};
    struct bus_conf conf = {
        .kind = BUS_SIM, .prefix = "t.", .sim = {.seed = seed, .faults = &w->faults}};
    struct bus_topic_spec specs[BUS_TOPICS_COUNT];
    struct bus_ev ev;
    CHECK_OK(bus_new(&conf, &w->bus, &w->err), w->err);
    struct bus_client *c = bus_client_new(w->bus, "maker");
    bus_topic_specs(4, -1, specs);
    CHECK_OK(bus_ensure(c, specs, BUS_TOPICS_COUNT, TAG_ENSURE, &w->err), w->err);
    bool there = false;
    for (int i = 0; i < 10000 && !there; i++) {
        bus_wait(c, CLOCK_NS_PER_MS);
        while (bus_poll(c, &ev, 1) > 0) {
            there = there || ev.kind == BUS_EV_DONE;
        }
    }
    CHECK(there);
    bus_client_free(c);
    w->faults = faults;
    bus_sim_set(w->bus, &w->faults);
}

static void world_done(struct world *w)
{
    for (unsigned i = 0; i < REPLICAS_MAX; i++) {
        replica_stop(w, i);
    }
    bus_free(w->bus);
}

/* ---- a change ---- */

struct change {
    struct replica *r;
    char key[32], value[32];
    bool adds; /* value = what is known + 1 */
    bool removes;
    int decided, done;
    enum err_code code;
};

static bool decide(void *arg, struct store_record *ret_record)
{
    struct change *c = arg;
    c->decided++;
    if (c->adds) {
        snprintf(c->value, sizeof c->value, "%ld", strtol(known(c->r, c->key), NULL, 10) + 1);
    }
    *ret_record = (struct store_record){
        slice_str(c->key), c->removes ? SLICE_NONE : slice_str(c->value), STORE_GRAPHS};
    return true;
}

static void done(void *arg, const struct err *err)
{
    struct change *c = arg;
    c->done++;
    c->code = err != NULL ? err->code : ERR_OK;
    /* What is durable is known at once. */
    if (err == NULL) {
        CHECK(c->removes || strcmp(known(c->r, c->key), c->value) == 0);
    }
}

static const struct store_change change = {.decide = decide, .done = done};

static int submit(struct world *w, unsigned i, struct change *c)
{
    c->r = &w->r[i];
    return store_submit(w->r[i].store, &change, c, &w->err);
}

static enum err_code set(struct world *w, unsigned i, const char *key, const char *value)
{
    struct change c = {.removes = value == NULL};
    snprintf(c.key, sizeof c.key, "%s", key);
    snprintf(c.value, sizeof c.value, "%s", value != NULL ? value : "");
    int rc = submit(w, i, &c);
    if (rc != 0) {
        return (enum err_code) - rc;
    }
    for (int n = 0; n < 3000 && c.done == 0; n++) {
        step(w, 10 * CLOCK_NS_PER_MS);
    }
    CHECK_EQ(1, c.done);
    return c.code;
}

/* ---- tests ---- */

TEST(store_writes_and_a_restart_knows)
{
    struct world w;
    world_init(&w, 1, bus_sim_calm());
    replica_start(&w, 0);
    CHECK(!store_writable(w.r[0].store) && !store_loaded(w.r[0].store));
    CHECK_EQ(ERR_UNAVAILABLE, set(&w, 0, "t/a", "1"));
    CHECK(step_until_writable(&w, 0));
    CHECK(store_loaded(w.r[0].store) && store_settled(w.r[0].store));
    CHECK(store_epoch(w.r[0].store) > 0);
    CHECK_EQ(ERR_OK, set(&w, 0, "t/a", "1"));
    CHECK_EQ(ERR_OK, set(&w, 0, "t/b", "2"));
    CHECK_EQ(ERR_OK, set(&w, 0, "t/a", "3"));
    CHECK_EQ(ERR_OK, set(&w, 0, "t/b", NULL));
    CHECK_EQ(4, store_stats(w.r[0].store).changes);
    step(&w, CLOCK_NS_PER_S);
    CHECK_EQ(4, w.r[0].records); /* what was committed here is not taken again when it is read */
    replica_stop(&w, 0);
    replica_start(&w, 0);
    CHECK(step_until_writable(&w, 0));
    CHECK_STR("3", known(&w.r[0], "t/a"));
    CHECK_STR("", known(&w.r[0], "t/b"));
    world_done(&w);
}

TEST(store_takes_changes_in_turn)
{
    struct world w;
    struct change c[20] = {{.r = NULL}};
    world_init(&w, 2, bus_sim_calm());
    replica_start(&w, 0);
    CHECK(step_until_writable(&w, 0));
    for (unsigned i = 0; i < ARRAY_LEN(c); i++) {
        c[i].adds = true;
        snprintf(c[i].key, sizeof c[i].key, "t/n");
        CHECK_EQ(0, submit(&w, 0, &c[i]));
    }
    step(&w, CLOCK_NS_PER_S);
    for (unsigned i = 0; i < ARRAY_LEN(c); i++) {
        CHECK_EQ(1, c[i].done);
        CHECK_EQ(ERR_OK, c[i].code);
        CHECK_EQ((int)i + 1, (int)strtol(c[i].value, NULL, 10));
    }
    world_done(&w);
}

TEST(store_refuses_more_than_may_wait)
{
    static struct change c[STORE_WAITING_MAX + 1];
    struct world w;
    world_init(&w, 3, bus_sim_calm());
    replica_start(&w, 0);
    CHECK(step_until_writable(&w, 0));
    memset(c, 0, sizeof c);
    for (unsigned i = 0; i < STORE_WAITING_MAX; i++) {
        CHECK_EQ(0, submit(&w, 0, &c[i]));
    }
    CHECK_EQ(-ERR_LIMIT, submit(&w, 0, &c[STORE_WAITING_MAX]));
    CHECK_EQ(0, c[STORE_WAITING_MAX].decided);
    step(&w, 20 * CLOCK_NS_PER_S);
    for (unsigned i = 0; i < STORE_WAITING_MAX; i++) {
        CHECK_EQ(1, c[i].done);
    }
    world_done(&w);
}

TEST(store_every_end_of_a_commit)
{
    static const struct {
        enum bus_sim_fate fate;
        enum err_code code;
    } rows[] = {
        {BUS_SIM_ABORT, ERR_OK},        {BUS_SIM_ABORT_REOPEN, ERR_OK},
        {BUS_SIM_UNKNOWN_DONE, ERR_OK}, {BUS_SIM_UNKNOWN_LOST, ERR_OK},
        {BUS_SIM_UNKNOWN_LATE, ERR_OK}, {BUS_SIM_FULL, ERR_FULL},
        {BUS_SIM_FENCE, ERR_FENCED},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct world w;
        world_init(&w, 4 + i, bus_sim_calm());
        replica_start(&w, 0);
        CHECK(step_until_writable(&w, 0));
        CHECK_EQ(ERR_OK, set(&w, 0, "t/a", "old"));
        bus_sim_inject(w.bus, SLICE("coordinator"), rows[i].fate);
        CHECK_EQ(rows[i].code, set(&w, 0, "t/a", "new"));
        CHECK_STR(rows[i].code == ERR_OK ? "new" : "old", known(&w.r[0], "t/a"));
        CHECK(step_until_writable(&w, 0)); /* whatever it was, it writes again */
        CHECK_EQ(ERR_OK, set(&w, 0, "t/b", "next"));
        uint64_t records = w.r[0].records;
        replica_stop(&w, 0);
        replica_start(&w, 0);
        CHECK(step_until_writable(&w, 0));
        CHECK_STR(rows[i].code == ERR_OK ? "new" : "old", known(&w.r[0], "t/a"));
        CHECK_EQ(records, w.r[0].records); /* nothing is there twice */
        world_done(&w);
    }
}

TEST(store_says_when_the_bus_is_late)
{
    struct world w;
    struct change c[2] = {{.key = "t/a", .value = "1"}, {.key = "t/b", .value = "2"}};
    world_init(&w, 20, bus_sim_calm());
    replica_start(&w, 0);
    CHECK(step_until_writable(&w, 0));
    bus_sim_inject(w.bus, SLICE("coordinator"), BUS_SIM_HOLD);
    CHECK_EQ(0, submit(&w, 0, &c[0]));
    CHECK_EQ(0, submit(&w, 0, &c[1]));
    step(&w, 9 * CLOCK_NS_PER_S);
    CHECK_EQ(0, c[0].done + c[1].done);
    step(&w, 2 * CLOCK_NS_PER_S);
    CHECK_EQ(1, c[0].done);
    CHECK_EQ(1, c[1].done);
    CHECK_EQ(ERR_TIMEOUT, c[0].code);
    CHECK_EQ(ERR_TIMEOUT, c[1].code);
    CHECK_EQ(0, c[1].decided);
    bus_sim_release(w.bus, SLICE("coordinator"));
    CHECK_EQ(ERR_OK, set(&w, 0, "t/c", "3"));
    CHECK_STR("1", known(&w.r[0], "t/a")); /* it was under way, and arrived */
    CHECK_STR("", known(&w.r[0], "t/b"));
    CHECK_EQ(1, c[0].done);
    world_done(&w);
}

TEST(store_of_two_only_one_writes)
{
    struct world w;
    world_init(&w, 30, bus_sim_calm());
    replica_start(&w, 0);
    CHECK(step_until_writable(&w, 0));
    replica_start(&w, 1);
    step(&w, 5 * CLOCK_NS_PER_S);
    CHECK(store_writable(w.r[0].store) && !store_writable(w.r[1].store));
    CHECK(store_settled(w.r[1].store) && store_loaded(w.r[1].store));
    CHECK_EQ(ERR_OK, set(&w, 0, "t/a", "1"));
    CHECK_EQ(ERR_UNAVAILABLE, set(&w, 1, "t/a", "2"));
    CHECK_HAS("leads", w.err.msg);
    step(&w, CLOCK_NS_PER_S);
    CHECK_STR("1", known(&w.r[1], "t/a")); /* reads are served by both */
    /* The leader ends; the other takes over and knows everything. */
    replica_stop(&w, 0);
    CHECK(step_until_writable(&w, 1));
    CHECK_EQ(ERR_OK, set(&w, 1, "t/a", "2"));
    /* It comes back and follows. */
    replica_start(&w, 0);
    step(&w, 5 * CLOCK_NS_PER_S);
    CHECK(!store_writable(w.r[0].store));
    CHECK_STR("2", known(&w.r[0], "t/a"));
    world_done(&w);
}

TEST(store_a_zombie_cannot_write)
{
    struct world w;
    struct change late = {.key = "t/a", .value = "zombie"};
    world_init(&w, 40, bus_sim_calm());
    replica_start(&w, 0);
    CHECK(step_until_writable(&w, 0));
    replica_start(&w, 1);
    step(&w, CLOCK_NS_PER_S);
    CHECK_EQ(ERR_OK, set(&w, 0, "t/a", "0"));
    bus_sim_pause(w.r[0].client, true);
    bus_sim_depose(w.bus, SLICE("coordinator"));
    CHECK(step_until_writable(&w, 1));
    CHECK_EQ(ERR_OK, set(&w, 1, "t/a", "1"));
    CHECK(store_writable(w.r[0].store)); /* so it believes */
    CHECK_EQ(0, submit(&w, 0, &late));
    bus_sim_pause(w.r[0].client, false);
    step(&w, 15 * CLOCK_NS_PER_S);
    CHECK_EQ(1, late.done);
    CHECK(late.code == ERR_FENCED || late.code == ERR_UNAVAILABLE || late.code == ERR_UNKNOWN);
    CHECK_STR("1", known(&w.r[0], "t/a"));
    CHECK_STR("1", known(&w.r[1], "t/a"));
    CHECK_EQ(1, store_writable(w.r[0].store) + store_writable(w.r[1].store));
    world_done(&w);
}

/* ---- many worlds ---- */

struct tally {
    long acked, unknown, refused, top;
};

static void one_world(uint64_t seed, struct tally *t)
{
    struct world w;
    static struct change c[LOG_MAX];
    unsigned n = 0;
    memset(c, 0, sizeof c);
    world_init(&w, seed, bus_sim_cruel());
    replica_start(&w, 0);
    replica_start(&w, 1);
    for (int round = 0; round < 300; round++) {
        unsigned i = (unsigned)(bus_sim_random(w.bus) % REPLICAS_MAX);
        uint64_t dice = bus_sim_random(w.bus) % 100;
        if (dice < 3 && w.r[i].store != NULL) {
            bus_sim_depose(w.bus, SLICE("coordinator"));
        } else if (dice < 5) {
            replica_stop(&w, i);
            replica_start(&w, i);
        } else if (store_writable(w.r[i].store)) {
            c[n].adds = true;
            snprintf(c[n].key, sizeof c[n].key, "t/n");
            n += submit(&w, i, &c[n]) == 0;
        }
        step(&w, (int64_t)(bus_sim_random(w.bus) % 200) * CLOCK_NS_PER_MS);
    }
    w.faults = bus_sim_calm();
    bus_sim_set(w.bus, &w.faults);
    step(&w, 30 * CLOCK_NS_PER_S);
    long unknown = 0, acked = 0, top = strtol(known(&w.r[0], "t/n"), NULL, 10);
    static bool seen[LOG_MAX + 1];
    memset(seen, 0, sizeof seen);
    for (unsigned i = 0; i < n; i++) {
        CHECK_EQ(1, c[i].done);
        unknown += c[i].code == ERR_UNKNOWN || c[i].code == ERR_TIMEOUT;
        if (c[i].code == ERR_OK) {
            long value = strtol(c[i].value, NULL, 10);
            acked++;
            CHECK(value >= 1 && value <= top && !seen[value]); /* no update is lost or doubled */
            seen[value] = true;
        }
    }
    CHECK_STR(known(&w.r[0], "t/n"), known(&w.r[1], "t/n"));
    CHECK(top >= acked && top <= acked + unknown);
    CHECK_EQ(1, store_writable(w.r[0].store) + store_writable(w.r[1].store));
    t->acked += acked;
    t->unknown += unknown;
    t->refused += (long)n - acked - unknown;
    t->top += top;
    world_done(&w);
}

TEST(store_loses_and_doubles_nothing_in_cruel_worlds)
{
    struct tally t = {0};
    for (uint64_t seed = 1; seed <= 40; seed++) {
        one_world(seed, &t);
    }
    CHECK(t.acked > 1000 && t.unknown > 10 && t.refused > 10);
}
