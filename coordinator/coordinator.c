/* SPDX-License-Identifier: Apache-2.0
 *
 * The role `coordinator`: keeps rule graphs and serves the API. This file puts the parts together:
 * the store (what is in ctl.*, and the right to write it), what was read of it, the feeds, the API.
 */
#include "coordinator/coordinator.h"

#include "coordinator/api.h"
#include "coordinator/gone.h"
#include "coordinator/members.h"
#include "coordinator/sweep_carried.h"
#include "core/base/mem.h"
#include "core/net/aside.h"
#include "core/net/health.h"
#include "core/net/loop.h"
#include "core/stats/stats.h"

#include <assert.h>
#include <stdio.h>

#define LOOK_NS (100 * CLOCK_NS_PER_MS)

struct coordinator_settings {
    int64_t sweep_after_ns;
};

#define AT(member) offsetof(struct coordinator_settings, member)
static const struct conf_row rows[] = {
    {"coordinator.sweep_after", CONF_DURATION, AT(sweep_after_ns), "30s", 0,
     24 * 3600 * CLOCK_NS_PER_S, NULL, 0,
     "state that no task carries on any more is removed when graphs and workers have not changed "
     "for so long; 0: never"},
};

struct coordinator {
    struct role_client *client;
    struct store *store;
    struct graphs *graphs;
    struct tasks *tasks;
    struct members *members;
    struct gone *gone;
    struct sweep *sweep;
    struct sweep_sources sources; /* of it */
    struct loop_timer *timer;
    struct feed *feeds[FEED_TOPICS];
    struct keeps *keeps;
    struct aside *plans, *documents; /* compile: of graphs that are there, and of requests */
    struct api *api;
    struct stats *stats;
};

static void on_bus(void *arg, const struct bus_ev *ev)
{
    struct coordinator *c = arg;
    if (ev->tag >= SWEEP_TAG) {
        sweep_on_event(c->sweep, ev);
    } else if (ev->tag > MEMBERS_TAG) {
        members_on_event(c->members, ev);
    } else {
        store_on_event(c->store, ev);
    }
}

static void on_topics(void *arg)
{
    struct coordinator *c = arg;
    store_start(c->store);
    keeps_start(c->keeps);
}

static void on_record(void *arg, enum store_topic topic, struct slice key, struct slice value)
{
    struct coordinator *c = arg;
    if (topic == STORE_TASKS) {
        tasks_take(c->tasks, key, value);
        return;
    }
    if (topic != STORE_GRAPHS) {
        members_take(c->members, topic, key, value);
        return;
    }
    graphs_take(c->graphs, key, value);
    members_graph(c->members, key);
    if (graphs_get(c->graphs, key) == NULL) {
        api_forget(c->api, key);
    }
}

static bool holds(void *arg, enum store_topic topic, struct slice key, struct slice value)
{
    const struct coordinator *c = arg;
    return topic == STORE_GRAPHS ? graphs_hold(c->graphs, key, value)
                                 : members_hold(c->members, topic, key, value);
}

/* ---- the sweep ---- */

static bool carried(void *arg, struct map *to, char why[SWEEP_WHY])
{
    const struct coordinator *c = arg;
    return sweep_carried(&c->sources, to, why);
}

static uint64_t turn(void *arg)
{
    const struct coordinator *c = arg;
    return sweep_turn(&c->sources);
}

static uint32_t swept(void *arg, const struct bus_put **ret_puts)
{
    return sweep_puts(arg, ret_puts);
}

static void has_swept(void *arg, const struct err *err)
{
    sweep_written(arg, err);
}

/* Among the changes of graphs and assignments, so none of them comes between. */
static bool write_sweep(void *arg, struct sweep *s)
{
    static const struct store_change change = {.puts = swept, .done = has_swept};
    const struct coordinator *c = arg;
    struct err err;
    return store_submit(c->store, &change, s, &err) == 0;
}

static void look(void *arg)
{
    struct coordinator *c = arg;
    members_step(c->members);
    gone_step(c->gone);
    sweep_step(c->sweep);
    loop_timer_set(c->timer, LOOK_NS);
}

static bool is_ready(void *arg, char *why, size_t size)
{
    const struct coordinator *c = arg;
    bool loaded = store_loaded(c->store);
    snprintf(why, size, "%s", loaded ? store_why(c->store) : "reading rule graphs and tasks");
    return loaded && store_settled(c->store);
}

/* ---- /metrics ---- */

