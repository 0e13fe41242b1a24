/* SPDX-License-Identifier: Apache-2.0
 *
 * Reading a countMinSketch, for its methods. The cells are the value of the column: one list that
 * the aggregation changes in place, so it is read at once and not kept. See agg_sketch.c.
 */
#ifndef OPERATORS_AGG_AGG_SKETCH_H
#define OPERATORS_AGG_AGG_SKETCH_H

#include "operators/sig/dat.h"

int64_t agg_sketch_frequency(const struct vlist *cells, struct dat x);
/* The i-th most frequent value; false if there are no more. */
bool agg_sketch_top(const struct vlist *cells, uint32_t i, struct dat *ret_value, int64_t *ret_n);

#endif
