/* SPDX-License-Identifier: Apache-2.0
 *
 * Per event type: a list of the leaves without keys, and for each set of key columns a hash table
 * of leaves, chained through the leaves themselves, so that adding and removing one costs no memory
 * but its own. See route.h.
 */
#include "operators/route/route.h"

#include "core/base/arena.h"
#include "core/base/mem.h"

#include <assert.h>
#include <stdlib.h>

enum { BUCKETS_MIN = 8 };

struct keyed { /* leaves that compare the same columns */
    uint32_t n_keys;
    uint16_t slot[ROUTE_KEYS_MAX];
    uint8_t null_ok;
    struct route_leaf **buckets;
    size_t n_buckets, count;
};

struct per_type {
    const struct etype *type;
    struct route_leaf *plain;
    VEC(struct keyed) keyed;
};

struct route {
    struct vheap *heap;
    const int64_t *now;
    VEC(struct per_type *) types; /* by etype.id */
    struct route_leaf *spare;     /* free leaves, through next */
    VEC(struct route_leaf *) dead;
    uint64_t seq;
    size_t count;
};

struct route *route_new(struct vheap *heap, const int64_t *now)
{
    struct route *r = MEM_NEW(struct route);
    r->heap = heap;
    r->now = now;
    return r;
}

static void free_list(struct route_leaf *l)
{
    while (l != NULL) {
        struct route_leaf *next = l->next;
        mem_free(l);
        l = next;
    }
}

void route_free(struct route *r)
{
    if (r == NULL) {
        return;
    }
    route_sweep(r);
    VEC_EACH (&r->types, t) {
        if (*t == NULL) {
            continue;
        }
        VEC_EACH (&(*t)->keyed, k) {
            for (size_t i = 0; i < k->n_buckets; i++) {
                free_list(k->buckets[i]);
            }
            mem_free(k->buckets);
        }
        free_list((*t)->plain);
        VEC_DONE(&(*t)->keyed);
        mem_free(*t);
    }
    free_list(r->spare);
    VEC_DONE(&r->types);
    VEC_DONE(&r->dead);
    mem_free(r);
}

/* ---- analysis of a filter ---- */

static bool speaks_of_event(const struct ex *e)
{
    if ((e->op == EX_PROP || e->op == EX_STREAM) && e->level == 0 && e->stream == 0) {
        return true;
    }
    for (uint32_t i = 0; i < e->n_args; i++) {
        if (speaks_of_event(e->args[i])) {
            return true;
        }
    }
    return false;
}

/* Known once the leaf is added, and the same ever after. */
static bool is_fixed(const struct ex *e)
{
    switch (e->op) {
    case EX_CONST:
    case EX_PROP:
    case EX_STREAM:
    case EX_FIELD:
    case EX_INDEX:
    case EX_KEY:
    case EX_CONV:
    case EX_CONTEXT: break;
    default: return false;
    }
    for (uint32_t i = 0; i < e->n_args; i++) {
        if (!is_fixed(e->args[i])) {
            return false;
        }
    }
    return true;
}

static bool is_column(const struct route_filter *f, const struct ex *e)
{
    return e->op == EX_PROP && e->level == 0 && e->stream == 0 && e->of == f->type &&
           e->ty.kind != TY_OBJECT;
}

/* Takes `column = fixed` as a key. */
static bool take_key(struct route_filter *f, const struct ex *e)
{
    bool is = e->op == EX_IS && !e->negated;
    bool equal = is || (e->op >= EX_CMP_I && e->op <= EX_CMP_ANY && e->cmp == OP_EQ);
    if (!equal || f->n_keys == ROUTE_KEYS_MAX || f->type->kind == ETYPE_VARIANT) {
        return false;
    }
    for (int i = 0; i < 2; i++) {
        const struct ex *col = e->args[i], *other = e->args[1 - i];
        if (is_column(f, col) && is_fixed(other) && !speaks_of_event(other) &&
            other->ty.kind != TY_OBJECT) {
            f->key_slot[f->n_keys] = col->slot;
            f->null_ok = (uint8_t)(f->null_ok | (is ? 1u << f->n_keys : 0u));
            f->key[f->n_keys++] = other;
            return true;
        }
    }
    return false;
}

struct rests {
    struct arena *a;
    struct route_filter *f;
    VEC(const struct ex *) v;
};

static void split(struct rests *r, const struct ex *e)
{
    if (e->op == EX_AND) {
        for (uint32_t i = 0; i < e->n_args; i++) {
            split(r, e->args[i]);
        }
    } else if (!take_key(r->f, e)) {
        *VEC_PUSH(&r->v) = e;
    }
}

