/* SPDX-License-Identifier: Apache-2.0
 *
 * See post.h. A *lane* is a connection with at most one request under way.
 */
#include "loadgen/post.h"

#include "core/base/clock.h"
#include "core/base/mem.h"
#include "core/codec/pbwire.h"
#include "core/net/grpc_client.h"
#include "core/net/http_client.h"
#include "core/net/loop.h"
#include "loadgen/rng.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

enum { SAMPLES = 8192, URL_BYTES = 300, TRIES_DOUBLING = 6 };
#define BACKOFF_NS (200 * CLOCK_NS_PER_MS)
#define LOOK_NS    (10 * CLOCK_NS_PER_MS)

struct job {
    struct job *next;
    enum signal signal;
    uint32_t tries;
    int64_t due_ns, began_ns;
    size_t items, len;
    char bytes[];
};

struct lane {
    struct post *s;
    struct grpc_client *grpc;
    struct job *job; /* under way */
    unsigned status;
    int64_t retry_ns;
    uint64_t rejected;
};

struct post {
    struct loop *loop;
    struct post_conf conf;
    struct lane lanes[POST_CONNECTIONS_MAX];
    struct http_client *http; /* NULL: gRPC */
    char urls[SIGNAL_COUNT][URL_BYTES], host[URL_BYTES];
    struct job *first, **last;
    struct loop_timer *timer;
    size_t queued_bytes;
    struct post_stats stats;
    struct rng dice;
    int64_t samples[SAMPLES];
    size_t sample_count;
    char error[200];
};

struct path_row {
    const char *http, *grpc;
};

static const struct path_row paths[SIGNAL_COUNT] = {
    [SIGNAL_SPANS] = {"/v1/traces", "/opentelemetry.proto.collector.trace.v1.TraceService/Export"},
    [SIGNAL_LOGS] = {"/v1/logs", "/opentelemetry.proto.collector.logs.v1.LogsService/Export"},
    [SIGNAL_METRICS] = {"/v1/metrics",
                        "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export"},
};

static void serve(struct post *s);

static void push(struct post *s, struct job *j)
{
    j->next = NULL;
    *s->last = j;
    s->last = &j->next;
}

/* rejected_spans and its like: field 1 of the partial success, field 1 of the answer. */
static uint64_t rejected_of(struct slice answer)
{
    struct pbwire r = pbwire_of(answer), inner;
    struct pbwire_field f;
    uint64_t n = 0;
    while (pbwire_next(&r, &f)) {
        if (f.tag == PBWIRE_TAG(1, PBWIRE_LEN)) {
            struct pbwire_field g;
            inner = pbwire_of(f.bytes);
            while (pbwire_next(&inner, &g)) {
                n = g.tag == PBWIRE_TAG(1, PBWIRE_VARINT) ? g.value : n;
            }
        }
    }
    return n;
}

static void taken(struct lane *l)
{
    struct post *s = l->s;
    struct job *j = l->job;
    s->stats.acknowledged++;
    s->stats.items_acknowledged += j->items - MIN(l->rejected, (uint64_t)j->items);
    s->stats.items_rejected += l->rejected;
    s->samples[s->sample_count++ % SAMPLES] = loop_now_ns(s->loop) - j->began_ns;
}

static void again(struct lane *l, const char *why)
{
    struct post *s = l->s;
    struct job *j = l->job;
    int64_t wait = BACKOFF_NS << MIN(j->tries, (uint32_t)TRIES_DOUBLING);
    wait = l->retry_ns > 0 ? l->retry_ns : wait;
    wait += (int64_t)(rng_unit(&s->dice) * 0.2 * (double)wait);
    snprintf(s->error, sizeof s->error, "%s", why);
    j->tries++;
    j->due_ns = loop_now_ns(s->loop) + wait;
    s->stats.retried++;
    push(s, j);
    l->job = NULL;
}

enum verdict { VERDICT_TAKEN, VERDICT_AGAIN, VERDICT_NEVER };

static void ended(struct lane *l, enum verdict v, const char *why)
{
    struct post *s = l->s;
    if (v == VERDICT_AGAIN) {
        again(l, why);
    } else {
        struct job *j = l->job;
        if (v == VERDICT_TAKEN) {
            taken(l);
        } else {
            s->stats.refused++;
            snprintf(s->error, sizeof s->error, "%s", why);
        }
        s->queued_bytes -= j->len;
        s->stats.waiting--;
        l->job = NULL;
        mem_free(j);
    }
    serve(s);
}

