/* SPDX-License-Identifier: Apache-2.0
 *
 * #groupwin(key, ...): the views behind it once for each key. Rows of derived views get those keys
 * that are plain properties as further columns.
 *
 * Groups of which nothing is left (their windows are as if new) are given up one by one, a look at
 * one group with every event, so that keys that never come again do not stay for ever.
 */
#include "core/base/mem.h"
#include "core/base/vec.h"
#include "operators/window/win_param.h"
#include "operators/window/win_state.h"

#include <assert.h>

struct group {
    struct group_win *g;
    struct win_node *node;
    struct view *v;
    struct win_list nw, old; /* of the update under way */
    bool touched;
    struct group *next; /* of those put aside */
};

struct group_win {
    struct win w;
    const struct win_keys *s;
    const struct view_plan *p;
    struct win_map map; /* what: struct group */
    struct win_node *hand;
    struct group *spare; /* were given up; no state */
    uint32_t n_spare;
    VEC(struct group *) touched;
};

static struct evt *with_keys(struct group *gr, const struct evt *row)
{
    const struct view_plan *p = gr->g->p;
    struct evt *e = evt_new(gr->g->w.v.env->heap, p->out);
    uint32_t n = row->type->n_cols;
    for (uint32_t i = 0; i < n; i++) {
        evt_set(e, i, row->p[i]);
    }
    for (uint32_t i = 0; i < p->n_group_cols; i++) {
        evt_set(e, n + i, gr->node->key[p->group_cols[i]]);
    }
    return e;
}

static void group_out(void *arg, struct evt **nw, size_t n_nw, struct evt **old, size_t n_old)
{
    struct group *gr = arg;
    struct win *w = &gr->g->w;
    if (gr->g->p->n_group_cols == 0) {
        w->v.sink(w->v.sink_arg, nw, n_nw, old, n_old);
        return;
    }
    w->nw.len = w->old.len = 0;
    for (size_t i = 0; i < n_nw; i++) {
        win_list_add(&w->nw, with_keys(gr, nw[i]));
    }
    for (size_t i = 0; i < n_old; i++) {
        win_list_add(&w->old, with_keys(gr, old[i]));
    }
    w->v.sink(w->v.sink_arg, w->nw.ptr, w->nw.len, w->old.ptr, w->old.len);
}

static uint64_t cost_of(const struct group_win *g, const struct win_node *node)
{
    uint64_t sum = LIM_COST_PART;
    for (uint32_t i = 0; i < g->s->n_keys; i++) {
        sum += lim_cost_of(node->key[i]);
    }
    return sum;
}

static struct group *new_group(struct group_win *g, struct win_node *node)
{
    struct group *gr = g->spare;
    lim_add(g->w.v.env->lim, LIM_STATE, cost_of(g, node));
    if (gr != NULL) {
        g->spare = gr->next;
        g->n_spare--;
        gr->node = node;
        node->what = gr;
        gr->v->ops->renew(gr->v);
        return gr;
    }
    gr = MEM_NEW(struct group);
    gr->g = g;
    gr->node = node;
    node->what = gr;
    gr->v = win_chain_new(g->p->steps + 1, g->p->n_steps - 1, g->p->retain_union, g->w.v.env);
    gr->v->sink = group_out;
    gr->v->sink_arg = gr;
    return gr;
}

static struct group *group_of(struct group_win *g, struct evt *e, bool make)
{
    struct view_env *env = g->w.v.env;
    struct dat key[WIN_KEYS_MAX];
    win_eval_all(env, g->s->keys, g->s->n_keys, e, key);
    uint64_t hash = win_key_hash(key, g->s->n_keys);
    struct win_node *node = win_map_find(&g->map, key, hash);
    if (node != NULL || !make) {
        return node != NULL ? node->what : NULL;
    }
    return new_group(g, win_map_add(&g->map, key, hash));
}

static void free_group(struct group *gr)
{
    view_free(gr->v);
    win_list_done(&gr->nw);
    win_list_done(&gr->old);
    mem_free(gr);
}

/* Its memory serves the next new one. */
static void put_aside(struct group_win *g, struct group *gr)
{
    enum { SPARE_MAX = 1024 };
    lim_sub(g->w.v.env->lim, LIM_STATE, cost_of(g, gr->node));
    win_map_remove(&g->map, g->w.v.env->heap, gr->node);
    if (g->n_spare == SPARE_MAX) {
        free_group(gr);
        return;
    }
    gr->v->ops->renew(gr->v); /* no timer of it is left */
    gr->next = g->spare;
    g->spare = gr;
    g->n_spare++;
}

static void look_at_one(struct group_win *g)
{
    struct win_node *node = g->hand != NULL ? g->hand : g->map.first;
    if (node == NULL) {
        return;
    }
    g->hand = node->next;
    struct group *gr = node->what;
    if (gr->v->ops->idle != NULL && gr->v->ops->idle(gr->v)) {
        put_aside(g, gr);
    }
}

static void touch(struct group_win *g, struct evt *e, bool leaves)
{
    struct group *gr = group_of(g, e, !leaves);
    if (gr == NULL) {
        return;
    }
    win_list_add(leaves ? &gr->old : &gr->nw, e);
    if (!gr->touched) {
        gr->touched = true;
        *VEC_PUSH(&g->touched) = gr;
    }
}

