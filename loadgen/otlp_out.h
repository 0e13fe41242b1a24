/* SPDX-License-Identifier: Apache-2.0
 *
 * What the generator makes, as OTLP protobuf: attributes, resources, spans, log records, metric
 * points, one function each, writing into a buffer. Field numbers are those of opentelemetry-proto.
 */
#ifndef LOADGEN_OTLP_OUT_H
#define LOADGEN_OTLP_OUT_H

#include "core/base/buf.h"

struct shop;
struct pod;
struct red;

enum signal { SIGNAL_SPANS = 0, SIGNAL_LOGS = 1, SIGNAL_METRICS = 2, SIGNAL_COUNT = 3 };

enum attr_kind { ATTR_STRING = 0, ATTR_INT = 1, ATTR_DOUBLE = 2, ATTR_BOOL = 3 };

struct attr {
    const char *key;
    enum attr_kind kind;
    const char *text;
    int64_t i;
    double d;
};

#define ATTR_S(key_, text_) ((struct attr){.key = (key_), .text = (text_)})
#define ATTR_I(key_, i_)    ((struct attr){.key = (key_), .kind = ATTR_INT, .i = (i_)})

enum { SPAN_ATTRS_MAX = 12 };

struct span_out {
    uint8_t trace[16], id[8], parent[8], link_trace[16], link_span[8];
    bool has_parent, has_link;
    const char *name;
    int kind; /* OTLP SpanKind */
    int64_t start_ns, end_ns;
    struct attr attrs[SPAN_ATTRS_MAX];
    size_t attr_count;
    bool error;
    const char *message;                         /* of the status */
    const char *exception_type, *exception_text; /* NULL = no exception event */
};

struct log_out {
    int64_t time_ns;
    int severity; /* OTLP SeverityNumber */
    const char *severity_text, *body, *event_name;
    struct attr attrs[SPAN_ATTRS_MAX];
    size_t attr_count;
    const uint8_t *trace, *span; /* NULL = none */
};

/* One number. A counter when monotonic. */
struct number_out {
    const char *name, *unit, *description;
    bool counter, is_int;
    double value;
    int64_t start_ns, time_ns;
    struct attr attrs[SPAN_ATTRS_MAX];
    size_t attr_count;
};

void otlp_out_resource(struct buf *b, const struct shop *s, const struct pod *p);
void otlp_out_span(struct buf *b, const struct span_out *span);
void otlp_out_log(struct buf *b, const struct log_out *log);
void otlp_out_number(struct buf *b, const struct number_out *n);
void otlp_out_latency(struct buf *b, const char *name, const struct red *red, int64_t start_ns,
                      int64_t time_ns);

#endif
