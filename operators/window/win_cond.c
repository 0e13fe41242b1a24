/* SPDX-License-Identifier: Apache-2.0
 *
 * See win_cond.h.
 */
#include "operators/window/win_cond.h"

#include "operators/window/win_param.h"

#include <assert.h>

static const struct etype *pseudo_type(struct bind *b, const struct etype *in)
{
    struct ty event = {.kind = TY_EVENT, .ev = in};
    const struct ecol cols[WIN_PSEUDOS] = {
        [WIN_CURRENT_COUNT] = {.name = SLICE("current_count"), .ty = TY(INT)},
        [WIN_EXPIRED_COUNT] = {.name = SLICE("expired_count"), .ty = TY(INT)},
        [WIN_NEWEST_EVENT] = {.name = SLICE("newest_event"), .ty = event},
        [WIN_OLDEST_EVENT] = {.name = SLICE("oldest_event"), .ty = event},
        [WIN_NEWEST_TIMESTAMP] = {.name = SLICE("newest_timestamp"), .ty = TY(LONG)},
        [WIN_OLDEST_TIMESTAMP] = {.name = SLICE("oldest_timestamp"), .ty = TY(LONG)},
        [WIN_VIEW_REFERENCE] = {.name = SLICE("view_reference"), .ty = TY(OBJECT)},
    };
    return ety_new(b->a, b->types, ETYPE_ANON, SLICE_NONE, cols, WIN_PSEUDOS, NULL, 0);
}

static bool asks(const struct ex *e, const struct var *v)
{
    bool found = e->op == EX_VAR && e->var == v;
    for (uint32_t i = 0; !found && i < e->n_args; i++) {
        found = e->args[i] != NULL && asks(e->args[i], v);
    }
    return found;
}

bool win_cond_asks(const struct win_cond_step *s, const struct var *v)
{
    return asks(s->cond, v);
}

int win_cond_bind(struct bind *b, const struct ast_view *v, const struct etype *in,
                  struct win_cond_step *s, struct err *reterr)
{
    const struct etype *pseudo = pseudo_type(b, in);
    if (pseudo == NULL) {
        return err_set(reterr, ERR_LIMIT, "the statement is too large");
    }
    int rc = win_cond(b, s->step.def, v->args[0], in, pseudo, &s->aggs, &s->cond, reterr);
    if (rc != 0) {
        return rc;
    }
    if (s->aggs.calls.len > 0) {
        agg_layout(b->a, &s->aggs, &s->layout);
    }
    return 0;
}

static struct dat agg_value(struct ectx *c, const struct ex *e)
{
    const struct win_cond_run *r = c->group;
    if (e->op == EX_AGG_METHOD) {
        return agg_method_value(e, c);
    }
    return agg_block_value(&r->s->layout, r->block, e->slot, c);
}

void win_cond_init(struct win_cond_run *r, const struct view_step *step, struct view_env *env)
{
    r->s = (const struct win_cond_step *)(const void *)step;
    r->env = env;
    r->block = r->s->aggs.calls.len > 0 ? agg_block_new(&r->s->layout) : NULL;
}

void win_cond_done(struct win_cond_run *r)
{
    if (r->block != NULL) {
        agg_block_free(&r->s->layout, r->block, r->env->heap);
    }
}

/* The statement's context as it is now, with our own aggregations in it. */
static struct ectx *context(struct win_cond_run *r)
{
    r->ctx = *r->env->ctx;
    if (r->ctx.ops != NULL) {
        r->ops = *r->ctx.ops;
    }
    r->ops.agg = agg_value;
    r->ctx.ops = &r->ops;
    r->ctx.group = r;
    r->ctx.pseudo = r->pseudo;
    return &r->ctx;
}

void win_cond_enter(struct win_cond_run *r, struct evt *e)
{
    if (r->block != NULL) {
        struct ectx *c = context(r);
        c->row[r->env->stream] = e;
        agg_block_enter(&r->s->layout, r->block, c);
    }
}

void win_cond_leave(struct win_cond_run *r, struct evt *e)
{
    if (r->block != NULL) {
        struct ectx *c = context(r);
        c->row[r->env->stream] = e;
        agg_block_leave(&r->s->layout, r->block, c);
    }
}

void win_cond_clear(struct win_cond_run *r)
{
    if (r->block != NULL) {
        agg_block_clear(&r->s->layout, r->block, r->env->heap);
    }
}

void win_cond_save(const struct win_cond_run *r, struct save *s)
{
    if (r->block != NULL) {
        agg_block_save(&r->s->layout, r->block, s);
    }
}

void win_cond_load(struct win_cond_run *r, struct load *l)
{
    if (r->block != NULL) {
        agg_block_load(&r->s->layout, r->block, l);
    }
}

bool win_cond_true(struct win_cond_run *r, struct evt *of, size_t count, size_t expired,
                   struct win_slot oldest, struct win_slot newest)
{
    struct ectx *c = context(r);
    assert(count == 0 || (oldest.e != NULL && newest.e != NULL));
    c->row[r->env->stream] = of;
    r->pseudo[WIN_CURRENT_COUNT] = dat_int((int32_t)count);
    r->pseudo[WIN_EXPIRED_COUNT] = dat_int((int32_t)expired);
    r->pseudo[WIN_NEWEST_EVENT] = dat_evt(newest.e);
    r->pseudo[WIN_OLDEST_EVENT] = dat_evt(oldest.e);
    r->pseudo[WIN_NEWEST_TIMESTAMP] = dat_long(newest.at);
    r->pseudo[WIN_OLDEST_TIMESTAMP] = dat_long(oldest.at);
    r->pseudo[WIN_VIEW_REFERENCE] = dat_bool(true); /* something; nothing can be done with it */
    bool is_true = ex_true(r->s->cond, c);
    return is_true && !c->failed;
}
