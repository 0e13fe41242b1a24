/* SPDX-License-Identifier: Apache-2.0 */
#include "core/codec/utf8.h"

#include "tests/test.h"

static bool valid(const char *s)
{
    return utf8_valid(slice_str(s));
}

TEST(utf8_accepts_what_unicode_allows)
{
    CHECK(valid("") && valid("plain") && valid("longer than eight bytes of ascii"));
    CHECK(valid("\xc2\x80") && valid("\xdf\xbf") && valid("\xe0\xa0\x80") && valid("\xed\x9f\xbf"));
    CHECK(valid("\xee\x80\x80") && valid("\xf0\x90\x80\x80") && valid("\xf4\x8f\xbf\xbf"));
    CHECK(valid("eight by\xe2\x82\xac and a tail"));
    CHECK(utf8_valid(slice_of("a\0b", 3)));
}

TEST(utf8_refuses_everything_else)
{
    static const char *const bad[] = {
        "\x80",         "\xbf",     "\xc0\x80",         "\xc1\xbf",         "\xc2",
        "\xe0\x9f\xbf", "\xe2\x82", "\xed\xa0\x80",     "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80",
        "\xf5\x80",     "\xff",     "eight by\xe2\x82", "1234567\xc3",      "\xe2\x28\xa1",
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        CHECK(!valid(bad[i]));
        CHECK(slice_is_utf8(slice_str(bad[i])) == valid(bad[i]));
    }
}

static void check_repair(const char *want, const char *bytes, size_t n)
{
    char out[256];
    struct slice s = slice_of(bytes, n);
    size_t len = utf8_repaired_len(s);
    CHECK(len < sizeof out);
    CHECK_EQ(len, utf8_repair(out, s) - out);
    CHECK_SLICE(want, slice_of(out, len));
    CHECK(utf8_valid(slice_of(out, len)));
}

#define FFFD "\xef\xbf\xbd"

TEST(utf8_repairs_each_bad_run_with_one_character)
{
    check_repair("ok", "ok", 2);
    check_repair("a" FFFD "b",
                 "a\xff"
                 "b",
                 3);
    /* The example of the Unicode standard, table 3-8: truncated sequences are one run each. */
    check_repair("a" FFFD FFFD FFFD "b" FFFD "c" FFFD FFFD "d",
                 "a\xf1\x80\x80\xe1\x80\xc2"
                 "b\x80"
                 "c\x80\xbf"
                 "d",
                 13);
    check_repair(FFFD FFFD FFFD, "\xed\xa0\x80", 3);
    check_repair(FFFD, "\xf0\x9f\x98", 3);
}

TEST(utf8_agrees_with_slice_is_utf8_on_all_short_strings)
{
    char s[3];
    for (unsigned v = 0; v < 1u << 24; v += 7) {
        s[0] = (char)v;
        s[1] = (char)(v >> 8);
        s[2] = (char)(v >> 16);
        CHECK(utf8_valid(slice_of(s, 3)) == slice_is_utf8(slice_of(s, 3)));
    }
}
