/* SPDX-License-Identifier: Apache-2.0
 *
 * See dat_big.h. Division follows Java's BigDecimal.divide(x, mathcontext unlimited): the exact
 * quotient, or none.
 */
#include "operators/sig/dat_big.h"

#include "core/base/buf.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { SCALE_MAX = 38 };

static struct dat make(struct vheap *h, enum dat_kind kind, __int128 unscaled, int32_t scale)
{
    struct vbig *b = vheap_obj(h, kind, sizeof *b);
    b->scale = scale;
    b->unscaled = unscaled;
    return (struct dat){.kind = (uint8_t)kind, .big = b};
}

double big_to_double(const struct vbig *b)
{
    struct buf out;
    buf_init(&out, 64);
    big_print(b, &out);
    double d = strtod(buf_cstr(&out), NULL);
    buf_done(&out);
    return d;
}

int64_t big_to_long(const struct vbig *b)
{
    __int128 u = b->unscaled;
    for (int32_t i = 0; i < b->scale; i++) {
        u /= 10;
    }
    return (int64_t)u;
}

struct dat big_from(struct vheap *h, struct dat v, enum dat_kind kind)
{
    if (dat_is_integer(v)) {
        return make(h, kind, v.i, 0);
    }
    if (v.kind == DAT_BIGINT || v.kind == DAT_BIGDEC) {
        if (kind == DAT_BIGINT && v.big->scale > 0) {
            __int128 u = v.big->unscaled;
            for (int32_t i = 0; i < v.big->scale; i++) {
                u /= 10;
            }
            return make(h, kind, u, 0);
        }
        return make(h, kind, v.big->unscaled, v.big->scale);
    }
    char text[64];
    if (!isfinite(v.d)) {
        return DAT_NONE;
    }
    for (int digits = 1; digits <= 17; digits++) {
        (void)snprintf(text, sizeof text, "%.*g", digits, v.d);
        if (strtod(text, NULL) == v.d) {
            break;
        }
    }
    struct dat big = DAT_NONE;
    if (!big_parse(h, slice_str(text), DAT_BIGDEC, &big)) {
        return DAT_NONE;
    }
    return kind == DAT_BIGDEC ? big : big_from(h, big, DAT_BIGINT);
}

static bool rescale(__int128 *u, int32_t from, int32_t to)
{
    for (; from < to; from++) {
        if (__builtin_mul_overflow(*u, (__int128)10, u)) {
            return false;
        }
    }
    return true;
}

struct parts {
    __int128 u;
    int32_t scale;
};

static struct parts parts_of(struct vheap *h, struct dat v)
{
    struct dat b = v.kind == DAT_BIGINT || v.kind == DAT_BIGDEC ? v : big_from(h, v, DAT_BIGDEC);
    return b.kind == DAT_NULL ? (struct parts){0, 0}
                              : (struct parts){b.big->unscaled, b.big->scale};
}

int big_cmp(struct dat a, struct dat b)
{
    if (dat_is_float(a) || dat_is_float(b)) {
        double x = dat_to_double(a), y = dat_to_double(b);
        return x < y ? -1 : x > y;
    }
    struct parts x = dat_is_integer(a) ? (struct parts){a.i, 0} : parts_of(NULL, a);
    struct parts y = dat_is_integer(b) ? (struct parts){b.i, 0} : parts_of(NULL, b);
    int32_t scale = MAX(x.scale, y.scale);
    if (!rescale(&x.u, x.scale, scale) || !rescale(&y.u, y.scale, scale)) {
        double p = dat_to_double(a), q = dat_to_double(b);
        return p < q ? -1 : p > q;
    }
    return x.u < y.u ? -1 : x.u > y.u;
}

/* Exact quotient: scale up until nothing remains. The preferred scale is x.scale - y.scale. */
static struct dat divide(struct vheap *h, struct parts x, struct parts y)
{
    if (y.u == 0) {
        return DAT_NONE;
    }
    int32_t scale = x.scale - y.scale;
    while (x.u % y.u != 0 || scale < 0) {
        if (scale >= SCALE_MAX || !rescale(&x.u, 0, 1)) {
            return DAT_NONE;
        }
        scale++;
    }
    return make(h, DAT_BIGDEC, x.u / y.u, scale);
}

