/* SPDX-License-Identifier: Apache-2.0
 *
 * What distinct has seen (values with counts in an array, found by a hash index; the last one
 * takes the place of one that goes) and events in order of arrival (a ring). See agg_impl.h.
 */
#include "core/base/mem.h"
#include "operators/agg/agg_impl.h"

#include <assert.h>

enum { CELLS_MIN = 6, RING_MIN = 4 };

static struct hidx_small *place(const struct agg_uniq *u, struct dat key, uint64_t hash)
{
    HIDX_EACH (&u->index, hash, struct hidx_small, c) {
        if (c->hash == hidx_upper(hash) && dat_same(u->cells[c->what - 1].key, key)) {
            return c;
        }
    }
    return NULL;
}

/* The index's place of a cell. */
static struct hidx_small *place_of(const struct agg_uniq *u, uint32_t cell)
{
    struct hidx_small *found = NULL;
    HIDX_EACH (&u->index, dat_hash(u->cells[cell].key), struct hidx_small, c) {
        if (c->what == cell + 1) {
            found = c;
            break;
        }
    }
    assert(found != NULL);
    return found;
}

/* The cell of a key, a new one (of which there are 0) if there is none. */
static struct agg_uniq_cell *cell_of(struct agg_uniq *u, struct vheap *h, struct dat key)
{
    uint64_t hash = dat_hash(key);
    const struct hidx_small *at = place(u, key, hash);
    if (at != NULL) {
        return &u->cells[at->what - 1];
    }
    if (u->len == u->cap) {
        u->cap = MAX((uint32_t)CELLS_MIN, u->cap * 2);
        u->cells = mem_realloc(u->cells, u->cap * sizeof *u->cells);
    }
    if (!hidx_is_made(&u->index)) {
        hidx_init(&u->index, sizeof(struct hidx_small));
    }
    u->cells[u->len] = (struct agg_uniq_cell){dat_keep(key), 0};
    lim_add(vheap_lim(h), LIM_STATE, agg_cost(key));
    ((struct hidx_small *)hidx_add(&u->index, hash))->what = ++u->len;
    return &u->cells[u->len - 1];
}

bool agg_uniq_add(struct agg_uniq *u, struct vheap *h, struct dat key)
{
    return cell_of(u, h, key)->n++ == 0;
}

bool agg_uniq_put(struct agg_uniq *u, struct vheap *h, struct dat key, uint64_t n)
{
    if (n == 0 || agg_uniq_count(u, key) > 0) {
        return false;
    }
    cell_of(u, h, key)->n = n;
    return true;
}

uint64_t agg_uniq_count(const struct agg_uniq *u, struct dat key)
{
    const struct hidx_small *at = place(u, key, dat_hash(key));
    return at != NULL ? u->cells[at->what - 1].n : 0;
}

bool agg_uniq_remove(struct agg_uniq *u, struct vheap *h, struct dat key)
{
    const struct hidx_small *at = place(u, key, dat_hash(key));
    if (at == NULL || --u->cells[at->what - 1].n > 0) {
        return false;
    }
    uint32_t cell = at->what - 1, last = u->len - 1;
    lim_sub(vheap_lim(h), LIM_STATE, agg_cost(u->cells[cell].key));
    dat_drop(h, u->cells[cell].key);
    hidx_remove(&u->index, at);
    if (cell != last) {
        place_of(u, last)->what = cell + 1;
        u->cells[cell] = u->cells[last];
    }
    u->len--;
    return true;
}

void agg_uniq_done(struct agg_uniq *u, struct vheap *h)
{
    for (uint32_t i = 0; i < u->len; i++) {
        lim_sub(vheap_lim(h), LIM_STATE, agg_cost(u->cells[i].key));
        dat_drop(h, u->cells[i].key);
    }
    mem_free(u->cells);
    hidx_done(&u->index);
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
        if (load_ok(l) && !agg_uniq_put(u, load_heap(l), key, many)) {
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
