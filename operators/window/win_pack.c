/* SPDX-License-Identifier: Apache-2.0
 *
 * See win_pack.h.
 */
#include "operators/window/win_pack.h"

#include "core/base/mem.h"
#include "operators/sig/load.h"
#include "operators/sig/save_late.h"
#include "operators/window/win_store.h"

#include <assert.h>

enum { CHUNK_MIN = 8, CHUNK_BYTES = 8192, ALIGN = 8 };

struct win_pack_chunk {
    struct win_pack_chunk *next;
    uint32_t n; /* rows it has room for */
    _Alignas(int64_t) char rows[];
};

struct row { /* then values */
    uint32_t group;
    uint8_t kind[];
};

static inline struct row *row_at(const struct win_pack *k, struct win_pack_chunk *c, uint32_t i)
{
    return (struct row *)(void *)(c->rows + (size_t)i * k->stride);
}

static inline int64_t *values_of(const struct win_pack *k, struct row *r)
{
    return (int64_t *)(void *)((char *)r + k->values_at);
}

static inline struct eref *ref_of(const struct win_pack *k, struct row *r)
{
    return (struct eref *)(void *)((char *)r + k->ref_at);
}

static inline int64_t *time_of(const struct win_pack *k, struct row *r)
{
    return (int64_t *)(void *)((char *)r + k->time_at);
}

static inline struct dat value_at(const struct win_pack *k, struct row *r, uint32_t i)
{
    return (struct dat){.kind = r->kind[i], .i = values_of(k, r)[i]};
}

struct win_pack *win_pack_new(const struct view_pack *p, struct vheap *h, bool timed)
{
    struct win_pack *k = MEM_NEW(struct win_pack);
    k->heap = h;
    k->p = p;
    k->values_at = ((uint32_t)sizeof(struct row) + p->n + ALIGN - 1) & ~(uint32_t)(ALIGN - 1);
    k->ref_at = k->values_at + p->n * (uint32_t)sizeof(int64_t);
    k->time_at = timed ? k->ref_at + (uint32_t)sizeof(struct eref) : 0;
    k->stride = k->ref_at + (uint32_t)(sizeof(struct eref) + (timed ? sizeof(int64_t) : 0));
    return k;
}

/* ---- chunks ---- */

static struct win_pack_chunk *chunk_new(struct win_pack *k)
{
    struct win_pack_chunk *c = k->spare;
    if (c != NULL) {
        k->spare = c->next;
        k->spare_rows -= c->n;
    } else {
        size_t most = MAX((size_t)CHUNK_MIN, CHUNK_BYTES / k->stride);
        size_t n = MIN(MAX(k->live, (size_t)CHUNK_MIN), most);
        c = mem_alloc(sizeof *c + n * k->stride);
        c->n = (uint32_t)n;
    }
    c->next = NULL;
    return c;
}

/* Some more than are needed now will be again; small ones are of the beginning. */
static void chunk_done(struct win_pack *k, struct win_pack_chunk *c)
{
    if (k->spare_rows > k->live / 4 || (k->live > c->n && c->n * k->stride < CHUNK_BYTES / 2)) {
        mem_free(c);
        return;
    }
    c->next = k->spare;
    k->spare = c;
    k->spare_rows += c->n;
}

static struct row *row_new(struct win_pack *k)
{
    if (UNLIKELY(k->last == NULL || k->tail == k->last->n)) {
        struct win_pack_chunk *c = chunk_new(k);
        *(k->last != NULL ? &k->last->next : &k->first) = c;
        k->last = c;
        k->tail = 0;
    }
    k->live++;
    return row_at(k, k->last, k->tail++);
}

static void row_done(struct win_pack *k)
{
    k->live--;
    k->head++;
    if (k->live == 0) {
        k->head = k->tail = 0; /* first is last */
    } else if (k->head == k->first->n) {
        struct win_pack_chunk *c = k->first;
        k->first = c->next;
        k->head = 0;
        chunk_done(k, c);
    }
}

/* ---- rows ---- */

