/* SPDX-License-Identifier: Apache-2.0
 *
 * The operations of the simulated bus, file by file, as the table at the end of bus_sim.c lists
 * them, and what these files tell each other.
 */
#ifndef CORE_BUS_BUS_SIM_OPS_H
#define CORE_BUS_BUS_SIM_OPS_H

#include "core/bus/bus_sim_impl.h"

enum sim_op_kind {
    SIM_OP_ENSURE = 0,
    SIM_OP_DESCRIBE = 1,
    SIM_OP_LIST = 2,
    SIM_OP_BOUNDS = 3,
    SIM_OP_BY_TIME = 4,
    SIM_OP_TRIM = 5,
    SIM_OP_MAINTAIN = 6,
    SIM_OP_FENCE = 7,
    SIM_OP_OPEN = 8,
    SIM_OP_SETTLED = 9,
};

/* A call on its way to the world. */
struct sim_op {
    enum sim_op_kind kind;
    uint64_t client, writer, tag;
    struct bus_tp tp;
    struct slice name; /* of the topic or slot; owned */
    int64_t arg, epoch;
    struct bus_topic_spec *specs; /* owned, with their names */
    uint32_t n;
};

/* bus_sim_admin.c */
int sim_ensure(struct bus_client *c, const struct bus_topic_spec *specs, uint32_t n, uint64_t tag,
               struct err *reterr);
int sim_describe(struct bus_client *c, uint32_t topic, uint64_t tag, struct err *reterr);
int sim_list(struct bus_client *c, uint64_t tag, struct err *reterr);
int sim_bounds(struct bus_client *c, struct bus_tp tp, uint64_t tag, struct err *reterr);
int sim_settled(struct bus_client *c, struct bus_tp tp, uint64_t tag, struct err *reterr);
int sim_by_time(struct bus_client *c, struct bus_tp tp, int64_t time_ms, uint64_t tag,
                struct err *reterr);
int sim_trim(struct bus_client *c, struct bus_tp tp, int64_t before, uint64_t tag,
             struct err *reterr);
int sim_maintain(struct bus_client *c, uint64_t tag, struct err *reterr);
int sim_fence(struct bus_client *c, struct slice slot, uint64_t tag, struct err *reterr);
void sim_op_send(struct bus_client *c, struct sim_op *take_op);
void sim_op_free(void *op);
/* The markers an open or a fence waited for are written. */
void sim_op_decided(struct sim_bus *b, struct sim_op *take_op);

/* bus_sim_elect.c */
int sim_elect(struct bus_client *c, struct slice name, uint64_t tag, struct err *reterr);
void sim_resign(struct bus_client *c, struct slice name);
/* The client closes (resigns everywhere) or has crashed (its session runs out). */
void sim_elect_gone(struct sim_bus *b, uint64_t client, bool crashed);
void sim_elect_paused(struct sim_bus *b, uint64_t client, bool paused);
void sim_elect_depose_any(struct sim_bus *b);
void sim_election_free(void *election);

/* bus_sim_read.c */
struct bus_reader *sim_reader_new(struct bus_client *c);
void sim_reader_free(struct bus_reader *r);
int sim_assign(struct bus_reader *r, struct bus_tp tp, int64_t from, uint64_t tag,
               struct err *reterr);
void sim_unassign(struct bus_reader *r, struct bus_tp tp);
int sim_seek(struct bus_reader *r, struct bus_tp tp, int64_t to, struct err *reterr);
int sim_pause(struct bus_reader *r, struct bus_tp tp, bool paused, struct err *reterr);
/* The event of the first assignment in c->ready, which leaves the list; NULL = it had none. */
struct sim_out *sim_read_take(struct sim_client *c);
/* The stable end or the start of the partition has moved. */
void sim_read_moved(struct sim_bus *b, struct sim_part *p);

/* bus_sim_write.c */
int sim_open(struct bus_client *c, struct slice slot, uint64_t tag, struct bus_writer **ret_writer,
             struct err *reterr);
void sim_writer_close(struct bus_writer *w);
int sim_put(struct bus_writer *w, const struct bus_put *put, struct err *reterr);
int sim_commit(struct bus_writer *w, uint64_t tag, struct err *reterr);
int sim_abort(struct bus_writer *w, uint64_t tag, struct err *reterr);
/* The caller is being given this event: the writer goes on from there. */
void sim_writer_saw(struct sim_writer *w, const struct sim_out *o);
/* The slot has moved on: the writer may hear of it at once. */
void sim_writer_fenced(struct sim_bus *b, uint64_t client, uint64_t writer, bool surely);

/* bus_sim_trace.c: one note of the trace. name and data may be absent. */
void sim_note(struct sim_bus *b, uint64_t client, const char *what, struct slice name, uint64_t x,
              uint64_t y, struct slice data);
void sim_note_ev(struct sim_bus *b, const struct sim_client *c, const struct bus_ev *ev);

#endif
