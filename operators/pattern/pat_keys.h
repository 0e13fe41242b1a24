/* SPDX-License-Identifier: Apache-2.0
 *
 * The keys that every-distinct has seen: a hash set of values in order of insertion, each with a
 * time at which it is forgotten (INT64_MAX: never). With one period for all, keys expire in the
 * order they came in.
 */
#ifndef OPERATORS_PATTERN_PAT_KEYS_H
#define OPERATORS_PATTERN_PAT_KEYS_H

#include "operators/sig/load.h"

struct pat_key {
    struct dat v; /* kept */
    uint64_t hash;
    int64_t until;
    uint32_t next; /* in its bucket: entry + 1; 0: end */
};

struct pat_keys {
    struct pat_key *entries;
    uint32_t head, len, cap; /* [head, len) are live */
    uint32_t *buckets;
    uint32_t n_buckets;
};

/* Adds a key unless it is there; true if it was. */
bool pat_keys_seen(struct pat_keys *k, struct dat v, int64_t until);
bool pat_keys_has(const struct pat_keys *k, struct dat v);
void pat_keys_expire(struct pat_keys *k, struct vheap *h, int64_t now);
void pat_keys_copy(struct pat_keys *to, const struct pat_keys *from);
void pat_keys_clear(struct pat_keys *k, struct vheap *h); /* keeps the memory */
void pat_keys_done(struct pat_keys *k);                   /* after clear */
void pat_keys_save(const struct pat_keys *k, struct save *s);
void pat_keys_load(struct pat_keys *k, struct load *l); /* into an empty one */
static inline uint32_t pat_keys_count(const struct pat_keys *k)
{
    return k->len - k->head;
}

#endif
