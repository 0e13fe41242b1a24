/* SPDX-License-Identifier: Apache-2.0
 *
 * Functions and methods of numbers. Arguments come as whatever number the rule has; results have
 * the static type of the call.
 */
#include "operators/expr/fn_impl.h"
#include "operators/sig/dat_big.h"

#include <assert.h>
#include <math.h>

#define OF_ONE(name, expression)                                                                   \
    static struct dat name(const struct fn_in *in)                                                 \
    {                                                                                              \
        double x = dat_to_double(in->v[0]);                                                        \
        return dat_double(expression);                                                             \
    }
#define OF_TWO(name, expression)                                                                   \
    static struct dat name(const struct fn_in *in)                                                 \
    {                                                                                              \
        double x = dat_to_double(in->v[0]), y = dat_to_double(in->v[1]);                           \
        return dat_double(expression);                                                             \
    }

OF_ONE(run_sqrt, sqrt(x))
OF_ONE(run_cbrt, cbrt(x))
OF_ONE(run_ceil, ceil(x))
OF_ONE(run_floor, floor(x))
OF_ONE(run_rint, nearbyint(x))
OF_ONE(run_signum, isnan(x) || x == 0 ? x : x < 0 ? -1.0 : 1.0)
OF_ONE(run_exp, exp(x))
OF_ONE(run_expm1, expm1(x))
OF_ONE(run_log, x < 0 ? (double)NAN : log(x))
OF_ONE(run_log10, x < 0 ? (double)NAN : log10(x))
OF_ONE(run_log1p, x < -1 ? (double)NAN : log1p(x))
OF_ONE(run_sin, sin(x))
OF_ONE(run_cos, cos(x))
OF_ONE(run_tan, tan(x))
OF_ONE(run_asin, asin(x))
OF_ONE(run_acos, acos(x))
OF_ONE(run_atan, atan(x))
OF_ONE(run_sinh, sinh(x))
OF_ONE(run_cosh, cosh(x))
OF_ONE(run_tanh, tanh(x))
OF_ONE(run_to_radians, x * 0.017453292519943295)
OF_ONE(run_to_degrees, x * 57.29577951308232)
OF_TWO(run_hypot, hypot(x, y))
OF_TWO(run_atan2, atan2(x, y))
OF_TWO(run_copy_sign, copysign(x, y))
/* Of 1 to NaN, and of -1 to an infinite power, Java knows nothing. */
OF_TWO(run_pow, isnan(y) || (fabs(x) == 1 && isinf(y)) ? (double)NAN : pow(x, y))

static struct dat run_abs(const struct fn_in *in)
{
    struct dat v = in->v[0];
    if (v.kind >= DAT_BIGINT) {
        return dat_cmp(v, dat_int(0)) >= 0
                   ? v
                   : big_arith(in->h, '-', dat_int(0), v, (enum dat_kind)v.kind);
    }
    if (dat_is_float(v)) {
        v.d = fabs(v.d);
        return v;
    }
    v.i = v.i < 0 ? (int64_t)(0 - (uint64_t)v.i) : v.i;
    v.kind = v.kind < DAT_INT ? DAT_INT : v.kind;
    return v.kind == DAT_INT ? dat_int((int32_t)(uint32_t)(uint64_t)v.i) : v;
}

static struct dat better(const struct fn_in *in, int sign)
{
    struct dat a = fn_number(in, in->v[0]), b = fn_number(in, in->v[1]);
    if (dat_is_float(a) && dat_is_float(b)) {
        if (isnan(a.d) || isnan(b.d)) {
            return isnan(a.d) ? a : b;
        }
        if (a.d == 0 && b.d == 0) { /* -0.0 is less than 0.0 */
            return (signbit(a.d) != 0) == (sign < 0) ? a : b;
        }
    }
    return dat_cmp(a, b) * sign >= 0 ? a : b;
}

static struct dat run_max(const struct fn_in *in)
{
    return better(in, 1);
}

static struct dat run_min(const struct fn_in *in)
{
    return better(in, -1);
}

static struct dat run_round(const struct fn_in *in)
{
    if (dat_is_integer(in->v[0])) {
        return fn_number(in, in->v[0]);
    }
    double x = dat_to_double(in->v[0]), whole = floor(x);
    return fn_number(in, dat_double(x - whole >= 0.5 ? whole + 1 : whole));
}

static struct dat run_floor_div(const struct fn_in *in)
{
    int64_t a = in->v[0].i, b = in->v[1].i;
    if (b == 0 || (b == -1 && a == INT64_MIN)) {
        return b == 0 ? DAT_NONE : in->v[0];
    }
    return fn_number(in, dat_long(a / b - ((a % b != 0 && (a < 0) != (b < 0)) ? 1 : 0)));
}

static struct dat run_floor_mod(const struct fn_in *in)
{
    int64_t a = in->v[0].i, b = in->v[1].i;
    if (b == 0) {
        return DAT_NONE;
    }
    int64_t r = b == -1 ? 0 : a % b;
    return fn_number(in, dat_long(r != 0 && (r < 0) != (b < 0) ? r + b : r));
}

