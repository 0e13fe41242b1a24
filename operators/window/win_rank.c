/* SPDX-License-Identifier: Apache-2.0
 *
 * #rank(key, ..., n, x [desc], ...): the last event of each key, and of those the first n in that
 * order. An event drives out the one of its key; else, when there are more than n, the last in
 * order leaves, which may be itself.
 */
#include "core/base/mem.h"
#include "operators/window/win_param.h"
#include "operators/window/win_sorted.h"
#include "operators/window/win_state.h"

#include <assert.h>

struct rank_step {
    struct win_keys keys; /* first */
    struct ex *size;
    struct win_criteria by;
};

struct rank {
    struct win w;
    const struct rank_step *s;
    size_t size;
    struct win_sorted sorted;
    struct win_map map; /* what: the entry */
};

static struct win_node *node_of(struct rank *w, struct evt *e, struct dat *key, uint64_t *ret_hash)
{
    const struct win_keys *k = &w->s->keys;
    win_eval_all(w->w.v.env, k->keys, k->n_keys, e, key);
    *ret_hash = win_key_hash(key, k->n_keys);
    return win_map_find(&w->map, key, *ret_hash);
}

/* Out of the order; the node stays. */
static void take_entry(struct rank *w, const struct win_entry *x)
{
    size_t at = win_sorted_place(&w->sorted, &w->s->by, x);
    assert(at < w->sorted.len);
    win_list_add(&w->w.old, win_sorted_take(&w->sorted, &w->s->by, w->w.v.env, at));
}

static void update(struct view *v, struct evt **nw, size_t n_nw, struct evt **old, size_t n_old)
{
    struct rank *w = (struct rank *)(void *)v;
    struct dat key[WIN_KEYS_MAX];
    uint64_t hash;
    w->w.old.len = 0;
    for (size_t i = 0; i < n_old; i++) {
        struct win_node *node = node_of(w, old[i], key, &hash);
        if (node != NULL && ((struct win_entry *)node->what)->e == old[i]) {
            take_entry(w, node->what);
            win_map_remove(&w->map, v->env->heap, node);
        }
    }
    for (size_t i = 0; i < n_nw; i++) {
        struct win_node *node = node_of(w, nw[i], key, &hash);
        if (node != NULL) {
            take_entry(w, node->what);
        } else {
            node = win_map_add(&w->map, key, hash);
        }
        struct win_entry *x = win_sorted_add(&w->sorted, &w->s->by, v->env, nw[i]);
        x->node = node;
        node->what = x;
        if (w->sorted.len > w->size) {
            struct win_node *last = w->sorted.all[w->size]->node;
            win_list_add(&w->w.old, win_sorted_take(&w->sorted, &w->s->by, v->env, w->size));
            win_map_remove(&w->map, v->env->heap, last);
        }
    }
    win_emit(&w->w, nw, n_nw, w->w.old.ptr, w->w.old.len);
}

static void each(struct view *v, void (*fn)(void *arg, struct evt *e), void *arg)
{
    const struct rank *w = (const struct rank *)(const void *)v;
    for (size_t i = 0; i < w->sorted.len; i++) {
        fn(arg, w->sorted.all[i]->e);
    }
}

static size_t count(struct view *v, const struct evt *of)
{
    (void)of;
    return ((const struct rank *)(const void *)v)->sorted.len;
}

static struct evt *at(struct view *v, const struct evt *of, size_t n)
{
    const struct rank *w = (const struct rank *)(const void *)v;
    (void)of;
    return n < w->sorted.len ? w->sorted.all[n]->e : NULL;
}

static struct evt *prev(struct view *v, const struct evt *of, int64_t n)
{
    return n >= 0 ? at(v, of, (size_t)n) : NULL;
}

static void free_it(struct view *v)
{
    struct rank *w = (struct rank *)(void *)v;
    win_map_done(&w->map, v->env->heap);
    win_sorted_done(&w->sorted, &w->s->by, v->env->heap);
    win_done(&w->w);
    mem_free(w);
}

static bool idle(struct view *v)
{
    return ((const struct rank *)(const void *)v)->sorted.len == 0;
}

static void renew(struct view *v)
{
    win_map_renew(&((struct rank *)(void *)v)->map, v->env->heap); /* the size is a constant */
}

/* Size; number of entries, each with its key. */
static void save(struct view *v, struct save *s)
{
    const struct rank *w = (const struct rank *)(const void *)v;
    win_size_save(w->size, s);
    save_u(s, w->sorted.len);
    for (size_t i = 0; i < w->sorted.len; i++) {
        win_key_save(&w->map, w->sorted.all[i]->node, s);
        win_entry_save(w->sorted.all[i], &w->s->by, s);
    }
}

static void load(struct view *v, struct load *l)
{
    struct rank *w = (struct rank *)(void *)v;
    w->size = win_size_load(l);
    size_t n = load_count(l, 3);
    if (n > w->size) {
        load_fail(l, "%zu events in a window for %zu", n, w->size);
    }
    for (size_t i = 0; i < n && load_ok(l); i++) {
        struct win_node *node = win_key_load(&w->map, l);
        struct win_entry *x = win_entry_load(&w->sorted, &w->s->by, l, v->step->in);
        if (x != NULL) {
            x->node = node;
            node->what = x;
        }
    }
}

static const struct view_ops ops = {
    .update = update,
    .each = each,
    .prev = prev,
    .count = count,
    .at = at,
    .free = free_it,
    .idle = idle,
    .renew = renew,
    .save = save,
    .load = load,
};

static struct view *make(const struct view_step *step, struct view_env *env)
{
    struct rank *w = MEM_NEW(struct rank);
    win_init(&w->w, &ops, step, env);
    w->s = (const struct rank_step *)(const void *)step;
    w->size = win_size_of(env, w->s->size);
    w->map.n_keys = w->s->keys.n_keys;
    return &w->w.v;
}

/* The size is the first parameter that is a constant. */
static int bind_it(struct bind *b, const struct ast_view *v, const struct etype *in,
                   struct view_step *step, const struct etype **ret_out, struct err *reterr)
{
    (void)ret_out;
    struct rank_step *s = (struct rank_step *)(void *)step;
    uint32_t at = 0;
    while (at < v->n_args && v->args[at]->kind != AST_INT && v->args[at]->kind != AST_NEG &&
           v->args[at]->kind != AST_LONG) {
        at++;
    }
    if (at == 0 || at + 1 >= v->n_args) {
        return win_usage(step->def, v->span, reterr);
    }
    s->keys.n_keys = at;
    s->by.n = v->n_args - at - 1;
    int rc = win_values(b, step->def, v->args, at, in, &s->keys.keys, reterr);
    rc = rc == 0 ? win_size(b, step->def, v->args[at], true, &s->size, reterr) : rc;
    if (rc != 0) {
        return rc;
    }
    return win_criteria(b, step->def, v->args + at + 1, s->by.n, in, &s->by.by, &s->by.desc,
                        reterr);
}

const struct view_def view_def_rank = {
    .name = "rank",
    .parameters = "key, ..., size, value [desc], ...",
    .step_bytes = sizeof(struct rank_step),
    .data_window = true,
    .prev = true,
    .bind = bind_it,
    .make = make,
};
