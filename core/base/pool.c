/* SPDX-License-Identifier: Apache-2.0
 *
 * See pool.h. The free list runs through the first word of each free object.
 */
#include "core/base/pool.h"

#include "core/base/mem.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { SLAB_OBJECTS = 64, ALIGN = 16 };

struct slab {
    struct slab *next;
    _Alignas(ALIGN) char data[];
};

struct free_object {
    struct free_object *next;
};

struct pool {
    const char *name;
    size_t size, live, peak, max;
    uint64_t refused;
    struct slab *slabs;
    struct free_object *free;
    size_t untouched; /* objects of the newest slab that were never handed out */
    int poison;
};

struct pool *pool_new(const char *name, size_t object_bytes, size_t max_objects)
{
    assert(name != NULL && object_bytes > 0);
    assert(max_objects > 0);
    struct pool *p = MEM_NEW(struct pool);
    const char *mode = getenv("KAIJU_ARENA_DEBUG");
    p->name = name;
    p->size = (MAX(object_bytes, sizeof(struct free_object)) + ALIGN - 1) & ~(size_t)(ALIGN - 1);
    p->max = max_objects;
    p->poison = mode != NULL && strstr(mode, "poison") != NULL;
    return p;
}

void pool_free(struct pool *p, int leak_ok)
{
    if (p == NULL) {
        return;
    }
    assert(leak_ok || p->live == 0);
    (void)leak_ok;
    while (p->slabs != NULL) {
        struct slab *s = p->slabs;
        p->slabs = s->next;
        mem_free(s);
    }
    mem_free(p);
}

void *pool_get(struct pool *p)
{
    assert(p != NULL);
    if (UNLIKELY(p->live >= p->max || mem_limit_refused())) {
        p->refused++;
        return NULL;
    }
    void *object = p->free;
    if (object != NULL) {
        p->free = p->free->next;
    } else {
        if (p->untouched == 0) {
            struct slab *s = mem_alloc(sizeof *s + p->size * SLAB_OBJECTS);
            s->next = p->slabs;
            p->slabs = s;
            p->untouched = SLAB_OBJECTS;
        }
        object = p->slabs->data + p->size * (SLAB_OBJECTS - p->untouched);
        p->untouched--;
    }
    p->live++;
    p->peak = MAX(p->peak, p->live);
    return memset(object, 0, p->size);
}

void pool_put(struct pool *p, void *object)
{
    assert(object != NULL);
    assert(p->live > 0);
    if (p->poison) {
        memset(object, 0xdd, p->size);
    }
    struct free_object *f = object;
    f->next = p->free;
    p->free = f;
    p->live--;
}

struct pool_stats pool_stats(const struct pool *p)
{
    return (struct pool_stats){p->live, p->peak, p->max, p->refused};
}
