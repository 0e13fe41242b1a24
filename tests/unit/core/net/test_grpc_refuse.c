/* SPDX-License-Identifier: Apache-2.0
 *
 * Every row of grpc_reason.def once: what is sent, what the client is told, the counter. The last
 * test holds that no row was forgotten. Floods and slowness are in test_grpc_flood.c.
 */
#include "grpc_rig.h"

#include "core/codec/endian.h"

#include "core/base/clock.h"
#include "tests/test.h"

#include <nghttp2/nghttp2.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct refusal {
    enum grpc_reason why;
    const char *method; /* of /t.T/ */
    const char *verb, *type, *name, *value;
    uint8_t packed;
    const char *message;
    size_t cut; /* bytes of the message that are not sent */
    bool no_message, twice;
    enum grpc_status status;
    unsigned http;
    const char *text; /* part of what is said */
};

static const struct refusal refusals[] = {
    {GRPC_REASON_VERB_BAD, "Echo", .verb = "GET", .status = 12, .http = 405},
    {GRPC_REASON_TYPE_BAD, "Echo", .type = "application/json", .status = 12, .http = 415},
    {GRPC_REASON_TYPE_BAD, "Echo", .type = "application/grpc+json", .status = 12, .http = 415},
    {GRPC_REASON_TYPE_BAD, "Echo", .type = "application/grpcx", .status = 12, .http = 415},
    {GRPC_REASON_METHOD_UNKNOWN, "Nope", .status = 12},
    {GRPC_REASON_METHOD_UNKNOWN, "Echo/", .status = 12},
    {GRPC_REASON_CODING_UNKNOWN, "Echo", .name = "grpc-encoding", .value = "br", .status = 12},
    {GRPC_REASON_TIMEOUT_BAD, "Echo", .name = "grpc-timeout", .value = "1x", .status = 13},
    {GRPC_REASON_FLAG_BAD, "Echo", .packed = 2, .status = 13},
    {GRPC_REASON_CODING_MISSING, "Echo", .packed = 1, .status = 13},
    {GRPC_REASON_MESSAGE_LARGE, "Small", .message = "12345678901", .status = 8, .text = "11"},
    {GRPC_REASON_UNPACK_BAD, "Echo", .packed = 1, .name = "grpc-encoding", .value = "gzip",
     .message = "this is no gzip at all, not in the least", .status = 3, .text = "gzip"},
    {GRPC_REASON_MESSAGE_CUT, "Echo", .message = "abcdef", .cut = 2, .status = 3, .text = "4 of 6"},
    {GRPC_REASON_MESSAGE_CUT, "Echo", .message = "", .cut = 1, .status = 3, .text = "5 bytes"},
    {GRPC_REASON_MESSAGE_NONE, "Echo", .no_message = true, .status = 12},
    {GRPC_REASON_MESSAGE_MORE, "Echo", .twice = true, .status = 12},
    {GRPC_REASON_NO_REPLY, "Never", .status = 13},
};

/* Sends it as frames, reads the head of the answer with the peer's own HPACK. */
static void send_refused(struct h2_out *o, const struct refusal *r)
{
    char path[64];
    struct slice message = slice_str(r->message != NULL ? r->message : "hello");
    snprintf(path, sizeof path, "/t.T/%s", r->method);
    h2_out_head(o, 1, r->no_message ? 5 : 4, r->verb != NULL ? r->verb : "POST", path,
                r->type != NULL ? r->type : "application/grpc", r->name, r->value);
    if (r->no_message) {
        return;
    }
    size_t before = o->n;
    h2_out_message(o, 1, r->twice ? 0 : 1, r->packed, message);
    if (r->cut > 0) {
        o->n -= r->cut;
        o->bytes[before + 2] = (uint8_t)(o->bytes[before + 2] - r->cut);
    }
    if (r->twice) {
        h2_out_message(o, 1, 1, 0, message);
    }
}

struct head {
    nghttp2_hd_inflater *hpack;
    char status[8], grpc[8], text[600], accept[100], details[600];
};

static void keep(char *to, size_t size, const nghttp2_nv *nv)
{
    snprintf(to, size, "%.*s", (int)nv->valuelen, (const char *)nv->value);
}

