/* SPDX-License-Identifier: Apache-2.0
 *
 * The client against our server on the same loop, and against sockets that misbehave.
 */
#include "rig.h"

#include "core/base/clock.h"
#include "core/net/addr.h"
#include "core/net/http_client.h"
#include "tests/test.h"

#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

struct asked {
    int done, heads;
    unsigned status;
    struct buf body;
    struct err err;
    struct http_call *call;
    size_t to_send; /* streamed: what is left */
    bool cancel_in_data;
};

static void on_head(struct http_call *c, const struct http_head *h, void *arg)
{
    struct asked *a = arg;
    (void)c;
    a->heads++;
    a->status = h->status;
}

static void on_data(struct http_call *c, struct slice part, void *arg)
{
    struct asked *a = arg;
    buf_add_slice(&a->body, part);
    if (a->cancel_in_data) {
        http_call_cancel(c);
        a->call = NULL;
    }
}

static void feed(struct asked *a)
{
    char part[4096];
    memset(part, 's', sizeof part);
    bool room = true;
    while (room && a->to_send > 0) {
        size_t n = MIN(sizeof part, a->to_send);
        a->to_send -= n;
        room = http_call_write(a->call, slice_of(part, n));
    }
    if (a->to_send == 0) {
        http_call_end(a->call);
        a->to_send = SIZE_MAX; /* ended */
    }
}

static void on_writable(struct http_call *c, void *arg)
{
    struct asked *a = arg;
    (void)c;
    if (a->to_send != SIZE_MAX) {
        feed(a);
    }
}

static void on_done(struct http_call *c, const struct err *err, void *arg)
{
    struct asked *a = arg;
    (void)c;
    a->done++;
    a->call = NULL;
    if (err != NULL) {
        a->err = *err;
    }
}

static const struct http_call_ops ops = {on_head, on_data, on_writable, on_done};

static const char *url_of(struct rig *g, const char *path)
{
    static char url[300];
    snprintf(url, sizeof url, "http://%s%s", http_server_addr(g->server, 0), path);
    return url;
}

static void start(struct http_client *c, const struct http_call_spec *spec, struct asked *a)
{
    struct err err = {0};
    *a = (struct asked){.to_send = a->to_send, .cancel_in_data = a->cancel_in_data};
    buf_init(&a->body, 64 << 20);
    CHECK_OK(http_call_start(c, spec, &ops, a, &a->call, &err), err);
    CHECK_EQ(0, a->done);
}

static void wait_done(struct rig *g, struct asked *a, int64_t ms)
{
    for (int64_t i = 0; i < ms && a->done == 0; i++) {
        loop_step(g->loop, CLOCK_NS_PER_MS);
    }
    CHECK_EQ(1, a->done);
}

static void ask(struct rig *g, struct http_client *c, const struct http_call_spec *spec,
                struct asked *a)
{
    start(c, spec, a);
    wait_done(g, a, 5000);
}

TEST(http_client_gets_and_keeps_the_connection)
{
    struct rig g;
    struct asked a = {0};
    rig_start(&g, NULL, NULL);
    struct http_client *c = http_client_new(g.loop, NULL);
    for (int i = 0; i < 3; i++) {
        ask(&g, c, &(struct http_call_spec){.url = url_of(&g, "/hello")}, &a);
        CHECK_EQ(200, a.status);
        CHECK_SLICE("hello\n", buf_slice(&a.body));
        buf_done(&a.body);
    }
    CHECK_EQ(1, http_client_stats(c).connected);
    CHECK_EQ(2, http_client_stats(c).reused);
    ask(&g, c, &(struct http_call_spec){.url = url_of(&g, "/hello"), .method = HTTP_HEAD}, &a);
    CHECK_EQ(200, a.status);
    CHECK_EQ(0, a.body.len);
    buf_done(&a.body);
    ask(&g, c, &(struct http_call_spec){.url = url_of(&g, "/nothing")}, &a);
    CHECK_EQ(404, a.status);
    CHECK_EQ(0, a.err.code);
    buf_done(&a.body);
    http_client_free(c);
    rig_stop(&g);
}

