/* SPDX-License-Identifier: Apache-2.0
 *
 * Decoded records as events of built-in types: what one costs, in ns of CPU time. Batches of 256
 * records of 8 targets with 12 context keys and 8 attributes; of a log record, a span, a metric,
 * and the first two in the shapes of the original. Beside the whole: without the two maps, as for
 * rules that do not ask for them; without remembering contexts; and by names alone (create schema),
 * with the columns of a log record that have equal names.
 *
 * Options: rounds (default 5; the best counts, the spread is printed).
 */
#include "core/base/arena.h"
#include "core/base/clock.h"
#include "core/event/val.h"
#include "operators/graph/eng.h"
#include "operators/sig/dat_intake.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    RECORDS = 256,
    TARGETS = 8,
    CONTEXT_KEYS = 12,
    KEYS = 16,
    ROUND_MS = 150,
    ARENA_MAX = 64 << 20
};

struct bench {
    struct arena *a;
    struct intern *keys;
    struct eng *eng;
    struct dat_intake *in;
    struct rec recs[RECORDS];
};

static void die(const char *what)
{
    fprintf(stderr, "bench_intake: %s\n", what);
    exit(1);
}

static struct val_pair pair(struct bench *b, const char *key, struct val v)
{
    struct val_pair p = val_pair(slice_str(key), v);
    p.key_id = intern_id(b->keys, slice_str(key));
    return p;
}

static struct rec_context *target(struct bench *b, int n)
{
    static const char *const names[CONTEXT_KEYS] = {
        "container.id",        "host.name",           "k8s.cluster.name", "k8s.container.name",
        "k8s.deployment.name", "k8s.namespace.name",  "k8s.node.name",    "k8s.pod.name",
        "kaiju.tenant",        "service.instance.id", "service.name",     "service.namespace",
    };
    struct rec_context *c = ARENA_NEW(b->a, struct rec_context);
    struct val_pair *p = arena_array(b->a, CONTEXT_KEYS, sizeof *p);
    for (int i = 0; i < CONTEXT_KEYS; i++) {
        char *v = arena_printf(b->a, "%s-value-%d", names[i], n);
        p[i] = pair(b, names[i], val_string(slice_str(v)));
    }
    *c = (struct rec_context){.pairs = p, .len = CONTEXT_KEYS, .index = (uint32_t)n};
    return c;
}

static uint32_t payload(struct bench *b, struct val_pair *p, int n)
{
    uint32_t k = 0;
    char *body = arena_printf(b->a, "GET /cart/%d took %d ms and failed with a timeout", n, n * 7);
    p[k++] = pair(b, "body", val_string(slice_str(body)));
    p[k++] = pair(b, "duration_ns", val_int(n * 1000000));
    p[k++] = pair(b, "http.method", val_string(SLICE("GET")));
    p[k++] = pair(b, "http.route", val_string(SLICE("/cart/{id}")));
    p[k++] = pair(b, "http.status_code", val_int(500));
    p[k++] = pair(b, "kind", val_string(SLICE("server")));
    p[k++] = pair(b, "monotonic", val_bool(true));
    p[k++] = pair(b, "name", val_string(SLICE("http.server.duration")));
    p[k++] = pair(b, "net.peer.ip", val_string(SLICE("10.0.0.1")));
    p[k++] = pair(b, "severity_number", val_int(17));
    p[k++] = pair(b, "severity_text", val_string(SLICE("ERROR")));
    p[k++] = pair(b, "status_code", val_string(SLICE("error")));
    p[k++] = pair(b, "thread.name", val_string(SLICE("worker-17")));
    p[k++] = pair(b, "user.id", val_string(SLICE("u-123456")));
    p[k++] = pair(b, "value", val_double(n * 0.5));
    p[k++] = pair(b, "version", val_string(SLICE("1.4.2")));
    return k;
}

static void make(struct bench *b, const char *type)
{
    struct rec_context *targets[TARGETS];
    for (int i = 0; i < TARGETS; i++) {
        targets[i] = target(b, i);
    }
    for (int i = 0; i < RECORDS; i++) {
        struct val_pair *p = arena_array(b->a, KEYS, sizeof *p);
        struct rec *r = &b->recs[i];
        *r = (struct rec){.ts = i, .ingest_ts = i, .context = targets[i * TARGETS / RECORDS]};
        r->payload = p;
        r->payload_len = payload(b, p, i);
        r->type = slice_str(type);
        r->type_id = intern_id(b->keys, r->type);
        memset(r->trace_id, i + 1, sizeof r->trace_id);
        memset(r->span_id, i + 1, sizeof r->span_id);
    }
}

