/* SPDX-License-Identifier: Apache-2.0
 *
 * One behaviour suite for every bus: the contract of core/bus/bus.h as tests. suite_*.c hold the
 * tests, one file per theme; suite.c helps them; run_<kind>.c says how a bus of that kind is made
 * and what it can do. A test starts with SUITE(s) or suite_begin, takes clients by name, and waits
 * for each event by kind and tag:
 *
 *     struct suite s;
 *     suite_begin(&s, NULL);
 *     struct suite_client *a = suite_client(&s, "a");
 *     struct bus_tp tp = suite_topic(a, "t", 1, BUS_DELETE);
 *     struct bus_writer *w = suite_open(a, "slot");
 *     suite_put(a, w, tp, "key", "value");
 *     suite_commit(a, w);
 *     CHECK_STR("value", suite_values(suite_read(a, tp, BUS_FROM_START, 1)));
 *     suite_end(&s);
 *
 * Events that are not waited for stay in the client's inbox, in order. What suite_* returns lives
 * until suite_end. A client belongs to the thread that uses it; suite_client itself is called by
 * the first thread only. One must not rely on density of offsets, on a time that something takes,
 * or on the order of events of different operations.
 */
#ifndef TESTS_BUS_SUITE_H
#define TESTS_BUS_SUITE_H

#include "core/base/arena.h"
#include "core/base/vec.h"
#include "core/bus/bus.h"
#include "core/bus/bus_conf.h"
#include "tests/test.h"

/* What a test asks of its bus; 0 = the default. */
struct suite_opts {
    uint64_t quota_bytes;
    uint64_t writer_queue_bytes;
    int64_t transaction_ms; /* where the bus has such a limit */
};

enum suite_fate {
    SUITE_ABORT = 0,          /* ends ABORTED, the writer goes on or must reopen */
    SUITE_UNKNOWN_DONE = 1,   /* ends UNKNOWN, but is committed */
    SUITE_UNKNOWN_UNDONE = 2, /* ends UNKNOWN, never committed */
};

struct suite;

struct suite_hooks {
    const char *name; /* in failure texts */
    enum bus_kind kind;
    /* Fills the configuration of a bus that holds nothing of earlier tests; `again`: of the same
     * bus once more. What it points at lives until the next call without `again`. */
    void (*conf)(const struct suite_opts *opts, bool again, struct bus_conf *ret);
    /* Ends all clients and the bus as kill -9 would. NULL = they are freed as they are. */
    void (*crash)(struct suite *s);
    /* Lets time pass for the bus without a call of the clients. NULL = sleep. */
    void (*pass)(struct suite *s, int64_t ns);
    /* Lets time pass until some client may have an event. NULL = poll(2) over all of them. */
    void (*step)(struct bus *b, int64_t max_ns);
    /* A client dies without closing anything; is not run for a while. NULL = freed, not stepped. */
    void (*kill)(struct bus_client *c);
    void (*pause)(struct bus_client *c, bool paused);
    /* The next commit of the slot shall end so; false = cannot be arranged. NULL = none can. */
    bool (*fate)(struct suite *s, const char *slot, enum suite_fate fate);
    int64_t patience_ns;   /* an event that takes longer is a failure */
    int64_t quiet_ns;      /* how long nothing must come, to say that nothing comes */
    int64_t takeover_ns;   /* an election without its leader is decided */
    int64_t elected_ns;    /* who is alone leads by then, mostly */
    int64_t retention_ns;  /* retention is applied by then, bus_maintain having been called */
    int64_t compaction_ns; /* likewise; 0 = this run does not wait for it: skip */
    int64_t roll_ns;       /* records so far apart do not lie in the same piece of a log */
    int64_t retention_slack_bytes; /* what a partition may hold above its limit after that */
    bool quota;                    /* conf honours quota_bytes */
    bool threads;                  /* clients may live in several threads */
    uint32_t scale;                /* size of the heavy tests: 100 = full */
};

extern const struct suite_hooks suite_hooks; /* of run_<kind>.c */

struct suite_ev {
    struct bus_ev ev;
    struct err err;
};

struct suite_client {
    struct suite *suite;
    struct bus_client *c;
    const char *name;
    struct arena *mem;
    VEC(struct suite_ev *) inbox;
    uint64_t next_tag;
    uint32_t polls;
};

enum { SUITE_CLIENTS_MAX = 16 };

struct suite {
    struct bus *bus;
    struct suite_opts opts;
    struct arena *mem;
    struct suite_client *clients[SUITE_CLIENTS_MAX];
    uint32_t client_count;
};

void suite_begin(struct suite *s, const struct suite_opts *opts);
void suite_end(struct suite *s);
/* Crash and start again over the same data: all clients are gone, s->bus is another. */
void suite_crash(struct suite *s);
struct suite_client *suite_client(struct suite *s, const char *name);
/* Frees the bus client; the rest stays until suite_end. */
void suite_client_free(struct suite_client *c);
uint64_t suite_tag(struct suite_client *c);

/* Waiting. suite_pump takes in what there is, waiting up to timeout_ns if there is nothing. */
#define SUITE_ANY_TAG   UINT64_MAX
#define SUITE_BIT(kind) (1u << (kind))
int suite_pump(struct suite_client *c, int64_t timeout_ns);
/* The first event of these kinds with this tag, taken out of the inbox. NULL after timeout_ns. */
struct suite_ev *suite_next(struct suite_client *c, uint32_t kinds, uint64_t tag,
                            int64_t timeout_ns);
/* The event, or a failure that says what came instead. */
#define suite_await(c_, kind_, tag_) suite_await_at(__FILE__, __LINE__, (c_), (kind_), (tag_))
struct suite_ev *suite_await_at(const char *file, int line, struct suite_client *c,
                                enum bus_ev_kind kind, uint64_t tag);
/* No event of these kinds comes for a while. */
#define suite_quiet(c_, kinds_, tag_) suite_quiet_at(__FILE__, __LINE__, (c_), (kinds_), (tag_))
void suite_quiet_at(const char *file, int line, struct suite_client *c, uint32_t kinds,
                    uint64_t tag);
int64_t suite_now(struct suite_client *c); /* clock_mono */
void suite_sleep(struct suite_client *c, int64_t ns);
/* Time passes, no client is touched. */
void suite_pass(struct suite *s, int64_t ns);

#include "tests/bus/suite_do.h"

#endif
