/* SPDX-License-Identifier: Apache-2.0
 *
 * Publishing over the simulated bus: what is acknowledged is there, what fails says so, nothing of
 * one request leaks into another.
 */
#include "ingest/publish.h"

#include "core/base/arena.h"
#include "core/base/buf.h"
#include "core/bus/bus_conf.h"
#include "core/bus/bus_sim.h"
#include "core/event/batch_in.h"
#include "core/event/key.h"
#include "tests/test.h"

#include <stdio.h>

enum { PARTITIONS = 4, TAG_ENSURE = 7 };

struct world {
    struct bus *bus;
    struct bus_client *client;
    struct publish *p;
    struct bus_sim_faults faults;
    int done, failed;
    struct err err;
};

static void on_done(void *arg, const struct err *err)
{
    struct world *w = arg;
    w->done++;
    if (err != NULL) {
        w->failed++;
        w->err = *err;
    }
}

static void step(struct world *w, int64_t ns)
{
    struct bus_ev evs[16];
    int64_t until = clock_mono(bus_clock(w->client)) + ns;
    do {
        int n = bus_poll(w->client, evs, 16);
        for (int i = 0; i < n; i++) {
            (void)publish_on_event(w->p, &evs[i]);
        }
        if (n == 0) {
            bus_wait(w->client, CLOCK_NS_PER_MS);
        }
    } while (clock_mono(bus_clock(w->client)) < until);
}

static void world_init(struct world *w, struct bus_sim_faults faults, uint64_t queue_bytes)
{
    *w = (struct world){.faults = faults};
    struct bus_conf conf = {.kind = BUS_SIM,
                            .prefix = "t.",
                            .writer_queue_bytes = queue_bytes,
                            .sim = {.seed = 1, .faults = &w->faults}};
    struct bus_topic_spec specs[BUS_TOPICS_COUNT];
    struct bus_ev ev;
    CHECK_OK(bus_new(&conf, &w->bus, &w->err), w->err);
    w->client = bus_client_new(w->bus, "ingest");
    bus_topic_specs(PARTITIONS, -1, specs);
    CHECK_OK(bus_ensure(w->client, specs, BUS_TOPICS_COUNT, TAG_ENSURE, &w->err), w->err);
    bool there = false;
    for (int i = 0; i < 10000 && !there; i++) {
        bus_wait(w->client, CLOCK_NS_PER_MS);
        while (bus_poll(w->client, &ev, 1) > 0) {
            there = there || ev.kind == BUS_EV_DONE;
        }
    }
    CHECK(there);
    w->p = publish_new(w->client, &(struct publish_conf){PARTITIONS, 5 * CLOCK_NS_PER_S});
    CHECK(!publish_ready(w->p));
    CHECK(publish_begin(w->p, SLICE("x"), on_done, w) == NULL);
    publish_start(w->p);
    step(w, CLOCK_NS_PER_S);
    CHECK(publish_ready(w->p));
}

static void world_done(struct world *w)
{
    publish_free(w->p);
    bus_client_free(w->client);
    bus_free(w->bus);
}

static int add(struct publish_req *r, int64_t number, size_t bytes)
{
    static char text[BUS_RECORD_MAX * 2];
    struct val_pair where = val_pair(SLICE("service.name"), val_string(SLICE("cart")));
    struct rec_context context = {.pairs = &where, .len = 1};
    struct val_pair payload[] = {val_pair(SLICE("number"), val_int(number)),
                                 val_pair(SLICE("text"), val_string(slice_of(text, bytes)))};
    struct rec rec = {.ts = number,
                      .context = &context,
                      .payload = payload,
                      .payload_len = 2,
                      .type = SLICE("LogRecord"),
                      .kind = REC_LOG};
    struct err err;
    struct buf key;
    memset(text, 'x', sizeof text);
    buf_init(&key, 100);
    key_add(&key, val_int(number));
    int rc = publish_add(r, BUS_TOPIC_LOGS, buf_slice(&key), &rec, &err);
    buf_done(&key);
    return rc;
}

static void send(struct world *w, int64_t first, int n, size_t bytes)
{
    struct publish_req *r = publish_begin(w->p, SLICE("test"), on_done, w);
    CHECK(r != NULL);
    for (int i = 0; i < n; i++) {
        CHECK_EQ(0, add(r, first + i, bytes));
    }
    publish_end(r);
}

