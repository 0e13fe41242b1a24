/* SPDX-License-Identifier: Apache-2.0
 *
 * A gRPC client for unary calls: one connection, many calls at once. It connects at the first call,
 * and again at the next one after the connection has ended; it never repeats a call by itself (what
 * the client of the client does with RetryInfo is its business). One loop's thread.
 *
 *     struct grpc_client_conf conf = grpc_client_conf_default();
 *     conf.addr = "127.0.0.1:4317";
 *     grpc_client_new(loop, &conf, &client, &err);
 *     grpc_client_call(client, &(struct grpc_ask){.path = "/pkg.Service/Method",
 *                      .message = bytes, .done = on_done, .arg = app});
 *
 * `done` is called exactly once for each call, never from within grpc_client_call, unless the call
 * was cancelled or the client freed. GOAWAY: calls that the server has not seen end UNAVAILABLE,
 * the others go on, new ones go over a new connection.
 */
#ifndef CORE_NET_GRPC_CLIENT_H
#define CORE_NET_GRPC_CLIENT_H

#include "core/codec/inflate.h"
#include "core/net/grpc.h"
#include "core/net/http.h"

struct grpc_client;
struct grpc_client_call;
struct loop;
struct tls_ctx;

struct grpc_client_conf {
    const char *addr;     /* as addr.h says: no names but localhost */
    struct tls_ctx *tls;  /* NULL: h2c; made by tls_client_new with alpn_h2 */
    const char *tls_name; /* whom the certificate must be for; NULL: the address */
    size_t reply_max;     /* bytes of an answer */
    uint32_t connect_ms, stream_window, conn_window;
};

/* The result; its slices are valid during `done`. */
struct grpc_result {
    enum grpc_status status;
    struct slice text;    /* grpc-message, decoded */
    struct slice message; /* of the answer; status 0 */
    struct slice details; /* google.rpc.Status, decoded from base64 */
    int64_t retry_ns;     /* RetryInfo's delay; < 0: none */
    unsigned http;        /* :status; 0: no answer came */
    bool local;           /* made up here: no connection, reset, timeout */
    int64_t took_ns;
};

struct grpc_ask {
    const char *path;
    struct slice message;              /* borrowed until done; as it is to be sent */
    enum inflate_coding coding;        /* how it is packed already */
    const struct http_field *metadata; /* names in lower case; borrowed during the call */
    size_t metadata_count;
    int64_t timeout_ns; /* 0 = none; sent as grpc-timeout and watched here */
    void (*done)(void *arg, const struct grpc_result *r);
    void *arg;
};

struct grpc_client_conf grpc_client_conf_default(void);
int grpc_client_new(struct loop *l, const struct grpc_client_conf *conf,
                    struct grpc_client **ret_client, struct err *reterr) NODISCARD;
void grpc_client_free(struct grpc_client *c); /* calls in work end without `done` */
/* The call, for grpc_client_cancel; valid until done. */
struct grpc_client_call *grpc_client_call(struct grpc_client *c, const struct grpc_ask *ask);
void grpc_client_cancel(struct grpc_client_call *call); /* no `done` */
size_t grpc_client_active(const struct grpc_client *c); /* calls in work */
/* Closes the connection; the next call makes a new one. Calls in work end UNAVAILABLE. */
void grpc_client_reset(struct grpc_client *c);

#endif
