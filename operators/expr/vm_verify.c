/* SPDX-License-Identifier: Apache-2.0
 *
 * The verifier. What each register may hold is a set of kinds of values, with one more for "nothing
 * was written". Jumps go forward only, so one walk over the code sees every way: where ways meet,
 * sets are united. A register that may be unwritten, or may hold a kind its reader does not take,
 * is an error, as is any operand out of range and any way that does not end.
 */
#include "operators/expr/vm.h"

#include "core/base/mem.h"
#include "core/base/vec.h"
#include "operators/expr/eval_impl.h"

#include <assert.h>

enum { UNWRITTEN = 1 << 15, ANYTHING = (1 << DAT_CAUSES) - 1, NONE = 1 << DAT_NULL };

struct state { /* sets of kinds in the registers */
    uint16_t r[VM_REGS_MAX];
};

struct checker {
    const struct vm_prog *p;
    struct err *err;
    uint32_t n;       /* of the instruction being looked at */
    bool reached;     /* there is a way to it, */
    struct state now; /* with this */
    uint32_t *meets;  /* per instruction: 1 + which of `states` comes by jumps; 0: none */
    VEC(struct state) states;
};

static int wrong(struct checker *c, const char *what, unsigned operand)
{
    return err_set(c->err, ERR_CORRUPT, "instruction %u (%s), operand %u: %s", c->n,
                   vm_rows[c->p->ins[c->n].op].name, operand + 1, what);
}

/* ---- kinds ---- */

static uint16_t of_type(enum ty_kind t)
{
    static const uint16_t sets[] = {
        [TY_NULL] = NONE,
        [TY_BOOL] = NONE | 1 << DAT_BOOL,
        [TY_CHAR] = NONE | 1 << DAT_CHAR,
        [TY_BYTE] = NONE | 1 << DAT_BYTE,
        [TY_SHORT] = NONE | 1 << DAT_SHORT,
        [TY_INT] = NONE | 1 << DAT_INT,
        [TY_LONG] = NONE | 1 << DAT_LONG,
        [TY_FLOAT] = NONE | 1 << DAT_FLOAT,
        [TY_DOUBLE] = NONE | 1 << DAT_DOUBLE,
        [TY_BIGINT] = NONE | 1 << DAT_BIGINT,
        [TY_BIGDEC] = NONE | 1 << DAT_BIGDEC,
        [TY_STRING] = NONE | 1 << DAT_STRING,
        [TY_OBJECT] = ANYTHING,
        [TY_EVENT] = NONE | 1 << DAT_EVENT,
        [TY_MAP] = NONE | 1 << DAT_MAP | 1 << DAT_EVENT,
        [TY_LIST] = NONE | 1 << DAT_LIST,
    };
    return t < ARRAY_LEN(sets) ? sets[t] : 0;
}

/* Of the second letter of an operand. */
static uint16_t of_letter(char letter)
{
    const uint16_t whole = NONE | 1 << DAT_BYTE | 1 << DAT_SHORT | 1 << DAT_INT | 1 << DAT_LONG;
    const uint16_t floating = NONE | 1 << DAT_FLOAT | 1 << DAT_DOUBLE;
    switch (letter) {
    case 'b': return of_type(TY_BOOL);
    case 't': return 1 << DAT_BOOL;
    case 'i': return of_type(TY_INT);
    case 'l': return of_type(TY_LONG);
    case 'w': return whole;
    case 'd': return of_type(TY_DOUBLE);
    case 'f': return floating;
    case 'n': return (uint16_t)(whole | floating | 1 << DAT_BIGINT | 1 << DAT_BIGDEC);
    case 's': return of_type(TY_STRING);
    case 'e': return of_type(TY_EVENT);
    case 'v': return of_type(TY_LIST);
    case 'z': return NONE;
    default: return ANYTHING;
    }
}

/* What instruction i writes; `read` is what its registers hold. */
static uint16_t written(const struct checker *c, const struct vm_ins *i, uint16_t read)
{
    const struct vm_prog *p = c->p;
    enum vm_op op = (enum vm_op)i->op;
    char letter = vm_operand(op, 0)[1];
    for (unsigned k = 1; k < vm_operands(op); k++) {
        if (vm_operand(op, k)[0] != letter) {
            continue;
        }
        switch (letter) {
        case 'p': return of_type((enum ty_kind)p->places[i->v[k]].kind);
        case 'x': return of_type(p->refs[i->v[k]].e->ty.kind);
        case 'm': return of_type((enum ty_kind)i->v[k]);
        case 'k': return (uint16_t)(1 << p->k[i->v[k]].kind);
        default: break;
        }
    }
    return letter == 'u' ? read : of_letter(letter);
}

