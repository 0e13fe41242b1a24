/* SPDX-License-Identifier: Apache-2.0
 *
 * Functions between text and other values: parsing, toString, hexadecimal, formats, joins, hashes.
 */
#include "core/base/buf.h"
#include "operators/expr/fn_impl.h"
#include "operators/sig/fn_parse.h"

#include <assert.h>

enum { TEXT_MAX = 16 << 20 };

/* ---- parsing ---- */

static struct dat parsed(const struct fn_in *in, enum dat_kind kind, int64_t low, int64_t high)
{
    int64_t i = 0;
    int base = in->n > 1 ? (int)MIN(in->v[1].i, 99) : 10;
    bool fine = fn_parse_int(fn_text_of(in, 0), base, low, high, &i);
    return fine ? (struct dat){.kind = (uint8_t)kind, .i = i} : DAT_NONE;
}

static struct dat run_parse_int(const struct fn_in *in)
{
    return parsed(in, DAT_INT, INT32_MIN, INT32_MAX);
}

static struct dat run_parse_long(const struct fn_in *in)
{
    return parsed(in, DAT_LONG, INT64_MIN, INT64_MAX);
}

static struct dat run_parse_short(const struct fn_in *in)
{
    return parsed(in, DAT_INT, INT16_MIN, INT16_MAX);
}

static struct dat run_parse_byte(const struct fn_in *in)
{
    return parsed(in, DAT_INT, INT8_MIN, INT8_MAX);
}

static struct dat run_parse_unsigned(const struct fn_in *in)
{
    struct slice s = fn_text_of(in, 0);
    int64_t base = in->n > 1 ? in->v[1].i : 10;
    uint64_t n = 0;
    if (s.len == 0 || base < 2 || base > 36) {
        return DAT_NONE;
    }
    for (size_t i = s.ptr[0] == '+' && s.len > 1 ? 1 : 0; i < s.len; i++) {
        int64_t d = 0;
        bool over = __builtin_mul_overflow(n, (uint64_t)base, &n);
        if (over || s.ptr[i] == '-' || s.ptr[i] == '+' ||
            !fn_parse_int(slice_sub(s, i, i + 1), (int)base, 0, 36, &d) ||
            __builtin_add_overflow(n, (uint64_t)d, &n)) {
            return DAT_NONE;
        }
    }
    return dat_long((int64_t)n);
}

static struct dat run_parse_double(const struct fn_in *in)
{
    double d = 0;
    return fn_parse_double(fn_text_of(in, 0), &d) ? dat_double(d) : DAT_NONE;
}

static struct dat run_parse_float(const struct fn_in *in)
{
    double d = 0;
    return fn_parse_double(fn_text_of(in, 0), &d) ? dat_float(d) : DAT_NONE;
}

static struct dat run_parse_bool(const struct fn_in *in)
{
    bool text = in->v[0].kind == DAT_STRING;
    return dat_bool(text && slice_eq_nocase(fn_text_of(in, 0), SLICE("true")));
}

/* ---- as text ---- */

static struct dat run_to_string(const struct fn_in *in)
{
    return dat_str(dat_text(in->h, in->v[0]));
}

static struct dat based(const struct fn_in *in, uint64_t u, unsigned base, bool negative)
{
    char text[72];
    size_t at = sizeof text;
    base = base < 2 || base > 36 ? 10 : base;
    do {
        text[--at] = "0123456789abcdefghijklmnopqrstuvwxyz"[u % base];
        u /= base;
    } while (u > 0);
    if (negative) {
        text[--at] = '-';
    }
    return fn_string(in, slice_of(text + at, sizeof text - at));
}

static struct dat run_to_base(const struct fn_in *in)
{
    int64_t i = in->v[0].i;
    return based(in, i < 0 ? 0 - (uint64_t)i : (uint64_t)i, (unsigned)MAX(in->v[1].i, 0), i < 0);
}

static uint64_t low32(struct dat v)
{
    return (uint64_t)v.i & 0xFFFFFFFFu;
}

static struct dat run_hex_long(const struct fn_in *in)
{
    return based(in, (uint64_t)in->v[0].i, 16, false);
}

