/* SPDX-License-Identifier: Apache-2.0 */
#include "operators/sig/fn_cal.h"

#include "tests/test.h"

static const char *format(int64_t ms, const char *pattern)
{
    static char out[200];
    struct buf b;
    buf_init(&b, sizeof out - 1);
    CHECK(fn_cal_format(ms, slice_str(pattern), &b));
    memcpy(out, buf_cstr(&b), b.len + 1);
    buf_done(&b);
    return out;
}

static int64_t parse(const char *text, const char *pattern)
{
    int64_t ms = -1;
    CHECK(fn_cal_parse(slice_str(text), slice_str(pattern), 0, &ms));
    return ms;
}

TEST(splitting_and_joining_agree)
{
    uint64_t x = 362436069362436069u;
    for (int i = 0; i < 50000; i++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        int64_t ms = (int64_t)(x % 20000000000000u) - 8000000000000;
        struct fn_cal c = fn_cal_split(ms);
        CHECK(c.month >= 0 && c.month < 12 && c.day >= 1 && c.day <= 31);
        CHECK(c.msec >= 0 && c.hour >= 0 && c.hour < 24);
        CHECK_EQ(ms, fn_cal_join(&c));
    }
}

TEST(fields_beyond_their_range_carry)
{
    struct fn_cal c = {.year = 2023, .month = 13, .day = 30, .hour = 25};
    CHECK_STR("2024-03-02 01:00", format(fn_cal_join(&c), "yyyy-MM-dd HH:mm"));
    c = (struct fn_cal){.year = 2024, .month = -1, .day = 0};
    CHECK_STR("2023-11-30", format(fn_cal_join(&c), "yyyy-MM-dd"));
}

TEST(the_day_before_the_reform_is_julian)
{
    int64_t first = fn_cal_join(&(struct fn_cal){.year = 1582, .month = 9, .day = 15});
    CHECK_STR("1582-10-04", format(first - 1, "yyyy-MM-dd"));
}

TEST(months_are_added_with_the_day_clamped)
{
    int64_t leap = parse("2024-01-31", "yyyy-MM-dd");
    CHECK_STR("2024-02-29", format(fn_cal_add_months(leap, 1), "yyyy-MM-dd"));
    CHECK_STR("2023-02-28", format(fn_cal_add_months(leap, -11), "yyyy-MM-dd"));
    CHECK_STR("2022-12-31", format(fn_cal_add_months(leap, -13), "yyyy-MM-dd"));
}

TEST(weeks_begin_on_sunday)
{
    CHECK_EQ(1, fn_cal_week(0));
    CHECK_EQ(5, fn_cal_weekday(0));
    CHECK_EQ(1, fn_cal_week(parse("2024-12-29", "yyyy-MM-dd")));
    CHECK_EQ(52, fn_cal_week(parse("2024-12-28", "yyyy-MM-dd")));
    CHECK_EQ(53, fn_cal_max(parse("2000-06-01", "yyyy-MM-dd"), FIELD_WEEK));
    CHECK_STR("2000-12-25",
              format(fn_cal_set(parse("2000-06-05", "yyyy-MM-dd"), FIELD_WEEK, 53), "yyyy-MM-dd"));
}

TEST(rounding)
{
    int64_t t = parse("2024-02-29 12:30:45.678", "yyyy-MM-dd HH:mm:ss.SSS");
    CHECK_STR("2024-02-29 12:00", format(fn_cal_floor(t, FIELD_HOUR), "yyyy-MM-dd HH:mm"));
    CHECK_STR("2024-02-29 13:00", format(fn_cal_half(t, FIELD_HOUR), "yyyy-MM-dd HH:mm"));
    CHECK_STR("2025-01-01 00:00", format(fn_cal_ceiling(t, FIELD_YEAR), "yyyy-MM-dd HH:mm"));
    CHECK_EQ(t, fn_cal_ceiling(t, FIELD_MSEC));
    CHECK_EQ(3600000, fn_cal_ceiling(0, FIELD_HOUR));
    CHECK_EQ(-86400000, fn_cal_floor(-1, FIELD_DAY));
}

TEST(patterns_are_checked)
{
    struct err err = {0};
    CHECK_OK(fn_cal_pattern(SLICE("yyyy-MM-dd'T'HH:mm:ss.SSSXXX"), &err), err);
    CHECK(fn_cal_pattern(SLICE("yyyy-qq"), &err) != 0);
    CHECK_HAS("qq", err.msg);
    CHECK(fn_cal_pattern(SLICE("yyyy 'at"), &err) != 0);
}

TEST(dates_are_read_by_patterns)
{
    CHECK_EQ(86401000, parse("1970-01-02 00:00:01", "yyyy-MM-dd HH:mm:ss"));
    CHECK_EQ(1580548272000, parse("01/Feb/2020:10:11:12 +0100", "dd/MMM/yyyy:HH:mm:ss Z"));
    CHECK_EQ(1577923200000, parse("20200102rest", "yyyyMMdd"));
    CHECK_EQ(parse("1999", "yyyy"), parse("99", "yy"));
    CHECK_EQ(1577865600500, parse("2020-01-01T10:00:00.500+02:00", "iso"));
    int64_t ms = 0;
    CHECK(!fn_cal_parse(SLICE("x"), SLICE("yyyy"), 0, &ms));
    CHECK(!fn_cal_parse(SLICE("2020-01-01T10:00:00 and more"), SLICE("iso"), 0, &ms));
    CHECK(!fn_cal_parse(SLICE(""), SLICE("HH"), 0, &ms));
}
