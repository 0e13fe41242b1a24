/* SPDX-License-Identifier: Apache-2.0
 *
 * The parser's ground floor: looking at tokens, names and who may be one, messages. Recursive
 * descent by hand, one function for each production of grammar.ebnf, because only that says what
 * was expected at the very spot and lets words be keywords in one place and names in another.
 * Productions are in parse_*.c by topic. To add a clause: its words in tok.def if they are to be
 * reserved, a node in ast.h, a production, its printer in print*.c, a line in grammar.ebnf.
 */
#include "operators/epl/parse.h"

#include "operators/epl/epl.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

bool parse_at_word(const struct parser *p, const char *word)
{
    const struct token *t = parse_peek(p, 0);
    return t->kind == TOK_WORD && t->kw == KW_NONE && !t->ticked &&
           slice_eq_nocase(t->text, slice_str(word));
}

void parse_skip(struct parser *p, uint32_t n)
{
    p->pos += n;
    if (p->pos >= p->n_toks) {
        p->pos = p->n_toks - 1;
    }
}

bool parse_take(struct parser *p, enum tok kind)
{
    if (!parse_at(p, kind)) {
        return false;
    }
    parse_skip(p, 1);
    return true;
}

bool parse_take_kw(struct parser *p, enum kw kw)
{
    assert(kw != KW_NONE);
    if (!parse_at_kw(p, kw)) {
        return false;
    }
    parse_skip(p, 1);
    return true;
}

bool parse_take_word(struct parser *p, const char *word)
{
    if (!parse_at_word(p, word)) {
        return false;
    }
    parse_skip(p, 1);
    return true;
}

/* ---- errors ---- */

bool parse_fail(struct parser *p, const struct token *at, enum err_code code, const char *fmt, ...)
{
    char msg[200];
    va_list args;
    if (p->failed) {
        return false;
    }
    va_start(args, fmt);
    vsnprintf(msg, sizeof msg, fmt, args);
    va_end(args);
    p->failed = true;
    (void)err_set(p->err, code, "%s", msg);
    err_span(p->err, at->span.line, at->span.col, at->span.len > 0 ? at->span.len : 1);
    err_flags(p->err, ERR_FLAG_USER);
    return false;
}

bool parse_unsupported(struct parser *p, const struct token *at, const char *what)
{
    return parse_fail(p, at, ERR_UNSUPPORTED, "%s not supported yet", what);
}

bool parse_no_memory(struct parser *p)
{
    return parse_fail(p, parse_peek(p, 0), ERR_LIMIT, "the statement needs too much memory");
}

/* Short, for the end of a message. */
static void describe(const struct parser *p, const struct token *t, char *to, size_t size)
{
    if (t->kind == TOK_END) {
        snprintf(to, size, "the end of the text");
        return;
    }
    struct slice s = slice_sub(p->text, t->span.off, t->span.off + t->span.len);
    const char *more = s.len > 40 ? "..." : "";
    size_t len = s.len > 40 ? 40 : s.len;
    const char *newline_at = memchr(s.ptr, '\n', len);
    if (newline_at != NULL) {
        len = (size_t)(newline_at - s.ptr);
        more = "...";
    }
    snprintf(to, size, t->kind == TOK_STRING ? "the text %.*s%s" : "'%.*s%s'", (int)len, s.ptr,
             more);
}

