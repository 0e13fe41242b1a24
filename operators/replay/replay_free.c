/* SPDX-License-Identifier: Apache-2.0
 *
 * See replay_free.h. A thread runs one slot with every n-th task. A slot that is lost begins again
 * from its journal; rules that cannot be deployed, and a bus that stays away, end the run.
 */
#include "operators/replay/replay_free.h"

#include "core/base/mem.h"
#include "core/base/vec.h"

#include <assert.h>
#include <pthread.h>
#include <stdio.h>

enum { EVENTS = 64, JOURNAL_PARTS = 4, TOPICS_TAG = 1 << 30, RESTARTS_MAX = 5, THREADS_MAX = 64 };

#define WAIT_NS (2 * CLOCK_NS_PER_MS)

/* ---- names ---- */

static struct slice prefixed(struct arena *a, struct slice prefix, struct slice name)
{
    return slice_str(arena_printf(a, SLICE_FMT SLICE_FMT, SLICE_ARG(prefix), SLICE_ARG(name)));
}

static void add_topic(struct replay_plan *p, struct slice name, uint32_t parts)
{
    for (uint32_t i = 0; i < p->n_topics; i++) {
        if (slice_eq(p->topics[i].name, name)) {
            return;
        }
    }
    p->topics[p->n_topics++] = (struct layout_topic){name, parts};
}

static void add_output(struct replay_plan *p, struct slice name)
{
    for (uint32_t i = 0; i < p->n_outputs; i++) {
        if (slice_eq(p->outputs[i], name)) {
            return;
        }
    }
    p->outputs[p->n_outputs++] = name;
}

/* All tasks of a group share what they read and write. */
static void rename_group(struct arena *a, const struct layout_group *g, struct replay_plan *p)
{
    const struct slot_task *first = &g->tasks[0];
    const struct task_plan *plan = first->plan;
    uint32_t n_topics = 0;
    for (uint32_t i = 0; i < plan->n_subs; i++) {
        n_topics = MAX(n_topics, plan->subs[i].topic + 1);
    }
    struct slice *topics = arena_array(a, n_topics + 1, sizeof *topics);
    for (uint32_t i = 0; i < n_topics; i++) {
        topics[i] = first->aligned[i] ? prefixed(a, p->prefix, first->topics[i]) : first->topics[i];
    }
    struct emit_to *to = arena_array(a, plan->n_to + 1, sizeof *to);
    for (uint32_t i = 0; i < plan->n_to; i++) {
        to[i] = plan->to[i];
        to[i].topic = prefixed(a, p->prefix, plan->to[i].topic);
        add_topic(p, to[i].topic, to[i].parts);
        if (!to[i].marked) {
            add_output(p, to[i].topic);
        }
    }
    for (uint32_t i = 0; i < g->parts; i++) {
        struct task_plan *mine = ARENA_NEW(a, struct task_plan);
        *mine = *g->tasks[i].plan;
        mine->to = to;
        p->tasks[p->n_tasks] = g->tasks[i];
        p->tasks[p->n_tasks].plan = mine;
        p->tasks[p->n_tasks++].topics = topics;
    }
}

struct replay_plan *replay_plan_make(struct arena *a, const struct layout *l, struct slice prefix)
{
    struct replay_plan *p = ARENA_NEW(a, struct replay_plan);
    uint32_t most = 2;
    for (uint32_t i = 0; i < l->n_groups; i++) {
        most += l->groups[i].tasks[0].plan->n_to;
    }
    p->prefix = prefix;
    p->tasks = arena_array(a, l->n_tasks + 1, sizeof *p->tasks);
    p->topics = arena_array(a, most, sizeof *p->topics);
    p->outputs = arena_array(a, most, sizeof *p->outputs);
    p->journal_parts = JOURNAL_PARTS;
    for (uint32_t i = 0; i < l->n_groups; i++) {
        rename_group(a, &l->groups[i], p);
    }
    add_topic(p, prefixed(a, prefix, SLICE("journal")), JOURNAL_PARTS);
    add_topic(p, prefixed(a, prefix, SLICE("state")), JOURNAL_PARTS);
    assert(p->n_tasks == l->n_tasks && p->n_topics <= most);
    return p;
}

