/* SPDX-License-Identifier: Apache-2.0
 *
 * One connection of the client (http_call.h): look the name up, try its addresses in turn, shake
 * hands, send the request, read the answer, then wait for the next call or end. Nothing here calls
 * a user's function from within http_call_start: what fails at once is told by the timer. Loop
 * thread.
 */
#include "core/base/clock.h"
#include "core/base/mem.h"
#include "core/net/http_call.h"
#include "core/net/loop.h"
#include "core/net/tls.h"

#include <assert.h>
#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <unistd.h>

enum outcome { OUTCOME_NONE = 0, OUTCOME_COMPLETE, OUTCOME_FAILED };
enum { INTERIM_MAX = 16 /* answers of status 1xx before the real one */ };

static void connect_next(struct http_link *k);
static void pump(struct http_link *k);

static struct evbuffer *input(const struct http_link *k)
{
    return bufferevent_get_input(k->bev);
}

size_t http_link_unsent(const struct http_link *k)
{
    return k->bev != NULL ? evbuffer_get_length(bufferevent_get_output(k->bev)) : 0;
}

static void drop_attempt(struct http_link *k)
{
    loop_fd_free(k->watch);
    k->watch = NULL;
    if (k->fd >= 0) {
        close(k->fd);
        k->fd = -1;
    }
}

void http_link_free(struct http_link *k)
{
    struct origin *o = k->origin;
    assert(!k->busy && k->call == NULL);
    struct http_link **at = &o->links;
    while (*at != k) {
        at = &(*at)->next;
    }
    *at = k->next;
    o->link_count--;
    o->client->stats.open--;
    resolve_cancel(k->resolve);
    drop_attempt(k);
    if (k->bev != NULL) {
        bufferevent_free(k->bev);
    }
    loop_timer_free(k->timer);
    http_parser_done(&k->parser);
    mem_free(k);
}

/* Frees it now, or on the way out of pump. */
static void bury(struct http_link *k)
{
    k->state = LINK_DEAD;
    if (!k->busy) {
        http_link_free(k);
    }
}

static struct http_call *detach(struct http_link *k)
{
    struct http_call *call = k->call;
    k->call = NULL;
    call->link = NULL;
    return call;
}

void http_link_drop_call(struct http_link *k)
{
    detach(k);
    bury(k);
}

static void fail(struct http_link *k, const struct err *err)
{
    struct err copy = *err;
    bool stale = k->served > 0 && !k->parser.began && copy.code == ERR_CLOSED;
    struct http_call *call = detach(k);
    assert(!k->busy);
    http_link_free(k);
    http_call_link_lost(call, stale, &copy);
}

static void set_timer(struct http_link *k, uint32_t ms)
{
    loop_timer_set(k->timer, (int64_t)ms * CLOCK_NS_PER_MS);
}

static uint32_t time_left_ms(const struct http_link *k)
{
    int64_t left = k->deadline_ns - loop_now_ns(k->origin->client->loop);
    return (uint32_t)(MAX(left, 0) / CLOCK_NS_PER_MS);
}

/* Kept long enough; or an address had its share of the time; or all is over: failed (no socket,
 * err says why) or late. */
static void on_timer(void *arg)
{
    struct http_link *k = arg;
    struct origin *o = k->origin;
    if (k->state == LINK_IDLE) {
        http_link_free(k);
        http_origin_next(o);
        return;
    }
    if (k->fd >= 0 && k->addr_next < k->addr_count) {
        drop_attempt(k);
        connect_next(k);
        return;
    }
    if (k->err.code == ERR_OK || k->state != LINK_CONNECTING || k->fd >= 0) {
        err_set(&k->err, ERR_TIMEOUT, "%s: no connection within %u ms", o->host,
                o->client->conf.connect_ms);
    }
    err_flags(&k->err, ERR_FLAG_RETRY);
    fail(k, &k->err);
}

/* From the next round of the loop. */
static void fail_soon(struct http_link *k)
{
    k->state = LINK_CONNECTING;
    k->addr_next = k->addr_count;
    set_timer(k, 0);
}