/* --- HTTP --- */

static void on_head(struct http_call *c, const struct http_head *h, void *arg)
{
    struct lane *l = arg;
    uint64_t seconds = 0;
    (void)c;
    l->status = h->status;
    if (slice_to_u64(http_head_field(h, SLICE("retry-after")), &seconds)) {
        l->retry_ns = (int64_t)seconds * CLOCK_NS_PER_S;
    }
}

static void on_data(struct http_call *c, struct slice part, void *arg)
{
    struct lane *l = arg;
    (void)c;
    if (l->status == 200) { /* small: it comes in one piece */
        l->rejected += rejected_of(part);
    }
}

static void on_http(struct http_call *c, const struct err *err, void *arg)
{
    struct lane *l = arg;
    char why[64];
    (void)c;
    if (err != NULL) {
        ended(l, VERDICT_AGAIN, err->msg);
        return;
    }
    snprintf(why, sizeof why, "HTTP status %u", l->status);
    bool pass = l->status == 429 || (l->status >= 502 && l->status <= 504);
    ended(l, l->status == 200 ? VERDICT_TAKEN : pass ? VERDICT_AGAIN : VERDICT_NEVER, why);
}

static const struct http_call_ops http_ops = {.head = on_head, .data = on_data, .done = on_http};

static void start_http(struct lane *l)
{
    struct post *s = l->s;
    static const struct http_field type = {SLICE("content-type"), SLICE("application/x-protobuf")};
    struct http_call_spec spec = {.method = HTTP_POST,
                                  .url = s->urls[l->job->signal],
                                  .fields = &type,
                                  .field_count = 1,
                                  .body = slice_of(l->job->bytes, l->job->len)};
    struct http_call *call;
    struct err err;
    if (http_call_start(s->http, &spec, &http_ops, l, &call, &err) != 0) {
        again(l, err.msg);
    }
}

/* --- gRPC --- */

static bool passes_by(enum grpc_status status)
{
    static const enum grpc_status list[] = {GRPC_UNAVAILABLE,  GRPC_CANCELLED,
                                            GRPC_ABORTED,      GRPC_DEADLINE_EXCEEDED,
                                            GRPC_OUT_OF_RANGE, GRPC_DATA_LOSS};
    for (size_t i = 0; i < ARRAY_LEN(list); i++) {
        if (list[i] == status) {
            return true;
        }
    }
    return false;
}

static void on_grpc(void *arg, const struct grpc_result *r)
{
    struct lane *l = arg;
    char why[128];
    l->retry_ns = r->retry_ns;
    l->rejected = r->status == GRPC_OK ? rejected_of(r->message) : 0;
    snprintf(why, sizeof why, "%s: " SLICE_FMT, grpc_status_name(r->status),
             SLICE_ARG(slice_sub(r->text, 0, MIN(r->text.len, (size_t)80))));
    bool pass = passes_by(r->status) || (r->status == GRPC_RESOURCE_EXHAUSTED && r->retry_ns >= 0);
    ended(l, r->status == GRPC_OK ? VERDICT_TAKEN : pass ? VERDICT_AGAIN : VERDICT_NEVER, why);
}

static void start_grpc(struct lane *l)
{
    grpc_client_call(l->grpc, &(struct grpc_ask){.path = paths[l->job->signal].grpc,
                                                 .message = slice_of(l->job->bytes, l->job->len),
                                                 .timeout_ns = 30 * CLOCK_NS_PER_S,
                                                 .done = on_grpc,
                                                 .arg = l});
}

/* --- the queue --- */

/* The first job that is due. */
static struct job *take_due(struct post *s, int64_t now)
{
    for (struct job **at = &s->first; *at != NULL; at = &(*at)->next) {
        struct job *j = *at;
        if (j->due_ns <= now) {
            *at = j->next;
            s->last = j->next == NULL ? at : s->last;
            return j;
        }
    }
    return NULL;
}

static void serve(struct post *s)
{
    int64_t now = loop_now_ns(s->loop);
    for (uint32_t i = 0; i < s->conf.connections && s->first != NULL; i++) {
        struct lane *l = &s->lanes[i];
        if (l->job != NULL || (l->job = take_due(s, now)) == NULL) {
            continue;
        }
        l->job->began_ns = now;
        l->status = 0;
        l->retry_ns = -1;
        l->rejected = 0;
        (s->http != NULL ? start_http : start_grpc)(l);
    }
}

