/* SPDX-License-Identifier: Apache-2.0
 *
 * Per event type: a list of the leaves without keys, for each set of key columns a hash table of
 * leaves, for each column that is bounded a tree of them; all chained through the leaves
 * themselves, so that adding and removing one costs no memory but its own. See route.h.
 */
#include "core/base/hidx.h"
#include "core/base/mem.h"
#include "operators/route/range.h"
#include "operators/route/route_impl.h"
#include "operators/route/want.h"
#include "operators/sig/vheap_room.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

enum { FIRSTS = 64, SOON = 16 };

struct keyed { /* leaves that compare the same columns */
    uint32_t n_keys;
    uint16_t slot[ROUTE_KEYS_MAX];
    uint8_t null_ok;
    struct hidx by_hash; /* of leaves of one hash the last that came, which leads to the others */
    uint32_t first[FIRSTS]; /* leaves by the hash of their first key: often none is of an event's */
};

struct ranged { /* leaves that bound the same column */
    uint16_t slot;
    struct route_leaf *root;
};

struct per_type {
    const struct etype *type;
    struct route_leaf *plain;
    VEC(struct keyed) keyed;
    VEC(struct ranged) ranged;
};

struct route {
    struct vheap *heap;
    const int64_t *now;
    VEC(struct per_type *) types; /* by etype.id */
    VEC(struct route_leaf *) dead;
    struct route_leaf *soon[SOON]; /* of loaded state: their places are on their way to the cache */
    size_t soon_from, n_soon;      /* the oldest; they get their places in the order they came */
    VEC(const struct route_filter *) filters; /* that ever had a leaf */
    struct route_tests tests;
    bool unshared;
    uint64_t seq, named; /* of the newest leaf; the highest that was not given here */
    uint64_t events, evals;
    size_t count;
};

struct route *route_new(struct vheap *heap, const int64_t *now, bool unshared)
{
    struct route *r = MEM_NEW(struct route);
    r->unshared = unshared;
    r->heap = heap;
    r->now = now;
    return r;
}

static void settle(struct route *r);

/* Before anybody asks for a leaf, or one comes or goes. */
static inline void settled(struct route *r)
{
    if (UNLIKELY(r->n_soon > 0)) {
        settle(r);
    }
}

static void free_leaf(struct route *r, struct route_leaf *l)
{
    vheap_give(r->heap, l, sizeof *l);
}

static void free_list(struct route *r, struct route_leaf *l)
{
    while (l != NULL) {
        struct route_leaf *next = l->next;
        free_leaf(r, l);
        l = next;
    }
}

static void free_tree(struct route *r, struct route_leaf *l)
{
    if (l != NULL) {
        free_tree(r, l->kid[0]);
        free_tree(r, l->kid[1]);
        free_leaf(r, l);
    }
}

void route_free(struct route *r)
{
    if (r == NULL) {
        return;
    }
    route_sweep(r);
    settled(r);
    VEC_EACH (&r->types, t) {
        if (*t == NULL) {
            continue;
        }
        VEC_EACH (&(*t)->keyed, k) {
            struct hidx_cell *c = NULL;
            while ((c = hidx_next(&k->by_hash, c)) != NULL) {
                free_list(r, c->what);
            }
            hidx_done(&k->by_hash);
        }
        VEC_EACH (&(*t)->ranged, k) {
            free_tree(r, k->root);
        }
        free_list(r, (*t)->plain);
        VEC_DONE(&(*t)->keyed);
        VEC_DONE(&(*t)->ranged);
        mem_free(*t);
    }
    VEC_DONE(&r->types);
    VEC_DONE(&r->dead);
    VEC_DONE(&r->filters);
    route_tests_done(&r->tests);
    mem_free(r);
}

/* ---- leaves ---- */

static inline struct per_type *type_entry(struct route *r, const struct etype *t, bool make)
{
    while (make && r->types.len <= t->id) {
        *VEC_PUSH(&r->types) = NULL;
    }
    if (t->id >= r->types.len) {
        return NULL;
    }
    struct per_type **p = &r->types.ptr[t->id];
    if (*p == NULL && make) {
        *p = MEM_NEW(struct per_type);
        (*p)->type = t;
    }
    return *p;
}