static struct dat run_hex_int(const struct fn_in *in)
{
    return based(in, low32(in->v[0]), 16, false);
}

static struct dat run_bin_long(const struct fn_in *in)
{
    return based(in, (uint64_t)in->v[0].i, 2, false);
}

static struct dat run_bin_int(const struct fn_in *in)
{
    return based(in, low32(in->v[0]), 2, false);
}

static struct dat run_oct_long(const struct fn_in *in)
{
    return based(in, (uint64_t)in->v[0].i, 8, false);
}

static struct dat run_oct_int(const struct fn_in *in)
{
    return based(in, low32(in->v[0]), 8, false);
}

static struct dat run_unsigned_text(const struct fn_in *in)
{
    return based(in, (uint64_t)in->v[0].i, 10, false);
}

static struct dat finish(const struct fn_in *in, struct buf *out, bool fine)
{
    struct dat v = fine && !buf_failed(out) ? fn_string(in, buf_slice(out)) : DAT_NONE;
    buf_done(out);
    return v;
}

static struct dat run_trace_hex(const struct fn_in *in)
{
    struct buf out;
    uint64_t high = (uint64_t)in->v[0].i, low = (uint64_t)in->v[1].i;
    buf_init(&out, 64);
    if (high == 0) {
        (void)buf_addf(&out, "%llx", (unsigned long long)low);
    } else {
        (void)buf_addf(&out, "%llx%016llx", (unsigned long long)high, (unsigned long long)low);
    }
    return finish(in, &out, true);
}

static struct dat run_format(const struct fn_in *in)
{
    struct buf out;
    if (in->v[0].kind != DAT_STRING) {
        return DAT_NONE;
    }
    buf_init(&out, TEXT_MAX);
    bool fine = fn_format(fn_text_of(in, 0), in->v + 1, in->n - 1, &out);
    return finish(in, &out, fine);
}

static struct dat run_join(const struct fn_in *in)
{
    struct buf out;
    if (in->v[0].kind != DAT_STRING) {
        return DAT_NONE;
    }
    buf_init(&out, TEXT_MAX);
    bool list = in->n == 2 && in->v[1].kind == DAT_LIST;
    const struct dat *v = list ? in->v[1].l->v : in->v + 1;
    uint32_t n = list ? in->v[1].l->len : in->n - 1;
    for (uint32_t i = 0; i < n; i++) {
        if (i > 0) {
            (void)buf_add_slice(&out, fn_text_of(in, 0));
        }
        dat_text_to(v[i], &out);
    }
    return finish(in, &out, true);
}

/* ---- hashes, equality ---- */

static int32_t hash_text(struct slice s)
{
    uint32_t h = 0;
    for (size_t i = 0; i < s.len;) {
        unsigned char lead = (unsigned char)s.ptr[i];
        size_t n = lead < 0xC0 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
        uint32_t c = n == 1 ? lead : lead & (0xFFu >> (n + 1));
        for (size_t k = 1; k < n && i + k < s.len; k++) {
            c = (c << 6) | ((unsigned char)s.ptr[i + k] & 0x3Fu);
        }
        if (c >= 0x10000) {
            h = h * 31 + (0xD800 + ((c - 0x10000) >> 10));
            c = 0xDC00 + ((c - 0x10000) & 0x3FF);
        }
        h = h * 31 + c;
        i += n;
    }
    return (int32_t)h;
}

static uint32_t fold(uint64_t bits)
{
    return (uint32_t)(bits ^ (bits >> 32));
}

static uint32_t hash_event(const struct evt *e)
{
    uint32_t h = 0; /* as a map of its columns */
    for (uint32_t i = 0; i < e->type->n_cols; i++) {
        h += (uint32_t)hash_text(e->type->cols[i].name) ^ (uint32_t)fn_hash(e->p[i]);
    }
    return h;
}

