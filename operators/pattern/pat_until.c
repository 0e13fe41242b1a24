/* SPDX-License-Identifier: Apache-2.0
 *
 * `[low:high] X until Y`, `[n] X`: matches of X are collected, tag by tag into lists, until Y is
 * true. Y begins first: an event that both would take is Y's alone. At `high` matches X ends and
 * only Y is waited for; with [n] (low = high) the n-th match ends it all. Fewer than `low` when Y
 * comes is false.
 *
 * While X is being matched its tags are single events, so filters in X may speak of them; the lists
 * are put into the match when it goes up.
 */
#include "core/base/mem.h"
#include "operators/pattern/pat_bind.h"

#include <assert.h>

struct until_node {
    struct pat_node node;
    int *tags; /* columns of the tags that repeat */
    uint32_t n_tags;
    struct ex *low, *high; /* NULL: none */
};

struct until_inst {
    struct pat_inst i;
    struct pat_inst *body, *end; /* NULL when over */
    int64_t low, high;           /* -1: none */
    int64_t count;
    VEC(struct dat) got[]; /* per tag, kept */
};

static int bind_bounds(struct pat_binder *x, const struct ast_pat *p, struct until_node *n,
                       struct err *reterr)
{
    struct ast_expr *const written[2] = {p->low, p->high};
    struct ex **to[2] = {&n->low, &n->high};
    for (int i = 0; i < 2; i++) {
        if (written[i] == NULL) {
            continue;
        }
        int rc =
            pat_bind_operand(x, written[i], PAT_WANT_INT, "a bound of a repeat", to[i], reterr);
        if (rc != 0) {
            return rc;
        }
        bool zero_ok = i == 0 && p->high != NULL && p->low != p->high;
        if (ex_is_const(*to[i]) && (*to[i])->k.i < (zero_ok ? 0 : 1)) {
            return bind_err(reterr, written[i]->span, "a bound of a repeat is greater than zero");
        }
    }
    if (n->low != NULL && n->high != NULL && ex_is_const(n->low) && ex_is_const(n->high) &&
        n->low->k.i > n->high->k.i) {
        return bind_err(reterr, p->span, "the lower bound of the repeat is above the upper one");
    }
    bool tight = n->low != NULL && n->high != NULL;
    if (tight && ex_is_const(n->low) && ex_is_const(n->high)) {
        tight = n->low->k.i == n->high->k.i;
    }
    if (!tight && p->n_kids < 2) {
        return bind_err(reterr, p->span, "a repeat that has no single count needs 'until'");
    }
    return 0;
}

static void body_tags(struct pat_binder *x, const struct ast_pat *p, struct until_node *n)
{
    int at = p->kind == PAT_FILTER && p->tag.len > 0 ? pat_tag_find(x, p->tag) : -1;
    bool have = at < 0;
    for (uint32_t k = 0; k < n->n_tags; k++) {
        have |= n->tags[k] == at;
    }
    if (!have) {
        n->tags[n->n_tags++] = at;
    }
    for (uint32_t k = 0; k < p->n_kids; k++) {
        body_tags(x, p->kids[k], n);
    }
}

static int until_bind(struct pat_binder *x, const struct ast_pat *p, struct pat_node *node,
                      struct err *reterr)
{
    struct until_node *n = (struct until_node *)node;
    assert(p->n_kids == 1 || p->n_kids == 2);
    n->tags = arena_array(x->b->a, x->tags.len + 1, sizeof *n->tags);
    int rc = bind_bounds(x, p, n, reterr);
    if (rc != 0) {
        return rc;
    }
    body_tags(x, p->kids[0], n);
    for (uint32_t k = 0; k < n->n_tags; k++) {
        x->tags.ptr[n->tags[k]].in_body = true;
    }
    rc = pat_bind_node(x, p->kids[0], &node->kids[0], reterr);
    for (uint32_t k = 0; k < n->n_tags; k++) {
        x->tags.ptr[n->tags[k]].in_body = false;
    }
    if (rc == 0 && p->n_kids == 2) {
        rc = pat_bind_node(x, p->kids[1], &node->kids[1], reterr);
    }
    return rc;
}

