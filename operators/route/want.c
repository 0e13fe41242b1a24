/* SPDX-License-Identifier: Apache-2.0
 *
 * See want.h.
 */
#include "operators/route/want.h"

#include "core/base/arena.h"
#include "operators/route/route_impl.h"

#include <assert.h>
#include <math.h>

/* Its value is the same for all leaves. */
static bool is_constant(const struct ex *e)
{
    return e->op == EX_CONST || (e->op == EX_CONV && e->n_args == 1 && is_constant(e->args[0]));
}

static struct dat value_of(const struct ex *e, struct vheap *heap)
{
    struct ectx c = {.heap = heap};
    struct dat v = ex_eval(e, &c);
    return c.failed ? DAT_NONE : v;
}

static bool is_plain(struct dat v)
{
    return v.kind == DAT_NULL || v.kind == DAT_BOOL || v.kind == DAT_STRING || dat_is_integer(v) ||
           dat_is_float(v);
}

static bool add_key(const struct route_filter *f, uint32_t i, struct vheap *heap,
                    struct route_want *w)
{
    bool null_ok = (f->null_ok >> i & 1) != 0;
    struct dat v = value_of(f->key[i], heap);
    if (dat_is_null(v) && !null_ok) {
        return false; /* equal to nothing */
    }
    if (is_plain(v)) {
        uint32_t at = w->n_keys++;
        w->col[at] = f->type->cols[f->key_slot[i]].name;
        w->key[at] = v.kind == DAT_STRING ? DAT_NONE : v;
        w->text[at] = v.kind == DAT_STRING ? vstr_slice(v.s) : SLICE_NONE;
        w->null_ok = (uint8_t)(w->null_ok | (null_ok ? 1u << at : 0u));
    }
    return true;
}

/* A bound that is no constant, or no number, leaves its side open. */
static double bound_of(const struct ex *e, struct vheap *heap, double open)
{
    if (e == NULL || !is_constant(e)) {
        return open;
    }
    struct dat v = value_of(e, heap);
    double d = dat_is_integer(v) ? (double)v.i : dat_is_float(v) ? v.d : open;
    return isnan(d) ? open : d;
}

static void add_range(const struct route_filter *f, struct vheap *heap, struct route_want *w)
{
    double low = bound_of(f->low, heap, -INFINITY), high = bound_of(f->high, heap, INFINITY);
    if (f->between && (isinf(low) || isinf(high))) {
        return; /* which of them is the lower one may not be known */
    }
    w->ranged = !isinf(low) || !isinf(high);
    w->low = MIN(low, high);
    w->high = MAX(low, high);
    if (!f->between) {
        w->low = low;
        w->high = high;
    }
    w->range_col = f->type->cols[f->range_slot].name;
}

bool route_want_of(const struct route_filter *f, struct vheap *heap, struct route_want *ret)
{
    struct route_want w = {.type = f->type->name};
    for (uint32_t i = 0; i < f->n_keys; i++) {
        if (is_constant(f->key[i]) && !add_key(f, i, heap, &w)) {
            return false;
        }
    }
    if (f->ranged) {
        add_range(f, heap, &w);
    }
    *ret = w;
    return true;
}

struct route_want route_want_copy(struct arena *a, const struct route_want *w)
{
    struct route_want to = *w;
    to.type = arena_copy(a, w->type);
    for (uint32_t i = 0; i < ROUTE_KEYS_MAX; i++) {
        to.col[i] = w->col[i].len > 0 ? arena_copy(a, w->col[i]) : SLICE_NONE;
        to.text[i] = w->text[i].ptr != NULL ? arena_copy(a, w->text[i]) : SLICE_NONE;
    }
    to.range_col = w->ranged ? arena_copy(a, w->range_col) : SLICE_NONE;
    return to;
}

bool route_want_add(struct route *r, const struct etype *type, const struct route_want *w,
                    struct route_filter *to, void *arg, struct route_leaf **ret)
{
    struct dat key[ROUTE_KEYS_MAX];
    *to = (struct route_filter){
        .type = type, .n_keys = w->n_keys, .null_ok = w->null_ok, .known = true};
    for (uint32_t i = 0; i < w->n_keys; i++) {
        int col = ety_col(type, w->col[i]);
        if (col < 0) {
            return false;
        }
        to->key_slot[i] = (uint16_t)col;
        key[i] = w->text[i].ptr != NULL ? dat_str(vstr_new(route_heap(r), w->text[i])) : w->key[i];
    }
    to->made = (uint8_t)((1u << w->n_keys) - 1); /* keys are the leaf's own */
    if (w->ranged) {
        int col = ety_col(type, w->range_col);
        if (col < 0) {
            return false;
        }
        to->ranged = true;
        to->range_slot = (uint16_t)col;
    }
    *ret = route_add_known(r, to, key, w->low, w->high, arg);
    return true;
}

bool route_want_spans(const struct route_leaf *l, const struct evt *e)
{
    const struct route_filter *f = l->filter;
    if (!f->ranged || f->n_keys == 0) {
        return true;
    }
    const uint16_t *view = e->type != f->type ? ety_view(e->type, f->type) : NULL;
    struct dat v = e->p[view != NULL ? view[f->range_slot] : f->range_slot];
    if (dat_is_integer(v)) {
        return (double)v.i >= l->low && (double)v.i <= l->high;
    }
    return dat_is_float(v) && !(v.d < l->low) && !(v.d > l->high); /* null: none is true */
}
