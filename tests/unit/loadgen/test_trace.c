/* SPDX-License-Identifier: Apache-2.0 */
#include "core/base/map.h"
#include "tests/test.h"
#include "tests/unit/loadgen/observe.h"

enum { SERVER = 2, CLIENT = 3, PRODUCER = 4, CONSUMER = 5 };

static void index_spans(struct observed *o, struct map *m)
{
    map_init(m, 1 << 20);
    VEC_EACH (&o->all[SIGNAL_SPANS], s) {
        CHECK_EQ(16, s->trace.len);
        CHECK_EQ(8, s->id.len);
        void **slot = map_put(m, s->id);
        CHECK(slot != NULL && *slot == NULL);
        *slot = s;
    }
}

/* Those near the ends of the run may have lost their relatives. */
static bool is_inside(const struct seen *s)
{
    return seen_at(s) > 1 && seen_at(s) < 16;
}

static void check_child(const struct seen *s, const struct seen *parent)
{
    CHECK(slice_eq(s->trace, parent->trace));
    CHECK(s->start_ns >= parent->start_ns);
    if (s->kind == CONSUMER) {
        CHECK_EQ(PRODUCER, parent->kind);
        CHECK(s->start_ns >= parent->end_ns);
        CHECK(s->link.len > 0);
        CHECK(!slice_eq(seen_resource(s, "service.name"), seen_resource(parent, "service.name")));
    } else {
        CHECK(s->end_ns <= parent->end_ns);
    }
    if (s->kind == SERVER) {
        CHECK_EQ(CLIENT, parent->kind);
        CHECK(s->end_ns < parent->end_ns && s->start_ns > parent->start_ns);
    } else if (s->kind != CONSUMER) {
        CHECK(slice_eq(seen_resource(s, "k8s.pod.name"), seen_resource(parent, "k8s.pod.name")));
    }
}

TEST(trace_children_lie_within_their_parents)
{
    struct observed *o =
        observe(&(struct observe_options){.seed = 3, .seconds = 20, .rate = 0.4, .batch = 512});
    struct map m;
    size_t roots = 0, children = 0, consumers = 0;
    index_spans(o, &m);
    VEC_EACH (&o->all[SIGNAL_SPANS], s) {
        CHECK(s->end_ns > s->start_ns);
        if (s->parent.len == 0) {
            roots++;
            CHECK_EQ(SERVER, s->kind);
            CHECK(seen_of(s, "service.name", "frontend"));
        } else if (is_inside(s)) {
            const struct seen *parent = map_get(&m, s->parent);
            CHECK(parent != NULL);
            check_child(s, parent);
            children++;
            consumers += s->kind == CONSUMER;
        }
    }
    CHECK(roots > 1500 && children > 10000 && consumers > 80);
    map_done(&m);
    observe_done(o);
}

TEST(trace_visits_every_service_and_pod)
{
    struct observed *o =
        observe(&(struct observe_options){.seed = 3, .seconds = 20, .rate = 0.4, .batch = 512});
    struct map pods, services;
    map_init(&pods, 1000);
    map_init(&services, 1000);
    VEC_EACH (&o->all[SIGNAL_SPANS], s) {
        *map_put(&pods, seen_resource(s, "k8s.pod.name")) = s;
        *map_put(&services, seen_resource(s, "service.name")) = s;
        CHECK(seen_of(s, "k8s.cluster.name", "demo"));
        CHECK(seen_resource(s, "k8s.node.name").len > 0);
    }
    CHECK_EQ(SERVICE_COUNT, services.live);
    CHECK(services.live >= 8);
    CHECK_EQ(o->world->shop.pod_count, pods.live);
    map_done(&pods);
    map_done(&services);
    observe_done(o);
}

TEST(logs_carry_the_ids_of_spans_of_the_same_pod)
{
    struct observed *o =
        observe(&(struct observe_options){.seed = 4, .seconds = 20, .rate = 0.4, .batch = 512});
    struct map m;
    size_t matched = 0, errors = 0;
    index_spans(o, &m);
    VEC_EACH (&o->all[SIGNAL_LOGS], log) {
        if (log->id.len == 0 || !is_inside(log)) {
            continue;
        }
        const struct seen *span = map_get(&m, log->id);
        CHECK(span != NULL);
        CHECK(slice_eq(span->trace, log->trace));
        CHECK(slice_eq(seen_resource(span, "k8s.pod.name"), seen_resource(log, "k8s.pod.name")));
        CHECK_EQ(span->end_ns, log->end_ns);
        CHECK_EQ(span->error && log->kind == 17, log->kind == 17);
        CHECK(!log->exception || span->exception);
        matched++;
        errors += log->kind == 17;
    }
    CHECK(matched > 8000 && errors > 3);
    map_done(&m);
    observe_done(o);
}

TEST(errors_travel_up_to_the_root)
{
    struct observed *o = observe(&(struct observe_options){
        .seed = 5, .seconds = 20, .rate = 0.4, .batch = 512, .incident = "failing-product@1s:18s"});
    struct map m;
    size_t seen = 0;
    index_spans(o, &m);
    VEC_EACH (&o->all[SIGNAL_SPANS], s) {
        if (!s->error || s->parent.len == 0 || !is_inside(s)) {
            continue;
        }
        const struct seen *parent = map_get(&m, s->parent);
        CHECK(parent != NULL);
        CHECK(parent->error || s->kind == CONSUMER);
        seen++;
    }
    CHECK(seen > 20);
    map_done(&m);
    observe_done(o);
}
