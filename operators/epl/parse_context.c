/* SPDX-License-Identifier: Apache-2.0
 *
 * create context: partitions by key, by hash, by category, from a start to an end, from an
 * initiating event to a terminating one; and contexts nested in each other.
 */
#include "operators/epl/parse.h"

#include <assert.h>

static bool parse_choice(struct parser *p, struct ast_context *c);

/* ---- where a partition begins and ends ---- */

/* annotated = "@" word; false: not there */
static bool take_mark(struct parser *p, const char *word)
{
    if (parse_at(p, TOK_AT) && slice_eq_nocase(parse_peek(p, 1)->text, slice_str(word))) {
        parse_skip(p, 2);
        return true;
    }
    return false;
}

static bool parse_pattern_point(struct parser *p, struct ast_point *pt)
{
    struct ast_stream s = {0};
    pt->kind = POINT_PATTERN;
    if (!parse_pattern_stream(p, &s)) {
        return false;
    }
    pt->pattern = s.pattern;
    pt->inclusive = take_mark(p, "inclusive");
    if (parse_at(p, TOK_AT)) {
        return parse_expected(p, "'@inclusive' or nothing behind the pattern");
    }
    return parse_alias(p, &pt->as);
}

static bool parse_filter_point(struct parser *p, struct ast_point *pt)
{
    pt->kind = POINT_FILTER;
    pt->stream = PARSE_NEW(p, struct ast_stream);
    return pt->stream != NULL && parse_filter(p, pt->stream) && parse_alias(p, &pt->as);
}

/* range-point = pattern [ "@inclusive" ] | cron | "after" period | filter [ [ "as" ] name ] */
static bool parse_range_point(struct parser *p, struct ast_point *pt)
{
    if (parse_at_kw(p, KW_PATTERN)) {
        return parse_pattern_point(p, pt);
    }
    if (parse_at(p, TOK_LPAREN)) {
        pt->kind = POINT_CRON;
        return parse_cron(p, &pt->at, &pt->n_at);
    }
    if (parse_take_kw(p, KW_AFTER)) {
        pt->kind = POINT_AFTER;
        pt->after = parse_period(p);
        return pt->after != NULL;
    }
    return parse_filter_point(p, pt);
}

/* point = "@now" [ "and" range-point ] | range-point */
static bool parse_point(struct parser *p, struct ast_point *pt)
{
    const struct token *first = parse_peek(p, 0);
    bool ok = true;
    if (take_mark(p, "now")) {
        pt->kind = POINT_NOW;
        if (parse_take_kw(p, KW_AND)) {
            ok = parse_range_point(p, pt);
            pt->kind = POINT_NOW_AND;
        }
    } else if (first->kind == TOK_AT) {
        ok = parse_expected(p, "'@now' or another point in time");
    } else {
        ok = parse_range_point(p, pt);
    }
    pt->span = parse_span_from(p, first);
    return ok;
}

static bool parse_starts(struct parser *p, struct ast_context *c, bool many)
{
    do {
        struct ast_point *pt = PARSE_PUSH(p, c->start, c->n_start);
        if (pt == NULL || !parse_point(p, pt)) {
            return false;
        }
    } while (many && parse_peek(p, 1)->kw != KW_CONTEXT && parse_take(p, TOK_COMMA));
    return true;
}

/* terminated = [ "terminated" [ "by" ] point ] */
static bool parse_terminated_by(struct parser *p, struct ast_context *c)
{
    if (!parse_take_kw(p, KW_TERMINATED)) {
        return true;
    }
    (void)parse_take_kw(p, KW_BY);
    return parse_point(p, &c->end);
}

/* start-end = "start" point [ "end" point ] */
static bool parse_start_end(struct parser *p, struct ast_context *c)
{
    c->kind = CTX_START_END;
    if (!parse_starts(p, c, false)) {
        return false;
    }
    return !parse_take_kw(p, KW_END) || parse_point(p, &c->end);
}

/* initiated = "initiated" [ "by" ] [ "distinct" "(" exprs ")" ] point terminated */
static bool parse_initiated(struct parser *p, struct ast_context *c)
{
    c->kind = CTX_INIT_TERM;
    (void)parse_take_kw(p, KW_BY);
    if (parse_take_kw(p, KW_DISTINCT)) {
        const struct token *open = parse_peek(p, 0);
        if (!parse_need(p, TOK_LPAREN, "behind 'distinct'") ||
            !parse_expr_list(p, &c->distinct, &c->n_distinct) ||
            !parse_close(p, TOK_RPAREN, open)) {
            return false;
        }
    }
    return parse_starts(p, c, false) && parse_terminated_by(p, c);
}

/* ---- keys, hashes, categories ---- */

static bool more_in_list(struct parser *p)
{
    return parse_peek(p, 1)->kw != KW_CONTEXT && parse_take(p, TOK_COMMA);
}

/* item = property { ( "and" | "," ) property } "from" filter [ [ "as" ] name ] */
static bool parse_key_item(struct parser *p, struct ast_ctx_stream *s)
{
    do {
        struct ast_expr *key = parse_chain(p);
        struct ast_expr **slot = key != NULL ? PARSE_PUSH(p, s->keys, s->n_keys) : NULL;
        if (slot == NULL) {
            return false;
        }
        *slot = key;
    } while (parse_take_kw(p, KW_AND) || parse_take(p, TOK_COMMA));
    return parse_need_kw(p, KW_FROM, "or 'and' behind the key") && parse_filter(p, &s->stream) &&
           parse_alias(p, &s->stream.as);
}

