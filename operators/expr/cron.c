/* SPDX-License-Identifier: Apache-2.0
 *
 * See cron.h.
 */
#include "operators/expr/cron.h"

#include <assert.h>

struct maker {
    struct bind *b;
    struct ex_cron *plan;
    enum tmr_cron_field field;
    bool in_list;
};

static uint32_t count_items(const struct ast_expr *e)
{
    uint32_t n = 1;
    for (uint32_t i = 0; e->kind == AST_CRON_LIST && i < e->n_args; i++) {
        n += count_items(e->args[i]);
    }
    return n;
}

static int number(struct maker *m, const struct ast_expr *e, const struct ex **ret,
                  struct err *reterr)
{
    struct ex *x;
    int rc = bind_expr(m->b, e, &x, reterr);
    if (rc != 0) {
        return rc;
    }
    if (!ty_is_integer(x->ty) && x->ty.kind != TY_OBJECT) {
        return bind_err(reterr, e->span, "a part of a crontab schedule is an integer, not %s",
                        ty_name(x->ty.kind));
    }
    *ret = x;
    return 0;
}

static int word(const struct maker *m, const struct ast_expr *e, enum tmr_cron_kind *ret,
                struct err *reterr)
{
    bool has_number = e->n_args > 0;
    if (m->in_list) {
        return bind_err(reterr, e->span, "'" SLICE_FMT "' stands alone, not in a list",
                        SLICE_ARG(e->text));
    }
    if (slice_eq_nocase(e->text, SLICE("last"))) {
        *ret = has_number ? TMR_CRON_LAST_N : TMR_CRON_LAST;
    } else if (slice_eq_nocase(e->text, SLICE("weekday")) && has_number) {
        *ret = TMR_CRON_WEEKDAY;
    } else if (slice_eq_nocase(e->text, SLICE("lastweekday")) && !has_number) {
        *ret = TMR_CRON_LASTWEEKDAY;
    } else {
        return bind_err(reterr, e->span,
                        "'" SLICE_FMT "' is used as: last, n last, n weekday, lastweekday",
                        SLICE_ARG(e->text));
    }
    return 0;
}

static int add_part(struct maker *m, const struct ast_expr *e, struct err *reterr)
{
    struct ex_cron_item it = {.field = m->field, .kind = TMR_CRON_VALUE};
    int rc = 0;
    switch (e->kind) {
    case AST_STAR: it.kind = TMR_CRON_ANY; break;
    case AST_CRON_STEP:
        it.kind = TMR_CRON_STEP;
        rc = number(m, e->args[0], &it.a, reterr);
        break;
    case AST_CRON_RANGE:
        it.kind = TMR_CRON_RANGE;
        rc = number(m, e->args[0], &it.a, reterr);
        rc = rc == 0 ? number(m, e->args[1], &it.b, reterr) : rc;
        break;
    case AST_CRON_WORD:
        rc = word(m, e, &it.kind, reterr);
        rc = rc == 0 && e->n_args > 0 ? number(m, e->args[0], &it.a, reterr) : rc;
        break;
    case AST_CRON_LIST:
        m->in_list = true;
        for (uint32_t i = 0; rc == 0 && i < e->n_args; i++) {
            rc = add_part(m, e->args[i], reterr);
        }
        m->in_list = false;
        return rc;
    default: rc = number(m, e, &it.a, reterr); break;
    }
    if (rc == 0) {
        m->plan->items[m->plan->n_items++] = it;
    }
    return rc;
}

/* A number of an item: 1 = known, 0 = not yet (bind time), < 0 = error. */
static int value(const struct ex *e, struct ectx *c, int64_t *ret, struct err *reterr)
{
    *ret = 0;
    if (e == NULL) {
        return 1;
    }
    if (c == NULL && e->op != EX_CONST) {
        return 0;
    }
    struct dat v = c != NULL ? ex_eval(e, c) : e->k;
    if (!dat_is_integer(v)) {
        return err_set(reterr, ERR_TYPE, "a part of a crontab schedule is null");
    }
    *ret = v.i;
    return 1;
}

/* c == NULL: what is constant only. */
static int fill(const struct ex_cron *p, struct ectx *c, struct tmr_cron *ret, struct err *reterr)
{
    tmr_cron_init(ret);
    for (uint32_t i = 0; i < p->n_items; i++) {
        const struct ex_cron_item *it = &p->items[i];
        int64_t a, b = 0;
        int rc = value(it->a, c, &a, reterr);
        rc = rc > 0 ? value(it->b, c, &b, reterr) : rc;
        if (rc > 0) {
            rc = tmr_cron_add(ret, it->field, it->kind, a, b, reterr);
        } else if (rc == 0) { /* some value: for the check of days */
            ret->given |= (uint8_t)(1U << it->field);
        }
        if (rc < 0) {
            return rc;
        }
    }
    return tmr_cron_check(ret, reterr);
}

static int zone(const struct ex_cron *p, struct ectx *c, struct tmr_cron *ret, struct err *reterr)
{
    if (p->zone == NULL || (c == NULL && p->zone->op != EX_CONST)) {
        return 0;
    }
    struct dat v = c != NULL ? ex_eval(p->zone, c) : p->zone->k;
    if (v.kind != DAT_STRING) {
        return err_set(reterr, ERR_TYPE, "a time zone is a string");
    }
    return tmr_cron_zone(ret, vstr_slice(v.s), reterr);
}

int ex_cron_bind(struct bind *b, struct ast_expr *const *parts, uint32_t n_parts, struct span span,
                 struct ex_cron *ret, struct err *reterr)
{
    if (n_parts < 5 || n_parts > 7) {
        return bind_err(reterr, span,
                        "a crontab schedule has 5 to 7 parts (minute, hour, day of month, month, "
                        "day of week, second, time zone), not %u",
                        n_parts);
    }
    uint32_t most = 0;
    for (uint32_t i = 0; i < n_parts; i++) {
        most += count_items(parts[i]);
    }
    *ret = (struct ex_cron){.items = arena_array(b->a, most, sizeof *ret->items)};
    if (ret->items == NULL) {
        return err_set(reterr, ERR_LIMIT, "the statement is too large");
    }
    struct maker m = {.b = b, .plan = ret};
    for (uint32_t i = 0; i < n_parts && i < 6; i++) {
        m.field = (enum tmr_cron_field)i;
        int rc = add_part(&m, parts[i], reterr);
        if (rc != 0) {
            return rc;
        }
    }
    assert(ret->n_items <= most);
    if (n_parts == 7 && parts[6]->kind != AST_STAR) {
        struct ex *z;
        int rc = bind_expr(b, parts[6], &z, reterr);
        if (rc != 0) {
            return rc;
        }
        ret->zone = z;
    }
    struct tmr_cron c;
    struct err why = {0};
    int rc = fill(ret, NULL, &c, &why);
    rc = rc == 0 ? zone(ret, NULL, &c, &why) : rc;
    return rc == 0 ? 0 : bind_err(reterr, span, "%s", why.msg);
}

int ex_cron_eval(const struct ex_cron *p, struct ectx *c, struct tmr_cron *ret, struct err *reterr)
{
    int rc = fill(p, c, ret, reterr);
    return rc == 0 ? zone(p, c, ret, reterr) : rc;
}
