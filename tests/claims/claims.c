/* SPDX-License-Identifier: Apache-2.0
 *
 * What is claimed of replay, over any bus (claims.h): a graph of three levels, tasks in four parts
 * in its middle, sums in parts in its first, reads four partitions of different lag, and
 *
 *   b. over a fixed range each task puts the same sequence of events into each partition, for any
 *      size of batches, number of workers, and whoever is killed when;
 *   c. so does a live run that finds its input all there and ended, that waits for everybody, does
 *      not tick and writes ends.
 *
 *   a. the journal of each task, whoever ran it and however often he died, makes the same events
 * and states again.
 *
 * Runs are stepped by one thread, all slots in turn; on buses with threads also by
 * replay_free_run.
 */
#include "tests/claims/claims.h"

#include "core/base/mem.h"
#include "core/bus/bus_sim.h"
#include "core/bus/bus_topics.h"
#include "core/event/batch_dec.h"
#include "core/event/batch_enc.h"
#include "core/event/frame.h"
#include "core/event/schema.h"
#include "operators/replay/replay_exact.h"
#include "operators/replay/replay_free.h"
#include "operators/sig/builtin.h"
#include "tests/test.h"
#include "tests/unit/operators/shard/slot_abandon.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { PARTS = 4, EVENTS = 1200, NODES = 9, WRITERS_MAX = 4, LANES_MAX = 256 };

#define T0 INT64_C(1700000000000000000)
#define TO (T0 + 400 * CLOCK_NS_PER_S)

static const char document[] =
    "apiVersion: kaiju/v1\n"
    "kind: RuleGraph\n"
    "name: claims\n"
    "levels:\n"
    "  - name: metrics\n"
    "    bound: 2s\n"
    "    epl: |\n"
    "      @name('load') insert into Load select node, value from Metric(name = 'load');\n"
    "      @name('step') insert into Step select node, count(*) as n\n"
    "        from Metric(name = 'step')#time(5 sec) group by node output last every 3 sec;\n"
    "      @name('sums') insert into Sums select name, count(*) as n, max(value) as v\n" /* split */
    "        from Metric group by name output snapshot every 5 sec;\n"
    "      @name('batch') insert into Batches select count(*) as n, min(node) as v\n" /* likewise */
    "        from Metric(name = 'load')#time_batch(7 sec);\n"
    "  - name: hl\n"
    "    partitions: 4\n"
    "    epl: |\n"
    "      @name('total') insert into Total select node, count(*) as n, sum(value) as v\n"
    "        from Load#time(20 sec) group by node;\n"
    "      @name('pair') insert into Pair select a.node as node, b.value as v from pattern\n"
    "        [every a=Load(value > 70) -> b=Load(node = a.node and value < 30)\n"
    "         where timer:within(15 sec)];\n"
    "      @name('quiet') insert into Quiet select a.node as node from pattern\n"
    "        [every a=Load(value > 90) -> (timer:interval(4 sec) and not Load(node = a.node))];\n"
    "  - name: top\n"
    "    scale: own\n"
    "    epl: |\n"
    "      @name('all') insert into Whole select count(*) as c, sum(v) as v from Pair;\n"
    "      @name('window') insert into Slices select node, count(*) as c from Total#time_batch(9 "
    "sec)\n"
    "        group by node;\n";

struct world {
    struct bus *bus;
    struct bus_client *c;
    struct bus_writer *out;
    bool is_open;
    uint32_t put, delivered;
    uint64_t seed;
    uint32_t run; /* names of a run are its own */
};

static uint64_t draw(struct world *w, uint64_t below)
{
    w->seed = w->seed * 6364136223846793005ULL + 1442695040888963407ULL;
    return (w->seed >> 33) % below;
}

/* ---- input ---- */

