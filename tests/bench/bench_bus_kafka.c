/* SPDX-License-Identifier: Apache-2.0
 *
 * What the Kafka bus costs over bare librdkafka: CPU time of this process per byte, with the same
 * settings (they are taken from the bus, but for the queue of who reads), records and rate, turn by
 * turn in one run.
 *
 *     bench_bus_kafka [seconds=N] [rate=MB/s] [rounds=N] [parts=N]
 *
 * Needs KAIJU_KAFKA_BROKERS; ./dev bench starts a broker. Rows per record size: `put` bare, by a
 * plain writer, again bare and by a slot writer with a transaction every 200 ms; `read` bare and
 * by a reader.
 * Medians over the rounds; the spread is least to greatest. Half of a record's bytes are random.
 */
#include "core/base/clock.h"
#include "core/base/mem.h"
#include "core/bus/bus_conf.h"
#include "core/bus/bus_kafka_impl.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { EVENTS_MAX = 128, ROUNDS_MAX = 32, PAYLOAD = 1 << 20, BURST = 256 };

enum row { PUT_BARE, PUT_PLAIN, PUT_BARE_TXN, PUT_SLOT, READ_BARE, READ_BUS, ROWS };

static const char *const row_names[ROWS] = {
    "put, bare",        "put, plain writer", "put, bare, txns",
    "put, slot writer", "read, bare",        "read, bus",
};
static const int64_t txn_ns = 200 * CLOCK_NS_PER_MS;

struct bench {
    uint64_t seconds, rate, rounds, parts;
    size_t record;
    const char *brokers;
    char prefix[64], topic[96];
    char *payload;
    struct bus_conf conf;
    struct kafka_conf *bare;
    struct bus *bus;
    struct bus_client *client;
    struct bus_writer *writer;
    struct clock clock;
    struct bus_tp tp;
    uint64_t sent, ended; /* records of this measurement */
    bool committing;
    int64_t next_commit;
    rd_kafka_t *rk;
    rd_kafka_topic_t *rkt;
};

static _Noreturn void die(const char *what, const char *why)
{
    fprintf(stderr, "bench_bus_kafka: %s: %s\n", what, why);
    exit(1);
}

static void on_event(struct bench *b, const struct bus_ev *ev)
{
    if (ev->err != NULL || ev->kind == BUS_EV_FENCED || ev->reopen) {
        die(bus_ev_name(ev->kind), ev->err != NULL ? ev->err->msg : "");
    }
    b->ended += ev->kind == BUS_EV_DELIVERED;
    if (ev->kind == BUS_EV_COMMITTED) {
        b->committing = false;
        for (uint32_t i = 0; i < ev->count; i++) {
            b->ended += ev->spans[i].count;
        }
    } else if (ev->kind == BUS_EV_RECORDS) {
        b->ended += ev->count;
    }
}

/* Polls until nothing is left; true = an event of this kind was among them. */
static bool poll_bus(struct bench *b, enum bus_ev_kind kind)
{
    struct bus_ev evs[EVENTS_MAX];
    int n;
    bool found = false;
    while ((n = bus_poll(b->client, evs, EVENTS_MAX)) > 0) {
        for (int i = 0; i < n; i++) {
            on_event(b, &evs[i]);
            found = found || evs[i].kind == kind;
        }
    }
    return found;
}

static void await(struct bench *b, enum bus_ev_kind kind)
{
    while (!poll_bus(b, kind)) {
        bus_wait(b->client, CLOCK_NS_PER_S);
    }
}

/* The nth record: key and value. */
static struct slice value_of(const struct bench *b, uint64_t n)
{
    return slice_of(b->payload + n * 64 % (PAYLOAD - b->record), b->record);
}

static bool put_bus(struct bench *b)
{
    struct err err;
    struct bus_put put = {.to = {b->tp.topic, (uint32_t)(b->sent % b->parts)},
                          .key = SLICE("bench key"),
                          .value = value_of(b, b->sent)};
    int rc = bus_put(b->writer, &put, &err);
    if (rc != 0 && rc != -ERR_AGAIN) {
        die("put", err.msg);
    }
    return rc == 0;
}

static bool put_bare(struct bench *b)
{
    struct slice v = value_of(b, b->sent);
    return rd_kafka_produce(b->rkt, (int32_t)(b->sent % b->parts), RD_KAFKA_MSG_F_COPY,
                            (void *)(uintptr_t)v.ptr, v.len, "bench key", 9, NULL) == 0;
}

