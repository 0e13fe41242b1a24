/* SPDX-License-Identifier: Apache-2.0 */
#include "core/codec/jsonpull.h"

#include "tests/test.h"

#include <math.h>
#include <stdio.h>

/* The tokens as one line: {k:"x" i1 u2 d3 "text" true null [ ] } or !code@line:col why. */
static const char *tokens(struct slice text, enum jsonpull_mode mode, uint32_t depth)
{
    static char out[4096];
    size_t n = 0;
    struct arena *a = arena_new(NULL, "test", 1 << 20);
    struct jsonpull r;
    struct jsonpull_token t;
    struct err err;
    jsonpull_init(&r, text, a, mode, depth);
    while (jsonpull_next(&r, &t) > JSONPULL_END && n < 3000) {
        static const char *const marks[] = {[JSONPULL_OBJECT] = "{",
                                            [JSONPULL_OBJECT_END] = "}",
                                            [JSONPULL_ARRAY] = "[",
                                            [JSONPULL_ARRAY_END] = "]",
                                            [JSONPULL_NULL] = "null"};
        size_t left = sizeof out - n;
        int len = 0;
        switch (t.kind) {
        case JSONPULL_KEY: len = snprintf(out + n, left, SLICE_FMT ":", SLICE_ARG(t.text)); break;
        case JSONPULL_STRING:
            len = snprintf(out + n, left, "'" SLICE_FMT "' ", SLICE_ARG(t.text));
            break;
        case JSONPULL_INT: len = snprintf(out + n, left, "i%lld ", (long long)t.i); break;
        case JSONPULL_UINT: len = snprintf(out + n, left, "u%llu ", (unsigned long long)t.u); break;
        case JSONPULL_DOUBLE: len = snprintf(out + n, left, "d%.17g ", t.d); break;
        case JSONPULL_BOOL: len = snprintf(out + n, left, "%s ", t.b ? "true" : "false"); break;
        default: len = snprintf(out + n, left, "%s ", marks[t.kind]); break;
        }
        n += (size_t)len;
    }
    if (t.kind == JSONPULL_ERROR) {
        int rc = jsonpull_error(&r, &err);
        snprintf(out + n, sizeof out - n, "!%s@%u:%u %s", err_name(-rc), err.line, err.col, r.why);
    } else {
        out[n] = '\0';
    }
    arena_free(a);
    return out;
}

static const char *strict(const char *text)
{
    return tokens(slice_str(text), JSONPULL_STRICT, 64);
}

static const char *lenient(const char *text)
{
    return tokens(slice_str(text), JSONPULL_LENIENT, 64);
}

TEST(jsonpull_gives_the_tokens_in_order)
{
    CHECK_STR(
        "{ a:i1 b:[ true false null 'x' { } [ ] ] c:{ d:d1.5 } } ",
        strict(" {\"a\" : 1,\n\"b\":[true,false,null,\"x\",{},[ ]],\"c\":{\"d\":1.5}}\r\n\t"));
    CHECK_STR("'' ", strict("\"\""));
    CHECK_STR("null ", strict("null"));
    CHECK_STR("i1 ", strict("\xef\xbb\xbf 1"));
}

TEST(jsonpull_numbers_are_exact)
{
    CHECK_STR("[ i9223372036854775807 u9223372036854775808 u18446744073709551615 "
              "d1.8446744073709552e+19 i-9223372036854775808 d-9.2233720368547758e+18 ] ",
              strict("[9223372036854775807,9223372036854775808,18446744073709551615,"
                     "18446744073709551616,-9223372036854775808,-9223372036854775809]"));
    CHECK_STR("[ i0 d-0 d1 d100 d0.10000000000000001 d4.9406564584124654e-324 ] ",
              strict("[0,-0,1.0,1e2,0.1,5E-324]"));
    CHECK_STR("d0 ", strict("1e-999"));
    CHECK_STR("!RANGE@1:1 a number too large or too long", strict("1e999"));
}

