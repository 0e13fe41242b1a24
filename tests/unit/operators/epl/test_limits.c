/* SPDX-License-Identifier: Apache-2.0
 *
 * What comes from outside has bounds: depth, length, memory; and each bound is an error.
 */
#include "core/base/mem.h"
#include "epl_util.h"
#include "operators/epl/lex.h"

/* before part*n middle after*n behind */
static const char *repeat(struct buf *b, const char *before, const char *part, int n,
                          const char *middle, const char *after, const char *behind)
{
    buf_init(b, 4 << 20);
    (void)buf_add_str(b, before);
    for (int i = 0; i < n; i++) {
        (void)buf_add_str(b, part);
    }
    (void)buf_add_str(b, middle);
    for (int i = 0; i < n; i++) {
        (void)buf_add_str(b, after);
    }
    (void)buf_add_str(b, behind);
    return buf_cstr(b);
}

TEST(limits_depth)
{
    static const struct {
        const char *before, *part, *middle, *after, *behind;
    } cases[] = {
        {"select ", "(", "a", ")", " from X"},
        {"select ", "-", "a", "", " from X"},
        {"select a from X where ", "not ", "a", "", ""},
        {"select ", "f(", "a", ")", " from X"},
        {"select ", "f(x => ", "a", ")", " from X"},
        {"select ", "(select ", "a", " from Y)", " from X"},
        {"select ", "case when a then ", "a", " end", " from X"},
        {"select ", "{", "a", "}", " from X"},
        {"select ", "new {a = ", "a", "}", " from X"},
        {"select ", "a[", "1", "]", " from X"},
        {"select * from pattern [", "(", "a", ")", "]"},
        {"select * from pattern [", "every ", "a", "", "]"},
        {"select * from X group by ", "rollup(", "a", ")", ""},
        {"@A(", "{", "1", "}", ") select * from X"},
        {"create schema S(a ", "M<", "a", ">", ")"},
        {"select * from X match_recognize (measures a.b as c pattern (", "(", "a", ")", "))"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct buf b;
        const char *text = repeat(&b, cases[i].before, cases[i].part, 20, cases[i].middle,
                                  cases[i].after, cases[i].behind);
        (void)util_stmt(text);
        buf_done(&b);
        text = repeat(&b, cases[i].before, cases[i].part, 5000, cases[i].middle, cases[i].after,
                      cases[i].behind);
        const struct err *e = util_refused(text);
        CHECK_EQ(ERR_LIMIT, e->code);
        CHECK_HAS("levels deep", e->msg);
        buf_done(&b);
    }
}

TEST(limits_runs)
{
    struct buf b;
    (void)util_expr(repeat(&b, "a", "+a", 900, "", "", ""));
    buf_done(&b);
    CHECK_EQ(ERR_LIMIT, util_refused(repeat(&b, "select a", "+a", 5000, "", "", " from X"))->code);
    buf_done(&b);
    CHECK_EQ(ERR_LIMIT, util_refused(repeat(&b, "select a", ".a", 5000, "", "", " from X"))->code);
    buf_done(&b);
}

TEST(limits_text_and_tokens)
{
    struct buf b;
    const struct err *e =
        util_refused(repeat(&b, "select a", " ", LEX_MAX_TEXT, "", "", " from X"));
    CHECK_EQ(ERR_TOO_BIG, e->code);
    buf_done(&b);
    e = util_refused(repeat(&b, "select a", ",a", LEX_MAX_TOKENS / 2 + 10, "", "", " from X"));
    CHECK_EQ(ERR_LIMIT, e->code);
    buf_done(&b);
}

TEST(limits_small_arena)
{
    struct err e = {0};
    struct ast_module *m = NULL;
    struct arena *a = arena_new(NULL, "small", 4096);
    CHECK_EQ(-ERR_LIMIT, epl_parse(a,
                                   SLICE("select a, b, c, d, e, f, g, h, i, j, k, l, m, n, o "
                                         "from X where a = 1 and b = 2 and c = 3 and d = 4"),
                                   &m, &e));
    CHECK_HAS("too much memory", e.msg);
    CHECK(e.line == 1 && e.col > 1);
    arena_free(a);
}

/* Every limit check refused once: an error each time, and in the end success. */
TEST(limits_refused_one_by_one)
{
    static const char text[] =
        "@name('a\\'b') @Hint(x={1}) expression e { (x,y) => x + y } context C insert into Y(a) "
        "select distinct a, sum(b, group_by:(c)), (select d from E#length(2) where f = any (1, 2)) "
        "from pattern @A [every a=X(b > 1)[c] -> [2:3] timer:at(*, 1:2, [3], *, *)] as p, "
        "Z#time(1 min) as z group by rollup(a, (b, c)) output after 1 sec all every 2 min 5 sec "
        "and when terminated then set v = 1 order by a desc limit 5; "
        "on X as x merge W as w where a = b when matched then update set c[1] = d "
        "when not matched then insert into Z(a) select new {a = 1}; "
        "create table T(a java.util.Map, b sum(double), c window(*) @type(X)); "
        "create context D context E partition by a from X, context F start @now end after 5 sec";
    bool done = false;
    for (uint64_t n = 1; n < 5000 && !done; n++) {
        struct err e = {0};
        struct ast_module *m = NULL;
        struct arena *a = arena_new(NULL, "refuse", 1 << 20);
        mem_refuse_at(n);
        int rc = epl_parse(a, slice_str(text), &m, &e);
        mem_refuse_at(0);
        done = rc == 0;
        if (!done && rc != -ERR_LIMIT) {
            test_fail(__FILE__, __LINE__, "check %d: %s", (int)n, e.msg);
        }
        CHECK(done == (m != NULL));
        arena_free(a);
    }
    CHECK(done);
}
