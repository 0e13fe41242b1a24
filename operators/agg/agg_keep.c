/* SPDX-License-Identifier: Apache-2.0
 *
 * What distinct has seen (a hash of values with counts, open addressing, cells moved back on
 * removal so that nothing is left behind) and events in order of arrival (a ring). See agg_impl.h.
 */
#include "core/base/mem.h"
#include "operators/agg/agg_impl.h"

#include <assert.h>

enum { CELLS_MIN = 8, RING_MIN = 4 };

static uint32_t place(const struct agg_uniq *u, struct dat key)
{
    uint32_t i = (uint32_t)dat_hash(key) & (u->cap - 1);
    while (u->cells[i].n != 0 && !dat_same(u->cells[i].key, key)) {
        i = (i + 1) & (u->cap - 1);
    }
    return i;
}

static void grow(struct agg_uniq *u)
{
    struct agg_uniq old = *u;
    u->cap = old.cap == 0 ? CELLS_MIN : old.cap * 2;
    u->cells = mem_calloc(u->cap, sizeof *u->cells);
    for (uint32_t i = 0; i < old.cap; i++) {
        if (old.cells[i].n != 0) {
            u->cells[place(u, old.cells[i].key)] = old.cells[i];
        }
    }
    mem_free(old.cells);
}

bool agg_uniq_add(struct agg_uniq *u, struct dat key)
{
    if (u->len * 4 >= u->cap * 3) {
        grow(u);
    }
    struct agg_uniq_cell *c = &u->cells[place(u, key)];
    if (c->n++ > 0) {
        return false;
    }
    c->key = dat_keep(key);
    u->len++;
    return true;
}

bool agg_uniq_remove(struct agg_uniq *u, struct vheap *h, struct dat key)
{
    if (u->len == 0) {
        return false;
    }
    uint32_t hole = place(u, key), mask = u->cap - 1;
    if (u->cells[hole].n == 0 || --u->cells[hole].n > 0) {
        return false;
    }
    dat_drop(h, u->cells[hole].key);
    u->len--;
    for (uint32_t i = (hole + 1) & mask; u->cells[i].n != 0; i = (i + 1) & mask) {
        uint32_t home = (uint32_t)dat_hash(u->cells[i].key) & mask;
        if (((i - home) & mask) >= ((i - hole) & mask)) { /* it may move back to the hole */
            u->cells[hole] = u->cells[i];
            hole = i;
        }
    }
    u->cells[hole] = (struct agg_uniq_cell){DAT_NONE, 0};
    return true;
}

void agg_uniq_done(struct agg_uniq *u, struct vheap *h)
{
    for (uint32_t i = 0; i < u->cap; i++) {
        if (u->cells[i].n != 0) {
            dat_drop(h, u->cells[i].key);
        }
    }
    mem_free(u->cells);
    *u = (struct agg_uniq){0};
}

void agg_ring_push(struct agg_ring *r, struct evt *e)
{
    if (r->len == r->cap) {
        uint32_t cap = r->cap == 0 ? RING_MIN : r->cap * 2;
        struct evt **v = mem_calloc(cap, sizeof(struct evt *));
        for (uint32_t i = 0; i < r->len; i++) {
            v[i] = agg_ring_at(r, i);
        }
        mem_free(r->v);
        *r = (struct agg_ring){v, cap, 0, r->len};
    }
    r->v[(r->head + r->len++) & (r->cap - 1)] = evt_keep(e);
}

bool agg_ring_remove(struct agg_ring *r, struct vheap *h, const struct evt *e)
{
    uint32_t at = 0, mask = r->cap - 1;
    while (at < r->len && agg_ring_at(r, at) != e) {
        at++;
    }
    if (at == r->len) {
        return false;
    }
    evt_drop(h, agg_ring_at(r, at));
    if (at == 0) {
        r->head = (r->head + 1) & mask;
    } else {
        for (uint32_t i = at; i + 1 < r->len; i++) {
            r->v[(r->head + i) & mask] = r->v[(r->head + i + 1) & mask];
        }
    }
    r->len--;
    return true;
}

void agg_ring_done(struct agg_ring *r, struct vheap *h)
{
    for (uint32_t i = 0; i < r->len; i++) {
        evt_drop(h, agg_ring_at(r, i));
    }
    mem_free(r->v);
    *r = (struct agg_ring){0};
}
