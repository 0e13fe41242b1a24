/* SPDX-License-Identifier: Apache-2.0
 *
 * What a span and its log lines say, in the names of the OpenTelemetry semantic conventions. See
 * trace_gen.h.
 */
#include "loadgen/trace_gen.h"

#include <assert.h>
#include <stdio.h>

enum { INFO = 9, WARN = 13, ERROR = 17 };

static void add_attr(struct span_out *span, struct attr a)
{
    assert(span->attr_count < SPAN_ATTRS_MAX);
    span->attrs[span->attr_count++] = a;
}

static void say_rpc(const struct step *s, struct span_out *span, const struct outcome *out)
{
    add_attr(span, ATTR_S("rpc.system.name", s->system));
    add_attr(span, ATTR_S("rpc.method", s->name));
    add_attr(span,
             ATTR_S("rpc.response.status_code", out->failure != NULL ? out->failure->code : "OK"));
    add_attr(span, ATTR_S("server.address", shop_services[s->service].name));
}

static void say_message(const struct visit *v, const struct step *s, struct span_out *span)
{
    bool sends = s->kind == STEP_PUBLISH;
    add_attr(span, ATTR_S("messaging.system", s->system));
    add_attr(span, ATTR_S("messaging.destination.name", "orders"));
    add_attr(span, ATTR_S("messaging.operation.type", sends ? "send" : "process"));
    add_attr(span, ATTR_S("messaging.operation.name", sends ? "send" : "process"));
    if (!sends) {
        add_attr(span, ATTR_S("messaging.consumer.group.name", "orders"));
    }
    add_attr(span, ATTR_S("order.id", v->order));
}

static void say_root(const struct visit *v, struct span_out *span, const struct outcome *out)
{
    add_attr(span, ATTR_S("http.request.method", v->flow->method));
    add_attr(span, ATTR_S("http.route", v->flow->route));
    add_attr(span, ATTR_I("http.response.status_code", out->failure ? out->failure->http : 200));
    add_attr(span, ATTR_S("url.scheme", "https"));
    add_attr(span, ATTR_S("user.id", v->user));
}

static void describe(const struct visit *v, const struct step *s, struct span_out *span,
                     const struct outcome *out)
{
    switch (s->kind) {
    case STEP_ROOT: say_root(v, span, out); break;
    case STEP_CALL: say_rpc(s, span, out); break;
    case STEP_DB:
        add_attr(span, ATTR_S("db.system.name", s->system));
        add_attr(span, ATTR_S("db.query.summary", s->name));
        add_attr(span, ATTR_S("server.address", s->system));
        break;
    case STEP_EXTERNAL:
        add_attr(span, ATTR_S("http.request.method", "POST"));
        add_attr(span, ATTR_S("server.address", s->system));
        add_attr(span, ATTR_I("server.port", 443));
        add_attr(span, ATTR_I("http.response.status_code", 200));
        break;
    case STEP_WORK: break;
    case STEP_PUBLISH:
    case STEP_CONSUME: say_message(v, s, span); break;
    }
    if (s->product) {
        add_attr(span, ATTR_S("app.product.id", v->product));
    }
    if (out->failure != NULL) {
        add_attr(span, ATTR_S("error.type", out->failure->type));
    }
}

static void write_log(struct visit *v, const struct pod *p, const struct span_out *span,
                      int severity, const char *body)
{
    struct log_out log = {
        .time_ns = span->end_ns,
        .severity = severity,
        .severity_text = severity >= ERROR ? "ERROR" : "INFO",
        .body = body,
        .trace = span->trace,
        .span = span->id,
        .attrs = {ATTR_S("operation", span->name),
                  ATTR_I("duration_us", (span->end_ns - span->start_ns) / 1000),
                  ATTR_S("user.id", v->user), ATTR_S("app.product.id", v->product)},
        .attr_count = 4,
    };
    if (span->exception_type != NULL) {
        log.attrs[log.attr_count++] = ATTR_S("exception.type", span->exception_type);
        log.attrs[log.attr_count++] = ATTR_S("exception.message", span->exception_text);
        log.attrs[log.attr_count++] = ATTR_S("exception.stacktrace", span->exception_stack);
    }
    otlp_out_log(&v->w->scratch, &log);
    world_emit(v->w, p->node, p->resource, SIGNAL_LOGS, log.time_ns, 1);
}

void trace_say_warning(struct visit *v, const struct pod *p, int64_t time_ns, const char *body)
{
    if (world_wants(v->w, SIGNAL_LOGS)) {
        struct log_out log = {
            .time_ns = time_ns, .severity = WARN, .severity_text = "WARN", .body = body};
        otlp_out_log(&v->w->scratch, &log);
        world_emit(v->w, p->node, p->resource, SIGNAL_LOGS, time_ns, 1);
    }
}

/* The log lines of a span: as many as the wanted rate says, and one more for a failure. */
static void chat(struct visit *v, const struct pod *p, const struct span_out *span)
{
    char body[200];
    if (!world_wants(v->w, SIGNAL_LOGS)) {
        return;
    }
    if (span->error) {
        snprintf(body, sizeof body, "%s failed: %s", span->name, span->message);
        write_log(v, p, span, ERROR, body);
    }
    /* A rate of 2.4: two lines, and a third with a chance of 0.4. */
    double want = v->w->log_rate;
    for (int i = 0; i < (int)want + 1; i++) {
        if (rng_chance(&v->w->chatter, want - i)) {
            snprintf(body, sizeof body, "%s done in %lld us", span->name,
                     (long long)((span->end_ns - span->start_ns) / 1000));
            write_log(v, p, span, INFO, body);
        }
    }
}

void trace_say(struct visit *v, const struct pod *p, const struct step *s, struct span_out *span,
               const struct outcome *out, bool here)
{
    assert(out->end_ns >= span->start_ns && span->name != NULL);
    span->end_ns = out->end_ns;
    span->error = out->failure != NULL;
    if (span->error) {
        span->message = out->failure->text;
    }
    if (span->error && here) {
        span->exception_type = out->failure->type;
        span->exception_text = out->failure->text;
        span->exception_stack = out->failure->stack;
    }
    if (world_wants(v->w, SIGNAL_SPANS)) {
        describe(v, s, span, out);
        otlp_out_span(&v->w->scratch, span);
        world_emit(v->w, p->node, p->resource, SIGNAL_SPANS, span->end_ns, 1);
    }
    chat(v, p, span);
}
