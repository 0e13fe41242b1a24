/* SPDX-License-Identifier: Apache-2.0
 *
 * See join_store.h. With keys the table is open addressing over keys, each with its events;
 * without, it is hash chains by identity, for taking events out.
 */
#include "operators/graph/join_store.h"

#include "core/base/mem.h"

#include <assert.h>
#include <stdlib.h>

enum { SLOTS_MIN = 32 };

void join_store_init(struct join_store *s, const struct inst *in, struct evt **row,
                     const struct join_stream *p, uint32_t num, bool keyed)
{
    assert(!keyed || p->n_keys > 0);
    *s = (struct join_store){.in = in, .row = row, .p = p, .num = num, .keyed = keyed};
    s->serial = in->st->query ? NULL : &in->eng->serial; /* queries leave no trace */
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
    struct vheap *h = s->in->eng->heap;
    for (const struct join_item *it = s->first; it != NULL; it = it->next) {
        evt_drop(h, it->h.e);
    }
    for (size_t i = 0; s->keyed && i < s->n_slots; i++) {
        struct join_slot *at = &s->slots[i];
        struct join_item *it = at->more != NULL ? at->more->next : NULL;
        if (at->h.e != NULL) {
            evt_drop(h, at->h.e);
        }
        if (it != NULL) {
            at->more->next = NULL;
        }
        for (const struct join_item *k = it; k != NULL; k = k->next) {
            evt_drop(h, k->h.e);
        }
        free_items(it);
    }
    free_items(s->first);
    free_items(s->spare);
    mem_free(s->slots);
    mem_free(s->by_id);
}

static int by_order(const void *a, const void *b)
{
    uint64_t x = ((const struct join_held *)a)->order, y = ((const struct join_held *)b)->order;
    return x < y ? -1 : x > y;
}

