/* SPDX-License-Identifier: Apache-2.0
 *
 * The role `operator`: a worker. It says that it is there (ctl.members), with how many slots: a
 * slot is a thread and a writer of the bus (operators/shard/worker.h) and has tasks of many graphs.
 * Which tasks, the coordinator writes (ctl.assign); what they are is laid out from the graphs as
 * they were applied (ctl.graphs). A slot whose record is revoked or gone ends (so no task is run
 * twice: coordinator/members.h). What each task does is told in ctl.tasks.
 */
#include "operators/operator.h"

#include "core/base/log.h"
#include "core/base/map.h"
#include "core/base/mem.h"
#include "core/base/vec.h"
#include "core/net/loop.h"
#include "operators/operator_stats.h"
#include "operators/shard/worker.h"

#include <assert.h>
#include <inttypes.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

enum {
    TAG_GRAPHS = 1,
    TAG_WRITER = 2,
    TAG_PUT = 3,
    TAG_ASSIGN = 4,
    TAG_LEFT = 5,
    TAG_TOPICS = 1024,
    SLOTS_MAX = 64,
    TASKS_MAX = 100000,
    CORES_MAX = 8,
    NAME_BYTES = 128,
    MEMBERS_FORMAT = 1,
    ARENA_MAX = 256 << 20,
    TELL_MAX = 8192
};
#define TROUBLE_NS (60 * CLOCK_NS_PER_S)
#define LOOK_NS    (100 * CLOCK_NS_PER_MS)
#define BEAT_NS    CLOCK_NS_PER_S

struct settings {
    int64_t commit_ns, idle_ns, snapshot_ns, archive_ns, slots;
    bool at_least_once;
    const char *name, *level;
};

#define AT(member) offsetof(struct settings, member)
static const struct conf_row rows[] = {
    {"operator.name", CONF_STRING, AT(name), "", 0, 0, NULL, 0,
     "of this worker among all; empty: host and process, on the embedded bus 'local'"},
    {"operator.level", CONF_STRING, AT(level), "", 0, 0, NULL, 0,
     "takes tasks of level groups with this level alone; empty: of all"},
    {"operator.slots", CONF_INT, AT(slots), "0", 0, SLOTS_MAX, NULL, 0,
     "threads that run tasks, each with a writer of its own; 0: one on the embedded bus, on Kafka "
     "one per core, at most 8"},
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
    int64_t said_trouble;
};

struct place {            /* for a slot */
    char key[NAME_BYTES]; /* of its record: "worker/slot" */
    char name[NAME_BYTES];
    int64_t incarnation, epoch; /* of its record; 0: none */
    struct map tasks;           /* that it shall have, by name */
    struct worker *worker;
    uint64_t order; /* of worker_run, the last */
    bool lost;      /* the thread has ended by itself */
};

struct runner {
    struct role_env *env;
    const struct settings *settings;
    struct role_client *client;
    struct bus_reader *reader;
    struct bus_writer *writer;
    bool open, draining, leaving, left; /* leaving: it has said so; left: that is known */
    struct loop_timer *timer;
    VEC(struct graph *) graphs;
    struct place *slots;
    uint32_t n_slots;
    uint64_t tags;
    char name[NAME_BYTES / 2], boot[32];
    int64_t beat, beaten; /* number and time of the last */
    int64_t told;         /* of tasks, when */
    uint64_t said;        /* hash of what it said of its slots */
};

static int64_t now_of(const struct runner *o)
{
    return clock_mono(bus_clock(role_client_bus(o->client)));
}

/* ---- slots ---- */

static uint32_t slots_of(const struct runner *o)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    bool local = bus_kind(o->env->bus) == BUS_LOCAL;
    return o->settings->slots > 0 ? (uint32_t)o->settings->slots
           : local                ? 1
                                  : (uint32_t)MAX(1, MIN(cores, CORES_MAX));
}

static void run_tasks(struct runner *o, struct place *p)
{
    VEC(struct worker_want) wants = {0};
    VEC_EACH (&o->graphs, at) {
        const struct graph *g = *at;
        for (uint32_t i = 0; g->wanted && g->ready && i < g->laid->layout->n_groups; i++) {
            const struct layout_group *group = &g->laid->layout->groups[i];
            for (uint32_t k = 0; k < group->parts; k++) {
                if (map_get(&p->tasks, group->tasks[k].plan->name) != NULL) {
                    *VEC_PUSH(&wants) = (struct worker_want){g->laid, i, k};
                }
            }
        }
    }
    p->order = worker_run(p->worker, wants.ptr, (uint32_t)wants.len);
    VEC_DONE(&wants);
}

