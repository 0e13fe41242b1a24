/* SPDX-License-Identifier: Apache-2.0
 *
 * The local bus at work: durable transactions every 10 ms after the retention limit has been passed
 * five times, and what the disk does by itself with the same bytes in the same run.
 *
 *     bench_bus_local [dir=DIR] [retention=MiB] [seconds=N] [rate=EVENTS] [parts=N] [passes=N]
 *
 * An event is 120 bytes, a record 100 events, records go round the partitions. Rows: `fill` passes
 * the limit, `paced` offers `rate` events a second, `flat out` as many as the bus takes; commit
 * times are from bus_commit to its event. Under each, what the disk does by itself with as many
 * bytes and one fdatasync every 10 ms: `append` to a new file, whose blocks must be found, and
 * `again` over a file of the retention's size, as the bus uses its own file; that one is the like
 * of the bus, the first is the yardstick of the target. The last line holds the two together.
 */
#include "core/base/clock.h"
#include "core/base/mem.h"
#include "core/base/vec.h"
#include "core/bus/bus.h"
#include "core/bus/bus_conf.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    EVENT_BYTES = 120,
    BATCH_EVENTS = 100,
    RECORD_BYTES = EVENT_BYTES * BATCH_EVENTS,
    PATH_BYTES = 512,
    EVENTS_MAX = 64,
};

static const int64_t interval_ns = 10 * CLOCK_NS_PER_MS;
static const uint64_t mib = 1024 * 1024;

struct args {
    struct slice dir;
    uint64_t retention_mib, seconds, rate, parts, passes;
};

struct load {
    struct bus *bus;
    struct bus_client *client;
    struct bus_writer *writer;
    struct clock clock;
    struct bus_tp tp;
    uint32_t parts, next_part;
    char *payload;
    VEC(double) commit_ms;
    bool committing;
    int64_t commit_at;
    uint64_t records, committed_records, committing_records;
};

struct row {
    uint64_t events;
    double seconds, cpu_seconds, p50, p99, max;
    uint64_t commits, syncs;
};

