/* SPDX-License-Identifier: Apache-2.0
 *
 * What views have in common: lists, evaluation for one event, spans of time, windows that are a
 * ring of events, batches. See win.h; the containers themselves are in win_hold.c.
 */
#include "operators/window/win.h"

#include "core/base/mem.h"
#include "operators/expr/period.h"
#include "operators/sig/cause.h"
#include "operators/time/tmr_cal.h"
#include "operators/window/win_image.h"

#include <assert.h>

/* ---- lists ---- */

void win_list_add(struct win_list *l, struct evt *e)
{
    if (l->len == l->cap) {
        l->cap = l->cap > 0 ? l->cap * 2 : 4;
        l->ptr = mem_realloc(l->ptr, l->cap * sizeof(struct evt *));
    }
    l->ptr[l->len++] = e;
}

void win_list_done(struct win_list *l)
{
    mem_free(l->ptr);
    *l = (struct win_list){NULL, 0, 0};
}

void win_list_drop(struct win_list *l, struct vheap *h)
{
    for (size_t i = 0; i < l->len; i++) {
        evt_drop(h, l->ptr[i]);
    }
    l->len = 0;
}

/* ---- every view ---- */

void win_init(struct win *w, const struct view_ops *ops, const struct view_step *step,
              struct view_env *env)
{
    assert(ops->update != NULL && ops->each != NULL && ops->free != NULL);
    assert((ops->idle == NULL) == (ops->renew == NULL));
    w->v = (struct view){.ops = ops, .step = step, .env = env};
    w->v.holds = env->lim != NULL && step->def->data_window;
    w->counts = w->v.holds && !step->def->batch;
}

uint64_t view_cost(const struct view *v, struct evt *const *e, size_t n)
{
    const struct view_pack *p = v->pack != NULL ? v->pack->p : NULL;
    uint64_t sum = 0;
    for (size_t i = 0; p == NULL && i < n; i++) {
        sum += LIM_COST_PLACE + lim_cost(e[i]);
    }
    for (size_t i = 0; p != NULL && i < n; i++) {
        sum += LIM_COST_PACKED + (uint64_t)LIM_COST_VALUE * p->n;
        for (uint32_t k = 0; k < p->n; k++) {
            struct dat of = evt_get(e[i], p->in, p->slot[k]);
            sum += lim_cost_of(of);
        }
    }
    return sum;
}

void win_hold(struct view *v, struct evt **nw, size_t n_nw, struct evt **old, size_t n_old)
{
    struct lim *l = v->env->lim;
    lim_change(l, LIM_ROWS, n_nw, n_old);
    v->rows += n_nw - n_old; /* both at once: what comes may leave at once */
    if (l != NULL) {
        uint64_t in = view_cost(v, nw, n_nw), out = view_cost(v, old, n_old);
        lim_change(l, LIM_STATE, in, out);
        v->cost += in - out;
    }
    if (l != NULL && l->bytes) {
        uint64_t in = lim_bytes_of(nw, n_nw), out = lim_bytes_of(old, n_old);
        lim_change(l, LIM_BYTES, in, out);
        v->bytes += in - out;
    }
}

void win_done(struct win *w)
{
    lim_sub(w->v.env->lim, LIM_ROWS, w->v.rows);
    lim_sub(w->v.env->lim, LIM_BYTES, w->v.bytes);
    lim_sub(w->v.env->lim, LIM_STATE, w->v.cost);
    win_list_done(&w->nw);
    win_list_done(&w->old);
}

void win_eval_all(struct view_env *env, struct ex *const *e, uint32_t n, struct evt *of,
                  struct dat *ret)
{
    struct ectx *c = env->ctx;
    c->row[env->stream] = of;
    for (uint32_t i = 0; i < n; i++) {
        ret[i] = ex_eval(e[i], c);
        if (UNLIKELY(c->failed)) {
            c->failed = false;
            ret[i] = DAT_NONE;
        }
    }
}

struct dat win_eval(struct view_env *env, const struct ex *e, struct evt *of)
{
    struct dat v;
    win_eval_all(env, &(struct ex *){(struct ex *)(uintptr_t)e}, 1, of, &v);
    return v;
}

void win_timer_init(struct tmr *t, struct view_env *env, void (*fire)(struct tmr *t, int64_t now))
{
    *t = (struct tmr){.fire = fire, .rank = env->rank, .inst = env->inst};
    tmr_enlist(env->timers, t); /* views as written, groups as they came */
}

void win_timer_renew(struct tmr *t, struct view_env *env)
{
    tmr_cancel(env->timers, t);
    tmr_enlist(env->timers, t);
}

/* ---- spans of time ---- */

static int64_t about(struct win_span s)
{
    enum { MONTH_DAYS = 31 };
    return tmr_add(s.months * MONTH_DAYS * TMR_DAY, s.ms);
}

