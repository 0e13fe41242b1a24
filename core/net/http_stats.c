/* SPDX-License-Identifier: Apache-2.0
 *
 * The server's figures for /metrics: read at each scrape, from whichever thread scrapes. Reasons
 * for which nothing was refused yet are shown as 0, so that a rate can be taken from the start.
 */
#include "core/net/http_conn.h"
#include "core/net/loop.h"
#include "core/stats/stats.h"

#include <assert.h>

static const struct stats_row row_requests = {
    .name = "kaiju_http_requests_total",
    .kind = STATS_COUNTER,
    .help = "requests whose head was accepted",
    .labels = {"server"},
};
static const struct stats_row row_answers = {
    .name = "kaiju_http_answers_total",
    .kind = STATS_COUNTER,
    .help = "answers begun, by the class of their status",
    .labels = {"server", "class"},
};
static const struct stats_row row_refused = {
    .name = "kaiju_http_refused_total",
    .kind = STATS_COUNTER,
    .help = "requests refused and connections dropped, by reason",
    .labels = {"server", "reason"},
};
static const struct stats_row row_accepted = {
    .name = "kaiju_http_accepted_total",
    .kind = STATS_COUNTER,
    .help = "connections accepted",
    .labels = {"server"},
};
static const struct stats_row row_in = {
    .name = "kaiju_http_received_bytes_total",
    .kind = STATS_COUNTER,
    .help = "bytes of requests read, without TLS",
    .labels = {"server"},
};
static const struct stats_row row_out = {
    .name = "kaiju_http_sent_bytes_total",
    .kind = STATS_COUNTER,
    .help = "bytes of answers given to the socket, without TLS",
    .labels = {"server"},
};
static const struct stats_row row_connections = {
    .name = "kaiju_http_connections",
    .kind = STATS_GAUGE,
    .help = "open connections",
    .labels = {"server"},
};
static const struct stats_row row_active = {
    .name = "kaiju_http_requests_active",
    .kind = STATS_GAUGE,
    .help = "requests in work",
    .labels = {"server"},
};
static const struct stats_row row_buffered = {
    .name = "kaiju_http_buffered_bytes",
    .kind = STATS_GAUGE,
    .help = "bytes of request bodies being collected",
    .labels = {"server"},
};
static const struct stats_row row_seconds = {
    .name = "kaiju_http_request_seconds",
    .kind = STATS_HISTOGRAM,
    .help = "from the complete head to the end of the answer",
    .labels = {"server"},
};

static uint64_t load(const uint64_t *from)
{
    return __atomic_load_n(from, __ATOMIC_RELAXED);
}

struct http_server_stats http_server_stats(const struct http_server *s)
{
    struct http_server_stats out = {
        .accepted = load(&s->stats.accepted),
        .requests = load(&s->stats.requests),
        .in_bytes = load(&s->stats.in_bytes),
        .out_bytes = load(&s->stats.out_bytes),
        .connections = load(&s->stats.connections),
        .active = load(&s->stats.active),
        .buffered = load(&s->stats.buffered),
    };
    for (size_t i = 0; i < ARRAY_LEN(out.answers); i++) {
        out.answers[i] = load(&s->stats.answers[i]);
    }
    for (size_t i = 0; i < ARRAY_LEN(out.refused); i++) {
        out.refused[i] = load(&s->stats.refused[i]);
    }
    return out;
}

static void read_figures(struct stats_scrape *scrape, void *arg)
{
    static const char *const classes[] = {"", "1xx", "2xx", "3xx", "4xx", "5xx"};
    const struct http_server *s = arg;
    struct http_server_stats now = http_server_stats(s);
    struct slice labels[2] = {slice_str(s->name), SLICE_NONE};
    stats_read(scrape, &row_requests, labels, (double)now.requests);
    stats_read(scrape, &row_accepted, labels, (double)now.accepted);
    stats_read(scrape, &row_in, labels, (double)now.in_bytes);
    stats_read(scrape, &row_out, labels, (double)now.out_bytes);
    stats_read(scrape, &row_connections, labels, (double)now.connections);
    stats_read(scrape, &row_active, labels, (double)now.active);
    stats_read(scrape, &row_buffered, labels, (double)now.buffered);
    for (size_t i = 2; i < ARRAY_LEN(classes); i++) {
        labels[1] = slice_str(classes[i]);
        stats_read(scrape, &row_answers, labels, (double)now.answers[i]);
    }
    for (int i = HTTP_REASON_NONE + 1; i < HTTP_REASON_COUNT; i++) {
        char name[HTTP_REASON_BYTES];
        labels[1] = slice_str(http_reason_name((enum http_reason)i, name));
        stats_read(scrape, &row_refused, labels, (double)now.refused[i]);
    }
}

void http_server_publish(struct http_server *s, struct stats *stats, const char *name)
{
    assert(s->published == NULL && stats != NULL && name != NULL);
    s->published = stats;
    s->name = name;
    struct slice label = slice_str(name);
    s->seconds = stats_series(stats_family(stats, &row_seconds), &label);
    stats_reader(stats, read_figures, s);
}

void server_unpublish(struct http_server *s)
{
    if (s->published != NULL) {
        stats_reader_remove(s->published, s);
        s->published = NULL;
    }
}

void server_timed(struct http_server *s, int64_t born_ns)
{
    if (s->seconds != NULL) {
        stats_observe(s->seconds, (double)(loop_now_ns(s->loop) - born_ns) / 1e9);
    }
}
