/* SPDX-License-Identifier: Apache-2.0
 *
 * See utf8.h. The ranges of the second byte are those of table 3-7 of the Unicode standard; they
 * exclude overlong forms, surrogates and everything above U+10FFFF.
 */
#include "core/codec/utf8.h"

#include <assert.h>

static const char REPLACEMENT[3] = {'\xef', '\xbf', '\xbd'};

struct lead {
    unsigned char len, low, high; /* of the character; range of its second byte */
};

static struct lead lead_of(unsigned char c)
{
    if (c >= 0xc2 && c <= 0xdf) {
        return (struct lead){2, 0x80, 0xbf};
    }
    if (c >= 0xe0 && c <= 0xef) {
        return (struct lead){3, c == 0xe0 ? 0xa0 : 0x80, c == 0xed ? 0x9f : 0xbf};
    }
    if (c >= 0xf0 && c <= 0xf4) {
        return (struct lead){4, c == 0xf0 ? 0x90 : 0x80, c == 0xf4 ? 0x8f : 0xbf};
    }
    return (struct lead){0, 0, 0};
}

size_t utf8_char(struct slice s, size_t *ret_bad)
{
    assert(s.len > 0);
    assert(ret_bad != NULL);
    const unsigned char *p = (const unsigned char *)s.ptr;
    if (p[0] < 0x80) {
        return 1;
    }
    struct lead lead = lead_of(p[0]);
    *ret_bad = 1;
    if (lead.len == 0 || s.len < 2 || p[1] < lead.low || p[1] > lead.high) {
        return 0;
    }
    for (size_t i = 2; i < lead.len; i++) {
        if (i >= s.len || (p[i] & 0xc0) != 0x80) {
            *ret_bad = i;
            return 0;
        }
    }
    return lead.len;
}

bool utf8_valid_slow(struct slice s)
{
    size_t bad, n;
    for (size_t i = 0; i < s.len; i += n) {
        n = utf8_char(slice_of(s.ptr + i, s.len - i), &bad);
        if (n == 0) {
            return false;
        }
    }
    return true;
}

size_t utf8_repaired_len(struct slice s)
{
    size_t len = 0, bad = 0;
    for (size_t i = 0; i < s.len;) {
        size_t n = utf8_char(slice_of(s.ptr + i, s.len - i), &bad);
        len += n > 0 ? n : sizeof REPLACEMENT;
        i += n > 0 ? n : bad;
    }
    return len;
}

char *utf8_repair(char *to, struct slice s)
{
    size_t bad = 0;
    assert(to != NULL);
    for (size_t i = 0; i < s.len;) {
        size_t n = utf8_char(slice_of(s.ptr + i, s.len - i), &bad);
        if (n > 0) {
            memcpy(to, s.ptr + i, n);
            to += n;
            i += n;
        } else {
            memcpy(to, REPLACEMENT, sizeof REPLACEMENT);
            to += sizeof REPLACEMENT;
            i += bad;
        }
    }
    return to;
}