static void update(struct view *v, struct evt **nw, size_t n_nw, struct evt **old, size_t n_old)
{
    struct group_win *g = (struct group_win *)(void *)v;
    look_at_one(g);
    if (n_nw == 1 && n_old == 0) {
        view_update(group_of(g, nw[0], true)->v, nw, 1, NULL, 0);
        return;
    }
    for (size_t i = 0; i < n_nw; i++) {
        touch(g, nw[i], false);
    }
    for (size_t i = 0; i < n_old; i++) {
        touch(g, old[i], true);
    }
    for (size_t i = 0; i < g->touched.len; i++) {
        struct group *gr = g->touched.ptr[i];
        view_update(gr->v, gr->nw.ptr, gr->nw.len, gr->old.ptr, gr->old.len);
        gr->nw.len = gr->old.len = 0;
        gr->touched = false;
    }
    VEC_CLEAR(&g->touched);
}

struct walk {
    struct group *gr;
    void (*fn)(void *arg, struct evt *e);
    void *arg;
};

static void each_row(void *arg, struct evt *e)
{
    const struct walk *w = arg;
    w->fn(w->arg, w->gr->g->p->n_group_cols > 0 ? with_keys(w->gr, e) : e);
}

static void each(struct view *v, void (*fn)(void *arg, struct evt *e), void *arg)
{
    struct group_win *g = (struct group_win *)(void *)v;
    for (struct win_node *n = g->map.first; n != NULL; n = n->next) {
        struct walk w = {.gr = n->what, .fn = fn, .arg = arg};
        view_each(w.gr->v, each_row, &w);
    }
}

static struct group *of_event(struct view *v, const struct evt *of)
{
    return group_of((struct group_win *)(void *)v, (struct evt *)(uintptr_t)of, false);
}

static struct evt *prev(struct view *v, const struct evt *of, int64_t n)
{
    struct group *gr = of_event(v, of);
    return gr != NULL ? view_prev(gr->v, of, n) : NULL;
}

static size_t count(struct view *v, const struct evt *of)
{
    struct group *gr = of_event(v, of);
    return gr != NULL ? view_count(gr->v, of) : 0;
}

static struct evt *at(struct view *v, const struct evt *of, size_t n)
{
    struct group *gr = of_event(v, of);
    return gr != NULL ? view_at(gr->v, of, n) : NULL;
}

static void free_it(struct view *v)
{
    struct group_win *g = (struct group_win *)(void *)v;
    for (const struct win_node *n = g->map.first; n != NULL; n = n->next) {
        free_group(n->what);
    }
    for (struct group *gr = g->spare, *next; gr != NULL; gr = next) {
        next = gr->next;
        free_group(gr);
    }
    win_map_done(&g->map, v->env->heap);
    VEC_DONE(&g->touched);
    win_done(&g->w);
    mem_free(g);
}

static void poke(struct view *v, const struct var *changed)
{
    struct group_win *g = (struct group_win *)(void *)v;
    for (struct win_node *n = g->map.first; n != NULL; n = n->next) {
        view_poke(((struct group *)n->what)->v, changed);
    }
}

/* Where the hand is (the place of its group from 1, 0: nowhere); number of groups, each: key, view.
 */
static void save(struct view *v, struct save *s)
{
    const struct group_win *g = (const struct group_win *)(const void *)v;
    uint64_t hand = 0, i = 0;
    assert(g->touched.len == 0);
    for (const struct win_node *n = g->map.first; n != NULL; n = n->next) {
        i++;
        hand = n == g->hand ? i : hand;
    }
    save_u(s, hand);
    save_u(s, g->map.by_key.count);
    for (const struct win_node *n = g->map.first; n != NULL; n = n->next) {
        win_key_save(&g->map, n, s);
        view_save(((const struct group *)n->what)->v, s);
    }
}

static void load(struct view *v, struct load *l)
{
    struct group_win *g = (struct group_win *)(void *)v;
    uint64_t hand = load_u(l);
    size_t n = load_count(l, 2);
    for (size_t i = 0; i < n; i++) {
        struct win_node *node = win_key_load(&g->map, l);
        if (node == NULL) {
            return;
        }
        view_load(new_group(g, node)->v, l);
        g->hand = i + 1 == hand ? node : g->hand;
    }
    if (hand > n) {
        load_fail(l, "group %llu of %zu", (unsigned long long)hand, n);
    }
}

static const struct view_ops ops = {
    .update = update,
    .each = each,
    .prev = prev,
    .count = count,
    .at = at,
    .free = free_it,
    .poke = poke,
    .save = save,
    .load = load,
};

struct view *win_group_new(const struct view_plan *p, struct view_env *env)
{
    struct group_win *g = MEM_NEW(struct group_win);
    assert(p->group_win && p->n_steps > 1);
    win_init(&g->w, &ops, p->steps[0], env);
    g->p = p;
    g->s = (const struct win_keys *)(const void *)p->steps[0];
    g->map.n_keys = g->s->n_keys;
    return &g->w.v;
}

struct ex *const *win_group_keys(const struct view_step *step, uint32_t *ret_n)
{
    const struct win_keys *s = (const struct win_keys *)(const void *)step;
    *ret_n = s->n_keys;
    return s->keys;
}

const struct view_def view_def_groupwin = {
    .name = "groupwin",
    .parameters = "key, ...",
    .step_bytes = sizeof(struct win_keys),
    .bind = win_bind_keys,
};
