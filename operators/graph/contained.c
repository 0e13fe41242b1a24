/* SPDX-License-Identifier: Apache-2.0
 *
 * See contained.h. Each level iterates a collection found in what the level before gave. `*` is a
 * column with the element under its alias, or the element's own columns if it has none; columns of
 * earlier levels stay.
 */
#include "operators/graph/contained.h"

#include "operators/graph/sel.h"
#include "operators/graph/subq.h"

#include <assert.h>

enum { LEVELS_MAX = 8, COLS_MAX = 256 };

struct level {
    struct ex *path, *where;
    const struct etype *elem;
    uint32_t n_cols, at; /* columns it adds, and where */
    struct ex **cols;
};

struct contained {
    struct level level[LEVELS_MAX];
    uint32_t n;
    const struct etype *out; /* NULL: the last element itself */
};

struct making {
    struct ecol cols[COLS_MAX];
    uint32_t n;
    bool any;
};

static int add_col(struct making *m, struct slice name, struct ty ty, struct span span,
                   struct err *reterr)
{
    if (m->n == COLS_MAX) {
        return bind_err(reterr, span, "more than %d columns", COLS_MAX);
    }
    for (uint32_t i = 0; i < m->n; i++) {
        if (slice_eq(m->cols[i].name, name)) {
            return bind_err(reterr, span, "column '" SLICE_FMT "' stands twice", SLICE_ARG(name));
        }
    }
    m->cols[m->n++] = (struct ecol){.name = name, .ty = ty};
    return 0;
}

static int star(struct bind *b, const struct bind_stream *s, struct slice alias, struct level *l,
                struct making *m, struct span span, struct err *reterr)
{
    if (alias.len > 0) {
        struct ex *x =
            ex_new(b, EX_STREAM, ((struct ty){.kind = TY_EVENT, .ev = s->type}), span, 0);
        x->stream = s->num;
        x->of = s->type;
        l->cols[l->n_cols++] = x;
        return add_col(m, alias, x->ty, span, reterr);
    }
    int rc = 0;
    for (uint32_t i = 0; rc == 0 && i < s->type->n_cols; i++) {
        struct ex *x = ex_new(b, EX_PROP, s->type->cols[i].ty, span, 0);
        x->stream = s->num;
        x->of = s->type;
        x->slot = (uint16_t)i;
        l->cols[l->n_cols++] = x;
        rc = add_col(m, s->type->cols[i].name, x->ty, span, reterr);
    }
    return rc;
}

static struct slice item_name(struct bind *b, const struct ast_item *it)
{
    if (it->as.len > 0) {
        return it->as;
    }
    struct buf text;
    buf_init(&text, 4096);
    epl_print_column(it->e, &text);
    struct slice s = arena_copy(b->a, buf_slice(&text));
    buf_done(&text);
    return s;
}

static int items(struct bind *b, const struct ast_contained *c, const struct bind_stream *elem,
                 struct level *l, struct making *m, struct err *reterr)
{
    l->at = m->n;
    l->cols = arena_array(b->a, COLS_MAX, sizeof(struct ex *));
    int rc = 0;
    for (uint32_t i = 0; rc == 0 && i < c->n_items; i++) {
        const struct ast_item *it = &c->items[i];
        if (it->star && it->stream.len > 0 && !slice_eq(it->stream, c->as)) {
            return bind_err(reterr, it->span, "there is no element '" SLICE_FMT "' here",
                            SLICE_ARG(it->stream));
        }
        if (it->star) { /* `e.*` and `*` without an alias are the element's columns */
            rc = star(b, elem, it->stream.len > 0 ? SLICE_NONE : c->as, l, m, c->span, reterr);
            continue;
        }
        struct ex *x = NULL;
        rc = bind_expr(b, it->e, &x, reterr);
        if (rc == 0) {
            l->cols[l->n_cols++] = x;
            rc = add_col(m, item_name(b, it), x->ty, it->span, reterr);
        }
    }
    m->any |= c->n_items > 0;
    return rc;
}