/* The keyword the name was probably meant to be, among those a statement has between its parts. */
static enum kw meant(const struct token *t)
{
    static const uint8_t words[] = {
        KW_SELECT,     KW_FROM,       KW_WHERE,           KW_GROUP,   KW_HAVING,
        KW_OUTPUT,     KW_ORDER,      KW_LIMIT,           KW_INSERT,  KW_INTO,
        KW_CREATE,     KW_UPDATE,     KW_DELETE,          KW_MERGE,   KW_PATTERN,
        KW_WHEN,       KW_THEN,       KW_MATCHED,         KW_EVENTS,  KW_SNAPSHOT,
        KW_EVERY,      KW_SCHEMA,     KW_WINDOW,          KW_TABLE,   KW_CONTEXT,
        KW_VARIABLE,   KW_EXPRESSION, KW_MATCH_RECOGNIZE, KW_BETWEEN, KW_REGEXP,
        KW_LIKE,       KW_DISTINCT,   KW_MEASURES,        KW_DEFINE,  KW_PARTITION,
        KW_TERMINATED, KW_INITIATED};
    enum kw best = KW_NONE;
    unsigned best_distance = 3;
    if (t->kind != TOK_WORD || t->kw != KW_NONE || t->ticked || t->text.len < 3) {
        return KW_NONE;
    }
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        struct slice word = slice_str(lex_keyword_text((enum kw)words[i]));
        unsigned distance = slice_distance(t->text, word, 2);
        if (distance < best_distance && distance * 2 <= word.len) {
            best_distance = distance;
            best = (enum kw)words[i];
        }
    }
    return best;
}

/* What may help, or "". */
static void hint(const struct parser *p, const struct token *t, char *to, size_t size)
{
    const struct token *before = t > p->toks ? t - 1 : t;
    enum kw kw = meant(t);
    to[0] = '\0';
    if (kw != KW_NONE) {
        snprintf(to, size, "; did you mean '%s'?", lex_keyword_text(kw));
    } else if (t->kind == TOK_WORD && (before->kind == TOK_INT || before->kind == TOK_DOUBLE)) {
        snprintf(to, size, "; units of time are year month week day hour min sec msec usec");
    } else if (meant(before) != KW_NONE && before != t) {
        snprintf(to, size, "; is '%.*s' meant to be '%s'?", (int)before->text.len, before->text.ptr,
                 lex_keyword_text(meant(before)));
    } else if (t->kind == TOK_WORD && lex_keyword_class((enum kw)t->kw) == KWC_HARD &&
               before->kind == TOK_DOT) {
        snprintf(to, size, ", a word of the language; as a name it is written `%.*s`",
                 (int)t->text.len, t->text.ptr);
    }
}

bool parse_expected(struct parser *p, const char *what)
{
    char found[64], help[96];
    const struct token *t = parse_peek(p, 0);
    describe(p, t, found, sizeof found);
    hint(p, t, help, sizeof help);
    return parse_fail(p, t, ERR_SYNTAX, "expected %s, found %s%s", what, found, help);
}

bool parse_need(struct parser *p, enum tok kind, const char *why)
{
    char what[100];
    if (parse_take(p, kind)) {
        return true;
    }
    snprintf(what, sizeof what, "%s %s", lex_punct(kind), why);
    return parse_expected(p, what);
}

bool parse_need_kw(struct parser *p, enum kw kw, const char *why)
{
    char what[100];
    if (parse_take_kw(p, kw)) {
        return true;
    }
    snprintf(what, sizeof what, "'%s' %s", lex_keyword_text(kw), why);
    return parse_expected(p, what);
}

bool parse_close(struct parser *p, enum tok kind, const struct token *open)
{
    char what[100];
    if (parse_take(p, kind)) {
        return true;
    }
    snprintf(what, sizeof what, "%s to close %s opened at %u:%u", lex_punct(kind),
             lex_punct((enum tok)open->kind), open->span.line, open->span.col);
    return parse_expected(p, what);
}

/* ---- names ---- */

bool parse_is_decl(const struct token *t)
{
    return t->kind == TOK_WORD && t->kw == KW_NONE;
}

bool parse_is_type(const struct token *t)
{
    return t->kind == TOK_WORD && (t->kw == KW_NONE || t->kw == KW_EVENTS);
}

bool parse_is_prop(const struct token *t)
{
    return t->kind == TOK_WORD &&
           (t->kw == KW_NONE || lex_keyword_class((enum kw)t->kw) >= KWC_SOFT);
}

