/* SPDX-License-Identifier: Apache-2.0
 *
 * The partitions of the simulated bus. A log holds the records of decided and of open transactions
 * alike; the stable end is the first offset of the first open one, as a Kafka broker has it. An
 * aborted transaction leaves a hole, every marker takes an offset.
 */
#ifndef CORE_BUS_BUS_SIM_LOG_H
#define CORE_BUS_BUS_SIM_LOG_H

#include "core/base/vec.h"
#include "core/bus/bus_types.h"

struct sim_bus;
struct sim_txn;
struct sim_assign;

struct sim_part;

/* A record in one block of memory. */
struct sim_record {
    struct bus_tp tp;      /* as the writer's client numbers it */
    struct sim_part *part; /* where it goes */
    struct slice key, value;
    struct bus_header *headers;
    uint32_t header_count;
    size_t bytes; /* as bus_put_bytes */
    uint64_t token;
};

struct sim_entry {
    int64_t offset, time_ms;
    struct sim_record *rec; /* owned */
    struct sim_txn *txn;    /* NULL = decided */
};

struct sim_open { /* an undecided transaction in a partition */
    struct sim_txn *txn;
    int64_t first;
};

struct sim_part {
    struct sim_topic *topic;
    uint32_t number;
    VEC(struct sim_entry) log;
    VEC(struct sim_open) open;
    VEC(struct sim_assign *) idle; /* readers that wait for the stable end to move */
    int64_t start, next, skew_ms, busy_until_ns;
    uint64_t bytes;
};

struct sim_topic {
    struct bus_topic_spec spec; /* its name is owned */
    struct sim_part *parts;
};

/* The bytes a block of n records needs, and the copy into it. */
size_t sim_record_room(const struct slice *key, const struct slice *value,
                       const struct bus_header *headers, uint32_t n);
char *sim_record_fill(char *to, struct bus_record *r, struct bus_header *headers,
                      const struct sim_record *from);
struct sim_record *sim_record_new(const struct bus_put *put, struct sim_part *part);

struct sim_topic *sim_topic_new(struct sim_bus *b, const struct bus_topic_spec *spec);
void sim_topic_free(struct sim_topic *t);
struct sim_topic *sim_topic_find(const struct sim_bus *b, struct slice name);
struct sim_part *sim_part_find(const struct sim_bus *b, struct slice topic, uint32_t part);

int64_t sim_log_stable(const struct sim_part *p);
size_t sim_log_find(const struct sim_part *p, int64_t offset); /* the first entry not below it */
/* Owns rec from here. txn NULL: decided by itself. */
int64_t sim_log_append(struct sim_bus *b, struct sim_part *p, struct sim_record *take_rec,
                       struct sim_txn *txn);
/* Writes the marker of a transaction. */
void sim_log_decide(struct sim_bus *b, struct sim_part *p, const struct sim_txn *txn,
                    bool committed);
int64_t sim_log_by_time(const struct sim_part *p, int64_t time_ms);
void sim_log_trim(struct sim_bus *b, struct sim_part *p, int64_t before);
void sim_log_maintain(struct sim_bus *b);
/* Now and then the partition has no leader: true, and until when is in busy_until_ns. */
bool sim_log_busy(struct sim_bus *b, struct sim_part *p);

#endif
