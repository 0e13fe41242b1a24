/* SPDX-License-Identifier: Apache-2.0
 *
 * Programs made by hand: the verifier takes what is right and refuses everything else.
 */
#include "fn_fixture.h"

#include "operators/expr/eval_impl.h"
#include "operators/expr/fn_impl.h"
#include "operators/expr/vm.h"
#include "tests/test.h"

#include <stdio.h>

enum { INS_MAX = 8, COLUMN_I = 1, COLUMN_S = 5 };

struct made { /* a program, and what is wrong with it (a part of the message); NULL: nothing */
    const char *wrong;
    uint16_t n_ins, n_regs;
    struct vm_ins ins[INS_MAX];
};

#define I(op_, ...)                                                                                \
    {                                                                                              \
        .op = VM_##op_, .v = { __VA_ARGS__ }                                                       \
    }

/* Constants: 0 int, 1 string, 2 bool. Places: 0 i, 1 s, 2 a column too many, 3 the event, 4 i of an
 * outer row. Expressions: 0 a call of length(s), 1 coalesce, 2 a structure of one column. */
static const struct made programs[] = {
    {NULL, 2, 1, {I(CONST, 0, 0), I(RETURN, 0)}},
    {NULL, 3, 1, {I(COLUMN, 0, 0), I(ADD_INT_K, 0, 0, 0), I(RETURN, 0)}},
    {NULL, 3, 0, {I(JUMP_INT_CK, 0, 0, 1, 2), I(RETURN_TRUE, 0), I(RETURN_FALSE, 0)}},
    {NULL, 3, 2, {I(COLUMN, 1, 1), I(CALL, 0, 0, 1, 1), I(RETURN, 0)}},
    {NULL, 4, 1, {I(JUMP, 2), I(RETURN, 0), I(CONST, 0, 0), I(RETURN, 0)}}, /* 1: no way to it */
    {"a program of 0", 0, 0, {{0}}},
    {"and 97 registers", 2, 97, {I(CONST, 0, 0), I(RETURN, 0)}},
    {"there is no 999", 1, 1, {{.op = 999}}},
    {"no such register", 2, 1, {I(CONST, 1, 0), I(RETURN, 0)}},
    {"no such register", 2, 1, {I(CONST, 0, 0), I(RETURN, 1)}},
    {"nothing may have been written", 1, 1, {I(RETURN, 0)}},
    {"nothing may have been written",
     4,
     2,
     {I(CONST, 0, 2), I(JUMP_IF, 0, 1, 3), I(CONST, 1, 0), I(RETURN, 1)}},
    {"nothing may have been written",
     4,
     2,
     {I(CONST, 0, 0), I(NULL_ENDS, 1, 0, 2), I(NOW, 0), I(RETURN, 1)}},
    {"no such constant", 2, 1, {I(CONST, 0, 3), I(RETURN, 0)}},
    {"no such constant", 3, 1, {I(CONST, 0, 0), I(IN_CONST, 0, 0, 1, 3, 0), I(RETURN, 0)}},
    {"no such constant", 3, 1, {I(CONST, 0, 0), I(IN_CONST, 0, 0, 0, 0, 0), I(RETURN, 0)}},
    {"no such place", 2, 1, {I(COLUMN, 0, 5), I(RETURN, 0)}},
    {"no such column", 2, 1, {I(COLUMN, 0, 2), I(RETURN, 0)}},
    {"no such column", 2, 1, {I(COLUMN, 0, 3), I(RETURN, 0)}},
    {"no such column", 2, 1, {I(EVENT, 0, 0), I(RETURN, 0)}},
    {"not of this row", 2, 1, {I(COLUMN, 0, 4), I(RETURN, 0)}},
    {"another type", 3, 1, {I(COLUMN, 0, 1), I(ADD_INT_K, 0, 0, 0), I(RETURN, 0)}},
    {"another type", 3, 1, {I(COLUMN, 0, 0), I(ADD_INT_K, 0, 0, 1), I(RETURN, 0)}},
    {"another type", 3, 1, {I(COLUMN, 0, 0), I(ADD_INT_C, 0, 0, 1), I(RETURN, 0)}},
    {"another type", 3, 0, {I(JUMP_TEXT_CK, 0, 1, 1, 2), I(RETURN_TRUE, 0), I(RETURN_FALSE, 0)}},
    {"values of another type", /* int on one way, text on the other */
     6,
     2,
     {I(CONST, 1, 2), I(CONST, 0, 1), I(JUMP_IF, 1, 1, 4), I(CONST, 0, 0), I(ADD_INT_K, 0, 0, 0),
      I(RETURN, 0)}},
    {"no such expression", 2, 1, {I(VAR, 0, 3), I(RETURN, 0)}},
    {"not for this instruction", 3, 2, {I(COLUMN, 1, 1), I(CALL, 0, 1, 1, 1), I(RETURN, 0)}},
    {"not for this instruction", 3, 2, {I(COLUMN, 1, 1), I(CALL, 0, 0, 1, 2), I(RETURN, 0)}},
    {"not for this instruction", 3, 2, {I(COLUMN, 1, 1), I(APPLY, 0, 1, 1, 1), I(RETURN, 0)}},
    {"not for this instruction", 2, 1, {I(APPLY_MANY, 0, 1), I(RETURN, 0)}},
    {"not for this instruction", 2, 1, {I(NEW, 0, 0), I(RETURN, 0)}},
    {"not for this instruction",
     4,
     2,
     {I(NEW, 0, 2), I(CONST, 1, 0), I(SET_COLUMN, 0, 1, 2, 1), I(RETURN, 0)}},
    {"no such register", 3, 2, {I(COLUMN, 1, 1), I(CONCAT, 0, 1, 2), I(RETURN, 0)}},
    {"cannot be joined", 3, 2, {I(COLUMN, 1, 1), I(CONCAT, 0, 1, 17), I(RETURN, 0)}},
    {"no such parameter", 2, 1, {I(LAMBDA, 0, ECTX_LAMBDA_MAX, TY_INT), I(RETURN, 0)}},
    {"no such type", 2, 1, {I(LAMBDA, 0, 0, TY_LIST + 1), I(RETURN, 0)}},
    {"no set of truths", 3, 1, {I(CONST, 0, 2), I(JUMP_IF, 0, 0, 2), I(RETURN, 0)}},
    {"no such outcome", 3, 0, {I(JUMP_INT_CK, 0, 0, 64, 2), I(RETURN_TRUE, 0), I(RETURN_FALSE, 0)}},
    {"no such group-by", 2, 1, {I(GROUPING, 0, 32), I(RETURN, 0)}},
    {"jumps go forward", 2, 0, {I(JUMP, 0), I(RETURN_TRUE, 0)}},
    {"jumps go forward", 3, 0, {I(RETURN_TRUE, 0), I(JUMP, 0), I(RETURN_TRUE, 0)}},
    {"jumps go forward", 2, 0, {I(JUMP, 2), I(RETURN_TRUE, 0)}},
    {"behind the last", 1, 1, {I(CONST, 0, 0)}},
    {"behind the last", 3, 1, {I(JUMP_NULL_C, 0, 2), I(RETURN_TRUE, 0), I(NOW, 0)}},
};

