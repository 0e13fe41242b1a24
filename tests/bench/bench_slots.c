/* SPDX-License-Identifier: Apache-2.0
 *
 * What it costs that rules stand in graphs of their own: the same rules over the same events as one
 * graph and as one graph each, in one slot on the embedded bus, CPU seconds of the process while
 * they are read, without those of the thread that looks whether they are. Begin included: each run
 * is of new tasks. A run is short, so there are several, in turns; a ratio is that of two runs next
 * to each other, and the median of all is told. Over half of the events, and over all of them: the
 * difference is what an event costs once all tasks have begun.
 *
 *     bench_slots [RULES [EVENTS [ROUNDS]]]
 */
#include "core/base/vec.h"
#include "core/event/batch_enc.h"
#include "core/event/frame.h"
#include "core/event/schema.h"
#include "operators/shard/worker.h"
#include "tests/bench/bench_bus.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { PARTS = 4, PER_RECORD = 200, NAMES = 100, TEXT_MAX = 1 << 20, ROUNDS_MAX = 99 };

struct bench {
    struct bus *bus;
    struct bus_client *c;
    struct bus_writer *out;
    uint32_t rules, events; /* events: that are there */
    uint32_t rounds, runs;  /* runs: so far */
    int64_t ts;             /* of the last */
};

static void put_events(struct bench *b, uint32_t more)
{
    struct batch_enc *enc = batch_enc_new(BATCH_LIMITS, 1 << 20);
    struct buf bytes;
    struct err err;
    char name[16];
    buf_init(&bytes, 1 << 20);
    for (uint32_t end = b->events + more; b->events < end; b->events += PER_RECORD) {
        uint32_t at = b->events;
        batch_enc_begin(enc, SLICE("bench"), 0);
        for (uint32_t i = 0; i < PER_RECORD; i++) {
            (void)snprintf(name, sizeof name, "m%u", (at / PER_RECORD * 7 + i) % NAMES);
            struct val_pair where[] = {val_pair(SLICE("k8s.node.name"), val_string(SLICE("n1")))};
            struct rec_context context = {where, 1, 0};
            struct val_pair p[] = {val_pair(SLICE("name"), val_string(slice_str(name))),
                                   val_pair(SLICE("value"), val_double(i))};
            struct rec r = {.ts = b->ts += 100000,
                            .kind = REC_METRIC,
                            .context = &context,
                            .type = SLICE("Metric"),
                            .payload = p,
                            .payload_len = 2};
            must(batch_enc_add(enc, &r, &err), &err, "an event");
        }
        (void)frame_put(&bytes, FRAME_SINGLE, schema_file_print(SLICE("event_batch.avsc")));
        must(batch_enc_end(enc, &bytes, &err), &err, "a batch");
        struct bus_put put = {.to = {bus_topic(b->c, SLICE("metrics")), at / PER_RECORD % PARTS},
                              .value = buf_slice(&bytes),
                              .token = 3};
        must(bus_put(b->out, &put, &err), &err, "a record");
        wait_for(b->c, 3, 1);
        buf_clear(&bytes);
    }
    buf_done(&bytes);
    batch_enc_free(enc);
}

/* Rules from..to as a graph of one level. */
static struct laid *lay_out(const char *name, uint32_t from, uint32_t to)
{
    struct arena *a = arena_new(NULL, "graph", 256 << 20);
    const struct layout_conf conf = {.raw_parts = PARTS};
    struct layout *l = NULL;
    struct err err;
    struct buf text;
    buf_init(&text, TEXT_MAX);
    (void)buf_addf(&text,
                   "apiVersion: kaiju/v1\nkind: RuleGraph\nname: %s\nlevels:\n"
                   "  - name: metrics\n    bound: 0s\n    epl: |\n",
                   name);
    for (uint32_t i = from; i < to; i++) {
        (void)buf_addf(&text,
                       "      @name('r%u') insert into Out%u select node, value from Metric(name = "
                       "'m%u', value > %u);\n",
                       i, i, i, PER_RECORD - 2);
    }
    must(layout_make(a, buf_slice(&text), &conf, &l, &err), &err, "a graph");
    buf_done(&text);
    return laid_new(l, a, 1);
}

static uint64_t taken(struct worker *w)
{
    uint32_t n = 0;
    uint64_t sum = 0;
    const struct worker_task *t = worker_tasks(w, &n);
    for (uint32_t i = 0; i < n; i++) {
        sum += t[i].counts.taken;
    }
    return sum;
}

static int64_t cpu_of_others(void)
{
    struct timespec mine;
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &mine);
    return clock_cpu_ns() - mine.tv_sec * CLOCK_NS_PER_S - mine.tv_nsec;
}

