/* SPDX-License-Identifier: Apache-2.0
 *
 * Snapshots of tasks as records of the topic `state`: keys and bytes. The state of a task is
 * *chunks*, one per node and key group. The bytes of a chunk lie in values of at most 512 KiB, on
 * one of two sides; a node that is small as a whole is one value, with all its groups, under group
 * SNAP_PACKED. The *manifest* says of each group on which side it lies; its pages have two sides,
 * too. The *root* names the cut and the pages and is written last: only a root makes a snapshot.
 *
 * What the root names is never written to. A snapshot writes what has changed to the other side.
 * The topic is compacted, and a compactor may run between any two records.
 *
 * To change what is written: raise SNAP_FORMAT; of an older format nothing is read, and the journal
 * is played from further back. A root of a newer one stops the task: its journal may be gone.
 */
#ifndef OPERATORS_STATE_SNAP_H
#define OPERATORS_STATE_SNAP_H

#include "core/base/buf.h"
#include "core/base/err.h"
#include "core/base/hash.h"
#include "operators/sig/save.h"

enum {
    SNAP_FORMAT = 2,
    SNAP_VALUE_MAX = 512 * 1024,
    SNAP_KEY_MAX = 23,
    SNAP_PACKED = SAVE_NO_GROUP + 1, /* group: all of a node */
    SNAP_PAGES_MAX = 4096,
};
#define SNAP_TASK_NODE UINT64_MAX       /* what the task knows beside its engine */
#define SNAP_BESIDE    (UINT64_MAX - 1) /* the first of such nodes */

enum snap_kind { SNAP_ROOT, SNAP_PAGE, SNAP_CHUNK };

struct snap_key {
    enum snap_kind kind;
    uint64_t lineage, node; /* node and group: of chunks */
    uint32_t group, side, number;
};

struct snap_group { /* of a manifest: where a group of a node lies */
    uint64_t node, bytes;
    uint32_t group, side, chunks, crc; /* crc: of the bytes */
    struct hash128 hash;               /* likewise; packed groups have their own besides */
};

struct snap_root {
    uint64_t plan, seq, prev_seq;  /* of the rules; record of the journal that is the cut; before */
    int64_t journal_offset;        /* records from here on are needed; -1: not known */
    uint32_t journal_part, engine; /* number */
    uint32_t side, pages;
    uint64_t groups, bytes;          /* of the manifest; of chunks */
    struct hash128 pages_sum, state; /* of the pages; of the cut (snap_hash) */
};

struct slice snap_key_write(const struct snap_key *k, char to[SNAP_KEY_MAX]);
bool snap_key_read(struct slice bytes, struct snap_key *ret);
bool snap_root_write(const struct snap_root *r, struct buf *to);
/* ERR_UNSUPPORTED: of another format. */
int snap_root_read(struct slice bytes, struct snap_root *ret, struct err *reterr) NODISCARD;
bool snap_group_write(const struct snap_group *g, struct buf *to);
/* Off *rest: 1, 0 at the end, -ERR_CORRUPT. */
int snap_group_read(struct slice *rest, struct snap_group *ret);

/* Groups of one node in one value; read as above. bytes point into it. */
bool snap_pack(struct buf *to, uint32_t group, struct slice bytes);
int snap_unpack(struct slice *rest, uint64_t node, struct save_chunk *ret);

static inline uint32_t snap_values(uint64_t bytes)
{
    return (uint32_t)((bytes + SNAP_VALUE_MAX - 1) / SNAP_VALUE_MAX);
}

/* The hash of a cut: of its chunks by node and group, whatever they were packed into. What the task
 * knows beside its engine is not part of it. */
struct snap_part {
    uint64_t node;
    uint32_t group;
    struct hash128 hash;
};
struct hash128 snap_hash(struct snap_part *parts, size_t n); /* puts them in order */

#endif
