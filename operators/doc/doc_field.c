/* SPDX-License-Identifier: Apache-2.0
 *
 * The table of fields (doc.def) as data, and the small values that fields have: names, durations,
 * choices, bounds.
 */
#include "operators/doc/doc_impl.h"

const struct doc_field doc_fields[] = {
#define DOC_FIELD(section, name, type, arg, required, fallback, doc)                               \
    {#section, #name,    DOC_F_##type, offsetof(struct doc_##section, name),                       \
     arg,      required, fallback,     doc},
#include "operators/doc/doc.def"
};
const size_t doc_n_fields = ARRAY_LEN(doc_fields);

const struct doc_section doc_sections[] = {
#define DOC_SECTION(name, doc) {#name, sizeof(struct doc_##name), doc},
#include "operators/doc/doc.def"
};
const size_t doc_n_sections = ARRAY_LEN(doc_sections);

const struct doc_section *doc_section(const char *name)
{
    for (size_t i = 0; i < doc_n_sections; i++) {
        if (strcmp(doc_sections[i].name, name) == 0) {
            return &doc_sections[i];
        }
    }
    return NULL;
}

const struct doc_field *doc_field_next(const char *section, const struct doc_field *after)
{
    for (size_t i = after == NULL ? 0 : (size_t)(after - doc_fields) + 1; i < doc_n_fields; i++) {
        if (strcmp(doc_fields[i].section, section) == 0) {
            return &doc_fields[i];
        }
    }
    return NULL;
}

struct slice doc_choice(const char *choices, uint32_t i)
{
    struct slice rest = slice_str(choices), part = SLICE_NONE;
    for (uint32_t k = 0; k <= i; k++) {
        if (!slice_split(&rest, '|', &part)) {
            return SLICE_NONE;
        }
    }
    return part;
}

void doc_bounds(const char *arg, double *ret_low, double *ret_high)
{
    struct slice s = slice_str(arg);
    size_t dots = slice_find_slice(s, SLICE(".."));
    *ret_low = -1e300;
    *ret_high = 1e300;
    if (dots < s.len) {
        (void)slice_to_f64(slice_sub(s, 0, dots), ret_low);
        (void)slice_to_f64(slice_sub(s, dots + 2, s.len), ret_high);
    }
}

bool doc_is_name(struct slice s)
{
    bool ok = s.len > 0 && s.len <= DOC_NAME_MAX && s.ptr[0] != '-' && s.ptr[s.len - 1] != '-';
    for (size_t i = 0; ok && i < s.len; i++) {
        char c = s.ptr[i];
        ok = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
    }
    return ok;
}

/* ---- durations ---- */

static const struct {
    const char *unit, *iso; /* iso: with T in front when it is a time of day */
    int64_t ns;
} units[] = {
    {"d", "D", 86400000000000},
    {"h", "TH", 3600000000000},
    {"m", "TM", 60000000000},
    {"s", "TS", 1000000000},
    {"ms", NULL, 1000000},
    {"us", NULL, 1000},
    {"ns", NULL, 1},
    {"w", "W", 604800000000000},
};

/* The number in front, as ns if a unit has `scale`; false when there is none or it is too large. */
static bool take_number(struct slice *rest, double *ret)
{
    size_t n = 0;
    while (n < rest->len && ((rest->ptr[n] >= '0' && rest->ptr[n] <= '9') || rest->ptr[n] == '.')) {
        n++;
    }
    bool ok = n > 0 && n < 20 && slice_to_f64(slice_sub(*rest, 0, n), ret);
    *rest = slice_sub(*rest, n, rest->len);
    return ok;
}

static bool iso(struct slice rest, int64_t *ret)
{
    double total = 0;
    bool time = false, any = false;
    while (rest.len > 0) {
        double number = 0;
        if (rest.ptr[0] == 'T' && !time) {
            time = true;
            rest = slice_sub(rest, 1, rest.len);
            continue;
        }
        if (!take_number(&rest, &number) || rest.len == 0) {
            return false;
        }
        bool found = false;
        for (size_t i = 0; !found && i < ARRAY_LEN(units); i++) {
            const char *u = units[i].iso;
            bool daytime = u != NULL && u[0] == 'T';
            if (u != NULL && daytime == time && u[daytime] == rest.ptr[0]) {
                total += number * (double)units[i].ns;
                found = true;
            }
        }
        if (!found) {
            return false;
        }
        any = true;
        rest = slice_sub(rest, 1, rest.len);
    }
    *ret = any && total < 9e18 ? (int64_t)total : 0;
    return any && total < 9e18;
}

bool doc_duration(struct slice s, int64_t *ret)
{
    double total = 0;
    if (slice_starts(s, SLICE("P"))) {
        return iso(slice_sub(s, 1, s.len), ret);
    }
    struct slice rest = s;
    do {
        double number = 0;
        if (!take_number(&rest, &number)) {
            return false;
        }
        size_t n = 0;
        while (n < rest.len && rest.ptr[n] >= 'a' && rest.ptr[n] <= 'z') {
            n++;
        }
        bool found = false;
        for (size_t i = 0; !found && i < ARRAY_LEN(units); i++) {
            found = slice_eq(slice_sub(rest, 0, n), slice_str(units[i].unit));
            total += found ? number * (double)units[i].ns : 0;
        }
        if (!found) {
            return false;
        }
        rest = slice_sub(rest, n, rest.len);
    } while (rest.len > 0);
    if (total >= 9e18) {
        return false;
    }
    *ret = (int64_t)total;
    return true;
}

void doc_duration_print(int64_t ns, struct buf *out)
{
    bool any = false;
    for (size_t i = 0; i < ARRAY_LEN(units) - 1; i++) {
        int64_t n = ns / units[i].ns;
        if (n > 0) {
            (void)buf_addf(out, "%lld%s", (long long)n, units[i].unit);
            ns -= n * units[i].ns;
            any = true;
        }
    }
    if (!any) {
        (void)buf_add_str(out, "0s");
    }
}
