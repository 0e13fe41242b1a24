/* SPDX-License-Identifier: Apache-2.0
 *
 * What a slot knows of the snapshots of one task, and what it does with them (slot_snap.c).
 */
#ifndef OPERATORS_SHARD_SLOT_SNAP_H
#define OPERATORS_SHARD_SLOT_SNAP_H

#include "core/base/vec.h"
#include "core/bus/bus_types.h"
#include "operators/state/snap.h"

struct slot;
struct slot_one;

enum slot_snap_state { SNAP_NONE, SNAP_CUT, SNAP_SENDING };

struct slot_page {
    char *bytes;
    size_t len;
};

struct slot_snap { /* of a task */
    enum slot_snap_state state;
    uint32_t side, from, to; /* the last complete one; pages of the transaction under way */
    struct snap_root root;
    int64_t due;
    bool found; /* at the start: a root that fits */
    VEC(struct slot_page) pages[2];
};

/* True: the task must be cut, because pages go out. */
bool slot_snap_before_cut(struct slot *s, struct slot_one *o);
uint32_t slot_snap_puts(const struct slot_one *o); /* records of the cut under way */
int slot_snap_put(struct slot *s, struct slot_one *o, uint32_t i, struct err *reterr) NODISCARD;
void slot_snap_committed(struct slot *s, struct slot_one *o, int64_t journal_offset);
void slot_snap_record(struct slot *s, uint32_t load, const struct bus_record *r);
void slot_snap_restore(struct slot *s, struct slot_one *o);
void slot_snap_forget(struct slot_snap *p);

#endif
