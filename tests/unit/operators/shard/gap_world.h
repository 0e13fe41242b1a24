/* SPDX-License-Identifier: Apache-2.0
 *
 * One task in a slot over the simulated bus, what is sent to it, and what came out: for tests of
 * what is removed before it was read, or while nobody had the task.
 */
#ifndef TESTS_UNIT_OPERATORS_SHARD_GAP_WORLD_H
#define TESTS_UNIT_OPERATORS_SHARD_GAP_WORLD_H

#include "operators/shard/slot.h"

#include <stdatomic.h>

enum { PARTS = 2, EVENTS_MAX = 2000, TAG_TRIM = 77, TAG_BOUNDS, LINEAGE = 4711 };

struct gap_world {
    struct bus *bus;
    struct bus_client *sender, *worker;
    struct bus_writer *out;
    bool open, trimmed;
    uint32_t sent;
    int64_t ahead;               /* of the time of events */
    uint64_t rules;              /* their number */
    bool beats;                  /* with a timer each second */
    bool at_end;                 /* who has no journal reads nothing of before */
    int64_t offsets[EVENTS_MAX]; /* of each event; event n lies in partition n % PARTS */
    struct slot *slot;
    struct slot_task task;
    int64_t snapshot_ns;
    uint32_t deadly, deaths; /* who takes that event dies; 0: none. How often */
    int64_t begun, young;    /* who is older than that does not die; 0: he does, too */
    atomic_bool trial;
};

struct gap_found {
    uint32_t seen[EVENTS_MAX];
    int64_t n[EVENTS_MAX]; /* what the rule had counted */
    uint32_t gaps, states, others, beats;
    int64_t beat; /* the time of the last one */
};

void gap_begin(struct gap_world *w, bool after_death);
void gap_kill_worker(struct gap_world *w);
void gap_pass(struct gap_world *w, int64_t ns);
void gap_send(struct gap_world *w, uint32_t n);
void gap_trim_to(struct gap_world *w, struct slice topic, uint32_t part, int64_t offset);
void gap_trim(struct gap_world *w, uint32_t event); /* everything before it is gone */
int64_t gap_journal_end(struct gap_world *w);       /* of the task */
struct gap_world *gap_make(int64_t snapshot_ns);
void gap_unmake(struct gap_world *w);
struct gap_found *gap_read_all(struct gap_world *w); /* to be given back with mem_free */
/* Those of [from, to) came out once, those before only once at most. */
void gap_check(struct gap_world *w, uint32_t lost_from, uint32_t lost_to, uint32_t gaps, int64_t n);
/* Who begins again needs nothing that is gone, and has the same state. */
void gap_check_state(struct gap_world *w);

#endif
