/* SPDX-License-Identifier: Apache-2.0
 *
 * CRC-32C (Castagnoli), which the framing of snappy and the chunks of snapshots use. By the
 * processor's own instruction where it has one; else by table, four bits at a time: 16 numbers are
 * easy to verify.
 */
#ifndef CORE_CODEC_CRC32C_H
#define CORE_CODEC_CRC32C_H

#include "core/base/slice.h"

uint32_t crc32c_of(struct slice s);
/* Of what stands behind bytes with that CRC; 0: of nothing. */
uint32_t crc32c_more(uint32_t crc, struct slice s);

#endif