static void on_timer(void *arg)
{
    struct post *s = arg;
    serve(s);
    loop_timer_set(s->timer, LOOK_NS);
}

bool post_has_room(const struct post *s)
{
    return s->queued_bytes < s->conf.queue_bytes;
}

void post_send(struct post *s, enum signal signal, struct slice request, size_t items)
{
    struct job *j = mem_alloc(sizeof *j + request.len);
    *j = (struct job){.signal = signal, .items = items, .len = request.len};
    memcpy(j->bytes, request.ptr, request.len);
    s->queued_bytes += j->len;
    s->stats.requests++;
    s->stats.items += items;
    s->stats.bytes += request.len;
    s->stats.waiting++;
    push(s, j);
    serve(s);
}

static int by_size(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

struct post_stats post_stats(struct post *s)
{
    size_t n = MIN(s->sample_count, (size_t)SAMPLES);
    qsort(s->samples, n, sizeof *s->samples, by_size);
    s->stats.p50_ms = n > 0 ? (double)s->samples[(n - 1) / 2] / 1e6 : 0;
    s->stats.p99_ms = n > 0 ? (double)s->samples[(n - 1) * 99 / 100] / 1e6 : 0;
    s->sample_count = 0;
    return s->stats;
}

const char *post_last_error(const struct post *s)
{
    return s->error;
}

static int open_lanes(struct post *s, struct err *reterr)
{
    for (uint32_t i = 0; i < s->conf.connections; i++) {
        s->lanes[i].s = s;
        if (s->http == NULL) {
            struct grpc_client_conf conf = grpc_client_conf_default();
            conf.addr = s->host;
            int rc = grpc_client_new(s->loop, &conf, &s->lanes[i].grpc, reterr);
            if (rc != 0) {
                return rc;
            }
        }
    }
    return 0;
}

int post_new(struct loop *l, const struct post_conf *conf, struct post **ret_post,
             struct err *reterr)
{
    struct slice to = slice_str(conf->to);
    bool grpc = slice_starts(to, SLICE("grpc://"));
    assert(conf->connections > 0 && conf->connections <= POST_CONNECTIONS_MAX);
    if (!grpc && !slice_starts(to, SLICE("http://"))) {
        return err_set(reterr, ERR_USAGE, "'%s': expected http://HOST:PORT or grpc://HOST:PORT",
                       conf->to);
    }
    struct slice host = slice_sub(to, 7, to.len);
    while (host.len > 0 && host.ptr[host.len - 1] == '/') {
        host.len--;
    }
    struct post *s = MEM_NEW(struct post);
    s->loop = l;
    s->conf = *conf;
    s->last = &s->first;
    s->dice.state = conf->seed;
    snprintf(s->host, sizeof s->host, SLICE_FMT, SLICE_ARG(host));
    for (int i = 0; i < SIGNAL_COUNT; i++) {
        snprintf(s->urls[i], URL_BYTES, "http://%.200s%s", s->host, paths[i].http);
    }
    if (!grpc) {
        struct http_client_conf http = http_client_conf_default();
        http.connections_max = conf->connections;
        s->http = http_client_new(l, &http);
    }
    s->timer = loop_timer_new(l, on_timer, s);
    loop_timer_set(s->timer, LOOK_NS);
    int rc = open_lanes(s, reterr);
    if (rc != 0) {
        post_free(s);
        return rc;
    }
    *ret_post = s;
    return 0;
}

void post_free(struct post *s)
{
    if (s == NULL) {
        return;
    }
    for (uint32_t i = 0; i < s->conf.connections; i++) {
        grpc_client_free(s->lanes[i].grpc);
        s->lanes[i].grpc = NULL;
    }
    s->conf.connections = 0; /* what the HTTP client ends now is not taken up again */
    http_client_free(s->http);
    for (size_t i = 0; i < POST_CONNECTIONS_MAX; i++) {
        mem_free(s->lanes[i].job);
    }
    while (s->first != NULL) {
        struct job *j = s->first;
        s->first = j->next;
        mem_free(j);
    }
    loop_timer_free(s->timer);
    mem_free(s);
}