static size_t until_extra(const struct pat_node *node)
{
    const struct until_node *n = (const struct until_node *)node;
    return n->n_tags * sizeof(((struct until_inst *)0)->got[0]);
}

static int64_t bound(struct pat_inst *i, const struct ex *e)
{
    if (e == NULL) {
        return -1;
    }
    struct evt *row[2] = {NULL, i->begin};
    struct ectx c = pat_ctx(i->pat, row);
    struct dat v = ex_eval(e, &c);
    return dat_is_integer(v) && !c.failed && v.i >= 0 ? v.i : -1;
}

static void until_start(struct pat_inst *i)
{
    const struct until_node *n = (const struct until_node *)i->node;
    struct until_inst *u = (struct until_inst *)i;
    u->low = bound(i, n->low);
    u->high = bound(i, n->high);
    if (u->high >= 0 && u->low > u->high) {
        int64_t low = u->low;
        u->low = u->high;
        u->high = low;
    }
    u->count = 0;
    u->end = n->node.n_kids > 1 ? pat_spawn(i, 1) : NULL;
    u->body = pat_spawn(i, 0);
    if (u->end != NULL) {
        pat_begin(u->end, i->begin);
    }
    if (u->body != NULL && !u->body->dead) {
        pat_begin(u->body, i->begin);
    }
}

static void collect_one(struct until_inst *u, uint32_t k, struct dat v)
{
    *VEC_PUSH(&u->got[k]) = dat_keep(v);
    pat_hold(u->i.pat, 1, pat_cost(v));
}

static void collect_val(struct until_inst *u, uint32_t k, struct dat v)
{
    if (v.kind == DAT_LIST) { /* of an until within */
        for (uint32_t j = 0; j < v.l->len; j++) {
            collect_one(u, k, v.l->v[j]);
        }
    } else if (!dat_is_null(v)) {
        collect_one(u, k, v);
    }
}

static struct evt *with_lists(struct until_inst *u, struct evt *m)
{
    const struct until_node *n = (const struct until_node *)u->i.node;
    for (uint32_t k = 0; k < n->n_tags; k++) {
        if (u->got[k].len == 0) {
            continue;
        }
        struct vlist *l = vlist_new(u->i.pat->env->heap, u->got[k].len);
        for (size_t j = 0; j < u->got[k].len; j++) {
            vlist_set(l, j, u->got[k].ptr[j]);
        }
        m = pat_extend(u->i.pat, m, n->tags[k], dat_list(l));
    }
    return m;
}

static void finish(struct until_inst *u, struct evt *m)
{
    u->body = u->end = NULL;
    pat_quit_kids(&u->i);
    pat_true(&u->i, with_lists(u, m), true);
}

static void body_true(struct until_inst *u, struct pat_inst *from, struct evt *m, bool quit)
{
    const struct until_node *n = (const struct until_node *)u->i.node;
    bool last = u->low >= 0 && u->low == u->high && u->count + 1 == u->low;
    if (!last && n->n_tags > 0 && pat_refuse(u->i.pat)) {
        if (quit) { /* not collected: it is waited for again */
            pat_quit(from);
            u->body = pat_spawn(&u->i, 0);
            pat_begin(u->body, u->i.begin);
        }
        return;
    }
    u->count++;
    for (uint32_t k = 0; m != NULL && k < n->n_tags; k++) {
        collect_val(u, k, m->p[n->tags[k]]);
    }
    if (quit) {
        u->body = NULL;
        pat_quit(from);
    }
    if (u->low >= 0 && u->low == u->high && u->count == u->low) {
        finish(u, m);
        return;
    }
    bool more = u->high < 0 || u->count < u->high;
    if (u->body == NULL && more) {
        u->body = pat_spawn(&u->i, 0);
        pat_begin(u->body, u->i.begin);
    } else if (u->body != NULL && !more) {
        struct pat_inst *body = u->body;
        u->body = NULL;
        pat_quit(body);
    }
}

