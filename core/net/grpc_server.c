/* SPDX-License-Identifier: Apache-2.0
 *
 * See grpc_server.h: routes, connections that the HTTP server hands over, the sweep, and the list
 * of connections that have something to say. Answers given outside of a pump (from the bus, by a
 * timer) gather on that list and leave in the loop's next round, several of one connection in one
 * system call. Loop thread.
 */
#include "core/net/grpc_server.h"

#include "core/base/mem.h"
#include "core/net/grpc_conn.h"
#include "core/net/http_server.h"

#include <assert.h>
#include <stdlib.h>

enum { SWEEP_MIN_MS = 10, SWEEP_MAX_MS = 100, MESSAGE_MAX = 1 << 30 };

struct grpc_server_conf grpc_server_conf_default(void)
{
    return (struct grpc_server_conf){
        .message_max = (size_t)16 << 20,
        .unpacked_max = (size_t)64 << 20,
        .connections_max = 10000,
        .streams_max = 100,
        .header_list_bytes = 16 * 1024,
        .stream_window = 1 << 20,
        .conn_window = 4 << 20,
        .conn_window_low = 64 * 1024,
        .read_bytes = 128 * 1024,
        .high_water = 256 * 1024,
        .head_ms = 10000,
        .body_ms = 30000,
        .body_min_rate = 1024,
        .write_ms = 30000,
        .idle_ms = 15 * 60 * 1000,
        .age_max_ms = 30 * 60 * 1000,
        .ping_ms = 60000,
        .ping_ack_ms = 20000,
        .ping_min_ms = 5000,
        .resets_burst = 500,
        .resets_per_s = 100,
        .frames_burst = 2000,
        .frames_per_s = 500,
        .continuations_max = 8,
    };
}

void grpc_server_count(struct grpc_server *g, enum grpc_reason why)
{
    assert((unsigned)why < GRPC_REASON_COUNT);
    GRPC_STAT(g, refused[why], 1);
}

void grpc_server_dirty(struct grpc_server *g, struct grpc_conn *c)
{
    if (c->dirty || c->pumping || c->state >= GRPC_CONN_FLUSH) {
        return;
    }
    if (g->dirty == NULL) {
        loop_timer_set(g->flush, 0);
    }
    c->dirty = true;
    c->next_dirty = g->dirty;
    g->dirty = c;
}

static void on_flush(void *arg)
{
    struct grpc_server *g = arg;
    while (g->dirty != NULL) {
        struct grpc_conn *c = g->dirty;
        g->dirty = c->next_dirty;
        c->dirty = false;
        grpc_conn_pump(c);
    }
}

static int64_t sweep_every_ns(const struct grpc_server *g)
{
    const struct grpc_server_conf *f = &g->conf;
    uint32_t least = MIN(MIN(f->head_ms, f->body_ms), f->write_ms) / 4;
    return (int64_t)MAX(SWEEP_MIN_MS, MIN(least, SWEEP_MAX_MS)) * CLOCK_NS_PER_MS;
}

static void on_sweep(void *arg)
{
    struct grpc_server *g = arg;
    int64_t now = loop_now_ns(g->loop);
    g->sweeping = true;
    for (struct grpc_conn *c = g->conns; c != NULL; c = c->next) {
        grpc_guard_time(c, now);
    }
    g->sweeping = false;
    for (struct grpc_conn *c = g->conns, *next; c != NULL; c = next) {
        next = c->next;
        if (c->state == GRPC_CONN_DEAD) {
            grpc_conn_reap(c);
        }
    }
    loop_timer_set(g->sweep, sweep_every_ns(g));
}

static void take_drain(void *arg)
{
    grpc_guard_drain(arg);
}

static void take_abort(void *arg)
{
    struct grpc_conn *c = arg;
    grpc_conn_kill(c, c->open_calls > 0 ? GRPC_REASON_DRAIN_LATE : GRPC_REASON_NONE);
}

static struct http_takeover take_over(void *arg, struct http_conn *http, struct bufferevent *bev)
{
    struct grpc_conn *c = grpc_conn_new(arg, http, bev);
    return (struct http_takeover){.drain = take_drain, .abort = take_abort, .arg = c};
}

static void make_options(struct grpc_server *g)
{
    if (nghttp2_session_callbacks_new(&g->callbacks) != 0 || nghttp2_option_new(&g->options) != 0) {
        abort(); /* as malloc failing */
    }
    grpc_conn_callbacks(g->callbacks);
    nghttp2_option_set_no_auto_window_update(g->options, 1);
#ifdef KAIJU_NGHTTP2_LIMITS
    /* grpc_guard.c is stricter, and does not punish who resets what has been answered. */
    nghttp2_option_set_stream_reset_rate_limit(g->options, 1000000, 1000000);
    nghttp2_option_set_max_continuations(g->options, g->conf.continuations_max + 8);
#endif
}

struct grpc_server *grpc_server_new(struct http_server *http, const struct grpc_server_conf *conf)
{
    assert(http != NULL);
    struct grpc_server *g = MEM_NEW(struct grpc_server);
    struct clock clock = clock_system();
    g->http = http;
    g->loop = http_server_loop(http);
    g->conf = conf != NULL ? *conf : grpc_server_conf_default();
    assert(g->conf.message_max <= MESSAGE_MAX && g->conf.unpacked_max <= MESSAGE_MAX);
    assert(g->conf.read_bytes > 0 && g->conf.high_water > 0 && g->conf.connections_max > 0);
    g->dice = (uint64_t)clock_wall(&clock);
    g->inflate = inflate_new();
    make_options(g);
    g->sweep = loop_timer_new(g->loop, on_sweep, g);
    g->flush = loop_timer_new(g->loop, on_flush, g);
    loop_timer_set(g->sweep, sweep_every_ns(g));
    http_server_on_h2(http, take_over, g);
    return g;
}

void grpc_server_free(struct grpc_server *g)
{
    if (g == NULL) {
        return;
    }
    assert(g->conns == NULL); /* the HTTP server is freed first */
    grpc_server_unpublish(g);
    loop_timer_free(g->sweep);
    loop_timer_free(g->flush);
    nghttp2_session_callbacks_del(g->callbacks);
    nghttp2_option_del(g->options);
    inflate_free(g->inflate);
    grpc_call_spares_free(g);
    mem_free(g->tables);
    g->closed = true;
    g->live_calls++;
    grpc_server_call_freed(g);
}

/* Handlers may hold calls longer than the server lives. */
void grpc_server_call_freed(struct grpc_server *g)
{
    assert(g->live_calls > 0);
    if (--g->live_calls == 0 && g->closed) {
        mem_free(g);
    }
}

void grpc_server_routes(struct grpc_server *g, const struct grpc_route *routes, size_t n, void *arg)
{
    assert(routes != NULL && n > 0);
    for (size_t i = 0; i < n; i++) {
        assert(routes[i].path != NULL && routes[i].path[0] == '/' && routes[i].fn != NULL);
        assert(routes[i].message_max <= MESSAGE_MAX && routes[i].unpacked_max <= MESSAGE_MAX);
    }
    g->tables = mem_realloc(g->tables, (g->table_count + 1) * sizeof *g->tables);
    g->tables[g->table_count++] = (struct grpc_routes){routes, n, arg};
}