static struct head read_head(struct slice block)
{
    struct head h = {0};
    CHECK_EQ(0, nghttp2_hd_inflate_new(&h.hpack));
    const uint8_t *p = (const uint8_t *)block.ptr;
    size_t left = block.len;
    for (;;) {
        nghttp2_nv nv;
        int flags = 0;
        ssize_t n = nghttp2_hd_inflate_hd2(h.hpack, &nv, &flags, p, left, 1);
        CHECK(n >= 0);
        p += n;
        left -= (size_t)n;
        if ((flags & NGHTTP2_HD_INFLATE_EMIT) != 0) {
            struct slice name = slice_of(nv.name, nv.namelen);
            if (slice_eq(name, SLICE(":status"))) {
                keep(h.status, sizeof h.status, &nv);
            } else if (slice_eq(name, SLICE("grpc-status"))) {
                keep(h.grpc, sizeof h.grpc, &nv);
            } else if (slice_eq(name, SLICE("grpc-message"))) {
                keep(h.text, sizeof h.text, &nv);
            } else if (slice_eq(name, SLICE("grpc-accept-encoding"))) {
                keep(h.accept, sizeof h.accept, &nv);
            } else if (slice_eq(name, SLICE("grpc-status-details-bin"))) {
                keep(h.details, sizeof h.details, &nv);
            }
        }
        if ((flags & NGHTTP2_HD_INFLATE_FINAL) != 0) {
            break;
        }
    }
    nghttp2_hd_inflate_del(h.hpack);
    return h;
}

TEST(grpc_each_refusal_has_its_status)
{
    for (size_t i = 0; i < ARRAY_LEN(refusals); i++) {
        const struct refusal *r = &refusals[i];
        struct grpc_rig g;
        struct h2_out *o = calloc(1, sizeof *o);
        char want[16];
        grpc_rig_start(&g, NULL, NULL);
        int fd = grpc_rig_connect(&g);
        h2_out_preface(o);
        send_refused(o, r);
        grpc_rig_send(&g, fd, o);
        struct slice block = grpc_rig_frame(&g, fd, 1, 1, 3000);
        if (block.len == 0) {
            test_fail(__FILE__, __LINE__, "row %zu: no answer", i);
        }
        struct head h = read_head(block);
        snprintf(want, sizeof want, "%d", (int)r->status);
        if (strcmp(want, h.grpc) != 0) {
            test_fail(__FILE__, __LINE__, "row %zu: grpc-status %s", i, h.grpc);
        }
        snprintf(want, sizeof want, "%u", r->http != 0 ? r->http : 200);
        CHECK_STR(want, h.status);
        CHECK(r->text == NULL || strstr(h.text, r->text) != NULL);
        CHECK_EQ(r->why == GRPC_REASON_CODING_UNKNOWN, h.accept[0] != '\0');
        CHECK_EQ(r->status == GRPC_INVALID_ARGUMENT, h.details[0] != '\0');
        CHECK(strchr(h.details, '=') == NULL);
        if (grpc_rig_refused(&g, r->why) != 1) {
            test_fail(__FILE__, __LINE__, "row %zu is not counted", i);
        }
        CHECK_EQ(0, grpc_server_stats(g.server).active);
        /* The connection is as good as new. */
        h2_out_head(o, 3, 4, "POST", "/t.T/Echo", "application/grpc+proto", NULL, NULL);
        h2_out_message(o, 3, 1, 0, SLICE("fine"));
        grpc_rig_send(&g, fd, o);
        struct slice echo = grpc_rig_frame(&g, fd, 0, 3, 3000);
        CHECK(slice_eq(echo, SLICE("\0\0\0\0\4fine")));
        close(fd);
        grpc_rig_step(&g, 5);
        grpc_rig_stop(&g);
        free(o);
    }
}

