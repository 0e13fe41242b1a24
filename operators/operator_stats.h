/* SPDX-License-Identifier: Apache-2.0
 *
 * What /metrics shows of slots, tasks and rules. Called at each scrape, by the thread that scrapes.
 * Bounded: of so many tasks and rules each by itself; of the rest, how many there are.
 */
#ifndef OPERATORS_OPERATOR_STATS_H
#define OPERATORS_OPERATOR_STATS_H

#include "core/stats/stats.h"
#include "operators/shard/worker.h"

enum { OPERATOR_TASKS_SHOWN = 500, OPERATOR_RULES_SHOWN = 1000 };

struct operator_shown { /* in this scrape */
    struct stats_scrape *scrape;
    uint32_t tasks, rules, passed_over;
};

void opstats_slot(struct operator_shown *s, struct slice slot, const struct worker_look *look);
void opstats_task(struct operator_shown *s, const struct worker_task *t);
void opstats_end(struct operator_shown *s);

#endif
