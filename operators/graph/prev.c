/* SPDX-License-Identifier: Apache-2.0
 *
 * prev looks into the window, prior into the last arrivals (kept per stream, as many as the largest
 * prior wants beyond the oldest event of the window).
 */
#include "operators/graph/prev.h"

#include "operators/graph/sel.h"
#include "operators/sig/cause.h"

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

static struct dat prior(struct ectx *c, const struct ex *e, const struct sel_src *s)
{
    struct evt *now = c->row[e->stream];
    if (e->i == 0) {
        return of_event(c, e, now);
    }
    for (size_t i = s->past.len; i > 0; i--) {
        if (s->past.ptr[i - 1] == now) {
            size_t at = i - 1;
            return at >= (size_t)e->i ? of_event(c, e, s->past.ptr[at - (size_t)e->i]) : DAT_NONE;
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
    struct sel_inst *in = (struct sel_inst *)(void *)c->inst;
    const struct sel_src *s = &in->src[e->stream];
    if (c->row[e->stream] == NULL) {
        return DAT_NONE;
    }
    if (e->op == EX_PRIOR) {
        return prior(c, e, s);
    }
    if (s->view == NULL || c->leaving) {
        return DAT_NONE;
    }
    if (e->op != EX_PREV) {
        return whole(c, e, s->view);
    }
    struct dat at = ex_eval(e->args[1], c);
    if (!dat_is_integer(at) || at.i < 0) {
        return DAT_NONE;
    }
    return of_event(c, e, view_prev(s->view, c->row[e->stream], at.i));
}