TEST(grpc_shows_spoilt_messages_to_their_route)
{
    struct grpc_rig g;
    struct h2_out *o = calloc(1, sizeof *o);
    grpc_rig_start(&g, NULL, NULL);
    int fd = grpc_rig_connect(&g);
    h2_out_preface(o);
    h2_out_head(o, 1, 4, "POST", "/t.T/Echo", "application/grpc", "grpc-encoding", "zstd");
    h2_out_message(o, 1, 1, 1, SLICE("junk"));
    grpc_rig_send(&g, fd, o);
    CHECK(grpc_rig_frame(&g, fd, 1, 1, 3000).len > 0);
    CHECK_EQ(1, g.spoilt);
    CHECK_EQ(GRPC_REASON_UNPACK_BAD, g.spoilt_why);
    CHECK_STR("junk", g.spoilt_bytes);
    close(fd);
    grpc_rig_stop(&g);
    free(o);
}

TEST(grpc_bounds_what_a_message_unpacks_to)
{
    /* gzip of 100 times 'a' */
    static const char gz[] = "\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\x4b\x4c\xa4\x3d\x00\x00"
                             "\xbc\x7a\xf7\xaf\x64\x00\x00\x00";
    struct grpc_rig g;
    grpc_rig_start(&g, NULL, NULL);
    struct grpc_client *c = grpc_rig_client(&g, NULL);
    struct grpc_ask ask = {
        .path = "/t.T/Tight", .message = slice_of(gz, sizeof gz - 1), .coding = INFLATE_GZIP};
    struct grpc_end e = grpc_rig_ask(&g, c, ask);
    CHECK_EQ(GRPC_RESOURCE_EXHAUSTED, e.status);
    CHECK_EQ(-1, e.retry_ns); /* the same message will never do */
    CHECK_EQ(1, grpc_rig_refused(&g, GRPC_REASON_UNPACKED_LARGE));
    grpc_client_free(c);
    grpc_rig_stop(&g);
}

TEST(grpc_refuses_heads_that_are_too_large)
{
    struct grpc_rig g;
    struct grpc_server_conf conf = grpc_rig_conf();
    char value[2000];
    conf.header_list_bytes = 1000;
    memset(value, 'v', sizeof value);
    grpc_rig_start(&g, &conf, NULL);
    struct grpc_client *c = grpc_rig_client(&g, NULL);
    const struct http_field field = {SLICE("x-test"), slice_of(value, sizeof value)};
    struct grpc_end e = grpc_rig_ask(
        &g, c,
        (struct grpc_ask){
            .path = "/t.T/Meta", .message = SLICE("x"), .metadata = &field, .metadata_count = 1});
    CHECK_EQ(GRPC_RESOURCE_EXHAUSTED, e.status);
    CHECK_EQ(1, grpc_rig_refused(&g, GRPC_REASON_HEADERS_LARGE));
    CHECK_EQ(GRPC_OK, grpc_rig_call(&g, c, "Echo", SLICE("x")).status);
    grpc_client_free(c);
    grpc_rig_stop(&g);
}

TEST(grpc_overload_refuses_before_the_message_is_read_and_says_when_to_come_again)
{
    enum { BIG = 8 << 20, CALLS = 30 };
    struct grpc_rig g;
    char *big = calloc(1, BIG);
    grpc_rig_start(&g, NULL, NULL);
    g.budget = 1 << 20;
    struct grpc_client *c = grpc_rig_client(&g, NULL);
    int64_t begin = loop_now_ns(g.loop);
    for (int i = 0; i < CALLS; i++) {
        struct grpc_end e = grpc_rig_call(&g, c, "Echo", slice_of(big, BIG));
        CHECK_EQ(GRPC_UNAVAILABLE, e.status);
        CHECK_EQ(3 * CLOCK_NS_PER_S, e.retry_ns);
        CHECK(!e.local);
    }
    CHECK_EQ(CALLS, grpc_rig_refused(&g, GRPC_REASON_BUDGET));
    CHECK_EQ(0, g.handled);
    CHECK(g.used_max < 1 << 20);
    CHECK_EQ(0, g.used);
    /* The connection's first window, and then the small one, but for one after each sweep: that
     * finds room, if not for as much as this. */
    int64_t sweeps = (loop_now_ns(g.loop) - begin) / (100 * CLOCK_NS_PER_MS);
    CHECK((int64_t)grpc_server_stats(g.server).in_bytes <
          (1 + sweeps) * (4 << 20) + CALLS * INT64_C(70000));
    CHECK_EQ(GRPC_OK, grpc_rig_call(&g, c, "Echo", slice_of(big, 500000)).status);
    /* Nothing at all: refused at the head. */
    g.used = g.budget;
    struct grpc_end e = grpc_rig_call(&g, c, "Echo", SLICE("x"));
    CHECK_EQ(GRPC_UNAVAILABLE, e.status);
    g.used = 0;
    g.budget = 0;
    grpc_rig_step(&g, 150); /* the sweep opens the window again */
    CHECK(grpc_rig_call(&g, c, "Echo", slice_of(big, BIG)).equal);
    grpc_client_free(c);
    grpc_rig_stop(&g);
    free(big);
}

