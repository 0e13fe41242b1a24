/* SPDX-License-Identifier: Apache-2.0
 *
 * The parser by itself: bytes in, a line of text per message out. Every case runs whole, byte by
 * byte and cut at every place: the text must be the same.
 */
#include "core/net/http_parse.h"

#include "core/base/buf.h"
#include "tests/test.h"

#include <stdio.h>

struct parse_case {
    const char *in;
    const char *out;
};

static void show(struct buf *out, struct http_parser *p, enum http_step step, struct slice part)
{
    char name[HTTP_REASON_BYTES];
    switch (step) {
    case HTTP_STEP_HEAD:
        if (p->head.is_response) {
            buf_addf(out, "%u '" SLICE_FMT "'", p->head.status, SLICE_ARG(p->head.phrase));
        } else {
            buf_addf(out, "%s " SLICE_FMT "?" SLICE_FMT " @" SLICE_FMT,
                     http_method_name(p->head.method), SLICE_ARG(p->head.path),
                     SLICE_ARG(p->head.query), SLICE_ARG(p->head.host));
        }
        buf_addf(out, "%s%s", p->head.keep_alive ? " keep" : "",
                 p->head.expect_continue ? " expect" : "");
        for (size_t i = 0; i < p->head.field_count; i++) {
            buf_addf(out, " [" SLICE_FMT "=" SLICE_FMT "]", SLICE_ARG(p->head.fields[i].name),
                     SLICE_ARG(p->head.fields[i].value));
        }
        buf_add_str(out, " {");
        break;
    case HTTP_STEP_BODY: buf_add_slice(out, part); break;
    case HTTP_STEP_END:
        buf_add_str(out, "}");
        for (size_t i = 0; i < p->trailer_count; i++) {
            buf_addf(out, " <" SLICE_FMT "=" SLICE_FMT ">", SLICE_ARG(p->trailers[i].name),
                     SLICE_ARG(p->trailers[i].value));
        }
        buf_add_str(out, "|");
        break;
    case HTTP_STEP_FAILED: buf_addf(out, "!%s", http_reason_name(p->reason, name)); break;
    case HTTP_STEP_MORE: break;
    }
}

/* Feeds `in` in pieces that end at cut, 2 * cut, ... (0: whole) and then the end of the stream. */
static const char *run(struct buf *out, struct slice in, size_t cut, enum http_parse_kind kind,
                       bool eof)
{
    const struct http_limits limits = {
        .line_bytes = 64, .head_bytes = 160, .fields_max = 5, .chunk_line_bytes = 20};
    struct http_parser p;
    enum http_step step = HTTP_STEP_MORE;
    http_parser_init(&p, &limits, kind);
    p.body_max = 100;
    buf_clear(out);
    for (size_t at = 0; at < in.len && step != HTTP_STEP_FAILED;) {
        size_t to = cut > 0 ? MIN(at + cut, in.len) : in.len;
        struct slice piece = slice_sub(in, at, to);
        do {
            size_t used;
            struct slice part = SLICE_NONE;
            step = http_parse(&p, piece, &used, &part);
            piece = slice_sub(piece, used, piece.len);
            show(out, &p, step, part);
            if (step == HTTP_STEP_END) {
                http_parser_next(&p);
                p.body_max = 100;
            }
        } while (step != HTTP_STEP_MORE && step != HTTP_STEP_FAILED);
        CHECK(step == HTTP_STEP_FAILED || piece.len == 0);
        at = to;
    }
    if (eof && step != HTTP_STEP_FAILED) {
        show(out, &p, http_parse_eof(&p), SLICE_NONE);
    }
    http_parser_done(&p);
    return buf_cstr(out);
}

static void check_all(const struct parse_case *cases, size_t n, enum http_parse_kind kind, bool eof)
{
    struct buf out;
    buf_init(&out, 1 << 20);
    for (size_t i = 0; i < n; i++) {
        struct slice in = slice_str(cases[i].in);
        for (size_t cut = 0; cut < in.len + 1; cut++) {
            const char *got = run(&out, in, cut, kind, eof);
            if (strcmp(cases[i].out, got) != 0) {
                fprintf(stderr, "case %zu, pieces of %zu\n", i, cut);
            }
            CHECK_STR(cases[i].out, got);
        }
    }
    buf_done(&out);
}

#define HOST "Host: h\r\n"

