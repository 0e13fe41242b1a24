/* SPDX-License-Identifier: Apache-2.0
 *
 * min, max and their kin. In a window: all values in order (agg_tree). Where nothing leaves, and
 * for the -ever forms, the one value is enough.
 */
#include "operators/agg/agg_impl.h"

#include <assert.h>

enum flavour { LEAST = 1, GREATEST = 2, EVER = 4 }; /* in agg_call.priv */

static uintptr_t flavour(const struct agg_call *c)
{
    return (uintptr_t)c->priv;
}

static void extreme_enter(const struct agg_call *c, void *state, const struct dat *v,
                          struct ectx *ctx);

bool agg_keeps_best(const struct agg_call *c, bool *ret_least)
{
    if (c->def->enter != extreme_enter || (flavour(c) & EVER) == 0) {
        return false;
    }
    *ret_least = (flavour(c) & LEAST) != 0;
    return true;
}

static size_t extreme_bytes(const struct agg_call *c)
{
    return (flavour(c) & EVER) != 0 ? sizeof(struct dat) : sizeof(struct agg_tree);
}

static int extreme_type(struct bind *b, struct agg_call *c, uintptr_t how, struct err *reterr)
{
    struct ty t = c->args[0]->ty;
    if (t.kind == TY_NULL || t.kind == TY_EVENT || t.kind == TY_MAP || t.kind == TY_LIST) {
        return bind_err(reterr, c->args[0]->span, "%s wants values that have an order, not a %s",
                        c->def->name, ty_name(t.kind));
    }
    c->ty = t;
    c->priv = (const void *)(how | (agg_unbound(b) ? (uintptr_t)EVER : 0));
    return 0;
}

static int min_type(struct bind *b, struct agg_call *c, struct err *reterr)
{
    return extreme_type(b, c, LEAST, reterr);
}

static int max_type(struct bind *b, struct agg_call *c, struct err *reterr)
{
    return extreme_type(b, c, GREATEST, reterr);
}

static int minever_type(struct bind *b, struct agg_call *c, struct err *reterr)
{
    return extreme_type(b, c, LEAST | EVER, reterr);
}

static int maxever_type(struct bind *b, struct agg_call *c, struct err *reterr)
{
    return extreme_type(b, c, GREATEST | EVER, reterr);
}

static void extreme_enter(const struct agg_call *c, void *state, const struct dat *v,
                          struct ectx *ctx)
{
    if (dat_is_null(v[0])) {
        return;
    }
    if ((flavour(c) & EVER) == 0) {
        agg_tree_add(state, ctx->heap, v[0], NULL, true);
        return;
    }
    struct dat *best = state;
    int d = dat_is_null(*best) ? 0 : dat_cmp(v[0], *best);
    if (dat_is_null(*best) || ((flavour(c) & LEAST) != 0 ? d < 0 : d > 0)) {
        dat_drop(ctx->heap, *best);
        *best = dat_keep(v[0]);
    }
}

static void extreme_leave(const struct agg_call *c, void *state, const struct dat *v,
                          struct ectx *ctx)
{
    if ((flavour(c) & EVER) == 0 && !dat_is_null(v[0])) {
        (void)agg_tree_remove(state, ctx->heap, v[0], NULL, true);
    }
}

static struct dat extreme_value(const struct agg_call *c, void *state, struct ectx *ctx)
{
    (void)ctx;
    if ((flavour(c) & EVER) != 0) {
        return *(struct dat *)state;
    }
    const struct agg_node *n = agg_tree_end(state, (flavour(c) & GREATEST) != 0);
    return n == NULL ? DAT_NONE : n->key;
}

static void extreme_done(const struct agg_call *c, void *state, struct vheap *h)
{
    if ((flavour(c) & EVER) != 0) {
        dat_drop(h, *(struct dat *)state);
    } else {
        agg_tree_done(state, h);
    }
}

/* All values, or the one. */
static void extreme_save(const struct agg_call *c, void *state, struct save *s)
{
    if ((flavour(c) & EVER) != 0) {
        save_val(s, *(const struct dat *)state);
    } else {
        agg_tree_save(state, s, true);
    }
}

static void extreme_load(const struct agg_call *c, void *state, struct load *l)
{
    if ((flavour(c) & EVER) != 0) {
        *(struct dat *)state = dat_keep(load_val_of(l, c->ty));
    } else {
        agg_tree_load(state, l, true, c->ty, 1, NULL);
    }
}

#define EXTREME(name_, type_, must_, only_)                                                        \
    const struct agg_def agg_##name_ = {                                                           \
        .name = #name_,                                                                            \
        .min_args = 1,                                                                             \
        .max_args = 1,                                                                             \
        .distinct_ok = true,                                                                       \
        .filter_ok = true,                                                                         \
        .filter_must = (must_),                                                                    \
        .one_arg_only = (only_),                                                                   \
        .bytes = extreme_bytes,                                                                    \
        .type = (type_),                                                                           \
        .enter = extreme_enter,                                                                    \
        .leave = extreme_leave,                                                                    \
        .value = extreme_value,                                                                    \
        .done = extreme_done,                                                                      \
        .save = extreme_save,                                                                      \
        .load = extreme_load,                                                                      \
    }

EXTREME(min, min_type, false, true);
EXTREME(max, max_type, false, true);
EXTREME(fmin, min_type, true, false);
EXTREME(fmax, max_type, true, false);
EXTREME(minever, minever_type, false, false);
EXTREME(maxever, maxever_type, false, false);
EXTREME(fminever, minever_type, true, false);
EXTREME(fmaxever, maxever_type, true, false);
