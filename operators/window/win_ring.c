/* SPDX-License-Identifier: Apache-2.0
 *
 * Rings of events: win_hold.h.
 *
 * A small ring is one array, which doubles. A large one is pages of PAGE slots, so that it grows by
 * one of them and gives back what its oldest events leave; what a push costs does not depend on how
 * many there are.
 *
 * A ring finds an event that must go from its middle by an index (event -> slot), which is made at
 * the first such removal only: most windows never see one. The removed slot stays as a gap, which
 * is closed when it reaches an end, when the ring would grow, or when somebody counts places. In a
 * large ring where gaps are the most, each push moves a few events down: what lies between those
 * that were moved and those that were not is gaps as well, so at any time it is a ring like others.
 * While it is saved in slices no event is moved. Of a large one the index is made a page with each
 * removal; who looks for an event that is not in it goes through what is not, which is a fiftieth
 * of the work.
 */
#include "core/base/mem.h"
#include "operators/window/win_hold.h"
#include "operators/window/win_late.h"

#include <assert.h>

enum { SPARE = 64 /* slots that what is empty may keep */, PAGE = WIN_RING_PAGE };

static struct win_slot *slot(const struct win_ring *r, uint64_t i)
{
    return win_ring_slot(r, i);
}

/* ---- pages ---- */

static bool is_paged(const struct win_ring *r)
{
    return r->cap > PAGE;
}

static struct win_slot **page_of(const struct win_ring *r, uint64_t number)
{
    return &r->pages[number & (r->cap / PAGE - 1)];
}

static uint32_t *lives_of(const struct win_ring *r, uint64_t page)
{
    return &r->lives[page & (r->cap / PAGE - 1)];
}

static void count_event(struct win_ring *r, uint64_t at, uint32_t more)
{
    if (UNLIKELY(r->lives != NULL)) {
        *lives_of(r, at / PAGE) += more;
    }
}

/* Pages of those numbers are given back. One is kept: who needs a page has mostly just done
 * without another. */
static void give_back(struct win_ring *r, uint64_t from, uint64_t to)
{
    for (uint64_t k = from; is_paged(r) && k < to; k++) {
        struct win_slot **p = page_of(r, k);
        if (r->spare == NULL) {
            r->spare = *p;
        } else {
            mem_free(*p);
        }
        *p = NULL;
    }
}

/* The ring ends here now; the page of its end stays. */
static void end_at(struct win_ring *r, uint64_t tail)
{
    uint64_t last = r->tail / PAGE;
    r->tail = tail;
    r->unknown = MIN(r->unknown, tail);
    if (is_paged(r)) {
        give_back(r, tail / PAGE + 1, MIN(last + 1, r->head / PAGE + r->cap / PAGE));
    }
}

static void double_pages(struct win_ring *r)
{
    struct win_slot **was = r->pages;
    size_t n = r->cap / PAGE;
    r->pages = mem_calloc(2 * n, sizeof(struct win_slot *));
    r->cap *= 2;
    for (uint64_t k = r->head / PAGE; k < r->tail / PAGE; k++) {
        *page_of(r, k) = was[k & (n - 1)];
    }
    mem_free(was);
    mem_free(r->lives); /* they will be counted again */
    r->lives = NULL;
}

/* It is one full page. What has come round goes to another. */
static void make_pages(struct win_ring *r)
{
    struct win_slot *one = r->slots, *next = mem_alloc(PAGE * sizeof *next);
    for (uint64_t i = r->tail / PAGE * PAGE; i < r->tail; i++) {
        next[i % PAGE] = one[i % PAGE];
    }
    r->cap = 2 * (size_t)PAGE;
    r->pages = mem_calloc(2, sizeof(struct win_slot *));
    *page_of(r, r->head / PAGE) = one;
    *page_of(r, r->head / PAGE + 1) = next;
}

static void begin_page(struct win_ring *r)
{
    if (r->tail / PAGE - r->head / PAGE == r->cap / PAGE) {
        double_pages(r);
    }
    struct win_slot **p = page_of(r, r->tail / PAGE);
    if (*p == NULL) {
        *p = r->spare != NULL ? r->spare : mem_alloc(PAGE * sizeof **p);
        r->spare = NULL;
    }
}

/* ---- gaps ---- */

static void make_index(struct win_ring *r)
{
    win_index_clear(&r->index);
    for (uint64_t i = r->head; i < r->tail; i++) {
        if (slot(r, i)->e != NULL) {
            win_index_add(&r->index, slot(r, i)->e, i);
        }
    }
    r->indexed = true;
}

/* ---- the index of a large ring: that of all but [known, unknown), where its events are not ----
 */

static bool is_known(const struct win_ring *r, uint64_t at)
{
    return at < r->known || at >= r->unknown;
}

