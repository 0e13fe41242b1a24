/* SPDX-License-Identifier: Apache-2.0
 *
 * A record of a task's journal: what the task took since the record before it, and everything that
 * it decided meanwhile and that the topics do not tell. Played over the topics, the journal makes
 * the same events and the same state again; nothing else is needed to recover a task.
 *
 * The bytes: a format number, the fields in the order of `record` in journal.c as varints and
 * lengths, and the first 8 bytes of their xxh128 at the end. Reader and writer are one function.
 * What varies with time alone (offsets at which earlier outputs lie) is in the record, too, but not
 * in what replay must repeat.
 *
 * To add a decision: a row in journal.def, a higher JOURNAL_FORMAT, who makes it, and its line in
 * decide_again (task.c).
 */
#ifndef OPERATORS_SHARD_JOURNAL_H
#define OPERATORS_SHARD_JOURNAL_H

#include "core/base/arena.h"
#include "core/base/buf.h"
#include "core/base/err.h"
#include "core/base/hash.h"
#include "operators/shard/merge.h"

enum {
    JOURNAL_FORMAT = 3,         /* raised with each new decision, too: formats from 1 on are read */
    JOURNAL_ENGINE_NUMBER = 14, /* raised whenever any output or state can change */
    JOURNAL_BYTES_MAX = 900 * 1024,
};

enum journal_kind {
#define JOURNAL_DECISION(name, number, doc) JOURNAL_##name = (number),
#include "operators/shard/journal.def"
};

struct journal_read { /* one sub-stream that was read */
    uint32_t sub;
    struct merge_pos from, to;
};

struct journal_decision { /* skips are apart: they have a length */
    enum journal_kind kind;
    uint64_t take;      /* before which it was made */
    int64_t time;       /* TICK: the clock */
    struct slice bytes; /* of the others */
};

struct journal_put { /* outputs of this record to one partition */
    struct slice topic;
    uint32_t part;
    uint64_t first; /* output number of the first event */
    uint32_t count; /* of events */
};

struct journal_span { /* where outputs of the record before lie */
    struct slice topic;
    uint32_t part;
    int64_t offset;
    uint32_t count; /* of records */
};

struct journal_record {
    uint64_t lineage, epoch, seq;
    uint64_t plan; /* hash of the rules */
    uint32_t engine;
    int64_t prev_offset; /* of the record before; -1: this is the first */
    uint64_t prev_sum;
    int64_t clock;    /* behind it */
    uint64_t takes;   /* inputs taken */
    uint64_t outputs; /* that the task ever made, behind it */
    struct journal_read *reads;
    struct merge_skip *skips;
    struct journal_decision *decisions;
    struct journal_put *puts;
    struct journal_span *spans;
    uint32_t n_reads, n_skips, n_decisions, n_puts, n_spans;
    struct hash128 out_sum; /* of the canonical events put out */
    bool has_state;
    struct hash128 state; /* at the cut; with a manifest */
};

/* ERR_TOO_BIG beyond JOURNAL_BYTES_MAX. ret_sum is what the next record calls prev_sum. */
int journal_write(const struct journal_record *r, struct buf *out, uint64_t *ret_sum,
                  struct err *reterr) NODISCARD;
/* Arrays lie in the arena, texts in `bytes`. ERR_CORRUPT; ERR_UNSUPPORTED: a newer program's. */
int journal_read(struct slice bytes, struct arena *a, struct journal_record *ret, uint64_t *ret_sum,
                 struct err *reterr) NODISCARD;
/* The record is the first of its rules: what lies before it is another's. */
bool journal_begins(const struct journal_record *r);
const char *journal_kind_name(enum journal_kind kind);

#endif
