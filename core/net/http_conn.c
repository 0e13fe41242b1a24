/* SPDX-License-Identifier: Apache-2.0
 *
 * The state machine of one connection of the server (see http_conn.h). conn_pump runs steps until
 * one cannot go on: input is missing, the handler has paused, or too much is unsent. Answers made
 * meanwhile gather in `out` and leave with one system call: directly if the socket has nothing
 * queued (that saves two epoll_ctl for each answer), else through the bufferevent. Loop thread.
 */
#include "core/net/http_conn.h"

#include "core/base/mem.h"
#include "core/net/loop.h"
#include "core/net/tls.h"

#include <assert.h>
#include <errno.h>
#include <event2/bufferevent_ssl.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

enum { TLS_RECORD_HANDSHAKE = 0x16 };
enum { DRAIN_FRESH_MS = 300 /* who has just connected is about to ask */ };

static const char h2_preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

static void set_state(struct http_conn *c, enum conn_state state)
{
    bool was = conn_is_active(c);
    c->state = state;
    c->since_ns = loop_now_ns(c->server->loop);
    bool is = conn_is_active(c);
    STAT_ADD(c->server, active, (uint64_t)is - (uint64_t)was);
}

bool conn_is_active(const struct http_conn *c)
{
    return c->state == CONN_BODY || c->state == CONN_REPLY;
}

static struct evbuffer *conn_input(const struct http_conn *c)
{
    return bufferevent_get_input(c->bev);
}

size_t conn_unsent(const struct http_conn *c)
{
    return evbuffer_get_length(c->out) + evbuffer_get_length(bufferevent_get_output(c->bev));
}

void conn_flush(struct http_conn *c)
{
    size_t n = evbuffer_get_length(c->out);
    if (n == 0 || c->state == CONN_DEAD) {
        return;
    }
    if (c->broken) {
        evbuffer_drain(c->out, n);
        return;
    }
    STAT_ADD(c->server, out_bytes, n);
    if (c->ssl == NULL && evbuffer_get_length(bufferevent_get_output(c->bev)) == 0) {
        int put = evbuffer_write(c->out, bufferevent_getfd(c->bev));
        if (put < 0 && errno != EAGAIN && errno != EINTR) {
            c->broken = true;
            evbuffer_drain(c->out, evbuffer_get_length(c->out));
            bufferevent_trigger_event(c->bev, BEV_EVENT_ERROR | BEV_EVENT_WRITING,
                                      BEV_TRIG_DEFER_CALLBACKS);
            return;
        }
    }
    if (evbuffer_get_length(c->out) > 0) {
        bufferevent_write_buffer(c->bev, c->out);
    }
}

/* Marks it dead and tells a request in work; conn_pump or conn_drop frees it. */
static void conn_bury(struct http_conn *c, enum http_reason why)
{
    if (c->state == CONN_DEAD) {
        return;
    }
    if (why != HTTP_REASON_NONE) {
        server_count(c->server, why);
    }
    set_state(c, CONN_DEAD);
    struct http_req *r = c->req;
    if (r != NULL) {
        c->req = NULL;
        req_detach(r, r->reply != REPLY_ENDED);
    }
}

void conn_kill(struct http_conn *c, enum http_reason why)
{
    conn_bury(c, why);
    if (!c->pumping) {
        conn_reap(c);
    }
}

void conn_reap(struct http_conn *c)
{
    struct http_server *s = c->server;
    assert(c->state == CONN_DEAD && !c->pumping && c->req == NULL);
    if (s->sweeping) {
        return; /* somebody walks the list: he reaps the dead when he is done */
    }
    *(c->prev != NULL ? &c->prev->next : &s->conns) = c->next;
    if (c->next != NULL) {
        c->next->prev = c->prev;
    }
    if (c->bev != NULL) {
        bufferevent_free(c->bev);
    }
    evbuffer_free(c->out);
    buf_done(&c->extra);
    http_parser_done(&c->parser);
    mem_free(c);
    server_conn_freed(s);
}

/* Everything is said: send what is left, then close. linger: bytes may still be coming, and closing
 * over them would make the kernel reset the connection and destroy the answer on its way. */
