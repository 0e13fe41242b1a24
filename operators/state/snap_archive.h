/* SPDX-License-Identifier: Apache-2.0
 *
 * Old snapshots, for replay: the whole state of a task at a cut, in records of the topic
 * `state.archive`, which keeps everything for as long as one may replay, and is not compacted. An
 * archive is pages, all chunks one behind the other in pieces of at most 512 KiB, and a root, which
 * is written last and names the cut; pages without it are nothing. Keys are (lineage, record of the
 * journal, page).
 *
 * Writing: snap_archive_begin; the watch, given to the snap_set, gathers the chunks of the snapshot
 * that is made; snap_archive_seal, then puts go out in portions. Reading: roots and pages are read
 * by key; snap_archive_open gives the chunks.
 */
#ifndef OPERATORS_STATE_SNAP_ARCHIVE_H
#define OPERATORS_STATE_SNAP_ARCHIVE_H

#include "core/base/arena.h"
#include "operators/state/snap_set.h"

enum { SNAP_ARCHIVE_ROOT = 0x7fffffff, SNAP_ARCHIVE_KEY = 20 }; /* the root's page; bytes */

struct snap_archive_key {
    uint64_t lineage, seq;
    uint32_t page;
};

struct snap_archive_root {
    struct snap_root root; /* of the snapshot: cut, rules, engine, state */
    int64_t clock;         /* of the task, at the cut */
    uint64_t bytes;        /* of all pages */
    struct hash128 sum;    /* likewise */
};

struct slice snap_archive_key_write(const struct snap_archive_key *k, char to[SNAP_ARCHIVE_KEY]);
bool snap_archive_key_read(struct slice bytes, struct snap_archive_key *ret);
bool snap_archive_root_write(const struct snap_archive_root *r, struct buf *to);
/* ERR_CORRUPT; ERR_UNSUPPORTED: of another format. */
int snap_archive_root_read(struct slice bytes, struct snap_archive_root *ret,
                           struct err *reterr) NODISCARD;
/* All pages in one piece: chunks as snap_set_chunks gives them; they point into it. */
int snap_archive_open(const struct snap_archive_root *r, struct slice pages, struct arena *a,
                      const struct save_chunk **ret, size_t *ret_n, struct err *reterr) NODISCARD;

struct snap_archive;

struct snap_archive *snap_archive_new(uint64_t lineage);
void snap_archive_free(struct snap_archive *a);
void snap_archive_begin(struct snap_archive *a);
const struct snap_watch *snap_archive_watch(const struct snap_archive *a);
/* False: it is too large, and there is none. */
bool snap_archive_seal(struct snap_archive *a, const struct snap_root *r, int64_t clock);
bool snap_archive_has_puts(const struct snap_archive *a);
/* The next portion: how many puts. It is given up with 0. */
uint32_t snap_archive_take(struct snap_archive *a, size_t max_bytes);
uint32_t snap_archive_taken(const struct snap_archive *a);
/* Of the portion; lives until the next call. */
const struct snap_put *snap_archive_put(struct snap_archive *a, uint32_t i);
/* The portion is in the log. True: with it the root. */
bool snap_archive_committed(struct snap_archive *a);

#endif
