/* SPDX-License-Identifier: Apache-2.0
 *
 * A graph that costs without bound beside one that does not, in one slot on the embedded bus: what
 * the neighbour has to say comes all the same, and soon.
 */
#include "operators/shard/worker.h"
#include "tests/test.h"

#include "core/base/mem.h"
#include "core/bus/bus_conf.h"
#include "core/bus/bus_topics.h"
#include "core/event/batch_dec.h"
#include "core/event/batch_enc.h"
#include "core/event/frame.h"
#include "core/event/schema.h"

#include <stdio.h>

enum { PARTS = 1, RECORDS = 50, TAG_READ = 10 };

#define EVERY_NS    (10 * CLOCK_NS_PER_MS)
#define PATIENCE_NS (60 * CLOCK_NS_PER_S)

#define GRAPH(name)                                                                                \
    "apiVersion: kaiju/v1\nkind: RuleGraph\nname: " name "\nlevels:\n  - name: metrics\n"          \
    "    bound: 0s\n    epl: |\n      "

static const char neighbour[] =
    GRAPH("neighbour") "@name('seen') insert into Seen select value from Metric(name = 'load');\n";

struct world {
    uint32_t number; /* of this one */
    struct bus *bus;
    struct bus_client *c;
    struct bus_writer *out;
    struct bus_reader *in;
    struct clock clock;
    struct intern *keys;
    struct batch_dec *dec;
    struct arena *arena;
    uint32_t put, seen;
    bool came[RECORDS];
    uint64_t others; /* events of the graph that costs */
    struct worker *worker;
};

static void look(struct world *w, const struct bus_record *x)
{
    struct slice body = slice_sub(x->value, FRAME_SINGLE_BYTES, x->value.len);
    struct rec_batch b;
    struct err err;
    arena_reset(w->arena);
    if (x->value.len == 0) {
        return;
    }
    CHECK_OK(batch_dec_read(w->dec, w->arena, body, &b, &err), err);
    for (uint32_t e = 0; e < b.events_len; e++) {
        const struct rec *r = &b.events[e];
        if (!slice_eq(r->type, SLICE("Seen"))) {
            w->others++;
            continue;
        }
        const struct val *v = rec_find_text(r->payload, r->payload_len, SLICE("value"));
        uint32_t n = (uint32_t)v->d;
        CHECK(n < w->put && !w->came[n]);
        w->came[n] = true;
        w->seen++;
    }
}

static uint32_t poll(struct world *w, int64_t ns, uint64_t tag, enum bus_ev_kind kind)
{
    struct bus_ev ev[16];
    uint32_t n_of = 0;
    bus_wait(w->c, ns);
    for (int n = bus_poll(w->c, ev, 16), i = 0; i < n; i++) {
        n_of += ev[i].tag == tag && ev[i].kind == kind;
        for (uint32_t k = 0; ev[i].kind == BUS_EV_RECORDS && k < ev[i].count; k++) {
            look(w, &ev[i].records[k]);
        }
    }
    return n_of;
}

static void open_bus(struct world *w)
{
    static char dir[256];
    struct bus_topic_spec specs[BUS_TOPICS_COUNT];
    struct err err;
    (void)snprintf(dir, sizeof dir, "%s/bus.%u", test_tmpdir(), w->number);
    struct bus_conf conf = {
        .kind = BUS_LOCAL, .prefix = "kaiju.", .local = {.dir = dir, .map_bytes = 4ULL << 30}};
    w->clock = clock_system();
    w->keys = intern_new(10000, 1000000);
    w->dec = batch_dec_new(BATCH_LIMITS, w->keys);
    w->arena = arena_new(NULL, "outputs", 1 << 26);
    CHECK_OK(bus_new(&conf, &w->bus, &err), err);
    w->c = bus_client_new(w->bus, "test");
    bus_topic_specs(PARTS, -1, specs);
    CHECK_OK(bus_ensure(w->c, specs, BUS_TOPICS_COUNT, 1, &err), err);
    while (poll(w, 1000000000, 1, BUS_EV_DONE) == 0) {
    }
    CHECK_OK(bus_open(w->c, SLICE(""), 2, &w->out, &err), err);
    while (poll(w, 1000000000, 2, BUS_EV_OPENED) == 0) {
    }
    w->in = bus_reader_new(w->c);
    for (uint32_t i = 0; i < PARTS; i++) {
        struct bus_tp tp = {bus_topic(w->c, SLICE("events")), i};
        CHECK_OK(bus_assign(w->in, tp, BUS_FROM_START, TAG_READ, &err), err);
    }
}

