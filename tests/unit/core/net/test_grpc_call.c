/* SPDX-License-Identifier: Apache-2.0
 *
 * Calls that go well, or end early for reasons of their own: our client against our server.
 */
#include "grpc_rig.h"
#include "pki.h"

#include "core/base/clock.h"
#include "core/base/mem.h"
#include "core/net/tls.h"
#include "core/stats/stats.h"
#include "tests/test.h"

#include <libdeflate.h>
#include <snappy-c.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <zstd.h>

static char *pattern(size_t n)
{
    char *p = malloc(n + 1);
    uint32_t x = 1;
    for (size_t i = 0; i < n; i++) {
        x = x * 1664525 + 1013904223;
        p[i] = (char)(x >> 24);
    }
    return p;
}

TEST(grpc_echoes_messages_of_all_sizes)
{
    static const size_t sizes[] = {0,     1,       100,           16379,   16384,
                                   65535, 1 << 20, (1 << 20) + 1, 5 << 20, 16 << 20};
    struct grpc_rig g;
    grpc_rig_start(&g, NULL, NULL);
    struct grpc_client *c = grpc_rig_client(&g, NULL);
    char *p = pattern(16 << 20);
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        struct grpc_end e = grpc_rig_call(&g, c, "Echo", slice_of(p, sizes[i]));
        CHECK_EQ(GRPC_OK, e.status);
        CHECK_EQ(200, e.http);
        CHECK_EQ(sizes[i], e.len);
        CHECK(e.equal);
    }
    CHECK_EQ(1, grpc_server_stats(g.server).connections_total);
    CHECK_EQ(ARRAY_LEN(sizes), grpc_server_stats(g.server).answers[GRPC_OK]);
    grpc_client_free(c);
    grpc_rig_step(&g, 30);
    CHECK_EQ(0, grpc_server_stats(g.server).connections);
    CHECK_EQ(0, grpc_server_stats(g.server).reserved);
    grpc_rig_stop(&g);
    free(p);
}

TEST(grpc_answers_later_many_at_once)
{
    enum { CALLS = 150 }; /* more than streams_max: the rest waits in the client */
    struct grpc_rig g;
    struct grpc_end ends[CALLS] = {0};
    char texts[CALLS][16];
    bool never = false;
    grpc_rig_start(&g, NULL, NULL);
    struct grpc_client *c = grpc_rig_client(&g, NULL);
    for (int i = 0; i < CALLS; i++) {
        snprintf(texts[i], sizeof texts[i], "call %d", i);
        ends[i].want = slice_str(texts[i]);
        grpc_client_call(c, &(struct grpc_ask){.path = "/t.T/Later",
                                               .message = ends[i].want,
                                               .done = grpc_rig_done,
                                               .arg = &ends[i]});
    }
    CHECK_EQ(CALLS, grpc_client_active(c));
    grpc_rig_step(&g, 50);
    CHECK_EQ(100, g.later_count);
    CHECK_EQ(100, grpc_server_stats(g.server).active);
    CHECK(!ends[0].done);
    grpc_rig_answer(&g);
    (void)grpc_rig_wait(&g, &never, 50);
    grpc_rig_answer(&g);
    (void)grpc_rig_wait(&g, &never, 50);
    for (int i = 0; i < CALLS; i++) {
        CHECK(ends[i].done && ends[i].status == GRPC_OK && ends[i].equal);
    }
    CHECK_EQ(0, grpc_client_active(c));
    CHECK_EQ(0, g.gone);
    CHECK_EQ(CALLS, g.freed);
    grpc_client_free(c);
    grpc_rig_stop(&g);
}

