/* SPDX-License-Identifier: Apache-2.0
 *
 * See grpc_link.h. Loop thread.
 */
#include "core/net/grpc_link.h"

#include "core/base/mem.h"
#include "core/codec/text.h"
#include "core/net/tls.h"

#include <assert.h>
#include <event2/bufferevent_ssl.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

enum { READ_BYTES = 64 * 1024, HIGH_WATER = 512 * 1024, NV_MAX = 32 };

static struct grpc_client_call *call_of(nghttp2_session *session, int32_t stream)
{
    return stream > 0 ? nghttp2_session_get_stream_user_data(session, stream) : NULL;
}

/* --- what comes back --- */

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                     size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags,
                     void *arg)
{
    struct grpc_client_call *call = call_of(session, frame->hd.stream_id);
    struct slice n = slice_of(name, name_len), v = slice_of(value, value_len);
    uint64_t number;
    (void)flags;
    (void)arg;
    if (call == NULL) {
        return 0;
    }
    if (slice_eq(n, SLICE(":status")) && slice_to_u64(v, &number)) {
        call->http = (unsigned)MIN(number, 999);
    } else if (slice_eq(n, SLICE("grpc-status")) && slice_to_u64(v, &number)) {
        call->has_status = true;
        call->status = number < GRPC_STATUS_COUNT ? (enum grpc_status)number : GRPC_UNKNOWN;
    } else if (slice_eq(n, SLICE("grpc-message"))) {
        buf_clear(&call->text);
        grpc_percent_get(&call->text, v);
    } else if (slice_eq(n, SLICE("grpc-status-details-bin"))) {
        char *to = buf_room(&call->details, v.len);
        int64_t len = to != NULL ? text_get_base64(v, to, v.len) : -1;
        buf_commit(&call->details, len > 0 ? (size_t)len : 0);
    }
    return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t stream, const uint8_t *data,
                   size_t len, void *arg)
{
    struct grpc_client_call *call = call_of(session, stream);
    (void)flags;
    (void)arg;
    if (call != NULL && !call->over) {
        buf_add(&call->reply, data, len);
    }
    return 0;
}

static void unlink_call(struct grpc_client_call *call)
{
    struct grpc_link *l = call->link;
    *(call->prev != NULL ? &call->prev->next : &l->calls) = call->next;
    if (call->next != NULL) {
        call->next->prev = call->prev;
    }
    call->link = NULL;
    call->prev = call->next = NULL;
}

/* The call has no stream any more. */
static void end_call(struct grpc_client_call *call, enum grpc_status status, const char *why)
{
    unlink_call(call);
    if (call->over) {
        grpc_client_call_free(call);
        return;
    }
    if (!call->has_status) {
        call->local = call->http == 0 || call->http == 200;
        call->status = status;
        buf_clear(&call->text);
        buf_add_str(&call->text, why);
    }
    grpc_client_finish(call);
}

static enum grpc_status status_of_reset(uint32_t error)
{
    switch (error) {
    case NGHTTP2_REFUSED_STREAM: return GRPC_UNAVAILABLE;
    case NGHTTP2_CANCEL: return GRPC_CANCELLED;
    case NGHTTP2_ENHANCE_YOUR_CALM: return GRPC_RESOURCE_EXHAUSTED;
    default: return GRPC_INTERNAL;
    }
}

static enum grpc_status status_of_http(unsigned http)
{
    switch (http) {
    case 400: return GRPC_INTERNAL;
    case 401: return GRPC_UNAUTHENTICATED;
    case 403: return GRPC_PERMISSION_DENIED;
    case 404: return GRPC_UNIMPLEMENTED;
    case 429:
    case 502:
    case 503:
    case 504: return GRPC_UNAVAILABLE;
    default: return GRPC_UNKNOWN;
    }
}

static int on_stream_close(nghttp2_session *session, int32_t stream, uint32_t error, void *arg)
{
    struct grpc_client_call *call = call_of(session, stream);
    (void)arg;
    if (call == NULL) {
        return 0;
    }
    nghttp2_session_set_stream_user_data(session, stream, NULL);
    if (call->http != 0 && call->http != 200) {
        end_call(call, status_of_http(call->http), "answered by something other than gRPC");
    } else {
        end_call(call, status_of_reset(error), nghttp2_http2_strerror(error));
    }
    return 0;
}

/* A request that could not leave: the server has said GOAWAY before. */
static int on_not_sent(nghttp2_session *session, const nghttp2_frame *frame, int error, void *arg)
{
    struct grpc_client_call *call = call_of(session, frame->hd.stream_id);
    (void)arg;
    if (frame->hd.type == NGHTTP2_HEADERS && call != NULL) {
        nghttp2_session_set_stream_user_data(session, frame->hd.stream_id, NULL);
        end_call(call, GRPC_UNAVAILABLE, nghttp2_strerror(error));
    }
    return 0;
}

