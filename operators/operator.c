/* SPDX-License-Identifier: Apache-2.0
 *
 * The role `operator`: runs the tasks of rule graphs. It follows ctl.graphs, the graphs as they
 * were applied; for each it takes part in an election, and who leads runs the graph, in a thread of
 * its own (operators/shard/worker.h). When a worker dies its graphs elect another, who goes on from
 * the journal. What each task does is told in ctl.tasks.
 */
#include "operators/operator.h"

#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/base/vec.h"
#include "core/net/loop.h"
#include "operators/shard/worker.h"

#include <assert.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <unistd.h>

enum {
    TAG_GRAPHS = 1,
    TAG_WRITER = 2,
    TAG_PUT = 3,
    TAG_LEAD = 16,
    ARENA_MAX = 256 << 20,
    TELL_MAX = 8192
};

#define LOOK_NS CLOCK_NS_PER_S

struct settings {
    int64_t commit_ns, idle_ns, snapshot_ns;
    bool at_least_once;
};

#define AT(member) offsetof(struct settings, member)
static const struct conf_row rows[] = {
    {"operator.commit_interval", CONF_DURATION, AT(commit_ns), "0s", 0, 60 * CLOCK_NS_PER_S, NULL,
     0, "how often what tasks did is committed; 0: 200 ms on Kafka, 10 ms embedded"},
    {"operator.idle_after", CONF_DURATION, AT(idle_ns), "2s", 0, 3600 * CLOCK_NS_PER_S, NULL, 0,
     "timers of rules go on when nothing has arrived for so long; 0: never"},
    {"operator.snapshot_interval", CONF_DURATION, AT(snapshot_ns), "60s", 0,
     24 * 3600 * CLOCK_NS_PER_S, NULL, 0,
     "how often the state of a task is saved, so that less is replayed; 0: never"},
    {"operator.at_least_once", CONF_BOOL, AT(at_least_once), "false", 0, 0, NULL, 0,
     "to measure what transactions cost: none are used, and what is put out may come again"},
};

enum { NAME_BYTES = 192 };

struct graph {
    char *key;             /* tenant/name */
    char name[NAME_BYTES]; /* graph.tenant.name: of its election and its slot */
    char *document;
    int64_t version, applied; /* applied: counts changes; a graph that comes back begins at 1 */
    bool wanted, leads, electing;
    struct worker *worker;
    int64_t runs;         /* version */
    enum slot_state said; /* in the log */
};

struct runner {
    struct role_env *env;
    const struct settings *settings;
    struct role_client *client;
    struct bus_reader *reader;
    struct bus_writer *writer;
    bool open, draining;
    struct loop_timer *timer;
    VEC(struct graph *) graphs;
    char name[64];
};

/* ---- one graph ---- */

static void begin(struct runner *o, struct graph *g)
{
    struct err err;
    struct arena *a = arena_new(NULL, "graph", ARENA_MAX);
    struct layout *l = NULL;
    const struct layout_conf conf = {.raw_parts = (uint32_t)o->env->settings->bus.partitions};
    g->runs = g->applied;
    if (layout_make(a, slice_str(g->document), &conf, &l, &err) != 0) {
        LOG_ERROR("a graph cannot run", LOG_STR("graph", g->key), LOG_STR("error", err.msg));
        arena_free(a);
        return;
    }
    bool local = bus_kind(o->env->bus) == BUS_LOCAL;
    const struct worker_conf wconf = {.name = g->name,
                                      .commit_ns = o->settings->commit_ns > 0
                                                       ? o->settings->commit_ns
                                                       : (local ? 10 : 200) * CLOCK_NS_PER_MS,
                                      .idle_ns = o->settings->idle_ns,
                                      .snapshot_ns = o->settings->snapshot_ns,
                                      .plain = o->settings->at_least_once};
    g->worker = worker_new(o->env->bus, &wconf, l, a);
    g->said = SLOT_OPENING;
    LOG_INFO("graph begins", LOG_STR("graph", g->key), LOG_INT("version", g->version),
             LOG_INT("tasks", l->n_tasks));
}

static void put_task(struct runner *o, struct slice key, struct slice value)
{
    struct err err;
    struct bus_put put = {.to = {bus_topic(role_client_bus(o->client), SLICE("ctl.tasks")), 0},
                          .key = key,
                          .value = value,
                          .token = TAG_PUT};
    if (o->open && bus_put(o->writer, &put, &err) != 0) {
        LOG_DEBUG("a task's state is not told", LOG_STR("error", err.msg));
    }
}

/* Its tasks are told to be gone if the graph is; else another tells of them soon. */
static void end(struct runner *o, struct graph *g)
{
    const struct layout *l = g->worker != NULL ? worker_layout(g->worker) : NULL;
    for (uint32_t i = 0; l != NULL && !o->draining && i < l->n_groups; i++) {
        for (uint32_t k = 0; k < l->groups[i].parts; k++) {
            put_task(o, l->groups[i].tasks[k].plan->name, SLICE_NONE);
        }
    }
    worker_free(g->worker);
    g->worker = NULL;
    g->runs = 0;
}

