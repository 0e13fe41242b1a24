/* SPDX-License-Identifier: Apache-2.0
 *
 * What one span, log record or metric point costs between the unpacked body of a request and the
 * bytes of event batches: check, decode, map, key, id and encode, by partition. Requests of 512
 * items from 4 resources of 8 attributes; spans with 10 attributes, one in 8 with an event, logs
 * with 6, sums with 6, histograms with 12 buckets. 16 different requests in turn, so that nothing
 * is answered from one cache line.
 *
 * Rows: the check alone; check and map into a sink that does nothing; the whole. ns are CPU time of
 * this process, median of rounds with the spread.
 *
 * Options: rounds (default 5), "quick" for one short round.
 */
#include "core/base/clock.h"
#include "core/base/mem.h"
#include "core/event/key.h"
#include "ingest/otlp_check.h"
#include "tests/unit/ingest/otlp_util.h"

#include <stdio.h>
#include <stdlib.h>

enum { MIB = 1024 * 1024, REQUESTS = 16, ITEMS = 512, RESOURCES = 4, PARTITIONS = 8 };
enum { ROUNDS_MAX = 15, ROUND_MS = 200 };

struct bench {
    struct otlp_map *map;
    struct otlp_shape shape;
    struct arena *arena;
    struct batch_enc *enc[PARTITIONS];
    struct buf bodies[REQUESTS], out;
    enum otlp_signal signal;
    uint64_t seed, events, bytes;
    size_t at;
};

static _Noreturn void die(const char *why)
{
    fprintf(stderr, "bench_otlp_map: %s\n", why);
    exit(1);
}

/* --- counting allocations: the C library's own, reached by their internal names --- */

void *__libc_malloc(size_t n);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t n);

PROCESS_WIDE /* malloc has no parameter to carry it */
static uint64_t allocations;

void *malloc(size_t n)
{
    allocations++;
    return __libc_malloc(n);
}
void *calloc(size_t n, size_t size)
{
    allocations++;
    return __libc_calloc(n, size);
}
void *realloc(void *p, size_t n)
{
    allocations++;
    return __libc_realloc(p, n);
}

/* --- requests --- */

static uint64_t next(struct bench *b)
{
    b->seed = b->seed * 6364136223846793005u + 1442695040888963407u;
    return b->seed >> 33;
}

static void text(struct bench *b, struct buf *to, uint32_t field, const char *key,
                 const char *prefix, uint32_t variants)
{
    char value[96];
    snprintf(value, sizeof value, "%s-%u", prefix, (uint32_t)(next(b) % variants));
    otlp_put_text(to, field, key, value);
}

static void put_resource(struct bench *b, struct buf *to)
{
    size_t resource = pbwrite_open(to, 1);
    text(b, to, 1, "service.name", "checkout", 8);
    text(b, to, 1, "service.instance.id", "6f2b9a1e-3c44-4b1e-9d3e", 64);
    otlp_put_text(to, 1, "service.version", "2.14.1");
    otlp_put_text(to, 1, "telemetry.sdk.name", "opentelemetry");
    otlp_put_text(to, 1, "telemetry.sdk.language", "java");
    otlp_put_text(to, 1, "k8s.namespace.name", "shop");
    text(b, to, 1, "k8s.pod.name", "checkout-7d9c6b5f4-x2x", 64);
    text(b, to, 1, "k8s.node.name", "node", 12);
    pbwrite_close(to, resource);
}

static void put_id(struct bench *b, struct buf *to, uint32_t field, size_t bytes)
{
    uint64_t id[2] = {next(b) << 32 | next(b), next(b) << 32 | next(b) | 1};
    pbwrite_string(to, field, slice_of(id, bytes));
}

