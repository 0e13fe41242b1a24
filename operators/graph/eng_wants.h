/* SPDX-License-Identifier: Apache-2.0
 *
 * Which events concern an engine at all, for whoever feeds many of them: an event that no want fits
 * changes nothing but the clock, if no timer is due by then.
 */
#ifndef OPERATORS_GRAPH_ENG_WANTS_H
#define OPERATORS_GRAPH_ENG_WANTS_H

#include "operators/graph/eng.h"
#include "operators/route/want.h"

struct eng_wants {
    VEC(struct route_want) v;
};

/* Changes when there are more of them. */
size_t eng_wants_version(const struct eng *e);
/* They borrow from the engine. False: any event may concern it. */
bool eng_wants(struct eng *e, struct eng_wants *to);
/* Between two calls: a clock that moves on to before the next due timer has no other effect. */
bool eng_is_still(const struct eng *e);

#endif
