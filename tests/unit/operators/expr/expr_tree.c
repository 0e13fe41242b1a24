/* SPDX-License-Identifier: Apache-2.0
 *
 * See expr_tree.h. Arithmetic, comparisons, logic and choices are done here in another way than the
 * engine's; operations that are functions of values are the engine's own.
 */
#include "expr_tree.h"

#include "operators/expr/eval_impl.h"
#include "operators/expr/fn_impl.h"
#include "operators/sig/dat_big.h"

#include <assert.h>
#include <math.h>

/* ---- places ---- */

static struct evt *event_at(const struct ex *e, struct ectx *c)
{
    for (uint16_t l = e->level; l > 0; l--) {
        c = c->outer;
    }
    return c->row[e->stream];
}

static struct dat run_const(const struct ex *e, struct ectx *c)
{
    (void)c;
    return e->k;
}

static struct dat run_prop(const struct ex *e, struct ectx *c)
{
    const struct evt *ev = event_at(e, c);
    return ev == NULL ? DAT_NONE : evt_get(ev, e->of, e->slot);
}

static struct dat run_stream(const struct ex *e, struct ectx *c)
{
    return dat_evt(event_at(e, c));
}

static struct dat run_field(const struct ex *e, struct ectx *c)
{
    struct dat v = tree_eval(e->args[0], c);
    return v.kind != DAT_EVENT ? DAT_NONE : evt_get(v.ev, e->of, e->slot);
}

static struct dat run_dyn(const struct ex *e, struct ectx *c)
{
    return eval_property(tree_eval(e->args[0], c), e->name);
}

static struct dat run_lambda(const struct ex *e, struct ectx *c)
{
    assert(c->lambda != NULL && e->slot < ECTX_LAMBDA_MAX);
    return c->lambda[e->slot];
}

static struct dat run_agg(const struct ex *e, struct ectx *c)
{
    return c->ops->agg(c, e);
}

static struct dat run_prev(const struct ex *e, struct ectx *c)
{
    return c->ops->prev(c, e);
}

static struct dat run_subq(const struct ex *e, struct ectx *c)
{
    return c->ops->subq(c, e);
}

static struct dat run_table(const struct ex *e, struct ectx *c)
{
    return c->ops->table(c, e);
}

static struct dat run_var(const struct ex *e, struct ectx *c)
{
    return c->ops->var(c, e);
}

static struct dat run_context(const struct ex *e, struct ectx *c)
{
    return c->ops->context(c, e);
}

static struct dat run_now(const struct ex *e, struct ectx *c)
{
    (void)e;
    return dat_long(c->now);
}

static struct dat run_istream(const struct ex *e, struct ectx *c)
{
    (void)e;
    return dat_bool(!c->leaving);
}

static struct dat run_grouping(const struct ex *e, struct ectx *c)
{
    return dat_int((int32_t)((c->grouping >> e->i) & 1u));
}

static struct dat run_group_key(const struct ex *e, struct ectx *c)
{
    return ((c->grouping >> e->i) & 1u) != 0 ? DAT_NONE : tree_eval(e->args[0], c);
}

static struct dat run_pseudo(const struct ex *e, struct ectx *c)
{
    const struct dat *p = c->pseudo;
    return p[e->slot];
}

/* ---- what is a function of values ---- */

static struct dat run_apply(const struct ex *e, struct ectx *c)
{
    struct vlist *l = vlist_new(c->heap, e->n_args);
    for (uint32_t i = 0; i < e->n_args; i++) {
        vlist_set(l, i, tree_eval(e->args[i], c));
    }
    assert(eval_applies[e->op] != NULL);
    return eval_applies[e->op](e, c, l->v);
}

static struct dat run_call(const struct ex *e, struct ectx *c)
{
    struct dat v[FN_ARGS_MAX];
    for (uint32_t i = 0; i < e->n_args; i++) {
        v[i] = tree_eval(e->args[i], c);
        bool may = (e->fn->flags & FN_NULLS) != 0 && !(e->op == EX_METHOD && i == 0);
        if (dat_is_null(v[i]) && !may) {
            return DAT_NONE;
        }
    }
    struct fn_in in = {.e = e, .c = c, .h = c->heap, .v = v, .n = e->n_args};
    return fn_impl(e->fn->id)(&in);
}

static struct dat run_enum(const struct ex *e, struct ectx *c)
{
    return tree_enum(e, c, tree_eval(e->args[0], c));
}

/* ---- choices ---- */

