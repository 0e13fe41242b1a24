/* SPDX-License-Identifier: Apache-2.0
 *
 * Views one behind the other: what one puts out is what the next one takes. Data windows side by
 * side count as one (win_both.c, win_union.c); a single view is not wrapped at all.
 */
#include "core/base/mem.h"
#include "operators/window/win.h"

#include <assert.h>

struct chain {
    struct view v;
    uint32_t n;
    struct view *kids[]; /* the first takes, the last puts out */
};

static void update(struct view *v, struct evt **nw, size_t n_nw, struct evt **old, size_t n_old)
{
    view_update(((struct chain *)(void *)v)->kids[0], nw, n_nw, old, n_old);
}

static void next(void *arg, struct evt **nw, size_t n_nw, struct evt **old, size_t n_old)
{
    view_update(arg, nw, n_nw, old, n_old);
}

/* From a derived view to a data window: rows that were replaced are none the window holds. */
static void next_new(void *arg, struct evt **nw, size_t n_nw, struct evt **old, size_t n_old)
{
    (void)old;
    (void)n_old;
    if (n_nw > 0) {
        view_update(arg, nw, n_nw, NULL, 0);
    }
}

static void out(void *arg, struct evt **nw, size_t n_nw, struct evt **old, size_t n_old)
{
    struct chain *c = arg;
    c->v.sink(c->v.sink_arg, nw, n_nw, old, n_old);
}

static void each(struct view *v, void (*fn)(void *arg, struct evt *e), void *arg)
{
    struct chain *c = (struct chain *)(void *)v;
    view_each(c->kids[c->n - 1], fn, arg);
}

static void free_it(struct view *v)
{
    struct chain *c = (struct chain *)(void *)v;
    for (uint32_t i = 0; i < c->n; i++) {
        view_free(c->kids[i]);
    }
    mem_free(c);
}

static void poke(struct view *v, const struct var *changed)
{
    struct chain *c = (struct chain *)(void *)v;
    for (uint32_t i = 0; i < c->n; i++) {
        view_poke(c->kids[i], changed);
    }
}

/* Each view. */
static void save(struct view *v, struct save *s)
{
    const struct chain *c = (const struct chain *)(const void *)v;
    for (uint32_t i = 0; i < c->n; i++) {
        view_save(c->kids[i], s);
    }
}

static void load(struct view *v, struct load *l)
{
    struct chain *c = (struct chain *)(void *)v;
    for (uint32_t i = 0; i < c->n; i++) {
        view_load(c->kids[i], l);
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

static struct view *part(struct view_step *const *steps, uint32_t n, bool retain_union,
                         struct view_env *env)
{
    if (n == 1) {
        return steps[0]->def->make(steps[0], env);
    }
    return retain_union ? win_union_new(steps, n, env) : win_both_new(steps, n, env);
}

struct view *win_chain_new(struct view_step *const *steps, uint32_t n, bool retain_union,
                           struct view_env *env)
{
    assert(n > 0);
    struct chain *c = mem_zalloc(sizeof *c + n * sizeof(struct view *));
    c->v = (struct view){.ops = &ops, .env = env};
    for (uint32_t i = 0; i < n;) {
        uint32_t end = i + 1;
        while (end < n && steps[i]->def->data_window && steps[end]->def->data_window) {
            end++;
        }
        c->kids[c->n++] = part(steps + i, end - i, retain_union, env);
        i = end;
    }
    if (c->n == 1) {
        struct view *only = c->kids[0];
        mem_free(c);
        return only;
    }
    for (uint32_t i = 0; i + 1 < c->n; i++) {
        bool derived = !c->kids[i]->step->def->data_window;
        c->kids[i]->sink = derived && c->kids[i + 1]->step->def->data_window ? next_new : next;
        c->kids[i]->sink_arg = c->kids[i + 1];
    }
    c->kids[c->n - 1]->sink = out;
    c->kids[c->n - 1]->sink_arg = c;
    return &c->v;
}
