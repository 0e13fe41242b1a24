/* SPDX-License-Identifier: Apache-2.0
 *
 * Saved and loaded, a pattern and match_recognize go on as they would have: every kind of node, by
 * chance; and wrong bytes are refused.
 */
#include "tests/test.h"
#include "tests/unit/operators/pattern/state_rig.h"

#include <stdio.h>

enum { ROUNDS = 40, BROKEN = 200 };

static const char *const patterns[][2] = {
    {"a.id,a.x", "[every a=A(x>1)]"},
    {"a.x", "[every (a=A or b=B -> c=C)]"},
    {"a.id,a.x,b.x", "[every a=A -> b=B(id=a.id)]"},
    {"a.id,a.x,b.x,c.x", "[every (a=A -> b=B(id=a.id) -> c=C(x>=b.x))]"},
    {"a.x,b.x,c.x", "[every a=A(x=2) -> every b=B(id=a.id, x=1) -> c=C(id=a.id)]"},
    {"a.x,b.x", "[every a=A -> b=B(id=a.id) where timer:within(2 sec)]"},
    {"a.x,b.x", "[every (a=A -> b=B) where timer:within(3 sec)]"},
    {"a.x", "[every c=C -> (every a=A) where timer:withinmax(4 sec, 2)]"},
    {"a.x,b.x", "[every ((a=A -> b=B(x>1)) while (a.x<3))]"},
    {"a.id,a.x", "[every-distinct(a.id) a=A]"},
    {"a.id,a.x", "[every-distinct(a.id, a.x, 4 sec) a=A]"},
    {"a.x,b.x,c.x", "[every-distinct(a.x, b.id, 9 sec) (a=A -> b=B) -> c=C]"},
    {"a.x,c.x", "[every-distinct(c.x, 5 sec) (a=A or c=C)]"},
    {"a.x", "[every-distinct(a.x) (a=A where timer:within(6 sec))]"},
    {"a.x,b.x,c.x", "[every a=A -[2]> b=B(id=a.id) -[1]> c=C]"},
    {"a.x,b.x", "[every (a=A and b=B)]"},
    {"a.x,b.x", "[every a=A(x=1, id='p') and every b=B(x=2)]"},
    {"a.x,b.x,c.x", "[every (a=A -> (b=B and c=C and not A(x=3)))]"},
    {"a.x,b.x", "[every (a=A or b=B(x>0))]"},
    {"a.x,b.x", "[every a=A -> (timer:interval(2 sec) and not b=B(id=a.id))]"},
    {"a.x,b.x", "[every a=A -> (b=B(x=a.x) or timer:interval(1500 msec))]"},
    {"a[0].x,a[1].x,b.x", "[every ([2] a=A -> b=B)]"},
    {"a[0].x,a[1].x,a[2].x,b.x", "[every (a=A until b=B)]"},
    {"a[0].x,a[1].x,a[2].x,c.x", "[every ([1:3] a=A(id='p') until c=C)]"},
    {"a[0].x,b[0].x,b[1].x,c.x", "[every ([2:] (a=A -> b=B(x>=a.x)) until c=C)]"},
    {"a[0].x,a[1].x,b.x", "[every (b=B -> [2] a=A(x>=b.x)) where timer:within(6 sec)]"},
    {"a[0].x,a[1].x", "[every (a=A until timer:interval(3 sec))]"},
    {"1", "[every timer:interval(2 sec)]"},
    {"a.x", "[every a=A -> timer:interval(1 sec) -> timer:interval(2 sec)]"},
    {"1", "[every timer:at(*, *, *, *, *, */7)]"},
    {"a.x", "[every a=A -> timer:at(*, *, *, *, *, */3)]"},
    {"1", "[timer:schedule(iso: 'R/1970-01-01T00:00:01Z/PT3S')]"},
    {"1", "[every timer:schedule(period: 2 sec, repetitions: 300)]"},
    {"a.x", "[every a=A -> timer:schedule(period: 2 sec)]"},
    {"a.x,b.x", "[every a=A@consume(2) or every b=A(x>1)@consume(1) or every A(x=0)]"},
    {"a.id,b.id,c.id", "@DiscardPartialsOnMatch [every a=A -> b=B -> c=C]"},
    {"a.x,b.x,c.x", "@DiscardPartialsOnMatch [every a=A -[2]> b=B(x>=a.x) -> c=C]"},
    {"a.x,b.x", "@SuppressOverlappingMatches [every a=A -> every b=B(x=a.x)]"},
    {"a[0].x,b.x", "@DiscardPartialsOnMatch [every ((a=A until C) and b=B)]"},
};

static const char *const recognize[] = {
    "measures a.x as ax, b.x as bx pattern (a b) define b as b.x > a.x",
    "partition by id measures a.x as ax, b[0].x as b0, last(b.x) as bl, c.x as cx pattern (a b* c) "
    "define a as a.x = 0, b as b.x > 0, c as c.x = 0",
    "partition by id measures a.x as ax, c.x as cx after match skip to next row "
    "pattern (a b+ c) define b as b.x >= a.x, c as c.x > prev(c.x, 1)",
    "measures a.x as ax, b[0].x as b0, count(b.x) as n all matches after match skip to current row "
    "pattern (a b{1,2} c?) define a as a.x < 2, c as c.x > prev(c.x, 2)",
    "partition by id measures a.x as ax, count(b.x) as n pattern (a b*) interval 3 seconds "
    "define b as b.x > a.x",
    "measures a.x as ax, count(b.x) as n all matches pattern (a b*) interval 2 seconds or "
    "terminated define a as a.x < 2, b as b.x > 0",
    "measures a[0].x as ax, b.x as bx, c.x as cx pattern ((a b | b c) a*) define a as a.x = 1, b "
    "as "
    "b.x > 0, c as c.x > 1",
};

static const char *pattern_text(size_t i)
{
    static char text[1000];
    char cols[200] = "";
    size_t len = 0;
    int col = 0;
    for (const char *at = patterns[i][0]; *at != '\0'; col++) {
        size_t n = strcspn(at, ",");
        len += (size_t)snprintf(cols + len, sizeof cols - len, "%s%.*s as c%d", col > 0 ? ", " : "",
                                (int)n, at, col);
        at += n + (at[n] == ',');
    }
    (void)snprintf(text, sizeof text, "select %s from pattern %s", cols, patterns[i][1]);
    return text;
}

static const char *recognize_text(size_t i)
{
    static char text[1000];
    (void)snprintf(text, sizeof text, "select * from A match_recognize (%s)", recognize[i]);
    return text;
}

TEST(pat_goes_on_as_it_would_have_when_loaded)
{
    for (size_t i = 0; i < ARRAY_LEN(patterns); i++) {
        rig_compare(pattern_text(i), 100 + (uint32_t)i, ROUNDS);
    }
}

TEST(pat_refuses_wrong_bytes)
{
    for (size_t i = 0; i < ARRAY_LEN(patterns); i++) {
        rig_break(pattern_text(i), 1 + (uint32_t)i, BROKEN);
    }
}

TEST(mr_goes_on_as_it_would_have_when_loaded)
{
    for (size_t i = 0; i < ARRAY_LEN(recognize); i++) {
        rig_compare(recognize_text(i), 200 + (uint32_t)i, ROUNDS);
    }
}

TEST(mr_refuses_wrong_bytes)
{
    for (size_t i = 0; i < ARRAY_LEN(recognize); i++) {
        rig_break(recognize_text(i), 50 + (uint32_t)i, BROKEN);
    }
}
