/* SPDX-License-Identifier: Apache-2.0
 *
 * Several data windows of one stream, retain-intersection: an event is held as long as all of them
 * hold it. Each gets every event; what one lets go leaves all the others and is put out as old.
 *
 * With a batch among them: the others get the event first, what they let go is taken out of the
 * batch unseen, and when the batch is put out the others forget its events, so that the next one
 * begins with all windows empty.
 *
 * A window that may refuse (the first of each key ...) makes the event leave the others again; it
 * is not put out as new. That it is put out as old if anything else leaves with it is what real
 * engines of this language do.
 */
#include "core/base/mem.h"
#include "operators/window/win.h"

#include <assert.h>

enum phase {
    PHASE_IDLE,    /* a kid speaks by itself: a timer */
    PHASE_COLLECT, /* we asked it and look at what it says */
    PHASE_IGNORE,  /* we told it what we know */
};

struct kid {
    struct both *both;
    struct view *v;
    struct win_list nw, old; /* what it said; nw: of those that may refuse */
};

struct both {
    struct win w;
    enum phase phase;
    bool refusing;
    struct kid *batch; /* or NULL */
    struct win_list gone, rest;
    uint32_t n;
    struct kid kids[];
};

static void tell(struct both *b, struct kid *k, struct evt **old, size_t n_old)
{
    enum phase was = b->phase;
    b->phase = PHASE_IGNORE;
    view_update(k->v, NULL, 0, old, n_old);
    b->phase = was;
}

static void tell_others(struct both *b, const struct kid *but, struct evt **old, size_t n_old)
{
    for (uint32_t i = 0; i < b->n && n_old > 0; i++) {
        if (&b->kids[i] != but) {
            tell(b, &b->kids[i], old, n_old);
        }
    }
}

static void add_all(struct win_list *to, struct evt **e, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        win_list_add(to, e[i]);
    }
}

static void kid_out(void *arg, struct evt **nw, size_t n_nw, struct evt **old, size_t n_old)
{
    struct kid *k = arg;
    struct both *b = k->both;
    if (k == b->batch && b->phase != PHASE_IGNORE) {
        win_emit(&b->w, nw, n_nw, old, n_old);
        tell_others(b, k, nw, n_nw);
    } else if (b->phase == PHASE_COLLECT) {
        add_all(&k->old, old, n_old);
        if (k->v->step->def->refuses) {
            add_all(&k->nw, nw, n_nw);
        }
    } else if (b->phase == PHASE_IDLE) {
        struct win_list *gone = &b->gone; /* the kid's own list may change under us */
        gone->len = 0;
        add_all(gone, old, n_old);
        if (b->batch != NULL) {
            b->phase = PHASE_COLLECT; /* what it has to say goes out */
            view_update(b->batch->v, NULL, 0, gone->ptr, gone->len);
            b->phase = PHASE_IDLE;
        }
        for (uint32_t i = 0; i < b->n; i++) {
            if (&b->kids[i] != k && &b->kids[i] != b->batch) {
                tell(b, &b->kids[i], gone->ptr, gone->len);
            }
        }
        if (b->batch == NULL) {
            win_emit(&b->w, NULL, 0, gone->ptr, gone->len);
        }
    }
}

static void mark(const struct win_list *l, uint32_t with)
{
    for (size_t i = 0; i < l->len; i++) {
        l->ptr[i]->mark = with;
    }
}

/* Those of `from` that are not in `l`, into `to`. */
static void without(struct win_list *to, struct evt **from, size_t n, const struct win_list *l)
{
    to->len = 0;
    mark(l, 1);
    for (size_t i = 0; i < n; i++) {
        if (from[i]->mark == 0) {
            win_list_add(to, from[i]);
        }
    }
    mark(l, 0);
}

/* Adds those that are not there yet. */
static void merge(struct win_list *to, const struct win_list *more)
{
    size_t had = to->len;
    mark(to, 1);
    for (size_t i = 0; i < more->len; i++) {
        if (more->ptr[i]->mark == 0) {
            win_list_add(to, more->ptr[i]);
        }
    }
    to->len = had < to->len ? to->len : had;
    mark(to, 0);
}

static void ask(struct both *b, struct evt **nw, size_t n_nw)
{
    for (uint32_t i = 0; i < b->n; i++) {
        b->kids[i].nw.len = b->kids[i].old.len = 0;
    }
    b->phase = PHASE_COLLECT;
    for (uint32_t i = 0; i < b->n; i++) {
        if (&b->kids[i] != b->batch) {
            view_update(b->kids[i].v, nw, n_nw, NULL, 0);
        }
    }
    b->phase = PHASE_IDLE;
}

/* What was refused into `refused`, all that leaves into b->gone, refused first. */
static void sum_up(struct both *b, struct evt **nw, size_t n_nw, struct win_list *refused)
{
    b->gone.len = 0;
    refused->len = 0;
    for (uint32_t i = 0; i < b->n && b->refusing; i++) {
        if (b->kids[i].v->step->def->refuses && &b->kids[i] != b->batch) {
            without(&b->rest, nw, n_nw, &b->kids[i].nw);
            merge(refused, &b->rest);
        }
    }
    merge(&b->gone, refused);
    for (uint32_t i = 0; i < b->n; i++) {
        if (b->kids[i].old.len > 0) {
            merge(&b->gone, &b->kids[i].old);
        }
    }
}

