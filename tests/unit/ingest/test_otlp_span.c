/* SPDX-License-Identifier: Apache-2.0
 *
 * Spans: every field in both forms, exceptions, rejects, ids, keys, times.
 */
#include "tests/test.h"
#include "tests/unit/ingest/otlp_util.h"

enum { MIB = 1024 * 1024 };

static const uint8_t TRACE[16] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
static const uint8_t SPAN[8] = {0xa1, 2, 3, 4, 5, 6, 7, 8};
static const uint8_t PARENT[8] = {0xb1, 2, 3, 4, 5, 6, 7, 8};

static void put_span(struct buf *b)
{
    size_t span = pbwrite_open(b, 2);
    pbwrite_string(b, 1, slice_of(TRACE, 16));
    pbwrite_string(b, 2, slice_of(SPAN, 8));
    pbwrite_string(b, 3, SLICE("k=v"));
    pbwrite_string(b, 4, slice_of(PARENT, 8));
    pbwrite_fixed32(b, 16, 0x101);
    pbwrite_string(b, 5, SLICE("GET /cart"));
    pbwrite_varint(b, 6, 2);
    pbwrite_fixed64(b, 7, 1786999999000000001);
    pbwrite_fixed64(b, 8, 1786999999000000501);
    otlp_put_text(b, 9, "http.route", "/cart");
    otlp_put_int(b, 9, "http.response.status_code", 500);
    otlp_put_text(b, 9, "name", "not the span's");
    pbwrite_varint(b, 10, 1);
    size_t event = pbwrite_open(b, 11);
    pbwrite_fixed64(b, 1, 1786999999000000100);
    pbwrite_string(b, 2, SLICE("cache miss"));
    otlp_put_text(b, 3, "key", "k1");
    pbwrite_varint(b, 4, 3);
    pbwrite_close(b, event);
    event = pbwrite_open(b, 11);
    pbwrite_fixed64(b, 1, 1786999999000000200);
    pbwrite_string(b, 2, SLICE("exception"));
    otlp_put_text(b, 3, "exception.type", "IOError");
    otlp_put_text(b, 3, "exception.message", "broken");
    otlp_put_text(b, 3, "exception.stacktrace", "at main");
    otlp_put_text(b, 3, "exception.escaped", "True");
    otlp_put_text(b, 3, "more", "x");
    pbwrite_close(b, event);
    pbwrite_varint(b, 12, 4);
    size_t link = pbwrite_open(b, 13);
    pbwrite_string(b, 1, slice_of(TRACE, 16));
    pbwrite_string(b, 2, slice_of(PARENT, 8));
    pbwrite_string(b, 3, SLICE("a=b"));
    otlp_put_int(b, 4, "n", 7);
    pbwrite_varint(b, 5, 2);
    pbwrite_fixed32(b, 6, 1);
    pbwrite_close(b, link);
    pbwrite_varint(b, 14, 5);
    size_t status = pbwrite_open(b, 15);
    pbwrite_string(b, 2, SLICE("it broke"));
    pbwrite_varint(b, 3, 2);
    pbwrite_close(b, status);
    pbwrite_close(b, span);
}

static void put_request(struct buf *b)
{
    size_t rs = pbwrite_open(b, 1);
    size_t resource = pbwrite_open(b, 1);
    otlp_put_text(b, 1, "service.name", "cart");
    otlp_put_text(b, 1, "pod", "cart-0");
    otlp_put_text(b, 1, "namespace", "shop");
    otlp_put_text(b, 1, "kaiju.tenant", "intruder");
    pbwrite_varint(b, 2, 6);
    pbwrite_close(b, resource);
    size_t ss = pbwrite_open(b, 2);
    size_t scope = pbwrite_open(b, 1);
    pbwrite_string(b, 1, SLICE("lib"));
    pbwrite_string(b, 2, SLICE("1.2"));
    otlp_put_text(b, 3, "extra", "e");
    pbwrite_varint(b, 4, 8);
    pbwrite_close(b, scope);
    put_span(b);
    pbwrite_string(b, 3, SLICE("https://scope"));
    pbwrite_close(b, ss);
    pbwrite_string(b, 3, SLICE("https://resource"));
    pbwrite_close(b, rs);
}