static struct dat run_case(const struct ex *e, struct ectx *c)
{
    uint32_t i = 0;
    for (; i + 1 < e->n_args; i += 2) {
        if (dat_true(tree_eval(e->args[i], c))) {
            return tree_eval(e->args[i + 1], c);
        }
    }
    return i < e->n_args ? tree_eval(e->args[i], c) : DAT_NONE;
}

static struct dat run_case_value(const struct ex *e, struct ectx *c)
{
    struct dat x = tree_eval(e->args[0], c);
    uint32_t i = 1;
    for (; i + 1 < e->n_args; i += 2) {
        if (dat_same(x, tree_eval(e->args[i], c))) {
            return tree_eval(e->args[i + 1], c);
        }
    }
    return i < e->n_args ? tree_eval(e->args[i], c) : DAT_NONE;
}

static struct dat run_coalesce(const struct ex *e, struct ectx *c)
{
    for (uint32_t i = 0; i < e->n_args; i++) {
        struct dat v = tree_eval(e->args[i], c);
        if (!dat_is_null(v)) {
            return v;
        }
    }
    return DAT_NONE;
}

static struct dat run_minmax(const struct ex *e, struct ectx *c)
{
    struct dat best = tree_eval(e->args[0], c);
    for (uint32_t i = 1; i < e->n_args && !dat_is_null(best); i++) {
        struct dat v = tree_eval(e->args[i], c);
        if (dat_is_null(v)) {
            return v;
        }
        if (!dat_true(ex_compare(e->op == EX_MIN ? OP_LT : OP_GT, best, v, false))) {
            best = v;
        }
    }
    return best;
}

/* ---- arithmetic ---- */

static const uint8_t kind_of[] = {
    [TY_BYTE] = DAT_BYTE,     [TY_SHORT] = DAT_SHORT,   [TY_INT] = DAT_INT,
    [TY_LONG] = DAT_LONG,     [TY_FLOAT] = DAT_FLOAT,   [TY_DOUBLE] = DAT_DOUBLE,
    [TY_BIGINT] = DAT_BIGINT, [TY_BIGDEC] = DAT_BIGDEC,
};

static struct dat tree_conv(const struct ex *e, struct ectx *c)
{
    struct dat v = tree_eval(e->args[0], c);
    return dat_is_null(v) ? v : dat_as(c->heap, v, kind_of[e->ty.kind]);
}

static struct dat wrap(enum ty_kind t, uint64_t i)
{
    return t == TY_LONG ? dat_long((int64_t)i) : dat_int((int32_t)(uint32_t)i);
}

static struct dat big(const struct ex *e, struct ectx *c, char op, struct dat a, struct dat b)
{
    struct dat v = big_arith(c->heap, op, a, b, kind_of[e->ty.kind]);
    if (dat_is_null(v)) {
        ectx_fail(c, "no exact result of '%c' on big numbers", op);
    }
    return v;
}

#define OPERANDS                                                                                   \
    struct dat a = tree_eval(e->args[0], c), b = tree_eval(e->args[1], c);                         \
    if (dat_is_null(a) || dat_is_null(b)) {                                                        \
        return DAT_NONE;                                                                           \
    }

#define ARITH(name, op, sign)                                                                      \
    static struct dat name(const struct ex *e, struct ectx *c)                                     \
    {                                                                                              \
        OPERANDS                                                                                   \
        switch (e->ty.kind) {                                                                      \
        case TY_DOUBLE: return dat_double(dat_to_double(a) op dat_to_double(b));                   \
        case TY_FLOAT: return dat_float((double)((float)a.d op(float) b.d));                       \
        case TY_BIGINT:                                                                            \
        case TY_BIGDEC: return big(e, c, sign, a, b);                                              \
        default: return wrap(e->ty.kind, (uint64_t)a.i op(uint64_t) b.i);                          \
        }                                                                                          \
    }

ARITH(tree_add, +, '+')
ARITH(tree_sub, -, '-')
ARITH(tree_mul, *, '*')

static struct dat tree_div(const struct ex *e, struct ectx *c)
{
    OPERANDS
    if (e->ty.kind == TY_BIGDEC) {
        return big(e, c, '/', a, b);
    }
    return dat_double(dat_to_double(a) / dat_to_double(b));
}

static struct dat tree_mod(const struct ex *e, struct ectx *c)
{
    OPERANDS
    switch (e->ty.kind) {
    case TY_DOUBLE:
    case TY_FLOAT: {
        double r = fmod(dat_to_double(a), dat_to_double(b));
        return e->ty.kind == TY_FLOAT ? dat_float(r) : dat_double(r);
    }
    case TY_BIGINT:
    case TY_BIGDEC: return big(e, c, '%', a, b);
    default:
        if (b.i == 0) {
            ectx_fail(c, "remainder of a division by zero");
            return DAT_NONE;
        }
        return wrap(e->ty.kind, b.i == -1 ? 0 : (uint64_t)(a.i % b.i));
    }
}

