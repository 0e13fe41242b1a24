/* SPDX-License-Identifier: Apache-2.0
 *
 * See faf.h. A query is a statement that is made, filled with the rows there are, read like a
 * snapshot and stopped. Its rows live until the next query.
 */
#include "operators/graph/faf.h"

#include "core/base/mem.h"
#include "operators/graph/nwin.h"
#include "operators/graph/on.h"
#include "operators/table/table.h"

#include <assert.h>
#include <inttypes.h>

enum { QUERY_MAX = 64 << 20 };

void faf_done(struct eng *e)
{
    for (size_t i = 0; i < e->query_rows.len; i++) {
        evt_drop(e->heap, e->query_rows.ptr[i]);
    }
    evts_clear(&e->query_rows);
    if (e->query != NULL) {
        vheap_drain(e->heap);
        arena_free(e->query->arena);
        VEC_DONE(&e->query->made);
        mem_free(e->query);
        e->query = NULL;
    }
}

static void keep_rows(struct eng *e, struct evt **rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        evts_add(&e->query_rows, evt_keep(rows[i]));
    }
}

/* ---- select ---- */

static int check_sources(const struct stmt *st, struct err *reterr)
{
    const struct sel_plan *p = st->plan;
    for (uint32_t i = 0; i < p->n_streams; i++) {
        if (p->streams[i].kind != SRC_WINDOW && p->streams[i].kind != SRC_TABLE) {
            return bind_err(reterr, st->ast->select->from[i].span,
                            "an on-demand query reads named windows and tables only");
        }
    }
    return 0;
}

static void read_rows(struct stmt *st, struct evt *props)
{
    struct sel_inst *in = (struct sel_inst *)(void *)sel_start(st, props);
    VEC_CLEAR(&in->nw.v);
    VEC_CLEAR(&in->old.v);
    sel_snapshot(in, &in->nw);
    st->listened = true;
    sel_emit(in, &in->nw, &in->old);
    keep_rows(st->eng, st->nw.ptr, st->nw.len);
    evts_clear(&st->nw);
    evts_clear(&st->old);
    st->listened = false;
    st->pending = false;
    VEC_CLEAR(&st->eng->pending);
    in->in.stopped = true;
    sel_stop(&in->in);
}

/* Who made a window or table, if it belongs to a context: a query with that context is done once
 * per partition. */
static const struct stmt *partitions_of(const struct stmt *st, const void *what)
{
    VEC_EACH (&st->eng->stmts, each) {
        if ((*each)->plan == what && (*each)->context != NULL) {
            return *each;
        }
    }
    return NULL;
}

static void read_partitions(struct stmt *st)
{
    const struct sel_plan *p = st->plan;
    const struct sel_stream *s = &p->streams[0];
    const struct stmt *of =
        partitions_of(st, s->kind == SRC_WINDOW ? (const void *)s->win : s->table);
    for (size_t i = 0; of != NULL && i < of->insts.len; i++) {
        read_rows(st, of->insts.ptr[i]->props);
    }
}

static int run_select(struct stmt *st, struct err *reterr)
{
    struct ast_select *s = st->ast->select;
    if (s->output != NULL) {
        return bind_err(reterr, s->span, "an on-demand query answers once: no output clause");
    }
    s->streams =
        s->streams == STREAM_RSTREAM ? STREAM_ISTREAM : s->streams; /* the rows there are */
    int rc = stmt_select(st, reterr);
    rc = rc == 0 ? check_sources(st, reterr) : rc;
    if (rc != 0) {
        return rc;
    }
    if (st->context != NULL) {
        read_partitions(st);
    } else {
        read_rows(st, NULL);
    }
    return 0;
}

/* ---- insert, update, delete ---- */

static struct inst *bare_inst(struct stmt *st, struct evt *props)
{
    struct inst *in = MEM_NEW(struct inst);
    inst_init(in, st, props);
    return in;
}

static void bare_done(struct inst *in)
{
    inst_done(in);
    mem_free(in);
}

static int taken(struct span span, struct err *reterr)
{
    return bind_err(reterr, span, "there is a row with that key already");
}

