/* SPDX-License-Identifier: Apache-2.0
 *
 * Any text as an expression, or one made of the bytes (if the first is no ASCII, fuzz_expr_gen.h):
 * parsed, bound to an event type with columns of all kinds, run on an event that is full, on one
 * that is empty, and on one of a subtype whose columns the bytes choose. Its program, the one that
 * only decides, and a walk over the tree must agree, nothing may crash, and nothing may be left on
 * the heap when the step ends.
 */
#include "core/base/arena.h"
#include "core/base/buf.h"
#include "operators/epl/epl.h"
#include "operators/expr/vm.h"
#include "operators/plan/bind.h"
#include "tests/fuzz/fuzz_expr_gen.h"
#include "tests/unit/operators/expr/expr_tree.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { TEXT_MAX = 400, MADE_MAX = 4000 };

static const struct etype *make_type(struct arena *a)
{
    struct ecol item[] = {{.name = SLICE("id"), .ty = TY(STRING)},
                          {.name = SLICE("n"), .ty = TY(INT)}};
    const struct etype *of = ety_new(a, NULL, ETYPE_PLAIN, SLICE("Item"), item, 2, NULL, 0);
    struct ecol cols[] = {
        {.name = SLICE("b"), .ty = TY(BOOL)},
        {.name = SLICE("i"), .ty = TY(INT)},
        {.name = SLICE("l"), .ty = TY(LONG)},
        {.name = SLICE("f"), .ty = TY(FLOAT)},
        {.name = SLICE("d"), .ty = TY(DOUBLE)},
        {.name = SLICE("s"), .ty = TY(STRING)},
        {.name = SLICE("o"), .ty = TY(OBJECT)},
        {.name = SLICE("m"), .ty = TY(MAP)},
        {.name = SLICE("a"), .ty = ty_list(a, TY(INT))},
        {.name = SLICE("e"), .ty = ty_list(a, ((struct ty){.kind = TY_EVENT, .ev = of}))},
        {.name = SLICE("g"), .ty = {.kind = TY_EVENT, .ev = of}},
        {.name = SLICE("b2"), .ty = TY(BOOL)},
        {.name = SLICE("i2"), .ty = TY(INT)},
        {.name = SLICE("l2"), .ty = TY(LONG)},
        {.name = SLICE("f2"), .ty = TY(FLOAT)},
        {.name = SLICE("d2"), .ty = TY(DOUBLE)},
        {.name = SLICE("s2"), .ty = TY(STRING)},
        {.name = SLICE("y"), .ty = TY(BYTE)},
        {.name = SLICE("h"), .ty = TY(SHORT)},
    };
    return ety_new(a, NULL, ETYPE_PLAIN, SLICE("All"), cols, ARRAY_LEN(cols), NULL, 0);
}

static struct evt *full(struct vheap *h, const struct etype *t)
{
    struct evt *e = evt_new(h, t), *item = evt_new(h, t->cols[10].ty.ev);
    struct vlist *a = vlist_new(h, 3), *events = vlist_new(h, 2);
    struct vmap *m = vmap_new(h, 1);
    struct dat text = dat_str(vstr_new(h, SLICE("a,\xc3\xa4 12")));
    evt_set(item, 0, text);
    evt_set(item, 1, dat_int(7));
    vlist_set(a, 0, dat_int(3));
    vlist_set(a, 2, dat_int(-1));
    vlist_set(events, 0, dat_evt(item));
    vmap_set(m, 0, text, dat_long(5));
    evt_set(e, 0, dat_bool(true));
    evt_set(e, 1, dat_int(-7));
    evt_set(e, 2, dat_long(1709209845678));
    evt_set(e, 3, dat_float(0.1));
    evt_set(e, 4, dat_double(2.5));
    evt_set(e, 5, text);
    evt_set(e, 6, text);
    evt_set(e, 7, dat_map(m));
    evt_set(e, 8, dat_list(a));
    evt_set(e, 9, dat_list(events));
    evt_set(e, 10, dat_evt(item));
    return e;
}

/* A value of that type out of few that are interesting. */
static struct dat chosen(struct vheap *h, struct fuzz_bytes *b, enum ty_kind t)
{
    static const int64_t whole[] = {0, 1, -1, 2, 7, -7, INT32_MAX, INT32_MIN};
    static const double floating[] = {0, 1, -1.5, 2, 7, 0.1, 1e300, -0.0};
    static const char *const texts[] = {"", "a", "x", "12", "b", "abc", " 1.5 ", "true"};
    unsigned n = fuzz_pick(b, 10);
    double d = n == 8 ? NAN : n < 8 ? floating[n] : 0;
    int64_t i = n == 8 ? INT64_MIN : n < 8 ? whole[n] : 0;
    if (n == 9) {
        return DAT_NONE;
    }
    switch (t) {
    case TY_BOOL: return dat_bool((n & 1) != 0);
    case TY_BYTE: return (struct dat){.kind = DAT_BYTE, .i = (int8_t)i};
    case TY_SHORT: return (struct dat){.kind = DAT_SHORT, .i = (int16_t)i};
    case TY_INT: return dat_int((int32_t)i);
    case TY_LONG: return dat_long(i);
    case TY_FLOAT: return dat_float(d);
    case TY_DOUBLE: return dat_double(d);
    case TY_OBJECT: return n < 3 ? dat_int((int32_t)i) : n < 6 ? dat_double(d) : dat_bool(n == 7);
    case TY_STRING: return dat_str(vstr_new(h, slice_str(texts[n & 7])));
    default: return DAT_NONE;
    }
}

