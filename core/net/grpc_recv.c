/* SPDX-License-Identifier: Apache-2.0
 *
 * A call from the first field of its head to the moment its handler gets the message. Every refusal
 * on this way happens as early as it can: at the head, at the 5 bytes in front of the message, at
 * its end. After it the rest of what comes is dropped. Runs inside of nghttp2's callbacks: loop
 * thread, and nothing here may touch the session but by submitting.
 *
 * To add a coding: a row in core/codec/inflate.def, and its name in coding_of if gRPC calls it
 * otherwise.
 */
#include "core/base/mem.h"
#include "core/codec/endian.h"
#include "core/net/grpc_conn.h"

#include <assert.h>
#include <stdio.h>

enum {
    FIELDS_MAX_BYTES = 1 << 20, /* above any header_list_bytes */
    REPLY_MAX_BYTES = 64 << 20,
    WINDOW_SLACK = 16384, /* a stream that says more than its message is told so, not stalled */
};

struct grpc_call *grpc_recv_begin(struct grpc_conn *c, int32_t stream)
{
    struct grpc_server *g = c->server;
    struct grpc_call *call = g->spare;
    if (call != NULL) {
        g->spare = call->next;
        g->spare_count--;
    } else {
        call = MEM_NEW(struct grpc_call);
        buf_init(&call->fields, FIELDS_MAX_BYTES);
        buf_init(&call->reply, REPLY_MAX_BYTES);
    }
    call->server = g;
    call->conn = c;
    call->stream = stream;
    call->refs = 1;
    g->live_calls++;
    call->coding_known = true;
    call->deadline_ns = INT64_MAX;
    call->born_ns = loop_now_ns(g->loop);
    call->prev = NULL;
    call->next = c->calls;
    if (c->calls != NULL) {
        c->calls->prev = call;
    }
    c->calls = call;
    c->open_calls++;
    GRPC_STAT(g, active, 1);
    GRPC_STAT(g, calls, 1);
    return call;
}

/* application/grpc, application/grpc+proto, either with parameters. */
static bool type_is_grpc(struct slice type)
{
    struct slice bare = slice_trim(slice_sub(type, 0, slice_find(type, ';')));
    return slice_eq_nocase(bare, SLICE("application/grpc")) ||
           slice_eq_nocase(bare, SLICE("application/grpc+proto"));
}

static bool coding_of(struct slice name, enum inflate_coding *ret_coding)
{
    return !slice_eq_nocase(name, SLICE("lz4")) && inflate_coding_of(name, ret_coding);
}

static void store_field(struct grpc_call *call, struct slice name, struct slice value)
{
    const uint32_t n[2] = {(uint32_t)name.len, (uint32_t)value.len};
    buf_add(&call->fields, n, sizeof n);
    buf_add_slice(&call->fields, name);
    buf_add_slice(&call->fields, value);
}

void grpc_recv_field(struct grpc_call *call, struct slice name, struct slice value)
{
    assert(call->state == GRPC_CALL_HEAD);
    call->list_bytes += name.len + value.len + 32;
    if (call->list_bytes > call->server->conf.header_list_bytes) {
        return; /* refused at the end of the head */
    }
    if (slice_eq(name, SLICE(":method"))) {
        call->is_post = slice_eq(value, SLICE("POST"));
        call->is_head = slice_eq(value, SLICE("HEAD"));
    } else if (slice_eq(name, SLICE("content-type"))) {
        call->type_ok = type_is_grpc(value);
    } else if (slice_eq(name, SLICE("grpc-encoding"))) {
        call->coding_known = coding_of(value, &call->coding);
    } else if (slice_eq(name, SLICE("grpc-timeout"))) {
        int64_t ns;
        call->timeout_bad = !grpc_timeout_parse(value, &ns);
        if (!call->timeout_bad) {
            call->deadline_ns = ns > INT64_MAX - call->born_ns ? INT64_MAX : call->born_ns + ns;
        }
    }
    if (name.len > 0 && (name.ptr[0] != ':' || slice_eq(name, SLICE(":path")))) {
        store_field(call, name, value);
    }
}

static const struct grpc_route *find_route(const struct grpc_server *g, struct slice path,
                                           void **ret_arg)
{
    for (size_t t = 0; t < g->table_count; t++) {
        const struct grpc_routes *table = &g->tables[t];
        for (size_t i = 0; i < table->count; i++) {
            if (slice_eq(slice_str(table->rows[i].path), path)) {
                *ret_arg = table->arg;
                return &table->rows[i];
            }
        }
    }
    return NULL;
}

