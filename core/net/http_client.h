/* SPDX-License-Identifier: Apache-2.0
 *
 * The HTTP/1.1 client: asynchronous calls on one loop, connections kept and shared by origin,
 * bodies streamed both ways, everything bounded in size and time. Redirects are not followed.
 *
 *     static const struct http_call_ops ops = {.head = on_head, .data = on_data, .done = on_done};
 *     struct http_call_spec spec = {.url = "https://h/x"};
 *     http_call_start(client, &spec, &ops, arg, &call, &err)
 *
 * done is called exactly once, never from within http_call_start, and ends the call; before it the
 * call may be cancelled, then done is not called. A request that met a kept connection in the
 * moment of its death is sent again on a fresh one if its method is idempotent or the spec says
 * `repeatable`; any other failure is the caller's to judge: ERR_FLAG_RETRY says that trying later
 * makes sense. All on the loop's thread; the client must not be freed from within a callback.
 */
#ifndef CORE_NET_HTTP_CLIENT_H
#define CORE_NET_HTTP_CLIENT_H

#include "core/base/err.h"
#include "core/net/http.h"

struct http_call;
struct http_client;
struct loop;
struct tls_ctx;

struct http_client_conf {
    struct http_limits limits; /* of answers */
    struct tls_ctx *tls;       /* NULL: https with the system's CAs and no certificate */
    uint32_t connect_ms;       /* name, connection and TLS handshake */
    uint32_t total_ms;         /* of a call with everything; 0 = no limit */
    uint32_t stall_ms;         /* without a byte in either direction; 0 = no limit */
    uint32_t idle_ms;          /* how long a connection is kept for the next call */
    uint32_t connections_max;  /* to one origin at a time; further calls wait */
    uint32_t waiting_max;      /* calls waiting for one origin; further ones: ERR_AGAIN */
    uint64_t answer_max;       /* bytes of a body */
    uint32_t high_water;       /* of a streamed request: bytes not yet sent */
};

struct http_call_spec {
    enum http_method method; /* GET if nothing is said */
    const char *url;
    const char *via; /* connect there instead (addr.h): "unix:/run/k.sock", "10.0.0.1:80" */
    const struct http_field *fields; /* copied; framing fields are refused */
    size_t field_count;
    struct slice body;   /* copied */
    bool stream;         /* instead: chunks by http_call_write */
    bool repeatable;     /* harmless to send twice, whatever the method */
    uint64_t answer_max; /* 0: the client's; likewise: */
    uint32_t total_ms, stall_ms;
    bool endless; /* no total_ms, no stall_ms: a stream of events */
};

/* Any may be NULL but done. */
struct http_call_ops {
    void (*head)(struct http_call *c, const struct http_head *h, void *arg);
    void (*data)(struct http_call *c, struct slice part, void *arg);
    void (*writable)(struct http_call *c, void *arg); /* after a full http_call_write */
    void (*done)(struct http_call *c, const struct err *err, void *arg); /* NULL: complete */
};

struct http_client_stats {
    uint64_t calls, failed, repeated; /* calls ended, in error; requests sent again */
    uint64_t connected, reused;       /* connections made; calls that found one */
    uint64_t open, waiting;           /* now: connections; calls without one */
};

struct http_client_conf http_client_conf_default(void);
struct http_client *http_client_new(struct loop *l, const struct http_client_conf *conf);
void http_client_free(struct http_client *c); /* calls under way end with ERR_CLOSED */
struct http_client_stats http_client_stats(const struct http_client *c);

int http_call_start(struct http_client *c, const struct http_call_spec *spec,
                    const struct http_call_ops *ops, void *arg, struct http_call **ret_call,
                    struct err *reterr) NODISCARD;
void http_call_cancel(struct http_call *call);
/* Of a streamed request. False: full; it must not be called again before ops.writable was. */
bool http_call_write(struct http_call *call, struct slice part);
void http_call_end(struct http_call *call);
/* Stops and restarts reading the answer. */
void http_call_pause(struct http_call *call);
void http_call_resume(struct http_call *call);

#endif
