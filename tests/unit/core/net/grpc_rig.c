/* SPDX-License-Identifier: Apache-2.0
 *
 * See grpc_rig.h.
 */
#include "grpc_rig.h"

#include "core/base/clock.h"
#include "core/codec/endian.h"
#include "core/net/addr.h"
#include "tests/test.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

static void on_gone(struct grpc_call *c, void *arg)
{
    struct grpc_rig *g = arg;
    g->gone++;
    CHECK(!grpc_call_is_open(c));
    grpc_reply(c, SLICE("nobody hears it"));
    for (size_t i = 0; i < g->later_count; i++) {
        if (g->later[i] == c) {
            g->later[i] = NULL;
        }
    }
}

static void on_freed(void *arg)
{
    ((struct grpc_rig *)arg)->freed++;
}

static const struct grpc_call_ops ops = {.gone = on_gone, .freed = on_freed};

static void on_echo(struct grpc_call *c, void *arg)
{
    ((struct grpc_rig *)arg)->handled++;
    grpc_reply(c, grpc_call_message(c));
}

static void on_later(struct grpc_call *c, void *arg)
{
    struct grpc_rig *g = arg;
    g->handled++;
    grpc_call_take(c, &ops, g);
    CHECK(g->later_count < ARRAY_LEN(g->later));
    g->later[g->later_count++] = c;
}

static void on_hold(struct grpc_call *c, void *arg)
{
    struct grpc_rig *g = arg;
    grpc_call_take(c, &ops, g);
    g->held = grpc_call_ref(c);
}

static void on_never(struct grpc_call *c, void *arg)
{
    (void)c;
    (void)arg;
}

static void on_fail(struct grpc_call *c, void *arg)
{
    (void)arg;
    grpc_fail_retry(c, GRPC_RESOURCE_EXHAUSTED, 2500 * CLOCK_NS_PER_MS, "100%% full\nof %s", "it");
}

static void on_raw(struct grpc_call *c, void *arg)
{
    char text[64];
    (void)arg;
    snprintf(text, sizeof text, "%s %zu", inflate_coding_name(grpc_call_coding(c)),
             grpc_call_message(c).len);
    grpc_reply(c, slice_str(text));
}

static void on_meta(struct grpc_call *c, void *arg)
{
    (void)arg;
    CHECK_SLICE("/t.T/Meta", grpc_call_path(c));
    CHECK(grpc_call_field(c, SLICE("x-none")).ptr == NULL);
    grpc_reply(c, grpc_call_field(c, SLICE("x-test")));
}

static void admit(struct grpc_call *c, void *arg)
{
    (void)arg;
    if (!slice_eq(grpc_call_field(c, SLICE("authorization")), SLICE("secret"))) {
        grpc_fail(c, GRPC_UNAUTHENTICATED, "who are you?");
    }
}

static void on_spoilt(struct grpc_call *c, enum grpc_reason why, struct slice raw, void *arg)
{
    struct grpc_rig *g = arg;
    (void)c;
    g->spoilt++;
    g->spoilt_why = why;
    snprintf(g->spoilt_bytes, sizeof g->spoilt_bytes, SLICE_FMT, SLICE_ARG(raw));
}

static const struct grpc_route routes[] = {
    {.path = "/t.T/Echo", .fn = on_echo, .spoilt = on_spoilt, .doc = "echoes"},
    {.path = "/t.T/Later", .fn = on_later, .doc = "answers later"},
    {.path = "/t.T/Hold", .fn = on_hold, .doc = "keeps a reference"},
    {.path = "/t.T/Never", .fn = on_never, .doc = "forgets"},
    {.path = "/t.T/Fail", .fn = on_fail, .doc = "refuses with a delay"},
    {.path = "/t.T/Raw", .flags = GRPC_ROUTE_RAW, .fn = on_raw, .doc = "as sent"},
    {.path = "/t.T/Small", .message_max = 10, .unpacked_max = 20, .fn = on_echo, .doc = "small"},
    {.path = "/t.T/Tight", .unpacked_max = 20, .fn = on_echo, .doc = "little when unpacked"},
    {.path = "/t.T/Guarded", .admit = admit, .fn = on_echo, .doc = "asks who"},
    {.path = "/t.T/Meta", .fn = on_meta, .doc = "metadata"},
};