static enum grpc_reason judge_head(struct grpc_call *call)
{
    if (call->list_bytes > call->server->conf.header_list_bytes || buf_failed(&call->fields)) {
        return GRPC_REASON_HEADERS_LARGE;
    }
    if (!call->is_post) {
        return GRPC_REASON_VERB_BAD;
    }
    if (!call->type_ok) {
        return GRPC_REASON_TYPE_BAD;
    }
    call->route = find_route(call->server, grpc_call_path(call), &call->route_arg);
    if (call->route == NULL) {
        return GRPC_REASON_METHOD_UNKNOWN;
    }
    if (call->timeout_bad) {
        return GRPC_REASON_TIMEOUT_BAD;
    }
    return call->coding_known ? GRPC_REASON_NONE : GRPC_REASON_CODING_UNKNOWN;
}

/* While there is no room the window is small; the sweep opens it again. */
static void squeeze(struct grpc_conn *c)
{
    const struct grpc_server_conf *f = &c->server->conf;
    if (!c->squeezed && f->conn_window_low < f->conn_window) {
        c->squeezed = true;
        nghttp2_session_set_local_window_size(c->io.session, NGHTTP2_FLAG_NONE, 0,
                                              (int32_t)f->conn_window_low);
    }
}

/* False: it has been refused. */
static bool reserve(struct grpc_call *call, size_t bytes)
{
    int64_t retry_ns;
    if (grpc_call_reserve(call, bytes, &retry_ns)) {
        return true;
    }
    if (call->conn != NULL) {
        squeeze(call->conn);
    }
    grpc_send_refusal(call, GRPC_REASON_BUDGET, retry_ns, SLICE_NONE);
    return false;
}

static void refuse(struct grpc_call *call, enum grpc_reason why, const char *detail)
{
    grpc_send_refusal(call, why, -1, slice_str(detail));
}

/* A message that nobody can read: its route may want to keep it. */
static void refuse_spoilt(struct grpc_call *call, enum grpc_reason why, const char *detail)
{
    if (call->route->spoilt != NULL) {
        call->route->spoilt(call, why, grpc_call_message(call), call->route_arg);
    }
    if (call->state < GRPC_CALL_ANSWERED) {
        refuse(call, why, detail);
    }
}

void grpc_recv_head_end(struct grpc_call *call)
{
    enum grpc_reason why = judge_head(call);
    call->state = GRPC_CALL_PREFIX;
    if (why != GRPC_REASON_NONE && grpc_reason_http(why) != 200) {
        /* Not gRPC: such clients want to send their request before they hear of it. */
        call->late_why = why;
        (void)reserve(call, sizeof *call + call->fields.cap);
        return;
    }
    if (why != GRPC_REASON_NONE) {
        refuse(call, why, NULL);
        return;
    }
    if (!reserve(call, sizeof *call + call->fields.cap)) {
        return;
    }
    if (call->route->admit != NULL) {
        call->route->admit(call, call->route_arg);
    }
}

/* --- the message --- */

static void prefix_done(struct grpc_call *call)
{
    const struct grpc_server_conf *f = &call->server->conf;
    uint8_t flag = call->prefix[0];
    size_t len = endian_be32((const char *)call->prefix + 1);
    size_t max = call->route->message_max > 0 ? call->route->message_max : f->message_max;
    char detail[96];
    if (flag > 1) {
        refuse(call, GRPC_REASON_FLAG_BAD, NULL);
        return;
    }
    if (flag == 1 && call->coding == INFLATE_IDENTITY) {
        refuse(call, GRPC_REASON_CODING_MISSING, NULL);
        return;
    }
    if (len > max) {
        snprintf(detail, sizeof detail, "%zu bytes, at most %zu are accepted", len, max);
        refuse(call, GRPC_REASON_MESSAGE_LARGE, detail);
        return;
    }
    if (!reserve(call, len)) {
        return;
    }
    call->packed = flag == 1 && len > 0;
    call->wire_bytes = call->body_len = len;
    call->body = len > 0 ? mem_alloc(len) : NULL;
    call->state = len > 0 ? GRPC_CALL_BODY : GRPC_CALL_WHOLE;
    if (len + WINDOW_SLACK > f->stream_window) {
        /* The bytes are reserved: let them come without waiting for each other. */
        nghttp2_session_set_local_window_size(call->conn->io.session, NGHTTP2_FLAG_NONE,
                                              call->stream, (int32_t)(len + 2 * WINDOW_SLACK));
    }
}