bool win_span_ok(struct win_span s)
{
    const int64_t many = 1LL << 31;
    return s.months < many && s.months > -many && about(s) > 0;
}

struct win_span win_span_of(struct view_env *env, const struct ex *period)
{
    int64_t months = 0;
    double ms = 0;
    if (!ex_period(period, env->ctx, &months, &ms)) {
        months = 0;
        ms = 0;
    }
    struct win_span s = {.months = months, .ms = dat_to_long(dat_double(ms))};
    if (!win_span_ok(s)) { /* a variable with nonsense in it: the shortest there is */
        s = (struct win_span){.months = 0, .ms = 1};
    }
    return s;
}

int64_t win_span_add(struct win_span s, int64_t to, int64_t times)
{
    int64_t months, ms;
    if (__builtin_mul_overflow(s.months, times, &months)) {
        months = times > 0 ? INT64_MAX : INT64_MIN;
    }
    int64_t at = months != 0 ? tmr_add_months(to, months) : to;
    if (__builtin_mul_overflow(s.ms, times, &ms)) {
        return times > 0 ? INT64_MAX : INT64_MIN;
    }
    return tmr_add(at, ms);
}

int64_t win_span_floor(struct win_span s, int64_t ref, int64_t at)
{
    assert(win_span_ok(s));
    int64_t k = tmr_floor_div(tmr_add(at, -ref), about(s));
    while (win_span_add(s, ref, k) > at) {
        k--;
    }
    while (win_span_add(s, ref, k + 1) <= at) {
        k++;
    }
    return win_span_add(s, ref, k);
}

/* ---- windows that are a ring ---- */

void win_held_init(struct win_held *w, bool timed)
{
    struct view *v = &w->w.v;
    assert(v->step->def->packs);
    v->pack = v->env->pack != NULL ? win_pack_new(v->env->pack, v->env->heap, timed) : NULL;
}

bool win_held_first(struct win_held *w, int64_t *ret_at)
{
    if (win_held_len(w) == 0) {
        return false;
    }
    const struct win_pack *pack = w->w.v.pack;
    *ret_at = pack != NULL ? win_pack_first_at(pack) : win_ring_first(&w->ring)->at;
    return true;
}

void win_held_renew(struct win_held *w)
{
    assert(w->w.v.pack == NULL || w->w.v.pack->live == 0);
    win_ring_renew(&w->ring, w->w.v.env->heap);
}

void win_held_each(struct view *v, void (*fn)(void *arg, struct evt *e), void *arg)
{
    if (v->pack != NULL) {
        win_pack_each(v->pack, fn, arg);
    } else {
        win_ring_each(&((struct win_held *)(void *)v)->ring, fn, arg);
    }
}

size_t win_held_count(struct view *v, const struct evt *of)
{
    (void)of;
    return win_held_len((struct win_held *)(void *)v);
}

struct evt *win_held_at(struct view *v, const struct evt *of, size_t n)
{
    struct win_ring *r = &((struct win_held *)(void *)v)->ring;
    (void)of;
    return n < r->live ? win_ring_nth(r, r->live - 1 - n) : NULL;
}

struct evt *win_held_prev(struct view *v, const struct evt *of, int64_t n)
{
    return n >= 0 ? win_held_at(v, of, (size_t)n) : NULL;
}

void win_held_free(struct view *v)
{
    struct win_held *w = (struct win_held *)(void *)v;
    win_pack_free(v->pack);
    win_ring_done(&w->ring, v->env->heap);
    win_done(&w->w);
    mem_free(w);
}

void win_held_forget(struct win_held *w, struct evt **old, size_t n_old)
{
    for (size_t i = 0; w->w.v.pack != NULL && i < n_old; i++) {
        win_held_expire(w);
    }
    for (size_t i = 0; w->w.v.pack == NULL && i < n_old; i++) {
        if (win_ring_remove(&w->ring, old[i])) {
            win_list_add(&w->w.old, old[i]);
            evt_drop(w->w.v.env->heap, old[i]);
        }
    }
}

/* Those that leave after this one, mostly at the same moment, are on their way to the cache. */
static void soon(const struct win_ring *r)
{
    enum { LINE = 64, LINES = 3, FAR = 4, NEAR = 2 };
    if (r->tail - r->head <= FAR) {
        return;
    }
    const struct evt *far = win_ring_slot(r, r->head + FAR)->e;
    const struct evt *near = win_ring_slot(r, r->head + NEAR)->e;
    for (size_t i = 0; far != NULL && i < LINES; i++) {
        __builtin_prefetch((const char *)far + i * LINE);
    }
    if (near != NULL && near->causes != NULL) {
        __builtin_prefetch(near->causes);
    }
}

