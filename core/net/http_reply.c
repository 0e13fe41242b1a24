/* SPDX-License-Identifier: Apache-2.0
 *
 * The answer to a request: head, body of known length or in chunks, problem documents. The one
 * place that decides whether a connection lives on after its answer. Loop thread.
 */
#include "core/base/mem.h"
#include "core/net/http_conn.h"
#include "core/net/loop.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

enum { FLUSH_BYTES = 32 * 1024, DETAIL_MAX = 512, PROBLEM_MAX = 8 * 1024 };

void reply_raw(struct http_conn *c, struct slice text)
{
    evbuffer_add(c->out, text.ptr, text.len);
}

static void count_answer(struct http_server *s, unsigned status)
{
    assert(status >= 100 && status < 600);
    STAT_ADD(s, answers[status / 100], 1);
}

/* Bytes of the body that have not arrived; UINT64_MAX if nobody knows. */
static uint64_t body_to_come(const struct http_conn *c)
{
    const struct http_parser *p = &c->parser;
    if (c->req != NULL && c->req->body_done) {
        return 0;
    }
    return p->head.chunked ? UINT64_MAX : p->head.has_length ? p->head.length - p->body_bytes : 0;
}

bool reply_keeps_alive(const struct http_conn *c)
{
    const struct http_server *s = c->server;
    const struct http_req *r = c->req;
    bool worn = (s->conf.requests_max > 0 && c->served + 1 >= s->conf.requests_max) ||
                (c->old_at_ns != INT64_MAX && loop_now_ns(s->loop) >= c->old_at_ns);
    if (!c->parser.head.keep_alive || s->draining || worn || c->closing) {
        return false;
    }
    uint64_t left = body_to_come(c);
    if (left == 0) {
        return true;
    }
    if (c->parser.head.expect_continue && !r->continued && c->parser.body_bytes == 0) {
        return false; /* nobody knows whether the body will come */
    }
    bool reads_on = r->ops != NULL && r->ops->data != NULL;
    return reads_on || left <= s->conf.discard_bytes;
}

/* The status line and the fields that every answer has. */
static void put_head(struct http_conn *c, unsigned status, const char *content_type, bool keep)
{
    struct http_server *s = c->server;
    evbuffer_add_printf(c->out, "HTTP/1.1 %u %s\r\nDate: %s\r\n", status, http_status_text(status),
                        server_date(s));
    if (content_type != NULL) {
        evbuffer_add_printf(c->out, "Content-Type: %s\r\n", content_type);
    }
    if (!keep) {
        reply_raw(c, SLICE("Connection: close\r\n"));
    } else if (c->parser.head.http10) {
        reply_raw(c, SLICE("Connection: keep-alive\r\n"));
    }
    count_answer(s, status);
}

void http_reply_field(struct http_req *r, const char *name, struct slice value)
{
    assert(name != NULL && r->reply == REPLY_NONE);
    if (r->conn != NULL && http_is_token(slice_str(name)) && http_is_value(value)) {
        struct buf *b = &r->conn->extra;
        size_t before = b->len;
        buf_add_str(b, name);
        buf_add_str(b, ": ");
        buf_add_slice(b, value);
        buf_add_str(b, "\r\n");
        if (buf_failed(b)) {
            b->len = before;
        }
    }
}

void http_reply_begin(struct http_req *r, unsigned status, const char *content_type, int64_t length)
{
    assert(r->reply == REPLY_NONE && status >= 200 && status < 600);
    struct http_conn *c = r->conn;
    r->reply = REPLY_BEGUN;
    if (c == NULL) {
        return;
    }
    bool bodyless = status == 204 || status == 304;
    r->no_body = bodyless || c->parser.head.method == HTTP_HEAD;
    r->reply_left = length >= 0 ? length : -1;
    r->chunked = length < 0 && !bodyless && !c->parser.head.http10;
    bool until_close = length < 0 && !bodyless && c->parser.head.http10;
    bool keep = reply_keeps_alive(c) && !until_close;
    c->closing = c->closing || !keep;
    put_head(c, status, content_type, keep);
    if (length >= 0 && !bodyless) {
        evbuffer_add_printf(c->out, "Content-Length: %" PRId64 "\r\n", length);
    } else if (r->chunked) {
        reply_raw(c, SLICE("Transfer-Encoding: chunked\r\n"));
    }
    reply_raw(c, buf_slice(&c->extra));
    buf_clear(&c->extra);
    reply_raw(c, SLICE("\r\n"));
}

/* Adds to the output; the framing of chunks included. */
static void put_part(struct http_req *r, struct slice part)
{
    struct http_conn *c = r->conn;
    if (r->reply_left >= 0) {
        assert((int64_t)part.len <= r->reply_left && "more than the length announced");
        part.len = (size_t)MIN((int64_t)part.len, r->reply_left);
        r->reply_left -= (int64_t)part.len;
    }
    if (part.len == 0 || r->no_body) {
        return;
    }
    if (r->chunked) {
        evbuffer_add_printf(c->out, "%zx\r\n", part.len);
    }
    reply_raw(c, part);
    if (r->chunked) {
        reply_raw(c, SLICE("\r\n"));
    }
}

