/* SPDX-License-Identifier: Apache-2.0
 *
 * Inside the gRPC server: its data. What is done with them is in grpc_conn.h; included by it only.
 *
 * Life of a call: the connection owns a reference from the head to the end of the stream; handlers
 * may own others. A call whose stream is over but which a handler still holds stays in the
 * connection's list (stream 0), for its memory counts as that connection's. A connection is freed
 * by its pump or the sweep only, never under a callback of nghttp2.
 */
#ifndef CORE_NET_GRPC_INNER_H
#define CORE_NET_GRPC_INNER_H

#include "core/base/clock.h"
#include "core/net/addr.h"
#include "core/net/grpc_server.h"
#include "core/net/h2_io.h"
#include "core/net/loop.h"

struct http_conn;

enum grpc_call_state {
    GRPC_CALL_HEAD = 0, /* its head is arriving */
    GRPC_CALL_PREFIX,   /* the 5 bytes */
    GRPC_CALL_BODY,     /* the message is arriving */
    GRPC_CALL_WHOLE,    /* it is there, the end of the stream is not */
    GRPC_CALL_HANDED,   /* a handler has it */
    GRPC_CALL_ANSWERED, /* or refused */
    GRPC_CALL_GONE,
};

struct grpc_call {
    struct grpc_server *server;
    struct grpc_conn *conn; /* NULL: the connection is gone */
    struct grpc_call *prev, *next;
    int32_t stream; /* 0: over */
    unsigned refs;
    enum grpc_call_state state;
    const struct grpc_route *route;
    void *route_arg;
    const struct grpc_call_ops *ops;
    void *arg;
    bool taken, is_post, is_head, type_ok, coding_known, timeout_bad, packed, remote_done, keep;
    enum grpc_reason late_why;  /* to be refused with at the end of the stream */
    enum inflate_coding coding; /* of grpc-encoding */
    struct buf fields;          /* name length, value length, name, value; the path first */
    size_t list_bytes;          /* as SETTINGS_MAX_HEADER_LIST_SIZE counts */
    uint8_t prefix[GRPC_PREFIX_BYTES];
    size_t prefix_have;
    char *body; /* the message */
    size_t body_len, body_have, wire_bytes;
    size_t reserved; /* bytes of the budget */
    int64_t born_ns, deadline_ns, timeout_ns;
    struct buf reply; /* what DATA frames carry */
    size_t reply_at;
    bool plain_reply; /* no trailers: the answer to what is not gRPC */
};

enum grpc_conn_state {
    GRPC_CONN_OPEN = 0,
    GRPC_CONN_NOTICED, /* told to go elsewhere, but what is on its way is still taken */
    GRPC_CONN_LAST,    /* the last GOAWAY is out: what is in work is finished */
    GRPC_CONN_FLUSH,   /* no call is left; what is unsent is sent */
    GRPC_CONN_LINGER,  /* all is said; what comes is dropped */
    GRPC_CONN_DEAD,
};

struct grpc_conn {
    struct grpc_server *server;
    struct grpc_conn *prev, *next, *next_dirty;
    struct http_conn *http;
    struct h2_io io;
    struct grpc_call *calls;
    size_t open_calls; /* begun, not answered */
    size_t held;       /* bytes reserved by its calls */
    struct addr peer;
    enum grpc_conn_state state;
    enum grpc_reason fate; /* why callbacks want it ended */
    int64_t since_ns;      /* in this state */
    int64_t old_at_ns, busy_ns, read_ns;
    int64_t head_ns;   /* when a head began that is not complete; 0 = none */
    int64_t ping_ns;   /* our ping is out since; 0 = none */
    int64_t pinged_ns; /* the client's last ping */
    unsigned ping_strikes, continuations;
    int32_t last_stream, gap_from, gap_to; /* streams between were never opened */
    struct h2_bucket resets, frames;
    uint64_t in_seen, out_seen; /* already in the figures */
    bool pumping, dirty, eof, settled, goaway, sent_since_ping, squeezed;
};

struct grpc_routes {
    const struct grpc_route *rows;
    size_t count;
    void *arg;
};

struct grpc_server {
    struct http_server *http;
    struct loop *loop;
    struct grpc_server_conf conf;
    struct grpc_routes *tables;
    size_t table_count;
    struct grpc_conn *conns, *dirty;
    struct grpc_call *spare; /* freed calls, for their buffers */
    size_t spare_count;
    struct loop_timer *sweep, *flush;
    struct inflate *inflate;
    nghttp2_session_callbacks *callbacks;
    nghttp2_option *options;
    struct grpc_server_stats stats; /* changed by GRPC_STAT only: other threads read it */
    struct stats *published;
    struct stats_series *seconds;
    const char *name;
    uint64_t dice;     /* spreads the ages of connections */
    size_t live_calls; /* somebody holds a reference to */
    bool sweeping, closed;
};

/* One thread writes, any reads: no locked instruction is needed. */
#define GRPC_STAT(g_, field_, n_)                                                                  \
    __atomic_store_n(&(g_)->stats.field_, (g_)->stats.field_ + (uint64_t)(n_), __ATOMIC_RELAXED)

#endif