static void ensure(struct world *w, const struct layout *l)
{
    struct err err;
    for (uint32_t t = 0; t < l->n_topics; t++) {
        const struct bus_topic_spec spec = {l->topics[t].name, l->topics[t].parts, BUS_DELETE, -1,
                                            -1};
        CHECK_OK(bus_ensure(w->c, &spec, 1, 4, &err), err);
        while (poll(w, 1000000000, 4, BUS_EV_DONE) == 0) {
        }
    }
}

static void begin(struct world *w, const char *bad)
{
    struct err err;
    const struct layout_conf lconf = {.raw_parts = PARTS};
    const struct worker_conf wconf = {
        .name = "slot", .commit_ns = 20 * CLOCK_NS_PER_MS, .from_start = true};
    struct worker_want want[64];
    uint32_t n = 0;
    const char *documents[] = {bad, neighbour};
    struct laid *laid[2] = {NULL, NULL};
    for (int k = 0; k < 2; k++) {
        struct arena *a = arena_new(NULL, "graph", 64 << 20);
        struct layout *l = NULL;
        CHECK_OK(layout_make(a, slice_str(documents[k]), &lconf, &l, &err), err);
        laid[k] = laid_new(l, a, 1);
        ensure(w, l);
        for (uint32_t g = 0; g < l->n_groups; g++) {
            for (uint32_t i = 0; i < l->groups[g].parts; i++) {
                want[n++] = (struct worker_want){.laid = laid[k], .group = g, .part = i};
            }
        }
    }
    w->worker = worker_new(w->bus, &wconf);
    (void)worker_run(w->worker, want, n);
    laid_unref(laid[0]);
    laid_unref(laid[1]);
    while (!worker_is_live(w->worker)) {
        (void)poll(w, CLOCK_NS_PER_MS, 0, BUS_EV_DONE);
    }
}

static void send(struct world *w)
{
    struct batch_enc *enc = batch_enc_new(BATCH_LIMITS, 100000);
    static const struct rec_context none = {NULL, 0, 0};
    struct buf b;
    struct err err;
    char body[32];
    (void)snprintf(body, sizeof body, "h%u", w->put);
    struct val_pair p[] = {val_pair(SLICE("name"), val_string(SLICE("load"))),
                           val_pair(SLICE("unit"), val_string(slice_str(body))),
                           val_pair(SLICE("value"), val_double(w->put))};
    struct rec r = {.ts = clock_wall(&w->clock),
                    .kind = REC_METRIC,
                    .context = &none,
                    .type = SLICE("Metric"),
                    .payload = p,
                    .payload_len = 3};
    buf_init(&b, 200000);
    batch_enc_begin(enc, SLICE("test"), 0);
    CHECK_OK(batch_enc_add(enc, &r, &err), err);
    CHECK(frame_put(&b, FRAME_SINGLE, schema_file_print(SLICE("event_batch.avsc"))));
    CHECK_OK(batch_enc_end(enc, &b, &err), err);
    struct bus_put put = {
        .to = {bus_topic(w->c, SLICE("metrics")), 0}, .value = buf_slice(&b), .token = 3};
    w->put++;
    CHECK_OK(bus_put(w->out, &put, &err), err);
    buf_done(&b);
    batch_enc_free(enc);
}

static struct worker_task bad_task(struct world *w)
{
    uint32_t n;
    const struct worker_task *t = worker_tasks(w->worker, &n);
    CHECK(n >= 2 && slice_eq(t[0].laid->layout->name, SLICE("bad")));
    return t[0];
}

