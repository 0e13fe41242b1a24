/* SPDX-License-Identifier: Apache-2.0
 *
 * See rig.h.
 */
#include "rig.h"

#include "core/base/clock.h"
#include "core/net/addr.h"
#include "tests/test.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

static void on_hello(struct http_req *r, void *arg)
{
    (void)arg;
    http_reply_field(r, "X-Rig", SLICE("yes"));
    http_reply(r, 200, "text/plain", SLICE("hello\n"));
}

static void on_whole_body(struct http_req *r, struct slice body, void *arg)
{
    char text[64];
    unsigned sum = 0;
    (void)arg;
    for (size_t i = 0; i < body.len; i++) {
        sum = sum * 31 + (uint8_t)body.ptr[i];
    }
    snprintf(text, sizeof text, "%zu %u\n", body.len, sum);
    http_reply(r, 200, "text/plain", slice_str(text));
}

static void on_whole(struct http_req *r, void *arg)
{
    http_req_collect(r, 64 * 1024, on_whole_body, arg);
}

static void echo_data(struct http_req *r, struct slice part, void *arg)
{
    struct rig *g = arg;
    g->echoed += part.len;
    if (!http_reply_write(r, part)) {
        http_req_pause(r);
    }
    if (g->pause_echo) {
        http_req_pause(r);
        g->paused = r;
    }
}

static void echo_end(struct http_req *r, void *arg)
{
    (void)arg;
    http_reply_end(r);
}

static void echo_drained(struct http_req *r, void *arg)
{
    (void)arg;
    http_req_resume(r);
}

static void count_gone(struct http_req *r, void *arg)
{
    struct rig *g = arg;
    (void)r;
    g->later_gone++;
    g->paused = NULL;
}

static void count_freed(void *arg)
{
    ((struct rig *)arg)->freed++;
}

static const struct http_req_ops echo_ops = {.data = echo_data,
                                             .end = echo_end,
                                             .drained = echo_drained,
                                             .gone = count_gone,
                                             .freed = count_freed};

static void on_echo(struct http_req *r, void *arg)
{
    http_req_take(r, &echo_ops, arg);
    http_reply_begin(r, 200, "application/octet-stream", -1);
}

static void on_chunks(struct http_req *r, void *arg)
{
    (void)arg;
    struct slice rest = http_req_head(r)->query, name, value;
    uint64_t n = 3;
    while (http_query_next(&rest, &name, &value)) {
        if (!slice_eq(name, SLICE("n")) || !slice_to_u64(value, &n)) {
            http_problem(r, 400, "n=NUMBER is expected, not " SLICE_FMT, SLICE_ARG(value));
            return;
        }
    }
    char part[1000];
    memset(part, 'c', sizeof part);
    http_reply_begin(r, 200, "text/plain", -1);
    for (uint64_t i = 0; i < n; i++) {
        http_reply_write(r, slice_of(part, sizeof part));
    }
    http_reply_end(r);
}

static const struct http_req_ops later_ops = {.gone = count_gone, .freed = count_freed};

static void on_later(struct http_req *r, void *arg)
{
    struct rig *g = arg;
    http_req_take(r, &later_ops, g);
    http_req_unref(g->later);
    g->later = http_req_ref(r);
}

static void on_never(struct http_req *r, void *arg)
{
    (void)r;
    (void)arg;
}

static void on_prefix(struct http_req *r, void *arg)
{
    (void)arg;
    http_reply(r, 200, "text/plain", http_req_tail(r));
}

static const struct http_route routes[] = {
    {.path = "/hello", .methods = HTTP_BIT(GET), .fn = on_hello, .doc = "greets"},
    {.path = "/whole", .methods = HTTP_BIT(POST), .fn = on_whole, .doc = "collects"},
    {.path = "/echo", .methods = HTTP_BIT(POST), .fn = on_echo, .doc = "streams"},
    {.path = "/chunks", .methods = HTTP_BIT(GET), .fn = on_chunks, .doc = "unknown length"},
    {.path = "/later", .methods = HTTP_BIT(GET), .fn = on_later, .doc = "answers later"},
    {.path = "/never", .methods = HTTP_BIT(GET), .fn = on_never, .doc = "forgets"},
    {.path = "/small", .methods = HTTP_BIT(POST), .body_max = 10, .fn = on_whole, .doc = "small"},
    {.path = "/sized",
     .methods = HTTP_BIT(PUT),
     .flags = HTTP_ROUTE_BODY,
     .fn = on_whole,
     .doc = "needs a body"},
    {.path = "/p/*", .methods = HTTP_BIT(GET), .fn = on_prefix, .doc = "a prefix"},
};

