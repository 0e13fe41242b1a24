/* SPDX-License-Identifier: Apache-2.0
 *
 * Which statements of two engines are the same: their *identity* is a hash of the statement as it
 * is printed (with its name, without remarks such as @Alert), of the windows, tables, variables,
 * contexts and declared expressions that it uses, by their identity, and of the event types, by
 * their columns. Who inserts into a stream that it reads does not matter, as it does not between
 * engines.
 */
#ifndef OPERATORS_GRAPH_IDENT_H
#define OPERATORS_GRAPH_IDENT_H

#include "core/base/hash.h"
#include "operators/graph/stmt.h"

enum { IDENT_DEPTH = 32 };

struct hash128 stmt_ident(const struct stmt *st, int depth);
/* Of an engine's n-th statement; false: there are not so many. */
bool eng_ident_at(const struct eng *e, size_t n, struct hash128 *ret);

#endif
