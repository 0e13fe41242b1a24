/* SPDX-License-Identifier: Apache-2.0
 *
 * The way out: events of rules as payloads of the normalized event, the counterpart of
 * dat_intake.h. Texts are borrowed from the event, lists and maps lie in the arena. Events within
 * events become maps; large numbers and characters, which the format does not have, become text,
 * and dat_intake reads them back by the type of the column.
 */
#ifndef OPERATORS_SIG_DAT_OUTGO_H
#define OPERATORS_SIG_DAT_OUTGO_H

#include "core/event/val.h"
#include "operators/sig/dat.h"

/* False at the arena's limit. */
bool dat_outgo(struct dat v, struct arena *a, struct val *ret);
/* The columns that have a value, in the order of the type. */
bool dat_outgo_event(const struct evt *e, struct arena *a, struct val_pair **ret, uint32_t *ret_n);

#endif
