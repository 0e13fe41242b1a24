/* SPDX-License-Identifier: Apache-2.0
 *
 * See members.h.
 */
#include "coordinator/members.h"

#include "coordinator/assign.h"
#include "core/base/arena.h"
#include "core/base/log.h"
#include "core/base/map.h"
#include "core/base/mem.h"
#include "core/base/vec.h"
#include "core/net/aside.h"

#include <assert.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>

enum {
    SLOTS_MAX = 64, /* of a worker */
    ARENA_MAX = 256 << 20,
    KEY_BYTES = 160,
    NAME_MAX_BYTES = KEY_BYTES - 40, /* of a worker: keys and writers have numbers behind it */
    MOVES_MAX = 4,                   /* tasks that nobody runs for a moment */
    TASKS_MAX = 100000,
};
#define SILENT_NS   (3 * CLOCK_NS_PER_S)
#define FORGET_NS   (60 * CLOCK_NS_PER_S)
#define PATIENCE_NS (120 * CLOCK_NS_PER_S)
#define STALL_NS    CLOCK_NS_PER_S

struct held { /* what a worker says of one of his slots */
    int64_t incarnation, epoch;
    bool lost;
};

struct worker {
    char *name, *boot, *level;
    char *left; /* the boot that has said, last of all, that it leaves */
    uint32_t n_slots;
    int64_t beat, seen; /* mono */
    int64_t patience;   /* so much longer it will be silent, it says: it lays a graph out */
    bool leaves;
    struct held held[SLOTS_MAX];
};

struct seat { /* a record of ctl.assign */
    char *key, *worker, *boot;
    uint32_t number;
    int64_t incarnation, epoch;
    bool revoked, fencing, fenced;
    uint64_t tag; /* of the fence */
    json_t *tasks;
    json_t *died; /* of its tasks, those whose worker before it has died */
    char *value;  /* as it was read */
};

/* Of a graph. It is made beside the loop; until then the one before it stays. */
struct plan {
    struct members *m;
    char *key, *document;
    uint64_t turn; /* of the graph, when it was asked for */
    struct arena *arena;
    const struct coordinator_group *groups;
    uint32_t n_groups;
    int rc;
    struct err err;
};

struct planned {       /* a graph */
    struct plan *plan; /* NULL: none yet */
    uint64_t turn;     /* raised with each change */
    bool asked;        /* for the plan of this turn, or it is there */
};

struct members {
    struct members_conf conf;
    struct map workers, seats, plans;
    struct map died;    /* tasks whose worker has died, until others have them */
    uint32_t under_way; /* changes */
    bool dirty;         /* something has changed since tasks were given */
    uint64_t tags, turns;
    int64_t last;    /* number given */
    int64_t stepped; /* when it last looked */
    struct members_count count;
};

struct members *members_new(const struct members_conf *conf)
{
    struct members *m = MEM_NEW(struct members);
    m->conf = *conf;
    m->tags = MEMBERS_TAG;
    map_init(&m->workers, MEMBERS_MAX);
    map_init(&m->seats, (size_t)MEMBERS_MAX * SLOTS_MAX);
    map_init(&m->plans, GRAPHS_MAX);
    map_init(&m->died, TASKS_MAX);
    return m;
}

static void worker_free(struct worker *w)
{
    if (w != NULL) {
        mem_free(w->name);
        mem_free(w->boot);
        mem_free(w->level);
        mem_free(w->left);
        mem_free(w);
    }
}

static void seat_free(struct seat *s)
{
    if (s != NULL) {
        mem_free(s->key);
        mem_free(s->worker);
        mem_free(s->boot);
        mem_free(s->value);
        json_decref(s->tasks);
        json_decref(s->died);
        mem_free(s);
    }
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
        worker_free(e->value);
    }
    MAP_EACH (&m->seats, e) {
        seat_free(e->value);
    }
    MAP_EACH (&m->plans, e) {
        planned_free(e->value);
    }
    map_done(&m->workers);
    map_done(&m->seats);
    map_done(&m->plans);
    map_done(&m->died);
    mem_free(m);
}

static int64_t now_ns(const struct members *m)
{
    return clock_mono(bus_clock(m->conf.bus));
}

/* ---- records ---- */

static char *copy(const char *text)
{
    return mem_dup(text != NULL ? text : "", text != NULL ? strlen(text) : 0);
}

static const char *text_of(const json_t *o, const char *name)
{
    return json_string_value(json_object_get(o, name));
}

static int64_t number_of(const json_t *o, const char *name)
{
    return json_integer_value(json_object_get(o, name));
}

static bool is_same(const char *a, const char *b)
{
    return a != NULL && b != NULL && strcmp(a, b) == 0;
}