void win_pack_push(struct win_pack *k, struct evt *e, int64_t at)
{
    const struct view_pack *p = k->p;
    if (UNLIKELY(k->seat != NULL) && win_store_push(k->seat, e, at)) {
        return;
    }
    struct row *r = row_new(k);
    int64_t *to = values_of(k, r);
    r->group = 0;
    for (uint32_t i = 0; i < p->n; i++) {
        struct dat v = dat_keep(evt_get(e, p->in, p->slot[i]));
        r->kind[i] = (uint8_t)v.kind;
        to[i] = v.i;
    }
    *ref_of(k, r) = e->ref;
    if (k->time_at > 0) {
        *time_of(k, r) = at;
    }
}

int64_t win_pack_first_at(const struct win_pack *k)
{
    assert(k->live > 0 && k->time_at > 0);
    if (UNLIKELY(k->seat != NULL)) {
        return win_store_first_at(k->seat);
    }
    return *time_of(k, row_at(k, k->first, k->head));
}

/* The event of a row, whose references to its values it takes. */
static struct evt *unpack(struct win_pack *k, struct row *r)
{
    uint32_t n = k->p->n;
    struct evt *e = evt_bare(k->heap, k->p->type);
    const int64_t *values = values_of(k, r);
    for (uint32_t i = 0; i < n; i++) {
        e->p[i] = (struct dat){.kind = r->kind[i], .i = values[i]};
    }
    for (uint32_t i = n; i < k->p->type->n_cols; i++) {
        e->p[i] = DAT_NONE;
    }
    e->ref = *ref_of(k, r);
    e->group = r->group;
    return e;
}

static bool late_rows(struct win_pack *k, size_t n);

struct evt *win_pack_take(struct win_pack *k)
{
    assert(k->live > 0);
    if (UNLIKELY(k->seat != NULL)) {
        return win_store_take(k->seat);
    }
    if (UNLIKELY(k->late != NULL) && k->late_chunk == k->first && k->late_at == k->head) {
        (void)late_rows(k, 1);
    }
    struct evt *e = unpack(k, row_at(k, k->first, k->head));
    row_done(k);
    return e;
}

/* In order; fn: whether to go on. */
static void each_row(const struct win_pack *k, void (*fn)(void *arg, struct row *r), void *arg)
{
    struct win_pack_chunk *c = k->first;
    uint32_t at = k->head;
    for (size_t n = k->live; n > 0; n--, at++) {
        if (at == c->n) {
            c = c->next;
            at = 0;
        }
        fn(arg, row_at(k, c, at));
    }
}

struct visit {
    struct win_pack *k;
    void (*fn)(void *arg, struct evt *e);
    void *arg;
};

static void visit_row(void *arg, struct row *r)
{
    const struct visit *v = arg;
    struct evt *e = unpack(v->k, r);
    for (uint32_t i = 0; i < v->k->p->n; i++) {
        (void)dat_keep(e->p[i]);
    }
    v->fn(v->arg, e);
}

void win_pack_each(struct win_pack *k, void (*fn)(void *arg, struct evt *e), void *arg)
{
    struct visit v = {k, fn, arg};
    if (k->seat != NULL) {
        win_store_each(k->seat, fn, arg);
        return;
    }
    each_row(k, visit_row, &v);
}

static void drop_row(struct win_pack *k)
{
    struct row *r = row_at(k, k->first, k->head);
    if (UNLIKELY(k->late != NULL) && k->late_chunk == k->first && k->late_at == k->head) {
        (void)late_rows(k, 1);
    }
    for (uint32_t i = 0; i < k->p->n; i++) {
        dat_drop(k->heap, value_at(k, r, i));
    }
    row_done(k);
}

void win_pack_drop(struct win_pack *k, size_t n)
{
    assert(n <= k->live);
    for (; n > 0; n--) {
        drop_row(k);
    }
}

