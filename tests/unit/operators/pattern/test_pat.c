/* SPDX-License-Identifier: Apache-2.0
 *
 * The truth protocol, node by node. Expected rows are those of an independent engine.
 */
#include "tests/test.h"
#include "tests/unit/operators/pattern/pat_fixture.h"

/* A pattern, events, rows. */
static void plays(const char *columns, const char *pattern, const char *events, const char *want)
{
    struct pat_fixture f;
    pat_fixture_open(&f, columns, pattern);
    const char *got = pat_fixture_play(&f, events);
    if (strcmp(want, got) != 0) {
        test_fail(__FILE__, __LINE__, "%s on %s: want \"%s\", got \"%s\"", pattern, events, want,
                  got);
    }
    pat_fixture_close(&f);
}

static const char sequence[] = "A1 B1 C1 B2 A2 C2 A3 B3 C3 A4 C4 B4";

TEST(pat_every_stands_before_all_or_a_part)
{
    plays("a.x,b.x", "[a=A -> b=B]", sequence, "1,1");
    plays("a.x,b.x", "[every (a=A -> b=B)]", sequence, "1,1|2,3|4,4");
    plays("a.x,b.x", "[every a=A -> b=B]", sequence, "1,1|2,3 3,3|4,4");
    plays("a.x,b.x", "[a=A -> every b=B]", sequence, "1,1|1,2|1,3|1,4");
    plays("a.x,b.x", "[every a=A -> every b=B]", sequence, "1,1|1,2|1,3 2,3 3,3|1,4 2,4 3,4 4,4");
}

TEST(pat_and_gives_all_combinations)
{
    plays("a.x,b.x", "[every a=A and every b=B]", "A1 A0 A2 B9 A3 B8",
          "1,9 0,9 2,9|3,9|1,8 0,8 2,8 3,8");
    plays("a.x,b.x", "[a=A and b=B]", "B1 B2 A1 A2", "1,1");
    plays("a.x,b.x", "[every (a=A and b=B)]", "B1 B2 A1 A2 B3", "1,1|2,3");
}

TEST(pat_tags_are_not_seen_by_parts_beside)
{
    plays("a.x,b.x", "[every (a=A and b=B(x=a.x))]", "A1 B1 A1 B1", "");
    plays("a.x,b.x", "[every a=A -> b=B(x=a.x)]", "A1 B2 A2 B1 B2", "1,1|2,2");
}

TEST(pat_or_ends_with_the_first_unless_it_goes_on)
{
    plays("a.x,b.x", "[a=A or b=B]", "B1 A1", "-,1");
    plays("a.x,b.x", "[every a=A or b=B]", "A1 A2 B1 A3", "1,-|2,-|-,1");
    plays("a.x,b.x", "[every (a=A or b=B)]", "A1 B2 A3", "1,-|-,2|3,-");
}

TEST(pat_not_is_true_until_its_part_is)
{
    plays("a.x", "[every (a=A and not B)]", "A1 B1 A2", "1|2");
    plays("a.x,c.x", "[every a=A -> (c=C and not B)]", "A1 A2 B1 A3 C1", "3,1");
    plays("b.x", "[not A -> b=B]", "B1 B2", "1");
}

TEST(pat_repeat_collects)
{
    plays("a[0].x,a[1].x", "[every [2] a=A]", "A1 A2 A3 A4 A5", "1,2|3,4");
    plays("a[0].x,a[1].x,a[2].x,b.x", "[every (a=A until b=B)]", "A1 A2 B9 B8 A3 B7",
          "1,2,-,9|-,-,-,8|3,-,-,7");
    plays("a[0].x,a[1].x,a[2].x,b.x", "[every ([1:2] a=A until b=B)]", "A1 A2 A3 B9 B8 A3 B7",
          "1,2,-,9|3,-,-,7");
    plays("a[0].x,a[3].x", "[[2] ([2] a=A -> B)]", "A1 A2 B1 A3 A4 B2", "1,4");
    plays("a[0].x,b[0].x,a[1].x", "[[2] (a=A -> b=B(x=a.x))]", "A1 B2 B1 A2 B1 B2", "1,1,2");
}

TEST(pat_an_event_that_ends_a_repeat_is_not_collected)
{
    plays("a[0].x,b.x", "[every (a=A until b=A(x=9))]", "A1 A9 A9", "1,9|-,9");
}

