/* SPDX-License-Identifier: Apache-2.0
 *
 * Operands: constants, parameters, what stands in brackets of any kind, and the functions with a
 * grammar of their own (cast, instanceof, exists, new). Names and calls are in parse_chain.c.
 */
#include "operators/epl/parse.h"

#include <assert.h>

/* number = int | long | float | double ; the sign is taken by unary */
struct ast_expr *parse_number(struct parser *p, bool negative)
{
    static const uint8_t kinds[] = {[TOK_INT] = AST_INT,
                                    [TOK_LONG] = AST_LONG,
                                    [TOK_FLOAT] = AST_FLOAT,
                                    [TOK_DOUBLE] = AST_DOUBLE};
    const struct token *t = parse_peek(p, 0);
    assert(t->kind >= TOK_INT && t->kind <= TOK_DOUBLE);
    if (!negative && t->kind == TOK_LONG && t->i < 0) {
        (void)parse_fail(p, t, ERR_RANGE, "this number does not fit 64 bits");
        return NULL;
    }
    struct ast_expr *e = parse_node(p, (enum ast_kind)kinds[t->kind], t);
    if (e != NULL) {
        e->i = t->i;
        e->d = t->d;
        if (!negative && t->kind == TOK_INT && t->i > INT32_MAX) {
            e->kind = AST_LONG; /* 2147483648, but not -2147483648 */
        }
        parse_skip(p, 1);
    }
    return e;
}

/* type-of-param = name { "." name } [ "[" "]" ] */
static bool parse_param_type(struct parser *p, struct slice *ret)
{
    if (!parse_type_name(p, ret, "the type of the parameter")) {
        return false;
    }
    if (parse_at(p, TOK_LBRACK) && parse_peek(p, 1)->kind == TOK_RBRACK) {
        parse_skip(p, 2);
        char *text = arena_printf(p->a, SLICE_FMT "[]", SLICE_ARG(*ret));
        if (text == NULL) {
            return parse_no_memory(p);
        }
        *ret = slice_str(text);
    }
    return true;
}

/* param = "?" [ ":" [ name ] [ ":" type ] ] */
struct ast_expr *parse_param(struct parser *p)
{
    const struct token *first = parse_peek(p, 0);
    struct ast_expr *e = parse_node(p, AST_PARAM, first);
    if (e != NULL) {
        e->i = p->n_params++;
    }
    parse_skip(p, 1);
    if (e == NULL || !parse_at(p, TOK_COLON)) {
        return e;
    }
    bool named = parse_is_decl(parse_peek(p, 1));
    if (!named && parse_peek(p, 1)->kind != TOK_COLON) {
        return e; /* the ':' of a range */
    }
    parse_skip(p, 1);
    if (named) {
        struct slice *name = PARSE_PUSH(p, e->names, e->n_names);
        if (name == NULL || !parse_decl_name(p, name, "the name of the parameter")) {
            return NULL;
        }
    }
    if (parse_take(p, TOK_COLON) && !parse_param_type(p, &e->text)) {
        return NULL;
    }
    return parse_end(p, e, first);
}

/* subquery = "(" select-body ")" */
struct ast_expr *parse_subquery(struct parser *p, enum ast_kind kind)
{
    const struct token *open = parse_peek(p, 0);
    struct ast_expr *e = parse_node(p, kind, open);
    bool ok = false;
    assert(open->kind == TOK_LPAREN);
    parse_skip(p, 1);
    if (parse_enter(p) && e != NULL) {
        e->i = ++p->n_subqueries;
        e->select = PARSE_NEW(p, struct ast_select);
        ok = e->select != NULL && parse_select_body(p, e->select, true) &&
             parse_close(p, TOK_RPAREN, open);
    }
    parse_leave(p);
    return ok ? parse_end(p, e, open) : NULL;
}

/* "(" expr ")" | "(" expr "," expr { "," expr } ")" | subquery */
static struct ast_expr *parse_paren(struct parser *p)
{
    const struct token *open = parse_peek(p, 0);
    if (parse_peek(p, 1)->kw == KW_SELECT) {
        return parse_subquery(p, AST_SUBQUERY);
    }
    parse_skip(p, 1);
    struct ast_expr *e = parse_expr(p);
    if (e != NULL && parse_at(p, TOK_COMMA)) {
        struct ast_expr *row = parse_node(p, AST_ROW, open);
        if (!parse_add_arg(p, row, e)) {
            return NULL;
        }
        parse_skip(p, 1);
        if (!parse_expr_list(p, &row->args, &row->n_args)) {
            return NULL;
        }
        e = row;
    }
    if (e == NULL || !parse_close(p, TOK_RPAREN, open)) {
        return NULL;
    }
    e->paren = e->kind != AST_ROW;
    return e;
}

