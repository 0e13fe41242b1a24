/* SPDX-License-Identifier: Apache-2.0
 *
 * Methods of strings. Strings are UTF-8 here and UTF-16 to whoever writes rules: places and lengths
 * count UTF-16 units, as Java's do. A place in the middle of a pair of units means its beginning.
 */
#include "core/base/buf.h"
#include "operators/expr/fn_impl.h"
#include "operators/sig/fn_regex.h"

#include <assert.h>

enum { STRING_MAX = 16 << 20, PARTS_MAX = 1 << 20 };

static bool is_ascii(struct slice s)
{
    unsigned char any = 0;
    for (size_t i = 0; i < s.len; i++) {
        any |= (unsigned char)s.ptr[i];
    }
    return any < 0x80;
}

static size_t char_bytes(unsigned char lead)
{
    return lead < 0xC0 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
}

static uint32_t code_at(struct slice s, size_t at, size_t *ret_bytes)
{
    unsigned char lead = (unsigned char)s.ptr[at];
    size_t n = char_bytes(lead);
    if (n == 1 || at + n > s.len) {
        *ret_bytes = 1;
        return lead;
    }
    uint32_t c = lead & (0xFFu >> (n + 1));
    for (size_t i = 1; i < n; i++) {
        c = (c << 6) | ((unsigned char)s.ptr[at + i] & 0x3Fu);
    }
    *ret_bytes = n;
    return c;
}

size_t fn_units(struct slice s)
{
    size_t n = 0;
    for (size_t i = 0; i < s.len; i++) { /* each lead byte is one unit, of four bytes two */
        unsigned char c = (unsigned char)s.ptr[i];
        n += (c & 0xC0) != 0x80 ? 1 : 0;
        n += c >= 0xF0 ? 1 : 0;
    }
    return n;
}

/* Byte of the unit at a place; SIZE_MAX if there is none (its end counts as a place). */
static size_t byte_of(struct slice s, int64_t unit)
{
    if (unit < 0) {
        return SIZE_MAX;
    }
    if (is_ascii(s)) {
        return (uint64_t)unit <= s.len ? (size_t)unit : SIZE_MAX;
    }
    int64_t at = 0;
    size_t i = 0;
    while (i < s.len && at < unit) {
        size_t n = char_bytes((unsigned char)s.ptr[i]);
        at += n == 4 ? 2 : 1;
        if (at > unit) { /* the second half of a pair */
            return i;
        }
        i += n;
    }
    return at == unit ? MIN(i, s.len) : SIZE_MAX;
}

static int64_t unit_of(struct slice s, size_t byte)
{
    return (int64_t)fn_units(slice_sub(s, 0, byte));
}

static void put_code(struct buf *out, uint32_t c)
{
    if (c < 0x80) {
        (void)buf_add_byte(out, (uint8_t)c);
    } else if (c < 0x800) {
        (void)buf_add_byte(out, (uint8_t)(0xC0 | (c >> 6)));
        (void)buf_add_byte(out, (uint8_t)(0x80 | (c & 0x3F)));
    } else if (c < 0x10000) {
        (void)buf_add_byte(out, (uint8_t)(0xE0 | (c >> 12)));
        (void)buf_add_byte(out, (uint8_t)(0x80 | ((c >> 6) & 0x3F)));
        (void)buf_add_byte(out, (uint8_t)(0x80 | (c & 0x3F)));
    } else {
        (void)buf_add_byte(out, (uint8_t)(0xF0 | (c >> 18)));
        (void)buf_add_byte(out, (uint8_t)(0x80 | ((c >> 12) & 0x3F)));
        (void)buf_add_byte(out, (uint8_t)(0x80 | ((c >> 6) & 0x3F)));
        (void)buf_add_byte(out, (uint8_t)(0x80 | (c & 0x3F)));
    }
}

/* ---- places ---- */

static struct dat run_length(const struct fn_in *in)
{
    return dat_int((int32_t)fn_units(fn_text_of(in, 0)));
}

