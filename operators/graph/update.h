/* SPDX-License-Identifier: Apache-2.0
 *
 * `update istream`: events of a type are changed (copied) before any statement sees them.
 */
#ifndef OPERATORS_GRAPH_UPDATE_H
#define OPERATORS_GRAPH_UPDATE_H

#include "operators/graph/stmt.h"

struct upd_stream;

struct assigns;
/* Of a statement: the type it changes, and what it sets. */
const struct etype *upd_type(const struct stmt *st);
const struct assigns *upd_sets(const struct stmt *st);
const struct ex *upd_where(const struct stmt *st);
/* The event as all updates of its type leave it; NULL if one of them drops it. */
struct evt *upd_apply(struct eng *e, struct evt *ev);

#endif
