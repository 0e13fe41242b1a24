/* SPDX-License-Identifier: Apache-2.0
 *
 * The slots of a worker: which there are, is written in ctl.assign (coordinator/members.h); what it
 * follows of that, it says in ctl.members. See operator_impl.h.
 */
#include "core/base/log.h"
#include "core/base/mem.h"
#include "operators/operator_impl.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

/* Why it has a task: whoever had it before has died, or not. */
static const char given[] = "given", died[] = "died";

#define RELEASE_NS (3 * CLOCK_NS_PER_S) /* waited for, at most */

enum { TASKS_MAX = 100000, CORES_MAX = 8, MEMBERS_FORMAT = 1 };

/* ---- which ---- */

static uint32_t slots_of(const struct operator_self *o)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    bool local = bus_kind(o->env->bus) == BUS_LOCAL;
    return o->settings->slots > 0 ? (uint32_t)o->settings->slots
           : local                ? 1
                                  : (uint32_t)MAX(1, MIN(cores, CORES_MAX));
}

static void run_tasks(struct operator_self *o, struct operator_place *p)
{
    VEC(struct worker_want) wants = {0};
    VEC_EACH (&o->graphs, at) {
        const struct operator_graph *g = *at;
        for (uint32_t i = 0; g->wanted && g->ready && i < g->laid->layout->n_groups; i++) {
            const struct layout_group *group = &g->laid->layout->groups[i];
            for (uint32_t k = 0; k < group->parts; k++) {
                const void *how = map_get(&p->tasks, group->tasks[k].plan->name);
                if (how != NULL) {
                    *VEC_PUSH(&wants) = (struct worker_want){
                        g->laid, i, k, how == died,
                        map_get(&p->moved, group->tasks[k].plan->name) != NULL};
                }
            }
        }
    }
    p->order = worker_run(p->worker, wants.ptr, (uint32_t)wants.len);
    VEC_DONE(&wants);
}

/* Of this format, with a number that the coordinator gives. */
static bool is_assignment(const json_t *j)
{
    return json_integer_value(json_object_get(j, "format")) == MEMBERS_FORMAT &&
           json_integer_value(json_object_get(j, "incarnation")) > 0;
}

void operator_run_all(struct operator_self *o)
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
    const struct operator_place *p = arg;
    json_t *j = value.len > 0 ? json_loadb(value.ptr, value.len, 0, NULL) : NULL;
    bool mine = is_assignment(j) &&
                json_integer_value(json_object_get(j, "incarnation")) == p->incarnation &&
                !json_is_true(json_object_get(j, "revoked"));
    json_decref(j);
    return mine;
}

static void begin(struct operator_self *o, struct operator_place *p)
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
                                     .snapshot_ns = o->settings->snapshot_ns,
                                     .slice_bytes = (size_t)o->settings->snapshot_slice,
                                     .plain = o->settings->at_least_once,
                                     .trial = &o->trial};
    LOG_INFO("slot begins", LOG_STR("slot", p->name));
    p->lost = false;
    p->worker = worker_new(o->env->bus, &conf);
}

static void clear_moved(struct operator_place *p)
{
    MAP_EACH (&p->moved, e) {
        mem_free(e->value);
    }
    map_clear(&p->moved);
}

static void end(struct operator_place *p)
{
    if (p->worker != NULL) {
        LOG_INFO("slot ends", LOG_STR("slot", p->name));
    }
    worker_free(p->worker);
    p->worker = NULL;
    p->incarnation = p->epoch = 0;
    p->lost = false;
    map_clear(&p->tasks);
    clear_moved(p);
}

static void mark_tasks(struct operator_place *p, const json_t *tasks, const char *how)
{
    size_t i;
    const json_t *name;
    json_array_foreach(tasks, i, name)
    {
        void **at =
            json_is_string(name) ? map_put(&p->tasks, slice_str(json_string_value(name))) : NULL;
        if (at != NULL) {
            *at = (void *)(uintptr_t)how;
        }
    }
}

