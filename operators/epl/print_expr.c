/* SPDX-License-Identifier: Apache-2.0
 *
 * Expressions as EPL again. Brackets stand where they stood (`paren`), so the tree comes back as
 * it was and precedence need not be known here.
 */
#include "operators/epl/print.h"

#include <assert.h>

void print_exprs(struct buf *b, struct ast_expr *const *args, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        print_text(b, i > 0 ? ", " : "");
        print_expr(b, args[i]);
    }
}

void print_clause(struct buf *b, const char *word, const struct ast_expr *e)
{
    if (e != NULL) {
        print_text(b, " ");
        print_text(b, word);
        print_text(b, " ");
        print_expr(b, e);
    }
}

static void print_seg(struct buf *b, const struct ast_seg *seg, bool first)
{
    if (first) {
        print_call_name(b, seg->name);
    } else if (seg->name.len > 0) {
        print_text(b, ".");
        print_prop(b, seg->name);
    }
    if (seg->is_call) {
        print_text(b, seg->distinct ? "(distinct " : "(");
        print_text(b, seg->star ? (seg->n_args > 0 ? "*, " : "*") : "");
        print_exprs(b, seg->args, seg->n_args);
        print_text(b, ")");
    } else if (seg->has_index) {
        print_text(b, "[");
        print_exprs(b, seg->args, seg->n_args);
        print_text(b, "]");
    } else if (seg->star) {
        print_text(b, ".*");
    }
    print_text(b, seg->optional ? "?" : "");
}

static void print_chain(struct buf *b, const struct ast_expr *e)
{
    if (e->n_args > 0) {
        print_expr(b, e->args[0]);
    }
    for (uint32_t i = 0; i < e->n_segs; i++) {
        print_seg(b, &e->segs[i], i == 0 && e->n_args == 0);
    }
}

static void print_binary(struct buf *b, const struct ast_expr *e)
{
    for (uint32_t i = 0; i < e->n_args; i++) {
        if (i > 0) {
            print_text(b, " ");
            print_text(b, ast_op_text(e->op));
            print_text(b, " ");
        }
        print_expr(b, e->args[i]);
    }
}

static void print_subquery(struct buf *b, const struct ast_select *s)
{
    print_text(b, "(");
    print_select(b, s);
    print_text(b, ")");
}

/* x [not] between, in, like, regexp, is null */
static void print_test(struct buf *b, const struct ast_expr *e)
{
    const char *no = e->negated ? " not" : "";
    print_expr(b, e->args[0]);
    switch (e->kind) {
    case AST_BETWEEN:
        (void)buf_addf(b, "%s between ", no);
        print_expr(b, e->args[1]);
        print_text(b, " and ");
        print_expr(b, e->args[2]);
        break;
    case AST_IN_LIST:
        (void)buf_addf(b, "%s in (", no);
        print_exprs(b, e->args + 1, e->n_args - 1);
        print_text(b, ")");
        break;
    case AST_IN_RANGE:
        (void)buf_addf(b, "%s in %s", no, e->low_open ? "(" : "[");
        print_expr(b, e->args[1]);
        print_text(b, ":");
        print_expr(b, e->args[2]);
        print_text(b, e->high_open ? ")" : "]");
        break;
    case AST_IN_QUERY:
        (void)buf_addf(b, "%s in ", no);
        print_subquery(b, e->select);
        break;
    case AST_LIKE:
        (void)buf_addf(b, "%s like ", no);
        print_expr(b, e->args[1]);
        print_clause(b, "escape", e->n_args > 2 ? e->args[2] : NULL);
        break;
    case AST_REGEXP:
        (void)buf_addf(b, "%s regexp ", no);
        print_expr(b, e->args[1]);
        break;
    default: print_text(b, e->negated ? " is not null" : " is null"); break;
    }
}

static void print_case(struct buf *b, const struct ast_expr *e)
{
    uint32_t i = 0;
    print_text(b, "case");
    if (e->kind == AST_CASE_VALUE) {
        print_text(b, " ");
        print_expr(b, e->args[i++]);
    }
    for (; i + 1 < e->n_args; i += 2) {
        print_clause(b, "when", e->args[i]);
        print_clause(b, "then", e->args[i + 1]);
    }
    print_clause(b, "else", i < e->n_args ? e->args[i] : NULL);
    print_text(b, " end");
}

static void print_quant(struct buf *b, const struct ast_expr *e)
{
    print_expr(b, e->args[0]);
    (void)buf_addf(b, " %s %s ", ast_op_text(e->op), e->quant == 1 ? "all" : "any");
    if (e->select != NULL) {
        print_subquery(b, e->select);
        return;
    }
    print_text(b, "(");
    print_exprs(b, e->args + 1, e->n_args - 1);
    print_text(b, ")");
}

static void print_new(struct buf *b, const struct ast_expr *e)
{
    print_text(b, "new {");
    for (uint32_t i = 0; i < e->n_named; i++) {
        const struct ast_named *n = &e->named[i];
        const struct ast_expr *v = n->e;
        bool same = v->kind == AST_CHAIN && !v->paren && v->n_args == 0 && v->n_segs > 0 &&
                    slice_eq(v->segs[v->n_segs - 1].name, n->name);
        print_text(b, i > 0 ? ", " : "");
        if (!same) {
            print_prop(b, n->name);
            print_text(b, " = ");
        }
        print_expr(b, v);
    }
    print_text(b, "}");
}

static void print_object(struct buf *b, const struct ast_expr *e)
{
    print_text(b, "{");
    for (uint32_t i = 0; i < e->n_named; i++) {
        struct ast_expr key = {.kind = AST_STRING, .text = e->named[i].name};
        print_text(b, i > 0 ? ", " : "");
        print_string(b, &key);
        print_text(b, ": ");
        print_expr(b, e->named[i].e);
    }
    print_text(b, "}");
}