static struct dat exact(const struct fn_in *in, int64_t r, bool over)
{
    if (over || (in->e->ty.kind == TY_INT && (r < INT32_MIN || r > INT32_MAX))) {
        return DAT_NONE;
    }
    return fn_number(in, dat_long(r));
}

static struct dat run_add_exact(const struct fn_in *in)
{
    int64_t r = 0;
    bool over = __builtin_add_overflow(in->v[0].i, in->v[1].i, &r);
    return exact(in, r, over);
}

static struct dat run_sub_exact(const struct fn_in *in)
{
    int64_t r = 0;
    bool over = __builtin_sub_overflow(in->v[0].i, in->v[1].i, &r);
    return exact(in, r, over);
}

static struct dat run_mul_exact(const struct fn_in *in)
{
    int64_t r = 0;
    bool over = __builtin_mul_overflow(in->v[0].i, in->v[1].i, &r);
    return exact(in, r, over);
}

static struct dat run_to_int_exact(const struct fn_in *in)
{
    return exact(in, in->v[0].i, false);
}

static struct dat run_as_type(const struct fn_in *in)
{
    return fn_number(in, in->v[0]);
}

static struct dat run_itself(const struct fn_in *in)
{
    return in->v[0];
}

static struct dat run_is_nan(const struct fn_in *in)
{
    return dat_bool(dat_is_float(in->v[0]) && isnan(in->v[0].d));
}

static struct dat run_is_infinite(const struct fn_in *in)
{
    return dat_bool(dat_is_float(in->v[0]) && isinf(in->v[0].d));
}

static struct dat run_is_finite(const struct fn_in *in)
{
    return dat_bool(!dat_is_float(in->v[0]) || isfinite(in->v[0].d));
}

static struct dat run_compare(const struct fn_in *in)
{
    const struct dat *v = in->v;
    bool zeros = dat_is_float(v[0]) && dat_is_float(v[1]) && v[0].d == 0 && v[1].d == 0;
    int sign = zeros ? (signbit(v[1].d) != 0) - (signbit(v[0].d) != 0) : dat_cmp(v[0], v[1]);
    return dat_int(sign); /* -0.0 is less than 0.0 */
}

static struct dat run_bit_count(const struct fn_in *in)
{
    return dat_int(__builtin_popcountll((unsigned long long)in->v[0].i));
}

static struct dat run_bit_count_int(const struct fn_in *in)
{
    return dat_int(__builtin_popcount((unsigned)in->v[0].i));
}

static struct dat run_now(const struct fn_in *in)
{
    return dat_long(in->c->now);
}

fn_run *const fn_numbers[FN_COUNT] = {
    [FN_SQRT] = run_sqrt,
    [FN_CBRT] = run_cbrt,
    [FN_CEIL] = run_ceil,
    [FN_FLOOR] = run_floor,
    [FN_RINT] = run_rint,
    [FN_SIGNUM] = run_signum,
    [FN_EXP] = run_exp,
    [FN_EXPM1] = run_expm1,
    [FN_LOG] = run_log,
    [FN_LOG10] = run_log10,
    [FN_LOG1P] = run_log1p,
    [FN_SIN] = run_sin,
    [FN_COS] = run_cos,
    [FN_TAN] = run_tan,
    [FN_ASIN] = run_asin,
    [FN_ACOS] = run_acos,
    [FN_ATAN] = run_atan,
    [FN_SINH] = run_sinh,
    [FN_COSH] = run_cosh,
    [FN_TANH] = run_tanh,
    [FN_TO_RADIANS] = run_to_radians,
    [FN_TO_DEGREES] = run_to_degrees,
    [FN_HYPOT] = run_hypot,
    [FN_ATAN2] = run_atan2,
    [FN_COPY_SIGN] = run_copy_sign,
    [FN_POW] = run_pow,
    [FN_ABS] = run_abs,
    [FN_MATH_MAX] = run_max,
    [FN_MATH_MIN] = run_min,
    [FN_ROUND] = run_round,
    [FN_FLOOR_DIV] = run_floor_div,
    [FN_FLOOR_MOD] = run_floor_mod,
    [FN_ADD_EXACT] = run_add_exact,
    [FN_SUB_EXACT] = run_sub_exact,
    [FN_MUL_EXACT] = run_mul_exact,
    [FN_TO_INT_EXACT] = run_to_int_exact,
    [FN_INT_VALUE] = run_as_type,
    [FN_LONG_VALUE] = run_as_type,
    [FN_FLOAT_VALUE] = run_as_type,
    [FN_DOUBLE_VALUE] = run_as_type,
    [FN_BIG_VALUE] = run_as_type,
    [FN_BIGINT_VALUE] = run_as_type,
    [FN_BOOL_VALUE] = run_itself,
    [FN_IS_NAN] = run_is_nan,
    [FN_IS_INFINITE] = run_is_infinite,
    [FN_IS_FINITE] = run_is_finite,
    [FN_COMPARE] = run_compare,
    [FN_BIT_COUNT] = run_bit_count,
    [FN_BIT_COUNT_INT] = run_bit_count_int,
    [FN_NOW] = run_now,
};
