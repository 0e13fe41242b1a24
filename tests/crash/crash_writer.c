/* SPDX-License-Identifier: Apache-2.0
 *
 * The process that the crash tests start, kill, stop and cut the power of:
 *
 *     crash_writer work DIR SEED FIRST0 FIRST1 PLAIN   works until it is killed (crash_work.c)
 *     crash_writer count DIR N      commits N times alone: prints what the bus and the disk counted
 *     crash_writer group DIR N      16 slots commit N times each, all at a time: prints the same
 *     crash_writer full DIR         fills up, trims, goes on: prints what happened
 *     crash_writer tmpfs DIR MIB    the same on a real small disk, mounted for this process only
 *     crash_writer broken DIR       commits until a sync fails: prints how it ended
 *     crash_writer read DIR N       reads N records of `log` as another process: prints their hash
 *     crash_writer peek DIR         opens it read-only, tries to write: prints the errors
 *     crash_writer hold DIR         takes a read transaction and stands still
 *     crash_writer open DIR         opens the bus for writing: prints the error
 */
#include "core/base/hash.h"
#include "core/base/mem.h"
#include "tests/crash/crash_record.h"
#include "tests/crash/crash_work.h"
#include "tests/crash/powerloss.h"

#include <dlfcn.h>
#include <lmdb.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <unistd.h>

enum { EVENTS = 64, VALUE_BYTES = 100 * 1000, GROUP_SLOTS = 16 };

struct session {
    struct bus *bus;
    struct bus_client *client;
    struct bus_writer *writer;
    struct bus_tp tp;
};

static uint64_t number(const char *text)
{
    uint64_t n;
    if (!slice_to_u64(slice_str(text), &n)) {
        crash_die("not a number", NULL);
    }
    return n;
}

static struct session begin(const char *dir)
{
    struct session s = {.bus = crash_open(dir, false)};
    struct err err;
    s.client = bus_client_new(s.bus, "crash");
    crash_make_topics(s.client);
    s.tp.topic = bus_topic(s.client, SLICE("log"));
    if (bus_open(s.client, SLICE("s0"), 2, &s.writer, &err) != 0) {
        crash_die("open", &err);
    }
    (void)crash_await(s.client, BUS_EV_OPENED, 2);
    return s;
}

static void end(struct session *s)
{
    bus_client_free(s->client);
    bus_free(s->bus);
}

/* One record, one commit; the event that ended it. */
static struct bus_ev commit_one(struct session *s, const char *value, size_t bytes)
{
    struct bus_put put = {.to = s->tp, .value = slice_of(value, bytes)};
    struct bus_ev ev;
    struct err err;
    if (bus_put(s->writer, &put, &err) != 0 || bus_commit(s->writer, 3, &err) != 0) {
        crash_die("put and commit", &err);
    }
    while (bus_poll(s->client, &ev, 1) == 0) {
        bus_wait(s->client, CLOCK_NS_PER_S);
    }
    return ev;
}

static struct power_counts disk_counts(void)
{
    struct power_counts (*fn)(void) =
        (struct power_counts(*)(void))dlsym(RTLD_DEFAULT, "power_counts");
    return fn != NULL ? fn() : (struct power_counts){.syncs = 0};
}

struct counted {
    struct power_counts disk;
    uint64_t groups, commits;
};

static struct counted counted(const struct session *s)
{
    struct bus_stats stats = bus_stats(s->bus);
    return (struct counted){disk_counts(), stats.syncs, stats.commits};
}

static void print_counted(struct counted a, struct counted b)
{
    printf("commits %llu groups %llu syncs %llu synced_writes %llu\n",
           (unsigned long long)(b.commits - a.commits), (unsigned long long)(b.groups - a.groups),
           (unsigned long long)(b.disk.syncs - a.disk.syncs),
           (unsigned long long)(b.disk.synced_writes - a.disk.synced_writes));
}

static int count(const char *dir, uint64_t n)
{
    struct session s = begin(dir);
    struct counted before = counted(&s);
    for (uint64_t i = 0; i < n; i++) {
        struct bus_ev ev = commit_one(&s, "x", 1);
        if (ev.kind != BUS_EV_COMMITTED) {
            crash_die(bus_ev_name(ev.kind), ev.err);
        }
    }
    print_counted(before, counted(&s));
    end(&s);
    return 0;
}

static void commit_slot(struct session *s, struct bus_writer *w, uint64_t tag)
{
    struct bus_put put = {.to = s->tp, .value = SLICE("x")};
    struct err err;
    if (bus_put(w, &put, &err) != 0 || bus_commit(w, tag, &err) != 0) {
        crash_die("put and commit", &err);
    }
}

