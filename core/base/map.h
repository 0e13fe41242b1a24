/* SPDX-License-Identifier: Apache-2.0
 *
 * A hash map from byte strings to pointers (or small integers cast to them). Iteration is in order
 * of insertion, so that nothing ever depends on hash order. Keys are copied into the map. A limit
 * in entries is mandatory.
 *
 *     struct map m;
 *     map_init(&m, 1000);
 *     void **slot = map_put(&m, SLICE("a"));        NULL only at the limit; *slot is NULL when new
 *     MAP_EACH(&m, e) { use(e->key, e->value); }
 *
 * Removal leaves a hole that is closed at the next growth; MAP_EACH skips holes.
 */
#ifndef CORE_BASE_MAP_H
#define CORE_BASE_MAP_H

#include "core/base/slice.h"

struct map_entry {
    struct slice key; /* {NULL, 0}: a hole */
    void *value;
    uint64_t hash;
};

struct map {
    struct map_entry *entries; /* in order of insertion */
    uint32_t *index;           /* open addressing: 0 free, else entry + 1 */
    size_t len, live, cap;     /* entries used, without holes, allocated */
    size_t index_size, max;
};

void map_init(struct map *m, size_t max_entries);
void map_done(struct map *m);
void map_clear(struct map *m);
/* The value, or NULL. map_slot tells absent from NULL. */
void *map_get(const struct map *m, struct slice key);
void **map_slot(const struct map *m, struct slice key);
/* The place of the value, new or old; NULL at the limit. Valid until the next put. */
void **map_put(struct map *m, struct slice key);
/* The value that was there, or NULL. */
void *map_remove(struct map *m, struct slice key);

#define MAP_EACH(m, e)                                                                             \
    for (struct map_entry *e = (m)->entries; (m)->len > 0 && e < (m)->entries + (m)->len; e++)     \
        if (e->key.ptr != NULL)

#endif