TEST(http_client_sends_bodies_whole_and_in_parts)
{
    struct rig g;
    struct asked a = {0};
    rig_start(&g, NULL, NULL);
    struct http_client *c = http_client_new(g.loop, NULL);
    struct http_call_spec whole = {
        .url = url_of(&g, "/whole"), .method = HTTP_POST, .body = SLICE("abc")};
    ask(&g, c, &whole, &a);
    CHECK_HAS("3 ", buf_cstr(&a.body));
    buf_done(&a.body);
    /* Five megabytes through the server and back, more than any buffer on the way. */
    a.to_send = 5 << 20;
    struct http_call_spec streamed = {
        .url = url_of(&g, "/echo"), .method = HTTP_POST, .stream = true, .answer_max = 6 << 20};
    start(c, &streamed, &a);
    feed(&a);
    wait_done(&g, &a, 20000);
    CHECK_EQ(0, a.err.code);
    CHECK_EQ(5 << 20, a.body.len);
    buf_done(&a.body);
    ask(&g, c, &(struct http_call_spec){.url = url_of(&g, "/chunks?n=40")}, &a);
    CHECK_EQ(40000, a.body.len);
    buf_done(&a.body);
    http_client_free(c);
    rig_stop(&g);
}

TEST(http_client_bounds_what_comes_back)
{
    struct rig g;
    struct asked a = {0};
    rig_start(&g, NULL, NULL);
    struct http_client *c = http_client_new(g.loop, NULL);
    ask(&g, c, &(struct http_call_spec){.url = url_of(&g, "/chunks?n=40"), .answer_max = 1500}, &a);
    CHECK_EQ(ERR_TOO_BIG, a.err.code);
    CHECK(a.body.len <= 1500);
    buf_done(&a.body);
    ask(&g, c, &(struct http_call_spec){.url = url_of(&g, "/later"), .total_ms = 50}, &a);
    CHECK_EQ(ERR_TIMEOUT, a.err.code);
    buf_done(&a.body);
    ask(&g, c, &(struct http_call_spec){.url = url_of(&g, "/later"), .stall_ms = 50}, &a);
    CHECK_EQ(ERR_TIMEOUT, a.err.code);
    buf_done(&a.body);
    struct http_field bad = {SLICE("X"), SLICE("a\r\nY: b")};
    struct http_call_spec smuggle = {.url = url_of(&g, "/hello"), .fields = &bad, .field_count = 1};
    struct err err = {0};
    CHECK_EQ(-ERR_USAGE, http_call_start(c, &smuggle, &ops, &a, &a.call, &err));
    http_client_free(c);
    rig_stop(&g);
}

TEST(http_client_waits_for_its_turn)
{
    enum { CALLS = 40 };
    struct rig g;
    struct asked a[CALLS] = {0}, one_more = {0};
    struct http_client_conf conf = http_client_conf_default();
    struct err err = {0};
    conf.connections_max = 2;
    conf.waiting_max = CALLS - 2;
    rig_start(&g, NULL, NULL);
    struct http_client *c = http_client_new(g.loop, &conf);
    for (int i = 0; i < CALLS; i++) {
        start(c, &(struct http_call_spec){.url = url_of(&g, "/hello")}, &a[i]);
    }
    struct http_call_spec spec = {.url = url_of(&g, "/hello")};
    CHECK_EQ(-ERR_AGAIN, http_call_start(c, &spec, &ops, &one_more, &one_more.call, &err));
    for (int i = 0; i < CALLS; i++) {
        wait_done(&g, &a[i], 5000);
        CHECK_EQ(200, a[i].status);
        buf_done(&a[i].body);
    }
    CHECK_EQ(2, http_client_stats(c).connected);
    http_client_free(c);
    rig_stop(&g);
}

TEST(http_client_cancels_in_every_state)
{
    struct rig g;
    struct asked a = {0};
    rig_start(&g, NULL, NULL);
    struct http_client *c = http_client_new(g.loop, NULL);
    for (int steps = 0; steps < 6; steps++) {
        start(c, &(struct http_call_spec){.url = url_of(&g, "/later")}, &a);
        for (int i = 0; i < steps; i++) {
            loop_step(g.loop, 0);
        }
        http_call_cancel(a.call);
        CHECK_EQ(0, a.done);
        buf_done(&a.body);
    }
    a.cancel_in_data = true;
    start(c, &(struct http_call_spec){.url = url_of(&g, "/chunks?n=40")}, &a);
    rig_step(&g, 100);
    CHECK_EQ(0, a.done);
    CHECK(a.call == NULL);
    buf_done(&a.body);
    a.cancel_in_data = false;
    start(c, &(struct http_call_spec){.url = url_of(&g, "/later")}, &a);
    rig_step(&g, 20);
    http_client_free(c); /* with a call under way */
    CHECK_EQ(1, a.done);
    CHECK_EQ(ERR_CLOSED, a.err.code);
    buf_done(&a.body);
    rig_stop(&g);
}