static struct dat unit_at(const struct fn_in *in, bool whole)
{
    struct slice s = fn_text_of(in, 0);
    size_t at = byte_of(s, in->v[1].i), n = 0;
    if (at >= s.len) {
        return DAT_NONE;
    }
    uint32_t c = code_at(s, at, &n);
    if (c >= 0x10000 && !whole) {
        bool second = unit_of(s, at) != in->v[1].i;
        c = second ? 0xDC00 + ((c - 0x10000) & 0x3FF) : 0xD800 + ((c - 0x10000) >> 10);
    }
    return (struct dat){.kind = whole ? DAT_INT : DAT_CHAR, .i = (int64_t)c};
}

static struct dat run_char_at(const struct fn_in *in)
{
    return unit_at(in, false);
}

static struct dat run_code_point_at(const struct fn_in *in)
{
    return unit_at(in, true);
}

static struct dat run_substring(const struct fn_in *in)
{
    struct slice s = fn_text_of(in, 0);
    size_t from = byte_of(s, in->v[1].i);
    size_t to = in->n > 2 ? byte_of(s, in->v[2].i) : s.len;
    if (from == SIZE_MAX || to == SIZE_MAX || from > to) {
        return DAT_NONE;
    }
    return fn_string(in, slice_sub(s, from, to));
}

/* What indexOf looks for: a string, or a character by its code. */
static struct slice needle(const struct fn_in *in, struct buf *keep)
{
    if (in->v[1].kind == DAT_STRING) {
        return fn_text_of(in, 1);
    }
    put_code(keep, (uint32_t)in->v[1].i);
    return buf_slice(keep);
}

static struct dat run_index_of(const struct fn_in *in)
{
    struct slice s = fn_text_of(in, 0);
    struct buf keep;
    buf_init(&keep, 8);
    struct slice part = needle(in, &keep);
    int64_t first = in->n > 2 ? MAX(in->v[2].i, 0) : 0;
    size_t from = byte_of(s, first);
    from = from == SIZE_MAX ? s.len : from;
    struct slice rest = slice_sub(s, from, s.len);
    size_t at = slice_find_slice(rest, part);
    bool found = at < rest.len || part.len == 0;
    buf_done(&keep);
    return dat_int(found ? (int32_t)unit_of(s, from + (part.len == 0 ? 0 : at)) : -1);
}

static struct dat run_last_index_of(const struct fn_in *in)
{
    struct slice s = fn_text_of(in, 0);
    struct buf keep;
    buf_init(&keep, 8);
    struct slice part = needle(in, &keep);
    int32_t found = -1;
    for (size_t i = s.len + 1; i-- > 0 && found < 0;) {
        if (slice_starts(slice_sub(s, i, s.len), part)) {
            found = (int32_t)unit_of(s, i);
        }
    }
    buf_done(&keep);
    return dat_int(found);
}

static struct dat run_starts_with(const struct fn_in *in)
{
    struct slice s = fn_text_of(in, 0);
    size_t from = in->n > 2 ? byte_of(s, in->v[2].i) : 0;
    return dat_bool(from != SIZE_MAX && slice_starts(slice_sub(s, from, s.len), fn_text_of(in, 1)));
}

static struct dat run_ends_with(const struct fn_in *in)
{
    return dat_bool(slice_ends(fn_text_of(in, 0), fn_text_of(in, 1)));
}

static struct dat run_region_matches(const struct fn_in *in)
{
    struct slice a = fn_text_of(in, 0), b = fn_text_of(in, 2);
    int64_t n = in->v[4].i;
    size_t from = byte_of(a, in->v[1].i), to = byte_of(a, in->v[1].i + n);
    size_t other = byte_of(b, in->v[3].i), end = byte_of(b, in->v[3].i + n);
    if (n <= 0 || from == SIZE_MAX || to == SIZE_MAX || other == SIZE_MAX || end == SIZE_MAX) {
        return dat_bool(n <= 0 && from != SIZE_MAX && other != SIZE_MAX);
    }
    return dat_bool(slice_eq(slice_sub(a, from, to), slice_sub(b, other, end)));
}

/* ---- case ---- */

/* Ranges of letters whose other case is `off` away; pairs: the even (or odd) one is the capital. */
struct case_range {
    uint32_t low, high; /* of capitals */
    int32_t off;        /* 0: pairs */
};

