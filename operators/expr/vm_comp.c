/* SPDX-License-Identifier: Apache-2.0
 *
 * From a bound expression to a program (vm.h): values here, conditions in vm_cond.c. A function per
 * kind of operation, found through a table by EX_op, puts code behind what is there that leaves the
 * value in a given register. What would need too many registers, or make the program too long,
 * becomes a program of its own (SUB).
 */
#include "operators/expr/vm_comp.h"

#include "core/base/arena.h"
#include "operators/expr/eval_impl.h"
#include "operators/expr/fn_impl.h"

#include <assert.h>

enum {
    TEMPS = 24,       /* registers that one operation needs at most */
    LONG = 20000,     /* instructions, constants: then parts become programs of their own */
    PARTS_MAX = 4000, /* of one operation: more are handled by APPLY_MANY */
    SHARED = 64       /* constants and places that are looked through for equal ones */
};

void comp_emit(struct comp *c, struct vm_ins i)
{
    assert(c->ins.len < VM_CODE_MAX);
    *VEC_PUSH(&c->ins) = i;
}

static uint16_t *target(struct vm_ins *i)
{
    return &i->v[vm_operands((enum vm_op)i->op) - 1];
}

void comp_jump(struct comp *c, struct vm_ins i, struct label *to)
{
    *target(&i) = (uint16_t)to->last;
    comp_emit(c, i);
    to->last = (uint32_t)c->ins.len;
}

void comp_here(struct comp *c, struct label *l)
{
    while (l->last != 0) {
        uint32_t jump = l->last - 1;
        uint16_t *at = target(&c->ins.ptr[jump]);
        l->last = *at;
        *at = (uint16_t)c->ins.len;
        while (c->n_rows > 0 && c->rows[c->n_rows - 1].at > jump) {
            c->n_rows--; /* who jumps has not passed it */
        }
    }
}

uint16_t comp_const(struct comp *c, struct dat v)
{
    for (size_t i = 0; i < c->k.len && i < SHARED; i++) {
        if (c->k.ptr[i].kind == v.kind && c->k.ptr[i].i == v.i) {
            return (uint16_t)i;
        }
    }
    *VEC_PUSH(&c->k) = v;
    return (uint16_t)(c->k.len - 1);
}

uint16_t comp_place(struct comp *c, const struct ex *e)
{
    struct vm_place p = {
        .of = e->op == EX_STREAM ? NULL : e->of,
        .stream = e->stream,
        .slot = e->slot,
        .level = e->level,
        .kind = (uint16_t)e->ty.kind,
    };
    for (size_t i = 0; i < c->places.len && i < SHARED; i++) {
        const struct vm_place *q = &c->places.ptr[i];
        if (q->of == p.of && q->stream == p.stream && q->slot == p.slot && q->level == p.level &&
            q->kind == p.kind) {
            return (uint16_t)i;
        }
    }
    *VEC_PUSH(&c->places) = p;
    return (uint16_t)(c->places.len - 1);
}

uint16_t comp_ref(struct comp *c, const struct ex *e)
{
    bool call = e->op == EX_CALL || e->op == EX_METHOD;
    *VEC_PUSH(&c->refs) = (struct vm_ref){e, call ? fn_impl(e->fn->id) : NULL, eval_applies[e->op]};
    return (uint16_t)(c->refs.len - 1);
}

bool comp_full(const struct comp *c, const struct ex *e)
{
    bool large = c->top + TEMPS + COMP_ROWS > VM_REGS_MAX || c->ins.len > LONG || c->k.len > LONG;
    return large && e != c->root && e->n_args > 0;
}

/* ---- what is at hand ---- */

static void constant(struct comp *c, const struct ex *e, unsigned to)
{
    comp_emit(c, COMP(CONST, (uint16_t)to, comp_const(c, e->k)));
}

static void property(struct comp *c, const struct ex *e, unsigned to)
{
    struct vm_ins i = COMP(COLUMN, (uint16_t)to, comp_place(c, e));
    i.op = e->level > 0 ? VM_OUTER : VM_COLUMN;
    comp_emit(c, i);
}

