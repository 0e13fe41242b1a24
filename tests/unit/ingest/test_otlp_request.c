/* SPDX-License-Identifier: Apache-2.0
 *
 * Whole requests: what is undecodable and leaves no trace, limits, the sink's refusals, ids of
 * equal items, resources and scopes, memory in steady state.
 */
#include "core/base/mem.h"
#include "ingest/otlp_json.h"
#include "tests/test.h"
#include "tests/unit/ingest/otlp_util.h"

enum { MIB = 1024 * 1024 };

#define LOGS(records) "{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":[" records "]}]}]}"
#define TEXT(text)    "{\"timeUnixNano\":1,\"body\":{\"stringValue\":\"" text "\"}}"

/* A request with something of everything, as protobuf. */
static void put_logs(struct buf *b)
{
    static const char json[] =
        "{\"resourceLogs\":[{\"resource\":{\"attributes\":[{\"key\":\"a\",\"value\":{"
        "\"kvlistValue\":"
        "{\"values\":[{\"key\":\"b\",\"value\":{\"arrayValue\":{\"values\":[{\"intValue\":300},"
        "{\"doubleValue\":1.5}]}}}]}}}]},\"scopeLogs\":[{\"scope\":{\"name\":\"s\"},\"logRecords\":"
        "[" TEXT("one") "," TEXT("two") "]}],\"schemaUrl\":\"u\"}]}";
    struct arena *a = arena_new(NULL, "t", MIB);
    struct err err;
    CHECK_OK(otlp_json(OTLP_MSG_LOGS, slice_str(json), a, b, &err), err);
    arena_free(a);
}

TEST(otlp_request_empty_is_well_and_has_nothing)
{
    struct otlp_rig *r = otlp_rig_new();
    CHECK_OK(otlp_rig_run(r, OTLP_TRACES, OTLP_PROTOBUF, SLICE("")), r->err);
    CHECK_EQ(0, r->result.items);
    CHECK(!otlp_partial(&r->result));
    CHECK_OK(otlp_rig_run(r, OTLP_TRACES, OTLP_PROTOBUF, SLICE_NONE), r->err);
    CHECK_OK(otlp_rig_run(r, OTLP_METRICS, OTLP_JSON, SLICE("{}")), r->err);
    CHECK_OK(otlp_rig_run(r, OTLP_LOGS, OTLP_JSON, SLICE(" {\"resourceLogs\":[]} ")), r->err);
    CHECK_EQ(0, r->result.items);
    otlp_rig_free(r);
}

TEST(otlp_request_cut_anywhere_is_refused_whole_or_well)
{
    struct otlp_rig *r = otlp_rig_new();
    struct buf b;
    buf_init(&b, MIB);
    put_logs(&b);
    for (size_t n = 1; n < b.len; n++) {
        /* The outermost length covers everything: every cut is seen. */
        CHECK_EQ(-ERR_TRUNCATED,
                 otlp_rig_run(r, OTLP_LOGS, OTLP_PROTOBUF, slice_sub(buf_slice(&b), 0, n)));
        CHECK_EQ(0, r->events);
        CHECK_EQ(0, r->rejected);
    }
    buf_done(&b);
    otlp_rig_free(r);
}

TEST(otlp_request_mutated_is_refused_without_trace_or_mapped_whole)
{
    struct otlp_rig *r = otlp_rig_new();
    struct buf b;
    uint64_t seed = 7, refused = 0, taken = 0;
    buf_init(&b, MIB);
    put_logs(&b);
    for (int round = 0; round < 20000; round++) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        size_t at = (size_t)(seed >> 33) % b.len;
        char old = b.ptr[at];
        b.ptr[at] = (char)(seed >> 20);
        if (otlp_rig_run(r, OTLP_LOGS, OTLP_PROTOBUF, buf_slice(&b)) != 0) {
            CHECK_EQ(0, r->events + r->rejected);
            refused++;
        } else {
            CHECK_EQ(r->events, r->result.events);
            CHECK_EQ(r->rejected, r->result.rejected);
            CHECK(r->result.events >= r->result.items - r->result.rejected);
            taken++;
        }
        b.ptr[at] = old;
    }
    CHECK(refused > 1000 && taken > 1000);
    buf_done(&b);
    otlp_rig_free(r);
}

