/* SPDX-License-Identifier: Apache-2.0
 *
 * A coordinator's store, graphs and members over the simulated bus, with all control topics: what
 * tests of its parts, and its fuzz target, begin with. The caller steps them; what cannot be made
 * ends the program.
 */
#ifndef TESTS_UNIT_COORDINATOR_DESK_H
#define TESTS_UNIT_COORDINATOR_DESK_H

#include "coordinator/graphs.h"
#include "coordinator/members.h"
#include "coordinator/store.h"
#include "core/bus/bus_conf.h"
#include "core/bus/bus_sim.h"
#include "core/bus/bus_topics.h"

#include <stdio.h>
#include <stdlib.h>

enum { DESK_TAG = 7, DESK_TEXT = 2000 };

struct desk {
    struct bus *bus;
    struct bus_sim_faults faults;
    struct bus_client *client, *other; /* other: has made the topics; for workers, say */
    struct store *store;
    struct graphs *graphs;
    struct members *members;
};

static inline void desk_must(bool done, const char *what, const struct err *err)
{
    if (!done) {
        fprintf(stderr, "%s: %s\n", what, err != NULL ? err->msg : "");
        abort();
    }
}

static inline struct slice desk_record(const struct graph *g, struct buf *to)
{
    buf_init(to, DESK_TEXT);
    desk_must(graphs_value(to, g), "a record of a graph", NULL);
    return buf_slice(to);
}

/* It has the graph already. conf: on_record, holds and arg. */
static inline void desk_open(struct desk *d, const struct graph *g, const struct store_conf *conf,
                             coordinator_layout_fn layout)
{
    struct bus_topic_spec specs[BUS_TOPICS_COUNT];
    char key[GRAPH_KEY_BYTES];
    struct buf value;
    struct err err;
    d->faults = bus_sim_calm();
    const struct bus_conf bus = {
        .kind = BUS_SIM, .prefix = "t.", .sim = {.seed = 1, .faults = &d->faults}};
    desk_must(bus_new(&bus, &d->bus, &err) == 0, "a bus", &err);
    d->client = bus_client_new(d->bus, "coordinator");
    d->other = bus_client_new(d->bus, "others");
    bus_topic_specs(4, -1, specs);
    int rc = bus_ensure(d->other, specs, BUS_TOPICS_COUNT, DESK_TAG, &err);
    desk_must(rc == 0, "topics", &err);
    d->graphs = graphs_new();
    graphs_take(d->graphs, graphs_key(g->tenant, g->name, key), desk_record(g, &value));
    buf_done(&value);
    struct store_conf store = *conf;
    store.bus = d->client;
    d->store = store_new(&store);
    d->members = members_new(&(struct members_conf){
        .bus = d->client, .store = d->store, .graphs = d->graphs, .layout = layout});
}

/* One step of the world; both clients are to be polled behind it. */
static inline void desk_step(struct desk *d)
{
    if (!bus_sim_step(d->bus, CLOCK_NS_PER_MS)) {
        bus_sim_advance(d->bus, CLOCK_NS_PER_MS);
    }
}

/* The store is freed already: who waits in it is told. */
static inline void desk_close(struct desk *d)
{
    members_free(d->members);
    graphs_free(d->graphs);
    bus_client_free(d->other);
    bus_client_free(d->client);
    bus_free(d->bus);
}

#endif
