/* SPDX-License-Identifier: Apache-2.0
 *
 * sorted, maxby, minby: the events of the window in the order of criteria, equal ones in order of
 * arrival. maxbyever, minbyever, and maxby, minby where nothing ever leaves, keep one event only.
 *
 * A single criterion is the key itself, several are a list of values.
 */
#include "operators/agg/agg_impl.h"

#include <assert.h>

struct order {
    struct agg_tree tree;
    struct agg_uniq seen; /* of joins: an event comes in several rows */
};

struct best {
    struct dat key;
    struct evt *ev; /* kept; NULL: none yet */
};

enum how { JOINED = 1, EVER = 2 }; /* in agg_call.priv */

static bool has(const struct agg_call *c, enum how h)
{
    return ((uintptr_t)c->priv & (uintptr_t)h) != 0;
}

static size_t order_bytes(const struct agg_call *c)
{
    return has(c, EVER) ? sizeof(struct best) : sizeof(struct order);
}

static int one_cmp(struct dat a, struct dat b, const bool *desc)
{
    int c = dat_cmp(a, b);
    return desc != NULL && desc[0] ? -c : c;
}

static int many_cmp(struct dat a, struct dat b, const bool *desc)
{
    for (uint32_t i = 0; i < a.l->len; i++) {
        int c = dat_cmp(a.l->v[i], b.l->v[i]);
        if (c != 0) {
            return desc != NULL && desc[i] ? -c : c;
        }
    }
    return 0;
}

static void order_init(const struct agg_call *c, void *state)
{
    if (!has(c, EVER)) {
        struct order *s = state;
        s->tree.cmp = c->n_args > 1 ? many_cmp : one_cmp;
        s->tree.desc = c->desc;
    }
}

struct dat agg_sorted_key(const struct agg_call *c, struct evt *ev, struct ectx *ctx)
{
    if (c->n_args == 0) {
        return DAT_NONE;
    }
    if (c->n_args == 1) {
        return agg_eval_on(c, c->args[0], ev, ctx);
    }
    struct vlist *l = vlist_new(ctx->heap, c->n_args);
    for (uint32_t i = 0; i < c->n_args; i++) {
        vlist_set(l, i, agg_eval_on(c, c->args[i], ev, ctx));
    }
    return dat_list(l);
}

int agg_sorted_cmp(const struct agg_call *c, struct dat a, struct dat b)
{
    return c->n_args > 1 ? many_cmp(a, b, c->desc) : one_cmp(a, b, c->desc);
}

/* Of all that ever came, one whose key is null counts as none once another comes; else it is least.
 */
static void best_enter(const struct agg_call *c, struct best *s, struct evt *ev, struct ectx *ctx)
{
    struct dat key = agg_sorted_key(c, ev, ctx);
    if (s->ev != NULL) {
        int d = agg_sorted_cmp(c, key, s->key);
        bool max = c->def == &agg_maxby || c->def == &agg_maxbyever;
        bool ever = c->def == &agg_maxbyever || c->def == &agg_minbyever;
        if (!(ever && dat_is_null(s->key)) && (max ? d <= 0 : d >= 0)) {
            return;
        }
        dat_drop(ctx->heap, s->key);
        evt_drop(ctx->heap, s->ev);
    }
    *s = (struct best){dat_keep(key), evt_keep(ev)};
}

static struct dat name_of(const struct evt *e)
{
    return dat_long((int64_t)(intptr_t)e);
}

static void order_enter(const struct agg_call *c, void *state, const struct dat *v,
                        struct ectx *ctx)
{
    struct order *s = state;
    if (has(c, EVER)) {
        best_enter(c, state, v[0].ev, ctx);
    } else if (!has(c, JOINED) || agg_uniq_add(&s->seen, ctx->heap, name_of(v[0].ev))) {
        agg_tree_add(&s->tree, ctx->heap, agg_sorted_key(c, v[0].ev, ctx), v[0].ev, false);
    }
}

static void order_leave(const struct agg_call *c, void *state, const struct dat *v,
                        struct ectx *ctx)
{
    struct order *s = state;
    if (has(c, EVER)) {
        return;
    }
    if (!has(c, JOINED) || agg_uniq_remove(&s->seen, ctx->heap, name_of(v[0].ev))) {
        (void)agg_tree_remove(&s->tree, ctx->heap, agg_sorted_key(c, v[0].ev, ctx), v[0].ev, false);
    }
}

static void order_done(const struct agg_call *c, void *state, struct vheap *h)
{
    if (has(c, EVER)) {
        struct best *s = state;
        dat_drop(h, s->key);
        if (s->ev != NULL) {
            evt_drop(h, s->ev);
        }
        return;
    }
    agg_tree_done(&((struct order *)state)->tree, h);
    agg_uniq_done(&((struct order *)state)->seen, h);
}

/* The one: its event and key. All: the tree; of joins in how many rows each event is. */
struct counts {
    struct agg_uniq *seen;
    struct save *s;
    struct load *l;
};

static void save_count(void *arg, const struct agg_node *n)
{
    const struct counts *w = arg;
    save_u(w->s, agg_uniq_count(w->seen, name_of(n->ev)));
}

static void load_counted(void *arg, const struct agg_node *n)
{
    const struct counts *w = arg;
    uint64_t rows = load_u(w->l);
    if (load_ok(w->l) && !agg_uniq_put(w->seen, load_heap(w->l), name_of(n->ev), rows)) {
        load_fail(w->l, "an event that is in no row, or stands twice");
    }
}

