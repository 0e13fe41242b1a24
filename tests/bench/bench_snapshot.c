/* SPDX-License-Identifier: Apache-2.0
 *
 * Snapshots of a large state, on the embedded bus: how long a task that has input waits while one
 * is made, and how fast a state is restored. One task holds a window of rows with long texts, and
 * beside it the distinct ones by node. It is filled as fast as it goes; half of that rate is the
 * load under which a snapshot is made; then it ends with another one, which is restored. With
 * `events` it holds a named window of events instead, which need more bytes per event at hand; with
 * `table` a table with a row for each; with `context` a partition for each node, with its rows;
 * with `pattern` each event as a beginning that waits; with `match` what match_recognize keeps by
 * node; with `join` two windows and what finds their events by key; with `unique` the last event of
 * each of many keys; with `batch` a batch that is gathered; with `order` events in the order of
 * their own times; with `groups` a window for each node; with `subquery` one of a subquery's own;
 * with `kept` rows that wait to be put out; with `last` a group for each event, with its last row;
 * and what is large in one place: with `lone` one partition of match_recognize, with `until` what
 * an until collects, with `distinct` the keys of one every-distinct, with `list` one group that
 * keeps its events.
 *
 *     bench_snapshot [MIB [KIND [DIR]]]
 *     bench_snapshot restore KIND DIR
 *
 * It is restored five times, each by a process of its own: as after a restart, memory is new. (On a
 * virtual machine whose host takes back what lies free the first is slower: system time tells.)
 * With a directory, an empty one, the log stays there, to be restored again by the second form.
 *
 * A gap ends with a step in which inputs were taken. It begins with the end of the step before that
 * took some, or when the oldest of them was readable, whichever is later: all that time input was
 * there and none was taken. What was done in the last step is in it, so it is never too small.
 */
#include "core/base/mem.h"
#include "core/base/vec.h"
#include "core/event/batch_enc.h"
#include "core/event/frame.h"
#include "core/event/schema.h"
#include "operators/shard/layout.h"
#include "operators/shard/slot_impl.h"
#include "tests/bench/bench_bus.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PER_RECORD = 200, NODES = 50000, TEXT = 200, AHEAD = 8, RECORDS_MAX = 1 << 20 };
enum { PER_MIB = 2100 /* events */ };

/* What the time between two takes goes to. */
enum phase { WAIT, POLL, EVENTS, SLICES, INPUTS, COMMIT, REST, PHASES };
static const char *const phase_names[PHASES] = {
    "waiting", "polling", "events", "slices", "inputs", "commit", "the rest of the step"};

struct bench {
    struct bus *bus;
    struct bus_client *c;
    struct layout *layout;
    struct slot *slot;
    uint64_t events; /* to fill it */
    const char *graph;
    int64_t last; /* end of the last step that took something */
    int64_t cpu;  /* of the thread, then */
    VEC(double) gaps, cpu_gaps;
    int64_t spent[PHASES];                        /* since the last step that took something */
    double worst, worst_cpu, worst_spent[PHASES]; /* ms: of the worst gap by CPU time */
    bool again;

    pthread_t sender;
    _Atomic uint64_t put, upto; /* put: records that are readable; since when: */
    _Atomic int64_t put_at[RECORDS_MAX];
    _Atomic int64_t per_second; /* 0: as fast as it goes */
    _Atomic bool stop;
};

/* ---- the load: a thread ---- */

/* Contexts are told apart by where they stand. */
struct event {
    char node[24], text[TEXT + 1];
    struct val_pair where[1];
    struct rec_context context;
};

