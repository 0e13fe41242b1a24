/* SPDX-License-Identifier: Apache-2.0
 *
 * What a task is told: its rules, what it reads and in which order, what leaves it and where to.
 * Made by a layout (layout.h); the tasks of a group have the same but for their part, lineage and
 * sub-streams. Borrowed by the task as long as it lives.
 */
#ifndef OPERATORS_SHARD_TASK_PLAN_H
#define OPERATORS_SHARD_TASK_PLAN_H

#include "operators/route/want.h"
#include "operators/shard/alert.h"
#include "operators/shard/emit.h"
#include "operators/shard/merge.h"
#include "operators/sig/builtin.h"

enum task_late { TASK_LATE_ADMIT, TASK_LATE_DROP, TASK_LATE_DLQ };

struct task_module { /* of EPL; a level */
    struct slice id, text;
    const struct ast_module *parsed; /* for all tasks of the group; NULL: each parses it */
};

struct task_out { /* events of that type leave the task */
    struct slice type;
    uint32_t to;             /* of the plan's topics */
    const struct slice *key; /* columns; none: the task's own place among the partitions */
    const bool *as_double;
    uint32_t n_key;
};

/* Events as they came go on to others, dealt out by a key. Rows of a statement "<forward>.<any>"
 * let the event pass that they were made of; their columns are its key. */
struct task_forward {
    uint32_t to; /* of the plan's topics */
    const bool *as_double;
    uint32_t n_key;           /* 0: the task's own place among the partitions */
    const struct slice *keep; /* keys of the payload that go along, if not all do */
    uint32_t n_keep;
    bool keep_all;
};

struct task_wants { /* events that concern the rules, before they have met any */
    const struct route_want *v;
    size_t n, version; /* eng_wants_version */
    bool may_sleep;    /* no timer is set, nothing is put out before the first of them */
};

struct task_plan {
    struct slice name; /* tenant/graph/level/partition: for people */
    struct slice tenant;
    uint64_t lineage;
    uint64_t hash; /* of the rules: whose journal another's is not */
    int64_t life;  /* of the graph: state of one before it is not taken over */
    uint32_t part, parts;
    const struct task_module *modules;
    const struct slice *reads; /* names of types that the inputs may have */
    const bool *const *looks;  /* of each: columns that the rules may look at; NULL: all of them */
    const struct merge_spec *subs;
    const struct slice *topics; /* names; merge_spec.topic counts here. NULL: not known */
    const uint16_t *topic_ids;  /* per sub: of raw topics, for references */
    const struct emit_to *to;
    const struct task_out *outs;
    const struct task_forward *forwards; /* at most 64 */
    const struct alert_rule *alerts;
    uint32_t n_modules, n_reads, n_subs, n_to, n_outs, n_forwards, n_alerts;
    uint32_t to_alerts, to_history, to_dead; /* of `to`, from 1; 0: they go nowhere */
    /* Of sums that are made in parts (layout_split.c). parts: what it puts out is of the time
     * before the tick that brings it, and stands right before that. led: it has such parts as
     * inputs, whose authors tell the time: it does not tick by itself. */
    bool makes_parts, led;
    enum task_late late;
    enum builtin_world world;       /* of built-in types among them */
    const struct task_wants *wants; /* NULL: not known */
    const struct lim_conf *limits;
};

#endif
