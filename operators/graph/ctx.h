/* SPDX-License-Identifier: Apache-2.0
 *
 * Contexts: which partitions exist, and which of them an event belongs to. A statement of a context
 * has one instance per partition; its filters carry the partition's condition, so that the route
 * index finds the right instance.
 */
#ifndef OPERATORS_GRAPH_CTX_H
#define OPERATORS_GRAPH_CTX_H

#include "operators/graph/stmt.h"

struct ctx_plan;

/* Properties of a partition as columns of an event: name, id, key1.., label, startTime, endTime,
 * tags; of a nested one a column per inner context. */
const struct etype *ctx_props(const struct cat_entry *c);
/* What an event of `type` (stream 0 of a filter's scope) must fulfil to belong to a partition whose
 * properties are the context's: *ret is NULL if it belongs to all. */
int ctx_cond(struct stmt *st, struct bind *b, const struct etype *type, struct span span,
             struct ex **ret, struct err *reterr) NODISCARD;
/* ... for a row of the window that the statement creates. */
int ctx_window_cond(struct stmt *st, struct bind *b, const struct etype *rows,
                    const struct ex **ret, struct err *reterr) NODISCARD;
/* ... for all filters within patterns that this binder meets. */
void ctx_bind_into(struct stmt *st, struct bind *b);
/* After a statement of a context was bound: whether the context says something about its types. */
int ctx_check(struct stmt *st, struct err *reterr) NODISCARD;
/* A statement of the context begins: instances for all partitions that are open, and from now on
 * for each that opens. And ends. */
void ctx_join(struct stmt *st);
void ctx_leave(struct stmt *st);
int32_t ctx_number(const struct evt *props); /* context.id of a partition */

#endif
