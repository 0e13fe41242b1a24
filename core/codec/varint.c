/* SPDX-License-Identifier: Apache-2.0
 *
 * See varint.h. The ten-byte limit is where hostile input is stopped: the tenth byte may only
 * carry the 64th bit.
 */
#include "core/codec/varint.h"

const char *varint_read_slow(const char *p, const char *end, uint64_t *ret_value)
{
    assert(p != NULL || p == end);
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
