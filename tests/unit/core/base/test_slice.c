/* SPDX-License-Identifier: Apache-2.0 */
#include "core/base/slice.h"

#include "tests/test.h"

#include <math.h>

TEST(slice_compares_bytes)
{
    CHECK(slice_eq(SLICE("ab"), SLICE("ab")));
    CHECK(!slice_eq(SLICE("ab"), SLICE("aB")));
    CHECK(slice_eq(SLICE_NONE, SLICE("")));
    CHECK(slice_cmp(SLICE("a"), SLICE("ab")) < 0);
    CHECK(slice_cmp(SLICE("b"), SLICE("ab")) > 0);
    CHECK(slice_cmp(slice_of("a\0b", 3), slice_of("a\0c", 3)) < 0);
    CHECK(slice_eq_nocase(SLICE("Content-Type"), SLICE("content-tYPE")));
}

TEST(slice_searches)
{
    struct slice s = SLICE("topic=kaiju.logs");
    CHECK_EQ(5, slice_find(s, '='));
    CHECK_EQ(s.len, slice_find(s, '!'));
    CHECK_EQ(6, slice_find_slice(s, SLICE("kaiju")));
    CHECK_EQ(s.len, slice_find_slice(s, SLICE("kaijuu")));
    CHECK(slice_starts(s, SLICE("topic")) && slice_ends(s, SLICE("logs")));
    CHECK(!slice_starts(SLICE("to"), SLICE("topic")));
    CHECK_SLICE("x y", slice_trim(SLICE(" \t x y\r\n")));
}

TEST(slice_splits_to_the_last_part)
{
    struct slice rest = SLICE("a,,b,"), part;
    const char *want[] = {"a", "", "b", ""};
    size_t n = 0;
    while (slice_split(&rest, ',', &part)) {
        CHECK(n < ARRAY_LEN(want));
        CHECK_SLICE(want[n], part);
        n++;
    }
    CHECK_EQ(4, n);
}

TEST(slice_parses_integers_exactly)
{
    int64_t i = 7;
    uint64_t u = 7;
    CHECK(slice_to_i64(SLICE("-9223372036854775808"), &i) && i == INT64_MIN);
    CHECK(slice_to_i64(SLICE("+9223372036854775807"), &i) && i == INT64_MAX);
    CHECK(!slice_to_i64(SLICE("9223372036854775808"), &i) && i == INT64_MAX);
    CHECK(slice_to_u64(SLICE("18446744073709551615"), &u) && u == UINT64_MAX);
    CHECK(!slice_to_u64(SLICE("18446744073709551616"), &u));
    CHECK(!slice_to_i64(SLICE(""), &i) && !slice_to_i64(SLICE("-"), &i));
    CHECK(!slice_to_i64(SLICE("1 "), &i) && !slice_to_u64(SLICE("-1"), &u));
}

TEST(slice_parses_doubles)
{
    double d = 0;
    CHECK(slice_to_f64(SLICE("-1.5e3"), &d) && d == -1500);
    CHECK(slice_to_f64(SLICE("NaN"), &d) && isnan(d));
    CHECK(slice_to_f64(SLICE("+Inf"), &d) && isinf(d));
    CHECK(slice_to_f64(SLICE("1e-400"), &d) && d == 0);
    CHECK(!slice_to_f64(SLICE("1e400"), &d));
    CHECK(!slice_to_f64(SLICE("1x"), &d) && !slice_to_f64(SLICE(" 1"), &d));
}

TEST(slice_knows_utf8)
{
    CHECK(slice_is_utf8(SLICE("plain")) &&
          slice_is_utf8(SLICE("\xc3\xbc \xe2\x82\xac \xf0\x9f\x90\x89")));
    CHECK(slice_is_utf8(slice_of("a\0b", 3)));
    CHECK(!slice_is_utf8(SLICE("\xc0\xaf")));         /* overlong */
    CHECK(!slice_is_utf8(SLICE("\xed\xa0\x80")));     /* surrogate */
    CHECK(!slice_is_utf8(SLICE("\xf4\x90\x80\x80"))); /* above U+10FFFF */
    CHECK(!slice_is_utf8(SLICE("\xe2\x82")));         /* cut */
    CHECK(!slice_is_utf8(SLICE("\x80")));
}

TEST(slice_distance_finds_typos)
{
    CHECK_EQ(0, slice_distance(SLICE("Broker"), SLICE("broker"), 3));
    CHECK_EQ(1, slice_distance(SLICE("brokr"), SLICE("broker"), 3));
    CHECK_EQ(3, slice_distance(SLICE("kitten"), SLICE("sitting"), 3));
    CHECK_EQ(3, slice_distance(SLICE("abcdef"), SLICE("uvwxyz"), 2));
}
