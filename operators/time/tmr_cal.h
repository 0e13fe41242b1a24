/* SPDX-License-Identifier: Apache-2.0
 *
 * The proleptic Gregorian calendar in UTC, on milliseconds since 1970. Pure arithmetic: no zones,
 * no libc, so that results are the same everywhere. Also used by the date-time methods.
 */
#ifndef OPERATORS_TIME_TMR_CAL_H
#define OPERATORS_TIME_TMR_CAL_H

#include <stdbool.h>
#include <stdint.h>

enum {
    TMR_SEC = 1000,
    TMR_MIN = 60 * TMR_SEC,
    TMR_HOUR = 60 * TMR_MIN,
    TMR_DAY = 24 * TMR_HOUR,
};

struct tmr_date {
    int64_t year;
    int month, day; /* from 1 */
    int hour, min, sec, ms;
    int dow; /* 0 = Sunday; not read by tmr_date_ms */
};

int64_t tmr_days(int64_t year, int month, int day); /* since 1970-01-01 */
void tmr_civil(int64_t days, int64_t *ret_year, int *ret_month, int *ret_day);
int tmr_month_days(int64_t year, int month);
struct tmr_date tmr_date_of(int64_t ms);
int64_t tmr_date_ms(const struct tmr_date *d);
/* Division that rounds down, also below zero. */
static inline int64_t tmr_floor_div(int64_t a, int64_t b)
{
    int64_t q = a / b;
    return q * b > a ? q - 1 : q;
}
/* a + b held within the range of int64_t. */
int64_t tmr_add(int64_t a, int64_t b);

#endif
