/* SPDX-License-Identifier: Apache-2.0
 *
 * See nwin.h. Each partition of a context has rows of its own: an instance of the statement that
 * created the window.
 */
#include "operators/graph/nwin.h"

#include "core/base/mem.h"
#include "operators/graph/ctx.h"
#include "operators/graph/limit.h"
#include "operators/graph/sel.h"
#include "operators/graph/state.h"
#include "operators/graph/state_parts.h"
#include "operators/graph/subq.h"

#include <assert.h>

struct consumer {
    struct inst *in;
    const struct ex *filter;
    void (*fn)(void *arg, struct evt **nw, size_t n_nw, struct evt **old, size_t n_old);
    void *arg;
    uint64_t rank;
};

struct consumers {
    VEC(struct consumer) v; /* in order of rank */
};

struct nwin_inst;

struct nwin {
    struct stmt *st;
    const struct etype *type;
    struct view_plan views;
    const struct ex *part;      /* of a context: what a row must fulfil to belong to a partition */
    struct consumers consumers; /* those of a context are in its instances */
    VEC(struct nwin_inst *) changed; /* since the last dispatch */
    bool dirty;
};

struct nwin_inst {
    struct inst in;
    struct nwin *w;
    struct view *view;
    struct view_env env;
    struct ectx view_ctx;
    struct evt *row[1];
    struct evts nw, old;
    bool changed;
    struct consumers consumers; /* of the same partition */
};

const struct etype *nwin_type(const struct nwin *w)
{
    return w->type;
}

const struct view_plan *nwin_views(const struct nwin *w)
{
    return &w->views;
}

bool nwin_batches(const struct nwin *w)
{
    bool any = false;
    for (uint32_t i = 0; i < w->views.n_steps; i++) {
        any |= w->views.steps[i]->def->batch;
    }
    return any;
}

bool nwin_serves(const struct nwin *w, const struct stmt *st)
{
    const struct view_plan *v = &w->views;
    bool whole = v->n_steps > 0 && v->steps[v->n_steps - 1]->def->data_window;
    return whole && v->n_group_cols == 0 && !nwin_batches(w) &&
           (w->st->context == NULL || w->st->context == st->context);
}

static void mark(struct nwin *w)
{
    if (!w->dirty) {
        w->dirty = true;
        *VEC_PUSH(&w->st->eng->wins_dirty) = w;
    }
}

static void out(void *arg, struct evt **nw, size_t n_nw, struct evt **old, size_t n_old)
{
    struct nwin_inst *i = arg;
    for (size_t k = 0; k < n_nw; k++) {
        evts_add(&i->nw, nw[k]);
    }
    for (size_t k = 0; k < n_old; k++) {
        evts_add(&i->old, old[k]);
    }
    if (!i->changed) {
        i->changed = true;
        *VEC_PUSH(&i->w->changed) = i;
    }
    mark(i->w);
}

static struct nwin_inst *of(const struct nwin *w, const struct evt *props)
{
    struct inst *in = w->st->context == NULL ? w->st->insts.ptr[0] : inst_of(w->st, props);
    return (struct nwin_inst *)(void *)in;
}

/* A row from outside of the window's context: to the partitions that it belongs to. */
static void insert_foreign(struct nwin *w, struct evt *e)
{
    for (size_t k = 0; k < w->st->insts.len; k++) {
        struct nwin_inst *i = (struct nwin_inst *)(void *)w->st->insts.ptr[k];
        struct ectx c = inst_ctx(&i->in, &e);
        if (!i->in.stopped && ex_true(w->part, &c) && !c.failed) {
            i->view_ctx.now = i->in.eng->now;
            eng_view_update(&i->in, i->view, &e, 1, NULL, 0);
        }
    }
}

void nwin_insert(struct nwin *w, struct evt *e, struct inst *from)
{
    if (w->st->insts.len == 0) {
        return;
    }
    if (w->st->context != NULL && (from == NULL || from->st->context != w->st->context)) {
        insert_foreign(w, e);
        return;
    }
    struct nwin_inst *i = of(w, from != NULL ? from->props : NULL);
    if (i != NULL) {
        i->view_ctx.now = i->in.eng->now;
        eng_view_update(&i->in, i->view, &e, 1, NULL, 0);
    }
}