TEST(grpc_tells_metadata_status_text_and_delay)
{
    struct grpc_rig g;
    grpc_rig_start(&g, NULL, NULL);
    struct grpc_client *c = grpc_rig_client(&g, NULL);
    const struct http_field field = {SLICE("x-test"), SLICE("a value, with, commas")};
    struct grpc_end e = grpc_rig_ask(
        &g, c, (struct grpc_ask){.path = "/t.T/Meta", .metadata = &field, .metadata_count = 1});
    CHECK_STR("a value, with, commas", e.message);
    e = grpc_rig_call(&g, c, "Fail", SLICE("x"));
    CHECK_EQ(GRPC_RESOURCE_EXHAUSTED, e.status);
    CHECK_STR("100% full\nof it", e.text);
    CHECK_EQ(2500 * CLOCK_NS_PER_MS, e.retry_ns);
    CHECK(!e.local);
    e = grpc_rig_call(&g, c, "Guarded", SLICE("x"));
    CHECK_EQ(GRPC_UNAUTHENTICATED, e.status);
    CHECK_EQ(-1, e.retry_ns);
    const struct http_field key = {SLICE("authorization"), SLICE("secret")};
    e = grpc_rig_ask(
        &g, c,
        (struct grpc_ask){
            .path = "/t.T/Guarded", .message = SLICE("x"), .metadata = &key, .metadata_count = 1});
    CHECK_EQ(GRPC_OK, e.status);
    grpc_client_free(c);
    grpc_rig_stop(&g);
}

static size_t pack(enum inflate_coding coding, struct slice in, char *out, size_t cap)
{
    size_t n = cap;
    if (coding == INFLATE_ZSTD) {
        return ZSTD_compress(out, cap, in.ptr, in.len, 3);
    }
    if (coding == INFLATE_SNAPPY) {
        CHECK_EQ(SNAPPY_OK, snappy_compress(in.ptr, in.len, out, &n));
        return n;
    }
    struct libdeflate_compressor *z = libdeflate_alloc_compressor(6);
    n = coding == INFLATE_GZIP ? libdeflate_gzip_compress(z, in.ptr, in.len, out, cap)
                               : libdeflate_zlib_compress(z, in.ptr, in.len, out, cap);
    libdeflate_free_compressor(z);
    return n;
}

TEST(grpc_unpacks_every_coding_or_hands_it_on_raw)
{
    static const enum inflate_coding codings[] = {INFLATE_GZIP, INFLATE_DEFLATE, INFLATE_ZSTD,
                                                  INFLATE_SNAPPY};
    struct grpc_rig g;
    grpc_rig_start(&g, NULL, NULL);
    struct grpc_client *c = grpc_rig_client(&g, NULL);
    char plain[5000], packed[8000], want[64];
    for (size_t i = 0; i < sizeof plain; i++) {
        plain[i] = (char)('a' + i % 17);
    }
    for (size_t i = 0; i < ARRAY_LEN(codings); i++) {
        size_t n = pack(codings[i], slice_of(plain, sizeof plain), packed, sizeof packed);
        CHECK(n > 0 && n < sizeof plain);
        struct grpc_end e = grpc_rig_ask(&g, c,
                                         (struct grpc_ask){.path = "/t.T/Echo",
                                                           .message = slice_of(packed, n),
                                                           .coding = codings[i]});
        CHECK_EQ(GRPC_OK, e.status);
        CHECK_EQ(sizeof plain, e.len);
        CHECK(memcmp(e.message, plain, 200) == 0);
        e = grpc_rig_ask(&g, c,
                         (struct grpc_ask){.path = "/t.T/Raw",
                                           .message = slice_of(packed, n),
                                           .coding = codings[i]});
        snprintf(want, sizeof want, "%s %zu", inflate_coding_name(codings[i]), n);
        CHECK_STR(want, e.message);
    }
    grpc_client_free(c);
    grpc_rig_step(&g, 20);
    CHECK_EQ(0, g.used);
    CHECK(g.used_max > sizeof plain);
    grpc_rig_stop(&g);
}

