/* SPDX-License-Identifier: Apache-2.0
 *
 * Several data windows of one stream, retain-union: an event is put out as it comes, and as old
 * when the last of the windows has let it go. A ring holds the events in order of arrival, each
 * with the number of windows that still hold it.
 */
#include "core/base/mem.h"
#include "operators/window/win.h"
#include "operators/window/win_state.h"

#include <assert.h>

struct kid {
    struct any *any;
    struct view *v;
    struct win_list nw; /* what it took, of those that may refuse */
};

struct any {
    struct win w;
    struct win_ring ring; /* at: how many windows hold it */
    bool busy;            /* we are asking: their olds are collected, not put out */
    bool deaf;            /* what they say is known already */
    uint32_t n;
    struct kid kids[];
};

static void let_go(struct any *a, struct evt *e)
{
    struct win_slot *s = win_ring_find(&a->ring, e);
    if (s == NULL || --s->at > 0) {
        return;
    }
    (void)win_ring_remove(&a->ring, e);
    win_list_add(&a->w.old, e);
    evt_drop(a->w.v.env->heap, e);
}

static void kid_out(void *arg, struct evt **nw, size_t n_nw, struct evt **old, size_t n_old)
{
    struct kid *k = arg;
    struct any *a = k->any;
    if (a->deaf) {
        return;
    }
    if (!a->busy) {
        a->w.old.len = 0;
    }
    for (size_t i = 0; i < n_old; i++) {
        let_go(a, old[i]);
    }
    for (size_t i = 0; i < n_nw && k->v->step->def->refuses; i++) {
        win_list_add(&k->nw, nw[i]);
    }
    if (!a->busy) {
        win_emit(&a->w, NULL, 0, a->w.old.ptr, a->w.old.len);
    }
}

static void delete (struct any *a, struct evt **old, size_t n_old)
{
    a->deaf = true;
    for (uint32_t i = 0; i < a->n; i++) {
        view_update(a->kids[i].v, NULL, 0, old, n_old);
    }
    a->deaf = false;
    for (size_t i = 0; i < n_old; i++) {
        if (win_ring_remove(&a->ring, old[i])) {
            win_list_add(&a->w.old, old[i]);
            evt_drop(a->w.v.env->heap, old[i]);
        }
    }
}

/* A window that may refuse holds only what it said it took. */
static void refused(struct any *a, const struct kid *k, struct evt **nw, size_t n_nw)
{
    size_t taken = 0;
    for (size_t i = 0; i < n_nw; i++) {
        if (taken < k->nw.len && k->nw.ptr[taken] == nw[i]) {
            taken++;
        } else {
            let_go(a, nw[i]);
        }
    }
}

static void update(struct view *v, struct evt **nw, size_t n_nw, struct evt **old, size_t n_old)
{
    struct any *a = (struct any *)(void *)v;
    a->w.old.len = 0;
    a->busy = true;
    if (n_old > 0) {
        delete (a, old, n_old);
    }
    for (size_t i = 0; i < n_nw; i++) {
        win_ring_push(&a->ring, nw[i], (int64_t)a->n);
    }
    for (uint32_t i = 0; i < a->n && n_nw > 0; i++) {
        struct kid *k = &a->kids[i];
        k->nw.len = 0;
        view_update(k->v, nw, n_nw, NULL, 0);
        if (k->v->step->def->refuses) {
            refused(a, k, nw, n_nw);
        }
    }
    a->busy = false;
    win_emit(&a->w, nw, n_nw, a->w.old.ptr, a->w.old.len);
}

static void each(struct view *v, void (*fn)(void *arg, struct evt *e), void *arg)
{
    win_ring_each(&((const struct any *)(const void *)v)->ring, fn, arg);
}

static void free_it(struct view *v)
{
    struct any *a = (struct any *)(void *)v;
    for (uint32_t i = 0; i < a->n; i++) {
        view_free(a->kids[i].v);
        win_list_done(&a->kids[i].nw);
    }
    win_ring_done(&a->ring, v->env->heap);
    win_done(&a->w);
    mem_free(a);
}

static void poke(struct view *v, const struct var *changed)
{
    struct any *a = (struct any *)(void *)v;
    for (uint32_t i = 0; i < a->n; i++) {
        view_poke(a->kids[i].v, changed);
    }
}

/* Ring, with how many windows hold each event; each window. */
static void save(struct view *v, struct save *s)
{
    const struct any *a = (const struct any *)(const void *)v;
    assert(!a->busy && !a->deaf);
    win_ring_save(&a->ring, s);
    for (uint32_t i = 0; i < a->n; i++) {
        view_save(a->kids[i].v, s);
    }
}

static void load(struct view *v, struct load *l)
{
    struct any *a = (struct any *)(void *)v;
    win_ring_load(&a->ring, l, v->step->in);
    for (uint64_t i = a->ring.head; i < a->ring.tail; i++) {
        int64_t held = win_ring_slot(&a->ring, i)->at;
        if (held < 1 || held > a->n) {
            load_fail(l, "an event held by %lld of %u windows", (long long)held, a->n);
        }
    }
    for (uint32_t i = 0; i < a->n; i++) {
        view_load(a->kids[i].v, l);
    }
}

static const struct view_ops ops = {
    .update = update,
    .each = each,
    .free = free_it,
    .poke = poke,
    .save = save,
    .load = load,
};

struct view *win_union_new(struct view_step *const *steps, uint32_t n, struct view_env *env)
{
    struct any *a = mem_zalloc(sizeof *a + n * sizeof(struct kid));
    assert(n > 1);
    win_init(&a->w, &ops, steps[0], env);
    a->w.v.holds = a->w.counts = false; /* its windows do */
    a->n = n;
    for (uint32_t i = 0; i < n; i++) {
        struct kid *k = &a->kids[i];
        k->any = a;
        k->v = steps[i]->def->make(steps[i], env);
        k->v->sink = kid_out;
        k->v->sink_arg = k;
    }
    return &a->w.v;
}