struct dat big_arith(struct vheap *h, char op, struct dat a, struct dat b, enum dat_kind kind)
{
    struct parts x = parts_of(h, a), y = parts_of(h, b);
    if (op == '/') {
        return divide(h, x, y);
    }
    __int128 r = 0;
    if (op == '*') {
        bool over = __builtin_mul_overflow(x.u, y.u, &r);
        return over ? DAT_NONE : make(h, kind, r, x.scale + y.scale);
    }
    int32_t scale = MAX(x.scale, y.scale);
    if (!rescale(&x.u, x.scale, scale) || !rescale(&y.u, y.scale, scale)) {
        return DAT_NONE;
    }
    if (op == '%') {
        return y.u == 0 ? DAT_NONE : make(h, kind, x.u % y.u, scale);
    }
    bool over =
        op == '+' ? __builtin_add_overflow(x.u, y.u, &r) : __builtin_sub_overflow(x.u, y.u, &r);
    return over ? DAT_NONE : make(h, kind, r, scale);
}

/* Digits with at most one point: what is left over is returned in *at. */
static bool parse_digits(struct slice text, bool point_ok, size_t *at, __int128 *ret,
                         int32_t *ret_scale)
{
    bool point = false, any = false;
    size_t i = *at;
    *ret = 0;
    *ret_scale = 0;
    for (; i < text.len && (text.ptr[i] == '.' || (text.ptr[i] >= '0' && text.ptr[i] <= '9'));
         i++) {
        if (text.ptr[i] == '.') {
            if (point || !point_ok) {
                return false;
            }
            point = true;
            continue;
        }
        if (!rescale(ret, 0, 1)) {
            return false;
        }
        *ret += text.ptr[i] - '0';
        *ret_scale += point ? 1 : 0;
        any = true;
    }
    *at = i;
    return any;
}

static bool parse_exponent(struct slice text, int64_t *ret)
{
    *ret = 0;
    if (text.len == 0) {
        return true;
    }
    if (text.ptr[0] != 'e' && text.ptr[0] != 'E') {
        return false;
    }
    struct slice rest = slice_sub(text, 1, text.len);
    if (rest.len > 0 && rest.ptr[0] == '+') {
        rest = slice_sub(rest, 1, rest.len);
    }
    return slice_to_i64(rest, ret) && *ret <= SCALE_MAX && *ret >= -SCALE_MAX;
}

bool big_parse(struct vheap *h, struct slice text, enum dat_kind kind, struct dat *ret)
{
    __int128 u = 0;
    int32_t scale = 0;
    int64_t exp = 0;
    size_t at = text.len > 0 && (text.ptr[0] == '-' || text.ptr[0] == '+');
    bool negative = at > 0 && text.ptr[0] == '-';
    if (!parse_digits(text, kind == DAT_BIGDEC, &at, &u, &scale) ||
        !parse_exponent(slice_sub(text, at, text.len), &exp)) {
        return false;
    }
    scale -= (int32_t)exp;
    if (scale < 0 && !rescale(&u, scale, 0)) {
        return false;
    }
    *ret = make(h, kind, negative ? -u : u, MAX(scale, 0));
    return true;
}

void big_print(const struct vbig *b, struct buf *out)
{
    char digits[64];
    int n = 0;
    unsigned __int128 u =
        b->unscaled < 0 ? -(unsigned __int128)b->unscaled : (unsigned __int128)b->unscaled;
    do {
        digits[n++] = (char)('0' + (int)(u % 10));
        u /= 10;
    } while (u != 0 || n <= b->scale);
    if (b->unscaled < 0) {
        (void)buf_add_byte(out, '-');
    }
    while (n > 0) {
        (void)buf_add_byte(out, (uint8_t)digits[--n]);
        if (n == b->scale && n > 0) {
            (void)buf_add_byte(out, '.');
        }
    }
}
