/* SPDX-License-Identifier: Apache-2.0
 *
 * Statements that act on a window, table or variable: on ... select, delete, update, merge, set,
 * the splitting on ... insert, update istream, and their on-demand forms.
 */
#include "operators/epl/parse.h"

#include <assert.h>

static bool parse_target(struct parser *p, struct ast_stmt *st)
{
    const struct token *first = parse_peek(p, 0);
    st->target = PARSE_NEW(p, struct ast_stream);
    if (st->target == NULL ||
        !parse_type_name(p, &st->target->type, "the name of a window or table") ||
        !parse_alias(p, &st->target->as)) {
        return false;
    }
    st->target->span = parse_span_from(p, first);
    return true;
}

/* ---- merge ---- */

static bool parse_action_columns(struct parser *p, struct ast_action *a)
{
    const struct token *open = parse_peek(p, 0);
    if (!parse_take(p, TOK_LPAREN)) {
        return true;
    }
    return parse_name_list(p, &a->cols, &a->n_cols, "the name of a column") &&
           parse_close(p, TOK_RPAREN, open);
}

/* merge-insert = "insert" [ "into" type ] [ "(" names ")" ] "select" items [ where ] */
static bool parse_merge_insert(struct parser *p, struct ast_action *a)
{
    a->kind = ACT_INSERT;
    if (parse_take_kw(p, KW_INTO) && !parse_type_name(p, &a->into, "the stream to insert into")) {
        return false;
    }
    return parse_action_columns(p, a) && parse_need_kw(p, KW_SELECT, "in the insert") &&
           parse_items(p, &a->items, &a->n_items) && parse_where(p, &a->where);
}

/* action = merge-insert | "update" "set" sets [ where ] | "delete" [ where ] */
static bool parse_action(struct parser *p, struct ast_action *a)
{
    const struct token *first = parse_peek(p, 0);
    bool ok;
    if (parse_take_kw(p, KW_INSERT)) {
        ok = parse_merge_insert(p, a);
    } else if (parse_take_kw(p, KW_UPDATE)) {
        a->kind = ACT_UPDATE;
        ok = parse_need_kw(p, KW_SET, "behind 'update'") && parse_sets(p, &a->sets, &a->n_sets) &&
             parse_where(p, &a->where);
    } else if (parse_take_kw(p, KW_DELETE)) {
        a->kind = ACT_DELETE;
        ok = parse_where(p, &a->where);
    } else {
        ok = parse_expected(p, "insert, update or delete behind 'then'");
    }
    a->span = parse_span_from(p, first);
    return ok;
}

/* matched = "when" [ "not" ] "matched" [ "and" expr ] { "then" action } */
static bool parse_matched(struct parser *p, struct ast_matched *m)
{
    if (!parse_need_kw(p, KW_WHEN, "matched or when not matched")) {
        return false;
    }
    m->negated = parse_take_kw(p, KW_NOT);
    if (!parse_need_kw(p, KW_MATCHED, "behind 'when'")) {
        return false;
    }
    if (parse_take_kw(p, KW_AND) && (m->cond = parse_expr(p)) == NULL) {
        return false;
    }
    if (!parse_at_kw(p, KW_THEN)) {
        return parse_expected(p, "'then' and an action");
    }
    while (parse_take_kw(p, KW_THEN)) {
        const struct token *at = parse_peek(p, 0);
        struct ast_action *a = PARSE_PUSH(p, m->actions, m->n_actions);
        if (a == NULL || !parse_action(p, a)) {
            return false;
        }
        if (m->negated && a->kind != ACT_INSERT) {
            return parse_fail(p, at, ERR_SYNTAX,
                              "when not matched, there is nothing to change: "
                              "only insert is possible");
        }
    }
    return true;
}

/* merge = "merge" [ "into" ] name [ alias ] ( merge-insert | [ where ] matched { matched } ) */
static bool parse_merge(struct parser *p, struct ast_stmt *st)
{
    st->kind = STMT_ON_MERGE;
    (void)parse_take_kw(p, KW_INTO);
    if (!parse_target(p, st)) {
        return false;
    }
    if (parse_at_kw(p, KW_INSERT)) {
        struct ast_matched *m = PARSE_PUSH(p, st->matched, st->n_matched);
        struct ast_action *a = m != NULL ? PARSE_PUSH(p, m->actions, m->n_actions) : NULL;
        if (a == NULL) {
            return false;
        }
        m->negated = true;
        st->merge_insert_only = true;
        return parse_action(p, a);
    }
    if (!parse_where(p, &st->where)) {
        return false;
    }
    do {
        struct ast_matched *m = PARSE_PUSH(p, st->matched, st->n_matched);
        if (m == NULL || !parse_matched(p, m)) {
            return false;
        }
    } while (parse_at_kw(p, KW_WHEN));
    return true;
}

