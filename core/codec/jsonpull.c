/* SPDX-License-Identifier: Apache-2.0
 *
 * See jsonpull.h. One small state says what may come next (a value, a key, a comma...), one bit per
 * open container whether it is an object; together they are the whole grammar. Text is scanned
 * eight bytes at a time until a quote, a backslash or a control character.
 */
#include "core/codec/jsonpull.h"

#include "core/codec/utf8.h"

#include <assert.h>

enum expect {
    WANT_VALUE = 0,
    WANT_FIRST_ITEM, /* behind '[' */
    WANT_FIRST_KEY,  /* behind '{' */
    WANT_KEY,        /* behind ',' in an object */
    WANT_COLON,
    WANT_COMMA, /* or the end of the container */
    WANT_NOTHING,
    WANT_STOPPED, /* after an error */
};

void jsonpull_init(struct jsonpull *r, struct slice text, struct arena *a, enum jsonpull_mode mode,
                   uint32_t depth_max)
{
    assert(r != NULL);
    assert(depth_max <= JSONPULL_DEPTH_MAX);
    if (slice_starts(text, SLICE("\xef\xbb\xbf"))) {
        text = slice_sub(text, 3, text.len);
    }
    const char *p = text.ptr != NULL ? text.ptr : "";
    *r = (struct jsonpull){
        .start = p, .at = p, .end = p + text.len, .arena = a, .mode = mode, .depth_max = depth_max};
}

void jsonpull_refuse(struct jsonpull *r, enum err_code code, const char *why)
{
    assert(why != NULL);
    if (r->why == NULL) {
        r->code = code;
        r->why = why;
        r->expect = WANT_STOPPED;
    }
}

static COLD enum jsonpull_kind refuse(struct jsonpull *r, const char *at, enum err_code code,
                                      const char *why)
{
    r->at = at;
    jsonpull_refuse(r, code, why);
    return JSONPULL_ERROR;
}

static COLD enum jsonpull_kind syntax(struct jsonpull *r, const char *at, const char *why)
{
    return refuse(r, at, at == r->end ? ERR_TRUNCATED : ERR_SYNTAX,
                  at == r->end ? "the text ends too early" : why);
}

int jsonpull_error(const struct jsonpull *r, struct err *reterr)
{
    assert(r->why != NULL);
    uint32_t line = 1, col = 1;
    for (const char *p = r->start; p < r->at; p++) {
        col = *p == '\n' ? 1 : col + (((unsigned char)*p & 0xc0) != 0x80);
        line += *p == '\n';
    }
    int rc = err_set(reterr, r->code, "%s, at line %u column %u", r->why, line, col);
    err_span(reterr, line, col, 1);
    return rc;
}

/* --- strings --- */

/* Nonzero if one of the eight bytes is a quote, a backslash or below 0x20. */
static uint64_t special(uint64_t w)
{
    const uint64_t ones = 0x0101010101010101u, high = 0x8080808080808080u;
    uint64_t quote = w ^ (ones * '"'), back = w ^ (ones * '\\');
    return (((quote - ones) & ~quote) | ((back - ones) & ~back) | ((w - ones * 0x20) & ~w)) & high;
}

/* The first special byte at or behind p, or the end. */
static const char *scan_text(const struct jsonpull *r, const char *p)
{
    while (r->end - p >= 8) {
        uint64_t w;
        memcpy(&w, p, sizeof w);
        if (special(w) != 0) {
            break;
        }
        p += 8;
    }
    while (p < r->end && *p != '"' && *p != '\\' && (unsigned char)*p >= 0x20) {
        p++;
    }
    return p;
}

static int hex4(const char *p, const char *end)
{
    int v = 0;
    if (end - p < 4) {
        return -1;
    }
    for (size_t i = 0; i < 4; i++) {
        char c = p[i], low = (char)(c | 0x20);
        int digit = c >= '0' && c <= '9' ? c - '0' : low >= 'a' && low <= 'f' ? low - 'a' + 10 : -1;
        if (digit < 0) {
            return -1;
        }
        v = v << 4 | digit;
    }
    return v;
}

