/* SPDX-License-Identifier: Apache-2.0 */
#include "core/event/schema.h"

#include "core/base/attr.h"
#include "core/base/buf.h"
#include "tests/test.h"

#include <stdio.h>

static struct schema *parse(const char *text)
{
    struct err err;
    struct schema *s = NULL;
    CHECK_OK(schema_parse(slice_str(text), &s, &err), err);
    return s;
}

static void check_canonical(const char *want, const char *text)
{
    struct schema *s = parse(text);
    CHECK_SLICE(want, schema_canonical(s));
    schema_free(s);
}

TEST(schema_names_that_the_canonical_form_cannot_say_are_refused)
{
    static const char outside[] =
        "{\"type\":\"record\",\"name\":\"a.B\",\"fields\":[{\"name\":\"f\",\"type\":"
        "{\"type\":\"fixed\",\"name\":\".Id\",\"size\":4}}]}";
    char longer[SCHEMA_NAME_MAX * 2 + 100], name[SCHEMA_NAME_MAX + 1];
    struct schema *schema;
    struct err error = {0};
    CHECK_EQ(-ERR_SYNTAX, schema_parse(slice_str(outside), &schema, &error));
    memset(name, 'n', SCHEMA_NAME_MAX);
    name[SCHEMA_NAME_MAX] = '\0';
    snprintf(longer, sizeof longer, "{\"type\":\"fixed\",\"name\":\"s.%s\",\"size\":4}", name);
    CHECK_EQ(-ERR_SYNTAX, schema_parse(slice_str(longer), &schema, &error));
}

TEST(schema_canonical_form_is_that_of_the_specification)
{
    check_canonical("\"int\"", "{\"type\":\"int\",\"logicalType\":\"date\"}");
    check_canonical("[\"null\",\"string\"]", " [ \"null\" , {\"type\":\"string\"} ] ");
    check_canonical("{\"type\":\"array\",\"items\":\"long\"}",
                    "{\"items\":{\"type\":\"long\"},\"type\":\"array\",\"doc\":\"x\"}");
    check_canonical("{\"type\":\"map\",\"values\":\"bytes\"}",
                    "{\"values\":\"bytes\",\"type\":\"map\"}");
    check_canonical("{\"name\":\"a.F\",\"type\":\"fixed\",\"size\":16}",
                    "{\"type\":\"fixed\",\"size\":16,\"namespace\":\"a\",\"name\":\"F\"}");
    check_canonical(
        "{\"name\":\"E\",\"type\":\"enum\",\"symbols\":[\"A\",\"B\"]}",
        "{\"type\":\"enum\",\"symbols\":[\"A\",\"B\"],\"name\":\"E\",\"default\":\"A\"}");
    check_canonical(
        "{\"name\":\"n.R\",\"type\":\"record\",\"fields\":[{\"name\":\"a\",\"type\":\"int\"},"
        "{\"name\":\"b\",\"type\":{\"name\":\"n.I\",\"type\":\"record\",\"fields\":[]}},"
        "{\"name\":\"c\",\"type\":\"n.I\"},{\"name\":\"d\",\"type\":[\"null\",\"n.R\"]}]}",
        "{\"type\":\"record\",\"namespace\":\"n\",\"name\":\"R\",\"aliases\":[\"Q\"],\"fields\":["
        "{\"type\":\"int\",\"name\":\"a\",\"default\":7,\"doc\":\"d\"},"
        "{\"name\":\"b\",\"type\":{\"type\":\"record\",\"name\":\"I\",\"fields\":[]}},"
        "{\"name\":\"c\",\"type\":\"I\"},{\"name\":\"d\",\"type\":[\"null\",\"R\"],"
        "\"default\":null}]}");
}

TEST(schema_fingerprints_of_primitives_are_golden)
{
    struct schema *s = parse("\"int\"");
    CHECK(schema_fingerprint(s) == 8247732601305521295u);
    schema_free(s);
    s = parse("{\"type\":\"null\"}");
    CHECK(schema_fingerprint(s) == 7195948357588979594u);
    schema_free(s);
}