static void begin_close(struct http_conn *c, bool linger)
{
    if (c->state != CONN_FLUSH && c->state != CONN_DEAD) {
        c->linger = linger;
        c->closing = true;
        set_state(c, CONN_FLUSH);
    }
}

static void finish_close(struct http_conn *c)
{
    if (!c->linger || c->eof || c->broken) {
        conn_bury(c, HTTP_REASON_NONE);
        return;
    }
    if (c->ssl != NULL) {
        tls_goodbye(c->ssl);
    }
    shutdown(bufferevent_getfd(c->bev), SHUT_WR);
    set_state(c, CONN_LINGER);
    evbuffer_drain(conn_input(c), evbuffer_get_length(conn_input(c)));
}

void conn_refuse(struct http_conn *c, enum http_reason why)
{
    struct http_req *r = c->req;
    if (r != NULL && r->reply != REPLY_NONE) {
        conn_bury(c, why); /* half an answer is out already: only cutting it off is honest */
        return;
    }
    server_count(c->server, why);
    reply_refusal(c, why);
    begin_close(c, true);
    if (r != NULL) {
        c->req = NULL;
        req_detach(r, true);
    }
}

static void finish_exchange(struct http_conn *c)
{
    struct http_req *r = c->req;
    assert(r != NULL && r->reply == REPLY_ENDED && r->body_done);
    c->req = NULL;
    c->served++;
    server_timed(c->server, r->born_ns);
    if (c->closing) {
        begin_close(c, evbuffer_get_length(conn_input(c)) > 0);
    } else {
        http_parser_next(&c->parser);
        set_state(c, CONN_IDLE);
    }
    req_detach(r, false);
}

/* The answer has ended before the body did: what is left of the body is dropped, up to a point. */
static bool discard(struct http_conn *c, size_t n)
{
    c->discarded += n;
    if (c->closing || c->discarded > c->server->conf.discard_bytes) {
        struct http_req *r = c->req;
        c->req = NULL;
        begin_close(c, true);
        req_detach(r, false);
        return false;
    }
    return true;
}

static void dispatch(struct http_conn *c)
{
    struct http_server *s = c->server;
    const struct http_head *h = &c->parser.head;
    struct http_match m = http_router_match(s->router, h->path, h->method);
    struct http_req *r = req_new(c);
    c->req = r;
    set_state(c, CONN_BODY);
    r->born_ns = c->since_ns;
    c->discarded = 0;
    bool any = slice_eq(h->path, SLICE("*"));
    if (m.route == NULL) {
        char allow[HTTP_ALLOW_BYTES];
        http_allow_text(any ? (1u << HTTP_METHOD_COUNT) - 1 : m.allowed, allow);
        if (m.allowed != 0 || any) {
            http_reply_field(r, "Allow", slice_str(allow));
        }
        if (h->method == HTTP_OPTIONS && (m.allowed != 0 || any)) {
            http_reply(r, 204, NULL, SLICE_NONE);
        } else {
            http_problem_reason(r,
                                m.allowed != 0 ? HTTP_REASON_METHOD_DENIED : HTTP_REASON_NOT_FOUND);
        }
        return;
    }
    r->route = m.route;
    r->tail = m.tail;
    c->parser.body_max = m.route->body_max > 0 ? m.route->body_max : s->conf.body_max;
    if (h->has_length && h->length > c->parser.body_max) {
        conn_refuse(c, HTTP_REASON_BODY_LARGE);
        return;
    }
    if ((m.route->flags & HTTP_ROUTE_BODY) != 0 && !h->has_length && !h->chunked) {
        conn_refuse(c, HTTP_REASON_LENGTH_NEEDED);
        return;
    }
    http_req_ref(r);
    m.route->fn(r, m.arg);
    if (r->reply == REPLY_NONE && !r->taken && !r->collecting && r->refs == 2 && r->conn != NULL) {
        http_problem_reason(r, HTTP_REASON_NO_REPLY);
    }
    http_req_unref(r);
}

