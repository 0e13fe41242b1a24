/* SPDX-License-Identifier: Apache-2.0
 *
 * See worker.h. Everything of the slot belongs to the thread; what others may look at is copied
 * under a lock, a few times a second.
 */
#include "operators/shard/worker.h"

#include "core/base/mem.h"
#include "core/base/vec.h"
#include "operators/shard/task_gap.h"

#include <assert.h>
#include <pthread.h>
#include <stdio.h>

enum { EVENTS = 64, NAME_MAX_BYTES = 200, MADE_UP_MAX = 3, ARENA_MAX = 256 << 20 };
enum { BESIDE_BYTES = 2 << 20 }; /* made in a few milliseconds */

#define WAIT_NS    (50 * CLOCK_NS_PER_MS)
#define COPY_NS    (200 * CLOCK_NS_PER_MS)
#define RESTART_NS CLOCK_NS_PER_S
#define GIVE_UP_NS (3 * CLOCK_NS_PER_S)
#define ASK_NS     (200 * CLOCK_NS_PER_MS)
#define AMID_NS    (5 * CLOCK_NS_PER_S)

struct mine { /* a task of the thread */
    struct worker_want is;
    uint32_t at; /* in the slot it was there last */
    bool in_slot, wanted, leaving;
    bool over, failed;              /* of a graph that is deleted: it has ended; it could not */
    bool makes_up;                  /* of rules that are over: it only ends */
    uint64_t awaits;                /* of its successor: slot_task_awaits */
    uint32_t made_up;               /* times */
    int64_t not_before, unreleased; /* unreleased: waits since then for whoever had it; 0 */
    uint32_t restarts;
    char why[sizeof((struct worker_task *)NULL)->why]; /* it was lost, and is not live since */
};

struct worker {
    struct bus *bus;
    struct worker_conf conf;
    char name[NAME_MAX_BYTES], lease_topic[NAME_MAX_BYTES], lease_key[NAME_MAX_BYTES];
    struct bus_client *client;
    struct slot *slot;
    VEC(struct mine) mine;
    uint64_t followed; /* of `orders` */
    pthread_t thread;
    atomic_bool stop;
    atomic_bool hurries; /* somebody waits for the end */
    int64_t hurried;     /* since then; 0: nobody */

    pthread_mutex_t lock;
    VEC(struct worker_want) wants;
    uint64_t orders; /* calls of worker_run */
    struct worker_look look;
    VEC(struct worker_task) copies;

    VEC(struct worker_task) shown; /* of who looks */
};

/* ---- laid ---- */

static void past_free(struct laid_past *p);

struct laid *laid_new(const struct layout *layout, struct arena *take_arena, int64_t version)
{
    struct laid *l = MEM_NEW(struct laid);
    l->layout = layout;
    l->arena = take_arena;
    l->version = version;
    atomic_init(&l->refs, 1);
    l->ends = mem_calloc(layout->n_tasks + 1, sizeof *l->ends);
    for (uint32_t i = 0; i < layout->n_tasks; i++) {
        atomic_init(&l->ends[i], SLOT_LEAVE_SAVED);
    }
    return l;
}

struct laid *laid_ref(struct laid *l)
{
    atomic_fetch_add(&l->refs, 1);
    return l;
}

/* Laid out by the first that needs one, on his thread: that is hardly ever. */
struct laid_past {
    pthread_mutex_t lock;
    struct layout_conf conf;
    uint32_t n;
    struct {
        char *text;
        size_t len;
        struct laid *laid;
        bool tried;
    } v[];
};

void laid_after(struct laid *l, const struct slice *documents, uint32_t n,
                const struct layout_conf *conf)
{
    assert(l->past == NULL);
    if (n == 0) {
        return;
    }
    l->past = mem_zalloc(sizeof *l->past + n * sizeof l->past->v[0]);
    l->past->conf = *conf;
    l->past->n = n;
    pthread_mutex_init(&l->past->lock, NULL);
    for (uint32_t i = 0; i < n; i++) {
        l->past->v[i].text = mem_dup(documents[i].ptr, documents[i].len);
        l->past->v[i].len = documents[i].len;
    }
}

static void past_free(struct laid_past *p)
{
    if (p != NULL) {
        for (uint32_t i = 0; i < p->n; i++) {
            mem_free(p->v[i].text);
            laid_unref(p->v[i].laid);
        }
        pthread_mutex_destroy(&p->lock);
        mem_free(p);
    }
}

