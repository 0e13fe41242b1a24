/* SPDX-License-Identifier: Apache-2.0
 *
 * See join_store.h. With keys the table is open addressing over keys, each with its events;
 * without, it is hash chains by identity, for taking events out.
 */
#include "operators/graph/join_store.h"

#include "core/base/mem.h"

#include <assert.h>

enum { SLOTS_MIN = 32 };

void join_store_init(struct join_store *s, const struct inst *in, struct evt **row,
                     const struct join_stream *p, uint32_t num, bool keyed)
{
    assert(!keyed || p->n_keys > 0);
    *s = (struct join_store){.in = in, .row = row, .p = p, .num = num, .keyed = keyed};
}

static void free_items(struct join_item *it)
{
    for (struct join_item *next; it != NULL; it = next) {
        next = it->next;
        mem_free(it);
    }
}

void join_store_done(struct join_store *s)
{
    for (const struct join_item *it = s->first; it != NULL; it = it->next) {
        evt_drop(s->in->eng->heap, it->e);
    }
    free_items(s->first);
    free_items(s->spare);
    mem_free(s->slots);
}

/* ---- keys ---- */

struct dat join_side(const struct join_key *k, const struct ex *side, struct ectx *c)
{
    struct dat v = ex_eval(side, c);
    return k->floats && dat_is_number(v) ? dat_as(c->heap, v, DAT_DOUBLE) : v;
}

static struct dat computed(const struct join_store *s, const struct join_key *k, struct evt *e)
{
    struct evt *was = s->row[s->num];
    s->row[s->num] = e;
    struct ectx c = inst_ctx(s->in, s->row);
    struct dat v = join_side(k, k->mine, &c);
    s->row[s->num] = was;
    return v;
}

static inline struct dat value_of(const struct join_store *s, const struct join_key *k,
                                  struct evt *e)
{
    const struct ex *x = k->mine;
    bool column = x->op == EX_PROP && x->level == 0 && !k->floats;
    return LIKELY(column) ? evt_get(e, x->of, x->slot) : computed(s, k, e);
}

void join_store_vals(const struct join_store *s, struct evt *e, struct join_vals *ret)
{
    uint64_t h = 0;
    ret->null = false;
    for (uint32_t i = 0; i < s->p->n_keys; i++) {
        ret->v[i] = value_of(s, &s->p->keys[i], e);
        ret->null |= dat_is_null(ret->v[i]);
        h = (h ^ (h >> 31)) * 0x9e3779b97f4a7c15ULL + dat_hash(ret->v[i]);
    }
    ret->hash = h ^ (h >> 29);
}

/* The place of a key: taken by it, or free. */
static size_t place(const struct join_store *s, const struct join_vals *v)
{
    size_t mask = s->n_slots - 1, i = v->hash & mask;
    for (; s->slots[i].first != NULL; i = (i + 1) & mask) {
        bool same = s->slots[i].hash == v->hash;
        for (uint32_t k = 0; same && k < s->p->n_keys; k++) {
            same = dat_same(value_of(s, &s->p->keys[k], s->slots[i].first->e), v->v[k]);
        }
        if (same) {
            break;
        }
    }
    return i;
}

struct join_item *join_store_find(const struct join_store *s, const struct join_vals *v)
{
    assert(s->keyed);
    return s->n_slots > 0 ? s->slots[place(s, v)].first : NULL;
}

/* ---- the table ---- */

static size_t id_of(const struct evt *e)
{
    return (size_t)((uintptr_t)e >> 4) * 0x9e3779b97f4a7c15ULL >> 20;
}

static void by_id(struct join_store *s, struct join_item *it)
{
    struct join_item **chain = &s->slots[id_of(it->e) & (s->n_slots - 1)].first;
    it->knext = *chain;
    *chain = it;
}

static void grow(struct join_store *s)
{
    struct join_slot *old = s->slots;
    size_t n = s->n_slots;
    s->n_slots = MAX((size_t)SLOTS_MIN, 2 * n);
    s->slots = mem_calloc(s->n_slots, sizeof *s->slots);
    for (struct join_item *it = s->first; !s->keyed && it != NULL; it = it->next) {
        by_id(s, it);
    }
    for (size_t i = 0; s->keyed && i < n; i++) {
        size_t to = old[i].hash & (s->n_slots - 1);
        while (old[i].first != NULL && s->slots[to].first != NULL) {
            to = (to + 1) & (s->n_slots - 1);
        }
        if (old[i].first != NULL) {
            s->slots[to] = old[i];
        }
    }
    mem_free(old);
}

