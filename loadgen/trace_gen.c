/* SPDX-License-Identifier: Apache-2.0
 *
 * One visitor's request: walks the steps of a flow and makes the spans. A step works, then calls
 * its children (one after the other, or together where the flow says so), then works again; a
 * caller's CLIENT span encloses the callee's SERVER span by the time on the wire. What follows a
 * PUBLISH begins after it has ended. An error travels up to the root unless it happened behind a
 * message. What the spans and their log lines say is in trace_say.c. What incidents do to requests
 * is here, in slowness() and fail_maybe(); what they do to the fleet is in incident_apply.c.
 */
#include "loadgen/trace_gen.h"

#include "core/base/clock.h"

#include <assert.h>
#include <endian.h>
#include <stdio.h>

enum { PRODUCTS = 200, PRODUCTS_HOT = 8, USERS = 5000 };

struct frame {
    size_t step;
    struct pod *pod; /* where the caller runs */
    uint8_t parent[8];
    bool has_parent;
    int64_t start_ns;
};

static const struct failure damaged = {
    "shop.catalog.DamagedRecordError", "product record is damaged", "INTERNAL", 500,
    "at catalog.(*Store).Get store.go:118\nat catalog.(*Server).GetProduct server.go:64"};
static const struct failure no_model = {
    "FileNotFoundError", "[Errno 2] No such file or directory: 'model-v1.bin'", "UNKNOWN", 500,
    "File \"recommend.py\", line 41, in load\n    with open(path, 'rb') as f:"};
static const struct failure declined = {"shop.payment.CardDeclined", "card was declined",
                                        "FAILED_PRECONDITION", 500,
                                        "at charge (payment/charge.js:88:11)"};
static const struct failure late = {"shop.DeadlineExceeded", "deadline exceeded",
                                    "DEADLINE_EXCEEDED", 504, "at call (rpc.c:210)"};
static const struct failure nobody = {"shop.Unavailable", "no healthy upstream", "UNAVAILABLE", 503,
                                      "at dial (rpc.c:95)"};
static const struct failure unreachable = {"shop.ConnectTimeout", "connection timed out",
                                           "UNAVAILABLE", 503, "at dial (rpc.c:102)"};

static struct outcome run_step(struct visit *v, const struct frame *f);

static void new_id(struct world *w, uint8_t *out, size_t n)
{
    for (size_t i = 0; i < n; i += 8) {
        uint64_t r = htole64(rng_next(&w->ids) | 1); /* never all zero */
        memcpy(out + i, &r, 8);
    }
}

static struct pod *pod_of(struct visit *v, enum service_id service)
{
    if (v->pods[service] == NULL) {
        v->pods[service] = shop_pick(&v->w->shop, service, &v->w->visits, v->w->now_ns);
    }
    return v->pods[service];
}

/* How much longer the step takes there, because of incidents. */
static double slowness(const struct world *w, const struct step *s, const struct pod *p)
{
    double factor = 1;
    if (s->kind == STEP_EXTERNAL &&
        incident_active(&w->incidents, INCIDENT_SLOW_DEPENDENCY, w->now_ns) != NULL) {
        factor *= 25;
    }
    if (p->cpu_extra > 0) {
        factor *= 12;
    }
    if (p->bad && s->kind == STEP_CALL) {
        factor *= 6;
    }
    return factor;
}

static const struct failure *fail_maybe(struct visit *v, const struct step *s, const struct pod *p)
{
    struct world *w = v->w;
    const struct incident *product =
        incident_active(&w->incidents, INCIDENT_FAILING_PRODUCT, w->now_ns);
    if (s->kind != STEP_CALL) {
        return NULL;
    }
    if (product != NULL && s->product && strcmp(v->product, product->product) == 0) {
        return &damaged;
    }
    if (p->bad && rng_chance(&w->latency, 0.3)) {
        return &no_model;
    }
    if (s->service == SERVICE_PAYMENT && rng_chance(&w->latency, 0.004)) {
        return &declined;
    }
    return rng_chance(&w->latency, 0.0005) ? &late : NULL;
}