TEST(grpc_cancel_tells_the_handler)
{
    struct grpc_rig g;
    struct grpc_end e = {0};
    grpc_rig_start(&g, NULL, NULL);
    struct grpc_client *c = grpc_rig_client(&g, NULL);
    struct grpc_client_call *call = grpc_client_call(
        c, &(struct grpc_ask){
               .path = "/t.T/Later", .message = SLICE("x"), .done = grpc_rig_done, .arg = &e});
    grpc_rig_step(&g, 30);
    CHECK_EQ(1, g.later_count);
    grpc_client_cancel(call);
    CHECK_EQ(0, grpc_client_active(c));
    grpc_rig_step(&g, 30);
    CHECK(!e.done);
    CHECK_EQ(1, g.gone);
    CHECK_EQ(1, g.freed);
    CHECK_EQ(1, grpc_rig_refused(&g, GRPC_REASON_CANCELLED));
    CHECK_EQ(0, grpc_server_stats(g.server).active);
    e = grpc_rig_call(&g, c, "Echo", SLICE("still here"));
    CHECK_EQ(GRPC_OK, e.status);
    grpc_client_free(c);
    grpc_rig_stop(&g);
}

TEST(grpc_a_reference_outlives_stream_connection_and_server)
{
    struct grpc_rig g;
    struct grpc_end e = {0};
    grpc_rig_start(&g, NULL, NULL);
    struct grpc_client *c = grpc_rig_client(&g, NULL);
    grpc_client_call(c, &(struct grpc_ask){.path = "/t.T/Hold",
                                           .message = SLICE("kept bytes"),
                                           .done = grpc_rig_done,
                                           .arg = &e});
    grpc_rig_step(&g, 30);
    CHECK(g.held != NULL && grpc_call_is_open(g.held));
    grpc_client_free(c);
    grpc_rig_step(&g, 30);
    CHECK_EQ(1, g.gone);
    CHECK(!grpc_call_is_open(g.held));
    CHECK(grpc_call_peer(g.held) == NULL);
    CHECK_SLICE("kept bytes", grpc_call_message(g.held));
    CHECK(g.used > 0); /* memory that is held stays charged */
    CHECK_EQ(1, grpc_rig_refused(&g, GRPC_REASON_CLIENT_GONE));
    grpc_reply(g.held, SLICE("nobody"));
    grpc_rig_stop(&g); /* lets go after the server is freed */
    CHECK_EQ(1, g.freed);
}

TEST(grpc_deadlines_are_kept_on_both_sides)
{
    struct grpc_rig g;
    grpc_rig_start(&g, NULL, NULL);
    struct grpc_client *c = grpc_rig_client(&g, NULL);
    struct grpc_end e = grpc_rig_ask(&g, c,
                                     (struct grpc_ask){.path = "/t.T/Later",
                                                       .message = SLICE("x"),
                                                       .timeout_ns = 50 * CLOCK_NS_PER_MS});
    CHECK_EQ(GRPC_DEADLINE_EXCEEDED, e.status);
    grpc_rig_step(&g, 150);
    CHECK_EQ(1, g.gone);
    /* A client that only says it: the server answers. */
    const struct http_field field = {SLICE("grpc-timeout"), SLICE("20m")};
    e = grpc_rig_ask(
        &g, c,
        (struct grpc_ask){
            .path = "/t.T/Later", .message = SLICE("x"), .metadata = &field, .metadata_count = 1});
    CHECK_EQ(GRPC_DEADLINE_EXCEEDED, e.status);
    CHECK(!e.local);
    CHECK_EQ(2, g.gone);
    CHECK(grpc_rig_refused(&g, GRPC_REASON_TIMEOUT) >= 1); /* who was first with the other one? */
    grpc_client_free(c);
    grpc_rig_stop(&g);
}

TEST(grpc_client_says_when_nobody_listens_and_comes_back)
{
    struct grpc_rig g;
    struct err err = {0};
    grpc_rig_start(&g, NULL, NULL);
    struct grpc_client_conf conf = grpc_client_conf_default();
    struct grpc_client *c;
    conf.addr = "127.0.0.1:1";
    CHECK_OK(grpc_client_new(g.loop, &conf, &c, &err), err);
    for (int i = 0; i < 3; i++) {
        struct grpc_end e = grpc_rig_call(&g, c, "Echo", SLICE("x"));
        CHECK_EQ(GRPC_UNAVAILABLE, e.status);
        CHECK(e.local);
        CHECK_HAS("127.0.0.1:1", e.text);
    }
    grpc_client_free(c);
    c = grpc_rig_client(&g, NULL);
    CHECK_EQ(GRPC_OK, grpc_rig_call(&g, c, "Echo", SLICE("x")).status);
    grpc_client_reset(c);
    CHECK_EQ(GRPC_OK, grpc_rig_call(&g, c, "Echo", SLICE("x")).status);
    CHECK_EQ(2, grpc_server_stats(g.server).connections_total);
    grpc_client_free(c);
    grpc_rig_stop(&g);
}

