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
 */
#ifndef OPERATORS_WINDOW_WIN_PACK_H
#define OPERATORS_WINDOW_WIN_PACK_H

#include "operators/window/window.h"

struct win_pack_chunk;
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
void win_pack_save(struct win_pack *k, struct save *s);
void win_pack_load(struct win_pack *k, struct load *l);

#endif
