/* SPDX-License-Identifier: Apache-2.0
 *
 * `tag=T(conditions)@consume(level)`: an instance is a leaf of the route index, bound to the match
 * it was begun with, so that `k = a.k` is a look-up by hash. It is over with the first event,
 * unless its parent collects (every, until): then it stays registered.
 */
#include "operators/pattern/pat_bind.h"
#include "operators/pattern/pat_local.h"

#include <assert.h>

struct filter_node {
    struct pat_node node;
    struct route_filter filter;
    int tag; /* -1: none */
    int consume;
    uint16_t order; /* of the leaves of the pattern, for one event */
    bool plain;     /* without conditions of its own */
};

struct filter_inst {
    struct pat_inst i;
    struct route_leaf *leaf;
};

static int filter_bind(struct pat_binder *x, const struct ast_pat *p, struct pat_node *node,
                       struct err *reterr)
{
    struct filter_node *n = (struct filter_node *)node;
    const struct cat_entry *c = cat_type(x->b->cat, p->stream->type);
    assert(c != NULL && "tags were collected");
    int rc = pat_bind_filter(x, p->stream, c->type, p->tag, &n->filter, reterr);
    if (rc != 0) {
        return rc;
    }
    pat_order_add(x, &n->filter, &n->order);
    n->plain = p->stream->n_filters == 0;
    n->consume = p->consume ? 1 : 0;
    if (p->consume_level != NULL) {
        int64_t level = 0;
        rc = bind_const_int(x->b, p->consume_level, "@consume", &level, reterr);
        if (rc != 0) {
            return rc;
        }
        if (level < 0 || level > INT32_MAX) {
            return bind_err(reterr, p->consume_level->span, "the level of @consume is too large");
        }
        n->consume = (int)level;
    }
    n->tag = p->tag.len > 0 ? pat_tag_find(x, p->tag) : -1;
    if (n->tag >= 0) {
        x->tags.ptr[n->tag].seen = true;
    }
    return 0;
}

static void filter_quit(struct pat_inst *i)
{
    struct filter_inst *f = (struct filter_inst *)i;
    if (f->leaf != NULL) {
        route_remove(i->pat->env->route, f->leaf);
        f->leaf = NULL;
    }
}

/* What a report reaches first, in the cache while the match is made. */
static inline void soon(const struct pat_inst *i)
{
    enum { LINE = 64 };
    const char *parent = (const char *)i->parent;
    for (size_t at = 0; parent != NULL && at < sizeof(struct pat_inst) + LINE; at += LINE) {
        __builtin_prefetch(parent + at);
    }
    if (i->begin != NULL) {
        for (uint32_t k = 0; k < i->begin->type->n_cols; k++) {
            if (i->begin->p[k].kind == DAT_EVENT) {
                __builtin_prefetch(i->begin->p[k].ev);
            }
        }
    }
}

static void filter_event(void *arg, struct evt *e)
{
    struct filter_inst *f = arg;
    struct pat_inst *i = &f->i;
    const struct filter_node *n = (const struct filter_node *)i->node;
    assert(!i->dead);
    soon(i);
    pat_touch(i);
    pat_enter(i->pat);
    struct evt *m = n->tag >= 0 ? pat_extend(i->pat, i->begin, n->tag, dat_evt(e)) : i->begin;
    bool stays = i->parent != NULL && i->parent->node->def->keeps_filter;
    if (!stays) {
        filter_quit(i);
    }
    pat_true(i, m, !stays);
    pat_leave(i->pat);
}

/* Conditions are asked before what takes every event, and that in the order in which it came. */
static uint64_t leaf_rank(const struct pat_inst *i)
{
    const struct filter_node *n = (const struct filter_node *)i->node;
    const struct pat_env *env = i->pat->env;
    uint64_t rank = env->rank + n->order * PAT_ORDER_STEP;
    if (!env->by_kind || !n->plain) {
        return rank;
    }
    bool last = i->node->late || env->plain_last;
    return rank | 1ULL << PAT_CLASS_SHIFT | (last ? 0xffULL << PAT_CLASS_LATE_SHIFT : 0);
}

static void filter_start(struct pat_inst *i)
{
    struct filter_inst *f = (struct filter_inst *)i;
    const struct filter_node *n = (const struct filter_node *)i->node;
    struct pat_env *env = i->pat->env;
    f->leaf = route_add(env->route, &n->filter, i->begin, filter_event, f, env->inst, env->ops,
                        leaf_rank(i));
    f->leaf->consume = n->consume;
}

static void filter_tell(const struct pat_node *node, struct pat_told *ret)
{
    const struct filter_node *n = (const struct filter_node *)node;
    ret->filter = &n->filter;
    ret->tag = n->tag;
}

static void filter_save(struct pat_inst *i, struct save *s)
{
    const struct filter_inst *f = (const struct filter_inst *)i;
    assert(f->leaf != NULL);
    save_u(s, f->leaf->seq);
}

static void filter_load(struct pat_inst *i, struct load *l)
{
    struct filter_inst *f = (struct filter_inst *)i;
    uint64_t seq = load_u(l);
    const struct filter_node *n = (const struct filter_node *)i->node;
    struct pat_env *env = i->pat->env;
    if (load_ok(l)) {
        f->leaf = route_add_at(env->route, &n->filter, i->begin, filter_event, f, env->inst,
                               env->ops, leaf_rank(i), seq);
        f->leaf->consume = n->consume;
    }
}

const struct pat_def pat_def_filter = {
    .node_bytes = sizeof(struct filter_node),
    .inst_bytes = sizeof(struct filter_inst),
    .keeps_on = true,
    .leaf = true,
    .holds_begin = true,
    .bind = filter_bind,
    .start = filter_start,
    .quit = filter_quit,
    .tell = filter_tell,
    .save = filter_save,
    .load = filter_load,
};