static void leave(struct grpc_link *l)
{
    l->leaving = true;
    if (l->client->link == l) {
        l->client->link = NULL;
    }
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
    (void)session;
    if (frame->hd.type == NGHTTP2_GOAWAY) {
        leave(arg);
    }
    return 0;
}

/* --- a link's life --- */

void grpc_link_kill(struct grpc_link *l, const char *why)
{
    if (l->dead) {
        return;
    }
    l->dead = true;
    leave(l);
    while (l->calls != NULL) {
        end_call(l->calls, GRPC_UNAVAILABLE, why);
    }
    grpc_client_soon(l->client);
}

void grpc_link_reap(struct grpc_client *c)
{
    for (struct grpc_link **p = &c->links; *p != NULL;) {
        struct grpc_link *l = *p;
        if (!l->dead || l->pumping) {
            p = &l->next;
            continue;
        }
        *p = l->next;
        h2_io_done(&l->io);
        bufferevent_free(l->io.bev);
        mem_free(l);
    }
}

void grpc_link_pump(struct grpc_link *l)
{
    if (l->dead || l->pumping) {
        return;
    }
    l->pumping = true;
    int rc = h2_io_unread(&l->io) > 0 ? h2_io_feed(&l->io) : 0;
    rc = rc == 0 && l->connected ? h2_io_flush(&l->io) : rc;
    h2_io_write(&l->io);
    h2_io_steer(&l->io, true);
    bool idle = l->calls == NULL && l->leaving;
    if (rc != 0) {
        grpc_link_kill(l, nghttp2_strerror(rc));
    } else if (idle || (!nghttp2_session_want_read(l->io.session) &&
                        !nghttp2_session_want_write(l->io.session))) {
        grpc_link_kill(l, "the server has closed the connection");
    }
    l->pumping = false;
}

static void on_ready(struct bufferevent *bev, void *arg)
{
    struct grpc_link *l = arg;
    struct grpc_client *c = l->client;
    (void)bev;
    grpc_link_pump(l);
    grpc_client_deliver(c);
}

