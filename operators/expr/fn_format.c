/* SPDX-License-Identifier: Apache-2.0
 *
 * String.format: %[n$][flags][width][.precision]conversion with the conversions d o x X f e g s S b
 * c h n %. Floating numbers are rounded half up on their shortest digits, as Java does it.
 */
#include "core/base/buf.h"
#include "operators/expr/fn_impl.h"

#include <assert.h>
#include <math.h>

enum { WIDTH_MAX = 10000, PIECE_MAX = 1 << 20 };

struct spec {
    int arg; /* from 1; 0: the next */
    bool left, zero, plus, space, group, paren, alt;
    int width, precision; /* -1: none */
    char conv;
};

static bool number_at(struct slice s, size_t *at, int *ret)
{
    int n = 0;
    size_t i = *at;
    for (; i < s.len && s.ptr[i] >= '0' && s.ptr[i] <= '9' && n <= WIDTH_MAX; i++) {
        n = n * 10 + (s.ptr[i] - '0');
    }
    if (i == *at || n > WIDTH_MAX) {
        return false;
    }
    *at = i;
    *ret = n;
    return true;
}

static bool flag(struct spec *p, char c)
{
    bool *const flags[] = {&p->left, &p->zero, &p->plus, &p->space, &p->group, &p->paren, &p->alt};
    const char *at = strchr("-0+ ,(#", c);
    if (c == '\0' || at == NULL) {
        return false;
    }
    *flags[at - "-0+ ,(#"] = true;
    return true;
}

/* Behind the %; false if it is malformed. */
static bool spec_at(struct slice s, size_t *at, struct spec *ret)
{
    *ret = (struct spec){.width = -1, .precision = -1};
    size_t i = *at;
    int n = 0;
    if (number_at(s, &i, &n) && i < s.len && s.ptr[i] == '$') {
        ret->arg = n;
        *at = i + 1;
    }
    while (*at < s.len && flag(ret, s.ptr[*at])) {
        (*at)++;
    }
    (void)number_at(s, at, &ret->width);
    if (*at < s.len && s.ptr[*at] == '.') {
        (*at)++;
        if (!number_at(s, at, &ret->precision)) {
            return false;
        }
    }
    if (*at >= s.len) {
        return false;
    }
    ret->conv = s.ptr[(*at)++];
    return true;
}

static void pad(struct buf *out, int n, char c)
{
    for (int i = 0; i < n; i++) {
        (void)buf_add_byte(out, (uint8_t)c);
    }
}

static void put_padded(struct buf *out, struct slice text, const struct spec *p)
{
    int room = p->width - (int)fn_units(text);
    if (!p->left) {
        pad(out, room, ' ');
    }
    (void)buf_add_slice(out, text);
    if (p->left) {
        pad(out, room, ' ');
    }
}

/* Sign, zeros and grouping around the digits (and what follows the point). */
static void put_number(struct buf *out, bool negative, struct slice digits, const struct spec *p)
{
    struct buf text;
    buf_init(&text, PIECE_MAX);
    size_t whole = MIN(slice_find(digits, '.'), slice_find(digits, 'e'));
    const char *sign = negative ? (p->paren ? "(" : "-") : p->plus ? "+" : p->space ? " " : "";
    int len = (int)strlen(sign) + (int)digits.len + (p->group ? ((int)whole - 1) / 3 : 0) +
              (negative && p->paren ? 1 : 0);
    (void)buf_add_str(&text, sign);
    if (p->zero && !p->left) {
        pad(&text, p->width - len, '0');
    }
    for (size_t i = 0; i < digits.len; i++) {
        if (p->group && i > 0 && i < whole && (whole - i) % 3 == 0) {
            (void)buf_add_byte(&text, ',');
        }
        (void)buf_add_byte(&text, (uint8_t)digits.ptr[i]);
    }
    if (negative && p->paren) {
        (void)buf_add_byte(&text, ')');
    }
    put_padded(out, buf_slice(&text), p);
    buf_done(&text);
}

