/* SPDX-License-Identifier: Apache-2.0
 *
 * Packing of request bodies, as senders in the field do it. The inverse of core/codec/inflate.h,
 * with its names; only what OTLP senders use. To add a coding: a case in pack.c.
 */
#ifndef LOADGEN_PACK_H
#define LOADGEN_PACK_H

#include "core/base/buf.h"
#include "core/codec/inflate.h"

struct pack;

/* IDENTITY, GZIP, DEFLATE (in zlib's format, as HTTP means it) or ZSTD. */
struct pack *pack_new(enum inflate_coding coding);
void pack_free(struct pack *p);
/* What `body` is on the wire: itself for IDENTITY, else valid until the next call. */
struct slice pack_body(struct pack *p, struct slice body);

#endif