TEST(jsonpull_numbers_that_json_does_not_know)
{
    static const char *const bad[] = {"01",  "+1",  ".5",  "1.",  "1.e1",     "1e",   "1e+",  "-",
                                      "--1", "0x1", "1_0", "NaN", "Infinity", "-Inf", "1.5.2"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        if (strchr(strict(bad[i]), '!') == NULL) {
            test_fail(__FILE__, __LINE__, "accepted: %s", bad[i]);
        }
    }
}

TEST(jsonpull_unescapes)
{
    CHECK_STR("'a\"\\/\b\f\n\r\tz' ", strict("\"a\\\"\\\\\\/\\b\\f\\n\\r\\tz\""));
    CHECK_STR("'A\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80!' ",
              strict("\"\\u0041\\u00e9\\u20AC\\ud83d\\uDE00!\""));
    CHECK_STR("{ a\nb:'12345678\t12345678' } ", strict("{\"a\\nb\":\"12345678\\t12345678\"}"));
    /* a NUL is a character like any other */
    struct arena *a = arena_new(NULL, "test", 1 << 16);
    struct jsonpull r;
    struct jsonpull_token t;
    jsonpull_init(&r, SLICE("\"a\\u0000b\""), a, JSONPULL_STRICT, 8);
    CHECK_EQ(JSONPULL_STRING, jsonpull_next(&r, &t));
    CHECK_EQ(3, t.text.len);
    CHECK_EQ(0, t.text.ptr[1]);
    arena_free(a);
}

TEST(jsonpull_text_without_escapes_is_not_copied)
{
    struct slice text = SLICE("[\"plain text of more than eight bytes\"]");
    struct jsonpull r;
    struct jsonpull_token t;
    jsonpull_init(&r, text, NULL, JSONPULL_STRICT, 8);
    jsonpull_next(&r, &t);
    CHECK_EQ(JSONPULL_STRING, jsonpull_next(&r, &t));
    CHECK(t.text.ptr == text.ptr + 2);
    jsonpull_init(&r, SLICE("\"\\n\""), NULL, JSONPULL_STRICT, 8);
    CHECK_EQ(JSONPULL_ERROR, jsonpull_next(&r, &t));
    struct err err;
    CHECK_EQ(-ERR_LIMIT, jsonpull_error(&r, &err));
}

TEST(jsonpull_surrogates_and_bad_utf8)
{
    CHECK_HAS("!SYNTAX", strict("\"\\ud800\""));
    CHECK_HAS("!SYNTAX", strict("\"\\udc00\\ud800\""));
    CHECK_HAS("!SYNTAX", strict("\"\xff\""));
    CHECK_STR("'\xef\xbf\xbdx' ", lenient("\"\\ud800x\""));
    CHECK_STR("'\xef\xbf\xbd\xef\xbf\xbd' ", lenient("\"\\udc00\\ud800\""));
    CHECK_STR("'\xef\xbf\xbd\n' ", lenient("\"\\ud800\\n\""));
    CHECK_STR("'\xff' ", lenient("\"\xff\""));
    CHECK_HAS("!SYNTAX", lenient("\"\\ud83d\\u12\""));
}

TEST(jsonpull_errors_have_their_place)
{
    CHECK_STR("{ a:!SYNTAX@2:3 expected a value", strict("{\"a\":\n  x}"));
    CHECK_STR("{ !SYNTAX@1:2 expected a key in quotes", strict("{a:1}"));
    CHECK_STR("{ a:!SYNTAX@1:6 expected ':'", strict("{\"a\" 1}"));
    CHECK_STR("{ a:i1 !SYNTAX@1:8 expected ',' or '}'", strict("{\"a\":1 2}"));
    CHECK_STR("[ i1 !SYNTAX@1:4 expected ',' or ']'", strict("[1 2]"));
    CHECK_STR("[ i1 !SYNTAX@1:4 expected a value", strict("[1,]"));
    CHECK_STR("{ a:i1 !SYNTAX@1:8 expected a key in quotes", strict("{\"a\":1,}"));
    CHECK_STR("[ !SYNTAX@1:2 expected a value", strict("[}"));
    CHECK_STR("[ i1 !SYNTAX@1:3 expected ',' or ']'", strict("[1}"));
    CHECK_STR("i1 !SYNTAX@1:3 something stands behind the value", strict("1 2"));
    CHECK_STR("!SYNTAX@1:4 a control character in a string", strict("\"ab\n\""));
    CHECK_STR("!SYNTAX@1:6 a control character in a string", strict("\"\\nab\x01\""));
    CHECK_STR("!SYNTAX@1:3 no such escape in a string", strict("\"\xc3\xa9\\x\""));
    CHECK_STR("!SYNTAX@1:1 expected a value", strict("tru3"));
}

