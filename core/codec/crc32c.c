/* SPDX-License-Identifier: Apache-2.0
 *
 * See crc32c.h. Row i of the table is what four steps of the reflected polynomial 0x82f63b78 make
 * of i.
 */
#include "core/codec/crc32c.h"

#include <string.h>

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) static uint32_t by_processor(uint32_t crc, struct slice s)
{
    uint64_t sum = crc;
    size_t i = 0;
    for (; i + 8 <= s.len; i += 8) {
        uint64_t word;
        memcpy(&word, s.ptr + i, sizeof word);
        sum = __builtin_ia32_crc32di(sum, word);
    }
    crc = (uint32_t)sum;
    for (; i < s.len; i++) {
        crc = __builtin_ia32_crc32qi(crc, (unsigned char)s.ptr[i]);
    }
    return crc;
}

static bool has_processor(void)
{
    return __builtin_cpu_supports("sse4.2") != 0;
}
#else
static uint32_t by_processor(uint32_t crc, struct slice s)
{
    (void)s;
    return crc;
}

static bool has_processor(void)
{
    return false;
}
#endif

static uint32_t by_table(uint32_t crc, struct slice s)
{
    static const uint32_t table[16] = {0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1,
                                       0x417b1dbc, 0x5125dad3, 0x61c69362, 0x7198540d,
                                       0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9,
                                       0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75};
    for (size_t i = 0; i < s.len; i++) {
        crc ^= (unsigned char)s.ptr[i];
        crc = crc >> 4 ^ table[crc & 15];
        crc = crc >> 4 ^ table[crc & 15];
    }
    return crc;
}

uint32_t crc32c_more(uint32_t crc, struct slice s)
{
    return ~(has_processor() ? by_processor(~crc, s) : by_table(~crc, s));
}

uint32_t crc32c_of(struct slice s)
{
    return crc32c_more(0, s);
}
