/* SPDX-License-Identifier: Apache-2.0
 *
 * Whose turn it is among instances of statements that have something to do at the same moment.
 */
#ifndef OPERATORS_GRAPH_TURN_H
#define OPERATORS_GRAPH_TURN_H

#include "core/base/vec.h"
#include "operators/route/route.h"

struct inst;

struct turn {
    struct inst *in;
    uint32_t came, bucket;
};

struct turns {
    VEC(struct turn) v;
    uint32_t buckets;
};

void turns_begin(struct turns *t);
void turns_add(struct turns *t, struct inst *in); /* fine if it is there */
size_t turns_order(struct turns *t);              /* sets inst.turn, from 1 */
void turns_end(struct turns *t);                  /* inst.turn is 0 again */
/* Puts the hits of patterns and self joins, which come last, in order. */
void turns_of_event(struct turns *t, struct route_hits *hits);

#endif
