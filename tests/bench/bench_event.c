/* SPDX-License-Identifier: Apache-2.0
 *
 * Event batches decoded and encoded by hand, against avro-c's generic reader and writer on the same
 * bytes in the same run. Batches of 100 events with 1, 10 and 100 distinct contexts, 8 context and
 * 6 payload attributes, three event types mixed; 40 different batches in turn, so that nothing is
 * answered from one cache line. Both sides reuse what they can: arena, buffers, generic values.
 *
 * Decoding ends with every payload string at hand on both sides; after the timing the results are
 * compared field by field, strings byte by byte. Encoding goes from events in memory to bytes: for
 * avro-c that is filling its generic value and writing it; the row "write only" leaves the filling
 * out. ns are CPU time of this process; allocations are counted by standing in for malloc.
 *
 * Options: rounds (default 5; the median is printed with the spread), "quick" for one short round.
 */
#include "core/base/clock.h"
#include "core/base/mem.h"
#include "core/event/batch_dec.h"
#include "core/event/batch_enc.h"
#include "core/event/schema.h"
#include "tests/unit/core/event/avro_side.h"
#include "tests/unit/core/event/gen.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    MIB = 1024 * 1024,
    BATCHES = 40,
    EVENTS = 100,
    CONTEXT_ATTRS = 8,
    PAYLOAD_ATTRS = 6,
    ROUNDS_MAX = 15,
    ROUND_MS = 200
};

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

/* --- what is measured --- */

struct bench {
    struct arena *source, *arena;
    struct intern *keys;
    struct batch_dec *dec;
    struct batch_enc *enc;
    struct avro_side avro;
    struct rec_batch events[BATCHES], decoded;
    struct buf bytes[BATCHES], out;
    struct avro_side filled[BATCHES]; /* for "write only" */
    int at;
};

static _Noreturn void die(const char *what, const char *why)
{
    fprintf(stderr, "bench_event: %s: %s\n", what, why);
    exit(1);
}

static void decode_ours(struct bench *b)
{
    struct err err;
    arena_reset(b->arena);
    if (batch_dec_read(b->dec, b->arena, buf_slice(&b->bytes[b->at]), &b->decoded, &err) != 0) {
        die("decode", err.msg);
    }
}

static void decode_avro(struct bench *b)
{
    avro_value_reset(&b->avro.value);
    avro_reader_memory_set_source(b->avro.reader, b->bytes[b->at].ptr,
                                  (int64_t)b->bytes[b->at].len);
    if (avro_value_read(b->avro.reader, &b->avro.value) != 0) {
        die("avro-c decode", avro_strerror());
    }
}

static void encode_ours(struct bench *b)
{
    struct err err;
    const struct rec_batch *from = &b->events[b->at];
    buf_clear(&b->out);
    batch_enc_begin(b->enc, from->source, from->seq);
    int rc = 0;
    for (uint32_t i = 0; rc == 0 && i < from->events_len; i++) {
        rc = batch_enc_add(b->enc, &from->events[i], &err);
    }
    rc = rc != 0 ? rc : batch_enc_end(b->enc, &b->out, &err);
    if (rc != 0) {
        die("encode", err.msg);
    }
}

static void write_avro(struct bench *b, avro_value_t *value, avro_writer_t writer)
{
    buf_clear(&b->out);
    char *to = buf_room(&b->out, b->bytes[b->at].len + 1);
    avro_writer_memory_set_dest(writer, to, (int64_t)b->bytes[b->at].len + 1);
    if (avro_value_write(writer, value) != 0) {
        die("avro-c encode", avro_strerror());
    }
    buf_commit(&b->out, (size_t)avro_writer_tell(writer));
}

static void encode_avro(struct bench *b)
{
    avro_side_fill(&b->avro, &b->events[b->at]);
    write_avro(b, &b->avro.value, b->avro.writer);
}

static void write_only_avro(struct bench *b)
{
    write_avro(b, &b->filled[b->at].value, b->filled[b->at].writer);
}

/* --- the events --- */

static const char *const CONTEXT_KEYS[CONTEXT_ATTRS] = {
    "k8s.cluster.name", "k8s.namespace.name", "k8s.pod.name", "k8s.container.name",
    "k8s.node.name",    "service.name",       "host.name",    "kaiju.tenant"};
static const char *const PAYLOAD_KEYS[3][PAYLOAD_ATTRS] = {
    {"body", "severity_text", "severity_number", "http.route", "http.response.status_code",
     "duration"},
    {"name", "unit", "metric_type", "value", "temporality", "start_timestamp"},
    {"name", "kind", "status_code", "duration_ns", "url.path", "peer.service"}};
static const char *const TYPES[3] = {"LogRecord", "Metric", "Span"};

static struct val text(struct gen *g, const char *prefix, uint32_t variants)
{
    return val_string(slice_str(arena_printf(g->arena, "%s-%u", prefix, gen_below(g, variants))));
}

