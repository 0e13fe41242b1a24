/* SPDX-License-Identifier: Apache-2.0
 *
 * One visitor's request: walks the steps of a flow and makes the spans and the log lines. A step
 * works, then calls its children one after the other, then works again; a caller's CLIENT span
 * encloses the callee's SERVER span by the time on the wire. Children of a PUBLISH begin after it
 * has ended. An error travels up to the root unless it happened behind a message.
 */
#include "loadgen/world.h"

#include "core/base/clock.h"

#include <assert.h>
#include <stdio.h>

enum span_kind {
    KIND_INTERNAL = 1,
    KIND_SERVER = 2,
    KIND_CLIENT = 3,
    KIND_PRODUCER = 4,
    KIND_CONSUMER = 5
};
enum { PRODUCTS = 200, USERS = 5000, INFO = 9, WARN = 13, ERROR = 17 };

struct visit {
    struct world *w;
    const struct flow *flow;
    uint8_t trace[16];
    char user[16], product[16], order[24];
    struct pod *pods[SERVICE_COUNT]; /* who serves this request */
};

struct frame {
    size_t step;
    struct pod *pod; /* where the caller runs */
    uint8_t parent[8];
    bool has_parent;
    int64_t start_ns;
};

struct outcome {
    int64_t end_ns;
    const char *error; /* NULL = fine */
    const char *type;
};

static struct outcome run_step(struct visit *v, const struct frame *f);

static void new_id(struct world *w, uint8_t *out, size_t n)
{
    for (size_t i = 0; i < n; i += 8) {
        uint64_t r = rng_next(&w->ids) | 1; /* never all zero */
        memcpy(out + i, &r, 8);
    }
}

static struct pod *pod_of(struct visit *v, enum service_id service)
{
    if (v->pods[service] == NULL || !v->pods[service]->running) {
        v->pods[service] = shop_pick(&v->w->shop, service, &v->w->visits);
    }
    return v->pods[service];
}

/* How much longer the work takes there, because of incidents. */
static double slowness(const struct world *w, const struct pod *p)
{
    const struct incident *cpu = incident_active(&w->incidents, INCIDENT_CPU_SATURATION, w->now_ns);
    double factor = 1;
    if (p->service == SERVICE_PAYMENT &&
        incident_active(&w->incidents, INCIDENT_SLOW_DEPENDENCY, w->now_ns) != NULL) {
        factor *= 20;
    }
    if (cpu != NULL && strcmp(cpu->pod, p->name) == 0) {
        factor *= 12;
    }
    if (p->service == SERVICE_RECOMMEND &&
        incident_active(&w->incidents, INCIDENT_BAD_ROLLOUT, w->now_ns) != NULL) {
        factor *= 6;
    }
    return factor;
}

static void fail_maybe(struct visit *v, const struct step *s, struct outcome *out)
{
    struct world *w = v->w;
    const struct incident *product =
        incident_active(&w->incidents, INCIDENT_FAILING_PRODUCT, w->now_ns);
    if (product != NULL && s->product && strcmp(v->product, product->product) == 0) {
        out->error = "product record is damaged";
        out->type = "shop.catalog.DamagedRecordError";
    } else if (s->service == SERVICE_RECOMMEND && s->kind == STEP_CALL &&
               incident_active(&w->incidents, INCIDENT_BAD_ROLLOUT, w->now_ns) != NULL &&
               rng_chance(&w->latency, 0.3)) {
        out->error = "model file not found";
        out->type = "FileNotFoundError";
    } else if (s->kind == STEP_CALL && s->service == SERVICE_PAYMENT &&
               rng_chance(&w->latency, 0.004)) {
        out->error = "card was declined";
        out->type = "shop.payment.CardDeclined";
    } else if (s->kind == STEP_CALL && rng_chance(&w->latency, 0.0005)) {
        out->error = "deadline exceeded";
        out->type = "shop.DeadlineExceeded";
    }
}

static void add_attr(struct span_out *span, struct attr a)
{
    assert(span->attr_count < SPAN_ATTRS_MAX);
    span->attrs[span->attr_count++] = a;
}

