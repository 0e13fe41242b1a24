/* SPDX-License-Identifier: Apache-2.0
 *
 * The claims over a real Kafka, found by KAIJU_KAFKA_BROKERS (tests/kafka/kafka.sh), under names of
 * this run's own.
 */
#include "core/base/clock.h"
#include "tests/claims/claims.h"
#include "tests/test.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

uint64_t claims_seed(void)
{
    return 23;
}

void claims_bus(struct bus_conf *ret)
{
    static char prefix[64];
    const struct clock clock = clock_system();
    if (getenv("KAIJU_KAFKA_BROKERS") == NULL) {
        test_skip("KAIJU_KAFKA_BROKERS is not set: see tests/kafka/kafka.sh run");
    }
    (void)snprintf(prefix, sizeof prefix, "c%d.%" PRIx64 ".", (int)getpid(),
                   (uint64_t)clock_wall(&clock) / CLOCK_NS_PER_S);
    ret->kind = BUS_KAFKA;
    ret->prefix = prefix;
    ret->kafka.brokers = getenv("KAIJU_KAFKA_BROKERS");
    ret->kafka.replication = 1;
    ret->kafka.transaction_timeout_ms = 10000;
}