TEST(schema_refuses_what_is_none)
{
    static const char *const bad[] = {
        "",
        "{",
        "\"nope\"",
        "{\"type\":\"record\",\"name\":\"R\"}",
        "{\"type\":\"record\",\"name\":\"R\",\"fields\":[{\"name\":\"x\",\"type\":\"nope\"}]}",
        ("{\"type\":\"record\",\"name\":\"R\",\"fields\":[{\"name\":\"x\",\"type\":\"int\"},"
         "{\"name\":\"x\",\"type\":\"int\"}]}"),
        "{\"type\":\"record\",\"name\":\"R\",\"name\":\"S\",\"fields\":[]}",
        "{\"type\":\"record\",\"name\":\"R\",\"namespace\":\"a..b\",\"fields\":[]}",
        "{\"type\":\"record\",\"name\":\"R\",\"namespace\":\"a\\\"b\",\"fields\":[]}",
        "{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"A\",\"A\"]}",
        "{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"A b\"]}",
        "{\"type\":\"fixed\",\"name\":\"F\",\"size\":-1}",
        "[\"int\",\"int\"]",
        "[[\"int\"]]",
        "[{\"type\":\"fixed\",\"name\":\"F\",\"size\":1},\"F\"]",
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct err err;
        struct schema *s = NULL;
        CHECK_EQ(-ERR_SYNTAX, schema_parse(slice_str(bad[i]), &s, &err));
        CHECK(s == NULL);
    }
    /* Nested without end. */
    struct buf b;
    buf_init(&b, 1 << 20);
    for (int i = 0; i < 100; i++) {
        buf_add_str(&b, "{\"type\":\"array\",\"items\":");
    }
    buf_add_str(&b, "\"int\"");
    for (int i = 0; i < 100; i++) {
        buf_add_str(&b, "}");
    }
    struct err err;
    struct schema *s = NULL;
    CHECK_EQ(-ERR_LIMIT, schema_parse(buf_slice(&b), &s, &err));
    buf_done(&b);
}

static int can_read(const char *reader, const char *writer, struct err *err)
{
    struct schema *r = parse(reader), *w = parse(writer);
    int rc = schema_can_read(r, w, err);
    schema_free(r);
    schema_free(w);
    return rc;
}

#define RECORD(fields_)            "{\"type\":\"record\",\"name\":\"R\",\"fields\":[" fields_ "]}"
#define FIELD(name_, type_, more_) "{\"name\":\"" name_ "\",\"type\":" type_ more_ "}"
#define INT                        "\"int\""
#define TREE(item_)                                                                                \
    "{\"type\":\"record\",\"name\":\"T\",\"fields\":["                                             \
    "{\"name\":\"kids\",\"type\":{\"type\":\"array\",\"items\":\"T\"}},"                           \
    "{\"name\":\"v\",\"type\":" item_ "}]}"

TEST(schema_compat_accepts_what_resolution_can_do)
{
    static const struct {
        const char *reader, *writer;
    } good[] = {
        {"\"long\"", INT},
        {"\"double\"", "\"long\""},
        {"\"double\"", "\"float\""},
        {"\"bytes\"", "\"string\""},
        {"[\"null\",\"long\"]", INT},
        {"\"long\"", "[\"int\",\"long\"]"},
        {"[\"string\",\"null\"]", "[\"null\",\"string\"]"},
        {RECORD(""), RECORD(FIELD("a", INT, ""))},
        {RECORD(FIELD("a", INT, ",\"default\":1")), RECORD("")},
        {RECORD(FIELD("a", INT, ",\"default\":1") "," FIELD("b", "\"long\"", "")),
         RECORD(FIELD("b", INT, ""))},
        {RECORD(FIELD("new", INT, ",\"aliases\":[\"old\"]")), RECORD(FIELD("old", INT, ""))},
        {"{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"A\",\"B\"]}",
         "{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"B\"]}"},
        {TREE("\"long\""), TREE(INT)},
        {"{\"type\":\"record\",\"name\":\"x.R\",\"fields\":[]}", RECORD("")},
    };
    struct err err = {0};
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        CHECK_OK(can_read(good[i].reader, good[i].writer, &err), err);
    }
}

