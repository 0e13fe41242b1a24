/* SPDX-License-Identifier: Apache-2.0
 *
 * Methods that only aggregations have: sorted(x).firstEvent(), .floorKey(5), ...,
 * window(*).first(x), and those of countMinSketch columns. They work on the list that the
 * aggregation gives. To add one: a row in `methods`.
 */
#include "operators/agg/agg_impl.h"
#include "operators/agg/agg_sketch.h"

#include <assert.h>

enum where { FIRST, LAST, FLOOR, CEILING, LOWER, HIGHER, GET };
/* ROW, ROWS: of window, with a column or without: first(*), first(x), first(x, 1), window(x) */
enum what {
    EVENT,
    EVENTS,
    KEY,
    CONTAINS,
    COUNT_EVENTS,
    COUNT_KEYS,
    BETWEEN,
    FREQUENCY,
    TOPK,
    ROW,
    ROWS
};

struct method {
    const char *name;
    enum where where;
    enum what what;
    uint8_t n_args;
};

static const struct method methods[] = {
    {"firstEvent", FIRST, EVENT, 0},
    {"firstEvents", FIRST, EVENTS, 0},
    {"firstKey", FIRST, KEY, 0},
    {"lastEvent", LAST, EVENT, 0},
    {"lastEvents", LAST, EVENTS, 0},
    {"lastKey", LAST, KEY, 0},
    {"floorEvent", FLOOR, EVENT, 1},
    {"floorEvents", FLOOR, EVENTS, 1},
    {"floorKey", FLOOR, KEY, 1},
    {"ceilingEvent", CEILING, EVENT, 1},
    {"ceilingEvents", CEILING, EVENTS, 1},
    {"ceilingKey", CEILING, KEY, 1},
    {"lowerEvent", LOWER, EVENT, 1},
    {"lowerEvents", LOWER, EVENTS, 1},
    {"lowerKey", LOWER, KEY, 1},
    {"higherEvent", HIGHER, EVENT, 1},
    {"higherEvents", HIGHER, EVENTS, 1},
    {"higherKey", HIGHER, KEY, 1},
    {"getEvent", GET, EVENT, 1},
    {"getEvents", GET, EVENTS, 1},
    {"containsKey", GET, CONTAINS, 1},
    {"minBy", FIRST, EVENT, 0},
    {"maxBy", LAST, EVENT, 0},
    {"first", FIRST, ROW, 0},
    {"last", LAST, ROW, 0},
    {"window", FIRST, ROWS, 0},
    {"listReference", FIRST, ROWS, 0},
    {"countEvents", FIRST, COUNT_EVENTS, 0},
    {"countKeys", FIRST, COUNT_KEYS, 0},
    {"eventsBetween", FIRST, BETWEEN, 4},
    {"countMinSketchFrequency", FIRST, FREQUENCY, 1},
    {"countMinSketchTopk", FIRST, TOPK, 0},
};

static const struct ecol topk_cols[] = {
    {.name = {"value", 5}, .ty = {.kind = TY_OBJECT}},
    {.name = {"frequency", 9}, .ty = {.kind = TY_LONG}},
};

static struct ty result_type(struct bind *b, const struct agg_call *c, enum what what)
{
    bool listed = c->ty.kind == TY_LIST && c->ty.elem != NULL;
    switch (what) {
    case EVENT: return listed ? *c->ty.elem : c->ty;
    case EVENTS:
    case BETWEEN: return c->ty;
    case KEY: return c->n_args == 1 ? c->args[0]->ty : TY(OBJECT);
    case CONTAINS: return TY(BOOL);
    case FREQUENCY: return TY(LONG);
    case TOPK: {
        const struct etype *t = ety_new(b->a, b->types, ETYPE_ANON, SLICE("topk"), topk_cols,
                                        ARRAY_LEN(topk_cols), NULL, 0);
        return ty_list(b->a, (struct ty){.kind = TY_EVENT, .ev = t});
    }
    default: return TY(INT);
    }
}

static bool has_method(const struct agg_def *d, const struct method *m)
{
    bool sketch = m->what == FREQUENCY || m->what == TOPK;
    bool window = m->what == ROW || m->what == ROWS;
    if (d == &agg_countMinSketch) {
        return sketch;
    }
    return d == &agg_window ? window || m->what == COUNT_EVENTS
                            : d == &agg_sorted && !sketch && !window;
}

