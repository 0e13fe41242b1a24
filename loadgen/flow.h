/* SPDX-License-Identifier: Apache-2.0
 *
 * What a visitor of the shop can do: flows, each a tree of steps in pre-order (a step's parent is
 * the nearest step above it with a smaller depth). trace_gen.c walks the tree and makes the spans.
 */
#ifndef LOADGEN_FLOW_H
#define LOADGEN_FLOW_H

#include "loadgen/shop.h"

enum step_kind {
    STEP_ROOT = 0,     /* SERVER span of the entry service */
    STEP_CALL = 1,     /* CLIENT span at the caller, SERVER span at the callee */
    STEP_DB = 2,       /* CLIENT span to a database, which is not instrumented */
    STEP_WORK = 3,     /* INTERNAL span */
    STEP_PUBLISH = 4,  /* PRODUCER span; its children happen later, elsewhere */
    STEP_CONSUME = 5,  /* CONSUMER span, linked to the producer */
    STEP_EXTERNAL = 6, /* CLIENT span over HTTP to somebody else's server */
};

struct step {
    int depth;
    enum step_kind kind;
    enum service_id service; /* who does the work: of DB, WORK, EXTERNAL and PUBLISH the caller */
    const char *name;
    const char *system; /* db.system.name, rpc.system.name, messaging.system; a server's name */
    double self_ms;     /* median */
    bool product;       /* carries a product id */
    bool together;      /* begins with the sibling before it, not after it */
};

struct flow {
    const char *method, *route; /* of the root */
    int weight;                 /* of 100 */
    const struct step *steps;
    size_t step_count, span_count; /* spans that one request makes */
};

enum { FLOW_COUNT = 5 };
extern const struct flow flow_all[FLOW_COUNT];

const struct flow *flow_pick(struct rng *rng);
/* Spans of an average request: what turns "spans per second" into requests. */
double flow_spans_per_request(void);

#endif
