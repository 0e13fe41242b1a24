/* SPDX-License-Identifier: Apache-2.0
 *
 * The pages every role serves: /healthz (does the process go round), /readyz (may it be sent work),
 * /metrics. Liveness knows nothing but heartbeats of loops: a process whose bus is away must not be
 * killed for it. Readiness is a list of named checks; what is not ready is told line by line.
 *
 *     struct health *h = health_new();
 *     health_watch(h, "main", loop);
 *     health_check(h, "bus", bus_is_ready, bus);      fn(arg, why, size): true, or why not
 *     health_routes(h, http_server_router(server));
 *
 * Set up before the server runs; then its loop's thread, except health_drain, which is for any.
 */
#ifndef CORE_NET_HEALTH_H
#define CORE_NET_HEALTH_H

#include "core/base/slice.h"

struct health;
struct http_router;
struct loop;
struct stats;

struct health *health_new(void);
void health_free(struct health *h);
void health_routes(struct health *h, struct http_router *router);
/* /healthz fails when this loop has not gone round for 5 s. */
void health_watch(struct health *h, const char *name, const struct loop *l);
/* fn runs on the server's thread and must not block. name must outlive h. */
void health_check(struct health *h, const char *name, bool (*fn)(void *arg, char *why, size_t size),
                  void *arg);
void health_metrics(struct health *h, struct stats *stats); /* what /metrics shows */
void health_drain(struct health *h); /* from now on /readyz says "draining" */

#endif
