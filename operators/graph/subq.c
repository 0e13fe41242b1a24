/* SPDX-License-Identifier: Apache-2.0
 *
 * See subq.h. The subquery's clauses are those of a select (sel_plan) with one stream; its value is
 * computed by walking what its window holds; without a window, by aggregations of all that came.
 * Its leaf in the route index stands before the statement's own, so a subquery over the statement's
 * stream contains the current event.
 */
#include "operators/graph/subq.h"

#include "core/base/mem.h"
#include "operators/graph/limit.h"
#include "operators/graph/nwin.h"
#include "operators/graph/prev.h"
#include "operators/graph/sel.h"
#include "operators/graph/state.h"
#include "operators/sig/cause.h"
#include "operators/table/table.h"

#include <assert.h>

struct subq_plan {
    uint32_t num; /* in stmt->subqs */
    struct sel_plan q;
    const struct etype *row; /* of several columns */
    bool ever;               /* aggregations over all that ever came: no event is kept */
};

struct subq { /* of an instance */
    const struct subq_plan *p;
    struct inst *in;
    struct route_leaf *leaf;
    struct view *view;
    struct view_env env;
    struct ectx view_ctx;
    struct evt *row[1];
    struct evts past;        /* for prior */
    struct evts told;        /* of batches: what is put out */
    int64_t live;            /* events in the window, if prior is asked for */
    struct aggregator *ever; /* NULL: its rows are in a window or table */
};

const struct sel_plan *subq_query(const struct subq_plan *p)
{
    return &p->q;
}

static enum ex_op op_of(struct bind *b, const struct ast_expr *e, const struct sel_plan *q)
{
    switch (e->kind) {
    case AST_EXISTS: return EX_SUBQ_EXISTS;
    case AST_IN_QUERY: return EX_SUBQ_IN;
    case AST_QUANT: return EX_SUBQ_QUANT;
    default: return b->subq_list ? EX_SUBQ_LIST : q->pass || q->n_cols > 1 ? EX_SUBQ_ROW : EX_SUBQ;
    }
}

/* It speaks of a row around it. */
static bool looks_out(const struct ex *e)
{
    bool out = e != NULL && e->level > 0;
    for (uint32_t i = 0; e != NULL && !out && i < e->n_args; i++) {
        out = looks_out(e->args[i]);
    }
    return out;
}

/* Aggregations of a stream without a window, the same for every row around it. */
static bool is_of_ever(const struct sel_plan *q)
{
    const struct sel_stream *s = &q->streams[0];
    bool ever = s->kind == SRC_FILTER && s->views.n_steps == 0 && q->aggs.calls.len > 0 &&
                (q->cls == ROWS_TOTAL || q->cls == ROWS_GROUP) && s->prior == 0 &&
                !looks_out(q->where) && !looks_out(q->having);
    for (size_t i = 0; ever && i < q->aggs.calls.len; i++) {
        const struct agg_call *c = q->aggs.calls.ptr[i];
        ever = c->n_group_by == 0 && !looks_out(c->filter);
        for (uint32_t k = 0; ever && k < c->n_args; k++) {
            ever = !looks_out(c->args[k]);
        }
    }
    for (uint32_t i = 0; ever && i < q->n_group; i++) {
        ever = !looks_out(q->group[i]);
    }
    return ever;
}

static int check(const struct ast_expr *e, enum ex_op op, const struct sel_plan *q,
                 struct err *reterr)
{
    if (q->n_streams != 1) {
        return bind_err(reterr, e->span, "a subquery with a join is not supported yet");
    }
    const struct sel_stream *s = &q->streams[0];
    if (s->kind == SRC_FILTER && !s->views.has_window && !is_of_ever(q)) {
        return bind_err(reterr, e->span,
                        "a subquery wants a data window, as in (select x from T#lastevent)");
    }
    bool one = op == EX_SUBQ_IN || op == EX_SUBQ_QUANT;
    if (one && (q->pass || q->n_cols != 1)) {
        return bind_err(reterr, e->span, "this subquery must have one column");
    }
    return 0;
}

