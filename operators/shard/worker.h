/* SPDX-License-Identifier: Apache-2.0
 *
 * A thread that runs one slot and the tasks that it is given. worker_run says which tasks that
 * shall be; the thread makes it so, task by task: who is no longer wanted commits what he took and
 * goes, then who has his place comes. A slot that is lost for a reason that may pass is begun anew
 * after a while, and so is a task; if another has the slot, the thread ends.
 *
 * Who started it looks at it through copies (worker_look, worker_task), from his own thread.
 *
 * A *laid* is a graph that is laid out, shared by the workers that run tasks of it: it lives until
 * the last of them has let it go.
 */
#ifndef OPERATORS_SHARD_WORKER_H
#define OPERATORS_SHARD_WORKER_H

#include "core/bus/bus.h"
#include "operators/shard/layout.h"
#include "operators/shard/slot_floor.h"

#include <stdatomic.h>

struct worker;

struct worker_conf {
    const char *name; /* of the slot's writer; copied */
    int64_t commit_ns, snapshot_ns;
    size_t slice_bytes;                  /* slot_conf.slice_bytes */
    int64_t idle_ns;                     /* 0: as the graphs say, each for itself */
    bool from_start;                     /* rules without a journal read what is there already */
    bool plain;                          /* slot_conf.plain */
    const char *lease_topic, *lease_key; /* slot_lease; copied. NULL: none */
    bool (*holds)(void *arg, struct slice value); /* on the worker's thread */
    void *arg;
    atomic_bool *trial; /* slot_conf.trial, of all workers of the process */
};

struct laid {
    const struct layout *layout;
    struct arena *arena; /* in which it lies, or NULL */
    int64_t version;     /* of the graph; for who looks at tasks */
    bool deleted;        /* it is gone: its tasks only end. To be set before anybody runs it */
    atomic_uint refs;
    atomic_uchar *ends;     /* per task, counted over all groups: how it leaves (enum slot_leave) */
    struct laid_past *past; /* versions before it, or NULL */
};

struct laid *laid_new(const struct layout *layout, struct arena *take_arena, int64_t version);
struct laid *laid_ref(struct laid *l);
/* The graph was changed (by: what it is now) or is gone (NULL): so its tasks will leave. */
void laid_ends(struct laid *l, const struct layout *by);
void laid_unref(struct laid *l); /* NULL: nothing */
/* Documents that it came after and whose tasks may not have ended (copied), before anybody runs it.
 * A task that finds such an end missing has it made up for: the rules of then end first. */
void laid_after(struct laid *l, const struct slice *documents, uint32_t n,
                const struct layout_conf *conf);

struct worker_want { /* a task */
    struct laid *laid;
    uint32_t group, part;
    bool after_death; /* slot_task.after_death */
    bool moved;       /* slot_task.moved */
};

enum { WORKER_RULES = 8, WORKER_NAME = 64, WORKER_LACKS = 8 };

struct worker_lack {        /* a statement that may lack input that was lost */
    char name[WORKER_NAME]; /* level/name, or level/#number */
    int64_t ms;             /* by the clock, behind the loss; ENG_BACK_EVER */
};

struct worker_rule { /* of those that cost most */
    char name[WORKER_NAME];
    uint64_t events; /* that were measured, one in ENG_METER_EVERY, */
    int64_t ns;      /* and what they cost */
};

struct worker_task {
    struct laid *laid; /* borrowed: good until the next call of worker_tasks */
    uint32_t group, part;
    enum slot_state state;
    bool leaving, over;          /* over: of a graph that is deleted; nothing of it is left */
    char why[160], trouble[160]; /* trouble: it runs, but not as it should (task_trouble) */
    struct task_counts counts;
    int64_t clock; /* ns; MERGE_NO_CLOCK */
    struct task_span span;
    uint64_t seq;
    uint32_t restarts;
    int64_t unreleased_ns; /* it waits for so long for whoever had it to let it go */
    struct slot_lag lag;
    struct slot_floor floor;
    uint64_t rows, partials, held; /* that its rules hold; held: bytes, of LIM_STATE */
    struct worker_rule rules[WORKER_RULES];
    uint32_t n_rules;
    struct worker_lack lacks[WORKER_LACKS];
    uint32_t n_lacks; /* of them all; those that fit are there */
};

struct worker_look {
    enum slot_state state;
    char why[160];
    struct slot_counts counts;
    bool ended; /* the thread has; worker_free does not wait */
    uint32_t restarts;
    uint64_t applied; /* how many calls of worker_run it has followed to their end */
};

struct worker *worker_new(struct bus *bus, const struct worker_conf *conf);
/* These tasks and no others. The number of the call, for worker_look.applied. */
uint64_t worker_run(struct worker *w, const struct worker_want *tasks, uint32_t n);
/* All that it was given. */
void worker_run_layout(struct worker *w, struct laid *laid);
/* All tasks that it was given are live. */
bool worker_is_live(struct worker *w);
/* It commits what it has taken and ends. */
void worker_stop(struct worker *w);
/* Waits for the end; 3 s at most for what it has begun, if the bus does not take it. */
void worker_free(struct worker *w);
struct worker_look worker_look(struct worker *w);
/* Its tasks as they were a moment ago: those that it has and those that it shall have. */
const struct worker_task *worker_tasks(struct worker *w, uint32_t *ret_n);

#endif
