/* SPDX-License-Identifier: Apache-2.0
 *
 * What the files of the Kafka bus share. Threads: a client, its readers, writers and elections
 * belong to the client's thread. Calls of librdkafka that wait for a broker run in *workers*: one
 * for administration, one per writer, one for tearing down; what they find out goes as a *post*
 * into the client's *box* and becomes an event at its next poll. A slot writer's producer is
 * handed over: while a commit is under way the worker owns it, else the client.
 *
 * Reading order: bus_kafka.c, _conf, _work, _err, _admin, _offsets, _read, _write, _slot, _taint,
 * _elect.
 */
#ifndef CORE_BUS_BUS_KAFKA_IMPL_H
#define CORE_BUS_BUS_KAFKA_IMPL_H

#include "core/base/arena.h"
#include "core/base/map.h"
#include "core/base/vec.h"
#include "core/bus/bus_impl.h"

#include <librdkafka/rdkafka.h>
#include <pthread.h>
#include <stdatomic.h>

enum {
    KAFKA_ADMIN_MS = 15000, /* an administrative operation ends within this, well or not */
    KAFKA_OPEN_MS = 30000,  /* opening or fencing a slot likewise */
};

/* bus_kafka_conf.c */
enum kafka_role {
    KAFKA_ADMIN = 'A',
    KAFKA_READER = 'R',
    KAFKA_PLAIN = 'P',
    KAFKA_SLOT = 'S',
    KAFKA_ELECT = 'E',
};
struct kafka_conf;
struct kafka_topic_setting {
    char *name, *value;
};
struct kafka_conf *kafka_conf_new(const struct bus_conf *conf);
void kafka_conf_free(struct kafka_conf *k);
int kafka_conf_make(const struct kafka_conf *k, enum kafka_role role, rd_kafka_conf_t **ret_conf,
                    struct err *reterr) NODISCARD;
int kafka_conf_set(rd_kafka_conf_t *conf, const char *name, const char *value,
                   struct err *reterr) NODISCARD;
/* Takes conf, also when it fails. */
rd_kafka_t *kafka_client_make(rd_kafka_conf_t *take_conf, rd_kafka_type_t type, bool intercepted,
                              struct err *reterr);
int16_t kafka_conf_replication(const struct kafka_conf *k);
int64_t kafka_conf_transaction_ms(const struct kafka_conf *k);
int64_t kafka_conf_part_bytes(const struct kafka_conf *k); /* fetched of a partition, that wait */
/* Settings of topics that we create: properties "create.NAME". */
const struct kafka_topic_setting *kafka_conf_settings(const struct kafka_conf *k, size_t *ret_n);

/* The last trouble of one librdkafka client, told by error_cb; belongs to whoever polls it. */
struct kafka_health {
    rd_kafka_resp_err_t code;
    char text[160];
};
bool kafka_health_hopeless(const struct kafka_health *h);               /* bus_kafka_err.c */
void kafka_health_watch(rd_kafka_conf_t *conf, struct kafka_health *h); /* sets the conf's opaque */

enum kafka_count {
    KAFKA_PUTS,
    KAFKA_PUT_BYTES,
    KAFKA_READS,
    KAFKA_READ_BYTES,
    KAFKA_COMMITS,
    KAFKA_ABORTS,
    KAFKA_UNKNOWNS,
    KAFKA_FENCES,
    KAFKA_REFUSED,
    KAFKA_TAINTS,
    KAFKA_COUNTS,
};

struct kafka_bus {
    struct bus b;
    struct kafka_conf *conf;
    struct clock clock;
    _Atomic uint64_t counts[KAFKA_COUNTS];
    _Atomic bool stopping, claims_ready;
    rd_kafka_t *rk; /* for administration, any worker */
    struct kafka_health health;
    struct kafka_worker *admin, *reaper;
    pthread_mutex_t lock; /* workers, topics */
    pthread_cond_t idle;
    unsigned workers;
    struct map topics;  /* full names ever used: a new writer learns them before its first put;
                           the value: ms of the clock when it was made, 0 = by somebody else */
    rd_kafka_t *claims; /* @thread admin: writes epochs */
    struct kafka_health claims_health;
    rd_kafka_t *all; /* @thread admin: is told of what is not decided, too; NULL: not asked yet */
};

struct kafka_client {
    struct bus_client c;
    struct kafka_box *box;
    VEC(struct kafka_reader *) readers;
    VEC(struct kafka_writer *) writers;
    VEC(struct kafka_election *) elections;
    struct kafka_post *lent_posts;
    VEC(rd_kafka_message_t *) lent;
    VEC(rd_kafka_t *) dying; /* readers freed while their messages are lent */
    VEC(struct bus_record) records;
    VEC(struct bus_header) headers;
    uint64_t ids;
    size_t turn;
};

static inline struct kafka_bus *kafka_of(const struct bus_client *c)
{
    return (struct kafka_bus *)c->bus;
}
static inline void kafka_add(struct kafka_bus *b, enum kafka_count what, uint64_t n)
{
    atomic_fetch_add_explicit(&b->counts[what], n, memory_order_relaxed);
}
/* "PREFIXname", NUL-terminated; the caller frees. */
char *kafka_name(const struct kafka_bus *b, struct slice name);
void kafka_topic_used(struct kafka_bus *b, const char *full_name);
/* It is there as of now; for some seconds, brokers that do not know it have yet to hear of it. */
void kafka_topic_made(struct kafka_bus *b, const char *full_name);
bool kafka_topic_fresh(struct kafka_bus *b, const char *full_name);
/* What the administrative client last complained of; any worker. */
struct kafka_health kafka_bus_health(struct kafka_bus *b);
void kafka_bus_healthy(struct kafka_bus *b); /* it was answered: what it complained of is past */
/* Has a new producer learn of all topics used so far, before its first put. */
struct kafka_writer;
void kafka_warm(struct kafka_writer *w, int timeout_ms);
/* An error that lives until the next poll. */
struct err *kafka_lend_err(struct kafka_client *c);

#endif
