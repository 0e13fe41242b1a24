/* SPDX-License-Identifier: Apache-2.0
 *
 * Slots and transactions of the simulated bus, as the broker sees them. A transaction is counted:
 * its writer, its slot (while undecided) and each action that means it hold one count. It goes
 * OPEN -> COMMITTED or ABORTED (the decision) -> DONE (every marker written).
 */
#ifndef CORE_BUS_BUS_SIM_TXN_H
#define CORE_BUS_BUS_SIM_TXN_H

#include "core/bus/bus_sim.h"
#include "core/bus/bus_sim_log.h"

enum sim_txn_state {
    SIM_TXN_OPEN = 0,
    SIM_TXN_COMMITTED = 1,
    SIM_TXN_ABORTED = 2,
    SIM_TXN_DONE = 3,
};

struct sim_touch { /* a partition of a transaction */
    struct sim_part *part;
    struct bus_tp tp;
    int64_t first;
    uint32_t count;
};

struct sim_txn {
    uint32_t refs;
    enum sim_txn_state state;
    struct sim_slot *slot;
    int64_t epoch;
    uint64_t client, writer, tag, bytes;
    VEC(struct sim_record *) puts; /* not yet appended */
    VEC(struct sim_touch) touched;
    uint32_t markers; /* still to be written */
    bool lazy;        /* nothing is appended before the commit */
    bool listed;      /* in slot->undecided */
    bool timed_out;
    bool told; /* UNKNOWN was told already: decide in silence */
};

struct sim_slot {
    struct slice name; /* of the map's key */
    int64_t epoch;
    VEC(struct sim_txn *) undecided; /* each holds a count */
    VEC(struct sim_txn *) held;      /* likewise */
    VEC(struct sim_op *) waiting;    /* opens and fences waiting for markers; owned */
    VEC(enum bus_sim_fate) fates;
};

struct sim_slot *sim_slot_get(struct sim_bus *b, struct slice name);
void sim_slot_free(struct sim_slot *s);
/* A new epoch: whoever held the slot is fenced, his open transactions abort. */
void sim_slot_bump(struct sim_bus *b, struct sim_slot *s);

struct sim_writer;
struct sim_txn *sim_txn_new(struct sim_bus *b, const struct sim_writer *w);
void sim_txn_unref(struct sim_txn *t);
void sim_txn_unref_obj(void *txn);
/* Appends what was put, unless the slot has moved on. */
void sim_txn_flush(struct sim_bus *b, struct sim_txn *t);
/* Takes over the caller's count. */
void sim_txn_commit(struct sim_bus *b, struct sim_txn *take_t, int64_t after_ns);
void sim_txn_abort(struct sim_bus *b, struct sim_txn *take_t, int64_t after_ns);
/* The client is gone without a word (crash) or has closed. */
void sim_txn_give_up(struct sim_bus *b, struct sim_txn *take_t, bool crashed);

#endif
