/* SPDX-License-Identifier: Apache-2.0
 *
 * See fuzz_expr_gen.h. A form is a text in which B, N, T and A stand for a condition, a number, a
 * string and anything; `#` is an operator of comparison, `~` one of arithmetic, `@` a number's
 * type. What is plain stands first: it is chosen when nothing may nest any more.
 */
#include "tests/fuzz/fuzz_expr_gen.h"

enum { DEPTH = 6, PLAIN = 4 };

static const char *const conditions[] = {
    "b",
    "true",
    "false",
    "b2",
    "(N # N)",
    "(N # N)",
    "(T # T)",
    "(B and B)",
    "(B and B and B)",
    "(B or B)",
    "(B or B or B)",
    "(not B)",
    "(not B)",
    "(N between N and N)",
    "(N not between N and N)",
    "(T between T and T)",
    "(N in (N, N, N))",
    "(N not in (1, 2, 3, 7))",
    "(N in (1, 2.5, -7, null))",
    "(T in ('a', 'b', 'x', ''))",
    "(N in (a, N))",
    "(N in [N:N))",
    "(N in (1:5])",
    "(N not in [2:9])",
    "(A is null)",
    "(A is not null)",
    "(A is A)",
    "(A is not A)",
    "(T like 'a%')",
    "(T not like T)",
    "(T regexp '[a-z]+')",
    "(N # any (N, N, a))",
    "(N # all (N, N))",
    "(case when B then B else B end)",
    "coalesce(b, B)",
    "(b = B)",
    "(o = A)",
    "s.startsWith(T)",
    "a.anyOf(v => v # N)",
    "a.allOf(v => v # N or B)",
    "e.where(x => x.n # N).anyOf(x => x.id = T and B)",
    "exists(o?.n)",
    "(B & B)",
    "(B ^ B)",
    "(istream() and B)",
    "instanceof(o, int, string)",
};

static const char *const numbers[] = {
    "i",
    "l",
    "d",
    "1",
    "f",
    "i2",
    "l2",
    "d2",
    "f2",
    "y",
    "h",
    "0",
    "2",
    "7",
    "-1",
    "2147483647",
    "9223372036854775807L",
    "1.5",
    "0.1f",
    "(d / 0.0)",
    "1e300",
    "(N ~ N)",
    "(N ~ N)",
    "(N ~ N)",
    "(- N)",
    "(case when B then N when B then N else N end)",
    "(case N when N then N when 1 then N else N end)",
    "(case A when T then N end)",
    "coalesce(N, N, N)",
    "min(N, N)",
    "max(N, N, N)",
    "cast(N, @)",
    "cast(T, @)",
    "cast(o, int)",
    "Math.abs(N)",
    "Math.pow(N, 2)",
    "s.length()",
    "s.indexOf(T)",
    "a[0]",
    "a[i]",
    "g.n",
    "e[0].n",
    "m('k')",
    "a.sumOf()",
    "a.sumOf(v => v ~ N)",
    "a.countOf(v => v # N)",
    "a.aggregate(0, (r, v) => r + v)",
    "e.max(x => x.n)",
    "(i & i2)",
    "(l | l2)",
    "(i ^ 5)",
    "current_timestamp()",
    "cast(N, BigDecimal)",
    "cast(N, BigInteger)",
    "o",
    "null",
};

static const char *const texts[] = {
    "s",
    "s2",
    "'a'",
    "''",
    "'x'",
    "'12'",
    "g.id",
    "(T || T)",
    "(T || T || T || T)",
    "(case when B then T else T end)",
    "coalesce(s2, T)",
    "cast(A, string)",
    "typeof(A)",
    "T.trim()",
    "T.toUpperCase()",
    "T.substring(N)",
    "e.firstOf(x => x.n # N).id",
    "m('k')",
    "null",
};

static const char *const anything[] = {
    "B",
    "N",
    "T",
    "o",
    "B",
    "N",
    "T",
    "g",
    "a",
    "null",
    "{N, N}",
    "new {p = N, q = T}",
    "e.selectFrom(x => x.n)",
    "m",
    "e",
};

static const char *const comparisons[] = {"=", "<", ">", "<=", ">=", "!="};
static const char *const operators[] = {"+", "-", "*", "/", "%"};
static const char *const types[] = {"int", "long", "double", "float", "short", "byte"};

static const char *one_of(struct fuzz_bytes *b, const char *const *forms, size_t n, unsigned depth)
{
    return forms[fuzz_pick(b, depth == 0 || b->left == 0 ? PLAIN : (unsigned)n)];
}

static const char *form(struct fuzz_bytes *b, char what, unsigned depth)
{
    switch (what) {
    case 'B': return one_of(b, conditions, ARRAY_LEN(conditions), depth);
    case 'N': return one_of(b, numbers, ARRAY_LEN(numbers), depth);
    case 'T': return one_of(b, texts, ARRAY_LEN(texts), depth);
    default: return one_of(b, anything, ARRAY_LEN(anything), depth);
    }
}

static void write(struct fuzz_bytes *b, const char *text, unsigned depth, struct buf *out)
{
    bool quoted = false;
    for (; *text != '\0'; text++) {
        bool word = text[1] >= 'a' && text[1] <= 'z'; /* BigDecimal */
        quoted ^= *text == '\'';
        if (quoted || (word && *text != '~')) {
            (void)buf_add_byte(out, (uint8_t)*text);
        } else if (*text == 'B' || *text == 'N' || *text == 'T' || *text == 'A') {
            unsigned inner = depth > 0 ? depth - 1 : 0;
            write(b, form(b, *text, depth), inner, out);
        } else if (*text == '#') {
            (void)buf_add_str(out, comparisons[fuzz_pick(b, ARRAY_LEN(comparisons))]);
        } else if (*text == '~') {
            (void)buf_add_str(out, operators[fuzz_pick(b, ARRAY_LEN(operators))]);
        } else if (*text == '@') {
            (void)buf_add_str(out, types[fuzz_pick(b, ARRAY_LEN(types))]);
        } else {
            (void)buf_add_byte(out, (uint8_t)*text);
        }
    }
}

void fuzz_expr_text(struct fuzz_bytes *b, struct buf *out)
{
    static const char *const roots[] = {"B", "N", "T", "A"};
    write(b, roots[fuzz_pick(b, ARRAY_LEN(roots))], DEPTH, out);
}