/* object = "{" ( string | name ) ":" expr { "," ... } [ "," ] "}" */
static bool parse_object(struct parser *p, struct ast_expr *e)
{
    e->kind = AST_OBJECT;
    do {
        const struct token *key = parse_peek(p, 0);
        struct ast_named *slot = PARSE_PUSH(p, e->named, e->n_named);
        if (slot == NULL) {
            return false;
        }
        if (key->kind == TOK_STRING) {
            slot->name = key->text;
            parse_skip(p, 1);
        } else if (!parse_prop_name(p, &slot->name, "a name")) {
            return false;
        }
        if (!parse_need(p, TOK_COLON, "behind the name") || (slot->e = parse_expr(p)) == NULL) {
            return false;
        }
        slot->span = parse_span_from(p, key);
    } while (parse_take(p, TOK_COMMA) && !parse_at(p, TOK_RCURLY));
    return true;
}

/* array = "{" [ expr { "," expr } ] "}" | object */
static struct ast_expr *parse_array(struct parser *p)
{
    const struct token *open = parse_peek(p, 0);
    struct ast_expr *e = parse_node(p, AST_ARRAY, open);
    parse_skip(p, 1);
    if (e == NULL) {
        return NULL;
    }
    if (parse_peek(p, 1)->kind == TOK_COLON) {
        if (!parse_object(p, e)) {
            return NULL;
        }
    } else if (!parse_at(p, TOK_RCURLY) && !parse_expr_list(p, &e->args, &e->n_args)) {
        return NULL;
    }
    return parse_close(p, TOK_RCURLY, open) ? parse_end(p, e, open) : NULL;
}

/* assign = name { "." name } [ "=" expr ] */
static bool parse_new_assign(struct parser *p, struct ast_expr *e)
{
    const struct token *first = parse_peek(p, 0);
    struct ast_named *slot = PARSE_PUSH(p, e->named, e->n_named);
    if (slot == NULL) {
        return false;
    }
    if (parse_is_prop(first) && parse_peek(p, 1)->kind == TOK_EQ) {
        slot->name = first->text;
        parse_skip(p, 2);
        slot->e = parse_expr(p);
    } else {
        slot->e = parse_chain(p);
        if (slot->e != NULL && slot->e->n_segs > 0) {
            slot->name = slot->e->segs[slot->e->n_segs - 1].name;
        }
    }
    slot->span = parse_span_from(p, first);
    return slot->e != NULL;
}

/* new = "new" "{" assign { "," assign } "}" */
static struct ast_expr *parse_new_object(struct parser *p)
{
    const struct token *first = parse_peek(p, 0);
    struct ast_expr *e = parse_node(p, AST_NEW, first);
    parse_skip(p, 1);
    const struct token *open = parse_peek(p, 0);
    if (parse_is_decl(open)) {
        (void)parse_unsupported(p, first, "'new' of a class is");
        return NULL;
    }
    if (e == NULL || !parse_need(p, TOK_LCURLY, "behind 'new'")) {
        return NULL;
    }
    do {
        if (!parse_new_assign(p, e)) {
            return NULL;
        }
    } while (parse_take(p, TOK_COMMA));
    return parse_close(p, TOK_RCURLY, open) ? parse_end(p, e, first) : NULL;
}

/* cast = "cast" "(" expr ( "," | "as" ) type [ "," name ":" expr ] ")" */
static struct ast_expr *parse_cast(struct parser *p)
{
    const struct token *first = parse_peek(p, 0), *open = parse_peek(p, 1);
    struct ast_expr *e = parse_node(p, AST_CAST, first);
    parse_skip(p, 2);
    if (!parse_add_arg(p, e, parse_expr(p))) {
        return NULL;
    }
    if (!parse_take_kw(p, KW_AS) && !parse_need(p, TOK_COMMA, "or 'as' before the type")) {
        return NULL;
    }
    if (!parse_param_type(p, &e->text)) {
        return NULL;
    }
    if (parse_take(p, TOK_COMMA) && !parse_add_arg(p, e, parse_arg(p))) {
        return NULL;
    }
    return parse_close(p, TOK_RPAREN, open) ? parse_end(p, e, first) : NULL;
}

/* instanceof = "instanceof" "(" expr "," type { "," type } ")" */
static struct ast_expr *parse_instanceof(struct parser *p)
{
    const struct token *first = parse_peek(p, 0), *open = parse_peek(p, 1);
    struct ast_expr *e = parse_node(p, AST_INSTANCEOF, first);
    parse_skip(p, 2);
    if (!parse_add_arg(p, e, parse_expr(p)) ||
        !parse_need(p, TOK_COMMA, "before the types of instanceof")) {
        return NULL;
    }
    do {
        struct slice *name = PARSE_PUSH(p, e->names, e->n_names);
        if (name == NULL || !parse_param_type(p, name)) {
            return NULL;
        }
    } while (parse_take(p, TOK_COMMA));
    return parse_close(p, TOK_RPAREN, open) ? parse_end(p, e, first) : NULL;
}