static void describe(struct visit *v, const struct step *s, struct span_out *span)
{
    switch (s->kind) {
    case STEP_ROOT:
        add_attr(span, ATTR_S("http.request.method", s->name[0] == 'G' ? "GET" : "POST"));
        add_attr(span, ATTR_S("http.route", v->flow->route));
        add_attr(span, ATTR_I("http.response.status_code", span->error ? 500 : 200));
        add_attr(span, ATTR_S("user.id", v->user));
        add_attr(span, ATTR_S("url.scheme", "https"));
        break;
    case STEP_CALL:
        add_attr(span, ATTR_S("rpc.system", s->system));
        add_attr(span, ATTR_S("rpc.method", s->name));
        add_attr(span, ATTR_I("rpc.grpc.status_code", span->error ? 13 : 0));
        add_attr(span, ATTR_S("server.address", shop_services[s->service].name));
        break;
    case STEP_DB:
        add_attr(span, ATTR_S("db.system.name", s->system));
        add_attr(span, ATTR_S("db.query.summary", s->name));
        add_attr(span, ATTR_S("server.address", s->system));
        break;
    case STEP_WORK: break;
    case STEP_PUBLISH:
    case STEP_CONSUME:
        add_attr(span, ATTR_S("messaging.system", s->system));
        add_attr(span, ATTR_S("messaging.destination.name", "orders"));
        add_attr(span,
                 ATTR_S("messaging.operation.type", s->kind == STEP_PUBLISH ? "send" : "process"));
        add_attr(span, ATTR_S("order.id", v->order));
        break;
    }
    if (s->product) {
        add_attr(span, ATTR_S("app.product.id", v->product));
    }
}

static void write_log(struct visit *v, const struct pod *p, const struct span_out *span,
                      int severity, const char *body)
{
    struct log_out log = {
        .time_ns = span->end_ns,
        .severity = severity,
        .severity_text = severity >= ERROR  ? "ERROR"
                         : severity >= WARN ? "WARN"
                                            : "INFO",
        .body = body,
        .trace = span->trace,
        .span = span->id,
        .attrs = {ATTR_S("operation", span->name),
                  ATTR_I("duration_us", (span->end_ns - span->start_ns) / 1000),
                  ATTR_S("user.id", v->user), ATTR_S("app.product.id", v->product)},
        .attr_count = 4,
    };
    if (span->error && span->exception_type != NULL) {
        log.attrs[log.attr_count++] = ATTR_S("exception.type", span->exception_type);
        log.attrs[log.attr_count++] = ATTR_S("exception.message", span->exception_text);
    }
    otlp_out_log(&v->w->scratch, &log);
    world_emit(v->w, p, SIGNAL_LOGS, log.time_ns);
}

static void chat(struct visit *v, const struct pod *p, const struct span_out *span)
{
    char body[160];
    double want = v->w->log_rate;
    if (span->error) {
        snprintf(body, sizeof body, "%s failed: %s", span->name,
                 span->message != NULL ? span->message : "unknown");
        write_log(v, p, span, ERROR, body);
    }
    while (want > 0) {
        if (rng_chance(&v->w->chatter, want)) {
            snprintf(body, sizeof body, "%s done in %lld us", span->name,
                     (long long)((span->end_ns - span->start_ns) / 1000));
            write_log(v, p, span, INFO, body);
        }
        want -= 1;
    }
}

static void finish(struct visit *v, struct pod *p, const struct step *s, struct span_out *span,
                   const struct outcome *out)
{
    span->end_ns = out->end_ns;
    span->error = out->error != NULL;
    span->message = out->error;
    describe(v, s, span);
    otlp_out_span(&v->w->scratch, span);
    world_emit(v->w, p, SIGNAL_SPANS, span->end_ns);
    chat(v, p, span);
}

static int64_t work_ns(struct visit *v, const struct step *s, struct pod *p)
{
    double ms = rng_latency(&v->w->latency, s->self_ms) * slowness(v->w, p);
    p->work_s += ms / 1000 * 0.4;
    return (int64_t)(ms * 1e6);
}

/* The children of a step, one after the other. Returns when the last has ended. */
static struct outcome run_children(struct visit *v, size_t step, struct pod *p,
                                   const uint8_t span[8], int64_t start_ns)
{
    struct outcome all = {.end_ns = start_ns};
    int depth = v->flow->steps[step].depth;
    for (size_t i = step + 1; i < v->flow->step_count && v->flow->steps[i].depth > depth; i++) {
        if (v->flow->steps[i].depth != depth + 1) {
            continue;
        }
        struct frame child = {.step = i, .pod = p, .has_parent = true, .start_ns = all.end_ns};
        memcpy(child.parent, span, 8);
        struct outcome out = run_step(v, &child);
        all.end_ns = MAX(all.end_ns, out.end_ns);
        if (out.error != NULL) {
            all.error = out.error;
            all.type = out.type;
            break;
        }
    }
    return all;
}

static struct span_out begin(const struct visit *v, const struct frame *f, const char *name,
                             enum span_kind kind)
{
    struct span_out span = {
        .has_parent = f->has_parent, .name = name, .kind = (int)kind, .start_ns = f->start_ns};
    memcpy(span.trace, v->trace, 16);
    memcpy(span.parent, f->parent, 8);
    new_id(v->w, span.id, 8);
    return span;
}

