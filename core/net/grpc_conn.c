/* SPDX-License-Identifier: Apache-2.0
 *
 * One HTTP/2 connection of the server: nghttp2's callbacks, the pump, and how it ends. In callbacks
 * the session must neither be driven nor freed: they submit, or set `fate` and fail, and conn_pump
 * does the rest. Window updates are ours: the connection's credit returns when bytes were copied or
 * dropped, a stream's when its message is reserved (grpc_recv.c). Loop thread.
 */
#include "core/net/grpc_conn.h"

#include "core/base/mem.h"
#include "core/codec/endian.h"
#include "core/net/http_server.h"
#include "core/net/tls.h"

#include <assert.h>
#include <event2/event.h>
#include <stdlib.h>
#include <sys/socket.h>

/* --- nghttp2's callbacks --- */

static struct grpc_call *call_of(nghttp2_session *session, int32_t stream)
{
    return stream > 0 ? nghttp2_session_get_stream_user_data(session, stream) : NULL;
}

static int on_begin_frame(nghttp2_session *session, const nghttp2_frame_hd *hd, void *arg)
{
    (void)session;
    return grpc_guard_frame(arg, hd) ? 0 : NGHTTP2_ERR_CALLBACK_FAILURE;
}

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
    struct grpc_conn *c = arg;
    c->head_ns = loop_now_ns(c->server->loop);
    if (frame->hd.type == NGHTTP2_HEADERS && frame->headers.cat == NGHTTP2_HCAT_REQUEST) {
        struct grpc_call *call = grpc_recv_begin(c, frame->hd.stream_id);
        nghttp2_session_set_stream_user_data(session, frame->hd.stream_id, call);
    }
    return 0;
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                     size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags,
                     void *arg)
{
    struct grpc_call *call = call_of(session, frame->hd.stream_id);
    (void)flags;
    (void)arg;
    if (call != NULL && call->state == GRPC_CALL_HEAD) {
        grpc_recv_field(call, slice_of(name, name_len), slice_of(value, value_len));
    }
    return 0; /* trailers of a request say nothing */
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
    struct grpc_conn *c = arg;
    struct grpc_call *call = call_of(session, frame->hd.stream_id);
    switch (frame->hd.type) {
    case NGHTTP2_HEADERS:
        c->head_ns = 0;
        if (call != NULL && call->state == GRPC_CALL_HEAD) {
            call->remote_done = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
            grpc_recv_head_end(call);
        }
        break;
    case NGHTTP2_SETTINGS: c->settled = true; break;
    case NGHTTP2_PING:
        if ((frame->hd.flags & NGHTTP2_FLAG_ACK) == 0) {
            grpc_guard_ping(c);
        } else {
            grpc_guard_ping_ack(c, frame->ping.opaque_data);
        }
        break;
    case NGHTTP2_GOAWAY: c->goaway = true; break;
    default: break;
    }
    bool ends = frame->hd.type == NGHTTP2_DATA || frame->hd.type == NGHTTP2_HEADERS;
    if (ends && call != NULL && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0) {
        grpc_recv_end(call);
    }
    return c->fate != GRPC_REASON_NONE ? NGHTTP2_ERR_CALLBACK_FAILURE : 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t stream, const uint8_t *data,
                   size_t len, void *arg)
{
    struct grpc_call *call = call_of(session, stream);
    (void)flags;
    (void)arg;
    if (call != NULL && call->state < GRPC_CALL_ANSWERED) {
        grpc_recv_data(call, (const char *)data, len);
    }
    nghttp2_session_consume_connection(session, len);
    return 0;
}

static int on_invalid_frame(nghttp2_session *session, const nghttp2_frame *frame, int error,
                            void *arg)
{
    struct grpc_conn *c = arg;
    (void)session;
    c->head_ns = frame->hd.type == NGHTTP2_HEADERS ? 0 : c->head_ns;
    grpc_server_count(c->server, error == NGHTTP2_ERR_REFUSED_STREAM ? GRPC_REASON_STREAMS_MANY
                                                                     : GRPC_REASON_STREAM_BAD);
    return 0;
}