/* Frees a place and closes the gap, so that searches end at the first free one. */
static void vacate(struct join_store *s, size_t gap)
{
    size_t mask = s->n_slots - 1;
    for (size_t i = (gap + 1) & mask; s->slots[i].first != NULL; i = (i + 1) & mask) {
        if (((i - s->slots[i].hash) & mask) >= ((i - gap) & mask)) {
            s->slots[gap] = s->slots[i];
            gap = i;
        }
    }
    s->slots[gap].first = NULL;
    s->used--;
}

/* ---- events ---- */

static void link_last(struct join_store *s, struct join_item *it)
{
    it->next = NULL;
    it->prev = s->last;
    *(s->last != NULL ? &s->last->next : &s->first) = it;
    s->last = it;
}

static void unlink_item(struct join_store *s, struct join_item *it)
{
    *(it->prev != NULL ? &it->prev->next : &s->first) = it->next;
    *(it->next != NULL ? &it->next->prev : &s->last) = it->prev;
}

static void by_key(struct join_store *s, struct join_item *it, const struct join_vals *v)
{
    struct join_slot *to = &s->slots[place(s, v)];
    it->hash = v->hash;
    it->knext = NULL;
    if (to->first == NULL) {
        *to = (struct join_slot){v->hash, it};
        it->kprev = it;
        s->used++;
        return;
    }
    it->kprev = to->first->kprev;
    it->kprev->knext = it;
    to->first->kprev = it;
}

void join_store_add(struct join_store *s, struct evt *e, const struct join_vals *v)
{
    struct join_item *it = s->spare;
    if (it != NULL) {
        s->spare = it->next;
    } else {
        it = mem_alloc(sizeof *it);
    }
    it->e = evt_keep(e);
    if (s->keyed ? 2 * (s->used + 1) > s->n_slots : s->count >= s->n_slots) {
        grow(s);
    }
    if (s->keyed) {
        by_key(s, it, v);
    } else {
        by_id(s, it);
    }
    link_last(s, it);
    s->count++;
}

static struct join_item *take_by_id(struct join_store *s, const struct evt *e)
{
    struct join_item **p = &s->slots[id_of(e) & (s->n_slots - 1)].first;
    while (*p != NULL && (*p)->e != e) {
        p = &(*p)->knext;
    }
    struct join_item *it = *p;
    if (it != NULL) {
        *p = it->knext;
    }
    return it;
}

/* What leaves a window is mostly the oldest of its key. */
static struct join_item *take_by_key(struct join_store *s, struct evt *e)
{
    struct join_vals v;
    join_store_vals(s, e, &v);
    size_t at = place(s, &v);
    struct join_item *head = s->slots[at].first, *it = head;
    while (it != NULL && it->e != e) {
        it = it->knext;
    }
    if (it == NULL) {
        return NULL;
    }
    if (it == head && it->knext == NULL) {
        vacate(s, at);
        return it;
    }
    if (it->knext != NULL) {
        it->knext->kprev = it->kprev;
    } else {
        head->kprev = it->kprev;
    }
    *(it == head ? &s->slots[at].first : &it->kprev->knext) = it->knext;
    return it;
}

void join_store_remove(struct join_store *s, struct evt *e)
{
    if (s->count == 0) {
        return;
    }
    struct join_item *it = s->keyed ? take_by_key(s, e) : take_by_id(s, e);
    if (it == NULL) {
        return;
    }
    unlink_item(s, it);
    s->count--;
    evt_drop(s->in->eng->heap, it->e);
    it->next = s->spare;
    s->spare = it;
}

bool join_store_swap(struct join_store *s, struct evt *e, const struct join_vals *v,
                     struct evt *old)
{
    struct join_item *it = join_store_find(s, v);
    if (it == NULL || it->e != old || it->knext != NULL) {
        return false;
    }
    it->e = evt_keep(e);
    evt_drop(s->in->eng->heap, old);
    if (s->last != it) {
        unlink_item(s, it);
        link_last(s, it);
    }
    return true;
}