/* What should be and what is. */
static void settle(struct runner *o, struct graph *g)
{
    struct bus_client *c = role_client_bus(o->client);
    struct err err;
    bool run = g->wanted && !o->draining;
    if (run && !g->electing) {
        uint32_t i = 0;
        while (o->graphs.ptr[i] != g) {
            i++;
        }
        g->electing = bus_elect(c, slice_str(g->name), TAG_LEAD + i, &err) == 0;
        if (!g->electing) {
            LOG_ERROR("a graph cannot run", LOG_STR("graph", g->key), LOG_STR("error", err.msg));
        }
    } else if (!run && g->electing) {
        bus_resign(c, slice_str(g->name));
        g->electing = g->leads = false;
    }
    run = run && g->leads;
    if (g->worker != NULL && (!run || g->runs != g->applied)) {
        end(o, g);
    }
    if (run && g->worker == NULL && g->runs != g->applied) {
        begin(o, g);
    }
}

/* ---- ctl.graphs ---- */

static struct graph *graph_of(struct runner *o, struct slice key)
{
    VEC_EACH (&o->graphs, g) {
        if (slice_eq(slice_str((*g)->key), key)) {
            return *g;
        }
    }
    struct graph *g = MEM_NEW(struct graph);
    g->key = mem_zalloc(key.len + 1);
    memcpy(g->key, key.ptr, key.len);
    (void)snprintf(g->name, sizeof g->name, "graph." SLICE_FMT, SLICE_ARG(key));
    for (char *p = g->name; *p != '\0'; p++) {
        *p = *p == '/' ? '.' : *p;
    }
    *VEC_PUSH(&o->graphs) = g;
    return g;
}

static void on_graph(struct runner *o, const struct bus_record *r)
{
    struct graph *g = graph_of(o, r->key);
    json_t *j = r->value.len > 0 ? json_loadb(r->value.ptr, r->value.len, 0, NULL) : NULL;
    const char *text = json_string_value(json_object_get(j, "document"));
    g->wanted = text != NULL;
    if (text != NULL) {
        mem_free(g->document);
        g->document = mem_zalloc(strlen(text) + 1);
        memcpy(g->document, text, strlen(text));
        g->version = json_integer_value(json_object_get(j, "version"));
        g->applied++;
    } else if (r->value.len > 0) {
        LOG_ERROR("a graph that cannot be read is not run", LOG_STR("graph", g->key));
    }
    json_decref(j);
    settle(o, g);
}

/* ---- ctl.tasks ---- */

static const char *const states[] = {"replay", "replay", "replay", "live", "lost"};

/* Into text: how many bytes. */
static size_t tell(const struct runner *o, const struct graph *g, uint32_t group, uint32_t part,
                   uint32_t task, char text[TELL_MAX])
{
    const struct layout *l = worker_layout(g->worker);
    struct worker_look look = worker_look(g->worker);
    struct worker_task t = worker_task(g->worker, task);
    const struct doc_graph *d = &l->doc->g;
    json_t *j = json_pack("{s:i s:s% s:s% s:s% s:I s:s s:s s:s}", "format", 1, "tenant",
                          d->tenant.ptr, d->tenant.len, "graph", d->name.ptr, d->name.len, "group",
                          l->groups[group].name.ptr, l->groups[group].name.len, "version",
                          (json_int_t)g->runs, "worker", o->name, "state", states[look.state],
                          "why", look.why);
    const struct slice name = l->groups[group].tasks[part].plan->name;
    json_object_set_new(j, "task", json_stringn(name.ptr, name.len));
    json_object_set_new(j, "clock", json_integer(t.clock == MERGE_NO_CLOCK ? 0 : t.clock));
    const struct {
        const char *key;
        uint64_t value;
    } numbers[] = {{"seq", t.seq},
                   {"taken", t.counts.taken},
                   {"put", t.counts.put},
                   {"late", t.counts.late},
                   {"ticks", t.counts.ticks},
                   {"refused", t.counts.refused},
                   {"commits", look.counts.commits},
                   {"aborts", look.counts.aborts},
                   {"restarts", look.restarts}};
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
        json_object_set_new(j, numbers[i].key, json_integer((json_int_t)numbers[i].value));
    }
    size_t n = json_dumpb(j, text, TELL_MAX, JSON_COMPACT | JSON_SORT_KEYS);
    json_decref(j);
    return n <= TELL_MAX ? n : 0;
}

