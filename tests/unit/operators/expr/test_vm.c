/* SPDX-License-Identifier: Apache-2.0
 *
 * What expressions are made into (the disassembler's text says it), and that programs give what a
 * walk over the tree gives, also those that are too large for one program.
 */
#include "expr_tree.h"
#include "fn_fixture.h"

#include "core/base/buf.h"
#include "operators/epl/epl.h"
#include "operators/expr/vm.h"
#include "tests/test.h"

#include <stdio.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size); /* of fuzz_expr.c; aborts */

static struct ex *bound(struct fn_fixture *f, const char *text)
{
    struct ast_expr *ast = NULL;
    struct ex *e = NULL;
    struct err err = {0};
    struct bind_stream stream = {.type = f->misc};
    struct scope scope = {.streams = &stream, .n_streams = 1, .no_aggs = "no aggregations here"};
    struct bind b = {.a = f->a, .cat = &f->cat, .scope = &scope, .heap = f->h};
    if (epl_parse_expr(f->a, slice_str(text), &ast, &err) != 0 ||
        bind_expr(&b, ast, &e, &err) != 0) {
        printf("%s\n", err.msg);
        e = NULL;
    }
    VEC_DONE(&b.used);
    return e;
}

static const struct {
    enum vm_use use;
    const char *text, *program;
} made[] = {
    {VM_VALUE, "i", " 0  return_column   s0.i\n"},
    {VM_VALUE, "'x'", " 0  return_const    'x'\n"},
    {VM_VALUE, "i + 1",
     " 0  column          r0, s0.i\n 1  add_int_k       r0, r0, 1\n 2  return          r0\n"},
    {VM_VALUE, "3 * l",
     " 0  column          r0, s0.l\n 1  mul_long_k      r0, r0, 3L\n 2  return          r0\n"},
    {VM_VALUE, "d - d",
     " 0  column          r0, s0.d\n 1  sub_double_c    r0, r0, s0.d\n 2  return          r0\n"},
    {VM_VALUE, "i > 5",
     " 0  column          r1, s0.i\n 1  cmp_int_k       r0, r1, 5, >\n 2  return          r0\n"},
    {VM_VALUE, "s || 'a' || k",
     " 0  column          r1, s0.s\n 1  const           r2, 'a'\n 2  column          r3, s0.k\n"
     " 3  concat          r0, r1, 3\n 4  return          r0\n"},
    {VM_VALUE, "coalesce(i, 3)",
     " 0  column          r0, s0.i\n 1  jump_set        r0, ->3\n 2  const           r0, 3\n"
     " 3  return          r0\n"},
    {VM_VALUE, "case when b then 1 else 2 end",
     " 0  column          r1, s0.b\n 1  jump_if         r1, false or null, ->4\n"
     " 2  const           r0, 1\n 3  jump            ->5\n 4  const           r0, 2\n"
     " 5  return          r0\n"},
    {VM_VALUE, "s.length()",
     " 0  column          r1, s0.s\n 1  null_ends       r0, r1, ->3\n"
     " 2  call            r0, length, r1, 1\n 3  return          r0\n"},
    {VM_VALUE, "sub.x",
     " 0  column          r0, s0.sub\n 1  field           r0, r0, .x\n 2  return          r0\n"},
    {VM_VALUE, "b and i = 1",
     " 0  const           r0, true\n 1  column          r1, s0.b\n"
     " 2  and_step        r0, r1, ->6\n 3  column          r2, s0.i\n"
     " 4  cmp_int_k       r1, r2, 1, =\n 5  and_step        r0, r1, ->6\n"
     " 6  return          r0\n"},
    {VM_DECISION, "d > 90",
     " 0  jump_double_ck  s0.d, 90.0, not > or null, ->2\n 1  return_true\n 2  return_false\n"},
    {VM_DECISION, "90 < d",
     " 0  jump_double_ck  s0.d, 90.0, not > or null, ->2\n 1  return_true\n 2  return_false\n"},
    {VM_DECISION, "s = 'a' and i > l",
     " 0  jump_text_ck    s0.s, 'a', != or null, ->3\n"
     " 1  jump_int_cc     s0.i, s0.l, not > or null, ->3\n 2  return_true\n 3  return_false\n"},
    {VM_DECISION, "not (i = 1 or i = 2)",
     " 0  jump_int_ck     s0.i, 1, = or null, ->3\n 1  jump_int_ck     s0.i, 2, = or null, ->3\n"
     " 2  return_true\n 3  return_false\n"},
    {VM_DECISION, "s is null or i in (1, 2)",
     " 0  jump_null_c     s0.s, ->2\n 1  jump_in_c       s0.i, 1, 2, in false or null, ->3\n"
     " 2  return_true\n 3  return_false\n"},
    {VM_DECISION, "i between 9 and 5",
     " 0  jump_int_ck     s0.i, 5, not >= or null, ->3\n"
     " 1  jump_int_ck     s0.i, 9, not <= or null, ->3\n 2  return_true\n 3  return_false\n"},
    {VM_DECISION, "b",
     " 0  column          r0, s0.b\n 1  jump_if         r0, false or null, ->3\n"
     " 2  return_true\n 3  return_false\n"},
    /* what may fail behind a null is not left out: as a value, then a jump */
    {VM_DECISION, "b and i % 2 = 1",
     " 0  const           r0, true\n 1  column          r1, s0.b\n"
     " 2  and_step        r0, r1, ->8\n 3  column          r2, s0.i\n"
     " 4  const           r3, 2\n 5  arith           r2, r2, r3, mod\n"
     " 6  cmp_int_k       r1, r2, 1, =\n 7  and_step        r0, r1, ->8\n"
     " 8  jump_if         r0, false or null, ->10\n 9  return_true\n10  return_false\n"},
};