static _Noreturn void die(const char *what, const struct err *err)
{
    fprintf(stderr, "bench_bus_local: %s: %s\n", what, err != NULL ? err->msg : "");
    exit(1);
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double quantile(double *sorted, size_t n, double q)
{
    return n > 0 ? sorted[(size_t)((double)(n - 1) * q)] : 0;
}

static void on_event(struct load *l, const struct bus_ev *ev)
{
    if (ev->err != NULL || ev->kind == BUS_EV_FENCED) {
        die(bus_ev_name(ev->kind), ev->err);
    }
    if (ev->kind == BUS_EV_COMMITTED) {
        l->committing = false;
        l->committed_records += l->committing_records;
        *VEC_PUSH(&l->commit_ms) =
            (double)(clock_mono(&l->clock) - l->commit_at) / (double)CLOCK_NS_PER_MS;
    }
}

static void poll_bus(struct load *l)
{
    struct bus_ev evs[EVENTS_MAX];
    int n;
    do {
        n = bus_poll(l->client, evs, EVENTS_MAX);
        for (int i = 0; i < n; i++) {
            on_event(l, &evs[i]);
        }
    } while (n > 0);
}

static void await(struct load *l, enum bus_ev_kind kind)
{
    struct bus_ev evs[EVENTS_MAX];
    for (;;) {
        int n = bus_poll(l->client, evs, EVENTS_MAX);
        for (int i = 0; i < n; i++) {
            on_event(l, &evs[i]);
            if (evs[i].kind == kind) {
                return;
            }
        }
        bus_wait(l->client, CLOCK_NS_PER_S);
    }
}

static bool put_record(struct load *l)
{
    struct err err;
    /* The payload moves on by a few bytes, so that no two records are equal. */
    struct bus_put put = {
        .to = {l->tp.topic, l->next_part},
        .key = SLICE("bench"),
        .value = slice_of(l->payload + (l->records * 16) % RECORD_BYTES, RECORD_BYTES)};
    int rc = bus_put(l->writer, &put, &err);
    if (rc == -ERR_AGAIN) {
        return false;
    }
    if (rc != 0) {
        die("put", &err);
    }
    l->next_part = (l->next_part + 1) % l->parts;
    l->records++;
    return true;
}

static void commit(struct load *l)
{
    struct err err;
    if (bus_commit(l->writer, 2, &err) != 0) {
        die("commit", &err);
    }
    l->committing = true;
    l->commit_at = clock_mono(&l->clock);
    l->committing_records = l->records - l->committed_records;
}

/* Offers records for so long, or until so many bytes; rate 0 = as many as are taken. */
static struct row run(struct load *l, double seconds, uint64_t bytes, uint64_t rate)
{
    int64_t begin = clock_mono(&l->clock), cpu = clock_cpu_ns(), next_commit = begin + interval_ns;
    uint64_t first = l->committed_records, base = l->records;
    uint64_t syncs = bus_stats(l->bus).syncs;
    VEC_CLEAR(&l->commit_ms);
    for (;;) {
        int64_t now = clock_mono(&l->clock);
        double passed = (double)(now - begin) / (double)CLOCK_NS_PER_S;
        if ((seconds > 0 && passed >= seconds) ||
            (bytes > 0 && (l->records - base) * RECORD_BYTES >= bytes)) {
            break;
        }
        double due = rate > 0 ? passed * (double)rate / BATCH_EVENTS : 1e18;
        int put = 0;
        while (put < 64 && (double)(l->records - base) < due && put_record(l)) {
            put++;
        }
        if (now >= next_commit && !l->committing) {
            commit(l);
            next_commit = now + interval_ns;
        }
        poll_bus(l);
        if (put == 0) {
            bus_wait(l->client, CLOCK_NS_PER_MS);
        }
    }
    while (l->committing || l->committed_records < l->records) {
        if (!l->committing) {
            commit(l);
        }
        await(l, BUS_EV_COMMITTED);
    }
    struct row row = {.events = (l->committed_records - first) * BATCH_EVENTS,
                      .commits = l->commit_ms.len,
                      .syncs = bus_stats(l->bus).syncs - syncs};
    row.seconds = (double)(clock_mono(&l->clock) - begin) / (double)CLOCK_NS_PER_S;
    row.cpu_seconds = (double)(clock_cpu_ns() - cpu) / (double)CLOCK_NS_PER_S;
    qsort(l->commit_ms.ptr, l->commit_ms.len, sizeof *l->commit_ms.ptr, by_value);
    row.p50 = quantile(l->commit_ms.ptr, l->commit_ms.len, 0.5);
    row.p99 = quantile(l->commit_ms.ptr, l->commit_ms.len, 0.99);
    row.max = quantile(l->commit_ms.ptr, l->commit_ms.len, 1);
    return row;
}

static void print_row(const char *name, const struct row *r)
{
    printf("%-10s %11.0f %8.1f %8.2f %8.2f %8.2f %8llu %8llu %12.0f\n", name,
           (double)r->events / r->seconds, (double)r->events * EVENT_BYTES / r->seconds / 1e6,
           r->p50, r->p99, r->max, (unsigned long long)r->commits, (unsigned long long)r->syncs,
           (double)r->events / r->cpu_seconds);
    fflush(stdout);
}

struct disk {
    double mb_s, p99; /* of append */
    double again_mb_s;
};

/* Writes so many records as fast as it goes, syncing every 10 ms; round and round a file of `wrap`
 * bytes, or on and on if that is 0. */
static struct disk run_disk(const struct load *l, int fd, uint64_t records, uint64_t wrap,
                            const char *name)
{
    VEC(double) ms = {0};
    int64_t begin = clock_mono(&l->clock), next = begin + interval_ns;
    uint64_t at = 0;
    for (uint64_t i = 0; i < records; i++) {
        const char *from = l->payload + (i * 16) % RECORD_BYTES;
        if (pwrite(fd, from, RECORD_BYTES, (off_t)at) != RECORD_BYTES) {
            die("writing the probe's file", NULL);
        }
        at = wrap > 0 && at + 2 * RECORD_BYTES > wrap ? 0 : at + RECORD_BYTES;
        int64_t now = clock_mono(&l->clock);
        if (now >= next || i + 1 == records) {
            if (fdatasync(fd) != 0) {
                die("syncing the probe's file", NULL);
            }
            next = clock_mono(&l->clock) + interval_ns;
            *VEC_PUSH(&ms) = (double)(next - interval_ns - now) / (double)CLOCK_NS_PER_MS;
        }
    }
    double seconds = (double)(clock_mono(&l->clock) - begin) / (double)CLOCK_NS_PER_S;
    qsort(ms.ptr, ms.len, sizeof *ms.ptr, by_value);
    struct disk d = {.mb_s = (double)(records * RECORD_BYTES) / seconds / 1e6,
                     .p99 = quantile(ms.ptr, ms.len, 0.99)};
    printf("  %-8s %11s %8.1f %8.2f %8.2f %8.2f %8s %8zu\n", name, "", d.mb_s,
           quantile(ms.ptr, ms.len, 0.5), d.p99, quantile(ms.ptr, ms.len, 1), "", ms.len);
    fflush(stdout);
    VEC_DONE(&ms);
    return d;
}

static struct disk print_disk(const struct args *a, const struct load *l, const struct row *r)
{
    char path[PATH_BYTES];
    snprintf(path, sizeof path, SLICE_FMT "/probe", SLICE_ARG(a->dir));
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0) {
        die("opening the probe's file", NULL);
    }
    uint64_t records = r->events / BATCH_EVENTS, wrap = a->retention_mib * mib;
    struct disk append = run_disk(l, fd, records, 0, "append");
    if (ftruncate(fd, 0) != 0 || fallocate(fd, 0, 0, (off_t)wrap) != 0) {
        die("sizing the probe's file", NULL);
    }
    for (uint64_t at = 0; at + RECORD_BYTES <= wrap; at += RECORD_BYTES) {
        if (pwrite(fd, l->payload, RECORD_BYTES, (off_t)at) != RECORD_BYTES) {
            die("filling the probe's file", NULL);
        }
    }
    if (fdatasync(fd) != 0) {
        die("syncing the probe's file", NULL);
    }
    append.again_mb_s = run_disk(l, fd, records, wrap, "again").mb_s;
    close(fd);
    unlink(path);
    return append;
}