static void put_span(struct bench *b, struct buf *to, uint64_t i)
{
    size_t span = pbwrite_open(to, 2);
    put_id(b, to, 1, 16);
    put_id(b, to, 2, 8);
    put_id(b, to, 4, 8);
    pbwrite_string(to, 5, SLICE("POST /api/v2/cart/{id}/checkout"));
    pbwrite_varint(to, 6, 1 + next(b) % 5);
    pbwrite_fixed64(to, 7, (uint64_t)OTLP_TEST_NOW - 1000000000 + i);
    pbwrite_fixed64(to, 8, (uint64_t)OTLP_TEST_NOW - 900000000 + i);
    otlp_put_text(to, 9, "http.request.method", "POST");
    otlp_put_text(to, 9, "http.route", "/api/v2/cart/{id}/checkout");
    text(b, to, 9, "url.path", "/api/v2/cart/8817/checkout", 1000);
    otlp_put_int(to, 9, "http.response.status_code", 200 + (int64_t)(next(b) % 300));
    otlp_put_text(to, 9, "server.address", "checkout.shop.svc.cluster.local");
    otlp_put_int(to, 9, "server.port", 8080);
    text(b, to, 9, "client.address", "10.12.7", 250);
    otlp_put_text(to, 9, "user_agent.original", "okhttp/4.12.0");
    text(b, to, 9, "thread.name", "http-nio-8080-exec", 32);
    otlp_put_int(to, 9, "thread.id", 50 + (int64_t)(next(b) % 32));
    if (i % 8 == 0) {
        size_t event = pbwrite_open(to, 11);
        pbwrite_fixed64(to, 1, (uint64_t)OTLP_TEST_NOW - 950000000);
        pbwrite_string(to, 2, SLICE("cache.miss"));
        text(b, to, 3, "cache.key", "cart", 1000);
        pbwrite_close(to, event);
    }
    pbwrite_string(to, 15, SLICE(""));
    pbwrite_fixed32(to, 16, 0x101);
    pbwrite_close(to, span);
}

static void put_log(struct bench *b, struct buf *to, uint64_t i)
{
    size_t log = pbwrite_open(to, 2);
    pbwrite_fixed64(to, 1, (uint64_t)OTLP_TEST_NOW - 1000000000 + i);
    pbwrite_fixed64(to, 11, (uint64_t)OTLP_TEST_NOW - 999000000 + i);
    pbwrite_varint(to, 2, 9);
    pbwrite_string(to, 3, SLICE("INFO"));
    size_t body = pbwrite_open(to, 5);
    pbwrite_string(to, 1,
                   SLICE("order accepted, payment authorised, handing over to the warehouse; "
                         "customer will be notified by mail"));
    pbwrite_close(to, body);
    text(b, to, 6, "order.id", "o-2026", 100000);
    text(b, to, 6, "customer.id", "c", 5000);
    otlp_put_text(to, 6, "code.function.name", "com.example.shop.Checkout.accept");
    otlp_put_int(to, 6, "code.line.number", 217);
    text(b, to, 6, "thread.name", "http-nio-8080-exec", 32);
    otlp_put_text(to, 6, "logger.name", "com.example.shop.Checkout");
    pbwrite_fixed32(to, 8, 1);
    put_id(b, to, 9, 16);
    put_id(b, to, 10, 8);
    pbwrite_close(to, log);
}

static void put_point_attrs(struct bench *b, struct buf *to, uint32_t field)
{
    otlp_put_text(to, field, "http.request.method", "POST");
    text(b, to, field, "http.route", "/api/v2/cart", 20);
    otlp_put_int(to, field, "http.response.status_code", 200 + (int64_t)(next(b) % 5) * 100);
    otlp_put_text(to, field, "network.protocol.version", "1.1");
    otlp_put_text(to, field, "url.scheme", "http");
    text(b, to, field, "server.address", "checkout", 10);
}

