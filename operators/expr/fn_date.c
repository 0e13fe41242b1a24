/* SPDX-License-Identifier: Apache-2.0
 *
 * Date-time methods: of a time in milliseconds, or of an event with a starttimestamp (and perhaps
 * an endtimestamp). Fields and rounding look at the start; relations between intervals at both.
 */
#include "core/base/buf.h"
#include "operators/expr/fn_impl.h"
#include "operators/expr/period.h"
#include "operators/sig/fn_cal.h"

#include <assert.h>

enum {
    TEXT_MAX = 4096,
    UNITS_MAX = 300000000, /* years; there are no more of them in 64 bits of ms */
};

struct interval {
    int64_t start, end;
};

static bool interval_of(struct dat v, struct interval *ret)
{
    if (dat_is_integer(v)) {
        *ret = (struct interval){v.i, v.i};
        return true;
    }
    if (v.kind != DAT_EVENT || v.ev->type->start_col < 0) {
        return false;
    }
    const struct etype *t = v.ev->type;
    struct dat start = v.ev->p[t->start_col];
    struct dat end = t->end_col >= 0 ? v.ev->p[t->end_col] : start;
    if (!dat_is_integer(start) || !dat_is_integer(end)) {
        return false;
    }
    *ret = (struct interval){start.i, end.i};
    return true;
}

/* a - b, or the end of the range beyond it. */
static int64_t minus(int64_t a, int64_t b)
{
    int64_t d = 0;
    return !__builtin_sub_overflow(a, b, &d) ? d : a < b ? INT64_MIN : INT64_MAX;
}

/* plus, set, roundFloor and the like of an event move all of it: the end follows the start. */
static int64_t length_of(const struct fn_in *in)
{
    const struct ex *e = in->e->args[0];
    struct interval iv = {0, 0};
    bool moved = false;
    while (e->op == EX_METHOD && e->fn->kind == FN_DATE && e->fn->sig[0] == 'l' &&
           e->fn->id != FN_DT_MILLIS) {
        e = e->args[0];
        moved = true;
    }
    if (!moved || e->ty.kind != TY_EVENT || !interval_of(ex_eval(e, in->c), &iv)) {
        return 0;
    }
    return minus(iv.end, iv.start);
}

/* The receiver's start; false if it has none. */
static bool start_of(const struct fn_in *in, int64_t *ret)
{
    struct interval iv = {0, 0};
    bool has = interval_of(in->v[0], &iv);
    *ret = iv.start;
    return has;
}

#define START                                                                                      \
    int64_t ms = 0;                                                                                \
    if (!start_of(in, &ms)) {                                                                      \
        return DAT_NONE;                                                                           \
    }

/* ---- fields ---- */

static struct dat run_field(const struct fn_in *in)
{
    START
    enum fn_field f = FIELD_NONE;
    switch (in->e->fn->id) {
    case FN_DT_MSEC: f = FIELD_MSEC; break;
    case FN_DT_SECOND: f = FIELD_SECOND; break;
    case FN_DT_MINUTE: f = FIELD_MINUTE; break;
    case FN_DT_HOUR: f = FIELD_HOUR; break;
    case FN_DT_DAY: f = FIELD_DAY; break;
    case FN_DT_WEEK: f = FIELD_WEEK; break;
    case FN_DT_MONTH: f = FIELD_MONTH; break;
    case FN_DT_YEAR: f = FIELD_YEAR; break;
    default: /* get(field) */ f = (enum fn_field)in->e->i; break;
    }
    return dat_int((int32_t)fn_cal_get(ms, f));
}

static struct dat run_weekday(const struct fn_in *in)
{
    START
    return dat_int(fn_cal_weekday(ms));
}

static struct dat run_yearday(const struct fn_in *in)
{
    START
    return dat_int(fn_cal_yearday(ms));
}

