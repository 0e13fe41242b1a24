/* SPDX-License-Identifier: Apache-2.0
 *
 * Both senders against real servers that answer as a row says: what each answer means.
 */
#include "core/base/clock.h"
#include "core/codec/pbwrite.h"
#include "core/net/grpc_server.h"
#include "core/net/http_req.h"
#include "core/net/http_route.h"
#include "core/net/http_server.h"
#include "core/net/loop.h"
#include "loadgen/sender.h"
#include "tests/test.h"

#include <stdio.h>

struct server {
    struct loop *loop;
    struct http_server *http;
    struct grpc_server *grpc;
    unsigned status;         /* of HTTP */
    const char *retry_after; /* NULL: none */
    struct slice body;
    enum grpc_status code;
    int64_t retry_ns; /* of gRPC; -1: none */
    char seen[256];   /* path and fields of the last request */
    size_t seen_bytes;
};

static void on_http_body(struct http_req *r, struct slice body, void *arg)
{
    struct server *s = arg;
    struct slice coding = http_req_field(r, SLICE("content-encoding"));
    snprintf(s->seen, sizeof s->seen, SLICE_FMT " " SLICE_FMT " " SLICE_FMT,
             SLICE_ARG(http_req_head(r)->path), SLICE_ARG(http_req_field(r, SLICE("content-type"))),
             SLICE_ARG(coding));
    s->seen_bytes = body.len;
    if (s->retry_after != NULL) {
        http_reply_field(r, "retry-after", slice_str(s->retry_after));
    }
    http_reply(r, s->status, "application/x-protobuf", s->body);
}

static void on_http(struct http_req *r, void *arg)
{
    http_req_collect(r, 1 << 20, on_http_body, arg);
}

static void on_grpc(struct grpc_call *c, void *arg)
{
    struct server *s = arg;
    snprintf(s->seen, sizeof s->seen, SLICE_FMT, SLICE_ARG(grpc_call_path(c)));
    s->seen_bytes = grpc_call_message(c).len;
    if (s->code == GRPC_OK) {
        grpc_reply(c, s->body);
    } else if (s->retry_ns >= 0) {
        grpc_fail_retry(c, s->code, s->retry_ns, "told so");
    } else {
        grpc_fail(c, s->code, "told so");
    }
}

static const struct http_route http_routes[] = {
    {"/*", HTTP_BIT(POST), 0, 0, on_http, "answers as told"}};
