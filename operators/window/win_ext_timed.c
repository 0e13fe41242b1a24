/* SPDX-License-Identifier: Apache-2.0
 *
 * #ext_timed(ts, T): the events of the last T by a time they bring with them. Each event drives out
 * the oldest in order of arrival whose time is T or more before its own; a late event stays until
 * those before it have gone. No clock is asked.
 */
#include "core/base/mem.h"
#include "operators/window/win_param.h"
#include "operators/window/win_state.h"

struct ext_step {
    struct view_step step;
    struct ex *ts, *period;
};

struct ext_timed {
    struct win_held h;
    const struct ex *ts;
    struct win_span span;
};

static void update(struct view *v, struct evt **nw, size_t n_nw, struct evt **old, size_t n_old)
{
    struct ext_timed *w = (struct ext_timed *)(void *)v;
    struct win *win = &w->h.w;
    win->old.len = 0;
    win->nw.len = 0;
    if (n_old > 0) {
        win_held_forget(&w->h, old, n_old);
    }
    int64_t last = 0;
    for (size_t i = 0; i < n_nw; i++) {
        struct dat ts = win_eval(v->env, w->ts, nw[i]);
        if (dat_is_number(ts)) { /* without a time it is nowhere */
            last = dat_to_long(ts);
            win_held_push(&w->h, nw[i], last);
            win_list_add(&win->nw, nw[i]);
        }
    }
    int64_t at;
    while (win->nw.len > 0 && win_held_first(&w->h, &at) && win_span_add(w->span, at, 1) <= last) {
        win_held_expire(&w->h);
    }
    win_emit(win, win->nw.ptr, win->nw.len, win->old.ptr, win->old.len);
}

/* Period; ring, with the events' times. */
static void save(struct view *v, struct save *s)
{
    const struct ext_timed *w = (const struct ext_timed *)(const void *)v;
    win_span_save(w->span, s);
    win_held_save(v, s);
}

static void load(struct view *v, struct load *l)
{
    struct ext_timed *w = (struct ext_timed *)(void *)v;
    w->span = win_span_load(l);
    win_held_load(v, l);
}

static bool same(const struct view *a, const struct view *b,
                 bool (*ex_same)(const struct ex *a, const struct ex *b))
{
    const struct ext_timed *x = (const struct ext_timed *)(const void *)a;
    const struct ext_timed *y = (const struct ext_timed *)(const void *)b;
    return win_span_same(x->span, y->span) && ex_same(x->ts, y->ts);
}

static const struct view_ops ops = {
    .same = same,
    .update = update,
    .each = win_held_each,
    .prev = win_held_prev,
    .count = win_held_count,
    .at = win_held_at,
    .free = win_held_free,
    .save = save,
    .load = load,
};

static struct view *make(const struct view_step *step, struct view_env *env)
{
    const struct ext_step *s = (const struct ext_step *)(const void *)step;
    struct ext_timed *w = MEM_NEW(struct ext_timed);
    win_init(&w->h.w, &ops, step, env);
    win_held_init(&w->h, true);
    w->ts = s->ts;
    w->span = win_span_of(env, s->period);
    return &w->h.w.v;
}

static int bind_it(struct bind *b, const struct ast_view *v, const struct etype *in,
                   struct view_step *step, const struct etype **ret_out, struct err *reterr)
{
    (void)ret_out;
    struct ext_step *s = (struct ext_step *)(void *)step;
    int rc = win_count(step->def, v, 2, 2, reterr);
    rc = rc == 0 ? win_number(b, step->def, v->args[0], in, false, &s->ts, reterr) : rc;
    return rc == 0 ? win_period(b, step->def, v->args[1], &s->period, reterr) : rc;
}

const struct view_def view_def_ext_timed = {
    .name = "ext_timed",
    .parameters = "timestamp ms, period",
    .step_bytes = sizeof(struct ext_step),
    .data_window = true,
    .queue = true,
    .packs = true,
    .prev = true,
    .bind = bind_it,
    .make = make,
};
