/* SPDX-License-Identifier: Apache-2.0
 *
 * The role `ingest`: receives telemetry and puts it on the bus. This file puts the parts together:
 * listeners, receivers, the budget they share, the publisher, and its client of the bus.
 */
#include "ingest/ingest.h"

#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/net/addr.h"
#include "core/net/grpc_server.h"
#include "core/net/health.h"
#include "core/net/http_server.h"
#include "core/net/loop.h"
#include "core/net/tls.h"
#include "core/stats/stats.h"
#include "ingest/ingest_stats.h"
#include "ingest/otlp_grpc.h"
#include "ingest/otlp_http.h"

#include <assert.h>
#include <stdio.h>

#define MIB (INT64_C(1) << 20)

struct settings {
    const char *grpc_listen, *http_listen, *tls_cert, *tls_key, *tls_ca, *tenant;
    int64_t memory, body_max, unpacked_max, ack_ns;
};

#define AT(member) offsetof(struct settings, member)
static const struct conf_row rows[] = {
    {"otlp.grpc.listen", CONF_STRING, AT(grpc_listen), "127.0.0.1:4317", 0, 0, NULL, 0,
     "address for OTLP over gRPC: host:port; \"off\" for none"},
    {"otlp.http.listen", CONF_STRING, AT(http_listen), "127.0.0.1:4318", 0, 0, NULL, 0,
     "address for OTLP over HTTP: host:port; \"off\" for none"},
    {"otlp.tls.cert_file", CONF_STRING, AT(tls_cert), NULL, 0, 0, NULL, 0,
     "PEM file of the certificate and chain of both; set, it turns TLS on; read again at SIGHUP"},
    {"otlp.tls.key_file", CONF_STRING, AT(tls_key), NULL, 0, 0, NULL, 0,
     "PEM file of the certificate's key"},
    {"otlp.tls.client_ca_file", CONF_STRING, AT(tls_ca), NULL, 0, 0, NULL, 0,
     "PEM file of the authorities of senders; set, senders must have a certificate"},
    {"ingest.tenant", CONF_STRING, AT(tenant), "default", 0, 0, NULL, 0,
     "whose events these are: the context key kaiju.tenant"},
    {"ingest.memory", CONF_SIZE, AT(memory), "128MiB", 16 * MIB, 1024 * 1024 * MIB, NULL, 0,
     "what requests may hold together; beyond it they are told to come again"},
    {"ingest.request_max", CONF_SIZE, AT(body_max), "16MiB", 1024, 1024 * MIB, NULL, 0,
     "bytes of a request as it is sent"},
    {"ingest.unpacked_max", CONF_SIZE, AT(unpacked_max), "64MiB", 1024, 1024 * MIB, NULL, 0,
     "bytes of a request once it is unpacked"},
    {"ingest.ack_timeout", CONF_DURATION, AT(ack_ns), "10s", CLOCK_NS_PER_MS, 600 * CLOCK_NS_PER_S,
     NULL, 0, "a request that the bus has not taken by then is told to come again"},
};

struct ingest {
    struct role_env *env;
    const struct settings *settings;
    struct role_client *client;
    struct publish *publish;
    struct budget budget;
    struct otlp_taker *taker;
    struct http_server *server;
    struct otlp_http *http;
    struct otlp_grpc *grpc;
    struct tls_ctx *tls;
    struct ingest_stats *stats;
    bool drained;
};

static void on_bus(void *arg, const struct bus_ev *ev)
{
    struct ingest *g = arg;
    (void)publish_on_event(g->publish, ev);
}

static void on_topics(void *arg)
{
    publish_start(((struct ingest *)arg)->publish);
}

static bool is_ready(void *arg, char *why, size_t size)
{
    const struct ingest *g = arg;
    snprintf(why, size, "waiting to write to the bus");
    return publish_ready(g->publish);
}

static int listen_at(struct ingest *g, const char *addr, struct err *reterr)
{
    if (strcmp(addr, "off") == 0) {
        return 0;
    }
    struct http_listen at = {.addr = addr, .tls = g->tls};
    return http_server_listen(g->server, &at, reterr);
}

static int open_tls(struct ingest *g, struct err *reterr)
{
    const struct settings *s = g->settings;
    struct tls_conf conf = {.cert_file = s->tls_cert,
                            .key_file = s->tls_key,
                            .ca_file = s->tls_ca,
                            .verify = s->tls_ca != NULL ? TLS_VERIFY_REQUIRE : TLS_VERIFY_DEFAULT,
                            .alpn_h2 = true};
    return s->tls_cert == NULL ? 0 : tls_server_new(&conf, &g->tls, reterr);
}

