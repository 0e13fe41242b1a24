/* SPDX-License-Identifier: Apache-2.0
 *
 * The order in which a task takes its inputs. A sub-stream is what one author wrote to one
 * partition; raw topics have no author. Each input has a place in time, k: the largest ts that its
 * sub-stream had so far, less the bound of the topic. Next comes the buffered input of smallest
 * (k, sub-stream, offset, index); a sub-stream with nothing buffered holds all others up, because
 * what it will bring may come first. So the order is a function of the topics, with one exception:
 * live, who is at the end of his topic is waited for no longer than he should (merge_may_skip).
 * From take a to take b he is then *skipped*, and that is noted for the journal; when the journal
 * is replayed, sub-streams are skipped as they were, and the order is the same.
 *
 * The clock is the k of the input taken last, and never goes back.
 *
 * Knows neither bus nor engine: pieces (the events of one record) are pushed, takes come out. One
 * thread. Events are borrowed from the pieces until the next call; a piece goes back through
 * `on_done` when its last event was taken. Nothing is allocated per event.
 */
#ifndef OPERATORS_SHARD_MERGE_H
#define OPERATORS_SHARD_MERGE_H

#include "core/base/err.h"
#include "core/event/rec.h"

struct merge;

#define MERGE_NO_MARK  INT64_MIN
#define MERGE_NEVER    UINT64_MAX /* of a skip that goes on */
#define MERGE_NO_CLOCK INT64_MIN  /* nothing was taken yet */

struct merge_spec { /* ascending by (topic, part, author): that is their order at equal k */
    uint32_t topic, part;
    uint64_t author; /* lineage; 0: none */
    int64_t bound_ns;
};

struct merge_hint {       /* what is known of a record's events; of all who read it */
    const int64_t *ts;    /* per event, close together, */
    const int64_t *peaks; /* and the largest up to it */
    int64_t least;        /* ts */
    bool ascending;
};

struct merge_piece { /* one record */
    int64_t offset;
    const struct rec *events;
    uint32_t n;
    int64_t mark;   /* the author's clock behind the events, or MERGE_NO_MARK */
    int bad;        /* it does not decode: an error's code, and an input without a time; else 0 */
    uint64_t first; /* derived events: the number of the first */
    void *owner;
    /* For merge_pass: events of it that concern the task, as long as it is of that party (probe.h).
     * hint NULL: they all may. */
    const struct merge_hint *hint;
    const uint32_t *wants;
    uint32_t n_wants;
    uint64_t party;
};

struct merge_pos { /* the next input to be taken */
    int64_t offset;
    uint32_t index;
};

struct merge_skip {
    uint32_t sub;
    uint64_t from, to; /* takes of this record; MERGE_NEVER: still open at its end */
};

struct merge_take {
    uint32_t sub, index;
    int64_t offset, k;
    uint64_t first;          /* of its piece */
    const struct rec *event; /* NULL: a mark, or bad */
    uint32_t n;              /* events of its record, this being number `index` */
    bool late;               /* its ts lies before the clock, which is its own k or later */
    int bad;
};

struct merge_conf {
    void (*on_done)(void *arg, void *owner); /* NULL: nobody wants to know */
    void *arg;
};

struct merge *merge_new(const struct merge_conf *conf, const struct merge_spec *specs, uint32_t n);
void merge_free(struct merge *m);

/* Before the first piece, or after a restart: where the sub-stream stands, and its largest ts. */
void merge_seek(struct merge *m, uint32_t sub, struct merge_pos pos, int64_t largest);
void merge_set_clock(struct merge *m, int64_t clock);
/* In ascending order of offsets. What was taken already is passed over. */
void merge_push(struct merge *m, uint32_t sub, const struct merge_piece *p);
/* It has been at its stable end for long enough, or no longer is. */
void merge_may_skip(struct merge *m, uint32_t sub, bool may);
/* What lies before `offset` is lost: it is passed over, also what is buffered of it. */
void merge_jump(struct merge *m, uint32_t sub, int64_t offset);
/* Nothing will come any more: it holds nobody up. */
void merge_end(struct merge *m, uint32_t sub);

/* The next input; false: somebody is waited for, or nothing is there. */
bool merge_next(struct merge *m, struct merge_take *ret);
/* What merge_next would give; nothing is taken. */
bool merge_peek(const struct merge *m, uint32_t *ret_sub, int64_t *ret_offset);
bool merge_peek_clock(const struct merge *m, int64_t *ret_k); /* also in replay */
/* What may be passed over: inputs that do not concern the party, */
struct merge_bounds {
    uint64_t party;
    int64_t before; /* while the clock stays below that, */
    uint32_t max;
    bool none_late; /* and up to the first that is late. */
};
/* Takes at once what merge_next would give one by one, of one record; 0: merge_next has it. */
bool merge_may_pass(const struct merge *m); /* false: it would give 0 */
uint32_t merge_pass(struct merge *m, const struct merge_bounds *b, uint64_t *late);
/* A whole record that concerns nothing of the party, instead of pushing it: false if it is to be
 * pushed, because others may come before it, or not all of it may be passed over. */
bool merge_pass_record(struct merge *m, uint32_t sub, const struct merge_piece *p,
                       const struct merge_bounds *b, uint64_t *late);
/* As merge_pass_record says, further records may be passed over together, by merge_ride: */
struct merge_ride {
    int64_t limit, clock, bound; /* while the largest ts is below the limit, and none is late */
};
struct merge_ride merge_may_ride(const struct merge *m, uint32_t sub, const struct merge_bounds *b);
void merge_ride(struct merge *m, uint32_t sub, int64_t next, int64_t largest, uint64_t n);
/* A tick or the end of everything: the clock alone. */
void merge_hop(struct merge *m, int64_t clock);

int64_t merge_clock(const struct merge *m);
uint64_t merge_takes(const struct merge *m); /* since the last cut */
struct merge_pos merge_pos(const struct merge *m, uint32_t sub);
int64_t merge_largest(const struct merge *m, uint32_t sub);
bool merge_has(const struct merge *m, uint32_t sub); /* something of it is buffered */
uint32_t merge_holder(const struct merge *m);        /* who is waited for; UINT32_MAX: nobody */
bool merge_is_held(const struct merge *m);           /* somebody is */
bool merge_is_waited(const struct merge *m, uint32_t sub);
bool merge_is_empty(const struct merge *m);
bool merge_is_over(const struct merge *m); /* empty, and all have ended */

size_t merge_skips(const struct merge *m); /* since the last cut: how many, roughly */
/* Skips since the last cut, in the order in which they began, and a new count of takes: skips that
 * are open begin anew at 0. The list lives until the next call. */
const struct merge_skip *merge_cut(struct merge *m, uint32_t *ret_n);

/* Replay of one journal record: takes are made as they were, `to` per sub-stream, as often as
 * merge_next is called; skips in the order of the journal. Ends with merge_replay_end; both
 * arrays are borrowed until then. */
void merge_replay(struct merge *m, const struct merge_pos *to, const struct merge_skip *skips,
                  uint32_t n_skips);
void merge_replay_end(struct merge *m);

#endif
