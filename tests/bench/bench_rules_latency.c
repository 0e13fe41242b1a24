/* SPDX-License-Identifier: Apache-2.0
 *
 * How long it takes from an event in the log to what a rule makes of it: one stateless level that
 * lets every second event through, 10,000 events/s in records of ten, over the embedded bus and,
 * with KAIJU_KAFKA_BROKERS, over Kafka; with the commit intervals of `kaiju operator`.
 *
 *     bench_rules_latency [rounds=N] [seconds=N] [rate=EVENTS] [kafka_only=1]
 *
 * Rule, load and reader are in this process. Measured is, for each derived event, the time from the
 * delivery report of the record that its event was in to the poll that brought it, committed; a
 * derived event that comes before that report counts as 0. Each round begins the rule anew and is
 * preceded by a second that does not count.
 */
#include "core/base/clock.h"
#include "core/base/mem.h"
#include "core/base/vec.h"
#include "core/bus/bus_conf.h"
#include "core/bus/bus_topics.h"
#include "core/event/batch_enc.h"
#include "core/event/batch_in.h"
#include "core/event/frame.h"
#include "core/event/schema.h"
#include "operators/shard/worker.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { PARTS = 4, PER_RECORD = 10, ROUNDS_MAX = 32, EVENTS_MAX = 256, TAG_READ = 1, TAG_WRITE = 2 };
#define TAG_ENSURE  (UINT64_C(1) << 40)
#define TOKEN       (UINT64_C(1) << 41) /* and the number of the record */
#define NOT_YET     INT64_MIN
#define WAIT_NS     CLOCK_NS_PER_MS
#define PATIENCE_NS (60 * CLOCK_NS_PER_S)
#define WARM_S      1

static const char graph[] =
    "apiVersion: kaiju/v1\n"
    "kind: RuleGraph\n"
    "name: %s\n"
    "levels:\n"
    "  - name: logs\n"
    "    epl: \"@name('hit') insert into Hit select body from LogRecord(severity_number >= 17)\"\n";

struct sample {
    VEC(double) ms;
};

struct bench {
    uint64_t rounds, seconds, rate;
    struct bus *bus;
    struct bus_client *client;
    struct bus_reader *reader;
    struct bus_writer *writer;
    const struct clock *clock;
    bool open, ensured;
    struct batch_enc *enc;
    struct intern *keys;
    struct schema_reg *reg;
    struct batch_in *decoder;
    struct arena *arena;
    struct buf out;
    uint64_t print, first, next; /* records: of this round, to be put next */
    VEC(int64_t) delivered;      /* by number of the record */
    uint64_t measured_from;      /* a record */
    uint64_t came, came_early;   /* derived events; before the report */
    struct sample sample;
};

static _Noreturn void die(const char *what, const char *why)
{
    (void)fprintf(stderr, "bench_rules_latency: %s: %s\n", what, why);
    exit(1);
}

static void must(int rc, const struct err *e, const char *what)
{
    if (rc != 0) {
        die(what, e->msg);
    }
}

/* ---- reading ---- */

static void take_event(struct bench *b, const struct rec *r, int64_t now)
{
    const struct val *body = rec_find_text(r->payload, r->payload_len, SLICE("body"));
    char text[24] = {0};
    if (body == NULL || body->tag != VAL_STRING || body->len >= sizeof text) {
        die("a derived event", "has no body");
    }
    memcpy(text, body->str, body->len);
    uint64_t n = strtoull(text, NULL, 10);
    if (n < b->first) {
        return; /* of the round before */
    }
    b->came++;
    if (n >= b->measured_from) {
        int64_t at = b->delivered.ptr[n];
        b->came_early += at == NOT_YET;
        *VEC_PUSH(&b->sample.ms) = at == NOT_YET ? 0 : (double)(now - at) / 1e6;
    }
}

