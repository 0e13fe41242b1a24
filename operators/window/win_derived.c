/* SPDX-License-Identifier: Apache-2.0
 *
 * See win_derived.h.
 */
#include "operators/window/win_derived.h"

#include "core/base/buf.h"
#include "core/base/mem.h"
#include "operators/epl/epl.h"
#include "operators/window/win_param.h"

#include <assert.h>

enum { FURTHER_MAX = 64 };

struct further {
    struct bind *b;
    const struct etype *in;
    struct win_derived_step *s;
    struct ecol *cols;
    uint32_t n_cols;
};

static int add_column(struct further *f, struct ex *x, struct slice name, struct span span,
                      struct err *reterr)
{
    if (f->s->n_args - f->s->n_numbers == FURTHER_MAX) {
        return bind_err(reterr, span, "more than %d columns", FURTHER_MAX);
    }
    f->s->args[f->s->n_args++] = x;
    f->cols[f->n_cols++] = (struct ecol){.name = name, .ty = x->ty};
    return 0;
}

static int add_all(struct further *f, const struct ast_expr *e, struct err *reterr)
{
    int rc = 0;
    struct bind_stream stream;
    (void)win_scope(f->b, f->in, &stream);
    for (uint32_t i = 0; rc == 0 && i < f->in->n_cols; i++) {
        struct ex *x = ex_new(f->b, EX_PROP, f->in->cols[i].ty, e->span, 0);
        x->of = f->in;
        x->slot = (uint16_t)i;
        x->stream = stream.num;
        x->name = f->in->cols[i].name;
        rc = add_column(f, x, x->name, e->span, reterr);
    }
    return rc;
}

static int add_one(struct further *f, const struct ast_expr *e, struct err *reterr)
{
    struct bind_stream stream;
    struct scope s = win_scope(f->b, f->in, &stream), *save = f->b->scope;
    struct ex *x = NULL;
    if (e->kind == AST_STAR) {
        return add_all(f, e, reterr);
    }
    f->b->scope = &s;
    int rc = bind_expr(f->b, e, &x, reterr);
    f->b->scope = save;
    if (rc != 0) {
        return rc;
    }
    struct buf name;
    buf_init(&name, 4096);
    epl_print_column(e, &name);
    rc = add_column(f, x, arena_copy(f->b->a, buf_slice(&name)), e->span, reterr);
    buf_done(&name);
    return rc;
}

int win_derived_bind(struct bind *b, const struct ast_view *v, const struct etype *in,
                     struct win_derived_step *s, const struct ecol *own, uint32_t n_own,
                     uint32_t n_numbers, const struct etype **ret_out, struct err *reterr)
{
    const struct view_def *d = s->step.def;
    int rc = win_count(d, v, n_numbers, FURTHER_MAX, reterr);
    if (rc != 0) {
        return rc;
    }
    struct further f = {.b = b, .in = in, .s = s, .n_cols = n_own};
    s->args = arena_array(b->a, n_numbers + FURTHER_MAX + 1, sizeof *s->args);
    f.cols = arena_array(b->a, n_own + FURTHER_MAX + 1, sizeof *f.cols);
    memcpy(f.cols, own, n_own * sizeof *own);
    for (uint32_t i = 0; rc == 0 && i < n_numbers; i++) {
        rc = win_number(b, d, v->args[i], in, false, &s->args[i], reterr);
    }
    s->n_numbers = s->n_args = n_numbers;
    for (uint32_t i = n_numbers; rc == 0 && i < v->n_args; i++) {
        rc = add_one(&f, v->args[i], reterr);
    }
    if (rc != 0) {
        return rc;
    }
    *ret_out = ety_new(b->a, b->types, ETYPE_ANON, SLICE_NONE, f.cols, f.n_cols, NULL, 0);
    return *ret_out != NULL ? 0 : bind_err(reterr, v->span, "#%s: a column stands twice", d->name);
}

void win_derived_init(struct win_derived *d, const struct view_ops *ops,
                      const struct view_step *step, struct view_env *env)
{
    win_init(&d->w, ops, step, env);
    d->s = (const struct win_derived_step *)(const void *)step;
    d->extra = mem_calloc(d->s->n_args - d->s->n_numbers + 1, sizeof *d->extra);
    if (env->causes && env->leaves) {
        d->live = cause_live_new(env->heap, false);
    } else if (env->causes) {
        d->ever = MEM_NEW(struct cause_ever);
    }
}

