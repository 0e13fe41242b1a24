/* SPDX-License-Identifier: Apache-2.0
 *
 * The compiler's other half: comparisons and three-valued logic. A condition is compiled in one of
 * two ways. As a value it leaves true, false or null in a register. As a decision it jumps if it is
 * one of a set of the three, and leaves nothing: `and`, `or`, `not` become jumps, and a comparison
 * of a column is one instruction that tests an outcome (less, equal, ..., null) against a mask.
 *
 * A decision may stop at a null that the value would have gone on from (null and x is not true,
 * whatever x is). It does so only where what is left out can neither fail nor be seen otherwise.
 */
#include "operators/expr/vm_comp.h"

#include "operators/expr/eval_impl.h"

#include <assert.h>

enum { IN_MAX = 4000, ALL = (1 << (VM_ONE_NULL + 1)) - 1 };

/* ---- comparisons ---- */

static unsigned outcomes(enum ast_op cmp)
{
    switch (cmp) {
    case OP_EQ: return 1u << VM_EQUAL | 1u << VM_TWO_NANS;
    case OP_NE: return 1u << VM_LESS | 1u << VM_GREATER | 1u << VM_ONE_NAN;
    case OP_LT: return 1u << VM_LESS;
    case OP_LE: return 1u << VM_LESS | 1u << VM_EQUAL;
    case OP_GT: return 1u << VM_GREATER;
    default: return 1u << VM_GREATER | 1u << VM_EQUAL;
    }
}

static enum ast_op mirrored(enum ast_op cmp)
{
    switch (cmp) {
    case OP_LT: return OP_GT;
    case OP_LE: return OP_GE;
    case OP_GT: return OP_LT;
    case OP_GE: return OP_LE;
    default: return cmp;
    }
}

/* The outcomes at which a condition is one of `set`. */
static unsigned jump_outcomes(enum ast_op cmp, unsigned set)
{
    unsigned is = outcomes(cmp), null = 1u << VM_ONE_NULL;
    return ((set & VM_IF_TRUE) != 0 ? is : 0) |
           ((set & VM_IF_FALSE) != 0 ? (unsigned)ALL & ~is & ~null : 0) |
           ((set & VM_IF_NULL) != 0 ? null : 0);
}

enum family { INTS, DOUBLES, TEXTS, ORDERS, NO_FAMILY };

static const struct forms {
    uint16_t cmp, cmp_k, jump, jump_k, jump_ck, jump_cc; /* 0: there is none */
} forms[] = {
    [INTS] = {VM_CMP_INT, VM_CMP_INT_K, VM_JUMP_INT, VM_JUMP_INT_K, VM_JUMP_INT_CK, VM_JUMP_INT_CC},
    [DOUBLES] = {VM_CMP_DOUBLE, VM_CMP_DOUBLE_K, VM_JUMP_DOUBLE, VM_JUMP_DOUBLE_K,
                 VM_JUMP_DOUBLE_CK, VM_JUMP_DOUBLE_CC},
    [TEXTS] = {VM_CMP_TEXT, VM_CMP_TEXT_K, VM_JUMP_TEXT, VM_JUMP_TEXT_K, VM_JUMP_TEXT_CK,
               VM_JUMP_TEXT_CC},
    [ORDERS] = {VM_CMP_ORDER, 0, VM_JUMP_ORDER, 0, 0, 0},
};

/* How two values of these types are compared by `cmp`. */
static enum family family_of(struct ty a, struct ty b, enum ast_op cmp)
{
    bool small = a.kind < TY_BIGINT && b.kind < TY_BIGINT;
    if (ty_is_integer(a) && ty_is_integer(b)) {
        return INTS;
    }
    if (ty_is_number(a) && ty_is_number(b)) {
        return small ? DOUBLES : NO_FAMILY;
    }
    if (a.kind == TY_STRING && b.kind == TY_STRING) {
        return cmp == OP_EQ || cmp == OP_NE ? TEXTS : ORDERS;
    }
    return NO_FAMILY;
}

