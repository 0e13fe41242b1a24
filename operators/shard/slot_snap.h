/* SPDX-License-Identifier: Apache-2.0
 *
 * What a slot does with the snapshots of one task (slot_snap.c); what is there of them, and how
 * they become records, is the snap_set's.
 */
#ifndef OPERATORS_SHARD_SLOT_SNAP_H
#define OPERATORS_SHARD_SLOT_SNAP_H

#include "core/bus/bus_types.h"
#include "operators/shard/task_state.h"
#include "operators/state/snap_archive.h"

struct slot;
struct slot_one;

enum slot_snap_state {
    SNAP_NONE,
    SNAP_CUT,     /* its cut is under way */
    SNAP_SLICES,  /* it is written, slice by slice; chunks go out */
    SNAP_SENDING, /* chunks go out, then the root */
};

struct slot_snap { /* of a task */
    enum slot_snap_state state;
    struct snap_set *set;
    struct snap_root root;
    int64_t due, behind;  /* behind: the journal has had something that it lacks since; 0 */
    bool saved;           /* all slices are */
    int64_t slices_began; /* the interval: */
    size_t sliced;        /* bytes in it */
    bool urgent;          /* it is due though nothing has come since: retention is near */
    uint64_t nears;       /* slot_floor.nears */
    int64_t journal;      /* who begins with it needs the journal behind that record; -1: none */
    bool journal_near;    /* retention is near that */
    bool found, there;    /* at the start: a root that fits; one of this engine */

    struct snap_archive *archive; /* NULL: none was ever made */
    bool archives;                /* the snapshot under way also goes to the archive */
    int64_t archived, clock;      /* period of the last one; clock at the cut under way */
};

struct slot_note { /* that the journal has news behind the snapshot of that record (slot_note.c) */
    bool there, puts, removes; /* puts: the cut under way writes it, or removes it */
    uint64_t seq, next;        /* next: once that is committed */
    int64_t swept;             /* the journal is over up to there (core/event/swept.h); 0 */
};

/* The cut was made. */
void slot_snap_cut(struct slot_one *o);
/* A slice of it, if one is due. True: another is. *wake: when it will be, if it is not now. */
bool slot_snap_slice(struct slot *s, struct slot_one *o, int64_t *wake);
/* When a task that does nothing is saved, so that nobody needs his journal when retention removes
 * it. INT64_MAX: it has nothing to save. */
int64_t slot_snap_due(const struct slot *s, const struct slot_one *o);
/* True: the task must be cut, because records go out. */
bool slot_snap_before_cut(struct slot *s, struct slot_one *o);
uint32_t slot_snap_puts(const struct slot_one *o); /* records of the cut under way */
int slot_snap_put(struct slot *s, struct slot_one *o, uint32_t i, struct err *reterr) NODISCARD;
void slot_snap_committed(struct slot *s, struct slot_one *o, int64_t journal_offset);
bool slot_snap_wants(const struct slot_one *o); /* something has to be said before it leaves */
bool slot_snap_sends(const struct slot_one *o); /* something of it waits to be sent */
void slot_snap_record(struct slot *s, uint32_t load, const struct bus_record *r);
bool slot_snap_is_gone(const struct slot_one *o);   /* nothing of one was read */
struct snap_set *slot_snap_set(struct slot_one *o); /* a new one if there is none yet */
/* The task began with that state: of these rules, or of those before. */
void slot_snap_began(struct slot *s, struct slot_one *o, bool own);
void slot_snap_done(struct slot_snap *p);

void slot_note_record(struct slot *s, uint32_t load, const struct bus_record *r);
/* All is read: there was more in the journal than is there now. */
bool slot_note_says_lost(const struct slot_one *o);
/* Likewise: what the journal says is over, for its state was swept. */
bool slot_note_is_swept(const struct slot_one *o);
void slot_note_cut(const struct slot *s, struct slot_one *o); /* before its cut */
uint32_t slot_note_puts(const struct slot_one *o);            /* with it */
int slot_note_put(struct slot *s, const struct slot_one *o, struct err *reterr) NODISCARD;
void slot_note_committed(struct slot_one *o);

#endif
