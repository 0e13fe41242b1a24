/* SPDX-License-Identifier: Apache-2.0
 *
 * The sweep of state over the simulated bus: what nobody carries on goes, root first, whoever dies
 * of it; what somebody needs stays; and while it is not known who needs what, nothing goes.
 */
#include "coordinator/graphs.h"
#include "coordinator/members.h"
#include "coordinator/store.h"
#include "coordinator/sweep_carried.h"
#include "coordinator/tasks.h"
#include "core/base/arena.h"
#include "core/base/mem.h"
#include "core/bus/bus_conf.h"
#include "core/bus/bus_sim.h"
#include "core/bus/bus_topics.h"
#include "core/codec/endian.h"
#include "core/event/swept.h"
#include "tests/test.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>

enum { TEXT = 2000, PARTS = 2, CHUNK = 23, MINE = 64 * 5, STRANGE = 64 * 7 + 3, TAG = 7 };
#define CALM_NS (3 * CLOCK_NS_PER_S)

struct leader {
    struct bus_client *c; /* NULL: none */
    struct store *store;
    struct graphs *graphs;
    struct tasks *tasks;
    struct members *members;
    struct sweep *sweep;
    struct sweep_sources sources;
};

struct world {
    struct bus *bus;
    struct bus_sim_faults faults;
    struct bus_client *god;
    struct bus_writer *out;
    bool opened;
    uint32_t flies;
    struct leader leader;
    char name[8];
    uint32_t leaders;
    int64_t incarnation, epoch; /* of the slot, as the worker has read them */
    int64_t beat, beaten, graphs_end;
    /* what the worker says */
    const char *state, *slot, *key;
    int64_t behind;   /* it follows so many assignments less */
    bool silent, old; /* old: says nothing of lineages */
    uint64_t version, lineage;
    uint64_t watched; /* keys that were there at some look */
};

static int lay_out(struct arena *a, struct slice document, uint32_t raw_parts,
                   const struct coordinator_group **ret, uint32_t *ret_n, struct err *reterr)
{
    (void)raw_parts;
    if (slice_eq(document, SLICE("of another program"))) {
        return err_set(reterr, ERR_USAGE, "no such word");
    }
    struct coordinator_group *g = ARENA_NEW(a, struct coordinator_group);
    *g = (struct coordinator_group){.name = SLICE("g"), .parts = PARTS};
    *ret = g;
    *ret_n = 1;
    return 0;
}

/* ---- the leader ---- */

static void on_record(void *arg, enum store_topic topic, struct slice key, struct slice value)
{
    struct world *w = arg;
    struct leader *l = &w->leader;
    if (topic == STORE_GRAPHS) {
        graphs_take(l->graphs, key, value);
        members_graph(l->members, key);
    } else if (topic == STORE_TASKS) {
        tasks_take(l->tasks, key, value);
    } else {
        members_take(l->members, topic, key, value);
    }
    if (topic == STORE_ASSIGN && slice_eq(key, SLICE("a/0"))) {
        json_t *o = value.ptr != NULL ? json_loadb(value.ptr, value.len, 0, NULL) : NULL;
        w->incarnation = json_integer_value(json_object_get(o, "incarnation"));
        w->epoch = json_integer_value(json_object_get(o, "epoch"));
        json_decref(o);
    }
}

static bool holds(void *arg, enum store_topic topic, struct slice key, struct slice value)
{
    const struct world *w = arg;
    return topic == STORE_GRAPHS ? graphs_hold(w->leader.graphs, key, value)
                                 : members_hold(w->leader.members, topic, key, value);
}

static bool carried(void *arg, struct map *to, char why[SWEEP_WHY])
{
    return sweep_carried(arg, to, why);
}

static uint64_t turn(void *arg)
{
    return sweep_turn(arg);
}

static uint32_t swept(void *arg, const struct bus_put **ret_puts)
{
    return sweep_puts(arg, ret_puts);
}

