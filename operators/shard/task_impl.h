/* SPDX-License-Identifier: Apache-2.0
 *
 * The inside of a task, for task.c (inputs, clock, outputs), task_plain.c (alerts, dead letters)
 * and task_cut.c (cuts and replay).
 */
#ifndef OPERATORS_SHARD_TASK_IMPL_H
#define OPERATORS_SHARD_TASK_IMPL_H

#include "core/base/vec.h"
#include "operators/shard/task_state.h"
#include "operators/sig/dat_intake.h"

struct task {
    const struct task_plan *plan;
    struct intern *keys;
    struct eng *eng;
    struct merge *merge;
    struct emit *emit;
    struct dat_intake *intake;
    struct arena *scratch; /* of one event on its way out */
    struct buf key, plain;
    struct arena *notes;       /* bytes of decisions, since the last cut */
    struct alert_book *book;   /* NULL: no statement alerts */
    struct batch_enc *values;  /* of plain records */
    uint64_t spanned;          /* task_span.c: timers that were fired on the way */
    int64_t span_to;           /* to this clock */
    struct eref input;         /* what is being taken; none: a timer */
    uint64_t input_from, over; /* bytes put out before it; its outputs that were too much */
    uint64_t put_from;         /* bytes put out before the last cut */
    struct slice over_type;    /* of the first of them */
    VEC(uint32_t) outs;        /* by number of the type: 0 = stays inside, else rule + 1 */
    int64_t floor;             /* no event that is put out is older */
    int64_t ms_end;            /* ns: before it, the engine's clock need not move */
    uint32_t last_sub;         /* of the event before: contexts of another record are other ones */
    int64_t last_offset;
    const struct rec *current; /* being sent: what may be forwarded */
    struct rec unwrapped;      /* it, if it came forwarded */
    uint64_t forwarded;        /* a bit for each forward that had it */
    bool started, has_failed, ended;
    bool deploys;   /* its rules are being deployed */
    bool behind;    /* inputs were passed over: engine and floor do not know of the clock yet, */
    int64_t passed; /* which was this behind the last of them */
    bool lacks;     /* input was lost: what statements hold may lack it, */
    int64_t lacked; /* which was when the clock said this */
    bool asleep;    /* the rules are as they were when they began, there: */
    int64_t began;
    struct probe *probe, *own_probe;
    struct probe_party *doubts; /* of the probe: events that may wake it; NULL: nobody asked */
    uint64_t party;
    size_t party_version;
    struct err failed;
    struct task_counts counts;

    /* since the last cut */
    VEC(struct journal_decision) decisions;
    struct merge_pos *last; /* positions at the last cut */
    int64_t clock_marked;   /* clock at the last cut */

    /* the cut under way, and what the next record says of it */
    struct buf journal;
    struct parcel *parcel;
    struct journal_read *reads;
    VEC(struct journal_put) puts;
    VEC(struct journal_span) spans;
    uint64_t seq; /* of the last record */
    int64_t prev_offset;
    uint64_t prev_sum;
    bool cutting, fresh; /* fresh: the next record is the first of these rules */
    bool final, deleted; /* the next record is the last */
    uint64_t took;       /* the cut whose state was taken over; 0: none */
    char took_bytes[8], life_bytes[8];

    /* snapshots */
    struct snap_set *snapshot; /* the next cut is one; NULL */
    struct eng_cut *saving;    /* what is still to be added of the last one, to */
    struct snap_set *saved_to; /* this; and then what the task knew beside its engine */
    struct buf own, book_bytes;
    size_t slice;
    uint64_t *read_in;       /* per sub-stream, the record that moved it last */
    uint64_t cut_in, rooted; /* records of the last cut, and of the last that has a root */
    bool manifest;           /* the next record has the hash of the last one, */
    bool has_cut_state;      /* which is known: */
    struct hash128 cut_state;

    /* replay */
    const struct journal_record *replay;
    uint32_t at_decision;
    struct merge_pos *replay_to;
    int64_t replay_offset;
    uint64_t replay_sum;
    struct task_watch watch;
    uint32_t other_engine; /* the number that made the last replayed record, if it was another */
};

enum task_dead {
#define TASK_DEAD(name, reason, doc) TASK_DEAD_##name,
#include "operators/shard/dead.def"
};

/* ns, by the engine: of whatever is put out now. */
int64_t task_now(const struct task *t);
/* task_plain.c: a letter to `dlq`, about the input that is being taken; statement: may be none. */
void task_dead(struct task *t, enum task_dead why, struct slice statement, const char *fmt, ...)
    PRINTF_LIKE(4, 5);
struct eng_rows;
void task_rows(void *arg, struct slice statement, const struct eng_rows *rows);
void task_hop(struct task *t, int64_t clock);
void task_lost_again(struct task *t, const struct journal_decision *d); /* LOST; task_gap.c */
void task_forgot_again(struct task *t);                                 /* FORGOT */
void task_gap_again(struct task *t, const struct journal_decision *d);  /* or POISON; task_gap.c */
/* What one input puts out is bounded. True: no more of it. */
struct eref task_ref(const struct task *t, const struct merge_take *in); /* of what is taken */
void task_input_begin(struct task *t, struct eref input);
bool task_input_is_full(struct task *t, struct slice type);
void task_input_end(struct task *t);

void task_take_types(struct task *t); /* what the inputs may have, once the modules are there */
/* task_forward.c. A row of a source's statement; an event that another task has forwarded, as it
 * was when that one read it. */
void task_forward(void *arg, struct slice statement, const struct eng_rows *rows);
struct rec task_unwrap(const struct rec *r, struct eref *ret_ref);
/* task_span.c */
uint32_t task_approach_next(struct task *t, uint32_t max); /* as task_approach, to the next input */
/* task_pass.c */
uint32_t task_pass(struct task *t, uint32_t max); /* how many inputs need not be taken */
void task_catch_up(struct task *t);
/* Rules begin; or they are left for later, if nothing can tell the difference. */
void task_begin(struct task *t, int64_t clock);
void task_start(struct task *t, int64_t clock); /* task.c: at once */
void task_wake(struct task *t);
/* The event concerns the rules. */
bool task_is_concerned(struct task *t, const struct merge_take *in);
void task_probe_done(struct task *t);
void task_save(struct task *t, struct snap_set *to); /* task_image.c: at a cut */
void task_save_end(struct task *t);                  /* or never mind */

#endif
