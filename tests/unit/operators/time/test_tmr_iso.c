/* SPDX-License-Identifier: Apache-2.0
 *
 * ISO 8601 texts and the instants of schedules.
 */
#include "operators/time/tmr_cal.h"
#include "operators/time/tmr_iso.h"
#include "tests/test.h"

#include <stdio.h>

TEST(iso_reads_dates)
{
    static const struct {
        const char *text;
        int64_t ms;
    } good[] = {
        {"1970-01-01", 0},
        {"1970-01-01T00:00:12Z", 12000},
        {"1970-01-01T00:00:12", 12000},
        {"1970-01-01T00:00:12.5Z", 12500},
        {"1970-01-01T00:00:12.123456Z", 12123},
        {"1970-01-01T01:00:12+01:00", 12000},
        {"1970-01-01T01:00:12+0100", 12000},
        {"1969-12-31T23:00-01", 0},
        {"2000-02-29T00:00:00Z", 951782400000},
    };
    static const char *const bad[] = {"",           "1970",           "1970-13-01",
                                      "1970-02-30", "1970-01-01T",    "1970-01-01 00:00:12",
                                      "19700101",   "1970-01-01T00Z", "1970-01-01T00:00:12x"};
    struct err e;
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        int64_t ms = -1;
        CHECK_OK(tmr_iso_date(slice_str(good[i].text), &ms, &e), e);
        CHECK_EQ(good[i].ms, ms);
    }
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        int64_t ms;
        CHECK(tmr_iso_date(slice_str(bad[i]), &ms, &e) < 0);
    }
}

TEST(iso_reads_periods)
{
    static const char *const bad[] = {"",       "P",      "PT",  "P1",     "5S",    "PT5",  "P1DT",
                                      "PT0.5S", "PT5S6M", "P1H", "PT1H2D", "P1D1Y", "PT5Sx"};
    struct tmr_period p;
    struct err e;
    CHECK_OK(tmr_iso_period(SLICE("P1Y2M3W4DT5H6M7S"), &p, &e), e);
    CHECK_EQ(14, p.months);
    CHECK_EQ(25 * (int64_t)TMR_DAY + 5 * TMR_HOUR + 6 * TMR_MIN + 7 * TMR_SEC, p.ms);
    CHECK_OK(tmr_iso_period(SLICE("PT1M"), &p, &e), e);
    CHECK_EQ(0, p.months);
    CHECK_EQ(TMR_MIN, p.ms);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        CHECK(tmr_iso_period(slice_str(bad[i]), &p, &e) < 0);
    }
}

/* Seconds at which the schedule fires when the clock jumps to each of `steps`. */
static const char *fires(const char *iso, const int *steps, size_t n)
{
    static char text[256];
    size_t len = 0;
    struct tmr_schedule s;
    struct tmr_occur o;
    struct err e;
    text[0] = '\0';
    CHECK_OK(tmr_iso_schedule(slice_str(iso), &s, &e), e);
    tmr_schedule_begin(&s, 0, &o);
    bool more = tmr_schedule_next(&s, &o, 0);
    for (size_t i = 0; more && i < n; i++) {
        int64_t now = steps[i] * (int64_t)1000;
        if (o.at <= now) {
            len += (size_t)snprintf(text + len, sizeof text - len, "%d ", steps[i]);
            more = tmr_schedule_next(&s, &o, now);
        }
    }
    return text;
}

TEST(iso_schedules_fire_as_esper_does)
{
    int all[60];
    for (int i = 0; i < 60; i++) {
        all[i] = i + 1;
    }
    CHECK_STR("10 15 20 ", fires("R3/1970-01-01T00:00:10Z/PT5S", all, 60));
    CHECK_STR("10 20 30 40 50 60 ", fires("R/PT10S", all, 60));
    CHECK_STR("10 ", fires("PT10S", all, 60));
    CHECK_STR("10 20 ", fires("R2/PT10S", all, 60));
    CHECK_STR("17 ", fires("1970-01-01T00:00:12Z/PT5S", all, 60));
    CHECK_STR("12 ", fires("1970-01-01T00:00:12Z", all, 60));
    CHECK_STR("", fires("1970-01-01T00:00:00Z", all, 60));
    CHECK_STR("", fires("R0/PT5S", all, 60));
    CHECK_STR("2 ", fires("R2/1969-12-31T23:59:57Z/PT5S", all, 60));
    CHECK_STR("2 7 12 17 22 ", fires("R10/1969-12-31T23:59:37Z/PT5S", all, 60));
    CHECK_STR("", fires("1969-12-31T23:59:52Z/PT5S", all, 60));
    CHECK_STR("20 ", fires("R2/1970-01-01/PT20S", all, 60));
    CHECK_STR("7 17 27 37 47 57 ", fires("R/1969-12-31T23:59:57Z/PT10S", all, 60));
    CHECK_STR("30 60 ", fires("R-1/PT30S", all, 60));
    static const int jumps[] = {12, 13, 14, 16, 18, 36, 37, 41};
    CHECK_STR("12 16 36 ", fires("R4/PT5S", jumps, ARRAY_LEN(jumps)));
    CHECK_STR("12 16 36 41 ", fires("R/PT5S", jumps, ARRAY_LEN(jumps)));
}

TEST(iso_schedules_by_months_step_from_the_last)
{
    struct tmr_schedule s;
    struct tmr_occur o;
    struct err e;
    CHECK_OK(tmr_iso_schedule(SLICE("R3/1970-01-31T00:00:00Z/P1M"), &s, &e), e);
    tmr_schedule_begin(&s, 0, &o);
    static const int days[] = {30, 58, 86};
    int64_t after = 0;
    for (size_t i = 0; i < ARRAY_LEN(days); i++) {
        CHECK(tmr_schedule_next(&s, &o, after));
        CHECK_EQ(days[i], o.at / TMR_DAY);
        after = o.at;
    }
    CHECK(!tmr_schedule_next(&s, &o, after));
    CHECK(!tmr_schedule_next(&s, &o, after));
}

TEST(iso_refuses_odd_schedules)
{
    static const char *const bad[] = {"",
                                      "R",
                                      "R2/1970-01-01T00:00:12Z",
                                      "2/PT5S",
                                      "r3/PT5S",
                                      "PT5S/R3",
                                      "R3/PT5S/1970-01-01",
                                      "R2/PT0S",
                                      "Rx/PT5S",
                                      "R3/1970-01-01/PT5S/PT5S"};
    struct tmr_schedule s;
    struct err e;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        CHECK(tmr_iso_schedule(slice_str(bad[i]), &s, &e) < 0);
    }
}
