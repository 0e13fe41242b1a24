/* SPDX-License-Identifier: Apache-2.0
 *
 * Making, hashing and comparing values. See dat.h; as text: dat_text.c; big numbers: dat_big.c.
 */
#include "operators/sig/dat.h"

#include "core/base/hash.h"
#include "operators/sig/dat_big.h"

#include <assert.h>
#include <math.h>

struct vstr *vstr_room(struct vheap *h, size_t len)
{
    struct vstr *s = vheap_obj(h, DAT_STRING, sizeof *s + len + 1);
    s->len = (uint32_t)len;
    s->hash = 0;
    s->s[len] = '\0';
    return s;
}

struct vstr *vstr_new(struct vheap *h, struct slice text)
{
    struct vstr *s = vstr_room(h, text.len);
    if (text.len > 0) {
        memcpy(s->s, text.ptr, text.len);
    }
    return s;
}

struct vlist *vlist_new(struct vheap *h, size_t len)
{
    struct vlist *l = vheap_obj(h, DAT_LIST, sizeof *l + len * sizeof l->v[0]);
    l->len = (uint32_t)len;
    for (size_t i = 0; i < len; i++) {
        l->v[i] = DAT_NONE;
    }
    return l;
}

struct vmap *vmap_new(struct vheap *h, size_t len)
{
    struct vmap *m = vheap_obj(h, DAT_MAP, sizeof *m + len * sizeof m->v[0]);
    m->len = (uint32_t)len;
    m->hash = 0;
    for (size_t i = 0; i < len; i++) {
        m->v[i] = (struct vpair){DAT_NONE, DAT_NONE};
    }
    return m;
}

struct dat vmap_get(const struct vmap *m, struct slice key, bool *ret_found)
{
    for (uint32_t i = 0; i < m->len; i++) {
        struct dat k = m->v[i].key;
        if (k.kind == DAT_STRING && slice_eq(vstr_slice(k.s), key)) {
            if (ret_found != NULL) {
                *ret_found = true;
            }
            return m->v[i].value;
        }
    }
    if (ret_found != NULL) {
        *ret_found = false;
    }
    return DAT_NONE;
}

struct dat vmap_get_val(const struct vmap *m, struct dat key, bool *ret_found)
{
    for (uint32_t i = 0; i < m->len; i++) {
        if (dat_same(m->v[i].key, key)) {
            if (ret_found != NULL) {
                *ret_found = true;
            }
            return m->v[i].value;
        }
    }
    if (ret_found != NULL) {
        *ret_found = false;
    }
    return DAT_NONE;
}

double dat_to_double(struct dat v)
{
    if (dat_is_float(v)) {
        return v.d;
    }
    if (v.kind == DAT_BIGINT || v.kind == DAT_BIGDEC) {
        return big_to_double(v.big);
    }
    return (double)v.i;
}

int64_t dat_to_long(struct dat v)
{
    if (dat_is_float(v)) { /* as Java: NaN is 0, beyond the range is the end of it */
        if (isnan(v.d)) {
            return 0;
        }
        if (v.d >= 9223372036854775808.0) {
            return INT64_MAX;
        }
        return v.d <= -9223372036854775808.0 ? INT64_MIN : (int64_t)v.d;
    }
    if (v.kind == DAT_BIGINT || v.kind == DAT_BIGDEC) {
        return big_to_long(v.big);
    }
    return v.i;
}

static int64_t clamp_int(int64_t i, bool was_float)
{
    if (!was_float) {
        return (int32_t)(uint32_t)(uint64_t)i;
    }
    return i > INT32_MAX ? INT32_MAX : i < INT32_MIN ? INT32_MIN : i;
}

