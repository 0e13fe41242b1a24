/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/operators/doc/doc_case.h"

static struct doc_tree *tree(struct doc_case *c, const char *text)
{
    *c = (struct doc_case){.a = arena_new(NULL, "case", DOC_ARENA_MAX)};
    c->text = slice_str(text);
    doc_notes_init(&c->notes, c->a);
    return doc_tree_read(c->a, c->text, &c->notes);
}

TEST(scalars_are_what_the_core_schema_makes_of_them)
{
    struct doc_case c;
    struct doc_tree *t = tree(&c, "[a, 1, -2, +3, 0x1f, 1.5, 1e3, true, False, ~, null, yes, '1', "
                                  "\"true\", , .inf, 1.2.3]");
    static const uint8_t want[] = {DOC_TEXT,   DOC_INT,    DOC_INT,  DOC_INT,  DOC_TEXT,
                                   DOC_NUMBER, DOC_NUMBER, DOC_BOOL, DOC_BOOL, DOC_NULL,
                                   DOC_NULL,   DOC_TEXT,   DOC_TEXT, DOC_TEXT};
    if (t == NULL) { /* an empty item in brackets is no YAML */
        doc_case_done(&c);
        t = tree(&c, "[a, 1, -2, +3, 0x1f, 1.5, 1e3, true, False, ~, null, yes, '1', \"true\"]");
    }
    CHECK(t != NULL);
    const struct doc_node *n = t->root->first;
    for (size_t i = 0; i < ARRAY_LEN(want); i++, n = n->next) {
        CHECK(n != NULL);
        CHECK_EQ(want[i], n->kind);
    }
    CHECK_EQ(15, t->root->weight);
    doc_case_done(&c);
}

static void place(const char *text, const char *word, uint32_t line, uint32_t col)
{
    struct doc_case c;
    struct doc_tree *t = tree(&c, text);
    CHECK(t != NULL);
    const struct doc_node *n = doc_get(t->root, "epl");
    CHECK(n != NULL);
    size_t at = slice_find_slice(n->text, slice_str(word));
    CHECK(at < n->text.len);
    struct span s = doc_place(t, n, at, strlen(word));
    CHECK_EQ(line, s.line);
    CHECK_EQ(col, s.col);
    CHECK_EQ(strlen(word), s.len);
    CHECK_SLICE(word, slice_sub(t->text, s.off, s.off + s.len));
    doc_case_done(&c);
}

TEST(places_in_blocks)
{
    place("a: 1\nepl: |\n  select x\n    from wrong\n", "wrong", 4, 10);
    place("a: 1\nepl: |\n\n\n  select x\n    from wrong\n", "wrong", 6, 10);
    place("a: 1\nepl: |2\n    select x\n    from wrong\n", "wrong", 4, 10);
    place("a: 1\nepl: >-\n  select x\n  from wrong\n\n  where y\n", "wrong", 4, 8);
    place("a: 1\nepl: >-\n  select x\n  from wrong\n\n  where y\n", "y", 6, 9);
    place("a: 1\r\nepl: |\r\n  select x\r\n  from wrong\r\n", "wrong", 4, 8);
}

TEST(places_in_quotes)
{
    place("epl: select x from wrong", "wrong", 1, 20);
    place("epl: select 'x'\n  from wrong", "wrong", 2, 8);
    place("epl: 'select ''x'' from wrong'", "wrong", 1, 25);
    place("epl: \"select 'x'\\n\\tfrom wrong\"", "wrong", 1, 26);
    place("epl: \"select \\\n  \\u00e9 wrong\"", "wrong", 2, 10);
    place("epl: \"select \xc3\xa9 wrong\"", "wrong", 1, 17);
}

TEST(places_in_json)
{
    place("{\"epl\": \"select '\\ud83d\\ude00' from wrong\"}", "wrong", 1, 37);
    place("{\n \"epl\":\n  \"a\\\"b\\\\ \\/ wrong\" , \"x\": [1]}", "wrong", 3, 14);
    struct doc_case c;
    struct doc_tree *t = tree(&c, "{\"a\" : {\"b\": [1, 2.5, null, true]},\n\"a\": 2}");
    CHECK(t != NULL);
    CHECK_EQ(1, c.notes.errors);
    CHECK_STR("2:1+3 KJ-DOC-0003 'a' stands here a second time; the first is in line 1\n",
              doc_case_notes(&c));
    doc_case_done(&c);
}

TEST(anchors_are_bounded)
{
    struct doc_case c;
    struct doc_tree *t = tree(&c, "a: &x {k: 1}\nb: *x\nc: [*x, *x]\n");
    CHECK(t != NULL);
    CHECK_EQ(1, doc_get(doc_get(t->root, "b"), "k")->i);
    CHECK_EQ(2, doc_get(t->root, "c")->n);
    doc_case_done(&c);
    t = tree(
        &c, "a: &a [x, x, x, x, x, x, x, x, x, x]\nb: &b [*a, *a, *a, *a, *a, *a, *a, *a, *a, *a]\n"
            "c: &c [*b, *b, *b, *b, *b, *b, *b, *b, *b, *b]\n"
            "d: &d [*c, *c, *c, *c, *c, *c, *c, *c, *c, *c]\n"
            "e: &e [*d, *d, *d, *d, *d, *d, *d, *d, *d, *d]\n");
    CHECK(t == NULL);
    CHECK_HAS("KJ-DOC-0002", doc_case_notes(&c));
    doc_case_done(&c);
    t = tree(&c, "a: &x [*x]\n");
    CHECK(t == NULL);
    CHECK_HAS("KJ-DOC-0001", doc_case_notes(&c));
    doc_case_done(&c);
}

TEST(what_is_no_document_is_refused)
{
    static const char *const bad[] = {
        "",
        "# nothing\n",
        "a: [1\n",
        "a: b: c\n",
        "a: !!str 1\n",
        "<<: {a: 1}\n",
        "a: 1\n---\nb: 2\n",
        "a:\n\t- 1\n",
        "{\"a\": 1",
        "? [a]\n: b\n",
        "a: \x01\n",
        "a: \xff\n",
        "*x\n",
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct doc_case c;
        struct doc_tree *t = tree(&c, bad[i]);
        if (t != NULL || c.notes.errors != 1) {
            test_fail(__FILE__, __LINE__, "not refused: %s", bad[i]);
        }
        CHECK(c.notes.list.ptr[0].span.line > 0);
        doc_case_done(&c);
    }
    char deep[200];
    memset(deep, '[', 100);
    memset(deep + 100, ']', 99);
    deep[199] = '\0';
    struct doc_case c;
    CHECK(tree(&c, deep) == NULL);
    CHECK_HAS("KJ-DOC-0002", doc_case_notes(&c));
    doc_case_done(&c);
}
