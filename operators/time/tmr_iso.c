/* SPDX-License-Identifier: Apache-2.0
 *
 * See tmr_iso.h. Parsers take bytes off the front of a slice; what is left over is an error.
 */
#include "operators/time/tmr_iso.h"

#include "operators/time/tmr.h"
#include "operators/time/tmr_cal.h"

#include <assert.h>

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool take_char(struct slice *s, char c)
{
    if (s->len == 0 || s->ptr[0] != c) {
        return false;
    }
    *s = slice_sub(*s, 1, s->len);
    return true;
}

/* Up to max_digits digits; how many there were. */
static int take_number(struct slice *s, int max_digits, int64_t *ret)
{
    int n = 0;
    int64_t v = 0;
    while (n < max_digits && (size_t)n < s->len && is_digit(s->ptr[n])) {
        v = v * 10 + (s->ptr[n++] - '0');
    }
    *s = slice_sub(*s, (size_t)n, s->len);
    *ret = v;
    return n;
}

static bool take_two(struct slice *s, int max, int *ret)
{
    int64_t v;
    if (take_number(s, 2, &v) != 2 || v > max) {
        return false;
    }
    *ret = (int)v;
    return true;
}

static bool take_time(struct slice *s, struct tmr_date *d)
{
    int64_t fraction;
    if (!take_two(s, 24, &d->hour) || !take_char(s, ':') || !take_two(s, 59, &d->min)) {
        return false;
    }
    if (!take_char(s, ':')) {
        return true;
    }
    if (!take_two(s, 59, &d->sec)) {
        return false;
    }
    if (take_char(s, '.')) {
        int n = take_number(s, 3, &fraction);
        d->ms = (int)(n == 1 ? fraction * 100 : n == 2 ? fraction * 10 : fraction);
        int64_t finer;
        take_number(s, 15, &finer);
        return n > 0;
    }
    return true;
}

static bool take_zone(struct slice *s, int64_t *ret_offset_ms)
{
    *ret_offset_ms = 0;
    if (s->len == 0 || take_char(s, 'Z')) {
        return true;
    }
    bool minus = s->ptr[0] == '-';
    int h, m = 0;
    if ((!take_char(s, '+') && !take_char(s, '-')) || !take_two(s, 18, &h)) {
        return false;
    }
    bool colon = take_char(s, ':');
    if ((colon || s->len > 0) && !take_two(s, 59, &m)) {
        return false;
    }
    *ret_offset_ms = (h * (int64_t)TMR_HOUR + m * (int64_t)TMR_MIN) * (minus ? -1 : 1);
    return true;
}

int tmr_iso_date(struct slice s, int64_t *ret_ms, struct err *reterr)
{
    struct slice rest = slice_trim(s);
    struct tmr_date d = {0};
    int64_t zone = 0, year;
    bool before_zero = take_char(&rest, '-');
    bool ok = take_number(&rest, 9, &year) >= 4 && take_char(&rest, '-') &&
              take_two(&rest, 12, &d.month) && take_char(&rest, '-') &&
              take_two(&rest, 31, &d.day) && d.month >= 1 && d.day >= 1;
    d.year = before_zero ? -year : year;
    ok = ok && d.day <= tmr_month_days(d.year, d.month);
    if (ok && take_char(&rest, 'T')) {
        ok = take_time(&rest, &d) && take_zone(&rest, &zone);
    }
    if (!ok || rest.len > 0) {
        return err_set(reterr, ERR_SYNTAX,
                       "'" SLICE_FMT "' is no ISO 8601 date (1970-01-31T10:20:30Z)", SLICE_ARG(s));
    }
    *ret_ms = tmr_date_ms(&d) - zone;
    return 0;
}

struct unit {
    char name;
    int64_t months, ms;
};

