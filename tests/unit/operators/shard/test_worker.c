/* SPDX-License-Identifier: Apache-2.0
 *
 * operators/shard/layout.h and worker.h: a graph of two levels, the upper one in four tasks, on the
 * embedded bus: laid out, run, ended, run again. What comes out at the top has counted each event
 * at the bottom once.
 */
#include "operators/shard/worker.h"
#include "tests/test.h"

#include "core/base/mem.h"
#include "core/bus/bus_conf.h"
#include "core/bus/bus_topics.h"
#include "core/codec/endian.h"
#include "core/event/batch_dec.h"
#include "core/event/batch_enc.h"
#include "core/event/frame.h"
#include "core/event/schema.h"
#include "operators/sig/builtin.h"

#include <stdio.h>

enum { RAW_PARTS = 4, HOSTS = 20, ROUNDS = 40, PER_ROUND = 50 };

static const char document[] =
    "apiVersion: kaiju/v1\n"
    "kind: RuleGraph\n"
    "name: shop\n"
    "levels:\n"
    "  - name: metrics\n"
    "    bound: 0s\n"
    "    epl: |\n"
    "      @name('load') insert into Load select node, value from Metric(name = 'load');\n"
    "  - name: hl\n"
    "    partitions: 4\n"
    "    epl: |\n"
    "      @name('total') insert into Total select node, count(*) as n, sum(value) as v\n"
    "        from Load group by node;\n";

static const char moved[] = "apiVersion: kaiju/v1\n"
                            "kind: RuleGraph\n"
                            "name: moved\n"
                            "levels:\n"
                            "  - name: metrics\n"
                            "    bound: 0s\n"
                            "    partitions: 2\n"
                            "    epl: |\n"
                            "      @name('total') insert into Total select node, count(*) as n\n"
                            "        from Metric(name = 'load') group by node;\n";

static struct layout *lay_out(struct arena *a, const char *text)
{
    const struct layout_conf conf = {.raw_parts = RAW_PARTS};
    struct layout *l = NULL;
    struct err err;
    CHECK_OK(layout_make(a, slice_str(text), &conf, &l, &err), err);
    return l;
}

TEST(levels_become_groups_and_tasks)
{
    struct arena *a = arena_new(NULL, "test", 64 << 20);
    struct layout *l = lay_out(a, document);
    CHECK_EQ(2, l->n_groups);
    CHECK_EQ(4, l->groups[0].parts); /* each event goes by itself */
    CHECK_EQ(4, l->groups[1].parts);
    CHECK_EQ(8, l->n_tasks);
    CHECK_EQ(1, l->n_topics);
    CHECK_SLICE("x.default.shop.hl.Load", l->topics[0].name);
    CHECK_EQ(4, l->topics[0].parts);
    const struct task_plan *up = l->groups[0].tasks[1].plan, *down = l->groups[1].tasks[2].plan;
    CHECK_EQ(1, up->n_subs);
    CHECK(up->subs[0].part == 1 && up->subs[0].author == 0);
    CHECK_EQ(4, down->n_subs);
    CHECK(down->subs[0].author < down->subs[1].author && down->subs[0].part == 2);
    CHECK_SLICE("node", up->outs[0].key[0]);
    CHECK(up->to[0].marked && !down->to[0].marked);
    CHECK_SLICE("default/shop/hl/2", down->name);
    arena_free(a);
}

struct world {
    const char *document;
    uint32_t only; /* the one partition that has something, from 1 */
    struct bus *bus;
    struct bus_client *c;
    struct bus_writer *out;
    int64_t ts;
    uint32_t delivered, put;
};

static void wait_for(struct world *w, uint64_t tag, enum bus_ev_kind kind)
{
    struct bus_ev ev[16];
    for (bool seen = false; !seen;) {
        bus_wait(w->c, 1000000000);
        for (int n = bus_poll(w->c, ev, 16), i = 0; i < n; i++) {
            seen |= ev[i].tag == tag && ev[i].kind == kind;
            w->delivered += ev[i].kind == BUS_EV_DELIVERED;
            CHECK(ev[i].kind != BUS_EV_ERROR && ev[i].kind != BUS_EV_REFUSED);
        }
    }
}

static void open_world(struct world *w)
{
    static char dir[256];
    struct bus_topic_spec specs[BUS_TOPICS_COUNT];
    struct err err;
    snprintf(dir, sizeof dir, "%s/bus", test_tmpdir());
    struct bus_conf conf = {
        .kind = BUS_LOCAL, .prefix = "kaiju.", .local = {.dir = dir, .map_bytes = 1 << 30}};
    CHECK_OK(bus_new(&conf, &w->bus, &err), err);
    w->c = bus_client_new(w->bus, "test");
    bus_topic_specs(RAW_PARTS, -1, specs);
    CHECK_OK(bus_ensure(w->c, specs, BUS_TOPICS_COUNT, 1, &err), err);
    wait_for(w, 1, BUS_EV_DONE);
    CHECK_OK(bus_open(w->c, SLICE(""), 2, &w->out, &err), err);
    wait_for(w, 2, BUS_EV_OPENED);
    w->ts = INT64_C(1700000000000000000);
}