void win_held_expire(struct win_held *w)
{
    if (w->w.v.pack != NULL) {
        win_list_add(&w->w.old, win_pack_take(w->w.v.pack));
        return;
    }
    soon(&w->ring);
    struct evt *e = win_ring_take(&w->ring);
    assert(e != NULL);
    win_list_add(&w->w.old, e);
    evt_drop(w->w.v.env->heap, e);
}

/* ---- batches ---- */

static void gather(void *arg, struct evt *e)
{
    win_list_add(arg, evt_keep(e));
}

/* The columns that the statement reads, as an event of their own: a batch holds twice what came in
 * its time, and whole events of a wide type are many times that. What tells its causes by nothing
 * but its columns stays whole. */
static struct evt *narrowed(const struct view_env *env, struct evt *e)
{
    const struct view_pack *p = env->pack;
    if (p == NULL || (env->causes && !cause_has_ref(e) && e->causes == NULL)) {
        return e;
    }
    struct evt *to = evt_new(env->heap, p->type);
    for (uint32_t i = 0; i < p->n; i++) {
        evt_set(to, i, evt_get(e, p->in, p->slot[i]));
    }
    to->ref = e->ref;
    to->causes = e->causes;
    if (to->causes != NULL) {
        obj_keep(&to->causes->o);
    }
    return to;
}

void win_batch_push(struct win_batch *b, struct evt *whole, int64_t at)
{
    struct evt *e = narrowed(b->w.v.env, whole);
    win_ring_push(&b->ring, e, at);
    win_hold(&b->w.v, &e, 1, NULL, 0);
}

bool win_batch_flush(struct win_batch *b, bool force)
{
    struct win *w = &b->w;
    struct vheap *h = w->v.env->heap;
    if (b->ring.live == 0 && w->nw.len == 0 && !force) {
        return false;
    }
    struct win_list last = w->nw;
    if (UNLIKELY(b->image != NULL)) {
        win_image_leave_all(b->image);
    }
    win_hold(&w->v, NULL, 0, last.ptr, last.len);
    w->nw = w->old;
    w->old = last;
    w->nw.len = 0;
    win_ring_each(&b->ring, gather, &w->nw);
    struct evt *e;
    while ((e = win_ring_take(&b->ring)) != NULL) {
        evt_drop(h, e);
    }
    for (size_t i = 0; i < last.len; i++) {
        evt_drop(h, last.ptr[i]);
    }
    b->hint = 0;
    b->flushing = true;
    w->v.sink(w->v.sink_arg, w->nw.ptr, w->nw.len, last.ptr, last.len);
    b->flushing = false;
    w->old.len = 0;
    return true;
}

void win_batch_forget(struct win_batch *b, struct evt **old, size_t n_old)
{
    for (size_t i = 0; i < n_old; i++) {
        if (win_ring_remove(&b->ring, old[i])) {
            win_hold(&b->w.v, NULL, 0, &old[i], 1);
            evt_drop(b->w.v.env->heap, old[i]);
        }
    }
}

void win_batch_each(struct view *v, void (*fn)(void *arg, struct evt *e), void *arg)
{
    struct win_batch *b = (struct win_batch *)(void *)v;
    for (size_t i = 0; b->flushing && i < b->w.nw.len; i++) {
        fn(arg, b->w.nw.ptr[i]);
    }
    win_ring_each(&b->ring, fn, arg);
}

/* Place of an event in the batch put out last, or its length. Rows ask in order. */
static size_t place_of(struct win_batch *b, const struct evt *of)
{
    size_t n = b->w.nw.len;
    for (size_t i = 0; i < n; i++) {
        size_t at = b->hint + i < n ? b->hint + i : b->hint + i - n;
        if (b->w.nw.ptr[at] == of) {
            b->hint = at;
            return at;
        }
    }
    return n;
}

size_t win_batch_count(struct view *v, const struct evt *of)
{
    struct win_batch *b = (struct win_batch *)(void *)v;
    size_t n = b->w.nw.len;
    return place_of(b, of) < n ? n : 0;
}

struct evt *win_batch_at(struct view *v, const struct evt *of, size_t n)
{
    struct win_batch *b = (struct win_batch *)(void *)v;
    size_t count = win_batch_count(v, of);
    return n < count ? b->w.nw.ptr[count - 1 - n] : NULL;
}

struct evt *win_batch_prev(struct view *v, const struct evt *of, int64_t n)
{
    struct win_batch *b = (struct win_batch *)(void *)v;
    size_t at = place_of(b, of);
    return at < b->w.nw.len && n >= 0 && (uint64_t)n <= at ? b->w.nw.ptr[at - (size_t)n] : NULL;
}

void win_batch_done(struct win_batch *b)
{
    struct vheap *h = b->w.v.env->heap;
    win_image_rest(b->image);
    win_ring_done(&b->ring, h);
    win_list_drop(&b->w.nw, h);
    win_done(&b->w);
}