static void wait_for(struct world *w, uint64_t tag, enum bus_ev_kind kind)
{
    struct bus_ev ev[16];
    for (bool seen = false; !seen;) {
        bus_wait(w->c, 100000000);
        for (int n = bus_poll(w->c, ev, 16), i = 0; i < n; i++) {
            seen |= ev[i].tag == tag && ev[i].kind == kind;
            w->delivered += ev[i].kind == BUS_EV_DELIVERED;
            CHECK(ev[i].kind != BUS_EV_ERROR && ev[i].kind != BUS_EV_REFUSED);
        }
    }
}

static void open_world(struct world *w)
{
    struct bus_topic_spec specs[BUS_TOPICS_COUNT];
    struct err err;
    struct bus_conf conf = {.prefix = "kaiju."};
    claims_bus(&conf);
    CHECK_OK(bus_new(&conf, &w->bus, &err), err);
    w->c = bus_client_new(w->bus, "claims");
    bus_topic_specs(PARTS, -1, specs);
    uint32_t n = 0; /* few partitions, so that a broker is quick to make them */
    for (uint32_t i = 0; i < BUS_TOPICS_COUNT; i++) {
        specs[i].partitions = MIN(specs[i].partitions, PARTS);
        bool wanted =
            slice_eq(specs[i].name, SLICE("metrics")) || slice_eq(specs[i].name, SLICE("events")) ||
            slice_eq(specs[i].name, SLICE("journal")) || slice_eq(specs[i].name, SLICE("state"));
        specs[n] = specs[i];
        n += wanted;
    }
    CHECK_OK(bus_ensure(w->c, specs, n, 1, &err), err);
    wait_for(w, 1, BUS_EV_DONE);
    CHECK_OK(bus_open(w->c, SLICE(""), 2, &w->out, &err), err);
    wait_for(w, 2, BUS_EV_OPENED);
}

static void close_world(struct world *w)
{
    bus_writer_close(w->out);
    bus_client_free(w->c);
    bus_free(w->bus);
}

static struct slice node_key(void)
{
    const struct builtin_type *t = builtin_find(BUILTIN_KAIJU, SLICE("Metric"));
    return slice_str(builtin_column(t, SLICE("node"))->key);
}

/* One record: some events of one node, in the partition of that node. Partition p lags by p times
 * two seconds, and the last one ends early. */
static void send_one(struct world *w, struct batch_enc *enc, struct buf *b, uint32_t part,
                     int64_t *ts)
{
    static const char *const names[] = {"load", "load", "load", "step"};
    char node[8];
    struct err err;
    snprintf(node, sizeof node, "n%u", part + PARTS * (uint32_t)draw(w, 3));
    struct val_pair where[] = {val_pair(node_key(), val_string(slice_str(node)))};
    struct rec_context context = {where, 1, 0};
    batch_enc_begin(enc, SLICE("test"), 0);
    for (uint64_t n = 1 + draw(w, 4); n > 0; n--) {
        *ts += (int64_t)draw(w, (uint64_t)CLOCK_NS_PER_S / 2);
        struct val_pair p[] = {val_pair(SLICE("name"), val_string(slice_str(names[draw(w, 4)]))),
                               val_pair(SLICE("value"), val_double((double)draw(w, 100)))};
        struct rec r = {.ts = *ts - (int64_t)draw(w, (uint64_t)CLOCK_NS_PER_S * 3),
                        .kind = REC_METRIC,
                        .context = &context,
                        .type = SLICE("Metric"),
                        .payload = p,
                        .payload_len = 2};
        CHECK_OK(batch_enc_add(enc, &r, &err), err);
    }
    CHECK(frame_put(b, FRAME_SINGLE, schema_file_print(SLICE("event_batch.avsc"))));
    CHECK_OK(batch_enc_end(enc, b, &err), err);
    struct bus_put put = {
        .to = {bus_topic(w->c, SLICE("metrics")), part}, .value = buf_slice(b), .token = 3};
    CHECK_OK(bus_put(w->out, &put, &err), err);
    w->put++;
    buf_clear(b);
}