static void step_bare(struct bench *b)
{
    (void)rd_kafka_poll(b->rk, 1);
}

static void do_txn(struct bench *b, const char *what, rd_kafka_error_t *error)
{
    (void)b;
    if (error != NULL) {
        die(what, rd_kafka_error_string(error));
    }
}

static void step_bare_txn(struct bench *b)
{
    bool all = b->sent * b->record >= b->seconds * b->rate * 1000000;
    if (all || clock_mono(&b->clock) >= b->next_commit) {
        do_txn(b, "commit", rd_kafka_commit_transaction(b->rk, -1));
        do_txn(b, "begin", rd_kafka_begin_transaction(b->rk));
        b->next_commit += txn_ns;
    }
    step_bare(b);
}

static void step_plain(struct bench *b)
{
    bus_wait(b->client, CLOCK_NS_PER_MS);
    (void)poll_bus(b, BUS_EV_DELIVERED);
}

static void step_slot(struct bench *b)
{
    struct err err;
    bool all = b->sent * b->record >= b->seconds * b->rate * 1000000;
    if (!b->committing && b->sent > b->ended && (all || clock_mono(&b->clock) >= b->next_commit)) {
        if (bus_commit(b->writer, 7, &err) != 0) {
            die("commit", err.msg);
        }
        b->committing = true;
        b->next_commit = clock_mono(&b->clock) + txn_ns;
    }
    step_plain(b);
}

/* Offers records at the rate until all are sent, then waits until all have ended. */
static void pace(struct bench *b, bool (*put)(struct bench *), void (*step)(struct bench *))
{
    uint64_t total = b->seconds * b->rate * 1000000 / b->record + 1;
    int64_t begin = clock_mono(&b->clock);
    b->next_commit = begin + txn_ns;
    b->sent = b->ended = 0;
    while (b->ended < total) {
        double passed = (double)(clock_mono(&b->clock) - begin) / (double)CLOCK_NS_PER_S;
        double due = passed * (double)b->rate * 1e6 / (double)b->record;
        for (int i = 0; i < BURST && b->sent < total && (double)b->sent < due && put(b); i++) {
            b->sent++;
        }
        step(b);
    }
}

static void on_delivered(rd_kafka_t *rk, const rd_kafka_message_t *m, void *opaque)
{
    (void)rk;
    if (m->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
        die("delivery", rd_kafka_err2str(m->err));
    }
    ((struct bench *)opaque)->ended++;
}

static void open_bare(struct bench *b, enum kafka_role role)
{
    bool reader = role == KAFKA_READER;
    struct err err;
    rd_kafka_conf_t *conf = NULL;
    if (kafka_conf_make(b->bare, role, &conf, &err) != 0) {
        die("bare", err.msg);
    }
    rd_kafka_conf_set_opaque(conf, b);
    /* As it comes: a full queue of 2.0.2 is looked at again only after a second. */
    if (reader && kafka_conf_set(conf, "queued.max.messages.kbytes", "65536", &err) != 0) {
        die("bare", err.msg);
    }
    if (!reader) {
        rd_kafka_conf_set_dr_msg_cb(conf, on_delivered);
    }
    if (role == KAFKA_SLOT && kafka_conf_set(conf, "transactional.id", b->topic, &err) != 0) {
        die("bare", err.msg);
    }
    b->rk = kafka_client_make(conf, reader ? RD_KAFKA_CONSUMER : RD_KAFKA_PRODUCER, false, &err);
    if (b->rk == NULL) {
        die("bare", err.msg);
    }
    b->rkt = rd_kafka_topic_new(b->rk, b->topic, NULL);
}

static void close_bare(struct bench *b)
{
    rd_kafka_topic_destroy(b->rkt);
    rd_kafka_destroy(b->rk);
}

static void use_topic(struct bench *b, uint64_t round, enum row row)
{
    struct err err;
    char name[32];
    int n =
        snprintf(name, sizeof name, "r%llu.%d.%zu", (unsigned long long)round, (int)row, b->record);
    snprintf(b->topic, sizeof b->topic, "%s%s", b->prefix, name);
    b->tp.topic = bus_topic(b->client, slice_of(name, (size_t)n));
    struct bus_topic_spec spec = {.name = slice_of(name, (size_t)n),
                                  .partitions = (uint32_t)b->parts,
                                  .cleanup = BUS_DELETE,
                                  .retention_ms = 600000,
                                  .retention_bytes = -1};
    if (bus_ensure(b->client, &spec, 1, 1, &err) != 0) {
        die("ensure", err.msg);
    }
    await(b, BUS_EV_DONE);
}