static void add_event(struct batch_enc *enc, struct event *e, uint64_t n)
{
    struct err err;
    (void)snprintf(e->node, sizeof e->node, "node-%llu", (unsigned long long)(n * 7919 % NODES));
    (void)snprintf(e->text, sizeof e->text, "%0*llu", TEXT, (unsigned long long)n);
    e->where[0] = val_pair(SLICE("k8s.node.name"), val_string(slice_str(e->node)));
    e->context = (struct rec_context){e->where, 1, 0};
    struct val_pair p[] = {val_pair(SLICE("name"), val_string(slice_str(e->text))),
                           val_pair(SLICE("value"), val_double((double)n))};
    struct rec r = {.ts = INT64_C(1700000000000000000) + (int64_t)n * 1000,
                    .kind = REC_METRIC,
                    .context = &e->context,
                    .type = SLICE("Metric"),
                    .payload = p,
                    .payload_len = 2};
    must(batch_enc_add(enc, &r, &err), &err, "an event");
}

static void put_record(struct bus_client *c, struct bus_writer *out, struct batch_enc *enc,
                       struct buf *bytes, uint64_t from)
{
    static struct event events[PER_RECORD]; /* of the one thread that sends */
    struct err err;
    batch_enc_begin(enc, SLICE("bench"), 0);
    for (uint64_t i = 0; i < PER_RECORD; i++) {
        add_event(enc, &events[i], from + i);
    }
    buf_clear(bytes);
    (void)frame_put(bytes, FRAME_SINGLE, schema_file_print(SLICE("event_batch.avsc")));
    must(batch_enc_end(enc, bytes, &err), &err, "a batch");
    const struct bus_put put = {
        .to = {bus_topic(c, SLICE("metrics")), 0}, .value = buf_slice(bytes), .token = 3};
    must(bus_put(out, &put, &err), &err, "a record");
}

static void *send(void *arg)
{
    struct bench *b = arg;
    struct bus_client *c = bus_client_new(b->bus, "sender");
    const struct clock *clock = bus_clock(c);
    struct bus_writer *out = NULL;
    struct batch_enc *enc = batch_enc_new(BATCH_LIMITS, 1 << 20);
    struct buf bytes;
    struct err err;
    uint64_t n = 0, paced_from = 0;
    int64_t rate = 0, began = 0;
    buf_init(&bytes, 1 << 20);
    must(bus_open(c, SLICE(""), 2, &out, &err), &err, "a writer");
    wait_for(c, 2, 1);
    while (!atomic_load(&b->stop)) {
        if (rate != atomic_load(&b->per_second)) {
            rate = atomic_load(&b->per_second);
            began = clock_mono(clock);
            paced_from = n;
        }
        double due = (double)(clock_mono(clock) - began) / 1e9 * (double)rate;
        if (n >= atomic_load(&b->upto) || (rate > 0 && (double)(n - paced_from) > due)) {
            (void)usleep(1000);
            continue;
        }
        for (uint32_t i = 0; i < (rate > 0 ? 1 : AHEAD); i++, n += PER_RECORD) {
            put_record(c, out, enc, &bytes, n);
        }
        wait_for(c, 3, rate > 0 ? 1 : AHEAD);
        for (uint64_t i = atomic_load(&b->put); i < n / PER_RECORD; i++) {
            atomic_store(&b->put_at[i % RECORDS_MAX], clock_mono(clock));
        }
        atomic_store(&b->put, n / PER_RECORD);
    }
    bus_writer_close(out);
    bus_client_free(c);
    batch_enc_free(enc);
    buf_done(&bytes);
    return NULL;
}

/* ---- the task ---- */

static int64_t thread_cpu_ns(void)
{
    struct rusage r;
    (void)getrusage(RUSAGE_THREAD, &r);
    return (r.ru_utime.tv_sec + r.ru_stime.tv_sec) * CLOCK_NS_PER_S +
           (r.ru_utime.tv_usec + r.ru_stime.tv_usec) * INT64_C(1000);
}

#define LEVEL                                                                                      \
    "apiVersion: kaiju/v1\nkind: RuleGraph\nname: large\nlevels:\n"                                \
    "  - name: metrics\n    bound: 0s\n    partitions: 1\n    epl: |\n"

