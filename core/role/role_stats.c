/* SPDX-License-Identifier: Apache-2.0
 *
 * See role_stats.h. All of it is read at the scrape: nothing is counted twice.
 */
#include "core/role/role_stats.h"

#include "core/base/mem.h"
#include "core/net/health.h"
#include "core/net/http_server.h"
#include "core/stats/stats.h"
#include "core/version.h"

#include <assert.h>
#include <stddef.h>

struct role_stats {
    const struct role_env *env;
};

struct bus_row {
    struct stats_row row;
    size_t offset; /* in struct bus_stats */
};

#define BUS_ROW(name, kind, member, help)                                                          \
    {                                                                                              \
        {(name), (kind), (help), {NULL}, NULL, 0}, offsetof(struct bus_stats, member)              \
    }

static const struct bus_row bus_rows[] = {
    BUS_ROW("kaiju_bus_puts_total", STATS_COUNTER, puts, "Records put on the bus."),
    BUS_ROW("kaiju_bus_put_bytes_total", STATS_COUNTER, put_bytes, "Bytes put on the bus."),
    BUS_ROW("kaiju_bus_reads_total", STATS_COUNTER, reads, "Records read from the bus."),
    BUS_ROW("kaiju_bus_read_bytes_total", STATS_COUNTER, read_bytes, "Bytes read from the bus."),
    BUS_ROW("kaiju_bus_commits_total", STATS_COUNTER, commits, "Transactions committed."),
    BUS_ROW("kaiju_bus_aborts_total", STATS_COUNTER, aborts, "Transactions aborted."),
    BUS_ROW("kaiju_bus_unknowns_total", STATS_COUNTER, unknowns,
            "Transactions whose fate was not known at once."),
    BUS_ROW("kaiju_bus_fences_total", STATS_COUNTER, fences, "Writers that lost their slot."),
    BUS_ROW("kaiju_bus_fulls_total", STATS_COUNTER, fulls, "Transactions that found no space."),
    BUS_ROW("kaiju_bus_refused_total", STATS_COUNTER, refused, "Single puts that failed."),
    BUS_ROW("kaiju_bus_syncs_total", STATS_COUNTER, syncs, "Group commits made durable."),
    BUS_ROW("kaiju_bus_taints_total", STATS_COUNTER, taints,
            "Producers made anew because a request's fate was not known."),
    BUS_ROW("kaiju_bus_used_bytes", STATS_GAUGE, used_bytes, "Bytes of data on the embedded bus."),
    BUS_ROW("kaiju_bus_quota_bytes", STATS_GAUGE, quota_bytes,
            "Bytes at which the embedded bus refuses to write."),
};

static void read_bus(struct stats_scrape *scrape, void *arg)
{
    const struct role_stats *s = arg;
    struct bus_stats now = bus_stats(s->env->bus);
    for (size_t i = 0; i < ARRAY_LEN(bus_rows); i++) {
        uint64_t value;
        memcpy(&value, (const char *)&now + bus_rows[i].offset, sizeof value);
        stats_read(scrape, &bus_rows[i].row, NULL, (double)value);
    }
}

struct role_stats *role_stats_new(const struct role_env *env)
{
    assert(env->stats != NULL && env->http != NULL && env->health != NULL);
    struct role_stats *s = MEM_NEW(struct role_stats);
    s->env = env;
    stats_process(env->stats, CORE_VERSION);
    stats_reader(env->stats, read_bus, s);
    http_server_publish(env->http, env->stats, "main");
    health_metrics(env->health, env->stats);
    return s;
}

void role_stats_free(struct role_stats *s)
{
    if (s != NULL) {
        stats_reader_remove(s->env->stats, s);
        mem_free(s);
    }
}
