/* SPDX-License-Identifier: Apache-2.0
 *
 * Programs of expressions: what a bound tree (plan/ex.h) is made into before it is run. A program
 * has instructions (vm.def) that read and write registers, and pools of what they speak of:
 * constants, places (columns of events), expressions (calls and what lies beyond this layer).
 * Jumps go forward only, so every program ends.
 *
 * An expression has up to two programs: one gives its value, the other decides whether it is true,
 * in jumps, without making booleans on the way. They are made when they are first needed, in the
 * arena of the expression, and verified once; whoever runs them checks nothing. One thread.
 *
 * Registers are struct dat on the C stack; what they point to belongs to the heap's pool (dat.h).
 */
#ifndef OPERATORS_EXPR_VM_H
#define OPERATORS_EXPR_VM_H

#include "core/base/err.h"
#include "operators/expr/ectx.h"
#include "operators/sig/fn.h"

struct buf;

enum vm_op {
#define INS(name, operands, doc) VM_##name,
#define END(name, operands, doc) VM_##name,
#include "operators/expr/vm.def"
#undef INS
#undef END
    VM_OP_COUNT
};

enum { VM_OPERANDS = 5, VM_REGS_MAX = 96, VM_CODE_MAX = 60000 };

struct vm_ins {
    uint16_t op;
    uint16_t v[VM_OPERANDS]; /* as the operands of its row, in order */
};

struct vm_place {
    const struct etype *of; /* NULL: the event itself is meant */
    uint16_t stream, slot, level;
    uint16_t kind; /* enum ty_kind: the type the binder knows it by */
};

/* An operation of values that is a function: `v` has the arguments of e. */
typedef struct dat ex_apply(const struct ex *e, struct ectx *c, const struct dat *v);

struct fn_in;

struct vm_ref {
    const struct ex *e;
    struct dat (*fn)(const struct fn_in *in); /* CALL */
    ex_apply *apply;                          /* APPLY, APPLY_MANY */
};

struct vm_prog {
    const struct vm_ins *ins;
    const struct dat *k;
    const struct vm_place *places;
    const struct vm_ref *refs;
    uint16_t n_ins, n_k, n_places, n_refs, n_regs;
};

enum vm_use { VM_VALUE, VM_DECISION };

/* The outcomes of a comparison, for operand o. */
enum vm_outcome { VM_LESS, VM_EQUAL, VM_GREATER, VM_ONE_NAN, VM_TWO_NANS, VM_ONE_NULL };
/* What a condition may be, for JUMP_IF. */
enum { VM_IF_TRUE = 1, VM_IF_FALSE = 2, VM_IF_NULL = 4 };
/* Flags of BETWEEN, IN_CONST and IN_STEP. */
enum { VM_FLAG_NOT = 1, VM_FLAG_LOW_OPEN = 2, VM_FLAG_HIGH_OPEN = 4, VM_FLAG_SPREAD = 2 };
enum { VM_FLAG_WHOLE = 4, VM_FLAG_TEXT = 8 }; /* all constants are integers, are strings */
enum { VM_FLAG_SET = 4 };                     /* bits to shift what JUMP_IN jumps at */

/* Makes a program of an expression: verified, in its arena. */
const struct vm_prog *vm_compile(const struct ex *e, enum vm_use use);
/* Whether every register is written before it is read, on all ways, with the kinds of values that
 * its readers take, and all operands are in range. */
int vm_verify(const struct vm_prog *p, struct err *reterr) NODISCARD;
struct dat vm_run(const struct vm_prog *p, struct ectx *c);
/* A line per instruction. */
void vm_print(const struct vm_prog *p, struct slice indent, struct buf *out);

/* What an instruction is called, and its operands. */
struct vm_row {
    const char *name, *operands, *doc;
    bool ends;
};
extern const struct vm_row vm_rows[VM_OP_COUNT];

static inline unsigned vm_operands(enum vm_op op)
{
    unsigned n = 0;
    for (const char *s = vm_rows[op].operands; *s != '\0'; s += s[2] != '\0' ? 3 : 2) {
        n++;
    }
    return n;
}
/* Operand `i` of a row: the two letters. */
static inline const char *vm_operand(enum vm_op op, unsigned i)
{
    return vm_rows[op].operands + (size_t)3 * i;
}

#endif
