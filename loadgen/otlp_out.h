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

const char *otlp_out_signal_name(enum signal signal); /* "spans" */

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

enum { SPAN_ATTRS_MAX = 14 };

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
    const char *exception_stack;
    bool parent_is_remote;
};

struct log_out {
    int64_t time_ns;
    int severity; /* OTLP SeverityNumber */
    const char *severity_text, *body, *event_name;
    struct attr attrs[SPAN_ATTRS_MAX];
    size_t attr_count;
    const uint8_t *trace, *span; /* NULL = none */
};

enum metric_kind { METRIC_GAUGE = 0, METRIC_COUNTER = 1, METRIC_LATENCY = 2 };

/* A metric is opened, given points, and closed. Counters and histograms are cumulative. */
struct metric_out {
    struct buf *b;
    enum metric_kind kind;
    size_t data;
    size_t points; /* so far */
};

/* One point: of a gauge or counter a number, of a histogram what `red` counted. */
struct point_out {
    double value;
    bool is_int;
    const struct red *red;
    int64_t start_ns, time_ns; /* start: counters and histograms */
    struct attr attrs[SPAN_ATTRS_MAX];
    size_t attr_count;
};

/* Resource messages, without tag and length. */
void otlp_out_pod(struct buf *b, const struct shop *s, const struct pod *p);
void otlp_out_resource(struct buf *b, const struct attr *attrs, size_t n);
void otlp_out_span(struct buf *b, const struct span_out *span);
void otlp_out_log(struct buf *b, const struct log_out *log);
struct metric_out otlp_out_metric(struct buf *b, const char *name, const char *unit,
                                  enum metric_kind kind);
void otlp_out_point(struct metric_out *m, const struct point_out *p);
void otlp_out_metric_end(const struct metric_out *m);

/* A whole Export request as OTLP/JSON, from its protobuf (otlp_out_json.c). */
void otlp_out_json(struct buf *b, enum signal signal, struct slice request);

#endif
