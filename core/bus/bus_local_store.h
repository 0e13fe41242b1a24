/* SPDX-License-Identifier: Apache-2.0
 *
 * The store of the local bus: one directory, one LMDB environment, one committer thread. All buses
 * that a process opens on the directory share one store (LMDB forbids opening a file twice in a
 * process); bus_local_registry in bus_local.c counts the references.
 *
 * Tables: `meta` (format), `topics` (full name -> id, partitions, cleanup, retention), `parts`
 * (topic id, partition -> struct local_row), `log` (topic id, partition, offset, all big-endian ->
 * chunk, see bus_local_value.h), `slots` (slot or election -> epoch). Epochs come from one counter
 * for all of them, the greatest that any row holds.
 *
 * `mutex` guards the queue of operations, the topics and the subscriptions; the rest is marked.
 * Topics are never removed, so a pointer to one lives as long as the store.
 */
#ifndef CORE_BUS_BUS_LOCAL_STORE_H
#define CORE_BUS_BUS_LOCAL_STORE_H

#include "core/base/clock.h"
#include "core/base/map.h"
#include "core/base/vec.h"
#include "core/bus/bus_local.h"

#include <lmdb.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/types.h>

enum {
    LOCAL_FORMAT = 1,
    LOCAL_READERS_MAX = 1024,
    LOCAL_TOPICS_MAX = 16384,
    LOCAL_SLOTS_MAX = 1 << 20,
    LOCAL_KEY_BYTES = 12, /* topic u16, partition u16, offset u64 */
    LOCAL_PART_KEY_BYTES = 4,
};

#define LOCAL_FIRST_UNSEEN INT64_MIN /* look */
#define LOCAL_FIRST_NONE   INT64_MAX /* there is no chunk */
struct local_op;
struct local_inbox;
struct local_tpart;
struct local_piece;

/* A partition as it lies in `parts`. */
struct local_row {
    int64_t start, end, last_ms, clean_to; /* clean_to: compaction has seen all before it */
    uint64_t bytes;                        /* as bus_put_bytes counts, of the chunks that exist */
};

struct local_part {
    struct local_topic *topic;
    uint32_t index;
    /* @thread committer: */
    struct local_row now, next; /* as committed; as the open transaction will leave it */
    int64_t first_ms;           /* record time of the first chunk, or one of LOCAL_FIRST_x */
    bool touched, queued;       /* in the group's list; in the retention list */
    uint64_t dirty_bytes;       /* appended since the last compaction */
    int64_t tombstone_ms;       /* record time of the first that compaction kept, or INT64_MAX */
    bool compacting;            /* in the compaction list */
    struct local_tpart *gather_head, **gather_tail;
    /* Any thread: the committed end; who is to be woken when it moves (under the mutex). */
    _Atomic int64_t end;
    VEC(struct local_inbox *) subs;
};

struct local_topic {
    char *name; /* with the prefix */
    uint16_t id;
    uint32_t partitions;
    enum bus_cleanup cleanup;
    int64_t retention_ms, retention_bytes;
    struct local_part *parts;
};

struct local_run {
    struct local_piece *piece;
    int64_t offset; /* of its first record */
};

struct local_counters {
    _Atomic uint64_t puts, put_bytes, reads, read_bytes, commits, aborts, unknowns, fences, fulls,
        refused, syncs, used_bytes, full_ns; /* room was refused last; 0: never */
};

struct local_pin {
    struct bus_local_pin pin;
    int64_t since_ns;
    bool seen, logged;
};

/* What the free list held when it was last counted. */
struct local_room {
    int64_t at_ns;
    uint64_t last, oldest;       /* transactions, then */
    uint64_t pages, pages_later; /* less what was taken since; free one transaction later */
    uint64_t margin;             /* that the list must have beyond what is needed: runs are rare */
    bool refused, turn;          /* the last who asked; a turn would help */
    bool tight;                  /* this group has nothing but the list */
    MDB_txn *txn;                /* read transaction for counting */
};

struct local_store {
    struct local_store *next_store; /* registry */
    uint32_t refs;
    dev_t dev;
    ino_t ino;
    char *dir;
    int lock_fd;
    bool read_only;
    struct bus_local_tuning tuning;

    MDB_env *env;
    MDB_dbi meta, topics, parts, log, slots;
    uint64_t map_bytes, page_bytes, quota_bytes, reserve_bytes;
    struct clock clock;
    struct local_counters counters;
    _Atomic bool dead; /* a sync failed: nothing may be written any more */

    pthread_mutex_t mutex;
    pthread_cond_t more;
    pthread_t thread;    /* the committer, or the watcher of a read-only store */
    bool stopping, idle; /* idle: the thread sleeps and wants a signal */
    struct local_op *queue, **queue_tail;
    struct map topic_map;
    VEC(struct local_topic *) topic_list;
    VEC(struct local_inbox *) inboxes; /* of all clients */
    VEC(struct local_pin) pins;        /* read transactions that hold pages; also for reports */

    /* @thread committer: */
    struct map slot_map; /* name -> epoch, cast */
    uint64_t epoch;
    bool held;           /* a group failed: no housekeeping until the next tick */
    uint64_t file_bytes; /* of the data file, all allocated */
    struct local_room room;
    struct local_op *backlog, **backlog_tail; /* taken from the queue, not yet in a group */
    VEC(struct local_op *) maintaining;       /* bus_maintain under way */
    VEC(struct local_run) runs;               /* scratch of bus_local_commit.c */
    struct local_retain *retain;              /* bus_local_retain.c */
    struct local_compact *compact;            /* bus_local_compact.c */
    struct local_elections *elections;
};

/* bus_local_store.c */
int bus_local_store_open(const struct bus_local_conf *conf, const struct bus_local_tuning *tuning,
                         struct local_store **ret_store, struct err *reterr) NODISCARD;
void bus_local_store_close(struct local_store *s);
/* Turns what LMDB answered into an error; `what` was tried. */
int bus_local_mdb_err(const struct local_store *s, int rc, const char *what, struct err *reterr);

#endif
