/* SPDX-License-Identifier: Apache-2.0
 *
 * See http_client.h: calls and origins. An origin is what connections may be shared by: scheme,
 * host, port, the address in its place, and the TLS context. It lives as long as it has links or
 * waiting calls. Loop thread.
 */
#include "core/net/http_client.h"

#include "core/base/clock.h"
#include "core/base/mem.h"
#include "core/net/http_call.h"
#include "core/net/loop.h"
#include "core/net/tls.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

enum { ORIGINS_MAX = 4096, HEAD_MAX = 64 * 1024, KEY_MAX = 512, CHUNK_FRAME_BYTES = 32 };

struct http_client_conf http_client_conf_default(void)
{
    return (struct http_client_conf){
        .limits = http_limits_default(),
        .connect_ms = 5000,
        .total_ms = 30000,
        .stall_ms = 15000,
        .idle_ms = 30000,
        .connections_max = 8,
        .waiting_max = 1000,
        .answer_max = UINT64_C(16) << 20,
        .high_water = 256 * 1024,
    };
}

struct http_client *http_client_new(struct loop *l, const struct http_client_conf *conf)
{
    assert(l != NULL);
    struct http_client *c = MEM_NEW(struct http_client);
    c->loop = l;
    c->conf = conf != NULL ? *conf : http_client_conf_default();
    assert(c->conf.connections_max > 0 && c->conf.connect_ms > 0);
    c->tls = c->conf.tls != NULL ? tls_ref(c->conf.tls) : NULL;
    map_init(&c->origins, ORIGINS_MAX);
    return c;
}

static void origin_free(struct origin *o)
{
    assert(o->links == NULL && o->first == NULL);
    map_remove(&o->client->origins, o->key);
    tls_unref(o->tls);
    mem_free((void *)(uintptr_t)o->key.ptr);
    mem_free(o);
}

void http_client_free(struct http_client *c)
{
    if (c == NULL) {
        return;
    }
    struct err err = {0};
    err_set(&err, ERR_CLOSED, "the client is being closed");
    c->closing = true;
    while (c->calls != NULL) {
        struct http_call *call = c->calls;
        if (call->link != NULL) {
            http_link_drop_call(call->link);
        }
        http_call_finish(call, &err);
    }
    MAP_EACH (&c->origins, e) {
        struct origin *o = e->value;
        while (o->links != NULL) {
            http_link_free(o->links);
        }
        tls_unref(o->tls);
        mem_free((void *)(uintptr_t)o->key.ptr);
        mem_free(o);
    }
    map_done(&c->origins);
    tls_unref(c->tls);
    mem_free(c);
}

struct http_client_stats http_client_stats(const struct http_client *c)
{
    return c->stats;
}

static int own_tls(struct http_client *c, struct err *reterr)
{
    return c->tls != NULL ? 0 : tls_client_new(&(struct tls_conf){0}, &c->tls, reterr);
}

static int origin_of(struct http_client *c, const struct url *u, const char *via,
                     struct origin **ret_origin, struct err *reterr)
{
    char key[KEY_MAX];
    int n = snprintf(key, sizeof key, "%d|" SLICE_FMT "|%u|%s", u->tls, SLICE_ARG(u->host), u->port,
                     via != NULL ? via : "");
    if (n < 0 || (size_t)n >= sizeof key) {
        return err_set(reterr, ERR_TOO_BIG, "host and address of a URL are too long");
    }
    struct addr to = {0};
    int rc = via != NULL ? addr_parse(slice_str(via), &to, reterr) : 0;
    rc = rc == 0 && u->tls ? own_tls(c, reterr) : rc;
    if (rc != 0) {
        return rc;
    }
    void **slot = map_put(&c->origins, slice_of(key, (size_t)n));
    if (slot == NULL) {
        return err_set(reterr, ERR_LIMIT, "more than %d hosts at a time", ORIGINS_MAX);
    }
    if (*slot == NULL) {
        struct origin *o = MEM_NEW(struct origin);
        o->client = c;
        o->key = slice_of(mem_dup(key, (size_t)n), (size_t)n);
        memcpy(o->host, u->host.ptr, u->host.len);
        o->port = u->port;
        o->via = to;
        o->tls = u->tls ? tls_ref(c->tls) : NULL;
        o->last = &o->first;
        *slot = o;
    }
    *ret_origin = *slot;
    return 0;
}