static struct ty type_of(struct bind *b, enum ex_op op, struct subq_plan *p)
{
    const struct sel_plan *q = &p->q;
    struct ty event = {.kind = TY_EVENT, .ev = q->out};
    struct ty value = q->pass || q->n_cols > 1 || q->wild >= 0 ? event : q->cols[0]->ty;
    switch (op) {
    case EX_SUBQ_EXISTS:
    case EX_SUBQ_IN:
    case EX_SUBQ_QUANT: return TY(BOOL);
    case EX_SUBQ_LIST: return ty_list(b->a, value);
    default: return value;
    }
}

static int left_side(struct bind *b, const struct ast_expr *e, struct ex *x,
                     const struct sel_plan *q, struct err *reterr)
{
    int rc = bind_expr(b, e->args[0], &x->args[0], reterr);
    if (rc == 0 && !ty_comparable(x->args[0]->ty, q->cols[0]->ty)) {
        rc = bind_err(reterr, e->span,
                      "the subquery's column is a %s, which cannot be compared with a %s",
                      ty_name(q->cols[0]->ty.kind), ty_name(x->args[0]->ty.kind));
    }
    x->negated = e->negated;
    x->cmp = e->op;
    x->all = e->quant == 1;
    return rc;
}

/* Of a named window that puts out batches a subquery sees what has been put out, so it holds that.
 */
static int hold_batches(struct bind *b, struct sel_stream *s, struct err *reterr)
{
    if (s->kind != SRC_WINDOW || s->views.n_steps > 0 || !nwin_batches(s->win)) {
        return 0;
    }
    struct ast_view keepall = {.name = SLICE("keepall")};
    struct ast_stream held = {.views = &keepall, .n_views = 1};
    return view_plan(b, &held, s->type, &s->views, reterr);
}

int subq_bind(struct bind *b, struct scope *scope, const struct ast_expr *e, struct ex **ret,
              void *arg, struct err *reterr)
{
    struct stmt *st = arg;
    struct subq_plan *p = ARENA_NEW(b->a, struct subq_plan);
    struct scope *save = b->scope;
    bool list = b->subq_list;
    b->subq_list = false;
    p->q.st = st;
    b->scope = scope;
    int rc = sel_bind_streams(st, b, e->select, &p->q, reterr);
    rc = rc == 0 ? hold_batches(b, &p->q.streams[0], reterr) : rc;
    if (rc == 0) {
        struct scope inner = sel_scope(st, b, &p->q);
        inner.outer = scope;
        inner.context = NULL;
        inner.allow_prev = false; /* until the where is bound */
        inner.subq = p;
        b->scope = &inner;
        rc = sel_bind_clauses(st, b, e->select, &inner, &p->q, reterr);
    }
    sel_set_priors(&p->q);
    b->scope = save;
    b->subq_list = list;
    enum ex_op op = op_of(b, e, &p->q);
    rc = rc == 0 ? check(e, op, &p->q, reterr) : rc;
    if (rc != 0) {
        return rc;
    }
    bool left = op == EX_SUBQ_IN || op == EX_SUBQ_QUANT;
    struct ex *x = ex_new(b, op, type_of(b, op, p), e->span, left ? 1 : 0);
    rc = left ? left_side(b, e, x, &p->q, reterr) : 0;
    if (rc == 0) {
        p->ever = p->q.streams[0].kind == SRC_FILTER && !p->q.streams[0].views.has_window;
        p->num = (uint32_t)st->subqs.len;
        *VEC_PUSH(&st->subqs) = p;
        x->subq = p;
        *ret = x;
    }
    return rc;
}

/* ---- state ---- */