static void whole_event(struct comp *c, const struct ex *e, unsigned to)
{
    comp_emit(c, COMP(EVENT, (uint16_t)to, comp_place(c, e)));
}

static void simple(struct comp *c, const struct ex *e, unsigned to)
{
    uint16_t r = (uint16_t)to;
    switch (e->op) {
    case EX_LAMBDA: comp_emit(c, COMP(LAMBDA, r, e->slot, (uint16_t)e->ty.kind)); break;
    case EX_NOW: comp_emit(c, COMP(NOW, r)); break;
    case EX_ISTREAM: comp_emit(c, COMP(ISTREAM, r)); break;
    case EX_GROUPING: comp_emit(c, COMP(GROUPING, r, (uint16_t)e->i)); break;
    default: comp_emit(c, COMP(PSEUDO, r, e->slot, (uint16_t)e->ty.kind)); break;
    }
}

static void beyond(struct comp *c, const struct ex *e, unsigned to)
{
    static const uint16_t ops[EX_OP_COUNT] = {
        [EX_VAR] = VM_VAR,          [EX_CONTEXT] = VM_CONTEXT,     [EX_AGG] = VM_AGG,
        [EX_AGG_METHOD] = VM_AGG,   [EX_TABLE_ROW] = VM_TABLE,     [EX_TABLE_COL] = VM_TABLE,
        [EX_TABLE_KEYS] = VM_TABLE, [EX_PREV] = VM_PREV,           [EX_PREV_TAIL] = VM_PREV,
        [EX_PREV_COUNT] = VM_PREV,  [EX_PREV_WINDOW] = VM_PREV,    [EX_PRIOR] = VM_PREV,
        [EX_SUBQ] = VM_SUBQUERY,    [EX_SUBQ_ROW] = VM_SUBQUERY,   [EX_SUBQ_EXISTS] = VM_SUBQUERY,
        [EX_SUBQ_IN] = VM_SUBQUERY, [EX_SUBQ_QUANT] = VM_SUBQUERY, [EX_SUBQ_LIST] = VM_SUBQUERY,
    };
    assert(ops[e->op] != 0);
    comp_emit(c, (struct vm_ins){ops[e->op], {(uint16_t)to, comp_ref(c, e)}});
}

/* ---- rows of tables ---- */

/* Found by columns of this row and constants: the same wherever it stands in the expression. */
static bool is_row(const struct ex *e)
{
    bool plain = e->op == EX_TABLE_ROW && e->n_args > 0;
    for (uint32_t i = 0; plain && i < e->n_args; i++) {
        const struct ex *k = e->args[i];
        plain = k->op == EX_CONST || (k->op == EX_PROP && k->level == 0 && k->flat == NULL);
    }
    return plain;
}

static bool same_row(const struct ex *a, const struct ex *b)
{
    bool same = a->table == b->table && a->n_args == b->n_args;
    for (uint32_t i = 0; same && i < a->n_args; i++) {
        const struct ex *x = a->args[i], *y = b->args[i];
        same = x->op == y->op &&
               (x->op == EX_CONST ? x->k.kind == y->k.kind && dat_same(x->k, y->k)
                                  : x->of == y->of && x->stream == y->stream && x->slot == y->slot);
    }
    return same;
}

/* The register that has it, or, when there is none left, `to`. */
static uint16_t row_of_table(struct comp *c, const struct ex *e, unsigned to)
{
    for (uint32_t i = 0; i < c->n_rows; i++) {
        if (same_row(c->rows[i].e, e)) {
            return c->rows[i].reg;
        }
    }
    uint16_t reg = (uint16_t)to;
    if (c->rows_used < COMP_ROWS) {
        reg = (uint16_t)(VM_REGS_MAX - ++c->rows_used);
        c->rows[c->n_rows++] = (struct comp_row){e, (uint32_t)c->ins.len, reg};
        c->most = VM_REGS_MAX;
    }
    beyond(c, e, reg);
    return reg;
}

/* ---- one operand ---- */