void nwin_change(struct nwin *w, const struct evt *props, struct evt **nw, size_t n_nw,
                 struct evt **old, size_t n_old)
{
    struct nwin_inst *i = w->st->insts.len > 0 ? of(w, props) : NULL;
    if (i != NULL) {
        i->view_ctx.now = i->in.eng->now;
        eng_view_update(&i->in, i->view, nw, n_nw, old, n_old);
    }
}

void nwin_each(struct nwin *w, const struct evt *props, void (*fn)(void *arg, struct evt *e),
               void *arg)
{
    struct nwin_inst *i = w->st->insts.len > 0 ? of(w, props) : NULL;
    if (i != NULL) {
        if (!i->in.eng->loading) { /* it has been loaded: this is no more of its history */
            i->view_ctx.now = i->in.eng->now;
        }
        view_each(i->view, fn, arg);
    }
}

struct told {
    struct evts *nw; /* those not told yet */
    void (*fn)(void *arg, struct evt *e);
    void *arg;
};

static bool holds(const struct evts *v, const struct evt *e)
{
    for (size_t k = 0; k < v->len; k++) {
        if (v->ptr[k] == e) {
            return true;
        }
    }
    return false;
}

static void each_told(void *arg, struct evt *e)
{
    const struct told *t = arg;
    if (!holds(t->nw, e)) {
        t->fn(t->arg, e);
    }
}

void nwin_each_told(struct nwin *w, const struct evt *props, void (*fn)(void *arg, struct evt *e),
                    void *arg)
{
    struct nwin_inst *i = w->st->insts.len > 0 ? of(w, props) : NULL;
    if (i == NULL || !i->changed) {
        nwin_each(w, props, fn, arg);
        return;
    }
    struct told t = {&i->nw, fn, arg};
    for (size_t k = 0; k < i->old.len; k++) {
        each_told(&t, i->old.ptr[k]);
    }
    nwin_each(w, props, each_told, &t);
}

void nwin_each_all(struct nwin *w, void (*fn)(void *arg, struct evt *e), void *arg)
{
    VEC_EACH (&w->st->insts, in) {
        struct nwin_inst *i = (struct nwin_inst *)(void *)*in;
        i->view_ctx.now = i->in.eng->now;
        view_each(i->view, fn, arg);
    }
}

/* Where the consumers of an instance are: with the rows of its partition, or with all rows. */
static struct consumers *consumers_of(struct nwin *w, const struct inst *in)
{
    if (w->st->context == NULL || in->st->context != w->st->context) {
        return &w->consumers;
    }
    struct nwin_inst *i = of(w, in->props);
    return i != NULL ? &i->consumers : NULL;
}

void nwin_consume(struct nwin *w, struct inst *in, const struct ex *filter,
                  void (*fn)(void *arg, struct evt **nw, size_t n_nw, struct evt **old,
                             size_t n_old),
                  void *arg)
{
    struct consumer c = {in, filter, fn, arg, in->st->rank & 0xffffffffffffULL};
    struct consumers *to = consumers_of(w, in);
    if (to == NULL) {
        return;
    }
    (void)VEC_PUSH(&to->v);
    size_t at = to->v.len - 1;
    while (at > 0 && to->v.ptr[at - 1].rank > c.rank) {
        to->v.ptr[at] = to->v.ptr[at - 1];
        at--;
    }
    to->v.ptr[at] = c;
}

static void forget(struct nwin *w, const struct inst *in, const void *arg)
{
    struct consumers *c = w->st->insts.len > 0 ? consumers_of(w, in) : &w->consumers;
    for (size_t i = c != NULL ? c->v.len : 0; i-- > 0;) {
        if (c->v.ptr[i].in == in && c->v.ptr[i].arg == arg) {
            (void)VEC_REMOVE(&c->v, i);
        }
    }
    if (c != NULL && c->v.len == 0) {
        VEC_DONE(&c->v);
    }
}

