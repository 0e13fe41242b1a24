/* SPDX-License-Identifier: Apache-2.0
 *
 * See map.h. Linear probing over 32-bit positions, at most half full; entries keep their hash, so
 * growth does not touch the keys.
 */
#include "core/base/map.h"

#include "core/base/hash.h"
#include "core/base/mem.h"

#include <assert.h>

enum { CAP_FIRST = 8 };

void map_init(struct map *m, size_t max_entries)
{
    assert(m != NULL);
    assert(max_entries > 0 && max_entries < UINT32_MAX / 4);
    *m = (struct map){.max = max_entries};
}

void map_clear(struct map *m)
{
    for (size_t i = 0; i < m->len; i++) {
        mem_free((void *)(uintptr_t)m->entries[i].key.ptr);
    }
    m->len = m->live = 0;
    if (m->index != NULL) {
        memset(m->index, 0, m->index_size * sizeof *m->index);
    }
}

void map_done(struct map *m)
{
    if (m == NULL) {
        return;
    }
    map_clear(m);
    mem_free(m->entries);
    mem_free(m->index);
    *m = (struct map){.max = m->max};
}

/* The index position of the key, or of the free place where it would go. A position whose entry is
 * a hole counts as taken: the probe goes on. */
static size_t probe(const struct map *m, struct slice key, uint64_t hash)
{
    size_t mask = m->index_size - 1, i = (size_t)hash & mask;
    for (;; i = (i + 1) & mask) {
        uint32_t at = m->index[i];
        if (at == 0) {
            return i;
        }
        const struct map_entry *e = &m->entries[at - 1];
        if (e->hash == hash && e->key.ptr != NULL && slice_eq(e->key, key)) {
            return i;
        }
    }
}

static void rebuild(struct map *m, size_t cap)
{
    size_t to = 0;
    for (size_t i = 0; i < m->len; i++) {
        if (m->entries[i].key.ptr != NULL) {
            m->entries[to++] = m->entries[i];
        }
    }
    m->len = to;
    assert(m->len == m->live);
    m->cap = cap;
    m->entries = mem_realloc(m->entries, cap * sizeof *m->entries);
    m->index_size = cap * 2;
    mem_free(m->index);
    m->index = mem_calloc(m->index_size, sizeof *m->index);
    size_t mask = m->index_size - 1;
    for (size_t e = 0; e < m->len; e++) {
        size_t i = (size_t)m->entries[e].hash & mask;
        while (m->index[i] != 0) {
            i = (i + 1) & mask;
        }
        m->index[i] = (uint32_t)(e + 1);
    }
}

void **map_slot(const struct map *m, struct slice key)
{
    if (m->live == 0) {
        return NULL;
    }
    uint32_t at = m->index[probe(m, key, hash_fast(key))];
    return at != 0 ? &m->entries[at - 1].value : NULL;
}

void *map_get(const struct map *m, struct slice key)
{
    void **slot = map_slot(m, key);
    return slot != NULL ? *slot : NULL;
}

void **map_put(struct map *m, struct slice key)
{
    assert(m->max > 0);
    void **old = map_slot(m, key);
    if (old != NULL) {
        return old;
    }
    if (m->live >= m->max || mem_limit_refused()) {
        return NULL;
    }
    if (m->len == m->cap) {
        /* Mostly holes: the same size again; else double. */
        rebuild(m, m->cap == 0 ? CAP_FIRST : m->live * 2 > m->cap ? m->cap * 2 : m->cap);
    }
    uint64_t hash = hash_fast(key);
    size_t i = probe(m, key, hash);
    struct map_entry *e = &m->entries[m->len++];
    *e = (struct map_entry){{mem_dup(key.ptr, key.len), key.len}, NULL, hash};
    m->index[i] = (uint32_t)m->len;
    m->live++;
    return &e->value;
}

void *map_remove(struct map *m, struct slice key)
{
    if (m->live == 0) {
        return NULL;
    }
    uint32_t at = m->index[probe(m, key, hash_fast(key))];
    if (at == 0) {
        return NULL;
    }
    struct map_entry *e = &m->entries[at - 1];
    void *value = e->value;
    mem_free((void *)(uintptr_t)e->key.ptr);
    e->key = SLICE_NONE;
    e->value = NULL;
    m->live--;
    if (m->live == 0) {
        map_clear(m);
    }
    return value;
}