static void head_done(struct http_conn *c)
{
    struct http_server *s = c->server;
    STAT_ADD(s, requests, 1);
    if (c->surplus) {
        conn_refuse(c, HTTP_REASON_CONNECTIONS_MANY);
        return;
    }
    dispatch(c);
}

/* One piece of input through the parser. The bytes are taken off the input only after they were
 * handed on: part points into them. */
static enum http_step feed(struct http_conn *c, size_t *ret_used, struct slice *ret_part)
{
    struct evbuffer_iovec v = {0};
    struct slice in = SLICE_NONE;
    if (evbuffer_peek(conn_input(c), -1, NULL, &v, 1) > 0) {
        in = slice_of(v.iov_base, v.iov_len);
    }
    enum http_step step = http_parse(&c->parser, in, ret_used, ret_part);
    STAT_ADD(c->server, in_bytes, *ret_used);
    return step;
}

static void swallow(struct http_conn *c, size_t n)
{
    if (n > 0) {
        evbuffer_drain(conn_input(c), n);
    }
}

/* A first line that is nothing at all, where HTTP/2 is spoken as well: an answer in HTTP/1 would
 * only confuse a client whose preface is wrong. */
static bool is_noise(const struct http_conn *c)
{
    enum http_reason why = c->parser.reason;
    return c->server->on_h2 != NULL && c->served == 0 &&
           (why == HTTP_REASON_LINE_BAD || why == HTTP_REASON_METHOD_UNKNOWN ||
            why == HTTP_REASON_TARGET_BAD || why == HTTP_REASON_VERSION_OTHER);
}

/* The first bytes: HTTP/2, TLS where none is spoken, or HTTP/1. */
static bool step_sniff(struct http_conn *c)
{
    size_t have = evbuffer_get_length(conn_input(c));
    uint8_t first[sizeof h2_preface - 1];
    size_t n = MIN(have, sizeof first);
    evbuffer_copyout(conn_input(c), first, n);
    if (n == 0) {
        if (c->eof) {
            conn_bury(c, HTTP_REASON_NONE);
        }
        return false;
    }
    if (first[0] == TLS_RECORD_HANDSHAKE && c->ssl == NULL) {
        conn_refuse(c, HTTP_REASON_TLS_ON_PLAIN);
        return true;
    }
    if (memcmp(first, h2_preface, n) != 0) {
        set_state(c, CONN_HEAD);
        return true;
    }
    if (n < sizeof first && !c->eof) {
        return false;
    }
    if (c->server->on_h2 == NULL || c->surplus || c->eof) {
        conn_refuse(c, HTTP_REASON_H2_REFUSED);
        return true;
    }
    set_state(c, CONN_TAKEN);
    c->takeover = c->server->on_h2(c->server->h2_arg, c, c->bev);
    return false;
}

static bool step_idle(struct http_conn *c)
{
    if (evbuffer_get_length(conn_input(c)) > 0) {
        set_state(c, CONN_HEAD);
        return true;
    }
    if (c->eof) {
        begin_close(c, false);
        return true;
    }
    return false;
}

static bool step_head(struct http_conn *c)
{
    size_t used;
    struct slice part;
    if (conn_unsent(c) > c->server->conf.high_water) {
        return false; /* on_write goes on */
    }
    enum http_step step = feed(c, &used, &part);
    swallow(c, used);
    switch (step) {
    case HTTP_STEP_HEAD: head_done(c); return true;
    case HTTP_STEP_FAILED:
        if (is_noise(c)) {
            conn_bury(c, c->parser.reason);
            return false;
        }
        conn_refuse(c, c->parser.reason);
        return true;
    case HTTP_STEP_MORE:
        if (evbuffer_get_length(conn_input(c)) > 0) {
            return true;
        }
        if (c->eof) {
            conn_bury(c, c->parser.began ? HTTP_REASON_CLIENT_GONE : HTTP_REASON_NONE);
        }
        return false;
    case HTTP_STEP_BODY:
    case HTTP_STEP_END: break;
    }
    assert(false && "a head ends with HEAD");
    return false;
}

