/* SPDX-License-Identifier: Apache-2.0
 *
 * `timer:at(minute, hour, day, month, weekday[, second[, zone]])`: true once, at the next such
 * instant strictly after its beginning.
 */
#include "operators/pattern/pat_bind.h"

#include "operators/expr/cron.h"

#include <assert.h>

struct at_node {
    struct pat_node node;
    struct ex_cron cron;
};

struct at_inst {
    struct pat_inst i;
    struct tmr timer;
};

static int at_bind(struct pat_binder *x, const struct ast_pat *p, struct pat_node *node,
                   struct err *reterr)
{
    struct at_node *n = (struct at_node *)node;
    struct pat_scope ps;
    (void)pat_scope_open(x, &ps);
    int rc = ex_cron_bind(x->b, p->args, p->n_args, p->span, &n->cron, reterr);
    pat_scope_close(x, &ps);
    return rc;
}

static void at_fire(struct tmr *t, int64_t now)
{
    (void)now;
    struct at_inst *o = CONTAINER_OF(t, struct at_inst, timer);
    struct pat *p = o->i.pat;
    assert(!o->i.dead);
    pat_fired(&o->i, t);
    pat_enter(p);
    pat_true(&o->i, o->i.begin, true);
    pat_leave(p);
}

static void at_start(struct pat_inst *i)
{
    struct at_inst *o = (struct at_inst *)i;
    const struct at_node *n = (const struct at_node *)i->node;
    struct evt *row[2] = {NULL, i->begin};
    struct ectx c = pat_ctx(i->pat, row);
    struct tmr_cron cron;
    struct err err;
    bool ok = ex_cron_eval(&n->cron, &c, &cron, &err) == 0 && !c.failed;
    pat_timer(i, &o->timer, ok ? tmr_cron_next(&cron, c.now) : INT64_MAX, at_fire);
}

static void at_quit(struct pat_inst *i)
{
    struct at_inst *o = (struct at_inst *)i;
    if (tmr_is_set(&o->timer)) {
        tmr_cancel(i->pat->env->timers, &o->timer);
    }
}

static void at_save(struct pat_inst *i, struct save *s)
{
    pat_save_timer(i, s, &((struct at_inst *)i)->timer);
}

static void at_load(struct pat_inst *i, struct load *l)
{
    struct at_inst *o = (struct at_inst *)i;
    pat_timer(i, &o->timer, INT64_MAX, at_fire);
    tmr_load(l, i->pat->env->timers, &o->timer);
}

const struct pat_def pat_def_at = {
    .node_bytes = sizeof(struct at_node),
    .inst_bytes = sizeof(struct at_inst),
    .leaf = true,
    .observer = true,
    .holds_begin = true,
    .bind = at_bind,
    .start = at_start,
    .quit = at_quit,
    .save = at_save,
    .load = at_load,
};
