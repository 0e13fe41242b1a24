/* SPDX-License-Identifier: Apache-2.0
 *
 * prev, prevtail, prevcount, prevwindow and prior of a select's streams.
 */
#ifndef OPERATORS_GRAPH_PREV_H
#define OPERATORS_GRAPH_PREV_H

#include "operators/expr/ectx.h"

struct dat prev_value(struct ectx *c, const struct ex *e);

#endif
