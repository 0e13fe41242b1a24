/* SPDX-License-Identifier: Apache-2.0
 *
 * Numbers from text. See fn_parse.h.
 */
#include "operators/sig/fn_parse.h"

#include "operators/sig/dat_big.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

static int digit_of(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'z') {
        return c - 'a' + 10;
    }
    return c >= 'A' && c <= 'Z' ? c - 'A' + 10 : 99;
}

bool fn_parse_int(struct slice s, int base, int64_t low, int64_t high, int64_t *ret)
{
    assert(low <= 0 && high > 0);
    size_t i = 0;
    bool negative = s.len > 0 && s.ptr[0] == '-';
    if (base < 2 || base > 36) {
        return false;
    }
    if (s.len > 0 && (s.ptr[0] == '-' || s.ptr[0] == '+')) {
        i = 1;
    }
    if (i == s.len) {
        return false;
    }
    __int128 n = 0;
    for (; i < s.len; i++) {
        int d = digit_of(s.ptr[i]);
        if (d >= base || n > (__int128)high * 2 + 2) {
            return false;
        }
        n = n * base + d;
    }
    n = negative ? -n : n;
    if (n < low || n > high) {
        return false;
    }
    *ret = (int64_t)n;
    return true;
}

static size_t skip_digits(struct slice s, size_t i)
{
    while (i < s.len && s.ptr[i] >= '0' && s.ptr[i] <= '9') {
        i++;
    }
    return i;
}

/* Bytes of a decimal floating number at the beginning, 0 if there is none. */
static size_t decimal_len(struct slice s)
{
    size_t i = s.len > 0 && (s.ptr[0] == '-' || s.ptr[0] == '+') ? 1 : 0;
    size_t whole = skip_digits(s, i), n = whole - i;
    i = whole;
    if (i < s.len && s.ptr[i] == '.') {
        size_t end = skip_digits(s, i + 1);
        n += end - i - 1;
        i = end;
    }
    if (n == 0) {
        return 0;
    }
    if (i < s.len && (s.ptr[i] == 'e' || s.ptr[i] == 'E')) {
        size_t e = i + 1;
        e += e < s.len && (s.ptr[e] == '-' || s.ptr[e] == '+') ? 1 : 0;
        size_t end = skip_digits(s, e);
        if (end == e) {
            return 0;
        }
        i = end;
    }
    return i;
}

/* 0x1.8p3: the exponent must be there. */
static bool parse_hex(struct slice s, double *ret)
{
    char text[100], *end = NULL;
    if (s.len >= sizeof text || (slice_find(s, 'p') == s.len && slice_find(s, 'P') == s.len)) {
        return false;
    }
    memcpy(text, s.ptr, s.len);
    text[s.len] = '\0';
    *ret = strtod(text, &end);
    return end == text + s.len;
}

bool fn_parse_double(struct slice s, double *ret)
{
    char text[400];
    while (s.len > 0 && (unsigned char)s.ptr[0] <= ' ') {
        s = slice_sub(s, 1, s.len);
    }
    while (s.len > 0 && (unsigned char)s.ptr[s.len - 1] <= ' ') {
        s.len--;
    }
    size_t sign = s.len > 0 && (s.ptr[0] == '-' || s.ptr[0] == '+') ? 1 : 0;
    struct slice word = slice_sub(s, sign, s.len);
    if (slice_eq(word, SLICE("NaN"))) {
        *ret = (double)NAN;
        return true;
    }
    if (slice_eq(word, SLICE("Infinity"))) {
        *ret = s.ptr[0] == '-' ? -(double)INFINITY : (double)INFINITY;
        return true;
    }
    if (word.len > 2 && word.ptr[0] == '0' && (word.ptr[1] == 'x' || word.ptr[1] == 'X')) {
        return parse_hex(s, ret);
    }
    size_t n = decimal_len(s);
    bool suffix = n + 1 == s.len && strchr("fFdD", s.ptr[n]) != NULL;
    if (n == 0 || (n != s.len && !suffix) || n >= sizeof text) {
        return false;
    }
    memcpy(text, s.ptr, n);
    text[n] = '\0';
    *ret = strtod(text, NULL);
    return true;
}

static bool parse_whole(struct slice s, enum ty_kind to, struct dat *ret)
{
    static const struct {
        int64_t low, high;
        enum dat_kind kind;
    } of[] = {[TY_BYTE] = {INT8_MIN, INT8_MAX, DAT_BYTE},
              [TY_SHORT] = {INT16_MIN, INT16_MAX, DAT_SHORT},
              [TY_INT] = {INT32_MIN, INT32_MAX, DAT_INT},
              [TY_LONG] = {INT64_MIN, INT64_MAX, DAT_LONG}};
    int64_t i = 0;
    if (to == TY_LONG && s.len > 1 && (s.ptr[s.len - 1] == 'L' || s.ptr[s.len - 1] == 'l')) {
        s.len--;
    }
    bool fine = fn_parse_int(s, 10, of[to].low, of[to].high, &i);
    if (fine) {
        *ret = (struct dat){.kind = (uint8_t)of[to].kind, .i = i};
    }
    return fine;
}

bool fn_parse_as(struct vheap *h, struct slice text, enum ty_kind to, struct dat *ret)
{
    struct slice s = text;
    double d = 0;
    while (s.len > 0 && (unsigned char)s.ptr[0] <= ' ') {
        s = slice_sub(s, 1, s.len);
    }
    while (s.len > 0 && (unsigned char)s.ptr[s.len - 1] <= ' ') {
        s.len--;
    }
    switch (to) {
    case TY_BOOL:
        *ret = dat_bool(slice_eq_nocase(s, SLICE("true")));
        return ret->b || slice_eq_nocase(s, SLICE("false"));
    case TY_FLOAT:
    case TY_DOUBLE:
        if (!fn_parse_double(s, &d)) {
            return false;
        }
        *ret = to == TY_FLOAT ? dat_float(d) : dat_double(d);
        return true;
    case TY_BIGINT: return big_parse(h, s, DAT_BIGINT, ret);
    case TY_BIGDEC: return big_parse(h, s, DAT_BIGDEC, ret);
    case TY_BYTE:
    case TY_SHORT:
    case TY_INT:
    case TY_LONG: return parse_whole(s, to, ret);
    default: return false;
    }
}
