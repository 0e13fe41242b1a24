/* SPDX-License-Identifier: Apache-2.0
 *
 * `kaiju epl bench`: events per second of one engine in one thread. Events are made in batches
 * before each measured stretch, as plain structs; measured is sending them, moving the clock, and
 * delivering rows to a listener that counts: in CPU time of this process, which other work on the
 * machine does not lengthen. Of several runs the best counts; with rounds, too, in which this
 * engine and the other one take turns: a virtual machine is slower for seconds at a time, and
 * either may meet that. Memory is the largest resident size of the process, so each file is
 * measured in a process of its own when there are several, and that size has the batch of waiting
 * events in it.
 */
#include "operators/cmd/cmd_batch.h"
#include "operators/cmd/cmd_epl.h"
#include "operators/cmd/cmd_gen.h"

#include "core/base/clock.h"
#include "core/base/mem.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    FILES_MAX = 1000,
    RULES_AT_A_TIME = 100,
    RULES_TEXT_MAX = 16 * 1024 * 1024,
    BATCH = 4096,
    RUNS = 3
};

struct result {
    bool ok;
    double best;   /* events per CPU second */
    double wall;   /* ... per second */
    double oracle; /* 0: not asked */
    int64_t events, deliveries, rows, rss_bytes;
    double allocs; /* per event, of the run that had the fewest */
};

struct bench {
    struct eng *eng;
    struct cmd_gen *gen;
    struct cmd_gen_item *items;
    struct cmd_batch *bytes; /* NULL: structs are sent */
    struct eng_reads *reads; /* by then; NULL */
    size_t batch;
    int64_t deliveries, rows, warmup, events, runs;
};

static void count_rows(void *arg, struct slice statement, const struct eng_rows *rows)
{
    struct bench *b = arg;
    (void)statement;
    b->deliveries++;
    b->rows += (int64_t)rows->n_nw;
}

static int deploy(struct bench *b, struct slice id, struct slice text, struct err *reterr)
{
    int rc = eng_deploy(b->eng, id, text, reterr);
    if (rc == 0 && b->reads != NULL) {
        eng_reads_add(b->reads, text);
    }
    return rc == 0 ? 0 : err_wrap(reterr, "%u:%u", reterr->line, reterr->col);
}

/* `text` with ${i} replaced. */
static void add_rule(struct buf *out, struct slice text, int64_t i)
{
    for (;;) {
        size_t at = slice_find_slice(text, SLICE("${i}"));
        (void)buf_add_slice(out, slice_sub(text, 0, at));
        if (at == text.len) {
            break;
        }
        (void)buf_addf(out, "%" PRId64, i);
        text = slice_sub(text, at + 4, text.len);
    }
    (void)buf_add_byte(out, '\n');
}

static int deploy_rules(struct bench *b, const json_t *rules, struct err *reterr)
{
    const json_t *epl = json_object_get(rules, "epl");
    int64_t n = json_integer_value(json_object_get(rules, "count"));
    struct slice text = slice_str(json_is_string(epl) ? json_string_value(epl) : "");
    struct buf out;
    int rc = 0;
    buf_init(&out, RULES_TEXT_MAX);
    for (int64_t i = 0; rc == 0 && i < n; i++) {
        add_rule(&out, text, i);
        if ((i + 1) % RULES_AT_A_TIME == 0 || i == n - 1) {
            char id[32];
            snprintf(id, sizeof id, "rules-%" PRId64, i);
            rc = buf_failed(&out) ? err_set(reterr, ERR_TOO_BIG, "the rules are too long")
                                  : deploy(b, slice_str(id), buf_slice(&out), reterr);
            buf_clear(&out);
        }
    }
    buf_done(&out);
    return rc;
}

static void drop(struct bench *b, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        evt_drop(eng_heap(b->eng), b->items[i].e);
    }
    vheap_drain(eng_heap(b->eng));
}

