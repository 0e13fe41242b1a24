/* SPDX-License-Identifier: Apache-2.0 */
#include "loadgen/world.h"

#include "core/base/clock.h"
#include "core/base/hash.h"
#include "core/base/mem.h"
#include "tests/test.h"

#define START_NS (INT64_C(1785542400) * CLOCK_NS_PER_S)

struct tally {
    struct hash_state *hash;
    uint64_t items[SIGNAL_COUNT], bytes;
};

static bool count(void *arg, int node, enum signal signal, struct slice request, size_t items)
{
    struct tally *t = arg;
    int head[2] = {node, (int)signal};
    hash_add(t->hash, head, sizeof head);
    hash_add(t->hash, request.ptr, request.len);
    t->items[signal] += items;
    t->bytes += request.len;
    CHECK(items > 0 && items <= 512);
    return true;
}

static struct hash128 run(uint64_t seed, const char *incident, int seconds, struct tally *ret)
{
    struct world *w = MEM_NEW(struct world);
    struct tally t = {.hash = hash_new()};
    struct outbox_sink sink = {count, &t};
    struct err e;
    world_init(w, &(struct world_options){.seed = seed,
                                          .cluster = "demo",
                                          .scale = 1,
                                          .start_ns = START_NS,
                                          .tick_ns = 100 * CLOCK_NS_PER_MS,
                                          .spans_per_s = 2500,
                                          .logs_per_s = 1500,
                                          .metrics_per_s = 2000,
                                          .batch = 512});
    if (incident != NULL) {
        CHECK_OK(incident_add(&w->incidents, slice_str(incident), START_NS, &e), e);
    }
    for (int i = 0; i < seconds * 10; i++) {
        CHECK(world_step(w, &sink));
    }
    struct hash128 h = hash_end(t.hash);
    hash_free(t.hash);
    world_done(w);
    mem_free(w);
    *ret = t;
    return h;
}

TEST(world_repeats_itself_to_the_byte)
{
    struct tally t;
    struct hash128 a = run(7, "bad-rollout@2s+3s", 8, &t), b = run(7, "bad-rollout@2s+3s", 8, &t);
    struct hash128 other = run(8, "bad-rollout@2s+3s", 8, &t), calm = run(7, NULL, 8, &t);
    CHECK(memcmp(&a, &b, sizeof a) == 0);
    CHECK(memcmp(&a, &other, sizeof a) != 0);
    CHECK(memcmp(&a, &calm, sizeof a) != 0);
}

TEST(world_keeps_the_rates_it_was_given)
{
    struct tally t;
    run(1, NULL, 30, &t);
    CHECK(t.items[SIGNAL_SPANS] > 2300 * 30 && t.items[SIGNAL_SPANS] < 2700 * 30);
    CHECK(t.items[SIGNAL_LOGS] > 1350 * 30 && t.items[SIGNAL_LOGS] < 1650 * 30);
    CHECK(t.items[SIGNAL_METRICS] > 1700 * 30 && t.items[SIGNAL_METRICS] < 2300 * 30);
}

TEST(flow_counts_its_spans_truly)
{
    for (size_t i = 0; i < FLOW_COUNT; i++) {
        const struct flow *f = &flow_all[i];
        size_t spans = 0;
        for (size_t k = 0; k < f->step_count; k++) {
            spans += f->steps[k].kind == STEP_CALL ? 2 : 1;
        }
        CHECK_EQ(spans, f->span_count);
    }
}

TEST(incidents_are_parsed_or_refused)
{
    struct incidents all = {.count = 0};
    struct err e;
    CHECK_OK(incident_add(&all, SLICE("node-loss@1m+90s"), START_NS, &e), e);
    CHECK_EQ(START_NS + 60 * CLOCK_NS_PER_S, all.list[0].from_ns);
    CHECK_EQ(START_NS + 150 * CLOCK_NS_PER_S, all.list[0].to_ns);
    CHECK_EQ(-ERR_UNKNOWN_KEY, incident_add(&all, SLICE("earthquake@1s"), START_NS, &e));
    CHECK_EQ(-ERR_USAGE, incident_add(&all, SLICE("node-loss"), START_NS, &e));
    CHECK_EQ(-ERR_USAGE, incident_add(&all, SLICE("node-loss@x"), START_NS, &e));
}