static void lay_out(struct laid_past *p, uint32_t i)
{
    struct err err;
    struct layout *l = NULL;
    struct arena *a = arena_new(NULL, "graph", ARENA_MAX);
    p->v[i].tried = true;
    if (layout_make(a, slice_of(p->v[i].text, p->v[i].len), &p->conf, &l, &err) == 0) {
        p->v[i].laid = laid_new(l, a, 0);
    } else {
        arena_free(a);
    }
}

/* The task of that lineage by those rules; false: nobody knows them any more. */
static bool task_of_past(struct laid_past *p, uint64_t plan, uint64_t lineage,
                         struct worker_want *ret)
{
    bool found = false;
    if (p == NULL) {
        return false;
    }
    pthread_mutex_lock(&p->lock);
    for (uint32_t i = 0; !found && i < p->n; i++) {
        if (!p->v[i].tried) {
            lay_out(p, i);
        }
        const struct layout *l = p->v[i].laid != NULL ? p->v[i].laid->layout : NULL;
        for (uint32_t g = 0; l != NULL && !found && g < l->n_groups; g++) {
            for (uint32_t k = 0; !found && k < l->groups[g].parts; k++) {
                const struct task_plan *t = l->groups[g].tasks[k].plan;
                found = t->hash == plan && t->lineage == lineage;
                *ret = (struct worker_want){.laid = p->v[i].laid, .group = g, .part = k};
            }
        }
    }
    pthread_mutex_unlock(&p->lock);
    return found;
}

void laid_unref(struct laid *l)
{
    if (l != NULL && atomic_fetch_sub(&l->refs, 1) == 1) {
        past_free(l->past);
        arena_free(l->arena);
        mem_free(l->ends);
        mem_free(l);
    }
}

static const struct slot_task *task_of(const struct worker_want *w)
{
    assert(w->group < w->laid->layout->n_groups);
    return &w->laid->layout->groups[w->group].tasks[w->part];
}

static uint64_t lineage_of(const struct worker_want *w)
{
    return task_of(w)->plan->lineage;
}

static bool has_lineage(const struct layout *l, uint64_t lineage)
{
    for (uint32_t i = 0; l != NULL && i < l->n_groups; i++) {
        for (uint32_t k = 0; k < l->groups[i].parts; k++) {
            if (l->groups[i].tasks[k].plan->lineage == lineage) {
                return true;
            }
        }
    }
    return false;
}

void laid_ends(struct laid *l, const struct layout *by)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < l->layout->n_groups; i++) {
        for (uint32_t k = 0; k < l->layout->groups[i].parts; k++) {
            bool goes_on = has_lineage(by, l->layout->groups[i].tasks[k].plan->lineage);
            atomic_store(&l->ends[n++], goes_on ? SLOT_LEAVE_FINAL : SLOT_LEAVE_DELETED);
        }
    }
}

static enum slot_leave end_of(const struct worker_want *w)
{
    uint32_t n = w->part;
    for (uint32_t i = 0; i < w->group; i++) {
        n += w->laid->layout->groups[i].parts;
    }
    return (enum slot_leave)atomic_load(&w->laid->ends[n]);
}

/* Where the slot has it; UINT32_MAX: it has not. */
static uint32_t place_of(const struct worker *w, struct mine *m)
{
    bool there = w->slot != NULL && m->in_slot;
    uint32_t at = there ? slot_find_near(w->slot, lineage_of(&m->is), m->at) : UINT32_MAX;
    m->at = at != UINT32_MAX ? at : m->at;
    return at;
}

/* ---- looking ---- */

static int64_t now_of(const struct worker *w)
{
    return clock_mono(bus_clock(w->client));
}

static void copy_rules(struct worker_task *to, struct task *t)
{
    struct eng_cost costs[WORKER_RULES];
    const struct eng *e = task_eng(t);
    to->n_rules = (uint32_t)eng_costs(e, costs, WORKER_RULES);
    for (uint32_t i = 0; i < to->n_rules; i++) {
        struct worker_rule *r = &to->rules[i];
        (void)snprintf(r->name, sizeof r->name, SLICE_FMT, SLICE_ARG(costs[i].name));
        r->events = costs[i].events;
        r->ns = costs[i].ns;
    }
    to->rows = eng_held(e, LIM_ROWS);
    to->partials = eng_held(e, LIM_PARTIALS);
    to->held = eng_held(e, LIM_STATE);
}

