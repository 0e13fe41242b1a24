/* SPDX-License-Identifier: Apache-2.0
 *
 * countMinSketch: approximate counts of values in a fixed space. DEPTH rows of WIDTH counters; a
 * value adds one to a counter of each row and is as frequent as the least of them says: never too
 * few, rarely too many. Beside them the `topk` most frequent values, none unless asked for. The
 * state is one list object that is changed in place; the methods countMinSketchFrequency and
 * countMinSketchTopk (agg_method.c) get it as the value of the column.
 */
#include "operators/agg/agg_sketch.h"

#include "operators/agg/agg_impl.h"

enum { DEPTH = 5, WIDTH = 4096, TOP_MAX = 1000 };

struct sketch {
    struct vlist *cells; /* DEPTH * WIDTH counters, then `topk` pairs of value and count; kept */
};

static size_t sketch_bytes(const struct agg_call *c)
{
    (void)c;
    return sizeof(struct sketch);
}

static int sketch_type(struct bind *b, struct agg_call *c, struct err *reterr)
{
    (void)b;
    (void)reterr;
    c->ty = TY(OBJECT);
    return 0;
}

static uint32_t cell(uint32_t row, struct dat x)
{
    uint64_t h = dat_hash(x) + (uint64_t)(row + 1) * 0x9e3779b97f4a7c15ULL;
    h ^= h >> 31;
    h *= 0xbf58476d1ce4e5b9ULL;
    h ^= h >> 29;
    return row * WIDTH + (uint32_t)(h % WIDTH);
}

int64_t agg_sketch_frequency(const struct vlist *cells, struct dat x)
{
    int64_t least = INT64_MAX;
    for (uint32_t row = 0; row < DEPTH; row++) {
        int64_t n = cells->v[cell(row, x)].i;
        least = n < least ? n : least;
    }
    return least;
}

/* countMinSketch({topk: n}); what else may be said is about how exact it is: that is given. */
int agg_sketch_options(struct bind *b, struct agg_call *c, const struct ast_seg *seg,
                       struct err *reterr)
{
    static const char *const others[] = {"epsOfTotalCount", "confidence", "seed", "agent"};
    uint32_t *top = ARENA_NEW(b->a, uint32_t);
    c->priv = top;
    if (seg->n_args > 1 || (seg->n_args == 1 && seg->args[0]->kind != AST_OBJECT)) {
        return bind_err(reterr, c->span, "%s is written so: %s({topk: 10})", c->def->name,
                        c->def->name);
    }
    for (uint32_t i = 0; seg->n_args > 0 && i < seg->args[0]->n_named; i++) {
        const struct ast_named *o = &seg->args[0]->named[i];
        bool known = false;
        for (size_t k = 0; k < ARRAY_LEN(others); k++) {
            known = known || slice_eq_nocase(o->name, slice_str(others[k]));
        }
        int64_t n = 0;
        if (!known && !slice_eq_nocase(o->name, SLICE("topk"))) {
            return bind_err(reterr, o->span, "%s has no option '" SLICE_FMT "'; there is topk",
                            c->def->name, SLICE_ARG(o->name));
        }
        int rc = known ? 0 : bind_const_int(b, o->e, "topk", &n, reterr);
        if (rc != 0) {
            return rc;
        }
        if (n > TOP_MAX) {
            return bind_err(reterr, o->span, "topk is at most %d", TOP_MAX);
        }
        *top = known || n < 0 ? *top : (uint32_t)n;
    }
    return 0;
}

static uint32_t tops(const struct vlist *cells)
{
    return (cells->len - DEPTH * WIDTH) / 2;
}

bool agg_sketch_top(const struct vlist *cells, uint32_t i, struct dat *ret_value, int64_t *ret_n)
{
    if (i >= tops(cells) || cells->v[DEPTH * WIDTH + 2 * i + 1].i == 0) {
        return false;
    }
    *ret_value = cells->v[DEPTH * WIDTH + 2 * i];
    *ret_n = cells->v[DEPTH * WIDTH + 2 * i + 1].i;
    return true;
}

/* Keeps the pairs in descending order of count. */
static void rank(struct vlist *cells, struct dat x, struct vheap *h)
{
    struct dat *top = &cells->v[DEPTH * WIDTH];
    int64_t n = agg_sketch_frequency(cells, x);
    uint32_t at = 0, max = tops(cells);
    while (at < max && top[2 * at + 1].i > 0 && !dat_same(top[2 * at], x)) {
        at++;
    }
    if (at == max) {
        if (max == 0 || top[2 * max - 1].i >= n) {
            return;
        }
        at = max - 1;
    }
    dat_drop(h, top[2 * at]);
    for (; at > 0 && top[2 * at - 1].i < n; at--) {
        top[2 * at] = top[2 * at - 2];
        top[2 * at + 1] = top[2 * at - 1];
    }
    top[2 * at] = dat_keep(x);
    top[2 * at + 1] = dat_long(n);
}

