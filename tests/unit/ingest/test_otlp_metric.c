/* SPDX-License-Identifier: Apache-2.0
 *
 * Metrics: the five kinds with every field in both forms, exemplars, stale points, rejects.
 */
#include "core/codec/varint.h"
#include "core/event/prop.h"
#include "tests/test.h"
#include "tests/unit/ingest/otlp_util.h"

enum { MIB = 1024 * 1024 };

#define T0 UINT64_C(1786999990000000000)
#define T1 UINT64_C(1786999999000000001)

static const uint8_t TRACE[16] = {0, 0, 0, 0, 0, 0, 0, 0, 9, 10, 11, 12, 13, 14, 15, 16};
static const uint8_t SPAN[8] = {0xa1, 2, 3, 4, 5, 6, 7, 8};

static void put_exemplar(struct buf *b, uint32_t field, bool ids, uint64_t ts)
{
    size_t e = pbwrite_open(b, field);
    pbwrite_fixed64(b, 2, ts);
    if (ids) {
        pbwrite_double(b, 3, 0.5);
        pbwrite_string(b, 4, slice_of(SPAN, 8));
        pbwrite_string(b, 5, slice_of(TRACE, 16));
        otlp_put_text(b, 7, "user", "u1");
    } else {
        pbwrite_fixed64(b, 6, (uint64_t)-3);
    }
    pbwrite_close(b, e);
}

static size_t open_metric(struct buf *b, const char *name, uint32_t kind)
{
    pbwrite_open(b, 2);
    pbwrite_string(b, 1, slice_str(name));
    pbwrite_string(b, 2, SLICE("in words"));
    pbwrite_string(b, 3, SLICE("s"));
    otlp_put_text(b, 12, "m", "d");
    return pbwrite_open(b, kind);
}

static void put_times(struct buf *b)
{
    pbwrite_fixed64(b, 2, T0);
    pbwrite_fixed64(b, 3, T1);
}

static void put_gauge(struct buf *b)
{
    size_t data = open_metric(b, "g", 5);
    size_t point = pbwrite_open(b, 1);
    put_times(b);
    pbwrite_double(b, 4, 1.5);
    otlp_put_text(b, 7, "value", "an attribute");
    put_exemplar(b, 5, true, T1 - 5);
    put_exemplar(b, 5, false, T1 - 4);
    pbwrite_varint(b, 8, 2);
    pbwrite_close(b, point);
    pbwrite_close(b, data);
}

static void put_sum(struct buf *b)
{
    size_t data = open_metric(b, "s", 7);
    size_t point = pbwrite_open(b, 1);
    put_times(b);
    pbwrite_fixed64(b, 6, (uint64_t)-7);
    pbwrite_close(b, point);
    pbwrite_varint(b, 2, 1);
    pbwrite_varint(b, 3, 1);
    pbwrite_close(b, data);
}

static void put_histogram(struct buf *b)
{
    static const uint64_t counts[] = {1, 2, 3};
    static const double bounds[] = {0.5, 10};
    size_t data = open_metric(b, "h", 9);
    size_t point = pbwrite_open(b, 1);
    put_times(b);
    pbwrite_fixed64(b, 4, 6);
    pbwrite_double(b, 5, 12.5);
    /* Packed, and the last one by itself: both are legal. */
    pbwrite_packed_fixed64(b, 6, counts, 2);
    pbwrite_fixed64(b, 6, counts[2]);
    pbwrite_packed_double(b, 7, bounds, 2);
    pbwrite_double(b, 11, 0.25);
    pbwrite_double(b, 12, 11);
    otlp_put_int(b, 9, "a", 1);
    pbwrite_close(b, point);
    pbwrite_varint(b, 2, 2);
    pbwrite_close(b, data);
}