static void forget(struct both *b)
{
    for (uint32_t i = 0; i < b->n && b->gone.len > 0; i++) {
        struct kid *k = &b->kids[i];
        if (k == b->batch) {
            b->phase = PHASE_COLLECT;
            view_update(k->v, NULL, 0, b->gone.ptr, b->gone.len);
            b->phase = PHASE_IDLE;
            continue;
        }
        without(&b->rest, b->gone.ptr, b->gone.len, &k->old);
        if (b->rest.len > 0) {
            tell(b, k, b->rest.ptr, b->rest.len);
        }
    }
}

/* One event at a time, for a batch may end with any of them. */
static void into_batch(struct both *b, struct evt *e)
{
    struct win_list *refused = &b->w.old;
    ask(b, &e, 1);
    sum_up(b, &e, 1, refused);
    bool entered = refused->len == 0;
    forget(b);
    for (size_t i = 0; i < b->gone.len; i++) {
        entered &= b->gone.ptr[i] != e;
    }
    if (entered) {
        b->phase = PHASE_COLLECT;
        view_update(b->batch->v, &e, 1, NULL, 0);
        b->phase = PHASE_IDLE;
    }
}

static void delete (struct both *b, struct evt **old, size_t n_old)
{
    if (b->batch != NULL) {
        tell_others(b, b->batch, old, n_old);
        b->phase = PHASE_COLLECT;
        view_update(b->batch->v, NULL, 0, old, n_old);
        b->phase = PHASE_IDLE;
        return;
    }
    struct kid *first = &b->kids[0];
    first->old.len = 0;
    b->phase = PHASE_COLLECT;
    view_update(first->v, NULL, 0, old, n_old);
    b->phase = PHASE_IDLE;
    tell_others(b, first, old, n_old);
    win_emit(&b->w, NULL, 0, first->old.ptr, first->old.len);
}

static void update(struct view *v, struct evt **nw, size_t n_nw, struct evt **old, size_t n_old)
{
    struct both *b = (struct both *)(void *)v;
    if (n_old > 0) {
        delete (b, old, n_old);
    }
    if (n_nw == 0) {
        return;
    }
    if (b->batch != NULL) {
        for (size_t i = 0; i < n_nw; i++) {
            into_batch(b, nw[i]);
        }
        return;
    }
    struct win_list *refused = &b->w.old;
    ask(b, nw, n_nw);
    sum_up(b, nw, n_nw, refused);
    forget(b);
    if (b->gone.len == refused->len) {
        b->gone.len = 0;
    }
    if (refused->len > 0) {
        without(&b->w.nw, nw, n_nw, refused);
        nw = b->w.nw.ptr;
        n_nw = b->w.nw.len;
    }
    win_emit(&b->w, nw, n_nw, b->gone.ptr, b->gone.len);
}

static void each(struct view *v, void (*fn)(void *arg, struct evt *e), void *arg)
{
    struct both *b = (struct both *)(void *)v;
    view_each(b->batch != NULL ? b->batch->v : b->kids[0].v, fn, arg);
}

static void free_it(struct view *v)
{
    struct both *b = (struct both *)(void *)v;
    for (uint32_t i = 0; i < b->n; i++) {
        view_free(b->kids[i].v);
        win_list_done(&b->kids[i].nw);
        win_list_done(&b->kids[i].old);
    }
    win_list_done(&b->gone);
    win_list_done(&b->rest);
    win_done(&b->w);
    mem_free(b);
}

static bool idle(struct view *v)
{
    struct both *b = (struct both *)(void *)v;
    for (uint32_t i = 0; i < b->n; i++) {
        const struct view *k = b->kids[i].v;
        if (k->ops->idle == NULL || !k->ops->idle(b->kids[i].v)) {
            return false;
        }
    }
    return true;
}

static void renew(struct view *v)
{
    struct both *b = (struct both *)(void *)v;
    for (uint32_t i = 0; i < b->n; i++) {
        b->kids[i].v->ops->renew(b->kids[i].v);
    }
}

static void poke(struct view *v, const struct var *changed)
{
    struct both *b = (struct both *)(void *)v;
    for (uint32_t i = 0; i < b->n; i++) {
        view_poke(b->kids[i].v, changed);
    }
}

/* Each window: between two updates there is nothing else. */
static void save(struct view *v, struct save *s)
{
    const struct both *b = (const struct both *)(const void *)v;
    assert(b->phase == PHASE_IDLE);
    for (uint32_t i = 0; i < b->n; i++) {
        view_save(b->kids[i].v, s);
    }
}

static void load(struct view *v, struct load *l)
{
    struct both *b = (struct both *)(void *)v;
    for (uint32_t i = 0; i < b->n; i++) {
        view_load(b->kids[i].v, l);
    }
}

static const struct view_ops ops = {
    .update = update,
    .each = each,
    .free = free_it,
    .idle = idle,
    .renew = renew,
    .poke = poke,
    .save = save,
    .load = load,
};

struct view *win_both_new(struct view_step *const *steps, uint32_t n, struct view_env *env)
{
    struct both *b = mem_zalloc(sizeof *b + n * sizeof(struct kid));
    assert(n > 1);
    win_init(&b->w, &ops, steps[0], env);
    b->w.v.holds = b->w.counts = false; /* its windows do */
    b->n = n;
    for (uint32_t i = 0; i < n; i++) {
        struct kid *k = &b->kids[i];
        k->both = b;
        k->v = steps[i]->def->make(steps[i], env);
        k->v->sink = kid_out;
        k->v->sink_arg = k;
        b->refusing |= steps[i]->def->refuses;
        if (steps[i]->def->batch) {
            b->batch = k;
        }
    }
    return &b->w.v;
}