static void send_all(struct world *w)
{
    struct batch_enc *enc = batch_enc_new(BATCH_LIMITS, 100000);
    int64_t ts[PARTS];
    struct buf b;
    buf_init(&b, 200000);
    for (uint32_t p = 0; p < PARTS; p++) {
        ts[p] = T0 + (int64_t)p * 2 * CLOCK_NS_PER_S;
    }
    for (uint32_t i = 0; i < EVENTS / 2; i++) {
        uint32_t p = (uint32_t)draw(w, PARTS);
        if (p < PARTS - 1 || i < EVENTS / 4) {
            send_one(w, enc, &b, p, &ts[p]);
        }
        while (w->put - w->delivered > 100) {
            wait_for(w, 3, BUS_EV_DELIVERED);
        }
    }
    while (w->delivered < w->put) {
        wait_for(w, 3, BUS_EV_DELIVERED);
    }
    for (uint32_t p = 0; p < PARTS; p++) {
        CHECK(ts[p] < TO);
    }
    buf_done(&b);
    batch_enc_free(enc);
}

/* ---- what came out: event by event, for each author and partition ---- */

struct lane {
    struct slice topic; /* without prefix */
    uint32_t part;
    uint64_t author;
    struct hash_state *h;
    uint64_t events, ends;
};
struct result {
    struct arena *arena;
    struct lane lanes[LANES_MAX];
    uint32_t n;
    uint64_t events;
};

static struct lane *lane_of(struct result *r, struct slice topic, uint32_t part, uint64_t author)
{
    for (uint32_t i = 0; i < r->n; i++) {
        struct lane *l = &r->lanes[i];
        if (l->part == part && l->author == author && slice_eq(l->topic, topic)) {
            return l;
        }
    }
    CHECK(r->n < LANES_MAX);
    struct lane *l = &r->lanes[r->n++];
    *l = (struct lane){arena_copy(r->arena, topic), part, author, hash_new(), 0, 0};
    return l;
}

static void add_event(struct lane *l, const struct rec *e, uint64_t number)
{
    hash_add(l->h, &number, sizeof number);
    hash_add(l->h, &e->ts, sizeof e->ts);
    hash_add(l->h, &e->id, sizeof e->id);
    hash_add(l->h, e->type.ptr, e->type.len);
    for (uint32_t k = 0; k < e->payload_len; k++) {
        const struct val *v = &e->payload[k].value;
        hash_add(l->h, e->payload[k].key, e->payload[k].key_len);
        if (v->tag == VAL_STRING) {
            hash_add(l->h, v->str, v->len);
        } else {
            hash_add(l->h, &v->bits, sizeof v->bits);
        }
    }
    hash_add(l->h, e->causes, e->causes_len * sizeof *e->causes);
    l->events++;
}

static void add_record(struct result *res, struct slice topic, uint32_t part,
                       const struct bus_record *r)
{
    struct intern *keys = intern_new(100, 10000);
    struct batch_dec *d = batch_dec_new(BATCH_LIMITS, keys);
    struct arena *a = arena_new(NULL, "outputs", 1 << 22);
    struct rec_batch b = {0};
    struct head head;
    struct err err;
    CHECK(head_of(r, &head));
    struct lane *l = lane_of(res, topic, part, head.lineage);
    CHECK_EQ(0, l->ends); /* nothing comes behind the end */
    l->ends += head.end;
    if (r->value.len > 0) {
        struct slice body = slice_sub(r->value, FRAME_SINGLE_BYTES, r->value.len);
        CHECK_OK(batch_dec_read(d, a, body, &b, &err), err);
    }
    for (uint32_t i = 0; i < b.events_len; i++) {
        add_event(l, &b.events[i], head.first + b.events[i].n);
    }
    res->events += b.events_len;
    arena_free(a);
    batch_dec_free(d);
    intern_free(keys);
}

