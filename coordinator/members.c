/* SPDX-License-Identifier: Apache-2.0
 *
 * See members.h.
 */
#include "coordinator/members_impl.h"

#include "coordinator/assign.h"
#include "core/base/arena.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/base/vec.h"
#include "core/net/aside.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

#define SILENT_NS (3 * CLOCK_NS_PER_S)
#define FORGET_NS (60 * CLOCK_NS_PER_S)
#define STALL_NS  CLOCK_NS_PER_S
#define FULL_NS   (2 * CLOCK_NS_PER_S)

struct members *members_new(const struct members_conf *conf)
{
    struct members *m = MEM_NEW(struct members);
    m->conf = *conf;
    m->tags = MEMBERS_TAG;
    map_init(&m->workers, MEMBERS_MAX);
    map_init(&m->seats, (size_t)MEMBERS_MAX * SLOTS_MAX);
    map_init(&m->plans, GRAPHS_MAX);
    map_init(&m->strange, (size_t)MEMBERS_MAX * SLOTS_MAX);
    map_init(&m->died, TASKS_MAX);
    moved_init(&m->moved, TASKS_MAX);
    return m;
}

static void plan_free(struct plan *p)
{
    if (p != NULL) {
        arena_free(p->arena);
        mem_free(p->key);
        mem_free(p->document);
        mem_free(p);
    }
}

static void planned_free(struct planned *p)
{
    if (p != NULL) {
        plan_free(p->plan);
        mem_free(p);
    }
}

void members_free(struct members *m)
{
    if (m == NULL) {
        return;
    }
    MAP_EACH (&m->workers, e) {
        members_worker_free(e->value);
    }
    MAP_EACH (&m->seats, e) {
        members_seat_free(e->value);
    }
    MAP_EACH (&m->plans, e) {
        planned_free(e->value);
    }
    map_done(&m->workers);
    map_done(&m->seats);
    map_done(&m->plans);
    map_done(&m->strange);
    map_done(&m->died);
    moved_done(&m->moved);
    mem_free(m);
}

/* ---- records ---- */

bool members_hold(const struct members *m, enum store_topic topic, struct slice key,
                  struct slice value)
{
    const struct seat *s = map_get(&m->seats, key);
    if (topic == STORE_MEMBERS) {
        return map_get(&m->workers, key) == NULL;
    }
    return value.ptr == NULL ? s == NULL : s != NULL && slice_eq(slice_str(s->value), value);
}

void members_graph(struct members *m, struct slice key)
{
    struct planned *p = map_get(&m->plans, key);
    m->dirty = true;
    if (p != NULL && graphs_record(m->conf.graphs, key) == NULL) {
        planned_free(map_remove(&m->plans, key));
    } else if (p != NULL) {
        p->turn = ++m->turns;
        p->asked = false;
    }
}

/* ---- changes ---- */

struct change {
    struct members *m;
    enum store_topic topic;
    char key[KEY_BYTES];
    char *value; /* NULL removes */
};

static bool decide(void *arg, struct store_record *ret_record)
{
    struct change *c = arg;
    *ret_record = (struct store_record){
        slice_str(c->key), c->value != NULL ? slice_str(c->value) : SLICE_NONE, c->topic};
    return true;
}

static void done(void *arg, const struct err *err)
{
    struct change *c = arg;
    if (err != NULL && err->code != ERR_CLOSED) {
        LOG_WARN("an assignment was not stored", LOG_STR("slot", c->key),
                 LOG_STR("error", err->msg));
    }
    if (err != NULL && err->code == ERR_FULL) {
        c->m->full_until = members_now(c->m) + FULL_NS; /* room does not come at once */
    }
    c->m->dirty |= err != NULL;
    c->m->under_way--;
    mem_free(c->value);
    mem_free(c);
}

