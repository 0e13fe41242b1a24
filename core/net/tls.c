/* SPDX-License-Identifier: Apache-2.0
 *
 * See tls.h. tls_reload builds a whole new SSL_CTX and swaps it in under a lock; connections that
 * exist keep a reference to the one they began with. Any thread.
 */
#include "core/net/tls.h"

#include "core/base/mem.h"

#include <arpa/inet.h>
#include <assert.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

struct tls_ctx {
    _Atomic unsigned refs;
    pthread_mutex_t lock; /* of ssl */
    SSL_CTX *ssl;
    struct tls_conf conf; /* its strings are copies */
    bool server;
};

/* ALPN wire form: length, name. */
static const uint8_t alpn_both[] = "\x02h2\x08http/1.1";
static const uint8_t alpn_h1[] = "\x08http/1.1";
static const uint8_t alpn_h2[] = "\x02h2";

static const char *reason_text(unsigned long code)
{
    const char *text = ERR_reason_error_string(code);
    return text != NULL ? text : "unknown reason";
}

static int file_error(struct err *reterr, const char *what, const char *file)
{
    unsigned long code = ERR_peek_last_error();
    ERR_clear_error();
    return err_set(reterr, ERR_IO, "TLS %s '%s': %s", what, file, reason_text(code));
}

/* An encrypted key must not make a daemon ask its terminal. */
static int no_password(char *buf, int size, int writing, void *arg)
{
    (void)buf;
    (void)size;
    (void)writing;
    (void)arg;
    return 0;
}