static void print_typed_call(struct buf *b, const struct ast_expr *e)
{
    print_text(b, e->kind == AST_CAST ? "cast(" : "instanceof(");
    print_expr(b, e->args[0]);
    print_text(b, ", ");
    if (e->kind == AST_CAST) {
        print_slice(b, e->text);
        if (e->n_args > 1) {
            print_text(b, ", ");
            print_expr(b, e->args[1]);
        }
    }
    for (uint32_t i = 0; i < e->n_names; i++) {
        print_text(b, i > 0 ? ", " : "");
        print_slice(b, e->names[i]);
    }
    print_text(b, ")");
}

static void print_lambda(struct buf *b, const struct ast_expr *e)
{
    print_text(b, e->n_names == 1 ? "" : "(");
    print_names(b, e->names, e->n_names);
    print_text(b, e->n_names == 1 ? " => " : ") => ");
    print_expr(b, e->args[0]);
}

static void print_period(struct buf *b, const struct ast_expr *e)
{
    bool first = true;
    for (uint32_t i = 0; i < e->n_args; i++) {
        if (e->args[i] != NULL) {
            print_text(b, first ? "" : " ");
            print_expr(b, e->args[i]);
            print_text(b, " ");
            print_text(b, print_unit(i));
            first = false;
        }
    }
}

static void print_param(struct buf *b, const struct ast_expr *e)
{
    print_text(b, "?");
    if (e->n_names > 0) {
        print_text(b, ":");
        print_name(b, e->names[0]);
    }
    if (e->text.len > 0) {
        print_text(b, e->n_names > 0 ? ":" : "::");
        print_slice(b, e->text);
    }
}

static void print_cron_word(struct buf *b, const struct ast_expr *e)
{
    if (e->n_args > 0) {
        print_expr(b, e->args[0]);
        print_text(b, " ");
    }
    print_slice(b, e->text);
}

static void print_list(struct buf *b, const char *open, const struct ast_expr *e, const char *close)
{
    print_text(b, open);
    print_exprs(b, e->args, e->n_args);
    print_text(b, close);
}

static void print_constant(struct buf *b, const struct ast_expr *e)
{
    switch (e->kind) {
    case AST_NULL: print_text(b, "null"); break;
    case AST_BOOL: print_text(b, e->i != 0 ? "true" : "false"); break;
    case AST_INT: (void)buf_addf(b, "%lld", (long long)e->i); break;
    case AST_LONG: (void)buf_addf(b, "%lluL", (unsigned long long)e->i); break;
    case AST_DOUBLE: print_real(b, e->d, false); break;
    case AST_FLOAT:
        print_real(b, e->d, true);
        print_text(b, "f");
        break;
    default: print_string(b, e); break;
    }
}

/* Kinds that only arguments and crontabs have. */
static void print_argument(struct buf *b, const struct ast_expr *e)
{
    switch (e->kind) {
    case AST_LAMBDA: print_lambda(b, e); break;
    case AST_PERIOD: print_period(b, e); break;
    case AST_NAMED_ARG:
        print_prop(b, e->text);
        print_list(b, ": ", e, "");
        break;
    case AST_STAR: print_text(b, "*"); break;
    case AST_CRON_STEP: print_list(b, "*/", e, ""); break;
    case AST_CRON_RANGE:
        print_expr(b, e->args[0]);
        print_text(b, ":");
        print_expr(b, e->args[1]);
        break;
    case AST_CRON_LIST: print_list(b, "[", e, "]"); break;
    case AST_CRON_WORD: print_cron_word(b, e); break;
    case AST_TYPE_NAME: print_slice(b, e->text); break;
    case AST_DESC: print_list(b, "", e, " desc"); break;
    default: print_list(b, "(", e, ")"); break; /* AST_ROW */
    }
}

static void print_bare(struct buf *b, const struct ast_expr *e)
{
    switch (e->kind) {
    case AST_NULL:
    case AST_BOOL:
    case AST_INT:
    case AST_LONG:
    case AST_FLOAT:
    case AST_DOUBLE:
    case AST_STRING: print_constant(b, e); break;
    case AST_PARAM: print_param(b, e); break;
    case AST_CHAIN: print_chain(b, e); break;
    case AST_NEG: print_list(b, "-", e, ""); break;
    case AST_NOT: print_list(b, "not ", e, ""); break;
    case AST_BINARY: print_binary(b, e); break;
    case AST_BETWEEN:
    case AST_IN_LIST:
    case AST_IN_RANGE:
    case AST_IN_QUERY:
    case AST_LIKE:
    case AST_REGEXP:
    case AST_IS_NULL: print_test(b, e); break;
    case AST_CASE:
    case AST_CASE_VALUE: print_case(b, e); break;
    case AST_CAST:
    case AST_INSTANCEOF: print_typed_call(b, e); break;
    case AST_QUANT: print_quant(b, e); break;
    case AST_EXISTS:
        print_text(b, "exists ");
        print_subquery(b, e->select);
        break;
    case AST_SUBQUERY: print_subquery(b, e->select); break;
    case AST_NEW: print_new(b, e); break;
    case AST_OBJECT: print_object(b, e); break;
    case AST_ARRAY: print_list(b, "{", e, "}"); break;
    default: print_argument(b, e); break;
    }
}

void print_expr(struct buf *b, const struct ast_expr *e)
{
    assert(e != NULL);
    print_text(b, e->paren ? "(" : "");
    print_bare(b, e);
    print_text(b, e->paren ? ")" : "");
}