/* 32 points per metric, sums and histograms in turn. */
static void put_metric(struct bench *b, struct buf *to, uint64_t i)
{
    static const double bounds[] = {0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 1, 2.5, 5};
    bool sum = i / 32 % 2 == 0;
    size_t metric = pbwrite_open(to, 2);
    pbwrite_string(to, 1,
                   sum ? SLICE("http.server.active") : SLICE("http.server.request.duration"));
    pbwrite_string(to, 3, sum ? SLICE("{request}") : SLICE("s"));
    size_t data = pbwrite_open(to, sum ? 7 : 9);
    for (unsigned p = 0; p < 32; p++) {
        uint64_t counts[12];
        size_t point = pbwrite_open(to, 1);
        pbwrite_fixed64(to, 2, (uint64_t)OTLP_TEST_NOW - 3600000000000);
        pbwrite_fixed64(to, 3, (uint64_t)OTLP_TEST_NOW - 1000000000 + i + p);
        if (sum) {
            pbwrite_fixed64(to, 6, next(b) % 100000);
        } else {
            for (unsigned c = 0; c < 12; c++) {
                counts[c] = next(b) % 1000;
            }
            pbwrite_fixed64(to, 4, 6000);
            pbwrite_double(to, 5, 17.25);
            pbwrite_packed_fixed64(to, 6, counts, 12);
            pbwrite_packed_double(to, 7, bounds, 11);
        }
        put_point_attrs(b, to, sum ? 7 : 9);
        pbwrite_close(to, point);
    }
    pbwrite_varint(to, 2, 2);
    if (sum) {
        pbwrite_varint(to, 3, 1);
    }
    pbwrite_close(to, data);
    pbwrite_close(to, metric);
}

static void make_body(struct bench *b, struct buf *to)
{
    for (unsigned r = 0; r < RESOURCES; r++) {
        size_t rs = pbwrite_open(to, 1);
        put_resource(b, to);
        size_t ss = pbwrite_open(to, 2);
        size_t scope = pbwrite_open(to, 1);
        pbwrite_string(to, 1, SLICE("io.opentelemetry.tomcat-10.0"));
        pbwrite_string(to, 2, SLICE("2.9.0-alpha"));
        pbwrite_close(to, scope);
        for (uint64_t i = 0; i < ITEMS / RESOURCES; i++) {
            switch (b->signal) {
            case OTLP_TRACES: put_span(b, to, i); break;
            case OTLP_LOGS: put_log(b, to, i); break;
            default:
                put_metric(b, to, i);
                i += 31;
                break;
            }
        }
        pbwrite_close(to, ss);
        pbwrite_close(to, rs);
    }
    if (buf_failed(to)) {
        die("a request does not fit");
    }
}

/* --- what is measured --- */

static int nothing(void *arg, enum bus_topic_id topic, struct slice key, const struct rec *r,
                   struct err *reterr)
{
    struct bench *b = arg;
    (void)topic, (void)key, (void)r, (void)reterr;
    b->events++;
    return 0;
}

static int encode(void *arg, enum bus_topic_id topic, struct slice key, const struct rec *r,
                  struct err *reterr)
{
    struct bench *b = arg;
    (void)topic;
    b->events++;
    return batch_enc_add(b->enc[key_partition(key, PARTITIONS)], r, reterr);
}

static void check_only(struct bench *b)
{
    struct err err;
    uint32_t items;
    if (otlp_check(&b->shape, otlp_request_message(b->signal), buf_slice(&b->bodies[b->at]),
                   1 << 20, &items, &err) != 0 ||
        items != ITEMS) {
        die("check");
    }
}

static void map_with(struct bench *b, struct otlp_sink sink)
{
    struct otlp_result result;
    struct err err;
    struct otlp_request q = {.signal = b->signal,
                             .form = OTLP_PROTOBUF,
                             .body = buf_slice(&b->bodies[b->at]),
                             .tenant = SLICE("default"),
                             .ingest_ts = OTLP_TEST_NOW,
                             .arena = b->arena};
    arena_reset(b->arena);
    if (otlp_map(b->map, &q, &sink, &result, &err) != 0 || result.rejected != 0) {
        die("map");
    }
}

static void map_only(struct bench *b)
{
    map_with(b, (struct otlp_sink){.arg = b, .event = nothing});
}

