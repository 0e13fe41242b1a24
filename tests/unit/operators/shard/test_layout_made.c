/* SPDX-License-Identifier: Apache-2.0
 *
 * operators/shard/layout.h: what is left of a layout when it is made.
 */
#include "operators/shard/layout.h"
#include "tests/test.h"

enum { RAW_PARTS = 4 };

/* What stands as long as the tasks run is not the document, nor what was made of it on the way. */
TEST(a_layout_of_many_rules_is_small)
{
    enum { RULES = 500, EACH = 2048 };
    struct arena *a = arena_new(NULL, "test", 64 << 20);
    const struct layout_conf conf = {.raw_parts = RAW_PARTS};
    struct layout *l = NULL;
    struct err err;
    struct buf b;
    buf_init(&b, 1 << 20);
    (void)buf_add_str(&b, "apiVersion: kaiju/v1\nkind: RuleGraph\nname: g\nlevels:\n"
                          "- name: logs\n  epl: |\n");
    for (unsigned i = 0; i < RULES; i++) {
        (void)buf_addf(
            &b, "    insert into N%u select pod, body from LogRecord(service = 's%u');\n", i, i);
    }
    CHECK(!buf_failed(&b));
    size_t before = arena_stats(a).reserved_bytes;
    CHECK_OK(layout_make(a, buf_slice(&b), &conf, &l, &err), err);
    CHECK_EQ(1, l->n_groups);
    CHECK_EQ(RULES, l->groups[0].tasks[0].plan->wants->n);
    CHECK(arena_stats(a).reserved_bytes - before < (size_t)RULES * EACH);
    buf_done(&b);
    arena_free(a);
}

TEST(groups_alone_are_those_of_the_whole_layout)
{
    struct arena *a = arena_new(NULL, "test", 64 << 20);
    struct layout_conf conf = {.raw_parts = RAW_PARTS};
    struct layout *whole = NULL, *bare = NULL;
    struct err err;
    const struct slice document =
        SLICE("apiVersion: kaiju/v1\nkind: RuleGraph\nname: g\nlevels:\n"
              "- name: logs\n  epl: insert into A select service, pod from LogRecord;\n"
              "- name: sums\n  epl: select service, count(*) from A#time(1 min) group by service;\n"
              "- name: own\n  scale: own\n  epl: select pod from A;\n");
    CHECK_OK(layout_make(a, document, &conf, &whole, &err), err);
    conf.groups_only = true;
    CHECK_OK(layout_make(a, document, &conf, &bare, &err), err);
    CHECK(whole->n_groups > 1 && whole->n_tasks > 0);
    CHECK_EQ(whole->n_groups, bare->n_groups);
    CHECK_EQ(0, bare->n_tasks);
    CHECK_SLICE("sums", bare->levels[1]);
    for (uint32_t i = 0; i < whole->n_groups; i++) {
        const struct layout_group *w = &whole->groups[i], *g = &bare->groups[i];
        CHECK(slice_eq(w->name, g->name) && w->parts == g->parts);
        CHECK(w->first == g->first && w->n == g->n && g->tasks == NULL);
    }
    arena_free(a);
}