static void say_continue(struct http_conn *c)
{
    struct http_req *r = c->req;
    if (c->parser.head.expect_continue && !r->continued && r->reply == REPLY_NONE) {
        r->continued = true;
        if (evbuffer_get_length(conn_input(c)) == 0) {
            reply_raw(c, SLICE("HTTP/1.1 100 Continue\r\n\r\n"));
        }
    }
}

static void hand_part(struct http_conn *c, struct slice part)
{
    struct http_req *r = c->req;
    if (r->reply == REPLY_ENDED) {
        discard(c, part.len);
        return;
    }
    enum http_reason why = req_body_part(r, part);
    if (why != HTTP_REASON_NONE && c->req == r) {
        conn_refuse(c, why);
    }
}

static bool step_body(struct http_conn *c)
{
    struct http_req *r = c->req;
    size_t used;
    struct slice part;
    if (r->paused && r->reply != REPLY_ENDED) {
        return false;
    }
    if (r->reply == REPLY_ENDED && c->closing && !r->body_done) {
        /* Announced with the answer: the rest of the body is not read. A body that happens to be
         * complete already is no reason to linger. */
        enum http_step step = feed(c, &used, &part);
        swallow(c, used);
        if (step != HTTP_STEP_END) {
            discard(c, 0);
            return true;
        }
        r->body_done = true;
        set_state(c, CONN_REPLY);
        return true;
    }
    enum http_step step = feed(c, &used, &part);
    switch (step) {
    case HTTP_STEP_BODY: hand_part(c, part); break;
    case HTTP_STEP_END:
        r->body_done = true;
        set_state(c, CONN_REPLY);
        req_body_end(r);
        break;
    case HTTP_STEP_FAILED: conn_refuse(c, c->parser.reason); break;
    case HTTP_STEP_MORE: say_continue(c); break;
    case HTTP_STEP_HEAD: assert(false && "a body is no head"); break;
    }
    if (c->state != CONN_DEAD) {
        swallow(c, used);
    }
    if (step != HTTP_STEP_MORE || evbuffer_get_length(conn_input(c)) > 0) {
        return true;
    }
    if (c->eof) {
        conn_bury(c, HTTP_REASON_CLIENT_GONE);
    }
    return false;
}

static bool step_reply(struct http_conn *c)
{
    if (c->req->reply != REPLY_ENDED) {
        if (c->eof) {
            conn_bury(c, HTTP_REASON_CLIENT_GONE);
        }
        return false;
    }
    finish_exchange(c);
    return true;
}

static bool step(struct http_conn *c)
{
    switch (c->state) {
    case CONN_HANDSHAKE: return false;
    case CONN_SNIFF: return step_sniff(c);
    case CONN_IDLE: return step_idle(c);
    case CONN_HEAD: return step_head(c);
    case CONN_BODY: return step_body(c);
    case CONN_REPLY: return step_reply(c);
    case CONN_FLUSH:
        conn_flush(c);
        if (conn_unsent(c) == 0) {
            finish_close(c);
        }
        return false;
    case CONN_LINGER: swallow(c, evbuffer_get_length(conn_input(c))); return false;
    case CONN_TAKEN:
    case CONN_DEAD: return false;
    }
    return false;
}

/* Reading stops while enough waits unconsumed. Not by libevent's watermark: one that stays reached
 * makes it call back in every round of the loop. */
static void steer_reading(struct http_conn *c)
{
    bool want = !c->eof && evbuffer_get_length(conn_input(c)) < c->server->conf.read_ahead;
    if (want != c->reading && c->state != CONN_TAKEN && c->state != CONN_DEAD) {
        c->reading = want;
        if (want) {
            bufferevent_enable(c->bev, EV_READ);
        } else {
            bufferevent_disable(c->bev, EV_READ);
        }
    }
}

void conn_pump(struct http_conn *c)
{
    assert(!c->pumping);
    c->pumping = true;
    while (step(c)) {
    }
    conn_flush(c);
    steer_reading(c);
    c->pumping = false;
    if (c->state == CONN_DEAD) {
        conn_reap(c);
    }
}