static int insert_row(struct stmt *st, struct bind *b, const struct ast_item *items, uint32_t n,
                      struct inst *in, struct err *reterr)
{
    const struct ast_insert *into = st->ast->select->insert;
    struct cat_entry *e = cat_type(b->cat, into->into);
    struct ast_insert all = *into;
    if (into->n_cols == 0 && st->ast->select->n_value_rows > 0 &&
        e != NULL) { /* values, in order */
        uint32_t k = 0;
        all.cols = arena_array(b->a, e->type->n_cols, sizeof *all.cols);
        for (uint32_t i = 0; i < e->type->n_cols && k < n; i++) {
            if (e->type->cols[i].name.len > 0) {
                all.cols[k++] = e->type->cols[i].name;
            }
        }
        all.n_cols = k;
    }
    struct sel_plan rows = {.st = st};
    struct ins_plan *ins = NULL;
    int rc = on_bind_columns(st, b, items, n, &all, &rows, &ins, reterr);
    if (rc != 0) {
        return rc;
    }
    if (e == NULL || (e->kind != CAT_WINDOW && e->kind != CAT_TABLE)) {
        return bind_err(reterr, into->span, "an on-demand insert is for named windows and tables");
    }
    struct ectx c = inst_ctx(in, NULL);
    struct evt *row = evt_new(st->eng->heap, rows.out);
    for (uint32_t i = 0; i < rows.n_cols; i++) {
        evt_set(row, i, ex_eval(rows.cols[i], &c));
    }
    struct evt *made = ins_make(ins, st->eng, row);
    struct inst *from = in->props != NULL ? in : NULL;
    if (e->kind == CAT_WINDOW) {
        keep_rows(st->eng, &made, 1);
        nwin_insert(e->what, made, from); /* consumers are told once, of all rows */
    } else {
        struct trows *r = table_of(e->what, in->props);
        if (r != NULL && table_holds(r, made)) {
            return taken(into->span, reterr);
        }
        table_put(e->what, made, from);
    }
    return 0;
}

static int insert_rows(struct stmt *st, struct bind *b, struct evt *props, struct err *reterr)
{
    const struct ast_select *s = st->ast->select;
    struct inst *in = bare_inst(st, props);
    int rc = 0;
    if (s->n_value_rows == 0) {
        rc = insert_row(st, b, s->items, s->n_items, in, reterr);
    }
    uint32_t per = s->n_value_rows > 0 ? s->n_values / s->n_value_rows : 0;
    struct ast_item *items = arena_array(b->a, per + 1, sizeof *items);
    for (uint32_t r = 0; rc == 0 && r < s->n_value_rows; r++) {
        for (uint32_t i = 0; i < per; i++) {
            items[i] = (struct ast_item){.span = s->span,
                                         .e = s->values[r * per + i],
                                         .as = slice_str(arena_printf(b->a, "%u", i))};
        }
        rc = insert_row(st, b, items, per, in, reterr);
    }
    bare_done(in);
    return rc;
}

static int run_insert(struct stmt *st, struct err *reterr)
{
    struct bind b = stmt_bind(st);
    struct scope scope = {.no_aggs = "here"};
    b.scope = &scope;
    const struct cat_entry *e = cat_type(b.cat, st->ast->select->insert->into);
    const struct stmt *of = e != NULL && st->context != NULL ? partitions_of(st, e->what) : NULL;
    int rc = of == NULL ? insert_rows(st, &b, NULL, reterr) : 0;
    for (size_t i = 0; rc == 0 && of != NULL && i < of->insts.len; i++) {
        rc = insert_rows(st, &b, of->insts.ptr[i]->props, reterr);
    }
    VEC_DONE(&b.used);
    return rc;
}

static void change(struct stmt *st, struct evt *props)
{
    struct on_inst in = {.p = st->plan};
    inst_init(&in.in, st, props);
    if (st->ast->kind == STMT_FAF_UPDATE) {
        on_update(&in, NULL);
    } else {
        on_delete(&in, NULL);
    }
    evts_done(&in.found);
    evts_done(&in.nw);
    evts_done(&in.old);
    evts_done(&in.tmp);
    inst_done(&in.in);
}

