/* SPDX-License-Identifier: Apache-2.0
 *
 * What the evaluation of an expression costs: by its program (operators/expr/vm.h), and by a walk
 * over its tree (tests/unit/operators/expr/expr_tree.h), turn by turn on the same 1024 events of 12
 * columns, one in 16 of whose values is null. Conditions are asked whether they are true, the rest
 * for their values; what they make is let go of each 1024 events.
 *
 * ns are CPU time of this process per evaluation, median of rounds with the least and greatest.
 * Options: rounds (default 9), "quick" for one short round, "program" to see the programs.
 */
#include "core/base/arena.h"
#include "core/base/buf.h"
#include "core/base/clock.h"
#include "core/base/mem.h"
#include "operators/epl/epl.h"
#include "operators/expr/vm.h"
#include "operators/plan/bind.h"
#include "tests/unit/operators/expr/expr_tree.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { EVENTS = 1024, ROUNDS_MAX = 31, ROUND_MS = 60, COLUMNS = 12 };

static const struct {
    const char *what, *text;
} rows[] = {
    {"column", "value"},
    {"compare with a constant", "value > 90"},
    {"three conditions", "host = 'host-3' and value > 50 and n between 10 and 80"},
    {"or, in, null tests", "n in (3, 5, 7) or host in ('host-1', 'host-2') or value2 is null"},
    {"not, columns compared", "not (value > value2 or l <= l2) and n != n2"},
    {"arithmetic", "(value * 1.5 + value2) / 2 - n"},
    {"whole numbers", "(l + 5) * 3 - l2 + n * 7"},
    {"case",
     "case when value > 75 then 3 when value > 50 then 2 when value > 25 then 1 else 0 end"},
    {"function", "Math.abs(value - value2) > 10.0"},
    {"text", "host || ':' || name || '/' || name2"},
    {"coalesce, min", "coalesce(value, value2, 0.0) + min(n, n2)"},
};

struct bench {
    struct arena *a;
    struct vheap *heap;
    struct catalog cat;
    const struct etype *type;
    struct evt *events[EVENTS];
    uint64_t seed;
};

static _Noreturn void die(const char *why)
{
    fprintf(stderr, "bench_expr: %s\n", why);
    exit(1);
}

static uint32_t next(struct bench *b, uint32_t n)
{
    b->seed = b->seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(b->seed >> 33) % n;
}

static void make_type(struct bench *b)
{
    struct ecol cols[COLUMNS] = {
        {.name = SLICE("name"), .ty = TY(STRING)},   {.name = SLICE("name2"), .ty = TY(STRING)},
        {.name = SLICE("host"), .ty = TY(STRING)},   {.name = SLICE("value"), .ty = TY(DOUBLE)},
        {.name = SLICE("value2"), .ty = TY(DOUBLE)}, {.name = SLICE("n"), .ty = TY(INT)},
        {.name = SLICE("n2"), .ty = TY(INT)},        {.name = SLICE("l"), .ty = TY(LONG)},
        {.name = SLICE("l2"), .ty = TY(LONG)},       {.name = SLICE("f"), .ty = TY(FLOAT)},
        {.name = SLICE("b"), .ty = TY(BOOL)},        {.name = SLICE("ts"), .ty = TY(LONG)},
    };
    b->type = ety_new(b->a, NULL, ETYPE_PLAIN, SLICE("Metric"), cols, COLUMNS, NULL, 0);
}

static struct dat random_value(struct bench *b, enum ty_kind t)
{
    char text[32];
    if (next(b, 16) == 0) {
        return DAT_NONE;
    }
    switch (t) {
    case TY_STRING:
        snprintf(text, sizeof text, "host-%u", next(b, 8));
        return dat_str(vstr_new(b->heap, slice_str(text)));
    case TY_DOUBLE: return dat_double(next(b, 10000) / 100.0);
    case TY_FLOAT: return dat_float(next(b, 10000) / 100.0);
    case TY_INT: return dat_int((int32_t)next(b, 100));
    case TY_LONG: return dat_long(next(b, 100));
    default: return dat_bool(next(b, 2) == 1);
    }
}

static struct ex *bound(struct bench *b, const char *text)
{
    struct ast_expr *ast = NULL;
    struct ex *e = NULL;
    struct err err = {0};
    struct bind_stream stream = {.type = b->type};
    struct scope scope = {.streams = &stream, .n_streams = 1, .no_aggs = "no aggregations here"};
    struct bind bind = {.a = b->a, .cat = &b->cat, .scope = &scope, .heap = b->heap};
    if (epl_parse_expr(b->a, slice_str(text), &ast, &err) != 0 ||
        bind_expr(&bind, ast, &e, &err) != 0) {
        die(err.msg);
    }
    VEC_DONE(&bind.used);
    return e;
}

/* ---- what is measured: the sum of what came out, so that nothing is left out ---- */