TEST(otlp_request_undecodable_says_why)
{
    static const struct {
        const char *body;
        enum err_code code;
        const char *why;
    } rows[] = {
        {"", ERR_TRUNCATED, ""},
        {"[]", ERR_TYPE, "expected the object of a request"},
        {"{\"resourceLogs\":{}}", ERR_TYPE, "expected an array, at line 1 column 18"},
        {"{\"resourceLogs\":[1]}", ERR_TYPE, "expected an object"},
        {"{\"resourceLogs\":[", ERR_TRUNCATED, "ends too early"},
        {"{\"resourceLogs\":[]}x", ERR_SYNTAX, "behind the value"},
        {LOGS("{\"timeUnixNano\":\"soon\"}"), ERR_TYPE, "from 0 up"},
        {LOGS("{\"timeUnixNano\":-1}"), ERR_RANGE, "from 0 up"},
        {LOGS("{\"timeUnixNano\":true}"), ERR_TYPE, "expected an integer"},
        {LOGS("{\"severityNumber\":\"SEVERITY_NUMBER_INFO\"}"), ERR_TYPE, "expected an integer"},
        {LOGS("{\"severityNumber\":1.5}"), ERR_TYPE, "not a fraction"},
        {LOGS("{\"flags\":4294967296}"), ERR_RANGE, "below 2^32"},
        {LOGS("{\"severityText\":1}"), ERR_TYPE, "expected a string"},
        {LOGS("{\"body\":{\"bytesValue\":\"*\"}}"), ERR_TYPE, "base64"},
        {LOGS("{\"body\":{\"boolValue\":\"true\"}}"), ERR_TYPE, "true or false"},
        {LOGS("{\"body\":{\"doubleValue\":\"x\"}}"), ERR_TYPE, "expected a number"},
        {LOGS("{\"body\":{\"intValue\":9223372036854775808}}"), ERR_RANGE, "above 2^63-1"},
        {LOGS("{\"body\":{\"intValue\":\"9223372036854775808\"}}"), ERR_TYPE, "an integer"},
    };
    struct otlp_rig *r = otlp_rig_new();
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CHECK_EQ(-(int)rows[i].code,
                 otlp_rig_run(r, OTLP_LOGS, OTLP_JSON, slice_str(rows[i].body)));
        CHECK_HAS(rows[i].why, r->err.msg);
        CHECK_EQ(0, r->events + r->rejected);
    }
    otlp_rig_free(r);
}

TEST(otlp_request_json_spellings_that_are_accepted)
{
    static const struct {
        const char *record, *want;
    } rows[] = {
        {"{\"timeUnixNano\":1e3}", "LogRecord 1000 "},
        {"{\"timeUnixNano\":7.0}", "LogRecord 7 "},
        {"{\"timeUnixNano\":7,\"time_unix_nano\":9}", "LogRecord 7 "},
        {"{\"timeUnixNano\":7,\"timeUnixNano\":null}", "LogRecord 7 "},
        {"{\"timeUnixNano\":7,\"timeUnixNano\":8}", "LogRecord 8 "},
        {"{\"attributes\":null,\"timeUnixNano\":\"7\"}", "LogRecord 7 "},
        {"{\"body\":{\"doubleValue\":\"NaN\"}}", "\"body\":\"NaN\""},
        {"{\"body\":{\"doubleValue\":\"-Infinity\"}}", "\"body\":\"-Infinity\""},
        {"{\"body\":{\"doubleValue\":\"1.25\"}}", "\"body\":1.25"},
        {"{\"body\":{\"doubleValue\":3}}", "\"body\":3.0"},
        {"{\"body\":{\"intValue\":-9223372036854775808}}", "\"body\":-9223372036854775808"},
        {"{\"body\":{\"bytesValue\":\"\"}}", "\"body\":\"\""},
        {"{\"body\":{\"bytesValue\":\"-_8\"}}", "\"body\":\"+/8=\""},
        {"{\"body\":{\"stringValue\":\"a\\u00e9\\n\\ud83d\\ude00\"}}",
         "\"body\":\"a\xc3\xa9\\n\xf0\x9f\x98\x80\""},
    };
    struct otlp_rig *r = otlp_rig_new();
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct buf b;
        buf_init(&b, MIB);
        buf_addf(&b, LOGS("%s"), rows[i].record);
        CHECK_OK(otlp_rig_run(r, OTLP_LOGS, OTLP_JSON, buf_slice(&b)), r->err);
        CHECK_HAS(rows[i].want, buf_cstr(&r->text));
        buf_done(&b);
    }
    otlp_rig_free(r);
}

