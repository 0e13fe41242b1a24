/* SPDX-License-Identifier: Apache-2.0 */
#include "core/net/loop.h"

#include "core/base/clock.h"
#include "tests/test.h"

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

struct seen {
    struct loop *loop;
    int count, last, stop_at;
    unsigned what;
};

static void count_one(void *arg)
{
    struct seen *s = arg;
    s->count++;
    if (s->count == s->stop_at) {
        loop_stop(s->loop);
    }
}

TEST(loop_timer_fires_once_and_can_be_set_again)
{
    struct seen s = {.loop = loop_new(), .stop_at = 1};
    struct loop_timer *t = loop_timer_new(s.loop, count_one, &s);
    int64_t before = loop_now_ns(s.loop);
    loop_timer_set(t, 20 * CLOCK_NS_PER_MS);
    loop_run(s.loop);
    CHECK_EQ(1, s.count);
    CHECK(loop_now_ns(s.loop) - before >= 15 * CLOCK_NS_PER_MS); /* coarse clock: 4 ms steps */
    s.stop_at = 2;
    loop_timer_set(t, 0);
    loop_run(s.loop);
    CHECK_EQ(2, s.count);
    loop_timer_set(t, CLOCK_NS_PER_MS);
    loop_timer_cancel(t);
    loop_step(s.loop, 20 * CLOCK_NS_PER_MS);
    CHECK_EQ(2, s.count);
    loop_timer_free(t);
    loop_free(s.loop);
}

struct poster {
    struct seen *seen;
    int n;
};

static void *post_many(void *arg)
{
    struct poster *p = arg;
    for (int i = 0; i < p->n; i++) {
        loop_post(p->seen->loop, count_one, p->seen);
    }
    return NULL;
}

TEST(loop_runs_what_other_threads_post)
{
    struct seen s = {.loop = loop_new(), .stop_at = 4 * 5000};
    struct poster p = {&s, 5000};
    pthread_t threads[4];
    for (int i = 0; i < 4; i++) {
        CHECK_EQ(0, pthread_create(&threads[i], NULL, post_many, &p));
    }
    loop_run(s.loop);
    CHECK_EQ(4 * 5000, s.count);
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
    }
    loop_free(s.loop);
}

static void on_ready(void *arg, unsigned what)
{
    struct seen *s = arg;
    s->what |= what;
    s->count++;
}

TEST(loop_watches_a_descriptor)
{
    int fds[2];
    CHECK_EQ(0, pipe(fds));
    struct seen s = {.loop = loop_new()};
    struct loop_fd *in = loop_fd_new(s.loop, fds[0], LOOP_READ, on_ready, &s);
    loop_step(s.loop, 5 * CLOCK_NS_PER_MS);
    CHECK_EQ(0, s.count);
    CHECK_EQ(1, write(fds[1], "x", 1));
    loop_step(s.loop, 1000 * CLOCK_NS_PER_MS);
    CHECK_EQ(1, s.count);
    CHECK_EQ(LOOP_READ, s.what);
    loop_fd_want(in, 0);
    loop_step(s.loop, 5 * CLOCK_NS_PER_MS);
    CHECK_EQ(1, s.count);
    loop_fd_want(in, LOOP_READ);
    loop_step(s.loop, 1000 * CLOCK_NS_PER_MS);
    CHECK_EQ(2, s.count);
    loop_fd_free(in);
    loop_free(s.loop);
    close(fds[0]);
    close(fds[1]);
}

static void on_signal(void *arg, int signo)
{
    struct seen *s = arg;
    s->last = signo;
    loop_stop(s->loop);
}

TEST(loop_hands_over_signals_and_ignores_sigpipe)
{
    struct seen s = {.loop = loop_new()};
    loop_on_signals(s.loop, on_signal, &s);
    raise(SIGPIPE);
    raise(SIGTERM);
    loop_run(s.loop);
    CHECK_EQ(SIGTERM, s.last);
    raise(SIGINT);
    loop_run(s.loop);
    CHECK_EQ(SIGINT, s.last);
    loop_free(s.loop);
    signal(SIGTERM, SIG_DFL);
    signal(SIGINT, SIG_DFL);
}

TEST(loop_beats_while_it_goes_round)
{
    struct seen s = {.loop = loop_new(), .stop_at = 1};
    struct loop_timer *t = loop_timer_new(s.loop, count_one, &s);
    loop_timer_set(t, 1500 * CLOCK_NS_PER_MS);
    loop_run(s.loop);
    CHECK(loop_beat_age_ns(s.loop) < 1400 * CLOCK_NS_PER_MS);
    clock_sleep_ns(600 * CLOCK_NS_PER_MS);
    CHECK(loop_beat_age_ns(s.loop) >= 600 * CLOCK_NS_PER_MS);
    loop_timer_free(t);
    loop_free(s.loop);
}
