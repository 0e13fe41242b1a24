/* SPDX-License-Identifier: Apache-2.0
 *
 * Subqueries: a stream with its own window (or a named window, or a table), filled from the
 * statement's start on, asked anew for each row around it.
 */
#ifndef OPERATORS_GRAPH_SUBQ_H
#define OPERATORS_GRAPH_SUBQ_H

#include "operators/graph/stmt.h"

struct subq_plan;

/* The scope hook: binds the subquery of an expression. */
int subq_bind(struct bind *b, struct scope *scope, const struct ast_expr *e, struct ex **ret,
              void *arg, struct err *reterr);
void subq_open_all(struct inst *in);
void subq_close_all(struct inst *in);
void subq_save_all(struct inst *in, struct save *s);
void subq_load_all(struct inst *in, struct load *l);
struct dat subq_value(struct ectx *c, const struct ex *e);

/* The type of events it takes; NULL if it reads a window or table. */
const struct etype *subq_event_type(const struct subq_plan *p);

/* Whether a leaf of the route index feeds a subquery. */
bool subq_owns(const struct route_leaf *l);
/* Where prev and prior of a subquery's columns look. */
void subq_prev(const struct ectx *c, const struct ex *e, struct view **ret_view,
               const struct evts **ret_past);

struct sel_plan;
const struct sel_plan *subq_query(const struct subq_plan *p);

#endif
