/* SPDX-License-Identifier: Apache-2.0
 *
 * Snapshots of tasks as records of the topic `state`. An *image* is the state of a task in one run
 * of bytes: what the task says of itself, then the engine's chunks. It is cut into pages; pages are
 * written to one of two sides in turn, and the *root*, which names the side, the number of pages
 * and their sum, is written last. So there is a whole snapshot at every moment: pages without their
 * root are nothing, and the side that the root names is never written to.
 *
 * The topic is compacted: keys are (lineage, side, page) and (lineage, root).
 */
#ifndef OPERATORS_STATE_SNAP_H
#define OPERATORS_STATE_SNAP_H

#include "core/base/buf.h"
#include "core/base/err.h"
#include "core/base/hash.h"
#include "operators/sig/save.h"

enum {
    SNAP_FORMAT = 1,
    SNAP_PAGE_BYTES = 512 * 1024,
    SNAP_PAGES_MAX = 2048, /* of an image */
    SNAP_KEY_BYTES = 14,
    SNAP_SIDE_ROOT = 2,
};

struct snap_root {
    uint64_t plan, seq;     /* of the rules; the record of the journal that is its cut */
    int64_t journal_offset; /* records from here on are needed; a hint */
    uint32_t engine, side, pages;
    uint64_t bytes;
    struct hash128 sum; /* of the image */
};

struct snap_key {
    uint64_t lineage;
    uint32_t side; /* 0, 1; SNAP_SIDE_ROOT */
    uint32_t page;
};

struct slice snap_key_write(const struct snap_key *k, char to[SNAP_KEY_BYTES]);
bool snap_key_read(struct slice bytes, struct snap_key *ret);
bool snap_root_write(const struct snap_root *r, struct buf *to);
int snap_root_read(struct slice bytes, struct snap_root *ret, struct err *reterr) NODISCARD;

static inline uint32_t snap_pages(uint64_t bytes)
{
    return (uint32_t)((bytes + SNAP_PAGE_BYTES - 1) / SNAP_PAGE_BYTES);
}

/* Behind what the task wrote; for eng_save. False at the buffer's limit. */
bool snap_add_chunk(struct buf *image, const struct save_chunk *c);
/* The chunks of an image, behind what the task wrote; bytes point into it. The next one off *rest:
 * 1, 0 at the end, -ERR_CORRUPT. */
int snap_next_chunk(struct slice *rest, struct save_chunk *ret);

#endif