static void run_all(struct runner *o)
{
    for (uint32_t i = 0; i < o->n_slots; i++) {
        if (o->slots[i].worker != NULL) {
            run_tasks(o, &o->slots[i]);
        }
    }
}

/* Of a record of ctl.assign, on the thread of the slot. */
static bool holds(void *arg, struct slice value)
{
    const struct place *p = arg;
    json_t *j = value.len > 0 ? json_loadb(value.ptr, value.len, 0, NULL) : NULL;
    bool mine = json_integer_value(json_object_get(j, "incarnation")) == p->incarnation &&
                !json_is_true(json_object_get(j, "revoked"));
    json_decref(j);
    return mine;
}

static void begin(struct runner *o, struct place *p)
{
    bool local = bus_kind(o->env->bus) == BUS_LOCAL;
    const struct worker_conf conf = {.name = p->name,
                                     .lease_topic = "ctl.assign",
                                     .lease_key = p->key,
                                     .holds = holds,
                                     .arg = p,
                                     .commit_ns = o->settings->commit_ns > 0
                                                      ? o->settings->commit_ns
                                                      : (local ? 10 : 200) * CLOCK_NS_PER_MS,
                                     .idle_ns = o->settings->idle_ns,
                                     .snapshot_ns = o->settings->snapshot_ns,
                                     .archive_ns = o->settings->archive_ns,
                                     .plain = o->settings->at_least_once};
    LOG_INFO("slot begins", LOG_STR("slot", p->name));
    p->lost = false;
    p->worker = worker_new(o->env->bus, &conf);
}

static void end(struct place *p)
{
    if (p->worker != NULL) {
        LOG_INFO("slot ends", LOG_STR("slot", p->name));
    }
    worker_free(p->worker);
    p->worker = NULL;
    p->incarnation = p->epoch = 0;
    p->lost = false;
    map_clear(&p->tasks);
}

static void take_tasks(struct place *p, const json_t *tasks)
{
    size_t i;
    const json_t *name;
    map_clear(&p->tasks);
    json_array_foreach(tasks, i, name)
    {
        void **at = map_put(&p->tasks, slice_str(json_string_value(name)));
        if (at != NULL) {
            *at = p;
        }
    }
}

/* A record of one of this worker's slots. */
static void on_assign(struct runner *o, const struct bus_record *r)
{
    struct place *p = NULL;
    for (uint32_t i = 0; i < o->n_slots; i++) {
        p = slice_eq(slice_str(o->slots[i].key), r->key) ? &o->slots[i] : p;
    }
    json_t *j =
        p != NULL && r->value.len > 0 ? json_loadb(r->value.ptr, r->value.len, 0, NULL) : NULL;
    const char *boot = json_string_value(json_object_get(j, "boot"));
    bool mine =
        boot != NULL && strcmp(boot, o->boot) == 0 && !json_is_true(json_object_get(j, "revoked"));
    int64_t incarnation = json_integer_value(json_object_get(j, "incarnation"));
    if (p != NULL && (!mine || p->incarnation != incarnation)) {
        end(p);
    }
    if (p != NULL && mine && !o->draining) {
        p->epoch = json_integer_value(json_object_get(j, "epoch"));
        take_tasks(p, json_object_get(j, "tasks"));
        if (p->worker == NULL && !p->lost) {
            p->incarnation = incarnation;
            (void)snprintf(p->name, sizeof p->name, "%s.%u.%" PRId64, o->name,
                           (unsigned)(p - o->slots), incarnation);
            begin(o, p);
        }
        if (p->worker != NULL) {
            run_tasks(o, p);
        }
    }
    json_decref(j);
}

/* ---- ctl.members ---- */

/* What it says of its slots: which record each follows, to the end. */
static json_t *held_of(const struct runner *o)
{
    json_t *list = json_array();
    for (uint32_t i = 0; i < o->n_slots; i++) {
        const struct place *p = &o->slots[i];
        bool follows = p->worker != NULL && worker_look(p->worker).applied >= p->order;
        if (p->incarnation != 0) {
            json_array_append_new(list,
                                  json_pack("{s:i s:I s:I s:b}", "slot", (int)i, "incarnation",
                                            (json_int_t)p->incarnation, "epoch",
                                            (json_int_t)(follows ? p->epoch : 0), "lost", p->lost));
        }
    }
    return list;
}

