/* SPDX-License-Identifier: Apache-2.0
 *
 * #unique(key, ...): the last event of each key; the one before it of the same key leaves as it
 * comes. #firstunique(key, ...): the first event of each key; later ones of that key are not taken,
 * until something deletes the first. Null is a key like others.
 */
#include "core/base/mem.h"
#include "operators/window/win_late.h"
#include "operators/window/win_param.h"
#include "operators/window/win_state.h"

struct unique {
    struct win w;
    const struct win_keys *s;
    struct win_map map; /* what: the event, kept */
};

static struct win_node *node_of(struct unique *w, struct evt *e, struct dat *key,
                                uint64_t *ret_hash)
{
    win_eval_all(w->w.v.env, w->s->keys, w->s->n_keys, e, key);
    *ret_hash = win_key_hash(key, w->s->n_keys);
    return win_map_find(&w->map, key, *ret_hash);
}

static void forget(struct unique *w, struct evt *e)
{
    struct dat key[WIN_KEYS_MAX];
    uint64_t hash;
    struct win_node *node = node_of(w, e, key, &hash);
    if (node != NULL && node->what == e) {
        win_list_add(&w->w.old, e);
        win_map_remove(&w->map, w->w.v.env->heap, node);
        evt_drop(w->w.v.env->heap, e);
    }
}

static void forget_all(struct unique *w, struct evt **old, size_t n)
{
    w->w.old.len = 0;
    for (size_t i = 0; i < n; i++) {
        forget(w, old[i]);
    }
}

static void update(struct view *v, struct evt **nw, size_t n_nw, struct evt **old, size_t n_old)
{
    struct unique *w = (struct unique *)(void *)v;
    forget_all(w, old, n_old);
    for (size_t i = 0; i < n_nw; i++) {
        struct dat key[WIN_KEYS_MAX];
        uint64_t hash;
        struct win_node *node = node_of(w, nw[i], key, &hash);
        if (node != NULL) {
            if (UNLIKELY(w->map.late != NULL)) {
                win_late_node(&w->map, node, false);
            }
            win_list_add(&w->w.old, node->what);
            evt_drop(v->env->heap, node->what);
            win_map_rekey(&w->map, v->env->heap, node, key);
        } else {
            node = win_map_add(&w->map, key, hash);
        }
        node->what = evt_keep(nw[i]);
    }
    win_emit(&w->w, nw, n_nw, w->w.old.ptr, w->w.old.len);
}

static void update_first(struct view *v, struct evt **nw, size_t n_nw, struct evt **old,
                         size_t n_old)
{
    struct unique *w = (struct unique *)(void *)v;
    forget_all(w, old, n_old);
    w->w.nw.len = 0;
    for (size_t i = 0; i < n_nw; i++) {
        struct dat key[WIN_KEYS_MAX];
        uint64_t hash;
        if (node_of(w, nw[i], key, &hash) == NULL) {
            win_map_add(&w->map, key, hash)->what = evt_keep(nw[i]);
            win_list_add(&w->w.nw, nw[i]);
        }
    }
    win_emit(&w->w, w->w.nw.ptr, w->w.nw.len, w->w.old.ptr, w->w.old.len);
}

static void each(struct view *v, void (*fn)(void *arg, struct evt *e), void *arg)
{
    const struct unique *w = (const struct unique *)(const void *)v;
    for (const struct win_node *n = w->map.first; n != NULL; n = n->next) {
        fn(arg, n->what);
    }
}

static void free_it(struct view *v)
{
    struct unique *w = (struct unique *)(void *)v;
    win_late_map_rest(&w->map);
    for (const struct win_node *n = w->map.first; n != NULL; n = n->next) {
        evt_drop(v->env->heap, n->what);
    }
    win_map_done(&w->map, v->env->heap);
    win_done(&w->w);
    mem_free(w);
}

static bool idle(struct view *v)
{
    return ((struct unique *)(void *)v)->map.by_key.count == 0;
}

static void renew(struct view *v)
{
    win_map_renew(&((struct unique *)(void *)v)->map, v->env->heap);
}

/* Events and keys in order of the keys' first arrival. */
static void save(struct view *v, struct save *s)
{
    struct unique *w = (struct unique *)(void *)v;
    win_late_save_map(&w->map, v->env->heap, s);
}

static void load(struct view *v, struct load *l)
{
    struct unique *w = (struct unique *)(void *)v;
    win_map_load_events(&w->map, l, v->step->in);
}

#define OPS(update_)                                                                               \
    {                                                                                              \
        .update = (update_), .each = each, .free = free_it, .idle = idle, .renew = renew,          \
        .save = save, .load = load                                                                 \
    }
static const struct view_ops ops = OPS(update), first_ops = OPS(update_first);

static struct view *make(const struct view_step *step, struct view_env *env)
{
    struct unique *w = MEM_NEW(struct unique);
    win_init(&w->w, step->def == &view_def_unique ? &ops : &first_ops, step, env);
    w->s = (const struct win_keys *)(const void *)step;
    w->map.n_keys = w->s->n_keys;
    return &w->w.v;
}

const struct view_def view_def_unique = {
    .name = "unique",
    .parameters = "key, ...",
    .step_bytes = sizeof(struct win_keys),
    .data_window = true,
    .bind = win_bind_keys,
    .make = make,
};

const struct view_def view_def_firstunique = {
    .name = "firstunique",
    .parameters = "key, ...",
    .step_bytes = sizeof(struct win_keys),
    .data_window = true,
    .refuses = true,
    .bind = win_bind_keys,
    .make = make,
};
