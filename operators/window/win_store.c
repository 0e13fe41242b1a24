/* SPDX-License-Identifier: Apache-2.0
 *
 * See win_store.h.
 */
#include "operators/window/win_store.h"

#include "core/base/mem.h"
#include "operators/sig/load.h"

#include <assert.h>

enum { SEATS_MANY = 64 };

/* ---- layout ---- */

static void drop_rows(struct win_store *st)
{
    if (st->rows != NULL) {
        win_pack_free(st->rows);
        mem_free(st->slots);
        mem_free(st->texts);
        st->rows = NULL;
    }
}

void win_store_free(struct win_store *st)
{
    assert(st->seats.len == 0);
    drop_rows(st);
    VEC_DONE(&st->seats);
    mem_free(st);
}

/* Takes over the slots. */
static void set_rows(struct win_store *st, const struct win_pack *like, uint16_t *slots, uint32_t n)
{
    st->slots = slots;
    st->texts = mem_calloc(n + 1, sizeof *st->texts);
    st->p = (struct view_pack){.in = like->p->in, .slot = slots, .n = n};
    st->rows = win_pack_new(&st->p, like->heap, like->time_at > 0);
    st->base = st->end = 0;
    st->newest = NULL;
}

/* Where its columns are; false if one is not there. */
static bool find_columns(struct win_seat *s)
{
    const struct view_pack *own = s->k->p, *all = &s->store->p;
    bool found = true;
    for (uint32_t i = 0; i < own->n; i++) {
        uint16_t c = 0;
        while (c < all->n && all->slot[c] != own->slot[i]) {
            c++;
        }
        s->col[i] = c;
        found = found && c < all->n;
    }
    return found;
}

/* Which columns the rows want: those of all seats, in order. */
static void lay_out(struct win_store *st)
{
    const struct win_pack *like = st->seats.ptr[0]->k;
    uint32_t all = like->p->in->n_cols, n = 0;
    bool *wanted = mem_calloc(all + 1, sizeof *wanted);
    uint16_t *slots = mem_calloc(all + 1, sizeof *slots);
    VEC_EACH (&st->seats, s) {
        for (uint32_t i = 0; i < (*s)->k->p->n; i++) {
            wanted[(*s)->k->p->slot[i]] = true;
        }
    }
    for (uint32_t i = 0; i < all; i++) {
        slots[n] = (uint16_t)i;
        n += wanted[i];
    }
    mem_free(wanted);
    drop_rows(st);
    set_rows(st, like, slots, n);
    VEC_EACH (&st->seats, s) {
        (void)find_columns(*s);
    }
}

/* ---- seats ---- */

static struct win_seat *seat_new(struct win_pack *k)
{
    struct win_seat *s = MEM_NEW(struct win_seat);
    s->k = k;
    s->col = mem_calloc(k->p->n + 1, sizeof *s->col);
    k->seat = s;
    return s;
}

static void sit(struct win_store *st, struct win_seat *s)
{
    s->store = st;
    *VEC_PUSH(&st->seats) = s;
}

/* The store is left to the others, be it that there are none. */
static void stand_up(struct win_seat *s)
{
    struct win_store *st = s->store;
    for (size_t i = 0; st != NULL && i < st->seats.len; i++) {
        if (st->seats.ptr[i] == s) {
            (void)VEC_REMOVE(&st->seats, i);
            break;
        }
    }
    s->k->seat = NULL;
    mem_free(s->groups);
    mem_free(s->col);
    mem_free(s);
}

static void leave_to(struct win_store *st)
{
    if (st != NULL && st->seats.len == 0) {
        win_store_free(st);
    }
}

void win_store_leave(struct win_seat *s)
{
    struct win_store *st = s->store;
    s->k->live = 0;
    stand_up(s);
    leave_to(st);
}

static uint32_t group_of(const struct win_seat *s, uint64_t number)
{
    return s->groups != NULL ? s->groups[number & s->mask] : 0;
}

