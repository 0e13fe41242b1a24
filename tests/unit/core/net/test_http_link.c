/* SPDX-License-Identifier: Apache-2.0
 *
 * How a connection of the client tries the addresses of a name: those that refuse, those that never
 * answer, and the one that does. The name's lookup is cut short and the addresses put in its place.
 */
#include "asker.h"

#include "core/base/clock.h"
#include "core/net/http_call.h"
#include "tests/test.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

/* A socket that listens (or not: backlog < 0) on a free port of 127.0.0.1. */
static int bound(int backlog, struct addr *ret_addr)
{
    struct err err = {0};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK_OK(addr_parse(SLICE("127.0.0.1:0"), ret_addr, &err), err);
    CHECK_EQ(0, bind(fd, &ret_addr->u.sa, ret_addr->len));
    CHECK_EQ(0, getsockname(fd, &ret_addr->u.sa, &ret_addr->len));
    CHECK(backlog < 0 || listen(fd, backlog) == 0);
    return fd;
}

/* Connects until the backlog is full: the kernel then drops what asks for more, without a word. */
static void fill(const struct addr *a, int fds[8])
{
    for (int i = 0; i < 8; i++) {
        fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        CHECK(connect(fds[i], &a->u.sa, a->len) == 0 || errno == EINPROGRESS);
    }
}

static void resolve_to(struct asked *a, const struct addr *addrs, size_t n)
{
    struct http_link *k = a->call->link;
    CHECK(k != NULL && k->state == LINK_RESOLVING);
    resolve_cancel(k->resolve);
    k->resolve = NULL;
    http_link_found(k, addrs, n);
}

static const struct http_call_spec spec = {.url = "http://name.invalid/hello"};

TEST(http_link_tries_the_addresses_in_turn)
{
    struct rig g;
    struct asked a = {0};
    struct addr to[3];
    struct err err = {0};
    int full[8];
    struct http_client_conf conf = http_client_conf_default();
    conf.connect_ms = 600;
    rig_start(&g, NULL, NULL);
    int closed = bound(-1, &to[0]), silent = bound(0, &to[1]);
    fill(&to[1], full);
    CHECK_OK(addr_parse(slice_str(http_server_addr(g.server, 0)), &to[2], &err), err);
    struct http_client *c = http_client_new(g.loop, &conf);
    asker_start(c, &spec, &a);
    int64_t began = loop_now_ns(g.loop);
    resolve_to(&a, to, 3);
    asker_wait(&g, &a, 30000);
    CHECK_OK(-(int)a.err.code, a.err);
    CHECK_EQ(200, a.status);
    /* The silent one had half of what was left, not all. */
    CHECK(loop_now_ns(g.loop) - began >= 200 * CLOCK_NS_PER_MS);
    asker_done(&a);
    http_client_free(c);
    for (int i = 0; i < 8; i++) {
        close(full[i]);
    }
    close(closed);
    close(silent);
    rig_stop(&g);
}

TEST(http_link_says_why_no_address_answered)
{
    struct rig g;
    struct asked a = {0};
    struct addr to[2];
    int full[8];
    struct http_client_conf conf = http_client_conf_default();
    conf.connect_ms = 100;
    rig_start(&g, NULL, NULL);
    int closed = bound(-1, &to[0]), silent = bound(0, &to[1]);
    fill(&to[1], full);
    struct http_client *c = http_client_new(g.loop, &conf);
    asker_start(c, &spec, &a);
    resolve_to(&a, to, 1);
    CHECK_EQ(0, a.done); /* never from within */
    asker_wait(&g, &a, 30000);
    CHECK_EQ(ERR_UNAVAILABLE, a.err.code);
    CHECK((a.err.flags & ERR_FLAG_RETRY) != 0);
    CHECK_HAS("name.invalid (127.0.0.1:", a.err.msg);
    asker_done(&a);
    asker_start(c, &spec, &a);
    resolve_to(&a, to, 2);
    asker_wait(&g, &a, 30000);
    CHECK_EQ(ERR_TIMEOUT, a.err.code);
    CHECK_HAS("100 ms", a.err.msg);
    asker_done(&a);
    CHECK_EQ(0, http_client_stats(c).connected);
    http_client_free(c);
    for (int i = 0; i < 8; i++) {
        close(full[i]);
    }
    close(closed);
    close(silent);
    rig_stop(&g);
}
