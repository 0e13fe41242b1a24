/* SPDX-License-Identifier: Apache-2.0
 *
 * What distinct has seen (values with counts in an array, found by a hash index; the last one
 * takes the place of one that goes) and events in order of arrival (a ring). See agg_impl.h.
 */
#include "core/base/mem.h"
#include "operators/agg/agg_impl.h"

#include <assert.h>

enum { CELLS_MIN = 8, RING_MIN = 4 };

/* The index's place of a key: where it is, or where it belongs. */
static uint32_t place(const struct agg_uniq *u, struct dat key)
{
    uint32_t i = (uint32_t)dat_hash(key) & (u->cap - 1);
    while (u->index[i] != 0 && !dat_same(u->cells[u->index[i] - 1].key, key)) {
        i = (i + 1) & (u->cap - 1);
    }
    return i;
}

static uint32_t home(const struct agg_uniq *u, uint32_t cell)
{
    return (uint32_t)dat_hash(u->cells[cell].key) & (u->cap - 1);
}

/* The index's place of a cell. */
static uint32_t place_of(const struct agg_uniq *u, uint32_t cell)
{
    uint32_t i = home(u, cell);
    while (u->index[i] != cell + 1) {
        assert(u->index[i] != 0);
        i = (i + 1) & (u->cap - 1);
    }
    return i;
}

static void grow(struct agg_uniq *u)
{
    u->cap = u->cap == 0 ? CELLS_MIN : u->cap * 2;
    mem_free(u->index);
    u->index = mem_calloc(u->cap, sizeof *u->index);
    u->cells = mem_realloc(u->cells, (size_t)u->cap / 4 * 3 * sizeof *u->cells);
    for (uint32_t k = 0; k < u->len; k++) {
        u->index[place(u, u->cells[k].key)] = k + 1;
    }
}

/* The cell of a key, a new one (of which there are 0) if there is none. */
static struct agg_uniq_cell *cell_of(struct agg_uniq *u, struct dat key)
{
    if (u->len * 4 >= u->cap * 3) {
        grow(u);
    }
    uint32_t *at = &u->index[place(u, key)];
    if (*at == 0) {
        u->cells[u->len] = (struct agg_uniq_cell){dat_keep(key), 0};
        *at = ++u->len;
    }
    return &u->cells[*at - 1];
}

bool agg_uniq_add(struct agg_uniq *u, struct dat key)
{
    return cell_of(u, key)->n++ == 0;
}

bool agg_uniq_put(struct agg_uniq *u, struct dat key, uint64_t n)
{
    if (n == 0 || agg_uniq_count(u, key) > 0) {
        return false;
    }
    cell_of(u, key)->n = n;
    return true;
}

uint64_t agg_uniq_count(const struct agg_uniq *u, struct dat key)
{
    uint32_t cell = u->len > 0 ? u->index[place(u, key)] : 0;
    return cell > 0 ? u->cells[cell - 1].n : 0;
}

bool agg_uniq_remove(struct agg_uniq *u, struct vheap *h, struct dat key)
{
    if (u->len == 0) {
        return false;
    }
    uint32_t hole = place(u, key), mask = u->cap - 1, cell = u->index[hole] - 1;
    if (u->index[hole] == 0 || --u->cells[cell].n > 0) {
        return false;
    }
    dat_drop(h, u->cells[cell].key);
    for (uint32_t i = (hole + 1) & mask; u->index[i] != 0; i = (i + 1) & mask) {
        if (((i - home(u, u->index[i] - 1)) & mask) >= ((i - hole) & mask)) { /* it may move back */
            u->index[hole] = u->index[i];
            hole = i;
        }
    }
    u->index[hole] = 0;
    uint32_t last = --u->len;
    if (cell != last) {
        u->index[place_of(u, last)] = cell + 1;
        u->cells[cell] = u->cells[last];
    }
    return true;
}

void agg_uniq_done(struct agg_uniq *u, struct vheap *h)
{
    for (uint32_t i = 0; i < u->len; i++) {
        dat_drop(h, u->cells[i].key);
    }
    mem_free(u->cells);
    mem_free(u->index);
    *u = (struct agg_uniq){0};
}

/* Number of cells, each: key, how often. */
void agg_uniq_save(const struct agg_uniq *u, struct save *s)
{
    save_u(s, u->len);
    for (uint32_t i = 0; i < u->len; i++) {
        save_val(s, u->cells[i].key);
        save_u(s, u->cells[i].n);
    }
}

void agg_uniq_load(struct agg_uniq *u, struct load *l, struct ty type)
{
    size_t n = load_count(l, 2);
    for (size_t i = 0; i < n && load_ok(l); i++) {
        struct dat key = load_val_of(l, type);
        uint64_t many = load_u(l);
        if (load_ok(l) && !agg_uniq_put(u, key, many)) {
            load_fail(l, "a distinct value stands twice, or for nothing");
        }
    }
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

/* Number of events, each, the oldest first. */
void agg_ring_save(const struct agg_ring *r, struct save *s)
{
    save_u(s, r->len);
    for (uint32_t i = 0; i < r->len; i++) {
        save_evt(s, agg_ring_at(r, i));
    }
}

void agg_ring_load(struct agg_ring *r, struct load *l, const struct etype *type)
{
    size_t n = load_count(l, 1);
    for (size_t i = 0; i < n && load_ok(l); i++) {
        struct evt *e = load_evt_of(l, type);
        if (load_ok(l)) {
            agg_ring_push(r, e);
        }
    }
}