/* The same with other orders of fields, spellings of numbers, and unknown fields. */
static const char JSON[] =
    "{\"unknown\":{\"a\":[1,{}]},\"resourceSpans\":[{\"schemaUrl\":\"https://resource\","
    "\"scopeSpans\":[{\"spans\":[{\"traceId\":\"0102030405060708090A0B0C0D0E0F10\","
    "\"spanId\":\"a102030405060708\",\"traceState\":\"k=v\",\"parentSpanId\":\"b102030405060708\","
    "\"flags\":257,\"name\":\"GET /cart\",\"kind\":2,\"startTimeUnixNano\":\"1786999999000000001\","
    "\"endTimeUnixNano\":1786999999000000501,\"attributes\":["
    "{\"key\":\"http.route\",\"value\":{\"stringValue\":\"\\u002fcart\"}},"
    "{\"key\":\"http.response.status_code\",\"value\":{\"intValue\":\"500\"}},"
    "{\"key\":\"name\",\"value\":{\"stringValue\":\"not the span's\"}}],"
    "\"droppedAttributesCount\":1,\"events\":["
    "{\"timeUnixNano\":\"1786999999000000100\",\"name\":\"cache miss\",\"attributes\":["
    "{\"key\":\"key\",\"value\":{\"stringValue\":\"k1\"}}],\"droppedAttributesCount\":3},"
    "{\"timeUnixNano\":\"1786999999000000200\",\"name\":\"exception\",\"attributes\":["
    "{\"key\":\"exception.type\",\"value\":{\"stringValue\":\"IOError\"}},"
    "{\"key\":\"exception.message\",\"value\":{\"stringValue\":\"broken\"}},"
    "{\"key\":\"exception.stacktrace\",\"value\":{\"stringValue\":\"at main\"}},"
    "{\"key\":\"exception.escaped\",\"value\":{\"stringValue\":\"True\"}},"
    "{\"key\":\"more\",\"value\":{\"stringValue\":\"x\"}}]}],\"droppedEventsCount\":\"4\","
    "\"links\":[{\"traceId\":\"0102030405060708090a0b0c0d0e0f10\",\"spanId\":"
    "\"B102030405060708\",\"traceState\":\"a=b\",\"attributes\":[{\"key\":\"n\",\"value\":"
    "{\"intValue\":7}}],\"droppedAttributesCount\":2,\"flags\":1}],\"droppedLinksCount\":5,"
    "\"status\":{\"message\":\"it broke\",\"code\":2},\"parent_span_id\":\"ignored\"}],"
    "\"scope\":{\"name\":\"lib\",\"version\":\"1.2\",\"attributes\":[{\"key\":\"extra\","
    "\"value\":{\"stringValue\":\"e\"}}],\"droppedAttributesCount\":8},"
    "\"schemaUrl\":\"https://scope\"}],\"resource\":{\"attributes\":["
    "{\"key\":\"service.name\",\"value\":{\"stringValue\":\"cart\"}},"
    "{\"key\":\"pod\",\"value\":{\"stringValue\":\"cart-0\"}},"
    "{\"key\":\"namespace\",\"value\":{\"stringValue\":\"shop\"}},"
    "{\"key\":\"kaiju.tenant\",\"value\":{\"stringValue\":\"intruder\"}}],"
    "\"droppedAttributesCount\":6}}]}";

#define CONTEXT                                                                                    \
    "context{\"k8s.namespace.name\":\"shop\",\"k8s.pod.name\":\"cart-0\",\"kaiju.tenant\":"        \
    "\"acme\",\"otel.resource.dropped_attributes_count\":6,\"otel.resource.schema_url\":"          \
    "\"https://resource\",\"otel.scope.dropped_attributes_count\":8,\"otel.scope.extra\":\"e\","   \
    "\"otel.scope.name\":\"lib\",\"otel.scope.schema_url\":\"https://scope\","                     \
    "\"otel.scope.version\":\"1.2\",\"service.name\":\"cart\"} "

