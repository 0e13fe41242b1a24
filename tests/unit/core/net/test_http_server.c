/* SPDX-License-Identifier: Apache-2.0
 *
 * The server over real sockets: keep-alive, pipelining, chunks both ways, Expect, HTTP/1.0, HEAD,
 * early and late answers, backpressure. What it refuses is in test_http_refuse.c.
 */
#include "core/net/http_server.h"

#include "core/base/clock.h"
#include "rig.h"
#include "tests/test.h"

#include <event2/bufferevent.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#define GET_HELLO "GET /hello HTTP/1.1\r\nHost: h\r\n\r\n"

static unsigned count(const struct buf *b, const char *text)
{
    struct slice rest = buf_slice(b), part = slice_str(text);
    unsigned n = 0;
    for (size_t at; (at = slice_find_slice(rest, part)) < rest.len; n++) {
        rest = slice_sub(rest, at + part.len, rest.len);
    }
    return n;
}

TEST(http_server_answers_and_keeps_the_connection)
{
    struct rig g;
    rig_start(&g, NULL, NULL);
    int fd = rig_connect(&g);
    for (int i = 0; i < 3; i++) {
        rig_send_str(&g, fd, GET_HELLO);
        CHECK(rig_read_until(&g, fd, "hello\n", 30000));
        CHECK_EQ(200, rig_status(&g));
        CHECK_HAS("\r\nContent-Length: 6\r\n", buf_cstr(&g.got));
        CHECK_HAS("\r\nX-Rig: yes\r\n", buf_cstr(&g.got));
        CHECK_HAS("\r\nDate: ", buf_cstr(&g.got));
    }
    CHECK_EQ(1, http_server_stats(g.server).accepted);
    CHECK_EQ(3, http_server_stats(g.server).requests);
    CHECK_EQ(3, http_server_stats(g.server).answers[2]);
    close(fd);
    rig_step(&g, 20);
    CHECK_EQ(0, http_server_stats(g.server).connections);
    rig_stop(&g);
}