static struct dat run_era(const struct fn_in *in)
{
    START
    return dat_int(fn_cal_get(ms, FIELD_YEAR) > 0 ? 1 : 0);
}

static struct dat run_millis(const struct fn_in *in)
{
    START
    return dat_long(ms);
}

static struct dat run_epoch_second(const struct fn_in *in)
{
    START
    return dat_long(ms / 1000 - (ms % 1000 < 0 ? 1 : 0));
}

/* ---- changes ---- */

/* Calendar units one after the other, the largest first; a plain number is milliseconds. What is
 * null does not move anything. */
static struct dat moved(const struct fn_in *in, int sign)
{
    START
    const struct ex *p = in->e->args[1];
    if (p->op != EX_PERIOD) {
        uint64_t by = dat_is_null(in->v[1]) ? 0 : (uint64_t)dat_to_long(in->v[1]);
        return dat_long((int64_t)(sign > 0 ? (uint64_t)ms + by : (uint64_t)ms - by));
    }
    const struct bind_unit *u = p->data;
    double rest = 0;
    for (uint32_t i = 0; i < p->n_args; i++) {
        struct dat v = ex_eval(p->args[i], in->c);
        if (!dat_is_number(v)) {
            continue;
        }
        if (u[i].months != 0) {
            int64_t n = MAX(MIN(dat_to_long(v), UNITS_MAX), -UNITS_MAX);
            ms = fn_cal_add_months(ms, sign * u[i].months * n);
        } else {
            rest += u[i].ms * (double)dat_to_long(v); /* whole units only */
        }
    }
    return dat_long((int64_t)((uint64_t)ms + (uint64_t)dat_to_long(dat_double(sign * rest))));
}

static struct dat run_plus(const struct fn_in *in)
{
    return moved(in, 1);
}

static struct dat run_minus(const struct fn_in *in)
{
    return moved(in, -1);
}

/* Argument i, or what is there if it is null. */
static int64_t or_as_is(const struct fn_in *in, uint32_t i, int64_t is)
{
    return dat_is_null(in->v[i]) ? is : dat_to_long(in->v[i]);
}

static struct dat run_set(const struct fn_in *in)
{
    START
    enum fn_field f = (enum fn_field)in->e->i;
    return dat_long(fn_cal_set(ms, f, or_as_is(in, 2, fn_cal_get(ms, f))));
}

static struct dat run_with_time(const struct fn_in *in)
{
    START
    struct fn_cal c = fn_cal_split(ms);
    c.hour = or_as_is(in, 1, c.hour);
    c.minute = or_as_is(in, 2, c.minute);
    c.second = or_as_is(in, 3, c.second);
    c.msec = or_as_is(in, 4, c.msec);
    return dat_long(fn_cal_join(&c));
}

static struct dat run_with_date(const struct fn_in *in)
{
    START
    struct fn_cal c = fn_cal_split(ms);
    c.year = or_as_is(in, 1, c.year);
    c.month = or_as_is(in, 2, c.month);
    c.day = or_as_is(in, 3, c.day);
    return dat_long(fn_cal_join(&c));
}

static struct dat run_with_max(const struct fn_in *in)
{
    START
    enum fn_field f = (enum fn_field)in->e->i;
    return dat_long(fn_cal_set(ms, f, fn_cal_max(ms, f)));
}

static struct dat run_with_min(const struct fn_in *in)
{
    START
    enum fn_field f = (enum fn_field)in->e->i;
    return dat_long(fn_cal_set(ms, f, fn_cal_min(f)));
}

static struct dat run_floor(const struct fn_in *in)
{
    START
    return dat_long(fn_cal_floor(ms, (enum fn_field)in->e->i));
}

static struct dat run_ceiling(const struct fn_in *in)
{
    START
    return dat_long(fn_cal_ceiling(ms, (enum fn_field)in->e->i));
}

static struct dat run_half(const struct fn_in *in)
{
    START
    return dat_long(fn_cal_half(ms, (enum fn_field)in->e->i));
}