/* A log whose body is nested so many lists deep. */
static void put_deep(struct buf *b, unsigned levels)
{
    buf_add_str(b, "{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":[{\"body\":");
    for (unsigned i = 0; i < levels; i++) {
        buf_add_str(b, "{\"arrayValue\":{\"values\":[");
    }
    buf_add_str(b, "{\"intValue\":1}");
    for (unsigned i = 0; i < levels; i++) {
        buf_add_str(b, "]}}");
    }
    buf_add_str(b, "},{}]}]}]}");
}

TEST(otlp_request_nesting_rejects_the_item_then_the_request)
{
    struct otlp_rig *r = otlp_rig_new();
    for (unsigned levels = 20; levels < 200; levels++) {
        struct buf b;
        buf_init(&b, MIB);
        put_deep(&b, levels);
        int rc = otlp_rig_run(r, OTLP_LOGS, OTLP_JSON, buf_slice(&b));
        if (levels <= 24) {
            CHECK_EQ(0, rc);
            CHECK_EQ(2, r->result.events);
        } else if (levels <= 47) {
            CHECK_EQ(0, rc);
            CHECK_EQ(1, r->result.events);
            CHECK_EQ(1, r->result.reasons[OTLP_REASON_DEPTH]);
        } else {
            CHECK_EQ(-ERR_CORRUPT, rc);
            CHECK_EQ(0, r->events);
        }
        buf_done(&b);
    }
    otlp_rig_free(r);
}

TEST(otlp_request_resource_that_cannot_be_taken_rejects_its_items_only)
{
    struct otlp_rig *r = otlp_rig_new();
    struct buf b;
    buf_init(&b, 8 * MIB);
    buf_add_str(&b, "{\"resourceLogs\":[{\"resource\":{\"attributes\":[");
    for (int i = 0; i < 5000; i++) {
        buf_addf(&b, "%s{\"key\":\"k%d\"}", i > 0 ? "," : "", i);
    }
    buf_add_str(&b, "]},\"scopeLogs\":[{\"logRecords\":[{},{}]},{\"logRecords\":[{}]}]},"
                    "{\"scopeLogs\":[{\"logRecords\":[{}]}]}]}");
    CHECK_OK(otlp_rig_run(r, OTLP_LOGS, OTLP_JSON, buf_slice(&b)), r->err);
    CHECK_EQ(4, r->result.items);
    CHECK_EQ(3, r->result.reasons[OTLP_REASON_TOO_BIG]);
    CHECK_EQ(1, r->result.events);
    buf_done(&b);
    otlp_rig_free(r);
}

TEST(otlp_request_limits_of_items_and_bytes)
{
    struct otlp_limits limits = {.items = 2, .transcoded_max = 4096};
    struct otlp_map *m = otlp_map_new(limits);
    struct otlp_rig *r = otlp_rig_new();
    struct otlp_map *own = r->map;
    struct buf b;
    r->map = m;
    CHECK_OK(otlp_rig_run(r, OTLP_LOGS, OTLP_JSON, slice_str(LOGS("{},{}"))), r->err);
    CHECK_EQ(-ERR_LIMIT, otlp_rig_run(r, OTLP_LOGS, OTLP_JSON, slice_str(LOGS("{},{},{}"))));
    CHECK_EQ(0, r->events);
    buf_init(&b, MIB);
    buf_add_str(&b, "{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":[{\"severityText\":\"");
    for (int i = 0; i < 5000; i++) {
        buf_add_byte(&b, 'x');
    }
    buf_add_str(&b, "\"}]}]}]}");
    CHECK_EQ(-ERR_TOO_BIG, otlp_rig_run(r, OTLP_LOGS, OTLP_JSON, buf_slice(&b)));
    buf_done(&b);
    r->map = own;
    otlp_map_free(m);
    otlp_rig_free(r);
}

TEST(otlp_request_sink_refusals)
{
    struct otlp_rig *r = otlp_rig_new();
    r->fail_after = 1;
    r->fail_with = -ERR_TOO_BIG;
    CHECK_OK(otlp_rig_run(r, OTLP_LOGS, OTLP_JSON, slice_str(LOGS("{},{},{}"))), r->err);
    CHECK_EQ(1, r->result.events);
    CHECK_EQ(2, r->result.rejected);
    CHECK_EQ(2, r->result.reasons[OTLP_REASON_TOO_BIG]);
    r->fail_with = -ERR_AGAIN;
    CHECK_EQ(-ERR_AGAIN, otlp_rig_run(r, OTLP_LOGS, OTLP_JSON, slice_str(LOGS("{},{},{}"))));
    CHECK_EQ(1, r->events);
    CHECK_EQ(0, r->rejected);
    CHECK_EQ(0, r->result.items); /* untouched */
    /* What stands beside an item is lost without it. */
    r->fail_with = -ERR_TOO_BIG;
    CHECK_OK(
        otlp_rig_run(r, OTLP_LOGS, OTLP_JSON, slice_str(LOGS("{\"eventName\":\"exception\"}"))),
        r->err);
    CHECK_EQ(0, r->result.rejected);
    CHECK_EQ(1, r->result.notices[OTLP_NOTICE_EXTRA_LOST]);
    otlp_rig_free(r);
}

TEST(otlp_request_ids_repeat_with_the_request_and_differ_within)
{
    static const char body[] =
        LOGS(TEXT("same") "," TEXT("same") "," TEXT("same") "," TEXT("other"));
    struct otlp_rig *r = otlp_rig_new();
    struct buf ids;
    buf_init(&ids, MIB);
    CHECK_OK(otlp_rig_run(r, OTLP_LOGS, OTLP_JSON, slice_str(body)), r->err);
    CHECK_EQ(64, r->ids.len);
    for (int i = 0; i < 4; i++) {
        for (int j = 0; j < i; j++) {
            CHECK(memcmp(r->ids.ptr + 16 * i, r->ids.ptr + 16 * j, 16) != 0);
        }
    }
    buf_add_slice(&ids, buf_slice(&r->ids));
    CHECK_OK(otlp_rig_run(r, OTLP_LOGS, OTLP_JSON, slice_str(body)), r->err);
    CHECK(slice_eq(buf_slice(&ids), buf_slice(&r->ids)));
    buf_done(&ids);
    otlp_rig_free(r);
}

TEST(otlp_request_scopes_and_resources_have_contexts_of_their_own)
{
    static const char body[] =
        "{\"resourceLogs\":[{\"scopeLogs\":[{\"scope\":{\"name\":\"a\"},\"logRecords\":[{}]},"
        "{\"scope\":{\"name\":\"b\"},\"logRecords\":[{}]}],\"resource\":{\"attributes\":[{\"key\":"
        "\"service.name\",\"value\":{\"stringValue\":\"x\"}}]}},{\"scopeLogs\":[{\"logRecords\":"
        "[{}]}]}]}";
    static const char *const want[] = {
        "context{\"kaiju.tenant\":\"acme\",\"otel.scope.name\":\"a\",\"service.name\":\"x\"}",
        "context{\"kaiju.tenant\":\"acme\",\"otel.scope.name\":\"b\",\"service.name\":\"x\"}",
        "context{\"kaiju.tenant\":\"acme\"}"};
    struct otlp_rig *r = otlp_rig_new();
    CHECK_OK(otlp_rig_run(r, OTLP_LOGS, OTLP_JSON, slice_str(body)), r->err);
    for (size_t i = 0; i < ARRAY_LEN(want); i++) {
        struct buf line;
        buf_init(&line, MIB);
        buf_add_slice(&line, otlp_rig_line(r, i));
        CHECK_HAS(want[i], buf_cstr(&line));
        buf_done(&line);
    }
    otlp_rig_free(r);
}

TEST(otlp_request_unknown_fields_are_skipped_and_old_scopes_noticed)
{
    struct otlp_rig *r = otlp_rig_new();
    struct buf b;
    buf_init(&b, MIB);
    size_t rl = pbwrite_open(&b, 1);
    pbwrite_string(&b, 1000, SLICE("what was before scopes"));
    size_t sl = pbwrite_open(&b, 2), scope = pbwrite_open(&b, 1);
    pbwrite_varint(&b, 5, 5);
    pbwrite_varint(&b, 4, 0);
    pbwrite_close(&b, scope);
    size_t log = pbwrite_open(&b, 2);
    pbwrite_varint(&b, 1, 5);           /* a known field of another wire type */
    pbwrite_string(&b, 99, SLICE("?")); /* an unknown one */
    pbwrite_fixed32(&b, 200, 1);
    pbwrite_close(&b, log);
    pbwrite_close(&b, sl);
    pbwrite_close(&b, rl);
    pbwrite_varint(&b, 7, 7);
    CHECK_OK(otlp_rig_run(r, OTLP_LOGS, OTLP_PROTOBUF, buf_slice(&b)), r->err);
    CHECK_EQ(1, r->result.events);
    CHECK_EQ(1, r->result.notices[OTLP_NOTICE_OLD_SCOPES]);
    CHECK_EQ(1, r->result.notices[OTLP_NOTICE_NO_TIME]);
    CHECK_HAS("context{\"kaiju.tenant\":\"acme\"} ", buf_cstr(&r->text));
    buf_done(&b);
    otlp_rig_free(r);
}

static int count(void *arg, enum bus_topic_id topic, struct slice key, const struct rec *r,
                 struct err *reterr)
{
    (void)topic, (void)key, (void)r, (void)reterr;
    ++*(uint64_t *)arg;
    return 0;
}

/* Every limit of every base type refused once: an error without trace, or rejected items. */
TEST(otlp_request_refused_limits_end_cleanly)
{
    static const char json[] =
        LOGS(TEXT("a\\nb") "," TEXT("a\\nb") ",{\"body\":{\"arrayValue\":{"
                                             "\"values\":[{\"intValue\":1}]}}}");
    struct buf b;
    uint64_t refused = 0, whole = 0;
    buf_init(&b, MIB);
    put_logs(&b);
    for (uint64_t n = 1; n < 60; n++) {
        for (int form = OTLP_PROTOBUF; form <= OTLP_JSON; form++) {
            struct arena *a = arena_new(NULL, "t", MIB);
            struct otlp_map *m = otlp_map_new(OTLP_LIMITS);
            uint64_t events = 0;
            struct otlp_sink sink = {.arg = &events, .event = count};
            struct otlp_request q = {
                .signal = OTLP_LOGS, .form = (enum otlp_form)form, .ingest_ts = 1, .arena = a};
            struct otlp_result result = {0};
            struct err err;
            q.body = form == OTLP_JSON ? slice_str(json) : buf_slice(&b);
            mem_refuse_at(n);
            int rc = otlp_map(m, &q, &sink, &result, &err);
            mem_refuse_at(0);
            if (rc != 0) {
                CHECK_EQ(0, events);
            } else {
                CHECK_EQ(events, result.events);
                CHECK_EQ(result.items, result.events + result.rejected);
            }
            refused += rc != 0 || result.rejected > 0;
            whole += rc == 0 && result.rejected == 0;
            otlp_map_free(m);
            arena_free(a);
        }
    }
    CHECK(refused > 5 && whole > 5);
    buf_done(&b);
}
