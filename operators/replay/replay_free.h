/* SPDX-License-Identifier: Apache-2.0
 *
 * Free mode: a graph runs over a range of the raw topics, as if it had been applied then. The ends
 * of its inputs are fixed first; nobody is passed over, nothing ticks; a task whose inputs have
 * ended moves its clock to the end of the range, timer by timer, and tells those who read it that
 * nothing more comes. So what comes out depends on the topics alone, not on threads, batches, or
 * who died meanwhile.
 *
 * Its tasks run as live ones do, by slots that commit to topics, under names of their own: every
 * topic that the graph writes, and its journal, has a prefix. That may be on another bus than the
 * one that has the raw topics.
 */
#ifndef OPERATORS_REPLAY_REPLAY_FREE_H
#define OPERATORS_REPLAY_REPLAY_FREE_H

#include "operators/shard/layout.h"

#include <stdatomic.h>

struct replay_part { /* of a raw topic; ascending by (topic, part) */
    struct slice topic;
    uint32_t part;
    int64_t from, end; /* the first offset behind it */
};

struct replay_plan { /* a layout under other names */
    struct slot_task *tasks;
    struct layout_topic *topics; /* all that are written, and journal and state */
    struct slice *outputs;       /* of those, what leaves the graph */
    struct slice prefix;
    uint32_t n_tasks, n_topics, n_outputs, journal_parts;
};

/* Lies in the arena; the layout is borrowed. prefix: "bt.<id>." */
struct replay_plan *replay_plan_make(struct arena *a, const struct layout *l, struct slice prefix);

struct replay_free {
    struct bus *work, *source; /* source: has the raw topics; may be the same */
    const struct replay_plan *plan;
    const struct replay_part *parts;
    uint32_t n_parts;
    int64_t to;        /* ns */
    int64_t commit_ns; /* interval */
    uint32_t threads;  /* at most as many as there are tasks; 0: 1 */
    uint32_t takes;    /* of one step; 0: enough */
    atomic_bool *stop; /* set by whoever has no more patience; NULL */
};

struct replay_counts {
    uint64_t taken, late, put, refused, poison, commits;
};

/* Raw topics that the tasks read, by name: how many, at most max. */
uint32_t replay_inputs(const struct replay_plan *p, struct slice *ret, uint32_t max);
/* Waits for the end. ERR_CLOSED: it was stopped. */
int replay_free_run(const struct replay_free *f, struct replay_counts *ret,
                    struct err *reterr) NODISCARD;

#endif
