/* SPDX-License-Identifier: Apache-2.0
 *
 * operators/shard/layout_split.h: which statements are written as two, what of them runs where, and
 * what becomes of their state. That their rows are those of one task, test_layout.c shows.
 */
#include "operators/graph/eng_doc.h"
#include "operators/shard/layout_diff.h"
#include "operators/shard/layout_split.h"
#include "tests/test.h"
#include "tests/unit/operators/shard/fates.h"

#include <stdio.h>

enum { RAW_PARTS = 4, TEXT_MAX = 4000 };

#define HEAD "apiVersion: kaiju/v1\nkind: RuleGraph\nname: g\nlevels:\n- name: logs\n"

static struct layout *lay_out(struct arena *a, const char *text, uint32_t raw_parts)
{
    const struct layout_conf conf = {.raw_parts = raw_parts};
    struct layout *l = NULL;
    struct err err;
    CHECK_OK(layout_make(a, slice_str(text), &conf, &l, &err), err);
    return l;
}

/* The last statement of a level: why it is whole; empty: it is split, or there is nothing to split.
 */
static struct slice why_whole(struct arena *a, const char *level, bool *ret_split)
{
    char *text = arena_printf(a, HEAD "%s", level);
    struct doc_notes notes;
    struct layout_looks looks;
    struct err err;
    doc_notes_init(&notes, a);
    struct doc *d = doc_read(a, slice_str(text), &notes);
    CHECK(d != NULL);
    CHECK_OK(doc_check(d, &eng_doc, &notes, &err), err);
    CHECK_OK(layout_look(d, RAW_PARTS, &looks, &err), err);
    const struct doc_stmt *last = &d->g.levels[0].stmts[d->g.levels[0].n_stmts - 1];
    struct slice why = SLICE_NONE;
    *ret_split = false;
    for (uint32_t p = 0; p < looks.n_parts; p++) {
        const struct layout_part *x = &looks.parts[p];
        if (x->n_stmts > 0 && x->stmts[x->n_stmts - 1] == last) {
            why = arena_copy(a, x->whole[x->n_stmts - 1]);
            *ret_split = x->adds_up && x->sums[x->n_stmts - 1] != NULL;
        }
    }
    layout_looks_done(&looks);
    doc_notes_done(&notes);
    return why;
}

#define L "insert into N select "
#define E " output snapshot every 5 sec"