/* ---- operands ---- */

static int check_place(struct checker *c, unsigned k, char letter)
{
    const struct vm_prog *p = c->p;
    const struct vm_ins *i = &p->ins[c->n];
    if (i->v[k] >= p->n_places) {
        return wrong(c, "there is no such place", k);
    }
    const struct vm_place *at = &p->places[i->v[k]];
    if ((at->of == NULL) != (i->op == VM_EVENT) || (at->of != NULL && at->slot >= at->of->n_cols)) {
        return wrong(c, "this place has no such column", k);
    }
    if (at->level > 0 && i->op != VM_EVENT && i->op != VM_OUTER && i->op != VM_FIELD) {
        return wrong(c, "this place is not of this row", k);
    }
    bool typed = letter == '-' || (of_type((enum ty_kind)at->kind) & ~of_letter(letter)) == 0;
    return typed ? 0 : wrong(c, "this column has another type", k);
}

static int check_const(struct checker *c, unsigned k, char letter)
{
    const struct vm_prog *p = c->p;
    const struct vm_ins *i = &p->ins[c->n];
    bool several = i->op == VM_IN_CONST || i->op == VM_JUMP_IN || i->op == VM_JUMP_IN_C;
    uint32_t n = several ? i->v[k + 1] : 1;
    if (n == 0 || (uint32_t)i->v[k] + n > p->n_k) {
        return wrong(c, "there is no such constant", k);
    }
    uint16_t is = (uint16_t)(1 << p->k[i->v[k]].kind);
    bool typed = letter == '-' || (is & ~of_letter(letter)) == 0;
    return typed ? 0 : wrong(c, "this constant has another type", k);
}

static int check_ref(struct checker *c, unsigned k)
{
    const struct vm_prog *p = c->p;
    const struct vm_ins *i = &p->ins[c->n];
    const struct vm_ref *x = i->v[k] < p->n_refs ? &p->refs[i->v[k]] : NULL;
    bool fine = x != NULL && x->e != NULL;
    if (!fine) {
        return wrong(c, "there is no such expression", k);
    }
    switch (i->op) {
    case VM_CALL: fine = x->fn != NULL && i->v[k + 2] == x->e->n_args; break;
    case VM_APPLY: fine = x->apply != NULL && i->v[k + 2] == x->e->n_args; break;
    case VM_APPLY_MANY: fine = x->apply != NULL; break;
    case VM_NEW: fine = x->e->op == EX_NEW && x->e->of != NULL; break;
    case VM_SET_COLUMN:
        fine = x->e->op == EX_NEW && x->e->of != NULL && i->v[k + 1] < x->e->of->n_cols;
        break;
    case VM_METHOD: fine = x->e->op == EX_ENUM && x->e->fn != NULL; break;
    default: break;
    }
    return fine ? 0 : wrong(c, "this expression is not for this instruction", k);
}

static int check_register(struct checker *c, unsigned r, unsigned k, char letter)
{
    if (r >= c->p->n_regs) {
        return wrong(c, "there is no such register", k);
    }
    uint16_t holds = c->now.r[r];
    if (!c->reached) {
        return 0;
    }
    if ((holds & UNWRITTEN) != 0) {
        return wrong(c, "nothing may have been written to this register", k);
    }
    bool typed = letter == '-' || (holds & ~of_letter(letter)) == 0;
    return typed ? 0 : wrong(c, "this register may hold values of another type", k);
}

static int check_run(struct checker *c, unsigned k, char letter)
{
    const struct vm_ins *i = &c->p->ins[c->n];
    if (i->op == VM_CONCAT && (i->v[k + 1] == 0 || i->v[k + 1] > CONCAT_MAX)) {
        return wrong(c, "so many texts cannot be joined", k + 1);
    }
    for (unsigned r = 0; r < i->v[k + 1]; r++) {
        int rc = check_register(c, i->v[k] + r, k, letter);
        if (rc != 0) {
            return rc;
        }
    }
    return 0;
}

static int check_number(struct checker *c, unsigned k)
{
    const struct vm_ins *i = &c->p->ins[c->n];
    uint16_t n = i->v[k];
    switch (i->op) {
    case VM_LAMBDA: return n < ECTX_LAMBDA_MAX ? 0 : wrong(c, "there is no such parameter", k);
    case VM_JUMP_IF: return n != 0 && n < 8 ? 0 : wrong(c, "this is no set of truths", k);
    case VM_GROUPING:
    case VM_ROLLED: return n < 32 ? 0 : wrong(c, "there is no such group-by expression", k);
    default: return 0;
    }
}