static const struct case_range case_ranges[] = {
    {'A', 'Z', 32},         {0xC0, 0xD6, 32},     {0xD8, 0xDE, 32},     {0x100, 0x12E, 0},
    {0x132, 0x136, 0},      {0x139, 0x147, 0},    {0x14A, 0x176, 0},    {0x179, 0x17D, 0},
    {0x178, 0x178, -121},   {0x386, 0x386, 38},   {0x388, 0x38A, 37},   {0x38C, 0x38C, 64},
    {0x38E, 0x38F, 63},     {0x391, 0x3A1, 32},   {0x3A3, 0x3AB, 32},   {0x400, 0x40F, 80},
    {0x410, 0x42F, 32},     {0x460, 0x480, 0},    {0x48A, 0x4BE, 0},    {0x4D0, 0x52E, 0},
    {0x1E00, 0x1E94, 0},    {0x1EA0, 0x1EFE, 0},  {0x531, 0x556, 48},   {0xFF21, 0xFF3A, 32},
    {0x10400, 0x10427, 40}, {0x2160, 0x216F, 16}, {0x24B6, 0x24CF, 26},
};

static uint32_t other_case(uint32_t c, bool upper)
{
    for (size_t i = 0; i < ARRAY_LEN(case_ranges); i++) {
        const struct case_range *r = &case_ranges[i];
        bool pairs = r->off == 0;
        uint32_t off = pairs ? 1 : (uint32_t)r->off;
        if (upper && c - off >= r->low && c - off <= r->high &&
            (!pairs || (c - off - r->low) % 2 == 0)) {
            return c - off;
        }
        if (!upper && c >= r->low && c <= r->high && (!pairs || (c - r->low) % 2 == 0)) {
            return c + off;
        }
    }
    if (upper && (c == 0x3C2 || c == 0xB5)) {
        return c == 0xB5 ? 0x39C : 0x3A3;
    }
    return c;
}

static struct dat cased(const struct fn_in *in, struct slice s, bool upper)
{
    if (is_ascii(s)) {
        struct vstr *to = vstr_room(in->h, s.len);
        for (size_t i = 0; i < s.len; i++) {
            to->s[i] = (char)other_case((unsigned char)s.ptr[i], upper);
        }
        return dat_str(to);
    }
    struct buf out;
    buf_init(&out, STRING_MAX);
    for (size_t i = 0, n = 0; i < s.len; i += n) {
        uint32_t c = code_at(s, i, &n);
        if (upper && c == 0xDF) {
            (void)buf_add_str(&out, "SS");
        } else {
            put_code(&out, other_case(c, upper));
        }
    }
    struct dat v = fn_string(in, buf_slice(&out));
    buf_done(&out);
    return v;
}

static struct dat run_lower(const struct fn_in *in)
{
    return cased(in, fn_text_of(in, 0), false);
}

static struct dat run_upper(const struct fn_in *in)
{
    return cased(in, fn_text_of(in, 0), true);
}

/* ---- comparison ---- */

/* Difference of the first units that differ, or of the lengths. */
static int32_t compare(struct slice a, struct slice b)
{
    size_t i = 0, n = 0, m = 0;
    while (i < a.len && i < b.len && a.ptr[i] == b.ptr[i]) {
        i++;
    }
    if (i == a.len || i == b.len) {
        return (int32_t)fn_units(a) - (int32_t)fn_units(b);
    }
    while (i > 0 && ((unsigned char)a.ptr[i] & 0xC0) == 0x80) {
        i--;
    }
    uint32_t x = code_at(a, i, &n), y = code_at(b, i, &m);
    if (x >= 0x10000 && y >= 0x10000 && (x - 0x10000) >> 10 == (y - 0x10000) >> 10) {
        return (int32_t)(x & 0x3FF) - (int32_t)(y & 0x3FF);
    }
    x = x >= 0x10000 ? 0xD800 + ((x - 0x10000) >> 10) : x;
    y = y >= 0x10000 ? 0xD800 + ((y - 0x10000) >> 10) : y;
    return (int32_t)x - (int32_t)y;
}

