/* SPDX-License-Identifier: Apache-2.0
 *
 * A gRPC server for other people's programs to try: prints its address and serves until SIGTERM.
 *
 *     grpc_echo [--tls CERT KEY] [--message-max N] [--budget N] [--cost]
 *
 * /kaiju.test.Echo/Say answers the message; /Later answers it after 50 ms; /Full answers
 * UNAVAILABLE with RetryInfo of 2.5 s; /Sink answers nothing (an empty message); /Guarded wants
 * "authorization: Bearer t". Also /metrics over HTTP/1 on the same port. --cost prints CPU time per
 * call at the end.
 */
#include "core/base/clock.h"
#include "core/base/mem.h"
#include "core/net/grpc_server.h"
#include "core/net/health.h"
#include "core/net/http_server.h"
#include "core/net/loop.h"
#include "core/net/tls.h"
#include "core/stats/stats.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct app {
    struct loop *loop;
    struct http_server *http;
    struct grpc_server *grpc;
    size_t budget, used;
    bool cost;
};

struct waiting {
    struct grpc_call *call;
    struct loop_timer *timer;
};

static void on_say(struct grpc_call *c, void *arg)
{
    (void)arg;
    grpc_reply(c, grpc_call_message(c));
}

static void on_sink(struct grpc_call *c, void *arg)
{
    (void)arg;
    grpc_reply(c, SLICE_NONE);
}

static void on_later_time(void *arg)
{
    struct waiting *w = arg;
    grpc_reply(w->call, grpc_call_message(w->call));
    grpc_call_unref(w->call);
    loop_timer_free(w->timer);
    mem_free(w);
}

static void on_later(struct grpc_call *c, void *arg)
{
    struct app *app = arg;
    struct waiting *w = MEM_NEW(struct waiting);
    static const struct grpc_call_ops none = {.gone = NULL};
    grpc_call_take(c, &none, w);
    w->call = grpc_call_ref(c);
    w->timer = loop_timer_new(app->loop, on_later_time, w);
    loop_timer_set(w->timer, 50 * CLOCK_NS_PER_MS);
}

static void on_full(struct grpc_call *c, void *arg)
{
    (void)arg;
    grpc_fail_retry(c, GRPC_UNAVAILABLE, 2500 * CLOCK_NS_PER_MS,
                    "100%% full: k\xc3\xb6mm sp\xc3\xa4ter");
}

static void admit(struct grpc_call *c, void *arg)
{
    (void)arg;
    if (!slice_eq(grpc_call_field(c, SLICE("authorization")), SLICE("Bearer t"))) {
        grpc_fail(c, GRPC_UNAUTHENTICATED, "a token is needed");
    }
}

static const struct grpc_route routes[] = {
    {.path = "/kaiju.test.Echo/Say", .fn = on_say, .doc = "echoes"},
    {.path = "/kaiju.test.Echo/Later", .fn = on_later, .doc = "echoes after 50 ms"},
    {.path = "/kaiju.test.Echo/Full", .fn = on_full, .doc = "has no room"},
    {.path = "/kaiju.test.Echo/Sink", .fn = on_sink, .doc = "answers nothing"},
    {.path = "/kaiju.test.Echo/Guarded", .admit = admit, .fn = on_say, .doc = "wants a token"},
};

static bool reserve(void *arg, size_t bytes, size_t held, int64_t *ret_retry_ns)
{
    struct app *app = arg;
    (void)held;
    if (app->budget > 0 && app->used + bytes + (bytes == 0) > app->budget) {
        *ret_retry_ns = 1500 * CLOCK_NS_PER_MS;
        return false;
    }
    app->used += bytes;
    return true;
}

static void release(void *arg, size_t bytes)
{
    ((struct app *)arg)->used -= bytes;
}

static void on_drained(void *arg)
{
    loop_stop(((struct app *)arg)->loop);
}

static void on_signal(void *arg, int signo)
{
    struct app *app = arg;
    (void)signo;
    if (app->cost) {
        struct grpc_server_stats s = grpc_server_stats(app->grpc);
        double cpu = (double)clock_cpu_ns() / 1e9;
        printf("calls=%llu cpu_s=%.3f us_per_call=%.3f mb_per_cpu_s=%.1f\n",
               (unsigned long long)s.calls, cpu, cpu * 1e6 / (double)(s.calls + !s.calls),
               (double)s.in_bytes / 1e6 / cpu);
        fflush(stdout);
    }
    http_server_drain(app->http, 2 * CLOCK_NS_PER_S, on_drained, app);
}

static void fail(const char *what, const struct err *err)
{
    fprintf(stderr, "grpc_echo: %s: %s\n", what, err->msg);
    exit(1);
}

static void read_args(int argc, char **argv, struct app *app, struct grpc_server_conf *conf,
                      struct tls_conf *tls)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--tls") == 0 && i + 2 < argc) {
            *tls = (struct tls_conf){
                .cert_file = argv[i + 1], .key_file = argv[i + 2], .alpn_h2 = true};
            i += 2;
        } else if (strcmp(argv[i], "--message-max") == 0 && i + 1 < argc) {
            conf->message_max = strtoul(argv[++i], NULL, 10);
        } else if (strcmp(argv[i], "--budget") == 0 && i + 1 < argc) {
            app->budget = strtoul(argv[++i], NULL, 10);
        } else if (strcmp(argv[i], "--cost") == 0) {
            app->cost = true;
        } else {
            fprintf(stderr, "grpc_echo: what is %s?\n", argv[i]);
            exit(2);
        }
    }
}

int main(int argc, char **argv)
{
    struct app app = {.loop = loop_new()};
    struct tls_conf tls_conf = {.cert_file = NULL};
    struct tls_ctx *tls = NULL;
    struct err err = {0};
    struct stats *stats = stats_new();
    struct health *health = health_new();
    struct grpc_server_conf conf = grpc_server_conf_default();
    conf.budget = (struct grpc_budget){reserve, release, &app};
    read_args(argc, argv, &app, &conf, &tls_conf);
    if (tls_conf.cert_file != NULL && tls_server_new(&tls_conf, &tls, &err) != 0) {
        fail("TLS", &err);
    }
    app.http = http_server_new(app.loop, NULL);
    app.grpc = grpc_server_new(app.http, &conf);
    grpc_server_routes(app.grpc, routes, ARRAY_LEN(routes), &app);
    grpc_server_publish(app.grpc, stats, "test");
    health_metrics(health, stats);
    health_routes(health, http_server_router(app.http));
    if (http_server_listen(app.http, &(struct http_listen){.addr = "127.0.0.1:0", .tls = tls},
                           &err) != 0) {
        fail("listen", &err);
    }
    loop_on_signals(app.loop, on_signal, &app);
    printf("%s\n", http_server_addr(app.http, 0));
    fflush(stdout);
    loop_run(app.loop);
    http_server_free(app.http);
    grpc_server_free(app.grpc);
    health_free(health);
    stats_free(stats);
    tls_unref(tls);
    loop_free(app.loop);
    return 0;
}
