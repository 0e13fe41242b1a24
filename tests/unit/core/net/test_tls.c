/* SPDX-License-Identifier: Apache-2.0
 *
 * TLS and mutual TLS between our client and our server, with certificates made by the openssl
 * command for this run: who is believed, who is refused, and what both sides say of it.
 */
#include "asker.h"
#include "pki.h"

#include "core/base/clock.h"
#include "core/net/tls.h"
#include "tests/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static struct http_client *client_of(struct rig *g, const struct tls_conf *conf)
{
    struct err err = {0};
    struct http_client_conf client = http_client_conf_default();
    CHECK_OK(tls_client_new(conf, &client.tls, &err), err);
    struct http_client *c = http_client_new(g->loop, &client);
    tls_unref(client.tls);
    return c;
}

static struct asked ask(struct rig *g, const struct tls_conf *conf, const char *host)
{
    struct asked a = {0};
    char url[300];
    snprintf(url, sizeof url, "https://%s:%u/hello", host, http_server_port(g->server, 0));
    struct http_client *c = client_of(g, conf);
    struct http_call_spec spec = {.url = url, .via = http_server_addr(g->server, 0)};
    asker_ask(g, c, &spec, &a);
    http_client_free(c);
    asker_done(&a);
    return a;
}

static struct tls_ctx *server_of(const struct pki *p, enum tls_verify verify)
{
    struct tls_ctx *ctx;
    struct err err = {0};
    struct tls_conf conf = {
        .cert_file = p->server, .key_file = p->server_key, .ca_file = p->ca, .verify = verify};
    CHECK_OK(tls_server_new(&conf, &ctx, &err), err);
    return ctx;
}

TEST(tls_believes_the_right_authority_and_name_only)
{
    struct pki p;
    struct rig g;
    pki_make(&p);
    struct tls_ctx *ctx = server_of(&p, TLS_VERIFY_DEFAULT);
    rig_start(&g, NULL, ctx);
    struct asked a = ask(&g, &(struct tls_conf){.ca_file = p.ca}, "127.0.0.1");
    CHECK_OK(-(int)a.err.code, a.err);
    CHECK_EQ(200, a.status);
    a = ask(&g, &(struct tls_conf){.ca_file = p.other_ca}, "127.0.0.1");
    CHECK_EQ(ERR_DENIED, a.err.code);
    CHECK_HAS("127.0.0.1", a.err.msg);
    a = ask(&g, &(struct tls_conf){.ca_file = p.ca}, "somebody.else");
    CHECK_EQ(ERR_DENIED, a.err.code);
    a = ask(&g, &(struct tls_conf){.verify = TLS_VERIFY_NONE}, "somebody.else");
    CHECK_EQ(200, a.status);
    rig_step(&g, 20);
    CHECK(rig_refused(&g, HTTP_REASON_HANDSHAKE_BAD) > 0);
    rig_stop(&g);
    tls_unref(ctx);
}

TEST(tls_asks_clients_for_certificates)
{
    struct pki p;
    struct rig g;
    pki_make(&p);
    struct tls_ctx *ctx = server_of(&p, TLS_VERIFY_REQUIRE);
    rig_start(&g, NULL, ctx);
    struct tls_conf with = {.ca_file = p.ca, .cert_file = p.client, .key_file = p.client_key};
    struct asked a = ask(&g, &with, "127.0.0.1");
    CHECK_OK(-(int)a.err.code, a.err);
    CHECK_EQ(200, a.status);
    a = ask(&g, &(struct tls_conf){.ca_file = p.ca}, "127.0.0.1");
    CHECK(a.err.code != ERR_OK);
    CHECK_EQ(0, a.status);
    rig_stop(&g);
    tls_unref(ctx);
}

TEST(tls_carries_long_bodies_both_ways_on_kept_connections)
{
    struct pki p;
    struct rig g;
    struct asked a = {0};
    char url[100];
    pki_make(&p);
    struct tls_ctx *ctx = server_of(&p, TLS_VERIFY_DEFAULT);
    rig_start(&g, NULL, ctx);
    struct http_client *c = client_of(&g, &(struct tls_conf){.ca_file = p.ca});
    snprintf(url, sizeof url, "https://127.0.0.1:%u/echo", http_server_port(g.server, 0));
    struct http_call_spec spec = {.url = url, .method = HTTP_POST, .stream = true};
    for (int i = 0; i < 3; i++) {
        a.to_send = 3 << 20;
        a.pause_in_data = i == 1;
        asker_start(c, &spec, &a);
        asker_feed(&a);
        for (int step = 0; step < 20000 && a.done == 0; step++) {
            loop_step(g.loop, CLOCK_NS_PER_MS);
            if (a.pause_in_data && a.call != NULL) {
                http_call_resume(a.call);
            }
        }
        CHECK_EQ(1, a.done);
        CHECK_OK(-(int)a.err.code, a.err);
        CHECK_EQ(3 << 20, a.body.len);
        asker_done(&a);
    }
    CHECK_EQ(1, http_client_stats(c).connected);
    CHECK_EQ(2, http_client_stats(c).reused);
    http_client_free(c);
    rig_stop(&g);
    tls_unref(ctx);
}