static const struct grpc_route grpc_routes[] = {
    {.path = "/opentelemetry.proto.collector.trace.v1.TraceService/Export", .fn = on_grpc},
    {.path = "/opentelemetry.proto.collector.logs.v1.LogsService/Export", .fn = on_grpc},
    {.path = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export", .fn = on_grpc}};

static void open_server(struct server *s)
{
    struct http_server_conf conf = http_server_conf_default();
    struct err e;
    *s = (struct server){.loop = loop_new(), .status = 200, .retry_ns = -1};
    s->http = http_server_new(s->loop, &conf);
    http_router_add(http_server_router(s->http), http_routes, ARRAY_LEN(http_routes), s);
    s->grpc = grpc_server_new(s->http, NULL);
    grpc_server_routes(s->grpc, grpc_routes, ARRAY_LEN(grpc_routes), s);
    CHECK_OK(http_server_listen(s->http, &(struct http_listen){.addr = "127.0.0.1:0"}, &e), e);
}

static void close_server(struct server *s)
{
    http_server_free(s->http);
    grpc_server_free(s->grpc);
    loop_free(s->loop);
}

struct asked {
    struct sender_job job;
    struct sender_result result;
    char why[300];
    bool done;
};

static void on_done(struct sender_job *job, const struct sender_result *r)
{
    struct asked *a = (struct asked *)job;
    CHECK(!a->done);
    a->result = *r;
    snprintf(a->why, sizeof a->why, SLICE_FMT, SLICE_ARG(r->why));
    a->done = true;
}

static struct sender *open_sender(struct server *s, const char *scheme, struct sender_conf *conf)
{
    static char url[100];
    struct sender *sender;
    struct err e;
    snprintf(url, sizeof url, "%s://localhost:%u", scheme, http_server_port(s->http, 0));
    conf->connections = 2;
    conf->timeout_ns = conf->timeout_ns > 0 ? conf->timeout_ns : 5 * CLOCK_NS_PER_S;
    CHECK_OK(sender_new(s->loop, url, NULL, conf, &sender, &e), e);
    return sender;
}

static void ask(struct server *s, struct sender *sender, enum signal signal, struct asked *a)
{
    *a = (struct asked){.job = {signal, SLICE("body"), on_done}};
    sender_send(sender, &a->job);
    CHECK(!a->done);
    for (int i = 0; i < 20000 && !a->done; i++) {
        loop_step(s->loop, 5 * CLOCK_NS_PER_MS);
    }
    CHECK(a->done);
}

static void put_partial(struct buf *b, uint64_t rejected, const char *why)
{
    buf_init(b, 1000);
    size_t partial = pbwrite_open(b, 1);
    if (rejected > 0) {
        pbwrite_varint(b, 1, rejected);
    }
    pbwrite_string(b, 2, slice_str(why));
    pbwrite_close(b, partial);
}

TEST(http_posts_each_signal_to_its_path)
{
    static const char *const want[SIGNAL_COUNT] = {
        [SIGNAL_SPANS] = "/v1/traces application/x-protobuf gzip",
        [SIGNAL_LOGS] = "/v1/logs application/x-protobuf gzip",
        [SIGNAL_METRICS] = "/v1/metrics application/x-protobuf gzip"};
    struct server s;
    struct asked a;
    open_server(&s);
    struct sender *sender = open_sender(&s, "http", &(struct sender_conf){.coding = INFLATE_GZIP});
    for (int i = 0; i < SIGNAL_COUNT; i++) {
        ask(&s, sender, (enum signal)i, &a);
        CHECK_STR(want[i], s.seen);
        CHECK_EQ(4, s.seen_bytes);
        CHECK_EQ(SENDER_TAKEN, a.result.outcome);
        CHECK_EQ(0, a.result.rejected);
    }
    sender_free(sender);
    close_server(&s);
}

TEST(http_answers_mean_what_the_protocol_says)
{
    static const struct {
        unsigned status;
        const char *retry_after;
        enum sender_outcome outcome;
        int64_t retry_s;
    } rows[] = {
        {200, NULL, SENDER_TAKEN, -1},
        {400, NULL, SENDER_REFUSED, -1},
        {413, NULL, SENDER_REFUSED, -1},
        {415, NULL, SENDER_REFUSED, -1},
        {429, "3", SENDER_AGAIN, 3},
        {502, NULL, SENDER_AGAIN, -1},
        {503, "0", SENDER_AGAIN, 0},
        {503, "soon", SENDER_AGAIN, -1},
        {503, "-1", SENDER_AGAIN, -1},
        {504, NULL, SENDER_AGAIN, -1},
        {500, NULL, SENDER_REFUSED, -1},
        {301, NULL, SENDER_REFUSED, -1},
        {503, "Thu, 01 Jan 1970 00:00:01 GMT", SENDER_AGAIN, 0},
    };
    struct server s;
    struct asked a;
    open_server(&s);
    struct sender *sender = open_sender(&s, "http", &(struct sender_conf){.coding = 0});
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        s.status = rows[i].status;
        s.retry_after = rows[i].retry_after;
        ask(&s, sender, SIGNAL_SPANS, &a);
        CHECK_EQ(rows[i].outcome, a.result.outcome);
        CHECK_EQ(rows[i].retry_s < 0 ? -1 : rows[i].retry_s * CLOCK_NS_PER_S, a.result.retry_ns);
        CHECK(a.result.answered);
    }
    sender_free(sender);
    close_server(&s);
}

TEST(partial_success_is_read_from_both_and_from_json)
{
    static const char *const schemes[] = {"http", "grpc"};
    struct server s;
    struct asked a;
    struct buf b;
    put_partial(&b, 3, "bad_trace_id");
    open_server(&s);
    for (size_t i = 0; i < ARRAY_LEN(schemes); i++) {
        struct sender *sender = open_sender(&s, schemes[i], &(struct sender_conf){.coding = 0});
        s.body = buf_slice(&b);
        ask(&s, sender, SIGNAL_SPANS, &a);
        CHECK_EQ(SENDER_TAKEN, a.result.outcome);
        CHECK_EQ(3, a.result.rejected);
        CHECK_STR("bad_trace_id", a.why);
        s.body = SLICE_NONE;
        ask(&s, sender, SIGNAL_SPANS, &a);
        CHECK_EQ(0, a.result.rejected);
        sender_free(sender);
    }
    struct sender *sender = open_sender(&s, "http", &(struct sender_conf){.json = true});
    s.body = SLICE("{\"partialSuccess\":{\"rejectedSpans\":\"12\",\"errorMessage\":\"7 no\"}}");
    ask(&s, sender, SIGNAL_SPANS, &a);
    CHECK_STR("/v1/traces application/json ", s.seen);
    CHECK_EQ(12, a.result.rejected);
    CHECK_HAS("7 no", a.why);
    sender_free(sender);
    close_server(&s);
    buf_done(&b);
}

TEST(grpc_answers_mean_what_the_protocol_says)
{
    static const struct {
        enum grpc_status code;
        int64_t retry_ns;
        enum sender_outcome outcome;
    } rows[] = {
        {GRPC_OK, -1, SENDER_TAKEN},
        {GRPC_INVALID_ARGUMENT, -1, SENDER_REFUSED},
        {GRPC_UNIMPLEMENTED, -1, SENDER_REFUSED},
        {GRPC_INTERNAL, -1, SENDER_REFUSED},
        {GRPC_UNAVAILABLE, -1, SENDER_AGAIN},
        {GRPC_UNAVAILABLE, 1500 * CLOCK_NS_PER_MS, SENDER_AGAIN},
        {GRPC_RESOURCE_EXHAUSTED, -1, SENDER_REFUSED},
        {GRPC_RESOURCE_EXHAUSTED, 2 * CLOCK_NS_PER_S, SENDER_AGAIN},
        {GRPC_DEADLINE_EXCEEDED, -1, SENDER_AGAIN},
        {GRPC_ABORTED, -1, SENDER_AGAIN},
        {GRPC_UNAUTHENTICATED, -1, SENDER_REFUSED},
    };
    struct server s;
    struct asked a;
    open_server(&s);
    struct sender *sender = open_sender(&s, "grpc", &(struct sender_conf){.coding = 0});
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        s.code = rows[i].code;
        s.retry_ns = rows[i].retry_ns;
        ask(&s, sender, (enum signal)(i % SIGNAL_COUNT), &a);
        CHECK_EQ(rows[i].outcome, a.result.outcome);
        CHECK_EQ(rows[i].retry_ns, a.result.retry_ns);
        CHECK(a.result.answered);
        CHECK_EQ(4, s.seen_bytes);
    }
    sender_free(sender);
    close_server(&s);
}

