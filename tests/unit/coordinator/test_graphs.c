/* SPDX-License-Identifier: Apache-2.0 */
#include "coordinator/graphs.h"

#include "core/base/mem.h"
#include "tests/test.h"

#include <stdio.h>

static void take(struct graphs *g, const char *key, const char *value)
{
    graphs_take(g, slice_str(key), slice_str(value));
}

static void put_record(struct graphs *g, const struct graph *record)
{
    char key[GRAPH_KEY_BYTES];
    struct buf b;
    buf_init(&b, 10000);
    CHECK(graphs_value(&b, record));
    graphs_take(g, graphs_key(record->tenant, record->name, key), buf_slice(&b));
    buf_done(&b);
}

static void put(struct graphs *g, const char *name, int64_t version, const char *document)
{
    const struct graph record = {.tenant = SLICE("t"),
                                 .name = slice_str(name),
                                 .version = version,
                                 .hash = 0xab,
                                 .document = slice_str(document)};
    put_record(g, &record);
}

TEST(graphs_go_in_and_come_out)
{
    struct graphs *g = graphs_new();
    put(g, "a", 3, "name: a\n# \"quoted\" \xc3\xa9\n");
    const struct graph *a = graphs_get(g, SLICE("t/a"));
    CHECK(a != NULL);
    CHECK_SLICE("t", a->tenant);
    CHECK_SLICE("a", a->name);
    CHECK_SLICE("name: a\n# \"quoted\" \xc3\xa9\n", a->document);
    CHECK_EQ(3, a->version);
    CHECK_EQ(0xab, a->hash);
    CHECK_SLICE("{\"format\":1,\"tenant\":\"t\",\"name\":\"a\",\"version\":3,"
                "\"hash\":\"00000000000000ab\",\"document\":\"name: a\\n# \\\"quoted\\\" "
                "\xc3\xa9\\n\"}",
                a->value);
    CHECK(graphs_hold(g, SLICE("t/a"), a->value));
    CHECK(!graphs_hold(g, SLICE("t/a"), SLICE_NONE));
    graphs_take(g, SLICE("t/a"), SLICE_NONE);
    CHECK(graphs_get(g, SLICE("t/a")) == NULL && graphs_count(g) == 0);
    CHECK(graphs_hold(g, SLICE("t/a"), SLICE_NONE));
    graphs_free(g);
}

TEST(graphs_know_the_documents_before_them)
{
    struct graphs *g = graphs_new();
    const struct graph record = {.tenant = SLICE("t"),
                                 .name = SLICE("a"),
                                 .version = 3,
                                 .document = SLICE("now"),
                                 .previous = {SLICE("name: \"x\"\n"), SLICE("older")},
                                 .n_previous = 2};
    put_record(g, &record);
    const struct graph *a = graphs_get(g, SLICE("t/a"));
    CHECK_EQ(2, a->n_previous);
    CHECK_SLICE("name: \"x\"\n", a->previous[0]);
    CHECK_SLICE("older", a->previous[1]);
    CHECK_SLICE("now", a->document);
    put(g, "a", 4, "later");
    CHECK_EQ(0, graphs_get(g, SLICE("t/a"))->n_previous);
    graphs_free(g);
}

/* Nobody sees it but who ends its tasks; when they have ended, nobody does. */
TEST(graphs_that_are_deleted_have_tasks_until_they_are_over)
{
    struct graphs *g = graphs_new();
    const struct graph *page[4], **all;
    struct graph record = {.tenant = SLICE("t"),
                           .name = SLICE("a"),
                           .version = 1,
                           .life = 2,
                           .deleted = true,
                           .document = SLICE("was")};
    size_t n = 0;
    put(g, "b", 1, "is");
    put_record(g, &record);
    CHECK(graphs_get(g, SLICE("t/a")) == NULL && graphs_count(g) == 1 && graphs_deleted(g) == 1);
    const struct graph *a = graphs_record(g, SLICE("t/a"));
    CHECK(a != NULL && a->deleted && !a->over && a->life == 2);
    CHECK_SLICE("was", a->document);
    CHECK_EQ(1, graphs_list(g, SLICE_NONE, SLICE_NONE, 4, page));
    CHECK_SLICE("b", page[0]->name);
    all = graphs_of_tasks(g, &n);
    CHECK(n == 2 && all[0] == a);
    mem_free(all);
    record.over = true;
    record.document = SLICE("");
    put_record(g, &record);
    CHECK(graphs_deleted(g) == 0 && graphs_count(g) == 1);
    CHECK_EQ(2, graphs_record(g, SLICE("t/a"))->life);
    all = graphs_of_tasks(g, &n);
    CHECK_EQ(1, n);
    mem_free(all);
    put(g, "a", 1, "again");
    CHECK(graphs_get(g, SLICE("t/a")) != NULL && graphs_count(g) == 2);
    graphs_free(g);
}

TEST(graphs_tags_differ_by_text_and_version)
{
    char one[GRAPH_TAG_BYTES], two[GRAPH_TAG_BYTES], three[GRAPH_TAG_BYTES];
    graphs_tag(1, SLICE("x"), one);
    graphs_tag(1, SLICE("y"), two);
    graphs_tag(2, SLICE("x"), three);
    CHECK(strcmp(one, two) != 0 && strcmp(one, three) != 0);
    CHECK(one[0] == '"' && one[strlen(one) - 1] == '"');
}

