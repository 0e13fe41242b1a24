/* SPDX-License-Identifier: Apache-2.0
 *
 * Numbers at any address in a stated byte order, independent of the machine. Compilers turn each
 * into one load or store. be = most significant byte first (references, keys, wire ids), le = the
 * other way (Avro doubles and fingerprints).
 */
#ifndef CORE_CODEC_ENDIAN_H
#define CORE_CODEC_ENDIAN_H

#include <stdint.h>
#include <string.h>

static inline uint64_t endian_be64(const void *p)
{
    uint64_t v;
    memcpy(&v, p, sizeof v);
    return __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? __builtin_bswap64(v) : v;
}

static inline uint64_t endian_le64(const void *p)
{
    uint64_t v;
    memcpy(&v, p, sizeof v);
    return __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? v : __builtin_bswap64(v);
}

static inline uint32_t endian_be32(const void *p)
{
    uint32_t v;
    memcpy(&v, p, sizeof v);
    return __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? __builtin_bswap32(v) : v;
}

static inline uint16_t endian_be16(const void *p)
{
    const unsigned char *b = p;
    return (uint16_t)((b[0] << 8) | b[1]);
}

static inline void endian_put_be64(void *p, uint64_t v)
{
    v = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? __builtin_bswap64(v) : v;
    memcpy(p, &v, sizeof v);
}

static inline void endian_put_le64(void *p, uint64_t v)
{
    v = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? v : __builtin_bswap64(v);
    memcpy(p, &v, sizeof v);
}

static inline void endian_put_be32(void *p, uint32_t v)
{
    v = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? __builtin_bswap32(v) : v;
    memcpy(p, &v, sizeof v);
}

static inline void endian_put_be16(void *p, uint16_t v)
{
    unsigned char *b = p;
    b[0] = (unsigned char)(v >> 8);
    b[1] = (unsigned char)v;
}

/* Doubles by their bits: a signalling NaN (a stale marker) passes unchanged. */
static inline uint64_t endian_bits(double d)
{
    uint64_t v;
    memcpy(&v, &d, sizeof v);
    return v;
}

static inline double endian_double(uint64_t bits)
{
    double d;
    memcpy(&d, &bits, sizeof d);
    return d;
}

#endif
