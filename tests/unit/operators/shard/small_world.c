/* SPDX-License-Identifier: Apache-2.0
 *
 * See small_world.h.
 */
#include "tests/unit/operators/shard/small_world.h"

#include "core/bus/bus_sim.h"
#include "core/event/frame.h"
#include "core/event/schema.h"
#include "tests/test.h"

enum { TOPICS = 1, OPENED, PUT, RECORD_MAX = 1 << 20 };

struct bus_conf small_sim(uint64_t seed)
{
    static struct bus_sim_faults calm;
    calm = bus_sim_calm();
    return (struct bus_conf){.kind = BUS_SIM, .prefix = "kaiju.", .sim = {seed, &calm}};
}

void small_wait_for(struct small_world *w, uint64_t tag)
{
    struct bus_ev ev[16];
    for (bool seen = false; !seen;) {
        bus_wait(w->sender, INT64_C(1000000000));
        for (int n = bus_poll(w->sender, ev, 16), i = 0; i < n; i++) {
            seen |= ev[i].tag == tag;
            CHECK(ev[i].kind != BUS_EV_ERROR && ev[i].kind != BUS_EV_REFUSED);
        }
    }
}

void small_open(struct small_world *w, const struct bus_conf *conf, uint32_t raw_parts,
                const struct bus_topic_spec *specs, uint32_t n)
{
    struct bus_topic_spec all[BUS_TOPICS_COUNT];
    struct err err;
    CHECK_OK(bus_new(conf, &w->bus, &err), err);
    w->sender = bus_client_new(w->bus, "test");
    bus_topic_specs(raw_parts, -1, all);
    CHECK_OK(bus_ensure(w->sender, specs != NULL ? specs : all,
                        specs != NULL ? n : (uint32_t)BUS_TOPICS_COUNT, TOPICS, &err),
             err);
    small_wait_for(w, TOPICS);
    CHECK_OK(bus_open(w->sender, SLICE(""), OPENED, &w->out, &err), err);
    small_wait_for(w, OPENED);
    w->enc = batch_enc_new(BATCH_LIMITS, RECORD_MAX);
    batch_enc_begin(w->enc, SLICE("test"), 0);
}

void small_close(struct small_world *w)
{
    batch_enc_free(w->enc);
    bus_writer_close(w->out);
    bus_client_free(w->sender);
    bus_free(w->bus);
}

void small_metric(struct small_world *w, int64_t ts, struct slice name, double value)
{
    static const struct rec_context none = {NULL, 0, 0};
    struct val_pair p[] = {val_pair(SLICE("name"), val_string(name)),
                           val_pair(SLICE("value"), val_double(value))};
    const struct rec r = {.ts = ts,
                          .kind = REC_METRIC,
                          .context = &none,
                          .type = SLICE("Metric"),
                          .payload = p,
                          .payload_len = 2};
    struct err err;
    CHECK_OK(batch_enc_add(w->enc, &r, &err), err);
}

void small_put(struct small_world *w, struct slice topic, uint32_t part,
               const struct bus_header *header)
{
    struct buf b;
    struct err err;
    buf_init(&b, RECORD_MAX);
    CHECK(frame_put(&b, FRAME_SINGLE, schema_file_print(SLICE("event_batch.avsc"))));
    CHECK_OK(batch_enc_end(w->enc, &b, &err), err);
    const struct bus_put put = {.to = {bus_topic(w->sender, topic), part},
                                .value = buf_slice(&b),
                                .headers = header,
                                .header_count = header != NULL,
                                .token = PUT};
    CHECK_OK(bus_put(w->out, &put, &err), err);
    small_wait_for(w, PUT);
    buf_done(&b);
    batch_enc_begin(w->enc, SLICE("test"), 0);
}

struct layout *small_lay_out(struct arena *a, struct slice document, uint32_t raw_parts)
{
    const struct layout_conf conf = {.raw_parts = raw_parts};
    struct layout *l = NULL;
    struct err err;
    CHECK_OK(layout_make(a, document, &conf, &l, &err), err);
    CHECK_EQ(1, l->n_groups);
    return l;
}
