/* SPDX-License-Identifier: Apache-2.0
 *
 * See crash_work.h: the writer's side. crash_check.c is the other.
 */
#include "tests/crash/crash_work.h"

#include "core/base/mem.h"
#include "core/bus/bus_local.h"
#include "tests/crash/crash_record.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { EVENTS = 64, TAG_OPEN = 1000, TAG_COMMIT = 2000, TAG_MAINTAIN = 3000, PLAIN_AHEAD = 8 };

struct worker {
    struct bus_client *client;
    struct bus_writer *slots[CRASH_SLOTS], *plain;
    uint32_t log, churn, state;
    uint64_t next[CRASH_SLOTS], committing[CRASH_SLOTS];
    uint64_t next_plain, plain_open;
    uint64_t chance;
    bool maintaining, early;
    char acks[8192];
    size_t acks_len;
};

_Noreturn void crash_die(const char *what, const struct err *err)
{
    fprintf(stderr, "crash_writer: %s: %s\n", what, err != NULL ? err->msg : "");
    exit(3);
}

static uint64_t mib_of(const char *name, uint64_t otherwise)
{
    uint64_t n = otherwise;
    const char *text = getenv(name);
    return text != NULL && slice_to_u64(slice_str(text), &n) ? n << 20 : otherwise;
}

struct bus_conf crash_conf(const char *dir)
{
    return (struct bus_conf){.kind = BUS_LOCAL,
                             .prefix = "crash.",
                             .local = {.dir = dir,
                                       .map_bytes = mib_of("KAIJU_CRASH_MAP_MIB", CRASH_MAP_BYTES),
                                       .quota_bytes = mib_of("KAIJU_CRASH_QUOTA_MIB", 0)}};
}

struct bus *crash_open(const char *dir, bool read_only)
{
    struct bus_local_tuning tuning = bus_local_tuning_default();
    struct bus_conf conf = crash_conf(dir);
    struct bus *b = NULL;
    struct err err;
    tuning.tick_ns = 5 * CLOCK_NS_PER_MS;
    tuning.pin_warn_ns = CRASH_PIN_WARN_MS * CLOCK_NS_PER_MS;
    tuning.compact_min_bytes = 16 * 1024;
    bus_local_tune(&tuning);
    conf.local.read_only = read_only;
    if (bus_new(&conf, &b, &err) != 0) {
        crash_die("bus_new", &err);
    }
    return b;
}

struct bus_ev crash_await(struct bus_client *c, enum bus_ev_kind kind, uint64_t tag)
{
    struct bus_ev ev;
    for (;;) {
        if (bus_poll(c, &ev, 1) == 0) {
            bus_wait(c, CLOCK_NS_PER_S);
        } else if (ev.tag == tag && ev.kind == kind) {
            return ev;
        } else if (ev.tag == tag) {
            crash_die(bus_ev_name(ev.kind), ev.err);
        }
    }
}

void crash_make_topics(struct bus_client *c)
{
    const struct bus_topic_spec specs[] = {
        {SLICE("log"), CRASH_PARTS, BUS_DELETE, -1, -1},
        {SLICE("churn"), 1, BUS_DELETE, -1, 512 * 1024},
        {SLICE("state"), 1, BUS_COMPACT, -1, -1},
    };
    struct err err;
    if (bus_ensure(c, specs, ARRAY_LEN(specs), 1, &err) != 0) {
        crash_die("ensure", &err);
    }
    (void)crash_await(c, BUS_EV_DONE, 1);
}

static uint64_t draw(struct worker *w, uint64_t below)
{
    w->chance ^= w->chance << 13;
    w->chance ^= w->chance >> 7;
    w->chance ^= w->chance << 17;
    return (w->chance >> 11) % below;
}

static void put(struct bus_writer *writer, struct bus_tp to, struct slice key, struct slice value,
                uint64_t token)
{
    struct err err;
    struct bus_header header = {SLICE("n"), key};
    struct bus_put p = {.to = to,
                        .key = key,
                        .value = value,
                        .headers = &header,
                        .header_count = 1,
                        .token = token};
    if (bus_put(writer, &p, &err) != 0) {
        crash_die("put", &err);
    }
}

static void put_record(struct worker *w, struct bus_writer *writer, struct bus_tp to, char who,
                       uint64_t number, size_t most, uint64_t token)
{
    struct crash_record r = {.who = who, .number = number, .mask = crash_mask(who, number)};
    size_t bytes = CRASH_RECORD_HEAD + draw(w, most);
    char *value = mem_alloc(bytes);
    crash_record_fill(&r, value, bytes);
    char key[16];
    int n = snprintf(key, sizeof key, "%c%d", who, (int)(number % CRASH_KEYS));
    put(writer, to, slice_of(key, (size_t)n), slice_of(value, bytes), token);
    mem_free(value);
}

