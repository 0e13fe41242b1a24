/* SPDX-License-Identifier: Apache-2.0
 *
 * See load.h and, for the format, save.c. Events that were read are found again by their number in
 * the chunk and, in other chunks, by their serial.
 */
#include "operators/sig/load.h"

#include "core/base/mem.h"
#include "core/base/vec.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { DEPTH_MAX = 256, EVENTS_MAX = 1 << 28, SERIALS_MIN = 64 };

struct known {
    uint64_t serial;
    struct evt *e; /* NULL: free */
};

struct load {
    const struct save_types *types;
    struct vheap *heap;
    struct slice in;        /* the piece at hand */
    struct save_more *more; /* NULL: it is the last */
    VEC(char *) across;     /* what lay across pieces, in one; of the chunk */
    uint64_t node;
    uint16_t group;
    uint16_t depth;
    VEC(struct evt *) events; /* of the chunk; from `base` on: in the one that stands apart */
    size_t base;
    struct known *by_serial; /* of all chunks: open addressing, a power of two */
    size_t n_serials, serials_size;
    struct err err;
    bool failed;
};

struct load *load_new(const struct save_types *types, struct vheap *heap)
{
    assert(types != NULL && heap != NULL);
    struct load *l = MEM_NEW(struct load);
    l->types = types;
    l->heap = heap;
    l->serials_size = SERIALS_MIN;
    l->by_serial = mem_calloc(SERIALS_MIN, sizeof *l->by_serial);
    return l;
}

static void forget_across(struct load *l)
{
    VEC_EACH (&l->across, p) {
        mem_free(*p);
    }
    VEC_CLEAR(&l->across);
}

/* Bytes that are left. */
static inline size_t left(const struct load *l)
{
    return l->in.len + (l->more != NULL ? l->more->left : 0);
}

void load_free(struct load *l)
{
    if (l == NULL) {
        return;
    }
    forget_across(l);
    VEC_DONE(&l->across);
    VEC_DONE(&l->events);
    mem_free(l->by_serial);
    mem_free(l);
}

void load_begin(struct load *l, const struct save_chunk *c)
{
    l->node = c->node;
    l->group = c->group;
    l->in = c->bytes;
    l->more = c->more;
    l->failed = false;
    l->depth = 0;
    forget_across(l);
    VEC_CLEAR(&l->events);
    l->base = 0;
}

struct vheap *load_heap(const struct load *l)
{
    return l->heap;
}

bool load_ok(const struct load *l)
{
    return !l->failed;
}

void load_fail(struct load *l, const char *fmt, ...)
{
    if (l->failed) {
        return;
    }
    char why[128];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(why, sizeof why, fmt, ap);
    va_end(ap);
    l->failed = true;
    l->in.len = 0;
    l->more = NULL;
    err_set(&l->err, ERR_CORRUPT, "saved state of node %llu, group %u: %s",
            (unsigned long long)l->node, l->group, why);
}

int load_end(struct load *l, struct err *reterr)
{
    if (!l->failed && left(l) > 0) {
        load_fail(l, "%zu bytes are left over", left(l));
    }
    if (!l->failed) {
        return 0;
    }
    return err_set(reterr, ERR_CORRUPT, "%s", l->err.msg);
}

/* ---- plain ---- */

/* Across pieces, or from the next one. */
static COLD const char *take_across(struct load *l, size_t n)
{
    if (left(l) < n) {
        load_fail(l, "it ends too early");
        return NULL;
    }
    if (l->in.len == 0) {
        l->in = l->more->next(l->more);
    }
    if (l->in.len >= n) {
        l->in.ptr += n;
        l->in.len -= n;
        return l->in.ptr - n;
    }
    char *to = mem_alloc(n);
    *VEC_PUSH(&l->across) = to;
    for (size_t got = 0; got < n;) {
        l->in = l->in.len > 0 ? l->in : l->more->next(l->more);
        size_t k = MIN(n - got, l->in.len);
        memcpy(to + got, l->in.ptr, k);
        l->in = slice_of(l->in.ptr + k, l->in.len - k);
        got += k;
    }
    return to;
}