static void unary(struct comp *c, const struct ex *e, unsigned to)
{
    uint16_t r = (uint16_t)to;
    if (e->op == EX_FIELD && is_row(e->args[0])) {
        uint16_t row = row_of_table(c, e->args[0], to);
        comp_emit(c, COMP(FIELD, r, row, comp_place(c, e)));
        return;
    }
    comp_into(c, e->args[0], to);
    switch (e->op) {
    case EX_FIELD: comp_emit(c, COMP(FIELD, r, r, comp_place(c, e))); break;
    case EX_DYN: comp_emit(c, COMP(PROPERTY, r, r, comp_ref(c, e))); break;
    case EX_NEG: comp_emit(c, COMP(NEG, r, r, comp_ref(c, e))); break;
    case EX_NOT: comp_emit(c, COMP(NOT, r, r)); break;
    default: comp_emit(c, COMP(METHOD, r, comp_ref(c, e), r)); break;
    }
}

static void convert(struct comp *c, unsigned to, enum ty_kind from, enum ty_kind kind)
{
    uint16_t r = (uint16_t)to;
    bool whole = from >= TY_BYTE && from <= TY_LONG;
    if (kind == TY_LONG && whole) {
        comp_emit(c, COMP(TO_LONG, r, r));
    } else if (kind == TY_DOUBLE) {
        comp_emit(c, COMP(TO_DOUBLE, r, r));
    } else {
        comp_emit(c, COMP(CONVERT, r, r, (uint16_t)kind));
    }
}

static void conversion(struct comp *c, const struct ex *e, unsigned to)
{
    comp_into(c, e->args[0], to);
    convert(c, to, e->args[0]->ty.kind, e->ty.kind);
}

/* ---- several operands, each in a register behind the other ---- */

/* Where they are; they stay in use until `top` is set back. */
static unsigned in_a_row(struct comp *c, struct ex *const *e, uint32_t n)
{
    unsigned first = c->top;
    for (uint32_t i = 0; i < n; i++) {
        comp_into(c, e[i], comp_temp(c));
    }
    return first;
}

void comp_apply(struct comp *c, const struct ex *e, unsigned to)
{
    unsigned top = c->top;
    assert(eval_applies[e->op] != NULL);
    if (e->n_args > FN_ARGS_MAX) {
        comp_emit(c, COMP(APPLY_MANY, (uint16_t)to, comp_ref(c, e)));
        return;
    }
    unsigned first = in_a_row(c, e->args, e->n_args);
    comp_emit(c, COMP(APPLY, (uint16_t)to, comp_ref(c, e), (uint16_t)first, (uint16_t)e->n_args));
    c->top = top;
}

static void cast(struct comp *c, const struct ex *e, unsigned to)
{
    const struct ex *of = e->args[0];
    bool numbers = ty_is_number(of->ty) && ty_is_number(e->ty);
    if (e->n_args > 1) {
        comp_apply(c, e, to);
        return;
    }
    comp_into(c, of, to);
    if (numbers) {
        convert(c, to, of->ty.kind, e->ty.kind);
    } else {
        comp_emit(c, COMP(CAST, (uint16_t)to, (uint16_t)to, comp_ref(c, e)));
    }
}

static void call(struct comp *c, const struct ex *e, unsigned to)
{
    struct label end = {0};
    unsigned top = c->top, first = top;
    assert(e->fn != NULL && e->n_args <= FN_ARGS_MAX);
    for (uint32_t i = 0; i < e->n_args; i++) {
        unsigned r = comp_temp(c);
        bool may = (e->fn->flags & FN_NULLS) != 0 && !(e->op == EX_METHOD && i == 0);
        comp_into(c, e->args[i], r);
        if (!may && (e->args[i]->op != EX_CONST || dat_is_null(e->args[i]->k))) {
            comp_jump(c, COMP(NULL_ENDS, (uint16_t)to, (uint16_t)r), &end);
        }
    }
    comp_emit(c, COMP(CALL, (uint16_t)to, comp_ref(c, e), (uint16_t)first, (uint16_t)e->n_args));
    comp_here(c, &end);
    c->top = top;
}

