/* SPDX-License-Identifier: Apache-2.0
 *
 * Streams, patterns and match_recognize as EPL again.
 */
#include "operators/epl/print.h"

#include <assert.h>

void print_alias(struct buf *b, struct slice as)
{
    if (as.len > 0) {
        print_text(b, " as ");
        print_name(b, as);
    }
}

static void print_contained(struct buf *b, const struct ast_contained *c)
{
    print_text(b, "[");
    if (c->n_items > 0) {
        print_text(b, "select ");
        print_items(b, c->items, c->n_items);
        print_text(b, " from ");
    }
    print_expr(b, c->path);
    if (c->type.len > 0) {
        print_text(b, "@type(");
        print_dotted(b, c->type);
        print_text(b, ")");
    }
    print_alias(b, c->as);
    print_clause(b, "where", c->where);
    print_text(b, "]");
}

void print_filter(struct buf *b, const struct ast_stream *s)
{
    print_dotted(b, s->type);
    if (s->n_filters > 0) {
        print_text(b, "(");
        print_exprs(b, s->filters, s->n_filters);
        print_text(b, ")");
    }
    for (uint32_t i = 0; i < s->n_contained; i++) {
        print_contained(b, &s->contained[i]);
    }
}

void print_views(struct buf *b, const struct ast_stream *s)
{
    for (uint32_t i = 0; i < s->n_views; i++) {
        print_text(b, "#");
        print_prop(b, s->views[i].name);
        if (s->views[i].n_args > 0) {
            print_text(b, "(");
            print_exprs(b, s->views[i].args, s->views[i].n_args);
            print_text(b, ")");
        }
    }
}

void print_stream(struct buf *b, const struct ast_stream *s)
{
    if (s->pattern != NULL) {
        print_text(b, "pattern ");
        print_annots(b, s->pat_annots, s->n_pat_annots, ' ');
        print_text(b, "[");
        print_pattern(b, s->pattern);
        print_text(b, "]");
    } else {
        print_filter(b, s);
    }
    print_views(b, s);
    print_alias(b, s->as);
    print_text(b, s->unidirectional ? " unidirectional" : "");
    print_text(b, s->retain_union ? " retain-union" : "");
    print_text(b, s->retain_intersection ? " retain-intersection" : "");
}

/* ---- patterns ---- */

static void print_pat_args(struct buf *b, const struct ast_pat *pat)
{
    print_text(b, "(");
    print_exprs(b, pat->args, pat->n_args);
    print_text(b, ")");
}

static void print_pat_range(struct buf *b, const struct ast_pat *pat)
{
    if (pat->low == NULL && pat->high == NULL) {
        return;
    }
    print_text(b, "[");
    if (pat->low != NULL) {
        print_expr(b, pat->low);
    }
    print_text(b, pat->low != pat->high ? ":" : "");
    if (pat->high != NULL && pat->high != pat->low) {
        print_expr(b, pat->high);
    }
    print_text(b, "] ");
}

static void print_pat_filter(struct buf *b, const struct ast_pat *pat)
{
    if (pat->tag.len > 0) {
        print_name(b, pat->tag);
        print_text(b, "=");
    }
    print_filter(b, pat->stream);
    print_text(b, pat->consume ? "@consume" : "");
    if (pat->consume_level != NULL) {
        print_text(b, "(");
        print_expr(b, pat->consume_level);
        print_text(b, ")");
    }
}

/* where timer:within(..), while (..), timer:interval(..) */
static void print_pat_call(struct buf *b, const struct ast_pat *pat)
{
    if (pat->kind == PAT_GUARD) {
        print_pattern(b, pat->kids[0]);
        print_text(b, pat->ns.len > 0 ? " where " : " while ");
    }
    if (pat->ns.len > 0) {
        print_prop(b, pat->ns);
        print_text(b, ":");
        print_prop(b, pat->name);
    }
    print_pat_args(b, pat);
}

static void print_pat_list(struct buf *b, const struct ast_pat *pat)
{
    for (uint32_t i = 0; i < pat->n_kids; i++) {
        if (i > 0 && pat->kind == PAT_FOLLOWED && pat->max[i - 1] != NULL) {
            print_text(b, " -[");
            print_expr(b, pat->max[i - 1]);
            print_text(b, "]> ");
        } else if (i > 0) {
            print_text(b, pat->kind == PAT_FOLLOWED ? " -> "
                          : pat->kind == PAT_AND    ? " and "
                                                    : " or ");
        }
        print_pattern(b, pat->kids[i]);
    }
}