static struct keyed *keyed_for(struct per_type *t, const struct route_filter *f)
{
    for (size_t i = 0; i < t->keyed.len; i++) {
        struct keyed *k = &t->keyed.ptr[i]; /* places that are not used are 0 */
        if (k->n_keys == f->n_keys && k->null_ok == f->null_ok &&
            memcmp(k->slot, f->key_slot, sizeof k->slot) == 0) {
            return k;
        }
    }
    struct keyed *k = VEC_PUSH(&t->keyed);
    k->n_keys = f->n_keys;
    k->null_ok = f->null_ok;
    memcpy(k->slot, f->key_slot, sizeof k->slot);
    hidx_init(&k->by_hash, sizeof(struct hidx_cell));
    return k;
}

static void link_in(struct route_leaf **home, struct route_leaf *l)
{
    l->next = *home;
    l->prev = NULL;
    l->home = home;
    if (*home != NULL) {
        (*home)->prev = l;
    }
    *home = l;
}

/* The leaves of a hash; NULL: none. */
static struct hidx_cell *of_hash(const struct keyed *k, uint64_t hash)
{
    HIDX_EACH (&k->by_hash, hash, struct hidx_cell, c) {
        if (c->hash == hash) {
            return c;
        }
    }
    return NULL;
}

static void key_in(struct keyed *k, struct route_leaf *l)
{
    struct hidx_cell *c = of_hash(k, l->hash);
    struct route_leaf *was = c != NULL ? c->what : NULL;
    c = c != NULL ? c : hidx_add(&k->by_hash, l->hash);
    c->what = l;
    l->keyed = true;
    l->next = was;
    if (was != NULL) {
        was->prev = l;
    }
}

/* The oldest of those that wait. */
static void key_in_oldest(struct route *r)
{
    struct route_leaf *l = r->soon[r->soon_from];
    r->soon_from = (r->soon_from + 1) % SOON;
    r->n_soon--;
    key_in(&type_entry(r, l->filter->type, true)->keyed.ptr[l->of], l);
}

static COLD void settle(struct route *r)
{
    while (r->n_soon > 0) {
        key_in_oldest(r);
    }
}

/* Many leaves come one behind the other, each to a place of its own that is far from the cache. */
static void key_in_soon(struct route *r, const struct keyed *k, struct route_leaf *l)
{
    struct hidx_spot s = hidx_walk(&k->by_hash, l->hash);
    if (s.cells != NULL) {
        __builtin_prefetch(s.cells + s.i * sizeof(struct hidx_cell), 1);
    }
    if (r->n_soon == SOON) {
        key_in_oldest(r);
    }
    r->soon[(r->soon_from + r->n_soon++) % SOON] = l;
}

/* It leads to those of its hash no more. */
static void key_out(struct keyed *k, const struct route_leaf *l)
{
    struct hidx_cell *c = of_hash(k, l->hash);
    assert(c != NULL && c->what == l);
    if (l->next != NULL) {
        c->what = l->next;
    } else {
        hidx_remove(&k->by_hash, c);
    }
}

/* ... whose first has the hash h. */
static uint64_t hash_keys(uint64_t h, const struct dat *v, uint32_t n)
{
    for (uint32_t i = 1; i < n; i++) {
        h = h * 0x9e3779b97f4a7c15ULL + dat_hash(v[i]);
    }
    return h ^ (h >> 29);
}

static struct ectx context_of(struct route *r, const struct route_leaf *l, struct evt **row)
{
    return (struct ectx){
        .heap = r->heap, .now = *r->now, .row = row, .inst = l->inst, .ops = l->ops};
}

static void link_keyed(struct route *r, struct per_type *t, struct route_leaf *l, bool soon)
{
    const struct route_filter *f = l->filter;
    struct keyed *k = keyed_for(t, f);
    uint64_t first = dat_hash(l->key[0]);
    k->first[first % FIRSTS]++;
    l->first = (uint8_t)(first % FIRSTS);
    l->of = (uint32_t)(k - t->keyed.ptr);
    l->hash = hash_keys(first, l->key, f->n_keys);
    if (soon) {
        key_in_soon(r, k, l);
    } else {
        settled(r);
        key_in(k, l);
    }
}

static void add_keyed(struct route *r, struct per_type *t, struct route_leaf *l, bool soon)
{
    const struct route_filter *f = l->filter;
    struct evt *row[2] = {NULL, l->bound};
    struct ectx c = context_of(r, l, row);
    bool null = false;
    for (uint32_t i = 0; i < f->n_keys; i++) {
        l->key[i] = ex_eval(f->key[i], &c);
        if ((f->made & (1u << i)) != 0) {
            (void)dat_keep(l->key[i]);
        }
        null |= dat_is_null(l->key[i]) && (f->null_ok & (1u << i)) == 0;
    }
    if (!null && !c.failed) { /* = null is never true: such a leaf is in no list */
        link_keyed(r, t, l, soon);
    }
}