/* The work of a SERVER or CONSUMER: its own span, its children, its histogram. */
static struct outcome serve(struct visit *v, const struct frame *f, struct pod *p,
                            enum span_kind kind)
{
    const struct step *s = &v->flow->steps[f->step];
    struct span_out span = begin(v, f, s->name, kind);
    int64_t self = work_ns(v, s, p);
    struct outcome own = {.end_ns = 0};
    fail_maybe(v, s, &own);
    struct outcome out = {.end_ns = f->start_ns + self / 2};
    if (own.error == NULL) {
        out = run_children(v, f->step, p, span.id, out.end_ns);
    } else {
        out.error = own.error;
        out.type = own.type;
        span.exception_type = own.type;
        span.exception_text = own.error;
    }
    out.end_ns += self - self / 2;
    if (kind == KIND_CONSUMER) {
        span.has_link = true;
        memcpy(span.link_trace, v->trace, 16);
        memcpy(span.link_span, f->parent, 8);
    }
    finish(v, p, s, &span, &out);
    shop_count(p, kind == KIND_SERVER && s->kind == STEP_ROOT ? v->flow->route : s->name,
               (double)(out.end_ns - f->start_ns) / 1e9, out.error != NULL, span.trace, span.id,
               out.end_ns);
    return out;
}

static struct outcome call(struct visit *v, const struct frame *f)
{
    const struct step *s = &v->flow->steps[f->step];
    struct span_out span = begin(v, f, s->name, KIND_CLIENT);
    struct pod *callee = pod_of(v, s->service);
    int64_t wire = (int64_t)(rng_latency(&v->w->latency, 0.25) * 1e6);
    struct outcome out = {.end_ns = f->start_ns + wire};
    if (callee == NULL) {
        out.error = "no healthy upstream";
        out.type = "shop.Unavailable";
    } else {
        struct frame inner = {
            .step = f->step, .pod = callee, .has_parent = true, .start_ns = f->start_ns + wire};
        memcpy(inner.parent, span.id, 8);
        out = serve(v, &inner, callee, KIND_SERVER);
    }
    out.end_ns += wire;
    finish(v, f->pod, s, &span, &out);
    return out;
}

static struct outcome publish(struct visit *v, const struct frame *f)
{
    const struct step *s = &v->flow->steps[f->step];
    struct span_out span = begin(v, f, s->name, KIND_PRODUCER);
    struct outcome out = {.end_ns = f->start_ns + work_ns(v, s, f->pod)};
    finish(v, f->pod, s, &span, &out);
    bool lost = incident_active(&v->w->incidents, INCIDENT_ORDERS_LOST, v->w->now_ns) != NULL;
    int64_t later = out.end_ns + (int64_t)(rng_latency(&v->w->latency, 15) * 1e6);
    if (!lost) {
        /* What goes wrong behind the message is not the sender's error. */
        (void)run_children(v, f->step, f->pod, span.id, later);
    } else if (rng_chance(&v->w->chatter, 0.05)) {
        struct pod *orders = pod_of(v, SERVICE_ORDERS);
        if (orders != NULL) {
            write_log(v, orders, &span, WARN, "consumer group orders is rebalancing");
        }
    }
    return out;
}

static struct outcome run_step(struct visit *v, const struct frame *f)
{
    const struct step *s = &v->flow->steps[f->step];
    struct span_out span;
    struct outcome out;
    switch (s->kind) {
    case STEP_ROOT: return serve(v, f, f->pod, KIND_SERVER);
    case STEP_CALL: return call(v, f);
    case STEP_PUBLISH: return publish(v, f);
    case STEP_CONSUME: {
        struct pod *p = pod_of(v, s->service);
        return p != NULL ? serve(v, f, p, KIND_CONSUMER) : (struct outcome){.end_ns = f->start_ns};
    }
    case STEP_DB:
    case STEP_WORK:
        span = begin(v, f, s->name, s->kind == STEP_DB ? KIND_CLIENT : KIND_INTERNAL);
        out = (struct outcome){.end_ns = f->start_ns + work_ns(v, s, f->pod)};
        finish(v, f->pod, s, &span, &out);
        return out;
    }
    return (struct outcome){.end_ns = f->start_ns};
}

void trace_gen_request(struct world *w, int64_t start_ns)
{
    struct visit v = {.w = w, .flow = flow_pick(&w->visits)};
    new_id(w, v.trace, sizeof v.trace);
    snprintf(v.user, sizeof v.user, "u%04d", (int)rng_below(&w->visits, USERS));
    snprintf(v.product, sizeof v.product, "SKU-%04d", (int)rng_below(&w->visits, PRODUCTS));
    snprintf(v.order, sizeof v.order, "o-%012llx",
             (unsigned long long)(rng_next(&w->ids) & 0xffffffffffff));
    struct pod *frontend = pod_of(&v, SERVICE_FRONTEND);
    if (frontend != NULL) {
        struct frame root = {.step = 0, .pod = frontend, .start_ns = start_ns};
        (void)run_step(&v, &root);
    }
}