static void read_topic(struct bus *bus, struct slice prefix, const struct layout_topic *t,
                       struct result *res)
{
    struct bus_client *c = bus_client_new(bus, "judge");
    struct bus_reader *r = bus_reader_new(c);
    struct slice name = slice_sub(t->name, prefix.len, t->name.len);
    struct bus_ev ev[16];
    struct err err;
    uint32_t ends = 0;
    for (uint32_t i = 0; i < t->parts; i++) {
        struct bus_tp tp = {bus_topic(c, t->name), i};
        CHECK_OK(bus_assign(r, tp, BUS_FROM_START, i, &err), err);
    }
    while (ends < t->parts) {
        bus_wait(c, 100000000);
        for (int n = bus_poll(c, ev, 16), i = 0; i < n; i++) {
            CHECK(ev[i].kind != BUS_EV_ERROR);
            ends += ev[i].kind == BUS_EV_END;
            for (uint32_t k = 0; ev[i].kind == BUS_EV_RECORDS && k < ev[i].count; k++) {
                add_record(res, name, (uint32_t)ev[i].tag, &ev[i].records[k]);
            }
        }
    }
    bus_reader_free(r);
    bus_client_free(c);
}

static void settle_part(struct bus_client *c, struct bus_tp tp)
{
    struct bus_ev ev = {.kind = BUS_EV_ERROR};
    struct err err;
    for (uint32_t tries = 0; ev.kind == BUS_EV_ERROR; tries++) {
        CHECK(tries < 10);
        CHECK_OK(bus_settled(c, tp, 0, &err), err);
        while (bus_poll(c, &ev, 1) == 0) {
            bus_wait(c, 100000000);
        }
    }
}

/* What is committed becomes readable a little later. */
static void settle(struct world *w, const struct replay_plan *p)
{
    struct bus_client *c = bus_client_new(w->bus, "settled");
    for (uint32_t i = 0; i < p->n_topics; i++) {
        for (uint32_t k = 0; k < p->topics[i].parts; k++) {
            settle_part(c, (struct bus_tp){bus_topic(c, p->topics[i].name), k});
        }
    }
    bus_client_free(c);
}

static struct result *read_result(struct world *w, const struct replay_plan *p)
{
    settle(w, p);
    struct result *res = MEM_NEW(struct result);
    res->arena = arena_new(NULL, "result", 1 << 20);
    for (uint32_t i = 0; i < p->n_topics; i++) {
        struct slice bare = slice_sub(p->topics[i].name, p->prefix.len, p->topics[i].name.len);
        if (!slice_eq(bare, SLICE("journal")) && !slice_eq(bare, SLICE("state"))) {
            read_topic(w->bus, p->prefix, &p->topics[i], res);
        }
    }
    return res;
}

/* Takes both results' sums; b is used up. */
static void check_same(const char *what, const struct hash128 *sums, struct result *a,
                       struct result *b)
{
    if (a->n != b->n || a->events != b->events) {
        test_fail(__FILE__, __LINE__, "%s: %d events by %d lanes, not %d by %d", what,
                  (int)b->events, (int)b->n, (int)a->events, (int)a->n);
    }
    for (uint32_t i = 0; i < a->n; i++) {
        const struct lane *x = &a->lanes[i];
        struct lane *y = lane_of(b, x->topic, x->part, x->author);
        struct hash128 sum = hash_end(y->h);
        if (x->events != y->events || memcmp(&sum, &sums[i], sizeof sum) != 0 ||
            x->ends != y->ends) {
            test_fail(__FILE__, __LINE__, "%s: " SLICE_FMT " %u of %016" PRIx64 ": %d, %d events",
                      what, SLICE_ARG(x->topic), x->part, x->author, (int)x->events,
                      (int)y->events);
        }
    }
}

static void forget(struct result *r)
{
    for (uint32_t i = 0; i < r->n; i++) {
        hash_free(r->lanes[i].h);
    }
    arena_free(r->arena);
    mem_free(r);
}

