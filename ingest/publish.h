/* SPDX-License-Identifier: Apache-2.0
 *
 * From events to the bus, and back to whoever waits for the acknowledgement. Every protocol ends
 * here:
 *
 *     req = publish_begin(p, SLICE("otlp"), on_done, call);
 *     rc = publish_add(req, BUS_TOPIC_SPANS, key, &rec, &err);      for each event
 *     publish_end(req);                                             now on_done will be called
 *
 * A request becomes one record per partition it touches; it is done when the bus has all of them
 * (DELIVERED), or one was refused, or its time is over. Events of a request that failed may lie in
 * the log all the same; the sender repeats it and the ids are equal. Nothing of one request waits
 * for another, so a batch never holds a context longer than the call that adds it.
 *
 * What waits for the bus is bounded by its writer's queue; when that is full, or the bus is away,
 * publish_add says ERR_AGAIN and publish_retry_ns after how long it is worth coming again. One
 * thread, the loop's; the owner of the bus client hands the client's events in.
 */
#ifndef INGEST_PUBLISH_H
#define INGEST_PUBLISH_H

#include "core/bus/bus.h"
#include "core/bus/bus_topics.h"
#include "core/event/rec.h"

struct publish;
struct publish_req;
struct stats;

struct publish_conf {
    uint32_t partitions; /* of the raw topics */
    int64_t ack_ns;      /* a request that the bus has not taken by then fails */
};

/* err NULL: the bus has everything. ERR_AGAIN, ERR_UNAVAILABLE, ERR_TIMEOUT: come again. */
typedef void publish_done_fn(void *arg, const struct err *err);

struct publish_stats {
    uint64_t requests, failed, records, bytes, reopened, dead, dead_lost;
    uint64_t events[BUS_TOPICS_COUNT + 1]; /* by topic id */
    uint64_t waiting_bytes, waiting_records;
    double bytes_per_s; /* lately taken by the bus */
};

struct publish *publish_new(struct bus_client *c, const struct publish_conf *conf);
void publish_free(struct publish *p); /* requests under way end with ERR_CLOSED */
/* Every event of the client goes here; true if it was ours. */
bool publish_on_event(struct publish *p, const struct bus_ev *ev);
/* The topics exist: opens the writer. */
void publish_start(struct publish *p);
bool publish_ready(const struct publish *p);
struct publish_stats publish_stats(const struct publish *p);
size_t publish_open_requests(const struct publish *p);

/* NULL: not ready, or too much waits already. */
struct publish_req *publish_begin(struct publish *p, struct slice source, publish_done_fn *fn,
                                  void *arg);
/* ERR_AGAIN: the whole request should fail. Anything else concerns this event only: it cannot be
 * written (ERR_TOO_BIG, ERR_LIMIT, ERR_RANGE), the rest can. */
int publish_add(struct publish_req *r, enum bus_topic_id topic, struct slice key,
                const struct rec *rec, struct err *reterr) NODISCARD;
/* fn is called exactly once from now on, at once if there is nothing to wait for. */
void publish_end(struct publish_req *r);
/* The answer has been given otherwise, or nobody waits any more: fn will not be called. What was
 * put already goes its way. Before publish_end as well as after it, until fn was called. */
void publish_drop(struct publish_req *r);
/* Estimated from how fast the bus takes what waits: 1 s to 30 s, spread by a fifth. */
int64_t publish_retry_ns(struct publish *p);

/* What could not be decoded, for the topic `dlq`; as much of the body as is sensible. Nobody waits
 * for it; what the bus cannot take now is counted and lost. */
struct publish_dead {
    const char *reason, *detail, *content_type;
    struct slice source, body;
};
void publish_dead(struct publish *p, const struct publish_dead *d);

#endif