static bool is_framing(struct slice name)
{
    static const struct slice ours[] = {
        SLICE("host"),       SLICE("content-length"), SLICE("transfer-encoding"),
        SLICE("connection"), SLICE("expect"),         SLICE("upgrade"),
        SLICE("te"),         SLICE("trailer"),        SLICE("keep-alive")};
    for (size_t i = 0; i < ARRAY_LEN(ours); i++) {
        if (slice_eq_nocase(name, ours[i])) {
            return true;
        }
    }
    return false;
}

static int write_fields(struct buf *b, const struct http_call_spec *spec, struct err *reterr)
{
    for (size_t i = 0; i < spec->field_count; i++) {
        const struct http_field *f = &spec->fields[i];
        if (!http_is_token(f->name) || !http_is_value(f->value) || is_framing(f->name)) {
            return err_set(reterr, ERR_USAGE, "request field '" SLICE_FMT "' is not accepted",
                           SLICE_ARG(slice_sub(f->name, 0, 60)));
        }
        buf_add_slice(b, f->name);
        buf_add_str(b, ": ");
        buf_add_slice(b, f->value);
        buf_add_str(b, "\r\n");
    }
    return 0;
}

static int write_head(struct buf *b, const struct http_call_spec *spec, const struct url *u,
                      bool keep, struct err *reterr)
{
    bool carries = spec->method == HTTP_POST || spec->method == HTTP_PUT ||
                   spec->method == HTTP_PATCH || spec->body.len > 0;
    buf_addf(b, "%s ", http_method_name(spec->method));
    buf_add_str(b, u->target.ptr[0] == '?' ? "/" : "");
    buf_add_slice(b, u->target);
    buf_addf(b, u->v6 ? " HTTP/1.1\r\nHost: [" SLICE_FMT "]" : " HTTP/1.1\r\nHost: " SLICE_FMT,
             SLICE_ARG(u->host));
    if (!u->default_port) {
        buf_addf(b, ":%u", u->port);
    }
    buf_add_str(b, keep ? "\r\n" : "\r\nConnection: close\r\n");
    if (spec->stream) {
        buf_add_str(b, "Transfer-Encoding: chunked\r\n");
    } else if (carries) {
        buf_addf(b, "Content-Length: %zu\r\n", spec->body.len);
    }
    int rc = write_fields(b, spec, reterr);
    buf_add_str(b, "\r\n");
    if (rc == 0 && buf_failed(b)) {
        rc = err_set(reterr, ERR_TOO_BIG, "a request head of more than %d bytes", HEAD_MAX);
    }
    return rc;
}

static void arm(struct http_call *call)
{
    int64_t now = loop_now_ns(call->client->loop);
    int64_t stall =
        call->stall_ns > 0 && !call->paused ? call->moved_ns + call->stall_ns : INT64_MAX;
    int64_t next = MIN(call->deadline_ns, stall);
    if (next != INT64_MAX) {
        loop_timer_set(call->timer, next - now);
    }
}

void http_call_touch(struct http_call *call)
{
    call->moved_ns = loop_now_ns(call->client->loop);
}

static void dequeue(struct http_call *call)
{
    struct origin *o = call->origin;
    struct http_call **at = &o->first;
    while (*at != call) {
        at = &(*at)->next;
    }
    *at = call->next;
    if (o->last == &call->next) {
        o->last = at;
    }
    call->queued = false;
    call->next = NULL;
    o->waiting--;
    o->client->stats.waiting--;
}

static void enqueue(struct http_call *call)
{
    struct origin *o = call->origin;
    call->queued = true;
    call->next = NULL;
    *o->last = call;
    o->last = &call->next;
    o->waiting++;
    o->client->stats.waiting++;
}

