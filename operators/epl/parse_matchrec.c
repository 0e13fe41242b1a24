/* SPDX-License-Identifier: Apache-2.0
 *
 * match_recognize ( partition by .. measures .. all matches after match skip .. pattern (..)
 * interval .. define .. ), the clauses in this order.
 */
#include "operators/epl/parse.h"

#include <assert.h>

static struct ast_mr *parse_mr_alt(struct parser *p);

static struct ast_mr *new_mr(struct parser *p, enum ast_mr_kind kind, const struct token *first)
{
    struct ast_mr *mr = PARSE_NEW(p, struct ast_mr);
    if (mr != NULL) {
        mr->kind = kind;
        mr->span = first->span;
        mr->low = mr->high = 1;
    }
    return mr;
}

static bool add_mr(struct parser *p, struct ast_mr *mr, struct ast_mr *kid)
{
    struct ast_mr **slot = kid != NULL && mr != NULL ? PARSE_PUSH(p, mr->kids, mr->n_kids) : NULL;
    if (slot != NULL) {
        *slot = kid;
    }
    return slot != NULL;
}

/* ---- the row pattern ---- */

static bool parse_count(struct parser *p, uint32_t *ret)
{
    const struct token *t = parse_peek(p, 0);
    if (t->kind != TOK_INT || t->i > INT32_MAX) {
        return parse_expected(p, "a number of repetitions");
    }
    *ret = (uint32_t)t->i;
    parse_skip(p, 1);
    return true;
}

/* braces = "{" ( n [ "," [ n ] ] | "," n ) "}" */
static bool parse_braces(struct parser *p, struct ast_mr *mr)
{
    const struct token *open = parse_peek(p, 0);
    parse_skip(p, 1);
    mr->braces = true;
    mr->low = 0;
    bool given = !parse_at(p, TOK_COMMA);
    if (given && !parse_count(p, &mr->low)) {
        return false;
    }
    mr->high = mr->low;
    if (parse_take(p, TOK_COMMA)) {
        mr->high = UINT32_MAX;
        if (!parse_at(p, TOK_RCURLY) && !parse_count(p, &mr->high)) {
            return false;
        }
    }
    if (mr->high < mr->low || mr->high == 0) {
        return parse_fail(p, open, ERR_RANGE,
                          "repetitions go from a smaller to a larger number above 0");
    }
    if (given && mr->low == 0) {
        return parse_fail(p, open, ERR_RANGE,
                          "a repeat that may be absent is written {,n}, * or ?");
    }
    return parse_close(p, TOK_RCURLY, open);
}

/* repeat = [ ( "*" | "+" | "?" ) [ "?" ] | braces ]; only variables are reluctant */
static bool parse_repeat(struct parser *p, struct ast_mr *mr)
{
    if (parse_at(p, TOK_LCURLY)) {
        return parse_braces(p, mr);
    }
    if (parse_take(p, TOK_STAR)) {
        mr->low = 0;
        mr->high = UINT32_MAX;
    } else if (parse_take(p, TOK_PLUS)) {
        mr->high = UINT32_MAX;
    } else if (parse_take(p, TOK_QUESTION)) {
        mr->low = 0;
    } else {
        return true;
    }
    mr->reluctant = mr->kind == MR_VAR && parse_take(p, TOK_QUESTION);
    return true;
}

/* permute = "match_recognize_permute" "(" alt { "," alt } ")" */
static struct ast_mr *parse_permute(struct parser *p)
{
    const struct token *first = parse_peek(p, 0), *open = parse_peek(p, 1);
    struct ast_mr *mr = new_mr(p, MR_PERMUTE, first);
    parse_skip(p, 1);
    if (mr == NULL || !parse_need(p, TOK_LPAREN, "behind match_recognize_permute")) {
        return NULL;
    }
    do {
        if (!add_mr(p, mr, parse_mr_alt(p))) {
            return NULL;
        }
    } while (parse_take(p, TOK_COMMA));
    return parse_close(p, TOK_RPAREN, open) ? mr : NULL;
}