static void put_buckets(struct buf *b, uint32_t field, int64_t offset, const uint64_t *counts,
                        size_t n)
{
    size_t buckets = pbwrite_open(b, field);
    pbwrite_varint(b, 1, varint_zigzag(offset));
    size_t packed = pbwrite_open(b, 2);
    for (size_t i = 0; i < n; i++) {
        char bytes[VARINT_MAX];
        buf_add(b, bytes, (size_t)(varint_write(bytes, counts[i]) - bytes));
    }
    pbwrite_close(b, packed);
    pbwrite_close(b, buckets);
}

static void put_exp(struct buf *b)
{
    static const uint64_t up[] = {1, 0, 300}, down[] = {4};
    size_t data = open_metric(b, "e", 10);
    size_t point = pbwrite_open(b, 1);
    otlp_put_int(b, 1, "a", 2);
    put_times(b);
    pbwrite_fixed64(b, 4, 310);
    pbwrite_double(b, 5, -1);
    pbwrite_varint(b, 6, varint_zigzag(-2));
    pbwrite_fixed64(b, 7, 5);
    put_buckets(b, 8, -3, up, 3);
    put_buckets(b, 9, 2, down, 1);
    pbwrite_double(b, 12, -9);
    pbwrite_double(b, 13, 9);
    pbwrite_double(b, 14, 0.001);
    pbwrite_close(b, point);
    pbwrite_varint(b, 2, 2);
    pbwrite_close(b, data);
}

static void put_quantile(struct buf *b, double q, double v)
{
    size_t m = pbwrite_open(b, 6);
    pbwrite_double(b, 1, q);
    pbwrite_double(b, 2, v);
    pbwrite_close(b, m);
}

static void put_summary(struct buf *b)
{
    size_t data = open_metric(b, "q", 11);
    size_t point = pbwrite_open(b, 1);
    put_times(b);
    pbwrite_fixed64(b, 4, 3);
    pbwrite_double(b, 5, 6);
    put_quantile(b, 0, 1);
    put_quantile(b, 0.5, 2);
    put_quantile(b, 1, 3);
    otlp_put_text(b, 7, "a", "b");
    pbwrite_close(b, point);
    pbwrite_close(b, data);
}

/* open_metric leaves the metric open behind: its mark is where its contents begin. */
static void put_metric(struct buf *b, void (*put)(struct buf *b))
{
    struct buf one;
    buf_init(&one, MIB);
    put(&one);
    /* The tag and the (missing) length of the metric itself are taken off again. */
    pbwrite_string(b, 2, slice_sub(buf_slice(&one), 1, one.len));
    buf_done(&one);
}

static void put_request(struct buf *b)
{
    static void (*const puts[])(struct buf *) = {put_gauge, put_sum, put_histogram, put_exp,
                                                 put_summary};
    size_t rm = pbwrite_open(b, 1);
    size_t sm = pbwrite_open(b, 2);
    for (size_t i = 0; i < ARRAY_LEN(puts); i++) {
        put_metric(b, puts[i]);
    }
    pbwrite_close(b, sm);
    pbwrite_close(b, rm);
}

#define COMMON                                                                                     \
    "\"description\":\"in words\",\"unit\":\"s\",\"metadata\":[{\"key\":\"m\",\"value\":"          \
    "{\"stringValue\":\"d\"}}],"
#define TIMES                                                                                      \
    "\"startTimeUnixNano\":\"1786999990000000000\",\"timeUnixNano\":\"1786999999000000001\","
