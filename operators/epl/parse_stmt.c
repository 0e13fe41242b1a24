/* SPDX-License-Identifier: Apache-2.0
 *
 * Modules, statements and what stands before them: annotations, declared expressions, `context X`.
 */
#include "operators/epl/parse.h"

#include <assert.h>

/* ---- annotations ---- */

static struct ast_expr *parse_annot_value(struct parser *p);

/* array = "{" [ value { "," value } [ "," ] ] "}" */
static struct ast_expr *parse_annot_array(struct parser *p)
{
    const struct token *open = parse_peek(p, 0);
    struct ast_expr *e = parse_node(p, AST_ARRAY, open);
    parse_skip(p, 1);
    while (e != NULL && !parse_at(p, TOK_RCURLY)) {
        if (!parse_add_arg(p, e, parse_annot_value(p))) {
            return NULL;
        }
        if (!parse_take(p, TOK_COMMA)) {
            break;
        }
    }
    return e != NULL && parse_close(p, TOK_RCURLY, open) ? parse_end(p, e, open) : NULL;
}

/* value = constant | array | name { "." name } */
static struct ast_expr *parse_annot_value(struct parser *p)
{
    const struct token *t = parse_peek(p, 0);
    struct ast_expr *e = NULL;
    if (!parse_enter(p)) {
        e = NULL;
    } else if (t->kind == TOK_LCURLY) {
        e = parse_annot_array(p);
    } else if (t->kind == TOK_AT) {
        (void)parse_unsupported(p, t, "an annotation inside an annotation is");
    } else if (t->kind == TOK_WORD || t->kind == TOK_STRING || t->kind == TOK_MINUS ||
               (t->kind >= TOK_INT && t->kind <= TOK_DOUBLE)) {
        e = parse_unary(p);
    } else {
        (void)parse_expected(p, "the value of an annotation");
    }
    parse_leave(p);
    return e;
}

/* annotation = "@" name { "." name } [ "(" [ [ name "=" ] value { "," ... } ] ")" ] */
static bool parse_annot(struct parser *p, struct ast_annot *a)
{
    const struct token *first = parse_peek(p, 0);
    parse_skip(p, 1);
    if (!parse_at(p, TOK_WORD)) {
        return parse_expected(p, "the name of an annotation behind '@'");
    }
    if (parse_peek(p, 1)->kind == TOK_DOT) {
        if (!parse_type_name(p, &a->name, "the name of an annotation")) {
            return false;
        }
    } else {
        a->name = parse_peek(p, 0)->text;
        parse_skip(p, 1);
    }
    const struct token *open = parse_peek(p, 0);
    if (parse_take(p, TOK_LPAREN)) {
        while (!parse_at(p, TOK_RPAREN)) {
            struct ast_named *v = PARSE_PUSH(p, a->values, a->n_values);
            if (v == NULL) {
                return false;
            }
            if (parse_at(p, TOK_WORD) && parse_peek(p, 1)->kind == TOK_EQ) {
                v->name = parse_peek(p, 0)->text;
                parse_skip(p, 2);
            }
            v->span = parse_peek(p, 0)->span;
            if ((v->e = parse_annot_value(p)) == NULL) {
                return false;
            }
            if (!parse_take(p, TOK_COMMA)) {
                break;
            }
        }
        if (!parse_close(p, TOK_RPAREN, open)) {
            return false;
        }
    }
    a->span = parse_span_from(p, first);
    return true;
}

bool parse_annots(struct parser *p, struct ast_annot **ret, uint32_t *ret_n)
{
    while (parse_at(p, TOK_AT)) {
        struct ast_annot *a = PARSE_PUSH(p, *ret, *ret_n);
        if (a == NULL || !parse_annot(p, a)) {
            return false;
        }
    }
    return true;
}

/* ---- declared expressions ---- */

/* body = "{" ( lambda | expr ) "}" */
static bool parse_decl_body(struct parser *p, struct ast_decl *d)
{
    const struct token *open = parse_peek(p, 0);
    if (open->kind == TOK_LBRACK) {
        return parse_unsupported(p, open, "a script is");
    }
    if (!parse_need(p, TOK_LCURLY, "before the body of the expression")) {
        return false;
    }
    if (parse_at_lambda(p)) {
        struct ast_expr *lambda = parse_lambda(p);
        if (lambda == NULL) {
            return false;
        }
        d->params = lambda->names;
        d->n_params = lambda->n_names;
        d->body = lambda->args[0];
    } else if (parse_peek(p, 0)->kind == TOK_LPAREN && parse_peek(p, 1)->kind == TOK_RPAREN &&
               parse_peek(p, 2)->kind == TOK_GOES) {
        parse_skip(p, 3);
        d->body = parse_expr(p);
    } else {
        d->body = parse_expr(p);
    }
    return d->body != NULL && parse_close(p, TOK_RCURLY, open);
}

/* decl = "expression" [ type ] name [ "alias" "for" ] body */
bool parse_decl(struct parser *p, struct ast_decl *d)
{
    const struct token *first = parse_peek(p, 0);
    struct slice type;
    bool typed = parse_peek(p, 1)->kind == TOK_DOT ||
                 (parse_is_decl(parse_peek(p, 1)) &&
                  !slice_eq_nocase(parse_peek(p, 1)->text, SLICE("alias")));
    if (typed && parse_is_decl(first) && !parse_type_name(p, &type, "a type")) {
        return false;
    }
    if (parse_peek(p, 1)->kind == TOK_COLON) {
        return parse_unsupported(p, first, "a script is");
    }
    if (!parse_decl_name(p, &d->name, "the name of the expression")) {
        return false;
    }
    if (parse_at(p, TOK_LPAREN)) {
        return parse_unsupported(p, parse_peek(p, 0), "a script is");
    }
    if (parse_take_word(p, "alias")) {
        d->alias = true;
        if (!parse_need_kw(p, KW_FOR, "behind 'alias'")) {
            return false;
        }
    }
    bool ok = parse_decl_body(p, d);
    d->span = parse_span_from(p, first);
    return ok;
}

