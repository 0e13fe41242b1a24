/* SPDX-License-Identifier: Apache-2.0
 *
 * See val.h. Recursion is bounded by VAL_DEPTH_MAX, which decoders and encoders hold.
 */
#include "core/event/val.h"

#include "core/codec/endian.h"
#include "core/codec/text.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { SORT_BY_INSERTION = 16 };

static const char *const TAG_NAMES[VAL_TAGS] = {"null",   "bool",  "int",  "double",
                                                "string", "bytes", "list", "map"};

const char *val_tag_name(unsigned tag)
{
    return tag < VAL_TAGS ? TAG_NAMES[tag] : "?";
}

static int cmp_int(int64_t a, int64_t b)
{
    return (a > b) - (a < b);
}

static int cmp_double(double a, double b)
{
    bool nan_a = isnan(a), nan_b = isnan(b);
    if (nan_a || nan_b) {
        return nan_a - nan_b;
    }
    return (a > b) - (a < b);
}

/* Exactly, not through a conversion that rounds. */
static int cmp_int_double(int64_t i, double d)
{
    if (isnan(d) || d >= 0x1p63) {
        return -1;
    }
    if (d < -0x1p63) {
        return 1;
    }
    double whole = trunc(d);
    int c = cmp_int(i, (int64_t)whole);
    return c != 0 ? c : cmp_double(whole, d);
}

static int cmp_number(struct val a, struct val b)
{
    if (a.tag == VAL_INT) {
        return b.tag == VAL_INT ? cmp_int(a.i, b.i) : cmp_int_double(a.i, b.d);
    }
    return b.tag == VAL_DOUBLE ? cmp_double(a.d, b.d) : -cmp_int_double(b.i, a.d);
}

static int cmp_list(struct val a, struct val b)
{
    for (uint32_t i = 0; i < a.len && i < b.len; i++) {
        int c = val_cmp(a.list[i], b.list[i]);
        if (c != 0) {
            return c;
        }
    }
    return cmp_int(a.len, b.len);
}

static int cmp_map(struct val a, struct val b)
{
    for (uint32_t i = 0; i < a.len && i < b.len; i++) {
        int c = slice_cmp(val_key(&a.map[i]), val_key(&b.map[i]));
        c = c != 0 ? c : val_cmp(a.map[i].value, b.map[i].value);
        if (c != 0) {
            return c;
        }
    }
    return cmp_int(a.len, b.len);
}

int val_cmp(struct val a, struct val b)
{
    assert(a.tag < VAL_TAGS);
    assert(b.tag < VAL_TAGS);
    if (val_is_number(a) && val_is_number(b)) {
        return cmp_number(a, b);
    }
    if (a.tag != b.tag) {
        return a.tag < b.tag ? -1 : 1;
    }
    switch (a.tag) {
    case VAL_BOOL: return (int)a.b - (int)b.b;
    case VAL_STRING:
    case VAL_BYTES: return slice_cmp(val_slice(a), val_slice(b));
    case VAL_LIST: return cmp_list(a, b);
    case VAL_MAP: return cmp_map(a, b);
    default: return 0;
    }
}

bool val_same(struct val a, struct val b)
{
    assert(a.tag < VAL_TAGS);
    if (a.tag != b.tag || a.len != b.len) {
        return false;
    }
    switch (a.tag) {
    case VAL_NULL: return true;
    case VAL_BOOL: return a.b == b.b;
    case VAL_INT:
    case VAL_DOUBLE: return a.bits == b.bits;
    case VAL_STRING:
    case VAL_BYTES: return slice_eq(val_slice(a), val_slice(b));
    case VAL_LIST:
        for (uint32_t i = 0; i < a.len; i++) {
            if (!val_same(a.list[i], b.list[i])) {
                return false;
            }
        }
        return true;
    default:
        for (uint32_t i = 0; i < a.len; i++) {
            if (!slice_eq(val_key(&a.map[i]), val_key(&b.map[i])) ||
                !val_same(a.map[i].value, b.map[i].value)) {
                return false;
            }
        }
        return true;
    }
}

/* By key, then by the original position, which the sort keeps in key_id. */
static bool pair_less(const struct val_pair *a, const struct val_pair *b)
{
    int c = slice_cmp(val_key(a), val_key(b));
    return c != 0 ? c < 0 : a->key_id < b->key_id;
}

static void sort_by_insertion(struct val_pair *p, uint32_t n)
{
    for (uint32_t i = 1; i < n; i++) {
        struct val_pair one = p[i];
        uint32_t at = i;
        for (; at > 0 && pair_less(&one, &p[at - 1]); at--) {
            p[at] = p[at - 1];
        }
        p[at] = one;
    }
}

static void sift_down(struct val_pair *p, uint32_t root, uint32_t n)
{
    struct val_pair one = p[root];
    for (uint32_t kid; (kid = 2 * root + 1) < n; root = kid) {
        kid += kid + 1 < n && pair_less(&p[kid], &p[kid + 1]);
        if (!pair_less(&one, &p[kid])) {
            break;
        }
        p[root] = p[kid];
    }
    p[root] = one;
}

/* A heap sort: hostile input cannot make it slow, and it needs no memory. */
static void sort_by_heap(struct val_pair *p, uint32_t n)
{
    for (uint32_t i = n / 2; i-- > 0;) {
        sift_down(p, i, n);
    }
    for (uint32_t i = n; i-- > 1;) {
        struct val_pair last = p[i];
        p[i] = p[0];
        p[0] = last;
        sift_down(p, 0, i);
    }
}