TEST(grpc_speaks_tls_with_alpn)
{
    struct pki p;
    struct grpc_rig g;
    struct tls_ctx *server, *client;
    struct err err = {0};
    pki_make(&p);
    const struct tls_conf sc = {.cert_file = p.server, .key_file = p.server_key, .alpn_h2 = true};
    const struct tls_conf cc = {.ca_file = p.ca, .alpn_h2 = true};
    CHECK_OK(tls_server_new(&sc, &server, &err), err);
    CHECK_OK(tls_client_new(&cc, &client, &err), err);
    grpc_rig_start(&g, NULL, server);
    struct grpc_client *c = grpc_rig_client(&g, client);
    char *big = pattern(3 << 20);
    struct grpc_end e = grpc_rig_call(&g, c, "Echo", slice_of(big, 3 << 20));
    CHECK_STR("", e.text);
    CHECK(e.status == GRPC_OK && e.equal);
    grpc_client_free(c);
    c = grpc_rig_client(&g, NULL); /* plain where TLS is spoken */
    e = grpc_rig_call(&g, c, "Echo", SLICE("x"));
    CHECK_EQ(GRPC_UNAVAILABLE, e.status);
    grpc_client_free(c);
    grpc_rig_stop(&g);
    tls_unref(server);
    tls_unref(client);
    free(big);
}

static void set_flag(void *arg)
{
    *(bool *)arg = true;
}

TEST(grpc_drain_finishes_what_is_in_work)
{
    struct grpc_rig g;
    struct grpc_end first = {.want = SLICE("in work")}, idle;
    bool drained = false;
    grpc_rig_start(&g, NULL, NULL);
    struct grpc_client *c = grpc_rig_client(&g, NULL), *other = grpc_rig_client(&g, NULL);
    grpc_client_call(
        c, &(struct grpc_ask){
               .path = "/t.T/Later", .message = first.want, .done = grpc_rig_done, .arg = &first});
    idle = grpc_rig_call(&g, other, "Echo", SLICE("idle"));
    CHECK_EQ(GRPC_OK, idle.status);
    grpc_rig_step(&g, 20);
    CHECK_EQ(2, grpc_server_stats(g.server).connections);
    http_server_drain(g.http, 5 * CLOCK_NS_PER_S, set_flag, &drained);
    grpc_rig_step(&g, 200);
    CHECK(!drained && !first.done);
    CHECK_EQ(1, grpc_server_stats(g.server).connections); /* the idle one has gone */
    grpc_rig_answer(&g);
    CHECK(grpc_rig_wait(&g, &first.done, 30000));
    CHECK(first.status == GRPC_OK && first.equal);
    CHECK(grpc_rig_wait(&g, &drained, 30000));
    idle = grpc_rig_call(&g, other, "Echo", SLICE("idle"));
    CHECK_EQ(GRPC_UNAVAILABLE, idle.status);
    grpc_client_free(c);
    grpc_client_free(other);
    grpc_rig_stop(&g);
}

