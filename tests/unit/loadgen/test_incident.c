/* SPDX-License-Identifier: Apache-2.0
 *
 * Each incident shows where its row of incident.def says, and not before it begins. The run is a
 * minute before, a minute during, a minute after; seeds are fixed, so nothing here is luck.
 */
#include "core/base/clock.h"
#include "core/base/map.h"
#include "tests/test.h"
#include "tests/unit/loadgen/observe.h"

enum { SERVER = 2, CLIENT = 3, PRODUCER = 4, CONSUMER = 5, BEFORE = 0, DURING = 1, AFTER = 2 };

static struct observed *run(const char *incident)
{
    return observe(&(struct observe_options){
        .seed = 11, .seconds = 180, .rate = 0.2, .batch = 512, .incident = incident});
}

/* Which third; -1 within a few seconds of a change, where both may be seen. */
static int phase(const struct seen *s)
{
    double at = seen_at(s);
    return at < 60 ? BEFORE : at < 65 ? -1 : at < 120 ? DURING : at < 140 ? -1 : AFTER;
}

struct three {
    double sum[3], n[3];
};

static void note(struct three *t, const struct seen *s, double value)
{
    int k = phase(s);
    if (k >= 0) {
        t->sum[k] += value;
        t->n[k]++;
    }
}

static double mean(const struct three *t, int k)
{
    CHECK(t->n[k] > 0);
    return t->sum[k] / t->n[k];
}

static double ms(const struct seen *s)
{
    return (double)(s->end_ns - s->start_ns) / 1e6;
}

static bool is_span(const struct seen *s, uint64_t kind, const char *name)
{
    return s->kind == kind && slice_eq(s->name, slice_str(name));
}

static bool is_metric(const struct seen *s, const char *name)
{
    return slice_eq(s->name, slice_str(name));
}

static size_t events(const struct observed *o, const char *reason, int in_phase)
{
    size_t n = 0;
    VEC_EACH (&o->all[SIGNAL_LOGS], log) {
        bool then = in_phase < 0 || phase(log) == in_phase;
        n += then && seen_is(log, SIGNAL_LOGS, "k8s.event.reason", reason);
    }
    return n;
}

static const char *truth(struct observed *o, struct buf *b)
{
    buf_init(b, 1 << 20);
    incident_truth(b, &o->world->incidents, &o->world->shop, o->world->now_ns);
    return buf_cstr(b);
}

TEST(slow_dependency_is_seen_in_the_spans_above_it_and_in_histograms)
{
    struct observed *o = run("slow-dependency@60s:60s");
    struct three bank = {0}, charge = {0}, root = {0}, auth = {0};
    double slow_points = 0;
    struct buf b;
    VEC_EACH (&o->all[SIGNAL_SPANS], s) {
        if (is_span(s, CLIENT, "POST /v1/charges")) {
            note(&bank, s, ms(s));
            CHECK(seen_is(s, SIGNAL_SPANS, "server.address", "api.bank.example"));
        } else if (is_span(s, SERVER, "shop.Payment/Charge")) {
            note(&charge, s, ms(s));
        } else if (is_span(s, SERVER, "POST /checkout")) {
            note(&root, s, ms(s));
        } else if (is_span(s, SERVER, "shop.Auth/Check")) {
            note(&auth, s, ms(s));
        }
    }
    CHECK(mean(&bank, DURING) > 15 * mean(&bank, BEFORE));
    CHECK(mean(&charge, DURING) > 10 * mean(&charge, BEFORE));
    CHECK(mean(&root, DURING) > 4 * mean(&root, BEFORE));
    CHECK(mean(&auth, DURING) < 1.2 * mean(&auth, BEFORE));
    CHECK(mean(&bank, AFTER) < 1.3 * mean(&bank, BEFORE));
    VEC_EACH (&o->all[SIGNAL_METRICS], s) {
        if (s->kind == 9 && seen_is(s, SIGNAL_METRICS, "rpc.method", "shop.Payment/Charge") &&
            phase(s) == AFTER) {
            slow_points = MAX(slow_points, s->value / (double)s->count);
        }
    }
    CHECK(slow_points > 0.1);
    CHECK_HAS("\"service\":\"payment\"", truth(o, &b));
    CHECK_HAS("\"from\":\"2026-08-01T00:01:00", buf_cstr(&b));
    buf_done(&b);
    observe_done(o);
}

