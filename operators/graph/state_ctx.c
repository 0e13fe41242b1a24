/* SPDX-License-Identifier: Apache-2.0
 *
 * State of a context: the tree of its parts, what each waits for, and the numbers to come. Parts of
 * the first level stand under the key group of their key if that level is keyed. What the
 * statements of a partition hold is in their own nodes, by the partition's number. See state.h.
 */
#include "operators/graph/state.h"

#include "core/base/mem.h"
#include "operators/graph/ctx_impl.h"
#include "operators/graph/state_parts.h"

#include <assert.h>
#include <stdlib.h>

/* ---- controls: what a level waits for ---- */

static void save_ctl(const struct ctx_ctl *c, struct save *s)
{
    for (uint32_t i = 0; i < c->n_leaves; i++) {
        state_save_leaf(s, c->leaves[i].leaf);
    }
    save_bool(s, c->start != NULL);
    if (c->start != NULL) {
        pat_save(c->start, s, false);
    }
    save_bool(s, c->timer.fire != NULL);
    if (c->timer.fire != NULL) {
        tmr_save(s, &c->timer);
    }
}

static struct ctx_ctl *load_ctl(struct ctx_part *owner, const struct ctx_level *level,
                                struct load *l)
{
    struct ctx_ctl *c = ctx_ctl_bare(owner, level);
    for (uint32_t i = 0; i < c->n_leaves; i++) {
        state_load_leaf(l, owner->in.eng->route, c->leaves[i].leaf);
    }
    bool waits = level->kind == CTX_START_END || level->kind == CTX_INIT_TERM;
    if (load_bool(l)) {
        if (!waits || level->starts[0].pat.root == NULL) {
            load_fail(l, "a pattern where none can be");
            return c;
        }
        pat_load(ctx_start_pat(c), l, false);
    }
    if (load_bool(l)) {
        if (!waits) {
            load_fail(l, "a timer where none can be");
            return c;
        }
        ctx_start_timer(c);
        tmr_load(l, owner->in.eng->timers, &c->timer);
    }
    return c;
}

/* ---- parts ---- */

void ctx_save_part(const struct ctx_part *p, struct save *s)
{
    save_u(s, p->nr);
    save_evt(s, p->in.props);
    save_evt(s, p->match);
    save_bool(s, p->keyed);
    if (p->keyed) {
        save_val(s, p->key);
    }
    tmr_save(s, &p->timer);
    if (p->end != NULL) {
        pat_save(p->end, s, false);
    }
    if (p->inner != NULL) {
        save_ctl(p->inner, s);
        for (const struct ctx_part *q = p->inner->first; q != NULL; q = q->next) {
            state_save_item(s, false);
            ctx_save_part(q, s);
        }
        state_save_last(s, false);
    }
}

/* A part's key is what ctx_find is asked for: the columns of the key, or a list of conditions. */
static bool key_fits(const struct ctx_level *level, struct dat key)
{
    bool list = level->n_distinct > 0 || (level->kind == CTX_KEYED && level->n_keys != 1);
    uint32_t n = level->n_distinct > 0 ? level->n_distinct : level->n_keys;
    return !list || (key.kind == DAT_LIST && key.l->len == n);
}

static void load_part(struct ctx_ctl *c, struct load *l)
{
    const struct ctx_level *level = c->level;
    struct ctx_plan *plan = level->plan;
    uint64_t nr = load_u(l);
    struct evt *props = load_evt_of(l, plan->props), *match = load_evt(l);
    bool keyed = load_bool(l);
    struct dat key = keyed ? load_val(l) : DAT_NONE;
    bool fine = match == NULL || (level->match != NULL && match->type == level->match);
    if (!load_ok(l) || !fine || (keyed && !key_fits(level, key)) ||
        (!keyed && level->kind <= CTX_HASH)) {
        load_fail(l, "a partition that cannot be");
        return;
    }
    struct ctx_part *p = ctx_part_bare(c, props, match, keyed, key);
    p->nr = nr;
    ctx_link(c, p);
    ctx_await_end(p, INT64_MAX);
    tmr_load(l, p->in.eng->timers, &p->timer);
    if (p->end != NULL) {
        pat_load(p->end, l, false);
    }
    if (level->depth + 1 < plan->n_levels && load_ok(l)) {
        struct ctx_ctl *inner = load_ctl(p, level + 1, l);
        while (load_ok(l) && state_load_item(l, false)) {
            load_part(inner, l);
        }
    }
}

/* ---- the statement `create context` ---- */

static struct ctx_part *root_of(struct inst *root)
{
    return (struct ctx_part *)(void *)root;
}

