/* SPDX-License-Identifier: Apache-2.0
 *
 * Between the two files of the compiler (vm_comp.c, vm_cond.c). Registers are given out like a
 * stack: what an expression's parts need lies above `top` and is free again behind it.
 */
#ifndef OPERATORS_EXPR_VM_COMP_H
#define OPERATORS_EXPR_VM_COMP_H

#include "core/base/vec.h"
#include "operators/expr/vm.h"

/* A row of a table that is in a register which nothing else uses: whoever comes by this way finds
 * it there. */
struct comp_row {
    const struct ex *e;
    uint32_t at; /* the instruction that looked for it */
    uint16_t reg;
};

enum { COMP_ROWS = 4 };

struct comp {
    const struct ex *root;
    VEC(struct vm_ins) ins;
    VEC(struct dat) k;
    VEC(struct vm_place) places;
    VEC(struct vm_ref) refs;
    unsigned top, most;              /* registers in use, and how many there were at most */
    struct comp_row rows[COMP_ROWS]; /* in the last registers */
    uint32_t n_rows, rows_used;      /* those that are known here; registers ever taken */
};

/* A place in the code that is jumped to: jumps are chained through their targets until then. */
struct label {
    uint32_t last; /* number of the last jump + 1; 0: none */
};

static inline unsigned comp_temp(struct comp *c)
{
    c->most = c->top + 1 > c->most ? c->top + 1 : c->most;
    return c->top++;
}
void comp_emit(struct comp *c, struct vm_ins i);
void comp_jump(struct comp *c, struct vm_ins i, struct label *to);
void comp_here(struct comp *c, struct label *l); /* the next instruction is meant */
uint16_t comp_const(struct comp *c, struct dat v);
uint16_t comp_place(struct comp *c, const struct ex *e);
uint16_t comp_ref(struct comp *c, const struct ex *e);
/* Whether an expression is to be a program of its own, as this one has become large. */
bool comp_full(const struct comp *c, const struct ex *e);
/* The value of e to register `to`; that of a function of its operands' values (eval_applies). */
void comp_into(struct comp *c, const struct ex *e, unsigned to);
void comp_apply(struct comp *c, const struct ex *e, unsigned to);

#define COMP(op_, ...) ((struct vm_ins){.op = VM_##op_, .v = {__VA_ARGS__}})

/* ---- vm_cond.c ---- */
/* Jumps if the condition is one of `set` (VM_IF_*), else goes on. */
void comp_cond(struct comp *c, const struct ex *e, unsigned set, struct label *to);
/* Values of conditions. */
void comp_compare(struct comp *c, const struct ex *e, unsigned to);
void comp_logic(struct comp *c, const struct ex *e, unsigned to);
void comp_is(struct comp *c, const struct ex *e, unsigned to);
void comp_between(struct comp *c, const struct ex *e, unsigned to);
void comp_in(struct comp *c, const struct ex *e, unsigned to);

#endif