static void begin_call(struct http_link *k)
{
    struct http_call *call = k->call;
    k->state = LINK_BUSY;
    loop_timer_cancel(k->timer);
    k->parser.answers_head = call->method == HTTP_HEAD;
    k->parser.body_max = call->answer_max;
    k->interim = 0;
    bufferevent_write(k->bev, call->head.ptr, call->head.len);
    if (call->body.len > 0) {
        bufferevent_write(k->bev, call->body.ptr, call->body.len);
    }
    call->sent = true;
    http_call_touch(call);
    if (call->stream) {
        buf_clear(&call->body);
        if (call->stream_ended) {
            http_link_end_stream(k);
        }
    }
    http_link_steer_reading(k);
}

void http_link_assign(struct http_link *k, struct http_call *call)
{
    assert(k->state == LINK_IDLE && k->call == NULL);
    k->call = call;
    call->link = k;
    begin_call(k);
}

bool http_link_write(struct http_link *k, struct slice part)
{
    assert(k->state == LINK_BUSY);
    if (k->deaf) {
        return false; /* its answer or its end is on the way */
    }
    if (part.len > 0) {
        evbuffer_add_printf(bufferevent_get_output(k->bev), "%zx\r\n", part.len);
        bufferevent_write(k->bev, part.ptr, part.len);
        bufferevent_write(k->bev, "\r\n", 2);
    }
    return http_link_unsent(k) <= k->origin->client->conf.high_water;
}

void http_link_end_stream(struct http_link *k)
{
    if (!k->deaf) {
        bufferevent_write(k->bev, "0\r\n\r\n", 5);
    }
}

void http_link_steer_reading(struct http_link *k)
{
    if (k->bev == NULL || k->state == LINK_HANDSHAKE || k->state == LINK_DEAD) {
        return;
    }
    if (k->call != NULL && k->call->paused) {
        bufferevent_disable(k->bev, EV_READ);
        return;
    }
    if (!k->eof) {
        bufferevent_enable(k->bev, EV_READ);
    }
    if (!k->busy && k->call != NULL && (k->eof || evbuffer_get_length(input(k)) > 0)) {
        bufferevent_trigger(k->bev, EV_READ, BEV_TRIG_DEFER_CALLBACKS | BEV_TRIG_IGNORE_WATERMARKS);
    }
}

static void on_read(struct bufferevent *bev, void *arg)
{
    (void)bev;
    pump(arg);
}

/* The output is empty. */
static void on_write(struct bufferevent *bev, void *arg)
{
    struct http_link *k = arg;
    struct http_call *call = k->call;
    (void)bev;
    if (call != NULL && k->state == LINK_BUSY) {
        http_call_touch(call);
        if (call->full && !call->stream_ended && call->ops->writable != NULL) {
            call->full = false;
            k->busy = true;
            call->ops->writable(call, call->arg);
            k->busy = false;
            if (k->state == LINK_DEAD) {
                struct origin *o = k->origin;
                http_link_free(k);
                http_origin_next(o);
            }
        }
    }
}

/* Not believing each other is for people to repair; an end in the middle is worth another try. */
static void tls_failed(struct http_link *k, const char *what, unsigned long code)
{
    char why[200];
    struct err err = {0};
    bool told = tls_error_text(k->ssl, code, why, sizeof why);
    err_set(&err, told ? ERR_DENIED : ERR_CLOSED, "TLS %s %s: %s", what, k->origin->host, why);
    if (!told) {
        err_flags(&err, ERR_FLAG_RETRY);
    }
    fail(k, &err);
}