static int group(const char *dir, uint64_t n)
{
    struct session s = begin(dir);
    struct bus_writer *slots[GROUP_SLOTS];
    struct bus_ev evs[EVENTS];
    struct err err;
    for (uint64_t i = 0; i < GROUP_SLOTS; i++) {
        char name[8];
        int len = snprintf(name, sizeof name, "g%d", (int)i);
        if (bus_open(s.client, slice_of(name, (size_t)len), i, &slots[i], &err) != 0) {
            crash_die("open", &err);
        }
        (void)crash_await(s.client, BUS_EV_OPENED, i);
    }
    struct counted before = counted(&s);
    for (uint64_t i = 0; i < GROUP_SLOTS; i++) {
        commit_slot(&s, slots[i], i);
    }
    for (uint64_t done = 0, begun = GROUP_SLOTS; done < n * GROUP_SLOTS;) {
        int got = bus_poll(s.client, evs, EVENTS);
        for (int i = 0; i < got; i++, done++) {
            if (evs[i].kind != BUS_EV_COMMITTED) {
                crash_die(bus_ev_name(evs[i].kind), evs[i].err);
            }
            if (begun < n * GROUP_SLOTS) {
                commit_slot(&s, slots[evs[i].tag], evs[i].tag);
                begun++;
            }
        }
        if (got == 0) {
            bus_wait(s.client, CLOCK_NS_PER_S);
        }
    }
    print_counted(before, counted(&s));
    end(&s);
    return 0;
}

/* Commits until it ends otherwise; how many were committed. */
static uint64_t fill(struct session *s, const char *value, struct bus_ev *ret_ev)
{
    for (uint64_t n = 0;; n++) {
        *ret_ev = commit_one(s, value, VALUE_BYTES);
        if (ret_ev->kind != BUS_EV_COMMITTED) {
            return n;
        }
    }
}

static int full(const char *dir)
{
    struct session s = begin(dir);
    struct err err;
    struct bus_ev ev;
    char *value = mem_zalloc(VALUE_BYTES);
    uint64_t first = fill(&s, value, &ev);
    printf("first %llu %s: %s\n", (unsigned long long)first, bus_ev_name(ev.kind), ev.err->msg);
    if (bus_trim(s.client, s.tp, BUS_FROM_END, 4, &err) != 0) {
        crash_die("trim", &err);
    }
    (void)crash_await(s.client, BUS_EV_DONE, 4);
    if (bus_maintain(s.client, 5, &err) != 0) {
        crash_die("maintain", &err);
    }
    (void)crash_await(s.client, BUS_EV_DONE, 5);
    uint64_t second = fill(&s, value, &ev);
    printf("second %llu %s: %s\n", (unsigned long long)second, bus_ev_name(ev.kind), ev.err->msg);
    mem_free(value);
    end(&s);
    return 0;
}

/* The mount is seen by this process alone and goes with it. */
static int full_tmpfs(const char *dir, const char *mib)
{
    char options[32];
    snprintf(options, sizeof options, "size=%sm", mib);
    if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount("crash", dir, "tmpfs", 0, options) != 0) {
        printf("cannot mount\n");
        return 0;
    }
    return full(dir);
}

static int broken(const char *dir)
{
    struct session s = begin(dir);
    struct bus_ev ev;
    struct bus_writer *again = NULL;
    struct err err;
    char *value = mem_zalloc(VALUE_BYTES);
    uint64_t n = fill(&s, value, &ev);
    printf("committed %llu, then %s%s: %s\n", (unsigned long long)n, bus_ev_name(ev.kind),
           ev.reopen ? " reopen" : "", ev.err->msg);
    struct bus_put put = {.to = s.tp, .value = SLICE("v")};
    printf("put %s\n", err_name(-bus_put(s.writer, &put, &err)));
    bus_writer_close(s.writer);
    if (bus_open(s.client, SLICE("s0"), 6, &again, &err) == 0) {
        while (bus_poll(s.client, &ev, 1) == 0) {
            bus_wait(s.client, CLOCK_NS_PER_S);
        }
        printf("open %s: %s\n", bus_ev_name(ev.kind), ev.err != NULL ? ev.err->msg : "");
    }
    mem_free(value);
    end(&s);
    return 0;
}