static void submit(struct members *m, enum store_topic topic, const char *key, json_t *take_value)
{
    static const struct store_change how = {.decide = decide, .done = done};
    struct change *c = MEM_NEW(struct change);
    struct err err;
    c->m = m;
    c->topic = topic;
    (void)snprintf(c->key, sizeof c->key, "%s", key);
    if (take_value != NULL) {
        size_t n = json_dumpb(take_value, NULL, 0, JSON_COMPACT | JSON_SORT_KEYS);
        c->value = mem_zalloc(n + 1);
        (void)json_dumpb(take_value, c->value, n, JSON_COMPACT | JSON_SORT_KEYS);
        json_decref(take_value);
    }
    m->under_way++;
    if (store_submit(m->conf.store, &how, c, &err) != 0) {
        done(c, &err);
    }
}

/* Numbers that are given once, also by leaders that come after this one. */
static int64_t new_number(struct members *m)
{
    m->last = MAX(m->last + 1, store_epoch(m->conf.store) << 20);
    return m->last;
}

static json_t *record_of(const char *worker, const char *boot, uint32_t number, int64_t incarnation,
                         int64_t epoch, bool revoked, json_t *tasks, json_t *died, json_t *moved)
{
    return json_pack("{s:i s:s s:s s:i s:I s:I s:b s:O s:O* s:O*}", "format", MEMBERS_FORMAT,
                     "worker", worker, "boot", boot, "slot", (int)number, "incarnation",
                     (json_int_t)incarnation, "epoch", (json_int_t)epoch, "revoked", revoked,
                     "tasks", tasks, "died", json_array_size(died) > 0 ? died : NULL, "moved",
                     json_object_size(moved) > 0 ? moved : NULL);
}

/* ---- the dead ---- */

static bool is_alive(const struct members *m, const struct worker *w)
{
    return w != NULL && !w->leaves && members_now(m) - w->seen < SILENT_NS + w->patience;
}

bool members_has_worker(const struct members *m, const struct seat *s)
{
    const struct worker *w = map_get(&m->workers, slice_str(s->worker));
    bool lost = w != NULL && s->number < SLOTS_MAX && w->held[s->number].lost &&
                w->held[s->number].incarnation == s->incarnation;
    return is_alive(m, w) && members_same(w->boot, s->boot) && s->number < w->n_slots && !lost;
}

/* The process is gone, and nobody has said that it would go. */
static bool has_died(const struct members *m, const struct seat *s)
{
    const struct worker *w = map_get(&m->workers, slice_str(s->worker));
    bool left = w != NULL && members_same(w->left, s->boot);
    return !left && (w == NULL || !members_same(w->boot, s->boot) || !is_alive(m, w));
}

static void revoke(struct members *m, const struct seat *s)
{
    LOG_WARN("a slot is taken from its worker", LOG_STR("slot", s->key),
             LOG_INT("incarnation", s->incarnation), LOG_INT("tasks", json_array_size(s->tasks)));
    submit(m, STORE_ASSIGN, s->key,
           record_of(s->worker, s->boot, s->number, s->incarnation, new_number(m), true, s->tasks,
                     has_died(m, s) ? s->tasks : NULL, NULL));
}

static void fence(struct members *m, struct seat *s)
{
    char name[KEY_BYTES];
    struct err err;
    (void)members_writer(s, name);
    s->tag = ++m->tags;
    s->fencing = bus_fence(m->conf.bus, slice_str(name), s->tag, &err) == 0;
    if (!s->fencing) {
        LOG_WARN("a slot cannot be fenced", LOG_STR("slot", name), LOG_STR("error", err.msg));
    }
}

void members_on_event(struct members *m, const struct bus_ev *ev)
{
    MAP_EACH (&m->seats, e) {
        struct seat *s = e->value;
        if (s->tag == ev->tag && s->fencing) {
            s->fencing = false;
            s->fenced = ev->kind == BUS_EV_DONE;
        }
    }
    members_step(m);
}

/* A task that was given on waits for its release, and the slot that had it does not write one. */
static bool is_waited_for(const struct members *m, const struct seat *s)
{
    char writer[KEY_BYTES];
    (void)members_writer(s, writer);
    MAP_EACH (&m->workers, e) {
        const struct worker *w = e->value;
        for (uint32_t k = 0; is_alive(m, w) && k < w->n_slots; k++) {
            if (strcmp(w->held[k].waits, writer) == 0) {
                return true;
            }
        }
    }
    return false;
}

