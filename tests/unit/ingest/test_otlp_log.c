/* SPDX-License-Identifier: Apache-2.0
 *
 * Log records: every field in both forms, bodies of every kind, severities, exceptions, ids in
 * attributes, and the Kubernetes events among them.
 */
#include "tests/test.h"
#include "tests/unit/ingest/otlp_util.h"

enum { MIB = 1024 * 1024 };

static const uint8_t TRACE[16] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
static const uint8_t SPAN[8] = {0xa1, 2, 3, 4, 5, 6, 7, 8};

static void put_value(struct buf *b, uint32_t field)
{
    size_t any = pbwrite_open(b, field), list = pbwrite_open(b, 6), kv, v, inner;
    kv = pbwrite_open(b, 1);
    pbwrite_string(b, 1, SLICE("z"));
    v = pbwrite_open(b, 2);
    inner = pbwrite_open(b, 5); /* [true, -1, 2.5, "s", bytes, empty] */
    size_t item = pbwrite_open(b, 1);
    pbwrite_varint(b, 2, 1);
    pbwrite_close(b, item);
    item = pbwrite_open(b, 1);
    pbwrite_varint(b, 3, (uint64_t)-1);
    pbwrite_close(b, item);
    item = pbwrite_open(b, 1);
    pbwrite_double(b, 4, 2.5);
    pbwrite_close(b, item);
    item = pbwrite_open(b, 1);
    pbwrite_string(b, 1, SLICE("s"));
    pbwrite_close(b, item);
    item = pbwrite_open(b, 1);
    pbwrite_string(b, 7, SLICE("\xff\x00\x01"));
    pbwrite_close(b, item);
    item = pbwrite_open(b, 1);
    pbwrite_close(b, item);
    pbwrite_close(b, inner);
    pbwrite_close(b, v);
    pbwrite_close(b, kv);
    otlp_put_text(b, 1, "a", "first");
    otlp_put_text(b, 1, "a", "last counts");
    pbwrite_close(b, list);
    pbwrite_close(b, any);
}

static void put_request(struct buf *b)
{
    size_t rl = pbwrite_open(b, 1), sl = pbwrite_open(b, 2), log = pbwrite_open(b, 2);
    pbwrite_fixed64(b, 1, 1786999999000000001);
    pbwrite_varint(b, 2, 17);
    pbwrite_string(b, 3, SLICE("ERROR"));
    put_value(b, 5);
    otlp_put_text(b, 6, "exception.type", "IOError");
    otlp_put_text(b, 6, "exception.stacktrace", "at main");
    otlp_put_text(b, 6, "thread", "t1");
    pbwrite_varint(b, 7, 3);
    pbwrite_fixed32(b, 8, 1);
    pbwrite_string(b, 9, slice_of(TRACE, 16));
    pbwrite_string(b, 10, slice_of(SPAN, 8));
    pbwrite_fixed64(b, 11, 1786999999000000002);
    pbwrite_string(b, 12, SLICE("payment.failed"));
    pbwrite_close(b, log);
    pbwrite_close(b, sl);
    /* The resource behind its scopes. */
    size_t resource = pbwrite_open(b, 1);
    otlp_put_text(b, 1, "service.name", "pay");
    pbwrite_close(b, resource);
    pbwrite_close(b, rl);
}

static const char JSON[] =
    "{\"resourceLogs\":[{\"resource\":{\"attributes\":[{\"key\":\"service.name\",\"value\":"
    "{\"stringValue\":\"pay\"}}]},\"scopeLogs\":[{\"logRecords\":[{"
    "\"eventName\":\"payment.failed\",\"timeUnixNano\":\"1786999999000000001\","
    "\"observedTimeUnixNano\":\"1786999999000000002\",\"severityNumber\":17,"
    "\"severityText\":\"ERROR\",\"body\":{\"kvlistValue\":{\"values\":["
    "{\"key\":\"z\",\"value\":{\"arrayValue\":{\"values\":[{\"boolValue\":true},"
    "{\"intValue\":\"-1\"},{\"doubleValue\":2.5},{\"stringValue\":\"s\"},"
    "{\"bytesValue\":\"_wAB\"},{}]}}},{\"key\":\"a\",\"value\":{\"stringValue\":\"first\"}},"
    "{\"key\":\"a\",\"value\":{\"stringValue\":\"last counts\"}}]}},\"attributes\":["
    "{\"key\":\"exception.type\",\"value\":{\"stringValue\":\"IOError\"}},"
    "{\"key\":\"exception.stacktrace\",\"value\":{\"stringValue\":\"at main\"}},"
    "{\"key\":\"thread\",\"value\":{\"stringValue\":\"t1\"}}],\"droppedAttributesCount\":3,"
    "\"flags\":1,\"traceId\":\"0102030405060708090a0b0c0d0e0f10\",\"spanId\":"
    "\"a102030405060708\"}]}]}]}";

