/* SPDX-License-Identifier: Apache-2.0
 *
 * A row enters or leaves the block of a group, or asks for a value. The commonest calls - count(*),
 * and of a column of double, long or int the sum or mean and, where nothing leaves, the least or
 * greatest - are done here without a call: how is decided once, when the block is laid out. All
 * others go by their def. Both ways are about the same state, which the def alone saves and loads
 * (agg_sum.c, agg_minmax.c).
 *
 * To add one: a row of `ways` and its case in `change` and, if that is quick, in agg_block_value.
 */
#include "operators/agg/agg_impl.h"

#include <assert.h>
#include <math.h>

enum way { BY_CALL, NOT_HERE, ROWS, DOUBLES, LONGS, BEST };

static bool is_column_of(const struct agg_call *c, enum ty_kind kind)
{
    const struct ex *e = c->n_args == 1 ? c->args[0] : NULL;
    return e != NULL && e->op == EX_PROP && e->level == 0 && e->ty.kind == kind;
}

static enum way way_of(const struct agg_call *c)
{
    bool sums = c->def == &agg_sum || c->def == &agg_avg;
    if (c->has_group_by) {
        return NOT_HERE; /* the statement keeps those apart */
    }
    if (c->filter != NULL || c->distinct) {
        return BY_CALL;
    }
    if (c->def == &agg_count && (c->star || c->n_args == 0)) {
        return ROWS;
    }
    bool doubles = is_column_of(c, TY_DOUBLE), least;
    if (!doubles && !is_column_of(c, TY_LONG) && !is_column_of(c, TY_INT)) {
        return BY_CALL;
    }
    if (sums) {
        return doubles ? DOUBLES : LONGS;
    }
    return agg_keeps_best(c, &least) ? BEST : BY_CALL;
}

void agg_steps(struct arena *a, struct agg_layout *l)
{
    size_t n = l->set->calls.len;
    l->steps = arena_array(a, n + 1, sizeof *l->steps);
    assert(l->steps != NULL);
    for (size_t i = 0; i < n; i++) {
        const struct agg_call *c = l->set->calls.ptr[i];
        enum way way = way_of(c);
        const struct ex *e = way >= DOUBLES ? c->args[0] : NULL;
        bool least = false;
        (void)agg_keeps_best(c, &least);
        l->steps[i] = (struct agg_step){.way = (uint8_t)way,
                                        .call = c,
                                        .offset = l->offset[i],
                                        .mean = c->def == &agg_avg,
                                        .least = least,
                                        .stream = e != NULL ? e->stream : 0,
                                        .slot = e != NULL ? e->slot : 0,
                                        .of = e != NULL ? e->of : NULL};
    }
}

static inline struct dat column(const struct agg_step *s, const struct ectx *ctx)
{
    const struct evt *e = ctx->row[s->stream];
    return UNLIKELY(e == NULL) ? DAT_NONE : evt_get(e, s->of, s->slot);
}

static inline void count(struct agg_count_state *s, bool enters)
{
    s->n += enters ? 1 : -(s->n > 0);
}

/* As the def does it: when the last has left, the sum is as new. */
static inline void sum(struct agg_sum_state *s, enum way way, struct dat v, bool enters)
{
    if (UNLIKELY(dat_is_null(v)) || (!enters && s->n == 0)) {
        return;
    }
    s->n += enters ? 1 : -(uint64_t)1;
    if (UNLIKELY(s->n == 0)) {
        s->i = 0; /* all bits of a double, too */
    } else if (way == DOUBLES) {
        double d = LIKELY(v.kind == DAT_DOUBLE) ? v.d : dat_to_double(v);
        s->d = enters ? s->d + d : s->d - d;
    } else {
        s->i = enters ? s->i + (uint64_t)v.i : s->i - (uint64_t)v.i;
    }
}

/* As dat_cmp orders them: NaN is above all others. What leaves changes nothing. */
static inline void best(const struct agg_step *s, const struct agg_call *c, struct dat *state,
                        struct dat v, struct ectx *ctx)
{
    if (LIKELY(v.kind == DAT_DOUBLE && state->kind == DAT_DOUBLE)) {
        double was = state->d;
        bool better = s->least ? !(v.d >= was) && !isnan(v.d) : !(v.d <= was) && !isnan(was);
        state->d = better ? v.d : was;
    } else if (dat_is_integer(v) && dat_is_integer(*state)) {
        if (s->least ? v.i < state->i : v.i > state->i) {
            *state = v;
        }
    } else {
        c->def->enter(c, state, &v, ctx);
    }
}

static inline ALWAYS_INLINE void change(const struct agg_layout *l, void *block, struct ectx *ctx,
                                        bool enters)
{
    const struct agg_step *s = l->steps, *end = s + l->set->calls.len;
    for (; s < end; s++) {
        void *state = (char *)block + s->offset;
        const struct agg_call *c = s->call;
        switch ((enum way)s->way) {
        case ROWS: count(state, enters); break;
        case DOUBLES: sum(state, DOUBLES, column(s, ctx), enters); break;
        case LONGS: sum(state, LONGS, column(s, ctx), enters); break;
        case BEST:
            if (enters) {
                best(s, c, state, column(s, ctx), ctx);
            }
            break;
        case NOT_HERE: break;
        case BY_CALL:
            enters ? agg_column_enter(c, state, c, ctx) : agg_column_leave(c, state, c, ctx);
        }
    }
}

void agg_block_enter(const struct agg_layout *l, void *block, struct ectx *ctx)
{
    change(l, block, ctx, true);
}

void agg_block_leave(const struct agg_layout *l, void *block, struct ectx *ctx)
{
    change(l, block, ctx, false);
}

struct dat agg_block_value(const struct agg_layout *l, void *block, uint32_t slot, struct ectx *ctx)
{
    assert(slot < l->set->calls.len);
    const struct agg_step *s = &l->steps[slot];
    void *state = (char *)block + l->offset[slot];
    if (s->way == ROWS) {
        return dat_long(((const struct agg_count_state *)state)->n);
    }
    if (s->way != DOUBLES) {
        return agg_call_value(l->set->calls.ptr[slot], state, ctx);
    }
    const struct agg_sum_state *sum = state;
    if (UNLIKELY(sum->n == 0)) {
        return DAT_NONE;
    }
    return dat_double(s->mean ? sum->d / (double)sum->n : sum->d);
}
