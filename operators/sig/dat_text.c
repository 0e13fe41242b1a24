/* SPDX-License-Identifier: Apache-2.0
 *
 * Values as text, the way Java's toString writes them: the shortest digits that give the number
 * again, a point always, and an exponent outside of [1e-3, 1e7) ("1.0E10"). Lists are "[a, b]",
 * maps and structures "{k=v}". Nesting is bounded; beyond it stands "...".
 */
#include "core/base/buf.h"
#include "operators/sig/dat_big.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { TEXT_MAX = 16 << 20, DEPTH_MAX = 64 };

/* Shortest digits that read back as the same number, in "d.ddde+xx" form. */
static void shortest(double d, bool is_float, char *out, size_t cap)
{
    int least = is_float ? 6 : 15, most = is_float ? 9 : 17;
    if (d < (is_float ? 1.1754944e-38 : 2.2250738585072014e-308)) {
        least = 2; /* of small ones fewer digits are true */
    }
    for (int digits = least; digits <= most; digits++) {
        (void)snprintf(out, cap, "%.*e", digits - 1, d);
        double back = is_float ? (double)strtof(out, NULL) : strtod(out, NULL);
        if (back == d) {
            break;
        }
    }
}

struct decimal { /* 0.digits * 10^exp */
    char digits[24];
    int n, exp;
};

static struct decimal decimal_of(double d, bool is_float)
{
    char text[48];
    struct decimal x = {{0}, 0, 0};
    shortest(d, is_float, text, sizeof text);
    const char *p = text;
    for (; *p != 'e' && *p != '\0'; p++) {
        if (*p >= '0' && *p <= '9' && x.n < (int)sizeof x.digits) {
            x.digits[x.n++] = *p;
        }
    }
    assert(*p == 'e');
    x.exp = (int)strtol(p + 1, NULL, 10) + 1;
    while (x.n > 1 && x.digits[x.n - 1] == '0') {
        x.n--;
    }
    return x;
}

int dat_digits(double d, bool is_float, char ret_digits[24], int *ret_exp)
{
    struct decimal x = decimal_of(d, is_float);
    memcpy(ret_digits, x.digits, sizeof x.digits);
    *ret_exp = x.exp;
    return x.n;
}

static void digits_to(const struct decimal *x, int from, int to, struct buf *out)
{
    for (int i = from; i < to; i++) {
        (void)buf_add_byte(out, (uint8_t)(i >= 0 && i < x->n ? x->digits[i] : '0'));
    }
}

static void double_to(double d, bool is_float, struct buf *out)
{
    if (isnan(d)) {
        (void)buf_add_str(out, "NaN");
        return;
    }
    if (signbit(d)) {
        (void)buf_add_byte(out, '-');
        d = -d;
    }
    if (isinf(d)) {
        (void)buf_add_str(out, "Infinity");
        return;
    }
    if (d == 0) {
        (void)buf_add_str(out, "0.0");
        return;
    }
    struct decimal x = decimal_of(d, is_float);
    if (d >= 1e-3 && d < 1e7) {
        int whole = MAX(x.exp, 0);
        if (whole == 0) {
            (void)buf_add_byte(out, '0');
        }
        digits_to(&x, 0, whole, out);
        (void)buf_add_byte(out, '.');
        digits_to(&x, MIN(x.exp, whole), MAX(x.n, whole + 1), out);
        return;
    }
    digits_to(&x, 0, 1, out);
    (void)buf_add_byte(out, '.');
    digits_to(&x, 1, MAX(x.n, 2), out);
    (void)buf_addf(out, "E%d", x.exp - 1);
}

static void char_to(int64_t c, struct buf *out) /* a UTF-16 unit; half a pair is shown as '?' */
{
    if (c < 0x80) {
        (void)buf_add_byte(out, (uint8_t)c);
    } else if (c < 0x800) {
        (void)buf_add_byte(out, (uint8_t)(0xC0 | (c >> 6)));
        (void)buf_add_byte(out, (uint8_t)(0x80 | (c & 0x3F)));
    } else if (c >= 0xD800 && c < 0xE000) {
        (void)buf_add_byte(out, '?');
    } else {
        (void)buf_add_byte(out, (uint8_t)(0xE0 | (c >> 12)));
        (void)buf_add_byte(out, (uint8_t)(0x80 | ((c >> 6) & 0x3F)));
        (void)buf_add_byte(out, (uint8_t)(0x80 | (c & 0x3F)));
    }
}

static void text_at(struct dat v, struct buf *out, int depth);

static void list_to(const struct vlist *l, struct buf *out, int depth)
{
    (void)buf_add_byte(out, '[');
    for (uint32_t i = 0; i < l->len; i++) {
        (void)buf_add_str(out, i > 0 ? ", " : "");
        text_at(l->v[i], out, depth);
    }
    (void)buf_add_byte(out, ']');
}

static void map_to(const struct vmap *m, struct buf *out, int depth)
{
    (void)buf_add_byte(out, '{');
    for (uint32_t i = 0; i < m->len; i++) {
        (void)buf_add_str(out, i > 0 ? ", " : "");
        text_at(m->v[i].key, out, depth);
        (void)buf_add_byte(out, '=');
        text_at(m->v[i].value, out, depth);
    }
    (void)buf_add_byte(out, '}');
}

static void event_to(const struct evt *e, struct buf *out, int depth)
{
    (void)buf_add_byte(out, '{');
    for (uint32_t i = 0; i < e->type->n_cols; i++) {
        (void)buf_add_str(out, i > 0 ? ", " : "");
        (void)buf_add_slice(out, e->type->cols[i].name);
        (void)buf_add_byte(out, '=');
        text_at(e->p[i], out, depth);
    }
    (void)buf_add_byte(out, '}');
}

static void text_at(struct dat v, struct buf *out, int depth)
{
    if (depth > DEPTH_MAX) {
        (void)buf_add_str(out, "...");
        return;
    }
    switch (v.kind) {
    case DAT_NULL: (void)buf_add_str(out, "null"); break;
    case DAT_BOOL: (void)buf_add_str(out, v.b ? "true" : "false"); break;
    case DAT_CHAR: char_to(v.i, out); break;
    case DAT_FLOAT:
    case DAT_DOUBLE: double_to(v.d, v.kind == DAT_FLOAT, out); break;
    case DAT_BIGINT:
    case DAT_BIGDEC: big_print(v.big, out); break;
    case DAT_STRING: (void)buf_add_slice(out, vstr_slice(v.s)); break;
    case DAT_LIST: list_to(v.l, out, depth + 1); break;
    case DAT_MAP: map_to(v.m, out, depth + 1); break;
    case DAT_EVENT: event_to(v.ev, out, depth + 1); break;
    default: (void)buf_addf(out, "%lld", (long long)v.i); break;
    }
}

void dat_text_to(struct dat v, struct buf *out)
{
    text_at(v, out, 0);
}

struct vstr *dat_text(struct vheap *h, struct dat v)
{
    if (v.kind == DAT_STRING) {
        return v.s;
    }
    struct buf out;
    buf_init(&out, TEXT_MAX);
    text_at(v, &out, 0);
    struct vstr *s = vstr_new(h, buf_slice(&out));
    buf_done(&out);
    return s;
}