static uint64_t by_tree(struct bench *b, const struct ex *e)
{
    uint64_t sum = 0;
    struct ectx c = {.heap = b->heap};
    for (int i = 0; i < EVENTS; i++) {
        c.row = &b->events[i];
        sum += tree_eval(e, &c).kind;
    }
    return sum;
}

static uint64_t by_program(struct bench *b, const struct ex *e)
{
    uint64_t sum = 0;
    struct ectx c = {.heap = b->heap};
    for (int i = 0; i < EVENTS; i++) {
        c.row = &b->events[i];
        sum += ex_eval(e, &c).kind;
    }
    return sum;
}

static uint64_t decide_by_tree(struct bench *b, const struct ex *e)
{
    uint64_t sum = 0;
    struct ectx c = {.heap = b->heap};
    for (int i = 0; i < EVENTS; i++) {
        c.row = &b->events[i];
        sum += dat_true(tree_eval(e, &c));
    }
    return sum;
}

static uint64_t decide_by_program(struct bench *b, const struct ex *e)
{
    uint64_t sum = 0;
    struct ectx c = {.heap = b->heap};
    for (int i = 0; i < EVENTS; i++) {
        c.row = &b->events[i];
        sum += ex_true(e, &c);
    }
    return sum;
}

static double one_round(struct bench *b, const struct ex *e,
                        uint64_t (*fn)(struct bench *, const struct ex *), int ms,
                        uint64_t *ret_sum)
{
    int64_t start = clock_cpu_ns(), used = 0;
    uint64_t times = 0;
    while (used < (int64_t)ms * CLOCK_NS_PER_MS) {
        for (int i = 0; i < 16; i++) {
            *ret_sum = fn(b, e);
            vheap_drain(b->heap);
        }
        times += 16 * EVENTS;
        used = clock_cpu_ns() - start;
    }
    return (double)used / (double)times;
}

static int by_value(const void *x, const void *y)
{
    double a = *(const double *)x, c = *(const double *)y;
    return (a > c) - (a < c);
}

static void run(struct bench *b, size_t row, int rounds, int ms)
{
    const struct ex *e = bound(b, rows[row].text);
    bool decide = e->ty.kind == TY_BOOL;
    double ns[2][ROUNDS_MAX];
    uint64_t sum[2] = {0};
    for (int r = 0; r < rounds; r++) {
        ns[0][r] = one_round(b, e, decide ? decide_by_tree : by_tree, ms, &sum[0]);
        ns[1][r] = one_round(b, e, decide ? decide_by_program : by_program, ms, &sum[1]);
    }
    if (sum[0] != sum[1]) {
        die("the program does not do what the tree does");
    }
    for (int w = 0; w < 2; w++) {
        qsort(ns[w], (size_t)rounds, sizeof ns[w][0], by_value);
    }
    int mid = rounds / 2;
    printf("%-26s %6.1f (%5.1f - %5.1f) %6.1f (%5.1f - %5.1f) %6.2f\n", rows[row].what, ns[0][mid],
           ns[0][0], ns[0][rounds - 1], ns[1][mid], ns[1][0], ns[1][rounds - 1],
           ns[0][mid] / ns[1][mid]);
}

static void show_program(struct bench *b, size_t row)
{
    struct buf out;
    const struct ex *e = bound(b, rows[row].text);
    buf_init(&out, 1 << 20);
    vm_print(vm_compile(e, e->ty.kind == TY_BOOL ? VM_DECISION : VM_VALUE), SLICE("    "), &out);
    printf("%s\n%s", rows[row].text, buf_cstr(&out));
    buf_done(&out);
}

int main(int argc, char **argv)
{
    bool quick = argc > 1 && strcmp(argv[1], "quick") == 0;
    bool program = argc > 1 && strcmp(argv[1], "program") == 0;
    long asked = argc > 1 && !quick && !program ? strtol(argv[1], NULL, 10) : 9;
    int rounds = quick ? 1 : (int)MAX(1, MIN(asked, ROUNDS_MAX));
    struct bench b = {.a = arena_new(NULL, "bench", 64 << 20), .heap = vheap_new(), .seed = 7};
    cat_init(&b.cat, b.a);
    make_type(&b);
    for (int i = 0; i < EVENTS; i++) {
        b.events[i] = evt_keep(evt_new(b.heap, b.type));
        for (uint32_t c = 0; c < b.type->n_cols; c++) {
            evt_set(b.events[i], c, random_value(&b, b.type->cols[c].ty.kind));
        }
    }
    vheap_drain(b.heap);
    if (!program) {
        printf("%-26s %-23s %-23s times\n", "ns per evaluation", "   tree", "   program");
    }
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (program) {
            show_program(&b, i);
        } else {
            run(&b, i, rounds, quick ? 5 : ROUND_MS);
        }
    }
    cat_done(&b.cat);
    arena_free(b.a);
    vheap_free(b.heap);
    return 0;
}
