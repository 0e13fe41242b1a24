/* SPDX-License-Identifier: Apache-2.0
 *
 * The client against our server on the same loop, and against sockets that misbehave.
 */
#include "asker.h"

#include "core/base/clock.h"
#include "tests/test.h"

#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

TEST(http_client_gets_and_keeps_the_connection)
{
    struct rig g;
    struct asked a = {0};
    rig_start(&g, NULL, NULL);
    struct http_client *c = http_client_new(g.loop, NULL);
    for (int i = 0; i < 3; i++) {
        asker_ask(&g, c, &(struct http_call_spec){.url = asker_url(&g, "/hello")}, &a);
        CHECK_EQ(200, a.status);
        CHECK_SLICE("hello\n", buf_slice(&a.body));
        asker_done(&a);
    }
    CHECK_EQ(1, http_client_stats(c).connected);
    CHECK_EQ(2, http_client_stats(c).reused);
    asker_ask(&g, c, &(struct http_call_spec){.url = asker_url(&g, "/hello"), .method = HTTP_HEAD},
              &a);
    CHECK_EQ(200, a.status);
    CHECK_EQ(0, a.body.len);
    asker_done(&a);
    asker_ask(&g, c, &(struct http_call_spec){.url = asker_url(&g, "/nothing")}, &a);
    CHECK_EQ(404, a.status);
    CHECK_EQ(0, a.err.code);
    asker_done(&a);
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
        .url = asker_url(&g, "/whole"), .method = HTTP_POST, .body = SLICE("abc")};
    asker_ask(&g, c, &whole, &a);
    CHECK_HAS("3 ", buf_cstr(&a.body));
    asker_done(&a);
    /* Five megabytes through the server and back, more than any buffer on the way. */
    a.to_send = 5 << 20;
    struct http_call_spec streamed = {
        .url = asker_url(&g, "/echo"), .method = HTTP_POST, .stream = true, .answer_max = 6 << 20};
    asker_start(c, &streamed, &a);
    asker_feed(&a);
    asker_wait(&g, &a, 30000);
    CHECK_EQ(0, a.err.code);
    CHECK_EQ(5 << 20, a.body.len);
    asker_done(&a);
    asker_ask(&g, c, &(struct http_call_spec){.url = asker_url(&g, "/chunks?n=40")}, &a);
    CHECK_EQ(40000, a.body.len);
    asker_done(&a);
    http_client_free(c);
    rig_stop(&g);
}

TEST(http_client_bounds_what_comes_back)
{
    struct rig g;
    struct asked a = {0};
    rig_start(&g, NULL, NULL);
    struct http_client *c = http_client_new(g.loop, NULL);
    asker_ask(&g, c,
              &(struct http_call_spec){.url = asker_url(&g, "/chunks?n=40"), .answer_max = 1500},
              &a);
    CHECK_EQ(ERR_TOO_BIG, a.err.code);
    CHECK(a.body.len <= 1500);
    asker_done(&a);
    asker_ask(&g, c, &(struct http_call_spec){.url = asker_url(&g, "/later"), .total_ms = 50}, &a);
    CHECK_EQ(ERR_TIMEOUT, a.err.code);
    asker_done(&a);
    asker_ask(&g, c, &(struct http_call_spec){.url = asker_url(&g, "/later"), .stall_ms = 50}, &a);
    CHECK_EQ(ERR_TIMEOUT, a.err.code);
    asker_done(&a);
    struct http_field bad = {SLICE("X"), SLICE("a\r\nY: b")};
    struct http_call_spec smuggle = {
        .url = asker_url(&g, "/hello"), .fields = &bad, .field_count = 1};
    CHECK_EQ(-ERR_USAGE, asker_refusal(c, &smuggle));
    http_client_free(c);
    rig_stop(&g);
}