static inline const char *take(struct load *l, size_t n)
{
    if (UNLIKELY(l->in.len < n)) {
        return take_across(l, n);
    }
    const char *p = l->in.ptr;
    l->in.ptr += n;
    l->in.len -= n;
    return p;
}

uint64_t load_u(struct load *l)
{
    uint64_t v = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        const char *p = take(l, 1);
        if (p == NULL) {
            return 0;
        }
        v |= (uint64_t)(*p & 0x7f) << shift;
        if ((*p & 0x80) == 0) {
            return v;
        }
    }
    load_fail(l, "a number of more than 64 bits");
    return 0;
}

int64_t load_i(struct load *l)
{
    uint64_t v = load_u(l);
    return (int64_t)(v >> 1) ^ -(int64_t)(v & 1);
}

static uint64_t fixed(struct load *l)
{
    const char *p = take(l, 8);
    uint64_t v = 0;
    for (size_t i = 0; p != NULL && i < 8; i++) {
        v |= (uint64_t)(uint8_t)p[i] << (8 * i);
    }
    return v;
}

double load_f(struct load *l)
{
    uint64_t bits = fixed(l);
    double d;
    memcpy(&d, &bits, sizeof d);
    return d;
}

bool load_bool(struct load *l)
{
    uint64_t v = load_u(l);
    if (v > 1) {
        load_fail(l, "%llu where yes or no is wanted", (unsigned long long)v);
    }
    return v == 1;
}

size_t load_count(struct load *l, size_t least)
{
    assert(least > 0);
    uint64_t n = load_u(l);
    if (n > left(l) / least) {
        load_fail(l, "%llu items in %zu bytes", (unsigned long long)n, left(l));
        return 0;
    }
    return (size_t)n;
}

struct slice load_bytes(struct load *l)
{
    size_t n = load_count(l, 1);
    const char *p = take(l, n);
    return p == NULL ? (struct slice){NULL, 0} : (struct slice){p, n};
}

/* ---- values ---- */

static struct dat load_big(struct load *l, uint8_t kind)
{
    int64_t scale = load_i(l);
    unsigned __int128 low = fixed(l), high = fixed(l);
    if (scale < 0 || scale > 100 || (kind == DAT_BIGINT && scale != 0)) {
        load_fail(l, "a number with a scale of %lld", (long long)scale);
        return DAT_NONE;
    }
    struct vbig *b = vheap_obj(l->heap, kind, sizeof *b);
    b->scale = (int32_t)scale;
    b->unscaled = (__int128)(high << 64 | low);
    struct dat v = {.kind = kind, .i = 0};
    v.big = b;
    return v;
}

static struct dat load_map(struct load *l)
{
    size_t n = load_count(l, 2);
    struct vmap *m = vmap_new(l->heap, n);
    for (size_t i = 0; i < n; i++) {
        struct dat key = load_val(l);
        vmap_set(m, i, key, load_val(l));
    }
    return dat_map(m);
}

static struct dat load_list(struct load *l)
{
    size_t n = load_count(l, 1);
    struct vlist *list = vlist_new(l->heap, n);
    for (size_t i = 0; i < n; i++) {
        vlist_set(list, i, load_val(l));
    }
    return dat_list(list);
}

static struct dat load_kind(struct load *l, uint8_t kind)
{
    struct dat v = {.kind = kind, .i = 0};
    switch (kind) {
    case DAT_NULL: return v;
    case DAT_BOOL: v.b = load_bool(l); return v;
    case DAT_CHAR:
    case DAT_BYTE:
    case DAT_SHORT:
    case DAT_INT:
    case DAT_LONG: v.i = load_i(l); return v;
    case DAT_FLOAT:
    case DAT_DOUBLE: v.d = load_f(l); return v;
    case DAT_BIGINT:
    case DAT_BIGDEC: return load_big(l, kind);
    case DAT_STRING: return dat_str(vstr_new(l->heap, load_bytes(l)));
    case DAT_EVENT: return dat_evt(load_evt(l));
    case DAT_MAP: return load_map(l);
    case DAT_LIST: return load_list(l);
    default: load_fail(l, "a value of kind %u", kind); return DAT_NONE;
    }
}

