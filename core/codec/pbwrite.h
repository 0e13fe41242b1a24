/* SPDX-License-Identifier: Apache-2.0
 *
 * Writing protobuf: fields in the order of the calls, into a struct buf whose limit is the only
 * failure (check buf_failed once at the end). Nested messages are opened and closed:
 *
 *     size_t m = pbwrite_open(b, 2);
 *     pbwrite_string(b, 1, SLICE("name"));
 *     pbwrite_close(b, m);
 *
 * Close moves the message to make room for its length, which costs a memmove of small messages and
 * keeps the bytes canonical. Zero and empty values are written as asked: the caller leaves out what
 * proto3 leaves out.
 */
#ifndef CORE_CODEC_PBWRITE_H
#define CORE_CODEC_PBWRITE_H

#include "core/base/buf.h"

void pbwrite_varint(struct buf *b, uint32_t field, uint64_t value);
void pbwrite_fixed64(struct buf *b, uint32_t field, uint64_t value);
void pbwrite_fixed32(struct buf *b, uint32_t field, uint32_t value);
void pbwrite_double(struct buf *b, uint32_t field, double value);
void pbwrite_string(struct buf *b, uint32_t field, struct slice value); /* bytes alike */
size_t pbwrite_open(struct buf *b, uint32_t field);
void pbwrite_close(struct buf *b, size_t mark);
/* Packed repeated fields. */
void pbwrite_packed_fixed64(struct buf *b, uint32_t field, const uint64_t *values, size_t n);
void pbwrite_packed_double(struct buf *b, uint32_t field, const double *values, size_t n);

#endif
