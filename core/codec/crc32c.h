/* SPDX-License-Identifier: Apache-2.0
 *
 * CRC-32C (Castagnoli), which the framing of snappy uses. By table, four bits at a time: the
 * coding is rare, and 16 numbers are easy to verify.
 */
#ifndef CORE_CODEC_CRC32C_H
#define CORE_CODEC_CRC32C_H

#include "core/base/slice.h"

uint32_t crc32c_of(struct slice s);

#endif
