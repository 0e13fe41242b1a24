/* SPDX-License-Identifier: Apache-2.0
 *
 * See shop.h.
 */
#include "loadgen/shop.h"

#include "core/base/clock.h"
#include "core/base/hash.h"
#include "loadgen/otlp_out.h"

#include <assert.h>
#include <stdio.h>

const struct service shop_services[SERVICE_COUNT] = {
#define SERVICE(id, name, language, replicas, cpu, memory, version)                                \
    {(name), (language), (version), (replicas), (cpu), (memory)},
#include "loadgen/shop.def"
#undef SERVICE
};

const double shop_bounds[SHOP_BUCKETS - 1] = {0.005, 0.01, 0.025, 0.05, 0.1, 0.25,
                                              0.5,   1,    2.5,   5,    10};

enum { RESOURCES_BYTES_MAX = 64 * 1024 * 1024, RESOURCE_BYTES_MAX = 4096 };

static struct shop_resource *keep(struct shop *s, const struct buf *b)
{
    assert(!buf_failed(b));
    struct shop_resource *r = ARENA_NEW(s->arena, struct shop_resource);
    assert(r != NULL);
    *r = (struct shop_resource){
        .bytes = arena_copy(s->arena, buf_slice(b)), .first = -1, .last = -1};
    assert(r->bytes.len == b->len);
    return r;
}

static struct shop_resource *resource_of(struct shop *s, const struct attr *attrs, size_t n)
{
    struct buf b;
    buf_init(&b, RESOURCE_BYTES_MAX);
    otlp_out_resource(&b, attrs, n);
    struct shop_resource *r = keep(s, &b);
    buf_done(&b);
    return r;
}

/* The object of Kubernetes events, as the collector's receiver describes it. */
static struct shop_resource *object_of(struct shop *s, const char *kind, const char *name,
                                       const char *uid, const char *node)
{
    const struct attr attrs[] = {
        ATTR_S("k8s.cluster.name", s->cluster),
        ATTR_S("k8s.node.name", node),
        ATTR_S("k8s.object.kind", kind),
        ATTR_S("k8s.object.name", name),
        ATTR_S("k8s.object.uid", uid),
        ATTR_S("k8s.object.api_version", strcmp(kind, "Deployment") == 0 ? "apps/v1" : "v1"),
    };
    return resource_of(s, attrs, ARRAY_LEN(attrs));
}

/* What a scraper says of its target. */
static struct shop_resource *target_of(struct shop *s, const char *job, const char *instance,
                                       const char *node)
{
    const struct attr attrs[] = {
        ATTR_S("service.name", job),
        ATTR_S("service.instance.id", instance),
        ATTR_S("k8s.cluster.name", s->cluster),
        ATTR_S("k8s.node.name", node),
    };
    return resource_of(s, attrs, node != NULL ? 4 : 3);
}

static void make_uid(struct shop *s, char out[40])
{
    uint64_t a = rng_next(&s->rng), b = rng_next(&s->rng);
    snprintf(out, 40, "%08x-%04x-4%03x-a%03x-%012llx", (unsigned)(a >> 32),
             (unsigned)(a >> 16 & 0xffff), (unsigned)(a & 0xfff), (unsigned)(b >> 52),
             (unsigned long long)(b & 0xffffffffffff));
}

/* n letters of the alphabet that Kubernetes uses for generated names. */
static void make_letters(uint64_t r, char *out, size_t n)
{
    static const char letters[] = "bcdfghjklmnpqrstvwxz2456789";
    for (size_t i = 0; i < n; i++) {
        out[i] = letters[r % (sizeof letters - 1)];
        r /= sizeof letters - 1;
    }
    out[n] = '\0';
}

static void make_identity(struct shop *s, struct pod *p)
{
    char set[11], tail[6];
    const char *service = shop_services[p->service].name;
    make_letters(hash_xxh64(slice_str(service)) ^ hash_xxh64(slice_str(p->version)), set, 10);
    make_letters(rng_next(&s->rng), tail, 5);
    snprintf(p->name, sizeof p->name, "%s-%s-%s", service, set, tail);
    make_uid(s, p->uid);
}

void shop_replace(struct shop *s, struct pod *p, int node, const char *version, int64_t now_ns)
{
    assert(p >= s->pods && p < s->pods + s->pod_count);
    assert(node >= 0 && node < s->node_count);
    enum service_id service = p->service;
    struct buf b;
    *p = (struct pod){.service = service, .node = node, .running = true};
    shop_restart(p, now_ns);
    snprintf(p->version, sizeof p->version, "%s", version);
    make_identity(s, p);
    buf_init(&b, RESOURCE_BYTES_MAX);
    otlp_out_pod(&b, s, p);
    p->resource = keep(s, &b);
    buf_done(&b);
    p->object = object_of(s, "Pod", p->name, p->uid, s->nodes[node].name);
}