static enum family family(const struct ex *e)
{
    bool typed = e->op == EX_CMP_I || e->op == EX_CMP_D || e->op == EX_CMP_S;
    return typed ? family_of(e->args[0]->ty, e->args[1]->ty, e->cmp) : NO_FAMILY;
}

static bool is_column(const struct ex *e)
{
    return e->op == EX_PROP && e->level == 0;
}

/* Whole numbers that are to be compared with floating ones. */
static bool widens(enum family f, const struct ex *e)
{
    return f == DOUBLES && ty_is_integer(e->ty);
}

static uint16_t constant_of(struct comp *c, enum family f, const struct ex *e)
{
    struct dat k = e->k;
    return comp_const(c, widens(f, e) && dat_is_integer(k) ? dat_double((double)k.i) : k);
}

static uint16_t into_temp(struct comp *c, enum family f, const struct ex *e)
{
    uint16_t r = (uint16_t)comp_temp(c);
    if (e->op == EX_CONST) {
        comp_emit(c, COMP(CONST, r, constant_of(c, f, e)));
        return r;
    }
    comp_into(c, e, r);
    if (widens(f, e)) {
        comp_emit(c, COMP(TO_DOUBLE, r, r));
    }
    return r;
}

/* `a cmp b` with constants to the right. */
struct pair {
    enum family f;
    const struct ex *a, *b;
    enum ast_op cmp;
};

static struct pair pair_of(enum family f, const struct ex *a, const struct ex *b, enum ast_op cmp)
{
    bool swap = a->op == EX_CONST && b->op != EX_CONST;
    return swap ? (struct pair){f, b, a, mirrored(cmp)} : (struct pair){f, a, b, cmp};
}

static void jump_pair(struct comp *c, const struct pair *p, unsigned set, struct label *to)
{
    const struct forms *f = &forms[p->f];
    unsigned top = c->top;
    uint16_t o = (uint16_t)jump_outcomes(p->cmp, set);
    bool col = is_column(p->a) && !widens(p->f, p->a), k = p->b->op == EX_CONST;
    struct vm_ins i = {.v = {0, 0, o}};
    if (col && k && f->jump_ck != 0) {
        i.op = f->jump_ck;
        i.v[0] = comp_place(c, p->a);
        i.v[1] = constant_of(c, p->f, p->b);
    } else if (col && is_column(p->b) && !widens(p->f, p->b) && f->jump_cc != 0) {
        i.op = f->jump_cc;
        i.v[0] = comp_place(c, p->a);
        i.v[1] = comp_place(c, p->b);
    } else {
        bool with = k && f->jump_k != 0;
        i.op = with ? f->jump_k : f->jump;
        i.v[0] = into_temp(c, p->f, p->a);
        i.v[1] = with ? constant_of(c, p->f, p->b) : into_temp(c, p->f, p->b);
    }
    comp_jump(c, i, to);
    c->top = top;
}

static bool is_loose(const struct ex *e)
{
    return e->ty.kind == TY_OBJECT;
}

void comp_compare(struct comp *c, const struct ex *e, unsigned to)
{
    struct pair p = pair_of(family(e), e->args[0], e->args[1], e->cmp);
    unsigned top = c->top;
    uint16_t r = (uint16_t)to;
    if (p.f == NO_FAMILY) {
        uint16_t a = (uint16_t)comp_temp(c), b = (uint16_t)comp_temp(c);
        bool loose = is_loose(e->args[0]) || is_loose(e->args[1]);
        comp_into(c, e->args[0], a);
        comp_into(c, e->args[1], b);
        comp_emit(c, COMP(CMP_ANY, r, a, b, (uint16_t)e->cmp, loose));
    } else {
        bool with = p.b->op == EX_CONST && forms[p.f].cmp_k != 0;
        struct vm_ins i = {.op = with ? forms[p.f].cmp_k : forms[p.f].cmp};
        i.v[0] = r;
        i.v[1] = into_temp(c, p.f, p.a);
        i.v[2] = with ? constant_of(c, p.f, p.b) : into_temp(c, p.f, p.b);
        i.v[3] = (uint16_t)outcomes(p.cmp);
        comp_emit(c, i);
    }
    c->top = top;
}