static void until_true(struct pat_inst *i, struct pat_inst *from, struct evt *m, bool quit)
{
    struct until_inst *u = (struct until_inst *)i;
    if (from == u->body) {
        body_true(u, from, m, quit);
    } else if (from == u->end) {
        if (u->low >= 0 && u->count < u->low) {
            u->body = u->end = NULL;
            pat_quit_kids(i);
            pat_false(i, true);
            return;
        }
        finish(u, m);
    }
}

static void until_false(struct pat_inst *i, struct pat_inst *from, bool again)
{
    struct until_inst *u = (struct until_inst *)i;
    (void)from;
    (void)again;
    u->body = u->end = NULL;
    pat_quit_kids(i);
    pat_false(i, true);
}

static bool until_holds_used(struct pat_inst *i)
{
    const struct until_node *n = (const struct until_node *)i->node;
    struct until_inst *u = (struct until_inst *)i;
    for (uint32_t k = 0; k < n->n_tags; k++) {
        VEC_EACH (&u->got[k], v) {
            if (v->kind == DAT_EVENT && v->ev->mark != 0) {
                return true;
            }
        }
    }
    return false;
}

static void until_reset(struct pat_inst *i)
{
    const struct until_node *n = (const struct until_node *)i->node;
    struct until_inst *u = (struct until_inst *)i;
    for (uint32_t k = 0; k < n->n_tags; k++) {
        VEC_EACH (&u->got[k], v) {
            pat_release(i->pat, 1, pat_cost(*v));
            dat_drop(i->pat->env->heap, *v);
        }
        VEC_CLEAR(&u->got[k]);
    }
    u->body = u->end = NULL;
}

static void until_destroy(struct pat_inst *i)
{
    const struct until_node *n = (const struct until_node *)i->node;
    struct until_inst *u = (struct until_inst *)i;
    for (uint32_t k = 0; k < n->n_tags; k++) {
        VEC_DONE(&u->got[k]);
    }
}

static void until_save(struct pat_inst *i, struct save *s)
{
    const struct until_node *n = (const struct until_node *)i->node;
    const struct until_inst *u = (const struct until_inst *)i;
    save_i(s, u->low);
    save_i(s, u->high);
    save_i(s, u->count);
    for (uint32_t k = 0; k < n->n_tags; k++) {
        save_u(s, u->got[k].len);
        save_vals(s, u->got[k].ptr, u->got[k].len);
    }
}

static void until_load(struct pat_inst *i, struct load *l)
{
    const struct until_node *n = (const struct until_node *)i->node;
    struct until_inst *u = (struct until_inst *)i;
    u->low = load_i(l);
    u->high = load_i(l);
    u->count = load_i(l);
    for (uint32_t k = 0; k < n->n_tags; k++) {
        for (size_t left = load_count(l, 1); left > 0 && load_ok(l); left--) {
            struct dat v = load_val(l);
            if (v.kind != DAT_EVENT || !pat_fits(i->pat, n->tags[k], v)) {
                load_fail(l, "a collected value that is no event of its tag");
                break;
            }
            collect_one(u, k, v);
        }
    }
}

static void until_loaded(struct pat_inst *i, struct load *l)
{
    struct until_inst *u = (struct until_inst *)i;
    (void)l;
    u->body = pat_kid(i, 0);
    u->end = pat_kid(i, 1);
}

const struct pat_def pat_def_until = {
    .node_bytes = sizeof(struct until_node),
    .inst_bytes = sizeof(struct until_inst),
    .inst_extra = until_extra,
    .keeps_filter = true,
    .one_each = true,
    .holds_begin = true,
    .bind = until_bind,
    .start = until_start,
    .on_true = until_true,
    .on_false = until_false,
    .holds_used = until_holds_used,
    .reset = until_reset,
    .destroy = until_destroy,
    .save = until_save,
    .load = until_load,
    .loaded = until_loaded,
};
