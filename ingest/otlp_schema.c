/* SPDX-License-Identifier: Apache-2.0
 *
 * See otlp_schema.h. Fields that stand here have a meaning for us; the others of the standard are
 * skipped like unknown ones: entity references (nothing asks for them) and the indices of strings
 * (key_strindex), which exist for profiles alone.
 */
#include "ingest/otlp_schema.h"

#include <assert.h>

#define M(name)            OTLP_TYPE_MESSAGE, OTLP_MSG_##name
#define S(type)            OTLP_TYPE_##type, OTLP_MSG_NONE
#define FIELDS(name)       static const struct otlp_field name##_FIELDS[] =
#define MESSAGE(id, label) [OTLP_MSG_##id] = {label, id##_FIELDS, ARRAY_LEN(id##_FIELDS), false}
#define ITEM(id, label)    [OTLP_MSG_##id] = {label, id##_FIELDS, ARRAY_LEN(id##_FIELDS), true}

FIELDS(TRACES){
    {"resourceSpans", 1, M(RESOURCE_SPANS), true},
};
FIELDS(METRICS){
    {"resourceMetrics", 1, M(RESOURCE_METRICS), true},
};
FIELDS(LOGS){
    {"resourceLogs", 1, M(RESOURCE_LOGS), true},
};
FIELDS(RESOURCE_SPANS){
    {"resource", 1, M(RESOURCE), false},
    {"scopeSpans", 2, M(SCOPE_SPANS), true},
    {"schemaUrl", 3, S(STRING), false},
};
FIELDS(RESOURCE_METRICS){
    {"resource", 1, M(RESOURCE), false},
    {"scopeMetrics", 2, M(SCOPE_METRICS), true},
    {"schemaUrl", 3, S(STRING), false},
};
FIELDS(RESOURCE_LOGS){
    {"resource", 1, M(RESOURCE), false},
    {"scopeLogs", 2, M(SCOPE_LOGS), true},
    {"schemaUrl", 3, S(STRING), false},
};
FIELDS(RESOURCE){
    {"attributes", 1, M(KEY_VALUE), true},
    {"droppedAttributesCount", 2, S(UINT), false},
};
FIELDS(SCOPE_SPANS){
    {"scope", 1, M(SCOPE), false},
    {"spans", 2, M(SPAN), true},
    {"schemaUrl", 3, S(STRING), false},
};
FIELDS(SCOPE_METRICS){
    {"scope", 1, M(SCOPE), false},
    {"metrics", 2, M(METRIC), true},
    {"schemaUrl", 3, S(STRING), false},
};
FIELDS(SCOPE_LOGS){
    {"scope", 1, M(SCOPE), false},
    {"logRecords", 2, M(LOG_RECORD), true},
    {"schemaUrl", 3, S(STRING), false},
};
FIELDS(SCOPE){
    {"name", 1, S(STRING), false},
    {"version", 2, S(STRING), false},
    {"attributes", 3, M(KEY_VALUE), true},
    {"droppedAttributesCount", 4, S(UINT), false},
};
FIELDS(KEY_VALUE){
    {"key", 1, S(STRING), false},
    {"value", 2, M(ANY_VALUE), false},
};
FIELDS(ANY_VALUE){
    {"stringValue", 1, S(STRING), false},     {"boolValue", 2, S(BOOL), false},
    {"intValue", 3, S(INT), false},           {"doubleValue", 4, S(DOUBLE), false},
    {"arrayValue", 5, M(ARRAY_VALUE), false}, {"kvlistValue", 6, M(KEY_VALUE_LIST), false},
    {"bytesValue", 7, S(BYTES), false},
};
FIELDS(ARRAY_VALUE){
    {"values", 1, M(ANY_VALUE), true},
};
FIELDS(KEY_VALUE_LIST){
    {"values", 1, M(KEY_VALUE), true},
};
FIELDS(SPAN){
    {"traceId", 1, S(ID), false},
    {"spanId", 2, S(ID), false},
    {"traceState", 3, S(STRING), false},
    {"parentSpanId", 4, S(ID), false},
    {"name", 5, S(STRING), false},
    {"kind", 6, S(INT), false},
    {"startTimeUnixNano", 7, S(FIXED64), false},
    {"endTimeUnixNano", 8, S(FIXED64), false},
    {"attributes", 9, M(KEY_VALUE), true},
    {"droppedAttributesCount", 10, S(UINT), false},
    {"events", 11, M(SPAN_EVENT), true},
    {"droppedEventsCount", 12, S(UINT), false},
    {"links", 13, M(SPAN_LINK), true},
    {"droppedLinksCount", 14, S(UINT), false},
    {"status", 15, M(STATUS), false},
    {"flags", 16, S(FIXED32), false},
};
FIELDS(SPAN_EVENT){
    {"timeUnixNano", 1, S(FIXED64), false},
    {"name", 2, S(STRING), false},
    {"attributes", 3, M(KEY_VALUE), true},
    {"droppedAttributesCount", 4, S(UINT), false},
};
FIELDS(SPAN_LINK){
    {"traceId", 1, S(ID), false},
    {"spanId", 2, S(ID), false},
    {"traceState", 3, S(STRING), false},
    {"attributes", 4, M(KEY_VALUE), true},
    {"droppedAttributesCount", 5, S(UINT), false},
    {"flags", 6, S(FIXED32), false},
};
FIELDS(STATUS){
    {"message", 2, S(STRING), false},
    {"code", 3, S(INT), false},
};
FIELDS(METRIC){
    {"name", 1, S(STRING), false},
    {"description", 2, S(STRING), false},
    {"unit", 3, S(STRING), false},
    {"gauge", 5, M(GAUGE), false},
    {"sum", 7, M(SUM), false},
    {"histogram", 9, M(HISTOGRAM), false},
    {"exponentialHistogram", 10, M(EXP_HISTOGRAM), false},
    {"summary", 11, M(SUMMARY), false},
    {"metadata", 12, M(KEY_VALUE), true},
};
FIELDS(GAUGE){
    {"dataPoints", 1, M(NUMBER_POINT), true},
};
FIELDS(SUM){
    {"dataPoints", 1, M(NUMBER_POINT), true},
    {"aggregationTemporality", 2, S(INT), false},
    {"isMonotonic", 3, S(BOOL), false},
};
FIELDS(HISTOGRAM){
    {"dataPoints", 1, M(HISTOGRAM_POINT), true},
    {"aggregationTemporality", 2, S(INT), false},
};
FIELDS(EXP_HISTOGRAM){
    {"dataPoints", 1, M(EXP_POINT), true},
    {"aggregationTemporality", 2, S(INT), false},
};
FIELDS(SUMMARY){
    {"dataPoints", 1, M(SUMMARY_POINT), true},
};
FIELDS(NUMBER_POINT){
    {"startTimeUnixNano", 2, S(FIXED64), false},
    {"timeUnixNano", 3, S(FIXED64), false},
    {"asDouble", 4, S(DOUBLE), false},
    {"exemplars", 5, M(EXEMPLAR), true},
    {"asInt", 6, S(SFIXED64), false},
    {"attributes", 7, M(KEY_VALUE), true},
    {"flags", 8, S(UINT), false},
};
FIELDS(HISTOGRAM_POINT){
    {"startTimeUnixNano", 2, S(FIXED64), false},
    {"timeUnixNano", 3, S(FIXED64), false},
    {"count", 4, S(FIXED64), false},
    {"sum", 5, S(DOUBLE), false},
    {"bucketCounts", 6, S(FIXED64), true},
    {"explicitBounds", 7, S(DOUBLE), true},
    {"exemplars", 8, M(EXEMPLAR), true},
    {"attributes", 9, M(KEY_VALUE), true},
    {"flags", 10, S(UINT), false},
    {"min", 11, S(DOUBLE), false},
    {"max", 12, S(DOUBLE), false},
};
FIELDS(EXP_POINT){
    {"attributes", 1, M(KEY_VALUE), true},  {"startTimeUnixNano", 2, S(FIXED64), false},
    {"timeUnixNano", 3, S(FIXED64), false}, {"count", 4, S(FIXED64), false},
    {"sum", 5, S(DOUBLE), false},           {"scale", 6, S(SINT), false},
    {"zeroCount", 7, S(FIXED64), false},    {"positive", 8, M(BUCKETS), false},
    {"negative", 9, M(BUCKETS), false},     {"flags", 10, S(UINT), false},
    {"exemplars", 11, M(EXEMPLAR), true},   {"min", 12, S(DOUBLE), false},
    {"max", 13, S(DOUBLE), false},          {"zeroThreshold", 14, S(DOUBLE), false},
};
FIELDS(BUCKETS){
    {"offset", 1, S(SINT), false},
    {"bucketCounts", 2, S(UINT), true},
};
FIELDS(SUMMARY_POINT){
    {"startTimeUnixNano", 2, S(FIXED64), false},
    {"timeUnixNano", 3, S(FIXED64), false},
    {"count", 4, S(FIXED64), false},
    {"sum", 5, S(DOUBLE), false},
    {"quantileValues", 6, M(QUANTILE), true},
    {"attributes", 7, M(KEY_VALUE), true},
    {"flags", 8, S(UINT), false},
};
FIELDS(QUANTILE){
    {"quantile", 1, S(DOUBLE), false},
    {"value", 2, S(DOUBLE), false},
};
FIELDS(EXEMPLAR){
    {"timeUnixNano", 2, S(FIXED64), false},
    {"asDouble", 3, S(DOUBLE), false},
    {"spanId", 4, S(ID), false},
    {"traceId", 5, S(ID), false},
    {"asInt", 6, S(SFIXED64), false},
    {"filteredAttributes", 7, M(KEY_VALUE), true},
};
FIELDS(LOG_RECORD){
    {"timeUnixNano", 1, S(FIXED64), false}, {"severityNumber", 2, S(INT), false},
    {"severityText", 3, S(STRING), false},  {"body", 5, M(ANY_VALUE), false},
    {"attributes", 6, M(KEY_VALUE), true},  {"droppedAttributesCount", 7, S(UINT), false},
    {"flags", 8, S(FIXED32), false},        {"traceId", 9, S(ID), false},
    {"spanId", 10, S(ID), false},           {"observedTimeUnixNano", 11, S(FIXED64), false},
    {"eventName", 12, S(STRING), false},
};

