/* SPDX-License-Identifier: Apache-2.0
 *
 * Every limit of the server refused exactly once: bytes in, status out, and one count under one
 * reason and under no other. A last test holds that every row of http_reason.def occurs here or in
 * the file it names.
 */
#include "core/base/clock.h"
#include "rig.h"
#include "tests/test.h"

#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

struct refusal {
    enum http_reason why;
    const char *bytes;
};

#define HOST "Host: h\r\n"
#define X50  "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
#define X200 X50 X50 X50 X50
#define F(n) "F" n ": 1\r\n"

/* The rig of these: lines of 200 bytes, heads of 400, 8 fields, bodies of 100, 2 chunk lines. */
static const struct refusal refusals[] = {
    {HTTP_REASON_LINE_BAD, "what?\r\n\r\n"},
    {HTTP_REASON_LINE_LONG, "GET /" X200},
    {HTTP_REASON_METHOD_UNKNOWN, "BREW /hello HTTP/1.1\r\n" HOST "\r\n"},
    {HTTP_REASON_TARGET_BAD, "GET hello HTTP/1.1\r\n" HOST "\r\n"},
    {HTTP_REASON_VERSION_OTHER, "GET / HTTP/3.0\r\n" HOST "\r\n"},
    {HTTP_REASON_HEAD_LARGE, "GET / HTTP/1.1\r\n" HOST "X: " X200 X200 "\r\n\r\n"},
    {HTTP_REASON_FIELDS_MANY,
     "GET / HTTP/1.1\r\n" HOST F("1") F("2") F("3") F("4") F("5") F("6") F("7") F("8") "\r\n"},
    {HTTP_REASON_FIELD_BAD, "GET / HTTP/1.1\r\n" HOST "a b: c\r\n\r\n"},
    {HTTP_REASON_FIELD_FOLDED, "GET / HTTP/1.1\r\n" HOST "a: b\r\n c\r\n\r\n"},
    {HTTP_REASON_FIELD_SPACE, "GET / HTTP/1.1\r\n" HOST "a : b\r\n\r\n"},
    {HTTP_REASON_BARE_CR, "GET / HTTP/1.1\r\n" HOST "a: b\rc\r\n\r\n"},
    {HTTP_REASON_BARE_LF, "GET / HTTP/1.1\n" HOST "\r\n"},
    {HTTP_REASON_HOST_MISSING, "GET /hello HTTP/1.1\r\n\r\n"},
    {HTTP_REASON_HOST_BAD, "GET /hello HTTP/1.1\r\nHost: a b\r\n\r\n"},
    {HTTP_REASON_LENGTH_BAD, "POST /whole HTTP/1.1\r\n" HOST "Content-Length: ten\r\n\r\n"},
    {HTTP_REASON_LENGTH_TWICE,
     "POST /whole HTTP/1.1\r\n" HOST "Content-Length: 1\r\nContent-Length: 1\r\n\r\nx"},
    {HTTP_REASON_LENGTH_AND_CODING,
     "POST /whole HTTP/1.1\r\n" HOST "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\nx"},
    {HTTP_REASON_LENGTH_NEEDED, "PUT /sized HTTP/1.1\r\n" HOST "\r\n"},
    {HTTP_REASON_CODING_UNKNOWN, "POST /whole HTTP/1.1\r\n" HOST "Transfer-Encoding: gzip\r\n\r\n"},
    {HTTP_REASON_CODING_BAD, "POST /whole HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"},
    {HTTP_REASON_CHUNK_BAD,
     "POST /whole HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\nzz\r\n"},
    {HTTP_REASON_CHUNK_LONG,
     "POST /whole HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n1;" X50 "\r\n"},
    {HTTP_REASON_TRAILER_LARGE,
     "POST /whole HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n0\r\nT: " X200 X200 "\r\n"},
    {HTTP_REASON_BODY_LARGE, "POST /whole HTTP/1.1\r\n" HOST "Content-Length: 101\r\n\r\n"},
    {HTTP_REASON_BODY_LARGE, /* the route's own limit */
     "POST /small HTTP/1.1\r\n" HOST "Content-Length: 11\r\n\r\n"},
    {HTTP_REASON_BODY_LARGE,
     "POST /small HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\nb\r\n"},
    {HTTP_REASON_EXPECT_UNKNOWN, "POST /whole HTTP/1.1\r\n" HOST "Expect: cake\r\n\r\n"},
    {HTTP_REASON_NOT_FOUND, "GET /nowhere HTTP/1.0\r\n\r\n"},
    {HTTP_REASON_METHOD_DENIED, "DELETE /hello HTTP/1.0\r\n\r\n"},
    {HTTP_REASON_NO_REPLY, "GET /never HTTP/1.0\r\n\r\n"},
    {HTTP_REASON_H2_REFUSED, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"},
    {HTTP_REASON_TLS_ON_PLAIN, "\x16\x03\x01\x02\x00\x01"},
};

static struct http_server_conf small_conf(void)
{
    struct http_server_conf c = rig_conf();
    c.limits = (struct http_limits){
        .line_bytes = 200, .head_bytes = 400, .fields_max = 8, .chunk_line_bytes = 40};
    c.body_max = 100;
    return c;
}

static uint64_t all_refused(const struct rig *g)
{
    uint64_t sum = 0;
    for (int i = 0; i < HTTP_REASON_COUNT; i++) {
        sum += rig_refused(g, (enum http_reason)i);
    }
    return sum;
}

static void check_refused(struct rig *g, const struct refusal *x, unsigned status, uint64_t before)
{
    char name[HTTP_REASON_BYTES], part[64];
    http_reason_name(x->why, name);
    if (status != http_reason_status(x->why) || rig_refused(g, x->why) != before + 1) {
        fprintf(stderr, "refusal %s:\n%s\n", name, buf_cstr(&g->got));
    }
    CHECK_EQ(http_reason_status(x->why), status);
    CHECK_EQ(before + 1, rig_refused(g, x->why));
    snprintf(part, sizeof part, "\"reason\":\"%s\"", name);
    CHECK_HAS(part, buf_cstr(&g->got));
    CHECK_HAS("application/problem+json", buf_cstr(&g->got));
    CHECK_HAS("Connection: close\r\n", buf_cstr(&g->got));
}

TEST(http_server_refuses_each_thing_once)
{
    struct rig g;
    struct http_server_conf c = small_conf();
    rig_start(&g, &c, NULL);
    for (size_t i = 0; i < ARRAY_LEN(refusals); i++) {
        uint64_t before = rig_refused(&g, refusals[i].why), all = all_refused(&g);
        unsigned status = rig_ask(&g, refusals[i].bytes, 30000);
        CHECK(g.closed);
        check_refused(&g, &refusals[i], status, before);
        CHECK_EQ(all + 1, all_refused(&g));
    }
    CHECK_EQ(200, rig_ask(&g, "GET /hello HTTP/1.0\r\n\r\n", 30000)); /* unharmed */
    rig_stop(&g);
}

TEST(http_server_refuses_a_nul_byte)
{
    static const char bytes[] = "GET / HTTP/1.1\r\nHost: h\0\r\n\r\n";
    const struct refusal x = {HTTP_REASON_NUL_BYTE, bytes};
    struct rig g;
    rig_start(&g, NULL, NULL);
    int fd = rig_connect(&g);
    rig_send(&g, fd, bytes, sizeof bytes - 1);
    rig_read_end(&g, fd, 30000);
    check_refused(&g, &x, rig_status(&g), 0);
    close(fd);
    rig_stop(&g);
}

TEST(http_server_refuses_a_slow_head_and_a_slow_body)
{
    struct rig g;
    struct http_server_conf c = rig_conf();
    c.head_ms = c.body_ms = 120;
    c.body_min_rate = 0;
    rig_start(&g, &c, NULL);
    /* A byte now and then does not help: the time is that of the whole head. */
    int fd = rig_connect(&g);
    for (const char *p = "GET / HT"; *p != '\0'; p++) {
        rig_send(&g, fd, p, 1);
        rig_step(&g, 20);
    }
    rig_read_end(&g, fd, 30000);
    CHECK(g.closed);
    CHECK_EQ(408, rig_status(&g));
    CHECK_EQ(1, rig_refused(&g, HTTP_REASON_HEAD_SLOW));
    close(fd);
    fd = rig_connect(&g);
    rig_send_str(&g, fd, "POST /whole HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nabc");
    rig_read_end(&g, fd, 30000);
    CHECK_EQ(408, rig_status(&g));
    CHECK_EQ(1, rig_refused(&g, HTTP_REASON_BODY_SLOW));
    close(fd);
    rig_stop(&g);
}

TEST(http_server_gives_a_body_time_by_its_rate)
{
    struct rig g;
    struct http_server_conf c = rig_conf();
    c.body_ms = 100;
    c.body_min_rate = 100; /* each piece of 20 bytes earns 200 ms */
    rig_start(&g, &c, NULL);
    int fd = rig_connect(&g);
    rig_send_str(&g, fd, "POST /whole HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\n");
    for (int i = 0; i < 5; i++) {
        rig_step(&g, 60);
        rig_send_str(&g, fd, "01234567890123456789");
    }
    CHECK(rig_read_until(&g, fd, "\r\n\r\n100 ", 30000));
    CHECK_EQ(0, rig_refused(&g, HTTP_REASON_BODY_SLOW));
    close(fd);
    rig_stop(&g);
}

TEST(http_server_closes_idle_connections)
{
    struct rig g;
    struct http_server_conf c = rig_conf();
    c.idle_ms = c.head_ms = 80;
    rig_start(&g, &c, NULL);
    int fd = rig_connect(&g);
    rig_read_end(&g, fd, 30000); /* never says a word */
    CHECK(g.closed);
    CHECK_EQ(0, g.got.len);
    CHECK_EQ(1, rig_refused(&g, HTTP_REASON_IDLE));
    close(fd);
    fd = rig_connect(&g);
    rig_send_str(&g, fd, "GET /hello HTTP/1.1\r\nHost: h\r\n\r\n");
    rig_read_end(&g, fd, 30000);
    CHECK(g.closed);
    CHECK_EQ(200, rig_status(&g));
    CHECK_EQ(2, rig_refused(&g, HTTP_REASON_IDLE));
    close(fd);
    rig_stop(&g);
}

TEST(http_server_drops_a_client_that_does_not_read)
{
    struct rig g;
    struct http_server_conf c = rig_conf();
    c.write_ms = 150;
    rig_start(&g, &c, NULL);
    int fd = rig_connect(&g);
    rig_send_str(&g, fd, "GET /chunks?n=20000 HTTP/1.1\r\nHost: h\r\n\r\n");
    rig_step(&g, 2000);
    CHECK_EQ(1, rig_refused(&g, HTTP_REASON_REPLY_SLOW));
    CHECK_EQ(0, http_server_stats(g.server).connections);
    close(fd);
    rig_stop(&g);
}

TEST(http_server_refuses_connections_above_its_limit)
{
    struct rig g;
    struct http_server_conf c = rig_conf();
    c.connections_max = 3;
    rig_start(&g, &c, NULL);
    int fds[4];
    for (int i = 0; i < 4; i++) {
        fds[i] = rig_connect(&g);
        rig_step(&g, 5);
    }
    rig_send_str(&g, fds[3], "GET /hello HTTP/1.1\r\nHost: h\r\n\r\n");
    rig_read_end(&g, fds[3], 30000);
    CHECK_EQ(503, rig_status(&g));
    CHECK_HAS("Retry-After: 1\r\n", buf_cstr(&g.got));
    CHECK_EQ(1, rig_refused(&g, HTTP_REASON_CONNECTIONS_MANY));
    for (int i = 0; i < 3; i++) {
        rig_send_str(&g, fds[i], "GET /hello HTTP/1.1\r\nHost: h\r\n\r\n");
        CHECK(rig_read_until(&g, fds[i], "hello\n", 30000));
    }
    for (int i = 0; i < 4; i++) {
        close(fds[i]);
    }
    rig_step(&g, 20);
    CHECK_EQ(200, rig_ask(&g, "GET /hello HTTP/1.0\r\n\r\n", 30000));
    rig_stop(&g);
}

TEST(http_server_pauses_accepting_far_above_its_limit)
{
    struct rig g;
    struct http_server_conf c = rig_conf();
    c.connections_max = 4; /* and 9 more that are told so */
    rig_start(&g, &c, NULL);
    int fds[40];
    for (int i = 0; i < 40; i++) {
        fds[i] = rig_connect(&g); /* the kernel's backlog takes them */
        rig_step(&g, 1);
    }
    CHECK_EQ(13, http_server_stats(g.server).connections);
    for (int i = 0; i < 40; i++) {
        close(fds[i]);
    }
    for (int i = 0; i < 50 && http_server_stats(g.server).accepted < 40; i++) {
        rig_step(&g, 10);
    }
    CHECK_EQ(40, http_server_stats(g.server).accepted);
    CHECK_EQ(200, rig_ask(&g, "GET /hello HTTP/1.0\r\n\r\n", 30000));
    rig_stop(&g);
}

TEST(http_server_bounds_what_all_bodies_together_hold)
{
    struct rig g;
    struct http_server_conf c = rig_conf();
    c.buffered_max = 1500; /* memory is taken in powers of two */
    rig_start(&g, &c, NULL);
    int first = rig_connect(&g), second = rig_connect(&g);
    char body[600];
    memset(body, 'b', sizeof body);
    const char *head = "POST /whole HTTP/1.1\r\nHost: h\r\nContent-Length: 700\r\n\r\n";
    rig_send_str(&g, first, head);
    rig_send(&g, first, body, sizeof body);
    rig_step(&g, 10);
    CHECK(http_server_stats(g.server).buffered >= sizeof body);
    rig_send_str(&g, second, head);
    rig_send(&g, second, body, sizeof body);
    rig_read_end(&g, second, 30000);
    CHECK_EQ(503, rig_status(&g));
    CHECK_HAS("Retry-After: 1\r\n", buf_cstr(&g.got));
    CHECK_EQ(1, rig_refused(&g, HTTP_REASON_BUFFERS_FULL));
    rig_send(&g, first, body, 100);
    CHECK(rig_read_until(&g, first, "\r\n\r\n700 ", 30000));
    CHECK_EQ(0, http_server_stats(g.server).buffered);
    close(first);
    close(second);
    rig_stop(&g);
}

TEST(http_server_tells_a_handler_that_its_client_has_gone)
{
    struct rig g;
    rig_start(&g, NULL, NULL);
    int fd = rig_connect(&g);
    rig_send_str(&g, fd, "GET /later HTTP/1.1\r\nHost: h\r\n\r\n");
    rig_step(&g, 10);
    CHECK(g.later != NULL);
    CHECK_EQ(1, http_server_stats(g.server).active);
    close(fd);
    rig_step(&g, 20);
    CHECK_EQ(1, g.later_gone);
    CHECK_EQ(0, g.freed); /* we hold a reference */
    CHECK_EQ(1, rig_refused(&g, HTTP_REASON_CLIENT_GONE));
    CHECK(http_req_head(g.later) == NULL);
    rig_answer_later(&g); /* does nothing, harms nothing */
    CHECK_EQ(1, g.freed);
    CHECK_EQ(0, http_server_stats(g.server).active);
    rig_stop(&g);
}

/* Where the rows are refused that cannot be a line of the table above. */
static const struct {
    enum http_reason why;
    const char *where;
} elsewhere[] = {
    {HTTP_REASON_NONE, "-"},
    {HTTP_REASON_NUL_BYTE, "test_http_refuse.c"},
    {HTTP_REASON_HEAD_SLOW, "test_http_refuse.c"},
    {HTTP_REASON_BODY_SLOW, "test_http_refuse.c"},
    {HTTP_REASON_REPLY_SLOW, "test_http_refuse.c"},
    {HTTP_REASON_IDLE, "test_http_refuse.c"},
    {HTTP_REASON_CONNECTIONS_MANY, "test_http_refuse.c"},
    {HTTP_REASON_BUFFERS_FULL, "test_http_refuse.c"},
    {HTTP_REASON_CLIENT_GONE, "test_http_refuse.c"},
    {HTTP_REASON_HANDSHAKE_BAD, "test_tls.c"},
    {HTTP_REASON_HANDSHAKE_SLOW, "test_tls.c"},
    {HTTP_REASON_DRAIN_LATE, "test_http_drain.c"},
};

TEST(http_reasons_are_all_tested)
{
    for (int why = 0; why < HTTP_REASON_COUNT; why++) {
        bool found = false;
        for (size_t i = 0; i < ARRAY_LEN(refusals) && !found; i++) {
            found = (int)refusals[i].why == why;
        }
        for (size_t i = 0; i < ARRAY_LEN(elsewhere) && !found; i++) {
            found = (int)elsewhere[i].why == why;
        }
        char name[HTTP_REASON_BYTES];
        if (!found) {
            test_fail(__FILE__, __LINE__, "no test refuses %s",
                      http_reason_name((enum http_reason)why, name));
        }
        CHECK(strlen(http_reason_doc((enum http_reason)why)) > 10);
    }
}