static bool budget_reserve(void *arg, size_t bytes, size_t held, int64_t *ret_retry_ns)
{
    struct grpc_rig *g = arg;
    CHECK_EQ(CLOCK_NS_PER_S, *ret_retry_ns);
    g->asked_held = held;
    if (g->budget != 0 && g->used + MAX(bytes, (size_t)1) > g->budget) {
        *ret_retry_ns = g->retry_ns;
        return false;
    }
    g->used += bytes;
    g->used_max = MAX(g->used_max, g->used);
    return true;
}

static void budget_release(void *arg, size_t bytes)
{
    struct grpc_rig *g = arg;
    CHECK(bytes <= g->used);
    g->used -= bytes;
}

struct grpc_server_conf grpc_rig_conf(void)
{
    return grpc_server_conf_default();
}

void grpc_rig_start(struct grpc_rig *g, const struct grpc_server_conf *conf, struct tls_ctx *tls)
{
    struct err err = {0};
    struct http_server_conf http = rig_conf();
    struct grpc_server_conf c = conf != NULL ? *conf : grpc_rig_conf();
    *g = (struct grpc_rig){.loop = loop_new(), .retry_ns = 3 * CLOCK_NS_PER_S};
    buf_init(&g->got, 64 << 20);
    c.budget = (struct grpc_budget){budget_reserve, budget_release, g};
    g->http = http_server_new(g->loop, &http);
    g->server = grpc_server_new(g->http, &c);
    grpc_server_routes(g->server, routes, ARRAY_LEN(routes), g);
    CHECK_OK(
        http_server_listen(g->http, &(struct http_listen){.addr = "127.0.0.1:0", .tls = tls}, &err),
        err);
}

void grpc_rig_let_go(struct grpc_rig *g)
{
    g->held = grpc_call_unref(g->held);
}

void grpc_rig_stop(struct grpc_rig *g)
{
    http_server_free(g->http);
    grpc_server_free(g->server);
    grpc_rig_let_go(g);
    loop_free(g->loop);
    buf_done(&g->got);
    CHECK_EQ(0, g->used);
}

void grpc_rig_step(struct grpc_rig *g, int64_t ms)
{
    bool never = false;
    (void)grpc_rig_wait(g, &never, ms);
}

bool grpc_rig_wait(struct grpc_rig *g, const bool *flag, int64_t ms)
{
    struct clock clock = clock_system();
    int64_t end = clock_mono(&clock) + ms * CLOCK_NS_PER_MS;
    while (!*flag && clock_mono(&clock) < end) {
        loop_step(g->loop, CLOCK_NS_PER_MS);
    }
    return *flag;
}

void grpc_rig_answer(struct grpc_rig *g)
{
    for (size_t i = 0; i < g->later_count; i++) {
        if (g->later[i] != NULL) {
            grpc_reply(g->later[i], grpc_call_message(g->later[i]));
        }
    }
    g->later_count = 0;
}

uint64_t grpc_rig_refused(const struct grpc_rig *g, enum grpc_reason why)
{
    return grpc_server_stats(g->server).refused[why];
}

/* --- our client --- */

struct grpc_client *grpc_rig_client(struct grpc_rig *g, struct tls_ctx *tls)
{
    struct err err = {0};
    struct grpc_client *c;
    struct grpc_client_conf conf = grpc_client_conf_default();
    conf.addr = http_server_addr(g->http, 0);
    conf.tls = tls;
    conf.tls_name = tls != NULL ? "127.0.0.1" : NULL;
    conf.reply_max = 64 << 20;
    CHECK_OK(grpc_client_new(g->loop, &conf, &c, &err), err);
    return c;
}

