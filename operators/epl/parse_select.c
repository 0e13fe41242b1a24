/* SPDX-License-Identifier: Apache-2.0
 *
 * The clauses of select, in their order: [into table] [insert into] select from match_recognize
 * where group-by having output order-by limit. Subqueries, on-select and on-demand queries are
 * made of the same pieces.
 */
#include "operators/epl/parse.h"

#include <assert.h>

/* streams = [ "istream" | "rstream" | "irstream" ] */
bool parse_streams(struct parser *p, enum ast_streams *ret)
{
    *ret = STREAM_DEFAULT;
    if (parse_at_kw(p, KW_ISTREAM) && parse_peek(p, 1)->kind != TOK_LPAREN) {
        parse_skip(p, 1);
        *ret = STREAM_ISTREAM;
    } else if (parse_take_kw(p, KW_RSTREAM)) {
        *ret = STREAM_RSTREAM;
    } else if (parse_take_kw(p, KW_IRSTREAM)) {
        *ret = STREAM_IRSTREAM;
    }
    return true;
}

/* A word behind a column names it without `as`, if it cannot begin a clause. */
static bool at_bare_alias(const struct parser *p)
{
    const struct token *t = parse_peek(p, 0), *next = parse_peek(p, 1);
    if (parse_is_decl(t)) {
        return true;
    }
    return parse_is_prop(t) && (next->kind == TOK_COMMA || next->kw == KW_FROM);
}

static bool parse_item_end(struct parser *p, struct ast_item *item)
{
    if (parse_at(p, TOK_AT)) {
        if (!slice_eq_nocase(parse_peek(p, 1)->text, SLICE("eventbean"))) {
            return parse_expected(p, "nothing but @eventbean behind a column");
        }
        parse_skip(p, 2);
        item->is_event = true;
    }
    if (parse_take_kw(p, KW_AS)) {
        return parse_prop_name(p, &item->as, "the column's name behind 'as'");
    }
    if (at_bare_alias(p)) {
        return parse_prop_name(p, &item->as, "the column's name");
    }
    return true;
}

/* item = "*" | name ".*" [ "as" name ] | expr [ "@eventbean" ] [ [ "as" ] name ] */
static bool parse_item(struct parser *p, struct ast_item *item)
{
    const struct token *first = parse_peek(p, 0);
    bool ok = true;
    if (parse_take(p, TOK_STAR)) {
        item->star = true;
    } else if (parse_is_prop(first) && parse_peek(p, 1)->kind == TOK_DOT &&
               parse_peek(p, 2)->kind == TOK_STAR) {
        parse_skip(p, 3);
        item->star = true;
        item->stream = first->text;
        ok = parse_alias(p, &item->as);
    } else {
        item->e = parse_expr(p);
        ok = item->e != NULL && parse_item_end(p, item);
    }
    item->span = parse_span_from(p, first);
    return ok;
}

/* items = item { "," item } */
bool parse_items(struct parser *p, struct ast_item **ret, uint32_t *ret_n)
{
    do {
        struct ast_item *item = PARSE_PUSH(p, *ret, *ret_n);
        if (item == NULL || !parse_item(p, item)) {
            return false;
        }
    } while (parse_take(p, TOK_COMMA));
    return true;
}

/* where = "where" expr */
bool parse_where(struct parser *p, struct ast_expr **ret)
{
    if (!parse_take_kw(p, KW_WHERE)) {
        return true;
    }
    *ret = parse_expr(p);
    return *ret != NULL;
}

/* ---- group by ---- */

static bool parse_group(struct parser *p, struct ast_group *g, bool nested);

static bool parse_group_list(struct parser *p, struct ast_group *g)
{
    const struct token *open = parse_peek(p, 0);
    if (!parse_need(p, TOK_LPAREN, "before the groups")) {
        return false;
    }
    do {
        struct ast_group *kid = PARSE_PUSH(p, g->kids, g->n_kids);
        if (kid == NULL || !parse_group(p, kid, true)) {
            return false;
        }
    } while (parse_take(p, TOK_COMMA));
    return parse_close(p, TOK_RPAREN, open);
}

/* combined = "(" [ expr { "," expr } ] ")": seen by a comma or nothing inside */
static bool parse_group_expr(struct parser *p, struct ast_group *g, bool nested)
{
    if (nested && parse_at(p, TOK_LPAREN) && parse_peek(p, 1)->kind == TOK_RPAREN) {
        parse_skip(p, 2);
        g->kind = GROUP_COMBINED;
        return true;
    }
    struct ast_expr *e = parse_expr(p);
    if (e == NULL) {
        return false;
    }
    if (!nested || e->kind != AST_ROW) {
        g->kind = GROUP_EXPR;
        g->e = e;
        return true;
    }
    g->kind = GROUP_COMBINED;
    for (uint32_t i = 0; i < e->n_args; i++) {
        struct ast_group *kid = PARSE_PUSH(p, g->kids, g->n_kids);
        if (kid == NULL) {
            return false;
        }
        kid->kind = GROUP_EXPR;
        kid->span = e->args[i]->span;
        kid->e = e->args[i];
    }
    return true;
}