/* All numbers that lie in the topic, counted. */
static void read_all(struct world *w, int *counts, int n)
{
    struct bus_reader *r = bus_reader_new(w->client);
    struct intern *keys = intern_new(1000, 100000);
    struct schema_reg *reg = schema_reg_new();
    struct batch_in *in = batch_in_new(BATCH_LIMITS, keys, reg);
    struct arena *a = arena_new(NULL, "test", 64 << 20);
    struct bus_ev ev;
    memset(counts, 0, (size_t)n * sizeof *counts);
    for (uint32_t part = 0; part < PARTITIONS; part++) {
        struct bus_tp tp = {bus_topic(w->client, SLICE("logs")), part};
        CHECK_OK(bus_assign(r, tp, BUS_FROM_START, part, &w->err), w->err);
    }
    for (int ends = 0, rounds = 0; ends < PARTITIONS && rounds < 100000; rounds++) {
        if (bus_poll(w->client, &ev, 1) == 0) {
            bus_wait(w->client, CLOCK_NS_PER_MS);
            continue;
        }
        (void)publish_on_event(w->p, &ev);
        ends += ev.kind == BUS_EV_END;
        for (uint32_t i = 0; ev.kind == BUS_EV_RECORDS && i < ev.count; i++) {
            struct rec_batch b;
            arena_reset(a);
            CHECK_OK(batch_in_read(in, a, ev.records[i].value, &b, &w->err), w->err);
            for (uint32_t k = 0; k < b.events_len; k++) {
                int64_t number =
                    rec_find_text(b.events[k].payload, b.events[k].payload_len, SLICE("number"))->i;
                CHECK(number >= 0 && number < n);
                counts[number]++;
            }
        }
    }
    bus_reader_free(r);
    arena_free(a);
    batch_in_free(in);
    schema_reg_free(reg);
    intern_free(keys);
}

TEST(publish_acknowledges_what_is_there)
{
    struct world w;
    int counts[300];
    world_init(&w, bus_sim_calm(), 0);
    send(&w, 0, 100, 10);
    send(&w, 100, 200, 10);
    CHECK_EQ(0, w.done); /* never before the bus has it */
    step(&w, CLOCK_NS_PER_S);
    CHECK_EQ(2, w.done);
    CHECK_EQ(0, w.failed);
    read_all(&w, counts, 300);
    for (int i = 0; i < 300; i++) {
        CHECK_EQ(1, counts[i]);
    }
    struct publish_stats s = publish_stats(w.p);
    CHECK_EQ(300, s.events[BUS_TOPIC_LOGS]);
    CHECK_EQ(0, s.waiting_bytes);
    CHECK(s.records <= 2 * PARTITIONS);
    world_done(&w);
}

TEST(publish_an_empty_request_is_done_at_once)
{
    struct world w;
    world_init(&w, bus_sim_calm(), 0);
    publish_end(publish_begin(w.p, SLICE("test"), on_done, &w));
    CHECK_EQ(1, w.done);
    CHECK_EQ(0, w.failed);
    world_done(&w);
}

TEST(publish_splits_what_is_too_much_for_a_record)
{
    struct world w;
    int counts[40];
    world_init(&w, bus_sim_calm(), 0);
    send(&w, 0, 40, 200 * 1000);
    step(&w, CLOCK_NS_PER_S);
    CHECK_EQ(1, w.done);
    CHECK_EQ(0, w.failed);
    read_all(&w, counts, 40);
    for (int i = 0; i < 40; i++) {
        CHECK_EQ(1, counts[i]);
    }
    struct publish_req *r = publish_begin(w.p, SLICE("test"), on_done, &w);
    CHECK_EQ(-ERR_TOO_BIG, add(r, 1, BUS_RECORD_MAX)); /* this event alone, not the request */
    CHECK_EQ(0, add(r, 2, 10));
    publish_end(r);
    step(&w, CLOCK_NS_PER_S);
    CHECK_EQ(2, w.done);
    CHECK_EQ(0, w.failed);
    world_done(&w);
}

TEST(publish_says_when_the_queue_is_full)
{
    struct world w;
    world_init(&w, bus_sim_calm(), 2 << 20);
    struct publish_req *r = publish_begin(w.p, SLICE("test"), on_done, &w);
    int rc = 0;
    for (int i = 0; i < 100 && rc == 0; i++) {
        rc = add(r, i, 500 * 1000);
    }
    CHECK_EQ(-ERR_AGAIN, rc);
    publish_end(r);
    CHECK_EQ(1, w.done);
    CHECK_EQ(1, w.failed);
    CHECK_EQ(ERR_AGAIN, w.err.code);
    CHECK(publish_retry_ns(w.p) >= CLOCK_NS_PER_S);
    CHECK(publish_retry_ns(w.p) <= 30 * CLOCK_NS_PER_S);
    step(&w, 2 * CLOCK_NS_PER_S);
    CHECK_EQ(0, publish_stats(w.p).waiting_bytes);
    send(&w, 0, 10, 10); /* and goes on */
    step(&w, CLOCK_NS_PER_S);
    CHECK_EQ(2, w.done);
    CHECK_EQ(1, w.failed);
    world_done(&w);
}

