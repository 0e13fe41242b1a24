/* SPDX-License-Identifier: Apache-2.0
 *
 * What the leader knows of who runs what, for the sweep (sweep.h). Every condition stands in
 * sweep.md, with the reason. Loop thread.
 */
#ifndef COORDINATOR_SWEEP_CARRIED_H
#define COORDINATOR_SWEEP_CARRIED_H

#include "coordinator/sweep.h"

struct graphs;
struct members;
struct store;
struct tasks;

struct sweep_sources {
    const struct store *store;
    const struct graphs *graphs;
    const struct members *members;
    const struct tasks *tasks;
};

/* As sweep_conf wants to be told. */
bool sweep_carried(const struct sweep_sources *x, struct map *to, char why[SWEEP_WHY]);
uint64_t sweep_turn(const struct sweep_sources *x);

#endif