TEST(failing_product_fails_for_one_product_only)
{
    struct observed *o = run("failing-product@60s:60s");
    struct three culprit = {0}, others = {0};
    size_t exceptions = 0, logs = 0;
    VEC_EACH (&o->all[SIGNAL_SPANS], s) {
        if (is_span(s, SERVER, "shop.Catalog/GetProduct")) {
            bool this = seen_is(s, SIGNAL_SPANS, "app.product.id", "SKU-0042");
            note(this ? &culprit : &others, s, s->error);
            exceptions += this && s->exception && phase(s) == DURING;
        }
    }
    VEC_EACH (&o->all[SIGNAL_LOGS], log) {
        logs += seen_is(log, SIGNAL_LOGS, "exception.type", "shop.catalog.DamagedRecordError") &&
                seen_is(log, SIGNAL_LOGS, "app.product.id", "SKU-0042") && phase(log) == DURING;
    }
    CHECK(mean(&culprit, DURING) == 1);
    CHECK(culprit.n[DURING] > 20 && exceptions > 20 && logs > 20);
    CHECK(mean(&culprit, BEFORE) < 0.05 && mean(&culprit, AFTER) < 0.05);
    CHECK(mean(&others, DURING) < 0.01);
    observe_done(o);
}

TEST(bad_rollout_is_seen_in_versions_errors_restarts_and_events)
{
    struct observed *o = run("bad-rollout@60s:60s");
    struct three errors = {0}, slow = {0}, version = {0};
    double restarts = 0;
    VEC_EACH (&o->all[SIGNAL_SPANS], s) {
        if (is_span(s, SERVER, "shop.Recommendations/List")) {
            bool bad = seen_of(s, "service.version", "1.0.0");
            note(&errors, s, s->error);
            note(&slow, s, s->error ? 0 : ms(s));
            note(&version, s, bad);
            CHECK(phase(s) != BEFORE || !bad);
        }
    }
    CHECK(mean(&errors, BEFORE) < 0.02 && mean(&errors, DURING) > 0.15);
    CHECK(mean(&slow, DURING) > 1.5 * mean(&slow, BEFORE));
    CHECK(mean(&version, DURING) > 0.7 && mean(&version, AFTER) == 0);
    CHECK(mean(&errors, AFTER) < 0.02);
    CHECK_EQ(6, events(o, "Pulled", -1)); /* three in, three back */
    CHECK(events(o, "BackOff", DURING) > 3 && events(o, "Unhealthy", DURING) > 3);
    CHECK_EQ(0, events(o, "BackOff", BEFORE));
    CHECK_EQ(2, events(o, "ScalingReplicaSet", -1));
    VEC_EACH (&o->all[SIGNAL_METRICS], s) {
        if (is_metric(s, "kube_pod_container_status_restarts_total")) {
            restarts = MAX(restarts, s->value);
            CHECK(s->value == 0 || seen_is(s, SIGNAL_METRICS, "container", "recommendation"));
        }
    }
    CHECK(restarts >= 2);
    observe_done(o);
}

/* Usage of each container between two of its scrapes against its limit, as a rule would. */
static size_t over_limit(const struct observed *o, int in_phase, struct slice *ret_pod)
{
    struct map last;
    size_t n = 0;
    map_init(&last, 10000);
    VEC_EACH (&o->all[SIGNAL_METRICS], s) {
        if (!is_metric(s, "container_cpu_usage_seconds_total")) {
            continue;
        }
        struct slice pod = seen_attr(s, SIGNAL_METRICS, "pod");
        void **slot = map_put(&last, pod);
        const struct seen *before = *slot;
        *slot = s;
        if (before != NULL && phase(s) == in_phase && phase(before) == in_phase) {
            double cores =
                (s->value - before->value) / ((double)(s->end_ns - before->end_ns) / 1e9);
            double limit = 0;
            struct slice container = seen_attr(s, SIGNAL_METRICS, "container");
            for (int i = 0; i < SERVICE_COUNT; i++) {
                if (slice_eq(container, slice_str(shop_services[i].name))) {
                    limit = shop_services[i].cpu_limit;
                }
            }
            CHECK(limit > 0);
            if (cores > limit) {
                n++;
                CHECK(ret_pod->ptr == NULL || slice_eq(*ret_pod, pod));
                *ret_pod = pod;
            }
        }
    }
    map_done(&last);
    return n;
}

