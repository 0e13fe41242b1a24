/* SPDX-License-Identifier: Apache-2.0
 *
 * What only the local bus can be made to do: a group that fails as a whole. The limit on the size
 * of files (setrlimit) makes every write of a page fail, as a full disk would; each operation of
 * the group must end, in the form of its kind, and succeed when there is room again.
 */
#include "core/bus/bus_local.h"
#include "tests/bus/suite.h"

#include <signal.h>
#include <sys/resource.h>

static void disk_full(bool full)
{
    struct rlimit limit;
    CHECK_EQ(0, getrlimit(RLIMIT_FSIZE, &limit));
    limit.rlim_cur = full ? 0 : limit.rlim_max;
    (void)signal(SIGXFSZ, SIG_IGN);
    CHECK_EQ(0, setrlimit(RLIMIT_FSIZE, &limit));
}

/* Ends of operations that were started together while nothing can be written. */
static void check_ends(struct suite_client *a, struct bus_writer *w, struct bus_tp tp)
{
    struct bus_writer *late = NULL;
    struct bus_topic_spec spec = {SLICE("u"), 1, BUS_DELETE, -1, -1};
    uint64_t open = suite_tag(a), ensure = suite_tag(a), fence = suite_tag(a), elect = suite_tag(a);
    uint64_t keep = suite_tag(a);
    struct err err;
    suite_put(a, w, tp, "k", "v");
    uint64_t commit = suite_commit_start(a, w);
    CHECK_OK(bus_open(a->c, SLICE("late"), open, &late, &err), err);
    CHECK_OK(bus_ensure(a->c, &spec, 1, ensure, &err), err);
    CHECK_OK(bus_fence(a->c, SLICE("nobody"), fence, &err), err);
    CHECK_OK(bus_elect(a->c, SLICE("leader"), elect, &err), err);
    CHECK_OK(bus_maintain(a->c, keep, &err), err);
    CHECK(!suite_await(a, BUS_EV_FULL, commit)->ev.reopen);
    struct suite_ev *e = suite_await(a, BUS_EV_ERROR, open);
    CHECK(e->ev.reopen && e->ev.writer == late);
    CHECK_EQ(ERR_FULL, suite_await(a, BUS_EV_ERROR, ensure)->err.code);
    CHECK_EQ(ERR_FULL, suite_await(a, BUS_EV_ERROR, fence)->err.code);
    CHECK_EQ(ERR_FULL, suite_await(a, BUS_EV_ERROR, elect)->err.code);
    bus_writer_close(late);
    int64_t until = suite_now(a) + suite_hooks.patience_ns;
    const uint32_t ends = SUITE_BIT(BUS_EV_DONE) | SUITE_BIT(BUS_EV_ERROR);
    CHECK(suite_next(a, ends, keep, until - suite_now(a)) != NULL); /* either, but it ends */
}

TEST(local_a_group_that_fails_answers_everybody)
{
    struct suite s;
    suite_begin(&s, NULL);
    struct suite_client *a = suite_client(&s, "a");
    struct bus_tp tp = suite_topic(a, "t", 1, BUS_DELETE);
    struct bus_writer *w = suite_open(a, "slot");
    suite_put(a, w, tp, "k", "before");
    (void)suite_commit(a, w);
    CHECK(!bus_stats(s.bus).full);
    for (int round = 0; round < 3; round++) {
        disk_full(true);
        check_ends(a, w, tp);
        CHECK(bus_stats(s.bus).full);
        disk_full(false);
    }
    struct err err;
    uint64_t tag = suite_tag(a);
    CHECK_OK(bus_elect(a->c, SLICE("leader"), tag, &err), err); /* he did not take part */
    CHECK(suite_await(a, BUS_EV_LEADER, tag)->ev.leading);
    struct bus_tp u = suite_topic(a, "u", 1, BUS_DELETE);
    suite_put(a, w, tp, "k", "after");
    suite_put(a, w, u, "k", "u");
    (void)suite_commit(a, w);
    CHECK_STR("before,after", suite_values(a, suite_read(a, tp, BUS_FROM_START, 2)));
    CHECK_STR("u", suite_values(a, suite_read(a, u, BUS_FROM_START, 1)));
    suite_end(&s);
}
