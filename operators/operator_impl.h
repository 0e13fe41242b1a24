/* SPDX-License-Identifier: Apache-2.0
 *
 * The inside of a worker, for operator.c (its life), operator_slots.c (its slots, and what it says
 * of itself), operator_graphs.c (graphs, as they were applied) and operator_tasks.c (what it tells
 * of tasks). All of it belongs to the loop; threads are the slots' own (operators/shard/worker.h),
 * and one that lays documents out.
 */
#ifndef OPERATORS_OPERATOR_IMPL_H
#define OPERATORS_OPERATOR_IMPL_H

#include "core/base/map.h"
#include "core/base/vec.h"
#include "core/net/aside.h"
#include "core/net/loop.h"
#include "operators/operator.h"
#include "operators/operator_claim.h"
#include "operators/shard/worker.h"

#include <jansson.h>

enum {
    OPERATOR_TAG_GRAPHS = 1,
    OPERATOR_TAG_WRITER,
    OPERATOR_TAG_PUT,
    OPERATOR_TAG_ASSIGN,
    OPERATOR_TAG_LEFT,
    OPERATOR_TAG_MEMBERS,
    OPERATOR_TAG_TOPICS = 1024, /* and above: of graphs */
    OPERATOR_SLOTS_MAX = 64,
    OPERATOR_NAME = 128,
    OPERATOR_TELL_MAX = 8192, /* bytes of a record about itself or a task */
};
#define OPERATOR_BEAT_NS CLOCK_NS_PER_S

struct operator_settings {
    int64_t commit_ns, snapshot_ns, snapshot_slice, slots;
    bool at_least_once;
    const char *name, *level;
};

struct operator_graph {
    char *key;          /* tenant/name */
    uint64_t turn;      /* raised with each record */
    uint64_t settled;   /* the last of those that is laid out, or is none to be laid out */
    bool wanted, ready; /* ready: it is laid out, and its topics are there */
    struct laid *laid;
    bool deleted;           /* its tasks only end */
    int64_t life, old_life; /* as the last record says; of what is laid out */
    uint64_t topics_tag;    /* of the answer that is waited for; 0: none */
    uint32_t here, live;    /* tasks */
    bool said_live;         /* in the log */
    int64_t said_trouble, said_lost;
};

struct operator_place {      /* for a slot */
    char key[OPERATOR_NAME]; /* of its record: "worker/slot" */
    char name[OPERATOR_NAME];
    int64_t incarnation, epoch; /* of its record; 0: none */
    struct map tasks;           /* that it shall have, by name */
    struct map moved;           /* of those: the writer that had it and lives */
    struct worker *worker;
    uint64_t order; /* of worker_run, the last */
    bool lost;      /* the thread has ended by itself */
};

struct operator_self {
    struct role_env *env;
    const struct operator_settings *settings;
    struct role_client *client;
    struct bus_reader *reader;
    struct bus_writer *writer;
    bool open, draining, leaving, left; /* leaving: it has said so; left: that is known */
    struct loop_timer *timer;
    struct aside *aside;
    VEC(struct operator_graph *) graphs;
    int64_t graphs_read; /* of ctl.graphs: what lies before is read */
    struct operator_place *slots;
    uint32_t n_slots;
    uint64_t tags;
    char name[OPERATOR_NAME / 2], boot[32];
    struct operator_claim claim; /* of the name */
    bool said_refused;
    int64_t beat, beaten; /* number and time of the last */
    int64_t told;         /* of tasks, when */
    atomic_bool trial;    /* slot_conf.trial */
    uint64_t said;        /* hash of what it said of its slots */
};

static inline int64_t operator_now(const struct operator_self *o)
{
    return clock_mono(bus_clock(role_client_bus(o->client)));
}

/* operator_slots.c */
void operator_slots_make(struct operator_self *o);
void operator_slots_free(struct operator_self *o);
void operator_on_assign(struct operator_self *o, const struct bus_record *r); /* of ctl.assign */
void operator_run_all(struct operator_self *o);           /* graphs have changed */
void operator_look_at_slots(struct operator_self *o);     /* for those that are lost */
void operator_beat(struct operator_self *o, bool leaves); /* into ctl.members, if it is time */
void operator_hold_name(struct operator_self *o); /* or gives all up, and says so: another has it */

/* operator_graphs.c */
void operator_on_graph(struct operator_self *o, const struct bus_record *r); /* of ctl.graphs */
void operator_on_topics(struct operator_self *o,
                        const struct bus_ev *ev);   /* they are made, or not */
void operator_make_topics(struct operator_self *o); /* that could not be made before */
void operator_graphs_free(struct operator_self *o);
/* The graphs here are those of ctl.graphs up to that offset; 0: one is still being laid out. */
int64_t operator_graphs_end(const struct operator_self *o);
struct operator_graph *operator_graph_that(struct operator_self *o, const struct laid *laid);

/* operator_tasks.c */
void operator_tell_tasks(struct operator_self *o); /* into ctl.tasks, now and then */
void operator_put_task(struct operator_self *o, struct slice key, struct slice value);

#endif
