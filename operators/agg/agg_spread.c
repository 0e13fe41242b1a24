/* SPDX-License-Identifier: Apache-2.0
 *
 * stddev, avedev, median, percentile.
 *
 * stddev keeps the sums of the values and of their squares in twice the precision of a double (a
 * value and what rounding lost), so that what entered and left again leaves nothing behind: equal
 * values have a deviation of exactly 0. The others keep all values in order.
 */
#include "operators/agg/agg_impl.h"

#include <assert.h>
#include <math.h>

struct two { /* hi + lo, lo below the last place of hi */
    double hi, lo;
};

static struct two two_sum(double a, double b)
{
    double s = a + b, t = s - a;
    return (struct two){s, (a - (s - t)) + (b - t)};
}

static struct two two_product(double a, double b)
{
    double p = a * b;
    return (struct two){p, fma(a, b, -p)};
}

static struct two plus(struct two a, struct two b)
{
    struct two s = two_sum(a.hi, b.hi), t = two_sum(a.lo, b.lo);
    struct two u = two_sum(s.hi, s.lo + t.hi);
    return two_sum(u.hi, u.lo + t.lo);
}

static struct two minus(struct two a)
{
    return (struct two){-a.hi, -a.lo};
}

static struct two times(struct two a, struct two b)
{
    struct two p = two_product(a.hi, b.hi);
    p.lo += a.hi * b.lo + a.lo * b.hi;
    return two_sum(p.hi, p.lo);
}

static struct two over(struct two a, double n)
{
    double q = a.hi / n;
    struct two rest = plus(a, minus(two_product(q, n)));
    return two_sum(q, (rest.hi + rest.lo) / n);
}

struct spread {
    uint64_t n;
    double pad;
    struct two sum, squares;
};

static size_t stddev_bytes(const struct agg_call *c)
{
    (void)c;
    return sizeof(struct spread);
}

static int double_type(struct bind *b, struct agg_call *c, struct err *reterr)
{
    c->ty = TY(DOUBLE);
    return agg_want_number(b, c, 0, reterr);
}

static void stddev_enter(const struct agg_call *c, void *state, const struct dat *v,
                         struct ectx *ctx)
{
    (void)c;
    (void)ctx;
    struct spread *s = state;
    if (!dat_is_null(v[0])) {
        double x = dat_to_double(v[0]);
        s->n++;
        s->sum = plus(s->sum, (struct two){x, 0});
        s->squares = plus(s->squares, two_product(x, x));
    }
}

static void stddev_leave(const struct agg_call *c, void *state, const struct dat *v,
                         struct ectx *ctx)
{
    (void)c;
    (void)ctx;
    struct spread *s = state;
    if (dat_is_null(v[0]) || s->n == 0) {
        return;
    }
    if (--s->n == 0) {
        *s = (struct spread){0};
        return;
    }
    double x = dat_to_double(v[0]);
    s->sum = plus(s->sum, (struct two){-x, 0});
    s->squares = plus(s->squares, minus(two_product(x, x)));
}

static struct dat stddev_value(const struct agg_call *c, void *state, struct ectx *ctx)
{
    (void)c;
    (void)ctx;
    const struct spread *s = state;
    if (s->n < 2) {
        return DAT_NONE;
    }
    double n = (double)s->n;
    struct two d = plus(s->squares, minus(over(times(s->sum, s->sum), n)));
    double q = d.hi + d.lo;
    if (q < s->squares.hi * 0x1p-96) { /* what is left of rounding; NaN stays */
        q = 0;
    }
    return dat_double(sqrt(q / (n - 1)));
}

/* How many values; sum, squares: each its two doubles. */
static void stddev_save(const struct agg_call *c, void *state, struct save *s)
{
    (void)c;
    const struct spread *d = state;
    save_u(s, d->n);
    save_f(s, d->sum.hi);
    save_f(s, d->sum.lo);
    save_f(s, d->squares.hi);
    save_f(s, d->squares.lo);
}

static void stddev_load(const struct agg_call *c, void *state, struct load *l)
{
    (void)c;
    struct spread *d = state;
    d->n = load_u(l);
    d->sum.hi = load_f(l);
    d->sum.lo = load_f(l);
    d->squares.hi = load_f(l);
    d->squares.lo = load_f(l);
}

const struct agg_def agg_stddev = {
    .name = "stddev",
    .min_args = 1,
    .max_args = 1,
    .distinct_ok = true,
    .filter_ok = true,
    .bytes = stddev_bytes,
    .type = double_type,
    .enter = stddev_enter,
    .leave = stddev_leave,
    .value = stddev_value,
    .save = stddev_save,
    .load = stddev_load,
};

static size_t tree_bytes(const struct agg_call *c)
{
    (void)c;
    return sizeof(struct agg_tree);
}

static void tree_enter(const struct agg_call *c, void *state, const struct dat *v, struct ectx *ctx)
{
    (void)c;
    (void)ctx;
    if (!dat_is_null(v[0])) {
        agg_tree_add(state, ctx->heap, dat_double(dat_to_double(v[0])), NULL, true);
    }
}