TEST(schema_compat_refuses_what_it_cannot_and_says_where)
{
    static const struct {
        const char *reader, *writer, *message;
    } bad[] = {
        {INT, "\"long\"", "type: the reader has int, the writer long"},
        {INT, "[\"null\",\"int\"]", "null"},
        {"[\"null\",\"int\"]", "\"string\"", "no type that reads it"},
        {RECORD(FIELD("a", INT, "")), RECORD(""), "a: field"},
        {RECORD(FIELD("a", INT, "")), RECORD(FIELD("a", "\"string\"", "")), "a: type"},
        {RECORD(FIELD("new", INT, "")), RECORD(FIELD("old", INT, "")), "new: field"},
        {RECORD(""), "{\"type\":\"record\",\"name\":\"S\",\"fields\":[]}", "record"},
        {"{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"A\"]}",
         "{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"A\",\"B\"]}", "enum symbol"},
        {"{\"type\":\"fixed\",\"name\":\"F\",\"size\":8}",
         "{\"type\":\"fixed\",\"name\":\"F\",\"size\":16}", "fixed"},
        {"{\"type\":\"array\",\"items\":\"int\"}", "{\"type\":\"array\",\"items\":\"string\"}",
         "type"},
        {"{\"type\":\"map\",\"values\":\"int\"}", "{\"type\":\"array\",\"items\":\"int\"}", "type"},
        {TREE(INT), TREE("\"long\""), "v: type"},
        {RECORD(FIELD("a", "[\"null\"," TREE(INT) "]", "")),
         RECORD(FIELD("a", "[\"null\"," TREE("\"string\"") "]", "")), "a: union"},
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct err err = {0};
        CHECK_EQ(-ERR_MISMATCH, can_read(bad[i].reader, bad[i].writer, &err));
        CHECK_HAS(bad[i].message, err.msg);
    }
}

TEST(schema_full_compatibility_is_both_ways)
{
    struct err err;
    struct schema *one = parse(RECORD(FIELD("a", INT, "")));
    struct schema *two = parse(RECORD(FIELD("a", INT, "") "," FIELD("b", INT, "")));
    struct schema *three = parse(RECORD(FIELD("a", INT, "") "," FIELD("b", INT, ",\"default\":0")));
    CHECK_EQ(-ERR_MISMATCH, schema_compatible(one, two, &err));
    CHECK_EQ(-ERR_MISMATCH, schema_compatible(two, one, &err));
    CHECK_OK(schema_compatible(one, three, &err), err);
    schema_free(one);
    schema_free(two);
    schema_free(three);
}

/* --- the files --- */

static bool is_released(const struct schema_file *f)
{
    return slice_starts(slice_str(f->name), SLICE("released/"));
}

static struct slice base_name(const struct schema_file *f)
{
    const char *slash = strrchr(f->name, '/');
    return slice_str(slash != NULL ? slash + 1 : f->name);
}

/* FULL_TRANSITIVE: every released version with every other and with the current one, both ways. */
TEST(schema_released_versions_are_compatible_with_each_other_and_with_the_current_one)
{
    int pairs = 0, released = 0;
    for (size_t i = 0; i < schema_files_len; i++) {
        released += is_released(&schema_files[i]);
        for (size_t k = 0; k < i; k++) {
            if (!slice_eq(base_name(&schema_files[i]), base_name(&schema_files[k]))) {
                continue;
            }
            struct err err;
            struct schema *a = NULL, *b = NULL;
            CHECK_OK(schema_parse(schema_files[i].text, &a, &err), err);
            CHECK_OK(schema_parse(schema_files[k].text, &b, &err), err);
            CHECK_OK(schema_compatible(a, b, &err), err);
            schema_free(a);
            schema_free(b);
            pairs++;
        }
    }
    CHECK(released >= 3 && pairs >= 3);
}

/* A released file is history: changing it would hide a break. (Fingerprints by another library.) */
TEST(schema_released_files_are_what_was_released)
{
    static const struct {
        const char *name;
        uint64_t fingerprint;
    } released[] = {
        {"released/v1/alert.avsc", 0xbcf0d2572270f6bfu},
        {"released/v1/dlq.avsc", 0x4099595ab8b9a434u},
        {"released/v1/event_batch.avsc", 0x7c11ee88ccc497b8u},
    };
    for (size_t i = 0; i < ARRAY_LEN(released); i++) {
        struct err err;
        struct schema *s = NULL;
        const struct schema_file *f = schema_file_get(slice_str(released[i].name));
        CHECK(f != NULL);
        CHECK_OK(schema_parse(f->text, &s, &err), err);
        if (schema_fingerprint(s) != released[i].fingerprint) {
            test_fail(__FILE__, __LINE__, "%s: fingerprint %016llx", released[i].name,
                      (unsigned long long)schema_fingerprint(s));
        }
        schema_free(s);
    }
}
