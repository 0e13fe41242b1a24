/* SPDX-License-Identifier: Apache-2.0
 *
 * Operators of expressions, by precedence climbing. From low to high: or, and, & | ^, not,
 * = != <> is, < <= > >= in between like regexp, ||, + -, * / %, unary minus. `case` is a whole
 * expression or stands in parentheses. and, or become one node with many operands.
 * To add a binary operator: a row of `operators`, its text in ast_op_text.
 */
#include "operators/epl/parse.h"

#include <assert.h>

enum level {
    LEVEL_OR = 1,
    LEVEL_AND,
    LEVEL_BITS,
    LEVEL_NOT,
    LEVEL_EQUALS,
    LEVEL_RELATION,
    LEVEL_CONCAT,
    LEVEL_SUM,
    LEVEL_PRODUCT,
};

static const struct {
    uint8_t tok, kw, level, op;
} operators[] = {
    {TOK_WORD, KW_OR, LEVEL_OR, OP_OR},
    {TOK_WORD, KW_AND, LEVEL_AND, OP_AND},
    {TOK_AMP, KW_NONE, LEVEL_BITS, OP_BIT_AND},
    {TOK_PIPE, KW_NONE, LEVEL_BITS, OP_BIT_OR},
    {TOK_CARET, KW_NONE, LEVEL_BITS, OP_BIT_XOR},
    {TOK_EQ, KW_NONE, LEVEL_EQUALS, OP_EQ},
    {TOK_NE, KW_NONE, LEVEL_EQUALS, OP_NE},
    {TOK_WORD, KW_IS, LEVEL_EQUALS, OP_IS},
    {TOK_LT, KW_NONE, LEVEL_RELATION, OP_LT},
    {TOK_LE, KW_NONE, LEVEL_RELATION, OP_LE},
    {TOK_GT, KW_NONE, LEVEL_RELATION, OP_GT},
    {TOK_GE, KW_NONE, LEVEL_RELATION, OP_GE},
    {TOK_CONCAT, KW_NONE, LEVEL_CONCAT, OP_CONCAT},
    {TOK_PLUS, KW_NONE, LEVEL_SUM, OP_ADD},
    {TOK_MINUS, KW_NONE, LEVEL_SUM, OP_SUB},
    {TOK_STAR, KW_NONE, LEVEL_PRODUCT, OP_MUL},
    {TOK_SLASH, KW_NONE, LEVEL_PRODUCT, OP_DIV},
    {TOK_PERCENT, KW_NONE, LEVEL_PRODUCT, OP_MOD},
};

static struct ast_expr *parse_binary(struct parser *p, enum level lowest);

struct ast_expr *parse_node(struct parser *p, enum ast_kind kind, const struct token *first)
{
    struct ast_expr *e = PARSE_NEW(p, struct ast_expr);
    if (e != NULL) {
        e->kind = kind;
        e->span = first->span;
    }
    return e;
}

struct ast_expr *parse_end(struct parser *p, struct ast_expr *e, const struct token *first)
{
    if (e != NULL) {
        e->span = parse_span_from(p, first);
    }
    return e;
}

bool parse_add_arg(struct parser *p, struct ast_expr *e, struct ast_expr *arg)
{
    if (arg == NULL || e == NULL) {
        return false;
    }
    struct ast_expr **slot = PARSE_PUSH(p, e->args, e->n_args);
    if (slot != NULL) {
        *slot = arg;
    }
    return slot != NULL;
}

bool parse_expr_list(struct parser *p, struct ast_expr ***ret, uint32_t *ret_n)
{
    do {
        struct ast_expr *e = parse_expr(p);
        struct ast_expr **slot = e != NULL ? PARSE_PUSH(p, *ret, *ret_n) : NULL;
        if (slot == NULL) {
            return false;
        }
        *slot = e;
    } while (parse_take(p, TOK_COMMA));
    return true;
}

/* ---- what stands behind an operand of comparisons ---- */

