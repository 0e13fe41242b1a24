/* SPDX-License-Identifier: Apache-2.0
 *
 * The rules of a storm: signals are looked at where they lie, counted by node in four tasks that
 * have four authors each, and what these put out is counted again in two. Of its versions all keep
 * the counts; the rest changes.
 */
#include "tests/storm/storm.h"

#include <stdio.h>

static const char frame[] =
    "apiVersion: kaiju/v1\n"
    "kind: RuleGraph\n"
    "name: storm\n"
    "archive_every: 4s\n"
    "levels:\n"
    "  - name: metrics\n"
    "    bound: %s\n"
    "    epl: |\n"
    "      @name('load') insert into Load select node, value from Metric(name = 'load');\n"
    "  - name: hl\n"
    "    partitions: 4\n"
    "    epl: |\n"
    "      @name('seen') insert into Seen select node, value as seq from Load;\n"
    "      @name('total') insert into Total select node, count(*) as n from Load group by node;\n"
    "      create window Held#time(4 sec) (node string, value double);\n"
    "      insert into Held select node, value from Load;\n"
    "      on Load(value %% 5 = 0) as m delete from Held where Held.node = m.node;\n"
    "      @name('pair') insert into Pair select a.node as node, b.value as value from pattern\n"
    "        [every a=Load(value %% 7 = 0) -> b=Load(node = a.node, value %% 3 = 0)\n"
    "         where timer:within(5 sec)];\n"
    "%s"
    "  - name: top\n"
    "    partitions: 2\n"
    "    scale: own\n"
    "    epl: |\n"
    "      @name('whole') insert into Whole select node, n, count(*) as c from Total group by "
    "node;\n";

static const char *const changes[STORM_VERSIONS] = {
    "      @Partition('node') @name('mean') insert into Mean select node, count(*) as n\n"
    "        from Load#time(3 sec) group by node output last every 2 sec;\n",
    "      @Partition('node') @name('mean') insert into Mean select node, sum(value) as n\n"
    "        from Load#time(2 sec) group by node output last every 2 sec;\n"
    "      @name('high') insert into High select node, value from Load(value > 100);\n",
    "      @name('few') insert into Mean select node, avg(value) as n from Load#time(1 sec)\n"
    "        group by node;\n",
};

const struct slot_task *storm_task_of(const struct storm *s, uint32_t version, uint32_t task)
{
    const struct layout *l = s->versions[version];
    for (uint32_t g = 0; g < l->n_groups; g++) {
        if (task < l->groups[g].parts) {
            return &l->groups[g].tasks[task];
        }
        task -= l->groups[g].parts;
    }
    return NULL;
}

void storm_lay_out(struct storm *s)
{
    static const char *const bounds[] = {"0s", "500ms", "3s"};
    const struct layout_conf conf = {.raw_parts = STORM_PARTS};
    const char *bound = bounds[storm_draw(s, ARRAY_LEN(bounds))];
    char text[4000];
    struct err err;
    s->graph_arena = arena_new(NULL, "graph", 256 << 20);
    for (uint32_t i = 0; i < STORM_VERSIONS; i++) {
        (void)snprintf(text, sizeof text, frame, bound, changes[i]);
        struct slice copy = arena_copy(s->graph_arena, slice_str(text));
        CHECK_OK(layout_make(s->graph_arena, copy, &conf, &s->versions[i], &err), err);
        CHECK_EQ(STORM_PARTS + 4 + 2, s->versions[i]->n_tasks);
    }
    s->n_tasks = s->versions[0]->n_tasks;
    for (uint32_t t = 0; t < s->n_tasks; t++) {
        s->tasks[t].lineage = storm_task_of(s, 0, t)->plan->lineage;
        for (uint32_t i = 1; i < STORM_VERSIONS; i++) {
            CHECK_EQ(s->tasks[t].lineage, storm_task_of(s, i, t)->plan->lineage);
            CHECK(t >= STORM_PARTS || storm_task_of(s, i, t)->plan->subs[0].part == t);
        }
    }
}