TEST(http_client_waits_for_its_turn)
{
    enum { CALLS = 40 };
    struct rig g;
    struct asked a[CALLS] = {0};
    struct http_client_conf conf = http_client_conf_default();
    conf.connections_max = 2;
    conf.waiting_max = CALLS - 2;
    rig_start(&g, NULL, NULL);
    struct http_client *c = http_client_new(g.loop, &conf);
    for (int i = 0; i < CALLS; i++) {
        asker_start(c, &(struct http_call_spec){.url = asker_url(&g, "/hello")}, &a[i]);
    }
    struct http_call_spec spec = {.url = asker_url(&g, "/hello")};
    CHECK_EQ(-ERR_AGAIN, asker_refusal(c, &spec));
    for (int i = 0; i < CALLS; i++) {
        asker_wait(&g, &a[i], 30000);
        CHECK_EQ(200, a[i].status);
        asker_done(&a[i]);
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
        asker_start(c, &(struct http_call_spec){.url = asker_url(&g, "/later")}, &a);
        for (int i = 0; i < steps; i++) {
            loop_step(g.loop, 0);
        }
        http_call_cancel(a.call);
        CHECK_EQ(0, a.done);
        asker_done(&a);
    }
    a.cancel_in_data = true;
    asker_start(c, &(struct http_call_spec){.url = asker_url(&g, "/chunks?n=40")}, &a);
    rig_step(&g, 100);
    CHECK_EQ(0, a.done);
    CHECK(a.call == NULL);
    asker_done(&a);
    a.cancel_in_data = false;
    asker_start(c, &(struct http_call_spec){.url = asker_url(&g, "/later")}, &a);
    rig_step(&g, 20);
    http_client_free(c); /* with a call under way */
    CHECK_EQ(1, a.done);
    CHECK_EQ(ERR_CLOSED, a.err.code);
    asker_done(&a);
    rig_stop(&g);
}

struct lie {
    const char *bytes;
    enum err_code code;
};

TEST(http_client_serves_the_next_after_a_cancel_within_a_callback)
{
    struct rig g;
    struct asked first = {.cancel_in_data = true}, next = {0};
    struct http_client_conf conf = http_client_conf_default();
    conf.connections_max = 1;
    rig_start(&g, NULL, NULL);
    struct http_client *c = http_client_new(g.loop, &conf);
    asker_start(c, &(struct http_call_spec){.url = asker_url(&g, "/chunks?n=40")}, &first);
    asker_start(c, &(struct http_call_spec){.url = asker_url(&g, "/hello")}, &next);
    asker_wait(&g, &next, 30000);
    CHECK_EQ(200, next.status);
    CHECK_EQ(0, first.done);
    CHECK_EQ(2, http_client_stats(c).connected);
    asker_done(&first);
    asker_done(&next);
    http_client_free(c);
    rig_stop(&g);
}

TEST(http_client_pauses_the_other_side)
{
    struct rig g;
    struct asked a = {.pause_in_data = true};
    rig_start(&g, NULL, NULL);
    struct http_client *c = http_client_new(g.loop, NULL);
    struct http_call_spec spec = {.url = asker_url(&g, "/chunks?n=4000"), .stall_ms = 100};
    asker_start(c, &spec, &a);
    rig_step(&g, 300); /* longer than stall_ms: a pause is the caller's own time */
    CHECK_EQ(0, a.done);
    CHECK(a.body.len > 0 && a.body.len < 64 * 1024);
    size_t before = a.body.len;
    http_call_resume(a.call);
    rig_step(&g, 20);
    CHECK(a.body.len > before && a.body.len < before + 64 * 1024);
    a.pause_in_data = false;
    http_call_resume(a.call);
    asker_wait(&g, &a, 30000);
    CHECK_EQ(0, a.err.code);
    CHECK_EQ(4000000, a.body.len);
    asker_done(&a);
    http_client_free(c);
    rig_stop(&g);
}

static void ask_again(struct asked *a, void *arg)
{
    struct http_call_spec spec = {.url = "http://127.0.0.1:1/"};
    CHECK_EQ(ERR_CLOSED, a->err.code);
    CHECK_EQ(-ERR_CLOSED, asker_refusal(arg, &spec));
}

TEST(http_client_takes_no_calls_while_it_closes)
{
    struct rig g;
    struct asked a = {.on_done = ask_again}, waiting = {.on_done = ask_again};
    struct http_client_conf conf = http_client_conf_default();
    conf.connections_max = 1;
    rig_start(&g, NULL, NULL);
    struct http_client *c = http_client_new(g.loop, &conf);
    a.on_done_arg = waiting.on_done_arg = c;
    asker_start(c, &(struct http_call_spec){.url = asker_url(&g, "/later")}, &a);
    asker_start(c, &(struct http_call_spec){.url = asker_url(&g, "/hello")}, &waiting);
    rig_step(&g, 20);
    http_client_free(c);
    CHECK_EQ(1, a.done);
    CHECK_EQ(1, waiting.done);
    asker_done(&a);
    asker_done(&waiting);
    rig_stop(&g);
}

