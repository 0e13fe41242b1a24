/* SPDX-License-Identifier: Apache-2.0
 *
 * Triggered statements: binding by kind, instances, triggers. See on.h.
 */
#include "operators/graph/on.h"

#include "core/base/mem.h"
#include "operators/graph/nwin.h"
#include "operators/graph/state.h"
#include "operators/graph/subq.h"
#include "operators/graph/var.h"

typedef void runner(struct on_inst *in, struct evt *trigger);

static runner *runner_of(enum ast_stmt_kind k)
{
    switch (k) {
    case STMT_ON_SELECT: return on_select;
    case STMT_ON_DELETE: return on_delete;
    case STMT_ON_UPDATE: return on_update;
    case STMT_ON_MERGE: return on_merge;
    case STMT_ON_SET: return on_set;
    default: return on_split;
    }
}

static void triggered(void *arg, struct evt *e)
{
    struct on_inst *in = arg;
    in->before = in->in.eng->next_ref;
    runner_of(in->in.st->ast->kind)(in, e);
}

static void matched(void *arg, struct evt *match)
{
    triggered(arg, match);
    eng_mark_dirty(&((struct on_inst *)arg)->in);
}

static void from_window(void *arg, struct evt **nw, size_t n_nw, struct evt **old, size_t n_old)
{
    (void)old, (void)n_old;
    for (size_t i = 0; i < n_nw; i++) {
        triggered(arg, nw[i]);
    }
}

static struct sel_inst *select_inst(struct on_inst *in)
{
    struct sel_inst *s = MEM_NEW(struct sel_inst);
    s->p = &in->p->select;
    s->in = in->in; /* the same statement and partition: expressions find their subqueries there */
    return s;
}

static struct inst *start(struct stmt *st, struct evt *props)
{
    const struct on_plan *p = st->plan;
    struct on_inst *in = MEM_NEW(struct on_inst);
    struct eng *e = st->eng;
    in->p = p;
    inst_init(&in->in, st, props);
    if (st->ast->kind == STMT_ON_SELECT) {
        in->sel = select_inst(in);
    }
    if (p->trigger.kind == SRC_PATTERN) {
        in->pat_env = inst_pat_env(&in->in);
        in->pat = pat_new(&p->trigger.pat, &in->pat_env, matched, in);
        in->in.flushes = true;
        if (!e->loading) {
            pat_start(in->pat, NULL);
        }
    } else if (p->trigger.kind == SRC_WINDOW) {
        nwin_consume(p->trigger.win, &in->in, p->trigger.win_filter, from_window, in);
    } else {
        in->leaf = route_add(e->route, &p->trigger.filter, NULL, triggered, in, &in->in,
                             &eng_ectx_ops, st->rank + 0x100);
    }
    return &in->in;
}

static void flush(struct inst *base)
{
    struct on_inst *in = (struct on_inst *)(void *)base;
    if (in->pat != NULL) {
        pat_pass(in->pat);
    }
}

static void stop(struct inst *base)
{
    struct on_inst *in = (struct on_inst *)(void *)base;
    if (in->leaf != NULL) {
        route_remove(base->eng->route, in->leaf);
    }
    if (in->p->trigger.kind == SRC_WINDOW) {
        nwin_forget(base, in);
    }
    pat_free(in->pat);
    if (in->sel != NULL) {
        sel_rows_done(in->sel);
        mem_free(in->sel);
    }
    evts_done(&in->found);
    evts_done(&in->nw);
    evts_done(&in->old);
    evts_done(&in->tmp);
    inst_done(base);
    mem_free(in);
}

static void save(struct inst *base, struct save *s)
{
    struct on_inst *in = (struct on_inst *)(void *)base;
    state_save_leaf(s, in->leaf);
    if (in->pat != NULL) {
        pat_save(in->pat, s, base->st->context == NULL);
    }
}

static void load(struct inst *base, struct load *l)
{
    struct on_inst *in = (struct on_inst *)(void *)base;
    state_load_leaf(l, base->eng->route, in->leaf);
    if (in->pat != NULL) {
        pat_load(in->pat, l, base->st->context == NULL);
    }
}

