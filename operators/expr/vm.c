/* SPDX-License-Identifier: Apache-2.0
 *
 * The interpreter of programs (vm.h): a function per instruction, all of them inlined into one that
 * goes from label to label. Arithmetic and comparisons look at the kinds of their operands once:
 * what they expect is done at once, null and the rest by the slower functions of eval_*.c. So no
 * value of an unexpected kind, whatever it came from, is read as what it is not.
 */
#include "operators/expr/vm.h"

#include "operators/expr/eval_impl.h"
#include "operators/expr/fn_impl.h"

#include <assert.h>
#include <math.h>

struct vm {
    struct dat *r;
    const struct vm_prog *p;
    struct ectx *c;
};

#define DO(name)                                                                                   \
    static inline ALWAYS_INLINE const struct vm_ins *do_##name(const struct vm *m,                 \
                                                               const struct vm_ins *i)
#define GIVE(name)                                                                                 \
    static inline ALWAYS_INLINE struct dat do_##name(const struct vm *m, const struct vm_ins *i)
/* Operand n of the instruction: register, constant, place, expression, target. */
#define R(n)  m->r[i->v[n]]
#define K(n)  m->p->k[i->v[n]]
#define P(n)  (&m->p->places[i->v[n]])
#define X(n)  (&m->p->refs[i->v[n]])
#define TO(n) (m->p->ins + i->v[n])

/* ---- values ---- */

static inline ALWAYS_INLINE struct dat column(const struct vm_place *at, struct evt **row)
{
    const struct evt *e = row[at->stream];
    return UNLIKELY(e == NULL) ? DAT_NONE : evt_get(e, at->of, at->slot);
}

static struct evt *event_at(const struct vm_place *at, const struct ectx *c)
{
    for (uint16_t l = at->level; l > 0; l--) {
        c = c->outer;
    }
    return c->row[at->stream];
}

DO(CONST)
{
    R(0) = K(1);
    return i + 1;
}

DO(COLUMN)
{
    R(0) = column(P(1), m->c->row);
    return i + 1;
}

DO(OUTER)
{
    const struct evt *e = event_at(P(1), m->c);
    R(0) = e == NULL ? DAT_NONE : evt_get(e, P(1)->of, P(1)->slot);
    return i + 1;
}

DO(EVENT)
{
    R(0) = dat_evt(event_at(P(1), m->c));
    return i + 1;
}

DO(FIELD)
{
    struct dat v = R(1);
    R(0) = v.kind != DAT_EVENT ? DAT_NONE : evt_get(v.ev, P(2)->of, P(2)->slot);
    return i + 1;
}

DO(LAMBDA)
{
    assert(m->c->lambda != NULL && i->v[1] < ECTX_LAMBDA_MAX);
    R(0) = m->c->lambda[i->v[1]];
    return i + 1;
}

DO(NOW)
{
    R(0) = dat_long(m->c->now);
    return i + 1;
}

DO(ISTREAM)
{
    R(0) = dat_bool(!m->c->leaving);
    return i + 1;
}

static inline ALWAYS_INLINE bool is_rolled(const struct ectx *c, uint16_t group)
{
    return ((c->grouping >> group) & 1u) != 0;
}

DO(GROUPING)
{
    R(0) = dat_int(is_rolled(m->c, i->v[1]));
    return i + 1;
}

DO(PSEUDO)
{
    const struct dat *v = m->c->pseudo;
    R(0) = v[i->v[1]];
    return i + 1;
}

/* ---- control ---- */

DO(JUMP)
{
    return TO(0);
}

static inline ALWAYS_INLINE unsigned truth(struct dat v)
{
    return dat_is_null(v) ? VM_IF_NULL : v.b ? VM_IF_TRUE : VM_IF_FALSE;
}

DO(JUMP_IF)
{
    return (truth(R(0)) & i->v[1]) != 0 ? TO(2) : i + 1;
}