static char *put_char(char *to, uint32_t c)
{
    if (c < 0x80) {
        *to++ = (char)c;
    } else if (c < 0x800) {
        *to++ = (char)(0xc0 | c >> 6);
        *to++ = (char)(0x80 | (c & 0x3f));
    } else if (c < 0x10000) {
        *to++ = (char)(0xe0 | c >> 12);
        *to++ = (char)(0x80 | (c >> 6 & 0x3f));
        *to++ = (char)(0x80 | (c & 0x3f));
    } else {
        *to++ = (char)(0xf0 | c >> 18);
        *to++ = (char)(0x80 | (c >> 12 & 0x3f));
        *to++ = (char)(0x80 | (c >> 6 & 0x3f));
        *to++ = (char)(0x80 | (c & 0x3f));
    }
    return to;
}

/* *p stands behind "\u". False: no hexadecimal number, or a lone surrogate where that is refused.
 */
static bool read_unicode(const struct jsonpull *r, const char **p, uint32_t *ret_char)
{
    int high = hex4(*p, r->end);
    if (high < 0) {
        return false;
    }
    *p += 4;
    *ret_char = (uint32_t)high;
    if (high < 0xd800 || high > 0xdfff) {
        return true;
    }
    int low = high < 0xdc00 && r->end - *p >= 6 && (*p)[0] == '\\' && (*p)[1] == 'u'
                  ? hex4(*p + 2, r->end)
                  : -1;
    if (low >= 0xdc00 && low <= 0xdfff) {
        *p += 6;
        *ret_char = 0x10000u + ((uint32_t)(high - 0xd800) << 10) + (uint32_t)(low - 0xdc00);
        return true;
    }
    *ret_char = 0xfffd;
    return r->mode == JSONPULL_LENIENT;
}

/* *p stands behind the backslash. */
static bool read_escape(const struct jsonpull *r, const char **p, char **to)
{
    static const char from[] = "\"\\/bfnrt", into[] = "\"\\/\b\f\n\r\t";
    if (*p == r->end) {
        return false;
    }
    char c = *(*p)++;
    if (c == 'u') {
        uint32_t code;
        if (!read_unicode(r, p, &code)) {
            return false;
        }
        *to = put_char(*to, code);
        return true;
    }
    const char *at = memchr(from, c, sizeof from - 1);
    if (at != NULL) {
        *(*to)++ = into[at - from];
    }
    return at != NULL;
}

/* The rest of a string that has escapes; the text up to p is `open`..p. An unescaped text is never
 * longer than the escaped one. */
static enum jsonpull_kind read_escaped(struct jsonpull *r, const char *open, const char *p,
                                       struct slice *ret_text)
{
    const char *close = p;
    while (close < r->end && *close != '"' && (unsigned char)*close >= 0x20) {
        close = scan_text(r, *close == '\\' && r->end - close >= 2 ? close + 2 : close + 1);
    }
    if (close >= r->end || *close != '"') {
        return syntax(r, MIN(close, r->end), "a control character in a string");
    }
    char *out = r->arena != NULL ? arena_alloc(r->arena, (size_t)(close - open)) : NULL;
    if (out == NULL) {
        return refuse(r, open, ERR_LIMIT, "no memory is left for strings with escapes");
    }
    char *to = out;
    for (const char *from = open;;) {
        memcpy(to, from, (size_t)(p - from));
        to += p - from;
        if (*p == '"') {
            break;
        }
        const char *escape = p++;
        if (!read_escape(r, &p, &to)) {
            return syntax(r, escape, "no such escape in a string");
        }
        from = p;
        p = scan_text(r, p);
    }
    assert(p == close && (size_t)(to - out) <= (size_t)(close - open));
    r->at = close + 1;
    *ret_text = slice_of(out, (size_t)(to - out));
    return JSONPULL_STRING;
}

