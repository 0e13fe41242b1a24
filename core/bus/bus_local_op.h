/* SPDX-License-Identifier: Apache-2.0
 *
 * What travels between clients and the committer of the local bus. A client makes an operation
 * (struct local_op), the committer decides it and puts it into the client's inbox, where bus_poll
 * finds it and turns it into events. Operations are freed by the client, one poll after their last
 * event. The inbox outlives its client as long as operations refer to it; `closed` then says that
 * nobody will look.
 */
#ifndef CORE_BUS_BUS_LOCAL_OP_H
#define CORE_BUS_BUS_LOCAL_OP_H

#include "core/bus/bus_local_rows.h"
#include "core/bus/bus_wake.h"

struct local_inbox {
    pthread_mutex_t mutex;
    uint32_t refs;
    bool closed;
    struct bus_wake *wake; /* of the client; not after close */
    struct local_op *head, **tail;
};

/* Records of one transaction for one partition, encoded: several runs, each a chunk at most. */
struct local_piece {
    char *ptr;
    uint32_t len, cap, count, headers, bytes;
};

struct local_tpart {
    struct bus_tp tp; /* in the client's numbers */
    struct local_part *part;
    VEC(struct local_piece) pieces;
    uint32_t count;
    bool marker;              /* a slot's transaction: one offset is left out behind it */
    int64_t base;             /* given by the committer */
    struct local_tpart *next; /* of the same partition in the group */
};

struct local_txn {
    VEC(struct local_tpart) parts;
    uint32_t *index; /* open addressing: position + 1 */
    uint32_t index_size;
    uint64_t bytes, charge; /* as the quota counts; as the writer's queue does */
    uint64_t count;
};

/* A plain put that waits for its end. */
struct local_put_ref {
    uint64_t token;
    uint32_t tpart, nth, charge;
};

/* The part of a writer that the committer sees. */
struct local_core {
    _Atomic uint32_t refs;
    char *slot;     /* NULL = plain */
    uint64_t epoch; /* @thread committer */
    pthread_mutex_t mutex;
    struct local_op *gathering;  /* plain: queued, not yet taken (under the mutex) */
    struct local_writer *writer; /* @thread client; NULL when closed */
};

enum local_op_kind {
    LOCAL_OP_COMMIT = 0,
    LOCAL_OP_PLAIN = 1,
    LOCAL_OP_OPEN = 2,
    LOCAL_OP_FENCE = 3,
    LOCAL_OP_ENSURE = 4,
    LOCAL_OP_TRIM = 5,
    LOCAL_OP_MAINTAIN = 6,
    LOCAL_OP_ELECT = 7,
    LOCAL_OP_RESIGN = 8,
    LOCAL_OP_RELEASE = 9,   /* resigns everything of an inbox */
    LOCAL_OP_LEADER = 10,   /* committer to client only */
    LOCAL_OP_DESCRIBE = 11, /* from here on decided by the client's own poll */
    LOCAL_OP_LIST = 12,
    LOCAL_OP_BOUNDS = 13,
    LOCAL_OP_BY_TIME = 14,
    LOCAL_OP_EVENT = 15, /* nothing but the event */
};

struct local_op {
    struct local_op *next;
    enum local_op_kind kind;
    bool decided; /* the outcome does not depend on the group any more */
    struct local_inbox *inbox;
    struct local_core *core;
    struct bus_ev ev; /* the outcome */
    struct err err;
    struct local_txn *txn;
    VEC(struct local_put_ref) puts;
    size_t emitted; /* of puts */
    char *name;     /* slot, election */
    struct local_part *part;
    struct local_topic *topic;
    uint32_t topic_number;
    int64_t arg;
    struct bus_topic_spec *specs; /* ensure; names owned */
    char *specs_text;
    uint32_t spec_count;
    struct bus_span *spans;
};

/* bus_local_op.c */
struct local_inbox *bus_local_inbox_new(struct bus_wake *wake);
void bus_local_inbox_ref(struct local_inbox *in);
void bus_local_inbox_unref(struct local_inbox *in);
void bus_local_inbox_close(struct local_inbox *in);                          /* @thread client */
void bus_local_inbox_wake(struct local_inbox *in);                           /* @thread any */
void bus_local_inbox_push(struct local_inbox *in, struct local_op *take_op); /* @thread any */
struct local_op *bus_local_inbox_take(struct local_inbox *in); /* all, linked; @thread client */

struct local_op *bus_local_op_new(enum local_op_kind kind, struct local_inbox *inbox,
                                  struct local_core *core, uint64_t tag);
void bus_local_op_free(struct local_op *op);
/* Sets the outcome to a failure of this kind. Returns &op->err for a message. */
struct err *bus_local_op_fail(struct local_op *op, enum bus_ev_kind kind, bool reopen);
/* Hands the operation to the committer. */
void bus_local_submit(struct local_store *s, struct local_op *take_op);

struct local_core *bus_local_core_new(struct slice slot);
void bus_local_core_unref(struct local_core *core);

struct local_txn *bus_local_txn_new(void);
void bus_local_txn_free(struct local_txn *t);
/* Appends a record; answers its partition's place in the transaction and its number there. */
void bus_local_txn_add(struct local_txn *t, struct local_part *part, const struct bus_put *put,
                       uint32_t *ret_tpart, uint32_t *ret_nth);

#endif
