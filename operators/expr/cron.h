/* SPDX-License-Identifier: Apache-2.0
 *
 * From the parts of `timer:at(...)`, `output at (...)` and of contexts to a schedule. Numbers may
 * be expressions (variables, tags of a pattern), so a bound schedule is evaluated when it starts.
 */
#ifndef OPERATORS_EXPR_CRON_H
#define OPERATORS_EXPR_CRON_H

#include "operators/expr/ectx.h"
#include "operators/plan/bind.h"
#include "operators/time/tmr_cron.h"

struct ex_cron_item {
    enum tmr_cron_field field;
    enum tmr_cron_kind kind;
    const struct ex *a, *b; /* b: of a range; NULL where there is none */
};

struct ex_cron {
    struct ex_cron_item *items;
    uint32_t n_items;
    const struct ex *zone; /* or NULL */
};

/* 5 parts: minute, hour, day of month, month, day of week; 6th second; 7th zone. Values that are
 * constant are checked here. */
int ex_cron_bind(struct bind *b, struct ast_expr *const *parts, uint32_t n_parts, struct span span,
                 struct ex_cron *ret, struct err *reterr) NODISCARD;
int ex_cron_eval(const struct ex_cron *p, struct ectx *c, struct tmr_cron *ret,
                 struct err *reterr) NODISCARD;

#endif