uint32_t replay_inputs(const struct replay_plan *p, struct slice *ret, uint32_t max)
{
    uint32_t n = 0;
    for (uint32_t t = 0; t < p->n_tasks; t++) {
        const struct slot_task *task = &p->tasks[t];
        for (uint32_t i = 0; i < task->plan->n_subs; i++) {
            uint32_t topic = task->plan->subs[i].topic;
            bool have = task->aligned[topic];
            for (uint32_t k = 0; k < n && !have; k++) {
                have = slice_eq(ret[k], task->topics[topic]);
            }
            if (!have && n < max) {
                ret[n++] = task->topics[topic];
            }
        }
    }
    return n;
}

/* ---- a thread ---- */

struct lane { /* a thread with its slot */
    const struct replay_free *f;
    struct slot_task *tasks;
    uint32_t n_tasks, number;
    struct bus_client *work, *source;
    struct slot *slot;
    pthread_t thread;
    atomic_bool *failed; /* of any */
    struct replay_counts counts;
    struct err err;
};

static void part_of(void *arg, struct slice topic, uint32_t part, int64_t *ret_from,
                    int64_t *ret_end)
{
    const struct replay_free *f = arg;
    for (uint32_t i = 0; i < f->n_parts; i++) {
        if (f->parts[i].part == part && slice_eq(f->parts[i].topic, topic)) {
            *ret_from = f->parts[i].from;
            *ret_end = f->parts[i].end;
            return;
        }
    }
    *ret_end = *ret_from; /* it is none of the range */
}

static bool poll(struct lane *l, struct bus_client *c)
{
    struct bus_ev ev[EVENTS];
    int n = c != NULL ? bus_poll(c, ev, EVENTS) : 0;
    for (int i = 0; i < n; i++) {
        slot_on_event(l->slot, &ev[i]);
    }
    return n > 0;
}

static bool is_stopped(const struct lane *l)
{
    return atomic_load(l->failed) || (l->f->stop != NULL && atomic_load(l->f->stop));
}

/* The first rule that could not be deployed ends the run. */
static const struct err *task_err(const struct lane *l)
{
    const struct err *e = NULL;
    for (uint32_t i = 0; i < l->n_tasks && e == NULL; i++) {
        e = task_failed(slot_task(l->slot, i));
    }
    return e;
}

static void add_counts(struct lane *l)
{
    l->counts.commits += slot_counts(l->slot).commits;
    for (uint32_t i = 0; i < l->n_tasks && slot_is_finished(l->slot); i++) {
        struct task_counts c = task_counts(slot_task(l->slot, i));
        l->counts.taken += c.taken;
        l->counts.late += c.late;
        l->counts.put += c.put;
        l->counts.refused += c.refused;
        l->counts.poison += c.poison;
    }
}

/* 0: it has finished. ERR_UNAVAILABLE: the slot was lost, and may begin again. */
static int run_slot(struct lane *l, const struct slot_conf *conf)
{
    int rc = slot_new(l->work, conf, l->tasks, l->n_tasks, &l->slot, &l->err);
    if (rc != 0) {
        return rc;
    }
    while (!is_stopped(l) && slot_state(l->slot) != SLOT_LOST && !slot_is_finished(l->slot)) {
        bool some = poll(l, l->work);
        some |= poll(l, l->source);
        if (!slot_step(l->slot) && !some) {
            bus_wait(l->source != NULL && slot_state(l->slot) == SLOT_LIVE ? l->source : l->work,
                     WAIT_NS);
        }
    }
    const struct err *failed = task_err(l);
    if (failed != NULL) {
        l->err = *failed;
        rc = -(int)failed->code;
    } else if (slot_is_finished(l->slot)) {
        rc = 0;
    } else if (slot_state(l->slot) == SLOT_LOST) {
        rc = err_set(&l->err, ERR_UNAVAILABLE, "%s", slot_why(l->slot));
    } else {
        rc = err_set(&l->err, ERR_CLOSED, "it was stopped");
    }
    add_counts(l);
    slot_free(l->slot);
    return rc;
}

