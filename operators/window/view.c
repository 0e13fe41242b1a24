/* SPDX-License-Identifier: Apache-2.0
 *
 * The table of views, binding those of a stream, making them. See window.h.
 *
 * Data windows that stand next to each other are one set of events: what all of them hold
 * (win_both.c), or with retain-union what any of them holds (win_union.c). Such sets and derived
 * views stand one behind the other (win_chain.c). All of that lives once per key behind #groupwin.
 */
#include "core/base/mem.h"
#include "operators/window/win_param.h"
#include "operators/window/win_store.h"

#include <assert.h>

static const struct view_def *const defs[] = {
#define WIN(name, space, file, locality, parameters, doc) &view_def_##name,
#include "operators/window/window.def"
#undef WIN
};

static const char *const spaces[] = {
#define WIN(name, space, file, locality, parameters, doc) #space,
#include "operators/window/window.def"
#undef WIN
};

static const enum view_locality localities[] = {
#define WIN(name, space, file, locality, parameters, doc) VIEW_##locality,
#include "operators/window/window.def"
#undef WIN
};

enum view_locality view_locality(const struct view_def *d)
{
    size_t i = 0;
    while (defs[i] != d) {
        i++;
        assert(i < ARRAY_LEN(defs));
    }
    return localities[i];
}

struct ex *const *view_keys(const struct view_step *s, uint32_t *ret_n)
{
    assert(view_locality(s->def) == VIEW_KEYED);
    const struct win_keys *k = (const struct win_keys *)(const void *)s;
    *ret_n = k->n_keys;
    return k->keys;
}

/* .win:length(2) is #length(2), .std:length(2) is nothing. */
static bool fits(struct slice space, const struct view_def *d)
{
    for (size_t i = 0; i < ARRAY_LEN(defs); i++) {
        if (defs[i] == d) {
            return space.len == 0 || slice_eq(space, slice_str(spaces[i]));
        }
    }
    return false;
}

const struct view_def *view_find(struct slice name)
{
    for (size_t i = 0; i < ARRAY_LEN(defs); i++) {
        if (slice_eq(name, slice_str(defs[i]->name))) {
            return defs[i];
        }
    }
    return NULL;
}

const struct view_def *const *view_all(size_t *ret_n)
{
    *ret_n = ARRAY_LEN(defs);
    return defs;
}

/* ---- binding ---- */

static int unknown(const struct ast_view *v, struct err *reterr)
{
    enum { FAR = 3 };
    const char *best = NULL;
    unsigned least = FAR + 1;
    for (size_t i = 0; i < ARRAY_LEN(defs); i++) {
        struct slice name = slice_str(defs[i]->name);
        unsigned far = slice_eq_nocase(v->name, name) ? 0 : slice_distance(v->name, name, FAR);
        if (far < least) {
            least = far;
            best = defs[i]->name;
        }
    }
    if (best == NULL) {
        return bind_err(reterr, v->span, "there is no window '" SLICE_FMT "'", SLICE_ARG(v->name));
    }
    return bind_err(reterr, v->span, "there is no window '" SLICE_FMT "': did you mean '%s'?",
                    SLICE_ARG(v->name), best);
}

static int one(struct bind *b, const struct ast_view *v, const struct etype *in,
               struct view_step **ret_step, const struct etype **ret_out, struct err *reterr)
{
    const struct view_def *d = view_find(v->name);
    if (d == NULL) {
        return unknown(v, reterr);
    }
    if (!fits(v->space, d)) {
        return bind_err(reterr, v->span, "there is no window '" SLICE_FMT ":%s': write #%s",
                        SLICE_ARG(v->space), d->name, d->name);
    }
    struct view_step *step = arena_zalloc(b->a, d->step_bytes);
    if (step == NULL) {
        return err_set(reterr, ERR_LIMIT, "the statement is too large");
    }
    *ret_out = in;
    step->def = d;
    step->in = in;
    int rc = d->bind(b, v, in, step, ret_out, reterr);
    step->out = *ret_out;
    *ret_step = step;
    return rc;
}

/* What may not stand beside what. */
static int check(const struct ast_stream *s, const struct view_plan *p, struct err *reterr)
{
    uint32_t batches = 0;
    for (uint32_t i = 0; i < p->n_steps; i++) {
        const struct view_def *d = p->steps[i]->def;
        struct span span = s->views[i].span;
        if (d == &view_def_groupwin && i > 0) {
            return bind_err(reterr, span,
                            p->group_win ? "#groupwin can stand once only"
                                         : "#groupwin must be the first");
        }
        if (d == &view_def_groupwin && p->n_steps == 1) {
            return bind_err(reterr, span,
                            "#groupwin wants a window behind it, as in "
                            "#groupwin(key)#length(10)");
        }
        batches = d->data_window ? batches + d->batch : 0;
        if (batches > 1 && !p->retain_union) {
            return bind_err(reterr, span,
                            "an event cannot be in two batches: only one of several "
                            "windows may be a batch");
        }
    }
    return 0;
}

static void sum_up(struct view_plan *p)
{
    uint32_t first = p->group_win ? 1 : 0;
    for (uint32_t i = first; i < p->n_steps; i++) {
        p->has_window |= p->steps[i]->def->data_window;
    }
    p->queue = p->n_steps == 1 && p->steps[0]->def->queue;
    p->prev_ok = p->n_steps == first + 1 && p->steps[first]->def->prev;
}

/* Rows of derived views behind #groupwin carry the keys that are plain properties. */
static int add_keys(struct bind *b, struct view_plan *p, struct err *reterr);