TEST(cpu_saturation_is_one_pod_above_its_limit_and_slow)
{
    struct observed *o = run("cpu-saturation@60s:60s");
    struct slice pod = SLICE_NONE;
    struct three here = {0}, elsewhere = {0};
    struct buf b;
    CHECK_EQ(0, over_limit(o, BEFORE, &pod));
    CHECK(over_limit(o, DURING, &pod) > 5);
    CHECK(slice_starts(pod, SLICE("catalog-")));
    VEC_EACH (&o->all[SIGNAL_SPANS], s) {
        if (is_span(s, SERVER, "shop.Catalog/GetProduct")) {
            bool this = slice_eq(seen_resource(s, "k8s.pod.name"), pod);
            note(this ? &here : &elsewhere, s, ms(s));
        }
    }
    CHECK(mean(&here, DURING) > 5 * mean(&here, BEFORE));
    CHECK(mean(&elsewhere, DURING) < 1.5 * mean(&elsewhere, BEFORE));
    CHECK(mean(&here, AFTER) < 1.5 * mean(&here, BEFORE));
    truth(o, &b);
    char name[100];
    snprintf(name, sizeof name, "\"pod\":\"" SLICE_FMT "\"", SLICE_ARG(pod));
    CHECK_HAS(name, buf_cstr(&b));
    buf_done(&b);
    observe_done(o);
}

TEST(orders_lost_are_producers_without_consumers_and_lag)
{
    struct observed *o = run("orders-lost@60s:60s");
    struct map consumed;
    struct three handled = {0}, lag = {0};
    size_t warnings = 0;
    map_init(&consumed, 1 << 20);
    VEC_EACH (&o->all[SIGNAL_SPANS], s) {
        if (s->kind == CONSUMER) {
            *map_put(&consumed, s->trace) = s;
        }
    }
    VEC_EACH (&o->all[SIGNAL_SPANS], s) {
        if (s->kind == PRODUCER && seen_at(s) < 175) {
            note(&handled, s, map_get(&consumed, s->trace) != NULL);
            CHECK(!s->error);
        }
    }
    CHECK(mean(&handled, BEFORE) == 1 && mean(&handled, DURING) == 0 && mean(&handled, AFTER) == 1);
    VEC_EACH (&o->all[SIGNAL_METRICS], s) {
        if (is_metric(s, "kafka_consumergroup_lag")) {
            note(&lag, s, s->value);
        }
    }
    CHECK(mean(&lag, BEFORE) < 3 && mean(&lag, DURING) > 10 && mean(&lag, AFTER) < 3);
    VEC_EACH (&o->all[SIGNAL_LOGS], log) {
        warnings +=
            phase(log) == DURING && log->kind == 13 && seen_of(log, "service.name", "orders");
    }
    CHECK(warnings > 0);
    map_done(&consumed);
    observe_done(o);
}