TEST(http_parser_reads_requests)
{
    static const struct parse_case cases[] = {
        {"GET / HTTP/1.1\r\n" HOST "\r\n", "GET /? @h keep [Host=h] {}|"},
        {"\r\nGET /a?b=c HTTP/1.1\r\n" HOST "\r\n", "GET /a?b=c @h keep [Host=h] {}|"},
        {"GET / HTTP/1.0\r\n\r\n", "GET /? @ {}|"},
        {"GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n",
         "GET /? @ keep [Connection=Keep-Alive] {}|"},
        {"GET / HTTP/1.1\r\n" HOST "Connection: foo, Close\r\n\r\n",
         "GET /? @h [Host=h] [Connection=foo, Close] {}|"},
        {"GET http://e.org:80/x?y HTTP/1.1\r\n" HOST "\r\n",
         "GET /x?y @e.org:80 keep [Host=h] {}|"},
        {"GET HTTP://e.org?y HTTP/1.1\r\n" HOST "\r\n", "GET /?y @e.org keep [Host=h] {}|"},
        {"OPTIONS * HTTP/1.1\r\n" HOST "\r\n", "OPTIONS *? @h keep [Host=h] {}|"},
        {"POST / HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\nhello",
         "POST /? @h keep [Host=h] [Content-Length=5] {hello}|"},
        {"POST / HTTP/1.1\r\n" HOST "content-length:0\r\n\r\n",
         "POST /? @h keep [Host=h] [content-length=0] {}|"},
        {"POST / HTTP/1.1\r\n" HOST "Expect: 100-Continue\r\nContent-Length: 1\r\n\r\nx",
         "POST /? @h keep expect [Host=h] [Expect=100-Continue] [Content-Length=1] {x}|"},
        {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"
         "5\r\nhello\r\n00A;x=\"y\"\r\n0123456789\r\n0\r\n\r\n",
         "POST /? @h keep [Host=h] [Transfer-Encoding=chunked] {hello0123456789}|"},
        {"POST / HTTP/1.1\r\n" HOST
         "Transfer-Encoding: Chunked\r\n\r\n1 ;a\r\nx\r\n0\r\nA: b\r\n\r\n",
         "POST /? @h keep [Host=h] [Transfer-Encoding=Chunked] {x} <A=b>|"},
        {"GET /1 HTTP/1.1\r\n" HOST "\r\nGET /2 HTTP/1.1\r\n" HOST "\r\n",
         "GET /1? @h keep [Host=h] {}|GET /2? @h keep [Host=h] {}|"},
        {"GET / HTTP/1.1\r\nHost:\r\nX-Empty:\r\nX: \t a b \t\r\n\r\n",
         "GET /? @ keep [Host=] [X-Empty=] [X=a b] {}|"},
        {"GET / HTTP/1.9\r\n" HOST "\r\n", "GET /? @h keep [Host=h] {}|"},
    };
    check_all(cases, ARRAY_LEN(cases), HTTP_PARSE_REQUESTS, true);
}

#define GET_H      "GET / HTTP/1.1\r\n" HOST
#define POST_C     "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"
#define POST_C_OUT "POST /? @h keep [Host=h] [Transfer-Encoding=chunked] {"

