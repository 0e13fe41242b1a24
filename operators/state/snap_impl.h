/* SPDX-License-Identifier: Apache-2.0
 *
 * The inside of a snap_set, for snap_set.c (what is there) and snap_build.c (what is written).
 */
#ifndef OPERATORS_STATE_SNAP_IMPL_H
#define OPERATORS_STATE_SNAP_IMPL_H

#include "core/base/map.h"
#include "core/base/vec.h"
#include "operators/state/snap_set.h"

struct snap_manifest {
    VEC(struct snap_group) groups; /* by node and group */
    VEC(struct snap_part) parts;   /* likewise; those of packed groups one by one */
};

struct snap_held { /* keys that are there, of a group and side: 0 .. n - 1 */
    struct snap_key k;
    uint32_t n;
};

struct snap_value { /* a page, as read */
    size_t len;
    char bytes[];
};

struct snap_slab { /* huge pages (core/base/mem.h) in which pieces lie */
    char *at;
    uint32_t taken; /* bytes */
    uint32_t held;  /* by pieces that are there, and by the set while it takes more */
};

struct snap_piece {
    char *ptr;
    struct snap_slab *slab; /* NULL: it is of its own */
    uint32_t len;
};
enum { SNAP_PIECE = SNAP_VALUE_MAX / 2 }; /* small enough to be used again at once when freed */

/* Values of a group and side, as read: number i is pieces 2 * i and 2 * i + 1. They go as their
 * chunk is loaded, so that what is made of them can have their memory. */
struct snap_read {
    struct save_more more; /* first */
    VEC(struct snap_piece) pieces;
    size_t at;    /* the piece that was given last */
    char *joined; /* NULL; or all of it, for who wants it in one */
};

struct snap_node { /* of the snapshot under way: what of it is not queued yet */
    uint64_t node;
    bool split; /* it is too large for one value */
    size_t bytes;
    VEC(struct save_chunk) chunks; /* owned */
};

struct snap_pieces { /* a chunk that is being added in pieces */
    bool open;
    uint64_t node, bytes;
    uint32_t group, side, chunks, crc; /* chunks: values that are queued */
    struct hash_state *hash;
    char *value; /* the one being filled */
    size_t len;
};

struct snap_queued {
    struct snap_put p;
    char *owned; /* what the value lies in; NULL */
    bool root;
};

struct snap_set {
    uint64_t lineage;
    unsigned newer; /* format of the root, if a newer program has written it; 0 */
    bool has_root;
    struct snap_root root;
    struct snap_manifest now;
    struct map held;        /* struct snap_held, by the key of value 0 */
    uint32_t held_pages[2]; /* per side */
    bool held_root;

    /* reading */
    struct map pages, values; /* struct snap_value by key; struct snap_read by that of value 0 */
    struct snap_slab *slab;   /* that takes pieces; NULL: none yet */
    size_t kept;              /* bytes of pieces, of all that came */
    VEC(struct save_chunk) chunks;

    /* writing */
    bool building;
    struct snap_manifest next;
    struct snap_root next_root;
    struct map nodes; /* struct snap_node */
    VEC(struct snap_queued) queue;
    size_t from, to; /* the portion under way */
    struct snap_pieces pieces;
    size_t waiting; /* bytes of values in the queue */
    struct snap_counts counting, counts;
    const struct snap_watch *watch;
};

/* snap_set.c */
const struct snap_group *snap_find(const struct snap_manifest *m, uint64_t node, uint32_t group);
size_t snap_parts_of(const struct snap_manifest *m, uint64_t node, size_t *ret_n);
void snap_sort(struct snap_manifest *m);
struct snap_held *snap_hold(struct snap_set *s, const struct snap_key *k);
void snap_manifest_done(struct snap_manifest *m);

#endif