static bool is_null_const(const struct ex *e)
{
    return e->op == EX_CONST && dat_is_null(e->k);
}

void comp_is(struct comp *c, const struct ex *e, unsigned to)
{
    unsigned top = c->top;
    uint16_t r = (uint16_t)to;
    comp_into(c, e->args[0], to);
    if (is_null_const(e->args[1])) {
        comp_emit(c, COMP(IS_NULL, r, r, e->negated));
        return;
    }
    uint16_t t = (uint16_t)comp_temp(c);
    comp_into(c, e->args[1], t);
    comp_emit(c, COMP(IS, r, r, t, e->negated));
    c->top = top;
}

void comp_between(struct comp *c, const struct ex *e, unsigned to)
{
    unsigned top = c->top;
    uint16_t r[3];
    for (int i = 0; i < 3; i++) {
        r[i] = (uint16_t)comp_temp(c);
        comp_into(c, e->args[i], r[i]);
    }
    unsigned flags = (e->negated ? VM_FLAG_NOT : 0u) | (e->low_open ? VM_FLAG_LOW_OPEN : 0u) |
                     (e->high_open ? VM_FLAG_HIGH_OPEN : 0u);
    comp_emit(c, COMP(BETWEEN, (uint16_t)to, r[0], r[1], r[2], (uint16_t)flags));
    c->top = top;
}

/* x between constants, not negated: two comparisons, if they are of one family each. */
static bool range_pairs(const struct ex *e, struct pair ret[2])
{
    const struct ex *x = e->args[0], *lo = e->args[1], *hi = e->args[2];
    bool lo_open = e->low_open, hi_open = e->high_open;
    if (e->negated || lo->op != EX_CONST || hi->op != EX_CONST || dat_is_null(lo->k) ||
        dat_is_null(hi->k)) {
        return false;
    }
    if (dat_cmp(lo->k, hi->k) > 0) {
        lo = e->args[2];
        hi = e->args[1];
        lo_open = e->high_open;
        hi_open = e->low_open;
    }
    ret[0] = (struct pair){.a = x, .b = lo, .cmp = lo_open ? OP_GT : OP_GE};
    ret[1] = (struct pair){.a = x, .b = hi, .cmp = hi_open ? OP_LT : OP_LE};
    ret[0].f = family_of(x->ty, lo->ty, OP_LT);
    ret[1].f = family_of(x->ty, hi->ty, OP_LT);
    return is_column(x) && ret[0].f != NO_FAMILY && ret[1].f != NO_FAMILY;
}

/* ---- among others ---- */

static unsigned in_flags(const struct ex *e)
{
    enum ty_kind x = e->args[0]->ty.kind;
    return (e->negated ? VM_FLAG_NOT : 0u) | (x != TY_LIST && x != TY_MAP ? VM_FLAG_SPREAD : 0u);
}

/* Flags: what the constants have in common; -1 if not all of them are constants. */
static int common(const struct ex *e)
{
    int flags = VM_FLAG_WHOLE | VM_FLAG_TEXT;
    for (uint32_t i = 1; i < e->n_args; i++) {
        struct dat k = e->args[i]->k;
        if (e->args[i]->op != EX_CONST) {
            return -1;
        }
        flags &= dat_is_integer(k) ? VM_FLAG_WHOLE : k.kind == DAT_STRING ? VM_FLAG_TEXT : 0;
    }
    return flags;
}

static bool any_elements(const struct ex *e)
{
    for (uint32_t i = 1; i < e->n_args; i++) {
        if (ex_has_elements(e->args[i])) {
            return true;
        }
    }
    return false;
}

static bool of_constants(const struct ex *e)
{
    return e->n_args >= 2 && e->n_args <= IN_MAX && common(e) >= 0;
}

/* The first of them; side by side, so not shared. */
static uint16_t constants(struct comp *c, const struct ex *e)
{
    for (uint32_t i = 1; i < e->n_args; i++) {
        *VEC_PUSH(&c->k) = e->args[i]->k;
    }
    return (uint16_t)(c->k.len - (e->n_args - 1));
}

