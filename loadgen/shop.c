/* SPDX-License-Identifier: Apache-2.0
 *
 * See shop.h.
 */
#include "loadgen/shop.h"

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

void shop_node_name(int node, char out[32])
{
    snprintf(out, 32, "node-%02d.eu-1.example", node + 1);
}

static void make_identity(struct shop *s, struct pod *p)
{
    static const char letters[] = "bcdfghjklmnpqrstvwxz2456789";
    char tail[17];
    uint64_t r = rng_next(&s->rng);
    for (size_t i = 0; i < 16; i++) {
        tail[i] = letters[r % (sizeof letters - 1)];
        r = i == 8 ? rng_next(&s->rng) : r / (sizeof letters - 1);
    }
    tail[16] = '\0';
    snprintf(p->name, sizeof p->name, "%s-%.9s-%.5s", shop_services[p->service].name, tail,
             tail + 9);
    uint64_t a = rng_next(&s->rng), b = rng_next(&s->rng);
    snprintf(p->uid, sizeof p->uid, "%08x-%04x-4%03x-a%03x-%012llx", (unsigned)(a >> 32),
             (unsigned)(a >> 16 & 0xffff), (unsigned)(a & 0xfff), (unsigned)(b >> 52),
             (unsigned long long)(b & 0xffffffffffff));
}

void shop_replace(struct shop *s, struct pod *p, int node, const char *version, int64_t now_ns)
{
    assert(p >= s->pods && p < s->pods + s->pod_count);
    struct buf resource = p->resource;
    enum service_id service = p->service;
    *p = (struct pod){.service = service,
                      .node = node,
                      .start_ns = now_ns,
                      .running = true,
                      .memory_bytes = shop_services[service].memory_mib * 0.4 * 1048576,
                      .resource = resource};
    snprintf(p->version, sizeof p->version, "%s", version);
    make_identity(s, p);
    otlp_out_resource(&p->resource, s, p);
}

void shop_init(struct shop *s, const char *cluster, uint64_t seed, int scale, int64_t now_ns)
{
    assert(scale >= 1);
    *s = (struct shop){.rng = {seed}, .cluster = cluster};
    int replicas = 0;
    for (int i = 0; i < SERVICE_COUNT; i++) {
        replicas += shop_services[i].replicas * scale;
    }
    assert(replicas <= SHOP_PODS_MAX);
    s->node_count = replicas / 9 + 1;
    assert(s->node_count <= SHOP_NODES_MAX);
    for (int n = 0; n < s->node_count; n++) {
        s->node_up[n] = true;
    }
    for (int i = 0; i < SERVICE_COUNT; i++) {
        for (int r = 0; r < shop_services[i].replicas * scale; r++) {
            struct pod *p = &s->pods[s->pod_count++];
            p->service = (enum service_id)i;
            buf_init(&p->resource, 4096);
            shop_replace(s, p, (s->pod_count * 7 + i) % s->node_count, shop_services[i].version,
                         now_ns - (int64_t)rng_below(&s->rng, 86400) * 1000000000);
        }
    }
}

void shop_done(struct shop *s)
{
    for (int i = 0; i < s->pod_count; i++) {
        buf_done(&s->pods[i].resource);
    }
}

struct pod *shop_pick(struct shop *s, enum service_id service, struct rng *rng)
{
    struct pod *found[SHOP_PODS_MAX];
    size_t n = 0;
    for (int i = 0; i < s->pod_count; i++) {
        if (s->pods[i].service == service && s->pods[i].running) {
            found[n++] = &s->pods[i];
        }
    }
    return n > 0 ? found[rng_below(rng, n)] : NULL;
}

void shop_count(struct pod *p, const char *route, double seconds, bool error,
                const uint8_t trace[16], const uint8_t span[8], int64_t now_ns)
{
    struct red *red = p->red;
    while (red < p->red + SHOP_ROUTES - 1 && red->route != NULL && red->route != route) {
        red++;
    }
    if (red->route == NULL) {
        *red = (struct red){.route = route, .min_s = seconds, .max_s = seconds};
    }
    size_t bucket = 0;
    while (bucket < SHOP_BUCKETS - 1 && seconds > shop_bounds[bucket]) {
        bucket++;
    }
    red->buckets[bucket]++;
    red->count++;
    red->errors += error;
    red->sum_s += seconds;
    red->min_s = seconds < red->min_s ? seconds : red->min_s;
    red->max_s = seconds > red->max_s ? seconds : red->max_s;
    if (error || red->exemplar_ns == 0 || seconds > red->exemplar_s) {
        memcpy(red->exemplar_trace, trace, 16);
        memcpy(red->exemplar_span, span, 8);
        red->exemplar_s = seconds;
        red->exemplar_ns = now_ns;
    }
}