void ctx_save(struct inst *root, struct save *s)
{
    const struct ctx_part *p = root_of(root);
    save_i(s, p->plan->next_id);
    save_u(s, p->plan->next_nr);
    save_bool(s, p->inner != NULL);
    if (p->inner != NULL) {
        save_ctl(p->inner, s);
    }
}

void ctx_load(struct inst *root, struct load *l)
{
    struct ctx_part *p = root_of(root);
    int64_t id = load_i(l);
    p->plan->next_id = (int32_t)id;
    p->plan->next_nr = load_u(l);
    if (id < 0 || id > INT32_MAX / 2) {
        load_fail(l, "partition %lld", (long long)id);
    }
    if (load_bool(l)) {
        (void)load_ctl(p, &p->plan->levels[0], l);
    }
}

/* Of the part of the first level that p is, or is in. */
uint16_t ctx_part_group(const struct ctx_part *p)
{
    while (p->ctl->owner->ctl != NULL) {
        p = p->ctl->owner;
    }
    if (p->ctl->level->kind != CTX_KEYED) {
        return SAVE_NO_GROUP;
    }
    bool list = p->ctl->level->n_keys != 1;
    return save_group_of(list ? p->key.l->v : &p->key, list ? p->key.l->len : 1);
}

void ctx_save_parts(struct inst *root, struct save *s, bool by_key)
{
    assert(by_key);
    (void)by_key;
    state_save_parts(root->st, s);
}

void ctx_load_parts(struct inst *root, struct load *l, bool by_key)
{
    assert(by_key);
    (void)by_key;
    struct ctx_ctl *c = root_of(root)->inner;
    if (c == NULL) {
        load_fail(l, "partitions of a context that does not run");
        return;
    }
    size_t space = load_space(l);
    load_part(c, l);
    load_space_end(l, space);
}

static int by_nr(const void *a, const void *b)
{
    const struct ctx_part *x = *(struct ctx_part *const *)a, *y = *(struct ctx_part *const *)b;
    return x->nr < y->nr ? -1 : x->nr > y->nr;
}

static size_t sorted(struct ctx_part *first, bool all, struct ctx_part ***ret)
{
    size_t n = 0;
    for (struct ctx_part *p = first; p != NULL; p = all ? p->all_next : p->next) {
        n++;
    }
    *ret = mem_calloc(n + 1, sizeof(struct ctx_part *));
    n = 0;
    for (struct ctx_part *p = first; p != NULL; p = all ? p->all_next : p->next) {
        (*ret)[n++] = p;
    }
    qsort(*ret, n, sizeof(struct ctx_part *), by_nr);
    return n;
}

/* Parts came group by group: the lists get their order back. */
void ctx_loaded(struct inst *root, struct load *l)
{
    struct ctx_plan *plan = root_of(root)->plan;
    struct ctx_ctl *c = root_of(root)->inner;
    struct ctx_part **p;
    size_t n = sorted(c != NULL ? c->first : NULL, false, &p);
    for (size_t i = 0; i < n; i++) {
        p[i]->prev = i > 0 ? p[i - 1] : NULL;
        p[i]->next = p[i + 1];
    }
    if (n > 0) {
        c->first = p[0];
        c->last = p[n - 1];
    }
    mem_free(p);
    n = sorted(plan->first, true, &p);
    for (size_t i = 0; i < n; i++) {
        p[i]->all_prev = i > 0 ? p[i - 1] : NULL;
        p[i]->all_next = p[i + 1];
        if (i > 0 && ctx_number(p[i]->in.props) <= ctx_number(p[i - 1]->in.props)) {
            load_fail(l, "partitions out of order");
        }
    }
    if (n > 0) {
        plan->first = p[0];
        plan->last = p[n - 1];
    }
    mem_free(p);
}

/* ---- for the statements of the context ---- */

size_t ctx_partitions(const struct stmt *st, struct ctx_part ***ret)
{
    const struct ctx_plan *plan = st->context->what;
    return sorted(plan->first, true, ret);
}

int32_t ctx_part_number(const struct ctx_part *p)
{
    return ctx_number(p->in.props);
}

struct inst *ctx_part_inst(const struct ctx_part *p, const struct stmt *st)
{
    size_t at = 0;
    while (p->plan->members.ptr[at] != st) {
        at++;
        assert(at < p->plan->members.len);
    }
    return p->insts.ptr[at];
}

bool ctx_runs(const struct stmt *st)
{
    const struct ctx_plan *plan = st->context->what;
    return plan->root != NULL && plan->root->inner != NULL && plan->members.len == 0;
}

struct inst *ctx_part_start(struct ctx_part *p, struct stmt *st)
{
    struct inst *in = st->ops->start(st, p->in.props);
    in->part = p;
    *VEC_PUSH(&p->insts) = in;
    return in;
}