static bool batches(const struct subq *s)
{
    const struct view_plan *v = &s->p->q.streams[0].views;
    bool any = false;
    for (uint32_t i = 0; s->view != NULL && i < v->n_steps; i++) {
        any |= v->steps[i]->def->batch;
    }
    return any;
}

/* What leaves comes in the order in which it was told. */
static void tell(struct subq *s, struct evt **nw, size_t n_nw, struct evt **old, size_t n_old)
{
    size_t kept = 0, gone = 0;
    for (size_t i = 0; i < n_nw; i++) {
        evts_add(&s->told, evt_keep(nw[i]));
    }
    for (size_t i = 0; i < s->told.len; i++) {
        if (gone < n_old && s->told.ptr[i] == old[gone]) {
            gone++;
            evt_drop(s->in->eng->heap, s->told.ptr[i]);
        } else {
            s->told.ptr[kept++] = s->told.ptr[i];
        }
    }
    s->told.len = kept;
}

/* What the window puts out is what the subquery sees of batches; prior wants to know what came. */
static void put_out(void *arg, struct evt **nw, size_t n_nw, struct evt **old, size_t n_old)
{
    struct subq *s = arg;
    uint32_t prior = s->p->q.streams[0].prior;
    if (batches(s)) {
        tell(s, nw, n_nw, old, n_old);
    }
    if (prior > 0) {
        s->live += (int64_t)n_nw - (int64_t)n_old;
        prev_remember(s->in->eng->heap, &s->past, nw, n_nw,
                      (size_t)MAX(s->live, 0) + n_nw + prior + 1);
    }
}

/* Without a window only its aggregations hear of an event. */
static void count_in(struct subq *s, struct evt **rows, size_t n)
{
    const struct sel_plan *q = &s->p->q;
    for (size_t i = 0; i < n; i++) {
        struct ectx c = inst_ctx(s->in, &rows[i]);
        if (!ex_true(q->where, &c)) {
            continue;
        }
        struct group *g = q->n_group == 0 ? aggr_total(s->ever) : aggr_group(s->ever, &c, 0, 0);
        aggr_touch(g);
        aggr_enter(g, &c);
        aggr_keep_row(g, &rows[i]);
    }
}

static void take(struct subq *s, struct evt **nw, size_t n_nw, struct evt **old, size_t n_old)
{
    if (s->ever != NULL) {
        count_in(s, nw, n_nw);
        return;
    }
    s->view_ctx.now = s->in->eng->now;
    eng_view_update(s->in, s->view, nw, n_nw, old, n_old);
}

static void arrive(void *arg, struct evt *e)
{
    struct subq *s = arg;
    const struct contained *of = s->p->q.streams[0].contained;
    if (of == NULL) {
        take(s, &e, 1, NULL, 0);
        return;
    }
    struct evts rows = {NULL, 0, 0};
    (void)contained_expand(of, s->in, e, &rows);
    take(s, rows.ptr, rows.len, NULL, 0);
    evts_done(&rows);
}

bool subq_owns(const struct route_leaf *l)
{
    return l->on == arrive;
}

static void changed(void *arg, struct evt **nw, size_t n_nw, struct evt **old, size_t n_old)
{
    take(arg, nw, n_nw, old, n_old);
}

static void fill(void *arg, struct evt *e)
{
    take(arg, &e, 1, NULL, 0);
}

