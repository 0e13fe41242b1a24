/* SPDX-License-Identifier: Apache-2.0
 *
 * OTLP/JSON out of OTLP protobuf, by a table of the messages that this generator makes: names in
 * lowerCamelCase, ids in hexadecimal, 64-bit integers as strings, enumerations as numbers. A field
 * that otlp_out.c begins to write needs its row here; the unit test finds those that have none.
 */
#include "loadgen/otlp_out.h"

#include "core/codec/pbwire.h"
#include "core/codec/text.h"
#include "core/event/rec_json.h"

#include <assert.h>
#include <endian.h>

enum kind { TEXT = 0, HEX, NUMBER, BOOLEAN, BIG, SIGNED, FIXED, REAL, MESSAGE, BIGS, REALS };

struct message;
struct field {
    uint32_t number;
    const char *name;
    enum kind kind;
    bool repeated;
    const struct message *of;
};
struct message {
    const struct field *fields;
    size_t count;
};

#define MESSAGE_OF(fields_)                                                                        \
    {                                                                                              \
        (fields_), ARRAY_LEN(fields_)                                                              \
    }
#define ONE(name_)  MESSAGE, false, &(name_)
#define MANY(name_) MESSAGE, true, &(name_)

static const struct field any_fields[] = {{1, "stringValue", TEXT, false, NULL},
                                          {2, "boolValue", BOOLEAN, false, NULL},
                                          {3, "intValue", BIG, false, NULL},
                                          {4, "doubleValue", REAL, false, NULL}};
static const struct message any = MESSAGE_OF(any_fields);
static const struct field pair_fields[] = {{1, "key", TEXT, false, NULL}, {2, "value", ONE(any)}};
static const struct message pair = MESSAGE_OF(pair_fields);
static const struct field resource_fields[] = {{1, "attributes", MANY(pair)}};
static const struct message resource = MESSAGE_OF(resource_fields);
static const struct field scope_fields[] = {{1, "name", TEXT, false, NULL},
                                            {2, "version", TEXT, false, NULL}};
static const struct message scope = MESSAGE_OF(scope_fields);

static const struct field event_fields[] = {{1, "timeUnixNano", FIXED, false, NULL},
                                            {2, "name", TEXT, false, NULL},
                                            {3, "attributes", MANY(pair)}};
static const struct message span_event = MESSAGE_OF(event_fields);
static const struct field link_fields[] = {{1, "traceId", HEX, false, NULL},
                                           {2, "spanId", HEX, false, NULL}};
static const struct message span_link = MESSAGE_OF(link_fields);
static const struct field status_fields[] = {{2, "message", TEXT, false, NULL},
                                             {3, "code", NUMBER, false, NULL}};
static const struct message status = MESSAGE_OF(status_fields);
static const struct field span_fields[] = {{1, "traceId", HEX, false, NULL},
                                           {2, "spanId", HEX, false, NULL},
                                           {4, "parentSpanId", HEX, false, NULL},
                                           {5, "name", TEXT, false, NULL},
                                           {6, "kind", NUMBER, false, NULL},
                                           {7, "startTimeUnixNano", FIXED, false, NULL},
                                           {8, "endTimeUnixNano", FIXED, false, NULL},
                                           {9, "attributes", MANY(pair)},
                                           {11, "events", MANY(span_event)},
                                           {13, "links", MANY(span_link)},
                                           {15, "status", ONE(status)},
                                           {16, "flags", NUMBER, false, NULL}};
static const struct message span = MESSAGE_OF(span_fields);

static const struct field log_fields[] = {{1, "timeUnixNano", FIXED, false, NULL},
                                          {2, "severityNumber", NUMBER, false, NULL},
                                          {3, "severityText", TEXT, false, NULL},
                                          {5, "body", ONE(any)},
                                          {6, "attributes", MANY(pair)},
                                          {8, "flags", NUMBER, false, NULL},
                                          {9, "traceId", HEX, false, NULL},
                                          {10, "spanId", HEX, false, NULL},
                                          {11, "observedTimeUnixNano", FIXED, false, NULL},
                                          {12, "eventName", TEXT, false, NULL}};
