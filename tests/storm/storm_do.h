/* SPDX-License-Identifier: Apache-2.0
 *
 * What is done in a storm, file by file. Included by storm.h.
 */
#ifndef TESTS_STORM_STORM_DO_H
#define TESTS_STORM_STORM_DO_H

#include "core/bus/bus_sim.h"
#include "operators/shard/slot.h"

struct storm;
struct storm_proc;

uint64_t storm_draw(struct storm *s, uint64_t below);
bool storm_chance(struct storm *s, uint32_t one_in);

/* storm_world.c */
struct storm *storm_new(uint64_t seed, unsigned kind, const struct bus_sim_faults *faults);
void storm_free(struct storm *s);
void storm_send(struct storm *s);
void storm_trim(struct storm *s);
void storm_god(struct storm *s); /* its events */
void storm_put_lease(struct storm *s, struct storm_proc *p, bool held);
bool storm_all_sent(const struct storm *s); /* and seen by the tap */

/* storm_graph.c */
void storm_lay_out(struct storm *s);
uint32_t storm_version_of(const struct storm *s, uint32_t task, uint64_t hash); /* UINT32_MAX */
const struct slot_task *storm_task_of(const struct storm *s, uint32_t version, uint32_t task);

/* storm_procs.c */
struct storm_proc *storm_begin_proc(struct storm *s);
void storm_kill(struct storm *s, struct storm_proc *p);
void storm_revoke(struct storm *s, struct storm_proc *p);
void storm_lease_told(struct storm *s, uint32_t proc, bool delivered);
void storm_fence_told(struct storm *s, uint32_t proc, bool done);
uint32_t storm_live(const struct storm *s); /* processes that tasks may be given to */
struct storm_proc *storm_any(struct storm *s);
void storm_pass(struct storm *s, int64_t ns);
/* All tasks run by the last rules, and have taken all there is. */
bool storm_is_settled(struct storm *s);
void storm_tell(struct storm *s); /* who does what, to stderr */

/* storm_sweep.c */
void storm_sweep_begin(struct storm *s);
void storm_sweep_end(struct storm *s);
void storm_sweep_step(struct storm *s);
void storm_sweep_hurt(struct storm *s);
/* Graphs and assignments may change: no transaction of the sweep is under way, as all three have
 * one writer. */
bool storm_may_change(const struct storm *s);
void storm_changed(struct storm *s);        /* one of them has */
bool storm_is_swept(const struct storm *s); /* since then */
void storm_put_strange(struct storm *s);    /* state of a task that nobody has (storm_world.c) */

/* storm_judge.c */
void storm_judge(struct storm *s);

#define STORM_FAIL(s, ...)                                                                         \
    do {                                                                                           \
        char text__[600];                                                                          \
        (void)snprintf(text__, sizeof text__, __VA_ARGS__);                                        \
        test_fail(__FILE__, __LINE__, "KAIJU_STORM_SEED=%llu: %s", (unsigned long long)(s)->seed,  \
                  text__);                                                                         \
    } while (0)

#endif
