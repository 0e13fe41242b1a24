/* SPDX-License-Identifier: Apache-2.0
 *
 * Metrics, as three kinds of scrape: the kubelet of a node tells what cAdvisor sees of its
 * containers, kube-state-metrics what the API says of a pod, and a service its own requests and
 * process. The first two have the resource of the scraper and name the pod in labels, as scraped
 * metrics do; metric.def has the names. Counters begin at 0 with each start of a container.
 */
#include "loadgen/world.h"

#include "core/base/clock.h"

#include <assert.h>
#include <stdio.h>

enum row_kind { GAUGE = METRIC_GAUGE, COUNTER = METRIC_COUNTER };

struct metric_row {
    const char *name, *unit; /* name NULL: one more point of the metric above */
    enum row_kind kind;
    const char *label, *label_value;
};

static const struct metric_row cadvisor_rows[] = {
#define CADVISOR(id, name, unit, kind, label, label_value, value, doc)                             \
    {(name), (unit), (kind), (label), (label_value)},
#include "loadgen/metric.def"
};
static const struct metric_row ksm_rows[] = {
#define KSM(id, name, unit, kind, label, label_value, value, doc)                                  \
    {(name), (unit), (kind), (label), (label_value)},
#define KSM_MORE(id, label, label_value, value, doc) {NULL, NULL, GAUGE, (label), (label_value)},
#include "loadgen/metric.def"
};
static const struct metric_row process_rows[] = {
#define PROCESS(id, name, unit, kind, value, doc) {(name), (unit), (kind), NULL, NULL},
#include "loadgen/metric.def"
};

enum {
    CADVISOR_COUNT = ARRAY_LEN(cadvisor_rows),
    KSM_COUNT = ARRAY_LEN(ksm_rows),
    PROCESS_COUNT = ARRAY_LEN(process_rows),
    RED_POINTS_PER_POD = 5,
    DEPLOYMENT_METRICS = 2,
    LAG_PARTITIONS = 3
};

static double cadvisor_value(const struct world *w, const struct pod *p, size_t row)
{
    const struct service *service = &shop_services[p->service];
    int64_t periods = (w->now_ns - p->start_ns) / (100 * CLOCK_NS_PER_MS);
    const double values[] = {
#define CADVISOR(id, name, unit, kind, label, label_value, value, doc) (value),
#include "loadgen/metric.def"
    };
    return values[row];
}

static void ksm_values(const struct pod *p, double out[KSM_COUNT])
{
    const struct service *service = &shop_services[p->service];
    const double values[] = {
#define KSM(id, name, unit, kind, label, label_value, value, doc) (value),
#define KSM_MORE(id, label, label_value, value, doc)              (value),
#include "loadgen/metric.def"
    };
    memcpy(out, values, sizeof values);
}

static void process_values(struct world *w, const struct pod *p, double out[PROCESS_COUNT])
{
    /* Drawn here: the order in which an initializer is evaluated is up to the compiler. */
    double threads = (double)rng_below(&w->usage, 4);
    double files = (double)rng_below(&w->usage, 10);
    const double values[] = {
#define PROCESS(id, name, unit, kind, value, doc) (value),
#include "loadgen/metric.def"
    };
    memcpy(out, values, sizeof values);
}

/* Points that one round of all scrapes gives, about: with the answers that a service counts after
 * it has been up for a while. */
double metric_gen_per_round(const struct shop *s)
{
    double services = SERVICE_COUNT;
    return (CADVISOR_COUNT + KSM_COUNT + PROCESS_COUNT) * (double)s->pod_count +
           RED_POINTS_PER_POD * (double)s->pod_count + (double)s->node_count +
           DEPLOYMENT_METRICS * services + LAG_PARTITIONS;
}

static void add_label(struct point_out *point, const char *key, const char *value)
{
    assert(point->attr_count < SPAN_ATTRS_MAX);
    if (key != NULL) {
        point->attrs[point->attr_count++] = ATTR_S(key, value);
    }
}

/* A point about a container, as a scraper labels it. */
static struct point_out labelled(const struct world *w, const struct pod *p, double value)
{
    struct point_out point = {.value = value, .start_ns = p->start_ns, .time_ns = w->now_ns};
    add_label(&point, "namespace", "shop");
    add_label(&point, "pod", p->name);
    add_label(&point, "container", shop_services[p->service].name);
    return point;
}

static void send_metric(struct world *w, int agent, struct shop_resource *r,
                        const struct metric_out *m)
{
    if (m->points > 0) {
        otlp_out_metric_end(m);
        world_emit(w, agent, r, SIGNAL_METRICS, w->now_ns, m->points);
    } else {
        buf_clear(&w->scratch);
    }
}

