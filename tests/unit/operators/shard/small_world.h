/* SPDX-License-Identifier: Apache-2.0
 *
 * What tests of a slot need that have a bus, graphs and inputs of their own: a bus with topics, who
 * sends to it, records of metrics, graphs laid out.
 */
#ifndef TESTS_UNIT_OPERATORS_SHARD_SMALL_WORLD_H
#define TESTS_UNIT_OPERATORS_SHARD_SMALL_WORLD_H

#include "core/bus/bus_conf.h"
#include "core/bus/bus_topics.h"
#include "core/event/batch_enc.h"
#include "operators/shard/layout.h"

struct small_world {
    struct bus *bus;
    struct bus_client *sender;
    struct bus_writer *out;
    struct batch_enc *enc; /* the next record */
};

/* conf: small_sim, or the embedded bus; specs NULL: the topics of every Kaiju, of so many raw
 * partitions. */
struct bus_conf small_sim(uint64_t seed);
void small_open(struct small_world *w, const struct bus_conf *conf, uint32_t raw_parts,
                const struct bus_topic_spec *specs, uint32_t n);
void small_close(struct small_world *w);

/* Until an event of that tag has come to the sender. */
void small_wait_for(struct small_world *w, uint64_t tag);

/* An event into the next record, a metric; then the record. */
void small_metric(struct small_world *w, int64_t ts, struct slice name, double value);
void small_put(struct small_world *w, struct slice topic, uint32_t part,
               const struct bus_header *header);

/* A graph of tasks in one group. */
struct layout *small_lay_out(struct arena *a, struct slice document, uint32_t raw_parts);

#endif
