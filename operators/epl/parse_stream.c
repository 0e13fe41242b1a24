/* SPDX-License-Identifier: Apache-2.0
 *
 * What stands behind `from` and `on`: a type with its filter and contained events, or a pattern;
 * windows on it; names; joins.
 */
#include "operators/epl/parse.h"

#include <assert.h>

/* ---- views ---- */

/* In `create window W#keepall (host string)` the bracket holds columns: two words side by side. */
static bool at_column_list(const struct parser *p)
{
    return p->no_column_list && parse_is_type(parse_peek(p, 1)) && parse_is_decl(parse_peek(p, 2));
}

/* view = [ name ":" ] name [ args ] */
static bool parse_view(struct parser *p, struct ast_stream *s)
{
    const struct token *first = parse_peek(p, 0);
    struct ast_view *v = PARSE_PUSH(p, s->views, s->n_views);
    if (v == NULL || !parse_prop_name(p, &v->name, "the name of a window")) {
        return false;
    }
    if (parse_take(p, TOK_COLON)) {
        v->space = v->name;
        if (!parse_prop_name(p, &v->name, "the name of a window")) {
            return false;
        }
    }
    if (parse_at(p, TOK_LPAREN) && !at_column_list(p) && !parse_args(p, &v->args, &v->n_args)) {
        return false;
    }
    v->span = parse_span_from(p, first);
    return true;
}

/* views = { "#" view | "." name ":" view } */
bool parse_views(struct parser *p, struct ast_stream *s)
{
    for (;;) {
        bool dotted = parse_at(p, TOK_DOT) && parse_peek(p, 2)->kind == TOK_COLON;
        if (!dotted && !parse_at(p, TOK_HASH)) {
            return true;
        }
        parse_skip(p, 1);
        if (!parse_view(p, s)) {
            return false;
        }
    }
}

/* retain = [ "retain-union" | "retain-intersection" ] */
bool parse_retain(struct parser *p, struct ast_stream *s)
{
    s->retain_union |= parse_take_kw(p, KW_RETAIN_UNION);
    s->retain_intersection |= parse_take_kw(p, KW_RETAIN_INTERSECTION);
    if (s->retain_union && s->retain_intersection) {
        return parse_fail(p, parse_peek(p, 0), ERR_SYNTAX,
                          "retain-union and retain-intersection exclude each other");
    }
    return true;
}

/* ---- contained events ---- */

static bool parse_contained_one(struct parser *p, struct ast_contained *c)
{
    const struct token *open = parse_peek(p, 0);
    parse_skip(p, 1);
    if (parse_take_kw(p, KW_SELECT)) {
        if (!parse_items(p, &c->items, &c->n_items) ||
            !parse_need_kw(p, KW_FROM, "in the selection of contained events")) {
            return false;
        }
    }
    c->path = parse_expr(p);
    if (c->path == NULL) {
        return false;
    }
    if (parse_take(p, TOK_AT)) {
        const struct token *at = parse_peek(p, 1);
        if (!parse_take_word(p, "type")) {
            return parse_expected(p, "'type' behind '@'");
        }
        if (!parse_need(p, TOK_LPAREN, "behind @type") || !parse_type_name(p, &c->type, "a type") ||
            !parse_close(p, TOK_RPAREN, at)) {
            return false;
        }
    }
    if (!parse_alias(p, &c->as) || !parse_where(p, &c->where) ||
        !parse_close(p, TOK_RBRACK, open)) {
        return false;
    }
    c->span = parse_span_from(p, open);
    return true;
}

/* contained = "[" [ "select" items "from" ] expr [ "@type" "(" type ")" ] [ "as" name ]
 *             [ where ] "]" */
bool parse_contained(struct parser *p, struct ast_stream *s)
{
    while (parse_at(p, TOK_LBRACK)) {
        struct ast_contained *c = PARSE_PUSH(p, s->contained, s->n_contained);
        if (c == NULL || !parse_contained_one(p, c)) {
            return false;
        }
    }
    return true;
}

/* ---- streams ---- */

/* filter = type [ "(" [ expr { "," expr } ] ")" ] { contained } */
bool parse_filter(struct parser *p, struct ast_stream *s)
{
    const struct token *first = parse_peek(p, 0), *open;
    if (!parse_type_name(p, &s->type, "the name of a stream")) {
        return false;
    }
    open = parse_peek(p, 0);
    if (parse_take(p, TOK_LPAREN)) {
        if (!parse_at(p, TOK_RPAREN) && !parse_expr_list(p, &s->filters, &s->n_filters)) {
            return false;
        }
        if (!parse_close(p, TOK_RPAREN, open)) {
            return false;
        }
    }
    bool ok = parse_contained(p, s);
    s->span = parse_span_from(p, first);
    return ok;
}