static void take(struct bench *b, const struct bus_record *r, int64_t now)
{
    struct err err;
    struct rec_batch batch = {0};
    arena_reset(b->arena);
    if (r->value.len == 0) {
        return;
    }
    must(batch_in_read(b->decoder, b->arena, r->value, &batch, &err), &err, "a derived event");
    for (uint32_t i = 0; i < batch.events_len; i++) {
        take_event(b, &batch.events[i], now);
    }
}

static void poll(struct bench *b, int64_t wait_ns)
{
    struct bus_ev ev[EVENTS_MAX];
    bus_wait(b->client, wait_ns);
    int n = bus_poll(b->client, ev, EVENTS_MAX);
    int64_t now = clock_mono(b->clock);
    for (int i = 0; i < n; i++) {
        if (ev[i].kind == BUS_EV_DELIVERED) {
            b->delivered.ptr[ev[i].tag - TOKEN] = now;
        } else if (ev[i].kind == BUS_EV_RECORDS) {
            for (uint32_t k = 0; k < ev[i].count; k++) {
                take(b, &ev[i].records[k], now);
            }
        } else if (ev[i].kind == BUS_EV_OPENED) {
            b->open = true;
        } else if (ev[i].kind == BUS_EV_DONE) {
            b->ensured = true;
        } else if (ev[i].err != NULL) {
            die(bus_ev_name(ev[i].kind), ev[i].err->msg);
        }
    }
}

/* ---- putting ---- */

static void put_record(struct bench *b)
{
    static const struct val_pair pairs[] = {
        {"service.name", 12, 0, {.tag = VAL_STRING, .len = 4, .str = "cart"}}};
    static const struct rec_context context = {pairs, 1, 0};
    struct err err;
    char text[24];
    int64_t now = clock_wall(b->clock);
    (void)snprintf(text, sizeof text, "%llu", (unsigned long long)b->next);
    for (int i = 0; i < PER_RECORD; i++) {
        struct val_pair payload[] = {
            val_pair(SLICE("body"), val_string(slice_str(text))),
            val_pair(SLICE("severity_number"), val_int(i % 2 == 0 ? 17 : 9)),
            val_pair(SLICE("severity_text"),
                     val_string(i % 2 == 0 ? SLICE("ERROR") : SLICE("INFO"))),
        };
        struct rec r = {.ts = now,
                        .ingest_ts = now,
                        .context = &context,
                        .payload = payload,
                        .payload_len = ARRAY_LEN(payload),
                        .type = SLICE("LogRecord"),
                        .kind = REC_LOG};
        memcpy(r.id.bytes, &b->next, sizeof b->next);
        r.id.bytes[15] = (uint8_t)i;
        must(batch_enc_add(b->enc, &r, &err), &err, "an event");
    }
    buf_clear(&b->out);
    (void)frame_put(&b->out, FRAME_SINGLE, b->print);
    must(batch_enc_end(b->enc, &b->out, &err), &err, "a batch");
    *VEC_PUSH(&b->delivered) = NOT_YET;
    struct bus_put put = {.to = {bus_topic(b->client, SLICE("logs")), (uint32_t)(b->next % PARTS)},
                          .value = buf_slice(&b->out),
                          .token = TOKEN + b->next};
    int rc;
    while ((rc = bus_put(b->writer, &put, &err)) == -ERR_AGAIN) {
        poll(b, WAIT_NS);
    }
    must(rc, &err, "a put");
    b->next++;
}

/* ---- a round ---- */