static struct dat run_compare_to(const struct fn_in *in)
{
    if (in->v[0].kind == DAT_STRING) {
        return dat_int(compare(fn_text_of(in, 0), fn_text_of(in, 1)));
    }
    return dat_int(dat_cmp(in->v[0], in->v[1]));
}

static struct dat run_compare_nocase(const struct fn_in *in)
{
    struct dat a = cased(in, fn_text_of(in, 0), false), b = cased(in, fn_text_of(in, 1), false);
    return dat_int(compare(vstr_slice(a.s), vstr_slice(b.s)));
}

static struct dat run_equals_nocase(const struct fn_in *in)
{
    if (in->v[1].kind != DAT_STRING) {
        return dat_bool(false);
    }
    struct dat a = cased(in, fn_text_of(in, 0), false), b = cased(in, fn_text_of(in, 1), false);
    return dat_bool(slice_eq(vstr_slice(a.s), vstr_slice(b.s)));
}

static struct dat run_content_equals(const struct fn_in *in)
{
    return dat_bool(slice_eq(fn_text_of(in, 0), fn_text_of(in, 1)));
}

/* ---- parts and changes ---- */

static bool is_space(char c, bool controls)
{
    unsigned char u = (unsigned char)c;
    return controls ? u <= ' ' : (u == ' ' || (u >= 9 && u <= 13) || (u >= 28 && u <= 31));
}

static struct slice trimmed(struct slice s, bool controls, bool front, bool back)
{
    while (front && s.len > 0 && is_space(s.ptr[0], controls)) {
        s = slice_sub(s, 1, s.len);
    }
    while (back && s.len > 0 && is_space(s.ptr[s.len - 1], controls)) {
        s.len--;
    }
    return s;
}

static struct dat run_trim(const struct fn_in *in)
{
    return fn_string(in, trimmed(fn_text_of(in, 0), true, true, true));
}

static struct dat run_strip(const struct fn_in *in)
{
    return fn_string(in, trimmed(fn_text_of(in, 0), false, true, true));
}

static struct dat run_strip_leading(const struct fn_in *in)
{
    return fn_string(in, trimmed(fn_text_of(in, 0), false, true, false));
}

static struct dat run_strip_trailing(const struct fn_in *in)
{
    return fn_string(in, trimmed(fn_text_of(in, 0), false, false, true));
}

static struct dat run_is_blank(const struct fn_in *in)
{
    return dat_bool(trimmed(fn_text_of(in, 0), false, true, true).len == 0);
}

static struct dat run_concat(const struct fn_in *in)
{
    struct slice a = fn_text_of(in, 0), b = fn_text_of(in, 1);
    if (a.len + b.len > STRING_MAX) {
        return DAT_NONE;
    }
    struct vstr *s = vstr_room(in->h, a.len + b.len);
    memcpy(s->s, a.ptr, a.len);
    memcpy(s->s + a.len, b.ptr, b.len);
    return dat_str(s);
}

static struct dat run_repeat(const struct fn_in *in)
{
    struct slice s = fn_text_of(in, 0);
    int64_t n = in->v[1].i;
    if (n < 0 || (s.len > 0 && n > (int64_t)(STRING_MAX / s.len))) {
        return DAT_NONE;
    }
    struct vstr *to = vstr_room(in->h, s.len * (size_t)n);
    for (size_t i = 0; i < (size_t)n; i++) {
        memcpy(to->s + i * s.len, s.ptr, s.len);
    }
    return dat_str(to);
}

static struct dat finish(const struct fn_in *in, struct buf *out)
{
    struct dat v = buf_failed(out) ? DAT_NONE : fn_string(in, buf_slice(out));
    buf_done(out);
    return v;
}