static void has_swept(void *arg, const struct err *err)
{
    sweep_written(arg, err);
}

static bool write_sweep(void *arg, struct sweep *s)
{
    static const struct store_change change = {.puts = swept, .done = has_swept};
    const struct sweep_sources *x = arg;
    struct err err;
    return store_submit((struct store *)(uintptr_t)x->store, &change, s, &err) == 0;
}

static void begin_leader(struct world *w)
{
    struct leader *l = &w->leader;
    (void)snprintf(w->name, sizeof w->name, "c%u", w->leaders++);
    l->c = bus_client_new(w->bus, w->name);
    l->graphs = graphs_new();
    l->tasks = tasks_new();
    l->store = store_new(
        &(struct store_conf){.bus = l->c, .on_record = on_record, .holds = holds, .arg = w});
    l->members = members_new(&(struct members_conf){
        .bus = l->c, .store = l->store, .graphs = l->graphs, .layout = lay_out});
    l->sources = (struct sweep_sources){l->store, l->graphs, l->members, l->tasks};
    l->sweep = sweep_new(&(struct sweep_conf){.bus = l->c,
                                              .calm_ns = CALM_NS,
                                              .carried = carried,
                                              .turn = turn,
                                              .write = write_sweep,
                                              .arg = &l->sources});
    store_start(l->store);
}

/* Its memory, at least. */
static void end_leader(struct world *w, bool dies)
{
    struct leader *l = &w->leader;
    store_free(l->store);
    sweep_free(l->sweep);
    members_free(l->members);
    graphs_free(l->graphs);
    tasks_free(l->tasks);
    (dies ? bus_sim_crash : bus_client_free)(l->c);
    l->c = NULL;
}

/* ---- workers, and what they have saved ---- */

static void put(struct world *w, const char *topic, uint32_t part, struct slice key,
                struct slice value)
{
    struct err err;
    struct bus_put x = {
        .to = {bus_topic(w->god, slice_str(topic)), part}, .key = key, .value = value};
    CHECK_OK(bus_put(w->out, &x, &err), err);
    w->flies++;
}

static void beat(struct world *w)
{
    char text[TEXT], key[100];
    int64_t epoch = w->epoch - w->behind;
    int n = snprintf(text, sizeof text,
                     "{\"format\":1,\"worker\":\"a\",\"boot\":\"1\",\"slots\":1,\"level\":\"\","
                     "\"leaves\":false,\"beat\":%" PRId64 ",\"graphs_end\":%" PRId64
                     ",\"held\":[{\"slot\":0,\"incarnation\":%" PRId64 ",\"epoch\":%" PRId64
                     ",\"lost\":false}]}",
                     ++w->beat, w->graphs_end, w->incarnation, epoch);
    put(w, "ctl.members", 0, SLICE("a"), slice_of(text, (size_t)n));
    for (uint32_t i = 0; i < PARTS; i++) {
        (void)snprintf(key, sizeof key, "t/%s/g/%u", w->key, i);
        n = snprintf(text, sizeof text,
                     "{\"format\":1,\"state\":\"%s\",\"slot\":\"%s.%" PRId64
                     "\",\"version\":%" PRIu64 ",\"graphs_end\":%" PRId64,
                     w->state, w->slot, w->incarnation, w->version, w->graphs_end);
        if (!w->old) {
            n += snprintf(text + n, sizeof text - (size_t)n, ",\"lineage\":%" PRIu64,
                          w->lineage + 64 * i);
        }
        n += snprintf(text + n, sizeof text - (size_t)n, "}");
        put(w, "ctl.tasks", 0, slice_str(key), slice_of(text, (size_t)n));
    }
}

static void put_graph(struct world *w, const char *name, struct graph g)
{
    char key[GRAPH_KEY_BYTES];
    struct buf value;
    buf_init(&value, TEXT);
    g.tenant = SLICE("t");
    g.name = slice_str(name);
    CHECK(graphs_value(&value, &g));
    put(w, "ctl.graphs", 0, graphs_key(g.tenant, g.name, key), buf_slice(&value));
    buf_done(&value);
}