/* One that reached the limit would lose the match, and hold less than is asked for. */
#define UNBOUNDED "    limits: {state: 1000000000000}\n"

/* What the task holds. */
static const struct kind {
    const char *name, *graph;
} kinds[] = {
    {"rows", LEVEL
     "      @name('large') insert into Out select node, count(*) as n, count(distinct name) as d\n"
     "        from Metric#time(30 days) group by node having count(*) < 0;\n" UNBOUNDED},
    {"events",
     LEVEL "      create window Held#keepall (node string, name string, value double);\n"
           "      insert into Held select node, name, value from Metric;\n"
           "      on Metric(value < 0) as m insert into Out select h.node from Held as h;\n"},
    {"table",
     LEVEL "      create table Kept(name string primary key, node string, value double);\n"
           "      on Metric as m merge Kept as k where k.name = m.name\n"
           "        when matched then update set value = m.value\n"
           "        when not matched then insert select m.name as name, m.node as node, m.value as "
           "value;\n"
           "      on Metric(value < 0) as m insert into Out select k.node from Kept as k;\n"},
    {"context", LEVEL
     "      create context Each partition by node from Metric;\n"
     "      context Each insert into Out select node, sum(value) as s, count(distinct name) as d\n"
     "        from Metric#time(30 days) having count(*) < 0;\n"},
    {"pattern", LEVEL "      insert into Out select a.node as node from pattern\n"
                      "        [every a=Metric -> b=Metric(name = a.name and value < 0)];\n"},
    {"match",
     LEVEL "      insert into Out select * from Metric match_recognize (partition by node\n"
           "        measures a.node as node pattern (a b* c) define c as c.value < 0);\n"},
    {"join", LEVEL "      insert into Out select a.node as node from Metric#keepall as a,\n"
                   "        Metric(value < 0)#keepall as b where a.name = b.name;\n"},
    {"unique", LEVEL "      insert into Out select irstream name as n from Metric#unique(name)\n"
                     "        having name is null;\n"},
    {"batch", LEVEL "      insert into Out select * from Metric#time_batch(30 days);\n"},
    {"order", LEVEL "      insert into Out select rstream name as n from\n"
                    "        Metric#time_order(cast(value, long), 30000 days);\n"},
    {"groups", LEVEL "      insert into Out select rstream name as n from\n"
                     "        Metric#groupwin(node)#length(100000);\n"},
    {"subquery", LEVEL "      insert into Out select (select last(node) from Metric#keepall) as n\n"
                       "        from Metric(value < 0);\n"},
    {"kept", LEVEL "      insert into Out select node, name, value from Metric\n"
                   "        output every 30 days;\n"},
    {"last", LEVEL "      insert into Out select name, node, value, count(*) as c from Metric\n"
                   "        group by name output last every 30 days;\n"},
    {"lone", LEVEL "      insert into Out select * from Metric match_recognize (\n"
                   "        measures a.node as node pattern (a b* c)\n"
                   "        define a as a.value = 0, c as c.value < 0);\n" UNBOUNDED},
    {"until", LEVEL "      insert into Out select b.node as node from pattern\n"
                    "        [a=Metric until b=Metric(value < 0)];\n"},
    {"distinct", LEVEL "      insert into Out select a.node as node from pattern\n"
                       "        [every-distinct(a.name) a=Metric] where a.value < 0;\n"},
    {"list", LEVEL "      insert into Out select maxby(value) as m, window(*) as w\n"
                   "        from Metric#time(30 days) having count(*) < 0;\n"},
};

static const char *graph_of(const char *kind)
{
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        if (strcmp(kinds[i].name, kind) == 0) {
            return kinds[i].graph;
        }
    }
    fprintf(stderr, "no kind '%s'\n", kind);
    exit(1);
}

