/* SPDX-License-Identifier: Apache-2.0
 *
 * Names, calls and indexes joined by dots, and what stands between the parentheses of a call:
 * lambdas, named values, periods, `x desc`, parts of a crontab. `a.b('k')[1].c?` has the steps a,
 * b('k'), [1] and c?: an index behind a call or behind another index is a step without a name.
 */
#include "operators/epl/parse.h"

#include <assert.h>

/* ---- lambdas and arguments ---- */

static bool is_arrow(const struct token *t)
{
    return t->kind == TOK_GOES || t->kind == TOK_FOLLOWED;
}

bool parse_at_lambda(const struct parser *p)
{
    uint32_t at = 0;
    if (parse_is_prop(parse_peek(p, 0))) {
        return is_arrow(parse_peek(p, 1));
    }
    if (!parse_at(p, TOK_LPAREN)) {
        return false;
    }
    do {
        at++;
        if (!parse_is_prop(parse_peek(p, at))) {
            return false;
        }
        at++;
    } while (parse_peek(p, at)->kind == TOK_COMMA);
    return parse_peek(p, at)->kind == TOK_RPAREN && is_arrow(parse_peek(p, at + 1));
}

/* lambda = ( name | "(" name { "," name } ")" ) "=>" expr */
struct ast_expr *parse_lambda(struct parser *p)
{
    const struct token *first = parse_peek(p, 0);
    struct ast_expr *e = parse_node(p, AST_LAMBDA, first);
    assert(parse_at_lambda(p));
    if (e == NULL) {
        return NULL;
    }
    bool many = parse_take(p, TOK_LPAREN);
    if (!parse_name_list(p, &e->names, &e->n_names, "a parameter of the lambda")) {
        return NULL;
    }
    if (many) {
        parse_skip(p, 1);
    }
    parse_skip(p, 1);
    return parse_add_arg(p, e, parse_expr(p)) ? parse_end(p, e, first) : NULL;
}

/* group_by: (a, b) is a row also of one or none. */
static struct ast_expr *parse_row(struct parser *p)
{
    const struct token *open = parse_peek(p, 0);
    struct ast_expr *row = parse_node(p, AST_ROW, open);
    if (row == NULL) {
        return NULL;
    }
    if (!parse_take(p, TOK_LPAREN)) {
        return parse_add_arg(p, row, parse_expr(p)) ? parse_end(p, row, open) : NULL;
    }
    if (!parse_at(p, TOK_RPAREN) && !parse_expr_list(p, &row->args, &row->n_args)) {
        return NULL;
    }
    return parse_close(p, TOK_RPAREN, open) ? parse_end(p, row, open) : NULL;
}

/* named = name ":" ( "(" ... ")" | arg ) */
static struct ast_expr *parse_named_arg(struct parser *p)
{
    const struct token *first = parse_peek(p, 0);
    struct ast_expr *e = parse_node(p, AST_NAMED_ARG, first);
    struct ast_expr *value = NULL;
    parse_skip(p, 2);
    if (e != NULL) {
        e->text = first->text;
        value = slice_eq_nocase(first->text, SLICE("group_by")) ? parse_row(p) : parse_arg(p);
    }
    return parse_add_arg(p, e, value) ? parse_end(p, e, first) : NULL;
}

/* expr with a unit of time, asc or desc behind it */
static struct ast_expr *parse_qualified(struct parser *p)
{
    const struct token *first = parse_peek(p, 0);
    struct ast_expr *e = parse_expr(p);
    if (e == NULL) {
        return NULL;
    }
    if (parse_at_unit(p, 0)) {
        return parse_period_behind(p, e, first);
    }
    if (parse_take_kw(p, KW_DESC)) {
        struct ast_expr *desc = parse_node(p, AST_DESC, first);
        return parse_add_arg(p, desc, e) ? parse_end(p, desc, first) : NULL;
    }
    (void)parse_take_kw(p, KW_ASC);
    return e;
}

/* arg = "*" | lambda | named | expr [ "asc" | "desc" ] | period */
struct ast_expr *parse_arg(struct parser *p)
{
    const struct token *first = parse_peek(p, 0);
    struct ast_expr *e = NULL;
    if (first->kind == TOK_STAR) {
        parse_skip(p, 1);
        return parse_node(p, AST_STAR, first);
    }
    if (!parse_enter(p)) {
        e = NULL;
    } else if (parse_at_lambda(p)) {
        e = parse_lambda(p);
    } else if (first->kind == TOK_WORD && parse_peek(p, 1)->kind == TOK_COLON) {
        e = parse_named_arg(p);
    } else {
        e = parse_qualified(p);
    }
    parse_leave(p);
    return e;
}

/* args = "(" [ arg { "," arg } ] ")" */
bool parse_args(struct parser *p, struct ast_expr ***ret, uint32_t *ret_n)
{
    const struct token *open = parse_peek(p, 0);
    if (!parse_need(p, TOK_LPAREN, "before the arguments")) {
        return false;
    }
    if (parse_take(p, TOK_RPAREN)) {
        return true;
    }
    do {
        struct ast_expr *e = parse_arg(p);
        struct ast_expr **slot = e != NULL ? PARSE_PUSH(p, *ret, *ret_n) : NULL;
        if (slot == NULL) {
            return false;
        }
        *slot = e;
    } while (parse_take(p, TOK_COMMA));
    return parse_close(p, TOK_RPAREN, open);
}

/* ---- chains ---- */

