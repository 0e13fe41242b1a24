/* SPDX-License-Identifier: Apache-2.0
 *
 * The containers of windows. See win.h.
 *
 * A ring finds an event that must go from its middle by an index (event -> slot), which is made at
 * the first such removal only: most windows never see one. The removed slot stays as a gap, which
 * is closed when it reaches an end, when the ring would grow, or when somebody counts places.
 */
#include "core/base/mem.h"
#include "operators/window/win.h"
#include "operators/window/win_late.h"

#include <assert.h>

enum { SPARE = 64 }; /* slots that what is empty may keep */

/* ---- index ---- */

struct win_place {
    uint64_t hash;
    const struct evt *what;
    uint64_t at;
};

void win_index_add(struct win_index *x, const struct evt *e, uint64_t at)
{
    assert(e != NULL);
    if (!hidx_is_made(&x->by_event)) {
        hidx_init(&x->by_event, sizeof(struct win_place));
    }
    struct win_place *p = hidx_add(&x->by_event, hidx_pointer(e));
    p->what = e;
    p->at = at;
}

bool win_index_find(const struct win_index *x, const struct evt *e, uint64_t *ret_at)
{
    HIDX_EACH(&x->by_event, hidx_pointer(e), struct win_place, p)
    {
        if (p->what == e) {
            *ret_at = p->at;
            return true;
        }
    }
    return false;
}

void win_index_remove(struct win_index *x, const struct evt *e, uint64_t at)
{
    HIDX_EACH(&x->by_event, hidx_pointer(e), struct win_place, p)
    {
        if (p->what == e && p->at == at) {
            hidx_remove(&x->by_event, p);
            return;
        }
    }
    assert(false && "it was added");
}

void win_index_clear(struct win_index *x)
{
    hidx_clear(&x->by_event);
}

void win_index_done(struct win_index *x)
{
    hidx_done(&x->by_event);
}

/* ---- ring ---- */

static struct win_slot *slot(const struct win_ring *r, uint64_t i)
{
    return &r->slots[i & (r->cap - 1)];
}

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
    r->tail = to;
    assert(r->tail - r->head == r->live);
    if (r->indexed) {
        make_index(r);
    }
}

static void make_room(struct win_ring *r)
{
    if (r->cap > 0 && r->live <= r->cap / 2) {
        close_gaps(r);
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
    if (UNLIKELY(r->tail - r->head == r->cap)) {
        make_room(r);
    }
    *slot(r, r->tail) = (struct win_slot){evt_keep(e), at};
    if (r->indexed) {
        win_index_add(&r->index, e, r->tail);
    }
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

/* The ends are never gaps. */
static void trim(struct win_ring *r)
{
    while (r->head < r->tail && slot(r, r->head)->e == NULL) {
        r->head++;
    }
    while (r->head < r->tail && slot(r, r->tail - 1)->e == NULL) {
        r->tail--;
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
    if (r->indexed) {
        win_index_remove(&r->index, e, r->head);
    }
    r->head++;
    r->live--;
    trim(r);
    return e;
}

/* The slot's number; false if the event is not there. */
static bool find(struct win_ring *r, const struct evt *e, uint64_t *ret_at)
{
    enum { FEW = 16 };
    uint64_t at = r->head;
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
    if (r->indexed) {
        win_index_remove(&r->index, e, at);
    }
    slot(r, at)->e = NULL;
    r->live--;
    trim(r);
    return true;
}

struct evt *win_ring_nth(struct win_ring *r, size_t n)
{
    assert(n < r->live);
    if (r->live != r->tail - r->head) {
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
    mem_free(r->slots);
    win_index_done(&r->index);
    *r = (struct win_ring){.slots = NULL};
}

/* ---- map ---- */

uint64_t win_key_hash(const struct dat *key, uint32_t n)
{
    uint64_t hash = n;
    for (uint32_t i = 0; i < n; i++) {
        hash = (hash ^ dat_hash(key[i])) * 0x9e3779b97f4a7c15ULL;
        hash ^= hash >> 32;
    }
    return hash;
}

static bool same_key(const struct win_node *node, const struct dat *key, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        if (!dat_same(node->key[i], key[i])) {
            return false;
        }
    }
    return true;
}

struct win_node *win_map_find(const struct win_map *m, const struct dat *key, uint64_t hash)
{
    HIDX_EACH(&m->by_key, hash, struct hidx_cell, c)
    {
        if (c->hash == hash && same_key(c->what, key, m->n_keys)) {
            return c->what;
        }
    }
    return NULL;
}

struct win_node *win_map_add(struct win_map *m, const struct dat *key, uint64_t hash)
{
    struct win_node *node = m->free;
    if (node != NULL) {
        m->free = node->next;
    } else {
        node = mem_alloc(sizeof *node + m->n_keys * sizeof(struct dat));
    }
    *node = (struct win_node){.prev = m->last, .hash = hash, .place = m->places++};
    for (uint32_t i = 0; i < m->n_keys; i++) {
        node->key[i] = dat_keep(key[i]);
    }
    *(m->last != NULL ? &m->last->next : &m->first) = node;
    m->last = node;
    if (!hidx_is_made(&m->by_key)) {
        hidx_init(&m->by_key, sizeof(struct hidx_cell));
    }
    ((struct hidx_cell *)hidx_add(&m->by_key, hash))->what = node;
    return node;
}

void win_map_remove(struct win_map *m, struct vheap *h, struct win_node *node)
{
    if (UNLIKELY(m->late != NULL)) {
        win_late_node(m, node, true);
    }
    HIDX_EACH(&m->by_key, node->hash, struct hidx_cell, c)
    {
        if (c->what == node) {
            hidx_remove(&m->by_key, c);
            break;
        }
    }
    for (uint32_t n = 0; n < m->n_keys; n++) {
        dat_drop(h, node->key[n]);
    }
    *(node->prev != NULL ? &node->prev->next : &m->first) = node->next;
    *(node->next != NULL ? &node->next->prev : &m->last) = node->prev;
    node->next = m->free;
    m->free = node;
}

void win_map_rekey(const struct win_map *m, struct vheap *h, struct win_node *node,
                   const struct dat *key)
{
    for (uint32_t i = 0; i < m->n_keys; i++) {
        if (key[i].kind == DAT_STRING) {
            dat_drop(h, node->key[i]);
            node->key[i] = dat_keep(key[i]);
        }
    }
}

void win_map_renew(struct win_map *m, struct vheap *h)
{
    assert(m->by_key.count == 0);
    if (m->by_key.depth > 0 || m->by_key.one.mask >= SPARE) {
        win_map_done(m, h);
    }
}

void win_map_done(struct win_map *m, struct vheap *h)
{
    win_late_map_rest(m);
    while (m->first != NULL) {
        win_map_remove(m, h, m->first);
    }
    while (m->free != NULL) {
        struct win_node *next = m->free->next;
        mem_free(m->free);
        m->free = next;
    }
    hidx_done(&m->by_key);
}