/* r->at stands on the quote. */
static enum jsonpull_kind read_string(struct jsonpull *r, struct slice *ret_text)
{
    const char *open = r->at + 1;
    const char *p = scan_text(r, open);
    if (p == r->end || (unsigned char)*p < 0x20) {
        return syntax(r, p, "a control character in a string");
    }
    if (*p == '"') {
        *ret_text = slice_of(open, (size_t)(p - open));
        r->at = p + 1;
    } else if (read_escaped(r, open, p, ret_text) == JSONPULL_ERROR) {
        return JSONPULL_ERROR;
    }
    if (r->mode == JSONPULL_STRICT && !utf8_valid(*ret_text)) {
        return refuse(r, open, ERR_SYNTAX, "a string that is no UTF-8");
    }
    return JSONPULL_STRING;
}

/* --- numbers --- */

static const char *scan_digits(const char *p, const char *end)
{
    while (p < end && *p >= '0' && *p <= '9') {
        p++;
    }
    return p;
}

/* Digits without point or exponent; false if they do not fit, or for -0, which is a double. */
static bool read_integer(struct jsonpull_token *t)
{
    if (slice_to_i64(t->text, &t->i)) {
        t->kind = JSONPULL_INT;
        return t->i != 0 || t->text.ptr[0] != '-';
    }
    t->kind = JSONPULL_UINT;
    return slice_to_u64(t->text, &t->u);
}

static enum jsonpull_kind read_number(struct jsonpull *r, struct jsonpull_token *t)
{
    const char *from = r->at, *p = from + (*from == '-');
    const char *end = scan_digits(p, r->end);
    bool integer = true;
    if (end == p || (*p == '0' && end - p > 1)) {
        return syntax(r, end == p ? p : from, "a number that JSON does not know");
    }
    if (end < r->end && *end == '.') {
        p = end + 1;
        end = scan_digits(p, r->end);
        integer = false;
        if (end == p) {
            return syntax(r, end, "a number without digits behind its point");
        }
    }
    if (end < r->end && (*end | 0x20) == 'e') {
        p = end + 1;
        p += p < r->end && (*p == '+' || *p == '-');
        end = scan_digits(p, r->end);
        integer = false;
        if (end == p) {
            return syntax(r, end, "a number without digits in its exponent");
        }
    }
    t->text = slice_of(from, (size_t)(end - from));
    if (!(integer && read_integer(t))) {
        t->kind = JSONPULL_DOUBLE;
        if (!slice_to_f64(t->text, &t->d)) {
            return refuse(r, from, ERR_RANGE, "a number too large or too long");
        }
    }
    r->at = end;
    return t->kind;
}

/* --- structure --- */

static bool in_object(const struct jsonpull *r)
{
    uint32_t top = r->depth - 1;
    return r->depth > 0 && (r->is_object[top / 64] >> (top % 64) & 1) != 0;
}

static void value_done(struct jsonpull *r)
{
    r->expect = r->depth > 0 ? WANT_COMMA : WANT_NOTHING;
}

static enum jsonpull_kind open_container(struct jsonpull *r, bool object)
{
    if (r->depth >= r->depth_max) {
        return refuse(r, r->at, ERR_LIMIT, "values nested too deeply");
    }
    uint64_t bit = UINT64_C(1) << (r->depth % 64);
    uint64_t *word = &r->is_object[r->depth / 64];
    *word = object ? *word | bit : *word & ~bit;
    r->depth++;
    r->at++;
    r->expect = object ? WANT_FIRST_KEY : WANT_FIRST_ITEM;
    return object ? JSONPULL_OBJECT : JSONPULL_ARRAY;
}

static enum jsonpull_kind close_container(struct jsonpull *r, bool object)
{
    assert(r->depth > 0);
    r->depth--;
    r->at++;
    value_done(r);
    return object ? JSONPULL_OBJECT_END : JSONPULL_ARRAY_END;
}

