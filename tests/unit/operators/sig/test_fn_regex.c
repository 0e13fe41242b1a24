/* SPDX-License-Identifier: Apache-2.0 */
#include "core/base/arena.h"
#include "operators/sig/fn_regex.h"

#include "tests/test.h"

static bool whole(const char *pattern, const char *text)
{
    struct fn_regex *re = NULL;
    struct err err = {0};
    CHECK_OK(fn_regex_new(slice_str(pattern), &re, &err), err);
    bool yes = fn_regex_whole(re, slice_str(text));
    fn_regex_free(re);
    return yes;
}

TEST(regexp_matches_the_whole)
{
    CHECK(whole("a|ab", "ab")); /* the shorter branch is tried first and given up */
    CHECK(!whole("a", "ab"));
    CHECK(whole("", ""));
    CHECK(whole(".*", ""));
    CHECK(!whole("a.c", "a\nc"));
    CHECK(whole("(?s)a.c", "a\nc"));
    CHECK(whole("(?i)ABC", "abc"));
}

TEST(names_of_classes_are_those_of_java)
{
    CHECK(whole("\\p{Alpha}+", "abC"));
    CHECK(!whole("\\p{Alpha}+", "a1"));
    CHECK(whole("[\\p{Digit}x]+", "1x2"));
    CHECK(whole("\\P{Upper}", "a"));
    CHECK(whole("[^\\p{Punct}]", "a"));
    CHECK(whole("\\p{L}+", "\xc3\xa4"));
    CHECK(whole("\\u0041\\x42", "AB"));
    CHECK(whole("\\Qa.b\\E.", "a.bX"));
    CHECK(whole("[a[b]+", "a["));
}

TEST(a_wrong_pattern_says_where)
{
    struct fn_regex *re = NULL;
    struct err err = {0};
    CHECK(fn_regex_new(SLICE("a(b"), &re, &err) != 0);
    CHECK_HAS("a(b", err.msg);
    CHECK(re == NULL);
}

TEST(a_pattern_that_backtracks_without_end_does_not_match)
{
    CHECK(!whole("(a+)+(b+)+c",
                 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaabbbbbbbbbbbbbbbbbbbbbbbbbbd"));
}

TEST(find_gives_groups)
{
    struct arena *a = arena_new(NULL, "test", 1 << 20);
    const struct fn_regex *re = NULL;
    struct err err = {0};
    struct fn_match m;
    CHECK_OK(fn_regex_in(a, SLICE("(\\d+)(x)?"), &re, &err), err);
    CHECK(fn_regex_find(re, SLICE("ab12c3x"), 0, &m));
    CHECK_EQ(3, m.n);
    CHECK_EQ(2, m.from[1]);
    CHECK_EQ(4, m.to[1]);
    CHECK(m.from[2] == SIZE_MAX);
    CHECK(fn_regex_find(re, SLICE("ab12c3x"), m.to[0], &m));
    CHECK_EQ(6, m.from[2]);
    CHECK(!fn_regex_find(re, SLICE("ab12c3x"), 8, &m));
    arena_free(a);
}

static bool like(const char *text, const char *pattern, const char *escape)
{
    return fn_like_match(slice_str(text), slice_str(pattern), slice_str(escape));
}

TEST(like_knows_two_wildcards)
{
    CHECK(like("abc", "a_c", "\\"));
    CHECK(like("abc", "%", "\\"));
    CHECK(like("", "%", "\\"));
    CHECK(!like("", "_", "\\"));
    CHECK(like("abcabd", "%ab%d", "\\"));
    CHECK(!like("abcabd", "%ab_", "!") == false);
    CHECK(like("50%", "%!%", "!"));
    CHECK(!like("50", "%!%", "!"));
    CHECK(like("a_b", "a\\_b", "\\"));
    CHECK(!like("axb", "a\\_b", "\\"));
    CHECK(like("\xe2\x82\xac", "_", "\\"));
    CHECK(!like("ABC", "abc", "\\"));
    CHECK(!like("ab", "a", "\\"));
    CHECK(!like("a", "ab", "\\"));
}