TEST(grpc_budget_hears_what_a_connection_holds)
{
    struct grpc_rig g;
    struct grpc_end ends[2] = {0};
    grpc_rig_start(&g, NULL, NULL);
    struct grpc_client *c = grpc_rig_client(&g, NULL);
    char *big = calloc(1, 100000);
    for (int i = 0; i < 2; i++) {
        grpc_client_call(c, &(struct grpc_ask){.path = "/t.T/Later",
                                               .message = slice_of(big, 100000),
                                               .done = grpc_rig_done,
                                               .arg = &ends[i]});
    }
    grpc_rig_step(&g, 50);
    CHECK_EQ(2, g.later_count);
    CHECK(g.asked_held >= 100000);
    CHECK(grpc_server_stats(g.server).reserved >= 200000);
    grpc_call_drop(g.later[0]);
    CHECK_EQ(0, grpc_call_message(g.later[0]).len);
    CHECK(grpc_server_stats(g.server).reserved < 200000);
    grpc_rig_answer(&g);
    CHECK(grpc_rig_wait(&g, &ends[1].done, 30000) && grpc_rig_wait(&g, &ends[0].done, 30000));
    CHECK_EQ(0, grpc_server_stats(g.server).reserved);
    grpc_client_free(c);
    grpc_rig_stop(&g);
    free(big);
}

TEST(grpc_refuses_connections_and_streams_beyond_its_limits)
{
    struct grpc_rig g;
    struct grpc_server_conf conf = grpc_rig_conf();
    struct h2_out *o = calloc(1, sizeof *o);
    conf.connections_max = 1;
    conf.streams_max = 2;
    grpc_rig_start(&g, &conf, NULL);
    int fd = grpc_rig_connect(&g);
    h2_out_preface(o);
    for (uint32_t i = 0; i < 4; i++) { /* before our SETTINGS are acknowledged: reset, not ended */
        h2_out_head(o, 1 + 2 * i, 4, "POST", "/t.T/Later", "application/grpc", NULL, NULL);
        h2_out_message(o, 1 + 2 * i, 1, 0, SLICE("x"));
    }
    grpc_rig_send(&g, fd, o);
    struct slice reset = grpc_rig_frame(&g, fd, 3, 5, 3000);
    CHECK(slice_eq(reset, SLICE("\0\0\0\7"))); /* REFUSED_STREAM */
    CHECK_EQ(2, grpc_rig_refused(&g, GRPC_REASON_STREAMS_MANY));
    CHECK_EQ(2, g.later_count);
    struct grpc_client *c = grpc_rig_client(&g, NULL);
    struct grpc_end e = grpc_rig_call(&g, c, "Echo", SLICE("x"));
    CHECK_EQ(GRPC_UNAVAILABLE, e.status);
    CHECK_EQ(1, grpc_rig_refused(&g, GRPC_REASON_CONNECTIONS_MANY));
    close(fd);
    grpc_rig_step(&g, 30);
    CHECK_EQ(GRPC_OK, grpc_rig_call(&g, c, "Echo", SLICE("x")).status);
    grpc_client_free(c);
    grpc_rig_stop(&g);
    free(o);
}

