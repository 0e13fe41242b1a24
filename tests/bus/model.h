/* SPDX-License-Identifier: Apache-2.0
 *
 * A random workload over any bus that behaves as a task runtime does, and the model that judges it.
 *
 * A *lineage* is a sequence of transactions 0, 1, 2, ... whose contents are a function of (lineage,
 * number): some output records over the partitions of `out`, one record of `ctl` (compacted) and a
 * journal record. Several *agents*, each a client, compete for a lineage's slot. Who gets it opens,
 * reads the journal to its stable end, goes on behind the last number found there, and keeps what
 * he put until it is known to be committed. Agents are fenced, crash, sleep and abort at random;
 * beside that they may stand for election. A *watcher* reads everything all the time and seeks
 * about; a *feeder* puts plainly into `raw`, of which the front is trimmed.
 *
 * However that goes, in the end each transaction is in the log exactly once, whole, in order.
 *
 * model_agent.c the agents, model_watch.c watcher, feeder and the last judgement, model.c the loop.
 */
#ifndef TESTS_BUS_MODEL_H
#define TESTS_BUS_MODEL_H

#include "core/base/vec.h"
#include "core/bus/bus.h"
#include "tests/test.h"

enum { MODEL_EV_KINDS = 16, MODEL_LINEAGES_MAX = 4, MODEL_AGENTS_MAX = 8, MODEL_PARTS_MAX = 16 };

struct model_conf {
    uint64_t seed;
    uint32_t lineages, agents;               /* agents: per lineage */
    uint32_t parts;                          /* of out and raw */
    int64_t txns;                            /* per lineage */
    double steal, crash, sleep, abort, trim; /* chances per step */
    int64_t patience_ns, nap_ns;             /* nap: the unit of all pauses */
    bool elect;                              /* agents also stand for election */
    uint64_t *counts;                        /* by kind of event, added to; may be NULL */
    /* How a client dies, sleeps, and how time passes; NULL = freed, not stepped, poll(2). */
    void (*kill)(struct bus_client *c);
    void (*pause)(struct bus_client *c, bool paused);
    void (*step)(struct bus *b, int64_t max_ns);
};

enum model_state {
    MODEL_IDLE = 0,
    MODEL_OPENING = 1,
    MODEL_BOUNDS = 2,
    MODEL_READING = 3,
    MODEL_RUNNING = 4,
};

struct model_agent {
    struct model *m;
    struct bus_client *c;
    uint32_t lineage, number;
    enum model_state state;
    struct bus_writer *w;
    struct bus_reader *r;
    int64_t epoch;
    int64_t must_have; /* numbers below it were committed by former holders, as they know */
    int64_t target;    /* of the journal's stable end */
    int64_t next;      /* the transaction to be put, and its record to be put */
    uint32_t record;
    int64_t ending; /* the transaction whose commit is under way; -1 = none */
    bool aborting;
    uint64_t tag, commit_tag, abort_tag, tags;
    int64_t asleep_until_ns;
    int leading; /* as last heard; -1 = nothing yet */
    int64_t led; /* the last epoch */
};
struct model_reign { /* how far the holder of this epoch knows to be committed */
    int64_t epoch, upto;
};
struct model_seen {
    int64_t offset;
    uint64_t hash;
};

/* What the watcher knows of a partition. */
struct model_part {
    const char *topic;
    uint32_t part;
    VEC(struct model_seen) seen;
    size_t at;         /* the next one of `seen` it must be given */
    int64_t end, from; /* the greatest END; the position of the last seek */
    int64_t start;     /* trimmed below */
};
struct model_put {
    uint32_t part, writer; /* writer: counts from 0 */
    int64_t offset;        /* DELIVERED there */
    enum err_code rc;      /* REFUSED so; ERR_AGAIN = has not ended */
};

struct model {
    const struct model_conf *conf;
    struct bus *bus;
    uint64_t rng, steps;
    int64_t committed[MODEL_LINEAGES_MAX]; /* all below it are known to be */
    uint32_t vain[MODEL_LINEAGES_MAX];     /* agents who gave up since the last commit */
    struct {
        VEC(struct model_reign) reigns;
        VEC(int64_t) leads; /* epochs of the election, as the winners heard */
    } lineages[MODEL_LINEAGES_MAX];
    struct model_agent agents[MODEL_LINEAGES_MAX * MODEL_AGENTS_MAX];
    uint32_t agent_count;

    struct bus_client *watcher, *feeder;
    bool trimming; /* the watcher is */
    struct bus_reader *reader;
    VEC(struct model_part) parts;
    struct bus_writer *plain;
    bool plain_open, feeder_paused;
    VEC(struct model_put) puts;
    size_t waiting;
    uint64_t fed_from; /* the first put of the present writer */
    uint32_t writers;  /* plain ones so far */
};

/* Fails the test, naming the seed, if the bus breaks its word. Ends with every client freed. */
void model_run(struct bus *b, const struct model_conf *conf);

_Noreturn void model_fail(const struct model *m, const char *fmt, ...) PRINTF_LIKE(2, 3);
uint64_t model_random(struct model *m, uint64_t below);
bool model_chance(struct model *m, double p);
int64_t model_now(const struct model *m);
/* The contents of transaction n: its records 0 to count-1; the last is the journal's. */
struct model_record {
    const char *topic;
    uint32_t part;
    char key[24], value[48];
};
uint32_t model_txn_count(uint32_t lineage, int64_t n);
struct model_record model_txn_record(const struct model *m, uint32_t lineage, int64_t n,
                                     uint32_t i);
/* 2^vain, bounded: so much longer they wait. Or opening might take longer than the peace lasts. */
uint64_t model_patience(const struct model *m, uint32_t lineage);
/* model_agent.c */
void model_agent_start(struct model_agent *a);
void model_agent_event(struct model_agent *a, const struct bus_ev *ev);
void model_agent_step(struct model_agent *a);
void model_agent_open(struct model_agent *a);  /* now, whatever he does */
void model_agent_stand(struct model_agent *a); /* resigns and stands again, if they elect */
/* model_watch.c */
void model_watch_start(struct model *m);
void model_watch_event(struct model *m, const struct bus_ev *ev);
void model_watch_step(struct model *m);
void model_feed_start(struct model *m);
void model_feed_event(struct model *m, const struct bus_ev *ev);
void model_feed_step(struct model *m);
/* model_judge.c */
void model_judge(struct model *m);

#endif
