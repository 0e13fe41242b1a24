/* SPDX-License-Identifier: Apache-2.0
 *
 * The role `operator`: runs the tasks of rule graphs. It follows ctl.graphs, the graphs as they
 * were applied, lays each out and makes its topics. Tasks are run by *slots*, a thread and a writer
 * of the bus each (operators/shard/worker.h), which have tasks of many graphs; for each slot there
 * is an election, and who leads has the slot. When a worker dies others take its slots over and go
 * on from the journals. What each task does is told in ctl.tasks.
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
    TAG_TOPICS = 1024,
    SLOTS_MAX = 64,
    CORES_MAX = 8,
    NAME_BYTES = 64,
    ARENA_MAX = 256 << 20,
    TELL_MAX = 8192
};

#define LOOK_NS CLOCK_NS_PER_S

struct settings {
    int64_t commit_ns, idle_ns, snapshot_ns, archive_ns, slots;
    bool at_least_once;
};

#define AT(member) offsetof(struct settings, member)
static const struct conf_row rows[] = {
    {"operator.slots", CONF_INT, AT(slots), "0", 0, SLOTS_MAX, NULL, 0,
     "threads that run tasks, each with a writer of its own; 0: one on the embedded bus, on Kafka "
     "one per core, at most 8; the same for all workers"},
    {"operator.commit_interval", CONF_DURATION, AT(commit_ns), "0s", 0, 60 * CLOCK_NS_PER_S, NULL,
     0, "how often what tasks did is committed; 0: 200 ms on Kafka, 10 ms embedded"},
    {"operator.idle_after", CONF_DURATION, AT(idle_ns), "2s", 0, 3600 * CLOCK_NS_PER_S, NULL, 0,
     "timers of rules go on when nothing has arrived for so long; 0: never"},
    {"operator.snapshot_interval", CONF_DURATION, AT(snapshot_ns), "60s", 0,
     24 * 3600 * CLOCK_NS_PER_S, NULL, 0,
     "how often the state of a task is saved, so that less is replayed; 0: never"},
    {"operator.archive_every", CONF_DURATION, AT(archive_ns), "24h", 0,
     31 * 24 * 3600 * CLOCK_NS_PER_S, NULL, 0,
     "how often a snapshot is kept in state.archive, so that `kaiju replay --verify` begins there; "
     "0: never"},
    {"operator.at_least_once", CONF_BOOL, AT(at_least_once), "false", 0, 0, NULL, 0,
     "to measure what transactions cost: none are used, and what is put out may come again"},
};

struct graph {
    char *key; /* tenant/name */
    char *document;
    int64_t version;
    bool wanted, ready; /* ready: its topics are there */
    struct laid *laid;
    uint64_t topics_tag; /* of the answer that is waited for; 0: none */
    uint32_t here, live; /* tasks */
    bool said_live;      /* in the log */
};

struct place { /* for a slot */
    char name[NAME_BYTES];
    bool leads, electing;
    struct worker *worker;
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
    struct place *slots;
    uint32_t n_slots;
    uint64_t tags;
    char name[64];
};

/* ---- slots ---- */

static uint32_t slots_of(const struct runner *o)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    bool local = bus_kind(o->env->bus) == BUS_LOCAL;
    return o->settings->slots > 0 ? (uint32_t)o->settings->slots
           : local                ? 1
                                  : (uint32_t)MAX(1, MIN(cores, CORES_MAX));
}

/* Which slot has a task: the same for all workers. */
static uint32_t slot_of(const struct runner *o, const struct task_plan *p)
{
    return (uint32_t)(hash_xxh64(p->name) % o->n_slots);
}

static void run_tasks(struct runner *o, uint32_t slot)
{
    VEC(struct worker_want) wants = {0};
    VEC_EACH (&o->graphs, at) {
        const struct graph *g = *at;
        for (uint32_t i = 0; g->wanted && g->ready && i < g->laid->layout->n_groups; i++) {
            const struct layout_group *group = &g->laid->layout->groups[i];
            for (uint32_t k = 0; k < group->parts; k++) {
                if (slot_of(o, group->tasks[k].plan) == slot) {
                    *VEC_PUSH(&wants) = (struct worker_want){g->laid, i, k};
                }
            }
        }
    }
    worker_run(o->slots[slot].worker, wants.ptr, (uint32_t)wants.len);
    VEC_DONE(&wants);
}

