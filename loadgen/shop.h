/* SPDX-License-Identifier: Apache-2.0
 *
 * The fleet: services of shop.def, their pods, the nodes they run on. Pods have one container each,
 * named after the service. A pod that is replaced gets a new name, uid and start time in the same
 * place of the array, as a Deployment does; its counters begin at 0 again. The pods of one version
 * of a service belong to one ReplicaSet, whose hash is the middle part of their names.
 */
#ifndef LOADGEN_SHOP_H
#define LOADGEN_SHOP_H

#include "core/base/arena.h"
#include "core/base/slice.h"
#include "loadgen/rng.h"

enum service_id {
#define SERVICE(id, name, language, replicas, cpu, memory, version) SERVICE_##id,
#include "loadgen/shop.def"
#undef SERVICE
    SERVICE_COUNT
};

enum {
    SHOP_NODES_MAX = 64,
    SHOP_PODS_MAX = 512,
    SHOP_REDS = 10,    /* kinds of answers that one pod counts apart */
    SHOP_BUCKETS = 12, /* of a latency histogram */
    SHOP_SCALE_MAX = 14
};

/* An encoded opentelemetry Resource. Lives as long as the shop: items that are still on their way
 * may belong to a pod that has been replaced. */
struct shop_resource {
    struct slice bytes;
    bool gone;       /* its pod died with its node: what it had not sent yet is lost */
    int first, last; /* the outbox's, while it writes a request */
};

struct service {
    const char *name, *language, *version;
    int replicas;
    double cpu_limit, memory_mib;
};

extern const struct service shop_services[SERVICE_COUNT];
extern const double shop_bounds[SHOP_BUCKETS - 1]; /* of the latency histograms, in seconds */

enum red_kind { RED_HTTP = 0, RED_RPC = 1, RED_MESSAGE = 2, RED_DB = 3, RED_KINDS };

/* What one pod counted of one operation and outcome since it started: rate, errors, duration. */
struct red {
    const char *operation; /* NULL = not used yet */
    const char *system, *method;
    enum red_kind kind;
    bool error;
    uint64_t count, buckets[SHOP_BUCKETS];
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
    bool bad;      /* of a version that fails */
    bool crashing; /* waits in CrashLoopBackOff until restart_ns */
    int64_t restart_ns;
    int64_t lost_ns; /* when its node went away; 0 = it did not */
    int restarts;
    double cpu_seconds;  /* counter */
    double throttled_s;  /* counter */
    double cpu_extra;    /* cores burnt beside the work, by an incident */
    double memory_bytes; /* gauge */
    double work_s;       /* busy seconds since the last scrape */
    int64_t used_ns;     /* up to when resource use has been counted */
    uint64_t net_rx, net_tx;
    struct red red[SHOP_REDS];
    struct shop_resource *resource, *object; /* of its own telemetry; of events about it */
};

struct node {
    char name[32];
    bool up;
    struct shop_resource *kubelet, *object;
};

struct shop {
    struct rng rng;
    struct arena *arena; /* of the resources */
    const char *cluster;
    int node_count, pod_count;
    int first[SERVICE_COUNT], replicas[SERVICE_COUNT]; /* pods of a service lie together */
    struct node nodes[SHOP_NODES_MAX];
    struct pod pods[SHOP_PODS_MAX];
    struct shop_resource *cluster_state, *kafka, *deployments[SERVICE_COUNT];
};

/* How long others go on calling a pod whose node is gone. */
#define SHOP_NOTICE_NS (15 * INT64_C(1000000000))

void shop_init(struct shop *s, const char *cluster, uint64_t seed, int scale, int64_t now_ns);
void shop_done(struct shop *s);
/* Who answers a call: a pod of the service that runs, or one that is believed to (running is false
 * then), or NULL when there is none. */
struct pod *shop_pick(struct shop *s, enum service_id service, struct rng *rng, int64_t now_ns);
/* Puts a fresh pod into the place of an old one. */
void shop_replace(struct shop *s, struct pod *p, int node, const char *version, int64_t now_ns);
/* The container starts again in the same pod: counters begin at 0. */
void shop_restart(struct pod *p, int64_t now_ns);

struct shop_answer {
    enum red_kind kind;
    const char *operation, *system, *method;
    bool error;
    double seconds;
    const uint8_t *trace, *span;
    int64_t end_ns;
};
void shop_count(struct pod *p, const struct shop_answer *a);

#endif