TEST(publish_dropped_requests_are_not_called)
{
    struct world w;
    int counts[30];
    world_init(&w, bus_sim_calm(), 0);
    struct publish_req *r = publish_begin(w.p, SLICE("test"), on_done, &w);
    CHECK_EQ(0, add(r, 1, 10));
    publish_drop(r); /* before its end: nothing of it is put, nor left for the next */
    send(&w, 10, 10, 10);
    r = publish_begin(w.p, SLICE("test"), on_done, &w);
    CHECK_EQ(0, add(r, 25, 10));
    publish_end(r);
    publish_drop(r);
    step(&w, CLOCK_NS_PER_S);
    CHECK_EQ(1, w.done);
    read_all(&w, counts, 30);
    CHECK_EQ(0, counts[1]);
    CHECK_EQ(1, counts[10]);
    CHECK_EQ(1, counts[25]);
    world_done(&w);
}

TEST(publish_fails_what_the_bus_does_not_confirm_in_time)
{
    struct world w;
    world_init(&w, bus_sim_calm(), 0);
    for (uint32_t part = 0; part < PARTITIONS; part++) {
        bus_sim_outage(w.bus, SLICE("logs"), part, 60 * CLOCK_NS_PER_S);
    }
    send(&w, 0, 10, 10);
    step(&w, 4 * CLOCK_NS_PER_S);
    CHECK_EQ(0, w.done);
    step(&w, 2 * CLOCK_NS_PER_S);
    CHECK_EQ(1, w.failed);
    CHECK_EQ(ERR_TIMEOUT, w.err.code);
    world_done(&w);
}

/* Under faults: whatever was acknowledged is in the log. */
TEST(publish_loses_nothing_acknowledged_under_faults)
{
    enum { REQUESTS = 200, EACH = 5 };
    static int counts[REQUESTS * EACH];
    struct world w;
    struct bus_sim_faults faults = bus_sim_rough();
    faults.failed = 0;
    faults.refused = 0.05;
    faults.refused_done = 0.05;
    int acknowledged = 0;
    world_init(&w, faults, 0);
    bool ok[REQUESTS] = {false};
    for (int i = 0; i < REQUESTS; i++) {
        int done = w.done, failed = w.failed;
        for (int tries = 0; !publish_ready(w.p) && tries < 100; tries++) {
            step(&w, CLOCK_NS_PER_S);
        }
        struct publish_req *r = publish_begin(w.p, SLICE("test"), on_done, &w);
        CHECK(r != NULL);
        for (int k = 0; k < EACH; k++) {
            (void)add(r, i * EACH + k, 10);
        }
        publish_end(r);
        for (int tries = 0; w.done == done && tries < 1000; tries++) {
            step(&w, 10 * CLOCK_NS_PER_MS);
        }
        CHECK_EQ(done + 1, w.done);
        ok[i] = w.failed == failed;
        acknowledged += ok[i];
    }
    CHECK(acknowledged > REQUESTS / 4);
    CHECK(acknowledged < REQUESTS);
    step(&w, 60 * CLOCK_NS_PER_S);
    read_all(&w, counts, REQUESTS * EACH);
    for (int i = 0; i < REQUESTS * EACH; i++) {
        CHECK(!ok[i / EACH] || counts[i] >= 1);
    }
    world_done(&w);
}

TEST(publish_dead_letters_are_bounded)
{
    struct world w;
    world_init(&w, bus_sim_calm(), 0);
    struct publish_dead d = {.reason = "undecodable",
                             .detail = "field 3",
                             .content_type = "application/x-protobuf",
                             .source = SLICE("otlp"),
                             .body = SLICE("\x01\x02")};
    for (int i = 0; i < 100; i++) {
        publish_dead(w.p, &d);
    }
    CHECK_EQ(100, publish_stats(w.p).dead);
    CHECK_EQ(36, publish_stats(w.p).dead_lost);
    step(&w, CLOCK_NS_PER_S);
    publish_dead(w.p, &d);
    CHECK_EQ(36, publish_stats(w.p).dead_lost);
    world_done(&w);
}