static int prepare(struct bench *b, size_t n, struct err *reterr)
{
    for (size_t i = 0; i < n; i++) {
        b->items[i] = cmd_gen_next(b->gen);
        (void)evt_keep(b->items[i].e);
    }
    vheap_drain(eng_heap(b->eng));
    if (b->bytes == NULL) {
        return 0;
    }
    int rc = cmd_batch_fill(b->bytes, b->items, n, reterr);
    drop(b, n);
    return rc;
}

static int send_all(struct bench *b, size_t n, struct err *reterr)
{
    if (b->bytes != NULL) {
        return cmd_batch_send(b->bytes, reterr);
    }
    for (size_t i = 0; i < n; i++) {
        if (b->items[i].advance_to >= 0) {
            eng_advance(b->eng, b->items[i].advance_to);
        }
        int rc = eng_send(b->eng, b->items[i].e, reterr);
        if (rc != 0) {
            return rc;
        }
    }
    return 0;
}

struct took {
    int64_t cpu_ns, wall_ns;
    uint64_t allocs;
};

/* Calls for memory so far, and objects that no free list had. */
static uint64_t allocations(struct bench *b)
{
    return mem_calls() + vheap_carved(eng_heap(b->eng));
}

/* `want` events; the time that sending them took. */
static int stretch(struct bench *b, int64_t want, struct took *ret, struct err *reterr)
{
    struct clock clock = clock_system();
    struct took t = {0, 0, 0};
    b->deliveries = b->rows = 0;
    for (int64_t done = 0; done < want;) {
        size_t n = (size_t)MIN((int64_t)b->batch, want - done);
        int rc = prepare(b, n, reterr);
        if (rc != 0) {
            return rc;
        }
        uint64_t allocs = allocations(b);
        int64_t wall = clock_mono(&clock), cpu = clock_cpu_ns();
        rc = send_all(b, n, reterr);
        t.cpu_ns += clock_cpu_ns() - cpu;
        t.wall_ns += clock_mono(&clock) - wall;
        t.allocs += allocations(b) - allocs;
        if (rc != 0) {
            return rc;
        }
        if (b->bytes == NULL) {
            drop(b, n);
        }
        done += (int64_t)n;
    }
    *ret = t;
    return 0;
}

static int measure(struct bench *b, struct result *ret, struct err *reterr)
{
    struct took t = {0, 0, 0};
    int rc = b->warmup > 0 ? stretch(b, b->warmup, &t, reterr) : 0;
    for (int64_t r = 0; rc == 0 && r < b->runs; r++) {
        rc = stretch(b, b->events, &t, reterr);
        if (rc == 0 && t.cpu_ns > 0 && t.wall_ns > 0) {
            double n = (double)b->events * 1e9;
            ret->best = MAX(ret->best, n / (double)t.cpu_ns);
            ret->wall = MAX(ret->wall, n / (double)t.wall_ns);
            double allocs = (double)t.allocs / (double)b->events;
            ret->allocs = r == 0 ? allocs : MIN(ret->allocs, allocs);
        }
    }
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    ret->rss_bytes = (int64_t)u.ru_maxrss * 1024;
    ret->events = b->events;
    ret->deliveries = b->deliveries;
    ret->rows = b->rows;
    return rc;
}

static int64_t whole(int64_t given, const json_t *object, const char *key, int64_t otherwise)
{
    const json_t *j = json_object_get(object, key);
    return given > 0 ? given : json_is_integer(j) ? json_integer_value(j) : otherwise;
}

