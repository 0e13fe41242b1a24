/* SPDX-License-Identifier: Apache-2.0
 *
 * Every function and method against what an independent engine says of it: FACT(expression, value
 * for event 0, for event 1, for event 2); "ERR" for expressions that do not bind, NULL where it is
 * not known or not to be imitated.
 */
#include "fn_fixture.h"

#include "tests/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct fact {
    const char *text, *want[3];
};

/* Numbers by value, the rest as it stands. */
static bool same(const char *want, const char *got)
{
    while (*want != '\0' && *got != '\0') {
        bool number = (*want >= '0' && *want <= '9') && (*got >= '0' && *got <= '9');
        if (number) {
            char *w = NULL, *g = NULL;
            double x = strtod(want, &w), y = strtod(got, &g);
            double d = x > y ? x - y : y - x, top = x > y ? x : y;
            if (d > 1e-12 * top) {
                return false;
            }
            want = w;
            got = g;
        } else if (*want++ != *got++) {
            return false;
        }
    }
    return *want == *got;
}

static void check(const struct fact *facts, size_t n, bool bag)
{
    struct fn_fixture f;
    struct buf out;
    int bad = 0;
    fn_fixture_init(&f);
    buf_init(&out, 1 << 16);
    for (size_t i = 0; i < n; i++) {
        for (int k = 0; k < 3; k++) {
            const char *want = facts[i].want[k];
            const char *got =
                want == NULL ? ""
                             : fn_fixture_run(&f, bag ? f.bag : f.misc, k, facts[i].text, &out);
            if (want != NULL && !same(want, got)) {
                fprintf(stderr, "  %s, event %d: want %s, got %s\n", facts[i].text, k, want, got);
                bad++;
            }
        }
    }
    buf_done(&out);
    fn_fixture_done(&f);
    CHECK_EQ(0, bad);
}

#define FACT(text, zero, one, two) {text, {zero, one, two}},

static const struct fact misc_facts[] = {
#include "facts_misc.def"
};
static const struct fact date_facts[] = {
#include "facts_date.def"
};
static const struct fact enum_facts[] = {
#include "facts_enum.def"
};
#undef FACT

TEST(functions_of_strings_numbers_and_maps)
{
    check(misc_facts, ARRAY_LEN(misc_facts), false);
}

TEST(date_time_methods)
{
    check(date_facts, ARRAY_LEN(date_facts), false);
}

TEST(enumeration_methods)
{
    check(enum_facts, ARRAY_LEN(enum_facts), true);
}
