/* SPDX-License-Identifier: Apache-2.0
 *
 * The table of aggregations, and running calls: one alone, and the blocks of groups. See agg.h.
 */
#include "operators/agg/agg.h"

#include "core/base/mem.h"
#include "operators/agg/agg_impl.h"

#include <assert.h>

static const struct agg_def *const defs[] = {
#define AGG(name, locality, doc) &agg_##name,
#include "operators/agg/agg.def"
#undef AGG
};

bool agg_splits(const struct agg_def *d)
{
    enum locality { LOCAL, MERGE, SPLIT };
    static const enum locality localities[] = {
#define AGG(name, locality, doc) locality,
#include "operators/agg/agg.def"
#undef AGG
    };
    size_t i = 0;
    while (defs[i] != d) {
        i++;
        assert(i < ARRAY_LEN(defs));
    }
    return localities[i] == SPLIT;
}

const struct agg_def *agg_find(struct slice name)
{
    for (size_t i = 0; i < ARRAY_LEN(defs); i++) {
        if (slice_eq_nocase(name, slice_str(defs[i]->name))) {
            return defs[i];
        }
    }
    return NULL;
}

const struct agg_def *const *agg_all(size_t *ret_n)
{
    *ret_n = ARRAY_LEN(defs);
    return defs;
}

bool agg_set_grows(const struct agg_set *set)
{
    bool grows = false;
    VEC_EACH (&set->calls, c) {
        grows |= (*c)->distinct || (*c)->def->done != NULL;
    }
    return grows;
}

size_t agg_call_bytes(const struct agg_call *c)
{
    size_t n = c->def->bytes(c) + (c->distinct ? sizeof(struct agg_uniq) : 0);
    return (n + 15) & ~(size_t)15;
}

void agg_call_init(const struct agg_call *c, void *state)
{
    memset(state, 0, agg_call_bytes(c));
    if (c->def->init != NULL) {
        c->def->init(c, agg_own(c, state));
    }
}

void agg_call_done(const struct agg_call *c, void *state, struct vheap *h)
{
    if (c->distinct) {
        agg_uniq_done(state, h);
    }
    if (c->def->done != NULL) {
        c->def->done(c, agg_own(c, state), h);
    }
}

/* The row's arguments; false if it does not count. */
static bool arguments(const struct agg_call *c, struct dat *v, struct ectx *ctx)
{
    if (c->filter != NULL && !ex_true(c->filter, ctx)) {
        return false;
    }
    if (c->def->takes_event) {
        assert(c->stream >= 0);
        v[0] = dat_evt(ctx->row[c->stream]);
        return !dat_is_null(v[0]);
    }
    for (uint32_t i = 0; i < c->n_args; i++) {
        v[i] = ex_quick(c->args[i], ctx);
    }
    return true;
}

void agg_column_enter(const struct agg_call *column, void *state, const struct agg_call *call,
                      struct ectx *ctx)
{
    struct dat v[AGG_ARGS_MAX];
    v[0] = DAT_NONE;
    assert(call->n_args <= AGG_ARGS_MAX);
    if (arguments(call, v, ctx) && (!column->distinct || agg_uniq_add(state, ctx->heap, v[0]))) {
        column->def->enter(column, agg_own(column, state), v, ctx);
    }
}

void agg_column_leave(const struct agg_call *column, void *state, const struct agg_call *call,
                      struct ectx *ctx)
{
    struct dat v[AGG_ARGS_MAX];
    v[0] = DAT_NONE;
    assert(call->n_args <= AGG_ARGS_MAX);
    if (arguments(call, v, ctx) && (!column->distinct || agg_uniq_remove(state, ctx->heap, v[0]))) {
        column->def->leave(column, agg_own(column, state), v, ctx);
    }
}

void agg_call_enter(const struct agg_call *c, void *state, struct ectx *ctx)
{
    agg_column_enter(c, state, c, ctx);
}

void agg_call_leave(const struct agg_call *c, void *state, struct ectx *ctx)
{
    agg_column_leave(c, state, c, ctx);
}

struct dat agg_call_value(const struct agg_call *c, void *state, struct ectx *ctx)
{
    return c->def->value(c, agg_own(c, state), ctx);
}

void agg_layout(struct arena *a, const struct agg_set *set, struct agg_layout *ret)
{
    size_t n = set->calls.len, at = 0;
    *ret = (struct agg_layout){.set = set, .offset = arena_array(a, n + 1, sizeof *ret->offset)};
    assert(ret->offset != NULL);
    for (size_t i = 0; i < n; i++) {
        ret->offset[i] = (uint32_t)at;
        at += agg_call_bytes(set->calls.ptr[i]);
    }
    ret->bytes = at;
    agg_steps(a, ret);
}

void agg_block_init(const struct agg_layout *l, void *block)
{
    for (size_t i = 0; i < l->set->calls.len; i++) {
        agg_call_init(l->set->calls.ptr[i], (char *)block + l->offset[i]);
    }
}

void agg_block_done(const struct agg_layout *l, void *block, struct vheap *h)
{
    for (size_t i = 0; i < l->set->calls.len; i++) {
        agg_call_done(l->set->calls.ptr[i], (char *)block + l->offset[i], h);
    }
}

void *agg_block_new(const struct agg_layout *l)
{
    void *block = mem_alloc(l->bytes);
    agg_block_init(l, block);
    return block;
}

void agg_block_free(const struct agg_layout *l, void *block, struct vheap *h)
{
    if (block != NULL) {
        agg_block_done(l, block, h);
        mem_free(block);
    }
}

void agg_block_clear(const struct agg_layout *l, void *block, struct vheap *h)
{
    for (size_t i = 0; i < l->set->calls.len; i++) {
        const struct agg_call *c = l->set->calls.ptr[i];
        agg_call_done(c, (char *)block + l->offset[i], h);
        agg_call_init(c, (char *)block + l->offset[i]);
    }
}

/* What distinct has seen; the call's own. */
void agg_call_save(const struct agg_call *c, void *state, struct save *s)
{
    if (c->distinct) {
        agg_uniq_save(state, s);
    }
    c->def->save(c, agg_own(c, state), s);
}

void agg_call_load(const struct agg_call *c, void *state, struct load *l)
{
    if (c->distinct) {
        agg_uniq_load(state, l, c->args[0]->ty);
    }
    c->def->load(c, agg_own(c, state), l);
}

void agg_block_save(const struct agg_layout *l, void *block, struct save *s)
{
    for (size_t i = 0; i < l->set->calls.len; i++) {
        const struct agg_call *c = l->set->calls.ptr[i];
        if (!c->has_group_by) {
            agg_call_save(c, (char *)block + l->offset[i], s);
        }
    }
}

void agg_block_load(const struct agg_layout *l, void *block, struct load *in)
{
    for (size_t i = 0; i < l->set->calls.len; i++) {
        const struct agg_call *c = l->set->calls.ptr[i];
        if (!c->has_group_by) {
            agg_call_load(c, (char *)block + l->offset[i], in);
        }
    }
}

struct dat agg_eval_on(const struct agg_call *c, const struct ex *e, struct evt *ev,
                       struct ectx *ctx)
{
    struct evt *row[AGG_STREAMS_MAX];
    struct evt **outer = ctx->row;
    assert(c->stream >= 0 && c->stream < AGG_STREAMS_MAX);
    row[c->stream] = ev;
    ctx->row = row;
    struct dat v = ex_eval(e, ctx);
    ctx->row = outer;
    return v;
}
