/* SPDX-License-Identifier: Apache-2.0
 *
 * Alerts written by avro-c, out of the schema itself, come out as the JSON that is promised; cut
 * anywhere they come out as nothing.
 */
#include "coordinator/alert_json.h"

#include "core/base/mem.h"
#include "core/event/batch_dec.h"
#include "core/event/schema.h"
#include "tests/test.h"

#include <avro.h>
#include <jansson.h>

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

TEST(alert_json_of_an_alert)
{
    char bytes[1000];
    size_t n = encode(bytes, sizeof bytes);
    struct intern *keys = intern_new(100, 10000);
    struct batch_dec *dec = batch_dec_new(BATCH_LIMITS, keys);
    struct arena *a = arena_new(NULL, "test", 1 << 20);
    struct buf out;
    buf_init(&out, 10000);
    CHECK(alert_json(dec, a, slice_of(bytes, n), &out));
    CHECK_SLICE("{\"id\":\"01020000000000000000000000000000\",\"revision\":3,\"state\":\"firing\","
                "\"severity\":\"page\",\"summary\":\"cart: \\\"30\\\" errors\\n\","
                "\"tenant\":\"t\",\"graph\":\"g\",\"statement\":\"s\",\"key\":{\"service\":5},"
                "\"ordinal\":1,\"starts_at\":\"2027-01-15T08:00:00.000000000Z\","
                "\"updated_at\":\"1970-01-01T00:00:00.000000000Z\",\"ends_at\":null,"
                "\"labels\":{\"team\":\"shop\"},\"annotations\":{},\"row\":{\"n\":-7},"
                "\"trace_ids\":[\"0a000000000000000000000000000000\","
                "\"0b000000000000000000000000000000\"],"
                "\"causes\":[\"0c000000000000000000000000000000\"]}",
                buf_slice(&out));
    for (size_t cut = 0; cut < n; cut++) {
        char *exact = mem_dup(bytes, cut);
        buf_clear(&out);
        (void)buf_add_str(&out, "before");
        CHECK(!alert_json(dec, a, slice_of(exact, cut), &out));
        CHECK_SLICE("before", buf_slice(&out));
        mem_free(exact);
    }
    bytes[n] = 0;
    CHECK(!alert_json(dec, a, slice_of(bytes, n + 1), &out));
    buf_done(&out);
    arena_free(a);
    batch_dec_free(dec);
    intern_free(keys);
}
