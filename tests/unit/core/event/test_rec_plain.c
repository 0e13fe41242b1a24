/* SPDX-License-Identifier: Apache-2.0
 *
 * Alerts written by avro-c, out of the schema itself, come out as the JSON that is promised, as the
 * same bytes, and as events; cut anywhere they come out as nothing.
 */
#include "core/event/rec_plain.h"

#include "core/base/mem.h"
#include "core/event/batch_dec.h"
#include "core/event/batch_enc.h"
#include "core/event/batch_in.h"
#include "core/event/frame.h"
#include "core/event/schema.h"
#include "tests/test.h"

#include <avro.h>
#include <jansson.h>

struct world {
    struct intern *keys;
    struct batch_dec *dec;
    struct batch_enc *enc;
    struct arena *arena;
    struct buf out;
};

static avro_value_t field(avro_value_t *record, const char *name)
{
    avro_value_t v;
    CHECK_EQ(0, avro_value_get_by_name(record, name, &v, NULL));
    return v;
}

static void set_text(avro_value_t *record, const char *name, const char *text)
{
    avro_value_t v = field(record, name);
    CHECK_EQ(0, avro_value_set_string(&v, text));
}

static void set_long(avro_value_t *record, const char *name, int64_t n)
{
    avro_value_t v = field(record, name);
    CHECK_EQ(0, avro_value_set_long(&v, n));
}

static void add_fixed(avro_value_t *record, const char *name, char first)
{
    char bytes[16] = {first};
    avro_value_t list = field(record, name), one;
    CHECK_EQ(0, avro_value_append(&list, &one, NULL));
    CHECK_EQ(0, avro_value_set_fixed(&one, bytes, sizeof bytes));
}

static void add_value(avro_value_t *record, const char *name, const char *key, int64_t n)
{
    avro_value_t map = field(record, name), one, v, branch;
    CHECK_EQ(0, avro_value_add(&map, key, &one, NULL, NULL));
    v = field(&one, "v");
    CHECK_EQ(0, avro_value_set_branch(&v, 2, &branch));
    CHECK_EQ(0, avro_value_set_long(&branch, n));
}

static size_t encode(char *out, size_t size)
{
    struct schema *schema;
    struct err e;
    avro_value_t a, v;
    CHECK_OK(schema_parse(schema_file_get(SLICE("alert.avsc"))->text, &schema, &e), e);
    avro_value_iface_t *iface = avro_generic_class_from_schema(schema_avro(schema));
    CHECK_EQ(0, avro_generic_value_new(iface, &a));
    char id[16] = "\x01\x02";
    v = field(&a, "id");
    CHECK_EQ(0, avro_value_set_fixed(&v, id, sizeof id));
    set_long(&a, "revision", 3);
    set_text(&a, "state", "firing");
    set_text(&a, "severity", "page");
    set_text(&a, "summary", "cart: \"30\" errors\n");
    set_text(&a, "tenant", "t");
    set_text(&a, "graph", "g");
    set_text(&a, "statement", "s");
    add_value(&a, "key", "service", 5);
    set_long(&a, "ordinal", 1);
    set_long(&a, "starts_at", 1800000000000000000);
    set_long(&a, "updated_at", 0);
    v = field(&a, "ends_at");
    avro_value_t branch;
    CHECK_EQ(0, avro_value_set_branch(&v, 0, &branch));
    CHECK_EQ(0, avro_value_set_null(&branch));
    avro_value_t labels = field(&a, "labels"), one;
    CHECK_EQ(0, avro_value_add(&labels, "team", &one, NULL, NULL));
    CHECK_EQ(0, avro_value_set_string(&one, "shop"));
    add_value(&a, "row", "n", -7);
    add_fixed(&a, "trace_ids", '\x0a');
    add_fixed(&a, "trace_ids", '\x0b');
    add_fixed(&a, "causes", '\x0c');
    avro_writer_t w = avro_writer_memory(out, (int64_t)size);
    CHECK_EQ(0, avro_value_write(w, &a));
    size_t n = (size_t)avro_writer_tell(w);
    avro_writer_free(w);
    avro_value_decref(&a);
    avro_value_iface_decref(iface);
    schema_free(schema);
    return n;
}

static void make_world(struct world *w)
{
    w->keys = intern_new(100, 10000);
    w->dec = batch_dec_new(BATCH_LIMITS, w->keys);
    w->enc = batch_enc_new(BATCH_LIMITS, 10000);
    w->arena = arena_new(NULL, "test", 1 << 20);
    buf_init(&w->out, 10000);
}

static void unmake(struct world *w)
{
    buf_done(&w->out);
    arena_free(w->arena);
    batch_enc_free(w->enc);
    batch_dec_free(w->dec);
    intern_free(w->keys);
}