TEST(grpc_drain_cuts_off_at_its_deadline)
{
    struct grpc_rig g;
    struct grpc_end e = {0};
    bool drained = false;
    grpc_rig_start(&g, NULL, NULL);
    struct grpc_client *c = grpc_rig_client(&g, NULL);
    grpc_client_call(
        c, &(struct grpc_ask){
               .path = "/t.T/Later", .message = SLICE("x"), .done = grpc_rig_done, .arg = &e});
    grpc_rig_step(&g, 20);
    http_server_drain(g.http, 100 * CLOCK_NS_PER_MS, set_flag, &drained);
    CHECK(grpc_rig_wait(&g, &drained, 30000));
    CHECK(grpc_rig_wait(&g, &e.done, 30000));
    CHECK_EQ(GRPC_UNAVAILABLE, e.status);
    CHECK_EQ(1, g.gone);
    CHECK_EQ(1, grpc_rig_refused(&g, GRPC_REASON_DRAIN_LATE));
    grpc_client_free(c);
    grpc_rig_stop(&g);
}

TEST(grpc_old_connections_are_sent_elsewhere_without_a_failed_call)
{
    struct grpc_rig g;
    struct grpc_server_conf conf = grpc_rig_conf();
    conf.age_max_ms = 100;
    grpc_rig_start(&g, &conf, NULL);
    struct grpc_client *c = grpc_rig_client(&g, NULL);
    for (int i = 0; i < 200; i++) {
        struct grpc_end e = grpc_rig_call(&g, c, "Echo", SLICE("again"));
        CHECK_EQ(GRPC_OK, e.status);
        grpc_rig_step(&g, 2);
    }
    CHECK(grpc_rig_refused(&g, GRPC_REASON_AGE) > 0);
    CHECK(grpc_server_stats(g.server).connections_total > 1);
    grpc_client_free(c);
    grpc_rig_stop(&g);
}

TEST(grpc_idle_connections_are_closed)
{
    struct grpc_rig g;
    struct grpc_server_conf conf = grpc_rig_conf();
    conf.idle_ms = 50;
    grpc_rig_start(&g, &conf, NULL);
    struct grpc_client *c = grpc_rig_client(&g, NULL);
    CHECK_EQ(GRPC_OK, grpc_rig_call(&g, c, "Echo", SLICE("x")).status);
    grpc_rig_step(&g, 400);
    CHECK_EQ(1, grpc_rig_refused(&g, GRPC_REASON_IDLE));
    CHECK_EQ(0, grpc_server_stats(g.server).connections);
    CHECK_EQ(GRPC_OK, grpc_rig_call(&g, c, "Echo", SLICE("x")).status);
    grpc_client_free(c);
    grpc_rig_stop(&g);
}

TEST(grpc_shows_its_figures_on_metrics)
{
    struct grpc_rig g;
    struct buf text;
    struct stats *stats = stats_new();
    buf_init(&text, 1 << 20);
    grpc_rig_start(&g, NULL, NULL);
    grpc_server_publish(g.server, stats, "otlp");
    struct grpc_client *c = grpc_rig_client(&g, NULL);
    CHECK_EQ(GRPC_OK, grpc_rig_call(&g, c, "Echo", SLICE("12345")).status);
    CHECK_EQ(GRPC_UNIMPLEMENTED, grpc_rig_call(&g, c, "Nope", SLICE("x")).status);
    stats_write(stats, &text);
    const char *t = buf_cstr(&text);
    CHECK_HAS("kaiju_grpc_calls_total{server=\"otlp\"} 2\n", t);
    CHECK_HAS("kaiju_grpc_answers_total{server=\"otlp\",status=\"OK\"} 1\n", t);
    CHECK_HAS("kaiju_grpc_refused_total{server=\"otlp\",reason=\"method_unknown\"} 1\n", t);
    CHECK_HAS("kaiju_grpc_refused_total{server=\"otlp\",reason=\"reset_flood\"} 0\n", t);
    CHECK_HAS("kaiju_grpc_message_bytes_total{server=\"otlp\"} 5\n", t);
    CHECK_HAS("kaiju_grpc_call_seconds_count{server=\"otlp\"} 2\n", t);
    CHECK_HAS("kaiju_grpc_connections{server=\"otlp\"} 1\n", t);
    grpc_client_free(c);
    grpc_rig_stop(&g);
    buf_clear(&text);
    stats_write(stats, &text); /* the server has gone: nobody reads its figures */
    stats_free(stats);
    buf_done(&text);
}
