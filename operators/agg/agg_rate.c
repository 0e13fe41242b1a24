/* SPDX-License-Identifier: Apache-2.0
 *
 * rate and leaving.
 *
 * rate(seconds): how many rows came within the last seconds of the clock. Times that are too old go
 * when the next row comes, not when somebody looks, and until the first has gone there is no rate.
 * rate(ts[, x]): rows, or the sum of x, in the window, by the time between the newest row that came
 * and the newest that left.
 */
#include "core/base/mem.h"
#include "operators/agg/agg_impl.h"

#include <assert.h>

enum { BY_CLOCK = 1 }; /* in agg_call.priv */

struct by_clock {
    int64_t *at;
    uint32_t cap, head, len;
    bool left;
};

struct by_event {
    double sum;
    int64_t newest, oldest;
    bool left;
};

static size_t rate_bytes(const struct agg_call *c)
{
    return c->priv != NULL ? sizeof(struct by_clock) : sizeof(struct by_event);
}

static int rate_type(struct bind *b, struct agg_call *c, struct err *reterr)
{
    c->ty = TY(DOUBLE);
    const struct ex *e = c->args[0];
    if (agg_stream_of(e) == AGG_NO_STREAM) {
        c->priv = (const void *)(uintptr_t)BY_CLOCK;
        if (c->n_args > 1) {
            return bind_err(reterr, c->span, "rate(seconds) has one argument");
        }
        return agg_want_number(b, c, 0, reterr);
    }
    if (agg_unbound(b) || agg_of_unbound(b, c)) {
        return bind_err(reterr, c->span, "rate of a timestamp wants a data window on the stream");
    }
    if (e->ty.kind != TY_LONG && e->ty.kind != TY_INT) {
        return bind_err(reterr, e->span, "rate wants a timestamp in milliseconds, not a %s",
                        ty_name(e->ty.kind));
    }
    return c->n_args > 1 ? agg_want_number(b, c, 1, reterr) : 0;
}

static double interval_ms(const struct agg_call *c, struct dat v)
{
    return c->args[0]->op == EX_PERIOD ? dat_to_double(v) : dat_to_double(v) * 1000;
}

static void clock_push(struct by_clock *s, int64_t now)
{
    if (s->len == s->cap) {
        uint32_t cap = s->cap == 0 ? 8 : s->cap * 2;
        int64_t *at = mem_calloc(cap, sizeof *at);
        for (uint32_t i = 0; i < s->len; i++) {
            at[i] = s->at[(s->head + i) & (s->cap - 1)];
        }
        mem_free(s->at);
        *s = (struct by_clock){at, cap, 0, s->len, s->left};
    }
    s->at[(s->head + s->len++) & (s->cap - 1)] = now;
}

static void clock_enter(struct by_clock *s, double interval, int64_t now)
{
    clock_push(s, now);
    while (s->len > 1 && (double)(now - s->at[s->head]) >= interval) {
        s->head = (s->head + 1) & (s->cap - 1);
        s->len--;
        s->left = true;
    }
}

static void rate_enter(const struct agg_call *c, void *state, const struct dat *v, struct ectx *ctx)
{
    if (dat_is_null(v[0])) {
        return;
    }
    if (c->priv != NULL) {
        clock_enter(state, interval_ms(c, v[0]), ctx->now);
        return;
    }
    struct by_event *s = state;
    s->newest = v[0].i;
    if (c->n_args == 1) {
        s->sum += 1;
    } else if (!dat_is_null(v[1])) {
        s->sum += dat_to_double(v[1]);
    }
}

static void rate_leave(const struct agg_call *c, void *state, const struct dat *v, struct ectx *ctx)
{
    (void)ctx;
    if (dat_is_null(v[0]) || c->priv != NULL) {
        return;
    }
    struct by_event *s = state;
    s->oldest = v[0].i;
    s->left = true;
    if (c->n_args == 1) {
        s->sum -= 1;
    } else if (!dat_is_null(v[1])) {
        s->sum -= dat_to_double(v[1]);
    }
}

