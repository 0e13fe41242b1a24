/* SPDX-License-Identifier: Apache-2.0
 *
 * See arena.h. An arena is a list of blocks; blocks double in size up to 256 KiB, larger requests
 * get a block of their own. `reserved` is charged along the chain of parents, so that a limit holds
 * for a whole subtree and costs one walk per block, not per allocation.
 */
#include "core/base/arena.h"

#include "core/base/mem.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { BLOCK_FIRST = 1024, BLOCK_MAX = 256 * 1024, ALIGN = 16 };

struct block {
    struct block *next;
    size_t size, used; /* of data[] */
    _Alignas(ALIGN) char data[];
};

struct hook {
    struct hook *next;
    void (*fn)(void *);
    void *arg;
};

struct arena {
    struct arena *parent, *child, *prev, *next; /* next, prev: siblings */
    struct block *blocks;                       /* newest first */
    struct block *spare;                        /* kept by reset, empty */
    size_t spare_bytes, keep;
    struct hook *hooks;
    const char *name;
    size_t used, reserved, max;
    uint64_t refused;
    bool poison;
};

static bool poison_wanted(void)
{
    const char *mode = getenv("KAIJU_ARENA_DEBUG");
    return mode != NULL && strstr(mode, "poison") != NULL;
}

struct arena *arena_new(struct arena *parent, const char *name, size_t max_bytes)
{
    assert(name != NULL);
    assert(max_bytes > 0);
    struct arena *a = MEM_NEW(struct arena);
    a->parent = parent;
    a->name = name;
    a->max = max_bytes;
    a->poison = parent != NULL ? parent->poison : poison_wanted();
    if (parent != NULL) {
        a->next = parent->child;
        if (a->next != NULL) {
            a->next->prev = a;
        }
        parent->child = a;
    }
    return a;
}

/* Charges n bytes to the arena and all above it, or to none of them. */
static bool charge(struct arena *a, size_t n)
{
    for (struct arena *up = a; up != NULL; up = up->parent) {
        if (n > up->max - MIN(up->reserved, up->max)) {
            return false;
        }
    }
    for (struct arena *up = a; up != NULL; up = up->parent) {
        up->reserved += n;
    }
    return true;
}

static void release(struct arena *a, struct block *b)
{
    size_t n = sizeof *b + b->size;
    for (struct arena *up = a; up != NULL; up = up->parent) {
        assert(up->reserved >= n);
        up->reserved -= n;
    }
    if (a->poison) {
        memset(b->data, 0xdd, b->size);
    }
    mem_free(b);
}

/* Runs hooks and frees children; the hooks themselves live in the arena's blocks. */
static void empty(struct arena *a)
{
    while (a->child != NULL) {
        arena_free(a->child);
    }
    while (a->hooks != NULL) {
        struct hook *h = a->hooks;
        a->hooks = h->next;
        h->fn(h->arg);
    }
}

/* Sets an emptied block aside, if arena_keep allows. */
static bool spare_block(struct arena *a, struct block *b)
{
    if (b->size > a->keep - MIN(a->spare_bytes, a->keep)) {
        return false;
    }
    if (a->poison) {
        memset(b->data, 0xdd, b->size);
    }
    b->used = 0;
    b->next = a->spare;
    a->spare = b;
    a->spare_bytes += b->size;
    return true;
}

/* A block set aside that has room for n bytes, or NULL. */
static struct block *take_spare(struct arena *a, size_t n)
{
    for (struct block **at = &a->spare; *at != NULL; at = &(*at)->next) {
        struct block *b = *at;
        if (b->size >= n) {
            *at = b->next;
            a->spare_bytes -= b->size;
            return b;
        }
    }
    return NULL;
}

void arena_keep(struct arena *a, size_t bytes)
{
    assert(a != NULL);
    assert(bytes <= a->max);
    a->keep = bytes;
}

