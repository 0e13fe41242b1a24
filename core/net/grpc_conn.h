/* SPDX-License-Identifier: Apache-2.0
 *
 * Inside the server: connections, calls, and who calls whom. Included by grpc_{server,conn,guard,
 * call,recv,send,stats}.c only.
 *
 *     grpc_server.c  routes, taking connections over, the sweep over deadlines
 *     grpc_conn.c    one connection: bytes to and from nghttp2, its callbacks, how it ends
 *     grpc_guard.c   floods, deadlines, pings, drain
 *     grpc_recv.c    a call from its head to the whole message, and its memory
 *     grpc_call.c    the call as handlers see it
 *     grpc_send.c    answers
 *
 * Life of a call: the connection owns a reference from the head to the end of the stream; handlers
 * may own others. A call whose stream is over but which a handler still holds stays in the
 * connection's list (stream 0), for its memory counts as that connection's. A connection is freed
 * by conn_pump or the sweep only, never under a callback of nghttp2.
 */
#ifndef CORE_NET_GRPC_CONN_H
#define CORE_NET_GRPC_CONN_H

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

/* grpc_server.c */
void grpc_server_call_freed(struct grpc_server *g); /* may free g */
void grpc_server_count(struct grpc_server *g, enum grpc_reason why);
void grpc_server_dirty(struct grpc_server *g, struct grpc_conn *c); /* pumped in the next round */

/* grpc_stats.c */
void grpc_server_timed(struct grpc_server *g, int64_t born_ns);
void grpc_server_unpublish(struct grpc_server *g);

/* grpc_conn.c */
void grpc_conn_callbacks(nghttp2_session_callbacks *cb);
struct grpc_conn *grpc_conn_new(struct grpc_server *g, struct http_conn *http,
                                struct bufferevent *bev);
void grpc_conn_pump(struct grpc_conn *c);
void grpc_conn_state(struct grpc_conn *c, enum grpc_conn_state state);
/* GOAWAY, then the end; calls in work are gone. Not inside of callbacks: they set fate. The caller
 * pumps. */
void grpc_conn_end(struct grpc_conn *c, enum grpc_reason why);
void grpc_conn_kill(struct grpc_conn *c, enum grpc_reason why); /* at once */
void grpc_conn_reap(struct grpc_conn *c);

/* grpc_guard.c */
/* A frame begins; false: too many of its kind, c->fate says which. */
bool grpc_guard_frame(struct grpc_conn *c, const nghttp2_frame_hd *hd);
bool grpc_guard_reset(struct grpc_conn *c); /* we had to reset a stream */
void grpc_guard_ping(struct grpc_conn *c);
void grpc_guard_time(struct grpc_conn *c, int64_t now_ns); /* the sweep */
void grpc_guard_drain(struct grpc_conn *c);
void grpc_guard_ping_ack(struct grpc_conn *c, const uint8_t *opaque);

/* grpc_recv.c */
struct grpc_call *grpc_recv_begin(struct grpc_conn *c, int32_t stream);
void grpc_recv_field(struct grpc_call *call, struct slice name, struct slice value);
void grpc_recv_head_end(struct grpc_call *call);
void grpc_recv_data(struct grpc_call *call, const char *p, size_t n);
void grpc_recv_end(struct grpc_call *call);

/* grpc_call.c */
bool grpc_call_reserve(struct grpc_call *call, size_t bytes, int64_t *ret_retry_ns);
void grpc_call_release(struct grpc_call *call, size_t bytes);
/* The stream is over, or the connection: the handler is told if he waits. */
void grpc_call_over(struct grpc_call *call, enum grpc_reason why);
void grpc_call_answered(struct grpc_call *call, enum grpc_status status);
/* Refused while a handler may have it: he is told, and may finish with the message. */
void grpc_call_expire(struct grpc_call *call, enum grpc_reason why);
void grpc_call_spares_free(struct grpc_server *g);

/* grpc_send.c */
void grpc_send_refusal(struct grpc_call *call, enum grpc_reason why, int64_t retry_ns,
                       struct slice detail);

#endif