static void on_event(struct bufferevent *bev, short what, void *arg)
{
    struct grpc_link *l = arg;
    char why[200] = "the server has closed the connection";
    (void)bev;
    if ((what & BEV_EVENT_CONNECTED) != 0) {
        const int on = 1;
        l->connected = true;
        (void)setsockopt(bufferevent_getfd(l->io.bev), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        grpc_client_soon(l->client);
        return;
    }
    if ((what & BEV_EVENT_ERROR) != 0 && !l->connected) {
        unsigned long tls = l->io.ssl != NULL ? bufferevent_get_openssl_error(l->io.bev) : 0;
        int error = EVUTIL_SOCKET_ERROR();
        if (l->io.ssl != NULL && (tls != 0 || error == 0)) {
            tls_error_text(l->io.ssl, tls, why, sizeof why);
        } else {
            snprintf(why, sizeof why, "cannot connect to %s: %s", l->client->where,
                     evutil_socket_error_to_string(error));
        }
    } else if ((what & BEV_EVENT_EOF) != 0 && l->connected) {
        grpc_link_pump(l); /* a last GOAWAY or answer */
    }
    grpc_link_kill(l, why);
}

static void make_callbacks(struct grpc_client *c)
{
    if (nghttp2_session_callbacks_new(&c->callbacks) != 0) {
        abort(); /* as malloc failing */
    }
    nghttp2_session_callbacks_set_on_header_callback(c->callbacks, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(c->callbacks, on_data);
    nghttp2_session_callbacks_set_on_stream_close_callback(c->callbacks, on_stream_close);
    nghttp2_session_callbacks_set_on_frame_not_send_callback(c->callbacks, on_not_sent);
    nghttp2_session_callbacks_set_on_frame_recv_callback(c->callbacks, on_frame);
}

struct grpc_link *grpc_link_new(struct grpc_client *c)
{
    struct grpc_link *l = MEM_NEW(struct grpc_link);
    struct event_base *base = loop_base(c->loop);
    struct bufferevent *bev;
    if (c->callbacks == NULL) {
        make_callbacks(c);
    }
    if (c->tls != NULL) {
        const char *name = c->conf.tls_name != NULL ? c->conf.tls_name : c->where;
        bev = bufferevent_openssl_socket_new(base, -1, tls_connect(c->tls, name),
                                             BUFFEREVENT_SSL_CONNECTING, BEV_OPT_CLOSE_ON_FREE);
        bufferevent_openssl_set_allow_dirty_shutdown(bev, 1);
    } else {
        bev = bufferevent_socket_new(base, -1, BEV_OPT_CLOSE_ON_FREE);
    }
    l->client = c;
    l->next = c->links;
    c->links = l;
    l->born_ns = loop_now_ns(c->loop);
    h2_io_init(&l->io, bev, READ_BYTES, HIGH_WATER);
    const nghttp2_settings_entry settings[] = {
        {NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, c->conf.stream_window},
    };
    if (nghttp2_session_client_new(&l->io.session, c->callbacks, l) != 0 ||
        nghttp2_submit_settings(l->io.session, NGHTTP2_FLAG_NONE, settings, ARRAY_LEN(settings)) !=
            0 ||
        nghttp2_session_set_local_window_size(l->io.session, NGHTTP2_FLAG_NONE, 0,
                                              (int32_t)c->conf.conn_window) != 0) {
        abort(); /* as malloc failing */
    }
    bufferevent_setcb(bev, on_ready, on_ready, on_event, l);
    l->pumping = true; /* a connect that fails at once calls back */
    if (bufferevent_socket_connect(bev, &c->addr.u.sa, (int)c->addr.len) != 0) {
        grpc_link_kill(l, "cannot connect");
    }
    l->pumping = false;
    return l;
}

/* --- a call goes out --- */

static ssize_t read_message(nghttp2_session *session, int32_t stream, uint8_t *out, size_t size,
                            uint32_t *flags, nghttp2_data_source *source, void *arg)
{
    struct grpc_client_call *call = source->ptr;
    size_t done = 0;
    (void)session;
    (void)stream;
    (void)arg;
    if (call->over) {
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    }
    if (call->sent < GRPC_PREFIX_BYTES) {
        done = MIN(size, GRPC_PREFIX_BYTES - call->sent);
        memcpy(out, call->prefix + call->sent, done);
        call->sent += done;
    }
    if (call->sent >= GRPC_PREFIX_BYTES) {
        size_t at = call->sent - GRPC_PREFIX_BYTES;
        size_t n = MIN(size - done, call->message.len - at);
        if (n > 0) {
            memcpy(out + done, call->message.ptr + at, n);
        }
        call->sent += n;
        done += n;
        if (at + n == call->message.len) {
            *flags |= NGHTTP2_DATA_FLAG_EOF;
        }
    }
    return (ssize_t)done;
}

static void add(nghttp2_nv *nv, size_t *n, struct slice name, struct slice value)
{
    assert(*n < NV_MAX);
    nv[(*n)++] = (nghttp2_nv){.name = (uint8_t *)(uintptr_t)name.ptr,
                              .value = (uint8_t *)(uintptr_t)value.ptr,
                              .namelen = name.len,
                              .valuelen = value.len};
}

void grpc_link_submit(struct grpc_link *l, struct grpc_client_call *call,
                      const struct grpc_ask *ask)
{
    nghttp2_nv nv[NV_MAX];
    size_t n = 0;
    char timeout[16];
    struct slice scheme = l->io.ssl != NULL ? SLICE("https") : SLICE("http");
    add(nv, &n, SLICE(":method"), SLICE("POST"));
    add(nv, &n, SLICE(":scheme"), scheme);
    add(nv, &n, SLICE(":path"), slice_str(ask->path));
    add(nv, &n, SLICE(":authority"), slice_str(l->client->authority));
    add(nv, &n, SLICE("te"), SLICE("trailers"));
    add(nv, &n, SLICE("content-type"), SLICE("application/grpc"));
    if (ask->coding != INFLATE_IDENTITY) {
        add(nv, &n, SLICE("grpc-encoding"), slice_str(inflate_coding_name(ask->coding)));
    }
    if (ask->timeout_ns > 0) {
        add(nv, &n, SLICE("grpc-timeout"), slice_str(grpc_timeout_text(ask->timeout_ns, timeout)));
    }
    for (size_t i = 0; i < ask->metadata_count && n < NV_MAX; i++) {
        add(nv, &n, ask->metadata[i].name, ask->metadata[i].value);
    }
    call->link = l;
    call->next = l->calls;
    if (l->calls != NULL) {
        l->calls->prev = call;
    }
    l->calls = call;
    const nghttp2_data_provider body = {.source.ptr = call, .read_callback = read_message};
    call->stream = nghttp2_submit_request(l->io.session, NULL, nv, n, &body, call);
    if (call->stream < 0) {
        end_call(call, GRPC_UNAVAILABLE, nghttp2_strerror(call->stream));
    }
}

void grpc_link_reset(struct grpc_link *l, struct grpc_client_call *call)
{
    (void)nghttp2_submit_rst_stream(l->io.session, NGHTTP2_FLAG_NONE, call->stream, NGHTTP2_CANCEL);
    grpc_client_soon(l->client);
}
