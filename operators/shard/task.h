/* SPDX-License-Identifier: Apache-2.0
 *
 * A task: one partition of one level group of a graph. It takes its inputs in the order of
 * merge.h, moves the clock of its engine, and gathers what the engine puts out. Now and then it is
 * *cut*: what it took and decided since the last cut becomes a record of its journal, what it put
 * out becomes records of topics, and both belong into one transaction of the bus. The cut is kept
 * until the commit is known. Nothing in memory is ever undone.
 *
 * Replay is the same code: a record of the journal says how far each input goes and what was
 * decided; the outputs are made again, compared by their sum, and dropped.
 *
 * Knows no bus and no wall clock: pieces, ticks and journals are handed in, cuts come out. One
 * thread. The plan is borrowed.
 */
#ifndef OPERATORS_SHARD_TASK_H
#define OPERATORS_SHARD_TASK_H

#include "operators/graph/eng.h"
#include "operators/shard/journal.h"
#include "operators/shard/task_plan.h"

struct task_cut {
    struct slice journal; /* the record; key: task_key */
    struct parcel *parcel;
    uint64_t seq;
};

struct task_counts {
    uint64_t taken, events, marks, late, dropped, ticks, put, refused, records, poison;
    uint64_t alerts, dead, over; /* rows, letters; outputs of one input that were too much */
    uint64_t gaps;               /* times that input was lost */
    uint64_t forgot, journals;   /* times that what rules held was; that the journal was */
};

enum {
    TASK_PUT_MAX = 8 << 20,    /* bytes put out: no more is taken before a cut */
    TASK_INPUT_MAX = 32 << 20, /* of one input: the rest goes to `dlq`. A cut has both at most */
};

struct probe;
struct task;

/* keys: the intern table of whoever decodes the batches that are pushed. */
struct task *task_new(const struct task_plan *plan, struct intern *keys,
                      const struct merge_conf *conf);
/* Its rules could not be deployed; NULL: they could, or nothing has come yet. */
const struct err *task_failed(const struct task *t);
/* A task without a journal: where it begins. */
void task_seek(struct task *t, uint32_t sub, struct merge_pos pos);
void task_free(struct task *t);
const struct task_plan *task_plan(const struct task *t);
/* For pushing, skipping and asking: its order, its clock. */
struct merge *task_merge(struct task *t);
/* Takes at most so many inputs: how many. */
uint32_t task_work(struct task *t, uint32_t max);
/* Pieces that are pushed say what of them concerns this party (probe.h), which knows all that the
 * engine wants as long as this is its version. 0: nobody does. */
void task_party(struct task *t, uint64_t party, size_t version);
/* Takes a whole record that concerns nothing of that party, instead of its being pushed; false: it
 * is to be pushed. The engine hears of the clock with the next work or cut. */
bool task_pass_record(struct task *t, uint32_t sub, const struct merge_piece *p);
/* Behind such a record: further ones that concern nothing of the party may be taken together. */
bool task_may_ride(const struct task *t, uint32_t sub, struct merge_ride *ret);
void task_ride(struct task *t, uint32_t sub, int64_t next, int64_t largest, uint64_t n);
/* Its rules are not deployed before an event comes that concerns them. */
bool task_is_asleep(const struct task *t);
/* When they are: what an input costs that they come with is not known before. */
enum task_rules { TASK_RULES_LATER, TASK_RULES_COMING, TASK_RULES_THERE };
enum task_rules task_rules(const struct task *t);
/* Whom it asks then, about events of which no party tells; NULL: its own. Outlives the task. */
void task_probe(struct task *t, struct probe *p);
/* The next due timer in ns; task_tick fires it. */
#define TASK_NOT_DUE INT64_MAX /* none is set */
int64_t task_due(const struct task *t);
void task_tick(struct task *t, int64_t clock);
/* Timers before `clock`, which is far ahead, as ticks: at most so many, how many. task_work does it
 * for the next input. 0: the rest of the way is short, or the task must be cut first. */
uint32_t task_approach(struct task *t, int64_t clock, uint32_t max);
struct task_span { /* of what it does so: timers fired so far, and the clock it is to come to */
    uint64_t fired;
    int64_t to;
};
struct task_span task_span(const struct task *t); /* fired: 0: it does not */
/* The clock of a run whose inputs have all ended goes to `clock`, timer by timer. */
void task_finish(struct task *t, int64_t clock);
/* So it does, and with the next cut the task ends: who reads it waits for no more. */
void task_end(struct task *t, int64_t clock);
bool task_has_ended(const struct task *t); /* its last cut is made, or was replayed */

size_t task_put_bytes(const struct task *t); /* put out since the last cut */
bool task_is_full(const struct task *t);     /* no more is taken before one */
/* Something was taken or decided since the last cut. */
bool task_is_dirty(const struct task *t);
/* Something that whoever begins again needs: not only who has the task. */
bool task_has_news(const struct task *t);
/* Others wait for it: outputs, the clock, a decision. Else the cut may wait, too: what was taken
 * meanwhile is taken again by whoever begins before it, and nobody can tell. */
bool task_is_urgent(const struct task *t);
/* RELEASE or TAKEN, in the next record: who has the task. */
void task_say(struct task *t, enum journal_kind kind);
/* The next cut may be taken when the end of the one before is known. ret is valid until then. */
int task_cut(struct task *t, uint64_t epoch, struct task_cut *ret, struct err *reterr) NODISCARD;
/* The cut is in the log: where its journal record lies, and where all outputs of the transaction
 * do, its own among them. */
void task_committed(struct task *t, int64_t journal_offset, const struct journal_span *spans,
                    uint32_t n_spans);

/* Plays one record of the journal: pieces are pushed and task_work called until task_replaying is
 * false. The record is borrowed until then. */
int task_replay(struct task *t, const struct journal_record *r, int64_t offset, uint64_t sum,
                struct err *reterr) NODISCARD;
/* Begins behind another's last record: the rules were changed. Numbers go on. */
void task_succeed(struct task *t, const struct journal_record *last, int64_t offset, uint64_t sum);
bool task_replaying(const struct task *t);
/* 0, or ERR_MISMATCH: this engine does not do what was done. After a replayed record. */
int task_replayed(struct task *t, struct err *reterr) NODISCARD;
enum task_differs { /* bits */
                    TASK_DIFFERS_EVENTS = 1,
                    TASK_DIFFERS_CLOCK = 2,
                    TASK_DIFFERS_NUMBERS = 4,
                    TASK_DIFFERS_STATE = 8,
};
/* Whoever looks at a replay is shown what each record puts out, before it is dropped. */
struct task_watch {
    void (*on_record)(void *arg, const struct journal_record *r, const struct parcel *p,
                      unsigned differs);
    void *arg;
};
void task_watch_replay(struct task *t, struct task_watch w);

/* Of the whole state (snap_hash). Costs as much as saving it. */
struct hash128 task_state_hash(struct task *t);
uint64_t task_seq(const struct task *t); /* of the last record of its journal */
struct task_counts task_counts(const struct task *t);
/* What it cannot do, for people: rules that were not deployed, limits that are met, input that is
 * lost. Empty: nothing. */
void task_trouble(const struct task *t, char *to, size_t n);
struct eng *task_eng(struct task *t); /* for looking: what it holds, what its rules cost */

#endif