static int by_size(const void *a, const void *b)
{
    const double *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

static double quantile(struct bench *b, double q)
{
    return b->sample.ms.ptr[(size_t)(q * (double)(b->sample.ms.len - 1))];
}

static struct worker *begin_rules(struct bench *b, const char *name)
{
    struct err err;
    char document[512], slot[96];
    struct arena *a = arena_new(NULL, "graph", 64 << 20);
    struct layout *l;
    const struct layout_conf lconf = {.raw_parts = PARTS};
    (void)snprintf(document, sizeof document, graph, name);
    (void)snprintf(slot, sizeof slot, "graph.default.%s", name);
    must(layout_make(a, slice_str(document), &lconf, &l, &err), &err, "the graph");
    const struct worker_conf conf = {.name = slot,
                                     .commit_ns = (bus_kind(b->bus) == BUS_LOCAL ? 10 : 200) *
                                                  CLOCK_NS_PER_MS,
                                     .idle_ns = 2 * CLOCK_NS_PER_S,
                                     .snapshot_ns = 60 * CLOCK_NS_PER_S};
    struct laid *laid = laid_new(l, a, 1);
    struct worker *w = worker_new(b->bus, &conf);
    worker_run_layout(w, laid);
    laid_unref(laid);
    for (int64_t until = clock_mono(b->clock) + PATIENCE_NS; !worker_is_live(w);) {
        if (clock_mono(b->clock) > until) {
            die("the rule does not run", worker_look(w).why);
        }
        poll(b, 10 * WAIT_NS);
    }
    return w;
}

/* Records at even times; those of the first second do not count. */
static void put_paced(struct bench *b)
{
    uint64_t per_second = b->rate / PER_RECORD, n = per_second * (b->seconds + WARM_S);
    int64_t began = clock_mono(b->clock);
    b->first = b->next;
    b->measured_from = b->first + per_second * WARM_S;
    for (uint64_t i = 0; i < n;) {
        int64_t due = began + (int64_t)(i * (uint64_t)CLOCK_NS_PER_S / per_second);
        int64_t now = clock_mono(b->clock);
        if (now >= due) {
            put_record(b);
            i++;
        }
        poll(b, now >= due ? 0 : MIN(WAIT_NS, due - now));
    }
    for (int64_t until = clock_mono(b->clock) + PATIENCE_NS; b->came < n * PER_RECORD / 2;) {
        if (clock_mono(b->clock) > until) {
            die("not all derived events", "have come");
        }
        poll(b, WAIT_NS);
    }
}

static void round_of(struct bench *b, uint64_t number, double row[4])
{
    char name[32];
    (void)snprintf(name, sizeof name, "latency%llu", (unsigned long long)number);
    struct worker *w = begin_rules(b, name);
    b->came = b->came_early = 0;
    VEC_CLEAR(&b->sample.ms);
    put_paced(b);
    worker_free(w);
    qsort(b->sample.ms.ptr, b->sample.ms.len, sizeof(double), by_size);
    row[0] = quantile(b, 0.5);
    row[1] = quantile(b, 0.99);
    row[2] = quantile(b, 0.999);
    row[3] = quantile(b, 1);
}

static void show(const struct bench *b, double rows[ROUNDS_MAX][4])
{
    printf("%-8s", bus_kind_name(bus_kind(b->bus)));
    for (int q = 0; q < 4; q++) {
        double of[ROUNDS_MAX];
        for (uint64_t i = 0; i < b->rounds; i++) {
            of[i] = rows[i][q];
        }
        qsort(of, b->rounds, sizeof of[0], by_size);
        printf("  %7.1f (%6.1f - %7.1f)", of[b->rounds / 2], of[0], of[b->rounds - 1]);
    }
    printf("\n");
}

/* ---- a bus ---- */

static void begin(struct bench *b, const struct bus_conf *conf)
{
    struct err err;
    struct bus_topic_spec specs[BUS_TOPICS_COUNT];
    must(bus_new(conf, &b->bus, &err), &err, "the bus");
    b->client = bus_client_new(b->bus, "bench");
    b->clock = bus_clock(b->client);
    b->reader = bus_reader_new(b->client);
    bus_topic_specs(PARTS, 3600 * 1000, specs);
    must(bus_ensure(b->client, specs, BUS_TOPICS_COUNT, TAG_ENSURE, &err), &err, "the topics");
    must(bus_open(b->client, SLICE_NONE, TAG_WRITE, &b->writer, &err), &err, "a writer");
    while (!b->open || !b->ensured) {
        poll(b, WAIT_NS);
    }
    for (uint32_t p = 0; p < PARTS; p++) {
        struct bus_tp tp = {bus_topic(b->client, SLICE("events")), p};
        must(bus_assign(b->reader, tp, BUS_FROM_START, TAG_READ, &err), &err, "events");
    }
    b->keys = intern_new(1 << 16, 1 << 20);
    b->reg = schema_reg_new();
    b->decoder = batch_in_new(BATCH_LIMITS, b->keys, b->reg);
    b->arena = arena_new(NULL, "rows", 64 << 20);
    b->enc = batch_enc_new(BATCH_LIMITS, 1000000);
    b->print = schema_file_print(SLICE("event_batch.avsc"));
    batch_enc_begin(b->enc, SLICE("bench"), 0);
    buf_init(&b->out, 2 << 20);
}

static void end(struct bench *b)
{
    bus_writer_close(b->writer);
    bus_reader_free(b->reader);
    bus_client_free(b->client);
    bus_free(b->bus);
    batch_enc_free(b->enc);
    batch_in_free(b->decoder);
    schema_reg_free(b->reg);
    intern_free(b->keys);
    arena_free(b->arena);
    buf_done(&b->out);
    VEC_DONE(&b->delivered);
    VEC_DONE(&b->sample.ms);
}

static void run(const struct bench *like, const struct bus_conf *conf)
{
    struct bench b = *like;
    double rows[ROUNDS_MAX][4];
    begin(&b, conf);
    for (uint64_t i = 0; i < b.rounds; i++) {
        round_of(&b, i, rows[i]);
    }
    show(&b, rows);
    end(&b);
}

int main(int argc, char **argv)
{
    struct bench b = {.rounds = 5, .seconds = 5, .rate = 10000};
    uint64_t kafka_only = 0;
    const struct {
        const char *name;
        uint64_t *to;
    } known[] = {{"rounds=", &b.rounds},
                 {"seconds=", &b.seconds},
                 {"rate=", &b.rate},
                 {"kafka_only=", &kafka_only}};
    for (int i = 1; i < argc; i++) {
        for (size_t k = 0; k < ARRAY_LEN(known); k++) {
            size_t n = strlen(known[k].name);
            if (strncmp(argv[i], known[k].name, n) == 0) {
                *known[k].to = strtoull(argv[i] + n, NULL, 10);
            }
        }
    }
    b.rounds = MIN(MAX(b.rounds, 1u), (uint64_t)ROUNDS_MAX);
    b.rate = MAX(b.rate, 1000u);
    char dir[] = "/tmp/kaiju-bench-XXXXXX", prefix[64], command[128];
    const char *brokers = getenv("KAIJU_KAFKA_BROKERS");
    (void)snprintf(prefix, sizeof prefix, "latency%d.", (int)getpid());
    struct bus_conf local = {.kind = BUS_LOCAL,
                             .prefix = prefix,
                             .local = {.dir = mkdtemp(dir), .map_bytes = UINT64_C(8) << 30}};
    struct bus_conf kafka = {
        .kind = BUS_KAFKA, .prefix = prefix, .kafka = {.brokers = brokers, .replication = 1}};
    printf("%llu events/s, %llu rounds of %llu s; ms, median (least - greatest)\n",
           (unsigned long long)b.rate, (unsigned long long)b.rounds, (unsigned long long)b.seconds);
    printf("%-8s  %-26s  %-26s  %-26s  %-26s\n", "bus", "p50", "p99", "p99.9", "worst");
    if (kafka_only == 0) {
        run(&b, &local);
    }
    if (brokers != NULL) {
        run(&b, &kafka);
    }
    (void)snprintf(command, sizeof command, "rm -rf '%s'", dir);
    return system(command);
}