#define IDS     " 0102030405060708090a0b0c0d0e0f10/a102030405060708 "
#define CONTEXT "flags=0 context{\"kaiju.tenant\":\"acme\",\"service.name\":\"pay\"} "

static const char LOG_LINE[] =
    "logs LogRecord 1786999999000000001" IDS CONTEXT
    "payload{\"body\":{\"a\":\"last counts\",\"z\":[true,-1,2.5,\"s\",\"/wAB\",null]},"
    "\"dropped_attributes_count\":3,\"event_name\":\"payment.failed\","
    "\"exception.stacktrace\":\"at main\",\"exception.type\":\"IOError\",\"flags\":1,"
    "\"observed_timestamp_ns\":1786999999000000002,\"severity_number\":17,"
    "\"severity_text\":\"ERROR\",\"thread\":\"t1\"}";
static const char EXCEPTION_LINE[] =
    "logs ExceptionEvent 1786999999000000001" IDS CONTEXT
    "payload{\"exception_stacktrace\":\"at main\",\"exception_type\":\"IOError\",\"thread\":"
    "\"t1\"}";

TEST(otlp_log_every_field_in_both_forms)
{
    struct otlp_rig *r = otlp_rig_new();
    struct buf b, batch;
    buf_init(&b, MIB);
    buf_init(&batch, MIB);
    put_request(&b);
    CHECK_OK(otlp_rig_run(r, OTLP_LOGS, OTLP_PROTOBUF, buf_slice(&b)), r->err);
    CHECK_SLICE(LOG_LINE, otlp_rig_line(r, 0));
    CHECK_SLICE(EXCEPTION_LINE, otlp_rig_line(r, 1));
    CHECK_EQ(2, r->result.events);
    buf_add_slice(&batch, buf_slice(&r->batch));
    CHECK_OK(otlp_rig_run(r, OTLP_LOGS, OTLP_JSON, slice_str(JSON)), r->err);
    CHECK_SLICE(LOG_LINE, otlp_rig_line(r, 0));
    CHECK(slice_eq(buf_slice(&batch), buf_slice(&r->batch)));
    buf_done(&b);
    buf_done(&batch);
    otlp_rig_free(r);
}

#define LOGS(resource, log)                                                                        \
    "{\"resourceLogs\":[{\"resource\":{\"attributes\":[" resource                                  \
    "]},\"scopeLogs\":[{\"logRecords\":[{" log "}]}]}]}"
#define S(key, value) "{\"key\":\"" key "\",\"value\":{\"stringValue\":\"" value "\"}}"
#define I(key, value) "{\"key\":\"" key "\",\"value\":{\"intValue\":" value "}}"
#define M(key, members)                                                                            \
    "{\"key\":\"" key "\",\"value\":{\"kvlistValue\":{\"values\":[" members "]}}}"
#define ATTRS(attrs)  "\"attributes\":[" attrs "]"
#define BODY(members) "\"body\":{\"kvlistValue\":{\"values\":[" members "]}}"

