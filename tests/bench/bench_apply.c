/* SPDX-License-Identifier: Apache-2.0
 *
 * What neighbours feel of a graph that is applied: a graph of one rule runs in a slot on the
 * embedded bus, an input each few milliseconds; then graphs of many rules are applied to the same
 * slot, changed, and removed. For each of these the longest time from an input of the neighbour
 * to where its output could be read, by the clock and by the CPU that slot and bus had meanwhile,
 * which does not depend on what else runs; at first without any of it, since a commit takes its
 * time. And how long it took until all tasks had what they were given to do.
 *
 *     bench_apply [RULES [GRAPHS]]
 */
#include "core/base/mem.h"
#include "core/base/vec.h"
#include "core/event/batch_dec.h"
#include "core/event/batch_enc.h"
#include "core/event/frame.h"
#include "core/event/schema.h"
#include "operators/shard/worker.h"
#include "tests/bench/bench_bus.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { INPUTS_MAX = 1 << 20, TEXT_MAX = 16 << 20, TAG_READ = 10, TAG_PUT = 3, PATIENCE_S = 120 };

#define EVERY_NS (5 * CLOCK_NS_PER_MS)
#define LEAST_NS CLOCK_NS_PER_S /* of each part */

struct bench {
    struct bus *bus;
    struct bus_client *c;
    struct bus_writer *out;
    struct bus_reader *in;
    struct clock clock;
    struct intern *keys;
    struct batch_dec *dec;
    struct batch_enc *enc;
    struct arena *arena;
    struct worker *worker;
    struct laid *neighbour;
    VEC(struct laid *) laid, were; /* of the graphs that come and go; they went */
    VEC(struct worker_want) wants;
    uint32_t put, seen, rules, graphs;
    struct moment {
        int64_t ns, cpu_ns; /* cpu: of the threads but this one */
    } * at, worst;          /* when it was put; how long at most */
    int64_t next;
};

/* ---- inputs and outputs ---- */

static struct moment moment(const struct bench *b)
{
    struct timespec mine;
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &mine);
    return (struct moment){clock_mono(&b->clock),
                           clock_cpu_ns() - mine.tv_sec * CLOCK_NS_PER_S - mine.tv_nsec};
}

static void look(struct bench *b, const struct bus_record *x)
{
    struct rec_batch batch;
    struct err err;
    arena_reset(b->arena);
    if (x->value.len == 0) {
        return;
    }
    struct slice body = slice_sub(x->value, FRAME_SINGLE_BYTES, x->value.len);
    must(batch_dec_read(b->dec, b->arena, body, &batch, &err), &err, "an output");
    for (uint32_t i = 0; i < batch.events_len; i++) {
        const struct rec *r = &batch.events[i];
        if (slice_eq(r->type, SLICE("Seen"))) {
            const struct val *v = rec_find_text(r->payload, r->payload_len, SLICE("value"));
            const struct moment now = moment(b), at = b->at[(uint32_t)v->d];
            b->worst.ns = MAX(b->worst.ns, now.ns - at.ns);
            b->worst.cpu_ns = MAX(b->worst.cpu_ns, now.cpu_ns - at.cpu_ns);
            b->seen++;
        }
    }
}

static void add_event(struct bench *b, const char *name)
{
    static const struct rec_context none = {NULL, 0, 0};
    struct err err;
    struct val_pair p[] = {val_pair(SLICE("name"), val_string(slice_str(name))),
                           val_pair(SLICE("value"), val_double(b->put))};
    struct rec r = {.ts = clock_wall(&b->clock),
                    .kind = REC_METRIC,
                    .context = &none,
                    .type = SLICE("Metric"),
                    .payload = p,
                    .payload_len = 2};
    must(batch_enc_add(b->enc, &r, &err), &err, "an event");
}

/* What the neighbour waits for, and one for a rule of a graph. */
static void put(struct bench *b)
{
    struct buf bytes;
    struct err err;
    char name[16];
    (void)snprintf(name, sizeof name, "m%u", b->put % (b->rules * b->graphs));
    buf_init(&bytes, 1 << 20);
    batch_enc_begin(b->enc, SLICE("bench"), 0);
    add_event(b, "load");
    add_event(b, name);
    (void)frame_put(&bytes, FRAME_SINGLE, schema_file_print(SLICE("event_batch.avsc")));
    must(batch_enc_end(b->enc, &bytes, &err), &err, "a batch");
    struct bus_put put = {
        .to = {bus_topic(b->c, SLICE("metrics")), 0}, .value = buf_slice(&bytes), .token = TAG_PUT};
    b->at[b->put++] = moment(b);
    must(bus_put(b->out, &put, &err), &err, "a record");
    buf_done(&bytes);
}