TEST(expressions_become_these_programs)
{
    struct fn_fixture f;
    struct buf out;
    fn_fixture_init(&f);
    buf_init(&out, 1 << 16);
    for (size_t i = 0; i < ARRAY_LEN(made); i++) {
        const struct ex *e = bound(&f, made[i].text);
        CHECK(e != NULL);
        buf_clear(&out);
        vm_print(vm_compile(e, made[i].use), SLICE(""), &out);
        CHECK_STR(made[i].program, buf_cstr(&out));
    }
    buf_done(&out);
    fn_fixture_done(&f);
}

/* Value, decision and tree agree on the fixture's three events; the program it was. */
static const struct vm_prog *agreed(struct fn_fixture *f, const char *text)
{
    const struct ex *e = bound(f, text);
    CHECK(e != NULL);
    for (int i = 0; i < 3; i++) {
        struct evt *row = fn_fixture_event(f, f->misc, i);
        struct ectx t = {.heap = f->h, .row = &row}, v = t, d = t;
        struct dat want = tree_eval(e, &t), have = ex_eval(e, &v);
        CHECK_EQ(want.kind, have.kind);
        CHECK(dat_same(want, have));
        CHECK_EQ(t.failed, v.failed);
        if (e->ty.kind == TY_BOOL) {
            bool yes = ex_true(e, &d);
            CHECK_EQ(t.failed, d.failed);
            CHECK(t.failed || yes == dat_true(want));
        }
    }
    vheap_drain(f->h);
    return vm_compile(e, VM_VALUE);
}

/* head, n times part with its number, tail */
static const char *repeated(struct buf *out, const char *head, const char *part, int n,
                            const char *between, const char *tail)
{
    buf_clear(out);
    (void)buf_add_str(out, head);
    for (int i = 0; i < n; i++) {
        (void)buf_addf(out, "%s%s%d", i > 0 ? between : "", part, i);
    }
    (void)buf_add_str(out, tail);
    return buf_cstr(out);
}