static bool source(struct inst *base, uint32_t n, struct stmt_source *ret)
{
    *ret = (struct stmt_source){.pat = ((struct on_inst *)(void *)base)->pat};
    return n == 0;
}

static const struct stmt_ops ops = {.start = start,
                                    .flush = flush,
                                    .stop = stop,
                                    .save = save,
                                    .load = load,
                                    .source = source,
                                    .by_part = true};

/* ---- binding ---- */

static int bind_select(struct stmt *st, struct bind *b, struct on_plan *p, struct err *reterr)
{
    const struct ast_select *s = st->ast->select;
    struct sel_plan *q = &p->select;
    q->st = st;
    q->n_streams = 2;
    q->triggered = true;
    q->streams = arena_array(b->a, 2, sizeof *q->streams);
    q->streams[0] = (struct sel_stream){.kind = p->win != NULL ? SRC_WINDOW : SRC_TABLE,
                                        .alias = p->alias,
                                        .unnamed = st->ast->target->as.len == 0,
                                        .in = p->type,
                                        .type = p->type,
                                        .win = p->win,
                                        .table = p->table};
    q->streams[1] = p->trigger;
    struct scope *scope = on_scope(st, b, p, true);
    b->scope = scope;
    int rc = on_bind_where(b, p, s->where, reterr);
    if (rc != 0) {
        return rc;
    }
    scope->aggs = &q->aggs;
    q->aggs.windowed = true;
    struct ast_select *plain = ARENA_NEW(b->a, struct ast_select);
    *plain = *s;
    plain->where = NULL;
    rc = sel_bind_clauses(st, b, plain, scope, q, reterr);
    if (rc == 0 && s->insert != NULL) {
        rc = ins_bind(st, b, s->insert, q, &q->insert, reterr);
    }
    return rc;
}

static int bind_set(struct stmt *st, struct bind *b, struct on_plan *p, struct err *reterr)
{
    const struct ast_stmt *a = st->ast;
    b->scope = on_scope(st, b, p, false);
    int rc = set_bind(b, a->sets, a->n_sets, &p->vars, reterr);
    if (rc != 0) {
        return rc;
    }
    struct ecol *cols = arena_array(b->a, a->n_sets, sizeof *cols);
    for (uint32_t i = 0; i < a->n_sets; i++) {
        cols[i] = (struct ecol){.name = p->vars->vars[i]->name, .ty = p->vars->vars[i]->ty};
    }
    p->vars_type = ety_new(b->a, b->types, ETYPE_ANON, SLICE_NONE, cols, a->n_sets, NULL, 0);
    return p->vars_type != NULL ? 0 : bind_err(reterr, a->span, "a variable is set twice");
}

static int bind_kind(struct stmt *st, struct bind *b, struct on_plan *p, struct err *reterr)
{
    const struct ast_stmt *a = st->ast;
    if (a->kind == STMT_ON_SET) {
        return bind_set(st, b, p, reterr);
    }
    if (a->kind == STMT_ON_SPLIT) {
        return on_bind_split(st, b, p, reterr);
    }
    int rc = on_bind_target(st, b, p, reterr);
    if (rc != 0) {
        return rc;
    }
    if (a->kind == STMT_ON_SELECT) {
        return bind_select(st, b, p, reterr);
    }
    b->scope = on_scope(st, b, p, true);
    rc = on_bind_where(b, p, a->where, reterr);
    if (rc == 0 && a->kind == STMT_ON_UPDATE) {
        rc = on_bind_sets(b, a->sets, a->n_sets, p->type, p->alias, &p->sets, reterr);
    }
    return rc == 0 && a->kind == STMT_ON_MERGE ? on_bind_merge(st, b, p, reterr) : rc;
}

int stmt_on(struct stmt *st, struct err *reterr)
{
    struct on_plan *p = ARENA_NEW(st->dep->arena, struct on_plan);
    struct bind b = stmt_bind(st);
    p->st = st;
    int rc = on_bind_trigger(st, &b, p, reterr);
    rc = rc == 0 ? bind_kind(st, &b, p, reterr) : rc;
    (void)stmt_used(st, &b);
    if (rc == 0) {
        st->rank |= stmt_class(st, &p->trigger, 1, false) << 48;
        st->ops = &ops;
        st->plan = p;
    }
    return rc;
}
