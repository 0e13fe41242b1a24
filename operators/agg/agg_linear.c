/* SPDX-License-Identifier: Apache-2.0
 *
 * Events in order of arrival: first, last, window; and nth, firstever, lastever, which keep values.
 *
 * The first three keep the events and look at them when asked. In a join an event comes in several
 * rows: `seen` counts them, and it is there once. first and last of streams that nothing leaves
 * keep no events but the one value: they are firstever and lastever then.
 */
#include "core/base/mem.h"
#include "operators/agg/agg_impl.h"

#include <assert.h>

struct linear {
    struct agg_ring ring;
    struct agg_uniq seen; /* of joins only */
};

enum { JOINED = 1 }; /* in agg_call.priv */

static size_t linear_bytes(const struct agg_call *c)
{
    return c->priv != NULL ? sizeof(struct linear) : sizeof(struct agg_ring);
}

static struct dat name_of(const struct evt *e)
{
    return dat_long((int64_t)(intptr_t)e);
}

static void linear_enter(const struct agg_call *c, void *state, const struct dat *v,
                         struct ectx *ctx)
{
    struct linear *s = state;
    if (c->priv == NULL || agg_uniq_add(&s->seen, ctx->heap, name_of(v[0].ev))) {
        agg_ring_push(&s->ring, v[0].ev);
    }
}

static void linear_leave(const struct agg_call *c, void *state, const struct dat *v,
                         struct ectx *ctx)
{
    struct linear *s = state;
    if (c->priv == NULL || agg_uniq_remove(&s->seen, ctx->heap, name_of(v[0].ev))) {
        (void)agg_ring_remove(&s->ring, ctx->heap, v[0].ev);
    }
}

static void linear_done(const struct agg_call *c, void *state, struct vheap *h)
{
    struct linear *s = state;
    agg_ring_done(&s->ring, h);
    if (c->priv != NULL) {
        agg_uniq_done(&s->seen, h);
    }
}

/* Events; of joins in how many rows each is. */
static void linear_save(const struct agg_call *c, void *state, struct save *s)
{
    const struct linear *w = state;
    agg_ring_save(&w->ring, s);
    for (uint32_t i = 0; c->priv != NULL && i < w->ring.len; i++) {
        save_u(s, agg_uniq_count(&w->seen, name_of(agg_ring_at(&w->ring, i))));
    }
}

static void linear_load(const struct agg_call *c, void *state, struct load *l)
{
    struct linear *w = state;
    agg_ring_load(&w->ring, l, c->event);
    for (uint32_t i = 0; c->priv != NULL && i < w->ring.len && load_ok(l); i++) {
        if (!agg_uniq_put(&w->seen, load_heap(l), name_of(agg_ring_at(&w->ring, i)), load_u(l))) {
            load_fail(l, "an event that is in no row, or stands twice");
        }
    }
}

static struct dat look(const struct agg_call *c, struct evt *e, struct ectx *ctx)
{
    return c->n_args == 0 || c->star ? dat_evt(e) : agg_eval_on(c, c->args[0], e, ctx);
}

static bool index_of(const struct agg_call *c, uint32_t len, struct ectx *ctx, uint32_t *ret)
{
    int64_t i = 0;
    uint32_t at = c->star ? 0 : 1;
    if (c->n_args > at) {
        struct dat v = ex_eval(c->args[at], ctx);
        if (dat_is_null(v)) {
            return false;
        }
        i = dat_to_long(v);
    }
    if (i < 0 || i >= (int64_t)len) {
        return false;
    }
    *ret = (uint32_t)i;
    return true;
}

static struct dat first_value(const struct agg_call *c, void *state, struct ectx *ctx)
{
    const struct agg_ring *r = &((struct linear *)state)->ring;
    uint32_t i;
    return index_of(c, r->len, ctx, &i) ? look(c, agg_ring_at(r, i), ctx) : DAT_NONE;
}

static struct dat last_value(const struct agg_call *c, void *state, struct ectx *ctx)
{
    const struct agg_ring *r = &((struct linear *)state)->ring;
    uint32_t i;
    return index_of(c, r->len, ctx, &i) ? look(c, agg_ring_at(r, r->len - 1 - i), ctx) : DAT_NONE;
}

static struct dat window_value(const struct agg_call *c, void *state, struct ectx *ctx)
{
    const struct agg_ring *r = &((struct linear *)state)->ring;
    if (r->len == 0) {
        return DAT_NONE;
    }
    struct vlist *l = vlist_new(ctx->heap, r->len);
    for (uint32_t i = 0; i < r->len; i++) {
        vlist_set(l, i, look(c, agg_ring_at(r, i), ctx));
    }
    return dat_list(l);
}

