/* SPDX-License-Identifier: Apache-2.0
 *
 * Which slot runs which task: a pure function of the slots that are there, the tasks that shall
 * run, and who had them. A task stays where it is; one that nobody has goes to the slot that has
 * the least, slots of different workers before a second one of the same. When slots are uneven a
 * few tasks move, no more at once than the caller wants to be without.
 */
#ifndef COORDINATOR_ASSIGN_H
#define COORDINATOR_ASSIGN_H

#include "core/base/slice.h"

#define ASSIGN_NONE UINT32_MAX

struct assign_slot {
    struct slice worker;
    uint32_t number;    /* among the worker's */
    struct slice level; /* takes tasks of groups with this level alone; empty: all */
};

struct assign_task {
    struct slice name; /* their order */
    const struct slice *levels;
    uint32_t n_levels;
    uint32_t previous; /* a slot, or ASSIGN_NONE */
};

/* ret[i]: the slot of task i, or ASSIGN_NONE if no slot takes it. How many moved from one slot to
 * another. */
uint32_t assign_tasks(const struct assign_slot *slots, uint32_t n_slots,
                      const struct assign_task *tasks, uint32_t n_tasks, uint32_t max_moves,
                      uint32_t *ret);

#endif