int32_t fn_hash(struct dat v)
{
    uint32_t h = 0;
    uint64_t bits = 0;
    float f = 0;
    switch (v.kind) {
    case DAT_NULL: return 0;
    case DAT_BOOL: return v.b ? 1231 : 1237;
    case DAT_LONG: return (int32_t)fold((uint64_t)v.i);
    case DAT_FLOAT:
        f = (float)v.d;
        memcpy(&h, &f, sizeof h);
        return (int32_t)h;
    case DAT_DOUBLE: memcpy(&bits, &v.d, sizeof bits); return (int32_t)fold(bits);
    case DAT_BIGINT:
    case DAT_BIGDEC: return (int32_t)fold(dat_hash(v));
    case DAT_STRING: return hash_text(vstr_slice(v.s));
    case DAT_LIST:
        h = 1;
        for (uint32_t i = 0; i < v.l->len; i++) {
            h = h * 31 + (uint32_t)fn_hash(v.l->v[i]);
        }
        return (int32_t)h;
    case DAT_MAP:
        for (uint32_t i = 0; i < v.m->len; i++) {
            h += (uint32_t)fn_hash(v.m->v[i].key) ^ (uint32_t)fn_hash(v.m->v[i].value);
        }
        return (int32_t)h;
    case DAT_EVENT: return (int32_t)hash_event(v.ev);
    default: return (int32_t)v.i;
    }
}

static struct dat run_hash_code(const struct fn_in *in)
{
    return dat_int(fn_hash(in->v[0]));
}

static struct dat member(struct dat of, struct slice name)
{
    if (of.kind == DAT_MAP) {
        return vmap_get(of.m, name, NULL);
    }
    int at = of.kind == DAT_EVENT ? ety_col(of.ev->type, name) : -1;
    return at >= 0 ? of.ev->p[at] : DAT_NONE;
}

static struct dat run_hash_process(const struct fn_in *in)
{
    struct dat tags = member(in->v[0], SLICE("tags"));
    uint32_t h = 37u * (uint32_t)fn_hash(member(in->v[0], SLICE("serviceName")));
    for (uint32_t i = 0; tags.kind == DAT_LIST && i < tags.l->len; i++) {
        h += (uint32_t)fn_hash(tags.l->v[i]); /* in any order */
    }
    int64_t i = (int32_t)h;
    return dat_int((int32_t)(i < 0 && i != INT32_MIN ? -i : i));
}

static bool equal(struct dat a, struct dat b)
{
    return a.kind == b.kind && dat_same(a, b);
}

static struct dat run_equals(const struct fn_in *in)
{
    return dat_bool(equal(in->v[0], in->v[1]));
}

static struct dat run_is_null(const struct fn_in *in)
{
    return dat_bool(dat_is_null(in->v[0]));
}

static struct dat run_non_null(const struct fn_in *in)
{
    return dat_bool(!dat_is_null(in->v[0]));
}

fn_run *const fn_texts[FN_COUNT] = {
    [FN_PARSE_INT] = run_parse_int,
    [FN_PARSE_LONG] = run_parse_long,
    [FN_PARSE_SHORT] = run_parse_short,
    [FN_PARSE_BYTE] = run_parse_byte,
    [FN_PARSE_UNSIGNED] = run_parse_unsigned,
    [FN_PARSE_DOUBLE] = run_parse_double,
    [FN_PARSE_FLOAT] = run_parse_float,
    [FN_PARSE_BOOL] = run_parse_bool,
    [FN_TO_STRING] = run_to_string,
    [FN_VALUE_OF] = run_to_string,
    [FN_TO_BASE] = run_to_base,
    [FN_HEX_LONG] = run_hex_long,
    [FN_HEX_INT] = run_hex_int,
    [FN_BIN_LONG] = run_bin_long,
    [FN_BIN_INT] = run_bin_int,
    [FN_OCT_LONG] = run_oct_long,
    [FN_OCT_INT] = run_oct_int,
    [FN_UNSIGNED_TEXT] = run_unsigned_text,
    [FN_TRACE_HEX] = run_trace_hex,
    [FN_FORMAT] = run_format,
    [FN_FORMATTED] = run_format,
    [FN_JOIN] = run_join,
    [FN_HASH_CODE] = run_hash_code,
    [FN_HASH_PROCESS] = run_hash_process,
    [FN_EQUALS] = run_equals,
    [FN_OBJECTS_EQUALS] = run_equals,
    [FN_IS_NULL] = run_is_null,
    [FN_NON_NULL] = run_non_null,
};