static const struct parse_case refused[] = {
    {GET_H "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", "!length_and_coding"},
    {GET_H "Content-Length: 1\r\nContent-Length: 1\r\n\r\n", "!length_twice"},
    {GET_H "Content-Length: 1, 1\r\n\r\n", "!length_bad"},
    {GET_H "Content-Length: +1\r\n\r\n", "!length_bad"},
    {GET_H "Content-Length: -1\r\n\r\n", "!length_bad"},
    {GET_H "Content-Length: 0x10\r\n\r\n", "!length_bad"},
    {GET_H "Content-Length:\r\n\r\n", "!length_bad"},
    {GET_H "Content-Length: 99999999999999999999\r\n\r\n", "!length_bad"},
    {GET_H "Content-Length: 9223372036854775808\r\n\r\n", "!length_bad"},
    {GET_H "Transfer-Encoding: gzip, chunked\r\n\r\n", "!coding_unknown"},
    {GET_H "Transfer-Encoding: identity\r\n\r\n", "!coding_unknown"},
    {GET_H "Transfer-Encoding: \vchunked\r\n\r\n", "!field_bad"},
    {GET_H "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", "!coding_bad"},
    {"GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", "!coding_bad"},
    {GET_H "X: a\r\n b\r\n\r\n", "!field_folded"},
    {GET_H " X: a\r\n\r\n", "!field_folded"},
    {GET_H "X : a\r\n\r\n", "!field_space"},
    {GET_H "Content-Length : 5\r\n\r\n", "!field_space"},
    {GET_H "X Y: a\r\n\r\n", "!field_bad"},
    {GET_H ": a\r\n\r\n", "!field_bad"},
    {GET_H "nocolon\r\n\r\n", "!field_bad"},
    {GET_H "X: a\x01\r\n\r\n", "!field_bad"},
    {GET_H "X: a\nY: b\r\n\r\n", "!bare_lf"},
    {GET_H "X: a\rY: b\r\n\r\n", "!bare_cr"},
    {GET_H "X: a\r\r\n\r\n", "!bare_cr"},
    {"GET / HTTP/1.1\nHost: h\n\n", "!bare_lf"},
    {"\r\n\r\nGET / HTTP/1.1\r\n", "!line_bad"},
    {"\n", "!bare_lf"},
    {"GET / HTTP/1.1\r\n\r\n", "!host_missing"},
    {"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", "!host_bad"},
    {"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", "!host_bad"},
    {"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", "!host_bad"},
    {"GET  / HTTP/1.1\r\n\r\n", "!line_bad"},
    {"GET / HTTP/1.1 \r\n\r\n", "!line_bad"},
    {"GET /a b HTTP/1.1\r\n\r\n", "!line_bad"},
    {"GET /\r\n", "!line_bad"},
    {"GET / http/1.1\r\n", "!line_bad"},
    {"GET / HTTP/11\r\n", "!line_bad"},
    {"GET / HTTP/2.0\r\n", "!version_other"},
    {"GET / HTTP/0.9\r\n", "!version_other"},
    {"BREW / HTTP/1.1\r\n", "!method_unknown"},
    {"get / HTTP/1.1\r\n", "!method_unknown"},
    {"CONNECT h:1 HTTP/1.1\r\n", "!method_unknown"},
    {"GET a HTTP/1.1\r\n", "!target_bad"},
    {"GET * HTTP/1.1\r\n", "!target_bad"},
    {"GET ftp://h/ HTTP/1.1\r\n", "!target_bad"},
    {"GET http:///x HTTP/1.1\r\n", "!target_bad"},
    {"GET http://a@b\"/ HTTP/1.1\r\n", "!target_bad"},
    {"GET /#x HTTP/1.1\r\n", "!target_bad"},
    {"GET /\x80 HTTP/1.1\r\n", "!target_bad"},
    {"\x16\x03\x01", "!line_bad"},
    {"{\"a\":1}", "!line_bad"},
    {GET_H "Expect: 200-ok\r\n\r\n", "!expect_unknown"},
    {GET_H "A: 1\r\nB: 2\r\nC: 3\r\nD: 4\r\nE: 5\r\n\r\n", "!fields_many"},
    {"GET /0123456789012345678901234567890123456789012345678901234567890123456789", "!line_long"},
    {"GET /0123456789012345678901234567890123456789012345678901234 HTTP/1.1\r\n", "!line_long"},
    {GET_H "X: 0123456789012345678901234567890123456789012345678901234567890123456789"
           "0123456789012345678901234567890123456789012345678901234567890123456789"
           "0123456789",
     "!head_large"},
    {"POST / HTTP/1.1\r\n" HOST "Content-Length: 101\r\n\r\n",
     "POST /? @h keep [Host=h] [Content-Length=101] {!body_large"},
    {POST_C "65\r\n", POST_C_OUT "!body_large"},
    {POST_C "FFFFFFFFFFFFFFFF\r\n", POST_C_OUT "!chunk_bad"},
    {POST_C "FFFFFFFFFFFFFFF\r\n", POST_C_OUT "!body_large"},
    {POST_C "\r\n", POST_C_OUT "!chunk_bad"},
    {POST_C "0x1\r\n", POST_C_OUT "!chunk_bad"},
    {POST_C "1 \r\nx", POST_C_OUT "!chunk_bad"},
    {POST_C " 1\r\nx", POST_C_OUT "!chunk_bad"},
    {POST_C "-1\r\nx", POST_C_OUT "!chunk_bad"},
    {POST_C "1;a\x01\r\nx", POST_C_OUT "!chunk_bad"},
    {POST_C "1\nx\r\n", POST_C_OUT "!bare_lf"},
    {POST_C "1;\rx\r\nx\r\n", POST_C_OUT "!bare_cr"},
    {POST_C "1\r\nxy", POST_C_OUT "x!chunk_bad"},
    {POST_C "1\r\nx\n", POST_C_OUT "x!chunk_bad"},
    {POST_C "1;01234567890123456789\r\n", POST_C_OUT "!chunk_long"},
    {POST_C "0\r\nA: b\r\n c\r\n\r\n", POST_C_OUT "!field_folded"},
    {POST_C "0\r\nA: 1\r\nA: 2\r\nA: 3\r\nA: 4\r\nA: 5\r\nA: 6\r\n\r\n",
     POST_C_OUT "!trailer_large"},
};