static void put_state(struct world *w, uint64_t lineage, const char *behind, size_t n, uint32_t x)
{
    char key[CHUNK + 1] = "";
    endian_put_be64(key, lineage);
    memcpy(key + 8, behind, n);
    if (n == CHUNK - 8) {
        endian_put_be32(key + CHUNK - 4, x);
    }
    put(w, "state", (uint32_t)(lineage % 64), slice_of(key, 8 + n), SLICE("some bytes"));
}

/* Chunks, a page, notes, the root last, as slots do it. */
static void save(struct world *w, uint64_t lineage, uint32_t chunks)
{
    for (uint32_t i = 0; i < chunks; i++) {
        put_state(w, lineage, "nodenodegg\1....", CHUNK - 8, i);
    }
    put_state(w, lineage, "\1\0\0\0\0", 5, 0);
    put_state(w, lineage, "news", 4, 0);
    put_state(w, lineage, "", 0, 0);
}

/* ---- the world ---- */

static void pass(struct world *w, int64_t ns)
{
    struct bus_ev ev;
    struct leader *l = &w->leader;
    int64_t until = bus_sim_now(w->bus) + ns;
    while (bus_sim_now(w->bus) < until) {
        if (!bus_sim_step(w->bus, 5 * CLOCK_NS_PER_MS)) {
            bus_sim_advance(w->bus, CLOCK_NS_PER_MS);
        }
        while (l->c != NULL && bus_poll(l->c, &ev, 1) > 0) {
            if (ev.tag >= SWEEP_TAG) {
                sweep_on_event(l->sweep, &ev);
            } else if (ev.tag > MEMBERS_TAG) {
                members_on_event(l->members, &ev);
            } else {
                store_on_event(l->store, &ev);
            }
        }
        if (l->c != NULL) {
            members_step(l->members);
            sweep_step(l->sweep);
        }
        while (bus_poll(w->god, &ev, 1) > 0) {
            w->opened |= ev.kind == BUS_EV_OPENED;
            w->flies -= ev.kind == BUS_EV_DELIVERED;
        }
        if (!w->silent && bus_sim_now(w->bus) - w->beaten >= 500 * CLOCK_NS_PER_MS) {
            w->beaten = bus_sim_now(w->bus);
            beat(w);
        }
    }
}

static struct world *make(void)
{
    struct bus_topic_spec specs[BUS_TOPICS_COUNT];
    struct world *w = MEM_NEW(struct world);
    struct err err;
    w->faults = bus_sim_calm();
    const struct bus_conf conf = {
        .kind = BUS_SIM, .prefix = "t.", .sim = {.seed = 1, .faults = &w->faults}};
    CHECK_OK(bus_new(&conf, &w->bus, &err), err);
    w->god = bus_client_new(w->bus, "god");
    bus_topic_specs(4, -1, specs);
    CHECK_OK(bus_ensure(w->god, specs, BUS_TOPICS_COUNT, TAG, &err), err);
    CHECK_OK(bus_open(w->god, SLICE(""), TAG, &w->out, &err), err);
    w->silent = true;
    pass(w, CLOCK_NS_PER_S);
    CHECK(w->opened);
    w->state = "live";
    w->slot = "a.0";
    w->key = "x";
    w->version = 1;
    w->lineage = MINE;
    w->graphs_end = INT64_MAX / 2;
    put_graph(w, "x", (struct graph){.version = 1, .document = SLICE("a document")});
    put(w, "journal", MINE % 64, SLICE("........"), SLICE("a record"));
    put(w, "journal", STRANGE % 64, SLICE("........"), SLICE("a record"));
    save(w, MINE, 3);
    save(w, STRANGE, 3);
    pass(w, CLOCK_NS_PER_S);
    w->silent = false;
    return w;
}