int tmr_iso_period(struct slice s, struct tmr_period *ret, struct err *reterr)
{
    static const struct unit days[] = {
        {'Y', 12, 0}, {'M', 1, 0}, {'W', 0, 7 * (int64_t)TMR_DAY}, {'D', 0, TMR_DAY}};
    static const struct unit times[] = {{'H', 0, TMR_HOUR}, {'M', 0, TMR_MIN}, {'S', 0, TMR_SEC}};
    struct slice rest = s;
    const struct unit *unit = days, *end = days + ARRAY_LEN(days);
    bool in_time = false;
    struct tmr_period p = {0, 0};
    int n_parts = 0;
    bool ok = take_char(&rest, 'P');
    while (ok && rest.len > 0) {
        int64_t n;
        if (!in_time && take_char(&rest, 'T')) {
            in_time = true;
            unit = times;
            end = times + ARRAY_LEN(times);
            ok = rest.len > 0;
            continue;
        }
        ok = take_number(&rest, 9, &n) > 0 && rest.len > 0;
        while (ok && unit < end && unit->name != rest.ptr[0]) {
            unit++;
        }
        ok = ok && unit < end;
        if (ok) {
            p.months += unit->months * n;
            p.ms += unit->ms * n;
            rest = slice_sub(rest, 1, rest.len);
            unit++;
            n_parts++;
        }
    }
    if (!ok || n_parts == 0) {
        return err_set(reterr, ERR_SYNTAX, "'" SLICE_FMT "' is no ISO 8601 period (P1Y2M3DT4H5M6S)",
                       SLICE_ARG(s));
    }
    *ret = p;
    return 0;
}

static bool take_reps(struct slice part, int64_t *ret)
{
    if (!take_char(&part, 'R')) {
        return false;
    }
    if (part.len == 0) {
        *ret = TMR_FOREVER;
        return true;
    }
    return slice_to_i64(part, ret);
}

int tmr_iso_schedule(struct slice s, struct tmr_schedule *ret, struct err *reterr)
{
    struct tmr_schedule r = {.reps = TMR_FOREVER};
    struct slice rest = slice_trim(s), part;
    int rc = 0;
    if (rest.len == 0) {
        return err_set(reterr, ERR_SYNTAX, "an empty schedule");
    }
    if (!slice_split(&rest, '/', &part)) {
        return err_set(reterr, ERR_SYNTAX, "an empty schedule");
    }
    bool more = true;
    if (take_reps(part, &r.reps)) {
        r.has_reps = true;
        more = slice_split(&rest, '/', &part);
    }
    if (more && part.len > 0 && part.ptr[0] != 'P') {
        rc = tmr_iso_date(part, &r.start, reterr);
        r.has_start = true;
        more = slice_split(&rest, '/', &part);
    }
    if (rc == 0 && more) {
        rc = tmr_iso_period(part, &r.period, reterr);
        r.has_period = true;
        more = slice_split(&rest, '/', &part);
    }
    if (rc == 0 && more) {
        rc = err_set(reterr, ERR_SYNTAX, "'" SLICE_FMT "': expected repetitions/date/period",
                     SLICE_ARG(s));
    }
    rc = rc == 0 ? tmr_schedule_check(&r, reterr) : rc;
    if (rc == 0) {
        *ret = r;
    }
    return rc;
}

int tmr_schedule_check(const struct tmr_schedule *s, struct err *reterr)
{
    if (!s->has_start && !s->has_period) {
        return err_set(reterr, ERR_SYNTAX, "a schedule needs a date or a period");
    }
    if (s->has_reps && !s->has_period && s->reps != 1) {
        return err_set(reterr, ERR_SYNTAX, "repetitions need a period");
    }
    if (s->has_period && s->period.months <= 0 && s->period.ms <= 0) {
        return err_set(reterr, ERR_SYNTAX, "the period of a schedule is longer than nothing");
    }
    return 0;
}

int64_t tmr_period_add(int64_t ms, struct tmr_period p)
{
    int64_t at = p.months != 0 ? tmr_add_months(ms, p.months) : ms;
    return tmr_add(at, p.ms);
}

void tmr_schedule_begin(const struct tmr_schedule *s, int64_t now, struct tmr_occur *o)
{
    o->at = s->has_start ? s->start : now;
    o->left = s->has_reps ? s->reps : 1;
    bool once_after_period = s->has_period && !s->has_reps;
    if (s->has_period && (!s->has_start || once_after_period)) {
        o->at = tmr_period_add(o->at, s->period); /* the start itself does not count */
    }
    if (o->left == 0) {
        o->at = INT64_MAX;
    }
}

bool tmr_schedule_next(const struct tmr_schedule *s, struct tmr_occur *o, int64_t after)
{
    if (o->at != INT64_MAX && o->at <= after && s->has_period && s->period.months == 0) {
        int64_t skip = (after - o->at) / s->period.ms; /* in one step; the loop does the last */
        skip = o->left >= 0 && skip >= o->left ? o->left - 1 : skip;
        o->at += skip * s->period.ms;
        o->left -= o->left >= 0 ? skip : 0;
    }
    while (o->at != INT64_MAX && o->at <= after) {
        bool last = o->left >= 0 && --o->left == 0;
        o->at = last || !s->has_period ? INT64_MAX : tmr_period_add(o->at, s->period);
    }
    return o->at != INT64_MAX;
}
