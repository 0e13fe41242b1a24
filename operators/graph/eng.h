/* SPDX-License-Identifier: Apache-2.0
 *
 * The engine: modules of EPL are deployed into it, events are sent, the clock is moved, rows come
 * out. One thread; no clock of its own; the same calls give the same rows.
 */
#ifndef OPERATORS_GRAPH_ENG_H
#define OPERATORS_GRAPH_ENG_H

#include "core/base/err.h"
#include "operators/sig/lim.h"

struct eng;

struct eng_rows {
    struct evt **nw, **old;
    size_t n_nw, n_old;
};

struct eng_conf {
    /* One delivery of a statement: rows that entered and left. Events are valid during the call. */
    void (*on_rows)(void *arg, struct slice statement, const struct eng_rows *rows);
    void *arg;
    bool prioritized; /* @Priority and @Drop have their effect */
    bool unshared;    /* equal conditions are evaluated, equal windows kept one by one; for tests */
    uint64_t lineage; /* 63 bits: in the references of events that statements insert */
    bool causes;      /* rows, and events that are inserted, tell their causes (sig/cause.h) */
    /* Each event that a statement inserts, with its reference and causes; NULL: nobody asks. */
    void (*on_derived)(void *arg, const struct evt *e);
    const struct lim_conf *limits; /* NULL: the defaults */
    /* A statement (it may have no name) met a limit: once, until the limit has recovered. */
    void (*on_limit)(void *arg, struct slice statement, enum lim_kind kind, enum lim_policy policy);
    /* ns: what one event in ENG_METER_EVERY costs each statement is measured by it; NULL: nobody
     * asks. Nothing depends on what it says. */
    int64_t (*meter)(void);
};

enum { ENG_METER_EVERY = 128 };

struct eng_cost { /* of a statement, of the events that were measured */
    struct slice name;
    uint64_t events;
    int64_t ns;
};

struct eng *eng_new(const struct eng_conf *conf);
void eng_free(struct eng *e);
/* Everything or nothing. Spans of errors are in `text`. */
int eng_deploy(struct eng *e, struct slice id, struct slice text, struct err *reterr) NODISCARD;
/* The same with the text parsed already: nothing of it is changed, so engines may share it, and all
 * of it outlives them. NULL: it is not. */
struct ast_module;
int eng_deploy_parsed(struct eng *e, struct slice id, struct slice text,
                      const struct ast_module *parsed, struct err *reterr) NODISCARD;
int eng_undeploy(struct eng *e, struct slice id, struct err *reterr) NODISCARD;
/* Building events: their types and the heap they are made in. */
const struct etype *eng_type(struct eng *e, struct slice name); /* NULL if there is none */
struct vheap *eng_heap(struct eng *e);
/* What may be long calls it (sig/dat.h); nobody else may look at the engine meanwhile. */
struct vheap_breath *eng_breath(struct eng *e);
/* The event's own reference is set by the caller (evt.ref) or counted. */
int eng_send(struct eng *e, struct evt *ev, struct err *reterr) NODISCARD;
void eng_advance(struct eng *e, int64_t ms);      /* one jump */
void eng_advance_span(struct eng *e, int64_t ms); /* from due timer to due timer */
int64_t eng_now(const struct eng *e);
/* Goes on counting behind n. */
void eng_number_from(struct eng *e, uint64_t n);
int64_t eng_due(const struct eng *e);       /* of the next timer; INT64_MAX: none is set */
uint64_t eng_numbered(const struct eng *e); /* events that were given a number of this engine */
/* On-demand query: rows as they are now, valid until the next call. */
int eng_query(struct eng *e, struct slice text, const struct dat *params, size_t n_params,
              struct eng_rows *ret, struct err *reterr) NODISCARD;
/* What limits count: now, at most so far, and what was dropped. */
uint64_t eng_held(const struct eng *e, enum lim_kind k);
uint64_t eng_peak(const struct eng *e, enum lim_kind k);
uint64_t eng_dropped(const struct eng *e, enum lim_kind k);
bool eng_is_limited(const struct eng *e, enum lim_kind k); /* it was met, and has not recovered */
struct slice eng_limited(const struct eng *e, enum lim_kind k); /* the first that met it, or none */
struct slice eng_halted(const struct eng *e);                   /* the first a limit stopped */
/* The `max` that cost most, most first: how many. */
size_t eng_costs(const struct eng *e, struct eng_cost *ret, size_t max);
/* Statement names in order of deployment, for tools. */
size_t eng_statements(const struct eng *e, struct slice *ret, size_t max);

#endif
