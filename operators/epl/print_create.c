/* SPDX-License-Identifier: Apache-2.0
 *
 * create ... as EPL again.
 */
#include "operators/epl/print.h"

#include <assert.h>

/* ---- types and columns ---- */

static void print_type(struct buf *b, const struct ast_type *t)
{
    if (t->agg != NULL) {
        print_expr(b, t->agg);
        return;
    }
    if (slice_eq(t->name, SLICE("null"))) {
        print_text(b, "null");
        return;
    }
    print_dotted(b, t->name);
    if (t->map_value.len > 0) {
        print_text(b, "<");
        print_slice(b, t->map_key);
        print_text(b, t->map_key.len > 0 ? "," : "");
        print_slice(b, t->map_value);
        print_text(b, ">");
    }
    if (t->array) {
        print_text(b, t->primitive ? "[primitive]" : "[]");
        print_text(b, t->array2 ? "[]" : "");
    }
}

static void print_columns(struct buf *b, const struct ast_stmt *s)
{
    print_text(b, "(");
    for (uint32_t i = 0; i < s->n_cols; i++) {
        const struct ast_col *c = &s->cols[i];
        print_text(b, i > 0 ? ", " : "");
        print_name(b, c->name);
        print_text(b, " ");
        print_type(b, &c->type);
        print_text(b, c->primary_key ? " primary key" : "");
        if (c->type.of.len > 0) {
            print_text(b, " @type(");
            print_slice(b, c->type.of);
            print_text(b, ")");
        }
    }
    print_text(b, ")");
}

static void print_types(struct buf *b, const char *word, const struct slice *names, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        print_text(b, i == 0 ? word : ", ");
        if (slice_eq(names[i], SLICE("*"))) {
            print_text(b, "*");
        } else {
            print_dotted(b, names[i]);
        }
    }
}

static void print_schema(struct buf *b, const struct ast_stmt *s)
{
    static const char *const kinds[] = {[SCHEMA_PLAIN] = "",
                                        [SCHEMA_MAP] = "map ",
                                        [SCHEMA_OBJECTARRAY] = "objectarray ",
                                        [SCHEMA_JSON] = "json ",
                                        [SCHEMA_AVRO] = "avro ",
                                        [SCHEMA_XML] = "xml ",
                                        [SCHEMA_VARIANT] = "variant "};
    (void)buf_addf(b, "create %sschema ", kinds[s->schema_kind]);
    print_name(b, s->name);
    if (s->n_variants > 0) {
        print_types(b, " as ", s->variants, s->n_variants);
    } else if (s->class_name.len > 0) {
        print_text(b, " as ");
        print_dotted(b, s->class_name);
    } else {
        print_columns(b, s);
    }
    print_types(b, " inherits ", s->inherits, s->n_inherits);
    if (s->start_col.len > 0) {
        print_text(b, " starttimestamp ");
        print_prop(b, s->start_col);
    }
    if (s->end_col.len > 0) {
        print_text(b, " endtimestamp ");
        print_prop(b, s->end_col);
    }
    print_types(b, " copyfrom ", s->copyfrom, s->n_copyfrom);
}

static void print_window(struct buf *b, const struct ast_stmt *s)
{
    print_text(b, "create window ");
    print_name(b, s->name);
    print_views(b, &s->window);
    print_text(b, s->window.retain_union ? " retain-union" : "");
    print_text(b, s->window.retain_intersection ? " retain-intersection" : "");
    print_text(b, " as ");
    if (s->as_select != NULL) {
        print_select(b, s->as_select);
    } else if (s->class_name.len > 0) {
        print_dotted(b, s->class_name);
    } else {
        print_columns(b, s);
    }
    print_text(b, s->insert_from ? " insert" : "");
    print_clause(b, "where", s->insert_where);
}

static void print_index(struct buf *b, const struct ast_stmt *s)
{
    print_text(b, s->unique ? "create unique index " : "create index ");
    print_name(b, s->name);
    print_text(b, " on ");
    print_name(b, s->index_on);
    print_text(b, " (");
    for (uint32_t i = 0; i < s->n_index_cols; i++) {
        print_text(b, i > 0 ? ", " : "");
        print_prop(b, s->index_cols[i].name);
        if (s->index_cols[i].e != NULL) {
            print_text(b, " ");
            print_expr(b, s->index_cols[i].e);
        }
    }
    print_text(b, ")");
}

/* ---- contexts ---- */