/* a || b || c is one operation. */
static void concat(struct comp *c, const struct ex *e, unsigned to)
{
    VEC(const struct ex *) parts = {0};
    const struct ex *left = e;
    unsigned top = c->top, first = top;
    for (; left->op == EX_CONCAT; left = left->args[0]) {
        *VEC_PUSH(&parts) = left->args[1];
    }
    *VEC_PUSH(&parts) = left;
    for (size_t i = parts.len; i-- > 0;) {
        if (c->top - first == CONCAT_MAX) {
            comp_emit(c, COMP(CONCAT, (uint16_t)first, (uint16_t)first, CONCAT_MAX));
            c->top = first + 1;
        }
        comp_into(c, parts.ptr[i], comp_temp(c));
    }
    comp_emit(c, COMP(CONCAT, (uint16_t)to, (uint16_t)first, (uint16_t)(c->top - first)));
    VEC_DONE(&parts);
    c->top = top;
}

/* ---- arithmetic ---- */

static bool is_of(const struct ex *e, enum ty_kind t)
{
    return e->ty.kind == t || e->ty.kind == TY_NULL;
}

/* The instruction for two registers; those with a constant and a column to the right are the next
 * two. ARITH: none. */
static uint16_t arith_op(const struct ex *e)
{
    static const uint16_t ints[] = {VM_ADD_INT, VM_SUB_INT, VM_MUL_INT},
                          longs[] = {VM_ADD_LONG, VM_SUB_LONG, VM_MUL_LONG},
                          doubles[] = {VM_ADD_DOUBLE, VM_SUB_DOUBLE, VM_MUL_DOUBLE, VM_DIV_DOUBLE};
    enum ty_kind t = e->ty.kind;
    if (e->op < EX_ADD || e->op > EX_DIV || (e->op == EX_DIV && t != TY_DOUBLE)) {
        return VM_ARITH;
    }
    if (t == TY_DOUBLE) {
        return doubles[e->op - EX_ADD];
    }
    if (!is_of(e->args[0], t) || !is_of(e->args[1], t)) {
        return VM_ARITH;
    }
    return t == TY_INT ? ints[e->op - EX_ADD] : t == TY_LONG ? longs[e->op - EX_ADD] : VM_ARITH;
}

static bool is_column(const struct ex *e)
{
    return e->op == EX_PROP && e->level == 0;
}

/* Arithmetic of doubles takes whole numbers as they are. */
static const struct ex *unconverted(const struct ex *e)
{
    bool whole = e->op == EX_CONV && e->ty.kind == TY_DOUBLE && e->args[0]->ty.kind >= TY_BYTE &&
                 e->args[0]->ty.kind <= TY_LONG;
    return whole ? e->args[0] : e;
}

static void arith(struct comp *c, const struct ex *e, unsigned to)
{
    uint16_t r = (uint16_t)to, op = arith_op(e);
    const struct ex *a = e->args[0], *b = e->args[1];
    unsigned top = c->top;
    if (op != VM_ARITH && e->ty.kind == TY_DOUBLE) {
        a = unconverted(a);
        b = unconverted(b);
    }
    bool either = (e->op == EX_ADD || e->op == EX_MUL) && op != VM_ARITH;
    if (either && (a->op == EX_CONST || (is_column(a) && b->op != EX_CONST && !is_column(b)))) {
        const struct ex *left = a;
        a = b;
        b = left;
    }
    comp_into(c, a, to);
    if (op != VM_ARITH && b->op == EX_CONST) {
        comp_emit(c, (struct vm_ins){(uint16_t)(op + 1), {r, r, comp_const(c, b->k)}});
        return;
    }
    if (op != VM_ARITH && is_column(b)) {
        comp_emit(c, (struct vm_ins){(uint16_t)(op + 2), {r, r, comp_place(c, b)}});
        return;
    }
    uint16_t t = (uint16_t)comp_temp(c);
    comp_into(c, b, t);
    comp_emit(c, (struct vm_ins){op, {r, r, t, op == VM_ARITH ? comp_ref(c, e) : 0}});
    c->top = top;
}

