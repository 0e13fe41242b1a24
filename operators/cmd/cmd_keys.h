/* SPDX-License-Identifier: Apache-2.0
 *
 * What the planner chose (graph/keys.h), for people and as JSON.
 */
#ifndef OPERATORS_CMD_CMD_KEYS_H
#define OPERATORS_CMD_CMD_KEYS_H

#include "operators/graph/keys.h"

/* "a, b: partitioned by A(host), B(host)", or the reason. */
void cmd_keys_unit(const struct key_unit *u, struct buf *out);
void cmd_keys_text(const struct key_plan *p, struct buf *out);
/* [{"statements": [...], "choice": ..., "inputs": [...]}] */
void cmd_keys_json(const struct key_plan *p, struct buf *out);
void cmd_keys_units_json(const struct key_plan *p, struct buf *out); /* the list alone */
/* The line of a statement (by order of deployment): as if it were alone. */
void cmd_keys_stmt(const struct key_plan *p, uint32_t order, struct buf *out);

#endif