TEST(http_client_keeps_connections_for_so_long)
{
    struct rig g;
    struct asked a = {0};
    struct http_client_conf conf = http_client_conf_default();
    conf.idle_ms = 200;
    rig_start(&g, NULL, NULL);
    struct http_client *c = http_client_new(g.loop, &conf);
    asker_ask(&g, c, &(struct http_call_spec){.url = asker_url(&g, "/hello")}, &a);
    asker_done(&a);
    CHECK_EQ(1, http_client_stats(c).open);
    rig_step(&g, 500);
    CHECK_EQ(0, http_client_stats(c).open);
    http_client_free(c);
    conf.idle_ms = 0; /* none at all, and the server is told */
    c = http_client_new(g.loop, &conf);
    for (int i = 0; i < 2; i++) {
        asker_ask(&g, c, &(struct http_call_spec){.url = asker_url(&g, "/hello")}, &a);
        asker_done(&a);
    }
    CHECK_EQ(2, http_client_stats(c).connected);
    CHECK_EQ(0, http_client_stats(c).open);
    http_client_free(c);
    rig_stop(&g);
}

TEST(http_client_looks_names_up_and_tries_each_address)
{
    struct rig g;
    struct asked a = {0};
    char url[100];
    rig_start(&g, NULL, NULL); /* on 127.0.0.1 only, where localhost may be ::1 first */
    struct http_client *c = http_client_new(g.loop, NULL);
    snprintf(url, sizeof url, "http://localhost:%u/hello", http_server_port(g.server, 0));
    asker_ask(&g, c, &(struct http_call_spec){.url = url}, &a);
    CHECK_EQ(200, a.status);
    asker_done(&a);
    asker_ask(&g, c, &(struct http_call_spec){.url = "http://no-such-host.invalid/"}, &a);
    CHECK(a.err.code == ERR_NOT_FOUND || a.err.code == ERR_UNAVAILABLE);
    CHECK((a.err.flags & ERR_FLAG_RETRY) != 0);
    asker_done(&a);
    asker_start(c, &(struct http_call_spec){.url = "http://no-such-host.invalid/"}, &a);
    http_call_cancel(a.call); /* while the name is looked up */
    asker_done(&a);
    http_client_free(c);
    rig_stop(&g);
}

TEST(http_client_forgets_hosts_it_has_no_connection_to)
{
    struct rig g;
    struct asked a = {0};
    struct http_client_conf conf = http_client_conf_default();
    char url[60];
    conf.idle_ms = 0;
    rig_start(&g, NULL, NULL);
    struct http_client *c = http_client_new(g.loop, &conf);
    for (int i = 0; i < 4200; i++) { /* more than it may know at a time */
        snprintf(url, sizeof url, "http://h%d/hello", i);
        struct http_call_spec spec = {.url = url, .via = http_server_addr(g.server, 0)};
        asker_ask(&g, c, &spec, &a);
        CHECK_EQ(200, a.status);
        asker_done(&a);
    }
    http_client_free(c);
    rig_stop(&g);
}

TEST(http_client_goes_through_a_unix_socket)
{
    struct rig g;
    struct asked a = {0};
    struct err err = {0};
    char path[200];
    snprintf(path, sizeof path, "unix:%s/s", test_tmpdir());
    rig_start(&g, NULL, NULL);
    CHECK_OK(http_server_listen(g.server, &(struct http_listen){.addr = path}, &err), err);
    struct http_client *c = http_client_new(g.loop, NULL);
    struct http_call_spec spec = {.url = "http://kaiju/hello", .via = path};
    asker_ask(&g, c, &spec, &a);
    CHECK_EQ(200, a.status);
    asker_done(&a);
    http_client_free(c);
    rig_stop(&g);
}

TEST(http_client_reads_a_refusal_in_the_middle_of_its_request)
{
    static const char full[] = "HTTP/1.1 413 Too Large\r\nContent-Length: 4\r\n\r\nfull";
    struct rig g;
    struct asked a = {.to_send = 8 << 20};
    rig_start(&g, NULL, NULL);
    struct http_client *c = http_client_new(g.loop, NULL);
    struct liar l = liar_start();
    struct http_call_spec spec = {.url = l.url, .method = HTTP_POST, .stream = true};
    asker_start(c, &spec, &a);
    int fd = liar_take(&g, &l);
    asker_feed(&a);
    rig_step(&g, 20);
    rig_send_str(&g, fd, full); /* without having read the body */
    asker_wait(&g, &a, 30000);
    CHECK_EQ(0, a.err.code);
    CHECK_EQ(413, a.status);
    CHECK_SLICE("full", buf_slice(&a.body));
    CHECK_EQ(0, http_client_stats(c).open); /* half a request is in it: not kept */
    asker_done(&a);
    close(fd);
    close(l.fd);
    http_client_free(c);
    rig_stop(&g);
}

