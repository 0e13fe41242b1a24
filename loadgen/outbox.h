/* SPDX-License-Identifier: Apache-2.0
 *
 * What has been made but not yet sent. An item (an encoded Span, LogRecord or Metric) first waits
 * for the tick in which it becomes known: a span when it has ended. Then it goes to its agent: each
 * node has one, as a collector runs on each node, and the cluster has one for what is not of a
 * node. An agent sends a request when `batch` items are together, or every `flush_ns`; agents have
 * different phases, so that requests are spread evenly over time.
 *
 * Buffers of ticks that are over are used again: memory is what waits, and a few spare ones.
 */
#ifndef LOADGEN_OUTBOX_H
#define LOADGEN_OUTBOX_H

#include "core/base/buf.h"
#include "core/base/vec.h"
#include "loadgen/otlp_out.h"
#include "loadgen/shop.h"

enum { OUTBOX_TICKS = 4096, OUTBOX_AGENTS_MAX = SHOP_NODES_MAX + 1, OUTBOX_SPARES = 64 };

struct outbox_item {
    struct shop_resource *resource;
    uint32_t at, len;
    uint32_t points; /* what it counts as */
    int next;        /* of the same resource, while a request is written */
    uint16_t agent;
    uint8_t signal;
};

struct outbox_pile {
    VEC(struct outbox_item) items;
    struct buf bytes;
    size_t points;
};

struct outbox_options {
    int64_t start_ns, tick_ns, flush_ns;
    size_t batch;
    int agents;
};

struct outbox {
    struct outbox_options options;
    int64_t now_tick;
    struct outbox_pile ticks[OUTBOX_TICKS];
    struct outbox_pile agents[OUTBOX_AGENTS_MAX][SIGNAL_COUNT];
    struct outbox_pile spares[OUTBOX_SPARES];
    size_t spare_count;
    VEC(struct shop_resource *) order; /* of the request being written */
    struct buf request;
};

/* Called for every request; the bytes live until it returns. False stops the run. */
struct outbox_sink {
    bool (*send)(void *arg, int agent, enum signal signal, struct slice request, size_t items);
    void *arg;
};

void outbox_init(struct outbox *o, const struct outbox_options *options);
void outbox_done(struct outbox *o);
/* The item becomes known at time_ns; a time too far ahead is cut to the last tick of the ring. */
void outbox_add(struct outbox *o, int agent, enum signal signal, struct shop_resource *resource,
                int64_t time_ns, struct slice item, size_t points);
/* The agent's machine is gone with all that it had not sent. */
void outbox_lose(struct outbox *o, int agent);
/* Sends what the present tick makes due and goes on to the next. */
bool outbox_flush(struct outbox *o, const struct outbox_sink *sink);
/* Sends everything that has become known, due or not: the end of a run. */
bool outbox_finish(struct outbox *o, const struct outbox_sink *sink);

#endif