void route_filter_init(struct arena *a, struct route_filter *f)
{
    f->n_keys = 0;
    f->null_ok = 0;
    f->rest = NULL;
    if (f->cond == NULL) {
        return;
    }
    struct rests r = {.a = a, .f = f};
    split(&r, f->cond);
    if (r.v.len == 1) {
        f->rest = r.v.ptr[0];
    } else if (r.v.len > 1) {
        struct ex *all = ARENA_NEW(a, struct ex);
        *all = (struct ex){.op = EX_AND, .ty = TY(BOOL), .n_args = (uint32_t)r.v.len, .home = a};
        all->args = arena_array(a, r.v.len, sizeof(struct ex *));
        memcpy(all->args, r.v.ptr, r.v.len * sizeof(struct ex *));
        f->rest = all;
    }
    VEC_DONE(&r.v);
}

/* ---- leaves ---- */

static struct per_type *type_entry(struct route *r, const struct etype *t, bool make)
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
    VEC_EACH (&t->keyed, k) {
        if (k->n_keys == f->n_keys && k->null_ok == f->null_ok &&
            memcmp(k->slot, f->key_slot, f->n_keys * sizeof f->key_slot[0]) == 0) {
            return k;
        }
    }
    struct keyed *k = VEC_PUSH(&t->keyed);
    k->n_keys = f->n_keys;
    k->null_ok = f->null_ok;
    memcpy(k->slot, f->key_slot, sizeof k->slot);
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

static void grow(struct keyed *k)
{
    size_t n = MAX((size_t)BUCKETS_MIN, k->n_buckets * 2);
    struct route_leaf **to = mem_calloc(n, sizeof(struct route_leaf *));
    for (size_t i = 0; i < k->n_buckets; i++) {
        for (struct route_leaf *l = k->buckets[i], *next; l != NULL; l = next) {
            next = l->next;
            link_in(&to[l->hash & (n - 1)], l);
        }
    }
    mem_free(k->buckets);
    k->buckets = to;
    k->n_buckets = n;
}

static uint64_t hash_keys(const struct dat *v, uint32_t n)
{
    uint64_t h = 0;
    for (uint32_t i = 0; i < n; i++) {
        h = h * 0x9e3779b97f4a7c15ULL + dat_hash(v[i]);
    }
    return h ^ (h >> 29);
}

static struct ectx context_of(struct route *r, const struct route_leaf *l, struct evt **row)
{
    return (struct ectx){
        .heap = r->heap, .now = *r->now, .row = row, .inst = l->inst, .ops = l->ops};
}

struct route_leaf *route_add(struct route *r, const struct route_filter *f, struct evt *bound,
                             void (*on)(void *arg, struct evt *e), void *arg, struct inst *inst,
                             const struct ectx_ops *ops, uint64_t rank)
{
    return route_add_at(r, f, bound, on, arg, inst, ops, rank, ++r->seq);
}

struct route_leaf *route_add_at(struct route *r, const struct route_filter *f, struct evt *bound,
                                void (*on)(void *arg, struct evt *e), void *arg, struct inst *inst,
                                const struct ectx_ops *ops, uint64_t rank, uint64_t seq)
{
    struct route_leaf *l = r->spare;
    if (l != NULL) {
        r->spare = l->next;
    } else {
        l = mem_alloc(sizeof *l);
    }
    l->filter = f;
    l->bound = bound != NULL ? evt_keep(bound) : NULL;
    l->on = on;
    l->arg = arg;
    l->inst = inst;
    l->ops = ops;
    l->rank = rank;
    l->seq = seq;
    l->consume = 0;
    l->dead = false;
    l->home = NULL;
    l->next = l->prev = NULL;
    r->count++;
    struct per_type *t = type_entry(r, f->type, true);
    if (f->n_keys == 0) {
        link_in(&t->plain, l);
        return l;
    }
    struct evt *row[2] = {NULL, bound};
    struct ectx c = context_of(r, l, row);
    bool null = false;
    for (uint32_t i = 0; i < f->n_keys; i++) {
        l->key[i] = dat_keep(ex_eval(f->key[i], &c));
        null |= dat_is_null(l->key[i]) && (f->null_ok & (1u << i)) == 0;
    }
    if (!null && !c.failed) { /* = null is never true: such a leaf is in no list */
        struct keyed *k = keyed_for(t, f);
        if (k->count >= k->n_buckets) {
            grow(k);
        }
        k->count++;
        l->hash = hash_keys(l->key, f->n_keys);
        link_in(&k->buckets[l->hash & (k->n_buckets - 1)], l);
    }
    return l;
}

