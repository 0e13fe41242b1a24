/* SPDX-License-Identifier: Apache-2.0
 *
 * Arithmetic. The binder has brought both operands to the type of the result; integers wrap.
 */
#include "core/base/buf.h"
#include "operators/expr/eval_impl.h"
#include "operators/sig/dat_big.h"

#include <math.h>

static const uint8_t kind_of[] = {
    [TY_BYTE] = DAT_BYTE,     [TY_SHORT] = DAT_SHORT,   [TY_INT] = DAT_INT,
    [TY_LONG] = DAT_LONG,     [TY_FLOAT] = DAT_FLOAT,   [TY_DOUBLE] = DAT_DOUBLE,
    [TY_BIGINT] = DAT_BIGINT, [TY_BIGDEC] = DAT_BIGDEC,
};

struct dat eval_conv(const struct ex *e, struct ectx *c)
{
    struct dat v = ex_eval(e->args[0], c);
    return dat_is_null(v) ? v : dat_as(c->heap, v, kind_of[e->ty.kind]);
}

static struct dat wrap(enum ty_kind t, uint64_t i)
{
    return t == TY_LONG ? dat_long((int64_t)i) : dat_int((int32_t)(uint32_t)i);
}

static struct dat big(const struct ex *e, struct ectx *c, char op, struct dat a, struct dat b)
{
    struct dat v = big_arith(c->heap, op, a, b, kind_of[e->ty.kind]);
    if (dat_is_null(v)) {
        ectx_fail(c, "no exact result of '%c' on big numbers", op);
    }
    return v;
}

#define OPERANDS                                                                                   \
    struct dat a = ex_eval(e->args[0], c), b = ex_eval(e->args[1], c);                             \
    if (dat_is_null(a) || dat_is_null(b)) {                                                        \
        return DAT_NONE;                                                                           \
    }

#define ARITH(name, op, sign)                                                                      \
    struct dat name(const struct ex *e, struct ectx *c)                                            \
    {                                                                                              \
        OPERANDS                                                                                   \
        switch (e->ty.kind) {                                                                      \
        case TY_DOUBLE: return dat_double(dat_to_double(a) op dat_to_double(b));                   \
        case TY_FLOAT: return dat_float((double)((float)a.d op(float) b.d));                       \
        case TY_BIGINT:                                                                            \
        case TY_BIGDEC: return big(e, c, sign, a, b);                                              \
        default: return wrap(e->ty.kind, (uint64_t)a.i op(uint64_t) b.i);                          \
        }                                                                                          \
    }

ARITH(eval_add, +, '+')
ARITH(eval_sub, -, '-')
ARITH(eval_mul, *, '*')

struct dat eval_div(const struct ex *e, struct ectx *c)
{
    OPERANDS
    if (e->ty.kind == TY_BIGDEC) {
        return big(e, c, '/', a, b);
    }
    return dat_double(dat_to_double(a) / dat_to_double(b));
}

struct dat eval_mod(const struct ex *e, struct ectx *c)
{
    OPERANDS
    switch (e->ty.kind) {
    case TY_DOUBLE:
    case TY_FLOAT: {
        double r = fmod(dat_to_double(a), dat_to_double(b));
        return e->ty.kind == TY_FLOAT ? dat_float(r) : dat_double(r);
    }
    case TY_BIGINT:
    case TY_BIGDEC: return big(e, c, '%', a, b);
    default:
        if (b.i == 0) {
            ectx_fail(c, "remainder of a division by zero");
            return DAT_NONE;
        }
        return wrap(e->ty.kind, b.i == -1 ? 0 : (uint64_t)(a.i % b.i));
    }
}

struct dat eval_neg(const struct ex *e, struct ectx *c)
{
    struct dat v = ex_eval(e->args[0], c);
    switch (v.kind) {
    case DAT_NULL: return v;
    case DAT_FLOAT:
    case DAT_DOUBLE: return dat_double(-v.d);
    case DAT_BIGINT:
    case DAT_BIGDEC: return big(e, c, '-', dat_int(0), v);
    default: return wrap(e->ty.kind, 0 - (uint64_t)v.i);
    }
}

struct dat eval_bits(const struct ex *e, struct ectx *c)
{
    OPERANDS
    if (e->ty.kind == TY_BOOL) {
        bool r = e->op == EX_BIT_AND  ? (a.b && b.b)
                 : e->op == EX_BIT_OR ? (a.b || b.b)
                                      : a.b != b.b;
        return dat_bool(r);
    }
    int64_t r = e->op == EX_BIT_AND ? (a.i & b.i) : e->op == EX_BIT_OR ? (a.i | b.i) : (a.i ^ b.i);
    return (struct dat){.kind = kind_of[e->ty.kind], .i = r};
}

struct dat eval_concat(const struct ex *e, struct ectx *c)
{
    OPERANDS
    if (a.kind != DAT_STRING) {
        a = dat_str(dat_text(c->heap, a));
    }
    if (b.kind != DAT_STRING) {
        b = dat_str(dat_text(c->heap, b));
    }
    struct vstr *s = vstr_room(c->heap, (size_t)a.s->len + b.s->len);
    memcpy(s->s, a.s->s, a.s->len);
    memcpy(s->s + a.s->len, b.s->s, b.s->len);
    return dat_str(s);
}