static void note(void *arg)
{
    *(bool *)arg = true;
}

TEST(tls_drains_what_is_in_work)
{
    struct pki p;
    struct rig g;
    struct asked a = {0}, refused = {0};
    char url[100];
    bool done = false;
    pki_make(&p);
    struct tls_ctx *ctx = server_of(&p, TLS_VERIFY_DEFAULT);
    rig_start(&g, NULL, ctx);
    struct http_client *c = client_of(&g, &(struct tls_conf){.ca_file = p.ca});
    snprintf(url, sizeof url, "https://127.0.0.1:%u/later", http_server_port(g.server, 0));
    asker_start(c, &(struct http_call_spec){.url = url}, &a);
    for (int i = 0; i < 60000 && g.later == NULL; i++) {
        loop_step(g.loop, CLOCK_NS_PER_MS);
    }
    http_server_drain(g.server, 10 * CLOCK_NS_PER_S, note, &done);
    asker_ask(&g, c, &(struct http_call_spec){.url = url}, &refused);
    CHECK_EQ(ERR_UNAVAILABLE, refused.err.code);
    CHECK(!done);
    rig_answer_later(&g);
    asker_wait(&g, &a, 30000);
    CHECK_EQ(200, a.status);
    rig_step(&g, 100);
    CHECK(done);
    CHECK_EQ(0, http_client_stats(c).open); /* the answer said "Connection: close" */
    asker_done(&a);
    asker_done(&refused);
    http_client_free(c);
    rig_stop(&g);
    tls_unref(ctx);
}

TEST(tls_reload_serves_new_connections_with_the_new_files)
{
    struct pki p;
    struct rig g;
    struct err err = {0};
    char command[2000];
    pki_make(&p);
    struct tls_ctx *ctx = server_of(&p, TLS_VERIFY_DEFAULT);
    rig_start(&g, NULL, ctx);
    struct asked a = ask(&g, &(struct tls_conf){.ca_file = p.ca}, "127.0.0.1");
    CHECK_EQ(200, a.status);
    snprintf(command, sizeof command, "cp '%s' '%s' && cp '%s' '%s'", p.client, p.server,
             p.client_key, p.server_key);
    CHECK_EQ(0, system(command));
    CHECK_OK(tls_reload(ctx, &err), err);
    a = ask(&g, &(struct tls_conf){.ca_file = p.ca}, "127.0.0.1");
    CHECK_EQ(ERR_DENIED, a.err.code); /* the certificate of "client" now */
    a = ask(&g, &(struct tls_conf){.ca_file = p.ca}, "client");
    CHECK_EQ(200, a.status);
    CHECK_EQ(0, unlink(p.server_key));
    CHECK(tls_reload(ctx, &err) != 0);
    CHECK_HAS(p.server_key, err.msg);
    a = ask(&g, &(struct tls_conf){.ca_file = p.ca}, "client");
    CHECK_EQ(200, a.status); /* the old ones stay */
    rig_stop(&g);
    tls_unref(ctx);
}

TEST(tls_a_client_that_says_nothing_is_let_go)
{
    struct pki p;
    struct rig g;
    struct http_server_conf conf = rig_conf();
    pki_make(&p);
    conf.handshake_ms = 100;
    struct tls_ctx *ctx = server_of(&p, TLS_VERIFY_DEFAULT);
    rig_start(&g, &conf, ctx);
    int fd = rig_connect(&g);
    rig_send(&g, fd, "\x16\x03\x01", 3);
    rig_read_end(&g, fd, 30000);
    CHECK(g.closed);
    close(fd);
    CHECK(rig_refused(&g, HTTP_REASON_HANDSHAKE_SLOW) > 0);
    rig_stop(&g);
    tls_unref(ctx);
}

TEST(tls_errors_name_the_file)
{
    struct tls_ctx *ctx;
    struct err err = {0};
    struct tls_conf conf = {.cert_file = "/nowhere/s.pem", .key_file = "/nowhere/s.key"};
    CHECK(tls_server_new(&conf, &ctx, &err) != 0);
    CHECK_HAS("/nowhere/s.pem", err.msg);
}
