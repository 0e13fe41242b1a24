/* SPDX-License-Identifier: Apache-2.0
 *
 * The HTTP/1.1 server: listeners, connections, limits, timeouts, drain. One server belongs to one
 * loop; to use several cores, run one loop and one server per thread with `reuseport`. What a
 * handler does is in http_req.h, which handler gets a request in http_route.h.
 *
 *     struct http_server_conf conf = http_server_conf_default();
 *     struct http_server *s = http_server_new(loop, &conf);
 *     http_router_add(http_server_router(s), routes, ARRAY_LEN(routes), app);
 *     http_server_listen(s, &(struct http_listen){.addr = "127.0.0.1:8080"}, &err);
 *     ...
 *     http_server_drain(s, 10 * CLOCK_NS_PER_S, on_drained, app);     then http_server_free
 *
 * Answers of one connection are sent in the order of its requests: the next head is not read
 * before the answer has ended and fallen below the high-water mark. The memory of a connection is
 * bounded by limits + 2 * read_ahead + high_water + what its handler collects.
 */
#ifndef CORE_NET_HTTP_SERVER_H
#define CORE_NET_HTTP_SERVER_H

#include "core/base/err.h"
#include "core/net/http.h"

struct bufferevent; /* libevent's */
struct http_conn;
struct http_router;
struct http_server;
struct loop;
struct stats;
struct tls_ctx;

struct http_server_conf {
    struct http_limits limits;
    uint64_t body_max;        /* of routes that say nothing else */
    uint64_t buffered_max;    /* bodies being collected, all connections together */
    uint32_t connections_max; /* above it: 503; far above it: not accepted */
    uint32_t requests_max;    /* of one connection; 0 = no limit */
    uint32_t age_max_ms;      /* of a connection, +-10%: then it is asked to reconnect; 0 = none */
    uint32_t handshake_ms, idle_ms;
    uint32_t head_ms;       /* from the first byte of a head to its last */
    uint32_t body_ms;       /* a body has this long, and ... */
    uint32_t body_min_rate; /* ... 1 s more for each so many bytes that have come */
    uint32_t write_ms;      /* without any progress in sending */
    uint32_t linger_ms;     /* after a refusal: how long what still comes is read and dropped */
    uint32_t discard_bytes; /* a body nobody wants: dropped up to here, else closed */
    uint32_t read_ahead;    /* reading stops when so many bytes are not consumed */
    uint32_t high_water;    /* bytes answered but not sent */
};

struct http_listen {
    const char *addr; /* as addr.h says */
    struct tls_ctx *tls;
    bool reuseport;
    int backlog;
    unsigned unix_mode;
};

struct http_server_stats {
    uint64_t accepted, requests, in_bytes, out_bytes;
    uint64_t answers[6];                 /* by the first digit of the status */
    uint64_t refused[HTTP_REASON_COUNT]; /* by reason */
    uint64_t connections, active;        /* now: open, and with a request in work */
    uint64_t buffered;                   /* now: bytes of bodies being collected */
};

struct http_server_conf http_server_conf_default(void);
struct http_server *http_server_new(struct loop *l, const struct http_server_conf *conf);
void http_server_free(struct http_server *s); /* closes what is left, at once */
struct http_router *http_server_router(struct http_server *s);
struct loop *http_server_loop(struct http_server *s);
/* May be called several times. */
int http_server_listen(struct http_server *s, const struct http_listen *listen,
                       struct err *reterr) NODISCARD;
/* The real address of the i-th listener ("127.0.0.1:40123"), or NULL. */
const char *http_server_addr(const struct http_server *s, size_t i);
uint16_t http_server_port(const struct http_server *s, size_t i);
/* Stops accepting, closes idle connections, ends the others after the request they are in; after
 * deadline_ns cuts off what is left. fn once none is open (NULL is fine), from the loop. */
void http_server_drain(struct http_server *s, int64_t deadline_ns, void (*fn)(void *arg),
                       void *arg);
bool http_server_draining(const struct http_server *s);
struct http_server_stats http_server_stats(const struct http_server *s); /* any thread */
/* Gives them to /metrics as kaiju_http_*{server="name"}; name must outlive the server. */
void http_server_publish(struct http_server *s, struct stats *stats, const char *name);

/* HTTP/2 on the same ports: a connection whose first bytes are the HTTP/2 preface is handed over,
 * with the preface still unread in its input. It goes on counting as a connection here; the new
 * owner sets its own callbacks on the bufferevent, calls http_conn_release (which frees it) at the
 * end, and is told to drain and to go. Without a handler such a connection is refused. */
struct http_takeover {
    void (*drain)(void *arg); /* finish what is in work, then release */
    void (*abort)(void *arg); /* release now */
    void *arg;
};
void http_server_on_h2(struct http_server *s,
                       struct http_takeover (*fn)(void *arg, struct http_conn *c,
                                                  struct bufferevent *bev),
                       void *arg);
void http_conn_release(struct http_conn *c);

#endif