void win_pack_clear(struct win_pack *k)
{
    struct win_pack_chunk *lists[] = {k->first, k->spare};
    assert(k->live == 0 && k->late == NULL);
    for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
        for (struct win_pack_chunk *c = lists[i], *next; c != NULL; c = next) {
            next = c->next;
            mem_free(c);
        }
    }
    k->first = k->last = k->spare = NULL;
    k->head = k->tail = 0;
    k->spare_rows = 0;
}

void win_pack_free(struct win_pack *k)
{
    if (k == NULL) {
        return;
    }
    if (k->seat != NULL) {
        win_store_leave(k->seat);
    }
    (void)late_rows(k, SIZE_MAX);
    win_pack_drop(k, k->live);
    win_pack_clear(k);
    mem_free(k);
}

/* ---- groups ---- */

static void retext(struct win_pack *k, struct row *r, uint32_t col, struct dat text)
{
    struct dat own = value_at(k, r, col);
    if (own.kind == DAT_STRING && text.kind == DAT_STRING && own.s != text.s) {
        values_of(k, r)[col] = dat_keep(text).i;
        dat_drop(k->heap, own);
    }
}

void win_pack_note(struct win_pack *k, size_t back, uint32_t group, const struct dat *keys)
{
    const struct view_pack *p = k->p;
    if (UNLIKELY(k->seat != NULL)) {
        win_store_note(k->seat, back, group, keys);
        return;
    }
    if (back > k->live || back > k->tail) {
        return;
    }
    struct row *r = row_at(k, k->last, k->tail - (uint32_t)back);
    r->group = group;
    for (uint32_t i = 0; i < p->n_keys; i++) {
        retext(k, r, p->key_col[i], keys[i]);
    }
}

uint32_t win_pack_soon(const struct win_pack *k, uint32_t i)
{
    enum { ROWS_AHEAD = 24 };
    if (UNLIKELY(k->seat != NULL)) {
        return win_store_soon(k->seat, i);
    }
    uint32_t at = k->head + i;
    if (i >= k->live || at >= k->first->n) {
        return 0;
    }
    __builtin_prefetch(k->first->rows + (size_t)(at + ROWS_AHEAD) * k->stride);
    return row_at(k, k->first, at)->group;
}

/* ---- rows that several read ---- */

struct win_pack_at win_pack_nth(const struct win_pack *k, size_t n)
{
    struct win_pack_at at = {k->first, 0};
    size_t rest = k->head + n;
    assert(n < k->live);
    for (; rest >= at.chunk->n; at.chunk = at.chunk->next) {
        rest -= at.chunk->n;
    }
    at.i = (uint32_t)rest;
    return at;
}

struct win_pack_at win_pack_newest(const struct win_pack *k)
{
    assert(k->live > 0 && k->tail > 0);
    return (struct win_pack_at){k->last, k->tail - 1};
}

void win_pack_step(struct win_pack_at *at)
{
    if (++at->i == at->chunk->n) {
        *at = (struct win_pack_at){at->chunk->next, 0};
    }
}

int64_t win_pack_time(const struct win_pack *k, struct win_pack_at at)
{
    return *time_of(k, row_at(k, at.chunk, at.i));
}

struct evt *win_pack_view(const struct win_pack *k, struct win_pack_at at,
                          const struct view_pack *to, const uint16_t *col)
{
    struct row *r = row_at(k, at.chunk, at.i);
    struct evt *e = evt_new(k->heap, to->type);
    for (uint32_t i = 0; i < to->n; i++) {
        evt_set(e, i, value_at(k, r, col[i]));
    }
    e->ref = *ref_of(k, r);
    return e;
}

void win_pack_retext(struct win_pack *k, struct win_pack_at at, uint32_t col, struct dat text)
{
    retext(k, row_at(k, at.chunk, at.i), col, text);
}

void win_pack_copy(struct win_pack *k, const struct win_pack *of, struct win_pack_at at,
                   const uint16_t *col, uint32_t group)
{
    struct row *from = row_at(of, at.chunk, at.i), *r = row_new(k);
    for (uint32_t i = 0; i < k->p->n; i++) {
        struct dat v = dat_keep(value_at(of, from, col[i]));
        r->kind[i] = (uint8_t)v.kind;
        values_of(k, r)[i] = v.i;
    }
    r->group = group;
    *ref_of(k, r) = *ref_of(of, from);
    if (k->time_at > 0) {
        *time_of(k, r) = *time_of(of, from);
    }
}

