/* SPDX-License-Identifier: Apache-2.0
 *
 * Fills a topic through the Kafka bus, for a reader that is not ours (reader_test.py):
 *
 *   kafka_feed PREFIX BATCHES
 *
 * PREFIXevents, 4 partitions: committed transactions of the framed event batches in BATCHES (as
 * avro_dump writes them) with keys and headers, an aborted one after each, plain records, null keys
 * and values; and one transaction left open when the program ends by _exit. What must be readable
 * goes to stdout, a JSON line for each record.
 */
#include "core/base/buf.h"
#include "core/base/clock.h"
#include "core/bus/bus.h"
#include "core/bus/bus_conf.h"
#include "core/codec/endian.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { PARTS = 4, EVENTS_MAX = 32, PER_TXN = 5 };

struct feed {
    struct bus *bus;
    struct bus_client *client;
    struct bus_tp tp;
    struct buf value, line;
    uint64_t n;
};

static _Noreturn void die(const char *what, const char *why)
{
    fprintf(stderr, "kafka_feed: %s: %s\n", what, why);
    exit(1);
}

static void await(struct feed *f, enum bus_ev_kind kind)
{
    const struct clock *clock = bus_clock(f->client);
    int64_t until = clock_mono(clock) + 120 * CLOCK_NS_PER_S;
    while (clock_mono(clock) < until) {
        struct bus_ev evs[EVENTS_MAX];
        int n = bus_poll(f->client, evs, EVENTS_MAX);
        for (int i = 0; i < n; i++) {
            if (evs[i].kind == kind) {
                return;
            }
            if (evs[i].err != NULL) {
                die(bus_ev_name(evs[i].kind), evs[i].err->msg);
            }
        }
        if (n == 0) {
            bus_wait(f->client, CLOCK_NS_PER_S);
        }
    }
    die("waiting in vain for", bus_ev_name(kind));
}

static void add_hex(struct buf *b, const char *name, struct slice s)
{
    buf_addf(b, ",\"%s\":", name);
    if (s.ptr == NULL) {
        buf_add_str(b, "null");
        return;
    }
    buf_add_byte(b, '"');
    for (size_t i = 0; i < s.len; i++) {
        buf_addf(b, "%02x", (uint8_t)s.ptr[i]);
    }
    buf_add_byte(b, '"');
}

static void tell(struct feed *f, const struct bus_put *put)
{
    struct buf *b = &f->line;
    buf_clear(b);
    buf_addf(b, "{\"partition\":%u", put->to.part);
    add_hex(b, "key", put->key);
    add_hex(b, "value", put->value);
    buf_add_str(b, ",\"headers\":[");
    for (uint32_t i = 0; i < put->header_count; i++) {
        buf_addf(b, "%s{\"name\":\"" SLICE_FMT "\"", i > 0 ? "," : "",
                 SLICE_ARG(put->headers[i].name));
        add_hex(b, "value", put->headers[i].value);
        buf_add_byte(b, '}');
    }
    buf_add_str(b, "]}");
    printf("%s\n", buf_cstr(b));
}

static void put(struct feed *f, struct bus_writer *w, struct slice value, bool readable)
{
    char key[32], lineage[32];
    uint64_t n = f->n++;
    struct bus_header headers[] = {
        {SLICE("kaiju.lineage"), slice_of(lineage, (size_t)snprintf(lineage, sizeof lineage, "%llu",
                                                                    (unsigned long long)n))},
        {SLICE("kaiju.empty"), SLICE("")},
        {SLICE("kaiju.lineage"), SLICE("again")},
    };
    struct bus_put p = {.to = {f->tp.topic, (uint32_t)(n % PARTS)},
                        .value = value,
                        .headers = headers,
                        .header_count = n % 5 == 0 ? 0 : (uint32_t)ARRAY_LEN(headers)};
    if (n % 3 != 0) {
        p.key = slice_of(key, (size_t)snprintf(key, sizeof key, "key %llu", (unsigned long long)n));
    }
    struct err err;
    int rc;
    while ((rc = bus_put(w, &p, &err)) == -ERR_AGAIN) {
        bus_wait(f->client, 10 * CLOCK_NS_PER_MS);
    }
    if (rc != 0) {
        die("put", err.msg);
    }
    if (readable) {
        tell(f, &p);
    }
}

