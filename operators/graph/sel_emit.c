/* SPDX-License-Identifier: Apache-2.0
 *
 * The end of a select: order, limit, distinct over one batch, then insert into, then the listener.
 */
#include "operators/graph/limit.h"
#include "operators/graph/sel.h"

#include "core/base/mem.h"

#include <stdlib.h>

static bool rows_same(const struct evt *a, const struct evt *b)
{
    if (a == b) {
        return true;
    }
    if (a->type->n_cols != b->type->n_cols) {
        return false;
    }
    for (uint32_t i = 0; i < a->type->n_cols; i++) {
        if (!dat_same(a->p[i], b->p[i])) {
            return false;
        }
    }
    return true;
}

static void distinct(struct orows *rows)
{
    size_t kept = 0;
    for (size_t i = 0; i < rows->v.len; i++) {
        bool seen = false;
        for (size_t k = 0; !seen && k < kept; k++) {
            seen = rows_same(rows->v.ptr[k].e, rows->v.ptr[i].e);
        }
        if (!seen) {
            rows->v.ptr[kept++] = rows->v.ptr[i];
        }
    }
    rows->v.len = kept;
}

/* A stable merge sort: batches are small and mostly in order. */
static int row_cmp(const struct sel_plan *p, const struct orow *a, const struct orow *b)
{
    for (uint32_t i = 0; i < p->n_order; i++) {
        int c = dat_cmp(a->key->v[i], b->key->v[i]);
        if (c != 0) {
            return p->order[i].desc ? -c : c;
        }
    }
    return 0;
}

static void merge(const struct sel_plan *p, struct orow *v, struct orow *tmp, size_t n)
{
    if (n < 2) {
        return;
    }
    size_t half = n / 2, i = 0, k = half, to = 0;
    merge(p, v, tmp, half);
    merge(p, v + half, tmp, n - half);
    while (i < half && k < n) {
        tmp[to++] = row_cmp(p, &v[k], &v[i]) < 0 ? v[k++] : v[i++];
    }
    while (i < half) {
        tmp[to++] = v[i++];
    }
    memcpy(v, tmp, to * sizeof *v);
}

static void order(const struct sel_plan *p, struct orows *rows)
{
    if (rows->v.len > 1) {
        struct orow *tmp = mem_calloc(rows->v.len, sizeof *tmp);
        merge(p, rows->v.ptr, tmp, rows->v.len);
        mem_free(tmp);
    }
}

static int64_t number(struct sel_inst *in, const struct ex *e, int64_t none)
{
    if (e == NULL) {
        return none;
    }
    struct ectx c = inst_ctx(&in->in, NULL);
    struct dat v = ex_eval(e, &c);
    return dat_is_number(v) ? dat_to_long(v) : none;
}

static void limit(struct sel_inst *in, struct orows *rows)
{
    int64_t n = number(in, in->p->limit, INT64_MAX), from = number(in, in->p->offset, 0);
    size_t len = rows->v.len;
    size_t at = from < 0 ? 0 : MIN((size_t)from, len);
    size_t keep = n < 0 ? len - at : MIN((uint64_t)n, len - at);
    if (at > 0 && keep > 0) {
        memmove(rows->v.ptr, rows->v.ptr + at, keep * sizeof rows->v.ptr[0]);
    }
    rows->v.len = keep;
}

static void prepare(struct sel_inst *in, struct orows *rows)
{
    const struct sel_plan *p = in->p;
    bool rated =
        in->out != NULL && (p->output.kind != OUT_NONE || p->output.when != OUT_EVERY_NONE);
    /* a total is neither ordered nor limited, nor is a row that has the rollup to itself */
    bool single = p->cls == ROWS_TOTAL || (p->cls == ROWS_ROLLUP && rows->v.len == 1);
    bool as_is = in->whole || (single && !rated);
    if (p->n_order > 0 && !as_is) {
        order(p, rows);
    }
    if ((p->limit != NULL || p->offset != NULL) && !as_is) {
        limit(in, rows);
    }
    if (p->distinct) { /* of the rows that the limit leaves */
        distinct(rows);
    }
}

static void route(struct sel_inst *in, const struct orows *rows)
{
    for (size_t i = 0; i < rows->v.len; i++) {
        ins_route(in->p->insert, &in->in, rows->v.ptr[i].e);
    }
}

/* Rows go out as they are: to listeners, unchanged and in this order. */
static inline bool is_straight(const struct sel_plan *p)
{
    return p->n_order == 0 && p->limit == NULL && p->offset == NULL && !p->distinct &&
           p->insert == NULL;
}

static void rows_out(struct stmt *st, const struct orows *rows, struct evts *to)
{
    size_t n = eng_limit_output(st, rows->v.len);
    for (size_t i = 0; i < n; i++) {
        evts_add(to, rows->v.ptr[i].e);
    }
    if (n > 0) {
        stmt_has_rows(st);
    }
}

static void emit_straight(struct sel_inst *in, struct orows *nw, struct orows *old)
{
    struct stmt *st = in->in.st;
    enum ast_streams out = in->p->streams_out;
    if (st->listened) {
        rows_out(st, out != STREAM_RSTREAM ? nw : old, &st->nw);
        if (out == STREAM_IRSTREAM) {
            rows_out(st, old, &st->old);
        }
    }
    VEC_CLEAR(&nw->v);
    VEC_CLEAR(&old->v);
}

void sel_emit(struct sel_inst *in, struct orows *nw, struct orows *old)
{
    const struct sel_plan *p = in->p;
    struct eng *e = in->in.eng;
    if (is_straight(p)) {
        emit_straight(in, nw, old);
        return;
    }
    prepare(in, nw);
    prepare(in, old);
    if (p->insert != NULL) {
        enum ast_streams what = in->in.st->ast->select->insert->streams;
        if (what != STREAM_RSTREAM) {
            route(in, p->streams_out == STREAM_RSTREAM && what == STREAM_DEFAULT ? old : nw);
        }
        if (what == STREAM_RSTREAM || what == STREAM_IRSTREAM) {
            route(in, old);
        }
    }
    bool istream = p->streams_out != STREAM_RSTREAM;
    bool both = p->streams_out == STREAM_IRSTREAM;
    const struct orows *first = istream ? nw : old;
    if (in->in.st->listened) {
        evts_clear(&e->scratch);
        for (size_t i = 0; i < first->v.len; i++) {
            evts_add(&e->scratch, first->v.ptr[i].e);
        }
        for (size_t i = 0; both && i < old->v.len; i++) {
            evts_add(&e->scratch, old->v.ptr[i].e);
        }
        size_t n = first->v.len, rest = e->scratch.len - n;
        for (size_t i = 0; p->insert != NULL && i < e->scratch.len; i++) {
            e->scratch.ptr[i] = ins_shown(p->insert, e, e->scratch.ptr[i]);
        }
        stmt_out(in->in.st, e->scratch.ptr, n, rest > 0 ? e->scratch.ptr + n : NULL, rest);
    }
    VEC_CLEAR(&nw->v);
    VEC_CLEAR(&old->v);
}