static void lay_out(struct bench *b)
{
    const struct layout_conf conf = {.raw_parts = 1};
    struct err err;
    must(layout_make(arena_new(NULL, "graph", 256 << 20), slice_str(b->graph), &conf, &b->layout,
                     &err),
         &err, "the graph");
    if (b->layout->n_groups != 1 || b->layout->groups[0].parts != 1) {
        fprintf(stderr, "the graph is not one task\n");
        exit(1);
    }
}

static struct slot_one *one(const struct bench *b)
{
    return b->slot->tasks.ptr[0];
}

static void begin(struct bench *b, const char *name)
{
    const struct slot_conf conf = {.name = slice_str(name),
                                   .commit_ns = 10 * CLOCK_NS_PER_MS,
                                   .snapshot_ns = 3600 * CLOCK_NS_PER_S};
    struct slot_task task = b->layout->groups[0].tasks[0];
    struct err err;
    task.from_start = true;
    must(slot_new(b->c, &conf, &task, 1, &b->slot, &err), &err, "the slot");
    one(b)->snap.due = INT64_MAX; /* when it is told */
}

static void note_gap(struct bench *b, int64_t gap, int64_t cpu)
{
    double ms = (double)gap / 1e6, cpu_ms = (double)MIN(gap, cpu) / 1e6;
    *VEC_PUSH(&b->gaps) = ms;
    *VEC_PUSH(&b->cpu_gaps) = cpu_ms;
    if (cpu_ms < b->worst_cpu) {
        return;
    }
    b->worst = ms;
    b->worst_cpu = cpu_ms;
    for (int i = 0; i < PHASES; i++) {
        b->worst_spent[i] = (double)b->spent[i] / 1e6;
    }
}

/* One step; true: something was taken. */
static bool step(struct bench *b, uint64_t *ret_oldest)
{
    static const enum phase of[SLOT_PARTS] = {
        [SLOT_PART_SLICES] = SLICES, [SLOT_PART_INPUTS] = INPUTS, [SLOT_PART_COMMIT] = COMMIT};
    struct task *t = slot_task(b->slot, 0);
    uint64_t before = task_counts(t).taken;
    int64_t began = slot_now(b->slot), parts = 0, was[SLOT_PARTS];
    memcpy(was, b->slot->spent, sizeof was);
    *ret_oldest = task_counts(t).events / PER_RECORD;
    b->again = slot_step(b->slot);
    for (int i = 0; i < SLOT_PARTS; i++) {
        b->spent[of[i]] += b->slot->spent[i] - was[i];
        parts += b->slot->spent[i] - was[i];
    }
    b->spent[REST] += slot_now(b->slot) - began - parts;
    return slot_tasks(b->slot) > 0 && task_counts(t).taken != before;
}

/* As a worker does: one step, then a look at the bus. */
static void pass(struct bench *b)
{
    enum { MANY = 64 };
    struct bus_ev ev[MANY];
    int64_t began = slot_now(b->slot);
    bus_wait(b->c, b->again ? 0 : 2 * CLOCK_NS_PER_MS);
    int64_t waited = slot_now(b->slot);
    int n = bus_poll(b->c, ev, MANY);
    int64_t polled = slot_now(b->slot);
    for (int i = 0; i < n; i++) {
        slot_on_event(b->slot, &ev[i]);
    }
    b->spent[WAIT] += waited - began;
    b->spent[POLL] += polled - waited;
    b->spent[EVENTS] += slot_now(b->slot) - polled;
    uint64_t readable = atomic_load(&b->put), oldest;
    bool took = step(b, &oldest);
    if (slot_state(b->slot) == SLOT_LOST) {
        fprintf(stderr, "lost: %s\n", slot_why(b->slot));
        exit(1);
    }
    if (!took) {
        return;
    }
    int64_t now = slot_now(b->slot), cpu = thread_cpu_ns();
    if (oldest < readable) {
        int64_t since = atomic_load(&b->put_at[oldest % RECORDS_MAX]);
        note_gap(b, now - MAX(since, b->last), cpu - b->cpu);
    }
    memset(b->spent, 0, sizeof b->spent);
    b->cpu = cpu;
    b->last = now;
}