bool http_reply_write(struct http_req *r, struct slice part)
{
    assert(r->reply == REPLY_BEGUN);
    struct http_conn *c = r->conn;
    if (c == NULL || c->broken) {
        return false;
    }
    put_part(r, part);
    /* Inside the pump, small parts wait for each other; it flushes at its end. */
    if (!c->pumping || evbuffer_get_length(c->out) >= FLUSH_BYTES) {
        conn_flush(c);
    }
    r->full = conn_unsent(c) > c->server->conf.high_water;
    return !r->full;
}

void http_reply_end(struct http_req *r)
{
    assert(r->reply == REPLY_BEGUN);
    struct http_conn *c = r->conn;
    r->reply = REPLY_ENDED;
    if (c == NULL) {
        return;
    }
    if (r->chunked && !r->no_body) {
        reply_raw(c, SLICE("0\r\n\r\n"));
    }
    if (r->reply_left > 0 && !r->no_body) {
        r->reply = REPLY_BEGUN;
        http_reply_abort(r); /* shorter than announced: the client must see that it is cut */
        return;
    }
    conn_touch(c);
}

void http_reply_abort(struct http_req *r)
{
    struct http_conn *c = r->conn;
    if (c != NULL && !c->broken) {
        conn_flush(c);
        c->broken = true;
        bufferevent_trigger_event(c->bev, BEV_EVENT_ERROR, BEV_TRIG_DEFER_CALLBACKS);
    }
}

void http_reply(struct http_req *r, unsigned status, const char *content_type, struct slice body)
{
    http_reply_begin(r, status, content_type, (int64_t)body.len);
    if (r->conn != NULL && body.len > 0 && !(status == 204 || status == 304)) {
        put_part(r, body);
    }
    http_reply_end(r);
}

static void put_json_string(struct buf *b, const char *text)
{
    buf_add_byte(b, '"');
    for (const char *p = text; *p != '\0'; p++) {
        uint8_t ch = (uint8_t)*p;
        if (ch == '"' || ch == '\\') {
            buf_add_byte(b, '\\');
            buf_add_byte(b, ch);
        } else if (ch < 0x20) {
            buf_addf(b, "\\u%04x", ch);
        } else {
            buf_add_byte(b, ch);
        }
    }
    buf_add_byte(b, '"');
}

/* RFC 9457; "about:blank" is the type of problems that say no more than their status. */
static void write_problem(struct buf *b, unsigned status, const char *detail, const char *reason)
{
    buf_addf(b, "{\"type\":\"about:blank\",\"title\":\"%s\",\"status\":%u,\"detail\":",
             http_status_text(status), status);
    put_json_string(b, detail);
    if (reason != NULL) {
        buf_add_str(b, ",\"reason\":");
        put_json_string(b, reason);
    }
    buf_add_str(b, "}\n");
}

void http_problem(struct http_req *r, unsigned status, const char *fmt, ...)
{
    char detail[DETAIL_MAX];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(detail, sizeof detail, fmt, ap);
    va_end(ap);
    /* A cut may have gone through the middle of a character. */
    while (detail[0] != '\0' && !slice_is_utf8(slice_str(detail))) {
        detail[strlen(detail) - 1] = '\0';
    }
    struct buf b;
    buf_init(&b, PROBLEM_MAX);
    write_problem(&b, status, detail, NULL);
    http_reply(r, status, "application/problem+json", buf_slice(&b));
    buf_done(&b);
}

void http_problem_reason(struct http_req *r, enum http_reason why)
{
    struct buf b;
    char name[HTTP_REASON_BYTES];
    unsigned status = http_reason_status(why);
    assert(status >= 400);
    if (r->conn != NULL) {
        server_count(r->conn->server, why);
    }
    buf_init(&b, PROBLEM_MAX);
    write_problem(&b, status, http_reason_doc(why), http_reason_name(why, name));
    http_reply(r, status, "application/problem+json", buf_slice(&b));
    buf_done(&b);
}

void reply_refusal(struct http_conn *c, enum http_reason why)
{
    struct buf b;
    char name[HTTP_REASON_BYTES];
    unsigned status = http_reason_status(why);
    assert(status >= 400);
    buf_init(&b, PROBLEM_MAX);
    write_problem(&b, status, http_reason_doc(why), http_reason_name(why, name));
    put_head(c, status, "application/problem+json", false);
    if (status == 503) {
        reply_raw(c, SLICE("Retry-After: 1\r\n"));
    }
    evbuffer_add_printf(c->out, "Content-Length: %zu\r\n\r\n", b.len);
    if (c->parser.head.method != HTTP_HEAD) {
        reply_raw(c, buf_slice(&b));
    }
    buf_clear(&c->extra);
    buf_done(&b);
}
