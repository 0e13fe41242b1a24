/* SPDX-License-Identifier: Apache-2.0
 *
 * Methods that only aggregations have: sorted(x).firstEvent(), .floorKey(5), ..., and those of
 * countMinSketch columns. They work on the list that the aggregation gives. To add one: a row in
 * `methods`.
 */
#include "operators/agg/agg_impl.h"
#include "operators/agg/agg_sketch.h"

#include <assert.h>

enum where { FIRST, LAST, FLOOR, CEILING, LOWER, HIGHER, GET };
enum what { EVENT, EVENTS, KEY, CONTAINS, COUNT_EVENTS, COUNT_KEYS, BETWEEN, FREQUENCY, TOPK };

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

int agg_method_bind(struct bind *b, struct ex *recv, const struct ast_seg *seg, struct ex **ret,
                    struct err *reterr)
{
    const struct agg_call *c = recv->data;
    if (c == NULL || (c->def != &agg_sorted && c->def != &agg_countMinSketch)) {
        return 0;
    }
    for (uint32_t i = 0; i < ARRAY_LEN(methods); i++) {
        const struct method *m = &methods[i];
        bool sketch = m->what == FREQUENCY || m->what == TOPK;
        if (!slice_eq_nocase(seg->name, slice_str(m->name)) ||
            sketch != (c->def == &agg_countMinSketch)) {
            continue;
        }
        if (seg->n_args != m->n_args) {
            return bind_err(reterr, seg->span, "%s has %u arguments, not %u", m->name, m->n_args,
                            seg->n_args);
        }
        struct ex *e =
            ex_new(b, EX_AGG_METHOD, result_type(b, c, m->what), seg->span, seg->n_args + 1);
        e->args[0] = recv;
        for (uint32_t k = 0; k < seg->n_args; k++) {
            int rc = bind_expr(b, seg->args[k], &e->args[k + 1], reterr);
            if (rc != 0) {
                return rc;
            }
        }
        e->slot = (uint16_t)i;
        e->data = c;
        *ret = e;
        return 1;
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
