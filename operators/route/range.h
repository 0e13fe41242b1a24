/* SPDX-License-Identifier: Apache-2.0
 *
 * Leaves by an interval of one column: those whose interval contains a value are found in the time
 * of their number. A treap by (low, seq) that knows the greatest upper bound below each node; what
 * serves as chance is a hash of seq, so the same leaves give the same tree. Bounds are inclusive
 * and may be too wide: who is found is asked for his whole condition.
 */
#ifndef OPERATORS_ROUTE_RANGE_H
#define OPERATORS_ROUTE_RANGE_H

#include "operators/route/route.h"

void range_add(struct route_leaf **root, struct route_leaf *l);
void range_remove(struct route_leaf **root, struct route_leaf *l);
/* Every leaf with low <= v <= high; NaN finds all. */
void range_find(struct route_leaf *root, double v, void (*fn)(void *arg, struct route_leaf *l),
                void *arg);

#endif