/* min(a, b, ...): null as soon as one is. */
static void extreme(struct comp *c, const struct ex *e, unsigned to)
{
    struct label end = {0};
    uint16_t r = (uint16_t)to, t = (uint16_t)comp_temp(c);
    comp_into(c, e->args[0], to);
    for (uint32_t i = 1; i < e->n_args; i++) {
        struct vm_ins pick = COMP(MIN, r, r, t);
        pick.op = e->op == EX_MIN ? VM_MIN : VM_MAX;
        comp_jump(c, COMP(JUMP_NULL, r), &end);
        comp_into(c, e->args[i], t);
        comp_emit(c, pick);
    }
    comp_here(c, &end);
    c->top = t;
}

/* ---- choices ---- */

static void coalesce(struct comp *c, const struct ex *e, unsigned to)
{
    struct label end = {0};
    for (uint32_t i = 0; i < e->n_args; i++) {
        comp_into(c, e->args[i], to);
        if (i + 1 < e->n_args) {
            comp_jump(c, COMP(JUMP_SET, (uint16_t)to), &end);
        }
    }
    comp_here(c, &end);
}

/* The arms from `from` on as an expression of its own, behind `head` arguments of all arms. */
static const struct ex *rest_of_case(const struct ex *e, uint32_t head, uint32_t from)
{
    struct ex *rest = ARENA_NEW(e->home, struct ex);
    struct ex **args = arena_array(e->home, head + e->n_args - from, sizeof *args);
    assert(rest != NULL && args != NULL);
    memcpy(args, e->args, head * sizeof *args);
    memcpy(args + head, e->args + from, (e->n_args - from) * sizeof *args);
    *rest = *e;
    rest->value = rest->decision = NULL;
    rest->args = args;
    rest->n_args = head + e->n_args - from;
    return rest;
}

/* What follows arm i: more arms, or else. */
static void otherwise(struct comp *c, const struct ex *e, uint32_t head, uint32_t i, unsigned to)
{
    if (i + 1 < e->n_args) {
        comp_emit(c, COMP(SUB, (uint16_t)to, comp_ref(c, rest_of_case(e, head, i))));
    } else if (i < e->n_args) {
        comp_into(c, e->args[i], to);
    } else {
        comp_emit(c, COMP(CONST, (uint16_t)to, comp_const(c, DAT_NONE)));
    }
}

static void cases(struct comp *c, const struct ex *e, unsigned to)
{
    struct label end = {0};
    uint32_t i = 0;
    for (; i + 1 < e->n_args && i < PARTS_MAX; i += 2) {
        struct label next = {0};
        comp_cond(c, e->args[i], VM_IF_FALSE | VM_IF_NULL, &next);
        comp_into(c, e->args[i + 1], to);
        comp_jump(c, COMP(JUMP, 0), &end);
        comp_here(c, &next);
    }
    otherwise(c, e, 0, i, to);
    comp_here(c, &end);
}

static void case_value(struct comp *c, const struct ex *e, unsigned to)
{
    struct label end = {0};
    unsigned top = c->top;
    uint16_t x = (uint16_t)comp_temp(c), t = (uint16_t)comp_temp(c);
    uint32_t i = 1;
    comp_into(c, e->args[0], x);
    for (; i + 1 < e->n_args && i < PARTS_MAX; i += 2) {
        struct label next = {0};
        comp_into(c, e->args[i], t);
        comp_emit(c, COMP(IS, t, x, t, 0));
        comp_jump(c, COMP(JUMP_IF, t, VM_IF_FALSE), &next);
        comp_into(c, e->args[i + 1], to);
        comp_jump(c, COMP(JUMP, 0), &end);
        comp_here(c, &next);
    }
    otherwise(c, e, 1, i, to);
    comp_here(c, &end);
    c->top = top;
}

static void group_key(struct comp *c, const struct ex *e, unsigned to)
{
    struct label end = {0};
    comp_jump(c, COMP(ROLLED, (uint16_t)to, (uint16_t)e->i), &end);
    comp_into(c, e->args[0], to);
    comp_here(c, &end);
}

/* ---- structures and lists: made, then filled ---- */

