/* SPDX-License-Identifier: Apache-2.0
 *
 * A slot: one writer of the bus and the tasks that commit through it, run by one thread, sharing
 * nothing with other slots. It opens its writer (which fences whoever held it before), reads the
 * journals of its tasks to their ends, replays them, and then goes on live: takes inputs, cuts
 * tasks at every interval, and commits their outputs and journal records in one transaction.
 *
 * Tasks come and go while it runs (slot_add, slot_remove). Who comes is read for by a reader of his
 * own until he has reached the others; what one task cannot do does not stop the others.
 *
 * A state machine: slot_on_event is given every event of its bus client, slot_step is called after
 * each batch of events and does a bounded piece of work. Nothing blocks; timers are the bus's. What
 * was cut is kept until its commit is known: ABORTED sends it again, UNKNOWN opens the writer anew
 * and looks into the journal. Only who was fenced throws his memory away: slot_is_lost.
 */
#ifndef OPERATORS_SHARD_SLOT_H
#define OPERATORS_SHARD_SLOT_H

#include "core/bus/bus.h"
#include "operators/graph/eng_succeed.h"
#include "operators/shard/task.h"

#include <stdatomic.h>

struct slot;
/* A run over what is there, instead of a live one: nobody is passed over, nothing ticks, inputs
 * end, and a task whose inputs have ended moves its clock to `to` and ends. */
struct slot_range {
    int64_t to;                /* ns */
    struct bus_client *source; /* has the topics that are not `aligned`; NULL: the slot's own */
    /* Which offsets of a partition of theirs belong to it; NULL: all there is when it begins. */
    void (*part)(void *arg, struct slice topic, uint32_t part, int64_t *ret_from, int64_t *ret_end);
    void *arg;
};

/* The right to the slot: the last record of that key, in a topic of one partition, says so. It is
 * read to the stable end after each opening of the writer. */
struct slot_lease {
    struct slice topic, key;
    bool (*holds)(void *arg, struct slice value);
    void *arg;
};

struct slot_conf {
    struct slice name;   /* of the writer: <slot>.<incarnation> */
    int64_t commit_ns;   /* interval */
    int64_t align_ns;    /* of x.*, events, alerts.history: two intervals; raw topics: 0 */
    int64_t snapshot_ns; /* 0: none are made */
    size_t slice_bytes;  /* of a snapshot, written between inputs; 0: what suits */
    size_t beside_bytes; /* states of so many bytes are made by a thread beside; 0: none are */
    size_t buffer_bytes; /* of a task and partition, that wait; 0: enough */
    uint32_t takes;      /* at most, in one step; 0: enough */
    bool rests;          /* often, in the middle of inputs (slot_amid.h); for tests */
    bool plain;          /* at least once: puts without transactions, and nobody is fenced */
    const struct slot_range *range; /* NULL: live */
    struct slice prefix;            /* of the topics journal and state; empty */
    const struct slot_lease *lease; /* NULL: who opens the writer has it */
    atomic_bool *trial;     /* a task of this process is tried alone; NULL: it has one slot */
    uint32_t journal_parts; /* of both; 0: as many as they have in every Kaiju */
};

/* What a task needs to be told besides its plan: where its inputs lie. */
struct slot_task {
    const struct task_plan *plan;
    const struct slice *topics; /* names; merge_spec.topic counts here */
    const bool *aligned;        /* per topic: waited for by align_ns of the slot */
    int64_t align_ns;           /* for each input of it, in its place; 0: as the slot does */
    bool from_start;            /* without a journal: all that is there, else what comes */
    bool after_death;           /* whoever ran it before has died: it is counted (slot_trial.h) */
    bool moved; /* whoever had it lives: it is lost where the last record is not his RELEASE */
    bool asks;  /* rules before these that did not end stop it: slot_task_awaits; else it begins */
    bool tried; /* such rules were known, of its graph, and could not end */
    bool ends;  /* its graph is deleted: nothing of it is played, it only leaves, DELETED */
    int64_t idle_ns;    /* at the end of all inputs for so long: ticks begin; 0: never */
    int64_t archive_ns; /* the first snapshot of each such period of its clock is archived; 0 */
};

enum slot_state { SLOT_OPENING, SLOT_JOURNAL, SLOT_REPLAY, SLOT_LIVE, SLOT_LOST };

