/* SPDX-License-Identifier: Apache-2.0
 *
 * See bus_wake.h. Running out of fds while a client is made ends the process: it happens at start
 * or when a slot is opened, and nothing sensible can go on without its wake-up.
 */
#include "core/bus/bus_wake.h"

#include "core/base/clock.h"

#include <assert.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

static int need(int fd, const char *what)
{
    if (fd < 0) {
        perror(what);
        abort();
    }
    return fd;
}

void bus_wake_init(struct bus_wake *w)
{
    assert(w != NULL);
    w->epoll_fd = need(epoll_create1(EPOLL_CLOEXEC), "kaiju: epoll_create1");
    w->signal_fd = need(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC), "kaiju: eventfd");
    w->alarm_fd =
        need(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC), "kaiju: timerfd");
    w->armed_ns = INT64_MAX;
    atomic_store(&w->pending, 0);
    struct epoll_event ev = {.events = EPOLLIN};
    need(epoll_ctl(w->epoll_fd, EPOLL_CTL_ADD, w->signal_fd, &ev), "kaiju: epoll_ctl");
    need(epoll_ctl(w->epoll_fd, EPOLL_CTL_ADD, w->alarm_fd, &ev), "kaiju: epoll_ctl");
}

void bus_wake_done(struct bus_wake *w)
{
    close(w->epoll_fd);
    close(w->signal_fd);
    close(w->alarm_fd);
}

void bus_wake_signal(struct bus_wake *w)
{
    if (atomic_exchange(&w->pending, 1) == 0) {
        uint64_t one = 1;
        ssize_t n = write(w->signal_fd, &one, sizeof one);
        assert(n == (ssize_t)sizeof one);
        (void)n;
    }
}

void bus_wake_clear(struct bus_wake *w)
{
    /* Always read: a signal that has set `pending` but not yet written would otherwise leave the
     * fd readable for good. A signal after the store writes again; what a signal before it stands
     * for is found by the owner, who looks after clearing. */
    uint64_t count;
    ssize_t n = read(w->signal_fd, &count, sizeof count);
    (void)n;
    atomic_store(&w->pending, 0);
}

void bus_wake_arm(struct bus_wake *w, int64_t mono_ns)
{
    if (mono_ns == w->armed_ns) {
        return;
    }
    w->armed_ns = mono_ns;
    int64_t at = mono_ns <= 0 ? 1 : mono_ns; /* 0 would disarm */
    struct itimerspec spec = {.it_value = {0, 0}};
    if (mono_ns != INT64_MAX) {
        spec.it_value.tv_sec = at / CLOCK_NS_PER_S;
        spec.it_value.tv_nsec = at % CLOCK_NS_PER_S;
    }
    int rc = timerfd_settime(w->alarm_fd, TFD_TIMER_ABSTIME, &spec, NULL);
    assert(rc == 0);
    (void)rc;
}

void bus_wake_sleep(struct bus_wake *w, int64_t timeout_ns)
{
    struct pollfd p = {.fd = w->epoll_fd, .events = POLLIN};
    int64_t ms = timeout_ns <= 0 ? 0 : (timeout_ns + CLOCK_NS_PER_MS - 1) / CLOCK_NS_PER_MS;
    (void)poll(&p, 1, ms > INT32_MAX ? INT32_MAX : (int)ms);
}
