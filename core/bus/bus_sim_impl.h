/* SPDX-License-Identifier: Apache-2.0
 *
 * The inside of the simulated bus. The world is one heap of actions ordered by (time, order of
 * scheduling); running one may schedule more or push an event to a client. Clients and writers are
 * named by number in actions, never by pointer: an action for somebody who is gone finds nobody.
 * Transactions are counted, an assignment lives until its pending fetch has run.
 *
 * Reading order: bus_sim.c the world, bus_sim_client.c clients and their events, bus_sim_log.c
 * partitions, bus_sim_txn.c slots and transactions, bus_sim_write.c writers, bus_sim_read.c
 * readers, bus_sim_admin.c administration, bus_sim_elect.c elections, bus_sim_trace.c the trace.
 */
#ifndef CORE_BUS_BUS_SIM_IMPL_H
#define CORE_BUS_BUS_SIM_IMPL_H

#include "core/base/map.h"
#include "core/bus/bus_impl.h"
#include "core/bus/bus_sim_txn.h"

enum { SIM_NAMES_MAX = 65536 };

/* obj is owned: run and drop both end it. drop NULL = nothing to do at the end of the world. */
struct sim_action {
    int64_t at_ns;
    uint64_t order; /* of equal times */
    void (*run)(struct sim_bus *b, const struct sim_action *a);
    void (*drop)(void *obj);
    void *obj;
    uint64_t client, writer, arg;
    struct sim_part *part;
};

/* An event on its way to the caller. */
struct sim_out {
    struct bus_ev ev;
    struct err err;
    void *mem;              /* what ev points at, owned */
    uint64_t writer, bytes; /* bytes: of a plain put */
    uint64_t candidacy;     /* LEADER: of this one */
};

enum sim_writer_state { SIM_OPENING = 0, SIM_OPENED = 1, SIM_DEAD = 2 };

struct sim_pipe { /* keeps a plain writer's order in one partition */
    struct sim_part *part;
    int64_t append_ns, ack_ns;
};

struct sim_writer {
    struct bus_writer w;
    uint64_t id, open_tag;
    enum sim_writer_state state;
    struct sim_slot *slot;
    int64_t epoch;
    struct sim_txn *cur, *ending; /* each holds a count */
    bool aborting, abort_sent, again, fenced_told;
    uint64_t abort_tag;
    uint64_t plain_bytes, plain_flying;
    VEC(struct sim_pipe) pipes;
};

struct sim_assign {
    struct sim_reader *reader;
    struct bus_tp tp;
    struct sim_part *part; /* NULL until found */
    int64_t pos, told_end;
    uint64_t tag;
    bool paused, fetching, ready, idle, late, dead;
};

struct sim_reader {
    struct bus_reader r;
    VEC(struct sim_assign *) assigns;
};

struct sim_client {
    struct bus_client c;
    uint64_t id;
    bool paused, crashed;
    uint32_t dies_in;                /* calls; 0: it does not */
    int64_t ahead_ns, wall_ahead_ns; /* of the world's clocks */
    int64_t slow_ns, shown_ns;       /* that a look may find gone by; what the last one found */
    VEC(struct sim_out *) due;
    VEC(struct sim_out *) lent;
    VEC(struct sim_assign *) ready; /* not the paused */
    VEC(struct sim_reader *) readers;
    VEC(struct sim_writer *) writers;
};

struct sim_bus {
    struct bus bus;
    struct bus_sim_faults faults;
    struct clock_manual time;
    uint64_t rng, orders, ids;
    VEC(struct sim_action) heap;
    struct map topics, slots, elections;
    VEC(struct sim_client *) clients;
    struct hash_state *trace;
    FILE *text;
    struct bus_stats stats;
};

/* bus_sim.c */
uint64_t sim_random(struct sim_bus *b);
uint64_t sim_below(struct sim_bus *b, uint64_t n);
bool sim_chance(struct sim_bus *b, double p);
int64_t sim_draw(struct sim_bus *b, struct bus_sim_range r);
void sim_at(struct sim_bus *b, int64_t at_ns, struct sim_action a);
void sim_again_at(struct sim_bus *b, int64_t at_ns,
                  const struct sim_action *a); /* keeps its order */
static inline struct sim_bus *sim_of(const struct bus_client *c)
{
    return (struct sim_bus *)c->bus;
}

/* bus_sim_client.c */
struct sim_client *sim_client_find(const struct sim_bus *b, uint64_t id);
struct sim_writer *sim_writer_find(const struct sim_bus *b, uint64_t client, uint64_t writer);
/* The event after a delay, for whoever is still there then; err NULL = none. */
struct sim_out *sim_out_new(enum bus_ev_kind kind, uint64_t tag);
void sim_out_free(void *out);
void sim_tell(struct sim_bus *b, int64_t delay_ns, uint64_t client, uint64_t writer,
              struct sim_out *take_out);
void sim_tell_at(struct sim_bus *b, int64_t at_ns, uint64_t client, uint64_t writer,
                 struct sim_out *take_out);
void sim_tell_now(struct sim_client *c, struct sim_out *take_out);
void sim_out_err(struct sim_out *o, enum err_code code, const char *why);
void sim_client_init(struct bus_client *c);
void sim_client_done(struct bus_client *c);
int sim_client_poll(struct bus_client *c, struct bus_ev *evs, int max);
bool sim_client_ready(const struct sim_client *c);
/* By the world's clock. */
int64_t sim_client_timer(const struct sim_client *c);
/* Before each call that reaches the world: false, the process is dead, and nothing happens. */
bool sim_client_calls(struct bus_client *c);

#endif
