/* SPDX-License-Identifier: Apache-2.0
 *
 * Workers that are there (ctl.members), and which of their slots has which tasks (ctl.assign).
 * Workers write the one, about once a second; the leader of the coordinators writes the other:
 * assign.h says who should have what, and this file leads there step by step, so that no task is
 * ever run by two.
 *
 * A slot has an *incarnation*, which is used once: `<slot>.<incarnation>` is its writer's name. A
 * worker that is silent for 3 s, that begins anew or that leaves loses his slots: first the
 * revocation is committed, then the writer is fenced, then the record is removed, and only then are
 * its tasks given to others. A task moves between slots that live when the one that had it says
 * that he has let it go: what nobody has is given away only while every slot says that it follows
 * its last record. Who gets it is told who had it (`moved`), and begins it behind the release that
 * stands in its journal; if he waits for that for 3 s he says so (`waits`), and the slot that had
 * it is revoked and fenced.
 *
 * A worker whose name another has says so under "worker#boot", and gets nothing (`refused`).
 *
 * Records: ctl.members, key: the worker; {"format","worker","boot","slots","level","leaves",
 * "beat","patience_ns","held":[{"slot","incarnation","epoch","lost","waits"}]}. ctl.assign, key:
 * "worker/slot";
 * {"format","worker","boot","slot","incarnation","epoch","revoked","tasks":[...],"died":[...],
 * "moved":{task:writer}}: of these tasks, those whose worker has died without a word, and those
 * that a slot that lives had.
 *
 * Loop thread. members_step is called a few times a second.
 */
#ifndef COORDINATOR_MEMBERS_H
#define COORDINATOR_MEMBERS_H

#include "coordinator/coordinator.h"
#include "coordinator/graphs.h"
#include "coordinator/store.h"
#include "core/base/map.h"

#include <jansson.h>

struct aside;
struct members;

enum { MEMBERS_TAG = 1 << 20, MEMBERS_FORMAT = 1, MEMBERS_MAX = 4096 }; /* tags from there on */

struct members_conf {
    struct bus_client *bus;
    struct store *store;
    const struct graphs *graphs;
    struct aside *aside;          /* graphs are laid out there; NULL: in the loop */
    coordinator_layout_fn layout; /* NULL: nothing is assigned */
    uint32_t raw_parts;
};

struct members_count {
    uint32_t workers, slots, tasks, waiting; /* alive; with a record; given; not given */
};

struct members *members_new(const struct members_conf *conf);
void members_free(struct members *m);
/* A record of one of the two topics. value.ptr NULL: it is gone. */
void members_take(struct members *m, enum store_topic topic, struct slice key, struct slice value);
bool members_hold(const struct members *m, enum store_topic topic, struct slice key,
                  struct slice value);
/* The graph was changed or removed. */
void members_graph(struct members *m, struct slice key);
/* The tasks of a graph as it is now. NULL: not known yet. */
const struct coordinator_group *members_groups(const struct members *m, struct slice key,
                                               uint32_t *ret_n);
void members_on_event(struct members *m, const struct bus_ev *ev);
void members_step(struct members *m);
/* Names that more than one worker has, once for each that runs nothing for it: an array. */
/* Every slot that may write has a worker that says that it runs what its last record says, by the
 * graphs as they were applied up to that offset of ctl.graphs, and nothing else: no task of it is
 * on its way out. *to: of each task that some slot has, the slot's writer (to be given back by
 * members_forget). False: why. */
bool members_follow(const struct members *m, int64_t graphs_end, struct map *to, char *why,
                    size_t size);
void members_forget(struct map *writers);
uint64_t members_turn(const struct members *m); /* raised by each record of ctl.assign */
json_t *members_refused(const struct members *m);
struct members_count members_count(const struct members *m);

#endif