static void put_txn(struct worker *w, size_t slot)
{
    char who = (char)('0' + slot);
    uint64_t n = w->next[slot];
    for (uint32_t p = 0; p < CRASH_PARTS; p++) {
        if ((crash_mask(who, n) >> p & 1) != 0) {
            put_record(w, w->slots[slot], (struct bus_tp){w->log, p}, who, n,
                       draw(w, 20) == 0 ? 40000 : 1500, 0);
        }
    }
    put_record(w, w->slots[slot], (struct bus_tp){w->churn, 0}, who, n, 30000, 0);
    put_record(w, w->slots[slot], (struct bus_tp){w->state, 0}, who, n, 3000, 0);
    w->next[slot]++;
}

static void acknowledge(struct worker *w)
{
    if (w->acks_len > 0) {
        ssize_t n = write(1, w->acks, w->acks_len);
        if (n != (ssize_t)w->acks_len) {
            exit(0); /* nobody listens any more */
        }
        w->acks_len = 0;
    }
}

static void say_committed(struct worker *w, size_t slot)
{
    w->acks_len += (size_t)snprintf(w->acks + w->acks_len, sizeof w->acks - w->acks_len,
                                    "c %zu %llu\n", slot, (unsigned long long)w->committing[slot]);
}

static void on_event(struct worker *w, const struct bus_ev *ev)
{
    if (ev->kind == BUS_EV_COMMITTED) {
        size_t slot = ev->tag - TAG_COMMIT;
        if (!w->early) {
            say_committed(w, slot);
        }
        w->committing[slot] = 0;
    } else if (ev->kind == BUS_EV_DELIVERED) {
        w->acks_len += (size_t)snprintf(w->acks + w->acks_len, sizeof w->acks - w->acks_len,
                                        "p %llu\n", (unsigned long long)ev->tag);
        w->plain_open--;
    } else if (ev->kind == BUS_EV_DONE) {
        w->maintaining = false;
    } else {
        crash_die(bus_ev_name(ev->kind), ev->err);
    }
}

static void step(struct worker *w)
{
    struct bus_ev evs[EVENTS];
    struct err err;
    for (size_t i = 0; i < CRASH_SLOTS; i++) {
        if (w->committing[i] == 0) {
            put_txn(w, i);
            w->committing[i] = w->next[i] - 1;
            if (bus_commit(w->slots[i], TAG_COMMIT + i, &err) != 0) {
                crash_die("commit", &err);
            }
            if (w->early) {
                say_committed(w, i);
                acknowledge(w);
            }
        }
    }
    while (w->plain_open < PLAIN_AHEAD) {
        uint64_t n = w->next_plain++;
        put_record(w, w->plain, (struct bus_tp){w->log, (uint32_t)(n % CRASH_PARTS)}, 'p', n, 800,
                   n);
        w->plain_open++;
    }
    if (!w->maintaining && draw(w, 40) == 0) {
        w->maintaining = bus_maintain(w->client, TAG_MAINTAIN, &err) == 0;
    }
    bus_wait(w->client, CLOCK_NS_PER_S);
    int n = bus_poll(w->client, evs, EVENTS);
    for (int i = 0; i < n; i++) {
        on_event(w, &evs[i]);
    }
    acknowledge(w);
}

_Noreturn void crash_work(const char *dir, uint64_t seed, const uint64_t first[CRASH_SLOTS],
                          uint64_t first_plain, bool early)
{
    struct worker w = {.chance = seed * 2654435769u + 1, .next_plain = first_plain, .early = early};
    struct bus *bus = crash_open(dir, false);
    struct err err;
    w.client = bus_client_new(bus, "work");
    crash_make_topics(w.client);
    w.log = bus_topic(w.client, SLICE("log"));
    w.churn = bus_topic(w.client, SLICE("churn"));
    w.state = bus_topic(w.client, SLICE("state"));
    for (size_t i = 0; i <= CRASH_SLOTS; i++) {
        char name[8];
        int n = snprintf(name, sizeof name, "s%zu", i);
        struct slice slot = i < CRASH_SLOTS ? slice_of(name, (size_t)n) : SLICE("");
        struct bus_writer **to = i < CRASH_SLOTS ? &w.slots[i] : &w.plain;
        if (bus_open(w.client, slot, TAG_OPEN + i, to, &err) != 0) {
            crash_die("open", &err);
        }
        (void)crash_await(w.client, BUS_EV_OPENED, TAG_OPEN + i);
        if (i < CRASH_SLOTS) {
            w.next[i] = first[i];
        }
    }
    for (;;) {
        step(&w);
    }
}
