/* SPDX-License-Identifier: Apache-2.0
 *
 * See world.h.
 */
#include "loadgen/world.h"

#include "core/base/clock.h"

#include <assert.h>

enum { SCRATCH_MAX = 256 * 1024 };

void world_init(struct world *w, const struct world_options *options)
{
    assert(options->tick_ns > 0 && options->spans_per_s > 0);
    memset(w, 0, sizeof *w);
    w->options = *options;
    w->options.signals = options->signals != 0 ? options->signals : (1u << SIGNAL_COUNT) - 1;
    w->now_ns = options->start_ns - options->start_ns % options->tick_ns;
    struct rng root = {options->seed};
    w->visits = rng_fork(&root, 1);
    w->ids = rng_fork(&root, 2);
    w->latency = rng_fork(&root, 3);
    w->chatter = rng_fork(&root, 4);
    w->usage = rng_fork(&root, 5);
    shop_init(&w->shop, options->cluster, rng_next(&root), options->scale, w->now_ns);
    outbox_init(&w->outbox, &(struct outbox_options){.start_ns = w->now_ns,
                                                     .tick_ns = options->tick_ns,
                                                     .flush_ns = options->flush_ns,
                                                     .batch = options->batch,
                                                     .agents = w->shop.node_count + 1});
    buf_init(&w->scratch, SCRATCH_MAX);
    w->log_rate = options->logs_per_s / options->spans_per_s;
    w->scrape_ns = options->metrics_per_s > 0
                       ? (int64_t)(metric_gen_per_round(&w->shop) / options->metrics_per_s * 1e9)
                       : INT64_MAX / 1024;
    w->scrape_ns = MAX(w->scrape_ns, CLOCK_NS_PER_MS);
}

void world_done(struct world *w)
{
    shop_done(&w->shop);
    outbox_done(&w->outbox);
    buf_done(&w->scratch);
}

void world_emit(struct world *w, int agent, struct shop_resource *resource, enum signal signal,
                int64_t time_ns, size_t points)
{
    assert(!buf_failed(&w->scratch) && w->scratch.len > 0);
    outbox_add(&w->outbox, agent, signal, resource, time_ns, buf_slice(&w->scratch), points);
    buf_clear(&w->scratch);
}

/* How often the i-th of n phases of the scrape interval comes by in the tick that is beginning:
 * more than once when the interval is shorter than a tick. */
static int64_t due(const struct world *w, int i, int n)
{
    int64_t phase = w->scrape_ns / n * i;
    return (w->now_ns + w->options.tick_ns - phase) / w->scrape_ns -
           (w->now_ns - phase) / w->scrape_ns;
}

static void scrape_due(struct world *w)
{
    struct shop *s = &w->shop;
    for (int i = 0; i < s->pod_count; i++) {
        for (int64_t k = due(w, i, s->pod_count); k > 0; k--) {
            metric_gen_service(w, &s->pods[i]);
            metric_gen_state(w, &s->pods[i]);
        }
    }
    for (int i = 0; i < s->node_count; i++) {
        for (int64_t k = due(w, i, s->node_count); k > 0; k--) {
            metric_gen_kubelet(w, i);
        }
    }
    for (int64_t k = due(w, 0, 1); k > 0; k--) {
        metric_gen_cluster(w);
    }
}

bool world_step(struct world *w, const struct outbox_sink *sink)
{
    double seconds = (double)w->options.tick_ns / (double)CLOCK_NS_PER_S;
    incident_apply(w);
    w->request_debt += w->options.spans_per_s / flow_spans_per_request() * seconds;
    while (w->request_debt >= 1) {
        w->request_debt -= 1;
        trace_gen_request(w,
                          w->now_ns + (int64_t)rng_below(&w->visits, (uint64_t)w->options.tick_ns));
        w->requests++;
    }
    scrape_due(w);
    w->now_ns += w->options.tick_ns;
    return outbox_flush(&w->outbox, sink);
}

bool world_finish(struct world *w, const struct outbox_sink *sink)
{
    return outbox_finish(&w->outbox, sink);
}
