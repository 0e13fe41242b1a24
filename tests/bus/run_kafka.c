/* SPDX-License-Identifier: Apache-2.0
 *
 * The behaviour suite over a real Kafka, found by KAIJU_KAFKA_BROKERS (tests/kafka/kafka.sh). Each
 * test has topics, slots and elections of its own by a prefix of its own.
 */
#include "core/base/clock.h"
#include "tests/bus/suite.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static char prefix[64];

static void conf(const struct suite_opts *opts, bool again, struct bus_conf *ret)
{
    /* Cleaning is quick here, so that a test may wait for it. */
    static const struct bus_property properties[] = {
        {"create.segment.ms", "1000"},
        {"create.segment.bytes", "1310720"}, /* one largest record */
        {"create.min.cleanable.dirty.ratio", "0.01"},
        {"create.delete.retention.ms", "100"},
        /* What takes so long that it ends otherwise is a matter of tests/kafka/faults.c: here
         * brokers may be as slow as they are. */
        {"socket.timeout.ms", "25000"},
        {"session.timeout.ms", "30000"},
        {"max.poll.interval.ms", "60000"},
    };
    static uint32_t runs;
    const struct clock clock = clock_system();
    (void)opts;
    if (!again) {
        snprintf(prefix, sizeof prefix, "t%d.%" PRIx64 ".%u.", (int)getpid(),
                 (uint64_t)clock_wall(&clock) / CLOCK_NS_PER_S, ++runs);
    }
    if (getenv("KAIJU_KAFKA_BROKERS") == NULL) {
        test_skip("KAIJU_KAFKA_BROKERS is not set: see tests/kafka/kafka.sh run");
    }
    ret->prefix = prefix;
    ret->kafka.brokers = getenv("KAIJU_KAFKA_BROKERS");
    const char *nodes = getenv("KAIJU_KAFKA_NODES");
    ret->kafka.replication = nodes != NULL && strcmp(nodes, "3") == 0 ? 3 : 1;
    ret->kafka.transaction_timeout_ms = 30000;
    ret->kafka.properties = properties;
    ret->kafka.property_count = ARRAY_LEN(properties);
}

const struct suite_hooks suite_hooks = {
    .name = "kafka",
    .kind = BUS_KAFKA,
    .conf = conf,
    .patience_ns = 90 * CLOCK_NS_PER_S, /* of three brokers on two processors */
    .quiet_ns = 200 * CLOCK_NS_PER_MS,
    .takeover_ns = 90 * CLOCK_NS_PER_S,
    .elected_ns = 5 * CLOCK_NS_PER_S,
    .retention_ns = 120 * CLOCK_NS_PER_S, /* the broker looks twice a second, when it has time */
    .compaction_ns = 120 * CLOCK_NS_PER_S,
    .roll_ns = 1100 * CLOCK_NS_PER_MS,
    .quota = false,
    .threads = true,
    .retention_slack_bytes = 2 << 20, /* whole segments go, and the last stays */
    .scale = 100,
};