/* The step's own time; what of it keeps the CPU busy is counted to the pod. */
static int64_t work_ns(struct visit *v, const struct step *s, struct pod *p)
{
    double ms = rng_latency(&v->w->latency, s->self_ms);
    bool waits = s->kind == STEP_DB || s->kind == STEP_EXTERNAL;
    p->work_s += waits ? 0 : ms / 1000 * 0.4;
    return (int64_t)(ms * slowness(v->w, s, p) * 1e6);
}

static int64_t wire_ns(struct visit *v)
{
    return (int64_t)(rng_latency(&v->w->latency, 0.25) * 1e6);
}

static struct span_out begin(const struct visit *v, const struct frame *f, enum span_kind kind)
{
    struct span_out span = {.has_parent = f->has_parent,
                            .name = v->flow->steps[f->step].name,
                            .kind = (int)kind,
                            .start_ns = f->start_ns};
    memcpy(span.trace, v->trace, 16);
    memcpy(span.parent, f->parent, 8);
    new_id(v->w, span.id, 8);
    return span;
}

/* The children of a step. Returns when the last has ended, and the first failure among them; what
 * would have come after that one does not happen. */
static struct outcome run_children(struct visit *v, size_t step, struct pod *p,
                                   const uint8_t span[8], int64_t start_ns)
{
    struct outcome all = {.end_ns = start_ns};
    int64_t group_ns = start_ns;
    int depth = v->flow->steps[step].depth;
    for (size_t i = step + 1; i < v->flow->step_count && v->flow->steps[i].depth > depth; i++) {
        if (v->flow->steps[i].depth != depth + 1) {
            continue;
        }
        bool together = v->flow->steps[i].together;
        if (all.failure != NULL && !together) {
            break;
        }
        group_ns = together ? group_ns : all.end_ns;
        struct frame child = {.step = i, .pod = p, .has_parent = true, .start_ns = group_ns};
        memcpy(child.parent, span, 8);
        struct outcome out = run_step(v, &child);
        all.end_ns = MAX(all.end_ns, out.end_ns);
        all.failure = all.failure != NULL ? all.failure : out.failure;
    }
    return all;
}

static void count(const struct visit *v, struct pod *p, enum red_kind kind, const struct step *s,
                  const struct span_out *span)
{
    shop_count(p, &(struct shop_answer){.kind = kind,
                                        .operation = kind == RED_HTTP ? v->flow->route : s->name,
                                        .system = s->system,
                                        .method = kind == RED_HTTP ? v->flow->method : "",
                                        .error = span->error,
                                        .seconds = (double)(span->end_ns - span->start_ns) / 1e9,
                                        .trace = span->trace,
                                        .span = span->id,
                                        .end_ns = span->end_ns});
}

/* The work of a SERVER or CONSUMER: its own span, its children, its histogram. */
static struct outcome serve(struct visit *v, const struct frame *f, struct pod *p,
                            enum span_kind kind)
{
    const struct step *s = &v->flow->steps[f->step];
    struct span_out span = begin(v, f, kind);
    int64_t self = work_ns(v, s, p);
    struct outcome out = {.end_ns = f->start_ns + self / 2, .failure = fail_maybe(v, s, p)};
    bool here = out.failure != NULL;
    if (!here) {
        out = run_children(v, f->step, p, span.id, out.end_ns);
    }
    out.end_ns += self - self / 2;
    span.parent_is_remote = f->has_parent;
    if (kind == KIND_CONSUMER) {
        span.has_link = true;
        memcpy(span.link_trace, v->trace, 16);
        memcpy(span.link_span, f->parent, 8);
    }
    trace_say(v, p, s, &span, &out, here);
    enum red_kind red = s->kind == STEP_ROOT    ? RED_HTTP
                        : kind == KIND_CONSUMER ? RED_MESSAGE
                                                : RED_RPC;
    count(v, p, red, s, &span);
    return out;
}

