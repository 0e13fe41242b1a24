/* SPDX-License-Identifier: Apache-2.0
 *
 * See keeps.h.
 */
#include "coordinator/keeps.h"

#include "core/base/log.h"
#include "core/base/mem.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

#define AGAIN_NS (60 * CLOCK_NS_PER_S)

enum { TAG_AGAIN = 1, TAG_TOPIC = 16 };

static const char *const topics[] = {"metrics", "logs", "spans", "k8s", "journal", "state.archive"};

struct keeps {
    struct role_client *client;
    int64_t ms[ARRAY_LEN(topics)]; /* retention; 0: not known, -1: for ever */
};

static void ask(struct keeps *k)
{
    struct bus_client *bus = role_client_bus(k->client);
    struct err e;
    for (size_t i = 0; i < ARRAY_LEN(topics); i++) {
        uint32_t id = bus_topic(bus, slice_str(topics[i]));
        if (bus_describe(bus, id, TAG_TOPIC + i, &e) != 0) {
            LOG_DEBUG("a topic's retention is not known", LOG_STR("error", e.msg));
        }
    }
    bus_at(bus, clock_mono(bus_clock(bus)) + AGAIN_NS, TAG_AGAIN);
}

static void on_event(void *arg, const struct bus_ev *ev)
{
    struct keeps *k = arg;
    if (ev->kind == BUS_EV_TIMER) {
        ask(k);
    } else if (ev->kind == BUS_EV_DONE && ev->tag >= TAG_TOPIC) {
        assert(ev->tag - TAG_TOPIC < ARRAY_LEN(topics) && ev->count == 1);
        k->ms[ev->tag - TAG_TOPIC] = ev->topics[0].retention_ms;
    }
}

struct keeps *keeps_new(const struct role_env *env)
{
    struct keeps *k = MEM_NEW(struct keeps);
    k->client = role_client_new(env, "retention", on_event, k);
    return k;
}

void keeps_free(struct keeps *k)
{
    if (k != NULL) {
        role_client_free(k->client);
        mem_free(k);
    }
}

void keeps_start(struct keeps *k)
{
    ask(k);
}

/* "8d", "36h", "90s": in the largest unit that divides it. */
static const char *span(int64_t ms, char to[32])
{
    static const struct {
        int64_t ms;
        const char *unit;
    } units[] = {{86400000, "d"}, {3600000, "h"}, {60000, "m"}, {1000, "s"}, {1, "ms"}};
    size_t i = 0;
    while (ms % units[i].ms != 0) {
        i++;
    }
    (void)snprintf(to, 32, "%" PRId64 "%s", ms / units[i].ms, units[i].unit);
    return to;
}

void keeps_warn(const struct keeps *k, int64_t horizon_ns, int64_t archive_ns, json_t *warnings)
{
    int64_t need = (horizon_ns + archive_ns) / CLOCK_NS_PER_MS;
    for (size_t i = 0; i < ARRAY_LEN(topics) && horizon_ns > 0; i++) {
        char has[32], wants[32], horizon[32], text[400];
        if (k->ms[i] <= 0 || k->ms[i] >= need) {
            continue;
        }
        (void)snprintf(text, sizeof text,
                       "topic '%s' keeps %s; to verify by replay what ran up to %s ago "
                       "(the graph's replay_horizon) it has to keep %s",
                       topics[i], span(k->ms[i], has), span(horizon_ns / CLOCK_NS_PER_MS, horizon),
                       span(need, wants));
        (void)json_array_append_new(
            warnings,
            json_pack("{s:s, s:s, s:s, s:s}", "code", "KJ-BUS-0001", "severity", "warning",
                      "detail", text, "hint",
                      "raise the topic's retention, or lower the replay_horizon of the graph"));
    }
}
