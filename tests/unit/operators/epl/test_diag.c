/* SPDX-License-Identifier: Apache-2.0 */
#include "epl_util.h"

static void check(const char *text, const char *want)
{
    struct buf out;
    buf_init(&out, 4096);
    const struct err *e = util_refused(text);
    epl_diag_text(e, SLICE("r.epl"), slice_str(text), &out);
    CHECK_STR(want, buf_cstr(&out));
    buf_done(&out);
}

TEST(diag_shows_the_line_and_carets)
{
    check("select *\nform X", "r.epl:2:1: expected ',' and a further column, or 'from', found "
                              "'form'; did you mean 'from'?\n"
                              "    form X\n"
                              "    ^^^^\n");
    check("select a from X where a = )", "r.epl:1:27: expected an expression, found ')'\n"
                                         "    select a from X where a = )\n"
                                         "                              ^\n");
    check("select a from X where", "r.epl:1:22: expected an expression, found the end of the text\n"
                                   "    select a from X where\n"
                                   "                         ^\n");
}

TEST(diag_counts_characters_and_keeps_tabs)
{
    check("select '\xc3\xa4\xe2\x82\xac',\t) from X",
          "r.epl:1:17: expected an expression, found ')'\n"
          "    select '\xc3\xa4\xe2\x82\xac',\t) from X\n"
          "                \t^\n");
}

TEST(diag_shows_nothing_that_a_terminal_would_obey)
{
    const struct err e = {.line = 1, .col = 2, .len = 1, .msg = "no"};
    struct buf b;
    buf_init(&b, 1000);
    epl_diag_text(&e, SLICE("f"), SLICE("a\x1b[2J\x7f\tb"), &b);
    CHECK_STR("f:1:2: no\n    a?[2J?\tb\n     ^\n", buf_cstr(&b));
    buf_done(&b);
}

TEST(diag_cuts_long_lines)
{
    char text[1000];
    struct buf out;
    buf_init(&out, 4096);
    memset(text, ' ', sizeof text);
    memcpy(text, "select a,", 9);
    memcpy(text + 800, ") from X", 9);
    const struct err *e = util_refused(text);
    epl_diag_text(e, SLICE_NONE, slice_str(text), &out);
    CHECK_HAS("1:801: expected an expression", buf_cstr(&out));
    CHECK(out.len < 400);
    CHECK_HAS(" ^\n", buf_cstr(&out));
    buf_done(&out);
}

TEST(diag_without_a_place)
{
    struct err e = {.code = ERR_LIMIT, .msg = "no more"};
    struct buf out;
    buf_init(&out, 4096);
    epl_diag_text(&e, SLICE("f"), SLICE("select"), &out);
    CHECK_STR("f: no more\n", buf_cstr(&out));
    buf_clear(&out);
    epl_diag_json(&e, SLICE_NONE, &out);
    CHECK_STR("{\"code\":\"LIMIT\",\"message\":\"no more\"}", buf_cstr(&out));
    buf_done(&out);
}

TEST(diag_json)
{
    struct buf out;
    buf_init(&out, 4096);
    const struct err *e = util_refused("select \"a\\\"\n\" b \"c\" from X");
    epl_diag_json(e, SLICE("a\"b"), &out);
    CHECK_HAS("\"code\":\"SYNTAX\"", buf_cstr(&out));
    CHECK_HAS("the text \\\"c\\\"", buf_cstr(&out));
    CHECK_HAS("\"file\":\"a\\\"b\",\"line\":2,\"column\":5,\"length\":3}", buf_cstr(&out));
    buf_done(&out);
}
