/* SPDX-License-Identifier: Apache-2.0
 *
 * Lifetime arenas: memory that dies together is allocated together. Arenas form a tree (process >
 * configuration > statement > batch > scratch); freeing or resetting a parent frees its children.
 * A limit is mandatory and covers the arena with all its descendants. Not thread-safe: an arena
 * belongs to one thread.
 *
 * KAIJU_ARENA_DEBUG=poison fills freed memory with 0xdd (read once, at the first arena).
 */
#ifndef CORE_BASE_ARENA_H
#define CORE_BASE_ARENA_H

#include "core/base/slice.h"

struct arena;

struct arena_stats {
    size_t used_bytes;     /* handed out, with padding, this arena alone */
    size_t reserved_bytes; /* taken from malloc, with descendants */
    size_t max_bytes;
    uint64_t refused; /* allocations refused at the limit */
};

/* Never fails. parent may be NULL. name must outlive the arena (a literal). */
struct arena *arena_new(struct arena *parent, const char *name, size_t max_bytes);
void arena_free(struct arena *a);
/* Frees contents and children, runs hooks, keeps the first block: the loop "reset, fill" of a batch
 * allocates nothing in steady state. */
void arena_reset(struct arena *a);
/* Lets reset keep up to that many bytes of blocks more, for batches larger than one block. They
 * stay charged to the limit. */
void arena_keep(struct arena *a, size_t bytes);

/* Aligned to 16. NULL only at the limit (counted). */
void *arena_alloc(struct arena *a, size_t n);
void *arena_zalloc(struct arena *a, size_t n);
void *arena_array(struct arena *a, size_t n, size_t size); /* zeroed, overflow-safe */
/* Copies. A failed copy is {NULL, 0} for a non-empty source; arena_str gives a NUL-terminated one.
 */
struct slice arena_copy(struct arena *a, struct slice s);
char *arena_str(struct arena *a, struct slice s);
char *arena_printf(struct arena *a, const char *fmt, ...) PRINTF_LIKE(2, 3);

#define ARENA_NEW(a, type) ((type *)arena_zalloc((a), sizeof(type)))

/* Runs fn(arg) at reset or free, last registered first: to close files, drop references.
 * False at the limit: then fn was not registered. */
bool arena_on_reset(struct arena *a, void (*fn)(void *), void *arg) NODISCARD;
struct arena_stats arena_stats(const struct arena *a);

#endif