static void filled(struct comp *c, const struct ex *e, unsigned to)
{
    uint16_t r = (uint16_t)to, t = (uint16_t)comp_temp(c), x = comp_ref(c, e);
    bool list = e->op == EX_ARRAY;
    comp_emit(c, list ? COMP(ARRAY, r, (uint16_t)e->n_args) : COMP(NEW, r, x));
    for (uint16_t i = 0; i < e->n_args; i++) {
        comp_into(c, e->args[i], t);
        comp_emit(c, list ? COMP(SET_ELEMENT, r, t, i) : COMP(SET_COLUMN, r, t, x, i));
    }
    c->top = t;
}

static void made(struct comp *c, const struct ex *e, unsigned to)
{
    if (e->n_args > PARTS_MAX) {
        comp_emit(c, COMP(APPLY_MANY, (uint16_t)to, comp_ref(c, e)));
    } else {
        filled(c, e, to);
    }
}

/* ---- all of it ---- */

typedef void maker(struct comp *c, const struct ex *e, unsigned to);

static maker *const makers[EX_OP_COUNT] = {
    [EX_CONST] = constant,
    [EX_PROP] = property,
    [EX_STREAM] = whole_event,
    [EX_FIELD] = unary,
    [EX_DYN] = unary,
    [EX_EXISTS_DYN] = comp_apply,
    [EX_KEY] = comp_apply,
    [EX_INDEX] = comp_apply,
    [EX_TAG_AT] = comp_apply,
    [EX_LAMBDA] = simple,
    [EX_VAR] = beyond,
    [EX_CONTEXT] = beyond,
    [EX_AGG] = beyond,
    [EX_AGG_METHOD] = beyond,
    [EX_TABLE_ROW] = beyond,
    [EX_TABLE_COL] = beyond,
    [EX_TABLE_KEYS] = beyond,
    [EX_NOW] = simple,
    [EX_CONV] = conversion,
    [EX_NEG] = unary,
    [EX_ADD] = arith,
    [EX_SUB] = arith,
    [EX_MUL] = arith,
    [EX_DIV] = arith,
    [EX_MOD] = arith,
    [EX_BIT_AND] = arith,
    [EX_BIT_OR] = arith,
    [EX_BIT_XOR] = arith,
    [EX_CONCAT] = concat,
    [EX_CMP_I] = comp_compare,
    [EX_CMP_D] = comp_compare,
    [EX_CMP_S] = comp_compare,
    [EX_CMP_B] = comp_compare,
    [EX_CMP_ANY] = comp_compare,
    [EX_IS] = comp_is,
    [EX_AND] = comp_logic,
    [EX_OR] = comp_logic,
    [EX_NOT] = unary,
    [EX_BETWEEN] = comp_between,
    [EX_RANGE] = comp_between,
    [EX_IN] = comp_in,
    [EX_LIKE] = comp_apply,
    [EX_REGEXP] = comp_apply,
    [EX_CASE] = cases,
    [EX_CASE_VALUE] = case_value,
    [EX_COALESCE] = coalesce,
    [EX_MIN] = extreme,
    [EX_MAX] = extreme,
    [EX_CAST] = cast,
    [EX_INSTANCEOF] = comp_apply,
    [EX_TYPEOF] = comp_apply,
    [EX_GROUP_KEY] = group_key,
    [EX_ISTREAM] = simple,
    [EX_GROUPING] = simple,
    [EX_GROUPING_ID] = comp_apply,
    [EX_NEW] = made,
    [EX_ARRAY] = made,
    [EX_CALL] = call,
    [EX_METHOD] = call,
    [EX_ENUM] = unary,
    [EX_PREV] = beyond,
    [EX_PREV_TAIL] = beyond,
    [EX_PREV_COUNT] = beyond,
    [EX_PREV_WINDOW] = beyond,
    [EX_PRIOR] = beyond,
    [EX_SUBQ] = beyond,
    [EX_SUBQ_ROW] = beyond,
    [EX_SUBQ_EXISTS] = beyond,
    [EX_SUBQ_IN] = beyond,
    [EX_SUBQ_QUANT] = beyond,
    [EX_SUBQ_LIST] = beyond,
    [EX_QUANT] = comp_apply,
    [EX_PERIOD] = comp_apply,
    [EX_MR_GROUP] = simple,
    [EX_WINDOW_PROP] = simple,
    [EX_BUCKET] = comp_apply,
};

