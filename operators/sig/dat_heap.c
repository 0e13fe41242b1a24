/* SPDX-License-Identifier: Apache-2.0
 *
 * Objects: memory from free lists by size (units of 16 bytes, carved out of blocks), references,
 * and the pool of what dies at the end of the step. See dat.h for the rule of ownership.
 */
#include "core/base/mem.h"
#include "core/base/vec.h"
#include "operators/sig/breath.h"
#include "operators/sig/dat.h"
#include "operators/sig/lim.h"
#include "operators/sig/vheap_room.h"

#include <assert.h>

enum {
    UNIT = 16,
    UNITS_MAX = 64,          /* larger objects come from malloc */
    BLOCK_BYTES = 64 * 1024, /* of small objects */
    BLOCKS_SMALL = 64,       /* further ones are huge: then at most a third is not in use */
};

struct free_obj {
    struct free_obj *next;
};

struct vheap {
    struct vheap_breath breath; /* first: vheap_breathe */
    struct free_obj *free[UNITS_MAX + 1];
    VEC(struct obj *) pool;
    VEC(void *) blocks;
    VEC(struct obj *) for_good; /* large objects that plans keep */
    char *at, *end;             /* of the newest block */
    size_t live;
    uint64_t carved;
    uint64_t epoch;
    uint64_t *serial; /* NULL: events are not numbered here */
    struct lim *lim;  /* NULL: none */
};

void vheap_set_lim(struct vheap *h, struct lim *lim)
{
    h->lim = lim;
}

struct lim *vheap_lim(const struct vheap *h)
{
    return h->lim;
}

struct vheap *vheap_new(void)
{
    return MEM_NEW(struct vheap);
}

struct vheap_breath *vheap_breath(struct vheap *h)
{
    return &h->breath;
}

void vheap_take_breath(struct vheap_breath *b)
{
    b->left = VHEAP_BREATH;
    if (b->take != NULL) {
        b->take(b->arg);
    }
}

void vheap_free(struct vheap *h)
{
    if (h == NULL) {
        return;
    }
    vheap_drain(h);
    VEC_EACH (&h->blocks, b) {
        mem_free(*b);
    }
    VEC_EACH (&h->for_good, o) {
        mem_free(*o);
    }
    VEC_DONE(&h->for_good);
    VEC_DONE(&h->blocks);
    VEC_DONE(&h->pool);
    mem_free(h);
}

static inline void pool_push(struct vheap *h, struct obj *o)
{
    if (LIKELY(h->pool.len < h->pool.cap)) {
        h->pool.ptr[h->pool.len++] = o;
    } else {
        *VEC_PUSH(&h->pool) = o;
    }
}

struct dat vheap_for_good(struct vheap *h, struct dat v)
{
    bool noted = !dat_is_obj(v) || v.o->units > 0; /* small ones go with their block */
    for (size_t i = 0; !noted && i < h->for_good.len; i++) {
        noted = h->for_good.ptr[i] == v.o;
    }
    if (!noted) {
        *VEC_PUSH(&h->for_good) = v.o;
    }
    return dat_keep(v);
}

static COLD void begin_block(struct vheap *h)
{
    bool huge = h->blocks.len >= BLOCKS_SMALL;
    h->at = huge ? mem_huge(MEM_HUGE) : mem_alloc(BLOCK_BYTES);
    h->end = h->at + (huge ? (size_t)MEM_HUGE : (size_t)BLOCK_BYTES);
    *VEC_PUSH(&h->blocks) = h->at;
}

static void *carve(struct vheap *h, size_t bytes)
{
    if ((size_t)(h->end - h->at) < bytes) {
        begin_block(h);
    }
    void *p = h->at;
    h->at += bytes;
    return p;
}

/* Both count what lives. */
static inline ALWAYS_INLINE void *take(struct vheap *h, size_t units)
{
    struct free_obj *f = h->free[units];
    h->live++;
    if (LIKELY(f != NULL)) {
        h->free[units] = f->next;
        __builtin_prefetch(f->next); /* it is the next to be taken, and has to be looked at then */
        return f;
    }
    h->carved++;
    return carve(h, units * UNIT);
}