/* first([* | column [, index]]), window([* | column]): e->i is the column's place and 1. */
static int bind_row_method(struct bind *b, struct ex *recv, const struct ast_seg *seg,
                           const struct method *m, struct ex **ret, struct err *reterr)
{
    const struct agg_call *c = recv->data;
    struct ty elem = c->ty.kind == TY_LIST && c->ty.elem != NULL ? *c->ty.elem : c->ty;
    uint32_t at = seg->star || seg->n_args == 0 ? 0 : 1, most = m->what == ROW ? at + 1 : at;
    if (seg->n_args > most || elem.kind != TY_EVENT) {
        return bind_err(reterr, seg->span, "%s has too many arguments", m->name);
    }
    int64_t col = 0;
    if (at > 0) {
        const struct ast_expr *x = seg->args[0];
        bool plain = x->kind == AST_CHAIN && x->n_segs == 1 && !x->segs[0].is_call;
        col = 1 + (plain ? ety_col(elem.ev, x->segs[0].name) : -1);
        if (col == 0) {
            return bind_err(reterr, x->span, "%s wants a column of its events", m->name);
        }
        elem = elem.ev->cols[col - 1].ty;
    }
    struct ty ty = m->what == ROW ? elem : ty_list(b->a, elem);
    struct ex *e = ex_new(b, EX_AGG_METHOD, ty, seg->span, seg->n_args - at + 1);
    e->args[0] = recv;
    e->i = col;
    *ret = e;
    return seg->n_args > at ? bind_expr(b, seg->args[at], &e->args[1], reterr) : 0;
}

static int bind_args(struct bind *b, struct ex *recv, const struct ast_seg *seg,
                     const struct method *m, struct ex **ret, struct err *reterr)
{
    if (seg->n_args != m->n_args) {
        return bind_err(reterr, seg->span, "%s has %u arguments, not %u", m->name, m->n_args,
                        seg->n_args);
    }
    struct ex *e =
        ex_new(b, EX_AGG_METHOD, result_type(b, recv->data, m->what), seg->span, seg->n_args + 1);
    e->args[0] = recv;
    *ret = e;
    int rc = 0;
    for (uint32_t k = 0; rc == 0 && k < seg->n_args; k++) {
        rc = bind_expr(b, seg->args[k], &e->args[k + 1], reterr);
    }
    return rc;
}

int agg_method_bind(struct bind *b, struct ex *recv, const struct ast_seg *seg, struct ex **ret,
                    struct err *reterr)
{
    const struct agg_call *c = recv->data;
    for (uint32_t i = 0; i < ARRAY_LEN(methods); i++) {
        const struct method *m = &methods[i];
        if (c == NULL || !slice_eq_nocase(seg->name, slice_str(m->name)) ||
            !has_method(c->def, m)) {
            continue;
        }
        bool row = m->what == ROW || m->what == ROWS;
        int rc = row ? bind_row_method(b, recv, seg, m, ret, reterr)
                     : bind_args(b, recv, seg, m, ret, reterr);
        if (rc == 0) {
            (*ret)->slot = (uint16_t)i;
            (*ret)->data = c;
        }
        return rc == 0 ? 1 : rc;
    }
    return 0;
}

struct view_of { /* of the sorted events */
    const struct agg_call *c;
    const struct vlist *l;
    struct ectx *ctx;
};

static struct dat key_at(const struct view_of *v, uint32_t i)
{
    return agg_sorted_key(v->c, v->l->v[i].ev, v->ctx);
}

