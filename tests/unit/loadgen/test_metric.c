/* SPDX-License-Identifier: Apache-2.0 */
#include "core/base/buf.h"
#include "core/base/map.h"
#include "tests/test.h"
#include "tests/unit/loadgen/observe.h"

#include <math.h>

/* What identifies a series: name, resource, attributes. */
static struct slice series_key(const struct seen *s, struct buf *b)
{
    static const char *const keys[] = {
        "pod",     "container",           "resource",   "phase",
        "node",    "http.route",          "rpc.method", "operation",
        "outcome", "deployment",          "error.type", "db.query.summary",
        "method",  "http.request.method", "partition"};
    buf_clear(b);
    buf_add_slice(b, s->name);
    buf_add_slice(b, seen_resource(s, "service.instance.id"));
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        buf_add_byte(b, '|');
        struct slice value = seen_attr(s, SIGNAL_METRICS, keys[i]);
        if (value.ptr != NULL) {
            buf_add_slice(b, value);
        }
    }
    return buf_slice(b);
}

static double total(const struct seen *s)
{
    return s->kind == 9 ? (double)s->count : s->value;
}

static size_t check_series(struct observed *o, size_t *ret_resets)
{
    struct map last;
    struct buf key;
    size_t resets = 0;
    map_init(&last, 1 << 20);
    buf_init(&key, 4096);
    VEC_EACH (&o->all[SIGNAL_METRICS], s) {
        void **slot = map_put(&last, series_key(s, &key));
        const struct seen *before = *slot;
        CHECK(s->end_ns > 0 && isfinite(s->value));
        if (s->kind == 9) {
            CHECK_EQ(s->count, s->bucket_count);
        }
        if (before != NULL) {
            CHECK(s->end_ns > before->end_ns);
            if (s->is_monotonic || s->kind == 9) {
                CHECK(total(s) >= total(before) || s->start_ns > before->start_ns);
                resets += s->start_ns > before->start_ns;
            }
        }
        *slot = s;
    }
    size_t series = last.live;
    map_done(&last);
    buf_done(&key);
    *ret_resets = resets;
    return series;
}

TEST(counters_only_rise_while_their_container_lives)
{
    struct observed *o =
        observe(&(struct observe_options){.seed = 6, .seconds = 30, .rate = 0.5, .batch = 512});
    size_t resets;
    size_t series = check_series(o, &resets);
    CHECK(series > 700 && series < 1500);
    CHECK_EQ(0, resets);
    observe_done(o);
}

TEST(counters_begin_again_when_a_container_does)
{
    struct observed *o = observe(&(struct observe_options){
        .seed = 6, .seconds = 60, .rate = 0.5, .batch = 512, .incident = "bad-rollout@2s:50s"});
    size_t resets;
    check_series(o, &resets);
    CHECK(resets > 10);
    observe_done(o);
}

/* The names that rules written for real clusters ask for, with the labels they join by. */
TEST(containers_are_named_as_the_scrapers_name_them)
{
    struct observed *o =
        observe(&(struct observe_options){.seed = 6, .seconds = 20, .rate = 0.2, .batch = 512});
    size_t usage = 0, limits = 0, restarts = 0, old = 0;
    VEC_EACH (&o->all[SIGNAL_METRICS], s) {
        bool by_kubelet = seen_of(s, "service.name", "kubelet");
        bool by_state = seen_of(s, "service.name", "kube-state-metrics");
        if (slice_eq(s->name, SLICE("container_cpu_usage_seconds_total"))) {
            CHECK(by_kubelet && s->is_monotonic);
            CHECK(seen_is(s, SIGNAL_METRICS, "namespace", "shop"));
            CHECK(seen_attr(s, SIGNAL_METRICS, "pod").len > 0);
            CHECK(seen_attr(s, SIGNAL_METRICS, "container").len > 0);
            CHECK(s->start_ns > 0 && s->start_ns < s->end_ns);
            usage++;
        } else if (slice_eq(s->name, SLICE("kube_pod_container_resource_limits"))) {
            CHECK(by_state && s->kind == 5);
            CHECK(seen_attr(s, SIGNAL_METRICS, "pod").len > 0);
            limits += seen_is(s, SIGNAL_METRICS, "resource", "cpu");
        }
        old += slice_eq(s->name, SLICE("kube_pod_container_resource_limits_cpu_cores"));
        restarts += slice_eq(s->name, SLICE("kube_pod_container_status_restarts_total"));
    }
    CHECK(usage >= 35 && limits >= 35 && restarts >= 35 && old >= 35);
    observe_done(o);
}

/* The plain counters and the histograms count the same requests as there are spans. */
TEST(request_counters_agree_with_the_spans)
{
    struct observed *o =
        observe(&(struct observe_options){.seed = 8, .seconds = 30, .rate = 0.5, .batch = 512});
    struct map last;
    struct buf key;
    double counted = 0, measured = 0, spans = 0;
    map_init(&last, 1 << 20);
    buf_init(&key, 4096);
    VEC_EACH (&o->all[SIGNAL_METRICS], s) {
        if (seen_is(s, SIGNAL_METRICS, "operation", "shop.Catalog/GetProduct") ||
            seen_is(s, SIGNAL_METRICS, "rpc.method", "shop.Catalog/GetProduct")) {
            *map_put(&last, series_key(s, &key)) = s;
        }
    }
    MAP_EACH (&last, e) {
        const struct seen *s = e->value;
        *(s->kind == 9 ? &measured : &counted) += total(s);
    }
    VEC_EACH (&o->all[SIGNAL_SPANS], s) {
        spans += s->kind == 2 && slice_eq(s->name, SLICE("shop.Catalog/GetProduct"));
    }
    CHECK(counted == measured && counted > 1000);
    CHECK(counted <= spans && counted > spans * 0.85); /* up to the last scrape */
    map_done(&last);
    buf_done(&key);
    observe_done(o);
}