/* Its rows become its own. */
static void take_along(struct win_seat *s)
{
    struct win_pack *k = s->k;
    struct win_pack_at at = s->at;
    size_t n = k->live;
    k->live = 0;
    for (size_t i = 0; i < n; i++) {
        win_pack_copy(k, s->store->rows, at, s->col, group_of(s, s->head + i));
        if (i + 1 < n) {
            win_pack_step(&at);
        }
    }
    stand_up(s);
}

void win_store_part(struct win_seat *s)
{
    struct win_store *st = s->store;
    take_along(s);
    leave_to(st);
}

static bool is_open(const struct win_store *st)
{
    bool open = st != NULL;
    for (size_t i = 0; open && i < st->seats.len; i++) {
        open = st->seats.ptr[i]->k->live == 0;
    }
    return open;
}

bool win_store_is_open(const struct win_pack *k)
{
    return k->seat != NULL ? is_open(k->seat->store) : k->live == 0;
}

void win_store_join(struct win_pack *with, struct win_pack *k)
{
    assert(win_store_is_open(with) && k->seat == NULL && k->live == 0);
    if (with->seat == NULL) {
        win_pack_clear(with);
        sit(MEM_NEW(struct win_store), seat_new(with));
    }
    struct win_store *st = with->seat->store;
    sit(st, seat_new(k));
    if (st->rows == NULL || !find_columns(k->seat)) {
        lay_out(st);
    }
}

/* ---- rows ---- */

static bool leaves(const struct win_store *st, const struct win_seat *s, uint64_t late)
{
    return s->k->live > 0 && s->head + s->k->live + late < st->end;
}

/* Those who have missed an event by more than `late` rows go, then rows that nobody holds. */
static void trim(struct win_store *st, uint64_t late)
{
    uint64_t base = st->end;
    for (size_t i = st->seats.len; i > 0; i--) {
        struct win_seat *s = st->seats.ptr[i - 1];
        if (leaves(st, s, late)) {
            take_along(s);
        } else if (s->k->live > 0) {
            base = MIN(base, s->head);
        }
    }
    win_pack_drop(st->rows, (size_t)(base - st->base));
    st->base = base;
    st->passed = 0;
    leave_to(st);
}

static void make_room(struct win_seat *s)
{
    enum { ROOM_MIN = 16 };
    uint64_t n = s->groups != NULL ? s->mask + 1 : 0, more = MAX(2 * n, (uint64_t)ROOM_MIN);
    uint32_t *to = mem_calloc(more, sizeof *to);
    for (uint64_t i = 0; i < s->k->live && n > 0; i++) {
        to[(s->head + i) & (more - 1)] = s->groups[(s->head + i) & s->mask];
    }
    mem_free(s->groups);
    s->groups = to;
    s->mask = more - 1;
}

/* An event that comes to several statements is the same object for all, and no other is it within
 * an epoch. */
bool win_store_push(struct win_seat *s, struct evt *e, int64_t at)
{
    struct win_store *st = s->store;
    struct win_pack *k = s->k;
    bool last = st->newest == e && st->epoch == vheap_epoch(k->heap) && st->rows->live > 0;
    uint64_t tail = s->head + k->live;
    bool there = last && (k->live == 0 || tail + 1 == st->end);
    if (!there && k->live > 0 && tail != st->end) {
        win_store_part(s);
        return false;
    }
    if (!there) {
        win_pack_push(st->rows, e, at);
        st->end++;
        st->newest = e;
        st->epoch = vheap_epoch(k->heap);
    }
    if (k->live == 0) {
        s->head = st->end - 1;
        s->at = win_pack_newest(st->rows);
    }
    if (k->p->n_keys > 0) {
        if (UNLIKELY(s->groups == NULL || k->live > s->mask)) {
            make_room(s);
        }
        s->groups[(s->head + k->live) & s->mask] = 0;
    }
    k->live++;
    return true;
}

int64_t win_store_first_at(const struct win_seat *s)
{
    return win_pack_time(s->store->rows, s->at);
}

