/* SPDX-License-Identifier: Apache-2.0
 *
 * The behaviour suite over the local bus, each test in a fresh directory. A crash here only closes
 * the store; kill -9 and power loss are tests/crash/.
 */
#include "core/bus/bus_local.h"
#include "tests/bus/suite.h"

#include <stdio.h>

enum { MAP_BYTES = 1 << 30 };

static char dir[256]; /* lives until the next test */

static void conf(const struct suite_opts *opts, bool again, struct bus_conf *ret)
{
    if (!again) {
        snprintf(dir, sizeof dir, "%s/bus", test_tmpdir());
    }
    ret->local = (struct bus_local_conf){
        .dir = dir, .map_bytes = MAP_BYTES, .quota_bytes = opts->quota_bytes};
}

const struct suite_hooks suite_hooks = {
    .name = "local",
    .kind = BUS_LOCAL,
    .conf = conf,
    .patience_ns = 60 * CLOCK_NS_PER_S,
    .quiet_ns = 100 * CLOCK_NS_PER_MS,
    .takeover_ns = 30 * CLOCK_NS_PER_S,
    .elected_ns = 1 * CLOCK_NS_PER_S,
    .retention_ns = 30 * CLOCK_NS_PER_S,
    .compaction_ns = 30 * CLOCK_NS_PER_S,
    .roll_ns = 2 * CLOCK_NS_PER_MS,
    .retention_slack_bytes = 64 * 1024, /* the chunk of one commit, as the suite writes */
    .quota = true,
    .threads = true,
    .scale = 100,
};
