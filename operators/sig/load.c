/* SPDX-License-Identifier: Apache-2.0
 *
 * See load.h and, for the format, save.c. Events that were read are found again by their number in
 * the chunk and, in other chunks, by their serial.
 */
#include "operators/sig/load.h"

#include "core/base/mem.h"
#include "core/base/vec.h"
#include "core/codec/endian.h"
#include "operators/sig/evt_serials.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { DEPTH_MAX = 256, EVENTS_MAX = 1 << 28 };

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
    struct evt_serials by_serial; /* of all chunks */
    uint64_t number;              /* of the type that the last event had; */
    const struct etype *type;     /* NULL: none had one yet */
    struct err err;
    bool failed;
};

struct load *load_new(const struct save_types *types, struct vheap *heap)
{
    assert(types != NULL && heap != NULL);
    struct load *l = MEM_NEW(struct load);
    l->types = types;
    l->heap = heap;
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
    evt_serials_done(&l->by_serial);
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
    l->type = NULL;
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

static uint64_t large_number(struct load *l)
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

static inline ALWAYS_INLINE uint64_t number(struct load *l)
{
    if (LIKELY(l->in.len > 0 && (*l->in.ptr & 0x80) == 0)) {
        l->in.len--;
        return (uint8_t)*l->in.ptr++;
    }
    return large_number(l);
}

uint64_t load_u(struct load *l)
{
    return number(l);
}

int64_t load_i(struct load *l)
{
    uint64_t v = load_u(l);
    return (int64_t)(v >> 1) ^ -(int64_t)(v & 1);
}

static inline uint64_t fixed(struct load *l)
{
    const char *p = take(l, 8);
    return p != NULL ? endian_le64(p) : 0;
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

/* With one reference, which is the caller's, as all that follows. */
static struct dat own_big(struct load *l, uint8_t kind)
{
    int64_t scale = load_i(l);
    unsigned __int128 low = fixed(l), high = fixed(l);
    if (scale < 0 || scale > 100 || (kind == DAT_BIGINT && scale != 0)) {
        load_fail(l, "a number with a scale of %lld", (long long)scale);
        return DAT_NONE;
    }
    struct vbig *b = vheap_own(l->heap, kind, sizeof *b);
    b->scale = (int32_t)scale;
    b->unscaled = (__int128)(high << 64 | low);
    struct dat v = {.kind = kind, .i = 0};
    v.big = b;
    return v;
}

static inline ALWAYS_INLINE struct dat own_str(struct load *l)
{
    struct slice text = load_bytes(l);
    if (UNLIKELY(text.ptr == NULL)) {
        return DAT_NONE;
    }
    struct vstr *s = vheap_own(l->heap, DAT_STRING, sizeof *s + text.len + 1);
    s->len = (uint32_t)text.len;
    s->hash = 0;
    memcpy(s->s, text.ptr, text.len);
    s->s[text.len] = '\0';
    return dat_str(s);
}

static struct dat own_val(struct load *l);

static struct dat own_map(struct load *l)
{
    size_t n = load_count(l, 2);
    struct vmap *m = vheap_own(l->heap, DAT_MAP, sizeof *m + n * sizeof m->v[0]);
    m->len = (uint32_t)n;
    m->hash = 0;
    for (size_t i = 0; i < n; i++) {
        m->v[i].key = own_val(l);
        m->v[i].value = own_val(l);
    }
    return dat_map(m);
}

static struct dat own_list(struct load *l)
{
    size_t n = load_count(l, 1);
    struct vlist *list = vheap_own(l->heap, DAT_LIST, sizeof *list + n * sizeof list->v[0]);
    list->len = (uint32_t)n;
    for (size_t i = 0; i < n; i++) {
        list->v[i] = own_val(l);
    }
    return dat_list(list);
}

/* What has others in it. */
static struct dat own_nest(struct load *l, uint8_t kind)
{
    if (l->depth == DEPTH_MAX) {
        load_fail(l, "a value of kind %u, %u deep", kind, l->depth);
        return DAT_NONE;
    }
    l->depth++;
    struct dat v = kind == DAT_EVENT ? dat_keep(dat_evt(load_evt(l)))
                   : kind == DAT_MAP ? own_map(l)
                                     : own_list(l);
    l->depth--;
    return v;
}

static struct dat own_kind(struct load *l, uint64_t kind)
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
    case DAT_BIGDEC: return own_big(l, (uint8_t)kind);
    case DAT_STRING: return own_str(l);
    case DAT_EVENT:
    case DAT_MAP:
    case DAT_LIST: return own_nest(l, (uint8_t)kind);
    default: load_fail(l, "a value of kind %llu", (unsigned long long)kind); return DAT_NONE;
    }
}