static struct ranged *ranged_for(struct per_type *t, uint16_t slot)
{
    VEC_EACH (&t->ranged, k) {
        if (k->slot == slot) {
            return k;
        }
    }
    struct ranged *k = VEC_PUSH(&t->ranged);
    *k = (struct ranged){.slot = slot, .root = NULL};
    return k;
}

/* A bound that no comparison can be true of (null, NaN, one that fails) leaves all open: the
 * condition says no. */
static double bound_of(struct ectx *c, const struct ex *e, double open)
{
    if (e == NULL) {
        return open;
    }
    struct dat v = ex_eval(e, c);
    double d = dat_is_integer(v) ? (double)v.i : dat_is_float(v) ? v.d : open;
    return c->failed || isnan(d) ? open : d;
}

static void add_ranged(struct route *r, struct per_type *t, struct route_leaf *l)
{
    const struct route_filter *f = l->filter;
    struct evt *row[2] = {NULL, l->bound};
    struct ectx c = context_of(r, l, row);
    double low = bound_of(&c, f->low, -INFINITY), high = bound_of(&c, f->high, INFINITY);
    bool turned = f->between && low > high;
    l->low = turned ? high : low;
    l->high = turned ? low : high;
    range_add(&ranged_for(t, f->range_slot)->root, l);
}

/* The first leaf of a filter: there is something else now that may be taken. */
static void know(struct route *r, const struct route_filter *f)
{
    ((struct route_filter *)(uintptr_t)f)->known = true; /* the plan's only place that changes */
    *VEC_PUSH(&r->filters) = f;
}

static struct route_leaf *leaf_new(struct route *r, const struct route_filter *f, struct evt *bound,
                                   void (*on)(void *arg, struct evt *e), void *arg,
                                   struct inst *inst, const struct ectx_ops *ops, uint64_t rank,
                                   uint64_t seq)
{
    struct route_leaf *l = vheap_take(r->heap, sizeof *l);
    l->filter = f;
    l->bound = bound;
    l->on = on;
    l->arg = arg;
    l->inst = inst;
    l->ops = ops;
    l->rank = rank;
    l->seq = seq;
    l->consume = 0;
    l->dead = false;
    l->keyed = false;
    l->home = NULL;
    l->next = l->prev = NULL;
    l->test = NULL;
    r->count++;
    if (UNLIKELY(!f->known)) {
        know(r, f);
    }
    return l;
}

static struct route_leaf *add(struct route *r, const struct route_filter *f, struct evt *bound,
                              void (*on)(void *arg, struct evt *e), void *arg, struct inst *inst,
                              const struct ectx_ops *ops, uint64_t rank, uint64_t seq, bool soon)
{
    struct route_leaf *l = leaf_new(r, f, bound, on, arg, inst, ops, rank, seq);
    if (f->shared && !r->unshared) {
        route_test_join(&r->tests, l);
    }
    struct per_type *t = type_entry(r, f->type, true);
    if (f->n_keys > 0) {
        add_keyed(r, t, l, soon);
    } else if (f->ranged) {
        add_ranged(r, t, l);
    } else {
        link_in(&t->plain, l);
    }
    return l;
}

struct route_leaf *route_add_known(struct route *r, const struct route_filter *f,
                                   const struct dat *key, double low, double high, void *arg)
{
    struct route_leaf *l = leaf_new(r, f, NULL, NULL, arg, NULL, NULL, 0, ++r->seq);
    struct per_type *t = type_entry(r, f->type, true);
    l->low = low;
    l->high = high;
    if (f->n_keys > 0) {
        for (uint32_t i = 0; i < f->n_keys; i++) {
            l->key[i] = dat_keep(key[i]);
        }
        link_keyed(r, t, l, false);
    } else if (f->ranged) {
        range_add(&ranged_for(t, f->range_slot)->root, l);
    } else {
        link_in(&t->plain, l);
    }
    return l;
}

struct vheap *route_heap(struct route *r)
{
    return r->heap;
}

size_t route_filters(const struct route *r, const struct route_filter *const **ret)
{
    *ret = r->filters.ptr;
    return r->filters.len;
}

