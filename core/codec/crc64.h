/* SPDX-License-Identifier: Apache-2.0
 *
 * The 64-bit CRC that Avro defines for schema fingerprints (polynomial 0xc15d213aa4d7a795, bits
 * reflected, started with the polynomial itself). It names schemas in single-object encoding and
 * serves nothing else: it is no checksum against malice and not fast.
 */
#ifndef CORE_CODEC_CRC64_H
#define CORE_CODEC_CRC64_H

#include "core/base/slice.h"

uint64_t crc64_avro(struct slice s);

#endif
