/* SPDX-License-Identifier: Apache-2.0
 *
 * See ingest_stats.h.
 */
#include "ingest/ingest_stats.h"

#include "core/base/mem.h"
#include "core/stats/stats.h"
#include "ingest/budget.h"
#include "ingest/publish.h"

#include <assert.h>

struct ingest_stats {
    struct stats *stats;
    const struct publish *publish;
    const struct budget *budget;
};

struct figures {
    struct publish_stats p;
    struct budget b;
};

/* How a figure is shown, and how it is got. */
struct figure_row {
    struct stats_row row;
    double (*get)(const struct figures *f);
};

static double requests(const struct figures *f)
{
    return (double)f->p.requests;
}
static double failed(const struct figures *f)
{
    return (double)f->p.failed;
}
static double waiting_bytes(const struct figures *f)
{
    return (double)f->p.waiting_bytes;
}
static double bytes_per_s(const struct figures *f)
{
    return f->p.bytes_per_s;
}
static double dead(const struct figures *f)
{
    return (double)f->p.dead;
}
static double dead_lost(const struct figures *f)
{
    return (double)f->p.dead_lost;
}
static double memory_used(const struct figures *f)
{
    return (double)f->b.used;
}
static double memory_limit(const struct figures *f)
{
    return (double)f->b.limit;
}
static double refused(const struct figures *f)
{
    return (double)f->b.refused;
}

#define FIGURE(name_, kind_, help_, get_)                                                          \
    {                                                                                              \
        {(name_), (kind_), (help_), {NULL}, NULL, 0}, (get_)                                       \
    }

static const struct figure_row figures[] = {
    FIGURE("kaiju_ingest_requests_total", STATS_COUNTER, "Requests the bus has decided.", requests),
    FIGURE("kaiju_ingest_failed_requests_total", STATS_COUNTER,
           "Requests the bus did not take: senders repeat them.", failed),
    FIGURE("kaiju_ingest_waiting_bytes", STATS_GAUGE, "Bytes on their way to the bus.",
           waiting_bytes),
    FIGURE("kaiju_ingest_drain_bytes_per_second", STATS_GAUGE,
           "How fast the bus takes them, lately.", bytes_per_s),
    FIGURE("kaiju_ingest_dead_letters_total", STATS_COUNTER,
           "What could not be decoded or taken, for the topic dlq.", dead),
    FIGURE("kaiju_ingest_dead_letters_lost_total", STATS_COUNTER,
           "Of those, what the bus could not take either.", dead_lost),
    FIGURE("kaiju_ingest_memory_bytes", STATS_GAUGE, "Memory that requests hold.", memory_used),
    FIGURE("kaiju_ingest_memory_limit_bytes", STATS_GAUGE, "Memory that they may hold.",
           memory_limit),
    FIGURE("kaiju_ingest_memory_refused_total", STATS_COUNTER, "Times that memory was not granted.",
           refused),
};

static const struct stats_row events_row = {
    "kaiju_ingest_events_total", STATS_COUNTER, "Events put on the bus.", {"topic"}, NULL, 0};

static void read_all(struct stats_scrape *scrape, void *arg)
{
    const struct ingest_stats *s = arg;
    struct figures now = {.p = publish_stats(s->publish), .b = *s->budget};
    for (size_t i = 0; i < ARRAY_LEN(figures); i++) {
        stats_read(scrape, &figures[i].row, NULL, figures[i].get(&now));
    }
    for (size_t i = 0; i < BUS_TOPICS_COUNT; i++) {
        uint64_t n = now.p.events[bus_topic_rows[i].id];
        if (n > 0) {
            struct slice topic = slice_str(bus_topic_rows[i].name);
            stats_read(scrape, &events_row, &topic, (double)n);
        }
    }
}

struct ingest_stats *ingest_stats_new(struct stats *stats, const struct publish *p,
                                      const struct budget *b)
{
    assert(stats != NULL && p != NULL && b != NULL);
    struct ingest_stats *s = MEM_NEW(struct ingest_stats);
    *s = (struct ingest_stats){stats, p, b};
    stats_reader(stats, read_all, s);
    return s;
}

void ingest_stats_free(struct ingest_stats *s)
{
    if (s != NULL) {
        stats_reader_remove(s->stats, s);
        mem_free(s);
    }
}
