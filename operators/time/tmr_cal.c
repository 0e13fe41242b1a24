/* SPDX-License-Identifier: Apache-2.0
 *
 * See tmr_cal.h. Years are counted from March, which puts the leap day at the end: then the days
 * before month m of such a year are (153 * m + 2) / 5, and 400 years are 146097 days.
 */
#include "operators/time/tmr_cal.h"

#include "operators/time/tmr.h"

#include <assert.h>

enum { ERA_DAYS = 146097, EPOCH_DAYS = 719468 /* from 0000-03-01 to 1970-01-01 */ };

int64_t tmr_days(int64_t year, int month, int day)
{
    assert(month >= 1 && month <= 12);
    int64_t y = month <= 2 ? year - 1 : year;
    int64_t era = tmr_floor_div(y, 400), of_era = y - era * 400;
    int from_march = (month + 9) % 12;
    int64_t of_year = (153 * from_march + 2) / 5 + day - 1;
    return era * ERA_DAYS + of_era * 365 + of_era / 4 - of_era / 100 + of_year - EPOCH_DAYS;
}

void tmr_civil(int64_t days, int64_t *ret_year, int *ret_month, int *ret_day)
{
    int64_t z = days + EPOCH_DAYS;
    int64_t era = tmr_floor_div(z, ERA_DAYS), d = z - era * ERA_DAYS;
    int64_t year = (d - d / 1460 + d / 36524 - d / 146096) / 365;
    int64_t of_year = d - (365 * year + year / 4 - year / 100);
    int from_march = (int)((5 * of_year + 2) / 153);
    int month = from_march < 10 ? from_march + 3 : from_march - 9;
    *ret_day = (int)(of_year - (153 * from_march + 2) / 5 + 1);
    *ret_month = month;
    *ret_year = era * 400 + year + (month <= 2 ? 1 : 0);
}

int tmr_month_days(int64_t year, int month)
{
    static const int8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    assert(month >= 1 && month <= 12);
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return month == 2 && leap ? 29 : days[month - 1];
}

struct tmr_date tmr_date_of(int64_t ms)
{
    struct tmr_date d;
    int64_t days = tmr_floor_div(ms, TMR_DAY), rest = ms - days * TMR_DAY;
    tmr_civil(days, &d.year, &d.month, &d.day);
    d.hour = (int)(rest / TMR_HOUR);
    d.min = (int)(rest / TMR_MIN % 60);
    d.sec = (int)(rest / TMR_SEC % 60);
    d.ms = (int)(rest % TMR_SEC);
    d.dow = (int)(days + 4 - tmr_floor_div(days + 4, 7) * 7);
    return d;
}

int64_t tmr_date_ms(const struct tmr_date *d)
{
    return tmr_days(d->year, d->month, d->day) * TMR_DAY + (int64_t)d->hour * TMR_HOUR +
           (int64_t)d->min * TMR_MIN + (int64_t)d->sec * TMR_SEC + d->ms;
}

int64_t tmr_add(int64_t a, int64_t b)
{
    int64_t sum;
    if (__builtin_add_overflow(a, b, &sum)) {
        return a < 0 ? INT64_MIN : INT64_MAX;
    }
    return sum;
}

int64_t tmr_add_months(int64_t ms, int64_t months)
{
    enum { MANY = 12 * 100000 }; /* beyond that it is no date any more */
    if (months > MANY || months < -MANY) {
        return months > 0 ? INT64_MAX : INT64_MIN;
    }
    struct tmr_date d = tmr_date_of(ms);
    int64_t from_0 = d.year * 12 + (d.month - 1) + months;
    d.year = tmr_floor_div(from_0, 12);
    d.month = (int)(from_0 - d.year * 12) + 1;
    int last = tmr_month_days(d.year, d.month);
    d.day = d.day > last ? last : d.day;
    return tmr_date_ms(&d);
}
