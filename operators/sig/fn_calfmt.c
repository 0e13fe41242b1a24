/* SPDX-License-Identifier: Apache-2.0
 *
 * Dates as text and back. See fn_cal.h. A pattern is runs of one letter (fields), quoted text and
 * other characters that stand for themselves. Names of days and months are short ones, whatever the
 * length of the run; reading takes long ones as well.
 */
#include "operators/sig/fn_cal.h"

#include <assert.h>

enum { CENTURY_LEAST = 2025 }; /* clocks of tests begin at 1970 */

static const char *const months[] = {"January",   "February", "March",    "April",
                                     "May",       "June",     "July",     "August",
                                     "September", "October",  "November", "December"};
static const char *const days[] = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                   "Thursday", "Friday", "Saturday"};
static const char letters[] = "GyYMLwWDdFEuaHkKhmsSzZX";

/* The next piece of a pattern: a run of one letter, or text (letter 0). */
struct piece {
    char letter;
    int run;
    struct slice text;
};

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* false at the end; an unknown letter gives letter '?'. */
static bool next_piece(struct slice *rest, struct piece *ret)
{
    if (rest->len == 0) {
        return false;
    }
    char c = rest->ptr[0];
    size_t n = 1;
    *ret = (struct piece){0, 0, SLICE_NONE};
    if (c == '\'') {
        size_t end = slice_find(slice_sub(*rest, 1, rest->len), '\'');
        ret->text = end == 0 ? slice_sub(*rest, 0, 1) : slice_sub(*rest, 1, 1 + end);
        n = MIN(end + 2, rest->len);
        ret->letter = 1 + end >= rest->len ? '?' : 0; /* not closed */
    } else if (is_letter(c)) {
        while (n < rest->len && rest->ptr[n] == c) {
            n++;
        }
        ret->letter = strchr(letters, c) != NULL ? c : '?';
        ret->run = (int)MIN(n, (size_t)64);
        ret->text = slice_sub(*rest, 0, n);
    } else {
        ret->text = slice_sub(*rest, 0, 1);
    }
    *rest = slice_sub(*rest, n, rest->len);
    return true;
}

int fn_cal_pattern(struct slice pattern, struct err *reterr)
{
    struct piece p;
    if (slice_eq_nocase(pattern, SLICE("iso"))) {
        return 0;
    }
    for (struct slice rest = pattern; next_piece(&rest, &p);) {
        if (p.letter == '?') {
            return err_set(reterr, ERR_TYPE,
                           "'" SLICE_FMT "' has no meaning in a date pattern; letters are %s",
                           SLICE_ARG(p.text), letters);
        }
    }
    return 0;
}

static void put_number(struct buf *out, int64_t n, int run)
{
    (void)buf_addf(out, "%0*lld", run, (long long)n);
}

static void put_year(struct buf *out, int64_t year, int run)
{
    if (run == 2) {
        put_number(out, year % 100, 2);
    } else {
        put_number(out, year, run);
    }
}

static int64_t week_year(int64_t ms)
{
    struct fn_cal c = fn_cal_split(ms);
    return c.year + (c.month == 11 && fn_cal_week(ms) == 1 ? 1 : 0);
}

static void put_zone(struct buf *out, char letter, int run)
{
    if (letter == 'z') {
        (void)buf_add_str(out, "UTC");
    } else if (letter == 'X') {
        (void)run;
        (void)buf_add_byte(out, 'Z');
    } else {
        (void)buf_add_str(out, "+0000");
    }
}

static void put_clock(struct buf *out, const struct fn_cal *c, const struct piece *p)
{
    switch (p->letter) {
    case 'H': put_number(out, c->hour, p->run); break;
    case 'k': put_number(out, c->hour == 0 ? 24 : c->hour, p->run); break;
    case 'K': put_number(out, c->hour % 12, p->run); break;
    case 'h': put_number(out, c->hour % 12 == 0 ? 12 : c->hour % 12, p->run); break;
    case 'm': put_number(out, c->minute, p->run); break;
    case 's': put_number(out, c->second, p->run); break;
    case 'S': put_number(out, c->msec, p->run); break;
    default: put_zone(out, p->letter, p->run); break;
    }
}

