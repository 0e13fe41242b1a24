/* SPDX-License-Identifier: Apache-2.0
 *
 * See pat_keys.h. Entries lie in pages and are linked in order of insertion; neither they nor the
 * index ever grow in one go, however many keys there are.
 */
#include "operators/pattern/pat_keys.h"

#include "core/base/mem.h"
#include "operators/sig/lim.h"

#include <assert.h>

enum { KEYS_MIN = 8, PAGE = 512 };

static struct pat_key *entry(const struct pat_keys *k, uint32_t number)
{
    return &k->pages.ptr[(number - 1) / PAGE][(number - 1) % PAGE];
}

static void grow(struct pat_keys *k)
{
    if (k->room == 0) {
        hidx_init(&k->index, sizeof(struct hidx_small));
    }
    if (k->room >= PAGE) {
        *VEC_PUSH(&k->pages) = mem_alloc(PAGE * sizeof(struct pat_key));
        k->room += PAGE;
        return;
    }
    if (k->room == 0) {
        (void)VEC_PUSH(&k->pages);
    }
    k->room = MAX((uint32_t)KEYS_MIN, 2 * k->room);
    k->pages.ptr[0] = mem_realloc(k->pages.ptr[0], k->room * sizeof(struct pat_key));
}

/* The number of one that is free. */
static uint32_t take(struct pat_keys *k)
{
    uint32_t number = k->spare;
    if (number != 0) {
        k->spare = entry(k, number)->next;
        return number;
    }
    if (k->made == k->room) {
        grow(k);
    }
    return ++k->made;
}

static uint64_t cost_of(struct dat v)
{
    return LIM_COST_PLACE * 2 + lim_cost_of(v);
}

static bool has(const struct pat_keys *k, struct dat v, uint64_t hash)
{
    HIDX_EACH (&k->index, hash, struct hidx_small, c) {
        const struct pat_key *e = c->hash == hidx_upper(hash) ? entry(k, c->what) : NULL;
        if (e != NULL && e->hash == hash && dat_same(e->v, v)) {
            return true;
        }
    }
    return false;
}

bool pat_keys_has(const struct pat_keys *k, struct dat v)
{
    return has(k, v, dat_hash(v));
}

bool pat_keys_seen(struct pat_keys *k, struct dat v, int64_t until)
{
    uint64_t hash = dat_hash(v);
    if (has(k, v, hash)) {
        return true;
    }
    uint32_t number = take(k);
    *entry(k, number) = (struct pat_key){.v = dat_keep(v), .hash = hash, .until = until};
    ((struct hidx_small *)hidx_add(&k->index, hash))->what = number;
    *(k->last != 0 ? &entry(k, k->last)->next : &k->first) = number;
    k->last = number;
    k->count++;
    k->cost += cost_of(v);
    return false;
}

static void forget_first(struct pat_keys *k, struct vheap *h)
{
    uint32_t number = k->first;
    struct pat_key *e = entry(k, number);
    HIDX_EACH (&k->index, e->hash, struct hidx_small, c) {
        if (c->what == number) {
            hidx_remove(&k->index, c);
            break;
        }
    }
    k->first = e->next;
    k->last = k->first != 0 ? k->last : 0;
    k->count--;
    k->cost -= cost_of(e->v);
    dat_drop(h, e->v);
    e->next = k->spare;
    k->spare = number;
}

void pat_keys_expire(struct pat_keys *k, struct vheap *h, int64_t now)
{
    while (k->first != 0 && entry(k, k->first)->until <= now) {
        forget_first(k, h);
    }
}

void pat_keys_copy(struct pat_keys *to, const struct pat_keys *from)
{
    assert(pat_keys_count(to) == 0);
    for (uint32_t i = from->first; i != 0; i = entry(from, i)->next) {
        (void)pat_keys_seen(to, entry(from, i)->v, entry(from, i)->until);
    }
}

void pat_keys_clear(struct pat_keys *k, struct vheap *h)
{
    for (uint32_t i = k->first; i != 0; i = entry(k, i)->next) {
        dat_drop(h, entry(k, i)->v);
    }
    while (k->pages.len > 1) {
        mem_free(*VEC_LAST(&k->pages));
        k->pages.len--;
        k->room -= PAGE;
    }
    k->first = k->last = k->spare = k->made = k->count = 0;
    k->cost = 0;
    hidx_clear(&k->index);
}

void pat_keys_done(struct pat_keys *k)
{
    assert(pat_keys_count(k) == 0);
    VEC_EACH (&k->pages, p) {
        mem_free(*p);
    }
    VEC_DONE(&k->pages);
    hidx_done(&k->index);
    *k = (struct pat_keys){0};
}

void pat_keys_save(const struct pat_keys *k, struct save *s)
{
    save_u(s, pat_keys_count(k));
    for (uint32_t i = k->first; i != 0; i = entry(k, i)->next) {
        save_val(s, entry(k, i)->v);
        save_i(s, entry(k, i)->until);
    }
}

void pat_keys_load(struct pat_keys *k, struct load *l)
{
    assert(pat_keys_count(k) == 0);
    for (size_t n = load_count(l, 2); n > 0 && load_ok(l); n--) {
        struct dat v = load_val(l);
        int64_t until = load_i(l);
        if (load_ok(l) && pat_keys_seen(k, v, until)) {
            load_fail(l, "a key of every-distinct twice");
        }
    }
}
