/* SPDX-License-Identifier: Apache-2.0
 *
 * Regular expressions. See fn_regex.h.
 */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "operators/sig/fn_regex.h"

#include "core/base/arena.h"
#include "core/base/buf.h"
#include "core/base/mem.h"

#include <assert.h>
#include <pcre2.h>

enum {
    PATTERN_MAX = 64 * 1024,
    MATCH_LIMIT = 2000000, /* steps of backtracking */
    DEPTH_LIMIT = 10000,
};

struct fn_regex {
    pcre2_code *code;
    pcre2_match_data *data;
    pcre2_match_context *limits;
};

/* Java's names of character classes by what PCRE calls them. */
static const char *const classes[][2] = {
    {"Alpha", "[:alpha:]"},   {"Digit", "[:digit:]"},   {"Alnum", "[:alnum:]"},
    {"Upper", "[:upper:]"},   {"Lower", "[:lower:]"},   {"Punct", "[:punct:]"},
    {"Space", "[:space:]"},   {"XDigit", "[:xdigit:]"}, {"Blank", "[:blank:]"},
    {"Cntrl", "[:cntrl:]"},   {"Graph", "[:graph:]"},   {"Print", "[:print:]"},
    {"ASCII", "\\x00-\\x7F"},
};

static bool posix_class(struct slice name, bool negated, bool in_set, struct buf *out)
{
    for (size_t i = 0; i < ARRAY_LEN(classes); i++) {
        if (!slice_eq(name, slice_str(classes[i][0]))) {
            continue;
        }
        const char *to = classes[i][1];
        if (in_set && negated && to[0] == '[') {
            (void)buf_addf(out, "[:^%s", to + 2);
        } else if (in_set) {
            (void)buf_add_str(out, to);
        } else {
            (void)buf_addf(out, negated ? "[^%s]" : "[%s]", to);
        }
        return true;
    }
    return false;
}

/* At a backslash: how many bytes were taken. */
static size_t escape_to(struct slice s, bool in_set, struct buf *out)
{
    char c = s.len > 1 ? s.ptr[1] : '\0';
    if (c == 'u' && s.len >= 6) {
        (void)buf_addf(out, "\\x{%.4s}", s.ptr + 2);
        return 6;
    }
    if ((c == 'p' || c == 'P') && s.len > 3 && s.ptr[2] == '{') {
        size_t end = slice_find(s, '}');
        struct slice name = slice_sub(s, 3, end);
        if (end < s.len && posix_class(name, c == 'P', in_set, out)) {
            return end + 1;
        }
        if (end < s.len && slice_starts(name, SLICE("Is"))) { /* \p{IsGreek} */
            (void)buf_addf(out, "\\%c{" SLICE_FMT "}", c, SLICE_ARG(slice_sub(name, 2, name.len)));
            return end + 1;
        }
    }
    if (c == 'Z') { /* the same there */
        (void)buf_add_str(out, "\\Z");
        return 2;
    }
    (void)buf_add(out, s.ptr, MIN((size_t)2, s.len));
    return MIN((size_t)2, s.len);
}

static void translate(struct slice s, struct buf *out)
{
    bool in_set = false;
    for (size_t i = 0; i < s.len;) {
        if (s.ptr[i] == '\\' && i + 1 < s.len && s.ptr[i + 1] == 'Q') { /* taken as it is */
            size_t n = slice_find_slice(slice_sub(s, i, s.len), SLICE("\\E"));
            n = MIN(n + 2, s.len - i);
            (void)buf_add(out, s.ptr + i, n);
            i += n;
            continue;
        }
        if (s.ptr[i] == '\\') {
            i += escape_to(slice_sub(s, i, s.len), in_set, out);
            continue;
        }
        if (s.ptr[i] == '[' && in_set) {
            (void)buf_add_byte(out, '\\'); /* no sets within sets */
        } else if (s.ptr[i] == '[') {
            in_set = true;
            (void)buf_add_byte(out, '[');
            i++;
            if (i < s.len && s.ptr[i] == '^') {
                (void)buf_add_byte(out, '^');
                i++;
            }
            continue;
        } else if (s.ptr[i] == ']') {
            in_set = false;
        }
        (void)buf_add_byte(out, (uint8_t)s.ptr[i++]);
    }
}

static int bad_pattern(struct slice pattern, int code, size_t at, struct err *reterr)
{
    PCRE2_UCHAR why[120];
    if (pcre2_get_error_message(code, why, sizeof why) < 0) {
        why[0] = '\0';
    }
    return err_set(reterr, ERR_TYPE, "the regular expression '%.*s' is wrong at %zu: %s",
                   (int)MIN(pattern.len, (size_t)80), pattern.len > 0 ? pattern.ptr : "", at,
                   (const char *)why);
}

