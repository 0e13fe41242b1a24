/* SPDX-License-Identifier: Apache-2.0
 *
 * The project's hashes, all of them xxHash with seed 0, so that a value is the same on every
 * machine and in every version: keys, partitions, ids and state hashes depend on it.
 */
#ifndef CORE_BASE_HASH_H
#define CORE_BASE_HASH_H

#include "core/base/slice.h"

/* 16 bytes in canonical (big-endian) order, so that comparing bytes compares numbers. */
struct hash128 {
    uint8_t bytes[16];
};

uint64_t hash_xxh64(struct slice s);        /* key groups, lineages, references */
struct hash128 hash_xxh128(struct slice s); /* ids, state hashes */
uint64_t hash_fast(struct slice s);         /* XXH3: for tables in memory, never stored */

/* Incremental xxh128, for content that is not in one piece. */
struct hash_state;
struct hash_state *hash_new(void);
void hash_free(struct hash_state *h);
void hash_reset(struct hash_state *h);
void hash_add(struct hash_state *h, const void *p, size_t n);
struct hash128 hash_end(const struct hash_state *h);

#endif
