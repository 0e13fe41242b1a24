/* SPDX-License-Identifier: Apache-2.0
 *
 * The same events as bytes of event batches, as a task of the operator gets them: made before a
 * measured stretch, decoded, mapped to the rules' types and sent within it. The clock follows the
 * time of the events.
 */
#ifndef OPERATORS_CMD_CMD_BATCH_H
#define OPERATORS_CMD_CMD_BATCH_H

#include "operators/cmd/cmd_gen.h"
#include "operators/graph/eng_reads.h"

struct cmd_batch;

/* reads: of all modules, by the time that the first events come; borrowed. */
struct cmd_batch *cmd_batch_new(struct eng *e, const struct eng_reads *reads);
void cmd_batch_free(struct cmd_batch *b);
/* Replaces what was there by these events. */
int cmd_batch_fill(struct cmd_batch *b, const struct cmd_gen_item *items, size_t n,
                   struct err *reterr) NODISCARD;
/* Decodes, maps, moves the clock and sends all of them. */
int cmd_batch_send(struct cmd_batch *b, struct err *reterr) NODISCARD;

#endif