static const struct message log_record = MESSAGE_OF(log_fields);

static const struct field exemplar_fields[] = {{2, "timeUnixNano", FIXED, false, NULL},
                                               {3, "asDouble", REAL, false, NULL},
                                               {4, "spanId", HEX, false, NULL},
                                               {5, "traceId", HEX, false, NULL}};
static const struct message exemplar = MESSAGE_OF(exemplar_fields);
static const struct field number_fields[] = {{2, "startTimeUnixNano", FIXED, false, NULL},
                                             {3, "timeUnixNano", FIXED, false, NULL},
                                             {4, "asDouble", REAL, false, NULL},
                                             {6, "asInt", SIGNED, false, NULL},
                                             {7, "attributes", MANY(pair)}};
static const struct message number = MESSAGE_OF(number_fields);
static const struct field buckets_fields[] = {{2, "startTimeUnixNano", FIXED, false, NULL},
                                              {3, "timeUnixNano", FIXED, false, NULL},
                                              {4, "count", FIXED, false, NULL},
                                              {5, "sum", REAL, false, NULL},
                                              {6, "bucketCounts", BIGS, false, NULL},
                                              {7, "explicitBounds", REALS, false, NULL},
                                              {8, "exemplars", MANY(exemplar)},
                                              {9, "attributes", MANY(pair)},
                                              {11, "min", REAL, false, NULL},
                                              {12, "max", REAL, false, NULL}};
static const struct message buckets = MESSAGE_OF(buckets_fields);
static const struct field gauge_fields[] = {{1, "dataPoints", MANY(number)}};
static const struct message gauge = MESSAGE_OF(gauge_fields);
static const struct field sum_fields[] = {{1, "dataPoints", MANY(number)},
                                          {2, "aggregationTemporality", NUMBER, false, NULL},
                                          {3, "isMonotonic", BOOLEAN, false, NULL}};
static const struct message sum = MESSAGE_OF(sum_fields);
static const struct field histogram_fields[] = {{1, "dataPoints", MANY(buckets)},
                                                {2, "aggregationTemporality", NUMBER, false, NULL}};
static const struct message histogram = MESSAGE_OF(histogram_fields);
static const struct field metric_fields[] = {
    {1, "name", TEXT, false, NULL}, {2, "description", TEXT, false, NULL},
    {3, "unit", TEXT, false, NULL}, {5, "gauge", ONE(gauge)},
    {7, "sum", ONE(sum)},           {9, "histogram", ONE(histogram)}};
static const struct message metric = MESSAGE_OF(metric_fields);

static const struct field scoped_fields[SIGNAL_COUNT][2] = {
    [SIGNAL_SPANS] = {{1, "scope", ONE(scope)}, {2, "spans", MANY(span)}},
    [SIGNAL_LOGS] = {{1, "scope", ONE(scope)}, {2, "logRecords", MANY(log_record)}},
    [SIGNAL_METRICS] = {{1, "scope", ONE(scope)}, {2, "metrics", MANY(metric)}}};
static const struct message scoped[SIGNAL_COUNT] = {[SIGNAL_SPANS] = {scoped_fields[0], 2},
                                                    [SIGNAL_LOGS] = {scoped_fields[1], 2},
                                                    [SIGNAL_METRICS] = {scoped_fields[2], 2}};
static const struct field group_fields[SIGNAL_COUNT][2] = {
    [SIGNAL_SPANS] = {{1, "resource", ONE(resource)}, {2, "scopeSpans", MANY(scoped[0])}},
    [SIGNAL_LOGS] = {{1, "resource", ONE(resource)}, {2, "scopeLogs", MANY(scoped[1])}},
    [SIGNAL_METRICS] = {{1, "resource", ONE(resource)}, {2, "scopeMetrics", MANY(scoped[2])}}};