static void run_all(struct runner *o)
{
    for (uint32_t i = 0; i < o->n_slots; i++) {
        if (o->slots[i].worker != NULL) {
            run_tasks(o, i);
        }
    }
}

static void begin(struct runner *o, uint32_t slot)
{
    struct place *p = &o->slots[slot];
    bool local = bus_kind(o->env->bus) == BUS_LOCAL;
    const struct worker_conf conf = {.name = p->name,
                                     .commit_ns = o->settings->commit_ns > 0
                                                      ? o->settings->commit_ns
                                                      : (local ? 10 : 200) * CLOCK_NS_PER_MS,
                                     .idle_ns = o->settings->idle_ns,
                                     .snapshot_ns = o->settings->snapshot_ns,
                                     .archive_ns = o->settings->archive_ns,
                                     .plain = o->settings->at_least_once};
    p->worker = worker_new(o->env->bus, &conf);
    LOG_INFO("slot begins", LOG_STR("slot", p->name));
    run_tasks(o, slot);
}

static void elect(struct runner *o, uint32_t slot)
{
    struct place *p = &o->slots[slot];
    struct err err;
    p->electing =
        bus_elect(role_client_bus(o->client), slice_str(p->name), TAG_LEAD + slot, &err) == 0;
    if (!p->electing) {
        LOG_WARN("no part in the election of a slot", LOG_STR("slot", p->name),
                 LOG_STR("error", err.msg));
    }
}

static void on_leader(struct runner *o, uint32_t slot, bool leads)
{
    struct place *p = &o->slots[slot];
    p->leads = leads;
    if (!leads && p->worker != NULL) {
        LOG_INFO("slot ends", LOG_STR("slot", p->name));
        worker_free(p->worker);
        p->worker = NULL;
    } else if (leads && p->worker == NULL && !o->draining) {
        begin(o, slot);
    }
}

/* ---- graphs ---- */

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

static bool has_task(const struct layout *l, struct slice name)
{
    for (uint32_t i = 0; l != NULL && i < l->n_groups; i++) {
        for (uint32_t k = 0; k < l->groups[i].parts; k++) {
            if (slice_eq(l->groups[i].tasks[k].plan->name, name)) {
                return true;
            }
        }
    }
    return false;
}

/* Tasks of the old that are none of the new are told to be gone. */
static void forget_tasks(struct runner *o, const struct layout *old, const struct layout *now)
{
    for (uint32_t i = 0; i < old->n_groups; i++) {
        for (uint32_t k = 0; k < old->groups[i].parts; k++) {
            struct slice name = old->groups[i].tasks[k].plan->name;
            if (!has_task(now, name)) {
                put_task(o, name, SLICE_NONE);
            }
        }
    }
}

static void make_topics(struct runner *o, struct graph *g)
{
    const struct layout *l = g->laid->layout;
    struct bus_topic_spec *specs = mem_calloc(l->n_topics + 1, sizeof *specs);
    struct err err;
    for (uint32_t i = 0; i < l->n_topics; i++) {
        specs[i] =
            (struct bus_topic_spec){l->topics[i].name, l->topics[i].parts, BUS_DELETE, -1, -1};
    }
    g->topics_tag = TAG_TOPICS + ++o->tags;
    g->ready = l->n_topics == 0;
    if (!g->ready &&
        bus_ensure(role_client_bus(o->client), specs, l->n_topics, g->topics_tag, &err) != 0) {
        LOG_ERROR("a graph cannot run", LOG_STR("graph", g->key), LOG_STR("error", err.msg));
    }
    mem_free(specs);
}

