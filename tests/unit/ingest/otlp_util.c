/* SPDX-License-Identifier: Apache-2.0
 *
 * See otlp_util.h.
 */
#include "tests/unit/ingest/otlp_util.h"

#include "core/base/mem.h"
#include "core/codec/text.h"
#include "core/event/rec_json.h"

#include <stdlib.h>

enum { MIB = 1024 * 1024 };

struct otlp_rig *otlp_rig_new(void)
{
    struct otlp_rig *r = MEM_NEW(struct otlp_rig);
    r->map = otlp_map_new(OTLP_LIMITS);
    r->arena = arena_new(NULL, "request", 64 * MIB);
    r->scratch = arena_new(NULL, "text", 64 * MIB);
    for (size_t i = 1; i <= BUS_TOPICS_COUNT; i++) {
        r->enc[i] = batch_enc_new(BATCH_LIMITS, 16 * MIB);
    }
    buf_init(&r->text, 256 * MIB);
    buf_init(&r->batch, 256 * MIB);
    buf_init(&r->keys, 64 * MIB);
    buf_init(&r->ids, 64 * MIB);
    buf_init(&r->dead, 64 * MIB);
    return r;
}

void otlp_rig_free(struct otlp_rig *r)
{
    otlp_map_free(r->map);
    for (size_t i = 1; i <= BUS_TOPICS_COUNT; i++) {
        batch_enc_free(r->enc[i]);
    }
    arena_free(r->arena);
    arena_free(r->scratch);
    buf_done(&r->text);
    buf_done(&r->batch);
    buf_done(&r->keys);
    buf_done(&r->ids);
    buf_done(&r->dead);
    mem_free(r);
}

static void add_pairs(struct otlp_rig *r, const struct val_pair *pairs, uint32_t n)
{
    struct val_pair *copy = arena_array(r->scratch, n + 1, sizeof *copy);
    if (n > 0) {
        memcpy(copy, pairs, n * sizeof *copy);
    }
    rec_json_value(&r->text, val_map(copy, val_map_sort(copy, n)));
}

static int on_event(void *arg, enum bus_topic_id topic, struct slice key, const struct rec *rec,
                    struct err *reterr)
{
    struct otlp_rig *r = arg;
    if (r->fail_with != 0 && r->events >= r->fail_after) {
        return err_set(reterr, (enum err_code) - r->fail_with, "the sink was told to fail");
    }
    r->events++;
    for (size_t i = 0; i < BUS_TOPICS_COUNT; i++) {
        if (bus_topic_rows[i].id == topic) {
            buf_addf(&r->text, "%s ", bus_topic_rows[i].name);
        }
    }
    buf_addf(&r->text, SLICE_FMT " %lld ", SLICE_ARG(rec->type), (long long)rec->ts);
    if (rec_has_trace(rec)) {
        text_put_hex(&r->text, slice_of(rec->trace_id, 16));
    }
    buf_add_byte(&r->text, '/');
    if (rec_has_span(rec)) {
        text_put_hex(&r->text, slice_of(rec->span_id, 8));
    }
    buf_addf(&r->text, " flags=%u context", rec->flags);
    add_pairs(r, rec->context->pairs, rec->context->len);
    buf_add_str(&r->text, " payload");
    add_pairs(r, rec->payload, rec->payload_len);
    buf_add_byte(&r->text, '\n');
    text_put_hex(&r->keys, key);
    buf_add_byte(&r->keys, '\n');
    buf_add(&r->ids, rec->id.bytes, sizeof rec->id.bytes);
    return batch_enc_add(r->enc[topic], rec, reterr);
}

static void on_rejected(void *arg, enum otlp_reason reason, struct slice item)
{
    struct otlp_rig *r = arg;
    r->rejected++;
    buf_addf(&r->dead, "%s %zu\n", otlp_reason_label(reason), item.len);
}

int otlp_rig_run(struct otlp_rig *r, enum otlp_signal signal, enum otlp_form form,
                 struct slice body)
{
    struct otlp_sink sink = {.arg = r, .event = on_event, .rejected = on_rejected};
    struct otlp_request q = {.signal = signal,
                             .form = form,
                             .body = body,
                             .tenant = SLICE("acme"),
                             .ingest_ts = OTLP_TEST_NOW,
                             .arena = r->arena};
    struct buf *bufs[] = {&r->text, &r->batch, &r->keys, &r->ids, &r->dead};
    for (size_t i = 0; i < ARRAY_LEN(bufs); i++) {
        buf_clear(bufs[i]);
    }
    arena_reset(r->arena);
    arena_reset(r->scratch);
    r->events = r->rejected = 0;
    r->result = (struct otlp_result){0};
    for (size_t i = 1; i <= BUS_TOPICS_COUNT; i++) {
        batch_enc_begin(r->enc[i], SLICE("otlp"), 0);
    }
    int rc = otlp_map(r->map, &q, &sink, &r->result, &r->err);
    for (size_t i = 1; i <= BUS_TOPICS_COUNT; i++) {
        struct err err;
        buf_addf(&r->batch, "%zu:", i);
        if (batch_enc_end(r->enc[i], &r->batch, &err) != 0) {
            abort();
        }
    }
    return rc;
}

struct slice otlp_rig_line(const struct otlp_rig *r, size_t i)
{
    struct slice rest = buf_slice(&r->text), line = SLICE_NONE;
    for (size_t at = 0; at <= i; at++) {
        if (!slice_split(&rest, '\n', &line)) {
            return SLICE_NONE;
        }
    }
    return line;
}

void otlp_put_text(struct buf *b, uint32_t field, const char *key, const char *value)
{
    size_t kv = pbwrite_open(b, field);
    pbwrite_string(b, 1, slice_str(key));
    size_t any = pbwrite_open(b, 2);
    pbwrite_string(b, 1, slice_str(value));
    pbwrite_close(b, any);
    pbwrite_close(b, kv);
}

void otlp_put_int(struct buf *b, uint32_t field, const char *key, int64_t value)
{
    size_t kv = pbwrite_open(b, field);
    pbwrite_string(b, 1, slice_str(key));
    size_t any = pbwrite_open(b, 2);
    pbwrite_varint(b, 3, (uint64_t)value);
    pbwrite_close(b, any);
    pbwrite_close(b, kv);
}