enum figure {
    LEADING,
    GRAPHS,
    TASKS,
    WORKERS,
    SLOTS,
    WAITING,
    CHANGES,
    REFUSED,
    RETRIED,
    FENCED,
    LISTENERS,
    LOST,
    GAPS,
    SWEEPS,
    SWEPT_KEYS,
    SWEPT_BYTES,
    SWEEP_WAITS_S,
    FIGURES
};
#define FIGURE(name_, kind_, help_)                                                                \
    {                                                                                              \
        (name_), (kind_), (help_), {NULL}, NULL, 0                                                 \
    }
static const struct stats_row figures[FIGURES] = {
    [LEADING] = FIGURE("kaiju_coordinator_leading", STATS_GAUGE,
                       "1 while this replica holds the right to change rule graphs."),
    [GRAPHS] = FIGURE("kaiju_coordinator_graphs", STATS_GAUGE, "Rule graphs that are applied."),
    [TASKS] = FIGURE("kaiju_coordinator_tasks", STATS_GAUGE, "Tasks that workers report."),
    [WORKERS] = FIGURE("kaiju_coordinator_workers", STATS_GAUGE, "Workers that are there."),
    [SLOTS] = FIGURE("kaiju_coordinator_slots", STATS_GAUGE, "Slots that they offer."),
    [WAITING] = FIGURE("kaiju_coordinator_waiting_tasks", STATS_GAUGE,
                       "Tasks that no slot has yet, or no longer."),
    [CHANGES] = FIGURE("kaiju_coordinator_changes_total", STATS_COUNTER,
                       "Changes of rule graphs that are durable."),
    [REFUSED] = FIGURE("kaiju_coordinator_refused_changes_total", STATS_COUNTER,
                       "Changes the bus did not take, or not in time."),
    [RETRIED] = FIGURE("kaiju_coordinator_retried_changes_total", STATS_COUNTER,
                       "Times that a change was put again after a failed commit."),
    [FENCED] = FIGURE("kaiju_coordinator_fenced_total", STATS_COUNTER,
                      "Times that another coordinator took the writer's slot."),
    [LISTENERS] = FIGURE("kaiju_coordinator_streams", STATS_GAUGE, "Streams that are open."),
    [LOST] = FIGURE("kaiju_coordinator_stream_events_lost_total", STATS_COUNTER,
                    "Events that were left out because a listener was too slow."),
    [GAPS] = FIGURE("kaiju_coordinator_stream_gaps_total", STATS_COUNTER,
                    "Times that a topic had lost what its streams were to read next."),
    [SWEEPS] = FIGURE("kaiju_coordinator_sweeps_total", STATS_COUNTER,
                      "Times that all of the saved state was looked through for what no task "
                      "carries on."),
    [SWEPT_KEYS] = FIGURE("kaiju_coordinator_swept_keys_total", STATS_COUNTER,
                          "Records of saved state that were removed then."),
    [SWEPT_BYTES] =
        FIGURE("kaiju_coordinator_swept_bytes_total", STATS_COUNTER, "Their bytes, keys included."),
    [SWEEP_WAITS_S] = FIGURE("kaiju_coordinator_sweep_waits_seconds", STATS_GAUGE,
                             "Time for which such a look is due and cannot be had."),
};

static void read_stats(struct stats_scrape *scrape, void *arg)
{
    const struct coordinator *c = arg;
    struct store_stats st = store_stats(c->store);
    struct feed_stats events = feed_stats(c->feeds[FEED_EVENTS]);
    struct feed_stats alerts = feed_stats(c->feeds[FEED_ALERTS]);
    struct members_count members = members_count(c->members);
    struct sweep_look sweep = sweep_look(c->sweep);
    const double now[FIGURES] = {
        [SWEEPS] = (double)sweep.passes,
        [SWEPT_KEYS] = (double)sweep.keys,
        [SWEPT_BYTES] = (double)sweep.bytes,
        [SWEEP_WAITS_S] = (double)sweep.waits_ns / (double)CLOCK_NS_PER_S,
        [WORKERS] = members.workers,
        [SLOTS] = members.slots,
        [WAITING] = members.waiting,
        [LEADING] = store_writable(c->store) ? 1 : 0,
        [GRAPHS] = (double)graphs_count(c->graphs),
        [TASKS] = (double)tasks_count(c->tasks),
        [CHANGES] = (double)st.changes,
        [REFUSED] = (double)st.refused,
        [RETRIED] = (double)st.retried,
        [FENCED] = (double)st.fenced,
        [LISTENERS] = (double)(events.listeners + alerts.listeners),
        [LOST] = (double)(events.lost + alerts.lost),
        [GAPS] = (double)(events.gaps + alerts.gaps),
    };
    for (size_t i = 0; i < FIGURES; i++) {
        stats_read(scrape, &figures[i], NULL, now[i]);
    }
}

