/* SPDX-License-Identifier: Apache-2.0
 *
 * The calendar: known dates, every day of eight centuries there and back, months clamped.
 */
#include "operators/time/tmr.h"
#include "operators/time/tmr_cal.h"
#include "tests/test.h"

static int64_t ms(int64_t year, int month, int day, int hour)
{
    struct tmr_date d = {.year = year, .month = month, .day = day, .hour = hour};
    return tmr_date_ms(&d);
}

TEST(cal_knows_dates)
{
    CHECK_EQ(0, ms(1970, 1, 1, 0));
    CHECK_EQ(951782400000, ms(2000, 2, 29, 0));
    CHECK_EQ(-62135596800000, ms(1, 1, 1, 0));
    struct tmr_date d = tmr_date_of(1700000000123);
    CHECK_EQ(2023, d.year);
    CHECK_EQ(11, d.month);
    CHECK_EQ(14, d.day);
    CHECK_EQ(22, d.hour);
    CHECK_EQ(13, d.min);
    CHECK_EQ(20, d.sec);
    CHECK_EQ(123, d.ms);
    CHECK_EQ(2, d.dow);
    d = tmr_date_of(-1);
    CHECK_EQ(1969, d.year);
    CHECK_EQ(31, d.day);
    CHECK_EQ(999, d.ms);
    CHECK_EQ(3, d.dow);
}

TEST(cal_goes_there_and_back)
{
    int64_t day = tmr_days(1599, 12, 31);
    for (int64_t year = 1600; year < 2400; year++) {
        for (int month = 1; month <= 12; month++) {
            for (int dom = 1; dom <= tmr_month_days(year, month); dom++) {
                int64_t y;
                int m, d;
                CHECK_EQ(++day, tmr_days(year, month, dom));
                tmr_civil(day, &y, &m, &d);
                CHECK(y == year && m == month && d == dom);
            }
        }
    }
}

TEST(cal_adds_months_within_the_month)
{
    CHECK_EQ(ms(1970, 2, 28, 5), tmr_add_months(ms(1970, 1, 31, 5), 1));
    CHECK_EQ(ms(1972, 2, 29, 5), tmr_add_months(ms(1970, 1, 31, 5), 25));
    CHECK_EQ(ms(1969, 12, 31, 0), tmr_add_months(ms(1970, 1, 31, 0), -1));
    CHECK_EQ(ms(1969, 11, 30, 0), tmr_add_months(ms(1970, 1, 31, 0), -2));
    CHECK_EQ(INT64_MAX, tmr_add_months(0, INT64_MAX));
    CHECK_EQ(INT64_MAX, tmr_add(INT64_MAX, 1));
    CHECK_EQ(INT64_MIN, tmr_add(-5, INT64_MIN));
}