/* ---- runs ---- */

struct run {
    const char *what;
    uint32_t writers, takes; /* slots; inputs taken in one step */
    uint32_t kill_in;        /* one of so many rounds kills somebody; 0: never */
    int64_t commit_ns, snapshot_ns;
    bool live;    /* under the names of a live graph */
    bool threads; /* by replay_free_run */
    size_t buffer_bytes;
    bool in_turn; /* one slot after the other is run until it can do no more */
    bool broad;   /* over Kafka, where a run takes 15 s, only with KAIJU_CLAIMS=all */
    bool slow;    /* whatever is taken costs much; where time is simulated */
};

struct writer {
    struct bus_client *c;
    struct slot *slot;
    char name[64];
    struct slot_task *tasks;
    uint32_t n;
};

static const struct slot_range range = {.to = TO};

static void begin(struct world *w, const struct run *r, const struct replay_plan *p,
                  struct writer *wr)
{
    const struct slot_conf conf = {.name = slice_str(wr->name),
                                   .commit_ns = r->commit_ns,
                                   .snapshot_ns = r->snapshot_ns,
                                   .slice_bytes = r->takes % 2 == 0 ? 0 : 50,
                                   .takes = r->takes,
                                   .buffer_bytes = r->buffer_bytes,
                                   .range = &range,
                                   .prefix = p->prefix,
                                   .journal_parts = p->journal_parts};
    struct err err;
    wr->c = bus_client_new(w->bus, wr->name);
    if (r->slow && bus_kind(w->bus) == BUS_SIM) {
        bus_sim_slow(wr->c, 25 * CLOCK_NS_PER_MS);
    }
    CHECK_OK(slot_new(wr->c, &conf, wr->tasks, wr->n, &wr->slot, &err), err);
}

static void end(struct world *w, struct writer *wr, bool crash)
{
    if (crash && bus_kind(w->bus) == BUS_SIM) {
        bus_sim_crash(wr->c);
        slot_abandon(wr->slot);
    } else {
        slot_free(wr->slot);
        bus_client_free(wr->c);
    }
}

/* True: it has finished. */
static bool step(struct world *w, const struct run *r, const struct replay_plan *p,
                 struct writer *wr)
{
    struct bus_ev ev[16];
    if (slot_is_finished(wr->slot)) {
        return true;
    }
    for (int n = bus_poll(wr->c, ev, 16), i = 0; i < n; i++) {
        slot_on_event(wr->slot, &ev[i]);
    }
    if (slot_state(wr->slot) != SLOT_LOST) {
        (void)slot_step(wr->slot);
    } else if (slot_is_fenced(wr->slot)) {
        end(w, wr, false);
        begin(w, r, p, wr);
    } else {
        test_fail(__FILE__, __LINE__, "%s: lost: %s", r->what, slot_why(wr->slot));
    }
    return false;
}

static uint32_t run_stepped(struct world *w, const struct run *r, const struct replay_plan *p)
{
    struct writer writers[WRITERS_MAX] = {0};
    uint32_t finished = 0, kills = 0;
    for (uint32_t i = 0; i < r->writers; i++) {
        struct writer *wr = &writers[i];
        snprintf(wr->name, sizeof wr->name, "%u.slot.%u", w->run, i);
        wr->tasks = mem_calloc(p->n_tasks, sizeof *wr->tasks);
        for (uint32_t t = i; t < p->n_tasks; t += r->writers) {
            wr->tasks[wr->n++] = p->tasks[t];
        }
        begin(w, r, p, wr);
    }
    for (uint32_t rounds = 0; finished < r->writers; rounds++) {
        uint32_t at = r->in_turn ? rounds / 400 % r->writers : (uint32_t)draw(w, r->writers);
        bus_wait(writers[at].c, 1000000);
        for (uint64_t n = 1 + draw(w, r->kill_in > 0 ? 3 : 20); n > 0; n--) {
            (void)step(w, r, p, &writers[at]);
        }
        if (r->kill_in > 0 && kills < 12 && draw(w, r->kill_in) == 0) {
            kills++;
            end(w, &writers[at], true);
            begin(w, r, p, &writers[at]);
        }
        finished = 0;
        for (uint32_t i = 0; i < r->writers; i++) {
            finished += slot_is_finished(writers[i].slot);
        }
        if (rounds >= 400000) {
            test_fail(__FILE__, __LINE__, "%s: no end, %u of %u slots have finished", r->what,
                      finished, r->writers);
        }
    }
    for (uint32_t i = 0; i < r->writers; i++) {
        end(w, &writers[i], false);
        mem_free(writers[i].tasks);
    }
    return kills;
}