/* keyed = "partition" [ "by" ] item { "," item } [ "initiated" [ "by" ] point { "," point } ]
 *         terminated */
static bool parse_keyed(struct parser *p, struct ast_context *c)
{
    c->kind = CTX_KEYED;
    (void)parse_take_kw(p, KW_BY);
    do {
        struct ast_ctx_stream *s = PARSE_PUSH(p, c->streams, c->n_streams);
        if (s == NULL || !parse_key_item(p, s)) {
            return false;
        }
    } while (more_in_list(p));
    if (parse_take_kw(p, KW_INITIATED)) {
        (void)parse_take_kw(p, KW_BY);
        if (!parse_starts(p, c, true)) {
            return false;
        }
    }
    return parse_terminated_by(p, c);
}

/* hash = "coalesce" [ "by" ] call "from" filter { "," ... } "granularity" n [ "preallocate" ] */
static bool parse_hash(struct parser *p, struct ast_context *c)
{
    c->kind = CTX_HASH;
    (void)parse_take_kw(p, KW_BY);
    do {
        struct ast_ctx_stream *s = PARSE_PUSH(p, c->streams, c->n_streams);
        struct ast_expr *call = s != NULL ? parse_chain(p) : NULL;
        struct ast_expr **slot = call != NULL ? PARSE_PUSH(p, s->keys, s->n_keys) : NULL;
        if (slot == NULL) {
            return false;
        }
        *slot = call;
        if (!parse_need_kw(p, KW_FROM, "behind the hash function") ||
            !parse_filter(p, &s->stream)) {
            return false;
        }
    } while (more_in_list(p));
    if (!parse_take_word(p, "granularity")) {
        return parse_expected(p, "'granularity' and a number of partitions");
    }
    c->granularity = parse_unary(p);
    c->preallocate = c->granularity != NULL && parse_take_word(p, "preallocate");
    return c->granularity != NULL;
}

/* category = "group" [ "by" ] expr "as" name { "," ... } "from" filter */
static bool parse_category(struct parser *p, struct ast_context *c)
{
    c->kind = CTX_CATEGORY;
    do {
        struct ast_category *g = PARSE_PUSH(p, c->categories, c->n_categories);
        if (g == NULL || !parse_need_kw(p, KW_GROUP, "before a category")) {
            return false;
        }
        (void)parse_take_kw(p, KW_BY);
        if ((g->cond = parse_expr(p)) == NULL ||
            !parse_need_kw(p, KW_AS, "and a label behind the condition") ||
            !parse_decl_name(p, &g->label, "the label of the category")) {
            return false;
        }
    } while (parse_take(p, TOK_COMMA));
    struct ast_ctx_stream *s = PARSE_PUSH(p, c->streams, c->n_streams);
    return s != NULL && parse_need_kw(p, KW_FROM, "behind the categories") &&
           parse_filter(p, &s->stream);
}

/* ---- whole contexts ---- */

/* nested = "context" name [ "as" ] choice { "," "context" name [ "as" ] choice } */
static bool parse_nested(struct parser *p, struct ast_context *c)
{
    c->kind = CTX_NESTED;
    do {
        struct ast_context *kid = PARSE_PUSH(p, c->nested, c->n_nested);
        if (kid == NULL || !parse_need_kw(p, KW_CONTEXT, "behind ','") ||
            !parse_decl_name(p, &kid->name, "the name of the nested context")) {
            return false;
        }
        (void)parse_take_kw(p, KW_AS);
        if (!parse_choice(p, kid)) {
            return false;
        }
    } while (parse_take(p, TOK_COMMA));
    return true;
}

/* choice = start-end | initiated | keyed | hash | category */
static bool parse_choice(struct parser *p, struct ast_context *c)
{
    if (parse_take_kw(p, KW_START)) {
        return parse_start_end(p, c);
    }
    if (parse_take_kw(p, KW_INITIATED)) {
        return parse_initiated(p, c);
    }
    if (parse_take_kw(p, KW_PARTITION)) {
        return parse_keyed(p, c);
    }
    if (parse_take_kw(p, KW_COALESCE)) {
        return parse_hash(p, c);
    }
    if (parse_at_kw(p, KW_GROUP)) {
        return parse_category(p, c);
    }
    return parse_expected(p, "partition by, coalesce by, group, start or initiated by");
}

/* create-context = name [ "as" ] ( choice | nested ) */
bool parse_create_context(struct parser *p, struct ast_stmt *st)
{
    st->kind = STMT_CREATE_CONTEXT;
    st->ctx = PARSE_NEW(p, struct ast_context);
    if (st->ctx == NULL || !parse_decl_name(p, &st->name, "the name of the context")) {
        return false;
    }
    st->ctx->name = st->name;
    (void)parse_take_kw(p, KW_AS);
    return parse_at_kw(p, KW_CONTEXT) ? parse_nested(p, st->ctx) : parse_choice(p, st->ctx);
}