static bool is_held_same(const struct held *a, const struct held *b)
{
    for (uint32_t i = 0; i < SLOTS_MAX; i++) {
        if (a[i].incarnation != b[i].incarnation || a[i].epoch != b[i].epoch ||
            a[i].lost != b[i].lost) {
            return false;
        }
    }
    return true;
}

static void read_held(struct worker *w, const json_t *list)
{
    size_t i;
    const json_t *h;
    memset(w->held, 0, sizeof w->held);
    json_array_foreach(list, i, h)
    {
        int64_t k = number_of(h, "slot");
        if (k >= 0 && k < SLOTS_MAX) {
            w->held[k] = (struct held){number_of(h, "incarnation"), number_of(h, "epoch"),
                                       json_is_true(json_object_get(h, "lost"))};
        }
    }
}

static void take_worker(struct members *m, struct slice key, const json_t *o)
{
    if (o == NULL) {
        worker_free(map_remove(&m->workers, key));
        return;
    }
    bool fits = number_of(o, "format") == MEMBERS_FORMAT && key.len <= NAME_MAX_BYTES;
    void **at = fits ? map_put(&m->workers, key) : NULL;
    if (at == NULL) {
        LOG_WARN("a worker is passed over",
                 LOG_SLICE("worker", slice_of(key.ptr, MIN(key.len, KEY_BYTES))));
        return;
    }
    struct worker *w = *at != NULL ? *at : MEM_NEW(struct worker);
    struct worker had = *w;
    m->dirty |= *at == NULL || !is_same(w->boot, text_of(o, "boot"));
    if (!is_same(w->boot, text_of(o, "boot")) || w->beat != number_of(o, "beat")) {
        w->seen = now_ns(m);
    }
    mem_free(w->name);
    mem_free(w->boot);
    mem_free(w->level);
    w->name = mem_dup(key.ptr, key.len);
    w->boot = copy(text_of(o, "boot"));
    w->level = copy(text_of(o, "level"));
    w->n_slots = (uint32_t)MAX(0, MIN(number_of(o, "slots"), SLOTS_MAX));
    w->beat = number_of(o, "beat");
    w->patience = MAX(0, MIN(number_of(o, "patience_ns"), PATIENCE_NS));
    w->leaves = json_is_true(json_object_get(o, "leaves"));
    if (w->leaves) {
        mem_free(w->left);
        w->left = copy(w->boot);
    }
    read_held(w, json_object_get(o, "held"));
    m->dirty |= had.leaves != w->leaves || !is_held_same(had.held, w->held);
    *at = w;
}

/* Whose worker has died is remembered until somebody else has it. */
static void take_died(struct members *m, const struct seat *s)
{
    size_t i;
    const json_t *name;
    json_array_foreach(s->revoked ? s->died : s->tasks, i, name)
    {
        struct slice task = slice_str(json_string_value(name));
        void **at = s->revoked ? map_put(&m->died, task) : NULL;
        if (at != NULL) {
            *at = m;
        } else if (!s->revoked) {
            (void)map_remove(&m->died, task);
        }
    }
}

static void take_seat(struct members *m, struct slice key, const json_t *o, struct slice value)
{
    if (o == NULL) {
        seat_free(map_remove(&m->seats, key));
        return;
    }
    void **at = number_of(o, "format") == MEMBERS_FORMAT ? map_put(&m->seats, key) : NULL;
    if (at == NULL) {
        return;
    }
    seat_free(*at);
    struct seat *s = MEM_NEW(struct seat);
    *s = (struct seat){.key = mem_dup(key.ptr, key.len),
                       .worker = copy(text_of(o, "worker")),
                       .boot = copy(text_of(o, "boot")),
                       .number = (uint32_t)number_of(o, "slot"),
                       .incarnation = number_of(o, "incarnation"),
                       .epoch = number_of(o, "epoch"),
                       .revoked = json_is_true(json_object_get(o, "revoked")),
                       .tasks = json_incref(json_object_get(o, "tasks")),
                       .died = json_incref(json_object_get(o, "died")),
                       .value = mem_dup(value.ptr, value.len)};
    m->last = MAX(m->last, MAX(s->incarnation, s->epoch));
    take_died(m, s);
    *at = s;
}

void members_take(struct members *m, enum store_topic topic, struct slice key, struct slice value)
{
    json_t *o = value.ptr != NULL ? json_loadb(value.ptr, value.len, 0, NULL) : NULL;
    if (value.ptr != NULL && !json_is_object(o)) {
        LOG_WARN("a record of workers is passed over", LOG_SLICE("key", key));
    } else if (topic == STORE_MEMBERS) {
        take_worker(m, key, o);
    } else {
        take_seat(m, key, o, value);
        m->dirty = true;
    }
    json_decref(o);
}

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
    c->m->dirty |= err != NULL;
    c->m->under_way--;
    mem_free(c->value);
    mem_free(c);
}

