/* SPDX-License-Identifier: Apache-2.0
 *
 * See asker.h.
 */
#include "asker.h"

#include "core/base/clock.h"
#include "core/net/addr.h"
#include "tests/test.h"

#include <stdio.h>
#include <sys/socket.h>

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
    if (a->pause_in_data) {
        http_call_pause(c);
    }
    if (a->cancel_in_data) {
        http_call_cancel(c);
        a->call = NULL;
    }
}

void asker_feed(struct asked *a)
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
        a->to_send = SIZE_MAX;
    }
}

static void on_writable(struct http_call *c, void *arg)
{
    struct asked *a = arg;
    (void)c;
    a->writable++;
    CHECK(a->to_send != SIZE_MAX);
    asker_feed(a);
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
    if (a->on_done != NULL) {
        a->on_done(a, a->on_done_arg);
    }
}

static const struct http_call_ops ops = {on_head, on_data, on_writable, on_done};

void asker_start(struct http_client *c, const struct http_call_spec *spec, struct asked *a)
{
    struct err err = {0};
    *a = (struct asked){.to_send = a->to_send,
                        .cancel_in_data = a->cancel_in_data,
                        .pause_in_data = a->pause_in_data,
                        .on_done = a->on_done,
                        .on_done_arg = a->on_done_arg};
    buf_init(&a->body, 64 << 20);
    CHECK_OK(http_call_start(c, spec, &ops, a, &a->call, &err), err);
    CHECK_EQ(0, a->done);
}

void asker_wait(struct rig *g, struct asked *a, int64_t ms)
{
    struct clock clock = clock_system();
    int64_t end = clock_mono(&clock) + ms * CLOCK_NS_PER_MS;
    while (a->done == 0 && clock_mono(&clock) < end) {
        loop_step(g->loop, CLOCK_NS_PER_MS);
    }
    CHECK_EQ(1, a->done);
}

void asker_ask(struct rig *g, struct http_client *c, const struct http_call_spec *spec,
               struct asked *a)
{
    asker_start(c, spec, a);
    asker_wait(g, a, 30000);
}

int asker_refusal(struct http_client *c, const struct http_call_spec *spec)
{
    struct http_call *call;
    struct err err = {0};
    int rc = http_call_start(c, spec, &ops, NULL, &call, &err);
    CHECK(rc != 0 && err.msg[0] != '\0');
    return rc;
}

void asker_done(struct asked *a)
{
    buf_done(&a->body);
}

const char *asker_url(struct rig *g, const char *path)
{
    static char url[300];
    snprintf(url, sizeof url, "http://%s%s", http_server_addr(g->server, 0), path);
    return url;
}

struct liar liar_start(void)
{
    struct liar l = {.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
    struct addr a = {0};
    struct err err = {0};
    char text[ADDR_TEXT_BYTES];
    CHECK_OK(addr_parse(SLICE("127.0.0.1:0"), &a, &err), err);
    CHECK_EQ(0, bind(l.fd, &a.u.sa, a.len));
    CHECK_EQ(0, listen(l.fd, 8));
    CHECK_EQ(0, getsockname(l.fd, &a.u.sa, &a.len));
    snprintf(l.url, sizeof l.url, "http://%s/", addr_text(&a, text));
    return l;
}

int liar_take(struct rig *g, const struct liar *l)
{
    int fd = -1;
    for (int i = 0; i < 60000 && fd < 0; i++) {
        loop_step(g->loop, CLOCK_NS_PER_MS);
        fd = accept4(l->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    }
    CHECK(fd >= 0);
    return fd;
}
