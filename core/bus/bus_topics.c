/* SPDX-License-Identifier: Apache-2.0
 *
 * See bus_topics.h.
 */
#include "core/bus/bus_topics.h"

#include <assert.h>

#define RAW     0
#define KEEP    false
#define FOREVER true

const struct bus_topic_row bus_topic_rows[BUS_TOPICS_COUNT] = {
#define BUS_TOPIC(id, number, name, partitions, cleanup, retention, doc)                           \
    {BUS_TOPIC_##id, (name), (doc), (partitions), (cleanup), (retention)},
#include "core/bus/bus_topics.def"
#undef BUS_TOPIC
};

const struct bus_topic_row *bus_topic_row(struct slice name)
{
    for (size_t i = 0; i < BUS_TOPICS_COUNT; i++) {
        if (slice_eq(name, slice_str(bus_topic_rows[i].name))) {
            return &bus_topic_rows[i];
        }
    }
    return NULL;
}

void bus_topic_specs(uint32_t raw_partitions, int64_t retention_ms,
                     struct bus_topic_spec ret_specs[BUS_TOPICS_COUNT])
{
    assert(raw_partitions > 0 && (raw_partitions & (raw_partitions - 1)) == 0);
    assert(retention_ms > 0 || retention_ms == -1);
    for (size_t i = 0; i < BUS_TOPICS_COUNT; i++) {
        const struct bus_topic_row *row = &bus_topic_rows[i];
        ret_specs[i] = (struct bus_topic_spec){
            .name = slice_str(row->name),
            .partitions = row->partitions > 0 ? row->partitions : raw_partitions,
            .cleanup = row->cleanup,
            .retention_ms = row->forever ? -1 : retention_ms,
            .retention_bytes = -1,
        };
    }
}