static const char SPAN_LINE[] =
    "spans Span 1786999999000000001 0102030405060708090a0b0c0d0e0f10/a102030405060708 "
    "flags=0 " CONTEXT
    "payload{\"attributes.name\":\"not the span's\",\"dropped_attributes_count\":1,"
    "\"dropped_events_count\":4,\"dropped_links_count\":5,\"duration_ns\":500,\"events\":["
    "{\"attributes\":{\"key\":\"k1\"},\"dropped_attributes_count\":3,\"name\":\"cache miss\","
    "\"timestamp_ns\":1786999999000000100},{\"attributes\":{\"exception.escaped\":\"True\","
    "\"exception.message\":\"broken\",\"exception.stacktrace\":\"at main\","
    "\"exception.type\":\"IOError\",\"more\":\"x\"},\"name\":\"exception\","
    "\"timestamp_ns\":1786999999000000200}],\"flags\":257,\"http.response.status_code\":500,"
    "\"http.route\":\"/cart\",\"kind\":\"server\",\"links\":[{\"attributes\":{\"n\":7},"
    "\"dropped_attributes_count\":2,\"flags\":1,\"span_id\":\"b102030405060708\","
    "\"trace_id\":\"0102030405060708090a0b0c0d0e0f10\",\"trace_state\":\"a=b\"}],"
    "\"name\":\"GET /cart\",\"parent_span_id\":\"b102030405060708\",\"status_code\":\"error\","
    "\"status_message\":\"it broke\",\"trace_state\":\"k=v\"}";
static const char EXCEPTION_LINE[] =
    "logs ExceptionEvent 1786999999000000200 0102030405060708090a0b0c0d0e0f10/a102030405060708 "
    "flags=0 " CONTEXT
    "payload{\"escaped\":true,\"exception_message\":\"broken\",\"exception_stacktrace\":"
    "\"at main\",\"exception_type\":\"IOError\",\"more\":\"x\"}";

TEST(otlp_span_every_field_in_both_forms)
{
    struct otlp_rig *r = otlp_rig_new();
    struct buf b, batch;
    buf_init(&b, MIB);
    buf_init(&batch, MIB);
    put_request(&b);
    CHECK_OK(otlp_rig_run(r, OTLP_TRACES, OTLP_PROTOBUF, buf_slice(&b)), r->err);
    CHECK_EQ(1, r->result.items);
    CHECK_EQ(2, r->result.events);
    CHECK_EQ(0, r->result.rejected);
    CHECK_SLICE(SPAN_LINE, otlp_rig_line(r, 0));
    CHECK_SLICE(EXCEPTION_LINE, otlp_rig_line(r, 1));
    buf_add_slice(&batch, buf_slice(&r->batch));
    CHECK_OK(otlp_rig_run(r, OTLP_TRACES, OTLP_JSON, slice_str(JSON)), r->err);
    CHECK_SLICE(SPAN_LINE, otlp_rig_line(r, 0));
    CHECK(slice_eq(buf_slice(&batch), buf_slice(&r->batch)));
    buf_done(&b);
    buf_done(&batch);
    otlp_rig_free(r);
}

TEST(otlp_span_is_keyed_by_trace_and_its_exception_by_subject)
{
    struct otlp_rig *r = otlp_rig_new();
    CHECK_OK(otlp_rig_run(r, OTLP_TRACES, OTLP_JSON, slice_str(JSON)), r->err);
    /* kind of subject, then tenant "acme", then the trace id; or cluster null, "shop", "cart-0". */
    CHECK_SLICE("05040461636d6505100102030405060708090a0b0c0d0e0f10\n"
                "01040461636d6500040473686f700406636172742d30\n",
                buf_slice(&r->keys));
    struct id id = id_of_span(TRACE, SPAN, 2);
    CHECK(memcmp(id.bytes, r->ids.ptr, 16) == 0);
    otlp_rig_free(r);
}