static void lay_out(struct runner *o, struct graph *g)
{
    struct err err;
    struct arena *a = arena_new(NULL, "graph", ARENA_MAX);
    struct layout *l = NULL;
    struct laid *old = g->laid;
    bool removed = !g->wanted;
    const struct layout_conf conf = {.raw_parts = (uint32_t)o->env->settings->bus.partitions};
    g->laid = NULL;
    g->ready = g->said_live = false;
    if (g->wanted && layout_make(a, slice_str(g->document), &conf, &l, &err) != 0) {
        LOG_ERROR("a graph cannot run", LOG_STR("graph", g->key), LOG_STR("error", err.msg));
        g->wanted = false;
    }
    if (old != NULL) {
        if (g->wanted || removed) { /* not if the new one cannot run */
            laid_ends(old, g->wanted ? l : NULL);
        }
        forget_tasks(o, old->layout, g->wanted ? l : NULL);
        laid_unref(old);
    }
    if (!g->wanted) {
        arena_free(a);
        return;
    }
    g->laid = laid_new(l, a, g->version);
    LOG_INFO("graph begins", LOG_STR("graph", g->key), LOG_INT("version", g->version),
             LOG_INT("tasks", l->n_tasks));
    make_topics(o, g);
}

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
    } else if (r->value.len > 0) {
        LOG_ERROR("a graph that cannot be read is not run", LOG_STR("graph", g->key));
    }
    json_decref(j);
    lay_out(o, g);
}

static void on_topics_made(struct runner *o, const struct bus_ev *ev)
{
    VEC_EACH (&o->graphs, at) {
        struct graph *g = *at;
        if (g->topics_tag != ev->tag || g->laid == NULL) {
            continue;
        }
        if (ev->kind == BUS_EV_DONE) {
            g->ready = true;
            run_all(o);
        } else {
            LOG_WARN("topics of a graph cannot be made", LOG_STR("graph", g->key),
                     LOG_STR("error", ev->err->msg));
            g->topics_tag = 0; /* again at the next look */
        }
    }
}

/* ---- ctl.tasks ---- */

static const char *const states[] = {"replay", "replay", "replay", "live", "lost"};

/* Into text: how many bytes. */
static size_t tell(const struct runner *o, const struct place *p, const struct worker_task *t,
                   char text[TELL_MAX])
{
    const struct layout_group *g = &t->laid->layout->groups[t->group];
    const struct doc_graph *d = &t->laid->layout->doc->g;
    const struct slice name = g->tasks[t->part].plan->name;
    struct worker_look look = worker_look(p->worker);
    json_t *j =
        json_pack("{s:i s:s% s:s% s:s% s:I s:s s:s s:s s:s}", "format", 1, "tenant", d->tenant.ptr,
                  d->tenant.len, "graph", d->name.ptr, d->name.len, "group", g->name.ptr,
                  g->name.len, "version", (json_int_t)t->laid->version, "worker", o->name, "slot",
                  p->name, "state", states[t->state], "why", t->why);
    json_object_set_new(j, "task", json_stringn(name.ptr, name.len));
    json_object_set_new(j, "clock", json_integer(t->clock == MERGE_NO_CLOCK ? 0 : t->clock));
    const struct {
        const char *key;
        uint64_t value;
    } numbers[] = {{"seq", t->seq},
                   {"taken", t->counts.taken},
                   {"put", t->counts.put},
                   {"late", t->counts.late},
                   {"ticks", t->counts.ticks},
                   {"refused", t->counts.refused},
                   {"commits", look.counts.commits},
                   {"aborts", look.counts.aborts},
                   {"restarts", look.restarts + t->restarts}};
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
        json_object_set_new(j, numbers[i].key, json_integer((json_int_t)numbers[i].value));
    }
    size_t n = json_dumpb(j, text, TELL_MAX, JSON_COMPACT | JSON_SORT_KEYS);
    json_decref(j);
    return n <= TELL_MAX ? n : 0;
}

static struct graph *graph_that(struct runner *o, const struct laid *laid)
{
    VEC_EACH (&o->graphs, g) {
        if ((*g)->laid == laid) {
            return *g;
        }
    }
    return NULL;
}