/* ---- state: how many; of each values, reference, time ---- */

static void save_row(const struct win_pack *k, struct row *r, struct save *s)
{
    for (uint32_t i = 0; i < k->p->n; i++) {
        save_val(s, value_at(k, r, i));
    }
    save_u(s, ref_of(k, r)->hi);
    save_u(s, ref_of(k, r)->lo);
    if (k->time_at > 0) {
        save_i(s, *time_of(k, r));
    }
}

struct writing {
    const struct win_pack *k;
    struct save *s;
};

static void write_row(void *arg, struct row *r)
{
    const struct writing *w = arg;
    save_row(w->k, r, w->s);
}

/* Rows that were there at the cut and are not written yet, the oldest first. True: no more is. */
static bool late_rows(struct win_pack *k, size_t n)
{
    for (; k->late != NULL && n > 0; n--) {
        save_row(k, row_at(k, k->late_chunk, k->late_at), save_late_to(k->late));
        k->late_left--;
        if (k->late_left == 0) {
            save_late_end(k->late);
            k->late = NULL;
        } else if (++k->late_at == k->late_chunk->n) {
            k->late_chunk = k->late_chunk->next;
            k->late_at = 0;
        }
    }
    return k->late == NULL;
}

static bool late_step(void *arg, size_t bytes)
{
    struct win_pack *k = arg;
    size_t from = save_late_bytes(k->late);
    while (!late_rows(k, 1) && save_late_bytes(k->late) - from < bytes) {
    }
    return k->late == NULL;
}

static void late_forget(void *arg)
{
    struct win_pack *k = arg;
    k->late = NULL;
}

static bool holds_no_events(const struct view_pack *p)
{
    bool plain = true;
    for (uint32_t i = 0; i < p->n; i++) {
        plain = plain && p->in->cols[p->slot[i]].ty.kind < TY_OBJECT;
    }
    return plain;
}

void win_pack_save_rows(struct win_pack *k, struct save *s)
{
    static const struct save_late_ops ops = {late_step, late_forget};
    struct writing w = {k, s};
    save_u(s, k->live);
    if (k->live > 0 && k->late == NULL && holds_no_events(k->p)) {
        k->late = save_later(s, &ops, k, k->live * k->stride);
    }
    if (k->late == NULL || k->late_left > 0) { /* all of it, now */
        each_row(k, write_row, &w);
        return;
    }
    k->late_chunk = k->first;
    k->late_at = k->head;
    k->late_left = k->live;
}

void win_pack_load_rows(struct win_pack *k, struct load *l)
{
    size_t n = load_count(l, 2 + k->p->n);
    assert(k->live == 0);
    for (size_t i = 0; i < n && load_ok(l); i++) {
        struct row *r = row_new(k);
        r->group = 0;
        for (uint32_t c = 0; c < k->p->n; c++) {
            struct dat v = dat_keep(load_val_of(l, k->p->in->cols[k->p->slot[c]].ty));
            r->kind[c] = (uint8_t)v.kind;
            values_of(k, r)[c] = v.i;
        }
        ref_of(k, r)->hi = load_u(l);
        ref_of(k, r)->lo = load_u(l);
        if (k->time_at > 0) {
            *time_of(k, r) = load_i(l);
        }
    }
}

/* Which store it sits in (0: none) and where, or its rows. */
void win_pack_save(struct win_pack *k, struct save *s)
{
    save_u(s, k->seat != NULL ? k->seat->store->number : 0);
    if (k->seat != NULL) {
        win_store_save_seat(k->seat, s);
    } else {
        win_pack_save_rows(k, s);
    }
}

void win_pack_load(struct win_pack *k, struct load *l)
{
    uint64_t store = load_u(l);
    if (store != 0) {
        win_store_await(k, store, l);
    } else {
        win_pack_load_rows(k, l);
    }
}