/* The next batch of the file; false at its end. */
static bool next_batch(struct feed *f, FILE *in)
{
    char head[4];
    if (fread(head, 1, sizeof head, in) != sizeof head) {
        return false;
    }
    size_t n = endian_be32(head);
    buf_clear(&f->value);
    char *to = buf_room(&f->value, n);
    if (to == NULL || fread(to, 1, n, in) != n) {
        die("batches", "cut short");
    }
    buf_commit(&f->value, n);
    return true;
}

static struct bus_writer *open_writer(struct feed *f, struct slice slot)
{
    struct err err;
    struct bus_writer *w = NULL;
    if (bus_open(f->client, slot, 1, &w, &err) != 0) {
        die("open", err.msg);
    }
    await(f, BUS_EV_OPENED);
    return w;
}

static void end(struct feed *f, struct bus_writer *w, bool commit)
{
    struct err err;
    if ((commit ? bus_commit(w, 2, &err) : bus_abort(w, 2, &err)) != 0) {
        die(commit ? "commit" : "abort", err.msg);
    }
    await(f, commit ? BUS_EV_COMMITTED : BUS_EV_ABORTED);
}

static void start(struct feed *f, const char *prefix)
{
    struct err err;
    struct bus_conf conf = {.kind = BUS_KAFKA, .prefix = prefix};
    conf.kafka = (struct bus_kafka_conf){.brokers = getenv("KAIJU_KAFKA_BROKERS"),
                                         .replication = 1,
                                         .transaction_timeout_ms = 60000};
    if (bus_new(&conf, &f->bus, &err) != 0) {
        die("bus", err.msg);
    }
    f->client = bus_client_new(f->bus, "feed");
    f->tp.topic = bus_topic(f->client, SLICE("events"));
    buf_init(&f->value, 1 << 20);
    buf_init(&f->line, 8 << 20);
    struct bus_topic_spec spec = {.name = SLICE("events"),
                                  .partitions = PARTS,
                                  .cleanup = BUS_DELETE,
                                  .retention_ms = -1,
                                  .retention_bytes = -1};
    if (bus_ensure(f->client, &spec, 1, 3, &err) != 0) {
        die("ensure", err.msg);
    }
    await(f, BUS_EV_DONE);
}

static void transactions(struct feed *f, FILE *in)
{
    struct bus_writer *w = open_writer(f, SLICE("feed"));
    bool more = true;
    while (more) {
        int n = 0;
        while (n < PER_TXN && (more = next_batch(f, in))) {
            put(f, w, buf_slice(&f->value), true);
            n++;
        }
        end(f, w, true);
        put(f, w, SLICE("aborted"), false);
        end(f, w, false);
    }
}

int main(int argc, char **argv)
{
    struct feed f = {.n = 0};
    FILE *in = argc == 3 ? fopen(argv[2], "rb") : NULL;
    if (in == NULL) {
        die("usage", "kafka_feed PREFIX BATCHES");
    }
    start(&f, argv[1]);
    transactions(&f, in);
    fclose(in);
    struct bus_writer *plain = open_writer(&f, SLICE(""));
    put(&f, plain, SLICE("plain"), true);
    await(&f, BUS_EV_DELIVERED);
    put(&f, plain, SLICE_NONE, true);
    await(&f, BUS_EV_DELIVERED);
    struct bus_writer *open = open_writer(&f, SLICE("left-open"));
    for (int i = 0; i < PARTS; i++) {
        put(&f, open, SLICE("left open"), false);
    }
    clock_sleep_ns(300 * CLOCK_NS_PER_MS); /* they reach the broker, their end does not */
    fflush(stdout);
    _exit(0);
}
