/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/test.h"
#include "tests/unit/operators/pattern/pat_fixture.h"

static void refused(const char *pattern, const char *part)
{
    struct err err;
    if (pat_fixture_try(pattern, &err) == 0) {
        test_fail(__FILE__, __LINE__, "accepted: %s", pattern);
    }
    CHECK_HAS(part, err.msg);
    CHECK(err.line == 1 && err.col > 0 && err.len > 0);
}

static void accepted(const char *pattern)
{
    struct err err;
    CHECK_OK(pat_fixture_try(pattern, &err), err);
}

TEST(pat_bind_refuses_what_cannot_be)
{
    refused("[a=Nope]", "no event type 'Nope'");
    refused("[a=A -> b=B(x = c.x)]", "c");
    refused("[a=A -> a=B]", "'a' is a A elsewhere");
    refused("[a=A until B -> a=A]", "repeats elsewhere");
    refused("[[0] a=A]", "greater than zero");
    refused("[[:0] a=A until B]", "greater than zero");
    refused("[[0:] a=A until B]", "greater than zero");
    refused("[[2:1] a=A until B]", "lower bound");
    refused("[[2:3] a=A]", "needs 'until'");
    refused("[timer:nope(1)]", "no observer 'timer:nope'");
    refused("[TIMER:interval(1 sec)]", "no observer");
    refused("[A where timer:nope(1)]", "no guard");
    refused("[A where timer:withinmax(1 sec)]", "a period and a count");
    refused("[timer:schedule(repetitions: 2)]", "date:");
    refused("[timer:schedule(iso: 'nonsense')]", "");
    refused("[A while (5)]", "condition");
    refused("[timer:interval('x')]", "number");
}

TEST(pat_bind_accepts_what_is_odd)
{
    accepted("[[0:2] a=A until B]");
    accepted("[a=A -[-1]> b=B]");
    accepted("[a=A and b=B(x=a.x)]");
    accepted("[a=A -> (b=B or b=B(x=1))]");
    accepted("[a=A until b=B(x=a[0].x)]");
    accepted("[every every a=A]");
}

TEST(pat_bind_finds_names)
{
    struct pat_fixture f;
    /* x alone is the event's; id is too; a.x the tag's */
    pat_fixture_open(&f, "a.x,b.x", "[every a=A -> b=B(x = a.x + 1 and id = a.id)]");
    CHECK_STR("1,2", pat_fixture_play(&f, "A1 B1 B2"));
    pat_fixture_close(&f);
    pat_fixture_open(&f, "a[0].x,a[1].x,b.x", "[[2] a=A -> b=B(x > a[0].x)]");
    CHECK_STR("5,1,6", pat_fixture_play(&f, "A5 A1 B5 B6"));
    pat_fixture_close(&f);
}