/* A listener that answers each connection with fixed bytes and closes it. */
struct liar {
    int fd;
    char url[100];
};

static struct liar liar_start(void)
{
    struct liar l = {.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
    struct addr a = {0};
    struct err err = {0};
    CHECK_OK(addr_parse(SLICE("127.0.0.1:0"), &a, &err), err);
    CHECK_EQ(0, bind(l.fd, &a.u.sa, a.len));
    CHECK_EQ(0, listen(l.fd, 8));
    CHECK_EQ(0, getsockname(l.fd, &a.u.sa, &a.len));
    char text[ADDR_TEXT_BYTES];
    snprintf(l.url, sizeof l.url, "http://%s/", addr_text(&a, text));
    return l;
}

static int liar_take(struct rig *g, const struct liar *l)
{
    int fd = -1;
    for (int i = 0; i < 2000 && fd < 0; i++) {
        loop_step(g->loop, CLOCK_NS_PER_MS);
        fd = accept4(l->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    }
    CHECK(fd >= 0);
    return fd;
}

struct lie {
    const char *bytes;
    enum err_code code;
};

TEST(http_client_survives_bad_answers)
{
    static const struct lie lies[] = {
        {"", ERR_CLOSED},
        {"HTTP/1.1 200 OK\r\nContent-Le", ERR_CLOSED},
        {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab", ERR_CLOSED},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nab", ERR_CLOSED},
        {"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", ERR_CORRUPT},
        {"SSH-2.0-OpenSSH\r\n", ERR_CORRUPT},
        {"HTTP/1.1 101 Switching Protocols\r\n\r\n", ERR_UNSUPPORTED},
        {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", ERR_OK},
        {"HTTP/1.0 200 OK\r\n\r\nto the end", ERR_OK},
    };
    struct rig g;
    signal(SIGPIPE, SIG_IGN); /* as loop_on_signals does for programs */
    rig_start(&g, NULL, NULL);
    struct http_client *c = http_client_new(g.loop, NULL);
    struct liar l = liar_start();
    for (size_t i = 0; i < ARRAY_LEN(lies); i++) {
        struct asked a = {0};
        start(c, &(struct http_call_spec){.url = l.url, .method = HTTP_POST}, &a);
        int fd = liar_take(&g, &l);
        rig_step(&g, 5);
        rig_send_str(&g, fd, lies[i].bytes);
        shutdown(fd, SHUT_WR);
        wait_done(&g, &a, 2000);
        CHECK_EQ(lies[i].code, a.err.code);
        close(fd);
        rig_step(&g, 5); /* a kept connection is seen to end */
        buf_done(&a.body);
    }
    close(l.fd);
    http_client_free(c);
    rig_stop(&g);
}

TEST(http_client_repeats_what_met_a_dying_connection)
{
    static const char ok[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    struct rig g;
    struct asked a = {0};
    rig_start(&g, NULL, NULL);
    struct http_client *c = http_client_new(g.loop, NULL);
    struct liar l = liar_start();
    start(c, &(struct http_call_spec){.url = l.url}, &a);
    int fd = liar_take(&g, &l);
    rig_send_str(&g, fd, ok);
    wait_done(&g, &a, 2000);
    buf_done(&a.body);
    /* The kept connection takes the request and dies: GET is sent again, POST is not. */
    start(c, &(struct http_call_spec){.url = l.url}, &a);
    CHECK_EQ(1, http_client_stats(c).reused);
    close(fd);
    fd = liar_take(&g, &l);
    rig_send_str(&g, fd, ok);
    wait_done(&g, &a, 2000);
    CHECK_EQ(200, a.status);
    CHECK_EQ(1, http_client_stats(c).repeated);
    buf_done(&a.body);
    start(c, &(struct http_call_spec){.url = l.url, .method = HTTP_POST}, &a);
    close(fd);
    wait_done(&g, &a, 2000);
    CHECK_EQ(ERR_CLOSED, a.err.code);
    CHECK_EQ(1, http_client_stats(c).repeated);
    buf_done(&a.body);
    close(l.fd);
    ask(&g, c, &(struct http_call_spec){.url = l.url}, &a);
    CHECK_EQ(ERR_UNAVAILABLE, a.err.code);
    buf_done(&a.body);
    http_client_free(c);
    rig_stop(&g);
}