static struct dat tree_neg(const struct ex *e, struct ectx *c)
{
    struct dat v = tree_eval(e->args[0], c);
    switch (v.kind) {
    case DAT_NULL: return v;
    case DAT_FLOAT:
    case DAT_DOUBLE: return dat_double(-v.d);
    case DAT_BIGINT:
    case DAT_BIGDEC: return big(e, c, '-', dat_int(0), v);
    default: return wrap(e->ty.kind, 0 - (uint64_t)v.i);
    }
}

static struct dat tree_bits(const struct ex *e, struct ectx *c)
{
    OPERANDS
    if (e->ty.kind == TY_BOOL) {
        bool r = e->op == EX_BIT_AND  ? (a.b && b.b)
                 : e->op == EX_BIT_OR ? (a.b || b.b)
                                      : a.b != b.b;
        return dat_bool(r);
    }
    int64_t r = e->op == EX_BIT_AND ? (a.i & b.i) : e->op == EX_BIT_OR ? (a.i | b.i) : (a.i ^ b.i);
    return (struct dat){.kind = kind_of[e->ty.kind], .i = r};
}

static struct dat tree_concat(const struct ex *e, struct ectx *c)
{
    OPERANDS
    if (a.kind != DAT_STRING) {
        a = dat_str(dat_text(c->heap, a));
    }
    if (b.kind != DAT_STRING) {
        b = dat_str(dat_text(c->heap, b));
    }
    struct vstr *s = vstr_room(c->heap, (size_t)a.s->len + b.s->len);
    memcpy(s->s, a.s->s, a.s->len);
    memcpy(s->s + a.s->len, b.s->s, b.s->len);
    return dat_str(s);
}

/* ---- conditions ---- */

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

static struct dat tree_cmp_i(const struct ex *e, struct ectx *c)
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

static struct dat tree_cmp_d(const struct ex *e, struct ectx *c)
{
    OPERANDS
    return dat_bool(doubles_hold(e->cmp, dat_to_double(a), dat_to_double(b)));
}

static struct dat tree_cmp_s(const struct ex *e, struct ectx *c)
{
    OPERANDS
    if (e->cmp == OP_EQ || e->cmp == OP_NE) {
        bool same = a.s == b.s || (a.s->len == b.s->len && memcmp(a.s->s, b.s->s, a.s->len) == 0);
        return dat_bool(same == (e->cmp == OP_EQ));
    }
    return dat_bool(holds(e->cmp, dat_cmp(a, b)));
}

static bool is_loose(const struct ex *e)
{
    return e->ty.kind == TY_OBJECT;
}

static struct dat tree_cmp_any(const struct ex *e, struct ectx *c)
{
    struct dat a = tree_eval(e->args[0], c), b = tree_eval(e->args[1], c);
    return ex_compare(e->cmp, a, b, is_loose(e->args[0]) || is_loose(e->args[1]));
}

static struct dat tree_is(const struct ex *e, struct ectx *c)
{
    struct dat a = tree_eval(e->args[0], c), b = tree_eval(e->args[1], c);
    return dat_bool(dat_same(a, b) != e->negated);
}

static struct dat tree_and(const struct ex *e, struct ectx *c)
{
    bool null = false;
    for (uint32_t i = 0; i < e->n_args; i++) {
        struct dat v = tree_eval(e->args[i], c);
        if (dat_is_null(v)) {
            null = true;
        } else if (!v.b) {
            return v;
        }
    }
    return null ? DAT_NONE : dat_bool(true);
}

static struct dat tree_or(const struct ex *e, struct ectx *c)
{
    bool null = false;
    for (uint32_t i = 0; i < e->n_args; i++) {
        struct dat v = tree_eval(e->args[i], c);
        if (dat_is_null(v)) {
            null = true;
        } else if (v.b) {
            return v;
        }
    }
    return null ? DAT_NONE : dat_bool(false);
}

static struct dat tree_not(const struct ex *e, struct ectx *c)
{
    struct dat v = tree_eval(e->args[0], c);
    return dat_is_null(v) ? v : dat_bool(!v.b);
}

