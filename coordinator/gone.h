/* SPDX-License-Identifier: Apache-2.0
 *
 * Rule graphs that are deleted: their records stay in ctl.graphs until workers have ended all of
 * their tasks (graphs.h says why), whenever there are workers. The leader looks at what they say in
 * ctl.tasks. One whose document cannot be laid out any more ends at once, and its record stays
 * without it: the next graph of the name knows nothing of what its tasks left. Loop thread;
 * gone_step is called a few times a second.
 */
#ifndef COORDINATOR_GONE_H
#define COORDINATOR_GONE_H

struct gone;
struct graphs;
struct members;
struct store;
struct tasks;

struct gone_conf {
    struct store *store;
    const struct graphs *graphs;
    const struct tasks *tasks;
    const struct members *members;
};

struct gone *gone_new(const struct gone_conf *conf);
void gone_free(struct gone *g); /* behind its store */
void gone_step(struct gone *g);

#endif