void grpc_rig_done(void *arg, const struct grpc_result *r)
{
    struct grpc_end *e = arg;
    CHECK(!e->done);
    e->done = true;
    e->status = r->status;
    e->http = r->http;
    e->retry_ns = r->retry_ns;
    e->local = r->local;
    e->len = r->message.len;
    e->equal = slice_eq(e->want, r->message);
    snprintf(e->text, sizeof e->text, SLICE_FMT, SLICE_ARG(r->text));
    snprintf(e->message, sizeof e->message, "%.*s", (int)MIN(r->message.len, 255),
             r->message.ptr != NULL ? r->message.ptr : "");
}

struct grpc_end grpc_rig_ask(struct grpc_rig *g, struct grpc_client *c, struct grpc_ask ask)
{
    struct grpc_end e = {.want = ask.message};
    ask.done = grpc_rig_done;
    ask.arg = &e;
    struct grpc_client_call *call = grpc_client_call(c, &ask);
    if (!grpc_rig_wait(g, &e.done, 10000)) {
        grpc_client_cancel(call);
        test_fail(__FILE__, __LINE__, "%s was not answered", ask.path);
    }
    return e;
}

struct grpc_end grpc_rig_call(struct grpc_rig *g, struct grpc_client *c, const char *method,
                              struct slice message)
{
    char path[100];
    snprintf(path, sizeof path, "/t.T/%s", method);
    return grpc_rig_ask(g, c, (struct grpc_ask){.path = path, .message = message});
}

/* --- raw HTTP/2 --- */

static void put(struct h2_out *o, const void *p, size_t n)
{
    CHECK(o->n + n <= sizeof o->bytes);
    memcpy(o->bytes + o->n, p, n);
    o->n += n;
}

