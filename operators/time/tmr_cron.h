/* SPDX-License-Identifier: Apache-2.0
 *
 * Calendar schedules in the manner of crontab: minute, hour, day of month, month, day of week and,
 * if given, second. A schedule is a set of bits per field plus at most one of the day operators
 * `last`, `lastweekday`, `n weekday`, `n last`. UTC, or a fixed distance from it.
 *
 * tmr_cron_init allows everything at second 0; each tmr_cron_add narrows one field: the first value
 * added to a field replaces "everything", later ones join it.
 */
#ifndef OPERATORS_TIME_TMR_CRON_H
#define OPERATORS_TIME_TMR_CRON_H

#include "core/base/err.h"
#include "core/base/slice.h"

enum tmr_cron_field {
    TMR_CRON_MIN,
    TMR_CRON_HOUR,
    TMR_CRON_DOM,
    TMR_CRON_MONTH,
    TMR_CRON_DOW, /* 0 = Sunday; 7 is Sunday, too */
    TMR_CRON_SEC,
    TMR_CRON_FIELDS
};

enum tmr_cron_kind {
    TMR_CRON_ANY,         /* * */
    TMR_CRON_VALUE,       /* a */
    TMR_CRON_RANGE,       /* a:b, in either order */
    TMR_CRON_STEP,        /* every a, counted from 0: dom and month begin at the first multiple */
    TMR_CRON_LAST,        /* last day of the month; Saturday; the last value of other fields */
    TMR_CRON_LAST_N,      /* a last: the last day of the month that is weekday a */
    TMR_CRON_WEEKDAY,     /* a weekday: the weekday nearest to day a, within its month */
    TMR_CRON_LASTWEEKDAY, /* the last Monday to Friday of the month */
};

struct tmr_cron {
    uint64_t set[TMR_CRON_FIELDS]; /* bit n: value n is allowed */
    uint8_t given;                 /* bit f: field f was narrowed */
    uint8_t day_op;                /* enum tmr_cron_kind, or TMR_CRON_ANY for none */
    int8_t day_arg;
    int32_t offset_ms; /* of local time from UTC */
};

void tmr_cron_init(struct tmr_cron *c);
int tmr_cron_add(struct tmr_cron *c, enum tmr_cron_field f, enum tmr_cron_kind kind, int64_t a,
                 int64_t b, struct err *reterr) NODISCARD;
/* Names of a fixed distance from UTC only: UTC, GMT, Z, GMT+2, UTC-05:30, +01:00. */
int tmr_cron_zone(struct tmr_cron *c, struct slice name, struct err *reterr) NODISCARD;
/* After all is added: day of month and day of week exclude one another. */
int tmr_cron_check(const struct tmr_cron *c, struct err *reterr) NODISCARD;
/* The next second after that of after_ms, with its milliseconds: a schedule that is asked from half
 * a second on goes on at half seconds. INT64_MAX if there is none within 40 years (30 February). */
int64_t tmr_cron_next(const struct tmr_cron *c, int64_t after_ms);

#endif