static inline void give(struct vheap *h, void *p, size_t units)
{
    struct free_obj *f = p;
    f->next = h->free[units];
    h->free[units] = f;
    h->live--;
}

/* With one reference, which is the caller's. */
static inline ALWAYS_INLINE void *obj_own(struct vheap *h, enum dat_kind kind, size_t bytes)
{
    size_t units = (bytes + UNIT - 1) / UNIT;
    struct obj *o;
    if (UNLIKELY(units > UNITS_MAX)) {
        o = mem_alloc(bytes);
        units = 0;
        h->carved++;
        h->live++;
    } else {
        o = take(h, units);
    }
    *o = (struct obj){.refs = 1, .kind = (uint8_t)kind, .units = (uint16_t)units};
    return o;
}

/* ... which is the pool's. */
static inline ALWAYS_INLINE void *obj_new(struct vheap *h, enum dat_kind kind, size_t bytes)
{
    void *o = obj_own(h, kind, bytes);
    pool_push(h, o);
    return o;
}

void *vheap_obj(struct vheap *h, enum dat_kind kind, size_t bytes)
{
    assert(bytes >= sizeof(struct obj));
    return obj_new(h, kind, bytes);
}

void *vheap_own(struct vheap *h, enum dat_kind kind, size_t bytes)
{
    assert(bytes >= sizeof(struct obj));
    return obj_own(h, kind, bytes);
}

void *vheap_take(struct vheap *h, size_t bytes)
{
    return bytes > UNITS_MAX * UNIT ? mem_alloc(bytes) : take(h, (bytes + UNIT - 1) / UNIT);
}

void vheap_give(struct vheap *h, void *p, size_t bytes)
{
    if (bytes > UNITS_MAX * UNIT) {
        mem_free(p);
    } else {
        give(h, p, (bytes + UNIT - 1) / UNIT);
    }
}

struct evt *evt_bare(struct vheap *h, const struct etype *type)
{
    vheap_breathe(h);
    struct evt *e = obj_new(h, DAT_EVENT, sizeof *e + type->n_cols * sizeof e->p[0]);
    e->mark = e->group = 0;
    e->type = type;
    e->serial = 0;
    e->ref = (struct eref){0, 0};
    e->causes = NULL;
    e->extra = NULL;
    return e;
}

struct evt *evt_new(struct vheap *h, const struct etype *type)
{
    struct evt *e = evt_bare(h, type);
    for (uint32_t i = 0; i < type->n_cols; i++) {
        e->p[i] = DAT_NONE;
    }
    return e;
}

struct evt *evt_lent(struct vheap *h, const struct etype *type)
{
    struct evt *e = evt_keep(evt_new(h, type));
    e->o.lent = true;
    return e;
}

struct causes *causes_new(struct vheap *h, size_t len)
{
    struct causes *c = obj_new(h, DAT_CAUSES, sizeof *c + len * sizeof c->r[0]);
    c->len = (uint32_t)len;
    return c;
}

struct causes *causes_own(struct vheap *h, size_t len)
{
    struct causes *c = obj_own(h, DAT_CAUSES, sizeof *c + len * sizeof c->r[0]);
    c->len = (uint32_t)len;
    return c;
}

/* ---- the end of objects ---- */

/* Its memory, when it has nothing more in it. */
static inline void put_back(struct vheap *h, struct obj *o)
{
    if (UNLIKELY(o->units == 0)) {
        h->live--;
        mem_free(o);
        return;
    }
    give(h, o, o->units);
}

static void die(struct vheap *h, struct obj *o);

static inline void dat_let_go(struct vheap *h, struct dat v)
{
    if (dat_is_obj(v)) {
        if (--v.o->refs == 0) {
            die(h, v.o);
        }
    }
}

