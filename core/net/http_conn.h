/* SPDX-License-Identifier: Apache-2.0
 *
 * Inside the server: a connection, its current request, and who calls whom. Included by
 * http_{server,conn,req,reply}.c only.
 *
 *     http_server.c  listeners, accept, the sweep over deadlines, drain
 *     http_conn.c    the state machine of a connection: conn_pump takes it as far as its input goes
 *     http_req.c     the request as handlers see it
 *     http_reply.c   the answer
 *
 * Rule against surprise: a connection is never freed while conn_pump is on the stack for it
 * (`pumping`); it becomes CONN_DEAD, and pump frees it on its way out. A failed write only marks it
 * `broken`; libevent reports it from the next round of the loop.
 */
#ifndef CORE_NET_HTTP_CONN_H
#define CORE_NET_HTTP_CONN_H

#include "core/base/clock.h"
#include "core/net/addr.h"
#include "core/net/http_parse.h"
#include "core/net/http_req_impl.h"
#include "core/net/http_route.h"
#include "core/net/http_server.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>

enum conn_state {
    CONN_HANDSHAKE = 0, /* TLS */
    CONN_SNIFF,         /* first bytes: which protocol? */
    CONN_IDLE,          /* no byte of a request */
    CONN_HEAD,          /* a head is arriving */
    CONN_BODY,          /* a handler has the request, its body is arriving */
    CONN_REPLY,         /* the request is complete, its answer is not */
    CONN_FLUSH,         /* the last answer is being sent */
    CONN_LINGER,        /* everything said; what still comes is dropped */
    CONN_TAKEN,         /* speaks another protocol */
    CONN_DEAD,
};

struct listener {
    struct http_server *server;
    struct loop_fd *watch;
    struct tls_ctx *tls;
    int fd;
    bool local;
    char text[ADDR_TEXT_BYTES];
    struct addr addr;
};

struct http_conn {
    struct http_server *server;
    struct http_conn *prev, *next;
    struct bufferevent *bev;
    struct ssl_st *ssl;   /* NULL without TLS; freed with bev */
    struct evbuffer *out; /* written by handlers, not yet given to the socket */
    struct buf extra;     /* header fields of the answer to come */
    struct http_parser parser;
    struct http_req *req;
    struct http_takeover takeover;
    struct addr peer;
    enum conn_state state;
    int64_t since_ns; /* in this state */
    int64_t born_ns, old_at_ns;
    uint64_t served;
    size_t unsent_seen; /* at the last sweep */
    int64_t unsent_since_ns;
    size_t discarded;
    bool reading; /* the bufferevent reads */
    bool pumping, surplus, closing, eof, broken, linger;
};

struct http_server {
    struct loop *loop;
    struct http_server_conf conf;
    struct http_router *router;
    struct listener **listeners;
    size_t listener_count;
    struct http_conn *conns;        /* newest first */
    struct http_server_stats stats; /* changed by STAT_ADD only: other threads read it */
    struct stats *published;        /* NULL, or where the figures are shown */
    struct stats_series *seconds;   /* NULL, or the histogram of answers' times */
    const char *name;
    struct clock clock;
    struct loop_timer *sweep, *retry_accept;
    bool accept_paused, draining, sweeping;
    int64_t drain_deadline_ns;
    void (*drained)(void *arg);
    void *drained_arg;
    struct http_takeover (*on_h2)(void *arg, struct http_conn *c, struct bufferevent *bev);
    void *h2_arg;
    int64_t date_s; /* of the text below */
    char date[40];
    uint64_t dice; /* spreads the ages of connections */
};

/* One thread writes, any reads: no locked instruction is needed. */
#define STAT_ADD(s_, field_, n_)                                                                   \
    __atomic_store_n(&(s_)->stats.field_, (s_)->stats.field_ + (uint64_t)(n_), __ATOMIC_RELAXED)

/* http_server.c */
void server_count(struct http_server *s, enum http_reason why);
const char *server_date(struct http_server *s);
void server_conn_freed(struct http_server *s);

/* http_stats.c */
void server_timed(struct http_server *s, int64_t born_ns);
void server_unpublish(struct http_server *s);

/* http_conn.c */
void conn_new(struct http_server *s, struct listener *l, int fd, const struct addr *peer);
void conn_pump(struct http_conn *c);
/* After a handler has done something outside of the pump. */
void conn_touch(struct http_conn *c);
void conn_flush(struct http_conn *c);
size_t conn_unsent(const struct http_conn *c);
/* Ends the connection now; a request in work is told. Not for use inside handlers' calls. */
void conn_kill(struct http_conn *c, enum http_reason why);
void conn_refuse(struct http_conn *c, enum http_reason why);
/* The sweep: ends what is past its deadline. */
void conn_check_time(struct http_conn *c, int64_t now_ns);
void conn_drain(struct http_conn *c);
void conn_reap(struct http_conn *c); /* frees a dead one */
bool conn_is_active(const struct http_conn *c);

/* http_req.c */
struct http_req *req_new(struct http_conn *c);
/* The connection lets go of its request. gone: the answer did not end. */
void req_detach(struct http_req *r, bool gone);
enum http_reason req_body_part(struct http_req *r, struct slice part);
void req_body_end(struct http_req *r);
void req_drained(struct http_req *r);

/* http_reply.c */
void reply_raw(struct http_conn *c, struct slice text);
/* A whole answer without a request: the refusal of something that never became one. */
void reply_refusal(struct http_conn *c, enum http_reason why);
bool reply_keeps_alive(const struct http_conn *c);

#endif