void grpc_recv_data(struct grpc_call *call, const char *p, size_t n)
{
    if (call->late_why != GRPC_REASON_NONE) {
        call->wire_bytes += n;
        if (call->wire_bytes > WINDOW_SLACK) {
            refuse(call, call->late_why, NULL); /* before the stream's window is used up */
        }
        return;
    }
    if (call->state == GRPC_CALL_PREFIX) {
        size_t take = MIN(n, GRPC_PREFIX_BYTES - call->prefix_have);
        memcpy(call->prefix + call->prefix_have, p, take);
        call->prefix_have += take;
        p += take;
        n -= take;
        if (call->prefix_have < GRPC_PREFIX_BYTES) {
            return;
        }
        prefix_done(call);
    }
    if (call->state == GRPC_CALL_BODY) {
        size_t take = MIN(n, call->body_len - call->body_have);
        memcpy(call->body + call->body_have, p, take);
        call->body_have += take;
        n -= take;
        if (call->body_have == call->body_len) {
            call->state = GRPC_CALL_WHOLE;
        }
    }
    if (n > 0 && call->state == GRPC_CALL_WHOLE) {
        refuse(call, GRPC_REASON_MESSAGE_MORE, NULL);
    }
}

/* What is called snappy is the framing format with some senders and one block with others. */
static enum inflate_coding real_coding(const struct grpc_call *call)
{
    static const char stream_id[] = "\xff\x06\x00\x00sNaPpY";
    bool framed = slice_starts(grpc_call_message(call), slice_of(stream_id, sizeof stream_id - 1));
    return call->coding == INFLATE_SNAPPY && framed ? INFLATE_SNAPPY_FRAMED : call->coding;
}

/* False: it has been refused. One message at a time is unpacked per loop, so what it takes before
 * it is reserved is bounded by unpacked_max. */
static bool unpack(struct grpc_call *call)
{
    const struct grpc_server_conf *f = &call->server->conf;
    size_t max = call->route->unpacked_max > 0 ? call->route->unpacked_max : f->unpacked_max;
    const struct inflate_limits limits = {max, INFLATE_RATIO};
    struct buf out;
    struct err err = {0};
    buf_init(&out, max + 1);
    int rc = inflate_all(call->server->inflate, real_coding(call), grpc_call_message(call), &limits,
                         &out, &err);
    if (rc != 0) {
        buf_done(&out);
        if (rc == -ERR_TOO_BIG) {
            refuse(call, GRPC_REASON_UNPACKED_LARGE, err.msg);
        } else {
            refuse_spoilt(call, GRPC_REASON_UNPACK_BAD, err.msg);
        }
        return false;
    }
    if (!reserve(call, out.cap)) {
        buf_done(&out);
        return false;
    }
    mem_free(call->body);
    grpc_call_release(call, call->body_len);
    call->body = out.ptr; /* the buffer's memory is the call's from here on */
    call->body_have = out.len;
    call->body_len = out.cap;
    call->packed = false;
    return true;
}

static void hand_over(struct grpc_call *call)
{
    const struct grpc_route *route = call->route;
    if (call->packed && (route->flags & GRPC_ROUTE_RAW) == 0 && !unpack(call)) {
        return;
    }
    GRPC_STAT(call->server, message_bytes, call->wire_bytes);
    call->state = GRPC_CALL_HANDED;
    grpc_call_ref(call);
    route->fn(call, call->route_arg);
    if (call->state == GRPC_CALL_HANDED && !call->taken) {
        grpc_fail_reason(call, GRPC_REASON_NO_REPLY);
    }
    grpc_call_unref(call);
}

void grpc_recv_end(struct grpc_call *call)
{
    call->remote_done = true;
    if (call->late_why != GRPC_REASON_NONE && call->state < GRPC_CALL_ANSWERED) {
        refuse(call, call->late_why, NULL);
        return;
    }
    switch (call->state) {
    case GRPC_CALL_PREFIX:
        if (call->prefix_have == 0) {
            refuse(call, GRPC_REASON_MESSAGE_NONE, NULL);
            break;
        }
        refuse_spoilt(call, GRPC_REASON_MESSAGE_CUT, "it ends in the 5 bytes before the message");
        break;
    case GRPC_CALL_BODY: {
        char detail[96];
        snprintf(detail, sizeof detail, "%zu of %zu bytes came", call->body_have, call->body_len);
        refuse_spoilt(call, GRPC_REASON_MESSAGE_CUT, detail);
        break;
    }
    case GRPC_CALL_WHOLE: hand_over(call); break;
    case GRPC_CALL_HEAD:
    case GRPC_CALL_HANDED:
    case GRPC_CALL_ANSWERED:
    case GRPC_CALL_GONE: break;
    }
}
