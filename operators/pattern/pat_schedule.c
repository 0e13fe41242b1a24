/* SPDX-License-Identifier: Apache-2.0
 *
 * `timer:schedule(iso: 'R3/2024-01-01T00:00:00Z/PT1H')` or `timer:schedule(date:, period:,
 * repetitions:)`: true at each instant of the schedule; alone or below `every` it repeats by
 * itself, as a part of something else its first instant counts. With no instant left at its
 * beginning it is false for good.
 */
#include "operators/pattern/pat_bind.h"

#include "operators/expr/period.h"
#include "operators/time/tmr_iso.h"

#include <assert.h>

struct schedule_node {
    struct pat_node node;
    struct ex *iso, *date, *period, *repetitions; /* NULL: not given */
};

struct schedule_inst {
    struct pat_inst i;
    struct tmr timer;
    struct tmr_schedule plan;
    struct tmr_occur at;
};

static int want_kind(const struct ex *e, enum ty_kind a, enum ty_kind b, const char *what,
                     struct err *reterr)
{
    if (e->ty.kind == a || e->ty.kind == b || e->ty.kind == TY_OBJECT) {
        return 0;
    }
    return bind_err(reterr, e->span, "timer:schedule: %s cannot be a %s", what,
                    ty_name(e->ty.kind));
}

static int bind_arg(struct pat_binder *x, struct schedule_node *n, const struct ast_expr *arg,
                    struct err *reterr)
{
    if (arg->kind != AST_NAMED_ARG) {
        return bind_err(reterr, arg->span,
                        "timer:schedule takes iso:, or date:, period:, "
                        "repetitions:");
    }
    const struct ast_expr *e = arg->args[0];
    if (slice_eq_nocase(arg->text, SLICE("period"))) {
        return pat_bind_operand(x, e, PAT_WANT_PERIOD, "period", &n->period, reterr);
    }
    if (slice_eq_nocase(arg->text, SLICE("repetitions"))) {
        return pat_bind_operand(x, e, PAT_WANT_INT, "repetitions", &n->repetitions, reterr);
    }
    if (slice_eq_nocase(arg->text, SLICE("date"))) {
        int rc = pat_bind_operand(x, e, PAT_WANT_ANY, "date", &n->date, reterr);
        return rc == 0 ? want_kind(n->date, TY_STRING, TY_LONG, "date", reterr) : rc;
    }
    if (slice_eq_nocase(arg->text, SLICE("iso"))) {
        int rc = pat_bind_operand(x, e, PAT_WANT_ANY, "iso", &n->iso, reterr);
        return rc == 0 ? want_kind(n->iso, TY_STRING, TY_STRING, "iso", reterr) : rc;
    }
    return bind_err(reterr, arg->span, "timer:schedule has no '" SLICE_FMT "'",
                    SLICE_ARG(arg->text));
}

/* The schedule as it is now; c == NULL: only what is constant, for messages at binding. */
static int evaluate(const struct schedule_node *n, struct ectx *c, struct tmr_schedule *ret,
                    struct err *reterr)
{
    *ret = (struct tmr_schedule){0};
    if (n->iso != NULL) {
        struct dat v = ex_eval(n->iso, c);
        if (v.kind != DAT_STRING) {
            return err_set(reterr, ERR_TYPE, "timer:schedule: iso is null");
        }
        return tmr_iso_schedule(vstr_slice(v.s), ret, reterr);
    }
    if (n->date != NULL) {
        struct dat v = ex_eval(n->date, c);
        ret->has_start = true;
        if (v.kind == DAT_STRING) {
            int rc = tmr_iso_date(vstr_slice(v.s), &ret->start, reterr);
            if (rc != 0) {
                return rc;
            }
        } else if (dat_is_integer(v)) {
            ret->start = v.i;
        } else {
            return err_set(reterr, ERR_TYPE, "timer:schedule: date is null");
        }
    }
    if (n->period != NULL) {
        double ms = 0;
        ret->has_period = true;
        if (!ex_period(n->period, c, &ret->period.months, &ms)) {
            return err_set(reterr, ERR_TYPE, "timer:schedule: period is null");
        }
        ret->period.ms = (int64_t)ms;
    }
    if (n->repetitions != NULL) {
        struct dat v = ex_eval(n->repetitions, c);
        if (!dat_is_integer(v)) {
            return err_set(reterr, ERR_TYPE, "timer:schedule: repetitions is null");
        }
        ret->has_reps = true;
        ret->reps = v.i < 0 ? TMR_FOREVER : v.i;
    }
    return tmr_schedule_check(ret, reterr);
}

static bool is_fixed(const struct ex *e)
{
    if (e == NULL || e->op == EX_CONST) {
        return true;
    }
    for (uint32_t i = 0; i < e->n_args; i++) {
        if (!is_fixed(e->args[i])) {
            return false;
        }
    }
    return e->op == EX_PERIOD || e->op == EX_NEG || e->op == EX_CONV;
}