/* Under which the context has what rules call node. */
static struct slice node_key(void)
{
    const struct builtin_type *t = builtin_find(BUILTIN_KAIJU, SLICE("Metric"));
    return slice_str(builtin_column(t, SLICE("node"))->key);
}

static void send_round(struct world *w, uint32_t round)
{
    struct batch_enc *enc = batch_enc_new(BATCH_LIMITS, 100000);
    struct buf b;
    struct err err;
    char node[8];
    buf_init(&b, 200000);
    batch_enc_begin(enc, SLICE("test"), 0);
    for (uint32_t i = 0; i < PER_ROUND; i++) {
        snprintf(node, sizeof node, "n%u", (round * 7 + i) % HOSTS);
        struct val_pair where[] = {val_pair(node_key(), val_string(slice_str(node)))};
        struct rec_context context = {where, 1, 0};
        struct val_pair p[] = {val_pair(SLICE("name"), val_string(SLICE("load"))),
                               val_pair(SLICE("value"), val_double(1))};
        struct rec r = {.ts = w->ts += 1000000,
                        .kind = REC_METRIC,
                        .context = &context,
                        .type = SLICE("Metric"),
                        .payload = p,
                        .payload_len = 2};
        CHECK_OK(batch_enc_add(enc, &r, &err), err);
        CHECK(frame_put(&b, FRAME_SINGLE, schema_file_print(SLICE("event_batch.avsc"))));
        CHECK_OK(batch_enc_end(enc, &b, &err), err); /* contexts are known by their addresses */
        struct bus_put put = {.to = {bus_topic(w->c, SLICE("metrics")),
                                     w->only > 0 ? w->only - 1 : (round + i) % RAW_PARTS},
                              .value = buf_slice(&b),
                              .token = 3};
        CHECK_OK(bus_put(w->out, &put, &err), err);
        w->put++;
        buf_clear(&b);
    }
    buf_done(&b);
    batch_enc_free(enc);
    while (w->delivered < w->put) {
        wait_for(w, 3, BUS_EV_DELIVERED);
    }
}

struct sums {
    int64_t last[HOSTS]; /* count of each node that came out at the top */
    uint64_t rows;
};

static void add_rows(struct sums *s, const struct bus_record *x)
{
    struct intern *keys = intern_new(1000, 100000);
    struct batch_dec *d = batch_dec_new(BATCH_LIMITS, keys);
    struct arena *a = arena_new(NULL, "outputs", 1 << 24);
    struct slice body = slice_sub(x->value, FRAME_SINGLE_BYTES, x->value.len);
    struct rec_batch b;
    struct err err;
    CHECK_OK(batch_dec_read(d, a, body, &b, &err), err);
    for (uint32_t e = 0; e < b.events_len; e++) {
        const struct rec *r = &b.events[e];
        const struct val *name = rec_find_text(r->payload, r->payload_len, SLICE("node"));
        const struct val *n = rec_find_text(r->payload, r->payload_len, SLICE("n"));
        int64_t node = 0;
        CHECK(slice_to_i64(slice_sub(val_slice(*name), 1, name->len), &node) && node < HOSTS);
        CHECK_EQ(s->last[node] + 1, n->i);
        s->last[node] = n->i;
        s->rows++;
    }
    batch_dec_free(d);
    intern_free(keys);
    arena_free(a);
}

static uint64_t total(struct world *w, uint64_t *ret_rows)
{
    struct bus_reader *r = bus_reader_new(w->c);
    struct sums s = {0};
    struct bus_ev ev[16];
    struct err err;
    uint32_t ends = 0;
    for (uint32_t i = 0; i < RAW_PARTS; i++) {
        struct bus_tp tp = {bus_topic(w->c, SLICE("events")), i};
        CHECK_OK(bus_assign(r, tp, BUS_FROM_START, 10 + i, &err), err);
    }
    while (ends < RAW_PARTS) {
        bus_wait(w->c, 1000000000);
        for (int n = bus_poll(w->c, ev, 16), i = 0; i < n; i++) {
            ends += ev[i].kind == BUS_EV_END;
            for (uint32_t k = 0; ev[i].kind == BUS_EV_RECORDS && k < ev[i].count; k++) {
                add_rows(&s, &ev[i].records[k]);
            }
        }
    }
    bus_reader_free(r);
    uint64_t sum = 0;
    for (int i = 0; i < HOSTS; i++) {
        sum += (uint64_t)s.last[i];
    }
    *ret_rows = s.rows;
    return sum;
}