TEST(grpc_ends_streams_and_connections_that_break_http2)
{
    struct grpc_rig g;
    struct h2_out *o = calloc(1, sizeof *o);
    grpc_rig_start(&g, NULL, NULL);
    int fd = grpc_rig_connect(&g);
    h2_out_preface(o);
    h2_out_head(o, 1, 5, "POST", NULL, "application/grpc", NULL, NULL); /* no :path */
    grpc_rig_send(&g, fd, o);
    CHECK(slice_eq(grpc_rig_frame(&g, fd, 3, 1, 3000), SLICE("\0\0\0\1")));
    CHECK_EQ(1, grpc_rig_refused(&g, GRPC_REASON_STREAM_BAD));
    h2_out_frame(o, 0, 1, 0, "x", 1); /* DATA on stream 0 */
    grpc_rig_send(&g, fd, o);
    CHECK(grpc_rig_frame(&g, fd, 7, 0, 3000).len >= 8);
    grpc_rig_read(&g, fd, 3000);
    CHECK(g.closed);
    CHECK_EQ(1, grpc_rig_refused(&g, GRPC_REASON_PROTOCOL_BAD));
    close(fd);
    grpc_rig_stop(&g);
    free(o);
}

TEST(grpc_no_reason_is_untested)
{
    static const struct {
        enum grpc_reason why;
        const char *where;
    } elsewhere[] = {
        {GRPC_REASON_NONE, "nothing to test"},
        {GRPC_REASON_HEADERS_LARGE, "above"},
        {GRPC_REASON_UNPACKED_LARGE, "above"},
        {GRPC_REASON_BUDGET, "above"},
        {GRPC_REASON_STREAMS_MANY, "above"},
        {GRPC_REASON_CONNECTIONS_MANY, "above"},
        {GRPC_REASON_STREAM_BAD, "above"},
        {GRPC_REASON_PROTOCOL_BAD, "above"},
        {GRPC_REASON_TIMEOUT, "test_grpc_call.c"},
        {GRPC_REASON_CANCELLED, "test_grpc_call.c"},
        {GRPC_REASON_CLIENT_GONE, "test_grpc_call.c"},
        {GRPC_REASON_DRAIN_LATE, "test_grpc_call.c"},
        {GRPC_REASON_AGE, "test_grpc_call.c"},
        {GRPC_REASON_IDLE, "test_grpc_call.c"},
        {GRPC_REASON_BODY_SLOW, "test_grpc_flood.c"},
        {GRPC_REASON_HEAD_SLOW, "test_grpc_flood.c"},
        {GRPC_REASON_REPLY_SLOW, "test_grpc_flood.c"},
        {GRPC_REASON_PEER_DEAD, "test_grpc_flood.c"},
        {GRPC_REASON_RESET_FLOOD, "test_grpc_flood.c"},
        {GRPC_REASON_CONTINUATION_FLOOD, "test_grpc_flood.c"},
        {GRPC_REASON_PING_FLOOD, "test_grpc_flood.c"},
        {GRPC_REASON_CONTROL_FLOOD, "test_grpc_flood.c"},
    };
    for (int why = 0; why < GRPC_REASON_COUNT; why++) {
        bool found = false;
        for (size_t i = 0; i < ARRAY_LEN(refusals); i++) {
            found = found || (int)refusals[i].why == why;
        }
        for (size_t i = 0; i < ARRAY_LEN(elsewhere); i++) {
            found = found || (int)elsewhere[i].why == why;
        }
        if (!found) {
            test_fail(__FILE__, __LINE__, "reason %d has no test", why);
        }
    }
}

/* --- streams that are over, and requests that are not gRPC --- */

static void check_goaway(struct grpc_rig *g, struct h2_out *o, uint32_t code)
{
    int fd = grpc_rig_connect(g);
    grpc_rig_send(g, fd, o);
    struct slice p = grpc_rig_frame(g, fd, 7, 0, 3000);
    CHECK(p.len >= 8);
    CHECK_EQ(code, endian_be32(p.ptr + 4));
    close(fd);
    grpc_rig_step(g, 5);
}