static struct bench bench(enum builtin_world w, const char *record, bool by_name)
{
    struct bench b = {.a = arena_new(NULL, "bench", ARENA_MAX), .keys = intern_new(4096, 1 << 20)};
    struct buf text;
    struct err err;
    b.eng = eng_new(&(struct eng_conf){.on_rows = NULL});
    b.in = dat_intake_new(eng_heap(b.eng), b.keys);
    buf_init(&text, 1 << 20);
    if (by_name) {
        (void)buf_add_str(&text, "create schema LogRecord(body string, severity_number int, "
                                 "severity_text string, `service.name` string);");
    } else {
        builtin_epl(w, &text);
    }
    if (eng_deploy(b.eng, SLICE("types"), buf_slice(&text), &err) != 0) {
        die(err.msg);
    }
    buf_done(&text);
    const struct builtin_type *row = builtin_of_record(w, slice_str(record));
    const struct etype *t = eng_type(b.eng, by_name ? slice_str(record) : slice_str(row->name));
    if (by_name) {
        dat_intake_type(b.in, t);
    } else if (!dat_intake_builtin(b.in, t, w)) {
        die("no such type");
    }
    make(&b, record);
    return b;
}

static void done(struct bench *b)
{
    dat_intake_free(b->in);
    eng_free(b->eng);
    intern_free(b->keys);
    arena_free(b->a);
}

static double once(struct bench *b, bool begin)
{
    uint64_t n = 0;
    int64_t from = clock_cpu_ns(), spent = 0;
    while (spent < ROUND_MS * CLOCK_NS_PER_MS) {
        if (begin) {
            dat_intake_begin(b->in);
        }
        for (int i = 0; i < RECORDS; i++) {
            if (dat_intake_event(b->in, &b->recs[i]) == NULL) {
                die("a record without a type");
            }
            vheap_drain(eng_heap(b->eng));
        }
        n += RECORDS;
        spent = clock_cpu_ns() - from;
    }
    return (double)spent / (double)n;
}

static void skip(struct bench *b, const char *record, const char *col)
{
    const struct etype *t = eng_type(b->eng, slice_str(record));
    dat_intake_skip(b->in, t, (uint32_t)ety_col(t, slice_str(col)));
}

static void row(const char *what, enum builtin_world w, const char *record, bool maps, bool begin,
                bool by_name, int rounds)
{
    struct bench b = bench(w, record, by_name);
    double best = 1e18, worst = 0;
    if (!maps) {
        skip(&b, record, "context");
        skip(&b, record, "attributes");
    }
    for (int i = 0; i < rounds; i++) {
        double ns = once(&b, begin);
        best = ns < best ? ns : best;
        worst = ns > worst ? ns : worst;
    }
    printf("%-44s %8.0f ns  (to %.0f)  %6.2f M/s\n", what, best, worst, 1000 / best);
    done(&b);
}

int main(int argc, char **argv)
{
    int rounds = argc > 1 ? (int)strtol(argv[1], NULL, 10) : 5;
    rounds = rounds > 0 && rounds <= 100 ? rounds : 5;
    row("LogRecord", BUILTIN_KAIJU, "LogRecord", true, true, false, rounds);
    row("LogRecord without context() attributes()", BUILTIN_KAIJU, "LogRecord", false, true, false,
        rounds);
    row("LogRecord, contexts not remembered", BUILTIN_KAIJU, "LogRecord", true, false, false,
        rounds);
    row("Span", BUILTIN_KAIJU, "Span", true, true, false, rounds);
    row("Metric", BUILTIN_KAIJU, "Metric", true, true, false, rounds);
    row("FLog", BUILTIN_ORIGINAL, "LogRecord", true, true, false, rounds);
    row("Span of the original", BUILTIN_ORIGINAL, "Span", true, true, false, rounds);
    row("4 columns by name", BUILTIN_KAIJU, "LogRecord", true, true, true, rounds);
    return 0;
}
