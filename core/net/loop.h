/* SPDX-License-Identifier: Apache-2.0
 *
 * The event loop: a thin wrapper over one libevent base. One loop belongs to one thread, the one
 * that calls loop_run; everything it calls back runs there and must not block. Of all functions
 * here only loop_post, loop_stop and loop_beat_age_ns may be called from other threads, so libevent
 * is built without locks.
 *
 *     struct loop *l = loop_new();
 *     loop_on_signals(l, on_signal, app);       SIGTERM, SIGINT, SIGHUP; one loop of a process
 *     struct loop_timer *t = loop_timer_new(l, on_timer, app);
 *     loop_timer_set(t, 10 * CLOCK_NS_PER_MS);  fires once; set it again to repeat
 *     loop_run(l);                              until loop_stop
 *
 * Timers and watchers must be freed before their loop. A callback may free its own timer or
 * watcher. The heartbeat is a timer that notes the time: /healthz reads its age from any thread.
 */
#ifndef CORE_NET_LOOP_H
#define CORE_NET_LOOP_H

#include "core/base/attr.h"

#include <stdbool.h>
#include <stdint.h>

struct event_base; /* libevent's */
struct loop;
struct loop_timer;
struct loop_fd;

enum { LOOP_READ = 1, LOOP_WRITE = 2 };

struct loop *loop_new(void); /* also ignores SIGPIPE, for the whole process */
/* Posted functions that have not run yet never will: post nothing that owns memory after the
 * thread has left loop_run. */
void loop_free(struct loop *l);
struct event_base *loop_base(const struct loop *l);
int64_t loop_now_ns(const struct loop *l); /* monotonic */

void loop_run(struct loop *l);
/* One round: waits at most max_wait_ns for something to happen. For tests and blocking tools. */
void loop_step(struct loop *l, int64_t max_wait_ns);
void loop_stop(struct loop *l); /* any thread: loop_run returns after its current round */

/* Any thread: fn(arg) runs on the loop's thread, in the order of the posts. The queue is as long
 * as what its users have outstanding; each of them bounds that. */
void loop_post(struct loop *l, void (*fn)(void *arg), void *arg);
/* Any thread: how long ago the loop last went round. Above 2 s it hangs or does not run. */
int64_t loop_beat_age_ns(const struct loop *l);

/* fn(arg, signo) on SIGTERM, SIGINT and SIGHUP. */
void loop_on_signals(struct loop *l, void (*fn)(void *arg, int signo), void *arg);

struct loop_timer *loop_timer_new(struct loop *l, void (*fn)(void *arg), void *arg);
void loop_timer_set(struct loop_timer *t, int64_t delay_ns); /* replaces an earlier setting */
void loop_timer_cancel(struct loop_timer *t);
void loop_timer_free(struct loop_timer *t);

/* fn(arg, what) as long as fd is ready for what was asked; the fd stays the caller's. */
struct loop_fd *loop_fd_new(struct loop *l, int fd, unsigned what,
                            void (*fn)(void *arg, unsigned what), void *arg);
void loop_fd_want(struct loop_fd *f, unsigned what); /* 0 = pause */
void loop_fd_free(struct loop_fd *f);

#endif
