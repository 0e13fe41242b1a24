/* SPDX-License-Identifier: Apache-2.0
 *
 * put_events TOPIC COUNT [bus settings]: puts COUNT events on a topic of any bus, ten to a batch,
 * and one record that is no batch. What they say is a function of their number, so that the tests
 * that read them back know what to expect.
 */
#include "tests/e2e/on_bus.h"

#include "core/bus/bus_topics.h"
#include "core/event/batch_enc.h"
#include "core/event/frame.h"
#include "core/event/key.h"
#include "core/event/schema.h"

enum { PER_BATCH = 10, TAG_OPEN = 2, PARTITIONS = 8 };
#define BASE_NS (INT64_C(1800000000) * CLOCK_NS_PER_S)

static struct bus_ev wait_for(struct bus_client *c, enum bus_ev_kind kind)
{
    struct bus_ev ev;
    for (int rounds = 0; rounds < 1200; rounds++) {
        while (bus_poll(c, &ev, 1) > 0) {
            if (ev.kind == kind) {
                return ev;
            }
            if (ev.err != NULL) {
                fprintf(stderr, "%s: %s\n", bus_ev_name(ev.kind), ev.err->msg);
                exit(1);
            }
        }
        bus_wait(c, 100 * CLOCK_NS_PER_MS);
    }
    fprintf(stderr, "no %s within two minutes\n", bus_ev_name(kind));
    exit(1);
}

static void encode(struct batch_enc *enc, uint64_t fingerprint, struct buf *out, int64_t first,
                   int64_t count)
{
    static const char *const pods[] = {"cart-0", "cart-1"};
    struct val_pair target[2] = {val_pair(SLICE("service.name"), val_string(SLICE("cart"))),
                                 val_pair(SLICE("k8s.pod.name"), val_null())};
    struct err e;
    batch_enc_begin(enc, SLICE("put_events"), first);
    struct rec_context contexts[2];
    struct val_pair pairs[2][2];
    for (uint32_t c = 0; c < 2; c++) {
        memcpy(pairs[c], target, sizeof target);
        pairs[c][1].value = val_string(slice_str(pods[c]));
        contexts[c] = (struct rec_context){.pairs = pairs[c], .len = 2, .index = c};
    }
    for (int64_t i = first; i < first + count; i++) {
        struct val_pair payload[] = {val_pair(SLICE("number"), val_int(i)),
                                     val_pair(SLICE("body"), val_string(SLICE("hello")))};
        struct rec r = {.ts = BASE_NS + i * CLOCK_NS_PER_S,
                        .ingest_ts = BASE_NS + i * CLOCK_NS_PER_S,
                        .context = &contexts[i % 2],
                        .payload = payload,
                        .payload_len = ARRAY_LEN(payload),
                        .type = SLICE("LogRecord"),
                        .kind = REC_LOG};
        memcpy(r.id.bytes, &i, sizeof i);
        must(batch_enc_add(enc, &r, &e), &e);
    }
    buf_clear(out);
    frame_put(out, FRAME_SINGLE, fingerprint);
    must(batch_enc_end(enc, out, &e), &e);
}

static void put_all(struct on_bus *b, struct slice topic, int64_t count)
{
    struct bus_client *c = b->client;
    struct batch_enc *enc = batch_enc_new(BATCH_LIMITS, 1 << 20);
    struct bus_writer *w;
    struct schema *schema;
    struct buf out;
    struct err e;
    buf_init(&out, 2 << 20);
    must(schema_parse(schema_file_get(SLICE("event_batch.avsc"))->text, &schema, &e), &e);
    must(bus_open(c, SLICE_NONE, TAG_OPEN, &w, &e), &e);
    wait_for(c, BUS_EV_OPENED);
    for (int64_t i = 0; i < count; i += PER_BATCH) {
        encode(enc, schema_fingerprint(schema), &out, i,
               count - i < PER_BATCH ? count - i : PER_BATCH);
        struct bus_put put = {.to = {bus_topic(c, topic), (uint32_t)(i / PER_BATCH % PARTITIONS)},
                              .value = buf_slice(&out)};
        on_bus_put(b, w, &put);
        wait_for(c, BUS_EV_DELIVERED);
    }
    struct bus_put odd = {
        .to = {bus_topic(c, topic), 0}, .key = SLICE("odd"), .value = SLICE("not a batch")};
    on_bus_put(b, w, &odd);
    wait_for(c, BUS_EV_DELIVERED);
    bus_writer_close(w);
    batch_enc_free(enc);
    schema_free(schema);
    buf_done(&out);
}

int main(int argc, char **argv)
{
    struct on_bus b;
    struct bus_topic_spec specs[BUS_TOPICS_COUNT];
    on_bus_open(&b, 2, 2, false, argc, argv);
    bus_topic_specs(PARTITIONS, -1, specs);
    on_bus_ensure(&b, specs, BUS_TOPICS_COUNT);
    put_all(&b, slice_str(b.args[0]), strtoll(b.args[1], NULL, 10));
    on_bus_close(&b);
    return 0;
}