static void beat(struct runner *o, bool leaves)
{
    json_t *held = held_of(o);
    char text[TELL_MAX];
    size_t n = json_dumpb(held, text, sizeof text, JSON_COMPACT);
    uint64_t said = hash_xxh64(slice_of(text, MIN(n, sizeof text)));
    if (!o->open || (!leaves && said == o->said && now_of(o) - o->beaten < BEAT_NS)) {
        json_decref(held);
        return;
    }
    o->said = said;
    o->beaten = now_of(o);
    json_t *j = json_pack("{s:i s:s s:s s:i s:s s:b s:I s:o}", "format", MEMBERS_FORMAT, "worker",
                          o->name, "boot", o->boot, "slots", (int)o->n_slots, "level",
                          o->settings->level != NULL ? o->settings->level : "", "leaves", leaves,
                          "beat", (json_int_t)++o->beat, "held", held);
    n = json_dumpb(j, text, sizeof text, JSON_COMPACT | JSON_SORT_KEYS);
    struct bus_put put = {.to = {bus_topic(role_client_bus(o->client), SLICE("ctl.members")), 0},
                          .key = slice_str(o->name),
                          .value = slice_of(text, n),
                          .token = leaves ? TAG_LEFT : TAG_PUT};
    struct err err;
    if (n > sizeof text || bus_put(o->writer, &put, &err) != 0) {
        LOG_WARN("this worker cannot say that it is there");
        o->left |= leaves;
    }
    json_decref(j);
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
    const struct layout_conf conf = {.raw_parts = (uint32_t)o->env->settings->bus.partitions};
    g->laid = NULL;
    g->ready = g->said_live = false;
    if (g->wanted && layout_make(a, slice_str(g->document), &conf, &l, &err) != 0) {
        LOG_ERROR("a graph cannot run", LOG_STR("graph", g->key), LOG_STR("error", err.msg));
        g->wanted = false;
    } else if (old != NULL) {
        laid_ends(old, l);
    }
    if (old != NULL) {
        forget_tasks(o, old->layout, l);
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

/* What its dearest rules cost an event. */
static json_t *rules_of(const struct worker_task *t)
{
    json_t *list = json_array();
    for (uint32_t i = 0; i < t->n_rules; i++) {
        const struct worker_rule *r = &t->rules[i];
        json_t *rule = json_pack("{s:I s:I}", "events", (json_int_t)r->events * ENG_METER_EVERY,
                                 "ns_per_event", (json_int_t)(r->ns / (int64_t)MAX(r->events, 1u)));
        json_object_set_new(rule, "name", json_string(r->name)); /* no UTF-8: null */
        json_array_append_new(list, rule);
    }
    return list;
}

/* Into text: how many bytes. */
static size_t tell(const struct runner *o, const struct place *p, const struct worker_task *t,
                   char text[TELL_MAX])
{
    const struct layout_group *g = &t->laid->layout->groups[t->group];
    const struct doc_graph *d = &t->laid->layout->doc->g;
    const struct slice name = g->tasks[t->part].plan->name;
    struct worker_look look = worker_look(p->worker);
    json_t *j = json_pack("{s:i s:s% s:s% s:s% s:I s:s s:s s:s s:s s:s*}", "format", 1, "tenant",
                          d->tenant.ptr, d->tenant.len, "graph", d->name.ptr, d->name.len, "group",
                          g->name.ptr, g->name.len, "version", (json_int_t)t->laid->version,
                          "worker", o->name, "slot", p->name, "state", states[t->state], "why",
                          t->why, "degraded", t->trouble[0] != '\0' ? t->trouble : NULL);
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
                   {"restarts", look.restarts + t->restarts},
                   {"lag_records", (uint64_t)t->lag.records},
                   {"lag_ns", (uint64_t)t->lag.ns},
                   {"waits_ns", (uint64_t)t->lag.held_ns},
                   {"busy_ns", (uint64_t)t->lag.busy_ns},
                   {"state_bytes", t->lag.state_bytes},
                   {"rows", t->rows},
                   {"partials", t->partials},
                   {"poison", t->counts.poison},
                   {"alerts", t->counts.alerts},
                   {"dead_letters", t->counts.dead},
                   {"gaps", t->counts.gaps},
                   {"dropped", t->counts.dropped},
                   {"commit_p50_ns", (uint64_t)look.counts.commit_p50_ns},
                   {"commit_p99_ns", (uint64_t)look.counts.commit_p99_ns},
                   {"commit_partitions", look.counts.partitions_worst},
                   {"unknowns", look.counts.unknowns}};
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
        json_object_set_new(j, numbers[i].key, json_integer((json_int_t)numbers[i].value));
    }
    json_object_set_new(j, "waits_for", json_string(t->lag.holder));
    json_object_set_new(j, "rules", rules_of(t));
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

/* Of a graph no more often than once a minute. */
static void say_trouble(const struct runner *o, struct graph *g, const struct worker_task *t)
{
    int64_t now = clock_mono(bus_clock(role_client_bus(o->client)));
    if (t->trouble[0] != '\0' && (g->said_trouble == 0 || now - g->said_trouble >= TROUBLE_NS)) {
        g->said_trouble = now;
        LOG_WARN("a graph does not run as it should", LOG_STR("graph", g->key),
                 LOG_SLICE("task", t->laid->layout->groups[t->group].tasks[t->part].plan->name),
                 LOG_STR("why", t->trouble));
    }
}

/* The tasks of one slot. What they are of graphs counts there: tasks here, and live ones. */
static void tell_slot(struct runner *o, const struct place *p, bool tells)
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
        say_trouble(o, g, t);
        if (!tells) {
            continue;
        }
        size_t len = tell(o, p, t, text);
        put_task(o, t->laid->layout->groups[t->group].tasks[t->part].plan->name,
                 slice_of(text, len));
        if (t->state == SLOT_LOST) {
            LOG_WARN("a task is lost, and begins again", LOG_STR("graph", g->key),
                     LOG_STR("why", t->why));
        }
    }
}

