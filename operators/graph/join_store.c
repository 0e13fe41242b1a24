/* SPDX-License-Identifier: Apache-2.0
 *
 * See join_store.h. With keys the table is of keys, each with its events; without, it is of events
 * by identity, for taking them out.
 */
#include "operators/graph/join_store.h"

#include "core/base/mem.h"

#include <assert.h>
#include <stdlib.h>

void join_store_init(struct join_store *s, const struct inst *in, struct evt **row,
                     const struct join_stream *p, uint32_t num, bool keyed)
{
    assert(!keyed || p->n_keys > 0);
    *s = (struct join_store){.in = in, .row = row, .p = p, .num = num, .keyed = keyed};
    hidx_init(&s->slots, keyed ? sizeof(struct join_slot) : sizeof(struct hidx_cell));
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
    struct join_slot *at = s->keyed ? hidx_next(&s->slots, NULL) : NULL;
    for (; at != NULL; at = hidx_next(&s->slots, at)) {
        struct join_item *it = at->more != NULL ? at->more->next : NULL;
        evt_drop(h, at->h.e);
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
    hidx_done(&s->slots);
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
    const struct join_slot *at = s->keyed ? hidx_next(&s->slots, NULL) : NULL;
    for (; at != NULL; at = hidx_next(&s->slots, at)) {
        all[n++] = at->h;
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

/* The place of a key; NULL: it has none. */
static struct join_slot *place(const struct join_store *s, const struct join_vals *v)
{
    for (struct hidx_spot x = hidx_walk(&s->slots, v->hash); x.cells != NULL;
         x.i = (x.i + 1) & x.mask) {
        struct join_slot *at = (struct join_slot *)(void *)x.cells + x.i;
        if (at->h.e == NULL) {
            return NULL;
        }
        bool same = at->hash == v->hash;
        for (uint32_t k = 0; same && k < s->p->n_keys; k++) {
            same = dat_same(value_of(s, &s->p->keys[k], at->h.e), v->v[k]);
        }
        if (same) {
            return at;
        }
    }
    return NULL;
}

const struct join_slot *join_store_find(const struct join_store *s, const struct join_vals *v)
{
    assert(s->keyed);
    return place(s, v);
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
    if (at == NULL) {
        at = hidx_add(&s->slots, v->hash);
        at->h = (struct join_held){e, ++s->order};
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
    struct join_item *it = item(s, e);
    ((struct hidx_cell *)hidx_add(&s->slots, hidx_pointer(e)))->what = it;
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
    if (s->keyed) {
        add_by_key(s, e, v);
    } else {
        add_by_id(s, e);
    }
    s->count++;
}

static bool remove_by_id(struct join_store *s, const struct evt *e)
{
    struct join_item *it = NULL;
    HIDX_EACH (&s->slots, hidx_pointer(e), struct hidx_cell, c) {
        if (((const struct join_item *)c->what)->h.e == e) {
            it = c->what;
            hidx_remove(&s->slots, c);
            break;
        }
    }
    if (it == NULL) {
        return false;
    }
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
    if (at == NULL) {
        return false;
    }
    if (at->h.e == e && at->more == NULL) {
        hidx_remove(&s->slots, at);
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
