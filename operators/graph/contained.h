/* SPDX-License-Identifier: Apache-2.0
 *
 * Contained events: `Batch[select process as p, * from spans as s where ...]`. Each step makes of
 * one event a row per element of a collection in it.
 */
#ifndef OPERATORS_GRAPH_CONTAINED_H
#define OPERATORS_GRAPH_CONTAINED_H

#include "operators/graph/stmt.h"

struct contained;

int contained_bind(struct stmt *st, struct bind *b, const struct ast_stream *s,
                   const struct etype *in, struct slice alias, struct contained **ret,
                   const struct etype **ret_type, struct err *reterr);
/* Appends the rows of e to `to`; false if the collection is null: the statement is not invoked. */
bool contained_expand(const struct contained *c, const struct inst *in, struct evt *e,
                      struct evts *to);

#endif
