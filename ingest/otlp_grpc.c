/* SPDX-License-Identifier: Apache-2.0
 *
 * See otlp_grpc.h.
 */
#include "ingest/otlp_grpc.h"

#include "core/base/mem.h"
#include "core/base/pool.h"
#include "core/net/grpc_server.h"
#include "ingest/otlp_resp.h"

#include <assert.h>

enum { CALLS_MAX = 65536, ANSWER_MAX = 16 * 1024 };

struct otlp_grpc {
    struct otlp_grpc_conf conf;
    struct grpc_server *server;
    struct pool *calls;
    struct buf answer;
};

struct call {
    struct otlp_grpc *g;
    struct grpc_call *call;
    struct otlp_take *take;
    enum otlp_signal signal;
};

static void answer(struct otlp_grpc *g, struct grpc_call *c, enum otlp_signal signal,
                   const struct otlp_end *end)
{
    const struct reply_row *row = &reply_rows[end->reply];
    if (end->result != NULL) {
        buf_clear(&g->answer);
        otlp_resp_success(&g->answer, signal, OTLP_PROTOBUF, end->result);
        grpc_reply(c, buf_slice(&g->answer));
        return;
    }
    struct grpc_details d = {.status = row->grpc,
                             .message = end->message,
                             .retry_ns = end->retry_ns > 0 ? end->retry_ns : -1};
    if (end->reply == REPLY_UNDECODABLE) {
        d.bad_field = SLICE("body");
        d.bad_reason = end->message;
    }
    grpc_fail_details(c, &d);
}

static void on_end(void *arg, const struct otlp_end *end)
{
    struct call *k = arg;
    k->take = NULL;
    answer(k->g, k->call, k->signal, end);
}

static void on_gone(struct grpc_call *c, void *arg)
{
    struct call *k = arg;
    (void)c;
    otlp_take_drop(k->take);
    k->take = NULL;
}

static void on_freed(void *arg)
{
    struct call *k = arg;
    otlp_take_drop(k->take);
    pool_put(k->g->calls, k);
}

static const struct grpc_call_ops ops = {.gone = on_gone, .freed = on_freed};

static void export(struct grpc_call *c, struct otlp_grpc *g, enum otlp_signal signal)
{
    struct call *k = pool_get(g->calls);
    if (k == NULL) {
        struct otlp_end end = otlp_refuse(g->conf.taker, OTLP_GRPC, REPLY_OVERLOAD, NULL);
        answer(g, c, signal, &end);
        return;
    }
    *k = (struct call){.g = g, .call = c, .signal = signal};
    grpc_call_take(c, &ops, k);
    grpc_call_ref(c);
    struct otlp_take *take =
        otlp_take(g->conf.taker, OTLP_GRPC, signal, OTLP_PROTOBUF, grpc_call_message(c), on_end, k);
    if (take != NULL) {
        k->take = take;
        grpc_call_drop(c); /* published: the bus's queue holds it now */
    }
    grpc_call_unref(c);
}

static void on_traces(struct grpc_call *c, void *arg)
{
    export(c, arg, OTLP_TRACES);
}

static void on_metrics(struct grpc_call *c, void *arg)
{
    export(c, arg, OTLP_METRICS);
}

static void on_logs(struct grpc_call *c, void *arg)
{
    export(c, arg, OTLP_LOGS);
}

static void on_spoilt(struct grpc_call *c, enum grpc_reason why, struct slice raw, void *arg)
{
    struct otlp_grpc *g = arg;
    (void)c;
    otlp_bury(g->conf.taker, OTLP_GRPC, "application/grpc", grpc_reason_doc(why), raw);
}

static void admit(struct grpc_call *c, void *arg)
{
    struct otlp_grpc *g = arg;
    if (!publish_ready(otlp_taker_publish(g->conf.taker))) {
        struct otlp_end end = otlp_refuse(g->conf.taker, OTLP_GRPC, REPLY_NOT_READY, NULL);
        answer(g, c, OTLP_TRACES, &end);
    }
}

