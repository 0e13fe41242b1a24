/* SPDX-License-Identifier: Apache-2.0
 *
 * Drain: what is in work is finished, what is idle is closed, what is late is cut off.
 */
#include "core/base/clock.h"
#include "core/net/addr.h"
#include "rig.h"
#include "tests/test.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#define GET_HELLO "GET /hello HTTP/1.1\r\nHost: h\r\n\r\n"

static void note(void *arg)
{
    *(bool *)arg = true;
}

static bool can_connect(const char *text)
{
    struct addr a;
    struct err err = {0};
    CHECK_OK(addr_parse(slice_str(text), &a, &err), err);
    int fd = socket(a.u.sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool ok = connect(fd, &a.u.sa, a.len) == 0;
    CHECK(ok || errno == ECONNREFUSED);
    close(fd);
    return ok;
}

TEST(http_drain_finishes_what_is_in_work)
{
    struct rig g;
    bool done = false;
    rig_start(&g, NULL, NULL);
    int idle = rig_connect(&g), busy = rig_connect(&g), half = rig_connect(&g);
    rig_send_str(&g, idle, GET_HELLO);
    CHECK(rig_read_until(&g, idle, "hello\n", 30000));
    rig_send_str(&g, busy, "GET /later HTTP/1.1\r\nHost: h\r\n\r\n");
    rig_send_str(&g, half, "GET /hello HTTP/1.1\r\nHo");
    rig_step(&g, 20);
    char addr[64];
    snprintf(addr, sizeof addr, "%s", http_server_addr(g.server, 0));
    CHECK(can_connect(addr));
    http_server_drain(g.server, 10 * CLOCK_NS_PER_S, note, &done);
    CHECK(http_server_draining(g.server));
    CHECK(!can_connect(addr));
    rig_read_end(&g, idle, 30000);
    CHECK(g.closed);
    close(idle);
    rig_send_str(&g, half, "st: h\r\n\r\n");
    rig_read_end(&g, half, 30000);
    CHECK_EQ(200, rig_status(&g));
    CHECK_HAS("Connection: close\r\n", buf_cstr(&g.got));
    close(half);
    rig_step(&g, 50);
    CHECK(!done);
    rig_answer_later(&g);
    rig_read_end(&g, busy, 30000);
    CHECK_EQ(200, rig_status(&g));
    CHECK_HAS("Connection: close\r\n", buf_cstr(&g.got));
    close(busy);
    rig_step(&g, 100);
    CHECK(done);
    CHECK_EQ(0, rig_refused(&g, HTTP_REASON_DRAIN_LATE));
    rig_stop(&g);
}

TEST(http_drain_cuts_off_what_is_late)
{
    struct rig g;
    bool done = false;
    rig_start(&g, NULL, NULL);
    int fd = rig_connect(&g);
    rig_send_str(&g, fd, "GET /later HTTP/1.1\r\nHost: h\r\n\r\n");
    rig_step(&g, 20);
    http_server_drain(g.server, 100 * CLOCK_NS_PER_MS, note, &done);
    rig_read_end(&g, fd, 30000);
    CHECK(g.closed);
    CHECK_EQ(0, g.got.len);
    rig_step(&g, 20);
    CHECK(done);
    CHECK_EQ(1, rig_refused(&g, HTTP_REASON_DRAIN_LATE));
    CHECK_EQ(1, g.later_gone);
    close(fd);
    rig_stop(&g);
}

TEST(http_drain_of_an_idle_server_ends_at_once)
{
    struct rig g;
    bool done = false;
    rig_start(&g, NULL, NULL);
    http_server_drain(g.server, 10 * CLOCK_NS_PER_S, note, &done);
    rig_step(&g, 20);
    CHECK(done);
    rig_stop(&g);
}

/* Clients that ask without pause, each reconnecting when it is told "Connection: close". */
struct load {
    struct addr addr;
    _Atomic uint64_t answered, cut;
};

static bool exchange(int fd, bool *ret_close, bool *ret_began)
{
    char in[1024];
    size_t len = 0;
    *ret_began = false;
    if (send(fd, GET_HELLO, sizeof GET_HELLO - 1, MSG_NOSIGNAL) <= 0) {
        return false;
    }
    while (len < sizeof in - 1) {
        ssize_t n = recv(fd, in + len, sizeof in - 1 - len, 0);
        if (n <= 0) {
            return false;
        }
        *ret_began = true;
        len += (size_t)n;
        in[len] = '\0';
        if (strstr(in, "hello\n") != NULL) {
            *ret_close = strstr(in, "Connection: close") != NULL;
            return true;
        }
    }
    return false;
}

static void *ask_without_pause(void *arg)
{
    struct load *l = arg;
    bool closing = false, began = false;
    for (;;) {
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd < 0 || connect(fd, &l->addr.u.sa, l->addr.len) != 0) {
            close(fd);
            return NULL; /* the listener is gone: drained */
        }
        closing = false;
        bool first = true;
        while (!closing) {
            if (!exchange(fd, &closing, &began)) {
                /* An idle kept connection may be closed under a request; the first one may not. */
                atomic_fetch_add(&l->cut, began || first);
                break;
            }
            first = false;
            atomic_fetch_add(&l->answered, 1);
        }
        close(fd);
    }
}

TEST(http_drain_under_load_loses_no_answer)
{
    enum { CLIENTS = 8 };
    struct rig g;
    struct err err = {0};
    struct load l = {0};
    pthread_t threads[CLIENTS];
    bool done = false;
    rig_start(&g, NULL, NULL);
    CHECK_OK(addr_parse(slice_str(http_server_addr(g.server, 0)), &l.addr, &err), err);
    for (int i = 0; i < CLIENTS; i++) {
        CHECK_EQ(0, pthread_create(&threads[i], NULL, ask_without_pause, &l));
    }
    rig_step(&g, 300);
    for (int i = 0; i < 3000 && atomic_load(&l.answered) <= 100; i++) {
        rig_step(&g, 20);
    }
    http_server_drain(g.server, 30 * CLOCK_NS_PER_S, note, &done);
    for (int i = 0; i < 3000 && !done; i++) {
        rig_step(&g, 20);
    }
    CHECK(done);
    for (int i = 0; i < CLIENTS; i++) {
        pthread_join(threads[i], NULL);
    }
    CHECK(atomic_load(&l.answered) > 100);
    CHECK_EQ(0, rig_refused(&g, HTTP_REASON_DRAIN_LATE));
    CHECK_EQ(0, rig_refused(&g, HTTP_REASON_CLIENT_GONE));
    CHECK_EQ(atomic_load(&l.answered), http_server_stats(g.server).answers[2]);
    /* In the listener's backlog there may be connections nobody has accepted when it closes. */
    CHECK(atomic_load(&l.cut) <= CLIENTS);
    rig_stop(&g);
}