static const struct {
    const char *body, *want;
} log_cases[] = {
    /* Bodies */
    {LOGS("", "\"body\":{\"intValue\":5}"), "\"body\":5,"},
    {LOGS("", "\"body\":{\"boolValue\":false}"), "\"body\":false,"},
    {LOGS("", "\"body\":{\"bytesValue\":\"AQ==\"}"), "\"body\":\"AQ==\","},
    {LOGS("", "\"body\":{}"), "\"body\":null,"},
    {LOGS("", "\"body\":null"), "payload{\"severity_number\":0}"},
    {LOGS("", "\"body\":{\"stringValue\":\"\"}"), "\"body\":\"\","},
    /* Severity */
    {LOGS("", "\"severityText\":\"warning\""), "\"severity_number\":13"},
    {LOGS("", "\"severityText\":\"Panic\""), "\"severity_number\":21"},
    {LOGS("", "\"severityText\":\"weird\""), "\"severity_number\":0"},
    {LOGS("", "\"severityNumber\":9,\"severityText\":\"error\""), "\"severity_number\":9"},
    {LOGS("", "\"severityNumber\":25"), "\"severity_number\":0"},
    /* Time: its own, else when it was observed, else now */
    {LOGS("", "\"observedTimeUnixNano\":77"), "LogRecord 77 / flags=0"},
    {LOGS("", ""), "LogRecord 1787000000000000000 / flags=4"},
    /* Names of events and ids in attributes */
    {LOGS("", ATTRS(S("event.name", "n"))), "\"event_name\":\"n\""},
    {LOGS("", ATTRS(S("trace_id", "0102030405060708090A0B0C0D0E0F10") "," S("spanId",
                                                                            "a102030405060708"))),
     " 0102030405060708090a0b0c0d0e0f10/a102030405060708 "},
    {LOGS("", ATTRS(S("traceID", "090A0B0C0D0E0F10"))), " 0000000000000000090a0b0c0d0e0f10/ "},
    {LOGS("", ATTRS(S("trace_id", "no hexadecimal digits, in 32 ..."))), " / flags"},
    {LOGS("", "\"traceId\":\"00000000000000000000000000000000\""), " / flags"},
    /* Own keys */
    {LOGS("", ATTRS(S("body", "b") "," S("attributes.body", "c"))),
     "\"attributes.attributes.body\":\"c\",\"attributes.body\":\"b\""},
    /* Exceptions by their event name */
    {LOGS("", "\"eventName\":\"exception\""), "logs ExceptionEvent"},
    {LOGS("", ATTRS(S("exception.message", "m"))), "payload{\"exception_message\":\"m\"}"},
    /* Aliases in a resource: the canonical name wins, an empty one does not count */
    {LOGS(S("pod", "p") "," S("k8s.pod.name", "canonical"), ""),
     "\"k8s.pod.name\":\"canonical\",\"kaiju.tenant\":\"acme\",\"pod\":\"p\""},
    {LOGS(S("pod", "p") "," S("k8s.pod.name", ""), ""), "{\"k8s.pod.name\":\"p\",\"kaiju.tenant\""},
    {LOGS(S("cluster", "second") "," S("kubernetes_cluster", "first"), ""),
     "{\"cluster\":\"second\",\"k8s.cluster.name\":\"first\","},
    {LOGS(S("env", "e") "," S("host", "h") "," S("job", "j") "," S("instance", "i"), ""),
     "{\"deployment.environment.name\":\"e\",\"host.name\":\"h\",\"kaiju.tenant\":\"acme\","
     "\"service.instance.id\":\"i\",\"service.name\":\"j\"}"},
    {LOGS(S("a", "1") "," S("a", "2"), ""), "{\"a\":\"2\",\"kaiju.tenant\""},
    {LOGS(S("k8s.pod.name", "p") "," S("k8s.daemonset.name", "d"), ""), "\"service.name\":\"d\""},
    /* An item that names another pod */
    {LOGS(S("k8s.pod.name", "agent") "," S("k8s.pod.ip", "1.1.1.1") "," S(
              "service.name", "s") "," S("k8s.cluster.name", "c"),
          ATTRS(S("pod", "p") "," S("namespace", "n") "," S("container", "k"))),
     "{\"k8s.cluster.name\":\"c\",\"k8s.container.name\":\"k\",\"k8s.namespace.name\":\"n\","
     "\"k8s.pod.name\":\"p\",\"kaiju.tenant\":\"acme\",\"service.name\":\"s\"}"},
    {LOGS(S("k8s.pod.name", "own"),
          ATTRS(S("exported_pod", "x") "," S("pod", "p") "," S("namespace", "n"))),
     "\"k8s.pod.name\":\"x\""},
    {LOGS(S("k8s.pod.name", "own"), ATTRS(S("pod", "p"))), "\"k8s.pod.name\":\"own\""},
};

TEST(otlp_log_cases)
{
    struct otlp_rig *r = otlp_rig_new();
    for (size_t i = 0; i < ARRAY_LEN(log_cases); i++) {
        CHECK_OK(otlp_rig_run(r, OTLP_LOGS, OTLP_JSON, slice_str(log_cases[i].body)), r->err);
        CHECK_EQ(1, r->result.items);
        CHECK_HAS(log_cases[i].want, buf_cstr(&r->text));
    }
    otlp_rig_free(r);
}