static int run_change(struct stmt *st, struct err *reterr)
{
    struct bind b = stmt_bind(st);
    struct on_plan *p = arena_array(b.a, 1, sizeof *p);
    p->st = st;
    int rc = on_bind_target(st, &b, p, reterr);
    if (rc == 0) {
        b.scope = on_scope(st, &b, p, true);
        b.scope->n_streams = 2; /* no trigger */
        rc = on_bind_where(&b, p, st->ast->where, reterr);
    }
    if (rc == 0 && st->ast->kind == STMT_FAF_UPDATE) {
        rc = on_bind_sets(&b, st->ast->sets, st->ast->n_sets, p->type, p->alias, &p->sets, reterr);
    }
    VEC_DONE(&b.used);
    if (rc != 0) {
        return rc;
    }
    st->plan = p;
    const struct stmt *of = partitions_of(st, p->win != NULL ? (const void *)p->win : p->table);
    st->listened = true;
    if (of == NULL) {
        change(st, NULL);
    }
    for (size_t i = 0; of != NULL && i < of->insts.len; i++) {
        change(st, of->insts.ptr[i]->props);
    }
    if (p->win != NULL) {
        keep_rows(st->eng, st->nw.ptr, st->nw.len);
    }
    st->listened = false;
    st->pending = false;
    VEC_CLEAR(&st->eng->pending);
    return st->eng->query_taken ? taken(st->ast->span, reterr) : 0;
}

static int run(struct stmt *st, struct err *reterr)
{
    if (st->ast->context.len > 0) {
        st->context = cat_context(&st->eng->cat, st->ast->context);
        if (st->context == NULL) {
            return bind_err(reterr, st->ast->span, "there is no context '" SLICE_FMT "'",
                            SLICE_ARG(st->ast->context));
        }
    }
    switch (st->ast->kind) {
    case STMT_SELECT:
        if (st->ast->select->insert != NULL && st->ast->select->n_from == 0) {
            return run_insert(st, reterr);
        }
        return run_select(st, reterr);
    case STMT_FAF_INSERT: return run_insert(st, reterr);
    case STMT_FAF_UPDATE:
    case STMT_FAF_DELETE: return run_change(st, reterr);
    default:
        return bind_err(reterr, st->ast->span,
                        "this is a statement to deploy, not an on-demand query");
    }
}

int eng_query(struct eng *e, struct slice text, const struct dat *params, size_t n_params,
              struct eng_rows *ret, struct err *reterr)
{
    assert(!e->busy);
    for (size_t i = 0; i < n_params; i++) {
        (void)dat_keep(params[i]); /* the last query's end empties the pool */
    }
    faf_done(e);
    for (size_t i = 0; i < n_params; i++) {
        dat_drop(e->heap, params[i]);
    }
    struct deployment *d = MEM_NEW(struct deployment);
    d->arena = arena_new(NULL, "query", QUERY_MAX);
    e->query = d;
    struct ast_stmt *a = NULL;
    int rc = epl_parse_query(d->arena, arena_copy(d->arena, text), &a, reterr);
    if (rc != 0) {
        return rc;
    }
    uint32_t order = e->next_order;
    struct stmt *st = stmt_new(e, d, a);
    e->next_order = order;
    st->query = true;
    st->params = params;
    st->n_params = (uint32_t)n_params;
    e->query_cut = e->query_taken = false;
    rc = run(st, reterr);
    stmt_free(st);
    if (rc == 0 && e->query_cut) {
        rc = err_set(reterr, ERR_LIMIT,
                     "the query would join more than %" PRIu64 " rows: ask for "
                     "fewer by keys that both sides have",
                     e->lim.max[LIM_JOINED]);
    }
    if (rc == 0) {
        eng_settle(e);
    }
    *ret = (struct eng_rows){.nw = e->query_rows.ptr, .n_nw = e->query_rows.len};
    return rc;
}
