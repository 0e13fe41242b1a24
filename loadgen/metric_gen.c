/* SPDX-License-Identifier: Apache-2.0
 *
 * One scrape of one pod: what cAdvisor says of its container, what kube-state-metrics says of the
 * pod, what the service says of its own requests. The names are those that real rules use; a
 * container carries them as labels too, because that is how scraped metrics come. Counters begin at
 * 0 with each new pod.
 */
#include "loadgen/world.h"

#include "core/base/clock.h"

#include <assert.h>

enum { FIXED_METRICS = 16, ROUTE_METRICS = 3 };

double metric_gen_per_scrape(void)
{
    /* Most services answer two kinds of request. */
    return FIXED_METRICS + ROUTE_METRICS * 2.0;
}

static struct number_out base(const struct world *w, const struct pod *p, const char *name,
                              const char *unit)
{
    const char *service = shop_services[p->service].name;
    return (struct number_out){.name = name,
                               .unit = unit,
                               .time_ns = w->now_ns,
                               .start_ns = p->start_ns,
                               .attrs = {ATTR_S("namespace", "shop"), ATTR_S("pod", p->name),
                                         ATTR_S("container", service)},
                               .attr_count = 3};
}

static void emit(struct world *w, const struct pod *p, const struct number_out *n)
{
    otlp_out_number(&w->scratch, n);
    world_emit(w, p, SIGNAL_METRICS, w->now_ns);
}

static void gauge(struct world *w, const struct pod *p, const char *name, const char *unit,
                  double value)
{
    struct number_out n = base(w, p, name, unit);
    n.value = value;
    emit(w, p, &n);
}

static void counter(struct world *w, const struct pod *p, const char *name, const char *unit,
                    double value, bool is_int)
{
    struct number_out n = base(w, p, name, unit);
    n.counter = true;
    n.is_int = is_int;
    n.value = value;
    emit(w, p, &n);
}

/* Moves the pod's resource use on by one scrape interval. */
static void consume(struct world *w, struct pod *p)
{
    const struct service *service = &shop_services[p->service];
    double interval = (double)w->scrape_ns / (double)CLOCK_NS_PER_S;
    double cores = 0.01 + p->work_s / interval + p->cpu_extra;
    cores = MIN(cores, service->cpu_limit * 1.02); /* the kernel throttles a little late */
    p->cpu_seconds += cores * interval * (0.95 + 0.1 * rng_unit(&w->usage));
    p->work_s = 0;
    double target = service->memory_mib * 1048576 * (0.35 + 0.3 * rng_unit(&w->usage));
    p->memory_bytes += (target - p->memory_bytes) * 0.05;
    p->net_rx += (uint64_t)(interval * 20000 * (0.5 + rng_unit(&w->usage)));
    p->net_tx += (uint64_t)(interval * 30000 * (0.5 + rng_unit(&w->usage)));
}

static void scrape_container(struct world *w, struct pod *p)
{
    const struct service *service = &shop_services[p->service];
    double limit_bytes = service->memory_mib * 1048576;
    counter(w, p, "container_cpu_usage_seconds_total", "s", p->cpu_seconds, false);
    counter(w, p, "container_cpu_cfs_throttled_seconds_total", "s",
            p->cpu_extra > 0 ? p->cpu_seconds * 0.2 : 0, false);
    gauge(w, p, "container_memory_working_set_bytes", "By", p->memory_bytes);
    gauge(w, p, "container_memory_rss", "By", p->memory_bytes * 0.9);
    counter(w, p, "container_network_receive_bytes_total", "By", (double)p->net_rx, true);
    counter(w, p, "container_network_transmit_bytes_total", "By", (double)p->net_tx, true);
    gauge(w, p, "kube_pod_container_resource_limits_cpu_cores", "{core}", service->cpu_limit);
    gauge(w, p, "kube_pod_container_resource_limits_memory_bytes", "By", limit_bytes);
    gauge(w, p, "kube_pod_container_resource_requests_cpu_cores", "{core}", service->cpu_limit / 2);
    counter(w, p, "kube_pod_container_status_restarts_total", "{restart}", p->restarts, true);
    gauge(w, p, "kube_pod_container_status_ready", "1", 1);
    gauge(w, p, "kube_pod_status_phase", "1", 1);
    gauge(w, p, "process_open_fds", "{fd}", 30 + (double)rng_below(&w->usage, 10));
    gauge(w, p, "process_threads", "{thread}", 12 + (double)rng_below(&w->usage, 4));
    counter(w, p, "process_cpu_seconds_total", "s", p->cpu_seconds * 0.98, false);
    gauge(w, p, "process_resident_memory_bytes", "By", p->memory_bytes * 0.95);
}

static void scrape_routes(struct world *w, const struct pod *p)
{
    for (int i = 0; i < SHOP_ROUTES && p->red[i].route != NULL; i++) {
        const struct red *red = &p->red[i];
        otlp_out_latency(&w->scratch, "http.server.request.duration", red, p->start_ns, w->now_ns);
        world_emit(w, p, SIGNAL_METRICS, w->now_ns);
        struct number_out n = base(w, p, "requests_total", "{request}");
        n.counter = n.is_int = true;
        n.attrs[n.attr_count++] = ATTR_S("route", red->route);
        n.value = (double)red->count;
        emit(w, p, &n);
        n.name = "errors_total";
        n.value = (double)red->errors;
        emit(w, p, &n);
    }
}

void metric_gen_scrape(struct world *w, struct pod *p)
{
    assert(p->running);
    consume(w, p);
    scrape_container(w, p);
    scrape_routes(w, p);
}
