/* SPDX-License-Identifier: Apache-2.0
 *
 * Bound expressions: typed trees in which every name has become a place (a stream and a column, a
 * slot of an aggregation, a variable) and every conversion stands as a node. Pure data; ex.def has
 * the operations and their operands, operators/expr makes programs of them and runs those.
 *
 * `level` of a place: 0 = the row being looked at, 1 = the row of the query around a subquery, and
 * so on outwards.
 */
#ifndef OPERATORS_PLAN_EX_H
#define OPERATORS_PLAN_EX_H

#include "operators/epl/ast.h"
#include "operators/sig/dat.h"

struct arena;
struct fn_def;
struct subq_plan;
struct table;
struct var;
struct vm_prog;

enum ex_op {
#define EX(name, doc) EX_##name,
#include "operators/plan/ex.def"
#undef EX
    EX_OP_COUNT
};

struct bind_unit { /* of an argument of EX_PERIOD (data): ms, or calendar months */
    double ms;
    int months;
};

struct ex {
    enum ex_op op;
    struct ty ty;
    struct span span;
    uint32_t n_args;
    struct ex **args;
    struct dat k;           /* EX_CONST */
    struct slice name;      /* of a property, key or method, for messages and for dynamic access */
    const struct etype *of; /* EX_PROP, EX_FIELD: type that has column `slot` */
    uint16_t level, stream, slot;
    bool negated, low_open, high_open, all; /* as in the syntax tree */
    bool pure;                              /* same inputs, same value: may be evaluated early */
    enum ast_op cmp;                        /* EX_CMP_*, EX_QUANT */
    int64_t i;                              /* calendar months of a period; other small operands */
    const struct fn_def *fn;                /* EX_CALL, EX_METHOD */
    const void *data;                       /* what the function's binding left for its run */
    struct subq_plan *subq;                 /* of a subquery; of prev and prior: in whose window */
    struct table *table;
    struct var *var;
    const struct etype *flat;    /* rows of that type have its value in column flat_slot */
    uint16_t flat_slot;          /* (operators/graph/sel_flat.h); NULL: it is to be had of events */
    struct arena *home;          /* it and its programs live there */
    const struct vm_prog *value; /* its program (operators/expr/vm.h), made at first use, */
    const struct vm_prog *decision; /* and the one that only tells whether it is true */
};

#endif
