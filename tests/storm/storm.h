/* SPDX-License-Identifier: Apache-2.0
 *
 * A storm: a graph of three groups at work over the simulated bus, in several processes, while
 * everything goes wrong at once. One seed makes all of it: what is sent, who dies in which call,
 * who is frozen and wakes up fenced, how commits end, when rules change. What is there, in reading
 * order:
 *
 * - storm_world.c: the bus, what is sent, what a reader of the raw topic has seen of it (that is
 *   what counts: a put of unknown end may be there twice), what retention removes.
 * - storm_graph.c: the rules, in versions.
 * - storm_procs.c: processes, and which of them has which task, as the coordinator and the worker
 *   see to it: a lease, revoked before its holder is fenced, before another takes over.
 * - storm_sweep.c: the coordinator's sweep of what nobody carries on, and the deaths of its leader.
 * - storm_judge.c: what came out, held against what was sent; all of it replayed; nobody is stuck.
 * - test_storm.c: what happens when, drawn from the seed; the tests, and how to run one seed.
 */
#ifndef TESTS_STORM_STORM_H
#define TESTS_STORM_STORM_H

#include "tests/test.h"

#include "core/base/vec.h"
#include "core/bus/bus_conf.h"
#include "core/bus/bus_sim.h"
#include "core/bus/bus_topics.h"
#include "core/event/batch_enc.h"
#include "core/event/batch_in.h"
#include "operators/shard/layout.h"
#include "operators/shard/slot.h"
#include "tests/storm/storm_do.h"

enum {
    STORM_PARTS = 4, /* of the raw topics */
    STORM_NODES = 6,
    STORM_SEQS = 4000, /* events that are made, at most */
    STORM_TASKS = 16,
    STORM_VERSIONS = 3,
};

enum storm_kind { /* bits: what may happen beside deaths */
                  STORM_CALM = 0,
                  STORM_UPDATES = 1,
                  STORM_DELETES = 2,
                  STORM_TRIMS = 4,
                  STORM_FORGETS = 8, /* with DELETES: nobody ends the tasks of what is deleted */
};

struct storm_fact { /* an event that is in the log */
    uint32_t part, node, seq;
    int64_t offset;
    bool load; /* the rules take it */
};

struct storm_cut { /* a record of a journal, as it was before retention removed it */
    int64_t offset;
    uint32_t task;
    char *bytes;
    size_t len;
};

struct storm_put { /* to the raw topic; until it is delivered */
    uint32_t part;
    struct buf value;
};

enum storm_life { PROC_ASKS, PROC_RUNS, PROC_REVOKES, PROC_FENCES, PROC_OVER };

struct storm_proc { /* one incarnation of a slot: never begun again */
    uint32_t id;
    char name[24], key[24];
    enum storm_life life;
    struct bus_client *c; /* NULL: the process has died, or has not begun */
    struct slot *slot;
    struct slot_lease lease;
    atomic_bool trial;
    bool frozen, lease_flies;
    int64_t thaws, revoked_at; /* revoked_at: its death is noticed; INT64_MAX */
    int64_t ahead;
};

struct storm_task {
    uint64_t lineage;
    struct storm_proc *owner; /* NULL: nobody has it */
    struct storm_proc *from;  /* who lives and may not have let it go yet; NULL: nobody */
    uint32_t version;         /* that the owner runs */
    bool leaving, died, over, makes_up, ends, failed;
    uint64_t awaits; /* a hash of rules that must end first */
    uint64_t
        begun; /* the first record of this owner, or one behind it; UINT64_MAX: none was seen */
    uint32_t made_up, restarts;
    int64_t not_before, unreleased; /* unreleased: waits for `from` since then; 0 */
};

struct storm_counts {
    uint64_t kills, dead_in_call, zombies, fenced, moves, updates, deletes, trims, jumps, poison;
    uint64_t gaps, made_up, commits, aborts, unknowns, snapshots, replayed, restored, lost, late;
    uint64_t skipped, succeeded, records_held, forgets, leaders, swept;
};

struct storm {
    uint64_t seed, rng;
    unsigned kind;
    struct bus *bus;
    struct bus_client *god; /* sends, reads what was sent, holds leases and fences */
    struct bus_writer *out;
    struct bus_reader *tap;
    bool open;
    uint32_t flies; /* puts */
    uint64_t tags, topics_tag;
    bool topics_made;

    uint32_t seqs;
    int64_t clock; /* of events, ns */
    VEC(struct storm_put *) puts;
    VEC(struct storm_fact) facts;
    VEC(struct storm_cut) cuts;
    int64_t seen_to[STORM_PARTS]; /* by the tap */
    struct intern *keys;
    struct schema_reg *reg;
    struct batch_in *in;
    struct batch_enc *enc;
    struct arena *arena;

    struct arena *graph_arena;
    struct layout *versions[STORM_VERSIONS];
    uint32_t version, past;        /* past: versions since it was applied */
    bool deleting, deleted, looks; /* looks: who begins takes nothing, but is looked at */
    bool forgetting;               /* its processes are fenced, and then it is deleted */
    bool calm;                     /* nothing more goes wrong */
    struct storm_sweep *sweep;
    struct storm_task tasks[STORM_TASKS];
    uint32_t n_tasks;
    VEC(struct storm_proc *) procs;
    uint32_t threads; /* of the process, without those beside */
    size_t slice_bytes, beside_bytes;
    int64_t snapshot_ns, commit_ns;
    struct storm_counts counts;
};

#endif
