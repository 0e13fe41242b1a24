/* SPDX-License-Identifier: Apache-2.0
 *
 * The shop in motion: virtual time advances tick by tick; in each tick visitors make requests,
 * pods are scraped when their turn comes, incidents begin and end. All of it is a function of the
 * options: the same options give the same bytes.
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
    int64_t start_ns, tick_ns;
    double spans_per_s, logs_per_s, metrics_per_s; /* averages without incidents */
    size_t batch;
};

struct world {
    struct world_options options;
    struct shop shop;
    struct incidents incidents;
    struct outbox outbox;
    struct rng visits, ids, latency, chatter, usage;
    int64_t now_ns;
    double request_debt, log_rate; /* requests due; log records per span */
    int64_t scrape_ns;             /* between two scrapes of a pod */
    uint64_t items[SIGNAL_COUNT], requests;
    struct buf scratch;
};

void world_init(struct world *w, const struct world_options *options);
void world_done(struct world *w);
/* One tick: everything that becomes known in it goes to the sink. False = the sink stopped. */
bool world_step(struct world *w, const struct outbox_sink *sink);

/* Shared by the generators: hands an encoded item (in w->scratch) to the outbox. */
void world_emit(struct world *w, const struct pod *p, enum signal signal, int64_t time_ns);

void trace_gen_request(struct world *w, int64_t start_ns);
void metric_gen_scrape(struct world *w, struct pod *p);
/* Metrics one scrape of one pod gives, on average. */
double metric_gen_per_scrape(void);
void incident_apply(struct world *w); /* begins and ends what is due */

/* A Kubernetes event, as the collector's k8s objects receiver sends it: a log record. */
struct kube_out {
    const char *reason, *type, *kind, *object, *note;
};
void kube_gen_event(struct world *w, const struct pod *about, const struct kube_out *event);

#endif