TEST(plain_alerts_are_read_and_shown)
{
    char bytes[1000];
    size_t n = encode(bytes, sizeof bytes);
    struct val f[REC_PLAIN_FIELDS_MAX];
    struct world w;
    struct err e;
    make_world(&w);
    CHECK_OK(rec_plain_read(REC_PLAIN_ALERT, w.dec, w.arena, slice_of(bytes, n), f, &e), e);
    CHECK(rec_plain_json(REC_PLAIN_ALERT, f, &w.out));
    CHECK_SLICE("{\"id\":\"01020000000000000000000000000000\",\"revision\":3,\"state\":\"firing\","
                "\"severity\":\"page\",\"summary\":\"cart: \\\"30\\\" errors\\n\","
                "\"tenant\":\"t\",\"graph\":\"g\",\"statement\":\"s\",\"key\":{\"service\":5},"
                "\"ordinal\":1,\"starts_at\":\"2027-01-15T08:00:00.000000000Z\","
                "\"updated_at\":\"1970-01-01T00:00:00.000000000Z\",\"ends_at\":null,"
                "\"labels\":{\"team\":\"shop\"},\"annotations\":{},\"row\":{\"n\":-7},"
                "\"trace_ids\":[\"0a000000000000000000000000000000\","
                "\"0b000000000000000000000000000000\"],"
                "\"causes\":[\"0c000000000000000000000000000000\"]}",
                buf_slice(&w.out));
    for (size_t cut = 0; cut < n; cut++) {
        char *exact = mem_dup(bytes, cut);
        CHECK_EQ(-ERR_CORRUPT,
                 rec_plain_read(REC_PLAIN_ALERT, w.dec, w.arena, slice_of(exact, cut), f, &e));
        mem_free(exact);
    }
    bytes[n] = 0;
    CHECK_EQ(-ERR_CORRUPT,
             rec_plain_read(REC_PLAIN_ALERT, w.dec, w.arena, slice_of(bytes, n + 1), f, &e));
    unmake(&w);
}

/* What is written by the table are the bytes that avro-c writes by the schema. */
TEST(plain_alerts_are_written_as_the_schema_says)
{
    char bytes[1000];
    size_t n = encode(bytes, sizeof bytes);
    struct val f[REC_PLAIN_FIELDS_MAX];
    struct world w;
    struct err e;
    make_world(&w);
    CHECK_OK(rec_plain_read(REC_PLAIN_ALERT, w.dec, w.arena, slice_of(bytes, n), f, &e), e);
    CHECK(rec_plain_write(REC_PLAIN_ALERT, w.enc, f, &w.out));
    struct slice body = slice_sub(buf_slice(&w.out), FRAME_SINGLE_BYTES, w.out.len);
    CHECK_EQ(n, body.len);
    CHECK(memcmp(bytes, body.ptr, n) == 0);
    unmake(&w);
}

TEST(plain_dead_letters_are_written_and_read)
{
    struct val f[REC_DEAD_FIELDS] = {
        [REC_DEAD_REASON] = val_string(SLICE("late")),
        [REC_DEAD_SOURCE] = val_string(SLICE("t/g/l/0")),
        [REC_DEAD_STATEMENT] = val_string(SLICE("bad\xffutf8")),
        [REC_DEAD_REFERENCE] = val_bytes(SLICE("0123456789abcdef")),
        [REC_DEAD_CLOCK] = val_int(1800000000000000000),
    };
    struct val again[REC_PLAIN_FIELDS_MAX];
    struct world w;
    struct err e;
    make_world(&w);
    CHECK(rec_plain_write(REC_PLAIN_DEAD, w.enc, f, &w.out));
    struct slice body = slice_sub(buf_slice(&w.out), FRAME_SINGLE_BYTES, w.out.len);
    CHECK_OK(rec_plain_read(REC_PLAIN_DEAD, w.dec, w.arena, body, again, &e), e);
    struct buf json;
    buf_init(&json, 10000);
    CHECK(rec_plain_json(REC_PLAIN_DEAD, again, &json));
    CHECK_SLICE("{\"reason\":\"late\",\"detail\":\"\",\"tenant\":\"\",\"source\":\"t/g/l/0\","
                "\"statement\":\"bad\xef\xbf\xbdutf8\","
                "\"reference\":\"30313233343536373839616263646566\","
                "\"clock\":\"2027-01-15T08:00:00.000000000Z\",\"content_type\":\"\","
                "\"body_bytes\":0,\"body\":\"\"}",
                buf_slice(&json));
    buf_done(&json);
    unmake(&w);
}

TEST(plain_alerts_are_events_for_whoever_reads_events)
{
    char bytes[1000];
    size_t n = encode(bytes, sizeof bytes);
    struct world w;
    struct err e;
    struct rec_batch b;
    make_world(&w);
    struct schema_reg *reg = schema_reg_new();
    struct batch_in *in = batch_in_new(BATCH_LIMITS, w.keys, reg);
    CHECK(frame_put(&w.out, FRAME_SINGLE, schema_file_print(SLICE("alert.avsc"))));
    CHECK(buf_add(&w.out, bytes, n));
    CHECK_OK(batch_in_read(in, w.arena, buf_slice(&w.out), &b, &e), e);
    CHECK_EQ(1, b.events_len);
    const struct rec *r = b.events;
    CHECK_SLICE("Alert", r->type);
    CHECK_EQ(1, r->causes_len);
    CHECK_EQ(0x0c, r->causes[0].bytes[0]);
    CHECK_EQ(0x0a, r->trace_id[0]);
    const struct val *v = rec_find_text(r->payload, r->payload_len, SLICE("id"));
    CHECK_SLICE("01020000000000000000000000000000", val_slice(*v));
    v = rec_find_text(r->payload, r->payload_len, SLICE("row"));
    CHECK_EQ(-7, val_map_get(*v, SLICE("n"))->i);
    CHECK(rec_find_text(r->payload, r->payload_len, SLICE("ends_at")) == NULL);
    v = rec_context_get(r->context, NULL, REC_NAME_TENANT);
    CHECK_SLICE("t", val_slice(*v));
    batch_in_free(in);
    schema_reg_free(reg);
    unmake(&w);
}