struct dat dat_as(struct vheap *h, struct dat v, enum dat_kind kind)
{
    if (v.kind == kind || !dat_is_number(v)) {
        return v;
    }
    bool fl = dat_is_float(v);
    switch (kind) {
    case DAT_BYTE:
        return (struct dat){.kind = DAT_BYTE,
                            .i = (int8_t)(uint8_t)(uint64_t)clamp_int(dat_to_long(v), fl)};
    case DAT_SHORT:
        return (struct dat){.kind = DAT_SHORT,
                            .i = (int16_t)(uint16_t)(uint64_t)clamp_int(dat_to_long(v), fl)};
    case DAT_INT: return (struct dat){.kind = DAT_INT, .i = clamp_int(dat_to_long(v), fl)};
    case DAT_LONG: return dat_long(dat_to_long(v));
    case DAT_FLOAT:
        return dat_is_integer(v) ? (struct dat){.kind = DAT_FLOAT, .d = (double)(float)v.i}
                                 : dat_float(dat_to_double(v));
    case DAT_DOUBLE: return dat_double(dat_to_double(v));
    case DAT_BIGINT:
    case DAT_BIGDEC: return big_from(h, v, kind);
    default: return v;
    }
}

static uint64_t mix(uint64_t x)
{
    x ^= x >> 32;
    x *= 0xd6e8feb86659fd93ULL;
    x ^= x >> 32;
    x *= 0xd6e8feb86659fd93ULL;
    return x ^ (x >> 32);
}

static uint64_t hash_double(double d)
{
    if (d >= -9007199254740992.0 && d <= 9007199254740992.0 && d == (double)(int64_t)d) {
        return mix((uint64_t)(int64_t)d);
    }
    uint64_t bits = 0x7ff8000000000000ULL; /* one NaN */
    if (!isnan(d)) {
        memcpy(&bits, &d, sizeof bits);
    }
    return mix(bits);
}

static uint64_t hash_event(const struct evt *e)
{
    if (e->type->kind == ETYPE_ANON) { /* structures are compared by content */
        uint64_t x = 11;
        for (uint32_t i = 0; i < e->type->n_cols; i++) {
            x = mix(x ^ dat_hash(e->p[i]));
        }
        return x;
    }
    return mix((uint64_t)(uintptr_t)e);
}

static inline uint32_t hash_text(struct vstr *s)
{
    if (s->hash == 0) {
        s->hash = (uint32_t)hash_fast(vstr_slice(s)) | 1;
    }
    return s->hash;
}

static inline uint64_t hash_part(struct dat v)
{
    return v.kind == DAT_STRING ? hash_text(v.s) : dat_hash(v);
}

/* In any order of entries. */
static uint64_t hash_map(struct vmap *m)
{
    uint64_t x = 7;
    for (uint32_t i = 0; m->hash == 0 && i < m->len; i++) {
        x += mix(hash_part(m->v[i].key) ^ (hash_part(m->v[i].value) * 31));
    }
    m->hash = m->hash != 0 ? m->hash : (uint32_t)(x ^ (x >> 32)) | 1;
    return mix(m->hash);
}

uint64_t dat_hash(struct dat v)
{
    uint64_t x = 7;
    if (LIKELY(v.kind == DAT_STRING)) {
        return mix(hash_text(v.s));
    }
    switch (v.kind) {
    case DAT_NULL: return 0x9e3779b97f4a7c15ULL;
    case DAT_BOOL: return v.b ? 0x2545f4914f6cdd1dULL : 0x1234567887654321ULL;
    case DAT_FLOAT:
    case DAT_DOUBLE: return hash_double(v.d);
    case DAT_BIGINT:
    case DAT_BIGDEC: return hash_double(big_to_double(v.big));
    case DAT_LIST:
        for (uint32_t i = 0; i < v.l->len; i++) {
            x = mix(x ^ dat_hash(v.l->v[i]));
        }
        return x;
    case DAT_MAP: return hash_map(v.m);
    case DAT_EVENT: return hash_event(v.ev);
    default: return mix((uint64_t)v.i);
    }
}

static inline bool one_string(struct dat a, struct dat b)
{
    return a.kind == DAT_STRING && b.kind == DAT_STRING && a.s == b.s;
}

static bool maps_same(const struct vmap *a, const struct vmap *b)
{
    if (a == b) {
        return true;
    }
    bool hashed = a->hash != 0 && b->hash != 0;
    if (a->len != b->len || (hashed && a->hash != b->hash)) {
        return false;
    }
    for (uint32_t i = 0; i < a->len; i++) {
        struct dat k = a->v[i].key;
        bool found = one_string(b->v[i].key, k) || dat_same(b->v[i].key, k); /* mostly in order */
        struct dat other = found ? b->v[i].value : vmap_get_val(b, k, &found);
        if (!found || !(one_string(a->v[i].value, other) || dat_same(a->v[i].value, other))) {
            return false;
        }
    }
    return true;
}

