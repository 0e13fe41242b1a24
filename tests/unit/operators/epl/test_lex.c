/* SPDX-License-Identifier: Apache-2.0 */
#include "operators/epl/lex.h"

#include "epl_util.h"

static const struct token *lex(const char *text, struct lex_out *out)
{
    struct err e = {0};
    CHECK_OK(lex_text(util_arena(), slice_str(text), out, &e), e);
    return out->toks.ptr;
}

TEST(lex_keywords_are_sorted_and_found)
{
    for (int kw = 1; kw < KW_COUNT_OF; kw++) {
        struct slice text = slice_str(lex_keyword_text((enum kw)kw));
        CHECK_EQ(kw, lex_keyword(text));
        if (kw > 1) {
            CHECK(slice_cmp(slice_str(lex_keyword_text((enum kw)(kw - 1))), text) < 0);
        }
    }
    CHECK_EQ(KW_SELECT, lex_keyword(SLICE("SeLeCt")));
    CHECK_EQ(KW_NONE, lex_keyword(SLICE("selec")));
    CHECK_EQ(KW_NONE, lex_keyword(SLICE("selects")));
    CHECK_EQ(KW_NONE, lex_keyword(slice_of("or\0der", 6)));
    CHECK_EQ(KWC_HARD, lex_keyword_class(KW_ORDER));
    CHECK_EQ(KWC_SOFT, lex_keyword_class(KW_COUNT));
    CHECK_EQ(KWC_TYPE, lex_keyword_class(KW_EVENTS));
    CHECK_EQ(KWC_CALL, lex_keyword_class(KW_PREVWINDOW));
}

TEST(lex_numbers)
{
    struct lex_out out = {0};
    const struct token *t =
        lex("1 10L 0x1F 1.5 1e3 .5 2f 3d 7.5e-1F 2147483648 2147483649 1min", &out);
    static const struct {
        enum tok kind;
        double v;
    } want[] = {{TOK_INT, 1},
                {TOK_LONG, 10},
                {TOK_INT, 31},
                {TOK_DOUBLE, 1.5},
                {TOK_DOUBLE, 1000},
                {TOK_DOUBLE, 0.5},
                {TOK_FLOAT, 2},
                {TOK_DOUBLE, 3},
                {TOK_FLOAT, 0.75},
                {TOK_INT, 2147483648.0},
                {TOK_LONG, 2147483649.0},
                {TOK_INT, 1}};
    for (size_t i = 0; i < ARRAY_LEN(want); i++) {
        CHECK_EQ(want[i].kind, t[i].kind);
        bool real = t[i].kind == TOK_FLOAT || t[i].kind == TOK_DOUBLE;
        CHECK((real ? t[i].d : (double)t[i].i) == want[i].v);
    }
    CHECK_EQ(KW_MIN, t[12].kw);
    CHECK_EQ(TOK_END, t[13].kind);
    VEC_DONE(&out.toks);
}

TEST(lex_strings_drop_backslashes)
{
    struct lex_out out = {0};
    const struct token *t =
        lex("'a\\tb' 'it\\'s' \"x\\\"y\" '\\\\' '\\u0041\\u20ac\\ud83d\\ude00' '' '\\101'", &out);
    CHECK_SLICE("atb", t[0].text);
    CHECK_SLICE("it's", t[1].text);
    CHECK_SLICE("x\"y", t[2].text);
    CHECK_SLICE("\\", t[3].text);
    CHECK_SLICE("A\xe2\x82\xac\xf0\x9f\x98\x80", t[4].text);
    CHECK_SLICE("", t[5].text);
    CHECK_SLICE("101", t[6].text);
    VEC_DONE(&out.toks);
}

TEST(lex_names)
{
    struct lex_out out = {0};
    const struct token *t =
        lex("`order by` a\\.b $x _y1 every-distinct retain-union every -x", &out);
    CHECK_SLICE("order by", t[0].text);
    CHECK(t[0].ticked && t[0].kw == KW_NONE);
    CHECK_SLICE("a.b", t[1].text);
    CHECK_SLICE("$x", t[2].text);
    CHECK_SLICE("_y1", t[3].text);
    CHECK_EQ(KW_EVERY_DISTINCT, t[4].kw);
    CHECK_EQ(KW_RETAIN_UNION, t[5].kw);
    CHECK_EQ(KW_EVERY, t[6].kw);
    CHECK_EQ(TOK_MINUS, t[7].kind);
    VEC_DONE(&out.toks);
}

TEST(lex_places)
{
    struct lex_out out = {0};
    const struct token *t = lex("a // b\n /* c\n d */ 'x\ny' z", &out);
    CHECK_EQ(1, t[0].span.line);
    CHECK_EQ(3, t[1].span.line);
    CHECK_EQ(7, t[1].span.col);
    CHECK_EQ(5, t[1].span.len);
    CHECK_EQ(4, t[2].span.line);
    CHECK_EQ(4, t[2].span.col);
    CHECK_EQ(TOK_END, t[3].kind);
    VEC_DONE(&out.toks);
}

TEST(lex_refuses)
{
    static const struct {
        const char *text, *part;
        uint32_t line, col;
    } cases[] = {
        {"a == b", "write '='", 1, 3},
        {"a && b", "write 'and'", 1, 3},
        {"a ! b", "write 'not'", 1, 3},
        {"'abc", "has no end", 1, 1},
        {"x\n`abc", "has no end", 2, 1},
        {"x /* y", "no end", 1, 3},
        {"a ~ b", "unexpected character '~'", 1, 3},
        {"a \x01", "unexpected character with code 1", 1, 3},
        {"a \xc3\xa9", "unexpected character with code 195", 1, 3},
        {"1_000", "without '_'", 1, 1},
        {"0x", "hexadecimal", 1, 1},
        {"9223372036854775809", "64 bits", 1, 1},
        {"99999999999999999999L", "64 bits", 1, 1},
        {"1e999", "too large", 1, 1},
        {"1e39f", "too large", 1, 1},
        {"``", "empty name", 1, 1},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct lex_out out = {0};
        struct err e = {0};
        CHECK(lex_text(util_arena(), slice_str(cases[i].text), &out, &e) < 0);
        CHECK_HAS(cases[i].part, e.msg);
        CHECK_EQ(cases[i].line, e.line);
        CHECK_EQ(cases[i].col, e.col);
        CHECK(e.len > 0);
        VEC_DONE(&out.toks);
    }
}