static struct outcome call(struct visit *v, const struct frame *f)
{
    const struct step *s = &v->flow->steps[f->step];
    struct span_out span = begin(v, f, KIND_CLIENT);
    struct pod *callee = pod_of(v, s->service);
    int64_t wire = wire_ns(v);
    struct outcome out = {.end_ns = f->start_ns + wire};
    bool here = true;
    if (callee == NULL) {
        out.failure = &nobody;
    } else if (!callee->running) {
        out.failure = &unreachable;
        out.end_ns += CLOCK_NS_PER_S;
    } else {
        struct frame inner = {
            .step = f->step, .pod = callee, .has_parent = true, .start_ns = f->start_ns + wire};
        memcpy(inner.parent, span.id, 8);
        out = serve(v, &inner, callee, KIND_SERVER);
        here = false;
    }
    out.end_ns += wire_ns(v);
    trace_say(v, f->pod, s, &span, &out, here);
    return out;
}

static struct outcome publish(struct visit *v, const struct frame *f)
{
    const struct step *s = &v->flow->steps[f->step];
    struct world *w = v->w;
    struct span_out span = begin(v, f, KIND_PRODUCER);
    struct outcome out = {.end_ns = f->start_ns + work_ns(v, s, f->pod)};
    trace_say(v, f->pod, s, &span, &out, false);
    struct pod *consumer = pod_of(v, SERVICE_ORDERS);
    if (incident_active(&w->incidents, INCIDENT_ORDERS_LOST, w->now_ns) != NULL) {
        w->orders_behind++;
        if (consumer != NULL && consumer->running && rng_chance(&w->chatter, 0.05)) {
            trace_say_warning(v, consumer, out.end_ns, "consumer group orders is rebalancing");
        }
        return out;
    }
    if (consumer != NULL && consumer->running) {
        /* What goes wrong behind the message is not the sender's error. */
        int64_t later = out.end_ns + (int64_t)(rng_latency(&w->latency, 15) * 1e6);
        (void)run_children(v, f->step, f->pod, span.id, later);
    }
    return out;
}

static struct outcome run_step(struct visit *v, const struct frame *f)
{
    const struct step *s = &v->flow->steps[f->step];
    switch (s->kind) {
    case STEP_ROOT: return serve(v, f, f->pod, KIND_SERVER);
    case STEP_CALL: return call(v, f);
    case STEP_PUBLISH: return publish(v, f);
    case STEP_CONSUME: return serve(v, f, pod_of(v, s->service), KIND_CONSUMER);
    case STEP_DB:
    case STEP_EXTERNAL:
    case STEP_WORK: break;
    }
    struct span_out span = begin(v, f, s->kind == STEP_WORK ? KIND_INTERNAL : KIND_CLIENT);
    struct outcome out = {.end_ns = f->start_ns + work_ns(v, s, f->pod)};
    trace_say(v, f->pod, s, &span, &out, false);
    if (s->kind == STEP_DB) {
        count(v, f->pod, RED_DB, s, &span);
    }
    return out;
}

/* One in ten looks at what is in fashion, the others at anything. */
static int pick_product(struct rng *rng)
{
    bool hot = rng_chance(rng, 0.1);
    return hot ? 40 + (int)rng_below(rng, PRODUCTS_HOT) : (int)rng_below(rng, PRODUCTS);
}

void trace_gen_request(struct world *w, int64_t start_ns)
{
    struct visit v = {.w = w, .flow = flow_pick(&w->visits)};
    assert(v.flow->step_count > 0);
    new_id(w, v.trace, sizeof v.trace);
    snprintf(v.user, sizeof v.user, "u%04d", (int)rng_below(&w->visits, USERS));
    snprintf(v.product, sizeof v.product, "SKU-%04d", pick_product(&w->visits));
    snprintf(v.order, sizeof v.order, "o-%012llx",
             (unsigned long long)(rng_next(&w->ids) & 0xffffffffffff));
    struct pod *frontend = pod_of(&v, SERVICE_FRONTEND);
    if (frontend != NULL && frontend->running) {
        struct frame root = {.step = 0, .pod = frontend, .start_ns = start_ns};
        (void)run_step(&v, &root);
    }
}