/* As above, but the other side also hangs up with our bytes unread, so that the kernel resets the
 * connection under our sending. */
TEST(http_client_reads_a_refusal_before_a_reset)
{
    static const char full[] = "HTTP/1.1 413 Too Large\r\nContent-Length: 4\r\n\r\nfull";
    struct rig g;
    rig_start(&g, NULL, NULL);
    struct http_client *c = http_client_new(g.loop, NULL);
    struct liar l = liar_start();
    struct http_call_spec spec = {.url = l.url, .method = HTTP_POST, .stream = true};
    for (int i = 0; i < 20; i++) {
        struct asked a = {.to_send = 8 << 20};
        asker_start(c, &spec, &a);
        int fd = liar_take(&g, &l);
        asker_feed(&a);
        rig_step(&g, 2);
        if (i % 2 == 1) { /* sending meets the reset before the answer is read */
            http_call_pause(a.call);
        }
        rig_send_str(&g, fd, full);
        close(fd);
        rig_step(&g, 5);
        if (i % 2 == 1) {
            CHECK_EQ(0, a.done);
            http_call_resume(a.call);
        }
        asker_wait(&g, &a, 30000);
        CHECK_OK(-(int)a.err.code, a.err);
        CHECK_EQ(413, a.status);
        CHECK_SLICE("full", buf_slice(&a.body));
        asker_done(&a);
    }
    close(l.fd);
    http_client_free(c);
    rig_stop(&g);
}

