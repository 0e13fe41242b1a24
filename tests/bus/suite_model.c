/* SPDX-License-Identifier: Apache-2.0
 *
 * The random workload of model.h over this bus, without faults but those the clients make: stolen
 * slots, clients that go away, aborts, sleepers.
 */
#include "tests/bus/model.h"
#include "tests/bus/suite.h"

TEST(model_exactly_once_and_in_order)
{
    struct suite s;
    suite_begin(&s, NULL);
    struct model_conf conf = {
        .seed = 1,
        .lineages = 2,
        .agents = 2,
        .parts = 3,
        .txns = 2 + suite_hooks.scale / 2,
        .steal = 0.01,
        .crash = 0.004,
        .sleep = 0.01,
        .abort = 0.02,
        .trim = 0.05,
        .patience_ns = 4 * suite_hooks.patience_ns,
        .nap_ns = 2 * CLOCK_NS_PER_MS,
        .elect = suite_hooks.kind != BUS_KAFKA, /* there each change takes seconds */
    };
    conf.step = suite_hooks.step;
    conf.kill = suite_hooks.kill;
    conf.pause = suite_hooks.pause;
    model_run(s.bus, &conf);
    suite_end(&s);
}