static void print_pat_bare(struct buf *b, const struct ast_pat *pat)
{
    switch (pat->kind) {
    case PAT_FILTER: print_pat_filter(b, pat); break;
    case PAT_EVERY:
        print_text(b, "every ");
        print_pattern(b, pat->kids[0]);
        break;
    case PAT_EVERY_DISTINCT:
        print_text(b, "every-distinct");
        print_pat_args(b, pat);
        print_text(b, " ");
        print_pattern(b, pat->kids[0]);
        break;
    case PAT_NOT:
        print_text(b, "not ");
        print_pattern(b, pat->kids[0]);
        break;
    case PAT_FOLLOWED:
    case PAT_AND:
    case PAT_OR: print_pat_list(b, pat); break;
    case PAT_UNTIL:
        print_pat_range(b, pat);
        print_pattern(b, pat->kids[0]);
        if (pat->n_kids > 1) {
            print_text(b, " until ");
            print_pattern(b, pat->kids[1]);
        }
        break;
    case PAT_GUARD:
    case PAT_OBSERVER: print_pat_call(b, pat); break;
    }
}

void print_pattern(struct buf *b, const struct ast_pat *pat)
{
    assert(pat != NULL);
    print_text(b, pat->paren ? "(" : "");
    print_pat_bare(b, pat);
    print_text(b, pat->paren ? ")" : "");
}

/* ---- match_recognize ---- */

static void print_mr_repeat(struct buf *b, const struct ast_mr *mr)
{
    if (mr->braces) {
        print_text(b, "{");
        if (mr->low > 0) {
            (void)buf_addf(b, "%u", mr->low);
        }
        print_text(b, mr->low != mr->high ? "," : "");
        if (mr->high != UINT32_MAX && mr->high != mr->low) {
            (void)buf_addf(b, "%u", mr->high);
        }
        print_text(b, "}");
        return;
    }
    if (mr->low == 1 && mr->high == 1) {
        return;
    }
    print_text(b, mr->high == 1 ? "?" : mr->low == 0 ? "*" : "+");
    print_text(b, mr->reluctant ? "?" : "");
}

static void print_mr(struct buf *b, const struct ast_mr *mr)
{
    static const char *const open[] = {[MR_VAR] = "",
                                       [MR_CONCAT] = "",
                                       [MR_ALT] = "",
                                       [MR_GROUP] = "(",
                                       [MR_PERMUTE] = "match_recognize_permute("};
    static const char *const between[] = {
        [MR_VAR] = "", [MR_CONCAT] = " ", [MR_ALT] = " | ", [MR_GROUP] = " ", [MR_PERMUTE] = ", "};
    print_text(b, open[mr->kind]);
    if (mr->kind == MR_VAR) {
        print_name(b, mr->var);
    }
    for (uint32_t i = 0; i < mr->n_kids; i++) {
        print_text(b, i > 0 ? between[mr->kind] : "");
        print_mr(b, mr->kids[i]);
    }
    print_text(b, mr->kind == MR_GROUP || mr->kind == MR_PERMUTE ? ")" : "");
    print_mr_repeat(b, mr);
}

static void print_measures(struct buf *b, const struct ast_matchrec *m)
{
    for (uint32_t i = 0; i < m->n_measures; i++) {
        print_text(b, i == 0 ? "measures " : ", ");
        print_expr(b, m->measures[i].e);
        print_text(b, " as ");
        print_prop(b, m->measures[i].name);
    }
}

void print_matchrec(struct buf *b, const struct ast_matchrec *m)
{
    static const char *const skips[] = {[SKIP_PAST_LAST] = "",
                                        [SKIP_TO_NEXT] = " after match skip to next row",
                                        [SKIP_TO_CURRENT] = " after match skip to current row"};
    print_text(b, " match_recognize (");
    if (m->n_partition > 0) {
        print_text(b, "partition by ");
        print_exprs(b, m->partition, m->n_partition);
        print_text(b, " ");
    }
    print_measures(b, m);
    print_text(b, m->all_matches ? " all matches" : "");
    print_text(b, skips[m->skip]);
    print_text(b, " pattern (");
    print_mr(b, m->pattern);
    print_text(b, ")");
    print_clause(b, "interval", m->interval);
    print_text(b, m->or_terminated ? " or terminated" : "");
    for (uint32_t i = 0; i < m->n_define; i++) {
        print_text(b, i == 0 ? " define " : ", ");
        print_name(b, m->define[i].name);
        print_text(b, " as ");
        print_expr(b, m->define[i].e);
    }
    print_text(b, ")");
}