static void unmake(struct world *w)
{
    if (w->leader.c != NULL) {
        end_leader(w, false);
    }
    bus_writer_close(w->out);
    bus_client_free(w->god);
    bus_free(w->bus);
    mem_free(w);
}

/* ---- what is there ---- */

struct there {
    uint32_t root, chunks, others, mark;
    int64_t over;
};

struct look {
    uint64_t lineage;
    struct there now;
    bool broken; /* a root, and not all that it names, at some record of the log */
    uint32_t most;
    struct map keys;
};

static void look_at(struct look *x, const struct bus_record *r)
{
    uint64_t lineage = 0;
    if (!swept_lineage(r->key, &lineage) || lineage != x->lineage) {
        return;
    }
    void **slot = map_slot(&x->keys, r->key);
    bool had = slot != NULL, has = r->value.ptr != NULL;
    int by = has && !had ? 1 : !has && had ? -1 : 0;
    if (by > 0) {
        (void)map_put(&x->keys, r->key);
    } else if (by < 0) {
        (void)map_remove(&x->keys, r->key);
    }
    uint32_t *of = r->key.len == 8         ? &x->now.root
                   : r->key.len == CHUNK   ? &x->now.chunks
                   : swept_is_mark(r->key) ? &x->now.mark
                                           : &x->now.others;
    *of = (uint32_t)((int)*of + by);
    x->now.over = swept_is_mark(r->key) && has ? swept_read(r->value) : x->now.over;
    x->most = MAX(x->most, x->now.chunks);
    x->broken |= x->now.root > 0 && x->now.chunks < x->most;
}

/* All of the log, as it stands: what of a lineage is there behind each record. */
static struct there look(struct world *w, uint64_t lineage)
{
    struct bus_client *c = bus_client_new(w->bus, "judge");
    struct bus_reader *r = bus_reader_new(c);
    struct look x = {.lineage = lineage};
    struct bus_ev ev;
    struct err err;
    bool end = false;
    map_init(&x.keys, 100000);
    struct bus_tp tp = {bus_topic(c, SLICE("state")), (uint32_t)(lineage % 64)};
    CHECK_OK(bus_assign(r, tp, BUS_FROM_START, 1, &err), err);
    while (!end) {
        bus_wait(c, CLOCK_NS_PER_S);
        for (int n = bus_poll(c, &ev, 1); n > 0; n = 0) {
            end |= ev.kind == BUS_EV_END;
            for (uint32_t k = 0; ev.kind == BUS_EV_RECORDS && k < ev.count; k++) {
                look_at(&x, &ev.records[k]);
            }
        }
    }
    CHECK(!x.broken);
    map_done(&x.keys);
    bus_reader_free(r);
    bus_client_free(c);
    return x.now;
}

static void check_mine(struct world *w, uint32_t chunks)
{
    struct there t = look(w, w->lineage);
    CHECK_EQ(1, t.root);
    CHECK_EQ(chunks, t.chunks);
    CHECK_EQ(2, t.others);
    CHECK_EQ(0, t.mark);
}

static void check_swept(struct world *w, uint64_t lineage)
{
    struct there t = look(w, lineage);
    CHECK_EQ(0, t.root + t.chunks + t.others);
    CHECK_EQ(1, t.mark);
}

static void check_kept(struct world *w, uint64_t lineage)
{
    struct there t = look(w, lineage);
    CHECK_EQ(1, t.root);
    CHECK_EQ(3, t.chunks);
    CHECK_EQ(0, t.mark);
}

/* ---- tests ---- */

TEST(sweep_what_nobody_carries_on_goes)
{
    struct world *w = make();
    begin_leader(w);
    pass(w, 20 * CLOCK_NS_PER_S);
    check_mine(w, 3);
    check_swept(w, STRANGE);
    struct sweep_look l = sweep_look(w->leader.sweep);
    CHECK_EQ(1, l.passes);
    CHECK_EQ(6, l.keys);
    CHECK(l.bytes > 6 * 10);
    CHECK_EQ((int)SWEEP_IDLE, (int)l.state);
    CHECK_STR("idle", sweep_state_name(l.state));
    unmake(w);
}

