/* SPDX-License-Identifier: Apache-2.0
 *
 * TLS contexts out of files: certificate, key, CA. TLS 1.2 and newer, no renegotiation, no
 * compression. Errors name the file.
 *
 *     struct tls_conf conf = {.cert_file = "s.pem", .key_file = "s.key", .ca_file = "clients.pem",
 *                             .verify = TLS_VERIFY_REQUIRE};
 *     tls_server_new(&conf, &ctx, &err)
 *     tls_reload(ctx, &err)      reads the files again: new connections use them, on an error the
 *                                old ones stay
 *
 * A context may be shared between threads and is counted: tls_ref, tls_unref.
 */
#ifndef CORE_NET_TLS_H
#define CORE_NET_TLS_H

#include "core/base/err.h"
#include "core/base/slice.h"

struct ssl_st; /* OpenSSL's SSL */
struct tls_ctx;

enum tls_verify {
    TLS_VERIFY_DEFAULT = 0,  /* client: the server's certificate and name; server: none */
    TLS_VERIFY_NONE = 1,     /* client: anything goes (tests only) */
    TLS_VERIFY_OPTIONAL = 2, /* server: a client may have a certificate; if so it must be good */
    TLS_VERIFY_REQUIRE = 3,  /* server: a client must have one (mTLS) */
};

struct tls_conf {
    const char *cert_file, *key_file; /* PEM; the chain behind the certificate */
    const char *ca_file;              /* PEM; NULL: client = the system's, server = none */
    enum tls_verify verify;
    bool alpn_h2; /* server: prefer h2 to http/1.1; client: offer h2 alone */
};

int tls_server_new(const struct tls_conf *conf, struct tls_ctx **ret_ctx,
                   struct err *reterr) NODISCARD;
int tls_client_new(const struct tls_conf *conf, struct tls_ctx **ret_ctx,
                   struct err *reterr) NODISCARD;
int tls_reload(struct tls_ctx *ctx, struct err *reterr) NODISCARD;
struct tls_ctx *tls_ref(struct tls_ctx *ctx);
struct tls_ctx *tls_unref(struct tls_ctx *ctx); /* NULL */

/* One connection's object; the bufferevent frees it. For a client, name is the host that the
 * certificate must be for (a DNS name or an address). */
struct ssl_st *tls_accept(struct tls_ctx *ctx);
struct ssl_st *tls_connect(struct tls_ctx *ctx, const char *name);
/* Why a handshake failed: the verification result if there is one, else OpenSSL's reason; false if
 * neither says anything because the other side just went away. */
bool tls_error_text(struct ssl_st *ssl, unsigned long ssl_error, char *out, size_t size);
/* The common name, or the first DNS or URI name, of the peer's verified certificate. */
bool tls_peer_name(struct ssl_st *ssl, char *out, size_t size);
/* Says goodbye (close_notify); never blocks. */
void tls_goodbye(struct ssl_st *ssl);

#endif