struct http_server_conf rig_conf(void)
{
    struct http_server_conf c = http_server_conf_default();
    c.linger_ms = 200;
    return c;
}

void rig_start(struct rig *g, const struct http_server_conf *conf, struct tls_ctx *tls)
{
    struct err err = {0};
    struct http_server_conf c = conf != NULL ? *conf : rig_conf();
    *g = (struct rig){.loop = loop_new()};
    buf_init(&g->got, 64 << 20);
    g->server = http_server_new(g->loop, &c);
    http_router_add(http_server_router(g->server), routes, ARRAY_LEN(routes), g);
    CHECK_OK(http_server_listen(g->server, &(struct http_listen){.addr = "127.0.0.1:0", .tls = tls},
                                &err),
             err);
}

void rig_stop(struct rig *g)
{
    g->later = http_req_unref(g->later);
    http_server_free(g->server);
    loop_free(g->loop);
    buf_done(&g->got);
}

int rig_connect(struct rig *g)
{
    struct addr a;
    struct err err = {0};
    CHECK_OK(addr_parse(slice_str(http_server_addr(g->server, 0)), &a, &err), err);
    int fd = socket(a.u.sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(fd >= 0);
    CHECK_EQ(0, connect(fd, &a.u.sa, a.len));
    return fd;
}

void rig_send(struct rig *g, int fd, const void *bytes, size_t n)
{
    const char *p = bytes;
    for (int tries = 0; n > 0 && tries < 20000; tries++) {
        ssize_t put = send(fd, p, n, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (put > 0) {
            p += put;
            n -= (size_t)put;
        } else if (errno != EAGAIN) {
            return; /* the server has closed: what it said can still be read */
        }
        loop_step(g->loop, put > 0 ? 0 : CLOCK_NS_PER_MS);
    }
}

void rig_send_str(struct rig *g, int fd, const char *text)
{
    rig_send(g, fd, text, strlen(text));
}

static bool found(const struct rig *g, const char *text)
{
    return text != NULL && slice_find_slice(buf_slice(&g->got), slice_str(text)) < g->got.len;
}

bool rig_read_until(struct rig *g, int fd, const char *text, int64_t ms)
{
    struct clock clock = clock_system();
    int64_t end = clock_mono(&clock) + ms * CLOCK_NS_PER_MS;
    buf_clear(&g->got);
    g->closed = false;
    while (!found(g, text) && !g->closed && clock_mono(&clock) < end) {
        char *room = buf_room(&g->got, 64 * 1024);
        CHECK(room != NULL);
        ssize_t n = recv(fd, room, 64 * 1024, MSG_DONTWAIT);
        if (n > 0) {
            buf_commit(&g->got, (size_t)n);
        } else if (n == 0 || errno != EAGAIN) {
            g->closed = true;
        } else {
            loop_step(g->loop, CLOCK_NS_PER_MS);
        }
    }
    buf_cstr(&g->got);
    return found(g, text);
}

void rig_read_end(struct rig *g, int fd, int64_t ms)
{
    rig_read_until(g, fd, NULL, ms);
}

void rig_step(struct rig *g, int64_t ms)
{
    struct clock clock = clock_system();
    int64_t end = clock_mono(&clock) + ms * CLOCK_NS_PER_MS;
    do {
        loop_step(g->loop, CLOCK_NS_PER_MS);
    } while (clock_mono(&clock) < end);
}

unsigned rig_status(struct rig *g)
{
    unsigned status = 0;
    if (sscanf(buf_cstr(&g->got), "HTTP/1.1 %3u", &status) != 1) {
        return 0;
    }
    return status;
}

unsigned rig_ask(struct rig *g, const char *text, int64_t ms)
{
    int fd = rig_connect(g);
    rig_send_str(g, fd, text);
    rig_read_end(g, fd, ms);
    close(fd);
    loop_step(g->loop, 0);
    return rig_status(g);
}

void rig_answer_later(struct rig *g)
{
    CHECK(g->later != NULL);
    http_reply(g->later, 200, "text/plain", SLICE("at last\n"));
    g->later = http_req_unref(g->later);
}

uint64_t rig_refused(const struct rig *g, enum http_reason why)
{
    return http_server_stats(g->server).refused[why];
}
