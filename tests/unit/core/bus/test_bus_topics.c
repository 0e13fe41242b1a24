/* SPDX-License-Identifier: Apache-2.0 */
#include "core/bus/bus_topics.h"

#include "tests/test.h"

TEST(bus_topics_have_unique_numbers_and_docs)
{
    for (size_t i = 0; i < BUS_TOPICS_COUNT; i++) {
        const struct bus_topic_row *row = &bus_topic_rows[i];
        CHECK(row->name != NULL && row->doc != NULL && row->doc[0] != '\0');
        CHECK(row->id > 0 && row->id < 1 << 15);
        for (size_t k = 0; k < i; k++) {
            CHECK(bus_topic_rows[k].id != row->id);
        }
        CHECK(bus_topic_row(slice_str(row->name)) == row);
    }
    CHECK(bus_topic_row(SLICE("log")) == NULL);
}

TEST(bus_topic_specs_follow_the_configuration)
{
    struct bus_topic_spec specs[BUS_TOPICS_COUNT];
    bus_topic_specs(16, 86400000, specs);
    for (size_t i = 0; i < BUS_TOPICS_COUNT; i++) {
        const struct bus_topic_row *row = &bus_topic_rows[i];
        CHECK_EQ(row->partitions > 0 ? row->partitions : 16, specs[i].partitions);
        CHECK_EQ(row->forever ? -1 : 86400000, specs[i].retention_ms);
        /* What tasks read must keep every record until its time has come. */
        CHECK(row->forever == (specs[i].cleanup == BUS_COMPACT));
    }
}