static int on_sent(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
    struct grpc_conn *c = arg;
    if (frame->hd.type == NGHTTP2_RST_STREAM) {
        return frame->rst_stream.error_code == NGHTTP2_NO_ERROR || grpc_guard_reset(c)
                   ? 0
                   : NGHTTP2_ERR_CALLBACK_FAILURE;
    }
    if (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA) {
        return 0;
    }
    c->sent_since_ping = true;
    struct grpc_call *call = call_of(session, frame->hd.stream_id);
    if ((frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0 && call != NULL && !call->remote_done) {
        nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, frame->hd.stream_id,
                                  NGHTTP2_NO_ERROR);
    }
    return 0;
}

static int on_stream_close(nghttp2_session *session, int32_t stream, uint32_t error, void *arg)
{
    struct grpc_conn *c = arg;
    struct grpc_call *call = call_of(session, stream);
    (void)error;
    if (call != NULL) {
        bool in_head = call->state == GRPC_CALL_HEAD; /* its head was no good: counted as such */
        c->head_ns = in_head ? 0 : c->head_ns;
        nghttp2_session_set_stream_user_data(session, stream, NULL);
        grpc_call_over(call, in_head ? GRPC_REASON_NONE : GRPC_REASON_CANCELLED);
    }
    return 0;
}

