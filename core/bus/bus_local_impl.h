/* SPDX-License-Identifier: Apache-2.0
 *
 * The client's side of the local bus: what embeds struct bus, bus_client, bus_reader, bus_writer,
 * and how the files bus_local.c (the table of operations), bus_local_poll.c (events),
 * bus_local_read.c (fetching) and bus_local_write.c (writers) share it. All of it belongs to the
 * client's thread; it meets the committer only in struct local_inbox, local_core and local_store.
 */
#ifndef CORE_BUS_BUS_LOCAL_IMPL_H
#define CORE_BUS_BUS_LOCAL_IMPL_H

#include "core/bus/bus_impl.h"
#include "core/bus/bus_local_op.h"

struct local_bus {
    struct bus bus;
    struct local_store *store;
    bool read_only;
};

/* Memory that a poll lends: blocks that are filled and then used again. */
struct local_block {
    char *ptr;
    size_t size, used;
};

struct local_elected {
    char *name;
    int64_t candidacy; /* so that news of an earlier one is told from that of this */
};

struct local_client {
    struct bus_client client;
    struct local_store *store;
    struct local_inbox *inbox;
    MDB_txn *txn; /* for reading; reset between polls */
    bool in_txn;
    VEC(struct local_topic *) known; /* by topic number - 1; NULL = not looked up */
    VEC(struct local_reader *) readers;
    VEC(struct local_writer *) writers;
    VEC(struct local_elected) elected;
    int64_t candidacies;                  /* so far */
    struct local_op *ready, **ready_tail; /* ended, their events not yet given */
    VEC(struct local_op *) asks;          /* wait for the next poll to be answered from the file */
    VEC(struct local_op *) lent;          /* their memory is in events of the last poll */
    VEC(struct local_block) blocks;
    size_t block;                    /* being filled */
    size_t lent_bytes;               /* in this poll */
    size_t next_reader;              /* fair start */
    VEC(struct local_assign *) gone; /* freed at the next poll: an event lends their err */
};

struct local_assign {
    struct bus_tp tp;
    uint64_t tag;
    struct local_part *part; /* NULL until the topic is found */
    int64_t pos;
    bool paused;
    bool parked; /* an error was given: waits for a seek */
    bool whole;  /* pos is behind a chunk, so no earlier chunk contains it */
    bool at_end;
    int64_t end_seen; /* the end given in the last END */
    size_t txn_seen;  /* read-only store: the transaction in which that was */
    struct err err;   /* lent in ERROR */
};

struct local_reader {
    struct bus_reader reader;
    VEC(struct local_assign *) assigns;
    size_t next; /* fair start */
};

enum local_writer_state { LOCAL_OPENING = 0, LOCAL_OPEN = 1, LOCAL_USED_UP = 2 };

struct local_writer {
    struct bus_writer writer;
    struct local_core *core;
    enum local_writer_state state;
    struct local_txn *txn; /* slot: what was put since the last commit */
    bool committing, aborting;
    uint64_t abort_tag;
    uint64_t queued; /* put and not yet ended, as bus_put_charge counts */
};

static inline struct local_client *local_client_of(struct bus_client *c)
{
    return (struct local_client *)c;
}

/* bus_local.c */
/* The place of this candidacy (0 = any) in `elected`, or its length. */
size_t bus_local_elected(const struct local_client *c, struct slice name, int64_t candidacy);
void bus_local_elected_drop(struct local_client *c, size_t i);

/* bus_local_poll.c */
int bus_local_poll(struct bus_client *c, struct bus_ev *evs, int max);
/* An event that is known already, for the next poll. Returns its operation to fill. */
struct local_op *bus_local_event(struct local_client *c, enum bus_ev_kind kind, uint64_t tag);
/* The partition, or NULL: no such topic or partition. May read the file. */
struct local_part *bus_local_part(struct local_client *c, struct bus_tp tp);
struct local_topic *bus_local_topic(struct local_client *c, uint32_t topic);
/* Begins a read transaction unless one is open; bus_local_txn_end resets it. */
int bus_local_txn_begin(struct local_client *c, struct err *reterr) NODISCARD;
void bus_local_txn_end(struct local_client *c);
void *bus_local_lend(struct local_client *c, size_t bytes);

/* bus_local_read.c */
struct bus_reader *bus_local_reader_new(struct bus_client *c);
void bus_local_reader_free(struct bus_reader *r);
int bus_local_assign(struct bus_reader *r, struct bus_tp tp, int64_t from, uint64_t tag,
                     struct err *reterr) NODISCARD;
void bus_local_unassign(struct bus_reader *r, struct bus_tp tp);
int bus_local_seek(struct bus_reader *r, struct bus_tp tp, int64_t to,
                   struct err *reterr) NODISCARD;
int bus_local_pause(struct bus_reader *r, struct bus_tp tp, bool paused,
                    struct err *reterr) NODISCARD;
/* Fills events from the client's readers; @return how many. */
int bus_local_fetch(struct local_client *c, struct bus_ev *evs, int max);
/* Answers a bounds, by_time, describe or list out of the open read transaction. */
void bus_local_answer(struct local_client *c, struct local_op *op);

/* bus_local_write.c */
int bus_local_open(struct bus_client *c, struct slice slot, uint64_t tag,
                   struct bus_writer **ret_writer, struct err *reterr) NODISCARD;
void bus_local_writer_close(struct bus_writer *w);
int bus_local_put(struct bus_writer *w, const struct bus_put *put, struct err *reterr) NODISCARD;
int bus_local_commit(struct bus_writer *w, uint64_t tag, struct err *reterr) NODISCARD;
int bus_local_abort(struct bus_writer *w, uint64_t tag, struct err *reterr) NODISCARD;
/* What an event that is being given means for its writer. */
void bus_local_writer_event(struct local_client *c, struct local_writer *w,
                            const struct local_op *op);
/* A plain put has ended. */
void bus_local_writer_ended(struct local_writer *w, uint32_t charge);

#endif