/* Digits rounded half up to `keep` of them; true if the number grew by a place. */
static bool round_digits(char *d, int *n, int keep)
{
    if (keep >= *n) {
        return false;
    }
    bool up = keep >= 0 && d[keep] >= '5';
    *n = MAX(keep, 0);
    for (int i = *n - 1; up && i >= 0; i--) {
        up = d[i] == '9';
        d[i] = up ? '0' : (char)(d[i] + 1);
    }
    if (up) {
        memmove(d + 1, d, (size_t)*n);
        d[0] = '1';
        (*n)++;
    }
    return up;
}

struct parts { /* 0.d * 10^exp */
    char d[28];
    int n, exp;
};

static struct parts parts_of(struct dat v)
{
    struct parts x = {{0}, 0, 0};
    double d = fabs(dat_to_double(v));
    if (d != 0) {
        x.n = dat_digits(d, v.kind == DAT_FLOAT, x.d, &x.exp);
    }
    return x;
}

static char digit(const struct parts *x, int i)
{
    return i >= 0 && i < x->n ? x->d[i] : '0';
}

static void fixed(struct dat v, int precision, struct buf *out)
{
    struct parts x = parts_of(v);
    x.exp += round_digits(x.d, &x.n, x.exp + precision) ? 1 : 0;
    if (x.exp <= 0) {
        (void)buf_add_byte(out, '0');
    }
    for (int i = 0; i < x.exp; i++) {
        (void)buf_add_byte(out, (uint8_t)digit(&x, i));
    }
    if (precision > 0) {
        (void)buf_add_byte(out, '.');
    }
    for (int i = 0; i < precision; i++) {
        (void)buf_add_byte(out, (uint8_t)digit(&x, x.exp + i));
    }
}

static void scientific(struct dat v, int precision, struct buf *out)
{
    struct parts x = parts_of(v);
    x.exp += round_digits(x.d, &x.n, precision + 1) ? 1 : 0;
    (void)buf_add_byte(out, (uint8_t)digit(&x, 0));
    if (precision > 0) {
        (void)buf_add_byte(out, '.');
    }
    for (int i = 1; i <= precision; i++) {
        (void)buf_add_byte(out, (uint8_t)digit(&x, i));
    }
    int e = x.n == 0 ? 0 : x.exp - 1;
    (void)buf_addf(out, "e%c%02d", e < 0 ? '-' : '+', e < 0 ? -e : e);
}

static bool put_floating(struct buf *out, struct dat v, const struct spec *p)
{
    if (!dat_is_float(v) && v.kind != DAT_BIGDEC) {
        return false;
    }
    double d = dat_to_double(v);
    if (!isfinite(d)) {
        put_padded(out,
                   isnan(d) ? SLICE("NaN")
                   : d < 0  ? SLICE("-Infinity")
                            : SLICE("Infinity"),
                   p);
        return true;
    }
    struct buf text;
    buf_init(&text, PIECE_MAX);
    int precision = p->precision < 0 ? 6 : p->precision;
    if (p->conv == 'f') {
        fixed(v, precision, &text);
    } else if (p->conv == 'e' || p->conv == 'E') {
        scientific(v, precision, &text);
    } else {
        precision = MAX(precision, 1);
        struct parts x = parts_of(v);
        int exp = x.exp + (round_digits(x.d, &x.n, precision) ? 1 : 0);
        if (d == 0 || (exp > -4 && exp <= precision)) {
            fixed(v, MAX(precision - (d == 0 ? 1 : exp), 0), &text);
        } else {
            scientific(v, precision - 1, &text);
        }
    }
    put_number(out, signbit(d) != 0, buf_slice(&text), p);
    buf_done(&text);
    return true;
}

