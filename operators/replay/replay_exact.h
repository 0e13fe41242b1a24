/* SPDX-License-Identifier: Apache-2.0
 *
 * Exact mode: the journal of one task is played over the topics that it read. What it makes is held
 * against the sums and numbers of the journal, and against what stands in the topics that it wrote.
 * Nothing is written, and nobody who runs is disturbed.
 *
 * The range is of the task's clock: records of the journal whose clock passes through it are held;
 * those before are played to get there, from the newest archived state before the range, or from
 * the first record of the rules on.
 */
#ifndef OPERATORS_REPLAY_REPLAY_EXACT_H
#define OPERATORS_REPLAY_REPLAY_EXACT_H

#include "operators/replay/replay_outputs.h"
#include "operators/shard/slot.h"

struct replay_exact {
    struct tapes *tapes;
    const struct slot_task *task;
    struct slice journal;   /* topic */
    struct slice archive;   /* topic; empty: from the first record of the rules on */
    uint32_t journal_parts; /* of both */
    int64_t from, to;       /* ns; to is the first moment behind it */
    bool topics;            /* hold outputs against topics, too */
    uint32_t takes;         /* inputs in one go; 0: as many as there are. Nothing depends on it */
    void (*on_event)(void *arg, const struct replay_event *e); /* NULL */
    void *arg;
};

struct replay_report {         /* of a task */
    uint64_t first, last;      /* records of the journal that were held; 0: none */
    uint64_t archive;          /* the record whose state was found in the archive; 0: none */
    uint64_t before, records;  /* played to get there; held */
    uint64_t states;           /* of those held: records that say what the state was at a cut */
    uint64_t differ;           /* records that came out otherwise, those before included */
    uint64_t unchecked;        /* records that an engine of another number made */
    uint64_t other_rules;      /* records of rules that are not these */
    uint64_t headless;         /* records whose beginning is gone */
    uint64_t inputs;           /* taken */
    int64_t clock_from, clock; /* where the first began and the last ended */
    struct replay_held held;
    char first_difference[4096]; /* empty: there is none */
};

/* Fails if it cannot be played: ERR_GONE, the range begins before the replay floor
 * (replay_floor.h); or the journal is torn. Differences are no failure. */
int replay_exact(const struct replay_exact *x, struct replay_report *ret,
                 struct err *reterr) NODISCARD;
bool replay_is_same(const struct replay_report *r);

#endif