static struct dat run_format(const struct fn_in *in)
{
    START
    struct buf out;
    buf_init(&out, TEXT_MAX);
    struct slice pattern = in->n > 1 ? fn_text_of(in, 1) : SLICE("yyyy-MM-dd HH:mm");
    bool fine = fn_cal_format(ms, pattern, &out);
    struct dat v = fine ? fn_string(in, buf_slice(&out)) : DAT_NONE;
    buf_done(&out);
    return v;
}

/* ---- relations ---- */

static struct dat run_between(const struct fn_in *in)
{
    START
    struct interval a = {0, 0}, b = {0, 0};
    if (!interval_of(in->v[1], &a) || !interval_of(in->v[2], &b)) {
        return DAT_NONE;
    }
    bool low_in = in->n < 5 || dat_true(in->v[3]), high_in = in->n < 5 || dat_true(in->v[4]);
    int64_t low = a.start, high = b.start;
    if (low > high && low_in && high_in) { /* bounds that are told apart have an order */
        low = b.start;
        high = a.start;
    }
    return dat_bool((low_in ? ms >= low : ms > low) && (high_in ? ms <= high : ms < high));
}

/* Argument i as a distance that begins at `from`. */
static int64_t distance(const struct fn_in *in, uint32_t i, int64_t from)
{
    if (in->e->args[i]->op == EX_PERIOD) {
        return minus(ex_after(in->e->args[i], in->c, from, 1), from);
    }
    return dat_to_long(in->v[i]);
}

static int64_t gap(int64_t x, int64_t y)
{
    return x > y ? minus(x, y) : minus(y, x);
}

/* Within the two distances given from argument `at` on. */
static bool within(const struct fn_in *in, uint32_t at, int64_t d, int64_t from)
{
    return d >= distance(in, at, from) && d <= distance(in, at + 1, from);
}

static bool before(const struct fn_in *in, struct interval a, struct interval b)
{
    int64_t d = minus(b.start, a.end);
    if (in->n == 2) {
        return d > 0;
    }
    if (in->n == 3) {
        return d >= distance(in, 2, a.end);
    }
    int64_t x = distance(in, 2, a.end), y = distance(in, 3, a.end); /* in either order */
    return d >= MIN(x, y) && d <= MAX(x, y);
}

static bool coincides(const struct fn_in *in, struct interval a, struct interval b)
{
    int64_t start = in->n > 2 ? distance(in, 2, a.start) : 0;
    int64_t end = in->n > 3 ? distance(in, 3, a.end) : start;
    return gap(a.start, b.start) <= start && gap(a.end, b.end) <= end;
}

static bool during(const struct fn_in *in, struct interval a, struct interval b)
{
    int64_t start = minus(a.start, b.start), end = minus(b.end, a.end);
    if (start <= 0 || (end <= 0 && in->n <= 3)) { /* a least distance may let the ends meet */
        return false;
    }
    if (in->n == 3) {
        return start <= distance(in, 2, b.start) && end <= distance(in, 2, a.end);
    }
    uint32_t second = in->n > 4 ? 4 : 2;
    return in->n == 2 || (within(in, 2, start, b.start) && within(in, second, end, a.end));
}

static bool overlaps(const struct fn_in *in, struct interval a, struct interval b)
{
    bool fits = a.start < b.start && b.start < a.end && a.end < b.end;
    int64_t common = minus(a.end, b.start);
    if (!fits || in->n == 2) {
        return fits;
    }
    return in->n == 3 ? common <= distance(in, 2, b.start) : within(in, 2, common, b.start);
}

static bool meets(const struct fn_in *in, struct interval a, struct interval b)
{
    return gap(a.end, b.start) <= (in->n > 2 ? distance(in, 2, a.end) : 0);
}

static bool starts(const struct fn_in *in, struct interval a, struct interval b)
{
    return gap(a.start, b.start) <= (in->n > 2 ? distance(in, 2, a.start) : 0) && a.end < b.end;
}

