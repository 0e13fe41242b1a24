/* SPDX-License-Identifier: Apache-2.0
 *
 * Operations of values that programs call (APPLY): access by name, key and index, structures and
 * lists of many parts, periods. Their operands have been evaluated, in order, and may be null. What
 * fails at run time marks the context: the statement then gives no output for this event.
 *
 * To add an operation: a row in plan/ex.def, a function here and its entry in `eval_applies`, and
 * its entry in the table of vm_comp.c.
 */
#include "operators/expr/eval_impl.h"

#include <assert.h>

void ectx_fail(struct ectx *c, const char *fmt, ...)
{
    if (c->failed) {
        return;
    }
    c->failed = true;
    c->why = fmt;
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

struct dat eval_property(struct dat of, struct slice name)
{
    bool found = false;
    return property_of(of, name, &found);
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

static struct dat run_index(const struct ex *e, struct ectx *c, const struct dat *v)
{
    (void)e, (void)c;
    bool found = false;
    return element(v[0], v[1], &found);
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

static struct dat run_key(const struct ex *e, struct ectx *c, const struct dat *v)
{
    (void)e, (void)c;
    bool found = false;
    return entry(v[0], v[1], &found);
}

static struct dat run_exists(const struct ex *e, struct ectx *c, const struct dat *v)
{
    (void)c;
    bool found = false;
    if (e->name.len > 0) {
        (void)property_of(v[0], e->name, &found);
    } else if (e->n_args == 1) {
        found = v[0].kind != DAT_NULL;
    } else if (v[0].kind == DAT_LIST) {
        (void)element(v[0], v[1], &found);
    } else {
        (void)entry(v[0], v[1], &found);
    }
    return dat_bool(found);
}

static struct dat run_grouping_id(const struct ex *e, struct ectx *c, const struct dat *v)
{
    uint32_t bits = 0;
    for (uint32_t i = 0; i < e->n_args; i++) {
        bits = (bits << 1) | ((c->grouping >> v[i].i) & 1u);
    }
    return dat_int((int32_t)bits);
}

static struct dat run_new(const struct ex *e, struct ectx *c, const struct dat *v)
{
    struct evt *ev = evt_new(c->heap, e->of);
    for (uint32_t i = 0; i < e->n_args; i++) {
        evt_set(ev, i, v[i]);
    }
    return dat_evt(ev);
}

static struct dat run_array(const struct ex *e, struct ectx *c, const struct dat *v)
{
    struct vlist *l = vlist_new(c->heap, e->n_args);
    for (uint32_t i = 0; i < e->n_args; i++) {
        vlist_set(l, i, v[i]);
    }
    return dat_list(l);
}

static struct dat run_period(const struct ex *e, struct ectx *c, const struct dat *v)
{
    (void)c;
    int64_t months = 0;
    double ms = 0;
    if (!eval_period(e, v, &months, &ms)) {
        return DAT_NONE;
    }
    return dat_long(dat_to_long(dat_double(ms + (double)months * 2592000000.0)));
}

ex_apply *const eval_applies[EX_OP_COUNT] = {
    [EX_KEY] = run_key,
    [EX_INDEX] = run_index,
    [EX_TAG_AT] = run_index,
    [EX_EXISTS_DYN] = run_exists,
    [EX_GROUPING_ID] = run_grouping_id,
    [EX_NEW] = run_new,
    [EX_ARRAY] = run_array,
    [EX_PERIOD] = run_period,
    [EX_IN] = eval_in,
    [EX_QUANT] = eval_quant,
    [EX_BUCKET] = eval_bucket,
    [EX_LIKE] = fn_like,
    [EX_REGEXP] = fn_regexp,
    [EX_CAST] = fn_cast,
    [EX_INSTANCEOF] = fn_instanceof,
    [EX_TYPEOF] = fn_typeof,
};
