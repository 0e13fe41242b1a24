/* SPDX-License-Identifier: Apache-2.0
 *
 * Running bound expressions: one small function per operation, found through a table by EX_op.
 * Operands have the types the binder gave them, so no function looks at a kind it need not; null is
 * checked by each. What fails at run time (division of integers by zero) marks the context: the
 * statement then gives no output for this event.
 *
 * To add an operation: a row in plan/ex.def, a function here, its entry in `runs`.
 */
#include "operators/expr/eval_impl.h"
#include "operators/sig/dat_big.h"

#include <assert.h>

void ectx_fail(struct ectx *c, const char *fmt, ...)
{
    if (c->failed) {
        return;
    }
    c->failed = true;
    c->why = fmt;
}

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
    struct dat v = ex_eval(e->args[0], c);
    return v.kind != DAT_EVENT ? DAT_NONE : evt_get(v.ev, e->of, e->slot);
}

static struct dat property_of(struct dat of, struct slice name, bool *ret_found)
{
    *ret_found = false;
    if (of.kind == DAT_MAP) {
        return vmap_get(of.m, name, ret_found);
    }
    if (of.kind != DAT_EVENT) {
        return DAT_NONE;
    }
    int at = ety_col(of.ev->type, name);
    if (at >= 0) {
        *ret_found = true;
        return of.ev->p[at];
    }
    return of.ev->extra != NULL ? vmap_get(of.ev->extra, name, ret_found) : DAT_NONE;
}

static struct dat run_dyn(const struct ex *e, struct ectx *c)
{
    bool found = false;
    return property_of(ex_eval(e->args[0], c), e->name, &found);
}

static struct dat element(struct dat of, struct dat at, bool *ret_found)
{
    *ret_found = false;
    if (of.kind != DAT_LIST || !dat_is_integer(at) || at.i < 0 || at.i >= of.l->len) {
        return DAT_NONE;
    }
    *ret_found = true;
    return of.l->v[at.i];
}

static struct dat run_index(const struct ex *e, struct ectx *c)
{
    bool found = false;
    return element(ex_eval(e->args[0], c), ex_eval(e->args[1], c), &found);
}

static struct dat entry(struct dat of, struct dat key, bool *ret_found)
{
    *ret_found = false;
    if (of.kind == DAT_MAP) {
        return key.kind == DAT_STRING ? vmap_get(of.m, vstr_slice(key.s), ret_found)
                                      : vmap_get_val(of.m, key, ret_found);
    }
    if (of.kind == DAT_EVENT && key.kind == DAT_STRING) { /* a structure made by new {} */
        return property_of(of, vstr_slice(key.s), ret_found);
    }
    return DAT_NONE;
}

static struct dat run_key(const struct ex *e, struct ectx *c)
{
    bool found = false;
    return entry(ex_eval(e->args[0], c), ex_eval(e->args[1], c), &found);
}

static struct dat run_exists(const struct ex *e, struct ectx *c)
{
    bool found = false;
    struct dat of = ex_eval(e->args[0], c);
    if (e->name.len > 0) {
        (void)property_of(of, e->name, &found);
    } else if (e->n_args == 1) {
        found = of.kind != DAT_NULL;
    } else if (of.kind == DAT_LIST) {
        (void)element(of, ex_eval(e->args[1], c), &found);
    } else {
        (void)entry(of, ex_eval(e->args[1], c), &found);
    }
    return dat_bool(found);
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
    return ((c->grouping >> e->i) & 1u) != 0 ? DAT_NONE : ex_eval(e->args[0], c);
}

static struct dat run_grouping_id(const struct ex *e, struct ectx *c)
{
    uint32_t bits = 0;
    for (uint32_t i = 0; i < e->n_args; i++) {
        bits = (bits << 1) | ((c->grouping >> e->args[i]->k.i) & 1u);
    }
    return dat_int((int32_t)bits);
}

static struct dat run_pseudo(const struct ex *e, struct ectx *c)
{
    const struct dat *p = c->pseudo;
    return p[e->slot];
}

static struct dat run_new(const struct ex *e, struct ectx *c)
{
    struct evt *ev = evt_new(c->heap, e->of);
    for (uint32_t i = 0; i < e->n_args; i++) {
        evt_set(ev, i, ex_eval(e->args[i], c));
    }
    return dat_evt(ev);
}

static struct dat run_array(const struct ex *e, struct ectx *c)
{
    struct vlist *l = vlist_new(c->heap, e->n_args);
    for (uint32_t i = 0; i < e->n_args; i++) {
        vlist_set(l, i, ex_eval(e->args[i], c));
    }
    return dat_list(l);
}

static struct dat run_period(const struct ex *e, struct ectx *c)
{
    int64_t months = 0;
    double ms = 0;
    if (!ex_period(e, c, &months, &ms)) {
        return DAT_NONE;
    }
    return dat_long(dat_to_long(dat_double(ms + (double)months * 2592000000.0)));
}

