/* SPDX-License-Identifier: Apache-2.0
 *
 * A task of one module of rules that reads `Metric` from the partitions of one topic: what tests
 * and fuzz targets make by hand that need no graph document. The plan points into the struct.
 */
#ifndef TESTS_UNIT_OPERATORS_SHARD_ONE_TASK_H
#define TESTS_UNIT_OPERATORS_SHARD_ONE_TASK_H

#include "operators/shard/task.h"

enum { ONE_TASK_PARTS_MAX = 8 };

struct one_task {
    struct merge_spec subs[ONE_TASK_PARTS_MAX];
    uint16_t ids[ONE_TASK_PARTS_MAX];
    struct task_module module;
    struct slice reads;
    struct task_plan plan;
};

/* Has name, lineage and what it puts out already, in its plan. */
static inline const struct task_plan *one_task(struct one_task *t, struct slice module,
                                               struct slice rules, uint32_t parts)
{
    t->module = (struct task_module){module, rules, NULL};
    t->reads = SLICE("Metric");
    for (uint32_t i = 0; i < parts; i++) {
        t->subs[i] = (struct merge_spec){0, i, 0, INT64_C(1000000000)};
        t->ids[i] = 1;
    }
    t->plan.parts = 1;
    t->plan.modules = &t->module;
    t->plan.n_modules = 1;
    t->plan.reads = &t->reads;
    t->plan.n_reads = 1;
    t->plan.subs = t->subs;
    t->plan.topic_ids = t->ids;
    t->plan.n_subs = parts;
    return &t->plan;
}

#endif