static void in_constants(struct comp *c, const struct ex *e, unsigned to)
{
    uint16_t r = (uint16_t)to, n = (uint16_t)(e->n_args - 1), first = constants(c, e);
    comp_into(c, e->args[0], to);
    comp_emit(c, COMP(IN_CONST, r, r, first, n, (uint16_t)(in_flags(e) | (unsigned)common(e))));
}

static void in_jump(struct comp *c, const struct ex *e, unsigned set, struct label *to)
{
    const struct ex *x = e->args[0];
    uint16_t n = (uint16_t)(e->n_args - 1), first = constants(c, e);
    uint16_t flags = (uint16_t)(in_flags(e) | (unsigned)common(e) | set << VM_FLAG_SET);
    unsigned top = c->top;
    if (is_column(x)) {
        comp_jump(c, COMP(JUMP_IN_C, comp_place(c, x), first, n, flags), to);
        return;
    }
    uint16_t t = (uint16_t)comp_temp(c);
    comp_into(c, x, t);
    comp_jump(c, COMP(JUMP_IN, t, first, n, flags), to);
    c->top = top;
}

void comp_in(struct comp *c, const struct ex *e, unsigned to)
{
    struct label end = {0};
    unsigned top = c->top;
    if (e->n_args > IN_MAX || e->n_args < 2 || any_elements(e)) {
        comp_apply(c, e, to);
        return;
    }
    if (of_constants(e)) {
        in_constants(c, e, to);
        return;
    }
    uint16_t r = (uint16_t)to, x = (uint16_t)comp_temp(c), t = (uint16_t)comp_temp(c);
    comp_into(c, e->args[0], x);
    comp_jump(c, COMP(NULL_ENDS, r, x), &end);
    comp_emit(c, COMP(CONST, r, comp_const(c, dat_bool(e->negated))));
    for (uint32_t i = 1; i < e->n_args; i++) {
        comp_into(c, e->args[i], t);
        comp_jump(c, COMP(IN_STEP, r, x, t, (uint16_t)in_flags(e)), &end);
    }
    comp_here(c, &end);
    c->top = top;
}

/* ---- logic ---- */

void comp_logic(struct comp *c, const struct ex *e, unsigned to)
{
    struct label end = {0};
    bool all = e->op == EX_AND;
    uint16_t r = (uint16_t)to, t = (uint16_t)comp_temp(c);
    comp_emit(c, COMP(CONST, r, comp_const(c, dat_bool(all))));
    for (uint32_t i = 0; i < e->n_args; i++) {
        comp_into(c, e->args[i], t);
        comp_jump(c, all ? COMP(AND_STEP, r, t) : COMP(OR_STEP, r, t), &end);
    }
    comp_here(c, &end);
    c->top = t;
}

/* Whether nothing that e does can fail a row. */
static bool is_calm(const struct ex *e)
{
    switch (e->op) {
    case EX_CONST:
    case EX_PROP:
    case EX_STREAM:
    case EX_FIELD:
    case EX_LAMBDA:
    case EX_NOW:
    case EX_CMP_I:
    case EX_CMP_D:
    case EX_CMP_S:
    case EX_CMP_B:
    case EX_IS:
    case EX_AND:
    case EX_OR:
    case EX_NOT:
    case EX_BETWEEN:
    case EX_RANGE:
    case EX_IN:
    case EX_COALESCE:
    case EX_CASE: break;
    case EX_ADD:
    case EX_SUB:
    case EX_MUL:
    case EX_CONV:
        if (e->ty.kind >= TY_BIGINT) {
            return false;
        }
        break;
    default: return false;
    }
    for (uint32_t i = 0; i < e->n_args; i++) {
        if (!is_calm(e->args[i])) {
            return false;
        }
    }
    return true;
}

/* A decision goes on behind operand `i` only; is it free to stop there at a null? */
static bool may_stop(const struct ex *e, uint32_t from)
{
    for (uint32_t i = from; i < e->n_args; i++) {
        if (!is_calm(e->args[i])) {
            return false;
        }
    }
    return true;
}

