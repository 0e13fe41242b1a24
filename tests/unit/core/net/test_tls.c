/* SPDX-License-Identifier: Apache-2.0
 *
 * TLS and mutual TLS between our client and our server, with certificates made by the openssl
 * command for this run: who is believed, who is refused, and what both sides say of it.
 */
#include "rig.h"

#include "core/base/clock.h"
#include "core/net/http_client.h"
#include "core/net/tls.h"
#include "tests/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct pki {
    char dir[300];
    char ca[400], server[400], server_key[400], client[400], client_key[400], other_ca[400];
};

static const char script[] =
    "cd '%s' && exec >/dev/null 2>&1\n"
    "ca() { openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 "
    "-subj \"/CN=$1\" -keyout $1.key -out $1.pem; }\n"
    "leaf() { openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj \"/CN=$1\" "
    "-keyout $1.key -out $1.csr && printf 'subjectAltName=%%s\\n' \"$2\" >$1.ext && "
    "openssl x509 -req -in $1.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 "
    "-extfile $1.ext -out $1.pem; }\n"
    "ca ca && ca other && leaf server IP:127.0.0.1 && leaf client DNS:client\n";

static void pki_make(struct pki *p)
{
    char command[2000];
    snprintf(p->dir, sizeof p->dir, "%s", test_tmpdir());
    snprintf(command, sizeof command, script, p->dir);
    CHECK_EQ(0, system(command));
    snprintf(p->ca, sizeof p->ca, "%s/ca.pem", p->dir);
    snprintf(p->other_ca, sizeof p->other_ca, "%s/other.pem", p->dir);
    snprintf(p->server, sizeof p->server, "%s/server.pem", p->dir);
    snprintf(p->server_key, sizeof p->server_key, "%s/server.key", p->dir);
    snprintf(p->client, sizeof p->client, "%s/client.pem", p->dir);
    snprintf(p->client_key, sizeof p->client_key, "%s/client.key", p->dir);
}

struct asked {
    int done;
    unsigned status;
    struct err err;
};

static void on_head(struct http_call *c, const struct http_head *h, void *arg)
{
    (void)c;
    ((struct asked *)arg)->status = h->status;
}

static void on_done(struct http_call *c, const struct err *err, void *arg)
{
    struct asked *a = arg;
    (void)c;
    a->done++;
    if (err != NULL) {
        a->err = *err;
    }
}

static const struct http_call_ops ops = {.head = on_head, .done = on_done};

static struct asked ask(struct rig *g, const struct tls_conf *conf, const char *host)
{
    struct asked a = {0};
    struct http_call *call;
    struct err err = {0};
    struct http_client_conf client = http_client_conf_default();
    char url[300], port[16];
    CHECK_EQ(1, sscanf(strrchr(http_server_addr(g->server, 0), ':'), ":%15s", port));
    snprintf(url, sizeof url, "https://%s:%s/hello", host, port);
    CHECK_OK(tls_client_new(conf, &client.tls, &err), err);
    struct http_client *c = http_client_new(g->loop, &client);
    tls_unref(client.tls);
    struct http_call_spec spec = {.url = url, .via = http_server_addr(g->server, 0)};
    CHECK_OK(http_call_start(c, &spec, &ops, &a, &call, &err), err);
    for (int i = 0; i < 5000 && a.done == 0; i++) {
        loop_step(g->loop, CLOCK_NS_PER_MS);
    }
    CHECK_EQ(1, a.done);
    http_client_free(c);
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
    rig_read_end(&g, fd, 5000);
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