static int64_t measure_put(struct bench *b, enum row row)
{
    struct err err;
    if (row == PUT_BARE || row == PUT_BARE_TXN) {
        const struct rd_kafka_metadata *md;
        open_bare(b, row == PUT_BARE ? KAFKA_PLAIN : KAFKA_SLOT);
        if (rd_kafka_metadata(b->rk, 0, b->rkt, &md, 10000) == RD_KAFKA_RESP_ERR_NO_ERROR) {
            rd_kafka_metadata_destroy(md);
        }
        if (row == PUT_BARE_TXN) {
            do_txn(b, "init", rd_kafka_init_transactions(b->rk, 10000));
            do_txn(b, "begin", rd_kafka_begin_transaction(b->rk));
        }
        int64_t cpu = clock_cpu_ns();
        pace(b, put_bare, row == PUT_BARE ? step_bare : step_bare_txn);
        cpu = clock_cpu_ns() - cpu;
        close_bare(b);
        return cpu;
    }
    if (bus_open(b->client, row == PUT_SLOT ? SLICE("bench") : SLICE(""), 2, &b->writer, &err) !=
        0) {
        die("open", err.msg);
    }
    await(b, BUS_EV_OPENED);
    int64_t cpu = clock_cpu_ns();
    pace(b, put_bus, row == PUT_SLOT ? step_slot : step_plain);
    cpu = clock_cpu_ns() - cpu;
    bus_writer_close(b->writer);
    return cpu;
}

static int64_t read_bare(struct bench *b, uint64_t total)
{
    int64_t cpu = clock_cpu_ns();
    open_bare(b, KAFKA_READER);
    (void)rd_kafka_poll_set_consumer(b->rk);
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)b->parts);
    for (uint64_t p = 0; p < b->parts; p++) {
        rd_kafka_topic_partition_list_add(list, b->topic, (int32_t)p)->offset = 0;
    }
    (void)rd_kafka_assign(b->rk, list);
    rd_kafka_topic_partition_list_destroy(list);
    for (b->ended = 0; b->ended < total;) {
        rd_kafka_message_t *m = rd_kafka_consumer_poll(b->rk, 1000);
        if (m != NULL) {
            b->ended += m->err == RD_KAFKA_RESP_ERR_NO_ERROR;
            rd_kafka_message_destroy(m);
        }
    }
    cpu = clock_cpu_ns() - cpu;
    close_bare(b);
    return cpu;
}