static void put_field(struct buf *out, int64_t ms, const struct fn_cal *c, const struct piece *p)
{
    switch (p->letter) {
    case 'G': (void)buf_add_str(out, c->year > 0 ? "CE" : "BCE"); break;
    case 'y': put_year(out, c->year, p->run); break;
    case 'Y': put_year(out, week_year(ms), p->run); break;
    case 'M':
    case 'L':
        if (p->run >= 3) {
            (void)buf_add(out, months[c->month], 3);
        } else {
            put_number(out, c->month + 1, p->run);
        }
        break;
    case 'w': put_number(out, fn_cal_week(ms), p->run); break;
    case 'W': {
        int64_t first = (fn_cal_weekday(ms) - 1 - (c->day - 1) % 7 + 7) % 7; /* of the month */
        put_number(out, (c->day - 1 + first) / 7 + 1, p->run);
        break;
    }
    case 'D': put_number(out, fn_cal_yearday(ms), p->run); break;
    case 'd': put_number(out, c->day, p->run); break;
    case 'F': put_number(out, (c->day - 1) / 7 + 1, p->run); break;
    case 'E': (void)buf_add(out, days[fn_cal_weekday(ms) - 1], 3); break;
    case 'u': put_number(out, (fn_cal_weekday(ms) + 5) % 7 + 1, p->run); break;
    case 'a': (void)buf_add_str(out, c->hour < 12 ? "AM" : "PM"); break;
    default: put_clock(out, c, p); break;
    }
}

bool fn_cal_format(int64_t ms, struct slice pattern, struct buf *out)
{
    struct fn_cal c = fn_cal_split(ms);
    struct piece p;
    for (struct slice rest = pattern; next_piece(&rest, &p);) {
        if (p.letter == '?') {
            return false;
        }
        if (p.letter == 0) {
            (void)buf_add_slice(out, p.text);
        } else {
            put_field(out, ms, &c, &p);
        }
    }
    return !buf_failed(out);
}

/* ---- reading ---- */

struct reading {
    struct slice rest; /* of the text */
    struct fn_cal c;
    int64_t now, yearday, hour12;
    int64_t zone_ms;
    bool pm, has_hour12;
};

static bool digits(struct reading *r, size_t most, int64_t *ret, size_t *ret_n)
{
    size_t i = 0;
    bool negative = r->rest.len > 0 && r->rest.ptr[0] == '-';
    size_t from = negative ? 1 : 0;
    int64_t n = 0;
    for (i = from; i < r->rest.len && i - from < most && r->rest.ptr[i] >= '0' &&
                   r->rest.ptr[i] <= '9' && n < 100000000000000LL;
         i++) {
        n = n * 10 + (r->rest.ptr[i] - '0');
    }
    if (i == from) {
        return false;
    }
    *ret = negative ? -n : n;
    *ret_n = i - from;
    r->rest = slice_sub(r->rest, i, r->rest.len);
    return true;
}

/* A name of the list, long or with its first three letters; -1. */
static int name_in(struct reading *r, const char *const *names, int n)
{
    for (int whole = 1; whole >= 0; whole--) {
        for (int i = 0; i < n; i++) {
            size_t len = whole ? strlen(names[i]) : 3;
            if (r->rest.len >= len &&
                slice_eq_nocase(slice_sub(r->rest, 0, len), slice_of(names[i], len))) {
                r->rest = slice_sub(r->rest, len, r->rest.len);
                return i;
            }
        }
    }
    return -1;
}

/* +0100, +01:00, Z, UTC, GMT+1:00 */
static bool read_zone(struct reading *r)
{
    static const char *const zero[] = {"UTC", "GMT", "Z"};
    bool named = false;
    for (size_t i = 0; i < ARRAY_LEN(zero) && !named; i++) {
        struct slice z = slice_str(zero[i]);
        if (r->rest.len >= z.len && slice_eq_nocase(slice_sub(r->rest, 0, z.len), z)) {
            r->rest = slice_sub(r->rest, z.len, r->rest.len);
            named = true;
        }
    }
    if (r->rest.len == 0 || (r->rest.ptr[0] != '+' && r->rest.ptr[0] != '-')) {
        return named;
    }
    int64_t sign = r->rest.ptr[0] == '-' ? -1 : 1, h = 0, m = 0;
    size_t n = 0;
    r->rest = slice_sub(r->rest, 1, r->rest.len);
    if (r->rest.len == 0 || r->rest.ptr[0] == '-' || !digits(r, 2, &h, &n)) {
        return false;
    }
    if (r->rest.len > 0 && r->rest.ptr[0] == ':') {
        r->rest = slice_sub(r->rest, 1, r->rest.len);
    }
    if (r->rest.len > 0 && r->rest.ptr[0] != '-') {
        (void)digits(r, 2, &m, &n);
    }
    r->zone_ms = sign * (h * 60 + m) * 60000;
    return true;
}

static int64_t century_of(int64_t two, int64_t now)
{
    int64_t from = MAX(fn_cal_split(now).year, CENTURY_LEAST) - 80; /* 80 years back, 20 ahead */
    int64_t year = from - from % 100 + two;
    return year < from ? year + 100 : year;
}

