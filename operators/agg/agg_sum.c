/* SPDX-License-Identifier: Apache-2.0
 *
 * count, countever, sum, avg. Sums are kept as they are told in the language: in the type of the
 * result, added and taken away again; when the last value has left the state is as new, so that a
 * NaN stays no longer than the window holds anything. agg_step.c does the commonest of them.
 */
#include "operators/agg/agg_impl.h"
#include "operators/sig/dat_big.h"

static size_t count_bytes(const struct agg_call *c)
{
    (void)c;
    return sizeof(struct agg_count_state);
}

static int count_type(struct bind *b, struct agg_call *c, struct err *reterr)
{
    (void)b;
    (void)reterr;
    c->ty = TY(LONG);
    return 0;
}

static bool counts(const struct agg_call *c, const struct dat *v)
{
    return c->star || c->n_args == 0 || !dat_is_null(v[0]);
}

static void count_enter(const struct agg_call *c, void *state, const struct dat *v,
                        struct ectx *ctx)
{
    (void)ctx;
    ((struct agg_count_state *)state)->n += counts(c, v) ? 1 : 0;
}

static void count_leave(const struct agg_call *c, void *state, const struct dat *v,
                        struct ectx *ctx)
{
    (void)ctx;
    struct agg_count_state *s = state;
    s->n -= counts(c, v) && s->n > 0 ? 1 : 0;
}

static void count_stays(const struct agg_call *c, void *state, const struct dat *v,
                        struct ectx *ctx)
{
    (void)c;
    (void)state;
    (void)v;
    (void)ctx;
}

static struct dat count_value(const struct agg_call *c, void *state, struct ectx *ctx)
{
    (void)c;
    (void)ctx;
    return dat_long(((struct agg_count_state *)state)->n);
}

static void count_save(const struct agg_call *c, void *state, struct save *s)
{
    (void)c;
    save_i(s, ((const struct agg_count_state *)state)->n);
}

static void count_load(const struct agg_call *c, void *state, struct load *l)
{
    (void)c;
    ((struct agg_count_state *)state)->n = load_i(l);
}

const struct agg_def agg_count = {
    .name = "count",
    .min_args = 1,
    .max_args = 1,
    .star_ok = true,
    .distinct_ok = true,
    .filter_ok = true,
    .bytes = count_bytes,
    .type = count_type,
    .enter = count_enter,
    .leave = count_leave,
    .value = count_value,
    .save = count_save,
    .load = count_load,
};

const struct agg_def agg_countever = {
    .name = "countever",
    .min_args = 1,
    .max_args = 1,
    .star_ok = true,
    .distinct_ok = true,
    .filter_ok = true,
    .bytes = count_bytes,
    .type = count_type,
    .enter = count_enter,
    .leave = count_stays,
    .value = count_value,
    .save = count_save,
    .load = count_load,
};

static size_t sum_bytes(const struct agg_call *c)
{
    bool big = c->ty.kind == TY_BIGINT || c->ty.kind == TY_BIGDEC;
    return big ? sizeof(struct agg_sum_state) : 16;
}

static int sum_type(struct bind *b, struct agg_call *c, struct err *reterr)
{
    int rc = agg_want_number(b, c, 0, reterr);
    if (rc == 0) {
        enum ty_kind k = c->args[0]->ty.kind;
        c->ty = k == TY_BYTE || k == TY_SHORT ? TY(INT) : (struct ty){.kind = k};
    }
    return rc;
}

/* The sum behind a mean is one of the argument's type, too: it wraps and rounds alike. */
static enum ty_kind sum_kind(const struct agg_call *c)
{
    enum ty_kind k = c->args[0]->ty.kind;
    return k == TY_BYTE || k == TY_SHORT ? TY_INT : k;
}

static int avg_type(struct bind *b, struct agg_call *c, struct err *reterr)
{
    int rc = agg_want_number(b, c, 0, reterr);
    if (rc == 0) {
        enum ty_kind k = c->args[0]->ty.kind;
        c->ty = k == TY_BIGINT || k == TY_BIGDEC ? TY(BIGDEC) : TY(DOUBLE);
    }
    return rc;
}

static void big_add(const struct agg_call *c, struct agg_sum_state *s, struct dat v, bool enters,
                    struct ectx *ctx)
{
    enum dat_kind kind = c->ty.kind == TY_BIGINT ? DAT_BIGINT : DAT_BIGDEC;
    struct dat old = s->big;
    struct dat sum = dat_is_null(old) ? big_from(ctx->heap, v, kind)
                                      : big_arith(ctx->heap, enters ? '+' : '-', old, v, kind);
    if (dat_is_null(sum)) {
        ectx_fail(ctx, "%s: the total has more digits than are kept", c->def->name);
        return;
    }
    s->big = dat_keep(sum);
    dat_drop(ctx->heap, old);
}