/* Some milliseconds of inputs. */
static void go_on(struct bench *b)
{
    struct bus_ev ev[64];
    int64_t now = clock_mono(&b->clock);
    if (now >= b->next && b->put < INPUTS_MAX) {
        put(b);
        b->next = now + EVERY_NS;
    }
    bus_wait(b->c, CLOCK_NS_PER_MS);
    for (int n = bus_poll(b->c, ev, 64), i = 0; i < n; i++) {
        for (uint32_t k = 0; ev[i].kind == BUS_EV_RECORDS && k < ev[i].count; k++) {
            look(b, &ev[i].records[k]);
        }
    }
}

/* ---- graphs ---- */

static void add_rule(struct buf *to, uint32_t i)
{
    static const char *const rules[] = {
        "insert into O%u select value from Metric(name='m%u')",
        "insert into O%u select avg(value) v from Metric(name='m%u')#time(60)",
        "insert into O%u select value from Metric(name='m%u', value>5)",
        "insert into O%u select count(*) n from Metric where name='m%u'",
    };
    (void)buf_addf(to, "      @name('r%u') ", i);
    (void)buf_addf(to, rules[i % ARRAY_LEN(rules)], i, i);
    (void)buf_add_str(to, ";\n");
}

static struct laid *lay_out(const char *name, uint32_t rules, uint32_t from)
{
    struct arena *a = arena_new(NULL, "graph", (size_t)1 << 30);
    const struct layout_conf conf = {.raw_parts = 1};
    struct layout *l = NULL;
    struct err err;
    struct buf text;
    buf_init(&text, TEXT_MAX);
    (void)buf_addf(&text,
                   "apiVersion: kaiju/v1\nkind: RuleGraph\nname: %s\nlevels:\n"
                   "  - name: metrics\n    bound: 0s\n    epl: |\n",
                   name);
    if (rules == 0) {
        (void)buf_add_str(&text, "      @name('seen') insert into Seen select value from "
                                 "Metric(name = 'load');\n");
    }
    if (rules > 0) { /* the graph is concerned from the first input on */
        (void)buf_add_str(&text, "      insert into Load select max(value) v from "
                                 "Metric(name='load')#time(60);\n");
    }
    for (uint32_t i = from; i < from + rules; i++) {
        add_rule(&text, i);
    }
    must(layout_make(a, buf_slice(&text), &conf, &l, &err), &err, "a graph");
    buf_done(&text);
    return laid_new(l, a, 1);
}

static void want(struct bench *b)
{
    VEC_CLEAR(&b->wants);
    *VEC_PUSH(&b->wants) = (struct worker_want){.laid = b->neighbour};
    VEC_EACH (&b->laid, l) {
        for (uint32_t g = 0; g < (*l)->layout->n_groups; g++) {
            for (uint32_t i = 0; i < (*l)->layout->groups[g].parts; i++) {
                *VEC_PUSH(&b->wants) = (struct worker_want){.laid = *l, .group = g, .part = i};
            }
        }
    }
    (void)worker_run(b->worker, b->wants.ptr, (uint32_t)b->wants.len);
}

/* The slot is told what it shall run now. */
static void take_over(struct bench *b)
{
    want(b);
    VEC_EACH (&b->were, l) {
        laid_unref(*l);
    }
    VEC_CLEAR(&b->were);
}

/* What came while rules were laid out is no matter here. */
static void catch_up(struct bench *b)
{
    do {
        go_on(b);
    } while (b->seen < b->put);
}

/* With one rule less and one more than before. */
static void lay_all(struct bench *b, uint32_t from)
{
    char name[32];
    for (uint32_t i = 0; i < b->graphs; i++) {
        (void)snprintf(name, sizeof name, "many%u", i);
        struct laid *l = lay_out(name, b->rules, i * b->rules + from);
        if (i < b->laid.len) {
            laid_ends(b->laid.ptr[i], l->layout);
            *VEC_PUSH(&b->were) = b->laid.ptr[i];
            b->laid.ptr[i] = l;
        } else {
            *VEC_PUSH(&b->laid) = l;
        }
    }
    catch_up(b);
    take_over(b);
}

static void remove_all(struct bench *b)
{
    static const struct layout none = {.n_groups = 0};
    while (b->laid.len > 0) {
        struct laid *l = *VEC_LAST(&b->laid);
        laid_ends(l, &none);
        *VEC_PUSH(&b->were) = l;
        b->laid.len--;
    }
    take_over(b);
}

