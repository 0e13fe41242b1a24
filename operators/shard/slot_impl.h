/* SPDX-License-Identifier: Apache-2.0
 *
 * The inside of a slot: its life is in slot.c, the rest in the files named below.
 */
#ifndef OPERATORS_SHARD_SLOT_IMPL_H
#define OPERATORS_SHARD_SLOT_IMPL_H

#include "core/base/pool.h"
#include "core/base/vec.h"
#include "core/event/batch_in.h"
#include "operators/shard/slot.h"
#include "operators/shard/slot_amid.h"
#include "operators/shard/slot_commit.h"
#include "operators/shard/slot_load.h"
#include "operators/shard/slot_probe.h"
#include "operators/shard/slot_read.h"
#include "operators/shard/slot_snap.h"
#include "operators/shard/slot_tag.h"
#include "operators/shard/slot_trial.h"

enum {
    SLOT_BUFFER_TASK = 64 << 20, /* bytes of a task that wait: an equal part for each partition, */
    SLOT_BUFFER_MAX = 8 << 20,   /* of so many at most, */
    SLOT_BUFFER_MIN = 256 << 10, /* and at least, */
    SLOT_BUFFER_FETCH = 4 << 20, /* more by one fetch, */
    SLOT_BUFFER_ONE = 512 << 10, /* or so many where pausing it holds nobody else up */
    SLOT_TXN_MAX = 48 << 20,     /* bytes of a transaction; a queue of the bus has 64 MiB */
    SLOT_PUT_ENOUGH = 2 << 20,   /* bytes for which a transaction begins before its time */
    SLOT_SNAP_PORTION = 8 << 20,
    SLOT_TAKES = 4096,
    SLOT_JOURNAL_PARTS = 64,
    SLOT_TOOK = 128, /* commits whose times are remembered */
};

struct slot_record { /* of a journal, until it is replayed */
    int64_t offset;
    char *bytes;
    size_t len;
};

enum slot_part { SLOT_PART_SLICES, SLOT_PART_INPUTS, SLOT_PART_COMMIT, SLOT_PARTS }; /* of a step */

struct slot_one { /* a task and what the slot knows of it */
    struct task *task;
    struct slot_task conf;
    enum slot_state state;
    uint32_t id, load; /* load: which reads its journal, or read it last */
    VEC(struct slot_input *) inputs;
    VEC(struct slot_record) journal;
    size_t at;                 /* in it */
    uint64_t last_plan, took;  /* of its last record; by its first: the cut it began with, or 0 */
    uint64_t awaits, ridden;   /* slot_task_awaits; events that it rode past (slot_ride.c) */
    bool released, unreleased; /* its last record is a RELEASE; it is lost for want of one */
    bool ended, kept;          /* its last record is the last of its rules; others may go on, */
    int64_t life;              /* of this life of the graph */
    struct arena *arena;
    struct journal_record record; /* being replayed, in the arena */
    struct task_cut cut;
    struct slot_snap snap;
    struct slot_note note;
    struct slot_start start;
    bool beside; /* a thread beside has its task */
    struct slot_trial trial;
    struct slot_amid amid;
    struct slot_input *riding;       /* slot_ride.c; NULL: none of its inputs */
    bool in_cut, seen;               /* seen: its record was found after UNKNOWN, */
    int64_t seen_at;                 /* there */
    int64_t probe_from, probe_clock; /* 0: no probe */
    int64_t written;                 /* offset of the last journal record that it wrote; -1: none */
    bool readable, asked;            /* that record is, for everybody; the question is under way */
    enum slot_leave how;             /* it leaves */
    uint32_t portion;                /* inputs that it takes at a time */
    bool heavy; /* they cost it much: it takes some when it is its turn (slot.c) */
    bool rests; /* nothing of its input is at hand: nothing is asked of it before there is */
    bool leaving, final, said, freed; /* its last snapshot is asked for; FINAL, RELEASE are said */
    char why[160];                    /* it is lost */
    struct probe_party *party;        /* what of its input concerns it; NULL: all of it may */
    size_t party_version;             /* of its engine's wants */
    int64_t busy_ns, held_since,      /* held_since: waits for an input, with others at hand; 0 */
        cut_at, burst_from;           /* its last cut was; the next may be as large as the last, */
    bool burst;                       /* which was (slot_commit.c) */
    int64_t early_ns;                 /* of this step's time for it (slot_take_early) */
};

struct slot {
    struct bus_client *bus;
    const struct clock *clock;
    struct slot_conf conf;
    VEC(struct slot_one *) tasks;
    struct bus_reader *reader; /* at the head */
    struct bus_reader *source; /* of a range; NULL: it has none of its own */
    struct bus_writer *writer;
    uint64_t epoch;
    bool open, lost;               /* open: tasks may begin */
    VEC(struct slot_scan *) scans; /* NULL: free */
    uint32_t scan_ids, one_ids;
    uint32_t own[SLOT_OWN]; /* numbers of its own topics */
    struct pool *pieces;
    VEC(struct slot_batch *) spare;
    struct intern *keys;
    struct schema_reg *reg;
    struct batch_in *decoder;
    struct probe *probe;
    struct slot_load loads[SLOT_LOADS];
    /* the transaction under way */
    bool sending, committing;
    uint32_t send_task, send_at;  /* what of its cut comes next */
    bool at_hand, plenty;         /* a task had more inputs than it took in one step; a light one */
    uint32_t heavy_last;          /* the task that had the last turn of the heavy ones */
    size_t put_bytes;             /* of live tasks, not cut yet */
    size_t cut_next, replay_next; /* the first task of the next transaction; that plays again */
    int64_t last_commit, commit_began, not_before;
    uint32_t aborted;               /* in a row */
    uint32_t undelivered;           /* conf.plain: puts whose end is not known */
    bool again, draining, fenced;   /* again: conf.plain: one of them was refused */
    int64_t timer_at;               /* INT64_MAX: none */
    VEC(struct journal_span) spans; /* of the last one, outputs alone */
    bool looking;                   /* after UNKNOWN: for the records of the cut */
    bool asking, leased;            /* for the lease; what the records so far say */
    struct slot_trials trials;
    struct slot_amids amids;
    char why[160];
    struct slot_counts counts;
    int64_t spent[SLOT_PARTS];                                    /* ns, by the clock */
    int64_t took[SLOT_TOOK], took_mean, asked_ends, asked_floors; /* mean: of the last few */
    struct slot_low lows[SLOT_JOURNAL_PARTS];                     /* of the journal */
    uint32_t n_took, floor_turn;
};

static inline int64_t slot_now(const struct slot *s)
{
    return clock_mono(s->clock);
}
static inline bool slot_is_amid(const struct slot_one *o)
{
    return o->amid.fiber != NULL;
}
void slot_lose(struct slot *s, const char *fmt, ...) PRINTF_LIKE(2, 3);
void slot_lose_one(struct slot *s, struct slot_one *o, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* slot_lag.c */
void slot_took(struct slot *s, int64_t ns, uint32_t partitions); /* a commit did */
void slot_ask_ends(struct slot *s); /* now and then, of partitions that it is behind with */
void slot_end_told(struct slot *s, const struct bus_ev *ev);

struct bus_tp slot_journal_of(struct slot *s, const struct slot_one *o);
struct bus_tp slot_state_of(struct slot *s, uint64_t lineage);
struct bus_tp slot_archive_of(struct slot *s, uint64_t lineage);
struct slot_one *slot_one_of(const struct slot *s, uint64_t lineage); /* NULL: none of its */

#endif
