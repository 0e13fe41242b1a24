/* SPDX-License-Identifier: Apache-2.0
 *
 * What a worker tells of its tasks: into ctl.tasks, all of them once a second and when a graph has
 * become live, and in the log what is not as it should be. See operator_impl.h.
 */
#include "core/base/log.h"
#include "core/codec/utf8.h"
#include "operators/graph/eng_back.h"
#include "operators/operator_impl.h"

#include <assert.h>

#define TROUBLE_NS (60 * CLOCK_NS_PER_S)

void operator_put_task(struct operator_self *o, struct slice key, struct slice value)
{
    struct err err;
    struct bus_put put = {.to = {bus_topic(role_client_bus(o->client), SLICE("ctl.tasks")), 0},
                          .key = key,
                          .value = value,
                          .token = OPERATOR_TAG_PUT};
    if (o->open && bus_put(o->writer, &put, &err) != 0) {
        LOG_DEBUG("a task's state is not told", LOG_STR("error", err.msg));
    }
}

static const char *const states[] = {"replay", "replay", "replay", "live", "lost"};

/* Texts are cut where their room ends, which may be within a character. */
static json_t *text_of(const char *cut)
{
    char whole[3 * sizeof((struct worker_task *)NULL)->why];
    struct slice s = slice_str(cut);
    assert(s.len < sizeof whole / 3);
    return json_stringn(whole, (size_t)(utf8_repair(whole, s) - whole));
}

/* What its dearest rules cost an event. */
static json_t *rules_of(const struct worker_task *t)
{
    json_t *list = json_array();
    for (uint32_t i = 0; i < t->n_rules; i++) {
        const struct worker_rule *r = &t->rules[i];
        json_t *rule = json_pack("{s:I s:I}", "events", (json_int_t)r->events * ENG_METER_EVERY,
                                 "ns_per_event", (json_int_t)(r->ns / (int64_t)MAX(r->events, 1u)));
        json_object_set_new(rule, "name", text_of(r->name));
        json_array_append_new(list, rule);
    }
    return list;
}

/* Statements that may lack input that was lost. */
static json_t *lacks_of(const struct worker_task *t)
{
    json_t *list = json_array();
    for (uint32_t i = 0; i < MIN(t->n_lacks, (uint32_t)WORKER_LACKS); i++) {
        const struct worker_lack *l = &t->lacks[i];
        json_t *one = json_pack("{s:o}", "statement", text_of(l->name));
        if (l->ms != ENG_BACK_EVER) {
            json_object_set_new(one, "turns_over_ms", json_integer(l->ms));
        }
        json_array_append_new(list, one);
    }
    return list;
}

static void tell_lacks(json_t *j, const struct worker_task *t)
{
    if (t->n_lacks > 0) {
        json_object_set_new(j, "incomplete", lacks_of(t));
        json_object_set_new(j, "incomplete_statements", json_integer(t->n_lacks));
    }
}

/* Of the input whose floor is nearest to what retention has removed. */
static void tell_floor(json_t *j, const struct slot_floor *f)
{
    if (f->of[0] != '\0') {
        json_object_set_new(j, "floor_of", json_string(f->of));
        json_object_set_new(j, "floor", json_integer(f->offset));
        json_object_set_new(j, "floor_low", json_integer(f->low));
        json_object_set_new(j, "floor_end", json_integer(f->end));
        json_object_set_new(j, "floor_near", json_boolean(f->near));
        json_object_set_new(j, "floor_nears", json_integer((json_int_t)f->nears));
    }
}

/* Timers between two inputs, while there are many. */
static void tell_span(json_t *j, const struct worker_task *t)
{
    if (t->span.fired > 0) {
        json_object_set_new(j, "span_fired", json_integer((json_int_t)t->span.fired));
        json_object_set_new(j, "span_to", json_integer(t->span.to));
    }
}

static void tell_now(json_t *j, const struct worker_task *t)
{
    tell_lacks(j, t);
    tell_span(j, t);
    tell_floor(j, &t->floor);
}

/* By which lineage (63 bits), of which life, once which graphs were known: coordinator/sweep.h. */
static void tell_whose(json_t *j, const struct task_plan *p, int64_t graphs_end)
{
    json_object_set_new(j, "lineage", json_integer((json_int_t)p->lineage));
    json_object_set_new(j, "graphs_end", json_integer(graphs_end));
    if (p->life > 0) {
        json_object_set_new(j, "life", json_integer(p->life));
    }
}

