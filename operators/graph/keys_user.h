/* SPDX-License-Identifier: Apache-2.0
 *
 * @Partition('a, b'): the user says by which properties a statement's events are cut into parts,
 * whatever its nodes need. What is not local then is computed part by part; `kaiju epl explain`
 * names it. Output that ticks every T stands on a grid that begins at 0, as all parts must tick
 * together.
 */
#ifndef OPERATORS_GRAPH_KEYS_USER_H
#define OPERATORS_GRAPH_KEYS_USER_H

#include "operators/graph/stmt.h"

struct keys_answer;
struct keys_facts;

/* The names as written, or an empty slice. */
struct slice keys_user(const struct ast_stmt *a);
/* After binding: one string of properties that all events the statement reads have. */
int keys_user_check(struct stmt *st, struct err *reterr) NODISCARD;
/* Overrides the answer for the active statements. */
void keys_by_user(struct keys_facts *f, struct keys_answer *a);

#endif
