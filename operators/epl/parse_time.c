/* SPDX-License-Identifier: Apache-2.0
 *
 * Periods (`1 min 30 sec`, `a.n sec`, `keep min`) and crontab parts. A period's node has nine
 * places from year to usec; the units come from large to small, each at most once.
 */
#include "operators/epl/parse.h"

#include <assert.h>

enum { UNITS = 9 };

/* The place of the unit, or -1. */
static int unit_of(const struct token *t)
{
    switch (t->kind == TOK_WORD ? t->kw : KW_NONE) {
    case KW_YEAR:
    case KW_YEARS: return 0;
    case KW_MONTH:
    case KW_MONTHS: return 1;
    case KW_WEEK:
    case KW_WEEKS: return 2;
    case KW_DAY:
    case KW_DAYS: return 3;
    case KW_HOUR:
    case KW_HOURS: return 4;
    case KW_MINUTE:
    case KW_MINUTES:
    case KW_MIN: return 5;
    case KW_SEC:
    case KW_SECOND:
    case KW_SECONDS: return 6;
    case KW_MSEC:
    case KW_MILLISECOND:
    case KW_MILLISECONDS: return 7;
    case KW_USEC:
    case KW_MICROSECOND:
    case KW_MICROSECONDS: return 8;
    default: return -1;
    }
}

bool parse_at_unit(const struct parser *p, uint32_t ahead)
{
    return unit_of(parse_peek(p, ahead)) >= 0;
}

/* A further part begins with a number, or with a name or parameter with a unit behind it. */
static bool at_part(const struct parser *p)
{
    const struct token *t = parse_peek(p, 0);
    uint32_t at = 0;
    if (t->kind >= TOK_INT && t->kind <= TOK_DOUBLE) {
        return true;
    }
    if (t->kind == TOK_QUESTION) {
        return parse_at_unit(p, 1);
    }
    while (parse_is_prop(parse_peek(p, at)) && parse_peek(p, at + 1)->kind == TOK_DOT) {
        at += 2;
    }
    return parse_is_prop(parse_peek(p, at)) && parse_at_unit(p, at + 1);
}

static struct ast_expr *new_period(struct parser *p, const struct token *first)
{
    struct ast_expr *e = parse_node(p, AST_PERIOD, first);
    if (e == NULL) {
        return NULL;
    }
    e->args = parse_new(p, sizeof *e->args * UNITS);
    e->n_args = UNITS;
    return e->args != NULL ? e : NULL;
}

/* The rest of a period whose first number is `part`; the position is at its unit. */
struct ast_expr *parse_period_behind(struct parser *p, struct ast_expr *part,
                                     const struct token *first)
{
    struct ast_expr *e = new_period(p, first);
    int last = -1;
    while (e != NULL && part != NULL) {
        int unit = unit_of(parse_peek(p, 0));
        if (unit < 0) {
            (void)parse_expected(p, "a unit of time behind the number");
            return NULL;
        }
        if (unit <= last) {
            (void)parse_fail(p, parse_peek(p, 0), ERR_SYNTAX,
                             "the units of a period go from large to small, each once");
            return NULL;
        }
        last = unit;
        e->args[unit] = part;
        parse_skip(p, 1);
        if (!at_part(p)) {
            return parse_end(p, e, first);
        }
        part = parse_unary(p);
    }
    return NULL;
}

/* period = operand unit { operand unit } | operand */
struct ast_expr *parse_period(struct parser *p)
{
    const struct token *first = parse_peek(p, 0);
    struct ast_expr *part = parse_concat(p);
    return part != NULL && parse_at_unit(p, 0) ? parse_period_behind(p, part, first) : part;
}

/* ---- crontab ---- */

static struct ast_expr *cron_word(struct parser *p, struct ast_expr *number,
                                  const struct token *first)
{
    struct ast_expr *e = parse_node(p, AST_CRON_WORD, first);
    if (e == NULL || (number != NULL && !parse_add_arg(p, e, number))) {
        return NULL;
    }
    e->text = slice_str(lex_keyword_text((enum kw)parse_peek(p, 0)->kw));
    parse_skip(p, 1);
    return parse_end(p, e, first);
}

static bool at_cron_word(const struct parser *p)
{
    return parse_at_kw(p, KW_LAST) || parse_at_kw(p, KW_WEEKDAY) || parse_at_kw(p, KW_LASTWEEKDAY);
}

static struct ast_expr *parse_cron_part(struct parser *p);

/* "[" part { "," part } "]" */
static struct ast_expr *cron_list(struct parser *p)
{
    const struct token *open = parse_peek(p, 0);
    struct ast_expr *e = parse_node(p, AST_CRON_LIST, open);
    parse_skip(p, 1);
    do {
        if (parse_at(p, TOK_LBRACK)) {
            (void)parse_expected(p, "a number or a range");
            return NULL;
        }
        if (!parse_add_arg(p, e, parse_cron_part(p))) {
            return NULL;
        }
    } while (parse_take(p, TOK_COMMA));
    return parse_close(p, TOK_RBRACK, open) ? parse_end(p, e, open) : NULL;
}

/* "*" [ "/" operand ] */
static struct ast_expr *cron_star(struct parser *p)
{
    const struct token *first = parse_peek(p, 0);
    parse_skip(p, 1);
    if (!parse_take(p, TOK_SLASH)) {
        return parse_node(p, AST_STAR, first);
    }
    struct ast_expr *e = parse_node(p, AST_CRON_STEP, first);
    return parse_add_arg(p, e, parse_unary(p)) ? parse_end(p, e, first) : NULL;
}

/* part = "*" [ "/" n ] | "[" list "]" | [ n ] word | n [ ":" n ] */
static struct ast_expr *parse_cron_part(struct parser *p)
{
    const struct token *first = parse_peek(p, 0);
    if (first->kind == TOK_STAR) {
        return cron_star(p);
    }
    if (first->kind == TOK_LBRACK) {
        return cron_list(p);
    }
    if (at_cron_word(p)) {
        return cron_word(p, NULL, first);
    }
    struct ast_expr *e = parse_concat(p);
    if (e == NULL) {
        return NULL;
    }
    if (at_cron_word(p)) {
        return cron_word(p, e, first);
    }
    if (!parse_take(p, TOK_COLON)) {
        return e;
    }
    struct ast_expr *range = parse_node(p, AST_CRON_RANGE, first);
    return parse_add_arg(p, range, e) && parse_add_arg(p, range, parse_concat(p))
               ? parse_end(p, range, first)
               : NULL;
}

/* cron = "(" part { "," part } ")" */
bool parse_cron(struct parser *p, struct ast_expr ***ret, uint32_t *ret_n)
{
    const struct token *open = parse_peek(p, 0);
    assert(ret != NULL && ret_n != NULL);
    if (!parse_need(p, TOK_LPAREN, "before the parts of a crontab")) {
        return false;
    }
    do {
        struct ast_expr *e = parse_cron_part(p);
        struct ast_expr **slot = e != NULL ? PARSE_PUSH(p, *ret, *ret_n) : NULL;
        if (slot == NULL) {
            return false;
        }
        *slot = e;
    } while (parse_take(p, TOK_COMMA));
    return parse_close(p, TOK_RPAREN, open);
}
