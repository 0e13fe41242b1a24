/* SPDX-License-Identifier: Apache-2.0
 *
 * `timer:interval(T)`: true once, T after its beginning; at once if T is nothing.
 */
#include "operators/pattern/pat_bind.h"

#include <assert.h>

struct interval_node {
    struct pat_node node;
    struct ex *period;
};

struct interval_inst {
    struct pat_inst i;
    struct tmr timer;
};

static int interval_bind(struct pat_binder *x, const struct ast_pat *p, struct pat_node *node,
                         struct err *reterr)
{
    struct interval_node *n = (struct interval_node *)node;
    if (p->n_args != 1) {
        return bind_err(reterr, p->span, "timer:interval takes a period");
    }
    return pat_bind_operand(x, p->args[0], PAT_WANT_PERIOD, "timer:interval", &n->period, reterr);
}

static void interval_fire(struct tmr *t, int64_t now)
{
    (void)now;
    struct interval_inst *o = CONTAINER_OF(t, struct interval_inst, timer);
    struct pat *p = o->i.pat;
    assert(!o->i.dead);
    pat_fired(&o->i, t);
    pat_enter(p);
    pat_true(&o->i, o->i.begin, true);
    pat_leave(p);
}

static void interval_start(struct pat_inst *i)
{
    struct interval_inst *o = (struct interval_inst *)i;
    const struct interval_node *n = (const struct interval_node *)i->node;
    int64_t due = pat_due(i, n->period);
    pat_timer(i, &o->timer, due > *i->pat->env->now ? due : INT64_MAX, interval_fire);
    if (due <= *i->pat->env->now) {
        pat_true(i, i->begin, true);
    }
}

static void interval_quit(struct pat_inst *i)
{
    struct interval_inst *o = (struct interval_inst *)i;
    if (tmr_is_set(&o->timer)) {
        tmr_cancel(i->pat->env->timers, &o->timer);
    }
}

static void interval_save(struct pat_inst *i, struct save *s)
{
    pat_save_timer(i, s, &((struct interval_inst *)i)->timer);
}

static void interval_load(struct pat_inst *i, struct load *l)
{
    struct interval_inst *o = (struct interval_inst *)i;
    pat_timer(i, &o->timer, INT64_MAX, interval_fire);
    tmr_load(l, i->pat->env->timers, &o->timer);
}

const struct pat_def pat_def_interval = {
    .node_bytes = sizeof(struct interval_node),
    .inst_bytes = sizeof(struct interval_inst),
    .leaf = true,
    .observer = true,
    .holds_begin = true,
    .bind = interval_bind,
    .start = interval_start,
    .quit = interval_quit,
    .save = interval_save,
    .load = interval_load,
};
