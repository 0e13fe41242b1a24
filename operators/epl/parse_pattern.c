/* SPDX-License-Identifier: Apache-2.0
 *
 * Patterns, from low to high precedence: ->, or, and, until, every/not/every-distinct, guards.
 * A guard binds to what stands directly before it, so `every a -> b where timer:within(t)` limits
 * b alone; brackets widen it.
 */
#include "operators/epl/parse.h"

#include <assert.h>

static struct ast_pat *parse_qualify(struct parser *p);

static struct ast_pat *new_pat(struct parser *p, enum ast_pat_kind kind, const struct token *first)
{
    struct ast_pat *pat = PARSE_NEW(p, struct ast_pat);
    if (pat != NULL) {
        pat->kind = kind;
        pat->span = first->span;
    }
    return pat;
}

static bool add_kid(struct parser *p, struct ast_pat *pat, struct ast_pat *kid)
{
    if (kid == NULL || pat == NULL) {
        return false;
    }
    struct ast_pat **slot = PARSE_PUSH(p, pat->kids, pat->n_kids);
    if (slot != NULL) {
        *slot = kid;
    }
    return slot != NULL;
}

static struct ast_pat *end_pat(struct parser *p, struct ast_pat *pat, const struct token *first)
{
    pat->span = parse_span_from(p, first);
    return pat;
}

/* ---- atoms ---- */

/* observer = name ":" name ( args | cron ) */
static struct ast_pat *parse_observer(struct parser *p)
{
    const struct token *first = parse_peek(p, 0);
    struct ast_pat *pat = new_pat(p, PAT_OBSERVER, first);
    if (pat == NULL || !parse_prop_name(p, &pat->ns, "the namespace of an observer") ||
        !parse_need(p, TOK_COLON, "before the observer's name") ||
        !parse_prop_name(p, &pat->name, "the name of an observer")) {
        return NULL;
    }
    bool cron = slice_eq(pat->name, SLICE("at"));
    if (cron ? !parse_cron(p, &pat->args, &pat->n_args)
             : !parse_args(p, &pat->args, &pat->n_args)) {
        return NULL;
    }
    return end_pat(p, pat, first);
}

/* consume = "@" "consume" [ "(" number ")" ] */
static bool parse_consume(struct parser *p, struct ast_pat *pat)
{
    if (!parse_take(p, TOK_AT)) {
        return true;
    }
    const struct token *open = parse_peek(p, 1);
    if (!parse_take_word(p, "consume")) {
        return parse_expected(p, "'consume' behind '@'");
    }
    pat->consume = true;
    if (parse_take(p, TOK_LPAREN)) {
        pat->consume_level = parse_unary(p);
        return pat->consume_level != NULL && parse_close(p, TOK_RPAREN, open);
    }
    return true;
}

/* atom = [ tag "=" ] filter [ consume ] */
static struct ast_pat *parse_pat_filter(struct parser *p)
{
    const struct token *first = parse_peek(p, 0);
    struct ast_pat *pat = new_pat(p, PAT_FILTER, first);
    if (pat == NULL) {
        return NULL;
    }
    if (parse_peek(p, 1)->kind == TOK_EQ) {
        if (!parse_decl_name(p, &pat->tag, "a tag before '='")) {
            return NULL;
        }
        parse_skip(p, 1);
    }
    pat->stream = PARSE_NEW(p, struct ast_stream);
    if (pat->stream == NULL || !parse_filter(p, pat->stream) || !parse_consume(p, pat)) {
        return NULL;
    }
    return end_pat(p, pat, first);
}