static void take_tasks(struct operator_place *p, const json_t *record)
{
    map_clear(&p->tasks);
    mark_tasks(p, json_object_get(record, "tasks"), given);
    mark_tasks(p, json_object_get(record, "died"), died);
    clear_moved(p);
    const char *task;
    json_t *from;
    json_object_foreach(json_object_get(record, "moved"), task, from)
    {
        const char *writer = json_string_value(from);
        void **at = writer != NULL ? map_put(&p->moved, slice_str(task)) : NULL;
        if (at != NULL) {
            *at = mem_dup(writer, strlen(writer));
        }
    }
}

/* A record of one of this worker's slots. */
void operator_on_assign(struct operator_self *o, const struct bus_record *r)
{
    struct operator_place *p = NULL;
    for (uint32_t i = 0; i < o->n_slots; i++) {
        p = slice_eq(slice_str(o->slots[i].key), r->key) ? &o->slots[i] : p;
    }
    json_t *j =
        p != NULL && r->value.len > 0 ? json_loadb(r->value.ptr, r->value.len, 0, NULL) : NULL;
    const char *boot = json_string_value(json_object_get(j, "boot"));
    bool mine =
        boot != NULL && strcmp(boot, o->boot) == 0 && !json_is_true(json_object_get(j, "revoked"));
    int64_t incarnation = json_integer_value(json_object_get(j, "incarnation"));
    if (p != NULL && r->value.len > 0 && !is_assignment(j)) {
        LOG_ERROR("an assignment that cannot be read is passed over", LOG_STR("slot", p->key));
        json_decref(j);
        return;
    }
    if (p != NULL && (!mine || p->incarnation != incarnation)) {
        end(p);
    }
    if (p != NULL && mine && !o->draining && o->claim.mine) {
        p->epoch = json_integer_value(json_object_get(j, "epoch"));
        take_tasks(p, j);
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

/* The writer that does not let a task of the slot go; NULL: there is none. */
static const char *waits_for(const struct operator_place *p)
{
    uint32_t n = 0;
    const struct worker_task *tasks = p->worker != NULL ? worker_tasks(p->worker, &n) : NULL;
    const char *found = NULL;
    for (uint32_t i = 0; i < n && found == NULL; i++) {
        const struct layout_group *g = &tasks[i].laid->layout->groups[tasks[i].group];
        found = tasks[i].unreleased_ns >= RELEASE_NS
                    ? map_get(&p->moved, g->tasks[tasks[i].part].plan->name)
                    : NULL;
    }
    return found;
}

/* What it says of its slots: which record each follows, to the end. *ret_graphs_end: up to where of
 * ctl.graphs all of them do; 0: one does not yet. */
static json_t *held_of(const struct operator_self *o, int64_t *ret_graphs_end)
{
    json_t *list = json_array();
    *ret_graphs_end = operator_graphs_end(o);
    for (uint32_t i = 0; i < o->n_slots; i++) {
        const struct operator_place *p = &o->slots[i];
        bool follows = p->worker != NULL && worker_look(p->worker).applied >= p->order;
        *ret_graphs_end = follows || p->worker == NULL ? *ret_graphs_end : 0;
        if (p->incarnation != 0) {
            json_array_append_new(list, json_pack("{s:i s:I s:I s:b s:s*}", "slot", (int)i,
                                                  "incarnation", (json_int_t)p->incarnation,
                                                  "epoch", (json_int_t)(follows ? p->epoch : 0),
                                                  "lost", p->lost, "waits", waits_for(p)));
        }
    }
    return list;
}

static void put_member(struct operator_self *o, const char *key, struct slice value, bool leaves)
{
    struct err err;
    struct bus_put put = {.to = {bus_topic(role_client_bus(o->client), SLICE("ctl.members")), 0},
                          .key = slice_str(key),
                          .value = value,
                          .token = leaves ? OPERATOR_TAG_LEFT : OPERATOR_TAG_PUT};
    if (value.len > OPERATOR_TELL_MAX || bus_put(o->writer, &put, &err) != 0) {
        LOG_WARN("this worker cannot say that it is there");
        o->left |= leaves;
    }
}

/* Under a key of its own, while the name is another's: so that people are told. */
static void tell_refused(struct operator_self *o, bool refused)
{
    char key[2 * OPERATOR_NAME], text[OPERATOR_TELL_MAX];
    (void)snprintf(key, sizeof key, "%s#%s", o->name, o->boot);
    json_t *j =
        json_pack("{s:i s:s s:s s:i s:b s:I}", "format", MEMBERS_FORMAT, "worker", o->name, "boot",
                  o->boot, "slots", 0, "refused", true, "beat", (json_int_t)++o->beat);
    size_t n = json_dumpb(j, text, sizeof text, JSON_COMPACT | JSON_SORT_KEYS);
    put_member(o, key, refused ? slice_of(text, n) : SLICE_NONE, false);
    json_decref(j);
    o->beaten = operator_now(o);
}

void operator_hold_name(struct operator_self *o)
{
    bool had = o->claim.mine, mine = operator_claim_is_mine(&o->claim, operator_now(o));
    for (uint32_t i = 0; had && !mine && i < o->n_slots; i++) {
        end(&o->slots[i]);
    }
    if (o->claim.refused && !o->said_refused) {
        LOG_ERROR("another worker has this name, so this one runs nothing",
                  LOG_STR("name", o->name), LOG_STR("other", o->claim.other));
    }
    if (o->open && o->claim.refused && operator_now(o) - o->beaten >= OPERATOR_BEAT_NS) {
        tell_refused(o, true);
    } else if (o->open && mine && o->said_refused) {
        LOG_INFO("this worker has its name now", LOG_STR("name", o->name));
        tell_refused(o, false);
        o->beaten = 0;
    }
    o->said_refused = o->claim.refused || (o->said_refused && !mine);
}

void operator_beat(struct operator_self *o, bool leaves)
{
    if (!o->claim.mine) {
        if (leaves && o->said_refused && o->open) {
            tell_refused(o, false);
        }
        o->left |= leaves;
        return;
    }
    int64_t graphs_end;
    json_t *held = held_of(o, &graphs_end);
    char text[OPERATOR_TELL_MAX];
    size_t n = json_dumpb(held, text, sizeof text, JSON_COMPACT);
    uint64_t said = hash_xxh64(slice_of(text, MIN(n, sizeof text)));
    if (!o->open ||
        (!leaves && said == o->said && operator_now(o) - o->beaten < OPERATOR_BEAT_NS)) {
        json_decref(held);
        return;
    }
    o->said = said;
    o->beaten = operator_now(o);
    json_t *j =
        json_pack("{s:i s:s s:s s:i s:s s:b s:I s:I s:o}", "format", MEMBERS_FORMAT, "worker",
                  o->name, "boot", o->boot, "slots", (int)o->n_slots, "level",
                  o->settings->level != NULL ? o->settings->level : "", "leaves", leaves, "beat",
                  (json_int_t)++o->beat, "graphs_end", (json_int_t)graphs_end, "held", held);
    n = json_dumpb(j, text, sizeof text, JSON_COMPACT | JSON_SORT_KEYS);
    put_member(o, o->name, slice_of(text, n), leaves);
    json_decref(j);
}

/* ---- life ---- */

void operator_look_at_slots(struct operator_self *o)
{
    for (uint32_t i = 0; i < o->n_slots; i++) {
        struct operator_place *p = &o->slots[i];
        if (p->worker != NULL && worker_look(p->worker).ended && !o->draining) {
            LOG_WARN("a slot is lost", LOG_STR("slot", p->name));
            worker_free(p->worker);
            p->worker = NULL;
            p->lost = true;
        }
    }
}

void operator_slots_make(struct operator_self *o)
{
    o->n_slots = slots_of(o);
    o->slots = mem_calloc(o->n_slots, sizeof *o->slots);
    for (uint32_t i = 0; i < o->n_slots; i++) {
        (void)snprintf(o->slots[i].key, OPERATOR_NAME, "%s/%u", o->name, i);
        map_init(&o->slots[i].tasks, TASKS_MAX);
        map_init(&o->slots[i].moved, TASKS_MAX);
    }
}

void operator_slots_free(struct operator_self *o)
{
    for (uint32_t i = 0; i < o->n_slots; i++) {
        worker_free(o->slots[i].worker);
        map_done(&o->slots[i].tasks);
        clear_moved(&o->slots[i]);
        map_done(&o->slots[i].moved);
    }
    mem_free(o->slots);
}
