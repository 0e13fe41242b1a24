/* SPDX-License-Identifier: Apache-2.0
 *
 * See text.h.
 */
#include "core/codec/text.h"

#include <assert.h>

static const char BASE64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char HEX[] = "0123456789abcdef";

bool text_put_base64(struct buf *b, struct slice bytes)
{
    assert(b != NULL);
    if (bytes.len > SIZE_MAX / 4) {
        return false;
    }
    size_t n = (bytes.len + 2) / 3 * 4;
    char *to = buf_room(b, n);
    if (to == NULL) {
        return false;
    }
    const unsigned char *p = (const unsigned char *)bytes.ptr;
    for (size_t i = 0; i < bytes.len; i += 3) {
        size_t left = bytes.len - i;
        uint32_t v = (uint32_t)p[i] << 16;
        v |= left > 1 ? (uint32_t)p[i + 1] << 8 : 0;
        v |= left > 2 ? (uint32_t)p[i + 2] : 0;
        *to++ = BASE64[v >> 18];
        *to++ = BASE64[(v >> 12) & 63];
        *to++ = '=';
        *to++ = '=';
        if (left > 1) {
            to[-2] = BASE64[(v >> 6) & 63];
        }
        if (left > 2) {
            to[-1] = BASE64[v & 63];
        }
    }
    buf_commit(b, n);
    return true;
}

bool text_put_hex(struct buf *b, struct slice bytes)
{
    assert(b != NULL);
    char *to = bytes.len <= SIZE_MAX / 2 ? buf_room(b, bytes.len * 2) : NULL;
    if (to == NULL) {
        return false;
    }
    for (size_t i = 0; i < bytes.len; i++) {
        unsigned char c = (unsigned char)bytes.ptr[i];
        to[2 * i] = HEX[c >> 4];
        to[2 * i + 1] = HEX[c & 15];
    }
    buf_commit(b, bytes.len * 2);
    return true;
}

static int base64_digit(char c)
{
    if (c >= 'A' && c <= 'Z') {
        return c - 'A';
    }
    if (c >= 'a' && c <= 'z') {
        return c - 'a' + 26;
    }
    if (c >= '0' && c <= '9') {
        return c - '0' + 52;
    }
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

int64_t text_get_base64(struct slice text, void *out, size_t cap)
{
    size_t len = text.len;
    if (len % 4 == 0 && len > 0 && text.ptr[len - 1] == '=') {
        len -= text.ptr[len - 2] == '=' ? 2 : 1;
    }
    size_t bytes = len / 4 * 3 + (len % 4 > 0 ? len % 4 - 1 : 0);
    if (len % 4 == 1 || bytes > cap) {
        return -1;
    }
    unsigned char *to = out;
    uint32_t acc = 0;
    unsigned bits = 0;
    for (size_t i = 0; i < len; i++) {
        int digit = base64_digit(text.ptr[i]);
        if (digit < 0) {
            return -1;
        }
        acc = (acc << 6) | (uint32_t)digit;
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            *to++ = (unsigned char)(acc >> bits);
        }
    }
    /* Left-over bits must be zero, else two texts would mean the same bytes. */
    return (acc & ((1u << bits) - 1)) == 0 ? (int64_t)bytes : -1;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int64_t text_get_hex(struct slice text, void *out, size_t cap)
{
    if (text.len % 2 != 0 || text.len / 2 > cap) {
        return -1;
    }
    unsigned char *to = out;
    for (size_t i = 0; i < text.len; i += 2) {
        int high = hex_digit(text.ptr[i]), low = hex_digit(text.ptr[i + 1]);
        if (high < 0 || low < 0) {
            return -1;
        }
        *to++ = (unsigned char)(high << 4 | low);
    }
    return (int64_t)(text.len / 2);
}