static struct dat rate_value(const struct agg_call *c, void *state, struct ectx *ctx)
{
    if (c->priv != NULL) {
        const struct by_clock *s = state;
        struct dat v = s->left ? ex_eval(c->args[0], ctx) : DAT_NONE;
        return dat_is_null(v) ? DAT_NONE : dat_double(s->len * 1000.0 / interval_ms(c, v));
    }
    const struct by_event *s = state;
    if (!s->left) {
        return DAT_NONE;
    }
    return dat_double(s->sum * 1000 / (double)(s->newest - s->oldest));
}

static void rate_done(const struct agg_call *c, void *state, struct vheap *h)
{
    (void)h;
    if (c->priv != NULL) {
        mem_free(((struct by_clock *)state)->at);
    }
}

/* By the clock: whether one has gone, number of times, each. By events: the sum, the newest and the
 * oldest, whether one has gone. */
static void rate_save(const struct agg_call *c, void *state, struct save *s)
{
    if (c->priv == NULL) {
        const struct by_event *e = state;
        save_f(s, e->sum);
        save_i(s, e->newest);
        save_i(s, e->oldest);
        save_bool(s, e->left);
        return;
    }
    const struct by_clock *k = state;
    save_bool(s, k->left);
    save_u(s, k->len);
    for (uint32_t i = 0; i < k->len; i++) {
        save_i(s, k->at[(k->head + i) & (k->cap - 1)]);
    }
}

static void rate_load(const struct agg_call *c, void *state, struct load *l)
{
    if (c->priv == NULL) {
        struct by_event *e = state;
        e->sum = load_f(l);
        e->newest = load_i(l);
        e->oldest = load_i(l);
        e->left = load_bool(l);
        return;
    }
    struct by_clock *k = state;
    k->left = load_bool(l);
    size_t n = load_count(l, 1);
    for (size_t i = 0; i < n && load_ok(l); i++) {
        clock_push(k, load_i(l));
    }
}

const struct agg_def agg_rate = {
    .name = "rate",
    .min_args = 1,
    .max_args = 2,
    .filter_ok = true,
    .bytes = rate_bytes,
    .type = rate_type,
    .enter = rate_enter,
    .leave = rate_leave,
    .value = rate_value,
    .done = rate_done,
    .save = rate_save,
    .load = rate_load,
};

static size_t leaving_bytes(const struct agg_call *c)
{
    (void)c;
    return sizeof(bool);
}

static int leaving_type(struct bind *b, struct agg_call *c, struct err *reterr)
{
    (void)b;
    (void)reterr;
    c->ty = TY(BOOL);
    return 0;
}

static void leaving_enter(const struct agg_call *c, void *state, const struct dat *v,
                          struct ectx *ctx)
{
    (void)c;
    (void)state;
    (void)v;
    (void)ctx;
}

static void leaving_leave(const struct agg_call *c, void *state, const struct dat *v,
                          struct ectx *ctx)
{
    (void)c;
    (void)v;
    (void)ctx;
    *(bool *)state = true;
}

static struct dat leaving_value(const struct agg_call *c, void *state, struct ectx *ctx)
{
    (void)c;
    (void)ctx;
    return dat_bool(*(bool *)state);
}

static void leaving_save(const struct agg_call *c, void *state, struct save *s)
{
    (void)c;
    save_bool(s, *(const bool *)state);
}

static void leaving_load(const struct agg_call *c, void *state, struct load *l)
{
    (void)c;
    *(bool *)state = load_bool(l);
}

const struct agg_def agg_leaving = {
    .name = "leaving",
    .filter_ok = true,
    .bytes = leaving_bytes,
    .type = leaving_type,
    .enter = leaving_enter,
    .leave = leaving_leave,
    .value = leaving_value,
    .save = leaving_save,
    .load = leaving_load,
};