static inline ALWAYS_INLINE struct dat own_val(struct load *l)
{
    struct dat v = own_kind(l, number(l));
    if (UNLIKELY(l->failed)) {
        dat_drop(l->heap, v);
        return DAT_NONE;
    }
    return v;
}

struct dat load_val(struct load *l)
{
    struct dat v = own_val(l);
    dat_drop(l->heap, v); /* the pool has it */
    return v;
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

static inline ALWAYS_INLINE struct dat own_val_of(struct load *l, struct ty ty)
{
    struct dat v = own_val(l);
    if (!dat_is_null(v) && !fits(v, ty)) {
        load_fail(l, "a value of kind %u for a %s", (unsigned)v.kind, ty_name(ty.kind));
        dat_drop(l->heap, v);
        return DAT_NONE;
    }
    return v;
}

struct dat load_val_of(struct load *l, struct ty ty)
{
    struct dat v = own_val_of(l, ty);
    dat_drop(l->heap, v);
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
    e->causes = causes_own(l->heap, n);
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

static const struct etype *type_of(struct load *l, uint64_t number)
{
    if (UNLIKELY(l->type == NULL || l->number != number)) {
        l->type = l->failed ? NULL : l->types->type(l->types->arg, number);
        l->number = number;
    }
    return l->type;
}

static void load_extra(struct load *l, struct evt *e)
{
    struct dat extra = own_val(l);
    if (extra.kind == DAT_MAP) {
        e->extra = extra.m;
    } else if (!dat_is_null(extra)) {
        load_fail(l, "undeclared properties that are no map");
        dat_drop(l->heap, extra);
    }
}

/* All of them, null behind a failure. Most columns of a wide type are null. */
static void load_columns(struct load *l, struct evt *e)
{
    const struct etype *t = e->type;
    for (uint32_t i = 0, n = t->n_cols; i < n; i++) {
        const char *p = l->in.ptr, *end = p + MIN(l->in.len, n - i);
        for (; p < end && *p == DAT_NULL; p++, i++) {
            e->p[i] = DAT_NONE;
        }
        l->in.len -= (size_t)(p - l->in.ptr);
        l->in.ptr = p;
        if (i < n) {
            e->p[i] = ety_is_place(t, i) ? null_of(l) : own_val_of(l, t->cols[i].ty);
        }
    }
}

static struct evt *event_itself(struct load *l)
{
    uint64_t serial = number(l), type_number = number(l);
    evt_serials_soon(&l->by_serial, serial);
    const struct etype *type = l->failed ? NULL : type_of(l, type_number);
    if (l->failed || type == NULL) {
        load_fail(l, "an event of type %llu, which does not exist",
                  (unsigned long long)type_number);
        return NULL;
    }
    if (type->n_cols > left(l)) {
        load_fail(l, "it ends too early");
        return NULL;
    }
    struct evt *e = evt_bare(l->heap, type);
    e->serial = serial;
    e->ref.hi = fixed(l);
    e->ref.lo = fixed(l);
    load_causes(l, e);
    load_extra(l, e);
    load_columns(l, e);
    return e;
}

/* The object that is known by this serial already, or this one from now on. */
static struct evt *one_object(struct load *l, struct evt *e)
{
    if (l->by_serial.n == EVENTS_MAX) {
        load_fail(l, "too many events");
        return NULL;
    }
    struct evt *is = evt_serials_one(&l->by_serial, e->serial, e);
    if (is->type != e->type) {
        load_fail(l, "two events with the number %llu", (unsigned long long)e->serial);
        return NULL;
    }
    return is;
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