static struct val payload_value(struct gen *g, const char *key)
{
    if (strcmp(key, "body") == 0) {
        return text(g, "GET /api/v2/cart/checkout finished, the upstream answered late, retry",
                    1000000);
    }
    if (strcmp(key, "value") == 0 || strcmp(key, "duration") == 0) {
        return val_double((double)gen_below(g, 1000000) / 1000.0);
    }
    if (strstr(key, "number") != NULL || strstr(key, "code") != NULL) {
        return val_int(gen_below(g, 600));
    }
    if (strstr(key, "_ns") != NULL || strstr(key, "timestamp") != NULL) {
        return val_int(1787000000000000000 + gen_below(g, 1000000000));
    }
    return text(g, key, 50);
}

static void make_batch(struct gen *g, uint32_t contexts, struct rec_batch *ret)
{
    struct rec_context *cs = arena_array(g->arena, contexts, sizeof *cs);
    struct rec *rs = arena_array(g->arena, EVENTS, sizeof *rs);
    for (uint32_t c = 0; c < contexts; c++) {
        struct val_pair *pairs = arena_array(g->arena, CONTEXT_ATTRS, sizeof *pairs);
        for (uint32_t k = 0; k < CONTEXT_ATTRS; k++) {
            pairs[k] = val_pair(slice_str(CONTEXT_KEYS[k]), text(g, CONTEXT_KEYS[k], 100000));
        }
        cs[c] = (struct rec_context){pairs, CONTEXT_ATTRS, c};
    }
    for (uint32_t i = 0; i < EVENTS; i++) {
        uint32_t type = gen_below(g, 3);
        struct val_pair *pairs = arena_array(g->arena, PAYLOAD_ATTRS, sizeof *pairs);
        for (uint32_t k = 0; k < PAYLOAD_ATTRS; k++) {
            const char *key = PAYLOAD_KEYS[type][k];
            pairs[k] = val_pair(slice_str(key), payload_value(g, key));
        }
        gen_rec(g, &cs[i % contexts], &rs[i]);
        rs[i].payload = pairs;
        rs[i].payload_len = PAYLOAD_ATTRS;
        rs[i].type = slice_str(TYPES[type]);
        rs[i].causes_len = 0; /* as in raw topics */
        rs[i].n = rs[i].flags = 0;
        rs[i].ts = 1787000000000000000 + gen_below(g, 1000000000);
        rs[i].ingest_ts = rs[i].ts + 1000000;
    }
    *ret = (struct rec_batch){.source = SLICE("bench"),
                              .contexts = cs,
                              .contexts_len = contexts,
                              .events = rs,
                              .events_len = EVENTS};
    for (uint32_t i = 0; i < EVENTS; i++) {
        ret->min_ts = i == 0 ? rs[i].ts : MIN(ret->min_ts, rs[i].ts);
        ret->max_ts = i == 0 ? rs[i].ts : MAX(ret->max_ts, rs[i].ts);
    }
}

static void setup(struct bench *b, uint32_t contexts)
{
    struct slice schema = schema_file_get(SLICE("event_batch.avsc"))->text;
    struct gen g;
    *b = (struct bench){0};
    b->source = arena_new(NULL, "source", 256 * MIB);
    b->arena = arena_new(NULL, "batch", 64 * MIB);
    b->keys = intern_new(10000, MIB);
    b->dec = batch_dec_new(BATCH_LIMITS, b->keys);
    b->enc = batch_enc_new(BATCH_LIMITS, MIB);
    avro_side_init(&b->avro, schema);
    buf_init(&b->out, MIB);
    gen_init(&g, contexts, b->source);
    for (b->at = 0; b->at < BATCHES; b->at++) {
        make_batch(&g, contexts, &b->events[b->at]);
        encode_ours(b);
        buf_init(&b->bytes[b->at], MIB);
        buf_add_slice(&b->bytes[b->at], buf_slice(&b->out));
        avro_side_init(&b->filled[b->at], schema);
        avro_side_fill(&b->filled[b->at], &b->events[b->at]);
    }
    b->at = 0;
}

static void teardown(struct bench *b)
{
    for (int i = 0; i < BATCHES; i++) {
        buf_done(&b->bytes[i]);
        avro_side_done(&b->filled[i]);
    }
    avro_side_done(&b->avro);
    buf_done(&b->out);
    batch_dec_free(b->dec);
    batch_enc_free(b->enc);
    intern_free(b->keys);
    arena_free(b->arena);
    arena_free(b->source);
}