/* unit = ( permute | "(" alt ")" | variable ) repeat */
static struct ast_mr *parse_mr_unit(struct parser *p)
{
    const struct token *first = parse_peek(p, 0);
    struct ast_mr *mr = NULL;
    if (first->kw == KW_MATCH_RECOGNIZE_PERMUTE) {
        mr = parse_permute(p);
    } else if (first->kind == TOK_LPAREN) {
        parse_skip(p, 1);
        mr = new_mr(p, MR_GROUP, first);
        if (!add_mr(p, mr, parse_mr_alt(p)) || !parse_close(p, TOK_RPAREN, first)) {
            return NULL;
        }
    } else {
        mr = new_mr(p, MR_VAR, first);
        if (mr == NULL || !parse_decl_name(p, &mr->var, "a variable of the row pattern")) {
            return NULL;
        }
    }
    if (mr == NULL || !parse_repeat(p, mr)) {
        return NULL;
    }
    mr->span = parse_span_from(p, first);
    return mr;
}

static bool at_mr_unit(const struct parser *p)
{
    const struct token *t = parse_peek(p, 0);
    return t->kind == TOK_WORD || t->kind == TOK_LPAREN;
}

/* concat = unit { unit } */
static struct ast_mr *parse_mr_concat(struct parser *p)
{
    const struct token *first = parse_peek(p, 0);
    struct ast_mr *mr = parse_mr_unit(p);
    if (mr == NULL || !at_mr_unit(p)) {
        return mr;
    }
    struct ast_mr *list = new_mr(p, MR_CONCAT, first);
    if (!add_mr(p, list, mr)) {
        return NULL;
    }
    while (at_mr_unit(p)) {
        if (!add_mr(p, list, parse_mr_unit(p))) {
            return NULL;
        }
    }
    list->span = parse_span_from(p, first);
    return list;
}

/* alt = concat { "|" concat } */
static struct ast_mr *parse_mr_choice(struct parser *p)
{
    const struct token *first = parse_peek(p, 0);
    struct ast_mr *mr = parse_mr_concat(p);
    if (mr == NULL || !parse_at(p, TOK_PIPE)) {
        return mr;
    }
    struct ast_mr *list = new_mr(p, MR_ALT, first);
    if (!add_mr(p, list, mr)) {
        return NULL;
    }
    while (parse_take(p, TOK_PIPE)) {
        if (!add_mr(p, list, parse_mr_concat(p))) {
            return NULL;
        }
    }
    list->span = parse_span_from(p, first);
    return list;
}

static struct ast_mr *parse_mr_alt(struct parser *p)
{
    struct ast_mr *mr = parse_enter(p) ? parse_mr_choice(p) : NULL;
    parse_leave(p);
    return mr;
}

/* ---- the clauses ---- */

/* partition = "partition" "by" exprs */
static bool parse_partition(struct parser *p, struct ast_matchrec *m)
{
    if (!parse_take_kw(p, KW_PARTITION)) {
        return true;
    }
    return parse_need_kw(p, KW_BY, "behind 'partition'") &&
           parse_expr_list(p, &m->partition, &m->n_partition);
}

/* measures = "measures" expr "as" name { "," ... } */
static bool parse_measures(struct parser *p, struct ast_matchrec *m)
{
    if (!parse_need_kw(p, KW_MEASURES, "in match_recognize")) {
        return false;
    }
    do {
        const struct token *first = parse_peek(p, 0);
        struct ast_named *n = PARSE_PUSH(p, m->measures, m->n_measures);
        if (n == NULL || (n->e = parse_expr(p)) == NULL ||
            !parse_need_kw(p, KW_AS, "and a name behind a measure") ||
            !parse_prop_name(p, &n->name, "the name of the measure")) {
            return false;
        }
        n->span = parse_span_from(p, first);
    } while (parse_take(p, TOK_COMMA));
    return true;
}