static void whole(struct bench *b)
{
    struct err err;
    for (int p = 0; p < PARTITIONS; p++) {
        batch_enc_begin(b->enc[p], SLICE("otlp"), 0);
    }
    map_with(b, (struct otlp_sink){.arg = b, .event = encode});
    buf_clear(&b->out);
    for (int p = 0; p < PARTITIONS; p++) {
        if (batch_enc_end(b->enc[p], &b->out, &err) != 0) {
            die("encode");
        }
    }
    b->bytes = b->out.len;
}

static int by_value(const void *x, const void *y)
{
    double a = *(const double *)x, c = *(const double *)y;
    return (a > c) - (a < c);
}

static double one_round(struct bench *b, void (*fn)(struct bench *), int ms,
                        double *ret_allocations)
{
    uint64_t before = allocations;
    int64_t start = clock_cpu_ns(), used = 0;
    uint64_t items = 0;
    while (used < (int64_t)ms * CLOCK_NS_PER_MS) {
        for (b->at = 0; b->at < REQUESTS; b->at++) {
            fn(b);
        }
        items += REQUESTS * ITEMS;
        used = clock_cpu_ns() - start;
    }
    b->at = 0;
    *ret_allocations = (double)(allocations - before) / (double)items;
    return (double)used / (double)items;
}

static void run(enum otlp_signal signal, const char *name, int rounds, int ms)
{
    static const char *const what[] = {"check", "check, map", "check, map, encode"};
    void (*const fns[])(struct bench *) = {check_only, map_only, whole};
    struct bench *b = MEM_NEW(struct bench);
    b->signal = signal;
    b->seed = 42;
    b->map = otlp_map_new(OTLP_LIMITS);
    b->arena = arena_new(NULL, "request", 64 * MIB);
    otlp_shape_init(&b->shape);
    buf_init(&b->out, 16 * MIB);
    for (int p = 0; p < PARTITIONS; p++) {
        b->enc[p] = batch_enc_new(BATCH_LIMITS, MIB);
    }
    for (int i = 0; i < REQUESTS; i++) {
        buf_init(&b->bodies[i], 4 * MIB);
        make_body(b, &b->bodies[i]);
    }
    for (size_t f = 0; f < ARRAY_LEN(fns); f++) {
        double ns[ROUNDS_MAX];
        double per_item = 0;
        one_round(b, fns[f], ms / 4, &per_item);
        for (int r = 0; r < rounds; r++) {
            ns[r] = one_round(b, fns[f], ms, &per_item);
        }
        qsort(ns, (size_t)rounds, sizeof ns[0], by_value);
        printf("| %-7s | %-18s | %7.1f | %6.1f-%-7.1f | %9.0f | %6zu | %6.0f | %11.4f |\n", name,
               what[f], ns[rounds / 2], ns[0], ns[rounds - 1], 1e9 / ns[rounds / 2],
               b->bodies[0].len / ITEMS, (double)b->bytes / ITEMS, per_item);
    }
    otlp_map_free(b->map);
    arena_free(b->arena);
    for (int p = 0; p < PARTITIONS; p++) {
        batch_enc_free(b->enc[p]);
    }
    for (int i = 0; i < REQUESTS; i++) {
        buf_done(&b->bodies[i]);
    }
    buf_done(&b->out);
    mem_free(b);
}

int main(int argc, char **argv)
{
    bool quick = argc > 1 && strcmp(argv[1], "quick") == 0;
    long given = argc > 1 && !quick ? strtol(argv[1], NULL, 10) : 5;
    int rounds = quick ? 1 : (int)MIN(MAX(given, 1), (long)ROUNDS_MAX);
    int ms = quick ? ROUND_MS / 4 : ROUND_MS;
    printf("requests of 512 items, 4 resources, 8 partitions, CPU time, median of %d\n\n", rounds);
    printf("| items   | what               | ns/item | low-high       | items/s   | B in   | B out "
           " |\n"
           "|---------|--------------------|---------|----------------|-----------|--------|-------"
           "-|\n");
    run(OTLP_TRACES, "spans", rounds, ms);
    run(OTLP_LOGS, "logs", rounds, ms);
    run(OTLP_METRICS, "points", rounds, ms);
    return 0;
}
