/* SPDX-License-Identifier: Apache-2.0
 *
 * Refusals: where, and what the message says.
 */
#include "epl_util.h"

#include <stdio.h>

struct refusal {
    const char *text;
    uint32_t col;
    const char *part;
};

static void check(const struct refusal *cases, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const struct err *e = util_refused(cases[i].text);
        if (e->line != 1 || e->col != cases[i].col || strstr(e->msg, cases[i].part) == NULL) {
            test_fail(__FILE__, __LINE__, "%s: %u:%u %s", cases[i].text, e->line, e->col, e->msg);
        }
        CHECK(e->len > 0);
        CHECK((e->flags & ERR_FLAG_USER) != 0);
    }
}

TEST(refuse_statements)
{
    static const struct refusal cases[] = {
        {"selekt * from X", 1, "did you mean 'select'?"},
        {"select * from X wehre a > 1", 23, "is 'wehre' meant to be 'where'?"},
        {"select * from X select * from Y", 17, "';' or a further clause"},
        {"select a from", 14, "the name of a stream, found the end"},
        {"select a, from X", 11, "an expression, found 'from'"},
        {"select a b c from X", 12, "found 'c'"},
        {"select 'it''s' from X", 12, "found the text 's'"},
        {"select a from X group a", 23, "'by' behind 'group'"},
        {"select a from X limit 5 offset 0", 32, "offset of 0"},
        {"select a from X limit 0, 5", 26, "offset of 0"},
        {"select a from X output every 5", 31, "'events' or a unit of time"},
        {"select a from X output last", 28, "'every', 'when' or 'at'"},
        {"select a from (select b from Y)", 15, "cannot stand in from"},
        {"select a from X left join Y on a = b", 22, "'outer' before 'join'"},
        {"delete from W", 1, "on-demand query"},
        {"insert into W values (1)", 15, "on-demand"},
        {"update X set a = 1", 1, "on-demand"},
        {"select a from X for grouped_delivery(a)", 17, "not supported yet"},
        {"select * from sql:db['x']", 15, "a join with sql: is not supported yet"},
        {"select * from method:a.b()", 15, "a join with method: is not supported yet"},
        {"@name('a'", 10, "')' to close '(' opened at 1:6"},
        {"@", 2, "the name of an annotation"},
    };
    check(cases, ARRAY_LEN(cases));
}

TEST(refuse_expressions)
{
    static const struct refusal cases[] = {
        {"select case when a then 1 end / 2 from X", 31, "in parentheses"},
        {"select 2 * case when a then 1 end from X", 12, "in parentheses"},
        {"select a from X where a = not b", 27, "in parentheses"},
        {"select a from X where a in b", 28, "'(' or '[' behind 'in'"},
        {"select a from X where a between 1 or 2", 35, "'and' between the bounds"},
        {"select a.order from X", 10, "as a name it is written `order`"},
        {"select f(a from X", 12, "')' to close '(' opened at 1:9"},
        {"select a from X#time(5 s)", 24, "units of time are"},
        {"select a from X#time(10 sec 1 min)", 31, "from large to small"},
        {"select a from X#time(10 sec 1 sec)", 31, "each once"},
        {"select cast(a) from X", 14, "',' or 'as' before the type"},
        {"select new Foo(1) from X", 8, "'new' of a class is not supported yet"},
        {"select a from X where a like 'x' escape b", 41, "behind 'escape'"},
        {"select a ? 1 from X", 12, "found '1'"},
    };
    check(cases, ARRAY_LEN(cases));
}

TEST(refuse_patterns)
{
    static const struct refusal cases[] = {
        {"select * from pattern []", 24, "a stream, an observer"},
        {"select * from pattern [a ->]", 28, "a stream, an observer"},
        {"select * from pattern [a where b]", 33, "in the name of the guard"},
        {"select * from pattern [(a -> b]", 31, "to close '(' opened at 1:24"},
        {"select * from pattern [a=X@foo]", 28, "'consume' behind '@'"},
        {"select * from pattern [a -[2] b]", 31, "to end the arrow"},
        {"select * from X match_recognize (pattern (a))", 34, "'measures'"},
        {"select * from X match_recognize (measures a.b pattern (a))", 47, "'as' and a name"},
        {"select * from X match_recognize (measures a.b as c pattern (a{3,2}))", 62, "smaller"},
        {"select * from X match_recognize (measures a.b as c after match skip up pattern (a))", 69,
         "'past last row'"},
    };
    check(cases, ARRAY_LEN(cases));
}

TEST(refuse_create)
{
    static const struct refusal cases[] = {
        {"create schema X(`order` int, count int)", 30, "as a name it is written `count`"},
        {"create schema X inherits Y", 17, "'()' for none"},
        {"create schema Inner(a int)", 15, "a word of the language"},
        {"create schema Minute(a int)", 15, "a word of the language"},
        {"create table Sum(a int)", 14, "a word of the language"},
        {"create context Any partition by a from X", 16, "a word of the language"},
        {"create schema X(a int,)", 23, "the name of a column"},
        {"create schema X(a int[][][])", 26, "more than two dimensions is not supported yet"},
        {"create table T()", 16, "the name of a column"},
        {"create table T(a int primary)", 29, "'key' behind 'primary'"},
        {"create dataflow D", 8, "create dataflow is not supported yet"},
        {"create inlined_class \"x\"", 8, "not supported yet"},
        {"create expression js:f(x) [x]", 19, "a script is not supported yet"},
        {"create index I on W((a, b) hash)", 21, "not supported yet"},
        {"create context C initiated by @soon", 31, "'@now'"},
        {"create context C coalesce by f(a) from X", 41, "'granularity'"},
        {"create thing X", 8, "schema, window, table"},
        {"on X merge W when not matched then delete", 36, "only insert is possible"},
        {"on X merge W where a", 21, "matched"},
        {"on X frobnicate", 16, "select, insert, delete"},
    };
    check(cases, ARRAY_LEN(cases));
}

/* Words that must be quoted as columns, and some that need not be. */
TEST(refuse_words_as_columns)
{
    static const char *const reserved[] = {
        "context", "count", "last",  "limit", "start", "end", "at",  "second", "minute", "first",
        "window",  "index", "order", "by",    "min",   "max", "sum", "day",    "using",  "after"};
    static const char *const free[] = {"value", "type",  "name",   "timestamp", "level", "state",
                                       "time",  "key",   "events", "interval",  "skip",  "hash",
                                       "alias", "match", "row",    "date",      "module"};
    char text[80];
    for (size_t i = 0; i < ARRAY_LEN(reserved); i++) {
        snprintf(text, sizeof text, "create schema X(%s int)", reserved[i]);
        CHECK_HAS("a word of the language", util_refused(text)->msg);
        snprintf(text, sizeof text, "create schema X(`%s` int)", reserved[i]);
        (void)util_stmt(text);
    }
    for (size_t i = 0; i < ARRAY_LEN(free); i++) {
        snprintf(text, sizeof text, "create schema X(%s int)", free[i]);
        (void)util_stmt(text);
        snprintf(text, sizeof text, "select %s from X", free[i]);
        (void)util_stmt(text);
    }
}

TEST(refuse_queries)
{
    CHECK_HAS("selects, inserts", util_refused_query("create schema X(a int)")->msg);
    CHECK_HAS("selects, inserts", util_refused_query("on X delete from W")->msg);
    CHECK_HAS("the end of the query", util_refused_query("select * from W; select 1")->msg);
    CHECK_HAS("same length", util_refused_query("insert into W values (1), (1, 2)")->msg);
    CHECK_HAS("a query: select", util_refused_query("")->msg);
}
