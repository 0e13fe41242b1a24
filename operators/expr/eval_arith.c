/* SPDX-License-Identifier: Apache-2.0
 *
 * Arithmetic. The binder has brought both operands to the type of the result; integers wrap.
 */
#include "core/base/buf.h"
#include "operators/expr/eval_impl.h"
#include "operators/sig/val_big.h"

#include <math.h>

static const uint8_t kind_of[] = {
    [TY_BYTE] = VAL_BYTE,     [TY_SHORT] = VAL_SHORT,   [TY_INT] = VAL_INT,
    [TY_LONG] = VAL_LONG,     [TY_FLOAT] = VAL_FLOAT,   [TY_DOUBLE] = VAL_DOUBLE,
    [TY_BIGINT] = VAL_BIGINT, [TY_BIGDEC] = VAL_BIGDEC,
};

struct val eval_conv(const struct ex *e, struct ectx *c)
{
    struct val v = ex_eval(e->args[0], c);
    return val_is_null(v) ? v : val_as(c->heap, v, kind_of[e->ty.kind]);
}

static struct val wrap(enum ty_kind t, uint64_t i)
{
    return t == TY_LONG ? val_long((int64_t)i) : val_int((int32_t)(uint32_t)i);
}

static struct val big(const struct ex *e, struct ectx *c, char op, struct val a, struct val b)
{
    struct val v = big_arith(c->heap, op, a, b, kind_of[e->ty.kind]);
    if (val_is_null(v)) {
        ectx_fail(c, "no exact result of '%c' on big numbers", op);
    }
    return v;
}

#define OPERANDS                                                                                   \
    struct val a = ex_eval(e->args[0], c), b = ex_eval(e->args[1], c);                             \
    if (val_is_null(a) || val_is_null(b)) {                                                        \
        return VAL_NONE;                                                                           \
    }

#define ARITH(name, op, sign)                                                                      \
    struct val name(const struct ex *e, struct ectx *c)                                            \
    {                                                                                              \
        OPERANDS                                                                                   \
        switch (e->ty.kind) {                                                                      \
        case TY_DOUBLE: return val_double(val_to_double(a) op val_to_double(b));                   \
        case TY_FLOAT: return val_float((double)((float)a.d op(float) b.d));                       \
        case TY_BIGINT:                                                                            \
        case TY_BIGDEC: return big(e, c, sign, a, b);                                              \
        default: return wrap(e->ty.kind, (uint64_t)a.i op(uint64_t) b.i);                          \
        }                                                                                          \
    }

ARITH(eval_add, +, '+')
ARITH(eval_sub, -, '-')
ARITH(eval_mul, *, '*')

struct val eval_div(const struct ex *e, struct ectx *c)
{
    OPERANDS
    if (e->ty.kind == TY_BIGDEC) {
        return big(e, c, '/', a, b);
    }
    return val_double(val_to_double(a) / val_to_double(b));
}

struct val eval_mod(const struct ex *e, struct ectx *c)
{
    OPERANDS
    switch (e->ty.kind) {
    case TY_DOUBLE:
    case TY_FLOAT: {
        double r = fmod(val_to_double(a), val_to_double(b));
        return e->ty.kind == TY_FLOAT ? val_float(r) : val_double(r);
    }
    case TY_BIGINT:
    case TY_BIGDEC: return big(e, c, '%', a, b);
    default:
        if (b.i == 0) {
            ectx_fail(c, "remainder of a division by zero");
            return VAL_NONE;
        }
        return wrap(e->ty.kind, b.i == -1 ? 0 : (uint64_t)(a.i % b.i));
    }
}

struct val eval_neg(const struct ex *e, struct ectx *c)
{
    struct val v = ex_eval(e->args[0], c);
    switch (v.kind) {
    case VAL_NULL: return v;
    case VAL_FLOAT:
    case VAL_DOUBLE: return val_double(-v.d);
    case VAL_BIGINT:
    case VAL_BIGDEC: return big(e, c, '-', val_int(0), v);
    default: return wrap(e->ty.kind, 0 - (uint64_t)v.i);
    }
}

struct val eval_bits(const struct ex *e, struct ectx *c)
{
    OPERANDS
    if (e->ty.kind == TY_BOOL) {
        bool r = e->op == EX_BIT_AND  ? (a.b && b.b)
                 : e->op == EX_BIT_OR ? (a.b || b.b)
                                      : a.b != b.b;
        return val_bool(r);
    }
    int64_t r = e->op == EX_BIT_AND ? (a.i & b.i) : e->op == EX_BIT_OR ? (a.i | b.i) : (a.i ^ b.i);
    return (struct val){.kind = kind_of[e->ty.kind], .i = r};
}

struct val eval_concat(const struct ex *e, struct ectx *c)
{
    OPERANDS
    if (a.kind != VAL_STRING) {
        a = val_str(val_text(c->heap, a));
    }
    if (b.kind != VAL_STRING) {
        b = val_str(val_text(c->heap, b));
    }
    struct vstr *s = vstr_room(c->heap, (size_t)a.s->len + b.s->len);
    memcpy(s->s, a.s->s, a.s->len);
    memcpy(s->s + a.s->len, b.s->s, b.s->len);
    return val_str(s);
}
