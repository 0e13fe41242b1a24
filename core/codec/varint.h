/* SPDX-License-Identifier: Apache-2.0
 *
 * Variable-length integers: 7 bits per byte, lowest first, the top bit says "more follows". Avro's
 * int and long are the same number zigzag-folded first (0, -1, 1, -2 -> 0, 1, 2, 3), so that small
 * negative numbers stay short; keys use the plain form for lengths.
 *
 * Readers take the position and the end and return the position behind the number, or NULL when
 * the input ends inside it or it does not fit in 64 bits. They never read at or past `end`. A
 * number written longer than necessary is accepted, as every other reader of the format does.
 * Writers need VARINT_MAX bytes of room and return the position behind what they wrote.
 */
#ifndef CORE_CODEC_VARINT_H
#define CORE_CODEC_VARINT_H

#include "core/base/attr.h"

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

enum { VARINT_MAX = 10 };

static inline uint64_t varint_zigzag(int64_t v)
{
    return ((uint64_t)v << 1) ^ (uint64_t)(v >> 63);
}

static inline int64_t varint_unzigzag(uint64_t v)
{
    return (int64_t)((v >> 1) ^ (0 - (v & 1)));
}

/* More than one byte; out of the way of the common case. */
const char *varint_read_slow(const char *p, const char *end, uint64_t *ret_value);

static inline const char *varint_read(const char *p, const char *end, uint64_t *ret_value)
{
    if (LIKELY(p < end && (unsigned char)*p < 0x80)) {
        *ret_value = (unsigned char)*p;
        return p + 1;
    }
    return varint_read_slow(p, end, ret_value);
}

static inline const char *varint_read_zz(const char *p, const char *end, int64_t *ret_value)
{
    uint64_t v;
    p = varint_read(p, end, &v);
    if (LIKELY(p != NULL)) {
        *ret_value = varint_unzigzag(v);
    }
    return p;
}

/* More than two bytes: for times and ids. */
char *varint_write_slow(char *p, uint64_t v);

static inline char *varint_write(char *p, uint64_t v)
{
    assert(p != NULL);
    if (LIKELY(v < 0x80)) {
        *p = (char)v;
        return p + 1;
    }
    return varint_write_slow(p, v);
}

static inline char *varint_write_zz(char *p, int64_t v)
{
    return varint_write(p, varint_zigzag(v));
}

/* Bytes that varint_write will use. */
static inline size_t varint_size(uint64_t v)
{
    unsigned bits = 64 - (unsigned)__builtin_clzll(v | 1);
    return (bits + 6) / 7;
}

#endif