struct route_leaf *route_add(struct route *r, const struct route_filter *f, struct evt *bound,
                             void (*on)(void *arg, struct evt *e), void *arg, struct inst *inst,
                             const struct ectx_ops *ops, uint64_t rank)
{
    return add(r, f, bound, on, arg, inst, ops, rank, ++r->seq, false);
}

struct route_leaf *route_add_at(struct route *r, const struct route_filter *f, struct evt *bound,
                                void (*on)(void *arg, struct evt *e), void *arg, struct inst *inst,
                                const struct ectx_ops *ops, uint64_t rank, uint64_t seq)
{
    r->named = MAX(r->named, seq);
    return add(r, f, bound, on, arg, inst, ops, rank, seq, true);
}

void route_renumber(struct route *r, struct route_leaf *l, uint64_t seq)
{
    r->named = MAX(r->named, seq);
    if (l->filter->n_keys > 0 || !l->filter->ranged) {
        l->seq = seq;
        return;
    }
    struct route_leaf **root = /* where its place follows from its number */
        &ranged_for(type_entry(r, l->filter->type, true), l->filter->range_slot)->root;
    range_remove(root, l);
    l->seq = seq;
    range_add(root, l);
}

void route_remove(struct route *r, struct route_leaf *l)
{
    assert(!l->dead);
    settled(r);
    l->dead = true;
    if (l->test != NULL) {
        route_test_leave(&r->tests, l);
    }
    if (l->filter->n_keys == 0 && l->filter->ranged) {
        struct per_type *t = type_entry(r, l->filter->type, true);
        range_remove(&ranged_for(t, l->filter->range_slot)->root, l);
    }
    if (l->keyed) {
        struct keyed *k = &type_entry(r, l->filter->type, true)->keyed.ptr[l->of];
        k->first[l->first]--;
        if (l->prev == NULL) {
            key_out(k, l);
        }
    }
    if (l->prev != NULL) {
        l->prev->next = l->next;
    } else if (l->home != NULL) {
        *l->home = l->next;
    }
    if (l->next != NULL) {
        l->next->prev = l->prev;
    }
    for (uint32_t i = 0; l->filter->made != 0 && i < l->filter->n_keys; i++) {
        if ((l->filter->made & (1u << i)) != 0) {
            dat_drop(r->heap, l->key[i]);
        }
    }
    r->count--;
    *VEC_PUSH(&r->dead) = l;
}

void route_sweep(struct route *r)
{
    if (LIKELY(r->dead.len == 0)) {
        return;
    }
    VEC_EACH (&r->dead, l) {
        free_leaf(r, *l);
    }
    VEC_CLEAR(&r->dead);
}

uint64_t route_seq(const struct route *r)
{
    return r->seq;
}

bool route_set_seq(struct route *r, uint64_t newest)
{
    r->seq = MAX(newest, r->named); /* what is newer than all must be so */
    return r->seq == newest;
}

size_t route_count(const struct route *r)
{
    return r->count;
}

/* ---- matching ---- */

struct asking {
    struct route *r;
    struct evt *e;
    struct route_hits *hits;
};

static bool ask(struct route *r, struct route_leaf *l, struct evt *e)
{
    struct evt *row[2] = {e, l->bound};
    struct ectx c = context_of(r, l, row);
    r->evals++;
    return ex_true(l->filter->rest, &c) && !c.failed;
}

static inline ALWAYS_INLINE void take(struct route_hits *hits, struct route_leaf *l)
{
    if (UNLIKELY(hits->v.len == hits->v.cap)) {
        (void)VEC_PUSH(&hits->v);
        hits->v.len--;
    }
    hits->v.ptr[hits->v.len++] = (struct route_hit){l, l->rank};
}

static void try_leaf(struct asking *a, struct route_leaf *l)
{
    if (l->test != NULL) {
        if (l->test->event != a->r->events) {
            l->test->event = a->r->events;
            l->test->answer = ask(a->r, l, a->e);
        }
        if (!l->test->answer) {
            return;
        }
    } else if (l->filter->rest != NULL && !ask(a->r, l, a->e)) {
        return;
    }
    take(a->hits, l);
}

static void try_ranged(void *arg, struct route_leaf *l)
{
    try_leaf(arg, l);
}

static inline bool same_value(struct dat a, struct dat b)
{
    return (a.kind == DAT_STRING && b.kind == DAT_STRING && a.s == b.s) || dat_same(a, b);
}