void nwin_forget(struct inst *in, const void *arg)
{
    MAP_EACH (&in->eng->cat.types, m) {
        const struct cat_entry *e = m->value;
        if (e->kind == CAT_WINDOW && e->what != NULL) {
            forget(e->what, in, arg);
        }
    }
}

static void filtered(const struct consumer *c, struct evt **v, size_t n, struct evts *to)
{
    for (size_t i = 0; i < n; i++) {
        struct ectx x = inst_ctx(c->in, &v[i]);
        if (ex_true(c->filter, &x)) {
            evts_add(to, v[i]);
        }
    }
}

static void tell(struct nwin *w, struct nwin_inst *i, struct evts *nw, struct evts *old)
{
    struct evts fn = {0}, fo = {0};
    size_t a = 0, b = 0;
    while (a < w->consumers.v.len || b < i->consumers.v.len) {
        bool own =
            a == w->consumers.v.len ||
            (b < i->consumers.v.len && i->consumers.v.ptr[b].rank < w->consumers.v.ptr[a].rank);
        struct consumer c = own ? i->consumers.v.ptr[b++] : w->consumers.v.ptr[a++];
        if (c.in->stopped) {
            continue;
        }
        inst_touch(c.in);
        if (c.filter == NULL) {
            c.fn(c.arg, nw->ptr, nw->len, old->ptr, old->len);
        } else {
            evts_clear(&fn);
            evts_clear(&fo);
            filtered(&c, nw->ptr, nw->len, &fn);
            filtered(&c, old->ptr, old->len, &fo);
            if (fn.len + fo.len > 0) {
                c.fn(c.arg, fn.ptr, fn.len, fo.ptr, fo.len);
            }
        }
    }
    evts_done(&fn);
    evts_done(&fo);
}

static void dispatch_one(struct nwin *w)
{
    w->dirty = false;
    size_t n = w->changed.len; /* what changes meanwhile waits for the next dispatch */
    for (size_t k = 0; k < n; k++) {
        struct nwin_inst *i = w->changed.ptr[k];
        struct evts nw = i->nw, old = i->old;
        i->changed = false;
        i->nw = (struct evts){NULL, 0, 0};
        i->old = (struct evts){NULL, 0, 0};
        if (nw.len + old.len > 0) {
            stmt_out(w->st, nw.ptr, nw.len, old.ptr, old.len);
            tell(w, i, &nw, &old);
        }
        evts_done(&nw);
        evts_done(&old);
    }
    for (size_t k = n; k < w->changed.len; k++) {
        w->changed.ptr[k - n] = w->changed.ptr[k];
    }
    w->changed.len -= n;
}

void nwin_dispatch(struct eng *e)
{
    size_t n = e->wins_dirty.len;
    for (size_t i = 0; i < n; i++) {
        dispatch_one(e->wins_dirty.ptr[i]);
    }
    for (size_t i = n; i < e->wins_dirty.len; i++) {
        e->wins_dirty.ptr[i - n] = e->wins_dirty.ptr[i];
    }
    e->wins_dirty.len -= n;
}

/* ---- create window ---- */

static struct inst *start(struct stmt *st, struct evt *props)
{
    struct nwin *w = st->plan;
    struct nwin_inst *i = MEM_NEW(struct nwin_inst);
    i->w = w;
    inst_init(&i->in, st, props);
    i->view_ctx = inst_ctx(&i->in, i->row);
    i->env = (struct view_env){.heap = st->eng->heap,
                               .timers = st->eng->timers,
                               .lim = &st->eng->lim,
                               .ctx = &i->view_ctx,
                               .rank = st->rank,
                               .inst = &i->in,
                               .prev = true};
    i->view = view_new(&w->views, &i->env, out, i);
    return &i->in;
}

