/* SPDX-License-Identifier: Apache-2.0
 *
 * See mem.h.
 */
#include "core/base/mem.h"

#include <assert.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* The torture countdown belongs to the thread under test: limits are checked far below any
 * parameter that could carry it. */
PROCESS_WIDE
static _Thread_local uint64_t refuse_countdown;

/* How often memory was asked for, likewise. */
PROCESS_WIDE
static _Thread_local uint64_t calls;

static COLD _Noreturn void out_of_memory(size_t n)
{
    fprintf(stderr, "kaiju: out of memory asking for %zu bytes; the log is intact, restart me\n",
            n);
    abort();
}

/* From here on what is asked for is a mapping of its own (mem_tune), which will be filled. */
enum { LARGE = 4 << 20 };

/* The whole huge pages within it come as such: one fault for each, not one for each 4 KiB. A kernel
 * without them refuses, and nothing is lost. */
static COLD void *advise(void *p, size_t n)
{
    uintptr_t from = ((uintptr_t)p + MEM_HUGE - 1) & ~(uintptr_t)(MEM_HUGE - 1);
    uintptr_t to = ((uintptr_t)p + n) & ~(uintptr_t)(MEM_HUGE - 1);
    if (from < to) {
        (void)madvise((char *)p + (from - (uintptr_t)p), to - from, MADV_HUGEPAGE);
    }
    return p;
}

static inline void *large(void *p, size_t n)
{
    return UNLIKELY(n >= LARGE) ? advise(p, n) : p;
}

void *mem_alloc(size_t n)
{
    calls++;
    void *p = malloc(n > 0 ? n : 1);
    if (UNLIKELY(p == NULL)) {
        out_of_memory(n);
    }
    return large(p, n);
}

void *mem_huge(size_t n)
{
    calls++;
    size_t bytes = (MAX(n, (size_t)1) + MEM_HUGE - 1) & ~(size_t)(MEM_HUGE - 1);
    void *p = aligned_alloc(MEM_HUGE, bytes);
    if (UNLIKELY(p == NULL)) {
        out_of_memory(n);
    }
    return advise(p, bytes);
}

void *mem_zalloc(size_t n)
{
    return mem_calloc(n, 1);
}

void *mem_zalloc_line(size_t n)
{
    calls++;
    size_t bytes = (MAX(n, (size_t)1) + MEM_LINE - 1) & ~(size_t)(MEM_LINE - 1);
    void *p = aligned_alloc(MEM_LINE, bytes);
    if (UNLIKELY(p == NULL)) {
        out_of_memory(n);
    }
    return memset(large(p, bytes), 0, bytes);
}

void *mem_calloc(size_t n, size_t size)
{
    calls++;
    void *p = calloc(n > 0 ? n : 1, size > 0 ? size : 1);
    if (UNLIKELY(p == NULL)) {
        out_of_memory(n * size);
    }
    return large(p, n * size);
}

void *mem_realloc(void *p, size_t n)
{
    calls++;
    void *q = realloc(p, n > 0 ? n : 1);
    if (UNLIKELY(q == NULL)) {
        out_of_memory(n);
    }
    return large(q, n);
}

void *mem_dup(const void *p, size_t n)
{
    assert(p != NULL || n == 0);
    char *q = mem_alloc(n + 1);
    if (n > 0) {
        memcpy(q, p, n);
    }
    q[n] = '\0';
    return q;
}

void mem_free(void *p)
{
    free(p);
}

uint64_t mem_calls(void)
{
    return calls;
}

bool mem_limit_refused(void)
{
    return UNLIKELY(refuse_countdown > 0) && --refuse_countdown == 0;
}

void mem_refuse_at(uint64_t n)
{
    refuse_countdown = n;
}

/* A heap per thread keeps what its thread once needed; librdkafka has a thread per broker and
 * client, whose buffers others free. The limits are fixed, because glibc raises them to the largest
 * buffer it ever saw: then none goes back to the system. They lie above what fetches are unpacked
 * to, up to a few MB: mapping and unmapping each costs more than to unpack it. */
void mem_tune(void)
{
#ifdef __GLIBC__
    (void)mallopt(M_ARENA_MAX, 4);
    (void)mallopt(M_MMAP_THRESHOLD, 4 << 20);
    (void)mallopt(M_TRIM_THRESHOLD, 4 << 20);
#endif
}

void mem_trim(void)
{
#ifdef __GLIBC__
    (void)malloc_trim(0);
#endif
}