static void open_one(struct inst *in, struct subq_plan *p)
{
    struct subq *s = MEM_NEW(struct subq);
    *VEC_PUSH(&in->subqs) = s;
    s->p = p;
    s->in = in;
    const struct sel_stream *src = &p->q.streams[0];
    if (src->views.n_steps > 0) {
        s->view_ctx = inst_ctx(in, s->row);
        s->env = (struct view_env){.heap = in->eng->heap,
                                   .timers = in->eng->timers,
                                   .lim = in->st->query ? NULL : &in->eng->lim,
                                   .ctx = &s->view_ctx,
                                   .rank = in->st->rank,
                                   .inst = in,
                                   .prev = true};
        s->view = view_new(&src->views, &s->env, put_out, s);
    }
    if (p->ever) {
        s->ever = aggr_new(&p->q.layout, p->q.group, p->q.n_group, 1, in->eng->heap);
        if (in->st->causes) {
            aggr_causes(s->ever, false, false);
        }
        aggr_limit(s->ever, in->st->query ? NULL : &in->eng->lim);
    }
    if (src->kind == SRC_FILTER) {
        s->leaf = route_add(in->eng->route, &src->filter, NULL, arrive, s, in, &eng_ectx_ops,
                            in->st->rank);
    } else if (src->kind == SRC_WINDOW && s->view != NULL) {
        if (!in->eng->loading) {
            nwin_each(src->win, in->props, fill, s);
        }
        nwin_consume(src->win, in, NULL, changed, s);
    }
}

void subq_open_all(struct inst *in)
{
    VEC_EACH (&in->st->subqs, p) {
        open_one(in, *p);
    }
}

void subq_close_all(struct inst *in)
{
    VEC_EACH (&in->subqs, s) {
        if ((*s)->leaf != NULL) {
            route_remove(in->eng->route, (*s)->leaf);
        }
        if ((*s)->p->q.streams[0].kind == SRC_WINDOW) {
            nwin_forget(in, *s);
        }
        view_free((*s)->view);
        if ((*s)->ever != NULL) {
            aggr_free((*s)->ever);
        }
        for (size_t k = 0; k < (*s)->past.len; k++) {
            evt_drop(in->eng->heap, (*s)->past.ptr[k]);
        }
        for (size_t k = 0; k < (*s)->told.len; k++) {
            evt_drop(in->eng->heap, (*s)->told.ptr[k]);
        }
        evts_done(&(*s)->told);
        evts_done(&(*s)->past);
        mem_free(*s);
    }
    VEC_DONE(&in->subqs);
}

void subq_save_all(struct inst *in, struct save *s)
{
    save_u(s, in->subqs.len);
    VEC_EACH (&in->subqs, q) {
        state_save_leaf(s, (*q)->leaf);
        save_i(s, (*q)->view_ctx.now);
        if ((*q)->ever != NULL) {
            aggr_save((*q)->ever, s);
            aggr_save_groups((*q)->ever, s, false);
            continue;
        }
        view_save((*q)->view, s);
        state_save_evts(s, &(*q)->past);
        if (batches(*q)) {
            state_save_evts(s, &(*q)->told);
        }
        save_i(s, (*q)->live);
    }
}

/* A group of what ever came is of this subquery. */
static void check_group(void *arg, const struct group *g, struct load *l)
{
    const struct sel_stream *p = arg;
    bool fine = g->level == 0 && g->kept == NULL;
    if (!fine || (g->row != NULL && g->row[0] != NULL && !ety_is(g->row[0]->type, p->type))) {
        load_fail(l, "a group that is not of this subquery");
    }
}

void subq_load_all(struct inst *in, struct load *l)
{
    if (load_u(l) != in->subqs.len) {
        load_fail(l, "another number of subqueries");
        return;
    }
    VEC_EACH (&in->subqs, q) {
        state_load_leaf(l, in->eng->route, (*q)->leaf);
        (*q)->view_ctx.now = load_i(l);
        const struct sel_stream *p = &(*q)->p->q.streams[0];
        if ((*q)->ever != NULL) {
            aggr_load((*q)->ever, l);
            aggr_load_groups((*q)->ever, l, false, check_group, (void *)(uintptr_t)p);
            aggr_loaded((*q)->ever);
            continue;
        }
        view_load((*q)->view, l);
        state_load_evts(l, p->views.n_steps > 0 ? p->views.in : p->type, &(*q)->past);
        if (batches(*q)) {
            state_load_evts(l, p->views.in, &(*q)->told);
        }
        (*q)->live = load_i(l);
    }
}

/* ---- evaluation ---- */

