/* SPDX-License-Identifier: Apache-2.0
 *
 * What the generator writes, read by the receiver's own code: nothing is rejected or remarked upon,
 * and OTLP/JSON is the same request.
 */
#include "core/base/clock.h"
#include "core/codec/inflate.h"
#include "core/event/rec_json.h"
#include "ingest/otlp.h"
#include "ingest/otlp_json.h"
#include "loadgen/pack.h"
#include "tests/test.h"
#include "tests/unit/loadgen/observe.h"

struct reader {
    struct otlp_map *map;
    struct arena *arena;
    struct buf json, back, event;
    uint64_t items, events[BUS_TOPICS_COUNT], kube;
    bool through_json;
    struct hash_state *said; /* of everything that the events of a request say */
};

static int on_event(void *arg, enum bus_topic_id topic, struct slice key, const struct rec *r,
                    struct err *reterr)
{
    struct reader *reader = arg;
    (void)reterr;
    CHECK(key.len > 0);
    hash_add(reader->said, key.ptr, key.len);
    buf_clear(&reader->event);
    CHECK(rec_json_event(&reader->event, r, NULL));
    hash_add(reader->said, reader->event.ptr, reader->event.len);
    reader->events[topic]++;
    if (slice_eq(r->type, SLICE("KubeEvent"))) {
        reader->kube++;
        CHECK(rec_context_get(r->context, NULL, REC_NAME_CLUSTER) != NULL);
    }
    return 0;
}

static struct hash128 read_request(struct reader *r, enum signal signal, struct slice request,
                                   size_t items)
{
    static const enum otlp_signal signals[] = {OTLP_TRACES, OTLP_LOGS, OTLP_METRICS};
    struct otlp_sink sink = {r, on_event, NULL};
    struct otlp_result result;
    struct err e;
    struct otlp_request q = {.signal = signals[signal],
                             .body = request,
                             .tenant = SLICE("default"),
                             .ingest_ts = OBSERVE_START_NS + 30 * CLOCK_NS_PER_S,
                             .arena = r->arena};
    hash_reset(r->said);
    CHECK_OK(otlp_map(r->map, &q, &sink, &result, &e), e);
    CHECK_EQ(items, result.items);
    CHECK_EQ(0, result.rejected);
    for (int i = 0; i < OTLP_NOTICE_COUNT; i++) {
        CHECK_EQ(0, result.notices[i]);
    }
    return hash_end(r->said);
}

static bool read_back(void *arg, int agent, enum signal signal, struct slice request, size_t items)
{
    static const enum otlp_msg messages[] = {OTLP_MSG_TRACES, OTLP_MSG_LOGS, OTLP_MSG_METRICS};
    struct reader *r = arg;
    struct err e;
    (void)agent;
    arena_reset(r->arena);
    struct hash128 direct = read_request(r, signal, request, items);
    r->items += items;
    if (r->through_json) {
        buf_clear(&r->json);
        buf_clear(&r->back);
        otlp_out_json(&r->json, signal, request);
        CHECK(!buf_failed(&r->json));
        CHECK_OK(otlp_json(messages[signal], buf_slice(&r->json), r->arena, &r->back, &e), e);
        struct hash128 again = read_request(r, signal, buf_slice(&r->back), items);
        CHECK(memcmp(&direct, &again, sizeof direct) == 0);
    }
    return true;
}

static void run(bool through_json)
{
    struct reader r = {.map = otlp_map_new(OTLP_LIMITS),
                       .arena = arena_new(NULL, "test", 256 << 20),
                       .said = hash_new(),
                       .through_json = through_json};
    static struct world w;
    struct outbox_sink sink = {read_back, &r};
    struct err e;
    buf_init(&r.json, 64 << 20);
    buf_init(&r.back, 64 << 20);
    buf_init(&r.event, 1 << 20);
    world_init(&w, &(struct world_options){.seed = 5,
                                           .cluster = "demo",
                                           .scale = 1,
                                           .start_ns = OBSERVE_START_NS,
                                           .tick_ns = 10 * CLOCK_NS_PER_MS,
                                           .flush_ns = CLOCK_NS_PER_S,
                                           .spans_per_s = 250,
                                           .logs_per_s = 150,
                                           .metrics_per_s = 200,
                                           .batch = 512});
    static const char *const incidents[] = {"bad-rollout@3s:10s", "node-loss@5s:15s",
                                            "failing-product@2s:20s"};
    for (size_t i = 0; i < ARRAY_LEN(incidents); i++) {
        CHECK_OK(incident_add(&w.incidents, slice_str(incidents[i]), w.now_ns, &e), e);
    }
    for (int i = 0; i < 3000; i++) {
        CHECK(world_step(&w, &sink));
    }
    CHECK(r.items > 14000 && r.kube > 20);
    CHECK(r.events[BUS_TOPIC_SPANS] > 5000 && r.events[BUS_TOPIC_LOGS] > 3000);
    CHECK(r.events[BUS_TOPIC_METRICS] > 4000 && r.events[BUS_TOPIC_K8S] == r.kube);
    world_done(&w);
    buf_done(&r.json);
    buf_done(&r.back);
    buf_done(&r.event);
    otlp_map_free(r.map);
    hash_free(r.said);
    arena_free(r.arena);
}

TEST(what_is_written_is_read_without_a_remark)
{
    run(false);
}

TEST(json_is_the_same_request)
{
    run(true);
}

TEST(packed_bodies_unpack_to_themselves)
{
    static const enum inflate_coding codings[] = {INFLATE_IDENTITY, INFLATE_GZIP, INFLATE_DEFLATE,
                                                  INFLATE_ZSTD};
    struct inflate *z = inflate_new();
    struct inflate_limits limits = {1 << 20, 0};
    char body[5000];
    struct buf out;
    struct err e;
    for (size_t i = 0; i < sizeof body; i++) {
        body[i] = (char)(i * i % 251);
    }
    buf_init(&out, 1 << 20);
    for (size_t i = 0; i < ARRAY_LEN(codings); i++) {
        struct pack *p = pack_new(codings[i]);
        for (size_t n = 1; n <= sizeof body; n += 1234) {
            buf_clear(&out);
            CHECK_OK(inflate_all(z, codings[i], pack_body(p, slice_of(body, n)), &limits, &out, &e),
                     e);
            CHECK(slice_eq(buf_slice(&out), slice_of(body, n)));
        }
        pack_free(p);
    }
    buf_done(&out);
    inflate_free(z);
}