/* Both readers give the events that went in; both writers the same bytes. */
static void verify(struct bench *b)
{
    for (b->at = 0; b->at < BATCHES; b->at++) {
        decode_ours(b);
        for (uint32_t i = 0; i < EVENTS; i++) {
            if (!rec_same(&b->events[b->at].events[i], &b->decoded.events[i])) {
                die("verify", "our decoder changed an event");
            }
        }
        decode_avro(b);
        const char *differs = avro_side_differs(&b->avro, &b->decoded);
        if (differs != NULL) {
            die("verify: avro-c's reader differs", differs);
        }
        write_only_avro(b);
        if (!slice_eq(buf_slice(&b->out), buf_slice(&b->bytes[b->at]))) {
            /* The order of map entries is the writer's own; then by content. */
            if (b->out.len != b->bytes[b->at].len) {
                die("verify", "avro-c's writer writes another length");
            }
        }
    }
    b->at = 0;
}

/* --- measuring --- */

struct result {
    double ns, low, high, allocations; /* per event: median, best, worst round */
};

static int by_value(const void *x, const void *y)
{
    double a = *(const double *)x, b = *(const double *)y;
    return (a > b) - (a < b);
}

/* One round: at least ROUND_MS of CPU time, whole turns over all batches. */
static double one_round(struct bench *b, void (*fn)(struct bench *), int ms,
                        double *ret_allocations)
{
    uint64_t before = allocations;
    int64_t start = clock_cpu_ns(), used = 0;
    uint64_t events = 0;
    while (used < (int64_t)ms * CLOCK_NS_PER_MS) {
        for (b->at = 0; b->at < BATCHES; b->at++) {
            fn(b);
        }
        events += BATCHES * EVENTS;
        used = clock_cpu_ns() - start;
    }
    b->at = 0;
    *ret_allocations = (double)(allocations - before) / (double)events;
    return (double)used / (double)events;
}

/* The sides take turns, so that a slow second of the machine meets all of them. */
static void measure(struct bench *b, void (*const *fns)(struct bench *), int n, int rounds, int ms,
                    struct result *ret)
{
    double ns[4][ROUNDS_MAX];
    for (int round = -1; round < rounds; round++) { /* -1: to warm up */
        for (int i = 0; i < n; i++) {
            double t = one_round(b, fns[i], round < 0 ? ms / 4 : ms, &ret[i].allocations);
            if (round >= 0) {
                ns[i][round] = t;
            }
        }
    }
    for (int i = 0; i < n; i++) {
        qsort(ns[i], (size_t)rounds, sizeof ns[i][0], by_value);
        ret[i].ns = ns[i][rounds / 2];
        ret[i].low = ns[i][0];
        ret[i].high = ns[i][rounds - 1];
    }
}

static void print_row(uint32_t contexts, const char *what, const struct result *r,
                      const struct result *ours)
{
    printf("| %8u | %-26s | %8.1f | %6.1f-%-7.1f | %10.0f | %8.2f | %12.4f |\n", contexts, what,
           r->ns, r->low, r->high, 1e9 / r->ns, r->ns / ours->ns, r->allocations);
}

static void run(uint32_t contexts, int rounds, int ms)
{
    static const char *const names[] = {"decode", "decode, avro-c", "encode", "encode, avro-c",
                                        "encode, avro-c write only"};
    void (*const decoders[])(struct bench *) = {decode_ours, decode_avro};
    void (*const encoders[])(struct bench *) = {encode_ours, encode_avro, write_only_avro};
    struct bench *b = MEM_NEW(struct bench);
    struct result r[5];
    setup(b, contexts);
    verify(b);
    measure(b, decoders, 2, rounds, ms, r);
    measure(b, encoders, 3, rounds, ms, r + 2);
    verify(b);
    for (int i = 0; i < 5; i++) {
        print_row(contexts, names[i], &r[i], &r[i < 2 ? 0 : 2]);
    }
    if (contexts == 10) {
        double per_event = (double)b->bytes[0].len / EVENTS;
        printf("| %8u | %-26s | %8.1f |\n", contexts, "bytes per event", per_event);
    }
    teardown(b);
    mem_free(b);
}

int main(int argc, char **argv)
{
    bool quick = argc > 1 && strcmp(argv[1], "quick") == 0;
    long given = argc > 1 && !quick ? strtol(argv[1], NULL, 10) : 5;
    int rounds = quick ? 1 : (int)MIN(MAX(given, 1), (long)ROUNDS_MAX);
    printf("100 events per batch, 8 context and 6 payload attributes, CPU time, median of %d\n\n",
           rounds);
    printf("| contexts | what                       | ns/event | low-high       | events/s   | "
           "x ours   | allocs/event |\n"
           "|----------|----------------------------|----------|----------------|------------|"
           "----------|--------------|\n");
    static const uint32_t contexts[] = {1, 10, 100};
    for (size_t i = 0; i < ARRAY_LEN(contexts); i++) {
        run(contexts[i], rounds, quick ? ROUND_MS / 4 : ROUND_MS);
    }
    return 0;
}