static void sum_clear(const struct agg_call *c, struct agg_sum_state *s, struct vheap *h)
{
    if (c->ty.kind == TY_BIGINT || c->ty.kind == TY_BIGDEC) {
        dat_drop(h, s->big);
        s->big = DAT_NONE;
    }
    s->n = 0;
    s->i = 0; /* all bits of a double, too */
}

static void sum_change(const struct agg_call *c, struct agg_sum_state *s, struct dat v, bool enters,
                       struct ectx *ctx)
{
    switch (sum_kind(c)) {
    case TY_BIGINT:
    case TY_BIGDEC: big_add(c, s, v, enters, ctx); break;
    case TY_DOUBLE: s->d = enters ? s->d + dat_to_double(v) : s->d - dat_to_double(v); break;
    case TY_FLOAT: s->d = (double)(float)(enters ? s->d + v.d : s->d - v.d); break;
    default: s->i = enters ? s->i + (uint64_t)v.i : s->i - (uint64_t)v.i;
    }
}

static void sum_enter(const struct agg_call *c, void *state, const struct dat *v, struct ectx *ctx)
{
    struct agg_sum_state *s = state;
    if (!dat_is_null(v[0])) {
        s->n++;
        sum_change(c, s, v[0], true, ctx);
    }
}

static void sum_leave(const struct agg_call *c, void *state, const struct dat *v, struct ectx *ctx)
{
    struct agg_sum_state *s = state;
    if (dat_is_null(v[0]) || s->n == 0) {
        return;
    }
    if (--s->n == 0) {
        sum_clear(c, s, ctx->heap);
    } else {
        sum_change(c, s, v[0], false, ctx);
    }
}

static struct dat sum_value(const struct agg_call *c, void *state, struct ectx *ctx)
{
    (void)ctx;
    const struct agg_sum_state *s = state;
    if (s->n == 0) {
        return DAT_NONE;
    }
    switch (c->ty.kind) {
    case TY_BIGINT:
    case TY_BIGDEC: return s->big;
    case TY_DOUBLE: return dat_double(s->d);
    case TY_FLOAT: return dat_float(s->d);
    case TY_LONG: return dat_long((int64_t)s->i);
    default: return dat_int((int32_t)(uint32_t)s->i);
    }
}

static struct dat avg_value(const struct agg_call *c, void *state, struct ectx *ctx)
{
    const struct agg_sum_state *s = state;
    if (s->n == 0) {
        return DAT_NONE;
    }
    double n = (double)s->n;
    switch (sum_kind(c)) {
    case TY_DOUBLE:
    case TY_FLOAT: return dat_double(s->d / n);
    case TY_LONG: return dat_double((double)(int64_t)s->i / n);
    case TY_INT: return dat_double((double)(int32_t)(uint32_t)s->i / n);
    default: break;
    }
    struct dat many = big_from(ctx->heap, dat_long((int64_t)s->n), DAT_BIGDEC);
    struct dat mean = big_arith(ctx->heap, '/', s->big, many, DAT_BIGDEC);
    /* No exact quotient: the language says zero. */
    return dat_is_null(mean) ? big_from(ctx->heap, dat_int(0), DAT_BIGDEC) : mean;
}

static void sum_done(const struct agg_call *c, void *state, struct vheap *h)
{
    sum_clear(c, state, h);
}

/* How many values; the total. */
static void sum_save(const struct agg_call *c, void *state, struct save *s)
{
    const struct agg_sum_state *sum = state;
    save_u(s, sum->n);
    switch (sum_kind(c)) {
    case TY_BIGINT:
    case TY_BIGDEC: save_val(s, sum->big); break;
    case TY_DOUBLE:
    case TY_FLOAT: save_f(s, sum->d); break;
    default: save_i(s, (int64_t)sum->i);
    }
}

static void sum_load(const struct agg_call *c, void *state, struct load *l)
{
    struct agg_sum_state *sum = state;
    sum->n = load_u(l);
    switch (sum_kind(c)) {
    case TY_BIGINT:
    case TY_BIGDEC: sum->big = dat_keep(load_val_of(l, c->ty)); break;
    case TY_DOUBLE:
    case TY_FLOAT: sum->d = load_f(l); break;
    default: sum->i = (uint64_t)load_i(l);
    }
}

const struct agg_def agg_sum = {
    .name = "sum",
    .min_args = 1,
    .max_args = 1,
    .distinct_ok = true,
    .filter_ok = true,
    .bytes = sum_bytes,
    .type = sum_type,
    .enter = sum_enter,
    .leave = sum_leave,
    .value = sum_value,
    .done = sum_done,
    .save = sum_save,
    .load = sum_load,
};

const struct agg_def agg_avg = {
    .name = "avg",
    .min_args = 1,
    .max_args = 1,
    .distinct_ok = true,
    .filter_ok = true,
    .bytes = sum_bytes,
    .type = avg_type,
    .enter = sum_enter,
    .leave = sum_leave,
    .value = avg_value,
    .done = sum_done,
    .save = sum_save,
    .load = sum_load,
};