/* Moves the resource use of a container on to now. */
static void consume(struct world *w, struct pod *p)
{
    const struct service *service = &shop_services[p->service];
    double seconds = (double)(w->now_ns - p->used_ns) / (double)CLOCK_NS_PER_S;
    if (seconds <= 0) {
        return;
    }
    double wanted = 0.01 + p->work_s / seconds + p->cpu_extra;
    double noise = 0.95 + 0.1 * rng_unit(&w->usage);
    /* The kernel throttles a little late. */
    double cores = wanted * noise;
    double most = service->cpu_limit * (1.01 + 0.02 * rng_unit(&w->usage));
    cores = MIN(cores, most);
    p->cpu_seconds += cores * seconds;
    p->throttled_s += wanted > service->cpu_limit ? seconds * 0.4 : 0;
    p->work_s = 0;
    p->used_ns = w->now_ns;
    double target = service->memory_mib * 1048576 * (0.35 + 0.3 * rng_unit(&w->usage));
    p->memory_bytes += (target - p->memory_bytes) * 0.05;
    p->net_rx += (uint64_t)(seconds * 20000 * (0.5 + rng_unit(&w->usage)));
    p->net_tx += (uint64_t)(seconds * 30000 * (0.5 + rng_unit(&w->usage)));
}

void metric_gen_kubelet(struct world *w, int node)
{
    struct shop *s = &w->shop;
    assert(node >= 0 && node < s->node_count);
    if (!s->nodes[node].up || !world_wants(w, SIGNAL_METRICS)) {
        return;
    }
    for (int i = 0; i < s->pod_count; i++) {
        if (s->pods[i].node == node && s->pods[i].running) {
            consume(w, &s->pods[i]);
        }
    }
    for (size_t k = 0; k < CADVISOR_COUNT; k++) {
        const struct metric_row *row = &cadvisor_rows[k];
        struct metric_out m =
            otlp_out_metric(&w->scratch, row->name, row->unit, (enum metric_kind)row->kind);
        for (int i = 0; i < s->pod_count; i++) {
            const struct pod *p = &s->pods[i];
            if (p->node == node && p->running) {
                struct point_out point = labelled(w, p, cadvisor_value(w, p, k));
                add_label(&point, row->label, row->label_value);
                otlp_out_point(&m, &point);
            }
        }
        send_metric(w, node, s->nodes[node].kubelet, &m);
    }
}

void metric_gen_state(struct world *w, const struct pod *p)
{
    struct shop *s = &w->shop;
    double values[KSM_COUNT];
    if (!world_wants(w, SIGNAL_METRICS)) {
        return;
    }
    ksm_values(p, values);
    for (size_t k = 0; k < KSM_COUNT;) {
        const struct metric_row *row = &ksm_rows[k];
        struct metric_out m =
            otlp_out_metric(&w->scratch, row->name, row->unit, (enum metric_kind)row->kind);
        do {
            struct point_out point = labelled(w, p, values[k]);
            add_label(&point, "uid", p->uid);
            add_label(&point, "node", s->nodes[p->node].name);
            add_label(&point, ksm_rows[k].label, ksm_rows[k].label_value);
            otlp_out_point(&m, &point);
            k++;
        } while (k < KSM_COUNT && ksm_rows[k].name == NULL);
        send_metric(w, s->node_count, s->cluster_state, &m);
    }
}

static void one_gauge(struct world *w, struct shop_resource *r, const char *name,
                      const struct point_out *point)
{
    struct metric_out m = otlp_out_metric(&w->scratch, name, "", METRIC_GAUGE);
    otlp_out_point(&m, point);
    send_metric(w, w->shop.node_count, r, &m);
}

static void scrape_deployments(struct world *w)
{
    struct shop *s = &w->shop;
    for (int i = 0; i < SERVICE_COUNT; i++) {
        int ready = 0;
        for (int r = 0; r < s->replicas[i]; r++) {
            ready += s->pods[s->first[i] + r].running;
        }
        struct point_out point = {.value = s->replicas[i], .time_ns = w->now_ns};
        add_label(&point, "namespace", "shop");
        add_label(&point, "deployment", shop_services[i].name);
        one_gauge(w, s->cluster_state, "kube_deployment_spec_replicas", &point);
        point.value = ready;
        one_gauge(w, s->cluster_state, "kube_deployment_status_replicas_available", &point);
    }
}

