/* SPDX-License-Identifier: Apache-2.0
 *
 * prev looks into the window, prior into the last arrivals (kept per stream, as many as the largest
 * prior wants beyond the oldest event of the window).
 */
#include "operators/graph/prev.h"

#include "operators/graph/sel.h"

struct listing {
    struct evts v;
};

static void collect(void *arg, struct evt *e)
{
    evts_add(arg, e);
}

/* The value expression for another event in the stream's place. */
static struct val of_event(struct ectx *c, const struct ex *e, struct evt *ev)
{
    if (ev == NULL) {
        return VAL_NONE;
    }
    struct evt *was = c->row[e->stream];
    c->row[e->stream] = ev;
    struct val v = ex_eval(e->args[0], c);
    c->row[e->stream] = was;
    return v;
}

static struct val prior(struct ectx *c, const struct ex *e, const struct sel_src *s)
{
    const struct evt *now = c->row[e->stream];
    for (size_t i = s->past.len; i > 0; i--) {
        if (s->past.ptr[i - 1] == now) {
            size_t at = i - 1;
            return at >= (size_t)e->i ? of_event(c, e, s->past.ptr[at - (size_t)e->i]) : VAL_NONE;
        }
    }
    return VAL_NONE;
}

/* Events of the window that `of` belongs to (of its group), oldest first. */
static void window_of(struct view *v, const struct evt *of, struct evts *to)
{
    if (v->ops->prev == NULL) {
        view_each(v, collect, to);
        return;
    }
    /* Newest first by prev from the newest: walk outwards from `of` in both directions. */
    for (int64_t n = 0;; n++) {
        struct evt *e = v->ops->prev(v, of, n);
        if (e == NULL) {
            break;
        }
        evts_add(to, e);
    }
    for (size_t i = 0, k = to->len; i + 1 < k; i++, k--) {
        struct evt *t = to->ptr[i];
        to->ptr[i] = to->ptr[k - 1];
        to->ptr[k - 1] = t;
    }
}

static struct val whole(struct ectx *c, const struct ex *e, struct view *v)
{
    struct evts all = {NULL, 0, 0};
    window_of(v, c->row[e->stream], &all);
    struct val ret = VAL_NONE;
    if (e->op == EX_PREV_COUNT) {
        ret = val_long((int64_t)all.len);
    } else if (e->op == EX_PREV_TAIL) {
        struct val at = ex_eval(e->args[1], c);
        if (val_is_integer(at) && at.i >= 0 && (size_t)at.i < all.len) {
            ret = of_event(c, e, all.ptr[at.i]);
        }
    } else {
        struct vlist *l = vlist_new(c->heap, all.len);
        for (size_t i = 0; i < all.len; i++) {
            vlist_set(l, i, of_event(c, e, all.ptr[all.len - 1 - i]));
        }
        ret = val_list(l);
    }
    evts_done(&all);
    return ret;
}

struct val prev_value(struct ectx *c, const struct ex *e)
{
    struct sel_inst *in = (struct sel_inst *)(void *)c->inst;
    const struct sel_src *s = &in->src[e->stream];
    if (c->row[e->stream] == NULL) {
        return VAL_NONE;
    }
    if (e->op == EX_PRIOR) {
        return prior(c, e, s);
    }
    if (s->view == NULL) {
        return VAL_NONE;
    }
    if (e->op != EX_PREV) {
        return whole(c, e, s->view);
    }
    struct val at = ex_eval(e->args[1], c);
    if (!val_is_integer(at) || at.i < 0 || s->view->ops->prev == NULL) {
        return VAL_NONE;
    }
    return of_event(c, e, s->view->ops->prev(s->view, c->row[e->stream], at.i));
}
