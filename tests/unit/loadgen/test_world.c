/* SPDX-License-Identifier: Apache-2.0 */
#include "core/base/clock.h"
#include "tests/test.h"
#include "tests/unit/loadgen/observe.h"

static struct hash128 digest(uint64_t seed, const char *incident)
{
    struct observed *o = observe(&(struct observe_options){
        .seed = seed, .incident = incident, .seconds = 8, .rate = 1, .batch = 512, .raw = true});
    struct hash128 h = o->digest;
    observe_done(o);
    return h;
}

TEST(world_repeats_itself_to_the_byte)
{
    struct hash128 a = digest(7, "bad-rollout@2s:3s"), b = digest(7, "bad-rollout@2s:3s");
    struct hash128 other = digest(8, "bad-rollout@2s:3s"), calm = digest(7, NULL);
    CHECK(memcmp(&a, &b, sizeof a) == 0);
    CHECK(memcmp(&a, &other, sizeof a) != 0);
    CHECK(memcmp(&a, &calm, sizeof a) != 0);
}

/* If this changes, the bytes of every recorded load have changed: say so where it is released. */
TEST(world_is_the_same_on_every_machine)
{
    struct hash128 h = digest(1, "node-loss@1s:4s");
    char hex[33];
    for (int i = 0; i < 16; i++) {
        snprintf(hex + 2 * i, 3, "%02x", h.bytes[i]);
    }
    CHECK_STR("70fa79e65d4f1df637d28427bbe19e93", hex);
}

TEST(world_keeps_the_rates_it_was_given)
{
    struct observed *o =
        observe(&(struct observe_options){.seed = 1, .seconds = 30, .rate = 1, .batch = 512});
    double spans = (double)o->all[SIGNAL_SPANS].len / 30,
           logs = (double)o->all[SIGNAL_LOGS].len / 30,
           points = (double)o->all[SIGNAL_METRICS].len / 30;
    CHECK(spans > 2450 && spans < 2550);
    CHECK(logs > 1450 && logs < 1550);
    CHECK(points > 1900 && points < 2100);
    observe_done(o);
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
