/* SPDX-License-Identifier: Apache-2.0
 *
 * create schema, window, table, variable, expression, index. Contexts are in parse_context.c.
 */
#include "operators/epl/parse.h"

#include <assert.h>

/* ---- types of columns ---- */

/* type-param = type [ "<" type-param { "," type-param } ">" ], kept as text */
static bool parse_type_param(struct parser *p, struct slice *ret)
{
    const struct token *first = parse_peek(p, 0);
    struct slice inner;
    bool ok = parse_enter(p) && parse_type_name(p, ret, "a type");
    if (ok && parse_take(p, TOK_LT)) {
        do {
            ok = parse_type_param(p, &inner);
        } while (ok && parse_take(p, TOK_COMMA));
        ok = ok && parse_need(p, TOK_GT, "to end the types");
        struct span span = parse_span_from(p, first);
        *ret = slice_sub(p->text, span.off, span.off + span.len);
    }
    parse_leave(p);
    return ok;
}

/* "<" key "," value ">" | "<" value ">" */
static bool parse_generic(struct parser *p, struct ast_type *t)
{
    if (!parse_take(p, TOK_LT)) {
        return true;
    }
    if (!parse_type_param(p, &t->map_value)) {
        return false;
    }
    if (parse_take(p, TOK_COMMA)) {
        t->map_key = t->map_value;
        if (!parse_type_param(p, &t->map_value)) {
            return false;
        }
    }
    return parse_need(p, TOK_GT, "to end the types");
}

/* dims = { "[" [ "primitive" ] "]" } */
static bool parse_dims(struct parser *p, struct ast_type *t)
{
    while (parse_at(p, TOK_LBRACK)) {
        const struct token *open = parse_peek(p, 0);
        if (t->array2) {
            return parse_unsupported(p, open, "an array of more than two dimensions is");
        }
        t->array2 = t->array;
        t->array = true;
        parse_skip(p, 1);
        if (parse_take_word(p, "primitive")) {
            t->primitive = true;
        }
        if (!parse_close(p, TOK_RBRACK, open)) {
            return false;
        }
    }
    return true;
}

/* type = name { "." name } [ generic ] dims */
static bool parse_type(struct parser *p, struct ast_type *t)
{
    const struct token *first = parse_peek(p, 0);
    bool ok = parse_type_name(p, &t->name, "a type") && parse_generic(p, t) && parse_dims(p, t);
    t->span = parse_span_from(p, first);
    return ok;
}

/* column = name type */
static bool parse_column(struct parser *p, struct ast_col *c)
{
    const struct token *first = parse_peek(p, 0);
    if (parse_is_type(first)) {
        c->name = first->text;
        parse_skip(p, 1);
    } else if (!parse_decl_name(p, &c->name, "the name of a column")) {
        return false;
    }
    if (parse_take_kw(p, KW_NULL)) {
        c->type.name = SLICE("null");
    } else if (!parse_type(p, &c->type)) {
        return false;
    }
    c->span = parse_span_from(p, first);
    return true;
}

/* columns = "(" [ column { "," column } ] ")" */
static bool parse_columns(struct parser *p, struct ast_stmt *st)
{
    const struct token *open = parse_peek(p, 0);
    if (!parse_need(p, TOK_LPAREN, "before the columns")) {
        return false;
    }
    if (parse_take(p, TOK_RPAREN)) {
        return true;
    }
    do {
        struct ast_col *c = PARSE_PUSH(p, st->cols, st->n_cols);
        if (c == NULL || !parse_column(p, c)) {
            return false;
        }
    } while (parse_take(p, TOK_COMMA));
    return parse_close(p, TOK_RPAREN, open);
}

/* ---- schema ---- */

static bool parse_type_list(struct parser *p, struct slice **ret, uint32_t *ret_n)
{
    do {
        struct slice *name = PARSE_PUSH(p, *ret, *ret_n);
        if (name == NULL || !parse_type_name(p, name, "the name of a schema")) {
            return false;
        }
    } while (parse_take(p, TOK_COMMA));
    return true;
}

/* qualifiers = { "inherits" types | "copyfrom" types | "starttimestamp" name |
 *                "endtimestamp" name } */
