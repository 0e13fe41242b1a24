/* SPDX-License-Identifier: Apache-2.0
 *
 * The random workload of model.h in a cruel world, for many seeds: every end a commit may have,
 * clients crash and freeze, elections are lost. KAIJU_SIM_SEEDS=n runs that many, KAIJU_SIM_SEED=n
 * begins there. And the proof that a seed repeats a run exactly.
 */
#include "core/bus/bus_conf.h"
#include "core/bus/bus_sim.h"
#include "tests/bus/model.h"

#include <stdlib.h>

static uint64_t from_env(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);
    uint64_t n = otherwise;
    CHECK(text == NULL || slice_to_u64(slice_str(text), &n));
    return n;
}

static void step(struct bus *b, int64_t max_ns)
{
    (void)bus_sim_step(b, max_ns);
}

static struct hash128 run(uint64_t seed, struct bus_sim_faults faults, double rate, FILE *text)
{
    struct bus_conf conf = {.kind = BUS_SIM, .prefix = "kaiju.", .sim = {seed, &faults}};
    struct bus *b = NULL;
    struct err err;
    CHECK_OK(bus_new(&conf, &b, &err), err);
    bus_sim_trace_to(b, text);
    struct model_conf m = {
        .seed = seed,
        .lineages = 3,
        .agents = 2,
        .parts = 4,
        .txns = 40,
        .steal = 0.01 * rate,
        .crash = 0.01 * rate,
        .sleep = 0.02 * rate,
        .abort = 0.03 * rate,
        .trim = 0.02 * rate,
        .patience_ns = 20000 * CLOCK_NS_PER_S,
        .nap_ns = 20 * CLOCK_NS_PER_MS,
        .kill = bus_sim_crash,
        .pause = bus_sim_pause,
        .step = step,
    };
    model_run(b, &m);
    struct hash128 trace = bus_sim_trace(b);
    bus_free(b);
    return trace;
}

TEST(sim_model_holds_in_a_cruel_world)
{
    uint64_t first = from_env("KAIJU_SIM_SEED", 1), n = from_env("KAIJU_SIM_SEEDS", 60);
    for (uint64_t seed = first; seed < first + n; seed++) {
        struct bus_sim_faults faults = seed % 3 == 0   ? bus_sim_rough()
                                       : seed % 3 == 1 ? bus_sim_cruel()
                                                       : bus_sim_calm();
        faults.maintain_ns = seed % 2 == 0 ? 200 * CLOCK_NS_PER_MS : 0;
        (void)run(seed, faults, seed % 5 == 0 ? 0 : 1, NULL);
    }
}

TEST(sim_model_a_seed_repeats_the_trace)
{
    struct hash128 first = run(7, bus_sim_cruel(), 1, NULL),
                   again = run(7, bus_sim_cruel(), 1, NULL);
    struct hash128 other = run(8, bus_sim_cruel(), 1, NULL);
    CHECK(memcmp(&first, &again, sizeof first) == 0);
    CHECK(memcmp(&first, &other, sizeof first) != 0);
    /* As text as well, and writing it down changes nothing. */
    char *text[2] = {NULL, NULL};
    size_t size[2] = {0, 0};
    for (int i = 0; i < 2; i++) {
        FILE *f = open_memstream(&text[i], &size[i]);
        CHECK(f != NULL);
        struct hash128 h = run(7, bus_sim_cruel(), 1, f);
        fclose(f);
        CHECK(memcmp(&first, &h, sizeof first) == 0);
    }
    CHECK(size[0] > 10000 && size[0] == size[1]);
    CHECK(memcmp(text[0], text[1], size[0]) == 0);
    free(text[0]);
    free(text[1]);
}
