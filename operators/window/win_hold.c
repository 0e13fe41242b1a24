/* SPDX-License-Identifier: Apache-2.0
 *
 * Containers of windows: win_hold.h. Rings are in win_ring.c.
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
    HIDX_EACH (&x->by_event, hidx_pointer(e), struct win_place, p) {
        if (p->what == e) {
            *ret_at = p->at;
            return true;
        }
    }
    return false;
}

void win_index_remove(struct win_index *x, const struct evt *e, uint64_t at)
{
    HIDX_EACH (&x->by_event, hidx_pointer(e), struct win_place, p) {
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
    HIDX_EACH (&m->by_key, hash, struct hidx_cell, c) {
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
    HIDX_EACH (&m->by_key, node->hash, struct hidx_cell, c) {
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