void grpc_conn_callbacks(nghttp2_session_callbacks *cb)
{
    nghttp2_session_callbacks_set_on_begin_frame_callback(cb, on_begin_frame);
    nghttp2_session_callbacks_set_on_begin_headers_callback(cb, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(cb, on_header);
    nghttp2_session_callbacks_set_on_frame_recv_callback(cb, on_frame);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(cb, on_data);
    nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(cb, on_invalid_frame);
    nghttp2_session_callbacks_set_on_frame_send_callback(cb, on_sent);
    nghttp2_session_callbacks_set_on_stream_close_callback(cb, on_stream_close);
}

/* --- how it ends --- */

void grpc_conn_state(struct grpc_conn *c, enum grpc_conn_state state)
{
    assert(c->state < state);
    c->state = state;
    c->since_ns = loop_now_ns(c->server->loop);
}

/* Every call of it, waiting or only kept by a handler, learns that the connection is gone. */
static void forget_calls(struct grpc_conn *c, enum grpc_reason why)
{
    while (c->calls != NULL) {
        struct grpc_call *call = c->calls;
        bool over = call->stream == 0;
        c->calls = call->next;
        if (call->next != NULL) {
            call->next->prev = NULL;
        }
        if (call->state < GRPC_CALL_ANSWERED) {
            assert(c->open_calls > 0);
            c->open_calls--;
        }
        call->conn = NULL;
        call->prev = call->next = NULL;
        if (!over) {
            grpc_call_over(call, why);
        }
    }
}

/* By hand, for nghttp2 is not asked for anything any more: it may stand in the middle of a frame.
 */
static void put_goaway(struct grpc_conn *c, uint32_t code, struct slice text)
{
    uint8_t frame[17] = {0};
    int32_t last = nghttp2_session_get_last_proc_stream_id(c->io.session);
    frame[2] = (uint8_t)(8 + text.len); /* a reason's name is short */
    frame[3] = NGHTTP2_GOAWAY;
    endian_put_be32(frame + 9, (uint32_t)last);
    endian_put_be32(frame + 13, code);
    h2_io_put(&c->io, frame, sizeof frame);
    h2_io_put(&c->io, text.ptr, text.len);
}

void grpc_conn_end(struct grpc_conn *c, enum grpc_reason why)
{
    char name[GRPC_REASON_BYTES];
    assert(why != GRPC_REASON_NONE);
    if (c->state >= GRPC_CONN_FLUSH) {
        return;
    }
    grpc_server_count(c->server, why);
    bool flood = why != GRPC_REASON_PROTOCOL_BAD;
    /* The one text that clients look for, to ping less often from then on. */
    struct slice text = why == GRPC_REASON_PING_FLOOD ? SLICE("too_many_pings")
                                                      : slice_str(grpc_reason_name(why, name));
    put_goaway(c, flood ? NGHTTP2_ENHANCE_YOUR_CALM : NGHTTP2_PROTOCOL_ERROR, text);
    grpc_conn_state(c, GRPC_CONN_FLUSH);
}

void grpc_conn_kill(struct grpc_conn *c, enum grpc_reason why)
{
    if (c->state == GRPC_CONN_DEAD) {
        return;
    }
    if (why != GRPC_REASON_NONE) {
        grpc_server_count(c->server, why);
    }
    grpc_conn_state(c, GRPC_CONN_DEAD);
    if (!c->pumping && !c->server->sweeping) {
        grpc_conn_reap(c);
    }
}

void grpc_conn_reap(struct grpc_conn *c)
{
    struct grpc_server *g = c->server;
    assert(c->state == GRPC_CONN_DEAD && !c->pumping);
    *(c->prev != NULL ? &c->prev->next : &g->conns) = c->next;
    if (c->next != NULL) {
        c->next->prev = c->prev;
    }
    forget_calls(c, GRPC_REASON_CLIENT_GONE);
    for (struct grpc_conn **p = &g->dirty; *p != NULL; p = &(*p)->next_dirty) {
        if (*p == c) {
            *p = c->next_dirty;
            break;
        }
    }
    bufferevent_setcb(c->io.bev, NULL, NULL, NULL, NULL);
    h2_io_done(&c->io);
    GRPC_STAT(g, connections, -1);
    struct http_conn *http = c->http;
    mem_free(c);
    http_conn_release(http);
}

/* --- the pump --- */

static void add_figures(struct grpc_conn *c)
{
    GRPC_STAT(c->server, in_bytes, c->io.in_bytes - c->in_seen);
    GRPC_STAT(c->server, out_bytes, c->io.out_bytes - c->out_seen);
    c->in_seen = c->io.in_bytes;
    c->out_seen = c->io.out_bytes;
}

static void talk(struct grpc_conn *c)
{
    int rc = 0;
    if (h2_io_unread(&c->io) > 0) {
        c->read_ns = loop_now_ns(c->server->loop);
        rc = h2_io_feed(&c->io);
    }
    rc = rc == 0 ? h2_io_flush(&c->io) : rc;
    if (rc != 0) {
        grpc_conn_end(c, c->fate != GRPC_REASON_NONE          ? c->fate
                         : rc == NGHTTP2_ERR_FLOODED          ? GRPC_REASON_CONTROL_FLOOD
                         : rc == NGHTTP2_ERR_CALLBACK_FAILURE ? GRPC_REASON_CONTROL_FLOOD
                                                              : GRPC_REASON_PROTOCOL_BAD);
    } else if (!nghttp2_session_want_read(c->io.session) &&
               !nghttp2_session_want_write(c->io.session)) {
        if (c->state < GRPC_CONN_LAST && !c->goaway) {
            grpc_server_count(c->server, GRPC_REASON_PROTOCOL_BAD); /* nghttp2 has said GOAWAY */
        }
        grpc_conn_state(c, GRPC_CONN_FLUSH);
    }
}

/* Everything is said and sent: the other side sees the end, and may read our last words before we
 * close over what it is still sending. */
static void part(struct grpc_conn *c)
{
    if (c->io.broken) {
        grpc_conn_kill(c, GRPC_REASON_NONE);
        return;
    }
    h2_io_shut(&c->io);
    grpc_conn_state(c, GRPC_CONN_LINGER);
}

void grpc_conn_pump(struct grpc_conn *c)
{
    assert(!c->pumping);
    c->pumping = true;
    if (c->state < GRPC_CONN_FLUSH) {
        talk(c);
    }
    if (c->state >= GRPC_CONN_FLUSH) {
        struct evbuffer *in = bufferevent_get_input(c->io.bev);
        evbuffer_drain(in, evbuffer_get_length(in));
        forget_calls(c, GRPC_REASON_CLIENT_GONE);
    }
    h2_io_write(&c->io);
    add_figures(c);
    if (c->eof) {
        grpc_conn_kill(c, GRPC_REASON_NONE);
    } else if (c->state == GRPC_CONN_FLUSH && (h2_io_unsent(&c->io) == 0 || c->io.broken)) {
        part(c);
    } else {
        h2_io_steer(&c->io, true);
    }
    c->pumping = false;
    if (c->state == GRPC_CONN_DEAD && !c->server->sweeping) {
        grpc_conn_reap(c);
    }
}

static void on_read(struct bufferevent *bev, void *arg)
{
    (void)bev;
    grpc_conn_pump(arg);
}

static void on_event(struct bufferevent *bev, short what, void *arg)
{
    struct grpc_conn *c = arg;
    (void)bev;
    if ((what & (BEV_EVENT_ERROR | BEV_EVENT_EOF)) != 0) {
        c->eof = true;
        c->io.broken = c->io.broken || (what & BEV_EVENT_ERROR) != 0;
        grpc_conn_pump(c); /* what came before the end is looked at */
    }
}

static void say_hello(struct grpc_conn *c)
{
    const struct grpc_server_conf *f = &c->server->conf;
    const nghttp2_settings_entry settings[] = {
        {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, f->streams_max},
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, f->stream_window},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, f->header_list_bytes},
    };
    int rc =
        nghttp2_submit_settings(c->io.session, NGHTTP2_FLAG_NONE, settings, ARRAY_LEN(settings));
    assert(rc == 0);
    rc = nghttp2_session_set_local_window_size(c->io.session, NGHTTP2_FLAG_NONE, 0,
                                               (int32_t)f->conn_window);
    assert(rc == 0);
    (void)rc;
}

