/* SPDX-License-Identifier: Apache-2.0
 *
 * What an expression is evaluated in: one row (an event per stream) and what its statement knows
 * besides. Made on the caller's stack; points to everything, owns nothing.
 */
#ifndef OPERATORS_EXPR_ECTX_H
#define OPERATORS_EXPR_ECTX_H

#include "operators/plan/ex.h"

struct ectx;
struct cause_list;

/* What lies to the right of expressions in the order of layers, reached by these. `inst` is the
 * statement instance (operators/graph). */
struct ectx_ops {
    struct dat (*agg)(struct ectx *c, const struct ex *e);     /* EX_AGG, EX_AGG_METHOD */
    struct dat (*prev)(struct ectx *c, const struct ex *e);    /* EX_PREV ... EX_PRIOR */
    struct dat (*subq)(struct ectx *c, const struct ex *e);    /* EX_SUBQ ... EX_SUBQ_LIST */
    struct dat (*table)(struct ectx *c, const struct ex *e);   /* EX_TABLE_* */
    struct dat (*var)(struct ectx *c, const struct ex *e);     /* EX_VAR */
    struct dat (*context)(struct ectx *c, const struct ex *e); /* EX_CONTEXT */
};

struct ectx {
    struct vheap *heap;
    int64_t now; /* ms */
    struct evt **row;
    struct dat *lambda; /* parameters by slot; ECTX_LAMBDA_MAX of them, or NULL until needed */
    struct ectx *outer; /* of a subquery */
    struct inst *inst;
    const struct ectx_ops *ops;
    void *group;        /* aggregation states of the current group */
    const void *pseudo; /* EX_WINDOW_PROP: array of struct dat; EX_MR_GROUP: array of vlist* */
    struct cause_list *causes; /* what is looked up goes here; NULL: nobody asks (sig/cause.h) */
    uint32_t grouping;         /* bit i: group-by expression i is rolled up */
    bool leaving;              /* a row of the remove stream: istream() is false */
    bool failed;               /* division by zero and the like: the statement gives no output */
    const char *why;           /* the message's format: contexts are copied a lot */
};

enum { ECTX_LAMBDA_MAX = 32 };

/* Runs the program of an expression, which is made when it is first needed (vm.h). */
struct dat ex_eval(const struct ex *e, struct ectx *c);
/* Whether a condition is true, neither false nor null; NULL always is. */
bool ex_true(const struct ex *e, struct ectx *c);
void ectx_fail(struct ectx *c, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Property `slot` of type `of` in an event that may be of a subtype. */
static inline struct dat evt_get(const struct evt *e, const struct etype *of, uint16_t slot)
{
    if (LIKELY(e->type == of)) {
        return e->p[slot];
    }
    const uint16_t *view = ety_view(e->type, of);
    return view != NULL ? e->p[view[slot]] : DAT_NONE;
}

/* As ex_eval; without a call if it is a column of the row. */
static inline ALWAYS_INLINE struct dat ex_quick(const struct ex *e, struct ectx *c)
{
    if (LIKELY(e->op == EX_PROP && e->level == 0)) {
        const struct evt *ev = c->row[e->stream];
        return UNLIKELY(ev == NULL) ? DAT_NONE : evt_get(ev, e->of, e->slot);
    }
    return ex_eval(e, c);
}

#endif
