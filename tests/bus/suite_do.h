/* SPDX-License-Identifier: Apache-2.0
 *
 * Whole operations for the behaviour suite: each starts one, waits for its end and fails the test
 * if that is another than hoped for. Included by suite.h.
 */
#ifndef TESTS_BUS_SUITE_DO_H
#define TESTS_BUS_SUITE_DO_H

#include "core/bus/bus.h"

struct suite_client;

struct suite_rec {
    int64_t offset, time_ms;
    struct slice key, value;
    const struct bus_header *headers;
    uint32_t header_count;
};

struct suite_log {
    struct suite_rec *recs;
    size_t count, room;
    int64_t end; /* the stable end that END reported */
};

struct suite_bounds {
    int64_t start, end;
};

/* Partition 0 of a topic that is made if need be, without retention limits. */
struct bus_tp suite_topic(struct suite_client *c, const char *name, uint32_t partitions,
                          enum bus_cleanup cleanup);
struct bus_tp suite_topic_with(struct suite_client *c, const char *name, uint32_t partitions,
                               enum bus_cleanup cleanup, int64_t retention_ms,
                               int64_t retention_bytes);
/* The same partition as another client numbers it. */
struct bus_tp suite_same(struct suite_client *to, const struct suite_client *from,
                         struct bus_tp tp);
/* The nth partition of the topic of tp. */
struct bus_tp suite_part(struct bus_tp tp, uint32_t part);

/* slot "" = a plain writer. */
struct bus_writer *suite_open(struct suite_client *c, const char *slot);
/* Polls while the bus says AGAIN. NULL key or value = null. */
void suite_put(struct suite_client *c, struct bus_writer *w, struct bus_tp tp, const char *key,
               const char *value);
void suite_put_it(struct suite_client *c, struct bus_writer *w, const struct bus_put *put);
/* Plain: the put and its DELIVERED; the offset. */
int64_t suite_deliver(struct suite_client *c, struct bus_writer *w, struct bus_tp tp,
                      const char *key, const char *value);
uint64_t suite_commit_start(struct suite_client *c, struct bus_writer *w); /* the tag */
struct suite_ev *suite_commit(struct suite_client *c, struct bus_writer *w);
/* One record in one transaction of a writer of its own, closed again. */
void suite_write(struct suite_client *c, struct bus_tp tp, const char *key, const char *value);

/* Exactly n records from there up to the stable end, in order; waits until they are there. */
#define suite_read(c_, tp_, from_, n_) suite_read_at(__FILE__, __LINE__, (c_), (tp_), (from_), (n_))
struct suite_log *suite_read_at(const char *file, int line, struct suite_client *c,
                                struct bus_tp tp, int64_t from, size_t n);
/* All there is up to the stable end of now. */
struct suite_log *suite_read_all(struct suite_client *c, struct bus_tp tp, int64_t from);
/* "a,b,c"; null prints as "-", what is long is cut. */
const char *suite_values(struct suite_client *c, const struct suite_log *log);
struct suite_bounds suite_bounds(struct suite_client *c, struct bus_tp tp);
/* The end when all that was written by now is decided. */
int64_t suite_settled(struct suite_client *c, struct bus_tp tp);
int64_t suite_by_time(struct suite_client *c, struct bus_tp tp, int64_t time_ms);
void suite_trim(struct suite_client *c, struct bus_tp tp, int64_t before);
void suite_maintain(struct suite_client *c);
void suite_fence(struct suite_client *c, const char *slot);
/* A call that may refuse at once or later: the code, wherever it came from. rc is the call's. */
enum err_code suite_refusal(struct suite_client *c, int rc, uint64_t tag);
/* n bytes that repeat nothing for a while; the same for the same seed. */
struct slice suite_bytes(struct suite_client *c, size_t n, uint64_t seed);

#endif