TEST(pat_every_distinct_passes_a_key_once)
{
    plays("a.x", "[every-distinct(a.x) a=A]", "A1 A1 A2 A1 A3", "1|2|3");
    plays("a.x,b.x", "[every-distinct(a.x) (a=A -> b=B)]", "A1 B1 A1 B2 A2 B3", "1,1|2,3");
}

TEST(pat_consume_keeps_an_event_from_others)
{
    plays("a.x,b.x", "[every (a=A(x>0)@consume and b=A)]", "A1 A0 A2 A3 A0", "1,0|2,3");
    plays("a.x,b.x,c.x", "[every a=A or every b=A(x>1)@consume(2) or every c=A(x>2)@consume(3)]",
          "A1 A2 A3", "1,-,-|-,2,-|-,-,3");
}

TEST(pat_bound_of_waiting_parts)
{
    plays("a.x,b.x", "[every a=A -[1]> b=B]", "A1 A2 B1 A3 A4 B2", "1,1|3,2");
    plays("a.x,b.x", "[every a=A -[2]> b=B]", "A1 A2 A3 B1", "1,1 2,1");
    plays("a.x,b.x", "[every a=A -[0]> b=B]", "A1 B1", "");
}

TEST(pat_discard_and_suppress)
{
    plays("a.x,b.x,c.x", "@DiscardPartialsOnMatch [every a=A -> b=B and c=C(x=a.x)]",
          "A1 A1 A2 B9 C1 C2", "1,9,1 1,9,1");
    plays("a.x,b.x", "@SuppressOverlappingMatches [every a=A -> b=B]", "A1 A2 B1 A3 B2", "1,1|3,2");
    plays("a.x,b.x,c.x", "@DiscardPartialsOnMatch [every a=A -> every b=B -> c=C]",
          "A1 A2 B3 B4 C5 C6 B7 C8", "1,3,5 2,3,5 1,4,5 2,4,5");
}

TEST(pat_while_ends_its_part)
{
    plays("a.x", "[(every a=A) while (a.x < 3)]", "A1 A2 A3 A1", "1|2");
    plays("a.x", "[every (a=A while (a.x < 3))]", "A1 A2 A3 A1", "1|2|1");
}

static void at(struct pat_fixture *f, int64_t ms, const char *events, const char *want)
{
    pat_fixture_advance(f, ms);
    (void)pat_fixture_play(f, "");
    CHECK_STR(want, pat_fixture_play(f, events));
}

TEST(pat_silence)
{
    struct pat_fixture f;
    pat_fixture_open(&f, "current_timestamp()", "[every (timer:interval(10 sec) and not A)]");
    at(&f, 0, "A1", "");
    at(&f, 5000, "A2", "");
    at(&f, 11000, "A3", "");
    pat_fixture_advance(&f, 20999);
    CHECK_STR("", pat_fixture_rows(&f));
    pat_fixture_advance(&f, 21000);
    CHECK_STR("21000", pat_fixture_rows(&f));
    pat_fixture_advance(&f, 31000);
    CHECK_STR("31000", pat_fixture_rows(&f));
    pat_fixture_close(&f);
}

TEST(pat_within_around_every_and_inside)
{
    struct pat_fixture f;
    pat_fixture_open(&f, "a.x", "[(every a=A) where timer:within(10 sec)]");
    at(&f, 0, "A1", "1");
    at(&f, 9999, "A2", "2");
    at(&f, 10000, "A3", "");
    pat_fixture_close(&f);
    pat_fixture_open(&f, "a.x", "[every a=A where timer:within(10 sec)]");
    at(&f, 0, "A1", "1");
    at(&f, 15000, "A2", "2");
    at(&f, 40000, "A3", "3");
    pat_fixture_close(&f);
}

TEST(pat_withinmax_ends_with_one_too_many)
{
    struct pat_fixture f;
    pat_fixture_open(&f, "a.x", "[(every a=A) where timer:withinmax(10 sec, 2)]");
    at(&f, 0, "A1 A2 A3", "1|2");
    pat_fixture_close(&f);
}

TEST(pat_schedule_repeats_by_itself)
{
    struct pat_fixture f;
    pat_fixture_open(&f, "current_timestamp()",
                     "[timer:schedule(iso: 'R3/1970-01-01T00:00:10Z/PT5S')]");
    static const int64_t times[] = {10000, 15000, 20000, 25000};
    static const char *const want[] = {"10000", "15000", "20000", ""};
    for (int i = 0; i < 4; i++) {
        pat_fixture_advance(&f, times[i]);
        CHECK_STR(want[i], pat_fixture_rows(&f));
    }
    pat_fixture_close(&f);
}
