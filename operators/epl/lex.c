/* SPDX-License-Identifier: Apache-2.0
 *
 * The lexer. One pass over the bytes, a switch on the first of each token; comments and blanks
 * vanish. Numbers take a suffix only when no further letter follows, so `1day` is a number and a
 * word. A backslash in a string keeps the character behind it, whatever it is, except for \uXXXX:
 * that is what the rules this language comes from rely on.
 */
#include "operators/epl/lex.h"

#include "core/base/mem.h"

#include <assert.h>
#include <math.h>

struct lexer {
    struct arena *a;
    struct slice text;
    size_t at;
    uint32_t line;
    size_t line_at; /* where the line begins */
    struct lex_out *out;
    struct err *err;
};

static const char *const keyword_texts[] = {
    "",
#define KW(name, text, class) text,
#include "operators/epl/tok.def"
#undef KW
};

static const uint8_t keyword_classes[] = {
    KWC_NONE,
#define KW(name, text, class) KWC_##class,
#include "operators/epl/tok.def"
#undef KW
};

static const char *const punct_texts[] = {
    [TOK_LPAREN] = "'('",    [TOK_RPAREN] = "')'", [TOK_LBRACK] = "'['",   [TOK_RBRACK] = "']'",
    [TOK_LCURLY] = "'{'",    [TOK_RCURLY] = "'}'", [TOK_COMMA] = "','",    [TOK_SEMI] = "';'",
    [TOK_COLON] = "':'",     [TOK_DOT] = "'.'",    [TOK_QUESTION] = "'?'", [TOK_AT] = "'@'",
    [TOK_HASH] = "'#'",      [TOK_STAR] = "'*'",   [TOK_SLASH] = "'/'",    [TOK_PERCENT] = "'%'",
    [TOK_PLUS] = "'+'",      [TOK_MINUS] = "'-'",  [TOK_EQ] = "'='",       [TOK_NE] = "'!='",
    [TOK_LT] = "'<'",        [TOK_LE] = "'<='",    [TOK_GT] = "'>'",       [TOK_GE] = "'>='",
    [TOK_CONCAT] = "'||'",   [TOK_PIPE] = "'|'",   [TOK_AMP] = "'&'",      [TOK_CARET] = "'^'",
    [TOK_FOLLOWED] = "'->'", [TOK_GOES] = "'=>'",
};

const char *lex_punct(enum tok kind)
{
    return (size_t)kind < ARRAY_LEN(punct_texts) ? punct_texts[kind] : NULL;
}

const char *lex_keyword_text(enum kw kw)
{
    assert(kw < KW_COUNT_OF);
    return keyword_texts[kw];
}