static int operator_at(const struct parser *p)
{
    const struct token *t = parse_peek(p, 0);
    if (t->kw == KW_AND && parse_peek(p, 1)->kw == KW_WHEN) {
        return -1; /* output when x and when terminated */
    }
    for (size_t i = 0; i < ARRAY_LEN(operators); i++) {
        if (t->kind == operators[i].tok && t->kw == operators[i].kw) {
            return (int)i;
        }
    }
    return -1;
}

/* x in (select ...) */
static struct ast_expr *parse_in_query(struct parser *p, struct ast_expr *e)
{
    struct ast_expr *query = parse_subquery(p, AST_IN_QUERY);
    if (query == NULL) {
        return NULL;
    }
    e->kind = AST_IN_QUERY;
    e->select = query->select;
    e->i = query->i;
    return e;
}

/* The values of a list, or the bounds of a range. */
static bool parse_in_values(struct parser *p, struct ast_expr *e)
{
    if (!parse_add_arg(p, e, parse_expr(p))) {
        return false;
    }
    e->kind = AST_IN_LIST;
    if (parse_take(p, TOK_COLON)) {
        e->kind = AST_IN_RANGE;
        return parse_add_arg(p, e, parse_expr(p));
    }
    return !parse_take(p, TOK_COMMA) || parse_expr_list(p, &e->args, &e->n_args);
}

/* in = [ "not" ] "in" ( "(" | "[" ) ( select | expr ":" expr | expr { "," expr } ) ( ")" | "]" ) */
static struct ast_expr *parse_in(struct parser *p, struct ast_expr *e)
{
    const struct token *open = parse_peek(p, 0);
    bool round = open->kind == TOK_LPAREN;
    if (!round && open->kind != TOK_LBRACK) {
        (void)parse_expected(p, "'(' or '[' behind 'in'");
        return NULL;
    }
    if (round && parse_peek(p, 1)->kw == KW_SELECT) {
        return parse_in_query(p, e);
    }
    parse_skip(p, 1);
    if (!parse_in_values(p, e)) {
        return NULL;
    }
    bool range = e->kind == AST_IN_RANGE;
    e->low_open = range && round;
    e->high_open = range && parse_at(p, TOK_RPAREN);
    if (range && parse_take(p, TOK_RBRACK)) {
        return e;
    }
    return parse_close(p, range || round ? TOK_RPAREN : TOK_RBRACK, open) ? e : NULL;
}

/* between = [ "not" ] "between" concat "and" concat */
static struct ast_expr *parse_between(struct parser *p, struct ast_expr *e)
{
    e->kind = AST_BETWEEN;
    if (!parse_add_arg(p, e, parse_concat(p)) ||
        !parse_need_kw(p, KW_AND, "between the bounds of 'between'") ||
        !parse_add_arg(p, e, parse_concat(p))) {
        return NULL;
    }
    return e;
}

/* like = [ "not" ] "like" concat [ "escape" string ] */
static struct ast_expr *parse_like(struct parser *p, struct ast_expr *e)
{
    e->kind = AST_LIKE;
    if (!parse_add_arg(p, e, parse_concat(p))) {
        return NULL;
    }
    if (parse_take_kw(p, KW_ESCAPE)) {
        if (!parse_at(p, TOK_STRING)) {
            (void)parse_expected(p, "a text of one character behind 'escape'");
            return NULL;
        }
        return parse_add_arg(p, e, parse_primary(p)) ? e : NULL;
    }
    return e;
}

static bool at_word_operator(const struct parser *p)
{
    const struct token *t = parse_peek(p, 0);
    if (t->kw == KW_NOT) {
        t = parse_peek(p, 1);
    }
    return t->kw == KW_IN || t->kw == KW_BETWEEN || t->kw == KW_LIKE || t->kw == KW_REGEXP;
}

