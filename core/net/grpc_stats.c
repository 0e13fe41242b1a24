/* SPDX-License-Identifier: Apache-2.0
 *
 * The gRPC server's figures for /metrics, read at each scrape from whichever thread scrapes, as
 * http_stats.c does it for HTTP.
 */
#include "core/net/grpc_conn.h"
#include "core/stats/stats.h"

#include <assert.h>

static const struct stats_row row_calls = {
    .name = "kaiju_grpc_calls_total",
    .kind = STATS_COUNTER,
    .help = "calls begun",
    .labels = {"server"},
};
static const struct stats_row row_answers = {
    .name = "kaiju_grpc_answers_total",
    .kind = STATS_COUNTER,
    .help = "calls answered, by grpc-status",
    .labels = {"server", "status"},
};
static const struct stats_row row_refused = {
    .name = "kaiju_grpc_refused_total",
    .kind = STATS_COUNTER,
    .help = "calls refused and connections ended by the server itself, by reason",
    .labels = {"server", "reason"},
};
static const struct stats_row row_opened = {
    .name = "kaiju_grpc_accepted_total",
    .kind = STATS_COUNTER,
    .help = "HTTP/2 connections taken",
    .labels = {"server"},
};
static const struct stats_row row_in = {
    .name = "kaiju_grpc_received_bytes_total",
    .kind = STATS_COUNTER,
    .help = "bytes read, without TLS",
    .labels = {"server"},
};
static const struct stats_row row_out = {
    .name = "kaiju_grpc_sent_bytes_total",
    .kind = STATS_COUNTER,
    .help = "bytes given to the socket, without TLS",
    .labels = {"server"},
};
static const struct stats_row row_messages = {
    .name = "kaiju_grpc_message_bytes_total",
    .kind = STATS_COUNTER,
    .help = "bytes of messages handed to handlers, as they were sent",
    .labels = {"server"},
};
static const struct stats_row row_connections = {
    .name = "kaiju_grpc_connections",
    .kind = STATS_GAUGE,
    .help = "open HTTP/2 connections",
    .labels = {"server"},
};
static const struct stats_row row_active = {
    .name = "kaiju_grpc_calls_active",
    .kind = STATS_GAUGE,
    .help = "calls begun and not answered",
    .labels = {"server"},
};
static const struct stats_row row_reserved = {
    .name = "kaiju_grpc_reserved_bytes",
    .kind = STATS_GAUGE,
    .help = "bytes of the memory budget that calls hold",
    .labels = {"server"},
};
static const struct stats_row row_seconds = {
    .name = "kaiju_grpc_call_seconds",
    .kind = STATS_HISTOGRAM,
    .help = "from the first byte of the head to the answer",
    .labels = {"server"},
};

static uint64_t load(const uint64_t *from)
{
    return __atomic_load_n(from, __ATOMIC_RELAXED);
}

struct grpc_server_stats grpc_server_stats(const struct grpc_server *g)
{
    struct grpc_server_stats out = {
        .connections_total = load(&g->stats.connections_total),
        .calls = load(&g->stats.calls),
        .in_bytes = load(&g->stats.in_bytes),
        .out_bytes = load(&g->stats.out_bytes),
        .message_bytes = load(&g->stats.message_bytes),
        .connections = load(&g->stats.connections),
        .active = load(&g->stats.active),
        .reserved = load(&g->stats.reserved),
    };
    for (size_t i = 0; i < ARRAY_LEN(out.answers); i++) {
        out.answers[i] = load(&g->stats.answers[i]);
    }
    for (size_t i = 0; i < ARRAY_LEN(out.refused); i++) {
        out.refused[i] = load(&g->stats.refused[i]);
    }
    return out;
}

static void read_figures(struct stats_scrape *scrape, void *arg)
{
    const struct grpc_server *g = arg;
    struct grpc_server_stats now = grpc_server_stats(g);
    struct slice labels[2] = {slice_str(g->name), SLICE_NONE};
    stats_read(scrape, &row_calls, labels, (double)now.calls);
    stats_read(scrape, &row_opened, labels, (double)now.connections_total);
    stats_read(scrape, &row_in, labels, (double)now.in_bytes);
    stats_read(scrape, &row_out, labels, (double)now.out_bytes);
    stats_read(scrape, &row_messages, labels, (double)now.message_bytes);
    stats_read(scrape, &row_connections, labels, (double)now.connections);
    stats_read(scrape, &row_active, labels, (double)now.active);
    stats_read(scrape, &row_reserved, labels, (double)now.reserved);
    for (int i = 0; i < GRPC_STATUS_COUNT; i++) {
        labels[1] = slice_str(grpc_status_name(i));
        stats_read(scrape, &row_answers, labels, (double)now.answers[i]);
    }
    for (int i = GRPC_REASON_NONE + 1; i < GRPC_REASON_COUNT; i++) {
        char name[GRPC_REASON_BYTES];
        labels[1] = slice_str(grpc_reason_name((enum grpc_reason)i, name));
        stats_read(scrape, &row_refused, labels, (double)now.refused[i]);
    }
}

void grpc_server_publish(struct grpc_server *g, struct stats *stats, const char *name)
{
    assert(g->published == NULL && stats != NULL && name != NULL);
    g->published = stats;
    g->name = name;
    struct slice label = slice_str(name);
    g->seconds = stats_series(stats_family(stats, &row_seconds), &label);
    stats_reader(stats, read_figures, g);
}

void grpc_server_unpublish(struct grpc_server *g)
{
    if (g->published != NULL) {
        stats_reader_remove(g->published, g);
        g->published = NULL;
    }
}

void grpc_server_timed(struct grpc_server *g, int64_t born_ns)
{
    if (g->seconds != NULL) {
        stats_observe(g->seconds, (double)(loop_now_ns(g->loop) - born_ns) / 1e9);
    }
}