TEST(jsonpull_every_cut_is_truncated)
{
    const char text[] = "{\"key\":[1,-2.5e3,\"a\\u20acb\\n\",true,null],\"k2\":{}}";
    for (size_t n = 0; n < sizeof text - 1; n++) {
        const char *got = tokens(slice_of(text, n), JSONPULL_STRICT, 64);
        bool number = strstr(got, "!SYNTAX") == NULL && strchr(got, '!') != NULL;
        if (!number) {
            test_fail(__FILE__, __LINE__, "cut at %zu: %s", n, got);
        }
    }
}

TEST(jsonpull_depth_has_a_limit)
{
    CHECK_STR("[ [ [ ] ] ] ", tokens(SLICE("[[[]]]"), JSONPULL_STRICT, 3));
    CHECK_STR("[ [ [ !LIMIT@1:4 values nested too deeply",
              tokens(SLICE("[[[[]]]]"), JSONPULL_STRICT, 3));
    CHECK_STR("!LIMIT@1:1 values nested too deeply", tokens(SLICE("[]"), JSONPULL_STRICT, 0));
    /* deep ones keep their brackets apart, across the words of the bit set */
    static char deep[2 * JSONPULL_DEPTH_MAX + 1];
    for (size_t i = 0; i < JSONPULL_DEPTH_MAX; i++) {
        deep[i] = '[';
        deep[2 * JSONPULL_DEPTH_MAX - 1 - i] = ']';
    }
    CHECK(strchr(tokens(slice_str(deep), JSONPULL_STRICT, JSONPULL_DEPTH_MAX), '!') == NULL);
    deep[2 * JSONPULL_DEPTH_MAX - 70] = '}';
    CHECK_HAS("!SYNTAX", tokens(slice_str(deep), JSONPULL_STRICT, JSONPULL_DEPTH_MAX));
}

TEST(jsonpull_shows_duplicate_keys)
{
    CHECK_STR("{ a:i1 a:i2 } ", strict("{\"a\":1,\"a\":2}"));
}

TEST(jsonpull_skips_and_refuses)
{
    struct jsonpull r;
    struct jsonpull_token t;
    struct err err;
    jsonpull_init(&r, SLICE("{\"a\":{\"x\":[1,{}]},\"b\":7,\"c\":8}"), NULL, JSONPULL_STRICT, 8);
    jsonpull_next(&r, &t);
    jsonpull_next(&r, &t);
    CHECK_EQ(JSONPULL_OBJECT, jsonpull_next(&r, &t));
    CHECK(jsonpull_skip(&r, &t));
    CHECK_EQ(JSONPULL_KEY, jsonpull_next(&r, &t));
    CHECK_SLICE("b", t.text);
    CHECK_EQ(JSONPULL_INT, jsonpull_next(&r, &t));
    CHECK(jsonpull_skip(&r, &t));
    CHECK_EQ(JSONPULL_KEY, jsonpull_next(&r, &t));
    jsonpull_refuse(&r, ERR_TYPE, "c should be text");
    CHECK_EQ(JSONPULL_ERROR, jsonpull_next(&r, &t));
    CHECK_EQ(-ERR_TYPE, jsonpull_error(&r, &err));
    CHECK_HAS("c should be text, at line 1", err.msg);
    jsonpull_init(&r, SLICE("[[1,2"), NULL, JSONPULL_STRICT, 8);
    jsonpull_next(&r, &t);
    jsonpull_next(&r, &t);
    CHECK(!jsonpull_skip(&r, &t));
}
