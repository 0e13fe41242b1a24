/* SPDX-License-Identifier: Apache-2.0
 *
 * The types of settings: text to value. To add a type: a row in parsers, a case in conf.c's store.
 */
#include "core/conf/conf_impl.h"

#include "core/base/clock.h"

#include <assert.h>

struct unit {
    const char *name;
    int64_t factor;
};

static const struct unit size_units[] = {{"", 1},          {"B", 1},
                                         {"KiB", 1 << 10}, {"MiB", 1 << 20},
                                         {"GiB", 1 << 30}, {"TiB", INT64_C(1) << 40}};
static const struct unit time_units[] = {{"ns", 1},
                                         {"us", 1000},
                                         {"ms", CLOCK_NS_PER_MS},
                                         {"s", CLOCK_NS_PER_S},
                                         {"m", 60 * CLOCK_NS_PER_S},
                                         {"h", 3600 * CLOCK_NS_PER_S},
                                         {"d", 86400 * CLOCK_NS_PER_S}};

static bool parse_with_unit(struct slice text, const struct unit *units, size_t n, int64_t *ret)
{
    size_t digits = 0;
    while (digits < text.len && text.ptr[digits] >= '0' && text.ptr[digits] <= '9') {
        digits++;
    }
    int64_t number;
    if (!slice_to_i64(slice_sub(text, 0, digits), &number)) {
        return false;
    }
    struct slice unit = slice_trim(slice_sub(text, digits, text.len));
    for (size_t i = 0; i < n; i++) {
        if (slice_eq(unit, slice_str(units[i].name))) {
            return !__builtin_mul_overflow(number, units[i].factor, ret);
        }
    }
    return false;
}

static bool parse_bool(const struct conf_row *row, struct slice text, union conf_value *ret)
{
    static const char *const yes[] = {"true", "yes", "on", "1"}, *const no[] = {"false", "no",
                                                                                "off", "0"};
    (void)row;
    for (size_t i = 0; i < ARRAY_LEN(yes); i++) {
        if (slice_eq_nocase(text, slice_str(yes[i])) || slice_eq_nocase(text, slice_str(no[i]))) {
            ret->b = slice_eq_nocase(text, slice_str(yes[i]));
            return true;
        }
    }
    return false;
}

static bool in_range(const struct conf_row *row, int64_t v)
{
    return (row->min == 0 && row->max == 0) || (v >= row->min && v <= row->max);
}

static bool parse_int(const struct conf_row *row, struct slice text, union conf_value *ret)
{
    return slice_to_i64(text, &ret->i) && in_range(row, ret->i);
}

static bool parse_size(const struct conf_row *row, struct slice text, union conf_value *ret)
{
    return parse_with_unit(text, size_units, ARRAY_LEN(size_units), &ret->i) &&
           in_range(row, ret->i);
}

static bool parse_duration(const struct conf_row *row, struct slice text, union conf_value *ret)
{
    bool zero = slice_eq(text, SLICE("0"));
    if (zero) {
        ret->i = 0;
    }
    return (zero || parse_with_unit(text, time_units, ARRAY_LEN(time_units), &ret->i)) &&
           in_range(row, ret->i);
}

static bool parse_string(const struct conf_row *row, struct slice text, union conf_value *ret)
{
    (void)row;
    (void)ret;
    return memchr(text.ptr != NULL ? text.ptr : "", '\0', text.len) == NULL;
}

static bool parse_enum(const struct conf_row *row, struct slice text, union conf_value *ret)
{
    for (int i = 0; row->choices[i] != NULL; i++) {
        if (slice_eq(text, slice_str(row->choices[i]))) {
            ret->choice = i;
            return true;
        }
    }
    return false;
}

struct type_row {
    const char *name, *expected;
    bool (*parse)(const struct conf_row *row, struct slice text, union conf_value *ret);
};

static const struct type_row types[] = {
    [CONF_BOOL] = {"bool", "true or false", parse_bool},
    [CONF_INT] = {"number", "a whole number", parse_int},
    [CONF_SIZE] = {"size", "a size such as 512, 64KiB, 8MiB, 64GiB", parse_size},
    [CONF_DURATION] = {"duration", "a duration such as 200ms, 5s, 10m, 24h, 7d", parse_duration},
    [CONF_STRING] = {"text", "text", parse_string},
    [CONF_ENUM] = {"choice", "one of", parse_enum},
    [CONF_MAP] = {"map", "names with values", parse_string},
    [CONF_LIST] = {"list", "items", parse_string},
};

const char *conf_type_name(enum conf_type type)
{
    assert((size_t)type < ARRAY_LEN(types));
    return types[type].name;
}

static const char *format_limit(struct arena *a, enum conf_type type, int64_t v)
{
    const struct unit *units = type == CONF_SIZE ? size_units : time_units;
    size_t n = type == CONF_SIZE ? ARRAY_LEN(size_units) : ARRAY_LEN(time_units);
    if (type == CONF_INT || v == 0) {
        return arena_printf(a, "%lld", (long long)v);
    }
    size_t best = 0;
    for (size_t i = 0; i < n; i++) {
        best = v % units[i].factor == 0 ? i : best;
    }
    return arena_printf(a, "%lld%s", (long long)(v / units[best].factor), units[best].name);
}

bool conf_value_parse(struct arena *a, const struct conf_row *row, struct slice text,
                      union conf_value *ret, const char **ret_expected)
{
    const struct type_row *t = &types[row->type];
    assert(ret != NULL && ret_expected != NULL);
    if (t->parse(row, text, ret)) {
        return true;
    }
    const char *expected = t->expected;
    if (row->type == CONF_ENUM) {
        for (int i = 0; row->choices[i] != NULL; i++) {
            expected = arena_printf(a, "%s%s %s", expected, i > 0 ? "," : "", row->choices[i]);
        }
    } else if (row->min != 0 || row->max != 0) {
        expected =
            arena_printf(a, "%s, from %s to %s", expected, format_limit(a, row->type, row->min),
                         format_limit(a, row->type, row->max));
    }
    *ret_expected = expected != NULL ? expected : t->expected;
    return false;
}
