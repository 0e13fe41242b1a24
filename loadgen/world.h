/* SPDX-License-Identifier: Apache-2.0
 *
 * The shop in motion: virtual time advances tick by tick; in each tick visitors make requests,
 * what is due is scraped, incidents begin and end. All of it is a function of the options: the same
 * options give the same bytes.
 */
#ifndef LOADGEN_WORLD_H
#define LOADGEN_WORLD_H

#include "loadgen/flow.h"
#include "loadgen/incident.h"
#include "loadgen/outbox.h"

struct world_options {
    uint64_t seed;
    const char *cluster;
    int scale; /* replicas times this */
    int64_t start_ns, tick_ns, flush_ns;
    double spans_per_s, logs_per_s, metrics_per_s; /* averages without incidents */
    size_t batch;
    unsigned signals; /* bits: which are sent; 0 = all */
};

struct world {
    struct world_options options;
    struct shop shop;
    struct incidents incidents;
    struct outbox outbox;
    struct rng visits, ids, latency, chatter, usage;
    int64_t now_ns;
    double request_debt, log_rate; /* requests due; log records per span */
    int64_t scrape_ns;             /* between two scrapes of the same thing */
    uint64_t requests, orders_behind;
    bool changed; /* an incident began or ended: whoever keeps the ground truth clears it */
    struct buf scratch;
};

void world_init(struct world *w, const struct world_options *options);
void world_done(struct world *w);
/* One tick: everything that becomes known in it goes to the sink. False = the sink stopped. */
bool world_step(struct world *w, const struct outbox_sink *sink);
/* What has become known and is not sent yet: at the end of a run. */
bool world_finish(struct world *w, const struct outbox_sink *sink);

/* Shared by the generators. world_emit hands the item in w->scratch to an agent. */
static inline bool world_wants(const struct world *w, enum signal signal)
{
    return (w->options.signals >> signal & 1) != 0;
}
void world_emit(struct world *w, int agent, struct shop_resource *resource, enum signal signal,
                int64_t time_ns, size_t points);

void trace_gen_request(struct world *w, int64_t start_ns);

void metric_gen_kubelet(struct world *w, int node);
void metric_gen_state(struct world *w, const struct pod *p);
void metric_gen_cluster(struct world *w);
void metric_gen_service(struct world *w, struct pod *p);
double metric_gen_per_round(const struct shop *s);

void incident_apply(struct world *w); /* begins and ends what is due */

struct kube_event {
    const char *reason, *name; /* why; the object's name */
    const char *note;
    bool warning, cluster_wide;
    int count; /* 0 = 1 */
};
void kube_gen_event(struct world *w, struct shop_resource *object, const struct kube_event *event);

#endif