void win_derived_done(struct win_derived *d)
{
    struct vheap *h = d->w.v.env->heap;
    for (uint32_t i = 0; i < d->s->n_args - d->s->n_numbers; i++) {
        dat_drop(h, d->extra[i]);
    }
    if (d->was != NULL) {
        evt_drop(h, d->was);
    }
    mem_free(d->extra);
    cause_live_free(d->live);
    mem_free(d->ever);
    win_done(&d->w);
}

/* Those that are wanted now take the place of the empty ones. */
static void load_causes(struct win_derived *d, struct load *l)
{
    struct cause_live *live = NULL;
    struct cause_ever *ever = NULL;
    cause_load(l, &live, &ever);
    if (d->live != NULL && live != NULL) {
        cause_live_free(d->live);
        d->live = live;
        live = NULL;
    }
    if (d->ever != NULL && ever != NULL) {
        *d->ever = *ever;
    }
    cause_live_free(live);
    mem_free(ever);
}

/* Values of the further columns; the row; causes. */
void win_derived_save(const struct win_derived *d, struct save *s)
{
    assert(d->was != NULL);
    save_vals(s, d->extra, d->s->n_args - d->s->n_numbers);
    save_evt(s, d->was);
    cause_save(s, d->live, d->ever);
}

void win_derived_load(struct win_derived *d, struct load *l)
{
    struct vheap *h = d->w.v.env->heap;
    for (uint32_t i = 0; i < d->s->n_args - d->s->n_numbers; i++) {
        dat_drop(h, d->extra[i]);
        d->extra[i] = dat_keep(load_val(l));
    }
    struct evt *was = load_evt_of(l, d->s->step.out);
    if (load_ok(l)) {
        evt_drop(h, d->was);
        d->was = evt_keep(was);
    }
    load_causes(d, l);
}

bool win_derived_numbers(struct win_derived *d, struct evt *e, double *ret)
{
    for (uint32_t i = 0; i < d->s->n_numbers; i++) {
        struct dat v = win_eval(d->w.v.env, d->s->args[i], e);
        if (!dat_is_number(v)) {
            return false;
        }
        ret[i] = dat_to_double(v);
    }
    return true;
}

static void cause(struct win_derived *d, struct evt **nw, size_t n_nw, struct evt **old,
                  size_t n_old)
{
    for (size_t i = 0; d->live != NULL && i < n_nw; i++) {
        cause_live_enter(d->live, nw[i]);
    }
    for (size_t i = 0; d->live != NULL && i < n_old; i++) {
        cause_live_leave(d->live, old[i]);
    }
    for (size_t i = 0; d->ever != NULL && i < n_nw; i++) {
        cause_ever_add(d->ever, d->w.v.env->ctx->now, nw[i]);
    }
}

void win_derived_seen(struct win_derived *d, struct evt **nw, size_t n_nw, struct evt **old,
                      size_t n_old)
{
    cause(d, nw, n_nw, old, n_old);
    uint32_t n = d->s->n_args - d->s->n_numbers;
    if (n_nw == 0) {
        return;
    }
    for (uint32_t i = 0; i < n; i++) {
        struct dat v = win_eval(d->w.v.env, d->s->args[d->s->n_numbers + i], nw[n_nw - 1]);
        (void)dat_keep(v);
        dat_drop(d->w.v.env->heap, d->extra[i]);
        d->extra[i] = v;
    }
}

struct evt *win_derived_row(struct win_derived *d, const struct dat *own, uint32_t n_own)
{
    struct evt *row = evt_new(d->w.v.env->heap, d->s->step.out);
    uint32_t n = d->s->n_args - d->s->n_numbers;
    assert(row->type->n_cols == n_own + n);
    for (uint32_t i = 0; i < n_own; i++) {
        evt_set(row, i, own[i]);
    }
    for (uint32_t i = 0; i < n; i++) {
        evt_set(row, n_own + i, d->extra[i]);
    }
    if (d->live != NULL || d->ever != NULL) {
        struct cause_list all;
        cause_list_init(&all, CAUSE_KEPT);
        if (d->live != NULL) {
            cause_live_list(d->live, NULL, &all);
        } else {
            cause_ever_list(d->ever, NULL, &all);
        }
        cause_give(d->w.v.env->heap, row, &all);
    }
    return row;
}

void win_derived_first(struct win_derived *d, struct evt *row)
{
    assert(d->was == NULL);
    d->was = evt_keep(row);
}

void win_derived_put(struct win_derived *d, struct evt *row)
{
    struct evt *was = d->was;
    d->was = evt_keep(row);
    evt_drop(d->w.v.env->heap, was);
    d->w.v.sink(d->w.v.sink_arg, &row, 1, &was, 1);
}
