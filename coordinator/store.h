/* SPDX-License-Identifier: Apache-2.0
 *
 * What the coordinator knows, as records of compacted topics: rule graphs and assignments
 * (ctl.graphs and ctl.assign, which it alone writes), tasks and workers (ctl.tasks and ctl.members,
 * which workers write). Every replica reads them from their start; the leader also writes. Leader =
 * winner of the election and holder of the writer slot: the election gives liveness, the slot
 * safety, because whoever opens it fences who held it. After opening it the leader reads what it
 * alone writes to the stable end of that moment, and only then writes.
 *
 *     s = store_new(&conf);
 *     store_start(s);                       once the topics are there
 *     store_on_event(s, ev);                for every event of the client
 *     store_submit(s, &change, arg, &err);  decide when its turn has come, done when it is durable
 *
 * Changes are made one after the other, so `decide` sees the state that all before it left. A
 * commit whose end nobody knows is looked up: the slot is opened again, the topic read, and what is
 * not there is put again. Loop thread, or a test's; no call blocks.
 */
#ifndef COORDINATOR_STORE_H
#define COORDINATOR_STORE_H

#include "core/bus/bus.h"

struct store;

enum store_topic { STORE_GRAPHS, STORE_TASKS, STORE_MEMBERS, STORE_ASSIGN, STORE_TOPICS };

struct store_conf {
    struct bus_client *bus;
    int64_t patience_ns; /* a change that is not durable by then is told so; 0: 10 s */
    /* A record as read, or as committed by this store; value.ptr NULL removes the key. */
    void (*on_record)(void *arg, enum store_topic topic, struct slice key, struct slice value);
    /* Is that what on_record was last told of this key? */
    bool (*holds)(void *arg, enum store_topic topic, struct slice key, struct slice value);
    void *arg;
};

struct store_record {
    struct slice key, value; /* value.ptr NULL removes */
    enum store_topic topic;  /* ctl.graphs, unless it is said */
};

/* Of one change. arg is the caller's. */
struct store_change {
    /* False: nothing to write, done is not called. The record is copied before the next call. */
    bool (*decide)(void *arg, struct store_record *ret_record);
    /* NULL: durable. ERR_TIMEOUT and ERR_UNKNOWN: it may be stored or not. Also without a decide
     * before it, if its turn never came. */
    void (*done)(void *arg, const struct err *err);
    /* Instead of decide: records of any topic in one transaction, at most STORE_PUTS_MAX. 0:
     * nothing to write. Whether they are there after an end that nobody knows is not looked up: it
     * is told as ERR_UNKNOWN. */
    uint32_t (*puts)(void *arg, const struct bus_put **ret_puts);
};

enum { STORE_WAITING_MAX = 256, STORE_PUTS_MAX = 256 };

struct store_stats {
    uint64_t changes, refused, retried, fenced; /* so far */
    uint64_t waiting;                           /* now */
};

struct store *store_new(const struct store_conf *conf);
void store_free(struct store *s); /* changes under way end with ERR_CLOSED */
void store_start(struct store *s);
void store_on_event(struct store *s, const struct bus_ev *ev);
/* -ERR_UNAVAILABLE: this replica does not write now, and why; -ERR_LIMIT: too many wait. May call
 * decide before it returns. */
int store_submit(struct store *s, const struct store_change *change, void *arg,
                 struct err *reterr) NODISCARD;

bool store_loaded(const struct store *s);   /* all were read to their end once */
bool store_leads(const struct store *s);    /* by the election; not yet a right to write */
bool store_settled(const struct store *s);  /* writes, or knows that another replica does */
bool store_writable(const struct store *s); /* a change would be taken now */
int64_t store_end(const struct store *s, enum store_topic topic); /* behind its last record read */
int64_t store_epoch(const struct store *s);   /* of the slot, while it is held; else 0 */
const char *store_why(const struct store *s); /* why not writable */
struct store_stats store_stats(const struct store *s);

#endif