static bool finishes(const struct fn_in *in, struct interval a, struct interval b)
{
    return b.start < a.start && gap(a.end, b.end) <= (in->n > 2 ? distance(in, 2, a.end) : 0);
}

static struct dat run_relation(const struct fn_in *in)
{
    struct interval a = {0, 0}, b = {0, 0};
    if (!interval_of(in->v[0], &a) || !interval_of(in->v[1], &b)) {
        return DAT_NONE;
    }
    a.end = (int64_t)((uint64_t)a.end + (uint64_t)length_of(in));
    switch (in->e->fn->id) {
    case FN_DT_BEFORE: return dat_bool(before(in, a, b));
    case FN_DT_AFTER: return dat_bool(before(in, b, a));
    case FN_DT_COINCIDES: return dat_bool(coincides(in, a, b));
    case FN_DT_DURING: return dat_bool(during(in, a, b));
    case FN_DT_INCLUDES: return dat_bool(during(in, b, a));
    case FN_DT_OVERLAPS: return dat_bool(overlaps(in, a, b));
    case FN_DT_OVERLAPPED_BY: return dat_bool(overlaps(in, b, a));
    case FN_DT_MEETS: return dat_bool(meets(in, a, b));
    case FN_DT_MET_BY: return dat_bool(meets(in, b, a));
    case FN_DT_STARTS: return dat_bool(starts(in, a, b));
    case FN_DT_STARTED_BY: return dat_bool(starts(in, b, a));
    case FN_DT_FINISHES: return dat_bool(finishes(in, a, b));
    default: assert(in->e->fn->id == FN_DT_FINISHED_BY); return dat_bool(finishes(in, b, a));
    }
}

fn_run *const fn_dates[FN_COUNT] = {
    [FN_DT_GET] = run_field,
    [FN_DT_MSEC] = run_field,
    [FN_DT_SECOND] = run_field,
    [FN_DT_MINUTE] = run_field,
    [FN_DT_HOUR] = run_field,
    [FN_DT_DAY] = run_field,
    [FN_DT_WEEK] = run_field,
    [FN_DT_MONTH] = run_field,
    [FN_DT_YEAR] = run_field,
    [FN_DT_WEEKDAY] = run_weekday,
    [FN_DT_YEARDAY] = run_yearday,
    [FN_DT_ERA] = run_era,
    [FN_DT_MILLIS] = run_millis,
    [FN_DT_EPOCH_SECOND] = run_epoch_second,
    [FN_DT_PLUS] = run_plus,
    [FN_DT_MINUS] = run_minus,
    [FN_DT_SET] = run_set,
    [FN_DT_WITH_TIME] = run_with_time,
    [FN_DT_WITH_DATE] = run_with_date,
    [FN_DT_WITH_MAX] = run_with_max,
    [FN_DT_WITH_MIN] = run_with_min,
    [FN_DT_FLOOR] = run_floor,
    [FN_DT_CEILING] = run_ceiling,
    [FN_DT_HALF] = run_half,
    [FN_DT_FORMAT] = run_format,
    [FN_DT_BETWEEN] = run_between,
    [FN_DT_BEFORE] = run_relation,
    [FN_DT_AFTER] = run_relation,
    [FN_DT_COINCIDES] = run_relation,
    [FN_DT_DURING] = run_relation,
    [FN_DT_INCLUDES] = run_relation,
    [FN_DT_OVERLAPS] = run_relation,
    [FN_DT_OVERLAPPED_BY] = run_relation,
    [FN_DT_MEETS] = run_relation,
    [FN_DT_MET_BY] = run_relation,
    [FN_DT_STARTS] = run_relation,
    [FN_DT_STARTED_BY] = run_relation,
    [FN_DT_FINISHES] = run_relation,
    [FN_DT_FINISHED_BY] = run_relation,
};
