/* SPDX-License-Identifier: Apache-2.0
 *
 * ISO 8601 dates, periods and repetitions, and the schedules timer:schedule makes of them.
 *
 * A schedule is a row of instants: start, start + period, and so on, each a period after the one
 * before (so after 31 January and 28 February comes 28 March). Those not after the observer's own
 * start are passed over, but count as repetitions; so do those a jump of the clock went past.
 */
#ifndef OPERATORS_TIME_TMR_ISO_H
#define OPERATORS_TIME_TMR_ISO_H

#include "core/base/err.h"
#include "core/base/slice.h"

struct tmr_period {
    int64_t months; /* years and months */
    int64_t ms;     /* the rest */
};

enum { TMR_FOREVER = -1 };

struct tmr_schedule {
    bool has_start, has_period, has_reps;
    int64_t start;
    struct tmr_period period;
    int64_t reps; /* TMR_FOREVER, or how many instants */
};

struct tmr_occur { /* where a running schedule is */
    int64_t at;    /* the instant looked at; INT64_MAX when it is over */
    int64_t left;  /* instants from `at` on, or TMR_FOREVER */
};

/* 1970-01-31, 1970-01-31T10:20:30[.123][Z|+01:00|+0100]; no zone is UTC. */
int tmr_iso_date(struct slice s, int64_t *ret_ms, struct err *reterr) NODISCARD;
/* P1Y2M3W4DT5H6M7S */
int tmr_iso_period(struct slice s, struct tmr_period *ret, struct err *reterr) NODISCARD;
/* [R[n]/][date][/period], at least a date or a period. */
int tmr_iso_schedule(struct slice s, struct tmr_schedule *ret, struct err *reterr) NODISCARD;
/* Whether parts that were given one by one make sense together. */
int tmr_schedule_check(const struct tmr_schedule *s, struct err *reterr) NODISCARD;

void tmr_schedule_begin(const struct tmr_schedule *s, int64_t now, struct tmr_occur *o);
/* The next instant strictly after; false when there is none any more. */
bool tmr_schedule_next(const struct tmr_schedule *s, struct tmr_occur *o, int64_t after);
int64_t tmr_period_add(int64_t ms, struct tmr_period p);

#endif
