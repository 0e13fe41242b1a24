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
#include "operators/shard/slot_read.h"
#include "operators/shard/slot_snap.h"

enum slot_tag { /* low byte of a tag; the rest is an index */
                SLOT_TAG_OPEN = 1,
                SLOT_TAG_COMMIT,
                SLOT_TAG_BOUNDS,
                SLOT_TAG_JOURNAL,
                SLOT_TAG_SCAN,
                SLOT_TAG_TIMER,
                SLOT_TAG_PUT, /* of a plain writer; index: 1 + the task whose journal record it is
                               */
};

enum {
    SLOT_BUFFER_MAX = 8 << 20, /* bytes of a task and partition that wait */
    SLOT_PARCEL_MAX = 8 << 20, /* bytes put out: then it waits for its commit */
    SLOT_TAKES = 4096,
    SLOT_JOURNAL_PARTS = 64,
};

struct slot_record { /* of a journal, until it is replayed */
    int64_t offset;
    char *bytes;
    size_t len;
};

struct slot_journal { /* a partition of the journal, or of the snapshots */
    struct bus_tp tp;
    int64_t from, end; /* read up to; the stable end after the open */
    bool snapshots;
};

struct slot_one { /* a task and what the slot knows of it */
    struct task *task;
    const struct slot_task *conf;
    VEC(struct slot_record) journal;
    size_t at;          /* in it */
    uint64_t last_plan; /* of its last record */
    struct arena *arena;
    struct journal_record record; /* being replayed, in the arena */
    struct task_cut cut;
    struct slot_snap snap;
    bool in_cut, seen;               /* seen: its record was found after UNKNOWN, */
    int64_t seen_at;                 /* there */
    int64_t probe_from, probe_clock; /* 0: no probe */
};

struct slot {
    struct bus_client *bus;
    const struct clock *clock;
    struct slot_conf conf;
    enum slot_state state;
    struct slot_one *tasks;
    uint32_t n_tasks;
    struct bus_reader *reader, *source; /* source: of a range, NULL if it has none of its own */
    struct bus_writer *writer;
    uint64_t epoch;
    VEC(struct slot_scan) scans;
    VEC(struct slot_input *) inputs;
    struct pool *pieces;
    VEC(struct slot_batch *) spare;
    struct intern *keys;
    struct schema_reg *reg;
    struct batch_in *decoder;

    /* the transaction under way */
    bool sending, committing;
    uint32_t send_task, send_at; /* what of its cut comes next */
    int64_t last_commit, commit_began, not_before;
    uint32_t aborted;     /* in a row */
    uint32_t undelivered; /* conf.plain: puts whose end is not known */
    bool again;           /* conf.plain: one of them was refused */
    bool draining, fenced;
    int64_t timer_at; /* INT64_MAX: none */

    /* reading journals */
    VEC(struct slot_journal) journals;
    uint32_t waits; /* answers that are still to come */
    bool reading_snapshots;
    bool looking; /* after UNKNOWN: for the records of the cut */

    char why[160];
    struct slot_counts counts;
};

static inline uint64_t slot_tag(enum slot_tag kind, uint32_t index)
{
    return (uint64_t)index << 8 | (uint64_t)kind;
}
static inline int64_t slot_now(const struct slot *s)
{
    return clock_mono(s->clock);
}
void slot_lose(struct slot *s, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* slot_commit.c */
void slot_commit_step(struct slot *s);
void slot_commit_event(struct slot *s, const struct bus_ev *ev);
void slot_put_event(struct slot *s, const struct bus_ev *ev);
void slot_commit_looked(struct slot *s); /* the journals were read after UNKNOWN */

/* slot_recover.c */
void slot_open(struct slot *s);
void slot_opened(struct slot *s, const struct bus_ev *ev);
void slot_journal_event(struct slot *s, const struct bus_ev *ev);
bool slot_replay_step(struct slot *s);
struct bus_tp slot_journal_of(struct slot *s, uint32_t task);
struct bus_tp slot_state_of(struct slot *s, uint64_t lineage);
uint32_t slot_task_of(const struct slot *s, uint64_t lineage); /* UINT32_MAX: none of its */

#endif