static void *run(void *arg)
{
    struct lane *l = arg;
    const struct replay_free *f = l->f;
    char name[BUS_NAME_MAX];
    bool apart = f->source != f->work;
    int rc = -ERR_UNAVAILABLE;
    (void)snprintf(name, sizeof name, SLICE_FMT "%u", SLICE_ARG(f->plan->prefix), l->number);
    for (int i = 0; i < RESTARTS_MAX && rc == -ERR_UNAVAILABLE && !is_stopped(l); i++) {
        l->work = bus_client_new(f->work, name);
        l->source = apart ? bus_client_new(f->source, name) : NULL;
        const struct slot_range range = {f->to, l->source, part_of, (void *)(uintptr_t)f};
        const struct slot_conf conf = {.name = slice_str(name),
                                       .commit_ns = f->commit_ns,
                                       .takes = f->takes,
                                       .range = &range,
                                       .prefix = f->plan->prefix,
                                       .journal_parts = f->plan->journal_parts};
        rc = run_slot(l, &conf);
        bus_client_free(l->work);
        if (apart) {
            bus_client_free(l->source);
        }
    }
    if (rc != 0) {
        atomic_store(l->failed, true);
    } else {
        err_clear(&l->err);
    }
    return NULL;
}

/* ---- a run ---- */

static int make_topics(const struct replay_free *f, struct err *reterr)
{
    const struct replay_plan *p = f->plan;
    struct bus_client *c = bus_client_new(f->work, "replay");
    struct bus_topic_spec *specs = mem_calloc(p->n_topics + 1, sizeof *specs);
    struct bus_ev ev[EVENTS];
    struct slice state = SLICE("state");
    for (uint32_t i = 0; i < p->n_topics; i++) {
        struct slice name = p->topics[i].name;
        bool compact = slice_eq(slice_sub(name, p->prefix.len, name.len), state);
        specs[i] = (struct bus_topic_spec){name, p->topics[i].parts,
                                           compact ? BUS_COMPACT : BUS_DELETE, -1, -1};
    }
    int rc = bus_ensure(c, specs, p->n_topics, TOPICS_TAG, reterr);
    for (bool ended = rc != 0; !ended;) {
        bus_wait(c, 50 * CLOCK_NS_PER_MS);
        for (int n = bus_poll(c, ev, EVENTS), i = 0; i < n; i++) {
            ended |= ev[i].tag == TOPICS_TAG;
            if (ev[i].kind == BUS_EV_ERROR) {
                *reterr = *ev[i].err;
                rc = -(int)ev[i].err->code;
            }
        }
        ended |= f->stop != NULL && atomic_load(f->stop);
    }
    mem_free(specs);
    bus_client_free(c);
    return rc;
}

static void add(struct replay_counts *to, const struct replay_counts *c)
{
    to->taken += c->taken;
    to->late += c->late;
    to->put += c->put;
    to->refused += c->refused;
    to->poison += c->poison;
    to->commits += c->commits;
}

int replay_free_run(const struct replay_free *f, struct replay_counts *ret, struct err *reterr)
{
    uint32_t n = MIN(MIN(MAX(f->threads, 1), f->plan->n_tasks), THREADS_MAX);
    struct lane lanes[THREADS_MAX] = {0};
    atomic_bool failed = false;
    assert(f->plan->n_tasks > 0 && f->commit_ns > 0);
    int rc = make_topics(f, reterr);
    if (rc != 0) {
        return rc;
    }
    for (uint32_t i = 0; i < n; i++) {
        struct lane *l = &lanes[i];
        *l = (struct lane){.f = f, .number = i, .failed = &failed};
        l->tasks = mem_calloc(f->plan->n_tasks, sizeof *l->tasks);
        for (uint32_t t = i; t < f->plan->n_tasks; t += n) {
            l->tasks[l->n_tasks++] = f->plan->tasks[t];
        }
        int made = pthread_create(&l->thread, NULL, run, l);
        assert(made == 0);
        (void)made;
    }
    struct replay_counts sum = {0};
    for (uint32_t i = 0; i < n; i++) {
        pthread_join(lanes[i].thread, NULL);
        mem_free(lanes[i].tasks);
        add(&sum, &lanes[i].counts);
        bool worse = lanes[i].err.code != 0 && (rc == 0 || rc == -ERR_CLOSED);
        if (worse) { /* others were stopped for its sake */
            *reterr = lanes[i].err;
            rc = -(int)lanes[i].err.code;
        }
    }
    *ret = sum;
    return rc;
}
