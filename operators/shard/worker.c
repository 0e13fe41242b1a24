/* SPDX-License-Identifier: Apache-2.0
 *
 * See worker.h. Everything of the slot belongs to the thread; what others may look at is copied
 * under a lock, a few times a second.
 */
#include "operators/shard/worker.h"

#include "core/base/mem.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

enum { EVENTS = 64, NAME_MAX_BYTES = 200, TOPICS_TAG = 1 << 30 };

#define WAIT_NS    (50 * CLOCK_NS_PER_MS)
#define COPY_NS    (200 * CLOCK_NS_PER_MS)
#define RESTART_NS CLOCK_NS_PER_S

struct worker {
    struct bus *bus;
    struct worker_conf conf;
    char name[NAME_MAX_BYTES];
    const struct layout *layout;
    struct arena *arena;
    struct slot_task *tasks;
    struct bus_client *client;
    struct slot *slot;
    pthread_t thread;
    atomic_bool stop;

    pthread_mutex_t lock;
    struct worker_look look;
    struct worker_task *copies;
};

static int64_t now_of(const struct worker *w)
{
    return clock_mono(bus_clock(w->client));
}

static void copy(struct worker *w, const char *why)
{
    pthread_mutex_lock(&w->lock);
    w->look.state = w->slot != NULL ? slot_state(w->slot) : SLOT_OPENING;
    (void)snprintf(w->look.why, sizeof w->look.why, "%.159s", why);
    for (uint32_t i = 0; w->slot != NULL && i < w->layout->n_tasks; i++) {
        struct task *t = slot_task(w->slot, i);
        const struct err *failed = task_failed(t);
        w->copies[i] =
            (struct worker_task){task_counts(t), merge_clock(task_merge(t)), task_seq(t)};
        if (failed != NULL) {
            (void)snprintf(w->look.why, sizeof w->look.why, "%.159s", failed->msg);
        }
    }
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

/* The topics between groups. */
static bool make_topics(struct worker *w)
{
    uint32_t n = w->layout->n_topics;
    struct bus_topic_spec *specs = mem_calloc(n + 1, sizeof *specs);
    struct bus_ev ev[EVENTS];
    struct err err;
    bool done = n == 0, ended = done;
    for (uint32_t i = 0; i < n; i++) {
        specs[i] = (struct bus_topic_spec){w->layout->topics[i].name, w->layout->topics[i].parts,
                                           BUS_DELETE, -1, -1};
    }
    if (!done && bus_ensure(w->client, specs, n, TOPICS_TAG, &err) != 0) {
        copy(w, err.msg);
        ended = true;
    }
    while (!ended && !atomic_load(&w->stop)) {
        bus_wait(w->client, WAIT_NS);
        for (int got = bus_poll(w->client, ev, EVENTS), i = 0; i < got; i++) {
            ended |= ev[i].tag == TOPICS_TAG;
            done |= ev[i].tag == TOPICS_TAG && ev[i].kind == BUS_EV_DONE;
            if (ev[i].kind == BUS_EV_ERROR) {
                copy(w, ev[i].err->msg);
            }
        }
    }
    mem_free(specs);
    return done;
}

/* Until it is lost, or has stopped. */
static void run_slot(struct worker *w)
{
    struct bus_ev ev[EVENTS];
    int64_t copied = 0;
    bool more = true, draining = false;
    while (slot_state(w->slot) != SLOT_LOST && !(draining && slot_is_drained(w->slot))) {
        bus_wait(w->client, more ? 0 : WAIT_NS);
        for (int n = bus_poll(w->client, ev, EVENTS), i = 0; i < n; i++) {
            slot_on_event(w->slot, &ev[i]);
        }
        more = slot_step(w->slot);
        if (atomic_load(&w->stop) && !draining) {
            draining = true;
            slot_drain(w->slot);
        }
        if (now_of(w) - copied >= COPY_NS) {
            copied = now_of(w);
            copy(w, slot_why(w->slot));
        }
    }
    copy(w, slot_why(w->slot));
}

static void *run(void *arg)
{
    struct worker *w = arg;
    const struct slot_conf conf = {.name = slice_str(w->name),
                                   .commit_ns = w->conf.commit_ns,
                                   .align_ns = 2 * w->conf.commit_ns,
                                   .snapshot_ns = w->conf.snapshot_ns,
                                   .idle_ns = w->conf.idle_ns,
                                   .plain = w->conf.plain};
    bool fenced = false; /* then it is for who started it to say whether it shall begin again */
    while (!atomic_load(&w->stop) && !fenced) {
        struct err err;
        w->client = bus_client_new(w->bus, w->name);
        if (!make_topics(w)) {
            rest(w, RESTART_NS);
        } else if (slot_new(w->client, &conf, w->tasks, w->layout->n_tasks, &w->slot, &err) != 0) {
            w->slot = NULL;
            copy(w, err.msg);
            rest(w, RESTART_NS);
        } else {
            run_slot(w);
            fenced = slot_is_fenced(w->slot);
            slot_free(w->slot);
            w->slot = NULL;
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

struct worker *worker_new(struct bus *bus, const struct worker_conf *conf,
                          const struct layout *layout, struct arena *take_arena)
{
    struct worker *w = MEM_NEW(struct worker);
    w->bus = bus;
    w->conf = *conf;
    w->layout = layout;
    w->arena = take_arena;
    (void)snprintf(w->name, sizeof w->name, "%s", conf->name);
    w->tasks = mem_calloc(layout->n_tasks + 1, sizeof *w->tasks);
    w->copies = mem_calloc(layout->n_tasks + 1, sizeof *w->copies);
    for (uint32_t g = 0, n = 0; g < layout->n_groups; g++) {
        for (uint32_t i = 0; i < layout->groups[g].parts; i++) {
            w->tasks[n] = layout->groups[g].tasks[i];
            w->tasks[n++].from_start = conf->from_start;
        }
    }
    pthread_mutex_init(&w->lock, NULL);
    int rc = pthread_create(&w->thread, NULL, run, w);
    assert(rc == 0);
    (void)rc;
    return w;
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
    pthread_join(w->thread, NULL);
    pthread_mutex_destroy(&w->lock);
    mem_free(w->tasks);
    mem_free(w->copies);
    arena_free(w->arena);
    mem_free(w);
}

const struct layout *worker_layout(const struct worker *w)
{
    return w->layout;
}

struct worker_look worker_look(struct worker *w)
{
    pthread_mutex_lock(&w->lock);
    struct worker_look look = w->look;
    pthread_mutex_unlock(&w->lock);
    return look;
}

struct worker_task worker_task(struct worker *w, uint32_t i)
{
    assert(i < w->layout->n_tasks);
    pthread_mutex_lock(&w->lock);
    struct worker_task t = w->copies[i];
    pthread_mutex_unlock(&w->lock);
    return t;
}