static struct ast_expr *parse_exists(struct parser *p)
{
    const struct token *first = parse_peek(p, 0);
    parse_skip(p, 1);
    return parse_end(p, parse_subquery(p, AST_EXISTS), first);
}

static struct ast_expr *parse_constant(struct parser *p)
{
    const struct token *t = parse_peek(p, 0);
    enum ast_kind kind = t->kind == TOK_STRING ? AST_STRING
                         : t->kw == KW_NULL    ? AST_NULL
                                               : AST_BOOL;
    struct ast_expr *e = parse_node(p, kind, t);
    if (e != NULL) {
        e->text = t->kind == TOK_STRING ? t->text : SLICE_NONE;
        e->i = t->kind == TOK_STRING ? p->text.ptr[t->span.off] == '"' : t->kw == KW_TRUE;
        parse_skip(p, 1);
    }
    return e;
}

/* Keywords that begin an operand; *ret_done false: none does here. */
static struct ast_expr *parse_keyword_operand(struct parser *p, bool *ret_done)
{
    bool call = parse_peek(p, 1)->kind == TOK_LPAREN;
    *ret_done = true;
    switch (parse_peek(p, 0)->kw) {
    case KW_NULL:
    case KW_TRUE:
    case KW_FALSE: return parse_constant(p);
    case KW_NEW: return parse_new_object(p);
    case KW_CAST:
        if (call) {
            return parse_cast(p);
        }
        break;
    case KW_INSTANCEOF:
        if (call) {
            return parse_instanceof(p);
        }
        break;
    case KW_EXISTS:
        if (call && parse_peek(p, 2)->kw == KW_SELECT) {
            return parse_exists(p);
        }
        break;
    case KW_CASE:
        (void)parse_fail(p, parse_peek(p, 0), ERR_SYNTAX,
                         "a case ... end inside an expression must stand in parentheses");
        return NULL;
    case KW_NOT:
        (void)parse_fail(p, parse_peek(p, 0), ERR_SYNTAX,
                         "a 'not' behind an operator must stand in parentheses");
        return NULL;
    default: break;
    }
    *ret_done = false;
    return NULL;
}

static struct ast_expr *parse_head(struct parser *p)
{
    bool done = false;
    struct ast_expr *e = parse_keyword_operand(p, &done);
    if (done) {
        return e;
    }
    switch (parse_peek(p, 0)->kind) {
    case TOK_INT:
    case TOK_LONG:
    case TOK_FLOAT:
    case TOK_DOUBLE: return parse_number(p, false);
    case TOK_STRING: return parse_constant(p);
    case TOK_LPAREN: return parse_paren(p);
    case TOK_LCURLY: return parse_array(p);
    case TOK_QUESTION: return parse_param(p);
    case TOK_WORD: return parse_chain(p);
    default: (void)parse_expected(p, "an expression"); return NULL;
    }
}

/* primary = ( constant | param | "(" ... ")" | array | new | cast | ... | chain ) { "." step } */
struct ast_expr *parse_primary(struct parser *p)
{
    const struct token *first = parse_peek(p, 0);
    struct ast_expr *e = parse_head(p);
    bool number = first->kind >= TOK_INT && first->kind <= TOK_DOUBLE;
    if (e == NULL || number || (e->kind == AST_CHAIN && !e->paren)) {
        return e;
    }
    bool list = e->paren || e->kind == AST_CAST || e->kind == AST_ARRAY;
    if (parse_at(p, TOK_DOT) || (parse_at(p, TOK_LBRACK) && list)) {
        return parse_chain_behind(p, e, first);
    }
    return e;
}

/* unary = ( "-" unary ) | ( "+" number ) | primary */
struct ast_expr *parse_unary(struct parser *p)
{
    const struct token *first = parse_peek(p, 0);
    uint8_t next = parse_peek(p, 1)->kind;
    bool number = next >= TOK_INT && next <= TOK_DOUBLE;
    if (first->kind == TOK_PLUS && number) {
        parse_skip(p, 1);
        return parse_primary(p);
    }
    if (first->kind != TOK_MINUS) {
        return parse_primary(p);
    }
    parse_skip(p, 1);
    struct ast_expr *e = parse_node(p, AST_NEG, first);
    struct ast_expr *inner = NULL;
    if (parse_enter(p)) {
        inner = number ? parse_number(p, true) : parse_unary(p);
    }
    parse_leave(p);
    return parse_add_arg(p, e, inner) ? parse_end(p, e, first) : NULL;
}
