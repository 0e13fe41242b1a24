/* SPDX-License-Identifier: Apache-2.0
 *
 * A hash table of cells that never grows in one go. Open addressing over pages of a bounded size;
 * the upper bits of a hash say which, by a directory. A page that is full is divided, so what an
 * addition costs at most does not depend on how many cells there are. The owner has the cells,
 * compares keys, and keeps the order of what they stand for elsewhere: nothing may depend on the
 * order of cells.
 *
 * A cell is what its owner says, but for how it begins: as struct hidx_cell or, where memory counts
 * and things have numbers, as struct hidx_small. Pointers to cells hold until the next addition or
 * removal.
 *
 *     struct hidx x;
 *     hidx_init(&x, sizeof(struct hidx_cell));
 *     ((struct hidx_cell *)hidx_add(&x, hash))->what = thing;
 *     HIDX_EACH (&x, hash, struct hidx_cell, c) {
 *         if (c->hash == hash && is_it(c->what, key)) { found(c); }
 *     }
 */
#ifndef CORE_BASE_HIDX_H
#define CORE_BASE_HIDX_H

#include "core/base/attr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct hidx_cell {
    uint64_t hash;
    void *what; /* NULL: free */
};

struct hidx_small {
    uint32_t hash; /* hidx_upper */
    uint32_t what; /* 0: free */
};

struct hidx_page {
    char *cells;
    size_t mask; /* a power of two less one */
};

struct hidx {
    union {
        struct hidx_page one;  /* the only one, or where nothing was ever added: all zero */
        struct hidx_page *dir; /* if depth > 0: 2^depth entries */
    };
    uint32_t depth;
    uint32_t cell; /* bytes; 8: struct hidx_small */
    size_t count;
};

void hidx_init(struct hidx *x, size_t cell);
void hidx_done(struct hidx *x);              /* it is empty then, and may be used again */
void hidx_clear(struct hidx *x);             /* likewise, but keeps the memory of a small one */
void hidx_reserve(struct hidx *x, size_t n); /* of an empty one: so many will come */
/* A new cell: its hash is set, the rest of it zero; its owner sets what. */
void *hidx_add(struct hidx *x, uint64_t hash);
void hidx_remove(struct hidx *x, const void *cell);
/* All cells in no order: NULL to begin, then the one before; NULL: no more. */
void *hidx_next(const struct hidx *x, const void *before);

static inline uint32_t hidx_upper(uint64_t hash)
{
    return (uint32_t)(hash >> 32);
}

static inline uint64_t hidx_pointer(const void *p)
{
    return ((uint64_t)(uintptr_t)p >> 4) * 0x9e3779b97f4a7c15ULL;
}

static inline bool hidx_is_made(const struct hidx *x)
{
    return x->one.cells != NULL;
}

struct hidx_spot {
    char *cells;
    size_t mask, i;
};

/* Where cells of that hash begin, if there was an addition. */
static inline ALWAYS_INLINE struct hidx_spot hidx_spot(const struct hidx *x, uint64_t hash)
{
    const struct hidx_page *p =
        x->depth > 0 ? &x->dir[hidx_upper(hash) >> (32 - x->depth)] : &x->one;
    return (struct hidx_spot){p->cells, p->mask, hidx_upper(hash) & p->mask};
}

static inline ALWAYS_INLINE struct hidx_spot hidx_walk(const struct hidx *x, uint64_t hash)
{
    return x->count > 0 ? hidx_spot(x, hash) : (struct hidx_spot){NULL, 0, 0};
}

/* Cells that may be of that hash; `break` leaves it. */
#define HIDX_EACH(x, h, type, c)                                                                   \
    for (struct hidx_spot s_ = hidx_walk(x, h); s_.cells != NULL; s_.cells = NULL)                 \
        for (type *c = (type *)(void *)s_.cells + s_.i; c->what != 0;                              \
             s_.i = (s_.i + 1) & s_.mask, c = (type *)(void *)s_.cells + s_.i)

#endif