static void run_threads(struct world *w, const struct run *r, const struct replay_plan *p)
{
    struct replay_part parts[PARTS];
    struct replay_counts counts;
    struct err err;
    for (uint32_t i = 0; i < PARTS; i++) {
        parts[i] = (struct replay_part){SLICE("metrics"), i, 0, INT64_MAX};
    }
    const struct replay_free f = {.work = w->bus,
                                  .source = w->bus,
                                  .plan = p,
                                  .parts = parts,
                                  .n_parts = PARTS,
                                  .to = TO,
                                  .commit_ns = r->commit_ns,
                                  .threads = r->writers,
                                  .takes = r->takes};
    CHECK_OK(replay_free_run(&f, &counts, &err), err);
    CHECK(counts.put > 100 && counts.poison == 0 && counts.refused == 0);
}

static void make_topics(struct world *w, const struct replay_plan *p)
{
    struct bus_topic_spec specs[LANES_MAX];
    struct err err;
    for (uint32_t i = 0; i < p->n_topics; i++) {
        struct slice bare = slice_sub(p->topics[i].name, p->prefix.len, p->topics[i].name.len);
        specs[i] = (struct bus_topic_spec){
            p->topics[i].name, p->topics[i].parts,
            slice_eq(bare, SLICE("state")) ? BUS_COMPACT : BUS_DELETE, -1, -1};
    }
    CHECK_OK(bus_ensure(w->c, specs, p->n_topics, 1, &err), err);
    wait_for(w, 1, BUS_EV_DONE);
}

/* (a): journals of the run make what stands in its topics, and the states that they name. */
static void check_journals(struct world *w, const struct run *r, const struct replay_plan *p,
                           uint32_t takes)
{
    struct bus_client *c = bus_client_new(w->bus, "again");
    struct tapes *tapes = tapes_new(c, 60 * CLOCK_NS_PER_S);
    struct replay_report *report = MEM_NEW(struct replay_report);
    struct err err;
    char journal[64];
    uint64_t same = 0, states = 0;
    snprintf(journal, sizeof journal, SLICE_FMT "journal", SLICE_ARG(p->prefix));
    for (uint32_t i = 0; i < p->n_tasks; i++) {
        const struct replay_exact x = {.tapes = tapes,
                                       .task = &p->tasks[i],
                                       .journal = slice_str(journal),
                                       .journal_parts = p->journal_parts,
                                       .from = 0,
                                       .to = INT64_MAX,
                                       .takes = takes,
                                       .topics = true};
        CHECK_OK(replay_exact(&x, report, &err), err);
        if (!replay_is_same(report)) {
            test_fail(__FILE__, __LINE__, "%s: task %u: %s", r->what, i, report->first_difference);
        }
        CHECK_EQ(report->held.made, report->held.same);
        CHECK(report->records > 0 && report->headless + report->other_rules == 0);
        same += report->held.same;
        states += report->states;
    }
    CHECK(same > 300 && (states > 0) == (r->snapshot_ns > 0));
    mem_free(report);
    tapes_free(tapes);
    bus_client_free(c);
}

