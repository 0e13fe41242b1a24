/* SPDX-License-Identifier: Apache-2.0
 *
 * A request and its answer, as a handler sees them. The handler is called when the head is there.
 * It may answer at once, or take the request and answer when it likes, from the loop's thread:
 *
 *     http_reply(r, 200, "text/plain", SLICE("ok\n"));                 at once
 *     http_req_collect(r, 1 << 20, on_body, arg);                      the whole body, then on_body
 *     http_req_take(r, &ops, arg);                                     the body piece by piece
 *     http_reply_begin(r, 200, "text/csv", -1); http_reply_write(...); http_reply_end(r);
 *
 * A request that was neither taken, collected nor answered when the callback returns is answered
 * 500. `r` is valid until its answer has ended or ops.gone was called; with http_req_ref it is
 * valid until http_req_unref, and calls on one whose client has gone do nothing. So a handler that
 * answers later takes a reference or provides `gone`. Slices are valid as long as the client is
 * there, the pieces of a body during the callback only. All of this on the loop's thread; another
 * thread posts to the loop. Ending an answer may call the next request's handler before it returns.
 */
#ifndef CORE_NET_HTTP_REQ_H
#define CORE_NET_HTTP_REQ_H

#include "core/net/http.h"

struct addr;
struct http_req;
struct http_route;
struct loop;

/* Any may be NULL. */
struct http_req_ops {
    void (*data)(struct http_req *r, struct slice part, void *arg);
    void (*end)(struct http_req *r, void *arg);     /* the body is complete */
    void (*drained)(struct http_req *r, void *arg); /* after a full write: write on */
    void (*gone)(struct http_req *r, void *arg);    /* no answer can be given any more */
    void (*freed)(void *arg);                       /* always, once, the last call */
};

const struct http_head *http_req_head(const struct http_req *r); /* NULL once the client is gone */
struct slice http_req_field(const struct http_req *r, struct slice name);
struct slice http_req_tail(const struct http_req *r); /* of a prefix route */

void http_req_take(struct http_req *r, const struct http_req_ops *ops, void *arg);
/* A larger body is answered 413. fn gets it whole; it may be called before this returns. With
 * http_req_take before it, ops.gone and ops.freed apply as well. */
void http_req_collect(struct http_req *r, size_t max_bytes,
                      void (*fn)(struct http_req *r, struct slice body, void *arg), void *arg);
/* Backpressure: no more of the body is read until resume; the client's time stands still. */
void http_req_pause(struct http_req *r);
void http_req_resume(struct http_req *r);
struct http_req *http_req_ref(struct http_req *r);
struct http_req *http_req_unref(struct http_req *r); /* NULL */

/* A header field of the answer, before it begins. Control characters make it be left out. */
void http_reply_field(struct http_req *r, const char *name, struct slice value);
/* length < 0: unknown, sent in chunks. content_type may be NULL. */
void http_reply_begin(struct http_req *r, unsigned status, const char *content_type,
                      int64_t length);
/* False: more than the high-water mark is waiting; write on after ops.drained. An empty part only
 * sends what is waiting, the head for instance. */
bool http_reply_write(struct http_req *r, struct slice part);
void http_reply_end(struct http_req *r);
/* In the middle of an answer: closes the connection, so that the client sees that it is cut. */
void http_reply_abort(struct http_req *r);

/* The whole answer in one call. */
void http_reply(struct http_req *r, unsigned status, const char *content_type, struct slice body);
/* RFC 9457: application/problem+json with status, title and the formatted detail. */
void http_problem(struct http_req *r, unsigned status, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void http_problem_reason(struct http_req *r, enum http_reason why); /* counted by reason */

#endif