static bool parse_qualifiers(struct parser *p, struct ast_stmt *st)
{
    for (;;) {
        bool ok = true;
        if (parse_take_word(p, "inherits")) {
            ok = parse_type_list(p, &st->inherits, &st->n_inherits);
        } else if (parse_take_word(p, "copyfrom")) {
            ok = parse_type_list(p, &st->copyfrom, &st->n_copyfrom);
        } else if (parse_take_word(p, "starttimestamp")) {
            ok = parse_prop_name(p, &st->start_col, "the column of the start");
        } else if (parse_take_word(p, "endtimestamp")) {
            ok = parse_prop_name(p, &st->end_col, "the column of the end");
        } else {
            return true;
        }
        if (!ok) {
            return false;
        }
    }
}

/* variants = ( type | "*" ) { "," ( type | "*" ) } */
static bool parse_variants(struct parser *p, struct ast_stmt *st)
{
    do {
        struct slice *name = PARSE_PUSH(p, st->variants, st->n_variants);
        if (name == NULL) {
            return false;
        }
        if (parse_take(p, TOK_STAR)) {
            *name = SLICE("*");
        } else if (!parse_type_name(p, name, "the name of a schema")) {
            return false;
        }
    } while (parse_take(p, TOK_COMMA));
    return true;
}

/* schema = "schema" name [ "as" ] ( columns | class | variants ) qualifiers */
static bool parse_schema(struct parser *p, struct ast_stmt *st)
{
    st->kind = STMT_CREATE_SCHEMA;
    if (!parse_decl_name(p, &st->name, "the name of the schema")) {
        return false;
    }
    bool as = parse_take_kw(p, KW_AS);
    if (st->schema_kind == SCHEMA_VARIANT) {
        return parse_variants(p, st) && parse_qualifiers(p, st);
    }
    if (parse_at(p, TOK_LPAREN)) {
        return parse_columns(p, st) && parse_qualifiers(p, st);
    }
    if (!as && !parse_is_type(parse_peek(p, 0))) {
        return parse_expected(p, "'(' before the columns");
    }
    if (parse_at_word(p, "inherits") && parse_is_type(parse_peek(p, 1))) {
        return parse_expected(p, "'(' before the columns, or '()' for none");
    }
    return parse_type_name(p, &st->class_name, "'(' or the name of a class") &&
           parse_qualifiers(p, st);
}

/* ---- window ---- */

/* as-select = "select" items "from" type */
static bool parse_as_select(struct parser *p, struct ast_stmt *st)
{
    struct ast_select *s = st->as_select = PARSE_NEW(p, struct ast_select);
    const struct token *first = parse_peek(p, 0);
    parse_skip(p, 1);
    if (s == NULL || !parse_items(p, &s->items, &s->n_items) ||
        !parse_need_kw(p, KW_FROM, "behind the columns")) {
        return false;
    }
    struct ast_stream *from = PARSE_PUSH(p, s->from, s->n_from);
    const struct token *type = parse_peek(p, 0);
    if (from == NULL || !parse_type_name(p, &from->type, "the name of a schema")) {
        return false;
    }
    from->span = parse_span_from(p, type);
    s->span = parse_span_from(p, first);
    return true;
}

/* window = "window" name views retain [ "as" ] ( columns | as-select | type )
 *          [ "insert" [ where ] ] */
static bool parse_window(struct parser *p, struct ast_stmt *st)
{
    const struct token *first = parse_peek(p, 0);
    st->kind = STMT_CREATE_WINDOW;
    if (!parse_decl_name(p, &st->name, "the name of the window")) {
        return false;
    }
    p->no_column_list = true;
    bool ok = parse_views(p, &st->window) && parse_retain(p, &st->window);
    p->no_column_list = false;
    st->window.span = parse_span_from(p, first);
    if (!ok) {
        return false;
    }
    (void)parse_take_kw(p, KW_AS);
    if (parse_at(p, TOK_LPAREN)) {
        ok = parse_columns(p, st);
    } else if (parse_at_kw(p, KW_SELECT)) {
        ok = parse_as_select(p, st);
    } else {
        ok = parse_type_name(p, &st->class_name, "the columns or the type of the window");
    }
    if (ok && parse_take_kw(p, KW_INSERT)) {
        st->insert_from = true;
        ok = parse_where(p, &st->insert_where);
    }
    return ok;
}

/* ---- table ---- */

