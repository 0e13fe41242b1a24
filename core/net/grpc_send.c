/* SPDX-License-Identifier: Apache-2.0
 *
 * Answers. Success is three frames: HEADERS, DATA with the message, HEADERS with the trailers.
 * An error is one HEADERS frame that ends the stream. What is not gRPC at all gets an ordinary HTTP
 * answer that says so, with the grpc-status beside it. If the client is still sending, its stream
 * is reset with NO_ERROR once the answer is out (grpc_conn.c). Loop thread.
 */
#include "core/net/grpc_conn.h"

#include "core/codec/endian.h"
#include "core/codec/text.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

enum { NV_MAX = 8 };

static const char type_grpc[] = "application/grpc";
static const char codings[] = "identity,gzip,deflate,zstd,snappy";

struct nv_list {
    nghttp2_nv nv[NV_MAX];
    size_t n;
};

/* Copied by nghttp2. */
static void add(struct nv_list *l, const char *name, struct slice value)
{
    assert(l->n < NV_MAX);
    l->nv[l->n++] = (nghttp2_nv){.name = (uint8_t *)(uintptr_t)name,
                                 .value = (uint8_t *)(uintptr_t)value.ptr,
                                 .namelen = strlen(name),
                                 .valuelen = value.len};
}

/* Literals: not copied. */
#define NV_LIT(name_, value_)                                                                      \
    {                                                                                              \
        .name = (uint8_t *)(uintptr_t)(name_), .value = (uint8_t *)(uintptr_t)(value_),            \
        .namelen = sizeof(name_) - 1, .valuelen = sizeof(value_) - 1,                              \
        .flags = NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE,                     \
    }

static ssize_t read_reply(nghttp2_session *session, int32_t stream, uint8_t *out, size_t size,
                          uint32_t *flags, nghttp2_data_source *source, void *arg)
{
    struct grpc_call *call = source->ptr;
    size_t n = MIN(size, call->reply.len - call->reply_at);
    (void)arg;
    memcpy(out, call->reply.ptr + call->reply_at, n);
    call->reply_at += n;
    if (call->reply_at == call->reply.len) {
        *flags |= NGHTTP2_DATA_FLAG_EOF;
        if (!call->plain_reply) {
            nghttp2_nv ok[] = {NV_LIT("grpc-status", "0")};
            *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
            nghttp2_submit_trailer(session, stream, ok, ARRAY_LEN(ok));
        }
    }
    return (ssize_t)n;
}

static void submit(struct grpc_call *call, const nghttp2_nv *nv, size_t n, bool has_data)
{
    struct grpc_conn *c = call->conn;
    const nghttp2_data_provider provider = {.source.ptr = call, .read_callback = read_reply};
    assert(call->stream > 0);
    /* A stream that nghttp2 has given up meanwhile is closed in its next callback. */
    (void)nghttp2_submit_response(c->io.session, call->stream, nv, n, has_data ? &provider : NULL);
    grpc_server_dirty(c->server, c);
}

void grpc_reply(struct grpc_call *c, struct slice message)
{
    assert(c->refs > 0);
    if (c->state >= GRPC_CALL_ANSWERED) {
        return;
    }
    static const nghttp2_nv head[] = {NV_LIT(":status", "200"),
                                      NV_LIT("content-type", "application/grpc")};
    uint8_t prefix[GRPC_PREFIX_BYTES] = {0};
    endian_put_be32(prefix + 1, (uint32_t)message.len);
    buf_clear(&c->reply);
    c->reply_at = 0;
    buf_add(&c->reply, prefix, sizeof prefix);
    buf_add_slice(&c->reply, message);
    if (buf_failed(&c->reply)) {
        grpc_fail(c, GRPC_INTERNAL, "the answer is too long");
        return;
    }
    submit(c, head, ARRAY_LEN(head), true);
    grpc_call_answered(c, GRPC_OK);
}

