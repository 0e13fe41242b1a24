/* SPDX-License-Identifier: Apache-2.0
 *
 * The gRPC server: unary calls over HTTP/2 (nghttp2), on the listeners of an HTTP server, which
 * sees the preface (h2c with prior knowledge, or TLS with ALPN h2) and hands the connection over.
 * One server belongs to one loop. What a handler does is in grpc_call.h.
 *
 *     static const struct grpc_route routes[] = {
 *         {.path = "/pkg.Service/Method", .fn = on_method, .doc = "..."},
 *     };
 *     struct grpc_server *g = grpc_server_new(http, &conf);
 *     grpc_server_routes(g, routes, ARRAY_LEN(routes), app);
 *     http_server_listen(http, ...);   http_server_drain(http, ...) drains g's connections, too
 *     http_server_free(http);  grpc_server_free(g);                    in this order
 *
 * How memory is held down: nothing is read into memory that was not reserved before. A head
 * reserves its own size, the 5 bytes in front of a message the whole message, an unpacked message
 * what it has grown. What the budget refuses is answered UNAVAILABLE with RetryInfo, and what comes
 * of it is dropped; while the budget has no room, the connection's window is small, so that a
 * client cannot spend the machine on what will be refused. A stream gets credit for a long
 * message only when that is reserved. Unreserved are: windows of HPACK, and read_bytes per
 * connection.
 */
#ifndef CORE_NET_GRPC_SERVER_H
#define CORE_NET_GRPC_SERVER_H

#include "core/net/grpc_call.h"

struct grpc_server;
struct http_server;
struct stats;

/* All on the loop's thread. May serve several servers. */
struct grpc_budget {
    /* May so many bytes more be held? `held` is what that connection holds already, for fair
     * shares. False refuses, and fills *ret_retry_ns (1 s on entry). bytes = 0 asks whether there
     * is room at all; it reserves nothing. */
    bool (*reserve)(void *arg, size_t bytes, size_t held, int64_t *ret_retry_ns);
    void (*release)(void *arg, size_t bytes);
    void *arg;
};

struct grpc_route {
    const char *path; /* exactly, as sent */
    unsigned flags;
    size_t message_max, unpacked_max; /* 0: the server's */
    /* At the end of the head, before any byte of the message is taken: who? how many? It may answer
     * (then that is the end of it), and must not take the call. NULL: anybody. */
    void (*admit)(struct grpc_call *c, void *arg);
    void (*fn)(struct grpc_call *c, void *arg); /* the message is there */
    /* Before a message that does not unpack, or ends early, is refused with INVALID_ARGUMENT: its
     * bytes as sent. May be NULL. */
    void (*spoilt)(struct grpc_call *c, enum grpc_reason why, struct slice raw, void *arg);
    const char *doc;
};

enum grpc_route_flag {
    GRPC_ROUTE_RAW = 1, /* the message as sent: grpc_call_coding says how it is packed */
};

struct grpc_server_conf {
    struct grpc_budget budget; /* reserve NULL: no limit but the others */
    /* Every call that the server answers by itself, and why, for counters of the owner's; from
     * within its callbacks: it must not touch the server. May be NULL. */
    void (*refused)(void *arg, enum grpc_reason why);
    void *refused_arg;
    size_t message_max; /* as sent */
    size_t unpacked_max;
    uint32_t connections_max;
    uint32_t streams_max;       /* of one connection at once */
    uint32_t header_list_bytes; /* names + values + 32 each */
    uint32_t stream_window;     /* what a client may send of a message before it is accepted */
    uint32_t conn_window;
    uint32_t conn_window_low; /* while the budget has no room */
    uint32_t read_bytes;      /* of one connection in one round */
    uint32_t high_water;      /* bytes answered but not sent: reading stops */
    uint32_t head_ms;         /* a head from its first byte to its last; the first SETTINGS */
    uint32_t body_ms;         /* a message has this long, and ... */
    uint32_t body_min_rate;   /* ... 1 s more for each so many bytes that have come */
    uint32_t write_ms;        /* without any progress in sending */
    uint32_t idle_ms;         /* without a call; 0 = none */
    uint32_t age_max_ms;      /* +-10%; 0 = none */
    uint32_t ping_ms;         /* silence after which we ask whether somebody is there; 0 = never */
    uint32_t ping_ack_ms;
    uint32_t ping_min_ms; /* a client that pings more often without calls: 3 strikes */
    uint32_t resets_burst, resets_per_s;
    uint32_t frames_burst, frames_per_s; /* frames without content */
    uint32_t continuations_max;
};

struct grpc_server_stats {
    uint64_t connections_total, calls, in_bytes, out_bytes; /* bytes without TLS */
    uint64_t message_bytes;                                 /* of messages as sent */
    uint64_t answers[GRPC_STATUS_COUNT];
    uint64_t refused[GRPC_REASON_COUNT];
    uint64_t connections, active; /* now: open; calls begun and not answered */
    uint64_t reserved;            /* now: bytes reserved */
};

struct grpc_server_conf grpc_server_conf_default(void);
/* Takes the HTTP/2 connections of that server. conf is copied, NULL = default. */
struct grpc_server *grpc_server_new(struct http_server *http, const struct grpc_server_conf *conf);
void grpc_server_free(struct grpc_server *g);
/* The table must outlive the server. */
void grpc_server_routes(struct grpc_server *g, const struct grpc_route *routes, size_t n,
                        void *arg);
struct grpc_server_stats grpc_server_stats(const struct grpc_server *g); /* any thread */
/* Gives them to /metrics as kaiju_grpc_*{server="name"}; name must outlive the server. */
void grpc_server_publish(struct grpc_server *g, struct stats *stats, const char *name);

#endif