uint32_t val_map_sort(struct val_pair *pairs, uint32_t n)
{
    assert(pairs != NULL || n == 0);
    assert(n < UINT32_MAX / 2);
    bool sorted = true;
    for (uint32_t i = 0; i < n; i++) {
        pairs[i].key_id = 0;
        sorted = sorted && (i == 0 || slice_cmp(val_key(&pairs[i - 1]), val_key(&pairs[i])) < 0);
    }
    if (sorted) {
        return n;
    }
    for (uint32_t i = 0; i < n; i++) {
        pairs[i].key_id = i;
    }
    if (n <= SORT_BY_INSERTION) {
        sort_by_insertion(pairs, n);
    } else {
        sort_by_heap(pairs, n);
    }
    uint32_t kept = 0;
    for (uint32_t i = 0; i < n; i++) {
        bool last = i + 1 == n || !slice_eq(val_key(&pairs[i]), val_key(&pairs[i + 1]));
        if (last) {
            pairs[kept] = pairs[i];
            pairs[kept++].key_id = 0;
        }
    }
    return kept;
}

const struct val *val_map_get(struct val map, struct slice key)
{
    assert(map.tag == VAL_MAP);
    uint32_t low = 0, high = map.len;
    while (low < high) {
        uint32_t mid = low + (high - low) / 2;
        int c = slice_cmp(val_key(&map.map[mid]), key);
        if (c == 0) {
            return &map.map[mid].value;
        }
        if (c < 0) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    return NULL;
}

static bool copy_bytes(struct arena *a, const char **bytes, uint32_t len)
{
    struct slice copy = arena_copy(a, slice_of(*bytes, len));
    *bytes = copy.ptr;
    return copy.ptr != NULL;
}

static bool copy_map(struct arena *a, struct val *v)
{
    struct val_pair *pairs = arena_array(a, v->len, sizeof *pairs);
    for (uint32_t i = 0; pairs != NULL && i < v->len; i++) {
        pairs[i] = v->map[i];
        if (!copy_bytes(a, &pairs[i].key, pairs[i].key_len) ||
            !val_copy(a, pairs[i].value, &pairs[i].value)) {
            return false;
        }
    }
    v->map = pairs;
    return pairs != NULL;
}

bool val_copy(struct arena *a, struct val v, struct val *ret_copy)
{
    assert(a != NULL);
    assert(ret_copy != NULL);
    bool ok = true;
    if (v.tag == VAL_STRING || v.tag == VAL_BYTES) {
        ok = copy_bytes(a, &v.str, v.len);
    } else if (v.tag == VAL_LIST) {
        struct val *items = arena_array(a, v.len, sizeof *items);
        ok = items != NULL;
        for (uint32_t i = 0; ok && i < v.len; i++) {
            ok = val_copy(a, v.list[i], &items[i]);
        }
        v.list = items;
    } else if (v.tag == VAL_MAP) {
        ok = copy_map(a, &v);
    }
    if (ok) {
        *ret_copy = v;
    }
    return ok;
}

size_t val_double_text(double d, char *out)
{
    if (isnan(d) || isinf(d)) {
        const char *name = isnan(d) ? "NaN" : d > 0 ? "Infinity" : "-Infinity";
        return (size_t)snprintf(out, VAL_NUMBER_MAX, "%s", name);
    }
    int n = 0;
    for (int digits = 15; digits <= 17; digits++) {
        n = snprintf(out, VAL_NUMBER_MAX, "%.*g", digits, d);
        if (digits == 17 || endian_bits(strtod(out, NULL)) == endian_bits(d)) {
            break;
        }
    }
    if (strcspn(out, ".eE") == (size_t)n) {
        n += snprintf(out + n, VAL_NUMBER_MAX - (size_t)n, ".0");
    }
    assert(n > 0 && n < VAL_NUMBER_MAX);
    return (size_t)n;
}

static bool print_nested(struct buf *b, struct val v)
{
    if (v.tag != VAL_STRING) {
        return val_print(b, v);
    }
    return buf_add_byte(b, '"') && buf_add_slice(b, val_slice(v)) && buf_add_byte(b, '"');
}

static bool print_items(struct buf *b, struct val v)
{
    bool map = v.tag == VAL_MAP;
    bool ok = buf_add_byte(b, map ? '{' : '[');
    for (uint32_t i = 0; ok && i < v.len; i++) {
        ok = i == 0 || buf_add_str(b, ", ");
        if (map) {
            ok = ok && buf_add_slice(b, val_key(&v.map[i])) && buf_add_byte(b, '=');
        }
        ok = ok && print_nested(b, map ? v.map[i].value : v.list[i]);
    }
    return ok && buf_add_byte(b, map ? '}' : ']');
}

bool val_print(struct buf *b, struct val v)
{
    assert(b != NULL);
    assert(v.tag < VAL_TAGS);
    char text[VAL_NUMBER_MAX];
    switch (v.tag) {
    case VAL_NULL: return buf_add_str(b, "null");
    case VAL_BOOL: return buf_add_str(b, v.b ? "true" : "false");
    case VAL_INT: return buf_addf(b, "%lld", (long long)v.i);
    case VAL_DOUBLE: return buf_add(b, text, val_double_text(v.d, text));
    case VAL_STRING: return buf_add_slice(b, val_slice(v));
    case VAL_BYTES: return buf_add_str(b, "0x") && text_put_hex(b, val_slice(v));
    default: return print_items(b, v);
    }
}