static bool events_same(const struct evt *a, const struct evt *b)
{
    if (a == b) {
        return true;
    }
    if (a->type->kind != ETYPE_ANON || b->type->kind != ETYPE_ANON ||
        a->type->n_cols != b->type->n_cols) {
        return false;
    }
    for (uint32_t i = 0; i < a->type->n_cols; i++) {
        int at = a->type == b->type ? (int)i : ety_col(b->type, a->type->cols[i].name);
        if (at < 0 || !dat_same(a->p[i], b->p[at])) {
            return false;
        }
    }
    return true;
}

static bool numbers_same(struct dat a, struct dat b)
{
    if (a.kind >= DAT_BIGINT || b.kind >= DAT_BIGINT) {
        return big_cmp(a, b) == 0;
    }
    if (dat_is_integer(a) && dat_is_integer(b)) {
        return a.i == b.i;
    }
    double x = dat_to_double(a), y = dat_to_double(b);
    return x == y || (isnan(x) && isnan(y));
}

bool dat_same(struct dat a, struct dat b)
{
    if (a.kind == DAT_STRING && b.kind == DAT_STRING) {
        return a.s == b.s || (a.s->len == b.s->len && memcmp(a.s->s, b.s->s, a.s->len) == 0);
    }
    if (dat_is_number(a) && dat_is_number(b)) {
        return numbers_same(a, b);
    }
    if (a.kind != b.kind) {
        return false;
    }
    switch (a.kind) {
    case DAT_NULL: return true;
    case DAT_BOOL: return a.b == b.b;
    case DAT_LIST:
        if (a.l->len != b.l->len) {
            return false;
        }
        for (uint32_t i = 0; i < a.l->len; i++) {
            if (!dat_same(a.l->v[i], b.l->v[i])) {
                return false;
            }
        }
        return true;
    case DAT_MAP: return maps_same(a.m, b.m);
    case DAT_EVENT: return events_same(a.ev, b.ev);
    default: return a.i == b.i;
    }
}

/* Order of UTF-16 code units: as bytes, but characters beyond the base plane (first byte F0 and
 * above) come before U+E000..U+FFFF (EE, EF). */
static int strings_cmp(const struct vstr *a, const struct vstr *b)
{
    size_t n = MIN(a->len, b->len);
    size_t i = 0;
    while (i < n && a->s[i] == b->s[i]) {
        i++;
    }
    if (i == n) {
        return a->len < b->len ? -1 : a->len > b->len;
    }
    unsigned char x = (unsigned char)a->s[i], y = (unsigned char)b->s[i];
    if ((x >= 0xF0 && y >= 0xEE && y < 0xF0) || (y >= 0xF0 && x >= 0xEE && x < 0xF0)) {
        return x >= 0xF0 ? -1 : 1;
    }
    return x < y ? -1 : 1;
}

static int doubles_cmp(double x, double y)
{
    if (isnan(x) || isnan(y)) {
        return isnan(x) ? !isnan(y) : -1;
    }
    return x < y ? -1 : x > y;
}

int dat_cmp(struct dat a, struct dat b)
{
    if (dat_is_number(a) && dat_is_number(b)) {
        if (a.kind >= DAT_BIGINT || b.kind >= DAT_BIGINT) {
            return big_cmp(a, b);
        }
        if (dat_is_integer(a) && dat_is_integer(b)) {
            return a.i < b.i ? -1 : a.i > b.i;
        }
        return doubles_cmp(dat_to_double(a), dat_to_double(b));
    }
    if (a.kind != b.kind) {
        return a.kind < b.kind ? -1 : 1;
    }
    switch (a.kind) {
    case DAT_BOOL: return (int)a.b - (int)b.b;
    case DAT_STRING: return strings_cmp(a.s, b.s);
    case DAT_CHAR: return a.i < b.i ? -1 : a.i > b.i;
    case DAT_LIST:
        for (uint32_t i = 0; i < a.l->len && i < b.l->len; i++) {
            int c = dat_cmp(a.l->v[i], b.l->v[i]);
            if (c != 0) {
                return c;
            }
        }
        return a.l->len < b.l->len ? -1 : a.l->len > b.l->len;
    default: return 0;
    }
}
