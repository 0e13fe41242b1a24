/* SPDX-License-Identifier: Apache-2.0
 *
 * Any bytes as an OTLP request; FUZZ_SIGNAL and FUZZ_FORM say which of the six this is. What must
 * hold: an undecodable request leaves no trace; of the others every item is either taken or
 * rejected, exactly once; what was taken encodes, decodes again and has its tenant; mapping it
 * again gives the same bytes; and JSON gives what the protobuf it was written as gives.
 */
#include "core/event/batch_dec.h"
#include "ingest/otlp_json.h"
#include "tests/unit/ingest/otlp_util.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MIB = 1024 * 1024 };

struct fuzz {
    struct otlp_map *map;
    struct arena *arena, *decoded;
    struct batch_enc *enc;
    struct batch_dec *dec;
    struct intern *keys;
    struct buf out, again, protobuf;
    struct otlp_result result;
    uint64_t events, rejected, lost;
};

static int on_event(void *arg, enum bus_topic_id topic, struct slice key, const struct rec *r,
                    struct err *reterr)
{
    struct fuzz *f = arg;
    const struct val *tenant = rec_context_get(r->context, NULL, REC_NAME_TENANT);
    if (topic == 0 || key.len == 0 || tenant == NULL || tenant->tag != VAL_STRING ||
        !slice_eq(val_slice(*tenant), SLICE("acme")) ||
        r->ts > OTLP_TEST_NOW + INT64_C(300000000000)) {
        abort();
    }
    int rc = batch_enc_add(f->enc, r, reterr);
    if (rc == -ERR_RANGE) {
        abort(); /* what we make is within the schema */
    }
    f->events += rc == 0;
    f->lost += rc != 0;
    return rc;
}

static void on_rejected(void *arg, enum otlp_reason reason, struct slice item)
{
    struct fuzz *f = arg;
    (void)reason, (void)item;
    f->rejected++;
}

static int run(struct fuzz *f, enum otlp_form form, struct slice body, struct buf *out)
{
    struct otlp_sink sink = {.arg = f, .event = on_event, .rejected = on_rejected};
    struct otlp_request q = {.signal = FUZZ_SIGNAL,
                             .form = form,
                             .body = body,
                             .tenant = SLICE("acme"),
                             .ingest_ts = OTLP_TEST_NOW,
                             .arena = f->arena};
    struct err err;
    arena_reset(f->arena);
    buf_clear(out);
    f->events = f->rejected = f->lost = 0;
    f->result = (struct otlp_result){0};
    batch_enc_begin(f->enc, SLICE("otlp"), 0);
    int rc = otlp_map(f->map, &q, &sink, &f->result, &err);
    if (rc != 0 ? f->events + f->rejected + f->lost != 0
                : f->events != f->result.events || f->rejected != f->result.rejected ||
                      f->result.rejected > f->result.items) {
        abort();
    }
    if (batch_enc_end(f->enc, out, &err) != 0) {
        abort();
    }
    return rc;
}

static struct fuzz *make(void)
{
    static struct fuzz f;
    f.map = otlp_map_new(OTLP_LIMITS);
    f.arena = arena_new(NULL, "request", 256 * MIB);
    f.decoded = arena_new(NULL, "decoded", 1024 * MIB);
    f.enc = batch_enc_new(BATCH_LIMITS, 64 * MIB);
    f.keys = intern_new(100000, 16 * MIB);
    f.dec = batch_dec_new(BATCH_LIMITS, f.keys);
    buf_init(&f.out, 128 * MIB);
    buf_init(&f.again, 128 * MIB);
    buf_init(&f.protobuf, 128 * MIB);
    return &f;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    PROCESS_WIDE /* made once: a mapper is meant to be used again */
    static struct fuzz *f;
    f = f != NULL ? f : make();
    struct slice body = slice_of(data, size);
    struct rec_batch batch;
    struct err err;
    int rc = run(f, FUZZ_FORM, body, &f->out);
    uint64_t events = f->events;
    arena_reset(f->decoded);
    if (batch_dec_read(f->dec, f->decoded, buf_slice(&f->out), &batch, &err) != 0 ||
        batch.events_len != events) {
        abort();
    }
    bool same = run(f, FUZZ_FORM, body, &f->again) == rc &&
                slice_eq(buf_slice(&f->out), buf_slice(&f->again));
    if (FUZZ_FORM == OTLP_JSON && rc == 0) {
        buf_clear(&f->protobuf);
        arena_reset(f->decoded);
        int wrote =
            otlp_json(otlp_request_message(FUZZ_SIGNAL), body, f->decoded, &f->protobuf, &err);
        same = same && wrote == 0 &&
               run(f, OTLP_PROTOBUF, buf_slice(&f->protobuf), &f->again) == 0 &&
               slice_eq(buf_slice(&f->out), buf_slice(&f->again));
    }
    if (!same) {
        abort();
    }
    return 0;
}