static void print_point(struct buf *b, const struct ast_point *pt)
{
    if (pt->kind == POINT_NOW || pt->kind == POINT_NOW_AND) {
        print_text(b, pt->kind == POINT_NOW ? "@now" : "@now and ");
    }
    if (pt->pattern != NULL) {
        print_text(b, "pattern [");
        print_pattern(b, pt->pattern);
        print_text(b, pt->inclusive ? "] @inclusive" : "]");
    } else if (pt->n_at > 0) {
        print_cron(b, pt->at, pt->n_at);
    } else if (pt->after != NULL) {
        print_text(b, "after ");
        print_expr(b, pt->after);
    } else if (pt->stream != NULL) {
        print_filter(b, pt->stream);
    }
    print_alias(b, pt->as);
}

static void print_points(struct buf *b, const char *word, const struct ast_context *c)
{
    for (uint32_t i = 0; i < c->n_start; i++) {
        print_text(b, i == 0 ? word : ", ");
        if (i == 0 && c->n_distinct > 0) {
            print_text(b, "distinct(");
            print_exprs(b, c->distinct, c->n_distinct);
            print_text(b, ") ");
        }
        print_point(b, &c->start[i]);
    }
}

static void print_end(struct buf *b, const char *word, const struct ast_context *c)
{
    if (c->end.kind != POINT_NONE) {
        print_text(b, word);
        print_point(b, &c->end);
    }
}

static void print_ctx_streams(struct buf *b, const char *word, const struct ast_context *c)
{
    for (uint32_t i = 0; i < c->n_streams; i++) {
        const struct ast_ctx_stream *s = &c->streams[i];
        print_text(b, i == 0 ? word : ", ");
        for (uint32_t k = 0; k < s->n_keys; k++) {
            print_text(b, k > 0 ? " and " : "");
            print_expr(b, s->keys[k]);
        }
        print_text(b, " from ");
        print_filter(b, &s->stream);
        print_alias(b, s->stream.as);
    }
}

static void print_categories(struct buf *b, const struct ast_context *c)
{
    for (uint32_t i = 0; i < c->n_categories; i++) {
        print_text(b, i == 0 ? "group by " : ", group by ");
        print_expr(b, c->categories[i].cond);
        print_text(b, " as ");
        print_name(b, c->categories[i].label);
    }
    print_text(b, " from ");
    print_filter(b, &c->streams[0].stream);
}

static void print_context(struct buf *b, const struct ast_context *c)
{
    print_text(b, "context ");
    print_name(b, c->name);
    print_text(b, " ");
    switch (c->kind) {
    case CTX_KEYED:
        print_ctx_streams(b, "partition by ", c);
        print_points(b, " initiated by ", c);
        print_end(b, " terminated by ", c);
        break;
    case CTX_HASH:
        print_ctx_streams(b, "coalesce by ", c);
        print_clause(b, "granularity", c->granularity);
        print_text(b, c->preallocate ? " preallocate" : "");
        break;
    case CTX_CATEGORY: print_categories(b, c); break;
    case CTX_START_END:
        print_points(b, "start ", c);
        print_end(b, " end ", c);
        break;
    case CTX_INIT_TERM:
        print_points(b, "initiated by ", c);
        print_end(b, " terminated by ", c);
        break;
    case CTX_NESTED:
        for (uint32_t i = 0; i < c->n_nested; i++) {
            print_text(b, i > 0 ? ", " : "");
            print_context(b, &c->nested[i]);
        }
        break;
    }
}

static void print_variable(struct buf *b, const struct ast_stmt *s)
{
    print_text(b, s->constant ? "create constant variable " : "create variable ");
    print_type(b, &s->type);
    print_text(b, " ");
    print_name(b, s->name);
    print_clause(b, "=", s->init);
}

void print_create(struct buf *b, const struct ast_stmt *s)
{
    switch (s->kind) {
    case STMT_CREATE_SCHEMA: print_schema(b, s); break;
    case STMT_CREATE_WINDOW: print_window(b, s); break;
    case STMT_CREATE_TABLE:
        print_text(b, "create table ");
        print_name(b, s->name);
        print_text(b, " ");
        print_columns(b, s);
        break;
    case STMT_CREATE_VARIABLE: print_variable(b, s); break;
    case STMT_CREATE_CONTEXT:
        print_text(b, "create ");
        print_context(b, s->ctx);
        break;
    case STMT_CREATE_EXPRESSION:
        print_text(b, "create ");
        print_decl(b, &s->decl);
        break;
    default:
        assert(s->kind == STMT_CREATE_INDEX);
        print_index(b, s);
        break;
    }
}
