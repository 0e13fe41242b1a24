/* SPDX-License-Identifier: Apache-2.0
 *
 * See health.h.
 */
#include "core/net/health.h"

#include "core/base/clock.h"
#include "core/base/mem.h"
#include "core/base/vec.h"
#include "core/net/http_req.h"
#include "core/net/http_route.h"
#include "core/net/loop.h"
#include "core/stats/stats.h"

#include <assert.h>
#include <stdatomic.h>

enum { HANG_S = 5, WHY_BYTES = 200, METRICS_MAX = 64 * 1024 * 1024 };

struct check {
    const char *name;
    bool (*fn)(void *arg, char *why, size_t size);
    void *arg;
};

struct watched {
    const char *name;
    const struct loop *loop;
};

struct health {
    VEC(struct watched) loops;
    VEC(struct check) checks;
    struct stats *stats;
    struct buf page; /* of the last answer; its memory is reused */
    _Atomic bool draining;
};

struct health *health_new(void)
{
    struct health *h = MEM_NEW(struct health);
    buf_init(&h->page, METRICS_MAX);
    return h;
}

void health_free(struct health *h)
{
    if (h != NULL) {
        VEC_DONE(&h->loops);
        VEC_DONE(&h->checks);
        buf_done(&h->page);
        mem_free(h);
    }
}

static void answer(struct http_req *r, struct health *h, bool ok)
{
    http_reply_field(r, "Cache-Control", SLICE("no-store"));
    http_reply(r, ok ? 200 : 503, "text/plain; charset=utf-8",
               ok ? SLICE("ok\n") : buf_slice(&h->page));
}

static void on_alive(struct http_req *r, void *arg)
{
    struct health *h = arg;
    bool ok = true;
    buf_clear(&h->page);
    VEC_EACH (&h->loops, w) {
        int64_t age = loop_beat_age_ns(w->loop);
        if (age > HANG_S * CLOCK_NS_PER_S) {
            ok = false;
            buf_addf(&h->page, "loop %s: has not gone round for %lld s\n", w->name,
                     (long long)(age / CLOCK_NS_PER_S));
        }
    }
    answer(r, h, ok);
}

static void on_ready(struct http_req *r, void *arg)
{
    struct health *h = arg;
    bool ok = true;
    buf_clear(&h->page);
    if (atomic_load(&h->draining)) {
        ok = false;
        buf_add_str(&h->page, "draining\n");
    }
    VEC_EACH (&h->checks, c) {
        char why[WHY_BYTES] = "not ready";
        if (!c->fn(c->arg, why, sizeof why)) {
            ok = false;
            buf_addf(&h->page, "%s: %s\n", c->name, why);
        }
    }
    answer(r, h, ok);
}

static void on_metrics(struct http_req *r, void *arg)
{
    struct health *h = arg;
    buf_clear(&h->page);
    if (h->stats != NULL) {
        stats_write(h->stats, &h->page);
    }
    if (buf_failed(&h->page)) {
        http_problem(r, 500, "the metrics are larger than %d bytes", METRICS_MAX);
        return;
    }
    http_reply(r, 200, "text/plain; version=0.0.4; charset=utf-8", buf_slice(&h->page));
}

static const struct http_route routes[] = {
    {.path = "/healthz", .methods = HTTP_BIT(GET), .fn = on_alive, .doc = "does the process live"},
    {.path = "/readyz", .methods = HTTP_BIT(GET), .fn = on_ready, .doc = "may it be sent work"},
    {.path = "/metrics",
     .methods = HTTP_BIT(GET),
     .fn = on_metrics,
     .doc = "counters and gauges in the Prometheus text format"},
};

void health_routes(struct health *h, struct http_router *router)
{
    assert(h != NULL && router != NULL);
    http_router_add(router, routes, ARRAY_LEN(routes), h);
}

void health_watch(struct health *h, const char *name, const struct loop *l)
{
    assert(name != NULL && l != NULL);
    *VEC_PUSH(&h->loops) = (struct watched){name, l};
}

void health_check(struct health *h, const char *name, bool (*fn)(void *arg, char *why, size_t size),
                  void *arg)
{
    assert(name != NULL && fn != NULL);
    *VEC_PUSH(&h->checks) = (struct check){name, fn, arg};
}

void health_metrics(struct health *h, struct stats *stats)
{
    h->stats = stats;
}

void health_drain(struct health *h)
{
    atomic_store(&h->draining, true);
}
