/* SPDX-License-Identifier: Apache-2.0
 *
 * See tmr.h. A binary heap of pointers, and beside each what decides mostly, so that a sift seldom
 * looks at a timer; each timer knows its place, so moving and cancelling cost a sift. Ties are
 * broken by rank and then by who was there first, so that the order of firing never depends on the
 * shape of the heap.
 */
#include "operators/time/tmr.h"

#include "core/base/mem.h"
#include "core/base/vec.h"

#include <assert.h>

struct cell {
    int64_t key; /* no timer comes before one of a lesser key */
    struct tmr *t;
};

struct tmr_queue {
    VEC(struct cell) heap; /* heap.ptr[i].t->pos == i + 1 */
    uint64_t places;
    uint32_t turn;         /* of the timer that fires */
    VEC(struct tmr *) due; /* of tmr_collect */
};

struct tmr_queue *tmr_queue_new(void)
{
    return MEM_NEW(struct tmr_queue);
}

void tmr_queue_free(struct tmr_queue *q)
{
    if (q == NULL) {
        return;
    }
    VEC_EACH (&q->heap, c) {
        c->t->pos = 0;
    }
    VEC_DONE(&q->heap);
    VEC_DONE(&q->due);
    mem_free(q);
}

static bool before(const struct tmr *a, const struct tmr *b)
{
    if (a->turn != b->turn) {
        return a->turn - 1 < b->turn - 1; /* 0 is last */
    }
    if (a->due != b->due) {
        return a->due < b->due;
    }
    return a->rank != b->rank ? a->rank < b->rank : a->place < b->place;
}

/* Turns lie below all times. */
static int64_t key_of(const struct tmr *t)
{
    int64_t lowest = INT64_MIN + UINT32_MAX;
    return t->turn != 0 ? INT64_MIN + (int64_t)t->turn - 1 : MAX(t->due, lowest);
}

static inline bool cell_before(const struct cell *a, const struct cell *b)
{
    return a->key != b->key ? a->key < b->key : before(a->t, b->t);
}

static inline void place(struct tmr_queue *q, size_t i, struct cell c)
{
    q->heap.ptr[i] = c;
    c.t->pos = (uint32_t)i + 1;
}

static void sift_up(struct tmr_queue *q, size_t i)
{
    struct cell c = q->heap.ptr[i];
    while (i > 0 && cell_before(&c, &q->heap.ptr[(i - 1) / 2])) {
        place(q, i, q->heap.ptr[(i - 1) / 2]);
        i = (i - 1) / 2;
    }
    place(q, i, c);
}

static void sift_down(struct tmr_queue *q, size_t i)
{
    struct cell c = q->heap.ptr[i];
    for (;;) {
        size_t kid = 2 * i + 1;
        if (kid >= q->heap.len) {
            break;
        }
        if (kid + 1 < q->heap.len && cell_before(&q->heap.ptr[kid + 1], &q->heap.ptr[kid])) {
            kid++;
        }
        if (!cell_before(&q->heap.ptr[kid], &c)) {
            break;
        }
        place(q, i, q->heap.ptr[kid]);
        i = kid;
    }
    place(q, i, c);
}

static void put_last(struct tmr_queue *q, struct tmr *t)
{
    assert(q->heap.len < UINT32_MAX - 1);
    *VEC_PUSH(&q->heap) = (struct cell){key_of(t), t};
    t->pos = (uint32_t)q->heap.len;
}

void tmr_enlist(struct tmr_queue *q, struct tmr *t)
{
    t->place = ++q->places;
}

void tmr_set(struct tmr_queue *q, struct tmr *t, int64_t due)
{
    assert(t->fire != NULL);
    t->due = due;
    t->turn = 0;
    if (t->place == 0) {
        tmr_enlist(q, t);
    }
    if (t->pos == 0) {
        put_last(q, t);
    }
    assert(q->heap.ptr[t->pos - 1].t == t);
    q->heap.ptr[t->pos - 1].key = key_of(t);
    sift_up(q, t->pos - 1);
    sift_down(q, t->pos - 1);
}

void tmr_defer(struct tmr_queue *q, struct tmr *t, int64_t due, int64_t now)
{
    assert(t->pos == 0 && due > t->due);
    t->due = due;
    t->turn = due <= now ? q->turn : 0;
    put_last(q, t);
    sift_up(q, t->pos - 1);
}

void tmr_cancel(struct tmr_queue *q, struct tmr *t)
{
    if (t->pos == 0) {
        return;
    }
    assert(t->pos <= q->heap.len && q->heap.ptr[t->pos - 1].t == t);
    size_t i = t->pos - 1;
    t->pos = 0;
    struct cell last = q->heap.ptr[--q->heap.len];
    if (last.t != t) {
        place(q, i, last);
        sift_up(q, i);
        sift_down(q, last.t->pos - 1);
    }
}

int64_t tmr_next(const struct tmr_queue *q)
{
    return q->heap.len > 0 ? q->heap.ptr[0].t->due : INT64_MAX;
}

struct tmr *tmr_pop(struct tmr_queue *q, int64_t now)
{
    if (q->heap.len == 0 || q->heap.ptr[0].t->due > now) {
        return NULL;
    }
    struct tmr *t = q->heap.ptr[0].t;
    tmr_cancel(q, t);
    return t;
}

size_t tmr_collect(struct tmr_queue *q, int64_t now, struct tmr ***ret)
{
    VEC_CLEAR(&q->due);
    for (struct tmr *t; (t = tmr_pop(q, now)) != NULL;) {
        *VEC_PUSH(&q->due) = t;
    }
    *ret = q->due.ptr;
    return q->due.len;
}

void tmr_turn(struct tmr_queue *q, struct tmr *t, uint32_t turn)
{
    assert(t->pos == 0 && turn > 0);
    t->turn = turn;
    put_last(q, t);
    sift_up(q, t->pos - 1);
}

struct tmr *tmr_pop_turn(struct tmr_queue *q)
{
    if (q->heap.len == 0 || q->heap.ptr[0].t->turn == 0) {
        return NULL;
    }
    struct tmr *t = q->heap.ptr[0].t;
    tmr_cancel(q, t);
    q->turn = t->turn;
    t->turn = 0;
    return t;
}

size_t tmr_count(const struct tmr_queue *q)
{
    return q->heap.len;
}

/* ---- state ---- */

void tmr_save(struct save *s, const struct tmr *t)
{
    tmr_save_as(s, t, tmr_is_set(t));
}

void tmr_save_as(struct save *s, const struct tmr *t, bool set)
{
    save_bool(s, set);
    save_i(s, t->due);
    save_u(s, t->place);
}

void tmr_load(struct load *l, struct tmr_queue *q, struct tmr *t)
{
    assert(t->fire != NULL);
    bool set = load_bool(l);
    int64_t due = load_i(l);
    uint64_t place = load_u(l);
    tmr_cancel(q, t);
    t->due = due;
    t->place = place;
    if (set && load_ok(l)) {
        tmr_set(q, t, due);
    }
}

uint64_t tmr_places(const struct tmr_queue *q)
{
    return q->places;
}

void tmr_set_places(struct tmr_queue *q, uint64_t places)
{
    q->places = places;
}
