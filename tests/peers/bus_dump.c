/* SPDX-License-Identifier: Apache-2.0
 *
 * bus_dump TOPIC [bus settings]: the values of all records of a topic of any bus, from its start to
 * its present end, each behind its length (4 bytes, big endian). It looks into none of them: what
 * reads its output is an implementation of Avro that is not ours. The bus may be in use meanwhile;
 * an embedded one is opened for reading only. One thread; everything lives until the end.
 */
#include "tests/e2e/on_bus.h"

#include "core/codec/endian.h"

enum { TAG_DESCRIBE = 1, ROUNDS_MAX = 600, AT_ONCE = 64, PARTS_MAX = 1024 };

struct dump {
    struct bus_client *client;
    uint32_t parts, ended;
    bool end[PARTS_MAX];
};

static void put_record(const struct bus_record *r)
{
    uint8_t head[4];
    endian_put_be32(head, (uint32_t)r->value.len);
    fwrite(head, 1, sizeof head, stdout);
    fwrite(r->value.ptr, 1, r->value.len, stdout);
}

static void on_event(struct dump *d, const struct bus_ev *ev)
{
    must(ev->err != NULL ? -1 : 0, ev->err);
    if (ev->kind == BUS_EV_DONE && ev->tag == TAG_DESCRIBE) {
        d->parts = ev->topics[0].partitions;
    } else if (ev->kind == BUS_EV_END && !d->end[ev->tp.part]) {
        d->end[ev->tp.part] = true;
        d->ended++;
    }
    for (uint32_t i = 0; ev->kind == BUS_EV_RECORDS && i < ev->count; i++) {
        put_record(&ev->records[i]);
    }
}

/* Until *counter has come to `enough`. */
static void run_until(struct dump *d, const uint32_t *counter, uint32_t enough)
{
    struct bus_ev evs[AT_ONCE];
    for (int rounds = 0; *counter < enough; rounds++) {
        int n = bus_poll(d->client, evs, AT_ONCE);
        for (int i = 0; i < n; i++) {
            on_event(d, &evs[i]);
            rounds = 0;
        }
        if (rounds > ROUNDS_MAX) {
            fputs("bus_dump: nothing came within a minute\n", stderr);
            exit(1);
        }
        if (n == 0) {
            bus_wait(d->client, 100 * CLOCK_NS_PER_MS);
        }
    }
}

static void dump(struct dump *d, struct slice topic)
{
    struct err e;
    struct bus_tp tp = {bus_topic(d->client, topic), 0};
    must(bus_describe(d->client, tp.topic, TAG_DESCRIBE, &e), &e);
    run_until(d, &d->parts, 1);
    struct bus_reader *reader = bus_reader_new(d->client);
    for (; tp.part < d->parts && tp.part < PARTS_MAX; tp.part++) {
        must(bus_assign(reader, tp, BUS_FROM_START, tp.part, &e), &e);
    }
    run_until(d, &d->ended, tp.part);
    bus_reader_free(reader);
}

int main(int argc, char **argv)
{
    struct on_bus b;
    on_bus_open(&b, 1, 1, true, argc, argv);
    struct dump d = {.client = b.client};
    dump(&d, slice_str(b.args[0]));
    on_bus_close(&b);
    return fflush(stdout) == 0 ? 0 : 1;
}