void conn_touch(struct http_conn *c)
{
    if (!c->pumping) {
        conn_pump(c);
    }
}

static void on_read(struct bufferevent *bev, void *arg)
{
    (void)bev;
    conn_touch(arg);
}

/* Called when the bufferevent's output has become empty. */
static void on_write(struct bufferevent *bev, void *arg)
{
    struct http_conn *c = arg;
    (void)bev;
    if (c->req != NULL && c->req->full && !c->broken) {
        c->pumping = true;
        req_drained(c->req);
        c->pumping = false;
    }
    conn_touch(c);
}

static void on_gone(struct http_conn *c)
{
    c->eof = true;
    switch (c->state) {
    case CONN_HANDSHAKE: conn_kill(c, HTTP_REASON_HANDSHAKE_BAD); break;
    case CONN_BODY:
        if (evbuffer_get_length(conn_input(c)) > 0 && !c->req->paused) {
            conn_touch(c);
            break;
        }
        conn_kill(c, HTTP_REASON_CLIENT_GONE);
        break;
    case CONN_REPLY: conn_kill(c, HTTP_REASON_CLIENT_GONE); break;
    case CONN_LINGER: conn_kill(c, HTTP_REASON_NONE); break;
    case CONN_SNIFF:
    case CONN_IDLE:
    case CONN_HEAD:
    case CONN_FLUSH: conn_touch(c); break;
    case CONN_TAKEN:
    case CONN_DEAD: break;
    }
}

static void on_event(struct bufferevent *bev, short what, void *arg)
{
    struct http_conn *c = arg;
    (void)bev;
    if ((what & BEV_EVENT_CONNECTED) != 0) {
        set_state(c, CONN_SNIFF);
        conn_touch(c);
    } else if ((what & BEV_EVENT_ERROR) != 0) {
        c->broken = c->eof = true;
        bool asked = c->state == CONN_HEAD && c->parser.began;
        conn_kill(c, c->state == CONN_HANDSHAKE   ? HTTP_REASON_HANDSHAKE_BAD
                     : conn_is_active(c) || asked ? HTTP_REASON_CLIENT_GONE
                                                  : HTTP_REASON_NONE);
    } else if ((what & BEV_EVENT_EOF) != 0) {
        on_gone(c);
    }
}

void conn_new(struct http_server *s, struct listener *l, int fd, const struct addr *peer)
{
    struct http_conn *c = MEM_NEW(struct http_conn);
    c->server = s;
    c->peer = *peer;
    c->next = s->conns;
    if (s->conns != NULL) {
        s->conns->prev = c;
    }
    s->conns = c;
    STAT_ADD(s, accepted, 1);
    STAT_ADD(s, connections, 1);
    c->surplus = s->stats.connections > s->conf.connections_max;
    c->born_ns = loop_now_ns(s->loop);
    c->old_at_ns = INT64_MAX;
    if (s->conf.age_max_ms > 0) {
        s->dice = s->dice * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        int64_t age = (int64_t)s->conf.age_max_ms * CLOCK_NS_PER_MS;
        c->old_at_ns =
            c->born_ns + age / 10 * 9 + (int64_t)((s->dice >> 33) % (uint64_t)(age / 5 + 1));
    }
    http_parser_init(&c->parser, &s->conf.limits, HTTP_PARSE_REQUESTS);
    buf_init(&c->extra, s->conf.limits.head_bytes);
    c->out = evbuffer_new();
    struct event_base *base = loop_base(s->loop);
    if (l->tls != NULL) {
        c->ssl = tls_accept(l->tls);
        c->bev = bufferevent_openssl_socket_new(base, fd, c->ssl, BUFFEREVENT_SSL_ACCEPTING,
                                                BEV_OPT_CLOSE_ON_FREE);
        bufferevent_openssl_set_allow_dirty_shutdown(c->bev, 1);
    } else {
        c->bev = bufferevent_socket_new(base, fd, BEV_OPT_CLOSE_ON_FREE);
    }
    assert(c->bev != NULL && c->out != NULL);
    set_state(c, l->tls != NULL ? CONN_HANDSHAKE : CONN_SNIFF);
    bufferevent_setcb(c->bev, on_read, on_write, on_event, c);
    bufferevent_set_max_single_read(c->bev, s->conf.read_ahead);
    bufferevent_enable(c->bev, EV_READ | EV_WRITE);
    c->reading = true;
}