TEST(what_is_split_and_why_not)
{
    static const struct {
        const char *epl, *why; /* "": it is split; NULL: there is nothing to be split */
    } rows[] = {
        {L "count(*) as n from LogRecord" E, ""},
        {L "count(*) + 1 as n, max(value) as m from Metric(value > 3)" E, ""},
        {L "name, min(value) as m from Metric group by name having count(*) > 3 output last every "
           "5 sec",
         ""},
        {L "l.name as x, sum(cast(l.value, int)) as m from Metric as l group by l.name output all "
           "every 5 sec",
         ""},
        {L "case when count(*) > 3 then 'many' else 'few' end as n from LogRecord#time_batch(5)",
         ""},
        {L "name || 'x' as u, count(*) as n from Metric group by name || 'x'" E, ""},
        {L "avg(severity_number) as a, current_timestamp() as t from LogRecord" E, ""},
        {L "avg(value) as a from Metric" E, "fractions"},
        {L "sum(value) as a from Metric" E, "fractions"},
        {L "median(value) as a from Metric" E, "no parts"},
        {L "count(distinct name) as a from Metric" E, "distinct"},
        {L "count(*) as n from Metric", "each event is a row"},
        {L "count(*) as n from Metric output every 5 sec", "a row for each event"},
        {L "count(*) as n from Metric output all every 5 sec", "a row for each event"},
        {L "count(*) as n from Metric output snapshot every 5 events", "each event is a row"},
        {L "count(*) as n from Metric output after 5 sec snapshot every 5 sec", "each event"},
        {L "count(*) as n from Metric#time(5 sec)" E, "of windows"},
        {L "count(*) as n from Metric#length(5)" E, "of windows"},
        {L "count(*) as n from Metric#time_batch(5 sec, 3L)", "a grid of their own"},
        {L "count(*) as n from Metric#time_batch(5 sec) where value > 3", "empty ones"},
        {L "count(*) as n from Metric#time_batch(5 sec)" E, "an output rate besides"},
        {L "name, value, count(*) as n from Metric group by name" E, "single events"},
        {L "name, count(*) as n from Metric group by rollup(name)" E, "rollup"},
        {L "name, count(*) as n from Metric group by name" E " order by name", "ordered"},
        {"insert irstream into N select count(*) as n from Metric" E, "taken back"},
        {L "count(*) as n from Metric#time_batch(3), LogRecord#time_batch(3)", "more than one"},
        {L "count(*) as n from Metric(value > most)" E, "its level declares"},
        {"@Priority(3) " L "count(*) as n from Metric" E, "comes first"},
        {L "name from Metric", NULL},
        {L "service, count(*) as n from Metric group by service", NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct arena *a = arena_new(NULL, "test", 64 << 20);
        bool split = false;
        char level[TEXT_MAX];
        snprintf(level, sizeof level,
                 "  epl: |\n    create constant variable double most = 3;\n    %s;\n", rows[i].epl);
        struct slice why = why_whole(a, level, &split);
        bool wanted = rows[i].why != NULL && rows[i].why[0] == '\0';
        bool said = rows[i].why != NULL && !wanted;
        if (split != wanted || (why.len > 0) != said ||
            (said && slice_find_slice(why, slice_str(rows[i].why)) == why.len)) {
            test_fail(__FILE__, __LINE__, "%s: '" SLICE_FMT "'", rows[i].epl, SLICE_ARG(why));
        }
        arena_free(a);
    }
}

TEST(levels_that_split_nothing)
{
    static const struct {
        const char *level, *why;
    } rows[] = {
        {"  partitions: 1\n  epl: |\n    " L "count(*) as n from Metric" E ";\n", "one partition"},
        {"  late: drop\n  epl: |\n    " L "count(*) as n from Metric" E ";\n", "late"},
        {"  epl: |\n    insert into A select name from Metric;\n    " L "count(*) as n from A" E
         ";\n",
         "other statements"},
        {"  epl: |\n    " L "count(*) as n from Alert" E ";\n", "what rules make"},
        {"  epl: |\n    insert into M select 1 as x from pattern [every timer:interval(5 sec)];\n"
         "    " L "count(*) as n from Metric" E ";\n",
         "timers alone"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct arena *a = arena_new(NULL, "test", 64 << 20);
        bool split = false;
        struct slice why = why_whole(a, rows[i].level, &split);
        if (split || slice_find_slice(why, slice_str(rows[i].why)) == why.len) {
            test_fail(__FILE__, __LINE__, "%s: '" SLICE_FMT "'", rows[i].level, SLICE_ARG(why));
        }
        arena_free(a);
    }
}

static const char both[] =
    HEAD "  epl: |\n"
         "    @name('all') insert into A select count(*) as n from Metric(value > 3)" E ";\n"
         "    @name('by') insert into B select node, name, max(value) as m from Metric\n"
         "      group by node, name" E ";\n";

TEST(local_tasks_make_parts_that_others_add_up)
{
    struct arena *a = arena_new(NULL, "test", 64 << 20);
    struct layout *l = lay_out(a, both, RAW_PARTS);
    static const char *const names[] = {"logs.total.local", "logs.total", "logs.groups.local",
                                        "logs.groups"};
    static const uint32_t parts[] = {RAW_PARTS, 1, RAW_PARTS, RAW_PARTS};
    CHECK_EQ(4, l->n_groups);
    for (uint32_t i = 0; i < l->n_groups; i++) {
        const struct layout_group *g = &l->groups[i];
        const struct task_plan *p = g->tasks[g->parts - 1].plan;
        bool local = i % 2 == 0;
        CHECK_SLICE(names[i], g->name);
        CHECK_EQ(parts[i], g->parts);
        CHECK(g->source == local && g->local == local);
        CHECK(p->makes_parts == local && p->led == !local);
        CHECK(p->limits != NULL);
        CHECK_EQ(local ? 1 : RAW_PARTS, p->n_subs);
    }
    CHECK_EQ(2, l->n_topics);
    CHECK_SLICE("x.default.g.logs.groups.sums", l->topics[1].name);
    CHECK_EQ(RAW_PARTS, l->topics[1].parts);
    CHECK_EQ(2, l->groups[3].reads[0].n_key);
    CHECK_SLICE("kaiju_g1", l->groups[3].reads[0].key[1]);
    CHECK_EQ(2, l->groups[2].tasks[0].plan->outs[0].n_key);
    arena_free(a);
}

/* Ticks do not depend on the number of partitions. */
TEST(what_is_not_split_stands_on_the_same_grid)
{
    struct arena *a = arena_new(NULL, "test", 64 << 20);
    struct layout *l = lay_out(a, both, 1);
    const struct task_plan *p = l->groups[0].tasks[0].plan;
    CHECK_EQ(1, l->n_groups);
    CHECK_EQ(1, l->n_tasks);
    CHECK(slice_starts(p->modules[p->n_modules - 1].text, SLICE("@Grid @name('all') ")));
    CHECK(!p->led && !p->makes_parts);
    arena_free(a);
}

#define ALL(condition)                                                                             \
    "    @Alert(severity='page', summary='{n}') @name('all') select count(*) as n "                \
    "from Metric(" condition ")" E ";\n"
#define BY                                                                                         \
    "    @name('by') insert into B select node, max(value) as m from Metric group by node" E ";\n"

/* The state of parts is that of the statement: what it lets pass is part of it. */
TEST(what_becomes_of_parts_when_a_document_changes)
{
    check_fates("kept/all kept/by ", RAW_PARTS, HEAD "  epl: |\n" ALL("value > 3") BY,
                HEAD "  bound: 1s\n  epl: |\n" ALL("value > 3") BY);
    check_fates("kept/by dropped/all ", RAW_PARTS, HEAD "  epl: |\n" BY ALL("value > 3"),
                HEAD "  epl: |\n" BY);
    check_fates("begun/all dropped/all ", RAW_PARTS, HEAD "  epl: |\n" ALL("value > 3"),
                HEAD "  epl: |\n" ALL("value > 4"));
    check_fates("begun/all dropped/all ", RAW_PARTS, HEAD "  epl: |\n" ALL("value > 3"),
                HEAD "  partitions: 1\n  epl: |\n" ALL("value > 3"));
}
