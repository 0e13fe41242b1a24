/* SPDX-License-Identifier: Apache-2.0
 *
 * OTLP over gRPC: one client, so one connection, per job at a time. What may be sent again is what
 * the protocol says; RESOURCE_EXHAUSTED only when the receiver adds when.
 */
#include "core/base/clock.h"
#include "core/base/mem.h"
#include "core/net/addr.h"
#include "core/net/grpc_client.h"
#include "loadgen/sender.h"

#include <assert.h>
#include <netdb.h>
#include <stdio.h>

enum { HOST_BYTES = 300, REPLY_MAX = 256 * 1024 };

struct lane {
    struct sender_grpc *owner;
    struct grpc_client *client;
    struct sender_job *job; /* NULL: free */
};

struct sender_grpc {
    struct sender base;
    struct lane *lanes;
    size_t lane_count, next;
    int64_t timeout_ns;
    enum inflate_coding coding;
};

static bool may_come_again(const struct grpc_result *r)
{
    switch (r->status) {
    case GRPC_CANCELLED:
    case GRPC_DEADLINE_EXCEEDED:
    case GRPC_ABORTED:
    case GRPC_OUT_OF_RANGE:
    case GRPC_UNAVAILABLE:
    case GRPC_DATA_LOSS: return true;
    case GRPC_RESOURCE_EXHAUSTED: return r->retry_ns >= 0;
    default: return r->local;
    }
}

static void on_done(void *arg, const struct grpc_result *g)
{
    struct lane *lane = arg;
    struct sender_job *job = lane->job;
    struct sender_result r = {.retry_ns = g->retry_ns, .answered = !g->local && g->http != 0};
    char text[300];
    assert(job != NULL);
    if (g->status == GRPC_OK) {
        sender_read_partial(g->message, false, &r.rejected, &r.why);
    } else {
        r.outcome = may_come_again(g) ? SENDER_AGAIN : SENDER_REFUSED;
        snprintf(text, sizeof text, "%s " SLICE_FMT, grpc_status_name((int)g->status),
                 SLICE_ARG(slice_sub(g->text, 0, MIN(g->text.len, (size_t)200))));
        r.why = slice_str(text);
    }
    lane->job = NULL;
    job->done(job, &r);
}

static void grpc_send(struct sender *s, struct sender_job *job)
{
    static const char *const paths[SIGNAL_COUNT] = {
        [SIGNAL_SPANS] = "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
        [SIGNAL_LOGS] = "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
        [SIGNAL_METRICS] = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export"};
    struct sender_grpc *g = (struct sender_grpc *)s;
    struct lane *lane = NULL;
    /* In turn, so that all connections are used at any load. */
    for (size_t i = 0; i < g->lane_count && lane == NULL; i++) {
        struct lane *l = &g->lanes[g->next++ % g->lane_count];
        lane = l->job == NULL ? l : NULL;
    }
    assert(lane != NULL);
    lane->job = job;
    (void)grpc_client_call(lane->client, &(struct grpc_ask){.path = paths[job->signal],
                                                            .message = job->body,
                                                            .coding = g->coding,
                                                            .timeout_ns = g->timeout_ns,
                                                            .done = on_done,
                                                            .arg = lane});
}

static void grpc_close(struct sender *s)
{
    struct sender_grpc *g = (struct sender_grpc *)s;
    for (size_t i = 0; i < g->lane_count; i++) {
        grpc_client_free(g->lanes[i].client);
    }
    mem_free(g->lanes);
    mem_free(g);
}

/* "name:4317" -> "10.0.0.1:4317", once and before anything is sent: a tool may wait for that. */
static int resolve(const char *host, char out[HOST_BYTES], char name[HOST_BYTES],
                   struct err *reterr)
{
    struct addr direct;
    struct err e;
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found = NULL;
    char number[NI_MAXHOST], port[NI_MAXSERV];
    snprintf(out, HOST_BYTES, "%s", host);
    const char *colon = strrchr(host, ':');
    if (colon == NULL) {
        return err_set(reterr, ERR_USAGE, "--to: '%s' has no port: expected HOST:4317", host);
    }
    snprintf(name, HOST_BYTES, "%.*s", (int)(colon - host), host);
    if (addr_parse(slice_str(host), &direct, &e) == 0) {
        return 0;
    }
    int rc = getaddrinfo(name, colon + 1, &hints, &found);
    if (rc != 0) {
        return err_set(reterr, ERR_UNAVAILABLE, "--to: %s: %s", name, gai_strerror(rc));
    }
    rc = getnameinfo(found->ai_addr, found->ai_addrlen, number, sizeof number, port, sizeof port,
                     NI_NUMERICHOST | NI_NUMERICSERV);
    bool v6 = found->ai_family == AF_INET6;
    freeaddrinfo(found);
    if (rc != 0) {
        return err_set(reterr, ERR_UNAVAILABLE, "--to: %s: %s", name, gai_strerror(rc));
    }
    snprintf(out, HOST_BYTES, v6 ? "[%.200s]:%.32s" : "%.200s:%.32s", number, port);
    return 0;
}

static int grpc_open(struct loop *l, const struct sender_conf *conf, struct sender **ret_sender,
                     struct err *reterr)
{
    char where[HOST_BYTES], name[HOST_BYTES];
    if (conf->json) {
        return err_set(reterr, ERR_USAGE, "--encoding json goes over http only, not over %s",
                       conf->scheme);
    }
    int rc = resolve(conf->host, where, name, reterr);
    if (rc != 0) {
        return rc;
    }
    struct sender_grpc *g = MEM_NEW(struct sender_grpc);
    struct grpc_client_conf c = grpc_client_conf_default();
    c.addr = where;
    c.tls = conf->tls;
    c.tls_name = conf->tls != NULL ? name : NULL;
    c.reply_max = REPLY_MAX;
    g->timeout_ns = conf->timeout_ns;
    g->coding = conf->coding;
    g->lanes = mem_calloc((size_t)conf->connections, sizeof *g->lanes);
    for (int i = 0; i < conf->connections && rc == 0; i++) {
        g->lanes[i].owner = g;
        rc = grpc_client_new(l, &c, &g->lanes[i].client, reterr);
        g->lane_count += rc == 0;
    }
    if (rc != 0) {
        grpc_close(&g->base);
        return err_wrap(reterr, "--to");
    }
    *ret_sender = &g->base;
    return 0;
}

extern const struct sender_ops sender_grpc, sender_grpcs;
const struct sender_ops sender_grpc = {"grpc",    "OTLP/gRPC", false,
                                       grpc_open, grpc_close,  grpc_send};
const struct sender_ops sender_grpcs = {"grpcs",   "OTLP/gRPC over TLS", true,
                                        grpc_open, grpc_close,           grpc_send};