static void copy_lacks(struct worker_task *to, const struct task *t)
{
    struct eng_back v[WORKER_LACKS];
    to->n_lacks = (uint32_t)task_lacks(t, v, WORKER_LACKS);
    for (uint32_t i = 0; i < MIN(to->n_lacks, (uint32_t)WORKER_LACKS); i++) {
        struct worker_lack *l = &to->lacks[i];
        char number[16];
        (void)snprintf(number, sizeof number, "#%u", v[i].number);
        struct slice name = v[i].name.len > 0 ? v[i].name : slice_str(number);
        (void)snprintf(l->name, sizeof l->name, SLICE_FMT "/" SLICE_FMT, SLICE_ARG(v[i].module),
                       SLICE_ARG(name));
        l->ms = v[i].ms;
    }
}

/* An input without end, perhaps: its task falls behind, the others do not. */
static void tell_amid(struct worker_task *to)
{
    size_t at = strlen(to->trouble);
    if (to->lag.amid_ns >= AMID_NS) {
        (void)snprintf(to->trouble + at, sizeof to->trouble - at,
                       "%sone input takes longer than %d s", at > 0 ? "; " : "",
                       (int)(AMID_NS / CLOCK_NS_PER_S));
    }
}

static void copy_task(struct worker *w, struct mine *m)
{
    struct worker_task *to = VEC_PUSH(&w->copies);
    uint32_t i = place_of(w, m);
    *to = (struct worker_task){.laid = laid_ref(m->is.laid),
                               .group = m->is.group,
                               .part = m->is.part,
                               .leaving = m->leaving && m->why[0] == '\0', /* it stays */
                               .over = m->over,
                               .clock = MERGE_NO_CLOCK,
                               .unreleased_ns = m->unreleased > 0 ? now_of(w) - m->unreleased : 0,
                               .restarts = m->restarts};
    struct task *t = i != UINT32_MAX ? slot_task(w->slot, i) : NULL;
    if (i != UINT32_MAX) {
        to->state = slot_task_state(w->slot, i);
    }
    if (t != NULL) {
        to->counts = task_counts(t);
        to->clock = merge_clock(task_merge(t));
        to->span = task_span(t);
        to->seq = task_seq(t);
        task_trouble(t, to->trouble, sizeof to->trouble);
        to->lag = slot_lag(w->slot, i);
        to->floor = slot_floor(w->slot, i);
        tell_amid(to);
        copy_rules(to, t);
        copy_lacks(to, t);
        (void)snprintf(to->why, sizeof to->why, "%.159s", slot_task_why(w->slot, i));
    }
    if (m->why[0] != '\0') { /* the last time; out of the slot it waits for the next one */
        to->state = m->in_slot ? to->state : SLOT_LOST;
        memcpy(to->why, m->why, sizeof to->why);
    }
}

static void copy(struct worker *w, const char *why)
{
    pthread_mutex_lock(&w->lock);
    bool leaving = false;
    w->look.state = w->slot != NULL ? slot_state(w->slot) : SLOT_OPENING;
    (void)snprintf(w->look.why, sizeof w->look.why, "%.159s", why);
    VEC_EACH (&w->copies, c) {
        laid_unref(c->laid);
    }
    VEC_CLEAR(&w->copies);
    VEC_EACH (&w->mine, m) {
        copy_task(w, m);
        leaving |= m->leaving;
    }
    w->look.applied = leaving ? w->look.applied : w->followed;
    if (w->slot != NULL) {
        w->look.counts = slot_counts(w->slot);
    }
    pthread_mutex_unlock(&w->lock);
}

/* Waits out `ns`, or until it shall stop. */
static void rest(struct worker *w, int64_t ns)
{
    struct bus_ev ev[EVENTS];
    for (int64_t until = now_of(w) + ns; now_of(w) < until && !atomic_load(&w->stop);) {
        bus_wait(w->client, WAIT_NS);
        (void)bus_poll(w->client, ev, EVENTS);
    }
}

/* ---- which tasks ---- */

static struct mine *mine_of(struct worker *w, uint64_t lineage, const struct laid *laid)
{
    VEC_EACH (&w->mine, m) {
        if (lineage_of(&m->is) == lineage && (laid == NULL || m->is.laid == laid)) {
            return m;
        }
    }
    return NULL;
}