struct dat load_val(struct load *l)
{
    uint64_t kind = load_u(l);
    if (l->failed || l->depth == DEPTH_MAX || kind > DAT_LIST) {
        load_fail(l, "a value of kind %llu, %u deep", (unsigned long long)kind, l->depth);
        return DAT_NONE;
    }
    l->depth++;
    struct dat v = load_kind(l, (uint8_t)kind);
    l->depth--;
    return l->failed ? DAT_NONE : v;
}

/* Whether code that was bound for values of that type may look at it. */
static bool fits(struct dat v, struct ty ty)
{
    bool ok = true;
    switch (ty.kind) {
    case TY_NULL:
    case TY_OBJECT: return true;
    case TY_BOOL: return v.kind == DAT_BOOL;
    case TY_CHAR: return v.kind == DAT_CHAR;
    case TY_BYTE:
    case TY_SHORT:
    case TY_INT:
    case TY_LONG: return dat_is_integer(v);
    case TY_FLOAT:
    case TY_DOUBLE: return dat_is_float(v);
    case TY_BIGINT:
    case TY_BIGDEC: return v.kind == DAT_BIGINT || v.kind == DAT_BIGDEC;
    case TY_STRING: return v.kind == DAT_STRING;
    case TY_EVENT: return v.kind == DAT_EVENT && (ty.ev == NULL || ety_is(v.ev->type, ty.ev));
    case TY_MAP:
        for (uint32_t i = 0; ok && v.kind == DAT_MAP && ty.elem != NULL && i < v.m->len; i++) {
            ok = dat_is_null(v.m->v[i].value) || fits(v.m->v[i].value, *ty.elem);
        }
        return ok && v.kind == DAT_MAP;
    case TY_LIST:
        for (uint32_t i = 0; ok && v.kind == DAT_LIST && ty.elem != NULL && i < v.l->len; i++) {
            ok = dat_is_null(v.l->v[i]) || fits(v.l->v[i], *ty.elem);
        }
        return ok && v.kind == DAT_LIST;
    }
    return false;
}

bool load_more(const struct load *l)
{
    return !l->failed && left(l) > 0;
}

struct dat load_val_of(struct load *l, struct ty ty)
{
    struct dat v = load_val(l);
    if (!dat_is_null(v) && !fits(v, ty)) {
        load_fail(l, "a value of kind %u for a %s", (unsigned)v.kind, ty_name(ty.kind));
        return DAT_NONE;
    }
    return v;
}

void load_vals(struct load *l, struct dat *to, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        to[i] = load_val(l);
    }
}

/* ---- events ---- */

static void load_causes(struct load *l, struct evt *e)
{
    size_t n = load_count(l, 16);
    if (n == 0) {
        return;
    }
    e->causes = causes_new(l->heap, n);
    obj_keep(&e->causes->o);
    for (size_t i = 0; i < n; i++) {
        uint64_t hi = fixed(l);
        e->causes->r[i] = (struct eref){hi, fixed(l)};
    }
}

static struct dat null_of(struct load *l)
{
    if (!dat_is_null(load_val(l))) {
        load_fail(l, "a row's place");
    }
    return DAT_NONE;
}

