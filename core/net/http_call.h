/* SPDX-License-Identifier: Apache-2.0
 *
 * Inside the client: origins, their connections, and the calls that wait for one or have one.
 *
 *     http_client.c  origins: who gets a connection, who waits, what is kept; timeouts
 *     http_link.c    one connection: name, connect, TLS, request out, answer in
 *
 * A link has at most one call, a call at most one link. Callbacks may cancel their call: so both
 * are freed only when nobody is on the stack for them (`busy`).
 */
#ifndef CORE_NET_HTTP_CALL_H
#define CORE_NET_HTTP_CALL_H

#include "core/base/buf.h"
#include "core/base/map.h"
#include "core/net/addr.h"
#include "core/net/http_client.h"
#include "core/net/http_parse.h"
#include "core/net/resolve.h"
#include "core/net/url.h"

struct bufferevent;
struct loop_fd;
struct loop_timer;

enum link_state {
    LINK_RESOLVING = 0,
    LINK_CONNECTING,
    LINK_HANDSHAKE,
    LINK_BUSY, /* has a call */
    LINK_IDLE, /* kept for the next one */
    LINK_DEAD,
};

struct origin {
    struct http_client *client;
    struct slice key; /* a copy */
    char host[URL_HOST_MAX + 1];
    uint16_t port;
    struct addr via;     /* len 0: none */
    struct tls_ctx *tls; /* NULL: plain */
    struct http_link *links;
    struct http_call *first, **last; /* waiting */
    size_t link_count, waiting;
    unsigned pins; /* > 0: not to be freed */
};

struct http_link {
    struct origin *origin;
    struct http_link *next;
    enum link_state state;
    struct resolve *resolve;
    struct addr addrs[RESOLVE_ADDRS_MAX];
    size_t addr_count, addr_next;
    int fd; /* while connecting */
    struct loop_fd *watch;
    struct bufferevent *bev;
    struct ssl_st *ssl;
    struct loop_timer *timer; /* connecting, or kept idle */
    int64_t deadline_ns;      /* of connecting and the handshake */
    struct err err;           /* the last attempt to connect; told from the timer */
    struct http_parser parser;
    struct http_call *call;
    uint64_t served;
    bool busy; /* on the stack */
    bool eof;
    bool deaf; /* the other side takes no more bytes; what it said is still to be read */
    unsigned interim;
};

struct http_call {
    struct http_client *client;
    struct origin *origin;
    struct http_link *link;
    struct http_call *next; /* in the origin's queue, or in the client's list of failed ones */
    struct http_call *all_prev, *all_next;
    const struct http_call_ops *ops;
    void *arg;
    enum http_method method;
    struct buf head; /* the request's */
    struct buf body;
    struct loop_timer *timer;
    int64_t deadline_ns, stall_ns, moved_ns; /* moved: when a byte last did */
    uint64_t answer_max;
    size_t unsent_seen;
    bool stream, stream_ended, repeatable, queued, answered, full, paused, repeated, sent;
};

struct http_client {
    struct loop *loop;
    struct http_client_conf conf;
    struct tls_ctx *tls; /* made at the first https call, or the configured one */
    struct map origins;
    struct http_call *calls; /* all */
    struct http_client_stats stats;
    bool closing;
};

/* http_client.c */
void http_call_finish(struct http_call *call, const struct err *err); /* calls done, frees */
void http_call_touch(struct http_call *call);                         /* a byte moved */
/* A link has become free (idle or dead): who is next? */
void http_origin_next(struct origin *o);
/* The link is gone: its call is sent again or ends with err. */
void http_call_link_lost(struct http_call *call, bool stale, const struct err *err);

/* http_link.c */
struct http_link *http_link_new(struct origin *o, struct http_call *call);
/* The name's addresses, to be tried in turn; apart for the tests. */
void http_link_found(struct http_link *k, const struct addr *addrs, size_t n);
void http_link_assign(struct http_link *k, struct http_call *call); /* an idle one */
void http_link_drop_call(struct http_link *k);                      /* cancelled: closes the link */
void http_link_free(struct http_link *k);
bool http_link_write(struct http_link *k, struct slice part); /* false: full */
void http_link_end_stream(struct http_link *k);
void http_link_steer_reading(struct http_link *k);
size_t http_link_unsent(const struct http_link *k);

#endif