/* What it was told last becomes the list; true: there was something new. */
static bool take_orders(struct worker *w)
{
    pthread_mutex_lock(&w->lock);
    bool fresh = w->orders != w->followed;
    if (fresh) {
        w->followed = w->orders;
        VEC_EACH (&w->mine, m) {
            m->wanted = false;
        }
        VEC_EACH (&w->wants, want) {
            struct mine *m = mine_of(w, lineage_of(want), want->laid);
            if (m == NULL) {
                m = VEC_PUSH(&w->mine);
                *m = (struct mine){.is = *want};
                laid_ref(want->laid);
            }
            m->wanted = true;
            m->is.moved &= want->moved; /* whoever had it was fenced */
        }
    }
    pthread_mutex_unlock(&w->lock);
    return fresh;
}

static bool has_place(struct worker *w, const struct mine *m)
{
    VEC_EACH (&w->mine, other) {
        if (other != m && (other->in_slot || other->makes_up) &&
            lineage_of(&other->is) == lineage_of(&m->is)) {
            return false;
        }
    }
    return true;
}

/* Rules that died before their last record run again, to end: what comes after them waits. */
static void make_up(struct worker *w)
{
    for (size_t i = 0, n = w->mine.len; i < n; i++) {
        struct mine *m = &w->mine.ptr[i];
        struct worker_want was;
        if (m->wanted && !m->in_slot && m->awaits != 0 && m->made_up < MADE_UP_MAX &&
            task_of_past(m->is.laid->past, m->awaits, lineage_of(&m->is), &was)) {
            m->awaits = 0;
            m->made_up++;
            laid_ref(was.laid);
            *VEC_PUSH(&w->mine) = (struct mine){.is = was, .wanted = true, .makes_up = true};
        }
    }
}

static void add(struct worker *w, struct mine *m)
{
    struct slot_task t = *task_of(&m->is);
    const struct layout *d = m->is.laid->layout;
    t.from_start = w->conf.from_start;
    t.idle_ns = w->conf.idle_ns > 0 ? w->conf.idle_ns : d->idle_after;
    t.archive_ns = d->archive_every;
    t.after_death = m->is.after_death;
    t.ends = m->is.laid->deleted;
    t.moved = m->is.moved;
    t.after_death &= !t.ends;
    t.asks = m->is.laid->past != NULL && m->awaits == 0 && !t.ends;
    t.tried = m->made_up > 0;
    m->is.after_death = m->failed = false;
    slot_add(w->slot, &t);
    m->in_slot = true;
    if (m->makes_up || t.ends) {
        m->wanted &= !m->makes_up;
        m->leaving = true;
        slot_remove(w->slot, lineage_of(&m->is), t.ends ? SLOT_LEAVE_DELETED : SLOT_LEAVE_FINAL);
    }
}

static void leave(struct worker *w, struct mine *m, uint32_t at, bool lost)
{
    m->leaving = true;
    m->awaits = lost ? slot_task_awaits(w->slot, at) : 0;
    m->is.moved &= m->awaits == 0; /* it was let go, else that would be waited for */
    bool again = lost && m->awaits == 0, waits = lost && slot_task_is_unreleased(w->slot, at);
    m->restarts += again && !waits;
    m->not_before = again ? now_of(w) + (waits ? ASK_NS : RESTART_NS) : 0;
    m->unreleased = waits && m->unreleased == 0 ? now_of(w) : m->unreleased;
    if (again && !waits) {
        (void)snprintf(m->why, sizeof m->why, "%.159s", slot_task_why(w->slot, at));
    }
    slot_remove(w->slot, lineage_of(&m->is), lost ? SLOT_LEAVE : end_of(&m->is));
}

/* A task of a graph that is deleted: it is over when its last record is there; else it is tried
 * again. */
static void ends(struct worker *w, struct mine *m, uint32_t at, bool lost)
{
    if (at == UINT32_MAX) {
        m->over = !m->failed;
        m->unreleased = m->over ? 0 : m->unreleased;
        m->not_before = m->failed ? now_of(w) + RESTART_NS : 0;
        m->restarts += m->failed;
    } else if (lost) {
        bool waits = slot_task_is_unreleased(w->slot, at);
        m->failed = !slot_task_is_gone(w->slot, at);
        m->unreleased = waits && m->unreleased == 0 ? now_of(w) : m->unreleased;
    }
}