static struct evt *random_one(struct vheap *h, const struct etype *t, const struct etype *sub,
                              struct fuzz_bytes *b)
{
    struct evt *e = evt_new(h, sub), *of = full(h, t);
    const uint16_t *slot = ety_view(sub, t);
    for (uint32_t i = 0; i < t->n_cols; i++) {
        enum ty_kind k = t->cols[i].ty.kind;
        evt_set(e, slot[i], k < TY_EVENT ? chosen(h, b, k) : of->p[i]);
    }
    return e;
}

static bool agree(struct dat x, struct dat y)
{
    return x.kind == y.kind && dat_same(x, y);
}

static _Noreturn void differ(const struct ex *e, struct slice text, struct dat want,
                             struct dat have)
{
    struct buf out;
    buf_init(&out, 1 << 20);
    (void)buf_addf(&out, SLICE_FMT "\ntree ", SLICE_ARG(text));
    dat_text_to(want, &out);
    (void)buf_addf(&out, " (%d)\nprogram ", (int)want.kind);
    dat_text_to(have, &out);
    (void)buf_addf(&out, " (%d)\n", (int)have.kind);
    vm_print(vm_compile(e, VM_VALUE), SLICE(""), &out);
    vm_print(vm_compile(e, VM_DECISION), SLICE(""), &out);
    fputs(buf_cstr(&out), stderr);
    abort();
}

static void compare(const struct ex *e, struct slice text, struct vheap *h, struct evt *row)
{
    struct ectx t = {.heap = h, .now = 1700000000000, .row = &row}, v = t, d = t;
    struct dat want = tree_eval(e, &t), have = ex_eval(e, &v);
    (void)dat_hash(have);
    bool same = t.failed == v.failed && (t.failed || agree(want, have));
    if (e->ty.kind == TY_BOOL) {
        bool yes = ex_true(e, &d);
        same = same && d.failed == t.failed && (t.failed || yes == dat_true(want));
    }
    if (!same) {
        differ(e, text, want, have);
    }
}

static struct slice text_of(struct arena *a, struct fuzz_bytes *b)
{
    struct buf out;
    if (b->left == 0 || *b->p < 0x80) {
        return arena_copy(a, slice_of(b->p, MIN(b->left, (size_t)TEXT_MAX)));
    }
    (void)fuzz_pick(b, 1);
    buf_init(&out, 1 << 20);
    fuzz_expr_text(b, &out);
    struct slice text = arena_copy(a, slice_of(out.ptr, MIN(out.len, (size_t)MADE_MAX)));
    buf_done(&out);
    return text;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *a = arena_new(NULL, "fuzz", 64 << 20);
    struct vheap *h = vheap_new();
    struct catalog cat;
    struct ast_expr *ast = NULL;
    struct ex *e = NULL;
    struct err err = {0};
    cat_init(&cat, a);
    struct bind_stream stream = {.alias = SLICE("x"), .type = make_type(a)};
    struct scope scope = {.streams = &stream, .n_streams = 1, .no_aggs = "no aggregations here"};
    struct bind b = {.a = a, .cat = &cat, .scope = &scope, .heap = h};
    struct fuzz_bytes bytes = {data, size};
    struct slice text = text_of(a, &bytes);
    struct ecol more = {.name = SLICE("more"), .ty = TY(INT)};
    const struct etype *sub =
        ety_new(a, NULL, ETYPE_PLAIN, SLICE("Sub"), &more, 1, &stream.type, 1);
    if (epl_parse_expr(a, text, &ast, &err) == 0 && bind_expr(&b, ast, &e, &err) == 0) {
        vheap_drain(h);
        size_t constants = vheap_live(h);
        for (int i = 0; i < 3; i++) {
            compare(e, text, h,
                    i == 0   ? full(h, stream.type)
                    : i == 1 ? evt_new(h, stream.type)
                             : random_one(h, stream.type, sub, &bytes));
            vheap_drain(h);
            if (vheap_live(h) != constants) {
                abort();
            }
        }
    }
    VEC_DONE(&b.used);
    cat_done(&cat);
    arena_free(a);
    vheap_free(h);
    return 0;
}