TEST(otlp_log_notices_bad_ids_and_duplicate_keys)
{
    struct otlp_rig *r = otlp_rig_new();
    CHECK_OK(otlp_rig_run(r, OTLP_LOGS, OTLP_JSON,
                          slice_str(LOGS(S("a", "1") "," S("a", "2"), "\"traceId\":\"0102\""))),
             r->err);
    CHECK_EQ(1, r->result.notices[OTLP_NOTICE_BAD_LOG_ID]);
    CHECK_EQ(1, r->result.notices[OTLP_NOTICE_DUPLICATE_KEY]);
    CHECK_EQ(1, r->result.events);
    otlp_rig_free(r);
}

#define OBJECT                                                                                                                                      \
    S("kind", "Event")                                                                                                                              \
    "," S("reason", "BackOff") "," S("message", "back-off") "," S("type", "Warning") "," I(                                                         \
        "count",                                                                                                                                    \
        "4") "," S("lastTimestamp",                                                                                                                 \
                   "2026-08-17T00:00:00Z") "," S("reportingComponent",                                                                              \
                                                 "kubelet") "," M("source",                                                                         \
                                                                  S("host",                                                                         \
                                                                    "n1")) "," M("metadata",                                                        \
                                                                                 S("uid", "e-1") "," S(                                             \
                                                                                     "namespace",                                                   \
                                                                                     "shop")) "," M("involvedObject",                               \
                                                                                                    S("kind", "Pod") "," S("name", "cart-0") "," S( \
                                                                                                        "namespace",                                \
                                                                                                        "shop") "," S("uid",                        \
                                                                                                                      "u-1") "," S("fieldPath",     \
                                                                                                                                   "spec.containers{app}"))

static const char KUBE_CONTEXT[] =
    "context{\"k8s.container.name\":\"app\",\"k8s.namespace.name\":\"shop\",\"k8s.node.name\":"
    "\"n1\",\"k8s.pod.name\":\"cart-0\",\"k8s.pod.uid\":\"u-1\",\"kaiju.tenant\":\"acme\"} ";

TEST(otlp_log_becomes_a_kube_event_in_every_shape)
{
    static const char *const shapes[] = {
        LOGS("", "\"observedTimeUnixNano\":5," BODY(OBJECT)),
        LOGS("", BODY(S("type", "MODIFIED") "," M("object", OBJECT))),
    };
    struct otlp_rig *r = otlp_rig_new();
    for (size_t i = 0; i < ARRAY_LEN(shapes); i++) {
        CHECK_OK(otlp_rig_run(r, OTLP_LOGS, OTLP_JSON, slice_str(shapes[i])), r->err);
        CHECK_EQ(1, r->result.events);
        /* date -d 2026-08-17 +%s */
        CHECK_HAS("k8s KubeEvent 1786924800000000000 ", buf_cstr(&r->text));
        CHECK_HAS(KUBE_CONTEXT, buf_cstr(&r->text));
        CHECK_HAS("payload{\"body\":{\"count\":4,\"involvedObject\":{", buf_cstr(&r->text));
        CHECK_HAS("\"count\":4,\"event_uid\":\"e-1\",\"field_path\":\"spec.containers{app}\","
                  "\"message\":\"back-off\",\"object_kind\":\"Pod\",\"object_name\":\"cart-0\","
                  "\"object_uid\":\"u-1\",\"reason\":\"BackOff\","
                  "\"reporting_controller\":\"kubelet\",\"type\":\"Warning\"}",
                  buf_cstr(&r->text));
    }
    struct buf first;
    buf_init(&first, MIB);
    buf_add_slice(&first, buf_slice(&r->ids));
    CHECK_OK(otlp_rig_run(r, OTLP_LOGS, OTLP_JSON, slice_str(shapes[0])), r->err);
    CHECK(slice_eq(buf_slice(&first), buf_slice(&r->ids))); /* the same event, seen otherwise */
    buf_done(&first);
    otlp_rig_free(r);
}

