/* SPDX-License-Identifier: Apache-2.0
 *
 * See grpc_call.h: a call's references, memory, and what a handler may ask it. Loop thread.
 */
#include "core/net/grpc_call.h"

#include "core/base/mem.h"
#include "core/net/grpc_conn.h"
#include "core/net/tls.h"

#include <assert.h>
#include <stdio.h>

enum {
    SPARE_MAX = 256,
    SPARE_FIELDS_BYTES = 4096,
    ANSWER_FRAMES = 8, /* so many frames without content belong to an honest call */
};

/* --- memory --- */

bool grpc_call_reserve(struct grpc_call *call, size_t bytes, int64_t *ret_retry_ns)
{
    struct grpc_server *g = call->server;
    const struct grpc_budget *b = &g->conf.budget;
    size_t held = call->conn != NULL ? call->conn->held : 0;
    *ret_retry_ns = CLOCK_NS_PER_S;
    if (b->reserve != NULL && !b->reserve(b->arg, bytes, held, ret_retry_ns)) {
        return false;
    }
    call->reserved += bytes;
    if (call->conn != NULL) {
        call->conn->held += bytes;
    }
    GRPC_STAT(g, reserved, bytes);
    return true;
}

void grpc_call_release(struct grpc_call *call, size_t bytes)
{
    struct grpc_server *g = call->server;
    assert(bytes <= call->reserved);
    if (bytes == 0) {
        return;
    }
    call->reserved -= bytes;
    if (call->conn != NULL) {
        assert(call->conn->held >= bytes);
        call->conn->held -= bytes;
    }
    GRPC_STAT(g, reserved, -(uint64_t)bytes);
    if (g->conf.budget.release != NULL) {
        g->conf.budget.release(g->conf.budget.arg, bytes);
    }
}

void grpc_call_drop(struct grpc_call *c)
{
    assert(c != NULL);
    mem_free(c->body);
    c->body = NULL;
    c->body_len = c->body_have = 0;
    grpc_call_release(c, c->reserved);
}

/* --- life --- */

static void unlink_call(struct grpc_call *call)
{
    struct grpc_conn *c = call->conn;
    if (c == NULL) {
        return;
    }
    *(call->prev != NULL ? &call->prev->next : &c->calls) = call->next;
    if (call->next != NULL) {
        call->next->prev = call->prev;
    }
    call->conn = NULL;
}

static void destroy(struct grpc_call *call)
{
    buf_done(&call->fields);
    buf_done(&call->reply);
    mem_free(call);
}

static void recycle(struct grpc_call *call)
{
    struct grpc_server *g = call->server;
    if (g->closed || g->spare_count >= SPARE_MAX || call->fields.cap > SPARE_FIELDS_BYTES ||
        call->reply.cap > SPARE_FIELDS_BYTES) {
        destroy(call);
        return;
    }
    struct buf fields = call->fields, reply = call->reply;
    *call = (struct grpc_call){.next = g->spare, .fields = fields, .reply = reply};
    buf_clear(&call->fields);
    buf_clear(&call->reply);
    g->spare = call;
    g->spare_count++;
}

void grpc_call_spares_free(struct grpc_server *g)
{
    while (g->spare != NULL) {
        struct grpc_call *next = g->spare->next;
        destroy(g->spare);
        g->spare = next;
    }
    g->spare_count = 0;
}

struct grpc_call *grpc_call_ref(struct grpc_call *c)
{
    assert(c->refs > 0);
    c->refs++;
    return c;
}

struct grpc_call *grpc_call_unref(struct grpc_call *c)
{
    if (c == NULL) {
        return NULL;
    }
    assert(c->refs > 0);
    if (--c->refs == 0) {
        grpc_call_drop(c);
        unlink_call(c);
        if (c->ops != NULL && c->ops->freed != NULL) {
            c->ops->freed(c->arg);
        }
        struct grpc_server *g = c->server;
        recycle(c);
        grpc_server_call_freed(g);
    }
    return NULL;
}

static void leave(struct grpc_call *call, enum grpc_call_state state)
{
    if (call->state < GRPC_CALL_ANSWERED) {
        GRPC_STAT(call->server, active, -1);
        if (call->conn != NULL) {
            assert(call->conn->open_calls > 0);
            call->conn->open_calls--;
            call->conn->busy_ns = loop_now_ns(call->server->loop);
        }
    }
    call->state = state;
}

void grpc_call_answered(struct grpc_call *call, enum grpc_status status)
{
    assert(call->state < GRPC_CALL_ANSWERED);
    GRPC_STAT(call->server, answers[status], 1);
    grpc_server_timed(call->server, call->born_ns);
    if (call->conn != NULL) {
        call->conn->frames.tokens += ANSWER_FRAMES;
    }
    leave(call, GRPC_CALL_ANSWERED);
    if (!call->keep) {
        grpc_call_drop(call);
    }
}

void grpc_call_expire(struct grpc_call *call, enum grpc_reason why)
{
    bool waits = call->taken && call->ops != NULL && call->ops->gone != NULL;
    grpc_call_ref(call);
    call->keep = call->state == GRPC_CALL_HANDED;
    grpc_send_refusal(call, why, -1, SLICE_NONE);
    if (waits) {
        call->ops->gone(call, call->arg);
    }
    grpc_call_unref(call);
}

void grpc_call_over(struct grpc_call *call, enum grpc_reason why)
{
    bool waits = call->state < GRPC_CALL_ANSWERED;
    if (waits && why != GRPC_REASON_NONE) {
        grpc_server_count(call->server, why);
    }
    leave(call, GRPC_CALL_GONE);
    call->stream = 0;
    if (waits && call->taken && call->ops != NULL && call->ops->gone != NULL) {
        call->ops->gone(call, call->arg);
    }
    grpc_call_unref(call); /* the connection's */
}

void grpc_call_take(struct grpc_call *c, const struct grpc_call_ops *ops, void *arg)
{
    assert(!c->taken && c->state == GRPC_CALL_HANDED);
    c->taken = true;
    c->ops = ops;
    c->arg = arg;
}

/* --- questions --- */

/* The fields are records in one buffer: two lengths, name, value. */
static bool next_field(struct slice *rest, struct slice *ret_name, struct slice *ret_value)
{
    uint32_t n[2];
    if (rest->len < sizeof n) {
        return false;
    }
    memcpy(n, rest->ptr, sizeof n);
    const char *p = rest->ptr + sizeof n;
    *ret_name = slice_of(p, n[0]);
    *ret_value = slice_of(p + n[0], n[1]);
    *rest = slice_sub(*rest, sizeof n + n[0] + n[1], rest->len);
    return true;
}

struct slice grpc_call_field(const struct grpc_call *c, struct slice name)
{
    struct slice rest = buf_slice(&c->fields), key, value;
    while (next_field(&rest, &key, &value)) {
        if (slice_eq(key, name)) {
            return value;
        }
    }
    return SLICE_NONE;
}

struct slice grpc_call_path(const struct grpc_call *c)
{
    return grpc_call_field(c, SLICE(":path"));
}

struct slice grpc_call_message(const struct grpc_call *c)
{
    return slice_of(c->body != NULL ? c->body : "", c->body_have);
}

enum inflate_coding grpc_call_coding(const struct grpc_call *c)
{
    return c->packed ? c->coding : INFLATE_IDENTITY;
}

const struct addr *grpc_call_peer(const struct grpc_call *c)
{
    return c->conn != NULL ? &c->conn->peer : NULL;
}

bool grpc_call_is_open(const struct grpc_call *c)
{
    return c->state < GRPC_CALL_ANSWERED;
}