TEST(grpc_streams_that_are_closed_stay_closed)
{
    enum { PROTOCOL = 1, CLOSED = 5 };
    struct grpc_rig g;
    struct h2_out *o = calloc(1, sizeof *o);
    grpc_rig_start(&g, NULL, NULL);
    /* Never begun, and a higher one was. */
    h2_out_preface(o);
    h2_out_head(o, 5, 5, "POST", "/t.T/Echo", "application/grpc", NULL, NULL);
    h2_out_head(o, 3, 5, "POST", "/t.T/Echo", "application/grpc", NULL, NULL);
    check_goaway(&g, o, PROTOCOL);
    CHECK_EQ(1, grpc_rig_refused(&g, GRPC_REASON_PROTOCOL_BAD));
    /* Ended by the client: nothing may follow. */
    for (uint8_t type = 0; type < 2; type++) {
        h2_out_preface(o);
        h2_out_head(o, 1, 4, "POST", "/t.T/Echo", "application/grpc", NULL, NULL);
        h2_out_message(o, 1, 1, 0, SLICE("x"));
        if (type == 0) {
            h2_out_frame(o, 0, 1, 1, "late", 4);
        } else {
            h2_out_head(o, 1, 5, "POST", "/t.T/Echo", "application/grpc", NULL, NULL);
        }
        check_goaway(&g, o, CLOSED);
    }
    /* The order of numbers without gaps is the client's own business. */
    int fd = grpc_rig_connect(&g);
    h2_out_preface(o);
    h2_out_head(o, 7, 4, "POST", "/t.T/Echo", "application/grpc", NULL, NULL);
    h2_out_head(o, 9, 4, "POST", "/t.T/Echo", "application/grpc", NULL, NULL);
    h2_out_message(o, 7, 1, 0, SLICE("fine"));
    grpc_rig_send(&g, fd, o);
    CHECK(slice_eq(grpc_rig_frame(&g, fd, 0, 7, 3000), SLICE("\0\0\0\0\4fine")));
    close(fd);
    grpc_rig_stop(&g);
    free(o);
}

TEST(grpc_what_is_not_grpc_is_told_so_at_its_end)
{
    struct grpc_rig g;
    static const char many[20000];
    struct h2_out *o = calloc(1, sizeof *o);
    grpc_rig_start(&g, NULL, NULL);
    int fd = grpc_rig_connect(&g);
    h2_out_preface(o);
    h2_out_head(o, 1, 4, "POST", "/t.T/Echo", "text/plain", NULL, NULL);
    h2_out_frame(o, 0, 0, 1, "test", 4);
    grpc_rig_send(&g, fd, o);
    CHECK_EQ(0, grpc_rig_frame(&g, fd, 1, 1, 50).len);
    /* A head in its midst breaks HTTP/2, which is worse than another type. */
    h2_out_head(o, 1, 5, "POST", NULL, NULL, NULL, NULL);
    grpc_rig_send(&g, fd, o);
    CHECK(slice_eq(grpc_rig_frame(&g, fd, 3, 1, 3000), SLICE("\0\0\0\1")));
    CHECK_EQ(0, grpc_rig_refused(&g, GRPC_REASON_TYPE_BAD));
    /* One ends, of the other there is too much: both are told. */
    h2_out_head(o, 3, 4, "POST", "/t.T/Echo", "text/plain", NULL, NULL);
    h2_out_frame(o, 0, 1, 3, "test", 4);
    h2_out_head(o, 5, 4, "POST", "/t.T/Echo", "text/plain", NULL, NULL);
    h2_out_frame(o, 0, 0, 5, many, 10000);
    h2_out_frame(o, 0, 0, 5, many, 10000);
    grpc_rig_send(&g, fd, o);
    CHECK(grpc_rig_frame(&g, fd, 1, 3, 3000).len > 0);
    CHECK(grpc_rig_frame(&g, fd, 1, 5, 3000).len > 0);
    CHECK_EQ(2, grpc_rig_refused(&g, GRPC_REASON_TYPE_BAD));
    close(fd);
    grpc_rig_step(&g, 5);
    CHECK_EQ(0, grpc_server_stats(g.server).active);
    CHECK_EQ(0, g.used);
    grpc_rig_stop(&g);
    free(o);
}