static bool put_integer(struct buf *out, struct dat v, const struct spec *p)
{
    struct buf text;
    bool negative = false;
    buf_init(&text, PIECE_MAX);
    if (v.kind == DAT_BIGINT) {
        dat_text_to(v, &text);
        negative = buf_slice(&text).ptr[0] == '-';
    } else if (!dat_is_integer(v)) {
        buf_done(&text);
        return false;
    } else if (p->conv == 'd') {
        negative = v.i < 0;
        (void)buf_addf(&text, "%s%llu", negative ? "-" : "",
                       (unsigned long long)(negative ? 0 - (uint64_t)v.i : (uint64_t)v.i));
    } else {
        uint64_t u = (uint64_t)v.i;
        u = v.kind == DAT_INT     ? u & 0xFFFFFFFFu
            : v.kind == DAT_SHORT ? u & 0xFFFFu
            : v.kind == DAT_BYTE  ? u & 0xFFu
                                  : u;
        (void)buf_add_str(&text, !p->alt ? "" : p->conv == 'o' ? "0" : "0x");
        (void)buf_addf(&text,
                       p->conv == 'o'   ? "%llo"
                       : p->conv == 'x' ? "%llx"
                                        : "%llX",
                       (unsigned long long)u);
    }
    struct slice digits = buf_slice(&text);
    put_number(out, negative, negative ? slice_sub(digits, 1, digits.len) : digits, p);
    buf_done(&text);
    return true;
}

static void put_text(struct buf *out, struct slice text, const struct spec *p)
{
    if (p->precision >= 0) {
        size_t n = 0;
        for (int i = 0; n < text.len && i < p->precision; i++) {
            n++;
            while (n < text.len && ((unsigned char)text.ptr[n] & 0xC0) == 0x80) {
                n++;
            }
        }
        text = slice_sub(text, 0, n);
    }
    struct buf upper;
    buf_init(&upper, PIECE_MAX);
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        bool up = p->conv >= 'A' && p->conv <= 'Z' && c >= 'a' && c <= 'z';
        (void)buf_add_byte(&upper, (uint8_t)(up ? c - 32 : c));
    }
    put_padded(out, buf_slice(&upper), p);
    buf_done(&upper);
}

static bool put_value(struct buf *out, struct dat v, const struct spec *p)
{
    if (p->conv == 'b' || p->conv == 'B') {
        put_text(out,
                 v.kind == DAT_BOOL ? (v.b ? SLICE("true") : SLICE("false"))
                 : dat_is_null(v)   ? SLICE("false")
                                    : SLICE("true"),
                 p);
        return true;
    }
    if (dat_is_null(v)) {
        struct spec plain = *p;
        put_text(out, SLICE("null"), &plain);
        return true;
    }
    if (strchr("doxX", p->conv) != NULL) {
        return put_integer(out, v, p);
    }
    if (strchr("feEgG", p->conv) != NULL) {
        return put_floating(out, v, p);
    }
    if (strchr("sScChH", p->conv) == NULL) {
        return false;
    }
    struct buf text;
    buf_init(&text, PIECE_MAX);
    if (p->conv == 'h' || p->conv == 'H') {
        (void)buf_addf(&text, "%x", (unsigned)fn_hash(v));
    } else if ((p->conv == 'c' || p->conv == 'C') && v.kind == DAT_INT) {
        v.kind = DAT_CHAR;
        dat_text_to(v, &text);
    } else {
        dat_text_to(v, &text);
    }
    put_text(out, buf_slice(&text), p);
    buf_done(&text);
    return true;
}

bool fn_format(struct slice format, const struct dat *args, uint32_t n, struct buf *out)
{
    uint32_t next = 0;
    for (size_t i = 0; i < format.len;) {
        if (format.ptr[i] != '%') {
            (void)buf_add_byte(out, (uint8_t)format.ptr[i++]);
            continue;
        }
        struct spec p;
        i++;
        if (!spec_at(format, &i, &p)) {
            return false;
        }
        if (p.conv == '%' || p.conv == 'n') {
            put_padded(out, p.conv == '%' ? SLICE("%") : SLICE("\n"), &p);
            continue;
        }
        uint32_t at = p.arg > 0 ? (uint32_t)p.arg - 1 : next++;
        if (at >= n || !put_value(out, args[at], &p)) {
            return false;
        }
    }
    return !buf_failed(out);
}
