/* SPDX-License-Identifier: Apache-2.0
 *
 * What is printed parses again to what prints the same; and columns have the names they had.
 */
#include "epl_util.h"

#include "accepted.inc"
#include "columns.inc"

static void round_trip(const char *text, bool query)
{
    char first[4096];
    const struct ast_stmt *s = query ? util_query(text) : util_stmt(text);
    const char *printed = util_print_stmt(s);
    size_t len = strlen(printed);
    CHECK(len < sizeof first);
    memcpy(first, printed, len + 1);
    s = query ? util_query(first) : util_stmt(first);
    CHECK_STR(first, util_print_stmt(s));
}

TEST(print_accepted_statements)
{
    for (size_t i = 0; i < ARRAY_LEN(accepted_statements); i++) {
        if (strncmp(accepted_statements[i], "module", 6) != 0 &&
            strncmp(accepted_statements[i], "uses", 4) != 0 &&
            strncmp(accepted_statements[i], "import", 6) != 0) {
            round_trip(accepted_statements[i], false);
        }
    }
}

TEST(print_accepted_queries)
{
    for (size_t i = 0; i < ARRAY_LEN(accepted_queries); i++) {
        round_trip(accepted_queries[i], true);
    }
    round_trip("select * from W where a = ?::int and b in (?:x:string, ?)", true);
    round_trip("insert into W values (1, 'a'), (2, \"b\")", true);
}

TEST(print_columns)
{
    for (size_t i = 0; i < ARRAY_LEN(column_names); i++) {
        CHECK_STR(column_names[i].name, util_column(column_names[i].text));
    }
}

TEST(print_keeps_what_names_need)
{
    static const struct {
        const char *text, *want;
    } cases[] = {
        {"`order` + a.`select`.`x y`", "`order` + a.`select`.`x y`"},
        {"a\\.b.c", "`a.b`.c"},
        {"count(*) + `count`", "count(*) + count"},
        {"'it\\'s \\\\ \"x\"'", "'it\\'s \\\\ \"x\"'"},
        {"\"it's\"", "\"it's\""},
        {"2147483648", "2147483648L"},
        {"-2147483648", "-2147483648"},
        {"-9223372036854775808L", "-9223372036854775808L"},
        {"1.5f + 1e10 - .001", "1.5f + 1.0E10 - 0.001"},
        {"((a))", "(a)"},
        {"a<>b", "a != b"},
        {"x in [1:2)", "x in [1:2)"},
        {"x not in (1,2)", "x not in (1, 2)"},
        {"f(x -> x.a, (y,z)=>1)", "f(x => x.a, (y, z) => 1)"},
        {"f(1min 5 sec)", "f(1 minutes 5 seconds)"},
        {"new {a = a, b = x.c, d}", "new {a, b = x.c, d}"},
        {"cast(a as int)", "cast(a, int)"},
        {"a('k')[1][2].c?", "a('k')[1][2].c?"},
        {"(a).b()", "(a).b()"},
        {"{1,2}.union({3})", "{1, 2}.union({3})"},
        {"a = any (1,2)", "a = any (1, 2)"},
        {"exists(select * from X#keepall)", "exists (select * from X#keepall)"},
        {"f({'a': 1, b: 2})", "f({'a': 1, 'b': 2})"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CHECK_STR(cases[i].want, util_print_expr(util_expr(cases[i].text)));
    }
}

TEST(print_modules)
{
    struct err e = {0};
    struct ast_module *m = NULL;
    struct buf out;
    buf_init(&out, 4096);
    CHECK_OK(epl_parse(util_arena(),
                       SLICE("module a.b; uses c; import d.*;; create schema S(`order` int);"
                             "@name('x') select * from S;"),
                       &m, &e),
             e);
    epl_print_module(m, &out);
    CHECK_STR("module a.b;\nuses c;\ncreate schema S(`order` int);\n"
              "@name('x') select * from S;\n",
              buf_cstr(&out));
    buf_done(&out);
}

TEST(print_statements)
{
    static const struct {
        const char *text, *want;
    } cases[] = {
        {"select a b, c as d from X x, Y as y", "select a as b, c as d from X as x, Y as y"},
        {"select * from X.win:length(1).std:unique(a)", "select * from X#length(1)#unique(a)"},
        {"select * from X join Y on X.a=Y.a", "select * from X inner join Y on X.a = Y.a"},
        {"select a from X order by a asc, b desc", "select a from X order by a, b desc"},
        {"select a from X limit 2, 5", "select a from X limit 5 offset 2"},
        {"select * from pattern [a=A and b=B or c=C -> d=D]",
         "select * from pattern [a=A and b=B or c=C -> d=D]"},
        {"create window W#keepall (a int)", "create window W#keepall as (a int)"},
        {"create context C partition a, b from X", "create context C partition by a and b from X"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CHECK_STR(cases[i].want, util_print_stmt(util_stmt(cases[i].text)));
    }
}
