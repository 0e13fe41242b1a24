/* SPDX-License-Identifier: Apache-2.0
 *
 * Between the files of the windows only: what every view has in common, windows that are a ring,
 * batches, spans of time, views of several. What holds events is in win_hold.h.
 */
#ifndef OPERATORS_WINDOW_WIN_H
#define OPERATORS_WINDOW_WIN_H

#include "operators/window/win_hold.h"
#include "operators/window/win_pack.h"
#include "operators/window/window.h"

/* Members of these structs that are `struct win` or `struct win_held` come first. */
#define WIN(name, space, file, locality, parameters, doc)                                          \
    extern const struct view_def view_def_##name;
#include "operators/window/window.def"
#undef WIN

/* ---- what every view has ---- */

struct win { /* first member of each */
    struct view v;
    struct win_list nw, old; /* scratch of one emission */
    bool counts;             /* its rows, as it puts them out */
};
void win_init(struct win *w, const struct view_ops *ops, const struct view_step *step,
              struct view_env *env);
void win_done(struct win *w);
/* Rows that a data window holds from now on, or no longer. */
void win_hold(struct view *v, struct evt **nw, size_t n_nw, struct evt **old, size_t n_old);
/* To the sink, if there is anything: a data window that is no batch holds what it puts out. */
static inline void win_emit(struct win *w, struct evt **nw, size_t n_nw, struct evt **old,
                            size_t n_old)
{
    if (n_nw + n_old > 0) {
        if (w->counts) {
            win_hold(&w->v, nw, n_nw, old, n_old);
        }
        w->v.sink(w->v.sink_arg, nw, n_nw, old, n_old);
    }
}
/* The expression for an event. What fails (x % 0) is null. */
struct dat win_eval(struct view_env *env, const struct ex *e, struct evt *of);
void win_eval_all(struct view_env *env, struct ex *const *e, uint32_t n, struct evt *of,
                  struct dat *ret);
void win_timer_init(struct tmr *t, struct view_env *env, void (*fire)(struct tmr *t, int64_t now));
void win_timer_renew(struct tmr *t, struct view_env *env); /* as if it were just made */

/* A window that is a ring of events and no more: struct win, then the ring. One whose definition
 * says that it packs may have rows instead (w.v.pack), and no ring. */
struct win_held {
    struct win w;
    struct win_ring ring;
};
void win_held_init(struct win_held *w, bool timed); /* of one that packs */
static inline size_t win_held_len(const struct win_held *w)
{
    return w->w.v.pack != NULL ? w->w.v.pack->live : w->ring.live;
}
static inline void win_held_push(struct win_held *w, struct evt *e, int64_t at)
{
    if (w->w.v.pack != NULL) {
        win_pack_push(w->w.v.pack, e, at);
    } else {
        win_ring_push(&w->ring, e, at);
    }
}
bool win_held_first(struct win_held *w, int64_t *ret_at); /* of the oldest; false if empty */
void win_held_renew(struct win_held *w);
void win_held_each(struct view *v, void (*fn)(void *arg, struct evt *e), void *arg);
size_t win_held_count(struct view *v, const struct evt *of);
struct evt *win_held_at(struct view *v, const struct evt *of, size_t n);
struct evt *win_held_prev(struct view *v, const struct evt *of, int64_t n);
void win_held_free(struct view *v);
/* Removes what the parent takes back; what was there is added to w->old. From packed rows only a
 * limit takes back, as many as it says of the oldest. */
void win_held_forget(struct win_held *w, struct evt **old, size_t n_old);
/* The oldest into w->old. */
void win_held_expire(struct win_held *w);

/* ---- batches: what is being gathered, and what was put out last ---- */

struct win_batch {
    struct win w; /* nw: the batch put out last, which the next one takes out; references of it */
    struct win_ring ring;
    size_t hint;             /* where prev looked last */
    bool flushing;           /* the batch is on its way out: it is still what the window holds */
    struct win_image *image; /* of the one put out last, while it is saved in slices; or NULL */
};
/* What it holds, if its definition says that it packs, is the columns that the statement reads. */
void win_batch_push(struct win_batch *b, struct evt *whole, int64_t at);
/* Puts the batch out, the one before it as old. force: even if both are empty. Whether something
 * was put out. */
bool win_batch_flush(struct win_batch *b, bool force);
void win_batch_forget(struct win_batch *b, struct evt **old, size_t n_old);
void win_batch_each(struct view *v, void (*fn)(void *arg, struct evt *e), void *arg);
size_t win_batch_count(struct view *v, const struct evt *of);
struct evt *win_batch_at(struct view *v, const struct evt *of, size_t n);
struct evt *win_batch_prev(struct view *v, const struct evt *of, int64_t n);
void win_batch_done(struct win_batch *b);

/* ---- spans of time ---- */

struct win_span {
    int64_t months, ms;
};
static inline bool win_span_same(struct win_span a, struct win_span b)
{
    return a.months == b.months && a.ms == b.ms;
}
struct win_span win_span_of(struct view_env *env, const struct ex *period);
bool win_span_ok(struct win_span s); /* it leads forward, and is not beyond all dates */
int64_t win_span_add(struct win_span s, int64_t to, int64_t times); /* to + s * times */
/* The grid ref + k * s: the last point at or before `at`. */
int64_t win_span_floor(struct win_span s, int64_t ref, int64_t at);

/* ---- several views of one stream ---- */

/* Views one behind the other; `steps` without groupwin. */
struct view *win_chain_new(struct view_step *const *steps, uint32_t n, bool retain_union,
                           struct view_env *env);
struct view *win_group_new(const struct view_plan *p, struct view_env *env);
struct ex *const *win_group_keys(const struct view_step *step, uint32_t *ret_n);
struct view *win_both_new(struct view_step *const *steps, uint32_t n, struct view_env *env);
struct view *win_union_new(struct view_step *const *steps, uint32_t n, struct view_env *env);

#endif