/* ---- statements ---- */

/* { annotation | "expression" decl } [ "context" name ] */
static bool parse_preamble(struct parser *p, struct ast_stmt *st)
{
    for (;;) {
        if (parse_at(p, TOK_AT)) {
            if (!parse_annots(p, &st->annots, &st->n_annots)) {
                return false;
            }
        } else if (parse_take_kw(p, KW_EXPRESSION)) {
            struct ast_decl *d = PARSE_PUSH(p, st->decls, st->n_decls);
            if (d == NULL || !parse_decl(p, d)) {
                return false;
            }
        } else {
            break;
        }
    }
    if (parse_take_kw(p, KW_CONTEXT)) {
        return parse_decl_name(p, &st->context, "the name of a context");
    }
    return true;
}

/* A query may not do all that a module may, and the other way round. */
static bool check_place(struct parser *p, const struct ast_stmt *st, const struct token *first)
{
    bool faf =
        st->kind == STMT_FAF_INSERT || st->kind == STMT_FAF_UPDATE || st->kind == STMT_FAF_DELETE;
    if (p->on_demand && !faf && st->kind != STMT_SELECT) {
        return parse_fail(p, first, ERR_SYNTAX,
                          "an on-demand query selects, inserts, updates or deletes");
    }
    if (!p->on_demand && faf) {
        return parse_fail(p, first, ERR_SYNTAX,
                          "this is an on-demand query; a statement of a module says 'on' which "
                          "event it acts");
    }
    return true;
}

static bool parse_stmt_body(struct parser *p, struct ast_stmt *st)
{
    const struct token *t = parse_peek(p, 0);
    switch (t->kw) {
    case KW_SELECT:
    case KW_INSERT:
    case KW_INTO: return parse_select_stmt(p, st);
    case KW_CREATE: return parse_create(p, st);
    case KW_ON: return parse_on(p, st);
    case KW_UPDATE: return parse_update(p, st);
    case KW_DELETE: return parse_delete(p, st);
    default:
        return parse_expected(p, p->on_demand ? "a query: select, insert, update or delete"
                                              : "a statement: select, insert, create, on, ...");
    }
}

/* stmt = preamble ( select-stmt | create | on | update | delete ) */
struct ast_stmt *parse_stmt(struct parser *p)
{
    struct ast_stmt *st = PARSE_NEW(p, struct ast_stmt);
    const struct token *first = parse_peek(p, 0);
    p->n_subqueries = 0;
    if (st == NULL || !parse_preamble(p, st)) {
        return NULL;
    }
    const struct token *body = parse_peek(p, 0);
    if (!parse_stmt_body(p, st) || !check_place(p, st, body)) {
        return NULL;
    }
    if (parse_at_kw(p, KW_FOR)) {
        (void)parse_unsupported(p, parse_peek(p, 0), "'for grouped_delivery' and the like are");
        return NULL;
    }
    st->span = parse_span_from(p, first);
    return st;
}

/* ---- modules ---- */

/* header = "module" name ";" | "uses" name ";" | "import" name ";" */
static bool parse_header(struct parser *p, struct ast_module *m)
{
    struct slice ignored = SLICE_NONE;
    if (parse_take_word(p, "module")) {
        return parse_type_name(p, &m->name, "the name of the module");
    }
    if (parse_take_word(p, "uses")) {
        struct slice *name = PARSE_PUSH(p, m->uses, m->n_uses);
        return name != NULL && parse_type_name(p, name, "the name of a module");
    }
    (void)parse_take_word(p, "import"); /* of classes: there are none to find */
    if (!parse_type_name(p, &ignored, "the name of a class or package")) {
        return false;
    }
    if (parse_at(p, TOK_DOT) && parse_peek(p, 1)->kind == TOK_STAR) {
        parse_skip(p, 2);
    }
    return true;
}

static bool at_header(const struct parser *p)
{
    return parse_is_decl(parse_peek(p, 1)) &&
           (parse_at_word(p, "module") || parse_at_word(p, "uses") || parse_at_word(p, "import"));
}

/* module = { [ header | stmt ] ";" } */
bool parse_module(struct parser *p, struct ast_module *m)
{
    while (!parse_at(p, TOK_END)) {
        if (parse_take(p, TOK_SEMI)) {
            continue;
        }
        if (at_header(p)) {
            if (!parse_header(p, m)) {
                return false;
            }
        } else {
            struct ast_stmt *st = parse_stmt(p);
            struct ast_stmt **slot = st != NULL ? PARSE_PUSH(p, m->stmts, m->n_stmts) : NULL;
            if (slot == NULL) {
                return false;
            }
            *slot = st;
            if (p->pause != NULL) {
                p->pause->take(p->pause->arg);
            }
        }
        if (!parse_at(p, TOK_END) && !parse_need(p, TOK_SEMI, "or a further clause")) {
            return false;
        }
    }
    return true;
}