void h2_out_frame(struct h2_out *o, uint8_t type, uint8_t flags, uint32_t stream,
                  const void *payload, size_t n)
{
    uint8_t head[9] = {(uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n, type, flags};
    endian_put_be32(head + 5, stream);
    put(o, head, sizeof head);
    if (n > 0) {
        put(o, payload, n);
    }
}

void h2_out_preface(struct h2_out *o)
{
    put(o, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 24);
    h2_out_frame(o, 4, 0, 0, NULL, 0);
}

size_t h2_out_field(uint8_t *to, const char *name, const char *value)
{
    size_t n = 0, name_len = strlen(name);
    if (value == NULL) {
        return 0;
    }
    size_t value_len = strlen(value);
    CHECK(name_len < 127 && value_len < 127);
    to[n++] = 0;
    to[n++] = (uint8_t)name_len;
    memcpy(to + n, name, name_len);
    n += name_len;
    to[n++] = (uint8_t)value_len;
    memcpy(to + n, value, value_len);
    return n + value_len;
}

void h2_out_head(struct h2_out *o, uint32_t stream, uint8_t flags, const char *method,
                 const char *path, const char *type, const char *name, const char *value)
{
    uint8_t block[1024];
    size_t n = h2_out_field(block, ":method", method);
    n += h2_out_field(block + n, ":scheme", "http");
    n += h2_out_field(block + n, ":path", path);
    n += h2_out_field(block + n, ":authority", "test");
    n += h2_out_field(block + n, "te", "trailers");
    n += h2_out_field(block + n, "content-type", type);
    n += name != NULL ? h2_out_field(block + n, name, value) : 0;
    h2_out_frame(o, 1, flags, stream, block, n);
}

void h2_out_message(struct h2_out *o, uint32_t stream, uint8_t flags, uint8_t packed,
                    struct slice message)
{
    uint8_t head[14] = {0, 0, 0, 0, flags};
    size_t n = message.len + 5;
    head[0] = (uint8_t)(n >> 16);
    head[1] = (uint8_t)(n >> 8);
    head[2] = (uint8_t)n;
    endian_put_be32(head + 5, stream);
    head[9] = packed;
    endian_put_be32(head + 10, (uint32_t)message.len);
    put(o, head, sizeof head);
    if (message.len > 0) {
        put(o, message.ptr, message.len);
    }
}

int grpc_rig_connect(struct grpc_rig *g)
{
    struct addr a;
    struct err err = {0};
    CHECK_OK(addr_parse(slice_str(http_server_addr(g->http, 0)), &a, &err), err);
    int fd = socket(a.u.sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(fd >= 0);
    CHECK_EQ(0, connect(fd, &a.u.sa, a.len));
    buf_clear(&g->got);
    g->closed = false;
    return fd;
}

void grpc_rig_send(struct grpc_rig *g, int fd, struct h2_out *o)
{
    size_t at = 0;
    for (int tries = 0; at < o->n && tries < 20000; tries++) {
        ssize_t n = send(fd, o->bytes + at, o->n - at, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n > 0) {
            at += (size_t)n;
        } else if (errno != EAGAIN) {
            break; /* the server has closed: what it said can still be read */
        }
        loop_step(g->loop, n > 0 ? 0 : CLOCK_NS_PER_MS);
    }
    o->n = 0;
}

static bool read_some(struct grpc_rig *g, int fd)
{
    char *room = buf_room(&g->got, 65536);
    CHECK(room != NULL);
    ssize_t n = recv(fd, room, 65536, MSG_DONTWAIT);
    if (n > 0) {
        buf_commit(&g->got, (size_t)n);
        return true;
    }
    g->closed = g->closed || n == 0 || errno != EAGAIN;
    return false;
}

void grpc_rig_read(struct grpc_rig *g, int fd, int64_t ms)
{
    struct clock clock = clock_system();
    int64_t end = clock_mono(&clock) + ms * CLOCK_NS_PER_MS;
    while (!g->closed && clock_mono(&clock) < end) {
        if (!read_some(g, fd)) {
            loop_step(g->loop, CLOCK_NS_PER_MS);
        }
    }
}

/* The next frame of *rest; false when none is whole. */
static bool next_frame(struct slice *rest, uint8_t *ret_type, uint32_t *ret_stream,
                       struct slice *ret_payload)
{
    const uint8_t *p = (const uint8_t *)rest->ptr;
    if (rest->len < 9) {
        return false;
    }
    size_t n = (size_t)p[0] << 16 | (size_t)p[1] << 8 | p[2];
    if (rest->len < 9 + n) {
        return false;
    }
    *ret_type = p[3];
    *ret_stream = endian_be32(p + 5) & 0x7fffffff;
    *ret_payload = slice_of(p + 9, n);
    *rest = slice_sub(*rest, 9 + n, rest->len);
    return true;
}

struct slice grpc_rig_frame(struct grpc_rig *g, int fd, uint8_t type, uint32_t stream, int64_t ms)
{
    struct clock clock = clock_system();
    int64_t end = clock_mono(&clock) + ms * CLOCK_NS_PER_MS;
    do {
        struct slice rest = buf_slice(&g->got), payload;
        uint8_t t;
        uint32_t s;
        while (next_frame(&rest, &t, &s, &payload)) {
            if (t == type && (stream == 0 || s == stream)) {
                return payload;
            }
        }
        if (!read_some(g, fd)) {
            loop_step(g->loop, CLOCK_NS_PER_MS);
        }
    } while (clock_mono(&clock) < end && !g->closed);
    return SLICE_NONE;
}

bool grpc_rig_goaway(struct grpc_rig *g, int fd, uint32_t code, const char *text, int64_t ms)
{
    struct slice p = grpc_rig_frame(g, fd, 7, 0, ms);
    return p.len >= 8 && endian_be32(p.ptr + 4) == code &&
           slice_eq(slice_sub(p, 8, p.len), slice_str(text));
}
