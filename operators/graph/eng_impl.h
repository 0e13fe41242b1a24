/* SPDX-License-Identifier: Apache-2.0
 *
 * Inside the engine: deployments, statements, their instances (one per context partition), the
 * queues between them. The life of an event (README.md): matched against the route index, handed to
 * the statements that take it, their rows delivered and queued; then named windows tell their
 * consumers, then what was queued is processed: the front queue (for named windows), the back one.
 */
#ifndef OPERATORS_GRAPH_ENG_IMPL_H
#define OPERATORS_GRAPH_ENG_IMPL_H

#include "core/base/hidx.h"
#include "core/base/vec.h"
#include "operators/agg/agg.h"
#include "operators/epl/epl.h"
#include "operators/expr/period.h"
#include "operators/graph/inst.h"
#include "operators/graph/queue.h"
#include "operators/graph/share.h"
#include "operators/graph/stmt_ops.h"
#include "operators/graph/turn.h"
#include "operators/pattern/pattern.h"
#include "operators/plan/bind.h"
#include "operators/route/route.h"
#include "operators/sig/breath.h"
#include "operators/time/tmr.h"
#include "operators/window/window.h"

struct stmt {
    struct eng *eng;
    struct deployment *dep;
    struct slice name;
    const struct ast_stmt *ast;
    uint32_t order; /* of deployment */
    uint32_t id;    /* among all that were deployed, from 1 */
    struct etypes types;
    uint64_t rank; /* for route leaves and timers */
    int priority;
    bool drop;
    bool listened; /* its rows are delivered */
    bool uses_prev;
    bool query;    /* on-demand: reads what windows and tables hold */
    bool causes;   /* rows tell their causes */
    bool looks_up; /* has subqueries, or reads tables */
    const struct dat *params;
    uint32_t n_params;
    const struct stmt_ops *ops;
    void *plan, *init;
    struct cat_entry *context; /* or NULL */
    bool part_asked,
        part_listed; /* the context has conditions for some types; for one of its own */
    VEC(struct inst *) insts;
    struct hidx by_props; /* instances with props */
    VEC(struct cat_entry *) used;
    VEC(struct cat_entry *) made;
    VEC(struct subq_plan *) subqs;  /* in its expressions */
    uint64_t limit_turn[LIM_KINDS]; /* when it was last reported (lim.turn) */
    bool halted;                    /* by a limit: it has no instances any more */
    struct evts nw, old;            /* to be delivered at the end of the cycle */
    bool pending;
    struct save_late *late;   /* its partitions are being saved in slices; NULL: not */
    struct ctx_part *late_at; /* the next one */
    size_t late_left;         /* to be written */
    uint64_t cut;             /* counts the times */
    uint64_t metered;         /* events that were measured, */
    int64_t meter_ns;         /* and what they took */
};

struct deployment {
    struct slice id, text;
    uint32_t first_order, first_stmt; /* what was given before it */
    struct arena *arena;
    VEC(struct stmt *) stmts;
    VEC(struct cat_entry *) made;
};

struct eng {
    struct eng_conf conf;
    struct arena *arena;
    struct vheap *heap;
    struct vheap_breath *breath; /* of it */
    struct catalog cat;
    struct route *route;
    struct tmr_queue *timers;
    struct route_hits hits;
    struct evt *current;              /* being handed out; NULL */
    const struct route_hits *handing; /* to these; NULL */
    size_t handed;                    /* now to that one */
    int64_t now;
    uint32_t next_order;
    uint32_t next_stmt; /* as of deployments that succeeded */
    struct turns at_clock, at_event;
    uint64_t next_ref;
    VEC(struct deployment *) deps;
    struct map dep_ids;
    VEC(struct stmt *) stmts; /* in order of deployment */
    VEC(struct stmt *) pending;
    VEC(struct inst *) dirty;
    VEC(struct inst *) dying; /* stopped during this cycle */
    struct lim lim;
    uint64_t limit_turn[LIM_KINDS]; /* of what no statement asked for */
    VEC(struct stmt *) halting;     /* statements that limits stop when this step is over */
    int64_t out_second;             /* that lim.used[LIM_OUTPUT] belongs to */
    bool out_cut;                   /* rows were dropped in it */
    VEC(struct nwin *) wins_dirty;
    VEC(struct upd_stream *) updates; /* update istream */
    VEC(struct share) shares;         /* whose windows may be shared, as they began (share.h) */
    struct queue front, back;
    VEC(struct var *) vars_changed;
    struct evts scratch;
    struct evts query_rows;
    bool query_taken;                  /* it wanted a key in a table that is there already */
    bool query_cut;                    /* the query under way would have joined too many rows */
    VEC(struct arena *) graves;        /* of what was undeployed */
    struct deployment *query;          /* of the last on-demand query */
    bool busy, vars_pending, metering; /* metering: the event under way is measured */
    uint64_t sends;
    struct eng_cut *cut;               /* of what is being saved in slices; or NULL */
    size_t lates;                      /* statements that are being saved so */
    bool loading;                      /* instances begin without effects: their state comes */
    uint64_t serial;                   /* of events that were saved */
    VEC(const struct etype *) foreign; /* types of such, whose statements are gone */
    uint32_t next_type;
};

/* ---- eng.c ---- */
/* One event into all statements; then queues are worked off by eng_work. */
void eng_process(struct eng *e, struct evt *ev, const struct etype *as);
void eng_hand_out(struct eng *e, struct route_hits *hits, struct evt *ev);
/* Whether the event that is handed out comes to that instance yet, or came to it already. */
bool eng_tells(const struct eng *e, const struct inst *in, bool yet);
void eng_work(struct eng *e);
void eng_enqueue(struct eng *e, struct queued q, bool front);
void eng_mark_dirty(struct inst *in);
/* Queues, deliveries, what ended: to be called when nothing is under way. */
void eng_settle(struct eng *e);
/* Rows a statement gives: to its listener, at the end of the cycle. */
void stmt_has_rows(struct stmt *st); /* some have been added to st->nw or st->old */
void stmt_out(struct stmt *st, struct evt **nw, size_t n_nw, struct evt **old, size_t n_old);
void eng_deliver(struct eng *e);
/* The reference of a new derived event. */
void eng_number(struct eng *e, struct evt *ev);

#endif