/* The target: on a disk that appends 300 MB/s with syncs of 5 ms at most (p99), a million events a
 * second and commits of 20 ms (p99); on a slower one two fifths of its rate, here of the
 * greater of append and again. */
static void print_target(const struct row *paced, const struct row *flat, struct disk paced_disk,
                         struct disk flat_disk)
{
    bool fast = paced_disk.mb_s >= 300 && paced_disk.p99 <= 5;
    double rate = (double)paced->events / paced->seconds;
    double share = (double)flat->events * EVENT_BYTES / flat->seconds / 1e6 /
                   MAX(flat_disk.mb_s, flat_disk.again_mb_s);
    printf("disk: %.0f MB/s, sync p99 %.2f ms: %s\n", paced_disk.mb_s, paced_disk.p99,
           fast ? "fast" : "slow");
    printf("fast disk's target: %.2f M events/s (1), p99 %.2f ms (20): %s%s\n", rate / 1e6,
           paced->p99, rate >= 1e6 && paced->p99 <= 20 ? "met" : "missed",
           fast ? "" : " (does not apply)");
    printf("slow disk's target: %.2f of its rate (0.40): %s%s\n", share,
           share >= 0.4 ? "met" : "missed", fast ? " (does not apply)" : "");
}

static void open_bus(const struct args *a, struct load *l)
{
    char path[PATH_BYTES];
    struct err err;
    snprintf(path, sizeof path, SLICE_FMT "/bus", SLICE_ARG(a->dir));
    struct bus_conf conf = {.kind = BUS_LOCAL, .prefix = "bench.", .local = {.dir = path}};
    if (bus_new(&conf, &l->bus, &err) != 0) {
        die("bus_new", &err);
    }
    l->client = bus_client_new(l->bus, "bench");
    l->clock = *bus_clock(l->client);
    l->parts = (uint32_t)a->parts;
    l->tp.topic = bus_topic(l->client, SLICE("events"));
    struct bus_topic_spec spec = {.name = SLICE("events"),
                                  .partitions = l->parts,
                                  .cleanup = BUS_DELETE,
                                  .retention_ms = -1,
                                  .retention_bytes = (int64_t)(a->retention_mib * mib / a->parts)};
    if (bus_ensure(l->client, &spec, 1, 1, &err) != 0) {
        die("ensure", &err);
    }
    await(l, BUS_EV_DONE);
    if (bus_open(l->client, SLICE("bench"), 3, &l->writer, &err) != 0) {
        die("open", &err);
    }
    await(l, BUS_EV_OPENED);
    uint64_t x = 88172645463325252u;
    l->payload = mem_alloc((size_t)RECORD_BYTES * 2);
    for (size_t i = 0; i < (size_t)RECORD_BYTES * 2; i++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        l->payload[i] = (char)x;
    }
}

