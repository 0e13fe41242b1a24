/* SPDX-License-Identifier: Apache-2.0
 *
 * The shapes of expressions.
 */
#include "epl_util.h"

#include <stdio.h>

/* The tree with every operator's operands in brackets. */
static const char *shape(const char *text);

TEST(parse_expr_precedence)
{
    static const struct {
        const char *text, *same;
    } cases[] = {
        {"a or b and c", "a or (b and c)"},
        {"a and b & c", "a and (b & c)"},
        {"not a & b", "(not a) & b"},
        {"not a = b", "not (a = b)"},
        {"a = b > c", "a = (b > c)"},
        {"a > b || c", "a > (b || c)"},
        {"a || b + c", "a || (b + c)"},
        {"a + b * c", "a + (b * c)"},
        {"a - b - c", "(a - b) - c"},
        {"-a * b", "(-a) * b"},
        {"a + b between c and d and e", "((a + b) between c and d) and e"},
        {"a like b || c or d", "(a like (b || c)) or d"},
        {"a in (b) = c", "(a in (b)) = c"},
        {"a is null or b", "(a is null) or b"},
        {"not a in (b)", "not (a in (b))"},
        {"a is not b and c", "(a is not b) and c"},
        {"a % b / c", "(a % b) / c"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char want[200];
        snprintf(want, sizeof want, "%s", shape(cases[i].same));
        CHECK_STR(want, shape(cases[i].text));
    }
}

static void add_shape(struct buf *b, const struct ast_expr *e)
{
    if (e->kind == AST_CHAIN) {
        (void)buf_add_slice(b, e->segs[0].name);
        return;
    }
    (void)buf_addf(b, "(%d:%d:%d", (int)e->kind, (int)e->op, (int)e->negated);
    for (uint32_t i = 0; i < e->n_args; i++) {
        (void)buf_add_str(b, " ");
        add_shape(b, e->args[i]);
    }
    (void)buf_add_str(b, ")");
}

static const char *shape(const char *text)
{
    static PROCESS_WIDE
    struct buf b;
    const struct ast_expr *e = util_expr(text);
    buf_done(&b);
    buf_init(&b, 4096);
    add_shape(&b, e);
    return buf_cstr(&b);
}

TEST(parse_expr_and_or_have_many_operands)
{
    const struct ast_expr *e = util_expr("a and b and c and (d and e)");
    CHECK_EQ(OP_AND, e->op);
    CHECK_EQ(4, e->n_args);
    CHECK(e->args[3]->paren);
    CHECK_EQ(27, e->span.len);
}

TEST(parse_expr_chains)
{
    const struct ast_expr *e = util_expr("a.b('k')[1].c?");
    CHECK_EQ(AST_CHAIN, e->kind);
    CHECK_EQ(4, e->n_segs);
    CHECK(e->segs[1].is_call && e->segs[1].n_args == 1);
    CHECK(e->segs[2].has_index && e->segs[2].name.len == 0);
    CHECK(e->segs[3].optional);
    CHECK_EQ(0, e->n_args);
    e = util_expr("'x'.length()");
    CHECK_EQ(AST_STRING, e->args[0]->kind);
    CHECK_SLICE("length", e->segs[0].name);
    e = util_expr("(select * from X#keepall).where(x => x.a)");
    CHECK_EQ(AST_SUBQUERY, e->args[0]->kind);
    CHECK_EQ(AST_LAMBDA, e->segs[0].args[0]->kind);
    e = util_expr("{1,2}.union({3})");
    CHECK_EQ(AST_ARRAY, e->args[0]->kind);
    e = util_expr("T[a, b].c");
    CHECK(e->segs[0].has_index && e->segs[0].n_args == 2);
    e = util_expr("current_timestamp.plus(1 hour)");
    CHECK_EQ(2, e->n_segs);
    CHECK_EQ(AST_PERIOD, e->segs[1].args[0]->kind);
}

TEST(parse_expr_calls)
{
    const struct ast_expr *e = util_expr("count(*)");
    CHECK(e->segs[0].star && e->segs[0].n_args == 0);
    e = util_expr("count(*, a > 1)");
    CHECK(e->segs[0].star && e->segs[0].n_args == 1);
    e = util_expr("sum(distinct a, group_by: (b, c), filter: d)");
    CHECK(e->segs[0].distinct);
    CHECK_EQ(3, e->segs[0].n_args);
    CHECK_EQ(AST_NAMED_ARG, e->segs[0].args[1]->kind);
    CHECK_EQ(AST_ROW, e->segs[0].args[1]->args[0]->kind);
    CHECK_EQ(2, e->segs[0].args[1]->args[0]->n_args);
    e = util_expr("sum(a, group_by: ())");
    CHECK_EQ(0, e->segs[0].args[1]->args[0]->n_args);
    e = util_expr("sorted(a desc, b asc)");
    CHECK_EQ(AST_DESC, e->segs[0].args[0]->kind);
    CHECK_EQ(AST_CHAIN, e->segs[0].args[1]->kind);
    e = util_expr("window(x.*)");
    CHECK(e->segs[0].args[0]->segs[0].star);
    e = util_expr("prev(1, a)");
    CHECK_EQ(AST_INT, e->segs[0].args[0]->kind);
}

TEST(parse_expr_special_calls)
{
    const struct ast_expr *e = util_expr("cast(a, long, dateformat: 'y')");
    CHECK_EQ(AST_CAST, e->kind);
    CHECK_SLICE("long", e->text);
    CHECK_EQ(2, e->n_args);
    CHECK_SLICE("int[]", util_expr("cast(a as int[])")->text);
    e = util_expr("instanceof(a, int, java.lang.String)");
    CHECK_EQ(AST_INSTANCEOF, e->kind);
    CHECK_EQ(2, e->n_names);
    CHECK_SLICE("java.lang.String", e->names[1]);
    CHECK_EQ(AST_EXISTS, util_expr("exists (select * from X#keepall)")->kind);
    CHECK_EQ(AST_CHAIN, util_expr("exists(a.b?)")->kind);
    e = util_expr("new {a = 1, b, c = new {d}}");
    CHECK_EQ(3, e->n_named);
    CHECK_SLICE("b", e->named[1].name);
    CHECK_EQ(AST_CHAIN, e->named[1].e->kind);
}

TEST(parse_expr_in_forms)
{
    const struct ast_expr *e = util_expr("a in (1:2]");
    CHECK_EQ(AST_IN_RANGE, e->kind);
    CHECK(e->low_open && !e->high_open && !e->negated);
    e = util_expr("a not in [1:2)");
    CHECK(!e->low_open && e->high_open && e->negated);
    e = util_expr("a in (1, 2)");
    CHECK_EQ(AST_IN_LIST, e->kind);
    CHECK_EQ(3, e->n_args);
    CHECK_EQ(AST_IN_QUERY, util_expr("a in (select b from X#keepall)")->kind);
    e = util_expr("a > all (1, 2)");
    CHECK(e->kind == AST_QUANT && e->quant == 1 && e->op == OP_GT && e->n_args == 3);
    e = util_expr("a = some (select b from X#keepall)");
    CHECK(e->kind == AST_QUANT && e->quant == 0 && e->select != NULL && e->n_args == 1);
    e = util_expr("(a, b) in (select c from X#keepall)");
    CHECK_EQ(AST_ROW, e->args[0]->kind);
}

TEST(parse_expr_case)
{
    const struct ast_expr *e = util_expr("case when a then 1 when b then 2 else 3 end");
    CHECK(e->kind == AST_CASE && e->n_args == 5);
    e = util_expr("case a when 1 then 2 end");
    CHECK(e->kind == AST_CASE_VALUE && e->n_args == 3);
    e = util_expr("case a when 1 then 2 else 3 end");
    CHECK_EQ(4, e->n_args);
}

TEST(parse_expr_periods)
{
    const struct ast_expr *e = util_expr("f(1 min 30 sec)")->segs[0].args[0];
    CHECK_EQ(AST_PERIOD, e->kind);
    CHECK_EQ(9, e->n_args);
    CHECK_EQ(1, e->args[5]->i);
    CHECK_EQ(30, e->args[6]->i);
    CHECK(e->args[4] == NULL);
    e = util_expr("f(a.n sec)")->segs[0].args[0];
    CHECK_EQ(2, e->args[6]->n_segs);
    e = util_expr("f(10min)")->segs[0].args[0];
    CHECK_EQ(10, e->args[5]->i);
    e = util_expr("f(1 day x hours ? msec)")->segs[0].args[0];
    CHECK(e->args[3] != NULL && e->args[4] != NULL && e->args[7]->kind == AST_PARAM);
    CHECK_EQ(AST_CHAIN, util_expr("f(min)")->segs[0].args[0]->kind);
}

TEST(parse_expr_constants_and_params)
{
    CHECK_EQ(AST_LONG, util_expr("99999999999")->kind);
    CHECK_EQ(AST_LONG, util_expr("2147483648")->kind);
    CHECK_EQ(AST_INT, util_expr("-2147483648")->args[0]->kind);
    CHECK_EQ(1, util_expr("\"a\"")->i);
    CHECK_EQ(0, util_expr("'a'")->i);
    CHECK_EQ(AST_NULL, util_expr("NULL")->kind);
    const struct ast_expr *e = util_expr("a = ?::string");
    CHECK_SLICE("string", e->args[1]->text);
    e = util_expr("?:x:int[]");
    CHECK_SLICE("x", e->names[0]);
    CHECK_SLICE("int[]", e->text);
    CHECK_EQ(AST_IN_RANGE, util_expr("a in [?:?]")->kind);
}

TEST(parse_expr_spans)
{
    const struct ast_expr *e = util_expr("  a.b +\n c(d)");
    CHECK_EQ(2, e->span.off);
    CHECK_EQ(11, e->span.len);
    CHECK_EQ(2, e->args[1]->span.line);
    CHECK_EQ(2, e->args[1]->span.col);
    CHECK_EQ(4, e->args[1]->span.len);
    CHECK_EQ(4, e->args[1]->segs[0].args[0]->span.col);
}

TEST(parse_expr_numbers_subqueries)
{
    const struct ast_expr *e =
        util_expr("exists (select * from X#keepall) and (select a from Y#keepall) = 1");
    CHECK_EQ(1, e->args[0]->i);
    CHECK_EQ(2, e->args[1]->args[0]->i);
}