static struct ast_pat *parse_pat_atom(struct parser *p)
{
    const struct token *first = parse_peek(p, 0);
    if (first->kind == TOK_LPAREN) {
        parse_skip(p, 1);
        struct ast_pat *pat = parse_pattern(p);
        if (pat == NULL || !parse_close(p, TOK_RPAREN, first)) {
            return NULL;
        }
        pat->paren = true;
        return pat;
    }
    if (first->kind == TOK_WORD && parse_peek(p, 1)->kind == TOK_COLON) {
        return parse_observer(p);
    }
    if (first->kind != TOK_WORD) {
        (void)parse_expected(p, "a stream, an observer or '(' in the pattern");
        return NULL;
    }
    return parse_pat_filter(p);
}

/* ---- guards ---- */

/* guard = "where" name ":" name args | "while" "(" expr ")" */
static bool parse_guard(struct parser *p, struct ast_pat *pat)
{
    if (parse_take_kw(p, KW_WHERE)) {
        return parse_prop_name(p, &pat->ns, "the guard, as timer:within") &&
               parse_need(p, TOK_COLON, "in the name of the guard") &&
               parse_prop_name(p, &pat->name, "the name of a guard") &&
               parse_args(p, &pat->args, &pat->n_args);
    }
    pat->name = SLICE("while");
    parse_skip(p, 1);
    const struct token *open = parse_peek(p, 0);
    return parse_need(p, TOK_LPAREN, "behind 'while'") &&
           parse_expr_list(p, &pat->args, &pat->n_args) && parse_close(p, TOK_RPAREN, open);
}

/* guarded = atom [ guard ] */
static struct ast_pat *parse_guarded(struct parser *p)
{
    const struct token *first = parse_peek(p, 0);
    struct ast_pat *pat = parse_pat_atom(p);
    if (pat == NULL || (!parse_at_kw(p, KW_WHERE) && !parse_at_kw(p, KW_WHILE))) {
        return pat;
    }
    struct ast_pat *guard = new_pat(p, PAT_GUARD, first);
    if (!add_kid(p, guard, pat) || !parse_guard(p, guard)) {
        return NULL;
    }
    return end_pat(p, guard, first);
}

/* ---- every, not, repetition ---- */

/* range = "[" ( expr [ ":" [ expr ] ] | ":" expr ) "]" */
static bool parse_range(struct parser *p, struct ast_pat *pat)
{
    const struct token *open = parse_peek(p, 0);
    parse_skip(p, 1);
    if (!parse_at(p, TOK_COLON)) {
        pat->low = parse_expr(p);
        if (pat->low == NULL) {
            return false;
        }
        pat->high = pat->low;
    }
    if (parse_take(p, TOK_COLON)) {
        pat->high = NULL;
        if (!parse_at(p, TOK_RBRACK) && (pat->high = parse_expr(p)) == NULL) {
            return false;
        }
    }
    return parse_close(p, TOK_RBRACK, open);
}

/* qualify = ( "every" | "not" | "every-distinct" args ) ( repeat | qualify ) | guarded */
static struct ast_pat *parse_prefix(struct parser *p, enum ast_pat_kind kind)
{
    const struct token *first = parse_peek(p, 0);
    struct ast_pat *pat = new_pat(p, kind, first), *kid = NULL;
    parse_skip(p, 1);
    if (pat == NULL || (kind == PAT_EVERY_DISTINCT && !parse_args(p, &pat->args, &pat->n_args))) {
        return NULL;
    }
    if (!parse_enter(p)) {
        kid = NULL;
    } else if (parse_at(p, TOK_LBRACK)) {
        const struct token *range = parse_peek(p, 0);
        kid = new_pat(p, PAT_UNTIL, range);
        if (kid != NULL && parse_range(p, kid) && add_kid(p, kid, parse_guarded(p))) {
            (void)end_pat(p, kid, range);
        } else {
            kid = NULL;
        }
    } else {
        kid = parse_qualify(p);
    }
    parse_leave(p);
    return add_kid(p, pat, kid) ? end_pat(p, pat, first) : NULL;
}