static void stop(struct inst *in)
{
    struct nwin_inst *i = (struct nwin_inst *)(void *)in;
    view_free(i->view);
    for (size_t k = i->changed ? i->w->changed.len : 0; k-- > 0;) {
        if (i->w->changed.ptr[k] == i) {
            (void)VEC_REMOVE(&i->w->changed, k);
        }
    }
    VEC_DONE(&i->consumers.v);
    if (i->w->changed.len == 0) {
        VEC_DONE(&i->w->changed);
    }
    evts_done(&i->nw);
    evts_done(&i->old);
    inst_done(in);
    mem_free(i);
}

static void look(struct inst *in, bool at_clock)
{
    struct nwin_inst *i = (struct nwin_inst *)(void *)in;
    i->view_ctx.now = in->eng->now;
    if (!at_clock) {
        VEC_EACH (&in->eng->vars_changed, v) {
            view_poke(i->view, *v);
        }
    }
}

static void save(struct inst *in, struct save *s)
{
    struct nwin_inst *i = (struct nwin_inst *)(void *)in;
    assert(!i->changed && "the step is over");
    save_i(s, i->view_ctx.now);
    view_save(i->view, s);
}

static void load(struct inst *in, struct load *l)
{
    struct nwin_inst *i = (struct nwin_inst *)(void *)in;
    i->view_ctx.now = load_i(l);
    view_load(i->view, l);
}

static const struct stmt_ops ops = {
    .start = start, .stop = stop, .look = look, .save = save, .load = load};

/* Columns: declared, those of a type, or of a select. */
static int columns(struct stmt *st, struct bind *b, const struct etype **ret, struct err *reterr)
{
    const struct ast_stmt *a = st->ast;
    struct arena *arena = st->eng->arena;
    if (a->n_cols > 0) {
        struct ecol *cols = arena_array(arena, a->n_cols, sizeof *cols);
        for (uint32_t i = 0; i < a->n_cols; i++) {
            cols[i].name = a->cols[i].name;
            int rc = cat_column_type(&st->eng->cat, &a->cols[i].type, &cols[i].ty, reterr);
            if (rc != 0) {
                return rc;
            }
        }
        *ret = ety_new(arena, &st->types, ETYPE_WINDOW, a->name, cols, a->n_cols, NULL, 0);
    } else if (a->as_select != NULL) {
        struct sel_plan *p = ARENA_NEW(b->a, struct sel_plan);
        int rc = sel_bind_streams(st, b, a->as_select, p, reterr);
        struct scope s = sel_scope(st, b, p);
        b->scope = &s;
        rc = rc == 0 ? sel_bind_items(st, b, a->as_select->items, a->as_select->n_items, p, reterr)
                     : rc;
        b->scope = NULL;
        if (rc != 0) {
            return rc;
        }
        *ret = ety_new(arena, &st->types, ETYPE_WINDOW, a->name, p->out->cols, p->out->n_cols, NULL,
                       0);
    } else {
        const struct cat_entry *e = cat_type(b->cat, a->class_name);
        if (e == NULL) {
            return bind_err(reterr, a->span,
                            "there is no event type '" SLICE_FMT "' for the window's rows",
                            SLICE_ARG(a->class_name));
        }
        *ret = ety_new(arena, &st->types, ETYPE_WINDOW, a->name, e->type->cols, e->type->n_cols,
                       NULL, 0);
        if (*ret != NULL) {
            ((struct etype *)(uintptr_t)*ret)->start_col = e->type->start_col;
            ((struct etype *)(uintptr_t)*ret)->end_col = e->type->end_col;
        }
    }
    return *ret != NULL ? 0 : bind_err(reterr, a->span, "a column stands twice");
}