int fn_regex_new(struct slice pattern, struct fn_regex **ret, struct err *reterr)
{
    assert(ret != NULL);
    if (pattern.len > PATTERN_MAX) {
        return err_set(reterr, ERR_LIMIT, "a regular expression of more than %d bytes",
                       PATTERN_MAX);
    }
    struct buf text;
    buf_init(&text, (size_t)PATTERN_MAX * 8);
    translate(pattern, &text);
    int code = 0, rc = 0;
    PCRE2_SIZE at = 0;
    pcre2_compile_context *cc = pcre2_compile_context_create(NULL);
    (void)pcre2_set_newline(cc, PCRE2_NEWLINE_ANYCRLF);
    pcre2_code *re = pcre2_compile((PCRE2_SPTR)buf_cstr(&text), text.len,
                                   PCRE2_UTF | PCRE2_MATCH_INVALID_UTF, &code, &at, cc);
    pcre2_compile_context_free(cc);
    buf_done(&text);
    if (re == NULL) {
        return bad_pattern(pattern, code, at, reterr);
    }
    (void)pcre2_jit_compile(re, PCRE2_JIT_COMPLETE); /* without it the interpreter runs */
    struct fn_regex *r = MEM_NEW(struct fn_regex);
    r->code = re;
    r->data = pcre2_match_data_create_from_pattern(re, NULL);
    r->limits = pcre2_match_context_create(NULL);
    (void)pcre2_set_match_limit(r->limits, MATCH_LIMIT);
    (void)pcre2_set_depth_limit(r->limits, DEPTH_LIMIT);
    *ret = r;
    return rc;
}

void fn_regex_free(struct fn_regex *re)
{
    if (re == NULL) {
        return;
    }
    pcre2_match_context_free(re->limits);
    pcre2_match_data_free(re->data);
    pcre2_code_free(re->code);
    mem_free(re);
}

static void free_hook(void *re)
{
    fn_regex_free(re);
}

int fn_regex_in(struct arena *a, struct slice pattern, const struct fn_regex **ret,
                struct err *reterr)
{
    struct fn_regex *re = NULL;
    int rc = fn_regex_new(pattern, &re, reterr);
    if (rc == 0 && !arena_on_reset(a, free_hook, re)) {
        fn_regex_free(re);
        return err_set(reterr, ERR_LIMIT, "no room for a regular expression");
    }
    if (rc == 0) {
        *ret = re;
    }
    return rc;
}

static int run(const struct fn_regex *re, struct slice text, size_t from, uint32_t options)
{
    const char *p = text.ptr != NULL ? text.ptr : "";
    return pcre2_match(re->code, (PCRE2_SPTR)p, text.len, from, options, re->data, re->limits);
}

bool fn_regex_whole(const struct fn_regex *re, struct slice text)
{
    return run(re, text, 0, PCRE2_ANCHORED | PCRE2_ENDANCHORED) >= 0;
}

bool fn_regex_find(const struct fn_regex *re, struct slice text, size_t from, struct fn_match *ret)
{
    if (from > text.len) {
        return false;
    }
    int n = run(re, text, from, 0);
    if (n < 0) {
        return false;
    }
    const PCRE2_SIZE *v = pcre2_get_ovector_pointer(re->data);
    ret->n = (int)MIN(pcre2_get_ovector_count(re->data), (uint32_t)FN_GROUPS_MAX);
    for (int i = 0; i < ret->n; i++) {
        bool took = i < n && v[2 * i] != PCRE2_UNSET;
        ret->from[i] = took ? v[2 * i] : SIZE_MAX;
        ret->to[i] = took ? v[2 * i + 1] : SIZE_MAX;
    }
    return true;
}

/* ---- like ---- */

static size_t char_len(struct slice s, size_t at)
{
    size_t n = 1;
    while (at + n < s.len && ((unsigned char)s.ptr[at + n] & 0xC0) == 0x80) {
        n++;
    }
    return n;
}

/* One step of a pattern: '%', '_', or a byte that must stand there (with how many bytes it takes).
 */
static int step(struct slice pattern, size_t at, struct slice escape, size_t *ret_n)
{
    if (escape.len > 0 && slice_starts(slice_sub(pattern, at, pattern.len), escape) &&
        at + escape.len < pattern.len) {
        *ret_n = escape.len + 1;
        return (unsigned char)pattern.ptr[at + escape.len];
    }
    *ret_n = 1;
    char c = pattern.ptr[at];
    return c == '%' ? -1 : c == '_' ? -2 : (unsigned char)c;
}

bool fn_like_match(struct slice text, struct slice pattern, struct slice escape)
{
    size_t t = 0, p = 0, n = 0;
    size_t star_p = SIZE_MAX, star_t = 0; /* where to go on after the last % */
    while (t < text.len) {
        int want = p < pattern.len ? step(pattern, p, escape, &n) : -3;
        if (want == -1) {
            p += n;
            star_p = p;
            star_t = t;
            continue;
        }
        if (want == -2) {
            p += n;
            t += char_len(text, t);
            continue;
        }
        if (want == (int)(unsigned char)text.ptr[t]) {
            p += n;
            t++;
            continue;
        }
        if (star_p == SIZE_MAX) {
            return false;
        }
        p = star_p;
        star_t += char_len(text, star_t);
        t = star_t;
    }
    while (p < pattern.len && step(pattern, p, escape, &n) == -1) {
        p += n;
    }
    return p == pattern.len;
}