void route_remove(struct route *r, struct route_leaf *l)
{
    assert(!l->dead);
    l->dead = true;
    if (l->home != NULL) {
        if (l->prev != NULL) {
            l->prev->next = l->next;
        } else {
            *l->home = l->next;
        }
        if (l->next != NULL) {
            l->next->prev = l->prev;
        }
        if (l->filter->n_keys > 0) {
            keyed_for(type_entry(r, l->filter->type, true), l->filter)->count--;
        }
    }
    for (uint32_t i = 0; i < l->filter->n_keys; i++) {
        dat_drop(r->heap, l->key[i]);
    }
    if (l->bound != NULL) {
        evt_drop(r->heap, l->bound);
    }
    r->count--;
    *VEC_PUSH(&r->dead) = l;
}

void route_sweep(struct route *r)
{
    VEC_EACH (&r->dead, l) {
        (*l)->next = r->spare;
        r->spare = *l;
    }
    VEC_CLEAR(&r->dead);
}

uint64_t route_seq(const struct route *r)
{
    return r->seq;
}

void route_set_seq(struct route *r, uint64_t newest)
{
    r->seq = newest;
}

size_t route_count(const struct route *r)
{
    return r->count;
}

/* ---- matching ---- */

static void try_leaf(struct route *r, struct route_leaf *l, const struct ex *cond, struct evt *e,
                     struct route_hits *hits)
{
    if (cond != NULL) {
        struct evt *row[2] = {e, l->bound};
        struct ectx c = context_of(r, l, row);
        if (!ex_true(cond, &c) || c.failed) {
            return;
        }
    }
    if (UNLIKELY(hits->v.len == hits->v.cap)) {
        (void)VEC_PUSH(&hits->v);
        hits->v.len--;
    }
    hits->v.ptr[hits->v.len++] = (struct route_hit){l, l->rank};
}

static void probe(struct route *r, const struct keyed *k, const uint16_t *view, struct evt *e,
                  struct route_hits *hits)
{
    struct dat v[ROUTE_KEYS_MAX];
    for (uint32_t i = 0; i < k->n_keys; i++) {
        v[i] = e->p[view != NULL ? view[k->slot[i]] : k->slot[i]];
        if (dat_is_null(v[i]) && (k->null_ok & (1u << i)) == 0) {
            return;
        }
    }
    uint64_t h = hash_keys(v, k->n_keys);
    for (struct route_leaf *l = k->buckets[h & (k->n_buckets - 1)]; l != NULL; l = l->next) {
        bool same = l->hash == h;
        for (uint32_t i = 0; same && i < k->n_keys; i++) {
            same = dat_same(l->key[i], v[i]);
        }
        if (same) {
            try_leaf(r, l, l->filter->rest, e, hits);
        }
    }
}

static void match_type(struct route *r, const struct etype *t, const uint16_t *view, struct evt *e,
                       struct route_hits *hits)
{
    struct per_type *p = type_entry(r, t, false);
    if (p == NULL) {
        return;
    }
    for (struct route_leaf *l = p->plain; l != NULL; l = l->next) {
        try_leaf(r, l, l->filter->cond, e, hits);
    }
    VEC_EACH (&p->keyed, k) {
        if (k->count > 0) {
            probe(r, k, view, e, hits);
        }
    }
}

static int by_rank(const void *a, const void *b)
{
    const struct route_hit *x = a, *y = b;
    if (x->rank != y->rank) {
        return x->rank < y->rank ? -1 : 1;
    }
    return x->leaf->seq < y->leaf->seq ? -1 : 1;
}

void route_match(struct route *r, struct evt *e, struct route_hits *hits)
{
    VEC_CLEAR(&hits->v);
    match_type(r, e->type, NULL, e, hits);
    for (uint32_t i = 0; i < e->type->n_supers; i++) {
        match_type(r, e->type->supers[i].type, e->type->supers[i].slot, e, hits);
    }
    if (hits->v.len > 1) {
        qsort(hits->v.ptr, hits->v.len, sizeof hits->v.ptr[0], by_rank);
    }
}

void route_match_as(struct route *r, const struct etype *as, struct evt *e, struct route_hits *hits)
{
    VEC_CLEAR(&hits->v);
    match_type(r, as, NULL, e, hits);
    if (hits->v.len > 1) {
        qsort(hits->v.ptr, hits->v.len, sizeof hits->v.ptr[0], by_rank);
    }
}
