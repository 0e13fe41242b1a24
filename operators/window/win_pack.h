/* SPDX-License-Identifier: Apache-2.0
 *
 * A queue of events as rows of the columns that their statement reads (view_pack, window.h): what
 * enters is copied into a row, what leaves is made an event again, which lives to the end of the
 * step. For windows whose events leave in the order they came, in statements that look at columns
 * only, never at an event itself.
 *
 * A row may know its group: the statement says so when it has found it (win_pack_note), and need
 * not look for it when the event leaves, or can fetch it into the cache before. Text that is a key
 * of the group is then the group's own. Both are hints, which are not saved.
 *
 * Rows stand in chunks; some that are free are kept, so a steady state allocates nothing.
 *
 * Statements that have the same window may have one store of rows for all of them (win_store.h): a
 * pack has then a seat there and no rows of its own. Whoever uses it need not know.
 */
#ifndef OPERATORS_WINDOW_WIN_PACK_H
#define OPERATORS_WINDOW_WIN_PACK_H

#include "operators/window/window.h"

struct win_pack_chunk;
struct win_seat;
struct save_late;

struct win_pack {
    struct vheap *heap;
    const struct view_pack *p;
    /* A row: group, kinds of values; values; reference; time. */
    uint32_t stride, values_at, ref_at, time_at; /* time_at 0: it has none */
    struct win_pack_chunk *first, *last, *spare;
    uint32_t head, tail; /* rows: the oldest in the first chunk; behind the newest in the last */
    size_t live, spare_rows;
    /* It is being saved in slices: of what there was then, the rows from here on are left. */
    struct save_late *late; /* NULL: it is not */
    struct win_pack_chunk *late_chunk;
    uint32_t late_at;
    size_t late_left;
    struct win_seat *seat; /* NULL: the rows are its own; then only heap, p and live count here */
    uint32_t owner;        /* the number of its statement; 0: its rows are never shared */
};

struct win_pack *win_pack_new(const struct view_pack *p, struct vheap *h, bool timed);
void win_pack_free(struct win_pack *k); /* NULL is fine */
void win_pack_push(struct win_pack *k, struct evt *e, int64_t at);
int64_t win_pack_first_at(const struct win_pack *k); /* there is one, and it is timed */
struct evt *win_pack_take(struct win_pack *k);       /* the oldest, in the pool */
void win_pack_each(struct win_pack *k, void (*fn)(void *arg, struct evt *e), void *arg);
/* The row `back` before the end (1: the newest), if it is there: that is its group (not 0), keys
 * are the group's. */
void win_pack_note(struct win_pack *k, size_t back, uint32_t group, const struct dat *keys);
/* The group of the i-th row to leave from now on, or 0. */
uint32_t win_pack_soon(const struct win_pack *k, uint32_t i);
/* Of one that has a seat, where that is; the rows themselves are the store's (win_store.h). */
void win_pack_save(struct win_pack *k, struct save *s);
void win_pack_load(struct win_pack *k, struct load *l);

/* ---- for win_store.c: rows that several read ---- */
struct win_pack_at { /* one row */
    struct win_pack_chunk *chunk;
    uint32_t i;
};
struct win_pack_at win_pack_nth(const struct win_pack *k, size_t n); /* 0: the oldest; n < live */
struct win_pack_at win_pack_newest(const struct win_pack *k);
void win_pack_step(struct win_pack_at *at); /* to the row behind; there is one */
static inline bool win_pack_same_chunk(struct win_pack_at a, struct win_pack_at b)
{
    return a.chunk == b.chunk;
}
int64_t win_pack_time(const struct win_pack *k, struct win_pack_at at);
/* An event of `to`, whose column i is column col[i] of the row. */
struct evt *win_pack_view(const struct win_pack *k, struct win_pack_at at,
                          const struct view_pack *to, const uint16_t *col);
/* Column `col` has that text from now on, if it has an equal one. */
void win_pack_retext(struct win_pack *k, struct win_pack_at at, uint32_t col, struct dat text);
/* Appends a copy of a row of `of` to k. */
void win_pack_copy(struct win_pack *k, const struct win_pack *of, struct win_pack_at at,
                   const uint16_t *col, uint32_t group);
void win_pack_drop(struct win_pack *k, size_t n); /* the n oldest */
void win_pack_clear(struct win_pack *k);          /* there are no rows: memory goes, too */
/* Of one without a seat: how many rows; of each values, reference, time. */
void win_pack_save_rows(struct win_pack *k, struct save *s);
void win_pack_load_rows(struct win_pack *k, struct load *l);

#endif