static int64_t read_bus(struct bench *b, uint64_t total)
{
    struct err err;
    int64_t cpu = clock_cpu_ns();
    struct bus_reader *r = bus_reader_new(b->client);
    for (uint32_t p = 0; p < b->parts; p++) {
        if (bus_assign(r, (struct bus_tp){b->tp.topic, p}, BUS_FROM_START, 9, &err) != 0) {
            die("assign", err.msg);
        }
    }
    for (b->ended = 0; b->ended < total;) {
        if (!poll_bus(b, BUS_EV_RECORDS)) {
            bus_wait(b->client, CLOCK_NS_PER_S);
        }
    }
    cpu = clock_cpu_ns() - cpu;
    bus_reader_free(r);
    (void)poll_bus(b, BUS_EV_RECORDS);
    return cpu;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void one_round(struct bench *b, uint64_t round, double ns[ROWS][ROUNDS_MAX])
{
    for (int i = PUT_BARE; i <= PUT_SLOT; i++) {
        enum row row = (enum row)(((uint64_t)i + round) % (PUT_SLOT + 1)); /* each comes first */
        use_topic(b, round, row);
        int64_t cpu = measure_put(b, row);
        double bytes = (double)b->sent * (double)b->record;
        ns[row][round] = (double)cpu / bytes;
        if (row != PUT_PLAIN) {
            continue;
        }
        uint64_t total = b->sent;
        for (int k = 0; k < 2; k++) {
            bool bus = ((uint64_t)k + round) % 2 == 0;
            cpu = bus ? read_bus(b, total) : read_bare(b, total);
            ns[bus ? READ_BUS : READ_BARE][round] = (double)cpu / bytes;
        }
    }
}

static void run_size(struct bench *b, size_t record)
{
    static const enum row base[ROWS] = {PUT_BARE,  PUT_BARE,  PUT_BARE,
                                        PUT_PLAIN, READ_BARE, READ_BARE};
    double ns[ROWS][ROUNDS_MAX], median[ROWS];
    b->record = record;
    for (uint64_t round = 0; round < b->rounds; round++) {
        one_round(b, round, ns);
    }
    for (int i = 0; i < ROWS; i++) {
        qsort(ns[i], b->rounds, sizeof ns[i][0], by_value);
        median[i] = ns[i][b->rounds / 2];
        printf("%7zu  %-18s %8.2f  %6.2f - %-6.2f  ", record, row_names[i], median[i], ns[i][0],
               ns[i][b->rounds - 1]);
        if (base[i] != (enum row)i) {
            printf("%.2f x %s", median[i] / median[base[i]], row_names[base[i]]);
        }
        printf("\n");
    }
    printf("%7zu  %-18s %8.2f  %15s  %.2f x bare\n", record, "put and read",
           median[PUT_PLAIN] + median[READ_BUS], "",
           (median[PUT_PLAIN] + median[READ_BUS]) / (median[PUT_BARE] + median[READ_BARE]));
    fflush(stdout);
}

static void start(struct bench *b)
{
    struct err err;
    b->brokers = getenv("KAIJU_KAFKA_BROKERS");
    if (b->brokers == NULL) {
        die("no broker", "tests/kafka/kafka.sh run -- ... sets KAIJU_KAFKA_BROKERS");
    }
    b->clock = clock_system();
    snprintf(b->prefix, sizeof b->prefix, "bench%d.%llx.", (int)getpid(),
             (unsigned long long)(clock_wall(&b->clock) / CLOCK_NS_PER_S));
    b->conf = (struct bus_conf){.kind = BUS_KAFKA, .prefix = b->prefix};
    b->conf.kafka = (struct bus_kafka_conf){.brokers = b->brokers, .replication = 1};
    b->bare = kafka_conf_new(&b->conf);
    if (bus_new(&b->conf, &b->bus, &err) != 0) {
        die("bus", err.msg);
    }
    b->client = bus_client_new(b->bus, "bench");
    uint64_t x = 88172645463325252u;
    b->payload = mem_alloc(PAYLOAD);
    for (size_t i = 0; i < PAYLOAD; i++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        b->payload[i] = i / 16 % 2 == 0 ? (char)x : 'a';
    }
}

static bool parse_arg(struct bench *b, struct slice arg)
{
    const struct {
        struct slice name;
        uint64_t *to;
    } numbers[] = {{SLICE("seconds"), &b->seconds},
                   {SLICE("rate"), &b->rate},
                   {SLICE("rounds"), &b->rounds},
                   {SLICE("parts"), &b->parts}};
    struct slice name;
    if (!slice_split(&arg, '=', &name)) {
        return false;
    }
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
        if (slice_eq(name, numbers[i].name)) {
            return slice_to_u64(arg, numbers[i].to) && *numbers[i].to > 0;
        }
    }
    return false;
}

int main(int argc, char **argv)
{
    struct bench b = {.seconds = 2, .rate = 30, .rounds = 5, .parts = 4};
    for (int i = 1; i < argc; i++) {
        if (!parse_arg(&b, slice_str(argv[i])) || b.rounds > ROUNDS_MAX) {
            fprintf(stderr, "bench_bus_kafka: %s? See the head of its source.\n", argv[i]);
            return 2;
        }
    }
    start(&b);
    printf("librdkafka %s; %llu MB/s offered for %llu s, %llu rounds\n", rd_kafka_version_str(),
           (unsigned long long)b.rate, (unsigned long long)b.seconds, (unsigned long long)b.rounds);
    printf("%7s  %-18s %8s  %15s\n", "record", "row", "ns/byte", "spread");
    static const size_t sizes[] = {1000, 12000, 100000};
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        run_size(&b, sizes[i]);
    }
    bus_client_free(b.client);
    bus_free(b.bus);
    kafka_conf_free(b.bare);
    mem_free(b.payload);
    return 0;
}