static uint64_t taken(const struct bench *b)
{
    return task_counts(slot_task(b->slot, 0)).events;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static void tell(const char *what, double *v, size_t n)
{
    qsort(v, n, sizeof *v, by_size);
    printf("    %s: p50 %.2f ms, p99 %.2f ms, p99.9 %.2f ms, worst %.2f ms\n", what, v[n / 2],
           v[n * 99 / 100], v[n * 999 / 1000], v[n - 1]);
}

static void forget_gaps(struct bench *b)
{
    VEC_CLEAR(&b->gaps);
    VEC_CLEAR(&b->cpu_gaps);
    b->worst = b->worst_cpu = 0;
}

static void tell_gaps(struct bench *b, const char *when)
{
    size_t n = b->gaps.len;
    printf("%s: %zu gaps with input at hand\n", when, n);
    if (n > 0) {
        tell("by the clock", b->gaps.ptr, n);
        tell("CPU time of the thread", b->cpu_gaps.ptr, n);
        printf("    the worst by CPU time, %.2f ms of %.2f by the clock:", b->worst_cpu, b->worst);
        for (int i = 0; i < PHASES; i++) {
            printf("%s %s %.2f", i > 0 ? "," : "", phase_names[i], b->worst_spent[i]);
        }
        printf("\n");
    }
    forget_gaps(b);
}

static double fill(struct bench *b)
{
    int64_t began = slot_now(b->slot);
    uint64_t half = 0;
    int64_t half_at = began;
    while (taken(b) < b->events) {
        pass(b);
        if (half == 0 && taken(b) > b->events / 2) {
            half = taken(b);
            half_at = slot_now(b->slot);
        }
    }
    double rate = (double)(taken(b) - half) * 1e9 / (double)(slot_now(b->slot) - half_at);
    printf("filled with %llu events; %.0f events/s in the second half\n",
           (unsigned long long)taken(b), rate);
    return rate;
}

static void under_load(struct bench *b, double rate)
{
    forget_gaps(b);
    atomic_store(&b->per_second, (int64_t)(rate / 2));
    atomic_store(&b->upto, UINT64_MAX);
    for (int64_t until = slot_now(b->slot) + 3 * CLOCK_NS_PER_S; slot_now(b->slot) < until;) {
        pass(b);
    }
    tell_gaps(b, "half load");
    uint64_t done = slot_counts(b->slot).snapshots;
    int64_t began = slot_now(b->slot);
    uint64_t at = taken(b);
    one(b)->snap.due = 0;
    while (slot_counts(b->slot).snapshots == done) {
        pass(b);
    }
    double s = (double)(slot_now(b->slot) - began) / 1e9;
    struct slot_counts c = slot_counts(b->slot);
    printf("snapshot: %.1f MiB of chunks in %.2f s; %.0f events/s meanwhile\n",
           (double)c.snapshot_bytes / 1048576, s, (double)(taken(b) - at) / s);
    tell_gaps(b, "snapshot under half load");
    atomic_store(&b->stop, true);
    (void)pthread_join(b->sender, NULL);
}

static void leave(struct bench *b)
{
    slot_remove(b->slot, one(b)->conf.plan->lineage, SLOT_LEAVE_SAVED);
    while (slot_tasks(b->slot) > 0) {
        pass(b);
    }
    slot_free(b->slot);
}

static double seconds(struct timeval t)
{
    return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

/* Of the process. */
static double resident_mb(const char *what)
{
    char line[128];
    double kb = 0;
    FILE *f = fopen("/proc/self/status", "r");
    while (f != NULL && fgets(line, sizeof line, f) != NULL) {
        if (strncmp(line, what, strlen(what)) == 0) {
            kb = strtod(line + strlen(what), NULL);
        }
    }
    if (f != NULL) {
        (void)fclose(f);
    }
    return kb * 1024 / 1e6;
}

static void restore(struct bench *b)
{
    begin(b, "again.0");
    struct rusage from, to;
    (void)getrusage(RUSAGE_THREAD, &from);
    double before = resident_mb("VmRSS:");
    int64_t began = slot_now(b->slot), cpu = clock_cpu_ns();
    while (slot_state(b->slot) < SLOT_LIVE) {
        pass(b);
    }
    double s = (double)(slot_now(b->slot) - began) / 1e9;
    double cpu_s = (double)(clock_cpu_ns() - cpu) / 1e9;
    struct slot_counts c = slot_counts(b->slot);
    printf("restored %.1f MB of chunks in %.2f s: %.0f MB/s; %.2f CPU s; %llu journal records\n",
           (double)c.restored_bytes / 1e6, s, (double)c.restored_bytes / 1e6 / s, cpu_s,
           (unsigned long long)c.replayed);
    (void)getrusage(RUSAGE_THREAD, &to);
    double user = seconds(to.ru_utime) - seconds(from.ru_utime);
    double sys = seconds(to.ru_stime) - seconds(from.ru_stime);
    printf("    of the thread: %.2f s user, %.2f s system, %.0f MB per s; %ld page faults\n", user,
           sys, (double)c.restored_bytes / 1e6 / (user + sys), to.ru_minflt - from.ru_minflt);
    printf("    resident: %.0f MB before, %.0f after, %.0f at most\n", before,
           resident_mb("VmRSS:"), resident_mb("VmHWM:"));
    slot_free(b->slot);
}

static void run_again(const char *dir, const char *kind)
{
    pid_t pid = fork();
    int status = 1;
    if (pid == 0) {
        (void)execl("/proc/self/exe", "bench_snapshot", "restore", kind, dir, (char *)NULL);
        _exit(1);
    }
    if (waitpid(pid, &status, 0) != pid || status != 0) {
        fprintf(stderr, "it was not restored\n");
        exit(1);
    }
}

static void bench_open(struct bench *b, const char *dir, const char *kind)
{
    mem_tune();
    setvbuf(stdout, NULL, _IOLBF, 0);
    b->graph = graph_of(kind);
    b->c = open_bus(&b->bus, dir, 16L << 30, 1);
    lay_out(b);
}

static void bench_close(struct bench *b)
{
    VEC_DONE(&b->gaps);
    VEC_DONE(&b->cpu_gaps);
    bus_client_free(b->c);
    bus_free(b->bus);
}

int main(int argc, char **argv)
{
    enum { TIMES = 5 };
    static struct bench b;
    const char *kind = argc > 2 ? argv[2] : "rows";
    if (argc > 3 && strcmp(argv[1], "restore") == 0) {
        bench_open(&b, argv[3], kind);
        restore(&b);
        bench_close(&b);
        return 0;
    }
    uint64_t mib = argc > 1 ? strtoull(argv[1], NULL, 10) : 1024;
    char own[] = "/tmp/kaiju-bench-XXXXXX", command[64];
    const char *dir = argc > 3 ? argv[3] : mkdtemp(own);
    if (dir == NULL) {
        return 1;
    }
    b.events = mib * PER_MIB / PER_RECORD * PER_RECORD;
    atomic_store(&b.upto, b.events);
    bench_open(&b, dir, kind);
    begin(&b, "first.0");
    (void)pthread_create(&b.sender, NULL, send, &b);
    under_load(&b, fill(&b));
    leave(&b);
    bench_close(&b);
    for (int i = 0; i < TIMES; i++) {
        run_again(dir, kind);
    }
    (void)snprintf(command, sizeof command, "rm -r %s", own);
    return argc > 3 ? 0 : system(command) != 0;
}
