/* SPDX-License-Identifier: Apache-2.0
 *
 * select and its clauses as EPL again.
 */
#include "operators/epl/print.h"

#include <assert.h>

void print_streams(struct buf *b, enum ast_streams streams)
{
    static const char *const words[] = {[STREAM_DEFAULT] = "",
                                        [STREAM_ISTREAM] = "istream ",
                                        [STREAM_RSTREAM] = "rstream ",
                                        [STREAM_IRSTREAM] = "irstream "};
    assert((size_t)streams < ARRAY_LEN(words));
    print_text(b, words[streams]);
}

static void print_item(struct buf *b, const struct ast_item *item)
{
    if (item->star) {
        if (item->stream.len > 0) {
            print_prop(b, item->stream);
            print_text(b, ".");
        }
        print_text(b, "*");
    } else {
        print_expr(b, item->e);
        print_text(b, item->is_event ? " @eventbean" : "");
    }
    if (item->as.len > 0) {
        print_text(b, " as ");
        print_prop(b, item->as);
    }
}

void print_items(struct buf *b, const struct ast_item *items, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        print_text(b, i > 0 ? ", " : "");
        print_item(b, &items[i]);
    }
}

void print_insert(struct buf *b, const struct ast_insert *ins)
{
    print_text(b, "insert ");
    print_streams(b, ins->streams);
    print_text(b, "into ");
    print_dotted(b, ins->into);
    if (ins->n_cols > 0) {
        print_text(b, "(");
        print_names(b, ins->cols, ins->n_cols);
        print_text(b, ")");
    }
    if (ins->precedence != NULL) {
        print_text(b, " event-precedence(");
        print_expr(b, ins->precedence);
        print_text(b, ")");
    }
    print_text(b, " ");
}

void print_sets(struct buf *b, const struct ast_named *sets, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        print_text(b, i > 0 ? ", " : "");
        if (sets[i].target != NULL) {
            print_expr(b, sets[i].target);
            print_text(b, " = ");
        }
        print_expr(b, sets[i].e);
    }
}

/* ---- joins ---- */

static void print_from(struct buf *b, const struct ast_select *s)
{
    static const char *const words[] = {[JOIN_COMMA] = ", ",
                                        [JOIN_INNER] = " inner join ",
                                        [JOIN_LEFT] = " left outer join ",
                                        [JOIN_RIGHT] = " right outer join ",
                                        [JOIN_FULL] = " full outer join "};
    for (uint32_t i = 0; i < s->n_from; i++) {
        print_text(b, i == 0 ? " from " : words[s->joins[i - 1].kind]);
        print_stream(b, &s->from[i]);
        if (i > 0) {
            print_clause(b, "on", s->joins[i - 1].cond);
        }
    }
}

/* ---- group by ---- */

static void print_group(struct buf *b, const struct ast_group *g)
{
    static const char *const words[] = {[GROUP_EXPR] = "",
                                        [GROUP_ROLLUP] = "rollup",
                                        [GROUP_CUBE] = "cube",
                                        [GROUP_SETS] = "grouping sets",
                                        [GROUP_COMBINED] = ""};
    if (g->kind == GROUP_EXPR) {
        print_expr(b, g->e);
        return;
    }
    print_text(b, words[g->kind]);
    print_text(b, "(");
    for (uint32_t i = 0; i < g->n_kids; i++) {
        print_text(b, i > 0 ? ", " : "");
        print_group(b, &g->kids[i]);
    }
    print_text(b, ")");
}

/* ---- output ---- */

void print_cron(struct buf *b, struct ast_expr *const *at, uint32_t n)
{
    print_text(b, "(");
    print_exprs(b, at, n);
    print_text(b, ")");
}

static void print_then_set(struct buf *b, const struct ast_named *sets, uint32_t n)
{
    if (n > 0) {
        print_text(b, " then set ");
        print_sets(b, sets, n);
    }
}

static void print_rate(struct buf *b, const struct ast_output *o)
{
    switch (o->when) {
    case OUT_EVERY_NONE: break;
    case OUT_EVERY_EVENTS:
        print_clause(b, "every", o->every);
        print_text(b, " events");
        break;
    case OUT_EVERY_TIME: print_clause(b, "every", o->every); break;
    case OUT_WHEN:
        print_clause(b, "when", o->cond);
        print_then_set(b, o->sets, o->n_sets);
        break;
    case OUT_AT:
        print_text(b, " at ");
        print_cron(b, o->at, o->n_at);
        break;
    case OUT_TERMINATED: print_text(b, " when terminated"); break;
    }
}

static void print_output(struct buf *b, const struct ast_output *o)
{
    static const char *const kinds[] = {[OUT_NONE] = "",
                                        [OUT_ALL] = " all",
                                        [OUT_FIRST] = " first",
                                        [OUT_LAST] = " last",
                                        [OUT_SNAPSHOT] = " snapshot"};
    print_text(b, " output");
    print_clause(b, "after", o->after);
    print_text(b, o->after_events ? " events" : "");
    print_text(b, kinds[o->kind]);
    print_rate(b, o);
    print_text(b, o->and_terminated ? " and when terminated" : "");
    print_clause(b, "and", o->term_cond);
    print_then_set(b, o->term_sets, o->n_term_sets);
}

/* ---- the whole ---- */

void print_tail(struct buf *b, const struct ast_select *s)
{
    print_clause(b, "where", s->where);
    for (uint32_t i = 0; i < s->n_group; i++) {
        print_text(b, i == 0 ? " group by " : ", ");
        print_group(b, &s->group[i]);
    }
    print_clause(b, "having", s->having);
    if (s->output != NULL) {
        print_output(b, s->output);
    }
    for (uint32_t i = 0; i < s->n_order; i++) {
        print_text(b, i == 0 ? " order by " : ", ");
        print_expr(b, s->order[i].e);
        print_text(b, s->order[i].desc ? " desc" : "");
    }
    print_clause(b, "limit", s->limit);
    print_clause(b, "offset", s->offset);
}

static void print_values(struct buf *b, const struct ast_select *s)
{
    uint32_t n = s->n_values / s->n_value_rows;
    for (uint32_t i = 0; i < s->n_value_rows; i++) {
        print_text(b, i == 0 ? "values (" : ", (");
        print_exprs(b, s->values + (size_t)i * n, n);
        print_text(b, ")");
    }
}

void print_select(struct buf *b, const struct ast_select *s)
{
    if (s->into_table.len > 0) {
        print_text(b, "into table ");
        print_name(b, s->into_table);
        print_text(b, " ");
    }
    if (s->insert != NULL) {
        print_insert(b, s->insert);
    }
    if (s->n_value_rows > 0) {
        print_values(b, s);
        return;
    }
    print_text(b, "select ");
    print_text(b, s->and_delete ? "and delete " : "");
    print_streams(b, s->streams);
    print_text(b, s->distinct ? "distinct " : "");
    print_items(b, s->items, s->n_items);
    print_from(b, s);
    if (s->matchrec != NULL) {
        print_matchrec(b, s->matchrec);
    }
    print_tail(b, s);
}