struct evt *win_store_take(struct win_seat *s)
{
    struct win_store *st = s->store;
    struct win_pack *k = s->k;
    struct evt *e = win_pack_view(st->rows, s->at, k->p, s->col);
    e->group = group_of(s, s->head++);
    struct win_pack_at was = s->at;
    if (--k->live > 0) {
        win_pack_step(&s->at);
    } else if (s->head != st->end) { /* else it would be one that has missed nothing */
        win_store_part(s);
        return e;
    }
    bool passes = k->live == 0 || !win_pack_same_chunk(was, s->at);
    if (passes && ++st->passed >= MIN(st->seats.len, (size_t)SEATS_MANY)) {
        trim(st, 1); /* the event at hand may not have come to all */
    }
    return e;
}

void win_store_each(const struct win_seat *s, void (*fn)(void *arg, struct evt *e), void *arg)
{
    struct win_pack_at at = s->at;
    for (size_t n = s->k->live; n > 0; n--) {
        fn(arg, win_pack_view(s->store->rows, at, s->k->p, s->col));
        if (n > 1) {
            win_pack_step(&at);
        }
    }
}

void win_store_note(struct win_seat *s, size_t back, uint32_t group, const struct dat *keys)
{
    struct win_store *st = s->store;
    struct win_pack *k = s->k;
    uint64_t number = s->head + k->live - back;
    if (back > k->live || s->groups == NULL) {
        return;
    }
    s->groups[number & s->mask] = group;
    for (uint32_t i = 0; number + 1 == st->end && i < k->p->n_keys; i++) {
        uint16_t c = s->col[k->p->key_col[i]];
        if (st->texts[c] != st->end) {
            st->texts[c] = st->end;
            win_pack_retext(st->rows, win_pack_newest(st->rows), c, keys[i]);
        }
    }
}

uint32_t win_store_soon(const struct win_seat *s, uint32_t i)
{
    return i < s->k->live ? group_of(s, s->head + i) : 0;
}

/* ---- state ---- */

void win_store_settle(struct win_store *st)
{
    uint64_t least = UINT64_MAX;
    VEC_EACH (&st->seats, s) {
        least = leaves(st, *s, 0) ? least : MIN(least, (*s)->k->owner);
    }
    st->number = least;
    trim(st, 0);
}

void win_store_save(struct win_store *st, struct save *s)
{
    save_u(s, st->p.n);
    for (uint32_t i = 0; i < st->p.n; i++) {
        save_u(s, st->slots[i]);
    }
    win_pack_save_rows(st->rows, s);
}

void win_store_save_seat(const struct win_seat *s, struct save *to)
{
    assert(s->k->live == 0 || s->head + s->k->live == s->store->end);
    save_u(to, s->k->live);
}

void win_store_await(struct win_pack *k, uint64_t number, struct load *l)
{
    seat_new(k)->awaits = number;
    k->live = load_u(l);
}

struct win_store *win_store_load(const struct win_pack *like, struct load *l)
{
    size_t n = load_count(l, 1), all = like->p->in->n_cols;
    uint16_t *slots = mem_calloc(all + 1, sizeof *slots);
    for (size_t i = 0; i < n && load_ok(l); i++) {
        uint64_t slot = load_u(l);
        if (slot >= all || i >= all || (i > 0 && slot <= slots[i - 1])) {
            load_fail(l, "column %llu of a stream of %zu", (unsigned long long)slot, all);
        } else {
            slots[i] = (uint16_t)slot;
        }
    }
    if (!load_ok(l)) {
        mem_free(slots);
        return NULL;
    }
    struct win_store *st = MEM_NEW(struct win_store);
    set_rows(st, like, slots, (uint32_t)n);
    win_pack_load_rows(st->rows, l);
    st->end = st->rows->live;
    return st;
}

bool win_store_seat(struct win_store *st, struct win_pack *k)
{
    struct win_seat *s = k->seat;
    assert(s != NULL && s->store == NULL);
    if (k->live > st->rows->live || (k->time_at > 0) != (st->rows->time_at > 0) ||
        k->p->in != st->p.in) {
        return false;
    }
    sit(st, s);
    s->head = st->end - k->live;
    if (k->live > 0) {
        s->at = win_pack_nth(st->rows, st->rows->live - k->live);
    }
    while (k->p->n_keys > 0 && (s->groups == NULL || k->live > s->mask)) {
        make_room(s);
    }
    return find_columns(s);
}
