/* SPDX-License-Identifier: Apache-2.0
 *
 * Live streams: what arrives on a topic from now on, to any number of HTTP clients, as server-sent
 * events. While somebody listens the topic is read once for all of them, and each event is written
 * as text once.
 *
 *     id: 3-1207-0                     partition, offset, number within the record
 *     event: HighLatencySpan           its type; "alert" for alerts
 *     data: {"ts":..., ...}
 *
 * Bursts wait for those who read them, but a client that is slow all the time holds nobody up by
 * more than a tenth: what waits for it is bounded (FEED_BEHIND_MAX), what does not fit is left out,
 * and as soon as there is room it is told how many were left out: `event: lost`,
 * `data: {"lost":17}`. Where the topic itself has lost what was to come next (retention has removed
 * it, the partition was made anew), reading goes on at its present end, and all are told: how many
 * events that were nobody knows, so `data: {"lost":null}`. The comment `: live` says that from here
 * on nothing is missed; `: beat` comes every 15 s, so that a connection that died is seen. Loop
 * thread.
 */
#ifndef COORDINATOR_FEED_H
#define COORDINATOR_FEED_H

#include "core/base/slice.h"

struct feed;
struct http_req;
struct role_env;

enum feed_topic { FEED_EVENTS, FEED_ALERTS, FEED_TOPICS };
enum { FEED_LISTENERS_MAX = 64, FEED_BEHIND_MAX = 1024 * 1024 };

struct feed *feed_new(const struct role_env *env, enum feed_topic topic);
void feed_free(struct feed *f);
void feed_end(struct feed *f); /* says goodbye to all: the process drains */
/* Takes the request over. type: only that (absent: all). False: there are too many
 * listeners, or the process drains; the request is left alone. */
bool feed_listen(struct feed *f, struct http_req *req, struct slice type);

struct feed_stats {
    uint64_t listeners, events, lost; /* now; events read, and left out for a listener */
    uint64_t gaps;                    /* times that the topic had lost what was to be read next */
};
struct feed_stats feed_stats(const struct feed *f);

#endif