#define ONE_SPAN(fields) "{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{" fields "}]}]}]}"
#define IDS              "\"traceId\":\"0102030405060708090A0B0C0D0E0F10\",\"spanId\":\"a102030405060708\""

TEST(otlp_span_rejects_by_reason_and_takes_the_rest)
{
    static const struct {
        const char *span;
        enum otlp_reason reason;
    } rows[] = {
        {"\"traceId\":\"\",\"spanId\":\"a102030405060708\"", OTLP_REASON_TRACE_ID},
        {"\"spanId\":\"a102030405060708\"", OTLP_REASON_TRACE_ID},
        {"\"traceId\":\"00000000000000000000000000000000\",\"spanId\":\"a102030405060708\"",
         OTLP_REASON_TRACE_ID},
        {"\"traceId\":\"0102030405060708090A0B0C0D0E0F\",\"spanId\":\"a102030405060708\"",
         OTLP_REASON_TRACE_ID},
        {"\"traceId\":\"0102030405060708090A0B0C0D0E0F1011\",\"spanId\":\"a102030405060708\"",
         OTLP_REASON_TRACE_ID},
        {"\"traceId\":\"ABEiM0RVZneImaq7zN3u/w==\",\"spanId\":\"a102030405060708\"",
         OTLP_REASON_TRACE_ID},
        {"\"traceId\":\"0102030405060708090A0B0C0D0E0F10\",\"spanId\":\"a1020304050607\"",
         OTLP_REASON_SPAN_ID},
        {"\"traceId\":\"0102030405060708090A0B0C0D0E0F10\",\"spanId\":\"0000000000000000\"",
         OTLP_REASON_SPAN_ID},
        {"\"traceId\":\"0102030405060708090A0B0C0D0E0F10\"", OTLP_REASON_SPAN_ID},
        {IDS ",\"parentSpanId\":\"0102\"", OTLP_REASON_PARENT_ID},
    };
    struct otlp_rig *r = otlp_rig_new();
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct buf b;
        buf_init(&b, MIB);
        buf_addf(&b,
                 "{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{" IDS
                 ",\"name\":\"good\"},{%s},{" IDS "}]}]}]}",
                 rows[i].span);
        CHECK_OK(otlp_rig_run(r, OTLP_TRACES, OTLP_JSON, buf_slice(&b)), r->err);
        CHECK_EQ(3, r->result.items);
        CHECK_EQ(1, r->result.rejected);
        CHECK_EQ(1, r->result.reasons[rows[i].reason]);
        CHECK_EQ(2, r->result.events);
        CHECK_EQ(1, r->rejected);
        CHECK(otlp_partial(&r->result));
        buf_done(&b);
    }
    otlp_rig_free(r);
}

TEST(otlp_span_leaves_out_what_is_absent)
{
    struct otlp_rig *r = otlp_rig_new();
    CHECK_OK(otlp_rig_run(r, OTLP_TRACES, OTLP_JSON,
                          SLICE(ONE_SPAN(IDS ",\"parentSpanId\":\"0000000000000000\","
                                             "\"startTimeUnixNano\":5,\"kind\":77"))),
             r->err);
    CHECK_SLICE("spans Span 5 0102030405060708090a0b0c0d0e0f10/a102030405060708 flags=0 "
                "context{\"kaiju.tenant\":\"acme\"} "
                "payload{\"kind\":\"unspecified\",\"name\":\"\",\"status_code\":\"unset\"}",
                otlp_rig_line(r, 0));
    otlp_rig_free(r);
}

