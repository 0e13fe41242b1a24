/* SPDX-License-Identifier: Apache-2.0
 *
 * prev looks into the window, prior into the last arrivals (kept per stream, as many as the largest
 * prior wants beyond the oldest event of the window).
 */
#include "operators/graph/prev.h"

#include "operators/graph/sel.h"
#include "operators/graph/subq.h"
#include "operators/sig/cause.h"

#include <string.h>

void prev_remember(struct vheap *h, struct evts *past, struct evt **nw, size_t n, size_t want)
{
    for (size_t i = 0; i < n; i++) {
        evts_add(past, evt_keep(nw[i]));
    }
    if (past->len > 2 * want + 16) {
        size_t drop = past->len - want;
        for (size_t i = 0; i < drop; i++) {
            evt_drop(h, past->ptr[i]);
        }
        memmove(past->ptr, past->ptr + drop, want * sizeof(struct evt *));
        past->len = want;
    }
}

/* The value expression for another event in the stream's place. */
static struct dat of_event(struct ectx *c, const struct ex *e, struct evt *ev)
{
    if (ev == NULL) {
        return DAT_NONE;
    }
    if (c->causes != NULL) {
        cause_add_event(c->causes, ev);
    }
    struct evt *was = c->row[e->stream];
    c->row[e->stream] = ev;
    struct dat v = ex_eval(e->args[0], c);
    c->row[e->stream] = was;
    return v;
}

static struct dat prior(struct ectx *c, const struct ex *e, const struct evts *past)
{
    struct evt *now = c->row[e->stream];
    if (e->i == 0) {
        return of_event(c, e, now);
    }
    for (size_t i = past->len; i > 0; i--) {
        if (past->ptr[i - 1] == now) {
            size_t at = i - 1;
            return at >= (size_t)e->i ? of_event(c, e, past->ptr[at - (size_t)e->i]) : DAT_NONE;
        }
    }
    return DAT_NONE;
}

/* prevcount, prevtail, prevwindow: of the window, the batch or the group of the event. */
static struct dat whole(struct ectx *c, const struct ex *e, struct view *v)
{
    const struct evt *of = c->row[e->stream];
    size_t n = view_count(v, of);
    if (e->op == EX_PREV_COUNT) {
        return dat_long((int64_t)n);
    }
    if (e->op == EX_PREV_TAIL) {
        struct dat at = ex_eval(e->args[1], c);
        bool in = dat_is_integer(at) && at.i >= 0 && (size_t)at.i < n;
        return in ? of_event(c, e, view_at(v, of, n - 1 - (size_t)at.i)) : DAT_NONE;
    }
    if (n == 0) {
        return DAT_NONE;
    }
    struct vlist *l = vlist_new(c->heap, n);
    for (size_t i = 0; i < n; i++) {
        vlist_set(l, i, of_event(c, e, view_at(v, of, i)));
    }
    return dat_list(l);
}

struct dat prev_value(struct ectx *c, const struct ex *e)
{
    struct view *view = NULL;
    const struct evts *past = NULL;
    if (e->subq != NULL) {
        subq_prev(c, e, &view, &past);
    } else {
        const struct sel_src *s = &((struct sel_inst *)(void *)c->inst)->src[e->stream];
        view = s->view;
        past = &s->past;
    }
    if (c->row[e->stream] == NULL) {
        return DAT_NONE;
    }
    if (e->op == EX_PRIOR) {
        return prior(c, e, past);
    }
    if (view == NULL || c->leaving) {
        return DAT_NONE;
    }
    if (e->op != EX_PREV) {
        return whole(c, e, view);
    }
    struct dat at = ex_eval(e->args[1], c);
    if (!dat_is_integer(at) || at.i < 0) {
        return DAT_NONE;
    }
    return of_event(c, e, view_prev(view, c->row[e->stream], at.i));
}