static void end(struct world *w)
{
    worker_free(w->worker);
    bus_reader_free(w->in);
    bus_writer_close(w->out);
    bus_client_free(w->c);
    bus_free(w->bus);
    batch_dec_free(w->dec);
    intern_free(w->keys);
    arena_free(w->arena);
}

/* Records come, one every few milliseconds, until the neighbour has said what it has to of each. */
static void run(struct world *w, uint32_t number, const char *bad)
{
    *w = (struct world){.number = number};
    open_bus(w);
    begin(w, bad);
    int64_t began = clock_mono(&w->clock);
    while (w->seen < RECORDS && clock_mono(&w->clock) - began < PATIENCE_NS) {
        if (w->put < RECORDS && clock_mono(&w->clock) - began >= w->put * EVERY_NS) {
            send(w);
        }
        (void)poll(w, CLOCK_NS_PER_MS, 0, BUS_EV_DONE);
    }
    CHECK_EQ(RECORDS, w->seen);
}

/* ---- graphs that cost without bound ---- */

/* Else the loop ends with the first event. */
#define FOR_EVER "    limits: {cascade: '1000000:drop_new'}\n"

static const struct {
    const char *name, *graph;
    const char *trouble; /* that status tells of it, in the end */
    bool endless;        /* it cannot keep up, however fast the machine is */
} cases[] = {
    {"two streams feed each other",
     GRAPH("bad") "insert into A select value as v from Metric;\n"
                  "      insert into B select v from A;\n"
                  "      insert into A select v from B;\n" FOR_EVER,
     "cascade", true},
    {"they feed each other twice",
     GRAPH("bad") "insert into A select value as v from Metric;\n"
                  "      insert into B select v from A;\n"
                  "      insert into A select v from B;\n"
                  "      insert into A select v + 1 as v from B;\n" FOR_EVER,
     "cascade", true},
    {"a pattern begins twice as often with each event",
     GRAPH(
         "bad") "insert into Ab select count(*) as n from pattern [every (every a=Metric -> every "
                "b=Metric)];\n",
     NULL, true},
    {"loops within loops",
     GRAPH("bad") "insert into E select window(value).where(x => window(value).where(y => "
                  "window(value).countOf(z => z > y) > x).countOf() > 5).countOf() as n from "
                  "Metric#length(200);\n",
     NULL, false},
    {"each event with each",
     GRAPH("bad") "insert into Pair select a.value as x, b.value as y, c.value as z from "
                  "Metric#length(3000) as a, Metric#length(3000) as b, Metric#length(3000) as c;\n",
     NULL, false},
    {"a pattern that backtracks",
     GRAPH("bad") "insert into R select value from Metric where "
                  "'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!' || unit regexp "
                  "'(a|aa|a+)+(a|b)+(a*a*a*)*c';\n",
     NULL, false},
    {"timers each millisecond",
     GRAPH("bad") "insert into T select 1 as n from pattern [every timer:interval(1 msec)];\n"
                  "      insert into O select unit, value from Metric#keepall output snapshot "
                  "every 1 "
                  "msec;\n",
     NULL, false},
    {"a text that doubles",
     GRAPH("bad") "create table Tab(k string primary key, s string);\n"
                  "      on Metric merge Tab where k = 'x' when matched then update set s = s || s "
                  "when not matched then insert select 'x' as k, 'abcdefghijklmnop' as s;\n",
     NULL, false},
};

TEST(a_graph_without_bound_holds_no_neighbour_up)
{
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        static struct world w;
        (void)printf("%s\n", cases[i].name);
        run(&w, (uint32_t)i, cases[i].graph);
        struct worker_task bad = bad_task(&w);
        CHECK(!cases[i].endless || bad.counts.taken < RECORDS / 2);
        int64_t until = clock_mono(&w.clock) + PATIENCE_NS;
        while (cases[i].trouble != NULL && strstr(bad.trouble, cases[i].trouble) == NULL &&
               clock_mono(&w.clock) < until) {
            (void)poll(&w, 50 * CLOCK_NS_PER_MS, 0, BUS_EV_DONE);
            bad = bad_task(&w);
        }
        CHECK(cases[i].trouble == NULL || strstr(bad.trouble, cases[i].trouble) != NULL);
        end(&w);
    }
}
