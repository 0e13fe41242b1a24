/* SPDX-License-Identifier: Apache-2.0
 *
 * Calendar arithmetic. See fn_cal.h.
 */
#include "operators/sig/fn_cal.h"

#include <assert.h>

enum {
    DAY_MS = 86400000,
    GREGORIAN_FROM = -141427, /* days since 1970 of 15 October 1582 */
    YEAR_MAX = 292278994,     /* of 64 bits of milliseconds */
};

struct field_name {
    const char *names[3];
    enum fn_field field;
};

static const struct field_name field_names[] = {
    {{"msec", "millisecond", "milliseconds"}, FIELD_MSEC},
    {{"sec", "second", "seconds"}, FIELD_SECOND},
    {{"min", "minute", "minutes"}, FIELD_MINUTE},
    {{"hour", "hours", NULL}, FIELD_HOUR},
    {{"day", "days", NULL}, FIELD_DAY},
    {{"week", "weeks", NULL}, FIELD_WEEK},
    {{"month", "months", NULL}, FIELD_MONTH},
    {{"year", "years", NULL}, FIELD_YEAR},
};

enum fn_field fn_cal_field(struct slice name)
{
    for (size_t i = 0; i < ARRAY_LEN(field_names); i++) {
        for (int k = 0; k < 3 && field_names[i].names[k] != NULL; k++) {
            if (slice_eq_nocase(name, slice_str(field_names[i].names[k]))) {
                return field_names[i].field;
            }
        }
    }
    return FIELD_NONE;
}

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0 ? 1 : 0);
}