struct walk {
    struct subq *s;
    struct ectx *outer;
    struct evts found;
};

static struct ectx inner_ctx(const struct subq *s, struct ectx *outer, struct evt **row)
{
    struct ectx c = inst_ctx(s->in, row);
    c.outer = outer;
    c.lambda = outer->lambda;
    return c;
}

static void try_row(void *arg, struct evt *e)
{
    struct walk *w = arg;
    const struct sel_plan *q = &w->s->p->q;
    struct ectx c = inner_ctx(w->s, w->outer, &e);
    if (q->streams[0].win_filter != NULL && !ex_true(q->streams[0].win_filter, &c)) {
        return;
    }
    if (ex_true(q->where, &c)) {
        evts_add(&w->found, e);
    }
}

static void all_rows(struct walk *w)
{
    const struct sel_stream *src = &w->s->p->q.streams[0];
    const struct evt *props = w->s->in->props;
    if (batches(w->s)) {
        for (size_t i = 0; i < w->s->told.len; i++) {
            try_row(w, w->s->told.ptr[i]);
        }
    } else if (w->s->view != NULL) {
        w->s->view_ctx.now = w->s->in->eng->now;
        view_each(w->s->view, try_row, w);
    } else if (src->kind == SRC_WINDOW) {
        nwin_each_told(src->win, props, try_row, w);
    } else {
        struct trows *t = table_of(src->table, props);
        if (t != NULL) {
            table_each(t, try_row, w);
        }
    }
}

static struct dat row_value(const struct subq *s, struct ectx *c)
{
    const struct sel_plan *q = &s->p->q;
    if (q->pass) {
        return dat_evt(c->row[0]);
    }
    if (q->n_cols == 1 && q->wild < 0) {
        return ex_eval(q->cols[0], c);
    }
    struct evt *e = evt_new(c->heap, q->out);
    for (uint32_t i = 0; i < q->n_cols; i++) {
        evt_set(e, i, ex_eval(q->cols[i], c));
    }
    return dat_evt(e);
}

struct values {
    VEC(struct dat) v;
    bool some; /* there are groups, even if having lets none pass */
};

static void values_of_groups(struct subq *s, struct ectx *outer, struct aggregator *a,
                             struct values *to)
{
    const struct sel_plan *q = &s->p->q;
    struct evt *none[1] = {NULL};
    for (struct group *g = aggr_first(a); g != NULL; g = g->next) {
        struct ectx c = inner_ctx(s, outer, g->row != NULL ? g->row : none);
        c.group = g;
        to->some |= q->n_group > 0;
        if (q->having == NULL || ex_true(q->having, &c)) {
            *VEC_PUSH(&to->v) = row_value(s, &c);
        }
    }
}

static void group_values(struct subq *s, struct ectx *outer, const struct evts *rows,
                         struct values *to)
{
    const struct sel_plan *q = &s->p->q;
    struct aggregator *a = aggr_new(&q->layout, q->group, q->n_group, 1, s->in->eng->heap);
    if (q->n_group == 0) {
        (void)aggr_total(a);
    }
    for (size_t i = 0; i < rows->len; i++) {
        struct ectx c = inner_ctx(s, outer, &rows->ptr[i]);
        struct group *g = q->n_group == 0 ? aggr_total(a) : aggr_group(a, &c, 0, 0);
        aggr_enter(g, &c);
        aggr_keep_row(g, &rows->ptr[i]);
    }
    values_of_groups(s, outer, a, to);
    aggr_free(a);
}

static void values_of_ever(struct subq *s, struct ectx *outer, struct values *to)
{
    if (s->p->q.n_group == 0) {
        (void)aggr_total(s->ever);
    }
    for (struct group *g = aggr_first(s->ever); outer->causes != NULL && g != NULL; g = g->next) {
        aggr_cause_list(g, NULL, outer->causes);
    }
    values_of_groups(s, outer, s->ever, to);
}