static struct dat run_replace(const struct fn_in *in)
{
    struct slice s = fn_text_of(in, 0);
    struct vstr *a = dat_text(in->h, in->v[1]),
                *b = dat_text(in->h, in->v[2]); /* characters, too */
    struct slice what = vstr_slice(a), by = vstr_slice(b);
    struct buf out;
    buf_init(&out, STRING_MAX);
    while (s.len > 0) {
        size_t at = what.len == 0 ? 0 : slice_find_slice(s, what);
        if (what.len == 0) { /* before each character */
            size_t n = MIN(char_bytes((unsigned char)s.ptr[0]), s.len);
            (void)buf_add_slice(&out, by);
            (void)buf_add(&out, s.ptr, n);
            s = slice_sub(s, n, s.len);
            continue;
        }
        (void)buf_add(&out, s.ptr, at);
        if (at < s.len) {
            (void)buf_add_slice(&out, by);
        }
        s = slice_sub(s, at + (at < s.len ? what.len : 0), s.len);
    }
    if (what.len == 0) {
        (void)buf_add_slice(&out, by);
    }
    return finish(in, &out);
}

/* ---- regular expressions ---- */

/* The compiled pattern: the binder's, or one made for this call (*ret_own). */
static const struct fn_regex *pattern(const struct fn_in *in, struct fn_regex **ret_own)
{
    *ret_own = NULL;
    if (in->e->data != NULL) {
        return in->e->data;
    }
    struct err ignored = {0};
    return fn_regex_new(fn_text_of(in, 1), ret_own, &ignored) == 0 ? *ret_own : NULL;
}

static struct dat run_matches(const struct fn_in *in)
{
    struct fn_regex *own = NULL;
    const struct fn_regex *re = pattern(in, &own);
    struct dat v = re == NULL ? DAT_NONE : dat_bool(fn_regex_whole(re, fn_text_of(in, 0)));
    fn_regex_free(own);
    return v;
}

/* $1 and \$ of a replacement; false if a group does not exist. */
static bool put_replacement(struct buf *out, struct slice by, struct slice s,
                            const struct fn_match *m)
{
    for (size_t i = 0; i < by.len; i++) {
        char c = by.ptr[i];
        if (c == '\\' && i + 1 < by.len) {
            (void)buf_add_byte(out, (uint8_t)by.ptr[++i]);
        } else if (c == '$' && i + 1 < by.len && by.ptr[i + 1] >= '0' && by.ptr[i + 1] <= '9') {
            int g = by.ptr[++i] - '0';
            while (i + 1 < by.len && by.ptr[i + 1] >= '0' && by.ptr[i + 1] <= '9' &&
                   g * 10 + (by.ptr[i + 1] - '0') < m->n) {
                g = g * 10 + (by.ptr[++i] - '0');
            }
            if (g >= m->n) {
                return false;
            }
            if (m->from[g] != SIZE_MAX) {
                (void)buf_add_slice(out, slice_sub(s, m->from[g], m->to[g]));
            }
        } else if (c == '$') {
            return false;
        } else {
            (void)buf_add_byte(out, (uint8_t)c);
        }
    }
    return true;
}

static struct dat replaced(const struct fn_in *in, bool all)
{
    struct fn_regex *own = NULL;
    const struct fn_regex *re = pattern(in, &own);
    struct slice s = fn_text_of(in, 0);
    struct fn_match m;
    struct buf out;
    bool fine = re != NULL;
    size_t from = 0, done = 0;
    buf_init(&out, STRING_MAX);
    while (fine && fn_regex_find(re, s, from, &m)) {
        (void)buf_add_slice(&out, slice_sub(s, done, m.from[0]));
        fine = put_replacement(&out, fn_text_of(in, 2), s, &m);
        done = m.to[0];
        from = done;
        if (m.to[0] == m.from[0]) { /* empty: go on behind the next character */
            from += done < s.len ? char_bytes((unsigned char)s.ptr[done]) : 1;
        }
        if (!all || from > s.len) {
            break;
        }
    }
    (void)buf_add_slice(&out, slice_sub(s, done, s.len));
    fn_regex_free(own);
    struct dat v = finish(in, &out);
    return fine ? v : DAT_NONE;
}

static struct dat run_replace_all(const struct fn_in *in)
{
    return replaced(in, true);
}

static struct dat run_replace_first(const struct fn_in *in)
{
    return replaced(in, false);
}