/* How many keys stand before `key`; or_equal: or are equal to it. */
static uint32_t before(const struct view_of *v, struct dat key, bool or_equal)
{
    uint32_t lo = 0, hi = v->l->len;
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        int d = agg_sorted_cmp(v->c, key_at(v, mid), key);
        if (d < 0 || (d == 0 && or_equal)) {
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    return lo;
}

/* The events of the key that `where` means: [*ret_from, *ret_to); false if there is none. */
static bool group_at(const struct view_of *v, enum where where, struct dat key, uint32_t *ret_from,
                     uint32_t *ret_to)
{
    uint32_t n = v->l->len, at = 0;
    switch (where) {
    case FIRST: break;
    case LAST: at = n - 1; break;
    case FLOOR:
        at = before(v, key, true) - 1; /* wraps: none */
        break;
    case LOWER: at = before(v, key, false) - 1; break;
    case HIGHER: at = before(v, key, true); break;
    default: at = before(v, key, false);
    }
    if (at >= n || (where == GET && agg_sorted_cmp(v->c, key_at(v, at), key) != 0)) {
        return false;
    }
    struct dat found = key_at(v, at);
    *ret_from = before(v, found, false);
    *ret_to = before(v, found, true);
    return true;
}

static struct dat part(const struct view_of *v, uint32_t from, uint32_t to)
{
    struct vlist *l = vlist_new(v->ctx->heap, to > from ? to - from : 0);
    for (uint32_t i = from; i < to; i++) {
        vlist_set(l, i - from, v->l->v[i]);
    }
    return dat_list(l);
}

static struct dat count_keys(const struct view_of *v)
{
    int32_t n = 0;
    for (uint32_t i = 0; i < v->l->len; i = before(v, key_at(v, i), true)) {
        n++;
    }
    return dat_int(n);
}

static struct dat between(const struct view_of *v, const struct ex *e)
{
    struct dat from = ex_eval(e->args[1], v->ctx), from_in = ex_eval(e->args[2], v->ctx);
    struct dat to = ex_eval(e->args[3], v->ctx), to_in = ex_eval(e->args[4], v->ctx);
    return part(v, before(v, from, !dat_true(from_in)), before(v, to, dat_true(to_in)));
}

static struct dat topk(const struct ex *e, const struct vlist *cells, struct vheap *h)
{
    struct dat x = DAT_NONE;
    int64_t n = 0;
    uint32_t len = 0;
    while (agg_sketch_top(cells, len, &x, &n)) {
        len++;
    }
    struct vlist *l = vlist_new(h, len);
    for (uint32_t i = 0; i < len && agg_sketch_top(cells, i, &x, &n); i++) {
        struct evt *row = evt_new(h, e->ty.elem->ev);
        evt_set(row, 0, x);
        evt_set(row, 1, dat_long(n));
        vlist_set(l, i, dat_evt(row));
    }
    return dat_list(l);
}

static struct dat row_value(const struct ex *e, struct dat row)
{
    return e->i == 0               ? row
           : row.kind == DAT_EVENT ? evt_get(row.ev, row.ev->type, (uint16_t)(e->i - 1))
                                   : DAT_NONE;
}

static struct dat row_method(const struct ex *e, const struct method *m, const struct view_of *v)
{
    uint32_t n = v->l->len;
    if (n == 0) {
        return DAT_NONE;
    }
    if (m->what == ROW) {
        int64_t at = 0;
        if (e->n_args > 1) {
            struct dat x = ex_eval(e->args[1], v->ctx);
            at = dat_is_number(x) ? dat_to_long(x) : -1;
        }
        at = m->where == LAST && at >= 0 ? (int64_t)n - 1 - at : at;
        return at >= 0 && at < (int64_t)n ? row_value(e, v->l->v[at]) : DAT_NONE;
    }
    struct vlist *l = vlist_new(v->ctx->heap, n);
    for (uint32_t i = 0; i < n; i++) {
        vlist_set(l, i, row_value(e, v->l->v[i]));
    }
    return dat_list(l);
}

struct dat agg_method_value(const struct ex *e, struct ectx *ctx)
{
    assert(e->op == EX_AGG_METHOD && e->slot < ARRAY_LEN(methods));
    const struct method *m = &methods[e->slot];
    struct dat list = ex_eval(e->args[0], ctx);
    struct dat arg = m->n_args > 0 ? ex_eval(e->args[1], ctx) : DAT_NONE;
    if (list.kind != DAT_LIST || (m->n_args > 0 && dat_is_null(arg))) {
        return DAT_NONE;
    }
    struct view_of v = {e->data, list.l, ctx};
    uint32_t from = 0, to = 0;
    switch (m->what) {
    case FREQUENCY: return dat_long(agg_sketch_frequency(list.l, arg));
    case TOPK: return topk(e, list.l, ctx->heap);
    case COUNT_EVENTS: return dat_int((int32_t)list.l->len);
    case COUNT_KEYS: return count_keys(&v);
    case BETWEEN: return between(&v, e);
    case ROW:
    case ROWS: return row_method(e, m, &v);
    default: break;
    }
    bool found = group_at(&v, m->where, arg, &from, &to);
    if (m->what == CONTAINS) {
        return dat_bool(found);
    }
    if (!found) {
        return DAT_NONE;
    }
    return m->what == EVENT    ? list.l->v[from]
           : m->what == EVENTS ? part(&v, from, to)
                               : key_at(&v, from);
}