void arena_reset(struct arena *a)
{
    assert(a != NULL);
    empty(a);
    /* Keep the newest block: it is the largest of the doubling series, unless it was made for one
     * oversized request. */
    struct block *keep = a->blocks != NULL && a->blocks->size <= BLOCK_MAX ? a->blocks : NULL;
    struct block *b = a->blocks;
    while (b != NULL) {
        struct block *next = b->next;
        if (b != keep && !spare_block(a, b)) {
            release(a, b);
        }
        b = next;
    }
    a->blocks = keep;
    if (keep != NULL) {
        keep->next = NULL;
        keep->used = 0;
        if (a->poison) {
            memset(keep->data, 0xdd, keep->size);
        }
    }
    a->used = 0;
}

void arena_free(struct arena *a)
{
    if (a == NULL) {
        return;
    }
    empty(a);
    while (a->blocks != NULL || a->spare != NULL) {
        struct block **from = a->blocks != NULL ? &a->blocks : &a->spare;
        struct block *b = *from;
        *from = b->next;
        release(a, b);
    }
    assert(a->reserved == 0);
    if (a->prev != NULL) {
        a->prev->next = a->next;
    } else if (a->parent != NULL) {
        a->parent->child = a->next;
    }
    if (a->next != NULL) {
        a->next->prev = a->prev;
    }
    mem_free(a);
}

static struct block *add_block(struct arena *a, size_t n)
{
    size_t size = a->blocks != NULL ? MIN(a->blocks->size * 2, (size_t)BLOCK_MAX) : BLOCK_FIRST;
    size = MAX(size, n);
    if (mem_limit_refused()) {
        return NULL;
    }
    struct block *spare = take_spare(a, n);
    if (spare != NULL) {
        spare->next = a->blocks;
        a->blocks = spare;
        return spare;
    }
    if (!charge(a, sizeof(struct block) + size)) {
        /* Close to the limit a block of just the size may still fit. */
        size = n;
        if (!charge(a, sizeof(struct block) + size)) {
            return NULL;
        }
    }
    struct block *b = mem_alloc(sizeof *b + size);
    b->size = size;
    b->used = 0;
    b->next = a->blocks;
    a->blocks = b;
    return b;
}

void *arena_alloc(struct arena *a, size_t n)
{
    assert(a != NULL);
    if (UNLIKELY(n > a->max)) {
        a->refused++;
        return NULL;
    }
    n = (MAX(n, (size_t)1) + ALIGN - 1) & ~(size_t)(ALIGN - 1);
    struct block *b = a->blocks;
    if (UNLIKELY(b == NULL || b->size - b->used < n)) {
        b = add_block(a, n);
        if (b == NULL) {
            a->refused++;
            return NULL;
        }
    }
    void *p = b->data + b->used;
    b->used += n;
    a->used += n;
    return p;
}

void *arena_zalloc(struct arena *a, size_t n)
{
    void *p = arena_alloc(a, n);
    return p != NULL ? memset(p, 0, n) : NULL;
}

void *arena_array(struct arena *a, size_t n, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(n, size, &bytes)) {
        a->refused++;
        return NULL;
    }
    return arena_zalloc(a, bytes);
}

char *arena_str(struct arena *a, struct slice s)
{
    char *p = s.len < SIZE_MAX ? arena_alloc(a, s.len + 1) : NULL;
    if (p != NULL) {
        if (s.len > 0) {
            memcpy(p, s.ptr, s.len);
        }
        p[s.len] = '\0';
    }
    return p;
}

struct slice arena_copy(struct arena *a, struct slice s)
{
    char *p = arena_str(a, s);
    return p != NULL ? slice_of(p, s.len) : SLICE_NONE;
}

char *arena_printf(struct arena *a, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    char *p = n >= 0 ? arena_alloc(a, (size_t)n + 1) : NULL;
    if (p != NULL) {
        va_start(ap, fmt);
        vsnprintf(p, (size_t)n + 1, fmt, ap);
        va_end(ap);
    }
    return p;
}

bool arena_on_reset(struct arena *a, void (*fn)(void *), void *arg)
{
    assert(fn != NULL);
    struct hook *h = ARENA_NEW(a, struct hook);
    if (h == NULL) {
        return false;
    }
    h->fn = fn;
    h->arg = arg;
    h->next = a->hooks;
    a->hooks = h;
    return true;
}

struct arena_stats arena_stats(const struct arena *a)
{
    return (struct arena_stats){a->used, a->reserved, a->max, a->refused};
}