#define SERVICE(package_, service_)                                                                \
    "/opentelemetry.proto.collector." package_ ".v1." service_ "/Export"
static const struct grpc_route routes[] = {
    {.path = SERVICE("trace", "TraceService"),
     .admit = admit,
     .fn = on_traces,
     .spoilt = on_spoilt,
     .doc = "OTLP traces"},
    {.path = SERVICE("metrics", "MetricsService"),
     .admit = admit,
     .fn = on_metrics,
     .spoilt = on_spoilt,
     .doc = "OTLP metrics"},
    {.path = SERVICE("logs", "LogsService"),
     .admit = admit,
     .fn = on_logs,
     .spoilt = on_spoilt,
     .doc = "OTLP logs"},
};

struct reason_row {
    enum grpc_reason why;
    enum reply reply;
};

/* What the gRPC server refuses before we see it, by our names. Its other reasons are no states of a
 * request of OTLP; they are counted by the server. */
static const struct reason_row reasons[] = {
    {GRPC_REASON_TYPE_BAD, REPLY_UNSUPPORTED},    {GRPC_REASON_CODING_UNKNOWN, REPLY_UNSUPPORTED},
    {GRPC_REASON_MESSAGE_LARGE, REPLY_TOO_LARGE}, {GRPC_REASON_UNPACKED_LARGE, REPLY_TOO_LARGE},
    {GRPC_REASON_UNPACK_BAD, REPLY_UNDECODABLE},  {GRPC_REASON_MESSAGE_CUT, REPLY_UNDECODABLE},
    {GRPC_REASON_BUDGET, REPLY_OVERLOAD},
};

static void on_refused(void *arg, enum grpc_reason why)
{
    const struct otlp_grpc *g = arg;
    for (size_t i = 0; i < ARRAY_LEN(reasons); i++) {
        if (reasons[i].why == why) {
            otlp_refused(g->conf.taker, OTLP_GRPC, reasons[i].reply);
        }
    }
}

static bool reserve(void *arg, size_t bytes, size_t held, int64_t *ret_retry_ns)
{
    struct otlp_grpc *g = arg;
    bool room = bytes == 0 ? g->conf.budget->used < g->conf.budget->limit
                           : budget_take(g->conf.budget, bytes, held);
    if (!room) {
        *ret_retry_ns = publish_retry_ns(otlp_taker_publish(g->conf.taker));
    }
    return room;
}

static void release(void *arg, size_t bytes)
{
    budget_give(((struct otlp_grpc *)arg)->conf.budget, bytes);
}

struct otlp_grpc *otlp_grpc_new(struct http_server *server, const struct otlp_grpc_conf *conf)
{
    assert(conf->taker != NULL && conf->budget != NULL);
    struct otlp_grpc *g = MEM_NEW(struct otlp_grpc);
    struct grpc_server_conf c = grpc_server_conf_default();
    g->conf = *conf;
    g->calls = pool_new("otlp calls", sizeof(struct call), CALLS_MAX);
    buf_init(&g->answer, ANSWER_MAX);
    c.message_max = conf->body_max;
    c.unpacked_max = conf->unpacked_max;
    c.budget = (struct grpc_budget){reserve, release, g};
    c.refused = on_refused;
    c.refused_arg = g;
    g->server = grpc_server_new(server, &c);
    grpc_server_routes(g->server, routes, ARRAY_LEN(routes), g);
    return g;
}

struct grpc_server *otlp_grpc_server(struct otlp_grpc *g)
{
    return g->server;
}

void otlp_grpc_free(struct otlp_grpc *g)
{
    if (g != NULL) {
        grpc_server_free(g->server);
        pool_free(g->calls, 1);
        buf_done(&g->answer);
        mem_free(g);
    }
}
