/* SPDX-License-Identifier: Apache-2.0
 *
 * What the kinds of nodes need for binding their operands; see pat_bind.c.
 */
#ifndef OPERATORS_PATTERN_PAT_BIND_H
#define OPERATORS_PATTERN_PAT_BIND_H

#include "operators/pattern/pat_impl.h"

struct pat_tag {
    struct slice name;
    const struct etype *type;
    bool repeats; /* a list once its until is over */
    bool in_body; /* that until is being bound: still one event */
    bool seen;
};

struct pat_binder {
    struct bind *b;
    struct etype *full; /* of matches */
    VEC(struct pat_tag) tags;
    VEC(const struct etype *) views; /* partial types filters were bound with */
    struct etype *view;              /* of the tags seen now; NULL: to be made */
    uint32_t n_nodes;
    VEC(struct pat_place *) places; /* of filters (pat_order.c) */
};

int pat_bind_node(struct pat_binder *x, const struct ast_pat *p, struct pat_node **ret,
                  struct err *reterr) NODISCARD;
/* Binds kids [0, n_kids). */
int pat_bind_kids(struct pat_binder *x, const struct ast_pat *p, struct pat_node *n,
                  struct err *reterr) NODISCARD;
/* A condition on an event of `type`, tag `self` (may be empty), and the tags seen. */
int pat_bind_filter(struct pat_binder *x, const struct ast_stream *s, const struct etype *type,
                    struct slice self, struct route_filter *ret, struct err *reterr) NODISCARD;
enum pat_want { PAT_WANT_ANY, PAT_WANT_PERIOD, PAT_WANT_COND, PAT_WANT_INT };
/* An operand over the tags seen; the match is stream 1. */
int pat_bind_operand(struct pat_binder *x, const struct ast_expr *e, enum pat_want want,
                     const char *what, struct ex **ret, struct err *reterr) NODISCARD;
/* The scope of such an operand, for binders that take none: open, bind, close. */
struct pat_scope {
    struct bind_stream stream;
    struct scope s, *save;
};
const struct etype *pat_scope_open(struct pat_binder *x, struct pat_scope *ps);
void pat_scope_close(struct pat_binder *x, struct pat_scope *ps);
/* Which of its leaves hears of an event first; *ret_order is set by pat_order_finish. */
void pat_order_add(struct pat_binder *x, const struct route_filter *f, uint16_t *ret_order);
void pat_order_finish(struct pat_binder *x);
int pat_tag_find(const struct pat_binder *x, struct slice name); /* its column, or -1 */

#endif
