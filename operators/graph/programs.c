/* SPDX-License-Identifier: Apache-2.0
 *
 * See programs.h. Plans are looked through by the kind of their statement.
 */
#include "operators/graph/programs.h"

#include "operators/graph/on.h"
#include "operators/graph/sel.h"

struct teller {
    void (*on)(void *arg, const struct eng_program *p);
    void *arg;
};

static void tell(const struct teller *t, struct eng_program p)
{
    if (p.e != NULL) {
        t->on(t->arg, &p);
    }
}

static void tell_condition(const struct teller *t, const char *what, int number, const struct ex *e)
{
    tell(t, (struct eng_program){what, number, SLICE_NONE, VM_DECISION, e});
}

static void tell_value(const struct teller *t, const char *what, int number, struct slice name,
                       const struct ex *e)
{
    tell(t, (struct eng_program){what, number, name, VM_VALUE, e});
}

static void streams(const struct teller *t, const struct sel_stream *s, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        const struct route_filter *f = &s[i].filter;
        for (uint32_t k = 0; k < f->n_keys; k++) {
            struct slice name = f->type->cols[f->key_slot[k]].name;
            tell_value(t, "looked up by", -1, name, f->key[k]);
        }
        const char *what = f->n_keys > 0 ? "and then filter of stream" : "filter of stream";
        tell_condition(t, what, (int)i, f->n_keys > 0 ? f->rest : f->cond);
        tell_condition(t, "filter of stream", (int)i, s[i].win_filter);
    }
}

static void columns(const struct teller *t, const struct sel_plan *p)
{
    for (uint32_t i = 0; i < p->n_cols; i++) {
        uint32_t at = p->wild >= 0 ? p->out->n_cols - p->n_cols + i : i;
        struct slice name =
            p->out != NULL && at < p->out->n_cols ? p->out->cols[at].name : SLICE_NONE;
        tell_value(t, "column", -1, name, p->cols[i]);
    }
}

static void select_parts(const struct teller *t, const struct sel_plan *p)
{
    streams(t, p->streams, p->n_streams);
    tell_condition(t, "where", -1, p->where);
    for (uint32_t i = 0; i < p->n_group; i++) {
        tell_value(t, "group by", (int)i, SLICE_NONE, p->group[i]);
    }
    tell_condition(t, "having", -1, p->having);
    columns(t, p);
    for (uint32_t i = 0; i < p->n_order; i++) {
        tell_value(t, "order by", (int)i, SLICE_NONE, p->order[i].e);
    }
}

static void sets(const struct teller *t, const struct assigns *a, const struct etype *type)
{
    for (uint32_t i = 0; type != NULL && i < a->n; i++) {
        tell_value(t, "set", -1, type->cols[a->a[i].col].name, a->a[i].value);
    }
}

static void on_parts(const struct teller *t, const struct on_plan *p, bool selects)
{
    streams(t, &p->trigger, 1);
    if (selects) {
        select_parts(t, &p->select);
        return;
    }
    tell_condition(t, "where", -1, p->where);
    sets(t, &p->sets, p->type);
    for (uint32_t i = 0; i < p->n_matched; i++) {
        tell_condition(t, "when matched", (int)i, p->matched[i].cond);
        for (uint32_t k = 0; k < p->matched[i].n_actions; k++) {
            tell_condition(t, "where", -1, p->matched[i].actions[k].where);
            sets(t, &p->matched[i].actions[k].sets, p->type);
            columns(t, &p->matched[i].actions[k].rows);
        }
    }
    for (uint32_t i = 0; i < p->n_branches; i++) {
        tell_condition(t, "branch", (int)i, p->branches[i].where);
        columns(t, &p->branches[i].rows);
    }
}

void eng_programs(const struct eng *e, size_t statement,
                  void (*on)(void *arg, const struct eng_program *p), void *arg)
{
    const struct teller t = {on, arg};
    if (statement >= e->stmts.len) {
        return;
    }
    const struct stmt *st = e->stmts.ptr[statement];
    switch (st->ast->kind) {
    case STMT_SELECT: select_parts(&t, st->plan); break;
    case STMT_ON_SELECT:
    case STMT_ON_DELETE:
    case STMT_ON_UPDATE:
    case STMT_ON_MERGE:
    case STMT_ON_SET:
    case STMT_ON_SPLIT: on_parts(&t, st->plan, st->ast->kind == STMT_ON_SELECT); break;
    default: break;
    }
}