TEST(nobody_there_is_no_answer_and_comes_again)
{
    static const char *const schemes[] = {"http", "grpc"};
    for (size_t i = 0; i < ARRAY_LEN(schemes); i++) {
        struct server s;
        struct asked a;
        open_server(&s);
        struct sender *sender = open_sender(&s, schemes[i], &(struct sender_conf){.coding = 0});
        http_server_free(s.http);
        grpc_server_free(s.grpc);
        ask(&s, sender, SIGNAL_SPANS, &a);
        CHECK_EQ(SENDER_AGAIN, a.result.outcome);
        CHECK(!a.result.answered);
        CHECK(a.why[0] != '\0');
        sender_free(sender);
        loop_free(s.loop);
    }
}

TEST(wrong_urls_are_told)
{
    static const char *const bad[] = {"ftp://x", "http://", "grpc://host", "x",
                                      "",        "http:/x", "grpc:///",    "http://user@host/"};
    struct loop *l = loop_new();
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct sender_conf conf = {.connections = 1, .timeout_ns = CLOCK_NS_PER_S};
        struct sender *sender = NULL;
        struct err e;
        CHECK(sender_new(l, bad[i], NULL, &conf, &sender, &e) != 0);
        CHECK_HAS("--to", e.msg);
        CHECK(sender == NULL);
    }
    loop_free(l);
}