static bool has(const struct vm_prog *p, enum vm_op op)
{
    for (uint32_t i = 0; i < p->n_ins; i++) {
        if (p->ins[i].op == op) {
            return true;
        }
    }
    return false;
}

TEST(large_expressions_are_several_programs)
{
    struct fn_fixture f;
    struct buf b;
    fn_fixture_init(&f);
    buf_init(&b, 1 << 20);
    CHECK(!has(agreed(&f, repeated(&b, "s || ", "'t' || k || '", 40, "' || ", "'")), VM_SUB));
    CHECK(has(agreed(&f, repeated(&b, "i in (", "", 3000, ", ", ")")), VM_IN_CONST));
    CHECK(has(agreed(&f, repeated(&b, "i in (i + 100, ", "l - ", 100, ", ", ")")), VM_IN_STEP));
    CHECK(has(agreed(&f, repeated(&b, "i in (", "", 5000, ", ", ")")), VM_APPLY_MANY));
    CHECK(has(agreed(&f, repeated(&b, "{", "i + ", 5000, ", ", "}")), VM_APPLY_MANY));
    CHECK(has(agreed(&f, repeated(&b, "{", "i + ", 500, ", ", "}")), VM_SET_ELEMENT));
    CHECK(has(agreed(&f, repeated(&b, "case ", "when i = 254 then 7 when i < -", 3000, " then 1 ",
                                  " then 2 else 3 end")),
              VM_SUB));
    CHECK(
        has(agreed(&f, repeated(&b, "case i ", "when ", 5000, " then 1 ", " then 2 end")), VM_SUB));
    CHECK(!has(agreed(&f, repeated(&b, "", "i != ", 900, " and ", "")), VM_SUB));
    buf_done(&b);
    fn_fixture_done(&f);
}

TEST(deep_expressions_use_few_registers)
{
    struct fn_fixture f;
    struct buf b;
    fn_fixture_init(&f);
    buf_init(&b, 1 << 20);
    for (int i = 0; i < 150; i++) {
        (void)buf_addf(&b, "%d - (", i);
    }
    (void)buf_add_byte(&b, 'i');
    for (int i = 0; i < 150; i++) {
        (void)buf_add_byte(&b, ')');
    }
    const struct vm_prog *p = agreed(&f, buf_cstr(&b));
    CHECK(has(p, VM_SUB));
    CHECK(p->n_regs <= VM_REGS_MAX);
    buf_done(&b);
    fn_fixture_done(&f);
}

TEST(decisions_stop_at_failure_as_values_do)
{
    struct fn_fixture f;
    fn_fixture_init(&f);
    (void)agreed(&f, "b and i % 0 = 1");
    (void)agreed(&f, "sub.x > 0 and i % 0 = 1"); /* sub is null where i is not */
    (void)agreed(&f, "sub.x > 0 or i % 0 = 1");
    (void)agreed(&f, "not (sub.x > 0 and i % 0 = 1)");
    (void)agreed(&f, "not (sub.x > 0 or i % 0 = 1)");
    (void)agreed(&f, "not (sub.x > 0 or i > 3) and b");
    (void)agreed(&f, "d > 1e9 or cast(s, int) > 3");
    (void)agreed(&f, "not (b or l % (i - i) = 0)");
    (void)agreed(&f, "d is null and b and i > 3");
    fn_fixture_done(&f);
}

TEST(random_expressions_agree_with_their_trees)
{
    uint64_t seed = 11;
    uint8_t bytes[200];
    for (int i = 0; i < 1500; i++) {
        for (size_t k = 0; k < sizeof bytes; k++) {
            seed = seed * 6364136223846793005u + 1442695040888963407u;
            bytes[k] = (uint8_t)(seed >> 40);
        }
        bytes[0] |= 0x80; /* made, not read */
        CHECK_EQ(0, LLVMFuzzerTestOneInput(bytes, 20 + (seed >> 33) % 180));
    }
}
