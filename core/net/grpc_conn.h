/* SPDX-License-Identifier: Apache-2.0
 *
 * Inside the gRPC server: who calls whom. Included by grpc_{server,conn,guard,call,recv,send,
 * stats}.c only.
 *
 *     grpc_server.c  routes, taking connections over, the sweep over deadlines
 *     grpc_conn.c    one connection: bytes to and from nghttp2, its callbacks, how it ends
 *     grpc_guard.c   floods, deadlines, pings, drain
 *     grpc_recv.c    a call from its head to the whole message
 *     grpc_call.c    the call as handlers see it, and its memory
 *     grpc_send.c    answers
 */
#ifndef CORE_NET_GRPC_CONN_H
#define CORE_NET_GRPC_CONN_H

#include "core/net/grpc_inner.h"

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
