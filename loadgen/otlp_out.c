/* SPDX-License-Identifier: Apache-2.0
 *
 * See otlp_out.h.
 */
#include "loadgen/otlp_out.h"

#include "core/codec/pbwrite.h"
#include "loadgen/shop.h"

#include <assert.h>

enum { TEMPORALITY_CUMULATIVE = 2, STATUS_ERROR = 2 };

const char *otlp_out_signal_name(enum signal signal)
{
    static const char *const names[SIGNAL_COUNT] = {
        [SIGNAL_SPANS] = "spans", [SIGNAL_LOGS] = "logs", [SIGNAL_METRICS] = "metrics"};
    assert(signal < SIGNAL_COUNT);
    return names[signal];
}

static void put_text(struct buf *b, uint32_t field, const char *text)
{
    if (text != NULL && text[0] != '\0') {
        pbwrite_string(b, field, slice_str(text));
    }
}

static void put_attr(struct buf *b, uint32_t field, const struct attr *a)
{
    size_t pair = pbwrite_open(b, field);
    pbwrite_string(b, 1, slice_str(a->key));
    size_t value = pbwrite_open(b, 2);
    switch (a->kind) {
    case ATTR_STRING: pbwrite_string(b, 1, slice_str(a->text)); break;
    case ATTR_BOOL: pbwrite_varint(b, 2, a->i != 0); break;
    case ATTR_INT: pbwrite_varint(b, 3, (uint64_t)a->i); break;
    case ATTR_DOUBLE: pbwrite_double(b, 4, a->d); break;
    }
    pbwrite_close(b, value);
    pbwrite_close(b, pair);
}

static void put_attrs(struct buf *b, uint32_t field, const struct attr *attrs, size_t n)
{
    assert(n <= SPAN_ATTRS_MAX);
    for (size_t i = 0; i < n; i++) {
        put_attr(b, field, &attrs[i]);
    }
}

static void put_bytes(struct buf *b, uint32_t field, const uint8_t *p, size_t n)
{
    pbwrite_string(b, field, slice_of(p, n));
}

void otlp_out_resource(struct buf *b, const struct attr *attrs, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        put_attr(b, 1, &attrs[i]);
    }
}

void otlp_out_pod(struct buf *b, const struct shop *s, const struct pod *p)
{
    const struct service *service = &shop_services[p->service];
    const struct attr attrs[] = {
        ATTR_S("service.name", service->name),
        ATTR_S("service.namespace", "shop"),
        ATTR_S("service.version", p->version),
        ATTR_S("service.instance.id", p->uid),
        ATTR_S("k8s.cluster.name", s->cluster),
        ATTR_S("k8s.namespace.name", "shop"),
        ATTR_S("k8s.deployment.name", service->name),
        ATTR_S("k8s.pod.name", p->name),
        ATTR_S("k8s.pod.uid", p->uid),
        ATTR_S("k8s.container.name", service->name),
        ATTR_S("k8s.node.name", s->nodes[p->node].name),
        ATTR_S("telemetry.sdk.name", "opentelemetry"),
        ATTR_S("telemetry.sdk.language", service->language),
        ATTR_S("deployment.environment.name", "demo"),
    };
    otlp_out_resource(b, attrs, ARRAY_LEN(attrs));
}

void otlp_out_span(struct buf *b, const struct span_out *span)
{
    put_bytes(b, 1, span->trace, 16);
    put_bytes(b, 2, span->id, 8);
    if (span->has_parent) {
        put_bytes(b, 4, span->parent, 8);
    }
    pbwrite_string(b, 5, slice_str(span->name));
    pbwrite_varint(b, 6, (uint64_t)span->kind);
    pbwrite_fixed64(b, 7, (uint64_t)span->start_ns);
    pbwrite_fixed64(b, 8, (uint64_t)span->end_ns);
    put_attrs(b, 9, span->attrs, span->attr_count);
    if (span->exception_type != NULL) {
        size_t exception = pbwrite_open(b, 11);
        pbwrite_fixed64(b, 1, (uint64_t)span->end_ns);
        pbwrite_string(b, 2, SLICE("exception"));
        put_attr(b, 3, &ATTR_S("exception.type", span->exception_type));
        put_attr(b, 3, &ATTR_S("exception.message", span->exception_text));
        put_attr(b, 3, &ATTR_S("exception.stacktrace", span->exception_stack));
        pbwrite_close(b, exception);
    }
    if (span->has_link) {
        size_t link = pbwrite_open(b, 13);
        put_bytes(b, 1, span->link_trace, 16);
        put_bytes(b, 2, span->link_span, 8);
        pbwrite_close(b, link);
    }
    if (span->error) {
        size_t status = pbwrite_open(b, 15);
        put_text(b, 2, span->message);
        pbwrite_varint(b, 3, STATUS_ERROR);
        pbwrite_close(b, status);
    }
    /* Sampled; it is known whether the parent is remote, and whether it is. */
    pbwrite_fixed32(b, 16, span->parent_is_remote ? 0x301 : 0x101);
}