/* ---- life ---- */

static void stop(void *state)
{
    struct coordinator *c = state;
    stats_reader_remove(c->stats, c);
    aside_free(c->plans);
    aside_free(c->documents);
    store_free(c->store);
    for (size_t i = 0; i < FEED_TOPICS; i++) {
        feed_free(c->feeds[i]);
    }
    api_free(c->api);
    keeps_free(c->keeps);
    graphs_free(c->graphs);
    tasks_free(c->tasks);
    gone_free(c->gone);
    sweep_free(c->sweep);
    members_free(c->members);
    loop_timer_free(c->timer);
    role_client_free(c->client);
    mem_free(c);
}

/* As the setting bus.kind has them. */
static const char *const bus_names[] = {
    [BUS_LOCAL] = "local", [BUS_KAFKA] = "kafka", [BUS_SIM] = "sim"};

static int start(struct role_env *env, const void *settings, void **ret_state, struct err *reterr)
{
    struct coordinator *c = MEM_NEW(struct coordinator);
    const struct coordinator_settings *own = settings;
    (void)reterr;
    assert(env != NULL && env->http != NULL);
    c->stats = env->stats;
    c->graphs = graphs_new();
    c->tasks = tasks_new();
    c->client = role_client_new(env, "coordinator", on_bus, c);
    c->store = store_new(&(struct store_conf){
        .bus = role_client_bus(c->client), .on_record = on_record, .holds = holds, .arg = c});
    c->keeps = keeps_new(env);
    c->plans = aside_new(env->loop);
    c->documents = aside_new(env->loop);
    c->members =
        members_new(&(struct members_conf){.bus = role_client_bus(c->client),
                                           .store = c->store,
                                           .graphs = c->graphs,
                                           .aside = c->plans,
                                           .layout = coordinator_layout,
                                           .raw_parts = (uint32_t)env->settings->bus.partitions});
    c->gone = gone_new(&(struct gone_conf){
        .store = c->store, .graphs = c->graphs, .tasks = c->tasks, .members = c->members});
    c->sources = (struct sweep_sources){c->store, c->graphs, c->members, c->tasks};
    c->sweep = sweep_new(&(struct sweep_conf){.bus = role_client_bus(c->client),
                                              .calm_ns = own != NULL ? own->sweep_after_ns : 0,
                                              .carried = carried,
                                              .turn = turn,
                                              .write = write_sweep,
                                              .arg = c});
    c->timer = loop_timer_new(env->loop, look, c);
    loop_timer_set(c->timer, LOOK_NS);
    for (unsigned i = 0; i < FEED_TOPICS; i++) {
        c->feeds[i] = feed_new(env, (enum feed_topic)i);
    }
    struct api_conf conf = {.http = env->http,
                            .store = c->store,
                            .graphs = c->graphs,
                            .tasks = c->tasks,
                            .feeds = {c->feeds[FEED_EVENTS], c->feeds[FEED_ALERTS]},
                            .members = c->members,
                            .sweep = c->sweep,
                            .keeps = c->keeps,
                            .engine = coordinator_engine,
                            .aside = c->documents,
                            .diff = coordinator_diff,
                            .raw_parts = (uint32_t)env->settings->bus.partitions,
                            .bus = bus_names[bus_kind(env->bus)],
                            .storage = env->bus,
                            .retention_ns = env->settings->bus.retention_ns};
    c->api = api_new(&conf);
    stats_reader(env->stats, read_stats, c);
    health_check(env->health, "coordinator", is_ready, c);
    role_topics_then(env->topics, on_topics, c);
    *ret_state = c;
    return 0;
}

static void drain(void *state)
{
    struct coordinator *c = state;
    for (size_t i = 0; i < FEED_TOPICS; i++) {
        feed_end(c->feeds[i]);
    }
}

const struct role role_coordinator = {.name = "coordinator",
                                      .what = "Coordinator",
                                      .start = start,
                                      .drain = drain,
                                      .stop = stop,
                                      .rows = rows,
                                      .row_count = ARRAY_LEN(rows),
                                      .settings_size = sizeof(struct coordinator_settings)};

static int run(const struct cmd *self, int argc, char **argv)
{
    const struct role *const roles[] = {&role_coordinator};
    return role_main(self, roles, ARRAY_LEN(roles), argc, argv);
}

extern const struct cmd cmd_coordinator;
const struct cmd cmd_coordinator = {"coordinator", "[OPTION...]",
                                    "keeps rule graphs, assigns their tasks, serves the API", run};
