/* SPDX-License-Identifier: Apache-2.0
 *
 * See loop.h. A post from another thread takes the lock, hangs itself on the list and, if the list
 * was empty, writes the eventfd; the loop takes the whole list at once. The coarse clock that
 * libevent uses for timers moves in steps of up to 4 ms, which is what network timeouts need;
 * loop_now_ns is exact.
 */
#include "core/net/loop.h"

#include "core/base/clock.h"
#include "core/base/mem.h"

#include <assert.h>
#include <event2/event.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { LOOP_BEAT_MS = 500 };

struct post {
    struct post *next;
    void (*fn)(void *arg);
    void *arg;
};

struct loop {
    struct event_base *base;
    struct event *wake, *beat, *sigterm, *sigint, *sighup;
    int wake_fd;
    struct clock clock;
    _Atomic int64_t beat_ns;
    pthread_mutex_t lock; /* of the list */
    struct post *first, **last;
    void (*on_signal)(void *arg, int signo);
    void *signal_arg;
};

struct loop_timer {
    struct event *ev;
    void (*fn)(void *arg);
    void *arg;
};

struct loop_fd {
    struct loop *loop;
    struct event *ev;
    int fd;
    unsigned what;
    void (*fn)(void *arg, unsigned what);
    void *arg;
};

/* libevent answers NULL only when memory is gone or the kernel has no epoll: there is nothing to
 * go on with, as with malloc. */
static void *must(void *p, const char *what)
{
    if (p == NULL) {
        fprintf(stderr, "event loop: %s failed\n", what);
        abort();
    }
    return p;
}

static struct timeval to_timeval(int64_t ns)
{
    ns = MAX(ns, 0);
    return (struct timeval){.tv_sec = (time_t)(ns / CLOCK_NS_PER_S),
                            .tv_usec = (suseconds_t)(ns % CLOCK_NS_PER_S / 1000)};
}

static void run_posts(struct loop *l)
{
    pthread_mutex_lock(&l->lock);
    struct post *p = l->first;
    l->first = NULL;
    l->last = &l->first;
    pthread_mutex_unlock(&l->lock);
    while (p != NULL) {
        struct post *next = p->next;
        p->fn(p->arg);
        mem_free(p);
        p = next;
    }
}

static void on_wake(evutil_socket_t fd, short what, void *arg)
{
    uint64_t n;
    ssize_t got = read(fd, &n, sizeof n);
    (void)got;
    (void)what;
    run_posts(arg);
}

static void on_beat(evutil_socket_t fd, short what, void *arg)
{
    struct loop *l = arg;
    (void)fd;
    (void)what;
    atomic_store_explicit(&l->beat_ns, clock_mono(&l->clock), memory_order_relaxed);
}

struct loop *loop_new(void)
{
    struct loop *l = MEM_NEW(struct loop);
    signal(SIGPIPE, SIG_IGN); /* a socket whose other end is gone is an error, not the end */
    struct event_config *conf = must(event_config_new(), "event_config_new");
    event_config_set_flag(conf, EVENT_BASE_FLAG_NOLOCK);
    l->base = must(event_base_new_with_config(conf), "event_base_new");
    event_config_free(conf);
    l->clock = clock_system();
    l->last = &l->first;
    pthread_mutex_init(&l->lock, NULL);
    l->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    must(l->wake_fd >= 0 ? l : NULL, "eventfd");
    l->wake = must(event_new(l->base, l->wake_fd, EV_READ | EV_PERSIST, on_wake, l), "event_new");
    event_add(l->wake, NULL);
    l->beat = must(event_new(l->base, -1, EV_PERSIST, on_beat, l), "event_new");
    struct timeval tv = to_timeval(LOOP_BEAT_MS * CLOCK_NS_PER_MS);
    event_add(l->beat, &tv);
    on_beat(-1, 0, l);
    return l;
}

static void free_event(struct event *ev)
{
    if (ev != NULL) {
        event_free(ev);
    }
}

void loop_free(struct loop *l)
{
    if (l == NULL) {
        return;
    }
    free_event(l->wake);
    free_event(l->beat);
    free_event(l->sigterm);
    free_event(l->sigint);
    free_event(l->sighup);
    event_base_free(l->base);
    close(l->wake_fd);
    while (l->first != NULL) {
        struct post *next = l->first->next;
        mem_free(l->first);
        l->first = next;
    }
    pthread_mutex_destroy(&l->lock);
    mem_free(l);
}

struct event_base *loop_base(const struct loop *l)
{
    return l->base;
}

int64_t loop_now_ns(const struct loop *l)
{
    return clock_mono(&l->clock);
}

void loop_run(struct loop *l)
{
    int rc = event_base_loop(l->base, EVLOOP_NO_EXIT_ON_EMPTY);
    assert(rc >= 0);
    (void)rc;
}

static void step_over(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    (void)arg;
}