DO(JUMP_NULL)
{
    return dat_is_null(R(0)) ? TO(1) : i + 1;
}

DO(JUMP_SET)
{
    return dat_is_null(R(0)) ? i + 1 : TO(1);
}

DO(JUMP_NULL_C)
{
    return dat_is_null(column(P(0), m->c->row)) ? TO(1) : i + 1;
}

DO(JUMP_SET_C)
{
    return dat_is_null(column(P(0), m->c->row)) ? i + 1 : TO(1);
}

DO(NULL_ENDS)
{
    if (!dat_is_null(R(1))) {
        return i + 1;
    }
    R(0) = DAT_NONE;
    return TO(2);
}

DO(ROLLED)
{
    if (!is_rolled(m->c, i->v[1])) {
        return i + 1;
    }
    R(0) = DAT_NONE;
    return TO(2);
}

GIVE(RETURN)
{
    return R(0);
}

GIVE(RETURN_CONST)
{
    return K(0);
}

GIVE(RETURN_COLUMN)
{
    return column(P(0), m->c->row);
}

GIVE(RETURN_AGG)
{
    return m->c->ops->agg(m->c, X(0)->e);
}

GIVE(RETURN_TRUE)
{
    (void)m, (void)i;
    return dat_bool(true);
}

GIVE(RETURN_FALSE)
{
    (void)m, (void)i;
    return dat_bool(false);
}

GIVE(REFUSED)
{
    (void)i;
    ectx_fail(m->c, "this expression's program is not right");
    return DAT_NONE;
}

/* ---- logic ---- */

DO(NOT)
{
    struct dat v = R(1);
    R(0) = dat_is_null(v) ? DAT_NONE : dat_bool(!v.b);
    return i + 1;
}

static inline ALWAYS_INLINE const struct vm_ins *step(const struct vm *m, const struct vm_ins *i,
                                                      bool end)
{
    struct dat v = R(1);
    if (dat_is_null(v)) {
        R(0) = v;
    } else if (v.b == end) {
        R(0) = v;
        return TO(2);
    }
    return i + 1;
}

DO(AND_STEP)
{
    return step(m, i, false);
}

DO(OR_STEP)
{
    return step(m, i, true);
}

DO(IS_NULL)
{
    R(0) = dat_bool(dat_is_null(R(1)) != (i->v[2] != 0));
    return i + 1;
}

DO(IS)
{
    R(0) = dat_bool(dat_same(R(1), R(2)) != (i->v[3] != 0));
    return i + 1;
}

/* ---- comparisons ---- */

static inline ALWAYS_INLINE unsigned order_INT(struct dat a, struct dat b)
{
    if (UNLIKELY(dat_is_null(a) || dat_is_null(b))) {
        return VM_ONE_NULL;
    }
    return 1u + (unsigned)(a.i > b.i) - (unsigned)(a.i < b.i);
}

static COLD unsigned order_odd(struct dat a, struct dat b)
{
    if (dat_is_null(a) || dat_is_null(b)) {
        return VM_ONE_NULL;
    }
    double x = dat_to_double(a), y = dat_to_double(b);
    if (isnan(x) || isnan(y)) {
        return isnan(x) && isnan(y) ? VM_TWO_NANS : VM_ONE_NAN;
    }
    return 1u + (unsigned)(x > y) - (unsigned)(x < y);
}

static inline ALWAYS_INLINE unsigned order_DOUBLE(struct dat a, struct dat b)
{
    if (UNLIKELY(!dat_is_float(a) || !dat_is_float(b) || isunordered(a.d, b.d))) {
        return order_odd(a, b);
    }
    return 1u + (unsigned)(a.d > b.d) - (unsigned)(a.d < b.d);
}