TEST(sweep_a_changed_graph_leaves_what_it_had)
{
    struct world *w = make();
    begin_leader(w);
    pass(w, 20 * CLOCK_NS_PER_S);
    put_graph(w, "x", (struct graph){.version = 2, .document = SLICE("another document")});
    save(w, MINE + 64 * 10, 4); /* what its tasks have now */
    w->lineage = MINE + 64 * 10;
    w->version = 2;
    pass(w, 20 * CLOCK_NS_PER_S);
    check_mine(w, 4);
    check_swept(w, MINE);
    CHECK_EQ(2, sweep_look(w->leader.sweep).passes);
    unmake(w);
}

/* What each breaks, and what is then said. */
static void breaks_lineage(struct world *w)
{
    w->old = true;
}
static void breaks_live(struct world *w)
{
    w->state = "replay";
}
static void breaks_slot(struct world *w)
{
    w->slot = "b.0";
}
static void breaks_version(struct world *w)
{
    w->version = 7;
}
static void breaks_follow(struct world *w)
{
    w->behind = 1;
}
static void breaks_graphs_end(struct world *w)
{
    w->graphs_end = 0;
}
static void breaks_graph(struct world *w)
{
    put(w, "ctl.graphs", 0, SLICE("t/y"), SLICE("{\"format\":99}"));
}
static void breaks_deleted(struct world *w)
{
    put_graph(w, "y",
              (struct graph){.version = 1, .document = SLICE("a document"), .deleted = true});
}
static void breaks_layout(struct world *w)
{
    put_graph(w, "y", (struct graph){.version = 1, .document = SLICE("of another program")});
}
static void breaks_other(struct world *w)
{
    put_graph(w, "y", (struct graph){.version = 1, .document = SLICE("a document")});
}
static void breaks_assignment(struct world *w)
{
    put(w, "ctl.assign", 0, SLICE("z/0"), SLICE("{\"format\":99}"));
}
static void breaks_worker(struct world *w)
{
    w->silent = true;
}

static const struct {
    void (*how)(struct world *w);
    const char *why;
} broken[] = {
    {breaks_lineage, "task t/x/g/0 does not say that it is live"},
    {breaks_live, "task t/x/g/0 does not say that it is live"},
    {breaks_slot, "task t/x/g/0 does not say that it is live"},
    {breaks_version, "task t/x/g/0 does not say that it is live"},
    {breaks_follow, "slot a/0 does not say that it follows its last assignment"},
    {breaks_graphs_end, "slot a/0 does not say that it follows the rule graphs as they are"},
    {breaks_graph, "a rule graph cannot be read"},
    {breaks_deleted, "graph 't/y' is deleted and has not ended"},
    {breaks_layout, "graph 't/y' cannot be laid out"},
    {breaks_other, "task t/y/g/0 does not say that it is live"},
    {breaks_assignment, "an assignment cannot be read"},
    {breaks_worker, ""},
};

TEST(sweep_nothing_goes_while_it_is_not_known_who_needs_it)
{
    for (size_t i = 0; i < ARRAY_LEN(broken); i++) {
        struct world *w = make();
        broken[i].how(w);
        begin_leader(w);
        pass(w, 40 * CLOCK_NS_PER_S);
        check_mine(w, 3);
        check_kept(w, STRANGE);
        struct sweep_look l = sweep_look(w->leader.sweep);
        CHECK_EQ(0, l.passes);
        CHECK_EQ(0, l.keys);
        CHECK_HAS(broken[i].why, l.why);
        CHECK_EQ((int)SWEEP_WAITS, (int)l.state);
        CHECK(l.waits_ns > 20 * CLOCK_NS_PER_S);
        unmake(w);
    }
}

