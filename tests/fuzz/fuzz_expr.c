/* SPDX-License-Identifier: Apache-2.0
 *
 * Any text as an expression: parsed, bound to an event type with columns of all kinds, run on an
 * event that is full and on one that is empty. Nothing may crash, and nothing may be left on the
 * heap when the step ends.
 */
#include "core/base/arena.h"
#include "operators/epl/epl.h"
#include "operators/expr/ectx.h"
#include "operators/plan/bind.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { TEXT_MAX = 400 };

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
    struct slice text = arena_copy(a, slice_of(data, size < TEXT_MAX ? size : TEXT_MAX));
    if (epl_parse_expr(a, text, &ast, &err) == 0 && bind_expr(&b, ast, &e, &err) == 0) {
        vheap_drain(h);
        size_t constants = vheap_live(h);
        for (int i = 0; i < 2; i++) {
            struct evt *row[1] = {i == 0 ? full(h, stream.type) : evt_new(h, stream.type)};
            struct ectx c = {.heap = h, .now = 1700000000000, .row = row};
            (void)dat_hash(ex_eval(e, &c));
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
