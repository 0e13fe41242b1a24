/* SPDX-License-Identifier: Apache-2.0
 *
 * What one task has in the topic `state`, and the snapshot that is being written. No bus: records
 * are handed in, records come out (`puts`), in portions, one portion per transaction.
 *
 * Reading: snap_set_record for each record of the lineage, in order; snap_set_open; then the chunks
 * are there until snap_set_close. Writing: snap_set_begin; snap_set_add for each chunk (by node and
 * group), snap_set_kept for those that have not changed since the last snapshot; snap_set_seal
 * queues manifest and root. Puts may go out from the first chunk on. When the root's transaction is
 * committed (snap_set_committed says so), the new manifest is the current one, and what it does not
 * name is queued to be removed.
 *
 * An archive wants all chunks, not the changed ones alone: snap_set_watch is told each chunk of a
 * snapshot as it is added, and its root when it is committed.
 */
#ifndef OPERATORS_STATE_SNAP_SET_H
#define OPERATORS_STATE_SNAP_SET_H

#include "operators/state/snap.h"

struct snap_set;

struct snap_put {
    char key[SNAP_KEY_MAX];
    uint8_t key_len;
    bool removes; /* value: none */
    struct slice value;
};

struct snap_counts {
    uint64_t groups, changed, bytes, written, removed; /* of the last snapshot; removed: records */
};

struct snap_set *snap_set_new(uint64_t lineage);
void snap_set_free(struct snap_set *s);

/* ---- reading ---- */
/* ERR_CORRUPT: a root that does not decode. One of another format is none. */
int snap_set_record(struct snap_set *s, const struct snap_key *k, struct slice value,
                    struct err *reterr) NODISCARD;
/* NULL: there is none. */
const struct snap_root *snap_set_root(const struct snap_set *s);
/* The root is a newer program's, of that format, which this one must not pass over; 0: it is not.
 */
unsigned snap_set_newer(const struct snap_set *s);
/* All that the root names is there and whole. ERR_CORRUPT. */
int snap_set_open(struct snap_set *s, struct err *reterr) NODISCARD;
/* The chunks of the snapshot, by node and group, that of SNAP_TASK_NODE last. */
const struct save_chunk *snap_set_chunks(const struct snap_set *s, size_t *ret_n);
/* Gives their memory back; what is there is still known. */
void snap_set_close(struct snap_set *s);

/* ---- writing ---- */
void snap_set_begin(struct snap_set *s);
void snap_set_add(struct snap_set *s, const struct save_chunk *c);
/* Likewise in pieces, one chunk at a time: it is never in one place. One that is larger than a
 * value counts as changed. */
void snap_set_add_begin(struct snap_set *s, uint64_t node, uint16_t group);
void snap_set_add_bytes(struct snap_set *s, struct slice bytes);
void snap_set_add_end(struct snap_set *s);
/* Bytes that wait to be put. */
size_t snap_set_waiting(const struct snap_set *s);
/* One group of a node as the snapshot before had it; group SNAP_PACKED: all of the node. */
void snap_set_keep(struct snap_set *s, uint64_t node, uint32_t group);
bool snap_set_is_packed(const struct snap_set *s, uint64_t node); /* in the snapshot before */
/* Fills in what is known here. */
void snap_set_seal(struct snap_set *s, struct snap_root *r);
/* Gives up the one under way: nothing of it will be named. */
void snap_set_cancel(struct snap_set *s);
/* All that is there is removed, the root first. */
void snap_set_drop(struct snap_set *s);
bool snap_set_is_empty(const struct snap_set *s); /* of what was read and put, nothing is there */

bool snap_set_has_puts(const struct snap_set *s);
/* The next portion, of about so many bytes at most: how many puts. */
uint32_t snap_set_take(struct snap_set *s, size_t max_bytes);
uint32_t snap_set_taken(const struct snap_set *s);  /* of the portion under way */
bool snap_set_takes_root(const struct snap_set *s); /* it is in that portion */
const struct snap_put *snap_set_put(const struct snap_set *s, uint32_t i);
/* The portion is in the log. True: with it the root. */
bool snap_set_committed(struct snap_set *s);

struct snap_counts snap_set_counts(const struct snap_set *s);

struct snap_watch {
    void (*chunk)(void *arg, const struct save_chunk *c);
    void (*begin)(void *arg, uint64_t node, uint16_t group); /* one in pieces */
    void (*bytes)(void *arg, struct slice bytes);
    void (*end)(void *arg);
    void (*root)(void *arg, const struct snap_root *r);
    void *arg;
};
void snap_set_watch(struct snap_set *s, const struct snap_watch *w); /* borrowed; NULL: nobody */

#endif