static void order_save(const struct agg_call *c, void *state, struct save *s)
{
    struct order *w = state;
    if (has(c, EVER)) {
        save_evt(s, ((const struct best *)state)->ev);
        save_val(s, ((const struct best *)state)->key);
        return;
    }
    agg_tree_save(&w->tree, s, false);
    if (has(c, JOINED)) {
        agg_tree_each(&w->tree, save_count, &(struct counts){.seen = &w->seen, .s = s});
    }
}

static void best_load(const struct agg_call *c, struct best *b, struct load *l)
{
    struct evt *ev = load_evt(l);
    struct dat key = load_val(l);
    bool many = c->n_args > 1;
    if (ev == NULL) {
        return;
    }
    if (!ety_is(ev->type, c->event) ||
        (many && (key.kind != DAT_LIST || key.l->len != c->n_args))) {
        load_fail(l, "an event of another type, or with another key");
        return;
    }
    *b = (struct best){dat_keep(key), evt_keep(ev)};
}

static void order_load(const struct agg_call *c, void *state, struct load *l)
{
    struct order *w = state;
    if (has(c, EVER)) {
        best_load(c, state, l);
        return;
    }
    struct ty key = c->n_args > 0 ? c->args[0]->ty : TY(OBJECT);
    agg_tree_load(&w->tree, l, false, key, c->n_args, c->event);
    if (has(c, JOINED)) {
        agg_tree_each(&w->tree, load_counted, &(struct counts){.seen = &w->seen, .l = l});
    }
}

struct fill {
    struct vlist *to;
    uint32_t n;
};

static void fill_one(void *arg, const struct agg_node *n)
{
    struct fill *f = arg;
    vlist_set(f->to, f->n++, dat_evt(n->ev));
}

static struct dat sorted_value(const struct agg_call *c, void *state, struct ectx *ctx)
{
    (void)c;
    const struct agg_tree *t = &((struct order *)state)->tree;
    uint32_t n = agg_tree_count(t);
    struct fill f = {vlist_new(ctx->heap, n), 0};
    agg_tree_each(t, fill_one, &f);
    return dat_list(f.to);
}

static struct dat minby_value(const struct agg_call *c, void *state, struct ectx *ctx)
{
    (void)ctx;
    if (has(c, EVER)) {
        return dat_evt(((struct best *)state)->ev);
    }
    const struct agg_node *n = agg_tree_end(&((struct order *)state)->tree, false);
    return n == NULL ? DAT_NONE : dat_evt(n->ev);
}

/* Of several with the greatest key the first that came. */
static struct dat maxby_value(const struct agg_call *c, void *state, struct ectx *ctx)
{
    (void)ctx;
    if (has(c, EVER)) {
        return dat_evt(((struct best *)state)->ev);
    }
    const struct agg_tree *t = &((struct order *)state)->tree;
    const struct agg_node *n = agg_tree_end(t, true);
    if (n == NULL) {
        return DAT_NONE;
    }
    return dat_evt(agg_tree_at(t, agg_tree_rank(t, n->key, false, false), false)->ev);
}

static int by_type(struct bind *b, struct agg_call *c, bool ever, struct err *reterr)
{
    if (c->n_args == 0 && !b->scope->aggs->into_table) {
        return bind_err(reterr, c->span, "%s wants what to sort by", c->def->name);
    }
    bool one = ever || (agg_unbound(b) && c->def != &agg_sorted);
    c->priv = (const void *)((one ? (uintptr_t)EVER : 0) | (agg_joined(b) ? (uintptr_t)JOINED : 0));
    return agg_want_stream(b, c, c->n_args, &c->ty, reterr);
}

static int now_type(struct bind *b, struct agg_call *c, struct err *reterr)
{
    return by_type(b, c, false, reterr);
}

static int ever_type(struct bind *b, struct agg_call *c, struct err *reterr)
{
    return by_type(b, c, true, reterr);
}

static int sorted_type(struct bind *b, struct agg_call *c, struct err *reterr)
{
    int rc = by_type(b, c, false, reterr);
    if (rc == 0) {
        c->ty = ty_list(b->a, c->ty);
    }
    return rc;
}

#define BY(name_, type_, value_, window_)                                                          \
    const struct agg_def agg_##name_ = {                                                           \
        .name = #name_,                                                                            \
        .min_args = 1,                                                                             \
        .max_args = AGG_ARGS_MAX,                                                                  \
        .star_ok = true,                                                                           \
        .filter_ok = true,                                                                         \
        .needs_window = (window_),                                                                 \
        .grows = (window_),                                                                        \
        .takes_event = true,                                                                       \
        .criteria = true,                                                                          \
        .bytes = order_bytes,                                                                      \
        .type = (type_),                                                                           \
        .init = order_init,                                                                        \
        .enter = order_enter,                                                                      \
        .leave = order_leave,                                                                      \
        .value = (value_),                                                                         \
        .done = order_done,                                                                        \
        .save = order_save,                                                                        \
        .load = order_load,                                                                        \
    }

BY(sorted, sorted_type, sorted_value, true);
BY(maxby, now_type, maxby_value, false);
BY(minby, now_type, minby_value, false);
BY(maxbyever, ever_type, maxby_value, false);
BY(minbyever, ever_type, minby_value, false);
