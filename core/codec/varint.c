/* SPDX-License-Identifier: Apache-2.0
 *
 * See varint.h. Long numbers (times are nine bytes) are taken eight bytes at a time: 56 bits are
 * spread to eight groups of seven, or gathered from them, in three steps that each treat twice as
 * many groups as the one before. Near the end of the input the plain loop does it.
 *
 * The ten-byte limit is where hostile input is stopped: the tenth byte may only carry the 64th bit.
 */
#include "core/codec/varint.h"

#include "core/codec/endian.h"

static const uint64_t TOP_BITS = 0x8080808080808080u;

/* The low 56 bits, as eight bytes of seven bits each. */
static uint64_t spread(uint64_t v)
{
    uint64_t x = v & 0x00ffffffffffffffu;
    x = ((x & 0x00fffffff0000000u) << 4) | (x & 0x000000000fffffffu);
    x = ((x & 0x0fffc0000fffc000u) << 2) | (x & 0x00003fff00003fffu);
    return ((x & 0x3f803f803f803f80u) << 1) | (x & 0x007f007f007f007fu);
}

/* The other way: eight bytes, of which the top bits do not count. */
static uint64_t gather(uint64_t x)
{
    x = ((x & 0x7f007f007f007f00u) >> 1) | (x & 0x007f007f007f007fu);
    x = ((x & 0x3fff00003fff0000u) >> 2) | (x & 0x00003fff00003fffu);
    return ((x & 0x0fffffff00000000u) >> 4) | (x & 0x000000000fffffffu);
}

char *varint_write_slow(char *p, uint64_t v)
{
    size_t n = varint_size(v);
    assert(n > 1 && n <= VARINT_MAX);
    if (n <= 8) {
        endian_put_le64(p, spread(v) | (TOP_BITS >> (72 - 8 * n)));
        return p + n;
    }
    endian_put_le64(p, spread(v) | TOP_BITS);
    p[8] = (char)((v >> 56 & 0x7f) | (n == 10 ? 0x80 : 0));
    p[9] = n == 10 ? 1 : p[9];
    return p + n;
}

static const char *read_bytewise(const char *p, const char *end, uint64_t *ret_value)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 70 && p < end; shift += 7) {
        uint64_t byte = (unsigned char)*p++;
        if (shift == 63 && byte > 1) {
            return NULL;
        }
        value |= (byte & 0x7f) << shift;
        if (byte < 0x80) {
            *ret_value = value;
            return p;
        }
    }
    return NULL;
}

const char *varint_read_slow(const char *p, const char *end, uint64_t *ret_value)
{
    assert(p != NULL || p == end);
    if (UNLIKELY(end - p < VARINT_MAX)) {
        return read_bytewise(p, end, ret_value);
    }
    uint64_t word = endian_le64(p), stops = ~word & TOP_BITS;
    if (stops != 0) {
        unsigned bits = (unsigned)__builtin_ctzll(stops) + 1;
        *ret_value = gather(bits < 64 ? word & ((UINT64_C(1) << bits) - 1) : word);
        return p + bits / 8;
    }
    uint64_t value = gather(word), ninth = (unsigned char)p[8], tenth = (unsigned char)p[9];
    if (ninth < 0x80) {
        *ret_value = value | ninth << 56;
        return p + 9;
    }
    if (tenth > 1) {
        return NULL;
    }
    *ret_value = value | (ninth & 0x7f) << 56 | tenth << 63;
    return p + 10;
}