static void on_broken(struct http_link *k, short what)
{
    struct err err = {0};
    int saved = errno;
    unsigned long tls_code = k->ssl != NULL ? bufferevent_get_openssl_error(k->bev) : 0;
    if (k->state == LINK_IDLE) {
        struct origin *o = k->origin;
        http_link_free(k);
        http_origin_next(o);
    } else if (k->state == LINK_HANDSHAKE) {
        tls_failed(k, "handshake with", tls_code);
    } else if ((what & BEV_EVENT_EOF) != 0) {
        k->eof = true;
        pump(k);
    } else if ((what & BEV_EVENT_WRITING) != 0 && k->ssl == NULL && !k->deaf) {
        /* It does not listen any more, but may have said why: read on, to the end. */
        k->deaf = true;
        evbuffer_drain(bufferevent_get_output(k->bev), http_link_unsent(k));
        http_link_steer_reading(k);
    } else if (tls_code != 0) { /* TLS 1.3: a server may refuse our certificate after the fact */
        tls_failed(k, "connection to", tls_code);
    } else {
        err_set(&err, ERR_CLOSED, "connection to %s: %s", k->origin->host, strerror(saved));
        err_flags(&err, ERR_FLAG_RETRY);
        fail(k, &err);
    }
}

static void on_event(struct bufferevent *bev, short what, void *arg)
{
    struct http_link *k = arg;
    (void)bev;
    if ((what & BEV_EVENT_CONNECTED) != 0) {
        begin_call(k);
    } else if ((what & (BEV_EVENT_EOF | BEV_EVENT_ERROR)) != 0) {
        on_broken(k, what);
    }
}

static void on_connected(struct http_link *k)
{
    struct origin *o = k->origin;
    struct event_base *base = loop_base(o->client->loop);
    int fd = k->fd;
    k->fd = -1; /* the bufferevent's from here on */
    drop_attempt(k);
    set_timer(k, time_left_ms(k));
    o->client->stats.connected++;
    if (o->tls != NULL) {
        k->ssl = tls_connect(o->tls, o->host);
        k->bev = bufferevent_openssl_socket_new(base, fd, k->ssl, BUFFEREVENT_SSL_CONNECTING,
                                                BEV_OPT_CLOSE_ON_FREE);
        bufferevent_openssl_set_allow_dirty_shutdown(k->bev, 1);
        k->state = LINK_HANDSHAKE;
    } else {
        k->bev = bufferevent_socket_new(base, fd, BEV_OPT_CLOSE_ON_FREE);
    }
    assert(k->bev != NULL);
    bufferevent_setcb(k->bev, on_read, on_write, on_event, k);
    bufferevent_enable(k->bev, EV_READ | EV_WRITE);
    if (o->tls == NULL) {
        begin_call(k);
    }
}

static void on_connectable(void *arg, unsigned what)
{
    struct http_link *k = arg;
    int error = 0;
    socklen_t len = sizeof error;
    (void)what;
    if (getsockopt(k->fd, SOL_SOCKET, SO_ERROR, &error, &len) == 0 && error == 0) {
        on_connected(k);
        return;
    }
    char text[ADDR_TEXT_BYTES];
    err_set(&k->err, ERR_UNAVAILABLE, "connect to %s (%s): %s", k->origin->host,
            addr_text(&k->addrs[k->addr_next - 1], text), strerror(error));
    drop_attempt(k);
    connect_next(k);
}