static const char JSON[] =
    "{\"resourceMetrics\":[{\"scopeMetrics\":[{\"metrics\":["
    "{\"name\":\"g\"," COMMON "\"gauge\":{\"dataPoints\":[{" TIMES
    "\"asDouble\":1.5,\"flags\":2,\"attributes\":[{\"key\":\"value\",\"value\":{\"stringValue\":"
    "\"an attribute\"}}],\"exemplars\":[{\"timeUnixNano\":\"1786999998999999996\",\"asDouble\":"
    "\"0.5\",\"spanId\":\"a102030405060708\",\"traceId\":\"0000000000000000090a0b0c0d0e0f10\","
    "\"filteredAttributes\":[{\"key\":\"user\",\"value\":{\"stringValue\":\"u1\"}}]},"
    "{\"timeUnixNano\":\"1786999998999999997\",\"asInt\":\"-3\"}]}]}},"
    "{\"name\":\"s\"," COMMON "\"sum\":{\"isMonotonic\":true,\"aggregationTemporality\":1,"
    "\"dataPoints\":[{" TIMES "\"asInt\":-7}]}},"
    "{\"name\":\"h\"," COMMON "\"histogram\":{\"dataPoints\":[{" TIMES
    "\"count\":\"6\",\"sum\":12.5,\"bucketCounts\":[\"1\",2,3.0],\"explicitBounds\":[0.5,10],"
    "\"min\":0.25,\"max\":11,\"attributes\":[{\"key\":\"a\",\"value\":{\"intValue\":\"1\"}}]}],"
    "\"aggregationTemporality\":2}},"
    "{\"name\":\"e\"," COMMON "\"exponentialHistogram\":{\"dataPoints\":[{" TIMES
    "\"count\":310,\"sum\":-1,\"scale\":-2,\"zeroCount\":\"5\",\"positive\":{\"offset\":-3,"
    "\"bucketCounts\":[1,0,\"300\"]},\"negative\":{\"offset\":2,\"bucketCounts\":[\"4\"]},"
    "\"min\":-9,\"max\":9,\"zeroThreshold\":0.001,\"attributes\":[{\"key\":\"a\",\"value\":"
    "{\"intValue\":2}}]}],\"aggregationTemporality\":2}},"
    "{\"name\":\"q\"," COMMON "\"summary\":{\"dataPoints\":[{" TIMES
    "\"count\":\"3\",\"sum\":6,\"quantileValues\":[{\"value\":1},{\"quantile\":0.5,\"value\":2},"
    "{\"quantile\":1,\"value\":3}],\"attributes\":[{\"key\":\"a\",\"value\":{\"stringValue\":"
    "\"b\"}}]}]}}]}]}]}";

#define HEAD                                                                                       \
    "metrics Metric 1786999999000000001 / flags=0 context{\"kaiju.tenant\":\"acme\"} payload"
static const char *const LINES[] = {
    HEAD "{\"attributes.value\":\"an attribute\",\"description\":\"in words\","
         "\"exemplar_span_id\":\"a102030405060708\","
         "\"exemplar_trace_id\":\"0000000000000000090a0b0c0d0e0f10\",\"exemplar_value\":0.5,"
         "\"exemplars\":[{\"attributes\":{\"user\":\"u1\"},\"span_id\":\"a102030405060708\","
         "\"timestamp_ns\":1786999998999999996,\"trace_id\":\"0000000000000000090a0b0c0d0e0f10\","
         "\"value\":0.5},{\"timestamp_ns\":1786999998999999997,\"value\":-3}],\"flags\":2,"
         "\"metadata\":{\"m\":\"d\"},\"metric_type\":\"gauge\",\"name\":\"g\","
         "\"start_timestamp_ns\":1786999990000000000,\"unit\":\"s\",\"value\":1.5}",
    "spans Exemplar 1786999998999999996 0000000000000000090a0b0c0d0e0f10/a102030405060708 flags=0 "
    "context{\"kaiju.tenant\":\"acme\"} "
    "payload{\"name\":\"g\",\"unit\":\"s\",\"user\":\"u1\",\"value\":0.5}",
    HEAD "{\"description\":\"in words\",\"metadata\":{\"m\":\"d\"},\"metric_type\":\"sum\","
         "\"monotonic\":true,\"name\":\"s\",\"start_timestamp_ns\":1786999990000000000,"
         "\"temporality\":\"delta\",\"unit\":\"s\",\"value\":-7}",
    HEAD "{\"a\":1,\"bounds\":[0.5,10.0],\"bucket_counts\":[1,2,3],\"count\":6,"
         "\"description\":\"in words\",\"max\":11.0,\"metadata\":{\"m\":\"d\"},"
         "\"metric_type\":\"histogram\",\"min\":0.25,\"name\":\"h\","
         "\"start_timestamp_ns\":1786999990000000000,\"sum\":12.5,"
         "\"temporality\":\"cumulative\",\"unit\":\"s\"}",
    HEAD "{\"a\":2,\"count\":310,\"description\":\"in words\",\"max\":9.0,"
         "\"metadata\":{\"m\":\"d\"},\"metric_type\":\"exponential_histogram\",\"min\":-9.0,"
         "\"name\":\"e\",\"negative_counts\":[4],\"negative_offset\":2,"
         "\"positive_counts\":[1,0,300],\"positive_offset\":-3,\"scale\":-2,"
         "\"start_timestamp_ns\":1786999990000000000,\"sum\":-1.0,"
         "\"temporality\":\"cumulative\",\"unit\":\"s\",\"zero_count\":5,"
         "\"zero_threshold\":0.001}",
    HEAD "{\"a\":\"b\",\"count\":3,\"description\":\"in words\",\"metadata\":{\"m\":\"d\"},"
         "\"metric_type\":\"summary\",\"name\":\"q\",\"quantile_values\":[1.0,2.0,3.0],"
         "\"quantiles\":[0.0,0.5,1.0],\"start_timestamp_ns\":1786999990000000000,\"sum\":6.0,"
         "\"unit\":\"s\"}",
};