TEST(http_client_does_not_keep_a_half_used_connection)
{
    static const char early[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    struct rig g;
    struct asked a = {0};
    rig_start(&g, NULL, NULL);
    struct http_client *c = http_client_new(g.loop, NULL);
    struct liar l = liar_start();
    struct http_call_spec spec = {.url = l.url, .method = HTTP_POST, .stream = true};
    asker_start(c, &spec, &a);
    CHECK(http_call_write(a.call, SLICE("the first part")));
    int fd = liar_take(&g, &l);
    rig_read_until(&g, fd, "the first part\r\n", 30000);
    rig_send_str(&g, fd, early); /* the request has not ended, and never will */
    asker_wait(&g, &a, 30000);
    CHECK_EQ(0, a.err.code);
    CHECK_EQ(0, http_client_stats(c).open);
    asker_done(&a);
    close(fd);
    close(l.fd);
    http_client_free(c);
    rig_stop(&g);
}

TEST(http_client_gives_up_on_those_who_never_answer)
{
    struct rig g;
    struct asked a = {0};
    rig_start(&g, NULL, NULL);
    struct http_client *c = http_client_new(g.loop, NULL);
    struct liar l = liar_start();
    asker_start(c, &(struct http_call_spec){.url = l.url}, &a);
    int fd = liar_take(&g, &l);
    for (int i = 0; i < 40; i++) {
        rig_send_str(&g, fd, "HTTP/1.1 100 Continue\r\n\r\n");
    }
    asker_wait(&g, &a, 30000);
    CHECK_EQ(ERR_LIMIT, a.err.code);
    asker_done(&a);
    close(fd);
    asker_start(c, &(struct http_call_spec){.url = l.url, .stall_ms = 250}, &a);
    fd = liar_take(&g, &l);
    rig_send_str(&g, fd, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n");
    for (int i = 0; i < 4; i++) { /* slow, but not silent */
        rig_step(&g, 80);
        CHECK_EQ(0, a.done);
        rig_send_str(&g, fd, "x");
    }
    asker_wait(&g, &a, 30000);
    CHECK_EQ(ERR_TIMEOUT, a.err.code);
    CHECK_EQ(4, a.body.len);
    asker_done(&a);
    close(fd);
    close(l.fd);
    http_client_free(c);
    rig_stop(&g);
}

TEST(http_client_gives_up_on_tls_that_never_comes)
{
    struct rig g;
    struct asked a = {0};
    struct http_client_conf conf = http_client_conf_default();
    char url[120];
    conf.connect_ms = 300;
    rig_start(&g, NULL, NULL);
    struct http_client *c = http_client_new(g.loop, &conf);
    struct liar l = liar_start();
    snprintf(url, sizeof url, "https%s", l.url + 4);
    asker_start(c, &(struct http_call_spec){.url = url}, &a);
    int fd = liar_take(&g, &l);
    asker_wait(&g, &a, 30000);
    CHECK_EQ(ERR_TIMEOUT, a.err.code);
    asker_done(&a);
    close(fd);
    asker_start(c, &(struct http_call_spec){.url = url}, &a);
    close(liar_take(&g, &l));
    asker_wait(&g, &a, 30000);
    CHECK_EQ(ERR_CLOSED, a.err.code);
    CHECK((a.err.flags & ERR_FLAG_RETRY) != 0);
    asker_done(&a);
    asker_start(c, &(struct http_call_spec){.url = url}, &a);
    fd = liar_take(&g, &l);
    rig_send_str(&g, fd, "HTTP/1.1 400 Bad Request\r\n\r\n");
    asker_wait(&g, &a, 30000);
    CHECK_EQ(ERR_DENIED, a.err.code);
    asker_done(&a);
    close(fd);
    close(l.fd);
    http_client_free(c);
    rig_stop(&g);
}

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
    rig_start(&g, NULL, NULL);
    struct http_client *c = http_client_new(g.loop, NULL);
    struct liar l = liar_start();
    for (size_t i = 0; i < ARRAY_LEN(lies); i++) {
        struct asked a = {0};
        asker_start(c, &(struct http_call_spec){.url = l.url, .method = HTTP_POST}, &a);
        int fd = liar_take(&g, &l);
        rig_step(&g, 5);
        rig_send_str(&g, fd, lies[i].bytes);
        shutdown(fd, SHUT_WR);
        asker_wait(&g, &a, 30000);
        CHECK_EQ(lies[i].code, a.err.code);
        close(fd);
        rig_step(&g, 5); /* a kept connection is seen to end */
        asker_done(&a);
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
    asker_start(c, &(struct http_call_spec){.url = l.url}, &a);
    int fd = liar_take(&g, &l);
    rig_send_str(&g, fd, ok);
    asker_wait(&g, &a, 30000);
    asker_done(&a);
    /* The kept connection takes the request and dies: GET is sent again, POST is not. */
    asker_start(c, &(struct http_call_spec){.url = l.url}, &a);
    CHECK_EQ(1, http_client_stats(c).reused);
    close(fd);
    fd = liar_take(&g, &l);
    rig_send_str(&g, fd, ok);
    asker_wait(&g, &a, 30000);
    CHECK_EQ(200, a.status);
    CHECK_EQ(1, http_client_stats(c).repeated);
    asker_done(&a);
    asker_start(c, &(struct http_call_spec){.url = l.url, .method = HTTP_POST}, &a);
    close(fd);
    asker_wait(&g, &a, 30000);
    CHECK_EQ(ERR_CLOSED, a.err.code);
    CHECK_EQ(1, http_client_stats(c).repeated);
    asker_done(&a);
    close(l.fd);
    asker_ask(&g, c, &(struct http_call_spec){.url = l.url}, &a);
    CHECK_EQ(ERR_UNAVAILABLE, a.err.code);
    asker_done(&a);
    http_client_free(c);
    rig_stop(&g);
}

/* After a restart of the server all kept connections are dead: the second try must not meet another
 * of them. */
TEST(http_client_repeats_on_a_fresh_connection)
{
    enum { KEPT = 3 };
    static const char ok[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    struct rig g;
    struct asked a[KEPT] = {0};
    struct http_client_conf conf = http_client_conf_default();
    int fds[KEPT];
    conf.connections_max = KEPT;
    rig_start(&g, NULL, NULL);
    struct http_client *c = http_client_new(g.loop, &conf);
    struct liar l = liar_start();
    for (int i = 0; i < KEPT; i++) {
        asker_start(c, &(struct http_call_spec){.url = l.url}, &a[i]);
        fds[i] = liar_take(&g, &l);
    }
    for (int i = 0; i < KEPT; i++) {
        rig_send_str(&g, fds[i], ok);
        asker_wait(&g, &a[i], 30000);
        asker_done(&a[i]);
    }
    CHECK_EQ(KEPT, http_client_stats(c).open);
    for (int i = 0; i < KEPT; i++) {
        close(fds[i]);
    }
    asker_start(c, &(struct http_call_spec){.url = l.url}, &a[0]);
    CHECK_EQ(1, http_client_stats(c).reused);
    int fd = liar_take(&g, &l);
    rig_send_str(&g, fd, ok);
    asker_wait(&g, &a[0], 30000);
    CHECK_EQ(0, a[0].err.code);
    CHECK_EQ(1, http_client_stats(c).repeated);
    asker_done(&a[0]);
    close(fd);
    close(l.fd);
    http_client_free(c);
    rig_stop(&g);
}