struct slot_counts {
    uint64_t commits, aborts, unknowns, records, bad_records, replayed;
    uint64_t snapshots, snapshot_bytes, snapshot_written, restored_bytes;
    uint64_t archived, unarchived;  /* snapshots; unarchived: they were too large */
    uint64_t lags;                  /* times that a task could not keep up with the others */
    struct eng_succeeded succeeded; /* statements of tasks whose rules were changed */
    int64_t commit_worst_ns, commit_p50_ns, commit_p99_ns; /* quantiles: of the last 128 */
    uint32_t partitions_worst;                             /* of one transaction */
};

/* What a task is behind its inputs, and why. */
struct slot_lag {
    int64_t records; /* offsets between what was taken and what is known to be there */
    int64_t ns;      /* since the oldest that was not taken was appended; 0: all is taken */
    char holder[96]; /* topic/partition that it waits for, with others at hand; empty: for none */
    int64_t held_ns; /* for so long */
    uint64_t waiting_bytes; /* of its inputs, in memory, */
    uint64_t waiting_most;  /* and about so many at most */
    bool past; /* what it waits for lies behind what waits: that is read past, and read again */
    int64_t busy_ns, amid_ns; /* spent on taking; since it began the input that it is amid, or 0 */
    uint64_t state_bytes;     /* of its last snapshot; 0: there was none */
};

/* Everything is borrowed. The client is the slot's alone (events of a range's source, too, go to
 * slot_on_event). n may be 0, but for a range. */
int slot_new(struct bus_client *bus, const struct slot_conf *conf, const struct slot_task *tasks,
             uint32_t n, struct slot **ret, struct err *reterr) NODISCARD;
void slot_free(struct slot *s);
void slot_on_event(struct slot *s, const struct bus_ev *ev);
/* True: call again without waiting for an event. */
bool slot_step(struct slot *s);
/* No more input is taken; slot_is_drained once all is committed, and released. */
void slot_drain(struct slot *s);
bool slot_is_drained(const struct slot *s);
/* It has inputs at hand, or waits for the end of a transaction: what is read now would wait. */
bool slot_has_enough(const struct slot *s);
/* Another task: its journal is read and replayed while the others go on. Nobody else may run it:
 * who did is fenced, or has said that he let it go. */
void slot_add(struct slot *s, const struct slot_task *task);
/* It takes no more input, commits what it took and is gone: slot_find says when. SAVED: with a
 * snapshot, and its last record releases it. FINAL: with one, and its last record says that others
 * follow. DELETED: its last record says that nobody does, and its snapshot is removed. */
enum slot_leave { SLOT_LEAVE, SLOT_LEAVE_SAVED, SLOT_LEAVE_FINAL, SLOT_LEAVE_DELETED };
void slot_remove(struct slot *s, uint64_t lineage, enum slot_leave how);
/* Its number, until tasks leave (near: perhaps that one); UINT32_MAX: it is not there. */
uint32_t slot_find(const struct slot *s, uint64_t lineage);
uint32_t slot_find_near(const struct slot *s, uint64_t lineage, uint32_t at);
uint32_t slot_tasks(const struct slot *s);
/* LOST: it alone is; it may be removed and added again. */
enum slot_state slot_task_state(const struct slot *s, uint32_t i);
const char *slot_task_why(const struct slot *s, uint32_t i);
/* It is lost because the rules before it died before their last record: their task_plan.hash. Run
 * them again and let them end; 0: for another reason. */
uint64_t slot_task_awaits(const struct slot *s, uint32_t i);
bool slot_task_is_unreleased(const struct slot *s, uint32_t i); /* lost: see slot_task.moved */
/* It leaves DELETED, and nothing of it is left: slot_find does not find it, or will not. */
bool slot_task_is_gone(const struct slot *s, uint32_t i);
/* Of the slot: LOST, or the least that one of its tasks has reached. */
enum slot_state slot_state(const struct slot *s);
/* All tasks of a run over a range have ended, and that is committed. */
bool slot_is_finished(const struct slot *s);
/* It is lost because another has it: whoever lost it may not open it again unasked. */
bool slot_is_fenced(const struct slot *s);
/* Why it is lost, or what it is waiting for; an empty text. */
const char *slot_why(const struct slot *s);
struct slot_counts slot_counts(const struct slot *s);
/* slot_lag.c; costs a look at each of its inputs. */
struct slot_lag slot_lag(const struct slot *s, uint32_t i);
struct task *slot_task(struct slot *s, uint32_t i); /* NULL: a thread beside makes its state */

#endif
