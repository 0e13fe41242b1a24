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

static size_t place_hash(const struct evt *e)
{
    uint64_t x = (uint64_t)(uintptr_t)e >> 4;
    x *= 0x9e3779b97f4a7c15ULL;
    return (size_t)(x >> 20);
}

static void index_put(struct win_index *x, const struct evt *e, uint64_t at)
{
    size_t i = place_hash(e) & (x->cap - 1);
    while (x->cells[i].e != NULL) {
        i = (i + 1) & (x->cap - 1);
    }
    x->cells[i] = (struct win_place){e, at};
    x->len++;
}

void win_index_add(struct win_index *x, const struct evt *e, uint64_t at)
{
    assert(e != NULL);
    if (x->len * 2 >= x->cap) {
        struct win_index was = *x;
        x->cap = was.cap > 0 ? was.cap * 2 : 16;
        x->cells = mem_calloc(x->cap, sizeof *x->cells);
        x->len = 0;
        for (size_t i = 0; i < was.cap; i++) {
            if (was.cells[i].e != NULL) {
                index_put(x, was.cells[i].e, was.cells[i].at);
            }
        }
        mem_free(was.cells);
    }
    index_put(x, e, at);
}

bool win_index_find(const struct win_index *x, const struct evt *e, uint64_t *ret_at)
{
    if (x->len == 0) {
        return false;
    }
    for (size_t i = place_hash(e) & (x->cap - 1); x->cells[i].e != NULL;
         i = (i + 1) & (x->cap - 1)) {
        if (x->cells[i].e == e) {
            *ret_at = x->cells[i].at;
            return true;
        }
    }
    return false;
}

void win_index_remove(struct win_index *x, const struct evt *e, uint64_t at)
{
    size_t mask = x->cap - 1, i = place_hash(e) & mask;
    while (x->cells[i].e != e || x->cells[i].at != at) {
        assert(x->cells[i].e != NULL && "it was added");
        i = (i + 1) & mask;
    }
    x->cells[i].e = NULL;
    x->len--;
    /* Those behind it move up unless they stand where they belong. */
    for (size_t k = (i + 1) & mask; x->cells[k].e != NULL; k = (k + 1) & mask) {
        size_t home = place_hash(x->cells[k].e) & mask;
        if (((k - home) & mask) >= ((k - i) & mask)) {
            x->cells[i] = x->cells[k];
            x->cells[k].e = NULL;
            i = k;
        }
    }
}

void win_index_clear(struct win_index *x)
{
    if (x->len > 0) {
        memset(x->cells, 0, x->cap * sizeof *x->cells);
        x->len = 0;
    }
}

void win_index_done(struct win_index *x)
{
    mem_free(x->cells);
    *x = (struct win_index){NULL, 0, 0};
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
        win_late_take(r);
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
    if (m->len == 0) {
        return NULL;
    }
    size_t mask = m->cap - 1;
    for (size_t i = hash & mask; m->cells[i].node != NULL; i = (i + 1) & mask) {
        if (m->cells[i].hash == hash && same_key(m->cells[i].node, key, m->n_keys)) {
            return m->cells[i].node;
        }
    }
    return NULL;
}

static void map_put_node(struct win_map *m, struct win_node *node)
{
    size_t i = node->hash & (m->cap - 1);
    while (m->cells[i].node != NULL) {
        i = (i + 1) & (m->cap - 1);
    }
    m->cells[i] = (struct win_cell){node->hash, node};
}

struct win_node *win_map_add(struct win_map *m, const struct dat *key, uint64_t hash)
{
    if (m->len * 4 >= m->cap * 3) {
        mem_free(m->cells);
        m->cap = m->cap > 0 ? m->cap * 2 : 16;
        m->cells = mem_calloc(m->cap, sizeof *m->cells);
        for (struct win_node *n = m->first; n != NULL; n = n->next) {
            map_put_node(m, n);
        }
    }
    struct win_node *node = m->free;
    if (node != NULL) {
        m->free = node->next;
    } else {
        node = mem_alloc(sizeof *node + m->n_keys * sizeof(struct dat));
    }
    *node = (struct win_node){.prev = m->last, .hash = hash};
    for (uint32_t i = 0; i < m->n_keys; i++) {
        node->key[i] = dat_keep(key[i]);
    }
    *(m->last != NULL ? &m->last->next : &m->first) = node;
    m->last = node;
    map_put_node(m, node);
    m->len++;
    return node;
}

void win_map_remove(struct win_map *m, struct vheap *h, struct win_node *node)
{
    size_t mask = m->cap - 1, i = node->hash & mask;
    while (m->cells[i].node != node) {
        assert(m->cells[i].node != NULL && "it was added");
        i = (i + 1) & mask;
    }
    m->cells[i].node = NULL;
    m->len--;
    for (size_t k = (i + 1) & mask; m->cells[k].node != NULL; k = (k + 1) & mask) {
        size_t home = m->cells[k].hash & mask;
        if (((k - home) & mask) >= ((k - i) & mask)) {
            m->cells[i] = m->cells[k];
            m->cells[k].node = NULL;
            i = k;
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
    assert(m->len == 0);
    if (m->cap > SPARE) {
        win_map_done(m, h);
    }
}

void win_map_done(struct win_map *m, struct vheap *h)
{
    while (m->first != NULL) {
        win_map_remove(m, h, m->first);
    }
    while (m->free != NULL) {
        struct win_node *next = m->free->next;
        mem_free(m->free);
        m->free = next;
    }
    mem_free(m->cells);
    m->cells = NULL;
    m->cap = m->len = 0;
}