static struct replay_plan *plan_run(struct world *w, const struct run *r, struct arena *a)
{
    const struct layout_conf conf = {.raw_parts = PARTS};
    struct layout *l = NULL;
    struct err err;
    const char *name = arena_printf(a, "bt.%u.", ++w->run);
    CHECK_OK(layout_make(a, slice_str(document), &conf, &l, &err), err);
    CHECK(l->n_tasks > 5);
    struct replay_plan *p = replay_plan_make(a, l, r->live ? SLICE("") : slice_str(name));
    make_topics(w, p);
    return p;
}

static struct result *run(struct world *w, const struct run *r)
{
    struct arena *a = arena_new(NULL, "run", 64 << 20);
    struct replay_plan *p = plan_run(w, r, a);
    if (r->threads) {
        run_threads(w, r, p);
    } else {
        uint32_t kills = run_stepped(w, r, p);
        CHECK(r->kill_in == 0 || kills > 0);
    }
    struct result *res = read_result(w, p);
    CHECK(res->events > 300);
    check_journals(w, r, p, 0);
    check_journals(w, r, p, 1 + (uint32_t)draw(w, 20));
    arena_free(a);
    return res;
}

static void hold(const struct run *runs, size_t n)
{
    struct world *w = MEM_NEW(struct world);
    struct hash128 sums[LANES_MAX];
    w->seed = claims_seed();
    open_world(w);
    send_all(w);
    struct result *first = NULL;
    for (size_t i = 0; i < n; i++) {
        if (runs[i].threads && bus_kind(w->bus) == BUS_SIM) {
            continue; /* a simulated world has one thread */
        }
        if (runs[i].broad && bus_kind(w->bus) == BUS_KAFKA && getenv("KAIJU_CLAIMS") == NULL) {
            continue;
        }
        struct result *res = run(w, &runs[i]);
        if (first != NULL) {
            check_same(runs[i].what, sums, first, res);
            forget(res);
            continue;
        }
        first = res;
        for (uint32_t k = 0; k < first->n; k++) {
            sums[k] = hash_end(first->lanes[k].h);
        }
    }
    forget(first);
    close_world(w);
    mem_free(w);
}

#define MS CLOCK_NS_PER_MS

TEST(a_run_over_a_range_and_a_live_one_that_waits_for_all_are_the_same)
{
    static const struct run runs[] = {
        {"one worker", 1, 4096, 0, 20 * MS, 0, false, false, 0, false, false, false},
        {"one take at a time", 1, 3, 0, 5 * MS, 0, false, false, 0, false, true, false},
        {"two workers", 2, 100, 0, 30 * MS, 0, false, false, 0, false, true, false},
        {"four workers who die", 4, 9, 25, 1 * MS, 0, false, false, 0, false, false, false},
        {"one worker who dies", 1, 5, 25, 1 * MS, 0, false, false, 0, false, true, false},
        {"no room", 4, 100, 0, 5 * MS, 0, false, false, 3000, true, true, false},
        {"no room, and death", 3, 40, 60, 2 * MS, 0, false, false, 2000, false, false, false},
        {"live", 3, 200, 0, 20 * MS, 50 * MS, true, false, 0, false, false, false},
        {"saved in slices, and death", 4, 9, 12, 1 * MS, 3 * MS, false, false, 0, false, true,
         false},
        {"saved, no room, and death", 2, 30, 8, 2 * MS, 8 * MS, true, false, 3000, false, true,
         false},
        {"one thread", 1, 0, 0, 20 * MS, 0, false, true, 0, false, true, false},
        {"four threads", 4, 11, 0, 5 * MS, 0, false, true, 0, false, false, false},
        {"inputs that cost much", 2, 100, 0, 20 * MS, 0, false, false, 0, false, true, true},
    };
    hold(runs, ARRAY_LEN(runs));
}

