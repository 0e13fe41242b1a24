/* SPDX-License-Identifier: Apache-2.0
 *
 * Comparisons and three-valued logic. NaN equals NaN and is neither less nor greater than anything;
 * a range with a null bound is false, whether negated or not.
 */
#include "operators/expr/eval_impl.h"

#include <math.h>

#define OPERANDS                                                                                   \
    struct dat a = ex_eval(e->args[0], c), b = ex_eval(e->args[1], c);                             \
    if (dat_is_null(a) || dat_is_null(b)) {                                                        \
        return DAT_NONE;                                                                           \
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

struct dat eval_cmp_i(const struct ex *e, struct ectx *c)
{
    OPERANDS
    return dat_bool(holds(e->cmp, a.i < b.i ? -1 : a.i > b.i));
}

static bool doubles_hold(enum ast_op op, double x, double y)
{
    if (UNLIKELY(isnan(x) || isnan(y))) {
        bool both = isnan(x) && isnan(y);
        return op == OP_EQ ? both : op == OP_NE ? !both : false;
    }
    return holds(op, x < y ? -1 : x > y);
}

struct dat eval_cmp_d(const struct ex *e, struct ectx *c)
{
    OPERANDS
    return dat_bool(doubles_hold(e->cmp, dat_to_double(a), dat_to_double(b)));
}

struct dat eval_cmp_s(const struct ex *e, struct ectx *c)
{
    OPERANDS
    if (e->cmp == OP_EQ || e->cmp == OP_NE) {
        bool same = a.s == b.s || (a.s->len == b.s->len && memcmp(a.s->s, b.s->s, a.s->len) == 0);
        return dat_bool(same == (e->cmp == OP_EQ));
    }
    return dat_bool(holds(e->cmp, dat_cmp(a, b)));
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

static bool is_loose(const struct ex *e)
{
    return e->ty.kind == TY_OBJECT;
}

struct dat eval_cmp_any(const struct ex *e, struct ectx *c)
{
    struct dat a = ex_eval(e->args[0], c), b = ex_eval(e->args[1], c);
    return ex_compare(e->cmp, a, b, is_loose(e->args[0]) || is_loose(e->args[1]));
}

struct dat eval_is(const struct ex *e, struct ectx *c)
{
    struct dat a = ex_eval(e->args[0], c), b = ex_eval(e->args[1], c);
    return dat_bool(dat_same(a, b) != e->negated);
}

struct dat eval_and(const struct ex *e, struct ectx *c)
{
    bool null = false;
    for (uint32_t i = 0; i < e->n_args; i++) {
        struct dat v = ex_eval(e->args[i], c);
        if (dat_is_null(v)) {
            null = true;
        } else if (!v.b) {
            return v;
        }
    }
    return null ? DAT_NONE : dat_bool(true);
}

struct dat eval_or(const struct ex *e, struct ectx *c)
{
    bool null = false;
    for (uint32_t i = 0; i < e->n_args; i++) {
        struct dat v = ex_eval(e->args[i], c);
        if (dat_is_null(v)) {
            null = true;
        } else if (v.b) {
            return v;
        }
    }
    return null ? DAT_NONE : dat_bool(false);
}

struct dat eval_not(const struct ex *e, struct ectx *c)
{
    struct dat v = ex_eval(e->args[0], c);
    return dat_is_null(v) ? v : dat_bool(!v.b);
}

struct dat eval_between(const struct ex *e, struct ectx *c)
{
    struct dat x = ex_eval(e->args[0], c), lo = ex_eval(e->args[1], c), hi = ex_eval(e->args[2], c);
    if (dat_is_null(x) || dat_is_null(lo) || dat_is_null(hi)) {
        return dat_bool(false);
    }
    bool lo_open = e->low_open, hi_open = e->high_open;
    if (dat_cmp(lo, hi) > 0) { /* bounds may stand in either order */
        struct dat swap = lo;
        lo = hi;
        hi = swap;
        lo_open = e->high_open;
        hi_open = e->low_open;
    }
    bool in = dat_true(ex_compare(lo_open ? OP_GT : OP_GE, x, lo, false)) &&
              dat_true(ex_compare(hi_open ? OP_LT : OP_LE, x, hi, false));
    return dat_bool(in != e->negated);
}

enum among { NOT_AMONG, AMONG, MET_NULL, NO_ELEMENTS };

/* What has elements and is null has none. */
static enum among among(struct dat x, struct dat v, bool spread)
{
    if (dat_is_null(v)) {
        return spread ? NO_ELEMENTS : MET_NULL;
    }
    if (spread && v.kind == DAT_LIST) {
        enum among met = v.l->len > 0 ? NOT_AMONG : NO_ELEMENTS;
        for (uint32_t i = 0; i < v.l->len && met != AMONG; i++) {
            enum among r = among(x, v.l->v[i], false);
            met = r == AMONG || met == NOT_AMONG ? r : met;
        }
        return met;
    }
    if (spread && v.kind == DAT_MAP) {
        bool found = false;
        (void)vmap_get_val(v.m, x, &found);
        return found ? AMONG : NOT_AMONG;
    }
    return dat_same(x, v) ? AMONG : NOT_AMONG;
}

struct dat eval_in(const struct ex *e, struct ectx *c)
{
    struct dat x = ex_eval(e->args[0], c);
    bool null = false, some = false, all = e->args[0]->ty.kind != TY_LIST;
    for (uint32_t i = 1; i < e->n_args; i++) {
        enum ty_kind kind = e->args[i]->ty.kind;
        bool spread = all && e->args[0]->ty.kind != TY_MAP &&
                      (kind == TY_LIST || kind == TY_MAP || kind == TY_OBJECT);
        enum among r = among(x, ex_eval(e->args[i], c), spread);
        if (r == AMONG && !dat_is_null(x)) {
            return dat_bool(!e->negated);
        }
        some |= r != NO_ELEMENTS;
        null |= r == MET_NULL;
    }
    return some && (null || dat_is_null(x)) ? DAT_NONE : dat_bool(e->negated);
}

struct dat eval_quant(const struct ex *e, struct ectx *c)
{
    struct dat x = ex_eval(e->args[0], c);
    bool null = false, some = false; /* some: a comparison that was no null */
    for (uint32_t i = 1; i < e->n_args; i++) {
        struct dat v = ex_eval(e->args[i], c);
        bool list = v.kind == DAT_LIST || (dat_is_null(v) && e->args[i]->ty.kind == TY_LIST);
        uint32_t n = !list ? 1 : dat_is_null(v) ? 0 : v.l->len;
        for (uint32_t k = 0; k < n; k++) {
            struct dat r = ex_compare(e->cmp, x, list ? v.l->v[k] : v, false);
            if (dat_is_null(r)) {
                null = true;
            } else if (r.b != e->all) {
                return dat_bool(!e->all);
            } else {
                some = true;
            }
        }
    }
    bool ordered = e->cmp != OP_EQ && e->cmp != OP_NE;
    return !some || (null && (e->all || !ordered)) ? DAT_NONE : dat_bool(e->all);
}