static struct dat nothing(const struct fn_in *in)
{
    (void)in;
    return DAT_NONE;
}

TEST(the_verifier_takes_what_is_right_and_refuses_the_rest)
{
    struct fn_fixture f;
    fn_fixture_init(&f);
    struct ecol one = {.name = SLICE("p"), .ty = TY(INT)};
    struct dat k[] = {dat_int(1), dat_str(vstr_new(f.h, SLICE("x"))), dat_bool(true)};
    struct vm_place places[] = {
        {.of = f.misc, .slot = COLUMN_I, .kind = TY_INT},
        {.of = f.misc, .slot = COLUMN_S, .kind = TY_STRING},
        {.of = f.misc, .slot = (uint16_t)f.misc->n_cols, .kind = TY_INT},
        {.kind = TY_EVENT},
        {.of = f.misc, .slot = COLUMN_I, .level = 1, .kind = TY_INT},
    };
    struct ex call = {.op = EX_CALL, .ty = TY(INT), .n_args = 1};
    struct ex other = {.op = EX_COALESCE, .ty = TY(INT), .n_args = 1};
    struct ex structure = {.op = EX_NEW, .ty = TY(EVENT), .n_args = 1};
    structure.of = ety_new(f.a, NULL, ETYPE_ANON, SLICE_NONE, &one, 1, NULL, 0);
    struct vm_ref refs[] = {{.e = &call, .fn = nothing}, {.e = &other}, {.e = &structure}};
    for (size_t i = 0; i < ARRAY_LEN(programs); i++) {
        const struct made *m = &programs[i];
        struct vm_prog p = {
            m->ins,          k,        places, refs, m->n_ins, ARRAY_LEN(k), ARRAY_LEN(places),
            ARRAY_LEN(refs), m->n_regs};
        struct err err = {0};
        int rc = vm_verify(&p, &err);
        if (m->wrong == NULL) {
            CHECK_OK(rc, err);
        } else {
            CHECK_EQ(-ERR_CORRUPT, rc);
            CHECK_HAS(m->wrong, err.msg);
        }
    }
    fn_fixture_done(&f);
}

TEST(every_instruction_says_what_it_is)
{
    for (unsigned op = 0; op < VM_OP_COUNT; op++) {
        unsigned n = vm_operands((enum vm_op)op);
        CHECK(n <= VM_OPERANDS);
        CHECK(vm_rows[op].doc[0] != '\0');
        for (unsigned k = 0; k < n; k++) {
            bool jump = vm_operand((enum vm_op)op, k)[0] == 'j';
            CHECK(!jump || k == n - 1);
            CHECK(vm_operand((enum vm_op)op, k)[0] != 'd' || k == 0);
        }
    }
}
