/* SPDX-License-Identifier: Apache-2.0
 *
 * See replay_time.h.
 */
#include "operators/replay/replay_time.h"

#include <assert.h>
#include <time.h>

enum { TEXT_MAX = 48 };

struct unit {
    const char *name;
    int64_t ms;
};
static const struct unit units[] = {
    {"ms", 1}, {"s", 1000}, {"m", 60 * 1000}, {"h", 3600 * 1000}, {"d", INT64_C(86400) * 1000}};

static size_t digits(struct slice text, size_t at)
{
    size_t n = 0;
    while (at + n < text.len && text.ptr[at + n] >= '0' && text.ptr[at + n] <= '9') {
        n++;
    }
    return n;
}

/* "1h" -> ms. */
static bool parse_span(struct slice text, int64_t *ret_ms)
{
    size_t n = digits(text, 0);
    int64_t count;
    if (!slice_to_i64(slice_sub(text, 0, n), &count)) {
        return false;
    }
    for (size_t i = 0; i < ARRAY_LEN(units); i++) {
        if (slice_eq(slice_sub(text, n, text.len), slice_str(units[i].name))) {
            return !__builtin_mul_overflow(count, units[i].ms, ret_ms);
        }
    }
    return false;
}

/* "+01:00" -> minutes; "Z". */
static bool parse_zone(struct slice text, int64_t *ret_minutes)
{
    int64_t h, m;
    if (slice_eq(text, SLICE("Z")) || slice_eq(text, SLICE("z"))) {
        *ret_minutes = 0;
        return true;
    }
    if (text.len != 6 || (text.ptr[0] != '+' && text.ptr[0] != '-') || text.ptr[3] != ':' ||
        digits(text, 1) != 2 || digits(text, 4) != 2 || !slice_to_i64(slice_sub(text, 1, 3), &h) ||
        !slice_to_i64(slice_sub(text, 4, 6), &m) || h > 23 || m > 59) {
        return false;
    }
    *ret_minutes = (text.ptr[0] == '-' ? -1 : 1) * (h * 60 + m);
    return true;
}

static bool parse_date(struct slice text, int64_t *ret_ms)
{
    char copy[TEXT_MAX];
    struct tm tm = {0};
    int64_t ms = 0, zone;
    if (text.len == 0 || text.len >= sizeof copy) {
        return false;
    }
    memcpy(copy, text.ptr, text.len);
    copy[text.len] = '\0';
    const char *end = strptime(copy, "%Y-%m-%dT%H:%M:%S", &tm);
    if (end == NULL) {
        return false;
    }
    size_t at = (size_t)(end - copy);
    if (*end == '.') {
        size_t n = digits(text, at + 1);
        int64_t unit = 100;
        for (size_t i = 0; i < n; i++, unit /= 10) { /* beyond ms: cut */
            ms += (text.ptr[at + 1 + i] - '0') * unit;
        }
        if (n == 0) {
            return false;
        }
        at += 1 + n;
    }
    if (!parse_zone(slice_sub(text, at, text.len), &zone)) {
        return false;
    }
    *ret_ms = ((int64_t)timegm(&tm) - zone * 60) * 1000 + ms;
    return true;
}

int replay_time_parse(const char *name, struct slice text, int64_t now_ms, int64_t *ret_ms,
                      struct err *reterr)
{
    int64_t n;
    assert(ret_ms != NULL);
    if (slice_eq(text, SLICE("now"))) {
        *ret_ms = now_ms;
    } else if (slice_starts(text, SLICE("-")) && parse_span(slice_sub(text, 1, text.len), &n)) {
        *ret_ms = now_ms - n;
    } else if (digits(text, 0) == text.len && slice_to_i64(text, &n)) {
        *ret_ms = n;
    } else if (!parse_date(text, ret_ms)) {
        return err_set(reterr, ERR_USAGE,
                       "--%s '" SLICE_FMT "': expected a time such as 2026-01-31T12:00:00Z, "
                       "milliseconds since 1970, a span back such as -1h (ms, s, m, h, d), or now",
                       name, SLICE_ARG(text));
    }
    return 0;
}