static bool is_live(const struct graph *g)
{
    return g->here > 0 && g->live == g->here;
}

static void say(struct graph *g)
{
    if (is_live(g) && !g->said_live) {
        LOG_INFO("graph is live", LOG_STR("graph", g->key), LOG_INT("version", g->version),
                 LOG_INT("tasks_here", g->here));
    }
    g->said_live = is_live(g);
}

/* What there is of graphs here; and all tasks are told, now and then and when one has changed. */
static void look_at_tasks(struct runner *o)
{
    bool due = now_of(o) - o->told >= BEAT_NS, changed = false;
    for (int pass = 0; pass == 0 || (pass == 1 && (due || changed)); pass++) {
        VEC_EACH (&o->graphs, g) {
            (*g)->here = (*g)->live = 0;
        }
        for (uint32_t i = 0; i < o->n_slots; i++) {
            if (o->slots[i].worker != NULL) {
                tell_slot(o, &o->slots[i], pass == 1);
            }
        }
        VEC_EACH (&o->graphs, g) {
            changed |= is_live(*g) != (*g)->said_live;
        }
        o->told = pass == 1 ? now_of(o) : o->told;
    }
    VEC_EACH (&o->graphs, g) {
        say(*g);
    }
}

static void look(void *arg)
{
    struct runner *o = arg;
    VEC_EACH (&o->graphs, g) {
        if ((*g)->laid != NULL && !(*g)->ready && (*g)->topics_tag == 0) {
            make_topics(o, *g);
        }
    }
    for (uint32_t i = 0; i < o->n_slots; i++) {
        struct place *p = &o->slots[i];
        if (p->worker != NULL && worker_look(p->worker).ended && !o->draining) {
            LOG_WARN("a slot is lost", LOG_STR("slot", p->name));
            worker_free(p->worker);
            p->worker = NULL;
            p->lost = true;
        }
    }
    look_at_tasks(o);
    if (!o->draining) {
        beat(o, false);
    }
    loop_timer_set(o->timer, LOOK_NS);
}

/* ---- /metrics ---- */

static void show(struct stats_scrape *scrape, void *arg)
{
    struct runner *o = arg;
    struct operator_shown shown = {.scrape = scrape};
    for (uint32_t i = 0; i < o->n_slots; i++) {
        const struct place *p = &o->slots[i];
        uint32_t n = 0;
        if (p->worker == NULL) {
            continue;
        }
        struct worker_look look = worker_look(p->worker);
        const struct worker_task *tasks = worker_tasks(p->worker, &n);
        opstats_slot(&shown, slice_str(p->name), &look);
        for (uint32_t k = 0; k < n; k++) {
            opstats_task(&shown, &tasks[k]);
        }
    }
    opstats_end(&shown);
}

/* ---- the role ---- */