static bool is_type_word(struct slice name)
{
    static const char *const words[] = {"int",    "integer", "long",       "double",     "float",
                                        "short",  "byte",    "char",       "character",  "boolean",
                                        "string", "bool",    "bigdecimal", "biginteger", "object"};
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (slice_eq_nocase(name, slice_str(words[i]))) {
            return true;
        }
    }
    return false;
}

/* `double` in sum(double) was read as a property. */
static void name_types(struct parser *p, struct ast_expr *call)
{
    struct ast_seg *seg = &call->segs[call->n_segs - 1];
    for (uint32_t i = 0; i < seg->n_args; i++) {
        struct ast_expr *arg = seg->args[i];
        bool plain = arg->kind == AST_CHAIN && arg->n_args == 0;
        for (uint32_t k = 0; plain && k < arg->n_segs; k++) {
            plain = !arg->segs[k].is_call && !arg->segs[k].has_index;
        }
        if (plain && (arg->n_segs == 1 ? is_type_word(arg->segs[0].name)
                                       : slice_eq(arg->segs[0].name, SLICE("java")))) {
            arg->kind = AST_TYPE_NAME;
            arg->text = slice_sub(p->text, arg->span.off, arg->span.off + arg->span.len);
            arg->segs = NULL;
            arg->n_segs = 0;
        }
    }
}

/* agg-column = name "(" ... ")" */
static bool parse_agg_type(struct parser *p, struct ast_type *t)
{
    const struct token *first = parse_peek(p, 0);
    t->agg = parse_chain(p);
    if (t->agg == NULL) {
        return false;
    }
    name_types(p, t->agg);
    t->span = parse_span_from(p, first);
    return true;
}

/* marks = { "primary" "key" | "@type" "(" type ")" | annotation } */
static bool parse_col_marks(struct parser *p, struct ast_col *c)
{
    for (;;) {
        if (parse_take_word(p, "primary")) {
            c->primary_key = true;
            if (!parse_take_word(p, "key")) {
                return parse_expected(p, "'key' behind 'primary'");
            }
        } else if (parse_at(p, TOK_AT)) {
            struct ast_annot *annots = NULL;
            uint32_t n = 0;
            if (!parse_annots(p, &annots, &n)) {
                return false;
            }
            for (uint32_t i = 0; i < n; i++) {
                if (slice_eq_nocase(annots[i].name, SLICE("type")) && annots[i].n_values == 1) {
                    struct span span = annots[i].values[0].e->span;
                    c->type.of = slice_sub(p->text, span.off, span.off + span.len);
                }
            }
        } else {
            return true;
        }
    }
}

/* table-column = name ( type | agg-column ) marks */
static bool parse_table_column(struct parser *p, struct ast_col *c)
{
    const struct token *first = parse_peek(p, 0);
    if (!parse_decl_name(p, &c->name, "the name of a column")) {
        return false;
    }
    bool agg = parse_at(p, TOK_WORD) && parse_peek(p, 1)->kind == TOK_LPAREN;
    if (!(agg ? parse_agg_type(p, &c->type) : parse_type(p, &c->type)) || !parse_col_marks(p, c)) {
        return false;
    }
    c->span = parse_span_from(p, first);
    return true;
}

/* table = "table" name [ "as" ] "(" table-column { "," table-column } ")" */
static bool parse_table(struct parser *p, struct ast_stmt *st)
{
    st->kind = STMT_CREATE_TABLE;
    if (!parse_decl_name(p, &st->name, "the name of the table")) {
        return false;
    }
    (void)parse_take_kw(p, KW_AS);
    const struct token *open = parse_peek(p, 0);
    if (!parse_need(p, TOK_LPAREN, "before the columns")) {
        return false;
    }
    do {
        struct ast_col *c = PARSE_PUSH(p, st->cols, st->n_cols);
        if (c == NULL || !parse_table_column(p, c)) {
            return false;
        }
    } while (parse_take(p, TOK_COMMA));
    return parse_close(p, TOK_RPAREN, open);
}

/* ---- variable, expression, index ---- */

/* variable = [ "constant" ] "variable" type name [ "=" expr ] */
static bool parse_variable(struct parser *p, struct ast_stmt *st)
{
    st->kind = STMT_CREATE_VARIABLE;
    if (!parse_type(p, &st->type) || !parse_decl_name(p, &st->name, "the name of the variable")) {
        return false;
    }
    if (parse_take(p, TOK_EQ)) {
        st->init = parse_expr(p);
        return st->init != NULL;
    }
    return true;
}