TEST(node_loss_silences_a_node_and_moves_its_pods)
{
    struct observed *o = run("node-loss@10s:130s");
    const char *node = o->world->shop.nodes[1].name;
    struct map old_pods, new_pods;
    size_t silent = 0, timeouts = 0, not_ready = 0;
    map_init(&old_pods, 1000);
    map_init(&new_pods, 1000);
    VEC_EACH (&o->all[SIGNAL_SPANS], s) {
        double at = seen_at(s);
        if (seen_of(s, "k8s.node.name", node)) {
            silent += at > 10.1 && at < 140;
            if (at < 10) {
                *map_put(&old_pods, seen_resource(s, "k8s.pod.name")) = s;
            }
        }
        if (at > 75 && at < 140) {
            *map_put(&new_pods, seen_resource(s, "k8s.pod.name")) = s;
        }
        timeouts += at > 10 && at < 28 &&
                    seen_is(s, SIGNAL_SPANS, "error.type", "shop.ConnectTimeout") &&
                    s->kind == CLIENT;
    }
    CHECK_EQ(0, silent);
    CHECK(old_pods.live >= 5 && timeouts > 10);
    MAP_EACH (&old_pods, e) {
        CHECK(map_slot(&new_pods, e->key) == NULL);
    }
    CHECK(new_pods.live > 30);
    CHECK_EQ(1, events(o, "NodeNotReady", -1));
    CHECK_EQ(1, events(o, "NodeReady", -1));
    CHECK_EQ(old_pods.live, events(o, "Scheduled", -1));
    VEC_EACH (&o->all[SIGNAL_METRICS], s) {
        not_ready += is_metric(s, "kube_node_status_condition") &&
                     seen_is(s, SIGNAL_METRICS, "node", node) && s->value == 0;
        CHECK(!seen_of(s, "k8s.node.name", node) || seen_at(s) < 10.1 || seen_at(s) > 139);
    }
    CHECK(not_ready > 3);
    map_done(&old_pods);
    map_done(&new_pods);
    observe_done(o);
}

TEST(kubernetes_events_name_their_object)
{
    struct observed *o = run("bad-rollout@5s:20s node-loss@30s:70s");
    size_t seen = 0;
    VEC_EACH (&o->all[SIGNAL_LOGS], log) {
        if (seen_attr(log, SIGNAL_LOGS, "k8s.event.reason").ptr != NULL) {
            struct slice kind = seen_resource(log, "k8s.object.kind");
            CHECK(slice_eq(kind, SLICE("Pod")) || slice_eq(kind, SLICE("Node")) ||
                  slice_eq(kind, SLICE("Deployment")));
            CHECK(seen_resource(log, "k8s.object.name").len > 0);
            CHECK(seen_resource(log, "k8s.object.uid").len == 36);
            CHECK(log->name.len > 0 && log->trace.len == 0);
            seen++;
        }
    }
    CHECK(seen > 30);
    observe_done(o);
}

TEST(incidents_are_parsed_or_refused)
{
    struct incidents all = {.count = 0};
    struct err e;
    CHECK_OK(incident_add(&all, SLICE("node-loss@1m:90s"), OBSERVE_START_NS, &e), e);
    CHECK_EQ(OBSERVE_START_NS + 60 * CLOCK_NS_PER_S, all.list[0].from_ns);
    CHECK_EQ(OBSERVE_START_NS + 150 * CLOCK_NS_PER_S, all.list[0].to_ns);
    CHECK_OK(incident_add(&all, SLICE("bad-rollout@5"), OBSERVE_START_NS, &e), e);
    CHECK_EQ(OBSERVE_START_NS + 245 * CLOCK_NS_PER_S, all.list[1].to_ns);
    CHECK_OK(incident_add(&all, SLICE("orders-lost@500ms:1h"), OBSERVE_START_NS, &e), e);
    CHECK_EQ(-ERR_UNKNOWN_KEY, incident_add(&all, SLICE("earthquake@1s"), OBSERVE_START_NS, &e));
    CHECK_EQ(-ERR_UNKNOWN_KEY, incident_add(&all, SLICE("node-lost@1s"), OBSERVE_START_NS, &e));
    CHECK_HAS("did you mean 'node-loss'", e.msg);
    static const char *const bad[] = {
        "node-loss",     "node-loss@",         "node-loss@x", "node-loss@1s:",
        "node-loss@-1s", "node-loss@9999999h", "@1s",         ""};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        int rc = incident_add(&all, slice_str(bad[i]), OBSERVE_START_NS, &e);
        CHECK(rc == -ERR_USAGE || rc == -ERR_UNKNOWN_KEY);
    }
    CHECK_EQ(3, all.count);
}