static int bind_level(struct stmt *st, struct bind *b, const struct ast_contained *c,
                      struct scope *s, struct level *l, struct making *m, struct err *reterr)
{
    struct scope last = *s;
    last.streams = &s->streams[s->n_streams - 1];
    last.n_streams = 1;
    last.outer = s;
    b->scope = &last;
    int rc = bind_expr(b, c->path, &l->path, reterr);
    b->scope = s;
    if (rc != 0) {
        return rc;
    }
    struct ty t = l->path->ty;
    const struct etype *elem =
        t.kind == TY_LIST && t.elem != NULL && t.elem->kind == TY_EVENT ? t.elem->ev : NULL;
    if (c->type.len > 0) {
        elem = eng_type(st->eng, c->type);
    } else if (t.kind == TY_EVENT) {
        elem = t.ev;
    }
    if (elem == NULL) {
        return bind_err(reterr, c->span,
                        "this is not a collection of events; a type can be given by @type(T)");
    }
    l->elem = elem;
    s->streams[s->n_streams] =
        (struct bind_stream){.alias = c->as, .type = elem, .num = (uint16_t)s->n_streams};
    s->n_streams++;
    rc = items(b, c, &s->streams[s->n_streams - 1], l, m, reterr);
    if (rc == 0 && c->where != NULL) {
        rc = bind_cond(b, c->where, "where", &l->where, reterr);
    }
    return rc;
}

/* A path was bound in a scope within the level's: its places count from there. */
static void unshift(struct ex *e)
{
    if (e->op == EX_PROP || e->op == EX_STREAM) {
        e->level = 0;
    }
    for (uint32_t i = 0; i < e->n_args; i++) {
        unshift(e->args[i]);
    }
}

int contained_bind(struct stmt *st, struct bind *b, const struct ast_stream *s,
                   const struct etype *in, struct slice alias, struct contained **ret,
                   const struct etype **ret_type, struct err *reterr)
{
    if (s->n_contained > LEVELS_MAX) {
        return bind_err(reterr, s->span, "more than %d levels of contained events", LEVELS_MAX);
    }
    struct contained *c = ARENA_NEW(b->a, struct contained);
    struct making *m = ARENA_NEW(b->a, struct making);
    struct bind_stream streams[LEVELS_MAX + 1] = {{.alias = alias, .type = in}};
    struct scope scope = *b->scope, *save = b->scope;
    scope.streams = streams;
    scope.n_streams = 1;
    int rc = 0;
    for (uint32_t i = 0; rc == 0 && i < s->n_contained; i++) {
        rc = bind_level(st, b, &s->contained[i], &scope, &c->level[i], m, reterr);
        if (rc == 0) {
            unshift(c->level[i].path);
        }
    }
    b->scope = save;
    if (rc != 0) {
        return rc;
    }
    c->n = s->n_contained;
    c->out =
        m->any ? ety_new(b->a, b->types, ETYPE_ANON, SLICE_NONE, m->cols, m->n, NULL, 0) : NULL;
    *ret_type = c->out != NULL ? c->out : c->level[c->n - 1].elem;
    *ret = c;
    return 0;
}

struct run {
    const struct contained *c;
    struct ectx *ctx;
    struct evts *to;
};

static void finish(struct run *r)
{
    const struct contained *c = r->c;
    struct evt **row = r->ctx->row;
    if (c->out == NULL) {
        if ((row[c->n]->ref.hi | row[c->n]->ref.lo) == 0) {
            row[c->n]->ref = row[0]->ref; /* it stands for the event it came with */
        }
        evts_add(r->to, row[c->n]);
        return;
    }
    struct evt *e = evt_new(r->ctx->heap, c->out);
    e->ref = row[0]->ref;
    for (uint32_t l = 0; l < c->n; l++) {
        for (uint32_t i = 0; i < c->level[l].n_cols; i++) {
            evt_set(e, c->level[l].at + i, ex_eval(c->level[l].cols[i], r->ctx));
        }
    }
    evts_add(r->to, e);
}

static void descend(struct run *r, uint32_t level);

static void element(struct run *r, uint32_t level, struct dat v)
{
    if (v.kind != DAT_EVENT) {
        return;
    }
    r->ctx->row[level + 1] = v.ev;
    if (ex_true(r->c->level[level].where, r->ctx)) {
        descend(r, level + 1);
    }
}

static void descend(struct run *r, uint32_t level)
{
    if (level == r->c->n) {
        finish(r);
        return;
    }
    struct dat v = ex_eval(r->c->level[level].path, r->ctx);
    if (v.kind == DAT_LIST) {
        for (uint32_t i = 0; i < v.l->len; i++) {
            element(r, level, v.l->v[i]);
        }
    } else {
        element(r, level, v);
    }
}

bool contained_expand(const struct contained *c, const struct inst *in, struct evt *e,
                      struct evts *to)
{
    struct evt *row[LEVELS_MAX + 1] = {e};
    struct ectx ctx = inst_ctx(in, row);
    if (dat_is_null(ex_eval(c->level[0].path, &ctx))) {
        return false;
    }
    struct run r = {c, &ctx, to};
    descend(&r, 0);
    return true;
}