static int choose_alpn(SSL *ssl, const uint8_t **out, uint8_t *out_len, const uint8_t *in,
                       unsigned in_len, void *arg)
{
    const struct tls_ctx *ctx = arg;
    const uint8_t *ours = ctx->conf.alpn_h2 ? alpn_both : alpn_h1;
    unsigned len = (unsigned)(ctx->conf.alpn_h2 ? sizeof alpn_both : sizeof alpn_h1) - 1;
    uint8_t *chosen = NULL;
    (void)ssl;
    int rc = SSL_select_next_proto(&chosen, out_len, ours, len, in, in_len);
    *out = chosen;
    return rc == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

static int load_own(SSL_CTX *ssl, const struct tls_conf *c, struct err *reterr)
{
    if (c->cert_file == NULL && c->key_file == NULL) {
        return 0;
    }
    if (c->cert_file == NULL || c->key_file == NULL) {
        return err_set(reterr, ERR_USAGE,
                       "TLS needs both a certificate file and a key file, only "
                       "the %s is given",
                       c->cert_file != NULL ? "certificate" : "key");
    }
    if (SSL_CTX_use_certificate_chain_file(ssl, c->cert_file) != 1) {
        return file_error(reterr, "certificate", c->cert_file);
    }
    if (SSL_CTX_use_PrivateKey_file(ssl, c->key_file, SSL_FILETYPE_PEM) != 1) {
        return file_error(reterr, "key", c->key_file);
    }
    if (SSL_CTX_check_private_key(ssl) != 1) {
        ERR_clear_error();
        return err_set(reterr, ERR_MISMATCH, "TLS key '%s' does not belong to certificate '%s'",
                       c->key_file, c->cert_file);
    }
    return 0;
}

static int load_ca(SSL_CTX *ssl, const struct tls_ctx *ctx, struct err *reterr)
{
    const char *file = ctx->conf.ca_file;
    if (file == NULL) {
        if (!ctx->server && SSL_CTX_set_default_verify_paths(ssl) != 1) {
            return file_error(reterr, "CA directory of the system", X509_get_default_cert_dir());
        }
        return 0;
    }
    if (SSL_CTX_load_verify_locations(ssl, file, NULL) != 1) {
        return file_error(reterr, "CA", file);
    }
    if (ctx->server) {
        STACK_OF(X509_NAME) *names = SSL_load_client_CA_file(file);
        if (names == NULL) {
            return file_error(reterr, "CA", file);
        }
        SSL_CTX_set_client_CA_list(ssl, names);
    }
    return 0;
}

static int verify_mode(const struct tls_ctx *ctx)
{
    switch (ctx->conf.verify) {
    case TLS_VERIFY_DEFAULT: return ctx->server ? SSL_VERIFY_NONE : SSL_VERIFY_PEER;
    case TLS_VERIFY_NONE: return SSL_VERIFY_NONE;
    case TLS_VERIFY_OPTIONAL: return SSL_VERIFY_PEER;
    case TLS_VERIFY_REQUIRE: return SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
    }
    return SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
}

static int build(const struct tls_ctx *ctx, SSL_CTX **ret_ssl, struct err *reterr)
{
    SSL_CTX *ssl = SSL_CTX_new(ctx->server ? TLS_server_method() : TLS_client_method());
    if (ssl == NULL) {
        return err_set(reterr, ERR_LIMIT, "TLS context: %s", reason_text(ERR_get_error()));
    }
    SSL_CTX_set_min_proto_version(ssl, TLS1_2_VERSION);
    SSL_CTX_set_options(ssl, SSL_OP_IGNORE_UNEXPECTED_EOF | SSL_OP_NO_RENEGOTIATION |
                                 SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE);
    SSL_CTX_set_mode(ssl, SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_default_passwd_cb(ssl, no_password);
    int rc = load_own(ssl, &ctx->conf, reterr);
    rc = rc == 0 ? load_ca(ssl, ctx, reterr) : rc;
    if (rc != 0) {
        SSL_CTX_free(ssl);
        return rc;
    }
    SSL_CTX_set_verify(ssl, verify_mode(ctx), NULL);
    if (ctx->server) {
        /* Sessions are resumed by tickets; those of mTLS need to know whose they are. */
        static const uint8_t session_id[] = "kaiju";
        SSL_CTX_set_session_id_context(ssl, session_id, sizeof session_id - 1);
        SSL_CTX_set_alpn_select_cb(ssl, choose_alpn, (void *)(uintptr_t)ctx);
    } else {
        const uint8_t *ours = ctx->conf.alpn_h2 ? alpn_h2 : alpn_h1;
        SSL_CTX_set_alpn_protos(
            ssl, ours, (unsigned)(ctx->conf.alpn_h2 ? sizeof alpn_h2 : sizeof alpn_h1) - 1);
    }
    *ret_ssl = ssl;
    return 0;
}

static const char *copy(const char *s)
{
    return s != NULL ? mem_dup(s, strlen(s)) : NULL;
}

static void ctx_free(struct tls_ctx *ctx)
{
    SSL_CTX_free(ctx->ssl);
    mem_free((void *)(uintptr_t)ctx->conf.cert_file);
    mem_free((void *)(uintptr_t)ctx->conf.key_file);
    mem_free((void *)(uintptr_t)ctx->conf.ca_file);
    pthread_mutex_destroy(&ctx->lock);
    mem_free(ctx);
}

static int ctx_new(const struct tls_conf *conf, bool server, struct tls_ctx **ret_ctx,
                   struct err *reterr)
{
    assert(conf != NULL && ret_ctx != NULL);
    struct tls_ctx *ctx = MEM_NEW(struct tls_ctx);
    atomic_init(&ctx->refs, 1);
    pthread_mutex_init(&ctx->lock, NULL);
    ctx->server = server;
    ctx->conf = *conf;
    ctx->conf.cert_file = copy(conf->cert_file);
    ctx->conf.key_file = copy(conf->key_file);
    ctx->conf.ca_file = copy(conf->ca_file);
    int rc = build(ctx, &ctx->ssl, reterr);
    if (rc != 0) {
        ctx_free(ctx);
        return rc;
    }
    *ret_ctx = ctx;
    return 0;
}

int tls_server_new(const struct tls_conf *conf, struct tls_ctx **ret_ctx, struct err *reterr)
{
    if (conf->cert_file == NULL && conf->key_file == NULL) {
        return err_set(reterr, ERR_USAGE, "a TLS listener needs a certificate file and a key file");
    }
    if (conf->verify >= TLS_VERIFY_OPTIONAL && conf->ca_file == NULL) {
        return err_set(reterr, ERR_USAGE, "verifying clients needs a CA file");
    }
    return ctx_new(conf, true, ret_ctx, reterr);
}

int tls_client_new(const struct tls_conf *conf, struct tls_ctx **ret_ctx, struct err *reterr)
{
    return ctx_new(conf, false, ret_ctx, reterr);
}

int tls_reload(struct tls_ctx *ctx, struct err *reterr)
{
    SSL_CTX *fresh;
    int rc = build(ctx, &fresh, reterr);
    if (rc != 0) {
        return rc;
    }
    pthread_mutex_lock(&ctx->lock);
    SSL_CTX *old = ctx->ssl;
    ctx->ssl = fresh;
    pthread_mutex_unlock(&ctx->lock);
    SSL_CTX_free(old);
    return 0;
}

struct tls_ctx *tls_ref(struct tls_ctx *ctx)
{
    atomic_fetch_add(&ctx->refs, 1);
    return ctx;
}

struct tls_ctx *tls_unref(struct tls_ctx *ctx)
{
    if (ctx != NULL && atomic_fetch_sub(&ctx->refs, 1) == 1) {
        ctx_free(ctx);
    }
    return NULL;
}

static SSL *ssl_new(struct tls_ctx *ctx)
{
    pthread_mutex_lock(&ctx->lock);
    SSL *ssl = SSL_new(ctx->ssl);
    pthread_mutex_unlock(&ctx->lock);
    if (ssl == NULL) {
        abort(); /* as malloc failing */
    }
    return ssl;
}

struct ssl_st *tls_accept(struct tls_ctx *ctx)
{
    assert(ctx->server);
    return ssl_new(ctx);
}

struct ssl_st *tls_connect(struct tls_ctx *ctx, const char *name)
{
    assert(!ctx->server && name != NULL);
    SSL *ssl = ssl_new(ctx);
    uint8_t literal[sizeof(struct in6_addr)];
    bool is_ip = inet_pton(AF_INET, name, literal) == 1 || inet_pton(AF_INET6, name, literal) == 1;
    X509_VERIFY_PARAM *param = SSL_get0_param(ssl);
    int ok;
    if (is_ip) {
        ok = X509_VERIFY_PARAM_set1_ip_asc(param, name);
    } else {
        X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
        ok = X509_VERIFY_PARAM_set1_host(param, name, 0) == 1 &&
             SSL_set_tlsext_host_name(ssl, name) == 1;
    }
    if (ok != 1) {
        abort(); /* names are checked before; only memory is left as a reason */
    }
    return ssl;
}

bool tls_error_text(struct ssl_st *ssl, unsigned long ssl_error, char *out, size_t size)
{
    long verify = SSL_get_verify_result(ssl);
    if (verify != X509_V_OK && SSL_get_verify_mode(ssl) != SSL_VERIFY_NONE) {
        snprintf(out, size, "certificate not accepted: %s", X509_verify_cert_error_string(verify));
    } else if (ssl_error != 0) {
        snprintf(out, size, "%s", reason_text(ssl_error));
    } else {
        snprintf(out, size, "the other side closed the connection");
        return false;
    }
    return true;
}

static bool copy_name(ASN1_STRING *s, char *out, size_t size)
{
    int n = ASN1_STRING_length(s);
    const uint8_t *p = ASN1_STRING_get0_data(s);
    if (n <= 0 || (size_t)n >= size || memchr(p, '\0', (size_t)n) != NULL) {
        return false;
    }
    memcpy(out, p, (size_t)n);
    out[n] = '\0';
    return true;
}

static bool alt_name(X509 *cert, char *out, size_t size)
{
    bool found = false;
    GENERAL_NAMES *names = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
    for (int i = 0; i < sk_GENERAL_NAME_num(names) && !found; i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
        if (name->type == GEN_DNS || name->type == GEN_URI) {
            found = copy_name(name->d.ia5, out, size);
        }
    }
    GENERAL_NAMES_free(names);
    return found;
}

bool tls_peer_name(struct ssl_st *ssl, char *out, size_t size)
{
    X509 *cert = SSL_get_verify_result(ssl) == X509_V_OK ? SSL_get0_peer_certificate(ssl) : NULL;
    if (cert == NULL) {
        return false;
    }
    X509_NAME *subject = X509_get_subject_name(cert);
    int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
    if (at >= 0) {
        return copy_name(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)), out, size);
    }
    return alt_name(cert, out, size);
}

void tls_goodbye(struct ssl_st *ssl)
{
    ERR_clear_error();
    SSL_shutdown(ssl);
    ERR_clear_error();
}
