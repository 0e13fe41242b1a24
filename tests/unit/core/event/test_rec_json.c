/* SPDX-License-Identifier: Apache-2.0 */
#include "core/event/rec_json.h"

#include "core/codec/text.h"
#include "core/codec/utf8.h"
#include "tests/test.h"
#include "tests/unit/core/event/gen.h"

#include <jansson.h>
#include <math.h>

enum { MIB = 1024 * 1024 };

static void check_value(const char *want, struct val v)
{
    struct buf b;
    buf_init(&b, 1000);
    CHECK(rec_json_value(&b, v));
    CHECK_SLICE(want, buf_slice(&b));
    buf_done(&b);
}

TEST(rec_json_values_are_golden)
{
    check_value("null", val_null());
    check_value("true", val_bool(true));
    check_value("-9223372036854775808", val_int(INT64_MIN));
    check_value("9007199254740993", val_int((1ll << 53) + 1));
    check_value("1.0", val_double(1));
    check_value("0.1", val_double(0.1));
    check_value("\"NaN\"", val_double(NAN));
    check_value("\"-Infinity\"", val_double(-INFINITY));
    check_value("\"a\\\"b\\\\\\n\\u0000\\u001f\x7f\"",
                val_string(slice_of("a\"b\\\n\0\x1f\x7f", 8)));
    check_value("\"\xc3\xa9\xef\xbf\xbd\xef\xbf\xbd!\"",
                val_string(SLICE("\xc3\xa9\xff\xe2\x82!")));
    check_value("\"AP8=\"", val_bytes(slice_of("\0\xff", 2)));
    struct val items[] = {val_int(1), val_list(NULL, 0)};
    struct val_pair pair = val_pair(SLICE("k\t"), val_list(items, 2));
    check_value("{\"k\\t\":[1,[]]}", val_map(&pair, 1));
}

TEST(rec_json_event_is_golden)
{
    struct buf b;
    struct val_pair pod = val_pair(SLICE("k8s.pod.name"), val_string(SLICE("p")));
    struct rec_context c = {.pairs = &pod, .len = 1};
    struct ref ref = ref_of_raw((struct ref_raw){.topic = 1, .offset = 2});
    struct rec r = {.ts = 1, .ingest_ts = -1, .kind = REC_LOG, .type = SLICE("LogRecord")};
    buf_init(&b, 2000);
    CHECK(rec_json_event(&b, &r, NULL));
    CHECK_SLICE("{\"ts\":1,\"time\":\"1970-01-01T00:00:00.000000001Z\",\"ingest_ts\":-1,\"kind\":"
                "\"log\",\"type\":\"LogRecord\",\"id\":\"00000000000000000000000000000000\","
                "\"context\":{},\"payload\":{}}",
                buf_slice(&b));
    buf_clear(&b);
    r.context = &c, r.payload = &pod, r.payload_len = 1, r.kind = 99, r.n = 3;
    r.flags = REC_FLAG_REPAIRED | 1u << 30, r.causes = &ref, r.causes_len = 1;
    r.trace_id[0] = 0xab, r.span_id[7] = 1;
    CHECK(rec_json_event(&b, &r, &ref));
    CHECK_HAS(",\"kind\":99,", buf_cstr(&b));
    CHECK_HAS(",\"ref\":\"00010000000000000000000000000002\",\"trace_id\":"
              "\"ab000000000000000000000000000000\",\"span_id\":\"0000000000000001\",\"n\":3,"
              "\"flags\":[\"repaired\",\"bit30\"],\"causes\":["
              "\"00010000000000000000000000000002\"],\"context\":{\"k8s.pod.name\":\"p\"},"
              "\"payload\":{\"k8s.pod.name\":\"p\"}}",
              buf_cstr(&b));
    buf_done(&b);
}

TEST(rec_json_times_are_golden)
{
    static const struct {
        int64_t ns;
        const char *want;
    } cases[] = {
        {0, "\"1970-01-01T00:00:00.000000000Z\""},
        {-1, "\"1969-12-31T23:59:59.999999999Z\""},
        {-1000000000, "\"1969-12-31T23:59:59.000000000Z\""},
        {951827696789000001, "\"2000-02-29T12:34:56.789000001Z\""},
        {INT64_MAX, "\"2262-04-11T23:47:16.854775807Z\""},
        {INT64_MIN, "\"1677-09-21T00:12:43.145224192Z\""},
    };
    struct buf b;
    buf_init(&b, 100);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        buf_clear(&b);
        CHECK(rec_json_time(&b, cases[i].ns));
        CHECK_STR(cases[i].want, buf_cstr(&b));
    }
    buf_done(&b);
}

/* What jansson reads back is what went in, for everything JSON can say. */
static bool reads_back(const json_t *j, struct val v)
{
    char bytes[64];
    size_t i;
    json_t *item;
    switch (v.tag) {
    case VAL_NULL: return json_is_null(j);
    case VAL_BOOL: return json_is_boolean(j) && json_is_true(j) == v.b;
    case VAL_INT: return json_is_integer(j) && json_integer_value(j) == v.i;
    case VAL_DOUBLE:
        return isfinite(v.d) ? json_is_real(j) && json_real_value(j) == v.d : json_is_string(j);
    case VAL_STRING:
        return json_is_string(j) &&
               slice_eq(val_slice(v), slice_of(json_string_value(j), json_string_length(j)));
    case VAL_BYTES:
        return text_get_base64(slice_str(json_string_value(j)), bytes, sizeof bytes) == v.len &&
               memcmp(bytes, v.str, v.len) == 0;
    case VAL_LIST:
        json_array_foreach(j, i, item)
        {
            if (i >= v.len || !reads_back(item, v.list[i])) {
                return false;
            }
        }
        return json_array_size(j) == v.len;
    default:
        for (i = 0; i < v.len; i++) {
            item = json_object_getn(j, v.map[i].key, v.map[i].key_len);
            if (item == NULL || !reads_back(item, v.map[i].value)) {
                return false;
            }
        }
        return json_object_size(j) == v.len;
    }
}

TEST(rec_json_is_json)
{
    struct arena *a = arena_new(NULL, "t", 64 * MIB);
    struct gen g;
    struct buf b;
    gen_init(&g, 8, a);
    g.no_nul = true; /* jansson takes no NUL in keys */
    buf_init(&b, MIB);
    for (int i = 0; i < 500; i++) {
        struct rec r;
        gen_rec(&g, gen_context(&g), &r);
        buf_clear(&b);
        CHECK(rec_json_event(&b, &r, NULL));
        CHECK(slice_find(buf_slice(&b), '\n') == b.len);
        json_error_t error;
        json_t *j = json_loadb(b.ptr, b.len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &error);
        if (j == NULL) {
            test_fail(__FILE__, __LINE__, "%s: %.*s", error.text, (int)b.len, b.ptr);
        }
        CHECK(reads_back(json_object_get(j, "payload"), val_map(r.payload, r.payload_len)));
        CHECK_EQ(r.ts, json_integer_value(json_object_get(j, "ts")));
        json_decref(j);
    }
    size_t full = b.len;
    buf_done(&b);
    struct rec r;
    gen_rec(&g, gen_context(&g), &r);
    for (size_t max = 1; max < MIN(full, (size_t)200); max++) {
        buf_init(&b, max);
        CHECK(!rec_json_event(&b, &r, NULL));
        buf_done(&b);
    }
    arena_free(a);
}