static void check_lines(struct otlp_rig *r)
{
    CHECK_EQ(5, r->result.items);
    CHECK_EQ(ARRAY_LEN(LINES), r->result.events);
    for (size_t i = 0; i < ARRAY_LEN(LINES); i++) {
        CHECK_SLICE(LINES[i], otlp_rig_line(r, i));
    }
}

TEST(otlp_metric_every_kind_and_field_in_both_forms)
{
    struct otlp_rig *r = otlp_rig_new();
    struct buf b, batch;
    buf_init(&b, MIB);
    buf_init(&batch, MIB);
    put_request(&b);
    CHECK_OK(otlp_rig_run(r, OTLP_METRICS, OTLP_PROTOBUF, buf_slice(&b)), r->err);
    check_lines(r);
    buf_add_slice(&batch, buf_slice(&r->batch));
    CHECK_OK(otlp_rig_run(r, OTLP_METRICS, OTLP_JSON, slice_str(JSON)), r->err);
    check_lines(r);
    CHECK(slice_eq(buf_slice(&batch), buf_slice(&r->batch)));
    buf_done(&b);
    buf_done(&batch);
    otlp_rig_free(r);
}

#define ONE(metric)  "{\"resourceMetrics\":[{\"scopeMetrics\":[{\"metrics\":[{" metric "}]}]}]}"
#define GAUGE(point) ONE("\"name\":\"m\",\"gauge\":{\"dataPoints\":[{" point "}]}")
#define HISTO(point) ONE("\"name\":\"m\",\"histogram\":{\"dataPoints\":[{" point "}]}")
#define EXPO(point)  ONE("\"name\":\"m\",\"exponentialHistogram\":{\"dataPoints\":[{" point "}]}")
#define QUANT(point) ONE("\"name\":\"m\",\"summary\":{\"dataPoints\":[{" point "}]}")

