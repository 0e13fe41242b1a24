/* SPDX-License-Identifier: Apache-2.0
 *
 * See otlp_out.h.
 */
#include "loadgen/otlp_out.h"

#include "core/codec/pbwrite.h"
#include "loadgen/shop.h"

#include <assert.h>

enum { TEMPORALITY_CUMULATIVE = 2, STATUS_ERROR = 2 };

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

void otlp_out_resource(struct buf *b, const struct shop *s, const struct pod *p)
{
    const struct service *service = &shop_services[p->service];
    char node[32];
    shop_node_name(p->node, node);
    const struct attr attrs[] = {
        ATTR_S("service.name", service->name),
        ATTR_S("service.namespace", "shop"),
        ATTR_S("service.version", p->version),
        ATTR_S("service.instance.id", p->uid),
        ATTR_S("k8s.cluster.name", s->cluster),
        ATTR_S("k8s.namespace.name", "shop"),
        ATTR_S("k8s.pod.name", p->name),
        ATTR_S("k8s.pod.uid", p->uid),
        ATTR_S("k8s.container.name", service->name),
        ATTR_S("k8s.node.name", node),
        ATTR_S("telemetry.sdk.language", service->language),
        ATTR_S("deployment.environment.name", "demo"),
    };
    buf_clear(b);
    put_attrs(b, 1, attrs, ARRAY_LEN(attrs));
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
    pbwrite_fixed32(b, 16, 0x101); /* sampled; the parent is known not to be remote or remote */
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

void otlp_out_number(struct buf *b, const struct number_out *n)
{
    put_text(b, 1, n->name);
    put_text(b, 2, n->description);
    put_text(b, 3, n->unit);
    size_t data = pbwrite_open(b, n->counter ? 7 : 5);
    size_t point = pbwrite_open(b, 1);
    if (n->counter) {
        pbwrite_fixed64(b, 2, (uint64_t)n->start_ns);
    }
    pbwrite_fixed64(b, 3, (uint64_t)n->time_ns);
    if (n->is_int) {
        pbwrite_fixed64(b, 6, (uint64_t)(int64_t)n->value);
    } else {
        pbwrite_double(b, 4, n->value);
    }
    put_attrs(b, 7, n->attrs, n->attr_count);
    pbwrite_close(b, point);
    if (n->counter) {
        pbwrite_varint(b, 2, TEMPORALITY_CUMULATIVE);
        pbwrite_varint(b, 3, 1);
    }
    pbwrite_close(b, data);
}

void otlp_out_latency(struct buf *b, const char *name, const struct red *red, int64_t start_ns,
                      int64_t time_ns)
{
    pbwrite_string(b, 1, slice_str(name));
    pbwrite_string(b, 3, SLICE("s"));
    size_t data = pbwrite_open(b, 9);
    size_t point = pbwrite_open(b, 1);
    pbwrite_fixed64(b, 2, (uint64_t)start_ns);
    pbwrite_fixed64(b, 3, (uint64_t)time_ns);
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
    put_attr(b, 9, &ATTR_S("http.route", red->route));
    pbwrite_double(b, 11, red->min_s);
    pbwrite_double(b, 12, red->max_s);
    pbwrite_close(b, point);
    pbwrite_varint(b, 2, TEMPORALITY_CUMULATIVE);
    pbwrite_close(b, data);
}