/* A record of which nobody knows what it says is one that is there, and no more. */
TEST(sweep_goes_on_when_it_is_known_again)
{
    struct world *w = make();
    breaks_graph(w);
    breaks_assignment(w);
    w->state = "replay";
    begin_leader(w);
    pass(w, 20 * CLOCK_NS_PER_S);
    check_kept(w, STRANGE);
    put(w, "ctl.graphs", 0, SLICE("t/y"), SLICE_NONE);
    put(w, "ctl.assign", 0, SLICE("z/0"), SLICE_NONE);
    w->state = "live";
    pass(w, 20 * CLOCK_NS_PER_S);
    check_mine(w, 3);
    check_swept(w, STRANGE);
    unmake(w);
}

/* A leader that dies in any call; whoever comes next ends it. check_swept looks behind each record
 * of the log, so the root was never there without what it names. */
TEST(sweep_a_leader_may_die_in_any_call)
{
    uint32_t died = 0, amid = 0;
    for (uint32_t calls = 1; calls < 400; calls += 1 + calls / 40) {
        struct world *w = make();
        save(w, STRANGE + 64, 500); /* more than one transaction */
        begin_leader(w);
        pass(w, 3 * CLOCK_NS_PER_S);
        bus_sim_die(w->leader.c, calls);
        for (int i = 0; i < 100 && !bus_sim_is_dead(w->leader.c); i++) {
            pass(w, 100 * CLOCK_NS_PER_MS);
        }
        bool dead = bus_sim_is_dead(w->leader.c);
        died += dead;
        end_leader(w, dead);
        struct there t = look(w, STRANGE + 64);
        amid += t.root == 0 && t.chunks > 0;
        bus_sim_maintain(w->bus);
        begin_leader(w);
        pass(w, 40 * CLOCK_NS_PER_S);
        check_mine(w, 3);
        check_swept(w, STRANGE);
        check_swept(w, STRANGE + 64);
        unmake(w);
        if (!dead) {
            break;
        }
    }
    CHECK(died > 50);
    CHECK(amid > 0); /* of the many chunks some were left, and no root */
}

static const enum bus_sim_fate ends[] = {BUS_SIM_ABORT,        BUS_SIM_ABORT_REOPEN,
                                         BUS_SIM_UNKNOWN_DONE, BUS_SIM_UNKNOWN_LOST,
                                         BUS_SIM_UNKNOWN_LATE, BUS_SIM_FENCE};

TEST(sweep_a_commit_may_end_as_it_likes)
{
    for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
        struct world *w = make();
        begin_leader(w);
        pass(w, 4 * CLOCK_NS_PER_S); /* assignments are stored */
        bus_sim_inject(w->bus, SLICE("coordinator"), ends[i]);
        pass(w, 60 * CLOCK_NS_PER_S);
        check_mine(w, 3);
        check_swept(w, STRANGE);
        unmake(w);
    }
}

static bool back(void *arg, struct store_record *ret_record)
{
    struct buf *value = arg;
    const struct graph x = {.tenant = SLICE("t"),
                            .name = SLICE("x"),
                            .version = 2,
                            .document = SLICE("as it was long ago")};
    (void)graphs_value(value, &x);
    *ret_record = (struct store_record){SLICE("t/x"), buf_slice(value), STORE_GRAPHS};
    return true;
}

static void is_back(void *arg, const struct err *err)
{
    (void)arg;
    CHECK(err == NULL);
}

/* A graph is changed so that its tasks have their old lineage again, while the sweep is about to
 * remove what is kept of that: its turn is behind that change, and then it does not want to. */