static struct worker *begin(struct world *w)
{
    struct arena *a = arena_new(NULL, "graph", 64 << 20);
    const struct worker_conf conf = {.name = "graph.shop",
                                     .commit_ns = w->only > 0 ? 200000000 : 5000000,
                                     .idle_ns = 200000000,
                                     .from_start = true};
    struct laid *laid = laid_new(lay_out(a, w->document), a, 1);
    const struct bus_topic_spec spec = {laid->layout->topics[0].name, laid->layout->topics[0].parts,
                                        BUS_DELETE, -1, -1};
    struct err err;
    CHECK_OK(bus_ensure(w->c, &spec, 1, 4, &err), err);
    wait_for(w, 4, BUS_EV_DONE);
    struct worker *worker = worker_new(w->bus, &conf);
    worker_run_layout(worker, laid);
    laid_unref(laid);
    return worker;
}

/* Who has taken everything is not behind, waits for nobody, and knows what its rule costs. */
static void check_figures(struct world *w, struct worker *worker)
{
    uint32_t n = 0, behind = 1;
    const struct worker_task *tasks = NULL;
    for (int i = 0; i < 2000 && behind > 0; i++) {
        tasks = worker_tasks(worker, &n);
        behind = n == 0;
        for (uint32_t k = 0; k < n; k++) {
            behind += tasks[k].lag.records > 0 || tasks[k].lag.ns > 0;
        }
        bus_wait(w->c, 50000000);
    }
    struct arena *a = arena_new(NULL, "test", 64 << 20);
    CHECK_EQ(lay_out(a, document)->n_tasks, n);
    arena_free(a);
    CHECK_EQ(0, behind);
    for (uint32_t k = 0; k < n; k++) {
        CHECK_STR("", tasks[k].lag.holder);
        CHECK(tasks[k].counts.taken == 0 || tasks[k].lag.busy_ns > 0);
        CHECK(tasks[k].counts.events == 0 || tasks[k].n_rules == 1);
        for (uint32_t r = 0; r < tasks[k].n_rules; r++) {
            CHECK_STR(tasks[k].group == 0 ? "load" : "total", tasks[k].rules[r].name);
            CHECK(tasks[k].rules[r].events > 0 && tasks[k].rules[r].ns > 0);
        }
    }
}

TEST(a_graph_runs_ends_and_runs_again)
{
    struct world w = {.document = document};
    uint64_t rows = 0, sum = 0;
    open_world(&w);
    struct worker *worker = begin(&w);
    for (uint32_t i = 0; i < ROUNDS; i++) {
        send_round(&w, i);
        if (i % 10 == 9) {
            worker_free(worker);
            worker = begin(&w);
        }
    }
    send_round(&w, ROUNDS);
    for (int i = 0; i < 3000 && (sum = total(&w, &rows)) < w.put; i++) {
        bus_wait(w.c, 50000000);
    }
    struct worker_look look = worker_look(worker);
    CHECK_STR("", look.why);
    CHECK_EQ(w.put, sum);
    CHECK_EQ(w.put, rows);
    struct clock clock = clock_system();
    int64_t until = clock_mono(&clock) + 30 * CLOCK_NS_PER_S;
    while (look.counts.commits == 0 && clock_mono(&clock) < until) { /* it may be a little old */
        bus_wait(w.c, 50000000);
        look = worker_look(worker);
    }
    CHECK(look.counts.commits > 0);
    check_figures(&w, worker);
    CHECK(look.counts.commit_p50_ns > 0 && look.counts.commit_p50_ns <= look.counts.commit_p99_ns);
    CHECK(look.counts.commit_p99_ns <= look.counts.commit_worst_ns);
    CHECK(look.counts.partitions_worst >= 2);
    worker_free(worker);
    bus_writer_close(w.out);
    bus_client_free(w.c);
    bus_free(w.bus);
}

/* What tasks other than sources have put out, as it was a moment ago. */
static uint64_t put_by_readers(struct worker *worker)
{
    uint32_t n;
    uint64_t put = 0;
    const struct worker_task *t = worker_tasks(worker, &n);
    for (uint32_t i = 0; i < n; i++) {
        put += t[i].laid->layout->groups[t[i].group].source ? 0 : t[i].counts.put;
    }
    return put;
}

/* Three of four sources have nothing to say, while the fourth goes on and on: who reads them may
 * not wait for the three until it pauses. */
