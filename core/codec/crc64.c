/* SPDX-License-Identifier: Apache-2.0
 *
 * See crc64.h. Bit by bit: a fingerprint is computed once per schema and process, so a table would
 * only be something more to be wrong.
 */
#include "core/codec/crc64.h"

static const uint64_t CRC64_EMPTY = 0xc15d213aa4d7a795u;

uint64_t crc64_avro(struct slice s)
{
    uint64_t crc = CRC64_EMPTY;
    for (size_t i = 0; i < s.len; i++) {
        crc ^= (unsigned char)s.ptr[i];
        for (int bit = 0; bit < 8; bit++) {
            crc = (crc >> 1) ^ (CRC64_EMPTY & (0 - (crc & 1)));
        }
    }
    return crc;
}
