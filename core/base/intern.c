/* SPDX-License-Identifier: Apache-2.0
 *
 * See intern.h. Texts live in an arena; the table keeps 32 bits of hash beside each id, so that a
 * probe compares strings only when they are almost surely equal.
 */
#include "core/base/intern.h"

#include "core/base/arena.h"
#include "core/base/hash.h"
#include "core/base/mem.h"
#include "core/base/vec.h"

#include <assert.h>

struct cell {
    uint32_t id; /* 0 = free */
    uint32_t hash;
};

struct intern {
    struct arena *arena;
    VEC(struct slice) texts;
    struct cell *cells;
    size_t mask, max, bytes, max_bytes;
};

struct intern *intern_new(size_t max_strings, size_t max_bytes)
{
    assert(max_strings > 0 && max_strings < UINT32_MAX / 2);
    assert(max_bytes > 0);
    struct intern *t = MEM_NEW(struct intern);
    /* The arena's own overhead (padding, block headers) is not the user's: the byte limit counts
     * texts, the arena is given room for the worst padding. */
    t->arena = arena_new(NULL, "intern", max_bytes + max_strings * 32 + 1024 * 1024);
    t->max = max_strings;
    t->max_bytes = max_bytes;
    t->mask = 63;
    t->cells = mem_calloc(t->mask + 1, sizeof *t->cells);
    return t;
}

void intern_free(struct intern *t)
{
    if (t == NULL) {
        return;
    }
    arena_free(t->arena);
    VEC_DONE(&t->texts);
    mem_free(t->cells);
    mem_free(t);
}

static size_t probe(const struct intern *t, struct slice s, uint32_t hash)
{
    size_t i = hash & t->mask;
    for (; t->cells[i].id != 0; i = (i + 1) & t->mask) {
        if (t->cells[i].hash == hash && slice_eq(t->texts.ptr[t->cells[i].id - 1], s)) {
            break;
        }
    }
    return i;
}

static void grow(struct intern *t)
{
    size_t old_mask = t->mask;
    struct cell *old = t->cells;
    t->mask = old_mask * 2 + 1;
    t->cells = mem_calloc(t->mask + 1, sizeof *t->cells);
    for (size_t i = 0; i <= old_mask; i++) {
        if (old[i].id != 0) {
            size_t at = old[i].hash & t->mask;
            while (t->cells[at].id != 0) {
                at = (at + 1) & t->mask;
            }
            t->cells[at] = old[i];
        }
    }
    mem_free(old);
}

uint32_t intern_find(const struct intern *t, struct slice s)
{
    return t->cells[probe(t, s, (uint32_t)hash_fast(s))].id;
}

uint32_t intern_id(struct intern *t, struct slice s)
{
    uint32_t hash = (uint32_t)hash_fast(s);
    size_t i = probe(t, s, hash);
    if (LIKELY(t->cells[i].id != 0)) {
        return t->cells[i].id;
    }
    if (t->texts.len >= t->max || s.len > t->max_bytes - t->bytes || mem_limit_refused()) {
        return 0;
    }
    char *text = arena_str(t->arena, s);
    if (text == NULL) {
        return 0;
    }
    t->bytes += s.len;
    *VEC_PUSH(&t->texts) = slice_of(text, s.len);
    uint32_t id = (uint32_t)t->texts.len;
    t->cells[i] = (struct cell){id, hash};
    if (t->texts.len * 2 > t->mask) {
        grow(t);
    }
    return id;
}

struct slice intern_text(const struct intern *t, uint32_t id)
{
    assert(id <= t->texts.len);
    return id > 0 ? t->texts.ptr[id - 1] : SLICE_NONE;
}

size_t intern_count(const struct intern *t)
{
    return t->texts.len;
}