/* `and`; `or` is the same with true and false exchanged (`yes` is what ends nothing). */
static bool logic_jumps(struct comp *c, const struct ex *e, unsigned set, struct label *to)
{
    unsigned yes = e->op == EX_AND ? VM_IF_TRUE : VM_IF_FALSE;
    unsigned no = yes ^ (VM_IF_TRUE | VM_IF_FALSE), null = VM_IF_NULL;
    struct label end = {0};
    bool at_null = set == (no | null) || set == yes;
    if (e->n_args == 0 || (at_null && !may_stop(e, 1))) {
        return false;
    }
    if (set == no || set == (no | null)) { /* any operand settles it */
        for (uint32_t i = 0; i < e->n_args; i++) {
            comp_cond(c, e->args[i], set, to);
        }
        return true;
    }
    if (set != yes && set != (yes | null)) {
        return false;
    }
    for (uint32_t i = 0; i + 1 < e->n_args; i++) {
        comp_cond(c, e->args[i], set == yes ? no | null : no, &end);
    }
    comp_cond(c, e->args[e->n_args - 1], set, to);
    comp_here(c, &end);
    return true;
}

static unsigned exchanged(unsigned set)
{
    return ((set & VM_IF_TRUE) != 0 ? (unsigned)VM_IF_FALSE : 0u) |
           ((set & VM_IF_FALSE) != 0 ? (unsigned)VM_IF_TRUE : 0u) | (set & VM_IF_NULL);
}

/* What is not done by a special instruction: its value, then a jump. */
static void by_value(struct comp *c, const struct ex *e, unsigned set, struct label *to)
{
    uint16_t t = (uint16_t)comp_temp(c);
    comp_into(c, e, t);
    comp_jump(c, COMP(JUMP_IF, t, (uint16_t)set), to);
    c->top = t;
}

static void null_test(struct comp *c, const struct ex *e, unsigned set, struct label *to)
{
    bool null = ((set & VM_IF_TRUE) != 0) != e->negated;
    if (is_column(e->args[0])) {
        uint16_t at = comp_place(c, e->args[0]);
        comp_jump(c, null ? COMP(JUMP_NULL_C, at) : COMP(JUMP_SET_C, at), to);
        return;
    }
    uint16_t t = (uint16_t)comp_temp(c);
    comp_into(c, e->args[0], t);
    comp_jump(c, null ? COMP(JUMP_NULL, t) : COMP(JUMP_SET, t), to);
    c->top = t;
}

static void range_jumps(struct comp *c, const struct pair p[2], struct label *to)
{
    jump_pair(c, &p[0], VM_IF_FALSE | VM_IF_NULL, to);
    jump_pair(c, &p[1], VM_IF_FALSE | VM_IF_NULL, to);
}

static bool is_unless(unsigned set)
{
    return set == (VM_IF_FALSE | VM_IF_NULL);
}

void comp_cond(struct comp *c, const struct ex *e, unsigned set, struct label *to)
{
    struct pair p[2];
    bool settled = (set & (VM_IF_TRUE | VM_IF_FALSE)) != (VM_IF_TRUE | VM_IF_FALSE);
    assert(set != 0 && settled);
    if (comp_full(c, e)) {
        by_value(c, e, set, to);
        return;
    }
    switch (e->op) {
    case EX_NOT: comp_cond(c, e->args[0], exchanged(set), to); return;
    case EX_AND:
    case EX_OR:
        if (logic_jumps(c, e, set, to)) {
            return;
        }
        break;
    case EX_CMP_I:
    case EX_CMP_D:
    case EX_CMP_S:
        if (family(e) != NO_FAMILY) {
            p[0] = pair_of(family(e), e->args[0], e->args[1], e->cmp);
            jump_pair(c, &p[0], set, to);
            return;
        }
        break;
    case EX_IS:
        if (is_null_const(e->args[1]) && set != VM_IF_NULL) {
            null_test(c, e, set, to);
            return;
        }
        break;
    case EX_IN:
        if (of_constants(e)) {
            in_jump(c, e, set, to);
            return;
        }
        break;
    case EX_BETWEEN:
    case EX_RANGE:
        if (is_unless(set) && range_pairs(e, p)) {
            range_jumps(c, p, to);
            return;
        }
        break;
    default: break;
    }
    by_value(c, e, set, to);
}
