/* SPDX-License-Identifier: Apache-2.0
 *
 * See tmr_cron.h. The search goes day by day (months that are not allowed are skipped whole), then
 * takes the first allowed time of that day; on the first day the first one after the given time.
 */
#include "operators/time/tmr_cron.h"

#include "operators/time/tmr_cal.h"

#include <assert.h>

static const struct {
    const char *name;
    int8_t low, high;
} fields[TMR_CRON_FIELDS] = {
    [TMR_CRON_MIN] = {"minute", 0, 59},       [TMR_CRON_HOUR] = {"hour", 0, 23},
    [TMR_CRON_DOM] = {"day of month", 1, 31}, [TMR_CRON_MONTH] = {"month", 1, 12},
    [TMR_CRON_DOW] = {"day of week", 0, 7},   [TMR_CRON_SEC] = {"second", 0, 59},
};

static uint64_t all_of(enum tmr_cron_field f)
{
    uint64_t set = 0;
    for (int i = fields[f].low; i <= fields[f].high; i++) {
        set |= (uint64_t)1 << i;
    }
    return set;
}

void tmr_cron_init(struct tmr_cron *c)
{
    *c = (struct tmr_cron){.day_op = TMR_CRON_ANY};
    for (enum tmr_cron_field f = TMR_CRON_MIN; f < TMR_CRON_FIELDS; f++) {
        c->set[f] = all_of(f);
    }
    c->set[TMR_CRON_SEC] = 1;
}

static int check_value(enum tmr_cron_field f, int64_t n, struct err *reterr)
{
    if (n < fields[f].low || n > fields[f].high) {
        return err_set(reterr, ERR_SYNTAX, "%lld is no %s: %d to %d", (long long)n, fields[f].name,
                       fields[f].low, fields[f].high);
    }
    return 0;
}

static int day_operator(struct tmr_cron *c, enum tmr_cron_field f, enum tmr_cron_kind kind,
                        int64_t a, struct err *reterr)
{
    assert(kind >= TMR_CRON_LAST);
    if (f != TMR_CRON_DOM && f != TMR_CRON_DOW) {
        return err_set(reterr, ERR_SYNTAX, "no such word for the %s", fields[f].name);
    }
    if (kind == TMR_CRON_LAST_N || kind == TMR_CRON_WEEKDAY) {
        int rc = check_value(kind == TMR_CRON_LAST_N ? TMR_CRON_DOW : TMR_CRON_DOM, a, reterr);
        if (rc != 0) {
            return rc;
        }
    }
    c->day_op = (uint8_t)kind;
    c->day_arg = (int8_t)(kind == TMR_CRON_LAST_N ? a % 7 : a);
    return 0;
}

static int step_set(enum tmr_cron_field f, int64_t step, uint64_t *ret, struct err *reterr)
{
    if (step <= 0) {
        return err_set(reterr, ERR_SYNTAX, "a step of */n is at least 1");
    }
    uint64_t set = 0;
    for (int64_t i = 0; i <= fields[f].high; i += step) {
        set |= i >= fields[f].low ? (uint64_t)1 << i : 0;
    }
    *ret = set != 0 ? set : all_of(f);
    return 0;
}

/* A value is a range of one; ranges of days and months may begin at 0. */
static int range_set(enum tmr_cron_field f, bool range, int64_t a, int64_t b, uint64_t *ret,
                     struct err *reterr)
{
    int rc = range && a == 0 ? 0 : check_value(f, a, reterr);
    rc = rc == 0 && !(range && b == 0) ? check_value(f, b, reterr) : rc;
    for (int64_t i = MIN(a, b); rc == 0 && i <= MAX(a, b); i++) {
        *ret |= (uint64_t)1 << i;
    }
    return rc;
}

int tmr_cron_add(struct tmr_cron *c, enum tmr_cron_field f, enum tmr_cron_kind kind, int64_t a,
                 int64_t b, struct err *reterr)
{
    assert(f < TMR_CRON_FIELDS);
    uint64_t set = 0;
    int rc = 0;
    if (kind == TMR_CRON_ANY) {
        c->set[f] = f == TMR_CRON_SEC ? all_of(f) : c->set[f];
        return 0;
    }
    if (kind == TMR_CRON_LAST && f != TMR_CRON_DOM) {
        set = (uint64_t)1 << (f == TMR_CRON_DOW ? 6 : fields[f].high);
    } else if (kind >= TMR_CRON_LAST) {
        rc = day_operator(c, f, kind, a, reterr);
        c->given |= (uint8_t)(1U << f);
        return rc;
    } else if (kind == TMR_CRON_STEP) {
        rc = step_set(f, a, &set, reterr);
    } else {
        rc = range_set(f, kind == TMR_CRON_RANGE, a, kind == TMR_CRON_RANGE ? b : a, &set, reterr);
    }
    if (rc == 0) {
        bool first = (c->given & (1U << f)) == 0;
        c->set[f] = first ? set : c->set[f] | set;
        c->given |= (uint8_t)(1U << f);
    }
    return rc;
}