static bool bad_name(struct parser *p, const char *what)
{
    const struct token *t = parse_peek(p, 0);
    if (t->kind == TOK_WORD && t->kw != KW_NONE) {
        return parse_fail(p, t, ERR_SYNTAX,
                          "expected %s, found '%.*s', a word of the language; as a name it is "
                          "written `%.*s`",
                          what, (int)t->text.len, t->text.ptr, (int)t->text.len, t->text.ptr);
    }
    return parse_expected(p, what);
}

bool parse_decl_name(struct parser *p, struct slice *ret, const char *what)
{
    if (!parse_is_decl(parse_peek(p, 0))) {
        return bad_name(p, what);
    }
    *ret = parse_peek(p, 0)->text;
    parse_skip(p, 1);
    return true;
}

bool parse_prop_name(struct parser *p, struct slice *ret, const char *what)
{
    if (!parse_is_prop(parse_peek(p, 0))) {
        return bad_name(p, what);
    }
    *ret = parse_peek(p, 0)->text;
    parse_skip(p, 1);
    return true;
}

/* Joins words with dots: mostly the text itself. */
static bool join_dots(struct parser *p, const struct token *first, struct slice *ret)
{
    const struct token *last = &p->toks[p->pos - 1];
    size_t len = 0;
    for (const struct token *t = first; t <= last; t++) {
        len += t->kind == TOK_DOT ? 1 : t->text.len;
    }
    char *to = arena_alloc(p->a, len);
    if (to == NULL) {
        return parse_no_memory(p);
    }
    *ret = slice_of(to, len);
    for (const struct token *t = first; t <= last; t++) {
        struct slice part = t->kind == TOK_DOT ? SLICE(".") : t->text;
        memcpy(to, part.ptr, part.len);
        to += part.len;
    }
    return true;
}

/* type-name = name { "." name } ; a view such as `.win:length` behind it is left alone */
bool parse_type_name(struct parser *p, struct slice *ret, const char *what)
{
    const struct token *first = parse_peek(p, 0);
    if (!parse_is_type(first)) {
        return bad_name(p, what);
    }
    parse_skip(p, 1);
    while (parse_at(p, TOK_DOT) && parse_is_type(parse_peek(p, 1)) &&
           parse_peek(p, 2)->kind != TOK_COLON) {
        parse_skip(p, 2);
    }
    if (&p->toks[p->pos - 1] == first) {
        *ret = first->text;
        return true;
    }
    return join_dots(p, first, ret);
}

/* alias = [ "as" ] name */
bool parse_alias(struct parser *p, struct slice *ret)
{
    if (parse_take_kw(p, KW_AS)) {
        return parse_decl_name(p, ret, "a name behind 'as'");
    }
    if (parse_is_decl(parse_peek(p, 0))) {
        return parse_decl_name(p, ret, "a name");
    }
    return true;
}

/* name { "," name } */
bool parse_name_list(struct parser *p, struct slice **ret, uint32_t *ret_n, const char *what)
{
    do {
        struct slice *slot = PARSE_PUSH(p, *ret, *ret_n);
        if (slot == NULL || !parse_prop_name(p, slot, what)) {
            return false;
        }
    } while (parse_take(p, TOK_COMMA));
    return true;
}

/* ---- memory, spans, depth ---- */

void *parse_new(struct parser *p, size_t size)
{
    void *node = arena_zalloc(p->a, size);
    if (node == NULL) {
        (void)parse_no_memory(p);
    }
    return node;
}

void *parse_grow(struct parser *p, void *arr, uint32_t n, size_t size)
{
    assert(size > 0);
    if (n != 0 && (n < 4 || (n & (n - 1)) != 0)) {
        return arr; /* room is 4, 8, 16, ...; full at these counts only */
    }
    void *bigger = arena_array(p->a, n == 0 ? 4 : (size_t)n * 2, size);
    if (bigger == NULL) {
        (void)parse_no_memory(p);
        return NULL;
    }
    if (n > 0) {
        memcpy(bigger, arr, n * size);
    }
    return bigger;
}