struct evt **join_store_all(const struct join_store *s)
{
    struct join_held *all = mem_calloc(s->count + 1, sizeof *all);
    struct evt **ret = mem_calloc(s->count + 1, sizeof(struct evt *));
    size_t n = 0;
    for (const struct join_item *it = s->first; it != NULL; it = it->next) {
        all[n++] = it->h;
    }
    for (size_t i = 0; s->keyed && i < s->n_slots; i++) {
        const struct join_slot *at = &s->slots[i];
        if (at->h.e != NULL) {
            all[n++] = at->h;
        }
        for (const struct join_item *it = at->more; it != NULL;) {
            it = it->next;
            all[n++] = it->h;
            it = it != at->more ? it : NULL;
        }
    }
    assert(n == s->count);
    qsort(all, n, sizeof *all, by_order);
    for (size_t i = 0; i < n; i++) {
        ret[i] = all[i].e;
    }
    mem_free(all);
    return ret;
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
static struct join_slot *place(const struct join_store *s, const struct join_vals *v)
{
    size_t mask = s->n_slots - 1;
    for (size_t i = v->hash & mask;; i = (i + 1) & mask) {
        struct join_slot *at = &s->slots[i];
        bool same = at->hash == v->hash;
        for (uint32_t k = 0; same && at->h.e != NULL && k < s->p->n_keys; k++) {
            same = dat_same(value_of(s, &s->p->keys[k], at->h.e), v->v[k]);
        }
        if (same || at->h.e == NULL) {
            return at;
        }
    }
}

const struct join_slot *join_store_find(const struct join_store *s, const struct join_vals *v)
{
    assert(s->keyed);
    const struct join_slot *at = s->n_slots > 0 ? place(s, v) : NULL;
    return at != NULL && at->h.e != NULL ? at : NULL;
}

/* ---- the tables ---- */

static struct join_item **by_id(const struct join_store *s, const struct evt *e)
{
    size_t h = (size_t)((uintptr_t)e >> 4) * 0x9e3779b97f4a7c15ULL >> 20;
    return &s->by_id[h & (s->n_slots - 1)];
}

static void grow(struct join_store *s)
{
    struct join_slot *old = s->slots;
    size_t n = s->n_slots;
    s->n_slots = MAX((size_t)SLOTS_MIN, 2 * n);
    if (!s->keyed) {
        mem_free(s->by_id);
        s->by_id = mem_calloc(s->n_slots, sizeof(struct join_item *));
        for (struct join_item *it = s->first; it != NULL; it = it->next) {
            struct join_item **chain = by_id(s, it->h.e);
            it->chain = *chain;
            *chain = it;
        }
        return;
    }
    s->slots = mem_calloc(s->n_slots, sizeof *s->slots);
    for (size_t i = 0; i < n; i++) {
        size_t to = old[i].hash & (s->n_slots - 1);
        while (old[i].h.e != NULL && s->slots[to].h.e != NULL) {
            to = (to + 1) & (s->n_slots - 1);
        }
        if (old[i].h.e != NULL) {
            s->slots[to] = old[i];
        }
    }
    mem_free(old);
}

/* Frees a place and closes the gap, so that searches end at the first free one. */
static void vacate(struct join_store *s, const struct join_slot *at)
{
    size_t mask = s->n_slots - 1, gap = (size_t)(at - s->slots);
    for (size_t i = (gap + 1) & mask; s->slots[i].h.e != NULL; i = (i + 1) & mask) {
        if (((i - s->slots[i].hash) & mask) >= ((i - gap) & mask)) {
            s->slots[gap] = s->slots[i];
            gap = i;
        }
    }
    s->slots[gap] = (struct join_slot){.hash = 0};
    s->used--;
}

/* ---- events ---- */

static struct join_item *item(struct join_store *s, struct evt *e)
{
    struct join_item *it = s->spare;
    if (it != NULL) {
        s->spare = it->next;
    } else {
        it = mem_alloc(sizeof *it);
    }
    *it = (struct join_item){.h = {e, ++s->order}};
    return it;
}

static void let_go(struct join_store *s, struct join_item *it)
{
    it->next = s->spare;
    s->spare = it;
}

static void add_by_key(struct join_store *s, struct evt *e, const struct join_vals *v)
{
    struct join_slot *at = place(s, v);
    if (at->h.e == NULL) {
        *at = (struct join_slot){.hash = v->hash, .h = {e, ++s->order}};
        s->used++;
        return;
    }
    struct join_item *it = item(s, e);
    it->next = at->more != NULL ? at->more->next : it;
    if (at->more != NULL) {
        at->more->next = it;
    }
    at->more = it;
}

static void add_by_id(struct join_store *s, struct evt *e)
{
    struct join_item *it = item(s, e), **chain = by_id(s, e);
    it->chain = *chain;
    *chain = it;
    it->prev = s->last;
    *(s->last != NULL ? &s->last->next : &s->first) = it;
    s->last = it;
}

/* It comes: with a number, for what came in their order can be put in order by them. */
static inline struct evt *come(struct join_store *s, struct evt *e)
{
    if (e->serial == 0 && s->serial != NULL) {
        e->serial = ++*s->serial;
    }
    s->mixed |= e->serial <= s->newest;
    s->newest = e->serial;
    return evt_keep(e);
}

void join_store_from(struct join_store *s, uint64_t newest, bool mixed)
{
    assert(s->count == 0);
    s->newest = newest;
    s->mixed = mixed;
}

void join_store_add(struct join_store *s, struct evt *e, const struct join_vals *v)
{
    (void)come(s, e);
    if (s->keyed ? 4 * (s->used + 1) > 3 * s->n_slots : s->count >= s->n_slots) {
        grow(s);
    }
    if (s->keyed) {
        add_by_key(s, e, v);
    } else {
        add_by_id(s, e);
    }
    s->count++;
}

static bool remove_by_id(struct join_store *s, const struct evt *e)
{
    struct join_item **p = by_id(s, e);
    while (*p != NULL && (*p)->h.e != e) {
        p = &(*p)->chain;
    }
    struct join_item *it = *p;
    if (it == NULL) {
        return false;
    }
    *p = it->chain;
    *(it->prev != NULL ? &it->prev->next : &s->first) = it->next;
    *(it->next != NULL ? &it->next->prev : &s->last) = it->prev;
    let_go(s, it);
    return true;
}

/* Takes out the one behind `before`. */
static void take_next(struct join_store *s, struct join_slot *at, struct join_item *before)
{
    struct join_item *it = before->next;
    before->next = it->next;
    if (it == at->more) {
        at->more = it == before ? NULL : before;
    }
    let_go(s, it);
}

/* What leaves a window is mostly the oldest of its key. */
static bool remove_by_key(struct join_store *s, struct evt *e)
{
    struct join_vals v;
    join_store_vals(s, e, &v);
    struct join_slot *at = place(s, &v);
    if (at->h.e == e && at->more == NULL) {
        vacate(s, at);
        return true;
    }
    if (at->h.e == e) {
        at->h = at->more->next->h;
        take_next(s, at, at->more);
        return true;
    }
    struct join_item *before = at->more;
    while (before != NULL && before->next->h.e != e) {
        before = before->next != at->more ? before->next : NULL;
    }
    if (before == NULL) {
        return false;
    }
    take_next(s, at, before);
    return true;
}

void join_store_remove(struct join_store *s, struct evt *e)
{
    if (s->count > 0 && (s->keyed ? remove_by_key(s, e) : remove_by_id(s, e))) {
        evt_drop(s->in->eng->heap, e);
        if (--s->count == 0) {
            join_store_from(s, 0, false);
        }
    }
}

bool join_store_swap(struct join_store *s, struct evt *e, const struct join_vals *v,
                     struct evt *old)
{
    struct join_slot *at = s->count > 0 ? place(s, v) : NULL;
    if (at == NULL || at->h.e != old || at->more != NULL) {
        return false;
    }
    at->h = (struct join_held){come(s, e), ++s->order};
    evt_drop(s->in->eng->heap, old);
    return true;
}
