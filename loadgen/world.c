/* SPDX-License-Identifier: Apache-2.0
 *
 * See world.h.
 */
#include "loadgen/world.h"

#include "core/base/clock.h"

#include <assert.h>

enum { SCRATCH_MAX = 64 * 1024 };

void world_init(struct world *w, const struct world_options *options)
{
    assert(options->tick_ns > 0 && options->spans_per_s >= 0);
    memset(w, 0, sizeof *w);
    w->options = *options;
    w->now_ns = options->start_ns - options->start_ns % options->tick_ns;
    struct rng root = {options->seed};
    w->visits = rng_fork(&root, 1);
    w->ids = rng_fork(&root, 2);
    w->latency = rng_fork(&root, 3);
    w->chatter = rng_fork(&root, 4);
    w->usage = rng_fork(&root, 5);
    shop_init(&w->shop, options->cluster, rng_next(&root), options->scale, w->now_ns);
    outbox_init(&w->outbox, w->now_ns, options->tick_ns, options->batch);
    buf_init(&w->scratch, SCRATCH_MAX);
    w->log_rate = options->spans_per_s > 0 ? options->logs_per_s / options->spans_per_s : 0;
    double per_round = metric_gen_per_scrape() * w->shop.pod_count;
    w->scrape_ns = options->metrics_per_s > 0
                       ? (int64_t)(per_round / options->metrics_per_s * (double)CLOCK_NS_PER_S)
                       : INT64_MAX / 2;
    w->scrape_ns = MAX(w->scrape_ns, CLOCK_NS_PER_MS);
}

void world_done(struct world *w)
{
    shop_done(&w->shop);
    outbox_done(&w->outbox);
    buf_done(&w->scratch);
}

void world_emit(struct world *w, const struct pod *p, enum signal signal, int64_t time_ns)
{
    assert(!buf_failed(&w->scratch));
    outbox_add(&w->outbox, &w->shop, p, signal, time_ns, buf_slice(&w->scratch));
    w->items[signal]++;
    buf_clear(&w->scratch);
}

/* Each pod has its own phase, so that scrapes spread over the interval. */
static void scrape_due(struct world *w, int64_t until_ns)
{
    for (int i = 0; i < w->shop.pod_count; i++) {
        struct pod *p = &w->shop.pods[i];
        int64_t phase = w->scrape_ns / w->shop.pod_count * i;
        int64_t before = (w->now_ns - phase) / w->scrape_ns,
                after = (until_ns - phase) / w->scrape_ns;
        if (after > before && p->running) {
            metric_gen_scrape(w, p);
        }
    }
}

bool world_step(struct world *w, const struct outbox_sink *sink)
{
    int64_t until = w->now_ns + w->options.tick_ns;
    double requests_per_s = w->options.spans_per_s / flow_spans_per_request();
    incident_apply(w);
    w->request_debt += requests_per_s * (double)w->options.tick_ns / (double)CLOCK_NS_PER_S;
    while (w->request_debt >= 1) {
        w->request_debt -= 1;
        trace_gen_request(w,
                          w->now_ns + (int64_t)rng_below(&w->visits, (uint64_t)w->options.tick_ns));
        w->requests++;
    }
    scrape_due(w, until);
    w->now_ns = until;
    return outbox_flush(&w->outbox, w->shop.node_count, sink);
}