bool parse_enter(struct parser *p)
{
    p->depth++;
    return p->depth <= PARSE_MAX_DEPTH ||
           parse_fail(p, parse_peek(p, 0), ERR_LIMIT, "nested more than %d levels deep",
                      PARSE_MAX_DEPTH);
}

void parse_leave(struct parser *p)
{
    assert(p->depth > 0);
    p->depth--;
}

struct span parse_span_from(const struct parser *p, const struct token *first)
{
    const struct token *last = p->pos > 0 ? &p->toks[p->pos - 1] : first;
    struct span span = first->span;
    if (last->span.off + last->span.len > span.off) {
        span.len = last->span.off + last->span.len - span.off;
    }
    return span;
}

/* ---- the front door ---- */

static int begin(struct parser *p, struct arena *a, struct slice text, struct lex_out *lx,
                 struct err *reterr)
{
    int rc = lex_text(a, text, lx, reterr);
    *p = (struct parser){.a = a,
                         .text = text,
                         .toks = lx->toks.ptr,
                         .n_toks = (uint32_t)lx->toks.len,
                         .pause = lx->pause,
                         .err = reterr};
    return rc;
}

/* The error is set in reterr; its code is the result. */
static int result(const struct parser *p)
{
    assert(p->failed);
    return err_value(p->err != NULL ? -(int)p->err->code : -(int)ERR_SYNTAX, ERR_SYNTAX);
}

int epl_parse(struct arena *a, struct slice text, struct ast_module **ret_module,
              struct err *reterr)
{
    return epl_parse_pausing(a, text, NULL, ret_module, reterr);
}

int epl_parse_pausing(struct arena *a, struct slice text, const struct epl_pause *pause,
                      struct ast_module **ret_module, struct err *reterr)
{
    struct parser p;
    struct lex_out lx = {.pause = pause};
    struct ast_module *m = NULL;
    int rc = begin(&p, a, text, &lx, reterr);
    assert(ret_module != NULL);
    if (rc == 0) {
        m = PARSE_NEW(&p, struct ast_module);
        rc = m != NULL && parse_module(&p, m) ? 0 : result(&p);
    }
    if (rc == 0) {
        *ret_module = m;
    }
    VEC_DONE(&lx.toks);
    return rc;
}

int epl_parse_query(struct arena *a, struct slice text, struct ast_stmt **ret_stmt,
                    struct err *reterr)
{
    struct parser p;
    struct lex_out lx = {0};
    int rc = begin(&p, a, text, &lx, reterr);
    assert(ret_stmt != NULL);
    if (rc == 0) {
        p.on_demand = true;
        struct ast_stmt *st = parse_stmt(&p);
        (void)parse_take(&p, TOK_SEMI);
        if (st == NULL || (!parse_at(&p, TOK_END) && !parse_expected(&p, "the end of the query"))) {
            rc = result(&p);
        } else {
            *ret_stmt = st;
        }
    }
    VEC_DONE(&lx.toks);
    return rc;
}

int epl_parse_expr(struct arena *a, struct slice text, struct ast_expr **ret_expr,
                   struct err *reterr)
{
    struct parser p;
    struct lex_out lx = {0};
    int rc = begin(&p, a, text, &lx, reterr);
    assert(ret_expr != NULL);
    if (rc == 0) {
        struct ast_expr *e = parse_expr(&p);
        if (e == NULL ||
            (!parse_at(&p, TOK_END) && !parse_expected(&p, "the end of the expression"))) {
            rc = result(&p);
        } else {
            *ret_expr = e;
        }
    }
    VEC_DONE(&lx.toks);
    return rc;
}