void otlp_out_log(struct buf *b, const struct log_out *log)
{
    pbwrite_fixed64(b, 1, (uint64_t)log->time_ns);
    pbwrite_varint(b, 2, (uint64_t)log->severity);
    put_text(b, 3, log->severity_text);
    size_t body = pbwrite_open(b, 5);
    pbwrite_string(b, 1, slice_str(log->body));
    pbwrite_close(b, body);
    put_attrs(b, 6, log->attrs, log->attr_count);
    if (log->trace != NULL) {
        pbwrite_fixed32(b, 8, 1);
        put_bytes(b, 9, log->trace, 16);
        put_bytes(b, 10, log->span, 8);
    }
    pbwrite_fixed64(b, 11, (uint64_t)log->time_ns);
    put_text(b, 12, log->event_name);
}

struct metric_out otlp_out_metric(struct buf *b, const char *name, const char *unit,
                                  enum metric_kind kind)
{
    static const uint32_t fields[] = {
        [METRIC_GAUGE] = 5, [METRIC_COUNTER] = 7, [METRIC_LATENCY] = 9};
    put_text(b, 1, name);
    put_text(b, 3, unit);
    struct metric_out m = {.b = b, .kind = kind};
    m.data = pbwrite_open(b, fields[kind]);
    return m;
}

void otlp_out_metric_end(const struct metric_out *m)
{
    assert(m->points > 0);
    if (m->kind != METRIC_GAUGE) {
        pbwrite_varint(m->b, 2, TEMPORALITY_CUMULATIVE);
    }
    if (m->kind == METRIC_COUNTER) {
        pbwrite_varint(m->b, 3, 1); /* monotonic */
    }
    pbwrite_close(m->b, m->data);
}

/* What a histogram has before its attributes, and behind them. */
static void put_buckets(struct buf *b, const struct red *red)
{
    pbwrite_fixed64(b, 4, red->count);
    pbwrite_double(b, 5, red->sum_s);
    pbwrite_packed_fixed64(b, 6, red->buckets, SHOP_BUCKETS);
    pbwrite_packed_double(b, 7, shop_bounds, SHOP_BUCKETS - 1);
    if (red->exemplar_ns != 0) {
        size_t exemplar = pbwrite_open(b, 8);
        pbwrite_fixed64(b, 2, (uint64_t)red->exemplar_ns);
        pbwrite_double(b, 3, red->exemplar_s);
        put_bytes(b, 4, red->exemplar_span, 8);
        put_bytes(b, 5, red->exemplar_trace, 16);
        pbwrite_close(b, exemplar);
    }
}

static void put_extremes(struct buf *b, const struct red *red)
{
    pbwrite_double(b, 11, red->min_s);
    pbwrite_double(b, 12, red->max_s);
}

void otlp_out_point(struct metric_out *m, const struct point_out *p)
{
    struct buf *b = m->b;
    assert((m->kind == METRIC_LATENCY) == (p->red != NULL));
    size_t point = pbwrite_open(b, 1);
    if (m->kind != METRIC_GAUGE) {
        pbwrite_fixed64(b, 2, (uint64_t)p->start_ns);
    }
    pbwrite_fixed64(b, 3, (uint64_t)p->time_ns);
    if (p->red != NULL) {
        put_buckets(b, p->red);
    } else if (p->is_int) {
        pbwrite_fixed64(b, 6, (uint64_t)(int64_t)p->value);
    } else {
        pbwrite_double(b, 4, p->value);
    }
    put_attrs(b, p->red != NULL ? 9 : 7, p->attrs, p->attr_count);
    if (p->red != NULL) {
        put_extremes(b, p->red);
    }
    pbwrite_close(b, point);
    m->points++;
}