TEST(otlp_metric_rejects_by_reason)
{
    static const struct {
        const char *body;
        enum otlp_reason reason; /* COUNT: taken */
    } rows[] = {
        {ONE("\"gauge\":{\"dataPoints\":[{\"asInt\":1}]}"), OTLP_REASON_METRIC_NAME},
        {GAUGE("\"timeUnixNano\":1"), OTLP_REASON_NO_VALUE},
        {GAUGE("\"timeUnixNano\":1,\"flags\":1"), OTLP_REASON_COUNT},
        {HISTO("\"count\":1"), OTLP_REASON_COUNT},
        {HISTO("\"bucketCounts\":[1],\"explicitBounds\":[]"), OTLP_REASON_COUNT},
        {HISTO("\"bucketCounts\":[1,2],\"explicitBounds\":[]"), OTLP_REASON_BUCKETS},
        {HISTO("\"explicitBounds\":[1]"), OTLP_REASON_BUCKETS},
        {HISTO("\"bucketCounts\":[1,2,3],\"explicitBounds\":[1,1]"), OTLP_REASON_BUCKETS},
        {HISTO("\"bucketCounts\":[1,2,3],\"explicitBounds\":[2,1]"), OTLP_REASON_BUCKETS},
        {HISTO("\"bucketCounts\":[1,2],\"explicitBounds\":[\"NaN\"]"), OTLP_REASON_BUCKETS},
        {HISTO("\"bucketCounts\":[1,2],\"explicitBounds\":[\"Infinity\"]"), OTLP_REASON_COUNT},
        {EXPO("\"scale\":20,\"positive\":{\"offset\":2147483647,\"bucketCounts\":[1]}"),
         OTLP_REASON_SCALE},
        {EXPO("\"scale\":0,\"positive\":{\"offset\":1023,\"bucketCounts\":[1]}"),
         OTLP_REASON_COUNT},
        {EXPO("\"scale\":0,\"positive\":{\"offset\":1023,\"bucketCounts\":[1,0]}"),
         OTLP_REASON_COUNT},
        {EXPO("\"scale\":0,\"positive\":{\"offset\":1023,\"bucketCounts\":[0,1]}"),
         OTLP_REASON_SCALE},
        {EXPO("\"scale\":0,\"negative\":{\"offset\":-1074,\"bucketCounts\":[1]}"),
         OTLP_REASON_COUNT},
        {EXPO("\"scale\":0,\"negative\":{\"offset\":-1076,\"bucketCounts\":[1]}"),
         OTLP_REASON_SCALE},
        {EXPO("\"scale\":5000"), OTLP_REASON_SCALE},
        {EXPO("\"scale\":-11,\"positive\":{\"offset\":-1,\"bucketCounts\":[1,1]}"),
         OTLP_REASON_COUNT},
        {EXPO("\"positive\":{\"offset\":3000000000,\"bucketCounts\":[0]}"), OTLP_REASON_SCALE},
        {QUANT("\"quantileValues\":[{\"quantile\":1.5}]"), OTLP_REASON_QUANTILE},
        {QUANT("\"quantileValues\":[{\"quantile\":\"NaN\"}]"), OTLP_REASON_QUANTILE},
        {QUANT("\"count\":0"), OTLP_REASON_COUNT},
    };
    struct otlp_rig *r = otlp_rig_new();
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        bool taken = rows[i].reason == OTLP_REASON_COUNT;
        CHECK_OK(otlp_rig_run(r, OTLP_METRICS, OTLP_JSON, slice_str(rows[i].body)), r->err);
        CHECK_EQ(1, r->result.items);
        if (taken != (r->result.rejected == 0)) {
            test_fail(__FILE__, __LINE__, "%s: %s", rows[i].body, buf_cstr(&r->dead));
        }
        CHECK_EQ(taken, r->result.events);
        if (!taken) {
            CHECK_HAS(otlp_reason_label(rows[i].reason), buf_cstr(&r->dead));
        }
    }
    otlp_rig_free(r);
}

static int keep_value(void *arg, enum bus_topic_id topic, struct slice key, const struct rec *r,
                      struct err *reterr)
{
    (void)topic, (void)key, (void)reterr;
    const struct val *v = rec_find_text(r->payload, r->payload_len, SLICE("value"));
    v = v != NULL ? v : rec_find_text(r->payload, r->payload_len, SLICE("sum"));
    *(uint64_t *)arg = v != NULL && v->tag == VAL_DOUBLE ? v->bits : 0;
    return 0;
}