void shop_restart(struct pod *p, int64_t now_ns)
{
    memset(p->red, 0, sizeof p->red);
    p->start_ns = p->used_ns = now_ns;
    p->cpu_seconds = p->throttled_s = p->work_s = 0;
    p->memory_bytes = shop_services[p->service].memory_mib * 0.4 * 1048576;
}

static void make_nodes(struct shop *s)
{
    char uid[40], instance[64];
    for (int i = 0; i < s->node_count; i++) {
        struct node *n = &s->nodes[i];
        n->up = true;
        snprintf(n->name, sizeof n->name, "node-%02d.eu-1.example", i + 1);
        snprintf(instance, sizeof instance, "10.0.0.%d:10250", i + 10);
        make_uid(s, uid);
        n->object = object_of(s, "Node", n->name, uid, n->name);
        n->kubelet = target_of(s, "kubelet", instance, n->name);
    }
}

void shop_init(struct shop *s, const char *cluster, uint64_t seed, int scale, int64_t now_ns)
{
    assert(scale >= 1 && scale <= SHOP_SCALE_MAX);
    char uid[40];
    *s = (struct shop){.rng = {seed}, .cluster = cluster};
    s->arena = arena_new(NULL, "shop", RESOURCES_BYTES_MAX);
    int replicas = 0;
    for (int i = 0; i < SERVICE_COUNT; i++) {
        replicas += shop_services[i].replicas * scale;
    }
    assert(replicas <= SHOP_PODS_MAX);
    s->node_count = replicas / 9 + 1;
    assert(s->node_count <= SHOP_NODES_MAX);
    make_nodes(s);
    s->cluster_state = target_of(s, "kube-state-metrics", "10.0.1.2:8080", NULL);
    s->kafka = target_of(s, "kafka-exporter", "10.0.1.3:9308", NULL);
    for (int i = 0; i < SERVICE_COUNT; i++) {
        const char *name = shop_services[i].name;
        make_uid(s, uid);
        s->deployments[i] = object_of(s, "Deployment", name, uid, "");
        s->first[i] = s->pod_count;
        s->replicas[i] = shop_services[i].replicas * scale;
        for (int r = 0; r < s->replicas[i]; r++) {
            struct pod *p = &s->pods[s->pod_count++];
            p->service = (enum service_id)i;
            shop_replace(s, p, (s->pod_count * 7 + i) % s->node_count, shop_services[i].version,
                         now_ns - (int64_t)rng_below(&s->rng, 86400) * CLOCK_NS_PER_S);
            p->used_ns = now_ns;
            p->cpu_seconds = (double)(now_ns - p->start_ns) / 1e9 * 0.03;
        }
    }
}

void shop_done(struct shop *s)
{
    arena_free(s->arena);
}

static bool is_called(const struct pod *p, int64_t now_ns)
{
    return p->running || (p->lost_ns != 0 && now_ns < p->lost_ns + SHOP_NOTICE_NS);
}

struct pod *shop_pick(struct shop *s, enum service_id service, struct rng *rng, int64_t now_ns)
{
    struct pod *first = &s->pods[s->first[service]];
    int n = s->replicas[service];
    assert(n > 0);
    /* The first that is called from a random place on: even, unless some are away. */
    int at = (int)rng_below(rng, (uint64_t)n);
    for (int i = 0; i < n; i++) {
        struct pod *p = &first[(at + i) % n];
        if (is_called(p, now_ns)) {
            return p;
        }
    }
    return NULL;
}

/* Names are compared by their text: whether equal literals are one is up to the compiler. */
static bool is_same(const struct red *red, const struct shop_answer *a)
{
    return red->error == a->error && red->kind == a->kind &&
           strcmp(red->operation, a->operation) == 0 && strcmp(red->method, a->method) == 0;
}

static struct red *red_of(struct pod *p, const struct shop_answer *a)
{
    struct red *red = p->red;
    while (red < p->red + SHOP_REDS - 1 && red->operation != NULL && !is_same(red, a)) {
        red++;
    }
    if (red->operation == NULL) {
        *red = (struct red){.operation = a->operation,
                            .system = a->system,
                            .method = a->method,
                            .kind = a->kind,
                            .error = a->error,
                            .min_s = a->seconds,
                            .max_s = a->seconds};
    }
    return red;
}

void shop_count(struct pod *p, const struct shop_answer *a)
{
    struct red *red = red_of(p, a);
    size_t bucket = 0;
    while (bucket < SHOP_BUCKETS - 1 && a->seconds > shop_bounds[bucket]) {
        bucket++;
    }
    red->buckets[bucket]++;
    red->count++;
    red->sum_s += a->seconds;
    red->min_s = a->seconds < red->min_s ? a->seconds : red->min_s;
    red->max_s = a->seconds > red->max_s ? a->seconds : red->max_s;
    /* The slowest since the last scrape, which forgets it. */
    if (red->exemplar_ns == 0 || a->seconds > red->exemplar_s) {
        memcpy(red->exemplar_trace, a->trace, 16);
        memcpy(red->exemplar_span, a->span, 8);
        red->exemplar_s = a->seconds;
        red->exemplar_ns = a->end_ns;
    }
}
