/* SPDX-License-Identifier: Apache-2.0
 *
 * The door for whoever reads events off the bus: a record's value, framed either way and written by
 * any version, becomes a batch. The current schema takes the fast path (batch_dec.h), all others
 * the slow one (batch_other.h). Alerts and dead letters, which are plain records, become batches of
 * one event (batch_plain.h). One per thread.
 *
 * ERR_NOT_FOUND (nobody knows the schema), ERR_MISMATCH (it is not one of event batches),
 * ERR_CORRUPT, ERR_TYPE and ERR_LIMIT are a poison record: they will not go away.
 */
#ifndef CORE_EVENT_BATCH_IN_H
#define CORE_EVENT_BATCH_IN_H

#include "core/event/batch.h"
#include "core/event/rec.h"
#include "core/event/schema_reg.h"

struct batch_in;

struct batch_in_counts {
    uint64_t fast, slow, failed; /* batches */
};

/* keys and reg are borrowed and outlive it. */
struct batch_in *batch_in_new(struct batch_limits limits, struct intern *keys,
                              struct schema_reg *reg);
void batch_in_free(struct batch_in *in);

/* As batch_dec_read: strings point into `record`, the rest lies in the arena. */
int batch_in_read(struct batch_in *in, struct arena *a, struct slice record,
                  struct rec_batch *ret_batch, struct err *reterr) NODISCARD;
struct batch_in_counts batch_in_counts(const struct batch_in *in);

#endif