/* Records of a partition are written again, as somebody might who has no business there. */
static void forge(struct world *w, const struct replay_plan *p, uint32_t part)
{
    const struct task_plan *top = p->tasks[p->n_tasks - 1].plan;
    struct bus_client *c = bus_client_new(w->bus, "forger");
    struct tapes *tapes = tapes_new(c, 60 * CLOCK_NS_PER_S);
    struct tape *t;
    const struct bus_record *r;
    struct head h;
    struct err err;
    int rc, forged = 0;
    CHECK_OK(tape_open(tapes, top->to[0].topic, part, BUS_FROM_START, &t, &err), err);
    while ((rc = tape_next(t, &r, &err)) == 1) {
        if (head_of(r, &h) && h.lineage == top->lineage && h.count > 0 && forged < 2) {
            struct bus_put put = {.to = {bus_topic(w->c, top->to[0].topic), part},
                                  .value = r->value,
                                  .headers = r->headers,
                                  .header_count = r->header_count,
                                  .token = 3};
            CHECK_OK(bus_put(w->out, &put, &err), err);
            w->put++;
            forged++;
        }
    }
    CHECK_OK(rc, err);
    tapes_free(tapes);
    bus_client_free(c);
    while (w->delivered < w->put) {
        wait_for(w, 3, BUS_EV_DELIVERED);
    }
    settle(w, p);
}

static void replay_top(struct world *w, const struct replay_plan *p, const struct slot_task *task,
                       struct replay_report *ret)
{
    struct bus_client *c = bus_client_new(w->bus, "again");
    struct tapes *tapes = tapes_new(c, 60 * CLOCK_NS_PER_S);
    struct err err;
    char journal[64];
    snprintf(journal, sizeof journal, SLICE_FMT "journal", SLICE_ARG(p->prefix));
    const struct replay_exact x = {.tapes = tapes,
                                   .task = task,
                                   .journal = slice_str(journal),
                                   .journal_parts = p->journal_parts,
                                   .to = INT64_MAX,
                                   .topics = true};
    CHECK_OK(replay_exact(&x, ret, &err), err);
    tapes_free(tapes);
    bus_client_free(c);
}

TEST(what_stands_in_a_topic_otherwise_is_found)
{
    static const struct run plain = {
        .what = "one worker", .writers = 1, .takes = 4096, .commit_ns = 20 * MS};
    struct world *w = MEM_NEW(struct world);
    struct arena *a = arena_new(NULL, "run", 64 << 20);
    struct replay_report report;
    w->seed = claims_seed();
    open_world(w);
    send_all(w);
    struct replay_plan *p = plan_run(w, &plain, a);
    const struct slot_task *top = &p->tasks[p->n_tasks - 1];
    (void)run_stepped(w, &plain, p);
    settle(w, p);
    replay_top(w, p, top, &report);
    CHECK(replay_is_same(&report) && report.held.made > 10);
    const uint64_t made = report.held.made;

    struct task_plan other = *top->plan; /* it looks where nothing was written */
    struct emit_to to[8];
    struct slot_task elsewhere = *top;
    CHECK(other.n_to <= ARRAY_LEN(to));
    for (uint32_t i = 0; i < other.n_to; i++) {
        to[i] = other.to[i];
        to[i].topic = SLICE("metrics");
        to[i].parts = MIN(to[i].parts, PARTS);
    }
    other.to = to;
    elsewhere.plan = &other;
    replay_top(w, p, &elsewhere, &report);
    CHECK(!replay_is_same(&report) && report.held.missing == made && report.differ == 0);
    CHECK_HAS("in the topic: nothing", report.first_difference);

    forge(w, p, top->plan->part * top->plan->to[0].parts / top->plan->parts);
    replay_top(w, p, top, &report);
    CHECK(!replay_is_same(&report) && report.held.extra > 0 && report.held.same == made);
    CHECK_HAS("made nothing", report.first_difference);
    arena_free(a);
    close_world(w);
    mem_free(w);
}
