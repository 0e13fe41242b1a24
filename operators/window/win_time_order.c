/* SPDX-License-Identifier: Apache-2.0
 *
 * #time_order(ts, T): events in the order of a time they bring with them; each leaves when the
 * clock is T past that time. #timetolive(end): the same with the end itself. An event whose end has
 * come already enters and leaves at once.
 *
 * The events stand in an array in order of their ends, with free room in front; most arrive nearly
 * in order, so that putting one in moves few.
 */
#include "core/base/mem.h"
#include "operators/window/win_image.h"
#include "operators/window/win_param.h"
#include "operators/window/win_state.h"

#include <assert.h>

enum { SLOTS_SPARE = 64 }; /* that an empty one may keep */

struct order_step {
    struct view_step step;
    struct ex *ts;
    struct ex *period; /* NULL: of #timetolive */
};

struct order {
    struct win w;
    const struct ex *ts;
    struct win_span span;   /* 0, 0 of #timetolive */
    struct win_slot *slots; /* slots[head .. head + len), by end */
    size_t head, len, cap;
    struct win_image *image; /* of what is being saved in slices; or NULL */
    struct tmr tmr;
};

static void arm(struct order *w)
{
    struct tmr_queue *q = w->w.v.env->timers;
    if (w->len == 0) {
        tmr_cancel(q, &w->tmr);
    } else if (!tmr_is_set(&w->tmr) || w->tmr.due != w->slots[w->head].at) {
        tmr_set(q, &w->tmr, w->slots[w->head].at);
    }
}

static void make_room(struct order *w)
{
    if (w->head > 0 && w->head >= w->cap / 2) {
        memmove(w->slots, w->slots + w->head, w->len * sizeof *w->slots);
        w->head = 0;
    } else if (w->head + w->len == w->cap) {
        w->cap = w->cap > 0 ? w->cap * 2 : 8;
        w->slots = mem_realloc(w->slots, w->cap * sizeof *w->slots);
    }
}

/* The first place whose end is beyond `end` (or not before it). */
static size_t place(const struct order *w, int64_t end, bool beyond)
{
    size_t low = 0, high = w->len;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        int64_t at = w->slots[w->head + mid].at;
        if (at < end || (beyond && at == end)) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    return low;
}

static void insert(struct order *w, struct evt *e, int64_t end)
{
    make_room(w);
    size_t at = place(w, end, true);
    struct win_slot *s = w->slots + w->head + at;
    memmove(s + 1, s, (w->len - at) * sizeof *s);
    *s = (struct win_slot){evt_keep(e), end};
    w->len++;
}

static void take_out(struct order *w, size_t at)
{
    struct win_slot *s = w->slots + w->head + at;
    if (UNLIKELY(w->image != NULL)) {
        win_image_leave(w->image, s->e, s->at);
    }
    win_list_add(&w->w.old, s->e);
    evt_drop(w->w.v.env->heap, s->e);
    w->len--;
    if (at == 0) {
        w->head++;
    } else {
        memmove(s, s + 1, (w->len - at) * sizeof *s);
    }
}

static bool end_of(struct order *w, struct evt *e, int64_t *ret)
{
    struct dat ts = win_eval(w->w.v.env, w->ts, e);
    if (!dat_is_number(ts)) {
        return false;
    }
    *ret = win_span_add(w->span, dat_to_long(ts), 1);
    return true;
}

static void forget(struct order *w, struct evt *e)
{
    int64_t end;
    if (!end_of(w, e, &end)) {
        return;
    }
    for (size_t i = place(w, end, false); i < w->len && w->slots[w->head + i].at == end; i++) {
        if (w->slots[w->head + i].e == e) {
            take_out(w, i);
            return;
        }
    }
}

static void expire(struct order *w, int64_t now)
{
    while (w->len > 0 && w->slots[w->head].at <= now) {
        take_out(w, 0);
    }
    arm(w);
}

static void fire(struct tmr *t, int64_t now)
{
    struct order *w = CONTAINER_OF(t, struct order, tmr);
    w->w.v.env->ctx->now = now;
    w->w.old.len = 0;
    expire(w, now);
    win_emit(&w->w, NULL, 0, w->w.old.ptr, w->w.old.len);
}

static void update(struct view *v, struct evt **nw, size_t n_nw, struct evt **old, size_t n_old)
{
    struct order *w = (struct order *)(void *)v;
    int64_t end;
    w->w.old.len = 0;
    w->w.nw.len = 0;
    for (size_t i = 0; i < n_old; i++) {
        forget(w, old[i]);
    }
    for (size_t i = 0; i < n_nw; i++) {
        if (end_of(w, nw[i], &end)) { /* without a time it is nowhere */
            insert(w, nw[i], end);
            win_list_add(&w->w.nw, nw[i]);
        }
    }
    expire(w, v->env->ctx->now);
    win_emit(&w->w, w->w.nw.ptr, w->w.nw.len, w->w.old.ptr, w->w.old.len);
}

