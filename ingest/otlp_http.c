/* SPDX-License-Identifier: Apache-2.0
 *
 * See otlp_http.h. A request is one object from its head to its answer; `held` is what it has taken
 * from the budget. Answers mirror the form of the request, as the protocol wants it: errors are a
 * google.rpc.Status in protobuf or JSON.
 */
#include "ingest/otlp_http.h"

#include "core/base/clock.h"
#include "core/base/mem.h"
#include "core/codec/inflate.h"
#include "core/net/http_req.h"
#include "core/net/http_route.h"
#include "core/net/http_server.h"
#include "ingest/otlp_resp.h"

#include <assert.h>
#include <stdio.h>

enum { GROW_BYTES = 64 * 1024, ANSWER_MAX = 16 * 1024 };

struct otlp_http {
    struct otlp_http_conf conf;
    struct inflate *inflate;
    struct buf unpacked, answer;
};

struct request {
    struct otlp_http *h;
    struct http_req *req;
    struct otlp_take *take;
    enum otlp_signal signal;
    enum otlp_form form;
    enum inflate_coding coding;
    bool packed, refused;
    struct buf body;
    size_t held;
};

static const char *const types[] = {"application/x-protobuf", "application/json"};

static void release(struct request *q)
{
    budget_give(q->h->conf.budget, q->held);
    q->held = 0;
    buf_done(&q->body);
    buf_init(&q->body, 1);
}

static void answer(struct request *q, const struct otlp_end *end)
{
    struct buf *b = &q->h->answer;
    const struct reply_row *row = &reply_rows[end->reply];
    buf_clear(b);
    if (end->result != NULL) {
        otlp_resp_success(b, q->signal, q->form, end->result);
    } else {
        otlp_resp_status(b, q->form, (int)row->grpc, end->message, end->retry_ns);
    }
    if (end->retry_ns > 0) {
        char text[24];
        int64_t s = (end->retry_ns + CLOCK_NS_PER_S - 1) / CLOCK_NS_PER_S;
        snprintf(text, sizeof text, "%lld", (long long)s);
        http_reply_field(q->req, "Retry-After", slice_str(text));
    }
    http_reply(q->req, row->http, types[q->form], buf_slice(b));
}

static void refuse(struct request *q, enum reply why, const char *message)
{
    struct otlp_end end = otlp_refuse(q->h->conf.taker, OTLP_HTTP, why, message);
    q->refused = true;
    release(q);
    answer(q, &end);
}

static void on_end_of_take(void *arg, const struct otlp_end *end)
{
    struct request *q = arg;
    q->take = NULL;
    release(q);
    answer(q, end);
}

/* Unpacked bytes live until otlp_take returns, and nothing else runs in between: so they are held
 * against what is left of the budget, not taken from it. */
static bool unpack(struct request *q, struct slice *ret_body)
{
    struct otlp_http *h = q->h;
    struct err err = {0};
    size_t left = h->conf.budget->limit - h->conf.budget->used;
    struct inflate_limits limits = {.max_bytes = MIN(h->conf.unpacked_max, left),
                                    .max_ratio = INFLATE_RATIO};
    buf_clear(&h->unpacked);
    int rc = inflate_all(h->inflate, q->coding, buf_slice(&q->body), &limits, &h->unpacked, &err);
    if (rc == -ERR_TOO_BIG || rc == -ERR_LIMIT) {
        bool ours = limits.max_bytes < h->conf.unpacked_max;
        refuse(q, ours ? REPLY_OVERLOAD : REPLY_TOO_LARGE, err.msg);
    } else if (rc != 0) {
        otlp_bury(h->conf.taker, OTLP_HTTP, types[q->form], err.msg, buf_slice(&q->body));
        refuse(q, REPLY_UNDECODABLE, err.msg);
    }
    *ret_body = buf_slice(&h->unpacked);
    return rc == 0;
}

static void on_end(struct http_req *r, void *arg)
{
    struct request *q = arg;
    struct slice body = buf_slice(&q->body);
    (void)r;
    if (q->refused || (q->packed && !unpack(q, &body))) {
        return;
    }
    struct otlp_take *take =
        otlp_take(q->h->conf.taker, OTLP_HTTP, q->signal, q->form, body, on_end_of_take, q);
    if (take != NULL) {
        q->take = take;
        release(q);
    }
}

/* Room for so many bytes more in the body. */
static bool grant(struct request *q, size_t bytes)
{
    if (!budget_take(q->h->conf.budget, bytes, q->held)) {
        refuse(q, REPLY_OVERLOAD, "no memory is left for this request");
        return false;
    }
    q->held += bytes;
    return true;
}