/* Years are counted from March, so that the leap day is the last of its year. */
static int64_t days_gregorian(int64_t y, int64_t m, int64_t d) /* m from 1 */
{
    y -= m <= 2;
    int64_t era = floor_div(y, 400), yoe = y - era * 400;
    int64_t doy = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
    return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

static int64_t days_julian(int64_t y, int64_t m, int64_t d)
{
    y -= m <= 2;
    int64_t era = floor_div(y, 4), yoe = y - era * 4;
    int64_t doy = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
    return era * 1461 + yoe * 365 + doy - 719470;
}

static int64_t days_of(int64_t y, int64_t m, int64_t d)
{
    int64_t n = days_gregorian(y, m, d);
    return n >= GREGORIAN_FROM ? n : days_julian(y, m, d);
}

static void civil(int64_t days, struct fn_cal *c)
{
    int64_t y = 0, doy = 0;
    if (days >= GREGORIAN_FROM) {
        int64_t z = days + 719468;
        int64_t era = floor_div(z, 146097), doe = z - era * 146097;
        int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
        y = yoe + era * 400;
        doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    } else {
        int64_t z = days + 719470;
        int64_t era = floor_div(z, 1461), doe = z - era * 1461;
        int64_t yoe = (doe - doe / 1460) / 365;
        y = yoe + era * 4;
        doy = doe - 365 * yoe;
    }
    int64_t mp = (5 * doy + 2) / 153;
    c->day = doy - (153 * mp + 2) / 5 + 1;
    c->month = mp < 10 ? mp + 2 : mp - 10;
    c->year = y + (c->month <= 1 ? 1 : 0);
}

struct fn_cal fn_cal_split(int64_t ms)
{
    struct fn_cal c = {0};
    int64_t rest = ms % DAY_MS;
    rest = rest < 0 ? rest + DAY_MS : rest;
    civil(floor_div(ms, DAY_MS), &c);
    c.hour = rest / 3600000;
    c.minute = rest / 60000 % 60;
    c.second = rest / 1000 % 60;
    c.msec = rest % 1000;
    return c;
}

int64_t fn_cal_join(const struct fn_cal *c)
{
    int64_t year = c->year + floor_div(c->month, 12);
    int64_t month = c->month - floor_div(c->month, 12) * 12;
    assert(month >= 0 && month < 12);
    int64_t first = days_gregorian(year, month + 1, 1);
    if (first + c->day - 1 < GREGORIAN_FROM) {
        first = days_julian(year, month + 1, 1);
    }
    uint64_t days = (uint64_t)first + (uint64_t)c->day - 1;
    uint64_t ms = days * (uint64_t)DAY_MS + (uint64_t)c->hour * 3600000u +
                  (uint64_t)c->minute * 60000u + (uint64_t)c->second * 1000u + (uint64_t)c->msec;
    return (int64_t)ms;
}

int fn_cal_weekday(int64_t ms)
{
    int64_t days = floor_div(ms, DAY_MS) + 4; /* 1970 began on a Thursday */
    return (int)(days - floor_div(days, 7) * 7) + 1;
}

static int64_t year_start(int64_t year) /* in days */
{
    return days_of(year, 1, 1);
}

int fn_cal_yearday(int64_t ms)
{
    struct fn_cal c = fn_cal_split(ms);
    return (int)(floor_div(ms, DAY_MS) - year_start(c.year)) + 1;
}

static int64_t week_one(int64_t year) /* the Sunday that begins the week of 1 January, in days */
{
    int64_t first = year_start(year);
    return first - (fn_cal_weekday(first * DAY_MS) - 1);
}

int fn_cal_week(int64_t ms)
{
    int64_t days = floor_div(ms, DAY_MS);
    struct fn_cal c = fn_cal_split(ms);
    if (days >= week_one(c.year + 1)) {
        return 1;
    }
    return (int)((days - week_one(c.year)) / 7) + 1;
}

int64_t fn_cal_get(int64_t ms, enum fn_field f)
{
    struct fn_cal c = fn_cal_split(ms);
    switch (f) {
    case FIELD_MSEC: return c.msec;
    case FIELD_SECOND: return c.second;
    case FIELD_MINUTE: return c.minute;
    case FIELD_HOUR: return c.hour;
    case FIELD_DAY: return c.day;
    case FIELD_WEEK: return fn_cal_week(ms);
    case FIELD_MONTH: return c.month;
    default: return c.year;
    }
}

int64_t fn_cal_set(int64_t ms, enum fn_field f, int64_t value)
{
    struct fn_cal c = fn_cal_split(ms);
    switch (f) {
    case FIELD_MSEC: c.msec = value; break;
    case FIELD_SECOND: c.second = value; break;
    case FIELD_MINUTE: c.minute = value; break;
    case FIELD_HOUR: c.hour = value; break;
    case FIELD_DAY: c.day = value; break;
    case FIELD_WEEK: { /* the day of the week stays */
        int64_t day = week_one(c.year) + (value - 1) * 7 + fn_cal_weekday(ms) - 1;
        return day * DAY_MS + (ms - floor_div(ms, DAY_MS) * DAY_MS);
    }
    case FIELD_MONTH: c.month = value; break;
    default: c.year = value; break;
    }
    return fn_cal_join(&c);
}

static int64_t month_days(int64_t year, int64_t month)
{
    int64_t next = month == 11 ? year_start(year + 1) : days_of(year, month + 2, 1);
    return next - days_of(year, month + 1, 1);
}

int64_t fn_cal_max(int64_t ms, enum fn_field f)
{
    struct fn_cal c = fn_cal_split(ms);
    switch (f) {
    case FIELD_MSEC: return 999;
    case FIELD_SECOND:
    case FIELD_MINUTE: return 59;
    case FIELD_HOUR: return 23;
    case FIELD_DAY: return month_days(c.year, c.month);
    case FIELD_WEEK: return (week_one(c.year + 1) - week_one(c.year)) / 7;
    case FIELD_MONTH: return 11;
    default:
        c.year = YEAR_MAX;
        return fn_cal_join(&c) > 0 ? YEAR_MAX : YEAR_MAX - 1; /* did it wrap? */
    }
}

int64_t fn_cal_min(enum fn_field f)
{
    return f == FIELD_DAY || f == FIELD_WEEK || f == FIELD_YEAR ? 1 : 0;
}

int64_t fn_cal_floor(int64_t ms, enum fn_field f)
{
    struct fn_cal c = fn_cal_split(ms);
    c.msec = f > FIELD_MSEC ? 0 : c.msec;
    c.second = f > FIELD_SECOND ? 0 : c.second;
    c.minute = f > FIELD_MINUTE ? 0 : c.minute;
    c.hour = f > FIELD_HOUR ? 0 : c.hour;
    if (f == FIELD_WEEK) {
        c.day -= fn_cal_weekday(ms) - 1;
    } else if (f > FIELD_WEEK) {
        c.day = 1;
    }
    c.month = f > FIELD_MONTH ? 0 : c.month;
    return fn_cal_join(&c);
}

static int64_t next_of(int64_t floor, enum fn_field f)
{
    struct fn_cal c = fn_cal_split(floor);
    int64_t *const parts[] = {&c.msec, &c.second, &c.minute, &c.hour,
                              &c.day,  &c.day,    &c.month,  &c.year};
    *parts[f] += f == FIELD_WEEK ? 7 : 1;
    return fn_cal_join(&c);
}

int64_t fn_cal_ceiling(int64_t ms, enum fn_field f)
{
    return f == FIELD_MSEC ? ms : next_of(fn_cal_floor(ms, f), f);
}

int64_t fn_cal_half(int64_t ms, enum fn_field f)
{
    struct fn_cal c = fn_cal_split(ms);
    bool up = false;
    switch (f) { /* the next smaller field decides */
    case FIELD_MSEC: return ms;
    case FIELD_SECOND: up = c.msec >= 500; break;
    case FIELD_MINUTE: up = c.second >= 30; break;
    case FIELD_HOUR: up = c.minute >= 30; break;
    case FIELD_DAY: up = c.hour >= 12; break;
    case FIELD_WEEK: up = fn_cal_weekday(ms) > 4; break;
    case FIELD_MONTH: up = c.day - 1 > (month_days(c.year, c.month) - 1) / 2; break;
    default: up = c.month > 5; break;
    }
    return up ? fn_cal_ceiling(ms, f) : fn_cal_floor(ms, f);
}

int64_t fn_cal_add_months(int64_t ms, int64_t months)
{
    struct fn_cal c = fn_cal_split(ms);
    int64_t total = c.month + months;
    c.year += floor_div(total, 12);
    c.month = total - floor_div(total, 12) * 12;
    c.day = MIN(c.day, month_days(c.year, c.month));
    return fn_cal_join(&c);
}