/* ---- select and split ---- */

/* split-from = "from" ( contained | filter ) [ [ "as" ] name ] */
static bool parse_split_from(struct parser *p, struct ast_stream **ret)
{
    const struct token *first = parse_peek(p, 0);
    struct ast_stream *s = *ret = PARSE_NEW(p, struct ast_stream);
    if (s == NULL) {
        return false;
    }
    bool ok = parse_at(p, TOK_LBRACK) ? parse_contained(p, s) : parse_filter(p, s);
    ok = ok && parse_alias(p, &s->as);
    s->span = parse_span_from(p, first);
    return ok;
}

/* branch = insert-into "select" items [ split-from ] [ where ] */
static bool parse_branch_rest(struct parser *p, struct ast_branch *b)
{
    if (!parse_need_kw(p, KW_SELECT, "behind 'insert into'") ||
        !parse_items(p, &b->items, &b->n_items)) {
        return false;
    }
    if (parse_take_kw(p, KW_FROM) && !parse_split_from(p, &b->from)) {
        return false;
    }
    return parse_where(p, &b->where);
}

/* split = branch { "insert" branch } [ "output" ( "first" | "all" ) ] */
static bool parse_split(struct parser *p, struct ast_stmt *st)
{
    st->kind = STMT_ON_SPLIT;
    do {
        struct ast_branch *b = PARSE_PUSH(p, st->branches, st->n_branches);
        if (b == NULL || !parse_insert_into(p, &b->insert) || !parse_branch_rest(p, b)) {
            return false;
        }
    } while (parse_take_kw(p, KW_INSERT));
    if (parse_take_kw(p, KW_OUTPUT)) {
        st->split_all = parse_at_kw(p, KW_ALL);
        if (!parse_take_kw(p, KW_ALL) && !parse_take_kw(p, KW_FIRST)) {
            return parse_expected(p, "'first' or 'all' behind 'output'");
        }
    }
    return true;
}

/* Is this insert the only one and does it select from a window by name? Brackets are skipped. */
static bool selects_from_window(const struct parser *p)
{
    uint32_t depth = 0;
    bool from_window = false;
    for (uint32_t i = 0;; i++) {
        const struct token *t = parse_peek(p, i);
        if (t->kind == TOK_END || t->kind == TOK_SEMI) {
            return from_window;
        }
        if (t->kind == TOK_LPAREN || t->kind == TOK_LBRACK || t->kind == TOK_LCURLY) {
            depth++;
        } else if (t->kind == TOK_RPAREN || t->kind == TOK_RBRACK || t->kind == TOK_RCURLY) {
            depth -= depth > 0 ? 1 : 0;
        } else if (depth == 0 && t->kw == KW_FROM) {
            from_window =
                parse_is_type(parse_peek(p, i + 1)) && parse_peek(p, i + 2)->kind != TOK_LBRACK;
        } else if (depth == 0 && i > 0 && t->kw == KW_INSERT) {
            return false;
        }
    }
}

/* What it gives is given at once, for each event. */
static bool without_output(struct parser *p)
{
    const struct token *t = parse_peek(p, 0);
    return !parse_at_kw(p, KW_OUTPUT) ||
           parse_fail(p, t, ERR_SYNTAX,
                      "'on ... select' has no output rate; insert into a stream and give the rate "
                      "to a statement that selects from it");
}

/* on-select = "select" [ [ "and" ] "delete" ] [ "distinct" ] items [ "from" name [ alias ] ]
 *             [ where ] [ group-by ] [ having ] [ order-by ] [ limit ] */