static struct vlist *new_cells(const struct agg_call *c, struct vheap *h)
{
    uint32_t top = *(const uint32_t *)c->priv;
    struct vlist *cells = vlist_new(h, DEPTH * WIDTH + 2 * top);
    (void)dat_keep(dat_list(cells));
    for (uint32_t i = 0; i < cells->len; i++) {
        cells->v[i] = i < DEPTH * WIDTH || i % 2 == 1 ? dat_long(0) : DAT_NONE;
    }
    return cells;
}

static void sketch_enter(const struct agg_call *c, void *state, const struct dat *v,
                         struct ectx *ctx)
{
    struct sketch *s = state;
    if (dat_is_null(v[0])) {
        return;
    }
    if (s->cells == NULL) {
        s->cells = new_cells(c, ctx->heap);
    }
    for (uint32_t row = 0; row < DEPTH; row++) {
        s->cells->v[cell(row, v[0])].i++;
    }
    rank(s->cells, v[0], ctx->heap);
}

static void sketch_leave(const struct agg_call *c, void *state, const struct dat *v,
                         struct ectx *ctx)
{
    (void)c; /* what was counted stays counted */
    (void)state;
    (void)v;
    (void)ctx;
}

static struct dat sketch_value(const struct agg_call *c, void *state, struct ectx *ctx)
{
    (void)c;
    (void)ctx;
    const struct sketch *s = state;
    return s->cells == NULL ? DAT_NONE : dat_list(s->cells);
}

static void sketch_done(const struct agg_call *c, void *state, struct vheap *h)
{
    (void)c;
    struct sketch *s = state;
    if (s->cells != NULL) {
        dat_drop(h, dat_list(s->cells));
    }
}

/* Whether there are cells; number of counters that are not 0, each: how far it is from the one
 * before, its count; number of the top values, each: value, count. */
static void sketch_save(const struct agg_call *c, void *state, struct save *s)
{
    (void)c;
    const struct vlist *cells = ((const struct sketch *)state)->cells;
    uint32_t n = 0, before = 0;
    save_bool(s, cells != NULL);
    if (cells == NULL) {
        return;
    }
    for (uint32_t i = 0; i < DEPTH * WIDTH; i++) {
        n += cells->v[i].i != 0;
    }
    save_u(s, n);
    for (uint32_t i = 0; i < DEPTH * WIDTH; i++) {
        if (cells->v[i].i != 0) {
            save_u(s, i - before);
            save_i(s, cells->v[i].i);
            before = i;
        }
    }
    struct dat x = DAT_NONE;
    int64_t count = 0;
    for (n = 0; agg_sketch_top(cells, n, &x, &count);) {
        n++;
    }
    save_u(s, n);
    for (uint32_t i = 0; i < n && agg_sketch_top(cells, i, &x, &count); i++) {
        save_val(s, x);
        save_i(s, count);
    }
}

static void sketch_load(const struct agg_call *c, void *state, struct load *l)
{
    if (!load_bool(l)) {
        return;
    }
    struct vlist *cells = new_cells(c, load_heap(l));
    ((struct sketch *)state)->cells = cells;
    uint64_t at = 0;
    size_t n = load_count(l, 2);
    for (size_t i = 0; i < n && load_ok(l); i++) {
        uint64_t far = load_u(l);
        if (far >= DEPTH * WIDTH - at) {
            load_fail(l, "a counter that does not exist");
            return;
        }
        at += far;
        cells->v[at] = dat_long(load_i(l));
    }
    n = load_count(l, 2);
    if (n > tops(cells)) {
        load_fail(l, "%zu values at the top", n);
        return;
    }
    for (size_t i = 0; i < n && load_ok(l); i++) {
        struct dat *pair = &cells->v[DEPTH * WIDTH + 2 * i];
        pair[0] = dat_keep(load_val(l));
        pair[1] = dat_long(load_i(l));
    }
}

const struct agg_def agg_countMinSketch = {
    .name = "countMinSketch",
    .max_args = 1,
    .column_only = true,
    .bytes = sketch_bytes,
    .type = sketch_type,
    .enter = sketch_enter,
    .leave = sketch_leave,
    .value = sketch_value,
    .done = sketch_done,
    .save = sketch_save,
    .load = sketch_load,
};

const struct agg_def agg_countMinSketchAdd = {
    .name = "countMinSketchAdd",
    .column = "countMinSketch",
    .min_args = 1,
    .max_args = 1,
    .filter_ok = true,
    .bytes = sketch_bytes,
    .type = sketch_type,
    .enter = sketch_enter,
    .leave = sketch_leave,
    .value = sketch_value,
    .done = sketch_done,
    .save = sketch_save,
    .load = sketch_load,
};
