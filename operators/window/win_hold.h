/* SPDX-License-Identifier: Apache-2.0
 *
 * The containers of windows: lists, rings of events, maps by key. Nothing here allocates per event
 * once it has its size.
 */
#ifndef OPERATORS_WINDOW_WIN_HOLD_H
#define OPERATORS_WINDOW_WIN_HOLD_H

#include "core/base/hidx.h"
#include "operators/sig/dat.h"

/* ---- lists: what is emitted ---- */

struct win_list { /* zeroed is empty; holds no references of its own */
    struct evt **ptr;
    size_t len, cap;
};
void win_list_add(struct win_list *l, struct evt *e);
void win_list_done(struct win_list *l);
void win_list_drop(struct win_list *l,
                   struct vheap *h); /* gives back a reference of each, empties */

/* ---- where an event stands: event -> number, for removal ---- */

struct win_index { /* zeroed is empty; an event may stand at several numbers */
    struct hidx by_event;
};
void win_index_add(struct win_index *x, const struct evt *e, uint64_t at);
bool win_index_find(const struct win_index *x, const struct evt *e, uint64_t *ret_at);
void win_index_remove(struct win_index *x, const struct evt *e, uint64_t at);
void win_index_clear(struct win_index *x);
void win_index_done(struct win_index *x);

/* ---- events in order of arrival, with a number (a time) each; keeps them ---- */

struct win_late;
struct win_slot {
    struct evt *e; /* NULL: removed from the middle */
    int64_t at;
};
enum { WIN_RING_PAGE = 4096 }; /* slots */
struct win_ring {              /* zeroed is empty */
    union {
        struct win_slot *slots;  /* of a small one: slot i is slots[i & (cap - 1)] */
        struct win_slot **pages; /* if cap > WIN_RING_PAGE: by the number of the page, likewise */
    };
    struct win_slot *spare; /* a page */
    size_t cap;             /* a power of two */
    uint64_t head, tail;
    size_t live;             /* without those removed */
    uint64_t moved, unmoved; /* while gaps are closed: those between are gaps; unmoved 0: not */
    bool indexed;            /* from the first removal on; */
    uint64_t known, unknown; /* but for those from known to before unknown, a few at a time */
    struct win_index index;
    uint32_t *lives;       /* events by page, once somebody counted places between gaps; NULL */
    struct win_late *late; /* NULL: it is not being saved in slices (win_late.h) */
};
static inline struct win_slot *win_ring_slot(const struct win_ring *r, uint64_t i)
{
    if (LIKELY(r->cap <= WIN_RING_PAGE)) {
        return &r->slots[i & (r->cap - 1)];
    }
    return &r->pages[(i / WIN_RING_PAGE) & (r->cap / WIN_RING_PAGE - 1)][i % WIN_RING_PAGE];
}
void win_ring_push(struct win_ring *r, struct evt *e, int64_t at);
struct win_slot *win_ring_first(struct win_ring *r); /* the oldest, NULL if empty */
const struct win_slot *win_ring_last(const struct win_ring *r);
/* Takes the oldest out: the reference is the caller's. */
struct evt *win_ring_take(struct win_ring *r);
/* Takes that event out if it is there (the reference is the caller's). */
bool win_ring_remove(struct win_ring *r, const struct evt *e);
struct win_slot *win_ring_find(struct win_ring *r, const struct evt *e); /* NULL */
struct evt *win_ring_nth(struct win_ring *r, size_t n);                  /* 0 = oldest */
void win_ring_each(const struct win_ring *r, void (*fn)(void *arg, struct evt *e), void *arg);
void win_ring_renew(struct win_ring *r, struct vheap *h); /* of an empty one: not too much memory */
void win_ring_done(struct win_ring *r, struct vheap *h);

/* ---- maps by key values ---- */

enum { WIN_KEYS_MAX = 16 };

struct win_map_late;
struct win_node {
    struct win_node *prev, *next; /* in order of first arrival */
    uint64_t hash, place;         /* places ascend in that order */
    void *what;
    uint32_t cut; /* of the map: what it held then has been put aside */
    struct dat key[];
};
struct win_map { /* zeroed is empty */
    struct hidx by_key;
    struct win_node *first, *last, *free;
    uint32_t n_keys, cut;
    uint64_t places;           /* given so far */
    struct win_map_late *late; /* NULL: it is not being saved in slices (win_late.h) */
};
uint64_t win_key_hash(const struct dat *key, uint32_t n);
struct win_node *win_map_find(const struct win_map *m, const struct dat *key, uint64_t hash);
struct win_node *win_map_add(struct win_map *m, const struct dat *key, uint64_t hash);
void win_map_remove(struct win_map *m, struct vheap *h, struct win_node *node);
/* An equal key instead: texts are those of the event at hand, and an older one's may go. */
void win_map_rekey(const struct win_map *m, struct vheap *h, struct win_node *node,
                   const struct dat *key);
void win_map_renew(struct win_map *m, struct vheap *h); /* as win_ring_renew */
void win_map_done(struct win_map *m, struct vheap *h);

#endif
