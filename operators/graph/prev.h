/* SPDX-License-Identifier: Apache-2.0
 *
 * prev, prevtail, prevcount, prevwindow and prior of a select's streams.
 */
#ifndef OPERATORS_GRAPH_PREV_H
#define OPERATORS_GRAPH_PREV_H

#include "operators/expr/ectx.h"

struct evts;

/* For prior: n events have come; of the past the last `want` may still be asked for. */
void prev_remember(struct vheap *h, struct evts *past, struct evt **nw, size_t n, size_t want);
struct dat prev_value(struct ectx *c, const struct ex *e);

#endif