/* What a row gives: the event, or the argument's type. */
static int item_type(struct bind *b, struct agg_call *c, struct ty *ret, struct err *reterr)
{
    uint32_t values = c->star ? 0 : MIN(c->n_args, 1);
    int rc = agg_want_stream(b, c, values, ret, reterr);
    if (rc == 0 && values > 0) {
        *ret = c->args[0]->ty;
    }
    if (rc == 0 && c->n_args > values) {
        rc = agg_want_index(b, c, values, reterr);
    }
    c->distinct = false; /* of events: each is one */
    c->priv = agg_joined(b) ? (const void *)(uintptr_t)JOINED : NULL;
    return rc;
}

static int edge_type(struct bind *b, struct agg_call *c, struct err *reterr)
{
    int rc = item_type(b, c, &c->ty, reterr);
    if (rc == 0 && agg_unbound(b)) { /* an index means nothing then */
        c->n_args = c->star ? 0 : MIN(c->n_args, 1);
        c->def = c->def == &agg_first ? &agg_firstever : &agg_lastever;
    }
    return rc;
}

static int window_type(struct bind *b, struct agg_call *c, struct err *reterr)
{
    struct ty item;
    int rc = item_type(b, c, &item, reterr);
    if (rc == 0) {
        c->ty = ty_list(b->a, item);
    }
    return rc;
}

const struct agg_def agg_first = {
    .name = "first",
    .min_args = 1,
    .max_args = 2,
    .star_args = 1,
    .star_ok = true,
    .distinct_ok = true,
    .filter_ok = true,
    .takes_event = true,
    .bytes = linear_bytes,
    .type = edge_type,
    .enter = linear_enter,
    .leave = linear_leave,
    .value = first_value,
    .done = linear_done,
    .save = linear_save,
    .load = linear_load,
};

const struct agg_def agg_last = {
    .name = "last",
    .min_args = 1,
    .max_args = 2,
    .star_args = 1,
    .star_ok = true,
    .distinct_ok = true,
    .filter_ok = true,
    .takes_event = true,
    .bytes = linear_bytes,
    .type = edge_type,
    .enter = linear_enter,
    .leave = linear_leave,
    .value = last_value,
    .done = linear_done,
    .save = linear_save,
    .load = linear_load,
};

const struct agg_def agg_window = {
    .name = "window",
    .min_args = 1,
    .max_args = 1,
    .star_ok = true,
    .distinct_ok = true,
    .filter_ok = true,
    .needs_window = true,
    .takes_event = true,
    .bytes = linear_bytes,
    .type = window_type,
    .enter = linear_enter,
    .leave = linear_leave,
    .value = window_value,
    .done = linear_done,
    .save = linear_save,
    .load = linear_load,
};

static size_t ever_bytes(const struct agg_call *c)
{
    (void)c;
    return sizeof(struct dat); /* kept */
}

static int ever_type(struct bind *b, struct agg_call *c, struct err *reterr)
{
    if (c->n_args > 0) {
        c->ty = c->args[0]->ty;
        return 0;
    }
    return agg_want_stream(b, c, 0, &c->ty, reterr);
}

static struct dat ever_arg(const struct agg_call *c, const struct dat *v, const struct ectx *ctx)
{
    return c->n_args > 0 ? v[0] : dat_evt(ctx->row[c->stream]);
}

/* Nulls are none of the values ever seen. */
static void firstever_enter(const struct agg_call *c, void *state, const struct dat *v,
                            struct ectx *ctx)
{
    struct dat *first = state;
    if (dat_is_null(*first)) {
        *first = dat_keep(ever_arg(c, v, ctx));
    }
}

static void lastever_enter(const struct agg_call *c, void *state, const struct dat *v,
                           struct ectx *ctx)
{
    struct dat *last = state, now = ever_arg(c, v, ctx);
    if (!dat_is_null(now)) {
        dat_drop(ctx->heap, *last);
        *last = dat_keep(now);
    }
}

static void ever_leave(const struct agg_call *c, void *state, const struct dat *v, struct ectx *ctx)
{
    (void)c;
    (void)state;
    (void)v;
    (void)ctx;
}

static struct dat ever_value(const struct agg_call *c, void *state, struct ectx *ctx)
{
    (void)c;
    (void)ctx;
    return *(struct dat *)state;
}

static void ever_done(const struct agg_call *c, void *state, struct vheap *h)
{
    (void)c;
    dat_drop(h, *(struct dat *)state);
}

static void ever_save(const struct agg_call *c, void *state, struct save *s)
{
    (void)c;
    save_val(s, *(const struct dat *)state);
}

static void ever_load(const struct agg_call *c, void *state, struct load *l)
{
    *(struct dat *)state = dat_keep(load_val_of(l, c->ty));
}

