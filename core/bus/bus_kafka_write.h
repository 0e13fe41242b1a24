/* SPDX-License-Identifier: Apache-2.0
 *
 * A writer, shared by bus_kafka_write.c (client's thread) and bus_kafka_slot.c (its worker). Who
 * may touch what: `state` says. OPENING, BUSY, CLOSING: the worker owns the producer and `parts`;
 * READY: the client does. The client alone touches `state`, `later` and the byte counts.
 */
#ifndef CORE_BUS_BUS_KAFKA_WRITE_H
#define CORE_BUS_BUS_KAFKA_WRITE_H

#include "core/base/buf.h"
#include "core/base/pool.h"
#include "core/bus/bus_kafka_ops.h"

/* bus_kafka_taint.c: whether the fate of a request is unknown. Counted in librdkafka's threads. */
struct kafka_taint {
    _Atomic uint32_t ends_sent; /* EndTxn requests since kafka_taint_begin */
    _Atomic uint32_t unanswered;
};
void kafka_taint_watch(rd_kafka_conf_t *conf, struct kafka_taint *t);
void kafka_taint_begin(struct kafka_taint *t); /* before a commit or abort */
bool kafka_taint_found(const struct kafka_taint *t);
/* An EndTxn left since kafka_taint_begin: what was asked may have been done. */
bool kafka_taint_ended(const struct kafka_taint *t);

enum kafka_writer_state {
    KAFKA_OPENING = 0,
    KAFKA_READY = 1,
    KAFKA_COMMITTING = 2, /* puts are kept for the next transaction */
    KAFKA_ABORTING = 3,   /* puts are refused */
    KAFKA_DEAD = 4,
};

/* A partition that the writer has put to, and what the present transaction has there. */
struct kafka_wpart {
    struct kafka_writer *w;
    struct bus_tp tp;
    int64_t first; /* offset; -1 = the broker did not say */
    uint32_t count;
};

struct kafka_wtopic {
    rd_kafka_topic_t *rkt;
    VEC(struct kafka_wpart *) parts;
};

/* A plain put on its way. */
struct kafka_token {
    struct kafka_token *next;
    struct kafka_writer *w;
    uint64_t token;
    struct bus_tp tp;
    int64_t offset;
    uint32_t bytes;
    rd_kafka_resp_err_t code;
    bool maybe; /* it may have been written all the same */
};

struct kafka_writer {
    struct bus_writer w;
    struct kafka_health health;
    struct kafka_taint taint;
    uint64_t id, tag;
    enum kafka_writer_state state;
    struct kafka_bus *bus;
    struct kafka_worker *worker;
    char *slot; /* transactional.id; NULL = plain */
    rd_kafka_t *rk;
    rd_kafka_queue_t *queue;
    VEC(struct kafka_wtopic *) topics; /* by topic number */
    VEC(struct kafka_wpart *) touched; /* parts with count > 0 */
    rd_kafka_resp_err_t failed;        /* of a record of this transaction */
    struct err put_failed;             /* a kept put could not be handed over */
    bool fenced_told;
    uint64_t txn_bytes, busy_bytes; /* put since the last commit; of the one under way */
    struct buf later;               /* puts kept while a commit is under way, packed */
    uint64_t later_bytes;
    uint64_t abort_tag; /* an abort called while a commit is under way */
    bool abort_asked;
    struct pool *tokens; /* plain */
    struct kafka_token *ended, *ended_last;
    VEC(rd_kafka_topic_t *) warm; /* kept, so that what is known of them is */
};

/* bus_kafka_write.c */
int kafka_produce(struct kafka_writer *w, const struct bus_put *put, struct err *reterr) NODISCARD;
void kafka_writer_send_later(struct kafka_writer *w); /* what was kept */
struct kafka_writer *kafka_writer_find(struct kafka_client *c, uint64_t id);
/* On the worker: the end of an open. */
void kafka_writer_opened(const struct kafka_job *job, uint64_t id, int64_t epoch,
                         const struct err *e);
void kafka_on_delivery(rd_kafka_t *rk, const rd_kafka_message_t *m, void *opaque);

/* bus_kafka_slot.c: jobs of a writer's worker */
struct kafka_writer_job {
    struct kafka_job job;
    struct kafka_writer *w;
};
void kafka_slot_open(struct kafka_bus *b, struct kafka_job *take_job);
void kafka_plain_open(struct kafka_bus *b, struct kafka_job *take_job);
void kafka_slot_close(struct kafka_bus *b, struct kafka_job *take_job);
/* Fenced without having asked: the event, once. */
bool kafka_slot_fenced(struct kafka_writer *w, struct bus_ev *ev);

#endif