static void call_free(struct http_call *call)
{
    struct http_client *c = call->client;
    assert(call->link == NULL);
    if (call->queued) {
        dequeue(call);
    }
    if (call->all_next != NULL) {
        call->all_next->all_prev = call->all_prev;
    }
    *(call->all_prev != NULL ? &call->all_prev->all_next : &c->calls) = call->all_next;
    loop_timer_free(call->timer);
    buf_done(&call->head);
    buf_done(&call->body);
    mem_free(call);
}

void http_call_finish(struct http_call *call, const struct err *err)
{
    struct http_client *c = call->client;
    struct origin *o = call->origin;
    const struct http_call_ops *ops = call->ops;
    assert(call->link == NULL);
    c->stats.calls++;
    c->stats.failed += err != NULL;
    if (call->queued) {
        dequeue(call);
    }
    /* done may start and cancel others of the same origin, but must not take it from under us. */
    o->pins++;
    ops->done(call, err, call->arg);
    o->pins--;
    call_free(call);
    if (!c->closing) {
        http_origin_next(o);
    }
}

static struct http_link *idle_link(const struct origin *o)
{
    struct http_link *k = o->links;
    while (k != NULL && k->state != LINK_IDLE) {
        k = k->next;
    }
    return k;
}

static bool may_connect(const struct origin *o)
{
    return o->link_count < o->client->conf.connections_max;
}

/* A free link for the first who waits; a new one if there may be more. Who has met a dead one
 * already gets a new one for certain: after a restart of the server all kept ones are dead. */
static bool serve_one(struct origin *o)
{
    struct http_call *call = o->first;
    struct http_link *idle = idle_link(o);
    if (idle != NULL && call->repeated && !may_connect(o)) {
        http_link_free(idle);
    }
    if (idle != NULL && !call->repeated) {
        dequeue(call);
        o->client->stats.reused++;
        http_link_assign(idle, call);
        return true;
    }
    if (may_connect(o)) {
        dequeue(call);
        http_link_new(o, call);
        return true;
    }
    return false;
}

void http_origin_next(struct origin *o)
{
    while (o->first != NULL && serve_one(o)) {
    }
    if (o->first == NULL && o->links == NULL && o->pins == 0) {
        origin_free(o);
    }
}

void http_call_link_lost(struct http_call *call, bool stale, const struct err *err)
{
    struct http_client *c = call->client;
    assert(call->link == NULL && !call->queued);
    bool again = stale && !call->repeated && !call->stream && !call->answered &&
                 (call->repeatable || http_method_idempotent(call->method));
    if (!again || c->closing) {
        http_call_finish(call, err);
        return;
    }
    call->repeated = true;
    call->sent = false;
    c->stats.repeated++;
    enqueue(call);
    http_origin_next(call->origin);
}

static void on_time(void *arg)
{
    struct http_call *call = arg;
    int64_t now = loop_now_ns(call->client->loop);
    struct err err = {0};
    size_t unsent = call->link != NULL ? http_link_unsent(call->link) : 0;
    if (unsent != call->unsent_seen) { /* a long body on its way out */
        call->unsent_seen = unsent;
        call->moved_ns = now;
    }
    bool late = now >= call->deadline_ns;
    bool stalled = call->stall_ns > 0 && !call->paused && now >= call->moved_ns + call->stall_ns;
    if (!late && !stalled) {
        arm(call);
        return;
    }
    err_set(&err, ERR_TIMEOUT,
            call->queued ? "%s: no connection became free in the time allowed"
            : late       ? "%s: no complete answer in the time allowed"
                         : "%s: nothing came or went for the time allowed",
            call->origin->host);
    err_flags(&err, ERR_FLAG_RETRY);
    if (call->link != NULL) {
        http_link_drop_call(call->link);
    }
    http_call_finish(call, &err);
}

static void set_times(struct http_call *call, const struct http_call_spec *spec)
{
    const struct http_client_conf *f = &call->client->conf;
    uint32_t total = spec->total_ms > 0 ? spec->total_ms : f->total_ms;
    uint32_t stall = spec->stall_ms > 0 ? spec->stall_ms : f->stall_ms;
    call->moved_ns = loop_now_ns(call->client->loop);
    call->deadline_ns =
        total > 0 && !spec->endless ? call->moved_ns + (int64_t)total * CLOCK_NS_PER_MS : INT64_MAX;
    call->stall_ns = spec->endless ? 0 : (int64_t)stall * CLOCK_NS_PER_MS;
    arm(call);
}

