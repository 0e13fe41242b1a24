/* SPDX-License-Identifier: Apache-2.0
 *
 * Calendar arithmetic on milliseconds since 1970 in UTC: fields, lenient joining (the 31st of
 * February is a day of March), rounding, and dates as text by patterns of letters (y M d H m s S
 * ... as java.text.SimpleDateFormat has them, with English names). Days before 15 October 1582 are
 * of the Julian calendar. Weeks begin on Sunday; the week with 1 January is the first.
 */
#ifndef OPERATORS_SIG_FN_CAL_H
#define OPERATORS_SIG_FN_CAL_H

#include "core/base/buf.h"
#include "core/base/err.h"

enum fn_field { /* in order of size */
                FIELD_MSEC,
                FIELD_SECOND,
                FIELD_MINUTE,
                FIELD_HOUR,
                FIELD_DAY, /* of the month, from 1 */
                FIELD_WEEK,
                FIELD_MONTH, /* from 0 */
                FIELD_YEAR,
                FIELD_NONE,
};

struct fn_cal {
    int64_t year, month, day, hour, minute, second, msec;
};

enum fn_field fn_cal_field(struct slice name); /* "min", "minutes", ...; FIELD_NONE */
struct fn_cal fn_cal_split(int64_t ms);
int64_t fn_cal_join(const struct fn_cal *c); /* fields may be beyond their ranges */
int fn_cal_weekday(int64_t ms);              /* 1 = Sunday */
int fn_cal_yearday(int64_t ms);              /* from 1 */
int fn_cal_week(int64_t ms);                 /* of the year, from 1 */
int64_t fn_cal_get(int64_t ms, enum fn_field f);
int64_t fn_cal_set(int64_t ms, enum fn_field f, int64_t value);
int64_t fn_cal_max(int64_t ms, enum fn_field f); /* greatest value of the field at that time */
int64_t fn_cal_min(enum fn_field f);
int64_t fn_cal_floor(int64_t ms, enum fn_field f);
int64_t fn_cal_ceiling(int64_t ms, enum fn_field f); /* the next beginning, even of one */
int64_t fn_cal_half(int64_t ms, enum fn_field f);
/* Months later or earlier, the day clamped to the month's last. */
int64_t fn_cal_add_months(int64_t ms, int64_t months);

/* fn_calfmt.c */
/* Whether a pattern is well formed. */
int fn_cal_pattern(struct slice pattern, struct err *reterr) NODISCARD;
bool fn_cal_format(int64_t ms, struct slice pattern, struct buf *out);
/* Text to a time; what follows the matched part is not looked at. `now` says what century two
 * digits of a year mean. The pattern "iso" reads ISO 8601. */
bool fn_cal_parse(struct slice text, struct slice pattern, int64_t now, int64_t *ret_ms);

#endif