void comp_into(struct comp *c, const struct ex *e, unsigned to)
{
    assert(to < c->top && makers[e->op] != NULL);
    if (e->flat != NULL) {
        struct ex at = {.op = EX_PROP, .ty = e->ty, .of = e->flat, .slot = e->flat_slot};
        comp_emit(c, COMP(COLUMN, (uint16_t)to, comp_place(c, &at)));
    } else if (comp_full(c, e)) {
        comp_emit(c, COMP(SUB, (uint16_t)to, comp_ref(c, e)));
    } else {
        makers[e->op](c, e, to);
    }
}

static void value(struct comp *c, const struct ex *e)
{
    if (e->op == EX_CONST) {
        comp_emit(c, COMP(RETURN_CONST, comp_const(c, e->k)));
    } else if (e->op == EX_PROP && e->level == 0) {
        comp_emit(c, COMP(RETURN_COLUMN, comp_place(c, e)));
    } else if (e->op == EX_AGG) {
        comp_emit(c, COMP(RETURN_AGG, comp_ref(c, e)));
    } else {
        unsigned r = comp_temp(c);
        comp_into(c, e, r);
        comp_emit(c, COMP(RETURN, (uint16_t)r));
    }
}

static void decision(struct comp *c, const struct ex *e)
{
    struct label no = {0};
    if (e->ty.kind != TY_BOOL && e->ty.kind != TY_NULL) {
        value(c, e); /* is not true, whatever it is */
        return;
    }
    comp_cond(c, e, VM_IF_FALSE | VM_IF_NULL, &no);
    comp_emit(c, COMP(RETURN_TRUE, 0));
    comp_here(c, &no);
    comp_emit(c, COMP(RETURN_FALSE, 0));
}

static const void *kept(struct arena *a, const void *from, size_t n, size_t size)
{
    void *to = arena_array(a, n + 1, size);
    assert(to != NULL && "the arena of a deployment has room for its programs");
    if (n > 0) {
        memcpy(to, from, n * size);
    }
    return to;
}

static const struct vm_prog *finished(const struct comp *c)
{
    static const struct vm_ins refused_ins = {.op = VM_REFUSED};
    static const struct vm_prog refused = {.ins = &refused_ins, .n_ins = 1};
    struct arena *a = c->root->home;
    struct vm_prog *p = (struct vm_prog *)(uintptr_t)kept(a, NULL, 0, sizeof *p);
    struct err err;
    err_clear(&err);
    *p = (struct vm_prog){
        .ins = kept(a, c->ins.ptr, c->ins.len, sizeof *p->ins),
        .k = kept(a, c->k.ptr, c->k.len, sizeof *p->k),
        .places = kept(a, c->places.ptr, c->places.len, sizeof *p->places),
        .refs = kept(a, c->refs.ptr, c->refs.len, sizeof *p->refs),
        .n_ins = (uint16_t)c->ins.len,
        .n_k = (uint16_t)c->k.len,
        .n_places = (uint16_t)c->places.len,
        .n_refs = (uint16_t)c->refs.len,
        .n_regs = (uint16_t)c->most,
    };
    int rc = vm_verify(p, &err);
    assert(rc == 0 && "the compiler makes what the verifier takes");
    return rc == 0 ? p : &refused;
}

const struct vm_prog *vm_compile(const struct ex *e, enum vm_use use)
{
    struct comp c = {.root = e};
    assert(e != NULL && e->home != NULL);
    if (use == VM_VALUE) {
        value(&c, e);
    } else {
        decision(&c, e);
    }
    const struct vm_prog *p = finished(&c);
    VEC_DONE(&c.ins);
    VEC_DONE(&c.k);
    VEC_DONE(&c.places);
    VEC_DONE(&c.refs);
    return p;
}