static bool parse_on_select(struct parser *p, struct ast_stmt *st, struct ast_insert *ins)
{
    const struct token *first = parse_peek(p, 0);
    struct ast_select *s = st->select = PARSE_NEW(p, struct ast_select);
    st->kind = STMT_ON_SELECT;
    if (s == NULL || !parse_need_kw(p, KW_SELECT, "behind 'on'") ||
        !parse_streams(p, &s->streams)) {
        return false;
    }
    s->insert = ins;
    if (parse_take_kw(p, KW_AND) || parse_at_kw(p, KW_DELETE)) {
        s->and_delete = true;
        if (!parse_need_kw(p, KW_DELETE, "behind 'select and'")) {
            return false;
        }
    }
    s->distinct = parse_take_kw(p, KW_DISTINCT);
    if (!parse_items(p, &s->items, &s->n_items) ||
        !parse_need_kw(p, KW_FROM, "and a window or table")) {
        return false;
    }
    struct ast_stream *from = PARSE_PUSH(p, s->from, s->n_from);
    const struct token *name = parse_peek(p, 0);
    if (from == NULL || !parse_type_name(p, &from->type, "the name of a window or table") ||
        !parse_alias(p, &from->as)) {
        return false;
    }
    from->span = parse_span_from(p, name);
    st->target = from;
    bool ok = parse_where(p, &s->where) && parse_group_by(p, s) && parse_having(p, s) &&
              without_output(p) && parse_order_by(p, s) && parse_limit(p, s);
    s->span = parse_span_from(p, first);
    return ok;
}

static bool parse_on_insert(struct parser *p, struct ast_stmt *st)
{
    bool select = selects_from_window(p);
    parse_skip(p, 1);
    if (!select) {
        return parse_split(p, st);
    }
    struct ast_insert *ins = PARSE_NEW(p, struct ast_insert);
    return ins != NULL && parse_insert_into(p, ins) && parse_on_select(p, st, ins);
}

/* ---- update, delete, set ---- */

static bool parse_update_rest(struct parser *p, struct ast_stmt *st)
{
    return parse_need_kw(p, KW_SET, "and assignments") && parse_sets(p, &st->sets, &st->n_sets) &&
           parse_where(p, &st->where);
}

static bool parse_delete_rest(struct parser *p, struct ast_stmt *st)
{
    return parse_need_kw(p, KW_FROM, "behind 'delete'") && parse_target(p, st) &&
           parse_where(p, &st->where);
}

/* update = "update" "istream" name [ alias ] "set" sets [ where ] | "update" target "set" ... */
bool parse_update(struct parser *p, struct ast_stmt *st)
{
    parse_skip(p, 1);
    if (parse_take_kw(p, KW_ISTREAM)) {
        st->kind = STMT_UPDATE_ISTREAM;
        return parse_type_name(p, &st->name, "the name of a stream") && parse_alias(p, &st->as) &&
               parse_update_rest(p, st);
    }
    st->kind = STMT_FAF_UPDATE;
    return parse_target(p, st) && parse_update_rest(p, st);
}

/* delete = "delete" "from" target [ where ] */
bool parse_delete(struct parser *p, struct ast_stmt *st)
{
    parse_skip(p, 1);
    st->kind = STMT_FAF_DELETE;
    return parse_delete_rest(p, st);
}

static bool parse_on_action(struct parser *p, struct ast_stmt *st)
{
    switch (parse_peek(p, 0)->kw) {
    case KW_MERGE: parse_skip(p, 1); return parse_merge(p, st);
    case KW_SELECT: return parse_on_select(p, st, NULL);
    case KW_INSERT: return parse_on_insert(p, st);
    case KW_DELETE:
        parse_skip(p, 1);
        st->kind = STMT_ON_DELETE;
        return parse_delete_rest(p, st);
    case KW_UPDATE:
        parse_skip(p, 1);
        st->kind = STMT_ON_UPDATE;
        return parse_target(p, st) && parse_update_rest(p, st);
    case KW_SET:
        parse_skip(p, 1);
        st->kind = STMT_ON_SET;
        return parse_sets(p, &st->sets, &st->n_sets);
    default:
        return parse_expected(p, "select, insert, delete, update, merge or set behind the event");
    }
}

/* on = "on" source [ [ "as" ] name ] action */
bool parse_on(struct parser *p, struct ast_stmt *st)
{
    assert(parse_at_kw(p, KW_ON));
    parse_skip(p, 1);
    st->trigger = PARSE_NEW(p, struct ast_stream);
    if (st->trigger == NULL || !parse_source(p, st->trigger) || !parse_alias(p, &st->trigger->as)) {
        return false;
    }
    return parse_on_action(p, st);
}