static bool read_name(struct reading *r, const struct piece *p)
{
    int at = -1;
    switch (p->letter) {
    case 'M':
    case 'L':
        at = name_in(r, months, 12);
        r->c.month = at;
        return at >= 0;
    case 'E': return name_in(r, days, 7) >= 0;
    case 'a': {
        static const char *const halves[] = {"AM.", "PM."};
        if (r->rest.len < 2) {
            return false;
        }
        for (int i = 0; i < 2; i++) {
            if (slice_eq_nocase(slice_sub(r->rest, 0, 2), slice_of(halves[i], 2))) {
                r->rest = slice_sub(r->rest, 2, r->rest.len);
                r->pm = i == 1;
                return true;
            }
        }
        return false;
    }
    case 'G':
        at = (int)MIN(r->rest.len, 2);
        r->rest = slice_sub(r->rest, (size_t)at, r->rest.len);
        return at == 2;
    default: return read_zone(r);
    }
}

static void store(struct reading *r, char letter, int run, int64_t n, size_t n_digits)
{
    switch (letter) {
    case 'y': r->c.year = run <= 2 && n_digits == 2 ? century_of(n, r->now) : n; break;
    case 'M':
    case 'L': r->c.month = n - 1; break;
    case 'd': r->c.day = n; break;
    case 'D': r->yearday = n; break;
    case 'H': r->c.hour = n; break;
    case 'k': r->c.hour = n == 24 ? 0 : n; break;
    case 'h':
    case 'K':
        r->hour12 = n == 12 ? 0 : n;
        r->has_hour12 = true;
        break;
    case 'm': r->c.minute = n; break;
    case 's': r->c.second = n; break;
    case 'S': r->c.msec = n; break;
    default: /* w W F u Y: read, not used */ break;
    }
}

static bool skip_text(struct reading *r, struct slice text)
{
    if (!slice_starts(r->rest, text)) {
        return false;
    }
    r->rest = slice_sub(r->rest, text.len, r->rest.len);
    return true;
}

static bool read_piece(struct reading *r, const struct piece *p, bool abut)
{
    if (p->letter == 0) {
        return skip_text(r, p->text);
    }
    while (r->rest.len > 0 && (r->rest.ptr[0] == ' ' || r->rest.ptr[0] == '\t')) {
        r->rest = slice_sub(r->rest, 1, r->rest.len);
    }
    bool month_name = (p->letter == 'M' || p->letter == 'L') && p->run >= 3;
    if (month_name || strchr("EaGzZX", p->letter) != NULL) {
        return read_name(r, p);
    }
    int64_t n = 0;
    size_t n_digits = 0;
    if (!digits(r, abut ? (size_t)p->run : 18, &n, &n_digits)) {
        return false;
    }
    store(r, p->letter, p->run, n, n_digits);
    return true;
}

static bool is_numeric(const struct piece *p)
{
    bool name = (p->letter == 'M' || p->letter == 'L') && p->run >= 3;
    return p->letter != 0 && !name && strchr("EaGzZX", p->letter) == NULL;
}

static int64_t finished(struct reading *r)
{
    if (r->has_hour12) {
        r->c.hour = r->hour12 + (r->pm ? 12 : 0);
    }
    if (r->yearday > 0) {
        r->c.month = 0;
        r->c.day = r->yearday;
    }
    return (int64_t)((uint64_t)fn_cal_join(&r->c) - (uint64_t)r->zone_ms);
}

/* 2020-01-31, 2020-01-31T10:11, ...:12.345Z, with a zone or without. */
static bool read_iso(struct reading *r)
{
    static const char *const parts[] = {"yyyy-MM-dd", "'T'HH:mm", ":ss"};
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        struct piece p;
        if (i > 0 && (r->rest.len == 0 || r->rest.ptr[0] != (i == 1 ? 'T' : ':'))) {
            break;
        }
        for (struct slice rest = slice_str(parts[i]); next_piece(&rest, &p);) {
            if (!read_piece(r, &p, p.letter != 0)) {
                return false;
            }
        }
    }
    if (r->rest.len > 1 && r->rest.ptr[0] == '.') {
        int64_t scale = 100;
        size_t i = 1;
        for (; i < r->rest.len && r->rest.ptr[i] >= '0' && r->rest.ptr[i] <= '9';
             i++, scale /= 10) {
            r->c.msec += (r->rest.ptr[i] - '0') * scale;
        }
        r->rest = slice_sub(r->rest, i, r->rest.len);
    }
    return r->rest.len == 0 || (read_zone(r) && r->rest.len == 0);
}

bool fn_cal_parse(struct slice text, struct slice pattern, int64_t now, int64_t *ret_ms)
{
    assert(ret_ms != NULL);
    struct reading r = {.rest = text, .now = now, .c = {.year = 1970, .day = 1}};
    if (slice_eq_nocase(pattern, SLICE("iso"))) {
        if (!read_iso(&r)) {
            return false;
        }
        *ret_ms = finished(&r);
        return true;
    }
    struct piece p, after;
    for (struct slice rest = pattern; next_piece(&rest, &p);) {
        struct slice ahead = rest;
        bool abut = next_piece(&ahead, &after) && is_numeric(&after) && is_numeric(&p);
        if (p.letter == '?' || !read_piece(&r, &p, abut)) {
            return false;
        }
    }
    *ret_ms = finished(&r);
    return true;
}