/* One HEADERS frame with everything. */
static void send_status(struct grpc_call *call, const struct grpc_details *d, bool say_codings)
{
    char number[8];
    struct nv_list l = {.n = 0};
    struct buf text, details, base64;
    if (call->state >= GRPC_CALL_ANSWERED) {
        return;
    }
    buf_init(&text, (size_t)GRPC_TEXT_BYTES * 3);
    buf_init(&details, GRPC_DETAILS_BYTES);
    buf_init(&base64, (size_t)GRPC_DETAILS_BYTES * 2);
    snprintf(number, sizeof number, "%d", (int)d->status);
    add(&l, ":status", SLICE("200"));
    add(&l, "content-type", SLICE("application/grpc"));
    add(&l, "grpc-status", slice_str(number));
    if (d->message.len > 0) {
        grpc_percent_put(&text, slice_sub(d->message, 0, GRPC_TEXT_BYTES));
        add(&l, "grpc-message", buf_slice(&text));
    }
    if (d->retry_ns >= 0 || d->bad_reason.ptr != NULL) {
        grpc_details_put(&details, d);
        if (!buf_failed(&details) && text_put_base64(&base64, buf_slice(&details))) {
            struct slice s = buf_slice(&base64);
            while (s.len > 0 && s.ptr[s.len - 1] == '=') {
                s.len--;
            }
            add(&l, "grpc-status-details-bin", s);
        }
    }
    if (say_codings) {
        add(&l, "grpc-accept-encoding", slice_str(codings));
    }
    submit(call, l.nv, l.n, false);
    grpc_call_answered(call, d->status);
    buf_done(&text);
    buf_done(&details);
    buf_done(&base64);
}

/* To somebody who does not speak gRPC. */
static void send_plain(struct grpc_call *call, enum grpc_reason why)
{
    char http[8], status[8];
    struct nv_list l = {.n = 0};
    snprintf(http, sizeof http, "%u", grpc_reason_http(why));
    snprintf(status, sizeof status, "%d", (int)grpc_reason_status(why));
    add(&l, ":status", slice_str(http));
    add(&l, "content-type", SLICE("text/plain"));
    add(&l, "grpc-status", slice_str(status));
    if (why == GRPC_REASON_VERB_BAD) {
        add(&l, "allow", SLICE("POST"));
    } else {
        add(&l, "accept", slice_str(type_grpc));
    }
    call->plain_reply = true;
    buf_clear(&call->reply);
    call->reply_at = 0;
    buf_addf(&call->reply, "%s: this port speaks gRPC\n", grpc_reason_doc(why));
    submit(call, l.nv, l.n, !call->is_head);
    grpc_call_answered(call, grpc_reason_status(why));
}

void grpc_send_refusal(struct grpc_call *call, enum grpc_reason why, int64_t retry_ns,
                       struct slice detail)
{
    char text[GRPC_TEXT_BYTES];
    assert(why != GRPC_REASON_NONE && grpc_reason_http(why) != 0);
    const struct grpc_server_conf *f = &call->server->conf;
    grpc_server_count(call->server, why);
    if (f->refused != NULL) {
        f->refused(f->refused_arg, why);
    }
    if (grpc_reason_http(why) != 200) {
        send_plain(call, why);
        return;
    }
    int n = snprintf(text, sizeof text, "%s%s" SLICE_FMT, grpc_reason_doc(why),
                     detail.len > 0 ? ": " : "", SLICE_ARG(detail));
    struct grpc_details d = {
        .status = grpc_reason_status(why),
        .message = slice_of(text, MIN((size_t)n, sizeof text - 1)),
        .retry_ns = retry_ns,
    };
    if (d.status == GRPC_INVALID_ARGUMENT) {
        d.bad_field = SLICE("message");
        d.bad_reason = detail.len > 0 ? detail : d.message;
    }
    send_status(call, &d, why == GRPC_REASON_CODING_UNKNOWN);
}

static void fail(struct grpc_call *c, enum grpc_status status, int64_t retry_ns, const char *fmt,
                 va_list ap)
{
    char text[GRPC_TEXT_BYTES];
    assert(status > GRPC_OK && status < GRPC_STATUS_COUNT);
    int n = vsnprintf(text, sizeof text, fmt, ap);
    size_t len = n < 0 ? 0 : MIN((size_t)n, sizeof text - 1);
    const struct grpc_details d = {status, slice_of(text, len), retry_ns, SLICE_NONE, SLICE_NONE};
    send_status(c, &d, false);
}

void grpc_fail(struct grpc_call *c, enum grpc_status status, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    fail(c, status, -1, fmt, ap);
    va_end(ap);
}

void grpc_fail_retry(struct grpc_call *c, enum grpc_status status, int64_t retry_ns,
                     const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    fail(c, status, MAX(retry_ns, 0), fmt, ap);
    va_end(ap);
}

void grpc_fail_details(struct grpc_call *c, const struct grpc_details *d)
{
    assert(d->status > GRPC_OK && d->status < GRPC_STATUS_COUNT);
    send_status(c, d, false);
}

void grpc_fail_reason(struct grpc_call *c, enum grpc_reason why)
{
    if (c->state < GRPC_CALL_ANSWERED) {
        grpc_send_refusal(c, why, -1, SLICE_NONE);
    }
}
