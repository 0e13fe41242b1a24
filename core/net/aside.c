/* SPDX-License-Identifier: Apache-2.0
 *
 * See aside.h. Two lists under one lock: what is to be done, what is done. An eventfd tells the
 * loop, so nothing of it outlives aside_free.
 */
#include "core/net/aside.h"

#include "core/base/mem.h"
#include "core/base/vec.h"

#include <assert.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct job {
    void (*work)(void *arg);
    void (*done)(void *arg, bool worked);
    void *arg;
};

struct aside {
    struct loop_fd *watch;
    int fd;
    size_t waiting; /* of the loop's thread */
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t more;
    VEC(struct job) asked, ended;
    bool stop;
};

static void *run(void *arg)
{
    struct aside *a = arg;
    const uint64_t one = 1;
    pthread_mutex_lock(&a->lock);
    while (!a->stop) {
        if (a->asked.len == 0) {
            pthread_cond_wait(&a->more, &a->lock);
            continue;
        }
        struct job j = a->asked.ptr[0];
        VEC_REMOVE(&a->asked, 0);
        pthread_mutex_unlock(&a->lock);
        j.work(j.arg);
        pthread_mutex_lock(&a->lock);
        *VEC_PUSH(&a->ended) = j;
        ssize_t n = write(a->fd, &one, sizeof one); /* it can only be full of such */
        (void)n;
    }
    pthread_mutex_unlock(&a->lock);
    return NULL;
}

/* True: *ret was worked on. */
static bool next(struct aside *a, struct job *ret)
{
    pthread_mutex_lock(&a->lock);
    bool any = a->ended.len > 0;
    if (any) {
        *ret = a->ended.ptr[0];
        VEC_REMOVE(&a->ended, 0);
    }
    pthread_mutex_unlock(&a->lock);
    return any;
}

static void hand_back(void *arg, unsigned what)
{
    struct aside *a = arg;
    struct job j;
    uint64_t many;
    ssize_t n = read(a->fd, &many, sizeof many);
    (void)n;
    (void)what;
    while (next(a, &j)) {
        assert(a->waiting > 0);
        a->waiting--;
        j.done(j.arg, true);
    }
}

static void must(bool fine, const char *what)
{
    if (!fine) {
        (void)fprintf(stderr, "kaiju: %s: no thread beside the loop\n", what);
        abort();
    }
}

struct aside *aside_new(struct loop *l)
{
    struct aside *a = MEM_NEW(struct aside);
    a->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    must(a->fd >= 0, "eventfd");
    a->watch = loop_fd_new(l, a->fd, LOOP_READ, hand_back, a);
    pthread_mutex_init(&a->lock, NULL);
    pthread_cond_init(&a->more, NULL);
    sigset_t all, before; /* signals are the loop's */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    must(pthread_create(&a->thread, NULL, run, a) == 0, "pthread_create");
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return a;
}

void aside_free(struct aside *a)
{
    if (a == NULL) {
        return;
    }
    struct job j;
    pthread_mutex_lock(&a->lock);
    a->stop = true;
    pthread_cond_signal(&a->more);
    pthread_mutex_unlock(&a->lock);
    pthread_join(a->thread, NULL);
    while (next(a, &j)) {
        j.done(j.arg, true);
    }
    while (a->asked.len > 0) {
        j = a->asked.ptr[0];
        VEC_REMOVE(&a->asked, 0);
        j.done(j.arg, false);
    }
    loop_fd_free(a->watch);
    close(a->fd);
    VEC_DONE(&a->asked);
    VEC_DONE(&a->ended);
    pthread_mutex_destroy(&a->lock);
    pthread_cond_destroy(&a->more);
    mem_free(a);
}

void aside_do(struct aside *a, void (*work)(void *arg), void (*done)(void *arg, bool worked),
              void *arg)
{
    assert(work != NULL && done != NULL);
    if (a == NULL) {
        work(arg);
        done(arg, true);
        return;
    }
    a->waiting++;
    pthread_mutex_lock(&a->lock);
    *VEC_PUSH(&a->asked) = (struct job){work, done, arg};
    pthread_cond_signal(&a->more);
    pthread_mutex_unlock(&a->lock);
}

size_t aside_waiting(const struct aside *a)
{
    return a != NULL ? a->waiting : 0;
}
