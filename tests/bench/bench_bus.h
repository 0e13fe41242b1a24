/* SPDX-License-Identifier: Apache-2.0
 *
 * What benchmarks of slots share: an embedded bus in a directory that goes with them, and waiting
 * for what was asked of it.
 */
#ifndef TESTS_BENCH_BENCH_BUS_H
#define TESTS_BENCH_BENCH_BUS_H

#include "core/bus/bus_conf.h"
#include "core/bus/bus_topics.h"

#include <stdio.h>
#include <stdlib.h>

static inline void must(int rc, const struct err *err, const char *what)
{
    if (rc != 0) {
        fprintf(stderr, "%s: %s\n", what, err->msg);
        exit(1);
    }
}

/* n events of that tag. */
static inline void wait_for(struct bus_client *c, uint64_t tag, uint32_t n)
{
    struct bus_ev ev[64];
    while (n > 0) {
        bus_wait(c, CLOCK_NS_PER_S);
        for (int got = bus_poll(c, ev, 64), i = 0; i < got; i++) {
            n -= ev[i].tag == tag;
        }
    }
}

/* With all topics, of so many partitions. */
static inline struct bus_client *open_bus(struct bus **ret, const char *dir, size_t map_bytes,
                                          uint32_t parts)
{
    struct bus_topic_spec specs[BUS_TOPICS_COUNT];
    const struct bus_conf conf = {
        .kind = BUS_LOCAL, .prefix = "kaiju.", .local = {.dir = dir, .map_bytes = map_bytes}};
    struct err err;
    must(bus_new(&conf, ret, &err), &err, "the bus");
    struct bus_client *c = bus_client_new(*ret, "bench");
    bus_topic_specs(parts, -1, specs);
    must(bus_ensure(c, specs, BUS_TOPICS_COUNT, 1, &err), &err, "topics");
    wait_for(c, 1, 1);
    return c;
}

#endif
