/* SPDX-License-Identifier: Apache-2.0
 *
 * References name events; causes are the references that contributed to a row.
 *
 * A reference is 16 bytes, big-endian, so that comparing bytes compares numbers:
 *   raw      bit 0, topic id (15 bits), partition (16), index in the batch (32), offset (64)
 *   derived  bit 1, lineage of the task (63 bits), output number (64)
 * The output number counts all events a task ever produced; it is known before any commit and the
 * same under replay. So is a reference, and so is everything computed from references here.
 *
 * A cause set remembers the first and the last event it saw and, of the rest, those with the
 * smallest xxh64 of the reference: REF_CAUSES in all. That is a sample which depends on the set of
 * references alone. Union is associative, commutative and idempotent, so panes and partitions may
 * be merged in any order.
 */
#ifndef CORE_EVENT_REF_H
#define CORE_EVENT_REF_H

#include "core/base/slice.h"

enum { REF_CAUSES = 8, REF_TOPIC_MAX = 0x7fff };

struct ref {
    uint8_t bytes[16];
};

/* The parts, by kind. */
struct ref_raw {
    uint16_t topic, partition; /* topic id of ctl.topics, at most REF_TOPIC_MAX */
    uint32_t index;            /* of the event in its batch */
    uint64_t offset;
};
struct ref_derived {
    uint64_t lineage; /* 63 bits */
    uint64_t number;
};

struct ref ref_of_raw(struct ref_raw parts);
struct ref ref_of_derived(struct ref_derived parts);
static inline bool ref_is_derived(const struct ref *r)
{
    return (r->bytes[0] & 0x80) != 0;
}
/* The reference must be of that kind. */
struct ref_raw ref_raw_parts(const struct ref *r);
struct ref_derived ref_derived_parts(const struct ref *r);
static inline int ref_cmp(const struct ref *a, const struct ref *b)
{
    return memcmp(a->bytes, b->bytes, sizeof a->bytes);
}
uint64_t ref_hash(const struct ref *r); /* xxh64, seed 0: part of the semantics of causes */

/* Low 63 bits of xxh64("tenant/graph/level/partition"); level = the group's first level. */
uint64_t ref_lineage(struct slice tenant, struct slice graph, struct slice level,
                     uint32_t partition);

/* Where the events of a batch come from, told by the record that carried it: enough to name each.
 */
struct ref_origin {
    bool derived;
    uint64_t lineage, first_number; /* derived: from the record's headers */
    uint16_t topic, partition;      /* raw */
    uint64_t offset;
};
struct ref ref_of_event(const struct ref_origin *origin, uint32_t index, uint32_t n);

/* Position in some order (clock, row number), which decides who is first and who is last; equal
 * positions are ordered by reference. */
struct ref_at {
    int64_t at;
    struct ref ref;
};

/* State of an aggregate that keeps no rows. Saved as it is. */
struct ref_set {
    uint32_t len;              /* of low; 0 = empty set */
    struct ref_at first, last; /* by (at, ref) */
    uint64_t hash[REF_CAUSES]; /* of low: ascending by (hash, ref), distinct */
    struct ref low[REF_CAUSES];
};

static inline void ref_set_init(struct ref_set *s)
{
    *s = (struct ref_set){0};
}
void ref_set_add(struct ref_set *s, int64_t at, struct ref ref);
void ref_set_add_hashed(struct ref_set *s, int64_t at, struct ref ref, uint64_t hash);
void ref_set_union(struct ref_set *into, const struct ref_set *other);
/* The causes, first, last, then the rest by (hash, ref), none twice: how many. */
uint32_t ref_set_list(const struct ref_set *s, struct ref out[REF_CAUSES]);

/* The causes of a window or group that is retained: refs from oldest to newest. O(n), computed when
 * a row is emitted. Equals adding each to a set at its position. */
uint32_t ref_select(const struct ref *refs, size_t n, struct ref out[REF_CAUSES]);

#endif
