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
#include "core/base/mem.h"
#include "operators/doc/doc.h"
#include "operators/operator_impl.h"
#include "operators/operator_stats.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#define LOOK_NS (100 * CLOCK_NS_PER_MS)

/* ---- settings ---- */

#define AT(member) offsetof(struct operator_settings, member)
static const struct conf_row rows[] = {
    {"operator.name", CONF_STRING, AT(name), "", 0, 0, NULL, 0,
     "of this worker among all; empty: host and process, on the embedded bus 'local'. Of two of "
     "one "
     "name the later one runs nothing until the other is gone"},
    {"operator.level", CONF_STRING, AT(level), "", 0, 0, NULL, 0,
     "takes tasks of level groups with this level alone; empty: of all"},
    {"operator.slots", CONF_INT, AT(slots), "0", 0, OPERATOR_SLOTS_MAX, NULL, 0,
     "threads that run tasks, each with a writer of its own; 0: one on the embedded bus, on Kafka "
     "one per core, at most 8"},
    {"operator.commit_interval", CONF_DURATION, AT(commit_ns), "0s", 0, 60 * CLOCK_NS_PER_S, NULL,
     0,
     "how often what tasks did is committed, the time a commit takes included; 0: 200 ms on Kafka, "
     "10 ms embedded"},
    {"operator.snapshot_interval", CONF_DURATION, AT(snapshot_ns), "60s", 0,
     24 * 3600 * CLOCK_NS_PER_S, NULL, 0,
     "how often the state of a task is saved, so that less is replayed; 0: never"},
    {"operator.snapshot_slice", CONF_SIZE, AT(snapshot_slice), "512KiB", 256, 8 << 20, NULL, 0,
     "what of a state is larger is saved in slices of this size between inputs, 16 per commit "
     "interval at most"},
    {"operator.at_least_once", CONF_BOOL, AT(at_least_once), "false", 0, 0, NULL, 0,
     "to measure what transactions cost: none are used, and what is put out may come again"},
};

/* ---- /metrics ---- */