int view_plan(struct bind *b, const struct ast_stream *s, const struct etype *in,
              struct view_plan *ret, struct err *reterr)
{
    enum { MANY = 32 };
    struct view_plan p = {.retain_union = s->retain_union, .in = in, .out = in};
    int rc = 0;
    if (s->n_views > MANY) {
        return bind_err(reterr, s->views[MANY].span, "more than %d windows", MANY);
    }
    p.steps = arena_array(b->a, s->n_views + 1, sizeof *p.steps);
    for (uint32_t i = 0; rc == 0 && i < s->n_views; i++) {
        rc = one(b, &s->views[i], p.out, &p.steps[i], &p.out, reterr);
        p.n_steps++;
    }
    if (rc == 0) {
        p.group_win = p.n_steps > 0 && p.steps[0]->def == &view_def_groupwin;
        rc = check(s, &p, reterr);
    }
    if (rc == 0) {
        sum_up(&p);
        rc = p.group_win && p.out != in ? add_keys(b, &p, reterr) : 0;
    }
    if (rc == 0) {
        *ret = p;
    }
    return rc;
}

static int add_keys(struct bind *b, struct view_plan *p, struct err *reterr)
{
    const struct etype *out = p->out;
    uint32_t n_keys, n = out->n_cols;
    struct ex *const *keys = win_group_keys(p->steps[0], &n_keys);
    struct ecol *cols = arena_array(b->a, n + n_keys + 1, sizeof *cols);
    int *from = arena_array(b->a, n_keys + 1, sizeof *from);
    memcpy(cols, out->cols, n * sizeof *cols);
    for (uint32_t i = 0; i < n_keys; i++) {
        if (keys[i]->op != EX_PROP) {
            continue;
        }
        struct slice name = keys[i]->of->cols[keys[i]->slot].name;
        if (ety_col(out, name) < 0) {
            from[n - out->n_cols] = (int)i;
            cols[n++] = (struct ecol){.name = name, .ty = keys[i]->ty};
        }
    }
    if (n == out->n_cols) {
        return 0;
    }
    p->out = ety_new(b->a, b->types, ETYPE_ANON, SLICE_NONE, cols, n, NULL, 0);
    if (p->out == NULL) {
        return err_set(reterr, ERR_LIMIT, "the statement is too large");
    }
    p->group_cols = from;
    p->n_group_cols = n - out->n_cols;
    return 0;
}

/* ---- running ---- */

struct view *view_new(const struct view_plan *p, struct view_env *env, view_sink *sink, void *arg)
{
    if (p->n_steps == 0) {
        return NULL;
    }
    struct view *v = p->group_win ? win_group_new(p, env)
                                  : win_chain_new(p->steps, p->n_steps, p->retain_union, env);
    v->sink = sink;
    v->sink_arg = arg;
    v->windows = 0;
    for (uint32_t i = 0; i < p->n_steps; i++) {
        v->windows += p->steps[i]->def->data_window;
    }
    return v;
}

void view_each(struct view *v, void (*fn)(void *arg, struct evt *e), void *arg)
{
    if (v != NULL) {
        v->ops->each(v, fn, arg);
    }
}

void view_free(struct view *v)
{
    if (v != NULL) {
        v->ops->free(v);
    }
}

struct evt *view_prev(struct view *v, const struct evt *of, int64_t n)
{
    return v->ops->prev != NULL ? v->ops->prev(v, of, n) : NULL;
}

size_t view_count(struct view *v, const struct evt *of)
{
    return v->ops->count != NULL ? v->ops->count(v, of) : 0;
}

struct evt *view_at(struct view *v, const struct evt *of, size_t n)
{
    return v->ops->at != NULL ? v->ops->at(v, of, n) : NULL;
}

void view_poke(struct view *v, const struct var *changed)
{
    if (v != NULL && v->ops->poke != NULL) {
        v->ops->poke(v, changed);
    }
}

bool view_same(const struct view *a, const struct view *b,
               bool (*ex_same)(const struct ex *a, const struct ex *b))
{
    return a->ops == b->ops && a->ops->same != NULL && a->ops->same(a, b, ex_same);
}

void view_save(struct view *v, struct save *s)
{
    if (v != NULL && v->ops->save != NULL) {
        v->ops->save(v, s);
        if (v->pack != NULL && v->holds) {
            save_u(s, v->cost);
        }
    }
}

static void count_one(void *arg, struct evt *e)
{
    win_hold(arg, &e, 1, NULL, 0);
}

static void count_loaded(struct view *v, struct load *l)
{
    if (v->pack != NULL) { /* whose rows may come later; and bytes are not counted with it */
        lim_add(v->env->lim, LIM_ROWS, v->pack->live);
        v->rows += v->pack->live;
        v->cost = load_u(l);
        lim_add(v->env->lim, LIM_STATE, v->cost);
        return;
    }
    view_each(v, count_one, v);
    if (!((struct win *)(void *)v)->counts) { /* and the batch that was put out last */
        struct win_list *last = &((struct win_batch *)(void *)v)->w.nw;
        win_hold(v, last->ptr, last->len, NULL, 0);
    }
}

void view_load(struct view *v, struct load *l)
{
    if (v != NULL && v->ops->load != NULL) {
        v->ops->load(v, l);
        if (v->holds && load_ok(l)) {
            count_loaded(v, l);
        }
    } else if (v != NULL) {
        load_fail(l, "#%s cannot be loaded", v->step != NULL ? v->step->def->name : "windows");
    }
}