static void on_event(void *arg, const struct bus_ev *ev)
{
    struct runner *o = arg;
    if (ev->kind == BUS_EV_RECORDS && ev->tag == TAG_ASSIGN) {
        for (uint32_t i = 0; i < ev->count; i++) {
            on_assign(o, &ev->records[i]);
        }
    } else if (ev->kind == BUS_EV_RECORDS) {
        for (uint32_t i = 0; i < ev->count; i++) {
            on_graph(o, &ev->records[i]);
        }
        run_all(o);
        mem_trim();
    } else if (ev->tag == TAG_LEFT) {
        o->left = true;
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
    struct bus_tp slots = {bus_topic(c, SLICE("ctl.assign")), 0};
    if (bus_assign(o->reader, graphs, BUS_FROM_START, TAG_GRAPHS, &err) != 0 ||
        bus_assign(o->reader, slots, BUS_FROM_START, TAG_ASSIGN, &err) != 0 ||
        bus_open(c, SLICE(""), TAG_WRITER, &o->writer, &err) != 0) {
        LOG_ERROR("graphs cannot be followed", LOG_STR("error", err.msg));
        return;
    }
    loop_timer_set(o->timer, LOOK_NS);
}

/* What it is called, and what tells it from the process of that name before. */
static void name_it(struct runner *o)
{
    char host[HOST_NAME_MAX + 1] = "worker";
    const struct clock *clock = bus_clock(role_client_bus(o->client));
    const char *name = o->settings->name;
    (void)gethostname(host, sizeof host - 1);
    if (name != NULL && name[0] != '\0') {
        (void)snprintf(o->name, sizeof o->name, "%s", name);
    } else if (bus_kind(o->env->bus) == BUS_LOCAL) {
        (void)snprintf(o->name, sizeof o->name, "local");
    } else {
        (void)snprintf(o->name, sizeof o->name, "%.40s-%d", host, (int)getpid());
    }
    (void)snprintf(o->boot, sizeof o->boot, "%" PRIx64 "-%x", (uint64_t)clock_wall(clock),
                   (unsigned)getpid());
}

static int start(struct role_env *env, const void *settings, void **ret_state, struct err *reterr)
{
    (void)reterr;
    struct runner *o = MEM_NEW(struct runner);
    o->env = env;
    o->settings = settings;
    o->client = role_client_new(env, "operator", on_event, o);
    o->timer = loop_timer_new(env->loop, look, o);
    name_it(o);
    o->n_slots = slots_of(o);
    o->slots = mem_calloc(o->n_slots, sizeof *o->slots);
    for (uint32_t i = 0; i < o->n_slots; i++) {
        (void)snprintf(o->slots[i].key, NAME_BYTES, "%s/%u", o->name, i);
        map_init(&o->slots[i].tasks, TASKS_MAX);
    }
    stats_reader(env->stats, show, o);
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
    if (all && !o->leaving) {
        o->leaving = true;
        o->left = !o->open;
        beat(o, true);
    }
    return all && o->left;
}

static void stop(void *state)
{
    struct runner *o = state;
    if (o == NULL) {
        return;
    }
    stats_reader_remove(o->env->stats, o);
    for (uint32_t i = 0; i < o->n_slots; i++) {
        worker_free(o->slots[i].worker);
        map_done(&o->slots[i].tasks);
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

/* --level is short for --operator-level. */
static int run(const struct cmd *self, int argc, char **argv)
{
    static const struct slice plain = SLICE("--level"), with = SLICE("--level=");
    const struct role *const roles[] = {&role_operator};
    char **args = mem_calloc((size_t)argc + 1, sizeof *args);
    for (int i = 0; i < argc; i++) {
        struct slice arg = slice_str(argv[i]);
        bool is = slice_eq(arg, plain) || slice_starts(arg, with);
        args[i] = mem_zalloc(arg.len + sizeof "--operator");
        (void)snprintf(args[i], arg.len + sizeof "--operator", "%s%s", is ? "--operator-" : "",
                       is ? argv[i] + 2 : argv[i]);
    }
    int rc = role_main(self, roles, ARRAY_LEN(roles), argc, args);
    for (int i = 0; i < argc; i++) {
        mem_free(args[i]);
    }
    mem_free(args);
    return rc;
}

extern const struct cmd cmd_operator;
const struct cmd cmd_operator = {"operator", "[--level LEVEL] [OPTION...]",
                                 "runs the tasks of rule graphs", run};
