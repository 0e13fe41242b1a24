/* SPDX-License-Identifier: Apache-2.0
 *
 * The world of the simulated bus: what a test may do to it beside using it as a bus. All clients
 * of one bus live in one thread and share a virtual clock that only moves in bus_wait, bus_sim_step
 * and bus_sim_advance. What happens is a function of the seed, the faults and the calls made:
 * bus_sim_trace gives a hash over all calls and events, equal for equal runs.
 *
 * A fault is a probability (0 to 1) or a range of virtual time, drawn anew each time. To add one: a
 * field here, a row in each preset of bus_sim.c, and the place that draws.
 */
#ifndef CORE_BUS_BUS_SIM_H
#define CORE_BUS_BUS_SIM_H

#include "core/base/hash.h"
#include "core/bus/bus.h"

#include <stdio.h>

struct bus_sim_range {
    int64_t min_ns, max_ns;
};

struct bus_sim_faults {
    struct bus_sim_range call;   /* administration, open, fence: until it takes effect */
    struct bus_sim_range commit; /* bus_commit until decided, a plain put until appended */
    struct bus_sim_range marker; /* decided until readable, for each partition */
    struct bus_sim_range ack;    /* decided until the caller's event */
    struct bus_sim_range read;   /* readable until the reader has it */
    struct bus_sim_range end;    /* at the stable end until END */
    struct bus_sim_range late;   /* UNKNOWN until a commit that was late after all is decided */
    struct bus_sim_range outage; /* length of a leader change */
    struct bus_sim_range elect;  /* a change of leadership until each client hears of it */

    double aborted, aborted_reopen; /* a commit ends ABORTED; of those: with reopen */
    double unknown_done, unknown_lost, unknown_late; /* UNKNOWN: committed, never, decided later */
    double fenced,
        fenced_notice; /* a commit finds its slot taken; a fenced writer is told at once */
    double full, again, refused, refused_done; /* the last: REFUSED with ERR_UNKNOWN, but there */
    double failed;                             /* an administrative call ends with UNAVAILABLE */
    double lazy;          /* the share of transactions that enter the log only at their commit */
    double gap;           /* an append skips up to gap_max offsets; each marker skips one anyway */
    double leader_change; /* an append finds its partition without a leader for `outage` */
    double depose;        /* a commit anywhere also costs some leader his election */

    uint32_t gap_max;
    uint32_t batch_max; /* records in one RECORDS */
    bool batch_random;  /* 1 to batch_max, at random */
    int64_t skew_ms;    /* record times differ by up to this between partitions */
    int64_t txn_timeout_ns, session_ns, tombstone_ns;
    int64_t maintain_ns;  /* retention and compaction by themselves so often; 0 = only when told */
    uint64_t quota_bytes; /* 0 = none */
};

struct bus_sim_faults bus_sim_calm(void);  /* fixed small delays, no faults: the default */
struct bus_sim_faults bus_sim_rough(void); /* random delays, splits, gaps, leader changes, AGAIN */
struct bus_sim_faults bus_sim_cruel(void); /* and every end a commit may have, lost elections */
void bus_sim_set(struct bus *b, const struct bus_sim_faults *faults);

enum bus_sim_fate {
    BUS_SIM_COMMIT = 0, /* without a fault, whatever the probabilities say */
    BUS_SIM_ABORT = 1,
    BUS_SIM_ABORT_REOPEN = 2,
    BUS_SIM_UNKNOWN_DONE = 3,
    BUS_SIM_UNKNOWN_LOST = 4, /* open until the slot is opened or fenced, or it times out */
    BUS_SIM_UNKNOWN_LATE = 5,
    BUS_SIM_FENCE = 6,
    BUS_SIM_FULL = 7,
    BUS_SIM_HOLD = 8, /* undecided until bus_sim_release */
};
/* The fate of the next commit of the slot for which none is set yet. */
void bus_sim_inject(struct bus *b, struct slice slot, enum bus_sim_fate fate);
void bus_sim_release(struct bus *b, struct slice slot);
/* At once, as if another process had done it. */
void bus_sim_fence(struct bus *b, struct slice slot);
void bus_sim_outage(struct bus *b, struct slice topic, uint32_t part, int64_t ns);
void bus_sim_depose(struct bus *b, struct slice election);
void bus_sim_maintain(struct bus *b);

/* A zombie: gets no events, loses elections, may time out; what it sent goes on. */
void bus_sim_pause(struct bus_client *c, bool paused);
/* Frees the client as a killed process would: nothing is closed, its transaction stays open until
 * it times out or is fenced, what it sent plainly arrives or does not. */
void bus_sim_crash(struct bus_client *c);
/* The process dies in the n-th call from now (at least 1) that reaches the world: that call and all
 * after it answer as if they were done, and do nothing; no event comes. So whoever calls need not
 * be left in the middle; then he looks, and crashes the client. */
void bus_sim_die(struct bus_client *c, uint32_t calls);
bool bus_sim_is_dead(const struct bus_client *c);
/* The clocks of its machine go ahead of the world's by so much. */
void bus_sim_ahead(struct bus_client *c, int64_t mono_ns, int64_t wall_ns);
/* It is held up now and then: at one of eight looks at its clock so much more has gone by. */
void bus_sim_slow(struct bus_client *c, int64_t ns);

/* Runs the world to the next moment at which a client that is not paused may have an event, at
 * most for max_ns. False: none has one. */
bool bus_sim_step(struct bus *b, int64_t max_ns);
void bus_sim_advance(struct bus *b, int64_t ns); /* runs all that is due until then */
bool bus_sim_ready(const struct bus_client *c);  /* bus_poll may give something */
int64_t bus_sim_now(const struct bus *b);
/* The next number of the world's generator: for a harness that wants one seed for all. */
uint64_t bus_sim_random(struct bus *b);

struct hash128 bus_sim_trace(const struct bus *b);
void bus_sim_trace_to(struct bus *b, FILE *text); /* also as lines of text; NULL = no more */

#endif
