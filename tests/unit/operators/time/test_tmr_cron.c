/* SPDX-License-Identifier: Apache-2.0
 *
 * Crontab schedules: what real Esper fires in 1970, and the calendar's corners.
 */
#include "operators/time/tmr_cal.h"
#include "operators/time/tmr_cron.h"
#include "tests/test.h"

#include <stdio.h>

#define DAYS ((int64_t)TMR_DAY)

static struct tmr_cron midnight(void)
{
    struct tmr_cron c;
    struct err e;
    tmr_cron_init(&c);
    CHECK_OK(tmr_cron_add(&c, TMR_CRON_MIN, TMR_CRON_VALUE, 0, 0, &e), e);
    CHECK_OK(tmr_cron_add(&c, TMR_CRON_HOUR, TMR_CRON_VALUE, 0, 0, &e), e);
    return c;
}

/* The next n instants as "MM-DD MM-DD ...". */
static const char *dates(const struct tmr_cron *c, int n)
{
    static char text[256];
    size_t len = 0;
    int64_t at = 0;
    for (int i = 0; i < n; i++) {
        at = tmr_cron_next(c, at);
        struct tmr_date d = tmr_date_of(at);
        len += (size_t)snprintf(text + len, sizeof text - len, "%s%02d-%02d", i > 0 ? " " : "",
                                d.month, d.day);
    }
    return text;
}

static const char *one(enum tmr_cron_field f, enum tmr_cron_kind kind, int64_t a, int64_t b, int n)
{
    struct tmr_cron c = midnight();
    struct err e;
    CHECK_OK(tmr_cron_add(&c, f, kind, a, b, &e), e);
    return dates(&c, n);
}

TEST(cron_picks_days_as_esper_does)
{
    CHECK_STR("01-31 02-28 03-31", one(TMR_CRON_DOM, TMR_CRON_LAST, 0, 0, 3));
    CHECK_STR("01-30 02-27 03-31 04-30 05-29", one(TMR_CRON_DOM, TMR_CRON_LASTWEEKDAY, 0, 0, 5));
    CHECK_STR("01-15 02-16 03-16", one(TMR_CRON_DOM, TMR_CRON_WEEKDAY, 15, 0, 3));
    CHECK_STR("02-02 03-02 04-01 05-01 06-01 07-01 08-03",
              one(TMR_CRON_DOM, TMR_CRON_WEEKDAY, 1, 0, 7));
    CHECK_STR("01-30 02-27 03-30 04-30 05-29", one(TMR_CRON_DOM, TMR_CRON_WEEKDAY, 30, 0, 5));
    CHECK_STR("01-30 02-27 03-27", one(TMR_CRON_DOW, TMR_CRON_LAST_N, 5, 0, 3));
    CHECK_STR("01-03 01-10", one(TMR_CRON_DOW, TMR_CRON_LAST, 0, 0, 2));
    CHECK_STR("01-04 01-11", one(TMR_CRON_DOW, TMR_CRON_VALUE, 7, 7, 2));
    CHECK_STR("01-04 01-11", one(TMR_CRON_DOW, TMR_CRON_STEP, 7, 0, 2));
    CHECK_STR("01-06 01-07 01-08 01-13", one(TMR_CRON_DOW, TMR_CRON_RANGE, 2, 4, 4));
    CHECK_STR("01-05 01-10 01-15 01-20 01-25 01-30 02-05",
              one(TMR_CRON_DOM, TMR_CRON_STEP, 5, 0, 7));
    CHECK_STR("01-30 03-30 04-30", one(TMR_CRON_DOM, TMR_CRON_VALUE, 30, 0, 3));
    CHECK_STR("02-01 02-02", one(TMR_CRON_MONTH, TMR_CRON_STEP, 2, 0, 2));
}

TEST(cron_joins_lists_and_ranges)
{
    struct tmr_cron c = midnight();
    struct err e;
    CHECK_OK(tmr_cron_add(&c, TMR_CRON_DOM, TMR_CRON_VALUE, 3, 0, &e), e);
    CHECK_OK(tmr_cron_add(&c, TMR_CRON_DOM, TMR_CRON_RANGE, 12, 10, &e), e);
    CHECK_STR("01-03 01-10 01-11 01-12 02-03", dates(&c, 5));
}

