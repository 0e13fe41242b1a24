/* SPDX-License-Identifier: Apache-2.0
 *
 * Relations of intervals: every one against 27 intervals j that lie in all ways about the interval
 * m of 10 to 15 seconds, as an independent engine answers.
 */
#include "fn_fixture.h"

#include "tests/test.h"

#include <stdio.h>

static const int64_t intervals[][2] = {
    {2000, 9000},   {2000, 9500},   {2000, 6000},   {2000, 10000},  {8000, 11000},  {8000, 13000},
    {8000, 10500},  {8000, 15000},  {8000, 16000},  {8000, 20000},  {10000, 12000}, {10000, 15000},
    {10000, 17000}, {10500, 15000}, {11000, 12000}, {11000, 14000}, {12000, 13000}, {12000, 14500},
    {12000, 15000}, {12000, 15500}, {12000, 18000}, {14500, 16000}, {15000, 16000}, {15500, 17000},
    {16000, 17000}, {18000, 19000}, {19000, 20000},
};

struct relation {
    const char *text, *want;
};

#define RELATION(text, want) {text, want},
static const struct relation relations[] = {
#include "facts_interval.def"
};
#undef RELATION

TEST(relations_of_intervals)
{
    struct fn_fixture f;
    int bad = 0;
    fn_fixture_init(&f);
    for (size_t i = 0; i < ARRAY_LEN(relations); i++) {
        for (size_t k = 0; k < ARRAY_LEN(intervals); k++) {
            struct dat v = fn_fixture_pair(&f, relations[i].text, intervals[k][0], intervals[k][1],
                                           10000, 15000);
            if (v.kind != DAT_BOOL || v.b != (relations[i].want[k] == '1')) {
                fprintf(stderr, "  %s, interval %zu: want %c\n", relations[i].text, k,
                        relations[i].want[k]);
                bad++;
            }
        }
    }
    fn_fixture_done(&f);
    CHECK_EQ(0, bad);
}

TEST(relations_want_times)
{
    struct fn_fixture f;
    fn_fixture_init(&f);
    CHECK_EQ(DAT_CAUSES, fn_fixture_pair(&f, "j.before()", 0, 1, 2, 3).kind);
    CHECK_EQ(DAT_CAUSES, fn_fixture_pair(&f, "j.before(j.name)", 0, 1, 2, 3).kind);
    CHECK_EQ(DAT_CAUSES, fn_fixture_pair(&f, "j.p.before(m)", 0, 1, 2, 3).kind);
    CHECK_EQ(DAT_LONG, fn_fixture_pair(&f, "j.plus(1 sec)", 0, 1, 2, 3).kind);
    fn_fixture_done(&f);
}