/* True: somebody is on his way out. */
static bool end_seats(struct members *m)
{
    bool any = false;
    uint32_t alive = 0;
    MAP_EACH (&m->workers, e) {
        alive += is_alive(m, e->value) && !((const struct worker *)e->value)->refused;
    }
    m->dirty |= alive != m->count.workers;
    MAP_EACH (&m->seats, e) {
        struct seat *s = e->value;
        any |= s->revoked;
        if (!s->revoked && (!members_has_worker(m, s) || is_waited_for(m, s))) {
            any = true;
            revoke(m, s);
        } else if (s->fenced) {
            submit(m, STORE_ASSIGN, s->key, NULL);
        } else if (s->revoked && !s->fencing) {
            fence(m, s);
        }
    }
    MAP_EACH (&m->workers, e) {
        const struct worker *w = e->value;
        if (!any && !is_alive(m, w) && members_now(m) - w->seen > FORGET_NS) {
            submit(m, STORE_MEMBERS, w->name, NULL);
        }
    }
    return any;
}

/* ---- who should have what ---- */

struct wish {
    struct arena *arena;
    VEC(struct assign_task) tasks;
    VEC(struct assign_slot) slots;
    VEC(struct worker *) workers; /* of each slot */
    uint32_t *to;
};

static void wish_done(struct wish *w)
{
    mem_free(w->to);
    VEC_DONE(&w->tasks);
    VEC_DONE(&w->slots);
    VEC_DONE(&w->workers);
    arena_free(w->arena);
}

static void lay_out(void *arg)
{
    struct plan *p = arg;
    p->arena = arena_new(NULL, "tasks", ARENA_MAX);
    p->rc = p->m->conf.layout(p->arena, slice_str(p->document), p->m->conf.raw_parts, &p->groups,
                              &p->n_groups, &p->err);
}

static void laid_out(void *arg, bool worked)
{
    struct plan *p = arg;
    struct planned *of = map_get(&p->m->plans, slice_str(p->key));
    if (!worked || of == NULL || of->turn != p->turn) {
        plan_free(p); /* the graph has changed, or is gone */
        return;
    }
    if (p->rc != 0) {
        LOG_WARN("a graph has no tasks", LOG_STR("graph", p->key), LOG_STR("error", p->err.msg));
        p->n_groups = 0;
    }
    plan_free(of->plan);
    of->plan = p;
    p->m->dirty = true;
    mem_trim();
}

static struct planned *plan_of(struct members *m, const struct graph *g)
{
    void **at = map_put(&m->plans, g->key);
    if (at == NULL) {
        return NULL;
    }
    struct planned *of = *at;
    if (of == NULL) {
        of = *at = MEM_NEW(struct planned);
        of->turn = ++m->turns;
    }
    if (!of->asked) {
        of->asked = true;
        struct plan *p = MEM_NEW(struct plan);
        *p = (struct plan){.m = m,
                           .key = mem_dup(g->key.ptr, g->key.len),
                           .document = mem_dup(g->document.ptr, g->document.len),
                           .turn = of->turn};
        aside_do(m->conf.aside, lay_out, laid_out, p);
    }
    return of;
}

const struct coordinator_group *members_groups(const struct members *m, struct slice key,
                                               uint32_t *ret_n)
{
    const struct planned *of = map_get(&m->plans, key);
    const struct plan *p = of != NULL ? of->plan : NULL;
    static const struct coordinator_group none;
    if (p == NULL || p->turn != of->turn) {
        return NULL;
    }
    *ret_n = p->n_groups;
    return p->n_groups > 0 ? p->groups : &none;
}

/* Some slot has tasks of the graph. */
static bool is_run(const struct members *m, struct slice key)
{
    MAP_EACH (&m->seats, e) {
        const struct seat *s = e->value;
        size_t i;
        const json_t *name;
        json_array_foreach(s->tasks, i, name)
        {
            struct slice task = slice_str(json_string_value(name));
            if (slice_starts(task, key) && task.len > key.len && task.ptr[key.len] == '/') {
                return true;
            }
        }
    }
    return false;
}