static inline void evt_die(struct vheap *h, struct evt *e)
{
    for (uint32_t i = 0, n = e->type->n_cols; i < n; i++) {
        dat_let_go(h, e->p[i]);
    }
    if (e->causes != NULL && --e->causes->o.refs == 0) {
        put_back(h, &e->causes->o);
    }
    if (UNLIKELY(e->extra != NULL)) {
        dat_let_go(h, dat_map(e->extra));
    }
    put_back(h, &e->o);
}

static void list_die(struct vheap *h, struct vlist *l)
{
    for (uint32_t i = 0; i < l->len; i++) {
        dat_let_go(h, l->v[i]);
    }
    put_back(h, &l->o);
}

static void map_die(struct vheap *h, struct vmap *m)
{
    for (uint32_t i = 0; i < m->len; i++) {
        dat_let_go(h, m->v[i].key);
        dat_let_go(h, m->v[i].value);
    }
    put_back(h, &m->o);
}

/* Nobody holds it any more. */
static void die(struct vheap *h, struct obj *o)
{
    switch (o->kind) {
    case DAT_EVENT: evt_die(h, (struct evt *)(void *)o); break;
    case DAT_LIST: list_die(h, (struct vlist *)(void *)o); break;
    case DAT_MAP: map_die(h, (struct vmap *)(void *)o); break;
    default: put_back(h, o);
    }
}

/* An event that outlives the step is kept by someone, and may be saved: that is where it gets its
 * number, so nobody needs to look for those without when a snapshot begins. */
static inline void let_go(struct vheap *h, struct obj *o)
{
    assert(o->refs > 0);
    if (--o->refs == 0) {
        die(h, o);
    } else if (o->kind == DAT_EVENT && h->serial != NULL && !o->lent) {
        struct evt *e = (struct evt *)(void *)o;
        e->serial = e->serial != 0 ? e->serial : ++*h->serial;
    }
}

void vheap_drain(struct vheap *h)
{
    enum { AHEAD = 4 };
    h->epoch++;
    if (h->pool.len == 0) {
        return;
    }
    struct obj **o = h->pool.ptr, **end = o + h->pool.len;
    for (; end - o > AHEAD; o++) { /* nothing is added while objects die */
        vheap_breathe(h);
        __builtin_prefetch(o[AHEAD]);
        let_go(h, *o);
    }
    for (; o < end; o++) {
        let_go(h, *o);
    }
    VEC_CLEAR(&h->pool);
}

/* ---- numbers of events ---- */

void vheap_number_from(struct vheap *h, uint64_t *serial)
{
    h->serial = serial;
}

bool vheap_numbers(const struct vheap *h)
{
    return h->serial != NULL;
}

static void number_in(struct vheap *h, struct dat v)
{
    if (v.kind == DAT_EVENT) {
        evt_number(h, v.ev);
    }
    for (uint32_t i = 0; v.kind == DAT_LIST && i < v.l->len; i++) {
        number_in(h, v.l->v[i]);
    }
    for (uint32_t i = 0; v.kind == DAT_MAP && i < v.m->len; i++) {
        number_in(h, v.m->v[i].key);
        number_in(h, v.m->v[i].value);
    }
}

void evt_number(struct vheap *h, struct evt *e)
{
    if (e->serial != 0 || h->serial == NULL) {
        return;
    }
    e->serial = ++*h->serial;
    for (uint32_t i = 0; i < e->type->n_cols; i++) {
        if (UNLIKELY(e->p[i].kind >= DAT_EVENT) && !ety_is_place(e->type, i)) {
            number_in(h, e->p[i]);
        }
    }
    if (UNLIKELY(e->extra != NULL)) {
        number_in(h, dat_map(e->extra));
    }
}

uint64_t vheap_epoch(const struct vheap *h)
{
    return h->epoch;
}

void obj_drop_last(struct vheap *h, struct obj *o)
{
    assert(o->refs == 1);
    pool_push(h, o);
}

uint64_t vheap_carved(const struct vheap *h)
{
    return h->carved;
}

size_t vheap_live(const struct vheap *h)
{
    return h->live;
}

size_t vheap_pooled(const struct vheap *h)
{
    return h->pool.len;
}