static const struct message group[SIGNAL_COUNT] = {[SIGNAL_SPANS] = {group_fields[0], 2},
                                                   [SIGNAL_LOGS] = {group_fields[1], 2},
                                                   [SIGNAL_METRICS] = {group_fields[2], 2}};
static const struct field request_fields[SIGNAL_COUNT] = {
    [SIGNAL_SPANS] = {1, "resourceSpans", MANY(group[0])},
    [SIGNAL_LOGS] = {1, "resourceLogs", MANY(group[1])},
    [SIGNAL_METRICS] = {1, "resourceMetrics", MANY(group[2])}};

static void put_message(struct buf *b, const struct message *m, struct slice bytes);

static uint64_t read_le(const char *p)
{
    uint64_t v;
    memcpy(&v, p, sizeof v);
    return le64toh(v);
}

/* Packed fixed64 or double. */
static void put_packed(struct buf *b, bool reals, struct slice packed)
{
    buf_add_byte(b, '[');
    for (size_t i = 0; i + 8 <= packed.len; i += 8) {
        uint64_t v = read_le(packed.ptr + i);
        const char *comma = i > 0 ? "," : "";
        if (reals) {
            buf_addf(b, "%s%.17g", comma, pbwire_double(v));
        } else {
            buf_addf(b, "%s\"%llu\"", comma, (unsigned long long)v);
        }
    }
    buf_add_byte(b, ']');
}

static void put_value(struct buf *b, const struct field *f, const struct pbwire_field *v)
{
    switch (f->kind) {
    case TEXT: rec_json_string(b, v->bytes); break;
    case HEX:
        buf_add_byte(b, '"');
        text_put_hex(b, v->bytes);
        buf_add_byte(b, '"');
        break;
    case NUMBER: buf_addf(b, "%llu", (unsigned long long)v->value); break;
    case BOOLEAN: buf_add_str(b, v->value != 0 ? "true" : "false"); break;
    case BIG:
    case SIGNED: buf_addf(b, "\"%lld\"", (long long)v->value); break;
    case FIXED: buf_addf(b, "\"%llu\"", (unsigned long long)v->value); break;
    case REAL: buf_addf(b, "%.17g", pbwire_double(v->value)); break;
    case MESSAGE: put_message(b, f->of, v->bytes); break;
    case BIGS:
    case REALS: put_packed(b, f->kind == REALS, v->bytes); break;
    }
}

/* One field with all of its occurrences. False: there are none. */
static bool put_field(struct buf *b, const struct field *f, struct slice bytes, const char *before)
{
    struct pbwire r = pbwire_of(bytes);
    struct pbwire_field v = {.bytes = SLICE_NONE};
    bool any_yet = false;
    while (pbwire_next(&r, &v)) {
        if (pbwire_number(&v) != f->number) {
            continue;
        }
        if (!any_yet) {
            buf_addf(b, "%s\"%s\":%s", before, f->name, f->repeated ? "[" : "");
        } else {
            buf_add_byte(b, ',');
        }
        any_yet = true;
        put_value(b, f, &v);
    }
    assert(!pbwire_bad(&r));
    if (any_yet && f->repeated) {
        buf_add_byte(b, ']');
    }
    return any_yet;
}

static void put_message(struct buf *b, const struct message *m, struct slice bytes)
{
    const char *before = "";
    buf_add_byte(b, '{');
    for (size_t i = 0; i < m->count; i++) {
        if (put_field(b, &m->fields[i], bytes, before)) {
            before = ",";
        }
    }
    buf_add_byte(b, '}');
}

void otlp_out_json(struct buf *b, enum signal signal, struct slice request)
{
    assert(signal < SIGNAL_COUNT);
    put_message(b, &(struct message){&request_fields[signal], 1}, request);
}