static struct dat run_split(const struct fn_in *in)
{
    struct fn_regex *own = NULL;
    const struct fn_regex *re = pattern(in, &own);
    struct slice s = fn_text_of(in, 0);
    int64_t limit = in->n > 2 ? in->v[2].i : 0;
    struct fn_match m;
    struct dat *parts = NULL;
    struct vlist *room = vlist_new(in->h, MIN(s.len + 1, (size_t)PARTS_MAX));
    size_t from = 0, done = 0, n = 0, filled = 0;
    parts = room->v;
    while (re != NULL && n + 1 < room->len && (limit <= 0 || (int64_t)n + 1 < limit) &&
           fn_regex_find(re, s, from, &m)) {
        bool empty = m.to[0] == m.from[0];
        from = m.to[0];
        if (empty) {
            from += m.to[0] < s.len ? char_bytes((unsigned char)s.ptr[m.to[0]]) : 1;
        }
        if (m.to[0] == 0 ||
            (empty && m.from[0] >= s.len)) { /* nothing stands before it, or behind */
            continue;
        }
        parts[n++] = fn_string(in, slice_sub(s, done, m.from[0]));
        done = m.to[0];
    }
    parts[n++] = fn_string(in, slice_sub(s, done, s.len));
    filled = n;
    while (limit == 0 && n > (filled > 1 ? 0u : 1u) && parts[n - 1].s->len == 0) {
        n--;
    }
    struct vlist *l = vlist_new(in->h, n);
    for (size_t i = 0; i < n; i++) {
        vlist_set(l, i, parts[i]);
    }
    for (size_t i = 0; i < filled; i++) {
        parts[i] = DAT_NONE; /* the scratch list held no references */
    }
    fn_regex_free(own);
    return re == NULL ? DAT_NONE : dat_list(l);
}

static struct dat run_to_chars(const struct fn_in *in)
{
    struct slice s = fn_text_of(in, 0);
    struct vlist *l = vlist_new(in->h, fn_units(s));
    uint32_t at = 0;
    for (size_t i = 0, n = 0; i < s.len && at < l->len; i += n) {
        uint32_t c = code_at(s, i, &n);
        if (c >= 0x10000 && at + 1 < l->len) {
            l->v[at++] =
                (struct dat){.kind = DAT_CHAR, .i = (int64_t)(0xD800 + ((c - 0x10000) >> 10))};
            c = 0xDC00 + ((c - 0x10000) & 0x3FF);
        }
        l->v[at++] = (struct dat){.kind = DAT_CHAR, .i = (int64_t)c};
    }
    return dat_list(l);
}

static struct dat run_intern(const struct fn_in *in)
{
    return in->v[0];
}

fn_run *const fn_strings[FN_COUNT] = {
    [FN_LENGTH] = run_length,
    [FN_CHAR_AT] = run_char_at,
    [FN_CODE_POINT_AT] = run_code_point_at,
    [FN_SUBSTRING] = run_substring,
    [FN_INDEX_OF] = run_index_of,
    [FN_LAST_INDEX_OF] = run_last_index_of,
    [FN_STARTS_WITH] = run_starts_with,
    [FN_ENDS_WITH] = run_ends_with,
    [FN_REGION_MATCHES] = run_region_matches,
    [FN_LOWER] = run_lower,
    [FN_UPPER] = run_upper,
    [FN_COMPARE_TO] = run_compare_to,
    [FN_COMPARE_NOCASE] = run_compare_nocase,
    [FN_EQUALS_NOCASE] = run_equals_nocase,
    [FN_CONTENT_EQUALS] = run_content_equals,
    [FN_TRIM] = run_trim,
    [FN_STRIP] = run_strip,
    [FN_STRIP_LEADING] = run_strip_leading,
    [FN_STRIP_TRAILING] = run_strip_trailing,
    [FN_IS_BLANK] = run_is_blank,
    [FN_CONCAT] = run_concat,
    [FN_REPEAT] = run_repeat,
    [FN_REPLACE] = run_replace,
    [FN_MATCHES] = run_matches,
    [FN_REPLACE_ALL] = run_replace_all,
    [FN_REPLACE_FIRST] = run_replace_first,
    [FN_SPLIT] = run_split,
    [FN_TO_CHARS] = run_to_chars,
    [FN_INTERN] = run_intern,
};