static void on_data(struct http_req *r, struct slice part, void *arg)
{
    struct request *q = arg;
    size_t want = q->body.len + part.len;
    (void)r;
    if (q->refused) {
        return;
    }
    if (want > q->h->conf.body_max) {
        refuse(q, REPLY_TOO_LARGE, "the body is over the size limit");
        return;
    }
    if (want > q->held && !grant(q, MAX(want - q->held, (size_t)GROW_BYTES))) {
        return;
    }
    buf_add_slice(&q->body, part);
}

static void on_gone(struct http_req *r, void *arg)
{
    struct request *q = arg;
    (void)r;
    otlp_take_drop(q->take);
    q->take = NULL;
    q->refused = true;
}

static void on_freed(void *arg)
{
    struct request *q = arg;
    otlp_take_drop(q->take);
    budget_give(q->h->conf.budget, q->held);
    buf_done(&q->body);
    mem_free(q);
}

static const struct http_req_ops ops = {
    .data = on_data, .end = on_end, .gone = on_gone, .freed = on_freed};

/* "application/json; charset=utf-8" */
static bool form_of(struct slice type, enum otlp_form *ret_form)
{
    struct slice name = slice_trim(slice_sub(type, 0, slice_find(type, ';')));
    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        if (slice_eq_nocase(name, slice_str(types[i]))) {
            *ret_form = (enum otlp_form)i;
            return true;
        }
    }
    return false;
}

static void begin(struct http_req *r, struct otlp_http *h, enum otlp_signal signal)
{
    const struct http_head *head = http_req_head(r);
    struct slice coding = slice_trim(http_req_field(r, SLICE("content-encoding")));
    struct request *q = MEM_NEW(struct request);
    q->h = h;
    q->req = r;
    q->signal = signal;
    q->form = OTLP_PROTOBUF;
    buf_init(&q->body, h->conf.body_max);
    http_req_take(r, &ops, q);
    q->packed = coding.len > 0 && !slice_eq_nocase(coding, SLICE("identity"));
    if (!form_of(http_req_field(r, SLICE("content-type")), &q->form)) {
        refuse(q, REPLY_UNSUPPORTED,
               "Content-Type: expected application/x-protobuf or application/json");
    } else if (q->packed && !inflate_coding_of(coding, &q->coding)) {
        refuse(q, REPLY_UNSUPPORTED, "Content-Encoding: expected gzip, zstd, deflate or identity");
    } else if (head->has_length && head->length > h->conf.body_max) {
        refuse(q, REPLY_TOO_LARGE, "the body is over the size limit");
    } else if (!publish_ready(otlp_taker_publish(h->conf.taker))) {
        refuse(q, REPLY_NOT_READY, NULL);
    } else if (head->has_length && head->length > 0) {
        (void)grant(q, (size_t)head->length);
    }
}

static void on_traces(struct http_req *r, void *arg)
{
    begin(r, arg, OTLP_TRACES);
}

static void on_metrics(struct http_req *r, void *arg)
{
    begin(r, arg, OTLP_METRICS);
}

static void on_logs(struct http_req *r, void *arg)
{
    begin(r, arg, OTLP_LOGS);
}

#define BODY_ANY UINT64_MAX /* the limit is ours, and so is the answer */
static const struct http_route routes[] = {
    {.path = "/v1/traces",
     .methods = HTTP_BIT(POST),
     .body_max = BODY_ANY,
     .fn = on_traces,
     .doc = "OTLP traces"},
    {.path = "/v1/metrics",
     .methods = HTTP_BIT(POST),
     .body_max = BODY_ANY,
     .fn = on_metrics,
     .doc = "OTLP metrics"},
    {.path = "/v1/logs",
     .methods = HTTP_BIT(POST),
     .body_max = BODY_ANY,
     .fn = on_logs,
     .doc = "OTLP logs"},
};

struct otlp_http *otlp_http_new(struct http_server *server, const struct otlp_http_conf *conf)
{
    assert(conf->taker != NULL && conf->budget != NULL && conf->body_max > 0);
    struct otlp_http *h = MEM_NEW(struct otlp_http);
    h->conf = *conf;
    h->inflate = inflate_new();
    buf_init(&h->unpacked, conf->unpacked_max);
    buf_init(&h->answer, ANSWER_MAX);
    http_router_add(http_server_router(server), routes, ARRAY_LEN(routes), h);
    return h;
}

void otlp_http_free(struct otlp_http *h)
{
    if (h != NULL) {
        inflate_free(h->inflate);
        buf_done(&h->unpacked);
        buf_done(&h->answer);
        mem_free(h);
    }
}