enum kw_class lex_keyword_class(enum kw kw)
{
    assert(kw < KW_COUNT_OF);
    return (enum kw_class)keyword_classes[kw];
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* Like memcmp of the lower-case word and the keyword. */
static int compare_word(struct slice word, const char *kw)
{
    for (size_t i = 0; i < word.len; i++) {
        int diff = (unsigned char)lower(word.ptr[i]) - (unsigned char)kw[i];
        if (diff != 0 || kw[i] == '\0') {
            return diff != 0 ? diff : 1; /* the end of kw is smaller than any letter */
        }
    }
    return kw[word.len] == '\0' ? 0 : -1;
}

enum kw lex_keyword(struct slice word)
{
    unsigned low = 1, high = KW_COUNT_OF;
    while (low < high) {
        unsigned mid = (low + high) / 2;
        int diff = compare_word(word, keyword_texts[mid]);
        if (diff == 0) {
            return (enum kw)mid;
        }
        if (diff < 0) {
            high = mid;
        } else {
            low = mid + 1;
        }
    }
    return KW_NONE;
}

static bool is_word_start(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '$';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_word(char c)
{
    return is_word_start(c) || is_digit(c);
}

static char look(const struct lexer *lx, size_t ahead)
{
    return lx->at + ahead < lx->text.len ? lx->text.ptr[lx->at + ahead] : '\0';
}

static struct span span_at(const struct lexer *lx, size_t from, size_t to)
{
    return (struct span){(uint32_t)from, (uint32_t)(to - from), lx->line,
                         (uint32_t)(from - lx->line_at) + 1};
}

static int fail(struct lexer *lx, struct span where, enum err_code code, const char *msg)
{
    int rc = err_set(lx->err, code, "%s", msg);
    err_span(lx->err, where.line, where.col, where.len > 0 ? where.len : 1);
    err_flags(lx->err, ERR_FLAG_USER);
    return rc;
}

static void newline(struct lexer *lx)
{
    lx->line++;
    lx->line_at = lx->at + 1;
}

static int skip_comment(struct lexer *lx)
{
    struct span start = span_at(lx, lx->at, lx->at + 2);
    if (look(lx, 1) == '/') {
        while (lx->at < lx->text.len && look(lx, 0) != '\n') {
            lx->at++;
        }
        return 0;
    }
    lx->at += 2;
    while (!(look(lx, 0) == '*' && look(lx, 1) == '/')) {
        if (lx->at >= lx->text.len) {
            return fail(lx, start, ERR_SYNTAX, "this comment has no end: expected '*/'");
        }
        if (look(lx, 0) == '\n') {
            newline(lx);
        }
        lx->at++;
    }
    lx->at += 2;
    return 0;
}

static int skip_blanks(struct lexer *lx)
{
    for (;;) {
        char c = look(lx, 0);
        if (lx->at >= lx->text.len) {
            return 0;
        }
        if (c == '\n') {
            newline(lx);
            lx->at++;
        } else if (c == ' ' || c == '\t' || c == '\r' || c == '\f') {
            lx->at++;
        } else if (c == '/' && (look(lx, 1) == '/' || look(lx, 1) == '*')) {
            int rc = skip_comment(lx);
            if (rc != 0) {
                return rc;
            }
        } else {
            return 0;
        }
    }
}

static int hex_value(char c)
{
    c = lower(c);
    return is_digit(c) ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The unit behind \u, or -1. */
static int unicode_escape(struct slice s, size_t at)
{
    int unit = 0;
    for (size_t i = 0; i < 4; i++) {
        int digit = at + i < s.len ? hex_value(s.ptr[at + i]) : -1;
        if (digit < 0) {
            return -1;
        }
        unit = unit * 16 + digit;
    }
    return unit;
}

static size_t put_utf8(char *to, uint32_t c)
{
    if (c < 0x80) {
        to[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        to[0] = (char)(0xc0 | c >> 6);
        to[1] = (char)(0x80 | (c & 0x3f));
        return 2;
    }
    if (c < 0x10000) {
        to[0] = (char)(0xe0 | c >> 12);
        to[1] = (char)(0x80 | (c >> 6 & 0x3f));
        to[2] = (char)(0x80 | (c & 0x3f));
        return 3;
    }
    to[0] = (char)(0xf0 | c >> 18);
    to[1] = (char)(0x80 | (c >> 12 & 0x3f));
    to[2] = (char)(0x80 | (c >> 6 & 0x3f));
    to[3] = (char)(0x80 | (c & 0x3f));
    return 4;
}

/* One \uXXXX, or a pair of surrogates, at s[*at] (behind the u). Lone surrogates become U+FFFD. */
static size_t take_unicode(struct slice s, size_t *at, char *to)
{
    uint32_t c = (uint32_t)unicode_escape(s, *at);
    *at += 4;
    if (c >= 0xd800 && c < 0xdc00 && *at + 1 < s.len && s.ptr[*at] == '\\' &&
        s.ptr[*at + 1] == 'u') {
        int low = unicode_escape(s, *at + 2);
        if (low >= 0xdc00 && low < 0xe000) {
            *at += 6;
            return put_utf8(to, 0x10000 + ((c - 0xd800) << 10) + ((uint32_t)low - 0xdc00));
        }
    }
    return put_utf8(to, c >= 0xd800 && c < 0xe000 ? 0xfffd : c);
}

/* The value of what stood between quotes; never longer than its text. */
static struct slice unescape(struct lexer *lx, struct slice raw)
{
    if (slice_find(raw, '\\') == raw.len) {
        return raw;
    }
    char *to = arena_alloc(lx->a, raw.len);
    size_t n = 0;
    for (size_t i = 0; to != NULL && i < raw.len;) {
        if (raw.ptr[i] != '\\' || i + 1 >= raw.len) {
            to[n++] = raw.ptr[i++];
        } else if (raw.ptr[i + 1] == 'u' && unicode_escape(raw, i + 2) >= 0) {
            i += 2;
            n += take_unicode(raw, &i, to + n);
        } else {
            to[n++] = raw.ptr[i + 1];
            i += 2;
        }
    }
    return slice_of(to, n);
}

static int lex_string(struct lexer *lx, struct token *t)
{
    size_t from = lx->at;
    char quote = look(lx, 0);
    t->span = span_at(lx, from, from + 1);
    lx->at++;
    while (look(lx, 0) != quote) {
        if (lx->at >= lx->text.len) {
            return fail(lx, t->span, ERR_SYNTAX,
                        quote == '`' ? "this name has no end: expected '`'"
                                     : "this string has no end: expected a closing quote");
        }
        if (look(lx, 0) == '\\' && quote != '`') {
            lx->at++;
        }
        if (look(lx, 0) == '\n') {
            newline(lx);
        }
        lx->at++;
    }
    lx->at++;
    t->span.len = (uint32_t)(lx->at - from);
    struct slice raw = slice_sub(lx->text, from + 1, lx->at - 1);
    if (quote == '`') {
        t->kind = TOK_WORD;
        t->ticked = true;
        t->text = raw;
        return raw.len > 0 ? 0 : fail(lx, t->span, ERR_SYNTAX, "an empty name in back-ticks");
    }
    t->kind = TOK_STRING;
    t->text = unescape(lx, raw);
    return t->text.ptr != NULL ? 0 : fail(lx, t->span, ERR_LIMIT, "out of memory for this text");
}

/* every-distinct, retain-union, retain-intersection, event-precedence are one word each. */
static void join_hyphen(struct lexer *lx, size_t from)
{
    static const struct {
        struct slice head, tail;
    } pairs[] = {{{"every", 5}, {"-distinct", 9}},
                 {{"retain", 6}, {"-union", 6}},
                 {{"retain", 6}, {"-intersection", 13}},
                 {{"event", 5}, {"-precedence", 11}}};
    struct slice word = slice_sub(lx->text, from, lx->at);
    for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
        struct slice tail = slice_sub(lx->text, lx->at, lx->at + pairs[i].tail.len);
        if (slice_eq_nocase(word, pairs[i].head) && slice_eq_nocase(tail, pairs[i].tail) &&
            !is_word(look(lx, tail.len))) {
            lx->at += tail.len;
            return;
        }
    }
}

static int lex_word(struct lexer *lx, struct token *t)
{
    size_t from = lx->at;
    bool escaped = false;
    while (is_word(look(lx, 0)) || (look(lx, 0) == '\\' && look(lx, 1) == '.')) {
        escaped |= look(lx, 0) == '\\';
        lx->at += look(lx, 0) == '\\' ? 2 : 1;
    }
    join_hyphen(lx, from);
    struct slice raw = slice_sub(lx->text, from, lx->at);
    t->kind = TOK_WORD;
    t->span = span_at(lx, from, lx->at);
    t->text = escaped ? unescape(lx, raw) : raw;
    t->kw = (uint8_t)(escaped ? KW_NONE : lex_keyword(raw));
    return t->text.ptr != NULL ? 0 : fail(lx, t->span, ERR_LIMIT, "out of memory for this text");
}

/* Digits to an integer; what does not fit an int is a long, also without an L. */
static int finish_integer(struct lexer *lx, struct token *t, struct slice digits, unsigned base)
{
    uint64_t v = 0;
    for (size_t i = 0; i < digits.len; i++) {
        if (__builtin_mul_overflow(v, (uint64_t)base, &v) ||
            __builtin_add_overflow(v, (uint64_t)hex_value(digits.ptr[i]), &v)) {
            v = UINT64_MAX;
            break;
        }
    }
    bool is_long = lower(look(lx, 0)) == 'l' && !is_word(look(lx, 1));
    lx->at += is_long ? 1 : 0;
    t->span = span_at(lx, t->span.off, lx->at);
    if (v > (uint64_t)1 << 63) {
        return fail(lx, t->span, ERR_RANGE, "this number does not fit 64 bits");
    }
    is_long |= v > (uint64_t)1 << 31;
    t->kind = is_long ? TOK_LONG : TOK_INT;
    t->i = (int64_t)v;
    return 0;
}

static int lex_hex(struct lexer *lx, struct token *t)
{
    size_t from = lx->at + 2;
    t->span = span_at(lx, lx->at, lx->at + 2);
    lx->at = from;
    while (hex_value(look(lx, 0)) >= 0) {
        lx->at++;
    }
    if (lx->at == from) {
        return fail(lx, t->span, ERR_SYNTAX, "expected hexadecimal digits behind 0x");
    }
    return finish_integer(lx, t, slice_sub(lx->text, from, lx->at), 16);
}

static void skip_digits(struct lexer *lx)
{
    while (is_digit(look(lx, 0))) {
        lx->at++;
    }
}

/* Digits, a fraction, an exponent; true if it is more than digits. */
static bool skip_number(struct lexer *lx)
{
    bool real = false;
    skip_digits(lx);
    if (look(lx, 0) == '.' && !is_word_start(look(lx, 1)) && look(lx, 1) != '.') {
        real = true;
        lx->at++;
        skip_digits(lx);
    }
    size_t sign = look(lx, 1) == '+' || look(lx, 1) == '-' ? 1 : 0;
    if (lower(look(lx, 0)) == 'e' && is_digit(look(lx, 1 + sign))) {
        real = true;
        lx->at += 1 + sign;
        skip_digits(lx);
    }
    return real;
}

static int lex_number(struct lexer *lx, struct token *t)
{
    size_t from = lx->at;
    if (look(lx, 0) == '0' && lower(look(lx, 1)) == 'x') {
        return lex_hex(lx, t);
    }
    bool real = skip_number(lx);
    struct slice digits = slice_sub(lx->text, from, lx->at);
    t->span = span_at(lx, from, lx->at);
    if (look(lx, 0) == '_') {
        return fail(lx, t->span, ERR_SYNTAX, "numbers are written without '_'");
    }
    char suffix = is_word(look(lx, 1)) ? '\0' : lower(look(lx, 0));
    if (!real && suffix != 'f' && suffix != 'd') {
        return finish_integer(lx, t, digits, 10);
    }
    lx->at += suffix == 'f' || suffix == 'd' ? 1 : 0;
    t->span = span_at(lx, from, lx->at);
    t->kind = suffix == 'f' ? TOK_FLOAT : TOK_DOUBLE;
    if (!slice_to_f64(digits, &t->d)) {
        return fail(lx, t->span, ERR_RANGE, "this number is too large");
    }
    t->d = suffix == 'f' ? (double)(float)t->d : t->d;
    if (isinf(t->d)) {
        return fail(lx, t->span, ERR_RANGE, "this number is too large");
    }
    return 0;
}

/* Operators of other languages, refused by name. */
static const char *foreign_operator(char c, char next)
{
    if (c == '=' && next == '=') {
        return "'==' is no operator here: write '='";
    }
    if (c == '&' && next == '&') {
        return "'&&' is no operator here: write 'and'";
    }
    if (c == '!' && next != '=') {
        return "'!' is no operator here: write 'not'";
    }
    return NULL;
}

static enum tok two_chars(char c, char next)
{
    static const struct {
        char text[2];
        uint8_t kind;
    } pairs[] = {{"!=", TOK_NE},   {"<>", TOK_NE},       {"<=", TOK_LE},    {">=", TOK_GE},
                 {"=>", TOK_GOES}, {"->", TOK_FOLLOWED}, {"||", TOK_CONCAT}};
    for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
        if (pairs[i].text[0] == c && pairs[i].text[1] == next) {
            return (enum tok)pairs[i].kind;
        }
    }
    return TOK_END;
}

static enum tok one_char(char c)
{
    for (size_t i = 0; i < ARRAY_LEN(punct_texts); i++) {
        if (punct_texts[i] != NULL && punct_texts[i][1] == c && punct_texts[i][2] == '\'') {
            return (enum tok)i;
        }
    }
    return TOK_END;
}

static int lex_punct_char(struct lexer *lx, struct token *t)
{
    char c = look(lx, 0);
    const char *foreign = foreign_operator(c, look(lx, 1));
    enum tok two = two_chars(c, look(lx, 1));
    enum tok one = one_char(c);
    size_t n = two != TOK_END ? 2 : 1;
    t->span = span_at(lx, lx->at, lx->at + n);
    if (foreign != NULL) {
        return fail(lx, t->span, ERR_SYNTAX, foreign);
    }
    if (two == TOK_END && one == TOK_END) {
        int rc = err_set(lx->err, ERR_SYNTAX,
                         (unsigned char)c > 32 && (unsigned char)c < 127
                             ? "unexpected character '%c'"
                             : "unexpected character with code %d",
                         c > 32 ? c : (unsigned char)c);
        err_span(lx->err, t->span.line, t->span.col, 1);
        return rc;
    }
    t->kind = (uint8_t)(two != TOK_END ? two : one);
    lx->at += n;
    return 0;
}

static int lex_token(struct lexer *lx, struct token *t)
{
    char c = look(lx, 0);
    if (is_word_start(c)) {
        return lex_word(lx, t);
    }
    if (is_digit(c) || (c == '.' && is_digit(look(lx, 1)))) {
        return lex_number(lx, t);
    }
    if (c == '\'' || c == '"' || c == '`') {
        return lex_string(lx, t);
    }
    return lex_punct_char(lx, t);
}

enum { PAUSE_EVERY = 1024 }; /* tokens */

int lex_text(struct arena *a, struct slice text, struct lex_out *out, struct err *reterr)
{
    struct lexer lx = {.a = a, .text = text, .line = 1, .out = out, .err = reterr};
    assert(a != NULL && out != NULL);
    if (text.len > LEX_MAX_TEXT) {
        return err_set(reterr, ERR_TOO_BIG, "a text of %zu bytes: at most %d are accepted",
                       text.len, LEX_MAX_TEXT);
    }
    for (;;) {
        int rc = skip_blanks(&lx);
        if (rc != 0) {
            return rc;
        }
        if (out->toks.len >= LEX_MAX_TOKENS || mem_limit_refused()) {
            return fail(&lx, span_at(&lx, lx.at, lx.at), ERR_LIMIT, "too many words in this text");
        }
        if (out->pause != NULL && out->toks.len % PAUSE_EVERY == 0) {
            out->pause->take(out->pause->arg);
        }
        struct token *t = VEC_PUSH(&out->toks);
        if (lx.at >= text.len) {
            t->span = span_at(&lx, lx.at, lx.at);
            return 0;
        }
        rc = lex_token(&lx, t);
        if (rc != 0) {
            return rc;
        }
        assert(lx.at > t->span.off);
    }
}