/* left [ "not" ] ( in | between | like | "regexp" concat ) */
static struct ast_expr *parse_word_operator(struct parser *p, struct ast_expr *left,
                                            const struct token *first)
{
    struct ast_expr *e = parse_node(p, AST_REGEXP, first);
    if (!parse_add_arg(p, e, left)) {
        return NULL;
    }
    e->negated = parse_take_kw(p, KW_NOT);
    if (parse_take_kw(p, KW_IN)) {
        e = parse_in(p, e);
    } else if (parse_take_kw(p, KW_BETWEEN)) {
        e = parse_between(p, e);
    } else if (parse_take_kw(p, KW_LIKE)) {
        e = parse_like(p, e);
    } else {
        parse_skip(p, 1);
        e = parse_add_arg(p, e, parse_concat(p)) ? e : NULL;
    }
    return parse_end(p, e, first);
}

/* ---- binary operators ---- */

/* quantified = operator ( "any" | "some" | "all" ) "(" ( select | [ expr { "," expr } ] ) ")" */
static struct ast_expr *parse_quantified(struct parser *p, struct ast_expr *left, enum ast_op op,
                                         const struct token *first)
{
    struct ast_expr *e = parse_node(p, AST_QUANT, first);
    if (!parse_add_arg(p, e, left)) {
        return NULL;
    }
    e->op = op;
    e->quant = parse_at_kw(p, KW_ALL) ? 1 : 0;
    parse_skip(p, 1);
    const struct token *open = parse_peek(p, 0);
    if (open->kind == TOK_LPAREN && parse_peek(p, 1)->kw == KW_SELECT) {
        struct ast_expr *query = parse_subquery(p, AST_QUANT);
        if (query == NULL) {
            return NULL;
        }
        e->select = query->select;
        e->i = query->i;
        return parse_end(p, e, first);
    }
    if (!parse_need(p, TOK_LPAREN, "behind any, some or all")) {
        return NULL;
    }
    if (!parse_at(p, TOK_RPAREN) && !parse_expr_list(p, &e->args, &e->n_args)) {
        return NULL;
    }
    return parse_close(p, TOK_RPAREN, open) ? parse_end(p, e, first) : NULL;
}

static bool is_null_test(const struct parser *p, enum ast_op op)
{
    return (op == OP_IS || op == OP_IS_NOT) && parse_at_kw(p, KW_NULL) &&
           parse_peek(p, 1)->kind != TOK_DOT;
}

static struct ast_expr *null_test(struct parser *p, struct ast_expr *left, enum ast_op op,
                                  const struct token *first)
{
    struct ast_expr *e = parse_node(p, AST_IS_NULL, first);
    parse_skip(p, 1);
    if (!parse_add_arg(p, e, left)) {
        return NULL;
    }
    e->negated = op == OP_IS_NOT;
    return parse_end(p, e, first);
}

static bool at_quantifier(const struct parser *p, enum level level)
{
    return (level == LEVEL_EQUALS || level == LEVEL_RELATION) &&
           (parse_at_kw(p, KW_ANY) || parse_at_kw(p, KW_SOME) || parse_at_kw(p, KW_ALL));
}

/* One step: the operator at the position, and its right operand. */
static struct ast_expr *parse_step(struct parser *p, struct ast_expr *left, int which,
                                   const struct token *first)
{
    enum level level = (enum level)operators[which].level;
    enum ast_op op = (enum ast_op)operators[which].op;
    parse_skip(p, 1);
    if (op == OP_IS && parse_take_kw(p, KW_NOT)) {
        op = OP_IS_NOT;
    }
    if (at_quantifier(p, level)) {
        return parse_quantified(p, left, op, first);
    }
    if (is_null_test(p, op)) {
        return null_test(p, left, op, first);
    }
    struct ast_expr *right = parse_binary(p, (enum level)(level + 1));
    if (right == NULL) {
        return NULL;
    }
    if ((op == OP_AND || op == OP_OR) && left->kind == AST_BINARY && left->op == op &&
        !left->paren) {
        return parse_add_arg(p, left, right) ? parse_end(p, left, first) : NULL;
    }
    struct ast_expr *e = parse_node(p, AST_BINARY, first);
    if (!parse_add_arg(p, e, left) || !parse_add_arg(p, e, right)) {
        return NULL;
    }
    e->op = op;
    return parse_end(p, e, first);
}

