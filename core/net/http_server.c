/* SPDX-License-Identifier: Apache-2.0
 *
 * See http_server.h: listeners, accepting, the sweep that looks at every connection's deadline a
 * few times per second (a store per request instead of a timer), and drain. Loop thread.
 *
 * Above connections_max a connection is still accepted and told 503, up to a quarter more; beyond
 * that the listeners pause and the kernel's backlog holds the rest.
 */
#include "core/net/http_server.h"

#include "core/base/mem.h"
#include "core/net/http_conn.h"
#include "core/net/loop.h"
#include "core/net/tls.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { ACCEPT_BATCH = 32, RETRY_ACCEPT_MS = 100, SWEEP_MIN_MS = 10, SWEEP_MAX_MS = 500 };

struct http_server_conf http_server_conf_default(void)
{
    return (struct http_server_conf){
        .limits = http_limits_default(),
        .body_max = UINT64_C(16) << 20,
        .buffered_max = UINT64_C(256) << 20,
        .connections_max = 10000,
        .handshake_ms = 10000,
        .idle_ms = 75000,
        .head_ms = 10000,
        .body_ms = 30000,
        .body_min_rate = 1024,
        .write_ms = 30000,
        .linger_ms = 1000,
        .discard_bytes = 256 * 1024,
        .read_ahead = 64 * 1024,
        .high_water = 256 * 1024,
    };
}

void server_count(struct http_server *s, enum http_reason why)
{
    assert((unsigned)why < HTTP_REASON_COUNT);
    STAT_ADD(s, refused[why], 1);
}

const char *server_date(struct http_server *s)
{
    int64_t now = clock_wall(&s->clock) / CLOCK_NS_PER_S;
    if (now != s->date_s) {
        struct tm tm;
        time_t t = (time_t)now;
        s->date_s = now;
        if (gmtime_r(&t, &tm) == NULL ||
            strftime(s->date, sizeof s->date, "%a, %d %b %Y %H:%M:%S GMT", &tm) == 0) {
            s->date[0] = '\0';
        }
    }
    return s->date;
}

static void watch_listeners(struct http_server *s, bool on)
{
    for (size_t i = 0; i < s->listener_count; i++) {
        loop_fd_want(s->listeners[i]->watch, on ? LOOP_READ : 0);
    }
    s->accept_paused = !on;
}

static uint64_t accept_max(const struct http_server *s)
{
    return (uint64_t)s->conf.connections_max + s->conf.connections_max / 4 + 8;
}

/* One accept; false when there is nothing more to do now. */
static bool accept_one(struct http_server *s, struct listener *l)
{
    struct addr peer = {.len = sizeof peer.u};
    if (s->stats.connections >= accept_max(s)) {
        watch_listeners(s, false);
        return false;
    }
    int fd = accept4(l->fd, &peer.u.sa, &peer.len, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
        conn_new(s, l, fd, &peer);
        return true;
    }
    if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
        /* The connection stays in the backlog and the listener readable: without a pause the loop
         * would spin. */
        server_count(s, HTTP_REASON_CONNECTIONS_MANY);
        watch_listeners(s, false);
        loop_timer_set(s->retry_accept, RETRY_ACCEPT_MS * CLOCK_NS_PER_MS);
        return false;
    }
    return errno == EINTR || errno == ECONNABORTED;
}

static void on_accept(void *arg, unsigned what)
{
    struct listener *l = arg;
    (void)what;
    for (int i = 0; i < ACCEPT_BATCH && accept_one(l->server, l); i++) {
    }
}

static void resume_accept(void *arg)
{
    struct http_server *s = arg;
    if (s->accept_paused && s->stats.connections < accept_max(s)) {
        watch_listeners(s, true);
    }
}

static void finish_drain(void *arg)
{
    struct http_server *s = arg;
    void (*fn)(void *) = s->drained;
    s->drained = NULL;
    if (fn != NULL) {
        fn(s->drained_arg);
    }
}

void server_conn_freed(struct http_server *s)
{
    assert(s->stats.connections > 0);
    STAT_ADD(s, connections, -1);
    if (s->accept_paused) {
        loop_timer_set(s->retry_accept, 0);
    }
    if (s->draining && s->stats.connections == 0) {
        loop_timer_set(s->sweep, 0);
    }
}

static void reap(struct http_server *s)
{
    assert(!s->sweeping);
    for (struct http_conn *c = s->conns, *next; c != NULL; c = next) {
        next = c->next;
        if (c->state == CONN_DEAD) {
            conn_reap(c);
        }
    }
}

static void kill_all(struct http_server *s, enum http_reason active_why)
{
    s->sweeping = true;
    for (struct http_conn *c = s->conns; c != NULL; c = c->next) {
        if (c->state == CONN_TAKEN && c->takeover.abort != NULL) {
            server_count(s, active_why);
            c->takeover.abort(c->takeover.arg);
        }
        if (c->state != CONN_DEAD) {
            conn_kill(c, conn_is_active(c) ? active_why : HTTP_REASON_NONE);
        }
    }
    s->sweeping = false;
    reap(s);
}