static int bench_json(const struct cmd_opts *o, const json_t *j, struct result *ret,
                      struct err *reterr)
{
    const json_t *spec = json_object_get(j, "bench"), *epl = json_object_get(j, "epl");
    struct bench b = {.runs = o->runs > 0 ? o->runs : RUNS,
                      .batch = o->batch > 0 ? (size_t)o->batch : BATCH};
    b.warmup = whole(o->warmup, spec, "warmup", 50000);
    b.events = whole(o->events, spec, "events", 1000000);
    b.eng = eng_new(&(struct eng_conf){
        .on_rows = count_rows, .arg = &b, .causes = o->causes, .unshared = o->unshared});
    b.reads = o->from == 1 ? eng_reads_new() : NULL;
    b.bytes = o->from == 1 ? cmd_batch_new(b.eng, b.reads) : NULL;
    b.items = mem_calloc(b.batch, sizeof *b.items);
    int rc = deploy(&b, SLICE("main"), slice_str(json_is_string(epl) ? json_string_value(epl) : ""),
                    reterr);
    const json_t *rules = json_object_get(spec, "rules");
    if (rc == 0 && rules != NULL) {
        rc = deploy_rules(&b, rules, reterr);
    }
    if (rc == 0) {
        b.gen = cmd_gen_new(b.eng, spec, reterr);
        rc = b.gen != NULL ? measure(&b, ret, reterr) : -ERR_SYNTAX;
    }
    cmd_gen_free(b.gen);
    cmd_batch_free(b.bytes);
    eng_reads_free(b.reads);
    mem_free(b.items);
    eng_free(b.eng);
    return rc;
}

/* The figure of another engine: the number behind "BEST" in what it prints. */
static double ask_oracle(const struct cmd_opts *o, const char *file)
{
    char line[4096];
    struct buf b;
    double rate = 0;
    buf_init(&b, sizeof line);
    (void)buf_addf(&b, "%s --bench '%s'", o->oracle, file);
    if (o->events > 0) {
        (void)buf_addf(&b, " --events %" PRId64, o->events);
    }
    FILE *f = popen(buf_cstr(&b), "r");
    buf_done(&b);
    while (f != NULL && fgets(line, sizeof line, f) != NULL) {
        struct slice s = slice_trim(slice_str(line));
        size_t at = slice_find_slice(s, SLICE("BEST "));
        struct slice rest = slice_sub(s, at + 5, s.len), number;
        if (at < s.len && slice_split(&rest, ' ', &number)) {
            (void)slice_to_f64(number, &rate);
        }
    }
    if (f != NULL) {
        pclose(f);
    }
    return rate;
}

static void bench_file(const struct cmd_opts *o, const char *file, struct result *ret)
{
    struct err err;
    struct buf text;
    err_clear(&err);
    buf_init(&text, CMD_FILE_MAX);
    *ret = (struct result){.ok = false};
    json_t *j = NULL;
    int rc = buf_read_file(&text, file, &err);
    if (rc == 0) {
        j = cmd_json_parse(buf_slice(&text), &err);
        rc = j != NULL ? bench_json(o, j, ret, &err) : -ERR_SYNTAX;
    }
    if (rc != 0) {
        (void)err_wrap(&err, "%s", file);
        (void)cmd_fail(&err);
    }
    ret->ok = rc == 0;
    json_decref(j);
    buf_done(&text);
}

/* In a process of its own, whose largest size is then that of this file. */
static void bench_apart(const struct cmd_opts *o, const char *file, struct result *ret)
{
    int fds[2];
    *ret = (struct result){.ok = false};
    if (pipe(fds) != 0) {
        return;
    }
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        struct result r = {0};
        bench_file(o, file, &r);
        ssize_t n = write(fds[1], &r, sizeof r);
        _exit(n == (ssize_t)sizeof r ? 0 : 1);
    }
    close(fds[1]);
    struct result got;
    if (pid > 0 && read(fds[0], &got, sizeof got) == (ssize_t)sizeof got) {
        *ret = got;
    }
    close(fds[0]);
    while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR) {
    }
}