static struct ast_expr *parse_not(struct parser *p)
{
    const struct token *first = parse_peek(p, 0);
    parse_skip(p, 1);
    struct ast_expr *e = parse_node(p, AST_NOT, first);
    struct ast_expr *inner = NULL;
    if (parse_enter(p)) {
        inner = parse_binary(p, LEVEL_NOT);
    }
    parse_leave(p);
    return parse_add_arg(p, e, inner) ? parse_end(p, e, first) : NULL;
}

static struct ast_expr *parse_binary(struct parser *p, enum level lowest)
{
    const struct token *first = parse_peek(p, 0);
    assert(lowest >= LEVEL_OR);
    struct ast_expr *left =
        lowest <= LEVEL_NOT && parse_at_kw(p, KW_NOT) ? parse_not(p) : parse_unary(p);
    for (unsigned steps = 0; left != NULL; steps++) {
        if (steps > PARSE_MAX_RUN) {
            (void)parse_fail(p, parse_peek(p, 0), ERR_LIMIT, "more than %d operators in a row",
                             PARSE_MAX_RUN);
            return NULL;
        }
        if (lowest <= LEVEL_RELATION && at_word_operator(p)) {
            left = parse_word_operator(p, left, first);
            continue;
        }
        int which = operator_at(p);
        if (which < 0 || operators[which].level < (uint8_t)lowest) {
            return left;
        }
        left = parse_step(p, left, which, first);
    }
    return NULL;
}

struct ast_expr *parse_concat(struct parser *p)
{
    return parse_binary(p, LEVEL_CONCAT);
}

/* ---- whole expressions ---- */

/* when = "when" expr "then" expr */
static bool parse_whens(struct parser *p, struct ast_expr *e)
{
    do {
        if (!parse_need_kw(p, KW_WHEN, "in this case") || !parse_add_arg(p, e, parse_expr(p)) ||
            !parse_need_kw(p, KW_THEN, "behind the condition of 'when'") ||
            !parse_add_arg(p, e, parse_expr(p))) {
            return false;
        }
    } while (parse_at_kw(p, KW_WHEN));
    return true;
}

/* case = "case" [ expr ] when { when } [ "else" expr ] "end" */
struct ast_expr *parse_case(struct parser *p)
{
    const struct token *first = parse_peek(p, 0);
    struct ast_expr *e = parse_node(p, AST_CASE, first);
    parse_skip(p, 1);
    if (e == NULL) {
        return NULL;
    }
    if (!parse_at_kw(p, KW_WHEN)) {
        e->kind = AST_CASE_VALUE;
        if (!parse_add_arg(p, e, parse_expr(p))) {
            return NULL;
        }
    }
    if (!parse_whens(p, e)) {
        return NULL;
    }
    if (parse_take_kw(p, KW_ELSE) && !parse_add_arg(p, e, parse_expr(p))) {
        return NULL;
    }
    if (!parse_need_kw(p, KW_END, "to end the case")) {
        return NULL;
    }
    if (operator_at(p) >= 0 || at_word_operator(p) || parse_at(p, TOK_DOT)) {
        (void)parse_fail(p, parse_peek(p, 0), ERR_SYNTAX,
                         "a case ... end with more behind it must stand in parentheses");
        return NULL;
    }
    return parse_end(p, e, first);
}

/* expr = case | binary */
struct ast_expr *parse_expr(struct parser *p)
{
    struct ast_expr *e = NULL;
    if (parse_enter(p)) {
        e = parse_at_kw(p, KW_CASE) ? parse_case(p) : parse_binary(p, LEVEL_OR);
    }
    parse_leave(p);
    return e;
}