static void say(struct graph *g)
{
    struct worker_look look = worker_look(g->worker);
    if (look.state == g->said) {
        return;
    }
    g->said = look.state;
    if (look.state == SLOT_LIVE) {
        LOG_INFO("graph is live", LOG_STR("graph", g->key),
                 LOG_INT("records_replayed", look.counts.replayed));
    } else if (look.state == SLOT_LOST) {
        LOG_WARN("graph has lost its slot, and begins again", LOG_STR("graph", g->key),
                 LOG_STR("why", look.why));
    }
}

static void look(void *arg)
{
    struct runner *o = arg;
    VEC_EACH (&o->graphs, at) {
        struct graph *g = *at;
        uint32_t task = 0;
        if (g->worker == NULL) {
            continue;
        }
        say(g);
        if (worker_look(g->worker).ended) { /* another has its slot: who leads now will say */
            bus_resign(role_client_bus(o->client), slice_str(g->name));
            g->electing = g->leads = false;
            settle(o, g);
            continue;
        }
        const struct layout *l = worker_layout(g->worker);
        for (uint32_t i = 0; i < l->n_groups; i++) {
            for (uint32_t k = 0; k < l->groups[i].parts; k++) {
                char text[TELL_MAX];
                size_t n = tell(o, g, i, k, task++, text);
                put_task(o, l->groups[i].tasks[k].plan->name, slice_of(text, n));
            }
        }
    }
    loop_timer_set(o->timer, LOOK_NS);
}

/* ---- the role ---- */

static void on_event(void *arg, const struct bus_ev *ev)
{
    struct runner *o = arg;
    if (ev->kind == BUS_EV_RECORDS) {
        for (uint32_t i = 0; i < ev->count; i++) {
            on_graph(o, &ev->records[i]);
        }
    } else if (ev->kind == BUS_EV_LEADER && ev->tag >= TAG_LEAD) {
        struct graph *g = o->graphs.ptr[ev->tag - TAG_LEAD];
        g->leads = ev->leading;
        settle(o, g);
    } else if (ev->kind == BUS_EV_OPENED) {
        o->open = true;
    } else if (ev->kind == BUS_EV_ERROR) {
        LOG_WARN("control topics", LOG_STR("error", ev->err->msg));
    }
}

static void on_topics(void *arg)
{
    struct runner *o = arg;
    struct bus_client *c = role_client_bus(o->client);
    struct err err;
    o->reader = bus_reader_new(c);
    struct bus_tp graphs = {bus_topic(c, SLICE("ctl.graphs")), 0};
    if (bus_assign(o->reader, graphs, BUS_FROM_START, TAG_GRAPHS, &err) != 0 ||
        bus_open(c, SLICE(""), TAG_WRITER, &o->writer, &err) != 0) {
        LOG_ERROR("graphs cannot be followed", LOG_STR("error", err.msg));
        return;
    }
    loop_timer_set(o->timer, LOOK_NS);
}

static int start(struct role_env *env, const void *settings, void **ret_state, struct err *reterr)
{
    (void)reterr;
    struct runner *o = MEM_NEW(struct runner);
    o->env = env;
    o->settings = settings;
    o->client = role_client_new(env, "operator", on_event, o);
    o->timer = loop_timer_new(env->loop, look, o);
    (void)snprintf(o->name, sizeof o->name, "worker-%d", (int)getpid());
    *ret_state = o;
    role_topics_then(env->topics, on_topics, o);
    return 0;
}

static void drain(void *state)
{
    struct runner *o = state;
    o->draining = true;
    VEC_EACH (&o->graphs, g) {
        if ((*g)->worker != NULL) {
            worker_stop((*g)->worker);
        }
    }
}

static bool is_drained(void *state)
{
    struct runner *o = state;
    bool all = true;
    VEC_EACH (&o->graphs, g) {
        all &= (*g)->worker == NULL || worker_look((*g)->worker).ended;
    }
    return all;
}

static void stop(void *state)
{
    struct runner *o = state;
    if (o == NULL) {
        return;
    }
    VEC_EACH (&o->graphs, g) {
        end(o, *g);
        mem_free((*g)->key);
        mem_free((*g)->document);
        mem_free(*g);
    }
    VEC_DONE(&o->graphs);
    loop_timer_free(o->timer);
    if (o->writer != NULL) {
        bus_writer_close(o->writer);
    }
    if (o->reader != NULL) {
        bus_reader_free(o->reader);
    }
    role_client_free(o->client);
    mem_free(o);
}

const struct role role_operator = {
    "operator",      "runs the tasks of rule graphs", start, drain, is_drained, stop, rows,
    ARRAY_LEN(rows), sizeof(struct settings)};

static int run(const struct cmd *self, int argc, char **argv)
{
    const struct role *const roles[] = {&role_operator};
    return role_main(self, roles, ARRAY_LEN(roles), argc, argv);
}

extern const struct cmd cmd_operator;
const struct cmd cmd_operator = {"operator", "[OPTION...]", "runs the tasks of rule graphs", run};
