/* SPDX-License-Identifier: Apache-2.0
 *
 * A slot over the simulated bus, with a sender, and who reads what was put out: of test_slot.c.
 */
#ifndef TESTS_UNIT_OPERATORS_SHARD_SLOT_WORLD_H
#define TESTS_UNIT_OPERATORS_SHARD_SLOT_WORLD_H

#include "core/bus/bus_sim.h"
#include "operators/shard/slot.h"

enum { GUEST = 4712, PARTS = 4, EVENTS = 1500, HOSTS = 7, OUT_PARTS = 8, JOURNAL_PARTS = 64 };

struct world {
    struct bus *bus;
    struct bus_client *sender, *worker;
    struct bus_writer *out;
    bool sender_open;
    uint32_t sent, delivered;
    uint64_t seed;
    size_t slice_bytes; /* of snapshots */
    uint32_t beside;    /* steps since a thread has a task */
    int64_t clock;
    struct slot *slot;
    bool changed;     /* other rules have come */
    int64_t align_ns; /* of the task */
    uint32_t kills;
    bool has_guest, leaves; /* a second task comes and goes; it is on its way out */
    uint32_t turns;
    bool plain;
    bool moved; /* the task was that of another slot, which lives: */
    struct bus_client *old_client;
    struct slot *old;
    uint64_t change_in; /* 0: never */
    struct neighbour {  /* another slot, with records in the same partitions; NULL: there is none */
        struct bus_client *c;
        struct bus_writer *out;
        bool open, put, commits;
        int64_t until; /* its transaction is open */
    } * neighbour;
};

enum how { AS_IT_IS, PLAIN, WITH_GUEST, WITH_NEIGHBOUR };

extern struct slot_counts counts; /* of all slots that ended */
extern uint32_t fenced, turns;

uint64_t draw(struct world *w, uint64_t below);
void pass(struct world *w, int64_t ns);
void begin(struct world *w);
void kill_worker(struct world *w);
const struct task_plan *plan(bool changed);
struct slot_task task_of(const struct task_plan *p);
void send_some(struct world *w);
struct world *make_world(uint64_t seed, struct bus_sim_faults faults);
void unmake_world(struct world *w);
void run_in(struct world *w, uint64_t kill_in);
void run_as(uint64_t seed, struct bus_sim_faults faults, uint64_t kill_in, enum how how);
void run(uint64_t seed, struct bus_sim_faults faults, uint64_t kill_in);
void remove_task(struct world *w, enum slot_leave how, uint64_t kill_in);
void finish(struct world *w, int seed);
uint32_t state_left(struct world *w);
void send_until(struct world *w, uint32_t n);

#endif
