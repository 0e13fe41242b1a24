/* SPDX-License-Identifier: Apache-2.0
 *
 * The built-in topics, out of bus_topics.def. To add one: a row there.
 */
#ifndef CORE_BUS_BUS_TOPICS_H
#define CORE_BUS_BUS_TOPICS_H

#include "core/bus/bus_types.h"

enum bus_topic_id {
#define BUS_TOPIC(id, number, name, partitions, cleanup, retention, doc) BUS_TOPIC_##id = (number),
#include "core/bus/bus_topics.def"
#undef BUS_TOPIC
};

enum { BUS_TOPICS_COUNT = 17 };

struct bus_topic_row {
    enum bus_topic_id id;
    const char *name, *doc;
    uint32_t partitions; /* 0 = as configured for raw topics */
    enum bus_cleanup cleanup;
    bool forever;
};

extern const struct bus_topic_row bus_topic_rows[BUS_TOPICS_COUNT];

const struct bus_topic_row *bus_topic_row(struct slice name); /* NULL: not a built-in topic */
/* What bus_ensure wants, for all of them. */
void bus_topic_specs(uint32_t raw_partitions, int64_t retention_ms,
                     struct bus_topic_spec ret_specs[BUS_TOPICS_COUNT]);

#endif