/* Into text: how many bytes. */
static size_t tell(const struct operator_self *o, const struct operator_place *p,
                   const struct worker_task *t, char text[OPERATOR_TELL_MAX])
{
    const struct layout_group *g = &t->laid->layout->groups[t->group];
    const struct layout *d = t->laid->layout;
    const struct slice name = g->tasks[t->part].plan->name;
    struct worker_look look = worker_look(p->worker);
    json_t *j =
        json_pack("{s:i s:s% s:s% s:s% s:I s:s s:s s:s s:o s:o*}", "format", 1, "tenant",
                  d->tenant.ptr, d->tenant.len, "graph", d->name.ptr, d->name.len, "group",
                  g->name.ptr, g->name.len, "version", (json_int_t)t->laid->version, "worker",
                  o->name, "slot", p->name, "state", t->over ? "ended" : states[t->state], "why",
                  text_of(t->why), "degraded", t->trouble[0] != '\0' ? text_of(t->trouble) : NULL);
    tell_whose(j, g->tasks[t->part].plan, operator_graphs_end(o));
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
                   {"waiting_bytes", t->lag.waiting_bytes},
                   {"waiting_most", t->lag.waiting_most},
                   {"busy_ns", (uint64_t)t->lag.busy_ns},
                   {"state_bytes", t->lag.state_bytes},
                   {"rows", t->rows},
                   {"partials", t->partials},
                   {"held_bytes", t->held},
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
    json_object_set_new(j, "reads_past", json_boolean(t->lag.past));
    json_object_set_new(j, "rules", rules_of(t));
    tell_now(j, t);
    size_t n = json_dumpb(j, text, OPERATOR_TELL_MAX, JSON_COMPACT | JSON_SORT_KEYS);
    json_decref(j);
    return n <= OPERATOR_TELL_MAX ? n : 0;
}

/* Of a graph no more often than once a minute. */
static void say_trouble(const struct operator_self *o, struct operator_graph *g,
                        const struct worker_task *t)
{
    int64_t now = operator_now(o);
    const char *near = t->floor.near ? "retention is near what its snapshot needs" : "";
    const char *why = t->trouble[0] != '\0' ? t->trouble : near;
    if (why[0] != '\0' && (g->said_trouble == 0 || now - g->said_trouble >= TROUBLE_NS)) {
        g->said_trouble = now;
        LOG_WARN("a graph does not run as it should", LOG_STR("graph", g->key),
                 LOG_SLICE("task", t->laid->layout->groups[t->group].tasks[t->part].plan->name),
                 LOG_STR("why", why), LOG_STR("input", t->floor.of));
    }
}

/* Likewise: it is tried every second. */
static void say_lost(const struct operator_self *o, struct operator_graph *g,
                     const struct worker_task *t)
{
    int64_t now = operator_now(o);
    if (t->state == SLOT_LOST && (g->said_lost == 0 || now - g->said_lost >= TROUBLE_NS)) {
        g->said_lost = now;
        LOG_WARN("a task is lost, and begins again", LOG_STR("graph", g->key),
                 LOG_STR("why", t->why));
    }
}

/* The tasks of one slot. What they are of graphs counts there: tasks here, and live ones. */
static void tell_slot(struct operator_self *o, const struct operator_place *p, bool tells)
{
    uint32_t n = 0;
    const struct worker_task *tasks = worker_tasks(p->worker, &n);
    for (uint32_t i = 0; i < n; i++) {
        const struct worker_task *t = &tasks[i];
        struct operator_graph *g = operator_graph_that(o, t->laid);
        char text[OPERATOR_TELL_MAX];
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
        if (len > 0) {
            operator_put_task(o, t->laid->layout->groups[t->group].tasks[t->part].plan->name,
                              slice_of(text, len));
        }
        say_lost(o, g, t);
    }
}

static bool is_live(const struct operator_graph *g)
{
    return g->here > 0 && g->live == g->here;
}

static void say(struct operator_graph *g)
{
    if (is_live(g) && !g->said_live) {
        LOG_INFO("graph is live", LOG_STR("graph", g->key), LOG_INT("version", g->laid->version),
                 LOG_INT("tasks_here", g->here));
    }
    g->said_live = is_live(g);
}

/* What there is of graphs here; and all tasks are told, now and then and when one has changed. */
void operator_tell_tasks(struct operator_self *o)
{
    bool due = operator_now(o) - o->told >= OPERATOR_BEAT_NS, changed = false;
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
        o->told = pass == 1 ? operator_now(o) : o->told;
    }
    VEC_EACH (&o->graphs, g) {
        say(*g);
    }
}
