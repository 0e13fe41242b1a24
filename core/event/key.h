/* SPDX-License-Identifier: Apache-2.0
 *
 * Key bytes: what decides which partition, group and row an event belongs to. Two keys are equal
 * exactly if their bytes are; the bytes are stored and hashed and therefore never change.
 *
 * Per column a tag byte (KEY_x) and the value:
 *   null -; bool 1 byte; int64 8 bytes big-endian; double 8 bytes big-endian; string and bytes
 *   varint length + bytes; list varint count + items; map varint count + (key, value) sorted
 * A double that is integral and fits int64 is encoded as int64 (so -0.0 is int 0), every NaN as the
 * one quiet NaN. Columns joined by equality go through key_coerce first, so that both sides say a
 * number in the same type.
 *
 * Subject keys begin with one byte for the kind of subject, then its columns. The subject is what
 * an event is about; its metrics, logs and Kubernetes events meet in one partition.
 *
 * Key group = xxh64(bytes, seed 0) >> 54; partition = group * P >> 10.
 */
#ifndef CORE_EVENT_KEY_H
#define CORE_EVENT_KEY_H

#include "core/base/buf.h"
#include "core/event/rec.h"

enum { KEY_GROUPS = 1024, KEY_PARTITIONS_MAX = 1024 };

enum key_tag {
    KEY_NULL = 0,
    KEY_BOOL = 1,
    KEY_INT = 2,
    KEY_DOUBLE = 3,
    KEY_STRING = 4,
    KEY_BYTES = 5,
    KEY_LIST = 6,
    KEY_MAP = 7,
};

/* In order of preference. */
enum key_subject_kind {
    KEY_SUBJECT_POD = 1,     /* tenant, cluster, namespace, pod name */
    KEY_SUBJECT_SERVICE = 2, /* tenant, service namespace, service, instance */
    KEY_SUBJECT_HOST = 3,    /* tenant, host */
    KEY_SUBJECT_NONE = 4,    /* tenant: nothing is known about the sender */
    KEY_SUBJECT_TRACE = 5,   /* tenant, trace id: spans */
};

/* Appends one column. False at the buffer's limit. */
bool key_add(struct buf *b, struct val v);
/* The number as a column of that type sees it: an int in a column of doubles is rounded to one.
 * Other values, and other types, unchanged. */
struct val key_coerce(struct val v, enum val_tag column);

/* Appends the subject key of an event as it is after enrichment: by trace for spans that have a
 * trace id, else by context. names may be NULL (slower). False at the buffer's limit. */
bool key_add_subject(struct buf *b, const struct rec *r, const struct rec_names *names);
bool key_add_trace(struct buf *b, struct val tenant, const uint8_t trace_id[16]);
/* The subject a context names, whatever the event's kind. */
bool key_add_target(struct buf *b, const struct rec_context *c, const struct rec_names *names);

uint32_t key_group(struct slice key_bytes); /* 0 .. KEY_GROUPS - 1 */
static inline uint32_t key_partition_of_group(uint32_t group, uint32_t partitions)
{
    assert(group < KEY_GROUPS);
    assert(partitions > 0 && partitions <= KEY_PARTITIONS_MAX);
    return group * partitions >> 10;
}
static inline uint32_t key_partition(struct slice key_bytes, uint32_t partitions)
{
    return key_partition_of_group(key_group(key_bytes), partitions);
}

/* Back to columns, for explain and tools; false on anything key_add would not write, or at the
 * arena's limit. A subject key's first byte is taken off by the caller. */
bool key_read(struct slice *rest, struct arena *a, struct val *ret_column);

#endif
