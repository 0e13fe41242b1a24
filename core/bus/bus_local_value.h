/* SPDX-License-Identifier: Apache-2.0
 *
 * How the local bus writes records: a *chunk* is one LMDB value and holds consecutive records of
 * one partition, those of one group commit, so that page overhead, free list and tree work are paid
 * once per chunk and not once per record. A chunk is a head of 32 bytes and the records behind it:
 *
 *     head    version u8 | 0 u8 | 0 u16 | checksum u32 | time_ms i64 | count u32 | headers u32 |
 *             bytes u32 | last u32                                     (little-endian)
 *     record  skip | key length + 1 | value length + 1 | headers |     (varints; 0 = null)
 *             { name length | value length + 1 } per header | key | value | { name | value }
 *
 * The key of the chunk names its base offset. A record's offset is that of the one before plus 1
 * plus `skip` (the first: base + skip), so records may be encoded before their offset is known;
 * gaps come from markers between transactions and from compaction, which takes records out and
 * leaves the others' offsets alone. `last` is the offset of the last record less the base. The
 * checksum is the low half of xxh64 over all that follows it. Pure functions, any thread.
 */
#ifndef CORE_BUS_BUS_LOCAL_VALUE_H
#define CORE_BUS_BUS_LOCAL_VALUE_H

#include "core/bus/bus.h"

enum {
    BUS_LOCAL_VALUE_VERSION = 1,
    BUS_LOCAL_HEAD_BYTES = 32,
    BUS_LOCAL_CHUNK_BYTES = 256 * 1024, /* a chunk takes no further records beyond this */
    BUS_LOCAL_SKIP_MAX = 127,           /* what fits the one byte that is patched */
};

struct bus_local_head {
    int64_t time_ms;
    uint32_t count, headers; /* records, and their headers in all */
    uint32_t bytes;          /* as bus_put_bytes counts them */
    uint32_t last;
};

/* Bytes that bus_local_record_write will take, at most; with a skip of any size. */
size_t bus_local_record_bound(const struct bus_put *put);
/* Returns the place behind what it wrote. */
char *bus_local_record_write(char *to, uint64_t skip, const struct bus_put *put);
/* Changes the skip of a record that was written with 0. */
void bus_local_record_skip(char *record, uint32_t skip);

/* Completes a chunk whose records stand at value + BUS_LOCAL_HEAD_BYTES. */
void bus_local_head_write(char *value, size_t len, const struct bus_local_head *head);
/* Looks at the head alone: enough for accounting and for skipping. ERR_CORRUPT, ERR_UNSUPPORTED. */
int bus_local_head_read(struct slice value, struct bus_local_head *ret_head,
                        struct err *reterr) NODISCARD;
/* The whole chunk: head->count records into the array, their headers into the other, which has room
 * for head->headers. Everything points into the value. The checksum and each length are checked. */
int bus_local_value_read(struct slice value, int64_t base, const struct bus_local_head *head,
                         struct bus_record *ret_records, struct bus_header *ret_headers,
                         struct err *reterr) NODISCARD;

#endif
