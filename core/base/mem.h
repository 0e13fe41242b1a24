/* SPDX-License-Identifier: Apache-2.0
 *
 * The only door to malloc. The policy: malloc itself failing ends the process, which restarts from
 * the log; what callers handle is a *limit* reached (arena, pool, buffer, queue). So these never
 * return NULL. Arenas, pools, buffers and maps stand on them; other code prefers those.
 *
 * mem_refuse_at(n) makes the n-th *limit check* from now fail as if the limit were hit: torture
 * tests walk n = 1, 2, 3, ... and expect a clean error each time. Per thread.
 */
#ifndef CORE_BASE_MEM_H
#define CORE_BASE_MEM_H

#include "core/base/attr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

void *mem_alloc(size_t n);               /* uninitialized; n = 0 gives a unique pointer */
void *mem_zalloc(size_t n);              /* zeroed */
void *mem_calloc(size_t n, size_t size); /* zeroed array; an overflowing product aborts */
void *mem_zalloc_line(size_t n);         /* zeroed, and begins with a line of the cache */
void *mem_realloc(void *p, size_t n);
void *mem_dup(const void *p, size_t n); /* copies n bytes and adds a NUL */
void mem_free(void *p);                 /* NULL is fine */

/* A block that is filled from its begin, of what grows to many MB: whole huge pages, which take one
 * fault each. The others give these, too, where 4 MiB and more are asked for at once. */
void *mem_huge(size_t n); /* uninitialized, aligned to MEM_HUGE; by mem_free */
enum { MEM_HUGE = 2 << 20 };

/* How often this thread has asked for memory by any of these: what costs nothing in a steady state
 * shows a difference of 0. */
uint64_t mem_calls(void);
enum { MEM_LINE = 64 };

/* What was freed goes back to the system, after work that used far more than it leaves. */
void mem_trim(void);
/* Once, before there are threads: what is freed is given back soon, and threads share heaps. */
void mem_tune(void);
#define MEM_NEW(type) ((type *)mem_zalloc(sizeof(type)))

/* Called by every base type that has a limit, at the point where it might refuse. */
bool mem_limit_refused(void);
void mem_refuse_at(uint64_t n); /* 0 = never */

#endif