static void each(struct view *v, void (*fn)(void *arg, struct evt *e), void *arg)
{
    struct order *w = (struct order *)(void *)v;
    for (size_t i = 0; i < w->len; i++) {
        fn(arg, w->slots[w->head + i].e);
    }
}

static size_t count(struct view *v, const struct evt *of)
{
    (void)of;
    return ((struct order *)(void *)v)->len;
}

/* prev counts from the earliest end. */
static struct evt *at(struct view *v, const struct evt *of, size_t n)
{
    struct order *w = (struct order *)(void *)v;
    (void)of;
    return n < w->len ? w->slots[w->head + n].e : NULL;
}

static struct evt *prev(struct view *v, const struct evt *of, int64_t n)
{
    return n >= 0 ? at(v, of, (size_t)n) : NULL;
}

static void free_it(struct view *v)
{
    struct order *w = (struct order *)(void *)v;
    tmr_cancel(v->env->timers, &w->tmr);
    win_image_rest(w->image);
    for (size_t i = 0; i < w->len; i++) {
        evt_drop(v->env->heap, w->slots[w->head + i].e);
    }
    mem_free(w->slots);
    win_done(&w->w);
    mem_free(w);
}

static bool idle(struct view *v)
{
    return ((struct order *)(void *)v)->len == 0;
}

static void renew(struct view *v)
{
    struct order *w = (struct order *)(void *)v;
    const struct order_step *s = (const struct order_step *)(const void *)v->step;
    win_timer_renew(&w->tmr, v->env);
    w->head = 0;
    if (w->cap > SLOTS_SPARE) {
        mem_free(w->slots);
        w->slots = NULL;
        w->cap = 0;
    }
    if (s->period != NULL) {
        w->span = win_span_of(v->env, s->period);
    }
}

static bool has_period(const struct order *w)
{
    return ((const struct order_step *)(const void *)w->w.v.step)->period != NULL;
}

/* Period, if there is one; number of events, each with its end; timer. */
static void save(struct view *v, struct save *s)
{
    struct order *w = (struct order *)(void *)v;
    if (has_period(w)) {
        win_span_save(w->span, s);
    }
    win_image_save(&w->image, v->env->heap, s, w->len > 0 ? w->slots + w->head : NULL, w->len);
    tmr_save(s, &w->tmr);
}

static void load(struct view *v, struct load *l)
{
    struct order *w = (struct order *)(void *)v;
    if (has_period(w)) {
        w->span = win_span_load(l);
    }
    size_t n = load_count(l, 2);
    for (size_t i = 0; i < n && load_ok(l); i++) {
        struct evt *e = load_evt_apart(l, v->step->in);
        int64_t end = load_i(l);
        if (load_ok(l)) {
            insert(w, e, end);
        }
    }
    tmr_load(l, v->env->timers, &w->tmr);
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
    const struct order_step *s = (const struct order_step *)(const void *)step;
    struct order *w = MEM_NEW(struct order);
    win_init(&w->w, &ops, step, env);
    win_timer_init(&w->tmr, env, fire);
    w->ts = s->ts;
    if (s->period != NULL) {
        w->span = win_span_of(env, s->period);
    }
    return &w->w.v;
}

static int bind_it(struct bind *b, const struct ast_view *v, const struct etype *in,
                   struct view_step *step, const struct etype **ret_out, struct err *reterr)
{
    (void)ret_out;
    struct order_step *s = (struct order_step *)(void *)step;
    bool ttl = step->def == &view_def_timetolive;
    uint32_t n = ttl ? 1 : 2;
    int rc = win_count(step->def, v, n, n, reterr);
    rc = rc == 0 ? win_number(b, step->def, v->args[0], in, ttl, &s->ts, reterr) : rc;
    return rc == 0 && !ttl ? win_period(b, step->def, v->args[1], &s->period, reterr) : rc;
}

const struct view_def view_def_time_order = {
    .name = "time_order",
    .parameters = "timestamp ms, period",
    .step_bytes = sizeof(struct order_step),
    .data_window = true,
    .prev = true,
    .bind = bind_it,
    .make = make,
};

const struct view_def view_def_timetolive = {
    .name = "timetolive",
    .parameters = "end ms",
    .step_bytes = sizeof(struct order_step),
    .data_window = true,
    .prev = true,
    .bind = bind_it,
    .make = make,
};
