/* SPDX-License-Identifier: Apache-2.0
 *
 * The random workload of model.h in a cruel world, for many seeds: every end a commit may have,
 * clients crash and freeze, elections are lost. KAIJU_SIM_SEEDS=n runs that many, KAIJU_SIM_SEED=n
 * begins there, KAIJU_SIM_SECONDS=n ends it in time: an hour of fresh seeds is
 *
 *     KAIJU_SIM_SEED=1000000 KAIJU_SIM_SEEDS=100000000 KAIJU_SIM_SECONDS=3600 \
 *         build/release/tests/bus/bus_sim sim_model_holds
 *
 * and the seed that a failure names, with KAIJU_SIM_SEEDS=1, is its repetition. And the proof that
 * a seed repeats a run exactly.
 */
#include "core/bus/bus_conf.h"
#include "core/bus/bus_sim.h"
#include "tests/bus/model.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

static uint64_t counts[MODEL_EV_KINDS]; /* of all runs so far */

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
        .elect = true,
        .counts = counts,
        .kill = bus_sim_crash,
        .pause = bus_sim_pause,
        .step = step,
    };
    model_run(b, &m);
    struct hash128 trace = bus_sim_trace(b);
    bus_free(b);
    return trace;
}

/* Calm, rough and cruel worlds; with and without restless clients; with and without maintenance. */
static struct hash128 run_any(uint64_t seed)
{
    struct bus_sim_faults faults = seed % 3 == 0   ? bus_sim_rough()
                                   : seed % 3 == 1 ? bus_sim_cruel()
                                                   : bus_sim_calm();
    faults.maintain_ns = seed % 2 == 0 ? 200 * CLOCK_NS_PER_MS : 0;
    return run(seed, faults, seed % 5 == 0 ? 0 : 1, NULL);
}

TEST(sim_model_holds_in_a_cruel_world)
{
    struct clock real = clock_system();
    uint64_t first = from_env("KAIJU_SIM_SEED", 1), n = from_env("KAIJU_SIM_SEEDS", 60);
    int64_t until =
        clock_mono(&real) + (int64_t)from_env("KAIJU_SIM_SECONDS", 3600) * CLOCK_NS_PER_S;
    uint64_t seed = first;
    while (seed < first + n && clock_mono(&real) < until) {
        struct hash128 once = run_any(seed);
        if (seed % 16 == 0) {
            struct hash128 twice = run_any(seed);
            CHECK(memcmp(&once, &twice, sizeof once) == 0);
        }
        seed++;
    }
    printf("seeds %" PRIu64 " to %" PRIu64 "\n", first, seed - 1);
    CHECK(seed > first);
    /* What was said about all these ends would be empty if some had never come. */
    for (int kind = 0; kind < MODEL_EV_KINDS && seed - first >= 30; kind++) {
        if (strcmp(bus_ev_name((enum bus_ev_kind)kind), "?") != 0 && counts[kind] == 0) {
            test_fail(__FILE__, __LINE__, "no %s in all these runs",
                      bus_ev_name((enum bus_ev_kind)kind));
        }
    }
}

/* The hash of the traces of many seeds, as text. */
static void digest(char *ret, size_t size)
{
    struct hash_state *h = hash_new();
    for (uint64_t seed = 1; seed <= 30; seed++) {
        struct hash128 trace = run_any(seed);
        hash_add(h, &trace, sizeof trace);
    }
    struct hash128 all = hash_end(h);
    uint64_t halves[2];
    memcpy(halves, &all, sizeof halves);
    hash_free(h);
    snprintf(ret, size, "%016" PRIx64 "%016" PRIx64, halves[0], halves[1]);
}

TEST(sim_model_traces_are_equal_in_another_process)
{
    /* Other addresses, other history of the heap: none of it may enter a run. */
    const char *to = getenv("KAIJU_SIM_DIGEST_TO");
    char here[40], there[40], path[512], self[512], cmd[1200];
    digest(here, sizeof here);
    if (to != NULL) {
        FILE *f = fopen(to, "w");
        CHECK(f != NULL && fputs(here, f) >= 0 && fclose(f) == 0);
        return;
    }
    ssize_t len = readlink("/proc/self/exe", self, sizeof self - 1);
    CHECK(len > 0);
    self[len] = '\0';
    snprintf(path, sizeof path, "%s/digest", test_tmpdir());
    snprintf(cmd, sizeof cmd, "KAIJU_SIM_DIGEST_TO='%s' '%s' traces_are_equal >/dev/null", path,
             self);
    CHECK_EQ(0, system(cmd));
    FILE *f = fopen(path, "r");
    CHECK(f != NULL && fgets(there, sizeof there, f) != NULL && fclose(f) == 0);
    CHECK_STR(here, there);
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