TEST(graphs_records_that_are_none_leave_what_was_there)
{
    static const char *const odd[] = {
        "",
        "[]",
        "{}",
        "no JSON",
        "{\"format\":2}",
        "{\"format\":1,\"tenant\":\"t\",\"name\":\"b\",\"version\":1,\"hash\":\"00000000000000ab\","
        "\"document\":\"\"}",
        "{\"format\":1,\"tenant\":\"t\",\"name\":\"a\",\"version\":0,\"hash\":\"00000000000000ab\","
        "\"document\":\"\"}",
        "{\"format\":1,\"tenant\":\"t\",\"name\":\"a\",\"version\":1,\"hash\":\"xy\","
        "\"document\":\"\"}",
        "{\"format\":1,\"tenant\":\"t\",\"name\":\"a\",\"version\":1,\"hash\":\"00000000000000xy\","
        "\"document\":\"\"}",
        "{\"format\":1,\"tenant\":\"t\",\"name\":\"a\",\"version\":1,"
        "\"hash\":\"00000000000000ab\"}",
    };
    struct graphs *g = graphs_new();
    put(g, "a", 7, "kept");
    for (size_t i = 0; i < ARRAY_LEN(odd); i++) {
        take(g, "t/a", odd[i]);
        CHECK_EQ(7, graphs_get(g, SLICE("t/a"))->version);
    }
    CHECK_EQ(1, graphs_count(g));
    graphs_free(g);
}

TEST(graphs_list_in_pages)
{
    const struct graph *page[4];
    struct graphs *g = graphs_new();
    put(g, "c", 1, "");
    put(g, "a", 1, "");
    put(g, "b", 1, "");
    CHECK_EQ(2, graphs_list(g, SLICE_NONE, SLICE_NONE, 2, page));
    CHECK_SLICE("t/a", page[0]->key);
    CHECK_SLICE("t/b", page[1]->key);
    CHECK_EQ(1, graphs_list(g, SLICE("t"), SLICE("t/b"), 4, page));
    CHECK_SLICE("t/c", page[0]->key);
    CHECK_EQ(0, graphs_list(g, SLICE("u"), SLICE_NONE, 4, page));
    graphs_free(g);
}

TEST(graphs_have_limits)
{
    char key[GRAPH_KEY_BYTES], long_name[200];
    struct buf b;
    memset(long_name, 'x', sizeof long_name);
    CHECK(graphs_key(SLICE("t"), slice_of(long_name, sizeof long_name), key).ptr == NULL);
    buf_init(&b, 100);
    const struct graph large = {.tenant = SLICE("t"),
                                .name = SLICE("a"),
                                .version = 1,
                                .document = slice_of(long_name, 200)};
    CHECK(!graphs_value(&b, &large));
    buf_done(&b);
    struct graphs *g = graphs_new();
    for (int i = 0; i <= GRAPHS_MAX; i++) {
        char name[20];
        snprintf(name, sizeof name, "g%d", i);
        put(g, name, 1, "");
    }
    CHECK_EQ(GRAPHS_MAX, graphs_count(g));
    graphs_free(g);
}

/* Each of them differs from a good one in one thing. */
TEST(graphs_records_that_make_no_sense_are_passed_over)
{
#define RECORD(tenant, version, hash, more)                                                        \
    "{\"format\":1,\"tenant\":" tenant ",\"name\":\"a\",\"version\":" version ",\"hash\":" hash    \
    ",\"document\":\"d\"" more "}"
#define HASH "\"00000000000000ab\""
    static const char *const odd[] = {
        RECORD("7", "1", HASH, ""),
        RECORD("\"t\"", "0", HASH, ""),
        RECORD("\"t\"", "9223372036854775807", HASH, ""),
        RECORD("\"t\"", "1.0", HASH, ""),
        RECORD("\"t\"", "1", "\" -0000000000000a\"", ""),
        RECORD("\"t\"", "1", "5", ""),
        RECORD("\"t\"", "1", HASH, ",\"over\":true"),
        RECORD("\"t\"", "1", HASH, ",\"deleted\":1"),
        RECORD("\"t\"", "1", HASH, ",\"life\":-1"),
        RECORD("\"t\"", "1", HASH, ",\"life\":9223372036854775807"),
        RECORD("\"t\"", "1", HASH, ",\"life\":\"1\""),
        RECORD("\"t\"", "1", HASH, ",\"previous\":[1]"),
        RECORD("\"t\"", "1", HASH, ",\"previous\":\"d\""),
        RECORD("\"t\"", "1", HASH, ",\"version\":2"),
    };
    struct graphs *g = graphs_new();
    for (size_t i = 0; i < ARRAY_LEN(odd); i++) {
        take(g, "t/a", odd[i]);
    }
    CHECK_EQ(0, graphs_count(g));
    CHECK_EQ(0, graphs_deleted(g));
    take(g, "t/a",
         RECORD("\"t\"", "1", HASH, ",\"life\":0,\"deleted\":false,\"previous\":[\"c\"]"));
    CHECK_EQ(1, graphs_count(g));
    CHECK_EQ(1, graphs_get(g, SLICE("t/a"))->n_previous);
    graphs_free(g);
#undef HASH
#undef RECORD
}