TEST(otlp_metric_without_recorded_value_carries_the_stale_marker)
{
    static const char *const bodies[] = {GAUGE("\"asDouble\":3,\"flags\":1"), GAUGE("\"flags\":1"),
                                         HISTO("\"flags\":1"), EXPO("\"flags\":1"),
                                         QUANT("\"flags\":1")};
    struct otlp_map *m = otlp_map_new(OTLP_LIMITS);
    struct arena *a = arena_new(NULL, "t", MIB);
    for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
        uint64_t bits = 0;
        struct otlp_sink sink = {.arg = &bits, .event = keep_value};
        struct otlp_result result;
        struct err err;
        struct otlp_request q = {OTLP_METRICS, OTLP_JSON, slice_str(bodies[i]), SLICE("t"), 1, a};
        CHECK_OK(otlp_map(m, &q, &sink, &result, &err), err);
        CHECK_EQ(1, result.events);
        CHECK(bits == PROP_STALE_BITS);
    }
    arena_free(a);
    otlp_map_free(m);
}

TEST(otlp_metric_absent_sum_is_not_zero_and_large_counts_saturate)
{
    struct otlp_rig *r = otlp_rig_new();
    CHECK_OK(
        otlp_rig_run(r, OTLP_METRICS, OTLP_JSON,
                     slice_str(HISTO("\"timeUnixNano\":9,\"count\":\"18446744073709551615\""))),
        r->err);
    CHECK_SLICE("metrics Metric 9 / flags=8 context{\"kaiju.tenant\":\"acme\"} payload{\"count\":"
                "9223372036854775807,\"metric_type\":\"histogram\",\"name\":\"m\","
                "\"temporality\":\"unspecified\"}",
                otlp_rig_line(r, 0));
    CHECK_EQ(1, r->result.notices[OTLP_NOTICE_SATURATED]);
    otlp_rig_free(r);
}

TEST(otlp_metric_without_data_is_noticed_and_bad_exemplars_are_left_out)
{
    struct otlp_rig *r = otlp_rig_new();
    CHECK_OK(otlp_rig_run(r, OTLP_METRICS, OTLP_JSON, slice_str(ONE("\"name\":\"m\""))), r->err);
    CHECK_EQ(1, r->result.notices[OTLP_NOTICE_NO_DATA]);
    CHECK_EQ(0, r->result.items);
    CHECK_OK(otlp_rig_run(r, OTLP_METRICS, OTLP_JSON,
                          slice_str(GAUGE("\"asInt\":1,\"exemplars\":[{\"timeUnixNano\":1}]"))),
             r->err);
    CHECK_EQ(1, r->result.notices[OTLP_NOTICE_BAD_EXEMPLAR]);
    CHECK_EQ(1, r->result.events);
    otlp_rig_free(r);
}

TEST(otlp_metric_data_in_pieces_adds_up_and_the_last_kind_counts)
{
    struct otlp_rig *r = otlp_rig_new();
    CHECK_OK(
        otlp_rig_run(r, OTLP_METRICS, OTLP_JSON,
                     slice_str(ONE("\"name\":\"m\",\"gauge\":{\"dataPoints\":[{\"asInt\":1}]},"
                                   "\"sum\":{\"dataPoints\":[{\"asInt\":2}],\"isMonotonic\":true},"
                                   "\"sum\":{\"dataPoints\":[{\"asInt\":3},{\"asInt\":4}]}"))),
        r->err);
    CHECK_EQ(3, r->result.items);
    CHECK_EQ(3, r->result.events);
    CHECK_HAS("\"metric_type\":\"sum\",\"monotonic\":true", buf_cstr(&r->text));
    CHECK_HAS("\"value\":2}", buf_cstr(&r->text));
    CHECK_HAS("\"value\":4}", buf_cstr(&r->text));
    otlp_rig_free(r);
}