TEST(otlp_log_kube_event_of_attributes_and_of_other_objects)
{
    struct otlp_rig *r = otlp_rig_new();
    CHECK_OK(otlp_rig_run(
                 r, OTLP_LOGS, OTLP_JSON,
                 slice_str(LOGS(
                     S("k8s.object.kind", "Pod") "," S("k8s.object.name", "cart-0") "," S(
                         "k8s.object.uid", "u-1") "," S("k8s.node.name", "n1"),
                     "\"timeUnixNano\":7,\"severityText\":\"Normal\",\"body\":"
                     "{\"stringValue\":\"pulled\"}," ATTRS(S("k8s.event.reason", "Pulled") "," S(
                         "k8s.namespace.name", "shop") "," I("k8s.event.count", "2"))))),
             r->err);
    CHECK_HAS("k8s KubeEvent 7 / flags=0 context{\"k8s.namespace.name\":\"shop\","
              "\"k8s.node.name\":\"n1\",\"k8s.object.kind\":\"Pod\",\"k8s.object.name\":\"cart-0\","
              "\"k8s.object.uid\":\"u-1\",\"k8s.pod.name\":\"cart-0\",\"k8s.pod.uid\":\"u-1\"",
              buf_cstr(&r->text));
    CHECK_HAS("\"count\":2,", buf_cstr(&r->text));
    CHECK_HAS("\"message\":\"pulled\",", buf_cstr(&r->text));
    CHECK_HAS("\"type\":\"Normal\"", buf_cstr(&r->text));
    CHECK_OK(
        otlp_rig_run(
            r, OTLP_LOGS, OTLP_JSON,
            slice_str(LOGS("", BODY(S("kind", "Event") "," S("note", "n") "," M(
                                   "regarding",
                                   S("kind", "Node") "," S(
                                       "name", "n1")) "," M("series",
                                                            I("count", "9") "," S(
                                                                "lastObservedTime",
                                                                "2026-08-17T02:00:00.5+02:00")))))),
        r->err);
    CHECK_HAS("KubeEvent 1786924800500000000 / flags=0 context{\"host.name\":\"n1\","
              "\"k8s.node.name\":\"n1\",\"kaiju.tenant\":\"acme\"}",
              buf_cstr(&r->text));
    CHECK_HAS("\"count\":9,\"message\":\"n\"", buf_cstr(&r->text));
    otlp_rig_free(r);
}

TEST(otlp_log_that_only_resembles_a_kube_event_stays_a_log)
{
    static const char *const bodies[] = {
        LOGS("", BODY(S("type", "DELETED") "," M("object", OBJECT))),
        LOGS("", BODY(S("kind", "Event"))),
        LOGS("", BODY(S("kind", "Pod") "," M("involvedObject", S("kind", "Pod")))),
        LOGS("", BODY(S("object", "text"))),
    };
    struct otlp_rig *r = otlp_rig_new();
    for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
        CHECK_OK(otlp_rig_run(r, OTLP_LOGS, OTLP_JSON, slice_str(bodies[i])), r->err);
        CHECK_HAS("logs LogRecord ", buf_cstr(&r->text));
        CHECK_EQ(1, r->result.events);
    }
    otlp_rig_free(r);
}

TEST(otlp_log_kube_event_times)
{
    static const struct {
        const char *text;
        long long ts; /* 0: no time */
    } rows[] = {
        {"2026-08-17T00:00:00Z", 1786924800000000000},
        {"2026-08-17t00:00:00z", 1786924800000000000},
        {"2026-08-17T01:30:00.123456789+01:30", 1786924800123456789},
        {"2026-08-16T20:00:00.5-04:00", 1786924800500000000},
        {"2026-08-17T00:00:00.1234567899Z", 1786924800123456789},
        {"2024-02-29T12:00:00Z", 1709208000000000000},
        {"2000-03-01T00:00:00Z", 951868800000000000},
        {"1970-01-01T00:00:01Z", 1000000000},
        {"1970-01-01T00:00:00Z", 0},
        {"1960-01-01T00:00:00Z", 0},
        {"2026-08-17T00:00:00", 0},
        {"2026-08-17T00:00:00.Z", 0},
        {"2026-08-17T00:00:00Zx", 0},
        {"2026-08-17 ", 0},
        {"2026-13-17T00:00:00Z", 0},
        {"2026-00-17T00:00:00Z", 0},
        {"9999-12-31T23:59:59Z", 0},
        {"2026-08-17T00:00:00+0100", 0},
        {"", 0},
    };
    struct otlp_rig *r = otlp_rig_new();
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct buf b, want;
        buf_init(&b, MIB);
        buf_init(&want, MIB);
        buf_addf(&b,
                 LOGS("", BODY(S("kind", "Event") "," S("lastTimestamp", "%s") "," M(
                              "involvedObject", S("kind", "Job")))),
                 rows[i].text);
        buf_addf(&want, "KubeEvent %lld / flags=%d ", rows[i].ts != 0 ? rows[i].ts : OTLP_TEST_NOW,
                 rows[i].ts != 0 ? 0 : 4);
        CHECK_OK(otlp_rig_run(r, OTLP_LOGS, OTLP_JSON, buf_slice(&b)), r->err);
        CHECK_HAS(buf_cstr(&want), buf_cstr(&r->text));
        buf_done(&b);
        buf_done(&want);
    }
    otlp_rig_free(r);
}
