/* SPDX-License-Identifier: Apache-2.0
 *
 * Comparisons and three-valued logic. NaN equals NaN and is neither less nor greater than anything;
 * a range with a null bound is false, whether negated or not.
 */
#include "operators/expr/eval_impl.h"

#include <math.h>

#define OPERANDS                                                                                   \
    struct val a = ex_eval(e->args[0], c), b = ex_eval(e->args[1], c);                             \
    if (val_is_null(a) || val_is_null(b)) {                                                        \
        return VAL_NONE;                                                                           \
    }

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

struct val eval_cmp_i(const struct ex *e, struct ectx *c)
{
    OPERANDS
    return val_bool(holds(e->cmp, a.i < b.i ? -1 : a.i > b.i));
}

static bool doubles_hold(enum ast_op op, double x, double y)
{
    if (UNLIKELY(isnan(x) || isnan(y))) {
        bool both = isnan(x) && isnan(y);
        return op == OP_EQ ? both : op == OP_NE ? !both : false;
    }
    return holds(op, x < y ? -1 : x > y);
}

struct val eval_cmp_d(const struct ex *e, struct ectx *c)
{
    OPERANDS
    return val_bool(doubles_hold(e->cmp, val_to_double(a), val_to_double(b)));
}

struct val eval_cmp_s(const struct ex *e, struct ectx *c)
{
    OPERANDS
    if (e->cmp == OP_EQ || e->cmp == OP_NE) {
        bool same = a.s == b.s || (a.s->len == b.s->len && memcmp(a.s->s, b.s->s, a.s->len) == 0);
        return val_bool(same == (e->cmp == OP_EQ));
    }
    return val_bool(holds(e->cmp, val_cmp(a, b)));
}

struct val ex_compare(enum ast_op cmp, struct val x, struct val y, bool strict_kinds)
{
    if (val_is_null(x) || val_is_null(y)) {
        return VAL_NONE;
    }
    bool numbers = val_is_number(x) && val_is_number(y);
    if (cmp == OP_EQ || cmp == OP_NE) {
        bool same = (!numbers || !strict_kinds || x.kind == y.kind) && val_same(x, y);
        return val_bool(same == (cmp == OP_EQ));
    }
    if (numbers && x.kind < VAL_BIGINT && y.kind < VAL_BIGINT &&
        (val_is_float(x) || val_is_float(y))) {
        return val_bool(doubles_hold(cmp, val_to_double(x), val_to_double(y)));
    }
    if (!numbers && x.kind != y.kind) {
        return val_bool(false);
    }
    return val_bool(holds(cmp, val_cmp(x, y)));
}

static bool is_loose(const struct ex *e)
{
    return e->ty.kind == TY_OBJECT;
}

struct val eval_cmp_any(const struct ex *e, struct ectx *c)
{
    struct val a = ex_eval(e->args[0], c), b = ex_eval(e->args[1], c);
    return ex_compare(e->cmp, a, b, is_loose(e->args[0]) || is_loose(e->args[1]));
}

struct val eval_is(const struct ex *e, struct ectx *c)
{
    struct val a = ex_eval(e->args[0], c), b = ex_eval(e->args[1], c);
    return val_bool(val_same(a, b) != e->negated);
}

struct val eval_and(const struct ex *e, struct ectx *c)
{
    bool null = false;
    for (uint32_t i = 0; i < e->n_args; i++) {
        struct val v = ex_eval(e->args[i], c);
        if (val_is_null(v)) {
            null = true;
        } else if (!v.b) {
            return v;
        }
    }
    return null ? VAL_NONE : val_bool(true);
}

struct val eval_or(const struct ex *e, struct ectx *c)
{
    bool null = false;
    for (uint32_t i = 0; i < e->n_args; i++) {
        struct val v = ex_eval(e->args[i], c);
        if (val_is_null(v)) {
            null = true;
        } else if (v.b) {
            return v;
        }
    }
    return null ? VAL_NONE : val_bool(false);
}

struct val eval_not(const struct ex *e, struct ectx *c)
{
    struct val v = ex_eval(e->args[0], c);
    return val_is_null(v) ? v : val_bool(!v.b);
}

struct val eval_between(const struct ex *e, struct ectx *c)
{
    struct val x = ex_eval(e->args[0], c), lo = ex_eval(e->args[1], c), hi = ex_eval(e->args[2], c);
    if (val_is_null(x) || val_is_null(lo) || val_is_null(hi)) {
        return val_bool(false);
    }
    bool lo_open = e->low_open, hi_open = e->high_open;
    if (val_cmp(lo, hi) > 0) { /* bounds may stand in either order */
        struct val swap = lo;
        lo = hi;
        hi = swap;
        lo_open = e->high_open;
        hi_open = e->low_open;
    }
    bool in = val_true(ex_compare(lo_open ? OP_GT : OP_GE, x, lo, false)) &&
              val_true(ex_compare(hi_open ? OP_LT : OP_LE, x, hi, false));
    return val_bool(in != e->negated);
}

/* 1 found, 0 not, -1 met a null. */
static int among(struct val x, struct val v, bool spread)
{
    if (val_is_null(v)) {
        return -1;
    }
    if (spread && v.kind == VAL_LIST) {
        int met = 0;
        for (uint32_t i = 0; i < v.l->len && met != 1; i++) {
            int r = among(x, v.l->v[i], false);
            met = r == 1 || met == 0 ? r : met;
        }
        return met;
    }
    if (spread && v.kind == VAL_MAP) {
        bool found = false;
        (void)vmap_get_val(v.m, x, &found);
        return found;
    }
    return val_same(x, v);
}

struct val eval_in(const struct ex *e, struct ectx *c)
{
    struct val x = ex_eval(e->args[0], c);
    if (val_is_null(x)) {
        return VAL_NONE;
    }
    bool null = false;
    for (uint32_t i = 1; i < e->n_args; i++) {
        bool spread = e->args[0]->ty.kind != TY_LIST && e->args[0]->ty.kind != TY_MAP;
        int r = among(x, ex_eval(e->args[i], c), spread);
        if (r == 1) {
            return val_bool(!e->negated);
        }
        null |= r < 0;
    }
    return null ? VAL_NONE : val_bool(e->negated);
}

struct val eval_quant(const struct ex *e, struct ectx *c)
{
    struct val x = ex_eval(e->args[0], c);
    bool null = false, any = false;
    for (uint32_t i = 1; i < e->n_args; i++) {
        struct val v = ex_eval(e->args[i], c);
        uint32_t n = v.kind == VAL_LIST ? v.l->len : 1;
        for (uint32_t k = 0; k < n; k++) {
            struct val r = ex_compare(e->cmp, x, v.kind == VAL_LIST ? v.l->v[k] : v, false);
            any = true;
            if (val_is_null(r)) {
                null = true;
            } else if (r.b != e->all) {
                return val_bool(!e->all);
            }
        }
    }
    return null && any ? VAL_NONE : val_bool(e->all);
}
