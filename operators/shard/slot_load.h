/* SPDX-License-Identifier: Apache-2.0
 *
 * How tasks come into a slot (slot_recover.c): the ends of their journals and inputs are asked for,
 * then their snapshots are read, then their journals, then these are replayed while their inputs
 * are caught up with. Tasks that come together do so together, by one reader that is theirs alone.
 */
#ifndef OPERATORS_SHARD_SLOT_LOAD_H
#define OPERATORS_SHARD_SLOT_LOAD_H

#include "core/base/vec.h"
#include "core/bus/bus.h"
#include "operators/graph/eng_succeed.h"

struct slot;
struct slot_one;

struct slot_journal { /* a partition of the journal, or of the snapshots */
    struct bus_tp tp;
    int64_t from, end; /* read up to; the stable end after the open */
    int64_t start;     /* retention has removed what is before */
    bool snapshots;
};

struct slot_low { /* what is there of a partition of the journal, as was told last, and first */
    int64_t low, low_first, end;
    bool told;
};

/* Tasks that come in together: their journals are read, replayed, and their inputs caught up with,
 * by a reader of their own. The last one is for looking after UNKNOWN. */
enum { SLOT_CATCH_UPS = 2, SLOT_LOOK = SLOT_CATCH_UPS, SLOT_LOADS };
enum slot_load_phase {
    LOAD_FREE,
    LOAD_BOUNDS,
    LOAD_SNAPSHOTS,
    LOAD_JOURNALS,
    LOAD_BESIDE,
    LOAD_CATCH_UP
};

struct slot_asked { /* for the bounds of a scan, which may be gone when the answer comes */
    uint64_t scan;  /* its tag */
    struct bus_tp tp;
    bool aligned;
};

struct slot_start { /* what a task begins with */
    enum { SLOT_WITH_NOTHING, SLOT_WITH_OWN, SLOT_WITH_FORMER } with;
    bool lost;  /* its journal is: it goes on at the ends of its inputs */
    bool known; /* where the rules before it were, though their state cannot be taken over */
    int rc;
    struct err err;
    struct eng_succeeded got;
};

struct slot_load {
    enum slot_load_phase phase;
    uint32_t number; /* changes at each use: answers to the one before are passed over */
    struct bus_reader *reader;
    VEC(struct slot_journal) journals;
    VEC(struct slot_asked) asked;
    uint32_t waits;             /* answers that are still to come */
    struct slot_beside *beside; /* LOAD_BESIDE */
};

/* Topics that are the slots' own; to be known before it opens. */
enum slot_own { SLOT_JOURNAL_TOPIC, SLOT_STATE_TOPIC, SLOT_ARCHIVE_TOPIC, SLOT_OWN };
void slot_own_topics(struct slot *s);
void slot_open(struct slot *s);
void slot_opened(struct slot *s, const struct bus_ev *ev);
void slot_load_begin(struct slot *s); /* tasks that wait, if a reader is free */
void slot_load_end(struct slot *s, uint32_t load);
void slot_journal_event(struct slot *s, const struct bus_ev *ev);
bool slot_replay_step(struct slot *s);

/* slot_begin.c: all is read */
void slot_begin(struct slot *s, uint32_t load);
bool slot_begin_step(struct slot *s);                      /* true: look again soon */
void slot_begin_end(struct slot *s);                       /* what is under way is waited for */
bool slot_next_record(struct slot *s, struct slot_one *o); /* of its journal; false: it is lost */
void slot_drop_records(struct slot_one *o);
void slot_forget_journal(struct slot_one *o);

/* slot_former.c: rules that left no last record, and whose state nobody takes over */
bool slot_former_seek(
    struct slot_one *o); /* while their chunks are there. False: who knows where */
void slot_former_lost(const struct slot_one *o); /* behind their journal: what is lost is said */

#endif