static void collect(struct subq *s, struct ectx *outer, struct values *to)
{
    const struct sel_plan *q = &s->p->q;
    if (s->ever != NULL) {
        values_of_ever(s, outer, to);
        return;
    }
    struct walk w = {.s = s, .outer = outer};
    all_rows(&w);
    if (outer->causes != NULL) {
        sel_sample(outer->causes, &w.found);
    }
    if (q->aggs.calls.len > 0 || q->n_group > 0) {
        group_values(s, outer, &w.found, to);
    } else {
        for (size_t i = 0; i < w.found.len; i++) {
            struct ectx c = inner_ctx(s, outer, &w.found.ptr[i]);
            if (q->having == NULL || ex_true(q->having, &c)) {
                *VEC_PUSH(&to->v) = row_value(s, &c);
            }
        }
    }
    evts_done(&w.found);
}

static struct dat among(const struct ex *e, struct dat x, const struct values *v)
{
    if (v->v.len == 0) {
        return dat_bool(e->negated);
    }
    if (dat_is_null(x)) {
        return DAT_NONE;
    }
    bool null = false;
    for (size_t i = 0; i < v->v.len; i++) {
        if (dat_is_null(v->v.ptr[i])) {
            null = true;
        } else if (dat_same(x, v->v.ptr[i])) {
            return dat_bool(!e->negated);
        }
    }
    return null ? DAT_NONE : dat_bool(e->negated);
}

static struct dat quantified(const struct ex *e, struct dat x, const struct values *v)
{
    bool null = false;
    for (size_t i = 0; i < v->v.len; i++) {
        struct dat r = ex_compare(e->cmp, x, v->v.ptr[i], false);
        if (dat_is_null(r)) {
            null = true;
        } else if (r.b != e->all) {
            return dat_bool(!e->all);
        }
    }
    return null ? DAT_NONE : dat_bool(e->all);
}

static struct dat answer(const struct subq *s, const struct ex *e, struct ectx *c,
                         const struct values *v)
{
    switch (e->op) {
    case EX_SUBQ_EXISTS: return dat_bool(v->v.len > 0);
    case EX_SUBQ_IN: return among(e, ex_eval(e->args[0], c), v);
    case EX_SUBQ_QUANT: return quantified(e, ex_eval(e->args[0], c), v);
    case EX_SUBQ_LIST: {
        if (v->v.len == 0 && !v->some) {
            return DAT_NONE;
        }
        struct vlist *l = vlist_new(c->heap, v->v.len);
        for (size_t i = 0; i < v->v.len; i++) {
            vlist_set(l, i, v->v.ptr[i]);
        }
        return dat_list(l);
    }
    default: break;
    }
    if (v->v.len == 1) {
        return v->v.ptr[0];
    }
    /* Several columns of no row, or of more than one: a structure of nulls. */
    bool structure = e->op == EX_SUBQ_ROW && !s->p->q.pass;
    return structure ? dat_evt(evt_new(c->heap, s->p->q.out)) : DAT_NONE;
}

void subq_prev(const struct ectx *c, const struct ex *e, struct view **ret_view,
               const struct evts **ret_past)
{
    assert(c->inst != NULL && e->subq->num < c->inst->subqs.len);
    const struct subq *s = c->inst->subqs.ptr[e->subq->num];
    *ret_view = s->view;
    *ret_past = &s->past;
}

struct dat subq_value(struct ectx *c, const struct ex *e)
{
    assert(c->inst != NULL && e->subq->num < c->inst->subqs.len);
    struct subq *s = c->inst->subqs.ptr[e->subq->num];
    struct values v = {0};
    collect(s, c, &v);
    struct dat ret = answer(s, e, c, &v);
    VEC_DONE(&v.v);
    return ret;
}

const struct etype *subq_event_type(const struct subq_plan *p)
{
    return p->q.streams[0].kind == SRC_FILTER ? p->q.streams[0].in : NULL;
}