/* A task that is live was let go by whoever had it. */
static void has_begun(const struct worker *w, struct mine *m, uint32_t at)
{
    if (at != UINT32_MAX && slot_task_state(w->slot, at) == SLOT_LIVE) {
        m->is.moved = false;
        m->unreleased = 0;
        m->why[0] = '\0';
    }
}

/* The slot has the tasks that it should have, or is on its way there. */
static void settle(struct worker *w)
{
    for (size_t i = w->mine.len; i > 0; i--) {
        struct mine *m = &w->mine.ptr[i - 1];
        uint32_t at = place_of(w, m);
        bool lost = at != UINT32_MAX && slot_task_state(w->slot, at) == SLOT_LOST;
        has_begun(w, m, at);
        if (m->leaving && m->is.laid->deleted) {
            ends(w, m, at, lost);
        }
        if (m->leaving && at == UINT32_MAX) {
            m->in_slot = m->leaving = false;
        }
        if (m->in_slot && !m->leaving && (!m->wanted || lost)) {
            leave(w, m, at, lost);
        }
        if (!m->in_slot && !m->wanted) {
            laid_unref(m->is.laid);
            VEC_REMOVE(&w->mine, i - 1);
        }
    }
    make_up(w);
    VEC_EACH (&w->mine, m) {
        bool due = m->wanted && !m->in_slot && !m->over && now_of(w) >= m->not_before;
        if (due && has_place(w, m)) {
            add(w, m);
        }
    }
}

/* ---- the thread ---- */

static bool has_to_settle(const struct worker *w)
{
    VEC_EACH (&w->mine, m) {
        if (m->leaving || (!m->in_slot && !m->over)) {
            return true;
        }
    }
    return false;
}

/* Somebody waits for the end and it cannot finish: the bus takes nothing, since its disk is full,
 * say. What has not been committed is done again by who has the tasks next, as after a kill. */
static bool has_to_give_up(struct worker *w)
{
    if (atomic_load(&w->hurries) && w->hurried == 0) {
        w->hurried = now_of(w);
    }
    return w->hurried != 0 && now_of(w) - w->hurried >= GIVE_UP_NS;
}

/* Until it is lost, or has stopped. */
static void run_slot(struct worker *w)
{
    struct bus_ev ev[EVENTS];
    int64_t copied = 0;
    bool more = true, draining = false;
    while (slot_state(w->slot) != SLOT_LOST &&
           !(draining && (slot_is_drained(w->slot) || has_to_give_up(w)))) {
        bus_wait(w->client, more ? 0 : WAIT_NS);
        for (int n = bus_poll(w->client, ev, EVENTS), i = 0; i < n; i++) {
            slot_on_event(w->slot, &ev[i]);
        }
        bool orders = take_orders(w);
        if (!draining && (orders || has_to_settle(w) || now_of(w) - copied >= COPY_NS)) {
            settle(w);
        }
        more = slot_step(w->slot);
        bus_hold(w->client, slot_has_enough(w->slot));
        if (atomic_load(&w->stop) && !draining) {
            draining = true;
            slot_drain(w->slot);
        }
        if (orders || now_of(w) - copied >= COPY_NS) {
            copied = now_of(w);
            copy(w, slot_why(w->slot));
        }
    }
    copy(w, slot_why(w->slot));
}

static void *run(void *arg)
{
    struct worker *w = arg;
    const struct slot_lease lease = {slice_str(w->lease_topic), slice_str(w->lease_key),
                                     w->conf.holds, w->conf.arg};
    const struct slot_conf conf = {.lease = w->conf.lease_topic != NULL ? &lease : NULL,
                                   .name = slice_str(w->name),
                                   .commit_ns = w->conf.commit_ns,
                                   .align_ns = 2 * w->conf.commit_ns,
                                   .snapshot_ns = w->conf.snapshot_ns,
                                   .slice_bytes = w->conf.slice_bytes,
                                   .beside_bytes = BESIDE_BYTES,
                                   .plain = w->conf.plain,
                                   .trial = w->conf.trial};
    bool fenced = false; /* then it is for who started it to say whether it shall begin again */
    while (!atomic_load(&w->stop) && !fenced) {
        struct err err;
        w->client = bus_client_new(w->bus, w->name);
        if (slot_new(w->client, &conf, NULL, 0, &w->slot, &err) != 0) {
            w->slot = NULL;
            copy(w, err.msg);
            rest(w, RESTART_NS);
        } else {
            run_slot(w);
            fenced = slot_is_fenced(w->slot);
            slot_free(w->slot);
            w->slot = NULL;
            VEC_EACH (&w->mine, m) {
                m->in_slot = m->leaving = m->failed = false;
            }
            rest(w, fenced ? 0 : RESTART_NS);
        }
        bus_client_free(w->client);
        pthread_mutex_lock(&w->lock);
        w->look.restarts++;
        pthread_mutex_unlock(&w->lock);
    }
    pthread_mutex_lock(&w->lock);
    w->look.ended = true;
    pthread_mutex_unlock(&w->lock);
    return NULL;
}