static inline ALWAYS_INLINE unsigned order_TEXT(struct dat a, struct dat b)
{
    if (UNLIKELY(a.kind != DAT_STRING || b.kind != DAT_STRING)) {
        bool null = dat_is_null(a) || dat_is_null(b);
        return null ? VM_ONE_NULL : dat_same(a, b) ? VM_EQUAL : VM_LESS;
    }
    bool same = a.s == b.s || (a.s->len == b.s->len && a.s->s[0] == b.s->s[0] &&
                               memcmp(a.s->s, b.s->s, a.s->len) == 0);
    return same ? VM_EQUAL : VM_LESS;
}

static inline ALWAYS_INLINE unsigned order_ORDER(struct dat a, struct dat b)
{
    if (dat_is_null(a) || dat_is_null(b)) {
        return VM_ONE_NULL;
    }
    int o = dat_cmp(a, b);
    return 1u + (unsigned)(o > 0) - (unsigned)(o < 0);
}

static inline ALWAYS_INLINE struct dat told(unsigned outcome, unsigned among)
{
    return outcome == VM_ONE_NULL ? DAT_NONE : dat_bool(((among >> outcome) & 1u) != 0);
}

#define COMPARE(name, order, a, b)                                                                 \
    DO(CMP_##name)                                                                                 \
    {                                                                                              \
        R(0) = told(order(a, b), i->v[3]);                                                         \
        return i + 1;                                                                              \
    }
#define BRANCH(name, order, a, b)                                                                  \
    DO(JUMP_##name)                                                                                \
    {                                                                                              \
        return ((i->v[2] >> order(a, b)) & 1u) != 0 ? TO(3) : i + 1;                               \
    }
#define COL(n) column(P(n), m->c->row)
#define COMPARISONS(type)                                                                          \
    COMPARE(type, order_##type, R(1), R(2))                                                        \
    COMPARE(type##_K, order_##type, R(1), K(2))                                                    \
    BRANCH(type, order_##type, R(0), R(1))                                                         \
    BRANCH(type##_K, order_##type, R(0), K(1))                                                     \
    BRANCH(type##_CK, order_##type, COL(0), K(1))                                                  \
    BRANCH(type##_CC, order_##type, COL(0), COL(1))

COMPARISONS(INT)
COMPARISONS(DOUBLE)
COMPARISONS(TEXT)
COMPARE(ORDER, order_ORDER, R(1), R(2))
BRANCH(ORDER, order_ORDER, R(0), R(1))

DO(CMP_ANY)
{
    R(0) = ex_compare((enum ast_op)i->v[3], R(1), R(2), i->v[4] != 0);
    return i + 1;
}

DO(BETWEEN)
{
    R(0) = eval_between(R(1), R(2), R(3), i->v[4]);
    return i + 1;
}

DO(IN_CONST)
{
    R(0) = eval_in_const(R(1), &K(2), i->v[3], i->v[4]);
    return i + 1;
}

DO(JUMP_IN)
{
    unsigned is = truth(eval_in_const(R(0), &K(1), i->v[2], i->v[3]));
    return ((unsigned)i->v[3] >> VM_FLAG_SET & is) != 0 ? TO(4) : i + 1;
}

DO(JUMP_IN_C)
{
    unsigned is = truth(eval_in_const(column(P(0), m->c->row), &K(1), i->v[2], i->v[3]));
    return ((unsigned)i->v[3] >> VM_FLAG_SET & is) != 0 ? TO(4) : i + 1;
}

DO(IN_STEP)
{
    int is = eval_among(R(1), R(2), (i->v[3] & VM_FLAG_SPREAD) != 0);
    if (is == 1) {
        R(0) = dat_bool((i->v[3] & VM_FLAG_NOT) == 0);
        return TO(4);
    }
    R(0) = is < 0 ? DAT_NONE : R(0);
    return i + 1;
}

/* ---- numbers ---- */

#define WHOLE(a, b, kind_, op, of)                                                                 \
    LIKELY((a).kind == (kind_) && (b).kind == (kind_)) ? of((uint64_t)(a).i op(uint64_t)(b).i)
#define AS_INT(x)  dat_int((int32_t)(uint32_t)(x))
#define AS_LONG(x) dat_long((int64_t)(x))

#define ARITH(name, ex_op, op)                                                                     \
    static inline ALWAYS_INLINE struct dat name##_int(struct dat a, struct dat b, struct ectx *c)  \
    {                                                                                              \
        return WHOLE(a, b, DAT_INT, op, AS_INT) : eval_arith(ex_op, TY_INT, a, b, c);              \
    }                                                                                              \
    static inline ALWAYS_INLINE struct dat name##_long(struct dat a, struct dat b, struct ectx *c) \
    {                                                                                              \
        return WHOLE(a, b, DAT_LONG, op, AS_LONG) : eval_arith(ex_op, TY_LONG, a, b, c);           \
    }                                                                                              \
    DOUBLES(name, ex_op, op)
/* Also of whole numbers, which then need not be converted before. */
#define IS_BINARY(v) ((v).kind - DAT_BYTE <= (uint64_t)(DAT_DOUBLE - DAT_BYTE))
#define WIDE(v)      ((v).kind >= DAT_FLOAT ? (v).d : (double)(v).i)
#define DOUBLES(name, ex_op, op)                                                                   \
    static inline ALWAYS_INLINE struct dat name##_double(struct dat a, struct dat b,               \
                                                         struct ectx *c)                           \
    {                                                                                              \
        return LIKELY(IS_BINARY(a) && IS_BINARY(b)) ? dat_double(WIDE(a) op WIDE(b))               \
                                                    : eval_arith(ex_op, TY_DOUBLE, a, b, c);       \
    }
ARITH(add, EX_ADD, +)
ARITH(sub, EX_SUB, -)
ARITH(mul, EX_MUL, *)
DOUBLES(div, EX_DIV, /)

#define BINARY(name, fn)                                                                           \
    DO(name)                                                                                       \
    {                                                                                              \
        R(0) = fn(R(1), R(2), m->c);                                                               \
        return i + 1;                                                                              \
    }                                                                                              \
    DO(name##_K)                                                                                   \
    {                                                                                              \
        R(0) = fn(R(1), K(2), m->c);                                                               \
        return i + 1;                                                                              \
    }                                                                                              \
    DO(name##_C)                                                                                   \
    {                                                                                              \
        R(0) = fn(R(1), COL(2), m->c);                                                             \
        return i + 1;                                                                              \
    }
BINARY(ADD_INT, add_int)
BINARY(SUB_INT, sub_int)
BINARY(MUL_INT, mul_int)
BINARY(ADD_LONG, add_long)
BINARY(SUB_LONG, sub_long)
BINARY(MUL_LONG, mul_long)
BINARY(ADD_DOUBLE, add_double)
BINARY(SUB_DOUBLE, sub_double)
BINARY(MUL_DOUBLE, mul_double)
BINARY(DIV_DOUBLE, div_double)

DO(ARITH)
{
    const struct ex *e = X(3)->e;
    R(0) = eval_arith(e->op, e->ty.kind, R(1), R(2), m->c);
    return i + 1;
}

DO(NEG)
{
    R(0) = eval_neg(X(2)->e->ty.kind, R(1), m->c);
    return i + 1;
}

DO(TO_LONG)
{
    struct dat v = R(1);
    v.kind = LIKELY(dat_is_integer(v)) ? DAT_LONG : v.kind;
    R(0) = v;
    return i + 1;
}

DO(TO_DOUBLE)
{
    struct dat v = R(1);
    R(0) = dat_is_integer(v) ? dat_double((double)v.i) : eval_convert(TY_DOUBLE, v, m->c);
    return i + 1;
}

DO(CONVERT)
{
    R(0) = eval_convert((enum ty_kind)i->v[2], R(1), m->c);
    return i + 1;
}

static inline ALWAYS_INLINE struct dat extreme(struct dat a, struct dat b, int sign)
{
    if (LIKELY(a.kind == b.kind && dat_is_integer(a))) {
        return (sign < 0 ? b.i < a.i : b.i > a.i) ? b : a;
    }
    return eval_extreme(a, b, sign);
}

DO(MIN)
{
    R(0) = extreme(R(1), R(2), -1);
    return i + 1;
}

DO(MAX)
{
    R(0) = extreme(R(1), R(2), 1);
    return i + 1;
}

/* ---- objects ---- */

DO(CONCAT)
{
    R(0) = eval_concat(&R(1), i->v[2], m->c);
    return i + 1;
}

DO(PROPERTY)
{
    R(0) = eval_property(R(1), X(2)->e->name);
    return i + 1;
}

DO(NEW)
{
    R(0) = dat_evt(evt_new(m->c->heap, X(1)->e->of));
    return i + 1;
}

DO(SET_COLUMN)
{
    evt_set(R(0).ev, i->v[3], R(1));
    return i + 1;
}

DO(ARRAY)
{
    R(0) = dat_list(vlist_new(m->c->heap, i->v[1]));
    return i + 1;
}

DO(SET_ELEMENT)
{
    vlist_set(R(0).l, i->v[2], R(1));
    return i + 1;
}

DO(CAST)
{
    R(0) = fn_cast(X(2)->e, m->c, &R(1));
    return i + 1;
}

/* ---- calls ---- */

DO(CALL)
{
    const struct vm_ref *x = X(1);
    struct fn_in in = {.e = x->e, .c = m->c, .h = m->c->heap, .v = &R(2), .n = i->v[3]};
    R(0) = x->fn(&in);
    return i + 1;
}

DO(APPLY)
{
    R(0) = X(1)->apply(X(1)->e, m->c, &R(2));
    return i + 1;
}

DO(APPLY_MANY)
{
    const struct ex *e = X(1)->e;
    struct vlist *l = vlist_new(m->c->heap, e->n_args);
    for (uint32_t k = 0; k < e->n_args; k++) {
        vlist_set(l, k, ex_eval(e->args[k], m->c));
    }
    R(0) = X(1)->apply(e, m->c, l->v);
    return i + 1;
}

DO(METHOD)
{
    R(0) = fn_enum(X(1)->e, m->c, R(2));
    return i + 1;
}

DO(SUB)
{
    R(0) = ex_eval(X(1)->e, m->c);
    return i + 1;
}

#define BEYOND(name, op)                                                                           \
    DO(name)                                                                                       \
    {                                                                                              \
        R(0) = m->c->ops->op(m->c, X(1)->e);                                                       \
        return i + 1;                                                                              \
    }
BEYOND(AGG, agg)
BEYOND(PREV, prev)
BEYOND(SUBQUERY, subq)
BEYOND(TABLE, table)
BEYOND(VAR, var)
BEYOND(CONTEXT, context)

/* ---- the loop ---- */

#define LABEL(name) (const void *)&&L_##name

/* From instruction i on, before which no register was written. */
static INLINES_LITTLE struct dat run_from(const struct vm_prog *p, struct ectx *c,
                                          const struct vm_ins *i)
{
    static const void *const labels[VM_OP_COUNT] = {
#define INS(name, operands, doc) LABEL(name),
#define END(name, operands, doc) LABEL(name),
#include "operators/expr/vm.def"
#undef INS
#undef END
    };
    struct dat r[VM_REGS_MAX];
    const struct vm m = {r, p, c};
    goto *labels[i->op];
#define INS(name, operands, doc)                                                                   \
    L_##name : i = do_##name(&m, i);                                                               \
    goto *labels[i->op];
#define END(name, operands, doc) L_##name : return do_##name(&m, i);
#include "operators/expr/vm.def"
#undef INS
#undef END
}

const struct vm_row vm_rows[VM_OP_COUNT] = {
#define INS(name, operands, doc) {#name, operands, doc, false},
#define END(name, operands, doc) {#name, operands, doc, true},
#include "operators/expr/vm.def"
#undef INS
#undef END
};

/* ---- entries ---- */

struct dat vm_run(const struct vm_prog *p, struct ectx *c)
{
    return run_from(p, c, p->ins);
}

/* The program is a part of the expression that is made late: nobody sees the difference. */

static COLD struct dat first_eval(const struct ex *e, struct ectx *c)
{
    struct ex *own = (struct ex *)(uintptr_t)e;
    own->value = vm_compile(e, VM_VALUE);
    return vm_run(e->value, c);
}

static COLD bool first_true(const struct ex *e, struct ectx *c)
{
    struct ex *own = (struct ex *)(uintptr_t)e;
    own->decision = vm_compile(e, VM_DECISION);
    return dat_true(vm_run(e->decision, c));
}

static inline ALWAYS_INLINE struct dat own_column(const struct ex *e, const struct ectx *c)
{
    const struct evt *ev = c->row[e->stream];
    return UNLIKELY(ev == NULL) ? DAT_NONE : evt_get(ev, e->of, e->slot);
}

/* A column, one of an event in a column, a constant or an aggregation alone is had without the
 * loop. */
struct dat ex_eval(const struct ex *e, struct ectx *c)
{
    if (e->op == EX_PROP && e->level == 0) {
        return own_column(e, c);
    }
    if (LIKELY(e->value != NULL)) {
        return vm_run(e->value, c);
    }
    if (e->op == EX_CONST) {
        return e->k;
    }
    if (e->flat != NULL) {
        const struct evt *ev = c->row[0];
        return UNLIKELY(ev == NULL) ? DAT_NONE : evt_get(ev, e->flat, e->flat_slot);
    }
    if (e->op == EX_FIELD && e->args[0]->op == EX_PROP && e->args[0]->level == 0) {
        struct dat v = own_column(e->args[0], c);
        return v.kind != DAT_EVENT ? DAT_NONE : evt_get(v.ev, e->of, e->slot);
    }
    if (e->op == EX_AGG) {
        return c->ops->agg(c, e);
    }
    return first_eval(e, c);
}

/* Decisions begin with columns mostly, and often that is all: no registers, no loop. */
bool ex_true(const struct ex *e, struct ectx *c)
{
    if (e == NULL) {
        return true;
    }
    if (UNLIKELY(e->decision == NULL)) {
        return first_true(e, c);
    }
    const struct vm_prog *p = e->decision;
    const struct vm m = {NULL, p, c};
    const struct vm_ins *i = p->ins;
    for (;;) {
        switch (i->op) {
        case VM_JUMP_INT_CK: i = do_JUMP_INT_CK(&m, i); break;
        case VM_JUMP_INT_CC: i = do_JUMP_INT_CC(&m, i); break;
        case VM_JUMP_DOUBLE_CK: i = do_JUMP_DOUBLE_CK(&m, i); break;
        case VM_JUMP_DOUBLE_CC: i = do_JUMP_DOUBLE_CC(&m, i); break;
        case VM_JUMP_TEXT_CK: i = do_JUMP_TEXT_CK(&m, i); break;
        case VM_JUMP_TEXT_CC: i = do_JUMP_TEXT_CC(&m, i); break;
        case VM_JUMP_NULL_C: i = do_JUMP_NULL_C(&m, i); break;
        case VM_JUMP_SET_C: i = do_JUMP_SET_C(&m, i); break;
        case VM_JUMP_IN_C: i = do_JUMP_IN_C(&m, i); break;
        case VM_RETURN_TRUE: return true;
        case VM_RETURN_FALSE: return false;
        default: return dat_true(run_from(p, c, i));
        }
    }
}
