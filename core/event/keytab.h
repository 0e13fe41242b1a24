/* SPDX-License-Identifier: Apache-2.0
 *
 * A small cache in front of an intern table, for decoders: the keys of telemetry repeat from event
 * to event, and a direct-mapped cache of 1024 places answers them in a few nanoseconds, without
 * hashing whole strings. Also tells whether a key was already seen in the current map.
 */
#ifndef CORE_EVENT_KEYTAB_H
#define CORE_EVENT_KEYTAB_H

#include "core/base/intern.h"

enum { KEYTAB_SIZE = 1024 };

struct keytab_cell {
    const char *text; /* in the intern table */
    uint32_t len, id;
};

struct keytab {
    struct intern *keys;
    uint32_t *stamp; /* by id: the last map (number) that had the key */
    size_t stamps;
    uint32_t map; /* number of the current map */
    struct keytab_cell cells[KEYTAB_SIZE];
};

void keytab_init(struct keytab *t, struct intern *keys);
void keytab_done(struct keytab *t);
/* A miss: asks the intern table and remembers. */
const struct keytab_cell *keytab_get_slow(struct keytab *t, struct keytab_cell *cell,
                                          struct slice key);

/* Length, first and last bytes: cheap, always in bounds, and different for most keys. */
static inline uint32_t keytab_mix(struct slice key)
{
    uint64_t head = 0, tail = 0;
    uint32_t a = 0, b = 0;
    if (key.len >= 8) {
        memcpy(&head, key.ptr, 8);
        memcpy(&tail, key.ptr + key.len - 8, 8);
    } else if (key.len >= 4) {
        memcpy(&a, key.ptr, 4);
        memcpy(&b, key.ptr + key.len - 4, 4);
        head = a;
        tail = b;
    } else if (key.len > 0) {
        head = (unsigned char)key.ptr[0];
        tail = (uint64_t)(unsigned char)key.ptr[key.len / 2] << 8 |
               (unsigned char)key.ptr[key.len - 1];
    }
    uint64_t mixed = (head ^ (tail << 23 | tail >> 41) ^ key.len) * 0x9e3779b97f4a7c15u;
    return (uint32_t)(mixed >> 54);
}

/* The cell that now holds the key; NULL when the table is full and does not know it. Valid until
 * the next call. */
static inline const struct keytab_cell *keytab_get(struct keytab *t, struct slice key)
{
    struct keytab_cell *cell = &t->cells[keytab_mix(key)];
    if (LIKELY(cell->id != 0 && cell->len == key.len &&
               memcmp(cell->text, key.ptr, key.len) == 0)) {
        return cell;
    }
    return keytab_get_slow(t, cell, key);
}

/* Starts a map; then true the first time an id comes. */
void keytab_map_wrap(struct keytab *t);
static inline void keytab_map(struct keytab *t)
{
    if (UNLIKELY(++t->map == 0)) {
        keytab_map_wrap(t);
    }
}
static inline bool keytab_first(struct keytab *t, uint32_t id)
{
    if (t->stamp[id] == t->map) {
        return false;
    }
    t->stamp[id] = t->map;
    return true;
}

#endif