void loop_step(struct loop *l, int64_t max_wait_ns)
{
    struct timeval tv = to_timeval(max_wait_ns);
    if (max_wait_ns > 0) {
        event_base_once(l->base, -1, EV_TIMEOUT, step_over, NULL, &tv);
    }
    event_base_loop(l->base, EVLOOP_ONCE | (max_wait_ns > 0 ? 0 : EVLOOP_NONBLOCK));
}

static void stop_now(void *arg)
{
    struct loop *l = arg;
    event_base_loopexit(l->base, NULL);
}

void loop_stop(struct loop *l)
{
    loop_post(l, stop_now, l);
}

void loop_post(struct loop *l, void (*fn)(void *arg), void *arg)
{
    assert(l != NULL && fn != NULL);
    struct post *p = MEM_NEW(struct post);
    p->fn = fn;
    p->arg = arg;
    pthread_mutex_lock(&l->lock);
    bool was_empty = l->first == NULL;
    *l->last = p;
    l->last = &p->next;
    if (was_empty) {
        /* Under the lock, so that the loop cannot be freed between its last post and the write. */
        uint64_t one = 1;
        ssize_t put = write(l->wake_fd, &one, sizeof one);
        (void)put;
    }
    pthread_mutex_unlock(&l->lock);
}

int64_t loop_beat_age_ns(const struct loop *l)
{
    int64_t beat = atomic_load_explicit(&l->beat_ns, memory_order_relaxed);
    return clock_mono(&l->clock) - beat;
}

static void on_signal(evutil_socket_t signo, short what, void *arg)
{
    struct loop *l = arg;
    (void)what;
    l->on_signal(l->signal_arg, (int)signo);
}

void loop_on_signals(struct loop *l, void (*fn)(void *arg, int signo), void *arg)
{
    assert(fn != NULL && l->sigterm == NULL);
    l->on_signal = fn;
    l->signal_arg = arg;
    l->sigterm = must(evsignal_new(l->base, SIGTERM, on_signal, l), "evsignal_new");
    l->sigint = must(evsignal_new(l->base, SIGINT, on_signal, l), "evsignal_new");
    event_add(l->sigterm, NULL);
    l->sighup = must(evsignal_new(l->base, SIGHUP, on_signal, l), "evsignal_new");
    event_add(l->sigint, NULL);
    event_add(l->sighup, NULL);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    struct loop_timer *t = arg;
    (void)fd;
    (void)what;
    t->fn(t->arg);
}

struct loop_timer *loop_timer_new(struct loop *l, void (*fn)(void *arg), void *arg)
{
    assert(l != NULL && fn != NULL);
    struct loop_timer *t = MEM_NEW(struct loop_timer);
    t->fn = fn;
    t->arg = arg;
    t->ev = must(event_new(l->base, -1, 0, on_timer, t), "event_new");
    return t;
}

void loop_timer_set(struct loop_timer *t, int64_t delay_ns)
{
    assert(t != NULL);
    struct timeval tv = to_timeval(delay_ns);
    event_add(t->ev, &tv);
}

void loop_timer_cancel(struct loop_timer *t)
{
    assert(t != NULL);
    event_del(t->ev);
}

void loop_timer_free(struct loop_timer *t)
{
    if (t != NULL) {
        event_free(t->ev);
        mem_free(t);
    }
}

static void on_fd(evutil_socket_t fd, short what, void *arg)
{
    struct loop_fd *f = arg;
    (void)fd;
    f->fn(f->arg, ((what & EV_READ) ? LOOP_READ : 0u) | ((what & EV_WRITE) ? LOOP_WRITE : 0u));
}

struct loop_fd *loop_fd_new(struct loop *l, int fd, unsigned what,
                            void (*fn)(void *arg, unsigned what), void *arg)
{
    assert(fd >= 0 && fn != NULL);
    struct loop_fd *f = MEM_NEW(struct loop_fd);
    *f = (struct loop_fd){.loop = l, .fd = fd, .fn = fn, .arg = arg};
    f->ev = must(event_new(l->base, fd, EV_PERSIST, on_fd, f), "event_new");
    loop_fd_want(f, what);
    return f;
}

void loop_fd_want(struct loop_fd *f, unsigned what)
{
    if (what == f->what) {
        return;
    }
    assert((what & ~(unsigned)(LOOP_READ | LOOP_WRITE)) == 0);
    event_del(f->ev);
    f->what = what;
    if (what != 0) {
        short ev = (short)(EV_PERSIST | ((what & LOOP_READ) ? EV_READ : 0) |
                           ((what & LOOP_WRITE) ? EV_WRITE : 0));
        int rc = event_assign(f->ev, f->loop->base, f->fd, ev, on_fd, f);
        assert(rc == 0);
        (void)rc;
        event_add(f->ev, NULL);
    }
}

void loop_fd_free(struct loop_fd *f)
{
    if (f != NULL) {
        event_free(f->ev);
        mem_free(f);
    }
}