/* What takes the event is on its way to the cache while keys are compared. */
static inline void soon(const struct route_leaf *l)
{
    enum { LINE = 64 };
    __builtin_prefetch(l->arg);
    __builtin_prefetch((const char *)l->arg + LINE);
    __builtin_prefetch(&l->rank);
    if (l->bound != NULL) {
        __builtin_prefetch(l->bound);
        __builtin_prefetch(l->bound->p);
    }
}

static void probe(struct asking *a, const struct keyed *k, const uint16_t *view)
{
    struct dat v[ROUTE_KEYS_MAX];
    uint32_t n = k->n_keys;
    assert(n > 0);
    for (uint32_t i = 0; i < n; i++) {
        v[i] = a->e->p[view != NULL ? view[k->slot[i]] : k->slot[i]];
        if (dat_is_null(v[i]) && (k->null_ok & (1u << i)) == 0) {
            return;
        }
    }
    uint64_t h = dat_hash(v[0]);
    if (k->first[h % FIRSTS] == 0) {
        return;
    }
    h = hash_keys(h, v, n);
    const struct hidx_cell *c = of_hash(k, h);
    for (struct route_leaf *l = c != NULL ? c->what : NULL; l != NULL; l = l->next) {
        bool same = true;
        soon(l);
        for (uint32_t i = 0; same && i < n; i++) {
            same = same_value(l->key[i], v[i]);
        }
        if (same) {
            try_leaf(a, l);
        }
    }
}

static void probe_range(struct asking *a, const struct ranged *k, const uint16_t *view)
{
    struct dat v = a->e->p[view != NULL ? view[k->slot] : k->slot];
    if (dat_is_integer(v)) {
        range_find(k->root, (double)v.i, try_ranged, a);
    } else if (dat_is_float(v)) {
        range_find(k->root, v.d, try_ranged, a);
    } /* null: no comparison is true */
}

static inline ALWAYS_INLINE void match_type(struct asking *a, const struct etype *t,
                                            const uint16_t *view)
{
    struct per_type *p = type_entry(a->r, t, false);
    if (p == NULL) {
        return;
    }
    for (struct route_leaf *l = p->plain; l != NULL; l = l->next) {
        if (l->filter->rest == NULL) { /* it wants all of the type */
            take(a->hits, l);
        } else {
            try_leaf(a, l);
        }
    }
    VEC_EACH (&p->keyed, k) {
        if (k->by_hash.count > 0) {
            probe(a, k, view);
        }
    }
    VEC_EACH (&p->ranged, k) {
        if (k->root != NULL) {
            probe_range(a, k, view);
        }
    }
}

enum { FEW = 16 }; /* hits that are put in order by insertion */

static inline bool comes_before(const struct route_hit *x, const struct route_hit *y)
{
    return x->rank != y->rank ? x->rank < y->rank : x->leaf->seq < y->leaf->seq;
}

static int by_rank(const void *a, const void *b)
{
    return comes_before(a, b) ? -1 : 1;
}

static void in_order(struct route_hits *hits)
{
    struct route_hit *v = hits->v.ptr;
    if (hits->v.len > FEW) {
        qsort(v, hits->v.len, sizeof v[0], by_rank);
        return;
    }
    for (size_t i = 1; i < hits->v.len; i++) {
        struct route_hit h = v[i];
        size_t k = i;
        while (k > 0 && comes_before(&h, &v[k - 1])) {
            v[k] = v[k - 1];
            k--;
        }
        v[k] = h;
    }
}

static void match_all(struct route *r, struct evt *e, struct route_hits *hits)
{
    struct asking a = {r, e, hits};
    settled(r);
    VEC_CLEAR(&hits->v);
    r->events++;
    match_type(&a, e->type, NULL);
    for (uint32_t i = 0; i < e->type->n_supers; i++) {
        match_type(&a, e->type->supers[i].type, e->type->supers[i].slot);
    }
}

void route_match(struct route *r, struct evt *e, struct route_hits *hits)
{
    match_all(r, e, hits);
    if (hits->v.len > 1) {
        in_order(hits);
    }
}

void route_probe(struct route *r, struct evt *e, struct route_hits *hits)
{
    match_all(r, e, hits);
}

void route_match_as(struct route *r, const struct etype *as, struct evt *e, struct route_hits *hits)
{
    struct asking a = {r, e, hits};
    settled(r);
    VEC_CLEAR(&hits->v);
    r->events++;
    match_type(&a, as, NULL);
    if (hits->v.len > 1) {
        in_order(hits);
    }
}

uint64_t route_evals(const struct route *r)
{
    return r->evals;
}
