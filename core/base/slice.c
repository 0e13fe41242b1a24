/* SPDX-License-Identifier: Apache-2.0
 *
 * See slice.h. Numbers are parsed by hand or through a bounded copy, because slices have no NUL.
 */
#include "core/base/slice.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

enum { DISTANCE_MAX = 16, NAME_MAX_LEN = 128, NUMBER_MAX_LEN = 512 };

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

int slice_cmp(struct slice a, struct slice b)
{
    size_t n = MIN(a.len, b.len);
    int r = n > 0 ? memcmp(a.ptr, b.ptr, n) : 0;
    return r != 0 ? r : (a.len > b.len) - (a.len < b.len);
}

bool slice_eq_nocase(struct slice a, struct slice b)
{
    if (a.len != b.len) {
        return false;
    }
    for (size_t i = 0; i < a.len; i++) {
        if (lower(a.ptr[i]) != lower(b.ptr[i])) {
            return false;
        }
    }
    return true;
}

bool slice_starts(struct slice s, struct slice prefix)
{
    return s.len >= prefix.len && slice_eq(slice_sub(s, 0, prefix.len), prefix);
}

bool slice_ends(struct slice s, struct slice suffix)
{
    return s.len >= suffix.len && slice_eq(slice_sub(s, s.len - suffix.len, s.len), suffix);
}

size_t slice_find(struct slice s, char c)
{
    const char *p = s.len > 0 ? memchr(s.ptr, c, s.len) : NULL;
    return p != NULL ? (size_t)(p - s.ptr) : s.len;
}

size_t slice_find_slice(struct slice s, struct slice part)
{
    if (part.len == 0) {
        return 0;
    }
    const char *p = s.len >= part.len ? memmem(s.ptr, s.len, part.ptr, part.len) : NULL;
    return p != NULL ? (size_t)(p - s.ptr) : s.len;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

struct slice slice_trim(struct slice s)
{
    size_t from = 0, to = s.len;
    while (from < to && is_space(s.ptr[from])) {
        from++;
    }
    while (to > from && is_space(s.ptr[to - 1])) {
        to--;
    }
    return slice_sub(s, from, to);
}

bool slice_split(struct slice *rest, char sep, struct slice *ret_part)
{
    assert(rest != NULL && ret_part != NULL);
    if (rest->ptr == NULL) {
        return false;
    }
    size_t at = slice_find(*rest, sep);
    *ret_part = slice_sub(*rest, 0, at);
    *rest = at < rest->len ? slice_sub(*rest, at + 1, rest->len) : SLICE_NONE;
    return true;
}

bool slice_to_u64(struct slice s, uint64_t *ret)
{
    assert(ret != NULL);
    uint64_t v = 0;
    if (s.len == 0) {
        return false;
    }
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        if (c < '0' || c > '9' || __builtin_mul_overflow(v, 10u, &v) ||
            __builtin_add_overflow(v, (uint64_t)(c - '0'), &v)) {
            return false;
        }
    }
    *ret = v;
    return true;
}

bool slice_to_i64(struct slice s, int64_t *ret)
{
    assert(ret != NULL);
    bool minus = s.len > 0 && s.ptr[0] == '-';
    bool sign = minus || (s.len > 0 && s.ptr[0] == '+');
    uint64_t v;
    if (!slice_to_u64(slice_sub(s, sign ? 1 : 0, s.len), &v) ||
        v > (uint64_t)INT64_MAX + (minus ? 1 : 0)) {
        return false;
    }
    *ret = minus ? (int64_t)(0 - v) : (int64_t)v;
    return true;
}

bool slice_to_f64(struct slice s, double *ret)
{
    assert(ret != NULL);
    char text[NUMBER_MAX_LEN];
    if (s.len == 0 || s.len >= sizeof text || is_space(s.ptr[0])) {
        return false;
    }
    memcpy(text, s.ptr, s.len);
    text[s.len] = '\0';
    char *end;
    errno = 0;
    double v = strtod(text, &end);
    /* A magnitude too large becomes infinity in silence: refuse; too small becomes 0: accept. */
    if (end != text + s.len || (errno == ERANGE && (v > 1 || v < -1))) {
        return false;
    }
    *ret = v;
    return true;
}

/* Length of the sequence that starts with c, or 0 if none may. */
static size_t utf8_len(unsigned char c)
{
    return c < 0x80 ? 1 : c < 0xc2 ? 0 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : c < 0xf5 ? 4 : 0;
}

bool slice_is_utf8(struct slice s)
{
    const unsigned char *p = (const unsigned char *)s.ptr;
    size_t i = 0;
    while (i < s.len) {
        if (p[i] < 0x80) {
            i++;
            continue;
        }
        size_t n = utf8_len(p[i]);
        if (n == 0 || s.len - i < n) {
            return false;
        }
        for (size_t k = 1; k < n; k++) {
            if ((p[i + k] & 0xc0) != 0x80) {
                return false;
            }
        }
        bool overlong = (p[i] == 0xe0 && p[i + 1] < 0xa0) || (p[i] == 0xf0 && p[i + 1] < 0x90);
        bool surrogate = p[i] == 0xed && p[i + 1] > 0x9f;
        bool above = p[i] == 0xf4 && p[i + 1] > 0x8f;
        if (overlong || surrogate || above) {
            return false;
        }
        i += n;
    }
    return true;
}

unsigned slice_distance(struct slice a, struct slice b, unsigned limit)
{
    assert(limit <= DISTANCE_MAX);
    size_t gap = a.len > b.len ? a.len - b.len : b.len - a.len;
    if (gap > limit || a.len > NAME_MAX_LEN || b.len > NAME_MAX_LEN) {
        return limit + 1;
    }
    unsigned row[NAME_MAX_LEN + 1];
    for (unsigned j = 0; j <= b.len; j++) {
        row[j] = j;
    }
    for (unsigned i = 1; i <= a.len; i++) {
        unsigned diagonal = row[0];
        row[0] = i;
        for (unsigned j = 1; j <= b.len; j++) {
            unsigned swap = diagonal + (lower(a.ptr[i - 1]) != lower(b.ptr[j - 1]));
            diagonal = row[j];
            row[j] = MIN(swap, MIN(row[j], row[j - 1]) + 1);
        }
    }
    return MIN(row[b.len], limit + 1);
}