/* group = expr | ( "rollup" | "cube" | "grouping" "sets" ) "(" group { "," group } ")" | combined
 */
static bool parse_group(struct parser *p, struct ast_group *g, bool nested)
{
    const struct token *first = parse_peek(p, 0);
    bool ok = false;
    if (!parse_enter(p)) {
        ok = false;
    } else if (parse_at_kw(p, KW_ROLLUP) || parse_at_kw(p, KW_CUBE)) {
        g->kind = parse_at_kw(p, KW_CUBE) ? GROUP_CUBE : GROUP_ROLLUP;
        parse_skip(p, 1);
        ok = parse_group_list(p, g);
    } else if (parse_at_kw(p, KW_GROUPING) && parse_peek(p, 1)->kw == KW_SETS) {
        g->kind = GROUP_SETS;
        parse_skip(p, 2);
        ok = parse_group_list(p, g);
    } else {
        ok = parse_group_expr(p, g, nested);
    }
    parse_leave(p);
    g->span = parse_span_from(p, first);
    return ok;
}

/* group-by = "group" "by" group { "," group } */
bool parse_group_by(struct parser *p, struct ast_select *s)
{
    if (!parse_take_kw(p, KW_GROUP)) {
        return true;
    }
    if (!parse_need_kw(p, KW_BY, "behind 'group'")) {
        return false;
    }
    do {
        struct ast_group *g = PARSE_PUSH(p, s->group, s->n_group);
        if (g == NULL || !parse_group(p, g, false)) {
            return false;
        }
    } while (parse_take(p, TOK_COMMA));
    return true;
}

/* having = "having" expr */
bool parse_having(struct parser *p, struct ast_select *s)
{
    if (!parse_take_kw(p, KW_HAVING)) {
        return true;
    }
    s->having = parse_expr(p);
    return s->having != NULL;
}

/* order-by = "order" "by" expr [ "asc" | "desc" ] { "," ... } */
bool parse_order_by(struct parser *p, struct ast_select *s)
{
    if (!parse_take_kw(p, KW_ORDER)) {
        return true;
    }
    if (!parse_need_kw(p, KW_BY, "behind 'order'")) {
        return false;
    }
    do {
        struct ast_order *o = PARSE_PUSH(p, s->order, s->n_order);
        if (o == NULL || (o->e = parse_expr(p)) == NULL) {
            return false;
        }
        o->desc = parse_take_kw(p, KW_DESC);
        if (!o->desc) {
            (void)parse_take_kw(p, KW_ASC);
        }
    } while (parse_take(p, TOK_COMMA));
    return true;
}

/* row-number = [ "-" ] number | name | param */
static struct ast_expr *parse_row_number(struct parser *p)
{
    const struct token *t = parse_peek(p, 0);
    if (parse_is_decl(t)) {
        return parse_chain(p);
    }
    if (t->kind == TOK_QUESTION) {
        return parse_param(p);
    }
    if (t->kind == TOK_MINUS || t->kind == TOK_PLUS || t->kind == TOK_INT || t->kind == TOK_LONG) {
        return parse_unary(p);
    }
    (void)parse_expected(p, "a number of rows");
    return NULL;
}

/* limit = "limit" rows [ "offset" rows ] | "limit" offset "," rows */
bool parse_limit(struct parser *p, struct ast_select *s)
{
    if (!parse_take_kw(p, KW_LIMIT)) {
        return true;
    }
    s->limit = parse_row_number(p);
    if (s->limit == NULL) {
        return false;
    }
    if (!parse_at_kw(p, KW_OFFSET) && !parse_at(p, TOK_COMMA)) {
        return true;
    }
    bool swapped = parse_at(p, TOK_COMMA);
    parse_skip(p, 1);
    const struct token *second = parse_peek(p, 0);
    s->offset = parse_row_number(p);
    if (s->offset == NULL) {
        return false;
    }
    if (swapped) {
        struct ast_expr *rows = s->offset;
        s->offset = s->limit;
        s->limit = rows;
    }
    if (s->offset->kind == AST_INT && s->offset->i == 0) {
        return parse_fail(p, second, ERR_RANGE, "an offset of 0 is refused: leave it out");
    }
    return true;
}

/* tail = [ where ] [ group-by ] [ having ] [ output ] [ order-by ] [ limit ] */
static bool parse_tail(struct parser *p, struct ast_select *s)
{
    return parse_where(p, &s->where) && parse_group_by(p, s) && parse_having(p, s) &&
           parse_output(p, s) && parse_order_by(p, s) && parse_limit(p, s);
}