int tmr_cron_zone(struct tmr_cron *c, struct slice name, struct err *reterr)
{
    struct slice s = slice_trim(name), hours;
    if (slice_starts(s, SLICE("UTC")) || slice_starts(s, SLICE("GMT"))) {
        s = slice_sub(s, 3, s.len);
    } else if (slice_eq(s, SLICE("Z"))) {
        s = SLICE("");
    }
    int64_t h = 0, m = 0;
    if (s.len > 0) {
        bool minus = s.ptr[0] == '-';
        struct slice rest = slice_sub(s, 1, s.len);
        bool ok = (minus || s.ptr[0] == '+') && slice_split(&rest, ':', &hours) &&
                  slice_to_i64(hours, &h) && (rest.ptr == NULL || slice_to_i64(rest, &m)) &&
                  h >= 0 && h <= 18 && m >= 0 && m < 60;
        if (!ok) {
            return err_set(reterr, ERR_SYNTAX,
                           "time zone " SLICE_FMT ": only UTC and fixed offsets (UTC+2) are known",
                           SLICE_ARG(name));
        }
        h = minus ? -h : h;
        m = minus ? -m : m;
    }
    c->offset_ms = (int32_t)(h * TMR_HOUR + m * TMR_MIN);
    return 0;
}

int tmr_cron_check(const struct tmr_cron *c, struct err *reterr)
{
    unsigned both = (1U << TMR_CRON_DOM) | (1U << TMR_CRON_DOW);
    if ((c->given & both) == both) {
        return err_set(reterr, ERR_SYNTAX,
                       "day of month and day of week exclude one another: one of them must be *");
    }
    return 0;
}

static int weekday_near(int64_t year, int month, int day)
{
    int last = tmr_month_days(year, month);
    day = day > last ? last : day;
    int dow = tmr_date_of(tmr_days(year, month, day) * (int64_t)TMR_DAY).dow;
    if (dow == 6) {
        return day > 1 ? day - 1 : day + 2;
    }
    if (dow == 0) {
        return day < last ? day + 1 : day - 2;
    }
    return day;
}

static bool day_allowed(const struct tmr_cron *c, const struct tmr_date *d)
{
    int last = tmr_month_days(d->year, d->month);
    switch ((enum tmr_cron_kind)c->day_op) {
    case TMR_CRON_LAST: return d->day == last;
    case TMR_CRON_LAST_N: return d->dow == c->day_arg && d->day > last - 7;
    case TMR_CRON_WEEKDAY: return d->day == weekday_near(d->year, d->month, c->day_arg);
    case TMR_CRON_LASTWEEKDAY: return d->day == weekday_near(d->year, d->month, 31);
    default: break;
    }
    bool sunday = d->dow == 0 && (c->set[TMR_CRON_DOW] >> 7 & 1) != 0;
    return (c->set[TMR_CRON_DOM] >> d->day & 1) != 0 &&
           ((c->set[TMR_CRON_DOW] >> d->dow & 1) != 0 || sunday);
}

/* The first value >= from of a set, or -1. */
static int first_from(uint64_t set, int from)
{
    set = from < 64 ? set >> from << from : 0;
    return set != 0 ? __builtin_ctzll(set) : -1;
}

/* The first allowed second of a day at or after the given one, or -1. */
static int64_t time_of_day(const struct tmr_cron *c, int64_t from)
{
    int h0 = (int)(from / 3600), m0 = (int)(from / 60 % 60), s0 = (int)(from % 60);
    for (int h = first_from(c->set[TMR_CRON_HOUR], h0); h >= 0;
         h = first_from(c->set[TMR_CRON_HOUR], h + 1)) {
        int m_from = h == h0 ? m0 : 0;
        for (int m = first_from(c->set[TMR_CRON_MIN], m_from); m >= 0;
             m = first_from(c->set[TMR_CRON_MIN], m + 1)) {
            int s = first_from(c->set[TMR_CRON_SEC], h == h0 && m == m0 ? s0 : 0);
            if (s >= 0) {
                return h * (int64_t)3600 + m * (int64_t)60 + s;
            }
        }
    }
    return -1;
}

int64_t tmr_cron_next(const struct tmr_cron *c, int64_t after_ms)
{
    enum { YEARS = 40 };
    int64_t local = tmr_add(after_ms, c->offset_ms);
    if (local > INT64_MAX / 4 || local < INT64_MIN / 4) {
        return INT64_MAX;
    }
    int64_t sec = tmr_floor_div(local, TMR_SEC) + 1, ms = local - (sec - 1) * TMR_SEC;
    int64_t day = tmr_floor_div(sec, 86400), from = sec - day * 86400;
    for (int64_t end = day + (int64_t)YEARS * 366; day < end; day++, from = 0) {
        struct tmr_date d = tmr_date_of(day * TMR_DAY);
        if ((c->set[TMR_CRON_MONTH] >> d.month & 1) == 0) {
            day += tmr_month_days(d.year, d.month) - d.day; /* the loop steps to the 1st */
            continue;
        }
        int64_t at = day_allowed(c, &d) ? time_of_day(c, from) : -1;
        if (at >= 0) {
            return day * TMR_DAY + at * TMR_SEC + ms - c->offset_ms;
        }
    }
    return INT64_MAX;
}