static void know_some(struct win_ring *r)
{
    r->known = MAX(r->known, r->head);
    for (uint64_t end = MIN(r->unknown, r->known + PAGE); r->known < end; r->known++) {
        if (r->known < r->tail && slot(r, r->known)->e != NULL) {
            win_index_add(&r->index, slot(r, r->known)->e, r->known);
        }
    }
}

static bool find_unknown(const struct win_ring *r, const struct evt *e, uint64_t *ret_at)
{
    for (uint64_t i = MAX(r->known, r->head), end = MIN(r->unknown, r->tail); i < end; i++) {
        if (slot(r, i)->e == e) {
            *ret_at = i;
            return true;
        }
    }
    return false;
}

/* Of an event that stands several times, the oldest is found. */
static bool find_large(struct win_ring *r, const struct evt *e, uint64_t *ret_at)
{
    uint64_t at;
    if (!r->indexed) {
        r->indexed = true;
        r->known = r->head;
        r->unknown = r->tail;
    }
    know_some(r);
    bool found = win_index_find(&r->index, e, ret_at);
    if ((!found || *ret_at >= r->known) && r->known < r->unknown && find_unknown(r, e, &at)) {
        *ret_at = at;
        return true;
    }
    return found;
}

static void close_gaps(struct win_ring *r)
{
    if (UNLIKELY(r->late != NULL)) {
        win_late_renumber(r);
    }
    uint64_t to = r->head;
    for (uint64_t i = r->head; i < r->tail; i++) {
        if (slot(r, i)->e != NULL) {
            *slot(r, to++) = *slot(r, i);
        }
    }
    end_at(r, to);
    r->moved = r->unmoved = 0;
    assert(r->tail - r->head == r->live);
    if (r->indexed) {
        make_index(r);
    }
}

/* A few events of a large ring, if gaps are the most. */
static void move_some(struct win_ring *r)
{
    enum { FEW = 8 };
    if (r->late != NULL || r->known < r->unknown ||
        (r->unmoved == 0 && r->tail - r->head <= 2 * r->live)) {
        return;
    }
    if (r->unmoved == 0) {
        r->moved = r->unmoved = r->head;
    }
    for (uint64_t end = MIN(r->tail, r->unmoved + FEW); r->unmoved < end; r->unmoved++) {
        struct win_slot *s = slot(r, r->unmoved);
        if (s->e == NULL) {
            continue;
        }
        if (r->moved < r->unmoved) {
            if (r->indexed) {
                win_index_remove(&r->index, s->e, r->unmoved);
                win_index_add(&r->index, s->e, r->moved);
            }
            *slot(r, r->moved) = *s;
            s->e = NULL;
            count_event(r, r->moved, 1);
            count_event(r, r->unmoved, -1U);
        }
        r->moved++;
    }
    if (r->unmoved == r->tail) {
        end_at(r, r->moved);
        r->moved = r->unmoved = 0;
    }
}

static void make_room(struct win_ring *r)
{
    if (r->cap > 0 && r->live <= r->cap / 2) {
        close_gaps(r);
        return;
    }
    if (r->cap == PAGE) {
        make_pages(r);
        return;
    }
    size_t cap = r->cap > 0 ? r->cap * 2 : 8;
    struct win_slot *slots = mem_alloc(cap * sizeof *slots);
    for (uint64_t i = r->head; i < r->tail; i++) {
        slots[i & (cap - 1)] = *slot(r, i);
    }
    mem_free(r->slots);
    r->slots = slots;
    r->cap = cap;
}

void win_ring_push(struct win_ring *r, struct evt *e, int64_t at)
{
    if (UNLIKELY(is_paged(r))) {
        move_some(r);
    } else if (UNLIKELY(r->tail - r->head == r->cap)) {
        make_room(r);
    }
    if (UNLIKELY(r->tail % PAGE == 0 && is_paged(r))) {
        begin_page(r);
    }
    *slot(r, r->tail) = (struct win_slot){evt_keep(e), at};
    if (r->indexed) {
        win_index_add(&r->index, e, r->tail);
    }
    count_event(r, r->tail, 1);
    r->tail++;
    r->live++;
}

struct win_slot *win_ring_first(struct win_ring *r)
{
    return r->live > 0 ? slot(r, r->head) : NULL;
}

const struct win_slot *win_ring_last(const struct win_ring *r)
{
    return r->live > 0 ? slot(r, r->tail - 1) : NULL;
}