static struct dat tree_between(const struct ex *e, struct ectx *c)
{
    struct dat x = tree_eval(e->args[0], c), lo = tree_eval(e->args[1], c),
               hi = tree_eval(e->args[2], c);
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

static struct dat tree_in(const struct ex *e, struct ectx *c)
{
    for (uint32_t i = 1; i < e->n_args; i++) {
        if (ex_has_elements(e->args[i])) {
            return run_apply(e, c);
        }
    }
    struct dat x = tree_eval(e->args[0], c);
    bool null = false, all = e->args[0]->ty.kind == TY_LIST || e->args[0]->ty.kind == TY_MAP;
    if (dat_is_null(x)) {
        return x;
    }
    for (uint32_t i = 1; i < e->n_args; i++) {
        int is = eval_among(x, tree_eval(e->args[i], c), !all);
        if (is == 1) {
            return dat_bool(!e->negated);
        }
        null |= is < 0;
    }
    return null ? DAT_NONE : dat_bool(e->negated);
}

/* ---- all of it ---- */

typedef struct dat runner(const struct ex *e, struct ectx *c);

static runner *const runs[EX_OP_COUNT] = {
    [EX_CONST] = run_const,
    [EX_PROP] = run_prop,
    [EX_STREAM] = run_stream,
    [EX_FIELD] = run_field,
    [EX_DYN] = run_dyn,
    [EX_EXISTS_DYN] = run_apply,
    [EX_KEY] = run_apply,
    [EX_INDEX] = run_apply,
    [EX_TAG_AT] = run_apply,
    [EX_LAMBDA] = run_lambda,
    [EX_VAR] = run_var,
    [EX_CONTEXT] = run_context,
    [EX_AGG] = run_agg,
    [EX_AGG_METHOD] = run_agg,
    [EX_TABLE_ROW] = run_table,
    [EX_TABLE_COL] = run_table,
    [EX_TABLE_KEYS] = run_table,
    [EX_NOW] = run_now,
    [EX_CONV] = tree_conv,
    [EX_NEG] = tree_neg,
    [EX_ADD] = tree_add,
    [EX_SUB] = tree_sub,
    [EX_MUL] = tree_mul,
    [EX_DIV] = tree_div,
    [EX_MOD] = tree_mod,
    [EX_BIT_AND] = tree_bits,
    [EX_BIT_OR] = tree_bits,
    [EX_BIT_XOR] = tree_bits,
    [EX_CONCAT] = tree_concat,
    [EX_CMP_I] = tree_cmp_i,
    [EX_CMP_D] = tree_cmp_d,
    [EX_CMP_S] = tree_cmp_s,
    [EX_CMP_B] = tree_cmp_any,
    [EX_CMP_ANY] = tree_cmp_any,
    [EX_IS] = tree_is,
    [EX_AND] = tree_and,
    [EX_OR] = tree_or,
    [EX_NOT] = tree_not,
    [EX_BETWEEN] = tree_between,
    [EX_RANGE] = tree_between,
    [EX_IN] = tree_in,
    [EX_LIKE] = run_apply,
    [EX_REGEXP] = run_apply,
    [EX_CASE] = run_case,
    [EX_CASE_VALUE] = run_case_value,
    [EX_COALESCE] = run_coalesce,
    [EX_MIN] = run_minmax,
    [EX_MAX] = run_minmax,
    [EX_CAST] = run_apply,
    [EX_INSTANCEOF] = run_apply,
    [EX_TYPEOF] = run_apply,
    [EX_GROUP_KEY] = run_group_key,
    [EX_ISTREAM] = run_istream,
    [EX_GROUPING] = run_grouping,
    [EX_GROUPING_ID] = run_apply,
    [EX_NEW] = run_apply,
    [EX_ARRAY] = run_apply,
    [EX_CALL] = run_call,
    [EX_METHOD] = run_call,
    [EX_ENUM] = run_enum,
    [EX_PREV] = run_prev,
    [EX_PREV_TAIL] = run_prev,
    [EX_PREV_COUNT] = run_prev,
    [EX_PREV_WINDOW] = run_prev,
    [EX_PRIOR] = run_prev,
    [EX_SUBQ] = run_subq,
    [EX_SUBQ_ROW] = run_subq,
    [EX_SUBQ_EXISTS] = run_subq,
    [EX_SUBQ_IN] = run_subq,
    [EX_SUBQ_QUANT] = run_subq,
    [EX_SUBQ_LIST] = run_subq,
    [EX_QUANT] = run_apply,
    [EX_PERIOD] = run_apply,
    [EX_MR_GROUP] = run_pseudo,
    [EX_WINDOW_PROP] = run_pseudo,
    [EX_BUCKET] = run_apply,
};

struct dat tree_eval(const struct ex *e, struct ectx *c)
{
    return runs[e->op](e, c);
}