TEST(otlp_metric_kind_that_comes_back_begins_anew)
{
    struct otlp_rig *r = otlp_rig_new();
    CHECK_OK(otlp_rig_run(r, OTLP_METRICS, OTLP_JSON,
                          slice_str(ONE("\"name\":\"m\",\"sum\":{\"isMonotonic\":true,"
                                        "\"aggregationTemporality\":2},\"gauge\":{},"
                                        "\"sum\":{\"dataPoints\":[{\"asInt\":2}]}"))),
             r->err);
    CHECK_HAS("\"monotonic\":false", buf_cstr(&r->text));
    CHECK_HAS("\"temporality\":\"unspecified\"", buf_cstr(&r->text));
    otlp_rig_free(r);
}

TEST(otlp_metric_resource_and_exemplars_of_distributions)
{
    static const char *const kinds[] = {"histogram", "exponentialHistogram"};
    struct otlp_rig *r = otlp_rig_new();
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        struct buf b;
        buf_init(&b, MIB);
        buf_addf(
            &b,
            "{\"resourceMetrics\":[{\"resource\":{\"attributes\":[{\"key\":\"service.name\","
            "\"value\":{\"stringValue\":\"cart\"}}]},\"scopeMetrics\":[{\"metrics\":[{"
            "\"name\":\"m\",\"%s\":{\"dataPoints\":[{\"timeUnixNano\":5,\"exemplars\":["
            "{\"timeUnixNano\":3,\"asDouble\":1},{\"asInt\":2,\"traceId\":"
            "\"00000000000000000000000000000001\"},{\"timeUnixNano\":4,\"asInt\":3}]}]}}]}]}]}",
            kinds[i]);
        CHECK_OK(otlp_rig_run(r, OTLP_METRICS, OTLP_JSON, buf_slice(&b)), r->err);
        CHECK_EQ(2, r->result.events);
        CHECK_HAS("\"service.name\":\"cart\"", buf_cstr(&r->text));
        /* Ids before lateness; without a time of its own it has the point's. */
        CHECK_HAS("\"exemplar_value\":2,", buf_cstr(&r->text));
        CHECK_HAS("spans Exemplar 5 00000000000000000000000000000001/ ", buf_cstr(&r->text));
        buf_done(&b);
    }
    otlp_rig_free(r);
}

static int keep_contexts(void *arg, enum bus_topic_id topic, struct slice key, const struct rec *r,
                         struct err *reterr)
{
    const struct rec_context **at = arg;
    (void)topic, (void)key, (void)reterr;
    while (*at != NULL) {
        at++;
    }
    *at = r->context;
    return 0;
}

#define POD_POINT(pod)                                                                             \
    "{\"asInt\":1,\"attributes\":[{\"key\":\"pod\",\"value\":{\"stringValue\":\"" pod "\"}},"      \
    "{\"key\":\"namespace\",\"value\":{\"stringValue\":\"n\"}}]}"

TEST(otlp_metric_points_of_one_pod_share_a_context)
{
    const struct rec_context *seen[5] = {NULL};
    struct otlp_map *m = otlp_map_new(OTLP_LIMITS);
    struct arena *a = arena_new(NULL, "t", MIB);
    struct otlp_sink sink = {.arg = seen, .event = keep_contexts};
    struct otlp_result result;
    struct err err;
    struct otlp_request q = {OTLP_METRICS,
                             OTLP_JSON,
                             SLICE(ONE("\"name\":\"m\",\"gauge\":{\"dataPoints\":[" POD_POINT(
                                 "p") "," POD_POINT("q") "," POD_POINT("p") ",{\"asInt\":1}]}")),
                             SLICE("t"),
                             1,
                             a};
    CHECK_OK(otlp_map(m, &q, &sink, &result, &err), err);
    CHECK_EQ(4, result.events);
    CHECK(seen[0] == seen[2] && seen[0] != seen[1] && seen[0] != seen[3]);
    arena_free(a);
    otlp_map_free(m);
}