/* Both protocols answer on both ports: which it is shows in the first bytes. */
static int open_receivers(struct ingest *g, struct err *reterr)
{
    const struct settings *s = g->settings;
    struct http_server_conf conf = http_server_conf_default();
    g->server = http_server_new(g->env->loop, &conf);
    http_server_publish(g->server, g->env->stats, "otlp");
    struct otlp_http_conf http = {.taker = g->taker,
                                  .budget = &g->budget,
                                  .body_max = (size_t)s->body_max,
                                  .unpacked_max = (size_t)s->unpacked_max};
    struct otlp_grpc_conf grpc = {.taker = g->taker,
                                  .budget = &g->budget,
                                  .body_max = (size_t)s->body_max,
                                  .unpacked_max = (size_t)s->unpacked_max};
    g->http = otlp_http_new(g->server, &http);
    g->grpc = otlp_grpc_new(g->server, &grpc);
    grpc_server_publish(otlp_grpc_server(g->grpc), g->env->stats, "otlp");
    int rc = open_tls(g, reterr);
    if (rc != 0) {
        return err_wrap(reterr, "otlp.tls");
    }
    rc = listen_at(g, s->grpc_listen, reterr);
    if (rc != 0) {
        return err_wrap(reterr, "otlp.grpc.listen");
    }
    rc = listen_at(g, s->http_listen, reterr);
    return rc != 0 ? err_wrap(reterr, "otlp.http.listen") : 0;
}

static void stop(void *state)
{
    struct ingest *g = state;
    if (g == NULL) {
        return;
    }
    ingest_stats_free(g->stats);
    http_server_free(g->server);
    otlp_http_free(g->http);
    otlp_grpc_free(g->grpc);
    publish_free(g->publish);
    otlp_taker_free(g->taker);
    role_client_free(g->client);
    tls_unref(g->tls);
    mem_free(g);
}

static int reload(void *state, struct err *reterr)
{
    struct ingest *g = state;
    return g->tls != NULL ? tls_reload(g->tls, reterr) : 1;
}

static int check(const void *settings, struct err *reterr)
{
    const struct settings *s = settings;
    const struct {
        const char *name, *at;
    } ports[] = {{"otlp.grpc.listen", s->grpc_listen}, {"otlp.http.listen", s->http_listen}};
    struct addr addr;
    for (size_t i = 0; i < ARRAY_LEN(ports); i++) {
        if (strcmp(ports[i].at, "off") != 0 &&
            addr_parse(slice_str(ports[i].at), &addr, reterr) != 0) {
            return err_wrap(reterr, "%s", ports[i].name);
        }
    }
    return 0;
}

static int start(struct role_env *env, const void *settings, void **ret_state, struct err *reterr)
{
    const struct settings *s = settings;
    assert(env != NULL && ret_state != NULL);
    struct ingest *g = MEM_NEW(struct ingest);
    g->env = env;
    g->settings = s;
    budget_init(&g->budget, (size_t)s->memory);
    g->client = role_client_new(env, "ingest", on_bus, g);
    struct bus_client *bus = role_client_bus(g->client);
    g->publish = publish_new(
        bus, &(struct publish_conf){.partitions = (uint32_t)env->settings->bus.partitions,
                                    .ack_ns = s->ack_ns});
    g->taker = otlp_taker_new(&(struct otlp_taker_conf){.publish = g->publish,
                                                        .stats = env->stats,
                                                        .clock = bus_clock(bus),
                                                        .tenant = s->tenant,
                                                        .arena_bytes = (size_t)s->memory});
    g->stats = ingest_stats_new(env->stats, g->publish, &g->budget);
    int rc = open_receivers(g, reterr);
    if (rc != 0) {
        stop(g);
        return rc;
    }
    health_check(env->health, "ingest", is_ready, g);
    role_topics_then(env->topics, on_topics, g);
    for (size_t i = 0; http_server_addr(g->server, i) != NULL; i++) {
        LOG_INFO("receiving OTLP", LOG_STR("addr", http_server_addr(g->server, i)));
    }
    *ret_state = g;
    return 0;
}

static void on_drained(void *arg)
{
    ((struct ingest *)arg)->drained = true;
}

static void drain(void *state)
{
    struct ingest *g = state;
    otlp_taker_drain(g->taker);
    http_server_drain(g->server, g->env->settings->drain_ns, on_drained, g);
}

static bool is_drained(void *state)
{
    const struct ingest *g = state;
    return g->drained && publish_open_requests(g->publish) == 0;
}

const struct role role_ingest = {.name = "ingest",
                                 .what = "Ingest",
                                 .start = start,
                                 .reload = reload,
                                 .drain = drain,
                                 .is_drained = is_drained,
                                 .stop = stop,
                                 .rows = rows,
                                 .row_count = ARRAY_LEN(rows),
                                 .settings_size = sizeof(struct settings),
                                 .check = check};

static int run(const struct cmd *self, int argc, char **argv)
{
    const struct role *const roles[] = {&role_ingest};
    return role_main(self, roles, ARRAY_LEN(roles), argc, argv);
}

extern const struct cmd cmd_ingest;
const struct cmd cmd_ingest = {"ingest", "[OPTION...]", "receives telemetry and puts it on the bus",
                               run};