static int64_t sweep_every_ns(const struct http_server *s)
{
    const struct http_server_conf *f = &s->conf;
    uint32_t least = MIN(MIN(f->handshake_ms, f->idle_ms), MIN(f->head_ms, f->body_ms));
    least = MIN(least, MIN(f->write_ms, f->linger_ms)) / 4;
    return (int64_t)MAX(SWEEP_MIN_MS, MIN(least, SWEEP_MAX_MS)) * CLOCK_NS_PER_MS;
}

static void on_sweep(void *arg)
{
    struct http_server *s = arg;
    int64_t now = loop_now_ns(s->loop);
    if (s->draining && now >= s->drain_deadline_ns) {
        kill_all(s, HTTP_REASON_DRAIN_LATE);
    }
    s->sweeping = true;
    for (struct http_conn *c = s->conns; c != NULL; c = c->next) {
        conn_check_time(c, now);
        if (s->draining && c->state != CONN_TAKEN) {
            conn_drain(c);
        }
    }
    s->sweeping = false;
    reap(s);
    if (s->draining && s->stats.connections == 0) {
        finish_drain(s); /* may free the server */
        return;
    }
    int64_t every = sweep_every_ns(s);
    loop_timer_set(s->sweep, s->draining ? MIN(every, 50 * CLOCK_NS_PER_MS) : every);
}

struct http_server *http_server_new(struct loop *l, const struct http_server_conf *conf)
{
    assert(l != NULL);
    struct http_server *s = MEM_NEW(struct http_server);
    s->loop = l;
    s->conf = conf != NULL ? *conf : http_server_conf_default();
    assert(s->conf.connections_max > 0 && s->conf.read_ahead > 0);
    s->router = http_router_new();
    s->clock = clock_system();
    s->dice = (uint64_t)clock_wall(&s->clock);
    s->sweep = loop_timer_new(l, on_sweep, s);
    s->retry_accept = loop_timer_new(l, resume_accept, s);
    loop_timer_set(s->sweep, sweep_every_ns(s));
    return s;
}

static void close_listeners(struct http_server *s)
{
    for (size_t i = 0; i < s->listener_count; i++) {
        struct listener *l = s->listeners[i];
        loop_fd_free(l->watch);
        close(l->fd);
        if (l->local) {
            unlink(l->addr.u.un.sun_path);
        }
        tls_unref(l->tls);
        mem_free(l);
    }
    mem_free(s->listeners);
    s->listeners = NULL;
    s->listener_count = 0;
    s->accept_paused = false;
}

void http_server_free(struct http_server *s)
{
    if (s == NULL) {
        return;
    }
    server_unpublish(s);
    close_listeners(s);
    kill_all(s, HTTP_REASON_NONE);
    loop_timer_free(s->sweep);
    loop_timer_free(s->retry_accept);
    http_router_free(s->router);
    mem_free(s);
}

struct http_router *http_server_router(struct http_server *s)
{
    return s->router;
}

struct loop *http_server_loop(struct http_server *s)
{
    return s->loop;
}

int http_server_listen(struct http_server *s, const struct http_listen *listen, struct err *reterr)
{
    assert(s != NULL && listen != NULL && !s->draining);
    struct addr where;
    int fd;
    int rc = addr_parse(slice_str(listen->addr), &where, reterr);
    if (rc != 0) {
        return rc;
    }
    const struct addr_listen_opts opts = {listen->reuseport, listen->backlog, listen->unix_mode};
    rc = addr_listen(&where, &opts, &fd, reterr);
    if (rc != 0) {
        return rc;
    }
    struct listener *l = MEM_NEW(struct listener);
    l->server = s;
    l->fd = fd;
    l->local = where.u.sa.sa_family == AF_UNIX;
    l->addr = l->local ? where : addr_of_fd(fd);
    l->tls = listen->tls != NULL ? tls_ref(listen->tls) : NULL;
    addr_text(&l->addr, l->text);
    l->watch = loop_fd_new(s->loop, fd, LOOP_READ, on_accept, l);
    s->listeners = mem_realloc(s->listeners, (s->listener_count + 1) * sizeof(struct listener *));
    s->listeners[s->listener_count++] = l;
    return 0;
}

const char *http_server_addr(const struct http_server *s, size_t i)
{
    return i < s->listener_count ? s->listeners[i]->text : NULL;
}

uint16_t http_server_port(const struct http_server *s, size_t i)
{
    return i < s->listener_count ? addr_port(&s->listeners[i]->addr) : 0;
}

void http_server_drain(struct http_server *s, int64_t deadline_ns, void (*fn)(void *arg), void *arg)
{
    assert(s != NULL && deadline_ns >= 0);
    if (s->draining) {
        return;
    }
    close_listeners(s);
    s->draining = true;
    s->drain_deadline_ns = loop_now_ns(s->loop) + deadline_ns;
    s->drained = fn;
    s->drained_arg = arg;
    s->sweeping = true;
    for (struct http_conn *c = s->conns; c != NULL; c = c->next) {
        conn_drain(c);
    }
    s->sweeping = false;
    reap(s);
    loop_timer_set(s->sweep, 0);
}

bool http_server_draining(const struct http_server *s)
{
    return s->draining;
}

void http_server_on_h2(struct http_server *s,
                       struct http_takeover (*fn)(void *arg, struct http_conn *c,
                                                  struct bufferevent *bev),
                       void *arg)
{
    s->on_h2 = fn;
    s->h2_arg = arg;
}
