/* SPDX-License-Identifier: Apache-2.0
 *
 * A pool of equal objects for state that outlives a batch and is freed one by one (window rows,
 * partial matches, connections). Slabs of 64 objects; freed objects are reused last in, first out.
 * A limit in objects is mandatory. One thread. KAIJU_ARENA_DEBUG=poison also poisons freed objects.
 */
#ifndef CORE_BASE_POOL_H
#define CORE_BASE_POOL_H

#include "core/base/attr.h"

#include <stddef.h>
#include <stdint.h>

struct pool;

struct pool_stats {
    size_t live, peak, max;
    uint64_t refused;
};

/* name must outlive the pool (a literal). */
struct pool *pool_new(const char *name, size_t object_bytes, size_t max_objects);
/* Every object must have been given back, except when `leak_ok` (the owner dies with all). */
void pool_free(struct pool *p, int leak_ok);
void *pool_get(struct pool *p); /* zeroed; NULL only at the limit (counted) */
void pool_put(struct pool *p, void *object);
struct pool_stats pool_stats(const struct pool *p);

#endif
