/* SPDX-License-Identifier: Apache-2.0
 *
 * One store of rows for the windows of several statements. Whoever takes the same events and began
 * when the others were empty holds the end of one and the same sequence: it needs no rows of its
 * own, only a seat that says where its oldest one is. So a store holds every row once, with the
 * columns of all who sit there; each seat lets go of rows when its own window says so, by its own
 * timer, and at its own turn among statements; what no seat holds any more goes.
 *
 * Whether sequences are the same is not promised by the plan alone: a limit, or @Drop, may keep an
 * event from one statement. So the first to come appends the event and the others find it there;
 * who finds that it has missed something leaves with a copy of its rows (an empty one has missed
 * nothing: it goes on from the end). That is at the latest when it is saved, so what is saved
 * depends on the events alone.
 *
 * Hints (groups, win_pack_note) belong to seats, but text in rows is that of the first group told.
 */
#ifndef OPERATORS_WINDOW_WIN_STORE_H
#define OPERATORS_WINDOW_WIN_STORE_H

#include "core/base/vec.h"
#include "operators/window/win_pack.h"

struct win_store {
    struct win_pack *rows;
    struct view_pack p;       /* columns of all who sit there, in the order of the stream's */
    uint16_t *slots;          /* of p */
    uint64_t *texts;          /* of each column: the end there was when it was given a text */
    uint64_t base, end;       /* numbers of rows: the oldest that is there; behind the newest */
    uint64_t epoch;           /* of the heap, when */
    const struct evt *newest; /* that came in */
    uint32_t passed;          /* chunks, by seats, since rows went */
    VEC(struct win_seat *) seats;
    uint64_t number; /* since it was settled: of the first statement that sits there */
};

struct win_seat {
    struct win_pack *k;
    struct win_store *store; /* NULL: it is being loaded, and waits for */
    uint64_t awaits;
    uint16_t *col;         /* column i of k: which of the store's */
    struct win_pack_at at; /* its oldest row, if it has one, */
    uint64_t head;         /* and that one's number */
    uint32_t *groups;      /* of its rows, by number; NULL: nobody tells */
    uint64_t mask;
};

/* Whether two views that hold nothing will hold the same if they are given the same: of one kind,
 * with equal parameters; ex_same tells it of expressions. */
bool view_same(const struct view *a, const struct view *b,
               bool (*ex_same)(const struct ex *a, const struct ex *b));
/* Whether k, or all that sit where it does, hold no row. */
bool win_store_is_open(const struct win_pack *k);
/* k, which is new, from now on shares with `with`, which is open. */
void win_store_join(struct win_pack *with, struct win_pack *k);
/* It goes, and has no rows any more; or it goes with its rows. */
void win_store_leave(struct win_seat *s);
void win_store_part(struct win_seat *s);

/* ---- for win_pack.c ---- */
bool win_store_push(struct win_seat *s, struct evt *e, int64_t at); /* false: it has left */
int64_t win_store_first_at(const struct win_seat *s);
struct evt *win_store_take(struct win_seat *s);
void win_store_each(const struct win_seat *s, void (*fn)(void *arg, struct evt *e), void *arg);
void win_store_note(struct win_seat *s, size_t back, uint32_t group, const struct dat *keys);
uint32_t win_store_soon(const struct win_seat *s, uint32_t i);

/* ---- state: who has missed something has left before; columns, rows. A seat: how many rows ----
 */
void win_store_settle(struct win_store *st); /* before anything of it is saved; it may go */
void win_store_save(struct win_store *st, struct save *s);
void win_store_save_seat(const struct win_seat *s, struct save *to);
void win_store_await(struct win_pack *k, uint64_t number, struct load *l);
/* Of packs like that one; NULL after a failure. It lives as long as somebody sits there. */
struct win_store *win_store_load(const struct win_pack *like, struct load *l);
/* One that waits gets its place: false if it does not fit. */
bool win_store_seat(struct win_store *st, struct win_pack *k);
void win_store_free(struct win_store *st); /* nobody has come */

#endif