const struct agg_def agg_firstever = {
    .name = "firstever",
    .min_args = 1,
    .max_args = 1,
    .star_ok = true,
    .distinct_ok = true,
    .filter_ok = true,
    .bytes = ever_bytes,
    .type = ever_type,
    .enter = firstever_enter,
    .leave = ever_leave,
    .value = ever_value,
    .done = ever_done,
    .save = ever_save,
    .load = ever_load,
};

const struct agg_def agg_lastever = {
    .name = "lastever",
    .min_args = 1,
    .max_args = 1,
    .star_ok = true,
    .distinct_ok = true,
    .filter_ok = true,
    .bytes = ever_bytes,
    .type = ever_type,
    .enter = lastever_enter,
    .leave = ever_leave,
    .value = ever_value,
    .done = ever_done,
    .save = ever_save,
    .load = ever_load,
};

enum { NTH_MAX = 10000 };

struct nth {
    struct dat *ring; /* of the last n + 1, kept */
    uint64_t there;   /* values in the window */
    uint32_t next;
};

static uint32_t nth_n(const struct agg_call *c)
{
    return (uint32_t)(uintptr_t)c->priv;
}

static size_t nth_bytes(const struct agg_call *c)
{
    (void)c;
    return sizeof(struct nth);
}

static int nth_type(struct bind *b, struct agg_call *c, struct err *reterr)
{
    (void)b;
    const struct ex *n = c->args[1];
    if (!ex_is_const(n) || !dat_is_integer(n->k) || n->k.i < 0 || n->k.i > NTH_MAX) {
        return bind_err(reterr, n->span, "nth wants a constant from 0 to %d as its second argument",
                        NTH_MAX);
    }
    c->priv = (const void *)(uintptr_t)n->k.i;
    c->ty = c->args[0]->ty;
    return 0;
}

static void nth_enter(const struct agg_call *c, void *state, const struct dat *v, struct ectx *ctx)
{
    struct nth *s = state;
    uint32_t room = nth_n(c) + 1;
    if (dat_is_null(v[0])) {
        return;
    }
    if (s->ring == NULL) {
        s->ring = mem_calloc(room, sizeof *s->ring);
    }
    dat_drop(ctx->heap, s->ring[s->next]);
    s->ring[s->next] = dat_keep(v[0]);
    s->next = (s->next + 1) % room;
    s->there++;
}

static void nth_leave(const struct agg_call *c, void *state, const struct dat *v, struct ectx *ctx)
{
    struct nth *s = state;
    uint32_t room = nth_n(c) + 1;
    if (!dat_is_null(v[0]) && s->there > 0 &&
        s->there-- <= room) { /* the oldest of the ring has left */
        struct dat *old = &s->ring[(s->next + room - (uint32_t)s->there - 1) % room];
        dat_drop(ctx->heap, *old);
        *old = DAT_NONE;
    }
}

static struct dat nth_value(const struct agg_call *c, void *state, struct ectx *ctx)
{
    (void)ctx;
    const struct nth *s = state;
    return s->there > nth_n(c) ? s->ring[s->next] : DAT_NONE;
}

static void nth_done(const struct agg_call *c, void *state, struct vheap *h)
{
    struct nth *s = state;
    for (uint32_t i = 0; s->ring != NULL && i <= nth_n(c); i++) {
        dat_drop(h, s->ring[i]);
    }
    mem_free(s->ring);
}

/* How many are in the window; where the next one goes; whether there is a ring, its values. */
static void nth_save(const struct agg_call *c, void *state, struct save *s)
{
    const struct nth *w = state;
    save_u(s, w->there);
    save_u(s, w->next);
    save_bool(s, w->ring != NULL);
    if (w->ring != NULL) {
        save_vals(s, w->ring, nth_n(c) + 1);
    }
}

static void nth_load(const struct agg_call *c, void *state, struct load *l)
{
    struct nth *w = state;
    uint32_t room = nth_n(c) + 1;
    w->there = load_u(l);
    uint64_t next = load_u(l);
    bool any = load_bool(l);
    if (next >= room || (!any && w->there > 0)) {
        load_fail(l, "value %llu of %u", (unsigned long long)next, room);
    }
    if (!any || !load_ok(l)) {
        return;
    }
    w->next = (uint32_t)next;
    w->ring = mem_calloc(room, sizeof *w->ring);
    for (uint32_t i = 0; i < room; i++) {
        w->ring[i] = dat_keep(load_val_of(l, c->args[0]->ty));
    }
}

const struct agg_def agg_nth = {
    .name = "nth",
    .min_args = 2,
    .max_args = 2,
    .distinct_ok = true,
    .filter_ok = true,
    .bytes = nth_bytes,
    .type = nth_type,
    .enter = nth_enter,
    .leave = nth_leave,
    .value = nth_value,
    .done = nth_done,
    .save = nth_save,
    .load = nth_load,
};