TEST(sources_that_are_silent_hold_nobody_up)
{
    struct world w = {.document = moved, .only = 3};
    open_world(&w);
    struct worker *worker = begin(&w);
    struct clock clock = clock_system();
    int64_t until = clock_mono(&clock) + 20 * CLOCK_NS_PER_S;
    for (uint32_t i = 0; put_by_readers(worker) < 200 && clock_mono(&clock) < until; i++) {
        send_round(&w, i);
    }
    CHECK(put_by_readers(worker) >= 200);
    struct worker_look look = worker_look(worker);
    CHECK_STR("", look.why);
    worker_free(worker);
    bus_writer_close(w.out);
    bus_client_free(w.c);
    bus_free(w.bus);
}

/* Tasks that say that they could not begin; of them, in *ret, those that are lost just now. */
static uint32_t lost(struct worker *worker, uint32_t *ret)
{
    uint32_t n, told = 0;
    const struct worker_task *t = worker_tasks(worker, &n);
    *ret = 0;
    for (uint32_t i = 0; i < n; i++) {
        told += strstr(t[i].why, "of a newer program") != NULL && !t[i].leaving;
        *ret += t[i].state == SLOT_LOST;
    }
    return told;
}

/* It is tried again each second. Whoever looks meanwhile is told so, and why, each time. */
TEST(a_task_that_cannot_begin_says_so_also_between_two_attempts)
{
    struct world w = {.document = document};
    struct err err;
    uint32_t n = 0, looks = 0, told = 0, all = 0;
    open_world(&w);
    struct arena *a = arena_new(NULL, "test", 64 << 20);
    char key[8];
    uint64_t lineage = lay_out(a, document)->groups[1].tasks[2].plan->lineage;
    endian_put_be64(key, lineage);
    struct bus_put put = {.to = {bus_topic(w.c, SLICE("journal")), (uint32_t)(lineage % 64)},
                          .key = slice_of(key, sizeof key),
                          .value = SLICE("\xff of a newer program"),
                          .token = 9};
    CHECK_OK(bus_put(w.out, &put, &err), err);
    wait_for(&w, 9, BUS_EV_DELIVERED);
    struct worker *worker = begin(&w);
    for (int i = 0; i < 200 && lost(worker, &n) == 0; i++) {
        bus_wait(w.c, 50000000);
    }
    for (; looks < 500; looks++) {
        told += lost(worker, &n) == 1;
        all += n;
        bus_wait(w.c, 5000000);
    }
    CHECK_EQ(looks, told);
    CHECK(all > 0 && all <= looks);
    arena_free(a);
    worker_free(worker);
    bus_writer_close(w.out);
    bus_client_free(w.c);
    bus_free(w.bus);
}

static const char many[] = "apiVersion: kaiju/v1\n"
                           "kind: RuleGraph\n"
                           "name: many\n"
                           "levels:\n"
                           "  - name: metrics\n"
                           "    epl: insert into Sign select node, 1 as n from Metric(value > 1);\n"
                           "  - name: logs\n"
                           "    scale: own\n"
                           "    epl: insert into Sign select node, 2 as n from LogRecord;\n"
                           "  - name: hl\n"
                           "    epl: |\n"
                           "      @name('by_node') insert into PerNode select node, count(*) as c "
                           "from Sign group by node;\n"
                           "  - name: top\n"
                           "    scale: own\n"
                           "    epl: |\n"
                           "      @name('all') insert into Whole select count(*) as c from Sign;\n";

/* A type that two levels insert and two read: each reader has what all insert. */
TEST(a_type_goes_from_all_who_make_it_to_all_who_read_it)
{
    struct arena *a = arena_new(NULL, "test", 64 << 20);
    const struct layout_conf conf = {.raw_parts = RAW_PARTS};
    struct layout *l = NULL;
    struct err err;
    CHECK_OK(layout_make(a, slice_str(many), &conf, &l, &err), err);
    CHECK_EQ(4, l->n_groups);
    CHECK_EQ(2, l->n_topics);
    for (uint32_t g = 0; g < 2; g++) {
        const struct task_plan *p = l->groups[g].tasks[0].plan;
        CHECK_EQ(RAW_PARTS, l->groups[g].parts);
        CHECK_EQ(2, p->n_outs);
        CHECK_EQ(3, p->n_to);
        CHECK(p->to[0].parts == RAW_PARTS && p->to[1].parts == 1);
    }
    const struct task_plan *hl = l->groups[2].tasks[1].plan, *top = l->groups[3].tasks[0].plan;
    CHECK_EQ(2 * RAW_PARTS, hl->n_subs);
    CHECK_EQ(2 * RAW_PARTS, top->n_subs);
    CHECK(hl->subs[0].author < hl->subs[1].author);
    CHECK_SLICE("events", hl->to[0].topic);
    arena_free(a);
}