static enum jsonpull_kind read_word(struct jsonpull *r, struct jsonpull_token *t)
{
    static const struct {
        struct slice text;
        enum jsonpull_kind kind;
    } words[] = {
        {{"true", 4}, JSONPULL_BOOL}, {{"false", 5}, JSONPULL_BOOL}, {{"null", 4}, JSONPULL_NULL}};
    struct slice rest = slice_of(r->at, (size_t)(r->end - r->at));
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (slice_starts(rest, words[i].text)) {
            r->at += words[i].text.len;
            t->b = i == 0;
            return words[i].kind;
        }
        if (slice_starts(words[i].text, rest)) {
            return syntax(r, r->end, "");
        }
    }
    return syntax(r, r->at, "expected a value");
}

static enum jsonpull_kind read_value(struct jsonpull *r, struct jsonpull_token *t)
{
    enum jsonpull_kind kind;
    switch (*r->at) {
    case '{': return open_container(r, true);
    case '[': return open_container(r, false);
    case '"': kind = read_string(r, &t->text); break;
    case '-':
    case '0':
    case '1':
    case '2':
    case '3':
    case '4':
    case '5':
    case '6':
    case '7':
    case '8':
    case '9': kind = read_number(r, t); break;
    default: kind = read_word(r, t); break;
    }
    if (kind != JSONPULL_ERROR) {
        value_done(r);
    }
    return kind;
}

static enum jsonpull_kind read_key(struct jsonpull *r, struct jsonpull_token *t)
{
    if (*r->at != '"') {
        return syntax(r, r->at, "expected a key in quotes");
    }
    if (read_string(r, &t->text) == JSONPULL_ERROR) {
        return JSONPULL_ERROR;
    }
    r->expect = WANT_COLON;
    return JSONPULL_KEY;
}

static void skip_space(struct jsonpull *r)
{
    while (r->at < r->end &&
           (*r->at == ' ' || *r->at == '\n' || *r->at == '\r' || *r->at == '\t')) {
        r->at++;
    }
}

/* Commas and colons are taken here until a token comes. */
static enum jsonpull_kind read_token(struct jsonpull *r, struct jsonpull_token *t)
{
    for (;;) {
        skip_space(r);
        if (r->at == r->end) {
            return r->expect == WANT_NOTHING ? JSONPULL_END : syntax(r, r->at, "");
        }
        bool object = in_object(r);
        char close = object ? '}' : ']';
        switch ((enum expect)r->expect) {
        case WANT_FIRST_ITEM:
            if (*r->at == ']') {
                return close_container(r, false);
            }
            return read_value(r, t);
        case WANT_VALUE: return read_value(r, t);
        case WANT_FIRST_KEY:
            if (*r->at == '}') {
                return close_container(r, true);
            }
            return read_key(r, t);
        case WANT_KEY: return read_key(r, t);
        case WANT_COLON:
            if (*r->at != ':') {
                return syntax(r, r->at, "expected ':'");
            }
            r->expect = WANT_VALUE;
            break;
        case WANT_COMMA:
            if (*r->at == close) {
                return close_container(r, object);
            }
            if (*r->at != ',') {
                return syntax(r, r->at, object ? "expected ',' or '}'" : "expected ',' or ']'");
            }
            r->expect = object ? WANT_KEY : WANT_VALUE;
            break;
        default: return syntax(r, r->at, "something stands behind the value");
        }
        r->at++;
    }
}

enum jsonpull_kind jsonpull_next(struct jsonpull *r, struct jsonpull_token *ret_token)
{
    assert(r->at <= r->end);
    assert(ret_token != NULL);
    if (r->why != NULL) {
        return ret_token->kind = JSONPULL_ERROR;
    }
    return ret_token->kind = read_token(r, ret_token);
}

bool jsonpull_skip(struct jsonpull *r, const struct jsonpull_token *first)
{
    assert(first->kind != JSONPULL_KEY);
    struct jsonpull_token t = *first;
    if (t.kind != JSONPULL_OBJECT && t.kind != JSONPULL_ARRAY) {
        return t.kind != JSONPULL_ERROR;
    }
    uint32_t outside = r->depth - 1;
    while (r->depth > outside && jsonpull_next(r, &t) != JSONPULL_ERROR) {
    }
    return t.kind != JSONPULL_ERROR;
}