/* One attempt: true if it is under way or done. */
static bool try_address(struct http_link *k, const struct addr *a)
{
    char text[ADDR_TEXT_BYTES];
    int one = 1;
    k->fd = socket(a->u.sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (k->fd >= 0 && a->u.sa.sa_family != AF_UNIX) {
        int rc = setsockopt(k->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        (void)rc;
    }
    if (k->fd >= 0 && connect(k->fd, &a->u.sa, a->len) == 0) {
        on_connected(k);
        return true;
    }
    if (k->fd >= 0 && errno == EINPROGRESS) {
        k->watch = loop_fd_new(k->origin->client->loop, k->fd, LOOP_WRITE, on_connectable, k);
        return true;
    }
    int saved = errno;
    err_set(&k->err, ERR_UNAVAILABLE, "connect to %s (%s): %s", k->origin->host, addr_text(a, text),
            strerror(saved));
    drop_attempt(k);
    return false;
}

static void connect_next(struct http_link *k)
{
    k->state = LINK_CONNECTING;
    while (k->addr_next < k->addr_count) {
        /* An equal share of what is left for each: one that swallows everything must not use up
         * the time of the others. */
        set_timer(k, time_left_ms(k) / (uint32_t)(k->addr_count - k->addr_next));
        if (try_address(k, &k->addrs[k->addr_next++])) {
            return;
        }
    }
    assert(k->err.code != ERR_OK);
    fail_soon(k);
}

void http_link_found(struct http_link *k, const struct addr *addrs, size_t n)
{
    assert(k->state == LINK_RESOLVING && k->resolve == NULL && n > 0 && n <= RESOLVE_ADDRS_MAX);
    memcpy(k->addrs, addrs, n * sizeof *addrs);
    k->addr_count = n;
    connect_next(k);
}

static void on_resolved(void *arg, const struct addr *addrs, size_t n, const struct err *err)
{
    struct http_link *k = arg;
    k->resolve = NULL;
    if (err != NULL) {
        k->err = *err;
        fail_soon(k);
        return;
    }
    http_link_found(k, addrs, n);
}

struct http_link *http_link_new(struct origin *o, struct http_call *call)
{
    struct http_link *k = MEM_NEW(struct http_link);
    k->origin = o;
    k->call = call;
    call->link = k;
    k->fd = -1;
    k->next = o->links;
    o->links = k;
    o->link_count++;
    o->client->stats.open++;
    k->timer = loop_timer_new(o->client->loop, on_timer, k);
    http_parser_init(&k->parser, &o->client->conf.limits, HTTP_PARSE_RESPONSES);
    k->deadline_ns = loop_now_ns(o->client->loop) + o->client->conf.connect_ms * CLOCK_NS_PER_MS;
    set_timer(k, o->client->conf.connect_ms);
    k->addr_count = 1;
    if (o->via.len > 0) {
        k->addrs[0] = o->via;
        connect_next(k);
    } else if (addr_literal(slice_str(o->host), o->port, &k->addrs[0])) {
        connect_next(k);
    } else if (resolve_start(o->client->loop, o->host, o->port, on_resolved, k, &k->resolve,
                             &k->err) != 0) {
        fail_soon(k);
    }
    return k;
}

static enum outcome on_head(struct http_link *k, struct err *err)
{
    const struct http_head *h = &k->parser.head;
    if (h->status == 101) {
        err_set(err, ERR_UNSUPPORTED, "%s switches protocols unasked", k->origin->host);
        return OUTCOME_FAILED;
    }
    if (h->status < 200 && ++k->interim > INTERIM_MAX) {
        err_set(err, ERR_LIMIT, "%s: more than %d interim answers", k->origin->host, INTERIM_MAX);
        return OUTCOME_FAILED;
    }
    if (h->status >= 200) {
        k->call->answered = true;
        if (k->call->ops->head != NULL) {
            k->call->ops->head(k->call, h, k->call->arg);
        }
    }
    return OUTCOME_NONE;
}

static enum outcome on_end(struct http_link *k)
{
    if (k->parser.head.status >= 200) {
        return OUTCOME_COMPLETE;
    }
    http_parser_next(&k->parser); /* 1xx: the real answer follows */
    k->parser.answers_head = k->call->method == HTTP_HEAD;
    k->parser.body_max = k->call->answer_max;
    return OUTCOME_NONE;
}

static enum outcome refuse(struct http_link *k, enum http_reason why, struct err *err)
{
    if (why == HTTP_REASON_BODY_LARGE) {
        err_set(err, ERR_TOO_BIG, "%s: an answer of more than %llu bytes", k->origin->host,
                (unsigned long long)k->call->answer_max);
    } else if (why == HTTP_REASON_CLIENT_GONE) {
        err_set(err, ERR_CLOSED, "%s closed the connection in the middle of its answer",
                k->origin->host);
        err_flags(err, ERR_FLAG_RETRY);
    } else {
        err_set(err, ERR_CORRUPT, "answer of %s: %s", k->origin->host, http_reason_doc(why));
    }
    return OUTCOME_FAILED;
}

/* One step through the answer. *ret_more: there may be another. */
static enum outcome read_step(struct http_link *k, bool *ret_more, struct err *err)
{
    struct evbuffer_iovec v = {0};
    struct slice in = SLICE_NONE, part;
    size_t used;
    enum outcome out = OUTCOME_NONE;
    if (evbuffer_peek(input(k), -1, NULL, &v, 1) > 0) {
        in = slice_of(v.iov_base, v.iov_len);
    }
    enum http_step step = http_parse(&k->parser, in, &used, &part);
    switch (step) {
    case HTTP_STEP_HEAD: out = on_head(k, err); break;
    case HTTP_STEP_BODY:
        if (k->call->ops->data != NULL) {
            k->call->ops->data(k->call, part, k->call->arg);
        }
        break;
    case HTTP_STEP_END: out = on_end(k); break;
    case HTTP_STEP_FAILED: out = refuse(k, k->parser.reason, err); break;
    case HTTP_STEP_MORE: break;
    }
    evbuffer_drain(input(k), used);
    *ret_more = step != HTTP_STEP_MORE || evbuffer_get_length(input(k)) > 0;
    return out;
}

/* The stream has ended and all of it was read. */
static enum outcome read_eof(struct http_link *k, struct err *err)
{
    if (http_parse_eof(&k->parser) == HTTP_STEP_END) {
        return OUTCOME_COMPLETE;
    }
    if (!k->parser.began) {
        err_set(err, ERR_CLOSED, "%s closed the connection without an answer", k->origin->host);
        err_flags(err, ERR_FLAG_RETRY);
        return OUTCOME_FAILED;
    }
    return refuse(k, HTTP_REASON_CLIENT_GONE, err);
}

static void complete(struct http_link *k)
{
    struct origin *o = k->origin;
    struct http_call *call = detach(k);
    const struct http_head *h = &k->parser.head;
    bool framed = h->chunked || h->has_length || h->status == 204 || h->status == 304 ||
                  call->method == HTTP_HEAD;
    bool keep = h->keep_alive && framed && !k->eof && !k->deaf &&
                (!call->stream || call->stream_ended) && http_link_unsent(k) == 0 &&
                evbuffer_get_length(input(k)) == 0 && o->client->conf.idle_ms > 0;
    if (keep) {
        k->served++;
        k->state = LINK_IDLE;
        http_parser_next(&k->parser);
        set_timer(k, o->client->conf.idle_ms);
        http_link_steer_reading(k);
    } else {
        http_link_free(k);
    }
    http_call_finish(call, NULL);
}

static void pump(struct http_link *k)
{
    enum outcome out = OUTCOME_NONE;
    struct err err = {0};
    struct origin *o = k->origin;
    bool more = true;
    if (k->state == LINK_IDLE) {
        if (evbuffer_get_length(input(k)) == 0) {
            return;
        }
        http_link_free(k); /* nobody asked for anything */
        http_origin_next(o);
        return;
    }
    if (k->state != LINK_BUSY) {
        return;
    }
    http_call_touch(k->call);
    k->busy = true;
    while (out == OUTCOME_NONE && more && k->state == LINK_BUSY && !k->call->paused) {
        out = read_step(k, &more, &err);
    }
    if (out == OUTCOME_NONE && k->eof && k->state == LINK_BUSY && !k->call->paused) {
        out = read_eof(k, &err);
    }
    k->busy = false;
    if (k->state == LINK_DEAD) {
        http_link_free(k); /* its call was cancelled meanwhile */
        http_origin_next(o);
    } else if (out == OUTCOME_COMPLETE) {
        complete(k);
    } else if (out == OUTCOME_FAILED) {
        fail(k, &err);
    } else {
        http_link_steer_reading(k);
    }
}
