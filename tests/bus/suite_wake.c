/* SPDX-License-Identifier: Apache-2.0
 *
 * The wake-up fd: readable when there may be something, not for good.
 */
#include "tests/bus/suite.h"

#include <poll.h>

static bool readable(const struct suite_client *c)
{
    struct pollfd p = {.fd = bus_fd(c->c), .events = POLLIN};
    return poll(&p, 1, 0) == 1;
}

/* Polls until there is nothing and the fd says so. */
static void drain(struct suite_client *c)
{
    int64_t until = suite_now(c) + suite_hooks.patience_ns;
    int n;
    do {
        n = suite_pump(c, 0);
        CHECK(suite_now(c) < until);
        if (n == 0 && readable(c)) {
            suite_pass(c->suite, CLOCK_NS_PER_MS);
        }
    } while (n > 0 || readable(c));
}

static void await_readable(struct suite_client *c)
{
    int64_t until = suite_now(c) + suite_hooks.patience_ns;
    while (!readable(c)) {
        suite_pass(c->suite, CLOCK_NS_PER_MS);
        CHECK(suite_now(c) < until);
    }
}

/* The event, looked for only while the fd is readable: it may wake for nothing, but must for this.
 */
static void await_by_fd(struct suite_client *c, enum bus_ev_kind kind, uint64_t tag)
{
    uint32_t kinds = SUITE_BIT(kind) | SUITE_BIT(BUS_EV_ERROR);
    struct suite_ev *e = NULL;
    while (e == NULL) {
        await_readable(c);
        e = suite_next(c, kinds, tag, -1);
    }
    if (e->ev.kind != kind) {
        test_fail(__FILE__, __LINE__, "%s, client %s: instead of %s: %s", suite_hooks.name, c->name,
                  bus_ev_name(kind), e->err.msg);
    }
}

TEST(wake_an_answer_makes_the_fd_readable)
{
    struct suite s;
    suite_begin(&s, NULL);
    struct suite_client *a = suite_client(&s, "a");
    struct bus_tp tp = suite_topic(a, "t", 1, BUS_DELETE);
    struct err err;
    for (int i = 0; i < 5; i++) {
        drain(a);
        uint64_t tag = suite_tag(a);
        CHECK_OK(bus_bounds(a->c, tp, tag, &err), err);
        await_by_fd(a, BUS_EV_DONE, tag);
    }
    suite_end(&s);
}

TEST(wake_records_of_another_client_make_the_fd_readable)
{
    struct suite s;
    suite_begin(&s, NULL);
    struct suite_client *a = suite_client(&s, "a"), *b = suite_client(&s, "b");
    struct bus_tp tp = suite_topic(a, "t", 1, BUS_DELETE), tb = suite_same(b, a, tp);
    struct bus_reader *r = bus_reader_new(b->c);
    struct err err;
    uint64_t tag = suite_tag(b);
    CHECK_OK(bus_assign(r, tb, BUS_FROM_START, tag, &err), err);
    (void)suite_await(b, BUS_EV_END, tag);
    for (int i = 0; i < 5; i++) {
        drain(b);
        suite_write(a, tp, "k", "v");
        await_by_fd(b, BUS_EV_RECORDS, tag);
    }
    suite_end(&s);
}

TEST(wake_a_timer_makes_the_fd_readable)
{
    struct suite s;
    suite_begin(&s, NULL);
    struct suite_client *a = suite_client(&s, "a");
    drain(a);
    int64_t at = suite_now(a) + 50 * CLOCK_NS_PER_MS;
    bus_at(a->c, at, 3);
    await_readable(a);
    while (suite_next(a, SUITE_BIT(BUS_EV_TIMER), 3, -1) == NULL) {
        await_readable(a);
    }
    CHECK(suite_now(a) >= at);
    drain(a);
    bus_at(a->c, suite_now(a) - 1, 4); /* a past one: at once, without time passing */
    struct pollfd p = {.fd = bus_fd(a->c), .events = POLLIN};
    CHECK_EQ(1, poll(&p, 1, 10000));
    CHECK(suite_next(a, SUITE_BIT(BUS_EV_TIMER), 4, -1) != NULL);
    suite_end(&s);
}

TEST(wake_stays_while_a_small_poll_leaves_something)
{
    struct suite s;
    suite_begin(&s, NULL);
    struct suite_client *a = suite_client(&s, "a");
    struct bus_tp tp = suite_topic(a, "t", 1, BUS_DELETE);
    drain(a);
    struct err err;
    enum { N = 10 };
    for (uint64_t i = 0; i < N; i++) {
        CHECK_OK(bus_bounds(a->c, tp, 900 + i, &err), err);
    }
    int64_t until = suite_now(a) + suite_hooks.patience_ns;
    for (int got = 0; got < N;) {
        await_readable(a);
        struct bus_ev ev;
        int n = bus_poll(a->c, &ev, 1);
        CHECK(n == 0 || (ev.kind == BUS_EV_DONE && ev.tag >= 900));
        got += n;
        CHECK(suite_now(a) < until);
    }
    drain(a);
    suite_end(&s);
}

TEST(wake_nothing_to_do_is_quiet)
{
    struct suite s;
    suite_begin(&s, NULL);
    struct suite_client *a = suite_client(&s, "a");
    drain(a);
    int64_t before = suite_now(a);
    bus_wait(a->c, 100 * CLOCK_NS_PER_MS);
    /* It may return early, but not always: else a loop over it would spin. */
    for (int i = 0; i < 50 && suite_now(a) - before < 90 * CLOCK_NS_PER_MS; i++) {
        struct bus_ev evs[8];
        (void)bus_poll(a->c, evs, 8);
        bus_wait(a->c, 100 * CLOCK_NS_PER_MS);
    }
    CHECK(suite_now(a) - before >= 90 * CLOCK_NS_PER_MS);
    suite_end(&s);
}
