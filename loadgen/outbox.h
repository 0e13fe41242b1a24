/* SPDX-License-Identifier: Apache-2.0
 *
 * What has been made but not yet sent: encoded items, each with the pod it belongs to and the tick
 * in which it becomes known (a span when it has ended). At its tick the items of one node are
 * grouped by pod and written as Export requests of at most `batch` items, as a node agent would.
 */
#ifndef LOADGEN_OUTBOX_H
#define LOADGEN_OUTBOX_H

#include "core/base/vec.h"
#include "loadgen/otlp_out.h"
#include "loadgen/shop.h"

enum { OUTBOX_TICKS = 1200 }; /* how far ahead an item may lie: a ring of ticks */

struct outbox_item {
    int pod, node;
    enum signal signal;
    size_t resource, resource_len; /* in the tick's bytes: the pod may be replaced before sending */
    size_t at, len;
};

struct outbox_tick {
    VEC(struct outbox_item) items;
    struct buf bytes;
};

struct outbox {
    struct outbox_tick ticks[OUTBOX_TICKS];
    int64_t tick_ns, now_tick;
    size_t batch;
    struct buf request;
};

/* Called for every request; the bytes live until it returns. False stops the run. */
struct outbox_sink {
    bool (*send)(void *arg, int node, enum signal signal, struct slice request, size_t items);
    void *arg;
};

void outbox_init(struct outbox *o, int64_t start_ns, int64_t tick_ns, size_t batch);
void outbox_done(struct outbox *o);
/* `item` is an encoded Span, LogRecord or Metric of the pod, known at time_ns. */
void outbox_add(struct outbox *o, const struct shop *s, const struct pod *p, enum signal signal,
                int64_t time_ns, struct slice item);
/* Sends the present tick and goes on to the next. */
bool outbox_flush(struct outbox *o, int node_count, const struct outbox_sink *sink);

#endif