static double measure(struct bench *b, uint32_t graphs)
{
    char name[32];
    (void)snprintf(name, sizeof name, "run%ux", b->runs++);
    const struct worker_conf conf = {
        .name = name, .commit_ns = 10 * CLOCK_NS_PER_MS, .from_start = true};
    VEC(struct worker_want) wants = {0};
    VEC(struct laid *) all = {0};
    uint32_t each = b->rules / graphs;
    char text[64];
    for (uint32_t i = 0; i < graphs; i++) {
        (void)snprintf(text, sizeof text, "%s%u", name, i);
        struct laid *l = lay_out(text, i * each, (i + 1) * each);
        *VEC_PUSH(&all) = l;
        for (uint32_t k = 0; k < l->layout->groups[0].parts; k++) {
            *VEC_PUSH(&wants) = (struct worker_want){.laid = l, .part = k};
        }
    }
    struct worker *w = worker_new(b->bus, &conf);
    int64_t began = cpu_of_others();
    (void)worker_run(w, wants.ptr, (uint32_t)wants.len);
    while (taken(w) < (uint64_t)b->events * graphs) {
        (void)usleep(50000);
        if (worker_look(w).why[0] != '\0') {
            fprintf(stderr, "%s\n", worker_look(w).why);
            exit(1);
        }
    }
    double s = (double)(cpu_of_others() - began) / 1e9;
    worker_free(w);
    VEC_EACH (&all, l) {
        laid_unref(*l);
    }
    VEC_DONE(&all);
    VEC_DONE(&wants);
    return s;
}

struct figures { /* of all rounds: CPU seconds, and how many times as much */
    double one[ROUNDS_MAX], each[ROUNDS_MAX], ratio[ROUNDS_MAX];
};

static int by_size(const void *a, const void *b)
{
    const double *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

/* Puts them in order. */
static double median(double *v, uint32_t n)
{
    qsort(v, n, sizeof *v, by_size);
    return (v[(n - 1) / 2] + v[n / 2]) / 2;
}

static void take_turns(struct bench *b, struct figures *f)
{
    for (uint32_t i = 0; i < b->rounds; i++) {
        f->one[i] = measure(b, 1);
        f->each[i] = measure(b, b->rules);
        f->ratio[i] = f->each[i] / f->one[i];
        printf("%u events, one graph %.0f ns per event, %u graphs %.0f: %.2f times\n", b->events,
               f->one[i] * 1e9 / b->events, b->rules, f->each[i] * 1e9 / b->events, f->ratio[i]);
    }
}

static uint32_t number(int argc, char **argv, int i, uint32_t otherwise)
{
    return argc > i ? (uint32_t)strtoul(argv[i], NULL, 10) : otherwise;
}

int main(int argc, char **argv)
{
    struct bench b = {.rules = number(argc, argv, 1, 50),
                      .rounds = MIN(MAX(number(argc, argv, 3, 7), 1u), (uint32_t)ROUNDS_MAX),
                      .ts = INT64_C(1700000000000000000)};
    uint32_t half = number(argc, argv, 2, 400000) / 2, n = b.rounds;
    char dir[] = "/tmp/kaiju-bench-XXXXXX", command[64];
    struct figures f[2]; /* half of the events, all */
    double one[2], each[2];
    struct err err;
    if (mkdtemp(dir) == NULL) {
        return 1;
    }
    b.c = open_bus(&b.bus, dir, (size_t)4 << 30, PARTS);
    must(bus_open(b.c, SLICE(""), 2, &b.out, &err), &err, "a writer");
    wait_for(b.c, 2, 1);
    for (int i = 0; i < 2; i++) {
        put_events(&b, half);
        take_turns(&b, &f[i]);
        one[i] = median(f[i].one, n);
        each[i] = median(f[i].each, n);
    }
    double times = median(f[1].ratio, n);
    printf("graphs of their own cost %.2f times as much (median of %u; %.2f to %.2f), %.0f and "
           "%.0f ns per event; once they have begun, %.2f times, %.0f and %.0f ns (of medians)\n",
           times, n, f[1].ratio[0], f[1].ratio[n - 1], each[1] * 1e9 / b.events,
           one[1] * 1e9 / b.events, (each[1] - each[0]) / (one[1] - one[0]),
           (each[1] - each[0]) * 1e9 / half, (one[1] - one[0]) * 1e9 / half);
    bus_writer_close(b.out);
    bus_client_free(b.c);
    bus_free(b.bus);
    (void)snprintf(command, sizeof command, "rm -r %s", dir);
    return system(command) != 0;
}