struct grpc_conn *grpc_conn_new(struct grpc_server *g, struct http_conn *http,
                                struct bufferevent *bev)
{
    struct grpc_conn *c = MEM_NEW(struct grpc_conn);
    c->server = g;
    c->http = http;
    c->next = g->conns;
    if (g->conns != NULL) {
        g->conns->prev = c;
    }
    g->conns = c;
    GRPC_STAT(g, connections_total, 1);
    GRPC_STAT(g, connections, 1);
    c->since_ns = c->busy_ns = c->read_ns = loop_now_ns(g->loop);
    c->resets = (struct h2_bucket){g->conf.resets_burst, c->since_ns};
    c->frames = (struct h2_bucket){g->conf.frames_burst, c->since_ns};
    c->old_at_ns = INT64_MAX;
    c->last_stream = -1;
    if (g->conf.age_max_ms > 0) {
        g->dice = g->dice * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        int64_t age = (int64_t)g->conf.age_max_ms * CLOCK_NS_PER_MS;
        c->old_at_ns =
            c->since_ns + age / 10 * 9 + (int64_t)((g->dice >> 33) % (uint64_t)(age / 5 + 1));
    }
    c->peer.len = sizeof c->peer.u;
    if (getpeername(bufferevent_getfd(bev), &c->peer.u.sa, &c->peer.len) != 0) {
        c->peer.len = 0;
    }
    h2_io_init(&c->io, bev, g->conf.read_bytes, g->conf.high_water);
    if (nghttp2_session_server_new2(&c->io.session, g->callbacks, c, g->options) != 0) {
        abort(); /* as malloc failing */
    }
    bufferevent_setcb(bev, on_read, on_read, on_event, c);
    say_hello(c);
    if (g->stats.connections > g->conf.connections_max) {
        grpc_conn_end(c, GRPC_REASON_CONNECTIONS_MANY);
    }
    grpc_server_dirty(g, c);
    return c;
}