static int bind_views(struct stmt *st, struct bind *b, struct nwin *w, struct err *reterr)
{
    const struct ast_stmt *a = st->ast;
    struct bind_stream stream = {.alias = a->name, .type = w->type};
    struct scope s = {.streams = &stream,
                      .n_streams = 1,
                      .no_aggs = "here",
                      .subquery = subq_bind,
                      .subquery_arg = st,
                      .context = st->context != NULL ? ctx_props(st->context) : NULL};
    b->scope = &s;
    struct ast_stream views = a->window;
    int rc = view_plan(b, &views, w->type, &w->views, reterr);
    b->scope = NULL;
    if (rc == 0 && !w->views.has_window) {
        rc = bind_err(reterr, a->span, "a named window wants a data window, as in #keepall");
    }
    return rc;
}

struct filling {
    struct nwin *w;
    struct ins_plan *ins;
    const struct ex *where;
    struct inst *in;
    struct evts made;
};

static void fill_one(void *arg, struct evt *e)
{
    struct filling *f = arg;
    struct ectx c = inst_ctx(f->in, &e);
    if (ex_true(f->where, &c)) {
        evts_add(&f->made, ins_make(f->ins, f->in->eng, e));
    }
}

/* create window B#keepall as A insert [where c]: begins with the rows of A. */
static int insert_from(struct stmt *st, struct bind *b, struct nwin *w, struct filling *f,
                       struct err *reterr)
{
    const struct ast_stmt *a = st->ast;
    struct cat_entry *from = cat_type(b->cat, a->class_name);
    if (from == NULL || from->kind != CAT_WINDOW) {
        return bind_err(reterr, a->span, "'insert' wants a named window to take the rows from");
    }
    struct bind_stream stream = {.alias = a->class_name, .type = from->type};
    struct scope s = {.streams = &stream, .n_streams = 1, .no_aggs = "here"};
    b->scope = &s;
    struct ex *where = NULL;
    int rc = a->insert_where != NULL ? bind_cond(b, a->insert_where, "where", &where, reterr) : 0;
    b->scope = NULL;
    struct sel_plan p = {.out = from->type, .pass = true, .wild = -1};
    struct ast_insert i = {.into = a->name, .span = a->span};
    rc = rc == 0 ? ins_bind(st, b, &i, &p, &f->ins, reterr) : rc;
    f->w = from->what;
    f->where = where;
    (void)w;
    return rc;
}

static struct inst *start_filled(struct stmt *st, struct evt *props)
{
    struct inst *in = start(st, props);
    struct nwin_inst *i = (struct nwin_inst *)(void *)in;
    struct filling *f = st->init;
    if (f != NULL && !st->eng->loading) {
        f->in = in;
        nwin_each_all(f->w, fill_one, f);
        for (size_t k = 0; k < f->made.len; k++) {
            eng_view_update(&i->in, i->view, &f->made.ptr[k], 1, NULL, 0);
        }
        evts_done(&f->made);
        evts_clear(&i->nw);
        evts_clear(&i->old);
    }
    return in;
}

static const struct stmt_ops ops_filled = {
    .start = start_filled, .stop = stop, .look = look, .save = save, .load = load};

int stmt_create_window(struct stmt *st, struct err *reterr)
{
    struct nwin *w = ARENA_NEW(st->dep->arena, struct nwin);
    struct bind b = stmt_bind(st);
    w->st = st;
    int rc = columns(st, &b, &w->type, reterr);
    rc = rc == 0 ? bind_views(st, &b, w, reterr) : rc;
    if (rc == 0 && st->context != NULL) {
        rc = ctx_window_cond(st, &b, w->type, &w->part, reterr);
    }
    struct cat_entry *e = rc == 0 ? eng_add(st, CAT_WINDOW, st->ast->name, reterr) : NULL;
    if (rc == 0 && e == NULL) {
        rc = -(int)reterr->code;
    }
    if (rc == 0) {
        eng_declare(st->eng, (struct etype *)(uintptr_t)w->type);
        e->type = w->type;
        e->what = w;
        st->plan = w;
        st->ops = &ops;
        if (st->ast->insert_from) {
            struct filling *f = ARENA_NEW(b.a, struct filling);
            rc = insert_from(st, &b, w, f, reterr);
            st->init = f;
            st->ops = &ops_filled;
        }
    }
    (void)stmt_used(st, &b);
    return rc;
}
