/* SPDX-License-Identifier: Apache-2.0
 *
 * The committer of the local bus: one thread per store that turns all waiting operations into one
 * LMDB transaction (a *group*), syncs once and answers each operation by itself. The files that
 * hang their work into the group share this header: bus_local_commit.c (the loop, appends),
 * bus_local_decide.c (what becomes of each operation), bus_local_retain.c, bus_local_compact.c,
 * bus_local_elect.c. Everything here runs on the committer's thread unless it says otherwise.
 */
#ifndef CORE_BUS_BUS_LOCAL_COMMIT_H
#define CORE_BUS_BUS_LOCAL_COMMIT_H

#include "core/bus/bus_local_op.h"

struct local_group {
    struct local_store *s;
    MDB_txn *txn;
    MDB_cursor *log;                /* on the table of chunks */
    int rc;                         /* of LMDB; the first failure stays */
    const char *what;               /* was tried when it failed */
    struct err err;                 /* set when rc cannot say it: corrupt chunks, no room */
    bool changed;                   /* something is to be committed */
    int64_t now_ms, now_ns;         /* wall, for records; monotonic */
    uint64_t bytes, raw;            /* of the appends accepted so far: for the quota; in pages */
    VEC(struct local_part *) parts; /* whose rows change */
    VEC(struct local_topic *) created;
};

/* bus_local_commit.c */
void *bus_local_committer(void *store);
void bus_local_committer_init(struct local_store *s);
void bus_local_committer_done(struct local_store *s); /* after the thread has ended */
/* Wakes readers in other processes' directories: the thread of a read-only store. */
void *bus_local_watch(void *store);
/* The row of the partition will be written. */
void bus_local_touch(struct local_group *g, struct local_part *p);
void bus_local_group_fail(struct local_group *g, int rc, const char *what);

/* bus_local_decide.c */
void bus_local_decide(struct local_group *g, struct local_op *op);
/* The epoch after the last, for this slot or election. */
uint64_t bus_local_epoch_next(struct local_group *g, const char *kind, const char *name);

/* bus_local_retain.c */
void bus_local_retain_init(struct local_store *s);
void bus_local_retain_done(struct local_store *s);
void bus_local_retain_mark(struct local_store *s, struct local_part *p);
void bus_local_retain_scan(struct local_store *s, int64_t now_ms); /* all partitions, every tick */
/* Deletes what is due, a bounded piece; true if more is due. */
bool bus_local_retain_slice(struct local_group *g, int64_t until_ns);
bool bus_local_retain_due(const struct local_store *s);

/* bus_local_compact.c */
void bus_local_compact_init(struct local_store *s);
void bus_local_compact_done(struct local_store *s);
void bus_local_compact_scan(struct local_store *s, bool all);
bool bus_local_compact_slice(struct local_group *g, int64_t until_ns);
bool bus_local_compact_due(const struct local_store *s);
void bus_local_compact_reset(struct local_store *s); /* the group was undone */

/* bus_local_elect.c */
void bus_local_elect_init(struct local_store *s);
void bus_local_elect_done(struct local_store *s);
void bus_local_elect_decide(struct local_group *g, struct local_op *op);
void bus_local_elect_settle(struct local_group *g); /* appoints who is missing */
void bus_local_elect_publish(struct local_store *s, bool committed);
bool bus_local_elect_due(const struct local_store *s);

/* bus_local_space.c: room in the map, on the disk, and who holds it */
/* Makes sure that this can be written, `bytes` as the quota counts and `raw` as the file does: 0,
 * or ERR_FULL with what to do about it. @thread committer */
int bus_local_room(struct local_store *s, uint64_t bytes, uint64_t raw,
                   struct err *reterr) NODISCARD;
/* The same for the housekeeping of a transaction that frees more than it takes. */
int bus_local_room_small(struct local_store *s, struct err *reterr) NODISCARD;
/* LMDB has found no room all the same: what to tell, and more care from now on. */
int bus_local_room_missed(struct local_store *s, struct err *reterr);
void bus_local_room_refused(struct local_store *s); /* somebody was told so: bus_stats.full */
void bus_local_room_used(struct local_store *s, uint64_t bytes);
/* Clears dead readers' slots, names those that hold pages too long. */
void bus_local_pins_check(struct local_store *s);
int bus_local_report_of(struct local_store *s, struct bus_local_report *ret_report,
                        struct err *reterr) NODISCARD;

#endif