static struct http_call *call_new(struct http_client *c, const struct http_call_spec *spec,
                                  const struct http_call_ops *ops, void *arg)
{
    struct http_call *call = MEM_NEW(struct http_call);
    call->client = c;
    call->ops = ops;
    call->arg = arg;
    call->method = spec->method;
    call->stream = spec->stream;
    call->repeatable = spec->repeatable;
    call->answer_max = spec->answer_max > 0 ? spec->answer_max : c->conf.answer_max;
    buf_init(&call->head, HEAD_MAX);
    buf_init(&call->body, MAX(spec->body.len, 1));
    call->timer = loop_timer_new(c->loop, on_time, call);
    call->all_next = c->calls;
    if (c->calls != NULL) {
        c->calls->all_prev = call;
    }
    c->calls = call;
    return call;
}

int http_call_start(struct http_client *c, const struct http_call_spec *spec,
                    const struct http_call_ops *ops, void *arg, struct http_call **ret_call,
                    struct err *reterr)
{
    assert(c != NULL && spec->url != NULL && ops->done != NULL);
    assert(!spec->stream || spec->body.len == 0);
    struct url u;
    struct origin *o;
    if (c->closing) {
        return err_set(reterr, ERR_CLOSED, "the client is being closed");
    }
    int rc = url_parse(slice_str(spec->url), &u, reterr);
    if (rc != 0) {
        return rc;
    }
    struct http_call *call = call_new(c, spec, ops, arg);
    rc = write_head(&call->head, spec, &u, c->conf.idle_ms > 0, reterr);
    rc = rc == 0 ? origin_of(c, &u, spec->via, &o, reterr) : rc;
    if (rc == 0 && o->waiting >= c->conf.waiting_max && idle_link(o) == NULL && !may_connect(o)) {
        rc = err_set(reterr, ERR_AGAIN, "%s: %zu calls are waiting already", o->host, o->waiting);
    }
    if (rc != 0) {
        call_free(call);
        return rc;
    }
    buf_add_slice(&call->body, spec->body);
    call->origin = o;
    set_times(call, spec);
    enqueue(call);
    *ret_call = call;
    http_origin_next(o);
    return 0;
}

void http_call_cancel(struct http_call *call)
{
    if (call == NULL) {
        return;
    }
    struct origin *o = call->origin;
    struct http_client *c = call->client;
    if (call->link != NULL) {
        http_link_drop_call(call->link);
    }
    call_free(call);
    if (!c->closing) {
        http_origin_next(o);
    }
}

bool http_call_write(struct http_call *call, struct slice part)
{
    assert(call->stream && !call->stream_ended && !call->full);
    if (call->link != NULL && call->sent) {
        call->full = !http_link_write(call->link, part);
        return !call->full;
    }
    /* No connection yet: what there is waits here, as chunks, and leaves with the head. Not more
     * than the high-water mark and one part, so it cannot be refused. */
    if (part.len > 0) {
        call->body.max = MAX(call->body.max, call->body.len + part.len + CHUNK_FRAME_BYTES);
        buf_addf(&call->body, "%zx\r\n", part.len);
        buf_add_slice(&call->body, part);
        buf_add_str(&call->body, "\r\n");
    }
    call->full = call->body.len > call->client->conf.high_water;
    return !call->full;
}

void http_call_end(struct http_call *call)
{
    assert(call->stream && !call->stream_ended);
    call->stream_ended = true;
    if (call->link != NULL && call->sent) {
        http_link_end_stream(call->link);
    }
}

void http_call_pause(struct http_call *call)
{
    call->paused = true;
    if (call->link != NULL) {
        http_link_steer_reading(call->link);
    }
}

void http_call_resume(struct http_call *call)
{
    call->paused = false;
    http_call_touch(call);
    arm(call);
    if (call->link != NULL) {
        http_link_steer_reading(call->link);
    }
}
