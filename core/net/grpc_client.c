/* SPDX-License-Identifier: Apache-2.0
 *
 * See grpc_client.h and grpc_link.h. Loop thread.
 */
#include "core/net/grpc_client.h"

#include "core/base/mem.h"
#include "core/codec/endian.h"
#include "core/net/grpc_link.h"
#include "core/net/tls.h"

#include <assert.h>
#include <stdio.h>

enum { TICK_MS = 20, FIELD_BYTES = 16384 };

struct grpc_client_conf grpc_client_conf_default(void)
{
    return (struct grpc_client_conf){
        .addr = "127.0.0.1:4317",
        .reply_max = (size_t)4 << 20,
        .connect_ms = 10000,
        .stream_window = 1 << 20,
        .conn_window = 4 << 20,
    };
}

/* --- results --- */

void grpc_client_call_free(struct grpc_client_call *call)
{
    buf_done(&call->text);
    buf_done(&call->reply);
    buf_done(&call->details);
    mem_free(call);
}

void grpc_client_finish(struct grpc_client_call *call)
{
    struct grpc_client *c = call->client;
    assert(call->link == NULL && !call->over);
    call->next = NULL;
    *c->finished_last = call;
    c->finished_last = &call->next;
}

/* The one message of an answer. */
static bool take_message(struct grpc_client_call *call, struct grpc_result *r)
{
    struct slice s = buf_slice(&call->reply);
    if (buf_failed(&call->reply) || s.len < GRPC_PREFIX_BYTES || s.ptr[0] != 0 ||
        endian_be32(s.ptr + 1) != s.len - GRPC_PREFIX_BYTES) {
        r->status = GRPC_INTERNAL;
        r->local = true;
        r->text = SLICE("the answer is not one message of an acceptable length");
        return false;
    }
    r->message = slice_sub(s, GRPC_PREFIX_BYTES, s.len);
    return true;
}

static void deliver(struct grpc_client_call *call)
{
    struct grpc_client *c = call->client;
    struct grpc_result r = {
        .status = call->status,
        .text = buf_slice(&call->text),
        .details = buf_slice(&call->details),
        .retry_ns = -1,
        .http = call->http,
        .local = call->local,
        .took_ns = loop_now_ns(c->loop) - call->born_ns,
    };
    struct grpc_details d;
    struct err err;
    if (r.details.len > 0 && grpc_details_get(r.details, &d, &err) == 0) {
        r.retry_ns = d.retry_ns;
    }
    if (r.status == GRPC_OK) {
        (void)take_message(call, &r);
    }
    call->over = true;
    assert(c->active > 0);
    c->active--;
    if (call->done != NULL) {
        call->done(call->arg, &r);
    }
}

static void destroy(struct grpc_client *c)
{
    for (struct grpc_link *l = c->links; l != NULL; l = l->next) {
        for (struct grpc_client_call *call = l->calls; call != NULL; call = call->next) {
            call->over = true;
        }
        l->dead = true;
        while (l->calls != NULL) {
            struct grpc_client_call *call = l->calls;
            l->calls = call->next;
            grpc_client_call_free(call);
        }
    }
    grpc_link_reap(c);
    while (c->finished != NULL) {
        struct grpc_client_call *call = c->finished;
        c->finished = call->next;
        grpc_client_call_free(call);
    }
    loop_timer_free(c->tick);
    loop_timer_free(c->soon);
    nghttp2_session_callbacks_del(c->callbacks);
    tls_unref(c->tls);
    mem_free((void *)(uintptr_t)c->conf.tls_name);
    mem_free(c);
}

void grpc_client_deliver(struct grpc_client *c)
{
    if (c->delivering) {
        return;
    }
    c->delivering = true;
    while (c->finished != NULL && !c->freed) {
        struct grpc_client_call *call = c->finished;
        c->finished = call->next;
        if (c->finished == NULL) {
            c->finished_last = &c->finished;
        }
        if (!call->over) {
            deliver(call);
        }
        grpc_client_call_free(call);
    }
    c->delivering = false;
    if (c->freed) {
        destroy(c);
    } else {
        grpc_link_reap(c);
    }
}

/* --- time --- */

void grpc_client_soon(struct grpc_client *c)
{
    loop_timer_set(c->soon, 0);
}

static void on_soon(void *arg)
{
    struct grpc_client *c = arg;
    for (struct grpc_link *l = c->links; l != NULL; l = l->next) {
        grpc_link_pump(l);
    }
    grpc_client_deliver(c);
}