static struct ast_pat *parse_qualify(struct parser *p)
{
    switch (parse_peek(p, 0)->kw) {
    case KW_EVERY: return parse_prefix(p, PAT_EVERY);
    case KW_NOT: return parse_prefix(p, PAT_NOT);
    case KW_EVERY_DISTINCT: return parse_prefix(p, PAT_EVERY_DISTINCT);
    default: return parse_guarded(p);
    }
}

/* until = [ range ] qualify [ "until" qualify ] */
static struct ast_pat *parse_until(struct parser *p)
{
    const struct token *first = parse_peek(p, 0);
    struct ast_pat *pat = new_pat(p, PAT_UNTIL, first);
    bool ranged = parse_at(p, TOK_LBRACK);
    if (pat == NULL || (ranged && !parse_range(p, pat))) {
        return NULL;
    }
    struct ast_pat *kid = parse_qualify(p);
    if (kid == NULL || (!ranged && !parse_at_kw(p, KW_UNTIL))) {
        return kid;
    }
    if (!add_kid(p, pat, kid)) {
        return NULL;
    }
    if (parse_take_kw(p, KW_UNTIL) && !add_kid(p, pat, parse_qualify(p))) {
        return NULL;
    }
    return end_pat(p, pat, first);
}

/* ---- and, or, followed-by ---- */

/* and = until { "and" until } ; or = and { "or" and } */
static struct ast_pat *parse_pat_list(struct parser *p, enum ast_pat_kind kind)
{
    const struct token *first = parse_peek(p, 0);
    enum kw kw = kind == PAT_OR ? KW_OR : KW_AND;
    struct ast_pat *pat = kind == PAT_OR ? parse_pat_list(p, PAT_AND) : parse_until(p);
    if (pat == NULL || !parse_at_kw(p, kw)) {
        return pat;
    }
    struct ast_pat *list = new_pat(p, kind, first);
    if (!add_kid(p, list, pat)) {
        return NULL;
    }
    while (parse_take_kw(p, kw)) {
        pat = kind == PAT_OR ? parse_pat_list(p, PAT_AND) : parse_until(p);
        if (!add_kid(p, list, pat)) {
            return NULL;
        }
    }
    return end_pat(p, list, first);
}

static bool at_followed(const struct parser *p)
{
    return parse_at(p, TOK_FOLLOWED) ||
           (parse_at(p, TOK_MINUS) && parse_peek(p, 1)->kind == TOK_LBRACK);
}

/* arrow = "->" | "-[" expr "]>" */
static bool parse_arrow(struct parser *p, struct ast_pat *pat)
{
    uint32_t n_max = pat->n_kids - 1;
    struct ast_expr **max = PARSE_PUSH(p, pat->max, n_max);
    if (max == NULL || parse_take(p, TOK_FOLLOWED)) {
        return max != NULL;
    }
    const struct token *open = parse_peek(p, 1);
    parse_skip(p, 2);
    *max = parse_expr(p);
    return *max != NULL && parse_close(p, TOK_RBRACK, open) &&
           parse_need(p, TOK_GT, "to end the arrow '-[n]>'");
}

/* followed = or { arrow or } */
static struct ast_pat *parse_followed(struct parser *p)
{
    const struct token *first = parse_peek(p, 0);
    struct ast_pat *pat = parse_pat_list(p, PAT_OR);
    if (pat == NULL || !at_followed(p)) {
        return pat;
    }
    struct ast_pat *list = new_pat(p, PAT_FOLLOWED, first);
    if (!add_kid(p, list, pat)) {
        return NULL;
    }
    while (at_followed(p)) {
        if (!parse_arrow(p, list) || !add_kid(p, list, parse_pat_list(p, PAT_OR))) {
            return NULL;
        }
    }
    return end_pat(p, list, first);
}

struct ast_pat *parse_pattern(struct parser *p)
{
    struct ast_pat *pat = parse_enter(p) ? parse_followed(p) : NULL;
    parse_leave(p);
    assert(pat != NULL || p->failed);
    return pat;
}