static int schedule_bind(struct pat_binder *x, const struct ast_pat *p, struct pat_node *node,
                         struct err *reterr)
{
    struct schedule_node *n = (struct schedule_node *)node;
    for (uint32_t i = 0; i < p->n_args; i++) {
        int rc = bind_arg(x, n, p->args[i], reterr);
        if (rc != 0) {
            return rc;
        }
    }
    if ((n->iso != NULL) == (n->date != NULL || n->period != NULL)) {
        return bind_err(reterr, p->span, "timer:schedule takes iso:, or date:, period:, or both");
    }
    if (is_fixed(n->iso) && is_fixed(n->date) && is_fixed(n->period) && is_fixed(n->repetitions)) {
        struct ectx c = {.heap = x->b->heap};
        struct tmr_schedule s;
        int rc = evaluate(n, &c, &s, reterr);
        if (rc != 0) {
            err_span(reterr, p->span.line, p->span.col, p->span.len);
            err_flags(reterr, ERR_FLAG_USER);
            return rc;
        }
    }
    return 0;
}

static void schedule_fire(struct tmr *t, int64_t now)
{
    struct schedule_inst *o = CONTAINER_OF(t, struct schedule_inst, timer);
    struct pat *p = o->i.pat;
    assert(!o->i.dead);
    pat_fired(&o->i, t);
    pat_enter(p);
    bool more = tmr_schedule_next(&o->plan, &o->at, now);
    if (more) {
        tmr_set(p->env->timers, t, o->at.at);
    }
    /* Within others it is over with its first instant, unless they collect. */
    bool once = o->i.parent != NULL && !o->i.parent->node->def->keeps_filter;
    pat_true(&o->i, o->i.begin, once || !more);
    pat_leave(p);
}

static void schedule_start(struct pat_inst *i)
{
    struct schedule_inst *o = (struct schedule_inst *)i;
    const struct schedule_node *n = (const struct schedule_node *)i->node;
    struct evt *row[2] = {NULL, i->begin};
    struct ectx c = pat_ctx(i->pat, row);
    struct err err;
    o->timer = (struct tmr){.pos = 0};
    if (evaluate(n, &c, &o->plan, &err) != 0 || c.failed) {
        pat_false(i, false);
        return;
    }
    tmr_schedule_begin(&o->plan, c.now, &o->at);
    if (tmr_schedule_next(&o->plan, &o->at, c.now)) {
        pat_timer(i, &o->timer, o->at.at, schedule_fire);
    } else {
        pat_false(i, false);
    }
}

static void schedule_quit(struct pat_inst *i)
{
    struct schedule_inst *o = (struct schedule_inst *)i;
    if (tmr_is_set(&o->timer)) {
        tmr_cancel(i->pat->env->timers, &o->timer);
    }
}

static void schedule_save(struct pat_inst *i, struct save *s)
{
    const struct schedule_inst *o = (const struct schedule_inst *)i;
    save_bool(s, o->plan.has_start);
    save_bool(s, o->plan.has_period);
    save_bool(s, o->plan.has_reps);
    save_i(s, o->plan.start);
    save_i(s, o->plan.period.months);
    save_i(s, o->plan.period.ms);
    save_i(s, o->plan.reps);
    save_i(s, o->at.at);
    save_i(s, o->at.left);
    pat_save_timer(i, s, &o->timer);
}

static void schedule_load(struct pat_inst *i, struct load *l)
{
    struct schedule_inst *o = (struct schedule_inst *)i;
    struct err err;
    o->plan.has_start = load_bool(l);
    o->plan.has_period = load_bool(l);
    o->plan.has_reps = load_bool(l);
    o->plan.start = load_i(l);
    o->plan.period.months = load_i(l);
    o->plan.period.ms = load_i(l);
    o->plan.reps = load_i(l);
    o->at.at = load_i(l);
    o->at.left = load_i(l);
    pat_timer(i, &o->timer, INT64_MAX, schedule_fire);
    tmr_load(l, i->pat->env->timers, &o->timer);
    if (load_ok(l) && tmr_is_set(&o->timer) && tmr_schedule_check(&o->plan, &err) != 0) {
        load_fail(l, "a schedule that cannot be");
    }
}

const struct pat_def pat_def_schedule = {
    .node_bytes = sizeof(struct schedule_node),
    .inst_bytes = sizeof(struct schedule_inst),
    .keeps_on = true,
    .leaf = true,
    .observer = true,
    .holds_begin = true,
    .bind = schedule_bind,
    .start = schedule_start,
    .quit = schedule_quit,
    .save = schedule_save,
    .load = schedule_load,
};