/* Ends those whose time is over; false: done has freed the client. */
static bool check_calls(struct grpc_client *c, struct grpc_link *l, int64_t now)
{
    for (struct grpc_client_call *call = l->calls; call != NULL;) {
        if (call->over || now < call->deadline_ns) {
            call = call->next;
            continue;
        }
        call->status = GRPC_DEADLINE_EXCEEDED;
        call->local = true;
        buf_clear(&call->text);
        buf_add_str(&call->text, "no answer in time");
        grpc_link_reset(l, call);
        deliver(call);
        if (c->freed) {
            return false;
        }
        call = l->calls; /* done may have changed the list */
    }
    return true;
}

static void on_tick(void *arg)
{
    struct grpc_client *c = arg;
    int64_t now = loop_now_ns(c->loop);
    loop_timer_set(c->tick, TICK_MS * CLOCK_NS_PER_MS);
    c->delivering = true;
    for (struct grpc_link *l = c->links; l != NULL; l = l->next) {
        if (!l->connected && now - l->born_ns >= c->conf.connect_ms * CLOCK_NS_PER_MS) {
            grpc_link_kill(l, "no connection in time");
        }
        if (!check_calls(c, l, now)) {
            break;
        }
    }
    c->delivering = false;
    grpc_client_deliver(c);
}

/* --- the client --- */

int grpc_client_new(struct loop *l, const struct grpc_client_conf *conf,
                    struct grpc_client **ret_client, struct err *reterr)
{
    assert(l != NULL && conf != NULL && conf->addr != NULL && ret_client != NULL);
    struct addr addr;
    int rc = addr_parse(slice_str(conf->addr), &addr, reterr);
    if (rc != 0) {
        return rc;
    }
    struct grpc_client *c = MEM_NEW(struct grpc_client);
    c->loop = l;
    c->conf = *conf;
    c->conf.addr = NULL;
    c->conf.tls_name =
        conf->tls_name != NULL ? mem_dup(conf->tls_name, strlen(conf->tls_name)) : NULL;
    c->addr = addr;
    addr_text(&addr, c->where);
    bool local = addr.u.sa.sa_family == AF_UNIX;
    snprintf(c->authority, sizeof c->authority, "%s",
             conf->tls_name != NULL ? conf->tls_name
             : local                ? "localhost"
                                    : c->where);
    c->tls = conf->tls != NULL ? tls_ref(conf->tls) : NULL;
    c->finished_last = &c->finished;
    c->tick = loop_timer_new(l, on_tick, c);
    c->soon = loop_timer_new(l, on_soon, c);
    loop_timer_set(c->tick, TICK_MS * CLOCK_NS_PER_MS);
    *ret_client = c;
    return 0;
}

void grpc_client_free(struct grpc_client *c)
{
    if (c == NULL) {
        return;
    }
    c->freed = true;
    bool busy = c->delivering;
    for (const struct grpc_link *l = c->links; l != NULL; l = l->next) {
        busy = busy || l->pumping;
    }
    if (!busy) {
        destroy(c);
    }
}

struct grpc_client_call *grpc_client_call(struct grpc_client *c, const struct grpc_ask *ask)
{
    assert(c != NULL && !c->freed && ask->path != NULL && ask->message.len <= UINT32_MAX);
    struct grpc_client_call *call = MEM_NEW(struct grpc_client_call);
    call->client = c;
    call->message = ask->message;
    call->prefix[0] = ask->coding != INFLATE_IDENTITY;
    endian_put_be32(call->prefix + 1, (uint32_t)ask->message.len);
    call->done = ask->done;
    call->arg = ask->arg;
    call->born_ns = loop_now_ns(c->loop);
    call->deadline_ns = ask->timeout_ns > 0 ? call->born_ns + ask->timeout_ns : INT64_MAX;
    buf_init(&call->text, FIELD_BYTES);
    buf_init(&call->details, FIELD_BYTES);
    buf_init(&call->reply, c->conf.reply_max + GRPC_PREFIX_BYTES);
    c->active++;
    if (c->link == NULL) {
        struct grpc_link *fresh = grpc_link_new(c);
        c->link = fresh->dead ? NULL : fresh;
        if (c->link == NULL) {
            call->status = GRPC_UNAVAILABLE;
            call->local = true;
            buf_addf(&call->text, "cannot connect to %s", c->where);
            grpc_client_finish(call);
        }
    }
    if (c->link != NULL) {
        grpc_link_submit(c->link, call, ask);
    }
    grpc_client_soon(c);
    return call;
}

void grpc_client_cancel(struct grpc_client_call *call)
{
    assert(call != NULL && !call->over);
    struct grpc_client *c = call->client;
    assert(c->active > 0);
    call->over = true;
    c->active--;
    if (call->link != NULL) {
        grpc_link_reset(call->link, call);
    }
}

size_t grpc_client_active(const struct grpc_client *c)
{
    return c->active;
}

void grpc_client_reset(struct grpc_client *c)
{
    if (c->link != NULL) {
        grpc_link_kill(c->link, "reset by its owner");
    }
}