/* The ends are never gaps. `head`: where it began. */
static void trim(struct win_ring *r, uint64_t head)
{
    uint64_t tail = r->tail;
    while (r->head < tail && slot(r, r->head)->e == NULL) {
        r->head++;
    }
    while (r->head < tail && slot(r, tail - 1)->e == NULL) {
        tail--;
    }
    if (tail < r->tail) {
        end_at(r, tail);
    }
    give_back(r, head / PAGE, r->head / PAGE);
    if (tail <= r->unmoved) {
        r->moved = r->unmoved = 0;
    } else if (r->head >= r->unmoved && r->unmoved > 0) {
        r->moved = r->unmoved = r->head;
    }
    if (UNLIKELY(r->late != NULL)) {
        win_late_trim(r);
    }
}

struct evt *win_ring_take(struct win_ring *r)
{
    if (r->live == 0) {
        return NULL;
    }
    struct evt *e = slot(r, r->head)->e;
    if (UNLIKELY(r->late != NULL)) {
        win_late_remove(r, r->head);
    }
    if (r->indexed && is_known(r, r->head)) {
        win_index_remove(&r->index, e, r->head);
    }
    count_event(r, r->head, -1U);
    r->head++;
    r->live--;
    trim(r, r->head - 1);
    return e;
}

/* The slot's number; false if the event is not there. */
static bool find(struct win_ring *r, const struct evt *e, uint64_t *ret_at)
{
    enum { FEW = 16 };
    uint64_t at = r->head;
    if (is_paged(r)) {
        return find_large(r, e, ret_at);
    }
    if (!r->indexed && r->tail - r->head > FEW) {
        make_index(r);
    }
    if (r->indexed) {
        return win_index_find(&r->index, e, ret_at);
    }
    while (at < r->tail && slot(r, at)->e != e) {
        at++;
    }
    *ret_at = at;
    return at < r->tail;
}

struct win_slot *win_ring_find(struct win_ring *r, const struct evt *e)
{
    uint64_t at;
    return find(r, e, &at) ? slot(r, at) : NULL;
}

bool win_ring_remove(struct win_ring *r, const struct evt *e)
{
    uint64_t at;
    if (!find(r, e, &at)) {
        return false;
    }
    if (UNLIKELY(r->late != NULL)) {
        win_late_remove(r, at);
    }
    if (r->indexed && is_known(r, at)) {
        win_index_remove(&r->index, e, at);
    }
    slot(r, at)->e = NULL;
    count_event(r, at, -1U);
    r->live--;
    trim(r, r->head);
    return true;
}

static void count_pages(struct win_ring *r)
{
    r->lives = mem_calloc(r->cap / PAGE, sizeof *r->lives);
    for (uint64_t i = r->head; i < r->tail; i++) {
        *lives_of(r, i / PAGE) += slot(r, i)->e != NULL;
    }
}

/* Between gaps: page by page from the end that is nearer. */
static struct evt *nth_of_pages(const struct win_ring *r, size_t n)
{
    bool back = n >= r->live / 2;
    uint64_t page = (back ? r->tail - 1 : r->head) / PAGE;
    size_t left = back ? r->live - 1 - n : n;
    while (left >= *lives_of(r, page)) {
        left -= *lives_of(r, page);
        page += back ? UINT64_MAX : 1;
    }
    uint64_t i = back ? MIN(r->tail, (page + 1) * PAGE) - 1 : MAX(r->head, page * PAGE);
    while (slot(r, i)->e == NULL || left > 0) {
        left -= slot(r, i)->e != NULL;
        i += back ? UINT64_MAX : 1;
    }
    return slot(r, i)->e;
}

struct evt *win_ring_nth(struct win_ring *r, size_t n)
{
    assert(n < r->live);
    bool gaps = r->live != r->tail - r->head;
    if (gaps && is_paged(r)) {
        if (r->lives == NULL) {
            count_pages(r);
        }
        return nth_of_pages(r, n);
    }
    if (gaps) {
        close_gaps(r);
    }
    return slot(r, r->head + n)->e;
}

void win_ring_each(const struct win_ring *r, void (*fn)(void *arg, struct evt *e), void *arg)
{
    for (uint64_t i = r->head; i < r->tail; i++) {
        if (slot(r, i)->e != NULL) {
            fn(arg, slot(r, i)->e);
        }
    }
}

void win_ring_renew(struct win_ring *r, struct vheap *h)
{
    assert(r->live == 0);
    if (r->cap > SPARE || r->indexed) {
        win_ring_done(r, h);
    }
}

void win_ring_done(struct win_ring *r, struct vheap *h)
{
    win_late_rest(r);
    for (uint64_t i = r->head; i < r->tail; i++) {
        if (slot(r, i)->e != NULL) {
            evt_drop(h, slot(r, i)->e);
        }
    }
    for (size_t i = 0; is_paged(r) && i < r->cap / PAGE; i++) {
        mem_free(r->pages[i]);
    }
    mem_free(r->slots); /* or the array of pages */
    mem_free(r->spare);
    mem_free(r->lives);
    win_index_done(&r->index);
    *r = (struct win_ring){.slots = NULL};
}