static void submit(struct members *m, enum store_topic topic, const char *key, json_t *take_value)
{
    static const struct store_change how = {decide, done};
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
                         int64_t epoch, bool revoked, json_t *tasks, json_t *died)
{
    return json_pack("{s:i s:s s:s s:i s:I s:I s:b s:O s:O*}", "format", MEMBERS_FORMAT, "worker",
                     worker, "boot", boot, "slot", (int)number, "incarnation",
                     (json_int_t)incarnation, "epoch", (json_int_t)epoch, "revoked", revoked,
                     "tasks", tasks, "died", json_array_size(died) > 0 ? died : NULL);
}

/* ---- the dead ---- */

static bool is_alive(const struct members *m, const struct worker *w)
{
    return w != NULL && !w->leaves && now_ns(m) - w->seen < SILENT_NS + w->patience;
}

static bool has_worker(const struct members *m, const struct seat *s)
{
    const struct worker *w = map_get(&m->workers, slice_str(s->worker));
    bool lost = w != NULL && s->number < SLOTS_MAX && w->held[s->number].lost &&
                w->held[s->number].incarnation == s->incarnation;
    return is_alive(m, w) && is_same(w->boot, s->boot) && s->number < w->n_slots && !lost;
}

/* The process is gone, and nobody has said that it would go. */
static bool has_died(const struct members *m, const struct seat *s)
{
    const struct worker *w = map_get(&m->workers, slice_str(s->worker));
    bool left = w != NULL && is_same(w->left, s->boot);
    return !left && (w == NULL || !is_same(w->boot, s->boot) || !is_alive(m, w));
}

static void revoke(struct members *m, const struct seat *s)
{
    LOG_WARN("a slot is taken from its worker", LOG_STR("slot", s->key),
             LOG_INT("incarnation", s->incarnation), LOG_INT("tasks", json_array_size(s->tasks)));
    submit(m, STORE_ASSIGN, s->key,
           record_of(s->worker, s->boot, s->number, s->incarnation, new_number(m), true, s->tasks,
                     has_died(m, s) ? s->tasks : NULL));
}

static void fence(struct members *m, struct seat *s)
{
    char name[KEY_BYTES];
    struct err err;
    (void)snprintf(name, sizeof name, "%s.%u.%" PRId64, s->worker, s->number, s->incarnation);
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

/* True: somebody is on his way out. */
static bool end_seats(struct members *m)
{
    bool any = false;
    uint32_t alive = 0;
    MAP_EACH (&m->workers, e) {
        alive += is_alive(m, e->value);
    }
    m->dirty |= alive != m->count.workers;
    MAP_EACH (&m->seats, e) {
        struct seat *s = e->value;
        any |= s->revoked;
        if (!s->revoked && !has_worker(m, s)) {
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
        if (!any && !is_alive(m, w) && now_ns(m) - w->seen > FORGET_NS) {
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
        m->count.workers += alive;
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
    json_t *tasks = json_array(), *died = json_array();
    for (size_t i = 0; i < w->tasks.len; i++) {
        const struct assign_task *t = &w->tasks.ptr[i];
        bool fresh = t->previous == ASSIGN_NONE;
        if (w->to[i] == slot && (t->previous == slot || (fresh && settled))) {
            json_array_append_new(tasks, json_stringn(t->name.ptr, t->name.len));
            if (is_of_dead(m, s, t->name)) {
                json_array_append_new(died, json_stringn(t->name.ptr, t->name.len));
            }
            m->count.tasks++;
        }
    }
    bool same = s != NULL ? is_equal(tasks, s->tasks) : json_array_size(tasks) == 0;
    if (!same) {
        int64_t epoch = new_number(m);
        char key[KEY_BYTES];
        (void)snprintf(key, sizeof key, "%s/%u", one->name, number);
        LOG_INFO("a slot's tasks", LOG_STR("slot", key), LOG_INT("tasks", json_array_size(tasks)));
        submit(m, STORE_ASSIGN, key,
               record_of(one->name, one->boot, number, s != NULL ? s->incarnation : epoch, epoch,
                         false, tasks, died));
    }
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
    int64_t now = now_ns(m), stall = now - m->stepped;
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
        m->under_way > 0) {
        return;
    }
    if (!end_seats(m) && m->under_way == 0 && m->dirty) {
        m->dirty = false;
        give(m);
    }
}

struct members_count members_count(const struct members *m)
{
    return m->count;
}
