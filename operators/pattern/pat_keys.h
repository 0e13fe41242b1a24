/* SPDX-License-Identifier: Apache-2.0
 *
 * The keys that every-distinct has seen: a hash set of values in order of insertion, each with a
 * time at which it is forgotten (INT64_MAX: never). With one period for all, keys expire in the
 * order they came in.
 */
#ifndef OPERATORS_PATTERN_PAT_KEYS_H
#define OPERATORS_PATTERN_PAT_KEYS_H

#include "core/base/hidx.h"
#include "core/base/vec.h"
#include "operators/sig/load.h"

struct pat_key {
    struct dat v; /* kept */
    uint64_t hash;
    int64_t until;
    uint32_t next; /* the number of the one that came next, or of another that is free; 0: none */
};

struct pat_keys {
    VEC(struct pat_key *) pages; /* of entries, by number from 1; only a lone one is moved */
    uint32_t made, count;        /* entries: ever used, live */
    uint32_t first, last, spare; /* numbers */
    uint32_t room;               /* of the pages */
    struct hidx index;           /* live ones by hash */
    uint64_t cost;               /* of LIM_STATE */
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
    return k->count;
}

#endif