static void show(struct stats_scrape *scrape, void *arg)
{
    struct operator_self *o = arg;
    struct operator_shown shown = {.scrape = scrape};
    for (uint32_t i = 0; i < o->n_slots; i++) {
        const struct operator_place *p = &o->slots[i];
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
static void look(void *arg)
{
    struct operator_self *o = arg;
    operator_make_topics(o);
    operator_look_at_slots(o);
    operator_tell_tasks(o);
    if (!o->draining) {
        operator_hold_name(o);
        operator_beat(o, false);
    }
    loop_timer_set(o->timer, LOOK_NS);
}

static void on_event(void *arg, const struct bus_ev *ev)
{
    struct operator_self *o = arg;
    if (ev->tag == OPERATOR_TAG_MEMBERS && ev->kind != BUS_EV_ERROR) {
        o->claim.read |= ev->kind == BUS_EV_END;
        for (uint32_t i = 0; ev->kind == BUS_EV_RECORDS && i < ev->count; i++) {
            operator_claim_take(&o->claim, ev->records[i].key, ev->records[i].value,
                                operator_now(o));
        }
    } else if (ev->kind == BUS_EV_RECORDS && ev->tag == OPERATOR_TAG_ASSIGN) {
        for (uint32_t i = 0; i < ev->count; i++) {
            operator_on_assign(o, &ev->records[i]);
        }
    } else if (ev->kind == BUS_EV_RECORDS) {
        for (uint32_t i = 0; i < ev->count; i++) {
            operator_on_graph(o, &ev->records[i]);
            o->graphs_read = ev->records[i].offset + 1;
        }
        operator_run_all(o);
        mem_trim();
    } else if (ev->kind == BUS_EV_END && ev->tag == OPERATOR_TAG_GRAPHS) {
        o->graphs_read = MAX(o->graphs_read, ev->offset);
    } else if (ev->tag == OPERATOR_TAG_LEFT) {
        o->left = true;
    } else if (ev->tag >= OPERATOR_TAG_TOPICS) {
        operator_on_topics(o, ev);
    } else if (ev->kind == BUS_EV_OPENED) {
        o->open = true;
    } else if (ev->kind == BUS_EV_ERROR) {
        LOG_WARN("control topics", LOG_STR("error", ev->err->msg));
    }
}

static void on_topics(void *arg)
{
    struct operator_self *o = arg;
    struct bus_client *c = role_client_bus(o->client);
    struct err err;
    o->reader = bus_reader_new(c);
    struct bus_tp graphs = {bus_topic(c, SLICE("ctl.graphs")), 0};
    struct bus_tp slots = {bus_topic(c, SLICE("ctl.assign")), 0};
    struct bus_tp members = {bus_topic(c, SLICE("ctl.members")), 0};
    if (bus_assign(o->reader, graphs, BUS_FROM_START, OPERATOR_TAG_GRAPHS, &err) != 0 ||
        bus_assign(o->reader, slots, BUS_FROM_START, OPERATOR_TAG_ASSIGN, &err) != 0 ||
        bus_assign(o->reader, members, BUS_FROM_START, OPERATOR_TAG_MEMBERS, &err) != 0 ||
        bus_open(c, SLICE(""), OPERATOR_TAG_WRITER, &o->writer, &err) != 0) {
        LOG_ERROR("graphs cannot be followed", LOG_STR("error", err.msg));
        return;
    }
    loop_timer_set(o->timer, LOOK_NS);
}

/* What it is called, and what tells it from the process of that name before. */
static void name_it(struct operator_self *o)
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
    o->claim = (struct operator_claim){
        .name = o->name, .boot = o->boot, .alone = bus_kind(o->env->bus) == BUS_LOCAL};
}

/* It stands in names of slots and keys of records. */
static int check(const void *settings, struct err *reterr)
{
    const struct operator_settings *s = settings;
    const char *name = s->name != NULL ? s->name : "", *level = s->level != NULL ? s->level : "";
    const char *strange = name + strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                              "0123456789._-");
    if (*strange != '\0' || strlen(name) >= sizeof((struct operator_self *)0)->name) {
        return err_set(
            reterr, ERR_USAGE,
            "operator.name '%.80s': expected at most %zu of letters, digits, '.', '_', '-'", name,
            sizeof((struct operator_self *)0)->name - 1);
    }
    if (level[0] != '\0' && !doc_is_name(slice_str(level))) {
        return err_set(reterr, ERR_USAGE, "operator.level '%.80s' is no name of a level", level);
    }
    return 0;
}

static int start(struct role_env *env, const void *settings, void **ret_state, struct err *reterr)
{
    (void)reterr;
    struct operator_self *o = MEM_NEW(struct operator_self);
    o->env = env;
    o->settings = settings;
    o->client = role_client_new(env, "operator", on_event, o);
    o->timer = loop_timer_new(env->loop, look, o);
    name_it(o);
    o->aside = aside_new(env->loop);
    operator_slots_make(o);
    stats_reader(env->stats, show, o);
    *ret_state = o;
    role_topics_then(env->topics, on_topics, o);
    return 0;
}

static void drain(void *state)
{
    struct operator_self *o = state;
    o->draining = true;
    for (uint32_t i = 0; i < o->n_slots; i++) {
        if (o->slots[i].worker != NULL) {
            worker_stop(o->slots[i].worker);
        }
    }
}

static bool is_drained(void *state)
{
    struct operator_self *o = state;
    bool all = true;
    for (uint32_t i = 0; i < o->n_slots; i++) {
        all &= o->slots[i].worker == NULL || worker_look(o->slots[i].worker).ended;
    }
    if (all && !o->leaving) {
        o->leaving = true;
        o->left = !o->open;
        operator_beat(o, true);
    }
    return all && o->left;
}

static void stop(void *state)
{
    struct operator_self *o = state;
    if (o == NULL) {
        return;
    }
    stats_reader_remove(o->env->stats, o);
    aside_free(o->aside);
    operator_slots_free(o);
    operator_graphs_free(o);
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

const struct role role_operator = {.name = "operator",
                                   .what = "Operator",
                                   .start = start,
                                   .drain = drain,
                                   .is_drained = is_drained,
                                   .stop = stop,
                                   .rows = rows,
                                   .row_count = ARRAY_LEN(rows),
                                   .settings_size = sizeof(struct operator_settings),
                                   .check = check};

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