static struct evt *event_itself(struct load *l)
{
    uint64_t serial = load_u(l), number = load_u(l);
    const struct etype *type = l->failed ? NULL : l->types->type(l->types->arg, number);
    if (l->failed || type == NULL) {
        load_fail(l, "an event of type %llu, which does not exist", (unsigned long long)number);
        return NULL;
    }
    if (type->n_cols > left(l)) {
        load_fail(l, "it ends too early");
        return NULL;
    }
    struct evt *e = evt_new(l->heap, type);
    e->serial = serial;
    e->ref.hi = fixed(l);
    e->ref.lo = fixed(l);
    load_causes(l, e);
    struct dat extra = load_val(l);
    if (extra.kind == DAT_MAP) {
        e->extra = extra.m;
        obj_keep(&e->extra->o);
    } else if (!dat_is_null(extra)) {
        load_fail(l, "undeclared properties that are no map");
    }
    for (uint32_t i = 0; i < type->n_cols; i++) {
        evt_set(e, i, ety_is_place(type, i) ? null_of(l) : load_val_of(l, type->cols[i].ty));
    }
    return e;
}

static struct known *place_of(const struct load *l, uint64_t serial)
{
    size_t mask = l->serials_size - 1;
    size_t i = (serial * 0x9e3779b97f4a7c15ULL >> 24) & mask;
    while (l->by_serial[i].e != NULL && l->by_serial[i].serial != serial) {
        i = (i + 1) & mask;
    }
    return &l->by_serial[i];
}

static void more_serials(struct load *l)
{
    struct known *old = l->by_serial;
    size_t n = l->serials_size;
    l->serials_size = 4 * n;
    l->by_serial = mem_calloc(l->serials_size, sizeof *l->by_serial);
    for (size_t i = 0; i < n; i++) {
        if (old[i].e != NULL) {
            *place_of(l, old[i].serial) = old[i];
        }
    }
    mem_free(old);
}

/* The object that is known by this serial already, or this one from now on. */
static struct evt *one_object(struct load *l, struct evt *e)
{
    if (2 * (l->n_serials + 1) > l->serials_size) {
        more_serials(l);
    }
    struct known *at = place_of(l, e->serial);
    if (at->e == NULL && l->n_serials++ < EVENTS_MAX) {
        *at = (struct known){e->serial, e};
    }
    if (at->e == NULL) {
        load_fail(l, "too many events");
    } else if (at->e->type != e->type) {
        load_fail(l, "two events with the number %llu", (unsigned long long)e->serial);
    }
    return l->failed ? NULL : at->e;
}

/* NULL: a failure. */
static struct evt *written_out(struct load *l)
{
    l->depth++;
    struct evt *e = event_itself(l);
    l->depth--;
    if (e != NULL && !l->failed) {
        e = one_object(l, e);
    }
    return l->failed ? NULL : e;
}

struct evt *load_evt(struct load *l)
{
    uint64_t number = load_u(l);
    if (l->failed || number == 0) {
        return NULL;
    }
    if (number <= l->events.len - l->base) {
        return l->events.ptr[l->base + number - 1];
    }
    if (number != UINT32_MAX || l->depth == DEPTH_MAX) {
        load_fail(l, "event %llu of %zu", (unsigned long long)number, l->events.len - l->base);
        return NULL;
    }
    struct evt *e = written_out(l);
    if (e != NULL) {
        *VEC_PUSH(&l->events) = e;
    }
    return e;
}

size_t load_space(struct load *l)
{
    size_t was = l->base;
    l->base = l->events.len;
    return was;
}

void load_space_end(struct load *l, size_t space)
{
    l->events.len = l->base;
    l->base = space;
}

struct evt *load_evt_apart(struct load *l, const struct etype *type)
{
    size_t space = load_space(l);
    struct evt *e = written_out(l);
    load_space_end(l, space);
    if (e != NULL && !ety_is(e->type, type)) {
        load_fail(l, "an event of another type");
        return NULL;
    }
    return e;
}

struct evt *load_evt_of(struct load *l, const struct etype *type)
{
    struct evt *e = load_evt(l);
    if (e != NULL && !ety_is(e->type, type)) {
        load_fail(l, "an event of another type");
        return NULL;
    }
    if (e == NULL) {
        load_fail(l, "no event where one is wanted");
    }
    return e;
}