/* False: the tasks of a graph that runs are not known yet, and nobody may lose them for that. */
static bool add_tasks(struct members *m, struct wish *w)
{
    size_t n;
    const struct graph **all = graphs_of_tasks(m->conf.graphs, &n);
    bool known = true;
    for (size_t i = 0; i < n; i++) {
        const struct planned *of = plan_of(m, all[i]);
        const struct plan *p = of != NULL ? of->plan : NULL;
        known = known && (p != NULL || !is_run(m, all[i]->key));
        for (uint32_t g = 0; p != NULL && g < p->n_groups; g++) {
            for (uint32_t k = 0; k < p->groups[g].parts && w->tasks.len < TASKS_MAX; k++) {
                char *name = arena_printf(w->arena, SLICE_FMT "/" SLICE_FMT "/%u",
                                          SLICE_ARG(all[i]->key), SLICE_ARG(p->groups[g].name), k);
                *VEC_PUSH(&w->tasks) = (struct assign_task){slice_str(name), p->groups[g].levels,
                                                            p->groups[g].n_levels, ASSIGN_NONE};
            }
        }
    }
    mem_free(all);
    return known;
}

static struct seat *seat_of(const struct members *m, const struct worker *w, uint32_t number)
{
    char key[KEY_BYTES];
    (void)snprintf(key, sizeof key, "%s/%u", w->name, number);
    return map_get(&m->seats, slice_str(key));
}

static void add_slots(struct members *m, struct wish *w)
{
    m->count.workers = 0;
    MAP_EACH (&m->workers, e) {
        struct worker *one = e->value;
        bool alive = is_alive(m, one);
        m->count.workers += alive && !one->refused;
        for (uint32_t k = 0; alive && k < one->n_slots; k++) {
            *VEC_PUSH(&w->slots) =
                (struct assign_slot){slice_str(one->name), k, slice_str(one->level)};
            *VEC_PUSH(&w->workers) = one;
        }
    }
}

/* Who has which task now; false: not every slot follows its record yet. */
static bool add_previous(struct members *m, struct wish *w)
{
    struct map index;
    bool settled = true;
    map_init(&index, TASKS_MAX);
    for (size_t i = 0; i < w->tasks.len; i++) {
        void **at = map_put(&index, w->tasks.ptr[i].name);
        *at = (void *)(uintptr_t)(i + 1);
    }
    for (uint32_t i = 0; i < w->slots.len; i++) {
        uint32_t number = w->slots.ptr[i].number;
        const struct seat *s = seat_of(m, w->workers.ptr[i], number);
        const struct held *h = &w->workers.ptr[i]->held[number];
        size_t k;
        const json_t *name;
        if (s == NULL) {
            continue;
        }
        settled &= h->incarnation == s->incarnation && h->epoch >= s->epoch;
        json_array_foreach(s->tasks, k, name)
        {
            uintptr_t task = (uintptr_t)map_get(&index, slice_str(json_string_value(name)));
            if (task > 0) {
                w->tasks.ptr[task - 1].previous = i;
            }
        }
    }
    map_done(&index);
    return settled;
}

static bool is_equal(const json_t *a, const json_t *b)
{
    return json_equal(a, b) == 1;
}

static bool has_writer(const struct members *m, const char *name)
{
    char writer[KEY_BYTES];
    bool found = false;
    MAP_EACH (&m->seats, e) {
        found |= strcmp(members_writer(e->value, writer), name) == 0;
    }
    return found;
}

/* The writer that must have let the task go, before who has it now begins it; NULL: there is none,
 * or it is fenced. */
static const char *mover_of(const struct members *m, const struct seat *s, const char *task)
{
    const char *from = json_string_value(json_object_get(s != NULL ? s->moved : NULL, task));
    from = from != NULL ? from : moved_from(&m->moved, slice_str(task));
    return from != NULL && has_writer(m, from) ? from : NULL;
}

/* Who has it now has it from somebody who died. */
static bool is_of_dead(const struct members *m, const struct seat *s, struct slice task)
{
    size_t i;
    const json_t *name;
    bool found = map_get(&m->died, task) != NULL;
    json_array_foreach(s != NULL ? s->died : NULL, i, name)
    {
        found |= slice_eq(slice_str(json_string_value(name)), task);
    }
    return found;
}

