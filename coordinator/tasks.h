/* SPDX-License-Identifier: Apache-2.0
 *
 * What workers say of their tasks, as ctl.tasks has it: key "tenant/graph/group/partition", value a
 * JSON object, about once a second while something changes. Any field may be missing, and fields
 * that are not known here are handed on. Nothing here is decided; it is counted and shown.
 */
#ifndef COORDINATOR_TASKS_H
#define COORDINATOR_TASKS_H

#include "core/base/slice.h"

struct graph;
struct json_t; /* jansson's */
struct tasks;

enum { TASKS_MAX = 100000 };

struct tasks *tasks_new(void);
void tasks_free(struct tasks *t);
/* value.ptr NULL: the task is gone. */
void tasks_take(struct tasks *t, struct slice key, struct slice value);
size_t tasks_count(const struct tasks *t);

/* Absent slices: any. */
struct tasks_filter {
    struct slice tenant, graph, worker, state, group;
};
/* New references. An array of tasks, in order of keys; behind `after`, at most max. */
struct json_t *tasks_list(const struct tasks *t, const struct tasks_filter *f, struct slice after,
                          size_t max);
/* {"tasks","live","replay","lost","other", "lag_records","lag_ns","clock", "commits","aborts",
 * "state_bytes", ...}: numbers that are sums, but lag_ns (the largest) and clock (the least). */
struct json_t *tasks_sum(const struct tasks *t, const struct tasks_filter *f);
/* Of one graph: "pending", "running", "replaying", "switching", "degraded". */
const char *tasks_phase(const struct tasks *t, struct slice tenant, struct slice graph,
                        int64_t version);
/* The worker that had it says that nothing of it is left, in that life of its graph. */
bool tasks_has_ended(const struct tasks *t, struct slice task, int64_t life);
/* The lineage by which that writer runs the task, live, in this version and life of its graph, once
 * it followed ctl.graphs up to that offset. False: it does not say so. */
bool tasks_lineage(const struct tasks *t, struct slice task, const char *writer,
                   const struct graph *of, int64_t graphs_end, uint64_t *ret);
/* One object for each worker, in order of names: its slots and the sum of its tasks. */
struct json_t *tasks_workers(const struct tasks *t);
/* One object for each level group of a graph: the sum of its tasks, and who runs them. */
struct json_t *tasks_groups(const struct tasks *t, struct slice tenant, struct slice graph);

#endif