static struct dat run_case(const struct ex *e, struct ectx *c)
{
    uint32_t i = 0;
    for (; i + 1 < e->n_args; i += 2) {
        if (dat_true(ex_eval(e->args[i], c))) {
            return ex_eval(e->args[i + 1], c);
        }
    }
    return i < e->n_args ? ex_eval(e->args[i], c) : DAT_NONE;
}

static struct dat run_case_value(const struct ex *e, struct ectx *c)
{
    struct dat x = ex_eval(e->args[0], c);
    uint32_t i = 1;
    for (; i + 1 < e->n_args; i += 2) {
        if (dat_same(x, ex_eval(e->args[i], c))) {
            return ex_eval(e->args[i + 1], c);
        }
    }
    return i < e->n_args ? ex_eval(e->args[i], c) : DAT_NONE;
}

static struct dat run_coalesce(const struct ex *e, struct ectx *c)
{
    for (uint32_t i = 0; i < e->n_args; i++) {
        struct dat v = ex_eval(e->args[i], c);
        if (!dat_is_null(v)) {
            return v;
        }
    }
    return DAT_NONE;
}

static struct dat run_minmax(const struct ex *e, struct ectx *c)
{
    struct dat best = ex_eval(e->args[0], c);
    for (uint32_t i = 1; i < e->n_args && !dat_is_null(best); i++) {
        struct dat v = ex_eval(e->args[i], c);
        if (dat_is_null(v)) {
            return v;
        }
        int cmp = dat_cmp(v, best);
        if (e->op == EX_MIN ? cmp < 0 : cmp > 0) {
            best = v;
        }
    }
    return best;
}

typedef struct dat runner(const struct ex *e, struct ectx *c);

static runner *const runs[EX_OP_COUNT] = {
    [EX_CONST] = run_const,
    [EX_PROP] = run_prop,
    [EX_STREAM] = run_stream,
    [EX_FIELD] = run_field,
    [EX_DYN] = run_dyn,
    [EX_EXISTS_DYN] = run_exists,
    [EX_KEY] = run_key,
    [EX_INDEX] = run_index,
    [EX_TAG_AT] = run_index,
    [EX_LAMBDA] = run_lambda,
    [EX_VAR] = run_var,
    [EX_CONTEXT] = run_context,
    [EX_AGG] = run_agg,
    [EX_AGG_METHOD] = run_agg,
    [EX_TABLE_ROW] = run_table,
    [EX_TABLE_COL] = run_table,
    [EX_TABLE_KEYS] = run_table,
    [EX_NOW] = run_now,
    [EX_CONV] = eval_conv,
    [EX_NEG] = eval_neg,
    [EX_ADD] = eval_add,
    [EX_SUB] = eval_sub,
    [EX_MUL] = eval_mul,
    [EX_DIV] = eval_div,
    [EX_MOD] = eval_mod,
    [EX_BIT_AND] = eval_bits,
    [EX_BIT_OR] = eval_bits,
    [EX_BIT_XOR] = eval_bits,
    [EX_CONCAT] = eval_concat,
    [EX_CMP_I] = eval_cmp_i,
    [EX_CMP_D] = eval_cmp_d,
    [EX_CMP_S] = eval_cmp_s,
    [EX_CMP_B] = eval_cmp_any,
    [EX_CMP_ANY] = eval_cmp_any,
    [EX_IS] = eval_is,
    [EX_AND] = eval_and,
    [EX_OR] = eval_or,
    [EX_NOT] = eval_not,
    [EX_BETWEEN] = eval_between,
    [EX_RANGE] = eval_between,
    [EX_IN] = eval_in,
    [EX_LIKE] = fn_like,
    [EX_REGEXP] = fn_regexp,
    [EX_CASE] = run_case,
    [EX_CASE_VALUE] = run_case_value,
    [EX_COALESCE] = run_coalesce,
    [EX_MIN] = run_minmax,
    [EX_MAX] = run_minmax,
    [EX_CAST] = fn_cast,
    [EX_INSTANCEOF] = fn_instanceof,
    [EX_TYPEOF] = fn_typeof,
    [EX_GROUP_KEY] = run_group_key,
    [EX_ISTREAM] = run_istream,
    [EX_GROUPING] = run_grouping,
    [EX_GROUPING_ID] = run_grouping_id,
    [EX_NEW] = run_new,
    [EX_ARRAY] = run_array,
    [EX_CALL] = fn_call,
    [EX_METHOD] = fn_method,
    [EX_ENUM] = fn_enum,
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
    [EX_QUANT] = eval_quant,
    [EX_PERIOD] = run_period,
    [EX_MR_GROUP] = run_pseudo,
    [EX_WINDOW_PROP] = run_pseudo,
    [EX_BUCKET] = eval_bucket,
};

struct dat ex_eval(const struct ex *e, struct ectx *c)
{
    return runs[e->op](e, c);
}