/* pattern-stream = "pattern" { annotation } "[" pattern "]" */
bool parse_pattern_stream(struct parser *p, struct ast_stream *s)
{
    const struct token *first = parse_peek(p, 0);
    parse_skip(p, 1);
    if (!parse_annots(p, &s->pat_annots, &s->n_pat_annots)) {
        return false;
    }
    const struct token *open = parse_peek(p, 0);
    if (!parse_need(p, TOK_LBRACK, "before the pattern")) {
        return false;
    }
    s->pattern = parse_pattern(p);
    if (s->pattern == NULL || !parse_close(p, TOK_RBRACK, open)) {
        return false;
    }
    s->span = parse_span_from(p, first);
    return true;
}

/* source = pattern-stream | filter */
bool parse_source(struct parser *p, struct ast_stream *s)
{
    const struct token *t = parse_peek(p, 0);
    if (t->kw == KW_PATTERN) {
        return parse_pattern_stream(p, s);
    }
    if (t->kw == KW_SQL && parse_peek(p, 1)->kind == TOK_COLON) {
        return parse_unsupported(p, t, "a join with sql: is");
    }
    if (parse_is_decl(t) && parse_peek(p, 1)->kind == TOK_COLON) {
        return parse_unsupported(p, t, "a join with method: is");
    }
    if (t->kind == TOK_LPAREN) {
        return parse_fail(p, t, ERR_SYNTAX,
                          "a query cannot stand in from: insert it into a stream of its own");
    }
    return parse_filter(p, s);
}

/* stream = source views [ [ "as" ] name ] [ "unidirectional" ] retain */
static bool parse_stream(struct parser *p, struct ast_stream *s)
{
    const struct token *first = parse_peek(p, 0);
    if (!parse_source(p, s) || !parse_views(p, s) || !parse_alias(p, &s->as)) {
        return false;
    }
    s->unidirectional = parse_take_kw(p, KW_UNIDIRECTIONAL);
    bool ok = parse_retain(p, s);
    s->unidirectional = s->unidirectional || (ok && parse_take_kw(p, KW_UNIDIRECTIONAL));
    s->span = parse_span_from(p, first);
    return ok;
}

/* join = "," | [ ( "left" | "right" | "full" ) "outer" | "inner" ] "join"; false: no join */
static bool take_join(struct parser *p, enum ast_join *ret, bool *ret_ok)
{
    *ret_ok = true;
    if (parse_take(p, TOK_COMMA)) {
        *ret = JOIN_COMMA;
        return true;
    }
    if (parse_take_kw(p, KW_LEFT)) {
        *ret = JOIN_LEFT;
    } else if (parse_take_kw(p, KW_RIGHT)) {
        *ret = JOIN_RIGHT;
    } else if (parse_take_kw(p, KW_FULL)) {
        *ret = JOIN_FULL;
    } else if (parse_take_kw(p, KW_INNER) || parse_at_kw(p, KW_JOIN)) {
        *ret = JOIN_INNER;
    } else {
        return false;
    }
    if (*ret != JOIN_INNER && !parse_need_kw(p, KW_OUTER, "before 'join'")) {
        *ret_ok = false;
        return false;
    }
    *ret_ok = parse_need_kw(p, KW_JOIN, "to name the next stream");
    return *ret_ok;
}

/* from = stream { join stream [ "on" expr ] } */
bool parse_from(struct parser *p, struct ast_select *s)
{
    enum ast_join kind = JOIN_COMMA;
    bool ok = true;
    uint32_t n_joins = 0;
    struct ast_stream *stream = PARSE_PUSH(p, s->from, s->n_from);
    if (stream == NULL || !parse_stream(p, stream)) {
        return false;
    }
    while (take_join(p, &kind, &ok)) {
        struct ast_on *on = PARSE_PUSH(p, s->joins, n_joins);
        stream = on != NULL ? PARSE_PUSH(p, s->from, s->n_from) : NULL;
        if (stream == NULL || !parse_stream(p, stream)) {
            return false;
        }
        on->kind = kind;
        if (kind != JOIN_COMMA && parse_take_kw(p, KW_ON) && (on->cond = parse_expr(p)) == NULL) {
            return false;
        }
    }
    assert(!ok || s->n_from == n_joins + 1);
    return ok;
}