TEST(otlp_span_times_absent_future_and_beyond_all_bounds)
{
    static const struct {
        const char *start, *want;
        enum otlp_notice notice;
    } rows[] = {
        {"0", " 1787000000000000000 ", OTLP_NOTICE_NO_TIME},
        {"\"1787000300000000000\"", " 1787000300000000000 ", OTLP_NOTICE_COUNT},
        {"\"1787000300000000001\"", "\"original_timestamp_ns\":1787000300000000001",
         OTLP_NOTICE_CLAMPED},
        {"\"1787000300000000001\"", " 1787000000000000000 ", OTLP_NOTICE_CLAMPED},
        {"\"18446744073709551615\"", "\"original_timestamp_ns\":9223372036854775807",
         OTLP_NOTICE_SATURATED},
    };
    struct otlp_rig *r = otlp_rig_new();
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct buf b;
        buf_init(&b, MIB);
        buf_addf(&b, ONE_SPAN(IDS ",\"startTimeUnixNano\":%s"), rows[i].start);
        CHECK_OK(otlp_rig_run(r, OTLP_TRACES, OTLP_JSON, buf_slice(&b)), r->err);
        CHECK_HAS(rows[i].want, buf_cstr(&r->text));
        for (int n = 0; n < OTLP_NOTICE_COUNT; n++) {
            if ((enum otlp_notice)n == rows[i].notice) {
                CHECK_EQ(1, r->result.notices[n]);
            }
        }
        buf_done(&b);
    }
    otlp_rig_free(r);
}

TEST(otlp_span_drops_links_without_ids)
{
    struct otlp_rig *r = otlp_rig_new();
    CHECK_OK(otlp_rig_run(r, OTLP_TRACES, OTLP_JSON,
                          SLICE(ONE_SPAN(IDS ",\"links\":[{\"traceId\":\"01\"},{" IDS "}]"))),
             r->err);
    CHECK_EQ(1, r->result.notices[OTLP_NOTICE_BAD_LINK]);
    CHECK_EQ(1, r->result.events);
    CHECK_HAS("\"links\":[{\"span_id\":\"a102030405060708\",", buf_cstr(&r->text));
    otlp_rig_free(r);
}

TEST(otlp_span_that_cannot_be_written_takes_its_exceptions_along)
{
    struct otlp_rig *r = otlp_rig_new();
    r->fail_with = -ERR_TOO_BIG;
    CHECK_OK(otlp_rig_run(r, OTLP_TRACES, OTLP_JSON, slice_str(JSON)), r->err);
    CHECK_EQ(1, r->result.rejected);
    CHECK_EQ(0, r->result.events);
    CHECK_EQ(0, r->result.notices[OTLP_NOTICE_EXTRA_LOST]);
    otlp_rig_free(r);
}

TEST(otlp_span_exceptions_escaped_in_words_or_not)
{
    static const struct {
        const char *value, *want;
    } rows[] = {{"{\"stringValue\":\"False\"}", "{\"escaped\":false}"},
                {"{\"stringValue\":\"TRUE\"}", "{\"escaped\":true}"},
                {"{\"boolValue\":true}", "{\"escaped\":true}"},
                {"{\"stringValue\":\"maybe\"}", "{\"escaped\":\"maybe\"}"},
                {"{\"intValue\":1}", "{\"escaped\":1}"}};
    struct otlp_rig *r = otlp_rig_new();
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct buf b;
        buf_init(&b, MIB);
        buf_addf(&b,
                 ONE_SPAN(IDS ",\"startTimeUnixNano\":9,\"events\":[{\"name\":\"exception\","
                              "\"attributes\":[{\"key\":\"exception.escaped\",\"value\":%s}]}]"),
                 rows[i].value);
        CHECK_OK(otlp_rig_run(r, OTLP_TRACES, OTLP_JSON, buf_slice(&b)), r->err);
        CHECK_HAS("ExceptionEvent 9 ", buf_cstr(&r->text)); /* no time: the span's */
        CHECK_HAS(rows[i].want, buf_cstr(&r->text));
        buf_done(&b);
    }
    otlp_rig_free(r);
}
