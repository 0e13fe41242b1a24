/* SPDX-License-Identifier: Apache-2.0
 *
 * Timers of one engine: due times in ms, fired in order of (due, rank, place). A timer is embedded
 * in what it wakes; `fire` finds its owner by CONTAINER_OF. The clock is moved by the engine only.
 */
#ifndef OPERATORS_TIME_TMR_H
#define OPERATORS_TIME_TMR_H

#include "operators/sig/load.h"

struct tmr {
    int64_t due;
    uint64_t rank;  /* statement order << 16 | place in the statement: windows before output */
    uint64_t place; /* among those of equal due and rank: who was set, or enlisted, first */
    uint32_t pos;   /* in the heap, from 1; 0: not set */
    uint32_t turn;  /* of a step: 0, or when it fires among those collected for it */
    void (*fire)(struct tmr *t, int64_t now);
    void *inst; /* the statement instance to be flushed after firing; may be NULL */
};

struct tmr_queue;

struct tmr_queue *tmr_queue_new(void);
void tmr_queue_free(struct tmr_queue *q);
void tmr_set(struct tmr_queue *q, struct tmr *t, int64_t due); /* moves it if it is set */
/* Gives the timer its place before it is set at all. */
void tmr_enlist(struct tmr_queue *q, struct tmr *t);
/* For one that fires but finds that it should later: in the same step if that is due, too. */
void tmr_defer(struct tmr_queue *q, struct tmr *t, int64_t due, int64_t now);
void tmr_cancel(struct tmr_queue *q, struct tmr *t);
static inline bool tmr_is_set(const struct tmr *t)
{
    return t->pos != 0;
}
int64_t tmr_next(const struct tmr_queue *q); /* INT64_MAX if there is none */
/* Takes out the first timer if it is due at `now`. */
struct tmr *tmr_pop(struct tmr_queue *q, int64_t now);
/* A step of the clock that fires statement by statement: all due timers are taken out, in their
 * order, valid until the next call; each is put back by tmr_turn; tmr_pop_turn then gives them by
 * (turn, due, rank, place). What is cancelled meanwhile does not fire, nor does what is set. */
size_t tmr_collect(struct tmr_queue *q, int64_t now, struct tmr ***ret);
void tmr_turn(struct tmr_queue *q, struct tmr *t, uint32_t turn); /* from 1 */
struct tmr *tmr_pop_turn(struct tmr_queue *q);                    /* NULL when the step is over */
size_t tmr_count(const struct tmr_queue *q);

/* A timer as part of its owner's state: whether it is set, for when, and its place. */
void tmr_save(struct save *s, const struct tmr *t);
void tmr_save_as(struct save *s, const struct tmr *t, bool set); /* one that fires: as it was */
void tmr_load(struct load *l, struct tmr_queue *q, struct tmr *t);
/* How many places were given. */
uint64_t tmr_places(const struct tmr_queue *q);
void tmr_set_places(struct tmr_queue *q, uint64_t places);

/* Calendar, UTC: ms plus whole months (negative goes back), the day clamped to the month's last. */
int64_t tmr_add_months(int64_t ms, int64_t months);

#endif
