/* SPDX-License-Identifier: Apache-2.0
 *
 * Elections: one leader, take-over, growing epochs.
 */
#include "tests/bus/suite.h"

static struct suite_ev *await_leading(struct suite_client *c, uint64_t tag, bool leading,
                                      int64_t within_ns)
{
    int64_t until = suite_now(c) + within_ns;
    for (;;) {
        struct suite_ev *e = suite_next(c, SUITE_BIT(BUS_EV_LEADER), tag, until - suite_now(c));
        CHECK(e != NULL);
        if (e->ev.leading == leading) {
            return e;
        }
    }
}

static uint64_t join(struct suite_client *c, const char *name)
{
    struct err err;
    uint64_t tag = suite_tag(c);
    CHECK_OK(bus_elect(c->c, slice_str(name), tag, &err), err);
    return tag;
}

TEST(elect_who_is_alone_leads)
{
    struct suite s;
    suite_begin(&s, NULL);
    struct suite_client *a = suite_client(&s, "a");
    uint64_t tag = join(a, "leader");
    (void)await_leading(a, tag, true, suite_hooks.takeover_ns);
    struct err err;
    CHECK_EQ(-ERR_EXISTS, bus_elect(a->c, SLICE("leader"), suite_tag(a), &err));
    bus_resign(a->c, SLICE("leader"));
    bus_resign(a->c, SLICE("leader")); /* nothing to leave */
    bus_resign(a->c, SLICE("never.joined"));
    suite_quiet(a, SUITE_BIT(BUS_EV_LEADER), SUITE_ANY_TAG);
    suite_end(&s);
}

/* Everybody joins; afterwards exactly one of them is the last to have heard `leading`. */
static uint32_t settle(struct suite_client **c, const uint64_t *tags, uint32_t n,
                       int64_t *ret_epoch)
{
    int told[8] = {-1, -1, -1, -1, -1, -1, -1, -1};
    int64_t until = suite_now(c[0]) + suite_hooks.takeover_ns, epoch = -1;
    for (;;) {
        uint32_t leaders = 0, leader = 0, heard = 0;
        for (uint32_t i = 0; i < n; i++) {
            struct suite_ev *e =
                suite_next(c[i], SUITE_BIT(BUS_EV_LEADER), tags[i], 20 * CLOCK_NS_PER_MS);
            if (e != NULL) {
                CHECK(told[i] != (int)e->ev.leading); /* only at a change */
                told[i] = e->ev.leading;
                if (e->ev.leading) {
                    CHECK(e->ev.offset > epoch);
                    epoch = e->ev.offset;
                }
            }
            heard += told[i] >= 0;
            leaders += told[i] == 1;
            leader = told[i] == 1 ? i : leader;
        }
        if (heard == n && leaders == 1) {
            *ret_epoch = epoch;
            return leader;
        }
        CHECK(suite_now(c[0]) < until);
    }
}

TEST(elect_one_of_several_leads_and_another_takes_over)
{
    struct suite s;
    suite_begin(&s, NULL);
    struct suite_client *c[3] = {suite_client(&s, "a"), suite_client(&s, "b"),
                                 suite_client(&s, "c")};
    uint64_t tags[3];
    for (uint32_t i = 0; i < 3; i++) {
        tags[i] = join(c[i], "leader");
    }
    int64_t epoch;
    uint32_t first = settle(c, tags, 3, &epoch);
    bus_resign(c[first]->c, SLICE("leader"));
    struct suite_ev *e = NULL;
    uint32_t next = first;
    int64_t until = suite_now(c[0]) + suite_hooks.takeover_ns;
    while (e == NULL) {
        next = (next + 1) % 3;
        next = next == first ? (next + 1) % 3 : next;
        e = suite_next(c[next], SUITE_BIT(BUS_EV_LEADER), tags[next], 20 * CLOCK_NS_PER_MS);
        e = e != NULL && e->ev.leading ? e : NULL;
        CHECK(suite_now(c[0]) < until);
    }
    CHECK(e->ev.offset > epoch);
    epoch = e->ev.offset;
    suite_client_free(c[next]); /* going away resigns */
    uint32_t last = 3 - first - next;
    e = await_leading(c[last], tags[last], true, suite_hooks.takeover_ns);
    CHECK(e->ev.offset > epoch);
    CHECK(suite_next(c[first], SUITE_BIT(BUS_EV_LEADER), tags[first], 0) == NULL);
    suite_end(&s);
}

TEST(elect_who_resigned_may_come_back)
{
    struct suite s;
    suite_begin(&s, NULL);
    struct suite_client *a = suite_client(&s, "a");
    int64_t epoch = -1;
    for (int i = 0; i < 3; i++) {
        struct suite_ev *e = await_leading(a, join(a, "leader"), true, suite_hooks.takeover_ns);
        CHECK(e->ev.offset > epoch);
        epoch = e->ev.offset;
        bus_resign(a->c, SLICE("leader"));
    }
    suite_end(&s);
}

TEST(elect_names_are_independent)
{
    struct suite s;
    suite_begin(&s, NULL);
    struct suite_client *a = suite_client(&s, "a"), *b = suite_client(&s, "b");
    uint64_t ta = join(a, "one"), tb = join(b, "two");
    (void)await_leading(a, ta, true, suite_hooks.takeover_ns);
    (void)await_leading(b, tb, true, suite_hooks.takeover_ns);
    suite_end(&s);
}

TEST(elect_a_crash_is_taken_over)
{
    struct suite s;
    suite_begin(&s, NULL);
    struct suite_client *a = suite_client(&s, "a");
    int64_t epoch = await_leading(a, join(a, "leader"), true, suite_hooks.takeover_ns)->ev.offset;
    suite_crash(&s);
    struct suite_client *b = suite_client(&s, "b");
    struct suite_ev *e = await_leading(b, join(b, "leader"), true, suite_hooks.takeover_ns);
    CHECK(e->ev.offset > epoch);
    suite_end(&s);
}