/* When the client's time is up in this state; INT64_MAX if it has no duty now. */
static int64_t deadline(const struct http_conn *c)
{
    const struct http_server_conf *f = &c->server->conf;
    uint64_t ms = 0;
    switch (c->state) {
    case CONN_HANDSHAKE: ms = f->handshake_ms; break;
    case CONN_SNIFF:
    case CONN_HEAD: ms = f->head_ms; break;
    case CONN_IDLE: ms = f->idle_ms; break;
    case CONN_LINGER: ms = f->linger_ms; break;
    case CONN_BODY:
        if (c->req->paused) {
            return INT64_MAX;
        }
        ms = f->body_ms +
             (f->body_min_rate > 0 ? c->parser.body_bytes * 1000 / f->body_min_rate : 0);
        break;
    case CONN_REPLY:
    case CONN_FLUSH:
    case CONN_TAKEN:
    case CONN_DEAD: return INT64_MAX;
    }
    return c->since_ns + (int64_t)ms * CLOCK_NS_PER_MS;
}

/* A client that does not read: the same number of bytes unsent for write_ms. */
static bool is_stuck(struct http_conn *c, int64_t now_ns)
{
    size_t unsent = conn_unsent(c);
    if (unsent == 0 || unsent != c->unsent_seen) {
        c->unsent_seen = unsent;
        c->unsent_since_ns = now_ns;
        return false;
    }
    return now_ns - c->unsent_since_ns >= (int64_t)c->server->conf.write_ms * CLOCK_NS_PER_MS;
}

void conn_check_time(struct http_conn *c, int64_t now_ns)
{
    if (c->state == CONN_TAKEN || c->state == CONN_DEAD) {
        return;
    }
    if (is_stuck(c, now_ns)) {
        conn_kill(c, HTTP_REASON_REPLY_SLOW);
        return;
    }
    if (now_ns < deadline(c)) {
        return;
    }
    switch (c->state) {
    case CONN_HANDSHAKE: conn_kill(c, HTTP_REASON_HANDSHAKE_SLOW); return;
    case CONN_IDLE:
        server_count(c->server, HTTP_REASON_IDLE);
        conn_drain(c);
        return;
    case CONN_SNIFF:
        if (evbuffer_get_length(conn_input(c)) == 0) {
            conn_kill(c, HTTP_REASON_IDLE);
            return;
        }
        conn_refuse(c, HTTP_REASON_HEAD_SLOW);
        break;
    case CONN_HEAD: conn_refuse(c, HTTP_REASON_HEAD_SLOW); break;
    case CONN_BODY: conn_refuse(c, HTTP_REASON_BODY_SLOW); break;
    default: conn_kill(c, HTTP_REASON_NONE); return;
    }
    conn_touch(c);
}

/* Is a request on its way that we have not looked at? Asked before an idle connection is closed,
 * for closing over it would lose it. */
static bool has_bytes_waiting(const struct http_conn *c)
{
    char byte;
    return evbuffer_get_length(conn_input(c)) > 0 ||
           recv(bufferevent_getfd(c->bev), &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

void conn_drain(struct http_conn *c)
{
    if (c->state == CONN_TAKEN) {
        if (c->takeover.drain != NULL) {
            c->takeover.drain(c->takeover.arg);
        }
        return;
    }
    bool fresh = c->state == CONN_SNIFF &&
                 loop_now_ns(c->server->loop) - c->since_ns >= DRAIN_FRESH_MS * CLOCK_NS_PER_MS;
    if ((fresh || c->state == CONN_IDLE) && !c->pumping && !has_bytes_waiting(c)) {
        begin_close(c, true);
        conn_touch(c);
    }
}

void http_conn_release(struct http_conn *c)
{
    assert(c != NULL && c->state == CONN_TAKEN);
    conn_kill(c, HTTP_REASON_NONE);
}
