/* SPDX-License-Identifier: Apache-2.0
 *
 * Statements as EPL again: what stands before them, on ..., and the on-demand forms. What create
 * makes is in print_create.c.
 */
#include "operators/epl/print.h"

#include <assert.h>

void print_annots(struct buf *b, const struct ast_annot *annots, uint32_t n, char between)
{
    for (uint32_t i = 0; i < n; i++) {
        print_text(b, "@");
        print_slice(b, annots[i].name);
        for (uint32_t k = 0; k < annots[i].n_values; k++) {
            const struct ast_named *v = &annots[i].values[k];
            print_text(b, k == 0 ? "(" : ", ");
            if (v->name.len > 0) {
                print_prop(b, v->name);
                print_text(b, "=");
            }
            print_expr(b, v->e);
        }
        print_text(b, annots[i].n_values > 0 ? ")" : "");
        (void)buf_add_byte(b, (uint8_t)between);
    }
}

void print_decl(struct buf *b, const struct ast_decl *d)
{
    print_text(b, "expression ");
    print_name(b, d->name);
    print_text(b, d->alias ? " alias for { " : " { ");
    if (d->n_params > 0) {
        print_text(b, d->n_params > 1 ? "(" : "");
        print_names(b, d->params, d->n_params);
        print_text(b, d->n_params > 1 ? ") => " : " => ");
    }
    print_expr(b, d->body);
    print_text(b, " }");
}

static void print_target(struct buf *b, const struct ast_stream *s)
{
    print_dotted(b, s->type);
    print_alias(b, s->as);
}

/* ---- merge ---- */

static void print_action(struct buf *b, const struct ast_action *a)
{
    switch (a->kind) {
    case ACT_INSERT:
        print_text(b, "insert ");
        if (a->into.len > 0) {
            print_text(b, "into ");
            print_dotted(b, a->into);
        }
        if (a->n_cols > 0) {
            print_text(b, "(");
            print_names(b, a->cols, a->n_cols);
            print_text(b, ")");
        }
        print_text(b, a->into.len > 0 || a->n_cols > 0 ? " select " : "select ");
        print_items(b, a->items, a->n_items);
        break;
    case ACT_UPDATE:
        print_text(b, "update set ");
        print_sets(b, a->sets, a->n_sets);
        break;
    case ACT_DELETE: print_text(b, "delete"); break;
    }
    print_clause(b, "where", a->where);
}

static void print_merge(struct buf *b, const struct ast_stmt *s)
{
    print_text(b, "merge ");
    print_target(b, s->target);
    if (s->merge_insert_only) {
        print_text(b, " ");
        print_action(b, &s->matched[0].actions[0]);
        return;
    }
    print_clause(b, "where", s->where);
    for (uint32_t i = 0; i < s->n_matched; i++) {
        const struct ast_matched *m = &s->matched[i];
        print_text(b, m->negated ? " when not matched" : " when matched");
        print_clause(b, "and", m->cond);
        for (uint32_t k = 0; k < m->n_actions; k++) {
            print_text(b, " then ");
            print_action(b, &m->actions[k]);
        }
    }
}

/* ---- split ---- */

static void print_branch(struct buf *b, const struct ast_branch *br)
{
    print_insert(b, &br->insert);
    print_text(b, "select ");
    print_items(b, br->items, br->n_items);
    if (br->from != NULL) {
        print_text(b, " from ");
        print_stream(b, br->from);
    }
    print_clause(b, "where", br->where);
}

static void print_split(struct buf *b, const struct ast_stmt *s)
{
    for (uint32_t i = 0; i < s->n_branches; i++) {
        print_text(b, i > 0 ? " " : "");
        print_branch(b, &s->branches[i]);
    }
    print_text(b, s->split_all ? " output all" : "");
}

/* ---- the others ---- */

static void print_update(struct buf *b, const struct ast_stmt *s)
{
    if (s->kind == STMT_UPDATE_ISTREAM) {
        print_text(b, "update istream ");
        print_dotted(b, s->name);
        print_alias(b, s->as);
    } else {
        print_text(b, "update ");
        print_target(b, s->target);
    }
    print_text(b, " set ");
    print_sets(b, s->sets, s->n_sets);
    print_clause(b, "where", s->where);
}

static void print_delete(struct buf *b, const struct ast_stmt *s)
{
    print_text(b, "delete from ");
    print_target(b, s->target);
    print_clause(b, "where", s->where);
}

static void print_body(struct buf *b, const struct ast_stmt *s)
{
    switch (s->kind) {
    case STMT_SELECT:
    case STMT_ON_SELECT:
    case STMT_FAF_INSERT: print_select(b, s->select); break;
    case STMT_ON_DELETE:
    case STMT_FAF_DELETE: print_delete(b, s); break;
    case STMT_ON_UPDATE:
    case STMT_FAF_UPDATE:
    case STMT_UPDATE_ISTREAM: print_update(b, s); break;
    case STMT_ON_MERGE: print_merge(b, s); break;
    case STMT_ON_SET:
        print_text(b, "set ");
        print_sets(b, s->sets, s->n_sets);
        break;
    case STMT_ON_SPLIT: print_split(b, s); break;
    default: print_create(b, s); break;
    }
}

void epl_print_stmt(const struct ast_stmt *s, struct buf *out)
{
    assert(s != NULL);
    print_annots(out, s->annots, s->n_annots, ' ');
    for (uint32_t i = 0; i < s->n_decls; i++) {
        print_decl(out, &s->decls[i]);
        print_text(out, " ");
    }
    if (s->context.len > 0) {
        print_text(out, "context ");
        print_name(out, s->context);
        print_text(out, " ");
    }
    if (s->trigger != NULL) {
        print_text(out, "on ");
        print_stream(out, s->trigger);
        print_text(out, " ");
    }
    print_body(out, s);
}
