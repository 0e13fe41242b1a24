/* SPDX-License-Identifier: Apache-2.0
 *
 * The messages of OTLP as tables: what the JSON reader writes by, and what the check of a request
 * walks by. The decoder (otlp_decode.c) knows the same fields as constants, for speed.
 *
 * To add a field: a row in otlp_schema.c, its place in the decoder, in the mapper, and in the test
 * that walks over every field.
 */
#ifndef INGEST_OTLP_SCHEMA_H
#define INGEST_OTLP_SCHEMA_H

#include "core/base/slice.h"
#include "core/codec/pbwire.h"
#include "ingest/otlp.h"

enum otlp_type {
    OTLP_TYPE_MESSAGE = 0,
    OTLP_TYPE_STRING,
    OTLP_TYPE_BYTES,   /* JSON: base64 */
    OTLP_TYPE_ID,      /* bytes, in JSON hexadecimal */
    OTLP_TYPE_BOOL,    /* varint */
    OTLP_TYPE_INT,     /* varint: int32, int64, enum */
    OTLP_TYPE_UINT,    /* varint */
    OTLP_TYPE_SINT,    /* varint, zigzag */
    OTLP_TYPE_FIXED64, /* unsigned */
    OTLP_TYPE_SFIXED64,
    OTLP_TYPE_FIXED32, /* unsigned */
    OTLP_TYPE_DOUBLE,
};

enum otlp_msg {
    OTLP_MSG_NONE = 0,
    OTLP_MSG_TRACES, /* the requests */
    OTLP_MSG_METRICS,
    OTLP_MSG_LOGS,
    OTLP_MSG_RESOURCE_SPANS,
    OTLP_MSG_RESOURCE_METRICS,
    OTLP_MSG_RESOURCE_LOGS,
    OTLP_MSG_RESOURCE,
    OTLP_MSG_SCOPE_SPANS,
    OTLP_MSG_SCOPE_METRICS,
    OTLP_MSG_SCOPE_LOGS,
    OTLP_MSG_SCOPE,
    OTLP_MSG_KEY_VALUE,
    OTLP_MSG_ANY_VALUE,
    OTLP_MSG_ARRAY_VALUE,
    OTLP_MSG_KEY_VALUE_LIST,
    OTLP_MSG_SPAN,
    OTLP_MSG_SPAN_EVENT,
    OTLP_MSG_SPAN_LINK,
    OTLP_MSG_STATUS,
    OTLP_MSG_METRIC,
    OTLP_MSG_GAUGE,
    OTLP_MSG_SUM,
    OTLP_MSG_HISTOGRAM,
    OTLP_MSG_EXP_HISTOGRAM,
    OTLP_MSG_SUMMARY,
    OTLP_MSG_NUMBER_POINT,
    OTLP_MSG_HISTOGRAM_POINT,
    OTLP_MSG_EXP_POINT,
    OTLP_MSG_BUCKETS,
    OTLP_MSG_SUMMARY_POINT,
    OTLP_MSG_QUANTILE,
    OTLP_MSG_EXEMPLAR,
    OTLP_MSG_LOG_RECORD,
    OTLP_MSG_COUNT,
};

enum { OTLP_FIELD_MAX = 16, OTLP_OLD_SCOPES = 1000 }; /* largest known number; a reserved one */

struct otlp_field {
    const char *name; /* in JSON */
    uint8_t number, type, message;
    bool repeated;
};

struct otlp_message {
    const char *name;
    const struct otlp_field *fields;
    uint32_t fields_len;
    bool item; /* a span, a data point, a log record */
};

extern const struct otlp_message otlp_messages[OTLP_MSG_COUNT];

static inline enum otlp_msg otlp_request_message(enum otlp_signal signal)
{
    return (enum otlp_msg)((int)OTLP_MSG_TRACES + (int)signal);
}
/* NULL: unknown. *hint: where the last one was found; the fields of JSON objects come in order. */
const struct otlp_field *otlp_field_by_name(const struct otlp_message *m, struct slice name,
                                            uint32_t *hint);

/* Most attributes are a short key with a short text: tag and length of the key, the key, tag and
 * length of the value, and in it one text and nothing else. Recognised whole; false = read it field
 * by field. */
static inline bool otlp_plain_attr(struct slice s, struct slice *ret_key, struct slice *ret_text)
{
    const unsigned char *p = (const unsigned char *)s.ptr;
    size_t key = s.len >= 6 ? p[1] : 0xff;
    if (s.len < 6 || p[0] != PBWIRE_TAG(1, PBWIRE_LEN) || key >= 0x80 || key + 6 > s.len) {
        return false;
    }
    const unsigned char *v = p + 2 + key;
    size_t rest = s.len - key - 4; /* the value's bytes */
    if (v[0] != PBWIRE_TAG(2, PBWIRE_LEN) || v[1] != rest || rest >= 0x80 ||
        v[2] != PBWIRE_TAG(1, PBWIRE_LEN) || v[3] != rest - 2) {
        return false;
    }
    *ret_key = slice_of(p + 2, key);
    *ret_text = slice_of(v + 4, rest - 2);
    return true;
}

#endif
