/* SPDX-License-Identifier: Apache-2.0
 *
 * See bus_kafka_work.h. Workers are detached threads; the bus counts them, so that bus_free can
 * wait for what is under way.
 */
#include "core/bus/bus_kafka_work.h"

#include "core/base/mem.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

struct kafka_worker {
    struct kafka_bus *bus;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct kafka_job *first, *last;
    bool ending;
};

struct kafka_box {
    pthread_mutex_t lock;
    _Atomic unsigned refs;
    struct bus_wake *wake; /* NULL = closed */
    struct kafka_post *first, *last;
};

static struct kafka_job *next_job(struct kafka_worker *w)
{
    pthread_mutex_lock(&w->lock);
    while (w->first == NULL && !w->ending) {
        pthread_cond_wait(&w->wake, &w->lock);
    }
    struct kafka_job *job = w->first;
    if (job != NULL) {
        w->first = job->next;
        w->last = w->first != NULL ? w->last : NULL;
        job->next = NULL;
    }
    pthread_mutex_unlock(&w->lock);
    return job;
}

static void *work(void *arg)
{
    struct kafka_worker *w = arg;
    struct kafka_bus *b = w->bus;
    struct kafka_job *job;
    while ((job = next_job(w)) != NULL) {
        job->run(b, job);
    }
    pthread_mutex_destroy(&w->lock);
    pthread_cond_destroy(&w->wake);
    mem_free(w);
    pthread_mutex_lock(&b->lock);
    assert(b->workers > 0);
    if (--b->workers == 0) {
        pthread_cond_broadcast(&b->idle);
    }
    pthread_mutex_unlock(&b->lock);
    return NULL;
}

struct kafka_worker *kafka_worker_new(struct kafka_bus *b)
{
    assert(b != NULL);
    struct kafka_worker *w = MEM_NEW(struct kafka_worker);
    w->bus = b;
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->wake, NULL);
    pthread_mutex_lock(&b->lock);
    b->workers++;
    pthread_mutex_unlock(&b->lock);
    pthread_attr_t attr;
    pthread_attr_init(&attr);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attr, 512 * 1024);
    pthread_t thread;
    if (pthread_create(&thread, &attr, work, w) != 0) {
        perror("kaiju: pthread_create");
        abort();
    }
    pthread_attr_destroy(&attr);
    return w;
}

static void add(struct kafka_worker *w, struct kafka_job *take_job)
{
    take_job->next = NULL;
    if (w->last != NULL) {
        w->last->next = take_job;
    } else {
        w->first = take_job;
    }
    w->last = take_job;
}

void kafka_worker_add(struct kafka_worker *w, struct kafka_job *take_job)
{
    assert(w != NULL && take_job->run != NULL);
    pthread_mutex_lock(&w->lock);
    assert(!w->ending);
    add(w, take_job);
    pthread_cond_signal(&w->wake);
    pthread_mutex_unlock(&w->lock);
}

void kafka_worker_again(struct kafka_worker *w, struct kafka_job *take_job)
{
    pthread_mutex_lock(&w->lock);
    add(w, take_job); /* also while it is ending: it ends when nothing is left */
    pthread_mutex_unlock(&w->lock);
}

void kafka_worker_end(struct kafka_worker *w)
{
    pthread_mutex_lock(&w->lock);
    w->ending = true;
    pthread_cond_signal(&w->wake);
    pthread_mutex_unlock(&w->lock);
}

void kafka_worker_once(struct kafka_bus *b, struct kafka_job *take_job)
{
    struct kafka_worker *w = kafka_worker_new(b);
    kafka_worker_add(w, take_job);
    kafka_worker_end(w);
}

void kafka_workers_wait(struct kafka_bus *b)
{
    pthread_mutex_lock(&b->lock);
    while (b->workers > 0) {
        pthread_cond_wait(&b->idle, &b->lock);
    }
    pthread_mutex_unlock(&b->lock);
}

void *kafka_job_new(struct kafka_client *c, size_t bytes, uint64_t tag, int64_t timeout_ms,
                    void (*run)(struct kafka_bus *, struct kafka_job *))
{
    assert(bytes >= sizeof(struct kafka_job) && run != NULL);
    struct kafka_job *job = mem_zalloc(bytes);
    job->run = run;
    job->box = kafka_box_ref(c->box);
    job->tag = tag;
    job->deadline_ns = clock_mono(&kafka_of(&c->c)->clock) + timeout_ms * CLOCK_NS_PER_MS;
    return job;
}

void kafka_job_free(struct kafka_job *job)
{
    kafka_box_unref(job->box);
    mem_free(job);
}

int kafka_job_left_ms(struct kafka_bus *b, const struct kafka_job *job)
{
    int64_t left = (job->deadline_ns - clock_mono(&b->clock)) / CLOCK_NS_PER_MS;
    return atomic_load(&b->stopping) || left < 0 ? 0 : (int)MIN(left, INT32_MAX);
}

void kafka_job_done(const struct kafka_job *job, struct kafka_post *take_post, const struct err *e)
{
    assert(take_post != NULL);
    take_post->ev.tag = job->tag;
    if (e != NULL && e->code != ERR_OK) {
        take_post->ev.kind = BUS_EV_ERROR;
        take_post->err = *e;
    }
    kafka_post(job->box, take_post);
}

struct kafka_box *kafka_box_new(struct bus_wake *wake)
{
    struct kafka_box *box = MEM_NEW(struct kafka_box);
    pthread_mutex_init(&box->lock, NULL);
    atomic_store(&box->refs, 1);
    box->wake = wake;
    return box;
}

struct kafka_box *kafka_box_ref(struct kafka_box *box)
{
    atomic_fetch_add(&box->refs, 1);
    return box;
}

void kafka_box_unref(struct kafka_box *box)
{
    if (box == NULL || atomic_fetch_sub(&box->refs, 1) > 1) {
        return;
    }
    struct kafka_post *p;
    while ((p = kafka_box_take(box)) != NULL) {
        kafka_post_free(p);
    }
    pthread_mutex_destroy(&box->lock);
    mem_free(box);
}

void kafka_box_close(struct kafka_box *box)
{
    pthread_mutex_lock(&box->lock);
    box->wake = NULL;
    pthread_mutex_unlock(&box->lock);
}

struct kafka_post *kafka_post_new(enum bus_ev_kind kind, uint64_t tag)
{
    struct kafka_post *p = MEM_NEW(struct kafka_post);
    p->ev.kind = kind;
    p->ev.tag = tag;
    return p;
}

void kafka_post_free(struct kafka_post *p)
{
    if (p != NULL) {
        arena_free(p->arena);
        mem_free(p);
    }
}

void kafka_post(struct kafka_box *box, struct kafka_post *take_post)
{
    assert(take_post->next == NULL);
    struct kafka_post *drop = take_post;
    if (box != NULL) {
        pthread_mutex_lock(&box->lock);
        if (box->wake != NULL) {
            drop = NULL;
            if (box->last != NULL) {
                box->last->next = take_post;
            } else {
                box->first = take_post;
            }
            box->last = take_post;
            bus_wake_signal(box->wake);
        }
        pthread_mutex_unlock(&box->lock);
    }
    kafka_post_free(drop);
}

struct kafka_post *kafka_box_take(struct kafka_box *box)
{
    pthread_mutex_lock(&box->lock);
    struct kafka_post *p = box->first;
    if (p != NULL) {
        box->first = p->next;
        box->last = box->first != NULL ? box->last : NULL;
        p->next = NULL;
    }
    pthread_mutex_unlock(&box->lock);
    return p;
}
