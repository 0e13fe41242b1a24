/* SPDX-License-Identifier: Apache-2.0
 *
 * Comparisons. NaN equals NaN and is neither less nor greater than anything;
 * a range with a null bound is false, whether negated or not.
 */
#include "operators/expr/eval_impl.h"

#include <math.h>

static inline bool holds(enum ast_op op, int cmp)
{
    switch (op) {
    case OP_EQ: return cmp == 0;
    case OP_NE: return cmp != 0;
    case OP_LT: return cmp < 0;
    case OP_LE: return cmp <= 0;
    case OP_GT: return cmp > 0;
    default: return cmp >= 0;
    }
}

static bool doubles_hold(enum ast_op op, double x, double y)
{
    if (UNLIKELY(isnan(x) || isnan(y))) {
        bool both = isnan(x) && isnan(y);
        return op == OP_EQ ? both : op == OP_NE ? !both : false;
    }
    return holds(op, x < y ? -1 : x > y);
}

struct dat ex_compare(enum ast_op cmp, struct dat x, struct dat y, bool strict_kinds)
{
    if (dat_is_null(x) || dat_is_null(y)) {
        return DAT_NONE;
    }
    bool numbers = dat_is_number(x) && dat_is_number(y);
    if (cmp == OP_EQ || cmp == OP_NE) {
        bool same = (!numbers || !strict_kinds || x.kind == y.kind) && dat_same(x, y);
        return dat_bool(same == (cmp == OP_EQ));
    }
    if (numbers && x.kind < DAT_BIGINT && y.kind < DAT_BIGINT &&
        (dat_is_float(x) || dat_is_float(y))) {
        return dat_bool(doubles_hold(cmp, dat_to_double(x), dat_to_double(y)));
    }
    if (!numbers && x.kind != y.kind) {
        return dat_bool(false);
    }
    return dat_bool(holds(cmp, dat_cmp(x, y)));
}

struct dat eval_between(struct dat x, struct dat lo, struct dat hi, unsigned flags)
{
    if (dat_is_null(x) || dat_is_null(lo) || dat_is_null(hi)) {
        return dat_bool(false);
    }
    bool lo_open = (flags & VM_FLAG_LOW_OPEN) != 0, hi_open = (flags & VM_FLAG_HIGH_OPEN) != 0;
    if (dat_cmp(lo, hi) > 0) { /* bounds may stand in either order */
        struct dat swap = lo;
        lo = hi;
        hi = swap;
        lo_open = (flags & VM_FLAG_HIGH_OPEN) != 0;
        hi_open = (flags & VM_FLAG_LOW_OPEN) != 0;
    }
    bool in = dat_true(ex_compare(lo_open ? OP_GT : OP_GE, x, lo, false)) &&
              dat_true(ex_compare(hi_open ? OP_LT : OP_LE, x, hi, false));
    return dat_bool(in != ((flags & VM_FLAG_NOT) != 0));
}

int eval_among(struct dat x, struct dat v, bool spread)
{
    if (dat_is_null(v)) {
        return -1;
    }
    if (spread && v.kind == DAT_LIST) {
        int met = 0;
        for (uint32_t i = 0; i < v.l->len && met != 1; i++) {
            int r = eval_among(x, v.l->v[i], false);
            met = r == 1 || met == 0 ? r : met;
        }
        return met;
    }
    if (spread && v.kind == DAT_MAP) {
        bool found = false;
        (void)vmap_get_val(v.m, x, &found);
        return found;
    }
    return dat_same(x, v);
}

static bool among_whole(int64_t x, const struct dat *k, uint32_t n)
{
    uint32_t i = 0;
    while (i < n && k[i].i != x) {
        i++;
    }
    return i < n;
}

static bool among_texts(const struct vstr *x, const struct dat *k, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        const struct vstr *y = k[i].s;
        if (x->len == y->len && x->s[0] == y->s[0] && memcmp(x->s, y->s, x->len) == 0) {
            return true;
        }
    }
    return false;
}

struct dat eval_in_const(struct dat x, const struct dat *k, uint32_t n, unsigned flags)
{
    bool null = false, out = (flags & VM_FLAG_NOT) != 0;
    if (dat_is_null(x)) {
        return DAT_NONE;
    }
    if ((flags & VM_FLAG_WHOLE) != 0 && dat_is_integer(x)) {
        return dat_bool(among_whole(x.i, k, n) != out);
    }
    if ((flags & VM_FLAG_TEXT) != 0 && x.kind == DAT_STRING) {
        return dat_bool(among_texts(x.s, k, n) != out);
    }
    for (uint32_t i = 0; i < n; i++) {
        int is = eval_among(x, k[i], (flags & VM_FLAG_SPREAD) != 0);
        if (is == 1) {
            return dat_bool(!out);
        }
        null |= is < 0;
    }
    return null ? DAT_NONE : dat_bool(out);
}

/* Of lists: one that is null, or empty, has no elements; without any there is nothing to find, not
 * even for null. */
struct dat eval_in(const struct ex *e, struct ectx *c, const struct dat *v)
{
    (void)c;
    bool spread = e->args[0]->ty.kind != TY_LIST && e->args[0]->ty.kind != TY_MAP;
    bool null = false, some = false;
    for (uint32_t i = 1; i < e->n_args; i++) {
        bool empty = ex_has_elements(e->args[i]) &&
                     (dat_is_null(v[i]) || (v[i].kind == DAT_LIST && v[i].l->len == 0));
        if (spread && empty) {
            continue;
        }
        int is = eval_among(v[0], v[i], spread);
        if (is == 1 && !dat_is_null(v[0])) {
            return dat_bool(!e->negated);
        }
        some = true;
        null |= is < 0;
    }
    return some && (null || dat_is_null(v[0])) ? DAT_NONE : dat_bool(e->negated);
}

/* A null is passed over by `< any` and its kin, if there is something else. */
struct dat eval_quant(const struct ex *e, struct ectx *c, const struct dat *v)
{
    (void)c;
    bool null = false, some = false; /* some: a comparison that was no null */
    for (uint32_t i = 1; i < e->n_args; i++) {
        bool list = v[i].kind == DAT_LIST, none = dat_is_null(v[i]) && ex_has_elements(e->args[i]);
        uint32_t n = none ? 0 : list ? v[i].l->len : 1;
        for (uint32_t k = 0; k < n; k++) {
            struct dat r = ex_compare(e->cmp, v[0], list ? v[i].l->v[k] : v[i], false);
            if (!dat_is_null(r) && r.b != e->all) {
                return r;
            }
            null |= dat_is_null(r);
            some |= !dat_is_null(r);
        }
    }
    bool ordered = e->cmp != OP_EQ && e->cmp != OP_NE;
    return !some || (null && (e->all || !ordered)) ? DAT_NONE : dat_bool(e->all);
}
