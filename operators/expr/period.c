/* SPDX-License-Identifier: Apache-2.0
 *
 * See period.h.
 */
#include "operators/expr/period.h"

#include "operators/expr/eval_impl.h"
#include "operators/time/tmr.h"

#include <assert.h>

enum {
    UNITS_MAX = 300000000, /* years or months: more than 64 bits of ms have */
    UNITS = 9              /* a period has at most one part of each */
};

bool eval_period(const struct ex *e, const struct dat *v, int64_t *ret_months, double *ret_ms)
{
    const struct bind_unit *u = e->data;
    *ret_months = 0;
    *ret_ms = 0;
    for (uint32_t i = 0; i < e->n_args; i++) {
        if (!dat_is_number(v[i])) {
            return false;
        }
        *ret_months += u[i].months * MAX(MIN(dat_to_long(v[i]), UNITS_MAX), -UNITS_MAX);
        *ret_ms += u[i].ms * dat_to_double(v[i]);
    }
    return true;
}

bool ex_period(const struct ex *e, struct ectx *c, int64_t *ret_months, double *ret_ms)
{
    *ret_months = 0;
    *ret_ms = 0;
    if (e->op != EX_PERIOD) { /* a plain number is seconds */
        struct dat v = ex_eval(e, c);
        *ret_ms = dat_is_number(v) ? dat_to_double(v) * 1000.0 : 0;
        return dat_is_number(v);
    }
    assert(e->n_args <= UNITS);
    struct dat v[UNITS];
    for (uint32_t i = 0; i < e->n_args; i++) {
        v[i] = ex_eval(e->args[i], c);
    }
    return eval_period(e, v, ret_months, ret_ms);
}

int64_t ex_after(const struct ex *e, struct ectx *c, int64_t from, int sign)
{
    int64_t months = 0;
    double ms = 0;
    if (!ex_period(e, c, &months, &ms)) {
        return INT64_MIN;
    }
    assert(sign == 1 || sign == -1);
    if (months != 0) {
        from = tmr_add_months(from, sign * months);
    }
    return (int64_t)((uint64_t)from + (uint64_t)dat_to_long(dat_double(sign * ms)));
}
