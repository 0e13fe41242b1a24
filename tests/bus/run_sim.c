/* SPDX-License-Identifier: Apache-2.0
 *
 * The behaviour suite over the simulated bus. KAIJU_SIM_FAULTS=rough makes every delay random, and
 * offsets jump, batches split, leaders change, queues refuse; KAIJU_SIM_SEED chooses the run.
 */
#include "core/bus/bus_sim.h"
#include "tests/bus/suite.h"

#include <stdlib.h>

static struct bus_sim_faults faults; /* lives until the next test */

static void conf(const struct suite_opts *opts, bool again, struct bus_conf *ret)
{
    const char *kind = getenv("KAIJU_SIM_FAULTS"), *seed = getenv("KAIJU_SIM_SEED");
    uint64_t n = 1;
    CHECK(!again);
    CHECK(seed == NULL || slice_to_u64(slice_str(seed), &n));
    faults = kind != NULL && slice_eq(slice_str(kind), SLICE("rough")) ? bus_sim_rough()
                                                                       : bus_sim_calm();
    faults.quota_bytes = opts->quota_bytes;
    ret->sim.faults = &faults;
    ret->sim.seed = n;
}

/* The world goes on, as the brokers would. */
static void crash(struct suite *s)
{
    for (uint32_t i = 0; i < s->client_count; i++) {
        bus_sim_crash(s->clients[i]->c);
        s->clients[i]->c = NULL;
    }
}

static bool fate(struct suite *s, const char *slot, enum suite_fate fate)
{
    static const enum bus_sim_fate fates[] = {
        [SUITE_ABORT] = BUS_SIM_ABORT,
        [SUITE_UNKNOWN_DONE] = BUS_SIM_UNKNOWN_DONE,
        [SUITE_UNKNOWN_UNDONE] = BUS_SIM_UNKNOWN_LOST,
    };
    bus_sim_inject(s->bus, slice_str(slot), fates[fate]);
    return true;
}

static void pass(struct suite *s, int64_t ns)
{
    bus_sim_advance(s->bus, ns);
}

static void step(struct bus *b, int64_t max_ns)
{
    (void)bus_sim_step(b, max_ns);
}

const struct suite_hooks suite_hooks = {
    .name = "sim",
    .kind = BUS_SIM,
    .conf = conf,
    .crash = crash,
    .pass = pass,
    .step = step,
    .kill = bus_sim_crash,
    .pause = bus_sim_pause,
    .fate = fate,
    .patience_ns = 120 * CLOCK_NS_PER_S,
    .quiet_ns = 5 * CLOCK_NS_PER_S,
    .takeover_ns = 20 * CLOCK_NS_PER_S,
    .elected_ns = 20 * CLOCK_NS_PER_S,
    .retention_ns = 1 * CLOCK_NS_PER_S,
    .compaction_ns = 1 * CLOCK_NS_PER_S,
    .roll_ns = 2 * CLOCK_NS_PER_MS,
    .quota = true,
    .threads = false,
    .scale = 100,
};
