/* SPDX-License-Identifier: Apache-2.0
 *
 * `a and b`: all parts begin with the same match. Their matches are collected, and once each part
 * has one, a new match goes up combined with all of the others. It is over when all parts but `not`
 * are; a part that is false makes it false.
 */
#include "core/base/mem.h"
#include "operators/pattern/pat_bind.h"

#include <assert.h>

struct part {
    struct pat_inst *kid;  /* NULL when it is over */
    VEC(struct evt *) got; /* kept; NULL: a match without tags */
};

struct and_inst {
    struct pat_inst i;
    struct part part[];
};

static int and_bind(struct pat_binder *x, const struct ast_pat *p, struct pat_node *n,
                    struct err *reterr)
{
    return pat_bind_kids(x, p, n, reterr);
}

static size_t and_extra(const struct pat_node *n)
{
    return n->n_kids * sizeof(struct part);
}

static void and_start(struct pat_inst *i)
{
    struct and_inst *a = (struct and_inst *)i;
    uint32_t n = i->node->n_kids;
    for (uint32_t k = 0; k < n; k++) {
        assert(a->part[k].got.len == 0);
        a->part[k].kid = pat_spawn(i, k);
    }
    for (uint32_t k = 0; k < n && !i->dead; k++) {
        if (a->part[k].kid != NULL && !a->part[k].kid->dead) {
            pat_begin(a->part[k].kid, i->begin);
        }
    }
}

static bool only_nots(const struct and_inst *a)
{
    for (uint32_t k = 0; k < a->i.node->n_kids; k++) {
        const struct pat_inst *kid = a->part[k].kid;
        if (kid != NULL && !kid->node->def->is_not) {
            return false;
        }
    }
    return true;
}

static void end_parts(struct and_inst *a)
{
    pat_quit_kids(&a->i);
    for (uint32_t k = 0; k < a->i.node->n_kids; k++) {
        a->part[k].kid = NULL;
    }
}

/* All parts have a match, not regarding part `but`. */
static bool complete(const struct and_inst *a, uint32_t but)
{
    for (uint32_t k = 0; k < a->i.node->n_kids; k++) {
        if (k != but && a->part[k].got.len == 0) {
            return false;
        }
    }
    return true;
}

struct combos {
    struct and_inst *a;
    uint32_t from;
    VEC(struct evt *) out;
};

/* m with each choice of one match of each part from `at` on. */
static void combine(struct combos *c, uint32_t at, struct evt *m)
{
    if (at == c->a->i.node->n_kids) {
        *VEC_PUSH(&c->out) = m;
        return;
    }
    if (at == c->from) {
        combine(c, at + 1, m);
        return;
    }
    struct part *p = &c->a->part[at];
    for (size_t k = 0; k < p->got.len; k++) {
        combine(c, at + 1, pat_merge(c->a->i.pat, m, p->got.ptr[k]));
    }
}

static void collect(struct and_inst *a, uint32_t at, struct evt *m)
{
    *VEC_PUSH(&a->part[at].got) = m != NULL ? evt_keep(m) : NULL;
    pat_hold(a->i.pat, 1, pat_cost(dat_evt(m)));
}

static void and_true(struct pat_inst *i, struct pat_inst *from, struct evt *m, bool quit)
{
    struct and_inst *a = (struct and_inst *)i;
    uint32_t at = from->slot;
    if (a->part[at].kid != from) {
        return;
    }
    bool all = complete(a, at);
    if (!all && pat_refuse(i->pat)) {
        if (quit) { /* it will not come again: all of it is over */
            end_parts(a);
            pat_false(i, true);
        }
        return;
    }
    if (quit) {
        a->part[at].kid = NULL;
        pat_quit(from);
    }
    if (!all) {
        collect(a, at, m);
        return;
    }
    struct combos c = {.a = a, .from = at};
    combine(&c, 0, m);
    bool over = only_nots(a);
    if (over) {
        end_parts(a);
    } else if (!pat_refuse(i->pat)) {
        collect(a, at, m);
    }
    for (size_t k = 0; k < c.out.len; k++) {
        pat_true(i, c.out.ptr[k], over);
    }
    VEC_DONE(&c.out);
}

static void and_false(struct pat_inst *i, struct pat_inst *from, bool again)
{
    (void)from;
    end_parts((struct and_inst *)i);
    pat_false(i, again);
}

static bool and_holds_used(struct pat_inst *i)
{
    struct and_inst *a = (struct and_inst *)i;
    for (uint32_t k = 0; k < i->node->n_kids; k++) {
        for (size_t j = 0; j < a->part[k].got.len; j++) {
            if (pat_used(a->part[k].got.ptr[j])) {
                return true;
            }
        }
    }
    return false;
}

static void and_reset(struct pat_inst *i)
{
    struct and_inst *a = (struct and_inst *)i;
    for (uint32_t k = 0; k < i->node->n_kids; k++) {
        VEC_EACH (&a->part[k].got, m) {
            pat_release(i->pat, 1, pat_cost(dat_evt(*m)));
            if (*m != NULL) {
                evt_drop(i->pat->env->heap, *m);
            }
        }
        VEC_CLEAR(&a->part[k].got);
        a->part[k].kid = NULL;
    }
}

static void and_destroy(struct pat_inst *i)
{
    struct and_inst *a = (struct and_inst *)i;
    for (uint32_t k = 0; k < i->node->n_kids; k++) {
        VEC_DONE(&a->part[k].got);
    }
}

static void and_save(struct pat_inst *i, struct save *s)
{
    struct and_inst *a = (struct and_inst *)i;
    for (uint32_t k = 0; k < i->node->n_kids; k++) {
        save_u(s, a->part[k].got.len);
        VEC_EACH (&a->part[k].got, m) {
            pat_save_match(i->pat, s, *m);
        }
    }
}

static void and_load(struct pat_inst *i, struct load *l)
{
    struct and_inst *a = (struct and_inst *)i;
    for (uint32_t k = 0; k < i->node->n_kids; k++) {
        for (size_t n = load_count(l, 1); n > 0 && load_ok(l); n--) {
            struct evt *m = pat_load_match(i->pat, l);
            collect(a, k, m);
        }
    }
}

static void and_loaded(struct pat_inst *i, struct load *l)
{
    struct and_inst *a = (struct and_inst *)i;
    (void)l;
    for (uint32_t k = 0; k < i->node->n_kids; k++) {
        a->part[k].kid = pat_kid(i, k);
    }
}

const struct pat_def pat_def_and = {
    .node_bytes = sizeof(struct pat_node),
    .inst_bytes = sizeof(struct and_inst),
    .inst_extra = and_extra,
    .one_each = true,
    .bind = and_bind,
    .start = and_start,
    .on_true = and_true,
    .on_false = and_false,
    .holds_used = and_holds_used,
    .reset = and_reset,
    .destroy = and_destroy,
    .save = and_save,
    .load = and_load,
    .loaded = and_loaded,
};