static bool parse_match_clause(struct parser *p, struct ast_select *s)
{
    return !parse_at_kw(p, KW_MATCH_RECOGNIZE) || parse_matchrec(p, &s->matchrec);
}

/* select-body = "select" streams [ "distinct" ] items "from" from [ match_recognize ] tail */
bool parse_select_body(struct parser *p, struct ast_select *s, bool sub)
{
    const struct token *first = parse_peek(p, 0);
    if (!parse_need_kw(p, KW_SELECT, "to begin a query") || !parse_streams(p, &s->streams)) {
        return false;
    }
    s->distinct = parse_take_kw(p, KW_DISTINCT);
    if (!parse_items(p, &s->items, &s->n_items)) {
        return false;
    }
    if (parse_take_kw(p, KW_FROM)) {
        if (!parse_from(p, s) || !parse_match_clause(p, s)) {
            return false;
        }
    } else if (sub || !p->on_demand) {
        return parse_expected(p, "',' and a further column, or 'from'");
    }
    bool ok = sub ? parse_where(p, &s->where) && parse_group_by(p, s) && parse_having(p, s)
                  : parse_tail(p, s);
    s->span = parse_span_from(p, first);
    return ok;
}

/* into-columns = "(" [ name { "," name } ] ")" */
static bool parse_into_columns(struct parser *p, struct ast_insert *ins)
{
    const struct token *open = parse_peek(p, 0);
    if (!parse_take(p, TOK_LPAREN)) {
        return true;
    }
    return parse_at(p, TOK_RPAREN)
               ? parse_close(p, TOK_RPAREN, open)
               : parse_name_list(p, &ins->cols, &ins->n_cols, "the name of a column") &&
                     parse_close(p, TOK_RPAREN, open);
}

/* insert-into = "insert" streams "into" type [ columns ] [ "event-precedence" "(" expr ")" ] */
bool parse_insert_into(struct parser *p, struct ast_insert *ins)
{
    const struct token *first = parse_peek(p, 0);
    if (!parse_streams(p, &ins->streams) || !parse_need_kw(p, KW_INTO, "behind 'insert'") ||
        !parse_type_name(p, &ins->into, "the stream to insert into") ||
        !parse_into_columns(p, ins)) {
        return false;
    }
    if (parse_take_kw(p, KW_EVENT_PRECEDENCE)) {
        const struct token *open = parse_peek(p, 0);
        if (!parse_need(p, TOK_LPAREN, "behind event-precedence") ||
            (ins->precedence = parse_expr(p)) == NULL || !parse_close(p, TOK_RPAREN, open)) {
            return false;
        }
    }
    ins->span = parse_span_from(p, first);
    return true;
}

/* values = "values" "(" exprs ")" { "," "(" exprs ")" } */
static bool parse_values(struct parser *p, struct ast_select *s)
{
    do {
        const struct token *open = parse_peek(p, 0);
        uint32_t before = s->n_values;
        if (!parse_need(p, TOK_LPAREN, "before a row of values") ||
            !parse_expr_list(p, &s->values, &s->n_values) || !parse_close(p, TOK_RPAREN, open)) {
            return false;
        }
        s->n_value_rows++;
        if ((s->n_values - before) * s->n_value_rows != s->n_values) {
            return parse_fail(p, open, ERR_SYNTAX, "all rows of values need the same length");
        }
    } while (parse_take(p, TOK_COMMA));
    return true;
}

/* select-stmt = [ "into" "table" name ] [ insert-into ] ( select-body | values ) */
bool parse_select_stmt(struct parser *p, struct ast_stmt *st)
{
    struct ast_select *s = st->select = PARSE_NEW(p, struct ast_select);
    st->kind = STMT_SELECT;
    if (s == NULL) {
        return false;
    }
    if (parse_take_kw(p, KW_INTO)) {
        if (!parse_need_kw(p, KW_TABLE, "behind 'into'") ||
            !parse_decl_name(p, &s->into_table, "the name of a table")) {
            return false;
        }
    }
    if (parse_take_kw(p, KW_INSERT)) {
        s->insert = PARSE_NEW(p, struct ast_insert);
        if (s->insert == NULL || !parse_insert_into(p, s->insert)) {
            return false;
        }
        st->kind = p->on_demand ? STMT_FAF_INSERT : STMT_SELECT;
    }
    if (s->insert != NULL && parse_at_kw(p, KW_VALUES)) {
        if (!p->on_demand) {
            return parse_fail(p, parse_peek(p, 0), ERR_SYNTAX,
                              "'values' is for on-demand queries; a statement selects");
        }
        parse_skip(p, 1);
        return parse_values(p, s);
    }
    return parse_select_body(p, s, false);
}
