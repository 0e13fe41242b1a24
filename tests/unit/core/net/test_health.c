/* SPDX-License-Identifier: Apache-2.0 */
#include "core/net/health.h"

#include "core/stats/stats.h"
#include "rig.h"
#include "tests/test.h"

#include <stdio.h>

static bool flag_check(void *arg, char *why, size_t size)
{
    if (!*(bool *)arg) {
        snprintf(why, size, "no broker answers");
    }
    return *(bool *)arg;
}

TEST(health_pages_tell_alive_ready_and_numbers)
{
    struct rig g;
    bool bus_ok = false, disk_ok = false;
    rig_start(&g, NULL, NULL);
    struct health *h = health_new();
    health_watch(h, "main", g.loop);
    health_check(h, "bus", flag_check, &bus_ok);
    health_check(h, "disk", flag_check, &disk_ok);
    struct stats *stats = stats_new();
    http_server_publish(g.server, stats, "rig");
    health_metrics(h, stats);
    health_routes(h, http_server_router(g.server));

    CHECK_EQ(200, rig_ask(&g, "GET /healthz HTTP/1.0\r\n\r\n", 30000));
    CHECK_HAS("\r\n\r\nok\n", buf_cstr(&g.got));
    CHECK_EQ(503, rig_ask(&g, "GET /readyz HTTP/1.0\r\n\r\n", 30000));
    CHECK_HAS("bus: no broker answers\ndisk: no broker answers\n", buf_cstr(&g.got));
    bus_ok = disk_ok = true;
    CHECK_EQ(200, rig_ask(&g, "GET /readyz HTTP/1.0\r\n\r\n", 30000));
    health_drain(h);
    CHECK_EQ(503, rig_ask(&g, "GET /readyz HTTP/1.0\r\n\r\n", 30000));
    CHECK_HAS("draining\n", buf_cstr(&g.got));
    CHECK_EQ(200, rig_ask(&g, "GET /metrics HTTP/1.0\r\n\r\n", 30000));
    CHECK_HAS("text/plain; version=0.0.4", buf_cstr(&g.got));
    CHECK_HAS("# TYPE kaiju_http_requests_total counter\n", buf_cstr(&g.got));
    CHECK_HAS("\nkaiju_http_requests_total{server=\"rig\"} 5\n", buf_cstr(&g.got));
    CHECK_HAS("\nkaiju_http_answers_total{server=\"rig\",class=\"5xx\"} 2\n", buf_cstr(&g.got));
    CHECK_HAS("\nkaiju_http_request_seconds_count{server=\"rig\"} 4\n", buf_cstr(&g.got));
    CHECK_HAS("\nkaiju_http_connections{server=\"rig\"} 1\n", buf_cstr(&g.got));
    CHECK_EQ(405, rig_ask(&g, "POST /metrics HTTP/1.0\r\n\r\n", 30000));

    CHECK_EQ(200, rig_ask(&g, "GET /metrics HTTP/1.0\r\n\r\n", 30000));
    CHECK_HAS("{server=\"rig\",reason=\"method_denied\"} 1\n", buf_cstr(&g.got));

    rig_stop(&g);
    health_free(h);
    stats_free(stats);
}

TEST(health_names_a_loop_that_hangs)
{
    struct rig g;
    rig_start(&g, NULL, NULL);
    struct health *h = health_new();
    struct loop *other = loop_new(); /* nobody runs it */
    health_watch(h, "main", g.loop);
    health_watch(h, "shard 3", other);
    health_routes(h, http_server_router(g.server));
    rig_step(&g, 5200);
    CHECK_EQ(503, rig_ask(&g, "GET /healthz HTTP/1.0\r\n\r\n", 30000));
    CHECK_HAS("loop shard 3: has not gone round for 5 s\n", buf_cstr(&g.got));
    rig_stop(&g);
    loop_free(other);
    health_free(h);
}
