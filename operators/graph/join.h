/* SPDX-License-Identifier: Apache-2.0
 *
 * Joins: what the windows of the streams hold, with hash tables over the columns compared by
 * equality, and the rows that a change of any stream makes.
 */
#ifndef OPERATORS_GRAPH_JOIN_H
#define OPERATORS_GRAPH_JOIN_H

#include "operators/graph/sel.h"

struct join *join_new(struct sel_inst *in);
void join_free(struct join *j);
void join_save(const struct join *j, struct save *s);
void join_load(struct join *j, struct load *l);
/* An event is about to come in: fetches what will be looked at. */
void join_soon(struct join *j, uint32_t num, struct evt *e);
/* The deltas collected in in->src become rows for sel_process. */
void join_flush(struct sel_inst *in);
/* All rows as the windows are now. */
void join_each(struct sel_inst *in, void (*fn)(void *arg, struct evt **row), void *arg);

#endif
