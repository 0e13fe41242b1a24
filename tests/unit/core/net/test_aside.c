/* SPDX-License-Identifier: Apache-2.0 */
#include "core/net/aside.h"

#include "core/base/clock.h"
#include "tests/test.h"

#include <pthread.h>
#include <string.h>

enum { JOBS = 20 };

struct bed;

struct job {
    struct bed *bed;
    int number;
    pthread_t worked_by;
};

struct bed {
    struct loop *loop;
    struct aside *aside;
    struct job jobs[JOBS];
    int done[JOBS], n, unworked, worked;
    pthread_mutex_t gate; /* nobody works while it is held */
    bool asks_again;
};

static void work(void *arg)
{
    struct job *j = arg;
    pthread_mutex_lock(&j->bed->gate);
    j->worked_by = pthread_self();
    j->bed->worked++;
    pthread_mutex_unlock(&j->bed->gate);
}

static void done(void *arg, bool worked)
{
    struct job *j = arg;
    struct bed *b = j->bed;
    b->done[b->n++] = j->number;
    b->unworked += !worked;
    if (b->asks_again && j->number == 0) {
        b->jobs[1] = (struct job){.bed = b, .number = 1};
        aside_do(b->aside, work, done, &b->jobs[1]);
    }
}

static void ask(struct bed *b, int number)
{
    b->jobs[number] = (struct job){.bed = b, .number = number};
    aside_do(b->aside, work, done, &b->jobs[number]);
}

static struct bed begin(void)
{
    struct bed b = {.loop = loop_new()};
    pthread_mutex_init(&b.gate, NULL);
    b.aside = aside_new(b.loop);
    return b;
}

static void end(struct bed *b)
{
    aside_free(b->aside);
    loop_free(b->loop);
    pthread_mutex_destroy(&b->gate);
}

TEST(aside_works_elsewhere_and_hands_back_here_in_order)
{
    struct bed b = begin();
    for (int i = 0; i < JOBS; i++) {
        ask(&b, i);
    }
    CHECK_EQ(JOBS, aside_waiting(b.aside));
    while (b.n < JOBS) {
        loop_step(b.loop, 50 * CLOCK_NS_PER_MS);
    }
    for (int i = 0; i < JOBS; i++) {
        CHECK_EQ(i, b.done[i]);
        CHECK(!pthread_equal(pthread_self(), b.jobs[i].worked_by));
    }
    CHECK_EQ(0, aside_waiting(b.aside));
    CHECK_EQ(0, b.unworked);
    end(&b);
}

TEST(aside_lets_the_loop_go_on_while_it_works)
{
    struct bed b = begin();
    pthread_mutex_lock(&b.gate);
    ask(&b, 0);
    for (int i = 0; i < 3; i++) {
        loop_step(b.loop, CLOCK_NS_PER_MS);
    }
    CHECK_EQ(0, b.n);
    pthread_mutex_unlock(&b.gate);
    while (b.n < 1) {
        loop_step(b.loop, 50 * CLOCK_NS_PER_MS);
    }
    end(&b);
}

TEST(aside_that_ends_hands_everything_back_once)
{
    struct bed b = begin();
    pthread_mutex_lock(&b.gate);
    for (int i = 0; i < JOBS; i++) {
        ask(&b, i);
    }
    pthread_mutex_unlock(&b.gate);
    aside_free(b.aside);
    b.aside = NULL;
    CHECK_EQ(JOBS, b.n);
    CHECK_EQ(JOBS, b.worked + b.unworked);
    for (int i = 0; i < JOBS; i++) {
        CHECK_EQ(i, b.done[i]);
    }
    end(&b);
}

TEST(aside_takes_more_from_who_is_handed_back_and_without_one_it_is_done_at_once)
{
    struct bed b = begin();
    b.asks_again = true;
    ask(&b, 0);
    while (b.n < 2) {
        loop_step(b.loop, 50 * CLOCK_NS_PER_MS);
    }
    CHECK_EQ(1, b.done[1]);
    aside_free(b.aside);
    b.aside = NULL;
    b.asks_again = false;
    ask(&b, 2);
    CHECK_EQ(3, b.n);
    CHECK(pthread_equal(pthread_self(), b.jobs[2].worked_by));
    end(&b);
}