static void show(const struct cmd_opts *o, const char *file, const struct result *r)
{
    const char *slash = strrchr(file, '/');
    const char *name = slash != NULL ? slash + 1 : file;
    double mib = (double)r->rss_bytes / (1024 * 1024);
    if (!r->ok && o->format == CMD_JSON) {
        printf("{\"file\": \"%s\", \"failed\": true}\n", name);
        return;
    }
    if (!r->ok) {
        printf("%-32s failed\n", name);
        return;
    }
    if (o->format == CMD_JSON) {
        printf("{\"file\": \"%s\", \"events_per_s\": %.0f, \"wall_events_per_s\": %.0f, "
               "\"events\": %" PRId64 ", \"deliveries\": %" PRId64 ", \"rows\": %" PRId64
               ", \"rss_bytes\": %" PRId64 ", \"allocs_per_event\": %.4f"
               ", \"oracle_events_per_s\": %.0f}\n",
               name, r->best, r->wall, r->events, r->deliveries, r->rows, r->rss_bytes, r->allocs,
               r->oracle);
        return;
    }
    printf("%-32s %10.3f M/s %8.1f ns %10" PRId64 " rows %8.1f MiB", name, r->best / 1e6,
           r->best > 0 ? 1e9 / r->best : 0, r->rows, mib);
    if (o->allocs) {
        printf(" %9.4f allocs", r->allocs);
    }
    if (r->oracle > 0) {
        printf("  %6.2f times %.3f M/s", r->best / r->oracle, r->oracle / 1e6);
    }
    putchar('\n');
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The file itself, or the .json files of a directory in the order of their names. */
static size_t list_files(const char *path, char **files, size_t n)
{
    DIR *d = opendir(path);
    if (d == NULL) {
        if (n < FILES_MAX) {
            files[n++] = mem_dup(path, strlen(path));
        }
        return n;
    }
    size_t first = n;
    for (struct dirent *e; (e = readdir(d)) != NULL && n < FILES_MAX;) {
        if (!slice_ends(slice_str(e->d_name), SLICE(".json"))) {
            continue;
        }
        struct buf b;
        buf_init(&b, 8192);
        (void)buf_addf(&b, "%s/%s", path, e->d_name);
        files[n++] = mem_dup(b.ptr, b.len);
        buf_done(&b);
    }
    closedir(d);
    qsort(files + first, n - first, sizeof *files, by_name);
    return n;
}

static void show_mean(const struct cmd_opts *o, double logs, double ratio_logs, size_t n)
{
    double mean = exp(logs / (double)n);
    double ratio = o->oracle != NULL ? exp(ratio_logs / (double)n) : 0;
    if (o->format == CMD_JSON) {
        printf("{\"files\": %zu, \"geometric_mean_events_per_s\": %.0f, \"ratio\": %.3f}\n", n,
               mean, ratio);
    } else {
        printf("%-32s %10.3f M/s", "geometric mean", mean / 1e6);
        if (ratio > 0) {
            printf("  %6.2f times", ratio);
        }
        putchar('\n');
    }
}

/* One file: in rounds, of which the best counts, for the other engine as well. */
static void bench_rounds(const struct cmd_opts *o, const char *file, bool apart, struct result *ret)
{
    int64_t rounds = MAX(o->rounds, 1);
    *ret = (struct result){.ok = true};
    for (int64_t i = 0; ret->ok && i < rounds; i++) {
        struct result r = {0};
        if (apart || rounds > 1) {
            bench_apart(o, file, &r);
        } else {
            bench_file(o, file, &r);
        }
        double other = r.ok && o->oracle != NULL ? ask_oracle(o, file) : 0;
        r.oracle = MAX(other, ret->oracle);
        r.best = MAX(r.best, ret->best);
        r.wall = MAX(r.wall, ret->wall);
        r.rss_bytes = MAX(r.rss_bytes, ret->rss_bytes);
        *ret = r;
    }
}

int cmd_bench(const struct cmd_opts *o)
{
    char *files[FILES_MAX];
    size_t n = 0, good = 0;
    double logs = 0, ratio_logs = 0;
    for (size_t i = 0; i < o->n_args; i++) {
        n = list_files(o->args[i], files, n);
    }
    for (size_t i = 0; i < n; i++) {
        struct result r = {0};
        bench_rounds(o, files[i], n > 1, &r);
        show(o, files[i], &r);
        fflush(stdout);
        if (r.ok && r.best > 0 && (o->oracle == NULL || r.oracle > 0)) {
            logs += log(r.best);
            ratio_logs += r.oracle > 0 ? log(r.best / r.oracle) : 0;
            good++;
        }
        mem_free(files[i]);
    }
    if (good > 1) {
        show_mean(o, logs, ratio_logs, good);
    }
    return n > 0 && good == n ? CMD_OK : CMD_FINDINGS;
}
