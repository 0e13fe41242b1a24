/* SPDX-License-Identifier: Apache-2.0
 *
 * Tasks whose process has died, and dies again (slot_trial.c). Before a task that is given to a
 * slot after a death (slot_task.after_death) takes its first record, that is written down: at which
 * cut it stands, which record comes, and how often somebody has begun to take there. That is a
 * record of the topic `state`, under the task's lineage and "died". Whoever finds that three have
 * died there takes *alone*: no other such task of the process at the same time, and each record in
 * a transaction of its own, written down before, and not before he has lived for a while: a record
 * that kills does so at once, and whoever is killed from outside again and again before he has
 * settled shall lose nothing. If the process dies of that, the record is passed over (task_skip),
 * which is journaled and told in `dlq`. That ends when nothing is left to take, or after many
 * records. Deaths before a record was taken are not counted.
 */
#ifndef OPERATORS_SHARD_SLOT_TRIAL_H
#define OPERATORS_SHARD_SLOT_TRIAL_H

#include "core/bus/bus_types.h"

struct slot;
struct slot_one;

enum { TRIAL_DEATHS = 3 };

struct slot_tried { /* as it is written down */
    uint64_t plan, seq;
    uint64_t begun; /* how often a record was taken there; 0: nothing is written */
    bool alone;
    uint32_t sub; /* the record that comes */
    int64_t offset;
};

enum slot_trial_step {
    TRIAL_NONE,
    TRIAL_WAITS,  /* for a record, or until it may be alone */
    TRIAL_NAMING, /* the next record is being written down */
    TRIAL_NAMED,
    TRIAL_TAKEN, /* it was taken, or passed over, and is not committed yet */
};

struct slot_trial { /* of a task */
    enum slot_trial_step step;
    struct slot_tried now;
    uint64_t deaths;  /* at this cut */
    bool asked;       /* a record about it is on its way, */
    bool stale;       /* which says what does not hold any more */
    bool back;        /* which takes the one before back: it had to wait again */
    uint32_t records; /* taken alone */
    int64_t settles;  /* when it has lived for long enough to take alone */
};

struct slot_trials {          /* of a slot */
    struct bus_writer *notes; /* NULL: none is needed */
    bool open;
    uint32_t puts;          /* under way */
    struct slot_one *alone; /* the task that is tried; NULL */
};

void slot_trial_record(struct slot *s, uint32_t load, const struct bus_record *r);
void slot_trial_count(struct slot_one *o); /* all was read, and it begins */
void slot_trials_write(struct slot *s);
void slot_trial_event(struct slot *s, const struct bus_ev *ev);
/* Instead of task_work, unless its step is NONE: how many inputs were taken. */
uint32_t slot_trial_work(struct slot *s, struct slot_one *o, uint32_t most);
/* When it wants to be looked at again. */
int64_t slot_trial_wake(const struct slot *s, const struct slot_one *o);
void slot_trial_committed(struct slot *s, struct slot_one *o);
void slot_trial_end(struct slot *s, struct slot_one *o); /* it goes, or is lost */
void slot_trials_close(struct slot *s);

#endif