/* call = "(" [ "distinct" | "all" ] [ "*" ] [ arg { "," arg } ] ")" */
static bool parse_call(struct parser *p, struct ast_seg *seg)
{
    const struct token *open = parse_peek(p, 0);
    seg->is_call = true;
    parse_skip(p, 1);
    if (parse_take_kw(p, KW_DISTINCT)) {
        seg->distinct = true;
    } else {
        (void)parse_take_kw(p, KW_ALL);
    }
    if (parse_take(p, TOK_RPAREN)) {
        return true;
    }
    if (parse_take(p, TOK_STAR)) {
        seg->star = true;
        if (!parse_take(p, TOK_COMMA)) {
            return parse_close(p, TOK_RPAREN, open);
        }
    }
    do {
        struct ast_expr *e = parse_arg(p);
        struct ast_expr **slot = e != NULL ? PARSE_PUSH(p, seg->args, seg->n_args) : NULL;
        if (slot == NULL) {
            return false;
        }
        *slot = e;
    } while (parse_take(p, TOK_COMMA));
    return parse_close(p, TOK_RPAREN, open);
}

static bool parse_index(struct parser *p, struct ast_seg *seg)
{
    const struct token *open = parse_peek(p, 0);
    seg->has_index = true;
    parse_skip(p, 1);
    return parse_expr_list(p, &seg->args, &seg->n_args) && parse_close(p, TOK_RBRACK, open);
}

static struct ast_seg *add_seg(struct parser *p, struct ast_expr *e)
{
    struct ast_seg *seg = PARSE_PUSH(p, e->segs, e->n_segs);
    if (seg != NULL) {
        seg->span = parse_peek(p, 0)->span;
    }
    return seg;
}

/* May the word at the position be the first of a chain, with or without a call behind it? */
static bool at_chain_start(const struct parser *p)
{
    const struct token *t = parse_peek(p, 0);
    if (parse_is_prop(t) || t->kw == KW_CURRENT_TIMESTAMP) {
        return true;
    }
    return t->kind == TOK_WORD && lex_keyword_class((enum kw)t->kw) == KWC_CALL &&
           parse_peek(p, 1)->kind == TOK_LPAREN;
}

/* step = name [ call ] { "[" exprs "]" } [ "?" ] */
static bool parse_step(struct parser *p, struct ast_expr *e)
{
    const struct token *first = parse_peek(p, 0);
    struct ast_seg *seg = add_seg(p, e);
    if (seg == NULL) {
        return false;
    }
    if (!(e->n_segs == 1 && e->n_args == 0 ? at_chain_start(p) : parse_is_prop(first))) {
        return parse_expected(p, e->n_segs == 1 ? "an expression" : "a name behind '.'");
    }
    seg->name = first->text;
    parse_skip(p, 1);
    if (parse_at(p, TOK_LPAREN) && !parse_call(p, seg)) {
        return false;
    }
    seg->span = parse_span_from(p, first);
    while (parse_at(p, TOK_LBRACK)) {
        const struct token *open = parse_peek(p, 0);
        bool again = seg->is_call || seg->has_index;
        if (again) {
            seg->span = parse_span_from(p, first);
            seg = add_seg(p, e);
        }
        if (seg == NULL || !parse_index(p, seg)) {
            return false;
        }
        seg->span = parse_span_from(p, again ? open : first);
    }
    if (parse_take(p, TOK_QUESTION)) {
        seg->optional = true;
        seg->span.len =
            parse_span_from(p, first).off + parse_span_from(p, first).len - seg->span.off;
    }
    return true;
}

/* chain = step { "." step } | name ".*" */
static struct ast_expr *parse_steps(struct parser *p, struct ast_expr *e, const struct token *first)
{
    bool more = true;
    while (more) {
        if (e->n_segs > PARSE_MAX_RUN) {
            (void)parse_fail(p, parse_peek(p, 0), ERR_LIMIT, "more than %d names in a row",
                             PARSE_MAX_RUN);
            return NULL;
        }
        if (!parse_step(p, e)) {
            return NULL;
        }
        if (e->n_segs == 1 && parse_at(p, TOK_DOT) && parse_peek(p, 1)->kind == TOK_STAR) {
            parse_skip(p, 2);
            e->segs[0].star = true;
            break;
        }
        more = parse_take(p, TOK_DOT);
    }
    return parse_end(p, e, first);
}

struct ast_expr *parse_chain(struct parser *p)
{
    const struct token *first = parse_peek(p, 0);
    struct ast_expr *e = parse_node(p, AST_CHAIN, first);
    return e != NULL ? parse_steps(p, e, first) : NULL;
}

/* The steps behind an operand that is no name: (a).b, 'x'.length(), (select ...).where(...) */
struct ast_expr *parse_chain_behind(struct parser *p, struct ast_expr *head,
                                    const struct token *first)
{
    struct ast_expr *e = parse_node(p, AST_CHAIN, first);
    if (!parse_add_arg(p, e, head)) {
        return NULL;
    }
    while (parse_at(p, TOK_LBRACK)) {
        const struct token *open = parse_peek(p, 0);
        struct ast_seg *seg = add_seg(p, e);
        if (seg == NULL || !parse_index(p, seg)) {
            return NULL;
        }
        seg->span = parse_span_from(p, open);
        if (!parse_at(p, TOK_DOT) && !parse_at(p, TOK_LBRACK)) {
            return parse_end(p, e, first);
        }
    }
    if (!parse_need(p, TOK_DOT, "before a method")) {
        return NULL;
    }
    return parse_steps(p, e, first);
}
