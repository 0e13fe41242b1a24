/* SPDX-License-Identifier: Apache-2.0
 *
 * put_records TOPIC [bus settings]: puts each line of standard input on partition 0 of a topic, key
 * and value with a tab between; a line without a tab is a key that goes.
 *
 * put_records TOPIC trim [bus settings]: removes what is there, as retention would.
 */
#include "tests/e2e/on_bus.h"

#include "core/bus/bus_topics.h"

enum { TAG_ENSURE = 1, TAG_OPEN = 2, PARTITIONS = 8, AT_ONCE = 1000 };

static void wait_for(struct bus_client *c, enum bus_ev_kind kind, uint64_t count)
{
    struct bus_ev ev;
    for (int rounds = 0; count > 0 && rounds < 1200; rounds++) {
        while (count > 0 && bus_poll(c, &ev, 1) > 0) {
            if (ev.err != NULL) {
                must(-1, ev.err);
            }
            count -= ev.kind == kind;
        }
        if (count > 0) {
            bus_wait(c, 100 * CLOCK_NS_PER_MS);
        }
    }
    if (count > 0) {
        fprintf(stderr, "no %s within two minutes\n", bus_ev_name(kind));
        exit(1);
    }
}

/* Where the partition ends. */
static int64_t end_of(struct bus_client *c, struct bus_tp tp)
{
    struct bus_ev ev;
    struct err e;
    must(bus_bounds(c, tp, TAG_ENSURE, &e), &e);
    for (int rounds = 0; rounds < 1200; rounds++) {
        if (bus_poll(c, &ev, 1) > 0 && ev.kind == BUS_EV_DONE) {
            return ev.end;
        }
        bus_wait(c, 100 * CLOCK_NS_PER_MS);
    }
    fputs("no bounds within a minute\n", stderr);
    exit(1);
}

static uint32_t parts_of(struct bus_client *c, struct slice topic)
{
    struct bus_ev ev;
    struct err e;
    must(bus_describe(c, bus_topic(c, topic), TAG_ENSURE, &e), &e);
    for (int rounds = 0; rounds < 1200; rounds++) {
        if (bus_poll(c, &ev, 1) > 0 && ev.kind == BUS_EV_DONE) {
            return ev.topics[0].partitions;
        }
        bus_wait(c, 100 * CLOCK_NS_PER_MS);
    }
    fputs("no description within a minute\n", stderr);
    exit(1);
}

static void trim_all(struct bus_client *c, struct slice topic)
{
    struct err e;
    uint32_t n = parts_of(c, topic);
    for (uint32_t i = 0; i < n; i++) {
        const struct bus_tp tp = {bus_topic(c, topic), i};
        must(bus_trim(c, tp, end_of(c, tp), TAG_ENSURE, &e), &e);
        wait_for(c, BUS_EV_DONE, 1);
    }
}

static void put_all(struct on_bus *b, struct bus_writer *w, struct slice topic)
{
    struct bus_client *c = b->client;
    char *line = NULL;
    size_t cap = 0;
    ssize_t n;
    uint64_t open = 0;
    while ((n = getline(&line, &cap, stdin)) > 0) {
        struct slice rest = slice_trim(slice_of(line, (size_t)n)), key;
        (void)slice_split(&rest, '\t', &key);
        struct bus_put put = {.to = {bus_topic(c, topic), 0}, .key = key, .value = rest};
        on_bus_put(b, w, &put);
        if (++open == AT_ONCE) {
            wait_for(c, BUS_EV_DELIVERED, open);
            open = 0;
        }
    }
    wait_for(c, BUS_EV_DELIVERED, open);
    free(line);
}

int main(int argc, char **argv)
{
    struct on_bus b;
    struct bus_topic_spec specs[BUS_TOPICS_COUNT];
    struct bus_writer *w;
    struct err e;
    on_bus_open(&b, 1, 2, false, argc, argv);
    bus_topic_specs(PARTITIONS, -1, specs);
    on_bus_ensure(&b, specs, BUS_TOPICS_COUNT);
    must(bus_open(b.client, SLICE_NONE, TAG_OPEN, &w, &e), &e);
    wait_for(b.client, BUS_EV_OPENED, 1);
    if (b.n_args == 2) {
        trim_all(b.client, slice_str(b.args[0]));
    } else {
        put_all(&b, w, slice_str(b.args[0]));
    }
    bus_writer_close(w);
    on_bus_close(&b);
    return 0;
}