TEST(http_parser_refuses_what_two_parsers_might_read_differently)
{
    check_all(refused, ARRAY_LEN(refused), HTTP_PARSE_REQUESTS, false);
}

TEST(http_parser_sees_nul_bytes)
{
    static const char in[] = GET_H "X: a\0b\r\n\r\n";
    struct buf out;
    buf_init(&out, 4096);
    CHECK_STR("!nul_byte", run(&out, slice_of(in, sizeof in - 1), 0, HTTP_PARSE_REQUESTS, false));
    CHECK_STR("!nul_byte", run(&out, slice_of(in, sizeof in - 1), 1, HTTP_PARSE_REQUESTS, false));
    buf_done(&out);
}

TEST(http_parser_reads_responses)
{
    static const struct parse_case cases[] = {
        {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi",
         "200 'OK' keep [Content-Length=2] {hi}|"},
        {"HTTP/1.1 200\r\n\r\nto the end", "200 '' keep {to the end}|"},
        {"HTTP/1.0 200 \r\n\r\n", "200 '' {}|"},
        {"HTTP/1.1 204 No Content\r\n\r\n", "204 'No Content' keep {}|"},
        {"HTTP/1.1 304 x\r\nContent-Length: 9\r\n\r\n", "304 'x' keep [Content-Length=9] {}|"},
        {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
         "100 'Continue' keep {}|200 'OK' keep [Content-Length=0] {}|"},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nT: u\r\n\r\n",
         "200 'OK' keep [Transfer-Encoding=chunked] {hi} <T=u>|"},
        {"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nhi",
         "200 'OK' keep [Content-Length=3] {hi!client_gone"},
        {"HTTP/1.1 200 OK\r\nConte", "!client_gone"},
        {"HTTP/1.1 099 x\r\n", "!line_bad"},
        {"HTTP/1.1 600 x\r\n", "!line_bad"},
        {"HTTP/1.1  200\r\n", "!line_bad"},
        {"HTTP/1.1 2000\r\n", "!line_bad"},
        {"HTTP/2.0 200 OK\r\n", "!version_other"},
        {"SSH-2.0-x\r\n", "!line_bad"},
        {"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", "!length_twice"},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: x\r\n\r\n", "!coding_unknown"},
    };
    check_all(cases, ARRAY_LEN(cases), HTTP_PARSE_RESPONSES, true);
}

TEST(http_parser_bounds_chunk_extensions_in_sum)
{
    struct buf in, out;
    buf_init(&in, 1 << 20);
    buf_init(&out, 1 << 20);
    buf_add_str(&in, POST_C);
    for (int i = 0; i < 90; i++) {
        buf_add_str(&in, "1;234567890123456\r\nx\r\n");
    }
    CHECK_HAS("!chunk_long", run(&out, buf_slice(&in), 0, HTTP_PARSE_REQUESTS, false));
    CHECK_HAS("!chunk_long", run(&out, buf_slice(&in), 7, HTTP_PARSE_REQUESTS, false));
    buf_done(&in);
    buf_done(&out);
}

TEST(http_queries_and_escapes)
{
    struct slice rest = SLICE("a=1&&b&c=%20+x"), name, value;
    char out[16];
    CHECK(http_query_next(&rest, &name, &value));
    CHECK_SLICE("a", name);
    CHECK_SLICE("1", value);
    CHECK(http_query_next(&rest, &name, &value));
    CHECK_SLICE("b", name);
    CHECK_EQ(0, value.len);
    CHECK(http_query_next(&rest, &name, &value));
    CHECK_EQ(3, http_unescape(value, true, out));
    CHECK_SLICE("  x", slice_of(out, 3));
    CHECK_EQ(3, http_unescape(value, false, out));
    CHECK_SLICE(" +x", slice_of(out, 3));
    CHECK(!http_query_next(&rest, &name, &value));
    CHECK_EQ(-1, http_unescape(SLICE("%2"), false, out));
    CHECK_EQ(-1, http_unescape(SLICE("a%g0"), false, out));
    CHECK_EQ(1, http_unescape(SLICE("%fF"), false, out));
    CHECK_EQ(0xff, (uint8_t)out[0]);
}
