/* SPDX-License-Identifier: Apache-2.0
 *
 * See ring.h. head and tail sit on cache lines of their own, and each side keeps a stale copy of
 * the other's position that it refreshes only when the ring looks full or empty.
 */
#include "core/base/ring.h"

#include "core/base/mem.h"

#include <assert.h>
#include <stdatomic.h>

enum { CACHE_LINE = 64 };

struct ring {
    void **slots;
    size_t mask;
    char pad0[CACHE_LINE];
    atomic_size_t head; /* next to pop */
    size_t tail_seen;   /* consumer's copy */
    char pad1[CACHE_LINE];
    atomic_size_t tail; /* next to push */
    size_t head_seen;   /* producer's copy */
    char pad2[CACHE_LINE];
};

struct ring *ring_new(size_t size)
{
    assert(size > 1 && (size & (size - 1)) == 0);
    struct ring *r = MEM_NEW(struct ring);
    r->slots = mem_calloc(size, sizeof *r->slots);
    r->mask = size - 1;
    return r;
}

void ring_free(struct ring *r)
{
    if (r != NULL) {
        mem_free(r->slots);
        mem_free(r);
    }
}

bool ring_push(struct ring *r, void *item)
{
    assert(item != NULL);
    size_t tail = atomic_load_explicit(&r->tail, memory_order_relaxed);
    if (tail - r->head_seen > r->mask) {
        r->head_seen = atomic_load_explicit(&r->head, memory_order_acquire);
        if (tail - r->head_seen > r->mask) {
            return false;
        }
    }
    r->slots[tail & r->mask] = item;
    atomic_store_explicit(&r->tail, tail + 1, memory_order_release);
    return true;
}

void *ring_pop(struct ring *r)
{
    size_t head = atomic_load_explicit(&r->head, memory_order_relaxed);
    if (head == r->tail_seen) {
        r->tail_seen = atomic_load_explicit(&r->tail, memory_order_acquire);
        if (head == r->tail_seen) {
            return NULL;
        }
    }
    void *item = r->slots[head & r->mask];
    atomic_store_explicit(&r->head, head + 1, memory_order_release);
    return item;
}

size_t ring_len(const struct ring *r)
{
    size_t head = atomic_load_explicit(&r->head, memory_order_acquire);
    return atomic_load_explicit(&r->tail, memory_order_acquire) - head;
}
