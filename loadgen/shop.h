/* SPDX-License-Identifier: Apache-2.0
 *
 * The fleet: services of shop.def, their pods, the nodes they run on. Pods have one container each,
 * named after the service. A pod that is replaced gets a new name, uid and start time in the same
 * place of the array, as a Deployment does; its counters begin at 0 again.
 */
#ifndef LOADGEN_SHOP_H
#define LOADGEN_SHOP_H

#include "core/base/buf.h"
#include "loadgen/rng.h"

enum service_id {
#define SERVICE(id, name, language, replicas, cpu, memory, version) SERVICE_##id,
#include "loadgen/shop.def"
#undef SERVICE
    SERVICE_COUNT
};

enum { SHOP_NODES_MAX = 64, SHOP_PODS_MAX = 512, SHOP_ROUTES = 4, SHOP_BUCKETS = 12 };

struct service {
    const char *name, *language, *version;
    int replicas;
    double cpu_limit, memory_mib;
};

extern const struct service shop_services[SERVICE_COUNT];
extern const double shop_bounds[SHOP_BUCKETS - 1]; /* of the latency histograms, in seconds */

/* What one pod counted of one operation since it started. */
struct red {
    const char *route; /* NULL = not used yet */
    uint64_t count, errors, buckets[SHOP_BUCKETS];
    double sum_s, min_s, max_s;
    uint8_t exemplar_trace[16], exemplar_span[8];
    double exemplar_s;
    int64_t exemplar_ns; /* 0 = none */
};

struct pod {
    enum service_id service;
    int node;
    char name[64], uid[40], version[16];
    int64_t start_ns;
    bool running;
    int restarts;
    double cpu_seconds;  /* counter */
    double cpu_extra;    /* cores burnt beside the work, by an incident */
    double memory_bytes; /* gauge */
    double work_s;       /* busy seconds since the last scrape */
    uint64_t net_rx, net_tx;
    struct red red[SHOP_ROUTES];
    struct buf resource; /* encoded opentelemetry Resource */
};

struct shop {
    struct rng rng;
    const char *cluster;
    int node_count, pod_count;
    bool node_up[SHOP_NODES_MAX];
    struct pod pods[SHOP_PODS_MAX];
};

void shop_init(struct shop *s, const char *cluster, uint64_t seed, int scale, int64_t now_ns);
void shop_done(struct shop *s);
void shop_node_name(int node, char out[32]);
/* A running pod of the service, or NULL when there is none. */
struct pod *shop_pick(struct shop *s, enum service_id service, struct rng *rng);
/* Puts a fresh pod into the place of an old one. */
void shop_replace(struct shop *s, struct pod *p, int node, const char *version, int64_t now_ns);
void shop_count(struct pod *p, const char *route, double seconds, bool error,
                const uint8_t trace[16], const uint8_t span[8], int64_t now_ns);

#endif