TEST(sweep_what_is_carried_on_again_meanwhile_stays)
{
    static const struct store_change change = {.decide = back, .done = is_back};
    struct world *w = make();
    struct buf value;
    struct err err;
    buf_init(&value, TEXT);
    begin_leader(w);
    pass(w, 3 * CLOCK_NS_PER_S);
    bus_sim_inject(w->bus, SLICE("coordinator"), BUS_SIM_HOLD);
    CHECK_OK(store_submit(w->leader.store, &change, &value, &err), err);
    pass(w, 5 * CLOCK_NS_PER_S);
    CHECK_EQ((int)SWEEP_REMOVES, (int)sweep_look(w->leader.sweep).state);
    bus_sim_release(w->bus, SLICE("coordinator"));
    w->lineage = STRANGE;
    w->version = 2;
    pass(w, 30 * CLOCK_NS_PER_S);
    CHECK_EQ(1, sweep_look(w->leader.sweep).passes);
    check_mine(w, 3);
    check_swept(w, MINE); /* that is what nobody carries on now */
    buf_done(&value);
    unmake(w);
}

TEST(sweep_more_than_can_be_held_goes_in_parts)
{
    struct world *w = make();
    for (int i = 0; i < 50; i++) {
        pass(w, CLOCK_NS_PER_MS);
        for (uint32_t k = 0; k < 500; k++) {
            put_state(w, STRANGE, "nodenodegg\2....", CHUNK - 8, (uint32_t)i * 500 + k);
        }
    }
    put_state(w, STRANGE, "", 0, 0); /* its root comes last */
    pass(w, CLOCK_NS_PER_S);
    begin_leader(w);
    pass(w, 60 * CLOCK_NS_PER_S);
    check_mine(w, 3);
    check_swept(w, STRANGE);
    CHECK_EQ(25000 + 6, sweep_look(w->leader.sweep).keys);
    unmake(w);
}

static void put_mark(struct world *w, uint64_t lineage, int64_t journal_end)
{
    char key[SWEPT_KEY_BYTES], value[SWEPT_VALUE_BYTES];
    put(w, "state", (uint32_t)(lineage % 64), swept_mark(lineage, key),
        swept_write(journal_end, value));
}

/* One that is over, of which a later one has taken the place behind what could be held. */
TEST(sweep_a_later_mark_stays_where_not_all_can_be_held)
{
    struct world *w = make();
    struct err err;
    struct bus_tp tp = {bus_topic(w->god, SLICE("journal")), STRANGE % 64};
    CHECK_OK(bus_trim(w->god, tp, 1, TAG, &err), err);
    put_mark(w, STRANGE + 64, 1);
    for (int i = 0; i < 50; i++) {
        pass(w, CLOCK_NS_PER_MS);
        for (uint32_t k = 0; k < 500; k++) {
            put_state(w, STRANGE, "nodenodegg\2....", CHUNK - 8, (uint32_t)i * 500 + k);
        }
    }
    put_mark(w, STRANGE + 64, 9);
    pass(w, CLOCK_NS_PER_S);
    begin_leader(w);
    pass(w, 60 * CLOCK_NS_PER_S);
    check_mine(w, 3);
    struct there t = look(w, STRANGE);
    CHECK_EQ(0, t.root + t.chunks + t.others);
    t = look(w, STRANGE + 64);
    CHECK_EQ(1, t.mark);
    CHECK_EQ(9, t.over);
    unmake(w);
}

/* The mark says where the journal ended; it goes when retention has been there. */
TEST(sweep_a_mark_goes_when_its_journal_is_gone)
{
    struct world *w = make();
    struct err err;
    struct bus_tp tp = {bus_topic(w->god, SLICE("journal")), STRANGE % 64};
    begin_leader(w);
    pass(w, 20 * CLOCK_NS_PER_S);
    struct there t = look(w, STRANGE);
    CHECK_EQ(1, t.mark);
    CHECK_EQ(1, t.over);
    CHECK_OK(bus_trim(w->god, tp, 1, TAG, &err), err);
    pass(w, CLOCK_NS_PER_S);
    end_leader(w, false);
    begin_leader(w);
    pass(w, 40 * CLOCK_NS_PER_S);
    t = look(w, STRANGE);
    CHECK_EQ(0, t.mark + t.root + t.chunks + t.others);
    check_mine(w, 3);
    unmake(w);
}
