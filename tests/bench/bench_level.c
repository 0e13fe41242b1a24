/* SPDX-License-Identifier: Apache-2.0
 *
 * What an event of one stateful level costs between the bus and its rows: the level and the metrics
 * of bench_rules_kafka, in one slot on the embedded bus, CPU time of the process. The records are
 * there before it is measured, so that instructions can be counted stage by stage:
 *
 *     bench_level [EVENTS]
 *     valgrind --tool=callgrind --toggle-collect=slot_step bench_level 200000
 */
#include "core/base/vec.h"
#include "core/event/batch_enc.h"
#include "core/event/frame.h"
#include "core/event/schema.h"
#include "operators/shard/worker.h"
#include "tests/bench/bench_bus.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { PARTS = 4, PER_RECORD = 500, KEYS = 1000, RUN = 10, BYTES_MAX = 1 << 20 };
#define STEP_NS 100000 /* of event time between two values */

static const char graph[] =
    "apiVersion: kaiju/v1\nkind: RuleGraph\nname: load\nlevels:\n  - name: metrics\n    epl: |\n"
    "      create context Tens initiated @now and pattern [every timer:interval(10 sec)] "
    "terminated after 10 sec; @name('load') context Tens insert into Load select service, "
    "count(*) as n, sum(value) as total, max(value) as top from Metric group by service output "
    "snapshot when terminated;\n";

struct bench {
    struct bus *bus;
    struct bus_client *c;
    struct bus_writer *out;
    struct batch_enc *enc[PARTS];
    struct buf bytes;
};

static void flush(struct bench *b, uint32_t part)
{
    struct err err;
    buf_clear(&b->bytes);
    (void)frame_put(&b->bytes, FRAME_SINGLE, schema_file_print(SLICE("event_batch.avsc")));
    must(batch_enc_end(b->enc[part], &b->bytes, &err), &err, "a batch");
    struct bus_put put = {
        .to = {bus_topic(b->c, SLICE("metrics")), part}, .value = buf_slice(&b->bytes), .token = 3};
    must(bus_put(b->out, &put, &err), &err, "a record");
    wait_for(b->c, 3, 1);
}

/* One of 1,000 services, ten values at a time, as somebody who sends ten metrics of himself. */
static void put_event(struct bench *b, uint32_t i)
{
    uint32_t key = i / RUN % KEYS, part = key % PARTS;
    char name[24], pod[40];
    struct err err;
    (void)snprintf(name, sizeof name, "service-%03u", key);
    (void)snprintf(pod, sizeof pod, "service-%03u-7d9c5b6f4-x2x9z", key);
    struct val_pair where[] = {
        val_pair(SLICE("service.name"), val_string(slice_str(name))),
        val_pair(SLICE("k8s.pod.name"), val_string(slice_str(pod))),
        val_pair(SLICE("k8s.namespace.name"), val_string(SLICE("shop"))),
    };
    struct rec_context context = {where, ARRAY_LEN(where), 0};
    struct val_pair payload[] = {
        val_pair(SLICE("name"), val_string(SLICE("container_memory_working_set_bytes"))),
        val_pair(SLICE("unit"), val_string(SLICE("By"))),
        val_pair(SLICE("metric_type"), val_string(SLICE("gauge"))),
        val_pair(SLICE("value"), val_double(i % 997)),
    };
    struct rec r = {.ts = INT64_C(1700000000000000000) + (int64_t)i * STEP_NS,
                    .kind = REC_METRIC,
                    .context = &context,
                    .type = SLICE("Metric"),
                    .payload = payload,
                    .payload_len = ARRAY_LEN(payload)};
    r.ingest_ts = r.ts;
    memcpy(r.id.bytes, &i, sizeof i);
    must(batch_enc_add(b->enc[part], &r, &err), &err, "an event");
    batch_enc_contexts_moved(b->enc[part]);
    if (batch_enc_count(b->enc[part]) == PER_RECORD) {
        flush(b, part);
    }
}

static void put_events(struct bench *b, uint32_t n)
{
    buf_init(&b->bytes, BYTES_MAX);
    for (uint32_t p = 0; p < PARTS; p++) {
        b->enc[p] = batch_enc_new(BATCH_LIMITS, BYTES_MAX);
        batch_enc_begin(b->enc[p], SLICE("bench"), 0);
    }
    for (uint32_t i = 0; i < n; i++) {
        put_event(b, i);
    }
    for (uint32_t p = 0; p < PARTS; p++) {
        if (batch_enc_count(b->enc[p]) > 0) {
            flush(b, p);
        }
        batch_enc_free(b->enc[p]);
    }
    buf_done(&b->bytes);
}

static struct laid *lay_out(void)
{
    struct arena *a = arena_new(NULL, "graph", 256 << 20);
    const struct layout_conf conf = {.raw_parts = PARTS};
    struct layout *l = NULL;
    struct err err;
    must(layout_make(a, slice_str(graph), &conf, &l, &err), &err, "the graph");
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

static void measure(struct bench *b, uint32_t events)
{
    const struct worker_conf conf = {
        .name = "level", .commit_ns = 200 * CLOCK_NS_PER_MS, .from_start = true};
    struct worker_want wants[PARTS];
    struct laid *l = lay_out();
    uint32_t n = 0;
    for (uint32_t k = 0; k < l->layout->n_groups; k++) {
        for (uint32_t p = 0; p < l->layout->groups[k].parts && n < PARTS; p++) {
            wants[n++] = (struct worker_want){.laid = l, .group = k, .part = p};
        }
    }
    struct worker *w = worker_new(b->bus, &conf);
    int64_t began = clock_cpu_ns();
    (void)worker_run(w, wants, n);
    while (taken(w) < events) {
        (void)usleep(50000);
        if (worker_look(w).why[0] != '\0') {
            fprintf(stderr, "%s\n", worker_look(w).why);
            exit(1);
        }
    }
    double s = (double)(clock_cpu_ns() - began) / 1e9;
    printf("%u tasks, %u events: %.3f CPU s, %.0f ns per event\n", n, events, s, s * 1e9 / events);
    worker_free(w);
    laid_unref(l);
}

int main(int argc, char **argv)
{
    struct bench b = {0};
    uint32_t events = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : 1000000;
    char dir[] = "/tmp/kaiju-bench-XXXXXX", command[64];
    struct err err;
    if (mkdtemp(dir) == NULL) {
        return 1;
    }
    b.c = open_bus(&b.bus, dir, (size_t)4 << 30, PARTS);
    must(bus_open(b.c, SLICE(""), 2, &b.out, &err), &err, "a writer");
    wait_for(b.c, 2, 1);
    put_events(&b, events);
    measure(&b, events);
    bus_writer_close(b.out);
    bus_client_free(b.c);
    bus_free(b.bus);
    (void)snprintf(command, sizeof command, "rm -r %s", dir);
    return system(command) != 0;
}