/* The tasks of one slot. What they are of graphs counts there: tasks here, and live ones. */
static void tell_slot(struct runner *o, const struct place *p)
{
    uint32_t n = 0;
    const struct worker_task *tasks = worker_tasks(p->worker, &n);
    for (uint32_t i = 0; i < n; i++) {
        const struct worker_task *t = &tasks[i];
        struct graph *g = graph_that(o, t->laid);
        char text[TELL_MAX];
        if (g == NULL || t->leaving) {
            continue;
        }
        g->here++;
        g->live += t->state == SLOT_LIVE;
        size_t len = tell(o, p, t, text);
        put_task(o, t->laid->layout->groups[t->group].tasks[t->part].plan->name,
                 slice_of(text, len));
        if (t->state == SLOT_LOST) {
            LOG_WARN("a task is lost, and begins again", LOG_STR("graph", g->key),
                     LOG_STR("why", t->why));
        }
    }
}

static void say(struct graph *g)
{
    bool live = g->here > 0 && g->live == g->here;
    if (live && !g->said_live) {
        LOG_INFO("graph is live", LOG_STR("graph", g->key), LOG_INT("version", g->version),
                 LOG_INT("tasks_here", g->here));
    }
    g->said_live = live;
}

static void look(void *arg)
{
    struct runner *o = arg;
    VEC_EACH (&o->graphs, g) {
        (*g)->here = (*g)->live = 0;
        if ((*g)->laid != NULL && !(*g)->ready && (*g)->topics_tag == 0) {
            make_topics(o, *g);
        }
    }
    for (uint32_t i = 0; i < o->n_slots; i++) {
        struct place *p = &o->slots[i];
        if (p->worker != NULL && worker_look(p->worker).ended && !o->draining) {
            LOG_WARN("another has taken a slot over", LOG_STR("slot", p->name));
            worker_free(p->worker);
            p->worker = NULL;
            bus_resign(role_client_bus(o->client), slice_str(p->name));
            p->electing = p->leads = false;
        }
        if (p->worker != NULL) {
            tell_slot(o, p);
        } else if (!p->electing && !o->draining) {
            elect(o, i);
        }
    }
    VEC_EACH (&o->graphs, g) {
        say(*g);
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
        run_all(o);
    } else if (ev->kind == BUS_EV_LEADER && ev->tag >= TAG_LEAD) {
        on_leader(o, (uint32_t)(ev->tag - TAG_LEAD), ev->leading);
    } else if (ev->tag >= TAG_TOPICS) {
        on_topics_made(o, ev);
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
    for (uint32_t i = 0; i < o->n_slots; i++) {
        elect(o, i);
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
    o->n_slots = slots_of(o);
    o->slots = mem_calloc(o->n_slots, sizeof *o->slots);
    for (uint32_t i = 0; i < o->n_slots; i++) {
        (void)snprintf(o->slots[i].name, NAME_BYTES, "slot.%u", i);
    }
    *ret_state = o;
    role_topics_then(env->topics, on_topics, o);
    return 0;
}

static void drain(void *state)
{
    struct runner *o = state;
    o->draining = true;
    for (uint32_t i = 0; i < o->n_slots; i++) {
        if (o->slots[i].worker != NULL) {
            worker_stop(o->slots[i].worker);
        }
    }
}

static bool is_drained(void *state)
{
    struct runner *o = state;
    bool all = true;
    for (uint32_t i = 0; i < o->n_slots; i++) {
        all &= o->slots[i].worker == NULL || worker_look(o->slots[i].worker).ended;
    }
    return all;
}

static void stop(void *state)
{
    struct runner *o = state;
    if (o == NULL) {
        return;
    }
    for (uint32_t i = 0; i < o->n_slots; i++) {
        worker_free(o->slots[i].worker);
    }
    VEC_EACH (&o->graphs, g) {
        laid_unref((*g)->laid);
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
    mem_free(o->slots);
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