static bool parse_arg(struct args *a, struct slice arg)
{
    const struct {
        struct slice name;
        uint64_t *to;
    } numbers[] = {{SLICE("retention"), &a->retention_mib},
                   {SLICE("seconds"), &a->seconds},
                   {SLICE("rate"), &a->rate},
                   {SLICE("parts"), &a->parts},
                   {SLICE("passes"), &a->passes}};
    struct slice name;
    if (!slice_split(&arg, '=', &name)) {
        return false;
    }
    if (slice_eq(name, SLICE("dir"))) {
        a->dir = arg;
        return arg.len > 0 && arg.len < PATH_BYTES / 2;
    }
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
        if (slice_eq(name, numbers[i].name)) {
            return slice_to_u64(arg, numbers[i].to);
        }
    }
    return false;
}

int main(int argc, char **argv)
{
    char temporary[] = "/tmp/kaiju-bench-XXXXXX";
    struct args a = {.retention_mib = 512, .seconds = 6, .rate = 1200000, .parts = 32, .passes = 5};
    for (int i = 1; i < argc; i++) {
        if (!parse_arg(&a, slice_str(argv[i]))) {
            fprintf(stderr, "bench_bus_local: %s? See the head of its source.\n", argv[i]);
            return 2;
        }
    }
    bool own = a.dir.ptr == NULL;
    if (own) {
        a.dir = slice_str(mkdtemp(temporary));
    }
    struct load l = {.next_part = 0};
    open_bus(&a, &l);
    printf("%-10s %11s %8s %8s %8s %8s %8s %8s %12s\n", "row", "events/s", "MB/s", "p50 ms",
           "p99 ms", "max ms", "commits", "syncs", "events/cpu-s");
    struct row fill = run(&l, 0, a.passes * a.retention_mib * mib, 0);
    print_row("fill", &fill);
    struct row paced = run(&l, (double)a.seconds, 0, a.rate);
    print_row("paced", &paced);
    struct disk paced_disk = print_disk(&a, &l, &paced);
    struct row flat = run(&l, (double)a.seconds, 0, 0);
    print_row("flat out", &flat);
    struct disk flat_disk = print_disk(&a, &l, &flat);
    print_target(&paced, &flat, paced_disk, flat_disk);
    struct bus_stats stats = bus_stats(l.bus);
    printf("used %.0f MiB of retention %llu MiB\n", (double)stats.used_bytes / (double)mib,
           (unsigned long long)a.retention_mib);
    bus_client_free(l.client);
    bus_free(l.bus);
    VEC_DONE(&l.commit_ms);
    mem_free(l.payload);
    if (own) {
        char cmd[PATH_BYTES];
        snprintf(cmd, sizeof cmd, "rm -rf '%s'", temporary);
        return system(cmd) != 0;
    }
    return 0;
}
