/* SPDX-License-Identifier: Apache-2.0
 *
 * Which of n partitions of a hash context some values fall into. With consistent_hash_crc32 a lone
 * string counts by its bytes, anything else by the bytes Java writes for it (big-endian; strings
 * with their length before them); with hash_code by Java's hash codes.
 */
#include "operators/expr/eval_impl.h"
#include "operators/expr/fn_impl.h"

#include <assert.h>

static uint32_t crc_add(uint32_t crc, const void *p, size_t n)
{
    static const uint32_t nibble[16] = {0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac,
                                        0x76dc4190, 0x6b6b51f4, 0x4db26158, 0x5005713c,
                                        0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c,
                                        0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c};
    const uint8_t *b = p;
    for (size_t i = 0; i < n; i++) {
        crc ^= b[i];
        crc = nibble[crc & 15] ^ (crc >> 4);
        crc = nibble[crc & 15] ^ (crc >> 4);
    }
    return crc;
}

static uint32_t crc_number(uint32_t crc, uint64_t v, int bytes)
{
    uint8_t b[8];
    for (int i = 0; i < bytes; i++) {
        b[i] = (uint8_t)(v >> (8 * (bytes - 1 - i)));
    }
    return crc_add(crc, b, (size_t)bytes);
}

static uint32_t crc_value(uint32_t crc, struct dat v, bool alone)
{
    uint64_t bits;
    float f;
    uint32_t bits32;
    switch (v.kind) {
    case DAT_STRING:
        crc = alone ? crc : crc_number(crc, v.s->len, 2);
        return crc_add(crc, v.s->s, v.s->len);
    case DAT_BOOL: return crc_number(crc, v.b, 1);
    case DAT_BYTE: return crc_number(crc, (uint64_t)v.i, 1);
    case DAT_CHAR:
    case DAT_SHORT: return crc_number(crc, (uint64_t)v.i, 2);
    case DAT_INT: return crc_number(crc, (uint64_t)v.i, 4);
    case DAT_LONG: return crc_number(crc, (uint64_t)v.i, 8);
    case DAT_FLOAT:
        f = (float)v.d;
        memcpy(&bits32, &f, sizeof bits32);
        return crc_number(crc, bits32, 4);
    case DAT_DOUBLE: memcpy(&bits, &v.d, sizeof bits); return crc_number(crc, bits, 8);
    default: return crc_number(crc, dat_hash(v), 8);
    }
}

struct dat eval_bucket(const struct ex *e, struct ectx *c, const struct dat *args)
{
    (void)c;
    assert(e->i > 0 && e->n_args > 0);
    uint32_t crc = 0xffffffffu;
    uint32_t code = 0;
    bool any = false;
    for (uint32_t i = 0; i < e->n_args; i++) {
        struct dat v = args[i];
        if (!dat_is_null(v)) {
            any = true;
            crc = crc_value(crc, v, e->n_args == 1);
        }
        code = 31 * code + (dat_is_null(v) ? 0 : (uint32_t)fn_hash(v));
    }
    if (!any) {
        return dat_int(0);
    }
    int64_t h = e->all ? (int64_t)(crc ^ 0xffffffffu) : (int64_t)(int32_t)code;
    h %= e->i;
    return dat_int((int32_t)(h < 0 ? -h : h));
}