/* index-column = name [ "hash" | "btree" ] */
static bool parse_index_column(struct parser *p, struct ast_named *c)
{
    const struct token *first = parse_peek(p, 0);
    if (parse_at(p, TOK_LPAREN) || parse_peek(p, 1)->kind == TOK_LPAREN) {
        return parse_unsupported(p, first, "an index on an expression is");
    }
    if (!parse_prop_name(p, &c->name, "the name of a column")) {
        return false;
    }
    if (parse_at_word(p, "hash") || parse_at_word(p, "btree")) {
        const struct token *t = parse_peek(p, 0);
        c->e = parse_node(p, AST_TYPE_NAME, t);
        if (c->e == NULL) {
            return false;
        }
        c->e->text = t->text;
        parse_skip(p, 1);
    }
    c->span = parse_span_from(p, first);
    return true;
}

/* index = [ "unique" ] "index" name "on" name "(" index-column { "," index-column } ")" */
static bool parse_create_index(struct parser *p, struct ast_stmt *st)
{
    st->kind = STMT_CREATE_INDEX;
    if (!parse_decl_name(p, &st->name, "the name of the index") ||
        !parse_need_kw(p, KW_ON, "behind the name of the index") ||
        !parse_decl_name(p, &st->index_on, "the name of a window or table")) {
        return false;
    }
    const struct token *open = parse_peek(p, 0);
    if (!parse_need(p, TOK_LPAREN, "before the columns")) {
        return false;
    }
    do {
        struct ast_named *c = PARSE_PUSH(p, st->index_cols, st->n_index_cols);
        if (c == NULL || !parse_index_column(p, c)) {
            return false;
        }
    } while (parse_take(p, TOK_COMMA));
    return parse_close(p, TOK_RPAREN, open);
}

static bool parse_create_expression(struct parser *p, struct ast_stmt *st)
{
    st->kind = STMT_CREATE_EXPRESSION;
    bool ok = parse_decl(p, &st->decl);
    st->name = st->decl.name;
    return ok;
}

/* ---- create ---- */

static void take_modifier(struct parser *p, struct ast_stmt *st)
{
    static const struct {
        const char *word;
        enum ast_schema_kind kind;
    } kinds[] = {{"map", SCHEMA_MAP},   {"objectarray", SCHEMA_OBJECTARRAY},
                 {"json", SCHEMA_JSON}, {"avro", SCHEMA_AVRO},
                 {"xml", SCHEMA_XML},   {"variant", SCHEMA_VARIANT}};
    if (parse_peek(p, 1)->kw == KW_SCHEMA) {
        for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
            if (parse_take_word(p, kinds[i].word)) {
                st->schema_kind = kinds[i].kind;
                return;
            }
        }
    }
    if (parse_peek(p, 1)->kw == KW_VARIABLE) {
        st->constant = parse_take_word(p, "constant");
    }
    if (parse_peek(p, 1)->kw == KW_INDEX) {
        st->unique = parse_take_word(p, "unique");
    }
}

/* create = "create" ( [ kind ] schema | window | table | variable | context | expression | index )
 */
bool parse_create(struct parser *p, struct ast_stmt *st)
{
    assert(parse_at_kw(p, KW_CREATE));
    parse_skip(p, 1);
    take_modifier(p, st);
    const struct token *t = parse_peek(p, 0);
    switch (t->kw) {
    case KW_SCHEMA: parse_skip(p, 1); return parse_schema(p, st);
    case KW_WINDOW: parse_skip(p, 1); return parse_window(p, st);
    case KW_TABLE: parse_skip(p, 1); return parse_table(p, st);
    case KW_VARIABLE: parse_skip(p, 1); return parse_variable(p, st);
    case KW_CONTEXT: parse_skip(p, 1); return parse_create_context(p, st);
    case KW_EXPRESSION: parse_skip(p, 1); return parse_create_expression(p, st);
    case KW_INDEX: parse_skip(p, 1); return parse_create_index(p, st);
    case KW_DATAFLOW: return parse_unsupported(p, t, "create dataflow is");
    case KW_INLINED_CLASS: return parse_unsupported(p, t, "create inlined_class is");
    default:
        return parse_expected(p, "schema, window, table, variable, context, expression or index "
                                 "behind 'create'");
    }
}
