/* SPDX-License-Identifier: Apache-2.0
 *
 * See tail_spec.h.
 */
#include "core/bus/tail_spec.h"

#include "core/bus/bus_types.h"

#include <assert.h>
#include <time.h>

struct unit {
    const char *name;
    int64_t ms;
};

static const struct unit units[] = {
    {"ms", 1}, {"s", 1000}, {"m", 60 * 1000}, {"h", 3600 * 1000}, {"d", INT64_C(86400) * 1000}};

/* "5m" -> ms. */
static bool parse_span(struct slice text, int64_t *ret_ms)
{
    size_t digits = 0;
    while (digits < text.len && text.ptr[digits] >= '0' && text.ptr[digits] <= '9') {
        digits++;
    }
    int64_t n;
    if (!slice_to_i64(slice_sub(text, 0, digits), &n)) {
        return false;
    }
    for (size_t i = 0; i < ARRAY_LEN(units); i++) {
        if (slice_eq(slice_sub(text, digits, text.len), slice_str(units[i].name))) {
            return !__builtin_mul_overflow(n, units[i].ms, ret_ms);
        }
    }
    return false;
}

/* "2026-01-31T12:00:00Z" -> ms. */
static bool parse_utc(struct slice text, int64_t *ret_ms)
{
    char copy[32];
    struct tm tm = {0};
    if (text.len == 0 || text.len >= sizeof copy) {
        return false;
    }
    memcpy(copy, text.ptr, text.len);
    copy[text.len] = '\0';
    const char *end = strptime(copy, "%Y-%m-%dT%H:%M:%S", &tm);
    if (end == NULL || strcmp(end, "Z") != 0) {
        return false;
    }
    *ret_ms = (int64_t)timegm(&tm) * 1000;
    return true;
}

int tail_from_parse(struct slice text, int64_t now_ms, struct tail_from *ret_from,
                    struct err *reterr)
{
    assert(ret_from != NULL);
    struct tail_from from = {.kind = TAIL_FROM_OFFSET};
    int64_t n;
    if (slice_eq(text, SLICE("start"))) {
        from.offset = BUS_FROM_START;
    } else if (slice_eq(text, SLICE("end"))) {
        from.offset = BUS_FROM_END;
    } else if (slice_starts(text, SLICE("-")) && parse_span(slice_sub(text, 1, text.len), &n)) {
        from.kind = TAIL_FROM_TIME;
        from.time_ms = now_ms - n;
    } else if (slice_to_i64(text, &n) && n >= 0) {
        from.offset = n;
    } else if (parse_utc(text, &n)) {
        from.kind = TAIL_FROM_TIME;
        from.time_ms = n;
    } else {
        return err_set(reterr, ERR_USAGE,
                       "--from '" SLICE_FMT "': expected start, end, a span back such as -5m "
                       "(ms, s, m, h, d), an offset, or a time such as 2026-01-31T12:00:00Z",
                       SLICE_ARG(text));
    }
    *ret_from = from;
    return 0;
}

int tail_filter_parse(struct slice text, struct tail_filter *ret_filter, struct err *reterr)
{
    assert(ret_filter != NULL);
    for (size_t i = 1; i < text.len; i++) {
        char c = text.ptr[i];
        bool differs = c == '!' && i + 1 < text.len && text.ptr[i + 1] == '=';
        if (c == '=' || c == '~' || differs) {
            *ret_filter = (struct tail_filter){
                .key = slice_trim(slice_sub(text, 0, i)),
                .value = slice_trim(slice_sub(text, i + (differs ? 2 : 1), text.len)),
                .op = differs    ? TAIL_DIFFERS
                      : c == '=' ? TAIL_EQUALS
                                 : TAIL_CONTAINS,
            };
            return 0;
        }
    }
    return err_set(reterr, ERR_USAGE,
                   "--filter '" SLICE_FMT "': expected key=value, key!=value or key~part",
                   SLICE_ARG(text));
}

bool tail_filter_passes(const struct tail_filter *f, struct slice value)
{
    switch (f->op) {
    case TAIL_EQUALS: return value.ptr != NULL && slice_eq(value, f->value);
    case TAIL_DIFFERS: return value.ptr == NULL || !slice_eq(value, f->value);
    case TAIL_CONTAINS:
        return value.ptr != NULL &&
               (f->value.len == 0 || slice_find_slice(value, f->value) < value.len);
    }
    return false;
}