static void tree_leave(const struct agg_call *c, void *state, const struct dat *v, struct ectx *ctx)
{
    (void)c;
    if (!dat_is_null(v[0])) {
        (void)agg_tree_remove(state, ctx->heap, dat_double(dat_to_double(v[0])), NULL, true);
    }
}

static void tree_done(const struct agg_call *c, void *state, struct vheap *h)
{
    (void)c;
    agg_tree_done(state, h);
}

static void tree_save(const struct agg_call *c, void *state, struct save *s)
{
    (void)c;
    agg_tree_save(state, s, true);
}

static void tree_load(const struct agg_call *c, void *state, struct load *l)
{
    (void)c;
    agg_tree_load(state, l, true, TY(DOUBLE), 1, NULL);
}

struct walk {
    double sum, mean, apart;
};

static void add_up(void *arg, const struct agg_node *n)
{
    ((struct walk *)arg)->sum += n->key.d * (double)n->n;
}

static void add_apart(void *arg, const struct agg_node *n)
{
    struct walk *w = arg;
    w->apart += fabs(n->key.d - w->mean) * (double)n->n;
}

static struct dat avedev_value(const struct agg_call *c, void *state, struct ectx *ctx)
{
    (void)c;
    (void)ctx;
    const struct agg_tree *t = state;
    double n = (double)agg_tree_count(t);
    struct walk w = {0};
    if (t->root == 0) {
        return DAT_NONE;
    }
    agg_tree_each(t, add_up, &w);
    w.mean = w.sum / n;
    agg_tree_each(t, add_apart, &w);
    return dat_double(w.apart / n);
}

static struct dat median_value(const struct agg_call *c, void *state, struct ectx *ctx)
{
    (void)c;
    (void)ctx;
    const struct agg_tree *t = state;
    uint32_t n = agg_tree_count(t);
    if (n == 0) {
        return DAT_NONE;
    }
    double upper = agg_tree_at(t, n / 2, true)->key.d;
    return dat_double(n % 2 == 1 ? upper : (agg_tree_at(t, n / 2 - 1, true)->key.d + upper) / 2);
}

static bool is_share(double percent)
{
    return percent >= 0 && percent <= 100;
}

static struct dat percentile_value(const struct agg_call *c, void *state, struct ectx *ctx)
{
    const struct agg_tree *t = state;
    uint32_t n = agg_tree_count(t);
    struct dat p = ex_eval(c->args[1], ctx);
    if (n == 0 || dat_is_null(p)) {
        return DAT_NONE;
    }
    double share = dat_to_double(p);
    if (!is_share(share)) {
        return DAT_NONE;
    }
    double at = share / 100 * (double)(n - 1), below = floor(at);
    uint32_t k = (uint32_t)below;
    double x = agg_tree_at(t, k, true)->key.d;
    if (at > below) {
        x += (at - below) * (agg_tree_at(t, k + 1, true)->key.d - x);
    }
    return dat_double(x);
}

static int percentile_type(struct bind *b, struct agg_call *c, struct err *reterr)
{
    int rc = double_type(b, c, reterr);
    rc = rc == 0 ? agg_want_number(b, c, 1, reterr) : rc;
    if (rc == 0 && agg_stream_of(c->args[1]) != AGG_NO_STREAM) {
        rc = bind_err(reterr, c->args[1]->span, "the share of percentile is one for all rows");
    }
    if (rc == 0 && ex_is_const(c->args[1]) && !dat_is_null(c->args[1]->k) &&
        !is_share(dat_to_double(c->args[1]->k))) {
        rc = bind_err(reterr, c->args[1]->span, "the share of percentile is between 0 and 100");
    }
    return rc;
}

const struct agg_def agg_avedev = {
    .name = "avedev",
    .grows = true,
    .min_args = 1,
    .max_args = 1,
    .distinct_ok = true,
    .filter_ok = true,
    .bytes = tree_bytes,
    .type = double_type,
    .enter = tree_enter,
    .leave = tree_leave,
    .value = avedev_value,
    .done = tree_done,
    .save = tree_save,
    .load = tree_load,
};

const struct agg_def agg_median = {
    .name = "median",
    .grows = true,
    .min_args = 1,
    .max_args = 1,
    .distinct_ok = true,
    .filter_ok = true,
    .bytes = tree_bytes,
    .type = double_type,
    .enter = tree_enter,
    .leave = tree_leave,
    .value = median_value,
    .done = tree_done,
    .save = tree_save,
    .load = tree_load,
};

const struct agg_def agg_percentile = {
    .name = "percentile",
    .grows = true,
    .min_args = 2,
    .max_args = 2,
    .distinct_ok = true,
    .filter_ok = true,
    .bytes = tree_bytes,
    .type = percentile_type,
    .enter = tree_enter,
    .leave = tree_leave,
    .value = percentile_value,
    .done = tree_done,
    .save = tree_save,
    .load = tree_load,
};
