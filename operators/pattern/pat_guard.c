/* SPDX-License-Identifier: Apache-2.0
 *
 * Guards: `X where timer:within(T)`, `X where timer:withinmax(T, n)`, `X while (condition)`. A
 * guard that says no ends X and is false; an `every` around it then begins both anew. Time counts
 * from the beginning of the guard's instance. To add one: a `judge`, operands in guard_bind, a def,
 * a row in pat.def.
 */
#include "operators/pattern/pat_bind.h"

#include <assert.h>

struct guard_node {
    struct pat_node node;
    struct ex *period; /* NULL: none */
    struct ex *count;
    struct ex *cond;
};

struct guard_inst {
    struct pat_inst i;
    struct pat_inst *kid; /* NULL when over */
    struct tmr timer;
    int64_t passed, max;
};

static int guard_bind(struct pat_binder *x, const struct ast_pat *p, struct pat_node *node,
                      struct err *reterr)
{
    struct guard_node *n = (struct guard_node *)node;
    int rc = pat_bind_kids(x, p, node, reterr);
    if (rc != 0) {
        return rc;
    }
    bool is_while = node->def == &pat_def_while, max = node->def == &pat_def_withinmax;
    if (p->n_args != (max ? 2u : 1u)) {
        return bind_err(reterr, p->span, "'" SLICE_FMT "' takes %s", SLICE_ARG(p->name),
                        is_while ? "a condition"
                        : max    ? "a period and a count"
                                 : "a period");
    }
    if (is_while) {
        return pat_bind_operand(x, p->args[0], PAT_WANT_COND, "while", &n->cond, reterr);
    }
    rc = pat_bind_operand(x, p->args[0], PAT_WANT_PERIOD, "timer:within", &n->period, reterr);
    if (rc == 0 && max) {
        rc = pat_bind_operand(x, p->args[1], PAT_WANT_INT, "timer:withinmax", &n->count, reterr);
    }
    return rc;
}

static void guard_quit(struct pat_inst *i)
{
    struct guard_inst *g = (struct guard_inst *)i;
    if (tmr_is_set(&g->timer)) {
        tmr_cancel(i->pat->env->timers, &g->timer);
    }
}

static void say_no(struct guard_inst *g)
{
    guard_quit(&g->i);
    g->kid = NULL;
    pat_quit_kids(&g->i);
    pat_false(&g->i, true);
}

static void guard_fire(struct tmr *t, int64_t now)
{
    (void)now;
    struct guard_inst *g = CONTAINER_OF(t, struct guard_inst, timer);
    struct pat *p = g->i.pat;
    assert(!g->i.dead);
    pat_fired(&g->i, t);
    pat_enter(p);
    say_no(g);
    pat_leave(p);
}

static void guard_start(struct pat_inst *i)
{
    struct guard_inst *g = (struct guard_inst *)i;
    const struct guard_node *n = (const struct guard_node *)i->node;
    g->timer = (struct tmr){.pos = 0};
    g->passed = 0;
    g->max = INT64_MAX;
    if (n->count != NULL) {
        struct evt *row[2] = {NULL, i->begin};
        struct ectx c = pat_ctx(i->pat, row);
        struct dat v = ex_eval(n->count, &c);
        g->max = dat_is_integer(v) ? v.i : 0;
    }
    g->kid = pat_spawn(i, 0);
    pat_begin(g->kid, i->begin);
    if (n->period != NULL && g->kid != NULL && !i->dead) {
        pat_timer(i, &g->timer, pat_due(i, n->period), guard_fire);
    }
}

enum verdict { PASSES, IS_OVER, IS_DROPPED };

/* A condition that is null drops the match, but ends nothing. */
static enum verdict judge(struct guard_inst *g, struct evt *m)
{
    const struct guard_node *n = (const struct guard_node *)g->i.node;
    if (n->cond != NULL) {
        struct evt *row[2] = {NULL, m};
        struct ectx c = pat_ctx(g->i.pat, row);
        struct dat v = ex_eval(n->cond, &c);
        return c.failed || dat_is_null(v) ? IS_DROPPED : dat_true(v) ? PASSES : IS_OVER;
    }
    return ++g->passed <= g->max ? PASSES : IS_OVER;
}

static void guard_true(struct pat_inst *i, struct pat_inst *from, struct evt *m, bool quit)
{
    struct guard_inst *g = (struct guard_inst *)i;
    if (g->kid == NULL) {
        return;
    }
    if (quit) {
        g->kid = NULL;
        pat_quit(from);
        guard_quit(i);
    }
    enum verdict v = judge(g, m);
    if (v == PASSES) {
        pat_true(i, m, quit);
    } else if (v == IS_OVER) {
        say_no(g);
    }
}

static void guard_false(struct pat_inst *i, struct pat_inst *from, bool again)
{
    struct guard_inst *g = (struct guard_inst *)i;
    (void)again;
    g->kid = NULL;
    pat_quit(from);
    guard_quit(i);
    pat_false(i, true);
}

static void guard_save(struct pat_inst *i, struct save *s)
{
    const struct guard_inst *g = (const struct guard_inst *)i;
    save_i(s, g->passed);
    save_i(s, g->max);
    pat_save_timer(i, s, &g->timer);
}

static void guard_load(struct pat_inst *i, struct load *l)
{
    struct guard_inst *g = (struct guard_inst *)i;
    g->passed = load_i(l);
    g->max = load_i(l);
    pat_timer(i, &g->timer, INT64_MAX, guard_fire);
    tmr_load(l, i->pat->env->timers, &g->timer);
}

static void guard_loaded(struct pat_inst *i, struct load *l)
{
    (void)l;
    ((struct guard_inst *)i)->kid = i->first;
}

#define GUARD(name_)                                                                               \
    const struct pat_def pat_def_##name_ = {                                                       \
        .node_bytes = sizeof(struct guard_node),                                                   \
        .inst_bytes = sizeof(struct guard_inst),                                                   \
        .guard = true,                                                                             \
        .one_each = true,                                                                          \
        .holds_begin = true,                                                                       \
        .bind = guard_bind,                                                                        \
        .start = guard_start,                                                                      \
        .on_true = guard_true,                                                                     \
        .on_false = guard_false,                                                                   \
        .quit = guard_quit,                                                                        \
        .save = guard_save,                                                                        \
        .load = guard_load,                                                                        \
        .loaded = guard_loaded,                                                                    \
    }

GUARD(within);
GUARD(withinmax);
GUARD(while);