/* skip = "after" "match" "skip" ( "past" "last" "row" | "to" ( "next" | "current" ) "row" ) */
static bool parse_skip_clause(struct parser *p, struct ast_matchrec *m)
{
    bool ok;
    if (!parse_take_kw(p, KW_AFTER)) {
        return true;
    }
    if (!parse_take_word(p, "match") || !parse_take_word(p, "skip")) {
        return parse_expected(p, "'after match skip'");
    }
    if (parse_take_word(p, "past")) {
        m->skip = SKIP_PAST_LAST;
        ok = parse_take_kw(p, KW_LAST);
    } else {
        ok = parse_take_word(p, "to");
        m->skip = parse_at_word(p, "next") ? SKIP_TO_NEXT : SKIP_TO_CURRENT;
        ok = ok && (parse_take_word(p, "next") || parse_take_word(p, "current"));
    }
    if (!ok || !parse_take_word(p, "row")) {
        return parse_expected(p, "'past last row', 'to next row' or 'to current row'");
    }
    return true;
}

/* pattern = "pattern" "(" alt ")" */
static bool parse_mr_pattern(struct parser *p, struct ast_matchrec *m)
{
    if (!parse_need_kw(p, KW_PATTERN, "in match_recognize")) {
        return false;
    }
    const struct token *open = parse_peek(p, 0);
    if (!parse_need(p, TOK_LPAREN, "before the row pattern")) {
        return false;
    }
    m->pattern = parse_mr_alt(p);
    return m->pattern != NULL && parse_close(p, TOK_RPAREN, open);
}

/* interval = "interval" period [ "or" "terminated" ] */
static bool parse_interval(struct parser *p, struct ast_matchrec *m)
{
    if (!parse_take_word(p, "interval")) {
        return true;
    }
    m->interval = parse_period(p);
    if (m->interval == NULL) {
        return false;
    }
    if (parse_take_kw(p, KW_OR)) {
        m->or_terminated = true;
        return parse_need_kw(p, KW_TERMINATED, "behind 'or'");
    }
    return true;
}

/* define = "define" name "as" expr { "," ... } */
static bool parse_define(struct parser *p, struct ast_matchrec *m)
{
    if (!parse_take_kw(p, KW_DEFINE)) {
        return true;
    }
    do {
        const struct token *first = parse_peek(p, 0);
        struct ast_named *n = PARSE_PUSH(p, m->define, m->n_define);
        if (n == NULL || !parse_decl_name(p, &n->name, "a variable of the row pattern") ||
            !parse_need_kw(p, KW_AS, "behind the variable") || (n->e = parse_expr(p)) == NULL) {
            return false;
        }
        n->span = parse_span_from(p, first);
    } while (parse_take(p, TOK_COMMA));
    return true;
}

/* match-recognize = "match_recognize" "(" [ partition ] measures [ "all" "matches" ] [ skip ]
 *                   pattern [ interval ] [ define ] ")" */
bool parse_matchrec(struct parser *p, struct ast_matchrec **ret)
{
    const struct token *first = parse_peek(p, 0), *open = parse_peek(p, 1);
    struct ast_matchrec *m = *ret = PARSE_NEW(p, struct ast_matchrec);
    assert(first->kw == KW_MATCH_RECOGNIZE);
    parse_skip(p, 1);
    if (m == NULL || !parse_need(p, TOK_LPAREN, "behind match_recognize") ||
        !parse_partition(p, m) || !parse_measures(p, m)) {
        return false;
    }
    if (parse_take_kw(p, KW_ALL)) {
        m->all_matches = true;
        if (!parse_need_kw(p, KW_MATCHES, "behind 'all'")) {
            return false;
        }
    }
    if (!parse_skip_clause(p, m) || !parse_mr_pattern(p, m) || !parse_interval(p, m) ||
        !parse_define(p, m) || !parse_close(p, TOK_RPAREN, open)) {
        return false;
    }
    m->span = parse_span_from(p, first);
    return true;
}
