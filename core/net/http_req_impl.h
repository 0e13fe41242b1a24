/* SPDX-License-Identifier: Apache-2.0
 *
 * Inside the server: a request from its complete head to the end of its answer. It outlives its
 * connection while a handler holds it (`refs`); then conn is NULL. See http_conn.h.
 */
#ifndef CORE_NET_HTTP_REQ_IMPL_H
#define CORE_NET_HTTP_REQ_IMPL_H

#include "core/base/buf.h"
#include "core/net/http_req.h"
#include "core/net/http_route.h"

enum reply_state { REPLY_NONE = 0, REPLY_BEGUN = 1, REPLY_ENDED = 2 };

struct http_req {
    struct http_conn *conn; /* NULL: the client has gone */
    struct loop *loop;
    unsigned refs;
    const struct http_route *route;
    struct slice tail;
    const struct http_req_ops *ops;
    void *arg;
    void (*on_whole)(struct http_req *r, struct slice body, void *arg);
    void *whole_arg;
    size_t whole_max;
    struct buf whole;
    bool taken, collecting, paused, body_done, continued;
    enum reply_state reply;
    bool no_body;         /* of the answer: HEAD, 204, 304 */
    bool chunked;         /* the answer */
    bool full;            /* drained is due */
    int64_t reply_left;   /* of a known length; -1 unknown */
    int64_t paused_at_ns; /* when pause began */
    int64_t born_ns;      /* when the head was complete */
};

#endif
