/* SPDX-License-Identifier: Apache-2.0
 *
 * A request as its handler sees it (http_req.h): body pieces, collecting, pause and resume,
 * references. The connection holds one reference as long as the exchange lasts. Loop thread.
 */
#include "core/net/http_req.h"

#include "core/base/mem.h"
#include "core/net/http_conn.h"
#include "core/net/loop.h"
#include "core/net/tls.h"

#include <assert.h>

struct http_req *req_new(struct http_conn *c)
{
    struct http_req *r = MEM_NEW(struct http_req);
    r->conn = c;
    r->loop = c->server->loop;
    r->refs = 1;
    r->reply_left = -1;
    return r;
}

struct http_req *http_req_ref(struct http_req *r)
{
    assert(r->refs > 0);
    r->refs++;
    return r;
}

struct http_req *http_req_unref(struct http_req *r)
{
    assert(r == NULL || r->refs > 0);
    if (r != NULL && --r->refs == 0) {
        assert(r->conn == NULL);
        if (r->ops != NULL && r->ops->freed != NULL) {
            r->ops->freed(r->arg);
        }
        mem_free(r);
    }
    return NULL;
}

/* What it holds of the server's memory goes back. */
static void drop_whole(struct http_req *r)
{
    if (r->whole.ptr != NULL) {
        assert(r->conn->server->stats.buffered >= r->whole.cap);
        STAT_ADD(r->conn->server, buffered, -(int64_t)(r->whole.cap));
        buf_done(&r->whole);
    }
}

void req_detach(struct http_req *r, bool gone)
{
    assert(r->conn != NULL && r->conn->req != r);
    drop_whole(r);
    r->conn = NULL;
    if (gone && r->ops != NULL && r->ops->gone != NULL) {
        r->ops->gone(r, r->arg);
    }
    http_req_unref(r);
}

static void give_whole(struct http_req *r, struct slice body)
{
    void (*fn)(struct http_req *, struct slice, void *) = r->on_whole;
    r->on_whole = NULL;
    http_req_ref(r);
    fn(r, body, r->whole_arg);
    /* Still ours, not answered, and nobody else holds it: nobody ever will answer. */
    if (r->conn != NULL && r->reply == REPLY_NONE && !r->taken && r->refs == 2) {
        http_problem_reason(r, HTTP_REASON_NO_REPLY);
    }
    http_req_unref(r);
}

static enum http_reason collect(struct http_req *r, struct slice part)
{
    struct http_server *s = r->conn->server;
    const struct http_parser *p = &r->conn->parser;
    if (part.len > r->whole_max - r->whole.len) {
        return HTTP_REASON_BODY_LARGE;
    }
    if (p->head.has_length && part.len == p->head.length) {
        give_whole(r, part); /* it came in one piece: no copy */
        return HTTP_REASON_NONE;
    }
    size_t before = r->whole.cap;
    if (s->stats.buffered + part.len > s->conf.buffered_max) {
        return HTTP_REASON_BUFFERS_FULL;
    }
    if (!buf_add_slice(&r->whole, part)) {
        return HTTP_REASON_BODY_LARGE;
    }
    STAT_ADD(s, buffered, r->whole.cap - before);
    return HTTP_REASON_NONE;
}

enum http_reason req_body_part(struct http_req *r, struct slice part)
{
    assert(r->conn != NULL && part.len > 0);
    if (r->on_whole != NULL) {
        return collect(r, part);
    }
    if (r->ops != NULL && r->ops->data != NULL) {
        r->ops->data(r, part, r->arg);
    }
    return HTTP_REASON_NONE;
}

void req_body_end(struct http_req *r)
{
    assert(r->conn != NULL && r->body_done);
    if (r->reply == REPLY_ENDED) {
        return;
    }
    if (r->on_whole != NULL) {
        give_whole(r, buf_slice(&r->whole));
    } else if (r->ops != NULL && r->ops->end != NULL) {
        r->ops->end(r, r->arg);
    }
}

void req_drained(struct http_req *r)
{
    r->full = false;
    if (r->ops != NULL && r->ops->drained != NULL && r->reply == REPLY_BEGUN) {
        r->ops->drained(r, r->arg);
    }
}

const struct http_head *http_req_head(const struct http_req *r)
{
    return r->conn != NULL ? &r->conn->parser.head : NULL;
}

struct slice http_req_field(const struct http_req *r, struct slice name)
{
    return r->conn != NULL ? http_head_field(&r->conn->parser.head, name) : SLICE_NONE;
}

struct slice http_req_tail(const struct http_req *r)
{
    return r->conn != NULL ? r->tail : SLICE_NONE;
}

void http_req_take(struct http_req *r, const struct http_req_ops *ops, void *arg)
{
    assert(ops != NULL && !r->taken);
    r->taken = true;
    r->ops = ops;
    r->arg = arg;
}

void http_req_collect(struct http_req *r, size_t max_bytes,
                      void (*fn)(struct http_req *r, struct slice body, void *arg), void *arg)
{
    assert(fn != NULL && max_bytes > 0 && !r->collecting);
    r->collecting = true;
    r->on_whole = fn;
    r->whole_arg = arg;
    r->whole_max = max_bytes;
    buf_init(&r->whole, max_bytes);
    if (r->conn != NULL && r->conn->parser.body_max > max_bytes) {
        r->conn->parser.body_max = max_bytes; /* refused at its Content-Length already */
    }
}

void http_req_pause(struct http_req *r)
{
    if (r->conn != NULL && !r->paused) {
        r->paused = true;
        r->paused_at_ns = loop_now_ns(r->loop);
    }
}

void http_req_resume(struct http_req *r)
{
    if (r->conn != NULL && r->paused) {
        r->paused = false;
        r->conn->since_ns += loop_now_ns(r->loop) - r->paused_at_ns;
        conn_touch(r->conn);
    }
}
