/* SPDX-License-Identifier: Apache-2.0
 *
 * See update.h. Updates of a type run from the lowest priority to the
 * highest, which has the last word, then in order of deployment. One with @Drop ends the event that
 * it applies to, as if it had not come: what updates before it did is not told either.
 */
#include "operators/graph/update.h"

#include "core/base/mem.h"
#include "operators/graph/on.h"
#include "operators/graph/subq.h"

struct upd_stream { /* also the instance: there is one, updates have no context */
    struct inst in;
    const struct etype *type;
    struct ex *where;
    struct assigns sets;
    struct evt *was, *now; /* what it made of the event being looked at; NULL */
};

struct upd_plan {
    const struct etype *type;
    struct ex *where;
    struct assigns sets;
};

const struct etype *upd_type(const struct stmt *st)
{
    return ((const struct upd_plan *)st->plan)->type;
}

const struct assigns *upd_sets(const struct stmt *st)
{
    return &((const struct upd_plan *)st->plan)->sets;
}

const struct ex *upd_where(const struct stmt *st)
{
    return ((const struct upd_plan *)st->plan)->where;
}

static struct evt *apply(struct upd_stream *u, struct evt *ev)
{
    struct evt *row[ON_STREAMS] = {ev, ev, ev};
    struct ectx c = inst_ctx(&u->in, row);
    if (!ex_true(u->where, &c)) {
        return ev;
    }
    struct evt *to = evt_new(u->in.eng->heap, ev->type);
    for (uint32_t i = 0; i < ev->type->n_cols; i++) {
        evt_set(to, i, ev->p[i]);
    }
    to->ref = ev->ref;
    to->causes = ev->causes;
    if (to->causes != NULL) {
        obj_keep(&to->causes->o);
    }
    to->extra = ev->extra;
    if (to->extra != NULL) {
        obj_keep(&to->extra->o);
    }
    const uint16_t *view = ety_view(ev->type, u->type);
    for (uint32_t i = 0; i < u->sets.n; i++) {
        uint16_t col = view != NULL ? view[u->sets.a[i].col] : u->sets.a[i].col;
        struct dat v =
            dat_to_column(u->in.eng->heap, ex_eval(u->sets.a[i].value, &c), ev->type->cols[col].ty);
        dat_drop(u->in.eng->heap, to->p[col]);
        evt_set(to, col, v);
    }
    return to;
}

struct evt *upd_apply(struct eng *e, struct evt *ev)
{
    for (size_t i = 0; i < e->updates.len && ev != NULL; i++) {
        struct upd_stream *u = e->updates.ptr[i];
        struct evt *to = ety_is(ev->type, u->type) ? apply(u, ev) : ev;
        if (to != ev) {
            u->was = ev;
            u->now = to;
            ev = u->in.st->drop ? NULL : to;
        }
    }
    for (size_t i = 0; i < e->updates.len; i++) {
        struct upd_stream *u = e->updates.ptr[i];
        if (u->now != NULL && ev != NULL) {
            stmt_out(u->in.st, &u->now, 1, &u->was, 1);
        }
        u->was = u->now = NULL;
    }
    return ev;
}

static struct inst *start(struct stmt *st, struct evt *props)
{
    const struct upd_plan *p = st->plan;
    struct upd_stream *u = MEM_NEW(struct upd_stream);
    u->type = p->type;
    u->where = p->where;
    u->sets = p->sets;
    u->was = u->now = NULL;
    inst_init(&u->in, st, props);
    (void)VEC_PUSH(&st->eng->updates);
    size_t at = st->eng->updates.len - 1;
    while (at > 0 && st->eng->updates.ptr[at - 1]->in.st->priority > st->priority) {
        st->eng->updates.ptr[at] = st->eng->updates.ptr[at - 1];
        at--;
    }
    st->eng->updates.ptr[at] = u;
    return &u->in;
}

static void stop(struct inst *in)
{
    struct eng *e = in->eng;
    for (size_t i = 0; i < e->updates.len; i++) {
        if (&e->updates.ptr[i]->in == in) {
            (void)VEC_REMOVE(&e->updates, i);
            break;
        }
    }
    inst_done(in);
    mem_free(in);
}

static const struct stmt_ops ops = {.start = start, .stop = stop};

int stmt_update(struct stmt *st, struct err *reterr)
{
    const struct ast_stmt *a = st->ast;
    struct bind b = stmt_bind(st);
    struct cat_entry *e = cat_type(b.cat, a->name);
    if (e == NULL || e->kind != CAT_TYPE) {
        return bind_err(reterr, a->span, "there is no stream '" SLICE_FMT "' to update",
                        SLICE_ARG(a->name));
    }
    *VEC_PUSH(&b.used) = e;
    struct upd_plan *p = ARENA_NEW(b.a, struct upd_plan);
    struct slice alias = a->as.len > 0 ? a->as : a->name;
    struct bind_stream stream = {.alias = alias, .type = e->type};
    struct scope s = {.streams = &stream,
                      .n_streams = 1,
                      .no_aggs = "here",
                      .subquery = subq_bind,
                      .subquery_arg = st};
    b.scope = &s;
    p->type = e->type;
    int rc = on_bind_sets(&b, a->sets, a->n_sets, e->type, SLICE_NONE, &p->sets, reterr);
    if (rc == 0 && a->where != NULL) {
        rc = bind_cond(&b, a->where, "where", &p->where, reterr);
    }
    (void)stmt_used(st, &b);
    st->ops = &ops;
    st->plan = p;
    return rc;
}