TEST(http_server_closes_when_asked_to)
{
    struct rig g;
    rig_start(&g, NULL, NULL);
    CHECK_EQ(200,
             rig_ask(&g, "GET /hello HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", 30000));
    CHECK(g.closed);
    CHECK_HAS("\r\nConnection: close\r\n", buf_cstr(&g.got));
    CHECK_EQ(200, rig_ask(&g, "GET /hello HTTP/1.0\r\n\r\n", 30000));
    CHECK(g.closed);
    int fd = rig_connect(&g);
    rig_send_str(&g, fd, "GET /hello HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    CHECK(rig_read_until(&g, fd, "hello\n", 30000));
    CHECK_HAS("\r\nConnection: keep-alive\r\n", buf_cstr(&g.got));
    rig_send_str(&g, fd, "GET /hello HTTP/1.0\r\n\r\n");
    rig_read_end(&g, fd, 30000);
    CHECK(g.closed);
    close(fd);
    rig_stop(&g);
}

TEST(http_server_answers_pipelined_requests_in_order)
{
    struct rig g;
    struct buf all;
    rig_start(&g, NULL, NULL);
    buf_init(&all, 1 << 20);
    for (int i = 0; i < 100; i++) {
        buf_addf(&all, "GET /p/n%d. HTTP/1.1\r\nHost: h\r\n\r\n", i);
    }
    buf_add_str(&all, "GET /p/last HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    rig_ask(&g, buf_cstr(&all), 3000);
    struct slice rest = buf_slice(&g.got);
    for (int i = 0; i < 100; i++) {
        char want[32];
        snprintf(want, sizeof want, "\r\n\r\nn%d.", i);
        size_t at = slice_find_slice(rest, slice_str(want));
        CHECK(at < rest.len);
        rest = slice_sub(rest, at, rest.len);
    }
    CHECK_EQ(101, count(&g.got, "HTTP/1.1 200 OK\r\n"));
    CHECK(slice_ends(rest, SLICE("\r\n\r\nlast")));
    CHECK(g.closed);
    buf_done(&all);
    rig_stop(&g);
}

TEST(http_server_keeps_order_when_the_first_answer_comes_last)
{
    struct rig g;
    rig_start(&g, NULL, NULL);
    int fd = rig_connect(&g);
    rig_send_str(&g, fd, "GET /later HTTP/1.1\r\nHost: h\r\n\r\n" GET_HELLO);
    CHECK(!rig_read_until(&g, fd, "hello", 50));
    rig_answer_later(&g);
    CHECK(rig_read_until(&g, fd, "hello\n", 30000));
    CHECK_HAS("at last\nHTTP/1.1 200", buf_cstr(&g.got));
    CHECK_EQ(1, g.freed);
    CHECK_EQ(0, g.later_gone);
    close(fd);
    rig_stop(&g);
}

TEST(http_server_bounds_pipelining_by_unsent_answers)
{
    struct rig g;
    struct http_server_conf c = rig_conf();
    c.high_water = 64 * 1024;
    rig_start(&g, &c, NULL);
    int fd = rig_connect(&g);
    for (int i = 0; i < 200; i++) { /* 200 answers of some 150 kB, and nobody reads */
        rig_send_str(&g, fd, "GET /chunks?n=150 HTTP/1.1\r\nHost: h\r\n\r\n");
    }
    rig_step(&g, 100);
    CHECK(http_server_stats(g.server).requests < 100);
    CHECK(http_server_stats(g.server).requests > 0);
    shutdown(fd, SHUT_WR); /* what was asked before this is answered all the same */
    struct buf all;
    buf_init(&all, 64 << 20);
    rig_read_end(&g, fd, 30000);
    CHECK(g.closed);
    CHECK_EQ(200, count(&g.got, "\r\n0\r\n\r\n"));
    buf_done(&all);
    close(fd);
    rig_stop(&g);
}

TEST(http_server_takes_chunks_and_sends_chunks)
{
    struct rig g;
    rig_start(&g, NULL, NULL);
    int fd = rig_connect(&g);
    rig_send_str(&g, fd,
                 "POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
                 "5\r\nhello\r\n");
    CHECK(rig_read_until(&g, fd, "5\r\nhello\r\n", 30000)); /* before the body has ended */
    CHECK_HAS("Transfer-Encoding: chunked\r\n", buf_cstr(&g.got));
    rig_send_str(&g, fd, "6;x=y\r\n world\r\n0\r\nT: u\r\n\r\n");
    CHECK(rig_read_until(&g, fd, "6\r\n world\r\n0\r\n\r\n", 30000));
    rig_send_str(&g, fd, "POST /echo HTTP/1.0\r\nContent-Length: 3\r\n\r\nabc");
    rig_read_end(&g, fd, 30000);
    CHECK_HAS("\r\n\r\nabc", buf_cstr(&g.got)); /* HTTP/1.0 knows no chunks */
    CHECK_EQ(0, count(&g.got, "chunked"));
    CHECK_EQ(2, g.freed);
    close(fd);
    rig_stop(&g);
}

TEST(http_server_collects_a_body_from_any_pieces)
{
    struct rig g;
    rig_start(&g, NULL, NULL);
    int fd = rig_connect(&g);
    rig_send_str(&g, fd, "POST /whole HTTP/1.1\r\nHost: h\r\nContent-Length: 6\r\n\r\nabcdef");
    CHECK(rig_read_until(&g, fd, "\n", 30000) && rig_status(&g) == 200);
    char sum[64];
    struct slice got = buf_slice(&g.got);
    size_t at = slice_find_slice(got, SLICE("\r\n\r\n"));
    snprintf(sum, sizeof sum, "%s", g.got.ptr + at);
    CHECK_HAS("\r\n\r\n6 ", sum);
    rig_send_str(&g, fd, "POST /whole HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n");
    for (const char *p = "1\r\na\r\n2\r\nbc\r\n3\r\ndef\r\n0\r\n\r\n"; *p != '\0'; p++) {
        rig_send(&g, fd, p, 1);
        rig_step(&g, 1);
    }
    CHECK(rig_read_until(&g, fd, sum, 30000));
    rig_send_str(&g, fd, "POST /whole HTTP/1.1\r\nHost: h\r\n\r\n"); /* no body at all */
    CHECK(rig_read_until(&g, fd, "\r\n\r\n0 0\n", 30000));
    close(fd);
    rig_stop(&g);
}

TEST(http_server_says_continue_only_when_the_body_is_wanted)
{
    struct rig g;
    rig_start(&g, NULL, NULL);
    int fd = rig_connect(&g);
    const char *head = "POST /whole HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\n"
                       "Content-Length: 3\r\n\r\n";
    rig_send_str(&g, fd, head);
    CHECK(rig_read_until(&g, fd, "HTTP/1.1 100 Continue\r\n\r\n", 30000));
    CHECK_EQ(25, g.got.len);
    rig_send_str(&g, fd, "abc");
    CHECK(rig_read_until(&g, fd, "\r\n\r\n3 ", 30000));
    CHECK_EQ(0, count(&g.got, "Continue"));
    /* The body came with the head: nobody waits. */
    rig_send_str(&g, fd,
                 "POST /whole HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\n"
                 "Content-Length: 3\r\n\r\nabc");
    CHECK(rig_read_until(&g, fd, "\r\n\r\n3 ", 30000));
    CHECK_EQ(0, count(&g.got, "Continue"));
    close(fd);
    /* Refused before the body: no 100, and the connection ends, for nobody knows what comes. */
    CHECK_EQ(404, rig_ask(&g,
                          "POST /nowhere HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\n"
                          "Content-Length: 3\r\n\r\n",
                          30000));
    CHECK(g.closed);
    rig_stop(&g);
}

TEST(http_server_answers_head_and_options)
{
    struct rig g;
    rig_start(&g, NULL, NULL);
    int fd = rig_connect(&g);
    rig_send_str(&g, fd, "HEAD /hello HTTP/1.1\r\nHost: h\r\n\r\n");
    CHECK(rig_read_until(&g, fd, "\r\n\r\n", 30000));
    CHECK_HAS("Content-Length: 6\r\n", buf_cstr(&g.got));
    CHECK_EQ(0, count(&g.got, "hello"));
    rig_send_str(&g, fd, "HEAD /chunks HTTP/1.1\r\nHost: h\r\n\r\n");
    CHECK(rig_read_until(&g, fd, "\r\n\r\n", 30000));
    CHECK(slice_ends(buf_slice(&g.got), SLICE("\r\n\r\n")));
    rig_send_str(&g, fd, "OPTIONS /hello HTTP/1.1\r\nHost: h\r\n\r\n");
    CHECK(rig_read_until(&g, fd, "\r\n\r\n", 30000));
    CHECK_EQ(204, rig_status(&g));
    CHECK_HAS("\r\nAllow: GET, HEAD, OPTIONS\r\n", buf_cstr(&g.got));
    CHECK_EQ(0, count(&g.got, "Content-Length"));
    rig_send_str(&g, fd, "OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n");
    CHECK(rig_read_until(&g, fd, "\r\n\r\n", 30000));
    CHECK_EQ(204, rig_status(&g));
    rig_send_str(&g, fd, "DELETE /hello HTTP/1.1\r\nHost: h\r\n\r\n");
    CHECK(rig_read_until(&g, fd, "}\n", 30000));
    CHECK_EQ(405, rig_status(&g));
    CHECK_HAS("\r\nAllow: GET, HEAD, OPTIONS\r\n", buf_cstr(&g.got));
    rig_send_str(&g, fd, "GET /p/a%20b?c HTTP/1.1\r\nHost: h\r\n\r\n"); /* still the same one */
    CHECK(rig_read_until(&g, fd, "\r\n\r\na%20b", 30000));
    CHECK_EQ(1, http_server_stats(g.server).accepted);
    close(fd);
    rig_stop(&g);
}

TEST(http_server_drops_an_unwanted_body_or_closes)
{
    struct rig g;
    struct http_server_conf c = rig_conf();
    c.discard_bytes = 1000;
    rig_start(&g, &c, NULL);
    int fd = rig_connect(&g);
    rig_send_str(&g, fd,
                 "POST /nowhere HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc" GET_HELLO);
    CHECK(rig_read_until(&g, fd, "hello\n", 30000)); /* small: skipped, the connection lives */
    CHECK_EQ(404, rig_status(&g));
    rig_send_str(&g, fd, "POST /nowhere HTTP/1.1\r\nHost: h\r\nContent-Length: 5000\r\n\r\nabc");
    rig_read_end(&g, fd, 30000);
    CHECK(g.closed);
    CHECK_EQ(404, rig_status(&g));
    CHECK_HAS("\r\nConnection: close\r\n", buf_cstr(&g.got));
    close(fd);
    rig_stop(&g);
}

/* A refusal must arrive although the client is still sending: closing over unread bytes would
 * reset the connection. */
TEST(http_server_lets_a_refusal_arrive_while_the_client_sends)
{
    struct rig g;
    struct http_server_conf c = rig_conf();
    c.linger_ms = 1000;
    rig_start(&g, &c, NULL);
    static char body[4 << 20];
    memset(body, 'x', sizeof body);
    int fd = rig_connect(&g);
    rig_send_str(&g, fd, "POST /small HTTP/1.1\r\nHost: h\r\nContent-Length: 4194304\r\n\r\n");
    rig_send(&g, fd, body, sizeof body);
    rig_read_end(&g, fd, 30000);
    CHECK_EQ(413, rig_status(&g));
    CHECK_HAS("}\n", buf_cstr(&g.got));
    close(fd);
    rig_stop(&g);
}

TEST(http_server_stops_reading_while_a_handler_pauses)
{
    struct rig g;
    struct http_server_conf c = rig_conf();
    c.body_max = UINT64_MAX;
    rig_start(&g, &c, NULL);
    g.pause_echo = true;
    static char body[1 << 20];
    memset(body, 'y', sizeof body);
    int fd = rig_connect(&g);
    rig_send_str(&g, fd, "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 67108864\r\n\r\n");
    size_t sent = 0;
    for (int i = 0; i < 2000; i++) {
        ssize_t n = send(fd, body, sizeof body, MSG_DONTWAIT);
        sent += n > 0 ? (size_t)n : 0;
        loop_step(g.loop, 0);
    }
    CHECK(sent < 32 << 20); /* TCP has stopped us */
    CHECK(g.echoed <= 2 * c.read_ahead);
    CHECK(g.paused != NULL);
    g.pause_echo = false;
    http_req_resume(g.paused);
    buf_clear(&g.got);
    size_t got = 0;
    static char in[1 << 20];
    for (int i = 0; i < 200000 && got < 67108864; i++) {
        ssize_t n =
            sent < 67108864 ? send(fd, body, MIN(sizeof body, 67108864 - sent), MSG_DONTWAIT) : 0;
        sent += n > 0 ? (size_t)n : 0;
        n = recv(fd, in, sizeof in, MSG_DONTWAIT);
        got += n > 0 ? (size_t)n : 0; /* with the framing of the chunks: somewhat more */
        loop_step(g.loop, 0);
    }
    CHECK(got >= 67108864);
    rig_step(&g, 50);
    CHECK_EQ(67108864, g.echoed);
    close(fd);
    rig_stop(&g);
}

TEST(http_server_limits_requests_and_age_of_a_connection)
{
    struct rig g;
    struct http_server_conf c = rig_conf();
    c.requests_max = 2;
    rig_start(&g, &c, NULL);
    rig_ask(&g, GET_HELLO GET_HELLO GET_HELLO, 30000);
    CHECK(g.closed);
    CHECK_EQ(2, count(&g.got, "hello\n"));
    CHECK_EQ(1, count(&g.got, "Connection: close"));
    rig_stop(&g);
    c.requests_max = 0;
    c.age_max_ms = 100;
    rig_start(&g, &c, NULL);
    int fd = rig_connect(&g);
    rig_send_str(&g, fd, GET_HELLO);
    CHECK(rig_read_until(&g, fd, "hello\n", 30000));
    CHECK_EQ(0, count(&g.got, "Connection: close"));
    rig_step(&g, 150);
    rig_send_str(&g, fd, GET_HELLO);
    rig_read_end(&g, fd, 30000);
    CHECK(g.closed);
    CHECK_EQ(1, count(&g.got, "Connection: close"));
    close(fd);
    rig_stop(&g);
}

struct other {
    struct bufferevent *bev;
    struct http_conn *conn;
    int drains;
    bool abort_only;
};

static void other_drain(void *arg)
{
    struct other *o = arg;
    o->drains++;
    if (!o->abort_only && o->conn != NULL) {
        struct http_conn *c = o->conn;
        o->conn = NULL;
        http_conn_release(c);
    }
}

static void other_abort(void *arg)
{
    struct other *o = arg;
    struct http_conn *c = o->conn;
    o->conn = NULL;
    http_conn_release(c);
}

static struct http_takeover take_over(void *arg, struct http_conn *c, struct bufferevent *bev)
{
    struct other *o = arg;
    o->conn = c;
    o->bev = bev;
    bufferevent_setcb(bev, NULL, NULL, NULL, NULL);
    bufferevent_write(bev, "SETTINGS", 8);
    return (struct http_takeover){other_drain, other_abort, o};
}

TEST(http_server_hands_http2_to_its_handler)
{
    struct rig g;
    struct other o = {0};
    rig_start(&g, NULL, NULL);
    http_server_on_h2(g.server, take_over, &o);
    int fd = rig_connect(&g), h1 = rig_connect(&g);
    rig_send_str(&g, fd, "PRI * HTTP/2.0\r\n");
    rig_step(&g, 10);
    CHECK(o.conn == NULL); /* not yet sure */
    rig_send_str(&g, fd, "\r\nSM\r\n\r\nframes");
    CHECK(rig_read_until(&g, fd, "SETTINGS", 30000));
    CHECK(o.conn != NULL);
    char all[64];
    CHECK_EQ(30, bufferevent_read(o.bev, all, sizeof all));
    CHECK_SLICE("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nframes", slice_of(all, 30));
    rig_send_str(&g, h1, "P");
    rig_step(&g, 5);
    rig_send_str(&g, h1, "OST /whole HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\nx");
    CHECK(rig_read_until(&g, h1, "\r\n\r\n1 ", 30000)); /* begins as the preface does */
    CHECK_EQ(2, http_server_stats(g.server).connections);
    close(h1);
    http_server_drain(g.server, CLOCK_NS_PER_S, NULL, NULL);
    CHECK_EQ(1, o.drains);
    rig_step(&g, 20);
    CHECK_EQ(0, http_server_stats(g.server).connections);
    close(fd);
    rig_stop(&g);
}

TEST(http_server_listens_on_a_unix_socket)
{
    struct rig g;
    struct err err = {0};
    char where[128];
    rig_start(&g, NULL, NULL);
    snprintf(where, sizeof where, "unix:%s/k.sock", test_tmpdir());
    CHECK_OK(http_server_listen(g.server, &(struct http_listen){.addr = where}, &err), err);
    CHECK_STR(where, http_server_addr(g.server, 1));
    CHECK_EQ(0, http_server_port(g.server, 1));
    CHECK(http_server_port(g.server, 0) > 0);
    CHECK_EQ(-ERR_SYNTAX,
             http_server_listen(g.server, &(struct http_listen){.addr = "nowhere"}, &err));
    rig_stop(&g);
    CHECK(access(where + 5, F_OK) != 0); /* removed with its server */
}