const struct otlp_message otlp_messages[OTLP_MSG_COUNT] = {
    MESSAGE(TRACES, "ExportTraceServiceRequest"),
    MESSAGE(METRICS, "ExportMetricsServiceRequest"),
    MESSAGE(LOGS, "ExportLogsServiceRequest"),
    MESSAGE(RESOURCE_SPANS, "ResourceSpans"),
    MESSAGE(RESOURCE_METRICS, "ResourceMetrics"),
    MESSAGE(RESOURCE_LOGS, "ResourceLogs"),
    MESSAGE(RESOURCE, "Resource"),
    MESSAGE(SCOPE_SPANS, "ScopeSpans"),
    MESSAGE(SCOPE_METRICS, "ScopeMetrics"),
    MESSAGE(SCOPE_LOGS, "ScopeLogs"),
    MESSAGE(SCOPE, "InstrumentationScope"),
    MESSAGE(KEY_VALUE, "KeyValue"),
    MESSAGE(ANY_VALUE, "AnyValue"),
    MESSAGE(ARRAY_VALUE, "ArrayValue"),
    MESSAGE(KEY_VALUE_LIST, "KeyValueList"),
    ITEM(SPAN, "Span"),
    MESSAGE(SPAN_EVENT, "Event"),
    MESSAGE(SPAN_LINK, "Link"),
    MESSAGE(STATUS, "Status"),
    MESSAGE(METRIC, "Metric"),
    MESSAGE(GAUGE, "Gauge"),
    MESSAGE(SUM, "Sum"),
    MESSAGE(HISTOGRAM, "Histogram"),
    MESSAGE(EXP_HISTOGRAM, "ExponentialHistogram"),
    MESSAGE(SUMMARY, "Summary"),
    ITEM(NUMBER_POINT, "NumberDataPoint"),
    ITEM(HISTOGRAM_POINT, "HistogramDataPoint"),
    ITEM(EXP_POINT, "ExponentialHistogramDataPoint"),
    MESSAGE(BUCKETS, "Buckets"),
    ITEM(SUMMARY_POINT, "SummaryDataPoint"),
    MESSAGE(QUANTILE, "ValueAtQuantile"),
    MESSAGE(EXEMPLAR, "Exemplar"),
    ITEM(LOG_RECORD, "LogRecord"),
};

const struct otlp_field *otlp_field_by_name(const struct otlp_message *m, struct slice name,
                                            uint32_t *hint)
{
    assert(m != NULL && hint != NULL);
    for (uint32_t i = 0; i < m->fields_len; i++) {
        uint32_t at = *hint + i < m->fields_len ? *hint + i : *hint + i - m->fields_len;
        if (slice_eq(slice_str(m->fields[at].name), name)) {
            *hint = at;
            return &m->fields[at];
        }
    }
    return NULL;
}
