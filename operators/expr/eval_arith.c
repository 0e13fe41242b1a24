/* SPDX-License-Identifier: Apache-2.0
 *
 * Arithmetic. The binder has brought both operands to the type of the result; integers wrap.
 */
#include "operators/expr/eval_impl.h"
#include "operators/sig/dat_big.h"

#include <math.h>

static const uint8_t kind_of[TY_LIST + 1] = {
    [TY_BYTE] = DAT_BYTE,     [TY_SHORT] = DAT_SHORT,   [TY_INT] = DAT_INT,
    [TY_LONG] = DAT_LONG,     [TY_FLOAT] = DAT_FLOAT,   [TY_DOUBLE] = DAT_DOUBLE,
    [TY_BIGINT] = DAT_BIGINT, [TY_BIGDEC] = DAT_BIGDEC,
};

struct dat eval_convert(enum ty_kind to, struct dat v, struct ectx *c)
{
    return dat_is_null(v) ? v : dat_as(c->heap, v, kind_of[to]);
}

static struct dat wrap(enum ty_kind t, uint64_t i)
{
    return t == TY_LONG ? dat_long((int64_t)i) : dat_int((int32_t)(uint32_t)i);
}

static struct dat big(enum ex_op op, enum ty_kind t, struct dat a, struct dat b, struct ectx *c)
{
    static const char signs[EX_OP_COUNT] = {
        [EX_ADD] = '+', [EX_SUB] = '-', [EX_MUL] = '*', [EX_DIV] = '/', [EX_MOD] = '%'};
    struct dat v = big_arith(c->heap, signs[op], a, b, kind_of[t]);
    if (dat_is_null(v)) {
        ectx_fail(c, "no exact result of '%c' on big numbers", signs[op]);
    }
    return v;
}

static struct dat bits(enum ex_op op, enum ty_kind t, struct dat a, struct dat b)
{
    if (t == TY_BOOL) {
        bool r = op == EX_BIT_AND ? (a.b && b.b) : op == EX_BIT_OR ? (a.b || b.b) : a.b != b.b;
        return dat_bool(r);
    }
    int64_t r = op == EX_BIT_AND ? (a.i & b.i) : op == EX_BIT_OR ? (a.i | b.i) : (a.i ^ b.i);
    return (struct dat){.kind = kind_of[t], .i = r};
}

static double doubles(enum ex_op op, double a, double b)
{
    switch (op) {
    case EX_ADD: return a + b;
    case EX_SUB: return a - b;
    case EX_MUL: return a * b;
    case EX_DIV: return a / b;
    default: return fmod(a, b);
    }
}

static struct dat floats(enum ex_op op, struct dat a, struct dat b)
{
    float x = (float)a.d, y = (float)b.d;
    switch (op) {
    case EX_ADD: return dat_float((double)(x + y));
    case EX_SUB: return dat_float((double)(x - y));
    case EX_MUL: return dat_float((double)(x * y));
    default: return dat_float(doubles(op, dat_to_double(a), dat_to_double(b)));
    }
}

static struct dat whole(enum ex_op op, enum ty_kind t, struct dat a, struct dat b, struct ectx *c)
{
    uint64_t x = (uint64_t)a.i, y = (uint64_t)b.i;
    switch (op) {
    case EX_ADD: return wrap(t, x + y);
    case EX_SUB: return wrap(t, x - y);
    case EX_MUL: return wrap(t, x * y);
    default: break;
    }
    if (b.i == 0) {
        ectx_fail(c, "remainder of a division by zero");
        return DAT_NONE;
    }
    return wrap(t, b.i == -1 ? 0 : (uint64_t)(a.i % b.i));
}

struct dat eval_arith(enum ex_op op, enum ty_kind t, struct dat a, struct dat b, struct ectx *c)
{
    if (dat_is_null(a) || dat_is_null(b)) {
        return DAT_NONE;
    }
    if (op >= EX_BIT_AND && op <= EX_BIT_XOR) {
        return bits(op, t, a, b);
    }
    switch (t) {
    case TY_BIGINT:
    case TY_BIGDEC: return big(op, t, a, b, c);
    case TY_DOUBLE: return dat_double(doubles(op, dat_to_double(a), dat_to_double(b)));
    case TY_FLOAT: return floats(op, a, b);
    default: return whole(op, t, a, b, c);
    }
}

struct dat eval_neg(enum ty_kind t, struct dat v, struct ectx *c)
{
    switch (v.kind) {
    case DAT_NULL: return v;
    case DAT_FLOAT:
    case DAT_DOUBLE: return dat_double(-v.d);
    case DAT_BIGINT:
    case DAT_BIGDEC: return big(EX_SUB, t, dat_int(0), v, c);
    default: return wrap(t, 0 - (uint64_t)v.i);
    }
}

struct dat eval_extreme(struct dat a, struct dat b, int sign)
{
    if (dat_is_null(a) || dat_is_null(b)) {
        return DAT_NONE;
    }
    /* not-a-number is neither less nor greater: the later one stays */
    return dat_true(ex_compare(sign < 0 ? OP_LT : OP_GT, a, b, false)) ? a : b;
}

struct dat eval_concat(const struct dat *v, uint32_t n, struct ectx *c)
{
    struct vstr *text[CONCAT_MAX];
    size_t len = 0;
    for (uint32_t i = 0; i < n; i++) {
        if (dat_is_null(v[i])) {
            return DAT_NONE;
        }
        text[i] = v[i].kind == DAT_STRING ? v[i].s : dat_text(c->heap, v[i]);
        len += text[i]->len;
    }
    if (len > TEXT_MAX) {
        return DAT_NONE;
    }
    struct vstr *s = vstr_room(c->heap, len);
    len = 0;
    for (uint32_t i = 0; i < n; i++) {
        memcpy(s->s + len, text[i]->s, text[i]->len);
        len += text[i]->len;
    }
    return dat_str(s);
}
