/* SPDX-License-Identifier: Apache-2.0
 *
 * The short way of the commonest statements of groups, past all that is not theirs (sel_rows.c).
 */
#ifndef OPERATORS_GRAPH_SEL_ROWS_H
#define OPERATORS_GRAPH_SEL_ROWS_H

#include "operators/graph/sel.h"

/* Asked once, when the instance has its views and groups. */
bool sel_is_straight(const struct sel_inst *in);
/* A batch that the window puts out: through the groups to the listener. */
void sel_straight(struct sel_inst *in, struct evt **nw, size_t n_nw, struct evt **old,
                  size_t n_old);
/* An event comes in: its group will be wanted. */
void sel_straight_soon(struct sel_inst *in, const struct evt *e);

#endif