/* ---- from outside ---- */

struct worker *worker_new(struct bus *bus, const struct worker_conf *conf)
{
    struct worker *w = MEM_NEW(struct worker);
    w->bus = bus;
    w->conf = *conf;
    (void)snprintf(w->name, sizeof w->name, "%s", conf->name);
    if (conf->lease_topic != NULL) {
        (void)snprintf(w->lease_topic, sizeof w->lease_topic, "%s", conf->lease_topic);
        (void)snprintf(w->lease_key, sizeof w->lease_key, "%s", conf->lease_key);
    }
    pthread_mutex_init(&w->lock, NULL);
    int rc = pthread_create(&w->thread, NULL, run, w);
    assert(rc == 0);
    (void)rc;
    return w;
}

uint64_t worker_run(struct worker *w, const struct worker_want *tasks, uint32_t n)
{
    pthread_mutex_lock(&w->lock);
    for (uint32_t i = 0; i < n; i++) {
        laid_ref(tasks[i].laid);
    }
    VEC_EACH (&w->wants, old) {
        laid_unref(old->laid);
    }
    VEC_CLEAR(&w->wants);
    for (uint32_t i = 0; i < n; i++) {
        *VEC_PUSH(&w->wants) = tasks[i];
    }
    uint64_t number = ++w->orders;
    pthread_mutex_unlock(&w->lock);
    return number;
}

void worker_run_layout(struct worker *w, struct laid *laid)
{
    VEC(struct worker_want) all = {0};
    for (uint32_t g = 0; g < laid->layout->n_groups; g++) {
        for (uint32_t i = 0; i < laid->layout->groups[g].parts; i++) {
            *VEC_PUSH(&all) = (struct worker_want){.laid = laid, .group = g, .part = i};
        }
    }
    (void)worker_run(w, all.ptr, (uint32_t)all.len);
    VEC_DONE(&all);
}

void worker_stop(struct worker *w)
{
    atomic_store(&w->stop, true);
}

void worker_free(struct worker *w)
{
    if (w == NULL) {
        return;
    }
    worker_stop(w);
    atomic_store(&w->hurries, true);
    pthread_join(w->thread, NULL);
    pthread_mutex_destroy(&w->lock);
    VEC_EACH (&w->mine, m) {
        laid_unref(m->is.laid);
    }
    VEC_EACH (&w->wants, want) {
        laid_unref(want->laid);
    }
    VEC_EACH (&w->copies, c) {
        laid_unref(c->laid);
    }
    VEC_EACH (&w->shown, c) {
        laid_unref(c->laid);
    }
    VEC_DONE(&w->mine);
    VEC_DONE(&w->wants);
    VEC_DONE(&w->copies);
    VEC_DONE(&w->shown);
    mem_free(w);
}

struct worker_look worker_look(struct worker *w)
{
    pthread_mutex_lock(&w->lock);
    struct worker_look look = w->look;
    pthread_mutex_unlock(&w->lock);
    return look;
}

bool worker_is_live(struct worker *w)
{
    pthread_mutex_lock(&w->lock);
    bool live = w->orders > 0 && w->look.applied == w->orders;
    VEC_EACH (&w->copies, c) {
        live &= c->state == SLOT_LIVE;
    }
    pthread_mutex_unlock(&w->lock);
    return live;
}

const struct worker_task *worker_tasks(struct worker *w, uint32_t *ret_n)
{
    VEC_EACH (&w->shown, old) {
        laid_unref(old->laid);
    }
    VEC_CLEAR(&w->shown);
    pthread_mutex_lock(&w->lock);
    VEC_EACH (&w->copies, c) {
        laid_ref(c->laid);
        *VEC_PUSH(&w->shown) = *c;
    }
    pthread_mutex_unlock(&w->lock);
    *ret_n = (uint32_t)w->shown.len;
    return w->shown.ptr;
}