void metric_gen_cluster(struct world *w)
{
    struct shop *s = &w->shop;
    if (!world_wants(w, SIGNAL_METRICS)) {
        return;
    }
    for (int i = 0; i < s->node_count; i++) {
        struct point_out point = {.value = s->nodes[i].up, .time_ns = w->now_ns};
        add_label(&point, "node", s->nodes[i].name);
        add_label(&point, "condition", "Ready");
        add_label(&point, "status", "true");
        one_gauge(w, s->cluster_state, "kube_node_status_condition", &point);
    }
    scrape_deployments(w);
    struct metric_out m = otlp_out_metric(&w->scratch, "kafka_consumergroup_lag", "", METRIC_GAUGE);
    for (uint64_t i = 0; i < LAG_PARTITIONS; i++) {
        char partition[8];
        snprintf(partition, sizeof partition, "%d", (int)i);
        struct point_out point = {.time_ns = w->now_ns};
        uint64_t behind = (w->orders_behind + i) / LAG_PARTITIONS + rng_below(&w->usage, 3);
        point.value = (double)behind;
        add_label(&point, "consumergroup", "orders");
        add_label(&point, "topic", "orders");
        add_label(&point, "partition", partition);
        otlp_out_point(&m, &point);
    }
    send_metric(w, s->node_count, s->kafka, &m);
}

/* What tells one operation of a service from another, by the semantic conventions. */
static void label_answer(struct point_out *point, const struct red *red)
{
    switch (red->kind) {
    case RED_HTTP:
        add_label(point, "http.request.method", red->method);
        add_label(point, "http.route", red->operation);
        point->attrs[point->attr_count++] =
            ATTR_I("http.response.status_code", red->error ? 500 : 200);
        break;
    case RED_RPC:
        add_label(point, "rpc.system.name", red->system);
        add_label(point, "rpc.method", red->operation);
        add_label(point, "rpc.response.status_code", red->error ? "INTERNAL" : "OK");
        break;
    case RED_MESSAGE:
        add_label(point, "messaging.system", red->system);
        add_label(point, "messaging.destination.name", "orders");
        add_label(point, "messaging.operation.name", "process");
        break;
    case RED_DB:
        add_label(point, "db.system.name", red->system);
        add_label(point, "db.query.summary", red->operation);
        break;
    case RED_KINDS: break;
    }
    if (red->error) {
        add_label(point, "error.type", "error");
    }
}

static void scrape_latency(struct world *w, struct pod *p, enum red_kind kind)
{
    static const char *const names[RED_KINDS] = {
        [RED_HTTP] = "http.server.request.duration",
        [RED_RPC] = "rpc.server.call.duration",
        [RED_MESSAGE] = "messaging.process.duration",
        [RED_DB] = "db.client.operation.duration",
    };
    struct metric_out m = otlp_out_metric(&w->scratch, names[kind], "s", METRIC_LATENCY);
    for (struct red *red = p->red; red < p->red + SHOP_REDS && red->operation != NULL; red++) {
        if (red->kind == kind) {
            struct point_out point = {.red = red, .start_ns = p->start_ns, .time_ns = w->now_ns};
            label_answer(&point, red);
            otlp_out_point(&m, &point);
            red->exemplar_ns = 0;
        }
    }
    send_metric(w, p->node, p->resource, &m);
}

/* The same as plain counters: what most dashboards and rules start from. */
static void scrape_requests(struct world *w, const struct pod *p)
{
    struct metric_out m = otlp_out_metric(&w->scratch, "app.requests", "{request}", METRIC_COUNTER);
    for (const struct red *red = p->red; red < p->red + SHOP_REDS && red->operation != NULL;
         red++) {
        if (red->kind != RED_DB) {
            struct point_out point = {.value = (double)red->count,
                                      .is_int = true,
                                      .start_ns = p->start_ns,
                                      .time_ns = w->now_ns};
            add_label(&point, "operation", red->operation);
            add_label(&point, red->method[0] != '\0' ? "method" : NULL, red->method);
            add_label(&point, "outcome", red->error ? "error" : "ok");
            otlp_out_point(&m, &point);
        }
    }
    send_metric(w, p->node, p->resource, &m);
}

void metric_gen_service(struct world *w, struct pod *p)
{
    double values[PROCESS_COUNT];
    assert(p->resource != NULL);
    if (!p->running || !world_wants(w, SIGNAL_METRICS)) {
        return;
    }
    process_values(w, p, values);
    for (size_t k = 0; k < PROCESS_COUNT; k++) {
        const struct metric_row *row = &process_rows[k];
        struct metric_out m =
            otlp_out_metric(&w->scratch, row->name, row->unit, (enum metric_kind)row->kind);
        otlp_out_point(&m, &(struct point_out){
                               .value = values[k], .start_ns = p->start_ns, .time_ns = w->now_ns});
        send_metric(w, p->node, p->resource, &m);
    }
    for (int kind = 0; kind < RED_KINDS; kind++) {
        scrape_latency(w, p, (enum red_kind)kind);
    }
    scrape_requests(w, p);
}