static int check_jump(struct checker *c, unsigned k)
{
    uint16_t to = c->p->ins[c->n].v[k];
    if (to <= c->n || to >= c->p->n_ins) {
        return wrong(c, "jumps go forward, to an instruction", k);
    }
    return 0;
}

static int check_operand(struct checker *c, unsigned k, uint16_t *read)
{
    const struct vm_ins *i = &c->p->ins[c->n];
    const char *row = vm_operand((enum vm_op)i->op, k);
    int rc = 0;
    switch (row[0]) {
    case 'd': return i->v[k] < c->p->n_regs ? 0 : wrong(c, "there is no such register", k);
    case 's':
        rc = check_register(c, i->v[k], k, row[1]);
        *read |= rc == 0 ? c->now.r[i->v[k]] : 0;
        return rc;
    case 'r': return check_run(c, k, row[1]);
    case 'k': return check_const(c, k, row[1]);
    case 'p': return check_place(c, k, row[1]);
    case 'x': return check_ref(c, k);
    case 'n': return check_number(c, k);
    case 'm': return i->v[k] <= TY_LIST ? 0 : wrong(c, "there is no such type", k);
    case 'o': return i->v[k] < 1 << (VM_ONE_NULL + 1) ? 0 : wrong(c, "no such outcome", k);
    default: return check_jump(c, k);
    }
}

/* ---- ways ---- */

static void unite(struct checker *c, const struct state *with)
{
    for (unsigned r = 0; r < c->p->n_regs; r++) {
        c->now.r[r] = c->reached ? (uint16_t)(c->now.r[r] | with->r[r]) : with->r[r];
    }
    c->reached = true;
}

/* A way leads from here to `to`, with the registers as they are. */
static void way(struct checker *c, uint32_t to)
{
    if (c->meets[to] == 0) {
        *VEC_PUSH(&c->states) = c->now;
        c->meets[to] = (uint32_t)c->states.len;
        return;
    }
    struct state *there = &c->states.ptr[c->meets[to] - 1];
    for (unsigned r = 0; r < c->p->n_regs; r++) {
        there->r[r] |= c->now.r[r];
    }
}

static int step(struct checker *c)
{
    const struct vm_ins *i = &c->p->ins[c->n];
    if (i->op >= VM_OP_COUNT) {
        return err_set(c->err, ERR_CORRUPT, "instruction %u: there is no %u", c->n, i->op);
    }
    enum vm_op op = (enum vm_op)i->op;
    unsigned n = vm_operands(op);
    uint16_t read = 0;
    if (c->meets[c->n] != 0) {
        unite(c, &c->states.ptr[c->meets[c->n] - 1]);
    }
    for (unsigned k = 0; k < n; k++) {
        int rc = check_operand(c, k, &read);
        if (rc != 0) {
            return rc;
        }
    }
    if (!c->reached) {
        return 0;
    }
    bool writes = n > 0 && vm_operand(op, 0)[0] == 'd';
    bool jumps = n > 0 && vm_operand(op, n - 1)[0] == 'j';
    uint16_t before = writes ? c->now.r[i->v[0]] : 0;
    uint16_t result = writes ? written(c, i, read) : 0;
    if (writes) {
        c->now.r[i->v[0]] = result;
    }
    if (jumps) {
        way(c, i->v[n - 1]);
    }
    if (writes && jumps) { /* perhaps it was left as it was */
        c->now.r[i->v[0]] = (uint16_t)(result | before);
    }
    c->reached = op != VM_JUMP && !vm_rows[op].ends;
    return 0;
}

int vm_verify(const struct vm_prog *p, struct err *reterr)
{
    struct checker c = {.p = p, .err = reterr, .reached = true};
    int rc = 0;
    assert(p != NULL && reterr != NULL);
    if (p->n_ins == 0 || p->n_ins > VM_CODE_MAX || p->n_regs > VM_REGS_MAX) {
        return err_set(reterr, ERR_CORRUPT, "a program of %u instructions and %u registers",
                       p->n_ins, p->n_regs);
    }
    for (unsigned r = 0; r < VM_REGS_MAX; r++) {
        c.now.r[r] = UNWRITTEN;
    }
    c.meets = mem_calloc(p->n_ins, sizeof *c.meets);
    for (; rc == 0 && c.n < p->n_ins; c.n++) {
        rc = step(&c);
    }
    if (rc == 0 && c.reached) {
        rc = err_set(reterr, ERR_CORRUPT, "a way leads behind the last instruction");
    }
    mem_free(c.meets);
    VEC_DONE(&c.states);
    return rc;
}