/* All tasks are there, and have done what waited for them. */
static bool is_settled(struct bench *b)
{
    uint32_t n = 0, stay = 0;
    bool settled = worker_is_live(b->worker);
    const struct worker_task *t = worker_tasks(b->worker, &n);
    for (uint32_t i = 0; i < n; i++) {
        settled &= t[i].counts.taken > 0 && t[i].lag.amid_ns == 0 && t[i].lag.records < 100;
        stay += !t[i].leaving;
        if (t[i].why[0] != '\0') {
            fprintf(stderr, "%s\n", t[i].why);
        }
    }
    return settled && stay == b->wants.len;
}

static void measure(struct bench *b, const char *what)
{
    int64_t began = clock_mono(&b->clock), took = 0;
    uint32_t seen = b->seen;
    b->worst = (struct moment){0, 0};
    while (took == 0 || clock_mono(&b->clock) - began < LEAST_NS || b->seen < b->put - 10) {
        go_on(b);
        int64_t now = clock_mono(&b->clock) - began;
        took = took == 0 && is_settled(b) ? now : took;
        if (now > PATIENCE_S * CLOCK_NS_PER_S) {
            fprintf(stderr, "%s: it does not come to an end\n", what);
            exit(1);
        }
    }
    printf("%-8s %6.0f ms until all run, %5u inputs, longest %6.1f ms, %6.1f of CPU\n", what,
           (double)took / 1e6, b->seen - seen, (double)b->worst.ns / 1e6,
           (double)b->worst.cpu_ns / 1e6);
    (void)fflush(stdout);
}

/* ---- all of it ---- */

static void begin(struct bench *b, const char *dir)
{
    struct err err;
    const struct worker_conf conf = {
        .name = "slot", .commit_ns = 10 * CLOCK_NS_PER_MS, .snapshot_ns = 10 * CLOCK_NS_PER_S};
    b->clock = clock_system();
    b->keys = intern_new(10000, 1000000);
    b->dec = batch_dec_new(BATCH_LIMITS, b->keys);
    b->enc = batch_enc_new(BATCH_LIMITS, 1 << 20);
    b->arena = arena_new(NULL, "outputs", 1 << 26);
    b->at = mem_calloc(INPUTS_MAX, sizeof *b->at);
    b->c = open_bus(&b->bus, dir, (size_t)4 << 30, 1);
    must(bus_open(b->c, SLICE(""), 2, &b->out, &err), &err, "a writer");
    wait_for(b->c, 2, 1);
    b->in = bus_reader_new(b->c);
    must(bus_assign(b->in, (struct bus_tp){bus_topic(b->c, SLICE("events")), 0}, BUS_FROM_START,
                    TAG_READ, &err),
         &err, "a reader");
    b->worker = worker_new(b->bus, &conf);
    b->neighbour = lay_out("neighbour", 0, 0);
    want(b);
    while (!worker_is_live(b->worker)) {
        (void)usleep(1000);
    }
}

static void end(struct bench *b)
{
    worker_free(b->worker);
    laid_unref(b->neighbour);
    VEC_DONE(&b->laid);
    VEC_DONE(&b->were);
    VEC_DONE(&b->wants);
    bus_reader_free(b->in);
    bus_writer_close(b->out);
    bus_client_free(b->c);
    bus_free(b->bus);
    batch_dec_free(b->dec);
    batch_enc_free(b->enc);
    intern_free(b->keys);
    arena_free(b->arena);
    mem_free(b->at);
}

static uint32_t number(int argc, char **argv, int i, uint32_t otherwise)
{
    return argc > i ? (uint32_t)strtoul(argv[i], NULL, 10) : otherwise;
}

int main(int argc, char **argv)
{
    struct bench b = {.rules = number(argc, argv, 1, 1000), .graphs = number(argc, argv, 2, 1)};
    char dir[] = "/tmp/kaiju-bench-XXXXXX", command[64];
    if (mkdtemp(dir) == NULL) {
        return 1;
    }
    begin(&b, dir);
    measure(&b, "alone");
    lay_all(&b, 0);
    measure(&b, "apply");
    measure(&b, "beside");
    lay_all(&b, 1);
    measure(&b, "change");
    remove_all(&b);
    measure(&b, "remove");
    end(&b);
    (void)snprintf(command, sizeof command, "rm -r %s", dir);
    return system(command) != 0;
}