TEST(cron_counts_minutes_and_seconds)
{
    struct tmr_cron c;
    struct err e;
    tmr_cron_init(&c);
    CHECK_EQ(60000, tmr_cron_next(&c, 0));
    CHECK_EQ(60999, tmr_cron_next(&c, 59999));
    CHECK_EQ(120000, tmr_cron_next(&c, 60000));
    CHECK_OK(tmr_cron_add(&c, TMR_CRON_MIN, TMR_CRON_STEP, 7, 0, &e), e);
    CHECK_EQ(56 * 60000, tmr_cron_next(&c, 49 * 60000));
    CHECK_EQ(60 * 60000, tmr_cron_next(&c, 56 * 60000));
    tmr_cron_init(&c);
    CHECK_OK(tmr_cron_add(&c, TMR_CRON_SEC, TMR_CRON_ANY, 0, 0, &e), e);
    CHECK_EQ(1500, tmr_cron_next(&c, 500));
    CHECK_EQ(2000, tmr_cron_next(&c, 1000));
    tmr_cron_init(&c);
    CHECK_OK(tmr_cron_add(&c, TMR_CRON_MIN, TMR_CRON_STEP, 2, 0, &e), e);
    CHECK_OK(tmr_cron_add(&c, TMR_CRON_SEC, TMR_CRON_VALUE, 10, 0, &e), e);
    CHECK_OK(tmr_cron_add(&c, TMR_CRON_SEC, TMR_CRON_VALUE, 50, 0, &e), e);
    CHECK_EQ(50000, tmr_cron_next(&c, 10000));
    CHECK_EQ(130000, tmr_cron_next(&c, 50000));
    c = midnight();
    CHECK_EQ(DAYS, tmr_cron_next(&c, 0));
    CHECK_EQ(999, tmr_cron_next(&c, -1));
}

TEST(cron_knows_leap_days_and_never)
{
    struct tmr_cron c = midnight();
    struct err e;
    CHECK_OK(tmr_cron_add(&c, TMR_CRON_MONTH, TMR_CRON_VALUE, 2, 0, &e), e);
    CHECK_OK(tmr_cron_add(&c, TMR_CRON_DOM, TMR_CRON_VALUE, 29, 0, &e), e);
    struct tmr_date leap = {.year = 1972, .month = 2, .day = 29};
    CHECK_EQ(tmr_date_ms(&leap), tmr_cron_next(&c, 0));
    c.set[TMR_CRON_DOM] = (uint64_t)1 << 30;
    CHECK_EQ(INT64_MAX, tmr_cron_next(&c, 0));
    CHECK_EQ(INT64_MAX, tmr_cron_next(&c, INT64_MAX));
}

TEST(cron_refuses_what_is_out_of_range)
{
    static const struct {
        enum tmr_cron_field f;
        enum tmr_cron_kind kind;
        int64_t a, b;
    } bad[] = {
        {TMR_CRON_MIN, TMR_CRON_VALUE, 60, 0},   {TMR_CRON_HOUR, TMR_CRON_VALUE, 24, 0},
        {TMR_CRON_DOM, TMR_CRON_VALUE, 0, 0},    {TMR_CRON_DOM, TMR_CRON_RANGE, 5, 32},
        {TMR_CRON_MONTH, TMR_CRON_VALUE, 13, 0}, {TMR_CRON_DOW, TMR_CRON_VALUE, 8, 0},
        {TMR_CRON_SEC, TMR_CRON_VALUE, -1, 0},   {TMR_CRON_MIN, TMR_CRON_STEP, 0, 0},
        {TMR_CRON_DOW, TMR_CRON_LAST_N, 8, 0},   {TMR_CRON_DOM, TMR_CRON_WEEKDAY, 32, 0},
        {TMR_CRON_MIN, TMR_CRON_WEEKDAY, 3, 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct tmr_cron c;
        struct err e;
        tmr_cron_init(&c);
        CHECK(tmr_cron_add(&c, bad[i].f, bad[i].kind, bad[i].a, bad[i].b, &e) < 0);
    }
    struct tmr_cron c = midnight();
    struct err e;
    CHECK_OK(tmr_cron_add(&c, TMR_CRON_DOM, TMR_CRON_VALUE, 1, 0, &e), e);
    CHECK_OK(tmr_cron_check(&c, &e), e);
    CHECK_OK(tmr_cron_add(&c, TMR_CRON_DOW, TMR_CRON_VALUE, 1, 0, &e), e);
    CHECK(tmr_cron_check(&c, &e) < 0);
}

TEST(cron_takes_fixed_zones)
{
    struct tmr_cron c = midnight();
    struct err e;
    CHECK_OK(tmr_cron_zone(&c, SLICE("GMT+2"), &e), e);
    CHECK_EQ(22 * 3600000, tmr_cron_next(&c, 0));
    CHECK_OK(tmr_cron_zone(&c, SLICE("-05:30"), &e), e);
    CHECK_EQ(5 * 3600000 + 1800000, tmr_cron_next(&c, 0));
    CHECK_OK(tmr_cron_zone(&c, SLICE("UTC"), &e), e);
    CHECK_EQ(DAYS, tmr_cron_next(&c, 0));
    CHECK(tmr_cron_zone(&c, SLICE("Mars/Olympus"), &e) < 0);
    CHECK(tmr_cron_zone(&c, SLICE("GMT+99"), &e) < 0);
}