static int read_records(const char *dir, uint64_t want)
{
    struct bus *bus = crash_open(dir, true);
    struct bus_client *client = bus_client_new(bus, "reader");
    struct bus_tp tp = {bus_topic(client, SLICE("log")), 0};
    struct bus_reader *r = bus_reader_new(client);
    struct hash_state *hash = hash_new();
    struct bus_ev evs[EVENTS];
    struct err err;
    uint64_t got = 0;
    if (bus_assign(r, tp, BUS_FROM_START, 1, &err) != 0) {
        crash_die("assign", &err);
    }
    while (got < want) {
        int n = bus_poll(client, evs, EVENTS);
        for (int i = 0; i < n; i++) {
            for (uint32_t j = 0; evs[i].kind == BUS_EV_RECORDS && j < evs[i].count; j++, got++) {
                const struct bus_record *rec = &evs[i].records[j];
                struct crash_record what;
                if (!crash_record_read(rec->value, &what)) {
                    crash_die("a damaged record", NULL);
                }
                if (got < want) {
                    hash_add(hash, &rec->offset, sizeof rec->offset);
                    hash_add(hash, rec->value.ptr, rec->value.len);
                }
            }
        }
        if (n == 0) {
            bus_wait(client, CLOCK_NS_PER_S);
        }
    }
    struct hash128 h = hash_end(hash);
    printf("read ");
    for (size_t i = 0; i < sizeof h.bytes; i++) {
        printf("%02x", h.bytes[i]);
    }
    printf("\n");
    hash_free(hash);
    bus_client_free(client);
    bus_free(bus);
    return 0;
}

static int hold(const char *dir)
{
    MDB_env *env = NULL;
    MDB_txn *txn = NULL;
    if (mdb_env_create(&env) != 0 || mdb_env_set_maxdbs(env, 8) != 0 ||
        mdb_env_open(env, dir, MDB_NOTLS | MDB_RDONLY, 0600) != 0 ||
        mdb_txn_begin(env, NULL, MDB_RDONLY, &txn) != 0) {
        crash_die("hold", NULL);
    }
    printf("holding\n");
    fflush(stdout);
    for (;;) {
        pause();
    }
}

static int peek(const char *dir)
{
    struct bus *bus = crash_open(dir, true);
    struct bus_client *client = bus_client_new(bus, "peek");
    struct bus_tp tp = {bus_topic(client, SLICE("log")), 0};
    struct bus_writer *w = NULL;
    struct err err;
    printf("open %s: %s\n", err_name(-bus_open(client, SLICE("s0"), 1, &w, &err)), err.msg);
    printf("trim %s\n", err_name(-bus_trim(client, tp, BUS_FROM_END, 2, &err)));
    if (bus_bounds(client, tp, 3, &err) != 0) {
        crash_die("bounds", &err);
    }
    struct bus_ev ev = crash_await(client, BUS_EV_DONE, 3);
    printf("bounds %lld %lld\n", (long long)ev.offset, (long long)ev.end);
    bus_client_free(client);
    bus_free(bus);
    return 0;
}

static int open_only(const char *dir)
{
    struct bus_conf conf = crash_conf(dir);
    struct bus *bus = NULL;
    struct err err;
    int rc = bus_new(&conf, &bus, &err);
    printf("%s %s\n", err_name(-rc), rc != 0 ? err.msg : "");
    bus_free(bus);
    return 0;
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        int (*plain)(const char *dir);
        int (*numbered)(const char *dir, uint64_t n);
    } modes[] = {
        {"count", NULL, count}, {"group", NULL, group},    {"read", NULL, read_records},
        {"full", full, NULL},   {"broken", broken, NULL},  {"hold", hold, NULL},
        {"peek", peek, NULL},   {"open", open_only, NULL},
    };
    const char *mode = argc > 2 ? argv[1] : "";
    if (strcmp(mode, "work") == 0 && argc >= 7) {
        const uint64_t first[CRASH_SLOTS] = {number(argv[4]), number(argv[5])};
        crash_work(argv[2], number(argv[3]), first, number(argv[6]), argc > 7);
    }
    if (strcmp(mode, "tmpfs") == 0 && argc == 4) {
        return full_tmpfs(argv[2], argv[3]);
    }
    for (size_t i = 0; i < ARRAY_LEN(modes); i++) {
        if (strcmp(mode, modes[i].name) == 0 && modes[i].plain != NULL) {
            return modes[i].plain(argv[2]);
        }
        if (strcmp(mode, modes[i].name) == 0 && argc == 4) {
            return modes[i].numbered(argv[2], number(argv[3]));
        }
    }
    fprintf(stderr, "crash_writer: see the head of its source\n");
    return 2;
}
