/* SPDX-License-Identifier: Apache-2.0
 *
 * The operations of the Kafka bus, file by file, as the table at the end of bus_kafka.c lists
 * them, and what these files ask of each other at a poll.
 */
#ifndef CORE_BUS_BUS_KAFKA_OPS_H
#define CORE_BUS_BUS_KAFKA_OPS_H

#include "core/bus/bus_kafka_work.h"

/* bus_kafka_admin.c */
int kafka_ensure(struct bus_client *c, const struct bus_topic_spec *specs, uint32_t n, uint64_t tag,
                 struct err *reterr);
int kafka_describe(struct bus_client *c, uint32_t topic, uint64_t tag, struct err *reterr);
int kafka_list(struct bus_client *c, uint64_t tag, struct err *reterr);

/* bus_kafka_offsets.c */
int kafka_bounds(struct bus_client *c, struct bus_tp tp, uint64_t tag, struct err *reterr);
int kafka_settled(struct bus_client *c, struct bus_tp tp, uint64_t tag, struct err *reterr);
int kafka_by_time(struct bus_client *c, struct bus_tp tp, int64_t time_ms, uint64_t tag,
                  struct err *reterr);
int kafka_trim(struct bus_client *c, struct bus_tp tp, int64_t before, uint64_t tag,
               struct err *reterr);
int kafka_maintain(struct bus_client *c, uint64_t tag, struct err *reterr);
/* The bounds of a partition as a post with `apply`, for the reader: id and number come back. */
void kafka_bounds_ask(struct kafka_client *c, struct bus_tp tp, uint64_t id, int64_t number,
                      bool (*apply)(struct kafka_client *, struct kafka_post *));
/* How many partitions the topic has, likewise, in `end`. */
void kafka_count_ask(struct kafka_client *c, struct bus_tp tp, uint64_t id,
                     bool (*apply)(struct kafka_client *, struct kafka_post *));

/* bus_kafka_read.c */
struct bus_reader *kafka_reader_new(struct bus_client *c);
void kafka_reader_free(struct bus_reader *r);
int kafka_assign(struct bus_reader *r, struct bus_tp tp, int64_t from, uint64_t tag,
                 struct err *reterr);
void kafka_unassign(struct bus_reader *r, struct bus_tp tp);
int kafka_seek(struct bus_reader *r, struct bus_tp tp, int64_t to, struct err *reterr);
int kafka_pause(struct bus_reader *r, struct bus_tp tp, bool paused, struct err *reterr);
/* Events into evs[0..max); *budget bytes may be read, and what is used is taken off it. True = more
 * may be had at once. */
bool kafka_reader_poll(struct kafka_reader *r, struct bus_ev *evs, int max, int *ret_n,
                       int64_t *budget);
/* After the last reader of a poll: events point at records, records at headers. */
void kafka_reader_fix(struct kafka_client *c, struct bus_ev *evs, int n);
void kafka_reader_destroy(struct kafka_bus *b, rd_kafka_t *take_rk); /* in the reaper */

/* bus_kafka_write.c */
int kafka_open(struct bus_client *c, struct slice slot, uint64_t tag,
               struct bus_writer **ret_writer, struct err *reterr);
void kafka_writer_close(struct bus_writer *w);
int kafka_put(struct bus_writer *w, const struct bus_put *put, struct err *reterr);
int kafka_writer_poll(struct kafka_writer *w, struct bus_ev *evs, int max);

/* bus_kafka_slot.c */
int kafka_commit(struct bus_writer *w, uint64_t tag, struct err *reterr);
int kafka_abort(struct bus_writer *w, uint64_t tag, struct err *reterr);
int kafka_fence(struct bus_client *c, struct slice slot, uint64_t tag, struct err *reterr);

/* bus_kafka_elect.c */
int kafka_elect(struct bus_client *c, struct slice name, uint64_t tag, struct err *reterr);
void kafka_resign(struct bus_client *c, struct slice name);
void kafka_election_poll(struct kafka_election *e);
void kafka_election_free(struct kafka_election *e); /* leaves the group in the reaper */

#endif