static void write_slot(struct members *m, const struct wish *w, uint32_t slot, bool settled)
{
    const struct worker *one = w->workers.ptr[slot];
    uint32_t number = w->slots.ptr[slot].number;
    const struct seat *s = seat_of(m, one, number);
    json_t *tasks = json_array(), *died = json_array(), *moved = json_object();
    for (size_t i = 0; i < w->tasks.len; i++) {
        const struct assign_task *t = &w->tasks.ptr[i];
        bool fresh = t->previous == ASSIGN_NONE;
        if (w->to[i] == slot && (t->previous == slot || (fresh && settled))) {
            json_array_append_new(tasks, json_stringn(t->name.ptr, t->name.len));
            if (is_of_dead(m, s, t->name)) {
                json_array_append_new(died, json_stringn(t->name.ptr, t->name.len));
            }
            const char *from = mover_of(m, s, t->name.ptr);
            if (from != NULL) {
                json_object_set_new(moved, t->name.ptr, json_string(from));
            }
            m->count.tasks++;
        }
    }
    bool same = s != NULL ? is_equal(tasks, s->tasks) &&
                                json_object_size(moved) == json_object_size(s->moved)
                          : json_array_size(tasks) == 0;
    if (!same) {
        int64_t epoch = new_number(m);
        char key[KEY_BYTES];
        (void)snprintf(key, sizeof key, "%s/%u", one->name, number);
        LOG_INFO("a slot's tasks", LOG_STR("slot", key), LOG_INT("tasks", json_array_size(tasks)));
        submit(m, STORE_ASSIGN, key,
               record_of(one->name, one->boot, number, s != NULL ? s->incarnation : epoch, epoch,
                         false, tasks, died, moved));
    }
    json_decref(moved);
    json_decref(died);
    json_decref(tasks);
}

static void give(struct members *m)
{
    struct wish w = {.arena = arena_new(NULL, "assignment", ARENA_MAX)};
    bool known = add_tasks(m, &w);
    add_slots(m, &w);
    if (!known) {
        wish_done(&w);
        return;
    }
    bool settled = add_previous(m, &w);
    w.to = mem_calloc(w.tasks.len + 1, sizeof *w.to);
    (void)assign_tasks(w.slots.ptr, (uint32_t)w.slots.len, w.tasks.ptr, (uint32_t)w.tasks.len,
                       settled ? MOVES_MAX : 0, w.to);
    m->count.slots = (uint32_t)w.slots.len;
    m->count.tasks = 0;
    for (uint32_t i = 0; i < w.slots.len; i++) {
        write_slot(m, &w, i, settled);
    }
    m->count.waiting = (uint32_t)w.tasks.len - m->count.tasks;
    wish_done(&w);
}

/* While it did something else itself (a large document is compiled), nobody was heard: that silence
 * was its own. */
static void forgive_stall(struct members *m)
{
    int64_t now = members_now(m), stall = now - m->stepped;
    if (m->stepped > 0 && stall >= STALL_NS) {
        LOG_DEBUG("workers were not heard for a while", LOG_INT("ms", stall / CLOCK_NS_PER_MS));
        MAP_EACH (&m->workers, e) {
            struct worker *w = e->value;
            w->seen = MIN(now, w->seen + stall);
        }
    }
    m->stepped = now;
}

void members_step(struct members *m)
{
    forgive_stall(m);
    if (m->conf.layout == NULL || !store_loaded(m->conf.store) || !store_writable(m->conf.store) ||
        m->under_way > 0 || members_now(m) < m->full_until) {
        return;
    }
    if (!end_seats(m) && m->under_way == 0 && m->dirty) {
        m->dirty = false;
        give(m);
    }
}

json_t *members_refused(const struct members *m)
{
    json_t *list = json_array();
    MAP_EACH (&m->workers, e) {
        const struct worker *w = e->value;
        if (w->refused && is_alive(m, w)) {
            (void)json_array_append_new(list, json_string(w->of));
        }
    }
    return list;
}

struct members_count members_count(const struct members *m)
{
    return m->count;
}
