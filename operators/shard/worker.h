/* SPDX-License-Identifier: Apache-2.0
 *
 * A thread that runs one slot: the tasks of one graph. It makes the topics between the groups,
 * begins the slot, and begins it anew after a while if it was lost for a reason that may pass; if
 * another has it, the thread ends. Who started it looks at it through copies (worker_look), from
 * his own thread.
 */
#ifndef OPERATORS_SHARD_WORKER_H
#define OPERATORS_SHARD_WORKER_H

#include "core/bus/bus.h"
#include "operators/shard/layout.h"

struct worker;

struct worker_conf {
    const char *name; /* of the slot; copied */
    int64_t commit_ns, idle_ns, snapshot_ns;
    bool from_start; /* rules without a journal read what is there already */
    bool plain;      /* slot_conf.plain */
};

struct worker_task {
    struct task_counts counts;
    int64_t clock; /* ns; MERGE_NO_CLOCK */
    uint64_t seq;
};

struct worker_look {
    enum slot_state state;
    char why[160];
    struct slot_counts counts;
    bool ended; /* the thread has; worker_free does not wait */
    uint32_t restarts;
};

/* take_arena: what the layout lies in, or NULL. Starts the thread. */
struct worker *worker_new(struct bus *bus, const struct worker_conf *conf,
                          const struct layout *layout, struct arena *take_arena);
/* It commits what it has taken and ends. */
void worker_stop(struct worker *w);
/* Waits for the end. */
void worker_free(struct worker *w);
const struct layout *worker_layout(const struct worker *w);
struct worker_look worker_look(struct worker *w);
/* Of task i, counted over all groups. */
struct worker_task worker_task(struct worker *w, uint32_t i);

#endif
